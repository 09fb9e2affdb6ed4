/*
 * Database: one connection to the store's file.
 *
 * Knows how the file is opened, how statements are run, and what SQLite's errors are in errno and in plain words.
 * Does not know the tables.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "store/store.h"

enum {
        DATABASE_ROW = 1, /* there is a row to read */
};

enum database_mode {
        DATABASE_READ,   /* beside a writer, or where there may be one */
        DATABASE_FROZEN, /* nobody writes and nothing can be made beside the file: read it as it lies there */
        DATABASE_WRITE,
};

/* How long a locked file is waited for; tests shorten it. */
extern int database_busy_ms;

/* The file must exist.  Nothing was read from it yet. */
int database_open(sqlite3 **ret_database, const char *path, enum database_mode mode,
                  char ret_why[static STORE_WHY_MAX]);
void database_closep(sqlite3 **database);

/* The connection's last error as -errno, and in one line what is wrong and what to do about it. */
int database_fail(sqlite3 *database, char ret_why[static STORE_WHY_MAX]);

/* The same for an errno that SQLite knows nothing of. */
int database_fail_errno(const char *path, int r, char ret_why[static STORE_WHY_MAX]);

/* Run SQL that has no rows to read. */
int database_run(sqlite3 *database, const char *sql, char ret_why[static STORE_WHY_MAX]);

/* The first column of the first row; 0 when there is none. */
int database_read_integer(sqlite3 *database, const char *sql, int64_t *ret_value, char ret_why[static STORE_WHY_MAX]);

int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **ret_statement,
                     char ret_why[static STORE_WHY_MAX]);
void statement_finalizep(sqlite3_stmt **statement);

/* DATABASE_ROW, 0 at the end, or -errno. */
int statement_step(sqlite3_stmt *statement, char ret_why[static STORE_WHY_MAX]);

/* Step once, read the first column, reset.  ret_value may be NULL. */
int statement_run(sqlite3_stmt *statement, int64_t *ret_value, char ret_why[static STORE_WHY_MAX]);

/* Values for a statement's parameters, in their order.  Texts are borrowed until the statement was run. */
struct binder {
        sqlite3_stmt *statement;
        int index;
};
void bind_integer(struct binder *binder, int64_t value);
void bind_text(struct binder *binder, const char *text);          /* NULL is NULL */
void bind_text_or_null(struct binder *binder, const char *text);  /* "" is NULL, too */
void bind_null(struct binder *binder);
