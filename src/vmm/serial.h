/*
 * Serial: the registers of a 16550 (National Semiconductor PC16550D): a guest's console.
 *
 * Knows what each register reads as, and when the guest is to be interrupted.  Every byte is sent at once, and as many are kept as its receiver's FIFO holds.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SERIAL_FIFO = 16 };

struct serial {
        uint8_t interrupt_enable, line_control, modem_control, scratch;
        uint8_t divisor[2];
        bool has_fifo;
        bool is_sent;      /* the guest has not yet heard that there is room again: an interrupt until it has */
        uint8_t received[SERIAL_FIFO];
        uint8_t first, n;
};

void serial_init(struct serial *serial);
/* `offset`: 0 to 7. */
uint8_t serial_read(struct serial *serial, unsigned offset);
/* True: the byte goes out. */
bool serial_write(struct serial *serial, unsigned offset, uint8_t value);

/* How many bytes it takes. */
unsigned serial_room(const struct serial *serial);
/* One that has come; it is lost where there is no room. */
void serial_receive(struct serial *serial, uint8_t byte);

/* The level of its interrupt. */
bool serial_interrupt(const struct serial *serial);
