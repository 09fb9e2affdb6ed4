#include "vmm/pc.h"

enum {
        PORT_SERIAL = 0x3f8,
        N_SERIAL_PORTS = 8,
        PORT_KEYBOARD_DATA = 0x60,
        PORT_KEYBOARD_STATUS = 0x64,
        KEYBOARD_IDLE = 0x1c, /* self-tested, last written to by a command, not locked; nothing to read, room to write */

        LINE_SERIAL = 4,
        LINE_RTC = 8,
        LINE_SCI = 9,
};

void pc_init(struct pc *pc, struct moment moment) {
        rtc_init(&pc->rtc, moment.time_ns);
        pc_reset(pc);
}

void pc_reset(struct pc *pc) {
        serial_init(&pc->serial);
        rtc_reset(&pc->rtc);
        fw_cfg_select(&pc->fw_cfg, 0);
}

static bool is_serial(uint16_t port) {
        return port >= PORT_SERIAL && port < PORT_SERIAL + N_SERIAL_PORTS;
}

static bool is_rtc(uint16_t port) {
        return port == RTC_PORT || port == RTC_PORT + 1;
}

uint32_t pc_in(struct pc *pc, uint16_t port, unsigned width, struct moment moment) {
        if (width == 1 && is_serial(port))
                return serial_read(&pc->serial, port - PORT_SERIAL);
        if (width == 1 && is_rtc(port))
                return rtc_read(&pc->rtc, port - RTC_PORT, moment.time_ns);
        if (width == 1 && port == FW_CFG_DATA_PORT)
                return fw_cfg_read(&pc->fw_cfg);
        if (width == 1 && port == PORT_KEYBOARD_STATUS)
                return KEYBOARD_IDLE;
        if (width == 1 && port == PORT_KEYBOARD_DATA)
                return 0;
        return board_in(pc->board, port, width, moment.now_ns);
}

struct board_request pc_out(struct pc *pc, uint16_t port, unsigned width, uint32_t value, struct moment moment, int *ret_console) {
        *ret_console = -1;
        if (width == 1 && is_serial(port)) {
                if (serial_write(&pc->serial, port - PORT_SERIAL, (uint8_t)value))
                        *ret_console = (uint8_t)value;
                return (struct board_request){ BOARD_NOTHING };
        }
        if (width == 1 && is_rtc(port)) {
                rtc_write(&pc->rtc, port - RTC_PORT, (uint8_t)value, moment.time_ns);
                return (struct board_request){ BOARD_NOTHING };
        }
        if (width == 2 && port == FW_CFG_SELECTOR_PORT) {
                fw_cfg_select(&pc->fw_cfg, (uint16_t)value);
                return (struct board_request){ BOARD_NOTHING };
        }
        return board_out(pc->board, port, width, value, moment.now_ns);
}

void pc_advance(struct pc *pc, struct moment moment) {
        if (rtc_advance(&pc->rtc, moment.time_ns))
                acpi_pm_rtc_alarm(&pc->board->pm);
}

uint64_t pc_next_ns(const struct pc *pc, struct moment moment) {
        const uint64_t rtc_ns = rtc_next_ns(&pc->rtc);
        uint64_t next = UINT64_MAX;

        if (rtc_ns != UINT64_MAX)
                next = rtc_ns <= moment.time_ns ? moment.now_ns : moment.now_ns + (rtc_ns - moment.time_ns);
        if (!acpi_pm_interrupt(&pc->board->pm, moment.now_ns) && acpi_pm_next_interrupt_ns(&pc->board->pm, moment.now_ns) < next)
                next = acpi_pm_next_interrupt_ns(&pc->board->pm, moment.now_ns);
        return next;
}

uint32_t pc_interrupts(const struct pc *pc, struct moment moment) {
        return (acpi_pm_interrupt(&pc->board->pm, moment.now_ns) ? 1U << LINE_SCI : 0) | (serial_interrupt(&pc->serial) ? 1U << LINE_SERIAL : 0) |
               (rtc_interrupt(&pc->rtc) ? 1U << LINE_RTC : 0);
}
