/*
 * Board: the power-management hardware of a PC behind its I/O ports.
 *
 * Knows which port is whose: the PM block where firmware has put it, PCI configuration space as far as it says so, the reset ports, pvpanic.  Does not know
 * what becomes of a request.  Pure.
 */
#pragma once

#include "vmpower/acpi_pm.h"
#include "vmpower/pvpanic.h"
#include "vmpower/reset_port.h"

enum board_request_kind {
        BOARD_NOTHING,
        BOARD_SUSPEND,
        BOARD_HIBERNATE,
        BOARD_POWER_OFF,
        BOARD_RESET,
        BOARD_PANICKED,
        BOARD_CRASH_LOADED,
        BOARD_GUEST_SHUTDOWN, /* through pvpanic */
};

struct board_request {
        enum board_request_kind kind;
        const char *mechanism; /* in the verdict's word */
        uint16_t port; /* 0: it was no access */
        uint32_t value;

        bool has_cpu; /* where the CPU was is known: */
        unsigned cpu;
        uint64_t rip; /* linear */
        uint16_t idt_limit; /* of a triple fault: 0, its interrupt table was empty, as whoever wants a reset makes it */
};

struct board {
        struct acpi_pm pm;
        struct reset_port reset;
        struct pvpanic pvpanic;
        uint32_t config_address; /* PCI configuration mechanism 1: PCI Local Bus Specification 3.0, 3.2.2.3.2 */
};

void board_init(struct board *board, enum acpi_pm_chip chip, uint64_t now_ns);
void board_reset(struct board *board, uint64_t now_ns);

/* `width`: 1, 2 or 4 bytes.  Where nothing is, ones are read and what is written is lost. */
uint32_t board_in(const struct board *board, uint16_t port, unsigned width, uint64_t now_ns);
struct board_request board_out(struct board *board, uint16_t port, unsigned width, uint32_t value, uint64_t now_ns);
