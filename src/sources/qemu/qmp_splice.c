#include "sources/qemu/qmp_splice.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end) {
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
                at++;
        return at;
}

static const char *skip_string(const char *at, const char *end) {
        for (at++; at < end && *at != '"'; at++)
                if (*at == '\\')
                        at++;
        return at < end ? at + 1 : end;
}

/* The end of the value that begins here: the comma or bracket that follows it, or white space before that. */
static const char *skip_value(const char *at, const char *end) {
        size_t depth = 0;

        do {
                if (*at == '"') {
                        at = skip_string(at, end);
                        continue;
                }
                if (*at == '{' || *at == '[')
                        depth++;
                else if (*at == '}' || *at == ']')
                        depth--;
                at++;
        } while (at < end && (depth || !strchr(",} \t\r\n", *at)));
        return at;
}

/* A key may be written in escapes, and is the same key to whoever reads it. */
static bool is_id(const char *at, size_t n) {
        json_t *key;
        bool is;

        if (n == 4 && !memcmp(at, "\"id\"", 4))
                return true;
        if (!memchr(at, '\\', n))
                return false;
        key = json_loadb(at, n, JSON_DECODE_ANY, NULL);
        is = key && json_string_length(key) == 2 && !strcmp(json_string_value(key), "id");
        json_decref(key);
        return is;
}

/* Finds the member: from its key to the end of its value; NULL: none. */
static struct qmp_span find(const char *text, size_t n_text, struct qmp_span *ret_value) {
        const char *end = text + n_text;
        const char *at = skip_space(text, end) + 1;

        *ret_value = (struct qmp_span){ 0 };
        for (at = skip_space(at, end); at < end && *at == '"'; at = skip_space(at + 1, end)) {
                const char *key = at, *value, *value_end;

                at = skip_string(at, end);
                value = skip_space(skip_space(at, end) + 1, end);
                if (value >= end)
                        break;
                value_end = skip_value(value, end);
                if (is_id(key, (size_t)(at - key))) {
                        *ret_value = (struct qmp_span){ value, (size_t)(value_end - value) };
                        return (struct qmp_span){ key, (size_t)(value_end - key) };
                }
                at = skip_space(value_end, end);
                if (at >= end || *at != ',')
                        break;
        }
        return (struct qmp_span){ 0 };
}

struct qmp_span qmp_splice_find_id(const char *text, size_t n_text) {
        struct qmp_span value;

        find(text, n_text, &value);
        return value;
}

static char *put(char *out, const char *from, const char *to) {
        memcpy(out, from, (size_t)(to - from));
        return out + (to - from);
}

int qmp_splice_id(char **ret_text, size_t *ret_length, const char *text, size_t n_text, struct qmp_span id) {
        const char *end = text + n_text, *first;
        struct qmp_span value, member = find(text, n_text, &value);
        static const char key[] = "\"id\": ", comma[] = ", ";
        char *spliced = malloc(n_text + id.n + sizeof("\"id\": , \r\n")), *out = spliced;

        if (!spliced)
                return -ENOMEM;
        if (member.at && id.at) {
                out = put(out, text, value.at);
                out = put(out, id.at, id.at + id.n);
                out = put(out, value.at + value.n, end);
        } else if (member.at) {
                /* One comma goes with it: the one behind it, or, where it was the last member, the one before. */
                const char *before = member.at, *behind = skip_space(member.at + member.n, end);

                if (behind < end && *behind == ',') {
                        behind = skip_space(behind + 1, end);
                } else {
                        while (before > text + 1 && (before[-1] == ' ' || before[-1] == '\t' || before[-1] == '\r' || before[-1] == '\n'))
                                before--;
                        if (before > text + 1 && before[-1] == ',')
                                before--;
                }
                out = put(out, text, before);
                out = put(out, behind, end);
        } else if (id.at) {
                first = skip_space(text, end) + 1;
                out = put(out, text, first);
                out = put(out, key, key + strlen(key));
                out = put(out, id.at, id.at + id.n);
                if (*skip_space(first, end) != '}')
                        out = put(out, comma, comma + strlen(comma));
                out = put(out, first, end);
        } else {
                out = put(out, text, end);
        }
        *out++ = '\r';
        *out++ = '\n';
        *out = '\0';
        *ret_length = (size_t)(out - spliced);
        *ret_text = spliced;
        return 0;
}
