/*
 * Monitor clients: who could have told a QEMU what it has just been told, on a monitor that is not ours.
 *
 * QEMU says that a monitor was told to quit, not which one, nor by whom.  Whoever is connected to one of its other monitors at that very moment
 * is a candidate, and is evidence; what follows from one or several of them is the judge's.  Nobody is looked for but when something has happened.
 */
#pragma once

#include "sources/source.h"

#include <sys/types.h>

enum {
        MONITOR_CLIENTS_MAX = 4,   /* so many are told of at once */
        MONITOR_LOOKS_MAX = 32,    /* so often one QEMU is looked at … */
};
#define MONITOR_LOOKS_WITHIN_NS UINT64_C(10000000000) /* … within this, whatever it says */
/* Of what was said longer ago nobody knows any more who was connected then. */
#define MONITOR_EVENT_AGE_NS UINT64_C(500000000)

/* One QEMU's looks; {0} at first. */
struct monitor_looks {
        uint64_t began_ns;
        unsigned n;
};

/*
 * QEMU has said this.  Where that is the work of a monitor, report who is connected to one: EVIDENCE_MONITOR_CLIENT, of the event's own instant, before
 * the event is.  `pid`: of QEMU.  `held`: the path of the monitor that is held by us, who are no candidate; NULL: none.
 */
void monitor_clients_look(struct monitor_looks *looks, pid_t pid, const char *held, const struct evidence *event,
                          const struct source_sink *sink);
