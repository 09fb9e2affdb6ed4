/*
 * Descriptors: how near a process is to having as many open as it may.
 *
 * The kernel gives out the lowest number that is free.  So where what lives long never takes one of the last numbers, those are free for what is
 * opened for a moment, however the others came and went.
 */
#pragma once

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
        DESCRIPTORS_LAST_MIN = 64,
        DESCRIPTORS_LAST_MAX = 1024,
};

/* How many it may have open. */
static inline size_t descriptors_limit(void) {
        struct rlimit limit = { 0 };

        getrlimit(RLIMIT_NOFILE, &limit);
        return (size_t)limit.rlim_cur;
}

/* The last numbers: an eighth of all, within these bounds. */
static inline size_t descriptors_last(void) {
        size_t n = descriptors_limit() / 8;

        if (n < DESCRIPTORS_LAST_MIN)
                return DESCRIPTORS_LAST_MIN;
        return n < DESCRIPTORS_LAST_MAX ? n : DESCRIPTORS_LAST_MAX;
}

/* How many numbers there are from the lowest free one on; 0: none is free. */
static inline size_t descriptors_left(void) {
        int fd = eventfd(0, EFD_CLOEXEC);
        size_t limit = descriptors_limit();

        if (fd >= 0)
                close(fd);
        return fd >= 0 && (size_t)fd < limit ? limit - (size_t)fd : 0;
}
