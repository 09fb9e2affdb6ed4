#include "sources/wire/wire_lines.h"

#include "sources/wire/wire_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void wire_lines_deinit(struct wire_lines *lines) {
        free(lines->held);
        *lines = (struct wire_lines){ 0 };
}

static int hold(struct wire_lines *lines, const char *bytes, size_t n_bytes) {
        char *grown;

        if (n_bytes > WIRE_LINE_MAX - lines->n_held)
                return -EMSGSIZE;
        grown = realloc(lines->held, lines->n_held + n_bytes);
        if (!grown)
                return -ENOMEM;
        memcpy(grown + lines->n_held, bytes, n_bytes);
        lines->held = grown;
        lines->n_held += n_bytes;
        return 0;
}

static int give(const char *line, size_t n_line, int (*each)(void *userdata, const char *line, size_t n_line), void *userdata) {
        if (n_line > WIRE_LINE_MAX)
                return -EMSGSIZE;
        return n_line > 1 ? each(userdata, line, n_line) : 0;
}

int wire_lines_take(struct wire_lines *lines, const char *bytes, size_t n_bytes,
                    int (*each)(void *userdata, const char *line, size_t n_line), void *userdata) {
        int r = 0;

        while (!r && n_bytes) {
                const char *end = memchr(bytes, '\n', n_bytes);
                size_t n = end ? (size_t)(end - bytes) + 1 : n_bytes;

                if (lines->n_held || !end)
                        r = hold(lines, bytes, n);
                if (!r && end && lines->n_held) {
                        struct wire_lines whole = *lines;

                        *lines = (struct wire_lines){ 0 };
                        r = give(whole.held, whole.n_held, each, userdata);
                        wire_lines_deinit(&whole);
                } else if (!r && end) {
                        r = give(bytes, n, each, userdata);
                }
                bytes += n;
                n_bytes -= n;
        }
        return r;
}
