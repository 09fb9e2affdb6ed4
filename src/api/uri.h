/*
 * URI: the percent-encoding of a path's segments and a query's values (RFC 3986, section 2.1).
 *
 * Pure; hostile input.  Does not know paths.
 */
#pragma once

#include <stddef.h>

/*
 * Decode n bytes into ret_text (n_ret bytes, always terminated).  -EINVAL: a bad escape, a NUL, or no UTF-8; -ENAMETOOLONG.
 */
int uri_decode(const char *text, size_t n, char *ret_text, size_t n_ret);
