#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "basics/cleanup.h"
#include "sources/host/scheduled_shutdown.h"

static int parse(struct scheduled_shutdown *ret, const char *text) {
        return scheduled_shutdown_parse(ret, text, strlen(text));
}

/* As systemd 252 wrote it for root's `shutdown -r +1`. */
static void it_says_when_how_and_who(void **state) {
        struct scheduled_shutdown found;

        assert_int_equal(parse(&found, "USEC=1795644402216831\nWARN_WALL=1\nMODE=reboot\nUID=0\n"), 0);
        assert_true(found.at_usec == UINT64_C(1795644402216831));
        assert_string_equal(found.mode, "reboot");
        assert_int_equal(found.uid, 0);
}

static void what_it_does_not_say_is_not_known(void **state) {
        struct scheduled_shutdown found;

        assert_int_equal(parse(&found, "USEC=5"), 0);
        assert_true(found.at_usec == 5);
        assert_string_equal(found.mode, "");
        assert_int_equal(found.uid, -1);
        assert_int_equal(parse(&found, "UID=1000\nUSEC=7\nNEW_KEY=of a later version\n"), 0);
        assert_int_equal(found.uid, 1000);
}

static void the_wall_message_is_its_writers_and_says_nothing(void **state) {
        struct scheduled_shutdown found;

        assert_int_equal(parse(&found, "USEC=5\nUID=1000\nMODE=halt\nWALL_MESSAGE=bye\nUID=0\nMODE=reboot\nUSEC=9\n"), 0);
        assert_int_equal(found.uid, 1000);
        assert_string_equal(found.mode, "halt");
        assert_true(found.at_usec == 5);
}

static void what_is_no_such_file_is_refused(void **state) {
        static const char *const texts[] = {
                "", "\n\n", "MODE=reboot\n", "USEC\n", "USEC=\n", "USEC=-1\n", "USEC=12x\n", "USEC=1 \n", "USEC=99999999999999999999999\n",
                " USEC=5\n", "usec=5\n", "USEC=5\nUID=\n", "USEC=5\nUID=-1\n", "USEC=5\nUID=4294967295\n", "USEC=5\nUID=root\n",
                "USEC=5\nMODE=\n", "USEC=5\nMODE=Re boot\n", "USEC=5\nMODE=re\x1b[31mboot\n", "USEC=5\nMODE=abcdefghijklmnopqrstuvwx\n",
        };

        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                struct scheduled_shutdown found = { .uid = 42 };

                if (parse(&found, texts[i]) != -EINVAL)
                        fail_msg("taken: %s", texts[i]);
                assert_int_equal(found.uid, 42);
        }
}

static void it_reads_no_byte_behind_the_end(void **state) {
        struct scheduled_shutdown found;
        static const char text[] = "USEC=12345\nUID=1000\n";

        /* Cut anywhere, it is taken or refused; the sanitizer watches. */
        for (size_t n = 0; n < sizeof(text); n++) {
                cleanup(freep) char *copy = malloc(n ? n : 1);

                memcpy(copy, text, n);
                scheduled_shutdown_parse(&found, copy, n);
        }
        assert_int_equal(scheduled_shutdown_parse(&found, text, 7), 0);
        assert_true(found.at_usec == 12);
        assert_int_equal(scheduled_shutdown_parse(&found, "USEC=5\n\0MODE=halt\n", 18), 0);
        assert_string_equal(found.mode, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_says_when_how_and_who),
                cmocka_unit_test(what_it_does_not_say_is_not_known),
                cmocka_unit_test(the_wall_message_is_its_writers_and_says_nothing),
                cmocka_unit_test(what_is_no_such_file_is_refused),
                cmocka_unit_test(it_reads_no_byte_behind_the_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("scheduled-shutdown", tests, NULL, NULL);
}
