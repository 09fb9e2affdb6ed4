#include "vmm/pc.h"

enum {
        PORT_SERIAL = 0x3f8,
        N_SERIAL_PORTS = 8,
        PORT_KEYBOARD_DATA = 0x60,
        PORT_KEYBOARD_STATUS = 0x64,
        KEYBOARD_IDLE = 0x1c, /* self-tested, last written to by a command, not locked; nothing to read, room to write */
};

void pc_reset(struct pc *pc) {
        serial_init(&pc->serial);
        fw_cfg_select(&pc->fw_cfg, 0);
}

static bool is_serial(uint16_t port) {
        return port >= PORT_SERIAL && port < PORT_SERIAL + N_SERIAL_PORTS;
}

uint32_t pc_in(struct pc *pc, uint16_t port, unsigned width, uint64_t now_ns) {
        if (width == 1 && is_serial(port))
                return serial_read(&pc->serial, port - PORT_SERIAL);
        if (width == 1 && port == FW_CFG_DATA_PORT)
                return fw_cfg_read(&pc->fw_cfg);
        if (width == 1 && port == PORT_KEYBOARD_STATUS)
                return KEYBOARD_IDLE;
        if (width == 1 && port == PORT_KEYBOARD_DATA)
                return 0;
        return board_in(pc->board, port, width, now_ns);
}

struct board_request pc_out(struct pc *pc, uint16_t port, unsigned width, uint32_t value, uint64_t now_ns, int *ret_console) {
        *ret_console = -1;
        if (width == 1 && is_serial(port)) {
                if (serial_write(&pc->serial, port - PORT_SERIAL, (uint8_t)value))
                        *ret_console = (uint8_t)value;
                return (struct board_request){ BOARD_NOTHING };
        }
        if (width == 2 && port == FW_CFG_SELECTOR_PORT) {
                fw_cfg_select(&pc->fw_cfg, (uint16_t)value);
                return (struct board_request){ BOARD_NOTHING };
        }
        return board_out(pc->board, port, width, value, now_ns);
}
