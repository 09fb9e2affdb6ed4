#include "sources/qemu/qemu_order.h"
#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
        NEGOTIATION = 1,
        COMMAND,
        ANSWER_USEC = 10 * 1000 * 1000,
};

struct qemu_order {
        void (*done)(void *userdata, int result, const char *why);
        void *userdata;
        sd_event_source *io;
        sd_event_source *timer;
        struct qmp_framer framer;
        int fd;
};

static void finish(struct qemu_order *order, int result, const char *why) {
        void (*done)(void *userdata, int result, const char *why) = order->done;
        void *userdata = order->userdata;
        char text[256];

        /* `why` may be the framer's. */
        snprintf(text, sizeof(text), "%s", why);
        qemu_order_free(order);
        done(userdata, result, text);
}

static int say(struct qemu_order *order, const char *command, int64_t id) {
        char text[QMP_SIMPLE_SIZE];
        size_t n = qmp_write_command(text, command, id);
        ssize_t sent = send(order->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        /* Two short lines always fit an empty socket. */
        return sent == (ssize_t)n ? 0 : sent < 0 ? -errno : -ENOBUFS;
}

/* Is the order done with this? */
static bool take_line(struct qemu_order *order, const char *line, size_t n_line) {
        struct qmp_message message;
        bool is_answer = !qmp_message_decode(&message, line, n_line) && json_is_integer(message.id) &&
                         json_integer_value(message.id) == COMMAND && (message.kind == QMP_RETURN || message.kind == QMP_ERROR);
        bool is_error = is_answer && message.kind == QMP_ERROR;
        char why[200] = "";

        if (is_error)
                snprintf(why, sizeof(why), "QEMU refuses: %s", message.error_text ? message.error_text : "it does not say why");
        qmp_message_deinit(&message);
        if (is_answer)
                finish(order, is_error ? -EBUSY : 0, why);
        return is_answer;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct qemu_order *order = userdata;
        const char *line;
        size_t n_line;
        char *buffer;
        ssize_t n;

        n = qmp_framer_space(&order->framer, &buffer);
        if (n > 0) {
                n = recv(fd, buffer, (size_t)n, MSG_DONTWAIT);
                if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                        qmp_framer_fill(&order->framer, 0);
                        return 0;
                }
                qmp_framer_fill(&order->framer, n > 0 ? (size_t)n : 0);
        }
        if (n <= 0) {
                finish(order, -ECONNRESET, "its monitor ended before it answered");
                return 0;
        }
        for (;;) {
                int r = qmp_framer_next(&order->framer, &line, &n_line);

                if (r == QMP_NEEDS_MORE)
                        return 0;
                if (!r && take_line(order, line, n_line))
                        return 0;
        }
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        finish(userdata, -ETIMEDOUT, "its monitor has not answered within 10 s, and may still do it");
        return 0;
}

int qemu_order_new(struct qemu_order **ret_order, sd_event *event, int fd, const char *command,
              void (*done)(void *userdata, int result, const char *why), void *userdata) {
        struct qemu_order *order = calloc(1, sizeof(*order));
        int r;

        if (!order)
                return -ENOMEM;
        order->done = done;
        order->userdata = userdata;
        order->fd = fd;
        qmp_framer_init(&order->framer, QMP_FRAMING_LINES);
        r = say(order, "qmp_capabilities", NEGOTIATION);
        if (!r)
                r = say(order, command, COMMAND);
        if (!r)
                r = sd_event_add_io(event, &order->io, fd, EPOLLIN, on_io, order);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &order->timer, CLOCK_MONOTONIC, ANSWER_USEC, 0, on_timeout, order);
        if (r < 0) {
                order->fd = -1;
                qemu_order_free(order);
                return r;
        }
        *ret_order = order;
        return 0;
}

struct qemu_order *qemu_order_free(struct qemu_order *order) {
        if (!order)
                return NULL;
        sd_event_source_disable_unref(order->io);
        sd_event_source_disable_unref(order->timer);
        qmp_framer_deinit(&order->framer);
        close_fd(&order->fd);
        free(order);
        return NULL;
}
