#include "sources/source.h"

#include <stdatomic.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t source_now_ns(void) {
        return clock_ns(CLOCK_BOOTTIME);
}

uint64_t source_time_ns(void) {
        return clock_ns(CLOCK_REALTIME);
}

void source_report(const struct source_sink *sink, struct evidence *evidence) {
        /* One counter serves all sources: within a source it rises, and that is all that is asked of it. */
        static _Atomic uint64_t reported;

        if (!evidence->at_ns) {
                evidence->at_ns = source_now_ns();
                evidence->time_ns = source_time_ns();
        }
        if (!evidence->seq)
                evidence->seq = atomic_fetch_add_explicit(&reported, 1, memory_order_relaxed) + 1;
        sink->report(sink->userdata, evidence);
}
