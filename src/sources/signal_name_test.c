#include "sources/signal_name.h"

#include <signal.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_signal_has_the_name_that_people_use(void **state) {
        char name[SIGNAL_NAME_MAX];

        signal_name(SIGTERM, name);
        assert_string_equal(name, "SIGTERM");
        signal_name(SIGKILL, name);
        assert_string_equal(name, "SIGKILL");
        signal_name(SIGRTMIN, name);
        assert_string_equal(name, "SIGRTMIN");
        signal_name(SIGRTMIN + 3, name);
        assert_string_equal(name, "SIGRTMIN+3");
}

static void a_number_that_is_no_signal_is_named_as_that(void **state) {
        static const int numbers[] = { 0, -1, 4711, INT32_MAX, INT32_MIN };
        char name[SIGNAL_NAME_MAX];

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                signal_name(numbers[i], name);
                assert_memory_equal(name, "signal ", 7);
        }
        signal_name(4711, name);
        assert_string_equal(name, "signal 4711");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_signal_has_the_name_that_people_use),
                cmocka_unit_test(a_number_that_is_no_signal_is_named_as_that),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
