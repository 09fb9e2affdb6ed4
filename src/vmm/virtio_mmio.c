#include "vmm/virtio_mmio.h"

#include <assert.h>
#include <string.h>

/* Virtio 1.2, table 4.1. */
enum {
        MAGIC_VALUE = 0x000,
        VERSION = 0x004,
        DEVICE_ID = 0x008,
        VENDOR_ID = 0x00c,
        DEVICE_FEATURES = 0x010,
        DEVICE_FEATURES_SELECT = 0x014,
        DRIVER_FEATURES = 0x020,
        DRIVER_FEATURES_SELECT = 0x024,
        QUEUE_SELECT = 0x030,
        QUEUE_SIZE_MAX = 0x034,
        QUEUE_SIZE = 0x038,
        QUEUE_READY = 0x044,
        INTERRUPT_STATUS = 0x060,
        INTERRUPT_ACKNOWLEDGE = 0x064,
        STATUS = 0x070,
        QUEUE_DESCRIPTORS = 0x080, /* each of these, and behind it its upper half */
        QUEUE_DRIVER = 0x090,
        QUEUE_DEVICE = 0x0a0,
        SHARED_MEMORY = 0x0b0, /* length and base */
        SHARED_MEMORY_END = 0x0c0,
        CONFIGURATION = 0x100,

        MAGIC = 0x74726976, /* "virt" */
        VENDOR = 0x726d7076, /* "vpmr" */

        DRIVERS_BITS = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED,
};

void virtio_mmio_init(struct virtio_mmio *mmio, const struct virtio_mmio_identity *identity, const struct guest_memory *memory) {
        assert(identity->n_queues <= VIRTIO_MMIO_QUEUES_MAX);
        *mmio = (struct virtio_mmio){ .identity = *identity };
        mmio->identity.features |= VIRTIO_F_VERSION_1;
        for (unsigned i = 0; i < identity->n_queues; i++)
                virtqueue_init(&mmio->queues[i], memory);
}

void virtio_mmio_reset(struct virtio_mmio *mmio) {
        mmio->accepted = 0;
        mmio->features_select = mmio->accepted_select = mmio->queue_select = 0;
        mmio->status = mmio->interrupt = 0;
        for (unsigned i = 0; i < mmio->identity.n_queues; i++)
                virtqueue_reset(&mmio->queues[i]);
}

static bool has_selected_queue(const struct virtio_mmio *mmio) {
        return mmio->queue_select < mmio->identity.n_queues;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static uint64_t read_configuration(const struct virtio_mmio *mmio, uint64_t at, unsigned width) {
        uint64_t value = 0;

        if (width > 4 || at > VIRTIO_MMIO_CONFIG_MAX || width > VIRTIO_MMIO_CONFIG_MAX - at)
                return 0;
        memcpy(&value, mmio->identity.configuration + at, width);
        return value;
}

static uint32_t half(uint64_t value, uint32_t select) {
        return select > 1 ? 0 : (uint32_t)(value >> select * 32);
}

uint64_t virtio_mmio_read(const struct virtio_mmio *mmio, uint64_t offset, unsigned width) {
        if (offset >= CONFIGURATION)
                return read_configuration(mmio, offset - CONFIGURATION, width);
        if (width != 4)
                return 0;
        /* 4.2.2: of a region that is not there, ones. */
        if (offset >= SHARED_MEMORY && offset < SHARED_MEMORY_END && offset % 4 == 0)
                return UINT32_MAX;
        switch (offset) {
        case MAGIC_VALUE:
                return MAGIC;
        case VERSION:
                return 2;
        case DEVICE_ID:
                return mmio->identity.device;
        case VENDOR_ID:
                return VENDOR;
        case DEVICE_FEATURES:
                return half(mmio->identity.features, mmio->features_select);
        case QUEUE_SIZE_MAX:
                return has_selected_queue(mmio) ? VIRTQUEUE_SIZE_MAX : 0;
        case QUEUE_READY:
                return has_selected_queue(mmio) && mmio->queues[mmio->queue_select].is_ready;
        case INTERRUPT_STATUS:
                return mmio->interrupt;
        case STATUS:
                return mmio->status;
        }
        return 0; /* of a configuration that never changes the generation, too */
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

bool virtio_mmio_is_served(const struct virtio_mmio *mmio, unsigned queue) {
        return (mmio->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET | VIRTIO_FAILED)) == VIRTIO_DRIVER_OK && mmio->queues[queue].is_ready;
}

/* 2.1.2: it is told of by an interrupt to a driver that goes, and only then. */
enum virtio_mmio_request virtio_mmio_break(struct virtio_mmio *mmio) {
        mmio->status |= VIRTIO_NEEDS_RESET;
        if (!(mmio->status & VIRTIO_DRIVER_OK))
                return VIRTIO_MMIO_NOTHING;
        mmio->interrupt |= VIRTIO_MMIO_CONFIGURATION;
        return VIRTIO_MMIO_INTERRUPT;
}

enum virtio_mmio_request virtio_mmio_tell_used(struct virtio_mmio *mmio) {
        mmio->interrupt |= VIRTIO_MMIO_USED;
        return VIRTIO_MMIO_INTERRUPT;
}

static void accept_features(struct virtio_mmio *mmio, uint32_t value) {
        const uint32_t shift = mmio->accepted_select * 32;

        /* 3.1.1: they are settled with FEATURES_OK. */
        if (mmio->accepted_select <= 1 && !(mmio->status & VIRTIO_FEATURES_OK))
                mmio->accepted = (mmio->accepted & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* 2.1.1: a driver clears no bit but all of them.  2.2.2, 6.2: features that are not offered, or without VERSION_1, are not OK. */
static enum virtio_mmio_request write_status(struct virtio_mmio *mmio, uint32_t value) {
        const uint32_t before = mmio->status;

        if (!value) {
                virtio_mmio_reset(mmio);
                return VIRTIO_MMIO_NOTHING;
        }
        value &= DRIVERS_BITS;
        if (mmio->accepted & ~mmio->identity.features || !(mmio->accepted & VIRTIO_F_VERSION_1))
                value &= ~(uint32_t)VIRTIO_FEATURES_OK;
        if (!((before | value) & VIRTIO_FEATURES_OK))
                value &= ~(uint32_t)VIRTIO_DRIVER_OK;
        mmio->status |= value;
        return ~before & mmio->status & VIRTIO_DRIVER_OK ? VIRTIO_MMIO_SERVE : VIRTIO_MMIO_NOTHING;
}

static enum virtio_mmio_request write_ready(struct virtio_mmio *mmio, struct virtqueue *queue, uint32_t value) {
        if (!value) {
                virtqueue_stop(queue);
                return VIRTIO_MMIO_NOTHING;
        }
        if (queue->is_ready)
                return VIRTIO_MMIO_NOTHING;
        return virtqueue_start(queue) ? VIRTIO_MMIO_SERVE : virtio_mmio_break(mmio);
}

static void set_half(uint64_t *number, bool is_upper, uint32_t value) {
        *number = is_upper ? (*number & UINT32_MAX) | (uint64_t)value << 32 : (*number & ~(uint64_t)UINT32_MAX) | value;
}

/* 4.2.2.2: of a queue that is ready nothing changes. */
static enum virtio_mmio_request write_queue(struct virtio_mmio *mmio, uint64_t offset, uint32_t value) {
        struct virtqueue *queue;

        if (!has_selected_queue(mmio))
                return VIRTIO_MMIO_NOTHING;
        queue = &mmio->queues[mmio->queue_select];
        if (offset == QUEUE_READY)
                return write_ready(mmio, queue, value);
        if (queue->is_ready)
                return VIRTIO_MMIO_NOTHING;
        switch (offset) {
        case QUEUE_SIZE:
                queue->size = value;
                break;
        case QUEUE_DESCRIPTORS:
        case QUEUE_DESCRIPTORS + 4:
                set_half(&queue->descriptors, offset != QUEUE_DESCRIPTORS, value);
                break;
        case QUEUE_DRIVER:
        case QUEUE_DRIVER + 4:
                set_half(&queue->available, offset != QUEUE_DRIVER, value);
                break;
        case QUEUE_DEVICE:
        case QUEUE_DEVICE + 4:
                set_half(&queue->used, offset != QUEUE_DEVICE, value);
                break;
        }
        return VIRTIO_MMIO_NOTHING;
}

enum virtio_mmio_request virtio_mmio_write(struct virtio_mmio *mmio, uint64_t offset, unsigned width, uint64_t value) {
        const uint32_t number = (uint32_t)value;

        if (width != 4)
                return VIRTIO_MMIO_NOTHING;
        switch (offset) {
        case DEVICE_FEATURES_SELECT:
                mmio->features_select = number;
                break;
        case DRIVER_FEATURES:
                accept_features(mmio, number);
                break;
        case DRIVER_FEATURES_SELECT:
                mmio->accepted_select = number;
                break;
        case QUEUE_SELECT:
                mmio->queue_select = number;
                break;
        case VIRTIO_MMIO_QUEUE_NOTIFY:
                return VIRTIO_MMIO_SERVE;
        case INTERRUPT_ACKNOWLEDGE:
                mmio->interrupt &= ~number;
                break;
        case STATUS:
                return write_status(mmio, number);
        default:
                return write_queue(mmio, offset, number);
        }
        return VIRTIO_MMIO_NOTHING;
}
