/* Formats as kernels have written them, others, and whatever else a file may hold. */
#include "sources/trace/tracepoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMON                                                                                                         \
        "name: thing\nID: 261\nformat:\n"                                                                                \
        "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"                                           \
        "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"                                           \
        "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
/* Linux 6.18: signal:signal_generate. */
#define SIGNAL                                                                                                         \
        COMMON "\tfield:int sig;\toffset:8;\tsize:4;\tsigned:1;\n"                                                       \
               "\tfield:int errno;\toffset:12;\tsize:4;\tsigned:1;\n"                                                    \
               "\tfield:char comm[16];\toffset:20;\tsize:16;\tsigned:0;\n"                                               \
               "\tfield:pid_t pid;\toffset:36;\tsize:4;\tsigned:1;\n\n"                                                  \
               "print fmt: \"sig=%d errno=%d comm=%s pid=%d\", REC->sig, REC->errno, REC->comm, REC->pid\n"

static const char *const signal_names[TRACEPOINT_FIELDS] = { "sig", "pid" };

static int parse(struct tracepoint_format *ret, const char *name, const char *text) {
        const char *const names[TRACEPOINT_FIELDS] = { name };

        return tracepoint_format_parse(ret, names, text, strlen(text));
}

static void a_format_says_where_the_fields_are(void **state) {
        struct tracepoint_format format;

        assert_int_equal(tracepoint_format_parse(&format, signal_names, SIGNAL, strlen(SIGNAL)), 0);
        assert_int_equal(format.id, 261);
        assert_int_equal(format.type.size, 2);
        assert_int_equal(format.fields[0].offset, 8);
        assert_true(format.fields[0].is_signed);
        /* Not common_pid, and no other that only ends so. */
        assert_int_equal(format.fields[1].offset, 36);
        assert_int_equal(format.fields[1].size, 4);
}

static void a_field_that_is_not_there_is_said(void **state) {
        struct tracepoint_format format;

        assert_int_equal(parse(&format, "port", SIGNAL), -ENOENT);
        assert_int_equal(parse(&format, "id", SIGNAL), -ENOENT);
        assert_int_equal(parse(&format, NULL, SIGNAL), 0);
        assert_int_equal(parse(&format, NULL, "name: thing\nID: 261\nformat:\n"), -EBADMSG);
}

static void what_is_no_number_is_refused(void **state) {
        static const char *const texts[] = {
                COMMON "\tfield:int n;\toffset:8;\tsize:16;\tsigned:0;\n",
                COMMON "\tfield:int n;\toffset:8;\tsize:0;\tsigned:0;\n",
                COMMON "\tfield:int n;\toffset:-8;\tsize:4;\tsigned:0;\n",
                COMMON "\tfield:int n;\toffset:99999999999;\tsize:4;\tsigned:0;\n",
                COMMON "\tfield:int n;\toffset:;\tsize:4;\tsigned:0;\n",
                COMMON "\tfield:int n;\tsize:4;\toffset:8;\tsigned:0;\n",
                COMMON "\tfield:int n;\toffset:8;\tsize:4;\n",
                "ID: x\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n",
        };
        struct tracepoint_format format;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(parse(&format, "n", texts[i]), -EBADMSG);
        /* An array's name is no number's. */
        assert_int_equal(parse(&format, "comm", SIGNAL), -ENOENT);
        assert_int_equal(parse(&format, "n", COMMON "\tfield:n;\toffset:8;\tsize:4;\tsigned:0;\n"), -ENOENT);
}

/* A copy of just this length, so that a sanitizer sees who reads beyond it. */
static void a_cut_format_is_refused_or_whole(void **state) {
        const char *last = strstr(SIGNAL, "pid_t pid");
        struct tracepoint_format format;

        for (size_t n = 0; n < strlen(SIGNAL); n++) {
                char *text = malloc(n + 1);
                int r;

                memcpy(text, SIGNAL, n);
                r = tracepoint_format_parse(&format, signal_names, text, n);
                if (n < (size_t)(last - SIGNAL))
                        assert_int_not_equal(r, 0);
                if (!r)
                        assert_int_equal(format.fields[1].offset, 36);
                free(text);
        }
}

static void numbers_are_read_as_wide_and_as_signed_as_they_are(void **state) {
        unsigned char record[16];
        int64_t number;

        memset(record, 0xff, sizeof(record));
        for (uint32_t size = 1; size <= 8; size *= 2) {
                assert_true(tracepoint_field_read(&(struct tracepoint_field){ 4, size, true }, record, sizeof(record), &number));
                assert_int_equal(number, -1);
                if (size < 8) {
                        assert_true(tracepoint_field_read(&(struct tracepoint_field){ 4, size, false }, record, sizeof(record), &number));
                        assert_int_equal(number, (INT64_C(1) << (8 * size)) - 1);
                }
        }
}

static void a_record_that_is_too_short_has_no_such_number(void **state) {
        const struct tracepoint_field field = { 12, 4, false };
        unsigned char record[16] = { 0 };
        int64_t number;

        assert_true(tracepoint_field_read(&field, record, 16, &number));
        for (size_t n = 0; n < 16; n++)
                assert_false(tracepoint_field_read(&field, record, n, &number));
        assert_false(tracepoint_field_read(&(struct tracepoint_field){ UINT32_MAX, 8, false }, record, 16, &number));
        assert_false(tracepoint_field_read(&(struct tracepoint_field){ 0, 3, false }, record, 16, &number));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_format_says_where_the_fields_are),
                cmocka_unit_test(a_field_that_is_not_there_is_said),
                cmocka_unit_test(what_is_no_number_is_refused),
                cmocka_unit_test(a_cut_format_is_refused_or_whole),
                cmocka_unit_test(numbers_are_read_as_wide_and_as_signed_as_they_are),
                cmocka_unit_test(a_record_that_is_too_short_has_no_such_number),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("tracepoint", tests, NULL, NULL);
}
