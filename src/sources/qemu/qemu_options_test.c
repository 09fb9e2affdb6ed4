#include "sources/qemu/qemu_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct qemu_options read_words(size_t n, const char *const *words) {
        struct qemu_options options;

        qemu_options_read(&options, n, (char *const *)words);
        return options;
}

#define READ_LINE(...)                                                                                       \
        ({                                                                                                   \
                const char *const _words[] = { __VA_ARGS__ };                                                \
                read_words(sizeof(_words) / sizeof(_words[0]), _words);                                      \
        })
#define READ(...) READ_LINE("qemu-system-x86_64", __VA_ARGS__)

static void expect_arguments(struct qemu_options options, const char *path, const char *expected) {
        char text[1024] = "";
        char **arguments = NULL;

        assert_int_equal(qemu_options_monitor_arguments(&arguments, &options, path), 0);
        for (size_t i = 0; arguments[i]; i++) {
                strcat(text, i ? " " : "");
                strcat(text, arguments[i]);
        }
        free(arguments);
        assert_string_equal(text, expected);
}

#define MONITOR "-chardev socket,id=vmpower,path=/run/q,server=on,wait=off -mon chardev=vmpower,mode=control"

static void a_name_is_read_in_either_form(void **state) {
        assert_string_equal(READ("-name", "web-1").name, "web-1");
        assert_string_equal(READ("-name", "guest=web-1,debug-threads=on").name, "web-1");
        assert_string_equal(READ("-name", "debug-threads=on,guest=web-1").name, "web-1");
        assert_string_equal(READ("-name", "a,,b,debug-threads=on").name, "a,b");
        assert_string_equal(READ("-name", "guest=a,,,process=x").name, "a,");
        assert_string_equal(READ("--name", "web-1").name, "web-1");
        assert_string_equal(READ("-name", "one", "-name", "debug-threads=on").name, "one");
        assert_string_equal(READ("-name", "one", "-name", "two").name, "two");
        assert_string_equal(READ("-name", "debug-threads=on").name, "");
        assert_string_equal(READ("-name", "a\nb").name, "a?b");
        assert_string_equal(READ("-m", "2").name, "");
        assert_string_equal(READ("-name").name, "");
        assert_string_equal(READ("-uuid", "6f3d").uuid, "6f3d");
}

static void the_argument_of_an_option_is_no_option(void **state) {
        struct qemu_options options = READ("-append", "-S", "-kernel", "-no-reboot", "-name", "-daemonize");

        assert_false(options.stopped);
        assert_false(options.no_reboot);
        assert_false(options.daemonize);
        assert_string_equal(options.name, "-daemonize");
        /* Nor is the word behind an option without argument its argument. */
        options = READ("-nographic", "-S", "--snapshot", "--no-reboot", "disk.img", "-enable-kvm",
                       "-daemonize");
        assert_true(options.nographic && options.stopped && options.no_reboot && options.daemonize);
        options = READ("-unheard-of", "-S", "-no-shutdown");
        assert_false(options.stopped);
        assert_true(options.no_shutdown);
}

static void what_each_event_does_is_read_from_all_its_options(void **state) {
        struct qemu_options options =
                READ("-action", "reboot=shutdown,shutdown=pause", "-action", "panic=pause");

        assert_string_equal(options.on_reboot, "shutdown");
        assert_string_equal(options.on_shutdown, "pause");
        assert_string_equal(options.on_panic, "pause");
        assert_string_equal(options.on_watchdog, "");
        assert_false(options.no_reboot || options.no_shutdown);

        options = READ("-no-reboot", "-no-shutdown", "-watchdog-action", "poweroff");
        assert_true(options.no_reboot && options.no_shutdown);
        assert_string_equal(options.on_reboot, "shutdown");
        assert_string_equal(options.on_shutdown, "pause");
        assert_string_equal(options.on_watchdog, "poweroff");
        assert_string_equal(READ("-no-reboot", "-action", "reboot=reset").on_reboot, "reset");
}

static void a_wrapper_may_stand_before(void **state) {
        static const char *const niced[] = { "nice", "-n", "5", "/usr/bin/qemu-system-x86_64", "-name", "a" };
        static const char *const script[] = { "./run-vm.sh", "-name", "a", "qemu-system-x.img" };
        static const char *const nothing[] = { "qemu-kvm" };

        assert_string_equal(read_words(6, niced).name, "a");
        assert_string_equal(read_words(4, script).name, "a");
        assert_true(read_words(1, nothing).has_default_monitor);
        assert_true(read_words(0, NULL).has_default_monitor);
}

static void what_a_guest_may_write_to_standard_error_by_is_seen(void **state) {
        assert_true(READ("-debugcon", "file:/dev/stderr").shares_stderr);
        assert_true(READ("-serial", "file:/dev/fd/2").shares_stderr);
        assert_true(READ("-chardev", "file,id=a,path=/proc/self/fd/2").shares_stderr);
        assert_false(READ("-serial", "stdio").shares_stderr);
        assert_false(READ("-serial", "file:/tmp/log").shares_stderr);
}

static void a_debug_exit_device_is_seen(void **state) {
        assert_true(READ("-device", "isa-debug-exit,iobase=0xf4").has_debug_exit);
        assert_true(READ("-device", "iobase=0xf4,driver=isa-debug-exit").has_debug_exit);
        assert_true(READ("-device", "{\"driver\": \"isa-debug-exit\", \"iobase\": 244}").has_debug_exit);
        assert_false(READ("-device", "e1000").has_debug_exit);
        assert_false(READ("-append", "isa-debug-exit").has_debug_exit);
        assert_false(READ("-device", "{\"driver\": 5").has_debug_exit);
        assert_false(READ("-device", "{\"driver\": {}}").has_debug_exit);
}

static void a_window_is_where_one_can_be_opened(void **state) {
        assert_true(READ("-m", "2").has_window);
        assert_true(READ("-display", "gtk,gl=on").has_window);
        assert_true(READ("-display", "curses").has_window);
        assert_true(READ("-vnc", ":1", "-display", "sdl").has_window);
        assert_true(READ("-display", "sdl", "-vnc", ":1").has_window);
        assert_false(READ("-nographic").has_window);
        assert_false(READ("-display", "none").has_window);
        assert_false(READ("-display", "vnc=:1").has_window);
        assert_false(READ("-display", "egl-headless,rendernode=/dev/dri/renderD128").has_window);
        assert_false(READ("-vnc", ":1").has_window);
        assert_false(READ("-spice", "port=1").has_window);
        assert_false(READ("-display", "gtk", "-nographic").has_window);
}

static void what_runs_no_vm_is_known(void **state) {
        assert_true(READ("-version").only_informs);
        assert_true(READ("--help").only_informs);
        assert_true(READ("-M", "help").only_informs);
        assert_true(READ("-device", "?").only_informs);
        assert_true(READ("-smp", "help").only_informs);
        assert_true(READ("-dump-vmstate", "/tmp/state").only_informs);
        assert_false(READ("-name", "help").only_informs);
        assert_false(READ("-m", "2").only_informs);
        assert_string_equal(READ("-incoming", "tcp:0:4444").incoming, "tcp:0:4444");
}

static void our_monitor_is_added_and_the_vm_held_until_it_listens(void **state) {
        expect_arguments(READ("-nodefaults"), "/run/q", MONITOR " -S");
        expect_arguments(READ("-nodefaults", "-S"), "/run/q", MONITOR);
        expect_arguments(READ("-nodefaults", "-preconfig"), "/run/q", MONITOR);
        expect_arguments(READ("-nodefaults", "-S"), "/a,b,,",
                         "-chardev socket,id=vmpower,path=/a,,b,,,,,server=on,wait=off -mon "
                         "chardev=vmpower,mode=control");
}

static void the_monitor_of_our_own_has_its_own_words(void **state) {
        expect_arguments(READ_LINE("vmpower-vmm", "--bios", "x"), "/run/q", "--qmp /run/q --paused --on-halt none");
        expect_arguments(READ_LINE("nice", "/usr/bin/vmpower-vmm", "--paused"), "/run/q", "--qmp /run/q --on-halt none");
        expect_arguments(READ_LINE("vmpower-vmm", "--on-halt", "poweroff"), "/run/q", "--qmp /run/q --paused");
        expect_arguments(READ_LINE("vmpower-vmm", "--on-halt=poweroff"), "/run/q", "--qmp /run/q --paused");
        assert_true(READ_LINE("vmpower-vmm", "--help").only_informs);
        assert_false(READ_LINE("vmpower-vmm", "--bios", "x").only_informs);
        assert_string_equal(READ_LINE("vmpower-vmm", "--bios", "x").name, "");
        assert_string_equal(READ_LINE("vmpower-vmm", "--name=web-1", "--bios", "x").name, "web-1");
        /* What is a value is no option, and no program. */
        assert_true(READ_LINE("vmpower-vmm", "--name", "kvm").is_vmpower_vmm);
        assert_string_equal(READ_LINE("vmpower-vmm", "--name", "kvm").name, "kvm");
        assert_false(READ_LINE("vmpower-vmm", "--append", "--paused").stopped);
        assert_false(READ_LINE("vmpower-vmm", "--append", "--help").only_informs);
        /* A QEMU that is given such a name somewhere is a QEMU. */
        assert_false(READ("-name", "vmpower-vmm").is_vmpower_vmm);
        assert_false(READ_LINE("my-vmpower-vmm").is_vmpower_vmm);
}

/* Each of these was compared with QEMU 7.2's own monitor: the same chardevs, with and without us. */
static void qemus_own_monitor_stays_where_it_would_be(void **state) {
        expect_arguments(READ("-S"), "/run/q", MONITOR " -monitor vc:80Cx24C");
        expect_arguments(READ("-S", "-serial", "stdio"), "/run/q", MONITOR " -monitor vc:80Cx24C");
        expect_arguments(READ("-S", "-nographic"), "/run/q", MONITOR " -serial mon:stdio");
        expect_arguments(READ("-S", "-nographic", "-M", "microvm"), "/run/q", MONITOR " -serial mon:stdio");
        expect_arguments(READ("-S", "-nographic", "-debugcon", "mon:null"), "/run/q",
                         MONITOR " -serial mon:stdio");
        expect_arguments(READ("-S", "-nographic", "-serial", "null"), "/run/q", MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-serial", "none"), "/run/q", MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-device", "isa-serial,chardev=n"), "/run/q",
                         MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-device", "{\"driver\":\"isa-serial\"}"), "/run/q",
                         MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-global", "isa-serial.iobase=1"), "/run/q",
                         MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-global", "driver=isa-serial,property=iobase,value=1"),
                         "/run/q", MONITOR " -monitor stdio");
        expect_arguments(READ("-S", "-nographic", "-M", "none"), "/run/q", MONITOR " -monitor stdio");
}

static void what_switches_qemus_own_monitor_off_is_respected(void **state) {
        static const char *const options[][2] = {
                { "-monitor", "none" },     { "-monitor", "stdio" },      { "-qmp", "null" },
                { "-mon", "chardev=m" },    { "-qmp-pretty", "null" },    { "-nodefaults", "-nographic" },
                { "-serial", "mon:stdio" }, { "-parallel", "mon:stdio" },
        };

        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
                assert_false(READ(options[i][0], options[i][1]).has_default_monitor);
                expect_arguments(READ("-S", options[i][0], options[i][1]), "/run/q", MONITOR);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_name_is_read_in_either_form),
                cmocka_unit_test(the_argument_of_an_option_is_no_option),
                cmocka_unit_test(what_each_event_does_is_read_from_all_its_options),
                cmocka_unit_test(a_wrapper_may_stand_before),
                cmocka_unit_test(what_a_guest_may_write_to_standard_error_by_is_seen),
                cmocka_unit_test(a_debug_exit_device_is_seen),
                cmocka_unit_test(a_window_is_where_one_can_be_opened),
                cmocka_unit_test(what_runs_no_vm_is_known),
                cmocka_unit_test(our_monitor_is_added_and_the_vm_held_until_it_listens),
                cmocka_unit_test(the_monitor_of_our_own_has_its_own_words),
                cmocka_unit_test(qemus_own_monitor_stays_where_it_would_be),
                cmocka_unit_test(what_switches_qemus_own_monitor_off_is_respected),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
