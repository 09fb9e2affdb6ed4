#include "sources/process/kvm_try.h"
#include "basics/cleanup.h"
#include "sources/process/kvm_uevent_source.h"
#include "sources/try.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

/* A descriptor, or -errno. */
static int make_vm(void) {
        cleanup(closep) int kvm = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
        int vm;

        if (kvm < 0)
                return -errno;
        vm = ioctl(kvm, KVM_CREATE_VM, 0);
        return vm < 0 ? -errno : vm;
}

int kvm_try(char ret_found[static FOUND_MAX]) {
        cleanup(closep) int vm = make_vm();

        if (vm < 0)
                return found_say(ret_found, vm, "%s: %s", KVM_DEVICE, strerror(-vm));
        return found_say(ret_found, 0, "%s has made a VM", KVM_DEVICE);
}

static void on_created(void *userdata, pid_t pid, const struct kvm_uevent *uevent) {
        if (pid == getpid())
                *(bool *)userdata = true;
}

static void on_destroyed(void *userdata, const struct kvm_uevent *uevent) {
}

static void on_lost(void *userdata) {
}

int kvm_uevent_try(char ret_found[static FOUND_MAX]) {
        static const struct kvm_uevent_events events = { on_created, on_destroyed, on_lost };
        cleanup(kvm_uevent_source_closep) struct kvm_uevent_source *source = NULL;
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        cleanup(closep) int vm = -1;
        bool is_heard = false;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = kvm_uevent_source_open(&source, event, &events, &is_heard);
        if (r < 0)
                return found_say(ret_found, r, "the kernel cannot be listened to: %s", strerror(-r));
        vm = make_vm();
        if (vm < 0)
                return found_say(ret_found, vm, "there is nothing to hear: %s: %s", KVM_DEVICE, strerror(-vm));
        r = try_wait(event, &is_heard);
        if (r)
                return found_say(ret_found, r, "a VM was made, and the kernel was not heard to say so (another network or pid namespace?)");
        return found_say(ret_found, 0, "a VM was made, and the kernel was heard to say so");
}
