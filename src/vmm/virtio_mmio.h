/*
 * Virtio MMIO: the registers of a virtio device on a page of memory (virtio 1.2, 4.2.2; version 2), and how it and its driver come to terms (2.1, 2.2, 3.1).
 *
 * Knows what a driver may do when.  A write returns a request; who owns the device decides.  A driver that breaks a rule of the rings, or whose queues cannot be, has
 * a device that NEEDS_RESET; what else is forbidden is ignored.  Pure but for the guest's memory.
 */
#pragma once

#include "vmm/virtqueue.h"

enum {
        VIRTIO_MMIO_BYTES = 0x200, /* of its page */
        VIRTIO_MMIO_QUEUE_NOTIFY = 0x50,
        VIRTIO_MMIO_QUEUES_MAX = 2,
        VIRTIO_MMIO_CONFIG_MAX = 64,
};

/* 6: every driver has to accept it. */
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

/* 2.1 */
enum {
        VIRTIO_ACKNOWLEDGE = 1,
        VIRTIO_DRIVER = 2,
        VIRTIO_DRIVER_OK = 4,
        VIRTIO_FEATURES_OK = 8,
        VIRTIO_NEEDS_RESET = 64,
        VIRTIO_FAILED = 128,
};

/* Interrupt status. */
enum {
        VIRTIO_MMIO_USED = 1,
        VIRTIO_MMIO_CONFIGURATION = 2,
};

/* What the device is. */
struct virtio_mmio_identity {
        uint32_t device; /* 5 */
        unsigned n_queues;
        uint64_t features;
        uint8_t configuration[VIRTIO_MMIO_CONFIG_MAX]; /* zeros beyond what it has */
};

struct virtio_mmio {
        struct virtio_mmio_identity identity;
        uint64_t accepted; /* features */
        uint32_t features_select, accepted_select, queue_select;
        uint32_t status, interrupt;
        struct virtqueue queues[VIRTIO_MMIO_QUEUES_MAX];
};

enum virtio_mmio_request {
        VIRTIO_MMIO_NOTHING,
        VIRTIO_MMIO_SERVE,     /* there may be something in its queues */
        VIRTIO_MMIO_INTERRUPT, /* the driver's CPU */
};

/* `memory` is borrowed for as long as the device is. */
void virtio_mmio_init(struct virtio_mmio *mmio, const struct virtio_mmio_identity *identity, const struct guest_memory *memory);
void virtio_mmio_reset(struct virtio_mmio *mmio);

/* Registers are 4 bytes, the configuration 1, 2 or 4; of anything else zeros are read, and what is written is lost. */
uint64_t virtio_mmio_read(const struct virtio_mmio *mmio, uint64_t offset, unsigned width);
enum virtio_mmio_request virtio_mmio_write(struct virtio_mmio *mmio, uint64_t offset, unsigned width, uint64_t value);

/* May the device look at this queue? */
bool virtio_mmio_is_served(const struct virtio_mmio *mmio, unsigned queue);

/* The driver's rings cannot be gone on with; and: a chain was given back to a driver that wants to be interrupted. */
enum virtio_mmio_request virtio_mmio_break(struct virtio_mmio *mmio);
enum virtio_mmio_request virtio_mmio_tell_used(struct virtio_mmio *mmio);
