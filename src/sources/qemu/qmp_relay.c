#include "sources/qemu/qmp_relay.h"
#include "sources/qemu/relay_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- in turn ----------------------------------------------------------------------------------------------------- */

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
               relay_client_waiting(client) <= RELAY_OUTPUT_PAUSE && fds_may_go(relay, command);
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
                        if (command_refuse(command, "No file descriptor supplied via SCM_RIGHTS"))
                                client->defect = "out of memory";
                        is_blocked = true;
                        continue;
                }
                relay_client_take(client, link);
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

static bool give_answered(struct relay *relay, struct relay_step *ret_step) {
        command_free(relay, relay->told);
        relay->told = NULL;
        if (!relay->answered.first)
                return false;
        relay->told = queue_take(&relay->answered, &relay->answered.first);
        relay->n_answered--;
        *ret_step = (struct relay_step){
                .kind = RELAY_ANSWERED,
                .number = relay->told->number,
                .record = relay->told->record,
                .request = relay->told->request,
                .text = relay->told->text,
                .n_text = relay->told->n_text,
        };
        return true;
}

bool relay_next(struct relay *relay, bool has_room, struct relay_step *ret_step) {
        if (relay->given) {
                free(relay->given->text);
                relay->given->text = NULL;
                relay->given = NULL;
        }
        if (give_answered(relay, ret_step))
                return true;
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
                } while (relay_client_work(client));
        }
        return false;
}

/* Of those whose record is being made. */
static struct command *find_asked(struct relay *relay, uint64_t number) {
        for (size_t i = 0; i < relay->n_clients; i++)
                for (struct command *command = relay->clients[i]->queue.first; command; command = command->next)
                        if (command->number == number && command->is_asked)
                                return command;
        return NULL;
}

void relay_note(struct relay *relay, uint64_t number, uint64_t record) {
        struct command *command = find_asked(relay, number);

        if (command)
                command->record = record;
}

void relay_release(struct relay *relay, uint64_t number) {
        struct command *command = find_asked(relay, number);

        if (command)
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
                        relay_client_answer_error(client, command, "vmpower could not read QEMU's answer (it may be longer than 1 MiB)");
                command_free(relay, command);
        }
}

/* A command of the human monitor answers with text alone, and one that changes the VM's power has none unless it failed (QEMU, monitor/hmp.c). */
static const char *refusal(const struct qmp_message *message) {
        const char *text = message->kind == QMP_RETURN ? json_string_value(message->data) : NULL;

        if (message->kind == QMP_ERROR)
                return message->error_text ? message->error_text : "";
        return text && (!strncmp(text, "Error: ", 7) || strstr(text, "\nTry \"help ")) ? text : NULL;
}

/* Whoever looks for the cause of what comes is told of it.  Its client may have gone. */
static void note_answered(struct relay *relay, struct command *command, const char *why) {
        char *text = why ? strdup(why) : NULL;

        if ((why && !text) || relay->n_answered == RELAY_ANSWERED_MAX) {
                free(text);
                command_free(relay, command);
                return;
        }
        free(command->text);
        command->text = text;
        command->n_text = text ? strlen(text) : 0;
        command->client = NULL;
        queue_add(&relay->answered, command);
        relay->n_answered++;
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
                relay_client_answer(client, command, text, n_text);
        if (command->record)
                note_answered(relay, command, refusal(message));
        else
                command_free(relay, command);
}

static void hear_event(struct relay *relay, const char *text, size_t n_text) {
        for (size_t i = 0; i < relay->n_clients; i++) {
                struct relay_client *client = relay->clients[i];

                if (!client->hears_events || client->is_mute || client->defect)
                        continue;
                if (relay_client_waiting(client) > RELAY_OUTPUT_MAX) {
                        client->defect = "it does not read: more than 1 MiB waits for it";
                        continue;
                }
                relay_client_say(client, text, n_text);
                relay_client_say(client, "\r\n", 2);
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

void relay_greet(struct relay *relay, const char *greeting, bool has_oob) {
        if (relay->greeting)
                return;
        relay->greeting = greeting;
        relay->has_oob = has_oob;
        for (size_t i = 0; i < relay->n_clients; i++)
                relay_client_greet(relay->clients[i]);
}

void relay_end(struct relay *relay) {
        relay->is_ended = true;
}

/* --- the relay --------------------------------------------------------------------------------------------------- */

struct relay *relay_free(struct relay *relay) {
        if (!relay)
                return NULL;
        while (relay->n_clients)
                relay_client_free(relay->clients[0]);
        free(relay->clients);
        while (relay->flight.first)
                command_free(relay, queue_take(&relay->flight, &relay->flight.first));
        while (relay->answered.first)
                command_free(relay, queue_take(&relay->answered, &relay->answered.first));
        command_free(relay, relay->told);
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
