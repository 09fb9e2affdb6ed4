/* Both ends of the wire, in one loop. */
#include "sources/wire/wire_caller.h"
#include "sources/wire/wire_listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"

enum {
        PATIENCE_MS = 30000,
};

struct world {
        sd_event *event;
        char top[32], directory[64], socket[80];
        struct wire_listener *listener;
        struct wire_caller *caller;
        struct wire_peer *peer; /* that said hello last */
        unsigned n_hellos, n_facts, n_gone, n_trouble;          /* as the daemon sees it */
        unsigned n_connected, n_welcome, n_lost;                /* as the source does */
        bool refuses, is_deaf;
        struct wire_listener_config config;
};

/* --- the daemon's end -------------------------------------------------------------------------------------------- */

static void on_said(void *userdata, struct wire_peer *peer, struct wire_message *message) {
        struct world *world = userdata;

        if (message->kind != WIRE_HELLO) {
                assert_int_equal(message->kind, WIRE_EVIDENCE);
                assert_ptr_equal(wire_peer_userdata(peer), world);
                world->n_facts++;
                return;
        }
        world->n_hellos++;
        world->peer = peer;
        assert_int_equal(wire_peer_pid(peer), getpid());
        assert_int_equal(wire_peer_uid(peer), geteuid());
        if (world->refuses)
                wire_peer_refuse(peer, "not today");
        else
                wire_peer_welcome(peer, true, world);
}

static void on_gone(void *userdata, struct wire_peer *peer) {
        struct world *world = userdata;

        assert_ptr_equal(wire_peer_userdata(peer), world);
        world->n_gone++;
}

static void on_trouble(void *userdata, const char *line) {
        ((struct world *)userdata)->n_trouble++;
}

static void start_daemon(struct world *world) {
        const struct wire_listener_events events = { on_said, on_gone, on_trouble, world };
        int fd;

        assert_int_equal(wire_listen(&fd, world->socket), 0);
        assert_int_equal(wire_listener_new(&world->listener, world->event, fd, &world->config, &events), 0);
}

static void end_daemon(struct world *world, bool takes_its_socket) {
        world->listener = wire_listener_free(world->listener);
        if (takes_its_socket)
                unlink(world->socket);
}

/* --- the source's end -------------------------------------------------------------------------------------------- */

static void say_hello(struct world *world) {
        const struct wire_message hello = { .kind = WIRE_HELLO, .hello = { .protocol = 1, .vm = { .name = "vm", .pid = 1 } } };

        wire_caller_say(world->caller, &hello);
}

static void tell_fact(struct world *world) {
        struct wire_message message = { .kind = WIRE_EVIDENCE, .evidence = evidence_make(SOURCE_QMP, EVIDENCE_MESSAGE) };

        message.evidence.at_ns = 1;
        memset(message.evidence.text, 'x', sizeof(message.evidence.text) - 1);
        wire_caller_say(world->caller, &message);
}

static void on_connected(void *userdata) {
        struct world *world = userdata;

        world->n_connected++;
        say_hello(world);
}

static void on_welcome(void *userdata, bool wants_evidence) {
        assert_true(wants_evidence);
        ((struct world *)userdata)->n_welcome++;
}

static void on_lost(void *userdata) {
        ((struct world *)userdata)->n_lost++;
}

static void start_source(struct world *world) {
        const struct wire_caller_events events = { on_connected, on_welcome, on_lost, world };
        const char *directories[] = { "relative", world->directory };

        assert_int_equal(wire_caller_new(&world->caller, world->event, directories, 2, &events), 0);
}

/* --- the world --------------------------------------------------------------------------------------------------- */

/* Until that counter has come so far. */
static void wait_until(struct world *world, const unsigned *counter, unsigned n) {
        uint64_t now, until;

        sd_event_now(world->event, CLOCK_MONOTONIC, &now);
        for (until = now + PATIENCE_MS * UINT64_C(1000); *counter < n && now < until; sd_event_now(world->event, CLOCK_MONOTONIC, &now))
                assert_true(sd_event_run(world->event, 100000) >= 0);
        assert_int_equal(*counter, n);
}

static void run_what_waits(struct world *world) {
        while (sd_event_run(world->event, 0) > 0)
                ;
}

static int set_up(void **state) {
        struct world *world = calloc(1, sizeof(*world));

        strcpy(world->top, "/tmp/vmpower-wire-XXXXXX");
        assert_non_null(mkdtemp(world->top));
        snprintf(world->directory, sizeof(world->directory), "%s/run", world->top);
        snprintf(world->socket, sizeof(world->socket), "%s/source.sock", world->directory);
        assert_int_equal(mkdir(world->directory, 0755), 0);
        assert_true(sd_event_new(&world->event) >= 0);
        *state = world;
        return 0;
}

static int tear_down(void **state) {
        struct world *world = *state;

        wire_caller_free(world->caller);
        wire_listener_free(world->listener);
        sd_event_unref(world->event);
        unlink(world->socket);
        rmdir(world->directory);
        assert_int_equal(rmdir(world->top), 0);
        free(world);
        return 0;
}

static int dial(struct world *world) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, world->socket);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* What is answered until it is hung up; the loop runs meanwhile. */
static void hear_end(struct world *world, int fd, char *ret_text, size_t n_text) {
        size_t n_heard = 0;
        ssize_t n = -1;

        for (unsigned i = 0; n && i < PATIENCE_MS / 10; i++) {
                assert_true(sd_event_run(world->event, 10000) >= 0);
                n = recv(fd, ret_text + n_heard, n_text - 1 - n_heard, MSG_DONTWAIT);
                if (n > 0)
                        n_heard += (size_t)n;
                if (n < 0 && errno == ECONNRESET)
                        n = 0;
        }
        assert_int_equal(n, 0);
        ret_text[n_heard] = '\0';
        close(fd);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void what_is_told_is_heard_in_order_and_the_end_too(void **state) {
        struct world *world = *state;

        start_daemon(world);
        start_source(world);
        assert_int_equal(world->n_connected, 1);
        /* Nobody waits for an answer. */
        for (unsigned i = 0; i < 100; i++)
                tell_fact(world);
        world->caller = wire_caller_free(world->caller);
        wait_until(world, &world->n_gone, 1);
        assert_int_equal(world->n_hellos, 1);
        assert_int_equal(world->n_facts, 100);
}

static void without_a_daemon_nothing_happens(void **state) {
        struct world *world = *state;

        start_source(world);
        tell_fact(world);
        run_what_waits(world);
        assert_int_equal(world->n_connected + world->n_lost, 0);
}

static void a_daemon_that_starts_later_and_again_is_found(void **state) {
        struct world *world = *state;

        start_source(world);
        run_what_waits(world);
        for (unsigned i = 1; i <= 4; i++) {
                start_daemon(world);
                wait_until(world, &world->n_welcome, i);
                /* A dead one's socket may stay. */
                end_daemon(world, i % 2);
                wait_until(world, &world->n_lost, i);
        }
        assert_int_equal(world->n_connected, 4);
}

static void so_it_is_where_its_directory_comes_and_goes(void **state) {
        struct world *world = *state;

        rmdir(world->directory);
        start_source(world);
        run_what_waits(world);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(mkdir(world->directory, 0755), 0);
                start_daemon(world);
                wait_until(world, &world->n_welcome, i);
                end_daemon(world, true);
                assert_int_equal(rmdir(world->directory), 0);
                wait_until(world, &world->n_lost, i);
                run_what_waits(world);
        }
}

static void one_that_refuses_is_not_asked_again(void **state) {
        struct world *world = *state;

        world->refuses = true;
        start_daemon(world);
        start_source(world);
        wait_until(world, &world->n_lost, 1);
        run_what_waits(world);
        assert_int_equal(world->n_hellos, 1);
        assert_int_equal(world->n_connected, 1);
        assert_int_equal(world->n_gone, 0);
        /* But whoever comes after it is. */
        world->refuses = false;
        end_daemon(world, false);
        start_daemon(world);
        wait_until(world, &world->n_welcome, 1);
}

static void one_that_never_reads_is_left_and_holds_nobody_up(void **state) {
        struct world *world = *state;
        int fd;

        assert_int_equal(wire_listen(&fd, world->socket), 0);
        start_source(world);
        assert_int_equal(world->n_connected, 1);
        for (unsigned i = 0; i < 20000; i++)
                tell_fact(world);
        wait_until(world, &world->n_lost, 1);
        close(fd);
}

static void one_that_is_hung_up_on_hears_no_more_of_it(void **state) {
        struct world *world = *state;

        start_daemon(world);
        start_source(world);
        wait_until(world, &world->n_welcome, 1);
        wire_peer_close(world->peer);
        wait_until(world, &world->n_lost, 1);
        /* It calls again. */
        wait_until(world, &world->n_welcome, 2);
        assert_int_equal(world->n_gone, 0);
        assert_true(wire_listener_hears(world->listener, getpid()));
        assert_false(wire_listener_hears(world->listener, 1));
}

static void a_peer_that_says_nothing_is_dropped(void **state) {
        struct world *world = *state;
        char text[256];

        world->config.hello_timeout_ns = 50000000;
        start_daemon(world);
        hear_end(world, dial(world), text, sizeof(text));
        assert_string_equal(text, "");
        assert_int_equal(world->n_gone, 0);
}

static void a_peer_that_makes_no_sense_hears_why_and_is_dropped(void **state) {
        static const char *const lines[] = {
                "GET / HTTP/1.1\r\n",
                "{\"gone\": true}\n",
                "{\"hello\": {\"vm\": {}}}\n{\"hello\": {\"vm\": {}}}\n",
        };
        struct world *world = *state;
        char text[512];

        start_daemon(world);
        for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
                int fd = dial(world);

                assert_int_equal(send(fd, lines[i], strlen(lines[i]), MSG_NOSIGNAL), strlen(lines[i]));
                hear_end(world, fd, text, sizeof(text));
                assert_non_null(strstr(text, "{\"refused\":\""));
        }
        /* The one that was welcome has gone, the others were never there. */
        assert_int_equal(world->n_gone, 1);
}

static void there_are_not_more_than_so_many(void **state) {
        struct world *world = *state;
        char text[256];
        int first, second;

        world->config.n_peers_max = 2;
        world->config.n_per_user_max = 2;
        start_daemon(world);
        first = dial(world);
        second = dial(world);
        run_what_waits(world);
        hear_end(world, dial(world), text, sizeof(text));
        hear_end(world, dial(world), text, sizeof(text));
        assert_int_equal(world->n_trouble, 1);
        close(first);
        close(second);
        run_what_waits(world);
        start_source(world);
        wait_until(world, &world->n_welcome, 1);
}

static int dial_as(struct world *world, uid_t uid) {
        int fd;

        assert_return_code(seteuid(uid), errno);
        fd = dial(world);
        assert_return_code(seteuid(0), errno);
        return fd;
}

static void a_user_takes_no_room_from_others(void **state) {
        struct world *world = *state;
        char text[256];
        int fds[16];

        if (geteuid())
                skip();
        world->config.n_peers_max = 16;
        world->config.n_per_user_max = 2;
        world->config.hello_timeout_ns = UINT64_C(60000000000);
        start_daemon(world);
        assert_return_code(chmod(world->top, 0711), errno);
        assert_return_code(chmod(world->directory, 0711), errno);
        assert_return_code(chmod(world->socket, 0666), errno);
        for (uid_t i = 0; i < 15; i++) {
                fds[i] = dial_as(world, 60001 + i / 2);
                run_what_waits(world);
                /* That one has his share. */
                if (i == 1)
                        hear_end(world, dial_as(world, 60001), text, sizeof(text));
        }
        assert_int_equal(world->n_trouble, 1);
        /* The last place is root's. */
        hear_end(world, dial_as(world, 60009), text, sizeof(text));
        start_source(world);
        wait_until(world, &world->n_welcome, 1);
        for (size_t i = 0; i < 15; i++)
                close(fds[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_told_is_heard_in_order_and_the_end_too, set_up, tear_down),
                cmocka_unit_test_setup_teardown(without_a_daemon_nothing_happens, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_daemon_that_starts_later_and_again_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(so_it_is_where_its_directory_comes_and_goes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(one_that_refuses_is_not_asked_again, set_up, tear_down),
                cmocka_unit_test_setup_teardown(one_that_never_reads_is_left_and_holds_nobody_up, set_up, tear_down),
                cmocka_unit_test_setup_teardown(one_that_is_hung_up_on_hears_no_more_of_it, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_peer_that_says_nothing_is_dropped, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_peer_that_makes_no_sense_hears_why_and_is_dropped, set_up, tear_down),
                cmocka_unit_test_setup_teardown(there_are_not_more_than_so_many, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_user_takes_no_room_from_others, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
