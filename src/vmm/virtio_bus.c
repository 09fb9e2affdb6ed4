#include "vmm/virtio_bus.h"

#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* In the hole of a PC's memory, below its interrupt controllers. */
#define FIRST_ADDRESS UINT64_C(0xd0000000)

enum {
        PAGE = 4096,
        FIRST_INTERRUPT = 16,
        PATIENCE_MS = 1000,
};

void virtio_bus_describe(struct acpi_tables_device ret_devices[static VIRTIO_BUS_DEVICES_MAX], size_t n) {
        for (size_t i = 0; i < n; i++)
                ret_devices[i] = (struct acpi_tables_device){ (uint32_t)(FIRST_ADDRESS + i * PAGE), VIRTIO_MMIO_BYTES, FIRST_INTERRUPT + (uint32_t)i };
}

int virtio_bus_add(struct virtio_bus *bus, struct virtio_device *device, struct kvm_machine *machine) {
        struct virtio_bus_place *place = &bus->places[bus->n];
        const uint64_t address = FIRST_ADDRESS + bus->n * PAGE;

        assert(bus->n < VIRTIO_BUS_DEVICES_MAX);
        *place = (struct virtio_bus_place){ device, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        bus->n++;
        virtio_device_pause(device, 0);
        if (place->notify_fd < 0 || place->interrupt_fd < 0)
                return -errno;
        return kvm_machine_add_notify(machine, address + VIRTIO_MMIO_QUEUE_NOTIFY, place->notify_fd) ?:
               kvm_machine_add_interrupt(machine, FIRST_INTERRUPT + (unsigned)(bus->n - 1), place->interrupt_fd);
}

int virtio_bus_start(struct virtio_bus *bus) {
        int r = 0;

        for (size_t i = 0; !r && i < bus->n; i++)
                r = virtio_device_start(bus->places[i].device, bus->places[i].notify_fd, bus->places[i].interrupt_fd);
        return r;
}

/* All at once, and not each in its turn. */
static bool pause_all(struct virtio_bus *bus) {
        unsigned patience_ms = PATIENCE_MS;

        for (size_t i = 0; i < bus->n; i++)
                virtio_device_pause(bus->places[i].device, 0);
        for (size_t i = 0; i < bus->n; i++)
                if (virtio_device_pause(bus->places[i].device, patience_ms))
                        patience_ms = 0;
        return patience_ms;
}

bool virtio_bus_close(struct virtio_bus *bus) {
        if (!pause_all(bus))
                return false;
        for (; bus->n; bus->n--) {
                struct virtio_bus_place *place = &bus->places[bus->n - 1];

                place->device = virtio_device_free(place->device);
                close_fd(&place->notify_fd);
                close_fd(&place->interrupt_fd);
        }
        return true;
}

bool virtio_bus_access(struct virtio_bus *bus, const struct kvm_access *access) {
        const uint64_t number = (access->address - FIRST_ADDRESS) / PAGE, offset = access->address % PAGE;
        uint64_t value = 0;

        if (access->address < FIRST_ADDRESS || number >= bus->n || access->width > sizeof(value))
                return false;
        if (access->is_write) {
                memcpy(&value, access->data, access->width); /* a PC's numbers are this host's */
                virtio_device_write(bus->places[number].device, offset, access->width, value);
        } else {
                value = virtio_device_read(bus->places[number].device, offset, access->width);
                memcpy(access->data, &value, access->width);
        }
        return true;
}

void virtio_bus_reset(struct virtio_bus *bus) {
        for (size_t i = 0; i < bus->n; i++)
                virtio_device_reset(bus->places[i].device);
}

void virtio_bus_run(struct virtio_bus *bus, bool is_running) {
        if (is_running == bus->is_running)
                return;
        bus->is_running = is_running;
        if (!is_running)
                pause_all(bus);
        for (size_t i = 0; is_running && i < bus->n; i++)
                virtio_device_resume(bus->places[i].device);
}
