/*
 * Proc: who a process is, and whether it is still there.
 *
 * Reads /proc, as it is at this instant.  A process may be gone, or its pid another's, at any line: what
 * cannot be read stays empty.  Does not know what processes have to do with VMs.
 */
#pragma once

#include <vmpower/judge.h>

#include "sources/proc_text.h"

enum {
        PROC_INSTANCE_MAX = 96, /* bytes of an instance's text, its NUL included */
        PROC_BOOT_ID_MAX = 37,
};

/* This boot's id.  0 or -errno. */
int proc_boot_id(char ret_id[static PROC_BOOT_ID_MAX]);

/* /proc/PID/stat and status.  0; -ESRCH: no such process (a thread's id does for both). */
int proc_stat_read(struct proc_stat *ret_stat, pid_t pid);
int proc_status_read(struct proc_status *ret_status, pid_t pid);

/* "BOOTID:PID:STARTTIME": this process, never another.  0 or -errno; -ESRCH: no such process. */
int proc_instance(pid_t pid, char ret_text[static PROC_INSTANCE_MAX]);

/* Is that very process alive?  A zombie is not; nor is what cannot be understood. */
bool proc_instance_is_alive(const char *text);

/*
 * Everything that can be read now about the process; `via` is how it acted.  0; -ESRCH: it is not there, and
 * nothing is known but pid and via.  Asks the host's user database, which may take its time.
 */
int proc_actor(pid_t pid, const char *via, struct actor *ret_actor);

/*
 * Whoever made this connection of a unix socket, as proc_actor(), where that process is still there.  0; -ESRCH: it is not, and nothing is known
 * but what the kernel remembers of it, its pid and user id: whoever has its pid by now is somebody else.
 */
int proc_peer_actor(int fd, const char *via, struct actor *ret_actor);

/*
 * The unit (a service, a scope) that the process's control group is, or is in; "" where it is in none, or is gone.  A process of a user's own service
 * manager is in a unit of that one.
 */
void proc_unit(char *ret_unit, size_t n_unit, pid_t pid);

/* What the host's user database calls that user; "" where it does not know it. */
void proc_user_name(char *ret_name, size_t n_name, uid_t uid);

/* The same, where no more than the user is known. */
void proc_actor_of_user(uid_t uid, const char *via, struct actor *ret_actor);

/* The leader of the process's session.  A pid, or -errno. */
pid_t proc_session_leader(pid_t pid);

/* The process that a thread belongs to.  A pid, or -errno. */
pid_t proc_tgid(pid_t tid);

/*
 * The words of the process's command line: NULL-terminated, one allocation, free().  A process that wrote
 * over them has what it wrote; a kernel thread and a zombie have none.  0 or -errno.
 */
int proc_arguments(char ***ret_arguments, size_t *ret_n, pid_t pid);

/* How long the thread has run, by the scheduler.  0; -ENOENT: it is gone, or this kernel does not say. */
int proc_thread_run_ns(pid_t pid, pid_t tid, uint64_t *ret_ns);

/* Read a whole small file: at most n_text - 1 bytes, terminated.  A number of bytes, or -errno. */
ssize_t proc_read(const char *path, char *ret_text, size_t n_text);
