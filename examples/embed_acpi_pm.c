/*
 * The ACPI power-management device in a monitor of your own: a guest under KVM writes SLP_TYP|SLP_EN for S5, and the monitor knows why it stops.
 *
 *      cc embed_acpi_pm.c $(pkg-config --cflags --libs vmpower-machine) -o embed_acpi_pm && ./embed_acpi_pm
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <vmpower/acpi_pm.h>

enum { PM_BASE = 0x600, MEMORY = 0x1000 };

/* mov dx, PM_BASE + ACPI_PM1_CONTROL; mov ax, 0x2001 (S5 is type 0 here, 0x2000 is SLP_EN); out dx, ax; hlt */
static const unsigned char guest[] = { 0xba, 0x04, 0x06, 0xb8, 0x01, 0x20, 0xef, 0xf4 };

static void need(int is_so, const char *what) {
        if (!is_so) {
                perror(what);
                exit(77); /* no KVM here */
        }
}

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(void) {
        const struct acpi_pm_config config = acpi_pm_config_of(ACPI_PM_PIIX4);
        int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0), vcpu;
        void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct kvm_userspace_memory_region region = { .memory_size = MEMORY, .userspace_addr = (uint64_t)memory };
        struct kvm_regs regs = { .rflags = 2 };
        struct kvm_sregs sregs;
        struct kvm_run *run;
        struct acpi_pm pm;

        need(vm >= 0 && memory != MAP_FAILED, "/dev/kvm");
        memcpy(memory, guest, sizeof(guest));
        need(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) && (vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) >= 0, "KVM_CREATE_VCPU");
        run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
        need(run != MAP_FAILED && !ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
        sregs.cs.base = sregs.cs.selector = 0;
        need(!ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");

        acpi_pm_init(&pm, &config, now_ns());
        /* What firmware does: the block is at PM_BASE, and switched on. */
        acpi_pm_config_write(&pm, 0x41, PM_BASE >> 8);
        acpi_pm_config_write(&pm, 0x80, 1);

        while (!ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_OUT) {
                const int offset = run->io.port - acpi_pm_base(&pm);
                uint32_t value = 0;

                memcpy(&value, (char *)run + run->io.data_offset, run->io.size);
                if (acpi_pm_write(&pm, (unsigned)offset, run->io.size, value, now_ns()) == ACPI_PM_POWER_OFF) {
                        printf("powered off by its guest: 0x%x written to port 0x%x\n", value, run->io.port);
                        return EXIT_SUCCESS;
                }
        }
        fprintf(stderr, "it stopped, and did not say why: KVM's exit %u\n", run->exit_reason);
        return EXIT_FAILURE;
}
