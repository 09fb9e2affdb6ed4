/*
 * Unit caller: who has systemd stop, restart or kill a unit, over the system bus.
 *
 * systemd acts for whoever calls it and does not say for whom.  (root's systemctl does not go by the bus: sources/toolstack.h sees it.)  Reads what the monitor of
 * shutdown_caller.h is shown besides; whom the bus names, toolstack.h remembers.  Does not know whether anything came of it.
 */
#pragma once

#include <systemd/sd-bus.h>

struct unit_caller;

/* `bus`: where it is asked who that is; it outlives this.  0 or -ENOMEM. */
int unit_caller_new(struct unit_caller **ret_caller, sd_bus *bus);
struct unit_caller *unit_caller_free(struct unit_caller *caller);

/* The i-th rule of what a monitor is to be shown; NULL past the end. */
const char *unit_caller_rule(size_t i);

/* What it was shown: whatever is none of these calls is passed over. */
void unit_caller_hear(struct unit_caller *caller, sd_bus_message *message);
