/* Scripts in the helper's place: what it may say, and what that is worth. */
#include "sources/xen/xen_try.h"
#include "core/text.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define HELLO(number)                                                                                                           \
        "echo '{\"hello\": {\"protocol\": 1, \"program\": \"vmpower-source-xen\", \"sources\": [\"xen\"], \"vm\": {\"name\": \"web\", " \
        "\"backend\": \"xen\", \"instance\": \"b:xen" number ":c\", \"domid\": " number ", \"state\": \"running\"}}, \"of\": \"b:xen" number ":c\"}' >&0\n"
#define SURVEYED "echo '{\"surveyed\": true}' >&0\n"

static char directory[] = "/tmp/xen-try-XXXXXX";

static void write_file(const char *name, const char *text) {
        char path[64];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, 0755), 0);
}

static void what_it_says_is_what_is_found(void **state) {
        static const struct {
                const char *script;
                int result;
                const char *found;
        } rows[] = {
                { "case $line in *xen_policy*leave*) ;; *) exit;; esac\n" SURVEYED "cat\n", 0, "sees 0 domains" },
                { HELLO("5") SURVEYED "cat\n", 0, "sees 1 domain" },
                { HELLO("5") HELLO("6") SURVEYED "exec sleep 100\n", 0, "sees 2 domains" },
                { "echo '{\"trouble\": \"xenstored does not answer\"}' >&0\nexec sleep 100\n", -EIO, "vmpower-source-xen: xenstored does not answer" },
                { HELLO("5") "exit 1\n", -EIO, "ends before it has told" },
                { "echo '}{' >&0\nexec sleep 100\n", -EIO, "ends before it has told" },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                char script[2048], found[FOUND_MAX];
                int r;

                snprintf(script, sizeof(script), "#!/bin/sh\nread -r line\n%s", rows[i].script);
                write_file(XEN_HELPER, script);
                r = xen_try(found);
                assert_int_equal(r, rows[i].result == -EIO && strstr(found, ": ") && geteuid() ? -EPERM : rows[i].result);
                assert_non_null(strstr(found, rows[i].found));
        }
}

static void one_that_cannot_be_run_is_said(void **state) {
        char found[FOUND_MAX];

        write_file(XEN_HELPER, "#!/no/such/shell\n");
        assert_int_equal(xen_try(found), -ENOENT);
        assert_non_null(strstr(found, XEN_HELPER));
}

static void where_there_is_no_xen_nothing_is_started(void **state) {
        const char *capabilities = xen_dom0_capabilities;
        char found[FOUND_MAX];

        xen_dom0_capabilities = "/proc/version";
        assert_int_equal(xen_try(found), -ENXIO);
        assert_string_equal(found, "this is no dom0 of Xen's");
        xen_dom0_capabilities = capabilities;
}

static int become_dom0(void **state) {
        static char capabilities[64];

        if (!mkdtemp(directory))
                return -1;
        write_file("capabilities", "control_d\n");
        snprintf(capabilities, sizeof(capabilities), "%s/capabilities", directory);
        xen_dom0_capabilities = capabilities;
        return setenv("VMPOWER_LIBEXEC_DIR", directory, 1);
}

static int leave_dom0(void **state) {
        char path[64];

        unlink(xen_dom0_capabilities);
        snprintf(path, sizeof(path), "%s/" XEN_HELPER, directory);
        unlink(path);
        return rmdir(directory);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_it_says_is_what_is_found),
                cmocka_unit_test(one_that_cannot_be_run_is_said),
                cmocka_unit_test(where_there_is_no_xen_nothing_is_started),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("xen-try", tests, become_dom0, leave_dom0);
}
