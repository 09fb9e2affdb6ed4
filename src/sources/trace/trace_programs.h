/*
 * Trace programs: trace.bpf.c in the running kernel, as much of it as that kernel takes.
 *
 * Knows how to load each program or leave it out.  Does not read what they write.
 */
#pragma once

#include "sources/trace/trace_source.h"

struct bpf_link;
struct trace_bpf;

enum { TRACE_PROGRAMS_MAX = 8 };

struct trace_programs {
        struct trace_bpf *bpf; /* owned */
        struct bpf_link *links[TRACE_PROGRAMS_MAX]; /* each owned; NULL: it is left out */
        char lacks[_TRACE_PART_N][TRACE_WHY_MAX]; /* "": it works */
};

/* 0; TRACE_ABSENT: nothing works; -errno. */
int trace_programs_load(struct trace_programs *ret_programs, char ret_why[static TRACE_WHY_MAX]);
void trace_programs_unload(struct trace_programs *programs);

int trace_programs_ring(const struct trace_programs *programs);
int trace_programs_watched(const struct trace_programs *programs);
int trace_programs_strangers(const struct trace_programs *programs);
uint64_t trace_programs_n_records(const struct trace_programs *programs);
