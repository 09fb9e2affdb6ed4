#include "sources/process/process_watch.h"
#include "sources/proc.h"
#include "sources/process/cgroup_fixture.h"

#include <grp.h>
#include <sys/utsname.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
        HEARD_MAX = 8,
        PATIENCE_USEC = 20000000, /* a test that waits so long has failed */
};

/* What one watch has reported. */
struct heard {
        struct evidence items[HEARD_MAX];
        size_t n;
        unsigned ended;
        struct process_watch *free_at_end;
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct heard *heard = userdata;

        assert_true(heard->n < HEARD_MAX);
        assert_int_equal(heard->ended, 0);
        heard->items[heard->n++] = *evidence;
}

static void on_ended(void *userdata, enum evidence_source source) {
        struct heard *heard = userdata;

        assert_int_equal(source, SOURCE_PROCESS);
        heard->ended++;
        process_watch_free(heard->free_at_end);
        heard->free_at_end = NULL;
}

static struct source_sink sink_of(struct heard *heard) {
        return (struct source_sink){ .report = on_report, .ended = on_ended, .userdata = heard };
}

static void run_until_ended(sd_event *event, const struct heard *heard) {
        while (!heard->ended)
                assert_true(sd_event_run(event, PATIENCE_USEC) > 0);
}

/* Nothing more comes: there is nothing to dispatch. */
static void expect_silence(sd_event *event) {
        assert_int_equal(sd_event_run(event, 0), 0);
}

static struct process_watch *watch(sd_event *event, pid_t pid, struct heard *heard) {
        struct source_sink sink = sink_of(heard);
        struct process_watch *made = NULL;

        assert_int_equal(process_watch_new(&made, event, pid, 0, &sink), 0);
        assert_int_equal(process_watch_pid(made), pid);
        return made;
}

static sd_event *new_loop(void) {
        sd_event *event = NULL;

        assert_true(sd_event_new(&event) >= 0);
        return event;
}

/* A child that exits with this status when its trigger is closed. */
static pid_t start_child(int exit_status, int *ret_trigger) {
        int trigger[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(trigger, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(trigger[1]);
                if (read(trigger[0], &byte, 1) < 0)
                        _exit(99);
                _exit(exit_status);
        }
        close(trigger[0]);
        *ret_trigger = trigger[1];
        return pid;
}

static bool is_ours(pid_t pid) {
        siginfo_t info;

        return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
}

static void an_exit_is_told_once_and_the_child_is_reaped(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        struct process_watch *watched;
        int trigger;
        pid_t pid = start_child(3, &trigger);

        watched = watch(event, pid, &heard);
        expect_silence(event);
        assert_int_equal(heard.n, 0);
        close(trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].source, SOURCE_PROCESS);
        assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
        assert_int_equal(heard.items[0].number, 3);
        assert_true(heard.items[0].at_ns && heard.items[0].time_ns && heard.items[0].seq);
        assert_false(is_ours(pid));
        expect_silence(event);
        process_watch_child_changed(watched);
        assert_int_equal(heard.n, 1);
        process_watch_free(watched);
        sd_event_unref(event);
}

static void a_signal_is_told_with_its_name(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        int trigger;
        pid_t pid = start_child(0, &trigger);

        heard.free_at_end = watch(event, pid, &heard);
        kill(pid, SIGKILL);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].kind, EVIDENCE_KILLED);
        assert_int_equal(heard.items[0].number, SIGKILL);
        assert_string_equal(heard.items[0].word, "SIGKILL");
        assert_int_equal(heard.items[0].flag, TRISTATE_FALSE);
        close(trigger);
        sd_event_unref(event);
}

static void one_that_died_before_it_was_watched_is_told_all_the_same(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        siginfo_t info;
        int trigger;
        pid_t pid = start_child(4, &trigger);

        close(trigger);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        heard.free_at_end = watch(event, pid, &heard);
        run_until_ended(event, &heard);
        assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
        assert_int_equal(heard.items[0].number, 4);
        sd_event_unref(event);
}

static void one_that_is_gone_cannot_be_watched(void **state) {
        sd_event *event = new_loop();
        struct process_watch *made = NULL;
        struct heard heard = { 0 };
        struct source_sink sink = sink_of(&heard);

        assert_int_equal(process_watch_new(&made, event, 0x7ffffff0, 0, &sink), -ESRCH);
        assert_null(made);
        process_watch_free(NULL);
        sd_event_unref(event);
}

static void a_pid_that_is_anothers_by_now_is_not_watched(void **state) {
        sd_event *event = new_loop();
        struct process_watch *made = NULL;
        struct heard heard = { 0 };
        struct source_sink sink = sink_of(&heard);
        struct proc_stat stat;
        int trigger;
        pid_t pid = start_child(7, &trigger);

        assert_int_equal(proc_stat_read(&stat, pid), 0);
        assert_int_equal(process_watch_new(&made, event, pid, stat.start_time - 1, &sink), -ESRCH);
        assert_int_equal(process_watch_new(&made, event, pid, stat.start_time + 1, &sink), -ESRCH);
        assert_null(made);
        assert_int_equal(process_watch_new(&made, event, pid, stat.start_time, &sink), 0);

        /* Of the other one's end nothing is told. */
        heard.free_at_end = made;
        close(trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].number, 7);
        expect_silence(event);
        sd_event_unref(event);
}

static void that_it_has_ended_is_known_before_it_is_told(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        struct process_watch *watched;
        siginfo_t info;
        int trigger;
        pid_t pid = start_child(0, &trigger);

        watched = watch(event, pid, &heard);
        assert_false(process_watch_has_ended(watched));
        close(trigger);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_true(process_watch_has_ended(watched));
        run_until_ended(event, &heard);
        assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
        process_watch_free(watched);
        sd_event_unref(event);
}

static void stops_and_continuations_of_a_child_are_told(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        struct process_watch *watched;
        siginfo_t info;
        int trigger;
        pid_t pid = start_child(0, &trigger);

        watched = watch(event, pid, &heard);
        process_watch_child_changed(watched);
        assert_int_equal(heard.n, 0);

        kill(pid, SIGSTOP);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
        process_watch_child_changed(watched);
        process_watch_child_changed(watched);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].kind, EVIDENCE_STOPPED);
        assert_string_equal(heard.items[0].word, "SIGSTOP");

        kill(pid, SIGCONT);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOWAIT), 0);
        process_watch_child_changed(watched);
        assert_int_equal(heard.n, 2);
        assert_int_equal(heard.items[1].kind, EVIDENCE_CONTINUED);
        assert_true(heard.items[1].seq > heard.items[0].seq);

        close(trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 3);
        process_watch_free(watched);
        sd_event_unref(event);
}

static void a_watch_may_be_freed_while_its_process_lives(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        int trigger;
        pid_t pid = start_child(0, &trigger);

        process_watch_free(watch(event, pid, &heard));
        close(trigger);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        expect_silence(event);
        assert_int_equal(heard.n + heard.ended, 0);
        sd_event_unref(event);
}

/* Somebody else's child, and who reaps it. */
struct stranger {
        pid_t parent;
        pid_t pid;
        int trigger; /* closed: the child exits with 5 */
        int release; /* closed: its parent reaps it, and exits */
};

static struct stranger start_stranger(bool reaps_at_once) {
        struct stranger stranger;
        int trigger[2], release[2], told[2];
        char byte;

        assert_int_equal(pipe2(trigger, O_CLOEXEC), 0);
        assert_int_equal(pipe2(release, O_CLOEXEC), 0);
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        stranger.parent = fork();
        if (!stranger.parent) {
                pid_t child;

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(trigger[1]);
                close(release[1]);
                if (reaps_at_once)
                        signal(SIGCHLD, SIG_IGN);
                child = fork();
                if (!child) {
                        if (read(trigger[0], &byte, 1) < 0)
                                _exit(99);
                        _exit(5);
                }
                if (write(told[1], &child, sizeof(child)) != sizeof(child) || read(release[0], &byte, 1) < 0)
                        _exit(98);
                waitpid(child, NULL, 0);
                _exit(0);
        }
        close(trigger[0]);
        close(release[0]);
        close(told[1]);
        assert_int_equal(read(told[0], &stranger.pid, sizeof(stranger.pid)), sizeof(stranger.pid));
        close(told[0]);
        stranger.trigger = trigger[1];
        stranger.release = release[1];
        return stranger;
}

static void let_go(struct stranger *stranger) {
        close_fd(&stranger->trigger);
        close_fd(&stranger->release);
        waitpid(stranger->parent, NULL, 0);
}

/* PIDFD_GET_INFO tells of an exit from Linux 6.15 on. */
static bool has_pidfd_exit(void) {
        struct utsname name;
        int major = 0, minor = 0;

        uname(&name);
        sscanf(name.release, "%d.%d", &major, &minor);
        return major > 6 || (major == 6 && minor >= 15);
}

static void a_strangers_exit_is_read_from_its_zombie(void **state) {
        sd_event *event = new_loop();
        struct stranger stranger = start_stranger(false);
        struct heard heard = { 0 };
        struct process_watch *watched = watch(event, stranger.pid, &heard);

        close_fd(&stranger.trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
        assert_int_equal(heard.items[0].number, 5);
        process_watch_free(watched);
        let_go(&stranger);
        sd_event_unref(event);
}

static void a_stranger_that_was_reaped_at_once_is_asked_of_the_kernel(void **state) {
        sd_event *event = new_loop();
        struct stranger stranger = start_stranger(true);
        struct heard heard = { 0 };
        struct process_watch *watched = watch(event, stranger.pid, &heard);
        struct proc_stat stat;

        close_fd(&stranger.trigger);
        while (proc_stat_read(&stat, stranger.pid) != -ESRCH)
                ;
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        if (has_pidfd_exit()) {
                assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
                assert_int_equal(heard.items[0].number, 5);
        } else {
                assert_int_equal(heard.items[0].kind, EVIDENCE_VANISHED);
        }
        process_watch_free(watched);
        let_go(&stranger);
        sd_event_unref(event);
}

/*
 * Run by a process that may not look at the stranger.  With release, the stranger's parent reaps it once the
 * watch has seen the zombie; else it never does.
 */
static int watch_without_rights(struct stranger *stranger, bool release) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        struct process_watch *watched;

        if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
                return 90;
        watched = watch(event, stranger->pid, &heard);
        close_fd(&stranger->trigger);
        if (has_pidfd_exit()) {
                assert_true(sd_event_run(event, PATIENCE_USEC) > 0);
                assert_int_equal(heard.ended, 0);
                /* It waits, and does not spin. */
                expect_silence(event);
                if (release)
                        close_fd(&stranger->release);
        }
        run_until_ended(event, &heard);
        process_watch_free(watched);
        sd_event_unref(event);
        if (heard.n != 1)
                return 91;
        return heard.items[0].kind == EVIDENCE_VANISHED ? 92 : (int)heard.items[0].number;
}

static int run_without_rights(bool release) {
        struct stranger stranger = start_stranger(false);
        int status;
        pid_t pid = fork();

        if (!pid)
                _exit(watch_without_rights(&stranger, release));
        close_fd(&stranger.trigger);
        if (release)
                close_fd(&stranger.release);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        let_go(&stranger);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void who_may_not_look_at_a_zombie_is_never_told_of_a_clean_exit(void **state) {
        if (geteuid()) {
                print_message("# skipped: needs root\n");
                return;
        }
        assert_int_equal(run_without_rights(true), has_pidfd_exit() ? 5 : 92);
}

static void a_zombie_that_nobody_reaps_has_vanished(void **state) {
        if (geteuid()) {
                print_message("# skipped: needs root\n");
                return;
        }
        assert_int_equal(run_without_rights(false), 92);
}

/* A child of ours that leaves its own child to us.  Both are zombies afterwards; returns the grandchild. */
static pid_t start_orphan(pid_t *ret_parent) {
        siginfo_t info;
        int told[2];
        pid_t pid;

        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        *ret_parent = fork();
        if (!*ret_parent) {
                pid = fork();
                if (!pid)
                        _exit(6);
                _exit(write(told[1], &pid, sizeof(pid)) != sizeof(pid));
        }
        close(told[1]);
        assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
        close(told[0]);
        assert_int_equal(waitid(P_PID, (id_t)*ret_parent, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        return pid;
}

static void an_adopted_orphan_is_told_and_reaped_like_a_child(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        pid_t parent, pid;

        prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid = start_orphan(&parent);
        heard.free_at_end = watch(event, pid, &heard);
        assert_int_equal(waitpid(parent, NULL, 0), parent);
        run_until_ended(event, &heard);
        assert_int_equal(heard.items[0].kind, EVIDENCE_EXITED);
        assert_int_equal(heard.items[0].number, 6);
        assert_false(is_ours(pid));
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        sd_event_unref(event);
}

static void a_subreaper_reaps_all_but_those_that_are_watched(void **state) {
        sd_event *event = new_loop();
        struct heard heard = { 0 };
        pid_t parents[3], pids[3];
        pid_t kept[2];
        int trigger;
        pid_t living;

        prctl(PR_SET_CHILD_SUBREAPER, 1);
        living = start_child(0, &trigger);
        for (size_t i = 0; i < 3; i++)
                pids[i] = start_orphan(&parents[i]);
        kept[0] = pids[0];
        kept[1] = parents[1];
        heard.free_at_end = watch(event, pids[0], &heard);

        assert_int_equal(process_reap_orphans(kept, 2), 4);
        assert_int_equal(process_reap_orphans(kept, 2), 0);
        assert_true(is_ours(pids[0]) && is_ours(parents[1]) && is_ours(living));
        assert_false(is_ours(parents[0]) || is_ours(pids[1]) || is_ours(pids[2]) || is_ours(parents[2]));

        run_until_ended(event, &heard);
        assert_int_equal(heard.items[0].number, 6);
        assert_int_equal(process_reap_orphans(NULL, 0), 1);
        assert_int_equal(process_reap_orphans(NULL, 0), 0);
        close(trigger);
        assert_int_equal(waitpid(living, NULL, 0), living);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        sd_event_unref(event);
}

static void an_oom_kill_is_told_before_the_signal_that_it_sends(void **state) {
        struct cgroup_fixture cgroup = cgroup_fixture_make();
        sd_event *event;
        struct heard heard = { 0 };
        struct process_watch *watched;
        int trigger;
        pid_t pid;

        if (cgroup.why_not) {
                print_message("# skipped: %s\n", cgroup.why_not);
                return;
        }
        event = new_loop();
        pid = cgroup_fixture_start(&cgroup, &trigger);
        assert_true(pid > 0);
        watched = watch(event, pid, &heard);
        process_watch_refresh(watched);
        close(trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 2);
        assert_int_equal(heard.items[0].kind, EVIDENCE_OOM_KILL);
        assert_int_equal(heard.items[0].number, 1);
        assert_int_equal(heard.items[1].kind, EVIDENCE_KILLED);
        assert_int_equal(heard.items[1].number, SIGKILL);
        assert_true(heard.items[0].seq < heard.items[1].seq);
        process_watch_free(watched);
        cgroup_fixture_remove(&cgroup);
        sd_event_unref(event);
}

static void one_that_was_moved_is_counted_where_it_is(void **state) {
        struct cgroup_fixture cgroup = cgroup_fixture_make(), other = cgroup;
        sd_event *event;
        struct heard heard = { 0 };
        char pid_text[16];
        int trigger;
        pid_t pid;

        if (cgroup.why_not) {
                print_message("# skipped: %s\n", cgroup.why_not);
                return;
        }
        /* From beside it. */
        strcat(other.path, "-before");
        assert_int_equal(mkdir(other.path, 0755), 0);
        event = new_loop();
        pid = cgroup_fixture_start(&other, &trigger);
        assert_true(pid > 0);
        heard.free_at_end = watch(event, pid, &heard);
        snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
        assert_int_equal(cgroup_fixture_write(&cgroup, "cgroup.procs", pid_text), 0);
        process_watch_look_again(heard.free_at_end);
        close(trigger);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 2);
        assert_int_equal(heard.items[0].kind, EVIDENCE_OOM_KILL);
        cgroup_fixture_remove(&cgroup);
        cgroup_fixture_remove(&other);
        sd_event_unref(event);
}

static void what_is_counted_where_it_is_not_any_more_is_not_about_it(void **state) {
        struct cgroup_oom counter = { .fd = -1, .place = "/vm" };

        /* This very process is at another place. */
        assert_true(cgroup_oom_has_moved(&counter, getpid()));
        /* Of one that is gone, or of which it was never known, nothing is said. */
        assert_false(cgroup_oom_has_moved(&counter, 0x7ffffff0));
        counter.place = NULL;
        assert_false(cgroup_oom_has_moved(&counter, getpid()));
}

static void anothers_oom_death_is_not_told_of_one_that_exits(void **state) {
        struct cgroup_fixture cgroup = cgroup_fixture_make();
        sd_event *event;
        struct heard heard = { 0 };
        struct heard others = { 0 };
        int trigger, others_trigger;
        pid_t pid, other;

        if (cgroup.why_not) {
                print_message("# skipped: %s\n", cgroup.why_not);
                return;
        }
        event = new_loop();
        pid = cgroup_fixture_start(&cgroup, &trigger);
        assert_true(pid > 0);
        other = cgroup_fixture_start(&cgroup, &others_trigger);
        assert_true(other > 0);
        heard.free_at_end = watch(event, pid, &heard);
        others.free_at_end = watch(event, other, &others);
        close(others_trigger);
        run_until_ended(event, &others);
        assert_int_equal(others.n, 2);

        kill(pid, SIGTERM);
        run_until_ended(event, &heard);
        assert_int_equal(heard.n, 1);
        assert_int_equal(heard.items[0].kind, EVIDENCE_KILLED);
        assert_int_equal(heard.items[0].number, SIGTERM);
        close(trigger);
        cgroup_fixture_remove(&cgroup);
        sd_event_unref(event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_exit_is_told_once_and_the_child_is_reaped),
                cmocka_unit_test(a_signal_is_told_with_its_name),
                cmocka_unit_test(one_that_died_before_it_was_watched_is_told_all_the_same),
                cmocka_unit_test(one_that_is_gone_cannot_be_watched),
                cmocka_unit_test(a_pid_that_is_anothers_by_now_is_not_watched),
                cmocka_unit_test(that_it_has_ended_is_known_before_it_is_told),
                cmocka_unit_test(stops_and_continuations_of_a_child_are_told),
                cmocka_unit_test(a_watch_may_be_freed_while_its_process_lives),
                cmocka_unit_test(a_strangers_exit_is_read_from_its_zombie),
                cmocka_unit_test(a_stranger_that_was_reaped_at_once_is_asked_of_the_kernel),
                cmocka_unit_test(who_may_not_look_at_a_zombie_is_never_told_of_a_clean_exit),
                cmocka_unit_test(a_zombie_that_nobody_reaps_has_vanished),
                cmocka_unit_test(an_adopted_orphan_is_told_and_reaped_like_a_child),
                cmocka_unit_test(a_subreaper_reaps_all_but_those_that_are_watched),
                cmocka_unit_test(an_oom_kill_is_told_before_the_signal_that_it_sends),
                cmocka_unit_test(one_that_was_moved_is_counted_where_it_is),
                cmocka_unit_test(what_is_counted_where_it_is_not_any_more_is_not_about_it),
                cmocka_unit_test(anothers_oom_death_is_not_told_of_one_that_exits),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
