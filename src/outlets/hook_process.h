/*
 * Hook process: one program that is run once, bounded in time and in what is heard of it.
 *
 * Knows how it starts, how it is ended, and its last line.  Does not know what it is run for.
 */
#pragma once

#include "outlets/outlet.h"

#include <systemd/sd-event.h>

struct hook_process;

/* `result`: 0 it ended well; -EIO otherwise, -ETIMEDOUT; `why` in one line, with its last line.  It may be freed in this call. */
typedef void (*hook_ended_fn)(struct hook_process *process, int result, const char *why, void *userdata);

/*
 * Start it in a session of its own, in /, with this environment alone, `input_fd` as its standard input, and none of our descriptors.
 * SIGCHLD must be blocked.  -errno: it was not started.
 */
int hook_process_start(struct hook_process **ret_process, sd_event *event, const char *path, char *const *environment,
                       int input_fd, uint64_t timeout_ns, hook_ended_fn ended, void *userdata);

/* Wait for its end, at most so long; `ended` is called then. */
void hook_process_wait(struct hook_process *process, uint64_t timeout_ns);

/* Ends it and whatever it has started, if it has not ended.  Accepts NULL. */
struct hook_process *hook_process_free(struct hook_process *process);
