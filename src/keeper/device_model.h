/*
 * Device model: the process of dom0's that has a part in a domain's I/O, watched while the domain needs it.
 *
 * What ends it does not end the domain, and its toolstack ends it when it is done with the domain.  So that it has ended is a fact about the
 * domain only if its helper says afterwards that the domain needs it still.  Knows the process.  Does not know how a helper finds that out.
 */
#pragma once

#include "keeper/kept.h"

struct device_model;

/* Which process was told to be a domain's device model last, and whether its end was. */
struct device_model_told {
        int64_t pid;         /* 0: none ever was */
        uint64_t start_time; /* 0: not known, it is from the record */
        bool has_ended;
};

/* Whether the domain needs it still is to be asked.  Returns the question's number, which is above 0: device_model_tell() is the answer. */
struct device_model_events {
        int64_t (*ask)(void *userdata);
        void *userdata;
};

/*
 * What its helper says: the domain's device model is that process ("BOOTID:PID:STARTTIME"; STARTTIME 0: it was that pid's, and is gone), or there
 * is none that it needs ("").  `device_model`: the one that is watched; NULL: none.  One that is new is to be watched (device_model_watch()).  `told` is what the
 * record says, outlives it, and is kept up.  `answered`: the question that this answers; 0: none.  Facts go to the VM's record: that it is that process, what it is
 * sent, and how it ended.
 */
void device_model_tell(struct device_model **device_model, struct device_model_told *told, struct kept *kept, const char *instance, int64_t answered,
                      const struct device_model_events *events);

/* One that is not watched (yet).  0, also where it turns out to be gone; NULL from then on: that had been told; -errno: it is still not, which is no end of it. */
bool device_model_is_unwatched(const struct device_model *device_model);
int device_model_watch(struct device_model **device_model);

/* Whoever was asked answers no more: ask again, if it has ended. */
void device_model_ask(struct device_model *device_model);

struct device_model *device_model_free(struct device_model *device_model);
