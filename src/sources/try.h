/*
 * Try: what the tries of all sources share: a loop that is waited for with a bound.
 */
#pragma once

#include "basics/found.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* What works does so in milliseconds; a busy machine is given time. */
#define TRY_WAIT_NS UINT64_C(3000000000)

uint64_t source_now_ns(void);

/* Run the loop until *is_done.  0, -ETIMEDOUT or -errno. */
static inline int try_wait(sd_event *event, const bool *is_done) {
        uint64_t until_ns = source_now_ns() + TRY_WAIT_NS;

        while (!*is_done) {
                uint64_t now_ns = source_now_ns();
                int r;

                if (now_ns >= until_ns)
                        return -ETIMEDOUT;
                r = sd_event_run(event, (until_ns - now_ns) / 1000 + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}
