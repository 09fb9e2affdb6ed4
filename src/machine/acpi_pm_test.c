#include "vmpower/acpi_pm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S  UINT64_C(1000000000)
#define YEAR (UINT64_C(365) * 86400 * S)

static struct acpi_pm make_of(enum acpi_pm_chip chip) {
        const struct acpi_pm_config config = acpi_pm_config_of(chip);
        struct acpi_pm pm;

        acpi_pm_init(&pm, &config, 0);
        return pm;
}

static struct acpi_pm make(void) {
        return make_of(ACPI_PM_PIIX4);
}

static uint32_t read16(const struct acpi_pm *pm, unsigned offset) {
        return acpi_pm_read(pm, offset, 2, 0);
}

static enum acpi_pm_request write16(struct acpi_pm *pm, unsigned offset, uint32_t value) {
        return acpi_pm_write(pm, offset, 2, value, 0);
}

/* --- sleep ------------------------------------------------------------------------------------------------------- */

static void a_sleep_type_with_slp_en_is_a_request(void **state) {
        static const struct {
                uint32_t value;
                enum acpi_pm_request request;
        } cases[] = {
                { 0x2000, ACPI_PM_POWER_OFF }, { 0x2001, ACPI_PM_POWER_OFF }, { 0x2400, ACPI_PM_SUSPEND }, { 0x2800, ACPI_PM_HIBERNATE },
                { 0x2c00, ACPI_PM_NOTHING },   { 0x3c00, ACPI_PM_NOTHING },   { 0x0400, ACPI_PM_NOTHING }, { 0x0001, ACPI_PM_NOTHING },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct acpi_pm pm = make();

                assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, cases[i].value), cases[i].request);
                /* SLP_EN is never read; the type is kept, for whatever it was. */
                assert_int_equal(read16(&pm, ACPI_PM1_CONTROL), cases[i].value & ~0x2000U);
        }
}

/* ACPICA writes the type first, and then the type with SLP_EN. */
static void the_types_are_those_that_the_tables_give(void **state) {
        struct acpi_pm_config config = acpi_pm_config_of(ACPI_PM_ICH9);
        struct acpi_pm pm;

        config.slp_typ[ACPI_PM_S1] = 1;
        config.slp_typ[ACPI_PM_S3] = 5;
        config.slp_typ[ACPI_PM_S4] = 6;
        config.slp_typ[ACPI_PM_S5] = 7;
        acpi_pm_init(&pm, &config, 0);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 7 << 10), ACPI_PM_NOTHING);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 7 << 10 | 0x2000), ACPI_PM_POWER_OFF);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 6 << 10 | 0x2000), ACPI_PM_HIBERNATE);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 5 << 10 | 0x2000), ACPI_PM_SUSPEND);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 1 << 10 | 0x2000), ACPI_PM_STANDBY);
        assert_int_equal(write16(&pm, ACPI_PM1_CONTROL, 0 << 10 | 0x2000), ACPI_PM_NOTHING);
}

static void control_is_written_by_bytes_too(void **state) {
        struct acpi_pm pm = make();

        assert_int_equal(acpi_pm_write(&pm, ACPI_PM1_CONTROL, 1, 0x01, 0), ACPI_PM_NOTHING);
        assert_int_equal(acpi_pm_write(&pm, ACPI_PM1_CONTROL + 1, 1, 0x24, 0), ACPI_PM_SUSPEND);
        assert_int_equal(read16(&pm, ACPI_PM1_CONTROL), 0x0401);
        /* And together with the register before it. */
        assert_int_equal(acpi_pm_write(&pm, ACPI_PM1_ENABLE, 4, 0x20010100, 0), ACPI_PM_POWER_OFF);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_ENABLE, 4, 0), 0x00010100);
}

static void what_is_reserved_or_only_written_reads_as_zero(void **state) {
        struct acpi_pm pm = make();

        write16(&pm, ACPI_PM1_CONTROL, 0xdfff);
        assert_int_equal(read16(&pm, ACPI_PM1_CONTROL), 0x1c03);
        write16(&pm, ACPI_PM1_ENABLE, 0xffff);
        assert_int_equal(read16(&pm, ACPI_PM1_ENABLE), 0x0721);
}

static void a_hardware_reduced_machine_sleeps_by_its_own_register(void **state) {
        struct acpi_pm pm = make();

        assert_int_equal(acpi_pm_sleep_control_write(&pm, 1 << 2), ACPI_PM_NOTHING);
        assert_int_equal(acpi_pm_sleep_control_write(&pm, 0x20 | 1 << 2), ACPI_PM_SUSPEND);
        assert_int_equal(acpi_pm_sleep_control_read(&pm), 1 << 2);
        assert_int_equal(acpi_pm_sleep_control_write(&pm, 0x20), ACPI_PM_POWER_OFF);
        assert_int_equal(acpi_pm_sleep_status_read(&pm), 0);
        acpi_pm_wake(&pm);
        assert_int_equal(acpi_pm_sleep_status_read(&pm), ACPI_PM_SLEEP_STATUS_WAKE);
        acpi_pm_sleep_status_write(&pm, 0x7f);
        assert_int_equal(acpi_pm_sleep_status_read(&pm), ACPI_PM_SLEEP_STATUS_WAKE);
        acpi_pm_sleep_status_write(&pm, ACPI_PM_SLEEP_STATUS_WAKE);
        assert_int_equal(acpi_pm_sleep_status_read(&pm), 0);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void a_button_is_seen_by_all_and_heard_by_who_has_enabled_it(void **state) {
        struct acpi_pm pm = make();

        acpi_pm_press_power_button(&pm);
        acpi_pm_press_sleep_button(&pm);
        acpi_pm_rtc_alarm(&pm);
        assert_int_equal(read16(&pm, ACPI_PM1_STATUS), 0x0700);
        assert_false(acpi_pm_interrupt(&pm, 0));
        write16(&pm, ACPI_PM1_ENABLE, ACPI_PM1_POWER_BUTTON);
        assert_true(acpi_pm_interrupt(&pm, 0));
        write16(&pm, ACPI_PM1_STATUS, ACPI_PM1_POWER_BUTTON);
        assert_false(acpi_pm_interrupt(&pm, 0));
        assert_int_equal(read16(&pm, ACPI_PM1_STATUS), 0x0600);
}

static void a_guest_clears_status_by_ones_and_never_sets_it(void **state) {
        struct acpi_pm pm = make();

        write16(&pm, ACPI_PM1_STATUS, 0xffff);
        assert_int_equal(read16(&pm, ACPI_PM1_STATUS), 0);
        acpi_pm_press_power_button(&pm);
        acpi_pm_wake(&pm);
        write16(&pm, ACPI_PM1_STATUS, 0);
        assert_int_equal(read16(&pm, ACPI_PM1_STATUS), 0x8100);
        acpi_pm_write(&pm, ACPI_PM1_STATUS + 1, 1, 0x80, 0);
        assert_int_equal(read16(&pm, ACPI_PM1_STATUS), 0x0100);
}

static void a_sleeping_machine_is_woken_by_its_button_or_what_was_enabled(void **state) {
        struct acpi_pm pm = make();

        acpi_pm_rtc_alarm(&pm);
        assert_false(acpi_pm_wants_wake(&pm, 0));
        write16(&pm, ACPI_PM1_ENABLE, ACPI_PM1_RTC);
        assert_true(acpi_pm_wants_wake(&pm, 0));

        pm = make();
        acpi_pm_press_power_button(&pm);
        assert_true(acpi_pm_wants_wake(&pm, 0));

        pm = make();
        write16(&pm, ACPI_PM1_ENABLE, ACPI_PM1_TIMER);
        assert_false(acpi_pm_wants_wake(&pm, 10 * S));
}

static void general_purpose_events_have_their_own_status_and_enable(void **state) {
        struct acpi_pm piix4 = make(), ich9 = make_of(ACPI_PM_ICH9);
        uint8_t bytes[ACPI_PM_SAVED_BYTES];

        acpi_pm_raise_gpe(&piix4, 8);
        acpi_pm_raise_gpe(&piix4, 9);
        acpi_pm_raise_gpe(&piix4, 16);
        acpi_pm_save(&piix4, 0, bytes);
        assert_int_equal(acpi_pm_restore(&piix4, 0, bytes, sizeof(bytes)), 0);
        assert_int_equal(acpi_pm_gpe_read(&piix4, 0, 4), 0x00000300);
        assert_false(acpi_pm_interrupt(&piix4, 0));
        acpi_pm_gpe_write(&piix4, 3, 1, 0x02);
        assert_true(acpi_pm_interrupt(&piix4, 0));
        acpi_pm_gpe_write(&piix4, 0, 2, 0x0200);
        assert_false(acpi_pm_interrupt(&piix4, 0));
        assert_int_equal(acpi_pm_gpe_read(&piix4, 0, 4), 0x02000100);
        assert_int_equal(acpi_pm_gpe_read(&piix4, 4, 4), 0xffffffff);

        acpi_pm_raise_gpe(&ich9, 63);
        acpi_pm_raise_gpe(&ich9, 64);
        acpi_pm_raise_gpe(&ich9, UINT32_MAX);
        assert_int_equal(acpi_pm_read(&ich9, ACPI_PM_ICH9_GPE0 + 7, 1, 0), 0x80);
        acpi_pm_write(&ich9, ACPI_PM_ICH9_GPE0 + 12, 4, 0x80000000, 0);
        assert_true(acpi_pm_interrupt(&ich9, 0));
        assert_int_equal(acpi_pm_gpe_read(&ich9, 0, 4), 0xffffffff);
}

static void acpi_is_enabled_and_disabled_by_the_smi_command_port(void **state) {
        struct acpi_pm piix4 = make(), ich9 = make_of(ACPI_PM_ICH9);

        acpi_pm_smi_write(&piix4, 0, 0x02);
        assert_false(acpi_pm_is_enabled(&piix4));
        acpi_pm_smi_write(&piix4, 0, 0xf1);
        assert_true(acpi_pm_is_enabled(&piix4));
        assert_int_equal(read16(&piix4, ACPI_PM1_CONTROL), ACPI_PM1_SCI_EN);
        acpi_pm_smi_write(&piix4, 0, 0xf0);
        assert_false(acpi_pm_is_enabled(&piix4));
        acpi_pm_smi_write(&ich9, 0, 0x02);
        assert_true(acpi_pm_is_enabled(&ich9));
        acpi_pm_smi_write(&ich9, 0, 0x03);
        assert_false(acpi_pm_is_enabled(&ich9));
        acpi_pm_smi_write(&ich9, 1, 0x55);
        assert_int_equal(acpi_pm_smi_read(&ich9, 0), 0x03);
        assert_int_equal(acpi_pm_smi_read(&ich9, 1), 0x55);
        assert_int_equal(acpi_pm_smi_read(&ich9, 2), 0xff);
}

/* --- the timer --------------------------------------------------------------------------------------------------- */

static void the_timer_counts_exactly_for_centuries(void **state) {
        struct acpi_pm pm = make();
        const uint64_t instants[] = { 0, 1, 279, 280, S - 1, S, S + 279, 3600 * S + 123456789, YEAR, 100 * YEAR + 987654321, 290 * YEAR };

        pm.config.timer_is_32_bit = true;
        for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
                unsigned __int128 ticks = (unsigned __int128)instants[i] * ACPI_PM_TIMER_HZ / S;

                assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4, instants[i]), (uint32_t)ticks);
        }
        pm.config.timer_is_32_bit = false;
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4, YEAR), (uint32_t)((unsigned __int128)YEAR * ACPI_PM_TIMER_HZ / S) & 0xffffff);
        /* By bytes. */
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER + 1, 1, S), ACPI_PM_TIMER_HZ >> 8 & 0xff);
        assert_int_equal(acpi_pm_write(&pm, ACPI_PM_TIMER, 4, 0, S), ACPI_PM_NOTHING);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4, S), ACPI_PM_TIMER_HZ);
}

static void its_carry_is_derived_from_the_time_and_stays_until_it_is_cleared(void **state) {
        struct acpi_pm pm = make();
        const uint64_t half = 1 << 23;
        const uint64_t first_ns = (half * S + ACPI_PM_TIMER_HZ - 1) / ACPI_PM_TIMER_HZ; /* 2.3 s */

        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, first_ns - 1), 0);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, first_ns), ACPI_PM1_TIMER);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, YEAR), ACPI_PM1_TIMER);
        acpi_pm_write(&pm, ACPI_PM1_STATUS, 2, ACPI_PM1_TIMER, YEAR);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, YEAR), 0);
        /* From 1 to 0 as well as from 0 to 1. */
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, YEAR + first_ns), ACPI_PM1_TIMER);
}

static void the_next_interrupt_is_known_to_the_nanosecond(void **state) {
        for (int is_32 = 0; is_32 < 2; is_32++) {
                struct acpi_pm pm = make();
                uint64_t now = 12345;

                pm.config.timer_is_32_bit = is_32;
                assert_true(acpi_pm_next_interrupt_ns(&pm, now) == UINT64_MAX);
                acpi_pm_write(&pm, ACPI_PM1_ENABLE, 2, ACPI_PM1_TIMER, now);
                for (int i = 0; i < 100; i++) {
                        uint64_t next = acpi_pm_next_interrupt_ns(&pm, now);

                        assert_true(next > now);
                        assert_false(acpi_pm_interrupt(&pm, next - 1));
                        assert_true(acpi_pm_interrupt(&pm, next));
                        assert_true(acpi_pm_next_interrupt_ns(&pm, next + 5) == next + 5);
                        now = next + (uint64_t)i * 777;
                        acpi_pm_write(&pm, ACPI_PM1_STATUS, 2, ACPI_PM1_TIMER, now);
                        assert_false(acpi_pm_interrupt(&pm, now));
                }
        }
}

/* --- where it is ------------------------------------------------------------------------------------------------- */

static void write_config(struct acpi_pm *pm, unsigned offset, unsigned n, uint32_t value) {
        for (unsigned i = 0; i < n; i++)
                assert_true(acpi_pm_config_write(pm, offset + i, (uint8_t)(value >> i * 8)));
}

static void firmware_says_where_it_is(void **state) {
        struct acpi_pm piix4 = make(), ich9 = make_of(ACPI_PM_ICH9);
        uint8_t value;

        assert_int_equal(acpi_pm_base(&piix4), -1);
        write_config(&piix4, 0x40, 4, 0xffff063f);
        assert_int_equal(acpi_pm_base(&piix4), -1);
        write_config(&piix4, 0x80, 1, 0xff);
        assert_int_equal(acpi_pm_base(&piix4), 0x600);
        assert_true(acpi_pm_config_read(&piix4, 0x40, &value));
        assert_int_equal(value, 0x01);
        assert_true(acpi_pm_config_read(&piix4, 0x42, &value));
        assert_int_equal(value, 0);
        assert_false(acpi_pm_config_read(&piix4, 0x44, &value));
        assert_false(acpi_pm_config_read(&piix4, 0x3f, &value));

        write_config(&ich9, 0x40, 4, 0xb0ff);
        write_config(&ich9, 0x44, 1, 0x7f);
        assert_int_equal(acpi_pm_base(&ich9), -1);
        write_config(&ich9, 0x44, 1, 0xff);
        assert_int_equal(acpi_pm_base(&ich9), 0xb080);
        assert_true(acpi_pm_config_read(&ich9, 0x44, &value));
        assert_int_equal(value, 0x87);
        assert_false(acpi_pm_config_write(&ich9, 0x80, 1));
}

static void where_nothing_is_ones_are_read_and_writes_are_lost(void **state) {
        struct acpi_pm pm = make();
        const struct acpi_pm before = pm;

        assert_int_equal(acpi_pm_read(&pm, 6, 2, 0), 0xffff);
        assert_int_equal(acpi_pm_read(&pm, 4, 4, 0), 0xffff0000);
        assert_int_equal(acpi_pm_read(&pm, 0x20, 4, 0), 0xffffffff);
        assert_int_equal(acpi_pm_read(&pm, 0, 3, 0), 0xffffffff);
        assert_int_equal(acpi_pm_read(&pm, UINT32_MAX, 4, 0), 0xffffffff);
        assert_int_equal(acpi_pm_read(&pm, 200, 1, 0), 0xff);
        assert_int_equal(acpi_pm_write(&pm, UINT32_MAX - 1, 4, 0x2000, 0), ACPI_PM_NOTHING);
        assert_int_equal(acpi_pm_write(&pm, 4, 8, 0x2000, 0), ACPI_PM_NOTHING);
        assert_int_equal(acpi_pm_write(&pm, 6, 2, 0x2000, 0), ACPI_PM_NOTHING);
        assert_memory_equal(&pm, &before, sizeof(pm));
}

/* --- reset, save, restore ---------------------------------------------------------------------------------------- */

static void a_reset_leaves_nothing_but_the_running_timer(void **state) {
        struct acpi_pm pm = make();

        write_config(&pm, 0x40, 2, 0x600);
        write_config(&pm, 0x80, 1, 1);
        write16(&pm, ACPI_PM1_ENABLE, 0xffff);
        acpi_pm_press_power_button(&pm);
        acpi_pm_smi_write(&pm, 0, 0xf1);
        acpi_pm_reset(&pm, 5 * S);
        assert_int_equal(acpi_pm_base(&pm), -1);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 4, 5 * S), 0);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_CONTROL, 2, 5 * S), 0);
        assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TIMER, 4, 5 * S), 5 * ACPI_PM_TIMER_HZ & 0xffffff);
}

static struct acpi_pm make_busy(void) {
        struct acpi_pm pm = make_of(ACPI_PM_ICH9);

        write_config(&pm, 0x40, 2, 0x680);
        write_config(&pm, 0x44, 1, 0x80);
        write16(&pm, ACPI_PM1_ENABLE, 0x0721);
        write16(&pm, ACPI_PM1_CONTROL, 0x0c01);
        acpi_pm_press_power_button(&pm);
        acpi_pm_wake(&pm);
        acpi_pm_raise_gpe(&pm, 40);
        acpi_pm_write(&pm, ACPI_PM_ICH9_GPE0 + 8, 4, 0x12345678, 0);
        acpi_pm_write(&pm, ACPI_PM_ICH9_SMI_EN, 4, 0xaabbccdd, 0);
        acpi_pm_smi_write(&pm, 1, 0x77);
        acpi_pm_sleep_control_write(&pm, 3 << 2);
        acpi_pm_write(&pm, ACPI_PM1_STATUS, 2, ACPI_PM1_TIMER, 100 * S);
        return pm;
}

static void what_is_saved_is_restored_and_the_timer_goes_on(void **state) {
        struct acpi_pm pm = make_busy(), other = make();
        uint8_t bytes[ACPI_PM_SAVED_BYTES], again[ACPI_PM_SAVED_BYTES];

        acpi_pm_save(&pm, 101 * S, bytes);
        /* On a host that has started just now, and on one that has run for long. */
        for (int i = 0; i < 2; i++) {
                const uint64_t now = i ? 200 * YEAR : 7;

                assert_int_equal(acpi_pm_restore(&other, now, bytes, sizeof(bytes)), 0);
                acpi_pm_save(&other, now, again);
                assert_memory_equal(bytes, again, sizeof(bytes));
                for (unsigned offset = 0; offset < ACPI_PM_PORTS_ICH9; offset++)
                        for (uint64_t later = 0; later < 10 * S; later += 3 * S)
                                assert_int_equal(acpi_pm_read(&other, offset, 1, now + later), acpi_pm_read(&pm, offset, 1, 101 * S + later));
                assert_int_equal(acpi_pm_base(&other), 0x680);
                assert_int_equal(acpi_pm_smi_read(&other, 1), 0x77);
                assert_int_equal(acpi_pm_sleep_control_read(&other), 3 << 2);
                assert_int_equal(acpi_pm_sleep_status_read(&other), ACPI_PM_SLEEP_STATUS_WAKE);
                assert_true(acpi_pm_next_interrupt_ns(&other, now) - now == acpi_pm_next_interrupt_ns(&pm, 101 * S) - 101 * S);
        }
}

static void what_is_no_state_is_not_restored(void **state) {
        const struct acpi_pm busy = make_busy();
        struct acpi_pm pm = make();
        const struct acpi_pm before = pm;
        uint8_t bytes[ACPI_PM_SAVED_BYTES + 1] = { 0 };

        acpi_pm_save(&busy, 101 * S, bytes);
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, sizeof(bytes)), -EINVAL);
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES - 1), -EINVAL);
        bytes[4]++;
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EPROTO);
        bytes[4]--;
        bytes[0]++;
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        bytes[0]--;
        bytes[8] = 2; /* the chip */
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        bytes[8] = ACPI_PM_PIIX4; /* which has no event 40 */
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        bytes[8] = ACPI_PM_ICH9;
        bytes[33] = 1; /* carries that have not been yet */
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        bytes[33] = 0;
        bytes[25] = 0x80; /* 292 years */
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        bytes[25] = 0;
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), 0);
        pm = before;
        bytes[10] = 8; /* a sleep type */
        assert_int_equal(acpi_pm_restore(&pm, 0, bytes, ACPI_PM_SAVED_BYTES), -EINVAL);
        assert_memory_equal(&pm, &before, sizeof(pm));
}

/* Whatever is altered: it is refused, or what was restored is no more than a device can be. */
static void a_state_with_any_bit_altered_is_a_possible_one_or_none(void **state) {
        const struct acpi_pm busy = make_busy();
        uint8_t bytes[ACPI_PM_SAVED_BYTES], again[ACPI_PM_SAVED_BYTES];
        size_t n_refused = 0;

        acpi_pm_save(&busy, 101 * S, bytes);
        for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
                struct acpi_pm pm = make();
                int r;

                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                r = acpi_pm_restore(&pm, 7, bytes, sizeof(bytes));
                if (!r) {
                        acpi_pm_save(&pm, 7, again);
                        assert_memory_equal(bytes, again, sizeof(bytes));
                        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STATUS, 2, 7) & ~0x8731U, 0);
                        assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_ENABLE, 2, 7) & ~0x0721U, 0);
                        acpi_pm_write(&pm, ACPI_PM1_ENABLE, 2, ACPI_PM1_TIMER, 7);
                        assert_true(acpi_pm_next_interrupt_ns(&pm, 7) - 7 <= 3000 * S);
                }
                n_refused += r != 0;
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_true(n_refused > 100);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_sleep_type_with_slp_en_is_a_request),
                cmocka_unit_test(the_types_are_those_that_the_tables_give),
                cmocka_unit_test(control_is_written_by_bytes_too),
                cmocka_unit_test(what_is_reserved_or_only_written_reads_as_zero),
                cmocka_unit_test(a_hardware_reduced_machine_sleeps_by_its_own_register),
                cmocka_unit_test(a_button_is_seen_by_all_and_heard_by_who_has_enabled_it),
                cmocka_unit_test(a_guest_clears_status_by_ones_and_never_sets_it),
                cmocka_unit_test(a_sleeping_machine_is_woken_by_its_button_or_what_was_enabled),
                cmocka_unit_test(general_purpose_events_have_their_own_status_and_enable),
                cmocka_unit_test(acpi_is_enabled_and_disabled_by_the_smi_command_port),
                cmocka_unit_test(the_timer_counts_exactly_for_centuries),
                cmocka_unit_test(its_carry_is_derived_from_the_time_and_stays_until_it_is_cleared),
                cmocka_unit_test(the_next_interrupt_is_known_to_the_nanosecond),
                cmocka_unit_test(firmware_says_where_it_is),
                cmocka_unit_test(where_nothing_is_ones_are_read_and_writes_are_lost),
                cmocka_unit_test(a_reset_leaves_nothing_but_the_running_timer),
                cmocka_unit_test(what_is_saved_is_restored_and_the_timer_goes_on),
                cmocka_unit_test(what_is_no_state_is_not_restored),
                cmocka_unit_test(a_state_with_any_bit_altered_is_a_possible_one_or_none),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
