/*
 * QEMU registers: is this VM halted for good?
 *
 * Reads what HMP's `info registers -a` prints.  Knows x86 only; of every other text it says that it cannot
 * tell.  Pure.
 */
#pragma once

#include "core/evidence.h"

struct qemu_registers {
        unsigned vcpus;
        enum tristate halted; /* TRISTATE_NULL: cannot tell */
};

/*
 * Read the registers.  n_vcpus: how many vCPUs the VM has (0: not known).
 *
 * Halted for good is: every vCPU is in HLT with interrupts off (EFLAGS bit 9), but for those that were never
 * started.  Such a one waits at its reset vector: software emulation prints HLT=1 then, KVM prints HLT=0
 * (measured on QEMU 7.2).  It is known by EIP and CS of the reset state (Intel SDM volume 3, 9.1.4), and never
 * the first.  A text that is cut, or that names another number of vCPUs, cannot tell.
 */
struct qemu_registers qemu_registers_read(const char *text, size_t n_text, unsigned n_vcpus);

struct evidence qemu_registers_evidence(struct qemu_registers registers);
