#include "vmm/firmware.h"

#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MIB (UINT64_C(1) << 20)

enum {
        AT_TABLES = 0xe0000,
        PAGE = 4096,
        GPE_BASE = 0xafe0,
        FACS_WAKING_VECTOR = 12, /* ACPI 6.5, 5.2.10 */
};

/* --- a ROM ------------------------------------------------------------------------------------------------------- */

int firmware_open_rom(struct firmware *firmware, const char *path, char ret_why[static FIRMWARE_WHY_MAX]) {
        cleanup(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat about;

        firmware->boot.kernel = firmware->boot.initrd = -1;
        if (fd < 0 || fstat(fd, &about)) {
                snprintf(ret_why, FIRMWARE_WHY_MAX, "%.150s: %s", path, strerror(errno));
                return -errno;
        }
        if (!S_ISREG(about.st_mode) || about.st_size <= 0 || about.st_size > FIRMWARE_ROM_MAX || about.st_size % PAGE) {
                snprintf(ret_why, FIRMWARE_WHY_MAX, "%.120s: no firmware: a file of 4 KiB to 1 MiB, in whole pages, is wanted", path);
                return -EINVAL;
        }
        firmware->n_rom = (size_t)about.st_size;
        firmware->rom = malloc(firmware->n_rom);
        if (!firmware->rom || linux_image_pread(fd, firmware->rom, firmware->n_rom, 0)) {
                snprintf(ret_why, FIRMWARE_WHY_MAX, "%.150s: cannot be read", path);
                return -EIO;
        }
        return 0;
}

/* --- a kernel ---------------------------------------------------------------------------------------------------- */

int firmware_open_kernel(struct firmware *firmware, const char *kernel, const char *initrd, const char *command_line,
                         char ret_why[static FIRMWARE_WHY_MAX]) {
        return linux_boot_open(&firmware->boot, kernel, initrd, command_line, ret_why);
}

void firmware_close(struct firmware *firmware) {
        free(firmware->rom);
        firmware->rom = NULL;
        linux_boot_close(&firmware->boot);
}

/* --- what firmware would have done ------------------------------------------------------------------------------- */

void firmware_write_tables(struct firmware *firmware, const struct board *board, unsigned n_cpus, const struct acpi_tables_device *devices,
                           size_t n_devices) {
        const struct acpi_tables_config config = {
                .pm = board->pm.config,
                .pm_base = FIRMWARE_PM_BASE,
                .gpe_base = GPE_BASE,
                .pvpanic_port = PVPANIC_PORT,
                .n_cpus = (uint8_t)n_cpus,
                .devices = devices,
                .n_devices = n_devices,
                .address = AT_TABLES,
        };
        int r = acpi_tables_build(&firmware->tables, &config);

        assert(!r);
        (void)r;
}

int firmware_dump_tables(const struct firmware *firmware, const char *directory) {
        for (enum acpi_table table = 0; table < _ACPI_TABLE_N; table++) {
                cleanup(freep) char *path = NULL;
                FILE *file;
                bool is_written;

                if (asprintf(&path, "%s/%s.aml", directory, acpi_table_signature(table)) < 0)
                        return -ENOMEM;
                file = fopen(path, "we");
                if (!file)
                        return -errno;
                is_written = fwrite(firmware->tables.bytes + firmware->tables.tables[table].offset, 1, firmware->tables.tables[table].n, file) ==
                             firmware->tables.tables[table].n;
                if (fclose(file) || !is_written)
                        return -EIO;
        }
        return 0;
}

/* Where the PM block is, and that it is there: PIIX4 7.1, ICH9 13.1. */
static void set_pm_base(struct board *board) {
        const bool is_ich9 = board->pm.config.chip == ACPI_PM_ICH9;

        acpi_pm_config_write(&board->pm, 0x40, FIRMWARE_PM_BASE & 0xff);
        acpi_pm_config_write(&board->pm, 0x41, FIRMWARE_PM_BASE >> 8);
        acpi_pm_config_write(&board->pm, is_ich9 ? 0x44 : 0x80, is_ich9 ? 0x80 : 0x01);
}

/* False: its guest has said nowhere to go on. */
static bool find_waking_vector(const struct firmware *firmware, const struct guest_memory *memory, struct kvm_entry *ret_entry) {
        const uint8_t *facs = guest_memory_at(memory, AT_TABLES + firmware->tables.tables[ACPI_TABLE_FACS].offset, 64);
        uint32_t vector = 0;

        if (facs)
                memcpy(&vector, facs + FACS_WAKING_VECTOR, sizeof(vector));
        *ret_entry = (struct kvm_entry){ .kind = KVM_ENTRY_REAL, .address = vector };
        return vector && vector < MIB;
}

int firmware_begin(const struct firmware *firmware, struct board *board, const struct guest_memory *memory, bool is_wake, struct kvm_entry *ret_entry,
                   char ret_why[static FIRMWARE_WHY_MAX]) {
        uint8_t *tables;

        *ret_entry = (struct kvm_entry){ .kind = KVM_ENTRY_RESET };
        if (firmware->rom || (is_wake && find_waking_vector(firmware, memory, ret_entry)))
                return 0;
        set_pm_base(board);
        tables = guest_memory_at(memory, AT_TABLES, firmware->tables.n);
        if (tables)
                memcpy(tables, firmware->tables.bytes, firmware->tables.n);
        return linux_boot_load(&firmware->boot, memory, AT_TABLES, (firmware->tables.n + PAGE - 1) / PAGE * PAGE, ret_entry, ret_why);
}
