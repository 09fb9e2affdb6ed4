#include "sources/xen/xl_words.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins_with(const char *text, size_t n, const char *beginning) {
        return n >= strlen(beginning) && !memcmp(text, beginning, strlen(beginning));
}

/* Digits, and what follows them; false: none, or more than a pid or a domid has. */
static bool read_number(const char **at, const char *end, int64_t *ret) {
        const char *from = *at;

        for (*ret = 0; *at < end && isdigit((unsigned char)**at) && *at - from < 10; (*at)++)
                *ret = *ret * 10 + (**at - '0');
        return *at > from;
}

/* The last place of `mark` in the text; NULL: none. */
static const char *last_of(const char *text, size_t n, const char *mark) {
        const char *found = NULL, *at = text;

        while ((at = memmem(at, n - (size_t)(at - text), mark, strlen(mark)))) {
                found = at;
                at += strlen(mark);
        }
        return found;
}

int64_t xl_log_domid(const char *log, size_t n_log, pid_t pid) {
        static const char beginning[] = "Waiting for domain ", middle[] = " (domid ", after[] = ") to die [pid ";
        int64_t found = -1;

        for (const char *line = log, *end; line < log + n_log; line = end + 1) {
                const char *at;
                int64_t domid, whose;

                end = memchr(line, '\n', n_log - (size_t)(line - log));
                if (!end)
                        end = log + n_log;
                if (!begins_with(line, (size_t)(end - line), beginning))
                        continue;
                /* A name may say what it likes; what xl says comes after it. */
                at = last_of(line, (size_t)(end - line), middle);
                if (!at)
                        continue;
                at += strlen(middle);
                if (!read_number(&at, end, &domid) || !begins_with(at, (size_t)(end - at), after))
                        continue;
                at += strlen(after);
                if (read_number(&at, end, &whose) && at < end && *at == ']' && whose == pid)
                        found = domid;
        }
        return found;
}

int xl_log_name(char ret_name[static XL_NAME_MAX], const char *path) {
        const char *name = strrchr(path, '/'), *end;

        if (!name || strncmp(name, "/xl-", 4))
                return -EINVAL;
        name += strlen("/xl-");
        end = last_of(name, strlen(name), ".log");
        if (!end || end == name || end - name >= XL_NAME_MAX)
                return -EINVAL;
        memcpy(ret_name, name, (size_t)(end - name));
        ret_name[end - name] = '\0';
        return 0;
}

struct xl_making xl_making(char *const *arguments, size_t n_arguments) {
        struct xl_making making = { .is_making = false };
        bool only_tries = false;
        size_t i = 1;

        /* xl's own options: -v, -f, -N, -t, -T. */
        for (; i < n_arguments && arguments[i][0] == '-'; i++)
                only_tries = only_tries || strchr(arguments[i], 'N');
        if (i >= n_arguments)
                return making;
        making.is_making = !strcmp(arguments[i], "create") || !strcmp(arguments[i], "restore") || !strcmp(arguments[i], "migrate-receive");
        if (!making.is_making)
                return making;
        for (i++; i < n_arguments; i++) {
                const char *word = arguments[i];

                if (word[0] == '-' && word[1] != '-') {
                        /* What follows -f is its file. */
                        only_tries = only_tries || memchr(word, 'n', strcspn(word, "f"));
                        if (!strcmp(word, "-f") && i + 1 < n_arguments)
                                making.config = arguments[++i];
                } else if (!strcmp(word, "--dryrun")) {
                        only_tries = true;
                } else if (!strncmp(word, "--defconfig=", strlen("--defconfig="))) {
                        making.config = word + strlen("--defconfig=");
                } else if (!strncmp(word, "name", 4) && strchr(word, '=')) {
                        making.name = word;
                } else if (word[0] != '-' && !strchr(word, '=') && !making.config) {
                        making.config = word;
                }
        }
        return only_tries ? (struct xl_making){ .is_making = false } : making;
}

int xl_config_name(char ret_name[static XL_NAME_MAX], const char *text, size_t n_text) {
        int r = -ENOENT;

        for (const char *line = text, *end; line < text + n_text; line = end + 1) {
                const char *at = line;
                const char *close;

                end = memchr(line, '\n', n_text - (size_t)(line - text));
                if (!end)
                        end = text + n_text;
                while (at < end && isblank((unsigned char)*at))
                        at++;
                if (!begins_with(at, (size_t)(end - at), "name"))
                        continue;
                for (at += strlen("name"); at < end && isblank((unsigned char)*at);)
                        at++;
                if (at == end || *at != '=')
                        continue;
                for (at++; at < end && isblank((unsigned char)*at);)
                        at++;
                if (at == end || (*at != '"' && *at != '\''))
                        continue;
                close = memchr(at + 1, *at, (size_t)(end - at - 1));
                if (!close || close == at + 1 || close - at - 1 >= XL_NAME_MAX || memchr(at + 1, '\0', (size_t)(close - at - 1)))
                        continue;
                memcpy(ret_name, at + 1, (size_t)(close - at - 1));
                ret_name[close - at - 1] = '\0';
                r = 0;
        }
        return r;
}
