#include "engine/engine.h"
#include "basics/cleanup.h"
#include "core/episode.h"
#include "core/tally.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Evidence that could not be stored is tried again so often, so far apart; then it is judged without. */
#define STORE_ATTEMPTS   3
#define STORE_RETRY_USEC 1000000

struct engine {
        sd_event *event;
        sd_event_source *committed; /* the store has something to say */
        sd_event_source *wakeup;    /* runs last: what this wakeup brought goes to the store */
        struct store *store;
        struct engine_events events;
        struct store_batch *batch;
        struct engine_vm **vms; /* by rising id */
        size_t n_vms;
};

struct engine_vm {
        struct engine *engine;
        struct store_vm instance;
        struct source_sink sink;
        struct tally tally;
        struct episode episode;
        struct policy policy;
        unsigned n_restarts;
        sd_event_source *deadline;
        unsigned in_flight;      /* batches of this VM with the writer */
        unsigned store_attempts; /* at what could not be stored */
        char told_id[VERDICT_ID_MAX];
        uint64_t told_episode;
        struct decision told_decision;
        bool is_over;
        void *userdata;
};

static void vm_consider(struct engine_vm *vm);

static void trouble(struct engine *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trouble(struct engine *engine, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        engine->events.trouble(line, engine->events.userdata);
}

/* Where the VM of that id is, or would be. */
static size_t find_place(const struct engine *engine, int64_t id) {
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
        size_t at = find_place(engine, id);

        return at < engine->n_vms && engine->vms[at]->instance.id == id ? engine->vms[at] : NULL;
}

/* --- from the sources to the disk -------------------------------------------------------------------------------- */

static struct store_batch *open_batch(struct engine *engine) {
        if (!engine->batch && store_batch_new(&engine->batch))
                return NULL;
        sd_event_source_set_enabled(engine->wakeup, SD_EVENT_ONESHOT);
        return engine->batch;
}

static void vm_store(struct engine_vm *vm, struct evidence *evidence) {
        struct store_batch *batch = open_batch(vm->engine);

        if (!batch || store_batch_add_evidence(batch, vm->instance.id, evidence)) {
                trouble(vm->engine, "%s: out of memory: a fact was lost", vm->instance.identity.name);
                evidence_deinit(evidence);
        }
}

static void vm_let_out(struct evidence *evidence, void *userdata) {
        vm_store(userdata, evidence);
}

static void vm_update_deadline(struct engine_vm *vm);

static void vm_report(void *userdata, struct evidence *evidence) {
        struct engine_vm *vm = userdata;
        int r;

        /* What was held back happened before it; and the monitor's end makes the tally's waiting pointless. */
        if (tally_is_overtaken(&vm->tally, evidence) || evidence->kind == EVIDENCE_MONITOR_CLOSED)
                tally_let_out(&vm->tally, 0, true, vm_let_out, vm);
        r = tally_offer(&vm->tally, evidence);
        if (r != TALLY_HELD)
                vm_store(vm, evidence);
        else
                vm_update_deadline(vm);
}

static void vm_source_ended(void *userdata, enum evidence_source source) {
}

/* --- from the disk to the judge ---------------------------------------------------------------------------------- */

static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata);
static void on_verdict_stored(struct store_batch *batch, int result, const char *why, void *userdata);

/* Hand a batch to the writer.  Where that fails, `done` hears of it as if the disk had said no. */
static void submit(struct engine *engine, struct store_batch *batch, store_done_fn done) {
        int r = store_submit(engine->store, batch, done, engine);

        if (r) {
                done(batch, r, strerror(-r), engine);
                store_batch_free(batch);
        }
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        struct engine *engine = userdata;
        struct store_batch *batch = take_pointer(engine->batch);

        if (!batch)
                return 0;
        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct engine_vm *vm;
                int64_t id;

                store_batch_evidence(batch, i, &id);
                vm = find_vm(engine, id);
                if (vm)
                        vm->in_flight++;
        }
        submit(engine, batch, on_evidence_stored);
        return 0;
}

static void vm_take(struct engine_vm *vm, struct evidence *evidence);

struct arrival {
        struct evidence *evidence;
        struct engine_vm *vm;
};

static int compare_arrivals(const void *a, const void *b) {
        const struct arrival *x = a, *y = b;

        if (x->vm != y->vm)
                return x->vm->instance.id < y->vm->instance.id ? -1 : 1;
        return evidence_is_before(x->evidence, y->evidence) ? -1 : evidence_is_before(y->evidence, x->evidence) ? 1 : 0;
}

static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct engine *engine = userdata;
        size_t n = store_batch_n_evidence(batch), n_arrivals = 0;
        cleanup(freep) struct arrival *arrivals = calloc(n ? n : 1, sizeof(*arrivals));

        if (result)
                trouble(engine, "evidence could not be stored: %s", why);
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
                vm_take(arrivals[i].vm, arrivals[i].evidence);
        }
        for (size_t i = 0; engine->events.recorded && i < n_arrivals; i++)
                if (arrivals[i].evidence->kind == EVIDENCE_REQUEST)
                        engine->events.recorded(arrivals[i].vm, arrivals[i].evidence, result, engine->events.userdata);
        for (size_t i = 0; i < n_arrivals; i++)
                if (i + 1 == n_arrivals || arrivals[i + 1].vm != arrivals[i].vm)
                        vm_consider(arrivals[i].vm);
}

/* Evidence that could not be stored has no id: it is stored again before it is judged, as long as there is hope. */
static bool vm_lacks_storage(const struct engine_vm *vm) {
        for (size_t i = 0; i < vm->episode.n_items; i++)
                if (!vm->episode.items[i].id)
                        return true;
        return false;
}

static void on_again_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct engine *engine = userdata;
        struct engine_vm *vm = NULL;

        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct evidence *stored;
                int64_t id;

                stored = store_batch_evidence(batch, i, &id);
                vm = find_vm(engine, id);
                if (!vm)
                        return;
                for (size_t k = 0; !result && k < vm->episode.n_items; k++)
                        if (!vm->episode.items[k].id && evidence_is_same(&vm->episode.items[k], stored))
                                vm->episode.items[k].id = stored->id;
        }
        if (!vm)
                return;
        vm->in_flight--;
        if (result)
                vm->store_attempts++;
        else
                vm->store_attempts = 0;
        vm_update_deadline(vm);
        if (!result || vm->store_attempts >= STORE_ATTEMPTS)
                vm_consider(vm);
}

static bool vm_store_again(struct engine_vm *vm) {
        struct store_batch *batch;

        if (store_batch_new(&batch))
                return false;
        for (size_t i = 0; i < vm->episode.n_items; i++) {
                struct evidence copy;

                if (vm->episode.items[i].id || evidence_copy(&copy, &vm->episode.items[i]))
                        continue;
                if (store_batch_add_evidence(batch, vm->instance.id, &copy))
                        evidence_deinit(&copy);
        }
        if (store_batch_is_empty(batch)) {
                store_batch_free(batch);
                return false;
        }
        vm->in_flight++;
        submit(vm->engine, batch, on_again_stored);
        return true;
}

/* --- from the judge to those who are told ------------------------------------------------------------------------ */

static void vm_tell(struct engine_vm *vm, const struct verdict *verdict) {
        struct engine *engine = vm->engine;
        struct verdict_record record;
        struct store_batch *batch;
        bool is_revision = vm->episode.revision > 0;

        if (!is_revision)
                vm->told_episode = vm->episode.cause_id;
        if (verdict_record_make(&record, &vm->instance.identity, verdict, vm->episode.items, vm->episode.n_items,
                                vm->told_episode, vm->episode.revision)) {
                trouble(engine, "%s: out of memory: a verdict was lost", vm->instance.identity.name);
                return;
        }
        /* What was decided for the first verdict holds: its revisions know more of the same transition. */
        if (!is_revision)
                vm->told_decision = policy_decide(&vm->policy, verdict, vm->n_restarts);
        else
                memcpy(record.revises, vm->told_id, sizeof(record.revises));
        record.decision = vm->told_decision;
        memcpy(vm->told_id, record.id, sizeof(vm->told_id));

        if (vm_lacks_storage(vm)) {
                trouble(engine, "the verdict on %s is told here, but could not be stored", vm->instance.identity.name);
                engine->events.verdict(vm, &record, engine->events.userdata);
                verdict_record_deinit(&record);
                return;
        }
        if (store_batch_new(&batch) || store_batch_add_verdict(batch, vm->instance.id, &record)) {
                trouble(engine, "%s: out of memory: a verdict was lost", vm->instance.identity.name);
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
        if (!vm)
                return;
        vm->in_flight--;
        if (result)
                trouble(engine, "the verdict on %s is told here, but could not be stored: %s", vm->instance.identity.name, why);
        engine->events.verdict(vm, record, engine->events.userdata);
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

static void vm_take(struct engine_vm *vm, struct evidence *evidence) {
        struct evidence copy;

        if (episode_wake(&vm->episode) || evidence_copy(&copy, evidence)) {
                trouble(vm->engine, "%s: out of memory: a fact is stored, but not judged", vm->instance.identity.name);
                return;
        }
        if (episode_begins_anew(&vm->episode, &copy) && !vm_is_ended_by_policy(vm, &copy)) {
                vm_judge(vm, true);
                episode_turn(&vm->episode);
        }
        if (episode_add(&vm->episode, &copy))
                trouble(vm->engine, "%s: out of memory: a fact is stored, but not judged", vm->instance.identity.name);
}

/* Is there something to judge, and is this VM's story over? */
static void vm_consider(struct engine_vm *vm) {
        bool is_over;

        if (vm->in_flight)
                return;
        is_over = episode_is_over(&vm->episode);
        if (episode_is_ripe(&vm->episode, source_now_ns())) {
                if (episode_wake(&vm->episode)) {
                        trouble(vm->engine, "%s: out of memory: its verdict waits", vm->instance.identity.name);
                        return;
                }
                if (vm_lacks_storage(vm) && vm->store_attempts < STORE_ATTEMPTS && !vm->is_over) {
                        if (vm->store_attempts == 0)
                                vm_store_again(vm);
                        vm_update_deadline(vm);
                        return;
                }
                vm_judge(vm, is_over);
        }
        vm_update_deadline(vm);
        if (is_over && !vm->in_flight && !vm->is_over && vm->episode.phase != EPISODE_OPEN) {
                struct store_batch *batch = open_batch(vm->engine);

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

        tally_let_out(&vm->tally, source_now_ns(), false, vm_let_out, vm);
        if (vm->store_attempts && vm->store_attempts < STORE_ATTEMPTS && !vm->in_flight && vm_store_again(vm))
                return 0;
        vm_consider(vm);
        return 0;
}

static void vm_wake_at(struct engine_vm *vm, uint64_t at_ns) {
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
        if (vm->store_attempts && vm->store_attempts < STORE_ATTEMPTS)
                next = source_now_ns() + STORE_RETRY_USEC * 1000;
        if (next == UINT64_MAX || vm->in_flight)
                vm->deadline = sd_event_source_disable_unref(vm->deadline);
        else
                vm_wake_at(vm, next);
}

/* --- VMs --------------------------------------------------------------------------------------------------------- */

/* A VM's place in the engine, not filled yet. */
static struct engine_vm *make_place(struct engine *engine) {
        struct engine_vm **vms = reallocarray(engine->vms, engine->n_vms + 1, sizeof(*vms));

        if (!vms)
                return NULL;
        engine->vms = vms;
        return calloc(1, sizeof(**vms));
}

static void fill_place(struct engine *engine, struct engine_vm *vm, struct store_vm *instance, const struct policy *policy,
                       bool has_process) {
        size_t at = engine->n_vms;

        vm->engine = engine;
        vm->instance = *instance;
        *instance = (struct store_vm){ 0 };
        vm->policy = *policy;
        vm->sink = (struct source_sink){ .report = vm_report, .ended = vm_source_ended, .userdata = vm };
        episode_init(&vm->episode, has_process);
        /* The store's ids only rise, so a new one is the last; an adopted one may have to go further down. */
        for (; at > 0 && engine->vms[at - 1]->instance.id > vm->instance.id; at--)
                engine->vms[at] = engine->vms[at - 1];
        engine->vms[at] = vm;
        engine->n_vms++;
}

int engine_add_vm(struct engine *engine, struct store_vm *instance, const struct policy *policy, bool has_process,
                  struct engine_vm **ret_vm, struct store_vm *ret_other, char ret_why[static STORE_WHY_MAX]) {
        struct engine_vm *vm = make_place(engine);
        int r;

        if (!vm) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = store_add_vm(engine->store, instance, ret_other, ret_why);
        if (r) {
                free(vm);
                return r;
        }
        fill_place(engine, vm, instance, policy, has_process);
        *ret_vm = vm;
        return 0;
}

static void vm_report_gap(struct engine_vm *vm, const char *reason) {
        struct evidence gap = evidence_make(SOURCE_VMPOWER, EVIDENCE_GAP);

        evidence_set_text(&gap, reason, strlen(reason));
        source_report(&vm->sink, &gap);
}

static int vm_set_watcher(struct engine_vm *vm, const char *watcher) {
        struct store_batch *batch = open_batch(vm->engine);

        return batch ? store_batch_set_watcher(batch, vm->instance.id, watcher) : -ENOMEM;
}

int engine_adopt_vm(struct engine *engine, struct store_vm *instance, const char *watcher, const struct policy *policy,
                    struct past *past, const char *gap, struct engine_vm **ret_vm) {
        struct engine_vm *vm = make_place(engine);

        if (!vm)
                return -ENOMEM;
        fill_place(engine, vm, instance, policy, false);
        vm->episode = past->episode;
        past->episode = (struct episode){ 0 };
        if (past->has_verdict) {
                memcpy(vm->told_id, past->told.id, sizeof(vm->told_id));
                vm->told_episode = past->told.episode;
                vm->told_decision = past->told.decision;
        }
        for (size_t i = 0; i < past->n_later; i++)
                vm_take(vm, &past->later[i]);
        /* Its owner does not know it yet: what there is to tell is told soon. */
        vm_wake_at(vm, source_now_ns());
        if (gap)
                vm_report_gap(vm, gap);
        if (vm_set_watcher(vm, watcher))
                trouble(engine, "%s: out of memory", vm->instance.identity.name);
        *ret_vm = vm;
        return 0;
}

struct engine_vm *engine_remove_vm(struct engine_vm *vm) {
        struct engine *engine;
        size_t at;

        if (!vm)
                return NULL;
        engine = vm->engine;
        at = find_place(engine, vm->instance.id);
        memmove(&engine->vms[at], &engine->vms[at + 1], (engine->n_vms - at - 1) * sizeof(*engine->vms));
        engine->n_vms--;
        sd_event_source_disable_unref(vm->deadline);
        tally_deinit(&vm->tally);
        episode_deinit(&vm->episode);
        store_vm_deinit(&vm->instance);
        free(vm);
        return NULL;
}

const struct source_sink *engine_vm_sink(struct engine_vm *vm) {
        return &vm->sink;
}

const struct store_vm *engine_vm_instance(const struct engine_vm *vm) {
        return &vm->instance;
}

void engine_vm_set_userdata(struct engine_vm *vm, void *userdata) {
        vm->userdata = userdata;
}

void *engine_vm_userdata(const struct engine_vm *vm) {
        return vm->userdata;
}

void engine_vm_set_restarts(struct engine_vm *vm, unsigned n_restarts) {
        vm->n_restarts = n_restarts;
}

int engine_vm_rename(struct engine_vm *vm, const struct vm_identity *identity, int64_t pid) {
        struct store_batch *batch = open_batch(vm->engine);

        vm->instance.identity = *identity;
        vm->instance.pid = pid;
        return batch ? store_batch_rename_vm(batch, vm->instance.id, identity, pid) : -ENOMEM;
}

int engine_vm_set_monitor(struct engine_vm *vm, const char *path, const char *greeting) {
        struct store_batch *batch = open_batch(vm->engine);

        return batch ? store_batch_set_monitor(batch, vm->instance.id, path, greeting) : -ENOMEM;
}

int engine_vm_decide(struct engine_vm *vm, const char *verdict_id, const struct decision *decision) {
        struct store_batch *batch = open_batch(vm->engine);

        if (!strcmp(verdict_id, vm->told_id))
                vm->told_decision = *decision;
        return batch ? store_batch_add_decision(batch, verdict_id, decision, source_time_ns()) : -ENOMEM;
}

int engine_vm_leave(struct engine_vm *vm, const char *reason) {
        if (reason)
                vm_report_gap(vm, reason);
        return vm_set_watcher(vm, "");
}

int engine_vm_abandon(struct engine_vm *vm) {
        struct store_batch *batch = open_batch(vm->engine);

        return batch ? store_batch_end_vm(batch, vm->instance.id, source_time_ns()) : -ENOMEM;
}

static int on_committed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct engine *engine = userdata;

        store_dispatch(engine->store);
        return 0;
}

void engine_settle(struct engine *engine) {
        bool busy;

        do {
                on_wakeup(NULL, engine);
                store_drain(engine->store);
                busy = engine->batch != NULL;
                for (size_t i = 0; i < engine->n_vms; i++)
                        busy = busy || engine->vms[i]->in_flight;
        } while (busy);
}

int engine_new(struct engine **ret_engine, sd_event *event, struct store *store, const struct engine_events *events) {
        struct engine *engine = calloc(1, sizeof(*engine));
        int r;

        if (!engine)
                return -ENOMEM;
        engine->event = sd_event_ref(event);
        engine->store = store;
        engine->events = *events;
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
        sd_event_unref(engine->event);
        free(engine->vms);
        free(engine);
        return NULL;
}
