#include "sources/qemu/qemu_try.h"
#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"
#include "qmp/qmp_message.h"
#include "sources/qemu/qemu_stderr.h"
#include "sources/try.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum { READ_SIZE = 4096 };

/* A busy machine takes its time to start it. */
#define START_NS (5 * TRY_WAIT_NS)

struct vmm {
        pid_t pid;
        int commands;        /* to its monitor */
        int monitor, errors; /* from it */
};

/* More bytes before that instant: how many; 0 at the end; -ETIMEDOUT; -errno. */
static ssize_t read_more(int fd, char *bytes, size_t n, uint64_t until_ns) {
        uint64_t now_ns = source_now_ns();
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int timeout_ms = now_ns < until_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0;
        ssize_t n_read;

        if (poll(&wait, 1, timeout_ms) <= 0)
                return -ETIMEDOUT;
        n_read = read(fd, bytes, n);
        return n_read < 0 ? -errno : n_read;
}

static int start(struct vmm *ret_vmm, const char *path) {
        char *const argv[] = { (char *)path, "-M", "none", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio", NULL };
        cleanup(closep) int commands = -1, monitor = -1, errors = -1; /* its ends */
        posix_spawn_file_actions_t actions;
        int pairs[3][2], r;

        for (size_t i = 0; i < 3; i++)
                if (pipe2(pairs[i], O_CLOEXEC) < 0) {
                        r = -errno;
                        while (i--) {
                                close(pairs[i][0]);
                                close(pairs[i][1]);
                        }
                        return r;
                }
        commands = pairs[0][0];
        monitor = pairs[1][1];
        errors = pairs[2][1];
        *ret_vmm = (struct vmm){ -1, pairs[0][1], pairs[1][0], pairs[2][0] };
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, commands, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, monitor, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
        r = -posix_spawn(&ret_vmm->pid, path, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static void close_all(struct vmm *vmm) {
        close_fd(&vmm->commands);
        close_fd(&vmm->monitor);
        close_fd(&vmm->errors);
}

static bool is_message(enum qmp_kind kind, const char *line, size_t n) {
        struct qmp_message message;
        bool is_one = !qmp_message_decode(&message, line, n) && message.kind == kind;

        qmp_message_deinit(&message);
        return is_one;
}

/* 0; -EPROTO: its stream ended; -ETIMEDOUT; -errno. */
static int wait_for(const struct vmm *vmm, struct qmp_framer *framer, enum qmp_kind kind, uint64_t until_ns) {
        const char *line;
        size_t length;

        for (;;) {
                ssize_t n;
                char *room;

                while (qmp_framer_next(framer, &line, &length) != QMP_NEEDS_MORE)
                        if (is_message(kind, line, length))
                                return 0;
                n = qmp_framer_space(framer, &room);
                if (n < 0)
                        return (int)n;
                n = read_more(vmm->monitor, room, (size_t)n, until_ns);
                qmp_framer_fill(framer, n > 0 ? (size_t)n : 0);
                if (n <= 0)
                        return n ? (int)n : -EPROTO;
        }
}

/* Only one that has answered has got so far as to hear a signal, too: the greeting comes before that. */
static int speak(const struct vmm *vmm, char ret_found[static FOUND_MAX]) {
        uint64_t began_ns = source_now_ns(), until_ns = began_ns + START_NS;
        struct qmp_framer framer;
        char command[QMP_SIMPLE_SIZE];
        size_t n = qmp_write_command(command, "qmp_capabilities", 1);
        int r;

        qmp_framer_init(&framer, QMP_FRAMING_LINES);
        r = wait_for(vmm, &framer, QMP_GREETING, until_ns);
        if (!r && write(vmm->commands, command, n) != (ssize_t)n)
                r = -EPIPE;
        if (!r)
                r = wait_for(vmm, &framer, QMP_RETURN, until_ns);
        qmp_framer_deinit(&framer);
        if (r)
                return found_say(ret_found, r, "QEMU was started, and does not answer: %s", strerror(-r));
        return found_say(ret_found, 0, "QEMU answered %u ms after it was started", (unsigned)((source_now_ns() - began_ns) / 1000000));
}

/* Does it say that it was us?  -ENODATA: it does not; *stream has what else it says. */
static int read_errors(const struct vmm *vmm, struct qemu_stderr *stream) {
        uint64_t until_ns = source_now_ns() + TRY_WAIT_NS;
        char bytes[READ_SIZE];
        int result = -ENODATA;
        ssize_t n;

        while ((n = read_more(vmm->errors, bytes, sizeof(bytes), until_ns)) > 0)
                for (size_t at = 0, n_read = 0; at < (size_t)n; at += n_read) {
                        struct evidence evidence;

                        if (qemu_stderr_read(stream, bytes + at, (size_t)n - at, 1, 1, &n_read, &evidence) != QEMU_STDERR_SIGNAL)
                                continue;
                        if (evidence.number == SIGTERM && evidence.actor && evidence.actor->pid == getpid())
                                result = 0;
                        evidence_deinit(&evidence);
                }
        return result;
}

static int end(const struct vmm *vmm, char ret_found[static FOUND_MAX]) {
        struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
        struct qemu_stderr stream = { 0 };
        size_t n;
        int r;

        kill(vmm->pid, SIGTERM);
        r = read_errors(vmm, &stream);
        kill(vmm->pid, SIGKILL);
        waitpid(vmm->pid, NULL, 0);
        if (!r)
                return found_say(ret_found, 0, "QEMU said on its standard error who has sent it SIGTERM");
        n = qemu_stderr_messages(&stream, messages);
        return found_say(ret_found, r, "QEMU did not say who has sent it SIGTERM%s%.160s", n ? ", but: " : "", n ? messages[n - 1].text : "");
}

void qemu_try(const char *path, struct qemu_try *ret_try) {
        struct vmm vmm = { -1, -1, -1, -1 };
        int r = start(&vmm, path);

        if (r) {
                ret_try->monitor = found_say(ret_try->monitor_found, r, "%.200s cannot be started: %s", path, strerror(-r));
                ret_try->errors = found_say(ret_try->errors_found, r, "%.200s cannot be started: %s", path, strerror(-r));
                close_all(&vmm);
                return;
        }
        ret_try->monitor = speak(&vmm, ret_try->monitor_found);
        ret_try->errors = end(&vmm, ret_try->errors_found);
        close_all(&vmm);
}
