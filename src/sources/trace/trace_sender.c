#include "sources/trace/trace_sender.h"
#include "sources/proc.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The parent of all kernel threads. */
#define KTHREADD 2

enum { CGROUPS_TEXT = 8192, CGROUP_PATH = 4096 };

/* Was it there at that instant?  Whoever has a pid after somebody else is younger. */
static bool was_there(const struct proc_stat *stat, uint64_t at_ns) {
        return stat->start_time <= at_ns / TRACE_TICK_NS;
}

static void describe(struct trace_process *process, const struct proc_stat *stat) {
        process->tgid = (uint32_t)stat->pid;
        /* 0 says that it is not known; the first process has begun with the clock. */
        process->start_ns = stat->start_time ? stat->start_time * TRACE_TICK_NS : 1;
        memcpy(process->comm, stat->comm, sizeof(process->comm) - 1);
}

/* The innermost name first; each is cut, as the programs in the kernel do it. */
static uint32_t take_names(char *ret_names, size_t n_max, size_t name_size, const char *path) {
        const char *end = path + strlen(path);
        uint32_t n = 0;

        while (end > path && n < n_max) {
                const char *from = end;
                size_t n_name;

                while (from > path && from[-1] != '/')
                        from--;
                n_name = (size_t)(end - from) < name_size ? (size_t)(end - from) : name_size - 1;
                if (end > from) {
                        memcpy(ret_names + n * name_size, from, n_name);
                        n++;
                }
                end = from > path ? from - 1 : path;
        }
        return n;
}

static void take_path(struct trace_sender *sender, pid_t pid) {
        char link[64], path[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        sender->n_path = take_names(sender->path[0], TRACE_PATH_NAMES, TRACE_PATH_NAME, path);
}

static ssize_t read_cgroups(char ret_text[static CGROUPS_TEXT], pid_t pid) {
        char file[64];

        snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
        return proc_read(file, ret_text, CGROUPS_TEXT);
}

static void take_cgroup(struct trace_sender *sender, pid_t pid) {
        char text[CGROUPS_TEXT], path[CGROUP_PATH] = "";
        ssize_t n = read_cgroups(text, pid);

        /* Of several hierarchies the one that the programs see; a host with cgroup v1 alone has only systemd's. */
        if (n > 0 && proc_cgroup_parse(path, sizeof(path), text, (size_t)n, NULL))
                proc_cgroup_parse(path, sizeof(path), text, (size_t)n, "name=systemd");
        sender->n_cgroup = take_names(sender->cgroup[0], TRACE_CGROUP_NAMES, TRACE_CGROUP_NAME, path);
}

static void take_arguments(struct trace_sender *sender, pid_t pid) {
        char file[64];
        ssize_t n;

        snprintf(file, sizeof(file), "/proc/%d/cmdline", (int)pid);
        n = proc_read(file, sender->arguments, sizeof(sender->arguments));
        sender->n_arguments = n > 0 ? (uint32_t)n : 0;
}

static void take_users(struct trace_sender *sender, pid_t pid) {
        struct proc_status status;
        char file[64], text[32];
        uint64_t login_uid;
        ssize_t n;

        if (!proc_status_read(&status, pid))
                sender->uid = status.uid;
        snprintf(file, sizeof(file), "/proc/%d/loginuid", (int)pid);
        n = proc_read(file, text, sizeof(text));
        if (n > 0 && !proc_number_parse(&login_uid, text, (size_t)n) && login_uid < UINT32_MAX)
                sender->login_uid = (uint32_t)login_uid;
}

/* The nearest first; a parent is never younger than its child. */
static void take_parents(struct trace_sender *sender, const struct proc_stat *child) {
        struct proc_stat at = *child, parent;

        while (sender->n_parents < TRACE_PARENTS && at.parent > 0) {
                if (proc_stat_read(&parent, at.parent) || parent.start_time > at.start_time)
                        return;
                describe(&sender->parents[sender->n_parents++], &parent);
                at = parent;
        }
}

/* Whose terminal the target has. */
static void take_leader(struct trace_signal *record) {
        struct proc_stat target, leader;

        if (!proc_stat_read(&target, (pid_t)record->head.tgid) && was_there(&target, record->head.at_ns) && target.session > 0 &&
            !proc_stat_read(&leader, target.session) && was_there(&leader, record->head.at_ns))
                describe(&record->leader, &leader);
}

static void take_process(struct trace_sender *sender, pid_t pid, uint64_t at_ns) {
        const struct trace_sender unknown = *sender;
        struct proc_stat stat, again;

        if (proc_stat_read(&stat, pid) || !was_there(&stat, at_ns))
                return;
        sender->is_kernel = stat.pid == KTHREADD || stat.parent == KTHREADD;
        describe(&sender->process, &stat);
        sender->session = (uint32_t)stat.session;
        if (sender->is_kernel)
                return;
        take_users(sender, pid);
        take_parents(sender, &stat);
        take_path(sender, pid);
        take_cgroup(sender, pid);
        take_arguments(sender, pid);
        /* What was read may be another's by now.  If he has just gone, all of it holds. */
        if (!proc_stat_read(&again, pid) && again.start_time != stat.start_time)
                *sender = unknown;
}

void trace_sender_take(struct trace_signal *record, pid_t pid, pid_t tid) {
        struct trace_sender *sender = &record->sender;

        sender->uid = sender->login_uid = UINT32_MAX;
        /* An interrupt while nobody ran, or while somebody was over already. */
        sender->is_kernel = pid <= 0;
        if (pid > 0) {
                sender->process.tgid = (uint32_t)pid;
                sender->tid = (uint32_t)tid;
                take_process(sender, pid, record->head.at_ns);
        }
        take_leader(record);
}

void trace_victim_take(struct trace_victim *record) {
        const pid_t pid = (pid_t)record->head.tgid;
        char text[CGROUPS_TEXT], path[CGROUP_PATH];
        ssize_t n = read_cgroups(text, pid);
        struct proc_stat stat;
        bool is_v1;

        if (n <= 0 || proc_stat_read(&stat, pid) || !trace_head_is_about(&record->head, stat.start_time))
                return;
        is_v1 = !proc_cgroup_parse(path, sizeof(path), text, (size_t)n, "memory");
        /* Of one on its way out v1 has forgotten where it was, and says the root. */
        if (is_v1 ? !strcmp(path, "/") : proc_cgroup_parse(path, sizeof(path), text, (size_t)n, NULL) != 0)
                return;
        record->has_cgroup = 1;
        record->n_cgroup = take_names(record->cgroup[0], TRACE_CGROUP_NAMES, TRACE_CGROUP_NAME, path);
}
