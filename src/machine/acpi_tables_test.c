#include "vmpower/acpi_tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ADDRESS = 0xe0000 };

static struct acpi_tables_config make(enum acpi_pm_chip chip) {
        return (struct acpi_tables_config){ .pm = acpi_pm_config_of(chip), .pm_base = 0x600, .gpe_base = 0xafe0, .pvpanic_port = 0x505,
                                            .n_cpus = 1, .address = ADDRESS };
}

static uint64_t number(const uint8_t *at, unsigned n) {
        uint64_t value = 0;

        for (unsigned i = n; i-- > 0;)
                value = value << 8 | at[i];
        return value;
}

static uint8_t sum(const uint8_t *bytes, size_t n) {
        uint8_t all = 0;

        for (size_t i = 0; i < n; i++)
                all += bytes[i];
        return all;
}

static const uint8_t *bytes_of(const struct acpi_tables *tables, enum acpi_table table) {
        return tables->bytes + tables->tables[table].offset;
}

static uint64_t address_of(const struct acpi_tables *tables, enum acpi_table table) {
        return ADDRESS + tables->tables[table].offset;
}

static void every_table_is_whole_and_in_its_place(const struct acpi_tables *tables) {
        for (enum acpi_table table = 0; table < _ACPI_TABLE_N; table++) {
                const uint8_t *bytes = bytes_of(tables, table);
                const size_t n = tables->tables[table].n;

                assert_true(tables->tables[table].offset % 64 == 0 && tables->tables[table].offset + n <= tables->n);
                if (table)
                        assert_true(tables->tables[table].offset >= tables->tables[table - 1].offset + tables->tables[table - 1].n);
                if (table == ACPI_TABLE_RSDP)
                        continue;
                assert_memory_equal(bytes, acpi_table_signature(table), 4);
                assert_int_equal(number(bytes + 4, 4), n);
                if (table != ACPI_TABLE_FACS)
                        assert_int_equal(sum(bytes, n), 0);
        }
        assert_memory_equal(bytes_of(tables, ACPI_TABLE_RSDP), "RSD PTR ", 8);
        assert_int_equal(sum(bytes_of(tables, ACPI_TABLE_RSDP), 20), 0);
        assert_int_equal(sum(bytes_of(tables, ACPI_TABLE_RSDP), 36), 0);
}

static void each_table_is_found_from_the_one_before(const struct acpi_tables *tables) {
        const uint8_t *xsdt = bytes_of(tables, ACPI_TABLE_XSDT), *fadt = bytes_of(tables, ACPI_TABLE_FADT);

        assert_int_equal(number(bytes_of(tables, ACPI_TABLE_RSDP) + 24, 8), address_of(tables, ACPI_TABLE_XSDT));
        assert_int_equal(number(xsdt + 36, 8), address_of(tables, ACPI_TABLE_FADT));
        assert_int_equal(number(xsdt + 44, 8), address_of(tables, ACPI_TABLE_MADT));
        assert_int_equal(number(fadt + 36, 4), address_of(tables, ACPI_TABLE_FACS));
        assert_int_equal(number(fadt + 40, 4), address_of(tables, ACPI_TABLE_DSDT));
        assert_int_equal(number(fadt + 140, 8), address_of(tables, ACPI_TABLE_DSDT));
}

static void a_table_for_every_machine(void **state) {
        static const struct acpi_tables_device devices[ACPI_TABLES_DEVICES_MAX];
        struct acpi_tables tables, again;

        for (unsigned n_cpus = 1; n_cpus <= ACPI_TABLES_CPUS_MAX; n_cpus++)
                for (unsigned n_devices = 0; n_devices <= ACPI_TABLES_DEVICES_MAX; n_devices += 8) {
                        struct acpi_tables_config config = make(n_cpus % 2 ? ACPI_PM_ICH9 : ACPI_PM_PIIX4);

                        config.n_cpus = (uint8_t)n_cpus;
                        config.devices = devices;
                        config.n_devices = n_devices;
                        assert_int_equal(acpi_tables_build(&tables, &config), 0);
                        every_table_is_whole_and_in_its_place(&tables);
                        each_table_is_found_from_the_one_before(&tables);
                        assert_int_equal(acpi_tables_build(&again, &config), 0);
                        assert_memory_equal(&tables, &again, sizeof(tables));
                }
}

static void the_fixed_hardware_is_where_it_is(void **state) {
        struct acpi_tables_config config = make(ACPI_PM_ICH9);
        struct acpi_tables tables;
        const uint8_t *fadt;

        config.pm.timer_is_32_bit = true;
        assert_int_equal(acpi_tables_build(&tables, &config), 0);
        fadt = bytes_of(&tables, ACPI_TABLE_FADT);
        assert_int_equal(number(fadt + 46, 2), 9);
        assert_int_equal(number(fadt + 48, 4), 0xb2);
        assert_int_equal(fadt[52], 0x02);
        assert_int_equal(fadt[53], 0x03);
        assert_int_equal(number(fadt + 56, 4), 0x600);
        assert_int_equal(number(fadt + 64, 4), 0x604);
        assert_int_equal(number(fadt + 76, 4), 0x608);
        assert_int_equal(number(fadt + 80, 4), 0x620);
        assert_int_equal(fadt[92], 16);
        assert_true(number(fadt + 112, 4) & 1 << 8);
        assert_int_equal(number(fadt + 120, 8), 0xcf9);
        assert_int_equal(fadt[128], 6);

        config = make(ACPI_PM_PIIX4);
        assert_int_equal(acpi_tables_build(&tables, &config), 0);
        fadt = bytes_of(&tables, ACPI_TABLE_FADT);
        assert_int_equal(fadt[52], 0xf1);
        assert_int_equal(number(fadt + 80, 4), 0xafe0);
        assert_int_equal(fadt[92], 4);
        assert_false(number(fadt + 112, 4) & 1 << 8);

        /* Without a way to switch, ACPI is on: no SMI command port. */
        config.pm.acpi_enable = config.pm.acpi_disable = ACPI_PM_NO_COMMAND;
        assert_int_equal(acpi_tables_build(&tables, &config), 0);
        assert_int_equal(number(bytes_of(&tables, ACPI_TABLE_FADT) + 48, 4), 0);
}

static bool has_bytes(const struct acpi_tables *tables, const void *bytes, size_t n) {
        return memmem(bytes_of(tables, ACPI_TABLE_DSDT), tables->tables[ACPI_TABLE_DSDT].n, bytes, n) != NULL;
}

static void a_sleeping_state_is_there_if_the_machine_has_it(void **state) {
        /* Name (\_S3, Package (4) { One, One, Zero, Zero }) */
        static const uint8_t s3[] = { 0x08, '\\', '_', 'S', '3', '_', 0x12, 0x06, 0x04, 0x01, 0x01, 0x00, 0x00 };
        /* Name (\_S5, Package (4) { 7, 7, Zero, Zero }) */
        static const uint8_t s5[] = { 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x07, 0x0a, 0x07, 0x00, 0x00 };
        struct acpi_tables_config config = make(ACPI_PM_PIIX4);
        struct acpi_tables tables;

        config.pm.slp_typ[ACPI_PM_S5] = 7;
        assert_int_equal(acpi_tables_build(&tables, &config), 0);
        assert_true(has_bytes(&tables, s3, sizeof(s3)));
        assert_true(has_bytes(&tables, s5, sizeof(s5)));
        assert_false(has_bytes(&tables, "_S1_", 4));
        assert_true(has_bytes(&tables, "QEMU0001", 8));
        config.pm.slp_typ[ACPI_PM_S3] = ACPI_PM_NO_SLEEP;
        config.pvpanic_port = 0;
        assert_int_equal(acpi_tables_build(&tables, &config), 0);
        assert_false(has_bytes(&tables, "_S3_", 4));
        assert_false(has_bytes(&tables, "QEMU0001", 8));
}

static void what_is_no_machine_gets_no_tables(void **state) {
        struct acpi_tables tables;

#define REFUSES(change)                                                            \
        do {                                                                       \
                struct acpi_tables_config config = make(ACPI_PM_PIIX4);            \
                change;                                                            \
                assert_int_equal(acpi_tables_build(&tables, &config), -EINVAL);    \
        } while (0)
        REFUSES(config.n_cpus = 0);
        REFUSES(config.n_cpus = ACPI_TABLES_CPUS_MAX + 1);
        REFUSES(config.n_devices = ACPI_TABLES_DEVICES_MAX + 1);
        REFUSES(config.address = 0xe0020);
        REFUSES(config.address = 0xffffffc0);
        REFUSES(config.pm_base = 0);
        REFUSES(config.pm_base = 0xfff0);
        REFUSES(config.gpe_base = 0);
        REFUSES(config.pm.slp_typ[ACPI_PM_S3] = 8);
        REFUSES(config.pm.chip = (enum acpi_pm_chip)2);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_for_every_machine),
                cmocka_unit_test(the_fixed_hardware_is_where_it_is),
                cmocka_unit_test(a_sleeping_state_is_there_if_the_machine_has_it),
                cmocka_unit_test(what_is_no_machine_gets_no_tables),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
