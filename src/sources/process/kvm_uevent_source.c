#include "sources/process/kvm_uevent_source.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
        /* The kernel's own group; udevd's messages to its listeners are in group 2. */
        GROUP_KERNEL = 1,

        /* What 10,000 VMs that go at once need, a good 1 KiB each: a bound, and memory only when it comes to
         * that. */
        BUFFER_SIZE = 16 * 1024 * 1024,

        /* UEVENT_BUFFER_SIZE is 2048, and the path comes before. */
        MESSAGE_MAX = 8192,

        /* So many messages at once, then the loop goes on. */
        MESSAGES_MAX = 64,
};

struct kvm_uevent_source {
        int fd;
        sd_event_source *io;
        struct kvm_uevent_events events;
        void *userdata;
};

/*
 * Let the kernel drop every other device's uevents before they are queued: they neither wake us nor fill the
 * buffer. Compares the message's first bytes, NUL included, with KVM_UEVENT_HEADER.
 */
static int attach_filter(int fd) {
        enum {
                N_WORDS = sizeof(KVM_UEVENT_HEADER) / sizeof(uint32_t),
                N_INSTRUCTIONS = 2 * N_WORDS + 4,
        };
        struct sock_filter code[N_INSTRUCTIONS];
        struct sock_fprog program = { .len = N_INSTRUCTIONS, .filter = code };
        size_t n = 0;

        static_assert(sizeof(KVM_UEVENT_HEADER) == N_WORDS * sizeof(uint32_t) + 1, "words and one NUL");
        for (unsigned i = 0; i < N_WORDS; i++) {
                unsigned offset = i * (unsigned)sizeof(uint32_t);
                uint32_t word;

                memcpy(&word, &KVM_UEVENT_HEADER[offset], sizeof(word));
                code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
                code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(word), 0,
                                                       (uint8_t)(N_INSTRUCTIONS - 3 - n));
                n++;
        }
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, N_WORDS * sizeof(uint32_t));
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
        assert(n == N_INSTRUCTIONS);
        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

/* Who may not force it gets what net.core.rmem_max allows. */
static void set_buffer(int fd) {
        int size = BUFFER_SIZE;

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* Others may send to the group, too: root may. */
static bool is_from_kernel(struct msghdr *message) {
        const struct sockaddr_nl *from = message->msg_name;
        const struct cmsghdr *control;

        if (message->msg_namelen != sizeof(*from) || from->nl_family != AF_NETLINK || from->nl_pid)
                return false;
        for (control = CMSG_FIRSTHDR(message); control;
             control = CMSG_NXTHDR(message, (struct cmsghdr *)control)) {
                struct ucred sender;

                if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS ||
                    control->cmsg_len != CMSG_LEN(sizeof(sender)))
                        continue;
                memcpy(&sender, CMSG_DATA(control), sizeof(sender));
                return !sender.pid && !sender.uid;
        }
        return false;
}

static void report(struct kvm_uevent_source *source, const char *bytes, size_t n_bytes) {
        struct kvm_uevent uevent;
        pid_t pid;
        int r;

        r = kvm_uevent_parse(&uevent, bytes, n_bytes);
        if (r == KVM_UEVENT_NONE)
                return;
        if (r) {
                source->events.lost(source->userdata);
                return;
        }
        switch (uevent.kind) {
        case KVM_UEVENT_CREATE:
                pid = proc_tgid(uevent.tid);
                source->events.created(source->userdata, pid > 0 ? pid : 0, &uevent);
                return;
        case KVM_UEVENT_DESTROY:
                source->events.destroyed(source->userdata, &uevent);
                return;
        }
}

/* Returns whether there may be more. */
static bool read_message(struct kvm_uevent_source *source) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
        char bytes[MESSAGE_MAX];
        struct sockaddr_nl from;
        struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
        struct msghdr message = {
                .msg_name = &from,
                .msg_namelen = sizeof(from),
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(source->fd, &message, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
                return true;
        if (n < 0 && errno == EAGAIN)
                return false;
        if (n < 0) {
                /* ENOBUFS: the buffer ran over, and what is in it is still to be read.  Else: whatever it is,
                 * we are not sure of having heard all. */
                source->events.lost(source->userdata);
                return false;
        }
        if (!is_from_kernel(&message))
                return true;
        if (message.msg_flags & MSG_TRUNC)
                source->events.lost(source->userdata);
        else
                report(source, bytes, (size_t)n);
        return true;
}

static int on_io(sd_event_source *io, int fd, uint32_t events, void *userdata) {
        struct kvm_uevent_source *source = userdata;

        for (size_t i = 0; i < MESSAGES_MAX; i++)
                if (!read_message(source))
                        break;
        return 0;
}

int kvm_uevent_source_open(struct kvm_uevent_source **ret_source, sd_event *event,
                           const struct kvm_uevent_events *events, void *userdata) {
        cleanup(kvm_uevent_source_closep) struct kvm_uevent_source *source = NULL;
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
        int yes = 1;
        int r;

        source = calloc(1, sizeof(*source));
        if (!source)
                return -ENOMEM;
        source->events = *events;
        source->userdata = userdata;
        source->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (source->fd < 0)
                return -errno;
        set_buffer(source->fd);
        r = attach_filter(source->fd);
        if (r)
                return r;
        if (setsockopt(source->fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 ||
            bind(source->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        r = sd_event_add_io(event, &source->io, source->fd, EPOLLIN, on_io, source);
        if (r < 0)
                return r;

        *ret_source = take_pointer(source);
        return 0;
}

struct kvm_uevent_source *kvm_uevent_source_close(struct kvm_uevent_source *source) {
        if (!source)
                return NULL;
        sd_event_source_disable_unref(source->io);
        close_fd(&source->fd);
        free(source);
        return NULL;
}

void kvm_uevent_source_closep(struct kvm_uevent_source **source) {
        *source = kvm_uevent_source_close(*source);
}
