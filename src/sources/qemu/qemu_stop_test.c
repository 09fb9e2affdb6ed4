/* Why a QEMU has stopped, answer by answer. */
#include "sources/qemu/qemu_stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum qemu_stop_next takes(struct qemu_stop *stop, const char *word) {
        struct evidence status = evidence_make(SOURCE_QMP, EVIDENCE_STATUS);

        evidence_set_word(&status, word);
        return qemu_stop_take_status(stop, &status);
}

static bool is_complete(struct qemu_stop *stop, const char *status, struct evidence *ret_status) {
        struct qmp_message event = { .data = json_pack("{s:s}", "status", status) };
        bool is = qemu_stop_take_migration(stop, &event, ret_status);

        json_decref(event.data);
        return is;
}

static void a_status_that_is_no_outcome_yet_is_told_once_and_asked_for_again(void **state) {
        struct qemu_stop stop = { 0 };

        qemu_stop_take_event(&stop, EVIDENCE_STOP);
        assert_int_equal(takes(&stop, "finish-migrate"), QEMU_STOP_TELL_AND_ASK);
        assert_int_equal(takes(&stop, "finish-migrate"), QEMU_STOP_ASK_AGAIN);
        assert_int_equal(takes(&stop, "postmigrate"), QEMU_STOP_TELL);
        qemu_stop_deinit(&stop);
}

static void it_is_told_anew_of_the_next_stop(void **state) {
        struct qemu_stop stop = { 0 };

        qemu_stop_take_event(&stop, EVIDENCE_STOP);
        assert_int_equal(takes(&stop, "save-vm"), QEMU_STOP_TELL_AND_ASK);
        qemu_stop_take_event(&stop, EVIDENCE_RESUME);
        qemu_stop_take_event(&stop, EVIDENCE_STOP);
        assert_int_equal(takes(&stop, "finish-migrate"), QEMU_STOP_TELL_AND_ASK);
        qemu_stop_deinit(&stop);
}

static void a_migration_s_own_event_is_the_answer_once(void **state) {
        struct qemu_stop stop = { 0 };
        struct evidence status;

        assert_false(is_complete(&stop, "completed", &status)); /* nobody has asked why */
        qemu_stop_take_event(&stop, EVIDENCE_STOP);
        assert_int_equal(takes(&stop, "finish-migrate"), QEMU_STOP_TELL_AND_ASK);
        assert_false(is_complete(&stop, "device", &status));
        assert_true(is_complete(&stop, "completed", &status));
        assert_string_equal(status.word, "postmigrate");
        assert_false(is_complete(&stop, "completed", &status));

        qemu_stop_take_event(&stop, EVIDENCE_STOP);
        assert_int_equal(takes(&stop, "paused"), QEMU_STOP_TELL);
        assert_false(is_complete(&stop, "completed", &status));
        qemu_stop_deinit(&stop);
}

static void a_power_off_that_is_held_waits_for_pm1(void **state) {
        struct qemu_stop stop = { 0 };
        struct evidence status;

        assert_int_equal(takes(&stop, "shutdown"), QEMU_STOP_ASK_PM1);
        assert_int_equal(takes(&stop, "shutdown"), QEMU_STOP_TELL); /* it waits already */
        assert_true(qemu_stop_give_held(&stop, &status));
        assert_string_equal(status.word, "shutdown");
        assert_false(qemu_stop_give_held(&stop, &status));
        qemu_stop_deinit(&stop);
}

static void pm1_is_found_where_qemu_lists_it(void **state) {
        static const struct {
                const char *text;
                int port; /* -1: none */
        } cases[] = {
                { "FlatView #0\n  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan\n"
                  "  0000000000000604-0000000000000605 (prio 0, i/o): acpi-cnt\n", 0x604 },
                { "000000000000b004-000000000000b005 (prio 0, i/o): acpi-cnt", 0xb004 },
                { "0000000000000604-0000000000000605 (prio 0, i/o): acpi-evt\n", -1 },
                { "0000000000010604-0000000000010605 (prio 0, i/o): acpi-cnt\n", -1 },
                { "ffffffffffffffffffff-1 (prio 0, i/o): acpi-cnt\n", -1 },
                { "nothing (prio 0, i/o): acpi-cnt\n", -1 },
                { "): acpi-cnt", -1 },
                { "", -1 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                json_t *text = json_string(cases[i].text);
                unsigned port = 0;

                assert_int_equal(qemu_find_pm1_control(&port, text), cases[i].port >= 0);
                assert_int_equal(port, cases[i].port >= 0 ? cases[i].port : 0);
                json_decref(text);
        }
        assert_false(qemu_find_pm1_control(&(unsigned){ 0 }, NULL));
}

static void pm1_holds_what_qemu_says(void **state) {
        struct evidence pm1;
        json_t *text = json_string("portw[0x0604] = 0x2001\r\n"), *other = json_string("unknown command: 'i'\r\n");

        assert_true(qemu_evidence_from_pm1_control(&pm1, text));
        assert_int_equal(pm1.kind, EVIDENCE_PM1_CONTROL);
        assert_int_equal(pm1.number, 0x2001);
        assert_false(qemu_evidence_from_pm1_control(&pm1, other));
        assert_false(qemu_evidence_from_pm1_control(&pm1, NULL));
        json_decref(text);
        json_decref(other);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_status_that_is_no_outcome_yet_is_told_once_and_asked_for_again),
                cmocka_unit_test(it_is_told_anew_of_the_next_stop),
                cmocka_unit_test(a_migration_s_own_event_is_the_answer_once),
                cmocka_unit_test(a_power_off_that_is_held_waits_for_pm1),
                cmocka_unit_test(pm1_is_found_where_qemu_lists_it),
                cmocka_unit_test(pm1_holds_what_qemu_says),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
