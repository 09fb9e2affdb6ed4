/*
 * Restarts: when a VM was started again lately.
 */
#pragma once

#include "core/policy.h"

struct restarts {
        uint64_t at_ns[POLICY_RESTARTS_MAX];
        size_t n; /* in all */
};

void restarts_note(struct restarts *restarts, uint64_t now_ns);

/* Of the last POLICY_RESTARTS_WINDOW_NS. */
unsigned restarts_count(const struct restarts *restarts, uint64_t now_ns);
