#include "vmm/board.h"

#include <string.h>

enum {
        PORT_SMI = 0xb2,       /* and 0xb3 */
        PORT_CONFIG_ADDRESS = 0xcf8,
        PORT_CONFIG_DATA = 0xcfc,
        PORT_GPE_PIIX4 = 0xafe0, /* where QEMU's machine has them */
        N_GPE_PORTS = 4,
        CONFIG_ENABLE = 1U << 31,
};

/* The PCI function that the PM block belongs to: its address, and the bytes that say what it is. */
static const struct function {
        unsigned device, function;
        uint8_t identity[12];
} functions[] = {
        /* 8086:7113, a bridge of another kind (0680) */
        [ACPI_PM_PIIX4] = { 1, 3, { 0x86, 0x80, 0x13, 0x71, 0x00, 0x00, 0x80, 0x02, 0x03, 0x00, 0x80, 0x06 } },
        /* 8086:2918, an ISA bridge (0601) */
        [ACPI_PM_ICH9] = { 31, 0, { 0x86, 0x80, 0x18, 0x29, 0x07, 0x00, 0x00, 0x02, 0x02, 0x00, 0x01, 0x06 } },
};

void board_init(struct board *board, enum acpi_pm_chip chip, uint64_t now_ns) {
        const struct acpi_pm_config config = acpi_pm_config_of(chip);

        *board = (struct board){ .pvpanic = { PVPANIC_PANICKED | PVPANIC_CRASH_LOADED } };
        acpi_pm_init(&board->pm, &config, now_ns);
        reset_port_init(&board->reset, chip == ACPI_PM_ICH9);
}

void board_reset(struct board *board, uint64_t now_ns) {
        acpi_pm_reset(&board->pm, now_ns);
        reset_port_init(&board->reset, board->pm.config.chip == ACPI_PM_ICH9);
        board->config_address = 0;
}

/* --- PCI configuration space ------------------------------------------------------------------------------------- */

/* Is it the PM's function that is addressed?  *ret_offset: of the byte at that data port. */
static bool is_addressed(const struct board *board, uint16_t port, unsigned *ret_offset) {
        const struct function *function = &functions[board->pm.config.chip];
        const uint32_t wanted = CONFIG_ENABLE | function->device << 11 | function->function << 8;

        *ret_offset = (board->config_address & 0xfc) + (port & 3U);
        return (board->config_address & 0xffffff00) == wanted;
}

static uint8_t config_read(const struct board *board, uint16_t port) {
        const uint8_t *identity = functions[board->pm.config.chip].identity;
        unsigned offset;
        uint8_t value;

        if (!is_addressed(board, port, &offset))
                return UINT8_MAX;
        if (acpi_pm_config_read(&board->pm, offset, &value))
                return value;
        return offset < sizeof(functions[0].identity) ? identity[offset] : 0;
}

static void config_write(struct board *board, uint16_t port, uint8_t value) {
        unsigned offset;

        if (is_addressed(board, port, &offset))
                acpi_pm_config_write(&board->pm, offset, value);
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

static unsigned n_ports_of(const struct board *board) {
        return board->pm.config.chip == ACPI_PM_ICH9 ? ACPI_PM_PORTS_ICH9 : ACPI_PM_PORTS_PIIX4;
}

/* How far from its first port, if it is one of the PM block's. */
static bool is_pm(const struct board *board, uint16_t port, unsigned *ret_offset) {
        const int base = acpi_pm_base(&board->pm);

        *ret_offset = (unsigned)(port - base);
        return base >= 0 && port >= base && *ret_offset < n_ports_of(board);
}

static bool is_gpe(const struct board *board, uint16_t port) {
        return board->pm.config.chip == ACPI_PM_PIIX4 && port >= PORT_GPE_PIIX4 && port < PORT_GPE_PIIX4 + N_GPE_PORTS;
}

static uint8_t in_byte(const struct board *board, uint16_t port) {
        uint8_t value;

        if (port == PORT_SMI || port == PORT_SMI + 1)
                return acpi_pm_smi_read(&board->pm, port - PORT_SMI);
        if (port >= PORT_CONFIG_DATA && port < PORT_CONFIG_DATA + 4)
                return config_read(board, port);
        if (port == PVPANIC_PORT)
                return pvpanic_read(&board->pvpanic);
        return reset_port_read(&board->reset, port, &value) ? value : UINT8_MAX;
}

uint32_t board_in(const struct board *board, uint16_t port, unsigned width, uint64_t now_ns) {
        uint32_t value = 0;
        unsigned offset;

        if (is_pm(board, port, &offset))
                return acpi_pm_read(&board->pm, offset, width, now_ns);
        if (is_gpe(board, port))
                return acpi_pm_gpe_read(&board->pm, port - PORT_GPE_PIIX4, width);
        if (port == PORT_CONFIG_ADDRESS && width == 4)
                return board->config_address;
        for (unsigned i = 0; i < width; i++)
                value |= (uint32_t)in_byte(board, (uint16_t)(port + i)) << i * 8;
        return value;
}

static struct board_request out_pm(struct board *board, unsigned offset, unsigned width, uint32_t value, uint64_t now_ns) {
        switch (acpi_pm_write(&board->pm, offset, width, value, now_ns)) {
        case ACPI_PM_SUSPEND:
                return (struct board_request){ BOARD_SUSPEND, "acpi-s3" };
        case ACPI_PM_HIBERNATE:
                return (struct board_request){ BOARD_HIBERNATE, "acpi-s4" };
        case ACPI_PM_POWER_OFF:
                return (struct board_request){ BOARD_POWER_OFF, "acpi-s5" };
        case ACPI_PM_STANDBY: /* this board's tables have no S1 */
        case ACPI_PM_NOTHING:
                break;
        }
        return (struct board_request){ BOARD_NOTHING };
}

static struct board_request out_reset(struct board *board, uint16_t port, uint8_t value) {
        switch (reset_port_write(&board->reset, port, value)) {
        case RESET_PORT_CF9:
                return (struct board_request){ BOARD_RESET, "reset-cf9" };
        case RESET_PORT_8042:
                return (struct board_request){ BOARD_RESET, "reset-8042" };
        case RESET_PORT_92:
                return (struct board_request){ BOARD_RESET, "reset-port92" };
        case RESET_PORT_NONE:
                break;
        }
        return (struct board_request){ BOARD_NOTHING };
}

static struct board_request out_pvpanic(struct board *board, uint8_t value) {
        switch (pvpanic_write(&board->pvpanic, value)) {
        case PVPANIC_EVENT_PANICKED:
                return (struct board_request){ BOARD_PANICKED, "panic-device" };
        case PVPANIC_EVENT_CRASH_LOADED:
                return (struct board_request){ BOARD_CRASH_LOADED, "panic-device" };
        case PVPANIC_EVENT_SHUTDOWN:
                return (struct board_request){ BOARD_GUEST_SHUTDOWN, "guest-shutdown" };
        case PVPANIC_EVENT_NONE:
                break;
        }
        return (struct board_request){ BOARD_NOTHING };
}

static struct board_request out_byte(struct board *board, uint16_t port, uint8_t value) {
        if (port == PVPANIC_PORT)
                return out_pvpanic(board, value);
        if (port == PORT_SMI || port == PORT_SMI + 1)
                acpi_pm_smi_write(&board->pm, port - PORT_SMI, value);
        else if (port >= PORT_CONFIG_DATA && port < PORT_CONFIG_DATA + 4)
                config_write(board, port, value);
        return out_reset(board, port, value);
}

struct board_request board_out(struct board *board, uint16_t port, unsigned width, uint32_t value, uint64_t now_ns) {
        struct board_request request = { BOARD_NOTHING };
        unsigned offset;

        if (is_pm(board, port, &offset)) {
                request = out_pm(board, offset, width, value, now_ns);
        } else if (is_gpe(board, port)) {
                acpi_pm_gpe_write(&board->pm, port - PORT_GPE_PIIX4, width, value);
        } else if (port == PORT_CONFIG_ADDRESS && width == 4) {
                board->config_address = value & 0x80fffffc;
        } else {
                /* The first byte that asks for something is it. */
                for (unsigned i = 0; i < width && !request.kind; i++)
                        request = out_byte(board, (uint16_t)(port + i), (uint8_t)(value >> i * 8));
        }
        request.port = port;
        request.value = value;
        return request;
}
