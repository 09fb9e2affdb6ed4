/*
 * Process watch: one VMM's process, from now to its end.
 *
 * Owns a pidfd in the loop and the cgroup's OOM counter, and reports what the kernel says of the end: whether
 * the OOM killer was there, the exit status or signal; of our own children also stops.  Does not know why it
 * ended.
 */
#pragma once

#include "sources/source.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct process_watch;

/*
 * Watch the process: a child of ours, a descendant that we adopted (PR_SET_CHILD_SUBREAPER), or anyone's.
 * `start_time`: of the one that is meant (field 22 of its stat); 0: whoever has that pid now.  The sink is
 * copied.  0 or -errno; -ESRCH: there is no such process, or its pid is another's by now.
 *
 * At its end, once: OOM_KILL (its cgroup's counter rose, and it died of SIGKILL); EXITED, KILLED, or VANISHED
 * where nobody may know; then the sink's ended(SOURCE_PROCESS), in which the watch may be freed.  A child is
 * reaped by that.
 */
int process_watch_new(struct process_watch **ret_watch, sd_event *event, pid_t pid, uint64_t start_time,
                      const struct source_sink *sink);
void process_watch_free(struct process_watch *watch);
void process_watch_freep(struct process_watch **watch);

pid_t process_watch_pid(const struct process_watch *watch);

/* It is a zombie, or gone, whether that was reported yet or not. */
bool process_watch_has_ended(const struct process_watch *watch);

/* SIGCHLD came: report STOPPED and CONTINUED if it is this child that has changed. */
void process_watch_child_changed(struct process_watch *watch);

/* The process may have been moved to another cgroup since: count from now on, there. */
void process_watch_refresh(struct process_watch *watch);

/* It may have been moved, and nothing is lost where it was not. */
void process_watch_look_again(struct process_watch *watch);

/*
 * A subreaper's duty: reap every child that is dead, but those named, whose watches reap them.  To be called
 * on SIGCHLD.  Returns how many were reaped.
 */
size_t process_reap_orphans(const pid_t *kept, size_t n_kept);
