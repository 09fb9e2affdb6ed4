/*
 * Fuzz: any bytes as a kernel's file.
 *
 * The laws: what is taken is within the file and has a place for each part; what is loaded stays in the guest's memory and begins there; whatever is refused
 * says why.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/linux_boot.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

enum { N_MEMORY = 24 << 20, N_FILE_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_image(const struct linux_image *image, size_t size) {
        law(image->n_parts >= 1 && image->n_parts <= LINUX_IMAGE_PARTS_MAX && image->n_header <= LINUX_IMAGE_HEADER_MAX);
        for (size_t i = 0; i < image->n_parts; i++) {
                law(image->parts[i].offset <= size && image->parts[i].n <= size - image->parts[i].offset);
                law(image->parts[i].n <= image->parts[i].n_memory && image->parts[i].address + image->parts[i].n_memory <= image->end);
        }
}

static void load(const struct linux_boot *boot, uint8_t *bytes) {
        const struct guest_memory memory = { bytes, N_MEMORY };
        char why[LINUX_BOOT_WHY_MAX] = "";
        struct kvm_entry entry;

        if (linux_boot_load(boot, &memory, 0xe0000, 0x1000, &entry, why)) {
                law(*why && strlen(why) < sizeof(why));
                return;
        }
        law(entry.kind == KVM_ENTRY_LONG || entry.kind == KVM_ENTRY_PROTECTED);
        law(boot->image.end <= N_MEMORY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t *memory;
        struct linux_boot boot = { .initrd = -1, .command_line = "quiet" };
        char why[LINUX_IMAGE_WHY_MAX] = "";

        if (size > N_FILE_MAX)
                return 0;
        if (!memory)
                memory = mmap(NULL, N_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        boot.kernel = memfd_create("kernel", MFD_CLOEXEC);
        law(memory != MAP_FAILED && boot.kernel >= 0 && write(boot.kernel, data, size) == (ssize_t)size);
        if (linux_image_read(&boot.image, boot.kernel, why)) {
                law(*why && strlen(why) < sizeof(why));
        } else {
                check_image(&boot.image, size);
                load(&boot, memory);
        }
        linux_boot_close(&boot);
        return 0;
}
