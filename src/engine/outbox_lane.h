/*
 * Lane: one outlet's way through the verdicts.
 *
 * Knows what is being told to it, what is to be tried again and when, and its cursor.  Does not know the other outlets.
 */
#pragma once

#include "engine/outbox.h"

enum {
        LANE_FLIGHTS_MAX = 64,
};

/* One verdict that was begun and is not done. */
struct flight {
        uint64_t number;   /* 0: it is on no disk, and is not tried again */
        uint64_t retry_ns; /* CLOCK_MONOTONIC; 0: it is being told */
        unsigned attempts; /* that have failed */
};

/* The cursor on its way to the disk; outlives the lane. */
struct cursor_write;

struct lane {
        struct lane *next;
        struct outlet *outlet; /* owned */
        struct store *store;
        sd_event *event;
        const struct outbox_config *config; /* without zeros */
        const struct outbox_events *events;
        const uint64_t *last;      /* the number of the newest verdict that is known */
        sd_event_source *reader;   /* runs when the loop has nothing better to do */
        sd_event_source *timer;    /* until the first of what follows */
        struct flight flights[LANE_FLIGHTS_MAX];
        size_t n_flights;
        uint64_t reached;          /* all up to this number were begun */
        uint64_t stored;           /* the cursor, as it was handed to the store last */
        struct cursor_write *write; /* NULL: none is on its way */
        uint64_t write_again_ns;   /* the cursor could not be written; 0: it could */
        uint64_t away_until_ns;    /* nobody was there, or the store could not be read; 0: it is not so */
        unsigned n_away;           /* in a row */
        bool is_full;
        bool is_ending;
        uint64_t n_told, n_failures, n_skipped;
};

/* Takes the outlet over, on failure too. */
int lane_new(struct lane **ret_lane, struct outlet *outlet, sd_event *event, struct store *store,
             const struct outbox_config *config, const struct outbox_events *events, const uint64_t *last,
             char ret_why[static STORE_WHY_MAX]);
struct lane *lane_free(struct lane *lane);

void lane_publish(struct lane *lane, const struct verdict_record *record);

/* There may be something to read. */
void lane_wake(struct lane *lane);

void lane_settle(struct lane *lane, uint64_t timeout_ns);

/* All up to this number are done. */
uint64_t lane_cursor(const struct lane *lane);
