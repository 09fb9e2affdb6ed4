/*
 * Batch: what one wakeup brought, in the order in which it is written.
 *
 * Knows how to own its parts.  Does not know SQL.
 */
#pragma once

#include "store/store.h"

enum batch_op_type {
        BATCH_ADD_VM, /* the store's own: its caller waits */
        BATCH_ADD_EVIDENCE,
        BATCH_ADD_VERDICT,
        BATCH_ADD_DECISION,
        BATCH_END_VM,
        BATCH_RENAME_VM,
        BATCH_SET_WATCHER,
        BATCH_SET_TOLD,
        BATCH_FORGET_OUTLET,
        BATCH_PRUNE,
        BATCH_SET_MONITOR,
};

struct batch_op {
        enum batch_op_type type;
        int64_t vm;
        union {
                struct {
                        struct store_vm *vm;    /* borrowed */
                        struct store_vm *other; /* borrowed, may be NULL */
                } add_vm;
                size_t evidence; /* index */
                size_t verdict;  /* index */
                struct {
                        char verdict_id[VERDICT_ID_MAX];
                        struct decision decision;
                        uint64_t time_ns;
                } decision;
                uint64_t ended_ns;
                struct {
                        struct vm_identity *identity; /* owned */
                        int64_t pid;
                } rename;
                struct {
                        char now[VM_INSTANCE_MAX];
                        char former[VM_INSTANCE_MAX];
                        bool is_daemon, is_claim;
                } watcher;
                struct {
                        char *outlet; /* owned */
                        uint64_t number;
                } told;
                struct store_pruning pruning;
                struct store_monitor monitor; /* path NULL: none is held any more */
        };
};

struct batch_evidence {
        int64_t vm;
        struct evidence evidence;
};

struct batch_verdict {
        int64_t vm;
        struct verdict_record record;
};

/* A VM that is added, and the one that has its place. */
struct batch_addition {
        struct store_vm vm, other;
};

struct store_batch {
        struct batch_op *ops;
        size_t n_ops, n_ops_max;
        struct batch_evidence *evidence;
        size_t n_evidence, n_evidence_max;
        struct batch_verdict *verdicts;
        size_t n_verdicts, n_verdicts_max;
        struct batch_addition *addition; /* owned; NULL: none */
        size_t n_bytes; /* about; what the writer's queue is bounded by */

        /* While it is with the writer. */
        struct store_batch *next;
        store_done_fn done;
        void *userdata;
        bool has_waiter;
        bool is_given_up; /* by who waited for it: it is freed when it is done */
        bool is_done;
        int result;
        char why[STORE_WHY_MAX];

        bool flushes_later;

        bool *is_kept; /* while its `done` runs: set when the caller keeps, submits or frees it */
};

/* Waits in line like all else; `vm` and `other` are written when it is done. */
int store_batch_add_vm(struct store_batch *batch, struct store_vm *vm, struct store_vm *other);

/* It was not written: no id and no number that it was given counts. */
void store_batch_fail(struct store_batch *batch, int result, const char *why);
