/*
 * Trace way: how the kernel's records come to us: programs in the kernel write them (trace_programs.h), or we make them of what perf reads at the
 * same tracepoints (trace_perf.h).
 *
 * One table that either fills in.  The records are the same (record.h).  Does not know what is made of them.
 */
#pragma once

#include "sources/trace/trace_source.h"

#include <sys/stat.h>

struct trace_way;

struct trace_way_events {
        /* One record, not checked yet.  Called by `drain` alone. */
        void (*record)(void *userdata, const void *record, size_t n);
        bool (*is_watched)(void *userdata, pid_t pid);
        void *userdata;
};

struct trace_way_ops {
        void (*close)(struct trace_way *way);
        /* Hand on all that was written until now. */
        void (*drain)(struct trace_way *way);
        /* ret_n_lost: records that were lost before, and can be none of his.  0 or -errno. */
        int (*watch)(struct trace_way *way, pid_t pid, uint64_t start_time, uint32_t *ret_n_lost);
        void (*unwatch)(struct trace_way *way, pid_t pid);
        uint32_t (*count_lost)(const struct trace_way *way, pid_t pid);
        /* The last fatal signal to somebody who was not watched.  take: it is not found again. */
        bool (*find_stranger)(struct trace_way *way, pid_t pid, uint64_t start_time, bool take, struct trace_signal *ret_signal);
        void (*descriptors)(const struct trace_way *way, struct trace_descriptors *ret_descriptors);
        /* Those whom nobody watches any more are of no interest. */
        void (*forget_others)(struct trace_way *way);
        /* A module has come since: what of `lacks` waited for it alone is tried.  Does something work now that did not? */
        bool (*look_again)(struct trace_way *way);
};

struct trace_way {
        const struct trace_way_ops *ops;
        struct trace_way_events events;
        int fd;              /* readable when there is something to drain; the way's own */
        bool loses_for_all;  /* what was lost may be about anybody */
        bool has_lost;       /* since that was looked at last, something may have found no room, of whomever */
        bool is_at_each_call; /* each system call of the host takes a little longer */
        char lacks[_TRACE_PART_N][TRACE_WHY_MAX]; /* "": it works */
};

/* Open a source that reads this way: its own from then on, events and all.  0; -errno: it is the caller's still.  Tests bring a way of their own. */
int trace_source_open_on(struct trace_source **ret_source, sd_event *event, struct trace_way *way);

/* include/linux/proc_ns.h: the first pid namespace's inode, which counts as the kernel does. */
#define PROC_PID_INIT_INO 0xEFFFFFFCU

/* This process's pid namespace; 0: the first one. */
static inline uint32_t trace_pid_namespace(void) {
        struct stat namespace;

        return !stat("/proc/self/ns/pid", &namespace) && namespace.st_ino != PROC_PID_INIT_INO ? (uint32_t)namespace.st_ino : 0;
}
