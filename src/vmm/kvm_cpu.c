#include "vmm/kvm_cpu.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* arch/x86/include/asm/msr-index.h: time goes on over a reset. */
#define MSR_IA32_TSC 0x10

/* Of a CPU at its reset vector: Intel SDM volume 3, 9.1.4. */
#define RESET_BASE 0xffff0000

enum {
        N_CPUID_MAX = 256,
        N_MSRS_MAX = 512,
};

struct kvm_cpu_fresh {
        struct kvm_regs regs;
        struct kvm_sregs sregs;
        struct kvm_fpu fpu;
        struct kvm_mp_state mp_state;
        struct kvm_vcpu_events events;
        struct kvm_lapic_state lapic;
        size_t n_msrs;
        struct kvm_msr_entry msrs[]; /* n_msrs of them */
};

/* --- what it is -------------------------------------------------------------------------------------------------- */

static unsigned bits_for(unsigned n) {
        unsigned bits = 0;

        while (1U << bits < n)
                bits++;
        return bits;
}

/*
 * What KVM leaves to us: which of the machine's CPUs it is (one socket, a core each; Intel SDM 2A, CPUID; AMD APM 3, appendix E), and that there is a
 * hypervisor (virt/kvm/x86/cpuid.rst).
 */
static void complete_cpuid(struct kvm_cpuid_entry2 *entry, unsigned number, unsigned n_cpus) {
        switch (entry->function) {
        case 0x1:
                entry->ebx = (entry->ebx & 0xffff) | n_cpus << 16 | number << 24;
                entry->edx = (entry->edx & ~(1U << 28)) | (n_cpus > 1 ? 1U << 28 : 0);
                entry->ecx |= 1U << 24 | 1U << 31; /* the local APIC's TSC deadline, which KVM always has; and a hypervisor: who looks finds KVM's clock */
                break;
        case 0x4:
                if (entry->eax & 31)
                        entry->eax = (entry->eax & 0x3fff) | (n_cpus - 1) << 26;
                break;
        case 0xb:
        case 0x1f:
                entry->eax = entry->index == 1 ? bits_for(n_cpus) : 0;
                entry->ebx = entry->index == 0 ? 1 : entry->index == 1 ? n_cpus : 0;
                entry->ecx = entry->index | (entry->index == 0 ? 1U << 8 : entry->index == 1 ? 2U << 8 : 0);
                entry->edx = number;
                break;
        case 0x40000001:
                /*
                 * No asynchronous page faults (cpuid.rst: bits 4, 10, 14): KVM says that it is ready for them by one that a CPU whose local APIC is off
                 * never takes, and such a CPU's HLT ends at once, for ever (a guest with acpi=off).
                 */
                entry->eax &= ~(1U << 4 | 1U << 10 | 1U << 14);
                break;
        case 0x80000008:
                entry->ecx = (n_cpus - 1) | bits_for(n_cpus) << 12;
                break;
        case 0x8000001e:
                entry->eax = number;
                entry->ebx = number;
                entry->ecx = 0;
                break;
        }
}

static int set_cpuid(struct kvm_cpu *cpu, int kvm, unsigned number, unsigned n_cpus) {
        cleanup(freep) struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + N_CPUID_MAX * sizeof(cpuid->entries[0]));

        if (!cpuid) {
                errno = ENOMEM;
                return -1;
        }
        cpuid->nent = N_CPUID_MAX;
        if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid))
                return -1;
        for (uint32_t i = 0; i < cpuid->nent && i < N_CPUID_MAX; i++)
                complete_cpuid(&cpuid->entries[i], number, n_cpus);
        return ioctl(cpu->fd, KVM_SET_CPUID2, cpuid);
}

/* --- power on ---------------------------------------------------------------------------------------------------- */

struct msrs {
        struct kvm_msrs head;
        struct kvm_msr_entry entries[N_MSRS_MAX];
};

/* As many at a time as go; some that KVM lists cannot be read, or written, on every host.  How many of them did. */
static size_t all_msrs(int fd, unsigned long request, struct kvm_msr_entry *entries, size_t n) {
        struct msrs some;
        size_t n_done = 0;

        for (size_t i = 0; i < n;) {
                int done;

                some.head = (struct kvm_msrs){ .nmsrs = (uint32_t)(n - i) };
                memcpy(some.entries, entries + i, (n - i) * sizeof(*entries));
                done = ioctl(fd, request, &some);
                if (done > 0) {
                        memmove(entries + n_done, some.entries, (size_t)done * sizeof(*entries));
                        n_done += (size_t)done;
                }
                i += (done > 0 ? (size_t)done : 0) + 1;
        }
        return n_done;
}

static size_t read_msrs(int kvm, int fd, struct kvm_msr_entry *ret_entries) {
        struct {
                struct kvm_msr_list head;
                uint32_t indices[N_MSRS_MAX];
        } list = { .head.nmsrs = N_MSRS_MAX };
        size_t n = 0;

        if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &list))
                return 0;
        for (uint32_t i = 0; i < list.head.nmsrs && i < N_MSRS_MAX; i++)
                if (list.indices[i] != MSR_IA32_TSC)
                        ret_entries[n++] = (struct kvm_msr_entry){ .index = list.indices[i] };
        return all_msrs(fd, KVM_GET_MSRS, ret_entries, n);
}

static int read_fresh(struct kvm_cpu *cpu, int kvm) {
        struct kvm_msr_entry msrs[N_MSRS_MAX];
        const size_t n_msrs = read_msrs(kvm, cpu->fd, msrs);
        struct kvm_cpu_fresh *fresh = cpu->fresh = calloc(1, sizeof(*fresh) + n_msrs * sizeof(msrs[0]));

        if (!fresh) {
                errno = ENOMEM;
                return -1;
        }
        memcpy(fresh->msrs, msrs, n_msrs * sizeof(msrs[0]));
        fresh->n_msrs = n_msrs;
        return ioctl(cpu->fd, KVM_GET_LAPIC, &fresh->lapic) ?: ioctl(cpu->fd, KVM_GET_REGS, &fresh->regs) ?:
               ioctl(cpu->fd, KVM_GET_SREGS, &fresh->sregs) ?: ioctl(cpu->fd, KVM_GET_FPU, &fresh->fpu) ?:
               ioctl(cpu->fd, KVM_GET_MP_STATE, &fresh->mp_state) ?: ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &fresh->events);
}

/* api.rst, 4.133: a header, descriptors, each with its name behind it, and the values. */
static void open_stats(struct kvm_cpu *cpu) {
        struct kvm_stats_header header;
        union {
                struct kvm_stats_desc of;
                char bytes[sizeof(struct kvm_stats_desc) + 64];
        } desc;

        cpu->stats = ioctl(cpu->fd, KVM_GET_STATS_FD, NULL);
        if (cpu->stats < 0 || pread(cpu->stats, &header, sizeof(header), 0) != sizeof(header) || header.name_size > 64)
                header.num_desc = 0;
        for (uint32_t i = 0; i < header.num_desc; i++) {
                const size_t n = sizeof(desc.of) + header.name_size;

                if (pread(cpu->stats, &desc, n, (off_t)(header.desc_offset + i * n)) != (ssize_t)n)
                        break;
                if (!strncmp(desc.of.name, "exits", header.name_size)) {
                        cpu->at_exits = (uint64_t)header.data_offset + desc.of.offset;
                        return;
                }
        }
        close_fd(&cpu->stats);
}

bool kvm_cpu_read_exits(const struct kvm_cpu *cpu, uint64_t *ret_exits) {
        return cpu->stats >= 0 && pread(cpu->stats, ret_exits, sizeof(*ret_exits), (off_t)cpu->at_exits) == sizeof(*ret_exits);
}

int kvm_cpu_open(struct kvm_cpu *cpu, int kvm, int vm, unsigned number, unsigned n_cpus) {
        const int n_run = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
        void *run;

        cpu->fd = ioctl(vm, KVM_CREATE_VCPU, number);
        if (cpu->fd < 0 || n_run < (int)sizeof(struct kvm_run))
                return -1;
        run = mmap(NULL, (size_t)n_run, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
        if (run == MAP_FAILED)
                return -1;
        cpu->run = run;
        cpu->n_run = (size_t)n_run;
        open_stats(cpu);
        return set_cpuid(cpu, kvm, number, n_cpus) ?: read_fresh(cpu, kvm);
}

void kvm_cpu_close(struct kvm_cpu *cpu) {
        if (cpu->run)
                munmap(cpu->run, cpu->n_run);
        close_fd(&cpu->stats);
        close_fd(&cpu->fd);
        free(cpu->fresh);
}

/* --- where it begins --------------------------------------------------------------------------------------------- */

/* x86/boot.rst: __BOOT_CS is 0x10, __BOOT_DS 0x18; flat, and CS is of 64 bits. */
enum { BOOT_CS = 0x10, BOOT_DS = 0x18, BOOT_TSS = 0x20 };

void kvm_cpu_segments(uint64_t ret_segments[static KVM_CPU_SEGMENTS]) {
        static const uint64_t segments[KVM_CPU_SEGMENTS] = { [BOOT_CS / 8] = UINT64_C(0xaf9b000000ffff), [BOOT_DS / 8] = UINT64_C(0xcf93000000ffff) };

        memcpy(ret_segments, segments, sizeof(segments));
}

static void set_flat(struct kvm_sregs *sregs, bool is_long) {
        const struct kvm_segment code = { .limit = UINT32_MAX, .selector = BOOT_CS, .type = 11, .present = 1, .db = !is_long, .s = 1, .l = is_long, .g = 1 };
        const struct kvm_segment data = { .limit = UINT32_MAX, .selector = BOOT_DS, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
        const struct kvm_segment task = { .limit = 0x67, .selector = BOOT_TSS, .type = 11, .present = 1 };

        sregs->cs = code;
        sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
        sregs->tr = task;
        sregs->cr0 = 0x11; /* PE, ET */
}

static void set_long(struct kvm_sregs *sregs, const struct kvm_entry *entry) {
        set_flat(sregs, true);
        sregs->gdt = (struct kvm_dtable){ .base = entry->gdt, .limit = KVM_CPU_SEGMENTS * 8 - 1 };
        sregs->cr3 = entry->pages;
        sregs->cr4 |= 1 << 5;       /* PAE */
        sregs->cr0 |= 1U << 31;     /* PG */
        sregs->efer |= 0x500;       /* LME, LMA */
}

static void set_entry(struct kvm_sregs *sregs, struct kvm_regs *regs, const struct kvm_entry *entry) {
        if (entry->kind == KVM_ENTRY_RESET)
                return;
        regs->rflags = 2;
        regs->rip = entry->address;
        switch (entry->kind) {
        case KVM_ENTRY_RESET:
                break;
        case KVM_ENTRY_LONG:
                set_long(sregs, entry);
                regs->rsi = entry->argument;
                break;
        case KVM_ENTRY_PROTECTED:
                set_flat(sregs, false);
                regs->rbx = entry->argument;
                break;
        case KVM_ENTRY_REAL:
                sregs->cs.selector = (uint16_t)(entry->address >> 4);
                sregs->cs.base = entry->address & ~UINT64_C(15);
                regs->rip = entry->address & 15;
                break;
        }
}

int kvm_cpu_reset(struct kvm_cpu *cpu, const struct kvm_entry *entry) {
        struct kvm_cpu_fresh *fresh = cpu->fresh;
        struct kvm_sregs sregs = fresh->sregs;
        struct kvm_regs regs = fresh->regs;
        struct kvm_msr_entry msrs[N_MSRS_MAX];

        if (entry)
                set_entry(&sregs, &regs, entry);
        memcpy(msrs, fresh->msrs, fresh->n_msrs * sizeof(msrs[0]));
        all_msrs(cpu->fd, KVM_SET_MSRS, msrs, fresh->n_msrs);
        return ioctl(cpu->fd, KVM_SET_SREGS, &sregs) ?: ioctl(cpu->fd, KVM_SET_LAPIC, &fresh->lapic) ?: ioctl(cpu->fd, KVM_SET_REGS, &regs) ?:
               ioctl(cpu->fd, KVM_SET_FPU, &fresh->fpu) ?: ioctl(cpu->fd, KVM_SET_MP_STATE, &fresh->mp_state) ?:
               ioctl(cpu->fd, KVM_SET_VCPU_EVENTS, &fresh->events);
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static enum kvm_stop take_io(const struct kvm_cpu *cpu, struct kvm_access *ret_access) {
        struct kvm_run *run = cpu->run;
        const size_t n = (size_t)run->io.size * run->io.count;

        /* KVM's own numbers, in a page that it shares: beyond it would be its mistake. */
        if (run->io.data_offset > cpu->n_run || n > cpu->n_run - run->io.data_offset)
                return KVM_STOP_ERROR;
        *ret_access = (struct kvm_access){ .is_write = run->io.direction == KVM_EXIT_IO_OUT, .address = run->io.port, .width = run->io.size,
                                           .n = run->io.count, .data = (uint8_t *)run + run->io.data_offset };
        return KVM_STOP_ACCESS;
}

static enum kvm_stop take_mmio(const struct kvm_cpu *cpu, struct kvm_access *ret_access) {
        struct kvm_run *run = cpu->run;

        if (run->mmio.len > sizeof(run->mmio.data))
                return KVM_STOP_ERROR;
        *ret_access = (struct kvm_access){ .is_memory = true, .is_write = run->mmio.is_write, .address = run->mmio.phys_addr,
                                           .width = run->mmio.len, .n = 1, .data = run->mmio.data };
        return KVM_STOP_ACCESS;
}

enum kvm_stop kvm_cpu_run(struct kvm_cpu *cpu, struct kvm_access *ret_access) {
        cpu->thread = pthread_self();
        __atomic_store_n(&cpu->has_thread, true, __ATOMIC_RELEASE);
        cpu->error = 0;
        if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
                cpu->error = errno;
                __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
                return cpu->error == EINTR || cpu->error == EAGAIN ? KVM_STOP_INTERRUPTED : KVM_STOP_ERROR;
        }
        switch (cpu->run->exit_reason) {
        case KVM_EXIT_IO:
                return take_io(cpu, ret_access);
        case KVM_EXIT_MMIO:
                return take_mmio(cpu, ret_access);
        case KVM_EXIT_SHUTDOWN:
                return KVM_STOP_SHUTDOWN;
        case KVM_EXIT_SYSTEM_EVENT:
                return KVM_STOP_SYSTEM_EVENT;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IRQ_WINDOW_OPEN:
                return KVM_STOP_INTERRUPTED;
        }
        return KVM_STOP_ERROR;
}

/* api.rst, 5, KVM_EXIT_IO: an access is complete only once the CPU is entered again.  One of many (REP OUTS) is left at some point. */
void kvm_cpu_settle(struct kvm_cpu *cpu) {
        for (int i = 0; i < 16; i++) {
                __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
                if (ioctl(cpu->fd, KVM_RUN, 0) < 0)
                        break;
        }
        __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
}

void kvm_cpu_describe(const struct kvm_cpu *cpu, char ret_words[static KVM_CPU_WHY_MAX]) {
        const struct kvm_run *run = cpu->run;

        if (cpu->error)
                snprintf(ret_words, KVM_CPU_WHY_MAX, "KVM_RUN: %s", strerror(cpu->error));
        else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
                snprintf(ret_words, KVM_CPU_WHY_MAX, "KVM cannot enter the guest: hardware reason 0x%llx",
                         (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
                snprintf(ret_words, KVM_CPU_WHY_MAX, "KVM's internal error %u", run->internal.suberror);
        else
                snprintf(ret_words, KVM_CPU_WHY_MAX, "KVM's exit %u, which is not expected", run->exit_reason);
}

bool kvm_cpu_read(const struct kvm_cpu *cpu, struct kvm_cpu_state *ret_state) {
        struct kvm_mp_state mp_state;
        struct kvm_sregs sregs;
        struct kvm_regs regs;
        bool waits;

        if (ioctl(cpu->fd, KVM_GET_REGS, &regs) || ioctl(cpu->fd, KVM_GET_SREGS, &sregs) || ioctl(cpu->fd, KVM_GET_MP_STATE, &mp_state))
                return false;
        /* Only another CPU can tell it to begin. */
        waits = mp_state.mp_state == KVM_MP_STATE_UNINITIALIZED || mp_state.mp_state == KVM_MP_STATE_INIT_RECEIVED;
        *ret_state = (struct kvm_cpu_state){
                .rip = sregs.cs.base + regs.rip,
                .rflags = regs.rflags,
                .is_halted = mp_state.mp_state == KVM_MP_STATE_HALTED || waits,
                .has_interrupts = !waits && regs.rflags & 1 << 9,
                .idt_limit = sregs.idt.limit,
                .is_reset = sregs.cs.base == RESET_BASE && sregs.idt.limit == UINT16_MAX,
        };
        return true;
}

void kvm_cpu_kick(struct kvm_cpu *cpu) {
        __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&cpu->has_thread, __ATOMIC_ACQUIRE))
                pthread_kill(cpu->thread, SIGUSR1);
}
