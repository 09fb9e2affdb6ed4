#include "vmm/guest_memory.h"

uint64_t guest_memory_low(const struct guest_memory *memory) {
        return memory->n < GUEST_MEMORY_HOLE ? memory->n : GUEST_MEMORY_HOLE;
}

uint64_t guest_memory_high(const struct guest_memory *memory) {
        return memory->n - guest_memory_low(memory);
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t address, uint64_t n) {
        const uint64_t n_low = guest_memory_low(memory), n_high = guest_memory_high(memory);

        if (address <= n_low && n <= n_low - address)
                return memory->bytes + address;
        if (address >= GUEST_MEMORY_HIGH && address - GUEST_MEMORY_HIGH <= n_high && n <= n_high - (address - GUEST_MEMORY_HIGH))
                return memory->bytes + n_low + (address - GUEST_MEMORY_HIGH);
        return NULL;
}
