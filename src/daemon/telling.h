/*
 * Telling: the outlets that the configuration names, each in the outbox.
 *
 * Knows where the journal's socket and the hooks are looked for.  Does not know how a verdict comes out, or how it is told.
 */
#pragma once

#include "daemon/configuration.h"
#include "engine/outbox.h"

struct telling;

/* `events` hears what is wrong with a hook; VMs are looked after all the same.  -errno: the store could not be asked. */
int telling_new(struct telling **ret_telling, sd_event *event, struct store *store, const char *state_directory,
                const struct configuration *configuration, const struct outbox_events *events, char ret_why[static STORE_WHY_MAX]);
struct telling *telling_free(struct telling *telling);

struct outbox *telling_outbox(struct telling *telling);

/* Is each verdict an entry of the journal? */
bool telling_has_journal(const struct telling *telling);
