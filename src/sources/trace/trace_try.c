#include "sources/trace/trace_try.h"
#include "sources/trace/hypercall_try.h"
#include "basics/cleanup.h"
#include "sources/try.h"
#include "sources/xen_dom0.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct seen {
        bool has_sender, has_end;
        pid_t sender;
        bool is_over;
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct seen *seen = userdata;

        if (evidence->kind == EVIDENCE_SIGNAL && evidence->number == SIGKILL && evidence->actor) {
                seen->has_sender = true;
                seen->sender = (pid_t)evidence->actor->pid;
        }
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

static void say_all(struct trace_try *ret_try, int result, const char *why) {
        for (size_t i = 0; i < _TRACE_PART_N; i++)
                ret_try->results[i] = found_say(ret_try->found[i], result, "%s", why);
}

static void say_seen(struct trace_try *ret_try, enum trace_part part, bool is_seen, const char *what, const char *otherwise) {
        if (!ret_try->results[part])
                ret_try->results[part] = found_say(ret_try->found[part], is_seen ? 0 : -ENODATA, "%s", is_seen ? what : otherwise);
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

void trace_try(struct trace_try *ret_try) {
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        struct trace_source *source = NULL;
        char why[TRACE_WHY_MAX] = "";
        struct seen seen = { 0 };
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = trace_source_open(&source, event, TRACE_HOST, NULL, why);
        if (r) {
                say_all(ret_try, r == TRACE_ABSENT ? (geteuid() ? -EPERM : -ENOSYS) : r, *why ? why : strerror(-r));
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
        if (!ret_try->results[TRACE_SENDERS])
                found_say(ret_try->found[TRACE_SENDERS], 0, "the kernel describes who sends a signal at that instant");
        if (!ret_try->results[TRACE_HYPERCALLS] && xen_dom0_is_here())
                ret_try->results[TRACE_HYPERCALLS] = hypercall_try(source, ret_try->found[TRACE_HYPERCALLS]);
        trace_source_close(source);
}
