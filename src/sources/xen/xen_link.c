#include "sources/xen/xen_link.h"

#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/wire/wire_lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        UNSENT_MAX = 32 * 1024 * 1024, /* ten thousand domains say hello to a daemon that is busy */
};

struct xen_link {
        int fd;
        sd_event_source *io;
        struct wire_lines lines;
        char *unsent; /* owned */
        size_t n_unsent, n_allocated;
        void (*said)(void *userdata, const struct wire_message *message);
        void (*ended)(void *userdata);
        void *userdata;
};

static void set_events(struct xen_link *link) {
        sd_event_source_set_io_events(link->io, EPOLLIN | (link->n_unsent ? EPOLLOUT : 0));
}

static void end(struct xen_link *link) {
        sd_event_source_set_enabled(link->io, SD_EVENT_OFF);
        link->ended(link->userdata);
}

static int on_line(void *userdata, const char *line, size_t n_line) {
        struct wire_message message;
        struct xen_link *link = userdata;
        int r = wire_message_read(&message, line, n_line);

        if (r)
                return r;
        link->said(link->userdata, &message);
        wire_message_deinit(&message);
        return 0;
}

static void send_on(struct xen_link *link) {
        ssize_t n = send(link->fd, link->unsent, link->n_unsent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
                return; /* later, or it has gone, which is read */
        link->n_unsent -= (size_t)n;
        memmove(link->unsent, link->unsent + n, link->n_unsent);
        set_events(link);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct xen_link *link = userdata;
        char bytes[16 * 1024];
        ssize_t n;

        if (revents & EPOLLOUT)
                send_on(link);
        if (!(revents & ~(uint32_t)EPOLLOUT))
                return 0;
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0 || wire_lines_take(&link->lines, bytes, (size_t)n, on_line, link))
                end(link);
        return 0;
}

int xen_link_new(struct xen_link **ret_link, sd_event *event, int fd, void (*said)(void *userdata, const struct wire_message *message),
                 void (*ended)(void *userdata), void *userdata) {
        struct xen_link *link = calloc(1, sizeof(*link));
        int r;

        if (!link)
                return -ENOMEM;
        *link = (struct xen_link){ .fd = fd, .said = said, .ended = ended, .userdata = userdata };
        r = sd_event_add_io(event, &link->io, fd, EPOLLIN, on_io, link);
        if (r < 0) {
                free(link);
                return r;
        }
        *ret_link = link;
        return 0;
}

struct xen_link *xen_link_free(struct xen_link *link) {
        if (!link)
                return NULL;
        sd_event_source_disable_unref(link->io);
        wire_lines_deinit(&link->lines);
        free(link->unsent);
        free(link);
        return NULL;
}

void xen_link_say(struct xen_link *link, const struct wire_message *message) {
        cleanup(freep) char *line = NULL;
        size_t n;

        if (wire_message_write(message, &line, &n))
                return;
        if (link->n_allocated - link->n_unsent < n) {
                char *larger = link->n_unsent + n <= UNSENT_MAX ? realloc(link->unsent, link->n_unsent + n + 4096) : NULL;

                if (!larger) {
                        end(link); /* a fact that is not told must not go unnoticed: we begin anew */
                        return;
                }
                link->unsent = larger;
                link->n_allocated = link->n_unsent + n + 4096;
        }
        memcpy(link->unsent + link->n_unsent, line, n);
        link->n_unsent += n;
        send_on(link);
        set_events(link);
}

void xen_link_trouble(struct xen_link *link, const char *format, ...) {
        struct wire_message message = { .kind = WIRE_TROUBLE };
        char line[WIRE_WHY_MAX];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        text_set(message.trouble, sizeof(message.trouble), line);
        xen_link_say(link, &message);
}
