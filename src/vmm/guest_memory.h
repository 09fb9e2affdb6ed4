/*
 * Guest memory: where a guest's physical addresses are in this process.
 *
 * Knows the hole of a PC below 4 GiB, where devices are.  Everything that a guest gives as an address goes through here.  Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Memory beyond it goes on at 4 GiB. */
#define GUEST_MEMORY_HOLE UINT64_C(0xc0000000)
#define GUEST_MEMORY_HIGH UINT64_C(0x100000000)

struct guest_memory {
        uint8_t *bytes; /* borrowed */
        uint64_t n;
};

/* How much of it is below the hole, and from 4 GiB on. */
uint64_t guest_memory_low(const struct guest_memory *memory);
uint64_t guest_memory_high(const struct guest_memory *memory);

/* `n` bytes at this address.  NULL: they are not all memory, or not in one piece. */
void *guest_memory_at(const struct guest_memory *memory, uint64_t address, uint64_t n);
