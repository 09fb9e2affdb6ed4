/* A hail against whoever may listen on a monitor's path: each says its own words, on a real socket. */
#include "sources/qemu/qemu_hail.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define GREETING                                                                                                      \
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": []}}\r\n"
#define SECOND UINT64_C(1000000000)

struct world {
        char directory[32], path[48];
        int listener, client;
        sd_event *event;
        struct qemu_hail *hail;
        int result; /* 1: none yet */
        char *greeting;
        size_t n_greeting;
        int fd;
        pid_t pid;
        uid_t uid;
};

static void on_done(void *userdata, int result) {
        struct world *world = userdata;

        assert_int_equal(world->result, 1);
        world->result = result;
        if (!result)
                world->fd = qemu_hail_take(world->hail, &world->greeting, &world->n_greeting);
        world->hail = qemu_hail_free(world->hail);
}

static int begin(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct world *world = calloc(1, sizeof(*world));

        strcpy(world->directory, "/tmp/vmpower-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->path, sizeof(world->path), "%s/qmp", world->directory);
        strcpy(address.sun_path, world->path);
        world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(world->listener, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(world->listener, 1), errno);
        assert_return_code(sd_event_new(&world->event), errno);
        world->result = 1;
        world->fd = world->client = -1;
        *state = world;
        return 0;
}

static int end(void **state) {
        struct world *world = *state;

        qemu_hail_free(world->hail);
        sd_event_unref(world->event);
        close_fd(&world->fd);
        close_fd(&world->client);
        close_fd(&world->listener);
        unlink(world->path);
        rmdir(world->directory);
        free(world->greeting);
        free(world);
        return 0;
}

static int hail(struct world *world, uint64_t timeout_ns) {
        return qemu_hail_new(&world->hail, world->event, world->path, timeout_ns, &(struct qemu_hail_events){ on_done, world },
                             &world->pid, &world->uid);
}

static void say(struct world *world, const char *text, size_t n_text) {
        assert_int_equal(send(world->client, text, n_text, MSG_NOSIGNAL), n_text);
}

static void wait_until_done(struct world *world) {
        while (world->result == 1)
                assert_true(sd_event_run(world->event, 10 * 1000 * 1000) > 0);
}

/* Whoever listens there accepts, and says this. */
static int result_of(struct world *world, const char *text, size_t n_text) {
        assert_int_equal(hail(world, 10 * SECOND), 0);
        world->client = accept(world->listener, NULL, NULL);
        assert_return_code(world->client, errno);
        say(world, text, n_text);
        wait_until_done(world);
        return world->result;
}

static void a_greeting_is_handed_out_with_its_connection(void **state) {
        struct world *world = *state;
        char byte;

        assert_int_equal(result_of(world, GREETING, strlen(GREETING)), 0);
        assert_int_equal(world->pid, getpid());
        assert_int_equal(world->uid, geteuid());
        assert_int_equal(world->n_greeting, strlen(GREETING));
        assert_string_equal(world->greeting, GREETING);
        /* Nothing was said to it. */
        assert_int_equal(recv(world->client, &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(write(world->fd, "x", 1), 1);
        assert_int_equal(recv(world->client, &byte, 1, 0), 1);
}

static void a_greeting_may_come_in_pieces(void **state) {
        struct world *world = *state;

        assert_int_equal(hail(world, 10 * SECOND), 0);
        world->client = accept(world->listener, NULL, NULL);
        for (const char *byte = GREETING; *byte; byte++) {
                assert_int_equal(world->result, 1);
                say(world, byte, 1);
                assert_true(sd_event_run(world->event, 1000 * 1000) > 0);
        }
        assert_int_equal(world->result, 0);
        assert_string_equal(world->greeting, GREETING);
}

static void what_is_no_greeting_is_no_monitor(void **state) {
        static const char *const texts[] = { "HTTP/1.1 400 Bad Request\r\n", "\n", "{\"event\": \"STOP\", \"data\": {}}\n",
                                             "{\"QMP\": 7}\n", GREETING "{\"event\": \"STOP\"}\n", GREETING GREETING, GREETING "x" };

        for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
                struct world *world;

                begin((void **)&world);
                if (result_of(world, texts[i], strlen(texts[i])) != -EPROTO)
                        fail_msg("%s gives %d", texts[i], world->result);
                end((void **)&world);
        }
        assert_int_equal(result_of(*state, "\0\0\n", 3), -EPROTO);
}

static void a_greeting_over_several_lines_is_told_as_such(void **state) {
        static const char text[] = "{\r\n    \"QMP\": {\r\n        \"version\": {\r\n";

        assert_int_equal(result_of(*state, text, strlen(text)), -EPROTONOSUPPORT);
        assert_int_equal(result_of(*state, "{\n", 2), -EPROTONOSUPPORT);
}

static void one_that_never_ends_its_line_is_no_monitor(void **state) {
        char text[QEMU_GREETING_MAX];

        memset(text, ' ', sizeof(text));
        assert_int_equal(result_of(*state, text, sizeof(text)), -EPROTO);
}

static void one_that_hangs_up_is_told_as_such(void **state) {
        struct world *world = *state;

        assert_int_equal(hail(world, 10 * SECOND), 0);
        world->client = accept(world->listener, NULL, NULL);
        say(world, "{\"QM", 4);
        close_fd(&world->client);
        wait_until_done(world);
        assert_int_equal(world->result, -ECONNRESET);
}

static void one_that_serves_somebody_else_does_not_greet(void **state) {
        struct world *world = *state;

        assert_int_equal(hail(world, SECOND / 20), 0);
        wait_until_done(world);
        assert_int_equal(world->result, -ETIMEDOUT);
}

static void a_greeting_that_is_there_was_in_time_however_late_it_is_read(void **state) {
        struct world *world = *state;

        assert_int_equal(hail(world, 1000), 0);
        world->client = accept(world->listener, NULL, NULL);
        say(world, GREETING, strlen(GREETING));
        usleep(5000); /* the timer is due: its time was 1 us, its accuracy is 1 ms */
        wait_until_done(world);
        assert_int_equal(world->result, 0);
}

static void where_nobody_can_be_reached_that_is_said_at_once(void **state) {
        struct world *world = *state;
        char path[200];

        memset(path, 'p', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(qemu_hail_new(&world->hail, world->event, path, SECOND, &(struct qemu_hail_events){ on_done, world },
                                       &world->pid, &world->uid), -ENAMETOOLONG);
        close_fd(&world->listener);
        assert_int_equal(hail(world, SECOND), -ECONNREFUSED);
        unlink(world->path);
        assert_int_equal(hail(world, SECOND), -ENOENT);
        assert_int_equal(world->result, 1);
}

static void a_hail_that_is_given_up_says_nothing_more(void **state) {
        struct world *world = *state;

        assert_int_equal(hail(world, 10 * SECOND), 0);
        world->client = accept(world->listener, NULL, NULL);
        say(world, GREETING, strlen(GREETING));
        world->hail = qemu_hail_free(world->hail);
        sd_event_run(world->event, 0);
        assert_int_equal(world->result, 1);
}

#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                SENTENCE(a_greeting_is_handed_out_with_its_connection),
                SENTENCE(a_greeting_may_come_in_pieces),
                SENTENCE(what_is_no_greeting_is_no_monitor),
                SENTENCE(a_greeting_over_several_lines_is_told_as_such),
                SENTENCE(one_that_never_ends_its_line_is_no_monitor),
                SENTENCE(one_that_hangs_up_is_told_as_such),
                SENTENCE(one_that_serves_somebody_else_does_not_greet),
                SENTENCE(a_greeting_that_is_there_was_in_time_however_late_it_is_read),
                SENTENCE(where_nobody_can_be_reached_that_is_said_at_once),
                SENTENCE(a_hail_that_is_given_up_says_nothing_more),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
