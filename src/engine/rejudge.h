/*
 * Rejudge: history derived again from its evidence.
 *
 * Knows that a verdict is only ever revised, never rewritten.
 */
#pragma once

#include "store/store.h"

/*
 * Judge again every verdict (the newest of each episode), or those on `name` if it is not NULL.  `each` is told of every one that comes out
 * differently (returns 0 to go on); unless `dry_run` it is stored as a revision.  Waits for the disk.
 */
int rejudge(struct store *store, const char *name, bool dry_run,
            int (*each)(const struct verdict_record *before, const struct verdict_record *after, void *userdata),
            void *userdata, size_t *ret_n_judged, char ret_why[static STORE_WHY_MAX]);
