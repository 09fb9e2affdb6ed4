/*
 * Perf points: the tracepoints that perf reads for us, the kernel's filter at each, and what a record of each has.
 *
 * Knows the kernel's names, and how an event is opened.  Does not know processes, or what is made of what was seen.
 */
#pragma once

#include "sources/trace/perf_record.h"
#include "sources/trace/trace_source.h"
#include "sources/trace/tracepoint.h"

enum perf_point {
        AT_SIGNAL,
        AT_DELIVERY,
        AT_VICTIM,
        AT_PORT,
        AT_KVM_EXIT,
        AT_EXEC,
        AT_TASK,
        _PERF_POINT_N,
};

/* Where in perf_seen's fields what is. */
enum { SIGNAL_NUMBER, SIGNAL_CODE, SIGNAL_TARGET, SIGNAL_RESULT };
enum { DELIVERY_NUMBER };
enum { VICTIM_PID };
enum { PORT_NUMBER, PORT_SIZE, PORT_VALUE };
enum { KVM_EXIT_REASON, KVM_EXIT_ERROR };
enum { TASK_PID };

struct perf_seen {
        enum perf_point point;
        pid_t pid, tid; /* who did it: 0: nobody in particular; -1: somebody who was over already */
        uint64_t at_ns; /* CLOCK_MONOTONIC */
        int64_t fields[TRACEPOINT_FIELDS];
};

struct perf_points {
        bool is_wanted[_PERF_POINT_N];
        struct tracepoint_format formats[_PERF_POINT_N]; /* of those */
};

enum trace_part perf_point_part(enum perf_point point);
const char *perf_point_name(enum perf_point point);

/* Is tracefs where it is looked for? */
bool perf_points_have_tracefs(void);

/*
 * Read what can be had of their formats.  What cannot is not wanted, and said in `lacks`.  0; -errno: none can, and why the first of them could not (-ENOENT:
 * there is no such tracepoint, or no tracefs).
 */
int perf_points_learn(struct perf_points *ret_points, enum trace_scope scope, char lacks[static _TRACE_PART_N][TRACE_WHY_MAX]);

/* One that was not there is, by now: it is wanted. */
bool perf_points_learn_again(struct perf_points *points, enum perf_point point);

/* One that is wanted, on one CPU; disabled still.  A descriptor; -ENODEV: there is no such CPU now; -errno. */
int perf_points_open(const struct perf_points *points, enum perf_point point, int cpu);

/* False: it is of none of these, or torn. */
bool perf_points_decode(const struct perf_points *points, struct perf_seen *ret_seen, const struct perf_record *record);
