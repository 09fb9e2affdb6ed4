#include "vmm/kvm_machine.h"

#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Three pages for KVM's own use, in nobody's way: api.rst, 4.35, 4.40. */
#define TSS_ADDRESS 0xfffbd000UL
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfffbc000)

/* arch/x86/include/asm/msr-index.h: time goes on over a reset. */
#define MSR_IA32_TSC 0x10

enum {
        N_LOW_ROM_MAX = 128 << 10, /* 0xe0000 to 0xfffff */
        N_CPUID_MAX = 256,
        N_MSRS_MAX = 512,
        N_IRQCHIPS = 3, /* the two 8259s and the I/O APIC */
};

/* The CPU and its chips at power on. */
struct fresh {
        struct kvm_regs regs;
        struct kvm_sregs sregs;
        struct kvm_fpu fpu;
        struct kvm_mp_state mp_state;
        struct kvm_vcpu_events events;
        struct kvm_lapic_state lapic;
        struct kvm_irqchip irqchips[N_IRQCHIPS];
        struct kvm_pit_state2 pit;
        struct kvm_msr_entry msrs[N_MSRS_MAX];
        size_t n_msrs;
};

struct kvm_machine {
        int kvm, vm, vcpu;
        struct kvm_run *run;
        size_t n_run;
        uint8_t *memory, *rom;
        size_t n_memory, n_rom;
        struct fresh fresh;
        pthread_t runner;
        bool has_runner;
        int error; /* of KVM_RUN itself */
};

static int fail(char ret_why[static KVM_MACHINE_WHY_MAX], const char *what) {
        int r = -errno;

        snprintf(ret_why, KVM_MACHINE_WHY_MAX, "%s: %s", what, strerror(errno));
        return r;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static int map(struct kvm_machine *machine, uint32_t slot, uint64_t address, uint8_t *bytes, size_t n, bool is_rom) {
        struct kvm_userspace_memory_region region = { .slot = slot, .flags = is_rom ? KVM_MEM_READONLY : 0, .guest_phys_addr = address,
                                                      .memory_size = n, .userspace_addr = (uint64_t)bytes };

        return n ? ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) : 0;
}

static int map_all(struct kvm_machine *machine) {
        const size_t n_low_rom = machine->n_rom < N_LOW_ROM_MAX ? machine->n_rom : N_LOW_ROM_MAX;
        const size_t n_low = MIB - n_low_rom;

        return map(machine, 0, 0, machine->memory, n_low, false) ?:
               map(machine, 1, n_low, machine->rom + machine->n_rom - n_low_rom, n_low_rom, true) ?:
               map(machine, 2, MIB, machine->memory + MIB, machine->n_memory - MIB, false) ?:
               map(machine, 3, 4 * GIB - machine->n_rom, machine->rom, machine->n_rom, true);
}

static uint8_t *allocate(size_t n) {
        void *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        return bytes == MAP_FAILED ? NULL : bytes;
}

/* --- power on ---------------------------------------------------------------------------------------------------- */

static int set_cpuid(struct kvm_machine *machine) {
        cleanup(freep) struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + N_CPUID_MAX * sizeof(cpuid->entries[0]));

        if (!cpuid) {
                errno = ENOMEM;
                return -1;
        }
        cpuid->nent = N_CPUID_MAX;
        return ioctl(machine->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ?: ioctl(machine->vcpu, KVM_SET_CPUID2, cpuid);
}

/* One by one: some that KVM lists cannot be read on every host. */
static void read_msrs(struct kvm_machine *machine) {
        struct {
                struct kvm_msr_list head;
                uint32_t indices[N_MSRS_MAX];
        } list = { .head.nmsrs = N_MSRS_MAX };

        if (ioctl(machine->kvm, KVM_GET_MSR_INDEX_LIST, &list))
                return;
        for (uint32_t i = 0; i < list.head.nmsrs; i++) {
                struct {
                        struct kvm_msrs head;
                        struct kvm_msr_entry entry;
                } one = { .head.nmsrs = 1, .entry.index = list.indices[i] };

                if (list.indices[i] != MSR_IA32_TSC && ioctl(machine->vcpu, KVM_GET_MSRS, &one) == 1)
                        machine->fresh.msrs[machine->fresh.n_msrs++] = one.entry;
        }
}

static void write_msrs(struct kvm_machine *machine) {
        for (size_t i = 0; i < machine->fresh.n_msrs; i++) {
                struct {
                        struct kvm_msrs head;
                        struct kvm_msr_entry entry;
                } one = { .head.nmsrs = 1, .entry = machine->fresh.msrs[i] };

                /* Those that are only read are as they were. */
                if (ioctl(machine->vcpu, KVM_SET_MSRS, &one) < 0)
                        continue;
        }
}

static int read_fresh(struct kvm_machine *machine) {
        struct fresh *fresh = &machine->fresh;
        int r = 0;

        for (uint32_t i = 0; !r && i < N_IRQCHIPS; i++) {
                fresh->irqchips[i].chip_id = i;
                r = ioctl(machine->vm, KVM_GET_IRQCHIP, &fresh->irqchips[i]);
        }
        r = r ?: ioctl(machine->vm, KVM_GET_PIT2, &fresh->pit) ?: ioctl(machine->vcpu, KVM_GET_LAPIC, &fresh->lapic) ?:
                 ioctl(machine->vcpu, KVM_GET_REGS, &fresh->regs) ?: ioctl(machine->vcpu, KVM_GET_SREGS, &fresh->sregs) ?:
                 ioctl(machine->vcpu, KVM_GET_FPU, &fresh->fpu) ?: ioctl(machine->vcpu, KVM_GET_MP_STATE, &fresh->mp_state) ?:
                 ioctl(machine->vcpu, KVM_GET_VCPU_EVENTS, &fresh->events);
        if (!r)
                read_msrs(machine);
        return r;
}

int kvm_machine_reset(struct kvm_machine *machine) {
        struct fresh *fresh = &machine->fresh;
        int r = 0;

        for (uint32_t i = 0; !r && i < N_IRQCHIPS; i++)
                r = ioctl(machine->vm, KVM_SET_IRQCHIP, &fresh->irqchips[i]);
        r = r ?: ioctl(machine->vm, KVM_SET_PIT2, &fresh->pit) ?: ioctl(machine->vcpu, KVM_SET_SREGS, &fresh->sregs) ?:
                 ioctl(machine->vcpu, KVM_SET_LAPIC, &fresh->lapic) ?: ioctl(machine->vcpu, KVM_SET_REGS, &fresh->regs) ?:
                 ioctl(machine->vcpu, KVM_SET_FPU, &fresh->fpu) ?: ioctl(machine->vcpu, KVM_SET_MP_STATE, &fresh->mp_state) ?:
                 ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &fresh->events);
        write_msrs(machine);
        return r ? -errno : 0;
}

static int make_cpu(struct kvm_machine *machine) {
        const int n_run = ioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
        void *run;

        machine->vcpu = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
        if (machine->vcpu < 0 || n_run < (int)sizeof(struct kvm_run))
                return -1;
        run = mmap(NULL, (size_t)n_run, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu, 0);
        if (run == MAP_FAILED)
                return -1;
        machine->run = run;
        machine->n_run = (size_t)n_run;
        return set_cpuid(machine);
}

static int make_vm(struct kvm_machine *machine) {
        const uint64_t identity_map = IDENTITY_MAP_ADDRESS;
        struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

        machine->vm = ioctl(machine->kvm, KVM_CREATE_VM, 0);
        return machine->vm < 0 ? -1
                               : ioctl(machine->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) ?:
                                 ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) ?:
                                 ioctl(machine->vm, KVM_CREATE_IRQCHIP, 0) ?: ioctl(machine->vm, KVM_CREATE_PIT2, &pit);
}

int kvm_machine_open(struct kvm_machine **ret_machine, unsigned n_mib, const uint8_t *rom, size_t n_rom, char ret_why[static KVM_MACHINE_WHY_MAX]) {
        struct kvm_machine *machine = calloc(1, sizeof(*machine));
        int r = 0;

        assert(n_mib >= 1 && n_mib <= KVM_MACHINE_MIB_MAX && n_rom && n_rom <= KVM_MACHINE_ROM_MAX && n_rom % 4096 == 0);
        if (!machine) {
                errno = ENOMEM;
                return fail(ret_why, "memory");
        }
        machine->kvm = machine->vm = machine->vcpu = -1;
        machine->n_memory = n_mib * MIB;
        machine->n_rom = n_rom;
        machine->memory = allocate(machine->n_memory);
        machine->rom = allocate(n_rom);
        machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        if (!machine->memory || !machine->rom)
                r = fail(ret_why, "the guest's memory");
        else if (machine->kvm < 0)
                r = fail(ret_why, "/dev/kvm");
        else if (make_vm(machine))
                r = fail(ret_why, "KVM makes no VM");
        else if (map_all(machine))
                r = fail(ret_why, "KVM takes no memory");
        else if (make_cpu(machine) || read_fresh(machine))
                r = fail(ret_why, "KVM makes no CPU");
        if (r) {
                kvm_machine_close(machine);
                return r;
        }
        memcpy(machine->rom, rom, n_rom);
        *ret_machine = machine;
        return 0;
}

struct kvm_machine *kvm_machine_close(struct kvm_machine *machine) {
        if (!machine)
                return NULL;
        if (machine->run)
                munmap(machine->run, machine->n_run);
        close_fd(&machine->vcpu);
        close_fd(&machine->vm);
        close_fd(&machine->kvm);
        if (machine->memory)
                munmap(machine->memory, machine->n_memory);
        if (machine->rom)
                munmap(machine->rom, machine->n_rom);
        free(machine);
        return NULL;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static enum kvm_stop take_io(struct kvm_machine *machine, struct kvm_access *ret_access) {
        struct kvm_run *run = machine->run;
        const size_t n = (size_t)run->io.size * run->io.count;

        /* KVM's own numbers, in a page that it shares: beyond it would be its mistake. */
        if (run->io.data_offset > machine->n_run || n > machine->n_run - run->io.data_offset)
                return KVM_STOP_ERROR;
        *ret_access = (struct kvm_access){ .is_write = run->io.direction == KVM_EXIT_IO_OUT, .address = run->io.port, .width = run->io.size,
                                           .n = run->io.count, .data = (uint8_t *)run + run->io.data_offset };
        return KVM_STOP_ACCESS;
}

static enum kvm_stop take_mmio(struct kvm_machine *machine, struct kvm_access *ret_access) {
        struct kvm_run *run = machine->run;

        if (run->mmio.len > sizeof(run->mmio.data))
                return KVM_STOP_ERROR;
        *ret_access = (struct kvm_access){ .is_memory = true, .is_write = run->mmio.is_write, .address = run->mmio.phys_addr,
                                           .width = run->mmio.len, .n = 1, .data = run->mmio.data };
        return KVM_STOP_ACCESS;
}

enum kvm_stop kvm_machine_run(struct kvm_machine *machine, struct kvm_access *ret_access) {
        machine->runner = pthread_self();
        __atomic_store_n(&machine->has_runner, true, __ATOMIC_RELEASE);
        machine->error = 0;
        if (ioctl(machine->vcpu, KVM_RUN, 0) < 0) {
                machine->error = errno;
                __atomic_store_n(&machine->run->immediate_exit, 0, __ATOMIC_RELAXED);
                return machine->error == EINTR || machine->error == EAGAIN ? KVM_STOP_INTERRUPTED : KVM_STOP_ERROR;
        }
        switch (machine->run->exit_reason) {
        case KVM_EXIT_IO:
                return take_io(machine, ret_access);
        case KVM_EXIT_MMIO:
                return take_mmio(machine, ret_access);
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

void kvm_machine_describe(const struct kvm_machine *machine, char ret_words[static KVM_MACHINE_WHY_MAX]) {
        const struct kvm_run *run = machine->run;

        if (machine->error)
                snprintf(ret_words, KVM_MACHINE_WHY_MAX, "KVM_RUN: %s", strerror(machine->error));
        else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
                snprintf(ret_words, KVM_MACHINE_WHY_MAX, "KVM cannot enter the guest: hardware reason 0x%llx",
                         (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
                snprintf(ret_words, KVM_MACHINE_WHY_MAX, "KVM's internal error %u", run->internal.suberror);
        else
                snprintf(ret_words, KVM_MACHINE_WHY_MAX, "KVM's exit %u, which is not expected", run->exit_reason);
}

bool kvm_machine_read_cpu(struct kvm_machine *machine, struct kvm_cpu_state *ret_state) {
        struct kvm_mp_state mp_state;
        struct kvm_sregs sregs;
        struct kvm_regs regs;

        if (ioctl(machine->vcpu, KVM_GET_REGS, &regs) || ioctl(machine->vcpu, KVM_GET_SREGS, &sregs) ||
            ioctl(machine->vcpu, KVM_GET_MP_STATE, &mp_state))
                return false;
        *ret_state = (struct kvm_cpu_state){
                .rip = sregs.cs.base + regs.rip,
                .rflags = regs.rflags,
                .is_halted = mp_state.mp_state == KVM_MP_STATE_HALTED,
                .has_interrupts = regs.rflags & 1 << 9,
                .has_empty_idt = !sregs.idt.limit,
        };
        return true;
}

void kvm_machine_kick(struct kvm_machine *machine) {
        __atomic_store_n(&machine->run->immediate_exit, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&machine->has_runner, __ATOMIC_ACQUIRE))
                pthread_kill(machine->runner, SIGUSR1);
}

void kvm_machine_set_interrupt(struct kvm_machine *machine, unsigned line, bool level) {
        struct kvm_irq_level irq = { .irq = line, .level = level };

        ioctl(machine->vm, KVM_IRQ_LINE, &irq);
}
