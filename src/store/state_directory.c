#include "store/state_directory.h"

#include "basics/cleanup.h"
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum {
        LOCK_RETRY_MS = 5,
};

int state_directory_path(const char *directory, char **ret_path, char ret_why[static STORE_WHY_MAX]) {
        if (asprintf(ret_path, "%s/vmpower.db", directory) < 0) {
                *ret_path = NULL;
                return database_fail_errno(directory, -ENOMEM, ret_why);
        }
        return 0;
}

static int fail(const char *path, int r, const char *words, char ret_why[static STORE_WHY_MAX]) {
        snprintf(ret_why, STORE_WHY_MAX, "%.384s: %s (%s)", path, words, strerror(-r));
        return r;
}

int state_directory_check(const char *directory, const char *path, char ret_why[static STORE_WHY_MAX]) {
        struct stat status;

        if (!stat(path, &status)) {
                if (S_ISREG(status.st_mode))
                        return 0;
                return fail(path, -EBADMSG, "no file, so no database", ret_why);
        }
        switch (errno) {
        case ENOENT:
                return fail(path, -ENOENT, "nothing was recorded there yet", ret_why);
        case ENOTDIR:
                return fail(directory, -ENOTDIR, "it is no directory; set VMPOWER_STATE_DIR to one", ret_why);
        default:
                return fail(path, -errno, "cannot look at it", ret_why);
        }
}

/* A new name is durable once its directory is. */
static int sync_directory(const char *directory) {
        cleanup(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        /* Some filesystems cannot, and need not. */
        return fsync(fd) && errno != EINVAL && errno != EROFS ? -errno : 0;
}

static int sync_parent(char *directory) {
        char *slash = strrchr(directory, '/');
        int r;

        if (!slash)
                return sync_directory(".");
        if (slash == directory)
                return sync_directory("/");
        *slash = '\0';
        r = sync_directory(directory);
        *slash = '/';
        return r;
}

static int make_one(char *directory) {
        if (!mkdir(directory, 0700)) {
                /* Whoever can enter but not read the parent cannot sync it; the directory is there all the same. */
                int r = sync_parent(directory);

                return r == -EACCES ? 0 : r;
        }
        return errno == EEXIST ? 0 : -errno;
}

static int make_with_parents(const char *directory) {
        cleanup(freep) char *path = strdup(directory);
        struct stat status;
        int r;

        if (!path)
                return -ENOMEM;
        if (!stat(path, &status))
                return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                /* What is there already need not be ours to make: mkdir("/var") may be refused for many reasons. */
                r = stat(path, &status) ? make_one(path) : 0;
                *slash = '/';
                if (r)
                        return r;
        }
        return make_one(path);
}

static int lock_directory(const char *directory, int *ret_lock, char ret_why[static STORE_WHY_MAX]) {
        const struct timespec pause = { .tv_nsec = LOCK_RETRY_MS * 1000000L };
        cleanup(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return fail(directory, -errno, "cannot open the directory", ret_why);
        for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += LOCK_RETRY_MS) {
                /* A network's filesystem may not know locks of directories: then SQLite's own must do. */
                if (errno != EWOULDBLOCK && errno != EINTR)
                        break;
                if (waited_ms >= database_busy_ms)
                        return database_fail_errno(directory, -EBUSY, ret_why);
                nanosleep(&pause, NULL);
        }
        *ret_lock = take_fd(&fd);
        return 0;
}

/*
 * Only a new file is ever opened here.  Closing any descriptor of a database file drops every lock that SQLite has on
 * it in this process (https://www.sqlite.org/howtocorrupt.html, 2.2), so an existing one is left to SQLite.
 */
static int make_file(const char *directory, const char *path, char ret_why[static STORE_WHY_MAX]) {
        cleanup(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int r;

        if (fd < 0) {
                if (errno == EEXIST)
                        return 0;
                return errno == ENOSPC || errno == EDQUOT ? database_fail_errno(path, -ENOSPC, ret_why)
                                                          : fail(path, -errno, "cannot make it", ret_why);
        }
        r = sync_directory(directory);
        return r ? fail(directory, r, "cannot write the directory", ret_why) : 0;
}

int state_directory_make(const char *directory, const char *path, int *ret_lock, char ret_why[static STORE_WHY_MAX]) {
        cleanup(closep) int lock = -1;
        int r;

        r = make_with_parents(directory);
        if (r)
                return fail(directory, r, "cannot make the directory; set VMPOWER_STATE_DIR to another", ret_why);
        r = lock_directory(directory, &lock, ret_why);
        if (r)
                return r;
        r = make_file(directory, path, ret_why);
        if (r)
                return r;
        r = state_directory_check(directory, path, ret_why);
        if (r)
                return r;
        *ret_lock = take_fd(&lock);
        return 0;
}

/* A lock of the process's, not of the descriptor's (flock): it tells who has it, and no child takes it along. */
int store_claim(const char *directory, int *ret_fd, char ret_why[static STORE_WHY_MAX]) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        cleanup(freep) char *path = NULL;
        cleanup(closep) int fd = -1;

        if (asprintf(&path, "%s/vmpowerd.lock", directory) < 0) {
                path = NULL;
                return database_fail_errno(directory, -ENOMEM, ret_why);
        }
        fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(path, -errno, "cannot make it", ret_why);
        /* A network's filesystem may not know locks. */
        if (fcntl(fd, F_SETLK, &lock) && (errno == EAGAIN || errno == EACCES)) {
                /* It may have gone by now; of a process in another container there is no pid. */
                if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
                        lock.l_pid = 0;
                snprintf(ret_why, STORE_WHY_MAX, "%.384s belongs to another vmpowerd%s%.0d; end that one, or set VMPOWER_STATE_DIR to another directory",
                         directory, lock.l_pid > 0 ? ", pid " : "", lock.l_pid > 0 ? (int)lock.l_pid : 0);
                return -EBUSY;
        }
        *ret_fd = take_fd(&fd);
        return 0;
}
