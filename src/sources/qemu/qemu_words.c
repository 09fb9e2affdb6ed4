#include "sources/qemu/qemu_words.h"
#include "basics/cleanup.h"

#include <string.h>

/*
 * The options that take no argument; all others take the next word, whatever it looks like.  QEMU 7.2 was asked
 * about every option of its own; those that only older and newer versions have are as in qemu-options.hx.
 */
static const char *const lone_options[] = {
        "S",
        "alt-grab",
        "async-teardown",
        "audio-help",
        "ctrl-grab",
        "curses",
        "daemonize",
        "enable-fips",
        "enable-hax",
        "enable-kvm",
        "enable-sync-profile",
        "full-screen",
        "h",
        "help",
        "jitdump",
        "localtime",
        "mem-prealloc",
        "no-acpi",
        "no-fd-bootchk",
        "no-frame",
        "no-hpet",
        "no-kvm",
        "no-kvm-irqchip",
        "no-kvm-pit",
        "no-kvm-pit-reinjection",
        "no-quit",
        "no-reboot",
        "no-shutdown",
        "no-user-config",
        "nodefaults",
        "nodefconfig",
        "nographic",
        "old-param",
        "only-migratable",
        "perfmap",
        "portrait",
        "preconfig",
        "rtc-td-hack",
        "s",
        "sdl",
        "semihosting",
        "show-cursor",
        "singlestep",
        "snapshot",
        "tdf",
        "usb",
        "version",
        "virtfs_synth",
        "win2k-hack",
        "xen-attach",
        "xen-create",
        "xen-domid-restrict",
};

/* And of vmpower-vmm. */
static const char *const lone_options_of_vmpower_vmm[] = { "h", "help", "paused", "version" };

bool qemu_word_is_one_of(const char *word, const char *const *words, size_t n_words) {
        for (size_t i = 0; i < n_words; i++)
                if (!strcmp(words[i], word))
                        return true;
        return false;
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

bool qemu_words_is_vmpower_vmm(const char *path) {
        return !strcmp(base_name(path), "vmpower-vmm");
}

bool qemu_words_is_program(const char *path) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
        static const char prefix[] = "qemu-system-";
        const char *name = base_name(path);

        if (!strcmp(name, "qemu-kvm") || !strcmp(name, "kvm"))
                return true;
        if (strncmp(name, prefix, strlen(prefix)))
                return false;
        name += strlen(prefix);
        return *name && !name[strspn(name, letters)];
}

void qemu_words_init(struct qemu_words *words, size_t n_argv, char *const *argv) {
        size_t program = 0;

        while (program < n_argv && !qemu_words_is_program(argv[program]) && !qemu_words_is_vmpower_vmm(argv[program]))
                program++;
        if (program == n_argv)
                program = 0;
        *words = (struct qemu_words){
                .n_argv = n_argv,
                .argv = argv,
                .next = program + 1,
                .is_vmpower_vmm = program < n_argv && qemu_words_is_vmpower_vmm(argv[program]),
        };
}

static bool takes_argument(const char *option) {
        return !qemu_word_is_one_of(option, lone_options, N_ELEMENTS(lone_options));
}

/* As getopt_long() does: "--option argument", or "--option=argument".  An option that was cut short is not known again. */
static bool next_of_vmpower_vmm(struct qemu_words *words, const char **ret_option, const char **ret_argument) {
        while (words->next < words->n_argv) {
                const char *word = words->argv[words->next++];
                size_t n_dashes = strspn(word, "-"), n;

                if (!n_dashes)
                        continue;
                word += n_dashes;
                n = strcspn(word, "=");
                if (n >= sizeof(words->option))
                        continue;
                memcpy(words->option, word, n);
                words->option[n] = '\0';
                *ret_option = words->option;
                *ret_argument = word[n] ? word + n + 1 : NULL;
                if (!*ret_argument && words->next < words->n_argv &&
                    !qemu_word_is_one_of(words->option, lone_options_of_vmpower_vmm, N_ELEMENTS(lone_options_of_vmpower_vmm)))
                        *ret_argument = words->argv[words->next++];
                return true;
        }
        return false;
}

bool qemu_words_next(struct qemu_words *words, const char **ret_option, const char **ret_argument) {
        if (words->is_vmpower_vmm)
                return next_of_vmpower_vmm(words, ret_option, ret_argument);
        while (words->next < words->n_argv) {
                char *word = words->argv[words->next++];

                if (word[0] != '-')
                        continue; /* a disk image */
                *ret_option = word + (word[1] == '-' ? 2 : 1);
                *ret_argument = NULL;
                if (takes_argument(*ret_option) && words->next < words->n_argv)
                        *ret_argument = words->argv[words->next++];
                return true;
        }
        return false;
}

static void copy_whole(char *ret_text, size_t n_ret, const char *text, size_t n_text) {
        if (n_text >= n_ret)
                n_text = 0;
        memcpy(ret_text, text, n_text);
        ret_text[n_text] = '\0';
}

/* util/qemu-option.c: get_opt_name_value(). */
bool qemu_member_next(struct qemu_member *ret_member, const char **members, const char *implied) {
        const char *p = *members;
        size_t n_key = strcspn(p, "=,");
        size_t n = 0;

        if (!*p)
                return false;
        if (p[n_key] == '=') {
                copy_whole(ret_member->key, sizeof(ret_member->key), p, n_key);
                p += n_key + 1;
        } else if (implied) {
                copy_whole(ret_member->key, sizeof(ret_member->key), implied, strlen(implied));
        } else {
                bool is_off = n_key >= 2 && !strncmp(p, "no", 2);

                copy_whole(ret_member->key, sizeof(ret_member->key), p + 2 * is_off, n_key - 2 * is_off);
                strcpy(ret_member->value, is_off ? "off" : "on");
                *members = p + n_key + (p[n_key] == ',');
                return true;
        }

        for (; *p; p++) {
                if (*p == ',' && *++p != ',')
                        break;
                if (n < sizeof(ret_member->value))
                        ret_member->value[n] = *p;
                n++;
        }
        ret_member->value[n < sizeof(ret_member->value) ? n : 0] = '\0';
        *members = p;
        return true;
}

bool qemu_member_is_true(const struct qemu_member *member) {
        static const char *const words[] = { "on", "yes", "true", "y" };

        for (size_t i = 0; i < N_ELEMENTS(words); i++)
                if (!strcmp(member->value, words[i]))
                        return true;
        return false;
}
