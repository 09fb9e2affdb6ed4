/*
 * KVM try: whether /dev/kvm makes VMs here, and whether the kernel is heard to announce one.
 */
#pragma once

#include "basics/found.h"

#define KVM_DEVICE "/dev/kvm"

/* Make a VM and drop it.  0 or -errno. */
int kvm_try(char ret_found[static FOUND_MAX]);

/* The same, listening meanwhile.  0; -ETIMEDOUT: nothing was heard of it; -errno. */
int kvm_uevent_try(char ret_found[static FOUND_MAX]);
