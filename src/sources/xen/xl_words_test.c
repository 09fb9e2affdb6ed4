/* What xl's processes show of themselves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "sources/xen/xl_words.h"

static int64_t domid(const char *log) {
        return xl_log_domid(log, strlen(log), 139);
}

static void the_log_says_for_whom_it_waits(void **state) {
        assert_int_equal(domid("Waiting for domain web-1 (domid 5) to die [pid 139]\n"), 5);
        assert_int_equal(domid("Parsing config\nWaiting for domain web-1 (domid 5) to die [pid 139]"), 5);
        /* It restarts a domain, which has another number then. */
        assert_int_equal(domid("Waiting for domain web-1 (domid 5) to die [pid 139]\nDomain 5 has shut down, reason code 1 0x1\n"
                               "Waiting for domain web-1 (domid 7) to die [pid 139]\n"), 7);
        /* The log goes on where another process left it. */
        assert_int_equal(domid("Waiting for domain web-1 (domid 5) to die [pid 139]\nWaiting for domain web-1 (domid 9) to die [pid 140]\n"), 5);
        assert_int_equal(domid("Waiting for domain web-1 (domid 9) to die [pid 1390]\n"), -1);
}

static void a_log_that_says_nothing_says_nothing(void **state) {
        static const char *const logs[] = { "", "\n\n", "Waiting for domain", "Waiting for domain x (domid ) to die [pid 139]", "Waiting for domain x (domid 5) to die [pid 139",
                                            "Waiting for domain x (domid 5) to die [pid ]", " Waiting for domain x (domid 5) to die [pid 139]",
                                            "Waiting for domain x (domid 99999999999999999999) to die [pid 139]", "Waiting for domain x (domid -5) to die [pid 139]" };

        for (size_t i = 0; i < N_ELEMENTS(logs); i++)
                assert_int_equal(domid(logs[i]), -1);
        assert_int_equal(xl_log_domid("Waiting for domain \0 (domid 5) to die [pid 139]\n", 49, 139), 5);
}

static void a_name_that_looks_like_the_log_does_not_deceive(void **state) {
        assert_int_equal(domid("Waiting for domain x (domid 1) to die [pid 139] (domid 5) to die [pid 139]\n"), 5);
        assert_int_equal(domid("Waiting for domain x (domid 1) to die [pid 139] (domid 5) to die [pid 140]\n"), -1);
}

static void the_log_is_named_after_its_domain(void **state) {
        static const struct {
                const char *path, *name;
        } rows[] = {
                { "/var/log/xen/xl-web-1.log", "web-1" }, { "/var/log/xen/xl-web-1.log.1", "web-1" }, { "/var/log/xen/xl-web-1.log (deleted)", "web-1" },
                { "/var/log/xen/xl-a.log.log", "a.log" }, { "/var/log/xen/xl-.log", NULL }, { "/dev/pts/3", NULL }, { "pipe:[12345]", NULL },
                { "/var/log/xen/xl-web-1", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                char name[XL_NAME_MAX];

                assert_int_equal(xl_log_name(name, rows[i].path), rows[i].name ? 0 : -EINVAL);
                if (rows[i].name)
                        assert_string_equal(name, rows[i].name);
        }
}

static void its_arguments_say_what_it_makes(void **state) {
        static const struct {
                char *arguments[8];
                bool is_making;
                const char *config;
        } rows[] = {
                { { "xl", "create", "/etc/xen/web.cfg" }, true, "/etc/xen/web.cfg" },
                { { "xl", "create", "-F", "web.cfg" }, true, "web.cfg" },
                { { "xl", "create", "-e", "web.cfg" }, true, "web.cfg" },
                { { "xl", "create", "-pe", "web.cfg" }, true, "web.cfg" },
                { { "xl", "-v", "create", "-f", "web.cfg", "memory=128" }, true, "web.cfg" },
                { { "xl", "create", "--defconfig=web.cfg" }, true, "web.cfg" },
                { { "xl", "restore", "saved" }, true, "saved" },
                { { "xl", "migrate-receive" }, true, NULL },
                { { "xl", "create", "-fname.cfg" }, true, NULL },
                { { "xl", "create", "-n", "web.cfg" }, false, NULL },
                { { "xl", "create", "-qn", "web.cfg" }, false, NULL },
                { { "xl", "create", "--dryrun", "web.cfg" }, false, NULL },
                { { "xl", "-N", "create", "web.cfg" }, false, NULL },
                { { "xl", "list" }, false, NULL },
                { { "xl", "destroy", "create" }, false, NULL },
                { { "xl", "-v" }, false, NULL },
                { { "xl" }, false, NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                struct xl_making making;
                size_t n = 0;

                while (rows[i].arguments[n])
                        n++;
                making = xl_making(rows[i].arguments, n);
                assert_int_equal(making.is_making, rows[i].is_making);
                assert_int_equal(!making.config, !rows[i].config);
                if (rows[i].config)
                        assert_string_equal(making.config, rows[i].config);
        }
        assert_false(xl_making(NULL, 0).is_making);
}

static void the_name_is_read_from_a_configuration(void **state) {
        static const struct {
                const char *text, *name;
        } rows[] = {
                { "name = \"web-1\"\nmemory = 128\n", "web-1" }, { "name='web-1'", "web-1" }, { "# name = \"no\"\n\tname=\"yes\"", "yes" },
                { "name=\"a\"\nname=\"b\"\n", "b" },  { "names = \"no\"", NULL }, { "name = web", NULL }, { "name = \"\"", NULL }, { "name = \"web", NULL },
                { "hostname = \"x\"", NULL },       { "name", NULL },           { "", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                char name[XL_NAME_MAX];

                assert_int_equal(xl_config_name(name, rows[i].text, strlen(rows[i].text)), rows[i].name ? 0 : -ENOENT);
                if (rows[i].name)
                        assert_string_equal(name, rows[i].name);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_log_says_for_whom_it_waits),
                cmocka_unit_test(a_log_that_says_nothing_says_nothing),
                cmocka_unit_test(a_name_that_looks_like_the_log_does_not_deceive),
                cmocka_unit_test(the_log_is_named_after_its_domain),
                cmocka_unit_test(its_arguments_say_what_it_makes),
                cmocka_unit_test(the_name_is_read_from_a_configuration),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("xl-words", tests, NULL, NULL);
}
