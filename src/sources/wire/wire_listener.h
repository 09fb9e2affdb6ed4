/*
 * Wire listener: the daemon's end of the wire, where sources in other processes call.
 *
 * Owns the listening socket and its connections.  Who is at the other end the kernel says.  Bounded: a peer that is silent, slow or hostile
 * costs little and holds up nobody.  Does not know whether a peer may speak for a VM, or what becomes of what it says.
 */
#pragma once

#include "sources/wire/wire_message.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct wire_listener;
struct wire_peer;

struct wire_listener_config {
        unsigned n_peers_max;      /* at once; 0: 16384.  One in sixteen is kept for root. */
        unsigned n_per_user_max;   /* 0: 256.  Does not bind root. */
        uint64_t hello_timeout_ns; /* a peer that has not said hello by then is dropped; 0: 5 s */
};

struct wire_listener_events {
        /*
         * A message of the peer's, borrowed; the first is a hello, and there is but one.  In the call, or at any time later, the peer may be welcomed, refused or
         * closed.
         */
        void (*said)(void *userdata, struct wire_peer *peer, struct wire_message *message);
        /* A peer that was welcomed has gone, whoever ended it; it is no more after this. */
        void (*gone)(void *userdata, struct wire_peer *peer);
        /* What the administrator has to know, in one line. */
        void (*trouble)(void *userdata, const char *line);
        void *userdata;
};

/*
 * Make a socket at `path` that everyone may connect to (mode 0666).  It takes the place of what is there: whoever calls knows that no other
 * daemon does.  -ENAMETOOLONG; -errno.
 */
int wire_listen(int *ret_fd, const char *path);

/* Answer on a listening socket, which is taken over on success.  0 or -errno. */
int wire_listener_new(struct wire_listener **ret_listener, sd_event *event, int fd, const struct wire_listener_config *config,
                      const struct wire_listener_events *events);
/* Hangs up; nobody is told.  Accepts NULL. */
struct wire_listener *wire_listener_free(struct wire_listener *listener);

int wire_listener_fd(const struct wire_listener *listener);

/* What the kernel said of it when it connected. */
pid_t wire_peer_pid(const struct wire_peer *peer);
uid_t wire_peer_uid(const struct wire_peer *peer);

/* It is listened to from now on. */
void wire_peer_welcome(struct wire_peer *peer, bool wants_evidence, void *userdata);
void *wire_peer_userdata(const struct wire_peer *peer);

/* Say why it is not, or no longer, and hang up soon. */
void wire_peer_refuse(struct wire_peer *peer, const char *why);

/* Hang up soon; `gone` does not follow. */
void wire_peer_close(struct wire_peer *peer);

/* Does that process speak here, welcomed? */
bool wire_listener_hears(const struct wire_listener *listener, pid_t pid);
