#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/tally.h"

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
        HEARD_MAX = 4096,
};

/* What a tally let through, at once or later. */
struct listener {
        struct tally tally;
        struct evidence heard[HEARD_MAX];
        size_t n_heard;
        uint64_t seq;
};

static struct listener *new_listener(void) {
        struct listener *listener = test_calloc(1, sizeof(*listener));

        assert_non_null(listener);
        return listener;
}

static void free_listener(struct listener **listener) {
        tally_deinit(&(*listener)->tally);
        for (size_t i = 0; i < (*listener)->n_heard; i++)
                evidence_deinit(&(*listener)->heard[i]);
        test_free(*listener);
}

static void hear(struct evidence *evidence, void *userdata) {
        struct listener *listener = userdata;

        assert_true(listener->n_heard < HEARD_MAX);
        listener->heard[listener->n_heard++] = *evidence;
}

static struct evidence make(enum evidence_kind kind, uint64_t at_ns, const char *word) {
        struct evidence e = evidence_make(SOURCE_QMP, kind);

        e.at_ns = at_ns;
        evidence_set_word(&e, word);
        return e;
}

/* As a caller does: true if it passed. */
static bool offer_fact(struct listener *listener, struct evidence e) {
        int r;

        e.seq = ++listener->seq;
        if (tally_is_overtaken(&listener->tally, &e))
                tally_let_out(&listener->tally, e.at_ns, true, hear, listener);
        r = tally_offer(&listener->tally, &e);
        assert_true(r >= 0);
        if (r == TALLY_HELD)
                return false;
        hear(&e, listener);
        return true;
}

static bool offer(struct listener *listener, enum evidence_kind kind, uint64_t at_ns, const char *word) {
        return offer_fact(listener, make(kind, at_ns, word));
}

static bool reset(struct listener *listener, uint64_t at_ns) {
        return offer(listener, EVIDENCE_RESET, at_ns, "guest-reset");
}

static void resets_within_half_a_second_are_one_firmware_start(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        static const struct {
                uint64_t at_ns;
                const char *reason;
                int64_t start;
        } cases[] = {
                { 5 * SECOND, "guest-reset", 1 },
                { 5 * SECOND + 50 * MS, "guest-reset", 1 },
                { 5 * SECOND + 499 * MS, "guest-reset", 1 },
                { 5 * SECOND + 500 * MS, "guest-reset", 2 },
                { 15 * SECOND, "guest-reset", 3 },
                { 25 * SECOND, "guest-reset", 1 },           /* ten seconds of quiet */
                { 30 * SECOND, "host-qmp-system-reset", 1 }, /* somebody else's */
                { 30 * SECOND + 55 * MS, "guest-reset", 1 }, /* the firmware's own */
                { 32 * SECOND, "guest-reset", 1 },
                { 33 * SECOND, "guest-reset", 2 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct evidence e = make(EVIDENCE_RESET, cases[i].at_ns, cases[i].reason);

                tally_offer(&l->tally, &e);
                assert_int_equal(e.number, cases[i].start);
        }
}

static void a_reset_that_is_heard_late_belongs_to_the_firmware_start_that_is(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        reset(l, 5 * SECOND);
        reset(l, 6 * SECOND);
        reset(l, 4 * SECOND);
        assert_int_equal(l->heard[2].number, 2);
        reset(l, 6 * SECOND + 10 * MS);
        assert_int_equal(l->heard[3].number, 2);
}

static void a_loop_of_resets_goes_on_where_somebody_else_has_left_it(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        struct evidence facts[] = { make(EVIDENCE_RESET, SECOND, "guest-reset"), make(EVIDENCE_RESET, 3 * SECOND, "guest-reset"),
                                    make(EVIDENCE_RESET, 3 * SECOND + 400 * MS, "guest-reset"), make(EVIDENCE_STATUS, 4 * SECOND, "running") };

        facts[0].number = 1;
        facts[1].number = facts[2].number = 2;
        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
                tally_take_up(&l->tally, &facts[i]);
        /* The firmware start that was begun, and the next one. */
        assert_true(reset(l, 3 * SECOND + 450 * MS));
        assert_int_equal(l->heard[0].number, 2);
        assert_true(reset(l, 3 * SECOND + 600 * MS));
        assert_int_equal(l->heard[1].number, 3);
        assert_true(reset(l, 20 * SECOND));
        assert_int_equal(l->heard[2].number, 1);
}

/* One fact after the other, and the number of each reset; `start` 0: it is no reset.  The host's are those that say so. */
struct told_reset {
        uint64_t at_ns;
        enum evidence_kind kind;
        const char *word;
        int64_t start;
};

static void tell_all(struct listener *l, const struct told_reset *facts) {
        for (; facts->at_ns; facts++) {
                struct evidence e = make(facts->kind, facts->at_ns, facts->word);

                e.flag = !strcmp(facts->word, "host-qmp-system-reset") ? TRISTATE_FALSE : TRISTATE_TRUE;
                assert_int_equal(tally_offer(&l->tally, &e), 0);
                if (facts->start && e.number != facts->start)
                        fail_msg("%s at %d ms is %d", facts->word, (int)(e.at_ns / MS), (int)e.number);
        }
}

static void a_loop_is_of_one_reason_and_of_one_way(void **state) {
#define RESETS(at_ms, start) { (at_ms) * MS, EVIDENCE_RESET, "guest-reset", start }
#define IS_RESET(at_ms, start) { (at_ms) * MS, EVIDENCE_RESET, "host-qmp-system-reset", start }
#define WRITES(at_ms, port) { (at_ms) * MS, EVIDENCE_PORT_WRITE, port, 0 }
#define DOES(at_ms, kind) { (at_ms) * MS, EVIDENCE_##kind, "", 0 }
#define BARKS(at_ms, action) { (at_ms) * MS, EVIDENCE_WATCHDOG, action, 0 }
        static const struct told_reset worlds[][10] = {
                /* What changes the VM otherwise ends a loop, and the next one begins there. */
                { RESETS(5000, 1), DOES(6000, SUSPEND), DOES(6500, WAKEUP), RESETS(7000, 1), RESETS(9000, 2) },
                /* The host's is of no firmware start but its own, however soon. */
                { RESETS(5000, 1), RESETS(6000, 2), IS_RESET(6200, 1), RESETS(6250, 1), RESETS(7000, 1), RESETS(8000, 2) },
                /* A button that was pressed long before is not what it answers; a crash kernel's reset is. */
                { DOES(5000, POWERDOWN), RESETS(700000, 1), RESETS(702000, 2) },
                { RESETS(5000, 1), DOES(6000, GUEST_CRASHLOADED), RESETS(7000, 1), RESETS(9000, 1) },
                /* The watchdog's: said once a second at most, and for two seconds; and only where it resets. */
                { BARKS(4999, "reset"), RESETS(5000, 1), RESETS(5700, 2), RESETS(7000, 1) },
                { RESETS(5000, 1), BARKS(5600, "reset"), RESETS(8000, 2) },
                { RESETS(5000, 1), BARKS(5999, "none"), RESETS(6000, 2) },
                /* A way that led to nothing is not that of a reset long after, nor the first of those that did. */
                { WRITES(3500, "0xcf9"), RESETS(5000, 1), WRITES(6999, "0x64"), RESETS(7000, 2) },
                { WRITES(3000, "0x64"), WRITES(4999, "0xcf9"), RESETS(5000, 1), WRITES(6999, "0x64"), RESETS(7000, 1) },
                /* Of several that a reboot tries the first is its way. */
                { WRITES(4998, "0x64"), WRITES(4999, "0xcf9"), RESETS(5000, 1), WRITES(6999, "0x64"), RESETS(7000, 2) },
                /* The way of the reset before is not this one's, however soon it comes; nor is that of the loop before. */
                { WRITES(4999, "0xcf9"), RESETS(5000, 1), WRITES(5599, "0x64"), RESETS(5600, 1) },
                { WRITES(4999, "0xcf9"), RESETS(5000, 1), RESETS(30000, 1), WRITES(31999, "0x64"), RESETS(32000, 2) },
        };

        for (size_t i = 0; i < N_ELEMENTS(worlds); i++) {
                cleanup(free_listener) struct listener *l = new_listener();

                tell_all(l, worlds[i]);
        }
}

/* What it does there, nobody knows. */
static void a_write_on_a_machine_that_is_not_known_is_no_way(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        offer(l, EVIDENCE_PORT_WRITE, 5 * SECOND - MS, "0x64");
        reset(l, 5 * SECOND);
        offer(l, EVIDENCE_PORT_WRITE, 7 * SECOND - MS, "0xcf9");
        reset(l, 7 * SECOND);
        assert_int_equal(l->heard[3].number, 2);
}

static void what_was_seen_of_a_loop_goes_on_with_it(void **state) {
        static const struct told_reset goes_on[] = { WRITES(5599, "0x64"), RESETS(5600, 1), { 0 } };
        cleanup(free_listener) struct listener *l = new_listener(), *other = new_listener();
        struct evidence way = make(EVIDENCE_PORT_WRITE, 4999 * MS, "0xcf9"), first = make(EVIDENCE_RESET, 5 * SECOND, "guest-reset");

        way.flag = TRISTATE_TRUE;
        first.number = 1;
        tally_take_up(&l->tally, &way);
        tally_take_up(&l->tally, &first);
        tell_all(l, goes_on);
        /* Each that was the first of its loop is: the last of them goes on. */
        tally_take_up(&other->tally, &first);
        first.at_ns = 30 * SECOND;
        tally_take_up(&other->tally, &first);
        assert_true(reset(other, 35 * SECOND));
        assert_int_equal(other->heard[0].number, 2);
}

static void the_instant_zero_is_an_instant(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        reset(l, 0);
        reset(l, 10 * MS);
        assert_int_equal(l->heard[0].number, 1);
        assert_int_equal(l->heard[1].number, 1);
        reset(l, SECOND);
        assert_int_equal(l->heard[2].number, 2);
}

static void the_first_eight_pass_and_the_last_eight_come_later_with_a_number(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        uint64_t deadline;

        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(reset(l, SECOND + i * 45 * MS), i < TALLY_KEEP);
        assert_int_equal(l->n_heard, TALLY_KEEP);

        deadline = SECOND + TALLY_KEEP * 45 * MS + TALLY_QUIET_NS;
        assert_int_equal(tally_next_deadline(&l->tally), deadline);
        tally_let_out(&l->tally, deadline - 1, false, hear, l);
        assert_int_equal(l->n_heard, TALLY_KEEP);
        tally_let_out(&l->tally, deadline, false, hear, l);
        assert_int_equal(l->n_heard, 2 * TALLY_KEEP + 1);

        assert_int_equal(l->heard[TALLY_KEEP].kind, EVIDENCE_OMITTED);
        assert_int_equal(l->heard[TALLY_KEEP].number, 100 - 2 * TALLY_KEEP);
        assert_string_equal(l->heard[TALLY_KEEP].word, "reset");
        for (unsigned i = 0; i < TALLY_KEEP; i++)
                assert_int_equal(l->heard[TALLY_KEEP + 1 + i].at_ns, SECOND + (100 - TALLY_KEEP + i) * 45 * MS);
        assert_int_equal(tally_next_deadline(&l->tally), UINT64_MAX);
}

/* A reset by the host; one that vmpower was asked for is one that somebody waits for. */
static bool reset_by_host(struct listener *listener, uint64_t at_ns) {
        struct evidence e = make(EVIDENCE_RESET, at_ns, "host-qmp-system-reset");

        e.flag = TRISTATE_FALSE;
        if (tally_is_overtaken(&listener->tally, &e))
                tally_let_out(&listener->tally, at_ns, true, hear, listener);
        if (tally_offer(&listener->tally, &e) == TALLY_HELD)
                return false;
        assert_int_equal(e.number, 1);
        hear(&e, listener);
        return true;
}

static void a_reset_that_was_asked_for_passes_however_many_there_are(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < 100; i++) {
                offer(l, EVIDENCE_REQUEST, SECOND + i * 100 * MS, "system_reset");
                assert_true(reset_by_host(l, SECOND + i * 100 * MS + MS));
        }
        /* What was refused is no more asked for; what nobody asked for is held as a burst is. */
        offer(l, EVIDENCE_REQUEST, 12 * SECOND, "system_reset");
        offer(l, EVIDENCE_REFUSED, 12 * SECOND + MS, "system_reset");
        for (unsigned i = 0; i < 20; i++)
                assert_int_equal(reset_by_host(l, 12 * SECOND + 2 * MS + i * 10 * MS), i < TALLY_KEEP);
        /* And is told before the next that was; a guest's own is not what was asked for. */
        offer(l, EVIDENCE_REQUEST, 13 * SECOND, "system_reset");
        assert_false(reset(l, 13 * SECOND));
        assert_true(reset_by_host(l, 13 * SECOND + MS));
        assert_int_equal(l->heard[l->n_heard - 1].at_ns, 13 * SECOND + MS);
        assert_int_equal(l->heard[l->n_heard - 2].at_ns, 13 * SECOND);
        assert_int_equal(l->heard[l->n_heard - 3].at_ns, 12 * SECOND + 192 * MS);
}

static void no_other_request_and_no_refusal_of_anothers_lets_a_reset_pass(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        offer(l, EVIDENCE_REFUSED, SECOND - MS, "system_reset");
        for (unsigned i = 0; i < 20; i++) {
                offer(l, EVIDENCE_REQUEST, SECOND + i * 10 * MS, "stop");
                assert_int_equal(reset_by_host(l, SECOND + i * 10 * MS + MS), i < TALLY_KEEP);
        }
}

/* As many as are asked for pass beyond the bound, and no more. */
static void what_comes_of_a_request_passes_once(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < TALLY_KEEP / 2; i++)
                assert_true(offer(l, EVIDENCE_STOP, SECOND + i, ""));
        for (unsigned i = 0; i < TALLY_KEEP / 2; i++)
                offer(l, EVIDENCE_REQUEST, SECOND + 10 + i, "stop");
        for (unsigned i = 0; i < TALLY_KEEP; i++)
                assert_int_equal(offer(l, EVIDENCE_STOP, SECOND + 20 + i, ""), i < TALLY_KEEP / 2);
        offer(l, EVIDENCE_REQUEST, SECOND + 40, "stop");
        assert_true(offer(l, EVIDENCE_STOP, SECOND + 41, ""));
        assert_false(offer(l, EVIDENCE_STOP, SECOND + 42, ""));
}

static void nothing_is_omitted_where_the_ring_holds_all(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < 2 * TALLY_KEEP; i++)
                reset(l, SECOND + i * MS);
        tally_let_out(&l->tally, 0, true, hear, l);
        assert_int_equal(l->n_heard, 2 * TALLY_KEEP);
        for (unsigned i = 0; i < 2 * TALLY_KEEP; i++)
                assert_int_equal(l->heard[i].at_ns, SECOND + i * MS);
}

static void each_hold_is_twice_as_long_as_the_last(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        uint64_t hold = TALLY_QUIET_NS, now = SECOND;

        for (unsigned i = 0; i < TALLY_KEEP; i++)
                reset(l, now);
        for (unsigned i = 0; i < 10; i++) {
                uint64_t deadline;

                assert_false(reset(l, now));
                deadline = tally_next_deadline(&l->tally);
                assert_int_equal(deadline, now + hold);
                /* The burst goes on all the time. */
                for (; now + 4 * SECOND < deadline; now += 4 * SECOND)
                        assert_false(reset(l, now));
                now = deadline;
                tally_let_out(&l->tally, now, false, hear, l);
                hold = hold * 2 < TALLY_HOLD_MAX_NS ? hold * 2 : TALLY_HOLD_MAX_NS;
        }
        assert_int_equal(hold, TALLY_HOLD_MAX_NS);
}

static void after_ten_quiet_seconds_all_is_as_before(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < TALLY_KEEP; i++)
                reset(l, SECOND);
        assert_false(reset(l, SECOND + TALLY_QUIET_NS - 1));
        tally_let_out(&l->tally, 0, true, hear, l);
        assert_true(reset(l, SECOND + 2 * TALLY_QUIET_NS));
        assert_true(reset(l, SECOND + 2 * TALLY_QUIET_NS));
}

static void a_fact_that_happened_earlier_is_no_quiet_time(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < TALLY_KEEP; i++)
                reset(l, 100 * SECOND);
        assert_false(reset(l, 99 * SECOND));
        assert_false(reset(l, 100 * SECOND));
}

static void a_tally_at_rest_owns_nothing(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < 100; i++)
                offer(l, EVIDENCE_LINE, SECOND + i * MS, "");
        offer(l, EVIDENCE_STATUS, 2 * SECOND, "running");
        assert_non_null(l->tally.bursts);
        tally_let_out(&l->tally, 20 * SECOND, false, hear, l);
        offer(l, EVIDENCE_SHUTDOWN, 30 * SECOND, "guest-shutdown");
        assert_null(l->tally.bursts);
}

static void what_cannot_burst_always_passes(void **state) {
        static const enum evidence_kind kinds[] = {
                EVIDENCE_SHUTDOWN, EVIDENCE_SUSPEND_DISK, EVIDENCE_EXITED, EVIDENCE_KILLED, EVIDENCE_VANISHED,
                EVIDENCE_REGISTERS, EVIDENCE_SIGNAL, EVIDENCE_OOM_KILL, EVIDENCE_GOING_DOWN, EVIDENCE_STAYS_UP, EVIDENCE_GAP,
                EVIDENCE_MONITOR_OPENED, EVIDENCE_MONITOR_CLOSED,
        };
        cleanup(free_listener) struct listener *l = new_listener();

        for (size_t k = 0; k < N_ELEMENTS(kinds); k++)
                for (unsigned i = 0; i < 30; i++)
                        assert_true(offer(l, kinds[k], SECOND + i, ""));
        assert_int_equal(tally_next_deadline(&l->tally), UINT64_MAX);
}

static void what_a_guest_only_tries_it_may_try_for_ever(void **state) {
        static const enum evidence_kind kinds[] = { EVIDENCE_SHUTDOWN, EVIDENCE_SUSPEND_DISK };

        for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
                cleanup(free_listener) struct listener *l = new_listener();
                struct evidence tried = make(kinds[k], SECOND, "");

                tried.source = SOURCE_TRACE;
                for (unsigned i = 0; i < 30; i++, tried.at_ns++)
                        assert_int_equal(offer_fact(l, tried), i < TALLY_KEEP);
                /* What came of it does not wait. */
                assert_true(offer(l, EVIDENCE_EXITED, tried.at_ns, ""));
                assert_int_equal(l->n_heard, 2 * TALLY_KEEP + 2);
        }
}

static void kinds_burst_each_for_itself(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < 20; i++)
                reset(l, SECOND + i);
        assert_true(offer(l, EVIDENCE_LINE, SECOND + 30, ""));
        assert_true(offer(l, EVIDENCE_POWERDOWN, SECOND + 30, ""));
}

static void what_is_held_goes_out_together_in_the_order_in_which_it_happened(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        size_t n_passed;
        uint64_t last = 0;

        for (unsigned i = 0; i < 50; i++) {
                offer(l, EVIDENCE_SUSPEND, SECOND + i * 100 * MS, "");
                offer(l, EVIDENCE_WAKEUP, SECOND + i * 100 * MS + 50 * MS, "");
        }
        n_passed = l->n_heard;
        assert_int_equal(n_passed, 2 * TALLY_KEEP);
        tally_let_out(&l->tally, tally_next_deadline(&l->tally), false, hear, l);
        assert_int_equal(l->n_heard, n_passed + 2 * (TALLY_KEEP + 1));
        assert_int_equal(tally_next_deadline(&l->tally), UINT64_MAX);
        for (size_t i = n_passed; i < l->n_heard; i++) {
                assert_true(l->heard[i].at_ns >= last);
                last = l->heard[i].at_ns;
        }
}

static void a_change_that_passes_overtakes_what_is_held(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();

        for (unsigned i = 0; i < 20; i++)
                reset(l, SECOND + i * 600 * MS);
        assert_int_equal(l->n_heard, TALLY_KEEP);
        offer(l, EVIDENCE_SHUTDOWN, 20 * SECOND, "guest-shutdown");
        assert_int_equal(l->heard[l->n_heard - 1].kind, EVIDENCE_SHUTDOWN);
        assert_int_equal(l->heard[l->n_heard - 2].at_ns, SECOND + 19 * 600 * MS);
        assert_int_equal(l->heard[l->n_heard - 2].number, 20);
        assert_int_equal(tally_next_deadline(&l->tally), UINT64_MAX);
}

static void what_changes_nothing_or_is_held_itself_overtakes_nothing(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        struct evidence line = make(EVIDENCE_LINE, 2 * SECOND, ""), again = make(EVIDENCE_RESET, 2 * SECOND, "guest-reset");
        struct evidence end = make(EVIDENCE_EXITED, 2 * SECOND, "");

        assert_false(tally_is_overtaken(&l->tally, &end));
        for (unsigned i = 0; i < 20; i++)
                reset(l, SECOND + i);
        assert_false(tally_is_overtaken(&l->tally, &line));
        assert_false(tally_is_overtaken(&l->tally, &again));
        assert_true(tally_is_overtaken(&l->tally, &end));
}

static void the_number_of_facts_is_kept_whatever_is_left_out(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        uint64_t n = 0;

        for (unsigned i = 0; i < 100000; i++) {
                uint64_t at_ns = SECOND + i * 45 * MS;

                if (tally_next_deadline(&l->tally) <= at_ns)
                        tally_let_out(&l->tally, at_ns, false, hear, l);
                reset(l, at_ns);
        }
        tally_let_out(&l->tally, 0, true, hear, l);
        assert_true(l->n_heard < 200);
        for (size_t i = 0; i < l->n_heard; i++)
                n += l->heard[i].kind == EVIDENCE_OMITTED ? (uint64_t)l->heard[i].number : 1;
        assert_int_equal(n, 100000);
}

static void a_tally_gives_back_the_actors_that_it_holds(void **state) {
        cleanup(free_listener) struct listener *l = new_listener();
        struct actor anna = { .pid = 1, .comm = "anna" };

        for (unsigned i = 0; i < 40; i++) {
                struct evidence e = make(EVIDENCE_REQUEST, SECOND + i, "stop");

                assert_int_equal(evidence_set_actor(&e, &anna), 0);
                if (tally_offer(&l->tally, &e) == 0)
                        hear(&e, l);
        }
        /* The sanitizer looks whether all of them are. */
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(resets_within_half_a_second_are_one_firmware_start),
                cmocka_unit_test(a_reset_that_is_heard_late_belongs_to_the_firmware_start_that_is),
                cmocka_unit_test(a_loop_of_resets_goes_on_where_somebody_else_has_left_it),
                cmocka_unit_test(a_loop_is_of_one_reason_and_of_one_way),
                cmocka_unit_test(a_write_on_a_machine_that_is_not_known_is_no_way),
                cmocka_unit_test(what_was_seen_of_a_loop_goes_on_with_it),
                cmocka_unit_test(the_instant_zero_is_an_instant),
                cmocka_unit_test(the_first_eight_pass_and_the_last_eight_come_later_with_a_number),
                cmocka_unit_test(a_reset_that_was_asked_for_passes_however_many_there_are),
                cmocka_unit_test(no_other_request_and_no_refusal_of_anothers_lets_a_reset_pass),
                cmocka_unit_test(what_comes_of_a_request_passes_once),
                cmocka_unit_test(nothing_is_omitted_where_the_ring_holds_all),
                cmocka_unit_test(each_hold_is_twice_as_long_as_the_last),
                cmocka_unit_test(after_ten_quiet_seconds_all_is_as_before),
                cmocka_unit_test(a_fact_that_happened_earlier_is_no_quiet_time),
                cmocka_unit_test(a_tally_at_rest_owns_nothing),
                cmocka_unit_test(what_cannot_burst_always_passes),
                cmocka_unit_test(what_a_guest_only_tries_it_may_try_for_ever),
                cmocka_unit_test(kinds_burst_each_for_itself),
                cmocka_unit_test(what_is_held_goes_out_together_in_the_order_in_which_it_happened),
                cmocka_unit_test(a_change_that_passes_overtakes_what_is_held),
                cmocka_unit_test(what_changes_nothing_or_is_held_itself_overtakes_nothing),
                cmocka_unit_test(the_number_of_facts_is_kept_whatever_is_left_out),
                cmocka_unit_test(a_tally_gives_back_the_actors_that_it_holds),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
