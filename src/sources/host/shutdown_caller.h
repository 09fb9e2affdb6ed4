/*
 * Shutdown caller: who asks logind to shut the host down.
 *
 * logind acts for whoever calls it and does not say for whom (later than systemd 252: in the journal alone).  The system bus shows such calls to who may look (root), and
 * to him only those: a monitor of its own with narrow rules, which hears of a call before logind does.  Where that is not allowed, nobody is
 * ever named.  Knows who called, and when.  Does not know whether anything came of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-bus.h>
#include <vmpower/judge.h>

enum {
        SHUTDOWN_MODE_MAX = 24,
};

struct shutdown_call {
        uint64_t at_ns;               /* CLOCK_BOOTTIME */
        char mode[SHUTDOWN_MODE_MAX]; /* poweroff, reboot, halt … */
        struct actor actor;
        bool is_known;     /* the actor is filled in */
        bool is_contested; /* somebody else called just then */
};

struct shutdown_caller;

/*
 * Look from now on.  `bus`: where it is asked who that is; it outlives this.  `answered` comes from the loop: whoever was asked for is known,
 * or will never be.  0 or -errno.
 */
int shutdown_caller_new(struct shutdown_caller **ret_caller, sd_event *event, sd_bus *bus, void (*answered)(void *userdata), void *userdata);
struct shutdown_caller *shutdown_caller_free(struct shutdown_caller *caller);

/* Somebody called, and the bus has not answered yet who that is (it does, or fails to, within a second). */
bool shutdown_caller_is_asking(const struct shutdown_caller *caller);

/* The last who asked for it at once; the last who had it scheduled.  NULL: nobody.  is_known: it was seen who that is. */
const struct shutdown_call *shutdown_caller_at_once(const struct shutdown_caller *caller);
const struct shutdown_call *shutdown_caller_scheduled(const struct shutdown_caller *caller);

/* What was asked for at once has come: whoever asks from now on asks for another one.  Accepts NULL. */
void shutdown_caller_done(struct shutdown_caller *caller);
