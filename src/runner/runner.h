/*
 * Runner: one VM under `vmpower run`, from its command line over its restarts to its last verdict.
 *
 * Starts the VMM with a monitor of ours beside whatever the user gave, finds the process that is the VM (a wrapper's child, a
 * daemon), watches it, and does what policy decides.  Its own end never ends the VM.
 */
#pragma once

#include "engine/engine.h"

#include <signal.h>

struct runner;

struct runner_config {
        char *const *argv; /* the VMM's command line, NULL-terminated; kept by the caller */
        size_t n_argv;
        const char *name;  /* NULL: what the command line names, else qemu-PID or vmpower-vmm-PID */
        const char *const *settings; /* --policy, n_settings of them */
        size_t n_settings;
        const sigset_t *mask; /* the signals that were blocked before we blocked ours: what the VMM gets */
        const char *monitor_directory; /* where our monitor's socket is made; private to this user */
};

struct runner_events {
        void (*verdict)(const struct verdict_record *record, void *userdata);
        /* The decision of a verdict that was told before came to this. */
        void (*decided)(const char *verdict_id, const struct decision *decision, void *userdata);
        /* All is over: no VM is left, nothing will be started.  Once. */
        void (*finished)(void *userdata);
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

/* Does this command line (-help, -version) make QEMU speak and end, so that there is no VM to look after? */
bool runner_only_informs(char *const *argv, size_t n_argv);

/*
 * Start.  SIGCHLD must be blocked already.  Makes this process a subreaper.  On failure nothing is left running and ret_why says in one line what is wrong:
 * -EINVAL a setting, -EEXIST a VM of that name is running, -ENOENT no such program, or what the store said.
 */
int runner_start(struct runner **ret_runner, sd_event *event, struct store *store, const struct runner_config *config,
                 const struct runner_events *events, char ret_why[static STORE_WHY_MAX]);
struct runner *runner_free(struct runner *runner);

/* May it be left now?  Not before it runs: QEMU waits for our word (-S), and without us it would wait for ever. */
bool runner_may_leave(const struct runner *runner);

/* Leave the VM running and unwatched, and write that down.  Its name and pid (0: it runs no more). */
int64_t runner_leave(struct runner *runner, const char *reason, const char **ret_name);

/* How the VMM's process ended, as a shell tells it (128 + signal): the last one's; -1: not known. */
int runner_vmm_status(const struct runner *runner);
