/*
 * Splice: one QMP message's id exchanged for another, in its bytes.
 *
 * All else stays as it was said: numbers that do not fit 64 bits, the order of members, escapes.  Pure.
 */
#pragma once

#include <stddef.h>

/* A piece of somebody's text; NULL: none. */
struct qmp_span {
        const char *at;
        size_t n;
};

/* The value of the member `id` of a message, an object of valid JSON; NULL: it has none. */
struct qmp_span qmp_splice_find_id(const char *text, size_t n_text);

/*
 * The message with that id, or without (NULL), and \r\n behind it: allocated, terminated; ret_length does not count the NUL.
 * 0 or -ENOMEM.
 */
int qmp_splice_id(char **ret_text, size_t *ret_length, const char *text, size_t n_text, struct qmp_span id);
