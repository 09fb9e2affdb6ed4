#include "sources/wire/wire_listener.h"

#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/wire/wire_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
        PEERS_MAX = 16384,
        PER_USER_MAX = 256,
        READ_MAX = 64 * 1024, /* bytes of one peer in one go: then it is another's turn */
        ACCEPT_MAX = 64,      /* connections in one go */
};
#define HELLO_TIMEOUT_NS UINT64_C(5000000000)

/* When no descriptor is free, a connection that waits would wake us for ever. */
#define ACCEPT_REST_USEC 1000000

struct wire_peer {
        struct wire_listener *listener;
        struct wire_peer *next, *previous;
        sd_event_source *io;
        sd_event_source *deadline; /* for its hello */
        struct wire_lines lines;
        void *userdata;
        pid_t pid;
        uid_t uid;
        int fd;
        bool has_said_hello, is_welcome;
        bool is_over; /* nothing more is read */
};

struct wire_listener {
        sd_event *event;
        sd_event_source *io, *rest;
        struct wire_listener_config config;
        struct wire_listener_events events;
        struct wire_peer *first;
        size_t n;
        int fd;
        bool is_full; /* has been said */
};

int wire_listen(int *ret_fd, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);

        if (n < 0 || (size_t)n >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        if (fd < 0 || (unlink(path) && errno != ENOENT))
                return -errno;
        /* The mode last: whoever waits for a daemon hears of that, and can connect then. */
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, SOMAXCONN) || chmod(path, 0666))
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* --- peers ------------------------------------------------------------------------------------------------------- */

static struct wire_peer *peer_free(struct wire_peer *peer) {
        struct wire_listener *listener = peer->listener;

        if (peer->previous)
                peer->previous->next = peer->next;
        else if (listener->first == peer)
                listener->first = peer->next;
        if (peer->next)
                peer->next->previous = peer->previous;
        listener->n--;
        listener->is_full = listener->is_full && listener->n;
        sd_event_source_disable_unref(peer->io);
        sd_event_source_disable_unref(peer->deadline);
        wire_lines_deinit(&peer->lines);
        close_fd(&peer->fd);
        free(peer);
        return NULL;
}

/* It ends in its own handler: its hangup calls that. */
void wire_peer_close(struct wire_peer *peer) {
        peer->is_over = true;
        peer->is_welcome = false;
        shutdown(peer->fd, SHUT_RDWR);
}

/* A line is small, and the first that this peer is sent: where it does not fit, nobody reads. */
static void say(struct wire_peer *peer, const struct wire_message *message) {
        cleanup(freep) char *line = NULL;
        size_t n_line;

        if (!wire_message_write(message, &line, &n_line))
                send(peer->fd, line, n_line, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void wire_peer_welcome(struct wire_peer *peer, bool wants_evidence, void *userdata) {
        const struct wire_message welcome = { .kind = WIRE_WELCOME, .welcome = { WIRE_PROTOCOL, wants_evidence } };

        peer->is_welcome = true;
        peer->userdata = userdata;
        say(peer, &welcome);
}

static void refuse(struct wire_peer *peer, const char *why) {
        struct wire_message refused = { .kind = WIRE_REFUSED };

        text_set(refused.why, sizeof(refused.why), why);
        say(peer, &refused);
        peer->is_over = true;
}

void wire_peer_refuse(struct wire_peer *peer, const char *why) {
        refuse(peer, why);
        wire_peer_close(peer);
}

static int on_line(void *userdata, const char *line, size_t n_line) {
        struct wire_peer *peer = userdata;
        const struct wire_listener_events *events = &peer->listener->events;
        struct wire_message message;
        int r;

        if (peer->is_over)
                return -ESHUTDOWN;
        r = wire_message_read(&message, line, n_line);
        if (r)
                return r;
        if (message.kind == WIRE_UNKNOWN) {
                wire_message_deinit(&message);
                return 0;
        }
        /* First a hello, then no other. */
        if ((message.kind == WIRE_HELLO) == peer->has_said_hello) {
                r = -EPROTO;
        } else {
                peer->has_said_hello = true;
                peer->deadline = sd_event_source_disable_unref(peer->deadline);
                if (message.kind == WIRE_HELLO || peer->is_welcome)
                        events->said(events->userdata, peer, &message);
        }
        wire_message_deinit(&message);
        return r;
}

static const char *fault(int r) {
        switch (-r) {
        case EMSGSIZE:
                return "the line is too long";
        case EPROTO:
                return "a hello comes first, and once";
        case ENOMEM:
                return "out of memory";
        default:
                return "that is no message of protocol 1";
        }
}

static int on_peer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static char bytes[READ_MAX]; /* one loop, one thread */
        struct wire_peer *peer = userdata;
        const struct wire_listener_events *events = &peer->listener->events;
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR) && !peer->is_over)
                return 0;
        if (n > 0 && !peer->is_over) {
                r = wire_lines_take(&peer->lines, bytes, (size_t)n, on_line, peer);
                if (r && r != -ESHUTDOWN && !peer->is_over)
                        refuse(peer, fault(r));
                if (!peer->is_over)
                        return 0;
        }
        if (peer->is_welcome)
                events->gone(events->userdata, peer);
        peer_free(peer);
        return 0;
}

static int on_no_hello(sd_event_source *source, uint64_t usec, void *userdata) {
        peer_free(userdata);
        return 0;
}

pid_t wire_peer_pid(const struct wire_peer *peer) {
        return peer->pid;
}

uid_t wire_peer_uid(const struct wire_peer *peer) {
        return peer->uid;
}

void *wire_peer_userdata(const struct wire_peer *peer) {
        return peer->userdata;
}

/* --- the listener ------------------------------------------------------------------------------------------------ */

static bool has_room(const struct wire_listener *listener, uid_t uid) {
        unsigned n_max = listener->config.n_peers_max;
        size_t n_his = 0;

        if (uid == 0)
                return listener->n < n_max;
        if (listener->n >= n_max - n_max / 16)
                return false;
        for (const struct wire_peer *peer = listener->first; peer; peer = peer->next)
                n_his += peer->uid == uid;
        return n_his < listener->config.n_per_user_max;
}

static void add_peer(struct wire_listener *listener, int fd) {
        struct wire_peer *peer;
        struct ucred who;
        socklen_t n_who = sizeof(who);
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n_who) || who.pid <= 0 || !has_room(listener, who.uid)) {
                if (!listener->is_full) {
                        char line[128];

                        listener->is_full = true;
                        snprintf(line, sizeof(line), "too many sources at once: one of pid %d, uid %u is not listened to", (int)who.pid,
                                 (unsigned)who.uid);
                        listener->events.trouble(listener->events.userdata, line);
                }
                close(fd);
                return;
        }
        peer = calloc(1, sizeof(*peer));
        if (!peer) {
                close(fd);
                return;
        }
        peer->listener = listener;
        peer->fd = fd;
        peer->pid = who.pid;
        peer->uid = who.uid;
        peer->next = listener->first;
        if (listener->first)
                listener->first->previous = peer;
        listener->first = peer;
        listener->n++;
        r = sd_event_add_io(listener->event, &peer->io, fd, EPOLLIN, on_peer, peer);
        if (r >= 0)
                r = sd_event_add_time_relative(listener->event, &peer->deadline, CLOCK_MONOTONIC,
                                               listener->config.hello_timeout_ns / 1000, 0, on_no_hello, peer);
        if (r < 0)
                peer_free(peer);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata) {
        struct wire_listener *listener = userdata;

        listener->rest = sd_event_source_disable_unref(listener->rest);
        sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
        return 0;
}

static int on_call(sd_event_source *source, int listening, uint32_t revents, void *userdata) {
        struct wire_listener *listener = userdata;

        for (unsigned i = 0; i < ACCEPT_MAX; i++) {
                int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0) {
                        add_peer(listener, fd);
                        continue;
                }
                if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) &&
                    sd_event_add_time_relative(listener->event, &listener->rest, CLOCK_MONOTONIC, ACCEPT_REST_USEC, 0, on_rested,
                                               listener) >= 0)
                        sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);
                break;
        }
        return 0;
}

int wire_listener_new(struct wire_listener **ret_listener, sd_event *event, int fd, const struct wire_listener_config *config,
                      const struct wire_listener_events *events) {
        struct wire_listener *listener = calloc(1, sizeof(*listener));
        int r;

        if (!listener)
                return -ENOMEM;
        listener->event = sd_event_ref(event);
        listener->config = *config;
        listener->events = *events;
        listener->fd = fd;
        if (!listener->config.n_peers_max)
                listener->config.n_peers_max = PEERS_MAX;
        if (!listener->config.n_per_user_max)
                listener->config.n_per_user_max = PER_USER_MAX;
        if (!listener->config.hello_timeout_ns)
                listener->config.hello_timeout_ns = HELLO_TIMEOUT_NS;
        r = sd_event_add_io(event, &listener->io, fd, EPOLLIN, on_call, listener);
        if (r < 0) {
                listener->fd = -1;
                wire_listener_free(listener);
                return r;
        }
        *ret_listener = listener;
        return 0;
}

struct wire_listener *wire_listener_free(struct wire_listener *listener) {
        if (!listener)
                return NULL;
        while (listener->first)
                peer_free(listener->first);
        sd_event_source_disable_unref(listener->io);
        sd_event_source_disable_unref(listener->rest);
        close_fd(&listener->fd);
        sd_event_unref(listener->event);
        free(listener);
        return NULL;
}

int wire_listener_fd(const struct wire_listener *listener) {
        return listener->fd;
}

bool wire_listener_hears(const struct wire_listener *listener, pid_t pid) {
        for (const struct wire_peer *peer = listener->first; peer; peer = peer->next)
                if (peer->pid == pid && peer->is_welcome)
                        return true;
        return false;
}
