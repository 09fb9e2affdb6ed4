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

/*
 * Load the programs, and do what each is there to see: kill a process of our own, start a program that is called like a QEMU, have a guest of our own reset
 * itself, have the OOM killer take somebody out of `cgroup`, which has next to no memory (NULL: there is none, for the reason `cgroup_why`).  What cannot be done
 * here is said not to have been tried.
 */
void trace_try(struct trace_try *ret_try, const char *cgroup, const char *cgroup_why);
