#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "store/store_test_world.h"

static void set_told(struct world *world, const char *outlet, uint64_t number) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_set_told(batch, outlet, number), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static void forget(struct world *world, const char *outlet) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_forget_outlet(batch, outlet), 0);
        assert_int_equal(world_write(world, batch).result, 0);
}

static int find(struct world *world, const char *outlet) {
        uint64_t number = 0;
        int r = store_find_told(world->store, outlet, &number, world->why);

        return r ? r : (int)number;
}

static int note(const char *outlet, uint64_t told, void *userdata) {
        char *text = userdata, one[64];

        snprintf(one, sizeof(one), "%s:%d ", outlet, (int)told);
        strcat(text, one);
        return 0;
}

static void how_far_an_outlet_is_outlives_the_store(void **state) {
        struct world *world = *state;

        assert_int_equal(find(world, "journald"), -ENOENT);
        set_told(world, "journald", 7);
        set_told(world, "hook:/a b", 3);
        set_told(world, "journald", 8);
        world_close(world);
        world_open(world);
        assert_int_equal(find(world, "journald"), 8);
        assert_int_equal(find(world, "hook:/a b"), 3);
        assert_int_equal(find(world, "hook:/a"), -ENOENT);
}

static void an_outlet_that_was_forgotten_is_new(void **state) {
        struct world *world = *state;
        char text[128] = "";

        set_told(world, "b", 2);
        set_told(world, "a", 1);
        set_told(world, "c", 3);
        assert_int_equal(store_each_outlet(world->store, note, text, world->why), 0);
        assert_string_equal(text, "a:1 b:2 c:3 ");
        forget(world, "b");
        forget(world, "b");
        *text = '\0';
        assert_int_equal(store_each_outlet(world->store, note, text, world->why), 0);
        assert_string_equal(text, "a:1 c:3 ");
        assert_int_equal(find(world, "b"), -ENOENT);
}

static void a_number_that_the_file_cannot_hold_is_refused(void **state) {
        struct store_batch *batch = make_batch();

        assert_int_equal(store_batch_set_told(batch, "a", UINT64_C(1) << 63), -ERANGE);
        assert_true(store_batch_is_empty(batch));
        store_batch_free(batch);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(how_far_an_outlet_is_outlives_the_store),
                SENTENCE(an_outlet_that_was_forgotten_is_new),
                SENTENCE(a_number_that_the_file_cannot_hold_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("outlet_cursor", tests, NULL, NULL);
}
