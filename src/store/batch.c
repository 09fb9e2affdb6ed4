#include "store/batch.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"

#include <errno.h>
#include <string.h>

/* Room for one more.  0 or -ENOMEM. */
static int grow(void **array, size_t *n_max, size_t n, size_t size) {
        size_t n_wanted = *n_max ? *n_max * 2 : 4;
        void *grown;

        if (n < *n_max)
                return 0;
        grown = reallocarray(*array, n_wanted, size);
        if (!grown)
                return -ENOMEM;
        *array = grown;
        *n_max = n_wanted;
        return 0;
}

/* SQLite's integers are signed; a time or number beyond them is nobody's. */
static bool is_storable(uint64_t value) {
        return value <= INT64_MAX;
}

int store_batch_new(struct store_batch **ret_batch) {
        struct store_batch *batch = calloc(1, sizeof(*batch));

        if (!batch)
                return -ENOMEM;
        batch->n_bytes = sizeof(*batch);
        *ret_batch = batch;
        return 0;
}

static void op_deinit(struct batch_op *op) {
        if (op->type == BATCH_RENAME_VM)
                free(op->rename.identity);
        if (op->type == BATCH_SET_TOLD || op->type == BATCH_FORGET_OUTLET)
                free(op->told.outlet);
        if (op->type == BATCH_SET_MONITOR)
                store_monitor_deinit(&op->monitor);
}

struct store_batch *store_batch_free(struct store_batch *batch) {
        if (!batch)
                return NULL;
        store_batch_keep(batch);
        for (size_t i = 0; i < batch->n_evidence; i++)
                evidence_deinit(&batch->evidence[i].evidence);
        for (size_t i = 0; i < batch->n_verdicts; i++)
                verdict_record_deinit(&batch->verdicts[i].record);
        for (size_t i = 0; i < batch->n_ops; i++)
                op_deinit(&batch->ops[i]);
        if (batch->addition) {
                store_vm_deinit(&batch->addition->vm);
                store_vm_deinit(&batch->addition->other);
        }
        free(batch->addition);
        free(batch->evidence);
        free(batch->verdicts);
        free(batch->ops);
        free(batch);
        return NULL;
}

void store_batch_freep(struct store_batch **batch) {
        store_batch_free(*batch);
}

void store_batch_keep(struct store_batch *batch) {
        if (batch->is_kept)
                *batch->is_kept = true;
        batch->is_kept = NULL;
}

/* Appends last, when nothing else can fail; ret_op may be filled in then. */
static int add_op(struct store_batch *batch, enum batch_op_type type, int64_t vm, struct batch_op **ret_op) {
        int r;

        r = grow((void **)&batch->ops, &batch->n_ops_max, batch->n_ops, sizeof(*batch->ops));
        if (r)
                return r;
        *ret_op = &batch->ops[batch->n_ops++];
        **ret_op = (struct batch_op){ .type = type, .vm = vm };
        batch->n_bytes += sizeof(**ret_op);
        return 0;
}

int store_batch_add_vm(struct store_batch *batch, struct store_vm *vm, struct store_vm *other) {
        struct batch_op *op;
        int r;

        if (!is_storable(vm->began_ns) || !is_storable(vm->ended_ns))
                return -ERANGE;
        r = add_op(batch, BATCH_ADD_VM, 0, &op);
        if (r)
                return r;
        op->add_vm.vm = vm;
        op->add_vm.other = other;
        return 0;
}

static size_t actor_bytes(const struct actor *actor) {
        return actor ? sizeof(*actor) : 0;
}

int store_batch_add_evidence(struct store_batch *batch, int64_t vm, struct evidence *evidence) {
        struct batch_op *op;
        int r;

        if (!is_storable(evidence->at_ns) || !is_storable(evidence->time_ns) || !is_storable(evidence->seq))
                return -ERANGE;
        r = grow((void **)&batch->evidence, &batch->n_evidence_max, batch->n_evidence, sizeof(*batch->evidence));
        if (r)
                return r;
        r = add_op(batch, BATCH_ADD_EVIDENCE, vm, &op);
        if (r)
                return r;
        op->evidence = batch->n_evidence;
        batch->n_bytes += sizeof(*batch->evidence) + actor_bytes(evidence->actor);
        batch->evidence[batch->n_evidence++] = (struct batch_evidence){ .vm = vm, .evidence = *evidence };
        evidence->actor = NULL;
        return 0;
}

static size_t record_bytes(const struct verdict_record *record) {
        size_t n = actor_bytes(record->actor);

        for (size_t i = 0; i < record->n_items; i++)
                n += sizeof(record->items[i]) + actor_bytes(record->items[i].actor);
        return n;
}

static int check_record(const struct verdict_record *record) {
        const struct verdict *verdict = &record->verdict;

        if (!*record->id || verdict->n_proof > VERDICT_PROOF_MAX)
                return -EINVAL;
        for (size_t i = 0; i < verdict->n_proof; i++)
                if (verdict->proof[i] >= record->n_items)
                        return -EINVAL;
        /* Evidence is stored before it is judged. */
        for (size_t i = 0; i < record->n_items; i++)
                if (!record->items[i].id)
                        return -EINVAL;
        if (!is_storable(verdict->at_ns) || !is_storable(verdict->time_ns) || !is_storable(verdict->count) ||
            !is_storable(record->episode))
                return -ERANGE;
        return 0;
}

int store_batch_add_verdict(struct store_batch *batch, int64_t vm, struct verdict_record *record) {
        struct batch_op *op;
        int r;

        r = check_record(record);
        if (r)
                return r;
        r = grow((void **)&batch->verdicts, &batch->n_verdicts_max, batch->n_verdicts, sizeof(*batch->verdicts));
        if (r)
                return r;
        r = add_op(batch, BATCH_ADD_VERDICT, vm, &op);
        if (r)
                return r;
        op->verdict = batch->n_verdicts;
        batch->n_bytes += sizeof(*batch->verdicts) + record_bytes(record);
        batch->verdicts[batch->n_verdicts++] = (struct batch_verdict){ .vm = vm, .record = *record };
        record->items = NULL;
        record->n_items = 0;
        record->actor = NULL;
        record->verdict.actor = NULL;
        return 0;
}

int store_batch_add_decision(struct store_batch *batch, const char *verdict_id, const struct decision *decision,
                             uint64_t time_ns) {
        struct batch_op *op;
        int r;

        if (!*verdict_id || strlen(verdict_id) >= VERDICT_ID_MAX || !decision->exists)
                return -EINVAL;
        if (!is_storable(time_ns))
                return -ERANGE;
        r = add_op(batch, BATCH_ADD_DECISION, 0, &op);
        if (r)
                return r;
        text_set(op->decision.verdict_id, sizeof(op->decision.verdict_id), verdict_id);
        op->decision.decision = *decision;
        op->decision.time_ns = time_ns;
        return 0;
}

int store_batch_end_vm(struct store_batch *batch, int64_t vm, uint64_t ended_ns) {
        struct batch_op *op;
        int r;

        if (!is_storable(ended_ns))
                return -ERANGE;
        r = add_op(batch, BATCH_END_VM, vm, &op);
        if (r)
                return r;
        op->ended_ns = ended_ns;
        return 0;
}

int store_batch_rename_vm(struct store_batch *batch, int64_t vm, const struct vm_identity *identity, int64_t pid) {
        cleanup(freep) struct vm_identity *copy = malloc(sizeof(*copy));
        struct batch_op *op;
        int r;

        if (!copy)
                return -ENOMEM;
        *copy = *identity;
        r = add_op(batch, BATCH_RENAME_VM, vm, &op);
        if (r)
                return r;
        op->rename.identity = take_pointer(copy);
        op->rename.pid = pid;
        batch->n_bytes += sizeof(*identity);
        return 0;
}

int store_batch_set_watcher(struct store_batch *batch, int64_t vm, const char *watcher, bool is_daemon) {
        struct batch_op *op;
        int r;

        r = add_op(batch, BATCH_SET_WATCHER, vm, &op);
        if (r)
                return r;
        text_set(op->watcher.now, sizeof(op->watcher.now), watcher);
        op->watcher.is_daemon = is_daemon;
        return 0;
}

int store_batch_claim_vm(struct store_batch *batch, int64_t vm, const char *former, const char *watcher) {
        struct batch_op *op;
        int r;

        r = add_op(batch, BATCH_SET_WATCHER, vm, &op);
        if (r)
                return r;
        text_set(op->watcher.now, sizeof(op->watcher.now), watcher);
        text_set(op->watcher.former, sizeof(op->watcher.former), former);
        op->watcher.is_claim = true;
        return 0;
}

static int add_outlet(struct store_batch *batch, enum batch_op_type type, const char *outlet, uint64_t number) {
        cleanup(freep) char *copy = strdup(outlet);
        struct batch_op *op;
        int r;

        if (!copy)
                return -ENOMEM;
        r = add_op(batch, type, 0, &op);
        if (r)
                return r;
        op->told.outlet = take_pointer(copy);
        op->told.number = number;
        batch->n_bytes += strlen(outlet) + 1;
        return 0;
}

int store_batch_set_told(struct store_batch *batch, const char *outlet, uint64_t number) {
        return is_storable(number) ? add_outlet(batch, BATCH_SET_TOLD, outlet, number) : -ERANGE;
}

int store_batch_forget_outlet(struct store_batch *batch, const char *outlet) {
        return add_outlet(batch, BATCH_FORGET_OUTLET, outlet, 0);
}

int store_batch_prune(struct store_batch *batch, const struct store_pruning *pruning) {
        struct batch_op *op;
        int r;

        if (!is_storable(pruning->keep.before_ns) || !is_storable(pruning->now_ns) || !is_storable(pruning->after))
                return -ERANGE;
        r = add_op(batch, BATCH_PRUNE, 0, &op);
        if (r)
                return r;
        op->pruning = *pruning;
        return 0;
}

struct store_pruning store_batch_pruning(const struct store_batch *batch) {
        for (size_t i = 0; i < batch->n_ops; i++)
                if (batch->ops[i].type == BATCH_PRUNE)
                        return batch->ops[i].pruning;
        return (struct store_pruning){ .is_done = true };
}

int store_batch_set_monitor(struct store_batch *batch, int64_t vm, const struct store_monitor *monitor) {
        cleanup(store_monitor_deinit) struct store_monitor copy = {};
        struct batch_op *op;
        int r;

        if (monitor) {
                copy.path = strdup(monitor->path);
                copy.greeting = strdup(monitor->greeting);
                copy.is_kept = monitor->is_kept;
                if (!copy.path || !copy.greeting)
                        return -ENOMEM;
        }
        r = add_op(batch, BATCH_SET_MONITOR, vm, &op);
        if (r)
                return r;
        batch->n_bytes += monitor ? strlen(copy.path) + strlen(copy.greeting) : 0;
        op->monitor = copy;
        copy = (struct store_monitor){};
        return 0;
}

void store_batch_flush_later(struct store_batch *batch) {
        batch->flushes_later = true;
}

bool store_batch_is_empty(const struct store_batch *batch) {
        return !batch->n_ops;
}

size_t store_batch_n_evidence(const struct store_batch *batch) {
        return batch->n_evidence;
}

struct evidence *store_batch_evidence(struct store_batch *batch, size_t i, int64_t *ret_vm) {
        if (ret_vm)
                *ret_vm = batch->evidence[i].vm;
        return &batch->evidence[i].evidence;
}

size_t store_batch_n_verdicts(const struct store_batch *batch) {
        return batch->n_verdicts;
}

struct verdict_record *store_batch_verdict(struct store_batch *batch, size_t i, int64_t *ret_vm) {
        if (ret_vm)
                *ret_vm = batch->verdicts[i].vm;
        return &batch->verdicts[i].record;
}

size_t store_batch_n_bytes(const struct store_batch *batch) {
        return batch->n_bytes;
}

void store_batch_drop_evidence(struct store_batch *batch) {
        size_t n_ops = 0;

        for (size_t i = 0; i < batch->n_ops; i++)
                if (batch->ops[i].type != BATCH_ADD_EVIDENCE)
                        batch->ops[n_ops++] = batch->ops[i];
        batch->n_bytes -= (batch->n_ops - n_ops) * sizeof(batch->ops[0]);
        batch->n_ops = n_ops;
        for (size_t i = 0; i < batch->n_evidence; i++) {
                batch->n_bytes -= sizeof(batch->evidence[0]) + actor_bytes(batch->evidence[i].evidence.actor);
                evidence_deinit(&batch->evidence[i].evidence);
        }
        free(batch->evidence);
        batch->evidence = NULL;
        batch->n_evidence = batch->n_evidence_max = 0;
}

void store_batch_fail(struct store_batch *batch, int result, const char *why) {
        for (size_t i = 0; i < batch->n_evidence; i++)
                batch->evidence[i].evidence.id = 0;
        for (size_t i = 0; i < batch->n_verdicts; i++)
                batch->verdicts[i].record.number = 0;
        batch->result = result;
        text_set(batch->why, sizeof(batch->why), why);
}
