/*
 * Client: asking vmpower's daemon, from C.
 *
 * Which VMs there are, why one stopped, its history, and every verdict as it is told.  Link with -lvmpower (pkg-config vmpower).
 *
 * Every function that can fail returns 0, a positive outcome that is named here, or a negative errno.  After a negative errno
 * vmpower_error() says in one line what is wrong.  A handle and what came from it belong to one thread at a time; different handles
 * are independent.  Nothing here writes to a standard stream, changes a signal or keeps global state; a call waits for the daemon for
 * at most 30 s (-ETIMEDOUT), however slowly or endlessly that answers.
 *
 * Texts that an accessor returns are UTF-8, belong to the object and live as long as it does.  NULL is "not known".  Words
 * ("poweroff", "guest", "acpi-s5") are those of the JSON; docs/verdicts.md says what they mean.  New ones may come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The daemon ---- */

struct vmpower;

enum vmpower_daemon {
        VMPOWER_ANY_DAEMON,    /* the user's own, if it answers; else the system's */
        VMPOWER_SYSTEM_DAEMON, /* /run/vmpower/vmpower.sock */
        VMPOWER_USER_DAEMON,   /* $XDG_RUNTIME_DIR/vmpower/vmpower.sock */
};

/*
 * Find a daemon that answers.  Where VMPOWER_RUN_DIR is set, its socket is VMPOWER_RUN_DIR/vmpower.sock whichever is asked for.
 * *ret_vmpower is to be given back with vmpower_free().  -ECONNREFUSED: no daemon runs; -EACCES; -ENAMETOOLONG; -ENOMEM.
 */
int vmpower_new(struct vmpower **ret_vmpower, enum vmpower_daemon daemon);

/* The same, with the daemon whose socket is at `path`. */
int vmpower_new_at(struct vmpower **ret_vmpower, const char *path);

/* Accepts NULL; returns NULL.  What came from the handle stays valid, but for its streams: free these first. */
struct vmpower *vmpower_free(struct vmpower *vmpower);

/* Where the daemon's socket is. */
const char *vmpower_path(const struct vmpower *vmpower);

/* What the last call on this handle failed with, in one line; "" if it did not.  Good until the next call. */
const char *vmpower_error(const struct vmpower *vmpower);

/*
 * Is it at home?  *ret_json (may be NULL; to be freed with free()) is its answer: {"status", "version", "pid",
 * "since", "vms", "states", "monitors", "helpers", "lacks", "descriptors_kept", "last_number", "store", "you"}.
 */
int vmpower_check_health(struct vmpower *vmpower, char **ret_json);

/*
 * Any GET of the API: `path` is what docs/openapi.yaml documents, percent-encoded, with its query.  *ret_text is to be freed with
 * free().
 *
 * The errors of all calls: -ENOENT it is not there, or not for you (404); -EACCES you may not (403); -EINVAL the question makes no
 * sense (400 …); -EBUSY not as things are (409); -EAGAIN try later (503); -EIO the daemon failed (500); -ECONNREFUSED,
 * -ECONNRESET the daemon has gone; -ETIMEDOUT; -EPROTO, -EMSGSIZE what answers is no vmpower; -ENOMEM.
 */
int vmpower_get(struct vmpower *vmpower, const char *path, char **ret_text);

/* ---- VMs ---- */

struct vmpower_vm;
struct vmpower_vms; /* a list of them */

/* Every VM that you may see.  Give the list back with vmpower_vms_free(). */
int vmpower_list_vms(struct vmpower *vmpower, struct vmpower_vms **ret_vms);
size_t vmpower_vms_count(const struct vmpower_vms *vms);
/* The i-th, owned by the list; NULL past the end. */
const struct vmpower_vm *vmpower_vms_get(const struct vmpower_vms *vms, size_t i);
struct vmpower_vms *vmpower_vms_free(struct vmpower_vms *vms);

/* One VM, by its name, uuid or instance.  -ENOENT.  Give it back with vmpower_vm_free(). */
int vmpower_find_vm(struct vmpower *vmpower, const char *name, struct vmpower_vm **ret_vm);
struct vmpower_vm *vmpower_vm_free(struct vmpower_vm *vm);

const char *vmpower_vm_name(const struct vmpower_vm *vm);
const char *vmpower_vm_uuid(const struct vmpower_vm *vm);
const char *vmpower_vm_backend(const struct vmpower_vm *vm);
const char *vmpower_vm_instance(const struct vmpower_vm *vm);
int64_t vmpower_vm_pid(const struct vmpower_vm *vm); /* 0: none */
const char *vmpower_vm_state(const struct vmpower_vm *vm);
const char *vmpower_vm_began(const struct vmpower_vm *vm);        /* RFC 3339: its process was started then */
const char *vmpower_vm_since(const struct vmpower_vm *vm);        /* RFC 3339 */
const char *vmpower_vm_monitor(const struct vmpower_vm *vm);      /* NULL: none is held */
const char *vmpower_vm_shared_monitor(const struct vmpower_vm *vm); /* where any QMP client may use it; NULL: nowhere */
const char *vmpower_vm_could_attach(const struct vmpower_vm *vm); /* NULL: there is none to attach */
const char *vmpower_vm_last_verdict(const struct vmpower_vm *vm); /* its id */
const char *vmpower_vm_last_summary(const struct vmpower_vm *vm);
const char *vmpower_vm_json(const struct vmpower_vm *vm);         /* all of it, on one line */

/*
 * Have the daemon open the VM's monitor at `qmp`, an absolute path; the VM is called `name` from then on.  `pid`: its process, 0: whoever
 * listens there.  ret_vm may be NULL.  -EBUSY: somebody else holds the monitor, it is attached already, or it is not that process's
 * (vmpower_error() tells which); -EACCES; -ENOENT; -EINVAL.
 */
int vmpower_attach(struct vmpower *vmpower, const char *name, const char *qmp, int64_t pid, struct vmpower_vm **ret_vm);

/* Have it give the monitor back.  -ENOENT: no such VM; -EBUSY: no monitor is held; -EACCES.  ret_vm may be NULL. */
int vmpower_detach(struct vmpower *vmpower, const char *name, struct vmpower_vm **ret_vm);

/*
 * Ask a VM for `action`: "shutdown" (the power button, which a guest may ignore; a Xen domain's guest is asked by Xen), "power-button" (of a Xen domain,
 * too), "reboot", "suspend" (Xen alone), "reset", "destroy", "pause", "resume", "wake".  Who asks is
 * on record before it is done, and named in the verdict.  ret_vm may be NULL; it is set to NULL where the VM has gone by then.
 * -ENOENT; -EBUSY: its monitor is not held, no such VM can be asked for that, or QEMU or its helper says why not; -EACCES: you may not; -EINVAL: there is no such
 * action.
 */
int vmpower_request(struct vmpower *vmpower, const char *vm, const char *action, struct vmpower_vm **ret_vm);

/* ---- Verdicts ---- */

struct vmpower_verdict;
struct vmpower_verdicts; /* a list of them */

enum {
        VMPOWER_HAS_NOT_STOPPED = 1, /* the VM is there, and there is no verdict on it */
        VMPOWER_TIMEOUT = 2,         /* nothing was told for so long */
};

/*
 * Why did it stop?  The last verdict on that VM (its name, uuid or instance).  0, VMPOWER_HAS_NOT_STOPPED (vmpower_error() says since
 * when), -ENOENT.
 */
int vmpower_why(struct vmpower *vmpower, const char *vm, struct vmpower_verdict **ret_verdict);

/* One verdict by its id.  -ENOENT. */
int vmpower_find_verdict(struct vmpower *vmpower, const char *id, struct vmpower_verdict **ret_verdict);
struct vmpower_verdict *vmpower_verdict_free(struct vmpower_verdict *verdict);

const char *vmpower_verdict_id(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_vm(const struct vmpower_verdict *verdict); /* its name */
const char *vmpower_verdict_instance(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_time(const struct vmpower_verdict *verdict); /* RFC 3339 */
const char *vmpower_verdict_transition(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_initiator(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_mechanism(const struct vmpower_verdict *verdict);
int vmpower_verdict_graceful(const struct vmpower_verdict *verdict); /* 1, 0, or -1: cannot be known */
const char *vmpower_verdict_left(const struct vmpower_verdict *verdict);
uint64_t vmpower_verdict_count(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_confidence(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_rule(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_summary(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_revises(const struct vmpower_verdict *verdict); /* the id of the verdict in whose place it is */
/* Who did it: the rest is in the JSON. */
int64_t vmpower_verdict_actor_pid(const struct vmpower_verdict *verdict); /* 0: not known */
int64_t vmpower_verdict_actor_uid(const struct vmpower_verdict *verdict); /* -1: not known */
const char *vmpower_verdict_actor_user(const struct vmpower_verdict *verdict);
const char *vmpower_verdict_actor_comm(const struct vmpower_verdict *verdict);
/* All of it, on one line: the form vmpower.verdict/1. */
const char *vmpower_verdict_json(const struct vmpower_verdict *verdict);

/* What history is asked for.  Zero and NULL mean: any. */
struct vmpower_filter {
        const char *vm;         /* its name, uuid or instance */
        const char *initiator;
        const char *transition;
        const char *since;      /* RFC 3339: happened then or later */
        const char *until;      /* before then */
        uint64_t before;        /* the next page: vmpower_verdicts_next() of this one */
        size_t limit;           /* at most 1000; 0: 100 */
};

/* A page of history, newest first.  `filter` may be NULL.  Give it back with vmpower_verdicts_free(). */
int vmpower_list_verdicts(struct vmpower *vmpower, const struct vmpower_filter *filter,
                          struct vmpower_verdicts **ret_verdicts);
size_t vmpower_verdicts_count(const struct vmpower_verdicts *verdicts);
/* The i-th, owned by the list; NULL past the end. */
const struct vmpower_verdict *vmpower_verdicts_get(const struct vmpower_verdicts *verdicts, size_t i);
/* What the next page is asked with (`before`); 0: this is the last. */
uint64_t vmpower_verdicts_next(const struct vmpower_verdicts *verdicts);
struct vmpower_verdicts *vmpower_verdicts_free(struct vmpower_verdicts *verdicts);

/* ---- Verdicts as they are told ---- */

struct vmpower_events;

#define VMPOWER_FROM_NOW UINT64_MAX

/*
 * Listen.  `after`: go on behind the verdict of that number, so that none is left out and none comes twice (0: from the
 * beginning), or VMPOWER_FROM_NOW.  Give it back with vmpower_events_free().
 */
int vmpower_listen(struct vmpower *vmpower, uint64_t after, struct vmpower_events **ret_events);

/*
 * The next verdict or revision, yours to give back with vmpower_verdict_free().  Waits for at most timeout_ms (-1: for ever): then
 * VMPOWER_TIMEOUT.  -ECONNRESET: the daemon has ended, or has dropped a listener who was too slow: listen again, after
 * vmpower_events_number().
 */
int vmpower_events_next(struct vmpower_events *events, int timeout_ms, struct vmpower_verdict **ret_verdict);

/* The number of the verdict that came last, to resume from; VMPOWER_FROM_NOW or what it began with, if none came. */
uint64_t vmpower_events_number(const struct vmpower_events *events);

/*
 * To be waited for with poll() and the like: readable when vmpower_events_next() is worth a call.  Call that with a timeout of 0 until
 * it gives VMPOWER_TIMEOUT before waiting again: more than one verdict may have come.
 */
int vmpower_events_fd(const struct vmpower_events *events);
struct vmpower_events *vmpower_events_free(struct vmpower_events *events);

#ifdef __cplusplus
}
#endif
