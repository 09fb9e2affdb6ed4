/*
 * Decode: the kernel's records as evidence.
 *
 * Bytes in, facts out; what is torn, or of nobody known, is refused.  Does not know whom they are about, or where they come from.  Pure.
 */
#pragma once

#include "core/evidence.h"
#include "sources/trace/record.h"

#include <stdbool.h>
#include <stddef.h>

/* Of the clock ticks in which /proc tells since when a process runs (USER_HZ). */
#define TRACE_TICK_NS UINT64_C(10000000)

/* Outcomes: the record is no fact about the process. */
#define TRACE_NO_FACT 1

/* Is this one whole record, of a kind that is known, with nothing in it that points beyond it?  0, or -EBADMSG. */
int trace_record_check(const void *record, size_t n);

/* Does its head speak of the process that has run since then (clock ticks, field 22 of /proc/PID/stat)? */
bool trace_head_is_about(const struct trace_head *head, uint64_t start_time);

/* Signals of the kernel's own that come from a terminal: ^C, a hangup.  Who sits there is the leader of the target's session. */
bool trace_signal_is_from_terminal(const struct trace_signal *signal);

/* Its process stands still from there on, until a SIGCONT: no handler of its own and no debugger has it.  (A stop that it has asked for itself is none from the host.) */
bool trace_signal_stops(const struct trace_signal *signal);

/* Its sender has sent it by ending: his child wanted that (PR_SET_PDEATHSIG), or he was the first process of its pid namespace. */
bool trace_signal_comes_with_end(const struct trace_signal *signal);

/* What was sent to another has sent `signal` in the end: whose it is `first` tells, and all else that one. */
void trace_signal_take_over(struct trace_signal *first, const struct trace_signal *signal);

/*
 * EVIDENCE_SIGNAL, with its sender where somebody sent it; of the sender all but the names of users.  Its flag: the process has sent it to itself, or has made the fault.
 * 0; TRACE_NO_FACT: it did nothing; -ENOMEM.  The record was checked.
 */
int trace_signal_decode(struct evidence *ret_evidence, const struct trace_signal *signal);

/*
 * A process that is no child of ours was stopped, or continued, by this signal: then true, and STOPPED or CONTINUED.  `is_stopped`: was it, before
 * and after.
 */
bool trace_stop_decode(struct evidence *ret_evidence, const struct trace_signal *signal, bool *is_stopped);

/* By one of vmpower's own helpers: whoever asked for it is on record. */
bool trace_hypercall_is_own(const struct trace_hypercall *record);

/* EVIDENCE_HYPERCALL, with who made it but for the names of users.  0; TRACE_NO_FACT: the interface's version is none that is known; -ENOMEM. */
int trace_hypercall_decode(struct evidence *ret_evidence, const struct trace_hypercall *record);

/* EXITED or KILLED. */
void trace_exit_decode(struct evidence *ret_evidence, const struct trace_exit *record);
/* OOM_KILL. */
void trace_victim_decode(struct evidence *ret_evidence, const struct trace_victim *record);

/* What is known of a VM that says what its ports do. */
struct trace_machine {
        bool is_pc;     /* QEMU's pc or q35 */
        bool no_reboot; /* a reset ends it */
        bool no_shutdown; /* what its guest ends it by holds it */
        bool speaks;    /* its monitor tells what became of it, so nothing is to be concluded here */
        bool is_child;  /* wait(2) tells whoever reports it that it was stopped */
};

/*
 * What the guest wrote, or made KVM hand to its VMM; and, where nobody else says what that did to the VM, what it did, or (SHUTDOWN, SUSPEND_DISK)
 * tried: ret_n facts, in their order, at most TRACE_POWER_FACTS.
 */
enum { TRACE_POWER_FACTS = 5 };
void trace_power_decode(struct evidence ret_evidence[static TRACE_POWER_FACTS], size_t *ret_n, const struct trace_head *head,
                        const struct trace_machine *machine);
