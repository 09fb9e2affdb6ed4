/*
 * Trace: what the kernel itself sees of VMMs: who sends them a signal, how they end, and how their guests go.
 *
 * Owns the programs in the kernel (trace.bpf.c) and the ring that they write into, one for all VMs of this process.  Each program can be missing
 * and said to be; the others work.  Does not know verdicts, or what else is known of a VM.
 */
#pragma once

#include "sources/source.h"
#include "sources/trace/decode.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

enum trace_part {
        TRACE_SIGNALS,   /* who sent a signal */
        TRACE_OOM,       /* whom the OOM killer took */
        TRACE_EXITS,     /* how a process ended that is not our child */
        TRACE_PORTS,     /* what a guest wrote to its power ports, under KVM */
        TRACE_KVM_EXITS, /* a triple fault, a system event, under KVM */
        _TRACE_PART_N,
};

enum { TRACE_WHY_MAX = 160 };

struct trace_source;
struct trace_watch;

/*
 * Load the programs.  0: some work (trace_source_lacks() tells which do not).  TRACE_ABSENT: none can here, and ret_why says why: no right
 * (CAP_BPF and CAP_PERFMON), a kernel without type information (BTF), or this vmpower was built without it.  -errno.
 */
#define TRACE_ABSENT 1
int trace_source_open(struct trace_source **ret_source, sd_event *event, char ret_why[static TRACE_WHY_MAX]);
struct trace_source *trace_source_close(struct trace_source *source);

/* Why this part does not work; NULL: it does. */
const char *trace_source_lacks(const struct trace_source *source, enum trace_part part);

/* Read all that the kernel has written until now.  Cheap when there is nothing. */
void trace_source_drain(struct trace_source *source);

/* How many records its programs have written. */
uint64_t trace_source_n_records(const struct trace_source *source);

/*
 * Watch a process from now on.  What was sent to it lately, before anybody watched, is reported, too.  The sink is copied.  0; -ESRCH; -errno.
 */
int trace_watch_new(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, const struct source_sink *sink);
struct trace_watch *trace_watch_free(struct trace_watch *watch);

/* What its guest's ports mean; until then nothing is known. */
void trace_watch_set_machine(struct trace_watch *watch, const struct trace_machine *machine);

/*
 * The process has ended: `done` is called once, mostly at once, when all that the kernel saw of it has been reported.  `end`: EXITED or KILLED as
 * the kernel saw it; NULL: that was not seen.
 */
void trace_watch_finish(struct trace_watch *watch, void (*done)(void *userdata, const struct evidence *end), void *userdata);
