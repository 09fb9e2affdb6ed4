#include "vmm/virtio_device.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

struct virtio_device {
        const struct virtio_kind *kind;
        void *state; /* its thread's */
        int notify_fd, interrupt_fd; /* borrowed; -1: not started */
        pthread_t thread;
        bool has_thread;

        pthread_mutex_t lock;
        pthread_cond_t may_go_on, is_idle;
        bool is_busy, is_paused, is_over;
        bool is_cut_off; /* from what else it waits for: that has gone */
        struct virtio_mmio mmio;
};

static void tell(int fd) {
        const uint64_t one = 1;
        ssize_t n = fd >= 0 ? write(fd, &one, sizeof(one)) : 0;

        (void)n; /* it fails only where it is readable already */
}

static void take_request(struct virtio_device *device, enum virtio_mmio_request request) {
        switch (request) {
        case VIRTIO_MMIO_SERVE:
                tell(device->notify_fd);
                break;
        case VIRTIO_MMIO_INTERRUPT:
                tell(device->interrupt_fd);
                break;
        case VIRTIO_MMIO_NOTHING:
                break;
        }
}

/* --- its thread -------------------------------------------------------------------------------------------------- */

/* Under the lock, which it gives away. */
static void wait_for_something(struct virtio_device *device) {
        struct pollfd fds[] = { { .fd = device->notify_fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
        uint64_t ignored;
        ssize_t n;

        if (device->kind->wait_fd && !device->is_cut_off)
                fds[1].fd = device->kind->wait_fd(device->state);
        pthread_mutex_unlock(&device->lock);
        poll(fds, N_ELEMENTS(fds), -1);
        n = fds[0].revents ? read(device->notify_fd, &ignored, sizeof(ignored)) : 0;
        (void)n;
        pthread_mutex_lock(&device->lock);
        /* It would be readable for ever. */
        device->is_cut_off = device->is_cut_off || (fds[1].revents & (POLLERR | POLLNVAL));
}

/* Under the lock.  False: it is over. */
static bool wait_to_serve(struct virtio_device *device) {
        while (device->is_paused && !device->is_over)
                pthread_cond_wait(&device->may_go_on, &device->lock);
        return !device->is_over;
}

/* Each time it looks at all that there is: who notifies does not say what for. */
static void *work(void *userdata) {
        struct virtio_device *device = userdata;

        pthread_setname_np(pthread_self(), device->kind->name);
        pthread_mutex_lock(&device->lock);
        while (wait_to_serve(device)) {
                device->is_busy = true;
                pthread_mutex_unlock(&device->lock);
                device->kind->serve(device, device->state);
                pthread_mutex_lock(&device->lock);
                device->is_busy = false;
                pthread_cond_broadcast(&device->is_idle);
                if (!device->is_paused && !device->is_over)
                        wait_for_something(device);
        }
        pthread_mutex_unlock(&device->lock);
        return NULL;
}

void virtio_device_serve(struct virtio_device *device) {
        device->kind->serve(device, device->state);
}

/* --- for who has the machine ------------------------------------------------------------------------------------- */

int virtio_device_new(struct virtio_device **ret_device, const struct virtio_kind *kind, void *state, const struct virtio_mmio_identity *identity,
                      const struct guest_memory *memory) {
        struct virtio_device *device = calloc(1, sizeof(*device));

        if (!device) {
                kind->free(state);
                return -ENOMEM;
        }
        device->kind = kind;
        device->state = state;
        device->notify_fd = device->interrupt_fd = -1;
        pthread_mutex_init(&device->lock, NULL);
        pthread_cond_init(&device->may_go_on, NULL);
        pthread_cond_init(&device->is_idle, NULL);
        virtio_mmio_init(&device->mmio, identity, memory);
        *ret_device = device;
        return 0;
}

int virtio_device_start(struct virtio_device *device, int notify_fd, int interrupt_fd) {
        int r;

        device->notify_fd = notify_fd;
        device->interrupt_fd = interrupt_fd;
        r = pthread_create(&device->thread, NULL, work, device);
        if (r)
                return -r;
        device->has_thread = true;
        return 0;
}

struct virtio_device *virtio_device_free(struct virtio_device *device) {
        if (!device)
                return NULL;
        pthread_mutex_lock(&device->lock);
        device->is_over = true;
        pthread_cond_broadcast(&device->may_go_on);
        tell(device->notify_fd);
        pthread_mutex_unlock(&device->lock);
        if (device->has_thread)
                pthread_join(device->thread, NULL);
        device->kind->free(device->state);
        pthread_cond_destroy(&device->is_idle);
        pthread_cond_destroy(&device->may_go_on);
        pthread_mutex_destroy(&device->lock);
        free(device);
        return NULL;
}

uint64_t virtio_device_read(struct virtio_device *device, uint64_t offset, unsigned width) {
        uint64_t value;

        pthread_mutex_lock(&device->lock);
        value = virtio_mmio_read(&device->mmio, offset, width);
        pthread_mutex_unlock(&device->lock);
        return value;
}

void virtio_device_write(struct virtio_device *device, uint64_t offset, unsigned width, uint64_t value) {
        pthread_mutex_lock(&device->lock);
        take_request(device, virtio_mmio_write(&device->mmio, offset, width, value));
        pthread_mutex_unlock(&device->lock);
}

void virtio_device_reset(struct virtio_device *device) {
        pthread_mutex_lock(&device->lock);
        virtio_mmio_reset(&device->mmio);
        pthread_mutex_unlock(&device->lock);
}

static struct timespec in_ms(unsigned ms) {
        struct timespec at;

        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += ms / 1000;
        at.tv_nsec += (long)(ms % 1000) * 1000000;
        if (at.tv_nsec >= 1000000000) {
                at.tv_sec++;
                at.tv_nsec -= 1000000000;
        }
        return at;
}

int virtio_device_pause(struct virtio_device *device, unsigned timeout_ms) {
        const struct timespec end = in_ms(timeout_ms);
        int r = 0;

        pthread_mutex_lock(&device->lock);
        device->is_paused = true;
        while (device->is_busy && !r)
                r = pthread_cond_clockwait(&device->is_idle, &device->lock, CLOCK_MONOTONIC, &end);
        r = device->is_busy ? -ETIMEDOUT : 0;
        pthread_mutex_unlock(&device->lock);
        return r;
}

void virtio_device_resume(struct virtio_device *device) {
        pthread_mutex_lock(&device->lock);
        device->is_paused = false;
        pthread_cond_broadcast(&device->may_go_on);
        /* One that is still in what was in flight does not wait, and goes to sleep after it unless it is told. */
        tell(device->notify_fd);
        pthread_mutex_unlock(&device->lock);
}

/* --- for the device itself --------------------------------------------------------------------------------------- */

bool virtio_device_has_feature(struct virtio_device *device, uint64_t feature) {
        bool has;

        pthread_mutex_lock(&device->lock);
        has = device->mmio.accepted & feature;
        pthread_mutex_unlock(&device->lock);
        return has;
}

bool virtio_device_take(struct virtio_device *device, unsigned queue, struct virtqueue_chain *ret_chain) {
        int r = VIRTQUEUE_EMPTY;

        pthread_mutex_lock(&device->lock);
        if (!device->is_paused && !device->is_over && virtio_mmio_is_served(&device->mmio, queue))
                r = virtqueue_take(&device->mmio.queues[queue], ret_chain);
        if (r == VIRTQUEUE_BROKEN)
                take_request(device, virtio_mmio_break(&device->mmio));
        pthread_mutex_unlock(&device->lock);
        return !r;
}

/* Under the lock: does its driver still wait for it? */
static bool is_wanted(const struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain) {
        return virtio_mmio_is_served(&device->mmio, queue) && virtqueue_has(&device->mmio.queues[queue], chain);
}

bool virtio_device_copy_in(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint64_t offset, void *ret_bytes, size_t n) {
        bool is_done;

        pthread_mutex_lock(&device->lock);
        is_done = is_wanted(device, queue, chain) && virtqueue_chain_read(chain, offset, ret_bytes, n);
        pthread_mutex_unlock(&device->lock);
        return is_done;
}

bool virtio_device_copy_out(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint64_t offset, const void *bytes, size_t n) {
        bool is_done;

        pthread_mutex_lock(&device->lock);
        is_done = is_wanted(device, queue, chain) && virtqueue_chain_write(chain, offset, bytes, n);
        pthread_mutex_unlock(&device->lock);
        return is_done;
}

void virtio_device_give(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain, uint32_t n_written) {
        pthread_mutex_lock(&device->lock);
        if (is_wanted(device, queue, chain) && virtqueue_give(&device->mmio.queues[queue], chain, n_written))
                take_request(device, virtio_mmio_tell_used(&device->mmio));
        pthread_mutex_unlock(&device->lock);
}

void virtio_device_refuse(struct virtio_device *device, unsigned queue, const struct virtqueue_chain *chain) {
        pthread_mutex_lock(&device->lock);
        if (is_wanted(device, queue, chain))
                take_request(device, virtio_mmio_break(&device->mmio));
        pthread_mutex_unlock(&device->lock);
}
