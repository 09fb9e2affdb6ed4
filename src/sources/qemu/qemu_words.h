/*
 * QEMU words: how a QEMU command line is cut into options, and an option's argument into members.
 *
 * Knows QEMU's rules of cutting, and those of vmpower-vmm.  Does not know what an option is for.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
        QEMU_MEMBER_KEY_MAX = 32,
        QEMU_MEMBER_VALUE_MAX = 256,
        QEMU_OPTION_MAX = 32,
};

/* Does this path name a QEMU that runs a whole machine?  "/usr/bin/qemu-system-x86_64", "qemu-kvm", "kvm". */
bool qemu_words_is_program(const char *path);

bool qemu_word_is_one_of(const char *word, const char *const *words, size_t n_words);

/* The monitor of our own. */
bool qemu_words_is_vmpower_vmm(const char *path);

struct qemu_words {
        size_t n_argv;
        char *const *argv;
        size_t next;
        bool is_vmpower_vmm; /* no QEMU's, but vmpower-vmm's */
        char option[QEMU_OPTION_MAX]; /* of vmpower-vmm, the one that was taken last */
};

/* Reading starts behind the first word that names a QEMU, or vmpower-vmm; else behind the first word. */
void qemu_words_init(struct qemu_words *words, size_t n_argv, char *const *argv);

/*
 * Take the next option, without its dashes, and its argument: NULL where it takes none.  Both are borrowed
 * from the command line, and from `words` until the next one is taken.  False: there are no more.
 */
bool qemu_words_next(struct qemu_words *words, const char **ret_option, const char **ret_argument);

struct qemu_member {
        /* Any byte but NUL may be in them.  "" if it does not fit: half a path is another's. */
        char key[QEMU_MEMBER_KEY_MAX];
        char value[QEMU_MEMBER_VALUE_MAX];
};

/*
 * Take the next member off the front of "value,key=value,flag,noflag": a doubled comma is one of the value's,
 * a flag is "on", or "off" if it begins with "no".  `implied` is the key of a member that has none, or NULL
 * where it is a flag: only an argument's first member has such.  False: there are no more.
 */
bool qemu_member_next(struct qemu_member *ret_member, const char **members, const char *implied);

/* "on", "yes", "true", "y": what QEMU takes for true. */
bool qemu_member_is_true(const struct qemu_member *member);
