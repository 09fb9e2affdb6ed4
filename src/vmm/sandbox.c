#include "vmm/sandbox.h"

#include "basics/capabilities.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef HAS_SECCOMP
#include <seccomp.h>
#endif

static int fail(char ret_why[static SANDBOX_WHY_MAX], const char *what, int r) {
        snprintf(ret_why, SANDBOX_WHY_MAX, "%s: %s", what, strerror(-r));
        return r;
}

/* Rights and capabilities are a thread's own: one that is there already would keep its own. */
static int check_is_alone(void) {
        cleanup(closedirp) DIR *threads = opendir("/proc/self/task");
        const struct dirent *thread;
        size_t n = 0;

        while (threads && (thread = readdir(threads)))
                n += thread->d_name[0] != '.';
        return n > 1 ? -EBUSY : 0;
}

static int drop_capabilities(void) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : capabilities_keep(0, 0);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

/* What the first version of Landlock knows: to write, to make and to take away are some of them.  What came later needs one of these. */
#define ALL_FILE_RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int allow_below(int ruleset, const char *path, uint64_t rights) {
        cleanup(closep) int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = directory };

        if (directory < 0)
                return -errno;
        return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? -errno : 0;
}

static int allow_removing(int ruleset, const char *path) {
        cleanup(freep) char *directory = strdup(path);
        char *slash;

        if (!directory)
                return -ENOMEM;
        slash = strrchr(directory, '/');
        if (slash)
                slash[slash == directory] = '\0';
        return allow_below(ruleset, slash ? directory : ".", LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

/* -EOPNOTSUPP: this kernel has no Landlock, or does not use it, or a container's own filter hides it (EPERM). */
static int confine_files(const char *const *removable, size_t n_removable) {
        const struct landlock_ruleset_attr attributes = { .handled_access_fs = ALL_FILE_RIGHTS };
        cleanup(closep) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
        int r;

        if (ruleset < 0)
                return errno == ENOSYS || errno == EPERM ? -EOPNOTSUPP : -errno;
        r = allow_below(ruleset, "/proc", LANDLOCK_ACCESS_FS_READ_FILE);
        if (r == -ENOENT)
                r = 0;
        for (size_t i = 0; !r && i < n_removable; i++)
                r = removable[i] ? allow_removing(ruleset, removable[i]) : 0;
        return r ?: syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

/* --- system calls ------------------------------------------------------------------------------------------------ */

#ifdef HAS_SECCOMP

static const int calls[] = {
        /* what was opened before, and whoever connects to its sockets */
        SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync), SCMP_SYS(close),
        SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(poll), SCMP_SYS(ppoll),
        /* threads, and time */
        SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(clock_gettime),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
        /* memory, and chance */
        SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(getrandom),
#ifdef __SANITIZE_ADDRESS__
        SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield),
#endif
};

/* By ioctl(). */
static const unsigned long requests[] = {
        KVM_RUN, KVM_IRQ_LINE,
        /* where a CPU is */
        KVM_GET_REGS, KVM_GET_SREGS, KVM_GET_MP_STATE,
        /* a reset */
        KVM_SET_REGS, KVM_SET_SREGS, KVM_SET_FPU, KVM_SET_MSRS, KVM_SET_LAPIC, KVM_SET_MP_STATE, KVM_SET_VCPU_EVENTS, KVM_SET_IRQCHIP, KVM_SET_PIT2,
        /* the terminal is put back at the end */
        TCSETS, TCGETS, /* by which the C library looks whether a terminal took it */
};

/* A call with an argument of that value, seen through a mask. */
static const struct {
        int call;
        unsigned argument;
        uint64_t mask, value;
} arguments[] = {
        /* A thread, and no process. */
        { SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD },
        { SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME },
        { SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
#ifdef __SANITIZE_ADDRESS__
        { SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_SECCOMP },
#endif
};

/* What Landlock keeps within bounds: to read a file, and to take one away. */
static int allow_files(scmp_filter_ctx filter, uint32_t action) {
        return seccomp_rule_add(filter, action, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)) ?:
               seccomp_rule_add(filter, action, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)) ?:
               seccomp_rule_add(filter, action, SCMP_SYS(unlink), 0);
}

static int make_rules(scmp_filter_ctx filter, bool are_files_confined) {
        /* A guest's every access to its hardware is an ioctl: it is looked for first. */
        int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) ?: seccomp_syscall_priority(filter, SCMP_SYS(ioctl), 255);

        for (size_t i = 0; !r && i < N_ELEMENTS(requests); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
        for (size_t i = 0; !r && i < N_ELEMENTS(calls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        for (size_t i = 0; !r && i < N_ELEMENTS(arguments); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, arguments[i].call, 1,
                                     SCMP_CMP(arguments[i].argument, SCMP_CMP_MASKED_EQ, arguments[i].mask, arguments[i].value));
        /* No memory to run, and no file's. */
        r = r ?: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                  SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
        /* To its own threads only. */
        r = r ?: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid()));
        /* Its flags are in memory, where a filter cannot look: the C library then takes clone. */
        r = r ?: seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        return r ?: allow_files(filter, are_files_confined ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
}

#ifdef __SANITIZE_ADDRESS__
/* A sanitizer's look for leaks at the end traces this process by another, which is no longer possible. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void) {
        return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0;
}
#endif

static int confine_calls(bool are_files_confined) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r;

        if (!filter)
                return -ENOMEM;
        r = make_rules(filter, are_files_confined) ?: seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

#else

static int confine_calls(bool are_files_confined) {
        return 0;
}

#endif

int sandbox_enter(const char *const *removable, size_t n_removable, char ret_why[static SANDBOX_WHY_MAX]) {
        int r = check_is_alone();
        bool are_files_confined;

        if (r)
                return fail(ret_why, "threads", r);
        r = drop_capabilities();
        if (r)
                return fail(ret_why, "capabilities", r);
        r = confine_files(removable, n_removable);
        are_files_confined = !r;
        if (r && r != -EOPNOTSUPP)
                return fail(ret_why, "files (Landlock)", r);
        r = confine_calls(are_files_confined);
        return r ? fail(ret_why, "system calls (seccomp)", r) : 0;
}
