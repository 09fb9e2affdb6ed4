#include "store/transaction.h"

#include "basics/cleanup.h"
#include "core/text.h"
#include "json/actor_json.h"
#include "json/evidence_json.h"
#include "store/prune.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const statement_sql[] = {
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_SAVEPOINT] = "SAVEPOINT batch",
        [STATEMENT_RELEASE] = "RELEASE batch",
        [STATEMENT_ROLLBACK_TO] = "ROLLBACK TO batch",
        [STATEMENT_FIND_INSTANCE] = "SELECT " ROW_VM " FROM vm WHERE instance = ?",
        [STATEMENT_FIND_OPEN] = "SELECT " ROW_VM " FROM vm WHERE name = ? AND backend = ?"
                                " AND coalesce(uid, -1) = ? AND ended_ns IS NULL",
        [STATEMENT_ADD_VM] = "INSERT INTO vm (name, uuid, backend, instance, pid, uid, command_line, policy, watcher,"
                             " began_ns, ended_ns, is_daemons) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_END_VM] = "UPDATE vm SET ended_ns = coalesce(ended_ns, ?) WHERE id = ?",
        [STATEMENT_RENAME_VM] = "UPDATE vm SET name = ?, uuid = ?, backend = ?, instance = ?, pid = ? WHERE id = ?",
        [STATEMENT_RENAME_VERDICTS] = "UPDATE verdict SET name = ?, uuid = ? WHERE vm = ?",
        [STATEMENT_SET_WATCHER] = "UPDATE vm SET watcher = ?, is_daemons = ? WHERE id = ?"
                                  " AND (NOT ? OR (ended_ns IS NULL AND coalesce(watcher, '') = ?))",
        [STATEMENT_SET_MONITOR] = "INSERT INTO monitor (vm, path, greeting, is_kept) VALUES (?, ?, ?, ?)"
                                  " ON CONFLICT (vm) DO UPDATE SET path = excluded.path, greeting = excluded.greeting,"
                                  " is_kept = excluded.is_kept",
        [STATEMENT_FORGET_MONITOR] = "DELETE FROM monitor WHERE vm = ?",
        [STATEMENT_NEXT_EVIDENCE] = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'evidence'",
        [STATEMENT_ADD_EVIDENCE] = "INSERT INTO evidence (batch, vm, source, kind, at_ns, time_ns, seq, data)"
                                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                                   " ON CONFLICT (vm, at_ns, source, seq, kind) DO NOTHING",
        [STATEMENT_FIND_EVIDENCE] = "SELECT id FROM evidence"
                                    " WHERE vm = ? AND at_ns = ? AND source = ? AND seq = ? AND kind = ?",
        [STATEMENT_ADD_VERDICT] =
                "INSERT INTO verdict (id, vm, name, uuid, episode, revises, at_ns, time_ns, transition,"
                " initiator, mechanism, graceful, left, count, confidence, rule, summary, actor, n_evidence, uid)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT uid FROM vm WHERE id = ?2))"
                " ON CONFLICT (id) DO NOTHING",
        [STATEMENT_FIND_VERDICT] = "SELECT number FROM verdict WHERE id = ?",
        [STATEMENT_ADD_VERDICT_EVIDENCE] = "INSERT INTO verdict_evidence (verdict, position, evidence, proof)"
                                           " VALUES (?, ?, ?, ?)",
        [STATEMENT_ADD_DECISION] = "INSERT INTO decision (verdict, policy, action, result, time_ns)"
                                   " SELECT number, ?2, ?3, ?4, ?5 FROM verdict WHERE id = ?1",
        [STATEMENT_SET_TOLD] = "INSERT INTO outlet (name, told) VALUES (?, ?)"
                               " ON CONFLICT (name) DO UPDATE SET told = excluded.told",
        [STATEMENT_FORGET_OUTLET] = "DELETE FROM outlet WHERE name = ?",
        [STATEMENT_READ_RETENTION] = PRUNE_READ_RETENTION,
        [STATEMENT_WRITE_RETENTION] = "UPDATE retention SET measured_up_to = ?, n_evidence = ?, n_bytes = ?, n_pruned = ?,"
                                      " pruned_ns = ? WHERE id = 1",
        [STATEMENT_MEASURE_EVIDENCE] = "SELECT max(id), count(*), sum(bytes) FROM (SELECT id, " PRUNE_BYTES " AS bytes"
                                       " FROM evidence WHERE id > ? ORDER BY id LIMIT ?)",
        [STATEMENT_LOOK_AT_EVIDENCE] = PRUNE_LOOK " LIMIT ?",
        [STATEMENT_DELETE_EVIDENCE] = "DELETE FROM evidence WHERE id = ?",
};

static_assert(N_ELEMENTS(statement_sql) == _TRANSACTION_STATEMENT_N, "every statement has its SQL");

const char *transaction_sql(enum transaction_statement statement) {
        return statement_sql[statement];
}

int transaction_init(struct transaction *transaction, sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        int r;

        *transaction = (struct transaction){ .database = database };
        for (size_t i = 0; i < _TRANSACTION_STATEMENT_N; i++) {
                r = database_prepare(database, statement_sql[i], &transaction->statements[i], ret_why);
                if (r) {
                        transaction_deinit(transaction);
                        return r;
                }
        }
        return 0;
}

void transaction_deinit(struct transaction *transaction) {
        for (size_t i = 0; i < _TRANSACTION_STATEMENT_N; i++)
                statement_finalizep(&transaction->statements[i]);
        database_closep(&transaction->database);
        *transaction = (struct transaction){};
}

static struct binder bind_to(struct transaction *transaction, enum transaction_statement statement) {
        return (struct binder){ .statement = transaction->statements[statement] };
}

/* 0, also where there would be a row to read. */
static int run(struct transaction *transaction, enum transaction_statement statement,
               char ret_why[static STORE_WHY_MAX]) {
        int r = statement_run(transaction->statements[statement], NULL, ret_why);

        return r < 0 ? r : 0;
}

/* The same for a change that must hit a row. */
static int run_on_row(struct transaction *transaction, enum transaction_statement statement,
                      char ret_why[static STORE_WHY_MAX]) {
        int r = run(transaction, statement, ret_why);

        if (r || sqlite3_changes(transaction->database))
                return r;
        return database_fail_errno(sqlite3_db_filename(transaction->database, "main"), -ENOENT, ret_why);
}

/* Is there such a VM?  Then `result`, and the VM in ret_other (may be NULL). */
static int refuse_vm(struct transaction *transaction, enum transaction_statement statement, int result,
                     const char *words, struct store_vm *ret_other, char ret_why[static STORE_WHY_MAX]) {
        sqlite3_stmt *row = transaction->statements[statement];
        struct store_vm other = {};
        char line[STORE_WHY_MAX];
        int r;

        r = statement_step(row, ret_why);
        if (r == DATABASE_ROW)
                r = row_to_vm(row, &other, ret_why) ?: DATABASE_ROW;
        sqlite3_reset(row);
        sqlite3_clear_bindings(row);
        if (r != DATABASE_ROW)
                return r;

        snprintf(line, sizeof(line), "%.128s: %s (instance %s)", other.identity.name, words, other.identity.instance);
        text_set(ret_why, STORE_WHY_MAX, line);
        if (ret_other)
                *ret_other = other;
        else
                store_vm_deinit(&other);
        return result;
}

static int add_vm(struct transaction *transaction, struct batch_op *op, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm *vm = op->add_vm.vm;
        struct binder binder;
        int r;

        binder = bind_to(transaction, STATEMENT_FIND_INSTANCE);
        bind_text(&binder, vm->identity.instance);
        r = refuse_vm(transaction, STATEMENT_FIND_INSTANCE, -EALREADY, "this instance is known already",
                      op->add_vm.other, ret_why);
        if (r)
                return r;

        binder = bind_to(transaction, STATEMENT_FIND_OPEN);
        bind_text(&binder, vm->identity.name);
        bind_text(&binder, vm->identity.backend);
        bind_integer(&binder, vm->uid);
        if (!vm->ended_ns)
                r = refuse_vm(transaction, STATEMENT_FIND_OPEN, -EEXIST, "a VM of this name has not ended",
                              op->add_vm.other, ret_why);
        if (r)
                return r;

        binder = bind_to(transaction, STATEMENT_ADD_VM);
        bind_text(&binder, vm->identity.name);
        bind_text_or_null(&binder, vm->identity.uuid);
        bind_text(&binder, vm->identity.backend);
        bind_text(&binder, vm->identity.instance);
        bind_integer(&binder, vm->pid);
        if (vm->uid >= 0)
                bind_integer(&binder, vm->uid);
        else
                bind_null(&binder);
        bind_text(&binder, vm->command_line);
        bind_text(&binder, vm->policy ? vm->policy : "");
        bind_text_or_null(&binder, vm->watcher ? vm->watcher : "");
        bind_integer(&binder, (int64_t)vm->began_ns);
        if (vm->ended_ns)
                bind_integer(&binder, (int64_t)vm->ended_ns);
        else
                bind_null(&binder);
        bind_integer(&binder, vm->is_daemons);
        r = run(transaction, STATEMENT_ADD_VM, ret_why);
        if (!r)
                vm->id = sqlite3_last_insert_rowid(transaction->database);
        return r;
}

static int forget_monitor(struct transaction *transaction, int64_t vm, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_FORGET_MONITOR);

        bind_integer(&binder, vm);
        return run(transaction, STATEMENT_FORGET_MONITOR, ret_why);
}

static int end_vm(struct transaction *transaction, const struct batch_op *op, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_END_VM);
        int r;

        bind_integer(&binder, (int64_t)op->ended_ns);
        bind_integer(&binder, op->vm);
        r = run_on_row(transaction, STATEMENT_END_VM, ret_why);
        return r ? r : forget_monitor(transaction, op->vm, ret_why);
}

static int set_monitor(struct transaction *transaction, const struct batch_op *op, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_SET_MONITOR);

        if (!op->monitor.path)
                return forget_monitor(transaction, op->vm, ret_why);
        bind_integer(&binder, op->vm);
        bind_text(&binder, op->monitor.path);
        bind_text(&binder, op->monitor.greeting);
        bind_integer(&binder, op->monitor.is_kept);
        return run(transaction, STATEMENT_SET_MONITOR, ret_why);
}

static int rename_vm(struct transaction *transaction, const struct batch_op *op, char ret_why[static STORE_WHY_MAX]) {
        const struct vm_identity *identity = op->rename.identity;
        struct binder binder = bind_to(transaction, STATEMENT_RENAME_VM);
        int r;

        bind_text(&binder, identity->name);
        bind_text_or_null(&binder, identity->uuid);
        bind_text(&binder, identity->backend);
        bind_text(&binder, identity->instance);
        bind_integer(&binder, op->rename.pid);
        bind_integer(&binder, op->vm);
        r = run_on_row(transaction, STATEMENT_RENAME_VM, ret_why);
        if (r)
                return r;

        /* Where its verdicts are looked up; what they say stays. */
        binder = bind_to(transaction, STATEMENT_RENAME_VERDICTS);
        bind_text(&binder, identity->name);
        bind_text_or_null(&binder, identity->uuid);
        bind_integer(&binder, op->vm);
        return run(transaction, STATEMENT_RENAME_VERDICTS, ret_why);
}

static int set_watcher(struct transaction *transaction, const struct batch_op *op,
                       char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_SET_WATCHER);

        bind_text_or_null(&binder, op->watcher.now);
        bind_integer(&binder, op->watcher.is_daemon);
        bind_integer(&binder, op->vm);
        bind_integer(&binder, op->watcher.is_claim);
        bind_text(&binder, op->watcher.former);
        return run_on_row(transaction, STATEMENT_SET_WATCHER, ret_why);
}

static int fail_memory(struct transaction *transaction, char ret_why[static STORE_WHY_MAX]) {
        return database_fail_errno(sqlite3_db_filename(transaction->database, "main"), -ENOMEM, ret_why);
}

/* A new text, or NULL without memory. */
static char *evidence_text(const struct evidence *evidence) {
        cleanup(json_decrefp) json_t *data = NULL;

        return evidence_data_to_json(evidence, &data) ? NULL : json_dumps(data, JSON_COMPACT);
}

static int add_evidence(struct transaction *transaction, struct batch_evidence *entry, int64_t batch,
                        char ret_why[static STORE_WHY_MAX]) {
        struct evidence *evidence = &entry->evidence;
        cleanup(freep) char *data = evidence_text(evidence);
        const char *source = evidence_source_name(evidence->source);
        const char *kind = evidence_kind_info(evidence->kind)->name;
        struct binder binder = bind_to(transaction, STATEMENT_ADD_EVIDENCE);
        int64_t id = 0;
        int r;

        if (!data)
                return fail_memory(transaction, ret_why);
        bind_integer(&binder, batch);
        bind_integer(&binder, entry->vm);
        bind_text(&binder, source);
        bind_text(&binder, kind);
        bind_integer(&binder, (int64_t)evidence->at_ns);
        bind_integer(&binder, (int64_t)evidence->time_ns);
        bind_integer(&binder, (int64_t)evidence->seq);
        bind_text(&binder, data);
        r = run(transaction, STATEMENT_ADD_EVIDENCE, ret_why);
        if (r)
                return r;
        if (sqlite3_changes(transaction->database)) {
                evidence->id = (uint64_t)sqlite3_last_insert_rowid(transaction->database);
                return 0;
        }

        binder = bind_to(transaction, STATEMENT_FIND_EVIDENCE);
        bind_integer(&binder, entry->vm);
        bind_integer(&binder, (int64_t)evidence->at_ns);
        bind_text(&binder, source);
        bind_integer(&binder, (int64_t)evidence->seq);
        bind_text(&binder, kind);
        r = statement_run(transaction->statements[STATEMENT_FIND_EVIDENCE], &id, ret_why);
        evidence->id = (uint64_t)id;
        return r < 0 ? r : 0;
}

static void bind_proof(struct binder *binder, const struct verdict *verdict, size_t item) {
        for (size_t rank = 0; rank < verdict->n_proof; rank++)
                if (verdict->proof[rank] == item) {
                        bind_integer(binder, (int64_t)rank);
                        return;
                }
        bind_null(binder);
}

static int add_verdict_evidence(struct transaction *transaction, const struct verdict_record *record,
                                char ret_why[static STORE_WHY_MAX]) {
        int r;

        for (size_t i = 0; i < record->n_items; i++) {
                struct binder binder = bind_to(transaction, STATEMENT_ADD_VERDICT_EVIDENCE);

                bind_integer(&binder, (int64_t)record->number);
                bind_integer(&binder, (int64_t)i);
                bind_integer(&binder, (int64_t)record->items[i].id);
                bind_proof(&binder, &record->verdict, i);
                r = run(transaction, STATEMENT_ADD_VERDICT_EVIDENCE, ret_why);
                if (r)
                        return r;
        }
        return 0;
}

static int add_decision(struct transaction *transaction, const char *verdict_id, const struct decision *decision,
                        uint64_t time_ns, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_ADD_DECISION);

        bind_text(&binder, verdict_id);
        bind_text(&binder, policy_event_name(decision->event));
        bind_text(&binder, policy_action_name(decision->action));
        bind_text(&binder, decision_result_name(decision->result));
        bind_integer(&binder, (int64_t)time_ns);
        return run_on_row(transaction, STATEMENT_ADD_DECISION, ret_why);
}

/* A new text, or NULL without memory. */
static char *actor_text(const struct actor *actor) {
        cleanup(json_decrefp) json_t *json = NULL;

        return actor_to_json(actor, &json) ? NULL : json_dumps(json, JSON_COMPACT);
}

static void bind_verdict(struct binder *binder, int64_t vm, const struct verdict_record *record, const char *actor) {
        const struct verdict *verdict = &record->verdict;

        bind_text(binder, record->id);
        bind_integer(binder, vm);
        bind_text(binder, record->vm.name);
        bind_text_or_null(binder, record->vm.uuid);
        bind_integer(binder, (int64_t)record->episode);
        bind_text_or_null(binder, record->revises);
        bind_integer(binder, (int64_t)verdict->at_ns);
        bind_integer(binder, (int64_t)verdict->time_ns);
        bind_text(binder, transition_name(verdict->transition));
        bind_text(binder, initiator_name(verdict->initiator));
        bind_text(binder, mechanism_name(verdict->mechanism));
        if (verdict->graceful == TRISTATE_NULL)
                bind_null(binder);
        else
                bind_integer(binder, verdict->graceful == TRISTATE_TRUE);
        bind_text(binder, left_name(verdict->left));
        bind_integer(binder, (int64_t)verdict->count);
        bind_text(binder, confidence_name(verdict->confidence));
        bind_text(binder, record->rule);
        bind_text(binder, record->summary);
        bind_text(binder, actor);
        bind_integer(binder, (int64_t)record->n_items);
}

static int add_verdict(struct transaction *transaction, struct batch_verdict *entry,
                       char ret_why[static STORE_WHY_MAX]) {
        struct verdict_record *record = &entry->record;
        cleanup(freep) char *actor = record->actor ? actor_text(record->actor) : NULL;
        struct binder binder = bind_to(transaction, STATEMENT_ADD_VERDICT);
        int64_t number = 0;
        int r;

        if (record->actor && !actor)
                return fail_memory(transaction, ret_why);
        bind_verdict(&binder, entry->vm, record, actor);
        r = run(transaction, STATEMENT_ADD_VERDICT, ret_why);
        if (r)
                return r;

        if (!sqlite3_changes(transaction->database)) {
                binder = bind_to(transaction, STATEMENT_FIND_VERDICT);
                bind_text(&binder, record->id);
                r = statement_run(transaction->statements[STATEMENT_FIND_VERDICT], &number, ret_why);
                record->number = (uint64_t)number;
                return r < 0 ? r : 0;
        }

        record->number = (uint64_t)sqlite3_last_insert_rowid(transaction->database);
        r = add_verdict_evidence(transaction, record, ret_why);
        if (r || !record->decision.exists)
                return r;
        return add_decision(transaction, record->id, &record->decision, record->verdict.time_ns, ret_why);
}

static int set_told(struct transaction *transaction, const struct batch_op *op, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_SET_TOLD);

        bind_text(&binder, op->told.outlet);
        bind_integer(&binder, (int64_t)op->told.number);
        return run(transaction, STATEMENT_SET_TOLD, ret_why);
}

static int forget_outlet(struct transaction *transaction, const struct batch_op *op,
                         char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = bind_to(transaction, STATEMENT_FORGET_OUTLET);

        bind_text(&binder, op->told.outlet);
        return run(transaction, STATEMENT_FORGET_OUTLET, ret_why);
}

static int write_op(struct transaction *transaction, struct store_batch *batch, struct batch_op *op, int64_t number,
                    char ret_why[static STORE_WHY_MAX]) {
        switch (op->type) {
        case BATCH_ADD_VM:
                return add_vm(transaction, op, ret_why);
        case BATCH_ADD_EVIDENCE:
                return add_evidence(transaction, &batch->evidence[op->evidence], number, ret_why);
        case BATCH_ADD_VERDICT:
                return add_verdict(transaction, &batch->verdicts[op->verdict], ret_why);
        case BATCH_ADD_DECISION:
                return add_decision(transaction, op->decision.verdict_id, &op->decision.decision, op->decision.time_ns,
                                    ret_why);
        case BATCH_END_VM:
                return end_vm(transaction, op, ret_why);
        case BATCH_RENAME_VM:
                return rename_vm(transaction, op, ret_why);
        case BATCH_SET_WATCHER:
                return set_watcher(transaction, op, ret_why);
        case BATCH_SET_TOLD:
                return set_told(transaction, op, ret_why);
        case BATCH_FORGET_OUTLET:
                return forget_outlet(transaction, op, ret_why);
        case BATCH_PRUNE:
                return prune_step(transaction, &op->pruning, ret_why);
        case BATCH_SET_MONITOR:
                return set_monitor(transaction, op, ret_why);
        }
        return -EINVAL;
}

static int write_batch(struct transaction *transaction, struct store_batch *batch, char ret_why[static STORE_WHY_MAX]) {
        int64_t number = 1; /* in a new file the sequence has no row yet */
        int r;

        if (batch->n_evidence) {
                r = statement_run(transaction->statements[STATEMENT_NEXT_EVIDENCE], &number, ret_why);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < batch->n_ops; i++) {
                r = write_op(transaction, batch, &batch->ops[i], number, ret_why);
                if (r)
                        return r;
        }
        return 0;
}

/* A savepoint is one batch's own: what it wrote can be taken back, what the others wrote stays. */
static int write_in_savepoint(struct transaction *transaction, struct store_batch *batch,
                              char ret_why[static STORE_WHY_MAX]) {
        char ignored[STORE_WHY_MAX];
        int r, written;

        r = run(transaction, STATEMENT_SAVEPOINT, ret_why);
        if (r)
                return r;
        written = write_batch(transaction, batch, ret_why);
        if (!written)
                return run(transaction, STATEMENT_RELEASE, ret_why);

        /* A full disk may have ended the whole transaction; https://www.sqlite.org/lang_transaction.html, 2.1. */
        if (sqlite3_get_autocommit(transaction->database))
                return written;
        store_batch_fail(batch, written, ret_why);
        r = run(transaction, STATEMENT_ROLLBACK_TO, ignored);
        return r ? r : run(transaction, STATEMENT_RELEASE, ignored);
}

/* A file that was removed can be written to all the same, and nobody would ever find it again. */
static int check_still_there(struct transaction *transaction, char ret_why[static STORE_WHY_MAX]) {
        int has_moved = 0;

        sqlite3_file_control(transaction->database, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
        if (!has_moved)
                return 0;
        return database_fail_errno(sqlite3_db_filename(transaction->database, "main"), -ESTALE, ret_why);
}

/* May all of them wait for the disk to be flushed? */
static bool all_may_wait(const struct store_batch *first) {
        for (const struct store_batch *batch = first; batch; batch = batch->next)
                if (!batch->flushes_later || batch->n_ops != batch->n_evidence)
                        return false;
        return true;
}

/* In the log's mode NORMAL leaves out the flush at a commit, and nothing else: https://www.sqlite.org/pragma.html#pragma_synchronous */
static int set_flushing(struct transaction *transaction, bool later, char ret_why[static STORE_WHY_MAX]) {
        int r;

        if (later == transaction->flushes_later)
                return 0;
        r = database_run(transaction->database, later ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", ret_why);
        if (!r)
                transaction->flushes_later = later;
        return r;
}

/* The log is flushed as a whole: with what this commit wrote, all that was owed. */
static int commit(struct transaction *transaction, char ret_why[static STORE_WHY_MAX]) {
        int r = run(transaction, STATEMENT_COMMIT, ret_why);

        if (!r)
                transaction->owes_flush = transaction->flushes_later;
        return r;
}

void transaction_flush(struct transaction *transaction) {
        sqlite3_file *log = NULL;

        transaction->owes_flush = false;
        sqlite3_file_control(transaction->database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
        if (log && log->pMethods)
                log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int write_all(struct transaction *transaction, struct store_batch *first, bool may_flush_later, char ret_why[static STORE_WHY_MAX]) {
        int r;

        r = check_still_there(transaction, ret_why);
        if (!r)
                r = set_flushing(transaction, may_flush_later && all_may_wait(first), ret_why);
        if (r)
                return r;
        r = run(transaction, STATEMENT_BEGIN, ret_why);
        if (r)
                return r;
        for (struct store_batch *batch = first; batch; batch = batch->next) {
                batch->result = 0;
                r = write_in_savepoint(transaction, batch, ret_why);
                if (r)
                        return r;
        }
        return commit(transaction, ret_why);
}

void transaction_write(struct transaction *transaction, struct store_batch *first, bool may_flush_later) {
        char why[STORE_WHY_MAX] = "", ignored[STORE_WHY_MAX];
        int r;

        r = write_all(transaction, first, may_flush_later, why);
        if (!r)
                return;
        if (!sqlite3_get_autocommit(transaction->database))
                run(transaction, STATEMENT_ROLLBACK, ignored);
        for (struct store_batch *batch = first; batch; batch = batch->next)
                store_batch_fail(batch, r, why);
}
