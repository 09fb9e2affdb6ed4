/*
 * Judge: evidence of one episode in, one verdict out.
 *
 * The words of vmpower (evidence, actor, verdict) and the one function that turns the first into the last.
 * Pure: no descriptor, no clock, no allocation, no global; everything needed is an argument.
 * Part of libvmpower-core, linked statically.  Every name's text form is the one of the JSON, the database and the command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Yes, no, or cannot be known. */
enum tristate {
        TRISTATE_NULL,
        TRISTATE_FALSE,
        TRISTATE_TRUE,
};

/* Whatever reports evidence. */
enum evidence_source {
        SOURCE_QMP,     /* QEMU's own words on its monitor */
        SOURCE_STDERR,  /* QEMU's own words on its standard error */
        SOURCE_PROCESS, /* the process table: births, exits, stops; cgroup counters */
        SOURCE_CONSOLE, /* the guest's words on its console */
        SOURCE_TRACE,   /* the kernel's tracepoints */
        SOURCE_HOST,    /* the host system: its own shutdown */
        SOURCE_VMPOWER, /* vmpower itself: requests that it passed on, gaps that it knows of */
        SOURCE_XEN,     /* Xen's own words on a domain: the hypervisor's, xenstore's */
        _SOURCE_N,
};

/*
 * One fact.  What its `flag`, `number`, `word`, `text` and `actor` mean depends on the kind; evidence_kind_info()
 * names them.  QMP's words are those of QEMU's QAPI schema (qapi/run-state.json, qapi/misc.json).
 */
enum evidence_kind {
        EVIDENCE_MACHINE,           /* the VM's machine type: `type` (QOM type without "-machine") */
        EVIDENCE_DEVICE,            /* the VM has a device that changes how it may end: `driver` */
        EVIDENCE_STATUS,            /* query-status: `status`; `was` (running, paused … or unknown): so it was until nobody looked, and nothing told of the
                                       change */
        EVIDENCE_SHUTDOWN,          /* SHUTDOWN: `guest`, `reason` */
        EVIDENCE_RESET,             /* RESET: `guest`, `reason`; `start`: the firmware start, counted in a reset loop */
        EVIDENCE_POWERDOWN,         /* POWERDOWN: the power button was pressed from the host */
        EVIDENCE_STOP,              /* STOP */
        EVIDENCE_RESUME,            /* RESUME */
        EVIDENCE_SUSPEND,           /* SUSPEND: ACPI S3 */
        EVIDENCE_SUSPEND_DISK,      /* SUSPEND_DISK: ACPI S4 */
        EVIDENCE_WAKEUP,            /* WAKEUP */
        EVIDENCE_WATCHDOG,          /* WATCHDOG: `action` */
        EVIDENCE_GUEST_PANICKED,    /* GUEST_PANICKED: `action` */
        EVIDENCE_GUEST_CRASHLOADED, /* GUEST_CRASHLOADED: `action`; a crash kernel runs now */
        EVIDENCE_GUEST_PVSHUTDOWN,  /* GUEST_PVSHUTDOWN: shut down through pvpanic (QEMU 9.1) */
        EVIDENCE_BLOCK_IO_ERROR,    /* BLOCK_IO_ERROR: `action`, `device` */
        EVIDENCE_REGISTERS,         /* info registers: `halted`: every vCPU in HLT with interrupts off; `vcpus` */
        EVIDENCE_PM1_CONTROL,       /* the PM1a control register of a VM that is held: `value` */
        EVIDENCE_MONITOR_OPENED,    /* the monitor answered, its events are read from here on: `version` */
        EVIDENCE_MONITOR_CLOSED,    /* the monitor's stream was read to its end */
        EVIDENCE_MONITOR_TAKEN,     /* somebody else holds the monitor: connected, but no greeting came */
        EVIDENCE_MALFORMED,         /* the monitor sent what is no QMP: `text` */
        EVIDENCE_SIGNAL,            /* a signal was sent to the VMM: `signal`, `name`, `actor`; not what it
                                       raised itself: abort(), a fault; `unit`: the VMM's, where a service manager sent it */
        EVIDENCE_MESSAGE,           /* a line that the VMM wrote to its standard error: `text` */
        EVIDENCE_EXITED,            /* the VMM exited: `exit_status` */
        EVIDENCE_KILLED,            /* the VMM was ended by a signal: `signal`, `name`, `core` */
        EVIDENCE_VANISHED,          /* the VMM is gone, and how was not seen */
        EVIDENCE_STOPPED,           /* the VMM was stopped by a signal: `signal`, `name` */
        EVIDENCE_CONTINUED,         /* the VMM was continued by SIGCONT */
        EVIDENCE_OOM_KILL,          /* the kernel's OOM killer took a process of the VMM's cgroup: `count`; from the
                                       trace: took the VMM, whose memory is of `cgroup` */
        EVIDENCE_LINE,              /* a line of the guest's console: `text` */
        EVIDENCE_GOING_DOWN,        /* the host system is shutting down: `mode` (poweroff, reboot … where it is known); `actor` asked for it */
        EVIDENCE_STAYS_UP,          /* it is not, after all: what ends the VM from here on is not the host */
        EVIDENCE_HOST_RESTARTED,    /* the host was started anew since; `watched`: somebody looked after the VM until it went down */
        EVIDENCE_REQUEST,           /* somebody asked vmpower for it: `command` (QMP's word), `actor` */
        EVIDENCE_STORED_LATE,       /* a slow disk: such a request went on before it was on record: `command`, `ms` */
        EVIDENCE_OMITTED,           /* like facts were many; these were left out: `kind`, `count` */
        EVIDENCE_PORT_WRITE,        /* the guest wrote to a power port, by KVM: `port`, `value`; `pc`: the VM is a PC, so that
                                       this is what the port does */
        EVIDENCE_KVM_EXIT,          /* KVM handed the VM to its VMM: `reason`; `pc` */
        EVIDENCE_MONITOR_CLIENT,    /* `actor` was connected to a monitor of the VM that is not held, when `event` (a kind of fact) came: `monitor`;
                                       one that names nobody: somebody may have been */
        EVIDENCE_GAP,               /* nobody looked, from the verdict or start before until now: `reason` */
        EVIDENCE_DOMAIN_SHUTDOWN,   /* the domain has shut down: `reason` (poweroff reboot suspend crash watchdog soft-reset; reason-N) */
        EVIDENCE_DOMAIN_GONE,       /* there is no such domain any more: `alive`: it had not shut down before (null: not known) */
        EVIDENCE_CONTROL_REQUEST,   /* somebody wrote the domain's control/shutdown: `request` (poweroff reboot suspend halt; "unseen": gone before it was read), `actor` */
        EVIDENCE_CONTROL_ACKNOWLEDGED, /* the domain's guest took that request: `request` */
        EVIDENCE_DOMAIN_PAUSED,     /* a toolstack paused the domain */
        EVIDENCE_DOMAIN_UNPAUSED,   /* … and let it run on */
        EVIDENCE_DOMAIN_RESUMED,    /* the domain, which had shut down, runs on or was begun anew: it is the same one */
        EVIDENCE_HYPERCALL,         /* a program asked the hypervisor for it: `command` (destroydomain pausedomain unpausedomain resumedomain shutdown power-button), `domid`, `actor`; of a shutdown the `reason`, as the domain's own */
        EVIDENCE_DEVICE_MODEL,      /* the domain's device model is that process of dom0's: `pid` */
        EVIDENCE_DEVICE_MODEL_EXITED,   /* it has exited, and not because its toolstack was done with it: `exit_status` */
        EVIDENCE_DEVICE_MODEL_KILLED,   /* it was ended by a signal: `signal`, `name`, `core` */
        EVIDENCE_DEVICE_MODEL_VANISHED, /* it is gone, and how was not seen */
        EVIDENCE_REFUSED,           /* what somebody asked vmpower for was refused, and not done: `command`, `asked_at_ns` (those of the request), `why` */
        EVIDENCE_ANSWERED_LATE,     /* it was not, and its answer came late, as of a VMM that hung: `command`, `asked_at_ns` */
        _EVIDENCE_KIND_N,
};

enum {
        ACTOR_PARENTS_MAX = 12,
        EVIDENCE_WORD_MAX = 48,  /* bytes of a word, its NUL included */
        EVIDENCE_TEXT_MAX = 208, /* bytes of a text, its NUL included */
        VERDICT_PROOF_MAX = 8,
        VERDICT_SUMMARY_MAX = 640,
};

enum confidence {
        CONFIDENCE_CERTAIN,
        CONFIDENCE_LIKELY,
        CONFIDENCE_GUESS,
        _CONFIDENCE_N,
};

/* For whom a program acted that acts for many: whoever was connected to it. */
struct actor_client {
        int64_t pid; /* 0: nobody is known */
        int64_t uid;
        char user[40];
        char comm[24];
        char cmdline[256];
};

/* Who did it: a process as it was at that instant.  Empty strings are "not known"; `uid` -1 is "not known". */
struct actor {
        int64_t pid;     /* 0: not known */
        int64_t tid;     /* its thread, where that is not the one that goes by the pid; 0 */
        int64_t session; /* the pid of its session's leader; 0: not known */
        int64_t uid;
        char user[40];
        char login_user[40];
        char login_from[56]; /* "ADDRESS:PORT" that he has logged in from over the network */
        char comm[24]; /* TASK_COMM_LEN is 16 */
        char exe[160];
        char cmdline[256];
        char cgroup[160];
        struct {
                int64_t pid;
                char comm[24];
        } parents[ACTOR_PARENTS_MAX]; /* the nearest first, through all sessions */
        size_t n_parents;
        struct actor_client client; /* of a toolstack's daemon: likely, never certain */
        /*
         * "SIGKILL", "qmp", "hmp", "terminal", "vmpower shutdown"; "SIGKILL by ending", "SIGKILL to 77": it came with the end of its sender, or of process 77.
         */
        char via[32];
        enum confidence confidence;
};

struct evidence {
        uint64_t id;      /* given by whoever stores it; 0 before */
        enum evidence_source source;
        enum evidence_kind kind;
        uint64_t at_ns;   /* CLOCK_BOOTTIME at its origin: what the judge orders by */
        uint64_t time_ns; /* UTC nanoseconds since 1970 at the same instant: for people */
        uint64_t seq;     /* its order within its source, for facts of one instant */
        enum tristate flag;
        int64_t number;
        char word[EVIDENCE_WORD_MAX];
        char text[EVIDENCE_TEXT_MAX];
        struct actor *actor; /* owned; NULL when the fact names nobody */
};

/* The JSON keys of a kind's members; NULL where the kind has no such member. */
struct evidence_kind_info {
        const char *name;
        const char *flag;
        const char *number;
        const char *word;
        const char *text;
        bool actor;
};

enum transition {
        TRANSITION_START,
        TRANSITION_POWEROFF,
        TRANSITION_REBOOT,
        TRANSITION_HALT,
        TRANSITION_CRASH,
        TRANSITION_SUSPEND,
        TRANSITION_WAKE,
        TRANSITION_HIBERNATE,
        TRANSITION_PAUSE,
        TRANSITION_RESUME,
        TRANSITION_DESTROY,
        TRANSITION_MIGRATE,
        TRANSITION_FAILURE,
        TRANSITION_UNKNOWN,
        _TRANSITION_N,
};

enum initiator {
        INITIATOR_GUEST,
        INITIATOR_OPERATOR,
        INITIATOR_HOST,
        INITIATOR_VMM,
        INITIATOR_POLICY,
        INITIATOR_UNKNOWN,
        _INITIATOR_N,
};

enum mechanism {
        MECHANISM_ACPI_S3,
        MECHANISM_ACPI_S4,
        MECHANISM_ACPI_S5,
        MECHANISM_APM,
        MECHANISM_PSCI,
        MECHANISM_GUEST_SHUTDOWN,
        MECHANISM_RESET_ACPI,
        MECHANISM_RESET_8042,
        MECHANISM_RESET_CF9,
        MECHANISM_RESET_PORT92,
        MECHANISM_TRIPLE_FAULT,
        MECHANISM_GUEST_RESET,
        MECHANISM_PANIC_DEVICE,
        MECHANISM_HALTED,
        MECHANISM_DEBUG_EXIT,
        MECHANISM_POWER_BUTTON,
        MECHANISM_QMP_QUIT,
        MECHANISM_QMP_RESET,
        MECHANISM_QMP_STOP,
        MECHANISM_UI,
        MECHANISM_SIGNAL,
        MECHANISM_OOM_KILL,
        MECHANISM_HOST_SHUTDOWN,
        MECHANISM_IO_ERROR,
        MECHANISM_WATCHDOG,
        MECHANISM_PROCESS_EXIT,
        MECHANISM_MIGRATION,
        MECHANISM_LIBVIRT,
        MECHANISM_XEN_SHUTDOWN,
        MECHANISM_XEN_CONTROL,
        MECHANISM_XEN_DESTROY,
        MECHANISM_UNSEEN,
        MECHANISM_XEN_TOOLSTACK,
        _MECHANISM_N,
};

/* What was there after the transition and before the decision. */
enum left {
        LEFT_GONE,
        LEFT_OFF,
        LEFT_RUNNING,
        LEFT_PAUSED,
        LEFT_SUSPENDED,
        LEFT_HALTED,
        LEFT_PRESERVED,
        _LEFT_N,
};

struct verdict {
        uint64_t at_ns;   /* of the cause */
        uint64_t time_ns; /* of the cause, UTC */
        enum transition transition;
        enum initiator initiator;
        enum mechanism mechanism;
        enum tristate graceful;
        enum left left;
        uint64_t count; /* like transitions that this one stands for: a reset loop's firmware starts */
        enum confidence confidence;
        const char *rule;          /* static */
        const struct actor *actor; /* borrowed from the evidence; NULL when nobody was seen */
        size_t proof[VERDICT_PROOF_MAX]; /* indexes into the items judged, the cause first */
        size_t n_proof;
};

/* What an owner may set for one VM; judge_settings_default says what holds otherwise. */
struct judge_settings {
        uint64_t button_certain_ns; /* a soft-off so soon after the power button obeys it, certainly */
        uint64_t button_likely_ns;  /* … likely; later it is the guest's own */
};

extern const struct judge_settings judge_settings_default;

/*
 * Judge one episode.
 *
 * `items`: n_items facts about one VM in any order (repeated facts do no harm); may be NULL when n_items is 0.
 * `settings`: NULL for the defaults.
 * Never fails: without evidence the verdict is `unknown`.  The verdict borrows from `items`.
 */
struct verdict verdict_from_evidence(const struct evidence *items, size_t n_items, const struct judge_settings *settings);

/*
 * Write the verdict as one English sentence for the VM called `name` into `ret_text` (VERDICT_SUMMARY_MAX bytes;
 * always terminated, cut at the bound).  Returns its length.
 */
size_t verdict_summarise(const struct verdict *verdict, const struct evidence *items, const char *name, char *ret_text);

/* Names.  The value must be one of its enum; the text is static. */
const char *evidence_source_name(enum evidence_source source);
const struct evidence_kind_info *evidence_kind_info(enum evidence_kind kind);
const char *transition_name(enum transition transition);
const char *initiator_name(enum initiator initiator);
const char *mechanism_name(enum mechanism mechanism);
const char *left_name(enum left left);
const char *confidence_name(enum confidence confidence);

/* And back: 0, or -EINVAL for a text that names nothing (*ret is untouched then). */
int evidence_source_from_name(const char *name, enum evidence_source *ret);
int evidence_kind_from_name(const char *name, enum evidence_kind *ret);
int transition_from_name(const char *name, enum transition *ret);
int initiator_from_name(const char *name, enum initiator *ret);
int mechanism_from_name(const char *name, enum mechanism *ret);
int left_from_name(const char *name, enum left *ret);
int confidence_from_name(const char *name, enum confidence *ret);

/* The judge's table of rules, for documents and tests: the i-th rule's name and meaning, or NULL past the end. */
struct rule_info {
        const char *name;
        enum transition transition;
        enum initiator initiator;
        enum mechanism mechanism;
        enum tristate graceful;
        enum confidence confidence;
};
const struct rule_info *judge_rule(size_t i);

#ifdef __cplusplus
}
#endif
