#include "sources/libexec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_in(char ret_path[static PATH_MAX], const char *directory, int n_directory, const char *program) {
        int n = snprintf(ret_path, PATH_MAX, "%.*s/%s", n_directory, directory, program);

        return n > 0 && n < PATH_MAX && *ret_path == '/' && !access(ret_path, X_OK);
}

int libexec_find(char ret_path[static PATH_MAX], const char *program) {
        const char *directory = getenv("VMPOWER_LIBEXEC_DIR"), *end;
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (directory && is_in(ret_path, directory, (int)strlen(directory), program))
                return 0;
        self[n > 0 ? n : 0] = '\0';
        end = strrchr(self, '/');
        if (end && is_in(ret_path, self, (int)(end - self), program))
                return 0;
        return is_in(ret_path, VMPOWER_LIBEXEC_DIR, (int)strlen(VMPOWER_LIBEXEC_DIR), program) ? 0 : -ENOENT;
}
