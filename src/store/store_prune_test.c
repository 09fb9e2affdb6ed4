#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "store/store_test_world.h"

#define BASE_NS UINT64_C(1795403527000000000) /* of make_fact() */

static void note_pruning(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct store_pruning *pruning = userdata;

        if (result)
                fail_msg("%s", why);
        *pruning = store_batch_pruning(batch);
}

/* All steps.  How many. */
static size_t prune(struct world *world, struct store_retention keep, struct store_pruning *ret_pruning) {
        size_t n = 0;

        *ret_pruning = (struct store_pruning){ .keep = keep, .now_ns = 4711 };
        do {
                struct store_batch *batch = make_batch();

                assert_int_equal(store_batch_prune(batch, ret_pruning), 0);
                assert_int_equal(store_submit(world->store, batch, note_pruning, ret_pruning), 0);
                store_drain(world->store);
                assert_true(++n < 100);
        } while (!ret_pruning->is_done);
        return n;
}

static struct store_retention older_than(uint64_t seq) {
        return (struct store_retention){ .before_ns = BASE_NS + seq, .n_bytes_max = UINT64_MAX };
}

static void end_vm(struct world *world) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_end_vm(batch, world->vm, BASE_NS), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static int64_t n_evidence(struct world *world) {
        return world_sql_integer(world, "SELECT count(*) FROM evidence");
}

static void what_is_old_goes_and_what_is_young_stays(void **state) {
        struct world *world = *state;
        struct store_pruning pruning;

        world_write_facts(world, 1, 10);
        end_vm(world);
        prune(world, older_than(4), &pruning);
        assert_int_equal(pruning.n_pruned, 3);
        assert_int_equal(pruning.n_left, 7);
        assert_int_equal(world_sql_integer(world, "SELECT min(id) FROM evidence"), 4);
        assert_int_equal(world_sql_integer(world, "SELECT max(id) FROM evidence"), 10);
        prune(world, older_than(4), &pruning);
        assert_int_equal(pruning.n_pruned, 0);
}

static void the_verdict_stays_when_its_evidence_goes(void **state) {
        struct world *world = *state;
        struct verdict_record record;
        struct store_pruning pruning;

        world_write_facts(world, 1, 1);
        record = make_record(world, 1, 1, 0);
        world_write_verdict(world, world->vm, &record);
        end_vm(world);
        prune(world, older_than(100), &pruning);
        assert_int_equal(n_evidence(world), 0);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM verdict_evidence"), 0);
        assert_int_equal(world_sql_integer(world, "SELECT n_evidence FROM verdict"), 1);
        assert_string_not_equal(world_history(world, &(struct store_query){ .name = "web-1" }), "");
}

static void evidence_of_a_vm_that_has_not_ended_stays(void **state) {
        struct world *world = *state;
        struct store_pruning pruning;
        int64_t other = world_add_vm(world, "db-1", "boot:2:2");

        world_write_facts(world, 1, 3);
        assert_int_equal(world_write(world, make_facts(other, 4, 3)).result, 0);
        end_vm(world);
        prune(world, (struct store_retention){ .before_ns = BASE_NS + 100, .n_bytes_max = 0 }, &pruning);
        assert_int_equal(pruning.n_pruned, 3);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence WHERE vm = 2"), 3);
        assert_int_equal(n_evidence(world), 3);
}

static void a_clock_that_was_wrong_keeps_more_never_less(void **state) {
        struct world *world = *state;
        struct store_pruning pruning;

        world_write_facts(world, 1, 6);
        end_vm(world);
        /* The third was told in a far future, the fifth in 1970. */
        world_sql(world, "UPDATE evidence SET time_ns = 4000000000000000000 WHERE id = 3;"
                         "UPDATE evidence SET time_ns = 1 WHERE id = 5");
        prune(world, older_than(5), &pruning);
        assert_int_equal(pruning.n_pruned, 2);
        assert_int_equal(world_sql_integer(world, "SELECT min(id) FROM evidence"), 3);
}

static void what_is_beyond_the_size_goes_the_oldest_first(void **state) {
        struct world *world = *state;
        struct store_pruning all, pruning;
        uint64_t half;

        world_write_facts(world, 1, 100);
        end_vm(world);
        assert_int_equal(store_look_at_pruning(world->store, &(struct store_retention){ .n_bytes_max = UINT64_MAX }, &all, world->why), 0);
        assert_int_equal(all.n_left, 100);
        assert_int_equal(all.n_pruned, 0);
        half = all.n_bytes_left / 2;
        prune(world, (struct store_retention){ .n_bytes_max = half }, &pruning);
        assert_in_range(pruning.n_pruned, 49, 51);
        assert_true(pruning.n_bytes_left <= half);
        assert_int_equal(pruning.n_bytes_left + pruning.n_bytes_pruned, all.n_bytes_left);
        assert_int_equal(world_sql_integer(world, "SELECT min(id) FROM evidence"), pruning.n_pruned + 1);
}

static void a_step_is_bounded_and_the_next_goes_on(void **state) {
        struct world *world = *state;
        struct store_pruning pruning, look;
        struct store_retention keep = older_than(2000);

        world_write_facts(world, 1, 2500);
        world_write_facts(world, 2501, 2500);
        end_vm(world);
        assert_int_equal(store_look_at_pruning(world->store, &keep, &look, world->why), 0);
        assert_int_equal(n_evidence(world), 5000);
        assert_true(prune(world, keep, &pruning) >= 5);
        assert_int_equal(pruning.n_pruned, 1999);
        assert_int_equal(pruning.n_pruned, look.n_pruned);
        assert_int_equal(pruning.n_bytes_pruned, look.n_bytes_pruned);
        assert_int_equal(pruning.n_left, look.n_left);
        assert_int_equal(n_evidence(world), 3001);
}

static void freed_pages_are_used_again(void **state) {
        struct world *world = *state;
        struct store_status full, pruned, again;
        struct store_pruning pruning;

        world_write_facts(world, 1, 2000);
        end_vm(world);
        assert_int_equal(store_read_status(world->store, &full, world->why), 0);
        prune(world, older_than(3000), &pruning);
        assert_int_equal(store_read_status(world->store, &pruned, world->why), 0);
        assert_int_equal(pruned.n_file_bytes, full.n_file_bytes);
        assert_true(pruned.n_free_bytes > full.n_file_bytes / 2);
        world_write_facts(world, 3000, 1000);
        assert_int_equal(store_read_status(world->store, &again, world->why), 0);
        assert_int_equal(again.n_file_bytes, full.n_file_bytes);
}

static void the_status_counts_what_is_there(void **state) {
        struct world *world = *state;
        struct store_pruning pruning;
        struct store_status status;
        struct verdict_record record;
        uint64_t n_bytes;

        assert_int_equal(store_read_status(world->store, &status, world->why), 0);
        assert_int_equal(status.n_evidence, 0);
        assert_int_equal(status.oldest_ns, 0);
        assert_int_equal(status.pruned_ns, 0);
        world_write_facts(world, 1, 10);
        record = make_record(world, 1, 1, 0);
        world_write_verdict(world, world->vm, &record);
        /* Nothing is measured yet: all of it is. */
        assert_int_equal(store_read_status(world->store, &status, world->why), 0);
        assert_int_equal(status.n_evidence, 10);
        n_bytes = status.n_evidence_bytes;
        prune(world, older_than(1), &pruning);
        world_write_facts(world, 11, 5);
        assert_int_equal(store_read_status(world->store, &status, world->why), 0);
        assert_int_equal(status.n_evidence, 15);
        assert_int_equal(status.n_verdicts, 1);
        assert_int_equal(status.oldest_ns, BASE_NS + 1);
        assert_int_equal(status.pruned_ns, 4711);
        assert_int_equal(status.n_open_vms, 1);
        assert_true(n_bytes > 10 * 100 && n_bytes < 10 * 1000);
        assert_true(status.n_evidence_bytes >= n_bytes / 10 * 15 && status.n_evidence_bytes <= n_bytes * 15 / 10);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(what_is_old_goes_and_what_is_young_stays),
                SENTENCE(the_verdict_stays_when_its_evidence_goes),
                SENTENCE(evidence_of_a_vm_that_has_not_ended_stays),
                SENTENCE(a_clock_that_was_wrong_keeps_more_never_less),
                SENTENCE(what_is_beyond_the_size_goes_the_oldest_first),
                SENTENCE(a_step_is_bounded_and_the_next_goes_on),
                SENTENCE(freed_pages_are_used_again),
                SENTENCE(the_status_counts_what_is_there),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
