#include "vmm/serial.h"

/* PC16550D, table II. */
enum {
        DATA,
        INTERRUPT_ENABLE,
        INTERRUPT_IDENTIFICATION,
        LINE_CONTROL,
        MODEM_CONTROL,
        LINE_STATUS,
        MODEM_STATUS,
        SCRATCH,

        DIVISOR_ACCESS = 1 << 7,     /* of line control: offsets 0 and 1 are the divisor */
        NO_INTERRUPT = 1 << 0,
        TRANSMITTER_EMPTY = 3 << 5,  /* the holding register and the shift register */
        MODEM_READY = 0xb0,          /* DCD, DSR, CTS */
};

void serial_init(struct serial *serial) {
        *serial = (struct serial){ .divisor = { 12, 0 } };
}

static bool has_divisor(const struct serial *serial, unsigned offset) {
        return offset < 2 && (serial->line_control & DIVISOR_ACCESS);
}

uint8_t serial_read(const struct serial *serial, unsigned offset) {
        if (has_divisor(serial, offset))
                return serial->divisor[offset];
        switch (offset) {
        case INTERRUPT_ENABLE:
                return serial->interrupt_enable;
        case INTERRUPT_IDENTIFICATION:
                return NO_INTERRUPT;
        case LINE_CONTROL:
                return serial->line_control;
        case MODEM_CONTROL:
                return serial->modem_control;
        case LINE_STATUS:
                return TRANSMITTER_EMPTY;
        case MODEM_STATUS:
                return MODEM_READY;
        case SCRATCH:
                return serial->scratch;
        }
        return 0;
}

bool serial_write(struct serial *serial, unsigned offset, uint8_t value) {
        if (has_divisor(serial, offset)) {
                serial->divisor[offset] = value;
                return false;
        }
        switch (offset) {
        case INTERRUPT_ENABLE:
                serial->interrupt_enable = value & 15;
                break;
        case LINE_CONTROL:
                serial->line_control = value;
                break;
        case MODEM_CONTROL:
                serial->modem_control = value & 31;
                break;
        case SCRATCH:
                serial->scratch = value;
                break;
        }
        return offset == DATA;
}
