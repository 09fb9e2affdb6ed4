/*
 * Trace try: which of the kernel's tracepoints tell us something here.
 */
#pragma once

#include "basics/found.h"
#include "sources/trace/trace_source.h"

struct trace_try {
        int results[_TRACE_PART_N]; /* of each part: 0 or -errno; -EPERM: it takes rights that we have not */
        char found[_TRACE_PART_N][FOUND_MAX];
};

/* Load the programs, kill a process of our own, and see who is said to have done so.  The other parts are loaded, and wait for their event. */
void trace_try(struct trace_try *ret_try);
