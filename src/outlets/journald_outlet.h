/*
 * Journald outlet: each verdict as one structured entry of the journal.
 *
 * Knows the journal's socket, and that it may be full or away.  Does not know what an entry looks like.
 */
#pragma once

#include "outlets/outlet.h"

#include "basics/found.h"

#include <systemd/sd-event.h>

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

/* `path`: of journald's socket (JOURNALD_SOCKET).  It need not be there yet.  -ENAMETOOLONG, -ENOMEM. */
int journald_outlet_new(struct outlet **ret_outlet, sd_event *event, const char *path);

/* Does anyone take entries there?  Nothing is told.  0 or -errno. */
int journald_try(const char *path, char ret_found[static FOUND_MAX]);
