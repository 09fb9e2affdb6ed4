/* The judge: the truth table, each rule, and single questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/text.h"
#include "core/judge_test_world.h"

static struct verdict judge(const struct world *world) {
        return verdict_from_evidence(world->items, world->n, NULL);
}

static void each_rule_has_its_world_and_names_it(void **state) {
        for (size_t i = 0; i < n_rule_worlds; i++) {
                const struct rule_info *rule = judge_rule(i);
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                assert_non_null(rule);
                assert_string_equal(rule->name, rule_worlds[i].rule);
                rule_worlds[i].build(&world);
                v = judge(&world);
                assert_string_equal(v.rule, rule_worlds[i].rule);
                assert_int_equal(v.transition, rule->transition);
                assert_int_equal(v.initiator, rule->initiator);
                assert_int_equal(v.mechanism, rule->mechanism);
                assert_int_equal(v.graceful, rule->graceful);
                assert_int_equal(v.confidence, rule->confidence);
                if (v.left != rule_worlds[i].left)
                        fail_msg("%s: left %s, not %s", v.rule, left_name(v.left), left_name(rule_worlds[i].left));
                assert_string_equal(v.actor ? v.actor->comm : "", rule_worlds[i].actor ? rule_worlds[i].actor : "");
        }
        assert_null(judge_rule(n_rule_worlds));
}

/* What is seen of those who clean up after domains proves no deed; where nobody looked it may be all that is seen. */
static void whoever_cleans_up_after_a_domain_has_not_destroyed_it(void **state) {
        static const struct {
                const char *comm, *cmdline, *rule, *actor;
        } calls[] = {
                { "xl", "xl destroy web1", "xen-destroy", "xl" },
                { "xl", "xl destroy create", "xen-destroy", "xl" },
                { "xl", "/usr/lib/xen-4.17/bin/xl -v destroy -f web1", "xen-destroy", "xl" },
                { "xl", "xl create /etc/xen/web1.cfg", "xen-gone", NULL },
                { "xl", "/usr/lib/xen-4.17/bin/xl -v -f create /etc/xen/web1.cfg", "xen-gone", NULL },
                { "xl", "xl restore /var/save", "xen-gone", NULL },
                { "xl", "xl", "xen-destroy", "xl" },
                { "xl", "xl -v", "xen-destroy", "xl" },
                { "mytool", "mytool create web1", "xen-destroy", "mytool" },
                { "libvirtd", "/usr/sbin/libvirtd", "xen-destroy-unseen", "libvirtd" },
        };

        for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct actor actor = { .pid = 990, .uid = 0, .confidence = CONFIDENCE_CERTAIN };
                struct evidence *call = world_add(&world, 4.9, SOURCE_TRACE, EVIDENCE_HYPERCALL);
                struct verdict v;

                strcpy(actor.comm, calls[i].comm);
                strcpy(actor.cmdline, calls[i].cmdline);
                evidence_set_word(call, "destroydomain");
                assert_int_equal(evidence_set_actor(call, &actor), 0);
                world_add(&world, 5, SOURCE_XEN, EVIDENCE_DOMAIN_GONE)->flag = TRISTATE_NULL;
                v = judge(&world);
                assert_string_equal(v.rule, calls[i].rule);
                assert_string_equal(v.actor ? v.actor->comm : "", calls[i].actor ? calls[i].actor : "");
                assert_int_equal(v.n_proof, 2);
                /* Where it had just been asked to go, who may be cleaning up has not. */
                for (int taken = 0; taken < 2; taken++)
                        evidence_set_word(world_add(&world, 4, SOURCE_XEN, taken ? EVIDENCE_CONTROL_ACKNOWLEDGED : EVIDENCE_CONTROL_REQUEST), "poweroff");
                v = judge(&world);
                assert_string_equal(v.rule, strcmp(calls[i].rule, "xen-destroy-unseen") ? calls[i].rule : "xen-gone-asked");
                /* Seen alive right before, it was destroyed, whoever he is. */
                world.items[1].flag = TRISTATE_TRUE;
                v = judge(&world);
                assert_string_equal(v.rule, "xen-destroy");
        }
}

static void each_rule_has_a_name_of_its_own(void **state) {
        for (size_t i = 0; judge_rule(i); i++)
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(judge_rule(i)->name, judge_rule(k)->name);
}

static void each_rule_has_a_sentence_that_names_the_vm(void **state) {
        for (size_t i = 0; i < n_rule_worlds; i++) {
                cleanup(world_deinit) struct world world = { 0 };
                char text[VERDICT_SUMMARY_MAX];
                struct verdict v;
                size_t length;

                rule_worlds[i].build(&world);
                v = judge(&world);
                length = verdict_summarise(&v, world.items, "web-1", text);
                assert_int_equal(length, strlen(text));
                assert_non_null(strstr(text, "web-1"));
                assert_null(strchr(text, '{'));
                if (strstr(text, "no summary"))
                        fail_msg("%s has no sentence", v.rule);
                if (v.actor && !strstr(text, v.actor->comm) && v.mechanism != MECHANISM_HOST_SHUTDOWN)
                        fail_msg("%s does not name its actor: %s", v.rule, text);
        }
}

/* The truth table of docs/how-a-vm-stops.md, but for what stories tell better. */
static void the_truth_table_holds(void **state) {
        static const struct {
                const char *rule;
                enum transition transition;
                enum initiator initiator;
                enum mechanism mechanism;
                enum tristate graceful;
        } rows[] = {
#define ROW(rule, t, i, m, g) { rule, TRANSITION_##t, INITIATOR_##i, MECHANISM_##m, TRISTATE_##g }
                ROW("guest-poweroff", POWEROFF, GUEST, ACPI_S5, TRUE),
                ROW("guest-poweroff-somehow", POWEROFF, GUEST, GUEST_SHUTDOWN, TRUE),
                ROW("guest-poweroff-apm", POWEROFF, GUEST, APM, TRUE),
                ROW("power-button", POWEROFF, OPERATOR, POWER_BUTTON, TRUE),
                ROW("power-button-reboot", REBOOT, OPERATOR, POWER_BUTTON, NULL),
                ROW("guest-reset", REBOOT, GUEST, GUEST_RESET, NULL),
                ROW("qmp-reset", REBOOT, OPERATOR, QMP_RESET, FALSE),
                ROW("halted", HALT, GUEST, HALTED, NULL),
                ROW("halted-announced", HALT, GUEST, HALTED, TRUE),
                ROW("panic-device", CRASH, GUEST, PANIC_DEVICE, FALSE),
                ROW("suspend", SUSPEND, GUEST, ACPI_S3, TRUE),
                ROW("wake-asked", WAKE, OPERATOR, ACPI_S3, NULL),
                ROW("wake", WAKE, UNKNOWN, ACPI_S3, NULL),
                ROW("hibernate", HIBERNATE, GUEST, ACPI_S4, TRUE),
                ROW("qmp-quit", DESTROY, OPERATOR, QMP_QUIT, FALSE),
                ROW("window-closed", DESTROY, OPERATOR, UI, FALSE),
                ROW("signal-asked", DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW("signal-by-someone", DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW("kill-unseen", DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW("oom-victim", DESTROY, HOST, OOM_KILL, FALSE),
                ROW("oom-cgroup", DESTROY, HOST, OOM_KILL, FALSE),
                ROW("cpu-limit", DESTROY, HOST, SIGNAL, FALSE),
                ROW("oom-daemon", DESTROY, HOST, OOM_KILL, FALSE),
                ROW("host-shutdown-ended", DESTROY, HOST, HOST_SHUTDOWN, FALSE),
                ROW("host-shutdown-exit", DESTROY, HOST, HOST_SHUTDOWN, FALSE),
                ROW("host-shutdown-unseen", DESTROY, HOST, HOST_SHUTDOWN, FALSE),
                ROW("host-restarted", DESTROY, HOST, HOST_SHUTDOWN, FALSE),
                ROW("host-shutdown-obeyed", POWEROFF, HOST, HOST_SHUTDOWN, TRUE),
                ROW("vmm-own-signal", FAILURE, VMM, SIGNAL, FALSE),
                ROW("vmm-fault", FAILURE, VMM, SIGNAL, FALSE),
                ROW("vmm-failed", FAILURE, VMM, PROCESS_EXIT, FALSE),
                ROW("debug-exit", POWEROFF, GUEST, DEBUG_EXIT, NULL),
                ROW("debug-exit-or-error", POWEROFF, GUEST, DEBUG_EXIT, NULL),
                ROW("qmp-stop", PAUSE, OPERATOR, QMP_STOP, NULL),
                ROW("qmp-cont", RESUME, OPERATOR, QMP_STOP, NULL),
                ROW("poweroff-unseen", POWEROFF, UNKNOWN, UNSEEN, NULL),
                ROW("pause-unseen", PAUSE, UNKNOWN, UNSEEN, NULL),
                ROW("resume-unseen", RESUME, UNKNOWN, UNSEEN, NULL),
                ROW("signal-stop", PAUSE, OPERATOR, SIGNAL, NULL),
                ROW("signal-cont", RESUME, OPERATOR, SIGNAL, NULL),
                ROW("io-error", PAUSE, HOST, IO_ERROR, NULL),
                ROW("watchdog-reset", REBOOT, GUEST, WATCHDOG, FALSE),
                ROW("watchdog-poweroff", POWEROFF, GUEST, WATCHDOG, FALSE),
                ROW("watchdog-pause", PAUSE, GUEST, WATCHDOG, FALSE),
                ROW("migrated", MIGRATE, OPERATOR, MIGRATION, NULL),
                ROW("monitor-ended", UNKNOWN, UNKNOWN, UNSEEN, NULL),
                ROW("vanished", UNKNOWN, UNKNOWN, UNSEEN, NULL),
#undef ROW
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                bool found = false;

                for (size_t k = 0; k < n_rule_worlds; k++) {
                        cleanup(world_deinit) struct world world = { 0 };
                        struct verdict v;

                        if (strcmp(rule_worlds[k].rule, rows[i].rule))
                                continue;
                        found = true;
                        rule_worlds[k].build(&world);
                        v = judge(&world);
                        assert_int_equal(v.transition, rows[i].transition);
                        assert_int_equal(v.initiator, rows[i].initiator);
                        assert_int_equal(v.mechanism, rows[i].mechanism);
                        assert_int_equal(v.graceful, rows[i].graceful);
                }
                if (!found)
                        fail_msg("no world shows %s", rows[i].rule);
        }
}

/* --- single questions -------------------------------------------------------------------------------------------- */

static void no_evidence_is_unknown(void **state) {
        struct verdict v = verdict_from_evidence(NULL, 0, NULL);

        assert_string_equal(v.rule, "no-evidence");
        assert_int_equal(v.transition, TRANSITION_UNKNOWN);
        assert_int_equal(v.initiator, INITIATOR_UNKNOWN);
        assert_int_equal(v.mechanism, MECHANISM_UNSEEN);
        assert_int_equal(v.confidence, CONFIDENCE_GUESS);
        assert_int_equal(v.graceful, TRISTATE_NULL);
        assert_int_equal(v.n_proof, 0);
        assert_null(v.actor);
}

static void the_first_cause_wins(void **state) {
        cleanup(world_deinit) struct world world = { 0 };
        struct verdict v;

        shutdown_by_host(&world, 5.2, "host-signal");
        shutdown_by_guest(&world, 5, "guest-shutdown");
        process(&world, 5.3, EVIDENCE_KILLED, SIGKILL);
        v = judge(&world);
        assert_string_equal(v.rule, "guest-poweroff-somehow");
        assert_int_equal(v.proof[0], 1);
        assert_int_equal(v.at_ns, world.items[1].at_ns);
        assert_int_equal(v.time_ns, world.items[1].time_ns);
}

static void the_end_of_the_process_is_no_cause_where_there_is_another(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        process(&world, 5, EVIDENCE_EXITED, 0);
        shutdown_by_guest(&world, 5.002, "guest-shutdown"); /* read later than the exit */
        assert_string_equal(judge(&world).rule, "guest-poweroff-somehow");
}

static void an_oom_kill_outranks_the_sigkill_it_sends(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        sent(&world, 5, SOURCE_TRACE, SIGKILL, "qemu-system-x86"); /* the victim itself, says the trace */
        world_add(&world, 5.00002, SOURCE_TRACE, EVIDENCE_OOM_KILL);
        process(&world, 5.1, EVIDENCE_KILLED, SIGKILL);
        assert_string_equal(judge(&world).rule, "oom-victim");
        assert_null(judge(&world).actor);
}

static void an_oom_kill_outranks_a_host_that_goes_down(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        going_down(&world, 1, "systemctl");
        world_add(&world, 5, SOURCE_TRACE, EVIDENCE_OOM_KILL);
        process(&world, 5.1, EVIDENCE_KILLED, SIGKILL);
        assert_string_equal(judge(&world).rule, "oom-victim");
}

static void a_button_counts_for_as_long_as_the_owner_says(void **state) {
        struct judge_settings settings = { .button_certain_ns = 2 * SECOND, .button_likely_ns = 4 * SECOND };
        static const struct {
                double at;
                const char *rule;
        } cases[] = {
                { 7, "power-button" },      { 7.001, "power-button-slow" },
                { 9, "power-button-slow" }, { 9.001, "power-button-long-ago" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(world_deinit) struct world world = { 0 };

                pc(&world);
                qmp(&world, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
                shutdown_by_guest(&world, cases[i].at, "guest-shutdown");
                assert_string_equal(verdict_from_evidence(world.items, world.n, &settings).rule, cases[i].rule);
        }
}

static void the_default_button_times_are_two_and_ten_minutes(void **state) {
        assert_int_equal(judge_settings_default.button_certain_ns, 120 * SECOND);
        assert_int_equal(judge_settings_default.button_likely_ns, 600 * SECOND);
}

static void a_button_pressed_after_the_poweroff_explains_nothing(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        shutdown_by_guest(&world, 5, "guest-shutdown");
        qmp(&world, 5.1, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        assert_string_equal(judge(&world).rule, "guest-poweroff-somehow");
}

static void a_rival_within_ten_milliseconds_makes_it_likely(void **state) {
        static const struct {
                double at;
                enum confidence confidence;
        } cases[] = {
                { 4.98, CONFIDENCE_CERTAIN }, { 4.995, CONFIDENCE_LIKELY },
                { 5.005, CONFIDENCE_LIKELY }, { 5.02, CONFIDENCE_CERTAIN },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                pc(&world);
                shutdown_by_guest(&world, 5, "guest-shutdown");
                sent(&world, cases[i].at, SOURCE_TRACE, SIGTERM, "kill");
                v = judge(&world);
                assert_string_equal(v.rule, "guest-poweroff");
                assert_int_equal(v.confidence, cases[i].confidence);
                assert_null(v.actor);
        }
}

static void a_signal_sent_afterwards_names_nobody(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        shutdown_by_host(&world, 5, "host-signal");
        sent(&world, 9, SOURCE_TRACE, SIGKILL, "late");
        process(&world, 9.001, EVIDENCE_KILLED, SIGKILL);
        assert_string_equal(judge(&world).rule, "signal-asked");
        assert_null(judge(&world).actor);
}

static void a_sender_whom_the_trace_saw_is_believed_first(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        sent(&world, 4.9, SOURCE_STDERR, SIGTERM, "by-stderr");
        sent(&world, 5.0, SOURCE_TRACE, SIGTERM, "by-trace");
        sent(&world, 4.8, SOURCE_TRACE, SIGTERM, NULL);
        shutdown_by_host(&world, 5.001, "host-signal");
        assert_string_equal(judge(&world).actor->comm, "by-trace");
}

static void a_request_long_before_its_effect_names_nobody(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        asked(&world, 5, "quit", "vmpower");
        shutdown_by_host(&world, 30, "host-qmp-quit");
        assert_null(judge(&world).actor);
}

static void a_request_for_something_else_names_nobody(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        asked(&world, 5, "stop", "vmpower");
        shutdown_by_host(&world, 5.1, "host-qmp-quit");
        assert_null(judge(&world).actor);
}

/* Somebody at a monitor that is not held, when that kind of fact came. */
static struct evidence *connected(struct world *world, double at, const char *event, const char *comm) {
        struct evidence *e = world_add(world, at, SOURCE_PROCESS, EVIDENCE_MONITOR_CLIENT);

        evidence_set_word(e, event);
        if (comm)
                act(e, comm);
        return e;
}

static void who_alone_was_at_another_monitor_is_named(void **state) {
        cleanup(world_deinit) struct world world = { 0 };
        char text[VERDICT_SUMMARY_MAX];
        struct verdict v;

        shutdown_by_host(&world, 5, "host-qmp-quit");
        connected(&world, 5, "shutdown", "qmp-shell");
        connected(&world, 5, "reset", "of something else");
        connected(&world, 4, "shutdown", "of another time");
        v = judge(&world);
        assert_string_equal(v.actor->comm, "qmp-shell");
        assert_int_equal(v.n_proof, 2);
        verdict_summarise(&v, world.items, "web-1", text);
        assert_non_null(strstr(text, "qmp-shell (pid 990, most likely) told its monitor to quit"));

        world.items[1].actor->uid = 123456;
        verdict_summarise(&v, world.items, "web-1", text);
        assert_non_null(strstr(text, ": uid 123456 (qmp-shell, pid 990, most likely) told"));

        connected(&world, 5, "shutdown", NULL);
        assert_null(judge(&world).actor);
        assert_int_equal(judge(&world).n_proof, 1);
}

static void a_toolstacks_client_is_told_with_it(void **state) {
        static const struct actor_client client = { 4242, 1000, "anna", "virsh", "virsh destroy web-1" };
        cleanup(world_deinit) struct world world = { 0 };
        char text[VERDICT_SUMMARY_MAX];
        struct verdict v;

        sent(&world, 5, SOURCE_TRACE, SIGTERM, "libvirtd");
        world.items[0].actor->client = client;
        shutdown_by_host(&world, 5.001, "host-signal");
        v = judge(&world);
        verdict_summarise(&v, world.items, "web-1", text);
        assert_non_null(strstr(text, "libvirtd (pid 990), probably for anna (virsh, pid 4242) sent "));
}

/* As a `run` of somebody's says it, who is not root. */
static void a_sender_who_is_only_claimed_is_told_with_that_doubt(void **state) {
        cleanup(world_deinit) struct world world = { 0 };
        char text[VERDICT_SUMMARY_MAX];
        struct verdict v;

        sent(&world, 5, SOURCE_STDERR, SIGTERM, "earlyoom");
        is_service(&world.items[0]);
        shutdown_by_host(&world, 5.001, "host-signal");
        v = judge(&world);
        assert_string_equal(v.rule, "oom-daemon");
        assert_int_equal(v.confidence, CONFIDENCE_CERTAIN);
        world.items[0].actor->confidence = CONFIDENCE_LIKELY;
        v = judge(&world);
        assert_string_equal(v.rule, "oom-daemon");
        assert_int_equal(v.confidence, CONFIDENCE_LIKELY);
        verdict_summarise(&v, world.items, "web-1", text);
        assert_non_null(strstr(text, "root (earlyoom, pid 990, most likely), because"));
}

static const char *confidence_of_kill_by(const char *comm, const char *exe, int64_t uid) {
        cleanup(world_deinit) struct world world = { 0 };
        struct verdict v;

        sent(&world, 5, SOURCE_TRACE, SIGKILL, comm);
        world.items[0].actor->uid = uid;
        text_set(world.items[0].actor->exe, sizeof(world.items[0].actor->exe), exe);
        process(&world, 5.001, EVIDENCE_KILLED, SIGKILL);
        v = judge(&world);
        return strcmp(v.rule, "oom-daemon") ? v.rule : confidence_name(v.confidence);
}

static void a_daemon_that_frees_memory_is_known_by_its_program_and_its_user(void **state) {
        static const int64_t users[] = { 0, 999, 61184, 65519 };

        for (size_t i = 0; i < N_ELEMENTS(users); i++) {
                assert_string_equal(confidence_of_kill_by("earlyoom", "/usr/bin/earlyoom", users[i]), "certain");
                assert_string_equal(confidence_of_kill_by("systemd-oomd", ".../lib/systemd/systemd-oomd", users[i]), "certain");
                assert_string_equal(confidence_of_kill_by("earlyoom", "", users[i]), "likely");
                /* Anybody may call himself so. */
                assert_string_equal(confidence_of_kill_by("earlyoom", "/usr/bin/bash", users[i]), "signal-by-someone");
        }
        assert_string_equal(confidence_of_kill_by("earlyoom", "/tmp/earlyoom", 1000), "signal-by-someone");
        assert_string_equal(confidence_of_kill_by("earlyoom", "/tmp/earlyoom", 65534), "signal-by-someone");
        assert_string_equal(confidence_of_kill_by("earlyoom", "", 65534), "signal-by-someone");
        assert_string_equal(confidence_of_kill_by("earlyoom", "", -1), "signal-by-someone");
}

static void a_reset_loop_counts_its_firmware_starts(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        for (int i = 0; i < 9; i++) {
                qmp(&world, 5 + i, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
                world.items[world.n - 1].number = i + 1;
        }
        assert_int_equal(judge(&world).count, 9);
}

static void an_isapc_has_no_acpi(void **state) {
        static const struct {
                const char *machine, *rule;
        } cases[] = {
                { "pc-i440fx-7.2", "guest-poweroff" }, { "pc-q35-7.2", "guest-poweroff" },
                { "pc", "guest-poweroff" },            { "q35", "guest-poweroff" },
                { "isapc", "guest-poweroff-somehow" }, { "microvm", "guest-poweroff-somehow" },
                { "virt-7.2", "guest-poweroff-somehow" }, { "", "guest-poweroff-somehow" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(world_deinit) struct world world = { 0 };

                qmp(&world, 0, EVIDENCE_MACHINE, TRISTATE_NULL, cases[i].machine);
                shutdown_by_guest(&world, 5, "guest-shutdown");
                assert_string_equal(judge(&world).rule, cases[i].rule);
        }
}

static void what_was_held_stays_off_when_it_is_cleared_away(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        shutdown_by_guest(&world, 5, "guest-shutdown");
        qmp(&world, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        process(&world, 60, EVIDENCE_EXITED, 0);
        assert_int_equal(judge(&world).left, LEFT_OFF);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_rule_has_its_world_and_names_it),
                cmocka_unit_test(whoever_cleans_up_after_a_domain_has_not_destroyed_it),
                cmocka_unit_test(each_rule_has_a_name_of_its_own),
                cmocka_unit_test(each_rule_has_a_sentence_that_names_the_vm),
                cmocka_unit_test(the_truth_table_holds),
                cmocka_unit_test(no_evidence_is_unknown),
                cmocka_unit_test(the_first_cause_wins),
                cmocka_unit_test(the_end_of_the_process_is_no_cause_where_there_is_another),
                cmocka_unit_test(an_oom_kill_outranks_the_sigkill_it_sends),
                cmocka_unit_test(an_oom_kill_outranks_a_host_that_goes_down),
                cmocka_unit_test(a_button_counts_for_as_long_as_the_owner_says),
                cmocka_unit_test(the_default_button_times_are_two_and_ten_minutes),
                cmocka_unit_test(a_button_pressed_after_the_poweroff_explains_nothing),
                cmocka_unit_test(a_rival_within_ten_milliseconds_makes_it_likely),
                cmocka_unit_test(a_signal_sent_afterwards_names_nobody),
                cmocka_unit_test(a_sender_whom_the_trace_saw_is_believed_first),
                cmocka_unit_test(a_request_long_before_its_effect_names_nobody),
                cmocka_unit_test(a_request_for_something_else_names_nobody),
                cmocka_unit_test(who_alone_was_at_another_monitor_is_named),
                cmocka_unit_test(a_toolstacks_client_is_told_with_it),
                cmocka_unit_test(a_sender_who_is_only_claimed_is_told_with_that_doubt),
                cmocka_unit_test(a_daemon_that_frees_memory_is_known_by_its_program_and_its_user),
                cmocka_unit_test(a_reset_loop_counts_its_firmware_starts),
                cmocka_unit_test(an_isapc_has_no_acpi),
                cmocka_unit_test(what_was_held_stays_off_when_it_is_cleared_away),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
