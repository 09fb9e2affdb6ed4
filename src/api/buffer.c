#include "api/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_deinit(struct buffer *buffer) {
        free(buffer->text);
        *buffer = (struct buffer){};
}

static bool buffer_reserve(struct buffer *buffer, size_t n) {
        size_t n_wanted = buffer->n_max ? buffer->n_max : 512;
        char *grown;

        if (buffer->has_failed)
                return false;
        while (n_wanted - buffer->n < n)
                n_wanted *= 2;
        if (n_wanted == buffer->n_max)
                return true;
        grown = realloc(buffer->text, n_wanted);
        if (!grown) {
                buffer->has_failed = true;
                return false;
        }
        buffer->text = grown;
        buffer->n_max = n_wanted;
        return true;
}

void buffer_add(struct buffer *buffer, const char *text, size_t n) {
        if (!n || !buffer_reserve(buffer, n))
                return;
        memcpy(buffer->text + buffer->n, text, n);
        buffer->n += n;
}

void buffer_print(struct buffer *buffer, const char *format, ...) {
        va_list arguments;
        char *text;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0) {
                buffer->has_failed = true;
                return;
        }
        buffer_add(buffer, text, (size_t)n);
        free(text);
}

static int add_piece(const char *text, size_t n, void *userdata) {
        buffer_add(userdata, text, n);
        return 0;
}

void buffer_add_json(struct buffer *buffer, const json_t *json) {
        if (json_dump_callback(json, add_piece, buffer, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY))
                buffer->has_failed = true;
}

void buffer_consume(struct buffer *buffer, size_t n) {
        buffer->n -= n;
        if (buffer->n)
                memmove(buffer->text, buffer->text + n, buffer->n);
        else
                buffer_deinit(buffer);
}
