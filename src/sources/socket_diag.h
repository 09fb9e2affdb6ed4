/*
 * Socket diag: what the kernel says about unix sockets, in bytes.
 *
 * Knows netlink's framing and unix_diag(7)'s attributes.  Does not ask, and does not know what a socket is
 * for.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        SOCKET_DIAG_REQUEST_SIZE = 40, /* bytes of a request */
        SOCKET_DIAG_WAITING_MAX = 8,

        /* Outcomes of socket_diag_next(). */
        SOCKET_DIAG_MORE = 1, /* this datagram is read: there are more */
        SOCKET_DIAG_DONE = 2, /* the answer is complete */
};

struct socket_record {
        bool is_listening;
        uint32_t inode;     /* what "socket:[…]" in /proc/PID/fd says */
        uint32_t cookie[2]; /* with the inode: this socket, never another */
        const char *name;   /* what it was bound to, borrowed, not terminated; NULL: nothing */
        size_t n_name;
        bool has_file;
        uint32_t file_inode;  /* its low 32 bits */
        uint32_t file_device; /* as the kernel keeps it: see socket_diag_device() */
        bool has_peer;
        uint32_t peer;      /* the peer's inode; 0: it has closed its end, or was not accepted yet */
        uint32_t n_waiting; /* clients in a listening socket's queue */
        uint32_t waiting[SOCKET_DIAG_WAITING_MAX]; /* their inodes, where they were asked for */
        size_t n_waiting_known;
};

/* Ask for every socket that listens or is connected. */
void socket_diag_ask_all(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE]);

/* Ask for one, and who waits in its queue. */
void socket_diag_ask_one(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE],
                         const struct socket_record *record);

/* Ask for the one of that inode, whichever it is by now. */
void socket_diag_ask_inode(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE], uint32_t inode);

/*
 * Take the next record off the front of a datagram.  0: here it is; SOCKET_DIAG_MORE, SOCKET_DIAG_DONE; the
 * kernel's own -errno; -EBADMSG: those are no such bytes.
 */
int socket_diag_next(struct socket_record *ret_record, const uint8_t **bytes, size_t *n_bytes);

/* stat(2)'s st_dev, as the kernel keeps it. */
uint32_t socket_diag_device(uint64_t st_dev);
