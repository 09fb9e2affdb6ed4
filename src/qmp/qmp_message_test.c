#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"
#include "qmp/qmp_message.h"

#define message_scope cleanup(qmp_message_deinit) struct qmp_message

static struct qmp_message understand(const char *line) {
        struct qmp_message message;

        assert_int_equal(qmp_message_decode(&message, line, strlen(line)), 0);
        assert_null(message.defect);
        return message;
}

static void assert_malformed(const char *line, size_t length, const char *defect) {
        message_scope message;

        assert_int_equal(qmp_message_decode(&message, line, length), QMP_MALFORMED);
        assert_string_equal(message.defect, defect);
}

static void assert_is_malformed(const char *line, const char *defect) {
        assert_malformed(line, strlen(line), defect);
}

static void a_greeting_gives_version_and_capabilities(void **state) {
        message_scope message =
                understand("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
                           "\"package\": \"Debian 1:7.2+dfsg-7+deb12u18+b3\"}, \"capabilities\": [\"oob\", "
                           "\"later\", 7]}}");

        (void)state;
        assert_int_equal(message.kind, QMP_GREETING);
        assert_int_equal(message.version.major, 7);
        assert_int_equal(message.version.minor, 2);
        assert_int_equal(message.version.micro, 22);
        assert_string_equal(message.version.package, "Debian 1:7.2+dfsg-7+deb12u18+b3");
        assert_true(message.is_oob);
}

static void a_greeting_needs_no_package_and_no_capability(void **state) {
        message_scope message = understand("{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":0,"
                                           "\"major\":1}},\"capabilities\":[]}}");

        (void)state;
        assert_string_equal(message.version.package, "");
        assert_false(message.is_oob);
}

static void an_event_gives_name_data_and_timestamp(void **state) {
        message_scope message =
                understand("{\"timestamp\": {\"seconds\": 1795456205, \"microseconds\": 249339}, \"event\": "
                           "\"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}");

        (void)state;
        assert_int_equal(message.kind, QMP_EVENT);
        assert_string_equal(message.name, "SHUTDOWN");
        assert_true(json_is_true(json_object_get(message.data, "guest")));
        assert_true(message.has_timestamp);
        assert_int_equal(message.seconds, 1795456205);
        assert_int_equal(message.microseconds, 249339);
        assert_null(message.id);
}

static void an_event_holds_without_a_timestamp_that_makes_sense(void **state) {
        static const char *const timestamps[] = {
                "{\"seconds\": -1, \"microseconds\": -1}",
                "{\"seconds\": 1, \"microseconds\": 1000000}",
                "{\"seconds\": 9223372036, \"microseconds\": 0}",
                "{\"seconds\": 9999999999999999999999, \"microseconds\": 0}",
                "{\"seconds\": 1.0, \"microseconds\": 0}",
                "{\"seconds\": 1}",
                "\"now\"",
                "null",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(timestamps); i++) {
                char line[200];

                snprintf(line, sizeof(line), "{\"timestamp\": %s, \"event\": \"STOP\"}", timestamps[i]);

                message_scope message = understand(line);
                assert_string_equal(message.name, "STOP");
                assert_null(message.data);
                assert_false(message.has_timestamp);
                assert_int_equal(message.seconds, -1);
                assert_int_equal(message.microseconds, -1);
        }
}

static void the_last_timestamp_fits_nanoseconds(void **state) {
        message_scope message = understand(
                "{\"timestamp\": {\"seconds\": 9223372035, \"microseconds\": 999999}, \"event\": \"STOP\"}");
        int64_t ns;

        (void)state;
        assert_true(message.has_timestamp);
        assert_false(__builtin_mul_overflow(message.seconds, INT64_C(1000000000), &ns));
        assert_false(__builtin_add_overflow(ns, message.microseconds * INT64_C(1000), &ns));
}

static void a_return_gives_any_value_and_its_id(void **state) {
        message_scope object = understand("{\"return\": {\"status\": \"running\"}, \"id\": 1}");
        message_scope text = understand("{\"return\": \"\\r\\nCPU#0\\r\\n\", \"id\": {\"n\": [2, null]}}");
        message_scope bare = understand("{\"return\": {}}");
        message_scope nul = understand("{\"return\": {}, \"id\": \"a\\u0000b\"}");

        (void)state;
        assert_int_equal(object.kind, QMP_RETURN);
        assert_string_equal(json_string_value(json_object_get(object.data, "status")), "running");
        assert_int_equal(json_integer_value(object.id), 1);
        assert_string_equal(json_string_value(text.data), "\r\nCPU#0\r\n");
        assert_true(json_is_object(text.id));
        assert_null(bare.id);
        assert_int_equal(json_string_length(nul.id), 3);
}

static void an_error_gives_class_and_description(void **state) {
        message_scope message = understand("{\"id\": 4, \"error\": {\"class\": \"CommandNotFound\", "
                                           "\"desc\": \"The command nonsense has not been found\"}}");

        (void)state;
        assert_int_equal(message.kind, QMP_ERROR);
        assert_string_equal(message.error_class, "CommandNotFound");
        assert_string_equal(message.error_text, "The command nonsense has not been found");
        assert_int_equal(json_integer_value(message.id), 4);
}

static void a_command_gives_name_arguments_and_band(void **state) {
        message_scope in = understand("{\"execute\":\"system_reset\"}");
        message_scope out =
                understand("{\"exec-oob\":\"migrate-pause\",\"arguments\":{\"a\":1},\"id\":null}");

        (void)state;
        assert_int_equal(in.kind, QMP_COMMAND);
        assert_string_equal(in.name, "system_reset");
        assert_null(in.data);
        assert_null(in.id);
        assert_false(in.is_oob);
        assert_true(out.is_oob);
        assert_int_equal(json_integer_value(json_object_get(out.data, "a")), 1);
        assert_true(json_is_null(out.id));
}

static void what_a_peer_adds_is_passed_over_but_not_in_a_command(void **state) {
        message_scope event = understand("{\"event\":\"STOP\",\"later\":1}");

        (void)state;
        assert_string_equal(event.name, "STOP");
        assert_is_malformed("{\"execute\":\"stop\",\"bogus\":1}", "QMP input has an unexpected member");
}

static void what_is_no_message_is_malformed(void **state) {
        static const struct {
                const char *line, *defect;
        } cases[] = {
                { "", "JSON parse error" },
                { " ", "JSON parse error" },
                { "quit", "JSON parse error" },
                { "{\"execute\":", "JSON parse error" },
                { "{\"execute\":\"quit\"} {}", "JSON parse error" },
                { "{'execute':'quit'}", "JSON parse error" },
                { "{\"execute\":\"a\nb\"}", "JSON parse error" },
                { "{\"id\":\"\\", "JSON parse error" },
                { "\"", "JSON parse error" },
                { "{\"id\":\"\xc3\x28\"}", "JSON parse error" },
                { "{\"id\":\"\xed\xa0\x80\"}", "JSON parse error" },
                { "\xff{\"execute\":\"quit\"}", "JSON parse error" },
                { "{\"id\":\"\\ud800\"}", "JSON parse error" },
                { "{\"a\\u0000b\":1}", "JSON parse error" },
                { "{\"return\": {}, \"id\": inf}", "JSON parse error" }, /* QEMU's echo of the id 1e400 */
                { "{\"execute\":\"stop\",\"execute\":\"quit\"}", "JSON parse error, duplicate key" },
                { "{\"execute\":\"stop\",\"\\u0065xecute\":\"quit\"}", "JSON parse error, duplicate key" },
                { "{\"return\":1e400}", "JSON parse error, number out of range" },
                { "[]", "QMP input must be a JSON object" },
                { "{}", "QMP input lacks member 'execute'" },
                { "{\"id\":7}", "QMP input lacks member 'execute'" },
                { "{\"return\":{},\"error\":{}}", "QMP input is two messages in one" },
                { "{\"execute\":\"a\",\"exec-oob\":\"a\"}", "QMP input is two messages in one" },
                { "{\"execute\":1}", "QMP input member 'execute' must be a string" },
                { "{\"execute\":\"\"}", "QMP input member 'execute' must be a string" },
                { "{\"execute\":\"a\",\"arguments\":[]}", "QMP input member 'arguments' must be an object" },
                { "{\"execute\":\"a\",\"id\":9223372036854775808}", "QMP input has a number out of range" },
                { "{\"event\":null}", "QMP member 'event' must be a name" },
                { "{\"event\":\"\"}", "QMP member 'event' must be a name" },
                { "{\"event\":\"A\",\"data\":[]}", "QMP member 'data' must be an object" },
                { "{\"error\":\"no\"}", "QMP member 'error' lacks a class or a description" },
                { "{\"error\":{\"class\":\"A\"}}", "QMP member 'error' lacks a class or a description" },
                { "{\"error\":{\"class\":\"A\",\"desc\":1}}",
                  "QMP member 'error' lacks a class or a description" },
                { "{\"QMP\":null}", "QMP greeting lacks a version" },
                { "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":-1,\"major\":1}},\"capabilities\":["
                  "]}}",
                  "QMP greeting lacks a version" },
                { "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":0,\"major\":1},\"package\":1},"
                  "\"capabilities\":[]}}",
                  "QMP greeting lacks a version" },
                { "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":0,\"major\":1}}}}",
                  "QMP greeting lacks member 'capabilities'" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                assert_is_malformed(cases[i].line, cases[i].defect);
        assert_malformed("{}\0", 3, "JSON parse error");
        assert_malformed("\0{}", 3, "JSON parse error");
        assert_malformed("{\"id\":\"\0\"}", 10, "JSON parse error");
        assert_malformed("{\"id\":99999999999999999999.\0}", 29, "JSON parse error");
}

static void a_malformed_command_can_still_be_answered(void **state) {
        static const char line[] = "{\"execute\":\"stop\",\"bogus\":1,\"id\":5}";
        message_scope message;

        (void)state;
        assert_int_equal(qmp_message_decode(&message, line, strlen(line)), QMP_MALFORMED);
        assert_int_equal(json_integer_value(message.id), 5);
}

/* `before` n times, then `middle`, then `after` n times. */
static char *repeat(const char *before, const char *middle, const char *after, size_t n) {
        char *text = malloc(n * (strlen(before) + strlen(after)) + strlen(middle) + 1), *out = text;

        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                out = stpcpy(out, before);
        out = stpcpy(out, middle);
        for (size_t i = 0; i < n; i++)
                out = stpcpy(out, after);
        return text;
}

static void depth_is_bounded(void **state) {
        cleanup(freep) char *deepest = repeat("{\"return\":", "1", "}", QMP_DEPTH_MAX);
        cleanup(freep) char *deeper = repeat("{\"return\":", "1", "}", QMP_DEPTH_MAX + 1);
        cleanup(freep) char *abyss = repeat("[", "", "", QMP_LINE_MAX);
        message_scope message = understand(deepest);

        (void)state;
        assert_int_equal(message.kind, QMP_RETURN);
        assert_is_malformed(deeper, "JSON limits exceeded");
        assert_is_malformed(abyss, "JSON limits exceeded");
}

static void the_number_of_values_is_bounded_outside_of_strings(void **state) {
        cleanup(freep) char *commas = repeat(",", "\"}", "", QMP_VALUES_MAX);
        cleanup(freep) char *many = repeat("{},", "", "", QMP_VALUES_MAX / 2 + 1);
        cleanup(freep) char *text = malloc(strlen(commas) + 100);
        message_scope message;

        (void)state;
        stpcpy(stpcpy(text, "{\"return\":\"\\\""), commas);
        message = understand(text);
        assert_int_equal(json_string_length(message.data), QMP_VALUES_MAX + 1);
        assert_is_malformed(many, "JSON limits exceeded");
}

static void size_is_bounded(void **state) {
        cleanup(freep) char *largest =
                repeat(" ", "{\"return\":0}", "", QMP_LINE_MAX - strlen("{\"return\":0}"));
        cleanup(freep) char *larger =
                repeat(" ", "{\"return\":0}", "", QMP_LINE_MAX + 1 - strlen("{\"return\":0}"));
        message_scope message = understand(largest);

        (void)state;
        assert_int_equal(message.kind, QMP_RETURN);
        assert_is_malformed(larger, "JSON limits exceeded");
}

static void only_integers_beyond_64_bits_are_rounded(void **state) {
        message_scope message = understand(
                "{\"return\":[18446744073709551615,-99999999999999999999,9223372036854775807,\n"
                "\"18446744073709551615\",1234567890123456789012.5e-1,0.12345678901234567890,-7],\"id\":3}");
        message_scope exact = understand("{\"return\":-9223372036854775808}");

        (void)state;
        assert_true(message.is_rounded);
        assert_true(json_real_value(json_array_get(message.data, 0)) == 18446744073709551615.0);
        assert_true(json_real_value(json_array_get(message.data, 1)) == -99999999999999999999.0);
        assert_true(json_integer_value(json_array_get(message.data, 2)) == INT64_MAX);
        assert_string_equal(json_string_value(json_array_get(message.data, 3)), "18446744073709551615");
        assert_true(json_real_value(json_array_get(message.data, 4)) == 123456789012345678901.25);
        assert_true(json_real_value(json_array_get(message.data, 5)) == 0.12345678901234567890);
        assert_int_equal(json_integer_value(json_array_get(message.data, 6)), -7);
        assert_int_equal(json_integer_value(message.id), 3);
        assert_false(exact.is_rounded);
        assert_true(json_integer_value(exact.data) == INT64_MIN);
}

static void assert_says(int r, char *text, size_t length, const char *expected) {
        assert_int_equal(r, 0);
        assert_int_equal(length, strlen(text));
        assert_string_equal(text, expected);
        free(text);
}

static void encoders_say_what_qemu_says(void **state) {
        static const struct qmp_version version = {
                .major = 0, .minor = 1, .micro = 2, .package = "vmpower"
        };
        json_t *object = json_pack("{s:b, s:s}", "guest", 1, "reason", "guest-shutdown");
        json_t *id = json_string("a\"\n");
        char *text = NULL;
        size_t length = 0;
        int r;

        (void)state;
        r = qmp_encode_greeting(&text, &length, &version, true);
        assert_says(r, text, length,
                    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":1,\"major\":0},\"package\":"
                    "\"vmpower\"},"
                    "\"capabilities\":[\"oob\"]}}\r\n");
        r = qmp_encode_greeting(&text, &length, &version, false);
        assert_says(r, text, length,
                    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":1,\"major\":0},\"package\":"
                    "\"vmpower\"},"
                    "\"capabilities\":[]}}\r\n");
        r = qmp_encode_event(&text, &length, "SHUTDOWN", object, 12, 34);
        assert_says(r, text, length,
                    "{\"timestamp\":{\"seconds\":12,\"microseconds\":34},\"event\":\"SHUTDOWN\","
                    "\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}\r\n");
        r = qmp_encode_event(&text, &length, "STOP", NULL, -1, 0);
        assert_says(r, text, length,
                    "{\"timestamp\":{\"seconds\":-1,\"microseconds\":-1},\"event\":\"STOP\"}\r\n");
        r = qmp_encode_return(&text, &length, id, NULL);
        assert_says(r, text, length, "{\"return\":{},\"id\":\"a\\\"\\n\"}\r\n");
        r = qmp_encode_return(&text, &length, NULL, object);
        assert_says(r, text, length, "{\"return\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}\r\n");
        r = qmp_encode_error(&text, &length, id, "GenericError", "no \xc3\xa9");
        assert_says(
                r, text, length,
                "{\"id\":\"a\\\"\\n\",\"error\":{\"class\":\"GenericError\",\"desc\":\"no \xc3\xa9\"}}\r\n");
        r = qmp_encode_command(&text, &length, "set-action", object, 7);
        assert_says(r, text, length,
                    "{\"execute\":\"set-action\",\"arguments\":{\"guest\":true,\"reason\":\"guest-shutdown\"}"
                    ",\"id\":7}\r\n");
        r = qmp_encode_command(&text, &length, "stop", NULL, INT64_MAX);
        assert_says(r, text, length, "{\"execute\":\"stop\",\"id\":9223372036854775807}\r\n");

        /* What was borrowed is still only ours. */
        assert_int_equal(object->refcount, 1);
        assert_int_equal(id->refcount, 1);
        json_decref(object);
        json_decref(id);
}

static void a_string_that_is_no_utf8_is_not_said(void **state) {
        char *text = NULL;
        size_t length;

        (void)state;
        assert_int_equal(qmp_encode_error(&text, &length, NULL, "GenericError", "\xff"), -EINVAL);
        assert_int_equal(qmp_encode_event(&text, &length, "\xff", NULL, 0, 0), -EINVAL);
        assert_int_equal(qmp_encode_command(&text, &length, "\xff", NULL, 0), -EINVAL);
        assert_null(text);
}

static void a_simple_command_needs_no_memory(void **state) {
        char name[65], buffer[QMP_SIMPLE_SIZE];
        message_scope message;
        size_t length;

        (void)state;
        length = qmp_write_command(buffer, "qmp_capabilities", 0);
        assert_int_equal(length, strlen(buffer));
        assert_string_equal(buffer, "{\"execute\":\"qmp_capabilities\",\"id\":0}\r\n");

        memset(name, 'x', 64);
        name[64] = '\0';
        length = qmp_write_command(buffer, name, UINT32_MAX);
        assert_int_equal(length, strlen(buffer));
        message = understand(buffer);
        assert_string_equal(message.name, name);
        assert_int_equal(json_integer_value(message.id), UINT32_MAX);
}

static void what_is_decoded_can_be_said_again(void **state) {
        static const char *const lines[] = {
                "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":1,\"major\":0},\"package\":\"\"},"
                "\"capabilities\":[]}}\r\n",
                "{\"timestamp\":{\"seconds\":-1,\"microseconds\":-1},\"event\":\"STOP\"}\r\n",
                "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"RESET\",\"data\":{\"guest\":"
                "false}}\r\n",
                "{\"return\":[1,2.5,\"\xf0\x9f\x98\x80\\u001F\"],\"id\":[]}\r\n",
                "{\"return\":null}\r\n",
                "{\"id\":null,\"error\":{\"class\":\"\",\"desc\":\"\"}}\r\n",
                "{\"exec-oob\":\"a\",\"arguments\":{},\"id\":0.5}\r\n",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
                message_scope message = understand(lines[i]);
                cleanup(freep) char *text = NULL;
                size_t length;

                assert_int_equal(qmp_message_encode(&message, &text, &length), 0);
                assert_string_equal(text, lines[i]);
        }
}

/* The allocation that fails, counted down; jansson's alone are in reach. */
static int n_until_failure;

static void *failing_malloc(size_t size) {
        return n_until_failure-- == 0 ? NULL : malloc(size);
}

static void memory_may_run_out_anywhere(void **state) {
        static const char line[] =
                "{\"event\":\"SHUTDOWN\",\"data\":{\"a\":[1,2.5,18446744073709551615]},\"id\":{\"b\":\"c\"}}";
        int n_failed = 0;

        (void)state;
        json_set_alloc_funcs(failing_malloc, free);
        for (int n = 0; n < 200; n++) {
                struct qmp_message message;
                char *text = NULL;
                size_t length;
                int r;

                n_until_failure = n;
                r = qmp_message_decode(&message, line, strlen(line));
                n_until_failure = -1;
                if (r)
                        n_failed++;
                qmp_message_deinit(&message);

                assert_int_equal(qmp_message_decode(&message, line, strlen(line)), 0);
                n_until_failure = n;
                r = qmp_message_encode(&message, &text, &length);
                n_until_failure = -1;
                if (r) {
                        assert_int_equal(r, -ENOMEM);
                        assert_null(text);
                        n_failed++;
                }
                free(text);
                qmp_message_deinit(&message);
        }
        json_set_alloc_funcs(malloc, free);
        assert_in_range(n_failed, 20, 300);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_greeting_gives_version_and_capabilities),
                cmocka_unit_test(a_greeting_needs_no_package_and_no_capability),
                cmocka_unit_test(an_event_gives_name_data_and_timestamp),
                cmocka_unit_test(an_event_holds_without_a_timestamp_that_makes_sense),
                cmocka_unit_test(the_last_timestamp_fits_nanoseconds),
                cmocka_unit_test(a_return_gives_any_value_and_its_id),
                cmocka_unit_test(an_error_gives_class_and_description),
                cmocka_unit_test(a_command_gives_name_arguments_and_band),
                cmocka_unit_test(what_a_peer_adds_is_passed_over_but_not_in_a_command),
                cmocka_unit_test(what_is_no_message_is_malformed),
                cmocka_unit_test(a_malformed_command_can_still_be_answered),
                cmocka_unit_test(depth_is_bounded),
                cmocka_unit_test(the_number_of_values_is_bounded_outside_of_strings),
                cmocka_unit_test(size_is_bounded),
                cmocka_unit_test(only_integers_beyond_64_bits_are_rounded),
                cmocka_unit_test(encoders_say_what_qemu_says),
                cmocka_unit_test(a_string_that_is_no_utf8_is_not_said),
                cmocka_unit_test(a_simple_command_needs_no_memory),
                cmocka_unit_test(what_is_decoded_can_be_said_again),
                cmocka_unit_test(memory_may_run_out_anywhere),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
