/*
 * Process sockets: the unix sockets of another process, and who is at their other ends.
 *
 * Takes each descriptor for a moment (pidfd_getfd(2)) and asks the kernel, which remembers who connected: so it costs what that one process has
 * open, however many others there are.  Where that is not permitted sock_diag is asked.  Does not know what is spoken on them.
 */
#pragma once

#include "sources/socket_peers.h"

enum {
        PROCESS_SOCKETS_MAX = 1 << 16, /* so many descriptors are looked at */
        PROCESS_TCP_PEER_MAX = 56,     /* bytes of an address and a port, the NUL included */
};

struct process_socket {
        int number; /* there */
        bool is_connected;
        char name[SOCKET_NAME_MAX];      /* what it is bound to, one that was accepted as its listener; as socket_name_set() */
        char peer_name[SOCKET_NAME_MAX]; /* what its peer is bound to */
        int fd;         /* it, here; -1: it may not be had */
        uint32_t inode; /* it, in "socket:[…]" */
};

/* Each of them, as far as we may see, borrowed.  0 or -errno. */
int process_sockets_each(pid_t pid, void (*each)(void *userdata, const struct process_socket *socket), void *userdata);

/* Where its TCP connection leads: "ADDRESS:PORT", of several the first; "": it has none, or none that may be seen. */
void process_tcp_peer(pid_t pid, char ret_peer[static PROCESS_TCP_PEER_MAX]);

/* What that descriptor is bound to; "": nothing, or it is no unix socket, or may not be seen. */
void process_socket_name(pid_t pid, int number, char ret_name[static SOCKET_NAME_MAX]);

/*
 * Who is at the other end, as proc_actor(): the one who connected (or listened there, where this one connected), or, where that one has gone, the one who has
 * his socket now.  0; -ESRCH: nobody is seen.
 */
int process_socket_peer(const struct process_socket *socket, const char *via, struct actor *ret_actor);
