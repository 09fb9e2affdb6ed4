#include "sources/process/process_try.h"
#include "basics/cleanup.h"
#include "sources/process/cgroup_oom.h"
#include "sources/process/process_watch.h"
#include "sources/try.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct seen {
        int signal;
        bool is_over;
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct seen *seen = userdata;

        if (evidence->kind == EVIDENCE_KILLED)
                seen->signal = (int)evidence->number;
        evidence_deinit(evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
        ((struct seen *)userdata)->is_over = true;
}

/* Watch the process while it is killed. */
static int watch_a_kill(pid_t pid, char ret_found[static FOUND_MAX]) {
        cleanup(process_watch_freep) struct process_watch *watch = NULL;
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        struct seen seen = { 0 };
        const struct source_sink sink = { on_report, on_ended, &seen };
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = process_watch_new(&watch, event, pid, 0, &sink);
        if (r < 0)
                return found_say(ret_found, r, "a process cannot be watched: %s", strerror(-r));
        if (kill(pid, SIGKILL) < 0)
                return found_say(ret_found, -errno, "%s", strerror(errno));
        r = try_wait(event, &seen.is_over);
        if (r)
                return found_say(ret_found, r, "its end was not seen: %s", strerror(-r));
        if (seen.signal != SIGKILL)
                return found_say(ret_found, -EACCES, "its end was seen, how it ended was not");
        return 0;
}

/* A child that does nothing until it is killed, or we are. */
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

int process_try_child(char ret_found[static FOUND_MAX]) {
        pid_t pid = start_sleeper();
        int r;

        if (pid < 0)
                return found_say(ret_found, pid, "no process can be started: %s", strerror(-pid));
        r = watch_a_kill(pid, ret_found);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0); /* ECHILD: the watch has reaped it */
        return r ? r : found_say(ret_found, 0, "a child was killed, and seen to be");
}

/* Starts the one that is to be killed, tells its pid, and leaves it dead until it ends itself. */
static void be_its_parent(int fd) {
        pid_t pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid = start_sleeper();
        if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
                _exit(1);
        for (;;)
                pause();
}

int process_try_stranger(char ret_found[static FOUND_MAX]) {
        pid_t parent, pid = -1;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return found_say(ret_found, -errno, "%s", strerror(errno));
        parent = fork();
        if (!parent)
                be_its_parent(fds[1]);
        close(fds[1]);
        if (parent < 0 || read(fds[0], &pid, sizeof(pid)) != sizeof(pid) || pid < 0)
                r = found_say(ret_found, -EAGAIN, "no process can be started");
        else
                r = watch_a_kill(pid, ret_found);
        close(fds[0]);
        if (parent > 0) {
                kill(parent, SIGKILL);
                waitpid(parent, NULL, 0);
        }
        return r ? r : found_say(ret_found, 0, "another's child was killed, and seen to be");
}

int cgroup_oom_try(char ret_found[static FOUND_MAX]) {
        struct cgroup_oom counter;
        uint64_t n_killed;
        int r = cgroup_oom_open(&counter, getpid());

        if (r == -ENOENT)
                return found_say(ret_found, r, "this process is in no memory cgroup that counts");
        if (r)
                return found_say(ret_found, r, "the counter of its cgroup cannot be opened: %s", strerror(-r));
        r = cgroup_oom_rise(&counter, &n_killed);
        cgroup_oom_close(&counter);
        if (r)
                return found_say(ret_found, r, "the counter of its cgroup cannot be read: %s", strerror(-r));
        return found_say(ret_found, 0, "the counter of this process's cgroup was read");
}
