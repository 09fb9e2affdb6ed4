/*
 * Xen link: the socket to the daemon, which is standard input.
 *
 * Lines in, lines out (docs/wire.md), never waiting for the daemon.  Does not know what they are about.
 */
#pragma once

#include "sources/wire/wire_message.h"

#include <systemd/sd-event.h>

struct xen_link;

/* `said`: the daemon said something; borrowed.  `ended`: it has gone, or makes no sense. */
int xen_link_new(struct xen_link **ret_link, sd_event *event, int fd, void (*said)(void *userdata, const struct wire_message *message),
                 void (*ended)(void *userdata), void *userdata);
struct xen_link *xen_link_free(struct xen_link *link);

void xen_link_say(struct xen_link *link, const struct wire_message *message);

/* One line for the administrator. */
void xen_link_trouble(struct xen_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));
