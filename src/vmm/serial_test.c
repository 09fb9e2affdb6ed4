/* A 16550, as Linux's and anybody's driver use it. */
#include "vmm/serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DATA, ENABLE, IDENTIFICATION, LINE, MODEM, LINE_STATUS, MODEM_STATUS, SCRATCH };

static struct serial fresh(void) {
        struct serial serial;

        serial_init(&serial);
        serial_write(&serial, MODEM, 8); /* OUT2: its interrupt reaches the line */
        return serial;
}

static void what_is_written_goes_out(void **state) {
        struct serial serial = fresh();

        assert_true(serial_write(&serial, DATA, 'x'));
        assert_int_equal(serial_read(&serial, LINE_STATUS), 0x60);
        assert_false(serial_interrupt(&serial));
        serial_write(&serial, LINE, 0x83);
        assert_false(serial_write(&serial, DATA, 1)); /* the divisor */
        assert_int_equal(serial_read(&serial, DATA), 1);
        serial_write(&serial, LINE, 3);
        assert_true(serial_write(&serial, DATA, 'y'));
        assert_false(serial_write(&serial, SCRATCH, 0x5a));
        assert_int_equal(serial_read(&serial, SCRATCH), 0x5a);
}

static void room_to_write_interrupts_once_for_each_byte(void **state) {
        struct serial serial = fresh();

        assert_int_equal(serial_read(&serial, IDENTIFICATION), 1);
        serial_write(&serial, ENABLE, 2); /* who switches it on hears at once */
        assert_true(serial_interrupt(&serial));
        assert_int_equal(serial_read(&serial, IDENTIFICATION), 2);
        assert_false(serial_interrupt(&serial));
        serial_write(&serial, ENABLE, 3);
        assert_false(serial_interrupt(&serial));
        serial_write(&serial, DATA, 'x');
        assert_true(serial_interrupt(&serial));
        serial_write(&serial, ENABLE, 0);
        assert_false(serial_interrupt(&serial));
        serial_write(&serial, ENABLE, 2);
        serial_write(&serial, MODEM, 0);
        assert_false(serial_interrupt(&serial));
}

static void what_comes_interrupts_until_it_is_read(void **state) {
        struct serial serial = fresh();

        serial_receive(&serial, 'a');
        assert_false(serial_interrupt(&serial));
        serial_write(&serial, ENABLE, 3);
        assert_true(serial_interrupt(&serial));
        assert_int_equal(serial_read(&serial, IDENTIFICATION), 4); /* before room to write */
        assert_int_equal(serial_read(&serial, LINE_STATUS) & 1, 1);
        assert_int_equal(serial_read(&serial, DATA), 'a');
        assert_int_equal(serial_read(&serial, LINE_STATUS) & 1, 0);
        assert_int_equal(serial_read(&serial, IDENTIFICATION), 2);
        assert_false(serial_interrupt(&serial));
        assert_int_equal(serial_read(&serial, DATA), 0);
}

static void it_keeps_one_byte_and_sixteen_with_its_fifo(void **state) {
        struct serial serial = fresh();

        assert_int_equal(serial_room(&serial), 1);
        serial_receive(&serial, 'a');
        serial_receive(&serial, 'b');
        assert_int_equal(serial_room(&serial), 0);
        assert_int_equal(serial_read(&serial, DATA), 'a');
        serial_write(&serial, IDENTIFICATION, 1);
        assert_int_equal(serial_read(&serial, IDENTIFICATION) & 0xc0, 0xc0);
        for (int round = 0; round < 5; round++) {
                for (int i = 0; i < 20; i++)
                        serial_receive(&serial, (uint8_t)i);
                assert_int_equal(serial_room(&serial), 0);
                for (int i = 0; i < 11; i++)
                        assert_int_equal(serial_read(&serial, DATA), i);
                assert_int_equal(serial_room(&serial), 11);
                serial_receive(&serial, 77);
                for (int i = 11; i < 16; i++)
                        assert_int_equal(serial_read(&serial, DATA), i);
                assert_int_equal(serial_read(&serial, DATA), 77);
        }
        serial_receive(&serial, 1);
        serial_write(&serial, IDENTIFICATION, 3); /* cleared */
        assert_int_equal(serial_room(&serial), SERIAL_FIFO);
        serial_receive(&serial, 1);
        serial_write(&serial, IDENTIFICATION, 0); /* switched off */
        assert_int_equal(serial_room(&serial), 1);
}

/* How drivers find out that it is one. */
static void in_loopback_it_hears_itself(void **state) {
        struct serial serial = fresh();

        assert_int_equal(serial_read(&serial, MODEM_STATUS), 0xb0);
        serial_write(&serial, MODEM, 0x1a);
        assert_int_equal(serial_read(&serial, MODEM_STATUS), 0x90);
        serial_write(&serial, MODEM, 0x1d);
        assert_int_equal(serial_read(&serial, MODEM_STATUS), 0xe0);
        serial_write(&serial, ENABLE, 1);
        assert_false(serial_write(&serial, DATA, 'x'));
        assert_false(serial_interrupt(&serial));
        assert_int_equal(serial_read(&serial, DATA), 'x');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_goes_out),
                cmocka_unit_test(room_to_write_interrupts_once_for_each_byte),
                cmocka_unit_test(what_comes_interrupts_until_it_is_read),
                cmocka_unit_test(it_keeps_one_byte_and_sixteen_with_its_fifo),
                cmocka_unit_test(in_loopback_it_hears_itself),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
