#include "vmpower/pvpanic.h"
#include "vmpower/reset_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct reset_port make(bool keeps_full_reset) {
        struct reset_port ports;

        reset_port_init(&ports, keeps_full_reset);
        return ports;
}

/* Linux's reboot=p writes 0x02 and then 0x0e; SeaBIOS 0x02 and 0x06. */
static void the_reset_control_register_resets_by_rst_cpu(void **state) {
        struct reset_port ports = make(true), old = make(false);
        uint8_t value;

        assert_int_equal(reset_port_write(&ports, 0xcf9, 0x02), RESET_PORT_NONE);
        assert_int_equal(reset_port_write(&ports, 0xcf9, 0x0e), RESET_PORT_CF9);
        assert_int_equal(reset_port_write(&ports, 0xcf9, 0x06), RESET_PORT_CF9);
        assert_true(reset_port_read(&ports, 0xcf9, &value));
        assert_int_equal(value, 0x02);
        assert_int_equal(reset_port_write(&ports, 0xcf9, 0xfb), RESET_PORT_NONE);
        assert_true(reset_port_read(&ports, 0xcf9, &value));
        assert_int_equal(value, 0x0a);
        reset_port_write(&old, 0xcf9, 0xfb);
        assert_true(reset_port_read(&old, 0xcf9, &value));
        assert_int_equal(value, 0x02);
}

static void the_keyboard_controller_resets_by_a_pulse(void **state) {
        for (unsigned command = 0; command < 256; command++) {
                struct reset_port ports = make(true);

                assert_int_equal(reset_port_write(&ports, 0x64, (uint8_t)command),
                                 command >= 0xf0 && command % 2 == 0 ? RESET_PORT_8042 : RESET_PORT_NONE);
        }
}

static void the_keyboard_controller_resets_by_its_output_port(void **state) {
        struct reset_port ports = make(true);
        uint8_t value;

        assert_int_equal(reset_port_write(&ports, 0x60, 0x00), RESET_PORT_NONE);
        reset_port_write(&ports, 0x64, 0xd1);
        assert_int_equal(reset_port_write(&ports, 0x60, 0xdf), RESET_PORT_NONE);
        assert_int_equal(reset_port_write(&ports, 0x60, 0xde), RESET_PORT_NONE);
        reset_port_write(&ports, 0x64, 0xd1);
        assert_int_equal(reset_port_write(&ports, 0x60, 0xde), RESET_PORT_8042);
        reset_port_write(&ports, 0x64, 0xd1);
        reset_port_write(&ports, 0x64, 0x20);
        assert_int_equal(reset_port_write(&ports, 0x60, 0xde), RESET_PORT_NONE);
        assert_false(reset_port_read(&ports, 0x64, &value));
}

static void the_fast_reset_is_a_bit_that_goes_up(void **state) {
        struct reset_port ports = make(true);
        uint8_t value;

        assert_int_equal(reset_port_write(&ports, 0x92, 0x02), RESET_PORT_NONE);
        assert_true(reset_port_has_a20(&ports));
        assert_int_equal(reset_port_write(&ports, 0x92, 0x03), RESET_PORT_92);
        assert_int_equal(reset_port_write(&ports, 0x92, 0x03), RESET_PORT_NONE);
        assert_int_equal(reset_port_write(&ports, 0x92, 0x00), RESET_PORT_NONE);
        assert_false(reset_port_has_a20(&ports));
        assert_int_equal(reset_port_write(&ports, 0x92, 0x01), RESET_PORT_92);
        assert_true(reset_port_read(&ports, 0x92, &value));
        assert_int_equal(value, 0x01);
}

static void another_port_resets_nothing(void **state) {
        struct reset_port ports = make(true);

        for (unsigned port = 0; port < 0x10000; port++)
                if (port != 0x60 && port != 0x64 && port != 0x92 && port != 0xcf9)
                        assert_int_equal(reset_port_write(&ports, (uint16_t)port, 0xfe), RESET_PORT_NONE);
}

static void a_panic_outranks_what_else_a_guest_says(void **state) {
        const struct pvpanic all = { PVPANIC_PANICKED | PVPANIC_CRASH_LOADED | PVPANIC_SHUTDOWN }, old = { PVPANIC_PANICKED };

        assert_int_equal(pvpanic_read(&all), 7);
        assert_int_equal(pvpanic_write(&all, 0), PVPANIC_EVENT_NONE);
        assert_int_equal(pvpanic_write(&all, 0xf8), PVPANIC_EVENT_NONE);
        assert_int_equal(pvpanic_write(&all, 7), PVPANIC_EVENT_PANICKED);
        assert_int_equal(pvpanic_write(&all, 6), PVPANIC_EVENT_CRASH_LOADED);
        assert_int_equal(pvpanic_write(&all, 4), PVPANIC_EVENT_SHUTDOWN);
        assert_int_equal(pvpanic_write(&old, 6), PVPANIC_EVENT_NONE);
        assert_int_equal(pvpanic_write(&old, 1), PVPANIC_EVENT_PANICKED);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_reset_control_register_resets_by_rst_cpu),
                cmocka_unit_test(the_keyboard_controller_resets_by_a_pulse),
                cmocka_unit_test(the_keyboard_controller_resets_by_its_output_port),
                cmocka_unit_test(the_fast_reset_is_a_bit_that_goes_up),
                cmocka_unit_test(another_port_resets_nothing),
                cmocka_unit_test(a_panic_outranks_what_else_a_guest_says),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
