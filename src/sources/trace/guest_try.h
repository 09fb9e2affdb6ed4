/*
 * Guest try: a guest of our own, one page of real mode under KVM, that does what guests do when they go: this process is its VMM.
 */
#pragma once

#include "basics/found.h"

/*
 * It writes to a reset port, and goes on until it faults for the third time.  0: KVM has handed both to us; -ENODATA: not so; -errno: there can be no guest.  ret_why: why not.
 */
int guest_try(char ret_why[static FOUND_MAX]);
