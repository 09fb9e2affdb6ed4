#include "sources/xen/xen_acts.h"

#include <fcntl.h>
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

/* This very program is what does something to a domain: it ends when its word is there, "fail" or "done". */
static char directory[] = "/tmp/vmpower-acts-XXXXXX", lock_path[64], word_path[64];

static int act(void) {
        char word[8] = "";
        int fd;

        fcntl(XEN_ACT_LOCK_FD, F_SETFD, FD_CLOEXEC);
        for (fd = -1; fd < 0; usleep(1000))
                fd = open(getenv("VMPOWER_TEST_WORD"), O_RDONLY | O_CLOEXEC);
        while (read(fd, word, sizeof(word) - 1) <= 0)
                usleep(1000);
        if (!strcmp(word, "fail"))
                puts("it cannot be done");
        return strcmp(word, "done") != 0;
}

static void tell(const char *word) {
        FILE *file = fopen(word_path, "we");

        assert_non_null(file);
        fputs(word, file);
        fclose(file);
}

struct heard {
        sd_event *event;
        int64_t number;
        unsigned n;
        bool is_done;
        char why[64];
};

static void on_done(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why) {
        struct heard *heard = userdata;

        heard->number = number;
        heard->is_done = is_done;
        heard->n++;
        snprintf(heard->why, sizeof(heard->why), "%s", why);
        sd_event_exit(heard->event, 0);
}

static struct xen_acts *begin(struct heard *heard) {
        struct xen_acts *acts;
        sigset_t child;

        *heard = (struct heard){ 0 };
        unlink(word_path);
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        assert_true(sd_event_new(&heard->event) >= 0);
        assert_int_equal(xen_acts_new(&acts, heard->event, on_done, heard), 0);
        return acts;
}

static void what_was_done_is_said(void **state) {
        static const char *const words[] = { "done", "fail" };

        for (size_t i = 0; i < 2; i++) {
                struct heard heard;
                struct xen_acts *acts = begin(&heard);

                assert_int_equal(xen_acts_begin(acts, 7, 5, "", "restart", ""), 0);
                tell(words[i]);
                assert_true(sd_event_loop(heard.event) >= 0);
                assert_int_equal(heard.number, 7);
                assert_int_equal(heard.is_done, i == 0);
                assert_string_equal(heard.why, i ? "it cannot be done" : "");
                xen_acts_free(acts);
                sd_event_unref(heard.event);
        }
}

static void what_goes_on_when_its_helper_has_ended_is_waited_for(void **state) {
        pid_t helper;

        assert_true(xen_acts_wait_for_former(0));
        unlink(word_path);
        helper = fork();
        assert_true(helper >= 0);
        if (!helper) {
                struct heard heard;
                struct xen_acts *acts = begin(&heard);

                _exit(xen_acts_begin(acts, 1, 5, "", "restart", "") || xen_acts_begin(acts, 2, 32751, "", "destroy", ""));
        }
        assert_int_equal(waitpid(helper, NULL, 0), helper);
        assert_false(xen_acts_wait_for_former(0));
        assert_false(xen_acts_wait_for_former(60));
        tell("done");
        assert_true(xen_acts_wait_for_former(10000));
        /* Nor does a place without a lock hold up anybody. */
        xen_acts_lock_path = "/nowhere/lock";
        assert_true(xen_acts_wait_for_former(0));
        xen_acts_lock_path = lock_path;
}

static int make_place(void **state) {
        if (!mkdtemp(directory))
                return -1;
        snprintf(lock_path, sizeof(lock_path), "%s/lock", directory);
        snprintf(word_path, sizeof(word_path), "%s/word", directory);
        setenv("VMPOWER_TEST_WORD", word_path, 1);
        xen_acts_lock_path = lock_path;
        return 0;
}

static int remove_place(void **state) {
        unlink(lock_path);
        unlink(word_path);
        return rmdir(directory);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_done_is_said),
                cmocka_unit_test(what_goes_on_when_its_helper_has_ended_is_waited_for),
        };

        if (argc > 1 && !strcmp(argv[1], "--act"))
                return act();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, make_place, remove_place);
}
