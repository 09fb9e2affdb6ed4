/*
 * Known facts: what was on record of a VM before its source told it to us, or told it again.
 *
 * Facts told twice are one fact, also to the tally and the judge.  Holds memory only as long as the past is told.
 */
#pragma once

#include "store/store.h"

struct known_facts {
        struct known_fact *items; /* by rising time; owned; NULL: what comes is new */
        size_t n, n_max;
        uint64_t read_ns; /* CLOCK_BOOTTIME: when they were read */
        int64_t device_model; /* the newest one's pid; 0: there is none */
        bool has_device_model_ended;
};

/* What is on record of that VM now.  0 or -errno: then all is taken as new. */
int known_facts_read(struct known_facts *known, struct store *store, int64_t vm, char ret_why[static STORE_WHY_MAX]);
void known_facts_deinit(struct known_facts *known);

bool known_facts_have(struct known_facts *known, const struct evidence *evidence);
