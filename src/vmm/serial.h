/*
 * Serial: the registers of a 16550 (National Semiconductor PC16550D), as far as a guest writes to its console.
 *
 * Knows what each register reads as.  Every byte is sent at once; nothing is ever received.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct serial {
        uint8_t interrupt_enable, line_control, modem_control, scratch;
        uint8_t divisor[2];
};

void serial_init(struct serial *serial);
/* `offset`: 0 to 7. */
uint8_t serial_read(const struct serial *serial, unsigned offset);
/* True: the byte goes out. */
bool serial_write(struct serial *serial, unsigned offset, uint8_t value);
