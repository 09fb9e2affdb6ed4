#include "vmm/serial.h"

/* PC16550D, table II. */
enum {
        DATA,
        INTERRUPT_ENABLE,
        INTERRUPT_IDENTIFICATION, /* written: FIFO control */
        LINE_CONTROL,
        MODEM_CONTROL,
        LINE_STATUS,
        MODEM_STATUS,
        SCRATCH,

        ENABLE_RECEIVED = 1 << 0,    /* of interrupt enable */
        ENABLE_SENT = 1 << 1,
        FIFO_ENABLE = 1 << 0,        /* of FIFO control */
        FIFO_CLEAR_RECEIVED = 1 << 1,
        NO_INTERRUPT = 1 << 0,       /* of interrupt identification */
        INTERRUPT_SENT = 1 << 1,
        INTERRUPT_RECEIVED = 1 << 2,
        FIFOS_ENABLED = 3 << 6,
        DIVISOR_ACCESS = 1 << 7,     /* of line control: offsets 0 and 1 are the divisor */
        LOOPBACK = 1 << 4,           /* of modem control */
        INTERRUPTS_CONNECTED = 1 << 3,
        DATA_READY = 1 << 0,         /* of line status */
        TRANSMITTER_EMPTY = 3 << 5,  /* the holding register and the shift register */
        MODEM_READY = 0xb0,          /* of modem status: DCD, DSR, CTS */
};

void serial_init(struct serial *serial) {
        *serial = (struct serial){ .divisor = { 12, 0 } };
}

static bool has_divisor(const struct serial *serial, unsigned offset) {
        return offset < 2 && (serial->line_control & DIVISOR_ACCESS);
}

/* The receiver's goes before the transmitter's: table IV. */
static uint8_t identify(const struct serial *serial) {
        if (serial->n && (serial->interrupt_enable & ENABLE_RECEIVED))
                return INTERRUPT_RECEIVED;
        return serial->is_sent && (serial->interrupt_enable & ENABLE_SENT) ? INTERRUPT_SENT : NO_INTERRUPT;
}

/* In loopback, DTR, RTS, OUT1 and OUT2 come back as DSR, CTS, RI and DCD: 8.6.6. */
static uint8_t modem_status(const struct serial *serial) {
        const uint8_t control = serial->modem_control;

        if (!(control & LOOPBACK))
                return MODEM_READY;
        return (uint8_t)((control & 1) << 5 | (control & 2) << 3 | (control & 4) << 4 | (control & 8) << 4);
}

static uint8_t take_received(struct serial *serial) {
        const uint8_t byte = serial->received[serial->first];

        if (!serial->n)
                return 0;
        serial->first = (serial->first + 1) % SERIAL_FIFO;
        serial->n--;
        return byte;
}

uint8_t serial_read(struct serial *serial, unsigned offset) {
        uint8_t value;

        if (has_divisor(serial, offset))
                return serial->divisor[offset];
        switch (offset) {
        case DATA:
                return take_received(serial);
        case INTERRUPT_ENABLE:
                return serial->interrupt_enable;
        case INTERRUPT_IDENTIFICATION:
                value = identify(serial);
                /* Who reads that has heard of it. */
                if (value == INTERRUPT_SENT)
                        serial->is_sent = false;
                return value | (serial->has_fifo ? FIFOS_ENABLED : 0);
        case LINE_CONTROL:
                return serial->line_control;
        case MODEM_CONTROL:
                return serial->modem_control;
        case LINE_STATUS:
                return TRANSMITTER_EMPTY | (serial->n ? DATA_READY : 0);
        case MODEM_STATUS:
                return modem_status(serial);
        case SCRATCH:
                return serial->scratch;
        }
        return 0;
}

static bool send(struct serial *serial, uint8_t value) {
        serial->is_sent = true;
        if (!(serial->modem_control & LOOPBACK))
                return true;
        serial_receive(serial, value);
        return false;
}

bool serial_write(struct serial *serial, unsigned offset, uint8_t value) {
        if (has_divisor(serial, offset)) {
                serial->divisor[offset] = value;
                return false;
        }
        switch (offset) {
        case DATA:
                return send(serial, value);
        case INTERRUPT_ENABLE:
                /* Who switches it on hears at once that there is room. */
                if (value & ~serial->interrupt_enable & ENABLE_SENT)
                        serial->is_sent = true;
                serial->interrupt_enable = value & 15;
                break;
        case INTERRUPT_IDENTIFICATION:
                if (value & FIFO_CLEAR_RECEIVED || serial->has_fifo != (value & FIFO_ENABLE))
                        serial->n = 0;
                serial->has_fifo = value & FIFO_ENABLE;
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
        return false;
}

unsigned serial_room(const struct serial *serial) {
        const unsigned n_max = serial->has_fifo ? SERIAL_FIFO : 1;

        return serial->n < n_max ? n_max - serial->n : 0;
}

void serial_receive(struct serial *serial, uint8_t byte) {
        if (serial_room(serial))
                serial->received[(serial->first + serial->n++) % SERIAL_FIFO] = byte;
}

/* A PC has OUT2 between the chip and its interrupt line. */
bool serial_interrupt(const struct serial *serial) {
        return (serial->modem_control & (INTERRUPTS_CONNECTED | LOOPBACK)) == INTERRUPTS_CONNECTED && identify(serial) != NO_INTERRUPT;
}
