#include "store/store_query.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/reader.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>

/* CROSS JOIN: the index of verdicts gives the order, and each verdict then finds its VM. */
#define FROM_VERDICT "SELECT " ROW_VERDICT " FROM verdict CROSS JOIN vm ON vm.id = verdict.vm"
#define IS_NEWEST                                                                                  \
        " (?2 OR NOT EXISTS (SELECT 1 FROM verdict AS newer WHERE newer.vm = verdict.vm"           \
        " AND newer.episode = verdict.episode AND newer.number > verdict.number))"
#define NEWEST_FIRST " ORDER BY verdict.episode DESC, verdict.number DESC LIMIT ?3"

static const char *const query_sql[] = {
        [QUERY_BY_NOTHING] = FROM_VERDICT " WHERE ?1 IS NULL AND" IS_NEWEST NEWEST_FIRST,
        [QUERY_BY_NAME] = FROM_VERDICT " WHERE verdict.name = ?1 AND" IS_NEWEST NEWEST_FIRST,
        [QUERY_BY_UUID] = FROM_VERDICT " WHERE verdict.uuid = ?1 AND" IS_NEWEST NEWEST_FIRST,
        [QUERY_BY_VM] = FROM_VERDICT " WHERE verdict.vm = ?1 AND" IS_NEWEST NEWEST_FIRST,
        [QUERY_BY_ID] = FROM_VERDICT " WHERE verdict.id = ?1",
};

static_assert(N_ELEMENTS(query_sql) == _QUERY_BY_N, "every question has its SQL");

const char *store_query_sql(enum query_by by) {
        return query_sql[by];
}

const char *store_query_evidence_sql(void) {
        return "SELECT " ROW_EVIDENCE ", verdict_evidence.proof FROM verdict_evidence"
               " CROSS JOIN evidence ON evidence.id = verdict_evidence.evidence"
               " WHERE verdict_evidence.verdict = ? ORDER BY verdict_evidence.position";
}

const char *store_query_decision_sql(void) {
        return "SELECT " ROW_DECISION " FROM decision WHERE verdict = ? ORDER BY id DESC LIMIT 1";
}

const char *store_query_each_evidence_sql(void) {
        return "SELECT " ROW_EVIDENCE " FROM evidence WHERE vm = ? AND id > ? ORDER BY id";
}

static int add_item(struct verdict_record *record, size_t *n_max, struct evidence *item) {
        if (record->n_items == *n_max) {
                size_t n_wanted = *n_max ? 2 * *n_max : 8;
                struct evidence *grown = reallocarray(record->items, n_wanted, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                record->items = grown;
                *n_max = n_wanted;
        }
        record->items[record->n_items++] = *item;
        return 0;
}

/* The proof in the order of its ranks.  A rank is missing where its fact was pruned. */
static void collect_proof(struct verdict *verdict, const size_t items_by_rank[static VERDICT_PROOF_MAX]) {
        for (size_t rank = 0; rank < VERDICT_PROOF_MAX; rank++)
                if (items_by_rank[rank] != SIZE_MAX)
                        verdict->proof[verdict->n_proof++] = items_by_rank[rank];
}

static int read_items(sqlite3_stmt *statement, struct verdict_record *record, char ret_why[static STORE_WHY_MAX]) {
        size_t items_by_rank[VERDICT_PROOF_MAX], n_max = 0;
        int r;

        for (size_t rank = 0; rank < VERDICT_PROOF_MAX; rank++)
                items_by_rank[rank] = SIZE_MAX;
        while ((r = statement_step(statement, ret_why)) == DATABASE_ROW) {
                struct evidence item;

                if (sqlite3_column_type(statement, ROW_EVIDENCE_N) != SQLITE_NULL) {
                        int64_t rank = sqlite3_column_int64(statement, ROW_EVIDENCE_N);

                        if (rank < 0 || rank >= VERDICT_PROOF_MAX || items_by_rank[rank] != SIZE_MAX)
                                return row_is_wrong(statement, "evidence", ROW_EVIDENCE_N, ret_why);
                        items_by_rank[rank] = record->n_items;
                }
                r = row_to_evidence(statement, &item, ret_why);
                if (r)
                        return r;
                r = add_item(record, &n_max, &item);
                if (r) {
                        evidence_deinit(&item);
                        return database_fail_errno("vmpower.db", r, ret_why);
                }
        }
        if (!r)
                collect_proof(&record->verdict, items_by_rank);
        return r;
}

/* What a history of many verdicts asks about each of them, prepared once. */
struct details {
        sqlite3_stmt *evidence, *decision;
};

static void details_deinit(struct details *details) {
        statement_finalizep(&details->evidence);
        statement_finalizep(&details->decision);
}

static int read_details(struct details *details, struct verdict_record *record, char ret_why[static STORE_WHY_MAX]) {
        int r;

        sqlite3_reset(details->evidence);
        sqlite3_bind_int64(details->evidence, 1, (int64_t)record->number);
        r = read_items(details->evidence, record, ret_why);
        if (r)
                return r;

        sqlite3_reset(details->decision);
        sqlite3_bind_int64(details->decision, 1, (int64_t)record->number);
        r = statement_step(details->decision, ret_why);
        return r == DATABASE_ROW ? row_to_decision(details->decision, &record->decision, ret_why) : r;
}

static int tell_verdicts(sqlite3_stmt *statement, struct details *details,
                         int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                         char ret_why[static STORE_WHY_MAX]) {
        int r;

        while ((r = statement_step(statement, ret_why)) == DATABASE_ROW) {
                cleanup(verdict_record_deinit) struct verdict_record record = {};

                r = row_to_verdict(statement, &record, ret_why);
                if (!r)
                        r = read_details(details, &record, ret_why);
                if (!r)
                        r = each(&record, userdata);
                if (r)
                        return r;
        }
        return r;
}

/* Does this question have any answer at all? */
static int has_verdict(const struct question *question, const char *sql, const char *name,
                       char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        struct binder binder;
        int r;

        r = database_prepare(question->database, sql, &statement, ret_why);
        if (r)
                return r;
        binder = (struct binder){ .statement = statement };
        bind_text(&binder, name);
        return statement_step(statement, ret_why);
}

/* What the name is the name of.  0 or -errno; *ret_vm is set with QUERY_BY_VM. */
static int resolve_name(const struct question *question, const char *name, enum query_by *ret_by, int64_t *ret_vm,
                        char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        struct binder binder;
        int r;

        *ret_by = QUERY_BY_NAME;
        r = has_verdict(question, "SELECT 1 FROM verdict WHERE name = ? LIMIT 1", name, ret_why);
        if (r)
                return r < 0 ? r : 0;
        *ret_by = QUERY_BY_UUID;
        r = has_verdict(question, "SELECT 1 FROM verdict WHERE uuid = ? LIMIT 1", name, ret_why);
        if (r)
                return r < 0 ? r : 0;
        *ret_by = QUERY_BY_VM;
        r = database_prepare(question->database, "SELECT id FROM vm WHERE instance = ?", &statement, ret_why);
        if (r)
                return r;
        binder = (struct binder){ .statement = statement };
        bind_text(&binder, name);
        r = statement_run(statement, ret_vm, ret_why);
        return r < 0 ? r : 0;
}

static int prepare_query(const struct question *question, const struct store_query *query, sqlite3_stmt **ret_statement,
                         char ret_why[static STORE_WHY_MAX]) {
        enum query_by by = QUERY_BY_NOTHING;
        int64_t vm = query->vm;
        int r;

        if (query->verdict_id)
                by = QUERY_BY_ID;
        else if (query->vm)
                by = QUERY_BY_VM;
        else if (query->name) {
                r = resolve_name(question, query->name, &by, &vm, ret_why);
                if (r)
                        return r;
        }

        r = database_prepare(question->database, query_sql[by], ret_statement, ret_why);
        if (r)
                return r;
        switch (by) {
        case QUERY_BY_NAME:
        case QUERY_BY_UUID:
                sqlite3_bind_text(*ret_statement, 1, query->name, -1, SQLITE_STATIC);
                break;
        case QUERY_BY_VM:
                sqlite3_bind_int64(*ret_statement, 1, vm);
                break;
        case QUERY_BY_ID:
                sqlite3_bind_text(*ret_statement, 1, query->verdict_id, -1, SQLITE_STATIC);
                return 0;
        case QUERY_BY_NOTHING:
        case _QUERY_BY_N:
                break;
        }
        sqlite3_bind_int(*ret_statement, 2, query->all_revisions);
        sqlite3_bind_int64(*ret_statement, 3, query->limit && query->limit < INT64_MAX ? (int64_t)query->limit : -1);
        return 0;
}

int store_each_verdict(struct store *store, const struct store_query *query,
                       int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                       char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        cleanup(details_deinit) struct details details = {};
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (r)
                return r;
        r = prepare_query(&question, query, &statement, ret_why);
        if (!r)
                r = database_prepare(question.database, store_query_evidence_sql(), &details.evidence, ret_why);
        if (!r)
                r = database_prepare(question.database, store_query_decision_sql(), &details.decision, ret_why);
        return r ? r : tell_verdicts(statement, &details, each, userdata, ret_why);
}

int store_each_evidence(struct store *store, int64_t vm, uint64_t after,
                        int (*each)(const struct evidence *evidence, void *userdata), void *userdata,
                        char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = database_prepare(question.database, store_query_each_evidence_sql(), &statement, ret_why);
        if (r)
                return r;
        sqlite3_bind_int64(statement, 1, vm);
        sqlite3_bind_int64(statement, 2, after > INT64_MAX ? INT64_MAX : (int64_t)after);
        while ((r = statement_step(statement, ret_why)) == DATABASE_ROW) {
                cleanup(evidence_deinit) struct evidence evidence = {};

                r = row_to_evidence(statement, &evidence, ret_why);
                if (!r)
                        r = each(&evidence, userdata);
                if (r)
                        return r;
        }
        return r;
}
