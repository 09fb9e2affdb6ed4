/*
 * Socket try: whether it is seen from outside who is connected to a unix socket.
 */
#pragma once

#include "basics/found.h"

/*
 * Make one in that directory, connect to it, and look.  Nothing of it is left.  0; -ENODATA: it was made, and who is connected is not
 * seen; -errno.
 */
int socket_try(const char *directory, char ret_found[static FOUND_MAX]);
