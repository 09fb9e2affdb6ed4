#include "sources/trace/trace_try.h"
#include "sources/trace/hypercall_try.h"
#include "basics/capabilities.h"
#include "basics/cleanup.h"
#include "sources/trace/guest_try.h"
#include "sources/trace/perf_points.h"
#include "sources/try.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct seen {
        bool has_sender, has_end, has_port, has_kvm_exit, is_victim, is_born;
        pid_t sender, child;
        bool is_over;
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct seen *seen = userdata;

        if (evidence->kind == EVIDENCE_SIGNAL && evidence->number == SIGKILL && evidence->actor) {
                seen->has_sender = true;
                seen->sender = (pid_t)evidence->actor->pid;
        }
        seen->has_port = seen->has_port || evidence->kind == EVIDENCE_PORT_WRITE;
        seen->has_kvm_exit = seen->has_kvm_exit || evidence->kind == EVIDENCE_KVM_EXIT;
        seen->is_victim = seen->is_victim || evidence->kind == EVIDENCE_OOM_KILL;
        evidence_deinit(evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
}

static void on_finished(void *userdata, const struct evidence *end) {
        struct seen *seen = userdata;

        seen->has_end = end && end->kind == EVIDENCE_KILLED && end->number == SIGKILL;
        seen->is_over = true;
}

static pid_t start_sleeper(void) {
        pid_t parent = getpid(), pid = fork();

        if (pid)
                return pid < 0 ? -errno : pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        for (;;)
                pause();
}

/* Watch a process of our own while we kill it. */
static int watch_a_kill(struct trace_source *source, sd_event *event, struct seen *seen) {
        const struct source_sink sink = { on_report, on_ended, seen };
        const struct trace_machine machine = { 0 };
        struct trace_watch *watch = NULL;
        pid_t pid = start_sleeper();
        int r;

        if (pid < 0)
                return pid;
        r = trace_watch_new(&watch, source, pid, 0, &machine, &sink);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (r)
                return r;
        trace_watch_finish(watch, on_finished, seen);
        r = try_wait(event, &seen->is_over);
        trace_watch_free(watch);
        return r;
}

/* --- a victim of the OOM killer ------------------------------------------------------------------------------------ */

enum { TOO_MUCH = 16 << 20 };

/* Bounded, should nobody stop it. */
static void take_memory(int go) {
        volatile char *memory;
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (read(go, &byte, 1) != 1)
                _exit(0);
        memory = mmap(NULL, TOO_MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; memory != MAP_FAILED && i < TOO_MUCH; i += 1024)
                memory[i] = 1;
        _exit(0);
}

static int move_into(const char *cgroup, pid_t pid) {
        cleanup(closep) int fd = -1;
        char path[PATH_MAX + 16];

        snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 || dprintf(fd, "%d", (int)pid) < 0 ? -errno : 0;
}

/* 0: the OOM killer has taken it; -ENODATA: it has not; -errno. */
static int watch_a_victim(struct trace_source *source, const char *cgroup, struct seen *seen) {
        const struct source_sink sink = { on_report, on_ended, seen };
        const struct trace_machine machine = { 0 };
        struct trace_watch *watch = NULL;
        int go[2], status = 0, r;
        pid_t pid;

        if (pipe2(go, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (!pid) {
                close(go[1]);
                take_memory(go[0]);
        }
        close(go[0]);
        r = pid < 0 ? -errno : trace_watch_new(&watch, source, pid, 0, &machine, &sink);
        if (!r)
                r = move_into(cgroup, pid);
        if (!r && write(go[1], "", 1) != 1)
                r = -errno;
        close(go[1]);
        if (pid > 0)
                waitpid(pid, &status, 0);
        trace_source_drain(source);
        trace_watch_free(watch);
        return r ? r : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -ENODATA;
}

/* --- a program that is called like a QEMU --------------------------------------------------------------------------- */

static void on_born(void *userdata, pid_t pid) {
        struct seen *seen = userdata;

        seen->is_born = seen->is_born || pid == seen->child;
}

/* This very program by that name, and it only says its version. */
static void become_a_qemu(const char *path) {
        int unread[2];

        /* There may be no /dev/null. */
        if (pipe(unread) < 0)
                _exit(127);
        for (int fd = 0; fd < 3; fd++)
                dup2(unread[1], fd);
        execl(path, path, "--version", NULL);
        _exit(127);
}

static int watch_a_birth(struct trace_source *source, struct seen *seen) {
        char directory[] = "/tmp/vmpower-doctor-XXXXXX", path[sizeof(directory) + 16], own[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
        int status = 0, r = 0;

        if (n < 0 || !mkdtemp(directory))
                return -errno;
        own[n] = '\0';
        snprintf(path, sizeof(path), "%s/qemu-try", directory);
        if (symlink(own, path) < 0)
                r = -errno;
        trace_source_on_birth(source, on_born, seen);
        seen->child = r ? -1 : fork();
        if (!seen->child)
                become_a_qemu(path);
        if (!r && (seen->child < 0 || waitpid(seen->child, &status, 0) < 0))
                r = -errno;
        trace_source_drain(source);
        trace_source_on_birth(source, NULL, NULL);
        unlink(path);
        rmdir(directory);
        return r ? r : WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOEXEC : 0;
}

/* --- a guest -------------------------------------------------------------------------------------------------------- */

static int watch_a_guest(struct trace_source *source, struct seen *seen, char ret_why[static FOUND_MAX]) {
        const struct trace_machine machine = { .is_pc = true, .speaks = true };
        const struct source_sink sink = { on_report, on_ended, seen };
        struct trace_watch *watch = NULL;
        int r = trace_watch_new(&watch, source, getpid(), 0, &machine, &sink);

        if (r)
                return found_say(ret_why, r, "%s", strerror(-r));
        r = guest_try(ret_why);
        trace_source_drain(source);
        trace_watch_free(watch);
        return r;
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

static void say_all(struct trace_try *ret_try, int result, const char *why) {
        for (size_t i = 0; i < _TRACE_PART_N; i++)
                ret_try->results[i] = found_say(ret_try->found[i], result, "%s", why);
}

static void say_seen(struct trace_try *ret_try, enum trace_part part, bool is_seen, const char *what, const char *otherwise) {
        if (!ret_try->results[part])
                ret_try->results[part] = found_say(ret_try->found[part], is_seen ? 0 : -ENODATA, "%s", is_seen ? what : otherwise);
}

static void say_not_tried(struct trace_try *ret_try, enum trace_part part, const char *why) {
        char loaded[FOUND_MAX];

        if (ret_try->results[part])
                return;
        snprintf(loaded, sizeof(loaded), "%.100s", ret_try->found[part]);
        found_say(ret_try->found[part], 0, "%.100s; not tried: %.180s", loaded, why);
}

/* What only programs in the kernel would tell, or what no module of this kernel has. */
static int error_of(const struct trace_source *source, enum trace_part part) {
        const bool is_by_perf = trace_source_lacks(source, TRACE_SENDERS);

        if (trace_source_lacks_right(source))
                return -EPERM;
        if (part == TRACE_HYPERCALLS && !is_by_perf)
                return -ENODEV;
        return is_by_perf && (part == TRACE_SENDERS || part == TRACE_EXITS || part == TRACE_HYPERCALLS) ? -EOPNOTSUPP : -ENOSYS;
}

/* Nothing works at all: neither a program, nor a tracepoint by perf. */
static int error_of_absence(void) {
        return geteuid() || !capabilities_have(CAP_PERFMON) ? -EPERM : perf_points_have_tracefs() ? -ENOSYS : -ENOENT;
}

void trace_try(struct trace_try *ret_try, const char *cgroup, const char *cgroup_why) {
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        struct trace_source *source = NULL;
        char why[TRACE_WHY_MAX] = "", guest_why[FOUND_MAX];
        struct seen seen = { 0 };
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = trace_source_open(&source, event, TRACE_HOST, NULL, why);
        if (r) {
                say_all(ret_try, r == TRACE_ABSENT ? error_of_absence() : r, *why ? why : strerror(-r));
                return;
        }
        say_all(ret_try, 0, trace_source_lacks(source, TRACE_SENDERS) ? "its tracepoint is read by perf" : "its program is in the kernel");
        for (size_t i = 0; i < _TRACE_PART_N; i++) {
                const char *lack = trace_source_lacks(source, (enum trace_part)i);

                if (lack)
                        ret_try->results[i] = found_say(ret_try->found[i], error_of(source, (enum trace_part)i), "%s", lack);
        }
        r = watch_a_kill(source, event, &seen);
        say_seen(ret_try, TRACE_SIGNALS, !r && seen.has_sender && seen.sender == getpid(), "a process was killed, and its killer seen",
                 "a process was killed, and its killer not seen");
        say_seen(ret_try, TRACE_EXITS, !r && seen.has_end, "a process was killed, and its end seen",
                 "a process was killed, and its end not seen");

        r = cgroup ? watch_a_victim(source, cgroup, &seen) : 0;
        if (!cgroup || r)
                say_not_tried(ret_try, TRACE_OOM, !cgroup ? cgroup_why : r == -ENODATA ? "the OOM killer left a process alone that had no room" : strerror(-r));
        else
                say_seen(ret_try, TRACE_OOM, seen.is_victim, "a process of our own was taken by the OOM killer, and seen to be",
                         "a process of our own was taken by the OOM killer, and not seen to be");
        r = watch_a_birth(source, &seen);
        if (r)
                say_not_tried(ret_try, TRACE_BIRTHS, strerror(-r));
        else
                say_seen(ret_try, TRACE_BIRTHS, seen.is_born, "a program that is called like a QEMU was started, and seen to be",
                         "a program that is called like a QEMU was started, and not seen to be");
        if (watch_a_guest(source, &seen, guest_why)) {
                say_not_tried(ret_try, TRACE_PORTS, guest_why);
                say_not_tried(ret_try, TRACE_KVM_EXITS, guest_why);
        } else {
                say_seen(ret_try, TRACE_PORTS, seen.has_port, "a guest wrote to its reset port, and was seen to", "a guest wrote to its reset port, and was not seen to");
                say_seen(ret_try, TRACE_KVM_EXITS, seen.has_kvm_exit, "a guest went by a triple fault, and was seen to",
                         "a guest went by a triple fault, and was not seen to");
        }
        if (!ret_try->results[TRACE_SENDERS])
                found_say(ret_try->found[TRACE_SENDERS], 0, "the kernel describes who sends a signal at that instant");
        if (!ret_try->results[TRACE_HYPERCALLS] && xen_dom0_is_here())
                ret_try->results[TRACE_HYPERCALLS] = hypercall_try(source, ret_try->found[TRACE_HYPERCALLS]);
        trace_source_close(source);
}
