/*
 * Keeper: every VM of the host, found without being registered, and looked after.
 *
 * Wires discovery (KVM's uevents, the survey of /proc) to the engine: each VM that is found is watched by its process; a monitor
 * is opened only where somebody asked for it (attach) or take_monitors names it.  Does not know who is told, or how.
 */
#pragma once

#include "engine/engine.h"

struct keeper;

/* One VM as the keeper knows it.  Texts are borrowed: valid during the call that hands it out. */
struct kept_vm {
        const struct store_vm *instance; /* name, uuid, backend, instance, pid, uid, command line, when it began */
        const char *state;               /* running, paused, suspended, halted, off, gone: what was left of it last */
        uint64_t since_ns;               /* UTC: in that state since */
        const char *monitor;             /* the monitor that we hold; NULL: none */
        const char *could_attach;        /* a QMP monitor that `attach` could take; NULL: none, or it is a toolstack's */
        const char *last_verdict;        /* its id; NULL: none of this instance */
        const char *last_summary;
};

struct keeper_config {
        const char *const *take_monitors; /* globs of monitor paths that are ours to open; n_take_monitors of them */
        size_t n_take_monitors;
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

/* How many, and each of them, by rising age of its instance; `each` returns 0 to go on. */
size_t keeper_n_vms(const struct keeper *keeper);
int keeper_each_vm(struct keeper *keeper, int (*each)(const struct kept_vm *vm, void *userdata), void *userdata);

/* The VM of that name (of user `uid` first, if it is not -1), uuid or instance.  0, or -ENOENT. */
int keeper_find_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm);

/*
 * Open the monitor at `path`, of the VM that is process `pid` (0: whoever listens there) and shall be called `name` from now on.  `asker`: who
 * wants it, written down.  -EBUSY: somebody is connected to it; -ENOTSOCK, -ENOENT; -EPERM: libvirt's; -ESRCH: that
 * process is not its owner; -EEXIST: it is attached already.  ret_why says it in one line.
 */
int keeper_attach(struct keeper *keeper, const char *name, const char *path, pid_t pid, const struct actor *asker,
                  char ret_why[static STORE_WHY_MAX]);

/* Give the monitor back; the VM is watched by its process as before.  -ENOENT; -ENOTCONN: no monitor is held. */
int keeper_detach(struct keeper *keeper, const char *name, const struct actor *asker, char ret_why[static STORE_WHY_MAX]);

/* Write down that nobody looks after the VMs from now on, and store what waits (waits for the disk). */
void keeper_settle(struct keeper *keeper);

/* All that can be known about a process that asks for something; `via` is how.  0, or -errno where less than its pid is known. */
int keeper_identify(pid_t pid, const char *via, struct actor *ret_actor);
