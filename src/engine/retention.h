/*
 * Retention: the daemon prunes by itself, once a day.
 *
 * Knows when it is due (the database remembers when it was done last), and leaves the disk to others between two steps.  Does not know
 * which evidence goes.
 */
#pragma once

#include "store/store.h"

#include <systemd/sd-event.h>

struct retention;

/* 0: it is no reason for evidence to go. */
struct retention_config {
        uint64_t age_ns; /* older evidence goes */
        uint64_t n_bytes_max;
};

/* What is due already begins with the loop.  `trouble` is told in one line what went wrong; it is tried again later. */
int retention_new(struct retention **ret_retention, sd_event *event, struct store *store, const struct retention_config *config,
                  void (*trouble)(const char *line, void *userdata), void *userdata);

/* Waits for a step that is with the writer.  Accepts NULL. */
struct retention *retention_free(struct retention *retention);
