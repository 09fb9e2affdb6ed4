/*
 * Trace sender: who sent a signal, and where the OOM killer's victim was, as /proc still knows it.
 *
 * For records that have no more of him than his pid.  He may be gone, or another have his pid: then nothing is filled in.
 */
#pragma once

#include "sources/trace/decode.h"

#include <sys/types.h>

/*
 * The sender of record->head.at_ns: his pid and thread, and all else that `trace_signal` has of him and of the target's session, where he, and the target, are
 * still there.  Of one that is gone `process.start_ns` stays 0.
 */
void trace_sender_take(struct trace_signal *record, pid_t pid, pid_t tid);

/* The victim's cgroup, where it is there still. */
void trace_victim_take(struct trace_victim *record);
