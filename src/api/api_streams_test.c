/* The streams of events: told at once, resumed without gap or double, bounded. */
#include "api/api_test_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "basics/cleanup.h"

/* A stream that has begun: its head and its first comment have come. */
static int listen_at(struct world *world, const char *path, const char *header) {
        int fd = world_connect(world, geteuid());
        char text[256];

        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, header);
        peer_send(fd, text);
        *world->text = '\0';
        assert_true(world_read_until(world, fd, ": vmpower\n\n"));
        assert_non_null(strstr(world->text, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(world->text, "Content-Type: text/event-stream\r\n"));
        *world->text = '\0';
        return fd;
}

/* The ids that have come so far, in their order. */
static const char *ids(const struct world *world) {
        static char text[64 * 1024];
        size_t n = 0;

        *text = '\0';
        for (const char *at = world->text; (at = strstr(at, "id: ")); at += 4)
                if (at == world->text || at[-1] == '\n')
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%ld ", strtol(at + 4, NULL, 10));
        return text;
}

static int begin(void **state) {
        int r = world_begin(state);
        struct world *world = *state;

        /* Whoever runs the test sees all of it. */
        for (size_t i = 0; i < world->n_vms; i++)
                world->vms[i].vm.uid = geteuid();
        return r;
}

static void a_verdict_is_told_on_one_line_with_its_number(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = {};
        cleanup(closep) int fd = listen_at(world, "/v1/events", "");
        json_t *json;
        char *data;

        record = world_tell(world, &world->vms[0], -2);
        api_publish(world->api, &record, geteuid());
        assert_true(world_read_until(world, fd, "\n\n"));
        data = strstr(world->text, "id: 1\nevent: verdict\ndata: ");
        assert_non_null(data);
        data += strlen("id: 1\nevent: verdict\ndata: ");
        *strchr(data, '\n') = '\0';
        json = json_loads(data, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(json, "id")), record.id);
        assert_string_equal(json_string_value(json_object_get(json, "schema")), "vmpower.verdict/1");
        json_decref(json);
}

static void a_stream_begins_now_unless_it_says_where(void **state) {
        struct world *world = *state;
        cleanup(closep) int now = -1, all = -1, middle = -1;

        for (int i = 0; i < 3; i++)
                world_publish(world, &world->vms[0]);
        now = listen_at(world, "/v1/events", "");
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, now, "id: 4\n"));
        assert_string_equal(ids(world), "4 ");

        all = listen_at(world, "/v1/events?after=0", "");
        assert_true(world_read_until(world, all, "id: 4\n"));
        assert_string_equal(ids(world), "1 2 3 4 ");

        /* A browser repeats its address, and says in the header how far it got. */
        middle = listen_at(world, "/v1/events?after=1", "Last-Event-ID: 2\r\n");
        assert_true(world_read_until(world, middle, "id: 4\n"));
        assert_string_equal(ids(world), "3 4 ");
}

static void a_number_of_another_history_begins_now(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1;

        world_publish(world, &world->vms[0]);
        fd = listen_at(world, "/v1/events?after=77", "");
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 2\n"));
        assert_string_equal(ids(world), "2 ");
}

static void a_bad_last_event_id_is_refused(void **state) {
        static const char *const values[] = { "x", "-1", "1 2", "99999999999999999999999999" };
        struct world *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(values); i++) {
                cleanup(closep) int fd = world_connect(world, geteuid());
                char text[128];

                snprintf(text, sizeof(text), "GET /v1/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %s\r\n\r\n", values[i]);
                peer_send(fd, text);
                assert_int_equal(world_read_answer(world, fd), 400);
        }
}

/* Stored, and asked for, before it is told: it must not come twice. */
static void what_is_stored_while_one_resumes_is_told_once(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record waiting = {};
        cleanup(closep) int fd = -1;

        world_publish(world, &world->vms[0]);
        waiting = world_tell(world, &world->vms[0], -2);
        fd = listen_at(world, "/v1/events?after=0", "");
        assert_true(world_read_until(world, fd, "id: 2\n"));
        api_publish(world->api, &waiting, geteuid());
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 3\n"));
        assert_string_equal(ids(world), "1 2 3 ");
}

/* Another process writes verdicts, too: they are told with the next one of ours. */
static void verdicts_of_another_process_leave_no_gap(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = listen_at(world, "/v1/events", "");

        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 1\n"));
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[0], -2) }[0]);
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[0], -2) }[0]);
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 4\n"));
        assert_string_equal(ids(world), "1 2 3 4 ");
}

static void a_verdict_that_no_disk_holds_is_told_without_a_number(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[0], -2);
        cleanup(closep) int fd = listen_at(world, "/v1/events", "");

        record.number = 0;
        world_run(world, 10);
        api_publish(world->api, &record, geteuid());
        assert_true(world_read_until(world, fd, "\n\n"));
        assert_non_null(strstr(world->text, "event: verdict\n"));
        assert_string_equal(ids(world), "");
}

/* More at once than a queue holds: whoever reads gets all of it, in order, once. */
static void a_storm_is_told_whole_and_in_order(void **state) {
        enum { N = 400 };
        struct world *world = *state;
        cleanup(closep) int fd = listen_at(world, "/v1/events", "");
        static char wanted[64 * 1024];
        size_t n = 0;

        for (int i = 1; i <= N; i++) {
                world_publish(world, &world->vms[i % 3]);
                n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%d ", i);
        }
        assert_true(world_read_until(world, fd, "id: 400\n"));
        assert_string_equal(ids(world), wanted);
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 401\n"));
}

/* What no longer fits the queue is read from the store, when there is room: as it stands there then. */
static void the_queue_is_bounded(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = listen_at(world, "/v1/events", "");

        for (int i = 1; i <= 200; i++)
                world_publish(world, &world->vms[0]);
        world_sql(world, "UPDATE verdict SET summary = 'read later'");
        assert_true(world_read_until(world, fd, "id: 200\n"));
        assert_true(world_read_until(world, fd, "read later"));
        assert_true(strstr(world->text, "read later") > strstr(world->text, "id: 40\n"));
}

/* What is not for him is passed over, a part at a time. */
static void what_is_far_behind_is_found(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1;

        world_publish(world, &world->vms[0]);
        world_publish(world, &world->vms[0]);
        world_sql(world, "UPDATE verdict SET number = 20000 WHERE number = 2");
        fd = listen_at(world, "/v1/events?after=1", "");
        assert_true(world_read_until(world, fd, "id: 20000\n"));
        assert_string_equal(ids(world), "20000 ");
}

/* Whichever verdict is the first that does not fit: the last one, too. */
static void the_last_that_does_not_fit_is_told(void **state) {
        struct world *world = *state;
        cleanup(closep) int first = listen_at(world, "/v1/events", "");
        size_t n_event, n_fit;

        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, first, "\n\n"));
        n_event = strlen(strstr(world->text, "id: "));
        n_fit = 64 * 1024 / n_event;
        for (size_t n = n_fit - 2; n <= n_fit + 4; n++) {
                cleanup(closep) int fd = listen_at(world, "/v1/events", "");
                uint64_t last = 0;
                char wanted[32];

                world_run(world, 5);
                for (size_t i = 0; i < n; i++)
                        last = world_publish(world, &world->vms[0]);
                snprintf(wanted, sizeof(wanted), "id: %" PRIu64 "\n", last);
                assert_true(world_read_until(world, fd, wanted));
        }
}

static void a_listener_who_takes_nothing_is_dropped_and_can_resume(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1, again = -1;
        int small = 4096;

        world->config.idle_timeout_s = 1;
        world_restart(world);
        fd = listen_at(world, "/v1/events", "");
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        for (int i = 1; i <= 600; i++)
                world_publish(world, &world->vms[0]);
        for (int i = 0; i < 4; i++)
                world_run(world, 1000);
        assert_true(world_is_closed(world, fd));

        again = listen_at(world, "/v1/events?after=590", "");
        assert_true(world_read_until(world, again, "id: 600\n"));
        assert_string_equal(ids(world), "591 592 593 594 595 596 597 598 599 600 ");
}

/* The idle timeout is for connections in which something should move. */
static void a_quiet_stream_is_kept(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1;

        world->config.idle_timeout_s = 1;
        world_restart(world);
        fd = listen_at(world, "/v1/events", "");
        for (int i = 0; i < 25; i++)
                sd_event_run(world->event, 100000);
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, fd, "id: 1\n"));
}

static size_t n_wakeups(struct world *world, unsigned ms) {
        size_t n = 0;

        while (sd_event_run(world->event, (uint64_t)ms * 1000) > 0)
                n++;
        return n;
}

static void a_listener_who_has_gone_is_noticed_and_a_quiet_one_costs_nothing(void **state) {
        struct world *world = *state;
        int fds[64];

        world->config.n_connections_max = 72;
        world_restart(world);
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 64; i++)
                        fds[i] = listen_at(world, "/v1/events", "");
                world_run(world, 20);
                assert_int_equal(n_wakeups(world, 300), 0);
                for (int i = 0; i < 64; i++)
                        close(fds[i]);
                world_run(world, 20);
        }
}

static void who_asks_for_the_head_of_a_stream_gets_no_body(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        peer_send(fd, "HEAD /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(world_read_answer(world, fd), 200);
        assert_non_null(strstr(world->head, "text/event-stream"));
        world_read_until(world, fd, "\n");
        assert_string_equal(world->text, "");
        assert_true(world_is_closed(world, fd));
}

static void streams_are_ended_with_the_api(void **state) {
        struct world *world = *state;
        cleanup(closep) int quiet = listen_at(world, "/v1/events", ""), full = listen_at(world, "/v1/events", "");

        world_run(world, 10);
        world_publish(world, &world->vms[0]);
        world->api = api_free(world->api);
        assert_true(world_read_until(world, quiet, "id: 1\n")); /* the last word of a daemon that ends */
        assert_true(world_is_closed(world, quiet));
        world_restart(world);
        close(full);
        full = listen_at(world, "/v1/events", "");
        for (int i = 1; i <= 300; i++)
                world_publish(world, &world->vms[0]);
        world->api = api_free(world->api);
        assert_true(world_is_closed(world, full));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin, world_end)
                SENTENCE(a_verdict_is_told_on_one_line_with_its_number),
                SENTENCE(a_stream_begins_now_unless_it_says_where),
                SENTENCE(a_number_of_another_history_begins_now),
                SENTENCE(a_bad_last_event_id_is_refused),
                SENTENCE(what_is_stored_while_one_resumes_is_told_once),
                SENTENCE(verdicts_of_another_process_leave_no_gap),
                SENTENCE(a_verdict_that_no_disk_holds_is_told_without_a_number),
                SENTENCE(a_storm_is_told_whole_and_in_order),
                SENTENCE(the_queue_is_bounded),
                SENTENCE(what_is_far_behind_is_found),
                SENTENCE(the_last_that_does_not_fit_is_told),
                SENTENCE(a_listener_who_takes_nothing_is_dropped_and_can_resume),
                SENTENCE(a_quiet_stream_is_kept),
                SENTENCE(a_listener_who_has_gone_is_noticed_and_a_quiet_one_costs_nothing),
                SENTENCE(who_asks_for_the_head_of_a_stream_gets_no_body),
                SENTENCE(streams_are_ended_with_the_api),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
