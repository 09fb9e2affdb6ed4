/*
 * Helper: a program of ours that looks after VMs by a library which may block or end its process; started, and kept alive.
 *
 * Owns its process and our end of the socket pair that is its standard input; cuts what it says into messages.  It never outlives us.  Does not know what
 * is said, or of which VMs.
 */
#pragma once

#include "sources/wire/wire_message.h"

#include <limits.h>
#include <systemd/sd-event.h>

struct helper;

/* One that has ended is started again at once, and, where it ends again, after a second, two, four … at most so long.  Tests make them smaller. */
extern uint64_t helper_rest_usec, helper_rest_max_usec;
/* Told to end, it has so long. */
extern uint64_t helper_patience_usec;

struct helper_events {
        /* It was started: say what it is to know first. */
        void (*began)(void *userdata);
        /* What it said; borrowed. */
        void (*said)(void *userdata, struct wire_message *message);
        /* It has gone, and answers nothing any more. */
        void (*ended)(void *userdata);
        void (*trouble)(void *userdata, const char *line);
        void *userdata;
};

/* Start it, from the loop; `began` follows.  0 or -errno. */
int helper_new(struct helper **ret_helper, sd_event *event, const char *path, const struct helper_events *events);
/* Kills what has not ended.  Nobody is told.  Accepts NULL. */
struct helper *helper_free(struct helper *helper);

/* It is to end, and finishes what it has begun: waits, within its patience, and hands out what it still says.  It is not started again. */
void helper_end(struct helper *helper);

/* Say something to it.  Where there is none just now, nothing happens; one that does not read is ended. */
void helper_say(struct helper *helper, const struct wire_message *message);

/* It is to begin anew: it is ended, and started again. */
void helper_restart(struct helper *helper, const char *why);

/* 0: there is none just now. */
pid_t helper_pid(const struct helper *helper);
