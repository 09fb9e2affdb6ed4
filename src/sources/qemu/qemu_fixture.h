/*
 * QEMU fixture: a real QEMU with an empty machine, for tests, in a directory of its own.
 *
 * Its ROM is zeros and it never runs (-S), so it needs no guest.  Without QEMU or /dev/kvm it says why not,
 * and a test returns then, with a "# skipped" line: cmocka's own skip() says "not ok", which Meson counts as
 * a failure.
 */
#pragma once

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QEMU_FIXTURE_PROGRAM "/usr/bin/qemu-system-x86_64"

enum {
        QEMU_FIXTURE_PATIENCE_MS = 20000, /* a test that waits so long has failed */
        QEMU_FIXTURE_WORDS_MAX = 64,
};

struct qemu_fixture {
        char directory[64];
        char rom[96];
        char socket[96]; /* for a monitor: "DIRECTORY/qmp" */
        pid_t pid;
        const char *why_not; /* NULL: all is there */
};

static inline void qemu_fixture_pause(void) {
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Wait until the expression holds.  Whether it ever did. */
#define QEMU_FIXTURE_UNTIL(expression)                                                                       \
        ({                                                                                                   \
                bool _holds = false;                                                                         \
                                                                                                             \
                for (int _i = 0; !(_holds = (expression)) && _i < QEMU_FIXTURE_PATIENCE_MS; _i++)            \
                        qemu_fixture_pause();                                                                \
                _holds;                                                                                      \
        })

/* `needs_kvm`: else software emulation will do. */
static inline struct qemu_fixture qemu_fixture_make(bool needs_kvm) {
        struct qemu_fixture qemu = { .directory = "/tmp/vmpower-test-XXXXXX" };
        cleanup(closep) int fd = -1;

        if (access(QEMU_FIXTURE_PROGRAM, X_OK) < 0)
                qemu.why_not = "needs " QEMU_FIXTURE_PROGRAM;
        else if (needs_kvm && access("/dev/kvm", R_OK | W_OK) < 0)
                qemu.why_not = "needs /dev/kvm";
        else if (!mkdtemp(qemu.directory))
                qemu.why_not = "needs to write to /tmp";
        if (qemu.why_not)
                return qemu;
        snprintf(qemu.rom, sizeof(qemu.rom), "%s/rom", qemu.directory);
        snprintf(qemu.socket, sizeof(qemu.socket), "%s/qmp", qemu.directory);
        fd = open(qemu.rom, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ftruncate(fd, 65536) < 0)
                qemu.why_not = "needs to write to /tmp";
        return qemu;
}

/*
 * Start `program` in the directory and a session of its own.  It calls itself `name`, with these words
 * behind. It dies with us.
 */
static inline pid_t qemu_fixture_run_as(const char *directory, const char *program, const char *name,
                                        const char *const *words) {
        const char *line[QEMU_FIXTURE_WORDS_MAX + 2] = { name };
        pid_t pid;

        for (size_t i = 0; words[i] && i < QEMU_FIXTURE_WORDS_MAX; i++)
                line[i + 1] = words[i];
        pid = fork();
        if (!pid) {
                int null = open("/dev/null", O_RDWR | O_CLOEXEC);

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                setsid();
                dup2(null, STDIN_FILENO);
                dup2(null, STDOUT_FILENO);
                dup2(null, STDERR_FILENO);
                if (!chdir(directory))
                        execv(program, (char *const *)line);
                _exit(127);
        }
        return pid;
}

static inline pid_t qemu_fixture_run(const char *directory, const char *program, const char *const *words) {
        return qemu_fixture_run_as(directory, program, program, words);
}

/* A VM with `accelerator` ("kvm", "tcg") and these words more. */
static inline void qemu_fixture_start(struct qemu_fixture *qemu, const char *accelerator,
                                      const char *const *words) {
        const char *line[QEMU_FIXTURE_WORDS_MAX] = {
                "-accel", accelerator, "-m", "2", "-nodefaults", "-display", "none", "-S", "-bios", qemu->rom,
        };
        size_t n = 0;

        while (line[n])
                n++;
        for (; *words && n + 1 < QEMU_FIXTURE_WORDS_MAX; words++)
                line[n++] = *words;
        qemu->pid = qemu_fixture_run(qemu->directory, QEMU_FIXTURE_PROGRAM, line);
}

#define QEMU_FIXTURE_START(qemu, accelerator, ...)                                                           \
        qemu_fixture_start(qemu, accelerator, (const char *const[]){ __VA_ARGS__, NULL })

static inline bool qemu_fixture_is_there(const char *path) {
        struct stat file;

        return !stat(path, &file);
}

/* A client of the monitor; -errno. */
static inline int qemu_fixture_connect(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                int error = errno;

                close(fd);
                return -error;
        }
        return fd;
}

static inline void qemu_fixture_end(pid_t *pid) {
        if (*pid <= 0)
                return;
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
        *pid = 0;
}

static inline void qemu_fixture_remove(struct qemu_fixture *qemu) {
        qemu_fixture_end(&qemu->pid);
        if (qemu->why_not)
                return;
        unlink(qemu->socket);
        unlink(qemu->rom);
        rmdir(qemu->directory);
}
