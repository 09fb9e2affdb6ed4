#include "sources/command_line.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char mask[] = "***";
static const char cut[] = "...";

/* Text that grows up to its bound and then only remembers that it was too short. */
struct text {
        char *bytes;
        size_t n;
        size_t n_allocated;
        bool is_cut;
        bool is_failed;
};

static void put(struct text *text, const char *bytes, size_t n) {
        size_t left = COMMAND_LINE_MAX - sizeof(cut) - text->n;

        if (text->is_cut || text->is_failed)
                return;
        if (n > left) {
                n = left;
                text->is_cut = true;
        }
        if (text->n + n + sizeof(cut) > text->n_allocated) {
                size_t n_allocated = 2 * (text->n + n + sizeof(cut));
                char *grown = realloc(text->bytes, n_allocated);

                if (!grown) {
                        text->is_failed = true;
                        return;
                }
                text->bytes = grown;
                text->n_allocated = n_allocated;
        }
        memcpy(text->bytes + text->n, bytes, n);
        text->n += n;
}

static bool is_safe(const char *word, size_t n) {
        static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

        for (size_t i = 0; i < n; i++)
                if (!word[i] || !strchr(safe, word[i]))
                        return false;
        return n;
}

static void put_quoted(struct text *text, const char *word, size_t n) {
        if (is_safe(word, n)) {
                put(text, word, n);
                return;
        }
        put(text, "'", 1);
        for (size_t i = 0; i < n;) {
                const char *quote = memchr(word + i, '\'', n - i);
                size_t n_plain = quote ? (size_t)(quote - word) - i : n - i;

                put(text, word + i, n_plain);
                i += n_plain;
                if (quote) {
                        put(text, "'\\''", 4);
                        i++;
                }
        }
        put(text, "'", 1);
}

static bool is_key_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
}

static bool is_named(const char *key, size_t n_key, const char *name) {
        return n_key == strlen(name) && !strncasecmp(key, name, n_key);
}

/* The key's last part: "password" of "file.password", "--db-password", "MYSQL_PASSWORD". */
static size_t last_part(const char *key, size_t n_key, const char *separators) {
        size_t n = 0;

        while (n < n_key && !strchr(separators, key[n_key - n - 1]))
                n++;
        return n;
}

/* Is this the key of a secret?  "password-secret" is the name of one. */
static bool is_secret_key(const char *key, size_t n_key) {
        static const char *const names[] = { "password", "passwd", "passphrase", "pass", "token", "cookie" };
        size_t n = last_part(key, n_key, "-_.");

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (is_named(key + n_key - n, n, names[i]))
                        return true;
        n = last_part(key, n_key, "_.");
        return is_named(key + n_key - n, n, "secret");
}

/* Does the next word belong to this one, and is it a secret?  "--password", "-passphrase". */
static bool is_secret_option(const char *word) {
        return word[0] == '-' && !strchr(word, '=') && is_secret_key(word, strlen(word));
}

static bool is_option(const char *word, const char *name) {
        word += word[0] == '-' && word[1] == '-';
        return word[0] == '-' && !strcmp(word + 1, name);
}

/* Where a value ends: at its closing quote, at a comma that is not doubled, at the word's end. */
static size_t value_length(const char *value) {
        size_t n = 0;

        if (value[0] == '"') {
                for (n = 1; value[n] && value[n] != '"'; n++)
                        if (value[n] == '\\' && value[n + 1])
                                n++;
                return n;
        }
        for (; value[n]; n++)
                if (value[n] == ',') {
                        if (value[n + 1] != ',')
                                break;
                        n++;
                }
        return n;
}

/* At "://": how much of what follows stands before the password of "user:password@", iSCSI's
 * "user%password@". */
static bool find_userinfo(const char *authority, size_t *ret_password, size_t *ret_end) {
        size_t n = strcspn(authority, "/ \t\n");
        const char *at = memrchr(authority, '@', n);
        size_t n_user;

        if (!at)
                return false;
        n_user = strcspn(authority, ":%");
        if (authority + n_user >= at)
                return false;
        *ret_password = n_user + 1;
        *ret_end = (size_t)(at - authority);
        return true;
}

/* One word with its secrets masked.  Returns its length; it is not terminated. */
static size_t mask_word(char *ret_word, const char *word, bool has_data) {
        char *to = ret_word;

        for (size_t i = 0; word[i];) {
                bool is_rbd = i && word[i - 1] == ':';
                bool is_json = i && word[i - 1] == '"';
                size_t n_key = 0;
                size_t n_equals = 0;
                size_t password, end;

                if (!strncmp(word + i, "://", 3) && find_userinfo(word + i + 3, &password, &end)) {
                        memcpy(to, word + i, 3 + password);
                        to = stpcpy(to + 3 + password, mask);
                        i += 3 + end;
                        continue;
                }
                while (is_key_character(word[i + n_key]))
                        n_key++;
                if (!n_key) {
                        *to++ = word[i++];
                        continue;
                }

                if (is_json && word[i + n_key] == '"') {
                        n_equals = 1 + strspn(word + i + n_key + 1, " \t\r\n");
                        if (word[i + n_key + n_equals] == ':') {
                                n_equals++;
                                n_equals += strspn(word + i + n_key + n_equals, " \t\r\n");
                        } else {
                                n_equals = 0;
                        }
                } else if (word[i + n_key] == '=') {
                        n_equals = 1;
                }
                memcpy(to, word + i, n_key + n_equals);
                to += n_key + n_equals;
                if (n_equals &&
                    (is_secret_key(word + i, n_key) || (has_data && is_named(word + i, n_key, "data")) ||
                     (is_rbd && is_named(word + i, n_key, "key")))) {
                        bool is_quoted = word[i + n_key + n_equals] == '"';

                        if (is_quoted)
                                *to++ = '"';
                        to = stpcpy(to, mask);
                        i += value_length(word + i + n_key + n_equals);
                }
                i += n_key + n_equals;
        }
        return (size_t)(to - ret_word);
}

int command_line_format(char **ret_text, size_t n_argv, char *const *argv) {
        struct text text = { 0 };
        const char *before = "";

        put(&text, "", 0);
        for (size_t i = 0; i < n_argv && !text.is_cut && !text.is_failed; i++) {
                const char *word = argv[i];

                if (i)
                        put(&text, " ", 1);
                if (is_secret_option(before)) {
                        put_quoted(&text, mask, strlen(mask));
                } else if (is_option(before, "fw_cfg") || is_option(before, "smbios")) {
                        put_quoted(&text, word, strlen(word));
                } else {
                        /* Before each mask at least five bytes were passed on: "pass=", "://u:". */
                        char *masked = malloc(2 * strlen(word) + sizeof(mask));

                        if (!masked) {
                                text.is_failed = true;
                                break;
                        }
                        put_quoted(&text, masked, mask_word(masked, word, is_option(before, "object")));
                        free(masked);
                }
                before = word;
        }
        if (text.is_failed) {
                free(text.bytes);
                return -ENOMEM;
        }
        memcpy(text.bytes + text.n, text.is_cut ? cut : "", text.is_cut ? sizeof(cut) : 1);

        *ret_text = text.bytes;
        return 0;
}

void command_line_mask(char *ret_text, const char *text) {
        ret_text[mask_word(ret_text, text, true)] = '\0';
}
