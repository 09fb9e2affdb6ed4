#include "store/database.h"

#include "basics/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int database_busy_ms = 5000;

/* One line each: what is wrong, what to do. */
static const struct {
        int r;
        const char *words;
} advice[] = {
        { -EBUSY, "another program has kept it locked for more than 5 s; `fuser` names that program" },
        { -ENOSPC, "the disk is full; nothing of this was written; make room, and it goes on" },
        { -EBADMSG,
          "corrupt, or no database of vmpower; it was left as it is: move it away, or put a good copy there" },
        { -EROFS, "it cannot be written: the file, its directory or its filesystem is read-only" },
        { -EACCES, "no right to open it" },
        { -EPERM, "no right to open it" },
        { -ESTALE, "it was moved or removed while it was in use; start again" },
        { -ENOMEM, "out of memory" },
        { -EMFILE, "too many open files; raise LimitNOFILE" },
        { -ENOENT, "what this belongs to is not stored" },
        { -EEXIST, "something of that name is stored already" },
};

static const char *advice_for(int r) {
        for (size_t i = 0; i < N_ELEMENTS(advice); i++)
                if (advice[i].r == r)
                        return advice[i].words;
        return NULL;
}

/* A full disk has many faces: a quota and a limit of the file's size are two of them. */
static int disk_errno(int error) {
        switch (error) {
        case 0:
                return -EIO;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                return -ENOSPC;
        default:
                return -error;
        }
}

static int file_errno(sqlite3 *database, int which) {
        sqlite3_file *file = NULL;
        int error = 0;

        if (!sqlite3_file_control(database, "main", which, &file) && file && file->pMethods)
                file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
        return error;
}

/* sqlite3_system_errno() does not know why a commit failed; the file that was written to does. */
static int io_errno(sqlite3 *database) {
        return file_errno(database, SQLITE_FCNTL_JOURNAL_POINTER) ?:
               file_errno(database, SQLITE_FCNTL_FILE_POINTER) ?: sqlite3_system_errno(database);
}

/* On a filesystem that is read-only it is the -shm file that is not there, and cannot be made. */
static int open_errno(sqlite3 *database) {
        const char *path = sqlite3_db_filename(database, "main");
        int r = disk_errno(sqlite3_system_errno(database));

        return r == -ENOENT && path && !access(path, F_OK) ? -EROFS : r;
}

static int database_errno(sqlite3 *database) {
        int code = sqlite3_extended_errcode(database);

        switch (code) {
        case SQLITE_READONLY_DBMOVED:
                return -ESTALE;
        case SQLITE_CONSTRAINT_FOREIGNKEY:
                return -ENOENT;
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
                return -EEXIST;
        case SQLITE_IOERR_SHMSIZE:
                /* The only thing that is done there is to make the -shm file longer. */
                return -ENOSPC;
        }
        switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_CANTOPEN:
                return open_errno(database);
        case SQLITE_IOERR:
                return disk_errno(io_errno(database));
        case SQLITE_CONSTRAINT:
        case SQLITE_TOOBIG:
        case SQLITE_MISMATCH:
                return -EINVAL;
        default:
                /* CORRUPT, NOTADB, FORMAT; and ERROR: our SQL is right, so the tables are not ours. */
                return -EBADMSG;
        }
}

static void explain(const char *path, const char *words, const char *detail, char ret_why[static STORE_WHY_MAX]) {
        char line[STORE_WHY_MAX];

        if (detail && words)
                snprintf(line, sizeof(line), "%s: %s (%s)", path, words, detail);
        else
                snprintf(line, sizeof(line), "%s: %s", path, words ? words : detail);
        /* SQLite may quote what stands in a file; it stays one line. */
        text_set(ret_why, STORE_WHY_MAX, line);
}

int database_fail(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        const char *path = sqlite3_db_filename(database, "main");
        int r = database_errno(database);

        explain(path ? path : "vmpower.db", advice_for(r), sqlite3_errmsg(database), ret_why);
        return r;
}

int database_fail_errno(const char *path, int r, char ret_why[static STORE_WHY_MAX]) {
        explain(path, advice_for(r), strerror(-r), ret_why);
        return r;
}

/* The path as a URI's: only there immutable=1 can be asked for.  https://www.sqlite.org/uri.html */
static char *uri_from_path(const char *path) {
        static const char special[] = "%?#";
        char *uri = malloc(strlen("file:?immutable=1") + 3 * strlen(path) + 1), *at = uri;

        if (!uri)
                return NULL;
        at = stpcpy(at, "file:");
        for (; *path; path++) {
                if (strchr(special, *path))
                        at += sprintf(at, "%%%02X", (unsigned char)*path);
                else
                        *at++ = *path;
        }
        stpcpy(at, "?immutable=1");
        return uri;
}

static int open_flags(enum database_mode mode) {
        switch (mode) {
        case DATABASE_READ:
                return SQLITE_OPEN_READONLY;
        case DATABASE_FROZEN:
                return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
        case DATABASE_WRITE:
                return SQLITE_OPEN_READWRITE;
        }
        return 0;
}

int database_open(sqlite3 **ret_database, const char *path, enum database_mode mode,
                  char ret_why[static STORE_WHY_MAX]) {
        cleanup(database_closep) sqlite3 *database = NULL;
        cleanup(freep) char *uri = NULL;
        int r;

        if (mode == DATABASE_FROZEN) {
                uri = uri_from_path(path);
                if (!uri)
                        return database_fail_errno(path, -ENOMEM, ret_why);
        }
        /* Every connection stays with one thread. */
        if (sqlite3_open_v2(uri ? uri : path, &database, open_flags(mode) | SQLITE_OPEN_NOMUTEX, NULL))
                return database ? database_fail(database, ret_why) : database_fail_errno(path, -ENOMEM, ret_why);
        sqlite3_extended_result_codes(database, 1);
        sqlite3_busy_timeout(database, database_busy_ms);

        /* Who can write the file gets wrong answers out of it, and no more; https://www.sqlite.org/security.html */
        sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        r = database_run(database,
                         "PRAGMA cell_size_check = ON;"
                         "PRAGMA temp_store = MEMORY;" /* a full /tmp is none of our business */
                         "PRAGMA cache_size = -512;"   /* KiB: what is read again and again; the rest the kernel has */
                         "PRAGMA foreign_keys = ON;",
                         ret_why);
        if (r)
                return r;

        *ret_database = take_pointer(database);
        return 0;
}

void database_closep(sqlite3 **database) {
        sqlite3_close_v2(*database);
}

int database_run(sqlite3 *database, const char *sql, char ret_why[static STORE_WHY_MAX]) {
        return sqlite3_exec(database, sql, NULL, NULL, NULL) ? database_fail(database, ret_why) : 0;
}

int database_read_integer(sqlite3 *database, const char *sql, int64_t *ret_value, char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        *ret_value = 0;
        r = database_prepare(database, sql, &statement, ret_why);
        if (r)
                return r;
        r = statement_run(statement, ret_value, ret_why);
        return r == DATABASE_ROW ? 0 : r;
}

int database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **ret_statement,
                     char ret_why[static STORE_WHY_MAX]) {
        return sqlite3_prepare_v3(database, sql, -1, 0, ret_statement, NULL) ? database_fail(database, ret_why) : 0;
}

void statement_finalizep(sqlite3_stmt **statement) {
        sqlite3_finalize(*statement);
}

int statement_step(sqlite3_stmt *statement, char ret_why[static STORE_WHY_MAX]) {
        switch (sqlite3_step(statement)) {
        case SQLITE_ROW:
                return DATABASE_ROW;
        case SQLITE_DONE:
                return 0;
        default:
                return database_fail(sqlite3_db_handle(statement), ret_why);
        }
}

int statement_run(sqlite3_stmt *statement, int64_t *ret_value, char ret_why[static STORE_WHY_MAX]) {
        int r = statement_step(statement, ret_why);

        if (r == DATABASE_ROW && ret_value)
                *ret_value = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return r;
}

/*
 * Binding fails for want of memory only, and SQLite then knows it at the statement's next step or stores a NULL that
 * the tables refuse.
 */
void bind_integer(struct binder *binder, int64_t value) {
        sqlite3_bind_int64(binder->statement, ++binder->index, value);
}

void bind_text(struct binder *binder, const char *text) {
        sqlite3_bind_text(binder->statement, ++binder->index, text, -1, SQLITE_STATIC);
}

void bind_text_or_null(struct binder *binder, const char *text) {
        bind_text(binder, *text ? text : NULL);
}

void bind_null(struct binder *binder) {
        binder->index++;
}
