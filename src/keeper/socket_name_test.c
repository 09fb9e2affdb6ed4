#include "keeper/socket_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void a_plain_name_stays_as_it_is(void **state) {
        char name[64];

        socket_name_of_vm(name, sizeof(name), "web-1.Example_x");
        assert_string_equal(name, "web-1.Example_x.sock");
}

static void what_is_no_name_for_a_file_is_escaped(void **state) {
        char name[64];

        socket_name_of_vm(name, sizeof(name), "../a b%\n");
        assert_string_equal(name, "%2E.%2Fa%20b%25%0A.sock");
        socket_name_of_vm(name, sizeof(name), "\xc3\xbc");
        assert_string_equal(name, "%C3%BC.sock");
        socket_name_of_vm(name, sizeof(name), "");
        assert_string_equal(name, ".sock");
}

static void one_that_just_fits_is_whole_and_one_more_byte_is_not(void **state) {
        char name[32], fits[27] = "", longer[28] = "";

        memset(fits, 'a', 26);
        memset(longer, 'a', 27);
        socket_name_of_vm(name, sizeof(name), fits);
        assert_int_equal(strlen(name), 31);
        assert_memory_equal(name, fits, 26);
        socket_name_of_vm(name, sizeof(name), longer);
        assert_int_equal(strlen(name), 31);
        assert_int_equal(name[9], '-');
        assert_string_equal(name + 26, ".sock");
}

static void long_names_that_begin_alike_stay_apart(void **state) {
        char one[40], other[40], name[256];

        memset(name, 'n', 255);
        name[255] = '\0';
        socket_name_of_vm(one, sizeof(one), name);
        name[254] = 'm';
        socket_name_of_vm(other, sizeof(other), name);
        assert_string_not_equal(one, other);
        assert_int_equal(strlen(one), strlen(other));
        /* No escape is cut in half. */
        memset(name, '/', 255);
        socket_name_of_vm(one, sizeof(one), name);
        assert_memory_equal(one, "%2F%2F%2F%2F%2F-", 16);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_name_stays_as_it_is),
                cmocka_unit_test(what_is_no_name_for_a_file_is_escaped),
                cmocka_unit_test(one_that_just_fits_is_whole_and_one_more_byte_is_not),
                cmocka_unit_test(long_names_that_begin_alike_stay_apart),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
