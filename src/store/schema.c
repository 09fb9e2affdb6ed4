#include "store/schema.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Entry n leads from version n to n + 1.  An entry that was ever released is never changed again.
 *
 * Times are UTC nanoseconds.  Words are those of the JSON.  NULL is "not known".
 */
static const char *const migrations[] = {
        /* A VM's instance, from its start to its end. */
        "CREATE TABLE vm ("
        "        id INTEGER PRIMARY KEY,"
        "        name TEXT NOT NULL,"
        "        uuid TEXT COLLATE NOCASE,"
        "        backend TEXT NOT NULL,"
        "        instance TEXT NOT NULL UNIQUE,"
        "        pid INTEGER NOT NULL,"
        "        uid INTEGER,"
        "        command_line TEXT,"
        "        policy TEXT NOT NULL,"
        "        watcher TEXT,"
        "        began_ns INTEGER NOT NULL,"
        "        ended_ns INTEGER"
        ") STRICT;"
        "CREATE UNIQUE INDEX vm_open ON vm (name, backend, coalesce(uid, -1)) WHERE ended_ns IS NULL;"
        "CREATE INDEX vm_open_by_age ON vm (id) WHERE ended_ns IS NULL;"
        "CREATE INDEX vm_name ON vm (name);"
        "CREATE INDEX vm_uuid ON vm (uuid) WHERE uuid IS NOT NULL;"

        /* `batch`: what came in one wakeup has one number, which rises: where the ids stood then. */
        "CREATE TABLE evidence ("
        "        id INTEGER PRIMARY KEY AUTOINCREMENT," /* an id is never given twice, whatever was pruned */
        "        batch INTEGER NOT NULL,"
        "        vm INTEGER NOT NULL REFERENCES vm (id),"
        "        source TEXT NOT NULL,"
        "        kind TEXT NOT NULL,"
        "        at_ns INTEGER NOT NULL,"
        "        time_ns INTEGER NOT NULL,"
        "        seq INTEGER NOT NULL,"
        "        data TEXT NOT NULL,"
        "        UNIQUE (vm, at_ns, source, seq, kind)" /* a fact delivered twice is one fact */
        ") STRICT;"
        "CREATE INDEX evidence_vm ON evidence (vm);"

        /* `name`, `uuid`: those of its VM, so that a name's history is one look into an index. */
        "CREATE TABLE verdict ("
        "        number INTEGER PRIMARY KEY AUTOINCREMENT,"
        "        id TEXT NOT NULL UNIQUE,"
        "        vm INTEGER NOT NULL REFERENCES vm (id),"
        "        name TEXT NOT NULL,"
        "        uuid TEXT COLLATE NOCASE,"
        "        episode INTEGER NOT NULL,"
        "        revises TEXT REFERENCES verdict (id),"
        "        at_ns INTEGER NOT NULL,"
        "        time_ns INTEGER NOT NULL,"
        "        transition TEXT NOT NULL,"
        "        initiator TEXT NOT NULL,"
        "        mechanism TEXT NOT NULL,"
        "        graceful INTEGER,"
        "        left TEXT NOT NULL,"
        "        count INTEGER NOT NULL,"
        "        confidence TEXT NOT NULL,"
        "        rule TEXT NOT NULL,"
        "        summary TEXT NOT NULL,"
        "        actor TEXT"
        ") STRICT;"
        "CREATE INDEX verdict_episode ON verdict (episode);"
        "CREATE INDEX verdict_vm ON verdict (vm, episode);"
        "CREATE INDEX verdict_name ON verdict (name, episode);"
        "CREATE INDEX verdict_uuid ON verdict (uuid, episode) WHERE uuid IS NOT NULL;"

        /* `proof`: NULL, or its rank among the proof, 0 for the cause. */
        "CREATE TABLE verdict_evidence ("
        "        verdict INTEGER NOT NULL REFERENCES verdict (number),"
        "        position INTEGER NOT NULL,"
        "        evidence INTEGER NOT NULL REFERENCES evidence (id) ON DELETE CASCADE,"
        "        proof INTEGER,"
        "        PRIMARY KEY (verdict, position)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX verdict_evidence_evidence ON verdict_evidence (evidence);"

        /* Appended only; the newest counts. */
        "CREATE TABLE decision ("
        "        id INTEGER PRIMARY KEY,"
        "        verdict INTEGER NOT NULL REFERENCES verdict (number),"
        "        policy TEXT NOT NULL,"
        "        action TEXT NOT NULL,"
        "        result TEXT NOT NULL,"
        "        time_ns INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX decision_verdict ON decision (verdict);",

        /* What the API's users ask for besides a name: their own, a transition, an initiator, a time. */
        "CREATE INDEX vm_uid ON vm (uid);"
        "CREATE INDEX verdict_transition ON verdict (transition, episode);"
        "CREATE INDEX verdict_initiator ON verdict (initiator, episode);"
        "CREATE INDEX verdict_time ON verdict (time_ns);",

        /* How far each outlet is: the number of the last verdict that it was told. */
        "CREATE TABLE outlet ("
        "        name TEXT PRIMARY KEY,"
        "        told INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;",

        /*
         * A user's own history is one look into an index, too, and a span of time is turned into one of episodes without a look at
         * the table.  `n_evidence`: how much there was, whatever is pruned later.
         */
        "ALTER TABLE verdict ADD COLUMN uid INTEGER;"
        "ALTER TABLE verdict ADD COLUMN n_evidence INTEGER NOT NULL DEFAULT 0;"
        "UPDATE verdict SET uid = (SELECT uid FROM vm WHERE id = verdict.vm),"
        " n_evidence = (SELECT count(*) FROM verdict_evidence WHERE verdict = verdict.number);"
        "CREATE INDEX verdict_uid ON verdict (uid, episode);"
        "DROP INDEX verdict_time;"
        "CREATE INDEX verdict_time ON verdict (time_ns, episode);"
        /* One row: how much evidence there is up to which id, as pruning has measured it, and when it last did so. */
        "CREATE TABLE retention ("
        "        id INTEGER PRIMARY KEY CHECK (id = 1),"
        "        measured_up_to INTEGER NOT NULL,"
        "        n_evidence INTEGER NOT NULL,"
        "        n_bytes INTEGER NOT NULL,"
        "        n_pruned INTEGER NOT NULL,"
        "        pruned_ns INTEGER NOT NULL"
        ") STRICT;"
        "INSERT INTO retention VALUES (1, 0, 0, 0, 0, 0);",
        /* The monitor that the VM's watcher holds: where it is, and how QEMU greeted, which it says but once. */
        "CREATE TABLE monitor ("
        "        vm INTEGER PRIMARY KEY REFERENCES vm (id),"
        "        path TEXT NOT NULL,"
        "        greeting TEXT NOT NULL,"
        "        is_kept INTEGER NOT NULL" /* by a service manager: it can be read on when its watcher has gone */
        ") STRICT;",

        /* What happened and who did it, asked together. */
        "CREATE INDEX verdict_what_and_who ON verdict (transition, initiator, episode);",

        /* Is its watcher vmpowerd, or was it the last one?  A process that is gone does not tell what it was. */
        "ALTER TABLE vm ADD COLUMN is_daemons INTEGER NOT NULL DEFAULT 0;",
};

enum {
        SCHEMA_VERSION = N_ELEMENTS(migrations),
};

int schema_newest(void) {
        return SCHEMA_VERSION;
}

/*
 * Both ends of every table: whether it is there, and whether its tree can be walked down.  Asked for together, min and max would read
 * all of it: https://www.sqlite.org/optoverview.html#the_min_max_optimization
 */
static const char *const probes[] = {
        "SELECT (SELECT min(id) FROM vm) + (SELECT max(id) FROM vm)",
        "SELECT (SELECT min(id) FROM evidence) + (SELECT max(id) FROM evidence)",
        "SELECT (SELECT min(number) FROM verdict) + (SELECT max(number) FROM verdict)",
        "SELECT (SELECT min(verdict) FROM verdict_evidence) + (SELECT max(verdict) FROM verdict_evidence)",
        "SELECT (SELECT min(id) FROM decision) + (SELECT max(id) FROM decision)",
        "SELECT measured_up_to FROM retention",
        "SELECT min(vm) FROM monitor",
};

static int schema_probe(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        int64_t ignored;
        int r;

        for (size_t i = 0; i < N_ELEMENTS(probes); i++) {
                r = database_read_integer(database, probes[i], &ignored, ret_why);
                if (r)
                        return r;
        }
        return 0;
}

static int schema_say(sqlite3 *database, int r, int64_t version, char ret_why[static STORE_WHY_MAX]) {
        const char *path = sqlite3_db_filename(database, "main");

        if (r == -EPROTO)
                snprintf(ret_why, STORE_WHY_MAX,
                         "%s: made by a newer vmpower (schema %" PRIi64 "; this one knows %d); use that one", path,
                         version, SCHEMA_VERSION);
        else
                snprintf(ret_why, STORE_WHY_MAX,
                         "%s: no database of vmpower, but of another program; it was left as it is", path);
        return r;
}

static int schema_read_version(sqlite3 *database, int64_t *ret_version, char ret_why[static STORE_WHY_MAX]) {
        int64_t application, n_tables;
        int r;

        r = database_read_integer(database, "PRAGMA application_id", &application, ret_why);
        if (r)
                return r;
        r = database_read_integer(database, "PRAGMA user_version", ret_version, ret_why);
        if (r)
                return r;
        r = database_read_integer(database, "SELECT count(*) FROM sqlite_schema", &n_tables, ret_why);
        if (r)
                return r;

        if (!application && !*ret_version && !n_tables)
                return SCHEMA_IS_EMPTY;
        if (application != SCHEMA_APPLICATION_ID || *ret_version < 1)
                return schema_say(database, -EBADMSG, *ret_version, ret_why);
        if (*ret_version > SCHEMA_VERSION)
                return schema_say(database, -EPROTO, *ret_version, ret_why);
        return *ret_version < SCHEMA_VERSION ? SCHEMA_IS_OLD : 0;
}

int schema_check(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        int64_t version;
        int r;

        r = schema_read_version(database, &version, ret_why);
        return r ? r : schema_probe(database, ret_why);
}

/*
 * WAL: readers never wait for the writer nor it for them, and a commit is one fsync.  The mode stays in the file.
 * https://www.sqlite.org/wal.html
 */
static int schema_set_wal(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        const char *mode;
        int r;

        r = database_prepare(database, "PRAGMA journal_mode = WAL", &statement, ret_why);
        if (r)
                return r;
        r = statement_step(statement, ret_why);
        if (r < 0)
                return r;
        mode = (const char *)sqlite3_column_text(statement, 0);
        if (mode && !strcmp(mode, "wal"))
                return 0;
        snprintf(ret_why, STORE_WHY_MAX,
                 "%s: its filesystem has no shared memory (is it a network's?); set VMPOWER_STATE_DIR to a local one",
                 sqlite3_db_filename(database, "main"));
        return -EOPNOTSUPP;
}

static int schema_migrate(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        char sql[96];
        int64_t version;
        int r;

        /* Between the look and the lock somebody else may have done it. */
        r = schema_read_version(database, &version, ret_why);
        if (r <= 0)
                return r;
        for (; version < SCHEMA_VERSION; version++) {
                r = database_run(database, migrations[version], ret_why);
                if (r)
                        return r;
        }
        snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d", SCHEMA_APPLICATION_ID,
                 SCHEMA_VERSION);
        return database_run(database, sql, ret_why);
}

int schema_bring_up(sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        char ignored[STORE_WHY_MAX];
        int r, look;

        /* What is not ours stays as it is, up to its journal's mode. */
        look = schema_check(database, ret_why);
        if (look < 0)
                return look;

        r = schema_set_wal(database, ret_why);
        if (r)
                return r;
        r = database_run(database,
                         "PRAGMA synchronous = FULL;" /* what was committed outlives a power cut */
                         "PRAGMA journal_size_limit = 8388608;",
                         ret_why);
        if (r || !look)
                return r;

        r = database_run(database, "BEGIN IMMEDIATE", ret_why);
        if (r)
                return r;
        r = schema_migrate(database, ret_why);
        if (!r)
                r = database_run(database, "COMMIT", ret_why);
        if (r && !sqlite3_get_autocommit(database))
                database_run(database, "ROLLBACK", ignored);
        return r;
}
