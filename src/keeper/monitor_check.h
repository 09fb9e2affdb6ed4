/*
 * Monitor check: may this monitor be opened, and whose is it?
 *
 * A monitor serves one client, and belongs to whoever made it.  Asks the file system and the kernel; connects to nobody.
 */
#pragma once

#include "sources/socket_peers.h"
#include "store/store.h"

#include <limits.h>
#include <sys/types.h>

/* Is it in one of libvirt's directories, the system's or a session's?  The path is looked at as it is. */
bool monitor_is_libvirts(const char *path);

struct monitor_check {
        char path[PATH_MAX]; /* without links */
        pid_t pid;           /* a process that holds the listening socket */
        bool is_pid_sure;    /* it was seen to hold it */
        uint64_t file_inode; /* of the socket's file */
        uint64_t inode;      /* of the listening socket itself: tells apart the VMs of one process, one after the other, too */
};

/* What stands at the path.  0; -EPERM: libvirt's; -ENOTSOCK; -ENAMETOOLONG; stat()'s -errno.  ret_why says it in one line. */
int monitor_check_file(struct monitor_check *ret_check, const char *path, char ret_why[static STORE_WHY_MAX]);

/*
 * Who listens there, from what socket_peers_look() has seen.  `pid`: whose it is said to be; 0: find out.  0; -EPERM: our own; -EBUSY:
 * somebody is connected; -ESRCH: nobody listens, or not that process.
 */
int monitor_check_socket(struct monitor_check *check, const struct socket_peers *peers, pid_t pid, char ret_why[static STORE_WHY_MAX]);

/* Whoever asks has the right to say whose it is. */
#define MONITOR_OF_ANYBODY INT64_C(-1)
/* Nobody asks: a process that names a monitor on its command line, or did so once, is not believed. */
#define MONITOR_OF_ITS_PROCESS INT64_C(-2)

/*
 * Who listens at the other end of a connection, as the kernel tells: may `owner`, a user id or one of the above, have that monitor?  0, or
 * -EACCES: it is not that user's; it was not seen that it is that process's.
 */
int monitor_check_peer(const struct monitor_check *check, pid_t pid, uid_t uid, int64_t owner, char ret_why[static STORE_WHY_MAX]);
