#include "sources/trace/trace_test_world.h"
#include "sources/proc.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void on_report(void *userdata, struct evidence *evidence) {
        struct heard *heard = userdata;

        assert_true(heard->n_facts < FACTS_MAX);
        heard->facts[heard->n_facts++] = *evidence;
}

static void on_ended(void *userdata, enum evidence_source source) {
}

void on_done(void *userdata, const struct evidence *end) {
        struct heard *heard = userdata;

        assert_false(heard->is_done);
        heard->is_done = true;
        heard->has_end = end != NULL;
        if (end)
                heard->end = *end;
}

struct heard *hear_of(enum trace_scope scope) {
        struct heard *heard = calloc(1, sizeof(*heard));
        char why[TRACE_WHY_MAX];

        assert_non_null(heard);
        assert_true(sd_event_new(&heard->event) >= 0);
        assert_int_equal(trace_source_open(&heard->source, heard->event, scope, NULL, why), 0);
        for (size_t i = 0; i < TRACE_PORTS; i++)
                assert_null(trace_source_lacks(heard->source, (enum trace_part)i));
        return heard;
}

struct heard *hear(void) {
        return hear_of(TRACE_HOST);
}

void heard_free(struct heard *heard) {
        for (size_t i = 0; i < heard->n_facts; i++)
                evidence_deinit(&heard->facts[i]);
        trace_source_close(heard->source);
        sd_event_unref(heard->event);
        free(heard);
}

void start(struct stranger *stranger, void (*run)(void)) {
        int go[2], tell[2];
        pid_t child;

        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(tell), 0);
        child = fork();
        assert_true(child >= 0);
        if (!child) {
                pid_t pid = fork();
                char byte;

                if (pid) {
                        _exit(pid < 0 || write(tell[1], &pid, sizeof(pid)) != sizeof(pid));
                }
                close(go[1]);
                if (read(go[0], &byte, 1) == 1)
                        run();
                _exit(0);
        }
        assert_int_equal(read(tell[0], &stranger->pid, sizeof(pid_t)), sizeof(pid_t));
        waitpid(child, NULL, 0);
        close(go[0]);
        close(tell[0]);
        close(tell[1]);
        stranger->go = go[1];
        stranger->pidfd = (int)syscall(SYS_pidfd_open, stranger->pid, 0);
        assert_true(stranger->pidfd >= 0);
}

void wait_for_end(struct stranger *stranger) {
        struct pollfd poll_fd = { .fd = stranger->pidfd, .events = POLLIN };

        assert_int_equal(poll(&poll_fd, 1, 30000), 1);
        close(stranger->pidfd);
        close(stranger->go);
}

void go(struct stranger *stranger) {
        assert_int_equal(write(stranger->go, "", 1), 1);
        wait_for_end(stranger);
}

struct trace_watch *watch(struct heard *heard, pid_t pid, uint64_t start_time) {
        const struct source_sink sink = { on_report, on_ended, heard };
        struct trace_watch *watch;

        assert_int_equal(trace_watch_new(&watch, heard->source, pid, start_time, &(struct trace_machine){ 0 }, &sink), 0);
        return watch;
}

void finish(struct heard *heard, struct trace_watch *watch) {
        trace_watch_finish(watch, on_done, heard);
        while (!heard->is_done)
                assert_true(sd_event_run(heard->event, UINT64_MAX) >= 0);
}

void does_nothing(void) {
}

void is_our_kill(const struct heard *heard) {
        const struct evidence *e = &heard->facts[0];

        assert_true(heard->n_facts >= 1);
        assert_int_equal(e->kind, EVIDENCE_SIGNAL);
        assert_int_equal(e->number, SIGKILL);
        assert_non_null(e->actor);
        assert_int_equal(e->actor->pid, getpid());
        assert_int_equal(e->actor->uid, getuid());
        assert_true(e->actor->exe[0] == '/' && e->actor->cmdline[0]);
}

size_t count_of(const struct heard *heard, enum evidence_kind kind) {
        size_t n = 0;

        for (size_t i = 0; i < heard->n_facts; i++)
                n += heard->facts[i].kind == kind;
        return n;
}

unsigned count_gaps(const struct heard *heard) {
        unsigned n_lost = 0, n;

        for (size_t i = 0; i < heard->n_facts; i++) {
                if (heard->facts[i].kind != EVIDENCE_GAP)
                        continue;
                n = 0;
                assert_int_equal(sscanf(heard->facts[i].text, "%u of", &n), 1);
                n_lost += n;
        }
        return n_lost;
}

const char *find_excuse(void) {
        if (!strcmp(VMPOWER_HAS_TRACE, "0"))
                return "vmpower was built without it";
        if (access("/sys/kernel/btf/vmlinux", F_OK))
                return "this kernel has no BTF";
        return geteuid() ? "only root may use the kernel's tracepoints" : NULL;
}
