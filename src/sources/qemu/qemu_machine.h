/*
 * QEMU machine: what its command line says of the machine that it runs.
 *
 * Knows -M and -machine.  Does not know other options, or what a machine does.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Is it a PC with ACPI: of an x86 QEMU (pc, q35, any version of them, or its default), or vmpower-vmm's?  The first words may be wrappers, as for
 * qemu_options_read().
 */
bool qemu_machine_is_pc(size_t n_argv, char *const *argv);
