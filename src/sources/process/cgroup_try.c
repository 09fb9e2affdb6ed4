#include "sources/process/cgroup_try.h"
#include "basics/cleanup.h"
#include "sources/process/cgroup_oom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ROOM "1048576"

static int write_into(const char *directory, const char *name, const char *text) {
        cleanup(closep) int fd = -1;
        char path[PATH_MAX + 64];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int make_in(const char *directory, char ret_path[static PATH_MAX]) {
        int r;

        if (snprintf(ret_path, PATH_MAX, "%s/vmpower-doctor-%d", directory, (int)getpid()) >= PATH_MAX)
                return -ENAMETOOLONG;
        if (mkdir(ret_path, 0755) < 0)
                return -errno;
        r = write_into(ret_path, "memory.max", ROOM);
        if (r == -ENOENT)
                r = write_into(ret_path, "memory.limit_in_bytes", ROOM);
        else
                write_into(ret_path, "memory.swap.max", "0");
        if (r)
                rmdir(ret_path);
        return r;
}

int cgroup_try_make(char ret_path[static PATH_MAX], char ret_why[static FOUND_MAX]) {
        char directory[PATH_MAX], procs[PATH_MAX + 16];
        int r = cgroup_oom_find(directory, getpid()), first = 0;

        if (r)
                return found_say(ret_why, r, "this process is in no memory cgroup");
        /* In version 2 there is no memory.max where the one above does not hand its memory on, as one with processes in it never does. */
        r = -ENOENT;
        do {
                *strrchr(directory, '/') = '\0';
                snprintf(procs, sizeof(procs), "%s/cgroup.procs", directory);
                if (access(procs, F_OK) < 0)
                        break;
                r = make_in(directory, ret_path);
                first = first ? first : r;
        } while (r && strchr(directory + 1, '/'));
        r = r && first ? first : r;
        return r ? found_say(ret_why, r, "no memory cgroup can be made: %s", strerror(-r)) : 0;
}

void cgroup_try_remove(const char *path) {
        rmdir(path);
}
