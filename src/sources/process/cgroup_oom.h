/*
 * Cgroup OOM: has the kernel's OOM killer taken a process of this cgroup?
 *
 * Finds and keeps open the counter of a process's memory cgroup: memory.events (cgroup v2) or
 * memory.oom_control (v1), and says how far it rose.  Does not know which process was taken.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_oom {
        int fd; /* -1: there is none */
        uint64_t kills;
        char *place; /* where in the hierarchy that is; owned.  NULL: not known */
};

/*
 * Open the counter of the process's cgroup.  0 or -errno; -ENOENT: it has none (the root of cgroup v2, a
 * kernel without).  *ret is closed then, and needs no cgroup_oom_close().
 */
int cgroup_oom_open(struct cgroup_oom *ret, pid_t pid);
void cgroup_oom_close(struct cgroup_oom *counter);

/* Where the counter of the process's cgroup is, whether it is there or not.  0 or -errno; -ENOENT: no memory cgroup is in sight. */
int cgroup_oom_find(char ret_path[static PATH_MAX], pid_t pid);

/*
 * Is the process in another cgroup by now?  Then the counter is not about it any more, and the other one's was not read when that began.  (One of v2 counts what is
 * below it, too.)  Of a zombie v2 tells; v1 has forgotten where it was, which is no move.
 */
bool cgroup_oom_has_moved(const struct cgroup_oom *counter, pid_t pid);

/* How many were killed since it was opened.  0 or -errno; -ENODEV: the cgroup was removed since. */
int cgroup_oom_rise(const struct cgroup_oom *counter, uint64_t *ret_kills);

/* The counter in the file's text.  0 or -EINVAL.  Pure. */
int cgroup_oom_parse(uint64_t *ret_kills, const char *text, size_t n_text);

/*
 * Where the counter is, by /proc/PID/cgroup and /proc/self/mountinfo.  0, -ENOENT: no memory cgroup in sight,
 * or -ENOBUFS. Pure.
 */
int cgroup_oom_path(char *ret_path, size_t n_path, const char *cgroup, size_t n_cgroup, const char *mountinfo,
                    size_t n_mountinfo);
