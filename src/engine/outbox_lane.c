#include "engine/outbox_lane.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum {
        READ_AT_ONCE = 32, /* then the loop goes round */
        STOP = 1,
};

#define WRITE_AGAIN_NS UINT64_C(1000000000)

struct cursor_write {
        struct lane *lane; /* NULL: it is no more */
        uint64_t number;
};

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void say(struct lane *lane, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct lane *lane, const char *format, ...) {
        char text[STORE_WHY_MAX], line[STORE_WHY_MAX + 192];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        snprintf(line, sizeof(line), "%.128s: %s", lane->outlet->name, text);
        lane->events->trouble(line, lane->events->userdata);
}

/* --- the cursor -------------------------------------------------------------------------------------------------- */

uint64_t lane_cursor(const struct lane *lane) {
        uint64_t cursor = lane->reached;

        for (size_t i = 0; i < lane->n_flights; i++)
                if (lane->flights[i].number && lane->flights[i].number <= cursor)
                        cursor = lane->flights[i].number - 1;
        return cursor;
}

static void lane_store(struct lane *lane);
static void lane_update_timer(struct lane *lane);

static void on_cursor_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct cursor_write *write = userdata;
        struct lane *lane = write->lane;

        free(write);
        if (!lane)
                return;
        lane->write = NULL;
        if (result) {
                /* What was told meanwhile is told again if we end before it is written: said once, until it is. */
                if (!lane->write_again_ns)
                        say(lane, "how far it is could not be written: %s", why);
                lane->write_again_ns = now_ns() + WRITE_AGAIN_NS;
                lane->stored = UINT64_MAX;
                lane_update_timer(lane);
                return;
        }
        lane->write_again_ns = 0;
        lane_store(lane);
}

/* One write at a time: a storm of verdicts moves the cursor once a commit. */
static void lane_store(struct lane *lane) {
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        cleanup(freep) struct cursor_write *write = NULL;
        uint64_t cursor = lane_cursor(lane);

        if (lane->write || cursor == lane->stored || (lane->write_again_ns && now_ns() < lane->write_again_ns))
                return;
        write = calloc(1, sizeof(*write));
        if (!write || store_batch_new(&batch) || store_batch_set_told(batch, lane->outlet->name, cursor))
                return;
        write->lane = lane;
        if (store_submit(lane->store, batch, on_cursor_stored, write)) {
                lane->write_again_ns = now_ns() + WRITE_AGAIN_NS;
                return;
        }
        take_pointer(batch);
        lane->stored = cursor;
        lane->write = take_pointer(write);
}

/* --- telling ----------------------------------------------------------------------------------------------------- */

static uint64_t back_off(const struct lane *lane, unsigned n_failures) {
        uint64_t wait_ns = lane->config->retry_ns;

        while (n_failures-- > 1 && wait_ns < lane->config->retry_max_ns)
                wait_ns *= 2;
        return now_ns() + (wait_ns < lane->config->retry_max_ns ? wait_ns : lane->config->retry_max_ns);
}

static struct flight *find_flight(struct lane *lane, uint64_t number) {
        for (size_t i = 0; i < lane->n_flights; i++)
                if (lane->flights[i].number == number)
                        return &lane->flights[i];
        return NULL;
}

static struct flight *add_flight(struct lane *lane, uint64_t number) {
        struct flight *flight = &lane->flights[lane->n_flights++];

        *flight = (struct flight){ .number = number };
        return flight;
}

static void remove_flight(struct lane *lane, struct flight *flight) {
        *flight = lane->flights[--lane->n_flights];
}

static void lane_has_told(struct lane *lane) {
        lane->n_told++;
        if (lane->n_away)
                say(lane, "it is told again");
        lane->n_away = 0;
        lane->away_until_ns = 0;
}

static void lane_is_away(struct lane *lane) {
        if (!lane->n_away)
                say(lane, "cannot be told just now, so verdicts wait: %s", lane->outlet->why);
        lane->n_away++;
        lane->n_failures++;
        lane->away_until_ns = back_off(lane, lane->n_away);
}

static void flight_has_failed(struct lane *lane, struct flight *flight) {
        lane->n_failures++;
        flight->attempts++;
        if (!flight->number || flight->attempts >= lane->config->attempts_max) {
                lane->n_skipped++;
                if (flight->number)
                        say(lane, "verdict %" PRIu64 " was not told, and is given up: %s", flight->number, lane->outlet->why);
                else
                        say(lane, "a verdict that is on no disk was not told: %s", lane->outlet->why);
                remove_flight(lane, flight);
                return;
        }
        if (flight->attempts == 1)
                say(lane, "verdict %" PRIu64 " was not told, and is tried again: %s", flight->number, lane->outlet->why);
        flight->retry_ns = back_off(lane, flight->attempts);
}

/* How it went with a verdict that has its place among the flights. */
static void flight_take(struct lane *lane, struct flight *flight, int result) {
        switch (result) {
        case 0:
                lane_has_told(lane);
                remove_flight(lane, flight);
                break;
        case OUTLET_STARTED:
                flight->retry_ns = 0;
                break;
        case OUTLET_FULL:
                lane->is_full = true;
                break;
        case OUTLET_AWAY:
                if (!flight->number) {
                        flight_has_failed(lane, flight);
                        break;
                }
                lane_is_away(lane);
                flight->retry_ns = lane->away_until_ns;
                break;
        default:
                flight_has_failed(lane, flight);
                break;
        }
}

static int lane_ask(struct lane *lane, const struct verdict_record *record) {
        lane->outlet->why[0] = '\0';
        return lane->outlet->ops->tell(lane->outlet, record);
}

static bool lane_is_waiting(const struct lane *lane) {
        return lane->is_ending || lane->is_full || lane->away_until_ns;
}

/* May one more be told at once?  One that waits to be tried again is not being told. */
static bool lane_has_slot(const struct lane *lane) {
        unsigned n_telling = 0;

        for (size_t i = 0; i < lane->n_flights; i++)
                n_telling += !lane->flights[i].retry_ns;
        return !lane_is_waiting(lane) && n_telling < lane->outlet->at_once;
}

/* One that was not begun yet?  Strictly one after the other: none goes past one that waits. */
static bool lane_may_begin(const struct lane *lane) {
        return lane_has_slot(lane) && lane->n_flights < (lane->outlet->at_once > 1 ? LANE_FLIGHTS_MAX : 1);
}

/* May the next one be begun? */
static bool lane_has_room(const struct lane *lane) {
        return lane_may_begin(lane) &&
               lane->reached - lane_cursor(lane) < lane->config->ahead_max;
}

/* Begin the next one.  Where the outlet takes none just now, it is not begun. */
static void lane_begin(struct lane *lane, const struct verdict_record *record) {
        int r = lane_ask(lane, record);

        if (r == OUTLET_FULL) {
                lane->is_full = true;
                return;
        }
        if (r == OUTLET_AWAY) {
                lane_is_away(lane);
                return;
        }
        lane->reached = record->number;
        flight_take(lane, add_flight(lane, record->number), r);
}

/* Nobody can look it up later: now, or never. */
static void lane_tell_unstored(struct lane *lane, const struct verdict_record *record) {
        bool has_room = lane_may_begin(lane);
        int r = has_room ? lane_ask(lane, record) : OUTLET_FULL;

        if (r == OUTLET_FULL) {
                lane->is_full = lane->is_full || has_room;
                lane->n_skipped++;
                say(lane, "a verdict that is on no disk was not told: %.256s", record->summary);
                return;
        }
        flight_take(lane, add_flight(lane, 0), r);
}

void lane_publish(struct lane *lane, const struct verdict_record *record) {
        if (!record->number) {
                lane_tell_unstored(lane, record);
        } else if (record->number > lane->reached) {
                if (record->number == lane->reached + 1 && lane_has_room(lane))
                        lane_begin(lane, record);
                else if (lane_has_room(lane))
                        lane_wake(lane);
        }
        lane_store(lane);
        lane_update_timer(lane);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

struct reading {
        struct lane *lane;
        unsigned n;
};

static int begin_read(const struct verdict_record *record, void *userdata) {
        struct reading *reading = userdata;

        lane_begin(reading->lane, record);
        return ++reading->n >= READ_AT_ONCE || !lane_has_room(reading->lane) ? STOP : 0;
}

static void lane_read(struct lane *lane) {
        struct reading reading = { .lane = lane };
        char why[STORE_WHY_MAX];
        int r;

        if (lane->reached >= *lane->last || !lane_has_room(lane))
                return;
        r = store_replay_verdicts(lane->store, lane->reached, *lane->last, NULL, begin_read, &reading, why);
        if (!r) {
                /* What is left has no verdict: numbers of another history. */
                if (!lane_is_waiting(lane))
                        lane->reached = *lane->last;
        } else if (r == -EBADMSG) {
                lane->n_skipped++;
                say(lane, "the verdict after %" PRIu64 " is passed over: %s", lane->reached, why);
                lane->reached++;
        } else if (r < 0) {
                snprintf(lane->outlet->why, sizeof(lane->outlet->why), "%.380s", why);
                lane_is_away(lane);
        }
}

static int retry_read(const struct verdict_record *record, void *userdata) {
        struct lane *lane = userdata;

        flight_take(lane, find_flight(lane, record->number), lane_ask(lane, record));
        return STOP;
}

/* The next flight whose time has come. */
static struct flight *find_due(struct lane *lane, uint64_t now) {
        for (size_t i = 0; i < lane->n_flights; i++)
                if (lane->flights[i].retry_ns && lane->flights[i].retry_ns <= now)
                        return &lane->flights[i];
        return NULL;
}

static void lane_retry(struct lane *lane) {
        uint64_t now = now_ns();
        struct flight *flight;
        char why[STORE_WHY_MAX];

        if (lane->away_until_ns && lane->away_until_ns <= now)
                lane->away_until_ns = 0;
        for (size_t i = 0; i < LANE_FLIGHTS_MAX && lane_has_slot(lane) && (flight = find_due(lane, now)); i++) {
                uint64_t number = flight->number;
                int r = store_replay_verdicts(lane->store, number - 1, number, NULL, retry_read, lane, why);

                if (r == STOP)
                        continue;
                /* It cannot be read any more, or not now. */
                flight = find_flight(lane, number);
                snprintf(lane->outlet->why, sizeof(lane->outlet->why), "%.380s", r ? why : "it is not in the database any more");
                if (!r)
                        flight->attempts = lane->config->attempts_max;
                flight_has_failed(lane, flight);
        }
}

static bool lane_has_more(struct lane *lane) {
        return lane_has_room(lane) && lane->reached < *lane->last;
}

static void lane_go(struct lane *lane) {
        lane_retry(lane);
        lane_read(lane);
        lane_store(lane);
        lane_update_timer(lane);
        if (lane_has_more(lane))
                lane_wake(lane);
}

static int on_reader(sd_event_source *source, void *userdata) {
        lane_go(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct lane *lane = userdata;

        lane_go(lane);
        return 0;
}

static void lane_update_timer(struct lane *lane) {
        uint64_t next = UINT64_MAX;

        if (lane->is_ending)
                next = UINT64_MAX;
        else if (lane->away_until_ns)
                next = lane->away_until_ns;
        else if (lane_has_slot(lane))
                for (size_t i = 0; i < lane->n_flights; i++)
                        if (lane->flights[i].retry_ns && lane->flights[i].retry_ns < next)
                                next = lane->flights[i].retry_ns;
        if (lane->write_again_ns && !lane->write && lane->write_again_ns < next)
                next = lane->write_again_ns;
        if (next == UINT64_MAX) {
                sd_event_source_set_enabled(lane->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time(lane->timer, next / 1000 + 1);
        sd_event_source_set_enabled(lane->timer, SD_EVENT_ONESHOT);
}

void lane_wake(struct lane *lane) {
        sd_event_source_set_enabled(lane->reader, SD_EVENT_ONESHOT);
}

static void on_done(void *userdata, uint64_t number, int result) {
        struct lane *lane = userdata;
        struct flight *flight = find_flight(lane, number);

        if (!flight)
                return;
        flight_take(lane, flight, result);
        lane_store(lane);
        lane_update_timer(lane);
        if (lane_has_more(lane))
                lane_wake(lane);
}

static void on_ready(void *userdata) {
        struct lane *lane = userdata;

        lane->is_full = false;
        lane_update_timer(lane);
        lane_wake(lane);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

/* Where it goes on; or "now", which is written before any verdict that comes after it. */
static int lane_find_cursor(struct lane *lane, char ret_why[static STORE_WHY_MAX]) {
        int r = store_find_told(lane->store, lane->outlet->name, &lane->reached, ret_why);

        if (r && r != -ENOENT)
                return r;
        lane->stored = r ? UINT64_MAX : lane->reached;
        if (r || lane->reached > *lane->last)
                lane->reached = *lane->last;
        lane_store(lane);
        return 0;
}

int lane_new(struct lane **ret_lane, struct outlet *outlet, sd_event *event, struct store *store,
             const struct outbox_config *config, const struct outbox_events *events, const uint64_t *last,
             char ret_why[static STORE_WHY_MAX]) {
        struct lane *lane = calloc(1, sizeof(*lane));
        int r;

        if (!lane) {
                outlet->ops->close(outlet);
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        *lane = (struct lane){ .outlet = outlet, .store = store, .config = config, .events = events, .last = last };
        lane->event = sd_event_ref(event);
        outlet->sink = (struct outlet_sink){ on_done, on_ready, lane };
        if (outlet->at_once > LANE_FLIGHTS_MAX)
                outlet->at_once = LANE_FLIGHTS_MAX;
        r = sd_event_add_defer(event, &lane->reader, on_reader, lane);
        /* After all that is seen and judged: who looks after VMs stores what this wakeup brought at IDLE. */
        if (r >= 0)
                r = sd_event_source_set_priority(lane->reader, SD_EVENT_PRIORITY_IDLE + 10);
        if (r >= 0)
                r = sd_event_add_time(event, &lane->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, lane);
        if (r >= 0)
                r = sd_event_source_set_enabled(lane->timer, SD_EVENT_OFF);
        if (r < 0)
                snprintf(ret_why, STORE_WHY_MAX, "%.128s: %s", outlet->name, strerror(-r));
        else
                r = lane_find_cursor(lane, ret_why);
        if (r < 0) {
                lane_free(lane);
                return r;
        }
        *ret_lane = lane;
        return 0;
}

void lane_settle(struct lane *lane, uint64_t timeout_ns) {
        lane->is_ending = true;
        if (lane->outlet->ops->settle)
                lane->outlet->ops->settle(lane->outlet, timeout_ns);
        lane_store(lane);
}

struct lane *lane_free(struct lane *lane) {
        if (!lane)
                return NULL;
        lane->outlet->ops->close(lane->outlet);
        if (lane->write)
                lane->write->lane = NULL;
        sd_event_source_disable_unref(lane->reader);
        sd_event_source_disable_unref(lane->timer);
        sd_event_unref(lane->event);
        free(lane);
        return NULL;
}
