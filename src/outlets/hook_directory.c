#include "outlets/hook_directory.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static void refuse(const struct hook_directory_events *events, const char *path, const char *why) {
        char line[512];

        snprintf(line, sizeof(line), "%.400s is not run: %s", path, why);
        events->refused(path, line, events->userdata);
}

/* Whoever can write it decides what we run.  A user's own group is often his alone, root's is not. */
static const char *find_fault(const struct stat *st) {
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "it belongs to somebody else";
        if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && !geteuid()))
                return "others may write it";
        return NULL;
}

/* "#!", or an ELF's: whoever wrote that means it to be run. */
static bool is_like_a_program(const char *path) {
        cleanup(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char head[4] = "";
        ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));

        return n >= 2 && (!memcmp(head, "#!", 2) || (n == 4 && !memcmp(head, "\177ELF", 4)));
}

static void look_at_program(const char *path, bool is_named, const struct hook_directory_events *events) {
        const char *fault;
        struct stat st;

        if (stat(path, &st) < 0) {
                refuse(events, path, strerror(errno));
                return;
        }
        fault = find_fault(&st);
        if (!S_ISREG(st.st_mode) || access(path, X_OK)) {
                /* A README beside the hooks is nobody's mistake. */
                if (S_ISREG(st.st_mode) && is_like_a_program(path))
                        refuse(events, path, "it has no right to be executed (chmod +x)");
                else if (is_named)
                        refuse(events, path, "it is no program");
        } else if (fault) {
                refuse(events, path, fault);
        } else {
                events->found(path, events->userdata);
        }
}

static bool ends_with(const char *name, const char *end) {
        size_t n_name = strlen(name), n_end = strlen(end);

        return n_name >= n_end && !strcmp(name + n_name - n_end, end);
}

static int is_hooks_name(const struct dirent *entry) {
        const char *name = entry->d_name;

        return *name != '.' && !ends_with(name, "~") && !ends_with(name, ".bak") && !strstr(name, ".dpkg-") &&
               !ends_with(name, ".rpmsave") && !ends_with(name, ".rpmnew") && !ends_with(name, ".rpmorig");
}

static int look_into(const char *path, const struct hook_directory_events *events) {
        struct dirent **entries;
        int n = scandir(path, &entries, is_hooks_name, alphasort), r = 0;

        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                cleanup(freep) char *child = NULL;

                if (i == HOOKS_MAX)
                        refuse(events, path, "it has more than 64 hooks; the rest");
                if (i < HOOKS_MAX && asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
                        r = -ENOMEM;
                else if (child)
                        look_at_program(child, false, events);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int hook_directory_look(const char *path, const struct hook_directory_events *events) {
        const char *fault;
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode)) {
                look_at_program(path, true, events);
                return 0;
        }
        fault = find_fault(&st);
        if (fault) {
                refuse(events, path, fault);
                return 0;
        }
        return look_into(path, events);
}
