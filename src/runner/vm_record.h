/*
 * VM record: a VM of a `vmpower run`, written down before it runs, under a name that nobody else has.
 */
#pragma once

#include "engine/engine.h"

/* One of that name that has ended while nobody looked is given its ending first.  0; -EEXIST or another -errno, and why. */
int vm_record_add(struct engine *engine, struct store *store, struct store_vm *instance, const struct policy *policy,
                  struct engine_vm **ret_vm, char ret_why[static STORE_WHY_MAX]);
