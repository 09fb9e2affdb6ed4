/*
 * Libexec: where the programs are that vmpower starts by itself.
 */
#pragma once

#include <limits.h>

/* The program: in $VMPOWER_LIBEXEC_DIR, beside this one, or in the directory that it is built for.  0; -ENOENT. */
int libexec_find(char ret_path[static PATH_MAX], const char *program);
