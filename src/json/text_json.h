/*
 * Text and tristate in JSON: what is not known is null.
 *
 * Knows the few conversions that this folder's files share.  Does not know evidence or verdicts.
 */
#pragma once

#include <jansson.h>

#include <vmpower/judge.h>

/* "" is null; bytes that are no UTF-8 become '?'.  A new reference, or NULL without memory. */
json_t *text_to_json(const char *text);

/* A missing key and null are ""; a string is cut at the bound.  0, or -EINVAL for any other type. */
int text_from_json(const json_t *object, const char *key, char *ret_text, size_t n_ret);

json_t *tristate_to_json(enum tristate value);

/* A missing key and null are TRISTATE_NULL.  0, or -EINVAL for any other type. */
int tristate_from_json(const json_t *object, const char *key, enum tristate *ret_value);

/* A missing key and null are `otherwise`.  0, or -EINVAL for any other type and outside minimum … maximum. */
int integer_from_json(const json_t *object, const char *key, int64_t minimum, int64_t maximum, int64_t otherwise,
                      int64_t *ret_value);

/* JSON's integers are signed here; what is larger is told as the largest. */
json_t *unsigned_to_json(uint64_t value);
