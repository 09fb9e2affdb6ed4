#include "engine/launch.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int check_program(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
                return -EACCES;
        return 0;
}

int launch_find(const char *program, char **ret_path) {
        const char *from = getenv("PATH");
        int found = -ENOENT;

        if (strchr(program, '/')) {
                int r = check_program(program);

                if (r)
                        return r == -EACCES ? -EACCES : -ENOENT;
                *ret_path = strdup(program);
                return *ret_path ? 0 : -ENOMEM;
        }
        for (from = from ? from : "/usr/local/bin:/usr/bin:/bin"; *program; from++) {
                size_t n = strcspn(from, ":");
                char *path;
                int r;

                if (asprintf(&path, "%.*s/%s", (int)n, n ? from : ".", program) < 0)
                        return -ENOMEM;
                r = check_program(path);
                if (!r) {
                        *ret_path = path;
                        return 0;
                }
                free(path);
                if (r == -EACCES)
                        found = -EACCES;
                from += n;
                if (!*from)
                        break;
        }
        return found;
}

static _Noreturn void become(const char *path, char *const *argv, int error_fd, const sigset_t *mask, int gate_fd, int failed_fd) {
        char byte = 0;
        int error;

        sigprocmask(SIG_SETMASK, mask, NULL);
        while (read(gate_fd, &byte, 1) < 0 && errno == EINTR)
                ;
        /* The end of the stream without a byte: our keeper is gone, or has given us up. */
        if (byte != 'g')
                _exit(127);
        if (dup2(error_fd, STDERR_FILENO) >= 0)
                execvp(path, argv); /* a script without `#!` is sh's */
        error = errno;
        while (write(failed_fd, &error, sizeof(error)) < 0 && errno == EINTR)
                ;
        _exit(127);
}

int launch_fork(struct launch *ret_launch, const char *path, char *const *argv, int error_fd, const sigset_t *mask) {
        int gate[2], failed[2], r;
        pid_t pid;

        if (pipe2(gate, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(failed, O_CLOEXEC) < 0) {
                r = -errno;
                close(gate[0]);
                close(gate[1]);
                return r;
        }
        pid = fork();
        if (pid == 0) {
                close(gate[1]);
                become(path, argv, error_fd, mask, gate[0], failed[1]);
        }
        r = pid < 0 ? -errno : 0;
        close(gate[0]);
        close(failed[1]);
        if (r) {
                close(gate[1]);
                close(failed[0]);
                return r;
        }
        *ret_launch = (struct launch){ .pid = pid, .gate_fd = gate[1], .failed_fd = failed[0] };
        return 0;
}

static void reap(struct launch *launch) {
        while (waitpid(launch->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

int launch_go(struct launch *launch) {
        int error = 0;
        ssize_t n;

        while (write(launch->gate_fd, "g", 1) < 0 && errno == EINTR)
                ;
        close_fd(&launch->gate_fd);
        do
                n = read(launch->failed_fd, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        close_fd(&launch->failed_fd);
        if (n != sizeof(error))
                return 0;
        reap(launch);
        return -error;
}

void launch_cancel(struct launch *launch) {
        close_fd(&launch->gate_fd);
        close_fd(&launch->failed_fd);
        reap(launch);
}
