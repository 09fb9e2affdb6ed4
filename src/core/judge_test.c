/*
 * The judge: the truth table, each rule, and the laws that hold for any evidence.
 *
 * The laws are tried on worlds drawn by a seeded generator; VMPOWER_SEED sets another seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"

#include <signal.h>

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
        WORLD_MAX = 40,
};

/* Some facts, owned. */
struct world {
        struct evidence items[WORLD_MAX];
        size_t n;
};

static void world_deinit(struct world *world) {
        for (size_t i = 0; i < world->n; i++)
                evidence_deinit(&world->items[i]);
}

static struct evidence *add(struct world *world, double at, enum evidence_source source, enum evidence_kind kind) {
        struct evidence *e = &world->items[world->n];

        assert_true(world->n < WORLD_MAX);
        *e = evidence_make(source, kind);
        e->at_ns = 1000 * SECOND + (uint64_t)(at * 1e9);
        e->time_ns = 7 * e->at_ns;
        e->seq = ++world->n;
        return e;
}

static void qmp(struct world *world, double at, enum evidence_kind kind, enum tristate flag, const char *word) {
        struct evidence *e = add(world, at, SOURCE_QMP, kind);

        e->flag = flag;
        evidence_set_word(e, word);
}

static void shutdown_by_guest(struct world *world, double at, const char *reason) {
        qmp(world, at, EVIDENCE_SHUTDOWN, TRISTATE_TRUE, reason);
}

static void shutdown_by_host(struct world *world, double at, const char *reason) {
        qmp(world, at, EVIDENCE_SHUTDOWN, TRISTATE_FALSE, reason);
}

static void process(struct world *world, double at, enum evidence_kind kind, int64_t number) {
        add(world, at, SOURCE_PROCESS, kind)->number = number;
}

static void act(struct evidence *e, const char *comm) {
        struct actor actor = { .pid = 990, .uid = 1000 };

        text_set(actor.comm, sizeof(actor.comm), comm);
        assert_int_equal(evidence_set_actor(e, &actor), 0);
}

static void sent(struct world *world, double at, enum evidence_source source, int64_t number, const char *comm) {
        struct evidence *e = add(world, at, source, EVIDENCE_SIGNAL);

        e->number = number;
        if (comm)
                act(e, comm);
}

static void asked(struct world *world, double at, const char *command, const char *comm) {
        struct evidence *e = add(world, at, SOURCE_VMPOWER, EVIDENCE_REQUEST);

        evidence_set_word(e, command);
        act(e, comm);
}

static void said(struct world *world, double at, enum evidence_source source, const char *text) {
        struct evidence *e = add(world, at, source, source == SOURCE_CONSOLE ? EVIDENCE_LINE : EVIDENCE_MESSAGE);

        evidence_set_text(e, text, strlen(text));
}

static void going_down(struct world *world, double at, const char *comm) {
        act(add(world, at, SOURCE_HOST, EVIDENCE_GOING_DOWN), comm);
}

static void pc(struct world *world) {
        qmp(world, 0, EVIDENCE_MONITOR_OPENED, TRISTATE_NULL, "7.2.22");
        qmp(world, 0, EVIDENCE_MACHINE, TRISTATE_NULL, "pc-i440fx-7.2");
}

static struct verdict judge(const struct world *world) {
        return verdict_from_evidence(world->items, world->n, NULL);
}

/* --- the table: a world for each rule ---------------------------------------------------------------------------- */

static void world_watchdog_reset(struct world *w) {
        qmp(w, 5, EVIDENCE_WATCHDOG, TRISTATE_NULL, "reset");
        qmp(w, 5.001, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
        qmp(w, 5.02, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
}
static void world_watchdog_poweroff(struct world *w) {
        qmp(w, 5, EVIDENCE_WATCHDOG, TRISTATE_NULL, "poweroff");
        process(w, 5.002, EVIDENCE_EXITED, 0);
}
static void world_watchdog_pause(struct world *w) {
        qmp(w, 5, EVIDENCE_WATCHDOG, TRISTATE_NULL, "pause");
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
}
static void world_crash_kernel(struct world *w) {
        qmp(w, 5, EVIDENCE_GUEST_CRASHLOADED, TRISTATE_NULL, "run");
        qmp(w, 9, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
}
static void world_panic(struct world *w) {
        qmp(w, 5, EVIDENCE_GUEST_PANICKED, TRISTATE_NULL, "poweroff");
        shutdown_by_guest(w, 5, "guest-panic");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_hibernate(struct world *w) {
        pc(w);
        qmp(w, 5, EVIDENCE_SUSPEND_DISK, TRISTATE_NULL, "");
        shutdown_by_guest(w, 5, "guest-shutdown");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_migrated(struct world *w) {
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.1, EVIDENCE_STATUS, TRISTATE_NULL, "postmigrate");
        shutdown_by_host(w, 6, "host-qmp-quit");
}
static void world_oom_victim(struct world *w) {
        process(w, 5, EVIDENCE_OOM_KILL, 1);
        add(w, 5.001, SOURCE_TRACE, EVIDENCE_OOM_KILL);
        process(w, 5.1, EVIDENCE_KILLED, SIGKILL);
}
static void world_oom_daemon(struct world *w) {
        sent(w, 5, SOURCE_TRACE, SIGTERM, "earlyoom");
        shutdown_by_host(w, 5.001, "host-signal");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_host_shutdown_obeyed(struct world *w) {
        pc(w);
        going_down(w, 5, "systemctl");
        qmp(w, 6, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 9, "guest-shutdown");
}
static void world_host_shutdown_ended(struct world *w) {
        going_down(w, 5, "systemctl");
        sent(w, 6, SOURCE_TRACE, SIGTERM, "systemd");
        shutdown_by_host(w, 6.001, "host-signal");
}
static void world_button(struct world *w) {
        pc(w);
        asked(w, 5, "system_powerdown", "vmpower");
        qmp(w, 5.001, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 7, "guest-shutdown");
        process(w, 7.005, EVIDENCE_EXITED, 0);
}
static void world_button_slow(struct world *w) {
        pc(w);
        qmp(w, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 305, "guest-shutdown");
}
static void world_button_long_ago(struct world *w) {
        pc(w);
        qmp(w, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 905, "guest-shutdown");
}
static void world_button_long_ago_somehow(struct world *w) {
        qmp(w, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 905, "guest-shutdown");
}
static void world_button_reboot(struct world *w) {
        qmp(w, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        qmp(w, 7, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
}
static void world_button_reboot_slow(struct world *w) {
        qmp(w, 5, EVIDENCE_POWERDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 305, "guest-reset");
}
static void world_pvpanic(struct world *w) {
        pc(w);
        qmp(w, 5, EVIDENCE_GUEST_PVSHUTDOWN, TRISTATE_NULL, "");
        shutdown_by_guest(w, 5, "guest-shutdown");
}
static void world_apm(struct world *w) {
        pc(w);
        shutdown_by_guest(w, 5, "guest-shutdown");
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        add(w, 5.001, SOURCE_QMP, EVIDENCE_PM1_CONTROL)->number = 0x2000;
}
static void world_poweroff(struct world *w) {
        pc(w);
        shutdown_by_guest(w, 5, "guest-shutdown");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_poweroff_somehow(struct world *w) {
        qmp(w, 0, EVIDENCE_MACHINE, TRISTATE_NULL, "microvm");
        shutdown_by_guest(w, 5, "guest-shutdown");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_guest_reset(struct world *w) {
        qmp(w, 5, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
        qmp(w, 5.02, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
        qmp(w, 5.05, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
}
static void world_qmp_reset(struct world *w) {
        asked(w, 4.99, "system_reset", "vmpower");
        qmp(w, 5, EVIDENCE_RESET, TRISTATE_FALSE, "host-qmp-system-reset");
        qmp(w, 5.055, EVIDENCE_RESET, TRISTATE_TRUE, "guest-reset");
}
static void world_ui_reset(struct world *w) {
        qmp(w, 5, EVIDENCE_RESET, TRISTATE_FALSE, "host-ui");
}
static void world_reset_unexplained(struct world *w) {
        qmp(w, 5, EVIDENCE_RESET, TRISTATE_FALSE, "snapshot-load");
}
static void world_quit(struct world *w) {
        asked(w, 4.99, "quit", "vmpower");
        shutdown_by_host(w, 5, "host-qmp-quit");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_window(struct world *w) {
        shutdown_by_host(w, 5, "host-ui");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_signal_asked(struct world *w) {
        sent(w, 5, SOURCE_TRACE, SIGTERM, "kill");
        shutdown_by_host(w, 5.001, "host-signal");
        sent(w, 5.002, SOURCE_STDERR, SIGTERM, "kill");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_vmm_error(struct world *w) {
        shutdown_by_host(w, 5, "host-error");
        process(w, 5.005, EVIDENCE_EXITED, 1);
}
static void world_shutdown_unexplained(struct world *w) {
        shutdown_by_host(w, 5, "host-whim");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_suspend(struct world *w) {
        qmp(w, 5, EVIDENCE_SUSPEND, TRISTATE_NULL, "");
}
static void world_wake_asked(struct world *w) {
        asked(w, 4.99, "system_wakeup", "vmpower");
        qmp(w, 5, EVIDENCE_WAKEUP, TRISTATE_NULL, "");
}
static void world_wake(struct world *w) {
        qmp(w, 5, EVIDENCE_WAKEUP, TRISTATE_NULL, "");
}
static void world_halted_announced(struct world *w) {
        said(w, 4, SOURCE_CONSOLE, "[   12.345678] reboot: System halted");
        qmp(w, 6, EVIDENCE_REGISTERS, TRISTATE_TRUE, "");
}
static void world_halted(struct world *w) {
        qmp(w, 6, EVIDENCE_REGISTERS, TRISTATE_TRUE, "");
}
static void world_io_error(struct world *w) {
        qmp(w, 5, EVIDENCE_BLOCK_IO_ERROR, TRISTATE_NULL, "stop");
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
}
static void world_internal_error(struct world *w) {
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "internal-error");
}
static void world_stop(struct world *w) {
        asked(w, 4.99, "stop", "vmpower");
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "paused");
}
static void world_cont(struct world *w) {
        asked(w, 4.99, "cont", "vmpower");
        qmp(w, 5, EVIDENCE_RESUME, TRISTATE_NULL, "");
}
static void world_signal_stop(struct world *w) {
        sent(w, 4.999, SOURCE_TRACE, SIGSTOP, "kill");
        process(w, 5, EVIDENCE_STOPPED, SIGSTOP);
}
static void world_signal_cont(struct world *w) {
        sent(w, 4.999, SOURCE_TRACE, SIGCONT, "kill");
        process(w, 5, EVIDENCE_CONTINUED, 0);
}
static void world_oom_cgroup(struct world *w) {
        process(w, 5, EVIDENCE_KILLED, SIGKILL);
        process(w, 5.001, EVIDENCE_OOM_KILL, 1);
}
static void world_signal_by_someone(struct world *w) {
        sent(w, 4.999, SOURCE_TRACE, SIGKILL, "kill");
        process(w, 5, EVIDENCE_KILLED, SIGKILL);
}
static void world_kill_unseen(struct world *w) {
        pc(w);
        process(w, 5, EVIDENCE_KILLED, SIGKILL);
}
static void world_vmm_fault(struct world *w) {
        said(w, 5, SOURCE_STDERR, "qemu: Assertion `x' failed.");
        process(w, 5, EVIDENCE_KILLED, SIGABRT);
}
static void world_signal_end(struct world *w) {
        process(w, 0.01, EVIDENCE_KILLED, SIGTERM);
}
static void world_signal_exit(struct world *w) {
        sent(w, 5, SOURCE_STDERR, SIGINT, "sh");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_debug_exit(struct world *w) {
        pc(w);
        qmp(w, 0, EVIDENCE_DEVICE, TRISTATE_NULL, "isa-debug-exit");
        said(w, 0, SOURCE_STDERR, "qemu: warning: something");
        process(w, 5, EVIDENCE_EXITED, 33);
}
static void world_vmm_failed(struct world *w) {
        said(w, 0.05, SOURCE_STDERR, "qemu: could not open disk.img");
        process(w, 0.051, EVIDENCE_EXITED, 1);
}
static void world_exit_unexplained(struct world *w) {
        pc(w);
        process(w, 5, EVIDENCE_EXITED, 0);
}
static void world_vanished(struct world *w) {
        process(w, 5, EVIDENCE_VANISHED, 0);
}
static void world_nothing(struct world *w) {
}

static const struct {
        const char *rule;
        void (*build)(struct world *world);
        enum left left;
        const char *actor;
} worlds[] = {
        { "watchdog-reset", world_watchdog_reset, LEFT_RUNNING },
        { "watchdog-poweroff", world_watchdog_poweroff, LEFT_GONE },
        { "watchdog-pause", world_watchdog_pause, LEFT_PAUSED },
        { "crash-kernel", world_crash_kernel, LEFT_RUNNING },
        { "panic-device", world_panic, LEFT_GONE },
        { "hibernate", world_hibernate, LEFT_GONE },
        { "migrated", world_migrated, LEFT_PAUSED },
        { "oom-victim", world_oom_victim, LEFT_GONE },
        { "oom-daemon", world_oom_daemon, LEFT_GONE, "earlyoom" },
        { "guest-poweroff-apm", world_apm, LEFT_OFF },
        { "host-shutdown-obeyed", world_host_shutdown_obeyed, LEFT_OFF, "systemctl" },
        { "host-shutdown-ended", world_host_shutdown_ended, LEFT_OFF, "systemctl" },
        { "power-button", world_button, LEFT_GONE, "vmpower" },
        { "power-button-slow", world_button_slow, LEFT_OFF },
        { "guest-poweroff-pvpanic", world_pvpanic, LEFT_OFF },
        { "power-button-long-ago", world_button_long_ago, LEFT_OFF },
        { "power-button-long-ago-somehow", world_button_long_ago_somehow, LEFT_OFF },
        { "power-button-reboot", world_button_reboot, LEFT_RUNNING },
        { "power-button-reboot-slow", world_button_reboot_slow, LEFT_OFF },
        { "guest-poweroff", world_poweroff, LEFT_GONE },
        { "guest-poweroff-somehow", world_poweroff_somehow, LEFT_GONE },
        { "guest-reset", world_guest_reset, LEFT_RUNNING },
        { "qmp-reset", world_qmp_reset, LEFT_RUNNING, "vmpower" },
        { "ui-reset", world_ui_reset, LEFT_RUNNING },
        { "reset-unexplained", world_reset_unexplained, LEFT_RUNNING },
        { "qmp-quit", world_quit, LEFT_GONE, "vmpower" },
        { "window-closed", world_window, LEFT_GONE },
        { "signal-asked", world_signal_asked, LEFT_GONE, "kill" },
        { "vmm-error", world_vmm_error, LEFT_GONE },
        { "shutdown-unexplained", world_shutdown_unexplained, LEFT_GONE },
        { "suspend", world_suspend, LEFT_SUSPENDED },
        { "wake-asked", world_wake_asked, LEFT_RUNNING, "vmpower" },
        { "wake", world_wake, LEFT_RUNNING },
        { "halted-announced", world_halted_announced, LEFT_HALTED },
        { "halted", world_halted, LEFT_HALTED },
        { "io-error", world_io_error, LEFT_PAUSED },
        { "vmm-internal-error", world_internal_error, LEFT_PAUSED },
        { "qmp-stop", world_stop, LEFT_PAUSED, "vmpower" },
        { "qmp-cont", world_cont, LEFT_RUNNING, "vmpower" },
        { "signal-stop", world_signal_stop, LEFT_PAUSED, "kill" },
        { "signal-cont", world_signal_cont, LEFT_RUNNING, "kill" },
        { "oom-cgroup", world_oom_cgroup, LEFT_GONE },
        { "signal-by-someone", world_signal_by_someone, LEFT_GONE, "kill" },
        { "kill-unseen", world_kill_unseen, LEFT_GONE },
        { "vmm-fault", world_vmm_fault, LEFT_GONE },
        { "signal-end", world_signal_end, LEFT_GONE },
        { "signal-exit", world_signal_exit, LEFT_GONE, "sh" },
        { "debug-exit", world_debug_exit, LEFT_GONE },
        { "vmm-failed", world_vmm_failed, LEFT_GONE },
        { "exit-unexplained", world_exit_unexplained, LEFT_GONE },
        { "vanished", world_vanished, LEFT_GONE },
        { "no-evidence", world_nothing, LEFT_GONE },
};

static void each_rule_has_its_world_and_names_it(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(worlds); i++) {
                const struct rule_info *rule = judge_rule(i);
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                assert_non_null(rule);
                assert_string_equal(rule->name, worlds[i].rule);
                worlds[i].build(&world);
                v = judge(&world);
                assert_string_equal(v.rule, worlds[i].rule);
                assert_int_equal(v.transition, rule->transition);
                assert_int_equal(v.initiator, rule->initiator);
                assert_int_equal(v.mechanism, rule->mechanism);
                assert_int_equal(v.graceful, rule->graceful);
                assert_int_equal(v.confidence, rule->confidence);
                if (v.left != worlds[i].left)
                        fail_msg("%s: left %s, not %s", v.rule, left_name(v.left), left_name(worlds[i].left));
                assert_string_equal(v.actor ? v.actor->comm : "", worlds[i].actor ? worlds[i].actor : "");
        }
        assert_null(judge_rule(N_ELEMENTS(worlds)));
}

static void each_rule_has_a_name_of_its_own(void **state) {
        for (size_t i = 0; judge_rule(i); i++)
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(judge_rule(i)->name, judge_rule(k)->name);
}

static void each_rule_has_a_sentence_that_names_the_vm(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(worlds); i++) {
                cleanup(world_deinit) struct world world = { 0 };
                char text[VERDICT_SUMMARY_MAX];
                struct verdict v;
                size_t length;

                worlds[i].build(&world);
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

/* The design's truth table, but for what stories tell better. */
static void the_truth_table_holds(void **state) {
        static const struct {
                void (*build)(struct world *world);
                enum transition transition;
                enum initiator initiator;
                enum mechanism mechanism;
                enum tristate graceful;
        } rows[] = {
#define ROW(world, t, i, m, g) { world_##world, TRANSITION_##t, INITIATOR_##i, MECHANISM_##m, TRISTATE_##g }
                ROW(poweroff, POWEROFF, GUEST, ACPI_S5, TRUE),
                ROW(poweroff_somehow, POWEROFF, GUEST, GUEST_SHUTDOWN, TRUE),
                ROW(apm, POWEROFF, GUEST, APM, TRUE),
                ROW(button, POWEROFF, OPERATOR, POWER_BUTTON, TRUE),
                ROW(button_reboot, REBOOT, OPERATOR, POWER_BUTTON, NULL),
                ROW(guest_reset, REBOOT, GUEST, GUEST_RESET, NULL),
                ROW(qmp_reset, REBOOT, OPERATOR, QMP_RESET, FALSE),
                ROW(halted, HALT, GUEST, HALTED, NULL),
                ROW(halted_announced, HALT, GUEST, HALTED, TRUE),
                ROW(panic, CRASH, GUEST, PANIC_DEVICE, FALSE),
                ROW(suspend, SUSPEND, GUEST, ACPI_S3, TRUE),
                ROW(wake_asked, WAKE, OPERATOR, ACPI_S3, NULL),
                ROW(wake, WAKE, UNKNOWN, ACPI_S3, NULL),
                ROW(hibernate, HIBERNATE, GUEST, ACPI_S4, TRUE),
                ROW(quit, DESTROY, OPERATOR, QMP_QUIT, FALSE),
                ROW(window, DESTROY, OPERATOR, UI, FALSE),
                ROW(signal_asked, DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW(signal_by_someone, DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW(kill_unseen, DESTROY, OPERATOR, SIGNAL, FALSE),
                ROW(oom_victim, DESTROY, HOST, OOM_KILL, FALSE),
                ROW(oom_cgroup, DESTROY, HOST, OOM_KILL, FALSE),
                ROW(oom_daemon, DESTROY, HOST, OOM_KILL, FALSE),
                ROW(host_shutdown_ended, DESTROY, HOST, HOST_SHUTDOWN, FALSE),
                ROW(host_shutdown_obeyed, POWEROFF, HOST, HOST_SHUTDOWN, TRUE),
                ROW(vmm_fault, FAILURE, VMM, SIGNAL, FALSE),
                ROW(vmm_failed, FAILURE, VMM, PROCESS_EXIT, FALSE),
                ROW(debug_exit, POWEROFF, GUEST, DEBUG_EXIT, NULL),
                ROW(stop, PAUSE, OPERATOR, QMP_STOP, NULL),
                ROW(cont, RESUME, OPERATOR, QMP_STOP, NULL),
                ROW(signal_stop, PAUSE, OPERATOR, SIGNAL, NULL),
                ROW(signal_cont, RESUME, OPERATOR, SIGNAL, NULL),
                ROW(io_error, PAUSE, HOST, IO_ERROR, NULL),
                ROW(watchdog_reset, REBOOT, GUEST, WATCHDOG, FALSE),
                ROW(watchdog_poweroff, POWEROFF, GUEST, WATCHDOG, FALSE),
                ROW(watchdog_pause, PAUSE, GUEST, WATCHDOG, FALSE),
                ROW(migrated, MIGRATE, OPERATOR, MIGRATION, NULL),
                ROW(vanished, UNKNOWN, UNKNOWN, UNSEEN, NULL),
#undef ROW
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                rows[i].build(&world);
                v = judge(&world);
                assert_int_equal(v.transition, rows[i].transition);
                assert_int_equal(v.initiator, rows[i].initiator);
                assert_int_equal(v.mechanism, rows[i].mechanism);
                assert_int_equal(v.graceful, rows[i].graceful);
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
        add(&world, 5.00002, SOURCE_TRACE, EVIDENCE_OOM_KILL);
        process(&world, 5.1, EVIDENCE_KILLED, SIGKILL);
        assert_string_equal(judge(&world).rule, "oom-victim");
        assert_null(judge(&world).actor);
}

static void an_oom_kill_outranks_a_host_that_goes_down(void **state) {
        cleanup(world_deinit) struct world world = { 0 };

        going_down(&world, 1, "systemctl");
        add(&world, 5, SOURCE_TRACE, EVIDENCE_OOM_KILL);
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

/* --- laws -------------------------------------------------------------------------------------------------------- */

static uint64_t seed_at_start, random_state;

static uint32_t draw(uint32_t n) {
        /* xorshift64* (Vigna, 2014) */
        random_state ^= random_state >> 12;
        random_state ^= random_state << 25;
        random_state ^= random_state >> 27;
        return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

static int seed(void **state) {
        const char *text = getenv("VMPOWER_SEED");

        seed_at_start = text ? strtoull(text, NULL, 0) : 20260901;
        random_state = seed_at_start * 2 + 1;
        return 0;
}

/* Words that mean something to some rule, and one that means nothing. */
static const char *const words[] = {
        "guest-shutdown", "guest-reset", "guest-panic", "host-qmp-quit", "host-qmp-system-reset", "host-signal",
        "host-ui",        "host-error",  "poweroff",    "reset",         "shutdown",              "pause",
        "run",            "stop",        "cont",        "quit",          "system_reset",          "system_powerdown",
        "system_wakeup",  "postmigrate", "io-error",    "internal-error", "guest-panicked",       "paused",
        "pc-i440fx-7.2",  "microvm",     "isa-debug-exit", "whatever",
};
static const char *const comms[] = { "kill", "earlyoom", "systemd-oomd", "virsh", "systemd" };
static const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGSEGV, SIGABRT, SIGSTOP, SIGCONT, SIGUSR1 };
static const char *const texts[] = { "reboot: System halted", "reboot: Power down", "nothing of note" };

/* Times are few and seconds or milliseconds apart, so that facts meet. */
static uint64_t draw_time(void) {
        static const uint64_t steps[] = { 1 * MS, 20 * MS, SECOND, 60 * SECOND };

        return 1000 * SECOND + draw(8) * steps[draw(4)];
}

static void draw_fact(struct world *world) {
        struct evidence *e = add(world, 0, (enum evidence_source)draw(_SOURCE_N), (enum evidence_kind)draw(_EVIDENCE_KIND_N));
        const char *text = texts[draw(N_ELEMENTS(texts))];

        e->at_ns = draw_time();
        e->time_ns = 7 * e->at_ns;
        e->seq = draw(3);
        e->flag = (enum tristate)draw(3);
        e->number = draw(2) ? signals[draw(N_ELEMENTS(signals))] : (int64_t)draw(4);
        evidence_set_word(e, words[draw(N_ELEMENTS(words))]);
        evidence_set_text(e, text, strlen(text));
        if (draw(2))
                act(e, comms[draw(N_ELEMENTS(comms))]);
}

/* Mostly worlds of one rule with strangers among them; some all strange. */
static void draw_world(struct world *world, size_t n_strangers) {
        if (draw(4))
                worlds[draw(N_ELEMENTS(worlds))].build(world);
        for (size_t i = 0; i < n_strangers; i++)
                draw_fact(world);
}

static void describe(const struct world *world) {
        print_message("# VMPOWER_SEED=%" PRIu64 "\n", seed_at_start);
        for (size_t i = 0; i < world->n; i++) {
                const struct evidence *e = &world->items[i];

                print_message("# %" PRIu64 " ms %s %s seq=%" PRIu64 " flag=%d number=%" PRId64 " word=%s actor=%s\n",
                              e->at_ns / MS, evidence_source_name(e->source), evidence_kind_info(e->kind)->name, e->seq,
                              e->flag, e->number, e->word, e->actor ? e->actor->comm : "none");
        }
}

static bool is_same_actor(const struct actor *a, const struct actor *b) {
        return !a == !b && (!a || (a->pid == b->pid && !strcmp(a->comm, b->comm)));
}

static bool is_same_verdict(const struct verdict *a, const struct verdict *b) {
        return a->rule == b->rule && a->at_ns == b->at_ns && a->time_ns == b->time_ns && a->transition == b->transition &&
               a->initiator == b->initiator && a->mechanism == b->mechanism && a->graceful == b->graceful &&
               a->left == b->left && a->count == b->count && a->confidence == b->confidence && a->n_proof == b->n_proof &&
               is_same_actor(a->actor, b->actor);
}

static bool is_same_proof(const struct verdict *a, const struct evidence *items_a, const struct verdict *b,
                          const struct evidence *items_b) {
        for (size_t i = 0; i < a->n_proof; i++)
                if (!evidence_is_same(&items_a[a->proof[i]], &items_b[b->proof[i]]))
                        return false;
        return true;
}

static void must_judge_alike(const struct world *world, const struct evidence *items, size_t n, const char *law) {
        struct verdict a = judge(world), b = verdict_from_evidence(items, n, NULL);

        if (is_same_verdict(&a, &b) && is_same_proof(&a, world->items, &b, items))
                return;
        describe(world);
        fail_msg("%s: %s, and then %s", law, a.rule, b.rule);
}

static void swap(struct evidence *a, struct evidence *b) {
        struct evidence c = *a;

        *a = *b;
        *b = c;
}

/* Heap's algorithm: every order of the items. */
static void permute(const struct world *world, struct evidence *items, size_t n) {
        if (n <= 1) {
                must_judge_alike(world, items, world->n, "the order of delivery matters");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                permute(world, items, n - 1);
                swap(&items[n % 2 ? 0 : i], &items[n - 1]);
        }
}

static void the_order_of_delivery_does_not_matter(void **state) {
        for (int round = 0; round < 300; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[WORLD_MAX];

                draw_world(&world, draw(3));
                if (world.n > 6)
                        continue;
                memcpy(items, world.items, sizeof(items));
                permute(&world, items, world.n);
        }
}

static void the_order_of_many_facts_does_not_matter(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[WORLD_MAX];

                draw_world(&world, 1 + draw(30));
                memcpy(items, world.items, sizeof(items));
                for (int again = 0; again < 4; again++) {
                        for (size_t i = world.n - 1; i > 0; i--)
                                swap(&items[i], &items[draw((uint32_t)i + 1)]);
                        must_judge_alike(&world, items, world.n, "the order of delivery matters");
                }
        }
}

static void a_repeated_fact_changes_nothing(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[2 * WORLD_MAX];
                size_t n;

                draw_world(&world, draw(10));
                n = world.n;
                memcpy(items, world.items, sizeof(world.items));
                for (size_t i = 0; i < world.n; i++)
                        if (draw(2))
                                items[n++] = world.items[i];
                must_judge_alike(&world, items, n, "a repeated fact matters");
        }
}

static void irrelevant_facts_change_nothing(void **state) {
        for (int round = 0; round < 3000; round++) {
                static const enum evidence_kind kinds[] = {
                        EVIDENCE_DEVICE, EVIDENCE_REGISTERS,     EVIDENCE_MONITOR_OPENED, EVIDENCE_MONITOR_TAKEN,
                        EVIDENCE_LINE,   EVIDENCE_MALFORMED,     EVIDENCE_OMITTED,        EVIDENCE_GAP,
                        EVIDENCE_STATUS, EVIDENCE_BLOCK_IO_ERROR, EVIDENCE_REQUEST,
                };
                cleanup(world_deinit) struct world world = { 0 }, more = { 0 };

                draw_world(&world, draw(10));
                for (size_t i = 0; i < world.n; i++) {
                        assert_int_equal(evidence_copy(&more.items[i], &world.items[i]), 0);
                        more.n++;
                }
                for (int i = 0; i < 5; i++) {
                        enum evidence_kind kind = kinds[draw(N_ELEMENTS(kinds))];
                        struct evidence *e;

                        /* The status that matters is the first after a stop: repeat the last that there is. */
                        if (kind == EVIDENCE_STATUS && (!world.n || world.items[world.n - 1].kind != EVIDENCE_STATUS))
                                continue;
                        /* That the monitor answered matters to debug-exit alone. */
                        if (kind == EVIDENCE_MONITOR_OPENED && world.n && !strcmp(judge(&world).rule, "vmm-failed"))
                                continue;
                        e = add(&more, 0, SOURCE_CONSOLE, kind);
                        e->at_ns = draw_time();
                        e->time_ns = 7 * e->at_ns;
                        e->flag = TRISTATE_FALSE;
                        evidence_set_word(e, "means-nothing");
                        evidence_set_text(e, "means nothing", strlen("means nothing"));
                        if (kind == EVIDENCE_STATUS) {
                                e->at_ns = world.items[world.n - 1].at_ns + 1;
                                evidence_set_word(e, world.items[world.n - 1].word);
                        }
                        if (kind == EVIDENCE_MONITOR_OPENED)
                                e->at_ns = UINT64_MAX / 16; /* a proof is the first of them */
                }
                must_judge_alike(&world, more.items, more.n, "an irrelevant fact matters");
        }
}

static void the_proof_supports_the_rule(void **state) {
        for (int round = 0; round < 5000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[VERDICT_PROOF_MAX];
                struct verdict whole, alone;

                draw_world(&world, draw(20));
                whole = judge(&world);
                assert_true(whole.n_proof <= VERDICT_PROOF_MAX);
                for (size_t i = 0; i < whole.n_proof; i++) {
                        assert_true(whole.proof[i] < world.n);
                        items[i] = world.items[whole.proof[i]];
                }
                alone = verdict_from_evidence(items, whole.n_proof, NULL);
                if (alone.rule == whole.rule && alone.transition == whole.transition &&
                    alone.initiator == whole.initiator && alone.mechanism == whole.mechanism &&
                    alone.confidence == whole.confidence && is_same_actor(alone.actor, whole.actor))
                        continue;
                describe(&world);
                fail_msg("the proof of %s alone makes it %s", whole.rule, alone.rule);
        }
}

static void the_cause_is_the_first_proof(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                draw_world(&world, draw(20));
                v = judge(&world);
                if (!v.n_proof)
                        assert_string_equal(v.rule, "no-evidence");
                else
                        assert_int_equal(world.items[v.proof[0]].at_ns, v.at_ns);
        }
}

static void the_actor_is_one_of_the_evidences(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                bool found = false;
                struct verdict v;

                draw_world(&world, draw(20));
                v = judge(&world);
                for (size_t i = 0; i < v.n_proof; i++)
                        found = found || world.items[v.proof[i]].actor == v.actor;
                if (v.actor && !found) {
                        describe(&world);
                        fail_msg("the actor of %s is not part of its proof", v.rule);
                }
                if (v.initiator == INITIATOR_GUEST || v.initiator == INITIATOR_UNKNOWN || v.initiator == INITIATOR_VMM)
                        assert_null(v.actor);
        }
}

static void every_world_has_a_summary_within_its_bound(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                char text[VERDICT_SUMMARY_MAX + 1], name[300];
                struct verdict v;

                memset(name, 'n', sizeof(name));
                name[draw(sizeof(name))] = '\0';
                text[VERDICT_SUMMARY_MAX] = 'x';
                draw_world(&world, draw(20));
                v = judge(&world);
                assert_true(verdict_summarise(&v, world.items, name, text) < VERDICT_SUMMARY_MAX);
                assert_int_equal(text[VERDICT_SUMMARY_MAX], 'x');
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_rule_has_its_world_and_names_it),
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
                cmocka_unit_test(a_reset_loop_counts_its_firmware_starts),
                cmocka_unit_test(an_isapc_has_no_acpi),
                cmocka_unit_test(what_was_held_stays_off_when_it_is_cleared_away),
                cmocka_unit_test_setup(the_order_of_delivery_does_not_matter, seed),
                cmocka_unit_test_setup(the_order_of_many_facts_does_not_matter, seed),
                cmocka_unit_test_setup(a_repeated_fact_changes_nothing, seed),
                cmocka_unit_test_setup(irrelevant_facts_change_nothing, seed),
                cmocka_unit_test_setup(the_proof_supports_the_rule, seed),
                cmocka_unit_test_setup(the_cause_is_the_first_proof, seed),
                cmocka_unit_test_setup(the_actor_is_one_of_the_evidences, seed),
                cmocka_unit_test_setup(every_world_has_a_summary_within_its_bound, seed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
