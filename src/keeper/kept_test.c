/* How a VM is, by its facts; and what its monitor's first status tells of the time in which nobody looked. */
#include "keeper/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"

static unsigned n_states;

static void has_state(struct kept *kept) {
        n_states++;
}

static const struct kept_home home = { .has_state = has_state };

/* As it is when its monitor has been opened.  `known`: how it was before; _LEFT_N: nobody has looked. */
static struct kept make(enum left known) {
        struct kept kept = { .home = &home, .left = LEFT_RUNNING, .state = left_name(LEFT_RUNNING), .awaits_status = true };

        n_states = 0;
        if (known != _LEFT_N) {
                kept.left = known;
                kept.state = left_name(known);
                kept.is_known = true;
        }
        return kept;
}

static struct evidence fact_of(enum evidence_source source, enum evidence_kind kind, const char *word) {
        struct evidence fact = evidence_make(source, kind);

        fact.time_ns = 5000;
        evidence_set_word(&fact, word);
        return fact;
}

/* What the status is told to have been before; "": it tells of nothing. */
static void expect_unseen(struct kept *kept, const char *status, const char *was) {
        struct evidence fact = fact_of(SOURCE_QMP, EVIDENCE_STATUS, status);

        kept_tell_unseen(kept, &fact);
        if (strcmp(fact.text, was))
                fail_msg("%s was %s, not %s", status, fact.text, was);
}

static void note(struct kept *kept, enum evidence_source source, enum evidence_kind kind, const char *word) {
        const struct evidence fact = fact_of(source, kind, word);

        kept_note_fact(kept, &fact);
}

static void the_first_status_tells_what_has_come_about_unseen(void **state) {
        static const struct {
                enum left known;
                const char *status, *was;
        } cases[] = {
                { LEFT_RUNNING, "paused", "running" },
                { LEFT_PAUSED, "running", "paused" },
                { LEFT_OFF, "running", "off" },
                { LEFT_RUNNING, "running", "" },
                /* What it is known to be already, by whatever word. */
                { LEFT_OFF, "shutdown", "" },
                { LEFT_PAUSED, "io-error", "" },
                { LEFT_SUSPENDED, "suspended", "" },
                /* QEMU has no word for a guest that is halted. */
                { LEFT_HALTED, "running", "" },
                { LEFT_HALTED, "paused", "halted" },
                /* Of one that nobody knows only what has happened to its guest. */
                { _LEFT_N, "running", "" },
                { _LEFT_N, "paused", "" },
                { _LEFT_N, "prelaunch", "" },
                { _LEFT_N, "shutdown", "unknown" },
                { _LEFT_N, "guest-panicked", "unknown" },
                { _LEFT_N, "suspended", "unknown" },
                { _LEFT_N, "io-error", "unknown" },
                { _LEFT_N, "internal-error", "unknown" },
                { _LEFT_N, "watchdog", "unknown" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct kept kept = make(cases[i].known);

                expect_unseen(&kept, cases[i].status, cases[i].was);
                /* The next one follows on an event. */
                expect_unseen(&kept, "guest-panicked", "");
        }
}

static void a_status_that_passes_is_none(void **state) {
        struct kept kept = make(LEFT_RUNNING);

        expect_unseen(&kept, "finish-migrate", "");
        expect_unseen(&kept, "paused", "running");
}

static void an_event_that_comes_before_the_status_has_told_of_it(void **state) {
        struct kept kept = make(LEFT_RUNNING), stopped = make(LEFT_RUNNING);

        note(&kept, SOURCE_QMP, EVIDENCE_SHUTDOWN, "host-qmp-quit");
        expect_unseen(&kept, "running", "");
        /* But its process tells of itself alone. */
        note(&stopped, SOURCE_PROCESS, EVIDENCE_STOPPED, "SIGSTOP");
        expect_unseen(&stopped, "shutdown", "running");
}

static void a_status_that_comes_late_is_of_a_stop_that_is_over(void **state) {
        struct kept kept = make(LEFT_RUNNING);
        struct evidence found = fact_of(SOURCE_QMP, EVIDENCE_STATUS, "paused");

        note(&kept, SOURCE_QMP, EVIDENCE_STATUS, "paused");
        assert_string_equal(kept.state, "running");
        assert_int_equal(n_states, 0);
        evidence_set_text(&found, "running", strlen("running"));
        kept_note_fact(&kept, &found);
        assert_string_equal(kept.state, "paused");
        assert_int_equal(n_states, 1);
}

static void facts_come_before_the_verdict_on_them(void **state) {
        struct kept kept = make(LEFT_RUNNING);

        note(&kept, SOURCE_QMP, EVIDENCE_STOP, "");
        kept_note_verdict(&kept, "id", "it ran", LEFT_RUNNING, 5000);
        assert_string_equal(kept.state, "paused");
        kept_note_verdict(&kept, "id", "it ran", LEFT_RUNNING, 5001);
        assert_string_equal(kept.state, "running");
        kept_note_verdict(&kept, "id", "it went", LEFT_GONE, 1);
        assert_string_equal(kept.state, "gone");
        assert_string_equal(kept.last_verdict, "id");
        assert_string_equal(kept.last_summary, "it went");
        free(kept.last_summary);
}

static void what_each_event_leaves(void **state) {
        static const struct {
                enum left before;
                enum evidence_kind kind;
                enum left left;
        } cases[] = {
                { LEFT_RUNNING, EVIDENCE_SHUTDOWN, LEFT_OFF },   { LEFT_RUNNING, EVIDENCE_STOP, LEFT_PAUSED },
                { LEFT_OFF, EVIDENCE_STOP, LEFT_OFF },           { LEFT_RUNNING, EVIDENCE_SUSPEND, LEFT_SUSPENDED },
                { LEFT_RUNNING, EVIDENCE_RESET, LEFT_RUNNING },  { LEFT_HALTED, EVIDENCE_RESET, LEFT_RUNNING },
                { LEFT_OFF, EVIDENCE_RESET, LEFT_PAUSED },       { LEFT_PAUSED, EVIDENCE_RESET, LEFT_PAUSED },
                { LEFT_PAUSED, EVIDENCE_RESUME, LEFT_RUNNING },  { LEFT_SUSPENDED, EVIDENCE_WAKEUP, LEFT_RUNNING },
                { LEFT_RUNNING, EVIDENCE_POWERDOWN, LEFT_RUNNING },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct kept kept = make(cases[i].before);

                note(&kept, SOURCE_QMP, cases[i].kind, "");
                assert_int_equal(kept.left, cases[i].left);
                assert_string_equal(kept.state, left_name(cases[i].left));
        }
}

static void a_process_that_stands_still_runs_no_guest(void **state) {
        struct kept kept = make(LEFT_RUNNING);

        note(&kept, SOURCE_PROCESS, EVIDENCE_STOPPED, "SIGSTOP");
        assert_string_equal(kept.state, "paused");
        note(&kept, SOURCE_QMP, EVIDENCE_RESUME, "");
        assert_string_equal(kept.state, "paused");
        note(&kept, SOURCE_PROCESS, EVIDENCE_CONTINUED, "");
        assert_string_equal(kept.state, "running");
        note(&kept, SOURCE_QMP, EVIDENCE_SUSPEND, "");
        note(&kept, SOURCE_PROCESS, EVIDENCE_STOPPED, "SIGSTOP");
        assert_string_equal(kept.state, "suspended");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_status_tells_what_has_come_about_unseen),
                cmocka_unit_test(a_status_that_passes_is_none),
                cmocka_unit_test(an_event_that_comes_before_the_status_has_told_of_it),
                cmocka_unit_test(a_status_that_comes_late_is_of_a_stop_that_is_over),
                cmocka_unit_test(facts_come_before_the_verdict_on_them),
                cmocka_unit_test(what_each_event_leaves),
                cmocka_unit_test(a_process_that_stands_still_runs_no_guest),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
