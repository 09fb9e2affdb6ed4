/*
 * Trace perf: the kernel's tracepoints, read by perf_event_open(2), where no programs can be had in the kernel.
 *
 * A ring for each CPU, and in the kernel a filter for each tracepoint, so that nothing is read but what may be about a VM.  A record has no more of a
 * sender than his pid: what else is told of him /proc knew a moment later (trace_sender.h).
 */
#pragma once

#include "sources/trace/trace_way.h"

/* 0; TRACE_ABSENT: nothing works, and ret_why says why; -errno. */
int trace_perf_open(struct trace_way **ret_way, enum trace_scope scope, const struct trace_way_events *events, char ret_why[static TRACE_WHY_MAX]);
