/*
 * Halt ticks: one timer for all VMs that may be halted for good.
 *
 * Runs only while somebody waits for it, and wakes once for all of them.  What they do then is done a few at a time, after whatever
 * else the loop has to do, so that ten thousand of them keep no event waiting.  Does not know what a tick is good for.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/* The timer's period, as long as nobody wants a shorter one. */
#define HALT_TICK_NS UINT64_C(2000000000)

struct halt_ticks;

/* One who waits for ticks: fill in the first three.  All zero is one who does not. */
struct halt_ticker {
        uint64_t every_ns; /* at least so far apart, and less than a period later; above 0 */
        /* May remove any ticker, this one too. */
        void (*tick)(void *userdata);
        void *userdata;

        struct halt_ticks *ticks; /* NULL: it does not wait */
        struct halt_ticker *next, *previous;
        uint64_t last_ns;
};

int halt_ticks_new(struct halt_ticks **ret_ticks, sd_event *event);

/* Nobody may wait any more.  Accepts NULL. */
struct halt_ticks *halt_ticks_free(struct halt_ticks *ticks);

/* Its first tick is the timer's next, however soon.  Nothing where it waits already.  0 or -errno. */
int halt_ticks_add(struct halt_ticks *ticks, struct halt_ticker *ticker);
void halt_ticks_remove(struct halt_ticker *ticker);
