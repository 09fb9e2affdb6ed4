#include "core/judge_test_world.h"
#include "basics/cleanup.h"
#include "core/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

void world_deinit(struct world *world) {
        for (size_t i = 0; i < world->n; i++)
                evidence_deinit(&world->items[i]);
}

struct evidence *world_add(struct world *world, double at, enum evidence_source source, enum evidence_kind kind) {
        struct evidence *e = &world->items[world->n];

        if (world->n == WORLD_MAX)
                __builtin_trap();
        *e = evidence_make(source, kind);
        e->at_ns = 1000 * SECOND + (uint64_t)(at * 1e9);
        e->time_ns = 7 * e->at_ns;
        e->seq = ++world->n;
        return e;
}

void qmp(struct world *world, double at, enum evidence_kind kind, enum tristate flag, const char *word) {
        struct evidence *e = world_add(world, at, SOURCE_QMP, kind);

        e->flag = flag;
        evidence_set_word(e, word);
}

void shutdown_by_guest(struct world *world, double at, const char *reason) {
        qmp(world, at, EVIDENCE_SHUTDOWN, TRISTATE_TRUE, reason);
}

void shutdown_by_host(struct world *world, double at, const char *reason) {
        qmp(world, at, EVIDENCE_SHUTDOWN, TRISTATE_FALSE, reason);
}

void process(struct world *world, double at, enum evidence_kind kind, int64_t number) {
        world_add(world, at, SOURCE_PROCESS, kind)->number = number;
}

void act(struct evidence *e, const char *comm) {
        struct actor actor = { .pid = 990, .uid = -1 };

        text_set(actor.comm, sizeof(actor.comm), comm);
        if (evidence_set_actor(e, &actor))
                __builtin_trap();
}

void is_service(struct evidence *e) {
        e->actor->uid = 0;
        text_set(e->actor->user, sizeof(e->actor->user), "root");
        snprintf(e->actor->exe, sizeof(e->actor->exe), "/usr/bin/%s", e->actor->comm);
}

void sent(struct world *world, double at, enum evidence_source source, int64_t number, const char *comm) {
        struct evidence *e = world_add(world, at, source, EVIDENCE_SIGNAL);

        e->number = number;
        if (comm)
                act(e, comm);
}

void asked(struct world *world, double at, const char *command, const char *comm) {
        struct evidence *e = world_add(world, at, SOURCE_VMPOWER, EVIDENCE_REQUEST);

        evidence_set_word(e, command);
        act(e, comm);
}

void said(struct world *world, double at, enum evidence_source source, const char *text) {
        struct evidence *e = world_add(world, at, source, source == SOURCE_CONSOLE ? EVIDENCE_LINE : EVIDENCE_MESSAGE);

        evidence_set_text(e, text, strlen(text));
}

void going_down(struct world *world, double at, const char *comm) {
        act(world_add(world, at, SOURCE_HOST, EVIDENCE_GOING_DOWN), comm);
}

void pc(struct world *world) {
        qmp(world, 0, EVIDENCE_MONITOR_OPENED, TRISTATE_NULL, "7.2.22");
        qmp(world, 0, EVIDENCE_MACHINE, TRISTATE_NULL, "pc-i440fx-7.2");
}

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
static void world_migrated_and_quit(struct world *w) {
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "finish-migrate");
        shutdown_by_host(w, 5.05, "host-qmp-quit");
}
static void world_migration_pause(struct world *w) {
        asked(w, 1, "migrate", "tool");
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "finish-migrate");
}
static void world_migration_failed(struct world *w) {
        asked(w, 1, "migrate", "tool");
        qmp(w, 4.001, EVIDENCE_STATUS, TRISTATE_NULL, "finish-migrate");
        qmp(w, 5, EVIDENCE_RESUME, TRISTATE_NULL, "");
}
static void world_migrated_here(struct world *w) {
        qmp(w, 1, EVIDENCE_STATUS, TRISTATE_NULL, "inmigrate");
        asked(w, 2, "migrate-incoming", "tool");
        qmp(w, 5, EVIDENCE_RESUME, TRISTATE_NULL, "");
}
static void world_oom_victim(struct world *w) {
        process(w, 5, EVIDENCE_OOM_KILL, 1);
        world_add(w, 5.001, SOURCE_TRACE, EVIDENCE_OOM_KILL);
        process(w, 5.1, EVIDENCE_KILLED, SIGKILL);
}
static void world_oom_daemon(struct world *w) {
        sent(w, 5, SOURCE_TRACE, SIGTERM, "earlyoom");
        is_service(&w->items[0]);
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
        world_add(w, 5.001, SOURCE_QMP, EVIDENCE_PM1_CONTROL)->number = 0x2000;
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
static void reset_by(struct world *w, enum evidence_kind kind, const char *word, int64_t value) {
        struct evidence *way = world_add(w, 4.999, SOURCE_TRACE, kind);

        evidence_set_word(way, word);
        way->number = value;
        way->flag = TRISTATE_TRUE;
        world_guest_reset(w);
}
static void world_reset_8042(struct world *w) {
        reset_by(w, EVIDENCE_PORT_WRITE, "0x64", 0xfe);
}
static void world_reset_cf9(struct world *w) {
        reset_by(w, EVIDENCE_PORT_WRITE, "0xcf9", 6);
}
static void world_reset_port92(struct world *w) {
        reset_by(w, EVIDENCE_PORT_WRITE, "0x92", 1);
}
static void world_triple_fault_crash(struct world *w) {
        reset_by(w, EVIDENCE_KVM_EXIT, "shutdown", 4095);
}
static void world_triple_fault(struct world *w) {
        reset_by(w, EVIDENCE_KVM_EXIT, "shutdown", 0);
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
static void found(struct world *w, const char *status, const char *was) {
        struct evidence *e = world_add(w, 5, SOURCE_QMP, EVIDENCE_STATUS);

        evidence_set_word(e, status);
        evidence_set_text(e, was, strlen(was));
        shutdown_by_host(w, 6, "host-qmp-quit");
}
static void world_poweroff_unseen(struct world *w) {
        found(w, "shutdown", "unknown");
}
static void world_pause_unseen(struct world *w) {
        found(w, "paused", "running");
}
static void world_resume_unseen(struct world *w) {
        found(w, "running", "paused");
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
static void world_debugger(struct world *w) {
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "debug");
}
static void world_stop_unseen(struct world *w) {
        qmp(w, 5, EVIDENCE_STOP, TRISTATE_NULL, "");
        qmp(w, 5.001, EVIDENCE_STATUS, TRISTATE_NULL, "paused");
}
static void world_cont_unseen(struct world *w) {
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
static void world_vmm_own_signal(struct world *w) {
        sent(w, 5, SOURCE_TRACE, SIGSEGV, NULL);
        w->items[w->n - 1].flag = TRISTATE_TRUE;
        process(w, 5.001, EVIDENCE_KILLED, SIGSEGV);
}
static void world_cpu_limit(struct world *w) {
        sent(w, 5, SOURCE_TRACE, SIGXCPU, NULL);
        process(w, 5.001, EVIDENCE_KILLED, SIGXCPU);
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
static void world_debug_exit_or_error(struct world *w) {
        pc(w);
        qmp(w, 0, EVIDENCE_DEVICE, TRISTATE_NULL, "isa-debug-exit");
        process(w, 5, EVIDENCE_EXITED, 1);
}
static void world_vmm_failed(struct world *w) {
        said(w, 0.05, SOURCE_STDERR, "qemu: could not open disk.img");
        process(w, 0.051, EVIDENCE_EXITED, 1);
}
static void world_quit_unseen(struct world *w) {
        asked(w, 4.99, "quit", "vmpower");
        process(w, 5.005, EVIDENCE_EXITED, 0);
}
static void world_exit_unexplained(struct world *w) {
        pc(w);
        process(w, 5, EVIDENCE_EXITED, 0);
}
static void world_host_restarted(struct world *world) {
        world_add(world, 60, SOURCE_HOST, EVIDENCE_HOST_RESTARTED)->flag = TRISTATE_TRUE;
        world_add(world, 60, SOURCE_PROCESS, EVIDENCE_VANISHED);
}

static void world_host_shutdown_exit(struct world *world) {
        going_down(world, 4, "systemctl");
        process(world, 5, EVIDENCE_EXITED, 0);
}
static void world_host_shutdown_unseen(struct world *world) {
        going_down(world, 50, "systemctl");
        world_host_restarted(world);
        world->items[1].flag = TRISTATE_FALSE;
}

static void world_monitor_ended(struct world *w) {
        pc(w);
        qmp(w, 5, EVIDENCE_MONITOR_CLOSED, TRISTATE_NULL, "");
        process(w, 5, EVIDENCE_VANISHED, 0);
}

static void xen(struct world *w, double at, enum evidence_kind kind, const char *word) {
        evidence_set_word(world_add(w, at, SOURCE_XEN, kind), word);
}
static void controlled(struct world *w, double at, const char *request) {
        xen(w, at, EVIDENCE_CONTROL_REQUEST, request);
        xen(w, at + 0.001, EVIDENCE_CONTROL_ACKNOWLEDGED, request);
}
static void shut_down(struct world *w, double at, const char *reason) {
        xen(w, at, EVIDENCE_DOMAIN_SHUTDOWN, reason);
}
static void gone(struct world *w, double at, enum tristate alive) {
        world_add(w, at, SOURCE_XEN, EVIDENCE_DOMAIN_GONE)->flag = alive;
}
static void called(struct world *w, double at, const char *command, const char *comm) {
        struct evidence *e = world_add(w, at, SOURCE_TRACE, EVIDENCE_HYPERCALL);

        evidence_set_word(e, command);
        act(e, comm);
}
static void world_xen_control(struct world *w) {
        asked(w, 4.99, "shutdown", "vmpower");
        controlled(w, 5, "poweroff");
        shut_down(w, 7, "poweroff");
        gone(w, 7.1, TRISTATE_FALSE);
}
static void world_xen_control_slow(struct world *w) {
        controlled(w, 5, "halt");
        shut_down(w, 305, "poweroff");
}
static void world_xen_control_long_ago(struct world *w) {
        controlled(w, 5, "poweroff");
        shut_down(w, 905, "poweroff");
}
static void world_xen_control_reboot(struct world *w) {
        xen(w, 4, EVIDENCE_CONTROL_REQUEST, "poweroff");
        controlled(w, 5, "reboot");
        act(&w->items[1], "xenstore-write");
        shut_down(w, 7, "reboot");
}
static void world_xen_control_reboot_slow(struct world *w) {
        controlled(w, 5, "unseen");
        shut_down(w, 7, "reboot");
}
static void world_xen_control_suspend(struct world *w) {
        controlled(w, 5, "suspend");
        shut_down(w, 5.1, "suspend");
        gone(w, 7.1, TRISTATE_FALSE);
}
static void model(struct world *w, double at, enum evidence_kind kind, int64_t number) {
        world_add(w, at, SOURCE_PROCESS, kind)->number = number;
}
static void said_to_have_shut_down(struct world *w, const char *reason, const char *comm) {
        model(w, 1, EVIDENCE_DEVICE_MODEL, 77);
        called(w, 4.99, "shutdown", comm);
        evidence_set_text(&w->items[w->n - 1], reason, strlen(reason));
        shut_down(w, 5, reason);
}
static void world_xen_remote_poweroff(struct world *w) {
        said_to_have_shut_down(w, "poweroff", "python3");
}
static void world_xen_remote_reboot(struct world *w) {
        said_to_have_shut_down(w, "reboot", "python3");
}
static void world_xen_remote_suspend(struct world *w) {
        said_to_have_shut_down(w, "suspend", "xl");
}
static void world_xen_remote_crash(struct world *w) {
        said_to_have_shut_down(w, "crash", "python3");
}
static void world_xen_device_model_oom(struct world *w) {
        world_add(w, 4.99, SOURCE_TRACE, EVIDENCE_OOM_KILL)->number = 1;
        sent(w, 4.99, SOURCE_TRACE, SIGKILL, "qemu-system-i38");
        model(w, 5, EVIDENCE_DEVICE_MODEL_KILLED, SIGKILL);
}
static void world_xen_device_model_host_shutdown(struct world *w) {
        going_down(w, 1, "systemctl");
        sent(w, 4.99, SOURCE_TRACE, SIGTERM, "systemd");
        model(w, 5, EVIDENCE_DEVICE_MODEL_EXITED, 0);
}
static void world_xen_device_model_oom_cgroup(struct world *w) {
        world_add(w, 4.99, SOURCE_PROCESS, EVIDENCE_OOM_KILL)->number = 1;
        model(w, 5, EVIDENCE_DEVICE_MODEL_KILLED, SIGKILL);
}
static void world_xen_device_model_signal(struct world *w) {
        model(w, 1, EVIDENCE_DEVICE_MODEL, 77);
        sent(w, 4.99, SOURCE_TRACE, SIGKILL, "kill");
        model(w, 5, EVIDENCE_DEVICE_MODEL_KILLED, SIGKILL);
}
static void world_xen_device_model_fault(struct world *w) {
        model(w, 5, EVIDENCE_DEVICE_MODEL_KILLED, SIGSEGV);
}
static void world_xen_device_model_kill_unseen(struct world *w) {
        model(w, 5, EVIDENCE_DEVICE_MODEL_KILLED, SIGKILL);
}
static void world_xen_device_model_failed(struct world *w) {
        model(w, 5, EVIDENCE_DEVICE_MODEL_EXITED, 1);
}
static void world_xen_device_model_unexplained(struct world *w) {
        model(w, 5, EVIDENCE_DEVICE_MODEL_VANISHED, 0);
}
static void world_xen_poweroff(struct world *w) {
        xen(w, 4, EVIDENCE_CONTROL_REQUEST, "poweroff");
        shut_down(w, 5, "poweroff");
        gone(w, 5.1, TRISTATE_FALSE);
}
static void world_xen_reboot(struct world *w) {
        shut_down(w, 5, "reboot");
        gone(w, 5.1, TRISTATE_FALSE);
}
static void world_xen_crash(struct world *w) {
        shut_down(w, 5, "crash");
}
static void world_xen_watchdog(struct world *w) {
        shut_down(w, 5, "watchdog");
}
static void world_xen_suspend(struct world *w) {
        shut_down(w, 5, "suspend");
}
static void world_xen_soft_reset(struct world *w) {
        shut_down(w, 5, "soft-reset");
}
static void world_xen_shutdown_unexplained(struct world *w) {
        shut_down(w, 5, "reason-9");
}
static void world_xen_pause(struct world *w) {
        asked(w, 4.99, "pause", "vmpower");
        xen(w, 5, EVIDENCE_DOMAIN_PAUSED, "");
}
static void world_xen_unpause(struct world *w) {
        called(w, 4.99, "unpausedomain", "xl");
        xen(w, 5, EVIDENCE_DOMAIN_UNPAUSED, "");
}
static void world_xen_resume(struct world *w) {
        asked(w, 4.99, "resume", "vmpower");
        xen(w, 5, EVIDENCE_DOMAIN_RESUMED, "");
}
static void world_xen_destroy(struct world *w) {
        called(w, 4.99, "destroydomain", "xl");
        gone(w, 5, TRISTATE_NULL);
}
static void world_xen_gone_asked(struct world *w) {
        controlled(w, 4, "unseen");
        gone(w, 5, TRISTATE_NULL);
}
static void world_xen_destroy_unseen(struct world *w) {
        gone(w, 5, TRISTATE_NULL);
}
static void world_xen_gone(struct world *w) {
        called(w, 4.99, "destroydomain", "xl");
        gone(w, 5, TRISTATE_FALSE);
}

static void world_vanished(struct world *w) {
        process(w, 5, EVIDENCE_VANISHED, 0);
}
static void world_nothing(struct world *w) {
}

const struct rule_world rule_worlds[] = {
        { "watchdog-reset", world_watchdog_reset, LEFT_RUNNING },
        { "watchdog-poweroff", world_watchdog_poweroff, LEFT_GONE },
        { "watchdog-pause", world_watchdog_pause, LEFT_PAUSED },
        { "crash-kernel", world_crash_kernel, LEFT_RUNNING },
        { "panic-device", world_panic, LEFT_GONE },
        { "hibernate", world_hibernate, LEFT_GONE },
        { "migrated", world_migrated, LEFT_PAUSED },
        { "migrated-and-quit", world_migrated_and_quit, LEFT_PAUSED },
        { "migration-pause", world_migration_pause, LEFT_PAUSED, "tool" },
        { "migration-failed", world_migration_failed, LEFT_RUNNING, "tool" },
        { "migrated-here", world_migrated_here, LEFT_RUNNING, "tool" },
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
        { "reset-8042", world_reset_8042, LEFT_RUNNING },
        { "reset-cf9", world_reset_cf9, LEFT_RUNNING },
        { "reset-port92", world_reset_port92, LEFT_RUNNING },
        { "triple-fault-crash", world_triple_fault_crash, LEFT_RUNNING },
        { "triple-fault", world_triple_fault, LEFT_RUNNING },
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
        { "debugger", world_debugger, LEFT_PAUSED },
        { "qmp-stop", world_stop, LEFT_PAUSED, "vmpower" },
        { "qmp-cont", world_cont, LEFT_RUNNING, "vmpower" },
        { "qmp-stop-unseen", world_stop_unseen, LEFT_PAUSED },
        { "qmp-cont-unseen", world_cont_unseen, LEFT_RUNNING },
        { "poweroff-unseen", world_poweroff_unseen, LEFT_OFF },
        { "pause-unseen", world_pause_unseen, LEFT_PAUSED },
        { "resume-unseen", world_resume_unseen, LEFT_RUNNING },
        { "signal-stop", world_signal_stop, LEFT_PAUSED, "kill" },
        { "signal-cont", world_signal_cont, LEFT_RUNNING, "kill" },
        { "vmm-own-signal", world_vmm_own_signal, LEFT_GONE },
        { "cpu-limit", world_cpu_limit, LEFT_GONE },
        { "oom-cgroup", world_oom_cgroup, LEFT_GONE },
        { "signal-by-someone", world_signal_by_someone, LEFT_GONE, "kill" },
        { "kill-unseen", world_kill_unseen, LEFT_GONE },
        { "vmm-fault", world_vmm_fault, LEFT_GONE },
        { "signal-end", world_signal_end, LEFT_GONE },
        { "signal-exit", world_signal_exit, LEFT_GONE, "sh" },
        { "debug-exit", world_debug_exit, LEFT_GONE },
        { "debug-exit-or-error", world_debug_exit_or_error, LEFT_GONE },
        { "vmm-failed", world_vmm_failed, LEFT_GONE },
        { "host-shutdown-exit", world_host_shutdown_exit, LEFT_GONE, "systemctl" },
        { "quit-unseen", world_quit_unseen, LEFT_GONE, "vmpower" },
        { "exit-unexplained", world_exit_unexplained, LEFT_GONE },
        { "host-shutdown-unseen", world_host_shutdown_unseen, LEFT_GONE, "systemctl" },
        { "host-restarted", world_host_restarted, LEFT_GONE },
        { "monitor-ended", world_monitor_ended, LEFT_GONE },
        { "xen-control", world_xen_control, LEFT_OFF, "vmpower" },
        { "xen-control-slow", world_xen_control_slow, LEFT_OFF },
        { "xen-control-long-ago", world_xen_control_long_ago, LEFT_OFF },
        { "xen-control-reboot", world_xen_control_reboot, LEFT_OFF, "xenstore-write" },
        { "xen-control-reboot-slow", world_xen_control_reboot_slow, LEFT_OFF },
        { "xen-control-suspend", world_xen_control_suspend, LEFT_SUSPENDED },
        { "xen-remote-poweroff", world_xen_remote_poweroff, LEFT_OFF, "python3" },
        { "xen-remote-reboot", world_xen_remote_reboot, LEFT_OFF, "python3" },
        { "xen-remote-suspend", world_xen_remote_suspend, LEFT_SUSPENDED, "xl" },
        { "xen-remote-crash", world_xen_remote_crash, LEFT_OFF, "python3" },
        { "xen-poweroff", world_xen_poweroff, LEFT_OFF },
        { "xen-reboot", world_xen_reboot, LEFT_OFF },
        { "xen-crash", world_xen_crash, LEFT_OFF },
        { "xen-watchdog", world_xen_watchdog, LEFT_OFF },
        { "xen-suspend", world_xen_suspend, LEFT_SUSPENDED },
        { "xen-soft-reset", world_xen_soft_reset, LEFT_OFF },
        { "xen-shutdown-unexplained", world_xen_shutdown_unexplained, LEFT_OFF },
        { "xen-pause", world_xen_pause, LEFT_PAUSED, "vmpower" },
        { "xen-unpause", world_xen_unpause, LEFT_RUNNING, "xl" },
        { "xen-resume", world_xen_resume, LEFT_RUNNING, "vmpower" },
        { "xen-device-model-oom", world_xen_device_model_oom, LEFT_RUNNING },
        { "xen-device-model-host-shutdown", world_xen_device_model_host_shutdown, LEFT_RUNNING, "systemctl" },
        { "xen-device-model-oom-cgroup", world_xen_device_model_oom_cgroup, LEFT_RUNNING },
        { "xen-device-model-signal", world_xen_device_model_signal, LEFT_RUNNING, "kill" },
        { "xen-device-model-fault", world_xen_device_model_fault, LEFT_RUNNING },
        { "xen-device-model-kill-unseen", world_xen_device_model_kill_unseen, LEFT_RUNNING },
        { "xen-device-model-failed", world_xen_device_model_failed, LEFT_RUNNING },
        { "xen-device-model-unexplained", world_xen_device_model_unexplained, LEFT_RUNNING },
        { "xen-destroy", world_xen_destroy, LEFT_GONE, "xl" },
        { "xen-gone-asked", world_xen_gone_asked, LEFT_GONE },
        { "xen-destroy-unseen", world_xen_destroy_unseen, LEFT_GONE },
        { "xen-gone", world_xen_gone, LEFT_GONE },
        { "vanished", world_vanished, LEFT_GONE },
        { "no-evidence", world_nothing, LEFT_GONE },
};

const size_t n_rule_worlds = N_ELEMENTS(rule_worlds);
