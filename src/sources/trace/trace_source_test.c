/* The programs in the kernel that runs here, on real processes that are no children of ours. */
#include "sources/trace/trace_test_world.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <errno.h>
#include <fcntl.h>
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
#include <sys/stat.h>
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

/* The line of version 2 in the caller's own. */
static int read_cgroup(char *ret_path, size_t n_path) {
        char text[4096];
        ssize_t n = proc_read("/proc/self/cgroup", text, sizeof(text));

        return n < 0 ? -1 : proc_cgroup_parse(ret_path, n_path, text, (size_t)n, NULL);
}

static int kill_from(const char *cgroup, pid_t pid, int tell) {
        char procs[128], path[160] = "";
        FILE *file;

        snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
        file = fopen(procs, "w");
        if (!file || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) || read_cgroup(path, sizeof(path)))
                return 1;
        return kill(pid, SIGKILL) || write(tell, path, sizeof(path)) != sizeof(path);
}

/* Version 2 can be mounted on every host; where nobody else sees it. */
static int kill_in_a_cgroup(pid_t pid, int tell) {
        char inner[96], outer[64], top[] = "/tmp/trace-source-XXXXXX";
        int status = 1;
        pid_t child;

        if (!mkdtemp(top) || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", top, "cgroup2", 0, NULL))
                return 1;
        snprintf(outer, sizeof(outer), "%s/vmpower-test-%d", top, (int)getpid());
        snprintf(inner, sizeof(inner), "%s/inner", outer);
        if (!mkdir(outer, 0755) && !mkdir(inner, 0755)) {
                child = fork();
                if (!child)
                        _exit(kill_from(inner, pid, tell));
                waitpid(child, &status, 0);
        }
        rmdir(inner);
        rmdir(outer);
        umount(top);
        rmdir(top);
        return status != 0;
}

static void a_senders_cgroup_is_the_one_that_proc_says(void **state) {
        struct stranger stranger;
        struct trace_watch *trace;
        struct heard *heard = hear();
        char path[160] = "";
        const char *told;
        int tell[2], status;
        pid_t killer;

        assert_int_equal(pipe(tell), 0);
        start(&stranger, does_nothing);
        trace = watch(heard, stranger.pid, 0);
        killer = fork();
        if (!killer)
                _exit(kill_in_a_cgroup(stranger.pid, tell[1]));
        assert_int_equal(waitpid(killer, &status, 0), killer);
        assert_int_equal(status, 0);
        assert_int_equal(read(tell[0], path, sizeof(path)), sizeof(path));
        assert_true(strlen(path) > strlen("/inner"));
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        told = heard->facts[0].actor->cgroup;
        /* From the host's root; /proc says it from that of a cgroup namespace. */
        assert_true(strlen(told) >= strlen(path));
        assert_string_equal(told + strlen(told) - strlen(path), path);
        close(tell[0]);
        close(tell[1]);
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

/* The first one ends in good order, or as if it were killed: it takes nothing back then. */
static void hand_over(struct heard *heard, struct trace_watch *trace, bool in_order, struct trace_descriptors *ret_handed) {
        trace_source_descriptors(heard->source, ret_handed);
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                ret_handed->fds[i] = ret_handed->fds[i] >= 0 ? dup(ret_handed->fds[i]) : -1;
        if (in_order) {
                trace_source_leave(heard->source);
                trace_watch_free(trace);
        }
        trace_source_close(heard->source);
        if (!in_order)
                free(trace); /* its source is gone */
        for (size_t i = 0; i < heard->n_facts; i++)
                evidence_deinit(&heard->facts[i]);
        sd_event_unref(heard->event);
        free(heard);
}

static struct heard *take_over(struct trace_descriptors *handed) {
        struct heard *next = calloc(1, sizeof(*next));
        char why[TRACE_WHY_MAX];

        assert_true(sd_event_new(&next->event) >= 0);
        assert_int_equal(trace_source_open(&next->source, next->event, TRACE_HOST, handed, why), 0);
        return next;
}

static struct heard *hear_stranger(struct stranger *stranger, void (*does)(void), struct proc_stat *ret_stat, struct trace_watch **ret_trace) {
        struct heard *heard = hear();

        start(stranger, does);
        assert_int_equal(proc_stat_read(ret_stat, stranger->pid), 0);
        *ret_trace = watch(heard, stranger->pid, 0);
        return heard;
}

static void go_on_with_what_was_handed_over(bool in_order) {
        struct trace_descriptors handed;
        struct heard *heard, *next;
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;

        heard = hear_stranger(&stranger, exits_with_7, &stat, &trace);
        hand_over(heard, trace, in_order, &handed);
        go(&stranger);

        next = take_over(&handed);
        assert_true(trace_source_saw_end(next->source, stranger.pid, stat.start_time));
        assert_false(trace_source_saw_end(next->source, stranger.pid, stat.start_time + 1));
        trace = watch(next, stranger.pid, stat.start_time);
        trace_source_begin(next->source);
        finish(next, trace);
        assert_true(next->has_end);
        assert_int_equal(next->end.number, 7);
        trace_watch_free(trace);
        heard_free(next);
}

static void stop(const struct stranger *stranger) {
        struct proc_stat stat;

        kill(stranger->pid, SIGSTOP);
        do
                assert_int_equal(proc_stat_read(&stat, stranger->pid), 0);
        while (stat.state != 'T');
}

static void a_signal_that_the_process_before_has_read_of_is_not_its_own(void **state) {
        struct trace_descriptors handed;
        struct heard *heard, *next;
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;

        heard = hear_stranger(&stranger, does_nothing, &stat, &trace);
        stop(&stranger);
        kill(stranger.pid, SIGTRAP); /* a fault, which no test runner handles */
        trace_source_drain(heard->source);
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL), 2);
        hand_over(heard, trace, true, &handed);
        kill(stranger.pid, SIGCONT);
        wait_for_end(&stranger);

        next = take_over(&handed);
        trace = watch(next, stranger.pid, stat.start_time);
        trace_source_begin(next->source);
        finish(next, trace);
        assert_int_equal(next->end.number, SIGTRAP);
        for (size_t i = 0; i < next->n_facts; i++)
                assert_true(next->facts[i].number != SIGTRAP);
        trace_watch_free(trace);
        heard_free(next);
}

static void a_stop_that_the_process_before_has_not_read_of_is_told(void **state) {
        struct trace_descriptors handed;
        struct heard *heard, *next;
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;

        heard = hear_stranger(&stranger, does_nothing, &stat, &trace);
        hand_over(heard, trace, true, &handed);
        stop(&stranger);

        next = take_over(&handed);
        trace_source_drain(next->source);
        trace = watch(next, stranger.pid, stat.start_time);
        trace_source_begin(next->source);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(next, trace);
        assert_int_equal(count_of(next, EVIDENCE_STOPPED), 1);
        trace_watch_free(trace);
        heard_free(next);
}

static void another_process_goes_on_with_what_was_handed_over(void **state) {
        go_on_with_what_was_handed_over(false);
}

static void another_process_goes_on_with_what_was_left_to_it_in_good_order(void **state) {
        go_on_with_what_was_handed_over(true);
}

/* Process 1 of a pid namespace of its own: pids are those that are seen from there.  By an outsider: who is told kills. */
static int inside(int tell) {
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
        if (tell < 0)
                kill(stranger.pid, SIGKILL);
        else if (write(tell, "", 1) != 1)
                return 7;
        wait_for_end(&stranger);
        finish(heard, trace);
        if (heard->n_facts != 1 || !heard->facts[0].actor || !heard->has_end || heard->end.number != SIGKILL)
                r = 3;
        else if (heard->facts[0].actor->pid != (tell < 0))
                r = 8;
        /* A pid that is not seen from here; all else of him is. */
        else if (heard->facts[0].actor->confidence != CONFIDENCE_CERTAIN || heard->facts[0].actor->uid != getuid() ||
                 strncmp(heard->facts[0].actor->comm, "trace_source", 12) || heard->facts[0].actor->exe[0] != '/')
                r = 9;
        trace_watch_free(trace);
        heard_free(heard);
        return r;
}

/* `proc` is the outsider's own, whatever is mounted there by now. */
static int kill_only_child(int proc, pid_t parent) {
        char path[64], text[32] = "";
        int fd, child;

        snprintf(path, sizeof(path), "%d/task/%d/children", (int)parent, (int)parent);
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        return fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%d", &child) != 1 ? -1 : kill(child, SIGKILL);
}

static void expect_inside(bool by_outsider) {
        int status, told[2];
        pid_t child;

        assert_int_equal(pipe(told), 0);
        child = fork();
        if (!child) {
                int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
                pid_t first;
                char byte;

                if (unshare(CLONE_NEWPID | CLONE_NEWNS))
                        _exit(4);
                first = fork();
                if (!first)
                        _exit(inside(by_outsider ? told[1] : -1));
                close(told[1]);
                if (first > 0 && by_outsider && read(told[0], &byte, 1) == 1 && kill_only_child(proc, first))
                        _exit(10);
                if (first < 0 || waitpid(first, &status, 0) != first)
                        _exit(5);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
        }
        close(told[0]);
        close(told[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void in_a_pid_namespace_pids_are_those_of_the_namespace(void **state) {
        expect_inside(false);
}

static void who_sends_from_outside_of_the_pid_namespace_has_no_pid_in_it(void **state) {
        expect_inside(true);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_exit_status_of_a_process_that_is_not_ours_is_known),
                cmocka_unit_test(a_threads_exit_is_its_processs_once_it_is_the_last),
                cmocka_unit_test(what_a_process_raises_itself_is_its_own),
                cmocka_unit_test(an_end_is_waited_for_where_its_record_comes_late),
                cmocka_unit_test(a_sender_is_seen_before_the_end_that_he_makes),
                cmocka_unit_test(a_senders_cgroup_is_the_one_that_proc_says),
                cmocka_unit_test(a_thread_that_sends_is_named_and_so_is_its_process),
                cmocka_unit_test(a_signal_to_a_stranger_is_known_when_he_is_watched_later),
                cmocka_unit_test(for_one_vm_nothing_about_others_is_remembered),
                cmocka_unit_test(who_had_the_pid_before_or_after_is_another),
                cmocka_unit_test(lost_records_are_counted_and_said),
                cmocka_unit_test(another_process_goes_on_with_what_was_handed_over),
                cmocka_unit_test(another_process_goes_on_with_what_was_left_to_it_in_good_order),
                cmocka_unit_test(a_signal_that_the_process_before_has_read_of_is_not_its_own),
                cmocka_unit_test(a_stop_that_the_process_before_has_not_read_of_is_told),
                cmocka_unit_test(in_a_pid_namespace_pids_are_those_of_the_namespace),
                cmocka_unit_test(who_sends_from_outside_of_the_pid_namespace_has_no_pid_in_it),
        };

        if (find_excuse()) {
                printf("1..0 # SKIP %s\n", find_excuse());
                return 0;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_source", tests, NULL, NULL);
}
