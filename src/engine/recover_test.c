/* What is given an ending, and in which order that comes. */
#include "engine/recover.h"
#include "store/store_test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/evidence.h"
#include "sources/proc.h"
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

/* One that is gone; 0, or when its end was written down. */
static uint64_t ended_of(struct world *world, const char *boot, int start, bool is_daemons) {
        struct store_vm vm = make_vm("gone", ""), found;
        uint64_t ended_ns;

        snprintf(vm.identity.instance, sizeof(vm.identity.instance), "%s:2147483647:%d", boot, start);
        vm.watcher = (char[]){ "" };
        vm.is_daemons = is_daemons;
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        assert_true(has_lost_vms(world->store) || vm_waits_for_daemon(&vm));
        if (recover_lost_vms(world->store, world->why))
                fail_msg("%s", world->why);
        assert_false(has_lost_vms(world->store));
        assert_int_equal(store_find_vm(world->store, vm.identity.instance, &found), 0);
        ended_ns = found.ended_ns;
        store_vm_deinit(&found);
        return ended_ns;
}

static void a_vm_of_the_daemon_waits_for_it_unless_the_host_was_started_anew(void **state) {
        char boot[PROC_BOOT_ID_MAX];

        assert_int_equal(proc_boot_id(boot), 0);
        assert_int_not_equal(ended_of(*state, boot, 1, false), 0);
        assert_int_not_equal(ended_of(*state, "former", 1, true), 0);
        assert_int_equal(ended_of(*state, boot, 2, true), 0);
}

/* Who is there: this very process. */
static void whose_end_nobody_but_its_watcher_knows_is_not_concluded(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("there", ""), found;
        char self[PROC_INSTANCE_MAX], gone[PROC_INSTANCE_MAX + 32], *nobody = (char[]){ "" };

        assert_int_equal(proc_instance(getpid(), self), 0);
        snprintf(gone, sizeof(gone), "%.*s:2147483647:1", (int)strcspn(self, ":"), self);
        vm.is_daemons = true;
        vm.watcher = nobody;
        strcpy(vm.identity.instance, self);
        assert_true(vm_is_alive(&vm));
        assert_false(vm_is_lost(&vm) || vm_is_being_ended(&vm) || vm_waits_for_daemon(&vm));
        strcpy(vm.identity.instance, gone);
        assert_true(vm_is_lost(&vm) && vm_waits_for_daemon(&vm));
        assert_false(vm_is_alive(&vm) || vm_is_being_ended(&vm));
        vm.watcher = self;
        assert_true(vm_is_being_ended(&vm));
        assert_false(vm_is_lost(&vm) || vm_waits_for_daemon(&vm));
        vm.watcher = nobody;
        vm.ended_ns = 1;
        assert_false(vm_is_lost(&vm) || vm_is_alive(&vm) || vm_is_being_ended(&vm) || vm_waits_for_daemon(&vm));

        /* Each by itself keeps its end open. */
        for (int i = 0; i < 2; i++) {
                vm = make_vm("open", "");
                strcpy(vm.identity.instance, i ? gone : self);
                vm.watcher = i ? self : nobody;
                assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
                assert_int_equal(recover_lost_vms(world->store, world->why), 0);
                assert_int_equal(store_find_vm(world->store, vm.identity.instance, &found), 0);
                assert_int_equal(found.ended_ns, 0);
                store_vm_deinit(&found);
                world_sql(world, "UPDATE vm SET ended_ns = 1 WHERE name = 'open'");
        }
}

static void one_that_is_told_to_be_gone_has_its_ending(void **state) {
        struct world *world = *state;
        struct verdict_record record;
        struct store_vm vm;
        struct told told = { 0 };

        write_stop(world, 1000);
        record = make_record(world, 1, 1, 0);
        record.verdict.left = LEFT_GONE;
        world_write_verdict(world, world->vm, &record);
        assert_int_equal(store_find_vm(world->store, "boot:1:1", &vm), 0);
        assert_int_equal(recover_lost_vm(world->store, &vm, world->why), 0);
        store_vm_deinit(&vm);
        assert_int_equal(store_each_evidence(world->store, world->vm, 0, note_fact, &told, world->why), 0);
        assert_int_equal(told.n, 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_seen_before_the_host_was_started_anew_comes_before_the_ending, world_begin,
                                                world_end),
                cmocka_unit_test_setup_teardown(an_ending_is_of_now_where_that_is_later_already, world_begin, world_end),
                cmocka_unit_test_setup_teardown(a_vm_of_the_daemon_waits_for_it_unless_the_host_was_started_anew, world_begin, world_end),
                cmocka_unit_test_setup_teardown(whose_end_nobody_but_its_watcher_knows_is_not_concluded, world_begin, world_end),
                cmocka_unit_test_setup_teardown(one_that_is_told_to_be_gone_has_its_ending, world_begin, world_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
