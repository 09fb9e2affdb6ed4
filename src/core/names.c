/* The words of vmpower: one table for each enum, the same text in JSON, SQL and on the command line. */
#include "core/policy.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const source_names[] = {
        [SOURCE_QMP] = "qmp",         [SOURCE_STDERR] = "stderr", [SOURCE_PROCESS] = "process",
        [SOURCE_CONSOLE] = "console", [SOURCE_TRACE] = "trace",   [SOURCE_HOST] = "host",
        [SOURCE_VMPOWER] = "vmpower", [SOURCE_XEN] = "xen",
};

static const struct evidence_kind_info kinds[] = {
        [EVIDENCE_MACHINE] = { "machine", .word = "type" },
        [EVIDENCE_DEVICE] = { "device", .word = "driver" },
        [EVIDENCE_STATUS] = { "status", .word = "status", .text = "was" },
        [EVIDENCE_SHUTDOWN] = { "shutdown", .flag = "guest", .word = "reason" },
        [EVIDENCE_RESET] = { "reset", .flag = "guest", .word = "reason", .number = "start" },
        [EVIDENCE_POWERDOWN] = { "powerdown" },
        [EVIDENCE_STOP] = { "stop" },
        [EVIDENCE_RESUME] = { "resume" },
        [EVIDENCE_SUSPEND] = { "suspend" },
        [EVIDENCE_SUSPEND_DISK] = { "suspend-disk" },
        [EVIDENCE_WAKEUP] = { "wakeup" },
        [EVIDENCE_WATCHDOG] = { "watchdog", .word = "action" },
        [EVIDENCE_GUEST_PANICKED] = { "guest-panicked", .word = "action" },
        [EVIDENCE_GUEST_CRASHLOADED] = { "guest-crashloaded", .word = "action" },
        [EVIDENCE_GUEST_PVSHUTDOWN] = { "guest-pvshutdown" },
        [EVIDENCE_BLOCK_IO_ERROR] = { "block-io-error", .word = "action", .text = "device" },
        [EVIDENCE_REGISTERS] = { "registers", .flag = "halted", .number = "vcpus" },
        [EVIDENCE_PM1_CONTROL] = { "pm1-control", .number = "value" },
        [EVIDENCE_MONITOR_OPENED] = { "monitor-opened", .word = "version" },
        [EVIDENCE_MONITOR_CLOSED] = { "monitor-closed" },
        [EVIDENCE_MONITOR_TAKEN] = { "monitor-taken" },
        [EVIDENCE_MALFORMED] = { "malformed", .text = "text" },
        [EVIDENCE_SIGNAL] = { "signal", .number = "signal", .word = "name", .text = "unit", .flag = "own", .actor = true },
        [EVIDENCE_MESSAGE] = { "message", .text = "text" },
        [EVIDENCE_EXITED] = { "exited", .number = "exit_status" },
        [EVIDENCE_KILLED] = { "killed", .number = "signal", .word = "name", .flag = "core" },
        [EVIDENCE_VANISHED] = { "vanished" },
        [EVIDENCE_STOPPED] = { "stopped", .number = "signal", .word = "name" },
        [EVIDENCE_CONTINUED] = { "continued" },
        [EVIDENCE_OOM_KILL] = { "oom-kill", .number = "count", .text = "cgroup" },
        [EVIDENCE_LINE] = { "line", .text = "text" },
        [EVIDENCE_GOING_DOWN] = { "going-down", .word = "mode", .actor = true },
        [EVIDENCE_STAYS_UP] = { "stays-up" },
        [EVIDENCE_HOST_RESTARTED] = { "host-restarted", .flag = "watched" },
        [EVIDENCE_REQUEST] = { "request", .word = "command", .actor = true },
        [EVIDENCE_STORED_LATE] = { "stored-late", .number = "ms", .word = "command" },
        [EVIDENCE_OMITTED] = { "omitted", .word = "kind", .number = "count" },
        [EVIDENCE_PORT_WRITE] = { "port-write", .flag = "pc", .word = "port", .number = "value" },
        [EVIDENCE_KVM_EXIT] = { "kvm-exit", .flag = "pc", .word = "reason", .number = "idt-limit" },
        [EVIDENCE_MONITOR_CLIENT] = { "monitor-client", .word = "event", .text = "monitor", .actor = true },
        [EVIDENCE_GAP] = { "gap", .text = "reason" },
        [EVIDENCE_DOMAIN_SHUTDOWN] = { "domain-shutdown", .word = "reason" },
        [EVIDENCE_DOMAIN_GONE] = { "domain-gone", .flag = "alive" },
        [EVIDENCE_CONTROL_REQUEST] = { "control-request", .word = "request", .actor = true },
        [EVIDENCE_CONTROL_ACKNOWLEDGED] = { "control-acknowledged", .word = "request" },
        [EVIDENCE_DOMAIN_PAUSED] = { "domain-paused" },
        [EVIDENCE_DOMAIN_UNPAUSED] = { "domain-unpaused" },
        [EVIDENCE_DOMAIN_RESUMED] = { "domain-resumed" },
        [EVIDENCE_HYPERCALL] = { "hypercall", .number = "domid", .word = "command", .text = "reason", .actor = true },
        [EVIDENCE_DEVICE_MODEL] = { "device-model", .number = "pid" },
        [EVIDENCE_DEVICE_MODEL_EXITED] = { "device-model-exited", .number = "exit_status" },
        [EVIDENCE_DEVICE_MODEL_KILLED] = { "device-model-killed", .number = "signal", .word = "name", .flag = "core" },
        [EVIDENCE_DEVICE_MODEL_VANISHED] = { "device-model-vanished" },
        [EVIDENCE_REFUSED] = { "refused", .word = "command", .text = "why", .number = "asked_at_ns" },
        [EVIDENCE_ANSWERED_LATE] = { "answered-late", .word = "command", .number = "asked_at_ns" },
};

static const char *const transition_names[] = {
        [TRANSITION_START] = "start",     [TRANSITION_POWEROFF] = "poweroff",   [TRANSITION_REBOOT] = "reboot",
        [TRANSITION_HALT] = "halt",       [TRANSITION_CRASH] = "crash",         [TRANSITION_SUSPEND] = "suspend",
        [TRANSITION_WAKE] = "wake",       [TRANSITION_HIBERNATE] = "hibernate", [TRANSITION_PAUSE] = "pause",
        [TRANSITION_RESUME] = "resume",   [TRANSITION_DESTROY] = "destroy",     [TRANSITION_MIGRATE] = "migrate",
        [TRANSITION_FAILURE] = "failure", [TRANSITION_UNKNOWN] = "unknown",
};

static const char *const initiator_names[] = {
        [INITIATOR_GUEST] = "guest", [INITIATOR_OPERATOR] = "operator", [INITIATOR_HOST] = "host",
        [INITIATOR_VMM] = "vmm",     [INITIATOR_POLICY] = "policy",     [INITIATOR_UNKNOWN] = "unknown",
};

static const char *const mechanism_names[] = {
        [MECHANISM_ACPI_S3] = "acpi-s3",
        [MECHANISM_ACPI_S4] = "acpi-s4",
        [MECHANISM_ACPI_S5] = "acpi-s5",
        [MECHANISM_APM] = "apm",
        [MECHANISM_PSCI] = "psci",
        [MECHANISM_GUEST_SHUTDOWN] = "guest-shutdown",
        [MECHANISM_RESET_ACPI] = "reset-acpi",
        [MECHANISM_RESET_8042] = "reset-8042",
        [MECHANISM_RESET_CF9] = "reset-cf9",
        [MECHANISM_RESET_PORT92] = "reset-port92",
        [MECHANISM_TRIPLE_FAULT] = "triple-fault",
        [MECHANISM_GUEST_RESET] = "guest-reset",
        [MECHANISM_PANIC_DEVICE] = "panic-device",
        [MECHANISM_HALTED] = "halted",
        [MECHANISM_DEBUG_EXIT] = "debug-exit",
        [MECHANISM_POWER_BUTTON] = "power-button",
        [MECHANISM_QMP_QUIT] = "qmp-quit",
        [MECHANISM_QMP_RESET] = "qmp-reset",
        [MECHANISM_QMP_STOP] = "qmp-stop",
        [MECHANISM_UI] = "ui",
        [MECHANISM_SIGNAL] = "signal",
        [MECHANISM_OOM_KILL] = "oom-kill",
        [MECHANISM_HOST_SHUTDOWN] = "host-shutdown",
        [MECHANISM_IO_ERROR] = "io-error",
        [MECHANISM_WATCHDOG] = "watchdog",
        [MECHANISM_PROCESS_EXIT] = "process-exit",
        [MECHANISM_MIGRATION] = "migration",
        [MECHANISM_LIBVIRT] = "libvirt",
        [MECHANISM_XEN_SHUTDOWN] = "xen-shutdown",
        [MECHANISM_XEN_CONTROL] = "xen-control",
        [MECHANISM_XEN_DESTROY] = "xen-destroy",
        [MECHANISM_UNSEEN] = "unseen",
        [MECHANISM_XEN_TOOLSTACK] = "xen-toolstack",
};

static const char *const left_names[] = {
        [LEFT_GONE] = "gone",           [LEFT_OFF] = "off",       [LEFT_RUNNING] = "running",
        [LEFT_PAUSED] = "paused",       [LEFT_SUSPENDED] = "suspended", [LEFT_HALTED] = "halted",
        [LEFT_PRESERVED] = "preserved",
};

static const char *const confidence_names[] = {
        [CONFIDENCE_CERTAIN] = "certain",
        [CONFIDENCE_LIKELY] = "likely",
        [CONFIDENCE_GUESS] = "guess",
};

static const char *const policy_event_names[] = {
        [ON_POWEROFF] = "on_poweroff",
        [ON_REBOOT] = "on_reboot",
        [ON_HALT] = "on_halt",
        [ON_CRASH] = "on_crash",
        [ON_WATCHDOG] = "on_watchdog",
        [ON_SOFT_RESET] = "on_soft_reset",
};

static const char *const policy_action_names[] = {
        [ACTION_DESTROY] = "destroy",
        [ACTION_RESTART] = "restart",
        [ACTION_PRESERVE] = "preserve",
        [ACTION_LEAVE] = "leave",
        [ACTION_RENAME_RESTART] = "rename-restart",
        [ACTION_COREDUMP_DESTROY] = "coredump-destroy",
        [ACTION_COREDUMP_RESTART] = "coredump-restart",
        [ACTION_SOFT_RESET] = "soft-reset",
};

static const char *const decision_result_names[] = {
        [RESULT_NONE] = "none",       [RESULT_DONE] = "done",     [RESULT_BY_VMM] = "by-vmm",
        [RESULT_PENDING] = "pending", [RESULT_FAILED] = "failed", [RESULT_GAVE_UP] = "gave-up",
};

/* X_name() and X_from_name() for one table; the assertion finds the enum that outgrew it. */
#define NAMES(noun, type, table, n)                                                                                    \
        static_assert(sizeof(table) / sizeof((table)[0]) == (n), #table);                                              \
        const char *noun##_name(type value) {                                                                          \
                return table[value];                                                                                   \
        }                                                                                                              \
        int noun##_from_name(const char *name, type *ret) {                                                            \
                for (size_t i = 0; i < (n); i++)                                                                       \
                        if (!strcmp(table[i], name)) {                                                                 \
                                *ret = (type)i;                                                                        \
                                return 0;                                                                              \
                        }                                                                                              \
                return -EINVAL;                                                                                        \
        }

NAMES(evidence_source, enum evidence_source, source_names, _SOURCE_N)
NAMES(transition, enum transition, transition_names, _TRANSITION_N)
NAMES(initiator, enum initiator, initiator_names, _INITIATOR_N)
NAMES(mechanism, enum mechanism, mechanism_names, _MECHANISM_N)
NAMES(left, enum left, left_names, _LEFT_N)
NAMES(confidence, enum confidence, confidence_names, _CONFIDENCE_N)
NAMES(policy_event, enum policy_event, policy_event_names, _POLICY_EVENT_N)
NAMES(policy_action, enum policy_action, policy_action_names, _POLICY_ACTION_N)
NAMES(decision_result, enum decision_result, decision_result_names, _DECISION_RESULT_N)

static_assert(sizeof(kinds) / sizeof(kinds[0]) == _EVIDENCE_KIND_N, "kinds");

const struct evidence_kind_info *evidence_kind_info(enum evidence_kind kind) {
        return &kinds[kind];
}

int evidence_kind_from_name(const char *name, enum evidence_kind *ret) {
        for (size_t i = 0; i < _EVIDENCE_KIND_N; i++)
                if (!strcmp(kinds[i].name, name)) {
                        *ret = (enum evidence_kind)i;
                        return 0;
                }
        return -EINVAL;
}
