/* What is given an ending, and in which order that comes. */
#include "engine/recover.h"
#include "store/store_test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"
#include "sources/source.h"

enum { FACTS_MAX = 8 };

struct told {
        struct {
                enum evidence_kind kind;
                uint64_t at_ns;
        } facts[FACTS_MAX];
        size_t n;
};

static int note_fact(const struct evidence *evidence, void *userdata) {
        struct told *told = userdata;

        assert_true(told->n < FACTS_MAX);
        told->facts[told->n].kind = evidence->kind;
        told->facts[told->n++].at_ns = evidence->at_ns;
        return 0;
}

static void write_stop(struct world *world, uint64_t at_ns) {
        struct store_batch *batch = make_batch();
        struct evidence fact = make_fact(1);

        fact.source = SOURCE_QMP;
        fact.kind = EVIDENCE_STOP;
        fact.at_ns = at_ns;
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static void recover(struct world *world, struct told *ret_told) {
        struct store_vm vm;

        *ret_told = (struct told){ 0 };
        assert_int_equal(store_find_vm(world->store, "boot:1:1", &vm), 0);
        assert_true(vm_is_lost(&vm));
        if (recover_lost_vm(world->store, &vm, world->why))
                fail_msg("%s", world->why);
        store_vm_deinit(&vm);
        assert_int_equal(store_find_vm(world->store, "boot:1:1", &vm), 0);
        assert_true(vm.ended_ns != 0);
        store_vm_deinit(&vm);
        assert_int_equal(store_each_evidence(world->store, world->vm, 0, note_fact, ret_told, world->why), 0);
        assert_int_equal(ret_told->n, 4);
        assert_int_equal(ret_told->facts[0].kind, EVIDENCE_STOP);
        assert_int_equal(ret_told->facts[1].kind, EVIDENCE_GAP);
        assert_int_equal(ret_told->facts[2].kind, EVIDENCE_HOST_RESTARTED);
        assert_int_equal(ret_told->facts[3].kind, EVIDENCE_VANISHED);
}

/* The clock has begun anew with the host. */
static void what_was_seen_before_the_host_was_started_anew_comes_before_the_ending(void **state) {
        uint64_t at_ns = source_now_ns() + UINT64_C(1000000000000000);
        struct told told;

        write_stop(*state, at_ns);
        recover(*state, &told);
        for (size_t i = 1; i < told.n; i++)
                assert_int_equal(told.facts[i].at_ns, at_ns + 1);
}

static void an_ending_is_of_now_where_that_is_later_already(void **state) {
        uint64_t before_ns = source_now_ns();
        struct told told;

        write_stop(*state, 1000);
        recover(*state, &told);
        for (size_t i = 1; i < told.n; i++)
                assert_in_range(told.facts[i].at_ns, before_ns, source_now_ns());
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_seen_before_the_host_was_started_anew_comes_before_the_ending, world_begin,
                                                world_end),
                cmocka_unit_test_setup_teardown(an_ending_is_of_now_where_that_is_later_already, world_begin, world_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
