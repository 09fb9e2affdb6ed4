#include "outlets/hook_outlet.h"

#include "basics/cleanup.h"
#include "json/verdict_json.h"
#include "outlets/hook_process.h"
#include "outlets/verdict_fields.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct run {
        struct run *next;
        struct hook_outlet *hook;
        struct hook_process *process;
        uint64_t number;
};

struct hook_outlet {
        struct outlet outlet; /* the first: it is one */
        sd_event *event;
        struct hook_config config;
        char *name; /* owned; the path is what follows the prefix */
        struct run *runs;
};

static const char *path_of(const struct hook_outlet *hook) {
        return hook->name + strlen(HOOK_OUTLET_PREFIX);
}

/* --- what it gets ------------------------------------------------------------------------------------------------ */

struct environment {
        char **items; /* NULL at the end */
        size_t n, n_max;
        bool has_failed;
};

static void environment_deinit(struct environment *environment) {
        for (size_t i = 0; i < environment->n; i++)
                free(environment->items[i]);
        free(environment->items);
}

/* Takes the text over; NULL is a text that there was no memory for. */
static void environment_add(struct environment *environment, char *text) {
        char **items = environment->items;

        if (text && environment->n + 1 >= environment->n_max) {
                environment->n_max = environment->n_max ? 2 * environment->n_max : 32;
                items = reallocarray(items, environment->n_max, sizeof(*items));
        }
        if (!text || !items) {
                environment->has_failed = true;
                free(text);
                return;
        }
        environment->items = items;
        items[environment->n++] = text;
        items[environment->n] = NULL;
}

static void add_field(const char *name, const char *value, void *userdata) {
        char *text;

        environment_add(userdata, asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text);
}

static int make_environment(const struct hook_outlet *hook, const struct verdict_record *record, struct environment *ret) {
        environment_add(ret, strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        for (const char *const *item = hook->config.environment; item && *item; item++)
                environment_add(ret, strdup(*item));
        add_field("VMPOWER_SUMMARY", record->summary, ret);
        verdict_fields_each(record, add_field, ret);
        return ret->has_failed ? -ENOMEM : 0;
}

static int write_all(int fd, const char *text, size_t n) {
        while (n) {
                ssize_t n_written = write(fd, text, n);

                if (n_written < 0 && errno != EINTR)
                        return -errno;
                if (n_written > 0) {
                        text += n_written;
                        n -= (size_t)n_written;
                }
        }
        return 0;
}

/* A file without a name, to be read at leisure: nobody waits for a hook that does not read, and nobody else can change it. */
static int make_input(const struct verdict_record *record, int *ret_fd) {
        cleanup(json_decrefp) json_t *json = NULL;
        cleanup(freep) char *text = NULL;
        cleanup(closep) int fd = -1;
        int r;

        r = verdict_record_to_json(record, &json);
        if (r)
                return r;
        text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
        if (!text)
                return -ENOMEM;
        fd = memfd_create("verdict", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (!r)
                r = write_all(fd, "\n", 1);
        if (r)
                return r;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* --- its runs ---------------------------------------------------------------------------------------------------- */

static void run_free(struct run *run) {
        struct run **at = &run->hook->runs;

        while (*at != run)
                at = &(*at)->next;
        *at = run->next;
        hook_process_free(run->process);
        free(run);
}

static void on_ended(struct hook_process *process, int result, const char *why, void *userdata) {
        struct run *run = userdata;
        struct hook_outlet *hook = run->hook;
        uint64_t number = run->number;

        snprintf(hook->outlet.why, sizeof(hook->outlet.why), "%s", why);
        run_free(run);
        hook->outlet.sink.done(hook->outlet.sink.userdata, number, result);
}

static int start(struct hook_outlet *hook, struct run *run, const struct verdict_record *record) {
        cleanup(environment_deinit) struct environment environment = {};
        cleanup(closep) int input = -1;
        int r;

        r = make_environment(hook, record, &environment);
        if (!r)
                r = make_input(record, &input);
        return r ? r : hook_process_start(&run->process, hook->event, path_of(hook), environment.items, input,
                                          hook->config.timeout_ns, on_ended, run);
}

/* There is no room for one process more: that is no failure of the hook's, nor of this verdict's. */
static bool is_shortage(int r) {
        return r == -EAGAIN || r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

static int hook_tell(struct outlet *outlet, const struct verdict_record *record) {
        struct hook_outlet *hook = (struct hook_outlet *)outlet;
        struct run *run = calloc(1, sizeof(*run));
        int r = -ENOMEM;

        if (run) {
                run->hook = hook;
                run->number = record->number;
                r = start(hook, run, record);
        }
        if (r) {
                free(run);
                snprintf(outlet->why, sizeof(outlet->why), "it could not be started: %s", strerror(-r));
                return is_shortage(r) ? OUTLET_AWAY : r;
        }
        run->next = hook->runs;
        hook->runs = run;
        return OUTLET_STARTED;
}

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void hook_settle(struct outlet *outlet, uint64_t timeout_ns) {
        struct hook_outlet *hook = (struct hook_outlet *)outlet;
        uint64_t until = now_ns() + timeout_ns;

        for (struct run *run = hook->runs, *next; run; run = next) {
                uint64_t now = now_ns();

                next = run->next;
                hook_process_wait(run->process, now < until ? until - now : 0);
        }
}

static struct outlet *hook_close(struct outlet *outlet) {
        struct hook_outlet *hook = (struct hook_outlet *)outlet;

        if (!hook)
                return NULL;
        while (hook->runs)
                run_free(hook->runs);
        sd_event_unref(hook->event);
        free(hook->name);
        free(hook);
        return NULL;
}

int hook_outlet_new(struct outlet **ret_outlet, sd_event *event, const char *path, const struct hook_config *config) {
        static const struct outlet_ops ops = { hook_tell, hook_settle, hook_close };
        struct hook_outlet *hook = calloc(1, sizeof(*hook));

        if (!hook || asprintf(&hook->name, HOOK_OUTLET_PREFIX "%s", path) < 0) {
                free(hook);
                return -ENOMEM;
        }
        hook->outlet = (struct outlet){ .ops = &ops, .name = hook->name, .at_once = config->at_once };
        hook->event = sd_event_ref(event);
        hook->config = *config;
        *ret_outlet = &hook->outlet;
        return 0;
}
