#include "sources/proc.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A child that waits to be killed. */
static pid_t start_sleeper(const char *comm) {
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, comm);
                close(ready[0]);
                close(ready[1]);
                for (;;)
                        pause();
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 0);
        close(ready[0]);
        return pid;
}

static void become_zombie(pid_t pid) {
        siginfo_t info;

        kill(pid, SIGKILL);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void an_instance_lives_as_long_as_its_process(void **state) {
        char instance[PROC_INSTANCE_MAX];
        pid_t pid = start_sleeper("a) Z 1 1 (");

        assert_int_equal(proc_instance(pid, instance), 0);
        assert_true(proc_instance_is_alive(instance));
        become_zombie(pid);
        assert_false(proc_instance_is_alive(instance));
        waitpid(pid, NULL, 0);
        assert_false(proc_instance_is_alive(instance));
        assert_int_equal(proc_instance(pid, instance), -ESRCH);
}

static void the_same_pid_at_another_time_is_another_process(void **state) {
        char instance[PROC_INSTANCE_MAX];
        size_t n;

        assert_int_equal(proc_instance(getpid(), instance), 0);
        assert_true(proc_instance_is_alive(instance));
        n = strlen(instance);
        instance[n] = '1';
        instance[n + 1] = '\0';
        assert_false(proc_instance_is_alive(instance));
        instance[n] = '\0';
        instance[0] = instance[0] == 'a' ? 'b' : 'a';
        assert_false(proc_instance_is_alive(instance));
        assert_false(proc_instance_is_alive("nonsense"));
}

static void an_actor_is_told_with_all_that_is_known(void **state) {
        char self[160];
        struct actor actor;
        struct proc_stat stat;
        pid_t pid = start_sleeper("the killer");
        ssize_t n;

        assert_int_equal(proc_actor(pid, "SIGTERM", &actor), 0);
        assert_int_equal(actor.pid, pid);
        assert_int_equal(actor.uid, geteuid());
        assert_string_equal(actor.comm, "the killer");
        assert_string_equal(actor.via, "SIGTERM");
        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        assert_true(n > 0);
        self[n] = '\0';
        assert_string_equal(actor.exe, self);
        assert_non_null(strstr(actor.cmdline, "proc_test"));
        assert_true(actor.cgroup[0] == '/');
        if (geteuid() == 0)
                assert_string_equal(actor.user, "root");

        assert_int_equal(actor.session, getsid(pid));
        assert_int_equal(actor.tid, 0);

        /* The nearest parent first, through all sessions up to the first process of all. */
        assert_true(actor.n_parents >= 1 && actor.n_parents <= ACTOR_PARENTS_MAX);
        assert_int_equal(actor.parents[0].pid, getpid());
        assert_int_equal(proc_stat_read(&stat, (pid_t)actor.parents[actor.n_parents - 1].pid), 0);
        assert_true(actor.n_parents == ACTOR_PARENTS_MAX || stat.parent == 0);

        become_zombie(pid);
        assert_int_equal(proc_actor(pid, "SIGTERM", &actor), 0);
        assert_string_equal(actor.comm, "the killer");
        assert_string_equal(actor.cmdline, "");
        assert_string_equal(actor.exe, "");
        waitpid(pid, NULL, 0);

        assert_int_equal(proc_actor(pid, "SIGTERM", &actor), -ESRCH);
        assert_int_equal(actor.pid, pid);
        assert_int_equal(actor.uid, -1);
        assert_string_equal(actor.via, "SIGTERM");
        assert_string_equal(actor.comm, "");
        assert_int_equal(actor.n_parents, 0);
}

static void the_secrets_of_an_actor_are_masked(void **state) {
        struct actor actor;
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execlp("sh", "sh", "-c", "kill -STOP $$", "--password=hunter2", NULL);
                _exit(127);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 0);
        close(ready[0]);
        assert_int_equal(proc_actor(pid, "", &actor), 0);
        assert_string_equal(actor.cmdline, "sh -c 'kill -STOP $$' '--password=***'");
        become_zombie(pid);
        waitpid(pid, NULL, 0);
}

static void a_thread_belongs_to_its_process(void **state) {
        assert_int_equal(proc_tgid((pid_t)syscall(SYS_gettid)), getpid());
        assert_int_equal(proc_tgid(0x7ffffff0), -ESRCH);
        assert_int_equal(proc_session_leader(getpid()), getsid(0) ? getsid(0) : -ESRCH);
        assert_int_equal(proc_session_leader(0x7ffffff0), -ESRCH);
}

static void the_run_time_of_a_thread_rises_while_it_runs(void **state) {
        uint64_t before, after;
        pid_t pid;

        assert_int_equal(proc_thread_run_ns(getpid(), getpid(), &before), 0);
        do {
                assert_int_equal(proc_thread_run_ns(getpid(), getpid(), &after), 0);
        } while (after == before);
        assert_true(after > before);

        /* One that waits stands still. */
        pid = start_sleeper("sleeper");
        do {
                struct proc_stat stat;

                assert_int_equal(proc_stat_read(&stat, pid), 0);
                if (stat.state == 'S')
                        break;
        } while (true);
        assert_int_equal(proc_thread_run_ns(pid, pid, &before), 0);
        assert_int_equal(proc_thread_run_ns(pid, pid, &after), 0);
        assert_int_equal(before, after);
        assert_int_equal(proc_thread_run_ns(getpid(), pid, &after), -ENOENT);
        become_zombie(pid);
        waitpid(pid, NULL, 0);
        assert_int_equal(proc_thread_run_ns(pid, pid, &after), -ENOENT);
}

/* A child with that very pid (clone3(2), set_tid: for who may checkpoint and restore); -errno. */
static pid_t start_with_pid(pid_t pid) {
        struct clone_args arguments = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1 };
        long r = syscall(SYS_clone3, &arguments, sizeof(arguments));

        if (!r)
                for (;;)
                        pause();
        return r < 0 ? -errno : (pid_t)r;
}

static void whoever_has_the_pid_of_one_that_connected_is_not_taken_for_it(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t n_address = sizeof(sa_family_t);
        cleanup(closep) int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cleanup(closep) int fd = -1;
        struct actor actor;
        pid_t gone, other;

        /* An abstract name of the kernel's own choice. */
        assert_int_equal(bind(listener, (struct sockaddr *)&address, n_address), 0);
        assert_int_equal(listen(listener, 1), 0);
        n_address = sizeof(address);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n_address), 0);
        gone = fork();
        if (!gone) {
                int connected = socket(AF_UNIX, SOCK_STREAM, 0);

                _exit(connect(connected, (struct sockaddr *)&address, n_address) < 0);
        }
        assert_int_equal(waitpid(gone, NULL, 0), gone);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);

        other = start_with_pid(gone);
        if (other == -EPERM || other == -EEXIST)
                other = 0;
        assert_true(other == 0 || other == gone);
        assert_int_equal(proc_peer_actor(fd, "qmp", &actor), -ESRCH);
        if (other)
                become_zombie(other);
        if (other)
                waitpid(other, NULL, 0);
        assert_int_equal(actor.pid, gone);
        assert_int_equal(actor.uid, geteuid());
        assert_string_equal(actor.via, "qmp");
        assert_string_equal(actor.comm, "");
        assert_int_equal(actor.n_parents, 0);
}

static void who_connected_and_is_there_is_told_with_all_that_is_known(void **state) {
        struct actor actor;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(proc_peer_actor(pair[0], "qmp", &actor), 0);
        assert_int_equal(actor.pid, getpid());
        assert_string_not_equal(actor.comm, "");
        assert_string_not_equal(actor.exe, "");
        close(pair[0]);
        close(pair[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_instance_lives_as_long_as_its_process),
                cmocka_unit_test(the_same_pid_at_another_time_is_another_process),
                cmocka_unit_test(an_actor_is_told_with_all_that_is_known),
                cmocka_unit_test(the_secrets_of_an_actor_are_masked),
                cmocka_unit_test(a_thread_belongs_to_its_process),
                cmocka_unit_test(the_run_time_of_a_thread_rises_while_it_runs),
                cmocka_unit_test(who_connected_and_is_there_is_told_with_all_that_is_known),
                cmocka_unit_test(whoever_has_the_pid_of_one_that_connected_is_not_taken_for_it),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
