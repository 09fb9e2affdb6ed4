#include "sources/command_line.h"
#include "basics/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char mask[] = "***";
static const char blanks[] = " \t\r\n";
static const char separators[] = "-_."; /* of a key's parts */
static const char cut[] = "...";

/* Text that grows up to its bound and then only remembers that it was too short. */
struct text {
        char *bytes;
        size_t n;
        size_t n_allocated;
        bool is_cut;
        bool is_failed;
};

static void put(void *userdata, const char *bytes, size_t n) {
        struct text *text = userdata;
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

static bool is_key_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
}

static bool is_named(const char *key, size_t n_key, const char *name) {
        return n_key == strlen(name) && !strncasecmp(key, name, n_key);
}

/* The key's last part: "pass" of "file.pass", "--db-pass", "MYSQL_PASS". */
static size_t last_part(const char *key, size_t n_key) {
        size_t n = 0;

        while (n < n_key && !strchr(separators, key[n_key - n - 1]))
                n++;
        return n;
}

static bool ends_in(const char *key, size_t n_key, const char *name) {
        size_t n = strlen(name);

        return n_key >= n && is_named(key + n_key - n, n, name);
}

/* "password-secret=ID" and its like name one of QEMU's secret objects. */
static bool names_a_secret(const char *key, size_t n_key) {
        static const char *const names[] = { "password-secret", "username-secret", "key-secret", "cookie-secret", "old-secret", "new-secret" };

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (ends_in(key, n_key, names[i]))
                        return true;
        return false;
}

/* Is this the key of a secret?  "--db-password", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"; "password-file" says where one is. */
static bool is_secret_key(const char *key, size_t n_key) {
        static const char *const names[] = { "secret", "password", "passwd", "pwd", "passphrase", "token", "apikey", "api-key", "api_key" };
        static const char *const last_names[] = { "pass", "cookie" };
        static const char *const places[] = { "file", "path", "id", "name" };
        size_t n_last = last_part(key, n_key);

        if (names_a_secret(key, n_key))
                return false;
        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (ends_in(key, n_key, names[i]))
                        return true;
        for (size_t i = 0; i < N_ELEMENTS(last_names); i++)
                if (is_named(key + n_key - n_last, n_last, last_names[i]))
                        return true;
        for (size_t i = 0; i < N_ELEMENTS(places); i++)
                if (is_named(key + n_key - n_last, n_last, places[i]))
                        return false;
        for (size_t at = 0, n; at < n_key; at += n + 1) {
                for (n = 0; at + n < n_key && !strchr(separators, key[at + n]);)
                        n++;
                for (size_t i = 0; i < N_ELEMENTS(names); i++)
                        if (is_named(key + at, n, names[i]))
                                return true;
        }
        return false;
}

static size_t key_length(const char *text) {
        size_t n = 0;

        while (is_key_character(text[n]))
                n++;
        return n;
}

/* Is what follows this option, after a blank or as the next word, a secret?  "--password", "-passphrase". */
static bool is_secret_option(const char *key, size_t n_key) {
        return n_key && key[0] == '-' && is_secret_key(key, n_key);
}

static bool is_option(const char *word, const char *name) {
        word += word[0] == '-' && word[1] == '-';
        return word[0] == '-' && !strcmp(word + 1, name);
}

/* Where a value ends: at its closing quote, at a comma that is not doubled, at the word's end. */
static size_t value_length(const char *value) {
        size_t n = 0;

        if (value[0] == '"' || value[0] == '\'') {
                for (n = 1; value[n] && value[n] != value[0]; n++)
                        if (value[0] == '"' && value[n] == '\\' && value[n + 1])
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

enum mask_mode {
        MASK_WORD,
        MASK_OBJECT, /* QEMU's, whose `data` may be a secret's */
        MASK_PROSE,
};

/* From the end of a key to its value: past "=", ":", JSON's "\" : "; 0 where none follows. */
static size_t to_value(const char *after, bool is_json, enum mask_mode mode) {
        const char *at = after;

        if (is_json && *at == '"') {
                at += 1 + strspn(at + 1, blanks);
                if (*at != ':')
                        return 0;
                at++;
                return (size_t)(at - after) + strspn(at, blanks);
        }
        if (*at == '=')
                return 1;
        if (*at != ':' || !strncmp(at, "://", 3))
                return 0;
        /* "X-Auth-Token: abc"; in prose "password: it is too short". */
        at += 1 + (mode == MASK_PROSE ? 0 : strspn(at + 1, blanks));
        return *at && !strchr(blanks, *at) ? (size_t)(at - after) : 0;
}

/* Is a secret's key at that place, and its value after it?  `has_data`: "data" is such a key. */
static bool find_secret(const char *word, size_t i, size_t n_key, bool has_data, enum mask_mode mode, size_t *ret_n_between, size_t *ret_n_value) {
        const char *key = word + i, *value;
        char before = i ? word[i - 1] : ' ';

        *ret_n_between = to_value(key + n_key, before == '"', mode);
        if (*ret_n_between) {
                if (!is_secret_key(key, n_key) && !(has_data && is_named(key, n_key, "data")) && !(before == ':' && is_named(key, n_key, "key")))
                        return false;
                /* Only what is passed over is looked through: a word is, once. */
                *ret_n_value = value_length(key + n_key + *ret_n_between);
                return true;
        }
        /* A command line that is itself a word: sh -c "mysql --password ..." */
        if ((!strchr(blanks, before) && before != '"' && before != '\'') || !is_secret_option(key, n_key))
                return false;
        *ret_n_between = strspn(key + n_key, blanks);
        value = key + n_key + *ret_n_between;
        *ret_n_value = *value == '"' || *value == '\'' ? value_length(value) : strcspn(value, blanks);
        return *ret_n_between && *ret_n_value;
}

/* One word with its secrets masked.  Returns its length; it is not terminated. */
static size_t mask_word(char *ret_word, const char *word, enum mask_mode mode) {
        bool has_data = mode != MASK_WORD || !strncasecmp(word, "data=", 5);
        char *to = ret_word;

        for (size_t i = 0; word[i];) {
                size_t n_key = key_length(word + i), n_between, n_value, password, end;

                if (!strncmp(word + i, "://", 3) && find_userinfo(word + i + 3, &password, &end)) {
                        memcpy(to, word + i, 3 + password);
                        to = stpcpy(to + 3 + password, mask);
                        i += 3 + end;
                } else if (!n_key) {
                        *to++ = word[i++];
                } else {
                        bool is_secret = find_secret(word, i, n_key, has_data, mode, &n_between, &n_value);
                        size_t n = n_key + (is_secret ? n_between : 0);

                        has_data = has_data || is_named(word + i, n_key, "secret");
                        memcpy(to, word + i, n);
                        to += n;
                        i += n;
                        if (!is_secret)
                                continue;
                        if (word[i] == '"' || word[i] == '\'')
                                *to++ = word[i];
                        to = stpcpy(to, mask);
                        i += n_value;
                }
        }
        return (size_t)(to - ret_word);
}

int command_line_format(char **ret_text, size_t n_argv, char *const *argv) {
        struct text text = { 0 };
        const char *before = "";
        char *fitting;

        put(&text, "", 0);
        for (size_t i = 0; i < n_argv && !text.is_cut && !text.is_failed; i++) {
                const char *word = argv[i];

                if (i)
                        put(&text, " ", 1);
                if (is_secret_option(before, strlen(before)) && key_length(before) == strlen(before)) {
                        text_quote(mask, strlen(mask), put, &text);
                } else if (is_option(before, "fw_cfg") || is_option(before, "smbios")) {
                        text_quote(word, strlen(word), put, &text);
                } else {
                        /* Before each mask at least four bytes were passed on: "pwd=", "://:". */
                        char *masked = malloc(2 * strlen(word) + sizeof(mask));

                        if (!masked) {
                                text.is_failed = true;
                                break;
                        }
                        text_quote(masked, mask_word(masked, word, is_option(before, "object") ? MASK_OBJECT : MASK_WORD), put, &text);
                        free(masked);
                }
                before = word;
        }
        if (text.is_failed) {
                free(text.bytes);
                return -ENOMEM;
        }
        memcpy(text.bytes + text.n, text.is_cut ? cut : "", text.is_cut ? sizeof(cut) : 1);

        /* It is kept as long as its VM, and one of libvirt's is some thousand bytes. */
        fitting = realloc(text.bytes, strlen(text.bytes) + 1);
        *ret_text = fitting ? fitting : text.bytes;
        return 0;
}

void command_line_mask(char *ret_text, const char *text) {
        ret_text[mask_word(ret_text, text, MASK_PROSE)] = '\0';
}

int command_line_join(char ***ret_words, size_t n_argv, char *const *argv, char *const *more) {
        size_t n_more = 0;

        while (more[n_more])
                n_more++;
        *ret_words = calloc(n_argv + n_more + 1, sizeof(**ret_words));
        if (!*ret_words)
                return -ENOMEM;
        memcpy(*ret_words, argv, n_argv * sizeof(**ret_words));
        memcpy(*ret_words + n_argv, more, n_more * sizeof(**ret_words));
        return 0;
}
