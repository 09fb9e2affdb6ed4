/*
 * Toolstack: for whom a daemon acted that manages VMs for others, a service manager among them.
 *
 * Knows such daemons by name, and on which sockets one may have them end a VM.  Does not know what was asked there: whoever alone is connected
 * when the daemon acts has asked it, most likely.
 */
#pragma once

#include <sys/types.h>
#include <vmpower/judge.h>

enum { TOOLSTACK_UNIT_MAX = 256 }; /* systemd's own limit, its NUL included */

/*
 * Name the actor's client, where the actor is such a daemon, is there, and has exactly one.  The look costs what the daemon has open; one that took long is
 * good for a while, so that a daemon that ends many VMs at once is not looked at for each.
 */
void toolstack_find_client(struct actor *actor);

/* This process has asked the host's service manager, over the bus, to end that unit; or it was refused, as others who asked may not have been. */
void toolstack_note_asker(const char *unit, pid_t pid);
void toolstack_forget_asker(const char *unit, pid_t pid);

/* Name the actor's client, where the actor is the host's service manager, has none yet, and was asked to end that unit not long ago. */
void toolstack_find_asker(struct actor *actor, const char *unit);
