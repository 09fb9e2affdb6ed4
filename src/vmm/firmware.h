/*
 * Firmware: what there is before a guest's first instruction: a ROM, or, where a kernel is loaded, what a PC's firmware would have done for it: the PM base, the
 * ACPI tables, and the way out of S3.
 *
 * Knows where the tables are.  Does not know who runs the CPU.
 */
#pragma once

#include "vmm/board.h"
#include "vmm/guest_memory.h"
#include "vmm/linux_boot.h"
#include "vmpower/acpi_tables.h"

enum {
        FIRMWARE_WHY_MAX = LINUX_BOOT_WHY_MAX,
        FIRMWARE_ROM_MAX = 1 << 20,
        FIRMWARE_PM_BASE = 0x600,
};

struct firmware {
        uint8_t *rom; /* owned; NULL: a kernel is loaded */
        size_t n_rom;
        struct linux_boot boot;
        struct acpi_tables tables;
};

/* A ROM: 4 KiB to FIRMWARE_ROM_MAX, in whole pages.  0, or -errno and why. */
int firmware_open_rom(struct firmware *firmware, const char *path, char ret_why[static FIRMWARE_WHY_MAX]);

/* A kernel; `initrd`: NULL: none. */
int firmware_open_kernel(struct firmware *firmware, const char *kernel, const char *initrd, const char *command_line,
                         char ret_why[static FIRMWARE_WHY_MAX]);

void firmware_close(struct firmware *firmware);

/* The tables of a machine with this board, so many CPUs and these virtio devices (borrowed during the call). */
void firmware_write_tables(struct firmware *firmware, const struct board *board, unsigned n_cpus, const struct acpi_tables_device *devices,
                           size_t n_devices);
/* Each in a file of its own: DIRECTORY/FACP.aml.  0 or -errno. */
int firmware_dump_tables(const struct firmware *firmware, const char *directory);

/* At power on, after each reset, and out of S3 (`is_wake`).  0, and where the first CPU begins; or -errno and why. */
int firmware_begin(const struct firmware *firmware, struct board *board, const struct guest_memory *memory, bool is_wake, struct kvm_entry *ret_entry,
                   char ret_why[static FIRMWARE_WHY_MAX]);
