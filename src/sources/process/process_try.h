/*
 * Process try: whether the end of a process is seen here, and how it ended.
 *
 * Each starts processes of its own, kills one, and leaves none behind.
 */
#pragma once

#include "basics/found.h"

/* Our own child, as a VMM that `vmpower run` starts.  0 or -errno. */
int process_try_child(char ret_found[static FOUND_MAX]);

/* Another's child, as a VMM that was found.  The same. */
int process_try_stranger(char ret_found[static FOUND_MAX]);

/* Does our own cgroup count what the OOM killer took?  0; -ENOENT: it has no counter; -errno. */
int cgroup_oom_try(char ret_found[static FOUND_MAX]);
