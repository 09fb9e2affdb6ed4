#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/policy.h"

#define SECOND UINT64_C(1000000000)

static void set(struct policy *policy, const char *setting, enum policy_rank rank) {
        const char *why = NULL;

        if (policy_set(policy, setting, rank, &why))
                fail_msg("%s: %s", setting, why);
}

static struct decision decide(const char *setting, enum transition transition, enum left left, unsigned n_restarts) {
        struct policy policy = policy_default(true);
        struct verdict verdict = { .transition = transition, .left = left, .mechanism = MECHANISM_GUEST_SHUTDOWN };

        if (setting)
                set(&policy, setting, POLICY_STORED);
        return policy_decide(&policy, &verdict, n_restarts);
}

static void a_vm_of_ones_own_is_cleared_away_and_rebooted(void **state) {
        struct policy policy = policy_default(true);

        assert_int_equal(policy.on[ON_POWEROFF].action, ACTION_DESTROY);
        assert_int_equal(policy.on[ON_REBOOT].action, ACTION_RESTART);
        assert_int_equal(policy.on[ON_HALT].action, ACTION_DESTROY);
        assert_int_equal(policy.on[ON_CRASH].action, ACTION_DESTROY);
        assert_int_equal(policy.halt_after_ns, 2 * SECOND);
}

static void a_vm_that_was_found_is_left_alone(void **state) {
        struct policy policy = policy_default(false);

        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                assert_int_equal(policy.on[i].action, ACTION_LEAVE);
}

static void a_lower_rank_never_overrides_a_higher_one(void **state) {
        struct policy policy = policy_default(true);

        set(&policy, "on_reboot=destroy", POLICY_OPTION);
        assert_int_equal(policy.on[ON_REBOOT].action, ACTION_DESTROY);
        set(&policy, "on_reboot=preserve", POLICY_EXPLICIT);
        assert_int_equal(policy.on[ON_REBOOT].action, ACTION_PRESERVE);
        set(&policy, "on_reboot=destroy", POLICY_OPTION);
        assert_int_equal(policy.on[ON_REBOOT].action, ACTION_PRESERVE);
        set(&policy, "on_reboot=leave", POLICY_EXPLICIT);
        assert_int_equal(policy.on[ON_REBOOT].action, ACTION_LEAVE);
        set(&policy, "on_crash=leave", POLICY_DEFAULT);
        assert_int_equal(policy.on[ON_CRASH].action, ACTION_LEAVE);
}

static void durations_are_seconds_with_decimals(void **state) {
        static const struct {
                const char *setting;
                uint64_t ns;
        } cases[] = {
                { "halt_after=0", 0 },
                { "halt_after=30", 30 * SECOND },
                { "halt_after=0.5", SECOND / 2 },
                { "halt_after=0.000000001", 1 },
                { "halt_after=31536000", 31536000 * SECOND },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct policy policy = policy_default(true);

                set(&policy, cases[i].setting, POLICY_EXPLICIT);
                assert_int_equal(policy.halt_after_ns, cases[i].ns);
        }
}

static void the_buttons_times_are_settings(void **state) {
        struct policy policy = policy_default(true);

        set(&policy, "button_certain=5", POLICY_EXPLICIT);
        set(&policy, "button_likely=7.25", POLICY_EXPLICIT);
        assert_int_equal(policy.judge.button_certain_ns, 5 * SECOND);
        assert_int_equal(policy.judge.button_likely_ns, 7 * SECOND + SECOND / 4);
}

static void a_setting_that_says_nothing_is_refused_with_a_reason(void **state) {
        static const char *const settings[] = {
                "", "=", "on_reboot", "on_reboot=", "on_reboot=explode", "on_reboots=destroy", "=destroy",
                "on_reboot =destroy", "on_reboot=destroy ", "ON_REBOOT=destroy", "halt_after=", "halt_after=-1",
                "halt_after=1.", "halt_after=.5", "halt_after=1e3", "halt_after=1s", "halt_after=0.0000000001",
                "halt_after=31536001", "halt_after=31536000.1", "halt_after=99999999999999999999",
                "a_name_that_is_longer_than_any_setting_has=destroy",
        };

        for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
                struct policy policy = policy_default(true), before = policy;
                const char *why = NULL;

                assert_int_equal(policy_set(&policy, settings[i], POLICY_EXPLICIT, &why), -EINVAL);
                assert_non_null(why);
                assert_memory_equal(&policy, &before, sizeof(policy));
        }
}

static void a_policy_survives_its_own_text(void **state) {
        struct policy policy = policy_default(false), again = policy_default(true);
        char text[POLICY_TEXT_MAX], *rest = text, *word;

        set(&policy, "on_crash=restart", POLICY_EXPLICIT);
        set(&policy, "on_poweroff=preserve", POLICY_EXPLICIT);
        set(&policy, "on_watchdog=coredump-restart", POLICY_STORED);
        set(&policy, "on_reboot=rename-restart", POLICY_STORED);
        set(&policy, "halt_after=31536000", POLICY_EXPLICIT);
        set(&policy, "button_certain=12345678.000000001", POLICY_EXPLICIT);
        policy_format(&policy, text);
        assert_true(strlen(text) < sizeof(text) - 1);
        while ((word = strsep(&rest, " ")))
                set(&again, word, POLICY_STORED);
        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                assert_int_equal(policy.on[i].action, again.on[i].action);
        assert_int_equal(policy.halt_after_ns, again.halt_after_ns);
        assert_int_equal(policy.judge.button_certain_ns, again.judge.button_certain_ns);
        assert_int_equal(policy.judge.button_likely_ns, again.judge.button_likely_ns);
}

static void the_longest_policy_fits_its_text(void **state) {
        struct policy policy = policy_default(true);
        char text[POLICY_TEXT_MAX];

        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                policy.on[i].action = ACTION_COREDUMP_DESTROY;
        policy.halt_after_ns = UINT64_MAX;
        policy.judge.button_certain_ns = UINT64_MAX;
        policy.judge.button_likely_ns = UINT64_MAX;
        policy_format(&policy, text);
        assert_string_equal(text + strlen(text) - 10, ".709551615");
}

static void a_domains_words_are_for_what_is_stored(void **state) {
        static const char *const settings[] = { "on_watchdog=restart", "on_soft_reset=destroy", "on_crash=coredump-restart",
                                                "on_crash=coredump-destroy", "on_crash=rename-restart", "on_crash=soft-reset" };

        for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
                struct policy policy = policy_default(true);
                const char *why;

                assert_int_equal(policy_set(&policy, settings[i], POLICY_EXPLICIT, &why), -EINVAL);
                assert_int_equal(policy_set(&policy, settings[i], POLICY_STORED, &why), 0);
        }
}

static void a_crash_loop_backs_off_and_a_reboot_does_not(void **state) {
        static const uint64_t seconds[] = { 0, 1, 2, 4, 8, 16, 16 };

        for (unsigned n = 0; n < N_ELEMENTS(seconds); n++) {
                assert_int_equal(policy_restart_delay_ns(ON_CRASH, n), seconds[n] * UINT64_C(1000000000));
                assert_int_equal(policy_restart_delay_ns(ON_WATCHDOG, n), policy_restart_delay_ns(ON_CRASH, n));
                assert_int_equal(policy_restart_delay_ns(ON_REBOOT, n), 0);
        }
}

static void only_four_transitions_are_policys_business(void **state) {
        for (int t = 0; t < _TRANSITION_N; t++) {
                struct decision decision = decide(NULL, (enum transition)t, LEFT_GONE, 0);

                assert_int_equal(decision.exists, t == TRANSITION_POWEROFF || t == TRANSITION_REBOOT ||
                                                          t == TRANSITION_HALT || t == TRANSITION_CRASH);
                if (!decision.exists)
                        assert_int_equal(decision.act, ACT_NOTHING);
        }
}

static void nothing_is_decided_while_the_host_goes_down(void **state) {
        struct policy policy = policy_default(true);
        struct verdict verdict = { .transition = TRANSITION_POWEROFF, .mechanism = MECHANISM_HOST_SHUTDOWN };

        set(&policy, "on_poweroff=restart", POLICY_EXPLICIT);
        assert_false(policy_decide(&policy, &verdict, 0).exists);
}

static void a_crash_kernel_is_left_alone_unless_its_owner_says_so(void **state) {
        struct verdict verdict = { .transition = TRANSITION_CRASH, .left = LEFT_RUNNING, .rule = "crash-kernel" };
        struct policy policy = policy_default(true);
        const char *why;

        assert_int_equal(policy_decide(&policy, &verdict, 0).action, ACTION_LEAVE);
        assert_int_equal(policy_decide(&policy, &verdict, 0).act, ACT_NOTHING);
        assert_int_equal(policy_set(&policy, "on_crash=destroy", POLICY_EXPLICIT, &why), 0);
        assert_int_equal(policy_decide(&policy, &verdict, 0).act, ACT_QUIT);
}

static void each_decision_knows_what_is_left_to_do(void **state) {
        static const struct {
                const char *setting;
                enum transition transition;
                enum left left;
                unsigned n_restarts;
                enum decision_result result;
                enum policy_act act;
        } cases[] = {
                { "on_poweroff=destroy", TRANSITION_POWEROFF, LEFT_GONE, 0, RESULT_DONE, ACT_NOTHING },
                { "on_poweroff=destroy", TRANSITION_POWEROFF, LEFT_OFF, 0, RESULT_PENDING, ACT_QUIT },
                { "on_poweroff=restart", TRANSITION_POWEROFF, LEFT_GONE, 0, RESULT_PENDING, ACT_START },
                { "on_poweroff=restart", TRANSITION_POWEROFF, LEFT_OFF, 0, RESULT_PENDING, ACT_REPLACE },
                { "on_poweroff=preserve", TRANSITION_POWEROFF, LEFT_OFF, 0, RESULT_NONE, ACT_NOTHING },
                { "on_poweroff=leave", TRANSITION_POWEROFF, LEFT_GONE, 0, RESULT_NONE, ACT_NOTHING },
                { "on_reboot=restart", TRANSITION_REBOOT, LEFT_RUNNING, 99, RESULT_BY_VMM, ACT_NOTHING },
                { "on_reboot=restart", TRANSITION_REBOOT, LEFT_GONE, 0, RESULT_PENDING, ACT_START },
                { "on_reboot=restart", TRANSITION_REBOOT, LEFT_OFF, 0, RESULT_PENDING, ACT_REPLACE },
                { "on_reboot=destroy", TRANSITION_REBOOT, LEFT_RUNNING, 0, RESULT_PENDING, ACT_QUIT },
                { "on_reboot=destroy", TRANSITION_REBOOT, LEFT_GONE, 0, RESULT_DONE, ACT_NOTHING },
                { "on_halt=destroy", TRANSITION_HALT, LEFT_HALTED, 0, RESULT_PENDING, ACT_QUIT },
                { "on_halt=restart", TRANSITION_HALT, LEFT_HALTED, 0, RESULT_PENDING, ACT_REPLACE },
                { "on_crash=preserve", TRANSITION_CRASH, LEFT_PAUSED, 0, RESULT_NONE, ACT_NOTHING },
                { "on_crash=restart", TRANSITION_CRASH, LEFT_GONE, 4, RESULT_PENDING, ACT_START },
                { "on_crash=restart", TRANSITION_CRASH, LEFT_GONE, 5, RESULT_GAVE_UP, ACT_NOTHING },
                { "on_poweroff=coredump-destroy", TRANSITION_POWEROFF, LEFT_OFF, 0, RESULT_PENDING, ACT_QUIT },
                { "on_crash=coredump-destroy", TRANSITION_CRASH, LEFT_GONE, 0, RESULT_DONE, ACT_NOTHING },
                { "on_crash=coredump-restart", TRANSITION_CRASH, LEFT_OFF, 4, RESULT_PENDING, ACT_REPLACE },
                { "on_crash=coredump-restart", TRANSITION_CRASH, LEFT_OFF, 5, RESULT_GAVE_UP, ACT_NOTHING },
                { "on_crash=rename-restart", TRANSITION_CRASH, LEFT_OFF, 0, RESULT_PENDING, ACT_START },
                { "on_reboot=soft-reset", TRANSITION_REBOOT, LEFT_OFF, 9, RESULT_PENDING, ACT_RESET },
                { "on_crash=restart", TRANSITION_CRASH, LEFT_PAUSED, 5, RESULT_GAVE_UP, ACT_NOTHING },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct decision d = decide(cases[i].setting, cases[i].transition, cases[i].left, cases[i].n_restarts);

                assert_true(d.exists);
                if (d.result != cases[i].result || d.act != cases[i].act)
                        fail_msg("%s, left %s: %s, act %d", cases[i].setting, left_name(cases[i].left),
                                 decision_result_name(d.result), d.act);
        }
}

static void only_what_is_pending_comes_with_an_act(void **state) {
        for (int event = 0; event < _POLICY_EVENT_N; event++)
                for (int action = 0; action < _POLICY_ACTION_N; action++)
                        for (int left = 0; left < _LEFT_N; left++)
                                for (unsigned n = 0; n < 7; n++) {
                                        static const enum transition transitions[] = {
                                                TRANSITION_POWEROFF, TRANSITION_REBOOT, TRANSITION_HALT,
                                                TRANSITION_CRASH, TRANSITION_CRASH, TRANSITION_REBOOT,
                                        };
                                        static const char *const rules[_POLICY_EVENT_N] = {
                                                [ON_WATCHDOG] = "xen-watchdog", [ON_SOFT_RESET] = "xen-soft-reset",
                                        };
                                        struct policy policy = policy_default(true);
                                        struct verdict verdict = { .transition = transitions[event],
                                                                   .left = (enum left)left,
                                                                   .rule = rules[event],
                                                                   .mechanism = MECHANISM_UNSEEN };
                                        struct decision d;

                                        policy.on[event].action = (enum policy_action)action;
                                        d = policy_decide(&policy, &verdict, n);
                                        assert_int_equal(d.event, event);
                                        assert_int_equal(d.action, action);
                                        assert_int_equal(d.result == RESULT_PENDING, d.act != ACT_NOTHING);
                                }
}

static void each_name_leads_back_to_its_value(void **state) {
#define BACK(noun, type, n)                                                                                  \
        for (int i = 0; i < (n); i++) {                                                                      \
                type back;                                                                                   \
                                                                                                             \
                assert_int_equal(noun##_from_name(noun##_name((type)i), &back), 0);                          \
                assert_int_equal(back, i);                                                                   \
                assert_int_equal(noun##_from_name("no such name", &back), -EINVAL);                          \
                assert_int_equal(noun##_from_name("", &back), -EINVAL);                                      \
                assert_int_equal(back, i);                                                                   \
        }
        BACK(evidence_source, enum evidence_source, _SOURCE_N)
        BACK(transition, enum transition, _TRANSITION_N)
        BACK(initiator, enum initiator, _INITIATOR_N)
        BACK(mechanism, enum mechanism, _MECHANISM_N)
        BACK(left, enum left, _LEFT_N)
        BACK(confidence, enum confidence, _CONFIDENCE_N)
        BACK(policy_event, enum policy_event, _POLICY_EVENT_N)
        BACK(policy_action, enum policy_action, _POLICY_ACTION_N)
        BACK(decision_result, enum decision_result, _DECISION_RESULT_N)
#undef BACK
        for (int i = 0; i < _EVIDENCE_KIND_N; i++) {
                enum evidence_kind back;

                assert_non_null(evidence_kind_info((enum evidence_kind)i)->name);
                assert_int_equal(evidence_kind_from_name(evidence_kind_info((enum evidence_kind)i)->name, &back), 0);
                assert_int_equal(back, i);
                assert_int_equal(evidence_kind_from_name("no such kind", &back), -EINVAL);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vm_of_ones_own_is_cleared_away_and_rebooted),
                cmocka_unit_test(a_vm_that_was_found_is_left_alone),
                cmocka_unit_test(a_lower_rank_never_overrides_a_higher_one),
                cmocka_unit_test(durations_are_seconds_with_decimals),
                cmocka_unit_test(the_buttons_times_are_settings),
                cmocka_unit_test(a_setting_that_says_nothing_is_refused_with_a_reason),
                cmocka_unit_test(a_policy_survives_its_own_text),
                cmocka_unit_test(the_longest_policy_fits_its_text),
                cmocka_unit_test(a_domains_words_are_for_what_is_stored),
                cmocka_unit_test(a_crash_loop_backs_off_and_a_reboot_does_not),
                cmocka_unit_test(only_four_transitions_are_policys_business),
                cmocka_unit_test(nothing_is_decided_while_the_host_goes_down),
                cmocka_unit_test(a_crash_kernel_is_left_alone_unless_its_owner_says_so),
                cmocka_unit_test(each_decision_knows_what_is_left_to_do),
                cmocka_unit_test(only_what_is_pending_comes_with_an_act),
                cmocka_unit_test(each_name_leads_back_to_its_value),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
