/*
 * Host source: whether the host system goes down, and who asked for it.
 *
 * Hears logind (PrepareForShutdown) and systemd itself (its state, which is `stopping` from the moment on at which its shutdown is queued, whoever
 * asked) on the system bus, and holds a lock that delays a shutdown until what is known is on record.  Without a bus there is no such
 * source.  Knows nothing of VMs: whoever looks after them hears of it once.
 */
#pragma once

#include "sources/source.h"

#include <systemd/sd-event.h>

struct host_source;

/* What logind keeps of a shutdown that is scheduled.  Tests have another. */
extern const char *host_source_scheduled_path;

struct host_events {
        /*
         * EVIDENCE_GOING_DOWN, since at_ns; or EVIDENCE_STAYS_UP: it does not, or not any more (said once at the start, too).  The fact is
         * the source's: copy it.
         */
        void (*changed)(void *userdata, const struct evidence *fact);
        /* What the user has to know, in one line. */
        void (*trouble)(void *userdata, const char *line);
        void *userdata;
};

/*
 * Look from now on; what there is to say comes from the loop.  `address`: of the bus; NULL: the system's.  0; -ENOENT or -ECONNREFUSED: there
 * is no bus; another -errno.
 */
int host_source_new(struct host_source **ret_source, sd_event *event, const char *address, const struct host_events *events);
struct host_source *host_source_free(struct host_source *source);

/* What is known of the host: the last fact that was told; NULL: nothing yet. */
const struct evidence *host_source_fact(const struct host_source *source);

/* That the host goes down is on record: no need to delay it any longer (the source does so after a second by itself). */
void host_source_release(struct host_source *source);

/*
 * Ask systemd whether the host goes down: what it says is told as ever, then (or when it has not answered within a second) `answered` is called
 * from the loop.  0; -ENOTCONN: there is no source; another -errno.
 */
int host_source_ask(struct host_source *source, void (*answered)(void *userdata), void *userdata);

/* Does it hold the lock now? */
bool host_source_delays(const struct host_source *source);
