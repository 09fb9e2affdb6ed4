/*
 * A boot sector that switches the machine off through the APM BIOS.
 *
 *     qemu-system-x86_64 -M pc -m 4 -nodefaults -display none -drive file=apm.img,format=raw,if=ide
 *
 * It needs no ACPI in the guest: INT 15h asks the firmware, and the firmware (SeaBIOS) writes PM1a_CNT.  It writes
 * 0x2000, where an ACPI OS leaves SCI_EN set and writes 0x2001.
 *
 *     APM     Advanced Power Management BIOS Interface 1.2, chapter 4
 */

#include "sector.inc"

        .set    APM_CONNECT,    0x5301          /* APM 4.6.2, real mode interface connect       */
        .set    APM_VERSION,    0x530e          /* APM 4.6.15, driver version                   */
        .set    APM_SET_STATE,  0x5307          /* APM 4.6.8, set power state                   */
        .set    DEVICE_BIOS,    0x0000
        .set    DEVICE_ALL,     0x0001
        .set    STATE_OFF,      0x0003

main:   movw    $APM_CONNECT, %ax
        movw    $DEVICE_BIOS, %bx
        int     $0x15
        jc      no_apm

        movw    $APM_VERSION, %ax
        movw    $DEVICE_BIOS, %bx
        movw    $0x0102, %cx                    /* we know 1.2; from 1.1 on, off means off      */
        int     $0x15
        jc      no_apm

        movw    $text_off, %si
        call    print

        movw    $APM_SET_STATE, %ax
        movw    $DEVICE_ALL, %bx
        movw    $STATE_OFF, %cx
        int     $0x15                           /* does not return                              */

no_apm: movw    $text_no_apm, %si
        call    print
1:      cli
        hlt
        jmp     1b

text_off:       .asciz  "apm: off\r\n"
text_no_apm:    .asciz  "apm: this firmware has no APM\r\n"

        .org    510
        .word   0xaa55                          /* what makes it a boot sector                  */
