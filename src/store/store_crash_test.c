#include "store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "store/store_test_world.h"

enum {
        ROUNDS = 20,
        WRITERS = 2,
        BATCHES = 150,
};

/* A child reports every id that it was told is on disk. */
struct storm {
        struct world *world;
        uint64_t next;
        int fd;
};

static void report_id(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct storm *storm = userdata;
        uint64_t id = store_batch_evidence(batch, 0, NULL)->id;

        if (result || write(storm->fd, &id, sizeof(id)) != sizeof(id))
                _exit(1);
}

static void rage(struct storm *storm) {
        struct world *world = storm->world;

        if (store_open(&world->store, world->directory, STORE_WRITE, world->why))
                _exit(2);
        for (;;) {
                for (int i = 0; i < 3; i++)
                        if (store_submit(world->store, make_facts(world->vm, storm->next++, 1), report_id, storm))
                                _exit(3);
                store_drain(world->store);
        }
}

static void assert_integrity(struct world *world) {
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM pragma_integrity_check"
                                                  " WHERE integrity_check <> 'ok'"),
                         0);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void assert_stored(struct world *world, uint64_t id) {
        char sql[96];

        snprintf(sql, sizeof(sql), "SELECT count(*) FROM evidence WHERE id = %d", (int)id);
        assert_int_equal(world_sql_integer(world, sql), 1);
}

/* How long a round may rage differs from round to round: by how many ids are read before the kill. */
static uint64_t one_round(struct world *world, int round, uint64_t first) {
        struct storm storm = { .world = world, .next = first };
        uint64_t ids[512], n_before_kill = (uint64_t)(round * round) % 97, n_ids = 0;
        int fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        if (!pid) {
                close(fds[0]);
                storm.fd = fds[1];
                rage(&storm);
        }
        close(fds[1]);
        while (n_ids < n_before_kill && read(fds[0], &ids[n_ids], sizeof(*ids)) == sizeof(*ids))
                n_ids++;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (n_ids < N_ELEMENTS(ids) && read(fds[0], &ids[n_ids], sizeof(*ids)) == sizeof(*ids))
                n_ids++;
        close(fds[0]);

        assert_true(n_ids >= n_before_kill);
        for (size_t i = 0; i < n_ids; i++)
                assert_stored(world, ids[i]);
        return n_ids;
}

static void what_was_said_to_be_on_disk_outlives_a_kill_at_any_time(void **state) {
        struct world *world = *state;
        uint64_t n_told = 0;

        world_close(world);
        for (int round = 0; round < ROUNDS; round++) {
                n_told += one_round(world, round, 1 + (uint64_t)round * 100000);
                assert_integrity(world);
        }
        assert_true(world_sql_integer(world, "SELECT count(*) FROM evidence") >= (int64_t)n_told);
        world_open(world);
        world_write_facts(world, 90000000, 1);
}

static int write_many(struct world *world) {
        struct outcome outcome = {};
        struct store_vm vm = make_vm("", "");

        snprintf(vm.identity.name, sizeof(vm.identity.name), "pid-%d", (int)getpid());
        snprintf(vm.identity.instance, sizeof(vm.identity.instance), "boot:%d:1", (int)getpid());
        if (store_open(&world->store, world->directory, STORE_WRITE, world->why) ||
            store_add_vm(world->store, &vm, NULL, world->why))
                return 1;
        for (int i = 0; i < BATCHES; i++) {
                if (store_submit(world->store, make_facts(vm.id, 1 + 2 * (uint64_t)i, 2), note_outcome, &outcome))
                        return 1;
                store_drain(world->store);
                if (outcome.result || outcome.n_calls != i + 1)
                        return 1;
        }
        store_close(world->store);
        return 0;
}

static void two_processes_may_write_at_once(void **state) {
        struct world *world = *state;
        pid_t pids[WRITERS];

        world_close(world);
        for (int i = 0; i < WRITERS; i++)
                pids[i] = start_child(write_many, world);
        for (int i = 0; i < WRITERS; i++)
                assert_int_equal(wait_for(pids[i]), 0);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), WRITERS * BATCHES * 2);
        assert_int_equal(world_sql_integer(world, "SELECT count(DISTINCT vm) FROM evidence"), WRITERS);
        /* A batch is one piece: nobody else's id lies within. */
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM (SELECT batch FROM evidence GROUP BY batch"
                                                  " HAVING count(*) <> 2 OR max(id) <> min(id) + 1"
                                                  " OR min(id) <> batch OR min(vm) <> max(vm))"),
                         0);
        assert_integrity(world);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(what_was_said_to_be_on_disk_outlives_a_kill_at_any_time),
                SENTENCE(two_processes_may_write_at_once),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
