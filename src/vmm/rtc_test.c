/* A clock that is read, set, and woken by, at times of our choosing. */
#include "vmm/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define NOW    (UINT64_C(1795664777) * SECOND) /* 2026-11-26 03:46:17, a Thursday */

enum { PERIODIC = 0x40, ALARM = 0x20, UPDATED = 0x10, SET = 0x80, BINARY = 4, HOURS_24 = 2 };

static uint8_t get(struct rtc *rtc, uint8_t index, uint64_t time_ns) {
        rtc_write(rtc, 0, index, time_ns);
        return rtc_read(rtc, 1, time_ns);
}

static void set(struct rtc *rtc, uint8_t index, uint8_t value, uint64_t time_ns) {
        rtc_write(rtc, 0, index, time_ns);
        rtc_write(rtc, 1, value, time_ns);
}

static void assert_shows(struct rtc *rtc, uint64_t time_ns, const uint8_t *wanted) {
        static const uint8_t indices[] = { 0x32, 9, 8, 7, 6, 4, 2, 0 };

        for (size_t i = 0; i < sizeof(indices); i++)
                assert_int_equal(get(rtc, indices[i], time_ns), wanted[i]);
}

static void it_shows_the_time_in_each_of_its_words(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        assert_int_equal(get(&rtc, 13, NOW), 0x80);
        assert_shows(&rtc, NOW, (uint8_t[]){ 0x20, 0x26, 0x11, 0x26, 5, 0x03, 0x46, 0x17 });
        set(&rtc, 11, BINARY | HOURS_24, NOW);
        assert_shows(&rtc, NOW, (uint8_t[]){ 20, 26, 11, 26, 5, 3, 46, 17 });
        set(&rtc, 11, 0, NOW);
        assert_shows(&rtc, NOW + 12 * 3600 * SECOND, (uint8_t[]){ 0x20, 0x26, 0x11, 0x26, 5, 0x83, 0x46, 0x17 });
        assert_int_equal(get(&rtc, 4, NOW - 3 * 3600 * SECOND), 0x12);        /* a quarter to one in the night */
        assert_int_equal(get(&rtc, 4, NOW + 9 * 3600 * SECOND), 0x92); /* and at noon */
        assert_int_equal(rtc_read(&rtc, 0, NOW), 0xff);
}

/* The C library's calendar is the other opinion. */
static void its_days_are_everybody_s(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        set(&rtc, 11, BINARY | HOURS_24, NOW);
        for (int64_t day = 0; day < 366 * 150; day += 1 + day % 3) {
                const time_t second = (time_t)(day * 86400 + day % 86400);
                struct tm tm;

                gmtime_r(&second, &tm);
                assert_shows(&rtc, (uint64_t)second * SECOND,
                             (uint8_t[]){ (uint8_t)((tm.tm_year + 1900) / 100), (uint8_t)(tm.tm_year % 100), (uint8_t)(tm.tm_mon + 1), (uint8_t)tm.tm_mday,
                                          (uint8_t)(tm.tm_wday + 1), (uint8_t)tm.tm_hour, (uint8_t)tm.tm_min, (uint8_t)tm.tm_sec });
        }
}

static void it_goes_on_from_where_it_was_set(void **state) {
        static const uint8_t then[][2] = { { 0x32, 0x19 }, { 9, 0x99 }, { 8, 0x12 }, { 7, 0x31 }, { 4, 0x23 }, { 2, 0x59 }, { 0, 0x58 } };
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        set(&rtc, 11, SET | HOURS_24, NOW);
        assert_int_equal(get(&rtc, 0, NOW + 5 * SECOND), 0x17); /* it stands still */
        for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++)
                set(&rtc, then[i][0], then[i][1], NOW + 5 * SECOND);
        set(&rtc, 11, HOURS_24, NOW + 6 * SECOND);
        assert_shows(&rtc, NOW + 6 * SECOND, (uint8_t[]){ 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58 });
        assert_shows(&rtc, NOW + 8 * SECOND, (uint8_t[]){ 0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00 });
        /* While it runs, too. */
        set(&rtc, 9, 0x30, NOW + 8 * SECOND);
        assert_shows(&rtc, NOW + 9 * SECOND, (uint8_t[]){ 0x20, 0x30, 0x01, 0x01, 3, 0x00, 0x00, 0x01 });
}

static void set_alarm(struct rtc *rtc, uint8_t hours, uint8_t minutes, uint8_t seconds) {
        set(rtc, 5, hours, NOW);
        set(rtc, 3, minutes, NOW);
        set(rtc, 1, seconds, NOW);
        set(rtc, 11, ALARM | HOURS_24, NOW);
}

static void an_alarm_goes_off_when_it_says(void **state) {
        static const struct {
                uint8_t hours, minutes, seconds;
                int64_t after; /* -1: never */
        } cases[] = {
                { 0x03, 0x46, 0x20, 3 },
                { 0x03, 0x47, 0x00, 43 },
                { 0x03, 0x46, 0x17, 86400 }, /* this second has begun */
                { 0x03, 0x46, 0x16, 86399 },
                { 0x02, 0x00, 0x00, 80023 },
                { 0xff, 0x00, 0x00, 823 },
                { 0xff, 0xff, 0x10, 53 },
                { 0xff, 0xff, 0xff, 1 },
                { 0xc0, 0xff, 0xff, 1 },
                { 0x24, 0x00, 0x00, -1 },
                { 0xff, 0x60, 0xff, -1 },
                { 0xff, 0xff, 0x60, -1 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rtc rtc;
                uint64_t at = NOW + (uint64_t)cases[i].after * SECOND;

                rtc_init(&rtc, NOW);
                set_alarm(&rtc, cases[i].hours, cases[i].minutes, cases[i].seconds);
                if (cases[i].after < 0) {
                        assert_int_equal(rtc_next_ns(&rtc), UINT64_MAX);
                        assert_false(rtc_advance(&rtc, NOW + 3 * 86400 * SECOND));
                        continue;
                }
                assert_int_equal(rtc_next_ns(&rtc), at);
                assert_false(rtc_advance(&rtc, at - 1));
                assert_false(rtc_interrupt(&rtc));
                assert_true(rtc_advance(&rtc, at));
                assert_true(rtc_interrupt(&rtc));
                assert_int_equal(get(&rtc, 12, at) & ~PERIODIC, 0x80 | ALARM | UPDATED);
                assert_false(rtc_interrupt(&rtc));
                assert_int_equal(get(&rtc, 12, at), 0);
        }
}

static void an_alarm_is_in_the_clock_s_own_words(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        set(&rtc, 5, 0x83, NOW); /* 3 in the afternoon */
        set(&rtc, 3, 0x46, NOW);
        set(&rtc, 1, 0x17, NOW);
        set(&rtc, 11, ALARM, NOW);
        assert_int_equal(rtc_next_ns(&rtc), NOW + 12 * 3600 * SECOND);
}

static void an_alarm_that_nobody_wants_is_only_kept(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        set_alarm(&rtc, 0xff, 0xff, 0x20);
        set(&rtc, 11, HOURS_24, NOW);
        assert_int_equal(rtc_next_ns(&rtc), UINT64_MAX);
        assert_false(rtc_advance(&rtc, NOW + 10 * SECOND));
        assert_false(rtc_interrupt(&rtc));
        set(&rtc, 11, ALARM | HOURS_24, NOW + 10 * SECOND); /* who enables what is pending hears of it */
        assert_true(rtc_interrupt(&rtc));
}

static void each_second_and_each_period_interrupt_who_wants_them(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW + 100);
        set(&rtc, 11, UPDATED | HOURS_24, NOW + 100);
        assert_int_equal(rtc_next_ns(&rtc), NOW + SECOND);
        rtc_advance(&rtc, NOW + SECOND);
        assert_true(rtc_interrupt(&rtc));
        assert_int_equal(rtc_next_ns(&rtc), UINT64_MAX); /* it has not heard of that one */
        get(&rtc, 12, NOW + SECOND);
        assert_int_equal(rtc_next_ns(&rtc), NOW + 2 * SECOND);
        rtc_reset(&rtc);
        assert_int_equal(rtc_next_ns(&rtc), UINT64_MAX);

        rtc_init(&rtc, NOW);
        set(&rtc, 11, PERIODIC | HOURS_24, NOW);
        assert_int_equal(rtc_next_ns(&rtc), NOW + SECOND / 1024);
        set(&rtc, 10, 0x2f, NOW);
        assert_int_equal(rtc_next_ns(&rtc), NOW + SECOND / 2);
        assert_false(rtc_interrupt(&rtc));
        rtc_advance(&rtc, NOW + 5 * SECOND);
        assert_true(rtc_interrupt(&rtc));
        get(&rtc, 12, NOW + 5 * SECOND);
        assert_int_equal(rtc_next_ns(&rtc), NOW + 5 * SECOND + SECOND / 2);
        rtc_init(&rtc, NOW);
        set(&rtc, 11, PERIODIC | HOURS_24, NOW);
        set(&rtc, 10, 0x22, NOW); /* the two that are as two others: table 5 */
        assert_int_equal(rtc_next_ns(&rtc), NOW + SECOND / 128);
        set(&rtc, 10, 0x20, NOW);
        assert_int_equal(rtc_next_ns(&rtc), UINT64_MAX);
}

static void the_host_s_clock_may_be_set_back(void **state) {
        struct rtc rtc;

        rtc_init(&rtc, NOW);
        set_alarm(&rtc, 0xff, 0xff, 0x20);
        assert_true(rtc_advance(&rtc, NOW + 3 * SECOND));
        assert_false(rtc_advance(&rtc, NOW - 3600 * SECOND));
        assert_false(rtc_advance(&rtc, NOW + 3 * SECOND));
        assert_true(rtc_advance(&rtc, NOW + 63 * SECOND));
}

/* Nothing that a guest writes makes it loop, overflow, or wait for the past. */
static void any_bytes_are_a_time(void **state) {
        struct rtc rtc;
        uint64_t now = NOW;

        srand(1);
        rtc_init(&rtc, now);
        for (int i = 0; i < 200000; i++) {
                set(&rtc, (uint8_t)(rand() % 3 ? rand() % 14 : rand()), (uint8_t)rand(), now);
                get(&rtc, (uint8_t)rand(), now);
                now += (uint64_t)rand() * (uint64_t)(rand() % 100);
                rtc_advance(&rtc, now);
                assert_true(rtc_next_ns(&rtc) == UINT64_MAX || rtc_next_ns(&rtc) > now - 2 * SECOND);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_shows_the_time_in_each_of_its_words),
                cmocka_unit_test(its_days_are_everybody_s),
                cmocka_unit_test(it_goes_on_from_where_it_was_set),
                cmocka_unit_test(an_alarm_goes_off_when_it_says),
                cmocka_unit_test(an_alarm_is_in_the_clock_s_own_words),
                cmocka_unit_test(an_alarm_that_nobody_wants_is_only_kept),
                cmocka_unit_test(each_second_and_each_period_interrupt_who_wants_them),
                cmocka_unit_test(the_host_s_clock_may_be_set_back),
                cmocka_unit_test(any_bytes_are_a_time),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
