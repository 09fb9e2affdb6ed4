#include "vmm/linux_image.h"

#include "basics/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* x86/boot.rst, "The Real-Mode Kernel Header". */
enum {
        SETUP_SECTS = 0x1f1,
        BOOT_FLAG = 0x1fe,
        JUMP = 0x201, /* its second byte: how far the header goes beyond 0x202 */
        HEADER = 0x202,
        VERSION = 0x206,
        INITRD_ADDR_MAX = 0x22c,
        RELOCATABLE_KERNEL = 0x234,
        XLOADFLAGS = 0x236,
        CMDLINE_SIZE = 0x238,
        PREF_ADDRESS = 0x258,
        INIT_SIZE = 0x260,
        HEADER_END = 0x264,

        VERSION_MIN = 0x20c, /* xloadflags */
        XLF_KERNEL_64 = 1 << 0,
        ENTRY_64 = 0x200, /* behind its first byte */
        SECTOR = 512,
};

enum {
        NOTES_MAX = 64 << 10,
        PHYS32_ENTRY = 18, /* elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY */
        COMMAND_LINE_MAX = 2047, /* Linux's COMMAND_LINE_SIZE on x86 is 2048 */
};

/* Above it only what is mapped later; and no sum of two of them overflows. */
#define ADDRESS_MAX (UINT64_C(1) << 46)

static uint64_t number(const uint8_t *at, unsigned n) {
        uint64_t value = 0;

        for (unsigned i = 0; i < n; i++)
                value |= (uint64_t)at[i] << i * 8;
        return value;
}

static int fail(char ret_why[static LINUX_IMAGE_WHY_MAX], const char *why) {
        snprintf(ret_why, LINUX_IMAGE_WHY_MAX, "%s", why);
        return -EINVAL;
}

int linux_image_pread(int fd, void *ret_bytes, uint64_t n, uint64_t offset) {
        uint8_t *bytes = ret_bytes;

        while (n) {
                ssize_t got = pread(fd, bytes, n, (off_t)offset);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return got < 0 ? -errno : -ENODATA;
                bytes += got;
                offset += (uint64_t)got;
                n -= (uint64_t)got;
        }
        return 0;
}

static int add_part(struct linux_image *image, uint64_t n_file, uint64_t offset, uint64_t n, uint64_t address, uint64_t n_memory) {
        if (offset > n_file || n > n_file - offset || n > n_memory || address > ADDRESS_MAX || n_memory > ADDRESS_MAX ||
            image->n_parts == LINUX_IMAGE_PARTS_MAX)
                return -EINVAL;
        image->parts[image->n_parts].offset = offset;
        image->parts[image->n_parts].n = n;
        image->parts[image->n_parts].address = address;
        image->parts[image->n_parts++].n_memory = n_memory;
        if (image->end < address + n_memory)
                image->end = address + n_memory;
        return 0;
}

/* --- bzImage ----------------------------------------------------------------------------------------------------- */

static int read_bzimage(struct linux_image *image, int fd, uint64_t n_file, const uint8_t *head, char *ret_why) {
        const uint64_t n_setup = ((head[SETUP_SECTS] ? head[SETUP_SECTS] : 4U) + 1U) * SECTOR;
        const uint64_t address = number(head + PREF_ADDRESS, 8), n_init = number(head + INIT_SIZE, 4);

        if (number(head + VERSION, 2) < VERSION_MIN)
                return fail(ret_why, "a kernel of before Linux 3.8: its boot protocol is older than 2.12");
        if (!(number(head + XLOADFLAGS, 2) & XLF_KERNEL_64))
                return fail(ret_why, "it is no 64-bit kernel");
        if (n_setup >= n_file)
                return fail(ret_why, "the file is too short: it ends in the kernel's first sectors");
        image->kind = LINUX_IMAGE_BZIMAGE;
        if (address > ADDRESS_MAX || !address ||
            add_part(image, n_file, n_setup, n_file - n_setup, address, n_init > n_file - n_setup ? n_init : n_file - n_setup))
                return fail(ret_why, "its header has an impossible address");
        image->entry = address + ENTRY_64;
        image->initrd_max = number(head + INITRD_ADDR_MAX, 4);
        image->n_command_line = number(head + CMDLINE_SIZE, 4);
        image->n_header = HEADER + head[JUMP] < LINUX_IMAGE_HEADER_MAX ? HEADER + head[JUMP] : LINUX_IMAGE_HEADER_MAX;
        if (image->n_header < HEADER_END)
                return fail(ret_why, "its header is shorter than its version says");
        memcpy(image->header + SETUP_SECTS, head + SETUP_SECTS, image->n_header - SETUP_SECTS);
        return 0;
}

/* --- ELF --------------------------------------------------------------------------------------------------------- */

static uint64_t aligned(uint64_t n) {
        return (n + 3) & ~UINT64_C(3);
}

/* The notes of one program header: name, type, descriptor, each padded to 4 bytes. */
static bool find_entry(const uint8_t *notes, uint64_t n, uint64_t *ret_entry) {
        while (n >= sizeof(Elf64_Nhdr)) {
                const uint64_t n_name = number(notes, 4), n_value = number(notes + 4, 4), type = number(notes + 8, 4);
                const uint64_t at_value = sizeof(Elf64_Nhdr) + aligned(n_name), n_note = at_value + aligned(n_value);

                if (at_value + n_value > n)
                        return false;
                if (type == PHYS32_ENTRY && n_name == 4 && !memcmp(notes + sizeof(Elf64_Nhdr), "Xen", 4) && (n_value == 4 || n_value == 8)) {
                        *ret_entry = number(notes + at_value, (unsigned)n_value);
                        return true;
                }
                if (n_note >= n)
                        return false;
                notes += n_note;
                n -= n_note;
        }
        return false;
}

static int read_notes(struct linux_image *image, int fd, const Elf64_Phdr *header, bool *ret_has_entry) {
        cleanup(freep) uint8_t *notes = NULL;
        int r;

        if (header->p_filesz > NOTES_MAX)
                return 0;
        notes = malloc(header->p_filesz ? header->p_filesz : 1);
        if (!notes)
                return -ENOMEM;
        r = linux_image_pread(fd, notes, header->p_filesz, header->p_offset);
        if (!r)
                *ret_has_entry = *ret_has_entry || find_entry(notes, header->p_filesz, &image->entry);
        return r;
}

static int read_elf(struct linux_image *image, int fd, uint64_t n_file, const uint8_t *head, char *ret_why) {
        bool has_entry = false;
        Elf64_Ehdr elf;

        memcpy(&elf, head, sizeof(elf));
        if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_machine != EM_X86_64 ||
            elf.e_phentsize != sizeof(Elf64_Phdr))
                return fail(ret_why, "an ELF file that is no 64-bit kernel");
        image->kind = LINUX_IMAGE_PVH;
        for (unsigned i = 0; i < elf.e_phnum; i++) {
                Elf64_Phdr header;
                int r = elf.e_phoff > n_file ? -ENODATA : linux_image_pread(fd, &header, sizeof(header), elf.e_phoff + i * sizeof(header));

                if (!r && header.p_type == PT_LOAD)
                        r = add_part(image, n_file, header.p_offset, header.p_filesz, header.p_paddr, header.p_memsz);
                else if (!r && header.p_type == PT_NOTE)
                        r = header.p_offset > n_file ? -ENODATA : read_notes(image, fd, &header, &has_entry);
                if (r)
                        return fail(ret_why, "an ELF file whose program headers are wrong");
        }
        if (!has_entry)
                return fail(ret_why, "an ELF file without a PVH entry: neither a bzImage nor a vmlinux with CONFIG_PVH");
        if (!image->n_parts || image->entry > UINT32_MAX)
                return fail(ret_why, "an ELF file that loads nothing, or begins beyond 4 GiB");
        image->initrd_max = UINT32_MAX;
        image->n_command_line = COMMAND_LINE_MAX;
        return 0;
}

/* ----------------------------------------------------------------------------------------------------------------- */

int linux_image_read(struct linux_image *ret_image, int fd, char ret_why[static LINUX_IMAGE_WHY_MAX]) {
        uint8_t head[LINUX_IMAGE_HEADER_MAX];
        struct stat about;
        int r;

        memset(ret_image, 0, sizeof(*ret_image));
        if (fstat(fd, &about))
                return -errno;
        if (!S_ISREG(about.st_mode))
                return fail(ret_why, "it is no file");
        r = about.st_size < (off_t)sizeof(head) ? -ENODATA : linux_image_pread(fd, head, sizeof(head), 0);
        if (r && r != -ENODATA)
                return r;
        if (!r && !memcmp(head, ELFMAG, SELFMAG))
                return read_elf(ret_image, fd, (uint64_t)about.st_size, head, ret_why);
        if (!r && number(head + BOOT_FLAG, 2) == 0xaa55 && !memcmp(head + HEADER, "HdrS", 4))
                return read_bzimage(ret_image, fd, (uint64_t)about.st_size, head, ret_why);
        return fail(ret_why, "it is no kernel: neither a bzImage nor a vmlinux with a PVH entry");
}
