/*
 * PC: all that is behind the I/O ports of our machine: its board, a serial console, a real-time clock, fw_cfg, and a keyboard controller that has no keyboard.
 *
 * Knows which port is whose, and whose each interrupt line is.  Does not know CPUs.  Pure.
 */
#pragma once

#include "vmm/board.h"
#include "vmm/fw_cfg.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"

struct pc {
        struct board *board; /* borrowed */
        struct serial serial;
        struct rtc rtc;
        struct fw_cfg fw_cfg;
};

/* Both clocks at one instant. */
struct moment {
        uint64_t now_ns;  /* that never goes back */
        uint64_t time_ns; /* the time of day, since 1970 */
};

void pc_init(struct pc *pc, struct moment moment);
void pc_reset(struct pc *pc);

uint32_t pc_in(struct pc *pc, uint16_t port, unsigned width, struct moment moment);

/* *ret_console: the byte that goes to the console, -1: none. */
struct board_request pc_out(struct pc *pc, uint16_t port, unsigned width, uint32_t value, struct moment moment, int *ret_console);

/* Time has gone on. */
void pc_advance(struct pc *pc, struct moment moment);
/* When it wants pc_advance() to be called next, in moment.now_ns's clock; UINT64_MAX: not before the guest does something. */
uint64_t pc_next_ns(const struct pc *pc, struct moment moment);

/* The interrupt lines that are up, a bit each. */
uint32_t pc_interrupts(const struct pc *pc, struct moment moment);
