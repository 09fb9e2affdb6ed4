/* What the kernel announces of CPUs, and of others. */
#include "sources/trace/cpu_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A copy of just this length, so that a sanitizer sees who reads beyond it. */
static int parse(const char *text, size_t n) {
        char *message = malloc(n + 1);
        int cpu;

        memcpy(message, text, n);
        message = realloc(message, n ? n : 1);
        cpu = cpu_changes_parse(message, n);
        free(message);
        return cpu;
}

static void a_cpu_that_comes_or_goes_is_told(void **state) {
        static const char come[] = "online@/devices/system/cpu/cpu12\0ACTION=online", gone[] = "offline@/devices/system/cpu/cpu0";

        assert_int_equal(parse(come, sizeof(come)), 12);
        assert_int_equal(parse(gone, sizeof(gone)), 0);
}

static void what_else_is_announced_is_none(void **state) {
        static const char *const texts[] = {
                "", "o", "on", "off", "online@/devices/system/memory/memory4", "add@/devices/system/cpu/cpu1", "online@/devices/system/cpu/cpu",
                "online@/devices/system/cpu/cpu1/x", "online@/devices/system/cpu/cpu-1", "online@/devices/system/cpu/cpu99999999999", "onoffline@",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(parse(texts[i], strlen(texts[i]) + 1), CPU_CHANGES_NONE);
}

static void a_cut_message_is_none(void **state) {
        static const char text[] = "offline@/devices/system/cpu/cpu1";

        for (size_t n = 0; n < sizeof(text); n++)
                assert_int_equal(parse(text, n), CPU_CHANGES_NONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_cpu_that_comes_or_goes_is_told),
                cmocka_unit_test(what_else_is_announced_is_none),
                cmocka_unit_test(a_cut_message_is_none),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("cpu_changes", tests, NULL, NULL);
}
