/*
 * The daemon as the verbs see it: which one is asked, and what is said when none answers.
 */
#pragma once

#include "cli/cli.h"

#include <vmpower/client.h>

/* --system and --user, for every verb that asks a daemon; their values for getopt_long(). */
enum {
        OPTION_SYSTEM = 512,
        OPTION_USER,
};
#define DAEMON_OPTIONS { "system", no_argument, NULL, OPTION_SYSTEM }, { "user", no_argument, NULL, OPTION_USER }
#define DAEMON_HELP                                                                                                    \
        "  --system    ask the system's daemon, not the user's own\n"                                                  \
        "  --user      ask the user's own daemon, not the system's\n"

/* One of those two was given.  0, or a usage_error(): the other one was given, too. */
int choose_daemon(const struct verb *verb, int option, enum vmpower_daemon *which);

/*
 * Read --json, --system, --user and --help of a verb that has no others.  False: *ret_status is the exit status.
 */
bool read_daemon_options(const struct verb *verb, int argc, char **argv, bool *ret_json, enum vmpower_daemon *ret_which,
                         int *ret_status);

/* 0 and *ret_vmpower, or an exit status, and it was said why. */
int find_daemon(struct vmpower **ret_vmpower, enum vmpower_daemon which);

/* Say what the last call failed with.  The exit status: STATUS_NO_SUCH_VM for -ENOENT, else STATUS_FAILED. */
int daemon_failure(const struct vmpower *vmpower, int error);

void vmpower_freep(struct vmpower **vmpower);
