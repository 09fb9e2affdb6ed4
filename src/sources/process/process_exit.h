/*
 * Process exit: how a process ended or changed, as evidence.
 *
 * Knows the kernel's three ways to say it: a wait status, siginfo, /proc's exit_code.  Does not wait for
 * anything.  Pure.
 */
#pragma once

#include "core/evidence.h"

#include <signal.h>

/*
 * A wait status, as from waitpid(2), /proc/PID/stat's exit_code and PIDFD_GET_INFO.  False: it is none, and
 * nothing was written.
 */
bool process_evidence_from_status(struct evidence *ret_evidence, int status);

/* The siginfo of waitid(2).  False: it tells of no child. */
bool process_evidence_from_siginfo(struct evidence *ret_evidence, const siginfo_t *info);

/* Did it die of this signal? */
bool process_was_killed_by(const struct evidence *evidence, int signal);
