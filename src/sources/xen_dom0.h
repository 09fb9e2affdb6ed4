/*
 * Xen dom0: is this the domain that runs a Xen host, and by what do its programs tell Xen what to do?
 *
 * Does not know domains, or Xen's interface.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Where that is said, and what that is.  Tests have others. */
extern const char *xen_dom0_capabilities, *xen_dom0_privcmd;

bool xen_dom0_is_here(void);

/* 0 or -errno. */
int xen_dom0_device(dev_t *ret_device);
