/*
 * Source: whatever reports evidence.
 *
 * The one small table that every source fills in, and the one call up.  A source knows its own plumbing and its own
 * words; it does not know verdicts, policy, the store, or any other source.
 */
#pragma once

#include "core/evidence.h"

/* Where a source's evidence goes: one VM's file. */
struct source_sink {
        /* Takes the evidence over (and its actor).  Never fails towards the source. */
        void (*report)(void *userdata, struct evidence *evidence);
        /* Nothing more will come from this source: its stream was read to the end, its process reaped. */
        void (*ended)(void *userdata, enum evidence_source source);
        void *userdata;
};

/*
 * Report one fact: gives it its time (CLOCK_BOOTTIME and UTC, now, unless at_ns is set already) and its order within its
 * source, and hands it to the sink.
 */
void source_report(const struct source_sink *sink, struct evidence *evidence);

/* Report that something was not seen, and why: a gap is evidence. */
void source_report_gap(const struct source_sink *sink, enum evidence_source source, const char *why, ...) __attribute__((format(printf, 3, 4)));

/* CLOCK_BOOTTIME and CLOCK_REALTIME, in nanoseconds. */
uint64_t source_now_ns(void);
uint64_t source_time_ns(void);
