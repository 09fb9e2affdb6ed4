/* What the next watcher of a VM reads back: its episode as it was told last, and what came after that. */
#include "engine/past.h"
#include "basics/cleanup.h"
#include "store/store_test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void read_past(struct world *world, struct past *ret_past) {
        if (past_read(ret_past, world->store, world->vm, true, world->why))
                fail_msg("%s", world->why);
}

static void write_fact(struct world *world, uint64_t seq, enum evidence_kind kind, int64_t number) {
        struct store_batch *batch = make_batch();
        struct evidence fact = make_fact(seq);

        fact.kind = kind;
        fact.number = number;
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

/* The fact's own id is its `seq` where each is written in order. */
static void write_verdict(struct world *world, uint64_t evidence, uint64_t episode, unsigned revision) {
        struct verdict_record record = make_record(world, evidence, episode, revision);

        world_write_verdict(world, world->vm, &record);
}

static void of_a_new_vm_nothing_is_on_record(void **state) {
        struct past past;

        read_past(*state, &past);
        assert_false(past.has_verdict);
        assert_int_equal(past.episode.n_items, 0);
        assert_int_equal(past.n_later, 0);
        assert_int_equal(past.newest_ns, 0);
        assert_false(past_is_going_down(&past));
        assert_false(past_has(&past, EVIDENCE_EXITED));
        past_deinit(&past);
}

static void the_newest_verdict_counts_and_what_it_does_not_rest_on_is_later(void **state) {
        struct world *world = *state;
        struct verdict_record record = make_record(world, 2, 2, 1);
        struct past past;

        world_write_facts(world, 1, 2);
        write_verdict(world, 1, 1, 0);
        write_verdict(world, 2, 2, 0);
        record.verdict.left = LEFT_PAUSED;
        world_write_verdict(world, world->vm, &record);
        /* The order is that in which they happened. */
        for (uint64_t seq = 13; seq > 2; seq--)
                world_write_facts(world, seq, 1);
        read_past(world, &past);
        assert_true(past.has_verdict);
        assert_int_equal(past.told.episode, 2);
        assert_string_equal(past.told.id, record.id);
        assert_string_equal(past.told.summary, record.summary);
        assert_int_equal(past.told.time_ns, record.verdict.time_ns);
        assert_int_equal(past.told.left, LEFT_PAUSED);
        assert_int_equal(past.episode.n_items, 1);
        assert_int_equal(past.episode.items[0].seq, 2);
        assert_int_equal(past.episode.revision, 1);
        assert_int_equal(past.n_later, 11);
        for (size_t i = 0; i < past.n_later; i++)
                assert_int_equal(past.later[i].seq, 3 + i);
        /* A connection that goes on may have it still. */
        assert_int_equal(past.n_earlier, 1);
        assert_int_equal(past.earlier[0].seq, 1);
        assert_int_equal(past.newest_ns, make_fact(13).at_ns);
        assert_true(past_has(&past, EVIDENCE_EXITED));
        past_deinit(&past);
        verdict_record_deinit(&record);
}

static void what_the_verdict_rests_on_is_not_later(void **state) {
        struct world *world = *state;
        struct past past;

        world_write_facts(world, 1, 1);
        write_verdict(world, 1, 1, 0);
        read_past(world, &past);
        assert_int_equal(past.n_later, 0);
        assert_int_equal(past.newest_ns, make_fact(1).at_ns);
        assert_int_equal(past.episode.revision, 0);
        past_deinit(&past);
}

static void the_last_that_was_heard_of_the_host_counts(void **state) {
        struct world *world = *state;
        struct past past;

        write_fact(world, 10, EVIDENCE_GOING_DOWN, 0);
        read_past(world, &past);
        assert_true(past_is_going_down(&past));
        past_deinit(&past);
        write_fact(world, 12, EVIDENCE_STAYS_UP, 0);
        write_fact(world, 11, EVIDENCE_GOING_DOWN, 0);
        write_fact(world, 9, EVIDENCE_EXITED, 0);
        read_past(world, &past);
        assert_false(past_is_going_down(&past));
        past_deinit(&past);
        write_fact(world, 14, EVIDENCE_GOING_DOWN, 0);
        write_fact(world, 15, EVIDENCE_EXITED, 0);
        read_past(world, &past);
        assert_true(past_is_going_down(&past));
        past_deinit(&past);
}

/* SeaBIOS resets once more by itself. */
static void a_loop_of_resets_goes_on_where_it_was_left(void **state) {
        struct evidence reset = evidence_make(SOURCE_QMP, EVIDENCE_RESET);
        struct world *world = *state;
        struct tally tally = { 0 };
        struct past past;

        write_fact(world, 1, EVIDENCE_RESET, 6);
        write_fact(world, 2, EVIDENCE_RESET, 7);
        read_past(world, &past);
        past_take_up(&past, &tally);
        reset.at_ns = make_fact(2).at_ns + FIRMWARE_START_NS;
        assert_int_equal(tally_offer(&tally, &reset), 0);
        assert_int_equal(reset.number, 8);
        tally_deinit(&tally);
        past_deinit(&past);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(of_a_new_vm_nothing_is_on_record),
                SENTENCE(the_newest_verdict_counts_and_what_it_does_not_rest_on_is_later),
                SENTENCE(what_the_verdict_rests_on_is_not_later),
                SENTENCE(the_last_that_was_heard_of_the_host_counts),
                SENTENCE(a_loop_of_resets_goes_on_where_it_was_left),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
