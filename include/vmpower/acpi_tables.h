/*
 * ACPI tables: what tells a guest OS where the hardware of acpi_pm.h is, and what else a small PC has.
 *
 * RSDP, XSDT, FADT, FACS, MADT and a DSDT with the sleeping states, the first serial port, pvpanic, the real-time clock and the CPUs, as one block of
 * bytes for one place in the guest's memory.  Pure, as acpi_pm.h is; part of libvmpower-machine.  "ACPI" with a section is that specification,
 * version 6.5.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vmpower/acpi_pm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
        ACPI_TABLES_BYTES_MAX = 8192,
        ACPI_TABLES_CPUS_MAX = 16,
        ACPI_TABLES_DEVICES_MAX = 16,
};

/* A virtio device on its own page of memory (virtio 1.2, 4.2), found as LNRO0005. */
struct acpi_tables_device {
        uint32_t address, n_bytes;
        uint32_t interrupt; /* its GSI, triggered by an edge */
};

struct acpi_tables_config {
        struct acpi_pm_config pm;
        uint16_t pm_base;
        uint16_t gpe_base;     /* PIIX4: where its general-purpose events are; ICH9: they are in the PM block, this is ignored */
        uint16_t pvpanic_port; /* 0: there is none */
        uint8_t n_cpus;        /* 1 to ACPI_TABLES_CPUS_MAX; their APIC ids are 0, 1 … */
        const struct acpi_tables_device *devices; /* borrowed during the call */
        size_t n_devices;                         /* to ACPI_TABLES_DEVICES_MAX */
        uint32_t address;      /* where the block will be in the guest's memory: below 4 GiB, a multiple of 64; the RSDP is found there by a guest that looks for it
                                  only between 0xe0000 and 0xfffff (ACPI 5.2.5.1), else whoever starts it says where */
};

enum acpi_table {
        ACPI_TABLE_RSDP,
        ACPI_TABLE_XSDT,
        ACPI_TABLE_FADT,
        ACPI_TABLE_FACS,
        ACPI_TABLE_MADT,
        ACPI_TABLE_DSDT,
        _ACPI_TABLE_N,
};

struct acpi_tables {
        uint8_t bytes[ACPI_TABLES_BYTES_MAX];
        size_t n;
        struct {
                size_t offset, n;
        } tables[_ACPI_TABLE_N];
};

/* Four letters, as the table's own header has it ("RSDP" for the one that has none). */
const char *acpi_table_signature(enum acpi_table table);

/* 0; -EINVAL: no such machine.  The same configuration gives the same bytes. */
int acpi_tables_build(struct acpi_tables *ret_tables, const struct acpi_tables_config *config);

#ifdef __cplusplus
}
#endif
