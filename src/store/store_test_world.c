#include "store/store_test_world.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/database.h"

enum {
        NOBODY = 65534,
};

int world_begin_empty(void **state) {
        struct world *world = calloc(1, sizeof(*world));

        database_busy_ms = 5000;
        strcpy(world->directory, "/tmp/vmpower-store-XXXXXX");
        *state = world;
        return mkdtemp(world->directory) ? 0 : -1;
}

int world_begin(void **state) {
        int r = world_begin_empty(state);
        struct world *world = *state;

        if (r)
                return r;
        world_open(world);
        world->vm = world_add_vm(world, "web-1", "boot:1:1");
        return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
        return remove(path);
}

int world_end(void **state) {
        struct world *world = *state;

        world_close(world);
        chmod(world->directory, 0700);
        nftw(world->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        free(world);
        return 0;
}

void world_open(struct world *world) {
        if (store_open(&world->store, world->directory, STORE_WRITE, world->why))
                fail_msg("%s", world->why);
}

void world_close(struct world *world) {
        world->store = store_close(world->store);
}

const char *world_path(const struct world *world, const char *suffix) {
        static char path[128];

        snprintf(path, sizeof(path), "%s/vmpower.db%s", world->directory, suffix);
        return path;
}

struct store_vm make_vm(const char *name, const char *instance) {
        static char policy[] = "on_reboot=restart"; /* never given back: what a test makes is not deinit */
        struct store_vm vm = { .pid = 1234, .uid = 1000, .began_ns = 1000, .policy = policy };

        snprintf(vm.identity.name, sizeof(vm.identity.name), "%s", name);
        snprintf(vm.identity.backend, sizeof(vm.identity.backend), "qemu");
        snprintf(vm.identity.instance, sizeof(vm.identity.instance), "%s", instance);
        return vm;
}

int64_t world_add_vm(struct world *world, const char *name, const char *instance) {
        struct store_vm vm = make_vm(name, instance);

        if (store_add_vm(world->store, &vm, NULL, world->why))
                fail_msg("%s", world->why);
        return vm.id;
}

struct evidence make_fact(uint64_t seq) {
        struct evidence fact = evidence_make(SOURCE_PROCESS, EVIDENCE_EXITED);

        fact.seq = seq;
        fact.at_ns = 1000 + seq;
        fact.time_ns = UINT64_C(1795403527000000000) + seq;
        fact.number = (int64_t)seq;
        return fact;
}

struct store_batch *make_batch(void) {
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        return batch;
}

struct store_batch *make_facts(int64_t vm, uint64_t seq, size_t n) {
        struct store_batch *batch = make_batch();

        for (size_t i = 0; i < n; i++) {
                struct evidence fact = make_fact(seq + i);

                assert_int_equal(store_batch_add_evidence(batch, vm, &fact), 0);
        }
        return batch;
}

struct verdict_record make_record(const struct world *world, uint64_t evidence, uint64_t episode, unsigned revision) {
        const struct store_vm vm = make_vm("web-1", "boot:1:1");
        struct evidence fact = make_fact(evidence);
        struct verdict verdict = {
                .at_ns = fact.at_ns,
                .time_ns = fact.time_ns,
                .transition = TRANSITION_FAILURE,
                .initiator = INITIATOR_VMM,
                .mechanism = MECHANISM_PROCESS_EXIT,
                .graceful = TRISTATE_FALSE,
                .left = LEFT_GONE,
                .count = 1,
                .confidence = CONFIDENCE_LIKELY,
                .rule = judge_rule(0)->name,
                .n_proof = 1,
        };
        struct verdict_record record;

        fact.id = evidence;
        assert_int_equal(verdict_record_make(&record, &vm.identity, &verdict, &fact, 1, episode, revision), 0);
        return record;
}

void note_outcome(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct outcome *outcome = userdata;
        size_t n = store_batch_n_evidence(batch);

        outcome->n_calls++;
        outcome->result = result;
        snprintf(outcome->why, sizeof(outcome->why), "%s", why);
        if (n) {
                outcome->first_id = store_batch_evidence(batch, 0, NULL)->id;
                outcome->last_id = store_batch_evidence(batch, n - 1, NULL)->id;
        }
        if (store_batch_n_verdicts(batch))
                outcome->number = store_batch_verdict(batch, 0, NULL)->number;
}

struct outcome world_write(struct world *world, struct store_batch *batch) {
        struct outcome outcome = {};

        assert_int_equal(store_submit(world->store, batch, note_outcome, &outcome), 0);
        store_drain(world->store);
        assert_int_equal(outcome.n_calls, 1);
        return outcome;
}

uint64_t world_write_facts(struct world *world, uint64_t seq, size_t n) {
        struct outcome outcome = world_write(world, make_facts(world->vm, seq, n));

        if (outcome.result)
                fail_msg("%s", outcome.why);
        return outcome.last_id;
}

void world_write_verdict(struct world *world, int64_t vm, struct verdict_record *record) {
        struct store_batch *batch = make_batch();
        struct outcome outcome;

        assert_int_equal(store_batch_add_verdict(batch, vm, record), 0);
        outcome = world_write(world, batch);
        if (outcome.result)
                fail_msg("%s", outcome.why);
}

static int note_id(const struct verdict_record *record, void *userdata) {
        char *text = userdata;

        strcat(strcat(text, record->id), " ");
        return 0;
}

const char *world_history(struct world *world, const struct store_query *query) {
        static char text[16 * 1024];

        *text = '\0';
        if (store_each_verdict(world->store, query, note_id, text, world->why))
                fail_msg("%s", world->why);
        return text;
}

static void check(sqlite3 *database, int code) {
        if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
                fail_msg("%s", sqlite3_errmsg(database));
}

void world_sql(struct world *world, const char *sql) {
        cleanup(database_closep) sqlite3 *database = NULL;

        check(NULL, sqlite3_open(world_path(world, ""), &database));
        check(database, sqlite3_exec(database, sql, NULL, NULL, NULL));
}

int64_t world_sql_integer(struct world *world, const char *sql) {
        cleanup(database_closep) sqlite3 *database = NULL;
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;

        check(NULL, sqlite3_open(world_path(world, ""), &database));
        check(database, sqlite3_prepare_v2(database, sql, -1, &statement, NULL));
        check(database, sqlite3_step(statement));
        return sqlite3_column_int64(statement, 0);
}

int wait_for(pid_t pid) {
        int status;

        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        return WEXITSTATUS(status);
}

pid_t start_child(int (*function)(struct world *world), struct world *world) {
        pid_t pid = fork();

        if (!pid)
                _exit(function(world) ? 1 : 0);
        return pid;
}

pid_t start_stranger(int (*function)(struct world *world), struct world *world) {
        pid_t pid = fork();

        if (!pid) {
                if (!geteuid() && (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
                        _exit(2);
                _exit(function(world) ? 1 : 0);
        }
        return pid;
}

int in_stranger(int (*function)(struct world *world), struct world *world) {
        return wait_for(start_stranger(function, world));
}
