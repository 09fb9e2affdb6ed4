#include "sources/process/cgroup_oom.h"
#include "sources/process/cgroup_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_path(const char *expected, const char *cgroup, const char *mountinfo) {
        char path[PATH_MAX];

        assert_int_equal(
                cgroup_oom_path(path, sizeof(path), cgroup, strlen(cgroup), mountinfo, strlen(mountinfo)), 0);
        assert_string_equal(path, expected);
}

#define V1_MEMORY                                                                                            \
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 master:1 - cgroup cgroup rw,memory\n"
#define V1_CPU "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
#define V2     "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"

static void the_counter_is_found_in_either_version(void **state) {
        expect_path("/sys/fs/cgroup/memory/vm/a/memory.oom_control", "5:cpu:/x\n4:memory:/vm/a\n0::/y\n",
                    V1_CPU V1_MEMORY V2);
        expect_path("/sys/fs/cgroup/machine.slice/memory.events", "0::/machine.slice\n", V2);
        expect_path("/sys/fs/cgroup/memory.events", "0::/\n", V2);
        /* A hybrid: the unified hierarchy is there, but memory is not in it. */
        expect_path("/sys/fs/cgroup/memory/memory.oom_control", "4:memory:/\n0::/y\n", V2 V1_MEMORY);
}

static void a_mount_may_show_a_part_only(void **state) {
        char path[PATH_MAX];
        static const char bind[] = "41 31 0:38 /docker/ab /sys/fs/c\\040g rw - cgroup2 none rw\n";
        static const char inside[] = "0::/docker/ab/vm\n";
        static const char *const outside[] = { "0::/docker/abc\n", "0::/other\n", "0::/\n" };

        expect_path("/sys/fs/c g/vm/memory.events", inside, bind);
        expect_path("/sys/fs/c g/memory.events", "0::/docker/ab\n", bind);
        for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
                assert_int_equal(cgroup_oom_path(path, sizeof(path), outside[i], strlen(outside[i]), bind,
                                                 strlen(bind)),
                                 -ENOENT);
        assert_int_equal(cgroup_oom_path(path, sizeof(path), "0::/../a\n", 9, V2, strlen(V2)), -ENOENT);
}

static void where_there_is_no_counter_none_is_found(void **state) {
        static const char *const mountinfos[] = { "",     "\n",
                                                  "x",    "41 31 0:38 / /p rw - cgroup2",
                                                  V1_CPU, "41 31 0:38 / /p rw cgroup2 cgroup2 rw\n" };
        char path[PATH_MAX];

        for (size_t i = 0; i < 3; i++)
                assert_int_equal(cgroup_oom_path(path, sizeof(path), "0::/a\n", 6, mountinfos[i],
                                                 strlen(mountinfos[i])),
                                 -ENOENT);
        assert_int_equal(
                cgroup_oom_path(path, sizeof(path), "0::/a\n", 6, mountinfos[4], strlen(mountinfos[4])),
                -ENOENT);
        assert_int_equal(
                cgroup_oom_path(path, sizeof(path), "0::/a\n", 6, mountinfos[5], strlen(mountinfos[5])),
                -ENOENT);
        assert_int_equal(cgroup_oom_path(path, sizeof(path), "", 0, V2, strlen(V2)), -ENOENT);
        assert_int_equal(cgroup_oom_path(path, 10, "0::/a\n", 6, V2, strlen(V2)), -ENOBUFS);
}

static void the_counter_is_read_from_either_version(void **state) {
        static const char v1[] = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        static const char v2[] = "low 0\nhigh 0\nmax 17\noom 5\noom_kill 4\noom_group_kill 9\n";
        static const char *const others[] = { "", "oom_kill", "oom_kill \n", "oom_kill x\n",
                                              "oom_group_kill 3\n" };
        uint64_t kills;

        assert_int_equal(cgroup_oom_parse(&kills, v1, strlen(v1)), 0);
        assert_int_equal(kills, 3);
        assert_int_equal(cgroup_oom_parse(&kills, v2, strlen(v2)), 0);
        assert_int_equal(kills, 4);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_int_equal(cgroup_oom_parse(&kills, others[i], strlen(others[i])), -EINVAL);
}

static void a_real_oom_kill_raises_the_counter(void **state) {
        struct cgroup_fixture cgroup = cgroup_fixture_make();
        struct cgroup_oom counter = { .fd = -1 };
        uint64_t kills = 99;
        int trigger, status;
        pid_t pid;

        if (cgroup.why_not) {
                print_message("# skipped: %s\n", cgroup.why_not);
                return;
        }
        /* What was before does not count: the second time, too, it is one. */
        for (size_t i = 0; i < 2; i++) {
                pid = cgroup_fixture_start(&cgroup, &trigger);
                assert_true(pid > 0);
                cgroup_oom_close(&counter);
                assert_int_equal(cgroup_oom_open(&counter, pid), 0);
                assert_int_equal(cgroup_oom_rise(&counter, &kills), 0);
                assert_int_equal(kills, 0);
                close(trigger);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                assert_int_equal(cgroup_oom_rise(&counter, &kills), 0);
                assert_int_equal(kills, 1);
        }

        /* A cgroup that is gone says so, and does not look like one without kills. */
        cgroup_fixture_remove(&cgroup);
        assert_int_equal(cgroup_oom_rise(&counter, &kills), -ENODEV);
        cgroup_oom_close(&counter);
        assert_int_equal(cgroup_oom_rise(&counter, &kills), -ENOENT);
        cgroup_oom_close(&counter);
}

static void a_process_that_is_gone_has_no_counter(void **state) {
        struct cgroup_oom counter = { .fd = 0 };

        assert_int_equal(cgroup_oom_open(&counter, 0x7ffffff0), -ENOENT);
        assert_int_equal(counter.fd, -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_counter_is_found_in_either_version),
                cmocka_unit_test(a_mount_may_show_a_part_only),
                cmocka_unit_test(where_there_is_no_counter_none_is_found),
                cmocka_unit_test(the_counter_is_read_from_either_version),
                cmocka_unit_test(a_real_oom_kill_raises_the_counter),
                cmocka_unit_test(a_process_that_is_gone_has_no_counter),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
