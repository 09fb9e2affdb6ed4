/*
 * Keeper health: whether the disk takes what the keeper's engine gives it, whether its helpers run, and what it does not see.
 */
#pragma once

#include "engine/backlog.h"
#include "engine/tracing.h"
#include "keeper/keeper.h"

#include <sys/types.h>

/* What waits for the disk, and what was lost for want of room. */
struct backlog_state keeper_backlog(const struct keeper *keeper);

/* The i-th part of its tracing that does not work.  False past the end. */
bool keeper_lacks(const struct keeper *keeper, size_t i, struct tracing_lack *ret_lack);

/* The i-th helper that is wanted here; its pid, 0: it does not run just now.  NULL past the end. */
const char *keeper_helper_program(const struct keeper *keeper, size_t i, pid_t *ret_pid);
