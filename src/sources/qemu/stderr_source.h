/*
 * Standard-error source: what a QEMU writes there is passed on byte for byte, and read for what it says.
 *
 * Knows the pipe, and never lets a reader of ours that is slow block the loop.  What a line means is qemu_stderr.c's.
 */
#pragma once

#include "sources/source.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct stderr_source;

/*
 * Read from `fd` (taken over), pass on to `to_fd` (kept).  `pid`: the VMM, whose terminal a signal without a sender came from.
 * `is_shared`: a guest's device may write there, too, so that whom it names has most likely sent it, and no more.
 * `flushed` is called from the loop when, after stderr_source_drain(), the last byte was passed on to a slow reader.
 * Reports EVIDENCE_SIGNAL; never `ended`: others may hold the pipe open for as long as they like.
 */
int stderr_source_open(struct stderr_source **ret_source, sd_event *event, int fd, int to_fd, pid_t pid, bool is_shared,
                       const struct source_sink *sink, void (*flushed)(void *userdata), void *flushed_userdata);
struct stderr_source *stderr_source_close(struct stderr_source *source);

/* The VMM turned out to be another process than the one that was started. */
void stderr_source_set_pid(struct stderr_source *source, pid_t pid);

/* The VMM has ended: read what is in the pipe now, and pass it on as far as its reader takes it; the rest is passed on by the loop. */
void stderr_source_drain(struct stderr_source *source);
bool stderr_source_is_flushed(const struct stderr_source *source);

/* Report the last lines that it wrote as EVIDENCE_MESSAGE: for a VMM that did not end well. */
void stderr_source_report_messages(struct stderr_source *source);
