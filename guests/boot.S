/*
 * A boot sector that does one power action on a PC with a PIIX4, as an operating system that has ACPI would.
 *
 * Where there is no fw_cfg to ask: an HVM domain of Xen's boots it from a disk, and finds in its last bytes what it is to do.  It asks no BIOS for
 * anything, so that there need not be one (hvm.S).
 */

#include "sector.inc"

        .set    PM_PCI_BASE,    0x80000b40      /* configuration of 00:01.3, the PIIX4's power management: PMBA (Intel 82371AB, 7.1.15) */
        .set    PM1_STS,        0
        .set    PM1_CNT,        4
        .set    PWRBTN_STS,     1 << 8
        .set    LOOK_EVERY,     5000000         /* turns */
        .set    SLP_S5,         0x2000          /* SLP_EN with QEMU's SLP_TYP, 0 for S5 … */
        .set    SLP_S3,         0x2400          /* … and 1 for S3 */

main:   movl    $PM_PCI_BASE, %eax
        movw    $0xcf8, %dx
        outl    %eax, %dx
        movw    $0xcfc, %dx
        inw     %dx, %ax
        andw    $0xffc0, %ax
        movw    %ax, %bp                        /* the PM base, from here on */

        movw    $text_ready, %si
        call    print
        movzbw  action, %di
        shlw    $1, %di
        jmp     *actions(%di)

s5:     movw    $SLP_S5, %ax
        jmp     sleep
s3:     movw    $SLP_S3, %ax
sleep:  leaw    PM1_CNT(%bp), %dx
        outw    %ax, %dx
        jmp     failed

reset_cf9:
        movw    $0xcf9, %dx
        movb    $0x02, %al
        outb    %al, %dx
        movb    $0x06, %al
        outb    %al, %dx
        jmp     failed

reset_8042:
        movb    $0xfe, %al
        outb    %al, $0x64
        jmp     failed

triple_fault:
        lidt    empty_idt
        int3

halt:   cli
        hlt
        jmp     halt

/* With interrupts: if there is a BIOS, it takes one 18 times a second. */
idle:   sti
        hlt
        jmp     idle

/* It looks now and then: each look is an exit to the hypervisor, and an emulated processor spoils one of so many. */
button: leaw    PM1_STS(%bp), %dx
1:      movl    $LOOK_EVERY, %ecx
2:      addr32 loop 2b
        inw     %dx, %ax
        testw   $PWRBTN_STS, %ax
        jz      1b
        movw    $PWRBTN_STS, %ax
        outw    %ax, %dx
        jmp     s5

failed: movw    $text_failed, %si
        call    print
        jmp     idle

text_ready:     .asciz  "boot: ready\r\n"
text_failed:    .asciz  "boot: the machine did not react\r\n"

empty_idt:      .word   0
                .long   0

actions:        .word   idle, s5, s3, reset_cf9, reset_8042, triple_fault, halt, button

        .org    509
action:         .byte   0
        .word   0xaa55                          /* what makes it a boot sector */
