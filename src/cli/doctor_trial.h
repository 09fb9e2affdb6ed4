/*
 * Doctor trial: vmpower tries itself: a real VM, ended in a known way, and what is said of it.
 *
 * Runs this very program on a QEMU with the probe ROM, with directories of its own.  A VM that nobody ends any more ends by itself.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum { TRIAL_WHY_MAX = 512 };

struct trial {
        const char *way;         /* "poweroff", "kill -9" … */
        const char *accelerator; /* of QEMU */
        bool works;              /* the verdict is right */
        char found[TRIAL_WHY_MAX]; /* what was said, or why nothing was */
        const char *expected[3]; /* transition, initiator, mechanism */
        json_t *verdict;         /* owned; NULL: there is none */
};

struct trials {
        const char *accelerators[2];
        unsigned n_accelerators;
        bool is_traced; /* the sender of a SIGKILL must be named */
        void (*tell)(const struct trial *trial, void *userdata);
        void *userdata;
};

/* Have them all, one after the other; a signal that ends us ends them first.  0; -errno: none could be had, and ret_why says why; it may be told how to repair that. */
int trials_run(const struct trials *trials, char ret_why[static TRIAL_WHY_MAX], const char **ret_repair);
