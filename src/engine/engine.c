#include "engine/engine.h"
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

struct engine {
        sd_event *event;
        sd_event_source *committed; /* the store has something to say */
        sd_event_source *wakeup;    /* runs last: what this wakeup brought goes to the store */
        struct store *store;
        struct engine_events events;
        struct store_batch *batch;
        struct backlog *backlog; /* what a sick disk did not take */
        uint64_t patient_until_ns; /* then what is not on disk is judged all the same */
        bool is_kept;              /* the batch that could not even be submitted went to the backlog */
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
        unsigned n_unstored;   /* facts that are not on disk, and wait for it in memory at most */
        unsigned in_flight;    /* batches of this VM with the writer */
        bool waits_for_disk;   /* what is to judge is not stored: the disk is given some time */
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
                return;
        }
        vm->n_unstored++;
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
                trouble(engine, "what cannot be stored is lost: %s", why);
                return;
        }
        if (backlog_is_empty(engine->backlog)) {
                trouble(engine, "evidence could not be stored: %s; it waits in memory", why);
                engine->patient_until_ns = source_now_ns() + engine_patience_ns;
        }
        store_batch_keep(batch);
        engine->is_kept = true;
        backlog_add_batch(engine->backlog, batch);
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
                vm_take(arrivals[i].vm, arrivals[i].evidence);
        }
        for (size_t i = 0; engine->events.recorded && i < n_arrivals; i++)
                if (arrivals[i].evidence->kind == EVIDENCE_REQUEST || arrivals[i].evidence->kind == EVIDENCE_MONITOR_OPENED ||
                    arrivals[i].evidence->kind == EVIDENCE_GOING_DOWN)
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
        trouble(userdata, "%s", line);
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
                trouble(engine, "%s: out of memory: a verdict was lost", vm->instance.identity.name);
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
                trouble(engine, "the verdict on %s is told, but could not be stored yet", vm->instance.identity.name);
                engine->events.verdict(vm, &record, engine->events.userdata);
                backlog_add_verdict(engine->backlog, vm->instance.id, &record);
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
        if (vm) {
                vm->in_flight--;
                if (result)
                        trouble(engine, "the verdict on %s is told, but could not be stored yet: %s", vm->instance.identity.name, why);
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

        if (vm->engine->events.stored && engine_vm_is_stored(vm))
                vm->engine->events.stored(vm, vm->engine->events.userdata);
        if (vm->in_flight)
                return;
        is_over = episode_is_over(&vm->episode);
        if (episode_is_ripe(&vm->episode, source_now_ns())) {
                if (episode_wake(&vm->episode)) {
                        trouble(vm->engine, "%s: out of memory: its verdict waits", vm->instance.identity.name);
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
        if (vm->waits_for_disk)
                next = vm->engine->patient_until_ns;
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
        /* What it is judged by we have, and who watches it: ourselves. */
        free(take_pointer(vm->instance.policy));
        free(take_pointer(vm->instance.watcher));
        vm->policy = *policy;
        vm->sink = (struct source_sink){ .report = vm_report, .ended = vm_source_ended, .userdata = vm };
        episode_init(&vm->episode, has_process);
        /* The store's ids only rise, so a new one is the last; an adopted one may have to go further down. */
        for (; at > 0 && engine->vms[at - 1]->instance.id > vm->instance.id; at--)
                engine->vms[at] = engine->vms[at - 1];
        engine->vms[at] = vm;
        engine->n_vms++;
}

static char *format_policy(const struct policy *policy) {
        char text[POLICY_TEXT_MAX];

        policy_format(policy, text);
        return strdup(text);
}

int engine_add_vm(struct engine *engine, struct store_vm *instance, const struct policy *policy, bool has_process,
                  struct engine_vm **ret_vm, struct store_vm *ret_other, char ret_why[static STORE_WHY_MAX]) {
        struct engine_vm *vm = make_place(engine);
        int r;

        if (!vm) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        free(instance->policy);
        instance->policy = format_policy(policy);
        r = store_add_vm_within(engine->store, instance, engine_add_patience_ms, ret_other, ret_why);
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
        past_take_up(past, &vm->tally);
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

bool engine_vm_is_stored(const struct engine_vm *vm) {
        return !vm->n_unstored && tally_next_deadline(&vm->tally) == UINT64_MAX;
}

const struct source_sink *engine_vm_sink(struct engine_vm *vm) {
        return &vm->sink;
}

const struct store_vm *engine_vm_instance(const struct engine_vm *vm) {
        return &vm->instance;
}

bool engine_vm_has_open_monitor(const struct engine_vm *vm) {
        return vm->episode.monitor_open;
}

const struct policy *engine_vm_policy(const struct engine_vm *vm) {
        return &vm->policy;
}

void engine_vm_set_userdata(struct engine_vm *vm, void *userdata) {
        vm->userdata = userdata;
}

void *engine_vm_userdata(const struct engine_vm *vm) {
        return vm->userdata;
}

void engine_vm_set_policy(struct engine_vm *vm, const struct policy *policy) {
        vm->policy = *policy;
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

int engine_vm_set_monitor(struct engine_vm *vm, const struct store_monitor *monitor) {
        struct store_batch *batch = open_batch(vm->engine);

        return batch ? store_batch_set_monitor(batch, vm->instance.id, monitor) : -ENOMEM;
}

int engine_vm_decide(struct engine_vm *vm, const char *verdict_id, const struct decision *decision) {
        struct store_batch *batch = open_batch(vm->engine);

        if (!strcmp(verdict_id, vm->told_id))
                vm->told_decision = *decision;
        return batch ? store_batch_add_decision(batch, verdict_id, decision, source_time_ns()) : -ENOMEM;
}

int engine_vm_leave(struct engine_vm *vm, const char *reason) {
        tally_let_out(&vm->tally, 0, true, vm_let_out, vm);
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

                trouble(engine, "the disk takes nothing: %zu verdicts and %zu facts are lost unless it does before this ends",
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
