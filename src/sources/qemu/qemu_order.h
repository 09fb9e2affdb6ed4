/*
 * QEMU order: one QMP command to a monitor that serves us, and its answer.
 *
 * A client for the time of one command: negotiates, says it, waits.  Does not know what the command does.
 */
#pragma once

#include <systemd/sd-event.h>

struct qemu_order;

/*
 * Say `command` (one without arguments) on a connected, non-blocking socket, which is taken over on success.  `done` comes once, from the
 * loop, and the order is gone then: 0; -EBUSY: QEMU refused, as things are, in the words of `why`; -ECONNRESET: the monitor ended before it answered;
 * -ETIMEDOUT: no answer in 10 s.
 */
int qemu_order_new(struct qemu_order **ret_order, sd_event *event, int fd, const char *command,
              void (*done)(void *userdata, int result, const char *why), void *userdata);
/* Given up: nobody hears of it any more. */
struct qemu_order *qemu_order_free(struct qemu_order *order);
