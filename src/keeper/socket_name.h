/*
 * Socket name: a VM's name as the name of a file.
 *
 * Pure.
 */
#pragma once

#include <stddef.h>

/*
 * "NAME.sock": [A-Za-z0-9._-] as they are (a leading dot apart), the rest percent-escaped.  One that would not fit n_ret bytes, NUL
 * included, is cut, with a hash of the whole name behind it.  n_ret is 32 at least.
 */
void socket_name_of_vm(char *ret_name, size_t n_ret, const char *name);
