/*
 * Actor: what this host knows of whoever the kernel has named: his user's name, from where he has logged in, for whom he acts, which unit he ends.
 *
 * Does not know what he has done.
 */
#pragma once

#include "core/evidence.h"
#include "sources/trace/record.h"

#include <sys/types.h>

/* Of evidence with an actor: who sits at the terminal that the signal's target has. */
void trace_actor_complete_leader(struct evidence *evidence, const struct trace_signal *signal);

/* Who sent it. */
void trace_actor_complete(struct evidence *evidence, const struct trace_sender *sender);

/* The unit of that process, where the actor is its service manager. */
void trace_actor_take_unit(struct evidence *evidence, pid_t pid);
