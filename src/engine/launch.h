/*
 * Launch: a program started, but held until its keeper has written it down.
 *
 * Knows fork, exec and the signals a terminal sends.  Does not know what the program is.
 */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

struct launch {
        pid_t pid;
        int gate_fd;   /* writing a byte lets it go */
        int failed_fd; /* its exec's errno, or the end of the stream */
};

/*
 * The program's path as execvp(3) would find it.  0 (the path is allocated), -ENOENT: not on the PATH; -EACCES: there, but it
 * cannot be run.
 */
int launch_find(const char *program, char **ret_path);

/*
 * Fork a child that will be `argv` with `error_fd` as its standard error and `mask` as its blocked signals.  It inherits every
 * descriptor that is not close-on-exec, and waits at the gate: if we end before letting it go, it ends too.
 */
int launch_fork(struct launch *ret_launch, const char *path, char *const *argv, int error_fd, const sigset_t *mask);

/* Let it go.  0: it is the program now; -errno: it could not be, and the child was reaped. */
int launch_go(struct launch *launch);

/* Give it up before it was let go: ends and reaps the child. */
void launch_cancel(struct launch *launch);
