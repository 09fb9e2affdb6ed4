/*
 * Verdict file: the last verdict, as JSON, in a file that is always whole.
 *
 * Knows how to replace a file so that a reader sees the old one or the new one, never half of it.
 */
#pragma once

#include <jansson.h>

/* Can it be written there?  0 or -errno; nothing is changed. */
int verdict_file_check(const char *path);

/* Replace it.  0 or -errno; the old one stays then. */
int verdict_file_write(const char *path, const json_t *verdict);
