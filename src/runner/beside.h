/*
 * Beside: what `vmpower run` tells a daemon that runs beside it.
 *
 * Of one VM's instance: that it is there, each fact as it is reported, each verdict, what came of it.  A daemon that starts later, or again, is told what it
 * missed.  Without a daemon nothing happens; with one, nothing of what `run` does depends on it.
 */
#pragma once

#include "store/store.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct beside;

struct beside_vm {
        const struct store_vm *instance; /* borrowed while it is told of */
        const struct policy *policy;     /* borrowed, too */
        const char *monitor;             /* the one that is held; borrowed */
        unsigned n_restarts;
        bool is_traced;                  /* what the kernel sees of it is among what is told */
};

/* From now on, before its first fact.  0 or -ENOMEM. */
int beside_new(struct beside **ret_beside, sd_event *event, struct store *store, const struct beside_vm *vm);
/* Accepts NULL, as do all below. */
struct beside *beside_free(struct beside *beside);

/* The instance has another name, pid or identity now. */
void beside_rename(struct beside *beside);

/* As it was reported, its time and order in it. */
void beside_tell_evidence(struct beside *beside, const struct evidence *evidence);

/* It is on disk here. */
void beside_tell_verdict(struct beside *beside, const char *verdict_id);
void beside_tell_decided(struct beside *beside, const struct decision *decision);
void beside_tell_gone(struct beside *beside);
