/*
 * Fuzz: any bytes as vmpowerd's configuration file.
 *
 * The laws: what is wrong is said, with a line that is there, in a short printable line; what is taken is within its bounds; what was
 * taken once is taken again with the same outcome.
 */
#include <stdint.h>
#include <string.h>

#include "basics/cleanup.h"
#include "daemon/configuration.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
        unsigned n_lines, last_line, n;
};

static void hear(unsigned line, const char *why, void *userdata) {
        struct heard *heard = userdata;
        size_t n = strnlen(why, CONFIGURATION_WHY_MAX);

        law(line <= heard->n_lines && (line > heard->last_line || !line));
        law(n > 0 && n < CONFIGURATION_WHY_MAX);
        for (size_t i = 0; i < n; i++)
                law((unsigned char)why[i] >= ' ' && why[i] != 0x7f);
        heard->last_line = line;
        heard->n++;
}

static void check_list(const struct configuration_list *list) {
        law(list->n <= CONFIGURATION_LIST_MAX);
        for (size_t i = 0; i < list->n; i++)
                law(list->items[i][0] == '/' && strlen(list->items[i]) < CONFIGURATION_VALUE_MAX);
}

static void check(const struct configuration *configuration) {
        check_list(&configuration->take_monitors);
        check_list(&configuration->hooks);
        law(strnlen(configuration->metrics_host, sizeof(configuration->metrics_host)) < sizeof(configuration->metrics_host));
        law(!*configuration->metrics_host == !*configuration->metrics_port);
        law(configuration->hooks_at_once >= 1 && configuration->hooks_at_once <= 64);
        law(configuration->hook_timeout_ns > 0 && configuration->journald <= JOURNALD_OFF);
        law(configuration->retention_days <= 36500 && configuration->retention_size <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        cleanup(configuration_deinit) struct configuration configuration, again;
        struct heard first = { .n_lines = 1 }, second;
        int r;

        for (size_t i = 0; i < size; i++)
                first.n_lines += data[i] == '\n';
        second = first;
        configuration_init(&configuration);
        configuration_init(&again);
        r = configuration_read(&configuration, (const char *)data, size, hear, &first);
        law(!r == !first.n);
        check(&configuration);
        law(configuration_read(&again, (const char *)data, size, hear, &second) == r && first.n == second.n);
        law(again.hooks.n == configuration.hooks.n && again.halt_after_ns == configuration.halt_after_ns);
        return 0;
}
