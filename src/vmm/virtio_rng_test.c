/* Random bytes, as their driver gets them. */
#include "vmm/virtio_rng.h"

#include "vmm/virtio_driver_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct driver driver;

static int set_up(void **state) {
        driver_init(&driver);
        assert_int_equal(virtio_rng_new(&driver.device, &driver.memory), 0);
        driver_begin(&driver, 0);
        return 0;
}

static int tear_down(void **state) {
        driver_deinit(&driver);
        return 0;
}

static void bytes_come_as_many_as_there_is_room_for(void **state) {
        static const struct {
                uint32_t room, n;
        } cases[] = { { 64, 64 }, { 1, 1 }, { 256, 256 }, { 0x8000, 256 } };
        uint32_t head, n;

        assert_int_equal(driver_read(&driver, 0x08), 4);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                static const uint8_t zeros[256];
                uint8_t *bytes = driver.memory.bytes + DRIVER_DATA;

                memset(bytes, 0, 0x8000);
                driver_describe(&driver, 0, 1, DRIVER_DATA, cases[i].room, DRIVER_WRITE, 0);
                driver_offer(&driver, 0, 1);
                virtio_device_serve(driver.device);
                assert_true(driver_take_used(&driver, 0, &head, &n));
                assert_int_equal(head, 1);
                assert_int_equal(n, cases[i].n);
                assert_memory_equal(bytes + n, zeros, 256);
                if (n >= 64)
                        assert_memory_not_equal(bytes + n - 16, zeros, 16);
        }
}

static void no_room_needs_a_reset(void **state) {
        uint32_t head, n;

        driver_describe(&driver, 0, 0, DRIVER_DATA, 16, 0, 0);
        driver_offer(&driver, 0, 0);
        virtio_device_serve(driver.device);
        assert_false(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(driver_read(&driver, 0x70), 15 | VIRTIO_NEEDS_RESET);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(bytes_come_as_many_as_there_is_room_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_room_needs_a_reset, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
