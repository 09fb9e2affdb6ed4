#include "sources/trace/perf_points.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/trace/trace_way.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * The same as the programs take (trace.bpf.c), in the kernel's words: Documentation/trace/events.rst, 5.1.  Of signals only those that arrive
 * (include/trace/events/signal.h: delivered, or without its siginfo), and SIGCONT, which continues whoever ignores it: to send what is pending already is cheap,
 * and would fill the rings.
 */
static const struct {
        enum trace_part part;
        bool counts_as_kernel; /* its pids are those of the first pid namespace */
        bool is_of_host;       /* whoever has one VM looks for no other */
        const char *system, *name;
        const char *fields[TRACEPOINT_FIELDS];
        const char *filter; /* NULL: all */
} points_of[_PERF_POINT_N] = {
        [AT_SIGNAL] = { TRACE_SIGNALS, true, false, "signal", "signal_generate", { "sig", "code", "pid", "result" },
                "((sig >= 1 && sig <= 9) || sig == 11 || sig == 13 || sig == 15 || (sig >= 18 && sig <= 22) || sig == 24 || sig == 25 || sig == 31)"
                " && (result == 0 || result == 4 || sig == 18)" },
        /* What ends a process where it has no handler for it: but for SIGKILL, by which the kernel also tells threads that all is over. */
        [AT_DELIVERY] = { TRACE_EXITS, false, false, "signal", "signal_deliver", { "sig" },
                "sa_handler == 0 && ((sig >= 3 && sig <= 8) || sig == 11 || sig == 24 || sig == 25 || sig == 31)" },
        [AT_VICTIM] = { TRACE_OOM, true, false, "oom", "mark_victim", { "pid" }, NULL },
        [AT_PORT] = { TRACE_PORTS, false, false, "kvm", "kvm_pio", { "port", "size", "val" },
                "rw == 1 && ((size == 1 && port == 0x64 && val >= 0xf0 && !(val & 1)) || (size == 1 && port == 0x92 && val & 1)"
                " || (size == 1 && port == 0xcf9 && val & 4) || (size == 2 && (port == 0x604 || port == 0xb004) && val & 0x2000))" },
        [AT_KVM_EXIT] = { TRACE_KVM_EXITS, false, false, "kvm", "kvm_userspace_exit", { "reason", "errno" }, "reason == 8 || reason == 24" },
        [AT_EXEC] = { TRACE_BIRTHS, false, true, "sched", "sched_process_exec", { NULL }, "filename ~ \"*qemu*\" || filename ~ \"*kvm*\"" },
        /* -daemonize: a child that is no thread (CLONE_THREAD). */
        [AT_TASK] = { TRACE_BIRTHS, true, true, "task", "task_newtask", { "pid" },
                "(comm ~ \"qemu*\" || comm ~ \"kvm*\") && !(clone_flags & 0x10000)" },
};

enum trace_part perf_point_part(enum perf_point point) {
        return points_of[point].part;
}

const char *perf_point_name(enum perf_point point) {
        return points_of[point].name;
}

/* Where tracefs is: at a place of its own, or where it was before Linux 4.1. */
static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

bool perf_points_have_tracefs(void) {
        bool found = false;

        for (size_t i = 0; i < N_ELEMENTS(roots); i++) {
                char path[128];

                snprintf(path, sizeof(path), "%s/events", roots[i]);
                found = found || !access(path, F_OK);
        }
        return found;
}

static int read_format(struct tracepoint_format *ret_format, enum perf_point point) {
        cleanup(freep) char *text = malloc(TRACEPOINT_TEXT_MAX);
        ssize_t n = -ENOENT;

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < N_ELEMENTS(roots) && n == -ENOENT; i++) {
                char path[128];

                snprintf(path, sizeof(path), "%s/events/%s/%s/format", roots[i], points_of[point].system, points_of[point].name);
                n = proc_read(path, text, TRACEPOINT_TEXT_MAX);
        }
        if (n < 0)
                return (int)n;
        return tracepoint_format_parse(ret_format, points_of[point].fields, text, (size_t)n) ? -EBADMSG : 0;
}

int perf_points_learn(struct perf_points *points, enum trace_scope scope, char lacks[static _TRACE_PART_N][TRACE_WHY_MAX]) {
        bool counts_as_kernel = !trace_pid_namespace(), works = false;
        int first = 0;

        for (size_t i = 0; i < _PERF_POINT_N; i++) {
                int r;

                points->is_wanted[i] = false;
                if (points_of[i].is_of_host && scope != TRACE_HOST)
                        continue;
                r = points_of[i].counts_as_kernel && !counts_as_kernel ? -EREMOTE : read_format(&points->formats[i], (enum perf_point)i);
                points->is_wanted[i] = !r;
                works = works || !r;
                first = first ? first : r;
                if (r)
                        snprintf(lacks[points_of[i].part], TRACE_WHY_MAX, "%s cannot be read by perf: %s", points_of[i].name,
                                 r == -ENOENT    ? "there is no such tracepoint"
                                 : r == -EREMOTE ? "its pids are not those of this pid namespace"
                                 : r == -EBADMSG ? "it has other fields"
                                                 : strerror(-r));
        }
        return works ? 0 : first;
}

bool perf_points_learn_again(struct perf_points *points, enum perf_point point) {
        points->is_wanted[point] = !read_format(&points->formats[point], point);
        return points->is_wanted[point];
}

int perf_points_open(const struct perf_points *points, enum perf_point point, int cpu) {
        struct perf_event_attr attributes = {
                .type = PERF_TYPE_TRACEPOINT,
                .size = sizeof(attributes),
                .config = points->formats[point].id,
                .sample_period = 1,
                .sample_type = PERF_SAMPLES,
                .wakeup_events = 1,
                .disabled = 1,
                .use_clockid = 1,
                .clockid = CLOCK_MONOTONIC, /* of those that tracepoints take the next to CLOCK_BOOTTIME */
        };
        cleanup(closep) int fd = (int)syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

        if (fd < 0 || (points_of[point].filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, points_of[point].filter) < 0))
                return -errno;
        return take_fd(&fd);
}

bool perf_points_decode(const struct perf_points *points, struct perf_seen *ret_seen, const struct perf_record *record) {
        for (size_t i = 0; i < _PERF_POINT_N; i++) {
                const struct tracepoint_format *format = &points->formats[i];
                bool is_whole = true;
                int64_t id;

                if (!points->is_wanted[i] || !tracepoint_field_read(&format->type, record->raw, record->n_raw, &id) || id != format->id)
                        continue;
                *ret_seen = (struct perf_seen){ (enum perf_point)i, (pid_t)record->pid, (pid_t)record->tid, record->at_ns, { 0 } };
                for (size_t k = 0; k < TRACEPOINT_FIELDS && points_of[i].fields[k]; k++)
                        is_whole = is_whole && tracepoint_field_read(&format->fields[k], record->raw, record->n_raw, &ret_seen->fields[k]);
                return is_whole && ret_seen->at_ns;
        }
        return false;
}
