/*
 * Engine, inside: what its parts share.
 *
 * engine.c is the way that facts take; engine_vm.c is how a VM comes into the engine, changes and leaves it.
 */
#pragma once

#include "core/episode.h"
#include "core/tally.h"
#include "engine/engine.h"

struct engine {
        sd_event *event;
        sd_event_source *committed; /* the store has something to say */
        sd_event_source *wakeup;    /* runs last: what this wakeup brought goes to the store */
        struct store *store;
        struct engine_events events;
        struct store_batch *batch;
        struct backlog *backlog; /* what a sick disk did not take */
        uint64_t patient_until_ns; /* then what is not on disk is judged all the same */
        bool is_kept;              /* the batch that could not even be submitted went to the backlog */
        struct engine_vm **vms; /* by rising id */
        size_t n_vms;
};

struct engine_vm {
        struct engine *engine;
        struct store_vm instance;
        struct source_sink sink;
        struct tally tally;
        struct episode episode;
        struct policy policy;
        sd_event_source *deadline;
        uint64_t told_episode;
        struct decision told_decision;
        unsigned n_restarts;
        unsigned n_unstored;   /* facts that are not on disk, and wait for it in memory at most */
        unsigned in_flight;    /* batches of this VM with the writer */
        bool waits_for_disk;   /* what is to judge is not stored: the disk is given some time */
        bool is_over;
        char told_id[VERDICT_ID_MAX];
        void *userdata;
};

void engine_trouble(struct engine *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where the VM of that id is among the engine's, or would be. */
size_t engine_find_place(const struct engine *engine, int64_t id);

/* What this wakeup brings; it is submitted at the wakeup's end.  NULL: out of memory. */
struct store_batch *engine_open_batch(struct engine *engine);

/* A fact that comes in at a VM's sink (`userdata`). */
void engine_vm_report(void *userdata, struct evidence *evidence);

/* One that the VM's tally (`userdata`: the VM) has held back. */
void engine_vm_let_out(struct evidence *evidence, void *userdata);

/* A fact that is on disk, to its episode. */
void engine_vm_take(struct engine_vm *vm, struct evidence *evidence);

/* What there is to judge is judged then. */
void engine_vm_wake_at(struct engine_vm *vm, uint64_t at_ns);
