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

static void number_firmware_start(struct tally *tally, struct evidence *reset) {
        bool goes_on = tally->firmware.number > 0;
        uint64_t since = since_ns(tally->firmware.began_ns, reset->at_ns);

        if (goes_on && since < FIRMWARE_START_NS) {
                reset->number = tally->firmware.number;
                return;
        }
        /* A reset of another reason, the host's after the guest's own, is another story. */
        if (goes_on && since < TALLY_QUIET_NS && !strcmp(tally->firmware.reason, reset->word))
                tally->firmware.number++;
        else
                tally->firmware.number = 1;
        tally->firmware.began_ns = reset->at_ns;
        memcpy(tally->firmware.reason, reset->word, sizeof(tally->firmware.reason));
        reset->number = tally->firmware.number;
}

void tally_take_up(struct tally *tally, const struct evidence *evidence) {
        if (evidence->kind != EVIDENCE_RESET || evidence->number <= 0)
                return;
        if (tally->firmware.number == evidence->number && !strcmp(tally->firmware.reason, evidence->word) &&
            since_ns(tally->firmware.began_ns, evidence->at_ns) < FIRMWARE_START_NS)
                return;
        tally->firmware.began_ns = evidence->at_ns;
        tally->firmware.number = evidence->number;
        memcpy(tally->firmware.reason, evidence->word, sizeof(tally->firmware.reason));
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

        return evidence_traits(evidence->kind)->may_burst && burst && burst->n_passed == TALLY_KEEP &&
               !is_quiet(burst, evidence->at_ns);
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
        forget_quiet_bursts(tally, evidence->at_ns);
        if (!evidence_traits(evidence->kind)->may_burst)
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
