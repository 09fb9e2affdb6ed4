/*
 * Scheduled shutdown: what logind keeps in /run/systemd/shutdown/scheduled, as facts.
 *
 * `shutdown +10` leaves there when the host is to go down, how, and which user said so (systemd 252 writes USEC, WARN_WALL, MODE, UID, then
 * WALL_MESSAGE; TTY came later; of an immediate shutdown there is nothing).  Pure: bytes in, facts out; whatever the bytes are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        SCHEDULED_MODE_MAX = 24,
        SCHEDULED_TEXT_MAX = 16 * 1024, /* a file that is longer is read so far: what counts comes first */
};

struct scheduled_shutdown {
        uint64_t at_usec;              /* UTC, microseconds since 1970 */
        char mode[SCHEDULED_MODE_MAX]; /* poweroff, reboot, halt, kexec …; "": it does not say */
        int64_t uid;                   /* who said so; -1: it does not say */
};

/* 0; -EINVAL: it does not say when, or is no such file. */
int scheduled_shutdown_parse(struct scheduled_shutdown *ret, const char *text, size_t n_text);
