#include "vmm/virtio_driver_fixture.h"

#include "basics/cleanup.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { WAIT_MS = 20000 };

void driver_init(struct driver *driver) {
        void *bytes = mmap(NULL, DRIVER_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(bytes, MAP_FAILED);
        *driver = (struct driver){ .memory = { bytes, DRIVER_MEMORY }, .size = 8 };
        driver->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        driver->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void driver_deinit(struct driver *driver) {
        driver->device = virtio_device_free(driver->device);
        close_fd(&driver->notify_fd);
        close_fd(&driver->interrupt_fd);
        munmap(driver->memory.bytes, DRIVER_MEMORY);
}

uint32_t driver_read(struct driver *driver, uint64_t offset) {
        return (uint32_t)virtio_device_read(driver->device, offset, 4);
}

void driver_write(struct driver *driver, uint64_t offset, uint32_t value) {
        virtio_device_write(driver->device, offset, 4, value);
}

static uint64_t rings(unsigned queue) {
        return DRIVER_RINGS + (uint64_t)queue * DRIVER_RINGS_BYTES;
}

void driver_set_queue(struct driver *driver, unsigned queue) {
        driver->n_offered[queue] = driver->n_used[queue] = 0;
        memset(driver->memory.bytes + rings(queue), 0, DRIVER_RINGS_BYTES);
        driver_write(driver, 0x30, queue);
        driver_write(driver, 0x38, driver->size);
        driver_write(driver, 0x80, (uint32_t)rings(queue));
        driver_write(driver, 0x84, 0);
        driver_write(driver, 0x90, (uint32_t)rings(queue) + DRIVER_AVAILABLE);
        driver_write(driver, 0x94, 0);
        driver_write(driver, 0xa0, (uint32_t)rings(queue) + DRIVER_USED);
        driver_write(driver, 0xa4, 0);
        driver_write(driver, 0x44, 1);
}

void driver_begin(struct driver *driver, uint64_t features) {
        features |= VIRTIO_F_VERSION_1;
        driver_write(driver, 0x70, 0);
        driver_write(driver, 0x70, 1);
        driver_write(driver, 0x70, 3);
        driver_write(driver, 0x24, 0);
        driver_write(driver, 0x20, (uint32_t)features);
        driver_write(driver, 0x24, 1);
        driver_write(driver, 0x20, (uint32_t)(features >> 32));
        driver_write(driver, 0x70, 11);
        assert_int_equal(driver_read(driver, 0x70), 11);
        for (unsigned i = 0; i < VIRTIO_MMIO_QUEUES_MAX; i++) {
                driver_write(driver, 0x30, i);
                if (driver_read(driver, 0x34))
                        driver_set_queue(driver, i);
        }
        driver_write(driver, 0x70, 15);
        assert_int_equal(driver_read(driver, 0x70), 15);
}

static void put(struct driver *driver, uint64_t address, uint64_t value, size_t n) {
        memcpy(driver->memory.bytes + address, &value, n);
}

void driver_describe(struct driver *driver, unsigned queue, unsigned index, uint64_t address, uint32_t n, unsigned flags, unsigned next) {
        const uint64_t at = rings(queue) + index * 16;

        put(driver, at, address, 8);
        put(driver, at + 8, n, 4);
        put(driver, at + 12, flags, 2);
        put(driver, at + 14, next, 2);
}

static uint16_t *available(struct driver *driver, unsigned queue) {
        return (uint16_t *)(driver->memory.bytes + rings(queue) + DRIVER_AVAILABLE);
}

/* The device's thread looks at the index. */
void driver_offer(struct driver *driver, unsigned queue, unsigned head) {
        uint16_t *ring = available(driver, queue);

        ring[2 + driver->n_offered[queue] % driver->size] = (uint16_t)head;
        __atomic_store_n(&ring[1], ++driver->n_offered[queue], __ATOMIC_RELEASE);
}

void driver_set_available(struct driver *driver, unsigned queue, unsigned flags, unsigned index) {
        __atomic_store_n(&available(driver, queue)[0], (uint16_t)flags, __ATOMIC_RELAXED);
        __atomic_store_n(&available(driver, queue)[1], (uint16_t)index, __ATOMIC_RELEASE);
}

bool driver_take_used(struct driver *driver, unsigned queue, uint32_t *ret_head, uint32_t *ret_n) {
        uint8_t *ring = driver->memory.bytes + rings(queue) + DRIVER_USED;
        uint8_t *element = ring + 4 + driver->n_used[queue] % driver->size * 8;

        if (__atomic_load_n((uint16_t *)(ring + 2), __ATOMIC_ACQUIRE) == driver->n_used[queue])
                return false;
        memcpy(ret_head, element, 4);
        memcpy(ret_n, element + 4, 4);
        driver->n_used[queue]++;
        return true;
}

bool driver_was_interrupted(struct driver *driver) {
        uint64_t n;

        return read(driver->interrupt_fd, &n, sizeof(n)) == sizeof(n);
}

void driver_wait(struct driver *driver) {
        struct pollfd fd = { .fd = driver->interrupt_fd, .events = POLLIN };

        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        assert_true(driver_was_interrupted(driver));
}
