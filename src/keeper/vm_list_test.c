/* VMs by what they are called, also where two different names have one hash. */
#include "keeper/vm_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/kept.h"

/* Each pair has one FNV-1a hash of 64 bits. */
static const char *const names[] = { "8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ" };
static const char *const uuids[] = { "96c3df710be1a9ad", "e842e8d8b8038e42" };

struct world {
        struct store_vm instances[4];
        struct kept kepts[4];
        struct vm_list list;
};

static void add(struct world *world, size_t i, const char *name, const char *uuid) {
        struct store_vm *instance = &world->instances[i];

        *instance = (struct store_vm){ .id = (int64_t)i + 1, .pid = (int64_t)i + 100, .uid = 0 };
        strcpy(instance->identity.name, name);
        strcpy(instance->identity.uuid, uuid);
        snprintf(instance->identity.instance, sizeof(instance->identity.instance), "boot:%zu:1", i + 100);
        world->kepts[i].told = instance;
        world->kepts[i].state = left_name(LEFT_RUNNING);
        assert_int_equal(vm_list_add(&world->list, &world->kepts[i]), 0);
}

/* The one that is there is not the one that is asked for; then both are. */
static void check(struct world *world, const char *const words[2]) {
        for (size_t i = 0; i < 2; i++) {
                vm_list_remove(&world->list, &world->kepts[!i]);
                assert_ptr_equal(vm_list_find(&world->list, words[i], -1), &world->kepts[i]);
                assert_null(vm_list_find(&world->list, words[!i], -1));
                assert_int_equal(vm_list_add(&world->list, &world->kepts[!i]), 0);
        }
        for (size_t i = 0; i < 2; i++)
                assert_ptr_equal(vm_list_find(&world->list, words[i], -1), &world->kepts[i]);
}

static void two_names_with_one_hash_are_two_vms(void **state) {
        struct world world = { 0 };

        assert_int_equal(table_hash(names[0], strlen(names[0])), table_hash(names[1], strlen(names[1])));
        add(&world, 0, names[0], "");
        add(&world, 1, names[1], "");
        check(&world, names);
        vm_list_deinit(&world.list);
}

static void two_uuids_with_one_hash_are_two_vms(void **state) {
        struct world world = { 0 };

        assert_int_equal(table_hash(uuids[0], strlen(uuids[0])), table_hash(uuids[1], strlen(uuids[1])));
        add(&world, 0, "one", uuids[0]);
        add(&world, 1, "two", uuids[1]);
        check(&world, uuids);
        vm_list_deinit(&world.list);
}

static void a_uuid_is_found_however_it_is_written(void **state) {
        struct world world = { 0 };

        add(&world, 0, "one", "4C4C4544-0051-4a10-8057-b7c04f4b3832");
        assert_ptr_equal(vm_list_find(&world.list, "4c4c4544-0051-4A10-8057-B7C04F4B3832", -1), &world.kepts[0]);
        assert_null(vm_list_find(&world.list, "", -1));
        vm_list_deinit(&world.list);
}

enum {
        ROOT = 0,
        NOBODY = 65534,
};

static const char some_uuid[] = "aaaaaaaa-1111-2222-3333-444444444444";

static void add_of(struct world *world, size_t i, const char *name, const char *uuid, int64_t uid) {
        add(world, i, name, uuid);
        world->instances[i].uid = uid;
}

/* Root's, then what somebody else makes to stand in its way. */
static void ones_own_is_found_whatever_others_call_theirs(void **state) {
        struct world world = { 0 };

        add_of(&world, 0, "victim", some_uuid, ROOT);
        add_of(&world, 1, "other", some_uuid, NOBODY);
        add_of(&world, 2, some_uuid, "", NOBODY);
        add_of(&world, 3, "boot:100:1", "", NOBODY);
        assert_ptr_equal(vm_list_find(&world.list, some_uuid, ROOT), &world.kepts[0]);
        assert_ptr_equal(vm_list_find(&world.list, "boot:100:1", ROOT), &world.kepts[0]);
        assert_ptr_equal(vm_list_find(&world.list, "boot:100:1", NOBODY), &world.kepts[0]);
        vm_list_deinit(&world.list);
}

static void who_is_called_like_an_instance_is_not_it(void **state) {
        static const char process[] = "d7e62c61-0f17-4cca-b0d4-32a5b3d4444e:29931:6128999", domain[] = "d7e62c61-0f17-4cca-b0d4-32a5b3d4444e:xen5:77";
        struct world world = { 0 };

        add_of(&world, 0, process, "", NOBODY);
        add_of(&world, 1, domain, "", NOBODY);
        add_of(&world, 2, "rack:1:2", "", NOBODY);
        assert_null(vm_list_find(&world.list, process, ROOT));
        assert_null(vm_list_find(&world.list, domain, ROOT));
        assert_ptr_equal(vm_list_find(&world.list, "rack:1:2", ROOT), &world.kepts[2]);
        vm_list_deinit(&world.list);
}

static void of_several_all_are_told_that_are_as_good(void **state) {
        struct world world = { 0 };
        struct kept *found[2];

        add_of(&world, 0, "web-1", some_uuid, 1000);
        add_of(&world, 1, "web-1", "", 1001);
        add_of(&world, 2, some_uuid, some_uuid, NOBODY);
        assert_int_equal(vm_list_find_all(&world.list, "web-1", ROOT, found, 2), 2);
        assert_ptr_equal(found[0], &world.kepts[1]);
        assert_ptr_equal(found[1], &world.kepts[0]);
        assert_int_equal(vm_list_find_all(&world.list, "web-1", 1000, found, 2), 1);
        assert_ptr_equal(found[0], &world.kepts[0]);
        /* One that is called so twice is one. */
        assert_int_equal(vm_list_find_all(&world.list, some_uuid, ROOT, found, 2), 2);
        assert_ptr_equal(found[0], &world.kepts[2]);
        assert_ptr_equal(found[1], &world.kepts[0]);
        /* More than are asked for. */
        add_of(&world, 3, "web-1", "", 1002);
        assert_int_equal(vm_list_find_all(&world.list, "web-1", ROOT, found, 2), 3);
        assert_ptr_equal(found[0], &world.kepts[3]);
        assert_ptr_equal(found[1], &world.kepts[1]);
        assert_int_equal(vm_list_find_all(&world.list, "none", ROOT, found, 2), 0);
        vm_list_deinit(&world.list);
}

static void one_that_has_gone_is_not_meant_where_another_runs(void **state) {
        struct world world = { 0 };
        struct kept *found[2];

        add_of(&world, 0, "web-1", some_uuid, ROOT);
        add_of(&world, 1, "web-2", some_uuid, ROOT);
        world.kepts[1].state = left_name(LEFT_GONE);
        assert_int_equal(vm_list_find_all(&world.list, some_uuid, ROOT, found, 2), 1);
        assert_ptr_equal(found[0], &world.kepts[0]);
        world.kepts[0].is_over = true;
        assert_ptr_equal(vm_list_find(&world.list, some_uuid, ROOT), &world.kepts[1]);
        assert_null(vm_list_find_instance(&world.list, "boot:100:1"));
        vm_list_deinit(&world.list);
}

static void ones_own_that_has_gone_is_meant_before_anothers_and_nobody_owns_what_has_no_owner(void **state) {
        struct world world = { 0 };
        struct kept *found[2];

        add_of(&world, 0, "web-1", "", 1000);
        add_of(&world, 1, "web-1", "", 1001);
        world.kepts[0].state = left_name(LEFT_GONE);
        assert_int_equal(vm_list_find_all(&world.list, "web-1", 1000, found, 2), 1);
        assert_ptr_equal(found[0], &world.kepts[0]);
        world.kepts[0].state = left_name(LEFT_RUNNING);
        world.instances[0].uid = -1;
        assert_int_equal(vm_list_find_all(&world.list, "web-1", -1, found, 2), 2);
        vm_list_deinit(&world.list);
}

/* Two instances may have had one pid, and the monitors of one process have it all. */
static void a_pid_is_the_vms_that_is_watched_by_it(void **state) {
        struct world world = { 0 };
        struct process_watch *watch = (struct process_watch *)&world; /* any */

        add(&world, 0, "former", "");
        add(&world, 1, "one", "");
        vm_list_remove(&world.list, &world.kepts[1]);
        world.instances[1].pid = 100;
        assert_int_equal(vm_list_add(&world.list, &world.kepts[1]), 0);
        assert_null(vm_list_find_pid(&world.list, 100));
        world.kepts[0].watch = world.kepts[1].watch = watch;
        world.kepts[0].is_over = true;
        assert_ptr_equal(vm_list_find_pid(&world.list, 100), &world.kepts[1]);
        world.kepts[0].is_over = false;
        world.kepts[1].is_over = true;
        assert_ptr_equal(vm_list_find_pid(&world.list, 100), &world.kepts[0]);
        world.kepts[0].watch = NULL;
        world.kepts[1].is_over = false;
        assert_ptr_equal(vm_list_find_pid(&world.list, 100), &world.kepts[1]);
        vm_list_deinit(&world.list);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_names_with_one_hash_are_two_vms),
                cmocka_unit_test(two_uuids_with_one_hash_are_two_vms),
                cmocka_unit_test(a_uuid_is_found_however_it_is_written),
                cmocka_unit_test(ones_own_is_found_whatever_others_call_theirs),
                cmocka_unit_test(who_is_called_like_an_instance_is_not_it),
                cmocka_unit_test(of_several_all_are_told_that_are_as_good),
                cmocka_unit_test(one_that_has_gone_is_not_meant_where_another_runs),
                cmocka_unit_test(ones_own_that_has_gone_is_meant_before_anothers_and_nobody_owns_what_has_no_owner),
                cmocka_unit_test(a_pid_is_the_vms_that_is_watched_by_it),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
