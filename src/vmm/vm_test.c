/* What a VM is, and what it tells, where a real one takes long to get to: as QEMU 7.2 does it. */
#include "vmm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char told[256];

static void on_event(void *userdata, const char *name, json_t *data) {
        snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s ", name);
}

static struct vm make(void) {
        struct vm vm = { .event = on_event };

        vm_init(&vm, ACPI_PM_PIIX4, 0);
        *told = '\0';
        return vm;
}

static void suspend(struct vm *vm) {
        vm_take_request(vm, &(struct board_request){ .kind = BOARD_SUSPEND, .mechanism = "acpi-s3", .port = 0x604, .value = 0x2401 }, 0);
}

static void a_vm_that_sleeps_is_neither_stopped_nor_continued(void **state) {
        struct vm vm = make();

        suspend(&vm);
        vm_stop(&vm);
        assert_string_equal(vm_status(&vm), "suspended");
        assert_int_equal(vm_continue(&vm), 0);
        assert_string_equal(vm_status(&vm), "suspended");
        vm_wakeup(&vm);
        assert_string_equal(vm_status(&vm), "running");
        assert_int_equal(vm.n_starts, 1);
        assert_string_equal(told, "SUSPEND WAKEUP ");
}

static void a_vm_that_runs_is_stopped_and_continued_once(void **state) {
        struct vm vm = make();

        for (int i = 0; i < 2; i++)
                vm_stop(&vm);
        assert_string_equal(vm_status(&vm), "paused");
        for (int i = 0; i < 2; i++)
                assert_int_equal(vm_continue(&vm), 0);
        assert_string_equal(vm_status(&vm), "running");
        assert_int_equal(vm.n_starts, 0);
        assert_string_equal(told, "STOP RESUME ");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vm_that_sleeps_is_neither_stopped_nor_continued),
                cmocka_unit_test(a_vm_that_runs_is_stopped_and_continued_once),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
