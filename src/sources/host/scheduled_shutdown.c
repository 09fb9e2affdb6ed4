#include "sources/host/scheduled_shutdown.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The value of the line `key=value`. */
static bool is_key(const char *line, size_t n_line, const char *key, const char **ret_value, size_t *ret_n) {
        size_t n = strlen(key);

        if (n_line <= n || memcmp(line, key, n) || line[n] != '=')
                return false;
        *ret_value = line + n + 1;
        *ret_n = n_line - n - 1;
        return true;
}

/* Digits and nothing else. */
static int number_parse(uint64_t *ret, const char *value, size_t n) {
        uint64_t number = 0;

        if (!n || n > 18) /* what fits into 64 bits for sure, and is far away enough */
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (value[i] < '0' || value[i] > '9')
                        return -EINVAL;
                number = number * 10 + (uint64_t)(value[i] - '0');
        }
        *ret = number;
        return 0;
}

/* A word of the kind that systemd uses: lower case, digits and dashes. */
static bool is_mode(const char *value, size_t n) {
        if (!n || n >= SCHEDULED_MODE_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!((value[i] >= 'a' && value[i] <= 'z') || (value[i] >= '0' && value[i] <= '9') || value[i] == '-'))
                        return false;
        return true;
}

int scheduled_shutdown_parse(struct scheduled_shutdown *ret, const char *text, size_t n_text) {
        struct scheduled_shutdown found = { .uid = -1 };
        const char *end = text + n_text;
        bool has_time = false;

        for (const char *line = text; line < end;) {
                const char *next = memchr(line, '\n', (size_t)(end - line)), *value;
                size_t n_line = (size_t)((next ? next : end) - line), n;
                uint64_t number;

                if (is_key(line, n_line, "USEC", &value, &n)) {
                        if (number_parse(&found.at_usec, value, n))
                                return -EINVAL;
                        has_time = true;
                } else if (is_key(line, n_line, "UID", &value, &n)) {
                        /* (uid_t)-1 is nobody's. */
                        if (number_parse(&number, value, n) || number >= UINT32_MAX)
                                return -EINVAL;
                        found.uid = (int64_t)number;
                } else if (is_key(line, n_line, "MODE", &value, &n)) {
                        if (!is_mode(value, n))
                                return -EINVAL;
                        memcpy(found.mode, value, n);
                        found.mode[n] = '\0';
                } else if (is_key(line, n_line, "WALL_MESSAGE", &value, &n)) {
                        /* Whoever asked wrote it, and it ends the file: nothing after it counts. */
                        break;
                }
                line += n_line + 1;
        }
        if (!has_time)
                return -EINVAL;
        *ret = found;
        return 0;
}
