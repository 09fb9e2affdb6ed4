#include "sources/qemu/qmp_relay.h"
#include "sources/qemu/qmp_reader.h"
#include "sources/qemu/qmp_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A client's message, from its being understood to its answer. */
struct command {
        struct command *next;
        struct relay_client *client; /* in flight; NULL: gone, or a marker of ours */
        uint64_t number;
        char *id; /* the client's, in its own bytes; NULL: none */
        size_t n_id;
        char *text; /* what QEMU is to hear; or the answer, where is_answer */
        size_t n_text;
        const char *request;
        bool is_answer, is_oob, takes_fds;
        bool is_asked, is_released;
        int fds[RELAY_FDS_MAX];
        size_t n_fds;
        bool had_fds;
};

struct queue {
        struct command *first, **end;
};

struct relay_client {
        struct relay *relay;
        void *userdata;
        struct qmp_server server;
        struct qmp_reader reader;
        char *unread; /* bytes that wait for room in the queue; owned */
        size_t n_unread, n_read;
        struct queue queue;
        size_t n_queue;
        size_t n_flight, n_oob_flight;
        int fds[RELAY_FDS_MAX];
        size_t n_fds;
        char *output;
        size_t n_output, n_sent, capacity;
        bool is_greeted, hears_events, is_ended, is_mute;
        const char *defect;
};

struct relay {
        struct relay_client *clients[RELAY_CLIENTS_MAX];
        size_t n_clients, turn;
        uint64_t next_number;
        void (*close_fd)(int fd);
        char *greeting;
        bool has_oob, is_ended;
        bool wants_marker;   /* an answer may have been lost: ask something, and what was not answered before that is lost */
        bool has_stale_fds;  /* QEMU may hold descriptors that no command took: a command without any must not get them */
        struct queue flight; /* in the order in which QEMU heard them */
        size_t n_flight;
        struct command *given; /* its text was given out */
};

/* --- commands and queues ----------------------------------------------------------------------------------------- */

static void close_fds(struct relay *relay, int *fds, size_t *n_fds) {
        while (*n_fds)
                relay->close_fd(fds[--*n_fds]);
}

static struct command *command_free(struct relay *relay, struct command *command) {
        if (!command)
                return NULL;
        close_fds(relay, command->fds, &command->n_fds);
        free(command->id);
        free(command->text);
        free(command);
        return NULL;
}

static void queue_add(struct queue *queue, struct command *command) {
        command->next = NULL;
        if (!queue->first)
                queue->end = &queue->first;
        *queue->end = command;
        queue->end = &command->next;
}

/* Take the command out that `link` points to. */
static struct command *queue_take(struct queue *queue, struct command **link) {
        struct command *command = *link;

        *link = command->next;
        if (!command->next)
                queue->end = link;
        return command;
}

/* --- what a client is sent --------------------------------------------------------------------------------------- */

static size_t waiting(const struct relay_client *client) {
        return client->n_output - client->n_sent;
}

static void say(struct relay_client *client, const char *text, size_t n_text) {
        char *larger;

        if (client->is_mute)
                return;
        if (client->n_sent) {
                memmove(client->output, client->output + client->n_sent, waiting(client));
                client->n_output -= client->n_sent;
                client->n_sent = 0;
        }
        if (client->n_output + n_text > client->capacity) {
                size_t wanted = client->n_output + n_text < 4096 ? 4096 : (client->n_output + n_text) * 3 / 2;

                larger = realloc(client->output, wanted);
                if (!larger) {
                        client->defect = "out of memory";
                        return;
                }
                client->output = larger;
                client->capacity = wanted;
        }
        memcpy(client->output + client->n_output, text, n_text);
        client->n_output += n_text;
}

/* Say it under the client's own id. */
static void answer(struct relay_client *client, const struct command *command, const char *text, size_t n_text) {
        char *spliced;
        size_t n_spliced;

        if (client->is_mute || !text)
                return;
        if (qmp_splice_id(&spliced, &n_spliced, text, n_text, (struct qmp_span){ command->id, command->n_id })) {
                client->defect = "out of memory";
                return;
        }
        say(client, spliced, n_spliced);
        free(spliced);
}

static void answer_error(struct relay_client *client, const struct command *command, const char *why) {
        char *text;
        size_t n_text;

        if (qmp_server_refuse(&text, &n_text, why)) {
                client->defect = "out of memory";
                return;
        }
        answer(client, command, text, n_text - strlen("\r\n"));
        free(text);
}

static void greet(struct relay_client *client) {
        const struct relay *relay = client->relay;

        if (client->is_greeted || !relay->greeting)
                return;
        client->is_greeted = true;
        client->server.offers_oob = relay->has_oob;
        say(client, relay->greeting, strlen(relay->greeting));
}

size_t relay_client_output(const struct relay_client *client, const char **ret_bytes) {
        *ret_bytes = client->output + client->n_sent;
        return waiting(client);
}

void relay_client_sent(struct relay_client *client, size_t n) {
        client->n_sent += n;
        if (client->n_sent == client->n_output) {
                free(client->output);
                client->output = NULL;
                client->n_output = client->n_sent = client->capacity = 0;
        }
}

/* --- what a client sends ----------------------------------------------------------------------------------------- */

static bool has_space(const struct relay_client *client) {
        return client->is_greeted && !client->relay->is_ended && !client->defect && client->n_queue < RELAY_QUEUE_MAX &&
               waiting(client) <= RELAY_OUTPUT_PAUSE;
}

bool relay_client_wants(const struct relay_client *client) {
        return !client->is_ended && !client->n_unread && has_space(client);
}

/* A message that was understood waits for its turn.  0 or -ENOMEM. */
static int enqueue(struct relay_client *client, struct qmp_order *order) {
        const char *text = client->reader.text;
        size_t n_text = client->reader.n_text;
        struct command *command = calloc(1, sizeof(*command));
        char number[24];
        int r = 0;

        if (!command)
                return -ENOMEM;
        command->is_oob = order->is_oob;
        if (order->id.at) {
                command->n_id = order->id.n;
                command->id = strndup(order->id.at, order->id.n);
                r = command->id ? 0 : -ENOMEM;
        }
        if (order->answer) {
                command->is_answer = true;
                command->text = order->answer;
                command->n_text = order->n_answer - strlen("\r\n");
                order->answer = NULL;
        } else if (!r) {
                command->number = client->relay->next_number++;
                command->request = order->request;
                command->takes_fds = order->takes_fds;
                if (order->takes_fds) {
                        memcpy(command->fds, client->fds, sizeof(client->fds));
                        command->n_fds = client->n_fds;
                        client->n_fds = 0;
                        command->had_fds = command->n_fds > 0;
                }
                r = qmp_splice_id(&command->text, &command->n_text, text, n_text,
                                  (struct qmp_span){ number, (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)command->number) });
        }
        if (r) {
                command_free(client->relay, command);
                return r;
        }
        queue_add(&client->queue, command);
        client->n_queue++;
        return 0;
}

static int take_message(struct relay_client *client) {
        struct qmp_order order;
        int r;

        r = qmp_server_take(&client->server, &order, client->reader.text, client->reader.n_text);
        if (!r)
                r = enqueue(client, &order);
        qmp_order_deinit(&order);
        return r;
}

static int take_defect(struct relay_client *client) {
        struct qmp_order order = { 0 };
        int r;

        r = qmp_server_refuse(&order.answer, &order.n_answer, client->reader.defect);
        if (!r)
                r = enqueue(client, &order);
        qmp_order_deinit(&order);
        return r;
}

static void forget_unread(struct relay_client *client) {
        free(client->unread);
        client->unread = NULL;
        client->n_unread = client->n_read = 0;
}

/* Understand as much as there is room for.  Was there any? */
static bool understand(struct relay_client *client) {
        bool progress = false;

        while (client->n_read < client->n_unread && has_space(client)) {
                size_t n;
                int r = qmp_reader_next(&client->reader, client->unread + client->n_read, client->n_unread - client->n_read, &n);

                client->n_read += n;
                progress = true;
                if (!r)
                        r = take_message(client);
                else if (r == QMP_READER_DEFECT)
                        r = take_defect(client);
                if (r == QMP_LINE_TOO_LONG)
                        client->defect = "it sent a message of more than 1 MiB";
                else if (r < 0)
                        client->defect = "out of memory";
        }
        if (client->n_read == client->n_unread || client->defect)
                forget_unread(client);
        return progress;
}

void relay_client_read(struct relay_client *client, const char *bytes, size_t n_bytes, const int *fds, size_t n_fds) {
        struct relay *relay = client->relay;
        char *larger;

        if (n_fds) {
                close_fds(relay, client->fds, &client->n_fds);
                for (size_t i = 0; i < n_fds; i++)
                        if (i < RELAY_FDS_MAX)
                                client->fds[client->n_fds++] = fds[i];
                        else
                                relay->close_fd(fds[i]);
        }
        if (client->is_ended || client->defect || relay->is_ended || !n_bytes)
                return;
        larger = realloc(client->unread, client->n_unread + n_bytes);
        if (!larger) {
                client->defect = "out of memory";
                return;
        }
        client->unread = larger;
        memcpy(larger + client->n_unread, bytes, n_bytes);
        client->n_unread += n_bytes;
        understand(client);
}

/* --- in turn ----------------------------------------------------------------------------------------------------- */

/*
 * Say what needs no QEMU, in its place: after the answers to what the client said before.  (What is out of band waits for
 * no answer.)  The first of them it may say at all is the negotiation's, which begins the events.
 */
static bool answer_some(struct relay_client *client) {
        bool progress = false;

        while (client->queue.first && client->queue.first->is_answer && (!client->n_flight || client->queue.first->is_oob)) {
                struct command *command = queue_take(&client->queue, &client->queue.first);

                client->n_queue--;
                answer(client, command, command->text, command->n_text);
                command_free(client->relay, command);
                progress = true;
        }
        if (!client->queue.first || !client->queue.first->is_answer)
                client->hears_events = client->server.is_negotiated;
        return progress;
}

/* Descriptors go one command at a time: QEMU keeps only the last that came, and reads ahead of what it runs. */
static bool fds_may_go(const struct relay *relay, const struct command *command) {
        if (!command->takes_fds)
                return true;
        for (const struct command *other = relay->flight.first; other; other = other->next)
                if (other->takes_fds)
                        return false;
        return true;
}

static bool may_go(const struct relay_client *client, const struct command *command) {
        const struct relay *relay = client->relay;

        if (command->is_oob)
                return client->n_oob_flight < RELAY_OOB_FLIGHT_MAX;
        return !command->is_answer && relay->n_flight < RELAY_FLIGHT_MAX && client->n_flight < RELAY_CLIENT_FLIGHT_MAX &&
               waiting(client) <= RELAY_OUTPUT_PAUSE && fds_may_go(relay, command);
}

static void give(struct relay *relay, struct command *command, struct relay_step *ret_step) {
        *ret_step = (struct relay_step){
                .kind = RELAY_FORWARD,
                .client = command->client ? command->client->userdata : NULL,
                .number = command->number,
                .request = command->request,
                .text = command->text,
                .n_text = command->n_text,
                .n_fds = command->n_fds,
        };
        memcpy(ret_step->fds, command->fds, sizeof(command->fds));
        command->n_fds = 0;
        relay->given = command;
        queue_add(&relay->flight, command);
        if (!command->is_oob)
                relay->n_flight++;
}

/* Would this command take what QEMU still holds of another's?  It is answered as if QEMU held nothing. */
static bool is_without_fds(struct relay *relay, struct command *command) {
        if (command->takes_fds && command->had_fds)
                relay->has_stale_fds = false;
        return command->takes_fds && !command->had_fds && relay->has_stale_fds;
}

static bool next_of_client(struct relay_client *client, bool has_room, struct relay_step *ret_step) {
        struct relay *relay = client->relay;
        bool is_blocked = false; /* for what is in band */

        for (struct command **link = &client->queue.first, *command; (command = *link); link = &command->next) {
                if (!command->is_oob && (is_blocked || !may_go(client, command))) {
                        is_blocked = true;
                        continue;
                }
                if (command->request && !command->is_released) {
                        if (command->is_asked)
                                return false;
                        command->is_asked = true;
                        *ret_step = (struct relay_step){
                                .kind = RELAY_REQUEST,
                                .client = client->userdata,
                                .number = command->number,
                                .request = command->request,
                        };
                        return true;
                }
                if (command->is_answer || !has_room || !may_go(client, command))
                        continue;
                if (is_without_fds(relay, command)) {
                        free(command->text);
                        command->is_answer = true;
                        command->text = NULL;
                        if (qmp_server_refuse(&command->text, &command->n_text, "No file descriptor supplied via SCM_RIGHTS"))
                                client->defect = "out of memory";
                        else
                                command->n_text -= strlen("\r\n");
                        is_blocked = true;
                        continue;
                }
                queue_take(&client->queue, link);
                client->n_queue--;
                command->client = client;
                if (command->is_oob)
                        client->n_oob_flight++;
                else
                        client->n_flight++;
                give(relay, command, ret_step);
                return true;
        }
        return false;
}

/* A question of ours: whatever was asked before it and is not answered by then is lost. */
static bool give_marker(struct relay *relay, struct relay_step *ret_step) {
        struct command *marker = calloc(1, sizeof(*marker));
        char text[QMP_SIMPLE_SIZE];

        if (!marker)
                return false;
        relay->wants_marker = false;
        marker->number = relay->next_number++;
        marker->n_text = (size_t)snprintf(text, sizeof(text), "{\"execute\": \"query-version\", \"id\": %llu}\r\n",
                                          (unsigned long long)marker->number);
        marker->text = strdup(text);
        if (!marker->text) {
                command_free(relay, marker);
                return false;
        }
        give(relay, marker, ret_step);
        return true;
}

bool relay_next(struct relay *relay, bool has_room, struct relay_step *ret_step) {
        if (relay->given) {
                free(relay->given->text);
                relay->given->text = NULL;
                relay->given = NULL;
        }
        if (relay->is_ended)
                return false;
        if (relay->wants_marker && has_room && give_marker(relay, ret_step))
                return true;
        for (size_t i = 0; i < relay->n_clients; i++) {
                size_t which = (relay->turn + i) % relay->n_clients;
                struct relay_client *client = relay->clients[which];

                do {
                        if (next_of_client(client, has_room, ret_step)) {
                                relay->turn = which + 1;
                                return true;
                        }
                } while (answer_some(client) | understand(client));
        }
        return false;
}

void relay_release(struct relay *relay, uint64_t number) {
        for (size_t i = 0; i < relay->n_clients; i++)
                for (struct command *command = relay->clients[i]->queue.first; command; command = command->next)
                        if (command->number == number && command->is_asked)
                                command->is_released = true;
}

/* --- what QEMU says ---------------------------------------------------------------------------------------------- */

/* Take the command out of the flight; its client, or NULL. */
static struct relay_client *land(struct relay *relay, struct command **link) {
        struct command *command = queue_take(&relay->flight, link);

        if (relay->given == command)
                relay->given = NULL;
        if (!command->is_oob)
                relay->n_flight--;
        if (!command->client)
                return NULL;
        if (command->is_oob)
                command->client->n_oob_flight--;
        else
                command->client->n_flight--;
        return command->client;
}

/* QEMU answers in order what is in band, so these will have no answer any more. */
static void give_up_before(struct relay *relay, const struct command *answered) {
        struct command **link = &relay->flight.first;

        while (*link != answered) {
                struct command *command = *link;
                struct relay_client *client;

                if (command->is_oob) {
                        link = &command->next;
                        continue;
                }
                client = land(relay, link);
                relay->has_stale_fds |= command->had_fds;
                if (client)
                        answer_error(client, command, "vmpower could not read QEMU's answer (it may be longer than 1 MiB)");
                command_free(relay, command);
        }
}

static void hear_answer(struct relay *relay, const struct qmp_message *message, const char *text, size_t n_text) {
        json_int_t number = json_is_integer(message->id) ? json_integer_value(message->id) : -1;
        struct command **link = &relay->flight.first, *command;
        struct relay_client *client;

        while (*link && (json_int_t)(*link)->number != number)
                link = &(*link)->next;
        command = *link;
        if (!command)
                return;
        if (!command->is_oob) {
                give_up_before(relay, command);
                for (link = &relay->flight.first; *link != command; link = &(*link)->next)
                        ;
        }
        client = land(relay, link);
        if (command->had_fds && message->kind == QMP_ERROR)
                relay->has_stale_fds = true;
        if (client)
                answer(client, command, text, n_text);
        command_free(relay, command);
}

static void hear_event(struct relay *relay, const char *text, size_t n_text) {
        for (size_t i = 0; i < relay->n_clients; i++) {
                struct relay_client *client = relay->clients[i];

                if (!client->hears_events || client->is_mute || client->defect)
                        continue;
                if (waiting(client) > RELAY_OUTPUT_MAX) {
                        client->defect = "it does not read: more than 1 MiB waits for it";
                        continue;
                }
                say(client, text, n_text);
                say(client, "\r\n", 2);
        }
}

void relay_hear(struct relay *relay, const struct qmp_message *message, const char *text, size_t n_text) {
        switch (message->kind) {
        case QMP_EVENT:
                hear_event(relay, text, n_text);
                break;
        case QMP_RETURN:
        case QMP_ERROR:
                hear_answer(relay, message, text, n_text);
                break;
        case QMP_GREETING:
        case QMP_COMMAND:
                break;
        }
}

void relay_lose(struct relay *relay) {
        relay->wants_marker = relay->flight.first != NULL;
}

int relay_greet(struct relay *relay, const char *greeting, bool has_oob) {
        if (relay->greeting)
                return 0;
        relay->greeting = strdup(greeting);
        if (!relay->greeting)
                return -ENOMEM;
        relay->has_oob = has_oob;
        for (size_t i = 0; i < relay->n_clients; i++)
                greet(relay->clients[i]);
        return 0;
}

void relay_end(struct relay *relay) {
        relay->is_ended = true;
}

/* --- clients, and the relay -------------------------------------------------------------------------------------- */

int relay_add_client(struct relay *relay, void *userdata, struct relay_client **ret_client) {
        struct relay_client *client;

        if (relay->n_clients == RELAY_CLIENTS_MAX)
                return -ENOBUFS;
        client = calloc(1, sizeof(*client));
        if (!client)
                return -ENOMEM;
        client->relay = relay;
        client->userdata = userdata;
        client->queue.end = &client->queue.first;
        relay->clients[relay->n_clients++] = client;
        greet(client);
        *ret_client = client;
        return 0;
}

void relay_client_end(struct relay_client *client) {
        client->is_ended = true;
}

void relay_client_mute(struct relay_client *client) {
        client->is_mute = true;
        relay_client_sent(client, waiting(client));
}

const char *relay_client_defect(const struct relay_client *client) {
        return client->defect;
}

bool relay_client_is_over(const struct relay_client *client) {
        if (waiting(client))
                return false;
        if (client->relay->is_ended)
                return true;
        return client->is_ended && !client->queue.first && !client->n_unread &&
               (client->is_mute || (!client->n_flight && !client->n_oob_flight));
}

struct relay_client *relay_client_free(struct relay_client *client) {
        struct relay *relay;

        if (!client)
                return NULL;
        relay = client->relay;
        for (size_t i = 0; i < relay->n_clients; i++)
                if (relay->clients[i] == client) {
                        memmove(&relay->clients[i], &relay->clients[i + 1], (--relay->n_clients - i) * sizeof(relay->clients[0]));
                        relay->turn -= relay->turn > i;
                        break;
                }
        for (struct command *command = relay->flight.first; command; command = command->next)
                if (command->client == client)
                        command->client = NULL;
        while (client->queue.first)
                command_free(relay, queue_take(&client->queue, &client->queue.first));
        close_fds(relay, client->fds, &client->n_fds);
        qmp_reader_deinit(&client->reader);
        forget_unread(client);
        free(client->output);
        free(client);
        return NULL;
}

struct relay *relay_free(struct relay *relay) {
        if (!relay)
                return NULL;
        while (relay->n_clients)
                relay_client_free(relay->clients[0]);
        while (relay->flight.first)
                command_free(relay, queue_take(&relay->flight, &relay->flight.first));
        free(relay->greeting);
        free(relay);
        return NULL;
}

int relay_new(struct relay **ret_relay, uint64_t first_id, void (*close_fd)(int fd)) {
        struct relay *relay = calloc(1, sizeof(*relay));

        if (!relay)
                return -ENOMEM;
        relay->next_number = first_id;
        relay->close_fd = close_fd;
        relay->flight.end = &relay->flight.first;
        *ret_relay = relay;
        return 0;
}
