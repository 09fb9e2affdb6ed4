/*
 * Others: the VMs that another vmpower looks after, until it ends.
 *
 * Watches the watcher, and has what the kernel sees of the VM's end kept for whoever takes it up then.  Does not know what becomes of a VM then.
 */
#pragma once

#include "store/store.h"

#include <systemd/sd-event.h>

struct others;
struct tracing;

struct others_events {
        /* Whoever looked after the VM of that process and instance ("": not written down) has ended. */
        void (*left)(void *userdata, pid_t vm, const char *instance);
        void *userdata;
};

/* `tracing`: NULL: the kernel tells nothing. */
int others_new(struct others **ret_others, sd_event *event, struct tracing *tracing, const struct others_events *events);
struct others *others_free(struct others *others);

/* `watcher` looks after it, and not any more after one that has ended.  The same once more is no error.  0; -ESRCH: it has ended already; -errno. */
int others_add(struct others *others, pid_t watcher, pid_t vm, const char *instance);
