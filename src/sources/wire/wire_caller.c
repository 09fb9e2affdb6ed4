#include "sources/wire/wire_caller.h"

#include "basics/cleanup.h"
#include "sources/wire/wire_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SOCKET_NAME "source.sock"

enum {
        QUEUE_MAX = 512 * 1024, /* bytes that wait for the daemon to read */
        READ_MAX = 4096,
};

/* A daemon that hung up before it had answered, or that is too busy to be connected to: when it is tried again without its starting anew. */
#define RETRY_USEC 10000000

/* A directory in which a daemon's socket may appear; if it is not there itself, the one in which it may. */
struct place {
        struct wire_caller *caller;
        sd_event_source *watch;
        bool is_parent;
        char path[WIRE_PLACE_MAX];
};

struct wire_caller {
        sd_event *event;
        sd_event_source *io, *retry;
        struct wire_caller_events events;
        struct wire_lines lines;
        struct place places[WIRE_PLACES_MAX];
        size_t n_places;
        char *queue; /* owned */
        size_t n_queue;
        int fd; /* -1: nobody */
        bool is_welcome, is_refused;
        bool is_blind; /* this user has no inotify left: what starts is looked for now and then */
};

/* --- one daemon -------------------------------------------------------------------------------------------------- */

static void find(struct wire_caller *caller);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct wire_caller *caller = userdata;

        caller->retry = sd_event_source_disable_unref(caller->retry);
        find(caller);
        return 0;
}

static void retry_later(struct wire_caller *caller) {
        if (!caller->retry)
                sd_event_add_time_relative(caller->event, &caller->retry, CLOCK_MONOTONIC, RETRY_USEC, RETRY_USEC / 10, on_retry,
                                           caller);
}

static void hang_up(struct wire_caller *caller) {
        caller->io = sd_event_source_disable_unref(caller->io);
        close_fd(&caller->fd);
        wire_lines_deinit(&caller->lines);
        free(take_pointer(caller->queue));
        caller->n_queue = 0;
}

static void lose(struct wire_caller *caller) {
        bool was_welcome = caller->is_welcome;

        hang_up(caller);
        caller->is_welcome = false;
        caller->events.lost(caller->events.userdata);
        /* One that has gone is mostly started again; one that does not want to listen is asked again when it is another one. */
        if (was_welcome)
                find(caller);
        else if (!caller->is_refused)
                retry_later(caller);
}

static int on_line(void *userdata, const char *line, size_t n_line) {
        struct wire_caller *caller = userdata;
        struct wire_message message;
        int r = wire_message_read(&message, line, n_line);

        if (r)
                return r;
        if (message.kind == WIRE_REFUSED)
                caller->is_refused = true;
        if (message.kind == WIRE_WELCOME && !caller->is_welcome) {
                caller->is_welcome = true;
                caller->events.welcome(caller->events.userdata, message.welcome.wants_evidence);
        }
        wire_message_deinit(&message);
        return 0;
}

/* Send what waits.  0, or -errno: nobody reads. */
static int flush(struct wire_caller *caller) {
        size_t n_sent = 0;
        int r = 0;

        while (!r && n_sent < caller->n_queue) {
                ssize_t n = send(caller->fd, caller->queue + n_sent, caller->n_queue - n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n > 0)
                        n_sent += (size_t)n;
                else if (n < 0 && errno != EINTR)
                        r = -errno;
        }
        caller->n_queue -= n_sent;
        memmove(caller->queue, caller->queue + n_sent, caller->n_queue);
        if (!caller->n_queue)
                free(take_pointer(caller->queue));
        if (r == -EAGAIN)
                r = 0;
        sd_event_source_set_io_events(caller->io, EPOLLIN | (caller->n_queue ? EPOLLOUT : 0));
        return r;
}

static int on_daemon(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct wire_caller *caller = userdata;
        char bytes[READ_MAX];
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        int r = 0;

        if (n > 0)
                r = wire_lines_take(&caller->lines, bytes, (size_t)n, on_line, caller);
        else if (!n || (errno != EAGAIN && errno != EINTR))
                r = -ECONNRESET;
        if (!r && caller->fd >= 0 && caller->n_queue)
                r = flush(caller);
        if (r && caller->fd >= 0)
                lose(caller);
        return 0;
}

/* It hangs up in its own handler: whoever tells is not in the middle of something then. */
static void give_up(struct wire_caller *caller) {
        shutdown(caller->fd, SHUT_RDWR);
        caller->n_queue = 0;
}

void wire_caller_say(struct wire_caller *caller, const struct wire_message *message) {
        cleanup(freep) char *line = NULL;
        size_t n_line;
        char *grown;

        if (caller->fd < 0 || wire_message_write(message, &line, &n_line))
                return;
        grown = caller->n_queue + n_line > QUEUE_MAX ? NULL : realloc(caller->queue, caller->n_queue + n_line);
        if (!grown) {
                give_up(caller);
                return;
        }
        memcpy(grown + caller->n_queue, line, n_line);
        caller->queue = grown;
        caller->n_queue += n_line;
        if (flush(caller))
                give_up(caller);
}

/* --- finding one ------------------------------------------------------------------------------------------------- */

static int call(struct wire_caller *caller, const char *directory) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r;

        if (fd < 0)
                return -errno;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SOCKET_NAME, directory);
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
                return -errno;
        r = sd_event_add_io(caller->event, &caller->io, fd, EPOLLIN, on_daemon, caller);
        if (r < 0)
                return r;
        caller->fd = take_fd(&fd);
        caller->is_refused = false;
        return 0;
}

static void watch(struct place *place);

static bool is_awaited(const struct place *place, const char *name) {
        const char *slash = strrchr(place->path, '/');

        return !strcmp(name, place->is_parent ? slash + 1 : SOCKET_NAME);
}

static int on_change(sd_event_source *source, const struct inotify_event *change, void *userdata) {
        struct place *place = userdata;
        struct wire_caller *caller = place->caller;

        if (!(change->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_Q_OVERFLOW)) &&
            !(change->len && is_awaited(place, change->name)))
                return 0;
        if (place->is_parent || !(change->mask & (IN_CREATE | IN_ATTRIB | IN_MOVED_TO)))
                watch(place);
        if (caller->fd < 0)
                find(caller);
        return 0;
}

/* First the watch, then the look: what appears in between is seen.  IN_ATTRIB: its mode is set when it listens. */
static void watch(struct place *place) {
        char parent[WIRE_PLACE_MAX];
        char *slash;
        int r;

        place->watch = sd_event_source_disable_unref(place->watch);
        place->is_parent = false;
        r = sd_event_add_inotify(place->caller->event, &place->watch, place->path,
                                 IN_CREATE | IN_ATTRIB | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR, on_change, place);
        if (r >= 0)
                return;
        place->watch = NULL;
        place->caller->is_blind = place->caller->is_blind || r == -EMFILE || r == -ENOSPC;
        memcpy(parent, place->path, sizeof(parent));
        slash = strrchr(parent, '/');
        if (!slash || slash == parent)
                return;
        *slash = '\0';
        place->is_parent = true;
        if (sd_event_add_inotify(place->caller->event, &place->watch, parent, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, on_change, place) < 0)
                place->watch = NULL;
}

static void find(struct wire_caller *caller) {
        for (size_t i = 0; i < caller->n_places && caller->fd < 0; i++) {
                int r = call(caller, caller->places[i].path);

                if (!r) {
                        caller->events.connected(caller->events.userdata);
                        return;
                }
                /* There is one, but too many call at once. */
                if (r == -EAGAIN)
                        retry_later(caller);
        }
        if (caller->fd < 0 && caller->is_blind)
                retry_later(caller);
}

int wire_caller_new(struct wire_caller **ret_caller, sd_event *event, const char *const *directories, size_t n_directories,
                    const struct wire_caller_events *events) {
        struct wire_caller *caller = calloc(1, sizeof(*caller));

        if (!caller)
                return -ENOMEM;
        caller->event = sd_event_ref(event);
        caller->events = *events;
        caller->fd = -1;
        for (size_t i = 0; i < n_directories && caller->n_places < WIRE_PLACES_MAX; i++) {
                struct place *place = &caller->places[caller->n_places];
                size_t n = strlen(directories[i]);

                while (n > 1 && directories[i][n - 1] == '/')
                        n--;
                if (!n || n >= sizeof(place->path) || !memchr(directories[i], '/', n))
                        continue;
                memcpy(place->path, directories[i], n);
                place->caller = caller;
                watch(place);
                caller->n_places++;
        }
        *ret_caller = caller;
        find(caller);
        return 0;
}

struct wire_caller *wire_caller_free(struct wire_caller *caller) {
        if (!caller)
                return NULL;
        hang_up(caller);
        for (size_t i = 0; i < caller->n_places; i++)
                sd_event_source_disable_unref(caller->places[i].watch);
        sd_event_source_disable_unref(caller->retry);
        sd_event_unref(caller->event);
        free(caller);
        return NULL;
}
