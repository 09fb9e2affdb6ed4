#include "outlets/hook_process.h"

#include "basics/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
        LINE_MAX_KEPT = 200,
        READ_SIZE = 64 * 1024,
        /* A hook that floods us is read so often in a tenth of a second, and then it waits. */
        READ_BURST = 8,
        /* What can be in its pipe when it has ended: /proc/sys/fs/pipe-max-size. */
        DRAIN_MAX = 1024 * 1024,
        /* What a program finds that raises nothing itself; ours is higher. */
        FILES_MAX = 1024,
};

#define READ_INTERVAL_USEC UINT64_C(100000)
/* From SIGTERM to SIGKILL, or as long as it had before that, if this is less. */
#define GRACE_NS UINT64_C(5000000000)

struct hook_process {
        pid_t pid; /* and of its session, and process group */
        sd_event_source *child;
        sd_event_source *output;
        sd_event_source *deadline;
        int output_fd;
        uint64_t grace_ns;
        unsigned n_signals; /* that were sent to end it */
        bool has_ended;
        char line[LINE_MAX_KEPT]; /* that is being read */
        size_t n_line;
        char last[LINE_MAX_KEPT]; /* that was read whole, and is not empty */
        size_t n_last;
        hook_ended_fn ended;
        void *userdata;
};

/* --- what it says ------------------------------------------------------------------------------------------------ */

static void end_line(struct hook_process *process) {
        if (process->n_line) {
                memcpy(process->last, process->line, process->n_line);
                process->n_last = process->n_line;
        }
        process->n_line = 0;
}

static void take_output(struct hook_process *process, const char *bytes, size_t n) {
        for (const char *end = bytes + n; bytes < end;) {
                const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
                const char *to = newline ? newline : end;
                size_t n_kept = (size_t)(to - bytes), n_room = sizeof(process->line) - process->n_line;

                n_kept = n_kept < n_room ? n_kept : n_room;
                memcpy(process->line + process->n_line, bytes, n_kept);
                process->n_line += n_kept;
                if (newline)
                        end_line(process);
                bytes = newline ? newline + 1 : end;
        }
}

/* The number of bytes; 0 at the end, -EAGAIN when there is nothing just now. */
static ssize_t read_output(struct hook_process *process) {
        char bytes[READ_SIZE];
        ssize_t n = read(process->output_fd, bytes, sizeof(bytes));

        if (n > 0)
                take_output(process, bytes, (size_t)n);
        return n < 0 ? -errno : n;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct hook_process *process = userdata;
        ssize_t n = read_output(process);

        if (!n || (n < 0 && n != -EAGAIN && n != -EINTR))
                process->output = sd_event_source_disable_unref(process->output);
        return 0;
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

static void say_why(const struct hook_process *process, const siginfo_t *info, char ret_why[static OUTLET_WHY_MAX]) {
        char said[LINE_MAX_KEPT + 8] = "", how[96];

        if (process->n_signals)
                snprintf(how, sizeof(how), "it took too long, and was ended");
        else if (info->si_code == CLD_EXITED)
                snprintf(how, sizeof(how), "exit status %d", info->si_status);
        else
                snprintf(how, sizeof(how), "ended by signal %d (SIG%s)", info->si_status,
                         sigabbrev_np(info->si_status) ? sigabbrev_np(info->si_status) : "?");
        text_copy(said, LINE_MAX_KEPT, process->last, process->n_last);
        snprintf(ret_why, OUTLET_WHY_MAX, "%s%s%s", how, *said ? ": " : "", said);
}

static void end(struct hook_process *process, const siginfo_t *info) {
        bool is_well = !process->n_signals && info->si_code == CLD_EXITED && !info->si_status;
        char why[OUTLET_WHY_MAX];

        process->has_ended = true;
        process->deadline = sd_event_source_disable_unref(process->deadline);
        process->output = sd_event_source_disable_unref(process->output);
        for (size_t n_read = 0; n_read < DRAIN_MAX;) {
                ssize_t n = read_output(process);

                if (n <= 0)
                        break;
                n_read += (size_t)n;
        }
        end_line(process);
        say_why(process, info, why);
        /* It was asked to end, and has; what it has started may not have heard it.  (Its group is there as long as it is not reaped.) */
        if (process->n_signals)
                kill(-process->pid, SIGKILL);
        process->ended(process, is_well ? 0 : process->n_signals ? -ETIMEDOUT : -EIO, why, process->userdata);
}

/* The loop reaps it after this call. */
static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        end(userdata, info);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct hook_process *process = userdata;

        kill(-process->pid, process->n_signals++ ? SIGKILL : SIGTERM);
        if (process->n_signals == 1) {
                sd_event_source_set_time_relative(source, process->grace_ns / 1000);
                sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

void hook_process_wait(struct hook_process *process, uint64_t timeout_ns) {
        cleanup(closep) int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        struct timespec timeout = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };
        siginfo_t info = { 0 };
        pid_t pid = process->pid;

        if (fd < 0 || ppoll(&poll_fd, 1, &timeout, NULL) <= 0 ||
            waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
                return;
        process->child = sd_event_source_disable_unref(process->child);
        end(process, &info);
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

struct hook_process *hook_process_free(struct hook_process *process) {
        siginfo_t info;

        if (!process)
                return NULL;
        if (process->pid > 0 && !process->has_ended) {
                kill(-process->pid, SIGKILL);
                process->child = sd_event_source_disable_unref(process->child);
                waitid(P_PID, (id_t)process->pid, &info, WEXITED);
        }
        /* In its own callback the loop still holds it, and reaps. */
        sd_event_source_unref(process->child);
        sd_event_source_disable_unref(process->output);
        sd_event_source_disable_unref(process->deadline);
        close_fd(&process->output_fd);
        free(process);
        return NULL;
}

/* --- its start --------------------------------------------------------------------------------------------------- */

/* Descriptors are moved to 0, 1 and 2 one by one: none of them may lie there already. */
static int move_up(int *fd) {
        int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

        if (moved < 0)
                return -errno;
        close(*fd);
        *fd = moved;
        return 0;
}

static int make_pipe(int ret_fds[static 2]) {
        int r;

        if (pipe2(ret_fds, O_CLOEXEC) < 0)
                return -errno;
        r = move_up(&ret_fds[1]);
        if (!r && fcntl(ret_fds[0], F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        if (r) {
                close(ret_fds[0]);
                close(ret_fds[1]);
        }
        return r;
}

static int spawn_with(pid_t *ret_pid, const char *path, char *const *environment, int input_fd, int output_fd,
                      posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
        char *const argv[] = { (char *)path, NULL };
        sigset_t all, none;
        int r;

        sigfillset(&all);
        sigemptyset(&none);
        r = posix_spawn_file_actions_adddup2(actions, input_fd, STDIN_FILENO);
        if (!r)
                r = posix_spawn_file_actions_adddup2(actions, output_fd, STDOUT_FILENO);
        if (!r)
                r = posix_spawn_file_actions_adddup2(actions, output_fd, STDERR_FILENO);
        if (!r)
                r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
        if (!r)
                r = posix_spawn_file_actions_addchdir_np(actions, "/");
        if (!r)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (!r)
                r = posix_spawnattr_setsigmask(attributes, &none);
        if (!r)
                r = posix_spawnattr_setflags(attributes,
                                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        if (!r)
                r = posix_spawn(ret_pid, path, actions, attributes, argv, environment);
        return -r;
}

static int spawn(pid_t *ret_pid, const char *path, char *const *environment, int input_fd, int output_fd) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        struct rlimit files;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (!r) {
                r = spawn_with(ret_pid, path, environment, input_fd, output_fd, &actions, &attributes);
                posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
        if (r)
                return r;
        /* It has just become its program: by the time that this asks, the limit is set. */
        if (!prlimit(*ret_pid, RLIMIT_NOFILE, NULL, &files) && files.rlim_cur > FILES_MAX) {
                files.rlim_cur = FILES_MAX;
                prlimit(*ret_pid, RLIMIT_NOFILE, &files, NULL);
        }
        return 0;
}

int hook_process_start(struct hook_process **ret_process, sd_event *event, const char *path, char *const *environment,
                       int input_fd, uint64_t timeout_ns, hook_ended_fn ended, void *userdata) {
        struct hook_process *process = calloc(1, sizeof(*process));
        cleanup(closep) int input = fcntl(input_fd, F_DUPFD_CLOEXEC, 3);
        cleanup(closep) int write_end = -1;
        int fds[2], r;

        if (!process)
                return -ENOMEM;
        process->output_fd = -1;
        process->ended = ended;
        process->userdata = userdata;
        process->grace_ns = timeout_ns < GRACE_NS ? timeout_ns : GRACE_NS;
        r = input < 0 ? -errno : make_pipe(fds);
        if (!r) {
                process->output_fd = fds[0];
                write_end = fds[1];
                r = sd_event_add_io(event, &process->output, fds[0], EPOLLIN, on_output, process);
        }
        if (r >= 0)
                r = sd_event_source_set_ratelimit(process->output, READ_INTERVAL_USEC, READ_BURST);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &process->deadline, CLOCK_MONOTONIC, timeout_ns / 1000, 1000, on_deadline,
                                               process);
        if (r >= 0)
                r = spawn(&process->pid, path, environment, input, write_end);
        if (r >= 0)
                r = sd_event_add_child(event, &process->child, process->pid, WEXITED, on_child, process);
        if (r < 0) {
                hook_process_free(process);
                return r;
        }
        *ret_process = process;
        return 0;
}
