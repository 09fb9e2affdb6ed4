/*
 * QEMU monitor: the connection to one QMP socket.
 *
 * Knows how to wait for the socket, connect, read messages and send commands without ever blocking.  Does not know what
 * a message means.  All callbacks come from the loop.
 */
#pragma once

#include "qmp/qmp_message.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

enum {
        QEMU_MONITOR_SEND_MAX = 64 * 1024, /* bytes of our own commands that wait for a QEMU that does not read */
        QEMU_MONITOR_FDS_MAX = 16,         /* with one message; as in QEMU's own socket (chardev/char-socket.c) */
};

struct qemu_monitor_events {
        /* Connected; the process that listens (0 if it cannot be known).  The greeting has not come yet. */
        void (*connected)(void *userdata, pid_t pid, uid_t uid);
        /* `text`: its bytes, without the end of the line. */
        void (*message)(void *userdata, const struct qmp_message *message, const char *text, size_t n_text);
        /* What came is no QMP: the start of it, and why. */
        void (*malformed)(void *userdata, const char *text, size_t n_text, const char *defect);
        /* The stream was read to its end (0), or broke (-errno).  Nothing follows. */
        void (*closed)(void *userdata, int error);
        /* What waited for a QEMU that did not read has been sent. */
        void (*drained)(void *userdata);
        /* What has come was read. */
        void (*was_read)(void *userdata);
};

struct qemu_monitor;

/*
 * Watch for the unix socket at `path` and connect to it once it is there.  The directory must exist.  -ENAMETOOLONG if the path
 * does not fit a socket address.
 */
int qemu_monitor_open(struct qemu_monitor **ret_monitor, sd_event *event, const char *path,
                      const struct qemu_monitor_events *events, void *userdata);
/* The same on a connected, non-blocking socket, which is taken over on success.  `connected` is not called. */
int qemu_monitor_adopt(struct qemu_monitor **ret_monitor, sd_event *event, int fd, const struct qemu_monitor_events *events,
                       void *userdata);
struct qemu_monitor *qemu_monitor_close(struct qemu_monitor *monitor);

/* Its connection, to be handed over to a later life; -1: none.  It stays the monitor's. */
int qemu_monitor_fd(const struct qemu_monitor *monitor);

/*
 * From now on what is read stays in the socket until qemu_monitor_consume(), so that a later life, to which the connection is handed over,
 * reads it again.  Much of it does not stay: QEMU is not to wait for us.  0 or -errno: it does not stay.
 */
int qemu_monitor_keep_unread(struct qemu_monitor *monitor);
/* The whole messages that were read so far are on record: they are taken from the socket. */
void qemu_monitor_consume(struct qemu_monitor *monitor);

/* Look for the socket now rather than when the directory says so.  0: connected; -ENOTCONN: not there yet. */
int qemu_monitor_try(struct qemu_monitor *monitor);

/* Read what has come, up to the end of the stream if it has ended. */
void qemu_monitor_drain(struct qemu_monitor *monitor);

bool qemu_monitor_is_connected(const struct qemu_monitor *monitor);

/* Send a whole message (with \r\n).  0, -ENOTCONN, or -ENOBUFS when too much waits already. */
int qemu_monitor_send(struct qemu_monitor *monitor, const char *text, size_t n_text);

/*
 * The same for somebody else's message, with its descriptors, which are closed in every case.  It goes on only where nothing waits; what then
 * waits of it takes no room from our own.  0, -ENOTCONN, or -ENOBUFS: wait until `drained`.
 */
int qemu_monitor_pass_on(struct qemu_monitor *monitor, const char *text, size_t n_text, const int *fds, size_t n_fds);
bool qemu_monitor_has_room(const struct qemu_monitor *monitor);
