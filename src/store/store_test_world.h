/*
 * A small world for the store's tests: a directory of its own, a store in it, and facts and verdicts to put there.
 */
#pragma once

#include <sqlite3.h>
#include <sys/types.h>

#include "store/store.h"

struct world {
        char directory[64];
        struct store *store;
        int64_t vm; /* "web-1" */
        char why[STORE_WHY_MAX];
};

/* cmocka's setup and teardown: an empty directory, or one with an open store and a VM. */
int world_begin_empty(void **state);
int world_begin(void **state);
int world_end(void **state);

void world_open(struct world *world);
void world_close(struct world *world);
/* DIRECTORY/vmpower.db and what follows it ("-wal"); good until the next call. */
const char *world_path(const struct world *world, const char *suffix);

struct store_vm make_vm(const char *name, const char *instance);
/* Fails the test when it fails. */
int64_t world_add_vm(struct world *world, const char *name, const char *instance);

/* The fact that is told by `seq`; its number is `seq`, too. */
struct evidence make_fact(uint64_t seq);
struct store_batch *make_batch(void);
struct store_batch *make_facts(int64_t vm, uint64_t seq, size_t n);

/* A verdict on the one fact `evidence`. */
struct verdict_record make_record(const struct world *world, uint64_t evidence, uint64_t episode, unsigned revision);

/* Submit, wait, and say how it went. */
struct outcome {
        int n_calls;
        int result;
        char why[STORE_WHY_MAX];
        uint64_t first_id, last_id, number;
};
struct outcome world_write(struct world *world, struct store_batch *batch);
void note_outcome(struct store_batch *batch, int result, const char *why, void *userdata);

/* Write facts and give the id of the last one; fails the test when it fails. */
uint64_t world_write_facts(struct world *world, uint64_t seq, size_t n);
void world_write_verdict(struct world *world, int64_t vm, struct verdict_record *record);

/* The ids of the verdicts that a query gives, each followed by a blank. */
const char *world_history(struct world *world, const struct store_query *query);

/* By hand, with a connection of its own. */
void world_sql(struct world *world, const char *sql);
int64_t world_sql_integer(struct world *world, const char *sql);

/* Call it in a process of its own, or in one of somebody without rights (when the test has any to lose). */
pid_t start_child(int (*function)(struct world *world), struct world *world);
pid_t start_stranger(int (*function)(struct world *world), struct world *world);
/* 0 when it gave 0. */
int wait_for(pid_t pid);
int in_stranger(int (*function)(struct world *world), struct world *world);
