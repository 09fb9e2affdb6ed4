#include "sources/xen/xenstore.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        ANSWER_MS = 5000,
        EVENTS_MAX = 1 << 20, /* that wait here: beyond, nobody reads them */
};

struct xenstore {
        int fd;
        bool is_lost;
        uint32_t last_request;
        size_t n_bytes;
        char bytes[2 * XENSTORE_MESSAGE_MAX];
        uint64_t *events; /* owned: tokens, oldest first from first_event */
        size_t first_event, n_events, n_allocated;
};

static int connect_to(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(close_fd) int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
                return -errno;
        return take_fd(&fd);
}

/*
 * As Xen's own library looks for it: the daemon's socket, else (xenstored is in another domain) the kernel's device.  But a socket that is named is that one: the
 * device goes to this host's xenstored, past whatever stands in between.
 */
static int find(void) {
        const char *path = getenv("XENSTORED_PATH"), *directory = getenv("XENSTORED_RUNDIR");
        char socket_path[256];
        int fd, error;

        snprintf(socket_path, sizeof(socket_path), "%s/socket", directory ? directory : "/run/xenstored");
        fd = connect_to(path ? path : socket_path);
        error = fd;
        if (fd == -ENOENT && !path) {
                fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
                if (fd < 0)
                        return error;
        }
        return fd;
}

int xenstore_open(struct xenstore **ret_store, const char *path) {
        struct xenstore *store;
        int fd = path ? connect_to(path) : find();

        if (fd < 0)
                return fd;
        store = calloc(1, sizeof(*store));
        if (!store) {
                close(fd);
                return -ENOMEM;
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        store->fd = fd;
        *ret_store = store;
        return 0;
}

struct xenstore *xenstore_close(struct xenstore *store) {
        if (!store)
                return NULL;
        close(store->fd);
        free(store->events);
        free(store);
        return NULL;
}

int xenstore_fd(const struct xenstore *store) {
        return store->fd;
}

bool xenstore_is_lost(const struct xenstore *store) {
        return store->is_lost;
}

bool xenstore_has_events(const struct xenstore *store) {
        return store->n_events > 0;
}

static int lose(struct xenstore *store, int error) {
        store->is_lost = true;
        return error;
}

static int keep_event(struct xenstore *store, uint64_t token) {
        if (store->n_events == EVENTS_MAX)
                return -ENOBUFS;
        if (store->first_event + store->n_events == store->n_allocated) {
                size_t n = store->n_events ? store->n_events * 2 : 16;
                uint64_t *larger = malloc(n * sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                if (store->n_events)
                        memcpy(larger, store->events + store->first_event, store->n_events * sizeof(*larger));
                free(store->events);
                store->events = larger;
                store->n_allocated = n;
                store->first_event = 0;
        }
        store->events[store->first_event + store->n_events++] = token;
        return 0;
}

/* Read what is there.  0; -EAGAIN: nothing; another -errno: lost. */
static int receive(struct xenstore *store) {
        ssize_t n = read(store->fd, store->bytes + store->n_bytes, sizeof(store->bytes) - store->n_bytes);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return -EAGAIN;
        if (n <= 0)
                return lose(store, n ? -errno : -ECONNRESET);
        store->n_bytes += (size_t)n;
        return 0;
}

static void drop(struct xenstore *store, size_t n) {
        memmove(store->bytes, store->bytes + n, store->n_bytes - n);
        store->n_bytes -= n;
}

/* Take events from the bytes; up to an answer, which stays.  Its length; 0: there is none yet; -errno: lost. */
static int take(struct xenstore *store, struct xenstore_message *ret_answer) {
        for (;;) {
                int n = xenstore_message_read(ret_answer, store->bytes, store->n_bytes);
                uint64_t token;

                if (n < 0)
                        return lose(store, n);
                if (!n || ret_answer->type != XENSTORE_WATCH_EVENT)
                        return n;
                if (!xenstore_event_token(&token, ret_answer)) {
                        int r = keep_event(store, token);

                        if (r)
                                return lose(store, r);
                }
                drop(store, (size_t)n);
        }
}

static int wait_for(struct xenstore *store, short events) {
        struct pollfd poll_fd = { .fd = store->fd, .events = events };
        int n = poll(&poll_fd, 1, ANSWER_MS);

        if (n < 0)
                return errno == EINTR ? 0 : lose(store, -errno);
        return n ? 0 : lose(store, -ETIMEDOUT);
}

static int put(struct xenstore *store, const char *bytes, size_t n_bytes) {
        while (n_bytes) {
                ssize_t n = write(store->fd, bytes, n_bytes);

                if (n < 0 && errno == EAGAIN) {
                        int r = wait_for(store, POLLOUT);

                        if (r)
                                return r;
                        continue;
                }
                if (n < 0)
                        return lose(store, -errno);
                bytes += n;
                n_bytes -= (size_t)n;
        }
        return 0;
}

/* Ask, and wait for the answer; events that come before it are kept.  Its value is copied. */
static int ask(struct xenstore *store, enum xenstore_type type, const char *first, const char *second, bool is_value, char *ret_value, size_t *ret_n) {
        char bytes[XENSTORE_MESSAGE_MAX];
        struct xenstore_message answer;
        int n, r;

        if (store->is_lost)
                return -ENOTCONN;
        n = xenstore_request_write(bytes, type, ++store->last_request, first, second, is_value);
        if (n < 0)
                return n;
        r = put(store, bytes, (size_t)n);
        while (!r && !(n = take(store, &answer))) {
                r = receive(store);
                if (r == -EAGAIN)
                        r = wait_for(store, POLLIN);
        }
        if (r || n < 0)
                return r ? r : n;
        if (answer.request != store->last_request || (answer.type != (uint32_t)type && answer.type != XENSTORE_ERROR))
                return lose(store, -EPROTO);
        r = answer.type == XENSTORE_ERROR ? xenstore_error(&answer) : 0;
        if (!r && ret_value) {
                memcpy(ret_value, answer.payload, answer.n_payload);
                ret_value[answer.n_payload] = '\0';
                *ret_n = answer.n_payload;
        }
        drop(store, (size_t)n);
        return r;
}

int xenstore_read(struct xenstore *store, const char *path, char ret_value[static XENSTORE_PAYLOAD_MAX + 1], size_t *ret_n) {
        return ask(store, XENSTORE_READ, path, NULL, false, ret_value, ret_n);
}

int xenstore_write(struct xenstore *store, const char *path, const char *value) {
        return ask(store, XENSTORE_WRITE, path, value, true, NULL, NULL);
}

static int ask_watch(struct xenstore *store, enum xenstore_type type, const char *path, uint64_t token) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, token);
        return ask(store, type, path, text, false, NULL, NULL);
}

int xenstore_watch(struct xenstore *store, const char *path, uint64_t token) {
        return ask_watch(store, XENSTORE_WATCH, path, token);
}

int xenstore_unwatch(struct xenstore *store, const char *path, uint64_t token) {
        return ask_watch(store, XENSTORE_UNWATCH, path, token);
}

int xenstore_is_introduced(struct xenstore *store, uint32_t domid) {
        char text[16], value[XENSTORE_PAYLOAD_MAX + 1];
        size_t n;
        int r;

        snprintf(text, sizeof(text), "%" PRIu32, domid);
        r = ask(store, XENSTORE_IS_DOMAIN_INTRODUCED, text, NULL, false, value, &n);
        return r ? r : value[0] == 'T';
}

int xenstore_event(struct xenstore *store, uint64_t *ret_token) {
        struct xenstore_message answer;
        int r = 0;

        while (!store->n_events) {
                if (store->is_lost)
                        return -ENOTCONN;
                r = take(store, &answer);
                if (r > 0)
                        return lose(store, -EPROTO); /* an answer that nobody asked for */
                if (r < 0)
                        return r;
                if (store->n_events)
                        break;
                r = receive(store);
                if (r)
                        return r == -EAGAIN ? 0 : r;
        }
        *ret_token = store->events[store->first_event++];
        if (!--store->n_events)
                store->first_event = 0;
        return 1;
}

unsigned xenstore_take_events(struct xenstore *store, uint64_t token) {
        uint64_t *events = store->n_events ? store->events + store->first_event : NULL;
        size_t n_kept = 0;
        unsigned n_taken;

        for (size_t i = 0; i < store->n_events; i++)
                if (events[i] != token)
                        events[n_kept++] = events[i];
        n_taken = (unsigned)(store->n_events - n_kept);
        store->n_events = n_kept;
        if (!n_kept)
                store->first_event = 0;
        return n_taken;
}
