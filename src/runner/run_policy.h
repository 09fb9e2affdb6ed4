/*
 * Run policy: what a `vmpower run` is to do when its VM stops.
 *
 * Knows what QEMU's own options mean for that.
 */
#pragma once

#include "core/policy.h"
#include "sources/qemu/qemu_options.h"

#include <stdbool.h>
#include <stddef.h>

enum { RUN_POLICY_WHY_MAX = 256 };

/* The user's own options of QEMU say what he wants, unless he says it to us (`settings`, NAME=VALUE).  0; -EINVAL, and why. */
int run_policy_make(struct policy *ret_policy, const struct qemu_options *options, const char *const *settings, size_t n_settings,
                    char ret_why[static RUN_POLICY_WHY_MAX]);

/* Has he said that such a VM is to be preserved? */
bool run_policy_preserves(const struct policy *policy, enum policy_event event);
