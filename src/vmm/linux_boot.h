/*
 * Linux boot: a kernel, an initrd and a command line, as they were named on the command line, and their way into a guest's memory.
 *
 * Knows where in memory each goes, and what the kernel is told of it: boot_params (the kernel's Documentation/x86/boot.rst, zero-page.rst) or PVH's start
 * info (Xen, xen/include/public/arch-x86/hvm/start_info.h).  The files stay open: each reset loads them again.  Does not know what becomes of it.
 */
#pragma once

#include "vmm/guest_memory.h"
#include "vmm/kvm_cpu.h"
#include "vmm/linux_image.h"

enum { LINUX_BOOT_WHY_MAX = LINUX_IMAGE_WHY_MAX + 64 };

struct linux_boot {
        int kernel, initrd; /* -1: none */
        uint64_t n_initrd;
        const char *command_line; /* borrowed */
        struct linux_image image;
};

/* `initrd`: NULL: none.  0, or -errno and why. */
int linux_boot_open(struct linux_boot *boot, const char *kernel, const char *initrd, const char *command_line,
                    char ret_why[static LINUX_BOOT_WHY_MAX]);
void linux_boot_close(struct linux_boot *boot);

/* The ACPI tables are at `rsdp`, within `n_tables` bytes.  0, and where the first CPU begins; or -errno and why. */
int linux_boot_load(const struct linux_boot *boot, const struct guest_memory *memory, uint64_t rsdp, uint64_t n_tables, struct kvm_entry *ret_entry,
                    char ret_why[static LINUX_BOOT_WHY_MAX]);
