/*
 * State directory: where the store's file lies.
 *
 * Knows how the directory and the file are made, private to their owner and outliving a power cut, and keeps two makers
 * apart. Does not know what is in the file.
 */
#pragma once

#include "store/store.h"

/* DIRECTORY/vmpower.db; a new text. */
int state_directory_path(const char *directory, char **ret_path, char ret_why[static STORE_WHY_MAX]);

/* Is the file there?  0, -ENOENT, -ENOTDIR, -EACCES … */
int state_directory_check(const char *directory, const char *path, char ret_why[static STORE_WHY_MAX]);

/*
 * See that directory (0700, its parents too) and file (0600, empty) are there, and lock the directory, so that one
 * process at a time makes or upgrades the file.  Closing the descriptor unlocks.
 */
int state_directory_make(const char *directory, const char *path, int *ret_lock, char ret_why[static STORE_WHY_MAX]);
