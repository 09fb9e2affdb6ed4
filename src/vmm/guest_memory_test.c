/* A guest's addresses, at the edges of its memory. */
#include "vmm/guest_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GIB (UINT64_C(1) << 30)

/* Only addresses are made of it. */
static uint8_t *const bytes = (uint8_t *)UINT64_C(0x100000000000);

static void addresses_are_bounded(void **state) {
        static const struct {
                uint64_t memory, address, n;
                int64_t at; /* -1: nowhere */
        } cases[] = {
                { GIB, 0, GIB, 0 },
                { GIB, 0, GIB + 1, -1 },
                { GIB, GIB - 1, 1, GIB - 1 },
                { GIB, GIB - 1, 2, -1 },
                { GIB, GIB, 0, GIB },
                { GIB, GIB, 1, -1 },
                { GIB, 1, UINT64_MAX, -1 },
                { GIB, UINT64_MAX, 1, -1 },
                { GIB, UINT64_MAX, 2, -1 },
                { GIB, 4 * GIB, 1, -1 },
                { 3 * GIB, 3 * GIB - 1, 1, 3 * GIB - 1 },
                { 3 * GIB, 4 * GIB, 1, -1 },
                { 5 * GIB, 3 * GIB - 1, 1, 3 * GIB - 1 },
                { 5 * GIB, 3 * GIB - 1, 2, -1 }, /* over the hole's edge */
                { 5 * GIB, 3 * GIB, 1, -1 },
                { 5 * GIB, 4 * GIB - 1, 2, -1 },
                { 5 * GIB, 4 * GIB, 2 * GIB, 3 * GIB },
                { 5 * GIB, 4 * GIB, 2 * GIB + 1, -1 },
                { 5 * GIB, 6 * GIB - 1, 1, 5 * GIB - 1 },
                { 5 * GIB, 6 * GIB, 1, -1 },
                { 5 * GIB, 4 * GIB, UINT64_MAX, -1 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const struct guest_memory memory = { bytes, cases[i].memory };

                assert_ptr_equal(guest_memory_at(&memory, cases[i].address, cases[i].n), cases[i].at < 0 ? NULL : bytes + cases[i].at);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_bounded),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
