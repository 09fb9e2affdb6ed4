/*
 * Trace right: whether a process that has its programs in the kernel still needs the right to load them.
 *
 * Knows bpf(2).  Does not know which rights the process has.
 */
#pragma once

#include <stdbool.h>

/*
 * Does the kernel refuse this thread, with the rights that it has now, to write into its own maps?  Before Linux 5.19, where
 * kernel.unprivileged_bpf_disabled is set, it did so to everyone without CAP_BPF.
 */
bool trace_right_is_needed(void);
