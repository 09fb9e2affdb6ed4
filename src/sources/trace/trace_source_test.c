/* The programs in the kernel that runs here, on real processes that are no children of ours. */
#include "sources/trace/trace_source.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { FACTS_MAX = 2048 };

struct heard {
        sd_event *event;
        struct trace_source *source;
        struct evidence facts[FACTS_MAX];
        size_t n_facts;
        struct evidence end;
        bool has_end, is_done;
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct heard *heard = userdata;

        assert_true(heard->n_facts < FACTS_MAX);
        heard->facts[heard->n_facts++] = *evidence;
}

static void on_ended(void *userdata, enum evidence_source source) {
}

static void on_done(void *userdata, const struct evidence *end) {
        struct heard *heard = userdata;

        assert_false(heard->is_done);
        heard->is_done = true;
        heard->has_end = end != NULL;
        if (end)
                heard->end = *end;
}

static struct heard *hear_of(enum trace_scope scope) {
        struct heard *heard = calloc(1, sizeof(*heard));
        char why[TRACE_WHY_MAX];

        assert_non_null(heard);
        assert_true(sd_event_new(&heard->event) >= 0);
        assert_int_equal(trace_source_open(&heard->source, heard->event, scope, NULL, why), 0);
        for (size_t i = 0; i < TRACE_PORTS; i++)
                assert_null(trace_source_lacks(heard->source, (enum trace_part)i));
        return heard;
}

static struct heard *hear(void) {
        return hear_of(TRACE_HOST);
}

static void heard_free(struct heard *heard) {
        for (size_t i = 0; i < heard->n_facts; i++)
                evidence_deinit(&heard->facts[i]);
        trace_source_close(heard->source);
        sd_event_unref(heard->event);
        free(heard);
}

/* A process that is not our child: it does `run` when it is told to, by a byte. */
struct stranger {
        pid_t pid;
        int pidfd;
        int go;
};

static void start(struct stranger *stranger, void (*run)(void)) {
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

static void wait_for_end(struct stranger *stranger) {
        struct pollfd poll_fd = { .fd = stranger->pidfd, .events = POLLIN };

        assert_int_equal(poll(&poll_fd, 1, 30000), 1);
        close(stranger->pidfd);
        close(stranger->go);
}

static void go(struct stranger *stranger) {
        assert_int_equal(write(stranger->go, "", 1), 1);
        wait_for_end(stranger);
}

static struct trace_watch *watch(struct heard *heard, pid_t pid, uint64_t start_time) {
        const struct source_sink sink = { on_report, on_ended, heard };
        struct trace_watch *watch;

        assert_int_equal(trace_watch_new(&watch, heard->source, pid, start_time, &(struct trace_machine){ 0 }, &sink), 0);
        return watch;
}

static void finish(struct heard *heard, struct trace_watch *watch) {
        trace_watch_finish(watch, on_done, heard);
        while (!heard->is_done)
                assert_true(sd_event_run(heard->event, UINT64_MAX) >= 0);
}

static void exits_with_7(void) {
        _exit(7);
}

/* Once the first thread has gone: then it is a zombie, while the process is not over. */
static void *exits_all(void *userdata) {
        struct proc_stat stat;

        while (!proc_stat_read(&stat, getpid()) && stat.state != 'Z')
                sched_yield();
        syscall(SYS_exit_group, 9);
        return NULL;
}

static void leaves_it_to_a_thread(void) {
        pthread_t thread;

        pthread_create(&thread, NULL, exits_all, NULL);
        pthread_exit(NULL);
}

static void raises_abort(void) {
        signal(SIGABRT, SIG_DFL);
        syscall(SYS_tgkill, getpid(), getpid(), SIGABRT);
}

static void does_nothing(void) {
}

static void expect_end(void (*run)(void), enum evidence_kind kind, int64_t number) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, run);
        trace = watch(heard, stranger.pid, 0);
        go(&stranger);
        finish(heard, trace);
        assert_true(heard->has_end);
        assert_int_equal(heard->end.kind, kind);
        assert_int_equal(heard->end.number, number);
        assert_int_equal(heard->n_facts, 0);
        assert_true(heard->end.at_ns <= source_now_ns() && source_now_ns() - heard->end.at_ns < UINT64_C(60000000000));
        trace_watch_free(trace);
        heard_free(heard);
}

static void the_exit_status_of_a_process_that_is_not_ours_is_known(void **state) {
        expect_end(exits_with_7, EVIDENCE_EXITED, 7);
}

static void a_threads_exit_is_its_processs_once_it_is_the_last(void **state) {
        expect_end(leaves_it_to_a_thread, EVIDENCE_EXITED, 9);
}


/* The first fact: a SIGKILL that we sent. */
static void is_our_kill(const struct heard *heard) {
        const struct evidence *e = &heard->facts[0];

        assert_true(heard->n_facts >= 1);
        assert_int_equal(e->kind, EVIDENCE_SIGNAL);
        assert_int_equal(e->number, SIGKILL);
        assert_non_null(e->actor);
        assert_int_equal(e->actor->pid, getpid());
        assert_int_equal(e->actor->uid, getuid());
        assert_true(e->actor->exe[0] == '/' && e->actor->cmdline[0]);
}

/* As where a record before it is still being written. */
static void an_end_is_waited_for_where_its_record_comes_late(void **state) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct heard *heard;

        trace_record_wait_usec = 30000000;
        heard = hear();
        start(&stranger, exits_with_7);
        trace = watch(heard, stranger.pid, 0);
        trace_watch_finish(trace, on_done, heard);
        assert_false(heard->is_done);
        go(&stranger);
        while (!heard->is_done)
                assert_true(sd_event_run(heard->event, UINT64_MAX) >= 0);
        assert_true(heard->has_end);
        assert_int_equal(heard->end.number, 7);
        trace_watch_free(trace);
        heard_free(heard);
}

static void a_sender_is_seen_before_the_end_that_he_makes(void **state) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct heard *heard;
        struct actor self;

        heard = hear();
        start(&stranger, does_nothing);
        trace = watch(heard, stranger.pid, 0);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        is_our_kill(heard);
        assert_true(evidence_is_before(&heard->facts[0], &heard->end));
        /* What the kernel saw is what /proc says of us. */
        assert_int_equal(proc_actor(getpid(), "SIGKILL", &self), 0);
        assert_string_equal(heard->facts[0].actor->exe, self.exe);
        assert_string_equal(heard->facts[0].actor->comm, self.comm);
        assert_int_equal(heard->facts[0].actor->tid, 0);
        assert_int_equal(heard->facts[0].actor->session, getsid(0));
        assert_int_equal(heard->facts[0].actor->n_parents, self.n_parents);
        for (size_t i = 0; i < self.n_parents; i++) {
                assert_int_equal(heard->facts[0].actor->parents[i].pid, self.parents[i].pid);
                assert_string_equal(heard->facts[0].actor->parents[i].comm, self.parents[i].comm);
        }
        trace_watch_free(trace);
        heard_free(heard);
}

static void what_a_process_raises_itself_is_its_own(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, raises_abort);
        trace = watch(heard, stranger.pid, 0);
        go(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].kind, EVIDENCE_SIGNAL);
        assert_int_equal(heard->facts[0].number, SIGABRT);
        assert_int_equal(heard->facts[0].flag, TRISTATE_TRUE);
        assert_null(heard->facts[0].actor);
        assert_int_equal(heard->end.number, SIGABRT);
        trace_watch_free(trace);
        heard_free(heard);
}

static void *kill_it(void *userdata) {
        pid_t *pid = userdata;

        kill(*pid, SIGKILL);
        *pid = (pid_t)syscall(SYS_gettid);
        return NULL;
}

static void a_thread_that_sends_is_named_and_so_is_its_process(void **state) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct heard *heard = hear();
        pthread_t thread;
        pid_t killer;

        start(&stranger, does_nothing);
        trace = watch(heard, stranger.pid, 0);
        killer = stranger.pid;
        assert_int_equal(pthread_create(&thread, NULL, kill_it, &killer), 0);
        pthread_join(thread, NULL);
        wait_for_end(&stranger);
        finish(heard, trace);
        is_our_kill(heard);
        assert_int_equal(heard->facts[0].actor->tid, killer);
        trace_watch_free(trace);
        heard_free(heard);
}

static void a_signal_to_a_stranger_is_known_when_he_is_watched_later(void **state) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;
        struct heard *heard;

        heard = hear();
        start(&stranger, does_nothing);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        trace = watch(heard, stranger.pid, stat.start_time);
        assert_int_equal(heard->n_facts, 1);
        is_our_kill(heard);
        trace_watch_free(trace);
        heard_free(heard);
}

static void for_one_vm_nothing_about_others_is_remembered(void **state) {
        struct stranger stranger, own;
        struct trace_watch *trace, *late;
        struct proc_stat stat;
        struct heard *heard;

        heard = hear_of(TRACE_ONE);
        start(&stranger, does_nothing);
        start(&own, does_nothing);
        trace = watch(heard, own.pid, 0);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        late = watch(heard, stranger.pid, stat.start_time);
        assert_int_equal(heard->n_facts, 0);
        kill(own.pid, SIGKILL);
        wait_for_end(&own);
        finish(heard, trace);
        is_our_kill(heard);
        trace_watch_free(late);
        trace_watch_free(trace);
        heard_free(heard);
}

static void who_had_the_pid_before_or_after_is_another(void **state) {
        struct trace_watch *before, *self, *after;
        struct stranger stranger;
        struct heard *heard, *others;
        struct proc_stat stat;

        heard = hear();
        others = calloc(1, sizeof(*others));
        start(&stranger, does_nothing);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        others->source = heard->source;
        self = watch(heard, stranger.pid, 0);
        before = watch(others, stranger.pid, stat.start_time - 1);
        after = watch(others, stranger.pid, stat.start_time + 1);
        /* Those who had it go; he is watched on. */
        before = trace_watch_free(before);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, self);
        is_our_kill(heard);
        assert_int_equal(others->n_facts, 0);
        trace_watch_free(after);
        trace_watch_free(self);
        free(others);
        heard_free(heard);
}

static size_t count_of(const struct heard *heard, enum evidence_kind kind) {
        size_t n = 0;

        for (size_t i = 0; i < heard->n_facts; i++)
                n += heard->facts[i].kind == kind;
        return n;
}

static unsigned count_gaps(const struct heard *heard) {
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

/* More than the ring holds, and nobody reads. */
static void lost_records_are_counted_and_said(void **state) {
        enum { STRANGERS = 16 };
        struct trace_watch *traces[STRANGERS];
        struct stranger strangers[STRANGERS];
        struct heard *heard = hear();
        size_t n_ends = 0, n_sent = STRANGERS * (TRACE_RECORDS_A_SECOND + 1);

        for (size_t i = 0; i < STRANGERS; i++) {
                start(&strangers[i], does_nothing);
                traces[i] = watch(heard, strangers[i].pid, 0);
        }
        trace_record_wait_usec = 1000;
        for (size_t i = 0; i < STRANGERS; i++) {
                for (int n = 0; n < TRACE_RECORDS_A_SECOND; n++)
                        kill(strangers[i].pid, SIGCONT);
                kill(strangers[i].pid, SIGKILL);
                wait_for_end(&strangers[i]);
        }
        for (size_t i = 0; i < STRANGERS; i++) {
                size_t n_before = heard->n_facts;

                heard->is_done = false;
                finish(heard, traces[i]);
                n_ends += heard->has_end;
                /* An end that was lost is said to be, too; and that nobody was seen to kill it. */
                for (size_t k = n_before; k < heard->n_facts; k++)
                        if (heard->facts[k].kind == EVIDENCE_GAP && heard->facts[k].text[0] == 't') {
                                evidence_deinit(&heard->facts[k]);
                                heard->facts[k--] = heard->facts[--heard->n_facts];
                        }
                trace_watch_free(traces[i]);
        }
        trace_record_wait_usec = 30000000;
        assert_true(count_of(heard, EVIDENCE_SIGNAL) > 100 && count_of(heard, EVIDENCE_SIGNAL) < n_sent);
        /* All signals and ends were either read or counted. */
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL) + n_ends + count_gaps(heard), n_sent + STRANGERS);
        heard_free(heard);
}

static void who_is_sent_signals_without_end_takes_no_room_of_others(void **state) {
        struct stranger flooded, other;
        struct trace_watch *trace, *beside;
        struct heard *heard = hear(), *quiet = calloc(1, sizeof(*quiet));
        enum { SENT = 5000 };

        assert_non_null(quiet);
        quiet->source = heard->source;
        quiet->event = heard->event;
        start(&flooded, does_nothing);
        start(&other, does_nothing);
        trace = watch(heard, flooded.pid, 0);
        beside = watch(quiet, other.pid, 0);
        for (int i = 0; i < SENT; i++)
                kill(flooded.pid, SIGCONT);
        kill(other.pid, SIGKILL);
        kill(flooded.pid, SIGKILL);
        wait_for_end(&flooded);
        wait_for_end(&other);
        finish(quiet, beside);
        assert_int_equal(quiet->n_facts, 1);
        is_our_kill(quiet);
        finish(heard, trace);
        assert_true(heard->has_end);
        assert_true(count_of(heard, EVIDENCE_SIGNAL) < SENT / 2);
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL) + count_gaps(heard), SENT + 1);
        /* The one that matters passes. */
        assert_int_equal(heard->facts[heard->n_facts - 2].number, SIGKILL);
        assert_int_equal(heard->facts[heard->n_facts - 2].actor->pid, getpid());
        trace_watch_free(trace);
        trace_watch_free(beside);
        evidence_deinit(&quiet->facts[0]);
        free(quiet);
        heard_free(heard);
}

static void kills_itself(void) {
        kill(getpid(), SIGKILL);
}

static void who_kills_himself_has_done_it(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, kills_itself);
        trace = watch(heard, stranger.pid, 0);
        go(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].kind, EVIDENCE_SIGNAL);
        assert_int_equal(heard->facts[0].flag, TRISTATE_TRUE);
        assert_null(heard->facts[0].actor);
        trace_watch_free(trace);
        heard_free(heard);
}

/* A family that ends with its first: `first` is told to go by a byte, or killed; then its child gets SIGKILL of the kernel's. */
struct family {
        pid_t first, child;
        int go;
};

static void begin_family(struct family *family, bool in_namespace) {
        struct {
                pid_t first, child;
        } pids;
        int go[2], tell[2];
        pid_t helper;

        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(tell), 0);
        helper = fork();
        assert_true(helper >= 0);
        if (!helper) {
                char byte;

                if (in_namespace && unshare(CLONE_NEWPID))
                        _exit(1);
                pids.first = fork();
                if (pids.first) {
                        /* As it is seen from here. */
                        waitpid(pids.first, NULL, write(tell[1], &pids.first, sizeof(pids.first)) == sizeof(pids.first) ? 0 : WNOHANG);
                        _exit(0);
                }
                pids.child = fork();
                if (!pids.child) {
                        if (!in_namespace)
                                prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (write(tell[1], "", 1) == 1)
                                for (;;)
                                        pause();
                        _exit(1);
                }
                close(go[1]);
                (void)!read(go[0], &byte, 1);
                _exit(0);
        }
        assert_int_equal(read(tell[0], &family->first, sizeof(pid_t)), sizeof(pid_t));
        assert_int_equal(read(tell[0], &(char){ 0 }, 1), 1);
        close(go[0]);
        close(tell[0]);
        close(tell[1]);
        family->go = go[1];
        /* Its only child. */
        {
                char path[64];
                FILE *file;

                snprintf(path, sizeof(path), "/proc/%d/task/%d/children", family->first, family->first);
                file = fopen(path, "re");
                assert_non_null(file);
                assert_int_equal(fscanf(file, "%d", &family->child), 1);
                fclose(file);
        }
}

static void goes_with(bool in_namespace, bool is_killed) {
        struct heard *heard = hear();
        struct trace_watch *trace;
        struct pollfd end = { .events = POLLIN };
        struct family family;
        char via[32];

        begin_family(&family, in_namespace);
        trace = watch(heard, family.child, 0);
        end.fd = (int)syscall(SYS_pidfd_open, family.child, 0);
        assert_true(end.fd >= 0);
        if (is_killed)
                kill(family.first, SIGKILL);
        else
                assert_int_equal(write(family.go, "", 1), 1);
        close(family.go);
        assert_int_equal(poll(&end, 1, 30000), 1);
        close(end.fd);
        finish(heard, trace);
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL), 1);
        assert_int_equal(heard->n_facts, 1);
        assert_non_null(heard->facts[0].actor);
        assert_int_equal(heard->facts[0].number, SIGKILL);
        if (is_killed) {
                assert_int_equal(heard->facts[0].actor->pid, getpid());
                snprintf(via, sizeof(via), "SIGKILL to %d", family.first);
        } else {
                assert_int_equal(heard->facts[0].actor->pid, family.first);
                snprintf(via, sizeof(via), "SIGKILL by ending");
        }
        assert_string_equal(heard->facts[0].actor->via, via);
        trace_watch_free(trace);
        heard_free(heard);
        while (waitpid(-1, NULL, WNOHANG) > 0)
                continue;
}

static void whose_parent_ends_and_takes_it_along_is_killed_by_that_one(void **state) {
        goes_with(false, false);
}

static void whose_parent_is_killed_is_killed_by_that_killer(void **state) {
        goes_with(false, true);
}

static void who_ends_with_his_pid_namespace_is_killed_by_its_first(void **state) {
        goes_with(true, false);
}

static void who_ends_with_his_pid_namespace_is_killed_by_its_killer(void **state) {
        goes_with(true, true);
}

static void *spin(void *userdata) {
        while (!*(volatile bool *)userdata)
                continue;
        return NULL;
}

/* A program that is gone as soon as it has done it; the second half of them where every processor is busy. */
static void a_thousand_killers_are_named_every_time(void **state) {
        enum { KILLERS = 1000, SPINNERS = 4 };
        struct heard *heard = hear();
        pthread_t threads[SPINNERS];
        volatile bool is_over = false;

        for (int i = 0; i < KILLERS; i++) {
                char number[16], expected[48];
                char *const sleeper[] = { (char *)"sleep", (char *)"60", NULL };
                char *const killer[] = { (char *)"kill", (char *)"-KILL", number, NULL };
                struct trace_watch *trace;
                pid_t victim, by;

                if (i == KILLERS / 2)
                        for (int k = 0; k < SPINNERS; k++)
                                assert_int_equal(pthread_create(&threads[k], NULL, spin, (void *)&is_over), 0);
                assert_int_equal(posix_spawn(&victim, "/bin/sleep", NULL, NULL, sleeper, NULL), 0);
                trace = watch(heard, victim, 0);
                snprintf(number, sizeof(number), "%d", victim);
                assert_int_equal(posix_spawn(&by, "/bin/kill", NULL, NULL, killer, NULL), 0);
                assert_int_equal(waitpid(by, NULL, 0), by);
                assert_int_equal(waitpid(victim, NULL, 0), victim);
                heard->is_done = false;
                finish(heard, trace);
                assert_true(heard->has_end);
                assert_int_equal(heard->n_facts, 1);
                assert_non_null(heard->facts[0].actor);
                assert_int_equal(heard->facts[0].actor->pid, by);
                snprintf(expected, sizeof(expected), "kill -KILL %d", victim);
                assert_string_equal(heard->facts[0].actor->cmdline, expected);
                assert_int_equal(heard->facts[0].actor->parents[0].pid, getpid());
                evidence_deinit(&heard->facts[0]);
                heard->n_facts = 0;
                trace_watch_free(trace);
        }
        is_over = true;
        for (int k = 0; k < SPINNERS; k++)
                pthread_join(threads[k], NULL);
        heard_free(heard);
}

static void who_was_stopped_before_is_continued(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;

        start(&stranger, does_nothing);
        kill(stranger.pid, SIGSTOP);
        do
                assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        while (stat.state != 'T');
        trace = watch(heard, stranger.pid, 0);
        kill(stranger.pid, SIGSTOP);
        kill(stranger.pid, SIGCONT);
        go(&stranger);
        finish(heard, trace);
        assert_int_equal(count_of(heard, EVIDENCE_STOPPED), 0);
        assert_int_equal(count_of(heard, EVIDENCE_CONTINUED), 1);
        trace_watch_free(trace);
        heard_free(heard);
}

static void another_process_goes_on_with_what_was_handed_over(void **state) {
        struct trace_descriptors handed;
        struct heard *heard, *next;
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;
        char why[TRACE_WHY_MAX];

        heard = hear();
        start(&stranger, exits_with_7);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        trace = watch(heard, stranger.pid, 0);
        trace_source_descriptors(heard->source, &handed);
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                handed.fds[i] = handed.fds[i] >= 0 ? dup(handed.fds[i]) : -1;
        /* As if it were killed: it takes nothing back. */
        trace_source_close(heard->source);
        heard->source = NULL;
        go(&stranger);

        next = calloc(1, sizeof(*next));
        assert_true(sd_event_new(&next->event) >= 0);
        assert_int_equal(trace_source_open(&next->source, next->event, TRACE_HOST, &handed, why), 0);
        assert_true(trace_source_saw_end(next->source, stranger.pid, stat.start_time));
        assert_false(trace_source_saw_end(next->source, stranger.pid, stat.start_time + 1));
        free(trace); /* its source is gone */
        trace = watch(next, stranger.pid, stat.start_time);
        trace_source_begin(next->source);
        finish(next, trace);
        assert_true(next->has_end);
        assert_int_equal(next->end.number, 7);
        trace_watch_free(trace);
        heard_free(next);
        sd_event_unref(heard->event);
        free(heard);
}

/* Process 1 of a pid namespace of its own: pids are those that are seen from there. */
static int inside(void) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct heard *heard;
        int r = 0;

        if (getpid() != 1 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
                return 2;
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        heard = hear();
        start(&stranger, does_nothing);
        trace = watch(heard, stranger.pid, 0);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, trace);
        if (heard->n_facts != 1 || !heard->facts[0].actor || heard->facts[0].actor->pid != 1 || !heard->has_end ||
            heard->end.number != SIGKILL)
                r = 3;
        trace_watch_free(trace);
        heard_free(heard);
        return r;
}

static void in_a_pid_namespace_pids_are_those_of_the_namespace(void **state) {
        int status;
        pid_t child;

        child = fork();
        if (!child) {
                pid_t first;

                if (unshare(CLONE_NEWPID | CLONE_NEWNS))
                        _exit(4);
                first = fork();
                if (!first)
                        _exit(inside());
                if (first < 0 || waitpid(first, &status, 0) != first)
                        _exit(5);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* As root, on a kernel with BTF, it has to work.  Why it cannot here; NULL: it must. */
static const char *find_excuse(void) {
        if (!strcmp(VMPOWER_HAS_TRACE, "0"))
                return "vmpower was built without it";
        if (access("/sys/kernel/btf/vmlinux", F_OK))
                return "this kernel has no BTF";
        return geteuid() ? "only root may use the kernel's tracepoints" : NULL;
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_exit_status_of_a_process_that_is_not_ours_is_known),
                cmocka_unit_test(a_threads_exit_is_its_processs_once_it_is_the_last),
                cmocka_unit_test(what_a_process_raises_itself_is_its_own),
                cmocka_unit_test(an_end_is_waited_for_where_its_record_comes_late),
                cmocka_unit_test(a_sender_is_seen_before_the_end_that_he_makes),
                cmocka_unit_test(a_thread_that_sends_is_named_and_so_is_its_process),
                cmocka_unit_test(a_signal_to_a_stranger_is_known_when_he_is_watched_later),
                cmocka_unit_test(for_one_vm_nothing_about_others_is_remembered),
                cmocka_unit_test(who_had_the_pid_before_or_after_is_another),
                cmocka_unit_test(lost_records_are_counted_and_said),
                cmocka_unit_test(who_is_sent_signals_without_end_takes_no_room_of_others),
                cmocka_unit_test(who_kills_himself_has_done_it),
                cmocka_unit_test(whose_parent_ends_and_takes_it_along_is_killed_by_that_one),
                cmocka_unit_test(whose_parent_is_killed_is_killed_by_that_killer),
                cmocka_unit_test(who_ends_with_his_pid_namespace_is_killed_by_its_first),
                cmocka_unit_test(who_ends_with_his_pid_namespace_is_killed_by_its_killer),
                cmocka_unit_test(a_thousand_killers_are_named_every_time),
                cmocka_unit_test(who_was_stopped_before_is_continued),
                cmocka_unit_test(another_process_goes_on_with_what_was_handed_over),
                cmocka_unit_test(in_a_pid_namespace_pids_are_those_of_the_namespace),
        };

        if (find_excuse()) {
                printf("1..0 # SKIP %s\n", find_excuse());
                return 0;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_source", tests, NULL, NULL);
}
