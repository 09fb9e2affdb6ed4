/*
 * Doctor: whether each source, and each part that costs something when it is missing, works here and now.
 *
 * Has each try itself, in the order of what a VM's ending needs, and says of what does not work what that costs and which command repairs
 * it.  What a try makes it takes away, but for the directories that whoever runs a VM makes, too.  Does not know how it is told.
 */
#pragma once

#include "basics/found.h"

#include <vmpower/judge.h>

enum { DOCTOR_REPAIR_MAX = 1024 };

struct doctor_finding {
        const char *name;
        enum tristate works;  /* TRISTATE_NULL: there is no such thing here yet */
        bool costs_certainty; /* where it does not work, verdicts are less certain, or fewer */
        char found[FOUND_MAX];
        const char *costs;              /* one sentence; NULL: nothing, it works */
        char repair[DOCTOR_REPAIR_MAX]; /* a command; "": none is known */
};

/* Try everything; `tell` hears of each finding at once. */
void doctor_look(void (*tell)(const struct doctor_finding *finding, void *userdata), void *userdata);
