#include "sources/qemu/qemu_machine.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define WORDS(...) (char *[]){ __VA_ARGS__ }
#define IS_PC(...) qemu_machine_is_pc(N_ELEMENTS(WORDS(__VA_ARGS__)), WORDS(__VA_ARGS__))

static void pc_and_q35_of_any_version_are_pcs(void **state) {
        assert_true(IS_PC("qemu-system-x86_64", "-M", "pc"));
        assert_true(IS_PC("/usr/bin/qemu-system-x86_64", "-machine", "q35,accel=kvm"));
        assert_true(IS_PC("qemu-system-i386", "-machine", "pc-i440fx-7.2"));
        assert_true(IS_PC("qemu-kvm", "--machine", "accel=kvm,type=pc-q35-9.0"));
}

static void the_default_is_a_pc(void **state) {
        assert_true(IS_PC("qemu-system-x86_64"));
        assert_true(IS_PC("qemu-system-x86_64", "-M", "accel=kvm"));
        assert_true(IS_PC("nice", "-n", "5", "qemu-system-x86_64", "-m", "2"));
}

static void vmpower_vmm_is_always_a_pc(void **state) {
        assert_true(IS_PC("vmpower-vmm", "--kernel", "x"));
        assert_true(IS_PC("nice", "/usr/bin/vmpower-vmm", "--machine", "ich9", "--bios", "x"));
}

static void other_machines_and_programs_are_not(void **state) {
        assert_false(IS_PC("qemu-system-x86_64", "-M", "microvm"));
        assert_false(IS_PC("qemu-system-x86_64", "-M", "isapc"));
        assert_false(IS_PC("qemu-system-x86_64", "-M", "none,accel=kvm:tcg"));
        assert_false(IS_PC("qemu-system-x86_64", "-M", "pc", "-M", "microvm"));
        assert_false(IS_PC("qemu-system-aarch64", "-M", "virt"));
        assert_false(IS_PC("firecracker", "--api-sock", "/tmp/x"));
        assert_false(IS_PC("sh", "-c", "pc"));
}

static void a_cut_line_and_odd_words_are_no_trouble(void **state) {
        assert_true(IS_PC("qemu-system-x86_64", "-M"));
        assert_true(IS_PC("qemu-system-x86_64", "-M", ""  , "-M", "pc"));
        assert_false(IS_PC("qemu-system-x86_64", "-M", ","));
        assert_false(IS_PC("qemu-system-x86_64", "-M", "type="));
        assert_false(qemu_machine_is_pc(0, NULL));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(pc_and_q35_of_any_version_are_pcs),
                cmocka_unit_test(the_default_is_a_pc),
                cmocka_unit_test(vmpower_vmm_is_always_a_pc),
                cmocka_unit_test(other_machines_and_programs_are_not),
                cmocka_unit_test(a_cut_line_and_odd_words_are_no_trouble),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("qemu_machine", tests, NULL, NULL);
}
