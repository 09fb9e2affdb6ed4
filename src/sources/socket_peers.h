/*
 * Socket peers: who is connected to a unix socket, or waits to be, seen from outside.
 *
 * Asks the kernel (sock_diag) without connecting, which a monitor's other client would notice.  Sees the
 * sockets of its own network namespace only.  Does not know what is spoken on them.
 */
#pragma once

#include <vmpower/judge.h>

#include <sys/types.h>

enum {
        SOCKET_NAME_MAX = 120, /* of a socket's name, its NUL included */
        SOCKET_CLIENTS_MAX = 8,
        SOCKET_LINKS_MAX = 1 << 18, /* so many descriptors of others are looked at for one socket's holder */
        SOCKET_LINKS_NEAR = 16,     /* so many first, those behind the one that was found last */

        SOCKET_HOLDER_UNSEEN = 1, /* an outcome of socket_holder_find() */
};

enum socket_use {
        SOCKET_UNSEEN, /* nobody is seen to listen there, but somebody may: do not connect */
        SOCKET_FREE,   /* somebody listens, nobody is connected, nobody waits */
        SOCKET_TAKEN,  /* a client is connected, or waits in the queue, or has left unnoticed */
};

struct socket_peers {
        const char *path; /* to be set by the caller; links are followed, as connect() does */

        enum socket_use use;
        uint32_t listener; /* the listening socket's inode, "socket:[…]" in /proc/PID/fd; 0: unseen */
        size_t n_connected;
        size_t n_waiting;
        uint32_t clients[SOCKET_CLIENTS_MAX]; /* the clients' inodes, connected ones first, as far as known */
        size_t n_clients;
};

/*
 * Look at n sockets at once: one dump of the kernel's, which takes about 1 µs for each unix socket on
 * the host (in its network namespace).  0, or -errno: nothing is known of any of them, and all are
 * SOCKET_UNSEEN.  Another may connect right after.
 */
int socket_peers_look(struct socket_peers *peers, size_t n_peers);

/* One socket. */
struct socket_seen {
        bool is_listening;
        uint32_t peer;              /* its peer's inode; 0: it has none */
        char name[SOCKET_NAME_MAX]; /* as socket_name_set() writes it */
};

/* By its inode; the kernel looks through all for it.  0; -ENOENT: no unix socket of this network namespace; another -errno. */
int socket_see(uint32_t inode, struct socket_seen *ret_seen);

/* What a socket is bound to, as the kernel gives it: a path, or '@' and an abstract name; "": nothing, or no text. */
void socket_name_set(char ret_name[static SOCKET_NAME_MAX], const char *name, size_t n_name);

/*
 * A process that holds the socket open: likely the one who uses it, but descriptors are passed on and
 * inherited.  Looks near the one found last, then through every process's descriptors, as far as we may, at
 * most SOCKET_LINKS_MAX.  0, SOCKET_HOLDER_UNSEEN, or -errno.
 */
int socket_holder_find(uint32_t inode, pid_t *ret_pid);

/* Does this process hold it open?  TRISTATE_NULL: we may not see. */
enum tristate socket_is_held_by(uint32_t inode, pid_t pid);
