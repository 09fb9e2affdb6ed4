/*
 * The probe: a 64 KiB firmware image that does one power action and nothing else.
 *
 *     qemu-system-x86_64 -M pc -m 2 -nodefaults -display none -bios probe.rom \
 *             -fw_cfg name=opt/vmpower/action,string=s5
 *
 * A virtual machine needs no operating system to be powered off.  What an OS does in the end is a handful of port
 * accesses, and these are what this file is made of; each names the specification that it follows:
 *
 *     ACPI    Advanced Configuration and Power Interface 6.4, chapter 4 (the fixed hardware registers)
 *     PIIX4   Intel 82371AB, datasheet 290562, chapter 7 (power management)      the chip of QEMU's "pc"
 *     ICH9    Intel I/O Controller Hub 9, datasheet 316972, chapter 13 (LPC)     the chip of QEMU's "q35"
 *     FW_CFG  QEMU, docs/specs/fw_cfg.rst
 *     PVPANIC QEMU, docs/specs/pvpanic.txt
 *
 * Everything runs in 16 bit real mode, on the boot processor only, from the ROM at 0xf0000.  RAM survives a reset
 * and a suspend, so a few bytes there remember how often we have acted: once, `action`; after that, `then`; after
 * that, `idle`.
 */

        .code16
        .text

/* --- our RAM ----------------------------------------------------------------------------------------------------- */

        .set    MARK,           0x0600          /* 4 bytes: MARK_VALUE once the RAM is ours                          */
        .set    PHASE,          0x0604          /* 2 bytes: how many actions have ended in a reset or a suspend      */
        .set    CHIP,           0x0606          /* 1 byte: CHIP_NONE, CHIP_PIIX4 or CHIP_ICH9                        */
        .set    BUTTON,         0x0607          /* 1 byte: the power button was pressed                              */
        .set    TICKS,          0x0608          /* 2 bytes: timer interrupts still to wait for                       */
        .set    ENTRY,          0x0640          /* 64 bytes: one entry of the fw_cfg directory                       */
        .set    SETTINGS,       0x0680          /* 96 bytes: the three strings below, zero-terminated                */
        .set    ACTION,         0x0680          /* 32 bytes                                                          */
        .set    THEN,           0x06a0          /* 32 bytes                                                          */
        .set    DELAY,          0x06c0          /* 32 bytes                                                          */
        .set    FOUND,          0x06e0          /* 3 x 4 bytes: fw_cfg selector and length of each setting, or zero  */
        .set    STACK_TOP,      0x7000

        .set    MARK_VALUE,     0x72776f70      /* "powr" */
        .set    SETTING_SIZE,   32
        .set    N_SETTINGS,     3

        .set    CHIP_NONE,      0
        .set    CHIP_PIIX4,     1
        .set    CHIP_ICH9,      2

/* --- the hardware ------------------------------------------------------------------------------------------------ */

/* The fixed ACPI registers, from the base that we choose ourselves, the one that SeaBIOS chooses. */
        .set    PM_BASE,        0x0600
        .set    PM1_STS,        PM_BASE + 0     /* ACPI 4.8.3.1.1; a written 1 clears the bit                        */
        .set    PM1_EN,         PM_BASE + 2     /* ACPI 4.8.3.1.2                                                    */
        .set    PM1_CNT,        PM_BASE + 4     /* ACPI 4.8.3.2.1                                                    */

        .set    PWRBTN,         1 << 8          /* PWRBTN_STS, PWRBTN_EN                                             */
        .set    WAK_STS,        1 << 15
        .set    SCI_EN,         1 << 0
        .set    SLP_EN,         1 << 13
        .set    SLP_TYP_SHIFT,  10

/* SLP_TYP is what the machine says in its \_Sx objects (ACPI 7.4.2).  QEMU's values, the same on both chips. */
        .set    SLP_TYP_S5,     0 << SLP_TYP_SHIFT
        .set    SLP_TYP_S3,     1 << SLP_TYP_SHIFT
        .set    SLP_TYP_S4,     2 << SLP_TYP_SHIFT

        .set    SMI_CMD,        0xb2            /* FADT.SMI_CMD; PIIX4 APMC, ICH9 APM_CNT                            */
        .set    PIIX4_ENABLE,   0xf1            /* FADT.ACPI_ENABLE: firmware's choice; QEMU has fixed these two     */
        .set    ICH9_ENABLE,    0x02

        .set    PCI_ADDRESS,    0xcf8           /* PCI Local Bus 3.0, 3.2.2.3.2: configuration mechanism #1          */
        .set    PCI_DATA,       0xcfc
        .set    PIIX4_PM,       0x80000b00      /* bus 0, device 1, function 3                                       */
        .set    PIIX4_PM_ID,    0x71138086
        .set    ICH9_LPC,       0x8000f800      /* bus 0, device 31, function 0                                      */
        .set    ICH9_LPC_ID,    0x29188086

        .set    CPUID_HYPERVISOR, 0x40000000
        .set    CPUID_TCG,      0x54474354      /* "TCGT", the beginning of "TCGTCGTCGTCG"                           */
        .set    IA32_APIC_BASE, 0x1b            /* Intel SDM 3, 10.4.4                                               */
        .set    APIC_ENABLE,    1 << 11
        .set    APIC_BASE,      0xfee00000      /* Intel SDM 3, 10.4.1                                               */
        .set    APIC_SPURIOUS,  0xf0
        .set    APIC_SOFTWARE_ON, 1 << 8
        .set    APIC_LVT_LINT0, 0x350
        .set    APIC_EXTINT,    7 << 8          /* not masked, "external interrupt"                                  */
        .set    PIC1,           0x20            /* 8259A, master and slave                                           */
        .set    PIC2,           0xa0
        .set    VECTOR_TIMER,   0x08            /* where the IBM PC has its IRQ 0 ...                                */
        .set    VECTOR_SCI,     0x71            /* ... and the AT its IRQ 9                                          */
        .set    ELCR2,          0x4d1           /* ICH9 ELCR2: level or edge, IRQ 8 to 15                            */
        .set    PIT_CHANNEL_0,  0x40            /* 8254                                                              */
        .set    PIT_MODE,       0x43
        .set    PIT_1000_HZ,    1193            /* of 1.193182 MHz                                                   */
        .set    PIT_18_HZ,      0               /* stands for 65536                                                  */

        .set    COM1,           0x3f8
        .set    COM1_LSR,       COM1 + 5
        .set    DEBUGCON,       0xe9
        .set    KEYBOARD,       0x64            /* 8042: status and command                                          */
        .set    PORT_92,        0x92            /* ICH9 PORT92, bit 0: INIT_NOW                                      */
        .set    RESET_CONTROL,  0xcf9           /* ICH9 RST_CNT: bit 1 hard, bit 2 reset now                         */
        .set    PVPANIC,        0x505           /* PVPANIC: bit 0 panicked, bit 1 a crash kernel is loaded           */
        .set    IB700_ENABLE,   0x443           /* QEMU hw/watchdog/wdt_ib700.c: 0 is 30 s ... 14 is 2 s, 15 is 0 s  */
        .set    DEBUG_EXIT,     0xf4            /* -device isa-debug-exit,iobase=0xf4                                */
        .set    DEBUG_EXIT_VAL, 0x10            /* the process ends with (value << 1) | 1                            */

        .set    FW_CFG_SELECT,  0x510           /* FW_CFG, "Selector register IOport"                                */
        .set    FW_CFG_DATA,    0x511
        .set    FW_CFG_SIG,     0x00            /* the bytes "QEMU"                                                  */
        .set    FW_CFG_DIR,     0x19            /* count, then entries of 64 bytes, all big-endian                   */

/* ----------------------------------------------------------------------------------------------------------------- */

        .globl  _start
_start:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $STACK_TOP, %sp

        /* The first time since power was switched on? */
        cmpl    $MARK_VALUE, MARK
        je      1f
        movl    $MARK_VALUE, MARK
        movw    $0, PHASE
1:
        call    settings_read
        call    chip_setup
        call    interrupts_setup
        call    wake_report

        movw    $ACTION, %si
        cmpw    $0, PHASE
        je      act
        movw    $THEN, %si
        cmpw    $1, PHASE
        je      act
        movw    $THEN, %si
        movl    $0x656c6469, THEN       /* "idle" */
        movb    $0, THEN + 4

act:    /* %ds:%si is the name of what to do. */
        call    action_find             /* %di: its code, or zero */
        testw   %di, %di
        jz      act_unknown

        call    delay_wait

        pushw   %si
        movw    $text_probe, %si
        call    print_rom
        popw    %si
        call    print_line
        jmp     *%di

act_unknown:
        pushw   %si
        movw    $text_unknown, %si
        call    print_rom
        popw    %si
        call    print_line
        jmp     action_halt

/* --- the actions: none of them returns --------------------------------------------------------------------------- */

/* Soft off, as an ACPI OS does it: ACPI on, SLP_TYP first, SLP_TYP and SLP_EN then (ACPI 4.8.3.2.1, as ACPICA does). */
action_s5:
        call    acpi_enable
        movw    $SLP_TYP_S5, %ax
        jmp     sleep

action_s4:
        call    acpi_enable
        movw    $SLP_TYP_S4, %ax
        jmp     sleep

/* Waking starts us at the reset vector again, with RAM as it was (ACPI 16.3). */
action_s3:
        call    acpi_enable
        incw    PHASE
        movw    $SLP_TYP_S3, %ax
        jmp     sleep

sleep:  /* %ax: SLP_TYP, shifted */
        orw     $SCI_EN, %ax
        movw    $PM1_CNT, %dx
        outw    %ax, %dx
        orw     $SLP_EN, %ax
        outw    %ax, %dx
        jmp     failed                  /* a machine without this state goes on */

action_reset_cf9:
        incw    PHASE
reset_cf9:
        movw    $RESET_CONTROL, %dx
        movb    $0x02, %al              /* a hard reset ... */
        outb    %al, %dx
        movb    $0x06, %al              /* ... now: bit 2 goes from 0 to 1 */
        outb    %al, %dx
        jmp     failed

action_reset_loop:
        jmp     reset_cf9               /* PHASE stays, so we come back here */

action_reset_8042:
        incw    PHASE
1:      inb     $KEYBOARD, %al
        testb   $0x02, %al              /* its input buffer is full */
        jnz     1b
        movb    $0xfe, %al              /* pulse output line 0, the CPU's reset */
        outb    %al, $KEYBOARD
        jmp     failed

action_reset_port92:
        incw    PHASE
        inb     $PORT_92, %al
        andb    $0xfe, %al
        outb    %al, $PORT_92
        orb     $0x01, %al
        outb    %al, $PORT_92
        jmp     failed

/*
 * Without an interrupt table the fault faults, and that faults again: the CPU shuts down (Intel SDM 3, 6.15, #DF).
 * Where KVM emulates real mode it has no word for ud2 and does not look at the table's limit, so the fault is a
 * division by zero and the table is where no memory is.
 */
action_triple_fault:
        incw    PHASE
        lidtl   %cs:empty_idt
        xorw    %ax, %ax
        divb    %al
        jmp     failed

/* Halted for good: nothing but an NMI, an SMI or a reset can end this. */
action_halt:
        cli
        hlt
        jmp     action_halt

/* A guest with nothing to do: halted with interrupts on, and woken 18 times a second. */
action_idle:
        call    timer_start
        sti
1:      hlt
        jmp     1b

action_spin:
        cli
1:      jmp     1b

action_panic:
        movw    $PVPANIC, %dx
        movb    $0x01, %al
        outb    %al, %dx
        jmp     action_halt

/* A crash kernel runs now; it writes its dump and reboots. */
action_crashload:
        incw    PHASE
        movw    $PVPANIC, %dx
        movb    $0x02, %al
        outb    %al, %dx
        movl    $50, %ecx
        call    wait_ms
        jmp     reset_cf9

action_button_obey:
        call    button_arm
        call    button_wait
        jmp     action_s5

action_button_reset:
        call    button_arm
        call    button_wait
        jmp     action_reset_cf9

/* Sees the button, acknowledges it, says so, and goes on: what a desktop does that asks its user first. */
action_button_ignore:
        call    timer_start
        call    button_arm
1:      call    button_wait
        movw    $text_ignored, %si
        call    print_rom
        jmp     1b

action_watchdog:
        incw    PHASE
        movw    $IB700_ENABLE, %dx
        movb    $15, %al                /* 0 seconds */
        outb    %al, %dx
        jmp     action_idle

action_debug_exit:
        movb    $DEBUG_EXIT_VAL, %al
        outb    %al, $DEBUG_EXIT
        jmp     failed

/* The machine does not have what was asked for.  Say so, and be plainly halted. */
failed:
        movl    $100, %ecx              /* a reset may take effect a little after its port access */
        call    wait_ms
        movw    $text_failed, %si
        call    print_rom
        jmp     action_halt

/* --- the power management block ---------------------------------------------------------------------------------- */

/* Firmware's work: give the registers their address.  Every reset and every wake-up undoes it. */
chip_setup:
        movb    $CHIP_NONE, CHIP

        movl    $PIIX4_PM, %eax
        call    pci_read
        cmpl    $PIIX4_PM_ID, %eax
        je      chip_setup_piix4

        movl    $ICH9_LPC, %eax
        call    pci_read
        cmpl    $ICH9_LPC_ID, %eax
        je      chip_setup_ich9
        ret

chip_setup_piix4:
        movb    $CHIP_PIIX4, CHIP
        movl    $PIIX4_PM + 0x40, %eax  /* PIIX4 PMBA; bit 0 says "I/O space" */
        movl    $PM_BASE | 1, %ecx
        call    pci_write
        movl    $PIIX4_PM + 0x80, %eax  /* PIIX4 PMREGMISC; bit 0 opens the window */
        movl    $1, %ecx
        jmp     pci_write

chip_setup_ich9:
        movb    $CHIP_ICH9, CHIP
        movl    $ICH9_LPC + 0x40, %eax  /* ICH9 PMBASE */
        movl    $PM_BASE | 1, %ecx
        call    pci_write
        movl    $ICH9_LPC + 0x44, %eax  /* ICH9 ACPI_CNTL; bit 7 opens the window, bits 2:0 = 0: SCI is IRQ 9 */
        movl    $0x80, %ecx
        jmp     pci_write

pci_read:       /* %eax: address; returns %eax */
        movw    $PCI_ADDRESS, %dx
        outl    %eax, %dx
        movw    $PCI_DATA, %dx
        inl     %dx, %eax
        ret

pci_write:      /* %eax: address, %ecx: value */
        movw    $PCI_ADDRESS, %dx
        outl    %eax, %dx
        movw    $PCI_DATA, %dx
        movl    %ecx, %eax
        outl    %eax, %dx
        ret

/* What an ACPI OS does first (ACPI 4.8.2.5): write ACPI_ENABLE to SMI_CMD, wait until SCI_EN is there. */
acpi_enable:
        movb    $PIIX4_ENABLE, %al
        cmpb    $CHIP_PIIX4, CHIP
        je      1f
        movb    $ICH9_ENABLE, %al
        cmpb    $CHIP_ICH9, CHIP
        je      1f
        movw    $text_no_chip, %si
        call    print_rom
        jmp     action_halt

1:      outb    %al, $SMI_CMD
        movw    $PM1_CNT, %dx
2:      inw     %dx, %ax
        testw   $SCI_EN, %ax
        jz      2b
        ret

/* The chip itself says whether it has been woken (ACPI 4.8.3.1.1, WAK_STS). */
wake_report:
        cmpb    $CHIP_NONE, CHIP
        je      1f
        movw    $PM1_STS, %dx
        inw     %dx, %ax
        testw   $WAK_STS, %ax
        jz      1f
        movw    $WAK_STS, %ax
        outw    %ax, %dx
        movw    $text_woken, %si
        jmp     print_rom
1:      ret

/* --- the power button -------------------------------------------------------------------------------------------- */

/* ACPI 4.8.2.2.1.1: with PWRBTN_EN and SCI_EN a press sets PWRBTN_STS and raises the SCI. */
button_arm:
        call    acpi_enable
        movb    $0, BUTTON
        movw    $PM1_STS, %dx
        movw    $PWRBTN, %ax
        outw    %ax, %dx                /* what was pressed before does not count */
        movw    $PM1_EN, %dx
        outw    %ax, %dx
        movw    $text_ready, %si
        jmp     print_rom

/* sti takes effect after the next instruction, so a press cannot slip in between the look and the hlt. */
button_wait:
        cli
        cmpb    $0, BUTTON
        jne     1f
        sti
        hlt
        jmp     button_wait
1:      movb    $0, BUTTON
        sti
        ret

/* --- interrupts and time ----------------------------------------------------------------------------------------- */

/* 8259A: ICW1 to ICW4, as the IBM AT does it; then only the timer, the cascade and the SCI may come through. */
interrupts_setup:
        movl    $(0xf000 << 16), %eax   /* segment of this ROM, offset below */
        movw    $timer_interrupt, %ax
        movl    %eax, VECTOR_TIMER * 4
        movw    $sci_interrupt, %ax
        movl    %eax, VECTOR_SCI * 4

        movb    $0x11, %al
        outb    %al, $PIC1
        outb    %al, $PIC2
        movb    $VECTOR_TIMER, %al
        outb    %al, $PIC1 + 1
        movb    $VECTOR_SCI - 1, %al
        outb    %al, $PIC2 + 1
        movb    $0x04, %al
        outb    %al, $PIC1 + 1
        movb    $0x02, %al
        outb    %al, $PIC2 + 1
        movb    $0x01, %al
        outb    %al, $PIC1 + 1
        outb    %al, $PIC2 + 1

        movb    $0xfa, %al              /* all but IRQ 0 and 2 */
        outb    %al, $PIC1 + 1
        movb    $0xfd, %al              /* all but IRQ 9 */
        outb    %al, $PIC2 + 1

        movw    $ELCR2, %dx             /* the SCI is level-triggered (ACPI 5.2.9, SCI_INT) */
        movb    $0x02, %al
        outb    %al, %dx

/*
 * A CPU starts with its local APIC on and LINT0, where the 8259A is connected, masked (Intel SDM 3, 10.4.7.1).
 *
 * Switched off, the pin is the plain INTR of old (10.4.3).  That is the shortest way, and KVM follows it; the other
 * way needs protected mode, which a KVM that only emulates does not run.  QEMU's own APIC looks at LINT0 even when
 * it is off (apic_local_deliver() in hw/intc/apic.c), so under TCG it is opened instead, which is what firmware does.
 */
        movl    $CPUID_HYPERVISOR, %eax
        cpuid
        cmpl    $CPUID_TCG, %ebx
        je      lint0_open

        movl    $IA32_APIC_BASE, %ecx
        rdmsr
        andl    $~APIC_ENABLE, %eax
        wrmsr
        ret

/* A look into protected mode gives %fs a limit of 4 GiB, which stays when we are back: so we reach the APIC. */
lint0_open:
        lgdtl   %cs:gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $GDT_FLAT, %bx
        movw    %bx, %fs
        andb    $0xfe, %al
        movl    %eax, %cr0

        movl    $APIC_BASE, %ebx
        movl    $APIC_SOFTWARE_ON | 0xff, %fs:APIC_SPURIOUS(%ebx)
        movl    $APIC_EXTINT, %fs:APIC_LVT_LINT0(%ebx)
        ret

timer_interrupt:
        pushw   %ax
        cmpw    $0, %ss:TICKS
        je      1f
        decw    %ss:TICKS
1:      movb    $0x20, %al              /* end of interrupt */
        outb    %al, $PIC1
        popw    %ax
        iretw

sci_interrupt:
        pushw   %ax
        pushw   %dx
        movw    $PM1_STS, %dx
        inw     %dx, %ax
        testw   $PWRBTN, %ax
        jz      1f
        movb    $1, %ss:BUTTON
1:      outw    %ax, %dx                /* what was set is acknowledged, so the line goes down */
        movb    $0x20, %al
        outb    %al, $PIC2
        outb    %al, $PIC1
        popw    %dx
        popw    %ax
        iretw

timer_start:    /* 18.2 Hz */
        movw    $PIT_18_HZ, %cx
        jmp     timer_set

timer_set:      /* %cx: divisor */
        movb    $0x34, %al              /* 8254: channel 0, low byte then high byte, mode 2 (rate) */
        outb    %al, $PIT_MODE
        movb    %cl, %al
        outb    %al, $PIT_CHANNEL_0
        movb    %ch, %al
        outb    %al, $PIT_CHANNEL_0
        ret

/* At least %ecx milliseconds, halted in between: a test that waits costs its host no CPU. */
wait_ms:
        pushw   %cx
        movw    $PIT_1000_HZ, %cx
        call    timer_set
        popw    %cx
1:      testl   %ecx, %ecx
        jz      3f
        movw    $1, TICKS
        decl    %ecx
2:      cli
        cmpw    $0, TICKS
        je      1b
        sti
        hlt
        jmp     2b
3:      cli
        ret

delay_wait:     /* the DELAY setting, decimal; keeps %si and %di */
        pushw   %si
        xorl    %ecx, %ecx
        xorl    %eax, %eax
        movw    $DELAY, %si
1:      lodsb
        subb    $'0', %al
        cmpb    $9, %al
        ja      2f
        imull   $10, %ecx
        addl    %eax, %ecx
        jmp     1b
2:      testl   %ecx, %ecx
        jz      3f
        call    wait_ms
3:      popw    %si
        ret

/* --- settings ---------------------------------------------------------------------------------------------------- */

/* The strings at the end of this ROM; what the host gives by fw_cfg is used instead. */
settings_read:
        xorw    %bx, %bx
1:      movb    %cs:settings_default(%bx), %al
        movb    %al, SETTINGS(%bx)
        incw    %bx
        cmpw    $N_SETTINGS * SETTING_SIZE, %bx
        jb      1b

        movw    $FW_CFG_SIG, %ax
        movw    $FW_CFG_SELECT, %dx
        outw    %ax, %dx
        call    fw_cfg_long
        cmpl    $0x51454d55, %eax       /* "QEMU", read as big-endian */
        jne     settings_done

        movl    $0, FOUND
        movl    $0, FOUND + 4
        movl    $0, FOUND + 8
        movw    $FW_CFG_DIR, %ax
        outw    %ax, %dx
        call    fw_cfg_long
        movl    %eax, %ebp              /* entries left */

settings_entry:
        testl   %ebp, %ebp
        jz      settings_fetch
        decl    %ebp
        call    fw_cfg_long
        movl    %eax, %ebx              /* its size; every value that we want is short */
        call    fw_cfg_long
        shrl    $16, %eax               /* its selector; the lower half is reserved */
        shll    $16, %ebx
        movw    %ax, %bx                /* %ebx: size and selector */
        movw    $ENTRY, %di
        movw    $56, %cx                /* its name */
        movw    $FW_CFG_DATA, %dx
1:      inb     %dx, %al
        stosb
        loop    1b

        xorw    %cx, %cx                /* which setting */
2:      movw    %cx, %di
        addw    %di, %di
        movw    %cs:setting_names(%di), %di
        movw    $ENTRY, %si
        call    string_equals_rom
        je      3f
        incw    %cx
        cmpw    $N_SETTINGS, %cx
        jb      2b
        jmp     settings_entry
3:      movw    %cx, %di
        shlw    $2, %di
        movl    %ebx, FOUND(%di)
        jmp     settings_entry

settings_fetch:
        xorw    %bp, %bp
1:      movw    %bp, %si
        shlw    $2, %si
        movl    FOUND(%si), %eax
        testl   %eax, %eax
        jz      3f
        movw    $FW_CFG_SELECT, %dx
        outw    %ax, %dx
        shrl    $16, %eax
        movw    %ax, %cx                /* its length ... */
        cmpw    $SETTING_SIZE - 1, %cx
        jbe     2f
        movw    $SETTING_SIZE - 1, %cx  /* ... and what we have room for */
2:      movw    %bp, %di
        shlw    $5, %di
        addw    $SETTINGS, %di
        jcxz    5f
        movw    $FW_CFG_DATA, %dx
4:      inb     %dx, %al
        stosb
        loop    4b
5:      movb    $0, (%di)
3:      incw    %bp
        cmpw    $N_SETTINGS, %bp
        jb      1b
settings_done:
        ret

fw_cfg_long:    /* returns %eax, the next four bytes as a big-endian number; keeps %dx */
        pushw   %cx
        pushw   %dx
        movw    $FW_CFG_DATA, %dx
        movw    $4, %cx
1:      shll    $8, %eax
        inb     %dx, %al
        loop    1b
        popw    %dx
        popw    %cx
        ret

action_find:    /* %ds:%si: name; returns %di: its code, or zero */
        movw    $actions, %bx
1:      movw    %cs:(%bx), %di
        testw   %di, %di
        jz      2f
        call    string_equals_rom
        je      3f
        addw    $4, %bx
        jmp     1b
3:      movw    %cs:2(%bx), %di
2:      ret

string_equals_rom:      /* %ds:%si and %cs:%di; the zero flag says yes; keeps all but %ax and %di */
        pushw   %si
1:      movb    (%si), %al
        cmpb    %cs:(%di), %al
        jne     2f
        incw    %si
        incw    %di
        testb   %al, %al
        jnz     1b
2:      popw    %si
        ret

/* --- words ------------------------------------------------------------------------------------------------------- */

print_rom:      /* %cs:%si; keeps all but %si */
        pushw   %ax
1:      movb    %cs:(%si), %al
        incw    %si
        testb   %al, %al
        jz      2f
        call    print_char
        jmp     1b
2:      popw    %ax
        ret

print_line:     /* %ds:%si and the end of the line */
        lodsb
        testb   %al, %al
        jz      1f
        call    print_char
        jmp     print_line
1:      movb    $'\r', %al
        call    print_char
        movb    $'\n', %al
        jmp     print_char

print_char:     /* %al; keeps all */
        pushw   %dx
        pushw   %ax
        movw    $COM1_LSR, %dx
1:      inb     %dx, %al
        testb   $0x20, %al              /* room for one more; a port where nothing is reads 0xff */
        jz      1b
        popw    %ax
        movw    $COM1, %dx
        outb    %al, %dx
        outb    %al, $DEBUGCON
        popw    %dx
        ret

text_probe:     .asciz  "probe: "
text_unknown:   .asciz  "probe: unknown action "
text_no_chip:   .asciz  "probe: neither PIIX4 nor ICH9 here\r\n"
text_failed:    .asciz  "probe: the machine did not react\r\n"
text_woken:     .asciz  "probe: woken\r\n"
text_ready:     .asciz  "probe: ready\r\n"
text_ignored:   .asciz  "probe: button ignored\r\n"

name_action:    .asciz  "opt/vmpower/action"
name_then:      .asciz  "opt/vmpower/then"
name_delay:     .asciz  "opt/vmpower/delay-ms"

setting_names:  .word   name_action, name_then, name_delay

actions:
        .word   word_s3,                action_s3
        .word   word_s4,                action_s4
        .word   word_s5,                action_s5
        .word   word_reset_cf9,         action_reset_cf9
        .word   word_reset_8042,        action_reset_8042
        .word   word_reset_port92,      action_reset_port92
        .word   word_reset_loop,        action_reset_loop
        .word   word_triple_fault,      action_triple_fault
        .word   word_halt,              action_halt
        .word   word_idle,              action_idle
        .word   word_spin,              action_spin
        .word   word_panic,             action_panic
        .word   word_crashload,         action_crashload
        .word   word_button_obey,       action_button_obey
        .word   word_button_ignore,     action_button_ignore
        .word   word_button_reset,      action_button_reset
        .word   word_watchdog,          action_watchdog
        .word   word_debug_exit,        action_debug_exit
        .word   0

word_s3:                .asciz  "s3"
word_s4:                .asciz  "s4"
word_s5:                .asciz  "s5"
word_reset_cf9:         .asciz  "reset-cf9"
word_reset_8042:        .asciz  "reset-8042"
word_reset_port92:      .asciz  "reset-port92"
word_reset_loop:        .asciz  "reset-loop"
word_triple_fault:      .asciz  "triple-fault"
word_halt:              .asciz  "halt"
word_idle:              .asciz  "idle"
word_spin:              .asciz  "spin"
word_panic:             .asciz  "panic"
word_crashload:         .asciz  "crashload"
word_button_obey:       .asciz  "button-obey"
word_button_ignore:     .asciz  "button-ignore"
word_button_reset:      .asciz  "button-reset"
word_watchdog:          .asciz  "watchdog"
word_debug_exit:        .asciz  "debug-exit"

        .set    GDT_FLAT,       8
gdt:            .quad   0
                .quad   0x008f92000000ffff      /* 16 bit data, base 0, limit 4 GiB */
gdt_pointer:    .word   . - gdt - 1
                .long   0xf0000 + gdt

empty_idt:      .word   0
                .long   0xff000000

/*
 * What to do when there is no fw_cfg to ask.  These bytes have a fixed place, so that a monitor without fw_cfg can
 * be given a copy of the ROM with other words in it.
 */
        .org    0xff00
settings_default:
        .asciz  "idle"                  /* 0xff00: action */
        .org    0xff20
        .asciz  "idle"                  /* 0xff20: then */
        .org    0xff40
        .asciz  "0"                     /* 0xff40: delay-ms */
        .org    0xff60

/* The CPU starts here, 16 bytes below the end (Intel SDM 3, 9.1.4). */
        .org    0xfff0
        ljmpw   $0xf000, $_start
        .org    0x10000
