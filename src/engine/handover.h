/*
 * Handover: descriptors that outlive us with the service manager, so that a restart misses nothing.
 *
 * Knows sd_listen_fds(3) and the FDSTORE of sd_notify(3).  A descriptor goes by a short name: all names together are one string in the
 * next life's environment, of at most 128 KiB.  Does not know what the descriptors are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
        HANDOVER_NAME_MAX = 16, /* bytes, NUL included */
        /* execve(2): one string of the environment has at most 128 KiB (MAX_ARG_STRLEN); there must be room for others' names, too. */
        HANDOVER_NAMES_MAX = 120 * 1024,
};

struct handover;

/* Take what was handed to this process (and unset its environment variables).  0 or -ENOMEM. */
int handover_new(struct handover **ret_handover);

/* What is kept stays kept. */
struct handover *handover_free(struct handover *handover);

/*
 * Does a service manager keep descriptors?  It says so by $FDSTORE, how many (systemd.exec(5), from version 254 on; our unit sets it for
 * those before).
 */
bool handover_is_offered(const struct handover *handover);

/* "m.3Fx": a letter for what it is, and a number. */
void handover_name(char ret_name[static HANDOVER_NAME_MAX], char kind, uint64_t number);

/* The descriptor of that name, the caller's from now on; -1: there is none. */
int handover_take(struct handover *handover, const char *name);

/* One that listens on a unix socket at this path, whatever the service manager calls it; -1. */
int handover_take_listener(struct handover *handover, const char *path);

/*
 * Have this descriptor kept under that name (FDPOLL=0: whatever its peer does), until handover_drop().  It stays the caller's.  0, also where
 * nobody keeps anything; -ENOSPC: so many names do not fit; -errno.
 */
int handover_keep(struct handover *handover, const char *name, int fd);
void handover_drop(struct handover *handover, const char *name);

/*
 * What was handed over and nobody took is of nobody any more: it is closed, and dropped, and what listens in `directory` goes from there,
 * too ("": nothing does).
 */
void handover_drop_rest(struct handover *handover, const char *directory);
