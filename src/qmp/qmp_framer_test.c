#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"

/* Everything that a framer said of a stream, one line each: "<line>", "TOO LONG", "HALF". */
struct script {
        char *text;
        size_t length;
        size_t held_max;
};

static void script_deinit(struct script *script) {
        free(script->text);
}

static void script_add(struct script *script, const char *line, size_t length) {
        script->text = realloc(script->text, script->length + length + 4);
        assert_non_null(script->text);
        script->text[script->length++] = '<';
        memcpy(script->text + script->length, line, length);
        script->length += length;
        memcpy(script->text + script->length, ">\n", 3);
        script->length += 2;
}

static void listen(struct script *script, struct qmp_framer *framer) {
        const char *line;
        size_t length;
        int r;

        while ((r = qmp_framer_next(framer, &line, &length)) != QMP_NEEDS_MORE) {
                if (r == 0) {
                        script_add(script, line, length);
                } else {
                        assert_int_equal(r, QMP_LINE_TOO_LONG);
                        script_add(script, "TOO LONG", strlen("TOO LONG"));
                }
        }
}

/* Feed the stream in pieces of 1 to piece_max bytes as the seed draws them; without one all are piece_max. */
static struct script play(enum qmp_framing framing, size_t line_max, const char *stream, size_t n_stream,
                          size_t piece_max, uint32_t seed) {
        struct script script = { 0 };
        struct qmp_framer framer;

        qmp_framer_init(&framer, framing);
        framer.line_max = line_max;

        while (n_stream > 0) {
                size_t n = piece_max;
                char *room;
                ssize_t size;

                if (seed) {
                        seed ^= seed << 13;
                        seed ^= seed >> 17;
                        seed ^= seed << 5;
                        n = 1 + seed % piece_max;
                }
                size = qmp_framer_space(&framer, &room);
                assert_true(size > 0);
                if (n > (size_t)size)
                        n = (size_t)size;
                if (n > n_stream)
                        n = n_stream;
                memcpy(room, stream, n);
                qmp_framer_fill(&framer, n);
                if (framer.capacity > script.held_max)
                        script.held_max = framer.capacity;
                listen(&script, &framer);
                stream += n;
                n_stream -= n;
        }
        if (qmp_framer_finish(&framer) == QMP_HALF_LINE)
                script_add(&script, "HALF", strlen("HALF"));
        assert_null(framer.buffer);
        return script;
}

static void assert_heard(enum qmp_framing framing, size_t line_max, const char *stream,
                         const char *expected) {
        cleanup(script_deinit) struct script script =
                play(framing, line_max, stream, strlen(stream), SIZE_MAX, 0);

        assert_string_equal(script.text ? script.text : "", expected);
}

static void both_newlines_of_qmp_end_a_line(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_LINES, 64, "{\"a\":1}\r\n{\"b\":2}\n", "<{\"a\":1}>\n<{\"b\":2}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{\"a\":1}\r\n{\"b\":2}\n", "<{\"a\":1}>\n<{\"b\":2}>\n");
}

static void blank_lines_are_dropped(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_LINES, 64, "\n\r\n \t \n{}\n\n", "<{}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 64, "\n\r\n \t \n{}\n\n", "<{}>\n");
}

static void white_space_without_end_holds_nothing_and_is_no_line(void **state) {
        char stream[4096];
        cleanup(script_deinit) struct script script = { 0 };

        (void)state;
        memset(stream, ' ', sizeof(stream));
        script = play(QMP_FRAMING_LINES, 64, stream, sizeof(stream), 512, 0);
        assert_null(script.text);
        assert_int_equal(script.held_max, QMP_FRAMER_STEP);
}

static void a_line_of_junk_spoils_only_itself(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_LINES, 64, "{\"a\": [\n\"\n{}\n", "<{\"a\": [>\n<\">\n<{}>\n");
}

static void a_line_over_the_bound_is_skipped_and_said_once(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_LINES, 8, "12345678\n123456789\nab\n", "<12345678>\n<TOO LONG>\n<ab>\n");
        assert_heard(QMP_FRAMING_LINES, 8, "1234567890123456789012345\n\nab\n", "<TOO LONG>\n<ab>\n");
        assert_heard(QMP_FRAMING_LINES, 8, "123456789\n123456789\n", "<TOO LONG>\n<TOO LONG>\n");
}

static void a_message_over_the_bound_is_skipped_to_its_last_bracket(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_BRACKETS, 8, "{\"a\":[\n{}\n]}{\"b\":1}", "<TOO LONG>\n<{\"b\":1}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 8, "{\"abcde\"}{}", "<TOO LONG>\n<{}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 9, "{\"abcde\"}{}", "<{\"abcde\"}>\n<{}>\n");
}

static void a_full_megabyte_passes_and_one_byte_more_does_not(void **state) {
        cleanup(freep) char *stream = malloc(2 * QMP_LINE_MAX + 8);
        cleanup(script_deinit) struct script script = { 0 };
        char *out = stream;

        (void)state;
        memset(out, 'x', QMP_LINE_MAX);
        out += QMP_LINE_MAX;
        *out++ = '\n';
        memset(out, 'y', QMP_LINE_MAX + 1);
        out += QMP_LINE_MAX + 1;
        memcpy(out, "\n{}\n", 4);
        out += 4;

        script = play(QMP_FRAMING_LINES, QMP_LINE_MAX, stream, (size_t)(out - stream), SIZE_MAX, 0);
        assert_int_equal(script.length, QMP_LINE_MAX + strlen("<>\n<TOO LONG>\n<{}>\n"));
        assert_string_equal(script.text + 1 + QMP_LINE_MAX, ">\n<TOO LONG>\n<{}>\n");
        assert_in_range(script.held_max, QMP_LINE_MAX + 1, QMP_LINE_MAX + QMP_FRAMER_STEP);
}

static void half_a_line_at_the_end_is_said(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_LINES, 64, "{}\n{\"a\"", "<{}>\n<HALF>\n");
        assert_heard(QMP_FRAMING_LINES, 8, "1234567890", "<TOO LONG>\n<HALF>\n");
        assert_heard(QMP_FRAMING_LINES, 64, "{}\n  ", "<{}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{}\n{\"a\"", "<{}>\n<HALF>\n");
}

static void brackets_end_commands_that_have_no_newline(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{\"execute\":\"a\"}{\"execute\":\"b\"}",
                     "<{\"execute\":\"a\"}>\n<{\"execute\":\"b\"}>\n");
}

static void brackets_join_a_message_of_many_lines(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{\n  \"a\": [\r\n    1\n  ]\n}\n{}\n",
                     "<{\n  \"a\": [\r\n    1\n  ]\n}>\n<{}>\n");
}

static void brackets_inside_strings_do_not_count(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{\"}\\\"]\":\"{\\\\\"}{}",
                     "<{\"}\\\"]\":\"{\\\\\"}>\n<{}>\n");
}

static void brackets_recover_from_junk_at_a_newline(void **state) {
        (void)state;
        assert_heard(QMP_FRAMING_BRACKETS, 64, "quit\n}\n]{}\n", "<quit>\n<}>\n<]>\n<{}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 64, "{\"a\": \"no end\\\n{\"\":1}{}\n",
                     "<{\"a\": \"no end\\>\n<{\"\":1}>\n<{}>\n");
        assert_heard(QMP_FRAMING_BRACKETS, 64, "\"{\n{}\n", "<\"{>\n<{}>\n");
}

static void an_idle_framer_holds_no_memory(void **state) {
        struct qmp_framer framer;
        const char *line;
        size_t length;
        char *room;

        (void)state;
        qmp_framer_init(&framer, QMP_FRAMING_LINES);
        assert_int_equal(framer.capacity, 0);
        assert_int_equal(qmp_framer_space(&framer, &room), QMP_FRAMER_STEP);

        memcpy(room, "{}\n", 3);
        qmp_framer_fill(&framer, 3);
        assert_int_equal(qmp_framer_next(&framer, &line, &length), 0);
        assert_memory_equal(line, "{}", 2);
        assert_int_equal(qmp_framer_next(&framer, &line, &length), QMP_NEEDS_MORE);
        assert_null(framer.buffer);

        assert_int_equal(qmp_framer_space(&framer, &room), QMP_FRAMER_STEP);
        qmp_framer_fill(&framer, 0);
        assert_null(framer.buffer);
        qmp_framer_deinit(&framer);
}

static void a_buffer_that_was_large_shrinks_to_the_half_line_that_is_left(void **state) {
        cleanup(freep) char *large = malloc(100000);
        struct qmp_framer framer;
        size_t length, fed = 0;
        const char *line;
        char *room;

        (void)state;
        memset(large, 'x', 100000);
        memcpy(large + 99990, "\n{\"half", 7);

        qmp_framer_init(&framer, QMP_FRAMING_LINES);
        while (fed < 99997) {
                size_t n = (size_t)qmp_framer_space(&framer, &room);

                if (n > 99997 - fed)
                        n = 99997 - fed;
                memcpy(room, large + fed, n);
                fed += n;
                qmp_framer_fill(&framer, n);
                if (qmp_framer_next(&framer, &line, &length) == 0)
                        assert_int_equal(length, 99990);
        }
        assert_int_equal(qmp_framer_next(&framer, &line, &length), QMP_NEEDS_MORE);
        assert_int_equal(framer.capacity, QMP_FRAMER_STEP);
        assert_memory_equal(framer.buffer, "{\"half", 6);
        assert_int_equal(qmp_framer_finish(&framer), QMP_HALF_LINE);
}

static void a_framer_may_be_left_at_any_time_and_used_again(void **state) {
        struct qmp_framer framer;
        const char *line;
        size_t length;
        char *room;

        (void)state;
        qmp_framer_deinit(NULL);
        qmp_framer_init(&framer, QMP_FRAMING_BRACKETS);
        assert_true(qmp_framer_space(&framer, &room) >= 3);
        memcpy(room, "{\"a", 3);
        qmp_framer_fill(&framer, 3);
        assert_int_equal(qmp_framer_next(&framer, &line, &length), QMP_NEEDS_MORE);
        qmp_framer_deinit(&framer);

        assert_true(qmp_framer_space(&framer, &room) >= 3);
        memcpy(room, "{}", 2);
        qmp_framer_fill(&framer, 2);
        assert_int_equal(qmp_framer_next(&framer, &line, &length), 0);
        assert_int_equal(length, 2);
        assert_int_equal(qmp_framer_next(&framer, &line, &length), QMP_NEEDS_MORE);
        assert_int_equal(qmp_framer_finish(&framer), 0);
}

static void how_a_stream_is_cut_does_not_matter(void **state) {
        static const char stream[] =
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
                "\"package\": \"\"}, "
                "\"capabilities\": [\"oob\"]}}\r\n{\"return\": {}}\r\n\r\n "
                "\n{\"execute\":\"a\"}{\"execute\":\"b}\\\"\"}\n"
                "junk\n{\n \"a\": [ 1,\n 2 ]\n}\n\"open\n{\"never\": "
                "\"closed\n]}{\"x\":\"\\u007d\\\\\"}\n\0\xff{\"\0\":{}}\r\r\n"
                "0123456789012345678901234567890123456789012345678901234567890123456789\n{}\n{\"half\": [";
        static const size_t bounds[] = { 1, 7, 16, 64, 100, QMP_LINE_MAX };

        (void)state;
        for (int framing = QMP_FRAMING_LINES; framing <= QMP_FRAMING_BRACKETS; framing++)
                for (size_t i = 0; i < N_ELEMENTS(bounds); i++) {
                        cleanup(script_deinit) struct script whole =
                                play(framing, bounds[i], stream, sizeof(stream) - 1, SIZE_MAX, 0);

                        for (uint32_t seed = 0; seed < 200; seed++) {
                                cleanup(script_deinit) struct script cut = play(
                                        framing, bounds[i], stream, sizeof(stream) - 1, 1 + seed % 40, seed);

                                assert_int_equal(cut.length, whole.length);
                                assert_memory_equal(cut.text, whole.text, whole.length);
                                assert_true(cut.held_max <= bounds[i] + QMP_FRAMER_STEP);
                        }
                }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_newlines_of_qmp_end_a_line),
                cmocka_unit_test(blank_lines_are_dropped),
                cmocka_unit_test(white_space_without_end_holds_nothing_and_is_no_line),
                cmocka_unit_test(a_line_of_junk_spoils_only_itself),
                cmocka_unit_test(a_line_over_the_bound_is_skipped_and_said_once),
                cmocka_unit_test(a_message_over_the_bound_is_skipped_to_its_last_bracket),
                cmocka_unit_test(a_full_megabyte_passes_and_one_byte_more_does_not),
                cmocka_unit_test(half_a_line_at_the_end_is_said),
                cmocka_unit_test(brackets_end_commands_that_have_no_newline),
                cmocka_unit_test(brackets_join_a_message_of_many_lines),
                cmocka_unit_test(brackets_inside_strings_do_not_count),
                cmocka_unit_test(brackets_recover_from_junk_at_a_newline),
                cmocka_unit_test(an_idle_framer_holds_no_memory),
                cmocka_unit_test(a_buffer_that_was_large_shrinks_to_the_half_line_that_is_left),
                cmocka_unit_test(a_framer_may_be_left_at_any_time_and_used_again),
                cmocka_unit_test(how_a_stream_is_cut_does_not_matter),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
