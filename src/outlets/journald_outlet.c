#include "outlets/journald_outlet.h"

#include "basics/cleanup.h"
#include "outlets/journald_entry.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct journald_outlet {
        struct outlet outlet; /* the first: it is one */
        sd_event *event;
        sd_event_source *writable; /* waits until there is room; NULL: it does not */
        struct sockaddr_un address;
        int fd; /* -1: not connected */
};

static void disconnect(struct journald_outlet *journald) {
        journald->writable = sd_event_source_disable_unref(journald->writable);
        close_fd(&journald->fd);
}

static int connect_once(struct journald_outlet *journald) {
        if (journald->fd >= 0)
                return 0;
        journald->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (journald->fd < 0)
                return -errno;
        if (connect(journald->fd, (const struct sockaddr *)&journald->address, sizeof(journald->address))) {
                int r = -errno;

                disconnect(journald);
                return r;
        }
        return 0;
}

static int on_writable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct journald_outlet *journald = userdata;

        journald->writable = sd_event_source_disable_unref(journald->writable);
        journald->outlet.sink.ready(journald->outlet.sink.userdata);
        return 0;
}

static int wait_for_room(struct journald_outlet *journald) {
        int r = sd_event_add_io(journald->event, &journald->writable, journald->fd, EPOLLOUT, on_writable, journald);

        return r < 0 ? r : OUTLET_FULL;
}

static int send_entry(struct journald_outlet *journald, const char *entry, size_t n) {
        int r = connect_once(journald);

        if (r)
                return r;
        if (send(journald->fd, entry, n, MSG_NOSIGNAL) >= 0)
                return 0;
        return -errno;
}

static int journald_tell(struct outlet *outlet, const struct verdict_record *record) {
        struct journald_outlet *journald = (struct journald_outlet *)outlet;
        bool was_connected = journald->fd >= 0;
        char entry[JOURNALD_ENTRY_MAX];
        size_t n;
        int r;

        r = journald_entry_make(record, entry, &n);
        if (!r) {
                r = send_entry(journald, entry, n);
                /* The journald that we were connected to has gone; there may be another one. */
                if (was_connected && (r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)) {
                        disconnect(journald);
                        r = send_entry(journald, entry, n);
                }
        }
        switch (r) {
        case 0:
                return 0;
        case -EAGAIN:
                r = wait_for_room(journald);
                if (r > 0)
                        return r;
                break;
        case -ENOENT:
        case -ECONNREFUSED:
        case -ECONNRESET:
        case -ENOTCONN:
        case -EPIPE:
        case -ENOBUFS:
                disconnect(journald);
                snprintf(outlet->why, sizeof(outlet->why), "%s: %s", journald->address.sun_path, strerror(-r));
                return OUTLET_AWAY;
        }
        snprintf(outlet->why, sizeof(outlet->why), "%s: %s", journald->address.sun_path, strerror(-r));
        return r;
}

static struct outlet *journald_close(struct outlet *outlet) {
        struct journald_outlet *journald = (struct journald_outlet *)outlet;

        if (!journald)
                return NULL;
        disconnect(journald);
        sd_event_unref(journald->event);
        free(journald);
        return NULL;
}

int journald_outlet_new(struct outlet **ret_outlet, sd_event *event, const char *path) {
        static const struct outlet_ops ops = { .tell = journald_tell, .close = journald_close };
        struct journald_outlet *journald;

        if (strlen(path) >= sizeof(journald->address.sun_path))
                return -ENAMETOOLONG;
        journald = calloc(1, sizeof(*journald));
        if (!journald)
                return -ENOMEM;
        journald->outlet = (struct outlet){ .ops = &ops, .name = "journald", .at_once = 1 };
        journald->event = sd_event_ref(event);
        journald->fd = -1;
        journald->address.sun_family = AF_UNIX;
        strcpy(journald->address.sun_path, path);
        *ret_outlet = &journald->outlet;
        return 0;
}

int journald_try(const char *path, char ret_found[static FOUND_MAX]) {
        struct journald_outlet journald = { .fd = -1, .address.sun_family = AF_UNIX };
        int r;

        if (strlen(path) >= sizeof(journald.address.sun_path))
                return found_say(ret_found, -ENAMETOOLONG, "%.200s: %s", path, strerror(ENAMETOOLONG));
        strcpy(journald.address.sun_path, path);
        r = connect_once(&journald);
        disconnect(&journald);
        return r ? found_say(ret_found, r, "%s: %s", path, strerror(-r)) : found_say(ret_found, 0, "%s takes entries", path);
}
