#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/text.h"

static void printable_text_is_copied_as_it_is(void **state) {
        char text[32];

        text_set(text, sizeof(text), "qemu: grüße, 世界 🖥");
        assert_string_equal(text, "qemu: grüße, 世界 🖥");
        text_set(text, sizeof(text), "");
        assert_string_equal(text, "");
        text_set(text, sizeof(text), NULL);
        assert_string_equal(text, "");
}

static void what_is_not_printable_is_replaced(void **state) {
        static const struct {
                const char *from, *to;
        } cases[] = {
                { "a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?" },
                { "\xc2\x9b", "?" },             /* U+009B: a terminal's CSI */
                { "\xff\xfe", "??" },            /* no UTF-8 */
                { "\xc0\xaf", "??" },            /* overlong */
                { "\xe0\x80\xaf", "???" },       /* overlong */
                { "\xed\xa0\x80", "???" },       /* a surrogate */
                { "\xf4\x90\x80\x80", "????" },  /* above U+10FFFF */
                { "\xf0\x9f\x96", "???" },       /* cut */
                { "\x80", "?" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[32];

                text_set(text, sizeof(text), cases[i].from);
                assert_string_equal(text, cases[i].to);
        }
}

static void a_character_is_never_split_at_the_bound(void **state) {
        static const char *const whole = "aä世🖥z";

        for (size_t n = 1; n <= strlen(whole) + 1; n++) {
                char text[32];
                size_t length;

                memset(text, 'x', sizeof(text));
                text_set(text, n, whole);
                length = strlen(text);
                assert_true(length < n);
                assert_memory_equal(text, whole, length);
                assert_int_equal(text[n], 'x');
                /* What follows in the whole is the start of a character. */
                assert_true(((unsigned char)whole[length] & 0xc0) != 0x80);
        }
}

static void copying_ends_at_the_length_or_at_a_nul(void **state) {
        char text[32];

        text_copy(text, sizeof(text), "abcdef", 3);
        assert_string_equal(text, "abc");
        text_copy(text, sizeof(text), "ab\0def", 6);
        assert_string_equal(text, "ab");
        text_copy(text, sizeof(text), "\xe4\xb8\x96", 2);
        assert_string_equal(text, "??");
}

static void what_is_cut_says_so(void **state) {
        static const struct {
                size_t n;
                const char *from, *to;
        } cases[] = {
                { 8, "abcdefg", "abcdefg" }, { 8, "abcdefgh", "abcd..." }, { 4, "abcd", "..." }, { 4, "abc", "abc" }, { 8, "abc\xc3\xa4xyz", "abc..." }, { 8, NULL, "" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[32];

                text_fit(text, cases[i].n, cases[i].from);
                assert_string_equal(text, cases[i].to);
        }
}

static void a_field_is_as_wide_whatever_its_characters(void **state) {
        char text[32];

        snprintf(text, sizeof(text), "%-*s|", text_field("abc", 5), "abc");
        assert_string_equal(text, "abc  |");
        snprintf(text, sizeof(text), "%-*s|", text_field("ü世🖥", 5), "ü世🖥");
        assert_string_equal(text, "ü世🖥  |");
        assert_int_equal(text_field("", 5), 5);
}

static void what_turns_text_around_is_replaced(void **state) {
        char text[64];

        text_set(text, sizeof(text), "a\u202e\u202a\u2066\u2069\u200e\u200f\u2028\u2029\u061cb");
        assert_string_equal(text, "a?????????b");
        /* Their neighbours stay. */
        text_set(text, sizeof(text), "\u200d\u2010\u2027\u202f\u2065\u206a\u061d");
        assert_string_equal(text, "\u200d\u2010\u2027\u202f\u2065\u206a\u061d");
}

static void a_user_without_a_name_has_a_number(void **state) {
        char text[16];

        text_user(text, sizeof(text), "anna", 1000);
        assert_string_equal(text, "anna");
        text_user(text, sizeof(text), "", 123456);
        assert_string_equal(text, "uid 123456");
        text_user(text, sizeof(text), "", -1);
        assert_string_equal(text, "");
}

static void put(void *userdata, const char *bytes, size_t n) {
        strncat(userdata, bytes, n);
}

static void a_word_for_a_shell_is_quoted_where_it_must_be(void **state) {
        static const struct {
                const char *word, *quoted;
        } cases[] = {
                { "web-1_a@b%c+d=e:f,g./h", "web-1_a@b%c+d=e:f,g./h" },
                { "", "''" },
                { "two words", "'two words'" },
                { "it's", "'it'\\''s'" },
                { "'", "''\\'''" },
                { "$(reboot)", "'$(reboot)'" },
                { "ü", "'ü'" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[64] = "";

                text_quote(cases[i].word, strlen(cases[i].word), put, text);
                assert_string_equal(text, cases[i].quoted);
        }
}

static void copying_twice_changes_nothing(void **state) {
        unsigned char bytes[64];
        char once[24], twice[24];
        uint32_t random = 1;

        for (int round = 0; round < 5000; round++) {
                for (size_t i = 0; i < sizeof(bytes); i++) {
                        random = random * 1664525 + 1013904223;
                        bytes[i] = (unsigned char)(random >> 24);
                }
                text_copy(once, sizeof(once), (const char *)bytes, sizeof(bytes));
                text_set(twice, sizeof(twice), once);
                assert_string_equal(once, twice);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(printable_text_is_copied_as_it_is),
                cmocka_unit_test(what_is_not_printable_is_replaced),
                cmocka_unit_test(a_character_is_never_split_at_the_bound),
                cmocka_unit_test(copying_ends_at_the_length_or_at_a_nul),
                cmocka_unit_test(what_is_cut_says_so),
                cmocka_unit_test(a_field_is_as_wide_whatever_its_characters),
                cmocka_unit_test(what_turns_text_around_is_replaced),
                cmocka_unit_test(a_user_without_a_name_has_a_number),
                cmocka_unit_test(a_word_for_a_shell_is_quoted_where_it_must_be),
                cmocka_unit_test(copying_twice_changes_nothing),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
