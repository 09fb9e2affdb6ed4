/*
 * Shared monitor: a socket on which many QMP clients use the monitor that we hold.
 *
 * Every client meets a whole QMP server, QEMU's own in all but name.  Who asks for what changes the VM's power is told before it
 * goes on.  Knows sockets, peers and descriptors, and how long a request may wait; whose turn it is and whose answer is whose is
 * qmp_relay.c's.  All callbacks come from the loop; none may close the shared monitor or its source.
 */
#pragma once

#include "sources/qemu/qemu_source.h"

enum {
        SHARED_MONITOR_LATE_MS = 1000, /* an answer that took longer is told */
        SHARED_MONITOR_HOLD_USEC = 250 * 1000, /* a sick disk never keeps an operator from his VM */
        SHARED_MONITOR_CLIENTS_MAX = 64,       /* on its socket; what is left of RELAY_CLIENTS_MAX is for our own, whoever crowds there */
};

struct shared_monitor;

struct shared_monitor_events {
        /*
         * Somebody asks for what changes the VM's power: EVIDENCE_REQUEST with its actor, taken over.  The request goes on
         * with shared_monitor_release(), which may be called from here, or when SHARED_MONITOR_HOLD_USEC have passed.  What
         * that client says next waits behind it.
         */
        void (*request)(void *userdata, uint64_t request, struct evidence *evidence);
        /*
         * QEMU has refused one, and it was not done (EVIDENCE_REFUSED); or it was done, or begun, so late that whoever looks at the clock
         * would not believe it (EVIDENCE_ANSWERED_LATE).  With the instant of the request's own evidence; taken over.
         */
        void (*answered)(void *userdata, struct evidence *evidence);
        /* They have passed: it goes on, and its record, if it comes, was stored late. */
        void (*late)(void *userdata, uint64_t request);
        /* A client was dropped, or not taken, and why. */
        void (*dropped)(void *userdata, const struct actor *client, const char *why);
        void *userdata;
};

/*
 * Listen at `path`: mode 0600, owned by uid and gid (-1: as we are).  Its directory is there and is ours.  A socket that nobody
 * listens on any more is replaced.  `fd`: its listening socket from an earlier life, taken over on success; -1: there is none.  The
 * source `is_shared`, outlives the shared monitor, and may be connected already or not yet; clients are greeted once QEMU has greeted
 * us.  0; -ENAMETOOLONG; -EADDRINUSE: somebody listens there, or it is no socket; -EINVAL: the descriptor listens elsewhere.
 */
int shared_monitor_open(struct shared_monitor **ret_monitor, sd_event *event, const char *path, uid_t uid, gid_t gid, int fd,
                        struct qemu_source *source, const struct shared_monitor_events *events);

/* The socket is gone, and so are the clients. */
struct shared_monitor *shared_monitor_close(struct shared_monitor *monitor);

/* The clients are gone; the socket stays where it is, for a later life that has its descriptor. */
struct shared_monitor *shared_monitor_leave(struct shared_monitor *monitor);

/* Where it is, and its listening socket, which stays the monitor's; -1: it listens no more. */
const char *shared_monitor_path(const struct shared_monitor *monitor);
int shared_monitor_fd(const struct shared_monitor *monitor);

/*
 * One more client, on a connected non-blocking socket that is taken over in any case: whoever its requests are recorded as.  It has
 * a seat that no client of the socket takes.  0; -ENOBUFS: there are too many even so; -ENOMEM; -errno.
 */
int shared_monitor_add_client(struct shared_monitor *monitor, int fd, const struct actor *actor);

/* The request is on record: it goes on.  One that has gone on already is no error. */
void shared_monitor_release(struct shared_monitor *monitor, uint64_t request);

/* How many clients there are. */
size_t shared_monitor_n_clients(const struct shared_monitor *monitor);
