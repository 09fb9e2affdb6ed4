/*
 * Cgroup fixture: a small memory cgroup of our own, for tests, and a process that dies in it.
 *
 * Needs root and a memory controller; without them it says why not.  A test returns then, with a
 * "# skipped" line: cmocka's own skip() says "not ok", which Meson counts as a failure.
 */
#pragma once

#include "basics/cleanup.h"
#include "sources/process/cgroup_oom.h"
#include "sources/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct cgroup_fixture {
        char path[PATH_MAX];
        const char *why_not; /* NULL: it is there */
};

static inline int cgroup_fixture_write(const struct cgroup_fixture *cgroup, const char *file,
                                       const char *text) {
        cleanup(closep) int fd = -1;
        char path[PATH_MAX + 64];

        snprintf(path, sizeof(path), "%s/%s", cgroup->path, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A cgroup below our own, with room for 16 MiB. */
static inline struct cgroup_fixture cgroup_fixture_make(void) {
        struct cgroup_fixture cgroup = { .why_not = "needs root" };
        static char mountinfo[1 << 20];
        static char own[1 << 14];
        char *slash;
        ssize_t n_own, n_mountinfo;

        if (geteuid())
                return cgroup;
        cgroup.why_not = "no memory cgroup in sight";
        n_own = proc_read("/proc/self/cgroup", own, sizeof(own));
        n_mountinfo = proc_read("/proc/self/mountinfo", mountinfo, sizeof(mountinfo));
        if (n_own < 0 || n_mountinfo < 0 ||
            cgroup_oom_path(cgroup.path, sizeof(cgroup.path), own, (size_t)n_own, mountinfo,
                            (size_t)n_mountinfo))
                return cgroup;
        slash = strrchr(cgroup.path, '/');
        snprintf(slash, sizeof(cgroup.path) - (size_t)(slash - cgroup.path), "/vmpower-test-%d",
                 (int)getpid());
        cgroup.why_not = "no cgroup can be made here";
        if (mkdir(cgroup.path, 0755))
                return cgroup;
        if (cgroup_fixture_write(&cgroup, "memory.max", "16777216") &&
            cgroup_fixture_write(&cgroup, "memory.limit_in_bytes", "16777216")) {
                cgroup.why_not = "the memory controller is not delegated to here";
                rmdir(cgroup.path);
                return cgroup;
        }
        /* Where there is swap, it must not help. */
        cgroup_fixture_write(&cgroup, "memory.swap.max", "0");
        cgroup_fixture_write(&cgroup, "memory.swappiness", "0");
        cgroup.why_not = NULL;
        return cgroup;
}

static inline void cgroup_fixture_remove(const struct cgroup_fixture *cgroup) {
        if (!cgroup->why_not)
                rmdir(cgroup->path);
}

/*
 * A child of ours in the cgroup, once it is there.  When ret_trigger is closed it takes more memory than
 * there is, and the OOM killer takes it.
 */
static inline pid_t cgroup_fixture_start(const struct cgroup_fixture *cgroup, int *ret_trigger) {
        enum {
                TOO_MUCH = 128 << 20,
        };
        int trigger[2], ready[2];
        char byte;
        pid_t pid;

        *ret_trigger = -1;
        if (pipe2(trigger, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
                return -errno;
        pid = fork();
        if (!pid) {
                char *memory;

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(trigger[1]);
                close(ready[0]);
                if (cgroup_fixture_write(cgroup, "cgroup.procs", "0"))
                        _exit(99);
                close(ready[1]);
                if (read(trigger[0], &byte, 1) < 0)
                        _exit(98);
                memory = mmap(NULL, TOO_MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (memory != MAP_FAILED)
                        memset(memory, 1, TOO_MUCH);
                _exit(97);
        }
        close(trigger[0]);
        close(ready[1]);
        if (read(ready[0], &byte, 1))
                pid = -EIO;
        close(ready[0]);
        *ret_trigger = trigger[1];
        return pid;
}
