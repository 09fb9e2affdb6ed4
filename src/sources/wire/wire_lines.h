/*
 * Wire lines: bytes as they come, cut into lines.
 *
 * Bounded; holds memory only while a line is not whole.  Pure.
 */
#pragma once

#include <stddef.h>

struct wire_lines {
        char *held; /* the beginning of a line; owned */
        size_t n_held;
};

void wire_lines_deinit(struct wire_lines *lines);

/*
 * Take bytes, and hand out each line that is whole with its end, in order; empty ones are passed over.  `each` returns 0 to go on.  0; -EMSGSIZE: a line is longer than
 * WIRE_LINE_MAX; -ENOMEM; or what `each` returned.
 */
int wire_lines_take(struct wire_lines *lines, const char *bytes, size_t n_bytes,
                    int (*each)(void *userdata, const char *line, size_t n_line), void *userdata);
