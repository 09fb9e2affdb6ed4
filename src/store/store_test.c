#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "store/store_test_world.h"

static int find(struct world *world, const char *name, struct store_vm *ret_vm) {
        store_vm_deinit(ret_vm);
        return store_find_vm(world->store, name, ret_vm);
}

static void a_vm_is_read_back_as_it_was_added(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("db-1", "boot:2:2");
        cleanup(store_vm_deinit) struct store_vm found = {};

        strcpy(vm.identity.uuid, "9f0c4f4e-0000-4000-8000-00000000000a");
        vm.watcher = (char[]){ "boot:9:9" };
        vm.is_daemons = true;
        vm.command_line = "qemu-system-x86_64 -name \"db 1\"\n\xff";
        vm.ended_ns = 5000;
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        assert_int_equal(find(world, "db-1", &found), 0);
        assert_int_equal(found.id, vm.id);
        assert_memory_equal(&found.identity, &vm.identity, sizeof(vm.identity));
        assert_int_equal(found.pid, vm.pid);
        assert_int_equal(found.uid, vm.uid);
        assert_string_equal(found.command_line, vm.command_line);
        assert_string_equal(found.policy, vm.policy);
        assert_string_equal(found.watcher, vm.watcher);
        assert_true(found.is_daemons);
        assert_int_equal(found.began_ns, vm.began_ns);
        assert_int_equal(found.ended_ns, vm.ended_ns);
        store_vm_deinit(&found);
}

static void what_is_not_known_of_a_vm_stays_unknown(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("db-1", "boot:2:2");
        cleanup(store_vm_deinit) struct store_vm found = {};

        vm.uid = -1;
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        assert_int_equal(find(world, "db-1", &found), 0);
        assert_int_equal(found.uid, -1);
        assert_null(found.command_line);
        assert_string_equal(found.identity.uuid, "");
        assert_string_equal(found.watcher, "");
        assert_int_equal(found.ended_ns, 0);
}

static void a_vm_is_found_by_name_uuid_or_instance(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("db-1", "boot:2:2");
        cleanup(store_vm_deinit) struct store_vm found = {};
        static const char *const names[] = {
                "db-1",
                "9f0c4f4e-0000-4000-8000-00000000000a",
                "9F0C4F4E-0000-4000-8000-00000000000A",
                "boot:2:2",
        };

        strcpy(vm.identity.uuid, "9f0c4f4e-0000-4000-8000-00000000000a");
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                assert_int_equal(find(world, names[i], &found), 0);
                assert_int_equal(found.id, vm.id);
        }
        assert_int_equal(find(world, "db-2", &found), -ENOENT);
        assert_int_equal(find(world, "", &found), -ENOENT);
}

static void end_vm(struct world *world, int64_t vm, uint64_t ended_ns) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_end_vm(batch, vm, ended_ns), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static void a_second_vm_of_a_name_must_wait_for_the_end_of_the_first(void **state) {
        struct world *world = *state;
        struct store_vm second = make_vm("web-1", "boot:2:2");
        cleanup(store_vm_deinit) struct store_vm other = {};
        cleanup(store_vm_deinit) struct store_vm found = {};

        assert_int_equal(store_add_vm(world->store, &second, &other, world->why), -EEXIST);
        assert_int_equal(other.id, world->vm);
        assert_string_equal(other.identity.instance, "boot:1:1");
        assert_non_null(strstr(world->why, "web-1"));
        assert_int_equal(store_add_vm(world->store, &second, NULL, world->why), -EEXIST);
        assert_int_equal(second.id, 0);

        end_vm(world, world->vm, 7000);
        end_vm(world, world->vm, 8000);
        assert_int_equal(store_add_vm(world->store, &second, &other, world->why), 0);
        assert_int_equal(find(world, "boot:1:1", &found), 0);
        assert_int_equal(found.ended_ns, 7000);
        assert_int_equal(find(world, "web-1", &found), 0);
        assert_int_equal(found.id, second.id);
}

static void one_name_may_be_used_by_two_users(void **state) {
        struct world *world = *state;
        struct store_vm mine = make_vm("web-1", "boot:2:2"), again = make_vm("web-1", "boot:3:3");

        mine.uid = again.uid = 4711;
        assert_int_equal(store_add_vm(world->store, &mine, NULL, world->why), 0);
        assert_int_equal(store_add_vm(world->store, &again, NULL, world->why), -EEXIST);
}

static void one_name_may_run_on_two_backends(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("web-1", "boot:2:2");

        strcpy(vm.identity.backend, "xen");
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
}

static void an_instance_is_added_once(void **state) {
        struct world *world = *state;
        struct store_vm again = make_vm("other", "boot:1:1");
        cleanup(store_vm_deinit) struct store_vm other = {};

        assert_int_equal(store_add_vm(world->store, &again, &other, world->why), -EALREADY);
        assert_int_equal(other.id, world->vm);
        end_vm(world, world->vm, 7000);
        store_vm_deinit(&other);
        assert_int_equal(store_add_vm(world->store, &again, &other, world->why), -EALREADY);
}

static void free_vms(struct store_vm *vms, size_t n) {
        for (size_t k = 0; k < n; k++)
                store_vm_deinit(&vms[k]);
        free(vms);
}

static void open_vms_are_listed_oldest_first(void **state) {
        struct world *world = *state;
        struct store_vm *vms;
        int64_t db;
        size_t n;

        db = world_add_vm(world, "db-1", "boot:2:2");
        for (int i = 0; i < 9; i++) {
                char instance[32];

                snprintf(instance, sizeof(instance), "boot:3:%d", i);
                end_vm(world, world_add_vm(world, "short", instance), 7000);
        }
        world_add_vm(world, "app-1", "boot:4:4");
        assert_int_equal(store_list_open_vms(world->store, NULL, &vms, &n), 0);
        assert_int_equal(n, 3);
        assert_string_equal(vms[0].identity.name, "web-1");
        assert_string_equal(vms[1].identity.name, "db-1");
        assert_string_equal(vms[2].identity.name, "app-1");
        free_vms(vms, n);

        assert_int_equal(store_list_open_vms(world->store, "db-1", &vms, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(vms[0].id, db);
        free_vms(vms, n);
        assert_int_equal(store_list_open_vms(world->store, "short", &vms, &n), 0);
        assert_int_equal(n, 0);
        free_vms(vms, n);
}

static void a_vm_may_get_another_name_and_another_watcher(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("renamed", "boot:1:1b");
        cleanup(store_vm_deinit) struct store_vm found = {};
        struct store_batch *batch = make_batch();
        struct verdict_record record;

        record = make_record(world, world_write_facts(world, 1, 1), 1, 0);
        world_write_verdict(world, world->vm, &record);

        assert_int_equal(store_batch_rename_vm(batch, world->vm, &vm.identity, 4711), 0);
        assert_int_equal(store_batch_set_watcher(batch, world->vm, "boot:8:8", true), 0);
        assert_int_equal(world_write(world, batch).result, 0);
        assert_int_equal(find(world, "web-1", &found), -ENOENT);
        assert_int_equal(find(world, "renamed", &found), 0);
        assert_string_equal(found.identity.instance, "boot:1:1b");
        assert_string_equal(found.watcher, "boot:8:8");
        assert_true(found.is_daemons);
        assert_int_equal(found.pid, 4711);
        assert_string_not_equal(world_history(world, &(struct store_query){ .name = "renamed" }), "");
}

static struct outcome claim_vm(struct world *world, int64_t vm, const char *former, const char *watcher) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_claim_vm(batch, vm, former, watcher), 0);
        return world_write(world, batch);
}

static void assert_watcher(struct world *world, const char *watcher) {
        cleanup(store_vm_deinit) struct store_vm found = {};

        assert_int_equal(find(world, "boot:1:1", &found), 0);
        assert_string_equal(found.watcher, watcher);
        store_vm_deinit(&found);
}

static void of_all_who_claim_a_vm_one_gets_it(void **state) {
        struct world *world = *state;

        /* Nobody has watched it; two have seen that. */
        assert_int_equal(claim_vm(world, world->vm, "", "boot:8:8").result, 0);
        assert_int_equal(claim_vm(world, world->vm, "", "boot:9:9").result, -ENOENT);
        assert_watcher(world, "boot:8:8");
        /* That one is gone, too. */
        assert_int_equal(claim_vm(world, world->vm, "boot:8:8", "boot:9:9").result, 0);
        assert_int_equal(claim_vm(world, world->vm, "boot:8:8", "boot:10:10").result, -ENOENT);
        assert_watcher(world, "boot:9:9");
        assert_int_equal(claim_vm(world, world->vm + 1, "", "boot:10:10").result, -ENOENT);
}

static void a_claim_that_fails_takes_its_batch_with_it(void **state) {
        struct world *world = *state;
        struct store_batch *batch = make_batch();
        cleanup(store_vm_deinit) struct store_vm found = {};

        assert_int_equal(store_batch_end_vm(batch, world->vm, 7000), 0);
        assert_int_equal(store_batch_claim_vm(batch, world->vm, "boot:7:7", "boot:8:8"), 0);
        assert_int_equal(world_write(world, batch).result, -ENOENT);
        assert_int_equal(find(world, "boot:1:1", &found), 0);
        assert_int_equal(found.ended_ns, 0);
        assert_string_equal(found.watcher, "");
}

static void a_vm_that_has_ended_cannot_be_claimed(void **state) {
        struct world *world = *state;

        end_vm(world, world->vm, 7000);
        assert_int_equal(claim_vm(world, world->vm, "", "boot:8:8").result, -ENOENT);
        assert_watcher(world, "");
}

static void hold(struct world *world, const struct store_monitor *monitor) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_set_monitor(batch, world->vm, monitor), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static void assert_holds(struct world *world, const struct store_monitor *monitor) {
        cleanup(store_monitor_deinit) struct store_monitor found = {};

        assert_int_equal(store_find_monitor(world->store, world->vm, &found), monitor ? 0 : -ENOENT);
        if (!monitor)
                return;
        assert_string_equal(found.path, monitor->path);
        assert_string_equal(found.greeting, monitor->greeting);
        assert_int_equal(found.is_kept, monitor->is_kept);
}

static void the_monitor_that_is_held_is_known_until_the_end(void **state) {
        struct world *world = *state;
        const struct store_monitor one = { "/run/one", "{\"QMP\": {}}", true }, other = { "/run/other", "", false };

        assert_holds(world, NULL);
        hold(world, &one);
        assert_holds(world, &one);
        hold(world, &other);
        assert_holds(world, &other);
        hold(world, NULL);
        assert_holds(world, NULL);
        hold(world, &one);
        end_vm(world, world->vm, 7000);
        assert_holds(world, NULL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(a_vm_is_read_back_as_it_was_added),
                SENTENCE(what_is_not_known_of_a_vm_stays_unknown),
                SENTENCE(a_vm_is_found_by_name_uuid_or_instance),
                SENTENCE(a_second_vm_of_a_name_must_wait_for_the_end_of_the_first),
                SENTENCE(one_name_may_be_used_by_two_users),
                SENTENCE(one_name_may_run_on_two_backends),
                SENTENCE(an_instance_is_added_once),
                SENTENCE(open_vms_are_listed_oldest_first),
                SENTENCE(a_vm_may_get_another_name_and_another_watcher),
                SENTENCE(of_all_who_claim_a_vm_one_gets_it),
                SENTENCE(a_claim_that_fails_takes_its_batch_with_it),
                SENTENCE(a_vm_that_has_ended_cannot_be_claimed),
                SENTENCE(the_monitor_that_is_held_is_known_until_the_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
