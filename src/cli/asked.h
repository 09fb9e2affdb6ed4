/*
 * Asked: where history is asked for, the state directory or a daemon.
 *
 * With --system and --user a daemon.  Else the state directory, where that can be read and knows the VM; else whichever daemon answers.
 */
#pragma once

#include "cli/daemon.h"
#include "core/record.h"

struct asked {
        struct store *store;     /* one of the two, or neither: nothing was ever recorded */
        struct vmpower *vmpower;
};

/* `name` may be NULL.  0, or an exit status, and it was said why; STATUS_NO_SUCH_VM if nobody knows that VM. */
int asked_init(struct asked *asked, enum vmpower_daemon which, const char *name);
void asked_deinit(struct asked *asked);

/* A verdict of the daemon's as a record.  0, or -EPROTO. */
int record_from_verdict(const struct vmpower_verdict *verdict, struct verdict_record *ret_record);
