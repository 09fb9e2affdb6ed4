#include "keeper/helper.h"
#include "sources/libexec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "basics/cleanup.h"

/* A helper that is a few lines of sh, and what was heard of it. */
struct world {
        sd_event *event;
        struct helper *helper;
        char directory[32], path[64];
        unsigned n_began, n_surveyed, n_trouble, n_ended;
        char trouble[256];   /* the last line */
        struct wire_done done;
        unsigned enough;     /* leave the loop at so many ends … */
        unsigned n_enough;   /* … or so much that was said */
};

static void on_began(void *userdata) {
        struct world *world = userdata;
        const struct wire_message configure = { .kind = WIRE_CONFIGURE, .configure = { "auto" } };

        world->n_began++;
        helper_say(world->helper, &configure);
}

static void on_said(void *userdata, struct wire_message *message) {
        struct world *world = userdata;

        world->n_surveyed += message->kind == WIRE_SURVEYED;
        if (message->kind == WIRE_DONE)
                world->done = message->done;
        if (world->n_surveyed == world->n_enough)
                sd_event_exit(world->event, 0);
}

static void on_ended(void *userdata) {
        struct world *world = userdata;

        if (++world->n_ended == world->enough)
                sd_event_exit(world->event, 0);
}

static void on_trouble(void *userdata, const char *line) {
        struct world *world = userdata;

        world->n_trouble++;
        snprintf(world->trouble, sizeof(world->trouble), "%s", line);
}

static void begin(struct world *world, const char *script) {
        const struct helper_events events = { on_began, on_said, on_ended, on_trouble, world };
        FILE *file;

        *world = (struct world){ .directory = "/tmp/vmpower-helper-XXXXXX" };
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->path, sizeof(world->path), "%s/vmpower-source-test", world->directory);
        file = fopen(world->path, "we");
        assert_non_null(file);
        fprintf(file, "#!/bin/sh\nsay() { echo \"$@\" >&0; }\n%s\n", script);
        fclose(file);
        assert_int_equal(chmod(world->path, 0755), 0);
        helper_rest_usec = 1000;
        helper_rest_max_usec = 4000;
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(helper_new(&world->helper, world->event, world->path, &events), 0);
}

/* The loop is left once. */
static void loop(struct world *world) {
        assert_true(sd_event_loop(world->event) >= 0);
}

static void end(struct world *world) {
        world->helper = helper_free(world->helper);
        sd_event_unref(world->event);
        unlink(world->path);
        rmdir(world->directory);
}

static void it_is_told_and_heard(void **state) {
        struct world world;

        begin(&world, "read line; case $line in *configure*auto*) say '{\"surveyed\": true}';; esac; cat >/dev/null");
        world.n_enough = 1;
        loop(&world);
        assert_int_equal(world.n_began, 1);
        assert_true(helper_pid(world.helper) > 0);
        assert_int_equal(world.n_trouble, 0);
        end(&world);
}

static void one_that_ends_is_started_again_and_one_line_says_so(void **state) {
        struct world world;

        begin(&world, "say '{\"surveyed\": true}'; exit 3");
        world.n_enough = -1U;
        world.enough = 4;
        loop(&world);
        assert_int_equal(world.n_began, 4);
        assert_int_equal(world.n_surveyed, 4);
        /* The last end's line comes after this loop was left. */
        assert_true(world.n_trouble == 4 || world.n_trouble == 3);
        assert_non_null(strstr(world.trouble, "vmpower-source-test: it has ended with exit status 3; it is started again"));
        end(&world);
}

static void one_that_cannot_be_run_is_said_to_be_so(void **state) {
        struct world world;

        begin(&world, "");
        unlink(world.path);
        world.enough = 2;
        loop(&world);
        assert_non_null(strstr(world.trouble, "it could not be run"));
        end(&world);
}

static void garbage_ends_it(void **state) {
        static const char *const scripts[] = { "say nonsense; cat >/dev/null", "say '{\"done\": 7}'; cat >/dev/null",
                                               "head -c 70000 /dev/zero >&0; cat >/dev/null" };

        for (size_t i = 0; i < N_ELEMENTS(scripts); i++) {
                struct world world;

                begin(&world, scripts[i]);
                world.n_enough = -1U;
                world.enough = 2;
                loop(&world);
                assert_int_equal(world.n_began, 2);
                end(&world);
        }
}

static void one_that_reads_nothing_is_ended(void **state) {
        struct wire_message request = { .kind = WIRE_REQUEST, .request = { 1, "", "destroy", "" } };
        struct world world;

        begin(&world, "say '{\"surveyed\": true}'; while :; do sleep 1; done");
        world.n_enough = 1;
        loop(&world);
        memset(request.request.name, 'x', sizeof(request.request.name) - 1);
        for (unsigned i = 0; i < 100000 && !world.n_trouble; i++)
                helper_say(world.helper, &request);
        assert_non_null(strstr(world.trouble, "it does not read what it is told"));
        end(&world);
}

static void told_to_end_it_finishes_what_it_has_begun(void **state) {
        struct world world;
        pid_t pid;

        begin(&world, "say '{\"surveyed\": true}'; cat >/dev/null; sleep 0.1; say '{\"done\": {\"request\": 7, \"result\": \"done\"}}'");
        world.n_enough = 1;
        loop(&world);
        pid = helper_pid(world.helper);
        helper_end(world.helper);
        assert_int_equal(world.done.number, 7);
        assert_true(world.done.is_done);
        assert_int_equal(helper_pid(world.helper), 0);
        end(&world);
        assert_int_equal(kill(pid, 0), -1);
}

static void one_that_does_not_end_is_killed(void **state) {
        struct world world;
        pid_t pid;

        begin(&world, "say '{\"surveyed\": true}'; trap '' TERM; while :; do sleep 1; done");
        world.n_enough = 1;
        loop(&world);
        pid = helper_pid(world.helper);
        helper_patience_usec = 50000;
        helper_end(world.helper);
        helper_patience_usec = 5000000;
        end(&world);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

/* Has it become its program, a script?  Where that is. */
static bool find_script(pid_t pid, char ret_path[static 128]) {
        char path[32], words[256] = "";
        const char *script;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, words, sizeof(words) - 1) < 0)
                return false;
        close(fd);
        script = words + strlen(words) + 1;
        snprintf(ret_path, 128, "%s", script);
        return *script == '/';
}

static void one_that_does_not_end_goes_with_whoever_has_started_it(void **state) {
        char path[80], text[16] = "", script[128];
        struct world world;
        pid_t keeper, pid;
        int fd, pid_fd;
        struct pollfd end;

        keeper = fork();
        assert_true(keeper >= 0);
        if (!keeper) {
                begin(&world, "trap '' TERM; say '{\"surveyed\": true}'; while :; do sleep 1; done");
                world.n_enough = -1U;
                loop(&world);
        }
        /* Its helper is its only child. */
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)keeper, (int)keeper);
        do {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                assert_true(read(fd, text, sizeof(text) - 1) >= 0);
                close(fd);
                pid = atoi(text);
        } while (!pid || !find_script(pid, script));
        pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
        assert_true(pid_fd >= 0);
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        end = (struct pollfd){ .fd = pid_fd, .events = POLLIN };
        assert_int_equal(poll(&end, 1, 10000), 1);
        close(pid_fd);
        unlink(script);
        *strrchr(script, '/') = '\0';
        rmdir(script);
}

static void it_is_looked_for_where_the_environment_says(void **state) {
        char path[PATH_MAX];
        struct world world;

        begin(&world, "");
        setenv("VMPOWER_LIBEXEC_DIR", world.directory, 1);
        assert_int_equal(libexec_find(path, "vmpower-source-test"), 0);
        assert_string_equal(path, world.path);
        assert_int_equal(libexec_find(path, "vmpower-source-psychic"), -ENOENT);
        unsetenv("VMPOWER_LIBEXEC_DIR");
        assert_int_equal(libexec_find(path, "vmpower-source-test"), -ENOENT);
        assert_int_equal(libexec_find(path, "helper_test"), 0);
        end(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_told_and_heard),
                cmocka_unit_test(one_that_ends_is_started_again_and_one_line_says_so),
                cmocka_unit_test(one_that_cannot_be_run_is_said_to_be_so),
                cmocka_unit_test(garbage_ends_it),
                cmocka_unit_test(one_that_reads_nothing_is_ended),
                cmocka_unit_test(told_to_end_it_finishes_what_it_has_begun),
                cmocka_unit_test(one_that_does_not_end_is_killed),
                cmocka_unit_test(one_that_does_not_end_goes_with_whoever_has_started_it),
                cmocka_unit_test(it_is_looked_for_where_the_environment_says),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
