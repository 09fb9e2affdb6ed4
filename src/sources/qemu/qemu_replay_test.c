#include "sources/qemu/qemu_replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW  UINT64_C(9000)
#define TIME UINT64_C(1000000)

static uint64_t stamped(struct qemu_replay *replay, uint64_t time_ns) {
        struct evidence event = { .kind = EVIDENCE_STOP, .time_ns = time_ns };

        qemu_replay_stamp(replay, &event, NOW, TIME);
        return event.at_ns;
}

static void an_event_happened_when_qemu_said_so(void **state) {
        struct qemu_replay replay;

        assert_int_equal(qemu_replay_begin(&replay, NULL, 0, 5000), 0);
        assert_int_equal(stamped(&replay, TIME - 3000), 6000);
        assert_int_equal(stamped(&replay, TIME - 2000), 7000);
        qemu_replay_end(&replay);
}

static void the_order_in_which_it_was_said_holds_whatever_the_clock_did(void **state) {
        struct qemu_replay replay;

        assert_int_equal(qemu_replay_begin(&replay, NULL, 0, 5000), 0);
        assert_int_equal(stamped(&replay, TIME - 8000), 5001); /* set forward: it would be older than what is on record */
        assert_int_equal(stamped(&replay, 0), 5002);           /* an answer */
        assert_int_equal(stamped(&replay, TIME + 8000), NOW);  /* set back: it would not have happened yet */
        assert_int_equal(stamped(&replay, TIME - 8000), NOW);
        qemu_replay_end(&replay);
}

static void what_is_on_record_is_known(void **state) {
        const struct qemu_known known = { EVIDENCE_STOP, TIME };
        struct evidence stop = { .kind = EVIDENCE_STOP, .time_ns = TIME }, later = { .kind = EVIDENCE_STOP, .time_ns = TIME + 1 };
        struct evidence resume = { .kind = EVIDENCE_RESUME, .time_ns = TIME }, timeless = { .kind = EVIDENCE_STOP };
        struct qemu_replay replay;

        assert_int_equal(qemu_replay_begin(&replay, &known, 1, 0), 0);
        assert_true(qemu_replay_knows(&replay, &stop));
        assert_false(qemu_replay_knows(&replay, &later));
        assert_false(qemu_replay_knows(&replay, &resume));
        assert_false(qemu_replay_knows(&replay, &timeless));
        qemu_replay_end(&replay);
        assert_false(qemu_replay_knows(&replay, &stop));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_event_happened_when_qemu_said_so),
                cmocka_unit_test(the_order_in_which_it_was_said_holds_whatever_the_clock_did),
                cmocka_unit_test(what_is_on_record_is_known),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
