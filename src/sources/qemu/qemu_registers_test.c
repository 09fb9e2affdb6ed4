#include "sources/qemu/qemu_registers.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As QEMU 7.2 prints them, but for the registers in the middle. */
#define CPU(number, flags_line, cs_line)                                                                     \
        "\r\nCPU#" number "\r\nEAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\r\n"                      \
        "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\r\n" flags_line "\r\n"                          \
        "ES =0000 00000000 0000ffff 00009300\r\n" cs_line "\r\n"                                             \
        "XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000\r\n"
#define REAL_CS     "CS =f000 000f0000 0000ffff 00009b00"
#define RESET_CS    "CS =f000 ffff0000 0000ffff 00009b00"
#define LONG_CS     "CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]"
#define HALTED      "EIP=00000002 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1"
#define IDLE        "EIP=00000002 EFL=00000202 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1"
#define BUSY        "EIP=00000002 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0"
#define LONG_HALTED "RIP=ffffffff9c8a1c2b RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1"
#define LONG_IDLE   "RIP=ffffffff9c8a1c2b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1"
/* An application processor that nobody started: KVM says HLT=0, software emulation HLT=1. */
#define WAITING "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0"

static void expect(const char *text, unsigned n_vcpus, unsigned vcpus, enum tristate halted) {
        struct qemu_registers registers = qemu_registers_read(text, strlen(text), n_vcpus);

        assert_int_equal(registers.vcpus, vcpus);
        assert_int_equal(registers.halted, halted);
}

static void hlt_with_interrupts_off_is_halted_for_good(void **state) {
        expect(CPU("0", HALTED, REAL_CS), 1, 1, TRISTATE_TRUE);
        expect(CPU("0", LONG_HALTED, LONG_CS), 0, 1, TRISTATE_TRUE);
        expect(CPU("0", LONG_HALTED, LONG_CS) CPU("1", LONG_HALTED, LONG_CS), 2, 2, TRISTATE_TRUE);
}

static void a_guest_that_waits_for_interrupts_is_not_halted(void **state) {
        expect(CPU("0", IDLE, REAL_CS), 1, 1, TRISTATE_FALSE);
        expect(CPU("0", LONG_IDLE, LONG_CS), 1, 1, TRISTATE_FALSE);
        expect(CPU("0", LONG_HALTED, LONG_CS) CPU("1", LONG_IDLE, LONG_CS), 2, 2, TRISTATE_FALSE);
        expect(CPU("0", LONG_IDLE, LONG_CS) CPU("1", LONG_HALTED, LONG_CS), 2, 2, TRISTATE_FALSE);
}

static void a_guest_that_spins_is_not_halted(void **state) {
        expect(CPU("0", BUSY, REAL_CS), 1, 1, TRISTATE_FALSE);
        expect(CPU("0", HALTED, REAL_CS) CPU("1", BUSY, REAL_CS), 2, 2, TRISTATE_FALSE);
}

static void a_vcpu_that_was_never_started_does_not_count(void **state) {
        expect(CPU("0", HALTED, REAL_CS) CPU("1", WAITING, RESET_CS) CPU("2", WAITING, RESET_CS), 3, 3,
               TRISTATE_TRUE);
        expect(CPU("0", IDLE, REAL_CS) CPU("1", WAITING, RESET_CS), 2, 2, TRISTATE_FALSE);
        /* The first one at its reset vector is a VM about to start; elsewhere it is code that runs. */
        expect(CPU("0", WAITING, RESET_CS), 1, 1, TRISTATE_FALSE);
        expect(CPU("0", HALTED, REAL_CS) CPU("1", WAITING, REAL_CS), 2, 2, TRISTATE_FALSE);
}

static void another_number_of_vcpus_cannot_tell(void **state) {
        expect(CPU("0", HALTED, REAL_CS), 2, 0, TRISTATE_NULL);
        expect(CPU("0", HALTED, REAL_CS) CPU("1", HALTED, REAL_CS), 1, 0, TRISTATE_NULL);
}

static void a_cut_text_is_never_halted(void **state) {
        static const char text[] = CPU("0", HALTED, REAL_CS) CPU("1", HALTED, REAL_CS);
        /* Behind the second CS line there is nothing that we need. */
        const size_t n_needed =
                strlen(CPU("0", HALTED, REAL_CS)) + (size_t)(strstr(text, REAL_CS) - text) + strlen(REAL_CS);

        for (size_t n = 0; n <= strlen(text); n++) {
                bool is_whole = n > n_needed && text[n - 1] == '\n';

                assert_int_equal(qemu_registers_read(text, n, 2).halted,
                                 is_whole ? TRISTATE_TRUE : TRISTATE_NULL);
        }
}

static void what_is_not_x86_cannot_tell(void **state) {
        static const char *const texts[] = {
                "",
                "\n",
                "\r\n",
                "unknown command: 'info'\r\n",
                "CPU#0\n",
                "\r\nCPU#0\r\n PC=0000000040000000 X00=0\r\n",
                CPU("0", "PC=00000002", REAL_CS),
                CPU("0", HALTED "\r\n" HALTED, REAL_CS),
                CPU("0", HALTED, REAL_CS "\r\n" REAL_CS),
                CPU("0", HALTED, "CS =f000"),
                CPU("0", HALTED, "CS =f000 x"),
                CPU("0", "EIP=00000002 EFL=00000002 HLT=2", REAL_CS),
                CPU("0", "EIP=00000002 EFL=00000002 HLT=1x", REAL_CS),
                CPU("0", "EIP=00000002 EFL=00000002 XHLT=1", REAL_CS),
                CPU("0", "EIP=00000002 EFL= HLT=1", REAL_CS),
                CPU("0", "EIP=00000002 EFL=00000000000000002 HLT=1", REAL_CS),
                "EIP=00000002 EFL=00000002 HLT=1\r\n" REAL_CS "\r\n",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                expect(texts[i], 0, 0, TRISTATE_NULL);
}

static void what_cannot_be_told_is_evidence_without_a_word(void **state) {
        struct evidence evidence = qemu_registers_evidence(qemu_registers_read("x\n", 2, 0));

        assert_int_equal(evidence.kind, EVIDENCE_REGISTERS);
        assert_int_equal(evidence.flag, TRISTATE_NULL);
        evidence = qemu_registers_evidence((struct qemu_registers){ .vcpus = 3, .halted = TRISTATE_TRUE });
        assert_int_equal(evidence.flag, TRISTATE_TRUE);
        assert_int_equal(evidence.number, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hlt_with_interrupts_off_is_halted_for_good),
                cmocka_unit_test(a_guest_that_waits_for_interrupts_is_not_halted),
                cmocka_unit_test(a_guest_that_spins_is_not_halted),
                cmocka_unit_test(a_vcpu_that_was_never_started_does_not_count),
                cmocka_unit_test(another_number_of_vcpus_cannot_tell),
                cmocka_unit_test(a_cut_text_is_never_halted),
                cmocka_unit_test(what_is_not_x86_cannot_tell),
                cmocka_unit_test(what_cannot_be_told_is_evidence_without_a_word),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
