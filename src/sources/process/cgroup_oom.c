#include "sources/process/cgroup_oom.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
        CGROUP_TEXT_MAX = 16 * 1024,
        MOUNTINFO_TEXT_MAX = 1024 * 1024,
};

int cgroup_oom_parse(uint64_t *ret_kills, const char *text, size_t n_text) {
        static const char key[] = "oom_kill ";
        const char *end = text + n_text;

        for (const char *line = text; line < end;) {
                const char *next = memchr(line, '\n', (size_t)(end - line));
                const char *line_end = next ? next : end;
                size_t n = (size_t)(line_end - line);

                if (n > strlen(key) && !memcmp(line, key, strlen(key)))
                        return proc_number_parse(ret_kills, line + strlen(key), n - strlen(key));
                line = line_end + 1;
        }
        return -EINVAL;
}

/* One blank-separated field off the front of a line; false at its end. */
static bool take_field(const char **line, const char *end, const char **ret_field, size_t *ret_n) {
        const char *blank;

        if (*line >= end)
                return false;
        blank = memchr(*line, ' ', (size_t)(end - *line));
        if (!blank)
                blank = end;
        *ret_field = *line;
        *ret_n = (size_t)(blank - *line);
        *line = blank < end ? blank + 1 : end;
        return true;
}

static bool is_field(const char *field, size_t n, const char *text) {
        return n == strlen(text) && !memcmp(field, text, n);
}

static bool has_option(const char *options, size_t n_options, const char *option) {
        while (n_options) {
                const char *comma = memchr(options, ',', n_options);
                size_t n = comma ? (size_t)(comma - options) : n_options;

                if (is_field(options, n, option))
                        return true;
                n += comma != NULL;
                options += n;
                n_options -= n;
        }
        return false;
}

/* Undo mountinfo's "\040" for blanks and the like. */
static int unescape(char *ret_text, size_t n_text, const char *field, size_t n_field) {
        size_t n = 0;

        for (size_t i = 0; i < n_field; n++) {
                if (n + 1 >= n_text)
                        return -ENOBUFS;
                if (field[i] == '\\' && n_field - i > 3 && field[i + 1] >= '0' && field[i + 1] <= '3' &&
                    field[i + 2] >= '0' && field[i + 2] <= '7' && field[i + 3] >= '0' &&
                    field[i + 3] <= '7') {
                        ret_text[n] = (char)((field[i + 1] - '0') << 6 | (field[i + 2] - '0') << 3 |
                                             (field[i + 3] - '0'));
                        i += 4;
                } else {
                        ret_text[n] = field[i++];
                }
        }
        ret_text[n] = '\0';
        return 0;
}

/*
 * The mount of cgroup v2, or of v1's memory controller: its root within the hierarchy and where it is mounted.
 * proc_pid_mountinfo(5): "35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory".
 */
static int find_mount(char ret_root[static PATH_MAX], char ret_point[static PATH_MAX], bool is_v1,
                      const char *text, size_t n_text) {
        const char *end = text + n_text;

        for (const char *line = text; line < end;) {
                const char *next = memchr(line, '\n', (size_t)(end - line));
                const char *line_end = next ? next : end;
                const char *at = line;
                const char *root = NULL, *point = NULL, *field;
                size_t n_root = 0, n_point = 0, n;

                for (unsigned i = 1; take_field(&at, line_end, &field, &n); i++) {
                        if (i == 4) {
                                root = field;
                                n_root = n;
                        } else if (i == 5) {
                                point = field;
                                n_point = n;
                        } else if (i > 6 && is_field(field, n, "-")) {
                                break;
                        }
                }
                line = line_end + 1;
                if (!point || !take_field(&at, line_end, &field, &n) ||
                    !is_field(field, n, is_v1 ? "cgroup" : "cgroup2"))
                        continue;
                if (is_v1 && (!take_field(&at, line_end, &field, &n) ||
                              !take_field(&at, line_end, &field, &n) || !has_option(field, n, "memory")))
                        continue;
                if (unescape(ret_root, PATH_MAX, root, n_root) ||
                    unescape(ret_point, PATH_MAX, point, n_point))
                        return -ENOBUFS;
                return 0;
        }
        return -ENOENT;
}

int cgroup_oom_path(char *ret_path, size_t n_path, const char *cgroup, size_t n_cgroup, const char *mountinfo,
                    size_t n_mountinfo) {
        char path[PATH_MAX];
        char root[PATH_MAX];
        char point[PATH_MAX];
        bool is_v1 = true;
        const char *rest = path;
        size_t n_root;
        int r;

        /* A controller is in one hierarchy at a time: where v1 has memory, v2 has not. */
        r = proc_cgroup_parse(path, sizeof(path), cgroup, n_cgroup, "memory");
        if (r == -ENOENT) {
                is_v1 = false;
                r = proc_cgroup_parse(path, sizeof(path), cgroup, n_cgroup, NULL);
        }
        if (!r)
                r = find_mount(root, point, is_v1, mountinfo, n_mountinfo);
        if (r)
                return r;

        /* A mount may show a part of the hierarchy only (a bind mount, a container). */
        n_root = strlen(root);
        if (n_root > 1) {
                if (strncmp(path, root, n_root) || (path[n_root] && path[n_root] != '/'))
                        return -ENOENT;
                rest += n_root;
        }
        /* A process outside our cgroup namespace is at "/../…": cgroup_namespaces(7). */
        if (!strncmp(rest, "/..", 3))
                return -ENOENT;
        if (!strcmp(rest, "/"))
                rest = "";
        r = snprintf(ret_path, n_path, "%s%s/%s", point, rest,
                     is_v1 ? "memory.oom_control" : "memory.events");
        return r < 0 || (size_t)r >= n_path ? -ENOBUFS : 0;
}

static int read_kills(int fd, uint64_t *ret_kills) {
        char text[1024];
        ssize_t n = pread(fd, text, sizeof(text), 0);

        if (n < 0)
                return -errno;
        return cgroup_oom_parse(ret_kills, text, (size_t)n);
}

int cgroup_oom_find(char ret_path[static PATH_MAX], pid_t pid) {
        cleanup(freep) char *mountinfo = NULL;
        char cgroup[CGROUP_TEXT_MAX];
        char path[64];
        ssize_t n_cgroup, n_mountinfo;

        mountinfo = malloc(MOUNTINFO_TEXT_MAX);
        if (!mountinfo)
                return -ENOMEM;
        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        n_cgroup = proc_read(path, cgroup, sizeof(cgroup));
        if (n_cgroup < 0)
                return (int)n_cgroup;
        n_mountinfo = proc_read("/proc/self/mountinfo", mountinfo, MOUNTINFO_TEXT_MAX);
        if (n_mountinfo < 0)
                return (int)n_mountinfo;
        return cgroup_oom_path(ret_path, PATH_MAX, cgroup, (size_t)n_cgroup, mountinfo, (size_t)n_mountinfo);
}

/* False: not known. */
static bool find_place(char ret_place[static PATH_MAX], bool *ret_is_v1, pid_t pid) {
        char text[CGROUP_TEXT_MAX], path[64];
        ssize_t n;
        int r;

        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        n = proc_read(path, text, sizeof(text));
        if (n < 0)
                return false;
        r = proc_cgroup_parse(ret_place, PATH_MAX, text, (size_t)n, "memory");
        *ret_is_v1 = r != -ENOENT;
        if (r == -ENOENT)
                r = proc_cgroup_parse(ret_place, PATH_MAX, text, (size_t)n, NULL);
        /* kernel/cgroup/cgroup.c, proc_cgroup_show(): of one that has ended, and of one whose cgroup has. */
        return !r && !(*ret_is_v1 && !strcmp(ret_place, "/")) && !strstr(ret_place, " (deleted)");
}

bool cgroup_oom_has_moved(const struct cgroup_oom *counter, pid_t pid) {
        size_t n = counter->place ? strlen(counter->place) : 0;
        char place[PATH_MAX];
        bool is_v1;

        if (!n || !find_place(place, &is_v1, pid) || (!is_v1 && !strcmp(counter->place, "/")))
                return false;
        return strncmp(place, counter->place, n) || (place[n] && (is_v1 || place[n] != '/'));
}

int cgroup_oom_open(struct cgroup_oom *ret, pid_t pid) {
        struct cgroup_oom counter = { .fd = -1 };
        char path[PATH_MAX];
        char place[PATH_MAX];
        bool is_v1;
        int r;

        *ret = counter;
        r = cgroup_oom_find(path, pid);
        if (r)
                return r;

        counter.fd = open(path, O_RDONLY | O_CLOEXEC);
        if (counter.fd < 0)
                return -errno;
        r = read_kills(counter.fd, &counter.kills);
        if (r) {
                cgroup_oom_close(&counter);
                return r;
        }
        if (find_place(place, &is_v1, pid))
                counter.place = strdup(place);
        *ret = counter;
        return 0;
}

void cgroup_oom_close(struct cgroup_oom *counter) {
        close_fd(&counter->fd);
        free(counter->place);
        counter->place = NULL;
}

int cgroup_oom_rise(const struct cgroup_oom *counter, uint64_t *ret_kills) {
        uint64_t kills;
        int r;

        if (counter->fd < 0)
                return -ENOENT;
        r = read_kills(counter->fd, &kills);
        if (r)
                return r;
        *ret_kills = kills > counter->kills ? kills - counter->kills : 0;
        return 0;
}
