/*
 * Fuzz: any bytes as the life of a virtio device: a driver's accesses to its registers, what it writes into its rings and beside them, its machine's resets
 * and pauses, and what comes from outside.
 *
 * The laws: a chain that is taken is all in memory, what is read before what is written, no longer than its queue; only its room is ever written to, and the used ring; a
 * device gives back no more than was offered; a status loses no bit but by a reset, and goes on only with features that were offered; what is read-only stays as
 * it was, and no disk changes its size.  (A sanitizer sees to the edges of memory.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/virtio_block.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

enum {
        MEMORY_BYTES = 0x10000,
        RINGS = 0x1000,
        RINGS_BYTES = 0x4000,
        DISK_BYTES = 8 * 512,

        STATUS = 0x70,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
        const uint8_t *at, *end;
};

struct world {
        struct guest_memory memory;
        struct virtio_device *device; /* NULL: its parts alone, looked at from near */
        struct virtio_mmio parts;
        uint16_t n_offered[VIRTIO_MMIO_QUEUES_MAX];
        int network;
};

static uint32_t take(struct bytes *bytes, unsigned n) {
        uint32_t value = 0;

        for (unsigned i = 0; i < n && bytes->at < bytes->end; i++)
                value |= (uint32_t)*bytes->at++ << i * 8;
        return value;
}

static void put(struct world *world, uint64_t address, uint64_t value, size_t n) {
        if (address <= MEMORY_BYTES - n)
                memcpy(world->memory.bytes + address, &value, n);
}

/* --- registers --------------------------------------------------------------------------------------------------- */

static uint64_t read_register(struct world *world, uint64_t offset, unsigned width) {
        return world->device ? virtio_device_read(world->device, offset, width) : virtio_mmio_read(&world->parts, offset, width);
}

static void write_register(struct world *world, uint64_t offset, unsigned width, uint64_t value) {
        const uint64_t before = read_register(world, STATUS, 4);
        uint64_t after;

        if (world->device)
                virtio_device_write(world->device, offset, width, value);
        else
                virtio_mmio_write(&world->parts, offset, width, value);
        after = read_register(world, STATUS, 4);
        if (offset == STATUS && width == 4 && !(uint32_t)value)
                law(!after && !read_register(world, 0x60, 4));
        else
                law(!(before & ~after));
        law(!(after & VIRTIO_DRIVER_OK) || (after & VIRTIO_FEATURES_OK));
        law(read_register(world, 0x60, 4) <= 3 && read_register(world, 0x44, 4) <= 1);
        if (!world->device && (after & VIRTIO_FEATURES_OK))
                law(!(world->parts.accepted & ~world->parts.identity.features) && (world->parts.accepted & VIRTIO_F_VERSION_1));
}

/* As a good driver does it. */
static void begin(struct world *world, uint32_t features, uint32_t queue_size) {
        static const uint32_t rings[] = { 0x80, 0x90, 0xa0 };

        write_register(world, STATUS, 4, 0);
        write_register(world, STATUS, 4, 3);
        write_register(world, 0x14, 4, 0);
        write_register(world, 0x24, 4, 0);
        write_register(world, 0x20, 4, features & read_register(world, 0x10, 4));
        write_register(world, 0x24, 4, 1);
        write_register(world, 0x20, 4, 1);
        write_register(world, STATUS, 4, 11);
        law(read_register(world, STATUS, 4) == 11);
        for (uint32_t queue = 0; queue < VIRTIO_MMIO_QUEUES_MAX; queue++) {
                write_register(world, 0x30, 4, queue);
                write_register(world, 0x38, 4, queue_size);
                for (uint32_t i = 0; i < 3; i++) {
                        write_register(world, rings[i], 4, RINGS + queue * RINGS_BYTES + i * 0x1000);
                        write_register(world, rings[i] + 4, 4, 0);
                }
                memset(world->memory.bytes + RINGS + queue * RINGS_BYTES, 0, RINGS_BYTES);
                world->n_offered[queue] = 0;
                write_register(world, 0x44, 4, 1);
        }
        write_register(world, STATUS, 4, 15);
}

/* --- its parts, from near ---------------------------------------------------------------------------------------- */

static void chain_holds(const struct world *world, const struct virtqueue *queue, const struct virtqueue_chain *chain) {
        uint64_t n_readable = 0, n_writable = 0;

        law(chain->n_parts && chain->n_parts <= queue->size && chain->head < queue->size && chain->n_readable_parts <= chain->n_parts);
        for (unsigned i = 0; i < chain->n_parts; i++) {
                const struct virtqueue_part *part = &chain->parts[i];

                law(part->bytes >= world->memory.bytes && part->bytes + part->n <= world->memory.bytes + MEMORY_BYTES);
                *(i < chain->n_readable_parts ? &n_readable : &n_writable) += part->n;
        }
        law(n_readable == chain->n_readable && n_writable == chain->n_writable);
}

static bool is_room(const struct virtqueue_chain *chain, const uint8_t *byte) {
        for (unsigned i = chain->n_readable_parts; i < chain->n_parts; i++)
                if (byte >= chain->parts[i].bytes && byte < chain->parts[i].bytes + chain->parts[i].n)
                        return true;
        return false;
}

static void writing_holds(const struct world *world, const struct virtqueue_chain *chain, uint64_t offset, size_t n) {
        static uint8_t before[MEMORY_BYTES], bytes[MEMORY_BYTES];
        const bool fits = offset <= chain->n_writable && n <= chain->n_writable - offset;

        memcpy(before, world->memory.bytes, MEMORY_BYTES);
        memset(bytes, 0xa5, n);
        law(virtqueue_chain_write(chain, offset, bytes, n) == fits);
        if (!memcmp(before, world->memory.bytes, MEMORY_BYTES))
                return;
        law(fits);
        for (size_t i = 0; i < MEMORY_BYTES; i++)
                law(before[i] == world->memory.bytes[i] || is_room(chain, world->memory.bytes + i));
}

static void reading_holds(const struct virtqueue_chain *chain, uint64_t offset, size_t n) {
        uint8_t *bytes = malloc(n + 1);

        if (bytes)
                law(virtqueue_chain_read(chain, offset, bytes, n) == (offset <= chain->n_readable && n <= chain->n_readable - offset));
        free(bytes);
}

static void serve_parts(struct world *world, struct bytes *bytes) {
        static struct virtqueue_chain chain;
        const unsigned number = take(bytes, 1) % VIRTIO_MMIO_QUEUES_MAX;
        struct virtqueue *queue = &world->parts.queues[number];
        const uint64_t offset = take(bytes, 2);
        const size_t n = take(bytes, 2);
        int r;

        if (!virtio_mmio_is_served(&world->parts, number))
                return;
        r = virtqueue_take(queue, &chain);
        if (r == VIRTQUEUE_BROKEN) {
                law(virtio_mmio_break(&world->parts) == VIRTIO_MMIO_INTERRUPT);
                law(!virtio_mmio_is_served(&world->parts, number));
        }
        if (r)
                return;
        chain_holds(world, queue, &chain);
        reading_holds(&chain, offset, n);
        writing_holds(world, &chain, offset, n);
        law(virtqueue_has(queue, &chain));
        if (virtqueue_give(queue, &chain, (uint32_t)n))
                virtio_mmio_tell_used(&world->parts);
        law(queue->n_given == queue->n_taken);
}

/* --- a life ------------------------------------------------------------------------------------------------------ */

static void describe(struct world *world, struct bytes *bytes) {
        const unsigned queue = take(bytes, 1) % VIRTIO_MMIO_QUEUES_MAX;
        const uint64_t at = RINGS + queue * RINGS_BYTES + take(bytes, 1) * 16;

        put(world, at, take(bytes, 3), 8);
        put(world, at + 8, take(bytes, 3), 4);
        put(world, at + 12, take(bytes, 1), 2);
        put(world, at + 14, take(bytes, 1), 2);
}

static void offer(struct world *world, struct bytes *bytes) {
        const unsigned queue = take(bytes, 1) % VIRTIO_MMIO_QUEUES_MAX, size = take(bytes, 1) + 1;
        const uint64_t ring = RINGS + queue * RINGS_BYTES + 0x1000;

        put(world, ring + 4 + world->n_offered[queue] % size * 2, take(bytes, 1), 2);
        put(world, ring + 2, ++world->n_offered[queue], 2);
}

static void write_memory(struct world *world, struct bytes *bytes) {
        const uint64_t address = take(bytes, 2);

        for (unsigned i = 0, n = take(bytes, 1); i < n; i++)
                put(world, address + i, take(bytes, 1), 1);
}

static void do_one(struct world *world, struct bytes *bytes) {
        const unsigned what = take(bytes, 1), width = 1U << (what >> 4 & 3);
        uint64_t offset, value;

        switch (what & 15) {
        case 0:
                offset = take(bytes, 2) % VIRTIO_MMIO_BYTES;
                write_register(world, offset, width, take(bytes, 4));
                break;
        case 1:
                offset = take(bytes, 1) * 4U;
                write_register(world, offset, 4, take(bytes, 4));
                break;
        case 2:
                offset = take(bytes, 2) % VIRTIO_MMIO_BYTES;
                value = read_register(world, offset, width);
                law(value == read_register(world, offset, width) && (width >= 4 ? value <= UINT32_MAX : value >> width * 8 == 0));
                break;
        case 3:
                begin(world, take(bytes, 4), 1U << (take(bytes, 1) & 7));
                break;
        case 4:
                describe(world, bytes);
                break;
        case 5:
                offer(world, bytes);
                break;
        case 6:
                write_memory(world, bytes);
                break;
        case 7:
        case 8:
                if (world->device)
                        virtio_device_serve(world->device);
                else
                        serve_parts(world, bytes);
                break;
        case 9:
                if (world->device)
                        virtio_device_reset(world->device);
                else
                        virtio_mmio_reset(&world->parts);
                law(!read_register(world, STATUS, 4));
                break;
        case 10:
                if (world->device)
                        law(!virtio_device_pause(world->device, 0));
                break;
        case 11:
                if (world->device)
                        virtio_device_resume(world->device);
                break;
        case 12:
                value = take(bytes, 2);
                if (world->network >= 0)
                        value = (uint64_t)send(world->network, world->memory.bytes, value, 0);
                break;
        case 13:
                if (world->network >= 0)
                        while (recv(world->network, &value, sizeof(value), 0) >= 0)
                                ;
                break;
        }
}

static int make_disk(void) {
        const int fd = memfd_create("disk", MFD_CLOEXEC);

        law(fd >= 0 && !ftruncate(fd, DISK_BYTES));
        return fd;
}

static void disk_holds(int disk, bool is_readonly) {
        static const uint8_t zeros[DISK_BYTES];
        uint8_t found[DISK_BYTES];
        struct stat about;

        law(!fstat(disk, &about) && about.st_size == DISK_BYTES);
        law(pread(disk, found, DISK_BYTES, 0) == DISK_BYTES);
        law(!is_readonly || !memcmp(found, zeros, DISK_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct virtio_mmio_identity identity = { .device = 2, .n_queues = VIRTIO_MMIO_QUEUES_MAX, .features = 0x30000244 };
        static const uint8_t mac[VIRTIO_NET_MAC_BYTES] = { 2 };
        struct bytes bytes = { data, data + size };
        const unsigned first = take(&bytes, 1);
        struct world world = { .memory = { aligned_alloc(4096, MEMORY_BYTES), MEMORY_BYTES }, .network = -1 };
        char path[64], why[VIRTIO_DEVICE_WHY_MAX];
        int disk = -1, pair[2];

        law(world.memory.bytes);
        memset(world.memory.bytes, 0, MEMORY_BYTES);
        switch (first % 5) {
        case 0:
        case 1:
                disk = make_disk();
                snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
                law(!virtio_block_new(&world.device, &world.memory, path, first % 5 == 1, why));
                break;
        case 2:
                law(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
                world.network = pair[0];
                law(!virtio_net_new_on(&world.device, &world.memory, pair[1], mac));
                break;
        case 3:
                law(!virtio_rng_new(&world.device, &world.memory));
                break;
        case 4:
                virtio_mmio_init(&world.parts, &identity, &world.memory);
                break;
        }
        while (bytes.at < bytes.end)
                do_one(&world, &bytes);
        virtio_device_free(world.device);
        if (disk >= 0) {
                disk_holds(disk, first % 5 == 1);
                close(disk);
        }
        if (world.network >= 0)
                close(world.network);
        free(world.memory.bytes);
        return 0;
}
