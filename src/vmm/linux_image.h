/*
 * Linux image: what a kernel's file says of itself: how it wants to be loaded, and where it begins.
 *
 * Knows bzImages (the kernel's Documentation/x86/boot.rst) and ELF files with a PVH entry (Xen, xen/include/public/elfnote.h).  Every number in them is
 * hostile.  Reads the file; writes nowhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        LINUX_IMAGE_HEADER_MAX = 0x290, /* up to where boot_params has the next: x86/zero-page.rst */
        LINUX_IMAGE_PARTS_MAX = 16,
        LINUX_IMAGE_WHY_MAX = 160,
};

enum linux_image_kind {
        LINUX_IMAGE_BZIMAGE, /* enters in 64 bits */
        LINUX_IMAGE_PVH,
};

struct linux_image {
        enum linux_image_kind kind;
        uint64_t entry;
        uint64_t initrd_max;       /* the highest address of an initrd's last byte */
        uint64_t n_command_line;   /* at most, without its end */
        uint64_t end;              /* the kernel wants memory to itself up to there */

        /* What goes where: `n` bytes of the file, and zeros up to `n_memory`. */
        struct {
                uint64_t offset, n, address, n_memory;
        } parts[LINUX_IMAGE_PARTS_MAX];
        size_t n_parts;

        uint8_t header[LINUX_IMAGE_HEADER_MAX]; /* of a bzImage: from 0x1f1 of the file on, at its place */
        size_t n_header;
};

/* 0; -EINVAL: it is none, in words; -errno. */
int linux_image_read(struct linux_image *ret_image, int fd, char ret_why[static LINUX_IMAGE_WHY_MAX]);

/* All n bytes at that offset.  0; -ENODATA: the file ends before; -errno. */
int linux_image_pread(int fd, void *ret_bytes, uint64_t n, uint64_t offset);
