/*
 * Cpu changes: which CPUs have come or gone, and with them what was opened on them.
 *
 * Hears the kernel's uevents of CPUs, and that the host has slept: then all but one were gone, and no uevent says so.  Does not know what is done on them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Outcomes. */
#define CPU_CHANGES_NONE (-1)
#define CPU_CHANGES_ALL  (-2) /* any of them may have */

struct cpu_changes {
        int uevents, clock; /* -1: not open */
        uint64_t asleep_ns; /* the host was, as far as was seen */
};

/* Both become part of the epoll, with this number.  0 or -errno: then it is half open, and to be closed. */
int cpu_changes_open(struct cpu_changes *ret_changes, int epoll_fd, unsigned long number);
void cpu_changes_close(struct cpu_changes *changes);

/* The next CPU that has come or gone, or an outcome. */
int cpu_changes_next(struct cpu_changes *changes);

/* How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC. */
uint64_t cpu_changes_asleep_ns(struct cpu_changes *changes);

/* "online@/devices/system/cpu/cpu12", and what a uevent has behind the NUL: a number; CPU_CHANGES_NONE: it is about something else.  Pure. */
int cpu_changes_parse(const char *message, size_t n_message);
