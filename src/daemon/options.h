/*
 * Options: vmpowerd's command line and its configuration file, as one configuration.
 *
 * Knows where the file is, and that the command line outranks it.  Speaks on standard output and standard error.
 */
#pragma once

#include "daemon/configuration.h"

enum {
        OPTIONS_END = 1,
};

/*
 * 0: go on with ret_configuration, which is to be given back.  OPTIONS_END: all was said that is to say (help, or what is wrong), and
 * *ret_status is what to exit with.
 */
int options_take(struct configuration *ret_configuration, int argc, char **argv, int *ret_status);
