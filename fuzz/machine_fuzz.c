/*
 * Fuzz: any bytes as the life of a machine's power-management block: a guest's accesses, buttons, wakes, resets, and time that passes.
 *
 * The laws: the interrupt is wanted if and only if an event is pending that is enabled; a guest never sets a status bit, and reading changes nothing; the
 * timer is what the clock says, and never runs back; what is read fits the access; what is saved is restored, and any other bytes are
 * refused or are the state that they say.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vmpower/acpi_pm.h"
#include "vmpower/pvpanic.h"
#include "vmpower/reset_port.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
        const uint8_t *at, *end;
};

static uint32_t take(struct bytes *bytes, unsigned n) {
        uint32_t value = 0;

        for (unsigned i = 0; i < n && bytes->at < bytes->end; i++)
                value |= (uint32_t)*bytes->at++ << i * 8;
        return value;
}

static uint64_t status_of(const struct acpi_pm *pm, uint64_t now_ns) {
        return acpi_pm_read(pm, ACPI_PM1_STATUS, 2, now_ns);
}

/* 64 bits; those of the PIIX4 are 16. */
static uint64_t gpe_of(const struct acpi_pm *pm, unsigned half, uint64_t now_ns) {
        if (pm->config.chip == ACPI_PM_PIIX4)
                return acpi_pm_gpe_read(pm, half * 2, 2);
        return acpi_pm_read(pm, ACPI_PM_ICH9_GPE0 + half * 8, 4, now_ns) |
               (uint64_t)acpi_pm_read(pm, ACPI_PM_ICH9_GPE0 + half * 8 + 4, 4, now_ns) << 32;
}

static void timer_holds(const struct acpi_pm *pm, uint64_t now_ns) {
        const unsigned __int128 ticks = (unsigned __int128)(now_ns - pm->began_ns) * ACPI_PM_TIMER_HZ / 1000000000;
        const uint64_t next_ns = acpi_pm_next_interrupt_ns(pm, now_ns);

        law(acpi_pm_read(pm, ACPI_PM_TIMER, 4, now_ns) == ((uint32_t)ticks & (pm->config.timer_is_32_bit ? UINT32_MAX : 0xffffff)));
        if (next_ns == UINT64_MAX)
                return;
        law(next_ns - now_ns <= INT64_MAX);
        law(status_of(pm, next_ns) & ACPI_PM1_TIMER);
        law(next_ns == now_ns || !(status_of(pm, next_ns - 1) & ACPI_PM1_TIMER));
}

static void interrupt_holds(const struct acpi_pm *pm, uint64_t now_ns) {
        const bool has_fixed = status_of(pm, now_ns) & acpi_pm_read(pm, ACPI_PM1_ENABLE, 2, now_ns);
        const bool has_general = gpe_of(pm, 0, now_ns) & gpe_of(pm, 1, now_ns);

        law(acpi_pm_interrupt(pm, now_ns) == (has_fixed || has_general));
}

static void saving_holds(const struct acpi_pm *pm, uint64_t now_ns) {
        uint8_t bytes[ACPI_PM_SAVED_BYTES], again[ACPI_PM_SAVED_BYTES];
        const uint64_t other_now_ns = now_ns ^ UINT64_C(0x123456789abcdef);
        struct acpi_pm other;

        acpi_pm_save(pm, now_ns, bytes);
        law(!acpi_pm_restore(&other, other_now_ns, bytes, sizeof(bytes)));
        acpi_pm_save(&other, other_now_ns, again);
        law(!memcmp(bytes, again, sizeof(bytes)));
        for (unsigned offset = 0; offset < ACPI_PM_PORTS_ICH9; offset += 4)
                law(acpi_pm_read(pm, offset, 4, now_ns) == acpi_pm_read(&other, offset, 4, other_now_ns));
}

static void restoring_holds(struct acpi_pm *pm, uint64_t now_ns, struct bytes *bytes) {
        const struct acpi_pm before = *pm;
        const size_t n = (size_t)(bytes->end - bytes->at);
        uint8_t again[ACPI_PM_SAVED_BYTES];

        if (acpi_pm_restore(pm, now_ns, bytes->at, n)) {
                law(!memcmp(&before, pm, sizeof(before)));
                return;
        }
        acpi_pm_save(pm, now_ns, again);
        law(n == sizeof(again) && !memcmp(again, bytes->at, n));
        bytes->at = bytes->end;
}

static void write_anywhere(struct acpi_pm *pm, unsigned offset, unsigned width, uint32_t value, uint64_t now_ns) {
        const uint64_t status = status_of(pm, now_ns), gpe = gpe_of(pm, 0, now_ns), sleep = acpi_pm_sleep_status_read(pm);

        acpi_pm_write(pm, offset, width, value, now_ns);
        acpi_pm_gpe_write(pm, offset, width, value);
        acpi_pm_smi_write(pm, offset, (uint8_t)value);
        acpi_pm_sleep_status_write(pm, (uint8_t)value);
        acpi_pm_sleep_control_write(pm, (uint8_t)value);
        law(!(status_of(pm, now_ns) & ~status) && !(gpe_of(pm, 0, now_ns) & ~gpe) && !(acpi_pm_sleep_status_read(pm) & ~sleep));
}

static void read_anywhere(const struct acpi_pm *pm, unsigned offset, unsigned width, uint64_t now_ns) {
        const struct acpi_pm before = *pm;
        const uint32_t value = acpi_pm_read(pm, offset, width, now_ns), general = acpi_pm_gpe_read(pm, offset, width);
        uint32_t by_bytes = 0;

        law(!memcmp(&before, pm, sizeof(before)));
        if (width != 1 && width != 2 && width != 4) {
                law(value == UINT32_MAX && general == UINT32_MAX);
                return;
        }
        law(width == 4 || (value >> width * 8 == 0 && general >> width * 8 == 0));
        for (unsigned i = 0; i < width && offset + i < ACPI_PM_PORTS_ICH9; i++)
                by_bytes |= acpi_pm_read(pm, offset + i, 1, now_ns) << i * 8;
        law(offset + width > ACPI_PM_PORTS_ICH9 || by_bytes == value);
}

static void do_one(struct acpi_pm *pm, struct reset_port *ports, struct bytes *bytes, uint64_t *now_ns) {
        const struct pvpanic pvpanic = { (uint8_t)take(bytes, 1) };
        const unsigned what = take(bytes, 1), offset = take(bytes, 1), width = 1U << (what >> 4 & 3);
        const uint32_t value = take(bytes, 4);

        switch (what & 15) {
        case 0:
        case 1:
        case 2:
        case 3:
                write_anywhere(pm, offset, width, value, *now_ns);
                break;
        case 4:
                read_anywhere(pm, offset, what >> 4, *now_ns);
                break;
        case 5:
                /* Up to years at once; in all not beyond what is counted. */
                *now_ns += (uint64_t)value << (offset % 24);
                break;
        case 6:
                acpi_pm_press_power_button(pm);
                break;
        case 7:
                acpi_pm_press_sleep_button(pm);
                break;
        case 8:
                acpi_pm_rtc_alarm(pm);
                break;
        case 9:
                acpi_pm_raise_gpe(pm, value);
                break;
        case 10:
                acpi_pm_wake(pm);
                break;
        case 11:
                acpi_pm_config_write(pm, offset, (uint8_t)value);
                law(acpi_pm_base(pm) < 0x10000 && acpi_pm_base(pm) % 64 < 1);
                break;
        case 12:
                acpi_pm_reset(pm, *now_ns);
                law(!status_of(pm, *now_ns) && !acpi_pm_interrupt(pm, *now_ns));
                break;
        case 13:
                law(reset_port_write(ports, (uint16_t)value, (uint8_t)offset) <= RESET_PORT_92);
                law(pvpanic_write(&pvpanic, (uint8_t)offset) <= PVPANIC_EVENT_SHUTDOWN);
                break;
        case 14:
                restoring_holds(pm, *now_ns, bytes);
                break;
        case 15:
                saving_holds(pm, *now_ns);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct bytes bytes = { data, data + size };
        const unsigned first = take(&bytes, 1);
        struct acpi_pm_config config = acpi_pm_config_of(first & 1 ? ACPI_PM_ICH9 : ACPI_PM_PIIX4);
        uint64_t now_ns = take(&bytes, 4);
        struct reset_port ports;
        struct acpi_pm pm;

        config.timer_is_32_bit = first & 2;
        acpi_pm_init(&pm, &config, now_ns);
        reset_port_init(&ports, first & 4);
        while (bytes.at < bytes.end && now_ns - pm.began_ns <= INT64_MAX / 2) {
                do_one(&pm, &ports, &bytes, &now_ns);
                interrupt_holds(&pm, now_ns);
                timer_holds(&pm, now_ns);
        }
        return 0;
}
