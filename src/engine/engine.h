/*
 * Engine: the wiring of core, store and sources around one loop.
 *
 * Evidence comes in at a VM's sink; what one wakeup brought is committed in one transaction; then it is judged, and what is
 * new is decided, committed, and told.  Knows the way that facts take.  Does not know where they come from, who is told, or
 * how a decision is carried out.
 */
#pragma once

#include "engine/backlog.h"
#include "engine/past.h"
#include "sources/source.h"

#include <systemd/sd-event.h>

struct engine;
struct engine_vm;

/*
 * A disk that is full, locked or failing is given so long; then what it did not take is judged and told all the same, and stored once it can be
 * (backlog.h).  And so much may wait in memory.  Tests make both smaller.
 */
extern uint64_t engine_patience_ns;
extern size_t engine_backlog_max;

struct engine_events {
        /*
         * A verdict, new or revised, with its decision: on disk, or (trouble has said so) not.  A decision that is
         * RESULT_PENDING is the owner's to carry out; engine_vm_decide() takes the result.
         */
        void (*verdict)(struct engine_vm *vm, const struct verdict_record *record, void *userdata);
        /* Nothing of this VM can follow, and all that was told is on disk.  The owner may remove it, but not in this call. */
        void (*over)(struct engine_vm *vm, void *userdata);
        /*
         * What somebody waits for is on disk: a request (EVIDENCE_REQUEST), that a monitor was opened (EVIDENCE_MONITOR_OPENED), that the host
         * goes down (EVIDENCE_GOING_DOWN).  Or (result is a
         * negative errno) could not be stored and is kept in memory.  May be NULL.
         */
        void (*recorded)(struct engine_vm *vm, const struct evidence *evidence, int result, void *userdata);
        /* All that was reported of the VM is on disk.  May be NULL. */
        void (*stored)(struct engine_vm *vm, void *userdata);
        /* What the user has to know, in one line. */
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

int engine_new(struct engine **ret_engine, sd_event *event, struct store *store, const struct engine_events *events);
struct engine *engine_free(struct engine *engine);

/* So long engine_add_vm() waits for the disk (0, as it begins: as long as it takes); then it is -EAGAIN, and the VM may be on record later. */
extern unsigned engine_add_patience_ms;

/*
 * Look after a VM from now on: writes its instance and its policy (waits for the disk) and opens its episode.  `instance` is taken over on success.  Errors as
 * store_add_vm(), which sets ret_other.
 */
int engine_add_vm(struct engine *engine, struct store_vm *instance, const struct policy *policy, bool has_process,
                  struct engine_vm **ret_vm, struct store_vm *ret_other, char ret_why[static STORE_WHY_MAX]);

/*
 * Look after a VM whose instance is written down already, and whose watcher has gone: `watcher` is the new one.  Goes on from its past,
 * which is judged as far as it was not.  `gap`: nobody looked in between, and why; it is evidence.  NULL: nothing was missed.
 * `instance` is taken over on success; of the past its episode, the rest is the caller's to deinit.  0, or -ENOMEM.
 */
int engine_adopt_vm(struct engine *engine, struct store_vm *instance, const char *watcher, const struct policy *policy,
                    struct past *past, const char *gap, struct engine_vm **ret_vm);

/* Forget it (its history stays).  What waits to be stored is stored. */
struct engine_vm *engine_remove_vm(struct engine_vm *vm);

/* Where its sources report to.  `ended` is ignored: the evidence says what matters. */
const struct source_sink *engine_vm_sink(struct engine_vm *vm);

/* Without its policy and its watcher: see engine_vm_policy(), and the watcher is whoever owns the engine. */
const struct store_vm *engine_vm_instance(const struct engine_vm *vm);
const struct policy *engine_vm_policy(const struct engine_vm *vm);
/* Has its monitor been opened, and nothing said since that it was closed?  Its story is not over before. */
bool engine_vm_has_open_monitor(const struct engine_vm *vm);

void engine_vm_set_userdata(struct engine_vm *vm, void *userdata);
void *engine_vm_userdata(const struct engine_vm *vm);

/* The VM turned out to be another process: a wrapper's child, a daemon. */
int engine_vm_rename(struct engine_vm *vm, const struct vm_identity *identity, int64_t pid);

/* Its watcher holds this monitor; NULL: none any more. */
int engine_vm_set_monitor(struct engine_vm *vm, const struct store_monitor *monitor);

/* Its owner wants this from now on. */
void engine_vm_set_policy(struct engine_vm *vm, const struct policy *policy);

/* How many restarts policy has made of this name lately: told by the owner, counted by policy_decide(). */
void engine_vm_set_restarts(struct engine_vm *vm, unsigned n_restarts);

/* The decision of that verdict came to this. */
int engine_vm_decide(struct engine_vm *vm, const char *verdict_id, const struct decision *decision);

/* What was decided of its newest verdict, and that one's id, in this life or in the one before. */
const struct decision *engine_vm_decision(const struct engine_vm *vm, const char **ret_verdict_id);

/* Is all that was reported of it on disk? */
bool engine_vm_is_stored(const struct engine_vm *vm);

/* It never came to be: its instance ends without a verdict. */
int engine_vm_abandon(struct engine_vm *vm);

/*
 * What was held back of a burst goes to the store.  Nobody looks after it from here on, though it may run on: the reason is evidence.  NULL: whoever takes it up will know whether anything
 * was missed.
 */
int engine_vm_leave(struct engine_vm *vm, const char *reason);

/* Store, judge and tell all that is there (waits for the disk, but for one that takes nothing not for ever). */
void engine_settle(struct engine *engine);

/* What waits for the disk, and what was lost. */
struct backlog_state engine_backlog(const struct engine *engine);
