/*
 * Virtio net: a tap device of the host as a guest's network (virtio 1.2, 5.1).
 *
 * Frames as they are, no offloads.  A network loses frames: what the tap does not take now, or has no room in the guest, is one of them.
 */
#pragma once

#include "vmm/virtio_device.h"

/* The tap is there, and this user's to use.  The guest's address is the same each time on the same host.  0, or -errno and why. */
int virtio_net_new(struct virtio_device **ret_device, const struct guest_memory *memory, const char *tap, char ret_why[static VIRTIO_DEVICE_WHY_MAX]);

enum { VIRTIO_NET_MAC_BYTES = 6 };

/* On a non-blocking descriptor that takes a frame with each write and gives one with each read; it is the device's, even where this fails. */
int virtio_net_new_on(struct virtio_device **ret_device, const struct guest_memory *memory, int fd, const uint8_t mac[static VIRTIO_NET_MAC_BYTES]);
