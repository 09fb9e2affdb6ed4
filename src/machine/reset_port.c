#include "vmpower/reset_port.h"

enum {
        CF9_SYS_RST = 1 << 1,
        CF9_RST_CPU = 1 << 2,
        CF9_FULL_RST = 1 << 3,
        COMMAND_WRITE_OUTPUT = 0xd1, /* 8042: the next data byte is the output port */
        COMMAND_PULSE = 0xf0,        /* 8042: pulse those lines whose bit is 0 */
        OUTPUT_RESET = 1 << 0,       /* 8042: the line to the CPU's reset, active low */
        PORT92_RESET = 1 << 0,
        PORT92_A20 = 1 << 1,
};

void reset_port_init(struct reset_port *ports, bool keeps_full_reset) {
        *ports = (struct reset_port){ .keeps_full_reset = keeps_full_reset };
}

static enum reset_port_way write_cf9(struct reset_port *ports, uint8_t value) {
        /* RST_CPU makes a reset when it goes from 0 to 1, and is never kept: so it always does. */
        if (value & CF9_RST_CPU)
                return RESET_PORT_CF9;
        ports->cf9 = value & (ports->keeps_full_reset ? CF9_SYS_RST | CF9_FULL_RST : CF9_SYS_RST);
        return RESET_PORT_NONE;
}

static enum reset_port_way write_command(struct reset_port *ports, uint8_t value) {
        ports->expects_output = value == COMMAND_WRITE_OUTPUT;
        return (value & COMMAND_PULSE) == COMMAND_PULSE && !(value & OUTPUT_RESET) ? RESET_PORT_8042 : RESET_PORT_NONE;
}

static enum reset_port_way write_data(struct reset_port *ports, uint8_t value) {
        const bool is_output = ports->expects_output;

        ports->expects_output = false;
        return is_output && !(value & OUTPUT_RESET) ? RESET_PORT_8042 : RESET_PORT_NONE;
}

static enum reset_port_way write_92(struct reset_port *ports, uint8_t value) {
        const uint8_t before = ports->port92;

        ports->port92 = value;
        return (value & ~before & PORT92_RESET) ? RESET_PORT_92 : RESET_PORT_NONE;
}

enum reset_port_way reset_port_write(struct reset_port *ports, uint16_t port, uint8_t value) {
        switch (port) {
        case RESET_PORT_8042_DATA:
                return write_data(ports, value);
        case RESET_PORT_8042_COMMAND:
                return write_command(ports, value);
        case RESET_PORT_92_PORT:
                return write_92(ports, value);
        case RESET_PORT_CF9_PORT:
                return write_cf9(ports, value);
        }
        return RESET_PORT_NONE;
}

bool reset_port_read(const struct reset_port *ports, uint16_t port, uint8_t *ret_value) {
        if (port == RESET_PORT_92_PORT)
                *ret_value = ports->port92;
        else if (port == RESET_PORT_CF9_PORT)
                *ret_value = ports->cf9;
        else
                return false;
        return true;
}

bool reset_port_has_a20(const struct reset_port *ports) {
        return ports->port92 & PORT92_A20;
}
