/*
 * Buffer: text that grows, for answers and streams.
 *
 * Remembers that memory ran out, so that it is asked for once, at the end.  Does not know what the text says.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
        char *text; /* owned; not terminated */
        size_t n, n_max;
        bool has_failed;
};

void buffer_deinit(struct buffer *buffer);
void buffer_add(struct buffer *buffer, const char *text, size_t n);
void buffer_print(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* On one line. */
void buffer_add_json(struct buffer *buffer, const json_t *json);

/* Take the first n bytes away. */
void buffer_consume(struct buffer *buffer, size_t n);
