/*
 * Cgroup try: a memory cgroup of our own, with room for next to nothing, for who wants to see the OOM killer at work.
 *
 * Below the cgroup that this process is in, or the next one above where one can be made.  Nobody but whoever is moved into it is in danger.
 */
#pragma once

#include "basics/found.h"

#include <limits.h>

/* 0; -errno, and why not. */
int cgroup_try_make(char ret_path[static PATH_MAX], char ret_why[static FOUND_MAX]);
/* Once all who were in it are gone. */
void cgroup_try_remove(const char *path);
