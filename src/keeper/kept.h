/*
 * Kept: one VM as the daemon keeps it.
 *
 * Its sources (the process, the monitor if we hold one), the shared monitor over it, and what was told of it last.  Knows whose descriptor
 * goes where.  Does not know other VMs, or how this one was found.
 */
#pragma once

#include "basics/table.h"
#include "engine/engine.h"
#include "engine/handover.h"
#include "sources/qemu/monitor_clients.h"
#include "sources/qemu/qemu_source.h"

struct kept;
struct wire_link;
struct helped;

/* What all kept VMs share: their keeper's. */
struct kept_home {
        sd_event *event;
        struct handover *handover;
        struct tracing *tracing;
        char shared_directory[80];  /* of the shared monitors' sockets; "": none are made */
        uint64_t halt_after_ns;
        struct halt_ticks *ticks; /* one timer for all looks at halted guests */
        void (*changed)(struct kept *kept); /* is_over or monitor_is_over: clear away, outside of the sources' calls */
        void (*has_state)(struct kept *kept); /* another one than before */
        void (*say)(void *userdata, const char *line);
        bool (*may_share)(void *userdata); /* a monitor more; false: descriptors are short, which is said */
        void *userdata;
};

struct kept {
        const struct kept_home *home;
        struct engine_vm *vm;   /* NULL: another vmpower writes it down, in the same database */
        struct store_vm *told;  /* then this is what it told of it; owned */
        struct wire_link *wire; /* whoever tells of it on the wire (keeper_wire.c); NULL: nobody */
        struct helped *helped;  /* a helper's, or it was (helping.h); NULL: it has a process */
        struct kept *next, *previous;
        struct table_link by_pid, by_name, by_uuid, by_instance;

        struct process_watch *watch; /* NULL: it is a monitor in a process that is no VM, or its process has gone */
        struct source_sink process_sink;
        struct traced *traced; /* what the kernel sees of its process; NULL: nothing */
        struct source_sink traced_sink;
        struct qemu_source *qemu; /* NULL: no monitor is held */
        struct source_sink qemu_sink;
        struct monitor_looks looks;
        struct shared_monitor *shared;
        struct held_request *requests; /* that wait for their record; owned */
        char *monitor;      /* the one that we hold; owned; NULL: none */
        char *could_attach; /* owned; NULL: none */

        const char *state; /* of `left` and is_stopped */
        uint64_t since_ns;
        enum left left;     /* by its monitor's facts, or by the verdict that was told last */
        uint64_t fact_ns;   /* UTC: of the last fact that has told its state; 0: none has */
        bool is_known;      /* its state, and not only supposed */
        bool is_stopped;    /* its process, by a signal */
        bool is_taken_up;   /* somebody has looked after it before */
        bool awaits_status; /* its monitor has been opened, and has not said how the VM is */
        char last_verdict[VERDICT_ID_MAX];
        char *last_summary; /* owned */

        bool is_going_down;  /* its record says that the host goes down */
        bool is_outlasted;   /* we end after it */
        bool is_unwatched;   /* its process, for want of descriptors: that is tried again */
        char *own_name;      /* what its command line calls it, while it waits for that name; owned */
        bool is_over;        /* its story is told */
        bool monitor_is_over;
        uint64_t monitor_ended_ns; /* when the last one that was held ended by itself; 0: none has */
        bool is_monitor_handed, is_listener_handed; /* to the service manager */
        bool is_in_clearing; /* the keeper's list of what is to be cleared away */
        struct kept *next_to_clear;
};

/* Of an instance that the engine looks after already, and whose userdata it becomes; the VM is the kept's.  0 or -ENOMEM. */
int kept_new(struct kept **ret_kept, const struct kept_home *home, struct engine_vm *vm);

/* Of an instance that another vmpower looks after and writes down; taken over on success.  0 or -ENOMEM. */
int kept_new_told(struct kept **ret_kept, const struct kept_home *home, struct store_vm *told);

/* It is over, or given up: its monitor is closed. */
struct kept *kept_free(struct kept *kept);
/* We end, it does not: what the service manager keeps of it stays as it is. */
struct kept *kept_leave(struct kept *kept);

const struct store_vm *kept_instance(const struct kept *kept);
const char *kept_name(const struct kept *kept);

/* A status that is read when its monitor is opened, and that no fact has led to, came about while nobody looked: then it is told how the VM was before. */
void kept_tell_unseen(struct kept *kept, struct evidence *status);

/* How it is now, by a fact of its own: in the order in which they happened, before they are on record. */
void kept_note_fact(struct kept *kept, const struct evidence *fact);

/* What was told of it last, in this life or in the one before. */
void kept_note_verdict(struct kept *kept, const char *id, const char *summary, enum left left, uint64_t time_ns);

/*
 * Watch its process; one that has gone is reported as such.  0; -EMFILE, as without has_descriptors, -errno: it cannot be watched now, and of its end is known what the
 * kernel's programs tell when it can.  Or do so no more: somebody else does.
 */
int kept_watch_process(struct kept *kept, pid_t pid, bool has_descriptors);
void kept_leave_process(struct kept *kept);

/* Somebody else watches its process and holds its monitor; what the kernel sees of it, we alone do. */
void kept_trace_process(struct kept *kept, pid_t pid);

/*
 * Hold its monitor: a connection with its past, taken over on success.  Others may use it through the shared monitor.  `listener`: that
 * one's socket from an earlier life; taken over in any case; -1: none.
 */
int kept_hold_monitor(struct kept *kept, const char *path, int fd, const struct qemu_source_past *past, int listener);

/* Its monitor is on record: a later life that is handed the connection knows whose it is. */
void kept_hand_over(struct kept *kept);

/* It is not handed to a later life any more. */
void kept_take_back(struct kept *kept);

/* All that was said of it is on record: no later life has to read it again. */
void kept_stored(struct kept *kept);

/* Its connection is at its end, or is given up: close it. */
void kept_close_monitor(struct kept *kept);

/* A request of somebody's, on disk as far as it can be: let it go on. */
void kept_recorded(struct kept *kept, const struct evidence *request);

/* Where others may use its monitor; NULL: nowhere. */
const char *kept_shared_path(const struct kept *kept);
