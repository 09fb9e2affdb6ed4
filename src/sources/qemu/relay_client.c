#include "sources/qemu/relay_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- commands and queues ----------------------------------------------------------------------------------------- */

static void close_fds(struct relay *relay, int *fds, size_t *n_fds) {
        while (*n_fds)
                relay->close_fd(fds[--*n_fds]);
}

void command_free(struct relay *relay, struct command *command) {
        if (!command)
                return;
        close_fds(relay, command->fds, &command->n_fds);
        free(command->id);
        free(command->text);
        free(command);
}

void queue_add(struct queue *queue, struct command *command) {
        command->next = NULL;
        if (!queue->first)
                queue->end = &queue->first;
        *queue->end = command;
        queue->end = &command->next;
}

struct command *queue_take(struct queue *queue, struct command **link) {
        struct command *command = *link;

        *link = command->next;
        if (!command->next)
                queue->end = link;
        return command;
}

struct command *relay_client_take(struct relay_client *client, struct command **link) {
        struct command *command = queue_take(&client->queue, link);

        client->n_queue--;
        client->n_queue_bytes -= command->n_bytes;
        return command;
}

/* --- what a client is sent --------------------------------------------------------------------------------------- */

size_t relay_client_waiting(const struct relay_client *client) {
        return client->n_output - client->n_sent;
}

void relay_client_say(struct relay_client *client, const char *text, size_t n_text) {
        char *larger;

        if (client->is_mute)
                return;
        if (client->n_sent) {
                memmove(client->output, client->output + client->n_sent, relay_client_waiting(client));
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

void relay_client_answer(struct relay_client *client, const struct command *command, const char *text, size_t n_text) {
        char *spliced;
        size_t n_spliced;

        if (client->is_mute || !text)
                return;
        if (qmp_splice_id(&spliced, &n_spliced, text, n_text, (struct qmp_span){ command->id, command->n_id })) {
                client->defect = "out of memory";
                return;
        }
        relay_client_say(client, spliced, n_spliced);
        free(spliced);
}

void relay_client_answer_error(struct relay_client *client, const struct command *command, const char *why) {
        char *text;
        size_t n_text;

        if (qmp_server_refuse(&text, &n_text, why)) {
                client->defect = "out of memory";
                return;
        }
        relay_client_answer(client, command, text, n_text - strlen("\r\n"));
        free(text);
}

void relay_client_greet(struct relay_client *client) {
        const struct relay *relay = client->relay;

        if (client->is_greeted || !relay->greeting)
                return;
        client->is_greeted = true;
        client->server.offers_oob = relay->has_oob;
        relay_client_say(client, relay->greeting, strlen(relay->greeting));
}

size_t relay_client_output(const struct relay_client *client, const char **ret_bytes) {
        *ret_bytes = client->output ? client->output + client->n_sent : NULL;
        return relay_client_waiting(client);
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
               client->n_queue_bytes < RELAY_QUEUE_BYTES && relay_client_waiting(client) <= RELAY_OUTPUT_PAUSE;
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
        command->n_bytes = command->n_text + command->n_id;
        queue_add(&client->queue, command);
        client->n_queue++;
        client->n_queue_bytes += command->n_bytes;
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

/*
 * Say what needs no QEMU, in its place: after the answers to what the client said before.  (What is out of band waits for
 * no answer.)  The first of them it may say at all is the negotiation's, which begins the events.
 */
static bool answer_some(struct relay_client *client) {
        bool progress = false;

        while (client->queue.first && client->queue.first->is_answer && (!client->n_flight || client->queue.first->is_oob)) {
                struct command *command = relay_client_take(client, &client->queue.first);

                relay_client_answer(client, command, command->text, command->n_text);
                command_free(client->relay, command);
                progress = true;
        }
        if (!client->queue.first || !client->queue.first->is_answer)
                client->hears_events = client->server.is_negotiated;
        return progress;
}

bool relay_client_work(struct relay_client *client) {
        bool answered = answer_some(client), understood = understand(client);

        return answered || understood;
}

int command_refuse(struct command *command, const char *why) {
        free(command->text);
        command->text = NULL;
        command->is_answer = true;
        if (qmp_server_refuse(&command->text, &command->n_text, why))
                return -ENOMEM;
        command->n_text -= strlen("\r\n");
        return 0;
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

int relay_add_client(struct relay *relay, void *userdata, struct relay_client **ret_client) {
        struct relay_client *client;

        if (relay->n_clients == RELAY_CLIENTS_MAX)
                return -ENOBUFS;
        if (!relay->clients)
                relay->clients = calloc(RELAY_CLIENTS_MAX, sizeof(struct relay_client *));
        if (!relay->clients)
                return -ENOMEM;
        client = calloc(1, sizeof(*client));
        if (!client)
                return -ENOMEM;
        client->relay = relay;
        client->userdata = userdata;
        client->queue.end = &client->queue.first;
        relay->clients[relay->n_clients++] = client;
        relay_client_greet(client);
        *ret_client = client;
        return 0;
}

void relay_client_end(struct relay_client *client) {
        client->is_ended = true;
}

void relay_client_mute(struct relay_client *client) {
        client->is_mute = true;
        relay_client_sent(client, relay_client_waiting(client));
}

const char *relay_client_defect(const struct relay_client *client) {
        return client->defect;
}

bool relay_client_is_over(const struct relay_client *client) {
        if (relay_client_waiting(client))
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
