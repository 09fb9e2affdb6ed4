/*
 * Device model: the process of dom0's that has a part in a domain's I/O, watched while the domain needs it.
 *
 * What ends it does not end the domain, and its toolstack ends it when it is done with the domain.  So that it has ended is a fact about the
 * domain only if its helper says afterwards that the domain needs it still.  Knows the process.  Does not know how a helper finds that out.
 */
#pragma once

#include "keeper/kept.h"

struct device_model;

/* Whether the domain needs it still is to be asked: device_model_tell() is the answer. */
struct device_model_events {
        void (*ask)(void *userdata);
        void *userdata;
};

/*
 * What its helper says: the domain's device model is that process ("BOOTID:PID:STARTTIME"; STARTTIME 0: it was that pid's, and is gone), or there
 * is none that it needs ("").  `device_model`: the one that is watched, and is from then on; NULL: none.  Facts go to the VM's record: that it is that
 * process, what it is sent, and how it ended.
 */
void device_model_tell(struct device_model **device_model, struct kept *kept, struct store *store, const char *told, const struct device_model_events *events);

struct device_model *device_model_free(struct device_model *device_model);
