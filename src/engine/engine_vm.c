#include "engine/engine_inside.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void vm_source_ended(void *userdata, enum evidence_source source) {
}

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
        vm->sink = (struct source_sink){ .report = engine_vm_report, .ended = vm_source_ended, .userdata = vm };
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

static int vm_set_watcher(struct engine_vm *vm, const char *watcher) {
        struct store_batch *batch = engine_open_batch(vm->engine);

        return batch ? store_batch_set_watcher(batch, vm->instance.id, watcher, vm->instance.is_daemons) : -ENOMEM;
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
                engine_vm_take(vm, &past->later[i]);
        /* Its owner does not know it yet: what there is to tell is told soon. */
        engine_vm_wake_at(vm, source_now_ns());
        if (gap)
                source_report_gap(&vm->sink, SOURCE_VMPOWER, "%s", gap);
        if (vm_set_watcher(vm, watcher))
                engine_trouble(engine, "%s: out of memory", vm->instance.identity.name);
        *ret_vm = vm;
        return 0;
}

struct engine_vm *engine_remove_vm(struct engine_vm *vm) {
        struct engine *engine;
        size_t at;

        if (!vm)
                return NULL;
        engine = vm->engine;
        at = engine_find_place(engine, vm->instance.id);
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
        struct store_batch *batch = engine_open_batch(vm->engine);

        vm->instance.identity = *identity;
        vm->instance.pid = pid;
        return batch ? store_batch_rename_vm(batch, vm->instance.id, identity, pid) : -ENOMEM;
}

int engine_vm_set_monitor(struct engine_vm *vm, const struct store_monitor *monitor) {
        struct store_batch *batch = engine_open_batch(vm->engine);

        return batch ? store_batch_set_monitor(batch, vm->instance.id, monitor) : -ENOMEM;
}

int engine_vm_decide(struct engine_vm *vm, const char *verdict_id, const struct decision *decision) {
        struct store_batch *batch = engine_open_batch(vm->engine);

        if (!strcmp(verdict_id, vm->told_id))
                vm->told_decision = *decision;
        return batch ? store_batch_add_decision(batch, verdict_id, decision, source_time_ns()) : -ENOMEM;
}

const struct decision *engine_vm_decision(const struct engine_vm *vm, const char **ret_verdict_id) {
        *ret_verdict_id = vm->told_id;
        return &vm->told_decision;
}

int engine_vm_leave(struct engine_vm *vm, const char *reason) {
        tally_let_out(&vm->tally, 0, true, engine_vm_let_out, vm);
        if (reason)
                source_report_gap(&vm->sink, SOURCE_VMPOWER, "%s", reason);
        return vm_set_watcher(vm, "");
}

int engine_vm_abandon(struct engine_vm *vm) {
        struct store_batch *batch = engine_open_batch(vm->engine);

        return batch ? store_batch_end_vm(batch, vm->instance.id, source_time_ns()) : -ENOMEM;
}
