#include "sources/qemu/shared_monitor.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/qemu/qemu_monitor.h"
#include "sources/qemu/qmp_relay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static_assert((int)RELAY_FDS_MAX == (int)QEMU_MONITOR_FDS_MAX, "what a client sends can be passed on");

enum {
        READ_SIZE = 16 * 1024,
        BACKLOG = 16,
        /* Out of descriptors or memory: whoever waits to be accepted waits on. */
        ACCEPT_RETRY_USEC = 1000 * 1000,
};

struct client {
        struct client *next;
        struct shared_monitor *monitor;
        struct relay_client *relay;
        sd_event_source *io;
        sd_event_source *hold_timer;
        uint64_t request; /* that is held; 0: none */
        int fd;
        bool is_told_of; /* its drop */
        struct actor actor;
};

struct shared_monitor {
        sd_event *event;
        struct qemu_source *source;
        struct qemu_source_tap tap;
        struct shared_monitor_events events;
        struct relay *relay;
        struct client *clients;
        sd_event_source *listener;
        sd_event_source *accept_timer;
        char *path; /* owned */
        dev_t device; /* of the socket that we made */
        ino_t inode;  /* 0: there is none */
        int fd;
        bool is_pumping;
};

/* --- clients ----------------------------------------------------------------------------------------------------- */

static void close_one(int fd) {
        close(fd);
}

static struct client *client_free(struct client *client) {
        char bytes[4096];

        if (!client)
                return NULL;
        relay_client_free(client->relay);
        sd_event_source_disable_unref(client->io);
        sd_event_source_disable_unref(client->hold_timer);
        /* What is left unread would make of the peer's end of the stream a broken connection. */
        for (int i = 0; i < 64 && client->fd >= 0 && recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++)
                ;
        close_fd(&client->fd);
        free(client);
        return NULL;
}

/* Send what waits for it.  Did the socket take any? */
static bool flush(struct client *client) {
        bool progress = false;
        const char *bytes;
        size_t n_bytes;

        while ((n_bytes = relay_client_output(client->relay, &bytes))) {
                ssize_t n = send(client->fd, bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno != EAGAIN)
                        relay_client_mute(client->relay);
                if (n < 0)
                        break;
                relay_client_sent(client->relay, (size_t)n);
                progress = true;
        }
        return progress;
}

static void drop_if_defective(struct client *client) {
        const char *why = relay_client_defect(client->relay);

        if (!why || client->is_told_of)
                return;
        client->is_told_of = true;
        client->monitor->events.dropped(client->monitor->events.userdata, &client->actor, why);
        relay_client_end(client->relay);
        relay_client_mute(client->relay);
        shutdown(client->fd, SHUT_RDWR);
}

/* Listen for what can be dealt with, and for nothing else: a peer that has gone must not wake us for ever. */
static void update_io(struct client *client) {
        const char *bytes;
        uint32_t wanted = (relay_client_wants(client->relay) ? EPOLLIN : 0) |
                          (relay_client_output(client->relay, &bytes) ? EPOLLOUT : 0);

        if (wanted)
                sd_event_source_set_io_events(client->io, wanted);
        sd_event_source_set_enabled(client->io, wanted ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* --- the way of a command ---------------------------------------------------------------------------------------- */

static void forward(struct shared_monitor *monitor, const struct relay_step *step) {
        if (qemu_source_pass_on(monitor->source, step->text, step->n_text, step->fds, step->n_fds) == -ENOBUFS)
                relay_lose(monitor->relay);
}

static int on_held_too_long(sd_event_source *timer, uint64_t usec, void *userdata);

struct telling {
        const struct shared_monitor *monitor;
        uint64_t request;
};

static void tell(void *userdata, struct evidence *evidence) {
        const struct telling *telling = userdata;

        telling->monitor->events.request(telling->monitor->events.userdata, telling->request, evidence);
}

/* Tell who asks for what, and hold it until that is on record. */
static void hold(struct shared_monitor *monitor, const struct relay_step *step) {
        struct client *client = step->client;
        struct telling telling = { monitor, step->number };
        struct evidence evidence = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);

        client->request = step->number;
        evidence_set_word(&evidence, step->request);
        evidence_set_actor(&evidence, &client->actor);
        if (sd_event_add_time_relative(monitor->event, &client->hold_timer, CLOCK_MONOTONIC, SHARED_MONITOR_HOLD_USEC, 1,
                                       on_held_too_long, client) < 0)
                relay_release(monitor->relay, step->number);
        evidence.at_ns = source_now_ns();
        evidence.time_ns = source_time_ns();
        relay_note(monitor->relay, step->number, evidence.at_ns);
        source_report(&(struct source_sink){ .report = tell, .userdata = &telling }, &evidence);
}

static void tell_answered(const struct shared_monitor *monitor, const struct relay_step *step) {
        struct evidence evidence = evidence_make(SOURCE_VMPOWER, step->text ? EVIDENCE_REFUSED : EVIDENCE_ANSWERED_LATE);

        if (!step->text && source_now_ns() - step->record < SHARED_MONITOR_LATE_MS * UINT64_C(1000000))
                return;
        evidence_set_word(&evidence, step->request);
        if (step->text)
                evidence_set_text(&evidence, step->text, step->n_text);
        evidence.number = (int64_t)step->record;
        source_report(&(struct source_sink){ .report = monitor->events.answered, .userdata = monitor->events.userdata }, &evidence);
}

static void take_step(struct shared_monitor *monitor, const struct relay_step *step) {
        switch (step->kind) {
        case RELAY_FORWARD:
                forward(monitor, step);
                break;
        case RELAY_REQUEST:
                hold(monitor, step);
                break;
        case RELAY_ANSWERED:
                tell_answered(monitor, step);
                break;
        }
}

/* Do all that can be done now. */
static void pump(struct shared_monitor *monitor) {
        struct relay_step step;
        bool progress;

        if (monitor->is_pumping)
                return;
        monitor->is_pumping = true;
        do {
                progress = false;
                while (relay_next(monitor->relay, qemu_source_has_room(monitor->source), &step))
                        take_step(monitor, &step);
                for (struct client *client = monitor->clients; client; client = client->next) {
                        drop_if_defective(client);
                        progress |= flush(client);
                }
        } while (progress);

        for (struct client **link = &monitor->clients; *link;) {
                struct client *client = *link;

                if (relay_client_is_over(client->relay)) {
                        *link = client->next;
                        client_free(client);
                } else {
                        update_io(client);
                        link = &client->next;
                }
        }
        monitor->is_pumping = false;
}

static void release(struct client *client) {
        relay_release(client->monitor->relay, client->request);
        client->request = 0;
        client->hold_timer = sd_event_source_disable_unref(client->hold_timer);
}

static int on_held_too_long(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct client *client = userdata;
        struct shared_monitor *monitor = client->monitor;
        uint64_t request = client->request;

        release(client);
        monitor->events.late(monitor->events.userdata, request);
        pump(monitor);
        return 0;
}

void shared_monitor_release(struct shared_monitor *monitor, uint64_t request) {
        for (struct client *client = monitor->clients; client; client = client->next)
                if (request && client->request == request) {
                        release(client);
                        break;
                }
        pump(monitor);
}

/* --- what clients send ------------------------------------------------------------------------------------------- */

/* The descriptors that came; those that did not fit were closed by the kernel. */
static size_t take_fds(struct msghdr *message, int ret_fds[static RELAY_FDS_MAX]) {
        size_t n_fds = 0;

        for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
                size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
                        continue;
                if (n > RELAY_FDS_MAX - n_fds)
                        n = RELAY_FDS_MAX - n_fds;
                memcpy(ret_fds + n_fds, CMSG_DATA(control), n * sizeof(int));
                n_fds += n;
        }
        return n_fds;
}

static void read_some(struct client *client) {
        char bytes[READ_SIZE];
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int[RELAY_FDS_MAX]))];
        } control;
        struct msghdr message = {
                .msg_iov = &(struct iovec){ bytes, sizeof(bytes) },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        int fds[RELAY_FDS_MAX];
        ssize_t n;

        n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                relay_client_read(client->relay, bytes, (size_t)n, fds, take_fds(&message, fds));
        else
                relay_client_end(client->relay);
        if (n < 0)
                relay_client_mute(client->relay);
}

static int on_client(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        struct client *client = userdata;

        /* What can be written is written by pump(). */
        if (relay_client_wants(client->relay) && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                read_some(client);
        pump(client->monitor);
        return 0;
}

static int add_client(struct shared_monitor *monitor, int fd, const struct actor *actor, size_t n_max) {
        bool is_full = shared_monitor_n_clients(monitor) >= n_max;
        struct client *client = calloc(1, sizeof(*client));
        int r = -ENOMEM;

        if (!client) {
                close(fd);
                return r;
        }
        client->fd = fd;
        client->monitor = monitor;
        client->actor = *actor;
        r = is_full ? -ENOBUFS : relay_add_client(monitor->relay, client, &client->relay);
        if (!r)
                r = sd_event_add_io(monitor->event, &client->io, fd, EPOLLIN, on_client, client);
        if (r < 0) {
                monitor->events.dropped(monitor->events.userdata, &client->actor,
                                        r == -ENOBUFS ? "there are too many clients" : strerror(-r));
                client_free(client);
                return r;
        }
        client->next = monitor->clients;
        monitor->clients = client;
        return 0;
}

int shared_monitor_add_client(struct shared_monitor *monitor, int fd, const struct actor *actor) {
        int r = add_client(monitor, fd, actor, RELAY_CLIENTS_MAX);

        if (!r)
                pump(monitor);
        return r;
}

static int on_accept_retry(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct shared_monitor *monitor = userdata;

        monitor->accept_timer = sd_event_source_disable_unref(monitor->accept_timer);
        if (monitor->listener)
                sd_event_source_set_enabled(monitor->listener, SD_EVENT_ON);
        return 0;
}

static int on_connection(sd_event_source *listener, int listener_fd, uint32_t revents, void *userdata) {
        struct shared_monitor *monitor = userdata;
        int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
                struct actor actor;

                /* Who connected, as far as it is still there: what cannot be read stays empty. */
                proc_peer_actor(fd, "qmp", &actor);
                add_client(monitor, fd, &actor, SHARED_MONITOR_CLIENTS_MAX);
                pump(monitor);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && !monitor->accept_timer) {
                sd_event_source_set_enabled(listener, SD_EVENT_OFF);
                sd_event_add_time_relative(monitor->event, &monitor->accept_timer, CLOCK_MONOTONIC, ACCEPT_RETRY_USEC, 0,
                                           on_accept_retry, monitor);
        }
        return 0;
}

/* --- what QEMU says ---------------------------------------------------------------------------------------------- */

static void greet(struct shared_monitor *monitor) {
        bool has_oob;
        const char *greeting = qemu_source_greeting(monitor->source, &has_oob);

        if (greeting)
                relay_greet(monitor->relay, greeting, has_oob);
}

static void on_message(void *userdata, const struct qmp_message *message, const char *text, size_t n_text) {
        struct shared_monitor *monitor = userdata;

        if (message->kind == QMP_GREETING)
                greet(monitor);
        else
                relay_hear(monitor->relay, message, text, n_text);
        pump(monitor);
}

static void on_lost(void *userdata) {
        struct shared_monitor *monitor = userdata;

        relay_lose(monitor->relay);
        pump(monitor);
}

static void on_drained(void *userdata) {
        pump(userdata);
}

static void stop_listening(struct shared_monitor *monitor) {
        struct stat now;

        monitor->accept_timer = sd_event_source_disable_unref(monitor->accept_timer);
        monitor->listener = sd_event_source_disable_unref(monitor->listener);
        if (monitor->fd < 0)
                return;
        /* Only what we made ourselves: another may have taken its place. */
        if (monitor->inode && !lstat(monitor->path, &now) && now.st_dev == monitor->device && now.st_ino == monitor->inode)
                unlink(monitor->path);
        close_fd(&monitor->fd);
}

static void on_closed(void *userdata) {
        struct shared_monitor *monitor = userdata;

        stop_listening(monitor);
        relay_end(monitor->relay);
        pump(monitor);
}

/* --- the socket -------------------------------------------------------------------------------------------------- */

/* Is there a socket that nobody listens on?  What is not a socket is never ours. */
static bool is_stale(const struct sockaddr_un *address) {
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat there;

        if (fd < 0 || lstat(address->sun_path, &there) < 0 || !S_ISSOCK(there.st_mode))
                return false;
        return connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
}

static int remember_socket(struct shared_monitor *monitor) {
        struct stat there;

        if (lstat(monitor->path, &there) < 0)
                return -errno;
        monitor->device = there.st_dev;
        monitor->inode = there.st_ino;
        return 0;
}

/* A listening socket that was handed over, and still is what stands at the path. */
static int take_listener(struct shared_monitor *monitor, const char *path, int fd) {
        struct sockaddr_un address = { 0 };
        socklen_t n_address = sizeof(address), n_listens = sizeof(int);
        int listens = 0, r;

        if (getsockname(fd, (struct sockaddr *)&address, &n_address) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n_listens) < 0)
                return -errno;
        if (!listens || address.sun_family != AF_UNIX || strcmp(address.sun_path, path))
                return -EINVAL;
        r = remember_socket(monitor);
        if (r)
                return r;
        monitor->fd = fd;
        return 0;
}

static int listen_at(struct shared_monitor *monitor, const char *path, uid_t uid, gid_t gid, int fd) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        monitor->path = strdup(path);
        if (!monitor->path)
                return -ENOMEM;
        if (fd >= 0)
                return take_listener(monitor, path, fd);
        monitor->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (monitor->fd < 0)
                return -errno;
        /* The file is made with the mode of the socket itself (Linux, unix_bind()): at no time has it another. */
        if (fchmod(monitor->fd, 0600) < 0)
                return -errno;
        r = bind(monitor->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        if (r == -EADDRINUSE && is_stale(&address)) {
                unlink(path);
                r = bind(monitor->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        }
        if (!r)
                r = remember_socket(monitor);
        if (r)
                return r;
        if (geteuid() == 0 && lchown(path, uid, gid) < 0)
                return -errno;
        return listen(monitor->fd, BACKLOG) < 0 ? -errno : 0;
}

static struct shared_monitor *monitor_free(struct shared_monitor *monitor) {
        qemu_source_set_tap(monitor->source, NULL);
        while (monitor->clients) {
                struct client *client = monitor->clients;

                monitor->clients = client->next;
                client_free(client);
        }
        relay_free(monitor->relay);
        sd_event_unref(monitor->event);
        free(monitor->path);
        free(monitor);
        return NULL;
}

struct shared_monitor *shared_monitor_close(struct shared_monitor *monitor) {
        if (!monitor)
                return NULL;
        stop_listening(monitor);
        return monitor_free(monitor);
}

struct shared_monitor *shared_monitor_leave(struct shared_monitor *monitor) {
        if (!monitor)
                return NULL;
        sd_event_source_disable_unref(monitor->accept_timer);
        sd_event_source_disable_unref(monitor->listener);
        close_fd(&monitor->fd);
        return monitor_free(monitor);
}

const char *shared_monitor_path(const struct shared_monitor *monitor) {
        return monitor->path;
}

int shared_monitor_fd(const struct shared_monitor *monitor) {
        return monitor->fd;
}

int shared_monitor_open(struct shared_monitor **ret_monitor, sd_event *event, const char *path, uid_t uid, gid_t gid, int fd,
                        struct qemu_source *source, const struct shared_monitor_events *events) {
        struct shared_monitor *monitor = calloc(1, sizeof(*monitor));
        int r;

        if (!monitor)
                return -ENOMEM;
        monitor->fd = -1;
        monitor->event = sd_event_ref(event);
        monitor->source = source;
        monitor->events = *events;
        monitor->tap = (struct qemu_source_tap){ on_message, on_lost, on_drained, on_closed, monitor };
        r = relay_new(&monitor->relay, qemu_source_first_id(source), close_one);
        if (!r)
                r = listen_at(monitor, path, uid, gid, fd);
        if (!r)
                r = sd_event_add_io(event, &monitor->listener, monitor->fd, EPOLLIN, on_connection, monitor);
        if (r < 0) {
                /* What was given stays the caller's. */
                if (fd >= 0)
                        monitor->fd = -1;
                shared_monitor_close(monitor);
                return r;
        }
        qemu_source_set_tap(source, &monitor->tap);
        greet(monitor);
        *ret_monitor = monitor;
        return 0;
}

size_t shared_monitor_n_clients(const struct shared_monitor *monitor) {
        size_t n = 0;

        for (const struct client *client = monitor->clients; client; client = client->next)
                n++;
        return n;
}
