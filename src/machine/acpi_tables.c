#include "vmpower/acpi_tables.h"

#include "machine/aml.h"

#include <errno.h>
#include <string.h>

enum {
        PORT_SMI = 0xb2,
        PORT_RESET = 0xcf9,
        RESET_VALUE = 0x06, /* SYS_RST and RST_CPU: ICH9 13.7.5 */
        PORT_SERIAL = 0x3f8,
        PORT_RTC = 0x70,
        SCI = 9,
        RTC_CENTURY = 0x32,
        ADDRESS_LOCAL_APIC = (int)0xfee00000,
        ADDRESS_IO_APIC = (int)0xfec00000,
        N_HEADER = 36,
        ALIGNMENT = 64, /* FACS asks for it: ACPI 5.2.10 */
};

const char *acpi_table_signature(enum acpi_table table) {
        static const char *const signatures[] = {
                [ACPI_TABLE_RSDP] = "RSDP", [ACPI_TABLE_XSDT] = "XSDT", [ACPI_TABLE_FADT] = "FACP",
                [ACPI_TABLE_FACS] = "FACS", [ACPI_TABLE_MADT] = "APIC", [ACPI_TABLE_DSDT] = "DSDT",
        };

        return signatures[table];
}

/* --- a table being written --------------------------------------------------------------------------------------- */

static void put(uint8_t *at, uint64_t value, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                at[i] = (uint8_t)(value >> i * 8);
}

static uint8_t checksum_of(const uint8_t *bytes, size_t n) {
        uint8_t sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += bytes[i];
        return (uint8_t)-sum;
}

static uint64_t address_of(const struct acpi_tables *tables, const struct acpi_tables_config *config, enum acpi_table table) {
        return config->address + tables->tables[table].offset;
}

/* ACPI 5.2.6: the header that all have but RSDP and FACS. */
static void finish(struct acpi_tables *tables, enum acpi_table table, uint8_t revision, size_t n) {
        uint8_t *header = tables->bytes + tables->tables[table].offset;

        tables->tables[table].n = n;
        memcpy(header, acpi_table_signature(table), 4);
        put(header + 4, n, 4);
        header[8] = revision;
        memcpy(header + 10, "VMPOWR", 6);
        memcpy(header + 16, "VMPOWER1", 8);
        put(header + 24, 1, 4);
        memcpy(header + 28, "VMPW", 4);
        put(header + 32, 1, 4);
        header[9] = 0;
        header[9] = checksum_of(header, n);
}

/* Where the next one begins.  The block is zero from there. */
static uint8_t *begin(struct acpi_tables *tables, enum acpi_table table, size_t n) {
        const size_t offset = (tables->n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

        tables->tables[table].offset = offset;
        tables->tables[table].n = n;
        tables->n = offset + n;
        return tables->bytes + offset;
}

/* --- the tables -------------------------------------------------------------------------------------------------- */

/* ACPI 5.2.5.3, revision 2: the first checksum is of the first 20 bytes, the other one of all. */
static void write_rsdp(struct acpi_tables *tables, const struct acpi_tables_config *config) {
        uint8_t *rsdp = tables->bytes + tables->tables[ACPI_TABLE_RSDP].offset;

        memcpy(rsdp, "RSD PTR ", 8);
        memcpy(rsdp + 9, "VMPOWR", 6);
        rsdp[15] = 2;
        put(rsdp + 20, 36, 4);
        put(rsdp + 24, address_of(tables, config, ACPI_TABLE_XSDT), 8);
        rsdp[8] = checksum_of(rsdp, 20);
        rsdp[32] = checksum_of(rsdp, 36);
}

/* ACPI 5.2.8. */
static void write_xsdt(struct acpi_tables *tables, const struct acpi_tables_config *config) {
        uint8_t *xsdt = tables->bytes + tables->tables[ACPI_TABLE_XSDT].offset;

        put(xsdt + N_HEADER, address_of(tables, config, ACPI_TABLE_FADT), 8);
        put(xsdt + N_HEADER + 8, address_of(tables, config, ACPI_TABLE_MADT), 8);
        finish(tables, ACPI_TABLE_XSDT, 1, N_HEADER + 16);
}

/* A generic address: ACPI 5.2.3.2.  access: 1 is bytes, 2 words, 3 double words. */
static void put_ports(uint8_t *at, uint16_t port, unsigned n_bytes, uint8_t access) {
        at[0] = 1; /* I/O space */
        at[1] = (uint8_t)(n_bytes * 8);
        at[2] = 0;
        at[3] = access;
        put(at + 4, port, 8);
}

/* ACPI 5.2.9, revision 6. */
static void write_fadt(struct acpi_tables *tables, const struct acpi_tables_config *config) {
        enum {
                FLAG_WBINVD = 1 << 0,
                FLAG_PROC_C1 = 1 << 2,
                FLAG_TMR_VAL_EXT = 1 << 8,
                FLAG_RESET_REG_SUP = 1 << 10,
                BOOT_LEGACY_DEVICES = 1 << 0,
                BOOT_NO_VGA = 1 << 2,
                N_FADT = 276,
        };
        const bool is_ich9 = config->pm.chip == ACPI_PM_ICH9;
        const uint16_t gpe = is_ich9 ? config->pm_base + ACPI_PM_ICH9_GPE0 : config->gpe_base;
        const uint8_t n_gpe = is_ich9 ? 16 : 4;
        uint8_t *fadt = tables->bytes + tables->tables[ACPI_TABLE_FADT].offset;

        put(fadt + 36, address_of(tables, config, ACPI_TABLE_FACS), 4);
        put(fadt + 40, address_of(tables, config, ACPI_TABLE_DSDT), 4);
        put(fadt + 46, SCI, 2);
        /* Both, or no way to switch: then ACPI is on from the start (ACPI 5.2.9, SMI_CMD). */
        if (config->pm.acpi_enable > 0) {
                put(fadt + 48, PORT_SMI, 4);
                fadt[52] = (uint8_t)config->pm.acpi_enable;
                fadt[53] = (uint8_t)config->pm.acpi_disable;
        }
        put(fadt + 56, config->pm_base + ACPI_PM1_STATUS, 4);
        put(fadt + 64, config->pm_base + ACPI_PM1_CONTROL, 4);
        put(fadt + 76, config->pm_base + ACPI_PM_TIMER, 4);
        put(fadt + 80, gpe, 4);
        fadt[88] = 4; /* PM1_EVT_LEN */
        fadt[89] = 2; /* PM1_CNT_LEN */
        fadt[91] = 4; /* PM_TMR_LEN */
        fadt[92] = n_gpe;
        put(fadt + 96, 0xfff, 2); /* no C2 … */
        put(fadt + 98, 0xfff, 2); /* … and no C3 */
        fadt[108] = RTC_CENTURY;
        put(fadt + 109, BOOT_LEGACY_DEVICES | BOOT_NO_VGA, 2);
        put(fadt + 112, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_RESET_REG_SUP | (config->pm.timer_is_32_bit ? FLAG_TMR_VAL_EXT : 0), 4);
        put_ports(fadt + 116, PORT_RESET, 1, 1);
        fadt[128] = RESET_VALUE;
        fadt[131] = 5; /* 6.5 */
        put(fadt + 140, address_of(tables, config, ACPI_TABLE_DSDT), 8);
        put_ports(fadt + 148, config->pm_base + ACPI_PM1_STATUS, 4, 2);
        put_ports(fadt + 172, config->pm_base + ACPI_PM1_CONTROL, 2, 2);
        put_ports(fadt + 208, config->pm_base + ACPI_PM_TIMER, 4, 3);
        put_ports(fadt + 220, gpe, n_gpe, 1);
        memcpy(fadt + 268, "VMPOWER", 8);
        finish(tables, ACPI_TABLE_FADT, 6, N_FADT);
}

/* ACPI 5.2.10: where a machine that wakes from S3 goes on is written here by its guest. */
static void write_facs(struct acpi_tables *tables) {
        uint8_t *facs = tables->bytes + tables->tables[ACPI_TABLE_FACS].offset;

        memcpy(facs, "FACS", 4);
        put(facs + 4, 64, 4);
        facs[32] = 2;
}

/* ACPI 5.2.12. */
static void write_madt(struct acpi_tables *tables, const struct acpi_tables_config *config) {
        uint8_t *madt = tables->bytes + tables->tables[ACPI_TABLE_MADT].offset, *at = madt + 44;

        put(madt + 36, (uint32_t)ADDRESS_LOCAL_APIC, 4);
        put(madt + 40, 1, 4); /* PCAT_COMPAT: there are two 8259s, too */
        for (unsigned cpu = 0; cpu < config->n_cpus; cpu++, at += 8) {
                const uint8_t local_apic[8] = { 0, 8, (uint8_t)cpu, (uint8_t)cpu, 1 };

                memcpy(at, local_apic, sizeof(local_apic));
        }
        at[0] = 1; /* the I/O APIC */
        at[1] = 12;
        at[2] = config->n_cpus;
        put(at + 4, (uint32_t)ADDRESS_IO_APIC, 4);
        at += 12;
        at[0] = 2; /* the timer's interrupt 0 is its input 2 … */
        at[1] = 10;
        put(at + 4, 2, 4);
        at += 10;
        at[0] = 2; /* … and the system control interrupt a level, active high */
        at[1] = 10;
        at[3] = SCI;
        put(at + 4, SCI, 4);
        put(at + 8, 0x0d, 2);
        at += 10;
        at[0] = 4; /* LINT1 of every CPU is its NMI */
        at[1] = 6;
        at[2] = 0xff;
        at[5] = 1;
        at += 6;
        finish(tables, ACPI_TABLE_MADT, 5, (size_t)(at - madt));
}

/* --- the DSDT ---------------------------------------------------------------------------------------------------- */

/* ACPI 7.4.2: the type for PM1a, the type for PM1b, and two that are reserved. */
static void add_sleep(struct aml *aml, const char *path, uint8_t slp_typ) {
        size_t package;

        if (slp_typ == ACPI_PM_NO_SLEEP)
                return;
        aml_name(aml, path);
        package = aml_begin_package(aml, 4);
        aml_integer(aml, slp_typ);
        aml_integer(aml, slp_typ);
        aml_integer(aml, 0);
        aml_integer(aml, 0);
        aml_end(aml, package);
}

/* The ports that it is at; interrupt 0: it has none. */
static void add_resources(struct aml *aml, uint16_t first_port, uint8_t n_ports, unsigned interrupt) {
        size_t resources;

        aml_name(aml, "_CRS");
        resources = aml_begin_resources(aml);
        aml_ports(aml, first_port, n_ports);
        if (interrupt)
                aml_isa_interrupt(aml, interrupt);
        aml_end_resources(aml, resources);
}

static void add_serial(struct aml *aml) {
        const size_t device = aml_begin_device(aml, "COM1");

        aml_name(aml, "_HID");
        aml_eisa_id(aml, "PNP0501");
        aml_name(aml, "_UID");
        aml_integer(aml, 1);
        add_resources(aml, PORT_SERIAL, 8, 4);
        aml_end(aml, device);
}

static void add_rtc(struct aml *aml) {
        const size_t device = aml_begin_device(aml, "RTC0");

        aml_name(aml, "_HID");
        aml_eisa_id(aml, "PNP0B00");
        add_resources(aml, PORT_RTC, 2, 8);
        aml_end(aml, device);
}

/* docs/specs/pvpanic of QEMU: where a guest finds it. */
static void add_pvpanic(struct aml *aml, uint16_t port) {
        const size_t device = aml_begin_device(aml, "PEVT");

        aml_name(aml, "_HID");
        aml_string(aml, "QEMU0001");
        add_resources(aml, port, 1, 0);
        aml_end(aml, device);
}

static void number_name(char name[static 5], const char *letters, unsigned number) {
        static const char digits[] = "0123456789ABCDEF";

        name[0] = letters[0];
        name[1] = letters[1];
        name[2] = digits[number >> 4 & 15];
        name[3] = digits[number & 15];
        name[4] = '\0';
}

/* ACPI 8.4: a CPU is a device, and the MADT's UID is its own. */
static void add_cpu(struct aml *aml, unsigned cpu) {
        char name[5];
        size_t device;

        number_name(name, "CP", cpu);
        device = aml_begin_device(aml, name);
        aml_name(aml, "_HID");
        aml_string(aml, "ACPI0007");
        aml_name(aml, "_UID");
        aml_integer(aml, cpu);
        aml_end(aml, device);
}

static void add_virtio(struct aml *aml, const struct acpi_tables_device *virtio, unsigned number) {
        char name[5];
        size_t device, resources;

        number_name(name, "VR", number);
        device = aml_begin_device(aml, name);
        aml_name(aml, "_HID");
        aml_string(aml, "LNRO0005");
        aml_name(aml, "_UID");
        aml_integer(aml, number);
        aml_name(aml, "_CCA");
        aml_integer(aml, 1);
        aml_name(aml, "_CRS");
        resources = aml_begin_resources(aml);
        aml_memory(aml, virtio->address, virtio->n_bytes);
        aml_edge_interrupt(aml, virtio->interrupt);
        aml_end_resources(aml, resources);
        aml_end(aml, device);
}

static void write_dsdt(struct aml *aml, const struct acpi_tables_config *config) {
        size_t scope;

        add_sleep(aml, "\\_S1_", config->pm.slp_typ[ACPI_PM_S1]);
        add_sleep(aml, "\\_S3_", config->pm.slp_typ[ACPI_PM_S3]);
        add_sleep(aml, "\\_S4_", config->pm.slp_typ[ACPI_PM_S4]);
        add_sleep(aml, "\\_S5_", config->pm.slp_typ[ACPI_PM_S5]);
        scope = aml_begin_scope(aml, "\\_SB_");
        add_serial(aml);
        add_rtc(aml);
        if (config->pvpanic_port)
                add_pvpanic(aml, config->pvpanic_port);
        for (unsigned cpu = 0; cpu < config->n_cpus; cpu++)
                add_cpu(aml, cpu);
        for (size_t i = 0; i < config->n_devices; i++)
                add_virtio(aml, &config->devices[i], (unsigned)i);
        aml_end(aml, scope);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static bool is_possible(const struct acpi_tables_config *config) {
        for (size_t i = 0; i < _ACPI_PM_SLEEP_N; i++)
                if (config->pm.slp_typ[i] > 7 && config->pm.slp_typ[i] != ACPI_PM_NO_SLEEP)
                        return false;
        return config->pm.chip <= ACPI_PM_ICH9 && config->n_cpus >= 1 && config->n_cpus <= ACPI_TABLES_CPUS_MAX &&
               config->n_devices <= ACPI_TABLES_DEVICES_MAX && config->address % ALIGNMENT == 0 &&
               config->address <= UINT32_MAX - ACPI_TABLES_BYTES_MAX && config->pm_base &&
               config->pm_base <= UINT16_MAX - ACPI_PM_PORTS_ICH9 && (config->gpe_base || config->pm.chip == ACPI_PM_ICH9);
}

int acpi_tables_build(struct acpi_tables *ret_tables, const struct acpi_tables_config *config) {
        struct acpi_tables *tables = ret_tables;
        struct aml aml;

        if (!is_possible(config))
                return -EINVAL;
        memset(tables, 0, sizeof(*tables));
        begin(tables, ACPI_TABLE_RSDP, 36);
        begin(tables, ACPI_TABLE_XSDT, N_HEADER + 16);
        begin(tables, ACPI_TABLE_FADT, 276);
        begin(tables, ACPI_TABLE_FACS, 64);
        begin(tables, ACPI_TABLE_MADT, 44 + 8 * (size_t)config->n_cpus + 12 + 10 + 10 + 6);
        aml.bytes = begin(tables, ACPI_TABLE_DSDT, N_HEADER) + N_HEADER;
        aml.n = 0;
        aml.n_max = ACPI_TABLES_BYTES_MAX - tables->n;
        aml.is_too_long = false;
        write_dsdt(&aml, config);
        if (aml.is_too_long)
                return -EINVAL;
        tables->n += aml.n;
        finish(tables, ACPI_TABLE_DSDT, 2, N_HEADER + aml.n);
        write_facs(tables);
        write_madt(tables, config);
        write_fadt(tables, config);
        write_xsdt(tables, config);
        write_rsdp(tables, config);
        return 0;
}
