#include "vmm/virtqueue.h"

#include <assert.h>
#include <string.h>

/* Virtio 1.2, 2.7.5.1: of one chain. */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

/* 2.7.5, 2.7.6, 2.7.8; a PC's numbers are this host's. */
struct virtqueue_descriptor {
        uint64_t address;
        uint32_t n;
        uint16_t flags, next;
};

struct virtqueue_available {
        uint16_t flags, index, ring[];
};

struct virtqueue_used {
        uint16_t flags, index;
        struct {
                uint32_t head, n;
        } ring[];
};

static_assert(sizeof(struct virtqueue_descriptor) == 16, "2.7.5");

enum {
        DESCRIPTOR_NEXT = 1 << 0,
        DESCRIPTOR_WRITE = 1 << 1,
        DESCRIPTOR_INDIRECT = 1 << 2,
        AVAILABLE_NO_INTERRUPT = 1 << 0,

        /* 2.7: how they are aligned, and what is beside a ring's elements. */
        DESCRIPTORS_ALIGN = 16,
        AVAILABLE_ALIGN = 2,
        USED_ALIGN = 4,
        RING_EXTRA = 6,
};

/* What the guest's other CPUs may write meanwhile is read once. */
#define read_once(at) __atomic_load_n((at), __ATOMIC_RELAXED)

void virtqueue_init(struct virtqueue *queue, const struct guest_memory *memory) {
        *queue = (struct virtqueue){ .memory = memory, .size = VIRTQUEUE_SIZE_MAX };
}

static void *place(const struct virtqueue *queue, uint64_t address, uint64_t align, uint64_t n) {
        return address % align ? NULL : guest_memory_at(queue->memory, address, n);
}

bool virtqueue_start(struct virtqueue *queue) {
        const uint64_t size = queue->size;

        assert(!queue->is_ready);
        if (!size || size > VIRTQUEUE_SIZE_MAX || size & (size - 1))
                return false;
        queue->descriptor_table = place(queue, queue->descriptors, DESCRIPTORS_ALIGN, size * sizeof(struct virtqueue_descriptor));
        queue->available_ring = place(queue, queue->available, AVAILABLE_ALIGN, RING_EXTRA + size * 2);
        queue->used_ring = place(queue, queue->used, USED_ALIGN, RING_EXTRA + size * 8);
        queue->is_ready = queue->descriptor_table && queue->available_ring && queue->used_ring;
        queue->n_taken = queue->n_given = 0;
        queue->n_lives += queue->is_ready;
        return queue->is_ready;
}

void virtqueue_stop(struct virtqueue *queue) {
        queue->is_ready = false;
}

void virtqueue_reset(struct virtqueue *queue) {
        const uint32_t n_lives = queue->n_lives;

        virtqueue_init(queue, queue->memory);
        queue->n_lives = n_lives;
}

/* False: it breaks a rule. */
static bool add_part(const struct virtqueue *queue, struct virtqueue_chain *chain, uint64_t address, uint32_t n, uint16_t flags) {
        uint8_t *bytes = guest_memory_at(queue->memory, address, n);
        const bool is_writable = flags & DESCRIPTOR_WRITE;

        /* 2.7.5.3.1: without the feature there are none.  2.7.4.2: what is written comes behind what is read. */
        if (!bytes || (flags & DESCRIPTOR_INDIRECT) || (!is_writable && chain->n_parts > chain->n_readable_parts))
                return false;
        if (is_writable)
                chain->n_writable += n;
        else
                chain->n_readable += n;
        chain->n_readable_parts += !is_writable;
        chain->parts[chain->n_parts++] = (struct virtqueue_part){ bytes, n };
        return chain->n_readable + chain->n_writable <= CHAIN_BYTES_MAX;
}

/* A chain that is longer than the table has come back to where it was. */
static bool walk(const struct virtqueue *queue, struct virtqueue_chain *chain) {
        uint16_t index = chain->head, flags;

        do {
                const struct virtqueue_descriptor *descriptor;

                if (index >= queue->size || chain->n_parts == queue->size)
                        return false;
                descriptor = &queue->descriptor_table[index];
                flags = read_once(&descriptor->flags);
                if (!add_part(queue, chain, read_once(&descriptor->address), read_once(&descriptor->n), flags))
                        return false;
                index = read_once(&descriptor->next);
        } while (flags & DESCRIPTOR_NEXT);
        return true;
}

int virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *ret_chain) {
        uint16_t n_waiting;

        assert(queue->is_ready);
        /* What the index counts was written before it. */
        n_waiting = (uint16_t)(__atomic_load_n(&queue->available_ring->index, __ATOMIC_ACQUIRE) - queue->n_taken);
        if (!n_waiting)
                return VIRTQUEUE_EMPTY;
        if (n_waiting > queue->size)
                return VIRTQUEUE_BROKEN;
        ret_chain->life = queue->n_lives;
        ret_chain->head = read_once(&queue->available_ring->ring[queue->n_taken % queue->size]);
        ret_chain->n_parts = ret_chain->n_readable_parts = 0;
        ret_chain->n_readable = ret_chain->n_writable = 0;
        if (!walk(queue, ret_chain))
                return VIRTQUEUE_BROKEN;
        queue->n_taken++;
        return 0;
}

bool virtqueue_has(const struct virtqueue *queue, const struct virtqueue_chain *chain) {
        return queue->is_ready && queue->n_lives == chain->life;
}

bool virtqueue_give(struct virtqueue *queue, const struct virtqueue_chain *chain, uint32_t n_written) {
        struct virtqueue_used *ring = queue->used_ring;
        const uint32_t at = queue->n_given % queue->size;

        assert(virtqueue_has(queue, chain));
        __atomic_store_n(&ring->ring[at].head, chain->head, __ATOMIC_RELAXED);
        __atomic_store_n(&ring->ring[at].n, n_written, __ATOMIC_RELAXED);
        __atomic_store_n(&ring->index, ++queue->n_given, __ATOMIC_RELEASE);
        /* The driver switches interrupts on and looks at the index then; here it is the other way round, so one of the two sees the other. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return !(read_once(&queue->available_ring->flags) & AVAILABLE_NO_INTERRUPT);
}

/* --- a chain's bytes --------------------------------------------------------------------------------------------- */

/* From `parts` on; there are enough. */
static void copy(const struct virtqueue_part *parts, uint64_t offset, uint8_t *to, const uint8_t *from, size_t n) {
        for (; n; parts++) {
                size_t n_here;

                if (offset >= parts->n) {
                        offset -= parts->n;
                        continue;
                }
                n_here = parts->n - offset < n ? parts->n - (size_t)offset : n;
                if (to) {
                        memcpy(to, parts->bytes + offset, n_here);
                        to += n_here;
                } else {
                        memcpy(parts->bytes + offset, from, n_here);
                        from += n_here;
                }
                n -= n_here;
                offset = 0;
        }
        /* What was copied is looked at, not what it was copied from. */
        __asm__ volatile("" ::: "memory");
}

bool virtqueue_chain_read(const struct virtqueue_chain *chain, uint64_t offset, void *ret_bytes, size_t n) {
        if (offset > chain->n_readable || n > chain->n_readable - offset)
                return false;
        copy(chain->parts, offset, ret_bytes, NULL, n);
        return true;
}

bool virtqueue_chain_write(const struct virtqueue_chain *chain, uint64_t offset, const void *bytes, size_t n) {
        if (offset > chain->n_writable || n > chain->n_writable - offset)
                return false;
        copy(chain->parts + chain->n_readable_parts, offset, NULL, bytes, n);
        return true;
}
