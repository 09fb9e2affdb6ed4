/*
 * Found: what a try has found, in one line.
 *
 * A try does what its module does, once, on something of its own, and says whether that works here and now: 0, or -errno.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

enum { FOUND_MAX = 320 }; /* bytes of that line, its NUL included */

/* Say it; returns `r`. */
static inline int __attribute__((format(printf, 3, 4))) found_say(char ret_found[static FOUND_MAX], int r, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(ret_found, FOUND_MAX, format, arguments);
        va_end(arguments);
        return r;
}
