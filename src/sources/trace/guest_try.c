#include "sources/trace/guest_try.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define DEVICE "/dev/kvm"
enum { PAGE = 4096 };

#if defined(__x86_64__)
/*
 * mov $0xfe, %al; out %al, $0x64; xor %ax, %ax; div %al: a fault, and without a table of interrupts the third one.  Where KVM emulates real mode it does not look at
 * that table's limit, so it is where no memory is.
 */
static const uint8_t code[] = { 0xb0, 0xfe, 0xe6, 0x64, 0x31, 0xc0, 0xf6, 0xf0 };

static int set_registers(int vcpu) {
        struct kvm_regs registers = { .rflags = 2, .rsp = PAGE };
        struct kvm_sregs system;

        if (ioctl(vcpu, KVM_GET_SREGS, &system) < 0)
                return -errno;
        system.cs.base = system.cs.selector = 0;
        system.idt.limit = 0;
        system.idt.base = 0xfff00000;
        return ioctl(vcpu, KVM_SET_SREGS, &system) < 0 || ioctl(vcpu, KVM_SET_REGS, &registers) < 0 ? -errno : 0;
}
#else
static const uint8_t code[1];

static int set_registers(int vcpu) {
        return -EOPNOTSUPP;
}
#endif

static int run_until(int vcpu, const struct kvm_run *run, uint32_t reason) {
        /* A signal, or whatever else makes KVM come back once more. */
        for (unsigned i = 0; i < 16; i++) {
                if (ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (run->exit_reason == reason)
                        return 0;
        }
        return -ENODATA;
}

static int run_guest(int kvm, void *memory) {
        const struct kvm_userspace_memory_region region = { .memory_size = PAGE, .userspace_addr = (uintptr_t)memory };
        cleanup(closep) int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu = -1;
        int n_run = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), r;
        struct kvm_run *run;

        if (vm < 0 || n_run <= 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
                return -errno;
        vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
        if (vcpu < 0)
                return -errno;
        run = mmap(NULL, (size_t)n_run, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
        if (run == MAP_FAILED)
                return -errno;
        r = set_registers(vcpu);
        if (!r)
                r = run_until(vcpu, run, KVM_EXIT_IO);
        if (!r)
                r = run_until(vcpu, run, KVM_EXIT_SHUTDOWN);
        munmap(run, (size_t)n_run);
        return r;
}

int guest_try(char ret_why[static FOUND_MAX]) {
        cleanup(closep) int kvm = open(DEVICE, O_RDWR | O_CLOEXEC);
        void *memory;
        int r;

        if (kvm < 0)
                return found_say(ret_why, -errno, DEVICE ": %s", strerror(errno));
        memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return found_say(ret_why, -errno, "%s", strerror(errno));
        memcpy(memory, code, sizeof(code));
        r = run_guest(kvm, memory);
        munmap(memory, PAGE);
        if (r)
                found_say(ret_why, r, "a guest of our own does not run: %s", r == -ENODATA ? "KVM did not come back with what it did" : strerror(-r));
        return r;
}
