/*
 * Devices: the virtio devices that the command line asks for: the disks, in their order, the networks, and random bytes, which are always there.
 */
#pragma once

#include "vmm/options.h"
#include "vmm/virtio_bus.h"

/* Where they are, for the guest's tables; how many. */
size_t devices_describe(struct acpi_tables_device ret_devices[static VIRTIO_BUS_DEVICES_MAX], const struct options *options);

/* 0, or -errno and why.  What is open is the bus's either way. */
int devices_open(struct virtio_bus *bus, struct kvm_machine *machine, const struct options *options, char ret_why[static VIRTIO_DEVICE_WHY_MAX]);
