/*
 * Proc text: what the files of /proc say.
 *
 * Knows proc(5)'s formats.  Does not open anything.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        PROC_COMM_MAX = 64, /* bytes with NUL: kernel threads' names may be longer than TASK_COMM_LEN */
};

/* /proc/PID/stat */
struct proc_stat {
        pid_t pid;
        char comm[PROC_COMM_MAX]; /* as it stands there: any byte may be in it */
        char state;               /* R S D Z T t X I */
        pid_t parent;
        pid_t session;
        uint64_t start_time; /* in clock ticks since boot */
        int exit_code;       /* a wait status, once it is a zombie; 0 also for who may not see it */
};

/* 0, or -EINVAL: that is no such text, or a cut one. */
int proc_stat_parse(struct proc_stat *ret_stat, const char *text, size_t n_text);

/* /proc/PID/status */
struct proc_status {
        pid_t tgid;
        uid_t uid; /* the effective one */
};

int proc_status_parse(struct proc_status *ret_status, const char *text, size_t n_text);

/* The first decimal number of a text: loginuid, schedstat. */
int proc_number_parse(uint64_t *ret_number, const char *text, size_t n_text);

/*
 * /proc/PID/cgroup: the path of the hierarchy that has this controller (cgroup v1), or of the unified one
 * (NULL).  0, -ENOENT: there is no such hierarchy, or -ENOBUFS.
 */
int proc_cgroup_parse(char *ret_path, size_t n_path, const char *text, size_t n_text, const char *controller);

/* The unit that a control group is, or is in: the last part of its path that is called so; "" where none is. */
void proc_unit_of_cgroup(char *ret_unit, size_t n_unit, const char *path);

/*
 * "BOOTID:PID:STARTTIME"; what stands behind one more colon tells apart the VMs of one process.  0, or -EINVAL.
 */
struct proc_instance {
        char boot_id[37];
        pid_t pid;
        uint64_t start_time;
};
int proc_instance_parse(struct proc_instance *ret_instance, const char *text);
