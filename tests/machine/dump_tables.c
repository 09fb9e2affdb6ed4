/*
 * The tables of one machine, each in a file of its own, for tables.py.
 *
 *      dump_tables DIRECTORY piix4|ich9 CPUS DEVICES
 */
#include "vmpower/acpi_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_file(const char *directory, const char *name, const uint8_t *bytes, size_t n) {
        char path[4096];
        FILE *file;
        int is_written;

        snprintf(path, sizeof(path), "%s/%s.aml", directory, name);
        file = fopen(path, "we");
        if (!file)
                return 0;
        is_written = fwrite(bytes, 1, n, file) == n;
        return !fclose(file) && is_written;
}

int main(int argc, char **argv) {
        struct acpi_tables_device devices[ACPI_TABLES_DEVICES_MAX];
        struct acpi_tables_config config = { .pm_base = 0x600, .gpe_base = 0xafe0, .pvpanic_port = 0x505, .address = 0xe0000, .devices = devices };
        struct acpi_tables tables;

        if (argc != 5)
                return 2;
        config.pm = acpi_pm_config_of(strcmp(argv[2], "ich9") ? ACPI_PM_PIIX4 : ACPI_PM_ICH9);
        config.n_cpus = (uint8_t)atoi(argv[3]);
        config.n_devices = (size_t)atoi(argv[4]);
        for (size_t i = 0; i < ACPI_TABLES_DEVICES_MAX; i++)
                devices[i] = (struct acpi_tables_device){ 0xd0000000 + (uint32_t)i * 0x1000, 0x1000, 16 + (uint32_t)i };
        if (acpi_tables_build(&tables, &config))
                return 1;
        for (enum acpi_table table = 0; table < _ACPI_TABLE_N; table++)
                if (!write_file(argv[1], acpi_table_signature(table), tables.bytes + tables.tables[table].offset, tables.tables[table].n))
                        return 1;
        return 0;
}
