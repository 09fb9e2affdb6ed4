/* Which signals are seen, whose they are, and which of them stop a process: the programs in the kernel that runs here, on real processes. */
#include "sources/trace/trace_test_world.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <mntent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

static void no_core(void) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
}

/* The programs are loaded once, however many processes they look at. */
static void hear_anew(struct heard *heard) {
        for (size_t i = 0; i < heard->n_facts; i++)
                evidence_deinit(&heard->facts[i]);
        heard->n_facts = 0;
        heard->is_done = heard->has_end = false;
}

/* signal(7): what its default action ends. */
static bool ends(int signal) {
        return (signal < SIGCONT || signal > SIGTTOU) && signal != SIGCHLD && signal != SIGURG && signal != SIGWINCH &&
               (signal < 32 || signal >= SIGRTMIN);
}

/* The sanitizers', and the test library's. */
static void forget_handlers(void) {
        for (int i = 1; i < 32; i++)
                signal(i, SIG_DFL);
}

static void whatever_signal_ends_a_process_its_sender_is_named(void **state) {
        struct heard *heard = hear();

        forget_handlers();
        for (int signal = 1; signal <= 64; signal++) {
                struct stranger stranger;
                struct trace_watch *trace;

                if (!ends(signal))
                        continue;
                start(&stranger, does_nothing);
                trace = watch(heard, stranger.pid, 0);
                assert_int_equal(kill(stranger.pid, signal), 0);
                wait_for_end(&stranger);
                finish(heard, trace);
                assert_int_equal(heard->end.kind, EVIDENCE_KILLED);
                assert_int_equal(heard->end.number, signal);
                assert_int_equal(heard->n_facts, 1);
                assert_int_equal(heard->facts[0].kind, EVIDENCE_SIGNAL);
                assert_int_equal(heard->facts[0].number, signal);
                assert_non_null(heard->facts[0].actor);
                assert_int_equal(heard->facts[0].actor->pid, getpid());
                trace_watch_free(trace);
                hear_anew(heard);
        }
        heard_free(heard);
}

static void raises_usr2(void) {
        raise(SIGUSR2);
}

static void writes_to_nowhere(void) {
        volatile char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        *page = 1;
}

static void has_its_timer_run_out(void) {
        setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 1000 }, NULL);
        for (;;)
                pause();
}

static void writes_to_nobody(void) {
        int fds[2];

        if (!pipe(fds)) {
                close(fds[0]);
                (void)!write(fds[1], "", 1);
        }
}

static void what_a_process_does_to_itself_is_its_own(void **state) {
        static const struct {
                void (*run)(void);
                int signal;
        } ways[] = { { raises_usr2, SIGUSR2 }, { writes_to_nowhere, SIGSEGV }, { has_its_timer_run_out, SIGALRM }, { writes_to_nobody, SIGPIPE } };
        struct heard *heard = hear();

        forget_handlers();
        for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
                struct stranger stranger;
                struct trace_watch *trace;

                start(&stranger, ways[i].run);
                trace = watch(heard, stranger.pid, 0);
                go(&stranger);
                finish(heard, trace);
                assert_int_equal(heard->end.number, ways[i].signal);
                assert_int_equal(heard->n_facts, 1);
                assert_int_equal(heard->facts[0].number, ways[i].signal);
                assert_int_equal(heard->facts[0].flag, TRISTATE_TRUE);
                assert_null(heard->facts[0].actor);
                trace_watch_free(trace);
                hear_anew(heard);
        }
        heard_free(heard);
}

static void uses_up_its_limit(void) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, RLIM_INFINITY });
        for (;;)
                continue;
}

static void a_limits_signal_is_neither_its_own_nor_anybodys(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, uses_up_its_limit);
        trace = watch(heard, stranger.pid, 0);
        go(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->end.number, SIGXCPU);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].number, SIGXCPU);
        assert_true(heard->facts[0].flag != TRISTATE_TRUE);
        assert_null(heard->facts[0].actor);
        trace_watch_free(trace);
        heard_free(heard);
}

static void on_signal(int signal) {
}

static void wakes_itself(void) {
        signal(SIGUSR1, on_signal);
        for (int i = 0; i < 4 * TRACE_RECORDS_A_SECOND; i++)
                raise(SIGUSR1);
        for (;;)
                pause();
}

static void what_a_process_sends_itself_and_handles_takes_no_room(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, wakes_itself);
        trace = watch(heard, stranger.pid, 0);
        assert_int_equal(write(stranger.go, "", 1), 1);
        usleep(50000);
        kill(stranger.pid, SIGTERM);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].actor->pid, getpid());
        trace_watch_free(trace);
        heard_free(heard);
}

/* The first of two that wait is the one that counts. */
static void a_signal_that_waits_already_is_nobodys_second(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;
        struct proc_stat stat;

        start(&stranger, does_nothing);
        trace = watch(heard, stranger.pid, 0);
        kill(stranger.pid, SIGSTOP);
        do
                assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        while (stat.state != 'T');
        for (int i = 0; i < 3; i++)
                kill(stranger.pid, SIGQUIT);
        kill(stranger.pid, SIGCONT);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->end.number, SIGQUIT);
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL), 3);
        trace_watch_free(trace);
        heard_free(heard);
}

/* --- a cgroup's kill --------------------------------------------------------------------------------------------- */

/* Where the cgroups of version 2 are; "": nowhere. */
static void find_cgroups(char *ret_path, size_t n) {
        FILE *mounts = setmntent("/proc/self/mounts", "re");
        struct mntent *mount;

        ret_path[0] = '\0';
        assert_non_null(mounts);
        while ((mount = getmntent(mounts)))
                if (!strcmp(mount->mnt_type, "cgroup2"))
                        snprintf(ret_path, n, "%s", mount->mnt_dir);
        endmntent(mounts);
}

static int write_line(const char *path, const char *line) {
        FILE *file = fopen(path, "we");
        int r = file ? 0 : -1;

        if (file && fputs(line, file) < 0)
                r = -1;
        if (file && fclose(file))
                r = -1;
        return r;
}

static void whoever_has_a_cgroup_killed_is_named(void **state) {
        char root[256], group[300], path[320], pid[16];
        struct heard *heard;
        struct stranger stranger;
        struct trace_watch *trace;

        find_cgroups(root, sizeof(root));
        snprintf(group, sizeof(group), "%s/vmpower-test-%d", root, getpid());
        if (!root[0] || mkdir(group, 0755))
                skip();
        heard = hear();
        start(&stranger, does_nothing);
        snprintf(path, sizeof(path), "%s/cgroup.procs", group);
        snprintf(pid, sizeof(pid), "%d", stranger.pid);
        assert_int_equal(write_line(path, pid), 0);
        trace = watch(heard, stranger.pid, 0);
        snprintf(path, sizeof(path), "%s/cgroup.kill", group); /* Linux 5.14 */
        if (write_line(path, "1"))
                kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, trace);
        while (rmdir(group))
                usleep(1000);
        is_our_kill(heard);
        trace_watch_free(trace);
        heard_free(heard);
}

/* --- stops ------------------------------------------------------------------------------------------------------- */

static void wait_until_stopped(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
}

/* A job of ours: it is in a process group of its own, and we in its session. */
static pid_t start_job(void (*on_stop)(int)) {
        void (*former)(int) = signal(SIGTSTP, on_stop);
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (!pid) {
                setpgid(0, 0);
                for (;;)
                        pause();
        }
        signal(SIGTSTP, former);
        setpgid(pid, pid);
        return pid;
}

static void a_terminals_stop_is_one_where_a_shell_can_continue_it(void **state) {
        static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
        struct heard *heard = hear();

        for (size_t i = 0; i < N_ELEMENTS(stops); i++) {
                pid_t job = start_job(SIG_DFL);
                struct trace_watch *trace = watch(heard, job, 0);

                kill(job, stops[i]);
                wait_until_stopped(job);
                kill(job, SIGCONT);
                kill(job, SIGKILL);
                waitpid(job, NULL, 0);
                finish(heard, trace);
                assert_int_equal(count_of(heard, EVIDENCE_STOPPED), 1);
                assert_int_equal(count_of(heard, EVIDENCE_CONTINUED), 1);
                assert_int_equal(heard->facts[0].number, stops[i]);
                assert_int_equal(heard->facts[0].actor->pid, getpid());
                assert_int_equal(heard->facts[1].kind, EVIDENCE_STOPPED);
                assert_int_equal(heard->facts[1].number, stops[i]);
                trace_watch_free(trace);
                hear_anew(heard);
        }
        heard_free(heard);
}

static void is_not_stopped(pid_t pid) {
        struct proc_stat stat;

        kill(pid, SIGTSTP);
        usleep(50000);
        assert_int_equal(proc_stat_read(&stat, pid), 0);
        assert_int_equal(stat.state, 'S');
        kill(pid, SIGKILL);
}

static void whoever_handles_a_terminals_stop_is_not_stopped(void **state) {
        struct heard *heard = hear();
        pid_t job = start_job(on_signal);
        struct trace_watch *trace = watch(heard, job, 0);

        is_not_stopped(job);
        waitpid(job, NULL, 0);
        finish(heard, trace);
        assert_int_equal(heard->facts[0].number, SIGTSTP);
        assert_int_equal(count_of(heard, EVIDENCE_STOPPED), 0);
        trace_watch_free(trace);
        heard_free(heard);
}

static void alone_in_its_session(void) {
        setsid();
        for (;;)
                pause();
}

static void a_terminals_stop_is_none_where_nobody_can_continue_it(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, alone_in_its_session);
        trace = watch(heard, stranger.pid, 0);
        assert_int_equal(write(stranger.go, "", 1), 1);
        while (getsid(stranger.pid) != stranger.pid)
                usleep(1000);
        is_not_stopped(stranger.pid);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(count_of(heard, EVIDENCE_STOPPED), 0);
        trace_watch_free(trace);
        heard_free(heard);
}

static void a_debugger_that_comes_and_goes_stops_nobody(void **state) {
        struct heard *heard = hear();
        pid_t job = start_job(SIG_DFL);
        struct trace_watch *trace = watch(heard, job, 0);

        assert_int_equal(ptrace(PTRACE_ATTACH, job, NULL, NULL), 0);
        wait_until_stopped(job);
        /* As it stops one thread when another has hit a breakpoint. */
        assert_int_equal(ptrace(PTRACE_CONT, job, NULL, NULL), 0);
        kill(job, SIGSTOP);
        wait_until_stopped(job);
        assert_int_equal(ptrace(PTRACE_DETACH, job, NULL, NULL), 0);
        kill(job, SIGKILL);
        waitpid(job, NULL, 0);
        finish(heard, trace);
        assert_int_equal(count_of(heard, EVIDENCE_STOPPED), 0);
        trace_watch_free(trace);
        heard_free(heard);
}

/* Somebody else watched it, and has gone; what he has told is his. */
static void the_end_of_one_that_is_held_is_told_to_whoever_watches_it_then(void **state) {
        static const int sent[] = { SIGUSR1, SIGSTOP, SIGCONT, SIGKILL };
        struct heard *heard = hear();
        struct trace_watch *held, *trace;
        struct stranger stranger;
        struct proc_stat stat;

        forget_handlers();
        signal(SIGUSR1, SIG_IGN);
        start(&stranger, does_nothing);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        assert_int_equal(trace_watch_hold(&held, heard->source, stranger.pid, stat.start_time), 0);
        assert_false(trace_source_saw_end(heard->source, stranger.pid, stat.start_time));
        kill(stranger.pid, SIGHUP);
        wait_for_end(&stranger);
        assert_true(trace_source_saw_end(heard->source, stranger.pid, stat.start_time));
        assert_false(trace_source_saw_end(heard->source, stranger.pid, stat.start_time + 1));
        trace = watch(heard, stranger.pid, stat.start_time);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].kind, EVIDENCE_SIGNAL);
        assert_int_equal(heard->facts[0].number, SIGHUP);
        assert_int_equal(heard->facts[0].actor->pid, getpid());
        assert_true(heard->has_end && heard->end.kind == EVIDENCE_KILLED && heard->end.number == SIGHUP);
        trace_watch_free(trace);
        trace_watch_free(held);
        hear_anew(heard);

        /* It goes on, and is watched when the end comes: each fact once, and no stop of before. */
        start(&stranger, does_nothing);
        assert_int_equal(proc_stat_read(&stat, stranger.pid), 0);
        assert_int_equal(trace_watch_hold(&held, heard->source, stranger.pid, stat.start_time), 0);
        for (size_t i = 0; i + 1 < N_ELEMENTS(sent); i++)
                kill(stranger.pid, sent[i]);
        trace_source_drain(heard->source);
        trace = watch(heard, stranger.pid, 0);
        trace_watch_free(held);
        assert_int_equal(heard->n_facts, 0);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        is_our_kill(heard);
        assert_true(heard->has_end && heard->end.kind == EVIDENCE_KILLED);
        trace_watch_free(trace);
        heard_free(heard);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_signal_ends_a_process_its_sender_is_named),
                cmocka_unit_test(what_a_process_does_to_itself_is_its_own),
                cmocka_unit_test(a_limits_signal_is_neither_its_own_nor_anybodys),
                cmocka_unit_test(what_a_process_sends_itself_and_handles_takes_no_room),
                cmocka_unit_test(a_signal_that_waits_already_is_nobodys_second),
                cmocka_unit_test(whoever_has_a_cgroup_killed_is_named),
                cmocka_unit_test(a_terminals_stop_is_one_where_a_shell_can_continue_it),
                cmocka_unit_test(whoever_handles_a_terminals_stop_is_not_stopped),
                cmocka_unit_test(a_terminals_stop_is_none_where_nobody_can_continue_it),
                cmocka_unit_test(a_debugger_that_comes_and_goes_stops_nobody),
                cmocka_unit_test(the_end_of_one_that_is_held_is_told_to_whoever_watches_it_then),
        };

        if (find_excuse()) {
                printf("1..0 # SKIP %s\n", find_excuse());
                return 0;
        }
        no_core();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_signals", tests, NULL, NULL);
}
