#include "vmm/kvm_machine.h"

#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Three pages for KVM's own use, in nobody's way: api.rst, 4.35, 4.40. */
#define TSS_ADDRESS 0xfeffd000UL
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfeffc000)

enum {
        N_LOW_ROM_MAX = 128 << 10, /* 0xe0000 to 0xfffff */
        N_IRQCHIPS = 3,            /* the two 8259s and the I/O APIC */
        N_PIC_PINS = 8,            /* of one 8259 */
        N_LINES = 24,
};

struct kvm_machine_chips {
        struct kvm_irqchip irqchips[N_IRQCHIPS];
        struct kvm_pit_state2 pit;
};

static int fail(char ret_why[static KVM_MACHINE_WHY_MAX], const char *what) {
        int r = -errno;

        snprintf(ret_why, KVM_MACHINE_WHY_MAX, "%s: %s", what, strerror(errno));
        return r;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static int map(struct kvm_machine *machine, uint32_t slot, uint64_t address, uint8_t *bytes, uint64_t n, bool is_rom) {
        struct kvm_userspace_memory_region region = { .slot = slot, .flags = is_rom ? KVM_MEM_READONLY : 0, .guest_phys_addr = address,
                                                      .memory_size = n, .userspace_addr = (uint64_t)bytes };

        return n ? ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) : 0;
}

static int map_all(struct kvm_machine *machine) {
        const size_t n_low_rom = machine->n_rom < N_LOW_ROM_MAX ? machine->n_rom : N_LOW_ROM_MAX;
        const uint64_t n_low = MIB - n_low_rom, low = guest_memory_low(&machine->memory);
        uint8_t *bytes = machine->memory.bytes;

        return map(machine, 0, 0, bytes, n_low, false) ?:
               map(machine, 1, n_low, machine->rom + machine->n_rom - n_low_rom, n_low_rom, true) ?:
               map(machine, 2, MIB, bytes + MIB, low - MIB, false) ?:
               map(machine, 3, GUEST_MEMORY_HIGH, bytes + low, guest_memory_high(&machine->memory), false) ?:
               map(machine, 4, 4 * GIB - machine->n_rom, machine->rom, machine->n_rom, true);
}

static uint8_t *allocate(uint64_t n) {
        void *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        return bytes == MAP_FAILED ? NULL : bytes;
}

/* --- chips ------------------------------------------------------------------------------------------------------- */

/*
 * The lines of a PC: 0 to 15 go to the 8259s and to the I/O APIC's inputs of the same number, but for the timer, which is that one's input 2 (where nothing
 * else can be: it is the second 8259's); those beyond go to the I/O APIC alone.
 */
static int route(struct kvm_machine *machine) {
        struct {
                struct kvm_irq_routing head;
                struct kvm_irq_routing_entry entries[2 * N_LINES];
        } routing = { 0 };
        uint32_t *n = &routing.head.nr;

        for (uint32_t line = 0; line < N_LINES; line++) {
                if (line < 2 * N_PIC_PINS)
                        routing.entries[(*n)++] = (struct kvm_irq_routing_entry){ .gsi = line, .type = KVM_IRQ_ROUTING_IRQCHIP,
                                .u.irqchip = { line < N_PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, line % N_PIC_PINS } };
                if (line != 2)
                        routing.entries[(*n)++] = (struct kvm_irq_routing_entry){ .gsi = line, .type = KVM_IRQ_ROUTING_IRQCHIP,
                                .u.irqchip = { KVM_IRQCHIP_IOAPIC, line ? line : 2 } };
        }
        return ioctl(machine->vm, KVM_SET_GSI_ROUTING, &routing);
}

static int make_vm(struct kvm_machine *machine) {
        const uint64_t identity_map = IDENTITY_MAP_ADDRESS;
        struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
        /* A tick that a guest has missed is not made up for: it has other clocks.  And KVM takes ten milliseconds to end a timer that would. */
        const struct kvm_reinject_control reinject = { .pit_reinject = 0 };

        machine->vm = ioctl(machine->kvm, KVM_CREATE_VM, 0);
        return machine->vm < 0 ? -1
                               : ioctl(machine->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) ?:
                                 ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) ?:
                                 ioctl(machine->vm, KVM_CREATE_IRQCHIP, 0) ?: route(machine) ?: ioctl(machine->vm, KVM_CREATE_PIT2, &pit) ?:
                                 ioctl(machine->vm, KVM_REINJECT_CONTROL, &reinject);
}

static int read_chips(struct kvm_machine *machine) {
        struct kvm_machine_chips *chips = machine->chips = calloc(1, sizeof(*chips));

        if (!chips) {
                errno = ENOMEM;
                return -1;
        }
        for (uint32_t i = 0; i < N_IRQCHIPS; i++) {
                chips->irqchips[i].chip_id = i;
                if (ioctl(machine->vm, KVM_GET_IRQCHIP, &chips->irqchips[i]))
                        return -1;
        }
        return ioctl(machine->vm, KVM_GET_PIT2, &chips->pit);
}

int kvm_machine_reset(struct kvm_machine *machine, const struct kvm_entry *entry) {
        struct kvm_machine_chips *chips = machine->chips;
        int r = 0;

        for (uint32_t i = 0; !r && i < N_IRQCHIPS; i++)
                r = ioctl(machine->vm, KVM_SET_IRQCHIP, &chips->irqchips[i]);
        r = r ?: ioctl(machine->vm, KVM_SET_PIT2, &chips->pit);
        for (unsigned i = 0; !r && i < machine->n_cpus; i++)
                r = kvm_cpu_reset(&machine->cpus[i], i ? NULL : entry);
        return r ? -errno : 0;
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static int make_cpus(struct kvm_machine *machine, unsigned n_cpus) {
        for (unsigned i = 0; i < n_cpus; i++) {
                machine->n_cpus = i + 1;
                if (kvm_cpu_open(&machine->cpus[i], machine->kvm, machine->vm, i, n_cpus))
                        return -1;
        }
        return 0;
}

static int open_all(struct kvm_machine *machine, unsigned n_cpus, char ret_why[static KVM_MACHINE_WHY_MAX]) {
        machine->memory.bytes = allocate(machine->memory.n);
        if (machine->n_rom)
                machine->rom = allocate(machine->n_rom);
        if (!machine->memory.bytes || (machine->n_rom && !machine->rom))
                return fail(ret_why, "the guest's memory");
        machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        if (machine->kvm < 0)
                return fail(ret_why, "/dev/kvm");
        if (make_vm(machine))
                return fail(ret_why, "KVM makes no VM");
        if (map_all(machine))
                return fail(ret_why, "KVM takes no memory");
        if (make_cpus(machine, n_cpus) || read_chips(machine))
                return fail(ret_why, "KVM makes no CPU");
        return 0;
}

int kvm_machine_open(struct kvm_machine **ret_machine, unsigned n_mib, unsigned n_cpus, const uint8_t *rom, size_t n_rom,
                     char ret_why[static KVM_MACHINE_WHY_MAX]) {
        struct kvm_machine *machine = calloc(1, sizeof(*machine));
        int r;

        assert(n_mib >= 1 && n_mib <= KVM_MACHINE_MIB_MAX && n_cpus >= 1 && n_cpus <= KVM_CPUS_MAX && n_rom <= KVM_MACHINE_ROM_MAX && n_rom % 4096 == 0);
        if (!machine) {
                errno = ENOMEM;
                return fail(ret_why, "memory");
        }
        machine->kvm = machine->vm = -1;
        for (unsigned i = 0; i < KVM_CPUS_MAX; i++)
                machine->cpus[i].fd = machine->cpus[i].stats = -1;
        machine->memory.n = n_mib * MIB;
        machine->n_rom = n_rom;
        r = open_all(machine, n_cpus, ret_why);
        if (r) {
                kvm_machine_close(machine);
                return r;
        }
        if (n_rom)
                memcpy(machine->rom, rom, n_rom);
        *ret_machine = machine;
        return 0;
}

struct kvm_machine *kvm_machine_close(struct kvm_machine *machine) {
        if (!machine)
                return NULL;
        for (unsigned i = 0; i < machine->n_cpus; i++)
                kvm_cpu_close(&machine->cpus[i]);
        close_fd(&machine->vm);
        close_fd(&machine->kvm);
        if (machine->memory.bytes)
                munmap(machine->memory.bytes, machine->memory.n);
        if (machine->rom)
                munmap(machine->rom, machine->n_rom);
        free(machine->chips);
        free(machine);
        return NULL;
}

/* --- interrupts and notifications -------------------------------------------------------------------------------- */

void kvm_machine_set_interrupt(struct kvm_machine *machine, unsigned line, bool level) {
        struct kvm_irq_level irq = { .irq = line, .level = level };

        ioctl(machine->vm, KVM_IRQ_LINE, &irq);
}

int kvm_machine_add_interrupt(struct kvm_machine *machine, unsigned line, int fd) {
        const struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = line };

        return ioctl(machine->vm, KVM_IRQFD, &irqfd) ? -errno : 0;
}

int kvm_machine_add_notify(struct kvm_machine *machine, uint64_t address, int fd) {
        const struct kvm_ioeventfd notify = { .addr = address, .len = 4, .fd = fd };

        return ioctl(machine->vm, KVM_IOEVENTFD, &notify) ? -errno : 0;
}
