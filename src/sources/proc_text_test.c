#include "sources/proc_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REST " 1 2 3 4 5 6 7 8 9 10 11 12 13"
/* Fields 3 to 52, as Linux 6.18 prints them: the parent is 41, the session 40, the start time 3051, the exit
 * code 9. */
#define FIELDS                                                                                               \
        "S 41 42 40 0 -1 4194304 96 0 0 0 0 0 0 0 20 0 1 0 3051 2727936 229 18446744073709551615 94 94 0 0 " \
        "0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94 94 94 94 94 94 94 9\n"

static int parse_stat(struct proc_stat *ret, const char *text) {
        return proc_stat_parse(ret, text, strlen(text));
}

static void a_stat_says_who_a_process_is(void **state) {
        struct proc_stat stat;

        assert_int_equal(parse_stat(&stat, "43 (sleep) " FIELDS), 0);
        assert_int_equal(stat.pid, 43);
        assert_string_equal(stat.comm, "sleep");
        assert_int_equal(stat.state, 'S');
        assert_int_equal(stat.parent, 41);
        assert_int_equal(stat.session, 40);
        assert_int_equal(stat.start_time, 3051);
        assert_int_equal(stat.exit_code, 9);
}

static void a_name_may_look_like_the_rest_of_the_line(void **state) {
        struct proc_stat stat;

        assert_int_equal(parse_stat(&stat, "43 (a) Z 1 1 1 (\n) " FIELDS), 0);
        assert_string_equal(stat.comm, "a) Z 1 1 1 (\n");
        assert_int_equal(stat.state, 'S');
        assert_int_equal(stat.parent, 41);
        assert_int_equal(parse_stat(&stat, "43 () " FIELDS), 0);
        assert_string_equal(stat.comm, "");
}

static void a_cut_stat_is_refused_at_every_length(void **state) {
        static const char text[] = "43 (sleep) " FIELDS;
        struct proc_stat stat;

        /* The last field alone may lose digits unseen; it has one. */
        for (size_t n = 0; n < strlen(text) - 2; n++)
                assert_int_equal(proc_stat_parse(&stat, text, n), -EINVAL);
}

static void what_is_no_stat_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "x",
                "43",
                "43 ",
                "43 (",
                "43 (a",
                "43 (a)",
                "43 (a) ",
                "43 (a) S",
                "-1 (a) " FIELDS,
                "4294967297 (a) " FIELDS,
                "43 (a) S x" REST REST REST REST,
                "43 (a) S -7 1 1" REST REST REST REST,
        };
        struct proc_stat stat;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(parse_stat(&stat, texts[i]), -EINVAL);
}

static void a_status_names_process_and_user(void **state) {
        static const char text[] =
                "Name:\tUid: 1\nUmask:\t0022\nTgid:\t77\nPid:\t78\nUid:\t1000\t1001\t1002\t1003\n";
        struct proc_status status;

        assert_int_equal(proc_status_parse(&status, text, strlen(text)), 0);
        assert_int_equal(status.tgid, 77);
        assert_int_equal(status.uid, 1001);
        assert_int_equal(proc_status_parse(&status, text, 30), -EINVAL);
        assert_int_equal(proc_status_parse(&status, "Tgid:\t1\nUid:\t-1\t-2\n", 20), -EINVAL);
}

static void a_cgroup_is_found_by_its_controller(void **state) {
        static const char text[] = "5:cpuset,memory:/a:b\n1:name=systemd:/user.slice\n0::/unified\n";
        char path[64];

        assert_int_equal(proc_cgroup_parse(path, sizeof(path), text, strlen(text), "memory"), 0);
        assert_string_equal(path, "/a:b");
        assert_int_equal(proc_cgroup_parse(path, sizeof(path), text, strlen(text), "name=systemd"), 0);
        assert_string_equal(path, "/user.slice");
        assert_int_equal(proc_cgroup_parse(path, sizeof(path), text, strlen(text), NULL), 0);
        assert_string_equal(path, "/unified");
        assert_int_equal(proc_cgroup_parse(path, sizeof(path), text, strlen(text), "mem"), -ENOENT);
        assert_int_equal(proc_cgroup_parse(path, 4, text, strlen(text), NULL), -ENOBUFS);
        assert_int_equal(proc_cgroup_parse(path, sizeof(path), "junk\n:\n", 7, NULL), -ENOENT);
}

static void a_unit_is_the_last_part_that_is_called_so(void **state) {
        static const struct {
                const char *path, *unit;
        } rows[] = {
                { "/system.slice/vm.service", "vm.service" },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/vm.service", "vm.service" },
                { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
                { "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator", "machine-qemu\\x2d1\\x2dweb.scope" },
                { "/system.slice", "" },
                { "/", "" },
                { "", "" },
                { "/.service/x", "" },
                { "/../../system.slice/vm.service/", "vm.service" },
        };
        char unit[48], little[8];

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                proc_unit_of_cgroup(unit, sizeof(unit), rows[i].path);
                assert_string_equal(unit, rows[i].unit);
        }
        proc_unit_of_cgroup(little, sizeof(little), "/a-long-one.service");
        assert_string_equal(little, "");
}

static void an_instance_reads_back(void **state) {
        struct proc_instance instance;

        assert_int_equal(proc_instance_parse(&instance, "d3a0-1:43:3051"), 0);
        assert_string_equal(instance.boot_id, "d3a0-1");
        assert_int_equal(instance.pid, 43);
        assert_int_equal(instance.start_time, 3051);
        assert_int_equal(proc_instance_parse(&instance, "d3a0-1:44:3052:917.2"), 0);
        assert_int_equal(instance.pid, 44);
        assert_int_equal(instance.start_time, 3052);
}

static void what_is_no_instance_is_refused(void **state) {
        static const char *const texts[] = {
                "",        ":",
                "::",      "b:43",
                "b:43:",   ":43:1",
                "b:0:1",   "b:-3:1",
                "b:43:1x", "b:99999999999:1",
                "b:43 :1", "0123456789012345678901234567890123456789:43:1",
        };
        struct proc_instance instance;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(proc_instance_parse(&instance, texts[i]), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_stat_says_who_a_process_is),
                cmocka_unit_test(a_name_may_look_like_the_rest_of_the_line),
                cmocka_unit_test(a_cut_stat_is_refused_at_every_length),
                cmocka_unit_test(what_is_no_stat_is_refused),
                cmocka_unit_test(a_status_names_process_and_user),
                cmocka_unit_test(a_cgroup_is_found_by_its_controller),
                cmocka_unit_test(a_unit_is_the_last_part_that_is_called_so),
                cmocka_unit_test(an_instance_reads_back),
                cmocka_unit_test(what_is_no_instance_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
