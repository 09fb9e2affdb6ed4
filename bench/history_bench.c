/*
 * Does the price of a question, or of a commit, grow with history?
 *
 * One store with a thousand verdicts, then with so many (a million, or argv[2]; two facts each, a hundred VMs of two users).  Everything
 * that the engine, the API and the command line ask of it is asked often, and the medians stand side by side.  Prints microseconds;
 * promises nothing.
 */
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
        N_ROUNDS = 101,
        PAGE = 100,
};

#define BASE_NS   UINT64_C(1700000000000000000)
#define MINUTE_NS UINT64_C(60000000000)

struct bench {
        const char *directory;
        struct store *store;
        int64_t vm;
        uint64_t n_verdicts; /* that were filled in */
        uint64_t seq;
        char why[STORE_WHY_MAX];
};

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void fail(const struct bench *bench, int r) {
        fprintf(stderr, "%s\n", *bench->why ? bench->why : strerror(-r));
        exit(1);
}

static int ignore_record(const struct verdict_record *record, void *userdata) {
        return 0;
}

static void note_record(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct bench *bench = userdata;

        snprintf(bench->why, sizeof(bench->why), "%s", why);
        if (result)
                fail(bench, result);
        bench->seq = store_batch_n_evidence(batch) ? store_batch_evidence(batch, 0, NULL)->id : bench->seq;
}

static void ask(struct bench *bench, const struct store_query *query) {
        int r = store_each_verdict(bench->store, query, ignore_record, NULL, bench->why);

        if (r < 0)
                fail(bench, r);
}

static void ask_open(struct bench *bench) {
        cleanup(store_closep) struct store *store = NULL;
        int r = store_open(&store, bench->directory, STORE_READ, bench->why);

        if (r)
                fail(bench, r);
}

static struct evidence make_fact(void) {
        static uint64_t seq;
        struct evidence fact = evidence_make(SOURCE_QMP, EVIDENCE_SHUTDOWN);

        fact.seq = ++seq;
        fact.at_ns = UINT64_C(1) << 62 | seq;
        fact.time_ns = BASE_NS + (UINT64_C(1) << 58) + seq; /* after all that is filled in */
        evidence_set_word(&fact, "guest-shutdown");
        return fact;
}

static void commit(struct bench *bench, struct store_batch *batch) {
        int r = store_submit(bench->store, batch, note_record, bench);

        if (r)
                fail(bench, r);
        store_drain(bench->store);
}

static void ask_commit_evidence(struct bench *bench) {
        struct evidence fact = make_fact();
        struct store_batch *batch;

        if (store_batch_new(&batch) || store_batch_add_evidence(batch, bench->vm, &fact))
                fail(bench, -ENOMEM);
        commit(bench, batch);
}

/* On the fact that was committed last; its own commit is not measured. */
static void ask_commit_verdict(struct bench *bench) {
        struct vm_identity vm = { .name = "bench", .backend = "qemu", .instance = "bench:0:0" };
        struct verdict verdict = { .transition = TRANSITION_POWEROFF, .left = LEFT_GONE, .count = 1, .rule = "guest-poweroff" };
        struct evidence fact = make_fact();
        struct verdict_record record;
        struct store_batch *batch;

        fact.id = bench->seq;
        verdict.time_ns = fact.time_ns;
        if (verdict_record_make(&record, &vm, &verdict, &fact, 1, fact.id, (unsigned)fact.seq) || store_batch_new(&batch) ||
            store_batch_add_verdict(batch, bench->vm, &record))
                fail(bench, -ENOMEM);
        commit(bench, batch);
}

static void ask_last_number(struct bench *bench) {
        uint64_t number;

        if (store_last_number(bench->store, &number, bench->why))
                fail(bench, -EIO);
}

static void ask_status(struct bench *bench) {
        struct store_status status;

        if (store_read_status(bench->store, &status, bench->why))
                fail(bench, -EIO);
}

static void ask_find_vm(struct bench *bench) {
        struct store_vm vm = {};

        store_find_vm(bench->store, "vm-7", &vm);
        store_vm_deinit(&vm);
}

static void ask_replay(struct bench *bench) {
        const uint64_t after = bench->n_verdicts > PAGE ? bench->n_verdicts - PAGE : 0;
        int r = store_replay_verdicts(bench->store, after, after + PAGE, NULL, ignore_record, NULL, bench->why);

        if (r < 0)
                fail(bench, r);
}

static void ask_prune_step(struct bench *bench) {
        struct store_pruning pruning = { .keep = { .before_ns = 1, .n_bytes_max = UINT64_MAX }, .now_ns = 1 };
        struct store_batch *batch;

        if (store_batch_new(&batch) || store_batch_prune(batch, &pruning))
                fail(bench, -ENOMEM);
        commit(bench, batch);
}

static const int64_t owner = 1001;

#define QUESTION(name, ...)                                                                        \
        static void name(struct bench *bench) {                                                    \
                ask(bench, &(struct store_query){ __VA_ARGS__ });                                  \
        }
QUESTION(ask_why, .name = "vm-7", .limit = 1)
QUESTION(ask_newest, .limit = PAGE)
QUESTION(ask_page_in_the_middle, .limit = PAGE, .before = bench->n_verdicts / 2 + 1)
QUESTION(ask_name, .name = "vm-7", .limit = PAGE)
QUESTION(ask_owner, .owner = &owner, .limit = PAGE)
QUESTION(ask_transition, .transition = "crash", .limit = PAGE)
QUESTION(ask_initiator, .initiator = "host", .limit = PAGE)
QUESTION(ask_both, .initiator = "host", .transition = "poweroff", .limit = PAGE)
QUESTION(ask_since_an_hour, .since_ns = BASE_NS + (bench->n_verdicts - 60) * MINUTE_NS, .limit = PAGE)
QUESTION(ask_since_ever, .since_ns = BASE_NS, .limit = PAGE)
QUESTION(ask_until_the_middle, .until_ns = BASE_NS + bench->n_verdicts / 2 * MINUTE_NS, .limit = PAGE)

static const struct {
        const char *words;
        void (*ask)(struct bench *bench);
} questions[] = {
        { "open to read", ask_open },
        { "commit a fact", ask_commit_evidence },
        { "commit a verdict", ask_commit_verdict },
        { "number of the last verdict", ask_last_number },
        { "find a VM", ask_find_vm },
        { "why VM", ask_why },
        { "page: newest 100", ask_newest },
        { "page: in the middle", ask_page_in_the_middle },
        { "page: of a VM", ask_name },
        { "page: of a user", ask_owner },
        { "page: a transition", ask_transition },
        { "page: an initiator", ask_initiator },
        { "page: both, that never go together", ask_both },
        { "page: since an hour ago", ask_since_an_hour },
        { "page: since ever", ask_since_ever },
        { "page: until the middle", ask_until_the_middle },
        { "replay the last 100", ask_replay },
        { "status", ask_status },
        { "a step of pruning", ask_prune_step },
};

static int compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static uint64_t measure(struct bench *bench, void (*question)(struct bench *bench)) {
        uint64_t spans[N_ROUNDS];

        for (size_t i = 0; i < N_ROUNDS; i++) {
                const uint64_t begin_ns = now_ns();

                question(bench);
                spans[i] = now_ns() - begin_ns;
        }
        qsort(spans, N_ROUNDS, sizeof(spans[0]), compare);
        return spans[N_ROUNDS / 2];
}

static void run_sql(struct bench *bench, sqlite3 *database, const char *format, uint64_t n) {
        cleanup(freep) char *sql = NULL;

        if (asprintf(&sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %" PRIu64 ") %s", n, format) < 0)
                fail(bench, -ENOMEM);
        if (sqlite3_exec(database, sql, NULL, NULL, NULL)) {
                fprintf(stderr, "%s\n", sqlite3_errmsg(database));
                exit(1);
        }
}

/* A verdict a minute, with two facts and a decision; each tenth is a crash, each thousandth the host's doing. */
static void fill(struct bench *bench, uint64_t n) {
        cleanup(freep) char *path = NULL;
        sqlite3 *database = NULL;

        if (asprintf(&path, "%s/vmpower.db", bench->directory) < 0 || sqlite3_open(path, &database))
                fail(bench, -EIO);
        sqlite3_exec(database, "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN; DELETE FROM decision; DELETE FROM verdict_evidence;"
                               " DELETE FROM verdict; DELETE FROM evidence; DELETE FROM sqlite_sequence", NULL, NULL, NULL);
        run_sql(bench, database,
                "INSERT OR IGNORE INTO vm (id, name, backend, instance, pid, uid, policy, began_ns, ended_ns) SELECT i + 1, 'vm-' || i, 'qemu',"
                " 'd7e62c61-0f17-4cca-b0d4-32a5b3d4444e:' || i || ':1', i, 1000 + i % 2, '', 1, 2 FROM n", 100);
        run_sql(bench, database,
                "INSERT INTO evidence (batch, vm, source, kind, at_ns, time_ns, seq, data) SELECT i, 2 + i / 2 % 100,"
                " CASE i % 2 WHEN 0 THEN 'qmp' ELSE 'process' END, CASE i % 2 WHEN 0 THEN 'shutdown' ELSE 'exited' END, i * 30000000000,"
                " 1700000000000000000 + i * 30000000000, i, CASE i % 2 WHEN 0 THEN '{\"guest\":true,\"reason\":\"guest-shutdown\"}' ELSE"
                " '{\"exit_status\":0}' END FROM n", 2 * n);
        run_sql(bench, database,
                "INSERT INTO verdict (number, id, vm, name, episode, at_ns, time_ns, transition, initiator, mechanism, graceful, left, count,"
                " confidence, rule, summary, uid, n_evidence) SELECT i, printf('01%024d', i), 2 + i % 100, 'vm-' || (1 + i % 100), 2 * i - 1,"
                " i * 60000000000, 1700000000000000000 + i * 60000000000, CASE WHEN i % 10 THEN 'poweroff' ELSE 'crash' END,"
                " CASE WHEN i % 1000 THEN 'guest' ELSE 'host' END, 'acpi-s5', 1, 'gone', 1, 'certain', 'guest-poweroff',"
                " 'vm-' || (1 + i % 100) || ' was powered off by its own guest (ACPI soft off); nobody on the host had asked it to.',"
                " 1000 + (1 + i % 100) % 2, 2 FROM n", n);
        run_sql(bench, database, "INSERT INTO verdict_evidence SELECT (i + 1) / 2, i % 2, i, NULL FROM n", 2 * n);
        run_sql(bench, database, "INSERT INTO decision (verdict, policy, action, result, time_ns) SELECT i, 'on_poweroff', 'leave', 'done', i FROM n", n);
        if (sqlite3_exec(database, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL))
                fprintf(stderr, "%s\n", sqlite3_errmsg(database));
        sqlite3_close(database);
        bench->n_verdicts = n;
}

/* What the file's pages say, where SQLite can tell (https://www.sqlite.org/dbstat.html). */
static int64_t evidence_pages(struct bench *bench) {
        cleanup(freep) char *path = NULL;
        sqlite3_stmt *statement = NULL;
        sqlite3 *database = NULL;
        int64_t n_bytes = 0;

        if (asprintf(&path, "%s/vmpower.db", bench->directory) < 0 || sqlite3_open(path, &database))
                return 0;
        if (!sqlite3_prepare_v2(database, "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%evidence%'", -1, &statement, NULL) &&
            sqlite3_step(statement) == SQLITE_ROW)
                n_bytes = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(database);
        return n_bytes;
}

static void print_evidence_size(struct bench *bench) {
        const struct store_retention keep = { .n_bytes_max = UINT64_MAX };
        struct store_pruning pruning;

        if (store_look_at_pruning(bench->store, &keep, &pruning, bench->why))
                fail(bench, -EIO);
        printf("evidence: %" PRIu64 " facts, about %" PRIu64 " bytes as retention measures it, %" PRIi64 " as the file's pages tell\n",
               pruning.n_left, pruning.n_bytes_left, evidence_pages(bench));
}

int main(int argc, char **argv) {
        char made[] = "/var/tmp/vmpower-bench-XXXXXX";
        struct bench bench = { .directory = argc > 1 ? argv[1] : mkdtemp(made) };
        const uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
        struct store_vm vm = { .identity = { .name = "bench", .backend = "qemu", .instance = "bench:0:0" }, .uid = 1000, .began_ns = 1 };
        uint64_t before[N_ELEMENTS(questions)], after[N_ELEMENTS(questions)];
        struct store_status status;

        if (!bench.directory || store_open(&bench.store, bench.directory, STORE_WRITE, bench.why) ||
            store_add_vm(bench.store, &vm, NULL, bench.why))
                fail(&bench, -errno);
        bench.vm = vm.id;
        fill(&bench, 1000);
        for (size_t i = 0; i < N_ELEMENTS(questions); i++)
                before[i] = measure(&bench, questions[i].ask);
        fill(&bench, n);
        for (size_t i = 0; i < N_ELEMENTS(questions); i++)
                after[i] = measure(&bench, questions[i].ask);

        printf("%-36s %12s %12s %8s\n", "microseconds, median", "thousand", "filled", "ratio");
        for (size_t i = 0; i < N_ELEMENTS(questions); i++)
                printf("%-36s %12.1f %12.1f %8.2f\n", questions[i].words, (double)before[i] / 1e3, (double)after[i] / 1e3,
                       (double)after[i] / (double)before[i]);
        if (store_read_status(bench.store, &status, bench.why))
                fail(&bench, -EIO);
        printf("%" PRIu64 " verdicts, database of %" PRIu64 " bytes in %s\n", status.n_verdicts, status.n_file_bytes, bench.directory);
        print_evidence_size(&bench);
        store_close(bench.store);
        return 0;
}
