/*
 * Perf record: what is in the rings of perf_event_open(2), of samples that have PERF_SAMPLES.
 *
 * Bytes in, samples out; what is torn is refused.  Does not know what tracepoints mean, or where a ring is.  Pure.
 */
#pragma once

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

/* What samples are asked for so that this can read them. */
#define PERF_SAMPLES (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

/* Outcomes. */
#define PERF_RING_EMPTY  1 /* the ring is empty */
#define PERF_RING_OTHER 2 /* it is of no interest here, or longer than anybody expects */

enum { PERF_RAW_MAX = 512 };

struct perf_record {
        uint64_t n_lost;   /* records that found no room before this one; then there is nothing else here */
        uint32_t pid, tid; /* who did it, as the reader's pid namespace counts; 0: it does not see him, or the idle task; -1: he was over */
        uint64_t at_ns;
        size_t n_raw; /* what the tracepoint has written */
        _Alignas(8) unsigned char raw[PERF_RAW_MAX];
};

/*
 * The next one in a ring of n_data bytes, a power of two, whose reader and writer have come to *tail and `head`; *tail goes on.  0; an outcome; -EBADMSG: that is no
 * ring, and the rest of it was left out.
 */
int perf_record_next(struct perf_record *ret_record, const void *data, size_t n_data, uint64_t *tail, uint64_t head);
