#include "store/store_query.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/reader.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>

enum {
        SPAN_IS_LONG = 10000, /* verdicts */
};

/* CROSS JOIN: the index of verdicts gives the order, and each verdict then finds its VM. */
#define FROM_VERDICT "SELECT " ROW_VERDICT " FROM verdict CROSS JOIN vm ON vm.id = verdict.vm"

/* A unary plus keeps a condition from choosing the index. */
#define IS_WANTED                                                                                  \
        " (?4 IS NULL OR verdict.transition = ?4) AND (?5 IS NULL OR verdict.initiator = ?5)"      \
        " AND +verdict.time_ns >= ?6 AND +verdict.time_ns < ?7 AND (?10 IS NULL OR verdict.uid = ?10)"
#define IS_NEWEST                                                                                  \
        " AND (?2 OR NOT EXISTS (SELECT 1 FROM verdict AS newer WHERE newer.vm = verdict.vm"       \
        " AND newer.episode = verdict.episode AND newer.number > verdict.number))"
#define IS_ON_PAGE                                                                                 \
        " AND verdict.episode >= ?11 AND verdict.episode <= ?8"                                    \
        " AND (verdict.episode < ?8 OR verdict.number < ?9)"
#define NEWEST_FIRST                                                                               \
        IS_WANTED IS_NEWEST IS_ON_PAGE " ORDER BY verdict.episode DESC, verdict.number DESC LIMIT ?3"

static const char *const query_sql[] = {
        [QUERY_BY_NOTHING] = FROM_VERDICT " WHERE ?1 IS NULL AND" NEWEST_FIRST,
        [QUERY_BY_NAME] = FROM_VERDICT " WHERE verdict.name = ?1 AND" NEWEST_FIRST,
        [QUERY_BY_UUID] = FROM_VERDICT " WHERE verdict.uuid = ?1 AND" NEWEST_FIRST,
        [QUERY_BY_VM] = FROM_VERDICT " WHERE verdict.vm = ?1 AND" NEWEST_FIRST,
        [QUERY_BY_ID] = FROM_VERDICT " WHERE verdict.id = ?1 AND" IS_WANTED,
        [QUERY_BY_OWNER] = FROM_VERDICT " WHERE verdict.uid = ?1 AND" NEWEST_FIRST,
        [QUERY_BY_TRANSITION] = FROM_VERDICT " WHERE verdict.transition = ?1 AND" NEWEST_FIRST,
        [QUERY_BY_BOTH] = FROM_VERDICT " WHERE verdict.transition = ?1 AND verdict.initiator = ?5 AND" NEWEST_FIRST,
        [QUERY_BY_INITIATOR] = FROM_VERDICT " WHERE verdict.initiator = ?1 AND" NEWEST_FIRST,
};

static_assert(N_ELEMENTS(query_sql) == _QUERY_BY_N, "every question has its SQL");

const char *store_query_sql(enum query_by by) {
        return query_sql[by];
}

const char *store_query_replay_sql(void) {
        return FROM_VERDICT " WHERE verdict.number > ?1 AND verdict.number <= ?2 AND (?3 IS NULL OR verdict.uid = ?3)"
                            " ORDER BY verdict.number";
}

const char *store_query_span_sql(void) {
        return "SELECT min(episode), max(episode), count(*) FROM"
               " (SELECT episode FROM verdict WHERE time_ns >= ? AND time_ns < ? LIMIT ?)";
}

const char *store_query_span_end_sql(void) {
        return "SELECT max(episode) FROM verdict WHERE time_ns >= ? AND time_ns < ?";
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
        if (r)
                return r;
        collect_proof(&record->verdict, items_by_rank);
        record->n_pruned = record->n_pruned > record->n_items ? record->n_pruned - record->n_items : 0;
        return 0;
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

/* By which index the question is looked up: the one that leaves the fewest rows. */
static int choose_way(const struct question *question, const struct store_query *query, enum query_by *ret_by,
                      int64_t *ret_vm, char ret_why[static STORE_WHY_MAX]) {
        *ret_vm = query->vm;
        if (!query->verdict_id && !query->vm && query->name)
                return resolve_name(question, query->name, ret_by, ret_vm, ret_why);
        *ret_by = query->verdict_id ? QUERY_BY_ID :
                  query->vm         ? QUERY_BY_VM :
                  query->owner      ? QUERY_BY_OWNER :
                  query->transition ? query->initiator ? QUERY_BY_BOTH : QUERY_BY_TRANSITION :
                  query->initiator  ? QUERY_BY_INITIATOR :
                                      QUERY_BY_NOTHING;
        return 0;
}

/* No time and no number of ours is larger. */
static int64_t integer_or_largest(uint64_t value) {
        return value && value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static int64_t since_or_smallest(const struct store_query *query) {
        return query->since_ns ? integer_or_largest(query->since_ns) : INT64_MIN;
}

static void bind_wanted(sqlite3_stmt *statement, enum query_by by, const struct store_query *query, int64_t vm) {
        switch (by) {
        case QUERY_BY_NAME:
        case QUERY_BY_UUID:
                sqlite3_bind_text(statement, 1, query->name, -1, SQLITE_STATIC);
                break;
        case QUERY_BY_VM:
                sqlite3_bind_int64(statement, 1, vm);
                break;
        case QUERY_BY_ID:
                sqlite3_bind_text(statement, 1, query->verdict_id, -1, SQLITE_STATIC);
                break;
        case QUERY_BY_OWNER:
                sqlite3_bind_int64(statement, 1, *query->owner);
                break;
        case QUERY_BY_TRANSITION:
        case QUERY_BY_BOTH:
                sqlite3_bind_text(statement, 1, query->transition, -1, SQLITE_STATIC);
                break;
        case QUERY_BY_INITIATOR:
                sqlite3_bind_text(statement, 1, query->initiator, -1, SQLITE_STATIC);
                break;
        case QUERY_BY_NOTHING:
        case _QUERY_BY_N:
                break;
        }
        /* Texts that are NULL stay NULL. */
        sqlite3_bind_text(statement, 4, query->transition, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, query->initiator, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, since_or_smallest(query));
        sqlite3_bind_int64(statement, 7, integer_or_largest(query->until_ns));
        if (query->owner)
                sqlite3_bind_int64(statement, 10, *query->owner);
}

/* Which episodes a question can be about, and where in the newest of them its page begins. */
struct range {
        int64_t first, last;
        int64_t before; /* of `last`, only verdicts with a smaller number */
};

/* Where the page before ended: the verdict's episode; nothing follows, if there is no such verdict. */
static int find_page(const struct question *question, uint64_t before, struct range *range,
                     char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        if (!before)
                return 0;
        r = database_prepare(question->database, "SELECT episode FROM verdict WHERE number = ?", &statement, ret_why);
        if (r)
                return r;
        sqlite3_bind_int64(statement, 1, integer_or_largest(before));
        r = statement_step(statement, ret_why);
        if (r < 0)
                return r;
        range->last = r == DATABASE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        range->before = integer_or_largest(before);
        return 0;
}

/* One row about the verdicts of that span of time, at most so many of them. */
static int ask_span(const struct question *question, const char *sql, const struct store_query *query, int64_t limit,
                    int64_t *const values[], size_t n_values, char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        r = database_prepare(question->database, sql, &statement, ret_why);
        if (r)
                return r;
        sqlite3_bind_int64(statement, 1, since_or_smallest(query));
        sqlite3_bind_int64(statement, 2, integer_or_largest(query->until_ns));
        if (sqlite3_bind_parameter_count(statement) > 2)
                sqlite3_bind_int64(statement, 3, limit);
        r = statement_step(statement, ret_why);
        for (size_t i = 0; r == DATABASE_ROW && i < n_values; i++)
                *values[i] = sqlite3_column_int64(statement, (int)i);
        return r < 0 ? r : 0;
}

/*
 * The order of episodes is that of happening, whatever the wall clock said: a span of time lies between two of them, and each verdict
 * between is still looked at.  Of a long span it does not matter where it begins, for a page of it is full before; where it ends
 * is worth a look at all of it.
 */
static int find_span(const struct question *question, const struct store_query *query, struct range *range,
                     char ret_why[static STORE_WHY_MAX]) {
        int64_t first = 0, last = 0, n = 0; /* of none: the episodes up to the first */
        int r;

        if (!query->since_ns && !query->until_ns)
                return 0;
        r = ask_span(question, store_query_span_sql(), query, SPAN_IS_LONG, (int64_t *[]){ &first, &last, &n }, 3, ret_why);
        if (r)
                return r;
        if (n < SPAN_IS_LONG)
                range->first = first;
        else if (!query->until_ns)
                return 0;
        else
                r = ask_span(question, store_query_span_end_sql(), query, 0, (int64_t *[]){ &last }, 1, ret_why);
        if (!r && last < range->last) {
                range->last = last;
                range->before = INT64_MAX;
        }
        return r;
}

static int prepare_query(const struct question *question, const struct store_query *query, sqlite3_stmt **ret_statement,
                         char ret_why[static STORE_WHY_MAX]) {
        struct range range = { .first = INT64_MIN, .last = INT64_MAX, .before = INT64_MAX };
        enum query_by by;
        int64_t vm;
        int r;

        r = choose_way(question, query, &by, &vm, ret_why);
        if (!r)
                r = find_page(question, query->before, &range, ret_why);
        if (!r && by != QUERY_BY_ID)
                r = find_span(question, query, &range, ret_why);
        if (!r)
                r = database_prepare(question->database, query_sql[by], ret_statement, ret_why);
        if (r)
                return r;
        bind_wanted(*ret_statement, by, query, vm);
        if (by == QUERY_BY_ID)
                return 0;
        sqlite3_bind_int(*ret_statement, 2, query->all_revisions);
        sqlite3_bind_int64(*ret_statement, 3, query->limit && query->limit < INT64_MAX ? (int64_t)query->limit : -1);
        sqlite3_bind_int64(*ret_statement, 8, range.last);
        sqlite3_bind_int64(*ret_statement, 9, range.before);
        sqlite3_bind_int64(*ret_statement, 11, range.first);
        return 0;
}

static int prepare_details(const struct question *question, struct details *ret_details,
                           char ret_why[static STORE_WHY_MAX]) {
        int r = database_prepare(question->database, store_query_evidence_sql(), &ret_details->evidence, ret_why);

        return r ? r : database_prepare(question->database, store_query_decision_sql(), &ret_details->decision, ret_why);
}

int store_each_verdict(struct store *store, const struct store_query *query,
                       int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                       char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        cleanup(details_deinit) struct details details = {};
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = prepare_query(&question, query, &statement, ret_why);
        if (!r)
                r = prepare_details(&question, &details, ret_why);
        return r ? r : tell_verdicts(statement, &details, each, userdata, ret_why);
}

int store_replay_verdicts(struct store *store, uint64_t after, uint64_t up_to, const int64_t *owner,
                          int (*each)(const struct verdict_record *record, void *userdata), void *userdata,
                          char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        cleanup(details_deinit) struct details details = {};
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = database_prepare(question.database, store_query_replay_sql(), &statement, ret_why);
        if (!r)
                r = prepare_details(&question, &details, ret_why);
        if (r)
                return r;
        sqlite3_bind_int64(statement, 1, after ? integer_or_largest(after) : 0);
        sqlite3_bind_int64(statement, 2, up_to ? integer_or_largest(up_to) : 0);
        if (owner)
                sqlite3_bind_int64(statement, 3, *owner);
        return tell_verdicts(statement, &details, each, userdata, ret_why);
}

int store_last_number(struct store *store, uint64_t *ret_number, char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        int64_t number = 0;
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = database_read_integer(question.database, "SELECT max(number) FROM verdict", &number, ret_why);
        if (!r)
                *ret_number = number < 0 ? 0 : (uint64_t)number;
        return r;
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
