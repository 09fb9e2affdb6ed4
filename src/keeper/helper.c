#include "keeper/helper.h"

#include "basics/cleanup.h"
#include "sources/wire/wire_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum {
        READ_MAX = 64 * 1024,
        QUEUE_MAX = 4 * 1024 * 1024, /* bytes that wait for it to read: a request for each of 10,000 VMs, and more */
        STATUS_NOT_RUN = 127,        /* the program could not be run */
};

/* One that has lived so long was well: what ends it now is the first of its kind. */
#define WELL_USEC UINT64_C(60000000)

uint64_t helper_rest_usec = 1000000;
uint64_t helper_rest_max_usec = 60000000;
uint64_t helper_patience_usec = 5000000;

struct helper {
        sd_event *event;
        sd_event_source *io, *child, *rest;
        struct helper_events events;
        struct wire_lines lines;
        char *queue; /* owned */
        size_t n_queue, n_queue_max;
        uint64_t began_usec;
        unsigned n_ends; /* one soon after the other */
        pid_t pid;       /* 0: none */
        int fd, pid_fd;
        bool is_ending;  /* for good */
        char path[PATH_MAX];
};

static const char *name_of(const struct helper *helper) {
        return strrchr(helper->path, '/') + 1;
}

static void say(struct helper *helper, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct helper *helper, const char *format, ...) {
        char line[512], whole[640];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        snprintf(whole, sizeof(whole), "%.100s: %s", name_of(helper), line);
        helper->events.trouble(helper->events.userdata, whole);
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int start(struct helper *helper);
static void rest(struct helper *helper, const char *how);

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata) {
        struct helper *helper = userdata;
        int r;

        helper->rest = sd_event_source_disable_unref(helper->rest);
        r = start(helper);
        if (r)
                rest(helper, strerror(-r));
        return 0;
}

/* It is started again: at once, then after a while. */
static void rest(struct helper *helper, const char *how) {
        uint64_t wait_usec = helper->n_ends ? helper_rest_usec : 0;

        for (unsigned i = 1; i < helper->n_ends && wait_usec < helper_rest_max_usec; i++)
                wait_usec *= 2;
        if (wait_usec > helper_rest_max_usec)
                wait_usec = helper_rest_max_usec;
        helper->n_ends++;
        if (wait_usec)
                say(helper, "%s; it is started again in %.3g s", how, (double)wait_usec / 1e6);
        else
                say(helper, "%s; it is started again", how);
        if (sd_event_add_time_relative(helper->event, &helper->rest, CLOCK_MONOTONIC, wait_usec, 0, on_rested, helper) < 0)
                say(helper, "out of memory: it is not started again");
}

static void describe_end(const siginfo_t *info, char *ret_how, size_t n_how) {
        if (info->si_code == CLD_EXITED && info->si_status == STATUS_NOT_RUN)
                snprintf(ret_how, n_how, "it could not be run");
        else if (info->si_code == CLD_EXITED)
                snprintf(ret_how, n_how, "it has ended with exit status %d", info->si_status);
        else
                snprintf(ret_how, n_how, "it was ended by SIG%s", sigabbrev_np(info->si_status) ?: "?");
}

/* Its end of the pair, and all that it left there. */
static void hang_up(struct helper *helper) {
        helper->io = sd_event_source_disable_unref(helper->io);
        close_fd(&helper->fd);
        wire_lines_deinit(&helper->lines);
        free(take_pointer(helper->queue));
        helper->n_queue = helper->n_queue_max = 0;
}

static void reap(struct helper *helper, siginfo_t *ret_info) {
        memset(ret_info, 0, sizeof(*ret_info));
        while (waitid(P_PID, (id_t)helper->pid, ret_info, WEXITED) < 0 && errno == EINTR)
                ;
        helper->child = sd_event_source_disable_unref(helper->child);
        close_fd(&helper->pid_fd);
        helper->pid = 0;
}

static int on_line(void *userdata, const char *line, size_t n_line) {
        struct helper *helper = userdata;
        struct wire_message message;
        int r = wire_message_read(&message, line, n_line);

        if (r)
                return r;
        /* What it was told in answer to the line before was too much. */
        if (helper->fd < 0)
                r = -ESHUTDOWN;
        else if (message.kind != WIRE_UNKNOWN)
                helper->events.said(helper->events.userdata, &message);
        wire_message_deinit(&message);
        return r;
}

/* What it said.  1; 0: there is nothing just now; -ECONNRESET: nothing follows; or what makes no sense. */
static int hear(struct helper *helper) {
        static char bytes[READ_MAX]; /* one loop, one thread */
        ssize_t n = recv(helper->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return -ECONNRESET;
        r = wire_lines_take(&helper->lines, bytes, (size_t)n, on_line, helper);
        return r ? r : 1;
}

static int on_child(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct helper *helper = userdata;
        siginfo_t info;
        char how[96];

        /* Its last words. */
        while (helper->fd >= 0 && hear(helper) > 0)
                ;
        reap(helper, &info);
        hang_up(helper);
        describe_end(&info, how, sizeof(how));
        if (now_usec() - helper->began_usec >= WELL_USEC)
                helper->n_ends = 0;
        helper->events.ended(helper->events.userdata);
        rest(helper, how);
        return 0;
}

/* It is of no use any more: its end follows. */
static void give_up(struct helper *helper, const char *why) {
        say(helper, "%s: it is ended", why);
        hang_up(helper);
        kill(helper->pid, SIGKILL);
}

void helper_restart(struct helper *helper, const char *why) {
        if (helper->fd >= 0)
                give_up(helper, why);
}

static void finish(struct helper *helper) {
        siginfo_t info;

        hang_up(helper);
        if (!helper->pid)
                return;
        kill(helper->pid, SIGKILL);
        reap(helper, &info);
}

void helper_end(struct helper *helper) {
        uint64_t until_usec;

        if (!helper)
                return;
        helper->is_ending = true;
        helper->rest = sd_event_source_disable_unref(helper->rest);
        until_usec = now_usec() + helper_patience_usec;
        if (helper->fd >= 0)
                shutdown(helper->fd, SHUT_WR);
        while (helper->pid && now_usec() < until_usec) {
                struct pollfd fds[] = { { .fd = helper->pid_fd, .events = POLLIN }, { .fd = helper->fd, .events = POLLIN } };
                int r = poll(fds, 2, (int)((until_usec - now_usec()) / 1000) + 1);

                if (r > 0 && helper->fd >= 0 && fds[1].revents && hear(helper) < 0)
                        hang_up(helper);
                else if (r > 0 && fds[0].revents)
                        break;
        }
        while (helper->fd >= 0 && hear(helper) > 0)
                ;
        /* Now, so that nobody who goes on with the loop starts it again. */
        finish(helper);
}

struct helper *helper_free(struct helper *helper) {
        if (!helper)
                return NULL;
        finish(helper);
        sd_event_source_disable_unref(helper->rest);
        sd_event_unref(helper->event);
        free(helper);
        return NULL;
}

/* --- what it is told --------------------------------------------------------------------------------------------- */

/* Send what waits.  0, or -errno. */
static int flush(struct helper *helper) {
        size_t n_sent = 0;
        int r = 0;

        while (!r && n_sent < helper->n_queue) {
                ssize_t n = send(helper->fd, helper->queue + n_sent, helper->n_queue - n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n > 0)
                        n_sent += (size_t)n;
                else if (n < 0 && errno != EINTR)
                        r = -errno;
        }
        helper->n_queue -= n_sent;
        if (n_sent && helper->n_queue)
                memmove(helper->queue, helper->queue + n_sent, helper->n_queue);
        if (!helper->n_queue) {
                free(take_pointer(helper->queue));
                helper->n_queue_max = 0;
        }
        sd_event_source_set_io_events(helper->io, EPOLLIN | (helper->n_queue ? EPOLLOUT : 0));
        return r == -EAGAIN ? 0 : r;
}

static int queue(struct helper *helper, const char *line, size_t n_line) {
        size_t n_max = helper->n_queue_max ? helper->n_queue_max : 1024;
        char *grown;

        while (n_max < helper->n_queue + n_line)
                n_max *= 2;
        if (n_max > helper->n_queue_max) {
                grown = realloc(helper->queue, n_max);
                if (!grown)
                        return -ENOMEM;
                helper->queue = grown;
                helper->n_queue_max = n_max;
        }
        memcpy(helper->queue + helper->n_queue, line, n_line);
        helper->n_queue += n_line;
        return 0;
}

void helper_say(struct helper *helper, const struct wire_message *message) {
        cleanup(freep) char *line = NULL;
        size_t n_line;

        if (!helper || helper->fd < 0 || helper->is_ending)
                return;
        if (wire_message_write(message, &line, &n_line))
                give_up(helper, "out of memory");
        else if (helper->n_queue + n_line > QUEUE_MAX)
                give_up(helper, "it does not read what it is told");
        else if (queue(helper, line, n_line))
                give_up(helper, "out of memory");
        else
                /* One that has gone says so by its end. */
                flush(helper);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct helper *helper = userdata;
        int r = 0;

        if (revents & ~(uint32_t)EPOLLOUT)
                r = hear(helper);
        if (r == -ECONNRESET) {
                /* It ends.  If it does not, it is of no use. */
                hang_up(helper);
                kill(helper->pid, SIGKILL);
        } else if (r < 0 && helper->fd >= 0) {
                give_up(helper, r == -EMSGSIZE ? "it said a line that is too long" :
                                r == -ENOMEM   ? "out of memory" :
                                                 "it said what is no message of protocol 1");
        } else if (helper->fd >= 0 && helper->n_queue) {
                flush(helper);
        }
        return 0;
}

/* --- its start --------------------------------------------------------------------------------------------------- */

/* The child of a process with threads: only what is safe in a signal's handler. */
static void become(const char *path, int fd, pid_t parent) {
        char *const arguments[] = { (char *)path, NULL };
        const struct sigaction usual = { .sa_handler = SIG_DFL };
        sigset_t none;
        int nowhere;

        /*
         * It goes with us, whatever ends us.  If that was just now, nobody sends the signal any more.  A program that is given more rights than we have kept
         * forgets it (commit_creds() in Linux's kernel/cred.c): a helper of root's says so once more itself.
         */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(STATUS_NOT_RUN);
        for (int number = 1; number < NSIG; number++)
                sigaction(number, &usual, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (dup2(fd, STDIN_FILENO) < 0 || (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) < 0))
                _exit(STATUS_NOT_RUN);
        syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
        /* ^C at our terminal is for us. */
        setsid();
        if (chdir("/") < 0)
                _exit(STATUS_NOT_RUN);
        execv(path, arguments);
        _exit(STATUS_NOT_RUN);
}

static int start(struct helper *helper) {
        cleanup(closep) int ours = -1, theirs = -1, pid_fd = -1;
        int pair[2], r;
        pid_t parent = getpid(), pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        /* Above those that it is moved to. */
        theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(pair[1]);
        if (theirs < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (!pid)
                become(helper->path, theirs, parent);
        helper->pid = pid;
        helper->began_usec = now_usec();
        pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
        r = pid_fd < 0 ? -errno : sd_event_add_io(helper->event, &helper->child, pid_fd, EPOLLIN, on_child, helper);
        if (r >= 0)
                r = sd_event_add_io(helper->event, &helper->io, ours, EPOLLIN, on_io, helper);
        if (r < 0) {
                siginfo_t info;

                kill(pid, SIGKILL);
                reap(helper, &info);
                return r;
        }
        helper->pid_fd = take_fd(&pid_fd);
        helper->fd = take_fd(&ours);
        helper->events.began(helper->events.userdata);
        return 0;
}

int helper_new(struct helper **ret_helper, sd_event *event, const char *path, const struct helper_events *events) {
        struct helper *helper = calloc(1, sizeof(*helper));
        int r;

        if (!helper)
                return -ENOMEM;
        helper->event = sd_event_ref(event);
        helper->events = *events;
        helper->fd = helper->pid_fd = -1;
        snprintf(helper->path, sizeof(helper->path), "%s", path);
        r = sd_event_add_time_relative(event, &helper->rest, CLOCK_MONOTONIC, 0, 0, on_rested, helper);
        if (r < 0) {
                helper_free(helper);
                return r;
        }
        *ret_helper = helper;
        return 0;
}

pid_t helper_pid(const struct helper *helper) {
        return helper->pid;
}
