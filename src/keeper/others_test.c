/* Watchers that are real processes: whose VMs are told of, once each, when they end. */
#include "keeper/others.h"
#include "sources/proc.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
        sd_event *event;
        struct others *others;
        pid_t watchers[2];
        char told[256]; /* "VM:INSTANCE " of each */
};

static void on_left(void *userdata, pid_t vm, const char *instance) {
        struct world *world = userdata;
        size_t n = strlen(world->told);

        snprintf(world->told + n, sizeof(world->told) - n, "%d:%s ", (int)vm, instance);
}

static int begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));

        for (size_t i = 0; i < 2; i++) {
                world->watchers[i] = fork();
                if (!world->watchers[i]) {
                        pause();
                        _exit(0);
                }
        }
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(others_new(&world->others, world->event, NULL, &(struct others_events){ on_left, world }), 0);
        *state = world;
        return 0;
}

static void end_watcher(struct world *world, size_t i) {
        if (!world->watchers[i])
                return;
        kill(world->watchers[i], SIGKILL);
        waitpid(world->watchers[i], NULL, 0);
        world->watchers[i] = 0;
}

static int end(void **state) {
        struct world *world = *state;

        others_free(world->others);
        sd_event_unref(world->event);
        end_watcher(world, 0);
        end_watcher(world, 1);
        free(world);
        return 0;
}

static void assert_told(struct world *world, const char *text) {
        while (sd_event_run(world->event, 0) > 0)
                ;
        assert_string_equal(world->told, text);
        *world->told = '\0';
}

static void each_of_its_vms_is_left_once(void **state) {
        struct world *world = *state;

        assert_int_equal(others_add(world->others, world->watchers[0], 10, ""), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], 11, ""), 0);
        assert_int_equal(others_add(world->others, world->watchers[1], 10, ""), 0);
        /* Found again, whatever is known of it then. */
        for (int i = 0; i < 3; i++)
                assert_int_equal(others_add(world->others, world->watchers[0], 10, ""), 0);
        assert_told(world, "");
        end_watcher(world, 1);
        assert_told(world, "10: ");
        assert_int_equal(others_add(world->others, world->watchers[0], 11, "boot:11:1"), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], 10, "boot:10:1"), 0);
        end_watcher(world, 0);
        while (sd_event_run(world->event, 0) > 0)
                ;
        assert_non_null(strstr(world->told, "10:boot:10:1 "));
        assert_non_null(strstr(world->told, "11:boot:11:1 "));
        assert_int_equal(strlen(world->told), strlen("10:boot:10:1 11:boot:11:1 "));
}

/* A VM that is started again and again has one place. */
static void a_vm_that_has_ended_is_followed_by_the_next(void **state) {
        struct world *world = *state;
        char alive[PROC_INSTANCE_MAX], told[2 * PROC_INSTANCE_MAX];

        assert_int_equal(proc_instance(getpid(), alive), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], 10, "boot:10:1"), 0);
        assert_int_equal(others_add(world->others, world->watchers[1], 11, "boot:11:1"), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], getpid(), alive), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], 12, "boot:12:1"), 0);
        assert_int_equal(others_add(world->others, world->watchers[0], 13, "boot:13:1"), 0);
        end_watcher(world, 1);
        assert_told(world, "11:boot:11:1 ");
        end_watcher(world, 0);
        while (sd_event_run(world->event, 0) > 0)
                ;
        snprintf(told, sizeof(told), "%d:%s ", getpid(), alive);
        assert_non_null(strstr(world->told, told));
        assert_non_null(strstr(world->told, "13:boot:13:1 "));
        assert_int_equal(strlen(world->told), strlen(told) + strlen("13:boot:13:1 "));
}

static void one_that_has_ended_is_not_waited_for(void **state) {
        struct world *world = *state;
        const pid_t gone = world->watchers[0];

        end_watcher(world, 0);
        assert_int_equal(others_add(world->others, gone, 10, ""), -ESRCH);
        assert_told(world, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(each_of_its_vms_is_left_once, begin, end),
                cmocka_unit_test_setup_teardown(a_vm_that_has_ended_is_followed_by_the_next, begin, end),
                cmocka_unit_test_setup_teardown(one_that_has_ended_is_not_waited_for, begin, end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
