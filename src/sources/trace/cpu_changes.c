#include "sources/trace/cpu_changes.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

enum {
        GROUP_KERNEL = 1,
        MESSAGE_MAX = 4096,
        CPU_MAX = 8191,
};

/* What passes between two looks at clocks is less. */
#define ASLEEP_NS UINT64_C(1000000)

int cpu_changes_parse(const char *message, size_t n_message) {
        static const char path[] = "line@/devices/system/cpu/cpu";
        const char *end = memchr(message, '\0', n_message), *at;
        int number = 0;

        if (!end || (strncmp(message, "on", 2) && strncmp(message, "off", 3)))
                return CPU_CHANGES_NONE;
        at = message + (message[1] == 'n' ? 2 : 3);
        if (strncmp(at, path, strlen(path)))
                return CPU_CHANGES_NONE;
        at += strlen(path);
        if (at == end)
                return CPU_CHANGES_NONE;
        for (; at < end; at++) {
                if (*at < '0' || *at > '9' || number > CPU_MAX)
                        return CPU_CHANGES_NONE;
                number = number * 10 + (*at - '0');
        }
        return number <= CPU_MAX ? number : CPU_CHANGES_NONE;
}

/* Only these two words come in: what else the kernel announces, a VM's birth for one, wakes nobody. */
static int attach_filter(int fd) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6f6e6c69, 1, 0), /* "onli" */
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6f66666c, 0, 1), /* "offl" */
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        struct sock_fprog program = { N_ELEMENTS(code), code };

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int open_uevents(int *ret_fd) {
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
        cleanup(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        int r;

        if (fd < 0)
                return -errno;
        r = attach_filter(fd);
        if (!r && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                r = -errno;
        if (!r)
                *ret_fd = take_fd(&fd);
        return r;
}

/* A timer that is never due, and is cancelled by the host's waking up (and by whoever sets the clock): timerfd_create(2). */
static int start_clock(int fd) {
        const struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

        return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 && errno != ECANCELED ? -errno : 0;
}

static uint64_t read_clock(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What passes between the two looks makes it too little; once it was right it only grows. */
uint64_t cpu_changes_asleep_ns(struct cpu_changes *changes) {
        uint64_t boot_ns = read_clock(CLOCK_BOOTTIME), awake_ns = read_clock(CLOCK_MONOTONIC);

        if (boot_ns > awake_ns && boot_ns - awake_ns > changes->asleep_ns)
                changes->asleep_ns = boot_ns - awake_ns;
        return changes->asleep_ns;
}

int cpu_changes_open(struct cpu_changes *changes, int epoll_fd, unsigned long number) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = number };
        int r;

        *changes = (struct cpu_changes){ -1, -1, 0 };
        cpu_changes_asleep_ns(changes);
        r = open_uevents(&changes->uevents);
        if (!r)
                changes->clock = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (!r && changes->clock < 0)
                r = -errno;
        if (!r)
                r = start_clock(changes->clock);
        if (!r && (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, changes->uevents, &event) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, changes->clock, &event) < 0))
                r = -errno;
        return r;
}

void cpu_changes_close(struct cpu_changes *changes) {
        close_fd(&changes->uevents);
        close_fd(&changes->clock);
}

int cpu_changes_next(struct cpu_changes *changes) {
        char message[MESSAGE_MAX];
        uint64_t n_due, asleep_ns = changes->asleep_ns;
        ssize_t n;
        int cpu;

        if (read(changes->clock, &n_due, sizeof(n_due)) < 0 && errno == ECANCELED) {
                start_clock(changes->clock);
                if (cpu_changes_asleep_ns(changes) - asleep_ns > ASLEEP_NS)
                        return CPU_CHANGES_ALL;
        }
        for (;;) {
                n = recv(changes->uevents, message, sizeof(message), MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                /* ENOBUFS: more than there was room for. */
                if (n < 0)
                        return errno == EAGAIN ? CPU_CHANGES_NONE : CPU_CHANGES_ALL;
                cpu = cpu_changes_parse(message, (size_t)n);
                if (cpu >= 0)
                        return cpu;
        }
}
