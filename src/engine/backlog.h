/*
 * Backlog: what a sick disk could not take, until it can.
 *
 * Keeps batches and told verdicts in their order, tries again, and stores each once.  Knows its bound, and what is dropped first: facts that
 * are in no verdict, then the oldest verdicts; what was dropped is a gap, and evidence of its VM.  Does not judge.
 */
#pragma once

#include "store/store.h"

#include <systemd/sd-event.h>

enum {
        BACKLOG_BYTES_MAX = 32 << 20, /* some thousands of verdicts with their evidence */
};

/* How long before it is tried again; tests shorten it. */
extern uint64_t backlog_retry_usec;

struct backlog;

struct backlog_events {
        /* This batch is on disk now: its evidence has ids. */
        void (*stored)(struct store_batch *batch, void *userdata);
        /* Nothing waits any more. */
        void (*caught_up)(void *userdata);
        /* What the user has to know, in one line. */
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

int backlog_new(struct backlog **ret_backlog, sd_event *event, struct store *store, size_t n_bytes_max,
                const struct backlog_events *events);
/* What waits is forgotten.  Nothing of it may be with the writer: see backlog_flush().  Accepts NULL. */
struct backlog *backlog_free(struct backlog *backlog);

/* Does the disk owe us something?  Then whatever comes later waits behind it. */
bool backlog_is_empty(const struct backlog *backlog);

/* Would this failure be another one later?  (A disk that is full, locked, or failing; not what is wrong with the batch itself.) */
bool backlog_is_for(int result);

/* Takes the batch over. */
void backlog_add_batch(struct backlog *backlog, struct store_batch *batch);

/*
 * Takes over a verdict that was told, some of whose evidence has no id yet: that is stored first, and gives the verdict its episode, or the
 * verdict that it revises does.
 */
void backlog_add_verdict(struct backlog *backlog, int64_t vm, struct verdict_record *record);

/* Try all of it now, once (waits for the disk).  False: something is left. */
bool backlog_flush(struct backlog *backlog);

struct backlog_state {
        size_t n_verdicts, n_facts, n_bytes; /* that wait */
        uint64_t n_lost_verdicts, n_lost_facts; /* ever */
};
struct backlog_state backlog_state(const struct backlog *backlog);
