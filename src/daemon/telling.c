#include "daemon/telling.h"

#include "basics/cleanup.h"
#include "engine/directories.h"
#include "engine/outbox_watch.h"
#include "outlets/hook_directory.h"
#include "outlets/hook_outlet.h"
#include "outlets/journald_outlet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* So that a hook that asks `vmpower why` asks us. */
static const char *const passed_on[] = { "VMPOWER_STATE_DIR", "VMPOWER_RUN_DIR" };

struct telling {
        sd_event *event;
        struct outbox *outbox;
        struct outbox_watch *watch; /* NULL: it could not be had */
        struct outbox_events events;
        struct hook_config hooks;
        char *environment[N_ELEMENTS(passed_on) + 1]; /* owned */
        bool has_journal;
};

struct telling *telling_free(struct telling *telling) {
        if (!telling)
                return NULL;
        outbox_watch_free(telling->watch);
        outbox_free(telling->outbox);
        sd_event_unref(telling->event);
        for (size_t i = 0; telling->environment[i]; i++)
                free(telling->environment[i]);
        free(telling);
        return NULL;
}

struct outbox *telling_outbox(struct telling *telling) {
        return telling->outbox;
}

bool telling_has_journal(const struct telling *telling) {
        return telling->has_journal;
}

static void trouble(struct telling *telling, const char *line) {
        telling->events.trouble(line, telling->events.userdata);
}

static int add_journal(struct telling *telling, enum journald_use use, char ret_why[static STORE_WHY_MAX]) {
        struct outlet *outlet;
        int r;

        switch (use) {
        case JOURNALD_OFF:
                return outbox_forget_others(telling->outbox, "journald", ret_why);
        case JOURNALD_AUTO:
                if (access(JOURNALD_SOCKET, F_OK))
                        return 0;
                break;
        case JOURNALD_ON:
                break;
        }
        r = journald_outlet_new(&outlet, telling->event, JOURNALD_SOCKET);
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                return r;
        }
        telling->has_journal = true;
        return outbox_add(telling->outbox, outlet, ret_why);
}

static void on_hook(const char *path, void *userdata) {
        struct telling *telling = userdata;
        char why[STORE_WHY_MAX];
        struct outlet *outlet;
        int r;

        r = hook_outlet_new(&outlet, telling->event, path, &telling->hooks);
        if (r)
                snprintf(why, sizeof(why), "hook %.256s: %s", path, strerror(-r));
        else
                r = outbox_add(telling->outbox, outlet, why);
        if (r)
                trouble(telling, why);
}

static void on_refused(const char *path, const char *line, void *userdata) {
        trouble(userdata, line);
}

/* Only what was asked for must be there. */
static void add_hooks_of(struct telling *telling, const char *path, bool is_default) {
        const struct hook_directory_events events = { on_hook, on_refused, telling };
        char line[STORE_WHY_MAX];
        int r = hook_directory_look(path, &events);

        if (!r || (r == -ENOENT && is_default))
                return;
        snprintf(line, sizeof(line), "hook %.256s: %s", path, strerror(-r));
        trouble(telling, line);
}

static int add_hooks(struct telling *telling, const struct configuration *configuration, char ret_why[static STORE_WHY_MAX]) {
        char directory[PATH_MAX], path[PATH_MAX + 16];

        if (!config_directory(directory, sizeof(directory))) {
                snprintf(path, sizeof(path), "%s/hooks.d", directory);
                add_hooks_of(telling, path, true);
        }
        for (size_t i = 0; i < configuration->hooks.n; i++)
                add_hooks_of(telling, configuration->hooks.items[i], false);
        return outbox_forget_others(telling->outbox, HOOK_OUTLET_PREFIX, ret_why);
}

static void watch(struct telling *telling, const char *state_directory) {
        char line[STORE_WHY_MAX];
        int r = outbox_watch_new(&telling->watch, telling->event, telling->outbox, state_directory);

        if (!r)
                return;
        snprintf(line, sizeof(line), "verdicts of `vmpower run` are told late: %s", strerror(-r));
        trouble(telling, line);
}

static int pass_on(struct telling *telling) {
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(passed_on); i++) {
                const char *value = getenv(passed_on[i]);

                if (value && *value && asprintf(&telling->environment[n++], "%s=%s", passed_on[i], value) < 0) {
                        telling->environment[n - 1] = NULL;
                        return -ENOMEM;
                }
        }
        return 0;
}

int telling_new(struct telling **ret_telling, sd_event *event, struct store *store, const char *state_directory,
                const struct configuration *configuration, const struct outbox_events *events, char ret_why[static STORE_WHY_MAX]) {
        const struct outbox_config config = {};
        struct telling *telling = calloc(1, sizeof(*telling));
        int r = telling ? pass_on(telling) : -ENOMEM;

        snprintf(ret_why, STORE_WHY_MAX, "out of memory");
        if (!r) {
                telling->event = sd_event_ref(event);
                telling->events = *events;
                telling->hooks = (struct hook_config){
                        .timeout_ns = configuration->hook_timeout_ns,
                        .at_once = configuration->hooks_at_once,
                        .environment = (const char *const *)telling->environment,
                };
                r = outbox_new(&telling->outbox, event, store, &config, events, ret_why);
        }
        if (!r)
                r = add_journal(telling, configuration->journald, ret_why);
        if (!r)
                r = add_hooks(telling, configuration, ret_why);
        if (r) {
                telling_free(telling);
                return r;
        }
        watch(telling, state_directory);
        *ret_telling = telling;
        return 0;
}
