#include "vmm/qtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct board board;

static struct qtest make(void) {
        board_init(&board, ACPI_PM_PIIX4, 0);
        return (struct qtest){ .board = &board };
}

static void is_answered(struct qtest *qtest, const char *line, const char *reply) {
        char said[QTEST_REPLY_MAX];
        struct board_request request;

        qtest_answer(qtest, line, said, &request);
        assert_string_equal(said, reply);
        assert_int_equal(request.kind, BOARD_NOTHING);
}

static struct board_request asks(struct qtest *qtest, const char *line) {
        char said[QTEST_REPLY_MAX];
        struct board_request request;

        qtest_answer(qtest, line, said, &request);
        assert_string_equal(said, "OK\n");
        return request;
}

static void set_base(struct qtest *qtest) {
        is_answered(qtest, "outl 0xcf8 0x80000b40", "OK\n");
        is_answered(qtest, "outl 0xcfc 0x601", "OK\n");
        is_answered(qtest, "outl 0xcf8 0x80000b80", "OK\n");
        is_answered(qtest, "outl 0xcfc 0x1", "OK\n");
}

static void the_block_is_where_firmware_puts_it(void **state) {
        struct qtest qtest = make();

        is_answered(&qtest, "inw 0x604", "OK 0xffff\n");
        set_base(&qtest);
        is_answered(&qtest, "inw 0x604", "OK 0x0000\n");
        is_answered(&qtest, "inl 0xcfc", "OK 0x0001\n");
        is_answered(&qtest, "outl 0xcf8 0x80000b00", "OK\n");
        is_answered(&qtest, "inl 0xcfc", "OK 0x71138086\n");
        is_answered(&qtest, "outl 0xcf8 0x80000c00", "OK\n");
        is_answered(&qtest, "inl 0xcfc", "OK 0xffffffff\n");
}

static void a_request_is_told_with_its_port_and_value(void **state) {
        struct qtest qtest = make();
        struct board_request request;

        set_base(&qtest);
        request = asks(&qtest, "outw 0x604 0x2001");
        assert_int_equal(request.kind, BOARD_POWER_OFF);
        assert_string_equal(request.mechanism, "acpi-s5");
        assert_int_equal(request.port, 0x604);
        assert_int_equal(request.value, 0x2001);
        request = asks(&qtest, "outb 100 0xfe");
        assert_int_equal(request.kind, BOARD_RESET);
        assert_string_equal(request.mechanism, "reset-8042");
        assert_int_equal(asks(&qtest, "outb 0x505 1").kind, BOARD_PANICKED);
        assert_int_equal(asks(&qtest, "outw 0x505 2").kind, BOARD_CRASH_LOADED);
}

static void the_clock_goes_to_the_next_thing_that_happens(void **state) {
        struct qtest qtest = make();

        set_base(&qtest);
        is_answered(&qtest, "irq_intercept_in ioapic", "OK\n");
        is_answered(&qtest, "clock_step", "OK 0\n");
        is_answered(&qtest, "outw 0x602 1", "OK\n");
        is_answered(&qtest, "clock_step", "IRQ raise 9\nOK 2343484438\n");
        is_answered(&qtest, "outw 0x600 1", "IRQ lower 9\nOK\n");
        is_answered(&qtest, "clock_step 10", "OK 2343484448\n");
        is_answered(&qtest, "clock_set 5", "OK 2343484448\n");
        is_answered(&qtest, "clock_set 3000000000", "OK 3000000000\n");
}

static void what_is_no_command_fails(void **state) {
        static const char *const lines[] = { "", "in", "inx 1", "inb", "inb 65536", "inb -1", "inb 1x", "inb 1 2", "out", "outb 1", "outb 1 4294967296",
                                             "clock_set", "clock_step x", "readb 0", "a b c d e", "inbb 1" };

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct qtest qtest = make();

                is_answered(&qtest, lines[i], "FAIL Unknown command, or its arguments\n");
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_block_is_where_firmware_puts_it),
                cmocka_unit_test(a_request_is_told_with_its_port_and_value),
                cmocka_unit_test(the_clock_goes_to_the_next_thing_that_happens),
                cmocka_unit_test(what_is_no_command_fails),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
