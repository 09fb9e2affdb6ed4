/*
 * Store try: whether a history can be kept in a directory.
 */
#pragma once

#include "basics/found.h"

/*
 * Make a database beside the one that is there, in a directory of its own, and take both away again; then read the one that is there, if
 * there is one.  0 or -errno.
 */
int store_try(const char *directory, char ret_found[static FOUND_MAX]);
