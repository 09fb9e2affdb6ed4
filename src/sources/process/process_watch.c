#include "sources/process/process_watch.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/process/cgroup_oom.h"
#include "sources/process/process_exit.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* So long a stranger's zombie may wait for its parent before we give up on its exit status. */
#define REAP_WAIT_USEC UINT64_C(250000)

/* Linux 6.15, include/uapi/linux/pidfd.h: its first 64 bytes, which every later kernel takes, too. */
struct pidfd_info_v0 {
        uint64_t mask;
        uint64_t cgroupid;
        uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        int32_t exit_code;
};
static_assert(sizeof(struct pidfd_info_v0) == 64, "PIDFD_INFO_SIZE_VER0");
#define PIDFD_GET_INFO_V0  _IOWR(0xFF, 11, struct pidfd_info_v0)
#define PIDFD_INFO_EXIT_V0 (UINT64_C(1) << 3)

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct process_watch {
        pid_t pid;
        uint64_t start_time;
        int pidfd;
        struct cgroup_oom oom;
        bool has_moved; /* out of the cgroup that is counted, as its zombie says */
        sd_event_source *io;
        sd_event_source *deadline; /* runs while a zombie waits for its parent */
        struct source_sink sink;
};

/* Report the end, and forget the watch: the sink may have freed it. */
static void end(struct process_watch *watch, struct evidence *evidence) {
        uint64_t n_killed;

        watch->io = sd_event_source_disable_unref(watch->io);
        watch->deadline = sd_event_source_disable_unref(watch->deadline);

        if (process_was_killed_by(evidence, SIGKILL) && !watch->has_moved && !cgroup_oom_rise(&watch->oom, &n_killed) &&
            n_killed) {
                struct evidence oom = evidence_make(SOURCE_PROCESS, EVIDENCE_OOM_KILL);

                oom.number = (int64_t)n_killed;
                source_report(&watch->sink, &oom);
        }
        source_report(&watch->sink, evidence);
        watch->sink.ended(watch->sink.userdata, SOURCE_PROCESS);
}

/* Our child: waiting for it tells, and reaps it. */
static bool wait_for_child(struct process_watch *watch, struct evidence *ret_evidence) {
        siginfo_t info = { 0 };

        return !waitid((idtype_t)P_PIDFD, (id_t)watch->pidfd, &info, WEXITED | WNOHANG) && info.si_pid &&
               process_evidence_from_siginfo(ret_evidence, &info);
}

/*
 * Anyone's zombie: /proc/PID/stat.  To who may not look, the kernel says 0 there, which would be a clean
 * exit; whether we may look, another link that asks for the same right (PTRACE_MODE_READ_FSCREDS) tells.
 */
static bool look_at_zombie(struct process_watch *watch, struct evidence *ret_evidence) {
        struct proc_stat stat;
        char path[64];
        char target[8];

        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)watch->pid);
        if (readlink(path, target, sizeof(target)) < 0 && (errno == EACCES || errno == EPERM))
                return false;
        return !proc_stat_read(&stat, watch->pid) && stat.state == 'Z' &&
               stat.start_time == watch->start_time &&
               process_evidence_from_status(ret_evidence, stat.exit_code);
}

/* Anyone's process that has been reaped. */
static bool ask_pidfd(struct process_watch *watch, struct evidence *ret_evidence, bool *ret_is_known_later) {
        struct pidfd_info_v0 info = { .mask = PIDFD_INFO_EXIT_V0 };

        if (ioctl(watch->pidfd, PIDFD_GET_INFO_V0, &info) < 0) {
                *ret_is_known_later = false;
                return false;
        }
        *ret_is_known_later = !(info.mask & PIDFD_INFO_EXIT_V0);
        return !*ret_is_known_later && process_evidence_from_status(ret_evidence, info.exit_code);
}

static void end_unseen(struct process_watch *watch) {
        struct evidence evidence = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);

        end(watch, &evidence);
}

static int on_deadline(sd_event_source *source, uint64_t now_usec, void *userdata) {
        end_unseen(userdata);
        return 0;
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct process_watch *watch = userdata;
        bool is_reaped = events & EPOLLHUP;
        bool is_known_later = false;
        struct evidence evidence;

        /* Before it is reaped. */
        watch->has_moved = watch->has_moved || cgroup_oom_has_moved(&watch->oom, watch->pid);
        if (wait_for_child(watch, &evidence) || look_at_zombie(watch, &evidence) ||
            ask_pidfd(watch, &evidence, &is_known_later)) {
                end(watch, &evidence);
                return 0;
        }
        /* Not ours, and we may not look: once its parent has reaped it, the pidfd says EPOLLHUP and knows. */
        if (is_reaped || !is_known_later || sd_event_source_set_io_events(watch->io, 0) < 0 ||
            sd_event_add_time_relative(sd_event_source_get_event(watch->io), &watch->deadline,
                                       CLOCK_MONOTONIC, REAP_WAIT_USEC, 0, on_deadline, watch) < 0)
                end_unseen(watch);
        return 0;
}

int process_watch_new(struct process_watch **ret_watch, sd_event *event, pid_t pid, uint64_t start_time,
                      const struct source_sink *sink) {
        cleanup(process_watch_freep) struct process_watch *watch = NULL;
        struct proc_stat stat;
        int r;

        watch = calloc(1, sizeof(*watch));
        if (!watch)
                return -ENOMEM;
        watch->pid = pid;
        watch->sink = *sink;
        watch->oom.fd = -1;

        /* Always close-on-exec: pidfd_open(2). */
        watch->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (watch->pidfd < 0)
                return -errno;
        /* Once it is open the pid is its own: who has it now is who is watched. */
        r = proc_stat_read(&stat, pid);
        if (!r && start_time && stat.start_time != start_time)
                r = -ESRCH;
        if (r)
                return r;
        watch->start_time = stat.start_time;
        r = sd_event_add_io(event, &watch->io, watch->pidfd, EPOLLIN | EPOLLET, on_pidfd, watch);
        if (r < 0)
                return r;
        process_watch_refresh(watch);

        *ret_watch = take_pointer(watch);
        return 0;
}

void process_watch_free(struct process_watch *watch) {
        if (!watch)
                return;
        sd_event_source_disable_unref(watch->io);
        sd_event_source_disable_unref(watch->deadline);
        cgroup_oom_close(&watch->oom);
        close_fd(&watch->pidfd);
        free(watch);
}

void process_watch_freep(struct process_watch **watch) {
        process_watch_free(*watch);
}

pid_t process_watch_pid(const struct process_watch *watch) {
        return watch->pid;
}

bool process_watch_has_ended(const struct process_watch *watch) {
        struct pollfd pidfd = { .fd = watch->pidfd, .events = POLLIN };

        return poll(&pidfd, 1, 0) > 0;
}

void process_watch_child_changed(struct process_watch *watch) {
        for (;;) {
                siginfo_t info = { 0 };
                struct evidence evidence;

                if (waitid((idtype_t)P_PIDFD, (id_t)watch->pidfd, &info, WSTOPPED | WCONTINUED | WNOHANG) ||
                    !info.si_pid || !process_evidence_from_siginfo(&evidence, &info))
                        return;
                source_report(&watch->sink, &evidence);
        }
}

void process_watch_refresh(struct process_watch *watch) {
        /* Without a counter we know less, and watch all the same. */
        cgroup_oom_close(&watch->oom);
        cgroup_oom_open(&watch->oom, watch->pid);
}

void process_watch_look_again(struct process_watch *watch) {
        if (cgroup_oom_has_moved(&watch->oom, watch->pid))
                process_watch_refresh(watch);
}

static bool is_kept(pid_t pid, const pid_t *kept, size_t n_kept) {
        for (size_t i = 0; i < n_kept; i++)
                if (kept[i] == pid)
                        return true;
        return false;
}

static bool reap(pid_t pid) {
        siginfo_t info = { 0 };

        return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) && info.si_pid;
}

/* Every child of one thread of ours, one by one: proc_pid_children(5). */
static size_t reap_children_of(const char *tid, const pid_t *kept, size_t n_kept) {
        cleanup(fclosep) FILE *file = NULL;
        char path[64];
        size_t n = 0;
        int pid;

        snprintf(path, sizeof(path), "/proc/self/task/%.16s/children", tid);
        file = fopen(path, "re");
        while (file && fscanf(file, "%d", &pid) == 1)
                if (!is_kept(pid, kept, n_kept) && reap(pid)) {
                        n++;
                        /* The list may skip others when one goes while it is read: begin again. */
                        rewind(file);
                }
        return n;
}

size_t process_reap_orphans(const pid_t *kept, size_t n_kept) {
        cleanup(closedirp) DIR *threads = NULL;
        const struct dirent *thread;
        size_t n = 0;

        /* Look at whoever is dead without reaping: mostly it is one orphan, or nobody. */
        for (;;) {
                siginfo_t info = { 0 };

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
                        return n;
                if (is_kept(info.si_pid, kept, n_kept))
                        break;
                n += reap(info.si_pid);
        }
        /* One that is kept would be shown to us for ever: go through all children by name. */
        threads = opendir("/proc/self/task");
        while (threads && (thread = readdir(threads)))
                if (thread->d_name[0] != '.')
                        n += reap_children_of(thread->d_name, kept, n_kept);
        return n;
}
