/*
 * Halt look: when is it worth asking a QEMU for its vCPUs' registers?
 *
 * A VM that is halted for good makes no event.  Its vCPUs' threads stand still; so do those of a guest that idles.  Knows
 * how to ask each of these only once.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct halt_look {
        uint64_t run_ns;    /* the threads' run time at the last tick */
        uint64_t looked_ns; /* and at the last look */
        bool has_ticked;
        bool has_looked;
};

/*
 * A tick, halt_after after the last one: `run_ns` is the run time of all vCPU threads together, `interval_ns` how long ago the last tick was.
 * True: they stood still since the last tick and have moved since the last look, so look now.  (Still is: next to nothing.  Moved is: more than
 * that, or anything at all and then nothing.)
 */
bool halt_look_tick(struct halt_look *look, uint64_t run_ns, uint64_t interval_ns);

/* A tick of a VM that is halted.  True: they ran since the last one, so look whether it is halted still. */
bool halt_look_tick_halted(struct halt_look *look, uint64_t run_ns, uint64_t interval_ns);
