/*
 * Kernel: what trace.bpf.c reads of the kernel's own structures, and nothing else of them; and the kernel's numbers that it goes by.
 *
 * Not copied from any build machine's kernel: only the members' names and types count.  Where they are is found when the programs are
 * loaded, from the running kernel's own type information (CO-RE; BTF).
 */
#pragma once

#ifdef __bpf__

/* include/uapi/linux/bpf.h */
enum {
        BPF_MAP_TYPE_HASH = 1,
        BPF_MAP_TYPE_PERCPU_ARRAY = 6,
        BPF_MAP_TYPE_LRU_HASH = 9,
        BPF_MAP_TYPE_RINGBUF = 27,
};
#define BPF_ANY 0

#define SI_KERNEL   0x80
#define SIGKILL     9
#define SIGCONT     18
#define SIGSTOP     19
#define SIGNALS     64 /* _NSIG */
enum { TRACE_SIGNAL_DELIVERED = 0, TRACE_SIGNAL_LOSE_INFO = 4 }; /* include/trace/events/signal.h */
#define PF_EXITING  0x00000004
#define PF_KTHREAD  0x00200000
#define SIGNAL_GROUP_EXIT 4
#define KVM_EXIT_SHUTDOWN     8
#define KVM_EXIT_SYSTEM_EVENT 24
#define PID_TYPE_PGID 2
#define PID_TYPE_SID 3

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

struct cgroup_subsys_state {
        struct cgroup *cgroup;
};

/* What number it has the kernel's configuration says. */
enum cgroup_subsys_id {
        memory_cgrp_id,
};

struct css_set {
        struct cgroup_subsys_state *subsys[1]; /* as many as there are */
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

struct sigaction {
        void *sa_handler;
};

struct k_sigaction {
        struct sigaction sa;
};

struct sighand_struct {
        struct k_sigaction action[64];
};

typedef struct {
        unsigned int val;
} kuid_t;

struct cred {
        kuid_t uid;
};

struct task_struct {
        unsigned int flags, ptrace;
        int pid, tgid, exit_code;
        char comm[16];
        uint64_t start_boottime;
        struct task_struct *real_parent, *group_leader;
        struct pid *thread_pid;
        struct signal_struct *signal;
        struct sighand_struct *sighand;
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
