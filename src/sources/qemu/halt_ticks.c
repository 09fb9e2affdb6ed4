#include "sources/qemu/halt_ticks.h"

#include "sources/source.h"

#include <errno.h>
#include <stdlib.h>

/* So many ticks at once, before the loop looks at its other work: each reads a file of /proc for every vCPU. */
#define TICKS_AT_ONCE 32

/* So late it may be, to wake together with other timers. */
#define LATE_PART 8

struct halt_ticks {
        sd_event *event;
        sd_event_source *timer; /* NULL: nobody waits */
        sd_event_source *work;  /* on while a round is not through */
        struct halt_ticker *first;
        struct halt_ticker *at; /* the round's next */
        uint64_t period_ns;
        uint64_t now_ns; /* when the round began */
};

static int on_work(sd_event_source *source, void *userdata) {
        struct halt_ticks *ticks = userdata;

        for (size_t n = 0; ticks->at && n < TICKS_AT_ONCE; n++) {
                struct halt_ticker *ticker = ticks->at;

                ticks->at = ticker->next;
                /* Timers are late now by more, now by less: half a period decides. */
                if (ticker->last_ns && ticks->now_ns - ticker->last_ns + ticks->period_ns / 2 < ticker->every_ns)
                        continue;
                ticker->last_ns = ticks->now_ns;
                ticker->tick(ticker->userdata);
        }
        if (!ticks->at)
                sd_event_source_set_enabled(ticks->work, SD_EVENT_OFF);
        return 0;
}

static int on_timer(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct halt_ticks *ticks = userdata;

        /* A round that is not through goes on: begun anew each time, it would never come to its last. */
        if (!ticks->at) {
                ticks->now_ns = source_now_ns();
                ticks->at = ticks->first;
        }
        sd_event_source_set_enabled(ticks->work, SD_EVENT_ON);
        return sd_event_source_set_time_relative(timer, ticks->period_ns / 1000);
}

static void stop(struct halt_ticks *ticks) {
        ticks->timer = sd_event_source_disable_unref(ticks->timer);
        sd_event_source_set_enabled(ticks->work, SD_EVENT_OFF);
        ticks->period_ns = HALT_TICK_NS;
}

static int start(struct halt_ticks *ticks) {
        int r;

        r = sd_event_add_time_relative(ticks->event, &ticks->timer, CLOCK_MONOTONIC, ticks->period_ns / 1000,
                                       ticks->period_ns / 1000 / LATE_PART, on_timer, ticks);
        if (r >= 0)
                r = sd_event_source_set_enabled(ticks->timer, SD_EVENT_ON);
        return r < 0 ? r : 0;
}

int halt_ticks_add(struct halt_ticks *ticks, struct halt_ticker *ticker) {
        int r = 0;

        if (ticker->ticks)
                return 0;
        if (ticker->every_ns < ticks->period_ns) {
                ticks->timer = sd_event_source_disable_unref(ticks->timer);
                ticks->period_ns = ticker->every_ns;
        }
        if (!ticks->timer)
                r = start(ticks);
        if (r)
                return r;
        ticker->ticks = ticks;
        ticker->last_ns = 0;
        ticker->previous = NULL;
        ticker->next = ticks->first;
        if (ticks->first)
                ticks->first->previous = ticker;
        ticks->first = ticker;
        return 0;
}

void halt_ticks_remove(struct halt_ticker *ticker) {
        struct halt_ticks *ticks = ticker->ticks;

        if (!ticks)
                return;
        if (ticks->at == ticker)
                ticks->at = ticker->next;
        if (ticker->previous)
                ticker->previous->next = ticker->next;
        else
                ticks->first = ticker->next;
        if (ticker->next)
                ticker->next->previous = ticker->previous;
        ticker->ticks = NULL;
        ticker->next = ticker->previous = NULL;
        if (!ticks->first)
                stop(ticks);
}

int halt_ticks_new(struct halt_ticks **ret_ticks, sd_event *event) {
        struct halt_ticks *ticks = calloc(1, sizeof(*ticks));
        int r;

        if (!ticks)
                return -ENOMEM;
        ticks->event = sd_event_ref(event);
        ticks->period_ns = HALT_TICK_NS;
        r = sd_event_add_defer(event, &ticks->work, on_work, ticks);
        if (r >= 0)
                r = sd_event_source_set_enabled(ticks->work, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(ticks->work, SD_EVENT_PRIORITY_IDLE + 1);
        if (r < 0) {
                halt_ticks_free(ticks);
                return r;
        }
        *ret_ticks = ticks;
        return 0;
}

struct halt_ticks *halt_ticks_free(struct halt_ticks *ticks) {
        if (!ticks)
                return NULL;
        sd_event_source_disable_unref(ticks->timer);
        sd_event_source_disable_unref(ticks->work);
        sd_event_unref(ticks->event);
        free(ticks);
        return NULL;
}
