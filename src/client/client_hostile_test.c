/* The library against servers that are no vmpower, or a hostile one: what they send, however they cut it, ends in an errno. */
#include <vmpower/client.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "client/event_stream.h"
#include "client/http.h"

/* Answers every connection with the same bytes. */
struct server {
        char directory[32], path[64];
        int listener;
        pthread_t thread;
        const char *bytes;
        size_t n, step;  /* sent in pieces of so many */
        size_t n_repeat; /* the last part again and again */
        bool stays;      /* does not close */
};

static void send_bytes(int fd, const char *bytes, size_t n, size_t step) {
        while (n) {
                ssize_t sent = send(fd, bytes, n < step ? n : step, MSG_NOSIGNAL);

                if (sent <= 0)
                        return;
                bytes += sent;
                n -= (size_t)sent;
        }
}

static void *serve(void *userdata) {
        struct server *server = userdata;

        for (;;) {
                cleanup(closep) int fd = accept(server->listener, NULL, NULL);
                char request[4096];

                if (fd < 0)
                        return NULL;
                if (recv(fd, request, sizeof(request), 0) <= 0)
                        continue; /* vmpower_new_at() looks whether somebody is there */
                send_bytes(fd, server->bytes, server->n, server->step);
                for (size_t i = 0; i < server->n_repeat; i++)
                        send_bytes(fd, server->bytes, server->n, server->n);
                if (server->stays)
                        while (recv(fd, request, sizeof(request), 0) > 0)
                                ;
        }
}

static void server_begin(struct server *server) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strcpy(server->directory, "/tmp/vmpower-client-XXXXXX");
        assert_non_null(mkdtemp(server->directory));
        snprintf(server->path, sizeof(server->path), "%s/s", server->directory);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
        server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(server->listener, 16), 0);
        if (!server->step)
                server->step = SIZE_MAX;
        assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server) {
        shutdown(server->listener, SHUT_RDWR);
        pthread_join(server->thread, NULL);
        close(server->listener);
        unlink(server->path);
        rmdir(server->directory);
}

#define OK "HTTP/1.1 200 OK\r\n"

static int ask_for_vms(const char *bytes, size_t n, size_t step) {
        struct server server = { .bytes = bytes, .n = n, .step = step };
        struct vmpower *vmpower;
        struct vmpower_vms *vms = NULL;
        int r;

        server_begin(&server);
        assert_int_equal(vmpower_new_at(&vmpower, server.path), 0);
        r = vmpower_list_vms(vmpower, &vms);
        if (!r)
                vmpower_vms_free(vms);
        else
                assert_string_not_equal(vmpower_error(vmpower), "");
        assert_null(strchr(vmpower_error(vmpower), '\n'));
        assert_null(strchr(vmpower_error(vmpower), '\033'));
        vmpower_free(vmpower);
        server_end(&server);
        return r;
}

static void every_answer_ends_in_an_errno(void **state) {
        static const struct {
                const char *bytes;
                int result;
        } cases[] = {
                { OK "Content-Length: 10\r\n\r\n{\"vms\":[]}", 0 },
                { OK "\r\n{\"vms\":[]}", 0 },
                { OK "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"vm\r\n6;x=y\r\ns\":[]}\r\n0\r\n\r\n", 0 },
                { "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 10\r\n\r\n{\"vms\":[]}", 0 },
                { "HTTP/1.0 200\n\n{\"vms\":[{}]}", 0 },
                { "", -ECONNRESET },
                { "HTTP/1.1 200", -ECONNRESET },
                { OK, -ECONNRESET },
                { OK "Content-Length: 11\r\n\r\n{\"vms\":[]}", -ECONNRESET },
                { OK "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"vm", -ECONNRESET },
                { OK "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"vmXX\r\n", -EPROTO },
                { OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", -EPROTO },
                { OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", -EPROTO },
                { OK "Transfer-Encoding: gzip\r\n\r\n", -EPROTO },
                { OK "Content-Length: -1\r\n\r\n", -EPROTO },
                { OK "Content-Length: x\r\n\r\n", -EPROTO },
                { OK "Content-Length: 99999999999999999999\r\n\r\n", -EPROTO },
                { "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO },
                { "HTTP/1.\r\n", -EPROTO },
                { "HTTP/1.1 2000 OK\r\n\r\n", -EPROTO },
                { "HTTP/2.0 200 OK\r\n\r\n", -EPROTO },
                { "HTTP/1.1 302 Found\r\n\r\n", -EPROTO },
                { "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
                  "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n", -EPROTO },
                { OK "\r\n", -EPROTO },
                { OK "\r\n[]", -EPROTO },
                { OK "\r\n{}", -EPROTO },
                { OK "\r\n{\"vms\":{}}", -EPROTO },
                { OK "\r\n{\"vms\":[1]}", -EPROTO },
                { OK "\r\n{\"vms\":[],\"vms\":[]}", -EPROTO },
                { OK "\r\n{\"vms\":[\"\xff\"]}", -EPROTO },
                { "HTTP/1.1 404 No\r\n\r\n{\"error\": \"gone\"}", -ENOENT },
                { "HTTP/1.1 403 No\r\n\r\n{\"error\": \"a\\nb\\u001b[2J\"}", -EACCES },
                { "HTTP/1.1 500 No\r\n\r\n<html>", -EIO },
                { "HTTP/1.1 503 No\r\n\r\n{\"error\": 7}", -EAGAIN },
                { "HTTP/1.1 418 No\r\n\r\n", -EINVAL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (size_t step = 0; step < 2; step++) {
                        int r = ask_for_vms(cases[i].bytes, strlen(cases[i].bytes), step);

                        if (r != cases[i].result)
                                fail_msg("%s\ngives %s", cases[i].bytes, strerror(-r));
                }
}

static void what_is_too_large_is_not_kept(void **state) {
        enum { N = 64 * 1024 };
        cleanup(freep) char *bytes = malloc(N);
        struct server server = { .bytes = bytes, .n = N };
        struct vmpower *vmpower;
        struct vmpower_vms *vms;

        /* One header line without end. */
        memset(bytes, 'x', N);
        memcpy(bytes, OK, strlen(OK));
        assert_int_equal(ask_for_vms(bytes, N, 0), -EMSGSIZE);

        /* Many headers. */
        memcpy(bytes, OK, strlen(OK));
        for (size_t i = strlen(OK); i + 4 < N; i += 4)
                memcpy(bytes + i, "a:b\n", 4);
        assert_int_equal(ask_for_vms(bytes, N, 0), -EMSGSIZE);

        /* A body without end. */
        memset(bytes, ' ', N);
        memcpy(bytes, OK "\r\n", strlen(OK "\r\n"));
        server.n_repeat = 4096;
        server_begin(&server);
        assert_int_equal(vmpower_new_at(&vmpower, server.path), 0);
        assert_int_equal(vmpower_list_vms(vmpower, &vms), -EMSGSIZE);
        assert_non_null(strstr(vmpower_error(vmpower), "is no vmpower"));
        vmpower_free(vmpower);
        server_end(&server);
}

static void a_listener_never_waits_longer_than_it_said(void **state) {
        static const char bytes[] = OK "Transfer-Encoding: chunked\r\n\r\n8\r\n: hello\n\r\n6\r\ndata: \r\n";
        struct server server = { .bytes = bytes, .n = sizeof(bytes) - 1, .stays = true, .step = 1 };
        struct vmpower *vmpower;
        struct vmpower_events *events;
        struct vmpower_verdict *verdict;

        server_begin(&server);
        assert_int_equal(vmpower_new_at(&vmpower, server.path), 0);
        assert_int_equal(vmpower_listen(vmpower, 7, &events), 0);
        for (int i = 0; i < 20; i++)
                assert_int_equal(vmpower_events_next(events, 5, &verdict), VMPOWER_TIMEOUT);
        assert_int_equal(vmpower_events_number(events), 7);
        vmpower_events_free(events);
        vmpower_free(vmpower);
        server_end(&server);
}

static int listen_to(const char *bytes, size_t step) {
        struct server server = { .bytes = bytes, .n = strlen(bytes), .step = step };
        struct vmpower *vmpower;
        struct vmpower_events *events;
        struct vmpower_verdict *verdict;
        int r;

        server_begin(&server);
        assert_int_equal(vmpower_new_at(&vmpower, server.path), 0);
        r = vmpower_listen(vmpower, 0, &events);
        if (!r) {
                r = vmpower_events_next(events, 3000, &verdict);
                if (!r)
                        vmpower_verdict_free(verdict);
                vmpower_events_free(events);
        }
        vmpower_free(vmpower);
        server_end(&server);
        return r;
}

static void a_stream_of_garbage_ends_in_an_errno(void **state) {
        static const struct {
                const char *bytes;
                int result;
        } cases[] = {
                { OK "\r\nevent: verdict\ndata: {\"schema\":\"vmpower.verdict/1\"}\n\n", 0 },
                { OK "\r\nevent:verdict\r\ndata:{\"schema\":\"vmpower.verdict/1\"}\r\n\r\n", 0 },
                { OK "\r\nevent: verdict\ndata: {\"schema\":\"vmpower.verdict/1\"}\n", -ECONNRESET },
                { OK "\r\nevent: other\ndata: {\"schema\":\"vmpower.verdict/1\"}\n\n", -ECONNRESET },
                { OK "\r\nevent: verdict\ndata: {\"schema\":\"vmpower.verdict/2\"}\n\n", -EPROTO },
                { OK "\r\nevent: verdict\ndata: 7\n\n", -EPROTO },
                { OK "\r\nevent: verdict\ndata: {\n\n", -EPROTO },
                { OK "\r\nevent: verdict\ndata: a\ndata: b\n\n", -EPROTO },
                { "HTTP/1.1 400 No\r\n\r\n{\"error\":\"no\"}", -EINVAL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (size_t step = 0; step < 2; step++) {
                        int r = listen_to(cases[i].bytes, step);

                        if (r != cases[i].result)
                                fail_msg("%s\ngives %s", cases[i].bytes, strerror(-r));
                }
}

/* However the bytes are cut, the events are the same. */
static void events_do_not_depend_on_how_they_are_cut(void **state) {
        static const char bytes[] = ": a comment\n\nretry: 5\nid: 7\nevent: verdict\ndata: one\n\n\n"
                                    "event: verdict\rdata:two\r\r"
                                    "id: 9\r\nevent: verdict\r\ndata: three\r\n\r\n"
                                    "id: x\nevent: verdict\ndata\n\nevent: verdict\nid: 11\ndata: four\n\ndata: no name\n\n";
        static const char wanted[] = "7:one -:two 9:three 11:four ";

        for (size_t step = 1; step < sizeof(bytes); step++) {
                cleanup(event_stream_deinit) struct event_stream stream = {};
                char found[256] = "";
                size_t at = 0;

                while (at < sizeof(bytes) - 1) {
                        size_t n = sizeof(bytes) - 1 - at < step ? sizeof(bytes) - 1 - at : step, n_taken;
                        char *data = NULL, number[24] = "-";
                        int r = event_stream_take(&stream, bytes + at, n, &n_taken, &data);

                        at += n_taken;
                        if (!r)
                                continue;
                        assert_int_equal(r, EVENT_STREAM_HAS_EVENT);
                        if (stream.has_id)
                                snprintf(number, sizeof(number), "%d", (int)stream.id);
                        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s:%s ", number, data);
                        free(data);
                }
                assert_string_equal(found, wanted);
        }
}

static void an_endless_line_is_no_event(void **state) {
        cleanup(event_stream_deinit) struct event_stream stream = {};
        static char bytes[64 * 1024];
        size_t n_taken, n = 0;
        char *data;
        int r;

        memset(bytes, 'x', sizeof(bytes));
        do {
                r = event_stream_take(&stream, bytes, sizeof(bytes), &n_taken, &data);
                n += n_taken;
        } while (!r);
        assert_int_equal(r, -EMSGSIZE);
        assert_true(n <= EVENT_LINE_MAX);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_answer_ends_in_an_errno),
                cmocka_unit_test(what_is_too_large_is_not_kept),
                cmocka_unit_test(a_listener_never_waits_longer_than_it_said),
                cmocka_unit_test(a_stream_of_garbage_ends_in_an_errno),
                cmocka_unit_test(events_do_not_depend_on_how_they_are_cut),
                cmocka_unit_test(an_endless_line_is_no_event),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
