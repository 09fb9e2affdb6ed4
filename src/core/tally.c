#include "core/scene.h"
#include "core/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tally_burst {
        struct tally_burst *next;
        enum evidence_source source;
        enum evidence_kind kind;
        uint64_t last_ns;      /* of the newest fact */
        uint64_t let_out_ns;   /* when what is held goes out; 0: nothing is held */
        uint64_t hold_ns;      /* how long it is held the next time */
        unsigned n_passed;
        uint64_t n_omitted;    /* beyond the ring */
        struct evidence *ring; /* owned; the newest TALLY_KEEP; NULL: nothing is held */
        size_t n_ring;
        size_t ring_next;
};

static void burst_free(struct tally_burst *burst) {
        for (size_t i = 0; burst->ring && i < TALLY_KEEP; i++)
                evidence_deinit(&burst->ring[i]);
        free(burst->ring);
        free(burst);
}

void tally_deinit(struct tally *tally) {
        while (tally->bursts) {
                struct tally_burst *burst = tally->bursts;

                tally->bursts = burst->next;
                burst_free(burst);
        }
}

/* How long before; 0 for a fact that happened earlier than the one before it. */
static uint64_t since_ns(uint64_t before_ns, uint64_t now_ns) {
        return now_ns > before_ns ? now_ns - before_ns : 0;
}

/* What comes before a reset, and says whose it will be. */
static void note_way(struct tally *tally, const struct evidence *e) {
        if (e->kind == EVIDENCE_POWERDOWN || e->kind == EVIDENCE_GUEST_PANICKED || e->kind == EVIDENCE_GUEST_CRASHLOADED) {
                tally->since.will_answer = true;
                tally->since.asked_ns = e->at_ns;
        } else if (evidence_changes_vm(e) && e->kind != EVIDENCE_RESET) {
                tally->since.is_another_story = true;
        } else if (e->kind == EVIDENCE_WATCHDOG && says(e, "reset")) {
                tally->since.has_watchdog_fired = true;
                tally->since.watchdog_ns = e->at_ns;
        } else if (e->flag == TRISTATE_TRUE && way_to_reset(e) &&
                   (!tally->since.way || since_ns(tally->since.way_ns, e->at_ns) > WRITE_ACTS_WITHIN_NS)) {
                /* The first of several that a reboot tries. */
                tally->since.way = way_to_reset(e);
                tally->since.way_ns = e->at_ns;
        }
}

/* A button that was pressed long ago does not count. */
static bool is_an_answer(const struct tally *tally, const struct evidence *reset) {
        return tally->since.will_answer && since_ns(tally->since.asked_ns, reset->at_ns) <= judge_settings_default.button_likely_ns;
}

static const char *way_of(const struct tally *tally, const struct evidence *reset) {
        return since_ns(tally->since.way_ns, reset->at_ns) <= WRITE_ACTS_WITHIN_NS ? tally->since.way : NULL;
}

/* QEMU says once a second at most that the watchdog has fired. */
static bool is_by_watchdog(const struct tally *tally, const struct evidence *reset) {
        uint64_t since = since_ns(tally->since.watchdog_ns, reset->at_ns);

        return tally->since.has_watchdog_fired ? since <= WATCHDOG_ACTS_WITHIN_NS : tally->firmware.by_watchdog && since <= SECOND_NS;
}

/* A loop is a guest's own, for one reason and in one way; a reset whose way was not seen is like the others. */
static bool goes_on_resetting(const struct tally *tally, const struct evidence *reset) {
        const char *way = way_of(tally, reset);

        if (!tally->firmware.number || since_ns(tally->firmware.began_ns, reset->at_ns) >= TALLY_QUIET_NS)
                return false;
        if (reset->flag == TRISTATE_FALSE || strcmp(tally->firmware.reason, reset->word) || tally->since.is_another_story ||
            tally->firmware.is_alone || is_an_answer(tally, reset))
                return false;
        return is_by_watchdog(tally, reset) == tally->firmware.by_watchdog && (!way || !tally->firmware.way || way == tally->firmware.way);
}

static void begin_firmware_start(struct tally *tally, const struct evidence *reset, int64_t number) {
        const char *way = way_of(tally, reset);

        if (way || number == 1)
                tally->firmware.way = way;
        tally->firmware.by_watchdog = is_by_watchdog(tally, reset);
        tally->firmware.began_ns = reset->at_ns;
        tally->firmware.number = number;
        memcpy(tally->firmware.reason, reset->word, sizeof(tally->firmware.reason));
        tally->firmware.is_alone = is_an_answer(tally, reset);
        tally->since.is_another_story = tally->since.will_answer = false;
        tally->since.has_watchdog_fired = false;
}

/* The firmware's own reset of the guest that it starts: never the host's. */
static bool is_of_firmware_start(const struct tally *tally, const struct evidence *reset) {
        return tally->firmware.number > 0 && reset->flag != TRISTATE_FALSE && since_ns(tally->firmware.began_ns, reset->at_ns) < FIRMWARE_START_NS;
}

static void number_firmware_start(struct tally *tally, struct evidence *reset) {
        if (!is_of_firmware_start(tally, reset))
                begin_firmware_start(tally, reset, goes_on_resetting(tally, reset) ? tally->firmware.number + 1 : 1);
        tally->since.way = NULL;
        reset->number = tally->firmware.number;
}

void tally_take_up(struct tally *tally, const struct evidence *evidence) {
        if (evidence->kind != EVIDENCE_RESET || evidence->number <= 0) {
                note_way(tally, evidence);
                return;
        }
        if (tally->firmware.number != evidence->number || !is_of_firmware_start(tally, evidence))
                begin_firmware_start(tally, evidence, evidence->number);
        tally->since.way = NULL;
}

/* Whoever asks vmpower for a reset waits for it, and it is told at once; each has a record of his request's own, so there are no more of these than of those. */
static void note_request(struct tally *tally, const struct evidence *e) {
        if (!says(e, "system_reset"))
                return;
        if (e->kind == EVIDENCE_REQUEST)
                tally->n_asked++;
        else if (e->kind == EVIDENCE_REFUSED && tally->n_asked)
                tally->n_asked--;
}

static bool is_asked_for(const struct tally *tally, const struct evidence *evidence) {
        return evidence->kind == EVIDENCE_RESET && evidence->flag == TRISTATE_FALSE && tally->n_asked;
}

static bool is_quiet(const struct tally_burst *burst, uint64_t now_ns) {
        return !burst->let_out_ns && since_ns(burst->last_ns, now_ns) >= TALLY_QUIET_NS;
}

static struct tally_burst *find_burst(const struct tally *tally, const struct evidence *evidence) {
        for (struct tally_burst *burst = tally->bursts; burst; burst = burst->next)
                if (burst->kind == evidence->kind && burst->source == evidence->source)
                        return burst;
        return NULL;
}

static struct tally_burst *add_burst(struct tally *tally, const struct evidence *evidence) {
        struct tally_burst *burst = calloc(1, sizeof(*burst));

        if (!burst)
                return NULL;
        burst->next = tally->bursts;
        burst->source = evidence->source;
        burst->kind = evidence->kind;
        burst->hold_ns = TALLY_QUIET_NS;
        tally->bursts = burst;
        return burst;
}

static void forget_quiet_bursts(struct tally *tally, uint64_t now_ns) {
        for (struct tally_burst **at = &tally->bursts; *at;) {
                struct tally_burst *burst = *at;

                if (!is_quiet(burst, now_ns)) {
                        at = &burst->next;
                        continue;
                }
                *at = burst->next;
                burst_free(burst);
        }
}

static bool is_held_back(const struct tally *tally, const struct evidence *evidence) {
        const struct tally_burst *burst = find_burst(tally, evidence);

        return evidence_may_burst(evidence) && burst && burst->n_passed == TALLY_KEEP &&
               !is_quiet(burst, evidence->at_ns) && !is_asked_for(tally, evidence);
}

/* So is what comes of any other request: one fact of each kind. */
static void let_one_pass(struct tally *tally) {
        for (struct tally_burst *burst = tally->bursts; burst; burst = burst->next)
                if (burst->n_passed == TALLY_KEEP && burst->kind != EVIDENCE_RESET)
                        burst->n_passed--;
}

bool tally_is_overtaken(const struct tally *tally, const struct evidence *evidence) {
        if (tally_next_deadline(tally) == UINT64_MAX)
                return false;
        return (evidence_changes_vm(evidence) || evidence_ends_process(evidence)) && !is_held_back(tally, evidence);
}

int tally_offer(struct tally *tally, struct evidence *evidence) {
        struct tally_burst *burst;

        if (evidence->kind == EVIDENCE_RESET)
                number_firmware_start(tally, evidence);
        else
                note_way(tally, evidence);
        note_request(tally, evidence);
        if (is_asked_for(tally, evidence)) {
                tally->n_asked--;
                return 0;
        }
        if (evidence->kind == EVIDENCE_REQUEST)
                let_one_pass(tally);
        forget_quiet_bursts(tally, evidence->at_ns);
        if (!evidence_may_burst(evidence))
                return 0;

        burst = find_burst(tally, evidence);
        if (!burst)
                burst = add_burst(tally, evidence);
        if (!burst)
                return -ENOMEM;
        if (evidence->at_ns > burst->last_ns)
                burst->last_ns = evidence->at_ns;
        if (burst->n_passed < TALLY_KEEP) {
                burst->n_passed++;
                return 0;
        }

        if (!burst->ring)
                burst->ring = calloc(TALLY_KEEP, sizeof(*burst->ring));
        if (!burst->ring)
                return -ENOMEM;
        if (!burst->let_out_ns)
                burst->let_out_ns = evidence->at_ns + burst->hold_ns;
        if (burst->n_ring == TALLY_KEEP) {
                evidence_deinit(&burst->ring[burst->ring_next]);
                burst->n_omitted++;
        } else {
                burst->n_ring++;
        }
        burst->ring[burst->ring_next] = *evidence;
        burst->ring_next = (burst->ring_next + 1) % TALLY_KEEP;
        return TALLY_HELD;
}

uint64_t tally_next_deadline(const struct tally *tally) {
        uint64_t next = UINT64_MAX;

        for (const struct tally_burst *burst = tally->bursts; burst; burst = burst->next)
                if (burst->let_out_ns && burst->let_out_ns < next)
                        next = burst->let_out_ns;
        return next;
}

static struct evidence *oldest_of(const struct tally_burst *burst) {
        if (!burst->n_ring)
                return NULL;
        return &burst->ring[(burst->ring_next + TALLY_KEEP - burst->n_ring) % TALLY_KEEP];
}

static struct tally_burst *burst_with_oldest(const struct tally *tally) {
        struct tally_burst *found = NULL;

        for (struct tally_burst *burst = tally->bursts; burst; burst = burst->next)
                if (burst->n_ring && (!found || evidence_is_before(oldest_of(burst), oldest_of(found))))
                        found = burst;
        return found;
}

static struct evidence make_omitted(const struct tally_burst *burst) {
        struct evidence omitted = evidence_make(burst->source, EVIDENCE_OMITTED);
        const struct evidence *oldest = oldest_of(burst);

        omitted.at_ns = oldest->at_ns;
        omitted.time_ns = oldest->time_ns;
        omitted.seq = oldest->seq;
        omitted.number = (int64_t)burst->n_omitted;
        evidence_set_word(&omitted, evidence_kind_info(burst->kind)->name);
        return omitted;
}

void tally_let_out(struct tally *tally, uint64_t now_ns, bool all, void (*each)(struct evidence *evidence, void *userdata),
                   void *userdata) {
        struct tally_burst *burst;

        if (!all && tally_next_deadline(tally) > now_ns)
                return;
        while ((burst = burst_with_oldest(tally))) {
                struct evidence *oldest = oldest_of(burst), fact;

                if (burst->n_omitted) {
                        fact = make_omitted(burst);
                        burst->n_omitted = 0;
                        each(&fact, userdata);
                }
                fact = *oldest;
                *oldest = (struct evidence){ 0 };
                burst->n_ring--;
                each(&fact, userdata);
        }
        for (burst = tally->bursts; burst; burst = burst->next) {
                if (!burst->let_out_ns)
                        continue;
                free(burst->ring);
                burst->ring = NULL;
                burst->ring_next = 0;
                burst->let_out_ns = 0;
                burst->hold_ns = burst->hold_ns * 2 < TALLY_HOLD_MAX_NS ? burst->hold_ns * 2 : TALLY_HOLD_MAX_NS;
        }
}
