/* The bounds: garbage, what is too large, too many connections, what goes wrong at the socket. */
#include "api/api_test_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "api/request.h"
#include "api/uri.h"
#include "basics/cleanup.h"

static void expect_alive(struct world *world) {
        assert_int_equal(world_ask(world, geteuid(), "GET /v1/health"), 200);
}

static void garbage_harms_nobody(void **state) {
        static const char *const garbage[] = {
                "\r\n\r\n", "x", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02",
                "GET /v1/vms HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST /v1/vms HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                "POST /v1/vms HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "POST /v1/vms HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
                "GET /v1/events HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET http://x/v1/vms HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/vms HTTP/1.1\r\n: x\r\n\r\n",
        };
        struct world *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(garbage); i++) {
                cleanup(closep) int fd = world_connect(world, geteuid());

                peer_send(fd, garbage[i]);
                world_run(world, 5);
        }
        expect_alive(world);
        world_run(world, 5);
}

static void a_request_byte_by_byte_is_a_request(void **state) {
        static const char text[] = "POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]";
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        for (const char *at = text; *at; at++) {
                peer_send(fd, (char[]){ *at, '\0' });
                world_run(world, 1);
        }
        assert_int_equal(world_read_answer(world, fd), 400);
}

static void many_requests_fit_one_connection(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        for (int i = 0; i < 50; i++) {
                peer_send(fd, i % 2 ? "GET /v1/vms HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
                assert_int_equal(world_read_answer(world, fd), i % 2 ? 200 : 404);
        }
}

static void a_body_of_64_kib_is_heard_and_a_larger_one_is_not(void **state) {
        static char body[REQUEST_BODY_MAX + 2];
        struct world *world = *state;

        memset(body, ' ', REQUEST_BODY_MAX);
        assert_int_equal(world_ask_with_body(world, geteuid(), "POST /v1/vms", body), 400);
        body[REQUEST_BODY_MAX] = ' ';
        assert_int_equal(world_ask_with_body(world, geteuid(), "POST /v1/vms", body), 413);
        world_expect(world, "error", "a request's body has at most 65536 bytes");
        expect_alive(world);
}

static void a_body_that_says_it_is_too_large_is_not_awaited(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        peer_send(fd, "POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n");
        assert_int_equal(world_read_answer(world, fd), 413);
        assert_true(world_is_closed(world, fd));
}

static void a_large_body_in_chunks_is_not_kept(void **state) {
        static char chunk[0x4000 + 1], text[0x4000 + 64];
        struct world *world = *state;
        cleanup(closep) int some = world_connect(world, geteuid()), endless = world_connect(world, geteuid());

        memset(chunk, 'x', sizeof(chunk) - 1);
        snprintf(text, sizeof(text), "4000\r\n%s\r\n", chunk);
        peer_send(some, "POST /v1/vms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 8; i++)
                peer_send(some, text);
        peer_send(some, "0\r\n\r\n");
        assert_int_equal(world_read_answer(world, some), 413);

        peer_send(endless, "POST /v1/vms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 200; i++)
                peer_send(endless, text);
        assert_true(world_is_closed(world, endless));
}

static void headers_that_are_too_large_are_refused(void **state) {
        static char text[128 * 1024];
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        strcpy(text, "GET /v1/vms HTTP/1.1\r\nHost: x\r\nX: ");
        memset(text + strlen(text), 'x', 100 * 1024);
        strcat(text, "\r\n\r\n");
        peer_send(fd, text);
        assert_true(world_is_closed(world, fd));
        expect_alive(world);
}

static void a_thousand_idle_connections_keep_nobody_out(void **state) {
        struct world *world = *state;
        struct rlimit limit;
        int fds[1000];

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        if (!world_is_root() || limit.rlim_cur < 2100 || setrlimit(RLIMIT_NOFILE, &limit))
                skip();
        for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
                fds[i] = world_connect(world, 0);
                sd_event_run(world->event, 0);
        }
        world_run(world, 20);
        expect_alive(world);
        peer_send(fds[999], "GET /v1/vms HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(world_read_answer(world, fds[999]), 200);
        for (size_t i = 0; i < N_ELEMENTS(fds); i++)
                close(fds[i]);
        world_run(world, 20);
        expect_alive(world);
}

static void one_user_cannot_keep_others_out(void **state) {
        struct world *world = *state;
        int fds[32], n_refused = 0;

        if (!world_is_root())
                skip();
        world->config.n_connections_max = 32;
        world->config.n_connections_per_user_max = 8;
        world_restart(world);
        for (size_t i = 0; i < 12; i++)
                fds[i] = world_connect(world, ALICE);
        world_run(world, 20);
        for (size_t i = 0; i < 12; i++) {
                peer_send(fds[i], "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
                n_refused += world_read_answer(world, fds[i]) == 503;
        }
        assert_int_equal(n_refused, 4);
        assert_non_null(strstr(world->text, "there are too many connections"));
        assert_int_equal(world_ask(world, BOB, "GET /v1/health"), 200);
        for (size_t i = 0; i < 12; i++)
                close(fds[i]);
        world_run(world, 20);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/health"), 200);

        /* All places taken by everyone else: root still gets one. */
        for (size_t i = 0; i < 32; i++)
                fds[i] = world_connect(world, 5000 + (int64_t)i);
        world_run(world, 20);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/health"), 503);
        assert_int_equal(world_ask(world, 0, "GET /v1/health"), 200);
        for (size_t i = 0; i < 32; i++)
                close(fds[i]);
}

static void an_idle_connection_is_closed_and_then_nothing_wakes_the_loop(void **state) {
        struct world *world = *state;
        cleanup(closep) int silent = -1, half = -1;

        world->config.idle_timeout_s = 1;
        world_restart(world);
        silent = world_connect(world, geteuid());
        half = world_connect(world, geteuid());
        peer_send(half, "GET /v1/vms HTTP/1.1\r\nHo");
        assert_true(world_is_closed(world, silent));
        assert_true(world_is_closed(world, half));
        world_run(world, 20);
        assert_int_equal(sd_event_run(world->event, 1500000), 0);
}

static void short_of_descriptors_it_waits_and_goes_on(void **state) {
        struct world *world = *state;
        struct rlimit limit, low;
        int fd = world_connect(world, geteuid()), probe, n = 0;

        /* The connection is made, but the API cannot take it. */
        probe = dup(0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = (rlim_t)probe;
        close(probe);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        peer_send(fd, "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
        while (sd_event_run(world->event, 50000) > 0)
                n++;
        assert_in_range(n, 1, 5);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(world_read_answer(world, fd), 200);
        close(fd);
}

/* As a service manager may hand it over. */
static void a_listening_socket_that_blocks_does_not_block_the_loop(void **state) {
        struct world *world = *state;
        int fd;

        world->api = api_free(world->api);
        assert_int_equal(api_listen(&fd, world->path), 0);
        assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
        assert_int_equal(api_new(&world->api, world->event, NULL, world->store, fd, &world->config), 0);
        alarm(10);
        expect_alive(world);
        alarm(0);
}

static void a_dead_socket_is_replaced_and_a_living_one_or_a_file_is_not(void **state) {
        struct world *world = *state;
        struct stat status;
        char path[128], longer[300];
        int fd, file;

        assert_int_equal(stat(world->path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0666);
        assert_int_equal(api_listen(&fd, world->path), -EADDRINUSE);
        world->api = api_free(world->api);
        assert_int_equal(api_listen(&fd, world->path), 0);
        close(fd);

        snprintf(path, sizeof(path), "%s/file", world->directory);
        file = open(path, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(api_listen(&fd, path), -EADDRINUSE);
        assert_int_equal(access(path, F_OK), 0);
        close(file);
        memset(longer, 'x', sizeof(longer));
        longer[299] = '\0';
        assert_int_equal(api_listen(&fd, longer), -ENAMETOOLONG);
        assert_int_equal(api_listen(&fd, "/nowhere/at/all"), -ENOENT);
}

static void a_history_that_cannot_be_read_is_said_to_be_so(void **state) {
        struct world *world = *state;

        world_publish(world, &world->vms[2]);
        world_sql(world, "UPDATE verdict SET transition = 7");
        assert_int_equal(world_ask(world, geteuid(), "GET /v1/verdicts"), 500);
        assert_non_null(strstr(world->text, "transition makes no sense: 7"));
        if (world_is_root())
                assert_int_equal(world_ask(world, 0, "GET /v1/vms/db-1/verdict"), 500);
}

enum {
        PAGES = 8,
        VERDICTS = 100, /* several turns' */
};

static void ask_for_pages(struct world *world, int fds[static PAGES], int64_t uid) {
        for (int i = 0; i < PAGES; i++) {
                fds[i] = world_connect(world, uid);
                peer_send(fds[i], "GET /v1/verdicts?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
        }
}

static int count_begun(const int fds[static PAGES]) {
        int n = 0;

        for (int i = 0; i < PAGES; i++)
                n += recv(fds[i], &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
        return n;
}

static void expect_pages(struct world *world, int fds[static PAGES], size_t n_items) {
        for (int i = 0; i < PAGES; i++) {
                assert_int_equal(world_read_answer(world, fds[i]), 200);
                assert_int_equal(json_array_size(json_object_get(world_json(world), "verdicts")), n_items);
                world_expect(world, "next", "null");
                close(fds[i]);
        }
}

static void whoever_asks_for_much_keeps_nobody_waiting(void **state) {
        struct world *world = *state;
        int fds[PAGES], hung_up;

        for (int i = 0; i < VERDICTS; i++) {
                cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[0], -2);
        }
        hung_up = world_connect(world, geteuid());
        peer_send(hung_up, "GET /v1/verdicts?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
        close(hung_up);
        ask_for_pages(world, fds, geteuid());
        expect_alive(world);
        assert_int_equal(count_begun(fds), 0);
        expect_pages(world, fds, VERDICTS);
}

static void users_are_answered_in_turn(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1;
        int fds[PAGES];

        if (!world_is_root())
                skip();
        for (int i = 0; i < VERDICTS; i++) {
                cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[i % 2], -2);
        }
        ask_for_pages(world, fds, ALICE);
        fd = world_connect(world, BOB);
        peer_send(fd, "GET /v1/verdicts?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(world_read_answer(world, fd), 200);
        assert_int_equal(json_array_size(json_object_get(world_json(world), "verdicts")), VERDICTS / 2);
        assert_in_range(count_begun(fds), 0, 2);
        expect_pages(world, fds, VERDICTS / 2);
}

/* Whoever waits for his turn is told so, and nothing is lost of it (the sanitizers see to that). */
static void the_api_ends_while_somebody_waits_for_his_turn(void **state) {
        struct world *world = *state;
        int fds[PAGES];

        ask_for_pages(world, fds, geteuid());
        /* They are heard; their turn comes last. */
        for (int i = 0; i < 3; i++)
                sd_event_run(world->event, 0);
        world->api = api_free(world->api);
        for (int i = 0; i < PAGES; i++)
                close(fds[i]);
}

static void percent_escapes_are_decoded_within_their_bounds(void **state) {
        static const struct {
                const char *text, *wanted;
                int result;
        } cases[] = {
                { "a", "a", 0 },        { "%41%62", "Ab", 0 }, { "%c3%a9", "é", 0 }, { "a+b", "a+b", 0 },
                { "%", "", -EINVAL },   { "%4", "", -EINVAL }, { "%4g", "", -EINVAL }, { "%00", "", -EINVAL },
                { "%ff", "", -EINVAL }, { "12345678", "", -ENAMETOOLONG },
        };
        char text[8];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_int_equal(uri_decode(cases[i].text, strlen(cases[i].text), text, sizeof(text)), cases[i].result);
                if (!cases[i].result)
                        assert_string_equal(text, cases[i].wanted);
        }
        assert_int_equal(uri_decode("%41xyz", 2, text, sizeof(text)), -EINVAL);
        assert_int_equal(uri_decode("", 0, text, sizeof(text)), 0);
}

static void a_buffer_grows_and_is_consumed(void **state) {
        cleanup(buffer_deinit) struct buffer buffer = {};

        for (int i = 0; i < 1000; i++)
                buffer_print(&buffer, "%03d", i);
        assert_int_equal(buffer.n, 3000);
        buffer_consume(&buffer, 1500);
        assert_memory_equal(buffer.text, "500501", 6);
        buffer_consume(&buffer, 1500);
        assert_int_equal(buffer.n, 0);
        assert_false(buffer.has_failed);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(garbage_harms_nobody),
                SENTENCE(a_request_byte_by_byte_is_a_request),
                SENTENCE(many_requests_fit_one_connection),
                SENTENCE(a_body_of_64_kib_is_heard_and_a_larger_one_is_not),
                SENTENCE(a_body_that_says_it_is_too_large_is_not_awaited),
                SENTENCE(a_large_body_in_chunks_is_not_kept),
                SENTENCE(headers_that_are_too_large_are_refused),
                SENTENCE(a_thousand_idle_connections_keep_nobody_out),
                SENTENCE(one_user_cannot_keep_others_out),
                SENTENCE(an_idle_connection_is_closed_and_then_nothing_wakes_the_loop),
                SENTENCE(short_of_descriptors_it_waits_and_goes_on),
                SENTENCE(a_listening_socket_that_blocks_does_not_block_the_loop),
                SENTENCE(a_dead_socket_is_replaced_and_a_living_one_or_a_file_is_not),
                SENTENCE(a_history_that_cannot_be_read_is_said_to_be_so),
                SENTENCE(whoever_asks_for_much_keeps_nobody_waiting),
                SENTENCE(users_are_answered_in_turn),
                SENTENCE(the_api_ends_while_somebody_waits_for_his_turn),
                cmocka_unit_test(percent_escapes_are_decoded_within_their_bounds),
                cmocka_unit_test(a_buffer_grows_and_is_consumed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
