/*
 * Shared-monitor fixture: clients, the shared monitor and a scripted QEMU, all in one thread with real sockets.
 *
 * Whoever says something here lets the loop run until it has nothing to do, so what follows from it has happened.
 */
#pragma once

#include "basics/cleanup.h"
#include "sources/qemu/qmp_relay.h"
#include "sources/qemu/shared_monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define GREETING                                                                                                      \
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATE "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}"

struct world {
        char directory[32];
        char qemu_path[64], path[64];
        int listener, qemu;
        sd_event *event;
        struct qemu_source *source;
        struct shared_monitor *shared;
        char heard[1 << 20]; /* what QEMU heard and was not asked about yet */
        int fds[8];          /* that came with it */
        size_t n_fds;

        bool releases; /* requests at once */
        uint64_t request;
        struct evidence asked, refused;
        size_t n_asked, n_refused, n_late, n_dropped;
        char dropped[128];
};

static inline int bind_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
        return fd;
}

static inline int connect_to(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        strcpy(address.sun_path, path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static inline void settle(struct world *world) {
        while (sd_event_run(world->event, 0) > 0)
                ;
}

static inline void on_connected(void *userdata, pid_t pid, uid_t uid) {
}

static inline void on_waiting(void *userdata) {
}

static inline void on_refused(void *userdata, const char *command, const char *why) {
}

static inline void on_report(void *userdata, struct evidence *evidence) {
        evidence_deinit(evidence);
}

static inline void on_ended(void *userdata, enum evidence_source source) {
}

static inline void on_request(void *userdata, uint64_t request, struct evidence *evidence) {
        struct world *world = userdata;

        evidence_deinit(&world->asked);
        world->asked = *evidence;
        world->request = request;
        world->n_asked++;
        if (world->releases)
                shared_monitor_release(world->shared, request);
}

static inline void on_request_answered(void *userdata, struct evidence *evidence) {
        struct world *world = userdata;

        world->refused = *evidence;
        world->n_refused++;
}

static inline void on_late(void *userdata, uint64_t request) {
        struct world *world = userdata;

        assert_int_equal(request, world->request);
        world->n_late++;
}

static inline void on_dropped(void *userdata, const struct actor *client, const char *why) {
        struct world *world = userdata;

        assert_int_equal(client->pid, getpid());
        snprintf(world->dropped, sizeof(world->dropped), "%s", why);
        world->n_dropped++;
}

/* With a listener that was handed over; -1: none was. */
static inline int take_over(struct world *world, int fd) {
        return shared_monitor_open(&world->shared, world->event, world->path, (uid_t)-1, (gid_t)-1, fd, world->source,
                                   &(struct shared_monitor_events){ on_request, on_request_answered, on_late, on_dropped, world });
}

static inline int open_shared(struct world *world) {
        return take_over(world, -1);
}

/* QEMU hears; what it heard since the last time is in world->heard. */
static inline void listen_as_qemu(struct world *world) {
        size_t n = strlen(world->heard);

        for (;;) {
                union {
                        struct cmsghdr header;
                        char bytes[256];
                } control;
                struct msghdr message = {
                        .msg_iov = &(struct iovec){ world->heard + n, sizeof(world->heard) - 1 - n },
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control),
                };
                ssize_t got = recvmsg(world->qemu, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

                if (got <= 0)
                        break;
                if (header) {
                        world->n_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(world->fds, CMSG_DATA(header), world->n_fds * sizeof(int));
                }
                n += (size_t)got;
                settle(world);
        }
        world->heard[n] = '\0';
}

static inline void say(struct world *world, int fd, const char *text) {
        size_t n = strlen(text);

        while (n) {
                ssize_t sent = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);

                assert_true(sent > 0 || errno == EAGAIN);
                if (sent > 0) {
                        text += sent;
                        n -= (size_t)sent;
                }
                settle(world);
        }
        listen_as_qemu(world);
}

static inline void world_begin(struct world *world, bool greets) {
        struct qemu_source_config config = { .is_shared = true };
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, NULL, world };
        struct source_sink sink = { on_report, on_ended, world };

        memset(world, 0, sizeof(*world));
        strcpy(world->directory, "/tmp/vmpower-share-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->qemu_path, sizeof(world->qemu_path), "%s/q.sock", world->directory);
        snprintf(world->path, sizeof(world->path), "%s/s.sock", world->directory);
        config.path = world->qemu_path;
        world->releases = true;
        world->listener = bind_at(world->qemu_path);
        assert_return_code(listen(world->listener, 1), errno);
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(qemu_source_open(&world->source, world->event, &config, &events, &sink), 0);
        assert_int_equal(qemu_source_try(world->source), 0);
        assert_int_equal(open_shared(world), 0);
        world->qemu = accept(world->listener, NULL, NULL);
        if (greets) {
                say(world, world->qemu, GREETING);
                /* Our own negotiation, and our own questions. */
                assert_non_null(strstr(world->heard, "\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},\"id\":1}"));
                world->heard[0] = '\0';
                say(world, world->qemu, "{\"return\": {}, \"id\": 1}\r\n");
        }
}

static inline void world_end(struct world *world) {
        evidence_deinit(&world->asked);
        shared_monitor_close(world->shared);
        qemu_source_close(world->source);
        sd_event_unref(world->event);
        for (size_t i = 0; i < world->n_fds; i++)
                close(world->fds[i]);
        if (world->qemu >= 0)
                close(world->qemu);
        close(world->listener);
        assert_int_equal(access(world->path, F_OK), -1);
        unlink(world->qemu_path);
        assert_return_code(rmdir(world->directory), errno);
}

/* All that the client can read now, "EOF" at its end; false when there is nothing. */
static inline const char *hear(struct world *world, int fd) {
        static char text[1 << 22];
        size_t n = 0;

        for (;;) {
                ssize_t got = recv(fd, text + n, sizeof(text) - 8 - n, MSG_DONTWAIT);

                if (got > 0) {
                        n += (size_t)got;
                        settle(world);
                        continue;
                }
                text[n] = '\0';
                if (got == 0)
                        strcat(text, "EOF");
                return text;
        }
}

static inline int client_new(struct world *world) {
        int fd = connect_to(world->path);

        assert_true(fd >= 0);
        settle(world);
        assert_string_equal(hear(world, fd), "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},"
                                             "\"capabilities\":[\"oob\"]}}\r\n");
        say(world, fd, NEGOTIATE);
        assert_string_equal(hear(world, fd), "{\"return\":{}}\r\n");
        assert_string_equal(world->heard, ""); /* QEMU is not asked to negotiate twice */
        return fd;
}

#define expect_heard(world, text)                                                                                     \
        do {                                                                                                          \
                assert_string_equal((world)->heard, text);                                                            \
                (world)->heard[0] = '\0';                                                                             \
        } while (0)
