/*
 * KVM machine: memory, one CPU and a PC's interrupt controllers and timer, as the kernel has them.
 *
 * Knows KVM's calls (the kernel's Documentation/virt/kvm/api.rst).  Does not know what is behind a port: whoever runs the CPU gets its accesses, and why it
 * stopped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        KVM_MACHINE_MIB_MAX = 3072, /* below the hole for devices */
        KVM_MACHINE_ROM_MAX = 1 << 20,
        KVM_MACHINE_WHY_MAX = 256,
};

struct kvm_machine;

/* `rom` is where a PC's firmware is: its end at 4 GiB, and its last 128 KiB below 1 MiB.  0, or -errno and why. */
int kvm_machine_open(struct kvm_machine **ret_machine, unsigned n_mib, const uint8_t *rom, size_t n_rom, char ret_why[static KVM_MACHINE_WHY_MAX]);
struct kvm_machine *kvm_machine_close(struct kvm_machine *machine);

/* CPU, interrupt controllers and timer as at power on.  Memory stays.  Not while the CPU runs. */
int kvm_machine_reset(struct kvm_machine *machine);

enum kvm_stop {
        KVM_STOP_ACCESS,       /* to be answered by the next kvm_machine_run() */
        KVM_STOP_SHUTDOWN,     /* a triple fault */
        KVM_STOP_SYSTEM_EVENT,
        KVM_STOP_INTERRUPTED,  /* by kvm_machine_kick(), or a signal */
        KVM_STOP_ERROR,        /* KVM cannot go on */
};

struct kvm_access {
        bool is_memory;
        bool is_write;
        uint64_t address; /* or the port */
        unsigned width;   /* bytes */
        size_t n;         /* so many, one after the other, of the same width */
        uint8_t *data;    /* width * n bytes: what is written, or room for what is read; KVM's, until the CPU runs again */
};

/* Let the CPU run until it stops.  Only from the thread that runs it. */
enum kvm_stop kvm_machine_run(struct kvm_machine *machine, struct kvm_access *ret_access);

/* Why it was KVM_STOP_ERROR, in words. */
void kvm_machine_describe(const struct kvm_machine *machine, char ret_words[static KVM_MACHINE_WHY_MAX]);

/* Of the CPU that has stopped.  False: it cannot be read. */
struct kvm_cpu_state {
        uint64_t rip, rflags;
        bool is_halted;          /* in HLT */
        bool has_interrupts;     /* RFLAGS.IF */
        bool has_empty_idt;      /* who empties it and faults wants a reset */
};
bool kvm_machine_read_cpu(struct kvm_machine *machine, struct kvm_cpu_state *ret_state);

/* The CPU leaves the guest, from any thread: kvm_machine_run() returns KVM_STOP_INTERRUPTED, soon.  The thread that runs it is who was told by kvm_machine_run() last. */
void kvm_machine_kick(struct kvm_machine *machine);

/* An interrupt's level, as on a PC's line 0 to 15.  From any thread. */
void kvm_machine_set_interrupt(struct kvm_machine *machine, unsigned line, bool level);
