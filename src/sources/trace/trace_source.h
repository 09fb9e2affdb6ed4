/*
 * Trace: what the kernel itself sees of VMMs: who sends them a signal, how they end, how their guests go, and who has Xen end a domain.
 *
 * One for all VMs of this process: programs in the kernel (trace.bpf.c), or, where it takes none, its tracepoints read by perf.  Each part can be
 * missing and said to be; the others work.  Does not know verdicts, or what else is known of a VM.
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
        TRACE_BIRTHS,    /* which processes may be new QEMUs */
        TRACE_SENDERS,   /* a sender as he was when he sent it, not as /proc knows him a moment later */
        TRACE_HYPERCALLS, /* who tells Xen what to do with a domain; in its dom0 */
        _TRACE_PART_N,
};

enum { TRACE_WHY_MAX = 160 };

/* "trace-signals" … */
const char *trace_part_name(enum trace_part part);

struct trace_source;
struct trace_watch;

/* An end that others have seen, and whose record has not come by then: it was lost.  Tests make it longer. */
extern uint64_t trace_record_wait_usec;
/* A victim of the OOM killer may be gone before it is marked as one. */
extern uint64_t trace_mark_wait_usec;

/*
 * What keeps the programs at work, and what they have written, while nobody reads: given to the next process, which goes on where this one stopped.
 */
enum { TRACE_DESCRIPTORS = 15 };
struct trace_descriptors {
        int fds[TRACE_DESCRIPTORS]; /* -1: none */
};

/* Which programs these are: only the same ones can be gone on with. */
uint32_t trace_source_version(void);

/*
 * For all VMs of the host; or for one alone, which is watched from its birth: then nothing about others is remembered, and there may be many such at
 * once.
 */
enum trace_scope {
        TRACE_HOST,
        TRACE_ONE,
};

/*
 * Load the programs, or else open the tracepoints (then TRACE_SENDERS and TRACE_EXITS are lacking).  0: some parts work (trace_source_lacks() tells
 * which do not).  TRACE_ABSENT: none can here, and ret_why says why: no right (CAP_BPF and CAP_PERFMON; CAP_PERFMON alone for the tracepoints).  -errno.
 *
 * `handed`: another process's programs of this version, taken over in any case; NULL: none.  What they have written is kept until
 * trace_source_begin(), for the watches that are made before that.
 */
#define TRACE_ABSENT 1
int trace_source_open(struct trace_source **ret_source, sd_event *event, enum trace_scope scope, struct trace_descriptors *handed,
                      char ret_why[static TRACE_WHY_MAX]);
struct trace_source *trace_source_close(struct trace_source *source);

/* Why this part does not work; NULL: it does. */
const char *trace_source_lacks(const struct trace_source *source, enum trace_part part);

/* KVM is there from now on, or may be: what waited for its tracepoints is tried.  Does something work now that did not?  Cheap when nothing waits. */
bool trace_source_look_again(struct trace_source *source);

/* Are hypercalls looked for at each system call of the host, so that each takes a little longer? */
bool trace_source_is_at_each_call(const struct trace_source *source);

/* Is it read by perf for want of a right alone? */
bool trace_source_lacks_right(const struct trace_source *source);

/*
 * Hear of processes that have a QEMU's name, from now on: just started, or the child of one.  It may be no VM at all, and gone again; 0: one may have been
 * missed.  Not for TRACE_ONE.
 */
void trace_source_on_birth(struct trace_source *source, void (*born)(void *userdata, pid_t pid), void *userdata);

/*
 * Hear of those who tell Xen to destroy, pause, unpause, resume or shut down a domain, from now on: before it has been done, or refused.  None of vmpower's own
 * helpers.  `evidence`: EVIDENCE_HYPERCALL, theirs from then on; EVIDENCE_GAP, of whichever domain: some were lost; NULL, once: the interface that is spoken here is not known, as TRACE_HYPERCALLS' lack says.  Not for TRACE_ONE.
 */
void trace_source_on_hypercall(struct trace_source *source, void (*called)(void *userdata, struct evidence *evidence), void *userdata);

/* Read all that the kernel has written until now.  Cheap when there is nothing. */
void trace_source_drain(struct trace_source *source);

/* All whom the process before watched have their watch, or need none. */
void trace_source_begin(struct trace_source *source);

/* Borrowed. */
void trace_source_descriptors(const struct trace_source *source, struct trace_descriptors *ret_descriptors);

/* The next process goes on with the descriptors: whoever is watched stays so in the kernel, though his watch goes. */
void trace_source_leave(struct trace_source *source);

/* Before trace_source_begin(), or while it is held: was this process seen to end? */
bool trace_source_saw_end(struct trace_source *source, pid_t pid, uint64_t start_time);

/*
 * Watch a process from now on.  What was sent to it lately, before anybody watched, is reported, too.  `start_time`: since when it runs (field 22 of
 * /proc/PID/stat), for one that may be gone; 0: see for yourself.  `machine`: what its guest's ports mean.  The sink is copied.  0; -ESRCH; -errno.
 */
int trace_watch_new(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time,
                    const struct trace_machine *machine, const struct source_sink *sink);
/*
 * Another one watches that process, and we do once he has gone: what may end it, and its end, are kept for the watch that is made then, of the last second alone.
 * 0 or -errno.
 */
int trace_watch_hold(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time);
struct trace_watch *trace_watch_free(struct trace_watch *watch);

/* What its guest's ports mean from now on. */
void trace_watch_set_machine(struct trace_watch *watch, const struct trace_machine *machine);

/*
 * The process has ended: `done` is called once, mostly at once, when all that the kernel saw of it has been reported.  `end`: EXITED or KILLED as
 * the kernel saw it; NULL: that was not seen.
 */
void trace_watch_finish(struct trace_watch *watch, void (*done)(void *userdata, const struct evidence *end), void *userdata);
