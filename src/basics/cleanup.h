/*
 * Cleanup: what a scope owns is given back when the scope is left.
 *
 * Knows the compiler's attribute and the few owners that libc hands out.  Knows nothing else.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The variable's destructor runs when its scope ends; it must accept NULL and half-built things. */
#define cleanup(function) __attribute__((__cleanup__(function)))

/* Give the pointer away: the variable is NULL afterwards, so its cleanup does nothing. */
#define take_pointer(variable)                                                                     \
        ({                                                                                         \
                __typeof__(variable) _taken = (variable);                                          \
                (variable) = NULL;                                                                 \
                _taken;                                                                            \
        })

/* The same for a file descriptor: the variable is -1 afterwards. */
static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

static inline void freep(void *pointer) {
        free(*(void **)pointer);
}

static inline void fclosep(FILE **file) {
        if (*file)
                fclose(*file);
}

static inline void closedirp(DIR **directory) {
        if (*directory)
                closedir(*directory);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

/* Close and forget: for descriptors that live in a struct. */
static inline void close_fd(int *fd) {
        if (*fd >= 0)
                close(take_fd(fd));
}

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
