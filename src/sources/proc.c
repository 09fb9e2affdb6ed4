#include "sources/proc.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/command_line.h"
#include "sources/login.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers older than the kernel (Linux 6.5, include/uapi/asm-generic/socket.h). */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum {
        STAT_MAX = 2048,
        STATUS_MAX = 8192,
        CGROUP_MAX = 16384,
        PATH_MAX_PROC = 64,
};

ssize_t proc_read(const char *path, char *ret_text, size_t n_text) {
        cleanup(closep) int fd = -1;
        size_t n = 0;

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        while (n + 1 < n_text) {
                ssize_t n_read = read(fd, ret_text + n, n_text - 1 - n);

                if (n_read < 0 && errno == EINTR)
                        continue;
                if (n_read < 0)
                        return -errno;
                if (!n_read)
                        break;
                n += (size_t)n_read;
        }
        ret_text[n] = '\0';
        return (ssize_t)n;
}

/* A file of one process.  A process that is gone is -ESRCH, before and after its file was opened. */
static ssize_t read_of(pid_t pid, const char *file, char *ret_text, size_t n_text) {
        char path[PATH_MAX_PROC];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        n = proc_read(path, ret_text, n_text);
        return n == -ENOENT ? -ESRCH : n;
}

int proc_boot_id(char ret_id[static PROC_BOOT_ID_MAX]) {
        ssize_t n = proc_read("/proc/sys/kernel/random/boot_id", ret_id, PROC_BOOT_ID_MAX);

        if (n < 0)
                return (int)n;
        ret_id[strcspn(ret_id, "\n")] = '\0';
        return *ret_id ? 0 : -EINVAL;
}

int proc_stat_read(struct proc_stat *ret_stat, pid_t pid) {
        char text[STAT_MAX];
        ssize_t n = read_of(pid, "stat", text, sizeof(text));

        if (n < 0)
                return (int)n;
        return proc_stat_parse(ret_stat, text, (size_t)n);
}

int proc_status_read(struct proc_status *ret_status, pid_t pid) {
        char text[STATUS_MAX];
        ssize_t n = read_of(pid, "status", text, sizeof(text));

        if (n < 0)
                return (int)n;
        return proc_status_parse(ret_status, text, (size_t)n);
}

int proc_instance(pid_t pid, char ret_text[static PROC_INSTANCE_MAX]) {
        char boot_id[PROC_BOOT_ID_MAX];
        struct proc_stat stat;
        int r;

        r = proc_boot_id(boot_id);
        if (!r)
                r = proc_stat_read(&stat, pid);
        if (r)
                return r;
        snprintf(ret_text, PROC_INSTANCE_MAX, "%s:%d:%" PRIu64, boot_id, (int)pid, stat.start_time);
        return 0;
}

bool proc_instance_is_alive(const char *text) {
        struct proc_instance instance;
        struct proc_stat stat;
        char boot_id[PROC_BOOT_ID_MAX];
        int r;

        if (proc_instance_parse(&instance, text))
                return false;
        r = proc_boot_id(boot_id);
        if (!r && strcmp(boot_id, instance.boot_id))
                return false;
        if (!r)
                r = proc_stat_read(&stat, instance.pid);
        /* Nothing has ended because we have no descriptor to look at it. */
        if (r)
                return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
        return stat.start_time == instance.start_time && stat.state != 'Z' && stat.state != 'X';
}

void proc_user_name(char *ret_name, size_t n_name, uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (!getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) && found)
                text_set(ret_name, n_name, found->pw_name);
        else
                ret_name[0] = '\0';
}

int proc_arguments(char ***ret_arguments, size_t *ret_n, pid_t pid) {
        cleanup(freep) char *text = NULL;
        char **arguments;
        size_t n_arguments = 0;
        char *words;
        ssize_t n;

        text = malloc(COMMAND_LINE_MAX);
        if (!text)
                return -ENOMEM;
        n = read_of(pid, "cmdline", text, COMMAND_LINE_MAX);
        if (n < 0)
                return (int)n;
        /* Words end in NUL; the last one may have lost its own, where the process wrote over it or we read no
         * further. */
        if (n && text[n - 1])
                n++;
        for (ssize_t i = 0; i < n; i++)
                n_arguments += !text[i];

        arguments = malloc((n_arguments + 1) * sizeof(*arguments) + (size_t)n);
        if (!arguments)
                return -ENOMEM;
        words = (char *)(arguments + n_arguments + 1);
        memcpy(words, text, (size_t)n);
        for (size_t i = 0; i < n_arguments; i++) {
                arguments[i] = words;
                words += strlen(words) + 1;
        }
        arguments[n_arguments] = NULL;

        *ret_arguments = arguments;
        *ret_n = n_arguments;
        return 0;
}

static void set_command_line(struct actor *actor, pid_t pid) {
        cleanup(freep) char **arguments = NULL;
        cleanup(freep) char *text = NULL;
        size_t n;

        if (proc_arguments(&arguments, &n, pid) || command_line_format(&text, n, arguments))
                return;
        text_fit(actor->cmdline, sizeof(actor->cmdline), text);
}

static void set_cgroup(struct actor *actor, pid_t pid) {
        char text[CGROUP_MAX];
        char path[CGROUP_MAX];
        ssize_t n = read_of(pid, "cgroup", text, sizeof(text));
        int r;

        if (n < 0)
                return;
        /* systemd's own hierarchy names the unit; a host with cgroup v1 alone may have neither. */
        r = proc_cgroup_parse(path, sizeof(path), text, (size_t)n, "name=systemd");
        if (r)
                r = proc_cgroup_parse(path, sizeof(path), text, (size_t)n, NULL);
        if (!r)
                text_fit(actor->cgroup, sizeof(actor->cgroup), path);
}

void proc_unit(char *ret_unit, size_t n_unit, pid_t pid) {
        char text[CGROUP_MAX], path[CGROUP_MAX];
        ssize_t n = read_of(pid, "cgroup", text, sizeof(text));

        *ret_unit = '\0';
        if (n < 0)
                return;
        if (!proc_cgroup_parse(path, sizeof(path), text, (size_t)n, "name=systemd"))
                proc_unit_of_cgroup(ret_unit, n_unit, path);
        /* A systemd in a container may have the one where the host's has the other. */
        if (!*ret_unit && !proc_cgroup_parse(path, sizeof(path), text, (size_t)n, NULL))
                proc_unit_of_cgroup(ret_unit, n_unit, path);
}

/*
 * From the nearest parent up, through all sessions: sudo and ssh each begin one of their own, and whoever sits at their other end is what is
 * asked for.  A parent is never younger than its child.
 */
static void set_parents(struct actor *actor, const struct proc_stat *child) {
        struct proc_stat stat = *child;

        while (actor->n_parents < ACTOR_PARENTS_MAX && stat.parent > 0) {
                struct proc_stat parent;

                if (proc_stat_read(&parent, stat.parent) || parent.start_time > stat.start_time)
                        return;
                actor->parents[actor->n_parents].pid = parent.pid;
                text_set(actor->parents[actor->n_parents].comm, sizeof(actor->parents[0].comm), parent.comm);
                actor->n_parents++;
                stat = parent;
        }
}

int proc_actor(pid_t pid, const char *via, struct actor *ret_actor) {
        struct actor actor = { .pid = pid, .uid = -1 };
        struct proc_status status;
        struct proc_stat stat, again;
        char path[PATH_MAX_PROC];
        char exe[4096];
        char text[32];
        uint64_t login_uid;
        ssize_t n;

        text_set(actor.via, sizeof(actor.via), via);
        *ret_actor = actor;
        if (proc_stat_read(&stat, pid))
                return -ESRCH;

        text_set(actor.comm, sizeof(actor.comm), stat.comm);
        actor.session = stat.session;
        if (!proc_status_read(&status, pid)) {
                actor.uid = status.uid;
                proc_user_name(actor.user, sizeof(actor.user), status.uid);
        }
        n = read_of(pid, "loginuid", text, sizeof(text));
        if (n > 0 && !proc_number_parse(&login_uid, text, (size_t)n) && login_uid < UINT32_MAX)
                proc_user_name(actor.login_user, sizeof(actor.login_user), (uid_t)login_uid);
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        n = readlink(path, exe, sizeof(exe) - 1);
        exe[n > 0 ? n : 0] = '\0';
        text_fit(actor.exe, sizeof(actor.exe), exe);
        set_command_line(&actor, pid);
        set_cgroup(&actor, pid);
        set_parents(&actor, &stat);

        /* Is the pid another's by now?  Then what was read may be, too.  If it is just gone, all that was
         * read holds. */
        if (!proc_stat_read(&again, pid) && again.start_time != stat.start_time)
                return -ESRCH;
        login_find(&actor);
        *ret_actor = actor;
        return 0;
}

/* Is it the same process that connected, as far as the kernel tells (SO_PEERPIDFD, Linux 6.5)?  An older one knows its user alone. */
static bool is_still_peer(int fd, const struct ucred *peer, const struct actor *actor) {
        cleanup(closep) int pidfd = -1;
        socklen_t n = sizeof(pidfd);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) < 0) {
                pidfd = -1;
                return errno == ENOPROTOOPT && actor->uid == (int64_t)peer->uid;
        }
        /* What was read before this is its own, for nobody had its pid in between. */
        return !syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) || errno != ESRCH;
}

int proc_peer_actor(int fd, const char *via, struct actor *ret_actor) {
        struct ucred peer = { .uid = (uid_t)-1 };
        socklen_t n = sizeof(peer);
        struct actor actor;
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
                peer = (struct ucred){ .uid = (uid_t)-1 };
        r = peer.pid > 0 ? proc_actor(peer.pid, via, &actor) : -ESRCH;
        if (!r && is_still_peer(fd, &peer, &actor)) {
                if (actor.uid < 0 && peer.uid != (uid_t)-1)
                        actor.uid = peer.uid;
                *ret_actor = actor;
                return 0;
        }
        *ret_actor = (struct actor){ .pid = peer.pid, .uid = peer.uid == (uid_t)-1 ? -1 : (int64_t)peer.uid };
        text_set(ret_actor->via, sizeof(ret_actor->via), via);
        return -ESRCH;
}

void proc_actor_of_user(uid_t uid, const char *via, struct actor *ret_actor) {
        *ret_actor = (struct actor){ .uid = uid };
        text_set(ret_actor->via, sizeof(ret_actor->via), via);
        proc_user_name(ret_actor->user, sizeof(ret_actor->user), uid);
}

pid_t proc_session_leader(pid_t pid) {
        struct proc_stat stat;
        int r = proc_stat_read(&stat, pid);

        if (r)
                return r;
        return stat.session ? stat.session : -ESRCH;
}

pid_t proc_tgid(pid_t tid) {
        struct proc_status status;
        int r = proc_status_read(&status, tid);

        return r ? r : status.tgid;
}

int proc_thread_run_ns(pid_t pid, pid_t tid, uint64_t *ret_ns) {
        char path[PATH_MAX_PROC];
        char text[128];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
        n = proc_read(path, text, sizeof(text));
        if (n == -ESRCH)
                return -ENOENT;
        if (n < 0)
                return (int)n;
        return proc_number_parse(ret_ns, text, (size_t)n);
}
