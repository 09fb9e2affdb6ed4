#include "vmm/devices.h"

#include "vmm/virtio_block.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(OPTIONS_DEVICES_MAX + 1 == VIRTIO_BUS_DEVICES_MAX, "each has its place");

static size_t n_devices(const struct options *options) {
        return options->n_disks + options->n_taps + 1;
}

size_t devices_describe(struct acpi_tables_device ret_devices[static VIRTIO_BUS_DEVICES_MAX], const struct options *options) {
        virtio_bus_describe(ret_devices, n_devices(options));
        return n_devices(options);
}

/* The `i`th of them. */
static int open_one(struct virtio_device **ret_device, const struct guest_memory *memory, const struct options *options, size_t i,
                    char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        int r;

        if (i < options->n_disks)
                return virtio_block_new(ret_device, memory, options->disks[i].path, options->disks[i].is_readonly, ret_why);
        if (i < options->n_disks + options->n_taps)
                return virtio_net_new(ret_device, memory, options->taps[i - options->n_disks], ret_why);
        r = virtio_rng_new(ret_device, memory);
        if (r)
                snprintf(ret_why, VIRTIO_DEVICE_WHY_MAX, "random bytes: %s", strerror(-r));
        return r;
}

int devices_open(struct virtio_bus *bus, struct kvm_machine *machine, const struct options *options, char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        for (size_t i = 0; i < n_devices(options); i++) {
                struct virtio_device *device;
                int r = open_one(&device, &machine->memory, options, i, ret_why);

                if (r)
                        return r;
                r = virtio_bus_add(bus, device, machine);
                if (r) {
                        snprintf(ret_why, VIRTIO_DEVICE_WHY_MAX, "KVM takes no device: %s", strerror(-r));
                        return r;
                }
        }
        return 0;
}
