/*
 * Sandbox: what is left to this process once its guest runs: no capabilities, no program, no socket that it has not got, no file but to read.
 *
 * Knows which of Linux's system calls the threads of a VM need, with which arguments; any other ends the process (SIGSYS).  Does not know what for.
 */
#pragma once

#include <stddef.h>

enum { SANDBOX_WHY_MAX = 160 };

/*
 * From here on this process, and every thread that it begins from here on:
 *
 *   gains no rights by any program, and has no capability;
 *   by Landlock, reads no file but those below /proc, and takes away what is in the directories of `removable` alone, which are the paths of the
 *   sockets that it takes away at its end (NULL: none).  Where the kernel has no Landlock, it does neither;
 *   makes the system calls that are on a list.
 *
 * What is open stays open.  There must be one thread yet, and a thread must give itself its name, for another's is a file that is written.
 *
 * 0, or -errno, and what failed.
 */
int sandbox_enter(const char *const *removable, size_t n_removable, char ret_why[static SANDBOX_WHY_MAX]);
