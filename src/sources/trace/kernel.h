/*
 * Kernel: what trace.bpf.c reads of the kernel's own structures, and nothing else of them.
 *
 * Not copied from any build machine's kernel: only the members' names and types count.  Where they are is found when the programs are
 * loaded, from the running kernel's own type information (CO-RE; BTF).
 */
#pragma once

#ifdef __bpf__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
        const unsigned char *name;
};

struct dentry {
        struct qstr d_name;
        struct dentry *d_parent;
};

struct vfsmount {
        struct dentry *mnt_root;
};

struct mount {
        struct mount *mnt_parent;
        struct dentry *mnt_mountpoint;
        struct vfsmount mnt;
};

struct path {
        struct vfsmount *mnt;
        struct dentry *dentry;
};

struct inode {
        unsigned int i_rdev;
};

struct file {
        struct path f_path;
        struct inode *f_inode;
        void *private_data;
};

struct fdtable {
        unsigned int max_fds;
        struct file **fd;
};

struct files_struct {
        struct fdtable *fdt;
};

struct mm_struct {
        struct file *exe_file;
        unsigned long arg_start, arg_end;
};

struct kernfs_node {
        const char *name;
        struct kernfs_node *parent;
};

/* Linux 6.15 renamed it. */
struct kernfs_node___renamed {
        struct kernfs_node *__parent;
};

struct cgroup {
        struct kernfs_node *kn;
};

struct css_set {
        struct cgroup *dfl_cgrp;
};

struct ns_common {
        unsigned int inum;
};

struct pid_namespace {
        struct ns_common ns;
};

struct upid {
        int nr;
        struct pid_namespace *ns;
};

struct pid {
        unsigned int level;
        struct upid numbers[1];
};

struct signal_struct {
        unsigned int flags;
        int group_exit_code;
        struct {
                int counter;
        } live;
        struct pid *pids[4]; /* enum pid_type */
};

typedef struct {
        unsigned int val;
} kuid_t;

struct cred {
        kuid_t uid;
};

struct task_struct {
        unsigned int flags;
        int pid, tgid, exit_code;
        char comm[16];
        uint64_t start_boottime;
        struct task_struct *real_parent, *group_leader;
        struct pid *thread_pid;
        struct signal_struct *signal;
        const struct cred *cred;
        struct mm_struct *mm;
        struct files_struct *files;
        struct css_set *cgroups;
        kuid_t loginuid;
};

/* Before Linux 5.5. */
struct task_struct___older {
        uint64_t real_start_time;
};

struct kernel_siginfo {
        int si_signo, si_errno, si_code;
};

/* What a system call was called with.  Xen's dom0 is one of these two. */
struct pt_regs {
#ifdef __TARGET_ARCH_arm64
        uint64_t regs[31];
        uint64_t orig_x0;
#else
        unsigned long di, si, dx;
#endif
};

#pragma clang attribute pop

#endif
