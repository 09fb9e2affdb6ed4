#include "sources/qemu/qemu_hail.h"
#include "basics/cleanup.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct qemu_hail {
        struct qemu_hail_events events;
        sd_event_source *stream;
        sd_event_source *timer;
        int fd;
        size_t n_greeting;
        char greeting[QEMU_GREETING_MAX + 1];
};

static void finish(struct qemu_hail *hail, int result) {
        hail->stream = sd_event_source_disable_unref(hail->stream);
        hail->timer = sd_event_source_disable_unref(hail->timer);
        hail->events.done(hail->events.userdata, result);
}

static bool is_greeting(const char *line, size_t n_line) {
        struct qmp_message message;
        bool is_one = !qmp_message_decode(&message, line, n_line) && message.kind == QMP_GREETING;

        qmp_message_deinit(&message);
        return is_one;
}

/* As QEMU says it with `pretty=on`: a bracket, and the rest on other lines. */
static bool is_pretty(const char *line, size_t n_line) {
        return line[0] == '{' && strspn(line + 1, " \t\r\n") >= n_line - 1;
}

static int on_stream(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct qemu_hail *hail = userdata;
        size_t n_room = QEMU_GREETING_MAX - hail->n_greeting;
        char *end;
        ssize_t n;

        n = recv(fd, hail->greeting + hail->n_greeting, n_room, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                finish(hail, -ECONNRESET);
                return 0;
        }
        hail->n_greeting += (size_t)n;
        hail->greeting[hail->n_greeting] = '\0';
        end = memchr(hail->greeting, '\n', hail->n_greeting);
        if (!end && hail->n_greeting < QEMU_GREETING_MAX)
                return 0;
        if (end && is_pretty(hail->greeting, (size_t)(end + 1 - hail->greeting))) {
                finish(hail, -EPROTONOSUPPORT);
                return 0;
        }
        /* A monitor says nothing more until it has heard us. */
        if (!end || end != hail->greeting + hail->n_greeting - 1 || !is_greeting(hail->greeting, hail->n_greeting)) {
                finish(hail, -EPROTO);
                return 0;
        }
        finish(hail, 0);
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        finish(userdata, -ETIMEDOUT);
        return 0;
}

int qemu_hail_new(struct qemu_hail **ret_hail, sd_event *event, const char *path, uint64_t timeout_ns,
                  const struct qemu_hail_events *events, pid_t *ret_pid, uid_t *ret_uid) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct ucred peer = { .uid = (uid_t)-1 };
        socklen_t n_peer = sizeof(peer);
        struct qemu_hail *hail;
        int r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        hail = calloc(1, sizeof(*hail));
        if (!hail)
                return -ENOMEM;
        hail->events = *events;
        hail->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = hail->fd < 0 || connect(hail->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        if (r == -EAGAIN)
                r = -EBUSY;
        /* A listening socket's credentials are those of the process that called listen(): unix(7), SO_PEERCRED. */
        if (!r && getsockopt(hail->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0)
                r = -errno;
        if (!r)
                r = sd_event_add_io(event, &hail->stream, hail->fd, EPOLLIN, on_stream, hail);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &hail->timer, CLOCK_MONOTONIC, timeout_ns / 1000, 1000, on_timeout, hail);
        /* A greeting that is there was in time, however late it is read: a daemon that starts opens thousands before it reads the first. */
        if (r >= 0)
                r = sd_event_source_set_priority(hail->timer, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0) {
                qemu_hail_free(hail);
                return r;
        }
        *ret_pid = peer.pid;
        *ret_uid = peer.uid;
        *ret_hail = hail;
        return 0;
}

struct qemu_hail *qemu_hail_free(struct qemu_hail *hail) {
        if (!hail)
                return NULL;
        sd_event_source_disable_unref(hail->stream);
        sd_event_source_disable_unref(hail->timer);
        close_fd(&hail->fd);
        free(hail);
        return NULL;
}

int qemu_hail_take(struct qemu_hail *hail, char **ret_greeting, size_t *ret_n_greeting) {
        char *greeting = strndup(hail->greeting, hail->n_greeting);

        if (!greeting)
                return -ENOMEM;
        *ret_greeting = greeting;
        *ret_n_greeting = hail->n_greeting;
        return take_fd(&hail->fd);
}
