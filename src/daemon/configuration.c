#include "daemon/configuration.h"

#include "basics/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define DAY_S     UINT64_C(86400)

enum {
        COMPLAINTS_MAX = 20, /* who has more wrong lines than that has given us another file */
};

typedef int (*take_fn)(struct configuration *configuration, const char *value, const char **ret_why);

void configuration_init(struct configuration *configuration) {
        *configuration = (struct configuration){
                .halt_after_ns = 2 * SECOND_NS,
                .hook_timeout_ns = 30 * SECOND_NS,
                .hooks_at_once = 4,
                .journald = JOURNALD_AUTO,
                .retention_days = 400,
                .retention_size = UINT64_C(1) << 30,
        };
}

static void list_clear(struct configuration_list *list) {
        for (size_t i = 0; i < list->n; i++)
                free(list->items[i]);
        free(list->items);
        *list = (struct configuration_list){};
}

void configuration_deinit(struct configuration *configuration) {
        list_clear(&configuration->take_monitors);
        list_clear(&configuration->hooks);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static int list_add(struct configuration_list *list, const char *value, const char **ret_why) {
        char **items;

        if (list->n == CONFIGURATION_LIST_MAX) {
                *ret_why = "it has 64 values already";
                return -EINVAL;
        }
        items = reallocarray(list->items, list->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        list->items = items;
        items[list->n] = strdup(value);
        if (!items[list->n])
                return -ENOMEM;
        list->n++;
        return 0;
}

static int list_add_path(struct configuration_list *list, const char *value, const char **ret_why) {
        if (*value != '/') {
                *ret_why = "a path begins with /";
                return -EINVAL;
        }
        return list_add(list, value, ret_why);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Digits; what follows them is *ret_rest.  Too large a number is UINT64_MAX. */
static bool read_number(const char *text, uint64_t *ret_number, const char **ret_rest) {
        uint64_t number = 0;

        if (!is_digit(*text))
                return false;
        for (; is_digit(*text); text++) {
                unsigned digit = (unsigned)(*text - '0');

                number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
        }
        *ret_number = number;
        *ret_rest = text;
        return true;
}

static bool read_whole_number(const char *text, uint64_t maximum, uint64_t *ret_number) {
        const char *rest;

        return read_number(text, ret_number, &rest) && !*rest && *ret_number <= maximum;
}

/* Seconds, a fraction allowed. */
static bool read_seconds(const char *text, uint64_t maximum_s, uint64_t *ret_ns) {
        uint64_t seconds, fraction = 0, unit = SECOND_NS;
        const char *rest;

        if (!read_number(text, &seconds, &rest) || seconds > maximum_s)
                return false;
        if (*rest == '.') {
                if (!is_digit(rest[1]))
                        return false;
                for (rest++; is_digit(*rest); rest++) {
                        unit /= 10;
                        fraction += unit * (uint64_t)(*rest - '0');
                }
        }
        *ret_ns = seconds * SECOND_NS + fraction;
        return !*rest && *ret_ns <= maximum_s * SECOND_NS;
}

static int take_monitors(struct configuration *configuration, const char *value, const char **ret_why) {
        return list_add_path(&configuration->take_monitors, value, ret_why);
}

static int take_hook(struct configuration *configuration, const char *value, const char **ret_why) {
        return list_add_path(&configuration->hooks, value, ret_why);
}

static int take_halt_after(struct configuration *configuration, const char *value, const char **ret_why) {
        *ret_why = "seconds are wanted, such as 2 or 0.5; 0 is never";
        return read_seconds(value, 365 * DAY_S, &configuration->halt_after_ns) ? 0 : -EINVAL;
}

static int take_hook_timeout(struct configuration *configuration, const char *value, const char **ret_why) {
        uint64_t timeout_ns;

        *ret_why = "seconds are wanted, above 0 and at most a day";
        if (!read_seconds(value, DAY_S, &timeout_ns) || !timeout_ns)
                return -EINVAL;
        configuration->hook_timeout_ns = timeout_ns;
        return 0;
}

static int take_hooks_at_once(struct configuration *configuration, const char *value, const char **ret_why) {
        uint64_t number;

        *ret_why = "a number from 1 to 64 is wanted";
        if (!read_whole_number(value, 64, &number) || !number)
                return -EINVAL;
        configuration->hooks_at_once = (unsigned)number;
        return 0;
}

static bool read_word(const char *value, const char *const *words, size_t n_words, unsigned *ret_i) {
        for (unsigned i = 0; i < n_words; i++)
                if (!strcmp(value, words[i])) {
                        *ret_i = i;
                        return true;
                }
        return false;
}

static int take_journald(struct configuration *configuration, const char *value, const char **ret_why) {
        static const char *const words[] = { [JOURNALD_AUTO] = "auto", [JOURNALD_ON] = "on", [JOURNALD_OFF] = "off" };
        unsigned i;

        *ret_why = "auto, on or off is wanted";
        if (!read_word(value, words, N_ELEMENTS(words), &i))
                return -EINVAL;
        configuration->journald = (enum journald_use)i;
        return 0;
}

static int take_xen(struct configuration *configuration, const char *value, const char **ret_why) {
        static const char *const words[] = { [XEN_AUTO] = "auto", [XEN_YES] = "yes", [XEN_NO] = "no" };
        unsigned i;

        *ret_why = "auto, yes or no is wanted";
        if (!read_word(value, words, N_ELEMENTS(words), &i))
                return -EINVAL;
        configuration->xen = (enum xen_use)i;
        return 0;
}

static int take_xen_policy(struct configuration *configuration, const char *value, const char **ret_why) {
        static const char *const words[] = { "auto", "leave" };
        unsigned i;

        *ret_why = "auto or leave is wanted";
        if (!read_word(value, words, N_ELEMENTS(words), &i))
                return -EINVAL;
        configuration->xen_leaves = i;
        return 0;
}

/* HOST:PORT, [IPv6]:PORT or *:PORT. */
static int take_metrics_listen(struct configuration *configuration, const char *value, const char **ret_why) {
        const char *colon = strrchr(value, ':'), *host = value;
        size_t n_host = colon ? (size_t)(colon - value) : 0;
        bool is_bracketed = n_host >= 2 && *value == '[' && value[n_host - 1] == ']';
        uint64_t port;

        *ret_why = "HOST:PORT is wanted, such as 127.0.0.1:9100, [::1]:9100 or *:9100";
        if (is_bracketed) {
                host++;
                n_host -= 2;
        }
        if (!n_host || n_host >= sizeof(configuration->metrics_host) || memchr(host, ' ', n_host) ||
            memchr(host, '\t', n_host) || (!is_bracketed && memchr(host, ':', n_host)) || memchr(host, '[', n_host) ||
            memchr(host, ']', n_host) || !read_whole_number(colon + 1, 65535, &port) || !port)
                return -EINVAL;
        memcpy(configuration->metrics_host, host, n_host);
        configuration->metrics_host[n_host] = '\0';
        snprintf(configuration->metrics_port, sizeof(configuration->metrics_port), "%u", (unsigned)port);
        return 0;
}

static int take_retention_days(struct configuration *configuration, const char *value, const char **ret_why) {
        uint64_t days;

        *ret_why = "a number of days up to 36500 is wanted; 0 is for ever";
        if (!read_whole_number(value, 36500, &days))
                return -EINVAL;
        configuration->retention_days = (unsigned)days;
        return 0;
}

static int take_retention_size(struct configuration *configuration, const char *value, const char **ret_why) {
        static const char units[] = "KMGT";
        const char *rest, *unit = NULL;
        uint64_t size;

        *ret_why = "bytes are wanted, such as 500M or 1G; 0 is any number";
        if (!read_number(value, &size, &rest))
                return -EINVAL;
        if (*rest) {
                unit = strchr(units, *rest);
                if (!unit || rest[1])
                        return -EINVAL;
        }
        /* SQLite's integers are signed. */
        for (const char *at = units; unit && at <= unit; at++)
                size = size > INT64_MAX / 1024 ? UINT64_MAX : size * 1024;
        if (size > INT64_MAX)
                return -EINVAL;
        configuration->retention_size = size;
        return 0;
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static const struct key {
        const char *name;
        take_fn take;
        bool is_list;
} keys[] = {
        { "take_monitors", take_monitors, true },
        { "halt_after", take_halt_after, false },
        { "metrics_listen", take_metrics_listen, false },
        { "hook", take_hook, true },
        { "hook_timeout", take_hook_timeout, false },
        { "hooks_at_once", take_hooks_at_once, false },
        { "journald", take_journald, false },
        { "xen", take_xen, false },
        { "xen_policy", take_xen_policy, false },
        { "retention_days", take_retention_days, false },
        { "retention_size", take_retention_size, false },
};

const char *configuration_key(size_t i) {
        return i < N_ELEMENTS(keys) ? keys[i].name : NULL;
}

static const struct key *find_key(const char *name) {
        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
                if (!strcmp(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

/* A word of a message: short, and printable. */
struct quote {
        char text[48];
};

static struct quote quote(const char *text) {
        struct quote quote;

        text_set(quote.text, sizeof(quote.text), text);
        return quote;
}

int configuration_set(struct configuration *configuration, const char *name, const char *value,
                      char ret_why[static CONFIGURATION_WHY_MAX]) {
        const struct key *key = find_key(name);
        const char *why = "";
        int r;

        if (!key) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "there is no key %s", quote(name).text);
                return -EINVAL;
        }
        if (!*value) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "%s has no value", name);
                return -EINVAL;
        }
        if (strlen(value) >= CONFIGURATION_VALUE_MAX) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "%s: its value is too long", name);
                return -EINVAL;
        }
        r = key->take(configuration, value, &why);
        if (r == -EINVAL)
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "%s = %s: %s", name, quote(value).text, why);
        return r;
}

void configuration_clear(struct configuration *configuration, const char *name) {
        if (!strcmp(name, "take_monitors"))
                list_clear(&configuration->take_monitors);
        else if (!strcmp(name, "hook"))
                list_clear(&configuration->hooks);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the line's own text: before its comment, which begins the line or follows a blank. */
static const char *find_comment(const char *from, const char *to) {
        for (const char *at = from; at < to; at++)
                if (*at == '#' && (at == from || is_blank(at[-1])))
                        return at;
        return to;
}

/* Copy without the blanks at both ends.  false: there is no room, or it is no text. */
static bool take_word(char *ret_word, size_t n_ret, const char *from, const char *to) {
        size_t n;

        while (from < to && is_blank(*from))
                from++;
        while (from < to && is_blank(to[-1]))
                to--;
        n = (size_t)(to - from);
        if (n >= n_ret)
                return false;
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)from[i] < ' ' && from[i] != '\t') || from[i] == 0x7f)
                        return false;
        memcpy(ret_word, from, n);
        ret_word[n] = '\0';
        return true;
}

struct reading {
        struct configuration *configuration;
        unsigned set_by_line[N_ELEMENTS(keys)]; /* 0: not yet */
};

static int read_line(struct reading *reading, unsigned line, const char *from, const char *to,
                     char ret_why[static CONFIGURATION_WHY_MAX]) {
        char name[64], value[CONFIGURATION_VALUE_MAX];
        const struct key *key;
        const char *equals;
        int r;

        to = find_comment(from, to);
        while (from < to && is_blank(*from))
                from++;
        if (from == to)
                return 0;
        equals = memchr(from, '=', (size_t)(to - from));
        if (!equals || !take_word(name, sizeof(name), from, equals) || !*name) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "KEY = VALUE is wanted");
                return -EINVAL;
        }
        if (!take_word(value, sizeof(value), equals + 1, to)) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "%s: its value is too long, or no text", quote(name).text);
                return -EINVAL;
        }
        key = find_key(name);
        if (key && !key->is_list && reading->set_by_line[key - keys]) {
                snprintf(ret_why, CONFIGURATION_WHY_MAX, "%s was set in line %u already", name,
                         reading->set_by_line[key - keys]);
                return -EINVAL;
        }
        r = configuration_set(reading->configuration, name, value, ret_why);
        if (!r)
                reading->set_by_line[key - keys] = line;
        return r;
}

int configuration_read(struct configuration *configuration, const char *text, size_t n_text,
                       void (*complain)(unsigned line, const char *why, void *userdata), void *userdata) {
        const char *at = text, *end = text + n_text;
        struct reading reading = { .configuration = configuration };
        unsigned n_complaints = 0;

        if (n_text > CONFIGURATION_FILE_MAX) {
                complain(0, "it is longer than 64 KiB, and so no configuration", userdata);
                return -EINVAL;
        }
        for (unsigned line = 1; at < end && n_complaints < COMPLAINTS_MAX; line++) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                const char *to = newline ? newline : end;
                char why[CONFIGURATION_WHY_MAX];
                int r = read_line(&reading, line, at, to, why);

                if (r == -EINVAL) {
                        complain(line, why, userdata);
                        n_complaints++;
                } else if (r) {
                        return r;
                }
                at = newline ? newline + 1 : end;
        }
        return n_complaints ? -EINVAL : 0;
}
