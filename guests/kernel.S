/*
 * The kernel's first instructions, in each of its lives: a bzImage that is entered in 64 bits (Linux, Documentation/x86/boot.rst), an ELF file with a PVH
 * entry (Xen, docs/misc/pvh.pandoc), another CPU's (Intel SDM 3A, 8.4), and out of S3 (ACPI 6.5, 16.3.2.1).  What they do then is in kernel.c.
 */

/* --- a bzImage's two setup sectors ------------------------------------------------------------------------------- */

        .section .setup, "a"
setup:
        .org    0x1f1
        .byte   1                       /* setup_sects, besides the first                                            */
        .org    0x1fe
        .word   0xaa55
        .byte   0xeb, 0x66              /* the header goes to 0x268                                                  */
        .ascii  "HdrS"
        .word   0x020c
        .org    0x211
        .byte   1                       /* loadflags: LOADED_HIGH                                                    */
        .org    0x22c
        .long   0x7fffffff              /* initrd_addr_max                                                           */
        .long   0x200000                /* kernel_alignment                                                          */
        .byte   0                       /* relocatable_kernel                                                        */
        .byte   0
        .word   1                       /* xloadflags: XLF_KERNEL_64                                                 */
        .long   2047                    /* cmdline_size                                                              */
        .org    0x258
        .quad   0x1000000               /* pref_address                                                              */
        .long   0x200000                /* init_size                                                                 */
        .org    0x400

/* --- entries ----------------------------------------------------------------------------------------------------- */

        .section .note.Xen, "a"
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY                                                  */
        .asciz  "Xen"
        .long   entry_32

        .section .text.entry, "ax"
        .code32
        .globl  entry_32
entry_32:                               /* EBX: the start info                                                       */
        cmpl    $0x336ec578, (%ebx)
        jne     .
        movl    $pages + 0x1003, pages  /* one PML4, one PDPT, four PDs: 4 GiB, by 2 MiB                             */
        movl    $4, %ecx
        movl    $pages + 0x2003, %eax
        movl    $pages + 0x1000, %edi
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $2048, %ecx
        movl    $0x83, %eax
        movl    $pages + 0x2000, %edi
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    $pages, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        lgdt    gdt_pointer
        movl    %ebx, %esi
        movl    $1, %edi
        ljmp    $0x10, $begin

        .org    0x200
        .code64
entry_64:                               /* RSI: boot_params                                                          */
        cmpl    $0x53726448, 0x202(%rsi)
        jne     .
        xorl    %edi, %edi
begin:
        movl    $stack_end, %esp
        call    kernel_main
1:      cli
        hlt
        jmp     1b

/* --- code for below 1 MiB, which kernel.c puts to 0x8000 and 0x4000 ---------------------------------------------- */

        .code16
        .globl  cpu_code, cpu_code_end, wake_code, wake_code_end
cpu_code:                               /* another CPU: it says that it is there, and then what the first one wants  */
        cli
        lock incw %cs:cpu_count - cpu_code
        sti
        cmpw    $0, %cs:cpu_halts - cpu_code
        je      1f
        cli
1:      hlt
        jmp     1b
        .balign 4
cpu_count:
        .word   0
cpu_halts:
        .word   0
cpu_code_end:

wake_code:                              /* out of S3: tell by what, and power off                                    */
        cli
        movw    $0x600, %dx
        inw     %dx, %ax
        movw    %ax, %bx
        movw    $0x3f8, %dx
        movb    $'w', %al
        outb    %al, %dx
        testw   $0x8000, %bx
        jz      1f
        movb    $'W', %al
        outb    %al, %dx
1:      testw   $0x100, %bx
        jz      1f
        movb    $'B', %al
        outb    %al, %dx
1:      testw   $0x400, %bx
        jz      1f
        movb    $'R', %al
        outb    %al, %dx
1:      movb    $'\n', %al
        outb    %al, %dx
        movw    $0x604, %dx
        movw    $0x2000, %ax
        outw    %ax, %dx
1:      hlt
        jmp     1b
wake_code_end:

        .data
        .balign 8
gdt:
        .quad   0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word   31
        .long   gdt

        .bss
        .balign 4096
pages:
        .skip   6 * 4096
stack:
        .skip   16384
stack_end:
        .section .note.GNU-stack, "", @progbits
