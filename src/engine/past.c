#include "engine/past.h"
#include "basics/cleanup.h"
#include "sources/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
        struct past *past;
        struct verdict told;  /* without proof and actor */
        struct actor actor;   /* its actor, where it has one */
        unsigned n_revisions; /* after the first */
        uint64_t taken[EPISODE_ITEMS_MAX]; /* ids of what it rests on */
        size_t n_taken;
        size_t n_later_max, n_earlier_max;
        uint64_t before;      /* the episode before that was read last */
        unsigned n_before;
};

/* What of a monitor's words waits to be read once more is of no older episode than this. */
#define EPISODES_BEFORE 4

static int take_told(struct reading *reading, const struct verdict_record *record) {
        struct past *past = reading->past;

        past->has_verdict = true;
        past->told.episode = record->episode;
        past->told.time_ns = record->verdict.time_ns;
        past->told.left = record->verdict.left;
        past->told.decision = record->decision;
        memcpy(past->told.id, record->id, sizeof(past->told.id));
        memcpy(past->told.summary, record->summary, sizeof(past->told.summary));
        reading->told = record->verdict;
        if (record->verdict.actor) {
                reading->actor = *record->verdict.actor;
                reading->told.actor = &reading->actor;
        }
        for (size_t i = 0; i < record->n_items; i++) {
                struct evidence copy;

                if (reading->n_taken < N_ELEMENTS(reading->taken))
                        reading->taken[reading->n_taken++] = record->items[i].id;
                if (record->items[i].at_ns > past->newest_ns)
                        past->newest_ns = record->items[i].at_ns;
                if (evidence_copy(&copy, &record->items[i]) || episode_add(&past->episode, &copy))
                        return -ENOMEM;
        }
        return 0;
}

/* Newest first: the verdict that counts, then what it revises. */
static int on_verdict(const struct verdict_record *record, void *userdata) {
        struct reading *reading = userdata;

        if (!reading->past->has_verdict)
                return take_told(reading, record);
        if (record->episode == reading->past->told.episode) {
                reading->n_revisions++;
                return 0;
        }
        reading->n_before += record->episode != reading->before;
        reading->before = record->episode;
        return reading->n_before == EPISODES_BEFORE;
}

static bool is_taken(const struct reading *reading, uint64_t id) {
        for (size_t i = 0; i < reading->n_taken; i++)
                if (reading->taken[i] == id)
                        return true;
        return false;
}

static int append(struct evidence **items, size_t *n, size_t *n_max, const struct evidence *evidence) {
        if (*n == *n_max) {
                size_t grown_max = *n_max ? 2 * *n_max : 8;
                struct evidence *grown = reallocarray(*items, grown_max, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                *items = grown;
                *n_max = grown_max;
        }
        if (evidence_copy(&(*items)[*n], evidence))
                return -ENOMEM;
        (*n)++;
        return 0;
}

static int on_evidence(const struct evidence *evidence, void *userdata) {
        struct reading *reading = userdata;
        struct past *past = reading->past;

        if (is_taken(reading, evidence->id))
                return 0;
        if (evidence->id <= past->told.episode)
                return append(&past->earlier, &past->n_earlier, &reading->n_earlier_max, evidence);
        if (append(&past->later, &past->n_later, &reading->n_later_max, evidence))
                return -ENOMEM;
        if (evidence->at_ns > past->newest_ns)
                past->newest_ns = evidence->at_ns;
        return 0;
}

static int compare_evidence(const void *a, const void *b) {
        return evidence_is_before(a, b) ? -1 : evidence_is_before(b, a);
}

int past_read(struct past *ret_past, struct store *store, int64_t vm, bool has_process, char ret_why[static STORE_WHY_MAX]) {
        struct past past = { 0 };
        struct reading reading = { .past = &past };
        struct store_query query = { .vm = vm, .all_revisions = true };
        int r;

        *ret_why = '\0';
        episode_init(&past.episode, has_process);
        r = store_each_verdict(store, &query, on_verdict, &reading, ret_why);
        /* What opened the episode names it: whatever its verdict does not rest on came after that, or is told and left behind. */
        if (r >= 0)
                r = store_each_evidence(store, vm, reading.n_before ? reading.before - 1 : past.told.episode, on_evidence, &reading, ret_why);
        if (r < 0) {
                if (!*ret_why)
                        snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                past_deinit(&past);
                return r;
        }
        if (past.has_verdict)
                episode_resume(&past.episode, &reading.told, past.told.episode, reading.n_revisions, source_now_ns());
        if (past.n_later)
                qsort(past.later, past.n_later, sizeof(*past.later), compare_evidence);
        *ret_past = past;
        return 0;
}

static bool has_kind(const struct evidence *items, size_t n_items, enum evidence_kind kind) {
        for (size_t i = 0; i < n_items; i++)
                if (items[i].kind == kind)
                        return true;
        return false;
}

bool past_has(const struct past *past, enum evidence_kind kind) {
        return has_kind(past->episode.items, past->episode.n_items, kind) || has_kind(past->later, past->n_later, kind);
}

static void find_host_fact(const struct evidence **found, const struct evidence *items, size_t n_items) {
        for (size_t i = 0; i < n_items; i++)
                if ((items[i].kind == EVIDENCE_GOING_DOWN || items[i].kind == EVIDENCE_STAYS_UP) &&
                    (!*found || evidence_is_before(*found, &items[i])))
                        *found = &items[i];
}

bool past_is_going_down(const struct past *past) {
        const struct evidence *found = NULL;

        find_host_fact(&found, past->episode.items, past->episode.n_items);
        find_host_fact(&found, past->later, past->n_later);
        return found && found->kind == EVIDENCE_GOING_DOWN;
}

void past_take_up(const struct past *past, struct tally *tally) {
        for (size_t i = 0; i < past->episode.n_items; i++)
                tally_take_up(tally, &past->episode.items[i]);
        for (size_t i = 0; i < past->n_later; i++)
                tally_take_up(tally, &past->later[i]);
}

void past_deinit(struct past *past) {
        episode_deinit(&past->episode);
        for (size_t i = 0; i < past->n_later; i++)
                evidence_deinit(&past->later[i]);
        for (size_t i = 0; i < past->n_earlier; i++)
                evidence_deinit(&past->earlier[i]);
        free(past->later);
        free(past->earlier);
        *past = (struct past){ 0 };
}
