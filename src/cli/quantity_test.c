#include "cli/quantity.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"

static void sizes_are_read(void **state) {
        static const struct {
                const char *text;
                uint64_t bytes;
        } cases[] = {
                { "0", 0 },           { "4096", 4096 },       { "1K", 1024 },          { "500M", UINT64_C(500) << 20 },
                { "1G", 1ULL << 30 }, { "1GiB", 1ULL << 30 }, { "2TB", 2ULL << 40 },   { "7B", 7 },
        };
        static const char *const wrong[] = { "", "G", "-1", "1.5G", "1g", "1X", "1Gi", "1 G", "7iB", "99999999999999999999", "99999999T", "1GG" };
        uint64_t bytes;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_int_equal(size_from_text(cases[i].text, &bytes), 0);
                assert_int_equal(bytes, cases[i].bytes);
        }
        for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
                if (size_from_text(wrong[i], &bytes) != -EINVAL)
                        fail_msg("%s is no size", wrong[i]);
}

static void sizes_are_told(void **state) {
        char text[SIZE_TEXT_MAX];

        size_to_text(0, text);
        assert_string_equal(text, "0 B");
        size_to_text(1023, text);
        assert_string_equal(text, "1023 B");
        size_to_text(1536, text);
        assert_string_equal(text, "1.5 KiB");
        size_to_text(1ULL << 30, text);
        assert_string_equal(text, "1.0 GiB");
        size_to_text(UINT64_MAX, text);
        assert_string_equal(text, "16.0 EiB");
}

static void days_are_whole(void **state) {
        static const char *const wrong[] = { "", "d", "-3", "3h", "1.5", "3 d", "1000001" };
        uint64_t days;

        assert_int_equal(days_from_text("400", &days), 0);
        assert_int_equal(days, 400);
        assert_int_equal(days_from_text("0d", &days), 0);
        assert_int_equal(days, 0);
        for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
                if (days_from_text(wrong[i], &days) != -EINVAL)
                        fail_msg("%s is no number of days", wrong[i]);
}

static void instants_are_times_dates_or_so_long_ago(void **state) {
        const uint64_t second = UINT64_C(1000000000), now = UINT64_C(1795403527) * second;
        static const char *const wrong[] = { "",  "yesterday", "2h ", "h", "2", "-2h", "2026-13-01", "2026-11-23T25:00:00Z", "2026-11-2", "23.11.2026",
                                             "99999999999999999999s" };
        uint64_t when;

        assert_int_equal(when_from_text("2h", now, &when), 0);
        assert_int_equal(when, now - 7200 * second);
        assert_int_equal(when_from_text("1w", now, &when), 0);
        assert_int_equal(when, now - 7 * 86400 * second);
        assert_int_equal(when_from_text("1970-01-02", now, &when), 0);
        assert_int_equal(when, 86400 * second);
        assert_int_equal(when_from_text("1970-01-02T00:00:01+00:00", now, &when), 0);
        assert_int_equal(when, 86401 * second);
        /* So long ago that it is before all time: all of it. */
        assert_int_equal(when_from_text("99999d", now, &when), 0);
        assert_int_equal(when, 1);
        for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
                if (when_from_text(wrong[i], now, &when) != -EINVAL)
                        fail_msg("%s is no instant", wrong[i]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_are_read),
                cmocka_unit_test(sizes_are_told),
                cmocka_unit_test(days_are_whole),
                cmocka_unit_test(instants_are_times_dates_or_so_long_ago),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
