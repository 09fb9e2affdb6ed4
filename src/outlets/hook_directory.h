/*
 * Hook directory: which programs are hooks.
 *
 * Knows whom a file must belong to before it is run, and which names are leftovers of editors and package managers.
 */
#pragma once

enum {
        HOOKS_MAX = 64, /* of one directory */
};

struct hook_directory_events {
        void (*found)(const char *path, void *userdata);
        /* What is not run, and in one line that it is not, and why. */
        void (*refused)(const char *path, const char *line, void *userdata);
        void *userdata;
};

/*
 * `path`: a program, or a directory of them, which are found in the order of their names.  0; -ENOENT: there is nothing; -ENOMEM.
 */
int hook_directory_look(const char *path, const struct hook_directory_events *events);
