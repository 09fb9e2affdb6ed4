/*
 * Text: bounded strings from hostile mouths.
 *
 * Knows how to copy bytes so that what is kept is short, printable UTF-8.  Does not know what the bytes say.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copy n_text bytes (or up to a NUL) into ret_text, which holds n_ret bytes (1 or more): cut at the bound without
 * splitting a character, control characters and what is no UTF-8 replaced by '?', always terminated.  True: all of it has found room.
 */
bool text_copy(char *ret_text, size_t n_ret, const char *text, size_t n_text);

/* The same for a C string; NULL copies as "". */
bool text_set(char *ret_text, size_t n_ret, const char *text);

/* The same, but where not all of it finds room the text ends in "..."; n_ret is 4 or more. */
void text_fit(char *ret_text, size_t n_ret, const char *text);

/* What printf's `%-*s`, which counts bytes, must be told for valid UTF-8 to fill so many columns, one for each character. */
int text_field(const char *text, int columns);

/* What a user is called among people: by his name, else "uid 1234"; "" where neither is known (uid -1). */
void text_user(char *ret_text, size_t n_ret, const char *user, int64_t uid);

/* n bytes as one word of a shell's (POSIX, Shell Command Language, 2.2.2), in pieces for `put`: as they are where a shell takes them so, else in single quotes. */
void text_quote(const char *word, size_t n, void (*put)(void *userdata, const char *bytes, size_t n), void *userdata);
