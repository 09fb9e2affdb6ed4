#include "sources/qemu/halt_look.h"

/*
 * "Stood still" allows for the timer interrupts that keep waking a halted vCPU under software emulation: Linux halted with
 * acpi=off runs 4 to 5 ms in 2 s (QEMU 7.2, -accel tcg; docs/how-a-vm-stops.md), under KVM not at all.
 */
#define STILL_PART 100

bool halt_look_tick(struct halt_look *look, uint64_t run_ns, uint64_t interval_ns) {
        uint64_t still_ns = interval_ns / STILL_PART;
        bool stood_still = look->has_ticked && run_ns - look->run_ns <= still_ns;
        bool has_moved = !look->has_looked || run_ns - look->looked_ns > still_ns;

        look->run_ns = run_ns;
        look->has_ticked = true;
        if (!stood_still || !has_moved)
                return false;
        look->looked_ns = run_ns;
        look->has_looked = true;
        return true;
}
