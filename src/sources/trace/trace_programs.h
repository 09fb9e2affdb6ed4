/*
 * Trace programs: trace.bpf.c in the running kernel, as much of it as that kernel takes, and the ring that it writes into.
 *
 * Knows how to load each program or leave it out.  Does not know what its records mean.
 */
#pragma once

#include "sources/trace/trace_way.h"

/* Tests of what is done where a kernel takes no program at each ioctl: as if it were this one. */
extern bool trace_programs_refuse_ioctl;

/* Another process's, taken over if they are whole: then true.  `handed` is taken in any case. */
bool trace_programs_take(struct trace_way **ret_way, struct trace_descriptors *handed, const struct trace_way_events *events);

/* 0; -EPERM: there is no right to it; TRACE_ABSENT: nothing works; -errno. */
int trace_programs_open(struct trace_way **ret_way, enum trace_scope scope, const struct trace_way_events *events,
                        char ret_why[static TRACE_WHY_MAX]);

uint32_t trace_programs_version(void);
