/* A monitor's connection whose messages stay in the socket until they are on record, on a real socket. */
#include "sources/qemu/qemu_monitor.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE "{\"event\": \"STOP\"}\r\n"

struct world {
        sd_event *event;
        struct qemu_monitor *monitor;
        int qemu, kept; /* QEMU's end, and what a service manager keeps of ours */
        size_t n_messages, n_malformed, n_reads;
        bool is_closed;
};

static void on_message(void *userdata, const struct qmp_message *message, const char *text, size_t n_text) {
        ((struct world *)userdata)->n_messages++;
}

static void on_malformed(void *userdata, const char *text, size_t n_text, const char *defect) {
        ((struct world *)userdata)->n_malformed++;
}

static void on_closed(void *userdata, int error) {
        ((struct world *)userdata)->is_closed = true;
}

static void on_nothing(void *userdata) {
}

static void on_was_read(void *userdata) {
        ((struct world *)userdata)->n_reads++;
}

static void take_up(struct world *world) {
        static const struct qemu_monitor_events events = { .message = on_message, .malformed = on_malformed, .closed = on_closed,
                                                           .drained = on_nothing, .was_read = on_was_read };

        world->n_messages = 0;
        assert_int_equal(qemu_monitor_adopt(&world->monitor, world->event, dup(world->kept), &events, world), 0);
        assert_int_equal(qemu_monitor_keep_unread(world->monitor), 0);
}

static int begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));
        int fds[2];

        assert_non_null(world);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        world->qemu = fds[0];
        world->kept = fds[1];
        assert_true(sd_event_new(&world->event) >= 0);
        take_up(world);
        *state = world;
        return 0;
}

static int end(void **state) {
        struct world *world = *state;

        qemu_monitor_close(world->monitor);
        close_fd(&world->qemu);
        close_fd(&world->kept);
        sd_event_unref(world->event);
        free(world);
        return 0;
}

static void say(struct world *world, const char *text) {
        assert_int_equal(send(world->qemu, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void run(struct world *world) {
        while (sd_event_run(world->event, 0) > 0)
                ;
}

static int n_unread(const struct world *world) {
        int n = -1;

        assert_int_equal(ioctl(world->kept, FIONREAD, &n), 0);
        return n;
}

static void what_is_read_stays_until_it_is_on_record(void **state) {
        struct world *world = *state;

        say(world, MESSAGE MESSAGE "{\"event\": ");
        run(world);
        assert_int_equal(world->n_messages, 2);
        assert_int_equal(n_unread(world), 2 * strlen(MESSAGE) + strlen("{\"event\": "));
        /* It is no reason to wake up again. */
        assert_int_equal(world->n_reads, 1);
        qemu_monitor_consume(world->monitor);
        assert_int_equal(n_unread(world), strlen("{\"event\": "));
        say(world, "\"RESUME\"}\r\n");
        run(world);
        assert_int_equal(world->n_messages, 3);
        qemu_monitor_consume(world->monitor);
        assert_int_equal(n_unread(world), 0);
        assert_int_equal(world->n_malformed, 0);
}

static void a_later_life_reads_it_again(void **state) {
        struct world *world = *state;

        say(world, MESSAGE);
        run(world);
        qemu_monitor_consume(world->monitor);
        say(world, MESSAGE MESSAGE "{\"event\": ");
        run(world);
        assert_int_equal(world->n_messages, 3);
        world->monitor = qemu_monitor_close(world->monitor);
        take_up(world);
        say(world, "\"RESUME\"}\r\n");
        close_fd(&world->qemu);
        run(world);
        assert_int_equal(world->n_messages, 3);
        assert_int_equal(world->n_malformed, 0);
        assert_true(world->is_closed);
}

static void much_does_not_stay_for_qemu_is_not_to_wait(void **state) {
        struct world *world = *state;

        for (size_t i = 0; i < 40000; i++) {
                say(world, MESSAGE);
                if (i % 100 == 99)
                        run(world);
        }
        assert_int_equal(world->n_messages, 40000);
        assert_in_range(n_unread(world), 1, 100 * 1024);
}

static void a_flood_is_read_to_its_end_whatever_one_wakeup_takes(void **state) {
        struct world *world = *state;
        size_t n = 0;

        while (send(world->qemu, MESSAGE, strlen(MESSAGE), MSG_NOSIGNAL) == (ssize_t)strlen(MESSAGE))
                n++;
        run(world);
        assert_true(n > 100);
        assert_int_equal(world->n_messages, n);
}

#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                SENTENCE(what_is_read_stays_until_it_is_on_record),
                SENTENCE(a_later_life_reads_it_again),
                SENTENCE(much_does_not_stay_for_qemu_is_not_to_wait),
                SENTENCE(a_flood_is_read_to_its_end_whatever_one_wakeup_takes),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
