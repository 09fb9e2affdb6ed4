/*
 * Outlet: where verdicts are told.
 *
 * The one small table that every outlet fills in, and the two calls up.  An outlet knows how to tell one verdict.  It does not know the
 * store, which verdicts there are, or what becomes of one that could not be told: that is for whoever tells (engine/outbox.h).
 */
#pragma once

#include "core/record.h"

enum {
        OUTLET_WHY_MAX = 384,

        OUTLET_STARTED = 1, /* it is being told: `done` follows, once */
        OUTLET_FULL = 2,    /* it takes none just now: `ready` follows */
        OUTLET_AWAY = 3,    /* there is nobody to be told, or nothing to do it with, and may be later; `why` says more */
};

struct outlet;

struct outlet_ops {
        /*
         * Tell it.  The record is the outlet's only during the call, which never waits.  0: it was told.  OUTLET_STARTED, OUTLET_FULL,
         * OUTLET_AWAY; or -errno and `why`: this one could not be told.
         */
        int (*tell)(struct outlet *outlet, const struct verdict_record *record);
        /* Wait for what was started, at most so long; `done` is called.  NULL: nothing is ever started. */
        void (*settle)(struct outlet *outlet, uint64_t timeout_ns);
        /* What was started and is not done ends, and is not heard of any more. */
        struct outlet *(*close)(struct outlet *outlet);
};

/* Never called by `tell` itself. */
struct outlet_sink {
        void (*done)(void *userdata, uint64_t number, int result); /* as `tell` would have said: 0, OUTLET_AWAY, -errno */
        void (*ready)(void *userdata);
        void *userdata;
};

/* What every outlet begins with. */
struct outlet {
        const struct outlet_ops *ops;
        const char *name; /* never changes: how far it is is kept under it; owned by the outlet */
        unsigned at_once; /* so many may be started and not done; 1: strictly one after the other */
        struct outlet_sink sink;  /* set by whoever tells */
        char why[OUTLET_WHY_MAX]; /* why the last one could not be told, in one line */
};
