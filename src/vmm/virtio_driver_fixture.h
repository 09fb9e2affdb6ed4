/*
 * Virtio driver: a guest's side of a virtio device, in plain memory, for tests; it keeps the rules or breaks them, as it is told.
 *
 * Queue 0 has its rings at DRIVER_RINGS, the next one DRIVER_RINGS_BYTES behind.  Whatever a test moves is at DRIVER_DATA and beyond.
 */
#pragma once

#include "vmm/virtio_device.h"

enum {
        DRIVER_MEMORY = 1 << 20,
        DRIVER_RINGS = 0x1000,
        DRIVER_AVAILABLE = 0x1000, /* from there */
        DRIVER_USED = 0x2000,
        DRIVER_RINGS_BYTES = 0x4000,
        DRIVER_DATA = 0x10000,

        DRIVER_NEXT = 1, /* a descriptor's flags */
        DRIVER_WRITE = 2,
        DRIVER_INDIRECT = 4,
};

struct driver {
        struct guest_memory memory;
        struct virtio_device *device;
        int notify_fd, interrupt_fd;
        uint32_t size; /* of each queue */
        uint16_t n_offered[VIRTIO_MMIO_QUEUES_MAX], n_used[VIRTIO_MMIO_QUEUES_MAX];
};

/* Memory and eventfds; and the device, which is freed with it. */
void driver_init(struct driver *driver);
void driver_deinit(struct driver *driver);

uint32_t driver_read(struct driver *driver, uint64_t offset);
void driver_write(struct driver *driver, uint64_t offset, uint32_t value);

/* From reset to DRIVER_OK, with VERSION_1 and these features. */
void driver_begin(struct driver *driver, uint64_t features);
void driver_set_queue(struct driver *driver, unsigned queue);

void driver_describe(struct driver *driver, unsigned queue, unsigned index, uint64_t address, uint32_t n, unsigned flags, unsigned next);
/* The chain that begins there. */
void driver_offer(struct driver *driver, unsigned queue, unsigned head);
void driver_set_available(struct driver *driver, unsigned queue, unsigned flags, unsigned index);

/* The next that came back: its head and length.  False: none. */
bool driver_take_used(struct driver *driver, unsigned queue, uint32_t *ret_head, uint32_t *ret_n);

/* Waits for an interrupt; a test that waits for long has failed. */
void driver_wait(struct driver *driver);
bool driver_was_interrupted(struct driver *driver);
