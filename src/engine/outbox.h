/*
 * Outbox: each verdict and revision, told to each outlet.
 *
 * At least once over crashes and restarts, begun in the order of their numbers, and normally exactly once.  The database is the queue: an outlet
 * has a durable cursor there, and in memory only what is being told.  One outlet never waits for another, and nobody
 * waits for any of them: it reads on when the loop has nothing better to do.  Does not know how an outlet tells.
 *
 * Verdicts that another process wrote (`vmpower run`, `rejudge`) are told with the next one of this process, or at outbox_look(), which
 * outbox_watch.h calls when something was written.
 */
#pragma once

#include "outlets/outlet.h"
#include "store/store.h"

#include <systemd/sd-event.h>

struct outbox;

/* Zero means: the default. */
struct outbox_config {
        uint64_t retry_ns;     /* before what could not be told is tried again; doubled each time (1 s) */
        uint64_t retry_max_ns; /* but never longer (60 s) */
        unsigned attempts_max; /* then it is said and skipped (5); an outlet that is away is tried for ever */
        unsigned ahead_max;    /* while one waits, at most so many behind it are told: what may be told twice after a crash (256) */
};

struct outbox_events {
        /* What the user has to know, in one line. */
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

/* The store must be open for writing, outlive the outbox, and be dispatched by whoever owns the loop. */
int outbox_new(struct outbox **ret_outbox, sd_event *event, struct store *store, const struct outbox_config *config,
               const struct outbox_events *events, char ret_why[static STORE_WHY_MAX]);
/* What is being told ends unheard, and will be told again.  Accepts NULL. */
struct outbox *outbox_free(struct outbox *outbox);

/* The outlet goes on where it was, or begins now if it is new.  It is taken over, on failure too. */
int outbox_add(struct outbox *outbox, struct outlet *outlet, char ret_why[static STORE_WHY_MAX]);

/* Outlets that were there once, whose name begins so, and that have not been added: they are no more. */
int outbox_forget_others(struct outbox *outbox, const char *beginning, char ret_why[static STORE_WHY_MAX]);

/* A verdict came out.  One without a number is on no disk: it is told once, or said to be lost. */
void outbox_publish(struct outbox *outbox, const struct verdict_record *record);

/* Look into the store for verdicts that were not published here. */
int outbox_look(struct outbox *outbox, char ret_why[static STORE_WHY_MAX]);

/* Begin nothing more; wait for what was begun, at most so long; write the cursors (waits for the disk, and dispatches the store). */
void outbox_settle(struct outbox *outbox, uint64_t timeout_ns);

struct outbox_state {
        const char *outlet; /* its name */
        uint64_t told;
        uint64_t failures;  /* attempts that failed */
        uint64_t skipped;   /* verdicts that were given up */
        uint64_t behind;    /* numbers that its cursor is behind the last verdict */
};
void outbox_each(const struct outbox *outbox, void (*each)(const struct outbox_state *state, void *userdata), void *userdata);
