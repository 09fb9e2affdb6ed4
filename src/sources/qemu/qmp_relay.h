/*
 * Relay: many QMP clients in front of one QEMU that serves one.
 *
 * Knows whose answer is whose, in which order commands go on, and how much of anyone's may wait.  Every client is greeted
 * and negotiates for itself; its commands go to QEMU under ids of ours, their answers come back under its own; events are
 * everybody's.  Does not know sockets, processes or time.  Pure: bytes and messages in, steps and bytes out.
 *
 *      relay_client_read(client, …)            what a client sent
 *      relay_hear(relay, …)                    what QEMU said
 *      while (relay_next(relay, …, &step))     what is to be done now
 *              …
 *      relay_client_output(client, …)          what each client is to be sent
 *
 * Bounds: a client that does not read is not heard any more once RELAY_OUTPUT_PAUSE bytes wait for it (its commands wait,
 * in its own socket), and dropped when events have brought that to RELAY_OUTPUT_MAX.  No more than RELAY_FLIGHT_MAX
 * commands are with QEMU at a time, the clients in turn.  A whole command that came is passed on even if its client has
 * gone, as QEMU would run it.
 */
#pragma once

#include "qmp/qmp_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        RELAY_CLIENTS_MAX = 72,
        RELAY_QUEUE_MAX = 8,           /* commands of one client that wait; QEMU's own number (monitor/monitor-internal.h) */
        RELAY_QUEUE_BYTES = 1024 * 1024, /* no more is heard once they have so many bytes */
        RELAY_FLIGHT_MAX = 4,          /* fewer than QEMU's: beyond that it would hear nothing out of band either */
        RELAY_CLIENT_FLIGHT_MAX = 2,
        RELAY_OOB_FLIGHT_MAX = 8,
        RELAY_ANSWERED_MAX = 16,       /* answers to requests that nobody has been told of yet */
        RELAY_FDS_MAX = 16,
        RELAY_OUTPUT_PAUSE = 64 * 1024,
        RELAY_OUTPUT_MAX = 1024 * 1024,
};

struct relay;
struct relay_client;

/* What relay_next() wants done. */
struct relay_step {
        enum {
                RELAY_FORWARD = 1, /* say `text` to QEMU, with these descriptors, which are the caller's now */
                RELAY_REQUEST,     /* record that the client asks for `request`; relay_release() when that is done */
                RELAY_ANSWERED,    /* QEMU has answered `request`; where it refuses, `text` is why */
        } kind;
        void *client; /* its userdata; of an answer NULL: it may have gone */
        uint64_t number;
        uint64_t record; /* of an answer: as the request was noted */
        const char *request;
        const char *text; /* until the relay's next call */
        size_t n_text;
        int fds[RELAY_FDS_MAX];
        size_t n_fds;
};

/*
 * `first_id`: our ids towards QEMU rise from here; the ids below it are somebody else's.  `close_fd` gets the descriptors that nobody wants.
 * 0 or -ENOMEM.
 */
int relay_new(struct relay **ret_relay, uint64_t first_id, void (*close_fd)(int fd));
struct relay *relay_free(struct relay *relay);

/* QEMU's greeting, whole, borrowed until the relay's end: clients are greeted and heard from here on. */
void relay_greet(struct relay *relay, const char *greeting, bool has_oob);

/* QEMU said an event or an answer; `text` is the message's bytes. */
void relay_hear(struct relay *relay, const struct qmp_message *message, const char *text, size_t n_text);

/* QEMU said what could not be understood: an answer may be missing, and its client hears so once that is sure. */
void relay_lose(struct relay *relay);

/* QEMU has ended: nothing is heard or passed on any more, and every client is over once its output is sent. */
void relay_end(struct relay *relay);

/* What is to be done next; false: nothing now.  Without `has_room` nothing is to be forwarded. */
bool relay_next(struct relay *relay, bool has_room, struct relay_step *ret_step);

/* How its record is known to whoever made it: RELAY_ANSWERED says so. */
void relay_note(struct relay *relay, uint64_t number, uint64_t record);

/* That request goes on.  One that is gone is no error. */
void relay_release(struct relay *relay, uint64_t number);

/* 0; -ENOBUFS: there are RELAY_CLIENTS_MAX already; -ENOMEM. */
int relay_add_client(struct relay *relay, void *userdata, struct relay_client **ret_client);

/* Read more of it now? */
bool relay_client_wants(const struct relay_client *client);

/*
 * The client sent these bytes, and with their last the descriptors, which are taken over.  As in QEMU they are kept for
 * its next command that takes such, until others come.
 */
void relay_client_read(struct relay_client *client, const char *bytes, size_t n_bytes, const int *fds, size_t n_fds);

/* It says nothing more, but may still listen. */
void relay_client_end(struct relay_client *client);
/* It does not listen any more: what it is to be sent is dropped. */
void relay_client_mute(struct relay_client *client);

/* The bytes to send to it, until the relay's next call; and so many were sent. */
size_t relay_client_output(const struct relay_client *client, const char **ret_bytes);
void relay_client_sent(struct relay_client *client, size_t n);

/* Why the client is to be dropped, or NULL: end and mute it then. */
const char *relay_client_defect(const struct relay_client *client);

/* Nothing of it is left, in or out: free it. */
bool relay_client_is_over(const struct relay_client *client);
struct relay_client *relay_client_free(struct relay_client *client);
