/* Whose a monitor is: who names one is not believed, who is seen to listen on it is. */
#include "keeper/monitor_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

enum {
        ROOT,
        ALICE = 4001,
        BOB = 4002,
};

static const struct monitor_check seen = { .path = "/run/a.qmp", .pid = 100, .is_pid_sure = true };
static const struct monitor_check said = { .path = "/run/a.qmp", .pid = 100 };

static int check(const struct monitor_check *check, pid_t pid, uid_t uid, int64_t owner) {
        char why[STORE_WHY_MAX] = "";
        int r = monitor_check_peer(check, pid, uid, owner, why);

        assert_true(!r == !*why);
        return r;
}

static void a_user_has_what_his_own_process_listens_on(void **state) {
        assert_int_equal(check(&seen, 100, ALICE, ALICE), 0);
        assert_int_equal(check(&said, 100, ALICE, ALICE), 0);
        /* His launcher has called listen(), and handed it on. */
        assert_int_equal(check(&seen, 99, ALICE, ALICE), 0);
        assert_int_equal(check(&said, 99, ALICE, ALICE), -EACCES);
        assert_int_equal(check(&seen, 100, BOB, ALICE), -EACCES);
        assert_int_equal(check(&seen, 99, ROOT, ALICE), -EACCES);
}

static void who_may_control_everything_says_whose_it_is(void **state) {
        assert_int_equal(check(&said, 99, BOB, MONITOR_OF_ANYBODY), 0);
        assert_int_equal(check(&seen, 99, BOB, MONITOR_OF_ANYBODY), 0);
}

/* Alice's process, with more descriptors than are looked at, names Bob's monitor on its command line. */
static void where_nobody_asks_the_process_is_seen_to_listen_or_it_is_not_opened(void **state) {
        assert_int_equal(check(&said, 99, BOB, MONITOR_OF_ITS_PROCESS), -EACCES);
        assert_int_equal(check(&said, 100, ALICE, MONITOR_OF_ITS_PROCESS), 0);
        /* It has given up its rights since it called listen(). */
        assert_int_equal(check(&seen, 100, ROOT, MONITOR_OF_ITS_PROCESS), 0);
        assert_int_equal(check(&seen, 99, ROOT, MONITOR_OF_ITS_PROCESS), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_user_has_what_his_own_process_listens_on),
                cmocka_unit_test(who_may_control_everything_says_whose_it_is),
                cmocka_unit_test(where_nobody_asks_the_process_is_seen_to_listen_or_it_is_not_opened),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
