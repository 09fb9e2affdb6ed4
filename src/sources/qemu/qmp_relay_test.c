/* The relay between clients and a QEMU that are nothing but text: whose answer is whose, in which order, and how much. */
#include "sources/qemu/qmp_relay.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define GREETING "{\"QMP\": {}}\r\n"
#define NEGOTIATE "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}"

enum {
        CLIENTS = 4,
        FIRST_ID = 1000,
};

static int n_closed_fds;

static void count_fd(int fd) {
        n_closed_fds++;
}

struct world {
        struct relay *relay;
        struct relay_client *clients[CLIENTS];
        bool holds; /* requests are released by the test, not at once */
        uint64_t held;
        char heard[4096]; /* what QEMU heard: "execute@id" of each, and "request?" where one was told of */
        int last_fds[RELAY_FDS_MAX];
        size_t n_last_fds;
};

static void world_begin(struct world *world) {
        *world = (struct world){ 0 };
        n_closed_fds = 0;
        assert_int_equal(relay_new(&world->relay, FIRST_ID, count_fd), 0);
        relay_greet(world->relay, GREETING, true);
        for (size_t i = 0; i < CLIENTS; i++)
                assert_int_equal(relay_add_client(world->relay, &world->clients[i], &world->clients[i]), 0);
}

static void world_end(struct world *world) {
        relay_free(world->relay);
}

static void pump(struct world *world) {
        struct relay_step step;

        while (relay_next(world->relay, true, &step)) {
                size_t n = strlen(world->heard);

                if (step.kind == RELAY_REQUEST) {
                        snprintf(world->heard + n, sizeof(world->heard) - n, "%s? ", step.request);
                        world->held = step.number;
                        if (!world->holds)
                                relay_release(world->relay, step.number);
                        continue;
                }
                cleanup(freep) char *text = strndup(step.text, step.n_text);
                json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

                assert_non_null(root);
                assert_int_equal(json_integer_value(json_object_get(root, "id")), step.number);
                snprintf(world->heard + n, sizeof(world->heard) - n, "%s@%d ",
                         json_string_value(json_object_get(root, json_object_get(root, "execute") ? "execute" : "exec-oob")), (int)step.number);
                json_decref(root);
                memcpy(world->last_fds, step.fds, sizeof(step.fds));
                world->n_last_fds = step.n_fds;
        }
}

static void send_fds(struct world *world, size_t client, const char *text, const int *fds, size_t n_fds) {
        relay_client_read(world->clients[client], text, strlen(text), fds, n_fds);
        pump(world);
}

static void send_text(struct world *world, size_t client, const char *text) {
        send_fds(world, client, text, NULL, 0);
}

static void qemu_says(struct world *world, const char *text) {
        struct qmp_message message;

        assert_int_equal(qmp_message_decode(&message, text, strlen(text)), 0);
        relay_hear(world->relay, &message, text, strlen(text));
        qmp_message_deinit(&message);
        pump(world);
}

static void qemu_returns(struct world *world, int id) {
        char text[64];

        snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %d}", id);
        qemu_says(world, text);
}

/* What the client has got since it was last asked; lines end in "|". */
static const char *got(struct world *world, size_t client) {
        static char text[8192];
        const char *bytes;
        size_t n = relay_client_output(world->clients[client], &bytes), n_text = 0;

        for (size_t i = 0; i < n && n_text < sizeof(text) - 1; i++)
                if (bytes[i] != '\r')
                        text[n_text++] = bytes[i] == '\n' ? '|' : bytes[i];
        text[n_text] = '\0';
        relay_client_sent(world->clients[client], n);
        pump(world);
        return text;
}

static void negotiate(struct world *world) {
        for (size_t i = 0; i < CLIENTS; i++) {
                send_text(world, i, NEGOTIATE);
                assert_string_equal(got(world, i), "{\"QMP\": {}}|{\"return\":{}}|");
        }
        assert_string_equal(world->heard, "");
}

#define expect_heard(world, text)                                                                                     \
        do {                                                                                                          \
                assert_string_equal((world)->heard, text);                                                            \
                (world)->heard[0] = '\0';                                                                             \
        } while (0)

static void the_same_ids_of_two_clients_are_two_commands(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\", \"id\": 1}");
        send_text(&world, 1, "{\"execute\": \"b\", \"id\": 1}");
        expect_heard(&world, "a@1000 b@1001 ");
        qemu_says(&world, "{\"return\": 18446744073709551615, \"id\": 1000}");
        qemu_says(&world, "{\"id\": 1001, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}");
        assert_string_equal(got(&world, 0), "{\"return\": 18446744073709551615, \"id\": 1}|");
        assert_string_equal(got(&world, 1), "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}|");
        assert_string_equal(got(&world, 2), "");
        world_end(&world);
}

static void events_are_for_all_who_have_negotiated(void **state) {
        struct world world;

        world_begin(&world);
        send_text(&world, 0, NEGOTIATE);
        qemu_says(&world, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}");
        assert_string_equal(got(&world, 0), "{\"QMP\": {}}|{\"return\":{}}|{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}|");
        assert_string_equal(got(&world, 1), "{\"QMP\": {}}|");
        world_end(&world);
}

static void our_own_answer_waits_for_those_before_it(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\", \"id\": 1} 7 {\"execute\": \"b\", \"id\": 2}");
        expect_heard(&world, "a@1000 ");
        assert_string_equal(got(&world, 0), "");
        qemu_returns(&world, 1000);
        assert_string_equal(got(&world, 0), "{\"return\": {}, \"id\": 1}|{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input must be a JSON object\"}}|");
        expect_heard(&world, "b@1001 ");
        world_end(&world);
}

static void what_a_socket_takes_in_pieces_arrives_whole(void **state) {
        const char *wanted = "{\"return\": {}, \"id\": 1}\r\n{\"return\": {}, \"id\": 2}\r\n", *bytes;
        char text[128] = "";
        struct world world;
        size_t n;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\", \"id\": 1} {\"execute\": \"b\", \"id\": 2}");
        qemu_returns(&world, 1000);
        while ((n = relay_client_output(world.clients[0], &bytes))) {
                n = n < 7 ? n : 7;
                strncat(text, bytes, n);
                relay_client_sent(world.clients[0], n);
                if (strlen(text) == 14)
                        qemu_returns(&world, 1001);
                assert_true(strlen(text) <= strlen(wanted));
        }
        assert_string_equal(text, wanted);
        world_end(&world);
}

static void out_of_band_overtakes_what_waits(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\"} {\"execute\": \"b\"} {\"execute\": \"c\"} {\"exec-oob\": \"d\", \"id\": 9}");
        expect_heard(&world, "a@1000 b@1001 d@1003 ");
        qemu_returns(&world, 1003);
        assert_string_equal(got(&world, 0), "{\"return\": {}, \"id\": 9}|");
        qemu_returns(&world, 1000);
        expect_heard(&world, "c@1002 ");
        world_end(&world);
}

static void a_request_waits_for_its_record_and_its_client_behind_it(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        world.holds = true;
        send_text(&world, 0, "{\"execute\": \"a\"} {\"execute\": \"quit\"} {\"execute\": \"b\"} {\"exec-oob\": \"d\"}");
        expect_heard(&world, "a@1000 quit? ");
        send_text(&world, 1, "{\"execute\": \"c\"}");
        expect_heard(&world, "c@1004 ");
        relay_release(world.relay, 4711);
        pump(&world);
        expect_heard(&world, "");
        relay_release(world.relay, world.held);
        pump(&world);
        expect_heard(&world, "quit@1001 d@1003 ");
        qemu_returns(&world, 1000);
        expect_heard(&world, "b@1002 ");
        world_end(&world);
}

static void a_request_is_told_of_only_when_it_could_go(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\"} {\"execute\": \"b\"} {\"execute\": \"quit\"}");
        expect_heard(&world, "a@1000 b@1001 ");
        qemu_returns(&world, 1000);
        expect_heard(&world, "quit? quit@1002 ");
        world_end(&world);
}

static void the_clients_take_turns(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        for (int i = 0; i < 8; i++)
                send_text(&world, 0, "{\"execute\": \"a\"}");
        send_text(&world, 1, "{\"execute\": \"b\"}");
        send_text(&world, 2, "{\"execute\": \"c\"}");
        send_text(&world, 3, "{\"execute\": \"d\"}");
        expect_heard(&world, "a@1000 a@1001 b@1008 c@1009 ");
        assert_true(relay_client_wants(world.clients[0])); /* six wait */
        qemu_returns(&world, 1000);
        expect_heard(&world, "d@1010 ");
        qemu_returns(&world, 1001);
        expect_heard(&world, "a@1002 ");
        world_end(&world);
}

static void a_client_that_is_ahead_of_qemu_is_not_heard(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        for (int i = 0; i < 10; i++) {
                assert_true(relay_client_wants(world.clients[0]));
                send_text(&world, 0, "{\"execute\": \"a\"}");
        }
        assert_false(relay_client_wants(world.clients[0]));
        assert_true(relay_client_wants(world.clients[1]));
        for (int i = 0; i < 10; i++)
                qemu_returns(&world, 1000 + i);
        assert_true(relay_client_wants(world.clients[0]));
        world_end(&world);
}

static void long_commands_wait_in_the_clients_own_socket(void **state) {
        struct world world;
        static char command[400 * 1024];
        int n = 0;

        world_begin(&world);
        negotiate(&world);
        memset(command, 'x', sizeof(command));
        memcpy(command, "{\"execute\": \"x\", \"id\": \"", 24);
        strcpy(command + sizeof(command) - 3, "\"}");
        for (; relay_client_wants(world.clients[0]); n++)
                send_text(&world, 0, command);
        assert_int_equal(n, RELAY_CLIENT_FLIGHT_MAX + 3);
        world_end(&world);
}

static void a_client_that_does_not_read_is_not_heard_and_then_dropped(void **state) {
        struct world world;
        static char event[4096];
        const char *bytes;

        world_begin(&world);
        negotiate(&world);
        memset(event, 'x', sizeof(event));
        memcpy(event, "{\"event\": \"", 11);
        strcpy(event + sizeof(event) - 3, "\"}");
        for (size_t n = 0; relay_client_output(world.clients[0], &bytes) <= RELAY_OUTPUT_PAUSE; n++) {
                assert_true(relay_client_wants(world.clients[0]));
                qemu_says(&world, event);
                got(&world, 1);
        }
        assert_false(relay_client_wants(world.clients[0]));
        send_text(&world, 0, "{\"execute\": \"a\"}");
        expect_heard(&world, "");
        for (size_t n = 0; !relay_client_defect(world.clients[0]); n++) {
                assert_true(n < RELAY_OUTPUT_MAX / sizeof(event) + 2);
                qemu_says(&world, event);
                got(&world, 1);
        }
        assert_true(relay_client_output(world.clients[0], &bytes) <= RELAY_OUTPUT_MAX + sizeof(event));
        assert_null(relay_client_defect(world.clients[1]));
        relay_client_end(world.clients[0]);
        relay_client_mute(world.clients[0]);
        pump(&world);
        assert_true(relay_client_is_over(world.clients[0]));
        world_end(&world);
}

static void brackets_by_the_thousand_are_answered_as_they_are_read(void **state) {
        struct world world;
        static char brackets[200001];
        const char *bytes;
        size_t n_answers = 0;

        world_begin(&world);
        negotiate(&world);
        memset(brackets, ']', 200000);
        send_text(&world, 0, brackets);
        for (size_t n; (n = relay_client_output(world.clients[0], &bytes)); pump(&world)) {
                assert_true(n < RELAY_OUTPUT_PAUSE + 1024);
                for (size_t i = 0; i < n; i++)
                        n_answers += bytes[i] == '\n';
                relay_client_sent(world.clients[0], n);
        }
        assert_int_equal(n_answers, 200000);
        world_end(&world);
}

static void a_lost_answer_is_told_once_that_is_sure(void **state) {
        struct world world;
        const char *text;

        world_begin(&world);
        negotiate(&world);
        send_text(&world, 0, "{\"execute\": \"a\", \"id\": \"x\"}");
        relay_lose(world.relay);
        pump(&world);
        expect_heard(&world, "a@1000 query-version@1001 ");
        assert_string_equal(got(&world, 0), "");
        send_text(&world, 1, "{\"execute\": \"b\"}");
        qemu_returns(&world, 1001);
        text = got(&world, 0);
        assert_non_null(strstr(text, "vmpower could not read QEMU's answer"));
        assert_non_null(strstr(text, "\"id\": \"x\""));
        assert_string_equal(got(&world, 1), "");
        qemu_returns(&world, 1002);
        assert_string_equal(got(&world, 1), "{\"return\": {}}|");
        relay_lose(world.relay); /* nothing is under way */
        pump(&world);
        expect_heard(&world, "b@1002 ");
        world_end(&world);
}

static void descriptors_go_with_the_command_that_takes_them_one_at_a_time(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_fds(&world, 0, "{\"execute\": \"a\"}", (int[]){ 50, 51 }, 2);
        assert_int_equal(world.n_last_fds, 0);
        send_text(&world, 0, "{\"execute\": \"getfd\"}");
        assert_int_equal(world.n_last_fds, 2);
        assert_int_equal(world.last_fds[1], 51);
        send_fds(&world, 1, "{\"execute\": \"add-fd\"}", (int[]){ 60 }, 1);
        expect_heard(&world, "a@1000 getfd@1001 ");
        qemu_returns(&world, 1000);
        expect_heard(&world, "");
        qemu_returns(&world, 1001);
        expect_heard(&world, "add-fd@1002 ");
        assert_int_equal(world.n_last_fds, 1);
        assert_int_equal(n_closed_fds, 0);
        /* Others come before the first were taken: these are dropped, as in QEMU. */
        send_fds(&world, 2, " ", (int[]){ 70, 71 }, 2);
        send_fds(&world, 2, " ", (int[]){ 72 }, 1);
        assert_int_equal(n_closed_fds, 2);
        world_end(&world);
        assert_int_equal(n_closed_fds, 3);
}

static void what_qemu_kept_of_one_client_is_not_given_to_another(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        send_fds(&world, 0, "{\"execute\": \"getfd\"}", (int[]){ 50 }, 1);
        qemu_says(&world, "{\"id\": 1000, \"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'fdname' is missing\"}}");
        world.heard[0] = '\0';
        /* Told at once, before what was asked after it is answered. */
        send_text(&world, 1, "{\"execute\": \"getfd\", \"id\": 5} {\"execute\": \"a\", \"id\": 6}");
        assert_non_null(strstr(got(&world, 1), "No file descriptor supplied via SCM_RIGHTS"));
        expect_heard(&world, "a@1002 ");
        qemu_returns(&world, 1002);
        assert_string_equal(got(&world, 1), "{\"return\": {}, \"id\": 6}|");
        send_fds(&world, 1, "{\"execute\": \"getfd\", \"id\": 5}", (int[]){ 51 }, 1);
        send_text(&world, 2, "{\"execute\": \"getfd\", \"id\": 5}");
        qemu_returns(&world, 1003);
        expect_heard(&world, "getfd@1003 getfd@1004 ");
        world_end(&world);
}

static void a_client_that_goes_leaves_its_commands_and_not_its_answers(void **state) {
        struct world world;

        world_begin(&world);
        negotiate(&world);
        world.holds = true;
        send_text(&world, 0, "{\"execute\": \"a\"} {\"execute\": \"quit\"} {\"execute\": \"b");
        relay_client_end(world.clients[0]);
        relay_client_mute(world.clients[0]);
        pump(&world);
        assert_false(relay_client_is_over(world.clients[0]));
        relay_release(world.relay, world.held);
        pump(&world);
        expect_heard(&world, "a@1000 quit? quit@1001 ");
        assert_true(relay_client_is_over(world.clients[0]));
        world.clients[0] = relay_client_free(world.clients[0]);
        qemu_returns(&world, 1000);
        qemu_returns(&world, 1001);
        send_text(&world, 1, "{\"execute\": \"c\"}");
        expect_heard(&world, "c@1002 ");
        world_end(&world);
}

static void nothing_is_heard_before_qemus_greeting_or_after_its_end(void **state) {
        struct relay *relay;
        struct relay_client *client;
        const char *bytes;

        assert_int_equal(relay_new(&relay, FIRST_ID, count_fd), 0);
        assert_int_equal(relay_add_client(relay, NULL, &client), 0);
        assert_false(relay_client_wants(client));
        assert_int_equal(relay_client_output(client, &bytes), 0);
        relay_greet(relay, GREETING, false);
        assert_true(relay_client_wants(client));
        assert_int_equal(relay_client_output(client, &bytes), strlen(GREETING));
        relay_end(relay);
        assert_false(relay_client_wants(client));
        assert_false(relay_client_is_over(client));
        relay_client_sent(client, strlen(GREETING));
        assert_true(relay_client_is_over(client));
        relay_free(relay);
}

static void there_are_so_many_clients_and_no_more(void **state) {
        struct world world;
        struct relay_client *client;

        world_begin(&world);
        for (int i = CLIENTS; i < RELAY_CLIENTS_MAX; i++)
                assert_int_equal(relay_add_client(world.relay, NULL, &client), 0);
        assert_int_equal(relay_add_client(world.relay, NULL, &client), -ENOBUFS);
        world_end(&world);
}

/* --- laws -------------------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

/*
 * Four clients say numbered commands in pieces of any size; a QEMU answers in band in order, out of band at once, now and
 * then with a long answer.  Each client gets exactly
 * its own answers, once each, and in its own order what is in band.
 */
static void each_client_gets_its_own_answers_in_its_own_order(void **state) {
        for (uint64_t seed = 1; seed <= 60; seed++) {
                struct world world;
                uint64_t random = seed * 0x9e3779b97f4a7c15u;
                int said[CLIENTS] = { 0 }, n_got[CLIENTS] = { 0 }, next[CLIENTS] = { 0 };
                static char unsaid[CLIENTS][256];
                int flight[64], n_flight = 0; /* their ids; below zero: out of band */

                world_begin(&world);
                negotiate(&world);
                memset(unsaid, 0, sizeof(unsaid));
                for (int turn = 0; turn < 3000; turn++) {
                        size_t i = next_random(&random) % CLIENTS;
                        struct relay_client *client = world.clients[i];
                        struct relay_step step;
                        size_t n = strlen(unsaid[i]), n_now;

                        if (!n && said[i] < 100) {
                                int number = said[i]++;
                                const char *kind = next_random(&random) % 5 ? "execute" : "exec-oob";

                                if (next_random(&random) % 7 == 0)
                                        snprintf(unsaid[i], sizeof(unsaid[i]), "{\"execute\":\"qmp_capabilities\",\"id\":[\"execute\",%d]}", number);
                                else
                                        snprintf(unsaid[i], sizeof(unsaid[i]), "{\"%s\":\"c\",\"id\":[\"%s\",%d]}", kind, kind, number);
                        } else if (n && relay_client_wants(client)) {
                                n_now = next_random(&random) % n + 1;
                                relay_client_read(client, unsaid[i], n_now, NULL, 0);
                                memmove(unsaid[i], unsaid[i] + n_now, n - n_now + 1);
                        }
                        while (relay_next(world.relay, next_random(&random) % 4 != 0, &step)) {
                                assert_int_equal(step.kind, RELAY_FORWARD);
                                if (strstr(step.text, "exec-oob")) {
                                        flight[n_flight++] = -(int)step.number;
                                } else {
                                        flight[n_flight++] = (int)step.number;
                                }
                                assert_true(n_flight < 64);
                        }
                        for (int k = 0, band = 0; k < n_flight; k++)
                                if (flight[k] > 0)
                                        assert_true(++band <= RELAY_FLIGHT_MAX);
                        /* Any that is out of band, or the first that is not. */
                        if (n_flight && next_random(&random) % 2) {
                                int k = (int)(next_random(&random) % (uint64_t)n_flight);
                                struct qmp_message message;
                                char text[64];

                                if (flight[k] > 0)
                                        for (k = 0; flight[k] < 0; k++)
                                                ;
                                snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %d}", flight[k] < 0 ? -flight[k] : flight[k]);
                                memmove(&flight[k], &flight[k + 1], (size_t)(--n_flight - k) * sizeof(flight[0]));
                                assert_int_equal(qmp_message_decode(&message, text, strlen(text)), 0);
                                relay_hear(world.relay, &message, text, strlen(text));
                                qmp_message_deinit(&message);
                        }
                        for (size_t c = 0; c < CLIENTS; c++) {
                                const char *bytes;

                                n = relay_client_output(world.clients[c], &bytes);
                                for (const char *line = bytes; line < bytes + n; line = (const char *)memchr(line, '\n', (size_t)(bytes + n - line)) + 1) {
                                        json_t *root = json_loadb(line, (size_t)((const char *)memchr(line, '\n', (size_t)(bytes + n - line)) - line), 0, NULL);
                                        json_t *id = json_object_get(root, "id");
                                        bool is_oob = !strcmp(json_string_value(json_array_get(id, 0)), "exec-oob");
                                        int number = (int)json_integer_value(json_array_get(id, 1));

                                        n_got[c]++;
                                        if (!is_oob) {
                                                assert_true(number >= next[c]);
                                                next[c] = number + 1;
                                        }
                                        json_decref(root);
                                }
                                relay_client_sent(world.clients[c], n);
                        }
                }
                assert_int_equal(n_flight, 0);
                for (size_t c = 0; c < CLIENTS; c++) {
                        assert_int_equal(said[c], 100);
                        assert_int_equal(n_got[c], 100);
                }
                world_end(&world);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_ids_of_two_clients_are_two_commands),
                cmocka_unit_test(events_are_for_all_who_have_negotiated),
                cmocka_unit_test(our_own_answer_waits_for_those_before_it),
                cmocka_unit_test(what_a_socket_takes_in_pieces_arrives_whole),
                cmocka_unit_test(out_of_band_overtakes_what_waits),
                cmocka_unit_test(a_request_waits_for_its_record_and_its_client_behind_it),
                cmocka_unit_test(a_request_is_told_of_only_when_it_could_go),
                cmocka_unit_test(the_clients_take_turns),
                cmocka_unit_test(a_client_that_is_ahead_of_qemu_is_not_heard),
                cmocka_unit_test(long_commands_wait_in_the_clients_own_socket),
                cmocka_unit_test(a_client_that_does_not_read_is_not_heard_and_then_dropped),
                cmocka_unit_test(brackets_by_the_thousand_are_answered_as_they_are_read),
                cmocka_unit_test(a_lost_answer_is_told_once_that_is_sure),
                cmocka_unit_test(descriptors_go_with_the_command_that_takes_them_one_at_a_time),
                cmocka_unit_test(what_qemu_kept_of_one_client_is_not_given_to_another),
                cmocka_unit_test(a_client_that_goes_leaves_its_commands_and_not_its_answers),
                cmocka_unit_test(nothing_is_heard_before_qemus_greeting_or_after_its_end),
                cmocka_unit_test(there_are_so_many_clients_and_no_more),
                cmocka_unit_test(each_client_gets_its_own_answers_in_its_own_order),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
