/*
 * Virtqueue: a split virtqueue (virtio 1.2, 2.7), from the device's side.
 *
 * Knows the rings in the guest's memory, and that each byte of them may lie, and change while it is read: every number is read once, and bounded.  What breaks a
 * rule breaks the queue, never more.  Neither indirect descriptors nor the event index are offered.  Pure but for that memory.
 */
#pragma once

#include "vmm/guest_memory.h"

#include <stdbool.h>

enum {
        VIRTQUEUE_SIZE_MAX = 256,

        /* What virtqueue_take() says. */
        VIRTQUEUE_EMPTY = 1,
        VIRTQUEUE_BROKEN, /* the driver has broken a rule of the rings */
};

struct virtqueue {
        const struct guest_memory *memory; /* borrowed */

        /* As the driver says. */
        uint32_t size;
        uint64_t descriptors, available, used;

        bool is_ready;
        uint32_t n_lives; /* how often it has begun */
        struct virtqueue_descriptor *descriptor_table;
        struct virtqueue_available *available_ring;
        struct virtqueue_used *used_ring;
        uint16_t n_taken, n_given; /* they wrap as the rings' indices do */
};

/* What the driver offers at once: bytes for the device to read, and behind them room for it to write. */
struct virtqueue_chain {
        uint32_t life; /* of its queue */
        uint16_t head;
        uint16_t n_parts, n_readable_parts;
        uint64_t n_readable, n_writable; /* bytes */
        struct virtqueue_part {
                uint8_t *bytes; /* the guest's */
                uint32_t n;
        } parts[VIRTQUEUE_SIZE_MAX];
};

void virtqueue_init(struct virtqueue *queue, const struct guest_memory *memory);

/* False: the driver's size or addresses cannot be. */
bool virtqueue_start(struct virtqueue *queue);
/* Its chains are nothing any more. */
void virtqueue_stop(struct virtqueue *queue);
/* As at power on, but that older chains stay known for what they are. */
void virtqueue_reset(struct virtqueue *queue);

/* 0, VIRTQUEUE_EMPTY or VIRTQUEUE_BROKEN, of one that is ready. */
int virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *ret_chain);

/* Is the chain still one that the driver waits for?  The others must not be touched. */
bool virtqueue_has(const struct virtqueue *queue, const struct virtqueue_chain *chain);

/* It is the driver's again, the first `n_written` bytes of its room written.  True: it wants to be interrupted. */
bool virtqueue_give(struct virtqueue *queue, const struct virtqueue_chain *chain, uint32_t n_written);

/* `n` bytes, `offset` bytes into what is to be read, or into the room.  False, and nothing is done: there are not so many. */
bool virtqueue_chain_read(const struct virtqueue_chain *chain, uint64_t offset, void *ret_bytes, size_t n);
bool virtqueue_chain_write(const struct virtqueue_chain *chain, uint64_t offset, const void *bytes, size_t n);
