#include "vmm/virtio_block.h"

#include "basics/cleanup.h"
#include "basics/table.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define F_SEG_MAX (UINT64_C(1) << 2)
#define F_RO (UINT64_C(1) << 5)
#define F_BLK_SIZE (UINT64_C(1) << 6)
#define F_FLUSH (UINT64_C(1) << 9)

/* Virtio 1.2, 5.2.6. */
enum {
        REQUEST_IN = 0, /* to the guest */
        REQUEST_OUT = 1,
        REQUEST_FLUSH = 4,
        REQUEST_GET_ID = 8,

        STATUS_OK = 0,
        STATUS_IOERR = 1,
        STATUS_UNSUPP = 2,

        SECTOR_BYTES = 512,
        ID_BYTES = 20,
        /* Two requests of as many parts as may be fit the queue at once: each has a header and a status besides. */
        SEGMENTS_MAX = VIRTQUEUE_SIZE_MAX / 2 - 2,
        BUFFER_BYTES = 256 << 10,
};

struct header {
        uint32_t type, reserved;
        uint64_t sector;
};

/* 5.2.4, as far as it is used. */
struct configuration {
        uint64_t n_sectors;
        uint32_t size_max, segments_max;
        uint16_t cylinders;
        uint8_t heads, sectors;
        uint32_t block_size;
};

struct block {
        int fd;
        bool is_readonly;
        uint64_t n_sectors;
        char id[ID_BYTES + 1];
        struct virtqueue_chain chain;
        uint8_t buffer[BUFFER_BYTES];
};

/* --- the file ---------------------------------------------------------------------------------------------------- */

/* What is beyond the file's end is an error, as what cannot be read is. */
static bool read_file(const struct block *block, uint64_t at, uint8_t *ret_bytes, size_t n) {
        while (n) {
                ssize_t got = pread(block->fd, ret_bytes, n, (off_t)at);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                ret_bytes += got;
                at += (uint64_t)got;
                n -= (size_t)got;
        }
        return true;
}

static bool write_file(const struct block *block, uint64_t at, const uint8_t *bytes, size_t n) {
        while (n) {
                ssize_t put = pwrite(block->fd, bytes, n, (off_t)at);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put <= 0)
                        return false;
                bytes += put;
                at += (uint64_t)put;
                n -= (size_t)put;
        }
        return true;
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

/* Of those that move sectors: are they whole ones of this disk? */
static bool is_on_disk(const struct block *block, uint64_t sector, uint64_t n_bytes) {
        const uint64_t n = n_bytes / SECTOR_BYTES;

        return n_bytes % SECTOR_BYTES == 0 && sector <= block->n_sectors && n <= block->n_sectors - sector;
}

static size_t chunk(uint64_t n) {
        return n < BUFFER_BYTES ? (size_t)n : BUFFER_BYTES;
}

/* What cannot be read is zeros, so that all that is said to be written has been (2.7.8.2). */
static uint8_t read_sectors(struct virtio_device *device, struct block *block, uint64_t sector, uint64_t n) {
        uint8_t status = is_on_disk(block, sector, n) ? STATUS_OK : STATUS_IOERR;

        for (uint64_t at = 0; at < n; at += chunk(n - at)) {
                const size_t n_here = chunk(n - at);

                if (status == STATUS_OK && !read_file(block, sector * SECTOR_BYTES + at, block->buffer, n_here))
                        status = STATUS_IOERR;
                if (status != STATUS_OK)
                        memset(block->buffer, 0, n_here);
                if (!virtio_device_copy_out(device, 0, &block->chain, at, block->buffer, n_here))
                        break; /* nobody waits for it */
        }
        return status;
}

static uint8_t flush(const struct block *block) {
        return fdatasync(block->fd) ? STATUS_IOERR : STATUS_OK;
}

static uint8_t write_sectors(struct virtio_device *device, struct block *block, uint64_t sector, uint64_t n) {
        /* 5.2.6.2: a read-only disk fails it, and does not write. */
        if (block->is_readonly || !is_on_disk(block, sector, n))
                return STATUS_IOERR;
        for (uint64_t at = 0; at < n; at += chunk(n - at)) {
                const size_t n_here = chunk(n - at);

                if (!virtio_device_copy_in(device, 0, &block->chain, sizeof(struct header) + at, block->buffer, n_here) ||
                    !write_file(block, sector * SECTOR_BYTES + at, block->buffer, n_here))
                        return STATUS_IOERR;
        }
        /* 5.2.6.2: who has not accepted to flush waits for the disk with each write. */
        return virtio_device_has_feature(device, F_FLUSH) ? STATUS_OK : flush(block);
}

static uint8_t write_id(struct virtio_device *device, const struct block *block, uint64_t n_room, uint64_t *ret_n) {
        *ret_n = n_room < ID_BYTES ? n_room : ID_BYTES;
        virtio_device_copy_out(device, 0, &block->chain, 0, block->id, (size_t)*ret_n);
        return STATUS_OK;
}

/* The status is the last byte of the room; what is before it is the request's. */
static void answer(struct virtio_device *device, struct block *block) {
        const struct virtqueue_chain *chain = &block->chain;
        const uint64_t n_room = chain->n_writable - 1;
        uint64_t n_written = 0;
        struct header header;
        uint8_t status;

        if (!chain->n_writable || !virtio_device_copy_in(device, 0, chain, 0, &header, sizeof(header))) {
                virtio_device_refuse(device, 0, chain);
                return;
        }
        switch (header.type) {
        case REQUEST_IN:
                status = read_sectors(device, block, header.sector, n_room);
                n_written = n_room;
                break;
        case REQUEST_OUT:
                status = write_sectors(device, block, header.sector, chain->n_readable - sizeof(header));
                break;
        case REQUEST_FLUSH:
                status = flush(block);
                break;
        case REQUEST_GET_ID:
                status = write_id(device, block, n_room, &n_written);
                break;
        default:
                status = STATUS_UNSUPP;
                break;
        }
        virtio_device_copy_out(device, 0, chain, n_room, &status, 1);
        virtio_device_give(device, 0, chain, (uint32_t)(n_written == n_room ? n_room + 1 : n_written));
}

static void serve(struct virtio_device *device, void *state) {
        struct block *block = state;

        while (virtio_device_take(device, 0, &block->chain))
                answer(device, block);
}

/* --- its beginning and end --------------------------------------------------------------------------------------- */

static void block_free(void *state) {
        struct block *block = state;

        close_fd(&block->fd);
        free(block);
}

static void block_freep(struct block **block) {
        if (*block)
                block_free(*block);
}

static int fail(char ret_why[static VIRTIO_DEVICE_WHY_MAX], const char *path, const char *why, int r) {
        snprintf(ret_why, VIRTIO_DEVICE_WHY_MAX, "%s: %s", path, why);
        return r;
}

static int open_file(struct block *block, const char *path, char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        struct stat about;
        off_t n;

        /* A pipe is refused, not waited for. */
        block->fd = open(path, (block->is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
        if (block->fd < 0 || fstat(block->fd, &about))
                return fail(ret_why, path, strerror(errno), -errno);
        if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
                return fail(ret_why, path, "neither a file nor a disk", -EINVAL);
        if (flock(block->fd, (block->is_readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))
                return fail(ret_why, path, errno == EWOULDBLOCK ? "another program has it" : strerror(errno), -errno);
        n = lseek(block->fd, 0, SEEK_END);
        if (n < SECTOR_BYTES)
                return fail(ret_why, path, "not one sector is there", -EINVAL);
        block->n_sectors = (uint64_t)n / SECTOR_BYTES;
        /* The same for the same file, for who looks for it under /dev/disk/by-id. */
        snprintf(block->id, sizeof(block->id), "vmpower-%012" PRIx64, table_hash(path, strlen(path)) & UINT64_C(0xffffffffffff));
        return 0;
}

int virtio_block_new(struct virtio_device **ret_device, const struct guest_memory *memory, const char *path, bool is_readonly,
                     char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        static const struct virtio_kind kind = { .name = "virtio-block", .serve = serve, .free = block_free };
        struct virtio_mmio_identity identity = { .device = 2, .n_queues = 1, .features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH };
        struct configuration configuration = { .segments_max = SEGMENTS_MAX, .block_size = SECTOR_BYTES };
        cleanup(block_freep) struct block *block = calloc(1, sizeof(*block));
        int r;

        if (!block)
                return fail(ret_why, path, strerror(ENOMEM), -ENOMEM);
        block->fd = -1;
        block->is_readonly = is_readonly;
        r = open_file(block, path, ret_why);
        if (r)
                return r;
        configuration.n_sectors = block->n_sectors;
        memcpy(identity.configuration, &configuration, sizeof(configuration));
        identity.features |= is_readonly ? F_RO : 0;
        r = virtio_device_new(ret_device, &kind, take_pointer(block), &identity, memory);
        return r ? fail(ret_why, path, strerror(-r), r) : 0;
}
