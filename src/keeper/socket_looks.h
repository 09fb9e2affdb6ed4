/*
 * Socket looks: who is connected to which socket, asked of the kernel for all that want to know in one wakeup.
 *
 * One look costs as much as there are unix sockets on the host, however many it answers.
 */
#pragma once

#include "sources/socket_peers.h"

#include <systemd/sd-event.h>

struct socket_looks;

/* A question, kept by whoever asks it. */
struct socket_look {
        struct socket_look *next, **link; /* link NULL: not asked, or answered */
        struct socket_peers peers;        /* its path is the asker's, and must stay until the answer */
        /* Once, from the loop: what socket_peers_look() gave. */
        void (*answered)(struct socket_look *look, int result);
};

int socket_looks_new(struct socket_looks **ret_looks, sd_event *event);
struct socket_looks *socket_looks_free(struct socket_looks *looks);

void socket_looks_ask(struct socket_looks *looks, struct socket_look *look);
/* It is not to be answered any more.  One that was not asked is no error. */
void socket_look_forget(struct socket_look *look);
