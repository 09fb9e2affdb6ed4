/*
 * Reset ports: where a guest resets a PC, other than by the ACPI reset register (which is one of them on every PC: ACPI 4.8.3.6, FADT).
 *
 * Pure, as acpi_pm.h is; part of libvmpower-machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reset_port_way {
        RESET_PORT_NONE,
        RESET_PORT_CF9,  /* 0xcf9, bit 2, the reset control register: ICH9 13.7.5, PIIX3 2.5.5.2 */
        RESET_PORT_8042, /* 0x64, 0xf0 to 0xfe without bit 0: the keyboard controller pulses the CPU's reset line; or 0xd1, and 0x60 without bit 0 */
        RESET_PORT_92,   /* 0x92, bit 0 from 0 to 1: PS/2's fast reset; ICH9 13.7.2 */
};

enum {
        RESET_PORT_8042_DATA = 0x60,
        RESET_PORT_8042_COMMAND = 0x64,
        RESET_PORT_92_PORT = 0x92,
        RESET_PORT_CF9_PORT = 0xcf9,
};

struct reset_port {
        bool keeps_full_reset; /* ICH9's 0xcf9 has FULL_RST (bit 3); PIIX3's has not */
        uint8_t cf9, port92;
        bool expects_output; /* the next byte at 0x60 is the keyboard controller's output port */
};

/* Power on, and every reset. */
void reset_port_init(struct reset_port *ports, bool keeps_full_reset);

/* A guest writes a byte to one of these ports; to any other: RESET_PORT_NONE.  0x60 and 0x64 are the keyboard controller's, too. */
enum reset_port_way reset_port_write(struct reset_port *ports, uint16_t port, uint8_t value);

/* True: the port is 0x92 or 0xcf9, and *ret_value is what it reads. */
bool reset_port_read(const struct reset_port *ports, uint16_t port, uint8_t *ret_value);

/* Is the A20 line on, as 0x92 says?  ICH9 13.7.2 */
bool reset_port_has_a20(const struct reset_port *ports);

#ifdef __cplusplus
}
#endif
