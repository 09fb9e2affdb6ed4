#include "json/time_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "basics/cleanup.h"

static void assert_text(uint64_t time_ns, const char *text) {
        char written[TIME_TEXT_MAX];
        uint64_t read;

        time_to_text(time_ns, written);
        assert_string_equal(written, text);
        assert_int_equal(time_from_text(text, &read), 0);
        assert_true(read == time_ns);
}

static void every_instant_has_a_text_that_leads_back_to_it(void **state) {
        assert_text(0, "1970-01-01T00:00:00.000000000Z");
        assert_text(UINT64_C(1795403527201934512), "2026-11-23T03:12:07.201934512Z");
        assert_text(UINT64_C(951782400000000001), "2000-02-29T00:00:00.000000001Z");
        assert_text(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
        assert_text(UINT64_MAX, "2554-07-21T23:34:33.709551615Z");
}

static void every_day_is_the_one_that_libc_calls_it(void **state) {
        for (int64_t day = 0; day <= (int64_t)(UINT64_MAX / UINT64_C(86400000000000)); day++) {
                time_t seconds = (time_t)day * 86400;
                char text[TIME_TEXT_MAX];
                struct tm tm;

                gmtime_r(&seconds, &tm);
                assert_int_equal(strftime(text, sizeof(text), "%FT%T.000000000Z", &tm), TIME_TEXT_MAX - 1);
                assert_text((uint64_t)seconds * UINT64_C(1000000000), text);
        }
}

static void assert_read(const char *text, uint64_t time_ns) {
        uint64_t read;

        assert_int_equal(time_from_text(text, &read), 0);
        assert_true(read == time_ns);
}

static void a_fraction_may_be_short_or_missing_and_an_offset_is_taken_off(void **state) {
        assert_read("1970-01-01T00:00:01Z", UINT64_C(1000000000));
        assert_read("1970-01-01T00:00:01.5Z", UINT64_C(1500000000));
        assert_read("1970-01-01T01:00:01+01:00", UINT64_C(1000000000));
        assert_read("1969-12-31T23:30:01-00:30", UINT64_C(1000000000));
}

static void what_is_no_time_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "2026",
                "2026-11-23",
                "2026-11-23T03:12:07",
                "2026-11-23 03:12:07Z",
                "2026-11-23T03:12:07.Z",
                "2026-11-23T03:12:07.1234567890Z",
                "2026-11-23T03:12:07Zz",
                "2026-11-23T03:12:07+1:00",
                "2026-11-23T03:12:07+24:00",
                "2026-04-31T00:00:00Z",
                "2025-02-29T00:00:00Z",
                "2100-02-29T00:00:00Z",
                "2024-02-30T00:00:00Z",
                "2026-01-00T00:00:00Z",
                "2026-12-32T00:00:00Z",
                "2026-99-01T00:00:00Z",
                "2026-01-01T00:60:00Z",
                "0000-01-01T00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:00:60Z",
                "1969-12-31T23:59:59Z",
                "1970-01-01T00:00:00+00:01",
                "2554-07-21T23:34:33.709551616Z",
                "9999-12-31T23:59:59Z",
                "-026-11-23T03:12:07Z",
        };
        uint64_t untouched = 7;

        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                assert_int_equal(time_from_text(texts[i], &untouched), -EINVAL);
                assert_int_equal(untouched, 7);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_instant_has_a_text_that_leads_back_to_it),
                cmocka_unit_test(every_day_is_the_one_that_libc_calls_it),
                cmocka_unit_test(a_fraction_may_be_short_or_missing_and_an_offset_is_taken_off),
                cmocka_unit_test(what_is_no_time_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
