/*
 * Fuzz: any bytes from any clients, and a QEMU that answers as it likes.
 *
 * The laws: what is passed on to QEMU is always one strict JSON object under an id of ours, each id once; no more than the
 * bound is with QEMU at a time; a request is told of before it goes, and goes only then; what a client hears are whole
 * lines of JSON; what waits for a client keeps its bound; descriptors are given to one owner, once.
 */
#include <stdint.h>
#include <string.h>

#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"
#include "sources/qemu/qmp_relay.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
        CLIENTS = 3,
        FLIGHT_MAX = RELAY_FLIGHT_MAX + CLIENTS * RELAY_OOB_FLIGHT_MAX + 1,
        FIRST_ID = 1000,
};

struct world {
        struct relay *relay;
        struct relay_client *clients[CLIENTS];
        uint64_t flight[FLIGHT_MAX]; /* ids with QEMU */
        bool is_oob[FLIGHT_MAX];
        size_t n_flight;
        uint64_t last_id, asked;
        bool is_asked;
};

static int n_fds; /* that the relay holds */

static void count_closed(int fd) {
        n_fds--;
}

static void hear_as_client(struct world *world, size_t i) {
        const char *bytes;
        size_t n = relay_client_output(world->clients[i], &bytes);

        law(n <= RELAY_OUTPUT_MAX + 2 * QMP_LINE_MAX);
        for (size_t at = 0; at < n;) {
                const char *end = memchr(bytes + at, '\n', n - at);
                struct qmp_message line;

                law(end);
                law(qmp_message_decode(&line, bytes + at, (size_t)(end - bytes) - at) >= 0 && json_is_object(line.root));
                qmp_message_deinit(&line);
                at = (size_t)(end - bytes) + 1;
        }
        relay_client_sent(world->clients[i], n);
}

static void pump(struct world *world, bool has_room) {
        struct relay_step step;

        while (relay_next(world->relay, has_room, &step)) {
                struct qmp_message command;
                size_t n_band = 0;

                if (step.kind == RELAY_REQUEST) {
                        law(step.request);
                        world->asked = step.number;
                        world->is_asked = true;
                        relay_note(world->relay, step.number, step.number);
                        continue;
                }
                if (step.kind == RELAY_ANSWERED) {
                        law(step.request && step.n_text == (step.text ? strlen(step.text) : 0) && step.record == step.number);
                        continue;
                }
                law(has_room);
                law(step.n_text > 2 && step.text[0] == '{' && !memcmp(step.text + step.n_text - 2, "\r\n", 2));
                law(!memchr(step.text, '\n', step.n_text - 1));
                /* It need not be a command, if only it is an object: QEMU says why not. */
                law(qmp_message_decode(&command, step.text, step.n_text - 2) >= 0 && json_is_object(command.root));
                law(json_integer_value(json_object_get(command.root, "id")) == (json_int_t)step.number);
                law(step.number >= FIRST_ID);
                for (size_t i = 0; i < world->n_flight; i++)
                        law(world->flight[i] != step.number);
                law(world->n_flight < FLIGHT_MAX);
                world->is_oob[world->n_flight] =
                        json_object_get(command.root, "exec-oob") && !json_object_get(command.root, "execute");
                world->flight[world->n_flight++] = step.number;
                for (size_t i = 0; i < world->n_flight; i++)
                        n_band += !world->is_oob[i];
                law(n_band <= RELAY_FLIGHT_MAX + 1); /* our marker comes on top */
                n_fds -= (int)step.n_fds;
                qmp_message_deinit(&command);
        }
}

static void say_as_qemu(struct world *world, const char *text) {
        struct qmp_message message;

        if (!qmp_message_decode(&message, text, strlen(text)))
                relay_hear(world->relay, &message, text, strlen(text));
        qmp_message_deinit(&message);
}

/* One that is out of band, or the first that is not; or, now and then, any. */
static void answer_as_qemu(struct world *world, uint8_t which) {
        char text[96];
        size_t i = world->n_flight ? which % world->n_flight : 0;

        if (!world->n_flight)
                return;
        if (!world->is_oob[i] && which < 250)
                for (i = 0; world->is_oob[i]; i++)
                        ;
        snprintf(text, sizeof(text), which & 1 ? "{\"return\": {}, \"id\": %llu}" : "{\"id\": %llu, \"error\": {\"class\": \"GenericError\", \"desc\": \"\"}}",
                 (unsigned long long)world->flight[i]);
        world->n_flight--;
        memmove(&world->flight[i], &world->flight[i + 1], (world->n_flight - i) * sizeof(world->flight[0]));
        memmove(&world->is_oob[i], &world->is_oob[i + 1], (world->n_flight - i) * sizeof(world->is_oob[0]));
        say_as_qemu(world, text);
}

/* Each step is two bytes, and those that the client says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct world world = { 0 };
        bool has_room = true;

        n_fds = 0;
        law(!relay_new(&world.relay, FIRST_ID, count_closed));
        for (size_t i = 0; i < CLIENTS; i++)
                law(!relay_add_client(world.relay, NULL, &world.clients[i]));
        relay_greet(world.relay, "{\"QMP\": {}}\r\n", true);
        for (size_t i = 0; i < CLIENTS; i++) {
                static const char negotiate[] = "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}";

                if (i)
                        relay_client_read(world.clients[i], negotiate, sizeof(negotiate) - 1, NULL, 0);
        }
        while (size >= 2) {
                size_t i = data[0] % CLIENTS, n = data[1];
                struct relay_client *client = world.clients[i];

                switch (data[0] / CLIENTS % 8) {
                case 0:
                case 1:
                case 2:
                        if (n > size - 2)
                                n = size - 2;
                        if (relay_client_wants(client)) {
                                bool has_fd = data[0] & 0x80;

                                n_fds += has_fd;
                                relay_client_read(client, (const char *)data + 2, n, &(int){ 7 }, has_fd);
                        }
                        data += n;
                        size -= n;
                        break;
                case 3:
                        answer_as_qemu(&world, data[1]);
                        break;
                case 4:
                        if (world.is_asked)
                                relay_release(world.relay, world.asked);
                        break;
                case 5:
                        say_as_qemu(&world, "{\"event\": \"STOP\"}");
                        break;
                case 6:
                        has_room = data[1] & 1;
                        if (data[1] == 2)
                                relay_lose(world.relay);
                        break;
                case 7:
                        if (data[1] == 1)
                                relay_client_end(client);
                        if (data[1] == 2)
                                relay_client_mute(client);
                        break;
                }
                data += 2;
                size -= 2;
                pump(&world, has_room);
                hear_as_client(&world, i);
                if (relay_client_is_over(client)) {
                        relay_client_free(client);
                        law(!relay_add_client(world.relay, NULL, &world.clients[i]));
                }
        }
        relay_free(world.relay);
        law(n_fds == 0);
        return 0;
}
