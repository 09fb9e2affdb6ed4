/* Who is named, and who is not, whatever else is sent: the programs in the kernel that runs here, on real processes. */
#include "sources/trace/trace_test_world.h"
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

/* In the kernel's own seconds. */
static void wait_for_next_second(void) {
        uint64_t second = source_now_ns() >> 30;

        while (source_now_ns() >> 30 == second)
                usleep(1000);
}

static void send_often(pid_t pid, int signal) {
        for (int i = 0; i < 3 * TRACE_RECORDS_A_SECOND; i++)
                kill(pid, signal);
}

static void a_flood_hides_nothing_of_the_other_kind_nor_of_the_next_second_nor_the_sigkill(void **state) {
        enum { SENT = 3 * 3 * TRACE_RECORDS_A_SECOND + 1 };
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;
        size_t n_ends = 0;
        sigset_t queued;

        sigemptyset(&queued);
        sigaddset(&queued, SIGRTMIN);
        sigprocmask(SIG_BLOCK, &queued, NULL);
        start(&stranger, does_nothing);
        sigprocmask(SIG_UNBLOCK, &queued, NULL);
        trace = watch(heard, stranger.pid, 0);
        send_often(stranger.pid, SIGCONT);
        send_often(stranger.pid, SIGRTMIN);
        wait_for_next_second();
        send_often(stranger.pid, SIGRTMIN);
        kill(stranger.pid, SIGKILL);
        wait_for_end(&stranger);
        finish(heard, trace);
        for (size_t i = 0; i < heard->n_facts; i++)
                n_ends += heard->facts[i].kind == EVIDENCE_SIGNAL && heard->facts[i].number == SIGRTMIN;
        assert_true(n_ends >= 2 * TRACE_RECORDS_A_SECOND);
        assert_int_equal(count_of(heard, EVIDENCE_SIGNAL) + count_gaps(heard), SENT);
        assert_int_equal(heard->facts[heard->n_facts - 2].number, SIGKILL);
        trace_watch_free(trace);
        heard_free(heard);
}

static void signals_that_are_ignored_end_nobody_and_take_no_room(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        signal(SIGTERM, SIG_IGN);
        start(&stranger, does_nothing);
        signal(SIGTERM, SIG_DFL);
        trace = watch(heard, stranger.pid, 0);
        send_often(stranger.pid, SIGTERM);
        kill(stranger.pid, SIGHUP);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(heard->facts[0].number, SIGHUP);
        trace_watch_free(trace);
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

static void begin_family(struct family *family, bool in_namespace, int death_signal) {
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
                                prctl(PR_SET_PDEATHSIG, death_signal);
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

static void goes_with(bool in_namespace, bool is_killed, int signal) {
        struct heard *heard = hear();
        struct trace_watch *trace;
        struct pollfd end = { .events = POLLIN };
        struct family family;
        char via[32];

        begin_family(&family, in_namespace, signal);
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
        assert_int_equal(heard->facts[0].number, signal);
        if (is_killed) {
                assert_int_equal(heard->facts[0].actor->pid, getpid());
                snprintf(via, sizeof(via), "SIG%s to %d", sigabbrev_np(signal), family.first);
        } else {
                assert_int_equal(heard->facts[0].actor->pid, family.first);
                snprintf(via, sizeof(via), "SIG%s by ending", sigabbrev_np(signal));
        }
        assert_string_equal(heard->facts[0].actor->via, via);
        trace_watch_free(trace);
        heard_free(heard);
        while (waitpid(-1, NULL, WNOHANG) > 0)
                continue;
}

static void whose_parent_ends_and_takes_it_along_is_killed_by_that_one(void **state) {
        goes_with(false, false, SIGKILL);
}

static void whose_parent_is_killed_is_killed_by_that_killer(void **state) {
        goes_with(false, true, SIGKILL);
}

static void a_death_signal_that_is_no_sigkill_is_of_the_same_one(void **state) {
        static const int signals[] = { SIGHUP, SIGTERM, SIGUSR2 };

        for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
                goes_with(false, false, signals[i]);
                goes_with(false, true, signals[i]);
        }
}

/* Each asks for its parent's end, and tells its pid; the first is our child. */
static void start_chain(int tell, int n) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid)
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid = getpid();
        if (write(tell, &pid, sizeof(pid)) == sizeof(pid) && n > 1)
                start_chain(tell, n - 1);
        for (;;)
                pause();
}

static void a_chain_of_ends_is_of_whoever_killed_its_first(void **state) {
        enum { LINKS = 4 };
        struct heard *heard = hear();
        struct trace_watch *trace;
        struct pollfd end = { .events = POLLIN };
        pid_t pids[LINKS];
        char via[32];
        int tell[2];

        assert_int_equal(pipe(tell), 0);
        start_chain(tell[1], LINKS);
        for (int i = 0; i < LINKS; i++)
                assert_int_equal(read(tell[0], &pids[i], sizeof(pid_t)), sizeof(pid_t));
        close(tell[0]);
        close(tell[1]);
        trace = watch(heard, pids[LINKS - 1], 0);
        end.fd = (int)syscall(SYS_pidfd_open, pids[LINKS - 1], 0);
        assert_true(end.fd >= 0);
        kill(pids[0], SIGKILL);
        assert_int_equal(poll(&end, 1, 30000), 1);
        close(end.fd);
        finish(heard, trace);
        is_our_kill(heard);
        snprintf(via, sizeof(via), "SIGKILL to %d", pids[0]);
        assert_string_equal(heard->facts[0].actor->via, via);
        trace_watch_free(trace);
        heard_free(heard);
        while (waitpid(-1, NULL, WNOHANG) > 0)
                continue;
}

static void who_ends_with_his_pid_namespace_is_killed_by_its_first(void **state) {
        goes_with(true, false, SIGKILL);
}

static void who_ends_with_his_pid_namespace_is_killed_by_its_killer(void **state) {
        goes_with(true, true, SIGKILL);
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

static void stop(const struct stranger *stranger) {
        struct proc_stat stat;

        kill(stranger->pid, SIGSTOP);
        do
                assert_int_equal(proc_stat_read(&stat, stranger->pid), 0);
        while (stat.state != 'T');
}

/* Of what was sent to it before only the last is known. */
static void who_was_stopped_before_has_not_raised_what_ends_him(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, does_nothing);
        stop(&stranger);
        kill(stranger.pid, SIGABRT);
        kill(stranger.pid, SIGTERM);
        trace = watch(heard, stranger.pid, 0);
        kill(stranger.pid, SIGCONT);
        wait_for_end(&stranger);
        finish(heard, trace);
        assert_int_equal(heard->end.number, SIGABRT);
        for (size_t i = 0; i < heard->n_facts; i++)
                assert_true(heard->facts[i].flag != TRISTATE_TRUE);
        trace_watch_free(trace);
        heard_free(heard);
}

static void who_was_stopped_before_is_continued(void **state) {
        struct heard *heard = hear();
        struct stranger stranger;
        struct trace_watch *trace;

        start(&stranger, does_nothing);
        stop(&stranger);
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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_sent_signals_without_end_takes_no_room_of_others),
                cmocka_unit_test(a_flood_hides_nothing_of_the_other_kind_nor_of_the_next_second_nor_the_sigkill),
                cmocka_unit_test(signals_that_are_ignored_end_nobody_and_take_no_room),
                cmocka_unit_test(who_kills_himself_has_done_it),
                cmocka_unit_test(whose_parent_ends_and_takes_it_along_is_killed_by_that_one),
                cmocka_unit_test(whose_parent_is_killed_is_killed_by_that_killer),
                cmocka_unit_test(a_death_signal_that_is_no_sigkill_is_of_the_same_one),
                cmocka_unit_test(a_chain_of_ends_is_of_whoever_killed_its_first),
                cmocka_unit_test(who_ends_with_his_pid_namespace_is_killed_by_its_first),
                cmocka_unit_test(who_ends_with_his_pid_namespace_is_killed_by_its_killer),
                cmocka_unit_test(a_thousand_killers_are_named_every_time),
                cmocka_unit_test(who_was_stopped_before_has_not_raised_what_ends_him),
                cmocka_unit_test(who_was_stopped_before_is_continued),
        };

        if (find_excuse()) {
                printf("1..0 # SKIP %s\n", find_excuse());
                return 0;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_senders", tests, NULL, NULL);
}
