#include "outlets/verdict_file.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

/*
 * A terminal, a pipe, /dev/null, or a link to whatever: what is there stays, and is written to.  Only a plain file, or none, can be
 * replaced.
 */
static bool must_stay(const char *path) {
        struct stat st;

        return !lstat(path, &st) && !S_ISREG(st.st_mode);
}

/* A FIFO without a reader is not waited for: ENXIO. */
static int open_in_place(const char *path, int flags) {
        struct stat st;
        int fd;

        if (!stat(path, &st) && S_ISDIR(st.st_mode))
                return -EISDIR;
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0666);

        return fd < 0 ? -errno : fd;
}

int verdict_file_check(const char *path) {
        cleanup(freep) char *name = NULL;
        cleanup(closep) int fd = -1;
        int r;

        if (must_stay(path)) {
                fd = open_in_place(path, 0);
                /* The reader of a FIFO may come later. */
                return fd >= 0 || fd == -ENXIO ? 0 : fd;
        }
        r = open_beside(path, &name, &fd);
        if (!r) {
                unlink(name);
                unlink(path); /* a verdict of another run must not be taken for this one's */
        }
        return r;
}

static int print_to(int fd, const json_t *verdict) {
        cleanup(fclosep) FILE *file = fdopen(fd, "w");

        if (!file) {
                close(fd);
                return -ENOMEM;
        }
        errno = 0;
        if (json_dumpf(verdict, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER) || fputc('\n', file) < 0 || fflush(file))
                return errno ? -errno : -EIO;
        return fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

int verdict_file_write(const char *path, const json_t *verdict) {
        cleanup(freep) char *name = NULL;
        mode_t mask;
        int fd = -1, r;

        if (must_stay(path)) {
                fd = open_in_place(path, O_TRUNC);
                return fd < 0 ? fd : print_to(fd, verdict);
        }
        r = open_beside(path, &name, &fd);
        if (r)
                return r;
        mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
        r = print_to(fd, verdict);
        if (!r && rename(name, path) < 0)
                r = -errno;
        if (r)
                unlink(name);
        return r;
}
