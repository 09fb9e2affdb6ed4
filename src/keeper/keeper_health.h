/*
 * Keeper health: whether the disk takes what the keeper's engine gives it.
 */
#pragma once

#include "engine/backlog.h"
#include "keeper/keeper.h"

/* What waits for the disk, and what was lost for want of room. */
struct backlog_state keeper_backlog(const struct keeper *keeper);
