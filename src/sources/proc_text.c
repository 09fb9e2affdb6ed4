#include "sources/proc_text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Take a decimal number, with the blanks before it, off the front. */
static bool take_number(const char **text, const char *end, int64_t *ret_number) {
        const char *p = *text;
        bool is_negative;
        uint64_t number = 0;
        size_t n_digits = 0;

        while (p < end && (*p == ' ' || *p == '\t'))
                p++;
        is_negative = p < end && *p == '-';
        p += is_negative;
        for (; p < end && *p >= '0' && *p <= '9'; p++, n_digits++)
                /* Fields that do not fit (addresses, no limit) are not ours: any value will do. */
                number = number * 10 + (uint64_t)(*p - '0');
        if (!n_digits)
                return false;
        *text = p;
        *ret_number = (int64_t)(is_negative ? -number : number);
        return true;
}

static bool is_pid(int64_t number) {
        return number >= 0 && number <= INT_MAX;
}

int proc_stat_parse(struct proc_stat *ret_stat, const char *text, size_t n_text) {
        enum {
                FIELD_PARENT = 4,
                FIELD_SESSION = 6,
                FIELD_START_TIME = 22,
                FIELD_EXIT_CODE = 52,
        };
        struct proc_stat stat = { 0 };
        const char *end = text + n_text;
        const char *p = text;
        const char *close;
        int64_t fields[FIELD_EXIT_CODE + 1] = { 0 };
        size_t n_comm;

        if (!take_number(&p, end, &fields[1]) || !is_pid(fields[1]) || end - p < 2 || p[0] != ' ' ||
            p[1] != '(')
                return -EINVAL;
        p += 2;
        /* The name may itself have ") " in it: nothing after it has a parenthesis. */
        close = memrchr(p, ')', (size_t)(end - p));
        if (!close || end - close < 3)
                return -EINVAL;
        n_comm = (size_t)(close - p);
        if (n_comm >= sizeof(stat.comm))
                n_comm = sizeof(stat.comm) - 1;
        memcpy(stat.comm, p, n_comm);
        stat.state = close[2];
        p = close + 3;

        for (size_t i = FIELD_PARENT; i <= FIELD_EXIT_CODE; i++)
                if (!take_number(&p, end, &fields[i]))
                        return -EINVAL;
        if (!is_pid(fields[FIELD_PARENT]) || !is_pid(fields[FIELD_SESSION]) || fields[FIELD_START_TIME] < 0 ||
            !is_pid(fields[FIELD_EXIT_CODE]))
                return -EINVAL;
        stat.pid = (pid_t)fields[1];
        stat.parent = (pid_t)fields[FIELD_PARENT];
        stat.session = (pid_t)fields[FIELD_SESSION];
        stat.start_time = (uint64_t)fields[FIELD_START_TIME];
        stat.exit_code = (int)fields[FIELD_EXIT_CODE];

        *ret_stat = stat;
        return 0;
}

/* The n-th number of the line "key: a b c". */
static int find_field(int64_t *ret_number, const char *text, size_t n_text, const char *key, unsigned n) {
        const char *end = text + n_text;

        for (const char *line = text; line < end;) {
                const char *next = memchr(line, '\n', (size_t)(end - line));
                const char *line_end = next ? next : end;
                const char *p = line + strlen(key);

                if ((size_t)(line_end - line) > strlen(key) && !memcmp(line, key, strlen(key))) {
                        for (unsigned i = 0; i < n; i++)
                                if (!take_number(&p, line_end, ret_number))
                                        return -EINVAL;
                        return 0;
                }
                line = line_end + 1;
        }
        return -EINVAL;
}

int proc_status_parse(struct proc_status *ret_status, const char *text, size_t n_text) {
        int64_t tgid, uid;
        int r;

        r = find_field(&tgid, text, n_text, "Tgid:", 1);
        if (!r)
                r = find_field(&uid, text, n_text, "Uid:", 2);
        if (r)
                return r;
        if (!is_pid(tgid) || uid < 0 || uid > UINT32_MAX)
                return -EINVAL;
        ret_status->tgid = (pid_t)tgid;
        ret_status->uid = (uid_t)uid;
        return 0;
}

int proc_number_parse(uint64_t *ret_number, const char *text, size_t n_text) {
        const char *p = text;
        int64_t number;

        if (!take_number(&p, text + n_text, &number) || number < 0)
                return -EINVAL;
        *ret_number = (uint64_t)number;
        return 0;
}

/* Is `name` one of "cpu,cpuacct"? */
static bool is_listed(const char *list, size_t n_list, const char *name) {
        while (n_list) {
                const char *comma = memchr(list, ',', n_list);
                size_t n = comma ? (size_t)(comma - list) : n_list;

                if (n == strlen(name) && !memcmp(list, name, n))
                        return true;
                n += comma != NULL;
                list += n;
                n_list -= n;
        }
        return false;
}

int proc_cgroup_parse(char *ret_path, size_t n_path, const char *text, size_t n_text,
                      const char *controller) {
        const char *end = text + n_text;

        /* Lines of "4:memory:/path" (cgroup v1) and "0::/path" (v2): cgroups(7). */
        for (const char *line = text; line < end;) {
                const char *next = memchr(line, '\n', (size_t)(end - line));
                const char *line_end = next ? next : end;
                const char *list = memchr(line, ':', (size_t)(line_end - line));
                const char *path = list ? memchr(list + 1, ':', (size_t)(line_end - list - 1)) : NULL;

                if (path) {
                        size_t n_list = (size_t)(path - list - 1);
                        size_t n = (size_t)(line_end - path - 1);

                        if (controller ? is_listed(list + 1, n_list, controller) : !n_list) {
                                if (n >= n_path)
                                        return -ENOBUFS;
                                memcpy(ret_path, path + 1, n);
                                ret_path[n] = '\0';
                                return 0;
                        }
                }
                line = line_end + 1;
        }
        return -ENOENT;
}

static bool ends_with(const char *text, size_t n, const char *end) {
        return n > strlen(end) && !memcmp(text + n - strlen(end), end, strlen(end));
}

void proc_unit_of_cgroup(char *ret_unit, size_t n_unit, const char *path) {
        *ret_unit = '\0';
        while (*path) {
                size_t n = strcspn(path, "/");

                if ((ends_with(path, n, ".service") || ends_with(path, n, ".scope")) && n < n_unit) {
                        memcpy(ret_unit, path, n);
                        ret_unit[n] = '\0';
                }
                path += n + (path[n] == '/');
        }
}

int proc_instance_parse(struct proc_instance *ret_instance, const char *text) {
        struct proc_instance instance = { 0 };
        const char *end = text + strlen(text);
        const char *p = strchr(text, ':');
        int64_t pid, start_time;

        if (!p || p == text || (size_t)(p - text) >= sizeof(instance.boot_id))
                return -EINVAL;
        memcpy(instance.boot_id, text, (size_t)(p - text));
        p++;
        if (!take_number(&p, end, &pid) || !is_pid(pid) || !pid || *p != ':')
                return -EINVAL;
        p++;
        if (!take_number(&p, end, &start_time) || start_time < 0 || (*p && *p != ':'))
                return -EINVAL;
        instance.pid = (pid_t)pid;
        instance.start_time = (uint64_t)start_time;

        *ret_instance = instance;
        return 0;
}
