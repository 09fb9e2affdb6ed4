/*
 * Tracing: what the kernel's tracepoints say of the VMs of this process.
 *
 * One trace source for all of them, where it works; where it does not, every call here does nothing, and what it costs is said once.  Knows what a
 * VM's command line makes of its ports, and that a process's end waits for what the kernel saw before it.
 */
#pragma once

#include "engine/handover.h"
#include "sources/source.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct tracing;
struct traced;

/*
 * $VMPOWER_TRACE=no switches it off.  `say`: what does not work, in one line each; NULL: nobody wants to know.  Through
 * `handover` (NULL: this is of one VM alone) the kernel goes on seeing over a restart; then tracing_begin() is due.  0 or -ENOMEM.
 */
int tracing_new(struct tracing **ret_tracing, sd_event *event, struct handover *handover, void (*say)(void *userdata, const char *line), void *userdata);
struct tracing *tracing_free(struct tracing *tracing);

/* All VMs of the process before are taken up. */
void tracing_begin(struct tracing *tracing);

/* Before that, or while it is held: did the kernel see that process end ("BOOTID:PID:STARTTIME")?  Then how it did is known. */
bool tracing_saw_end(struct tracing *tracing, const char *instance);

/* Whoever is watched is the next process's, if something is handed over to that: what the kernel watches stays watched. */
void tracing_leave(struct tracing *tracing);

/* By perf: then it takes the right to that as long as it goes on (CAP_PERFMON), for CPUs that come. */
bool tracing_is_by_perf(const struct tracing *tracing);

/* KVM has been seen to be there: what waited for it alone works from now on, and over a restart. */
void tracing_look_again(struct tracing *tracing);

struct tracing_lack {
        const char *part; /* "trace-ports", as the doctor calls it; "trace": all of them */
        const char *why, *costs;
};

/* The i-th part that does not work.  False past the end: nothing else is lacking. */
bool tracing_lacks(const struct tracing *tracing, size_t i, struct tracing_lack *ret_lack);

/* Hear of processes that may be new QEMUs, from now on (trace_source.h). */
void tracing_on_birth(struct tracing *tracing, void (*born)(void *userdata, pid_t pid), void *userdata);

/* Hear of who tells Xen what to do with a domain, from now on: trace_source.h, but what of that cannot be read is said. */
void tracing_on_hypercall(struct tracing *tracing, void (*called)(void *userdata, struct evidence *evidence), void *userdata);

/* Report what the kernel has seen until now: before what another source says of the same instant. */
void tracing_drain(struct tracing *tracing);

/* What is known of a process without looking at it. */
struct traced_process {
        pid_t pid;
        const char *instance;     /* which one, where it may be gone already; NULL: it is there */
        char *const *argv;        /* what it runs, or will: n_argv words; NULL: see for yourself */
        size_t n_argv;
        const char *command_line; /* the same as a text, where it may be gone; NULL: not known */
        bool is_monitored;        /* its monitor is held */
        bool is_child;            /* of ours, or whoever tells of it: its stops are told */
};

/* One VM's process, from now on.  What is not to be had is no error: *ret_traced may be NULL. */
void traced_new(struct traced **ret_traced, struct tracing *tracing, const struct traced_process *process, const struct source_sink *sink);
/* Another vmpower watches it, and we do once that one has gone: what ends it until then is kept for that ("BOOTID:PID:STARTTIME"). */
void traced_hold(struct traced **ret_traced, struct tracing *tracing, const char *instance);
struct traced *traced_free(struct traced *traced);

/* Its monitor is held, and tells what becomes of it; or not any more. */
void traced_set_monitored(struct traced *traced, bool is_monitored);

/*
 * Its process has ended, as `end` says (taken over; it names nobody): `done` is called once, mostly at once, with what is to be reported as that; before it all that the
 * kernel saw of it is reported.  Where nobody saw how it ended but the kernel, `done` gets the kernel's word.
 */
void traced_finish(struct traced *traced, const struct evidence *end, void (*done)(void *userdata, struct evidence *end), void *userdata);
