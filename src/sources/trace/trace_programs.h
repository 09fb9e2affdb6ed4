/*
 * Trace programs: trace.bpf.c in the running kernel, as much of it as that kernel takes.
 *
 * Knows how to load each program or leave it out.  Does not read what they write.
 */
#pragma once

#include "sources/trace/trace_source.h"

struct bpf_link;
struct trace_bpf;

enum {
        TRACE_PROGRAMS = 8,
        /* Of struct trace_descriptors. */
        TRACE_FD_RING = 0,
        TRACE_FD_WATCHED,
        TRACE_FD_STRANGERS,
        TRACE_FD_LINKS,
};

struct trace_programs {
        struct trace_bpf *bpf; /* owned; NULL: they were handed over */
        struct bpf_link *links[TRACE_PROGRAMS]; /* each owned; NULL: it is left out */
        struct trace_descriptors fds; /* the same ones; owned where they were handed over */
        char lacks[_TRACE_PART_N][TRACE_WHY_MAX]; /* "": it works */
};

/* Another process's, taken over if they are whole: then true. */
bool trace_programs_take(struct trace_programs *ret_programs, struct trace_descriptors *handed);

/* 0; TRACE_ABSENT: nothing works; -errno. */
int trace_programs_load(struct trace_programs *ret_programs, enum trace_scope scope, char ret_why[static TRACE_WHY_MAX]);
void trace_programs_unload(struct trace_programs *programs);

uint32_t trace_programs_version(void);
