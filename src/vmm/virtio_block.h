/*
 * Virtio block: a disk image, or a host's disk, as a guest's disk (virtio 1.2, 5.2).
 *
 * Raw bytes only.  What a guest has flushed is on the disk; one that cannot flush has each write flushed.
 */
#pragma once

#include "vmm/virtio_device.h"

/* The file is held alone (flock()), or with others that only read.  0, or -errno and why. */
int virtio_block_new(struct virtio_device **ret_device, const struct guest_memory *memory, const char *path, bool is_readonly,
                     char ret_why[static VIRTIO_DEVICE_WHY_MAX]);
