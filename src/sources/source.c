#include "sources/source.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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

void source_report_gap(const struct source_sink *sink, enum evidence_source source, const char *why, ...) {
        struct evidence gap = evidence_make(source, EVIDENCE_GAP);
        char text[EVIDENCE_TEXT_MAX];
        va_list arguments;

        va_start(arguments, why);
        vsnprintf(text, sizeof(text), why, arguments);
        va_end(arguments);
        evidence_set_text(&gap, text, strlen(text));
        source_report(sink, &gap);
}
