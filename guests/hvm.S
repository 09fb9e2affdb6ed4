/*
 * What takes the place of Xen's firmware in an HVM domain (firmware_override): the boot sector (boot.S) without hvmloader and a BIOS, which take ten
 * times as long as all the rest.
 *
 * It does what those two do and the sector relies on: where the ACPI PM registers are, for the device model and for Xen, which has some of them itself.
 */

        .code32
        .text
        .globl  _start

        .set    PM_PCI_BASE,    0x80000b40      /* 00:01.3, the PIIX4's power management: PMBA … */
        .set    PM_PCI_ENABLE,  0x80000b80      /* … and PMREGMISC (Intel 82371AB, 7.1.15, 7.1.27) */
        .set    PM_BASE,        0xb000          /* xen/include/public/hvm/ioreq.h: ACPI_PM1A_EVT_BLK_ADDRESS_V1 */
        .set    HYPERCALL_HVM,  34              /* xen/include/public/xen.h */
        .set    HVMOP_SET_PARAM, 0              /* xen/include/public/hvm/hvm_op.h */
        .set    SECTOR_ADDRESS, 0x7c00

/* xen/include/public/arch-x86/hvm/start_info.h: 32-bit protected mode, flat segments, no paging. */
_start: movl    $PM_PCI_BASE, %eax
        movw    $0xcf8, %dx
        outl    %eax, %dx
        movl    $PM_BASE | 1, %eax
        movw    $0xcfc, %dx
        outl    %eax, %dx
        movl    $PM_PCI_ENABLE, %eax
        movw    $0xcf8, %dx
        outl    %eax, %dx
        movb    $1, %al
        movw    $0xcfc, %dx
        outb    %al, %dx

        movl    $HYPERCALL_HVM, %eax
        movl    $HVMOP_SET_PARAM, %ebx
        movl    $ports, %ecx
        vmmcall                                 /* AMD's, as the emulated processor is */

        movl    $sector, %esi
        movl    $SECTOR_ADDRESS, %edi
        movl    $512 / 4, %ecx
        cld
        rep movsl

        /* To real mode by a 16-bit segment (Intel SDM volume 3, 9.9.2), below 1 MiB. */
        movl    $leave, %esi
        movl    $0x600, %edi
        movl    $leave_end - leave, %ecx
        rep movsb

        /* An interrupt that nobody wants is no triple fault. */
        xorl    %edi, %edi
        movl    $0x600 + ignore - leave, %eax
        movl    $256, %ecx
        rep stosl
        lidt    idt_pointer
        lgdt    gdt_pointer
        ljmpl   $8, $0x600

        .code16
leave:  movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    %cr0, %eax
        andb    $0xfe, %al
        movl    %eax, %cr0
        ljmpw   $0, $SECTOR_ADDRESS
ignore: iretw
leave_end:

        .balign 8
gdt:            .quad   0
                .quad   0x00009b000000ffff      /* 16 bit code, base 0, limit 64 KiB */
                .quad   0x000093000000ffff      /* and data */
gdt_pointer:    .word   . - gdt - 1
                .long   gdt

idt_pointer:    .word   0x3ff                   /* real mode's */
                .long   0

        .balign 8
ports:          .word   0x7ff0, 0               /* DOMID_SELF */
                .long   19                      /* HVM_PARAM_ACPI_IOPORTS_LOCATION */
                .quad   1

sector:         .incbin "boot.img"
