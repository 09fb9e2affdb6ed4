#include "basics/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

enum {
        THINGS = 1000,
};

struct thing {
        struct table_link link;
        unsigned key;
};

static struct thing *find(const struct table *table, unsigned key) {
        struct table_link *link = table_first(table, table_hash(&key, sizeof(key)));

        for (; link; link = table_next(link)) {
                struct thing *thing = link->owner;

                if (thing->key == key)
                        return thing;
        }
        return NULL;
}

static void put(struct table *table, struct thing *thing) {
        assert_int_equal(table_make_room(table), 0);
        table_add(table, &thing->link, table_hash(&thing->key, sizeof(thing->key)), thing);
}

static void what_is_put_in_is_found_until_it_is_taken_out(void **state) {
        static struct thing things[THINGS];
        struct table table = { 0 };

        assert_null(find(&table, 1));
        for (unsigned i = 0; i < THINGS; i++) {
                things[i].key = i;
                put(&table, &things[i]);
        }
        for (unsigned i = 0; i < THINGS; i++)
                assert_ptr_equal(find(&table, i), &things[i]);
        for (unsigned i = 0; i < THINGS; i += 2)
                table_remove(&table, &things[i].link);
        for (unsigned i = 0; i < THINGS; i++)
                assert_ptr_equal(find(&table, i), i % 2 ? &things[i] : NULL);
        assert_int_equal(table.n, THINGS / 2);
        /* Once more is no error. */
        table_remove(&table, &things[0].link);
        assert_int_equal(table.n, THINGS / 2);
        table_deinit(&table);
}

static void several_of_one_hash_are_all_there(void **state) {
        struct thing things[40] = { 0 };
        struct table table = { 0 };
        size_t n = 0;

        for (size_t i = 0; i < 40; i++) {
                assert_int_equal(table_make_room(&table), 0);
                table_add(&table, &things[i].link, i < 20 ? 7 : 7 + ((uint64_t)i << 40), &things[i]);
        }
        for (struct table_link *link = table_first(&table, 7); link; link = table_next(link))
                n++;
        assert_int_equal(n, 20);
        table_deinit(&table);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_put_in_is_found_until_it_is_taken_out),
                cmocka_unit_test(several_of_one_hash_are_all_there),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
