/*
 * Toolstack: for whom a daemon acted that manages VMs for others, a service manager among them.
 *
 * Knows such daemons by name, and on which sockets one may have them end a VM.  Does not know what was asked there: whoever alone is connected
 * when the daemon acts has asked it, most likely.
 */
#pragma once

#include <vmpower/judge.h>

/*
 * Name the actor's client, where the actor is such a daemon, is there, and has exactly one.  The look costs what the daemon has open; one that took long is
 * good for a while, so that a daemon that ends many VMs at once is not looked at for each.
 */
void toolstack_find_client(struct actor *actor);
