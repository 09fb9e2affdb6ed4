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

/* What is due already begins with the loop.  `trouble` is told in one line what went wrong; it is tried again later. */
int retention_new(struct retention **ret_retention, sd_event *event, struct store *store,
                  void (*trouble)(const char *line, void *userdata), void *userdata);

/* Waits for a step that is with the writer.  Accepts NULL. */
struct retention *retention_free(struct retention *retention);
