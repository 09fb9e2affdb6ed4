/*
 * Metrics: what has happened since the daemon started, counted, in Prometheus' words.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).  Counts first verdicts, not their revisions.
 * Has no clock.
 */
#pragma once

#include "api/buffer.h"
#include "keeper/keeper.h"
#include "engine/outbox.h"

enum {
        METRICS_BUCKETS_N = 12,
};

struct metrics {
        uint64_t transitions[_INITIATOR_N][_MECHANISM_N];
        uint64_t revisions;
        uint64_t latency[METRICS_BUCKETS_N + 1]; /* the last one: later than all bounds */
        uint64_t latency_sum_ns;
        uint64_t n_latency;
        uint64_t gaps;
        uint64_t omitted;
};

/* A verdict was told at `now_ns` of CLOCK_BOOTTIME. */
void metrics_count(struct metrics *metrics, const struct verdict_record *record, uint64_t now_ns);
/* `outbox`: NULL if there is none. */
void metrics_print(const struct metrics *metrics, struct keeper *keeper, const struct outbox *outbox, struct buffer *text);
