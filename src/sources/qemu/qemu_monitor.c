#include "sources/qemu/qemu_monitor.h"
#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Between bind() and listen() of a starting QEMU a connect is refused: microseconds, on a busy host some milliseconds. */
#define REFUSED_RETRY_USEC 5000
#define REFUSED_SLOW_USEC 1000000
/* One wakeup reads at most this many buffers, so that a flood cannot keep the loop from its other work. */
#define READS_AT_ONCE 64
/* So much stays in the socket at most: it holds about 200 KiB, of which a short message takes nearly one, and then QEMU waits. */
#define PEEKED_MAX          ((size_t)32 * 1024)
#define PEEKED_MESSAGES_MAX 64

/* A message, or what is left of it, that the socket did not take yet. */
struct unsent {
        struct unsent *next;
        size_t n_sent, n_text;
        bool is_own;
        size_t n_fds; /* they go with its first byte */
        int fds[QEMU_MONITOR_FDS_MAX];
        char text[];
};

struct qemu_monitor {
        sd_event *event;
        sd_event_source *directory; /* inotify: until the socket is there */
        uint64_t retry_usec;        /* 0: nobody has refused yet */
        sd_event_source *retry;
        sd_event_source *stream;
        const struct qemu_monitor_events *events;
        void *userdata;
        char *path; /* owned */
        int fd;
        struct qmp_framer framer;
        struct unsent *unsent; /* the oldest first */
        size_t n_unsent;       /* bytes of our own among them */
        bool is_reading;
        bool keeps_unread;
        size_t n_peeked; /* bytes that were read and are still in the socket */
        size_t n_peeked_messages;
};

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static void close_fds(const int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                close(fds[i]);
}

static void drop_unsent(struct qemu_monitor *monitor) {
        struct unsent *unsent = monitor->unsent;

        monitor->unsent = unsent->next;
        if (unsent->is_own)
                monitor->n_unsent -= unsent->n_text;
        close_fds(unsent->fds, unsent->n_fds);
        free(unsent);
}

static void disconnect(struct qemu_monitor *monitor) {
        monitor->stream = sd_event_source_disable_unref(monitor->stream);
        close_fd(&monitor->fd);
        monitor->n_peeked = 0;
        qmp_framer_deinit(&monitor->framer);
        qmp_framer_init(&monitor->framer, QMP_FRAMING_LINES);
        while (monitor->unsent)
                drop_unsent(monitor);
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

                monitor->n_peeked_messages++;
                if (r == QMP_LINE_TOO_LONG) {
                        monitor->events->malformed(monitor->userdata, "", 0, "a message is longer than 1 MiB");
                        continue;
                }
                r = qmp_message_decode(&message, line, n_line);
                if (r == QMP_MALFORMED)
                        monitor->events->malformed(monitor->userdata, line, n_line, message.defect);
                else if (!r)
                        monitor->events->message(monitor->userdata, &message, line, n_line);
                qmp_message_deinit(&message);
        }
}

/*
 * An edge counts: what stays in the socket is no reason to wake up, and ten thousand that are readable at once are not asked again whenever one of them
 * was served.
 */
static void wait_for(struct qemu_monitor *monitor, uint32_t what) {
        sd_event_source_set_io_events(monitor->stream, what | EPOLLET);
}

/* With a peek offset each MSG_PEEK goes on where the last one ended: socket(7), SO_PEEK_OFF.  It is the socket's, and its next reader's, too. */
int qemu_monitor_keep_unread(struct qemu_monitor *monitor) {
        const int offset = 0;

        if (setsockopt(monitor->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) < 0)
                return -errno;
        monitor->keeps_unread = true;
        wait_for(monitor, monitor->unsent ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return 0;
}

void qemu_monitor_consume(struct qemu_monitor *monitor) {
        size_t n_begun = monitor->framer.n_filled - monitor->framer.start, n;
        char ignored[4096];

        if (monitor->fd < 0 || monitor->n_peeked <= n_begun)
                return;
        monitor->n_peeked_messages = 0;
        n = monitor->n_peeked - n_begun;
        while (n) {
                ssize_t n_taken = recv(monitor->fd, ignored, n < sizeof(ignored) ? n : sizeof(ignored), MSG_DONTWAIT);

                if (n_taken <= 0)
                        return;
                monitor->n_peeked -= (size_t)n_taken;
                n -= (size_t)n_taken;
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
        n = recv(monitor->fd, buffer, (size_t)space, MSG_DONTWAIT | (monitor->keeps_unread ? MSG_PEEK : 0));
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
        if (monitor->keeps_unread)
                monitor->n_peeked += (size_t)n;
        qmp_framer_fill(&monitor->framer, (size_t)n);
        take_messages(monitor);
        if (monitor->n_peeked > PEEKED_MAX || monitor->n_peeked_messages > PEEKED_MESSAGES_MAX)
                qemu_monitor_consume(monitor);
        if (n == 0 && monitor->fd >= 0)
                finish(monitor, 0);
        return n > 0 && monitor->fd >= 0;
}

static void read_up_to(struct qemu_monitor *monitor, size_t n_reads) {
        bool is_more = true;

        monitor->is_reading = true;
        for (size_t i = 0; i < n_reads && is_more; i++)
                is_more = read_some(monitor);
        monitor->is_reading = false;
        /* Of what is there already no edge tells. */
        if (is_more)
                wait_for(monitor, monitor->unsent ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void qemu_monitor_drain(struct qemu_monitor *monitor) {
        if (monitor && monitor->fd >= 0 && !monitor->is_reading)
                read_up_to(monitor, READS_AT_ONCE * 16);
}

/* A number of bytes, 0 when the socket takes none now, or -errno. */
static ssize_t send_some(int fd, const char *text, size_t n_text, const int *fds, size_t n_fds) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int[QEMU_MONITOR_FDS_MAX]))];
        } control = { 0 };
        struct msghdr message = { .msg_iov = &(struct iovec){ (char *)text, n_text }, .msg_iovlen = 1 };
        ssize_t n;

        if (n_fds) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                                                   .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        }
        do
                n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        return n;
}

static void flush(struct qemu_monitor *monitor) {
        while (monitor->unsent) {
                struct unsent *unsent = monitor->unsent;
                ssize_t n = send_some(monitor->fd, unsent->text + unsent->n_sent, unsent->n_text - unsent->n_sent,
                                      unsent->fds, unsent->n_fds);

                if (n <= 0) /* if it is broken, its end is read soon */
                        return;
                close_fds(unsent->fds, unsent->n_fds);
                unsent->n_fds = 0;
                unsent->n_sent += (size_t)n;
                if (unsent->n_sent == unsent->n_text)
                        drop_unsent(monitor);
        }
        wait_for(monitor, EPOLLIN);
        monitor->events->drained(monitor->userdata);
}

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct qemu_monitor *monitor = userdata;

        if (revents & EPOLLOUT)
                flush(monitor);
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                read_up_to(monitor, READS_AT_ONCE);
                if (monitor->events->was_read)
                        monitor->events->was_read(monitor->userdata);
        }
        return 0;
}

static int on_directory(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        struct qemu_monitor *monitor = userdata;

        monitor->retry_usec = 0;
        qemu_monitor_try(monitor);
        return 0;
}

/* Hear of it when the socket comes to be. */
static int watch_directory(struct qemu_monitor *monitor) {
        cleanup(freep) char *directory = strdup(monitor->path);
        char *slash = directory ? strrchr(directory, '/') : NULL;
        int r;

        if (!directory)
                return -ENOMEM;
        if (slash)
                *slash = '\0';
        r = sd_event_add_inotify(monitor->event, &monitor->directory, slash ? (*directory ? directory : "/") : ".",
                                 IN_CREATE | IN_MOVED_TO, on_directory, monitor);
        return r < 0 ? r : 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        qemu_monitor_try(userdata);
        return 0;
}

int qemu_monitor_try(struct qemu_monitor *monitor) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = -1;
        struct ucred peer = { 0 };
        socklen_t n_peer = sizeof(peer);
        int r;

        if (monitor->fd >= 0)
                return 0;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        strcpy(address.sun_path, monitor->path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                r = -errno;
                if (!monitor->directory)
                        watch_directory(monitor);
                if (r != -ECONNREFUSED && r != -EAGAIN)
                        return -ENOTCONN;
                /* It listens in a moment; or it is a socket that a QEMU has left, and who makes it anew is heard of. */
                monitor->retry_usec = monitor->retry_usec ? 2 * monitor->retry_usec : REFUSED_RETRY_USEC;
                if (monitor->retry_usec > REFUSED_SLOW_USEC)
                        monitor->retry_usec = REFUSED_SLOW_USEC;
                if (!monitor->retry)
                        sd_event_add_time_relative(monitor->event, &monitor->retry, CLOCK_MONOTONIC, monitor->retry_usec, 1000,
                                                   on_retry, monitor);
                else if (sd_event_source_set_time_relative(monitor->retry, monitor->retry_usec) >= 0)
                        sd_event_source_set_enabled(monitor->retry, SD_EVENT_ONESHOT);
                return -ENOTCONN;
        }
        /* A listening socket's credentials are those of the process that called listen(): unix(7), SO_PEERCRED. */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0)
                peer = (struct ucred){ 0 };
        r = sd_event_add_io(monitor->event, &monitor->stream, fd, EPOLLIN | EPOLLET, on_stream, monitor);
        if (r < 0)
                return r;
        monitor->fd = take_fd(&fd);
        monitor->directory = sd_event_source_disable_unref(monitor->directory);
        monitor->retry = sd_event_source_disable_unref(monitor->retry);
        monitor->events->connected(monitor->userdata, peer.pid, peer.uid);
        return 0;
}

int qemu_monitor_fd(const struct qemu_monitor *monitor) {
        return monitor->fd;
}

bool qemu_monitor_is_connected(const struct qemu_monitor *monitor) {
        return monitor->fd >= 0;
}

bool qemu_monitor_has_room(const struct qemu_monitor *monitor) {
        return monitor->fd >= 0 && !monitor->unsent;
}

/* Keep what the socket did not take.  The descriptors are taken over. */
static int keep(struct qemu_monitor *monitor, const char *text, size_t n_text, const int *fds, size_t n_fds, bool is_own) {
        struct unsent *unsent = calloc(1, sizeof(*unsent) + n_text), **end = &monitor->unsent;

        if (!unsent) {
                close_fds(fds, n_fds);
                return -ENOBUFS;
        }
        unsent->n_text = n_text;
        unsent->is_own = is_own;
        unsent->n_fds = n_fds;
        for (size_t i = 0; i < n_fds; i++)
                unsent->fds[i] = fds[i];
        memcpy(unsent->text, text, n_text);
        while (*end)
                end = &(*end)->next;
        *end = unsent;
        if (is_own)
                monitor->n_unsent += n_text;
        wait_for(monitor, EPOLLIN | EPOLLOUT);
        return 0;
}

int qemu_monitor_send(struct qemu_monitor *monitor, const char *text, size_t n_text) {
        ssize_t n = 0;

        if (monitor->fd < 0)
                return -ENOTCONN;
        if (monitor->n_unsent + n_text > QEMU_MONITOR_SEND_MAX)
                return -ENOBUFS;
        if (!monitor->unsent)
                n = send_some(monitor->fd, text, n_text, NULL, 0);
        if (n < 0)
                return -ENOTCONN; /* its end is read soon */
        return (size_t)n == n_text ? 0 : keep(monitor, text + n, n_text - (size_t)n, NULL, 0, true);
}

int qemu_monitor_pass_on(struct qemu_monitor *monitor, const char *text, size_t n_text, const int *fds, size_t n_fds) {
        bool has_room = qemu_monitor_has_room(monitor);
        ssize_t n = has_room ? send_some(monitor->fd, text, n_text, fds, n_fds) : 0;

        if (!has_room || n != 0) {
                close_fds(fds, n_fds);
                n_fds = 0;
        }
        if (!has_room)
                return monitor->fd < 0 ? -ENOTCONN : -ENOBUFS;
        if (n < 0)
                return -ENOTCONN;
        return (size_t)n == n_text ? 0 : keep(monitor, text + n, n_text - (size_t)n, fds, n_fds, false);
}

struct qemu_monitor *qemu_monitor_close(struct qemu_monitor *monitor) {
        if (!monitor)
                return NULL;
        disconnect(monitor);
        qmp_framer_deinit(&monitor->framer);
        sd_event_source_disable_unref(monitor->directory);
        sd_event_source_disable_unref(monitor->retry);
        sd_event_unref(monitor->event);
        free(monitor->path);
        free(monitor);
        return NULL;
}

static struct qemu_monitor *make(sd_event *event, const struct qemu_monitor_events *events, void *userdata) {
        struct qemu_monitor *monitor = calloc(1, sizeof(*monitor));

        if (!monitor)
                return NULL;
        monitor->fd = -1;
        monitor->event = sd_event_ref(event);
        monitor->events = events;
        monitor->userdata = userdata;
        qmp_framer_init(&monitor->framer, QMP_FRAMING_LINES);
        return monitor;
}

int qemu_monitor_adopt(struct qemu_monitor **ret_monitor, sd_event *event, int fd, const struct qemu_monitor_events *events,
                       void *userdata) {
        struct qemu_monitor *monitor = make(event, events, userdata);
        int r;

        if (!monitor)
                return -ENOMEM;
        r = sd_event_add_io(event, &monitor->stream, fd, EPOLLIN | EPOLLET, on_stream, monitor);
        if (r < 0) {
                qemu_monitor_close(monitor);
                return r;
        }
        monitor->fd = fd;
        *ret_monitor = monitor;
        return 0;
}

int qemu_monitor_open(struct qemu_monitor **ret_monitor, sd_event *event, const char *path,
                      const struct qemu_monitor_events *events, void *userdata) {
        struct qemu_monitor *monitor;
        struct stat file;
        int r;

        if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return -ENAMETOOLONG;
        monitor = make(event, events, userdata);
        if (!monitor)
                return -ENOMEM;
        monitor->path = strdup(path);

        /* An inotify descriptor of which the last watch goes makes its closing wait for all processors, 8 ms: only where it is needed. */
        r = !monitor->path ? -ENOMEM : stat(path, &file) ? watch_directory(monitor) : 0;
        if (r) {
                qemu_monitor_close(monitor);
                return r;
        }
        *ret_monitor = monitor;
        return 0;
}
