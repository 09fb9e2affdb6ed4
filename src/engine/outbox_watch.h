/*
 * Outbox watch: verdicts that another process has written are told soon, too.
 *
 * `vmpower run` and `rejudge` write to the same database and tell nobody.  Every commit touches its log, and the kernel says so; nothing is
 * looked at while nothing is written.
 */
#pragma once

#include "engine/outbox.h"

struct outbox_watch;

/* The outbox must outlive it.  -errno: such verdicts are told with the next one only. */
int outbox_watch_new(struct outbox_watch **ret_watch, sd_event *event, struct outbox *outbox, const char *state_directory);
struct outbox_watch *outbox_watch_free(struct outbox_watch *watch);
