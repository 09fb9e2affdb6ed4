/*
 * Text: bounded strings from hostile mouths.
 *
 * Knows how to copy bytes so that what is kept is short, printable UTF-8.  Does not know what the bytes say.
 */
#pragma once

#include <stddef.h>

/*
 * Copy n_text bytes (or up to a NUL) into ret_text, which holds n_ret bytes (1 or more): cut at the bound without
 * splitting a character, control characters and what is no UTF-8 replaced by '?', always terminated.
 */
void text_copy(char *ret_text, size_t n_ret, const char *text, size_t n_text);

/* The same for a C string; NULL copies as "". */
void text_set(char *ret_text, size_t n_ret, const char *text);
