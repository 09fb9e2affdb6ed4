#include "vmpower/acpi_pm.h"

#include <errno.h>
#include <string.h>

/* What a guest finds set, and may clear; what it may set. */
#define STATUS_BITS                                                                                                    \
        (ACPI_PM1_TIMER | ACPI_PM1_BUS_MASTER | ACPI_PM1_GLOBAL_LOCK | ACPI_PM1_POWER_BUTTON | ACPI_PM1_SLEEP_BUTTON | ACPI_PM1_RTC | \
         ACPI_PM1_WAKE)
#define ENABLE_BITS (ACPI_PM1_TIMER | ACPI_PM1_GLOBAL_LOCK | ACPI_PM1_POWER_BUTTON | ACPI_PM1_SLEEP_BUTTON | ACPI_PM1_RTC)
#define CONTROL_BITS (ACPI_PM1_SCI_EN | ACPI_PM1_BM_RLD | ACPI_PM1_SLP_TYP)
#define SLEEP_CONTROL_BITS (7 << ACPI_PM_SLEEP_CONTROL_TYP_SHIFT)

#define NS_PER_S UINT64_C(1000000000)

/* PCI configuration space.  PIIX4 7.1.12, 7.1.30; ICH9 13.1.12, 13.1.13. */
enum {
        CONFIG_BASE = 0x40,
        CONFIG_IS_IO = 1, /* bit 0 of the base, read only: it counts ports */
};

static const struct chip {
        unsigned n_ports;
        unsigned n_gpe_bytes; /* of status, and as many of enable */
        unsigned config_decodes;
        uint8_t decodes_bits, decodes_on;
        int16_t acpi_enable, acpi_disable;
} chips[] = {
        [ACPI_PM_PIIX4] = { ACPI_PM_PORTS_PIIX4, 2, 0x80, 0x01, 0x01, 0xf1, 0xf0 },
        [ACPI_PM_ICH9] = { ACPI_PM_PORTS_ICH9, 8, 0x44, 0x87, 0x80, 0x02, 0x03 },
};

static const struct chip *chip_of(const struct acpi_pm *pm) {
        return &chips[pm->config.chip];
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

struct acpi_pm_config acpi_pm_config_of(enum acpi_pm_chip chip) {
        return (struct acpi_pm_config){
                .chip = chip,
                .slp_typ = { [ACPI_PM_S1] = ACPI_PM_NO_SLEEP, [ACPI_PM_S3] = 1, [ACPI_PM_S4] = 2, [ACPI_PM_S5] = 0 },
                .acpi_enable = chips[chip].acpi_enable,
                .acpi_disable = chips[chip].acpi_disable,
        };
}

static uint64_t carries_at(const struct acpi_pm *pm, uint64_t now_ns);

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_config *config, uint64_t now_ns) {
        *pm = (struct acpi_pm){ .config = *config, .began_ns = now_ns };
        pm->base = CONFIG_IS_IO;
}

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now_ns) {
        const struct acpi_pm before = *pm;

        acpi_pm_init(pm, &before.config, before.began_ns);
        pm->n_carries = carries_at(pm, now_ns);
}

/* --- where it is ------------------------------------------------------------------------------------------------- */

bool acpi_pm_config_read(const struct acpi_pm *pm, unsigned offset, uint8_t *ret_value) {
        if (offset - CONFIG_BASE < sizeof(pm->base))
                *ret_value = (uint8_t)(pm->base >> (offset - CONFIG_BASE) * 8);
        else if (offset == chip_of(pm)->config_decodes)
                *ret_value = pm->decodes;
        else
                return false;
        return true;
}

bool acpi_pm_config_write(struct acpi_pm *pm, unsigned offset, uint8_t value) {
        const unsigned shift = (offset - CONFIG_BASE) * 8;
        /* The base is a multiple of its size, and there are 65536 ports. */
        const uint32_t settable = 0x10000 - chip_of(pm)->n_ports;

        if (offset - CONFIG_BASE < sizeof(pm->base))
                pm->base = ((pm->base & ~(0xffU << shift)) | (uint32_t)value << shift) & settable;
        else if (offset == chip_of(pm)->config_decodes)
                pm->decodes = value & chip_of(pm)->decodes_bits;
        else
                return false;
        pm->base |= CONFIG_IS_IO;
        return true;
}

int acpi_pm_base(const struct acpi_pm *pm) {
        const int base = (int)(pm->base & ~(uint32_t)CONFIG_IS_IO);

        return base && (pm->decodes & chip_of(pm)->decodes_on) ? base : -1;
}

/* --- the timer: ACPI 4.8.3.3 ------------------------------------------------------------------------------------- */

static unsigned timer_bits(const struct acpi_pm *pm) {
        return pm->config.timer_is_32_bit ? 32 : 24;
}

/* Since power on; both instants may have wrapped around. */
static uint64_t elapsed_ns(const struct acpi_pm *pm, uint64_t now_ns) {
        const uint64_t ns = now_ns - pm->began_ns;

        return ns > INT64_MAX ? 0 : ns;
}

/* Seconds and the rest are scaled apart, so that each product fits 64 bits for centuries. */
static uint64_t ticks_at(const struct acpi_pm *pm, uint64_t now_ns) {
        const uint64_t ns = elapsed_ns(pm, now_ns);

        return ns / NS_PER_S * ACPI_PM_TIMER_HZ + ns % NS_PER_S * ACPI_PM_TIMER_HZ / NS_PER_S;
}

/* Its status is set whenever the highest bit changes, either way: ACPI table 4.11, TMR_STS. */
static uint64_t carries_at(const struct acpi_pm *pm, uint64_t now_ns) {
        return ticks_at(pm, now_ns) >> (timer_bits(pm) - 1);
}

/* The first instant at which the timer has counted so far. */
static uint64_t instant_of(const struct acpi_pm *pm, uint64_t ticks) {
        const uint64_t s = ticks / ACPI_PM_TIMER_HZ, rest = ticks % ACPI_PM_TIMER_HZ;
        const uint64_t ns = (rest * NS_PER_S + ACPI_PM_TIMER_HZ - 1) / ACPI_PM_TIMER_HZ;

        if (s >= INT64_MAX / NS_PER_S)
                return UINT64_MAX;
        return pm->began_ns + s * NS_PER_S + ns;
}

static uint16_t status_at(const struct acpi_pm *pm, uint64_t now_ns) {
        return pm->status | (carries_at(pm, now_ns) != pm->n_carries ? ACPI_PM1_TIMER : 0);
}

/* --- its registers ----------------------------------------------------------------------------------------------- */

static uint64_t bytes_to_number(const uint8_t *bytes, unsigned n) {
        uint64_t value = 0;

        for (unsigned i = n; i-- > 0;)
                value = value << 8 | bytes[i];
        return value;
}

/* Reading and writing see a register as a number; `mask` has the bits of the bytes that are written. */
static uint64_t read_status(const struct acpi_pm *pm, uint64_t now_ns) {
        return status_at(pm, now_ns);
}

/* Writing 1 clears, 0 leaves: ACPI 4.8.1, "write-1-to-clear". */
static enum acpi_pm_request write_status(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        pm->status &= (uint16_t)~value;
        if (value & ACPI_PM1_TIMER)
                pm->n_carries = carries_at(pm, now_ns);
        return ACPI_PM_NOTHING;
}

static uint64_t read_enable(const struct acpi_pm *pm, uint64_t now_ns) {
        return pm->enable;
}

static enum acpi_pm_request write_enable(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        pm->enable = (uint16_t)(((pm->enable & ~mask) | value) & ENABLE_BITS);
        return ACPI_PM_NOTHING;
}

static enum acpi_pm_request request_of(const struct acpi_pm *pm, unsigned slp_typ) {
        static const enum acpi_pm_request requests[] = {
                [ACPI_PM_S1] = ACPI_PM_STANDBY,
                [ACPI_PM_S3] = ACPI_PM_SUSPEND,
                [ACPI_PM_S4] = ACPI_PM_HIBERNATE,
                [ACPI_PM_S5] = ACPI_PM_POWER_OFF,
        };

        for (size_t i = 0; i < _ACPI_PM_SLEEP_N; i++)
                if (pm->config.slp_typ[i] == slp_typ)
                        return requests[i];
        return ACPI_PM_NOTHING;
}

static uint64_t read_control(const struct acpi_pm *pm, uint64_t now_ns) {
        return pm->control;
}

/* A sleep type takes effect with SLP_EN, whether or not ACPI was enabled: ACPI table 4.13. */
static enum acpi_pm_request write_control(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        pm->control = (uint16_t)(((pm->control & ~mask) | value) & CONTROL_BITS);
        if (!(value & ACPI_PM1_SLP_EN))
                return ACPI_PM_NOTHING;
        return request_of(pm, (pm->control & ACPI_PM1_SLP_TYP) >> ACPI_PM1_SLP_TYP_SHIFT);
}

static uint64_t read_timer(const struct acpi_pm *pm, uint64_t now_ns) {
        const uint64_t ticks = ticks_at(pm, now_ns);

        return pm->config.timer_is_32_bit ? ticks & 0xffffffff : ticks & 0xffffff;
}

static uint64_t read_gpe_status(const struct acpi_pm *pm, uint64_t now_ns) {
        return bytes_to_number(pm->gpe_status, chip_of(pm)->n_gpe_bytes);
}

static enum acpi_pm_request write_gpe_status(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        for (unsigned i = 0; i < chip_of(pm)->n_gpe_bytes; i++)
                pm->gpe_status[i] &= (uint8_t)~(value >> i * 8);
        return ACPI_PM_NOTHING;
}

static uint64_t read_gpe_enable(const struct acpi_pm *pm, uint64_t now_ns) {
        return bytes_to_number(pm->gpe_enable, chip_of(pm)->n_gpe_bytes);
}

static enum acpi_pm_request write_gpe_enable(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        for (unsigned i = 0; i < chip_of(pm)->n_gpe_bytes; i++)
                pm->gpe_enable[i] = (uint8_t)((pm->gpe_enable[i] & ~(mask >> i * 8)) | value >> i * 8);
        return ACPI_PM_NOTHING;
}

static uint64_t read_smi_enable(const struct acpi_pm *pm, uint64_t now_ns) {
        return pm->smi_enable;
}

static enum acpi_pm_request write_smi_enable(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns) {
        pm->smi_enable = (uint32_t)((pm->smi_enable & ~mask) | value);
        return ACPI_PM_NOTHING;
}

/* There is no system management mode: nothing ever sets it. */
static uint64_t read_smi_status(const struct acpi_pm *pm, uint64_t now_ns) {
        return 0;
}

struct pm_register {
        unsigned offset, width; /* bytes */
        uint64_t (*read)(const struct acpi_pm *pm, uint64_t now_ns);
        enum acpi_pm_request (*write)(struct acpi_pm *pm, uint64_t value, uint64_t mask, uint64_t now_ns); /* NULL: read only */
};

/* Those of every chip first. */
static const struct pm_register registers[] = {
        { ACPI_PM1_STATUS, 2, read_status, write_status },
        { ACPI_PM1_ENABLE, 2, read_enable, write_enable },
        { ACPI_PM1_CONTROL, 2, read_control, write_control },
        { ACPI_PM_TIMER, 4, read_timer, NULL },
        { ACPI_PM_ICH9_GPE0, 8, read_gpe_status, write_gpe_status },
        { ACPI_PM_ICH9_GPE0 + 8, 8, read_gpe_enable, write_gpe_enable },
        { ACPI_PM_ICH9_SMI_EN, 4, read_smi_enable, write_smi_enable },
        { ACPI_PM_ICH9_SMI_STS, 4, read_smi_status, NULL },
};

static const struct pm_register piix4_gpe[] = {
        { 0, 2, read_gpe_status, write_gpe_status },
        { 2, 2, read_gpe_enable, write_gpe_enable },
};

struct bank {
        const struct pm_register *registers;
        size_t n;
};

static struct bank main_bank(const struct acpi_pm *pm) {
        return (struct bank){ registers, pm->config.chip == ACPI_PM_ICH9 ? 8 : 4 };
}

static struct bank gpe_bank(const struct acpi_pm *pm) {
        return (struct bank){ piix4_gpe, pm->config.chip == ACPI_PM_PIIX4 ? 2 : 0 };
}

/* The bytes of an access that fall into a register: how far that is from the register's first, and how many. */
static bool overlap(const struct pm_register *reg, unsigned offset, unsigned width, unsigned *ret_first, unsigned *ret_n) {
        unsigned first, end;

        if (offset >= reg->offset + reg->width || offset + width <= reg->offset)
                return false;
        first = offset > reg->offset ? offset : reg->offset;
        end = offset + width < reg->offset + reg->width ? offset + width : reg->offset + reg->width;
        *ret_first = first;
        *ret_n = end - first;
        return true;
}

static uint64_t mask_of(unsigned n_bytes) {
        return n_bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << n_bytes * 8) - 1;
}

static bool is_width(unsigned width) {
        return width == 1 || width == 2 || width == 4;
}

static uint32_t read_bank(const struct acpi_pm *pm, struct bank bank, unsigned offset, unsigned width, uint64_t now_ns) {
        uint64_t value = mask_of(width);

        if (!is_width(width))
                return UINT32_MAX;
        for (size_t i = 0; i < bank.n; i++) {
                const struct pm_register *reg = &bank.registers[i];
                unsigned first, n;

                if (!overlap(reg, offset, width, &first, &n))
                        continue;
                value &= ~(mask_of(n) << (first - offset) * 8);
                value |= (reg->read(pm, now_ns) >> (first - reg->offset) * 8 & mask_of(n)) << (first - offset) * 8;
        }
        return (uint32_t)value;
}

/* Of several registers at most one, PM1 control, asks for something. */
static enum acpi_pm_request write_bank(struct acpi_pm *pm, struct bank bank, unsigned offset, unsigned width, uint32_t value,
                                       uint64_t now_ns) {
        enum acpi_pm_request request = ACPI_PM_NOTHING;

        if (!is_width(width))
                return ACPI_PM_NOTHING;
        for (size_t i = 0; i < bank.n; i++) {
                const struct pm_register *reg = &bank.registers[i];
                unsigned first, n;

                if (reg->write && overlap(reg, offset, width, &first, &n)) {
                        const unsigned shift = (first - reg->offset) * 8;
                        const uint64_t part = (uint64_t)value >> (first - offset) * 8 & mask_of(n);
                        const enum acpi_pm_request asked = reg->write(pm, part << shift, mask_of(n) << shift, now_ns);

                        request = asked != ACPI_PM_NOTHING ? asked : request;
                }
        }
        return request;
}

uint32_t acpi_pm_read(const struct acpi_pm *pm, unsigned offset, unsigned width, uint64_t now_ns) {
        return read_bank(pm, main_bank(pm), offset, width, now_ns);
}

enum acpi_pm_request acpi_pm_write(struct acpi_pm *pm, unsigned offset, unsigned width, uint32_t value, uint64_t now_ns) {
        return write_bank(pm, main_bank(pm), offset, width, value, now_ns);
}

uint32_t acpi_pm_gpe_read(const struct acpi_pm *pm, unsigned offset, unsigned width) {
        return read_bank(pm, gpe_bank(pm), offset, width, 0);
}

void acpi_pm_gpe_write(struct acpi_pm *pm, unsigned offset, unsigned width, uint32_t value) {
        write_bank(pm, gpe_bank(pm), offset, width, value, 0);
}

uint8_t acpi_pm_smi_read(const struct acpi_pm *pm, unsigned offset) {
        return offset == 0 ? pm->smi_command : offset == 1 ? pm->smi_data : UINT8_MAX;
}

void acpi_pm_smi_write(struct acpi_pm *pm, unsigned offset, uint8_t value) {
        if (offset == 1)
                pm->smi_data = value;
        if (offset != 0)
                return;
        pm->smi_command = value;
        if (value == pm->config.acpi_enable)
                pm->control |= ACPI_PM1_SCI_EN;
        else if (value == pm->config.acpi_disable)
                pm->control &= (uint16_t)~ACPI_PM1_SCI_EN;
}

uint8_t acpi_pm_sleep_control_read(const struct acpi_pm *pm) {
        return pm->sleep_control;
}

enum acpi_pm_request acpi_pm_sleep_control_write(struct acpi_pm *pm, uint8_t value) {
        pm->sleep_control = value & SLEEP_CONTROL_BITS;
        if (!(value & ACPI_PM_SLEEP_CONTROL_EN))
                return ACPI_PM_NOTHING;
        return request_of(pm, pm->sleep_control >> ACPI_PM_SLEEP_CONTROL_TYP_SHIFT);
}

uint8_t acpi_pm_sleep_status_read(const struct acpi_pm *pm) {
        return pm->sleep_status;
}

void acpi_pm_sleep_status_write(struct acpi_pm *pm, uint8_t value) {
        pm->sleep_status &= (uint8_t)~value;
}

/* --- what happens to the machine --------------------------------------------------------------------------------- */

void acpi_pm_press_power_button(struct acpi_pm *pm) {
        pm->status |= ACPI_PM1_POWER_BUTTON;
}

void acpi_pm_press_sleep_button(struct acpi_pm *pm) {
        pm->status |= ACPI_PM1_SLEEP_BUTTON;
}

void acpi_pm_rtc_alarm(struct acpi_pm *pm) {
        pm->status |= ACPI_PM1_RTC;
}

void acpi_pm_raise_gpe(struct acpi_pm *pm, unsigned event) {
        if (event / 8 < chip_of(pm)->n_gpe_bytes)
                pm->gpe_status[event / 8] |= (uint8_t)(1 << event % 8);
}

void acpi_pm_wake(struct acpi_pm *pm) {
        pm->status |= ACPI_PM1_WAKE;
        pm->sleep_status |= ACPI_PM_SLEEP_STATUS_WAKE;
}

static bool has_gpe(const struct acpi_pm *pm) {
        for (size_t i = 0; i < chip_of(pm)->n_gpe_bytes; i++)
                if (pm->gpe_status[i] & pm->gpe_enable[i])
                        return true;
        return false;
}

bool acpi_pm_wants_wake(const struct acpi_pm *pm, uint64_t now_ns) {
        /* The power button wakes a machine always; the timer stands still while it sleeps. */
        const uint16_t enabled = (pm->enable & ~ACPI_PM1_TIMER) | ACPI_PM1_POWER_BUTTON;

        return (status_at(pm, now_ns) & enabled) || has_gpe(pm);
}

bool acpi_pm_interrupt(const struct acpi_pm *pm, uint64_t now_ns) {
        return (status_at(pm, now_ns) & pm->enable) || has_gpe(pm);
}

uint64_t acpi_pm_next_interrupt_ns(const struct acpi_pm *pm, uint64_t now_ns) {
        if (!(pm->enable & ACPI_PM1_TIMER))
                return UINT64_MAX;
        if (status_at(pm, now_ns) & ACPI_PM1_TIMER)
                return now_ns;
        return instant_of(pm, (pm->n_carries + 1) << (timer_bits(pm) - 1));
}

bool acpi_pm_is_enabled(const struct acpi_pm *pm) {
        return pm->control & ACPI_PM1_SCI_EN;
}

/* --- saved and restored ------------------------------------------------------------------------------------------ */

#define SAVED_MAGIC UINT32_C(0x4d504d56) /* "VMPM" */
enum { SAVED_VERSION = 1 };

/* One way or the other through the same list: what is saved is what is restored. */
struct pass {
        uint8_t *at;
        bool is_save;
};

static void pass_number(struct pass *pass, void *value, unsigned n) {
        uint8_t *number = value;

        /* The numbers of this machine may be of the other endianness: shifts see none. */
        for (unsigned i = 0; i < n; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                uint8_t *byte = &number[i];
#else
                uint8_t *byte = &number[n - 1 - i];
#endif
                if (pass->is_save)
                        pass->at[i] = *byte;
                else
                        *byte = pass->at[i];
        }
        pass->at += n;
}

#define PASS(pass, lvalue) pass_number(pass, &(lvalue), sizeof(lvalue))

struct saved {
        uint32_t magic;
        uint16_t version, n_bytes;
        uint8_t chip, timer_is_32_bit;
        uint64_t elapsed_ns;
        struct acpi_pm pm;
};

static void pass_all(struct pass *pass, struct saved *saved) {
        struct acpi_pm *pm = &saved->pm;

        PASS(pass, saved->magic);
        PASS(pass, saved->version);
        PASS(pass, saved->n_bytes);
        PASS(pass, saved->chip);
        PASS(pass, saved->timer_is_32_bit);
        for (size_t i = 0; i < _ACPI_PM_SLEEP_N; i++)
                PASS(pass, pm->config.slp_typ[i]);
        PASS(pass, pm->config.acpi_enable);
        PASS(pass, pm->config.acpi_disable);
        PASS(pass, saved->elapsed_ns);
        PASS(pass, pm->n_carries);
        PASS(pass, pm->base);
        PASS(pass, pm->decodes);
        PASS(pass, pm->status);
        PASS(pass, pm->enable);
        PASS(pass, pm->control);
        PASS(pass, pm->smi_enable);
        PASS(pass, pm->smi_command);
        PASS(pass, pm->smi_data);
        PASS(pass, pm->sleep_control);
        PASS(pass, pm->sleep_status);
        for (size_t i = 0; i < ACPI_PM_GPE_BYTES_MAX; i++)
                PASS(pass, pm->gpe_status[i]);
        for (size_t i = 0; i < ACPI_PM_GPE_BYTES_MAX; i++)
                PASS(pass, pm->gpe_enable[i]);
}

void acpi_pm_save(const struct acpi_pm *pm, uint64_t now_ns, uint8_t *ret_bytes) {
        struct saved saved = {
                .magic = SAVED_MAGIC,
                .version = SAVED_VERSION,
                .n_bytes = ACPI_PM_SAVED_BYTES,
                .chip = (uint8_t)pm->config.chip,
                .timer_is_32_bit = pm->config.timer_is_32_bit,
                .elapsed_ns = elapsed_ns(pm, now_ns),
                .pm = *pm,
        };
        struct pass pass = { ret_bytes, true };

        pass_all(&pass, &saved);
}

static bool is_command(int command) {
        return command >= ACPI_PM_NO_COMMAND && command <= UINT8_MAX;
}

/* Could a device of this kind ever have come to be like that? */
static bool is_possible(const struct saved *saved) {
        const struct acpi_pm *pm = &saved->pm;

        for (size_t i = 0; i < _ACPI_PM_SLEEP_N; i++)
                if (pm->config.slp_typ[i] > 7 && pm->config.slp_typ[i] != ACPI_PM_NO_SLEEP)
                        return false;
        for (size_t i = chip_of(pm)->n_gpe_bytes; i < ACPI_PM_GPE_BYTES_MAX; i++)
                if (pm->gpe_status[i] || pm->gpe_enable[i])
                        return false;
        return saved->elapsed_ns <= INT64_MAX && is_command(pm->config.acpi_enable) && is_command(pm->config.acpi_disable) &&
               !(pm->status & ~(STATUS_BITS & ~ACPI_PM1_TIMER)) && !(pm->enable & ~ENABLE_BITS) && !(pm->control & ~CONTROL_BITS) &&
               (pm->base & ~(0x10000U - chip_of(pm)->n_ports)) == CONFIG_IS_IO && !(pm->decodes & ~chip_of(pm)->decodes_bits) &&
               !(pm->sleep_control & ~SLEEP_CONTROL_BITS) && !(pm->sleep_status & ~ACPI_PM_SLEEP_STATUS_WAKE) &&
               pm->n_carries <= carries_at(pm, pm->began_ns + saved->elapsed_ns);
}

int acpi_pm_restore(struct acpi_pm *pm, uint64_t now_ns, const uint8_t *bytes, size_t n) {
        uint8_t copy[ACPI_PM_SAVED_BYTES];
        struct saved saved = { 0 };
        struct pass pass = { copy, false };

        if (n < ACPI_PM_SAVED_BYTES)
                return -EINVAL;
        memcpy(copy, bytes, sizeof(copy));
        pass_all(&pass, &saved);
        if (saved.magic != SAVED_MAGIC)
                return -EINVAL;
        if (saved.version != SAVED_VERSION)
                return -EPROTO;
        if (saved.n_bytes != ACPI_PM_SAVED_BYTES || n != ACPI_PM_SAVED_BYTES || saved.chip > ACPI_PM_ICH9 || saved.timer_is_32_bit > 1)
                return -EINVAL;
        saved.pm.config.chip = (enum acpi_pm_chip)saved.chip;
        saved.pm.config.timer_is_32_bit = saved.timer_is_32_bit;
        if (!is_possible(&saved))
                return -EINVAL;
        /* The clocks of two hosts have nothing to do with each other: what has passed counts, and the difference may well wrap around. */
        saved.pm.began_ns = now_ns - saved.elapsed_ns;
        *pm = saved.pm;
        return 0;
}
