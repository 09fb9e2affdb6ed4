#include "sources/qemu/qemu_machine.h"
#include "sources/qemu/qemu_words.h"

#include <string.h>

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static bool is_x86_qemu(const char *word) {
        const char *name = base_name(word);

        return !strcmp(name, "qemu-system-x86_64") || !strcmp(name, "qemu-system-i386") || !strcmp(name, "qemu-kvm") ||
               !strcmp(name, "kvm");
}

static bool begins(const char *text, size_t n_text, const char *with) {
        return n_text >= strlen(with) && !strncmp(text, with, strlen(with));
}

/* "q35,accel=kvm", "type=pc-i440fx-7.2", "accel=kvm,type=q35", "accel=kvm": this word's type, or NULL. */
static const char *type_of(const char *value, size_t *ret_n) {
        const char *type = NULL;

        for (const char *part = value; part; part = strchr(part, ',') ? strchr(part, ',') + 1 : NULL) {
                size_t n = strcspn(part, ",");

                if (begins(part, n, "type=")) {
                        type = part + 5;
                        *ret_n = n - 5;
                } else if (part == value && !memchr(part, '=', n)) {
                        type = part;
                        *ret_n = n;
                }
        }
        return type;
}

static bool is_pc(const char *type, size_t n) {
        return begins(type, n, "pc-") || (n == 2 && !strncmp(type, "pc", n)) || (n == 3 && !strncmp(type, "q35", n));
}

bool qemu_machine_is_pc(size_t n_argv, char *const *argv) {
        bool found = true; /* the default is pc */
        struct qemu_words words;
        size_t i = 0;

        qemu_words_init(&words, n_argv, argv);
        if (words.is_vmpower_vmm)
                return true;
        while (i < n_argv && !is_x86_qemu(argv[i]))
                i++;
        if (i == n_argv)
                return false;
        for (i++; i + 1 < n_argv; i++) {
                const char *option = argv[i] + (!strncmp(argv[i], "--", 2) ? 1 : 0), *type;
                size_t n = 0;

                if (strcmp(option, "-M") && strcmp(option, "-machine"))
                        continue;
                type = type_of(argv[++i], &n);
                if (type)
                        found = is_pc(type, n);
        }
        return found;
}
