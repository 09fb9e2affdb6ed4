/*
 * Claims: what somebody on the wire who is not root may say, and how much of it is believed.
 *
 * He speaks for VMs of his own, and could say anything: nobody else is put on record by his word alone.  Pure.
 */
#pragma once

#include <vmpower/judge.h>

#include <stdbool.h>
#include <sys/types.h>

/* The sources (1 << enum evidence_source) that he may be. */
#define CLAIMS_SOURCES (1u << SOURCE_QMP | 1u << SOURCE_STDERR | 1u << SOURCE_PROCESS | 1u << SOURCE_CONSOLE)

/* Can that source of his have seen such a thing?  Who asked vmpower, what the kernel, the host and Xen did, it cannot. */
bool claim_is_plausible(const struct evidence *evidence);

/*
 * Take out of what user `uid`, called `user`, says of who did it whatever he cannot speak for: names of others; and that
 * it is certain, where it is not himself.
 */
void claim_bound_actor(struct actor *actor, uid_t uid, const char *user);
