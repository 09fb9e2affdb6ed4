/*
 * Xen act: one thing done to one domain, by libxl, as `xl` does it.
 *
 * Runs in a process of its own, from the beginning to the end: libxl may wait for a guest, for the host's memory or a disk, and a restart that was begun
 * is finished though whoever began it has gone.  Does not know why it is to be done.
 */
#pragma once

#include <stdint.h>

struct xen_act {
        const char *command; /* docs/wire.md's words */
        uint32_t domid;
        const char *uuid;    /* the hypervisor's of it: nothing is done to another one, which has its number by now */
        const char *name;    /* rename-restart: what the kept domain is to be called; NULL: its name and the time */
};

/* Each line on standard output: what went wrong.  An exit status. */
int xen_act_run(const struct xen_act *act);
