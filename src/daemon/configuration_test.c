#include "daemon/configuration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"

#define SECOND UINT64_C(1000000000)

struct heard {
        char text[4096];
        unsigned n;
};

static void hear(unsigned line, const char *why, void *userdata) {
        struct heard *heard = userdata;
        size_t n = strlen(heard->text);

        heard->n++;
        snprintf(heard->text + n, sizeof(heard->text) - n, "%u: %s\n", line, why);
}

static int read_text(struct configuration *configuration, const char *text, struct heard *heard) {
        *heard = (struct heard){};
        configuration_init(configuration);
        return configuration_read(configuration, text, strlen(text), hear, heard);
}

static void a_file_sets_what_it_says(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        struct heard heard;

        assert_int_equal(read_text(&configuration,
                                   "# vmpowerd\n"
                                   "\n"
                                   "take_monitors = /run/vms/*.qmp\n"
                                   "  take_monitors=/srv/a#b # the part behind the blank is a comment\r\n"
                                   "halt_after = 0.5\n"
                                   "metrics_listen = [::1]:9100\n"
                                   "hook = /usr/local/bin/page me\n"
                                   "hook_timeout = 5\n"
                                   "hooks_at_once = 1\n"
                                   "journald = off\n"
                                   "xen = no\n"
                                   "xen_policy = leave\n"
                                   "retention_days = 30\n"
                                   "retention_size = 500M",
                                   &heard),
                         0);
        assert_int_equal(heard.n, 0);
        assert_int_equal(configuration.take_monitors.n, 2);
        assert_string_equal(configuration.take_monitors.items[0], "/run/vms/*.qmp");
        assert_string_equal(configuration.take_monitors.items[1], "/srv/a#b");
        assert_int_equal(configuration.halt_after_ns, SECOND / 2);
        assert_string_equal(configuration.metrics_host, "::1");
        assert_string_equal(configuration.metrics_port, "9100");
        assert_int_equal(configuration.hooks.n, 1);
        assert_string_equal(configuration.hooks.items[0], "/usr/local/bin/page me");
        assert_int_equal(configuration.hook_timeout_ns, 5 * SECOND);
        assert_int_equal(configuration.hooks_at_once, 1);
        assert_int_equal(configuration.journald, JOURNALD_OFF);
        assert_int_equal(configuration.xen, XEN_NO);
        assert_true(configuration.xen_leaves);
        assert_int_equal(configuration.retention_days, 30);
        assert_int_equal(configuration.retention_size, UINT64_C(500) << 20);
}

static void an_empty_file_leaves_the_defaults(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        struct heard heard;

        assert_int_equal(read_text(&configuration, "", &heard), 0);
        assert_int_equal(configuration.halt_after_ns, 2 * SECOND);
        assert_string_equal(configuration.metrics_host, "");
        assert_int_equal(configuration.hook_timeout_ns, 30 * SECOND);
        assert_int_equal(configuration.hooks_at_once, 4);
        assert_int_equal(configuration.journald, JOURNALD_AUTO);
        assert_int_equal(configuration.xen, XEN_AUTO);
        assert_false(configuration.xen_leaves);
        assert_int_equal(configuration.retention_days, 400);
        assert_int_equal(configuration.retention_size, UINT64_C(1) << 30);
}

static void every_wrong_line_is_named(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        struct heard heard;

        assert_int_equal(read_text(&configuration,
                                   "halt_after = 3\n"
                                   "hooks = /x\n"
                                   "journald\n"
                                   "= 3\n"
                                   "hook_timeout =\n"
                                   "halt_after = 4\n"
                                   "journald = yes\x1b[2J\n"
                                   "journald = yes\n"
                                   "hook = x\n"
                                   "xen = on\n"
                                   "xen_policy = no\n",
                                   &heard),
                         -EINVAL);
        assert_string_equal(heard.text,
                            "2: there is no key hooks\n"
                            "3: KEY = VALUE is wanted\n"
                            "4: KEY = VALUE is wanted\n"
                            "5: hook_timeout has no value\n"
                            "6: halt_after was set in line 1 already\n"
                            "7: journald: its value is too long, or no text\n"
                            "8: journald = yes: auto, on or off is wanted\n"
                            "9: hook = x: a path begins with /\n"
                            "10: xen = on: auto, yes or no is wanted\n"
                            "11: xen_policy = no: auto or leave is wanted\n");
}

static void a_file_full_of_wrong_lines_is_not_read_to_its_end(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        char text[2 * 1000 + 1];
        struct heard heard;

        for (size_t i = 0; i < 1000; i++)
                memcpy(text + 2 * i, "x\n", 3);
        assert_int_equal(read_text(&configuration, text, &heard), -EINVAL);
        assert_int_equal(heard.n, 20);
}

static void a_file_that_is_too_long_is_refused_as_a_whole(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        cleanup(freep) char *text = calloc(1, CONFIGURATION_FILE_MAX + 2);
        struct heard heard;

        memset(text, '\n', CONFIGURATION_FILE_MAX + 1);
        assert_int_equal(read_text(&configuration, text, &heard), -EINVAL);
        assert_int_equal(heard.n, 1);
        assert_memory_equal(heard.text, "0: ", 3);
        text[CONFIGURATION_FILE_MAX] = '\0';
        assert_int_equal(read_text(&configuration, text, &heard), 0);
}

static void a_list_has_a_bound(void **state) {
        cleanup(configuration_deinit) struct configuration configuration;
        char why[CONFIGURATION_WHY_MAX];

        configuration_init(&configuration);
        for (size_t i = 0; i < CONFIGURATION_LIST_MAX; i++)
                assert_int_equal(configuration_set(&configuration, "hook", "/x", why), 0);
        assert_int_equal(configuration_set(&configuration, "hook", "/x", why), -EINVAL);
        assert_int_equal(configuration.hooks.n, CONFIGURATION_LIST_MAX);
        configuration_clear(&configuration, "hook");
        assert_int_equal(configuration.hooks.n, 0);
        assert_int_equal(configuration_set(&configuration, "hook", "/y", why), 0);
}

static void values_have_their_bounds(void **state) {
        static const struct {
                const char *key, *value;
                int result;
        } cases[] = {
                { "halt_after", "0", 0 },
                { "halt_after", "31536000", 0 },
                { "halt_after", "31536000.1", -EINVAL },
                { "halt_after", "99999999999999999999999", -EINVAL },
                { "halt_after", "-1", -EINVAL },
                { "halt_after", "1.", -EINVAL },
                { "halt_after", "2s", -EINVAL },
                { "hook_timeout", "0", -EINVAL },
                { "hook_timeout", "0.001", 0 },
                { "hook_timeout", "86401", -EINVAL },
                { "hooks_at_once", "0", -EINVAL },
                { "hooks_at_once", "64", 0 },
                { "hooks_at_once", "65", -EINVAL },
                { "hooks_at_once", "4294967297", -EINVAL },
                { "metrics_listen", "localhost:9100", 0 },
                { "metrics_listen", "*:1", 0 },
                { "metrics_listen", "::1:9100", -EINVAL },
                { "metrics_listen", "[]:9100", -EINVAL },
                { "metrics_listen", ":9100", -EINVAL },
                { "metrics_listen", "host", -EINVAL },
                { "metrics_listen", "host:0", -EINVAL },
                { "metrics_listen", "host:65536", -EINVAL },
                { "metrics_listen", "host:80x", -EINVAL },
                { "retention_days", "0", 0 },
                { "retention_days", "36501", -EINVAL },
                { "retention_size", "0", 0 },
                { "retention_size", "1T", 0 },
                { "retention_size", "8388608T", -EINVAL },
                { "retention_size", "1GB", -EINVAL },
                { "retention_size", "G", -EINVAL },
                { "take_monitors", "*.qmp", -EINVAL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(configuration_deinit) struct configuration configuration;
                char why[CONFIGURATION_WHY_MAX] = "";
                int r;

                configuration_init(&configuration);
                r = configuration_set(&configuration, cases[i].key, cases[i].value, why);
                if (r != cases[i].result || !!r != !!*why)
                        fail_msg("%s = %s: %d (%s)", cases[i].key, cases[i].value, r, why);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_sets_what_it_says),
                cmocka_unit_test(an_empty_file_leaves_the_defaults),
                cmocka_unit_test(every_wrong_line_is_named),
                cmocka_unit_test(a_file_full_of_wrong_lines_is_not_read_to_its_end),
                cmocka_unit_test(a_file_that_is_too_long_is_refused_as_a_whole),
                cmocka_unit_test(a_list_has_a_bound),
                cmocka_unit_test(values_have_their_bounds),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("configuration", tests, NULL, NULL);
}
