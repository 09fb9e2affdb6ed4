/*
 * Store scratch: a store that lasts as long as one program, where the lasting one takes nothing.
 */
#pragma once

#include "store/store.h"

enum {
        STORE_SCRATCH_MAX = 160, /* bytes of its directory's path */
};

/* Is it the disk that failed, and not what was asked of it?  (Full, read-only, broken.) */
bool store_is_for_want_of_disk(int result);

/*
 * A new store for writing in a new directory (0700), in memory or, where there is no filesystem for that, in `place`.  0, with the directory that
 * is to be removed when the store is closed, or -errno and why not.
 */
int store_open_scratch(struct store **ret_store, const char *place, char ret_directory[static STORE_SCRATCH_MAX], char ret_why[static STORE_WHY_MAX]);

/* A directory that has no others in it, with all that is.  "" is none. */
void store_remove_scratch(const char *directory);
