#include "sources/qemu/qemu_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An event that waited longer for us was not on this clock. */
#define EVENT_AGE_MAX_NS UINT64_C(86400000000000)

uint64_t qemu_event_time(const struct qmp_message *event, uint64_t now_ns) {
        uint64_t time_ns;

        if (!event->has_timestamp)
                return 0;
        time_ns = (uint64_t)event->seconds * UINT64_C(1000000000) + (uint64_t)event->microseconds * 1000;
        return time_ns <= now_ns && now_ns - time_ns < EVENT_AGE_MAX_NS ? time_ns : 0;
}

int qemu_replay_begin(struct qemu_replay *replay, const struct qemu_known *known, size_t n_known, uint64_t newest_ns) {
        *replay = (struct qemu_replay){ .is_on = true, .last_ns = newest_ns };
        if (!n_known)
                return 0;
        replay->known = calloc(n_known, sizeof(*known));
        if (!replay->known)
                return -ENOMEM;
        memcpy(replay->known, known, n_known * sizeof(*known));
        replay->n_known = (unsigned)n_known;
        return 0;
}

void qemu_replay_end(struct qemu_replay *replay) {
        free(replay->known);
        *replay = (struct qemu_replay){ 0 };
}

bool qemu_replay_knows(const struct qemu_replay *replay, const struct evidence *event) {
        for (size_t i = 0; event->time_ns && i < replay->n_known; i++)
                if (replay->known[i].kind == event->kind && replay->known[i].time_ns == event->time_ns)
                        return true;
        return false;
}

void qemu_replay_stamp(struct qemu_replay *replay, struct evidence *evidence, uint64_t now_ns, uint64_t time_ns) {
        uint64_t ago_ns = time_ns > evidence->time_ns ? time_ns - evidence->time_ns : 0;
        uint64_t at_ns = evidence->time_ns && now_ns > ago_ns ? now_ns - ago_ns : 0;

        if (at_ns <= replay->last_ns)
                at_ns = replay->last_ns + 1;
        if (at_ns > now_ns)
                at_ns = now_ns;
        replay->last_ns = at_ns;
        evidence->at_ns = at_ns;
        if (!evidence->time_ns)
                evidence->time_ns = time_ns - (now_ns - at_ns);
}
