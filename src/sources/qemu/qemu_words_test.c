#include "sources/qemu/qemu_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* "option argument|option|…" */
#define EXPECT_WORDS(expected, ...)                                                                          \
        do {                                                                                                 \
                const char *const _line[] = { __VA_ARGS__ };                                                 \
                expect_words(expected, sizeof(_line) / sizeof(_line[0]), _line);                             \
        } while (0)

static void expect_words(const char *expected, size_t n, const char *const *line) {
        char text[1024] = "";
        struct qemu_words words;
        const char *option, *argument;

        qemu_words_init(&words, n, (char *const *)line);
        while (qemu_words_next(&words, &option, &argument)) {
                strcat(text, *text ? "|" : "");
                strcat(text, option);
                strcat(text, argument ? " " : "");
                strcat(text, argument ? argument : "");
        }
        assert_string_equal(text, expected);
}

static void options_take_their_arguments_and_no_others(void **state) {
        EXPECT_WORDS("S|name a|enable-kvm|m 2", "qemu-system-x86_64", "-S", "-name", "a", "--enable-kvm",
                     "-m", "2");
        EXPECT_WORDS("append -qmp|kernel -S|nographic", "qemu-kvm", "-append", "-qmp", "-kernel", "-S",
                     "-nographic");
        EXPECT_WORDS("snapshot|name a", "kvm", "disk.img", "-snapshot", "other.img", "-name", "a");
        EXPECT_WORDS("preconfig|S", "/usr/bin/kvm", "-preconfig", "-S");
        EXPECT_WORDS("qmp", "qemu-system-arm", "-qmp");
        EXPECT_WORDS(" -x|", "qemu-system-arm", "-", "-x", "--");
        EXPECT_WORDS("", "qemu-system-arm");
        expect_words("", 0, NULL);
}

static void reading_starts_behind_the_wrappers(void **state) {
        EXPECT_WORDS("m 2", "nice", "-n", "5", "/opt/bin/qemu-system-riscv64", "-m", "2");
        EXPECT_WORDS("n 5|m 2", "unheard-of", "-n", "5", "-m", "2");
        EXPECT_WORDS("name qemu-kvm", "kvm", "-name", "qemu-kvm");
}

static void vmpower_vmms_words_are_cut_as_getopt_cuts_them(void **state) {
        EXPECT_WORDS("bios x|paused|name a b|qmp /q", "vmpower-vmm", "--bios", "x", "--paused", "--name=a b", "--qmp", "/q");
        EXPECT_WORDS("append --qmp=/q|fw-cfg a=b|h", "/usr/bin/vmpower-vmm", "--append", "--qmp=/q", "--fw-cfg", "a=b", "-h");
        EXPECT_WORDS("name qemu-kvm|qmp ", "nice", "vmpower-vmm", "--name", "qemu-kvm", "--qmp=");
        EXPECT_WORDS("qmp", "vmpower-vmm", "word", "--qmp");
        EXPECT_WORDS("paused", "vmpower-vmm", "--an-option-that-is-longer-than-any", "--paused");
        EXPECT_WORDS("name vmpower-vmm|paused -S", "kvm", "-name", "vmpower-vmm", "--paused", "-S");
}

static void a_machines_qemu_is_known_by_its_name(void **state) {
        static const char *const machines[] = { "qemu-system-x86_64", "/usr/bin/qemu-system-aarch64", "./kvm",
                                                "/usr/libexec/qemu-kvm" };
        static const char *const others[] = { "qemu-x86_64",
                                              "qemu-aarch64-static",
                                              "qemu-system-",
                                              "qemu-system.img",
                                              "qemu-img",
                                              "kvm-spice",
                                              "/kvm/",
                                              "qemu-system-x86_64.",
                                              "qemu-system-x86_64/x",
                                              "xqemu-system-x86_64",
                                              "" };

        for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
                assert_true(qemu_words_is_program(machines[i]));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(qemu_words_is_program(others[i]));
}

static void expect_members(const char *members, const char *implied, const char *expected) {
        struct qemu_member member;
        char text[2048] = "";

        for (; qemu_member_next(&member, &members, implied); implied = NULL) {
                strcat(text, *text ? "|" : "");
                strcat(text, member.key);
                strcat(text, "=");
                strcat(text, member.value);
        }
        assert_string_equal(text, expected);
}

static void members_are_cut_as_qemu_cuts_them(void **state) {
        expect_members("a=1,b=2", NULL, "a=1|b=2");
        expect_members("/run/q,server,nowait", "path", "path=/run/q|server=on|wait=off");
        expect_members("path=/run/q", "path", "path=/run/q");
        expect_members("/a,,b,,,server=on", "path", "path=/a,b,|server=on");
        expect_members("a=x=y,b=", NULL, "a=x=y|b=");
        expect_members(",a=1", "path", "path=|a=1");
        expect_members(",a=1", NULL, "=on|a=1");
        expect_members("no", NULL, "=off");
        expect_members("n", NULL, "n=on");
        expect_members("a=,", NULL, "a=");
        expect_members("a=,,", NULL, "a=,");
        expect_members("a,,b", NULL, "a=on|=on|b=on");
        expect_members("", "path", "");
        expect_members("=", "path", "=");
}

static void what_is_too_long_is_nothing_rather_than_half(void **state) {
        char members[4 * QEMU_MEMBER_VALUE_MAX];
        struct qemu_member member;
        const char *p = members;

        snprintf(members, sizeof(members), "path=%0*d,%0*d=1,%0*d,x=2", QEMU_MEMBER_VALUE_MAX, 0,
                 QEMU_MEMBER_KEY_MAX, 0, QEMU_MEMBER_KEY_MAX, 0);
        assert_true(qemu_member_next(&member, &p, NULL));
        assert_string_equal(member.key, "path");
        assert_string_equal(member.value, "");
        assert_true(qemu_member_next(&member, &p, NULL));
        assert_string_equal(member.key, "");
        assert_string_equal(member.value, "1");
        assert_true(qemu_member_next(&member, &p, NULL));
        assert_string_equal(member.key, "");
        assert_true(qemu_member_next(&member, &p, NULL));
        assert_string_equal(member.value, "2");
        assert_false(qemu_member_next(&member, &p, NULL));

        snprintf(members, sizeof(members), "path=%0*d", QEMU_MEMBER_VALUE_MAX - 1, 0);
        p = members;
        assert_true(qemu_member_next(&member, &p, NULL));
        assert_int_equal(strlen(member.value), QEMU_MEMBER_VALUE_MAX - 1);
}

static void a_truth_has_four_words(void **state) {
        static const char *const words[] = { "on",    "yes", "true", "y",  "off", "no",
                                             "false", "n",   "1",    "ON", "" };
        struct qemu_member member = { 0 };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                snprintf(member.value, sizeof(member.value), "%s", words[i]);
                assert_int_equal(qemu_member_is_true(&member), i < 4);
        }
}

/* Whatever bytes come, reading ends, and every member is terminated. */
static void any_bytes_end(void **state) {
        static const char letters[] = "a=,no\xff ";
        uint32_t seed = 1;

        for (unsigned i = 0; i < 20000; i++) {
                char members[40] = "";
                struct qemu_member member;
                const char *p = members;
                size_t n = 0;

                for (size_t j = 0; j + 1 < sizeof(members) && (j < 2 || seed % 16); j++) {
                        seed = seed * 1664525 + 1013904223;
                        members[j] = letters[(seed >> 16) % (sizeof(letters) - 1)];
                }
                while (qemu_member_next(&member, &p, n ? NULL : "path")) {
                        assert_true(strlen(member.key) < sizeof(member.key));
                        assert_true(strlen(member.value) < sizeof(member.value));
                        assert_true(p <= members + strlen(members));
                        assert_true(n++ < sizeof(members));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_take_their_arguments_and_no_others),
                cmocka_unit_test(reading_starts_behind_the_wrappers),
                cmocka_unit_test(vmpower_vmms_words_are_cut_as_getopt_cuts_them),
                cmocka_unit_test(a_machines_qemu_is_known_by_its_name),
                cmocka_unit_test(members_are_cut_as_qemu_cuts_them),
                cmocka_unit_test(what_is_too_long_is_nothing_rather_than_half),
                cmocka_unit_test(a_truth_has_four_words),
                cmocka_unit_test(any_bytes_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
