/*
 * Virtio device: its registers, for the CPUs' threads, and what it does, on a thread of its own.
 *
 * A CPU never waits for what a device does outside: what comes from a disk or a network passes through the device's own memory and is copied into the guest's under a
 * lock that is held only for that.  So a reset is done at once, whatever is still in flight; its outcome goes nowhere then.
 *
 * Once it is started, a device's thread calls only: read, write, pread64, pwrite64, fdatasync, poll, getrandom, futex; besides that what begins and ends a thread
 * (set_robust_list, rseq, prctl for its name, rt_sigprocmask, madvise, munmap, exit).  Its lock is never held over anything that waits, and no other is taken under it.
 */
#pragma once

#include "vmm/virtio_mmio.h"

enum { VIRTIO_DEVICE_WHY_MAX = 256 };

struct virtio_device;

/* --- for who has the machine ------------------------------------------------------------------------------------- */

/*
 * Its thread.  `notify_fd`, a non-blocking eventfd, says that a driver has written VIRTIO_MMIO_QUEUE_NOTIFY (KVM_IOEVENTFD, 4 bytes, any value); 1 is written to
 * `interrupt_fd` for each interrupt (KVM_IRQFD, an edge).  Both are the caller's, for as long as the device is.  0 or -errno.
 */
int virtio_device_start(struct virtio_device *device, int notify_fd, int interrupt_fd);

/* Ends its thread: waits for what is in flight. */
struct virtio_device *virtio_device_free(struct virtio_device *device);

/* An access to its page, from any thread: see virtio_mmio.h. */
uint64_t virtio_device_read(struct virtio_device *device, uint64_t offset, unsigned width);
void virtio_device_write(struct virtio_device *device, uint64_t offset, unsigned width, uint64_t value);

/* The machine's. */
void virtio_device_reset(struct virtio_device *device);

/* Nothing more is begun; waits for what is in flight, so long at most.  0; -ETIMEDOUT: that is not done yet, and will be, but nothing else. */
int virtio_device_pause(struct virtio_device *device, unsigned timeout_ms);
void virtio_device_resume(struct virtio_device *device);

/* --- for the device itself --------------------------------------------------------------------------------------- */

struct virtio_kind {
        const char *name; /* of its thread */
        /* Takes and gives what its queues have, as long as virtio_device_take() gives any. */
        void (*serve)(struct virtio_device *device, void *state);
        /* What else it is served for when it can be read; -1: nothing now.  NULL: never anything. */
        int (*wait_fd)(void *state);
        void (*free)(void *state);
};

/* `state` is the device's from now on, even where this fails.  `memory` is borrowed for as long as it is.  0 or -errno. */
int virtio_device_new(struct virtio_device **ret_device, const struct virtio_kind *kind, void *state, const struct virtio_mmio_identity *identity,
                      const struct guest_memory *memory);

/* What its thread does again and again; for who has none: a test. */
void virtio_device_serve(struct virtio_device *device);

/* Has the driver accepted it? */
bool virtio_device_has_feature(struct virtio_device *device, uint64_t feature);

/* The next chain.  False: there is none, or it is not to be begun now. */
bool virtio_device_take(struct virtio_device *device, unsigned queue, struct virtqueue_chain *ret_chain);

/* False: its driver waits for that chain no longer, or it is not so long. */
bool virtio_device_copy_in(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint64_t offset, void *ret_bytes, size_t n);
bool virtio_device_copy_out(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint64_t offset, const void *bytes, size_t n);

/* Its outcome; nothing, where nobody waits for it any longer. */
void virtio_device_give(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint32_t n_written);
/* The chain cannot be one of this device's. */
void virtio_device_refuse(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain);
