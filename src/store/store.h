/*
 * Store: evidence, verdicts and decisions of every VM, in one SQLite file.
 *
 * Knows what is durable.  Evidence is committed before anyone judges it; nothing is rewritten, a verdict is revised by
 * a new one.  One writer thread belongs to the store: what is submitted comes back through a descriptor when it is on
 * disk, so a slow disk never blocks the caller.  Several processes may have the same file open.
 * Does not know where evidence comes from or what verdicts mean.
 */
#pragma once

#include "core/record.h"

enum {
        STORE_WHY_MAX = 512, /* bytes of the one line that says what is wrong and what to do about it */
        STORE_QUEUE_MAX = 128 << 20, /* bytes that may wait for a slow disk: twice the end of 10,000 VMs at once */
};

struct store;

enum store_mode {
        STORE_READ,  /* must be there: -ENOENT if not; never changes a byte that matters */
        STORE_WRITE, /* made if it is not there (directory 0700, file 0600); has the writer thread */
};

/*
 * Open DIRECTORY/vmpower.db.  On failure ret_why says what is wrong in one line: not a directory, no right, disk full,
 * locked by another program for more than 5 s (-EBUSY), made by a newer vmpower (-EPROTO), corrupt or no database
 * (-EBADMSG; it is never replaced).
 */
int store_open(struct store **ret_store, const char *directory, enum store_mode mode,
               char ret_why[static STORE_WHY_MAX]);

/*
 * Be the one vmpowerd of this directory, which is there, until the descriptor is closed or the process ends: -EBUSY, there is another, and ret_why
 * says which.  Whoever only opens the store is not kept out.
 */
int store_claim(const char *directory, int *ret_fd, char ret_why[static STORE_WHY_MAX]);

/*
 * Waits for what was submitted, calls its `done` (which can submit nothing any more: -ESHUTDOWN), then closes.
 * Accepts NULL.
 */
struct store *store_close(struct store *store);
/* The database's path. */
const char *store_path(const struct store *store);
void store_closep(struct store **store);

enum {
        STORE_IDENTITY_MAX = 48,
};

/* Which file it is, of all on this host: DEVICE:INODE.  0 or -errno. */
int store_identity(const struct store *store, char ret_text[static STORE_IDENTITY_MAX]);

/* One instance of a VM, from its start to its end. */
struct store_vm {
        int64_t id; /* given by the store */
        struct vm_identity identity;
        int64_t pid;
        int64_t uid;          /* who started it; -1: not known */
        char *command_line;   /* secrets masked; owned */
        char *policy;         /* as policy_format() writes it; owned; NULL: as "" */
        char *watcher;        /* the process that looks after it, as an instance; owned; "": nobody; never NULL in one that was read */
        bool is_daemons;      /* that is vmpowerd, or nobody since vmpowerd left it */
        uint64_t began_ns;    /* UTC */
        uint64_t ended_ns;    /* UTC; 0: not known to have ended */
};

void store_vm_deinit(struct store_vm *vm);

/*
 * A new instance, now (waits for the disk, behind all that was submitted; 5 s and more if the file is locked).  Sets vm->id.
 * -EEXIST: an instance of that name, backend and uid has not ended; -EALREADY: this instance is known.  With these two, ret_other (may be NULL) is the
 * one that is in the way, for the caller to see whether it is really still there, and to deinit.
 */
int store_add_vm(struct store *store, struct store_vm *vm, struct store_vm *ret_other,
                 char ret_why[static STORE_WHY_MAX]);
/* Waits no longer than that (0: as long as it takes).  -EAGAIN: it is not known to the store, or will be in a while; its owned texts may be gone. */
int store_add_vm_within(struct store *store, struct store_vm *vm, unsigned patience_ms, struct store_vm *ret_other,
                        char ret_why[static STORE_WHY_MAX]);

/* Instances that have not ended (all, or those called `name` unless it is NULL), oldest first.  The array is yours. */
int store_list_open_vms(struct store *store, const char *name, struct store_vm **ret_vms, size_t *ret_n);

/* The newest instance called `name`; if there is none, of that uuid; or of that instance text.  -ENOENT. */
int store_find_vm(struct store *store, const char *name, struct store_vm *ret_vm);

/* A monitor that a VM's watcher holds.  Texts are owned. */
struct store_monitor {
        char *path;
        char *greeting; /* QEMU's */
        bool is_kept;   /* by a service manager, too: when its watcher has gone, the next one can read on */
};

void store_monitor_deinit(struct store_monitor *monitor);

/* The one that the VM's watcher holds, or held.  0, and it is to be deinit; -ENOENT: none. */
int store_find_monitor(struct store *store, int64_t vm, struct store_monitor *ret_monitor);

/* What one wakeup brought: written in one transaction, in this order. */
struct store_batch;
typedef void (*store_done_fn)(struct store_batch *batch, int result, const char *why, void *userdata);

int store_batch_new(struct store_batch **ret_batch);
struct store_batch *store_batch_free(struct store_batch *batch);
void store_batch_freep(struct store_batch **batch);
/*
 * Takes the evidence over: its actor is the batch's then, the rest stays readable.  On failure all stays the caller's.
 * A fact that is there already (same VM, at_ns, source, seq and kind) is not written again and gets the id that it had.
 * In this and all below: -ENOMEM; -ERANGE for a time or number of 2^63 or more.
 */
int store_batch_add_evidence(struct store_batch *batch, int64_t vm, struct evidence *evidence);
/*
 * Takes the record over (its items and actor).  A record whose id is there already is not written again (that is no
 * error). -EINVAL: its evidence was not stored before it, or its proof is no part of its evidence.
 */
int store_batch_add_verdict(struct store_batch *batch, int64_t vm, struct verdict_record *record);
/* The result of a verdict's decision: appended; the newest counts. */
int store_batch_add_decision(struct store_batch *batch, const char *verdict_id, const struct decision *decision,
                             uint64_t time_ns);
/*
 * The instance has ended (the first time given counts), goes by another name from now on (its verdicts are found under
 * the new one), or is watched by someone else.
 */
int store_batch_end_vm(struct store_batch *batch, int64_t vm, uint64_t ended_ns);
int store_batch_rename_vm(struct store_batch *batch, int64_t vm, const struct vm_identity *identity, int64_t pid);
/* `is_daemon`: by vmpowerd, or by nobody since that one left it. */
int store_batch_set_watcher(struct store_batch *batch, int64_t vm, const char *watcher, bool is_daemon);
/* By a process that is no daemon, but only if `former` is its watcher still and it has not ended: else the batch fails with -ENOENT. */
int store_batch_claim_vm(struct store_batch *batch, int64_t vm, const char *former, const char *watcher);
/* The outlet was told all verdicts up to this number.  Or it is no more: it begins anew if it ever comes back. */
int store_batch_set_told(struct store_batch *batch, const char *outlet, uint64_t number);
int store_batch_forget_outlet(struct store_batch *batch, const char *outlet);
/* Its watcher holds this monitor from now on; NULL: none.  Its end forgets it. */
int store_batch_set_monitor(struct store_batch *batch, int64_t vm, const struct store_monitor *monitor);
bool store_batch_is_empty(const struct store_batch *batch);

/* What the batch holds, for its `done`: evidence now has its ids, records their numbers. */
size_t store_batch_n_evidence(const struct store_batch *batch);
struct evidence *store_batch_evidence(struct store_batch *batch, size_t i, int64_t *ret_vm);
size_t store_batch_n_verdicts(const struct store_batch *batch);
struct verdict_record *store_batch_verdict(struct store_batch *batch, size_t i, int64_t *ret_vm);
/* The memory that it takes, about. */
size_t store_batch_n_bytes(const struct store_batch *batch);
/* Give up its evidence; all else in it stays. */
void store_batch_drop_evidence(struct store_batch *batch);

/*
 * A batch of evidence alone need not wait for the disk to be flushed: once it is done it outlives this process, whatever ends that, and a power
 * cut with the next verdict, or 5 ms later.  What is told rests on a verdict, whose commit flushes both.  Any other batch waits, whatever is said here.
 */
void store_batch_flush_later(struct store_batch *batch);

/*
 * Hand a batch to the writer.  `done` is called once, from store_dispatch(), in order of submission, with 0 when it is
 * on disk or a negative errno and the reason in one line.
 *
 * -EAGAIN: the disk is so slow that STORE_QUEUE_MAX bytes wait; try again after the next store_dispatch().  -EROFS:
 * opened with STORE_READ.  -ESHUTDOWN: closing.  On these the batch stays the caller's.
 *
 * A failed batch was not written at all and is whole.  -ENOSPC and -EBUSY pass: the same batch may be written later.
 * -ENOENT (it rests on what is not stored), -EEXIST and -EINVAL are its own fault, or that of a batch before it that
 * failed; others that waited with it are not harmed.  After a failure the writer rests for 0.1 s.
 *
 * After `done` the batch is freed, unless `done` submits it again or keeps it.  `done` must not call store_dispatch(),
 * store_drain() or store_close().
 */
int store_submit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata);
/* In `done`: the batch is the caller's from now on, to submit it again later, or to free it. */
void store_batch_keep(struct store_batch *batch);
/* Readable when store_dispatch() has something to do.  -1 with STORE_READ. */
int store_fd(const struct store *store);
void store_dispatch(struct store *store);
/* Was something not written, for the file was moved or removed (-ESTALE)?  Then nothing ever will be: it is to be opened anew. */
bool store_has_lost_file(struct store *store);
/*
 * Wait until everything submitted is done, and dispatch it; what `done` submits meanwhile, too.  Once a batch has
 * failed, it returns with what was submitted after that still waiting, so that a full disk holds nobody here for ever.
 */
void store_drain(struct store *store);

/* What history is asked for.  Zero and NULL mean: any; of the first three, the last that is set counts. */
struct store_query {
        const char *name;       /* VM's name; if no verdict has it: its uuid, or instance */
        int64_t vm;             /* or one instance */
        const char *verdict_id; /* or one verdict, revised or not */
        bool all_revisions;     /* false: only the newest verdict of each episode */
        size_t limit;

        /* All of these, too. */
        const int64_t *owner;   /* of VMs that this user id started; NULL: anyone's */
        const char *transition; /* in its own word; as is the initiator */
        const char *initiator;
        uint64_t since_ns;      /* UTC, of the cause: since … */
        uint64_t until_ns;      /* … and before */
        uint64_t before;        /* the next page: what is told after the verdict of this number (nothing, if there is none) */
};

/*
 * Verdicts, newest first, each with its evidence, its proof and its newest decision.  Newest is by episode, then by
 * number: a late revision of an old stop does not hide a newer stop.  Evidence that was pruned is left out.  `each`
 * returns 0 to go on, anything else ends the query and is passed back.  The record is the callee's only during the
 * call; its decision's `act` is not stored (ACT_NOTHING), its verdict's `rule` is "" when this version has no such rule
 * (`record->rule` tells it). -EBADMSG: a row makes no sense, and which.
 */
int store_each_verdict(struct store *store, const struct store_query *query,
                       int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                       char ret_why[static STORE_WHY_MAX]);

/*
 * Verdicts and revisions with a number above `after` and up to `up_to`, in the order in which they were written; of VMs that `owner`
 * started, unless it is NULL.  The same rules.  Whoever goes on from the number that he saw last misses none and gets none twice.
 */
int store_replay_verdicts(struct store *store, uint64_t after, uint64_t up_to, const int64_t *owner,
                          int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                          char ret_why[static STORE_WHY_MAX]);

/* The number of the newest verdict, 0 if there is none. */
int store_last_number(struct store *store, uint64_t *ret_number, char ret_why[static STORE_WHY_MAX]);

/* How far an outlet is (store_batch_set_told()).  -ENOENT: this one is new. */
int store_find_told(struct store *store, const char *outlet, uint64_t *ret_number, char ret_why[static STORE_WHY_MAX]);

/* Every outlet that has been told something, by name; `each` returns 0 to go on. */
int store_each_outlet(struct store *store, int (*each)(const char *outlet, uint64_t told, void *userdata), void *userdata,
                      char ret_why[static STORE_WHY_MAX]);

/* Evidence of one instance with an id above `after`, in the order in which it was stored; the same rules. */
int store_each_evidence(struct store *store, int64_t vm, uint64_t after,
                        int (*each)(const struct evidence *evidence, void *userdata), void *userdata,
                        char ret_why[static STORE_WHY_MAX]);

/* Retention: verdicts stay for ever, evidence goes, the oldest first. */
enum {
        STORE_RETENTION_DAYS = 400,
        STORE_RETENTION_BYTES = 1 << 30,
};

struct store_retention {
        uint64_t before_ns;   /* UTC: what happened before goes; 0: nothing goes for its age */
        uint64_t n_bytes_max; /* of disk that evidence takes, about: what is beyond goes; UINT64_MAX: nothing */
};

/* The usual retention, seen from `now_ns` (UTC). */
struct store_retention store_retention_default(uint64_t now_ns);

/* How far pruning has come.  Begins with `keep` and `now_ns` set, and all else 0. */
struct store_pruning {
        struct store_retention keep;
        uint64_t now_ns;   /* UTC: written down when it is done */
        uint64_t after;    /* evidence up to this id was looked at */
        uint64_t n_pruned, n_bytes_pruned;
        uint64_t n_left, n_bytes_left; /* known once all is measured */
        bool is_done;
};

/*
 * One step: looks at a bounded number of facts, in a transaction of a few milliseconds.  In the batch's `done`, store_batch_pruning() is
 * what it came to, for the next step in a batch of its own, until that is done; where the batch failed, the step is done again.  Leave others time at
 * the disk between two steps.
 *
 * Evidence goes in the order in which it was stored, and the first fact that may stay ends it, so a clock that was wrong for a while keeps more,
 * never less.  Evidence of an instance that has not ended stays whatever its age: it may still be judged.  A verdict whose evidence has gone
 * stands; it tells how much there was (n_pruned) and is not judged again.  Free pages are used again; the file does not shrink.
 */
int store_batch_prune(struct store_batch *batch, const struct store_pruning *pruning);
struct store_pruning store_batch_pruning(const struct store_batch *batch);

/* What it would come to, without doing it: reads all that would go, and what came since evidence was measured last. */
int store_look_at_pruning(struct store *store, const struct store_retention *keep, struct store_pruning *ret_pruning,
                          char ret_why[static STORE_WHY_MAX]);

/* What is in the store, at a price that does not grow with it. */
struct store_status {
        uint64_t n_file_bytes, n_free_bytes; /* of the database; its log is not counted */
        uint64_t n_verdicts;                 /* and revisions: the newest number */
        uint64_t n_evidence, n_evidence_bytes; /* about: what came since it was measured last is estimated */
        uint64_t oldest_ns;                  /* UTC, of the oldest fact; 0: none */
        uint64_t n_pruned, pruned_ns;        /* ever, and when that was done last; 0: never */
        uint64_t n_open_vms;
};
int store_read_status(struct store *store, struct store_status *ret_status, char ret_why[static STORE_WHY_MAX]);
