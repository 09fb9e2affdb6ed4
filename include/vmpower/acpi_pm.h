/*
 * ACPI power management: the registers by which a guest OS powers its machine off, puts it to sleep, and hears of its buttons.
 *
 * A device as arithmetic: a guest's accesses and the time come in; values, an interrupt level and requests come out.  Pure: no allocation, no
 * descriptor, no clock, no global.  What a request means for the machine its VMM decides; which port a register has, too (but for PCI
 * configuration space, where firmware says it, see acpi_pm_base()).  Part of libvmpower-machine, linked statically.
 *
 * "ACPI" with a section is the Advanced Configuration and Power Interface Specification, version 6.5; "PIIX4" is Intel's datasheet 290562-001
 * (82371AB), "ICH9" is 316972-004 (I/O Controller Hub 9).
 *
 * Time: every `now_ns` is of one clock that never goes back, in nanoseconds, from whatever instant; it is exact for 292 years.  A VMM whose guest's time stands still
 * while it is paused gives a clock that stands still, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whose registers they are: where they lie, what is beside them, and which PCI function says so. */
enum acpi_pm_chip {
        ACPI_PM_PIIX4, /* 64 ports; PCI 00:01.3, as on QEMU's machine "pc" */
        ACPI_PM_ICH9,  /* 128 ports; PCI 00:1f.0, as on QEMU's machine "q35" */
};

/* The sleeping states that a guest may ask for.  ACPI 16.1; S2 is nowhere to be found. */
enum acpi_pm_sleep {
        ACPI_PM_S1,
        ACPI_PM_S3,
        ACPI_PM_S4,
        ACPI_PM_S5,
        _ACPI_PM_SLEEP_N,
};

enum {
        ACPI_PM_NO_SLEEP = 0xff,         /* a slp_typ: the machine does not have this state */
        ACPI_PM_NO_COMMAND = -1,         /* an SMI command: the machine does not have it */
        ACPI_PM_PORTS_PIIX4 = 64,
        ACPI_PM_PORTS_ICH9 = 128,
        ACPI_PM_GPE_BYTES_MAX = 8,       /* of status, and as many of enable */
        ACPI_PM_SAVED_BYTES = 69,
};

/* Offsets from the PM base.  ACPI 4.8.3; PIIX4 7.2, ICH9 13.8.3. */
enum {
        ACPI_PM1_STATUS = 0x00,    /* 16 bits; ACPI 4.8.3.1.1 */
        ACPI_PM1_ENABLE = 0x02,    /* 16 bits; ACPI 4.8.3.1.2 */
        ACPI_PM1_CONTROL = 0x04,   /* 16 bits; ACPI 4.8.3.2.1 */
        ACPI_PM_TIMER = 0x08,      /* 32 bits; ACPI 4.8.3.3 */
        ACPI_PM_ICH9_GPE0 = 0x20,  /* 64 bits of status, 64 of enable; ICH9 13.8.3.5; ACPI 4.8.4.1 */
        ACPI_PM_ICH9_SMI_EN = 0x30, /* 32 bits; ICH9 13.8.3.7 */
        ACPI_PM_ICH9_SMI_STS = 0x34, /* 32 bits; ICH9 13.8.3.8 */
};

/* Bits of PM1 status and PM1 enable.  ACPI tables 4.11 and 4.12. */
enum {
        ACPI_PM1_TIMER = 1 << 0,
        ACPI_PM1_BUS_MASTER = 1 << 4, /* status only; nothing here is a bus master */
        ACPI_PM1_GLOBAL_LOCK = 1 << 5,
        ACPI_PM1_POWER_BUTTON = 1 << 8,
        ACPI_PM1_SLEEP_BUTTON = 1 << 9,
        ACPI_PM1_RTC = 1 << 10,
        ACPI_PM1_WAKE = 1 << 15, /* status only: the machine has slept */
};

/* Bits of PM1 control.  ACPI table 4.13. */
enum {
        ACPI_PM1_SCI_EN = 1 << 0,
        ACPI_PM1_BM_RLD = 1 << 1,
        ACPI_PM1_SLP_TYP_SHIFT = 10,
        ACPI_PM1_SLP_TYP = 7 << ACPI_PM1_SLP_TYP_SHIFT,
        ACPI_PM1_SLP_EN = 1 << 13, /* written only: reads as 0 */
};

/* Bits of the sleep registers of a hardware-reduced machine.  ACPI 4.8.3.7. */
enum {
        ACPI_PM_SLEEP_CONTROL_TYP_SHIFT = 2,
        ACPI_PM_SLEEP_CONTROL_EN = 1 << 5,
        ACPI_PM_SLEEP_STATUS_WAKE = 1 << 7,
};

/* The timer's rate.  ACPI 4.8.3.3 */
#define ACPI_PM_TIMER_HZ UINT64_C(3579545)

/* What a guest's write asks of its machine. */
enum acpi_pm_request {
        ACPI_PM_NOTHING,
        ACPI_PM_STANDBY,   /* S1 */
        ACPI_PM_SUSPEND,   /* S3: memory stays, all else is lost; acpi_pm_wake() ends it */
        ACPI_PM_HIBERNATE, /* S4: the guest has written itself to disk */
        ACPI_PM_POWER_OFF, /* S5 */
};

struct acpi_pm_config {
        enum acpi_pm_chip chip;
        bool timer_is_32_bit;              /* FADT's TMR_VAL_EXT; else it counts 24 bits */
        uint8_t slp_typ[_ACPI_PM_SLEEP_N]; /* 0 to 7, as the packages \_S1 … \_S5 of its tables say (ACPI 7.4.2); ACPI_PM_NO_SLEEP */
        int16_t acpi_enable, acpi_disable; /* 0 to 255: what OSPM writes to the SMI command port (ACPI 5.2.9, 4.8.2.1) */
};

/* All of it: values, to be read by whoever likes to.  Copying it is a snapshot. */
struct acpi_pm {
        struct acpi_pm_config config;
        uint64_t began_ns;     /* when the timer was 0 */
        uint64_t n_carries;    /* of the timer, up to the last that the guest has acknowledged */
        uint32_t base;         /* PCI configuration: the register of the PM base … */
        uint8_t decodes;       /* … and the one that switches it on */
        uint16_t status;       /* PM1, without the timer's bit: acpi_pm_read() derives that */
        uint16_t enable;
        uint16_t control;
        uint8_t gpe_status[ACPI_PM_GPE_BYTES_MAX], gpe_enable[ACPI_PM_GPE_BYTES_MAX];
        uint32_t smi_enable;   /* ICH9: kept for the guest; there is no system management mode */
        uint8_t smi_command, smi_data;
        uint8_t sleep_control, sleep_status; /* hardware-reduced */
};

/* As that chip is on QEMU's machines: S3 is 1, S4 is 2, S5 is 0, no S1; ACPI is enabled by 0xf1 (PIIX4) or 0x02 (ICH9), and off by 0xf0 or 0x03. */
struct acpi_pm_config acpi_pm_config_of(enum acpi_pm_chip chip);

/* Power on: every register at its reset value, the PM base not yet set. */
void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_config *config, uint64_t now_ns);

/* The machine is reset: as at power on, but for the timer, which runs on. */
void acpi_pm_reset(struct acpi_pm *pm, uint64_t now_ns);

/* --- where it is ------------------------------------------------------------------------------------------------- */

/*
 * The chip's PCI configuration space, as far as it is about this: the PM base (0x40, 32 bits) and what switches it on (PIIX4: bit 0 of 0x80; ICH9: bit 7
 * of 0x44).  True: the byte at that offset is one of those, and for a read *ret_value is it.  All others are the VMM's.
 */
bool acpi_pm_config_read(const struct acpi_pm *pm, unsigned offset, uint8_t *ret_value);
bool acpi_pm_config_write(struct acpi_pm *pm, unsigned offset, uint8_t value);

/* The first port, -1 while there is none. */
int acpi_pm_base(const struct acpi_pm *pm);

/* --- its ports --------------------------------------------------------------------------------------------------- */

/*
 * A guest reads `width` bytes (1, 2 or 4) at that offset from the PM base.  What is no register, or beyond the block, reads as ones, as on a bus where nobody
 * answers.  An access may begin within a register and may go over several.
 */
uint32_t acpi_pm_read(const struct acpi_pm *pm, unsigned offset, unsigned width, uint64_t now_ns);

/* A guest writes.  What is no register is ignored. */
enum acpi_pm_request acpi_pm_write(struct acpi_pm *pm, unsigned offset, unsigned width, uint32_t value, uint64_t now_ns);

/* The general-purpose events of a chip that has them elsewhere (PIIX4: 4 ports, on QEMU's machine at 0xafe0); `offset` from their own first port. */
uint32_t acpi_pm_gpe_read(const struct acpi_pm *pm, unsigned offset, unsigned width);
void acpi_pm_gpe_write(struct acpi_pm *pm, unsigned offset, unsigned width, uint32_t value);

/* The SMI command port (offset 0, a PC's port 0xb2) and the data byte beside it (1, port 0xb3).  ACPI 4.8.2.1; PIIX4 4.3, ICH9 13.7.4. */
uint8_t acpi_pm_smi_read(const struct acpi_pm *pm, unsigned offset);
void acpi_pm_smi_write(struct acpi_pm *pm, unsigned offset, uint8_t value);

/* A hardware-reduced machine has these two instead of all above.  ACPI 4.8.3.7. */
uint8_t acpi_pm_sleep_control_read(const struct acpi_pm *pm);
enum acpi_pm_request acpi_pm_sleep_control_write(struct acpi_pm *pm, uint8_t value);
uint8_t acpi_pm_sleep_status_read(const struct acpi_pm *pm);
void acpi_pm_sleep_status_write(struct acpi_pm *pm, uint8_t value);

/* --- what happens to the machine --------------------------------------------------------------------------------- */

/* Status is set whether or not the guest has enabled it (ACPI 4.8.2.2.1.1).  Whether it hears of it: acpi_pm_interrupt(). */
void acpi_pm_press_power_button(struct acpi_pm *pm);
void acpi_pm_press_sleep_button(struct acpi_pm *pm);
void acpi_pm_rtc_alarm(struct acpi_pm *pm);
/* Event 0 to 63 (PIIX4: to 15); others are ignored. */
void acpi_pm_raise_gpe(struct acpi_pm *pm, unsigned event);

/* Out of a sleeping state: the wake status is set.  What woke it is told before, by one of those above, or by nothing. */
void acpi_pm_wake(struct acpi_pm *pm);

/* Would this wake a sleeping machine: is an event that the guest has enabled pending?  ACPI 4.8.2.2, 7.3.1. */
bool acpi_pm_wants_wake(const struct acpi_pm *pm, uint64_t now_ns);

/* The level of the system control interrupt: is an event pending that is enabled?  ACPI 4.8.3.1.2, 4.8.4.1. */
bool acpi_pm_interrupt(const struct acpi_pm *pm, uint64_t now_ns);

/* When the timer alone may raise it next; UINT64_MAX: not before the guest does something.  Never in the past. */
uint64_t acpi_pm_next_interrupt_ns(const struct acpi_pm *pm, uint64_t now_ns);

/* Has the guest enabled ACPI?  Else nobody listens to a power button.  ACPI 4.8.2.1 */
bool acpi_pm_is_enabled(const struct acpi_pm *pm);

/* --- saved and restored ------------------------------------------------------------------------------------------ */

/* The whole state, little-endian, with a version: ACPI_PM_SAVED_BYTES.  The same state gives the same bytes. */
void acpi_pm_save(const struct acpi_pm *pm, uint64_t now_ns, uint8_t *ret_bytes);

/* 0; -EPROTO: of a version that this one does not know; -EINVAL: no such state, and `pm` is as before.  The timer goes on from where it was. */
int acpi_pm_restore(struct acpi_pm *pm, uint64_t now_ns, const uint8_t *bytes, size_t n);

#ifdef __cplusplus
}
#endif
