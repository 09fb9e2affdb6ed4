/*
 * KVM uevent: what the kernel says when a VM is created or destroyed, by whatever program.
 *
 * Knows the words of virt/kvm/kvm_main.c, kvm_uevent_notify_change(), on /dev/kvm's uevents.  Does not
 * listen.  Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        KVM_STATS_PATH_MAX = 64,

        KVM_UEVENT_NONE = 1, /* an outcome of kvm_uevent_parse(): it is about no VM */
};

/* What such a message begins with, NUL included: kobject_uevent_env() in lib/kobject_uevent.c. */
#define KVM_UEVENT_HEADER "change@/devices/virtual/misc/kvm"

enum kvm_uevent_kind {
        KVM_UEVENT_CREATE,
        KVM_UEVENT_DESTROY,
};

struct kvm_uevent {
        enum kvm_uevent_kind kind;

        /* The thread that asked for the VM, also when the VM is destroyed; in the initial pid namespace's
         * numbers. */
        pid_t tid;

        uint64_t count;   /* VMs that are there now; 0 if it was not said */
        uint64_t created; /* VMs there ever were since boot */

        /* "/kvm/TID-FD", below debugfs: tells a process's VMs apart.  "": this kernel has no debugfs. */
        char stats_path[KVM_STATS_PATH_MAX];
};

/* Read one message.  0; KVM_UEVENT_NONE; -EBADMSG: it is about a VM, and cannot be understood. */
int kvm_uevent_parse(struct kvm_uevent *ret_uevent, const char *bytes, size_t n_bytes);
