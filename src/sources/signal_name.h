/*
 * Signal name: "SIGTERM" for 15.
 *
 * Knows the names that people use.  Does not know what a signal means for a VM.
 */
#pragma once

enum {
        SIGNAL_NAME_MAX = 16, /* bytes of a name, its NUL included: "SIGRTMIN+30" */
};

/* Any number is taken: what is no signal is "signal 4711", cut at the bound. */
void signal_name(int signal, char ret_name[static SIGNAL_NAME_MAX]);
