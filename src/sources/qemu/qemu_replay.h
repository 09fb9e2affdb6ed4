/*
 * Replay: what a monitor said while nobody read it, or to somebody who was killed before it was on record.
 *
 * Such events are read late, and some of them for the second time: QEMU's own clock tells when each happened, and which are on record
 * already.  Does not know what they mean.  Pure.
 */
#pragma once

#include "core/evidence.h"
#include "qmp/qmp_message.h"

/* An event that is on record. */
struct qemu_known {
        enum evidence_kind kind;
        uint64_t time_ns;
};

/* All zero: it is over, or there was none. */
struct qemu_replay {
        uint64_t last_ns; /* of what came before, CLOCK_BOOTTIME */
        struct qemu_known *known; /* owned */
        unsigned n_known;
        bool is_on;
};

/* `newest_ns`: of what is on record.  -ENOMEM: nothing is known. */
int qemu_replay_begin(struct qemu_replay *replay, const struct qemu_known *known, size_t n_known, uint64_t newest_ns);
/* From here on everything is read as it comes. */
void qemu_replay_end(struct qemu_replay *replay);

/* When QEMU says that it happened (UTC); 0: it does not say, or it cannot be meant. */
uint64_t qemu_event_time(const struct qmp_message *event, uint64_t now_ns);

/* Is this event, with QEMU's time, on record? */
bool qemu_replay_knows(const struct qemu_replay *replay, const struct evidence *event);

/*
 * Give the fact its place in time: an event that of QEMU's clock (its time_ns), an answer (0) that of what was said before it; after all that came
 * before, and not in the future.
 */
void qemu_replay_stamp(struct qemu_replay *replay, struct evidence *evidence, uint64_t now_ns, uint64_t time_ns);
