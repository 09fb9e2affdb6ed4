/*
 * Xenstore: a connection to xenstored.
 *
 * Owns the socket; waits for answers, never for events.  Xen's own library has a thread of its own for watches, and nobody hears from it when
 * xenstored has gone.  Does not know domains.
 */
#pragma once

#include "sources/xen/xenstore_wire.h"

struct xenstore;

/* `path`: its socket; NULL: where it is on this host.  0 or -errno. */
int xenstore_open(struct xenstore **ret_store, const char *path);
struct xenstore *xenstore_close(struct xenstore *store);

/* Readable: there is an event, or it has gone. */
int xenstore_fd(const struct xenstore *store);

/* A node's value, NUL-terminated beyond its length.  0; -ENOENT: no such node; another -errno, after which xenstore_is_lost() knows whether there is any use in going on. */
int xenstore_read(struct xenstore *store, const char *path, char ret_value[static XENSTORE_PAYLOAD_MAX + 1], size_t *ret_n);
int xenstore_write(struct xenstore *store, const char *path, const char *value);
int xenstore_watch(struct xenstore *store, const char *path, uint64_t token);
int xenstore_unwatch(struct xenstore *store, const char *path, uint64_t token);

/* Has its toolstack made the domain known to xenstored?  1, 0 or -errno. */
int xenstore_is_introduced(struct xenstore *store, uint32_t domid);

/* The next event of a watch.  1; 0: there is none just now; -errno: lost. */
int xenstore_event(struct xenstore *store, uint64_t *ret_token);

/* Events wait here, though the descriptor is not readable. */
bool xenstore_has_events(const struct xenstore *store);

/*
 * Take those of that token that wait here out of their turn.  Their number: right after an answer, of all that were before what it says, and have not been taken
 * yet (xenstored sends both in the order in which they were).
 */
unsigned xenstore_take_events(struct xenstore *store, uint64_t token);

bool xenstore_is_lost(const struct xenstore *store);
