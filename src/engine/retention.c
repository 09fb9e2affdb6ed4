#include "engine/retention.h"
#include "basics/cleanup.h"
#include "sources/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_USEC   UINT64_C(86400000000)
#define AGAIN_USEC UINT64_C(600000000) /* after a failure */
#define REST_USEC  UINT64_C(50000)     /* between two steps, several times as long as one takes */

struct retention {
        struct retention_config config;
        struct store *store;
        sd_event_source *timer;
        struct store_pruning pruning;
        bool is_running;
        bool is_in_flight;
        void (*trouble)(const char *line, void *userdata);
        void *userdata;
};

/* Nothing depends on the second: the kernel may put it together with other wakeups. */
static void wait_for(struct retention *retention, uint64_t usec) {
        sd_event_source_set_time_relative(retention->timer, usec);
        sd_event_source_set_enabled(retention->timer, SD_EVENT_ONESHOT);
}

static void on_step_done(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct retention *retention = userdata;
        char line[STORE_WHY_MAX + 32];

        retention->is_in_flight = false;
        if (result) {
                snprintf(line, sizeof(line), "old evidence could not be pruned: %s", why);
                retention->trouble(line, retention->userdata);
                wait_for(retention, AGAIN_USEC);
                return;
        }
        retention->pruning = store_batch_pruning(batch);
        retention->is_running = !retention->pruning.is_done;
        wait_for(retention, retention->is_running ? REST_USEC : DAY_USEC);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        struct retention *retention = userdata;
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        int r;

        if (!retention->is_running) {
                const uint64_t now_ns = source_time_ns();

                const struct retention_config *config = &retention->config;

                retention->pruning = (struct store_pruning){ .now_ns = now_ns };
                retention->pruning.keep.before_ns = config->age_ns && config->age_ns < now_ns ? now_ns - config->age_ns : 0;
                retention->pruning.keep.n_bytes_max = config->n_bytes_max ? config->n_bytes_max : UINT64_MAX;
                retention->is_running = true;
        }
        r = store_batch_new(&batch);
        if (!r)
                r = store_batch_prune(batch, &retention->pruning);
        if (!r)
                r = store_submit(retention->store, batch, on_step_done, retention);
        if (r) {
                wait_for(retention, AGAIN_USEC);
                return 0;
        }
        take_pointer(batch);
        retention->is_in_flight = true;
        return 0;
}

/* A clock that was set back makes nobody wait for longer than a day. */
static uint64_t due_in_usec(uint64_t pruned_ns) {
        const uint64_t now_ns = source_time_ns(), age_usec = now_ns > pruned_ns ? (now_ns - pruned_ns) / 1000 : 0;

        return age_usec < DAY_USEC ? DAY_USEC - age_usec : 0;
}

int retention_new(struct retention **ret_retention, sd_event *event, struct store *store, const struct retention_config *config,
                  void (*trouble)(const char *line, void *userdata), void *userdata) {
        struct retention *retention;
        struct store_status status;
        char why[STORE_WHY_MAX];
        int r;

        r = store_read_status(store, &status, why);
        if (r)
                return r;
        retention = calloc(1, sizeof(*retention));
        if (!retention)
                return -ENOMEM;
        retention->store = store;
        retention->config = *config;
        retention->trouble = trouble;
        retention->userdata = userdata;
        r = sd_event_add_time_relative(event, &retention->timer, CLOCK_BOOTTIME, due_in_usec(status.pruned_ns), 0, on_due,
                                       retention);
        if (r < 0) {
                free(retention);
                return r;
        }
        *ret_retention = retention;
        return 0;
}

struct retention *retention_free(struct retention *retention) {
        if (!retention)
                return NULL;
        while (retention->is_in_flight)
                store_drain(retention->store);
        sd_event_source_disable_unref(retention->timer);
        free(retention);
        return NULL;
}
