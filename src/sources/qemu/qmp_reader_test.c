/* The reader against what QEMU 7.2 was measured to say. */
#include "sources/qemu/qmp_reader.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

/* What comes of the bytes: messages, and complaints without "JSON parse error, ", each ended by ";". */
static void read_all(const char *bytes, size_t n_bytes, size_t n_at_once, char *ret_text, size_t n_max) {
        struct qmp_reader reader = { 0 };
        size_t n_out = 0;

        for (size_t at = 0; at < n_bytes;) {
                size_t n = n_bytes - at < n_at_once ? n_bytes - at : n_at_once, n_read;
                int r = qmp_reader_next(&reader, bytes + at, n, &n_read);

                assert_true(n_read <= n);
                assert_true(r == QMP_NEEDS_MORE ? n_read == n : true);
                at += n_read;
                if (!r)
                        n_out += (size_t)snprintf(ret_text + n_out, n_max - n_out, "%.*s;", (int)reader.n_text, reader.text);
                else if (r == QMP_READER_DEFECT)
                        n_out += (size_t)snprintf(ret_text + n_out, n_max - n_out, "!%s;",
                                                  strncmp(reader.defect, "JSON parse error, ", 18) ? reader.defect : reader.defect + 18);
                else
                        assert_int_equal(r, QMP_NEEDS_MORE);
        }
        ret_text[n_out] = '\0';
        qmp_reader_deinit(&reader);
}

static const struct {
        const char *bytes, *outcome;
} cases[] = {
        { "{}\n", "{};" },
        { "{'execute':'quit'}", "{\"execute\":\"quit\"};" },
        { "['a\"b','\\'',\"\\'\"]", "[\"a\\\"b\",\"'\",\"'\"];" },
        { "{\"a\"\n:\r\n\t1 , \"b\" :[ ]}{}", "{\"a\" : 1 , \"b\" :[ ]};{};" },
        { "[tru e]", "!invalid keyword 'tru';" },
        { "[1 2]", "!expected separator in list;" },
        { "[1-2]", "!expected separator in list;" },
        { "[-0.5e+7,0,-1,1E5,0e0]", "[-0.5e+7,0,-1,1E5,0e0];" },
        { "12 ", "12;" },
        { "foo bar\n", "!invalid keyword 'foo';!invalid keyword 'bar';" },
        { "foo bar}\n", "!invalid keyword 'foo';!invalid keyword 'bar';!expecting value;" },
        { "}", "!expecting value;" },
        { "[}", "!expecting value;" },
        { "{\"a\":[}", "" },
        { "{\"a\":[}]", "!expecting value;" },
        { "{\"a\" 1}", "!missing : in object pair;" },
        { "{\"a\"}", "!missing : in object pair;" },
        { "{a:1}", "!invalid keyword 'a';" },
        { "{1:2}", "!key is not a string in object;" },
        { "{{}}", "!key is not a string in object;" },
        { "{,}", "!expecting value;" },
        { "{\"a\":1,}", "!expecting value;" },
        { "[,1]", "!expecting value;" },
        { "{\"a\":1 \"b\":2}", "!expected separator in dict;" },
        { "{\"execute\":\"query-status\n\"}\n", "!stray '\"query-status\n';!expecting value;" },
        { "{\"a\":01}", "!stray '01';!expecting value;" },
        { "{\"a\":1.}", "!stray '1.}';" },
        { "@:1\n", "!stray '@';!expecting value;1;" },
        { "@\"x\"\n{}", "!stray '@';{};" },
        { "@\t5\n", "!stray '@';" },
        { "@\x01\n", "!stray '@';!stray '\x01';" },
        { "\xff\xff\n", "!stray '\xff';!stray '\xff';" },
        { "\xffQMP\n{}", "!stray '\xff';{};" },
        { "a_b\n", "!invalid keyword 'a';!stray '_';" },
        { "--1\n", "!stray '--';" },
        { "1.5e\n", "!stray '1.5e\n';" },
        { "[\"\\x\"]", "!invalid escape sequence in string;" },
        { "[\"\\ud800\\u0041\"]", "!\\ud800 is not a valid Unicode character;" },
        { "[\"\\u12\"]", "!\\u12\" is not a valid Unicode character;" },
        { "[\"\\ud83d\\ude00\"]", "[\"\\ud83d\\ude00\"];" },
        { "[\"\\ufdd0\"]", "!\\ufdd0 is not a valid Unicode character;" },
        { "[\"\xc3\"]", "!invalid UTF-8 sequence in string;" },
        { "[\"\xed\xa0\x80\"]", "!invalid UTF-8 sequence in string;" },
        { "[\"\xf0\x9f\x98\x80\"]", "[\"\xf0\x9f\x98\x80\"];" },
        { "\"a\\\n", "!stray '\"a\\\n';" },
};

static void what_is_read_is_what_qemu_reads(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[1024];

                read_all(cases[i].bytes, strlen(cases[i].bytes), SIZE_MAX, text, sizeof(text));
                assert_string_equal(text, cases[i].outcome);
        }
}

static void how_the_bytes_come_makes_no_difference(void **state) {
        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (size_t n = 1; n < 8; n++) {
                        char text[1024];

                        read_all(cases[i].bytes, strlen(cases[i].bytes), n, text, sizeof(text));
                        assert_string_equal(text, cases[i].outcome);
                }
}

static void brackets_nest_as_deep_as_in_qemu(void **state) {
        char bytes[2048], text[4096];

        memset(bytes, '[', 1024);
        memset(bytes + 1024, ']', 1024);
        read_all(bytes, 2048, SIZE_MAX, text, sizeof(text));
        assert_int_equal(strlen(text), 2049);
        memset(bytes, '[', 1025);
        read_all(bytes, 1025, SIZE_MAX, text, sizeof(text));
        assert_string_equal(text, "!JSON nesting depth limit exceeded;");
}

static void a_message_without_end_is_given_up(void **state) {
        static char bytes[QMP_LINE_MAX * 2];
        struct qmp_reader reader = { 0 };
        size_t n_read;

        memset(bytes, 'x', sizeof(bytes));
        bytes[0] = '"';
        assert_int_equal(qmp_reader_next(&reader, bytes, sizeof(bytes), &n_read), QMP_LINE_TOO_LONG);
        assert_true(reader.capacity <= QMP_LINE_MAX * 2);
        qmp_reader_deinit(&reader);
        /* White space is no message, however much of it there is, outside of one and inside. */
        memset(bytes, ' ', sizeof(bytes));
        assert_int_equal(qmp_reader_next(&reader, bytes, sizeof(bytes), &n_read), QMP_NEEDS_MORE);
        bytes[0] = '[';
        assert_int_equal(qmp_reader_next(&reader, bytes, sizeof(bytes), &n_read), QMP_NEEDS_MORE);
        assert_int_equal(reader.n_text, 2);
        qmp_reader_deinit(&reader);
}

static void a_complaint_is_bounded(void **state) {
        static char bytes[100000];
        struct qmp_reader reader = { 0 };
        size_t n_read;

        memset(bytes, 'x', sizeof(bytes));
        bytes[0] = '"';
        bytes[sizeof(bytes) - 1] = '\n';
        assert_int_equal(qmp_reader_next(&reader, bytes, sizeof(bytes), &n_read), QMP_READER_DEFECT);
        assert_true(strlen(reader.defect) < QMP_DEFECT_MAX);
        memset(bytes, 'x', sizeof(bytes));
        bytes[0] = bytes[sizeof(bytes) - 1] = '\n';
        assert_int_equal(qmp_reader_next(&reader, bytes, sizeof(bytes), &n_read), QMP_READER_DEFECT);
        assert_true(strlen(reader.defect) < QMP_DEFECT_MAX);
        qmp_reader_deinit(&reader);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_read_is_what_qemu_reads),
                cmocka_unit_test(how_the_bytes_come_makes_no_difference),
                cmocka_unit_test(brackets_nest_as_deep_as_in_qemu),
                cmocka_unit_test(a_message_without_end_is_given_up),
                cmocka_unit_test(a_complaint_is_bounded),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
