/*
 * Hook outlet: a program that is run for each verdict.
 *
 * It gets the verdict's JSON (vmpower.verdict/1) on its standard input, and VMPOWER_* variables in an environment with nothing else but
 * PATH.  A verdict was told when the program has ended with 0.  Does not know which programs are hooks.
 */
#pragma once

#include "outlets/outlet.h"

#include <systemd/sd-event.h>

struct hook_config {
        uint64_t timeout_ns;
        unsigned at_once;
        const char *const *environment; /* NAME=VALUE, beside what every hook gets; NULL at its end; borrowed; may be NULL */
};

/* SIGCHLD must be blocked.  -ENOMEM. */
int hook_outlet_new(struct outlet **ret_outlet, sd_event *event, const char *path, const struct hook_config *config);

/* The beginning of every hook's name; its path follows. */
#define HOOK_OUTLET_PREFIX "hook:"
