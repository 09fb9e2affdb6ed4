/*
 * Relay client: one client of a relay, from its bytes to its commands, and from answers back to bytes.
 *
 * The relay's own: what others may know of a client is in qmp_relay.h.  Knows what waits for QEMU and what waits for the
 * client.  Does not know whose turn it is.  Pure.
 */
#pragma once

#include "sources/qemu/qmp_reader.h"
#include "sources/qemu/qmp_relay.h"
#include "sources/qemu/qmp_server.h"

/* A client's message, from its being understood to its answer. */
struct command {
        struct command *next;
        struct relay_client *client; /* in flight; NULL: gone, or a marker of ours */
        uint64_t number;
        char *id; /* the client's, in its own bytes; NULL: none */
        size_t n_id;
        char *text; /* what QEMU is to hear; or the answer, where is_answer */
        size_t n_text;
        size_t n_bytes; /* that it counts for in its queue */
        const char *request;
        uint64_t record; /* of that; 0: none */
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
        size_t n_queue, n_queue_bytes;
        size_t n_flight, n_oob_flight;
        int fds[RELAY_FDS_MAX];
        size_t n_fds;
        char *output;
        size_t n_output, n_sent, capacity;
        bool is_greeted, hears_events, is_ended, is_mute;
        const char *defect;
};

struct relay {
        struct relay_client **clients; /* owned; NULL while there was none: most relays never have one */
        size_t n_clients, turn;
        uint64_t next_number;
        void (*close_fd)(int fd);
        const char *greeting; /* borrowed */
        bool has_oob, is_ended;
        bool wants_marker;   /* an answer may have been lost: ask something, and what was not answered before that is lost */
        bool has_stale_fds;  /* QEMU may hold descriptors that no command took: a command without any must not get them */
        struct queue flight; /* in the order in which QEMU heard them */
        size_t n_flight;
        struct command *given; /* its text was given out */
        struct queue answered; /* requests; of one that was refused, why is its text */
        size_t n_answered;
        struct command *told;  /* of these, the one whose text was given out */
};

/* Closes its descriptors, too. */
void command_free(struct relay *relay, struct command *command);

void queue_add(struct queue *queue, struct command *command);
/* Take the command out that `link` points to. */
struct command *queue_take(struct queue *queue, struct command **link);

/* The same for the client's own queue. */
struct command *relay_client_take(struct relay_client *client, struct command **link);

/* Bytes that wait for it. */
size_t relay_client_waiting(const struct relay_client *client);

/* Greet it, if QEMU has greeted us. */
void relay_client_greet(struct relay_client *client);

/* Say it as it is; the answer to the command, under the client's own id; QEMU's error. */
void relay_client_say(struct relay_client *client, const char *text, size_t n_text);
void relay_client_answer(struct relay_client *client, const struct command *command, const char *text, size_t n_text);
void relay_client_answer_error(struct relay_client *client, const struct command *command, const char *why);

/* The command is answered by us, with this error, when its turn comes.  0 or -ENOMEM. */
int command_refuse(struct command *command, const char *why);

/*
 * Do what needs nobody else: understand as much as there is room for; say what needs no QEMU, in its place.  True: something was done,
 * so there may be more.
 */
bool relay_client_work(struct relay_client *client);
