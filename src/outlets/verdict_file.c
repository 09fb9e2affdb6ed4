#include "outlets/verdict_file.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int open_beside(const char *path, char **ret_name, int *ret_fd) {
        char *name;
        int fd;

        if (asprintf(&name, "%s.XXXXXX", path) < 0)
                return -ENOMEM;
        fd = mkostemp(name, O_CLOEXEC);
        if (fd < 0) {
                int r = -errno;

                free(name);
                return r;
        }
        *ret_name = name;
        *ret_fd = fd;
        return 0;
}

int verdict_file_check(const char *path) {
        cleanup(freep) char *name = NULL;
        cleanup(closep) int fd = -1;
        struct stat st;
        int r;

        if (!stat(path, &st) && S_ISDIR(st.st_mode))
                return -EISDIR;
        r = open_beside(path, &name, &fd);
        if (!r)
                unlink(name);
        return r;
}

int verdict_file_write(const char *path, const json_t *verdict) {
        cleanup(freep) char *name = NULL;
        cleanup(fclosep) FILE *file = NULL;
        mode_t mask;
        int fd, r;

        r = open_beside(path, &name, &fd);
        if (r)
                return r;
        mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
        file = fdopen(fd, "w");
        if (!file) {
                close(fd);
                r = -ENOMEM;
        } else if (json_dumpf(verdict, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER) || fputc('\n', file) < 0 || fflush(file) ||
                   fsync(fd) < 0 || rename(name, path) < 0) {
                r = errno ? -errno : -EIO;
        }
        if (r)
                unlink(name);
        return r;
}
