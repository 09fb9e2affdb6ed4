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
        struct store_vm instances[2];
        struct kept kepts[2];
        struct vm_list list;
};

static void add(struct world *world, size_t i, const char *name, const char *uuid) {
        struct store_vm *instance = &world->instances[i];

        *instance = (struct store_vm){ .id = (int64_t)i + 1, .pid = (int64_t)i + 100, .uid = 0 };
        strcpy(instance->identity.name, name);
        strcpy(instance->identity.uuid, uuid);
        snprintf(instance->identity.instance, sizeof(instance->identity.instance), "boot:%zu:1", i + 100);
        world->kepts[i].told = instance;
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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_names_with_one_hash_are_two_vms),
                cmocka_unit_test(two_uuids_with_one_hash_are_two_vms),
                cmocka_unit_test(a_uuid_is_found_however_it_is_written),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
