/*
 * Transaction: batches become rows, all of one batch or nothing of it.
 *
 * Knows the SQL of everything that is written.  Does not know threads and queues.
 */
#pragma once

#include "store/batch.h"
#include "store/database.h"

enum transaction_statement {
        STATEMENT_BEGIN,
        STATEMENT_COMMIT,
        STATEMENT_ROLLBACK,
        STATEMENT_SAVEPOINT,
        STATEMENT_RELEASE,
        STATEMENT_ROLLBACK_TO,
        STATEMENT_FIND_INSTANCE,
        STATEMENT_FIND_OPEN,
        STATEMENT_ADD_VM,
        STATEMENT_END_VM,
        STATEMENT_RENAME_VM,
        STATEMENT_RENAME_VERDICTS,
        STATEMENT_SET_WATCHER,
        STATEMENT_SET_MONITOR,
        STATEMENT_FORGET_MONITOR,
        STATEMENT_NEXT_EVIDENCE,
        STATEMENT_ADD_EVIDENCE,
        STATEMENT_FIND_EVIDENCE,
        STATEMENT_ADD_VERDICT,
        STATEMENT_FIND_VERDICT,
        STATEMENT_ADD_VERDICT_EVIDENCE,
        STATEMENT_ADD_DECISION,
        STATEMENT_SET_TOLD,
        STATEMENT_FORGET_OUTLET,
        STATEMENT_READ_RETENTION,
        STATEMENT_WRITE_RETENTION,
        STATEMENT_MEASURE_EVIDENCE,
        STATEMENT_LOOK_AT_EVIDENCE,
        STATEMENT_DELETE_EVIDENCE,
        _TRANSACTION_STATEMENT_N,
};

struct transaction {
        sqlite3 *database; /* owned */
        sqlite3_stmt *statements[_TRANSACTION_STATEMENT_N];
        bool flushes_later; /* what the connection is set to */
        bool owes_flush;    /* something is committed that a power cut might take */
};

/* Takes the connection over, on failure too. */
int transaction_init(struct transaction *transaction, sqlite3 *database, char ret_why[static STORE_WHY_MAX]);
void transaction_deinit(struct transaction *transaction);

/*
 * Write a list of batches with one commit, which flushes the disk unless `may_flush_later` and all of them may wait for that.  Each gets its
 * result: a batch that makes no sense fails alone, a sick disk fails all of them.
 */
void transaction_write(struct transaction *transaction, struct store_batch *first, bool may_flush_later);

/* Flush what is owed. */
void transaction_flush(struct transaction *transaction);

/* For the test that looks at SQLite's plans. */
const char *transaction_sql(enum transaction_statement statement);
