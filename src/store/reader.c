#include "store/reader.h"

#include "basics/cleanup.h"
#include "store/schema.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Open and look whether it can be read: SQLite opens nothing before the first read.  What schema_check() says. */
static int open_checked(sqlite3 **ret_database, const char *path, enum database_mode mode,
                        char ret_why[static STORE_WHY_MAX]) {
        cleanup(database_closep) sqlite3 *database = NULL;
        int r;

        r = database_open(&database, path, mode, ret_why);
        if (r)
                return r;
        r = schema_check(database, ret_why);
        if (!r)
                *ret_database = take_pointer(database);
        return r;
}

/* Does something wait in the write-ahead log?  If nobody could tell, then yes. */
static bool has_log(const char *path) {
        cleanup(freep) char *log = NULL;
        struct stat status;

        if (asprintf(&log, "%s-wal", path) < 0)
                return true;
        if (stat(log, &status))
                return errno != ENOENT;
        return status.st_size > 0;
}

/*
 * A reader of a WAL database takes part in the locking through its -shm file, and where it can neither open nor make
 * that, SQLite refuses (https://www.sqlite.org/wal.html#read_only_databases).  If no log lies there, then nobody writes
 * and all is in the main file: it can be read as it lies there.  A writer may come at any time; so the file is opened
 * anew, and looked at anew, for each question.
 */
static int open_frozen(sqlite3 **ret_database, const char *path, bool is_full, char ret_why[static STORE_WHY_MAX]) {
        if (has_log(path)) {
                snprintf(ret_why, STORE_WHY_MAX,
                         "%s: its newest part is in %s-wal, which cannot be read without writing beside it; "
                         "%s",
                         path, path, is_full ? "the disk is full: make room" : "ask as its owner or as root");
                return -EACCES;
        }
        return open_checked(ret_database, path, DATABASE_FROZEN, ret_why);
}

/* What is wrong is the -shm file's: it can be neither opened nor made, nor made longer where the disk is full. */
static bool is_frozen(const char *path, int r) {
        return (r == -EACCES || r == -EROFS || r == -EPERM || r == -ENOSPC) && !access(path, R_OK);
}

static int reader_open(const char *path, sqlite3 **ret_database, bool *ret_frozen, char ret_why[static STORE_WHY_MAX]) {
        int r;

        r = open_checked(ret_database, path, DATABASE_READ, ret_why);
        *ret_frozen = is_frozen(path, r);
        if (*ret_frozen)
                r = open_frozen(ret_database, path, r == -ENOSPC, ret_why);

        if (r == SCHEMA_IS_EMPTY) {
                snprintf(ret_why, STORE_WHY_MAX, "%s: nothing was recorded there yet", path);
                return -ENOENT;
        }
        if (r == SCHEMA_IS_OLD) {
                snprintf(ret_why, STORE_WHY_MAX,
                         "%s: made by an older vmpower; it is brought up to date when something is recorded there",
                         path);
                return -EPROTO;
        }
        return r;
}

int reader_init(struct reader *reader, const char *path, char ret_why[static STORE_WHY_MAX]) {
        cleanup(database_closep) sqlite3 *database = NULL;
        bool frozen;
        int r;

        *reader = (struct reader){};
        r = reader_open(path, &database, &frozen, ret_why);
        if (r)
                return r;
        reader->path = strdup(path);
        if (!reader->path)
                return database_fail_errno(path, -ENOMEM, ret_why);
        if (!frozen)
                reader->database = take_pointer(database);
        return 0;
}

void reader_deinit(struct reader *reader) {
        database_closep(&reader->database);
        free(reader->path);
        *reader = (struct reader){};
}

int reader_ask(const struct reader *reader, struct question *ret_question, char ret_why[static STORE_WHY_MAX]) {
        bool frozen;
        int r;

        if (reader->database) {
                *ret_question = (struct question){ .database = reader->database };
                return 0;
        }
        *ret_question = (struct question){ .is_own = true };
        r = reader_open(reader->path, &ret_question->database, &frozen, ret_why);
        if (r)
                *ret_question = (struct question){};
        return r;
}

void question_end(struct question *question) {
        if (question->is_own)
                database_closep(&question->database);
}
