#include "sources/qemu/qemu_monitor.h"
#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Between bind() and listen() of a starting QEMU a connect is refused: microseconds, on a busy host some milliseconds. */
#define REFUSED_RETRY_USEC 5000
/* One wakeup reads at most this many buffers, so that a flood cannot keep the loop from its other work. */
#define READS_AT_ONCE 64

struct qemu_monitor {
        sd_event *event;
        sd_event_source *directory; /* inotify: until the socket is there */
        sd_event_source *retry;
        sd_event_source *stream;
        const struct qemu_monitor_events *events;
        void *userdata;
        struct sockaddr_un address;
        int fd;
        struct qmp_framer framer;
        char *unsent; /* what the socket did not take yet */
        size_t n_unsent;
        bool is_reading;
};

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static void disconnect(struct qemu_monitor *monitor) {
        monitor->stream = sd_event_source_disable_unref(monitor->stream);
        close_fd(&monitor->fd);
        qmp_framer_deinit(&monitor->framer);
        qmp_framer_init(&monitor->framer, QMP_FRAMING_LINES);
        free(monitor->unsent);
        monitor->unsent = NULL;
        monitor->n_unsent = 0;
}

static void finish(struct qemu_monitor *monitor, int error) {
        if (qmp_framer_finish(&monitor->framer) == QMP_HALF_LINE)
                monitor->events->malformed(monitor->userdata, "", 0, "the stream ended inside a message");
        disconnect(monitor);
        monitor->events->closed(monitor->userdata, error);
}

static void take_messages(struct qemu_monitor *monitor) {
        const char *line;
        size_t n_line;
        int r;

        while (monitor->fd >= 0 && (r = qmp_framer_next(&monitor->framer, &line, &n_line)) != QMP_NEEDS_MORE) {
                struct qmp_message message;

                if (r == QMP_LINE_TOO_LONG) {
                        monitor->events->malformed(monitor->userdata, "", 0, "a message is longer than 1 MiB");
                        continue;
                }
                r = qmp_message_decode(&message, line, n_line);
                if (r == QMP_MALFORMED)
                        monitor->events->malformed(monitor->userdata, line, n_line, message.defect);
                else if (!r)
                        monitor->events->message(monitor->userdata, &message);
                qmp_message_deinit(&message);
        }
}

/* Reads until there is nothing more: false; true: there may be more, the loop comes back. */
static bool read_some(struct qemu_monitor *monitor) {
        ssize_t space, n;
        char *buffer;

        space = qmp_framer_space(&monitor->framer, &buffer);
        if (space < 0) {
                finish(monitor, (int)space);
                return false;
        }
        n = recv(monitor->fd, buffer, (size_t)space, MSG_DONTWAIT);
        if (n < 0) {
                int error = errno;

                qmp_framer_fill(&monitor->framer, 0);
                if (error == EINTR)
                        return true;
                /* A QEMU that was killed with commands unread resets the connection: an end like any other. */
                if (error != EAGAIN)
                        finish(monitor, error == ECONNRESET ? 0 : -error);
                return false;
        }
        qmp_framer_fill(&monitor->framer, (size_t)n);
        take_messages(monitor);
        if (n == 0 && monitor->fd >= 0)
                finish(monitor, 0);
        return n > 0 && monitor->fd >= 0;
}

void qemu_monitor_drain(struct qemu_monitor *monitor) {
        if (!monitor || monitor->fd < 0 || monitor->is_reading)
                return;
        monitor->is_reading = true;
        for (size_t i = 0; i < READS_AT_ONCE * 16 && monitor->fd >= 0 && read_some(monitor); i++)
                ;
        monitor->is_reading = false;
}

static int flush(struct qemu_monitor *monitor) {
        while (monitor->n_unsent) {
                ssize_t n = send(monitor->fd, monitor->unsent, monitor->n_unsent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                monitor->n_unsent -= (size_t)n;
                memmove(monitor->unsent, monitor->unsent + n, monitor->n_unsent);
        }
        free(monitor->unsent);
        monitor->unsent = NULL;
        return 0;
}

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct qemu_monitor *monitor = userdata;

        if (revents & EPOLLOUT) {
                flush(monitor);
                if (!monitor->n_unsent)
                        sd_event_source_set_io_events(monitor->stream, EPOLLIN);
        }
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                monitor->is_reading = true;
                for (size_t i = 0; i < READS_AT_ONCE && monitor->fd >= 0 && read_some(monitor); i++)
                        ;
                monitor->is_reading = false;
        }
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        qemu_monitor_try(userdata);
        return 0;
}

int qemu_monitor_try(struct qemu_monitor *monitor) {
        cleanup(closep) int fd = -1;
        struct ucred peer = { 0 };
        socklen_t n_peer = sizeof(peer);
        int r;

        if (monitor->fd >= 0)
                return 0;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&monitor->address, sizeof(monitor->address)) < 0) {
                r = -errno;
                if (r != -ECONNREFUSED && r != -EAGAIN)
                        return -ENOTCONN;
                if (!monitor->retry)
                        sd_event_add_time_relative(monitor->event, &monitor->retry, CLOCK_MONOTONIC, REFUSED_RETRY_USEC,
                                                   1000, on_retry, monitor);
                else if (sd_event_source_set_time_relative(monitor->retry, REFUSED_RETRY_USEC) >= 0)
                        sd_event_source_set_enabled(monitor->retry, SD_EVENT_ONESHOT);
                return -ENOTCONN;
        }
        /* A listening socket's credentials are those of the process that called listen(): unix(7), SO_PEERCRED. */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0)
                peer = (struct ucred){ 0 };
        r = sd_event_add_io(monitor->event, &monitor->stream, fd, EPOLLIN, on_stream, monitor);
        if (r < 0)
                return r;
        monitor->fd = take_fd(&fd);
        monitor->directory = sd_event_source_disable_unref(monitor->directory);
        monitor->retry = sd_event_source_disable_unref(monitor->retry);
        monitor->events->connected(monitor->userdata, peer.pid, peer.uid);
        return 0;
}

static int on_directory(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        qemu_monitor_try(userdata);
        return 0;
}

bool qemu_monitor_is_connected(const struct qemu_monitor *monitor) {
        return monitor->fd >= 0;
}

int qemu_monitor_send(struct qemu_monitor *monitor, const char *text, size_t n_text) {
        ssize_t n = 0;
        char *more;

        if (monitor->fd < 0)
                return -ENOTCONN;
        if (!monitor->n_unsent) {
                n = send(monitor->fd, text, n_text, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -ENOTCONN; /* its end is read soon */
                if (n < 0)
                        n = 0;
                if ((size_t)n == n_text)
                        return 0;
        }
        if (monitor->n_unsent + n_text - (size_t)n > QEMU_MONITOR_SEND_MAX)
                return -ENOBUFS;
        more = realloc(monitor->unsent, monitor->n_unsent + n_text - (size_t)n);
        if (!more)
                return -ENOBUFS;
        memcpy(more + monitor->n_unsent, text + n, n_text - (size_t)n);
        monitor->unsent = more;
        monitor->n_unsent += n_text - (size_t)n;
        sd_event_source_set_io_events(monitor->stream, EPOLLIN | EPOLLOUT);
        return 0;
}

struct qemu_monitor *qemu_monitor_close(struct qemu_monitor *monitor) {
        if (!monitor)
                return NULL;
        disconnect(monitor);
        qmp_framer_deinit(&monitor->framer);
        sd_event_source_disable_unref(monitor->directory);
        sd_event_source_disable_unref(monitor->retry);
        sd_event_unref(monitor->event);
        free(monitor);
        return NULL;
}

int qemu_monitor_open(struct qemu_monitor **ret_monitor, sd_event *event, const char *path,
                      const struct qemu_monitor_events *events, void *userdata) {
        struct qemu_monitor *monitor;
        cleanup(freep) char *directory = NULL;
        char *slash;
        int r;

        if (strlen(path) >= sizeof(monitor->address.sun_path))
                return -ENAMETOOLONG;
        directory = strdup(path);
        monitor = calloc(1, sizeof(*monitor));
        if (!directory || !monitor) {
                free(monitor);
                return -ENOMEM;
        }
        monitor->fd = -1;
        monitor->event = sd_event_ref(event);
        monitor->events = events;
        monitor->userdata = userdata;
        monitor->address.sun_family = AF_UNIX;
        strcpy(monitor->address.sun_path, path);
        qmp_framer_init(&monitor->framer, QMP_FRAMING_LINES);

        slash = strrchr(directory, '/');
        if (slash)
                *slash = '\0';
        r = sd_event_add_inotify(event, &monitor->directory, slash ? (*directory ? directory : "/") : ".", IN_CREATE | IN_MOVED_TO,
                                 on_directory, monitor);
        if (r < 0) {
                qemu_monitor_close(monitor);
                return r;
        }
        *ret_monitor = monitor;
        return 0;
}
