/*
 * Command line: a program's words as one text that can be read, stored and pasted into a shell.
 *
 * Knows how to quote, and which values are secrets and must not be kept.  Does not know what the options
 * mean.  Pure.
 */
#pragma once

#include <stddef.h>

enum {
        COMMAND_LINE_MAX = 64 * 1024, /* bytes of the text, its NUL included; longer ones end in "..." */
};

/*
 * The words, quoted for a shell, separated by blanks, allocated.  0 or -ENOMEM.
 *
 * Masked as ***: what follows the key of a secret (password, passwd, pwd, pass, passphrase, secret, token, api-key, cookie; also db-password,
 * PGPASSWORD, AWS_SECRET_ACCESS_KEY) after "=", after ":", in JSON, or as the next word after --password and the like, also inside of a word
 * (sh -c '...'); data= in QEMU's `-object secret`, a Ceph key, and what stands for the password in scheme://user:password@host.
 * password-secret= and key-secret= are names, password-file= says where, and they stay; so does what -fw_cfg and -smbios hand to the guest.  In
 * doubt more is masked, up to the word's end.
 */
int command_line_format(char **ret_text, size_t n_argv, char *const *argv);

/*
 * A program's own words about its command line, an error message, with the same values masked; in doubt to the line's end.
 * ret_text holds 2 * strlen(text) + 4 bytes.
 */
void command_line_mask(char *ret_text, const char *text);

/* The words and then `more`, NULL-terminated as those are; the strings stay whose they are.  0 or -ENOMEM. */
int command_line_join(char ***ret_words, size_t n_argv, char *const *argv, char *const *more);
