#include "vmm/linux_boot.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MIB (UINT64_C(1) << 20)
#define PAGE UINT64_C(4096)

/* Below 640 KiB, where nobody but firmware is before a kernel begins. */
enum {
        AT_SEGMENTS = 0x500,
        AT_START_INFO = 0x6000, /* PVH's, its one module, and its map of memory */
        AT_MODULE = 0x6040,
        AT_MAP = 0x6080,
        AT_BOOT_PARAMS = 0x7000,
        AT_PAGES = 0x9000, /* one PML4, one PDPT, four PDs */
        N_PAGES = 6,
        AT_COMMAND_LINE = 0x20000,
        N_COMMAND_LINE_MAX = 0x10000,
        LOW_END = 0x9fc00, /* a PC's extended BIOS data area begins there */
        REGIONS_MAX = 4,
};

/* x86/zero-page.rst; the header is at its place in there. */
enum {
        PARAMS_RSDP = 0x70,
        PARAMS_N_REGIONS = 0x1e8,
        PARAMS_TYPE_OF_LOADER = 0x210,
        PARAMS_LOADFLAGS = 0x211,
        PARAMS_RAMDISK_IMAGE = 0x218,
        PARAMS_RAMDISK_SIZE = 0x21c,
        PARAMS_CMD_LINE_PTR = 0x228,
        PARAMS_REGIONS = 0x2d0,
        N_REGION = 20,
        LOADED_HIGH = 1 << 0,
        LOADER_UNDEFINED = 0xff,
};

#define START_INFO_MAGIC 0x336ec578

/* ACPI 6.5, 15.1: address range types. */
enum { REGION_MEMORY = 1, REGION_RESERVED = 2, REGION_ACPI = 3 };

struct region {
        uint64_t address, n;
        uint32_t type;
};

static int fail(char ret_why[static LINUX_BOOT_WHY_MAX], int r, const char *why) {
        snprintf(ret_why, LINUX_BOOT_WHY_MAX, "%s", why);
        return r;
}

static void put(uint8_t *at, uint64_t value, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                at[i] = (uint8_t)(value >> i * 8);
}

/* --- the files --------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, char ret_why[static LINUX_BOOT_WHY_MAX]) {
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const int r = -errno;

        if (fd < 0)
                snprintf(ret_why, LINUX_BOOT_WHY_MAX, "%.150s: %s", path, strerror(-r));
        return fd < 0 ? r : fd;
}

int linux_boot_open(struct linux_boot *boot, const char *kernel, const char *initrd, const char *command_line,
                    char ret_why[static LINUX_BOOT_WHY_MAX]) {
        char why[LINUX_IMAGE_WHY_MAX] = "it cannot be read";
        struct stat about;
        int r;

        *boot = (struct linux_boot){ .kernel = -1, .initrd = -1, .command_line = command_line };
        r = boot->kernel = open_file(kernel, ret_why);
        if (r < 0)
                return r;
        r = linux_image_read(&boot->image, boot->kernel, why);
        if (r) {
                snprintf(ret_why, LINUX_BOOT_WHY_MAX, "%.60s: %s", kernel, why);
                return r;
        }
        if (strlen(command_line) > boot->image.n_command_line || strlen(command_line) >= N_COMMAND_LINE_MAX)
                return fail(ret_why, -E2BIG, "--append is longer than this kernel takes");
        if (!initrd)
                return 0;
        r = boot->initrd = open_file(initrd, ret_why);
        if (r < 0)
                return r;
        if (fstat(boot->initrd, &about) || !S_ISREG(about.st_mode) || !about.st_size) {
                snprintf(ret_why, LINUX_BOOT_WHY_MAX, "%.150s: an initrd is a file that is not empty", initrd);
                return -EINVAL;
        }
        boot->n_initrd = (uint64_t)about.st_size;
        return 0;
}

void linux_boot_close(struct linux_boot *boot) {
        close_fd(&boot->kernel);
        close_fd(&boot->initrd);
}

/* --- into memory ------------------------------------------------------------------------------------------------- */

static int load_kernel(const struct linux_boot *boot, const struct guest_memory *memory, char ret_why[static LINUX_BOOT_WHY_MAX]) {
        const struct linux_image *image = &boot->image;

        for (size_t i = 0; i < image->n_parts; i++) {
                uint8_t *bytes = guest_memory_at(memory, image->parts[i].address, image->parts[i].n_memory);

                if (!bytes || image->parts[i].address < MIB) {
                        snprintf(ret_why, LINUX_BOOT_WHY_MAX, "this kernel wants memory from 0x%" PRIx64 " to 0x%" PRIx64 ": give it %" PRIu64 " MiB at least",
                                 image->parts[i].address, image->end, image->end / MIB + 1);
                        return -ENOMEM;
                }
                if (linux_image_pread(boot->kernel, bytes, image->parts[i].n, image->parts[i].offset))
                        return fail(ret_why, -EIO, "the kernel's file cannot be read any more");
                memset(bytes + image->parts[i].n, 0, image->parts[i].n_memory - image->parts[i].n);
        }
        return 0;
}

/* As high as it may be, below the hole: the kernel is below it. */
static int load_initrd(const struct linux_boot *boot, const struct guest_memory *memory, uint64_t *ret_address, char ret_why[static LINUX_BOOT_WHY_MAX]) {
        const uint64_t n_low = guest_memory_low(memory), n_max = boot->image.initrd_max < n_low ? boot->image.initrd_max + 1 : n_low;

        *ret_address = 0;
        if (!boot->n_initrd)
                return 0;
        *ret_address = n_max < boot->n_initrd ? 0 : (n_max - boot->n_initrd) & ~(PAGE - 1);
        if (*ret_address < boot->image.end) {
                snprintf(ret_why, LINUX_BOOT_WHY_MAX, "the initrd has no room in the guest's memory: give it %" PRIu64 " MiB at least",
                         (boot->image.end + boot->n_initrd) / MIB + 2);
                return -ENOMEM;
        }
        if (linux_image_pread(boot->initrd, guest_memory_at(memory, *ret_address, boot->n_initrd), boot->n_initrd, 0))
                return fail(ret_why, -EIO, "the initrd's file cannot be read any more");
        return 0;
}

/* Identical, by 2 MiB, up to 4 GiB: Intel SDM 3A, 4.5. */
static void write_pages(uint8_t *pages) {
        enum { PRESENT = 1, WRITE = 2, LARGE = 1 << 7 };
        uint8_t *table = pages + PAGE, *directories = pages + 2 * PAGE;

        memset(pages, 0, N_PAGES * PAGE);
        put(pages, (AT_PAGES + PAGE) | PRESENT | WRITE, 8);
        for (uint64_t i = 0; i < 4; i++)
                put(table + i * 8, (AT_PAGES + (2 + i) * PAGE) | PRESENT | WRITE, 8);
        for (uint64_t i = 0; i < 2048; i++)
                put(directories + i * 8, i << 21 | PRESENT | WRITE | LARGE, 8);
}

static size_t list_regions(struct region ret_regions[static REGIONS_MAX], const struct guest_memory *memory, uint64_t tables, uint64_t n_tables) {
        size_t n = 0;

        ret_regions[n++] = (struct region){ 0, LOW_END, REGION_MEMORY };
        ret_regions[n++] = (struct region){ tables, n_tables, REGION_ACPI };
        ret_regions[n++] = (struct region){ MIB, guest_memory_low(memory) - MIB, REGION_MEMORY };
        if (guest_memory_high(memory))
                ret_regions[n++] = (struct region){ GUEST_MEMORY_HIGH, guest_memory_high(memory), REGION_MEMORY };
        return n;
}

struct start {
        const struct linux_boot *boot;
        uint8_t *low; /* the guest's first MiB */
        struct region regions[REGIONS_MAX];
        size_t n_regions;
        uint64_t rsdp, initrd;
};

static void write_boot_params(const struct start *start, struct kvm_entry *ret_entry) {
        const struct linux_boot *boot = start->boot;
        uint8_t *params = start->low + AT_BOOT_PARAMS;
        uint64_t segments[KVM_CPU_SEGMENTS];

        memset(params, 0, PAGE);
        memcpy(params, boot->image.header, boot->image.n_header);
        put(params + PARAMS_RSDP, start->rsdp, 8);
        params[PARAMS_TYPE_OF_LOADER] = LOADER_UNDEFINED;
        params[PARAMS_LOADFLAGS] |= LOADED_HIGH;
        put(params + PARAMS_CMD_LINE_PTR, AT_COMMAND_LINE, 4);
        put(params + PARAMS_RAMDISK_IMAGE, start->initrd, 4);
        put(params + PARAMS_RAMDISK_SIZE, boot->n_initrd, 4);
        params[PARAMS_N_REGIONS] = (uint8_t)start->n_regions;
        for (size_t i = 0; i < start->n_regions; i++) {
                uint8_t *region = params + PARAMS_REGIONS + i * N_REGION;

                put(region, start->regions[i].address, 8);
                put(region + 8, start->regions[i].n, 8);
                put(region + 16, start->regions[i].type, 4);
        }
        kvm_cpu_segments(segments);
        memcpy(start->low + AT_SEGMENTS, segments, sizeof(segments));
        write_pages(start->low + AT_PAGES);
        *ret_entry = (struct kvm_entry){ KVM_ENTRY_LONG, boot->image.entry, AT_BOOT_PARAMS, AT_SEGMENTS, AT_PAGES };
}

static void write_start_info(const struct start *start, struct kvm_entry *ret_entry) {
        enum { N_START_INFO = 56, N_MODULE = 32, N_MAP_ENTRY = 24 };
        const struct linux_boot *boot = start->boot;
        uint8_t *info = start->low + AT_START_INFO, *module = start->low + AT_MODULE, *map = start->low + AT_MAP;

        memset(info, 0, N_START_INFO);
        memset(module, 0, N_MODULE);
        memset(map, 0, (size_t)REGIONS_MAX * N_MAP_ENTRY);
        put(info, START_INFO_MAGIC, 4);
        put(info + 4, 1, 4);
        if (boot->n_initrd) {
                put(info + 12, 1, 4);
                put(info + 16, AT_MODULE, 8);
                put(module, start->initrd, 8);
                put(module + 8, boot->n_initrd, 8);
        }
        put(info + 24, AT_COMMAND_LINE, 8);
        put(info + 32, start->rsdp, 8);
        put(info + 40, AT_MAP, 8);
        put(info + 48, start->n_regions, 4);
        for (size_t i = 0; i < start->n_regions; i++) {
                put(map + i * N_MAP_ENTRY, start->regions[i].address, 8);
                put(map + i * N_MAP_ENTRY + 8, start->regions[i].n, 8);
                put(map + i * N_MAP_ENTRY + 16, start->regions[i].type, 4);
        }
        *ret_entry = (struct kvm_entry){ KVM_ENTRY_PROTECTED, boot->image.entry, AT_START_INFO, 0, 0 };
}

int linux_boot_load(const struct linux_boot *boot, const struct guest_memory *memory, uint64_t rsdp, uint64_t n_tables, struct kvm_entry *ret_entry,
                    char ret_why[static LINUX_BOOT_WHY_MAX]) {
        struct start start = { .boot = boot, .low = guest_memory_at(memory, 0, MIB), .rsdp = rsdp };
        int r = load_kernel(boot, memory, ret_why) ?: load_initrd(boot, memory, &start.initrd, ret_why);

        if (r)
                return r;
        start.n_regions = list_regions(start.regions, memory, rsdp, n_tables);
        strcpy((char *)start.low + AT_COMMAND_LINE, boot->command_line);
        if (boot->image.kind == LINUX_IMAGE_BZIMAGE)
                write_boot_params(&start, ret_entry);
        else
                write_start_info(&start, ret_entry);
        return 0;
}
