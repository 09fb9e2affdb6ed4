/*
 * Virtio rng: the host's random bytes, for a guest (virtio 1.2, 5.4).
 */
#pragma once

#include "vmm/virtio_device.h"

/* 0 or -errno. */
int virtio_rng_new(struct virtio_device **ret_device, const struct guest_memory *memory);
