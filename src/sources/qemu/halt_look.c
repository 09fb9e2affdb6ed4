#include "sources/qemu/halt_look.h"

/*
 * "Stood still" allows for the timer interrupts that keep waking a halted vCPU under software emulation: Linux halted with
 * acpi=off runs 4 to 5 ms in 2 s (QEMU 7.2, -accel tcg; docs/how-a-vm-stops.md), under KVM not at all.
 */
#define STILL_PART 100

bool halt_look_tick(struct halt_look *look, uint64_t run_ns, uint64_t interval_ns) {
        uint64_t still_ns = interval_ns / STILL_PART;
        uint64_t ran_ns = run_ns - look->run_ns, moved_ns = run_ns - look->looked_ns;
        bool is_worth_it;

        /* A guest that idles is woken now and then: small steps are worth a look only once they add up, or have ended altogether. */
        is_worth_it = !look->has_looked || moved_ns > still_ns || (ran_ns == 0 && moved_ns > 0);
        is_worth_it = is_worth_it && look->has_ticked && ran_ns <= still_ns;

        look->run_ns = run_ns;
        look->has_ticked = true;
        if (!is_worth_it)
                return false;
        look->looked_ns = run_ns;
        look->has_looked = true;
        return true;
}

bool halt_look_tick_halted(struct halt_look *look, uint64_t run_ns, uint64_t interval_ns) {
        const uint64_t ran_ns = run_ns - look->run_ns;

        look->run_ns = look->looked_ns = run_ns;
        return ran_ns > interval_ns / STILL_PART;
}
