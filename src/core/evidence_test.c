#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"

/* Facts that differ in one thing each, in the order in which they happened. */
static size_t make_facts(struct evidence *facts) {
        static struct actor nobody, somebody = { .pid = 1 }, other = { .pid = 1, .comm = "kill" };
        static struct actor child = { .pid = 1, .comm = "kill", .n_parents = 1 };
        static struct actor grandchild = { .pid = 1, .comm = "kill", .n_parents = 1, .parents = { { .pid = 2 } } };
        static struct actor for_anna = { .pid = 1, .comm = "kill", .n_parents = 1, .parents = { { .pid = 2 } }, .client = { .pid = 3 } };
        struct evidence e = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL);
        size_t n = 0;

        e.at_ns = 5;
        facts[n++] = e;
        e.actor = &nobody;
        facts[n++] = e;
        e.actor = &somebody;
        facts[n++] = e;
        e.actor = &other;
        facts[n++] = e;
        e.actor = &child;
        facts[n++] = e;
        e.actor = &grandchild;
        facts[n++] = e;
        e.actor = &for_anna;
        facts[n++] = e;
        e.actor = NULL;
        evidence_set_text(&e, "text", 4);
        facts[n++] = e;
        evidence_set_word(&e, "word");
        facts[n++] = e;
        e.number = 9;
        facts[n++] = e;
        e.flag = TRISTATE_FALSE;
        facts[n++] = e;
        e.kind = EVIDENCE_EXITED;
        facts[n++] = e;
        e.seq = 1;
        facts[n++] = e;
        e.source = SOURCE_HOST;
        facts[n++] = e;
        e.at_ns = 6;
        facts[n++] = e;
        return n;
}

static void facts_are_in_one_order_whatever_they_differ_in(void **state) {
        struct evidence facts[16];
        size_t n = make_facts(facts);

        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < n; k++) {
                        assert_int_equal(evidence_is_before(&facts[i], &facts[k]), i < k);
                        assert_int_equal(evidence_is_same(&facts[i], &facts[k]), i == k);
                }
}

static void a_fact_is_the_same_whenever_and_by_whomever_it_is_stored(void **state) {
        struct evidence a = evidence_make(SOURCE_QMP, EVIDENCE_STOP), b = a;

        b.id = 7;
        assert_true(evidence_is_same(&a, &b));
}

static void registers_change_a_vm_only_if_they_show_it_halted(void **state) {
        struct evidence e = evidence_make(SOURCE_QMP, EVIDENCE_REGISTERS);

        assert_false(evidence_changes_vm(&e));
        e.flag = TRISTATE_FALSE;
        assert_false(evidence_changes_vm(&e));
        e.flag = TRISTATE_TRUE;
        assert_true(evidence_changes_vm(&e));
}

static void what_a_status_leaves_of_a_vm(void **state) {
        static const struct {
                const char *status;
                enum left left;
        } cases[] = {
                { "running", LEFT_RUNNING },       { "paused", LEFT_PAUSED },     { "prelaunch", LEFT_PAUSED },
                { "debug", LEFT_PAUSED },          { "watchdog", LEFT_PAUSED },   { "io-error", LEFT_PAUSED },
                { "postmigrate", LEFT_PAUSED },    { "internal-error", LEFT_PAUSED }, { "guest-panicked", LEFT_PAUSED },
                { "suspended", LEFT_SUSPENDED },   { "shutdown", LEFT_OFF },
        };
        /* They pass, or are nobody's words. */
        static const char *const others[] = { "inmigrate", "finish-migrate", "save-vm", "restore-vm", "colo", "", "run" };
        enum left left = LEFT_PRESERVED;

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(evidence_left_by_status(others[i], &left));
        assert_int_equal(left, LEFT_PRESERVED);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_true(evidence_left_by_status(cases[i].status, &left));
                assert_int_equal(left, cases[i].left);
        }
}

static void no_kind_both_changes_a_vm_and_ends_its_process(void **state) {
        for (int i = 0; i < _EVIDENCE_KIND_N; i++) {
                const struct evidence_traits *traits = evidence_traits((enum evidence_kind)i);

                assert_false(traits->changes_vm && traits->ends_process);
                /* What is background explains a change and is none. */
                assert_false((traits->stays || traits->fades) && (traits->changes_vm || traits->ends_process));
                assert_false(traits->stays && traits->fades);
                /* A VM ends once. */
                assert_false(traits->ends_process && traits->may_burst);
        }
}

static void a_copy_has_an_actor_of_its_own(void **state) {
        struct evidence a = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL), b;
        struct actor anna = { .pid = 1, .comm = "anna" };

        assert_int_equal(evidence_set_actor(&a, &anna), 0);
        anna.pid = 2;
        assert_int_equal(evidence_set_actor(&a, &anna), 0);
        assert_int_equal(evidence_copy(&b, &a), 0);
        assert_ptr_not_equal(a.actor, b.actor);
        assert_int_equal(b.actor->pid, 2);
        evidence_deinit(&a);
        evidence_deinit(&a);
        assert_string_equal(b.actor->comm, "anna");
        evidence_deinit(&b);
        evidence_deinit(NULL);
}

static void words_and_texts_are_cut_at_their_bounds(void **state) {
        struct evidence e = evidence_make(SOURCE_CONSOLE, EVIDENCE_LINE);
        char text[400];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        evidence_set_word(&e, text);
        evidence_set_text(&e, text, sizeof(text));
        assert_int_equal(strlen(e.word), EVIDENCE_WORD_MAX - 1);
        assert_int_equal(strlen(e.text), EVIDENCE_TEXT_MAX - 1);
        evidence_set_text(&e, "a\nb", 3);
        assert_string_equal(e.text, "a?b");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(facts_are_in_one_order_whatever_they_differ_in),
                cmocka_unit_test(a_fact_is_the_same_whenever_and_by_whomever_it_is_stored),
                cmocka_unit_test(registers_change_a_vm_only_if_they_show_it_halted),
                cmocka_unit_test(what_a_status_leaves_of_a_vm),
                cmocka_unit_test(no_kind_both_changes_a_vm_and_ends_its_process),
                cmocka_unit_test(a_copy_has_an_actor_of_its_own),
                cmocka_unit_test(words_and_texts_are_cut_at_their_bounds),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
