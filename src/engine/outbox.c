#include "engine/outbox.h"

#include "basics/cleanup.h"
#include "engine/outbox_lane.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct outbox {
        sd_event *event;
        struct store *store;
        struct outbox_config config;
        struct outbox_events events;
        uint64_t last; /* the number of the newest verdict that is known */
        struct lane *lanes;
};

int outbox_new(struct outbox **ret_outbox, sd_event *event, struct store *store, const struct outbox_config *config,
               const struct outbox_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct outbox *outbox = calloc(1, sizeof(*outbox));
        int r;

        if (!outbox) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        outbox->event = sd_event_ref(event);
        outbox->store = store;
        outbox->events = *events;
        outbox->config = *config;
        if (!outbox->config.retry_ns)
                outbox->config.retry_ns = UINT64_C(1000000000);
        if (!outbox->config.retry_max_ns)
                outbox->config.retry_max_ns = UINT64_C(60000000000);
        if (!outbox->config.attempts_max)
                outbox->config.attempts_max = 5;
        if (!outbox->config.ahead_max)
                outbox->config.ahead_max = 256;
        r = store_last_number(store, &outbox->last, ret_why);
        if (r) {
                outbox_free(outbox);
                return r;
        }
        *ret_outbox = outbox;
        return 0;
}

struct outbox *outbox_free(struct outbox *outbox) {
        if (!outbox)
                return NULL;
        while (outbox->lanes) {
                struct lane *lane = outbox->lanes;

                outbox->lanes = lane->next;
                lane_free(lane);
        }
        sd_event_unref(outbox->event);
        free(outbox);
        return NULL;
}

static struct lane *find_lane(const struct outbox *outbox, const char *name) {
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next)
                if (!strcmp(lane->outlet->name, name))
                        return lane;
        return NULL;
}

int outbox_add(struct outbox *outbox, struct outlet *outlet, char ret_why[static STORE_WHY_MAX]) {
        struct lane *lane, **at = &outbox->lanes;
        int r;

        if (find_lane(outbox, outlet->name)) {
                snprintf(ret_why, STORE_WHY_MAX, "%.256s: it is told already", outlet->name);
                outlet->ops->close(outlet);
                return -EEXIST;
        }
        r = lane_new(&lane, outlet, outbox->event, outbox->store, &outbox->config, &outbox->events, &outbox->last, ret_why);
        if (r)
                return r;
        while (*at)
                at = &(*at)->next;
        *at = lane;
        lane_wake(lane);
        return 0;
}

struct forgetting {
        const struct outbox *outbox;
        const char *beginning;
        struct store_batch *batch;
};

static int forget_one(const char *outlet, uint64_t told, void *userdata) {
        struct forgetting *forgetting = userdata;

        if (strncmp(outlet, forgetting->beginning, strlen(forgetting->beginning)) || find_lane(forgetting->outbox, outlet))
                return 0;
        return store_batch_forget_outlet(forgetting->batch, outlet);
}

int outbox_forget_others(struct outbox *outbox, const char *beginning, char ret_why[static STORE_WHY_MAX]) {
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        struct forgetting forgetting = { outbox, beginning, NULL };
        int r = store_batch_new(&batch);

        snprintf(ret_why, STORE_WHY_MAX, "out of memory");
        if (r)
                return r;
        forgetting.batch = batch;
        r = store_each_outlet(outbox->store, forget_one, &forgetting, ret_why);
        if (r || store_batch_is_empty(batch))
                return r;
        r = store_submit(outbox->store, batch, NULL, NULL);
        if (!r)
                take_pointer(batch);
        return r;
}

void outbox_publish(struct outbox *outbox, const struct verdict_record *record) {
        if (record->number > outbox->last)
                outbox->last = record->number;
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next)
                lane_publish(lane, record);
}

int outbox_look(struct outbox *outbox, char ret_why[static STORE_WHY_MAX]) {
        uint64_t last;
        int r = store_last_number(outbox->store, &last, ret_why);

        if (r)
                return r;
        if (last <= outbox->last)
                return 0;
        outbox->last = last;
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next)
                lane_wake(lane);
        return 0;
}

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void outbox_settle(struct outbox *outbox, uint64_t timeout_ns) {
        uint64_t until = now_ns() + timeout_ns;

        /* First nobody begins anything more, then each is waited for: all of them end in the same time. */
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next)
                lane->is_ending = true;
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next) {
                uint64_t now = now_ns();

                lane_settle(lane, now < until ? until - now : 0);
        }
        /* A cursor that moved while it was written is written again. */
        store_drain(outbox->store);
}

void outbox_each(const struct outbox *outbox, void (*each)(const struct outbox_state *state, void *userdata), void *userdata) {
        for (struct lane *lane = outbox->lanes; lane; lane = lane->next) {
                uint64_t cursor = lane_cursor(lane);
                const struct outbox_state state = {
                        .outlet = lane->outlet->name,
                        .told = lane->n_told,
                        .failures = lane->n_failures,
                        .skipped = lane->n_skipped,
                        .behind = outbox->last > cursor ? outbox->last - cursor : 0,
                };

                each(&state, userdata);
        }
}
