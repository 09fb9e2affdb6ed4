/*
 * Keeper: every VM of the host, found without being registered, and looked after.
 *
 * Wires discovery (KVM's uevents, the survey of /proc) to the engine: each VM that is found is watched by its process; a monitor
 * is opened only where somebody asked for it (attach), take_monitors names it, or a vmpower made it, and nobody is connected to it.  Over a
 * restart it takes up what it held.  Other processes may tell of VMs on the wire (docs/wire.md), as `vmpower run` does; VMs without a process are looked
 * after by helpers, programs that it starts.  Does not know who is told, or how.
 */
#pragma once

#include "engine/engine.h"
#include "engine/handover.h"

struct keeper;

/* One VM as the keeper knows it.  Texts are borrowed: valid during the call that hands it out. */
struct kept_vm {
        const struct store_vm *instance; /* name, uuid, backend, instance, pid, uid, command line, when it began */
        const struct policy *policy;     /* NULL: as the instance's text says */
        const char *state;               /* running, paused, suspended, halted, off, gone: what was left of it last */
        uint64_t since_ns;               /* UTC: in that state since */
        const char *monitor;             /* the monitor that we hold; NULL: none */
        const char *shared_monitor;      /* where others may use it; NULL: nowhere */
        const char *could_attach;        /* a QMP monitor that `attach` could take; NULL: none, or it is a toolstack's */
        unsigned sources;                /* 1 << enum evidence_source, each that tells of it now, ours or another vmpower's */
        const char *last_verdict;        /* its id; NULL: none of this instance */
        const char *last_summary;
};

/* Programs of ours that look after VMs without a process (docs/wire.md), and when they are started. */
enum keeper_helper {
        KEEPER_XEN,
        _KEEPER_HELPER_N,
};

enum keeper_help {
        KEEPER_AUTO, /* where what it looks after is there */
        KEEPER_YES,
        KEEPER_NO,
};

struct keeper_config {
        const char *const *take_monitors; /* globs of monitor paths that are ours to open; n_take_monitors of them */
        size_t n_take_monitors;
        uint64_t halt_after_ns;           /* see policy.h */
        const char *run_directory;        /* sockets of shared monitors are made under it, and `run` has its monitors there */
        struct handover *handover;        /* outlives the keeper */
        enum keeper_help helpers[_KEEPER_HELPER_N];
        bool xen_leaves;                  /* domains are watched, whatever their own configuration says */
};

struct keeper_events {
        /* On disk (or trouble said that it is not). */
        void (*verdict)(const struct verdict_record *record, int64_t uid, void *userdata);
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

/* Finds every VM that is there now, and hears of every other from then on.  The store must be open for writing. */
int keeper_new(struct keeper **ret_keeper, sd_event *event, struct store *store, const struct keeper_config *config,
               const struct keeper_events *events, char ret_why[static STORE_WHY_MAX]);
struct keeper *keeper_free(struct keeper *keeper);

/* How many, and each of them, the newest first; `each` returns 0 to go on. */
size_t keeper_n_vms(const struct keeper *keeper);
int keeper_each_vm(struct keeper *keeper, int (*each)(const struct kept_vm *vm, void *userdata), void *userdata);

/* The VM of that name, uuid (of user `uid` first, if it is not -1) or instance.  0, or -ENOENT. */
int keeper_find_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm);
/* The same, to do something to it: -ENOTUNIQ where several are meant as well (of nobody else's names or uuids, if one is the user's own); ret_why lists them. */
int keeper_find_one_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm, char ret_why[static STORE_WHY_MAX]);

struct keeper_attach_order {
        const char *name;          /* the VM is called so from now on */
        const char *path;          /* of its monitor */
        pid_t pid;                 /* whose process it is; 0: whoever listens there */
        int64_t owner;             /* only what this user's process listens on; -1: anybody's */
        const struct actor *asker; /* written down */
        /*
         * Once, from the loop, unless keeper_attach() has failed: the monitor has greeted, and is held (0, and the VM), or not (-EBUSY, -EPROTO,
         * -ECONNRESET …, and why).
         */
        void (*done)(void *userdata, int result, const struct kept_vm *vm, const char *why);
        void *userdata;
};

/*
 * Open the monitor of a VM.  A process that runs a VM is that VM; in one that does not, each monitor is a VM of its own.  0: `done`
 * follows, within little more than a second.  -EBUSY: somebody is connected to it; -ENOTSOCK, -ENOENT; -EPERM: libvirt's; -EACCES: not the
 * owner's; -ESRCH: that process is not its owner; -EEXIST: it is attached already.  ret_why says it in one line.
 */
int keeper_attach(struct keeper *keeper, const struct keeper_attach_order *order, char ret_why[static STORE_WHY_MAX]);

struct keeper_detach_order {
        const char *name;          /* or uuid, or instance */
        const struct actor *asker; /* written down */
        /* Once, from the loop, unless keeper_detach() has failed: that it was given back is on record (or the disk is sick), or vmpowerd ends. */
        void (*done)(void *userdata, int result, const struct kept_vm *vm, const char *why);
        void *userdata;
};

/* Give the monitor back; the VM is watched by its process as before.  0: `done` follows; -ENOENT; -ENOTCONN: no monitor is held. */
int keeper_detach(struct keeper *keeper, const struct keeper_detach_order *order, char ret_why[static STORE_WHY_MAX]);

/* What can be asked of a VM: the i-th word ("shutdown", "reboot", "suspend", "reset" …), or NULL past the end. */
const char *keeper_action(size_t i);

struct keeper_request {
        const char *vm;            /* its name, uuid or instance */
        const char *action;
        const struct actor *asker; /* on record before it is done */
        /* Once, from the loop, unless keeper_ask() has failed: QEMU or the helper has done it (0), or not and why.  `vm` may be NULL: it has gone. */
        void (*done)(void *userdata, int result, const struct kept_vm *vm, const char *why);
        void *userdata;
};

/*
 * Ask a VM for something by the monitor that we hold, as any of its clients would, or by its helper.  `shutdown` presses the power button: whether the guest
 * obeys is its own affair; a Xen domain's guest is asked by Xen's own means, and done is what its driver has taken.  0: `done` follows; -ENOENT; -ENOTCONN: no monitor is held, or
 * its helper does not run; -EOPNOTSUPP: no such VM can be asked for that, and ret_why says what to do instead; -EINVAL: there is no such action.
 */
int keeper_ask(struct keeper *keeper, const struct keeper_request *request, char ret_why[static STORE_WHY_MAX]);

/* Are the kernel's tracepoints read by perf (engine/tracing.h)? */
bool keeper_is_by_perf(const struct keeper *keeper);

/*
 * Told to end: leaves the loop (sd_event_exit) at once, or, while the host goes down, after the VMs that end with it, at most 25 seconds later.
 * Told twice: at once.
 */
void keeper_end(struct keeper *keeper);

/*
 * Store what waits, and write down that nobody looks after the VMs from now on (waits for the disk).  Only keeper_free() comes after
 * that.
 */
void keeper_settle(struct keeper *keeper);

/* All that can be known about the process that made this connection; `via` is how it asks.  0; -ESRCH: it has gone, see proc_peer_actor(). */
int keeper_identify(int fd, const char *via, struct actor *ret_actor);
