#include "vmm/virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* As many as getrandom() gives without being interrupted, and all that one chain gets. */
enum { BYTES_MAX = 256 };

static void answer(struct virtio_device *device, const struct virtqueue_chain *chain) {
        const size_t n = chain->n_writable < BYTES_MAX ? (size_t)chain->n_writable : BYTES_MAX;
        uint8_t bytes[BYTES_MAX];

        if (!n || getrandom(bytes, n, 0) != (ssize_t)n) {
                virtio_device_refuse(device, 0, chain);
                return;
        }
        virtio_device_copy_out(device, 0, chain, 0, bytes, n);
        virtio_device_give(device, 0, chain, (uint32_t)n);
}

static void serve(struct virtio_device *device, void *state) {
        struct virtqueue_chain *chain = state;

        while (virtio_device_take(device, 0, chain))
                answer(device, chain);
}

int virtio_rng_new(struct virtio_device **ret_device, const struct guest_memory *memory) {
        static const struct virtio_kind kind = { .name = "virtio-rng", .serve = serve, .free = free };
        static const struct virtio_mmio_identity identity = { .device = 4, .n_queues = 1 };
        struct virtqueue_chain *chain = calloc(1, sizeof(*chain));

        return chain ? virtio_device_new(ret_device, &kind, chain, &identity, memory) : -ENOMEM;
}
