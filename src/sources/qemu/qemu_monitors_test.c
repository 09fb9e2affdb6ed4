#include "sources/qemu/qemu_monitors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct qemu_monitors read_words(size_t n, const char *const *words) {
        struct qemu_monitors monitors;

        qemu_monitors_read(&monitors, n, (char *const *)words);
        return monitors;
}

#define READ(...)                                                                                            \
        ({                                                                                                   \
                const char *const _words[] = { "qemu-system-x86_64", __VA_ARGS__ };                          \
                read_words(sizeof(_words) / sizeof(_words[0]), _words);                                      \
        })

static void expect_one(struct qemu_monitors monitors, enum qemu_monitor_kind kind, const char *address,
                       bool is_server) {
        assert_int_equal(monitors.n_items, 1);
        assert_int_equal(monitors.n_omitted, 0);
        assert_int_equal(monitors.items[0].kind, kind);
        assert_string_equal(monitors.items[0].address, address);
        assert_int_equal(monitors.items[0].is_server, is_server);
}

#define EXPECT_UNIX(address, ...)  expect_one(READ(__VA_ARGS__), QEMU_MONITOR_UNIX, address, true)
#define EXPECT_OTHER(address, ...) expect_one(READ(__VA_ARGS__), QEMU_MONITOR_OTHER, address, false)

static void a_qmp_option_is_a_monitor(void **state) {
        struct qemu_monitors monitors;

        EXPECT_UNIX("/run/q", "-qmp", "unix:/run/q,server=on,wait=off");
        EXPECT_UNIX("/run/q", "--qmp", "unix:/run/q,server,nowait");
        EXPECT_UNIX("/run/q", "-qmp", "unix:path=/run/q,server=yes");
        EXPECT_UNIX("/run/a,b", "-qmp", "unix:/run/a,,b,server=y");
        EXPECT_UNIX("q.sock", "-qmp", "unix:q.sock,server=true");
        EXPECT_UNIX("/run/q", "-qmp", "mon:unix:/run/q,server=on");
        expect_one(READ("-qmp", "unix:/run/q"), QEMU_MONITOR_UNIX, "/run/q", false);
        expect_one(READ("-qmp", "unix:/run/q,server=on,server=off"), QEMU_MONITOR_UNIX, "/run/q", false);
        expect_one(READ("-qmp", "unix:/run/q,noserver"), QEMU_MONITOR_UNIX, "/run/q", false);
        expect_one(READ("-qmp", "unix:q,abstract=on,server=on"), QEMU_MONITOR_ABSTRACT, "q", true);
        expect_one(READ("-qmp", "tcp:127.0.0.1:4444,server,nowait"), QEMU_MONITOR_TCP, "127.0.0.1:4444",
                   true);
        expect_one(READ("-qmp", "tcp::4444,server=on"), QEMU_MONITOR_TCP, ":4444", true);
        expect_one(READ("-qmp", "tcp:host:4444"), QEMU_MONITOR_TCP, "host:4444", false);
        EXPECT_OTHER("stdio", "-qmp", "stdio");
        EXPECT_OTHER("telnet:localhost:1,server=on", "-qmp", "telnet:localhost:1,server=on");
        EXPECT_OTHER("", "-qmp", "");
        expect_one(READ("-qmp", "tcp:host:1,tls-creds=t,server=on"), QEMU_MONITOR_OTHER, "host:1", true);

        monitors = READ("-qmp-pretty", "unix:/run/q,server=on");
        assert_true(monitors.items[0].is_pretty);
        expect_one(monitors, QEMU_MONITOR_UNIX, "/run/q", true);
        assert_false(READ("-qmp", "unix:/run/q,server=on").items[0].is_pretty);
}

#define CHARDEV "-chardev", "socket,id=m,path=/run/q,server=on,wait=off"

#define READ_LINE(...)                                                                                       \
        ({                                                                                                   \
                const char *const _words[] = { __VA_ARGS__ };                                                \
                read_words(sizeof(_words) / sizeof(_words[0]), _words);                                      \
        })

static void vmpower_vmm_has_one_for_each_qmp(void **state) {
        struct qemu_monitors two;

        expect_one(READ_LINE("vmpower-vmm", "--qmp", "/run/q,a", "--bios", "x"), QEMU_MONITOR_UNIX, "/run/q,a", true);
        expect_one(READ_LINE("nice", "/usr/bin/vmpower-vmm", "--qmp=q"), QEMU_MONITOR_UNIX, "q", true);
        two = READ_LINE("vmpower-vmm", "--qmp", "a", "--qmp", "b");
        assert_int_equal(two.n_items, 2);
        assert_string_equal(two.items[0].address, "a");
        assert_string_equal(two.items[1].address, "b");
        assert_int_equal(READ_LINE("vmpower-vmm", "--bios", "x").n_items, 0);
        assert_int_equal(READ_LINE("vmpower-vmm", "--append", "--qmp=a", "--qmp").n_items, 0);
        assert_int_equal(READ_LINE("vmpower-vmm", "--qtest", "a", "--monitor", "stdio").n_items, 0);
        assert_true(READ_LINE("vmpower-vmm", "--qmp", "/run/libvirt/x").is_libvirts);
        assert_false(READ_LINE("vmpower-vmm", "--qmp", "/run/q").is_libvirts);
}

static void a_chardev_with_a_mon_option_is_a_monitor(void **state) {
        struct qemu_monitors monitors;

        EXPECT_UNIX("/run/q", CHARDEV, "-mon", "chardev=m,mode=control");
        EXPECT_UNIX("/run/q", "-mon", "chardev=m,mode=control", CHARDEV);
        EXPECT_UNIX("/run/q", "-mon", "m,mode=control", CHARDEV);
        EXPECT_UNIX("/run/q", "-mon", "id=x,mode=control,chardev=m", CHARDEV);
        EXPECT_UNIX("/run/q", "-qmp", "chardev:m", CHARDEV);
        EXPECT_UNIX("/run/q", "-mon", "m,mode=readline,mode=control", CHARDEV);
        EXPECT_UNIX("/run/q", "-mon", "m,mode=control", "-chardev",
                    "backend=socket,path=/x,id=m,path=/run/q,id=n,server=off,server=on");
        EXPECT_UNIX("/run/q", "-mon", "m,mode=control", "-chardev", "socket,id=n,path=/x", CHARDEV);
        expect_one(READ("-chardev", "socket,id=m,fd=35,server=on", "-mon", "m,mode=control"), QEMU_MONITOR_FD,
                   "35", true);
        expect_one(READ("-chardev", "socket,id=m,host=h,port=9", "-mon", "m,mode=control"), QEMU_MONITOR_TCP,
                   "h:9", false);
        EXPECT_OTHER("pty", "-chardev", "pty,id=m", "-mon", "m,mode=control");
        EXPECT_OTHER("socket", "-chardev", "socket,id=m", "-mon", "m,mode=control");
        EXPECT_OTHER("", "-mon", "m,mode=control");
        EXPECT_OTHER("", "-mon", "mode=control", CHARDEV);
        EXPECT_OTHER("", "-mon", "mode=control", "-chardev", "socket,path=/x");
        expect_one(READ("-chardev", "socket,id=m,path=/q,server=on,websocket=on", "-mon", "m,mode=control"),
                   QEMU_MONITOR_OTHER, "/q", true);

        monitors = READ(CHARDEV, "-mon", "chardev=m,mode=control,pretty=on");
        assert_true(monitors.items[0].is_pretty);
        assert_string_equal(monitors.items[0].chardev, "m");
}

static void what_is_for_people_is_no_monitor_of_ours(void **state) {
        assert_int_equal(READ("-monitor", "unix:/run/q,server=on").n_items, 0);
        assert_int_equal(READ(CHARDEV, "-mon", "chardev=m").n_items, 0);
        assert_int_equal(READ(CHARDEV, "-mon", "chardev=m,mode=readline").n_items, 0);
        assert_int_equal(READ(CHARDEV, "-mon", "chardev=m,mode=control,mode=readline").n_items, 0);
        assert_int_equal(READ(CHARDEV, "-serial", "chardev:m").n_items, 0);
        assert_int_equal(READ("-append", "-qmp", "unix:/run/q,server=on").n_items, 0);
        assert_int_equal(READ("-qmp").n_items, 0);
        assert_int_equal(READ("-mon").n_items, 0);
        assert_int_equal(read_words(0, NULL).n_items, 0);
}

static struct qemu_monitors read_all_words(size_t n, const char *const *words) {
        struct qemu_monitors monitors;

        qemu_monitors_read_all(&monitors, n, (char *const *)words);
        return monitors;
}

#define READ_ALL(...)                                                                                        \
        ({                                                                                                   \
                const char *const _words[] = { "qemu-system-x86_64", __VA_ARGS__ };                          \
                read_all_words(sizeof(_words) / sizeof(_words[0]), _words);                                  \
        })

#define EXPECT_HUMAN(kind, address, is_server, ...)                                                          \
        ({                                                                                                   \
                struct qemu_monitors _monitors = READ_ALL(__VA_ARGS__);                                      \
                expect_one(_monitors, kind, address, is_server);                                             \
                assert_true(_monitors.items[0].is_human);                                                    \
        })

static void all_are_those_for_people_too(void **state) {
        struct qemu_monitors monitors;

        EXPECT_HUMAN(QEMU_MONITOR_UNIX, "/run/q", true, "-monitor", "unix:/run/q,server=on");
        EXPECT_HUMAN(QEMU_MONITOR_UNIX, "/run/q", true, CHARDEV, "-mon", "chardev=m");
        EXPECT_HUMAN(QEMU_MONITOR_TCP, ":4444", true, "-monitor", "tcp::4444,server=on");
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "stdio", false, "-monitor", "stdio");
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "stdio", false, "-serial", "mon:stdio");
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "stdio", false, "-chardev", "stdio,mux=on,id=c", "-serial", "chardev:c", "-mon", "c");
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "none", false, "-monitor", "none");
        /* What QEMU has by itself, until an option switches it off. */
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "stdio", false, "-nographic");
        EXPECT_HUMAN(QEMU_MONITOR_OTHER, "vc", false, "-m", "2");
        assert_int_equal(READ_ALL("-nodefaults").n_items, 0);
        monitors = READ_ALL("-qmp", "unix:/run/q,server=on");
        assert_int_equal(monitors.n_items, 1);
        assert_false(monitors.items[0].is_human);
        monitors = READ_ALL("-qmp", "unix:/run/q,server=on", "-monitor", "stdio");
        assert_int_equal(monitors.n_items, 2);
        assert_true(monitors.items[1].is_human);
        assert_int_equal(READ_ALL("-serial", "stdio", "-qmp", "stdio").n_items, 1);
}

static void several_monitors_are_all_told(void **state) {
        struct qemu_monitors monitors =
                READ("-qmp", "unix:/a,server=on", CHARDEV, "-mon", "m,mode=control", "-qmp",
                     "unix:/a,server=on", "-monitor", "stdio", "-qmp", "stdio");
        const char *words[1 + 2 * (QEMU_MONITORS_MAX + 3)] = { "kvm" };

        assert_int_equal(monitors.n_items, 4);
        assert_string_equal(monitors.items[0].address, "/a");
        assert_string_equal(monitors.items[1].address, "/run/q");
        assert_string_equal(monitors.items[3].address, "stdio");
        for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i += 2) {
                words[i] = "-qmp";
                words[i + 1] = "unix:/a,server=on";
        }
        monitors = read_words(sizeof(words) / sizeof(words[0]), words);
        assert_int_equal(monitors.n_items, QEMU_MONITORS_MAX);
        assert_int_equal(monitors.n_omitted, 3);
}

static void libvirts_are_known(void **state) {
        assert_true(READ("-name", "guest=web,debug-threads=on", "-chardev",
                         "socket,id=charmonitor,fd=35,server=on,wait=off", "-mon",
                         "chardev=charmonitor,id=monitor,mode=control")
                            .is_libvirts);
        assert_true(READ("-qmp", "unix:/var/lib/libvirt/qemu/domain-1-a/monitor.sock,server=on").is_libvirts);
        assert_true(READ("-qmp", "unix:/run/libvirt/qemu/a.sock,server=on").is_libvirts);
        assert_true(READ("-qmp", "unix:/home/u/.config/libvirt/qemu/lib/domain-1-a/monitor.sock,server=on")
                            .is_libvirts);
        assert_false(READ("-name", "guest=web", CHARDEV, "-mon", "m,mode=control").is_libvirts);
        assert_false(READ("-qmp", "unix:/run/libvirtual/q,server=on").is_libvirts);
        assert_false(READ("-name", "web", "-chardev", "socket,id=charmonitor,path=/q,server=on", "-mon",
                          "charmonitor,mode=control")
                             .is_libvirts);
}

static void an_address_that_is_too_long_is_none(void **state) {
        char option[2 * QEMU_MONITOR_ADDRESS_MAX];
        char chardev[4 * QEMU_MONITOR_ADDRESS_MAX];
        char mon[4 * QEMU_MONITOR_ADDRESS_MAX];

        snprintf(option, sizeof(option), "unix:%0*d,server=on", QEMU_MONITOR_ADDRESS_MAX, 0);
        EXPECT_UNIX("", "-qmp", option);
        snprintf(option, sizeof(option), "tcp:%0*d,server=on", QEMU_MONITOR_ADDRESS_MAX, 0);
        expect_one(READ("-qmp", option), QEMU_MONITOR_TCP, "", true);
        snprintf(option, sizeof(option), "%0*d", QEMU_MONITOR_ADDRESS_MAX, 0);
        EXPECT_OTHER("", "-qmp", option);
        snprintf(chardev, sizeof(chardev), "socket,id=m,host=%0200d,port=%0200d", 0, 0);
        expect_one(READ("-chardev", chardev, "-mon", "m,mode=control"), QEMU_MONITOR_TCP, "", false);
        /* An id that long still finds its own. */
        snprintf(chardev, sizeof(chardev), "socket,path=/q,server=on,id=%0*d", QEMU_CHARDEV_ID_MAX, 0);
        snprintf(mon, sizeof(mon), "%0*d,mode=control", QEMU_CHARDEV_ID_MAX, 0);
        EXPECT_UNIX("/q", "-chardev", chardev, "-mon", mon);
        assert_string_equal(READ("-chardev", chardev, "-mon", mon).items[0].chardev, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_qmp_option_is_a_monitor),
                cmocka_unit_test(vmpower_vmm_has_one_for_each_qmp),
                cmocka_unit_test(a_chardev_with_a_mon_option_is_a_monitor),
                cmocka_unit_test(what_is_for_people_is_no_monitor_of_ours),
                cmocka_unit_test(all_are_those_for_people_too),
                cmocka_unit_test(several_monitors_are_all_told),
                cmocka_unit_test(libvirts_are_known),
                cmocka_unit_test(an_address_that_is_too_long_is_none),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
