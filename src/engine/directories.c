#include "engine/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        /* "/4194304.sock" and NUL: the longest name of a socket under a monitor directory (pid_max is 2^22). */
        SOCKET_NAME_MAX = 14,
};

static int print(char *ret_path, size_t n_ret, const char *base, const char *rest) {
        int n = snprintf(ret_path, n_ret, "%s%s", base, rest);

        return n < 0 || (size_t)n >= n_ret ? -ENAMETOOLONG : 0;
}

static const char *environment(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

int state_directory(char *ret_path, size_t n_ret) {
        const char *base = environment("VMPOWER_STATE_DIR");

        if (base)
                return print(ret_path, n_ret, base, "");
        if (geteuid() == 0)
                return print(ret_path, n_ret, "/var/lib/vmpower", "");
        base = environment("XDG_STATE_HOME");
        if (base)
                return print(ret_path, n_ret, base, "/vmpower");
        base = environment("HOME");
        return base ? print(ret_path, n_ret, base, "/.local/state/vmpower") : -ENOENT;
}

int config_directory(char *ret_path, size_t n_ret) {
        const char *base = environment("VMPOWER_CONFIG_DIR");

        if (base)
                return print(ret_path, n_ret, base, "");
        if (geteuid() == 0)
                return print(ret_path, n_ret, "/etc/vmpower", "");
        base = environment("XDG_CONFIG_HOME");
        if (base)
                return print(ret_path, n_ret, base, "/vmpower");
        base = environment("HOME");
        return base ? print(ret_path, n_ret, base, "/.config/vmpower") : -ENOENT;
}

/* The directory, and every part of its path that is not there. */
static int make_all(char *path, mode_t mode) {
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                int r;

                *slash = '\0';
                r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
                *slash = '/';
                if (r)
                        return r;
        }
        return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

/* The last part of the path must be ours alone. */
static int make_private(char *path) {
        struct stat st;
        int r;

        r = make_all(path, 0700);
        if (r)
                return r;
        if (lstat(path, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        if (st.st_uid != geteuid() || (st.st_mode & 077))
                return -EPERM;
        return 0;
}

int monitor_directory(char *ret_path, size_t n_ret) {
        const char *base = environment("VMPOWER_RUN_DIR");
        int r = -ENOENT;

        if (base)
                r = print(ret_path, n_ret, base, "/run");
        else if (geteuid() == 0)
                r = print(ret_path, n_ret, "/run/vmpower", "/run");
        else if (environment("XDG_RUNTIME_DIR"))
                r = print(ret_path, n_ret, environment("XDG_RUNTIME_DIR"), "/vmpower/run");

        if (!r && strlen(ret_path) + SOCKET_NAME_MAX > sizeof(((struct sockaddr_un *)0)->sun_path))
                r = -ENAMETOOLONG;
        if (r == -ENAMETOOLONG || r == -ENOENT) {
                char fallback[64];

                snprintf(fallback, sizeof(fallback), "/tmp/vmpower-%u", (unsigned)geteuid());
                r = print(ret_path, n_ret, fallback, "");
        }
        return r ? r : make_private(ret_path);
}

int run_directory(char *ret_path, size_t n_ret) {
        const char *base = environment("VMPOWER_RUN_DIR");
        int r;

        if (base)
                r = print(ret_path, n_ret, base, "");
        else if (geteuid() == 0)
                r = print(ret_path, n_ret, "/run/vmpower", "");
        else if (environment("XDG_RUNTIME_DIR"))
                r = print(ret_path, n_ret, environment("XDG_RUNTIME_DIR"), "/vmpower");
        else
                return monitor_directory(ret_path, n_ret);
        return r ? r : make_all(ret_path, 0755);
}

static void add(struct daemon_directories *directories, const char *base, const char *rest) {
        if (base && !print(directories->paths[directories->n], DAEMON_DIRECTORY_MAX, base, rest))
                directories->n++;
}

void daemon_directories(struct daemon_directories *ret_directories) {
        const char *base = environment("VMPOWER_RUN_DIR");

        *ret_directories = (struct daemon_directories){ 0 };
        if (base) {
                add(ret_directories, base, "");
                return;
        }
        add(ret_directories, environment("XDG_RUNTIME_DIR"), "/vmpower");
        add(ret_directories, "/run/vmpower", "");
}
