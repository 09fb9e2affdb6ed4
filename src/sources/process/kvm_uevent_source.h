/*
 * KVM uevent source: hears of every VM that any program on this host creates or destroys with KVM.
 *
 * Owns a netlink socket in the loop, believes only the kernel, and says so when it may have missed something.
 * Wakes up for KVM's uevents alone.  Does not know what the process is.  Needs the host's initial pid
 * namespace and a network namespace of its initial user namespace; no privilege.
 */
#pragma once

#include "sources/process/kvm_uevent.h"

#include <systemd/sd-event.h>

/* All of them come from the loop.  None may close the source. */
struct kvm_uevent_events {
        /*
         * A VM was created by a thread of the process `pid`; 0: that process has gone already.  Its
         * descriptor of the VM may not be there yet, and whether a vCPU will ever run is not known yet.
         */
        void (*created)(void *userdata, pid_t pid, const struct kvm_uevent *uevent);
        /* The VM is destroyed: its last descriptor is closed.  The thread that it names may long be gone. */
        void (*destroyed)(void *userdata, const struct kvm_uevent *uevent);
        /* Messages were lost, or not understood: survey again. */
        void (*lost)(void *userdata);
};

struct kvm_uevent_source;

/* Listen from now on.  0 or -errno. */
int kvm_uevent_source_open(struct kvm_uevent_source **ret_source, sd_event *event,
                           const struct kvm_uevent_events *events, void *userdata);
struct kvm_uevent_source *kvm_uevent_source_close(struct kvm_uevent_source *source);
void kvm_uevent_source_closep(struct kvm_uevent_source **source);
