/*
 * KVM machine: memory, CPUs, and a PC's interrupt controllers and timer, as the kernel has them.
 *
 * Knows KVM's calls (the kernel's Documentation/virt/kvm/api.rst).  Does not know what is behind a port or a page that is no memory.
 */
#pragma once

#include "vmm/guest_memory.h"
#include "vmm/kvm_cpu.h"

enum {
        KVM_MACHINE_MIB_MAX = 1 << 20,
        KVM_MACHINE_ROM_MAX = 1 << 20,
        KVM_MACHINE_WHY_MAX = KVM_CPU_WHY_MAX,
};

struct kvm_machine {
        int kvm, vm;
        struct guest_memory memory;
        uint8_t *rom; /* owned */
        size_t n_rom;
        struct kvm_machine_chips *chips; /* as they are at power on; owned */
        struct kvm_cpu cpus[KVM_CPUS_MAX];
        unsigned n_cpus;
};

/*
 * `rom` is where a PC's firmware is: its end at 4 GiB, and its last 128 KiB below 1 MiB; NULL: there is memory.  0, or -errno and why.
 */
int kvm_machine_open(struct kvm_machine **ret_machine, unsigned n_mib, unsigned n_cpus, const uint8_t *rom, size_t n_rom,
                     char ret_why[static KVM_MACHINE_WHY_MAX]);
struct kvm_machine *kvm_machine_close(struct kvm_machine *machine);

/* CPUs, interrupt controllers and timer as at power on, the first CPU at `entry`.  Memory stays.  No CPU runs.  0 or -errno. */
int kvm_machine_reset(struct kvm_machine *machine, const struct kvm_entry *entry);

/* The level of an interrupt, 0 to 23.  From any thread. */
void kvm_machine_set_interrupt(struct kvm_machine *machine, unsigned line, bool level);

/* Whoever writes to `fd` (an eventfd) raises that interrupt, an edge.  0 or -errno. */
int kvm_machine_add_interrupt(struct kvm_machine *machine, unsigned line, int fd);
/* The guest's writes of 32 bits to that address are told to `fd` (an eventfd), and stop no CPU.  0 or -errno. */
int kvm_machine_add_notify(struct kvm_machine *machine, uint64_t address, int fd);
