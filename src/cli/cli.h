/*
 * The command line's common part: how its verbs are called, and how they speak.
 *
 * One file per verb; main.c finds it.
 */
#pragma once

#include "store/store.h"

#include <stdbool.h>

/* What a program of this house exits with, run's own words apart. */
enum {
        STATUS_OK = 0,
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_NO_SUCH_VM = 3,
        STATUS_NO_DAEMON = 3, /* of vmpower status, which knows no VMs */
        STATUS_NOT_STOPPED = 4,
};

struct verb {
        const char *name;
        const char *summary; /* for the list of verbs */
        const char *help;    /* the whole text of --help */
        int (*main)(int argc, char **argv); /* argv[0] is the verb; the exit status */
};

extern const struct verb verb_run, verb_why, verb_history, verb_rejudge, verb_prune;
extern const struct verb verb_shutdown, verb_reboot, verb_suspend, verb_reset, verb_destroy, verb_pause, verb_resume, verb_wake;
extern const struct verb verb_list, verb_watch, verb_attach, verb_detach, verb_status, verb_doctor;

/* One clear line on standard error: "vmpower: …". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A wrong command line: says so, says where help is, and is STATUS_USAGE. */
int usage_error(const struct verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The words that are left name one VM, or (`may_be_none`) none.  0, or a usage_error(). */
int check_vm(const struct verb *verb, int n_words, char *const *words, bool may_be_none);

/* The option that getopt_long() has just stumbled over. */
int unknown_option(const struct verb *verb, char **argv);

/*
 * Open the history, to read it and change nothing.  0: *ret_store, or NULL when there is no history yet; else an exit status, and
 * it was said why.
 */
int open_history(struct store **ret_store);

/* The same, without a word: 0, or -errno and the reason. */
int try_history(struct store **ret_store, char ret_why[static STORE_WHY_MAX]);

/*
 * VMs of a `vmpower run` that was killed, and those of before the host was started anew, are given their ending, where we may write; and who is giving
 * one just now is waited for.  Of vmpowerd's only vmpowerd knows.
 */
void end_lost_vms(struct store *store);

/* The same, for writing, and with what end_lost_vms() does: 0, or an exit status, and it was said why. */
int open_history_to_write(struct store **ret_store);

/* Is standard output a terminal that wants colours?  (NO_COLOR, TERM) */
bool output_has_colour(void);
