/* The programs in the kernel that runs here, on real processes that are no children of ours. */
#include "sources/trace/trace_test_world.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

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

static void on_birth(void *userdata, pid_t pid) {
        unsigned *n_missed = userdata;

        *n_missed += !pid;
}

/* More than the ring holds, and nobody reads. */
static void lost_records_are_counted_and_said(void **state) {
        enum { STRANGERS = 16 };
        struct trace_watch *traces[STRANGERS];
        struct stranger strangers[STRANGERS];
        struct heard *heard = hear();
        unsigned n_missed = 0;
        size_t n_ends = 0, n_sent = STRANGERS * (TRACE_RECORDS_A_SECOND + 1);

        for (size_t i = 0; i < STRANGERS; i++) {
                start(&strangers[i], does_nothing);
                traces[i] = watch(heard, strangers[i].pid, 0);
        }
        trace_source_on_birth(heard->source, on_birth, &n_missed);
        trace_source_drain(heard->source);
        assert_int_equal(n_missed, 0);
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
        /* So may a birth be. */
        assert_int_equal(n_missed, 1);
        trace_record_wait_usec = 30000000;
        assert_true(count_of(heard, EVIDENCE_SIGNAL) > 100 && count_of(heard, EVIDENCE_SIGNAL) < n_sent);
        /* All signals and ends were either read or counted. */
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL) + n_ends + count_gaps(heard), n_sent + STRANGERS);
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
