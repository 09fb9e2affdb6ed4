/*
 * Verdict file: the last verdict, as JSON, in a file that is always whole.
 *
 * Knows how to replace a file so that a reader sees the old one or the new one, never half of it.
 */
#pragma once

#include <jansson.h>

/* Can it be written there?  0 or -errno.  A plain file that is there is removed: it tells of something else. */
int verdict_file_check(const char *path);

/*
 * Replace it.  What is no plain file (a link, a FIFO, a terminal, /dev/stdout) stays what it is and is written to.  0 or -errno; a
 * plain file stays as it was then.
 */
int verdict_file_write(const char *path, const json_t *verdict);
