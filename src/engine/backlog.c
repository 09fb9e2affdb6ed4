#include "engine/backlog.h"
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "sources/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t backlog_retry_usec = 1000000;

/* What was dropped of one VM, until that is written down. */
struct loss {
        int64_t vm;
        uint64_t n_facts, n_verdicts;
        uint64_t at_ns, time_ns;
};

/* A batch, or a verdict that is not in one yet. */
struct entry {
        struct entry *next;
        struct store_batch *batch; /* owned; NULL while it is with the writer */
        int64_t vm;
        struct verdict_record *record; /* owned; NULL: it is a batch */
        size_t n_bytes, n_verdicts, n_facts;
        struct loss *losses; /* owned; the batch says that these were lost, and if it is lost itself they are still to be said: no gap tells of a gap */
        size_t n_losses;
};

struct backlog {
        sd_event *event;
        sd_event_source *retry;
        struct store *store;
        struct backlog_events events;
        size_t n_bytes_max;
        struct entry *first, *last;
        struct entry *facts_from; /* before this one there are no facts left to drop */
        struct backlog_state state;
        struct loss *losses;
        size_t n_losses;
        uint64_t n_caught_up; /* verdicts, since it was sick */
        bool is_in_flight;    /* the first one */
        bool has_failed;      /* since it was tried last */
};

static void try_first(struct backlog *backlog);

static void say(struct backlog *backlog, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct backlog *backlog, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        backlog->events.trouble(line, backlog->events.userdata);
}

bool backlog_is_for(int result) {
        return result && result != -ENOENT && result != -EEXIST && result != -EINVAL && result != -ERANGE;
}

bool backlog_is_empty(const struct backlog *backlog) {
        return !backlog->first;
}

struct backlog_state backlog_state(const struct backlog *backlog) {
        return backlog->state;
}

/* --- what is lost ------------------------------------------------------------------------------------------------ */

/* NULL: out of memory. */
static struct loss *loss_of(struct backlog *backlog, int64_t vm) {
        struct loss *grown;
        size_t i = 0;

        while (i < backlog->n_losses && backlog->losses[i].vm != vm)
                i++;
        if (i == backlog->n_losses) {
                grown = reallocarray(backlog->losses, i + 1, sizeof(*grown));
                if (!grown)
                        return NULL;
                backlog->losses = grown;
                backlog->losses[backlog->n_losses++] =
                        (struct loss){ .vm = vm, .at_ns = source_now_ns(), .time_ns = source_time_ns() };
        }
        return &backlog->losses[i];
}

static void note_loss(struct backlog *backlog, int64_t vm, uint64_t n_facts, uint64_t n_verdicts) {
        struct loss *loss = loss_of(backlog, vm);

        backlog->state.n_lost_facts += n_facts;
        backlog->state.n_lost_verdicts += n_verdicts;
        if (!loss)
                return;
        loss->n_facts += n_facts;
        loss->n_verdicts += n_verdicts;
}

/* They are still to be said. */
static void put_back(struct backlog *backlog, const struct entry *entry) {
        for (size_t i = 0; i < entry->n_losses; i++) {
                const struct loss *said = &entry->losses[i];
                struct loss *loss = loss_of(backlog, said->vm);

                if (!loss)
                        continue;
                loss->n_facts += said->n_facts;
                loss->n_verdicts += said->n_verdicts;
                if (said->at_ns < loss->at_ns) {
                        loss->at_ns = said->at_ns;
                        loss->time_ns = said->time_ns;
                }
        }
}

static void note_lost_batch(struct backlog *backlog, struct store_batch *batch) {
        int64_t vm;

        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                store_batch_evidence(batch, i, &vm);
                note_loss(backlog, vm, 1, 0);
        }
        for (size_t i = 0; i < store_batch_n_verdicts(batch); i++) {
                store_batch_verdict(batch, i, &vm);
                note_loss(backlog, vm, 0, 1);
        }
}

static void add_gap(struct store_batch *batch, const struct loss *loss) {
        struct evidence gap = evidence_make(SOURCE_VMPOWER, EVIDENCE_GAP);
        char text[128];
        int n = snprintf(text, sizeof(text), "the disk took nothing for too long: %" PRIu64 " facts and %" PRIu64 " verdicts were lost",
                         loss->n_facts, loss->n_verdicts);

        evidence_set_text(&gap, text, (size_t)n);
        gap.at_ns = loss->at_ns;
        gap.time_ns = loss->time_ns;
        gap.seq = 1;
        store_batch_add_evidence(batch, loss->vm, &gap);
}

/* --- what waits -------------------------------------------------------------------------------------------------- */

static void entry_free(struct entry *entry) {
        store_batch_free(entry->batch);
        if (entry->record)
                verdict_record_deinit(entry->record);
        free(entry->record);
        free(entry->losses);
        free(entry);
}

static void count(struct backlog *backlog, const struct entry *entry, bool is_added) {
        const size_t sign = is_added ? 1 : (size_t)-1;

        backlog->state.n_bytes += sign * entry->n_bytes;
        backlog->state.n_verdicts += sign * entry->n_verdicts;
        backlog->state.n_facts += sign * entry->n_facts;
}

/* Take the one behind `before` (NULL: the first) out. */
static struct entry *take_out(struct backlog *backlog, struct entry *before) {
        struct entry **link = before ? &before->next : &backlog->first, *entry = *link;

        *link = entry->next;
        if (backlog->last == entry)
                backlog->last = before;
        if (backlog->facts_from == entry)
                backlog->facts_from = entry->next;
        count(backlog, entry, false);
        return entry;
}

static void measure_batch(struct entry *entry) {
        entry->n_bytes = sizeof(*entry) + store_batch_n_bytes(entry->batch);
        entry->n_facts = store_batch_n_evidence(entry->batch);
        entry->n_verdicts = store_batch_n_verdicts(entry->batch);
}

/* Of batches without a verdict, the facts: what mattered of them is with the verdicts that wait.  Other changes are small, and stay. */
static bool drop_facts(struct backlog *backlog) {
        for (struct entry *entry = backlog->facts_from; entry; entry = entry->next) {
                backlog->facts_from = entry;
                if (!entry->batch || entry->n_verdicts || !entry->n_facts || entry->losses)
                        continue;
                note_lost_batch(backlog, entry->batch);
                count(backlog, entry, false);
                store_batch_drop_evidence(entry->batch);
                measure_batch(entry);
                count(backlog, entry, true);
                return true;
        }
        return false;
}

static bool drop_oldest(struct backlog *backlog) {
        struct entry *before = backlog->is_in_flight ? backlog->first : NULL, *entry;

        /* The newest stays, whatever its size. */
        if (before ? before == backlog->last || before->next == backlog->last : backlog->first == backlog->last)
                return false;
        entry = take_out(backlog, before);
        if (entry->record)
                note_loss(backlog, entry->vm, 0, 1);
        else if (entry->losses)
                put_back(backlog, entry);
        else
                note_lost_batch(backlog, entry->batch);
        entry_free(entry);
        return true;
}

static void wait_for_retry(struct backlog *backlog) {
        sd_event_source_set_time_relative(backlog->retry, backlog_retry_usec);
        sd_event_source_set_enabled(backlog->retry, SD_EVENT_ONESHOT);
}

static void append(struct backlog *backlog, struct entry *entry) {
        if (backlog->last)
                backlog->last->next = entry;
        else
                backlog->first = entry;
        backlog->last = entry;
        if (!backlog->facts_from)
                backlog->facts_from = entry;
        count(backlog, entry, true);
        while (backlog->state.n_bytes > backlog->n_bytes_max && (drop_facts(backlog) || drop_oldest(backlog)))
                ;
        if (backlog->first == entry && !backlog->is_in_flight)
                wait_for_retry(backlog);
}

static void add(struct backlog *backlog, struct entry *entry, struct store_batch *batch) {
        entry->batch = batch;
        measure_batch(entry);
        append(backlog, entry);
}

/* What was lost is evidence, too: once there is room again it is the last to wait. */
static bool add_gaps(struct backlog *backlog) {
        struct store_batch *batch;
        struct entry *entry;

        if (!backlog->n_losses || store_batch_new(&batch))
                return false;
        entry = calloc(1, sizeof(*entry));
        if (!entry) {
                store_batch_free(batch);
                return false;
        }
        for (size_t i = 0; i < backlog->n_losses; i++)
                add_gap(batch, &backlog->losses[i]);
        entry->losses = take_pointer(backlog->losses);
        entry->n_losses = backlog->n_losses;
        backlog->n_losses = 0;
        add(backlog, entry, batch);
        return true;
}

void backlog_add_batch(struct backlog *backlog, struct store_batch *batch) {
        struct entry *entry = calloc(1, sizeof(*entry));

        if (entry) {
                add(backlog, entry, batch);
                return;
        }
        note_lost_batch(backlog, batch);
        store_batch_free(batch);
}

void backlog_add_verdict(struct backlog *backlog, int64_t vm, struct verdict_record *record) {
        struct entry *entry = calloc(1, sizeof(*entry));

        if (entry)
                entry->record = malloc(sizeof(*entry->record));
        if (!entry || !entry->record) {
                free(entry);
                note_loss(backlog, vm, 0, 1);
                verdict_record_deinit(record);
                return;
        }
        entry->vm = vm;
        *entry->record = *record;
        *record = (struct verdict_record){};
        entry->record->verdict.actor = entry->record->actor;
        entry->n_verdicts = 1;
        entry->n_bytes = sizeof(*entry) + sizeof(*entry->record) + entry->record->n_items * sizeof(entry->record->items[0]);
        for (size_t i = 0; i < entry->record->n_items; i++)
                entry->n_bytes += entry->record->items[i].actor ? sizeof(struct actor) : 0;
        append(backlog, entry);
}

/* --- to the disk ------------------------------------------------------------------------------------------------- */

static void caught_up(struct backlog *backlog) {
        if (add_gaps(backlog))
                return;
        say(backlog, "the disk takes what it is given again: what waited is stored, %" PRIu64 " verdicts among it",
            backlog->n_caught_up);
        backlog->n_caught_up = 0;
        backlog->events.caught_up(backlog->events.userdata);
}

/* The first is done with, and so the next is. */
static void first_is_done(struct backlog *backlog) {
        entry_free(take_out(backlog, NULL));
        if (!backlog->first)
                caught_up(backlog);
        try_first(backlog);
}

static void first_has_failed(struct backlog *backlog, int result, const char *why) {
        struct entry *entry = backlog->first;

        if (backlog_is_for(result)) {
                backlog->has_failed = true;
                if (result != -ESHUTDOWN)
                        wait_for_retry(backlog);
                return;
        }
        say(backlog, "a part of what waited for the disk is lost: %s", why);
        if (entry->record)
                note_loss(backlog, entry->vm, 0, 1);
        else if (entry->batch && !entry->losses)
                note_lost_batch(backlog, entry->batch);
        first_is_done(backlog);
}

static void on_batch_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct backlog *backlog = userdata;

        backlog->is_in_flight = false;
        if (result) {
                store_batch_keep(batch);
                backlog->first->batch = batch;
                backlog->facts_from = backlog->first;
                first_has_failed(backlog, result, why);
                return;
        }
        backlog->n_caught_up += store_batch_n_verdicts(batch);
        backlog->events.stored(batch, backlog->events.userdata);
        first_is_done(backlog);
}

/* Its evidence first: what has no id gets one, the one that it has if it is there already. */
static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct backlog *backlog = userdata;
        struct verdict_record *record = backlog->first->record;
        size_t n = 0;

        backlog->is_in_flight = false;
        if (result) {
                first_has_failed(backlog, result, why);
                return;
        }
        for (size_t i = 0; i < record->n_items; i++)
                if (!record->items[i].id)
                        record->items[i].id = store_batch_evidence(batch, n++, NULL)->id;
        backlog->events.stored(batch, backlog->events.userdata);
        try_first(backlog);
}

static int note_episode(const struct verdict_record *record, void *userdata) {
        *(uint64_t *)userdata = record->episode;
        return 1;
}

/* The episode of the verdict that it revises, or the fact that is its cause. */
static void find_episode(struct backlog *backlog, struct verdict_record *record) {
        const struct store_query former = { .verdict_id = record->revises };
        char why[STORE_WHY_MAX];

        if (*record->revises)
                store_each_verdict(backlog->store, &former, note_episode, &record->episode, why);
        if (!record->episode && record->verdict.n_proof)
                record->episode = record->items[record->verdict.proof[0]].id;
        else if (!record->episode && record->n_items)
                record->episode = record->items[0].id;
}

/* The batch that the first one needs now.  0, -ENOMEM, or what is wrong with it. */
static int next_batch(struct backlog *backlog, struct store_batch **ret_batch, store_done_fn *ret_done) {
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        struct entry *entry = backlog->first;
        int r = 0;

        *ret_done = on_batch_stored;
        if (entry->batch) {
                *ret_batch = take_pointer(entry->batch);
                return 0;
        }
        r = store_batch_new(&batch);
        for (size_t i = 0; !r && i < entry->record->n_items; i++) {
                struct evidence copy;

                if (entry->record->items[i].id)
                        continue;
                r = evidence_copy(&copy, &entry->record->items[i]);
                if (!r)
                        r = store_batch_add_evidence(batch, entry->vm, &copy);
                if (r)
                        evidence_deinit(&copy);
        }
        if (!r && !store_batch_is_empty(batch)) {
                *ret_done = on_evidence_stored;
        } else if (!r) {
                if (!entry->record->episode)
                        find_episode(backlog, entry->record);
                r = store_batch_add_verdict(batch, entry->vm, entry->record);
                if (!r) {
                        free(entry->record);
                        entry->record = NULL;
                }
        }
        if (!r)
                *ret_batch = take_pointer(batch);
        return r;
}

static void try_first(struct backlog *backlog) {
        struct store_batch *batch;
        store_done_fn done;
        int r;

        if (!backlog->first || backlog->is_in_flight)
                return;
        r = next_batch(backlog, &batch, &done);
        if (r) {
                first_has_failed(backlog, r, strerror(-r));
                return;
        }
        r = store_submit(backlog->store, batch, done, backlog);
        if (!r) {
                backlog->is_in_flight = true;
                return;
        }
        if (done == on_batch_stored)
                backlog->first->batch = batch;
        else
                store_batch_free(batch);
        first_has_failed(backlog, r, strerror(-r));
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        try_first(userdata);
        return 0;
}

bool backlog_flush(struct backlog *backlog) {
        backlog->has_failed = false;
        try_first(backlog);
        while (backlog->is_in_flight || (backlog->first && !backlog->has_failed))
                store_drain(backlog->store);
        return backlog_is_empty(backlog);
}

int backlog_new(struct backlog **ret_backlog, sd_event *event, struct store *store, size_t n_bytes_max,
                const struct backlog_events *events) {
        struct backlog *backlog = calloc(1, sizeof(*backlog));
        int r;

        if (!backlog)
                return -ENOMEM;
        backlog->event = sd_event_ref(event);
        backlog->store = store;
        backlog->events = *events;
        backlog->n_bytes_max = n_bytes_max;
        r = sd_event_add_time_relative(event, &backlog->retry, CLOCK_BOOTTIME, 0, 1000, on_retry, backlog);
        if (r >= 0)
                r = sd_event_source_set_enabled(backlog->retry, SD_EVENT_OFF);
        if (r < 0) {
                backlog_free(backlog);
                return r;
        }
        *ret_backlog = backlog;
        return 0;
}

struct backlog *backlog_free(struct backlog *backlog) {
        if (!backlog)
                return NULL;
        while (backlog->first)
                entry_free(take_out(backlog, NULL));
        sd_event_source_disable_unref(backlog->retry);
        sd_event_unref(backlog->event);
        free(backlog->losses);
        free(backlog);
        return NULL;
}
