/*
 * QEMU try: whether a QEMU that is started here speaks to us, and says who ends it.
 */
#pragma once

#include "basics/found.h"

struct qemu_try {
        int monitor, errors; /* 0 or -errno */
        char monitor_found[FOUND_MAX], errors_found[FOUND_MAX];
};

/* Start one without a machine, wait for its answer, and end it by SIGTERM.  None is left. */
void qemu_try(const char *path, struct qemu_try *ret_try);
