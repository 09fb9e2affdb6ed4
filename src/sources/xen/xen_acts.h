/*
 * Xen acts: the processes that do something to domains (xen_act.h), a few at once, those of one domain one after the other.
 *
 * Owns them; says what came of each.  Ending does not end them: what was begun is finished.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct xen_acts;

enum {
        XEN_ACT_LOCK_FD = 3, /* what such a process holds as long as it goes on; not for what it starts itself */
};

/* The lock's file.  Tests have another. */
extern const char *xen_acts_lock_path;

/*
 * Those that a helper before this one has begun may go on: wait for them, so that nothing is done to a domain twice, or told of one that is only half made.  False: one still
 * does after `patience_ms`.
 */
bool xen_acts_wait_for_former(unsigned patience_ms);

int xen_acts_new(struct xen_acts **ret_acts, sd_event *event, void (*done)(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why),
                 void *userdata);
struct xen_acts *xen_acts_free(struct xen_acts *acts);

/* 0 or -ENOMEM; what comes of it is said later.  `uuid`, `name`: xen_act's; "". */
int xen_acts_begin(struct xen_acts *acts, int64_t number, uint32_t domid, const char *uuid, const char *command, const char *name);
