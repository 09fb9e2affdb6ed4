/*
 * Record: what the programs in the kernel and their reader say to each other.
 *
 * The same bytes on both sides; included by trace.bpf.c, too.  Whoever reads them checks them first (decode.h).
 */
#pragma once

#ifdef __bpf__
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
typedef _Bool bool;
#define false 0
#define true 1
#else
#include <stdint.h>
#endif

enum {
        TRACE_COMM = 16,        /* TASK_COMM_LEN */
        TRACE_PARENTS = 12,
        TRACE_ARGUMENTS = 256,
        TRACE_PATH_NAMES = 12,  /* of a path the innermost so many names … */
        TRACE_PATH_NAME = 48,   /* … each cut at so many bytes, its NUL included */
        TRACE_CGROUP_NAMES = 8,
        TRACE_CGROUP_NAME = 64,
};

enum trace_record_kind {
        TRACE_RECORD_SIGNAL = 1, /* struct trace_signal */
        TRACE_RECORD_VICTIM,     /* struct trace_victim */
        TRACE_RECORD_EXIT,       /* struct trace_exit */
        TRACE_RECORD_PORT,       /* struct trace_port */
        TRACE_RECORD_KVM_EXIT,   /* struct trace_kvm_exit */
        TRACE_RECORD_BIRTH,      /* a process whose name is a QEMU's: the head alone */
        TRACE_RECORD_HYPERCALL,  /* struct trace_hypercall */
};

/* Every record begins so.  Times are CLOCK_BOOTTIME. */
struct trace_head {
        uint32_t kind;
        uint32_t tgid;      /* whom it is about, as the reader's pid namespace counts; of a hypercall: who makes it */
        uint64_t start_ns;  /* and since when that one runs: a pid alone is nobody; 0: it was gone, and that is not known */
        uint64_t at_ns;
        uint64_t number;    /* rises; each record has its own */
};

struct trace_process {
        uint32_t tgid; /* 0: the reader's namespace does not see it */
        uint32_t padding;
        uint64_t start_ns; /* 0: a sender who was gone when he was looked for: nothing but his pid and thread is known */
        char comm[TRACE_COMM];
};

/* Who sent something, as he was at that instant. */
struct trace_sender {
        struct trace_process process;
        uint64_t cgroup_id;
        uint32_t is_kernel; /* a kernel thread, or nobody in particular */
        uint32_t is_ending; /* it is on its way out: the kernel sends what its end has others get */
        uint32_t tid;
        uint32_t uid;       /* UINT32_MAX: not known */
        uint32_t login_uid; /* UINT32_MAX: nobody logged in */
        uint32_t session;
        uint32_t n_parents;
        uint32_t n_path;
        uint32_t n_cgroup;
        uint32_t n_arguments; /* bytes */
        struct trace_process parents[TRACE_PARENTS]; /* the nearest first */
        char path[TRACE_PATH_NAMES][TRACE_PATH_NAME];       /* of its program, the innermost name first */
        char cgroup[TRACE_CGROUP_NAMES][TRACE_CGROUP_NAME]; /* the innermost first */
        char arguments[TRACE_ARGUMENTS];             /* each ends in NUL; the last may be cut */
};

struct trace_signal {
        struct trace_head head;
        int32_t signal;
        int32_t code; /* of its siginfo: SI_USER, SI_KERNEL … */
        int32_t result; /* enum of include/trace/events/signal.h: 0 delivered, 1 ignored, 2 already pending … */
        uint32_t is_default; /* there was no handler for it; 0, too: that is not known */
        struct trace_process leader; /* of the target's session: whose terminal it has */
        struct trace_sender sender;
};

/* The OOM killer's mark. */
struct trace_victim {
        struct trace_head head;
        uint32_t has_cgroup; /* 0: that is not known */
        uint32_t n_cgroup;
        char cgroup[TRACE_CGROUP_NAMES][TRACE_CGROUP_NAME]; /* the one that its memory is counted in, the innermost name first */
};

struct trace_exit {
        struct trace_head head;
        int32_t status; /* as wait(2) would say it */
        uint32_t padding;
};

struct trace_port {
        struct trace_head head;
        uint32_t port;
        uint32_t size;
        uint32_t value;
        uint32_t padding;
};

struct trace_kvm_exit {
        struct trace_head head;
        uint32_t reason; /* KVM_EXIT_… */
        uint32_t padding;
};

/* What of Xen's interface is looked at (xen, include/public/xen.h, sched.h, domctl.h; each is the same in all versions that are known). */
enum {
        XEN_SCHED_OP = 29, /* hypercalls */
        XEN_DOMCTL = 36,
        XEN_SCHEDOP_REMOTE_SHUTDOWN = 4,
        XEN_DOMCTL_DESTROYDOMAIN = 2,
        XEN_DOMCTL_PAUSEDOMAIN = 3,
        XEN_DOMCTL_UNPAUSEDOMAIN = 4,
        XEN_DOMCTL_RESUMEDOMAIN = 27,
        XEN_DOMCTL_SENDTRIGGER = 28, /* this one alone is recorded: */
        XEN_DOMCTL_SENDTRIGGER_POWER = 3,
        XEN_DOMID_FIRST_RESERVED = 0x7ff0, /* from here on it is no domain */
        XEN_DOMID_INVALID = 0x7ff4,
        XEN_DOMCTL_VERSION_FIRST = 0x6, /* Xen 4.0 */
        XEN_DOMCTL_VERSION_LAST = 0x18, /* Xen 4.22 */
};

/* A program tells Xen what to do with a domain.  Xen has not heard it yet, and may refuse. */
struct trace_hypercall {
        struct trace_head head;
        uint32_t operation; /* XEN_DOMCTL, XEN_SCHED_OP */
        uint32_t command;   /* of that */
        uint32_t version;   /* of XEN_DOMCTL's interface */
        uint32_t domid;
        uint32_t reason; /* of XEN_SCHEDOP_REMOTE_SHUTDOWN: the code that the domain is to have (SHUTDOWN_…) */
        uint32_t padding;
        struct trace_sender sender;
};

/* The key of what is about no process: under it the hypercalls are counted that found no room. */
#define TRACE_HYPERCALLS_LOST 0

/* In the time of a second so many signals that can end it are told of one process, and so many other records: nobody takes the room of the others. */
enum { TRACE_RECORDS_A_SECOND = 64 };

/* Who is watched: the key is a tgid.  The reader writes when it starts; the programs count. */
struct trace_watched {
        uint64_t start_ns;   /* 0: not known; in clock ticks' precision else */
        uint32_t n_lost;     /* records about it that found no room */
        uint32_t n_left_out; /* and those beyond TRACE_RECORDS_A_SECOND */
        uint32_t second;     /* it is now, of about 10^9 ns */
        uint32_t n_ends, n_others; /* records in it */
        uint32_t padding;
};
