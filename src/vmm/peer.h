/*
 * Peer: a unix socket that serves one client at a time, as QEMU's do: the next one waits until the first has gone.
 *
 * Knows sockets, and what waits to be sent, within a bound: who does not read is dropped.  Does not know what is said.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PEER_UNSENT_MAX = 1 << 18 };

struct peer {
        char *path; /* owned; NULL: there is none */
        int listen_fd, fd; /* fd -1: nobody is connected */
        char *unsent;
        size_t n_unsent;
};

#define PEER_NONE ((struct peer){ .listen_fd = -1, .fd = -1 })

/* A socket that somebody left at that path is replaced; anything else is not.  0 or -errno. */
int peer_listen(struct peer *peer, const char *path);
/* Accepts PEER_NONE. */
void peer_deinit(struct peer *peer);

/* What to wait for: the next client, or this one. */
struct pollfd peer_poll(const struct peer *peer);

/* 1: a client has come.  0: none has. */
int peer_accept(struct peer *peer);

/* As much as there is, at most n: its length; 0: the client has gone; -EAGAIN: nothing now. */
ssize_t peer_receive(struct peer *peer, char *buffer, size_t n);

/* Sent at once or later; to nobody, it is lost.  A client that takes nothing, or has gone, is dropped. */
void peer_send(struct peer *peer, const char *bytes, size_t n);
/* The client can take more. */
void peer_flush(struct peer *peer);
void peer_drop(struct peer *peer);
