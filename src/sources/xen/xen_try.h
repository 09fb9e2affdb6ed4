/*
 * Xen try: does the program that sees Xen's domains (vmpower-source-xen) see them here and now?
 */
#pragma once

#include "basics/found.h"

#define XEN_HELPER "vmpower-source-xen"

/*
 * One of our own is started, told to leave all domains alone, and asked which there are.  0 or -errno; -ENXIO: this is no dom0; -ENOENT: there is no such
 * program.
 */
int xen_try(char ret_found[static FOUND_MAX]);
