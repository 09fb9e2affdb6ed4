/*
 * Virtio bus: the virtio devices of one machine, each with its page of memory and its interrupt; and what is done to all of them.
 *
 * Its devices are opened before any thread is there, and started after.
 */
#pragma once

#include "vmm/kvm_machine.h"
#include "vmm/virtio_device.h"
#include "vmpower/acpi_tables.h"

enum { VIRTIO_BUS_DEVICES_MAX = 8 }; /* the inputs that the I/O APIC has for itself */

struct virtio_bus {
        struct virtio_bus_place {
                struct virtio_device *device; /* owned, as its descriptors are */
                int notify_fd, interrupt_fd;
        } places[VIRTIO_BUS_DEVICES_MAX];
        size_t n;
        bool is_running;
};

/* Where so many devices are, for the guest's tables. */
void virtio_bus_describe(struct acpi_tables_device ret_devices[static VIRTIO_BUS_DEVICES_MAX], size_t n);

/* The device is the bus's from now on, even where this fails.  It does nothing before virtio_bus_run().  0 or -errno. */
int virtio_bus_add(struct virtio_bus *bus, struct virtio_device *device, struct kvm_machine *machine);

/* Their threads.  0 or -errno. */
int virtio_bus_start(struct virtio_bus *bus);

/* Waits for what is in flight.  False: for longer than a second, and it is still there; it is left to the end of the process, with the guest's memory. */
bool virtio_bus_close(struct virtio_bus *bus);

/* An access to memory that is none.  False: it is no device's. */
bool virtio_bus_access(struct virtio_bus *bus, const struct kvm_access *access);

void virtio_bus_reset(struct virtio_bus *bus);

/* Whether the VM runs: where it does not, they begin nothing more, and what is in flight is waited for; a second at most. */
void virtio_bus_run(struct virtio_bus *bus, bool is_running);
