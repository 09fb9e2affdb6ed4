#include "store/prune.h"

#include "basics/cleanup.h"
#include "store/reader.h"

#include <assert.h>

enum {
        MEASURE_MAX = 4000, /* facts of one step that are only counted … */
        LOOK_MAX = 400,     /* … and that may be deleted: some milliseconds each */
};

#define DAY_NS UINT64_C(86400000000000)

struct retention {
        int64_t measured_up_to, n_evidence, n_bytes, n_pruned, pruned_ns;
};

struct fact {
        int64_t id, time_ns, n_bytes;
        bool may_go;
};

struct store_retention store_retention_default(uint64_t now_ns) {
        const uint64_t age_ns = STORE_RETENTION_DAYS * DAY_NS;

        return (struct store_retention){
                .before_ns = now_ns > age_ns ? now_ns - age_ns : 0,
                .n_bytes_max = STORE_RETENTION_BYTES,
        };
}

static int read_retention(sqlite3_stmt *row, struct retention *ret_retention, char ret_why[static STORE_WHY_MAX]) {
        int64_t *const values[] = { &ret_retention->measured_up_to, &ret_retention->n_evidence, &ret_retention->n_bytes,
                                    &ret_retention->n_pruned, &ret_retention->pruned_ns };
        int r = statement_step(row, ret_why);

        for (size_t i = 0; r == DATABASE_ROW && i < N_ELEMENTS(values); i++)
                *values[i] = sqlite3_column_int64(row, (int)i);
        sqlite3_reset(row);
        return r < 0 ? r : 0;
}

static int write_retention(struct transaction *transaction, const struct retention *retention,
                           char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = { .statement = transaction->statements[STATEMENT_WRITE_RETENTION] };
        int r;

        bind_integer(&binder, retention->measured_up_to);
        bind_integer(&binder, retention->n_evidence);
        bind_integer(&binder, retention->n_bytes);
        bind_integer(&binder, retention->n_pruned);
        bind_integer(&binder, retention->pruned_ns);
        r = statement_run(binder.statement, NULL, ret_why);
        return r < 0 ? r : 0;
}

/* Count what came since.  `ret_is_all`: nothing more has come. */
static int measure(struct transaction *transaction, struct retention *retention, bool *ret_is_all,
                   char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = { .statement = transaction->statements[STATEMENT_MEASURE_EVIDENCE] };
        int64_t n = 0;
        int r;

        bind_integer(&binder, retention->measured_up_to);
        bind_integer(&binder, MEASURE_MAX);
        r = statement_step(binder.statement, ret_why);
        if (r == DATABASE_ROW)
                n = sqlite3_column_int64(binder.statement, 1);
        if (n) {
                retention->measured_up_to = sqlite3_column_int64(binder.statement, 0);
                retention->n_evidence += n;
                retention->n_bytes += sqlite3_column_int64(binder.statement, 2);
        }
        sqlite3_reset(binder.statement);
        sqlite3_clear_bindings(binder.statement);
        *ret_is_all = n < MEASURE_MAX;
        return r < 0 ? r : 0;
}

static struct fact read_fact(sqlite3_stmt *row) {
        return (struct fact){ .id = sqlite3_column_int64(row, 0),
                              .time_ns = sqlite3_column_int64(row, 1),
                              .n_bytes = sqlite3_column_int64(row, 2),
                              .may_go = sqlite3_column_int64(row, 3) };
}

/* Is it too old, or too much? */
static bool is_beyond(const struct store_pruning *pruning, const struct fact *fact) {
        return fact->time_ns < (int64_t)pruning->keep.before_ns || pruning->n_bytes_left > pruning->keep.n_bytes_max;
}

static uint64_t less(uint64_t from, uint64_t n) {
        return from > n ? from - n : 0;
}

/* Past this fact.  `is_pruned`: it went. */
static void note(struct store_pruning *pruning, const struct fact *fact, bool is_pruned) {
        pruning->after = (uint64_t)fact->id;
        if (!is_pruned)
                return;
        pruning->n_pruned++;
        pruning->n_bytes_pruned += (uint64_t)fact->n_bytes;
        pruning->n_left = less(pruning->n_left, 1);
        pruning->n_bytes_left = less(pruning->n_bytes_left, (uint64_t)fact->n_bytes);
}

static int delete_fact(struct transaction *transaction, int64_t id, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = { .statement = transaction->statements[STATEMENT_DELETE_EVIDENCE] };
        int r;

        bind_integer(&binder, id);
        r = statement_run(binder.statement, NULL, ret_why);
        return r < 0 ? r : 0;
}

/* Facts are read first and deleted then: what a running SELECT sees of a DELETE is not defined. */
static int read_facts(struct transaction *transaction, const struct store_pruning *pruning, struct fact facts[static LOOK_MAX],
                      size_t *ret_n, char ret_why[static STORE_WHY_MAX]) {
        struct binder binder = { .statement = transaction->statements[STATEMENT_LOOK_AT_EVIDENCE] };
        size_t n = 0;
        int r;

        bind_integer(&binder, (int64_t)pruning->after);
        bind_integer(&binder, LOOK_MAX);
        while ((r = statement_step(binder.statement, ret_why)) == DATABASE_ROW && n < LOOK_MAX)
                facts[n++] = read_fact(binder.statement);
        sqlite3_reset(binder.statement);
        sqlite3_clear_bindings(binder.statement);
        *ret_n = n;
        return r < 0 ? r : 0;
}

static int prune_some(struct transaction *transaction, struct store_pruning *pruning, char ret_why[static STORE_WHY_MAX]) {
        struct fact facts[LOOK_MAX];
        size_t n = 0;
        int r;

        r = read_facts(transaction, pruning, facts, &n, ret_why);
        if (r)
                return r;
        pruning->is_done = n < LOOK_MAX;
        for (size_t i = 0; i < n; i++) {
                if (!is_beyond(pruning, &facts[i])) {
                        pruning->is_done = true;
                        break;
                }
                r = facts[i].may_go ? delete_fact(transaction, facts[i].id, ret_why) : 0;
                if (r)
                        return r;
                note(pruning, &facts[i], facts[i].may_go);
        }
        return 0;
}

int prune_step(struct transaction *transaction, struct store_pruning *pruning, char ret_why[static STORE_WHY_MAX]) {
        const uint64_t n_pruned_before = pruning->n_pruned;
        struct retention retention = {};
        bool is_all;
        int r;

        r = read_retention(transaction->statements[STATEMENT_READ_RETENTION], &retention, ret_why);
        if (!r)
                r = measure(transaction, &retention, &is_all, ret_why);
        if (r)
                return r;
        pruning->n_left = (uint64_t)retention.n_evidence;
        pruning->n_bytes_left = (uint64_t)retention.n_bytes;
        if (is_all) {
                r = prune_some(transaction, pruning, ret_why);
                if (r)
                        return r;
                retention.n_evidence = (int64_t)pruning->n_left;
                retention.n_bytes = (int64_t)pruning->n_bytes_left;
                retention.n_pruned += (int64_t)(pruning->n_pruned - n_pruned_before);
                if (pruning->is_done)
                        retention.pruned_ns = (int64_t)pruning->now_ns;
        }
        return write_retention(transaction, &retention, ret_why);
}

static int ask_retention(const struct question *question, struct retention *ret_retention,
                         char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r = database_prepare(question->database, PRUNE_READ_RETENTION, &statement, ret_why);

        return r ? r : read_retention(statement, ret_retention, ret_why);
}

/* What came since it was measured. */
static int ask_rest(const struct question *question, struct retention *retention, char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        r = database_prepare(question->database, "SELECT count(*), sum(" PRUNE_BYTES ") FROM evidence WHERE id > ?", &statement,
                             ret_why);
        if (r)
                return r;
        sqlite3_bind_int64(statement, 1, retention->measured_up_to);
        r = statement_step(statement, ret_why);
        if (r != DATABASE_ROW)
                return r;
        retention->n_evidence += sqlite3_column_int64(statement, 0);
        retention->n_bytes += sqlite3_column_int64(statement, 1);
        return 0;
}

int store_look_at_pruning(struct store *store, const struct store_retention *keep, struct store_pruning *ret_pruning,
                          char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        struct store_pruning pruning = { .keep = *keep, .is_done = true };
        struct retention retention = {};
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = ask_retention(&question, &retention, ret_why);
        if (!r)
                r = ask_rest(&question, &retention, ret_why);
        if (!r)
                r = database_prepare(question.database, PRUNE_LOOK, &statement, ret_why);
        if (r)
                return r;
        pruning.n_left = (uint64_t)retention.n_evidence;
        pruning.n_bytes_left = (uint64_t)retention.n_bytes;
        sqlite3_bind_int64(statement, 1, 0);
        while ((r = statement_step(statement, ret_why)) == DATABASE_ROW) {
                struct fact fact = read_fact(statement);

                if (!is_beyond(&pruning, &fact))
                        break;
                note(&pruning, &fact, fact.may_go);
        }
        if (r >= 0)
                *ret_pruning = pruning;
        return r < 0 ? r : 0;
}

int store_read_status(struct store *store, struct store_status *ret_status, char ret_why[static STORE_WHY_MAX]) {
        enum { PAGE_SIZE, N_PAGES, N_FREE, N_VERDICTS, LAST_EVIDENCE, OLDEST, N_OPEN, _N };
        static const char *const questions[_N] = {
                [PAGE_SIZE] = "PRAGMA page_size",
                [N_PAGES] = "PRAGMA page_count",
                [N_FREE] = "PRAGMA freelist_count",
                [N_VERDICTS] = "SELECT max(number) FROM verdict",
                [LAST_EVIDENCE] = "SELECT max(id) FROM evidence",
                [OLDEST] = "SELECT time_ns FROM evidence ORDER BY id LIMIT 1",
                [N_OPEN] = "SELECT count(*) FROM vm WHERE ended_ns IS NULL",
        };
        cleanup(question_end) struct question question = {};
        struct retention retention = {};
        int64_t values[_N], n_since;
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        for (size_t i = 0; !r && i < _N; i++)
                r = database_read_integer(question.database, questions[i], &values[i], ret_why);
        if (!r)
                r = ask_retention(&question, &retention, ret_why);
        /* Where nothing was measured yet, there is nothing to estimate by. */
        if (!r && !retention.n_evidence)
                r = ask_rest(&question, &retention, ret_why);
        else if (!r && (n_since = values[LAST_EVIDENCE] - retention.measured_up_to) > 0) {
                retention.n_bytes += n_since * (retention.n_bytes / retention.n_evidence);
                retention.n_evidence += n_since;
        }
        if (r)
                return r;
        *ret_status = (struct store_status){
                .n_file_bytes = (uint64_t)(values[N_PAGES] * values[PAGE_SIZE]),
                .n_free_bytes = (uint64_t)(values[N_FREE] * values[PAGE_SIZE]),
                .n_verdicts = (uint64_t)values[N_VERDICTS],
                .n_evidence = (uint64_t)retention.n_evidence,
                .n_evidence_bytes = (uint64_t)retention.n_bytes,
                .oldest_ns = (uint64_t)values[OLDEST],
                .n_pruned = (uint64_t)retention.n_pruned,
                .pruned_ns = (uint64_t)retention.pruned_ns,
                .n_open_vms = (uint64_t)values[N_OPEN],
        };
        return 0;
}
