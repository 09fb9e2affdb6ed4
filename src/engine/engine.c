#include "engine/engine_inside.h"
#include "basics/cleanup.h"
#include "core/episode.h"
#include "core/tally.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t engine_patience_ns = UINT64_C(3000000000);
size_t engine_backlog_max = BACKLOG_BYTES_MAX;
unsigned engine_add_patience_ms;

static void vm_consider(struct engine_vm *vm);

void engine_trouble(struct engine *engine, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        engine->events.trouble(line, engine->events.userdata);
}

/* Where the VM of that id is, or would be. */
size_t engine_find_place(const struct engine *engine, int64_t id) {
        size_t low = 0, high = engine->n_vms;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (engine->vms[middle]->instance.id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct engine_vm *find_vm(struct engine *engine, int64_t id) {
        size_t at = engine_find_place(engine, id);

        return at < engine->n_vms && engine->vms[at]->instance.id == id ? engine->vms[at] : NULL;
}

/* --- from the sources to the disk -------------------------------------------------------------------------------- */

struct store_batch *engine_open_batch(struct engine *engine) {
        if (!engine->batch && store_batch_new(&engine->batch))
                return NULL;
        sd_event_source_set_enabled(engine->wakeup, SD_EVENT_ONESHOT);
        return engine->batch;
}

static void vm_store(struct engine_vm *vm, struct evidence *evidence) {
        struct store_batch *batch = engine_open_batch(vm->engine);

        if (!batch || store_batch_add_evidence(batch, vm->instance.id, evidence)) {
                engine_trouble(vm->engine, "%s: out of memory: a fact was lost", vm->instance.identity.name);
                evidence_deinit(evidence);
                return;
        }
        vm->n_unstored++;
}

void engine_vm_let_out(struct evidence *evidence, void *userdata) {
        vm_store(userdata, evidence);
}

static void vm_update_deadline(struct engine_vm *vm);

void engine_vm_report(void *userdata, struct evidence *evidence) {
        struct engine_vm *vm = userdata;
        int r;

        /* What was held back happened before it; and the monitor's end makes the tally's waiting pointless. */
        if (tally_is_overtaken(&vm->tally, evidence) || evidence->kind == EVIDENCE_MONITOR_CLOSED)
                tally_let_out(&vm->tally, 0, true, engine_vm_let_out, vm);
        r = tally_offer(&vm->tally, evidence);
        if (r != TALLY_HELD)
                vm_store(vm, evidence);
        else
                vm_update_deadline(vm);
}

/* --- from the disk to the judge ---------------------------------------------------------------------------------- */

static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata);
static void on_verdict_stored(struct store_batch *batch, int result, const char *why, void *userdata);

/* Hand a batch to the writer.  Where that fails, `done` hears of it as if the disk had said no. */
static void submit(struct engine *engine, struct store_batch *batch, store_done_fn done) {
        int r;

        /* What comes later is stored later: ids tell the order. */
        r = backlog_is_empty(engine->backlog) ? store_submit(engine->store, batch, done, engine) : -EBUSY;
        if (!r)
                return;
        engine->is_kept = false;
        done(batch, r, r == -EBUSY ? "others wait for the disk" : strerror(-r), engine);
        if (!engine->is_kept)
                store_batch_free(batch);
}

/* The disk could not take it: it waits until the disk can.  What is wrong with the batch itself is lost. */
static void keep_for_later(struct engine *engine, struct store_batch *batch, int result, const char *why) {
        if (!backlog_is_for(result)) {
                engine_trouble(engine, "what cannot be stored is lost: %s", why);
                return;
        }
        if (backlog_is_empty(engine->backlog)) {
                engine_trouble(engine, "evidence could not be stored: %s; it waits in memory", why);
                engine->patient_until_ns = source_now_ns() + engine_patience_ns;
        }
        store_batch_keep(batch);
        engine->is_kept = true;
        backlog_add_batch(engine->backlog, batch);
}

/* Somebody waits until it is on disk, and nothing short of that will do. */
static bool is_waited_for(const struct evidence *evidence) {
        return evidence->kind == EVIDENCE_REQUEST || evidence->kind == EVIDENCE_MONITOR_OPENED || evidence->kind == EVIDENCE_GOING_DOWN;
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        struct engine *engine = userdata;
        struct store_batch *batch = take_pointer(engine->batch);

        bool is_awaited = false;

        if (!batch)
                return 0;
        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct engine_vm *vm;
                int64_t id;

                is_awaited = is_waited_for(store_batch_evidence(batch, i, &id)) || is_awaited;
                vm = find_vm(engine, id);
                if (vm)
                        vm->in_flight++;
        }
        if (!is_awaited)
                store_batch_flush_later(batch);
        submit(engine, batch, on_evidence_stored);
        return 0;
}

struct arrival {
        struct evidence *evidence;
        struct engine_vm *vm;
};

static int compare_arrivals(const void *a, const void *b) {
        const struct arrival *x = a, *y = b;
        bool x_ends = evidence_ends_process(x->evidence), y_ends = evidence_ends_process(y->evidence);

        if (x->vm != y->vm)
                return x->vm->instance.id < y->vm->instance.id ? -1 : 1;
        /* What a process has to say it says before it ends, though its end may be read first. */
        if (x_ends != y_ends)
                return x_ends ? 1 : -1;
        return evidence_is_before(x->evidence, y->evidence) ? -1 : evidence_is_before(y->evidence, x->evidence) ? 1 : 0;
}

static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct engine *engine = userdata;
        size_t n = store_batch_n_evidence(batch), n_arrivals = 0;
        cleanup(freep) struct arrival *arrivals = calloc(n ? n : 1, sizeof(*arrivals));

        for (size_t i = 0; arrivals && i < n; i++) {
                struct arrival *arrival = &arrivals[n_arrivals];
                int64_t id;

                arrival->evidence = store_batch_evidence(batch, i, &id);
                arrival->vm = find_vm(engine, id);
                if (arrival->vm)
                        n_arrivals++;
        }
        /* What one wakeup brought is taken in the order in which it happened, whichever source was read first. */
        qsort(arrivals, n_arrivals, sizeof(*arrivals), compare_arrivals);
        for (size_t i = 0; i < n_arrivals; i++) {
                arrivals[i].vm->in_flight--;
                arrivals[i].vm->n_unstored -= !result || !backlog_is_for(result);
                engine_vm_take(arrivals[i].vm, arrivals[i].evidence);
        }
        for (size_t i = 0; engine->events.recorded && i < n_arrivals; i++)
                if (is_waited_for(arrivals[i].evidence))
                        engine->events.recorded(arrivals[i].vm, arrivals[i].evidence, result, engine->events.userdata);
        if (result)
                keep_for_later(engine, batch, result, why);
        for (size_t i = 0; i < n_arrivals; i++)
                if (i + 1 == n_arrivals || arrivals[i + 1].vm != arrivals[i].vm)
                        vm_consider(arrivals[i].vm);
}

/* Evidence that could not be stored has no id. */
static bool vm_lacks_storage(const struct engine_vm *vm) {
        for (size_t i = 0; i < vm->episode.n_items; i++)
                if (!vm->episode.items[i].id)
                        return true;
        return false;
}

static void vm_take_id(struct engine_vm *vm, const struct evidence *stored) {
        struct episode *episode = &vm->episode;

        vm->n_unstored -= vm->n_unstored > 0;
        if (episode_wake(episode))
                return;
        for (size_t i = 0; i < episode->n_items; i++) {
                struct evidence *item = &episode->items[i];

                if (item->id || !evidence_is_same(item, stored))
                        continue;
                item->id = stored->id;
                if (episode->phase != EPISODE_QUIET && !episode->cause_id && item->at_ns == episode->cause_at_ns)
                        episode->cause_id = item->id;
        }
}

/* What waited for the disk is there. */
static void on_backlog_stored(struct store_batch *batch, void *userdata) {
        struct engine *engine = userdata;

        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct evidence *stored;
                struct engine_vm *vm;
                int64_t id;

                stored = store_batch_evidence(batch, i, &id);
                vm = find_vm(engine, id);
                if (vm)
                        vm_take_id(vm, stored);
        }
}

static void on_backlog_caught_up(void *userdata) {
        struct engine *engine = userdata;

        for (size_t i = 0; i < engine->n_vms; i++)
                if (engine->vms[i]->waits_for_disk) {
                        engine->vms[i]->waits_for_disk = false;
                        vm_consider(engine->vms[i]);
                }
}

static void on_backlog_trouble(const char *line, void *userdata) {
        engine_trouble(userdata, "%s", line);
}

/* --- from the judge to those who are told ------------------------------------------------------------------------ */

static void vm_tell(struct engine_vm *vm, const struct verdict *verdict) {
        struct engine *engine = vm->engine;
        struct verdict_record record;
        struct store_batch *batch;
        bool is_revision = vm->episode.revision > 0;

        if (!is_revision)
                vm->told_episode = vm->episode.cause_id;
        /* Without an id of its cause the episode has no number yet; the verdict's own id needs one that no other episode of the VM has. */
        if (verdict_record_make(&record, &vm->instance.identity, verdict, vm->episode.items, vm->episode.n_items,
                                vm->told_episode ? vm->told_episode : vm->episode.cause_at_ns, vm->episode.revision)) {
                engine_trouble(engine, "%s: out of memory: a verdict was lost", vm->instance.identity.name);
                return;
        }
        record.episode = vm->told_episode;
        /* What was decided for the first verdict holds: its revisions know more of the same transition. */
        if (!is_revision)
                vm->told_decision = policy_decide(&vm->policy, verdict, vm->n_restarts);
        else
                memcpy(record.revises, vm->told_id, sizeof(record.revises));
        record.decision = vm->told_decision;
        memcpy(vm->told_id, record.id, sizeof(vm->told_id));

        if (vm_lacks_storage(vm) || !record.episode) {
                engine_trouble(engine, "the verdict on %s is told, but could not be stored yet", vm->instance.identity.name);
                engine->events.verdict(vm, &record, engine->events.userdata);
                backlog_add_verdict(engine->backlog, vm->instance.id, &record);
                return;
        }
        if (store_batch_new(&batch) || store_batch_add_verdict(batch, vm->instance.id, &record)) {
                engine_trouble(engine, "%s: out of memory: a verdict was lost", vm->instance.identity.name);
                verdict_record_deinit(&record);
                return;
        }
        vm->in_flight++;
        submit(engine, batch, on_verdict_stored);
}

static void on_verdict_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct engine *engine = userdata;
        struct verdict_record *record;
        struct engine_vm *vm;
        int64_t id;

        record = store_batch_verdict(batch, 0, &id);
        vm = find_vm(engine, id);
        if (vm) {
                vm->in_flight--;
                if (result)
                        engine_trouble(engine, "the verdict on %s is told, but could not be stored yet: %s", vm->instance.identity.name, why);
                engine->events.verdict(vm, record, engine->events.userdata);
        }
        if (result)
                keep_for_later(engine, batch, result, why);
        if (vm)
                vm_consider(vm);
}

static void vm_judge(struct engine_vm *vm, bool flush) {
        struct verdict verdict;

        if (episode_judge(&vm->episode, &vm->policy.judge, source_now_ns(), flush, &verdict) == EPISODE_VERDICT)
                vm_tell(vm, &verdict);
}

/* Policy has told the VM to end: that it does is what was decided, and no story of its own. */
static bool vm_is_ended_by_policy(const struct engine_vm *vm, const struct evidence *evidence) {
        const struct decision *decision = &vm->told_decision;

        return decision->result == RESULT_PENDING && (decision->act == ACT_QUIT || decision->act == ACT_REPLACE) &&
               (evidence_ends_process(evidence) || evidence->kind == EVIDENCE_SHUTDOWN);
}

void engine_vm_take(struct engine_vm *vm, struct evidence *evidence) {
        struct evidence copy;

        if (episode_wake(&vm->episode) || evidence_copy(&copy, evidence)) {
                engine_trouble(vm->engine, "%s: out of memory: a fact is stored, but not judged", vm->instance.identity.name);
                return;
        }
        if (episode_begins_anew(&vm->episode, &copy) && !vm_is_ended_by_policy(vm, &copy)) {
                vm_judge(vm, true);
                episode_turn(&vm->episode);
        }
        if (episode_add(&vm->episode, &copy))
                engine_trouble(vm->engine, "%s: out of memory: a fact is stored, but not judged", vm->instance.identity.name);
}

/* Is there something to judge, and is this VM's story over? */
static void vm_consider(struct engine_vm *vm) {
        bool is_over;

        if (vm->engine->events.stored && engine_vm_is_stored(vm))
                vm->engine->events.stored(vm, vm->engine->events.userdata);
        if (vm->in_flight)
                return;
        is_over = episode_is_over(&vm->episode);
        if (episode_is_ripe(&vm->episode, source_now_ns())) {
                if (episode_wake(&vm->episode)) {
                        engine_trouble(vm->engine, "%s: out of memory: its verdict waits", vm->instance.identity.name);
                        return;
                }
                vm->waits_for_disk = vm_lacks_storage(vm) && !vm->is_over && source_now_ns() < vm->engine->patient_until_ns;
                if (vm->waits_for_disk) {
                        vm_update_deadline(vm);
                        return;
                }
                vm_judge(vm, is_over);
        }
        vm_update_deadline(vm);
        if (is_over && !vm->in_flight && !vm->is_over && vm->episode.phase != EPISODE_OPEN) {
                struct store_batch *batch = engine_open_batch(vm->engine);

                vm->is_over = true;
                if (batch)
                        store_batch_end_vm(batch, vm->instance.id, source_time_ns());
                vm->engine->events.over(vm, vm->engine->events.userdata);
        }
        if (!vm->in_flight && !vm_lacks_storage(vm))
                episode_rest(&vm->episode);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        struct engine_vm *vm = userdata;

        tally_let_out(&vm->tally, source_now_ns(), false, engine_vm_let_out, vm);
        vm_consider(vm);
        return 0;
}

void engine_vm_wake_at(struct engine_vm *vm, uint64_t at_ns) {
        if (!vm->deadline) {
                sd_event_add_time(vm->engine->event, &vm->deadline, CLOCK_BOOTTIME, at_ns / 1000 + 1, 1000, on_deadline, vm);
                return;
        }
        sd_event_source_set_time(vm->deadline, at_ns / 1000 + 1);
        sd_event_source_set_enabled(vm->deadline, SD_EVENT_ONESHOT);
}

static void vm_update_deadline(struct engine_vm *vm) {
        uint64_t next = episode_next_deadline(&vm->episode), tally = tally_next_deadline(&vm->tally);

        if (tally < next)
                next = tally;
        if (vm->waits_for_disk)
                next = vm->engine->patient_until_ns;
        if (next == UINT64_MAX || vm->in_flight)
                vm->deadline = sd_event_source_disable_unref(vm->deadline);
        else
                engine_vm_wake_at(vm, next);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static int on_committed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct engine *engine = userdata;

        store_dispatch(engine->store);
        return 0;
}

static bool is_busy(const struct engine *engine) {
        for (size_t i = 0; i < engine->n_vms; i++)
                if (engine->vms[i]->in_flight)
                        return true;
        return engine->batch;
}

void engine_settle(struct engine *engine) {
        bool is_given_up = false;

        do {
                on_wakeup(NULL, engine);
                store_drain(engine->store);
                if (!is_busy(engine) && !is_given_up)
                        is_given_up = !backlog_flush(engine->backlog);
        } while (is_busy(engine));
        if (is_given_up) {
                struct backlog_state state = backlog_state(engine->backlog);

                engine_trouble(engine, "the disk takes nothing: %zu verdicts and %zu facts are lost unless it does before this ends",
                        state.n_verdicts, state.n_facts);
        }
}

struct backlog_state engine_backlog(const struct engine *engine) {
        return backlog_state(engine->backlog);
}

int engine_new(struct engine **ret_engine, sd_event *event, struct store *store, const struct engine_events *events) {
        struct engine *engine = calloc(1, sizeof(*engine));
        const struct backlog_events backlog_events = { on_backlog_stored, on_backlog_caught_up, on_backlog_trouble, engine };
        int r;

        if (!engine)
                return -ENOMEM;
        engine->event = sd_event_ref(event);
        engine->store = store;
        engine->events = *events;
        r = backlog_new(&engine->backlog, event, store, engine_backlog_max, &backlog_events);
        if (r >= 0)
                r = sd_event_add_io(event, &engine->committed, store_fd(store), EPOLLIN, on_committed, engine);
        if (r >= 0)
                r = sd_event_add_defer(event, &engine->wakeup, on_wakeup, engine);
        if (r >= 0)
                r = sd_event_source_set_enabled(engine->wakeup, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(engine->wakeup, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                engine_free(engine);
                return r;
        }
        *ret_engine = engine;
        return 0;
}

struct engine *engine_free(struct engine *engine) {
        if (!engine)
                return NULL;
        while (engine->n_vms)
                engine_remove_vm(engine->vms[engine->n_vms - 1]);
        sd_event_source_disable_unref(engine->committed);
        sd_event_source_disable_unref(engine->wakeup);
        store_batch_free(engine->batch);
        backlog_free(engine->backlog);
        sd_event_unref(engine->event);
        free(engine->vms);
        free(engine);
        return NULL;
}
