/*
 * KVM CPU: one CPU of a machine, as the kernel has it.
 *
 * Knows the calls on its descriptor (the kernel's Documentation/virt/kvm/api.rst), how it is at power on, and how each way of beginning a kernel wants it.
 * Does not know what is behind an access.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        KVM_CPUS_MAX = 16,
        KVM_CPU_WHY_MAX = 256,
};

enum kvm_stop {
        KVM_STOP_ACCESS,       /* to be answered by the next kvm_cpu_run() */
        KVM_STOP_SHUTDOWN,     /* a triple fault */
        KVM_STOP_SYSTEM_EVENT,
        KVM_STOP_INTERRUPTED,  /* by kvm_cpu_kick(), or a signal */
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

/* Where the first CPU begins; the others wait for its word (INIT, SIPI). */
enum kvm_entry_kind {
        KVM_ENTRY_RESET,     /* at the reset vector: firmware */
        KVM_ENTRY_LONG,      /* 64 bits, paging on: x86/boot.rst, "64-bit Boot Protocol" */
        KVM_ENTRY_PROTECTED, /* 32 bits, flat, paging off: PVH (Xen, docs/misc/pvh.pandoc) */
        KVM_ENTRY_REAL,      /* 16 bits: out of S3 (ACPI 6.5, 16.3.2.1) */
};

struct kvm_entry {
        enum kvm_entry_kind kind;
        uint64_t address;    /* where it begins */
        uint64_t argument;   /* LONG: RSI, PROTECTED: EBX */
        uint64_t gdt, pages; /* LONG: where the segments of kvm_cpu_segments() and the page tables are */
};

struct kvm_cpu_state {
        uint64_t rip, rflags;    /* rip: linear */
        bool is_halted;          /* in HLT, or waiting for its first word */
        bool has_interrupts;     /* RFLAGS.IF, of one that does not wait so */
        uint16_t idt_limit;      /* who empties it (0) and faults wants a reset */
        bool is_reset;           /* it is at its reset vector: where it was before is not known */
};

struct kvm_cpu_fresh;

struct kvm_cpu {
        int fd;
        struct kvm_run *run;
        size_t n_run;
        struct kvm_cpu_fresh *fresh; /* as it is at power on; owned */
        pthread_t thread;
        bool has_thread;
        int error; /* of KVM_RUN itself */
        int stats; /* its statistics; -1: this kernel has none (before Linux 5.14) … */
        uint64_t at_exits; /* … and where in them the number of its exits is */
};

/* CPU `number` of `n_cpus`, its APIC's id, too.  0; -1 and errno. */
int kvm_cpu_open(struct kvm_cpu *cpu, int kvm, int vm, unsigned number, unsigned n_cpus);
void kvm_cpu_close(struct kvm_cpu *cpu);

/* As at power on, and then where `entry` says; NULL: it is none that begins.  No CPU of the machine runs.  0; -1 and errno. */
int kvm_cpu_reset(struct kvm_cpu *cpu, const struct kvm_entry *entry);

/* The segments that KVM_ENTRY_LONG wants to find in memory. */
enum { KVM_CPU_SEGMENTS = 4 };
void kvm_cpu_segments(uint64_t ret_segments[static KVM_CPU_SEGMENTS]);

/* Let it run until it stops, in this thread. */
enum kvm_stop kvm_cpu_run(struct kvm_cpu *cpu, struct kvm_access *ret_access);

/* What its last stop has begun is ended, and it runs no further: before kvm_cpu_reset(), in its thread. */
void kvm_cpu_settle(struct kvm_cpu *cpu);

/* Why it was KVM_STOP_ERROR, in words. */
void kvm_cpu_describe(const struct kvm_cpu *cpu, char ret_words[static KVM_CPU_WHY_MAX]);

/* Of a CPU that has stopped.  False: it cannot be read. */
bool kvm_cpu_read(const struct kvm_cpu *cpu, struct kvm_cpu_state *ret_state);

/* How often it has been in the guest: it does not change while the CPU halts, whatever interrupts come that it does not take.  False: that is not known. */
bool kvm_cpu_read_exits(const struct kvm_cpu *cpu, uint64_t *ret_exits);

/* It leaves the guest, from any thread: kvm_cpu_run() returns KVM_STOP_INTERRUPTED, soon. */
void kvm_cpu_kick(struct kvm_cpu *cpu);
