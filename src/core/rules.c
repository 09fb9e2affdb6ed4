/*
 * The rules: each a question to the scene, in one table.
 *
 * docs/verdicts.md documents every one of them; a test fails where that page and this table differ.
 */
#include "core/migration_rules.h"
#include "core/scene.h"
#include "core/xen_rules.h"

#include <signal.h>
#include <string.h>

/* A VM that is one of many in its process has gone with its monitor. */
#define MONITOR_END_NS SECOND_NS

/* QEMU writes to its disks first what it still has for them. */
#define SIGNAL_EXITS_WITHIN_NS (120 * SECOND_NS)

static bool is_shutdown_because(struct scene *s, const char *reason) {
        return cause_is(s, EVIDENCE_SHUTDOWN) && says(s->cause, reason);
}

/* QEMU says that the guest asked for it to be off: PM1, a paravirtual device, PSCI. */
static bool is_guest_off(struct scene *s) {
        return cause_is(s, EVIDENCE_SHUTDOWN) && s->cause->flag == TRISTATE_TRUE && says(s->cause, "guest-shutdown");
}

/* A reset by the guest: one that QEMU carried out, or (-no-reboot) one that it made a shutdown of. */
static bool is_guest_reset_request(struct scene *s) {
        if (cause_is(s, EVIDENCE_RESET))
                return s->cause->flag != TRISTATE_FALSE;
        return is_shutdown_because(s, "guest-reset");
}


/* Its action `shutdown` presses the power button. */
static bool is_button_pressed_by_watchdog(struct scene *s) {
        const struct evidence *button =
                scene_last_before(s, EVIDENCE_POWERDOWN, NULL, s->cause, s->settings->button_likely_ns);

        return prove(s, button) &&
               prove(s, scene_last_before(s, EVIDENCE_WATCHDOG, "shutdown", button, WATCHDOG_ACTS_WITHIN_NS));
}

static bool is_watchdog_reset(struct scene *s) {
        if (!is_guest_reset_request(s))
                return false;
        return prove(s, scene_last_before(s, EVIDENCE_WATCHDOG, "reset", s->cause, WATCHDOG_ACTS_WITHIN_NS)) ||
               is_button_pressed_by_watchdog(s);
}

static bool is_watchdog_poweroff(struct scene *s) {
        if (cause_is(s, EVIDENCE_EXITED) && s->cause->number == 0)
                return prove(s, scene_last_before(s, EVIDENCE_WATCHDOG, "poweroff", s->cause, WATCHDOG_ACTS_WITHIN_NS));
        return is_guest_off(s) && is_button_pressed_by_watchdog(s);
}

/* With which status QEMU has stopped the VM, or was found to have stopped it. */
static bool is_stopped_as(struct scene *s, const char *word) {
        const struct evidence *status = NULL;

        if (cause_is(s, EVIDENCE_STATUS))
                status = s->cause;
        else if (cause_is(s, EVIDENCE_STOP))
                status = scene_outcome_after(s, s->cause);
        return status && says(status, word) && prove(s, status);
}

/* It was another one before nobody looked. */
static bool is_found(struct scene *s, const char *word, const char *was) {
        return cause_is(s, EVIDENCE_STATUS) && says(s->cause, word) && (!was || !strcmp(s->cause->text, was));
}

static bool is_watchdog_pause(struct scene *s) {
        if (is_found(s, "watchdog", NULL))
                return true;
        return cause_is(s, EVIDENCE_STOP) &&
               prove(s, scene_last_before(s, EVIDENCE_WATCHDOG, "pause", s->cause, WATCHDOG_ACTS_WITHIN_NS));
}

static bool is_crash_kernel(struct scene *s) {
        return cause_is(s, EVIDENCE_GUEST_CRASHLOADED);
}

static bool is_panic(struct scene *s) {
        return cause_is(s, EVIDENCE_GUEST_PANICKED) || is_shutdown_because(s, "guest-panic") || is_stopped_as(s, "guest-panicked");
}

static bool is_hibernation(struct scene *s) {
        return cause_is(s, EVIDENCE_SUSPEND_DISK);
}

/* The button that was pressed last before the cause, if the host was going down by then. */
static const struct evidence *button_of_going_down(const struct scene *s, uint64_t within_ns) {
        const struct evidence *going_down = scene_going_down(s, s->cause);
        const struct evidence *button = scene_last_before(s, EVIDENCE_POWERDOWN, NULL, s->cause, within_ns);

        return going_down && button && evidence_is_before(going_down, button) ? button : NULL;
}

/* While the host goes down: its toolstack pressed the button and the guest obeyed. */
static bool is_host_shutdown_obeyed(struct scene *s) {
        if (s->cause && s->cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return is_asked_by_going_down(s);
        return is_guest_off(s) && prove(s, scene_going_down(s, s->cause)) &&
               prove(s, button_of_going_down(s, s->settings->button_likely_ns));
}

/* What was sent afterwards scene_signal() has left out. */
static bool is_sent_before_exit(const struct scene *s, const struct evidence *signal) {
        return signal && (signal->at_ns >= s->cause->at_ns || s->cause->at_ns - signal->at_ns <= SIGNAL_EXITS_WITHIN_NS);
}

/* Somebody on the host told the VMM to end, and it did: by its monitor, or by a signal. */
static bool is_ended_from_host(struct scene *s) {
        if (cause_is(s, EVIDENCE_SHUTDOWN))
                return says(s->cause, "host-signal") || says(s->cause, "host-qmp-quit");
        if (cause_is(s, EVIDENCE_KILLED))
                return signal_is_an_end(s->cause->number);
        /* QEMU's handler ran, though its monitor could not tell: it exits with 0, or how it did was not seen. */
        if (cause_is(s, EVIDENCE_EXITED) && s->cause->number == 0)
                return is_sent_before_exit(s, scene_signal(s, 0)) && prove(s, scene_signal(s, 0));
        return cause_is(s, EVIDENCE_VANISHED) && scene_is_sent_shortly_before(s, scene_signal(s, 0)) && prove(s, scene_signal(s, 0));
}

static bool is_host_shutdown_ended(struct scene *s) {
        return (is_ended_from_host(s) || is_domain_destroyed(s)) && prove(s, scene_going_down(s, s->cause));
}

static bool is_button_pressed_within(struct scene *s, uint64_t within_ns) {
        return prove(s, scene_last_before(s, EVIDENCE_POWERDOWN, NULL, s->cause, within_ns));
}

static bool is_button_obeyed(struct scene *s) {
        return (is_guest_off(s) && is_button_pressed_within(s, s->settings->button_certain_ns)) ||
               is_domain_button_obeyed(s, s->settings->button_certain_ns, false);
}

static bool is_button_obeyed_later(struct scene *s) {
        return (is_guest_off(s) && is_button_pressed_within(s, s->settings->button_likely_ns)) ||
               is_domain_button_obeyed(s, s->settings->button_likely_ns, true);
}

static bool is_button_reboot(struct scene *s) {
        return is_guest_reset_request(s) && is_button_pressed_within(s, s->settings->button_certain_ns);
}

static bool is_button_reboot_later(struct scene *s) {
        return is_guest_reset_request(s) && is_button_pressed_within(s, s->settings->button_likely_ns);
}

/* The machine types on which guest-shutdown can only be a soft-off by the ACPI PM1 control register. */
static const struct evidence *acpi_machine(const struct scene *s) {
        const struct evidence *machine = scene_first(s, EVIDENCE_MACHINE);

        if (machine && (!strncmp(machine->word, "pc-", 3) || says(machine, "pc") || says(machine, "q35")))
                return machine;
        return NULL;
}

/*
 * SeaBIOS carries an APM power-off out by writing SLP_EN alone to PM1a_CNT; an operating system that uses ACPI has
 * set SCI_EN, bit 0, before (ACPI specification 6.5, section 4.8.3.2.1).  Without it a guest cannot see a power button, either.
 */
static bool is_apm(struct scene *s) {
        const struct evidence *pm1;

        if (!is_guest_off(s) || !prove(s, acpi_machine(s)))
                return false;
        pm1 = scene_first_after(s, EVIDENCE_PM1_CONTROL, s->cause);
        return pm1 && !(pm1->number & 1) && prove(s, pm1);
}

/* What the kernel saw the guest do on a machine that is known: the first such thing before the cause, for a reboot may try several ways. */
static const struct evidence *seen_way(const struct scene *s, bool (*is_it)(const struct evidence *)) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if ((e->kind != EVIDENCE_PORT_WRITE && e->kind != EVIDENCE_KVM_EXIT) || e->flag != TRISTATE_TRUE || !is_it(e) ||
                    !evidence_is_before(e, s->cause) || apart_ns(e, s->cause) > WRITE_ACTS_WITHIN_NS)
                        continue;
                if (!found || evidence_is_before(e, found))
                        found = e;
        }
        return found;
}

static bool is_reset_way(const struct evidence *e) {
        return way_to_reset(e);
}

/* SLP_EN with SLP_TYP 0, which is S5 on a PC of QEMU's. */
static bool is_off_way(const struct evidence *e) {
        return e->kind == EVIDENCE_PORT_WRITE && !is_reset_way(e) && (e->number & 0x3c00) == 0x2000;
}

static bool is_paravirtual_poweroff(struct scene *s) {
        return is_guest_off(s) && prove(s, scene_last_before(s, EVIDENCE_GUEST_PVSHUTDOWN, NULL, s->cause, SECOND_NS));
}

static bool is_button_long_ago(struct scene *s) {
        return is_guest_off(s) && is_button_pressed_within(s, UINT64_MAX) && prove(s, acpi_machine(s));
}

static bool is_button_long_ago_somehow(struct scene *s) {
        return is_guest_off(s) && is_button_pressed_within(s, UINT64_MAX);
}

static bool is_guest_poweroff(struct scene *s) {
        return is_guest_off(s) && (prove(s, seen_way(s, is_off_way)) || prove(s, acpi_machine(s)));
}

static bool is_guest_poweroff_somehow(struct scene *s) {
        return is_guest_off(s);
}

static bool is_guest_reset(struct scene *s) {
        return is_guest_reset_request(s) && s->cause->flag == TRISTATE_TRUE;
}

static bool is_reset_by(struct scene *s, const char *word) {
        const struct evidence *way;

        if (!is_guest_reset(s))
                return false;
        way = seen_way(s, is_reset_way);
        return way && says(way, word) && prove(s, way);
}

static bool is_reset_8042(struct scene *s) {
        return is_reset_by(s, "0x64");
}

static bool is_reset_cf9(struct scene *s) {
        return is_reset_by(s, "0xcf9");
}

static bool is_reset_port92(struct scene *s) {
        return is_reset_by(s, "0x92");
}

/* Who wants a reset empties the interrupt table first; a kernel that still had one did not mean it.  Only a monitor can tell, not the trace that sees the same fault. */
static bool is_fault_with_table(const struct evidence *e) {
        return e->kind == EVIDENCE_KVM_EXIT && says(e, "shutdown") && e->number > 0;
}

static bool is_triple_fault_crash(struct scene *s) {
        const struct evidence *way = is_guest_reset(s) ? seen_way(s, is_reset_way) : NULL;

        return way && way->kind == EVIDENCE_KVM_EXIT && prove(s, seen_way(s, is_fault_with_table));
}

/* KVM_EXIT_SHUTDOWN: the CPU has given up (Intel SDM volume 3, 6.15: double fault exception). */
static bool is_triple_fault(struct scene *s) {
        return is_reset_by(s, "shutdown");
}

static bool is_reset_unexplained(struct scene *s) {
        /* What is off runs again, or could, once it has been reset: until then QEMU refuses `cont`. */
        return cause_is(s, EVIDENCE_RESET) || is_found(s, "running", "off") || is_found(s, "paused", "off") || is_found(s, "prelaunch", "off");
}

static bool is_shutdown_unexplained(struct scene *s) {
        return cause_is(s, EVIDENCE_SHUTDOWN);
}

static bool is_qmp_reset(struct scene *s) {
        return (cause_is(s, EVIDENCE_RESET) || cause_is(s, EVIDENCE_SHUTDOWN)) && says(s->cause, "host-qmp-system-reset");
}

static bool is_ui_reset(struct scene *s) {
        return cause_is(s, EVIDENCE_RESET) && says(s->cause, "host-ui");
}

static bool is_migration(struct scene *s) {
        const struct evidence *status;

        if (!is_ended_from_host(s))
                return is_stopped_as(s, "postmigrate");
        /* It was paused before already, so that no STOP told of it. */
        status = scene_last_before(s, EVIDENCE_STATUS, NULL, s->cause, UINT64_MAX);
        return status && says(status, "postmigrate") && prove(s, status);
}

static bool is_quit(struct scene *s) {
        return is_shutdown_because(s, "host-qmp-quit");
}

static bool is_window_closed(struct scene *s) {
        return is_shutdown_because(s, "host-ui");
}

static bool is_host_signal(struct scene *s) {
        if (is_shutdown_because(s, "host-signal")) {
                prove(s, scene_signal(s, 0));
                return true;
        }
        return false;
}

static bool is_vmm_error(struct scene *s) {
        return is_shutdown_because(s, "host-error");
}

static bool is_suspend(struct scene *s) {
        return cause_is(s, EVIDENCE_SUSPEND) || is_found(s, "suspended", NULL);
}

static bool is_wake_asked_for(struct scene *s) {
        return cause_is(s, EVIDENCE_WAKEUP) &&
               prove(s, scene_request_behind(s, "system_wakeup", s->cause));
}

static bool is_wake(struct scene *s) {
        return cause_is(s, EVIDENCE_WAKEUP) || is_found(s, "running", "suspended");
}

static const struct evidence *farewell(const struct scene *s) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind == EVIDENCE_LINE && (strstr(e->text, "reboot: System halted") || strstr(e->text, "reboot: Power down")) &&
                    (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

static bool is_halt_announced(struct scene *s) {
        return cause_is(s, EVIDENCE_REGISTERS) && prove(s, farewell(s));
}

static bool is_halt(struct scene *s) {
        return cause_is(s, EVIDENCE_REGISTERS);
}

static bool is_io_error(struct scene *s) {
        return (cause_is(s, EVIDENCE_STOP) && prove(s, scene_last_before(s, EVIDENCE_BLOCK_IO_ERROR, "stop", s->cause, SECOND_NS))) ||
               is_stopped_as(s, "io-error");
}

static bool is_internal_error(struct scene *s) {
        return is_stopped_as(s, "internal-error");
}

/* After an end that QEMU was asked for by its guest, by -no-reboot, or by the power button, and with -no-shutdown. */
static bool is_poweroff_unseen(struct scene *s) {
        return is_found(s, "shutdown", NULL);
}

static bool is_pause_unseen(struct scene *s) {
        return is_found(s, "paused", NULL) || is_found(s, "prelaunch", NULL) || is_found(s, "debug", NULL);
}

static bool is_resume_unseen(struct scene *s) {
        return is_found(s, "running", NULL);
}

/* A breakpoint, or a step, of QEMU's gdbstub. */
static bool is_debugger(struct scene *s) {
        return cause_is(s, EVIDENCE_STOP) && is_stopped_as(s, "debug");
}

/* Somebody has said it, by way of vmpower, or could have at another monitor. */
static bool is_said(const struct scene *s) {
        const char *command = command_behind(s->cause);

        return (command && scene_request_behind(s, command, s->cause)) || scene_has_client(s, s->cause);
}

static bool is_stop_said(struct scene *s) {
        return cause_is(s, EVIDENCE_STOP) && is_said(s);
}

static bool is_resume_said(struct scene *s) {
        return cause_is(s, EVIDENCE_RESUME) && is_said(s);
}

static bool is_stop(struct scene *s) {
        return cause_is(s, EVIDENCE_STOP);
}

static bool is_resume(struct scene *s) {
        return cause_is(s, EVIDENCE_RESUME);
}

static bool is_stop_signal(struct scene *s) {
        return cause_is(s, EVIDENCE_STOPPED);
}

static bool is_continue_signal(struct scene *s) {
        return cause_is(s, EVIDENCE_CONTINUED);
}

/*
 * What the VMM wrote when it ended: of several lines the first, which says what is wrong; the rest is advice.  A warning, and what
 * it wrote long before, is no reason.
 */
static const struct evidence *last_words(const struct scene *s) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_MESSAGE || !scene_is_near(e, s->cause, LAST_WORDS_WITHIN_NS) || strstr(e->text, "warning: "))
                        continue;
                if (!found || evidence_is_before(e, found))
                        found = e;
        }
        return found;
}

static bool is_killed_by(struct scene *s, int64_t signal) {
        return cause_is(s, EVIDENCE_KILLED) && s->cause->number == signal;
}

/* The trace names the victim; a cgroup's counter only says that one of its processes was. */
static bool is_oom_victim(struct scene *s) {
        return is_killed_by(s, SIGKILL) && prove(s, scene_oom_mark(s));
}

static bool is_oom_in_cgroup(struct scene *s) {
        const struct evidence *sender = scene_signal(s, SIGKILL);

        return is_killed_by(s, SIGKILL) && !(sender && sender->actor) &&
               prove(s, scene_nearest(s, EVIDENCE_OOM_KILL, s->cause, OOM_KILLS_WITHIN_NS));
}

static bool is_oom_daemon(struct scene *s) {
        const struct evidence *sender;

        if (cause_is(s, EVIDENCE_KILLED))
                sender = scene_signal(s, s->cause->number);
        else if (is_shutdown_because(s, "host-signal") || (cause_is(s, EVIDENCE_EXITED) && s->cause->number == 0))
                sender = scene_signal(s, 0);
        else
                return false;
        return is_by_oom_daemon(sender) && prove(s, sender);
}

/* The kernel saw nobody else send it. */
static bool is_own_signal(struct scene *s) {
        const struct evidence *signal;

        if (!cause_is(s, EVIDENCE_KILLED))
                return false;
        signal = scene_signal(s, s->cause->number);
        if (!signal || signal->flag != TRISTATE_TRUE || !prove(s, signal))
                return false;
        prove(s, last_words(s));
        return true;
}

/* RLIMIT_CPU: of those that have a sender, be it the VMM itself, the kernel's trace tells who that is. */
static bool is_cpu_limit(struct scene *s) {
        const struct evidence *signal = is_killed_by(s, SIGXCPU) ? scene_signal(s, SIGXCPU) : NULL;

        return signal && signal->source == SOURCE_TRACE && !signal->actor && signal->flag != TRISTATE_TRUE && prove(s, signal);
}

/* A signal whose sender is known, and is not the VMM itself. */
static bool is_signal_by_someone(struct scene *s) {
        const struct evidence *sender;

        if (!cause_is(s, EVIDENCE_KILLED))
                return false;
        sender = scene_signal(s, s->cause->number);
        return sender && sender->actor && prove(s, sender);
}

static bool is_kill_unseen(struct scene *s) {
        return is_killed_by(s, SIGKILL);
}

static bool is_vmm_fault(struct scene *s) {
        if (!cause_is(s, EVIDENCE_KILLED) || !signal_is_a_fault(s->cause->number))
                return false;
        prove(s, last_words(s));
        return true;
}

static bool is_signal_end(struct scene *s) {
        return cause_is(s, EVIDENCE_KILLED);
}

static bool is_signal_exit(struct scene *s) {
        return (cause_is(s, EVIDENCE_EXITED) || cause_is(s, EVIDENCE_VANISHED)) && is_ended_from_host(s);
}

static bool is_debug_device(const struct evidence *e) {
        return e->kind == EVIDENCE_DEVICE && says(e, "isa-debug-exit");
}

/* isa-debug-exit ends QEMU with (value << 1) | 1 and without an event. */
static bool is_debug_exit_or_error(struct scene *s) {
        return cause_is(s, EVIDENCE_EXITED) && (s->cause->number & 1) && prove(s, scene_earliest(s, is_debug_device)) &&
               prove(s, scene_first(s, EVIDENCE_MONITOR_OPENED)) && !last_words(s);
}

/* QEMU's own errors all end it with 1, and what it says of one is not heard where its standard error is not read. */
static bool is_debug_exit(struct scene *s) {
        return cause_is(s, EVIDENCE_EXITED) && s->cause->number != 1 && is_debug_exit_or_error(s);
}

static bool is_vmm_failure(struct scene *s) {
        if (!cause_is(s, EVIDENCE_EXITED) || s->cause->number == 0)
                return false;
        prove(s, last_words(s));
        return true;
}

/* Its monitor had been told to quit, and nobody heard any more what came of that. */
static bool is_quit_unseen(struct scene *s) {
        const struct evidence *request = scene_request_standing(s, "quit", s->cause);

        if (!request || scene_first(s, EVIDENCE_HOST_RESTARTED) || !(cause_is(s, EVIDENCE_VANISHED) || (cause_is(s, EVIDENCE_EXITED) && s->cause->number == 0)))
                return false;
        /* Of one that went while nobody looked it is not known when. */
        if (!scene_is_near(request, s->cause, REQUEST_ACTS_WITHIN_NS) &&
            !(cause_is(s, EVIDENCE_VANISHED) && prove(s, scene_first_after(s, EVIDENCE_GAP, request))))
                return false;
        return prove(s, request);
}

static bool is_exit_unexplained(struct scene *s) {
        return cause_is(s, EVIDENCE_EXITED);
}

/* Without its monitor, and without whoever sent the signal: its guest may have powered it off all the same. */
static bool is_host_shutdown_exit(struct scene *s) {
        return cause_is(s, EVIDENCE_EXITED) && s->cause->number == 0 && prove(s, scene_going_down(s, s->cause));
}

/* It was there when its host went down, and was not seen to end before: whoever looked after it had to go, too. */
static bool is_host_shutdown_unseen(struct scene *s) {
        return cause_is(s, EVIDENCE_VANISHED) && prove(s, scene_first(s, EVIDENCE_HOST_RESTARTED)) &&
               prove(s, scene_going_down(s, s->cause)) && !button_of_going_down(s, UINT64_MAX);
}

/* Whoever looked after it saw no end of it before the host's own. */
static bool is_host_restarted(struct scene *s) {
        const struct evidence *restarted = scene_first(s, EVIDENCE_HOST_RESTARTED);
        const struct evidence *going_down;

        if (!cause_is(s, EVIDENCE_VANISHED) || !restarted)
                return false;
        going_down = scene_going_down(s, s->cause);
        if (restarted->flag != TRISTATE_TRUE && !going_down)
                return false;
        prove(s, restarted);
        if (going_down) {
                prove(s, going_down);
                prove(s, button_of_going_down(s, UINT64_MAX));
        }
        return true;
}

/* A VM that is nothing to us but its monitor: it is said to be gone as soon as that is. */
static bool is_monitor_end(struct scene *s) {
        return cause_is(s, EVIDENCE_VANISHED) && prove(s, scene_last_before(s, EVIDENCE_MONITOR_CLOSED, NULL, s->cause, MONITOR_END_NS));
}

static bool is_vanished(struct scene *s) {
        return cause_is(s, EVIDENCE_VANISHED);
}

static bool is_anything(struct scene *s) {
        return true;
}


#define RULE(name, transition, initiator, mechanism, graceful, confidence, holds)                                      \
        { { name, TRANSITION_##transition, INITIATOR_##initiator, MECHANISM_##mechanism, TRISTATE_##graceful,           \
            CONFIDENCE_##confidence },                                                                                  \
          holds }

/* Strongest first. */
/* clang-format off */
const struct rule judge_rules[] = {
        RULE("watchdog-reset",         REBOOT,    GUEST,    WATCHDOG,       FALSE, CERTAIN, is_watchdog_reset),
        RULE("watchdog-poweroff",      POWEROFF,  GUEST,    WATCHDOG,       FALSE, CERTAIN, is_watchdog_poweroff),
        RULE("watchdog-pause",         PAUSE,     GUEST,    WATCHDOG,       FALSE, CERTAIN, is_watchdog_pause),
        RULE("crash-kernel",           CRASH,     GUEST,    PANIC_DEVICE,   FALSE, CERTAIN, is_crash_kernel),
        RULE("panic-device",           CRASH,     GUEST,    PANIC_DEVICE,   FALSE, CERTAIN, is_panic),
        RULE("hibernate",              HIBERNATE, GUEST,    ACPI_S4,        TRUE,  CERTAIN, is_hibernation),
        RULE("migrated",               MIGRATE,   OPERATOR, MIGRATION,      NULL,  CERTAIN, is_migration),
        RULE("migrated-and-quit",      MIGRATE,   OPERATOR, MIGRATION,      NULL,  LIKELY,  is_migration_quit),
        RULE("migration-pause",        PAUSE,     OPERATOR, MIGRATION,      NULL,  CERTAIN, is_migration_pause),
        RULE("migration-failed",       RESUME,    OPERATOR, MIGRATION,      NULL,  CERTAIN, is_migration_failed),
        RULE("migrated-here",          RESUME,    OPERATOR, MIGRATION,      NULL,  LIKELY,  is_migrated_here),
        RULE("oom-victim",             DESTROY,   HOST,     OOM_KILL,       FALSE, CERTAIN, is_oom_victim),
        RULE("oom-daemon",             DESTROY,   HOST,     OOM_KILL,       FALSE, CERTAIN, is_oom_daemon),
        RULE("guest-poweroff-apm",     POWEROFF,  GUEST,    APM,            TRUE,  CERTAIN, is_apm),
        RULE("host-shutdown-obeyed",   POWEROFF,  HOST,     HOST_SHUTDOWN,  TRUE,  CERTAIN, is_host_shutdown_obeyed),
        RULE("host-shutdown-ended",    DESTROY,   HOST,     HOST_SHUTDOWN,  FALSE, CERTAIN, is_host_shutdown_ended),
        RULE("power-button",           POWEROFF,  OPERATOR, POWER_BUTTON,   TRUE,  CERTAIN, is_button_obeyed),
        RULE("power-button-slow",      POWEROFF,  OPERATOR, POWER_BUTTON,   TRUE,  LIKELY,  is_button_obeyed_later),
        RULE("guest-poweroff-pvpanic", POWEROFF,  GUEST,    GUEST_SHUTDOWN, TRUE,  CERTAIN, is_paravirtual_poweroff),
        RULE("power-button-long-ago",  POWEROFF,  GUEST,    ACPI_S5,        TRUE,  LIKELY,  is_button_long_ago),
        RULE("power-button-long-ago-somehow", POWEROFF, GUEST, GUEST_SHUTDOWN, TRUE, LIKELY, is_button_long_ago_somehow),
        RULE("power-button-reboot",    REBOOT,    OPERATOR, POWER_BUTTON,   NULL,  CERTAIN, is_button_reboot),
        RULE("power-button-reboot-slow", REBOOT,  OPERATOR, POWER_BUTTON,   NULL,  LIKELY,  is_button_reboot_later),
        RULE("guest-poweroff",         POWEROFF,  GUEST,    ACPI_S5,        TRUE,  CERTAIN, is_guest_poweroff),
        RULE("guest-poweroff-somehow", POWEROFF,  GUEST,    GUEST_SHUTDOWN, TRUE,  CERTAIN, is_guest_poweroff_somehow),
        RULE("reset-8042",             REBOOT,    GUEST,    RESET_8042,     NULL,  CERTAIN, is_reset_8042),
        RULE("reset-cf9",              REBOOT,    GUEST,    RESET_CF9,      NULL,  CERTAIN, is_reset_cf9),
        RULE("reset-port92",           REBOOT,    GUEST,    RESET_PORT92,   NULL,  CERTAIN, is_reset_port92),
        RULE("triple-fault-crash",     CRASH,     GUEST,    TRIPLE_FAULT,   FALSE, CERTAIN, is_triple_fault_crash),
        RULE("triple-fault",           REBOOT,    GUEST,    TRIPLE_FAULT,   NULL,  CERTAIN, is_triple_fault),
        RULE("guest-reset",            REBOOT,    GUEST,    GUEST_RESET,    NULL,  CERTAIN, is_guest_reset),
        RULE("qmp-reset",              REBOOT,    OPERATOR, QMP_RESET,      FALSE, CERTAIN, is_qmp_reset),
        RULE("ui-reset",               REBOOT,    OPERATOR, UI,             FALSE, CERTAIN, is_ui_reset),
        RULE("reset-unexplained",      REBOOT,    UNKNOWN,  UNSEEN,         NULL,  LIKELY,  is_reset_unexplained),
        RULE("qmp-quit",               DESTROY,   OPERATOR, QMP_QUIT,       FALSE, CERTAIN, is_quit),
        RULE("window-closed",          DESTROY,   OPERATOR, UI,             FALSE, CERTAIN, is_window_closed),
        RULE("signal-asked",           DESTROY,   OPERATOR, SIGNAL,         FALSE, CERTAIN, is_host_signal),
        RULE("vmm-error",              FAILURE,   VMM,      PROCESS_EXIT,   FALSE, CERTAIN, is_vmm_error),
        RULE("shutdown-unexplained",   UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_shutdown_unexplained),
        RULE("suspend",                SUSPEND,   GUEST,    ACPI_S3,        TRUE,  CERTAIN, is_suspend),
        RULE("wake-asked",             WAKE,      OPERATOR, ACPI_S3,        NULL,  CERTAIN, is_wake_asked_for),
        RULE("wake",                   WAKE,      UNKNOWN,  ACPI_S3,        NULL,  CERTAIN, is_wake),
        RULE("halted-announced",       HALT,      GUEST,    HALTED,         TRUE,  CERTAIN, is_halt_announced),
        RULE("halted",                 HALT,      GUEST,    HALTED,         NULL,  CERTAIN, is_halt),
        RULE("io-error",               PAUSE,     HOST,     IO_ERROR,       NULL,  CERTAIN, is_io_error),
        RULE("vmm-internal-error",     FAILURE,   VMM,      UNSEEN,         FALSE, CERTAIN, is_internal_error),
        RULE("debugger",               PAUSE,     OPERATOR, UNSEEN,         NULL,  LIKELY,  is_debugger),
        RULE("qmp-stop",               PAUSE,     OPERATOR, QMP_STOP,       NULL,  CERTAIN, is_stop_said),
        RULE("qmp-cont",               RESUME,    OPERATOR, QMP_STOP,       NULL,  CERTAIN, is_resume_said),
        RULE("qmp-stop-unseen",        PAUSE,     OPERATOR, QMP_STOP,       NULL,  LIKELY,  is_stop),
        RULE("qmp-cont-unseen",        RESUME,    OPERATOR, QMP_STOP,       NULL,  LIKELY,  is_resume),
        RULE("poweroff-unseen",        POWEROFF,  UNKNOWN,  UNSEEN,         NULL,  LIKELY,  is_poweroff_unseen),
        RULE("pause-unseen",           PAUSE,     UNKNOWN,  UNSEEN,         NULL,  LIKELY,  is_pause_unseen),
        RULE("resume-unseen",          RESUME,    UNKNOWN,  UNSEEN,         NULL,  LIKELY,  is_resume_unseen),
        RULE("signal-stop",            PAUSE,     OPERATOR, SIGNAL,         NULL,  CERTAIN, is_stop_signal),
        RULE("signal-cont",            RESUME,    OPERATOR, SIGNAL,         NULL,  CERTAIN, is_continue_signal),
        RULE("vmm-own-signal",         FAILURE,   VMM,      SIGNAL,         FALSE, CERTAIN, is_own_signal),
        RULE("cpu-limit",              DESTROY,   HOST,     SIGNAL,         FALSE, CERTAIN, is_cpu_limit),
        RULE("oom-cgroup",             DESTROY,   HOST,     OOM_KILL,       FALSE, LIKELY,  is_oom_in_cgroup),
        RULE("signal-by-someone",      DESTROY,   OPERATOR, SIGNAL,         FALSE, CERTAIN, is_signal_by_someone),
        RULE("kill-unseen",            DESTROY,   OPERATOR, SIGNAL,         FALSE, LIKELY,  is_kill_unseen),
        RULE("vmm-fault",              FAILURE,   VMM,      SIGNAL,         FALSE, LIKELY,  is_vmm_fault),
        RULE("signal-end",             DESTROY,   OPERATOR, SIGNAL,         FALSE, CERTAIN, is_signal_end),
        RULE("signal-exit",            DESTROY,   OPERATOR, SIGNAL,         FALSE, LIKELY,  is_signal_exit),
        RULE("debug-exit",             POWEROFF,  GUEST,    DEBUG_EXIT,     NULL,  CERTAIN, is_debug_exit),
        RULE("debug-exit-or-error",    POWEROFF,  GUEST,    DEBUG_EXIT,     NULL,  LIKELY,  is_debug_exit_or_error),
        RULE("vmm-failed",             FAILURE,   VMM,      PROCESS_EXIT,   FALSE, CERTAIN, is_vmm_failure),
        RULE("host-shutdown-exit",     DESTROY,   HOST,     HOST_SHUTDOWN,  FALSE, LIKELY,  is_host_shutdown_exit),
        RULE("quit-unseen",            DESTROY,   OPERATOR, QMP_QUIT,       FALSE, LIKELY,  is_quit_unseen),
        RULE("exit-unexplained",       UNKNOWN,   UNKNOWN,  PROCESS_EXIT,   NULL,  GUESS,   is_exit_unexplained),
        RULE("host-shutdown-unseen",   DESTROY,   HOST,     HOST_SHUTDOWN,  FALSE, CERTAIN, is_host_shutdown_unseen),
        RULE("host-restarted",         DESTROY,   HOST,     HOST_SHUTDOWN,  FALSE, LIKELY,  is_host_restarted),
        RULE("monitor-ended",          UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_monitor_end),
        RULE("xen-control",            POWEROFF,  OPERATOR, XEN_CONTROL,    TRUE,  CERTAIN, is_asked_poweroff),
        RULE("xen-control-slow",       POWEROFF,  OPERATOR, XEN_CONTROL,    TRUE,  LIKELY,  is_asked_poweroff_later),
        RULE("xen-control-long-ago",   POWEROFF,  GUEST,    XEN_SHUTDOWN,   TRUE,  LIKELY,  is_asked_poweroff_long_ago),
        RULE("xen-control-reboot",     REBOOT,    OPERATOR, XEN_CONTROL,    TRUE,  CERTAIN, is_asked_reboot),
        RULE("xen-control-reboot-slow", REBOOT,   OPERATOR, XEN_CONTROL,    TRUE,  LIKELY,  is_asked_reboot_later),
        RULE("xen-control-suspend",    SUSPEND,   OPERATOR, XEN_CONTROL,    TRUE,  CERTAIN, is_asked_suspend),
        RULE("xen-remote-poweroff",    POWEROFF,  OPERATOR, XEN_TOOLSTACK,  FALSE, CERTAIN, is_remote_poweroff),
        RULE("xen-remote-reboot",      REBOOT,    OPERATOR, XEN_TOOLSTACK,  FALSE, CERTAIN, is_remote_reboot),
        RULE("xen-remote-suspend",     SUSPEND,   OPERATOR, XEN_TOOLSTACK,  NULL,  CERTAIN, is_remote_suspend),
        RULE("xen-remote-crash",       CRASH,     OPERATOR, XEN_TOOLSTACK,  FALSE, CERTAIN, is_remote_crash),
        RULE("xen-poweroff",           POWEROFF,  GUEST,    XEN_SHUTDOWN,   TRUE,  CERTAIN, is_domain_poweroff),
        RULE("xen-reboot",             REBOOT,    GUEST,    XEN_SHUTDOWN,   NULL,  CERTAIN, is_domain_reboot),
        RULE("xen-crash",              CRASH,     GUEST,    XEN_SHUTDOWN,   FALSE, CERTAIN, is_domain_crash),
        RULE("xen-watchdog",           CRASH,     GUEST,    XEN_SHUTDOWN,   FALSE, CERTAIN, is_domain_watchdog),
        RULE("xen-suspend",            SUSPEND,   GUEST,    XEN_SHUTDOWN,   TRUE,  CERTAIN, is_domain_suspend),
        RULE("xen-soft-reset",         REBOOT,    GUEST,    XEN_SHUTDOWN,   NULL,  CERTAIN, is_domain_soft_reset),
        RULE("xen-shutdown-unexplained", UNKNOWN, UNKNOWN,  XEN_SHUTDOWN,   NULL,  GUESS,   is_domain_shutdown),
        RULE("xen-pause",              PAUSE,     OPERATOR, XEN_TOOLSTACK,  NULL,  CERTAIN, is_domain_pause),
        RULE("xen-unpause",            RESUME,    OPERATOR, XEN_TOOLSTACK,  NULL,  CERTAIN, is_domain_unpause),
        RULE("xen-resume",             WAKE,      OPERATOR, XEN_TOOLSTACK,  NULL,  CERTAIN, is_domain_resume),
        RULE("xen-device-model-oom",   FAILURE,   HOST,     OOM_KILL,       FALSE, CERTAIN, is_device_model_oom_victim),
        RULE("xen-device-model-host-shutdown", FAILURE, HOST, HOST_SHUTDOWN, FALSE, CERTAIN, is_device_model_going_down),
        RULE("xen-device-model-oom-cgroup", FAILURE, HOST,  OOM_KILL,       FALSE, LIKELY,  is_device_model_oom_in_cgroup),
        RULE("xen-device-model-signal", FAILURE,  OPERATOR, SIGNAL,         FALSE, CERTAIN, is_device_model_signal),
        RULE("xen-device-model-fault", FAILURE,   VMM,      SIGNAL,         FALSE, LIKELY,  is_device_model_fault),
        RULE("xen-device-model-kill-unseen", FAILURE, OPERATOR, SIGNAL,     FALSE, LIKELY,  is_device_model_kill),
        RULE("xen-device-model-failed", FAILURE,  VMM,      PROCESS_EXIT,   FALSE, CERTAIN, is_device_model_failure),
        RULE("xen-device-model-unexplained", FAILURE, UNKNOWN, UNSEEN,      FALSE, GUESS,   is_device_model_end),
        RULE("xen-destroy",            DESTROY,   OPERATOR, XEN_DESTROY,    FALSE, CERTAIN, is_domain_destroyed),
        RULE("xen-gone-asked",         UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_domain_gone_after_asked),
        RULE("xen-destroy-unseen",     DESTROY,   OPERATOR, XEN_DESTROY,    FALSE, LIKELY,  is_domain_gone_alive_most_likely),
        RULE("xen-gone",               UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_domain_gone),
        RULE("vanished",               UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_vanished),
        RULE("no-evidence",            UNKNOWN,   UNKNOWN,  UNSEEN,         NULL,  GUESS,   is_anything),
};
/* clang-format on */

const struct rule_info *judge_rule(size_t i) {
        return i < sizeof(judge_rules) / sizeof(judge_rules[0]) ? &judge_rules[i].info : NULL;
}

