/*
 * Server: what QEMU's own QMP server says to a client before any command runs.
 *
 * Knows the negotiation of capabilities, and which messages are answered without QEMU (those that are no command, and
 * those that are not this client's to give).  All else is QEMU's to answer, in its own words.  Pure.
 */
#pragma once

#include "sources/qemu/qmp_splice.h"

#include <stdbool.h>

/* One client, or rather what it may do now. */
struct qmp_server {
        bool offers_oob;    /* out-of-band commands are enabled on our own connection to QEMU */
        bool is_negotiated; /* commands run, events are sent */
        bool has_oob;       /* this client has enabled them */
};

/* What is to be done with one message. */
struct qmp_order {
        char *answer; /* say this, with the id, and QEMU need not know; owned; NULL: pass the message on */
        size_t n_answer;
        struct qmp_span id;  /* the client's, in its message */
        const char *request; /* it changes the VM's power: QMP's word for it (static), else NULL */
        bool is_oob;
        bool takes_fds;
};

/* Understand one message, strict JSON.  0 or -ENOMEM.  Needs qmp_order_deinit(). */
int qmp_server_take(struct qmp_server *server, struct qmp_order *ret_order, const char *text, size_t n_text);
void qmp_order_deinit(struct qmp_order *order);

/* QEMU's answer to what is no message at all.  0 or -ENOMEM. */
int qmp_server_refuse(char **ret_answer, size_t *ret_length, const char *defect);

/*
 * What in the command, or in the line of human-monitor-command, matters for the VM's power: QMP's word for it, or NULL.
 * QEMU's human monitor knows a few short names ("q", "s", "c") and takes no other abbreviation; a word ends at white space or '/'.
 */
const char *qmp_server_request(const char *command, const char *human_line);
