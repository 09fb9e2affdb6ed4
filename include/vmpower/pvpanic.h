/*
 * pvpanic: by which a guest says that its kernel has panicked, that a crash kernel runs, or that it shuts down.
 *
 * QEMU's device, docs/specs/pvpanic.txt there: one byte, at I/O port 0x505 (ISA; found through ACPI as QEMU0001) or at the start of BAR 0 (PCI
 * 1b36:0011); the two differ in where it is, and in nothing else.  Pure, as acpi_pm.h is; part of libvmpower-machine.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of its byte; which of them a device reads as is what it takes. */
enum {
        PVPANIC_PANICKED = 1 << 0,
        PVPANIC_CRASH_LOADED = 1 << 1,
        PVPANIC_SHUTDOWN = 1 << 2, /* QEMU 9.1 */

        PVPANIC_PORT = 0x505,
};

enum pvpanic_event {
        PVPANIC_EVENT_NONE,
        PVPANIC_EVENT_PANICKED,
        PVPANIC_EVENT_CRASH_LOADED,
        PVPANIC_EVENT_SHUTDOWN,
};

struct pvpanic {
        uint8_t events; /* that it takes */
};

static inline uint8_t pvpanic_read(const struct pvpanic *pvpanic) {
        return pvpanic->events;
}

/* The worst of what a guest says at once counts; what the device does not take is ignored. */
enum pvpanic_event pvpanic_write(const struct pvpanic *pvpanic, uint8_t value);

#ifdef __cplusplus
}
#endif
