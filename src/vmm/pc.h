/*
 * PC: all that is behind the I/O ports of our machine: its board, a serial console, fw_cfg, and a keyboard controller that has no keyboard.
 *
 * Knows which port is whose.  Does not know CPUs.  Pure.
 */
#pragma once

#include "vmm/board.h"
#include "vmm/fw_cfg.h"
#include "vmm/serial.h"

struct pc {
        struct board *board; /* borrowed */
        struct serial serial;
        struct fw_cfg fw_cfg;
};

void pc_reset(struct pc *pc);

uint32_t pc_in(struct pc *pc, uint16_t port, unsigned width, uint64_t now_ns);

/* *ret_console: the byte that goes to the console, -1: none. */
struct board_request pc_out(struct pc *pc, uint16_t port, unsigned width, uint32_t value, uint64_t now_ns, int *ret_console);
