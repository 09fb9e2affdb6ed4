/* A client's negotiation, its id in its own bytes, and what of its words matters for power. */
#include "sources/qemu/qmp_server.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void an_id_is_exchanged_and_nothing_else(void **state) {
        static const struct {
                const char *text, *id, *spliced;
        } cases[] = {
                { "{\"execute\":\"x\"}", "7", "{\"id\": 7, \"execute\":\"x\"}\r\n" },
                { "{}", "7", "{\"id\": 7}\r\n" },
                { "{ }", "7", "{\"id\": 7 }\r\n" },
                { "{\"id\":1,\"execute\":\"x\"}", "7", "{\"id\":7,\"execute\":\"x\"}\r\n" },
                { "{\"execute\":\"x\" , \"id\" : {\"id\":[1,\"}\"]} }", "7", "{\"execute\":\"x\" , \"id\" : 7 }\r\n" },
                { "{\"arguments\":{\"id\":3},\"\\u0069\\u0064\":1.50}", "7", "{\"arguments\":{\"id\":3},\"\\u0069\\u0064\":7}\r\n" },
                { "{\"arguments\":{\"id\":3}}", "7", "{\"id\": 7, \"arguments\":{\"id\":3}}\r\n" },
                { "{\"a\":\"\\\"id\\\":3\"}", "7", "{\"id\": 7, \"a\":\"\\\"id\\\":3\"}\r\n" },
                { "{\"return\": {}, \"id\": 1000}", "\"\\u00e4\"", "{\"return\": {}, \"id\": \"\\u00e4\"}\r\n" },
                { "{\"return\": 18446744073709551615, \"id\": 1000}", NULL, "{\"return\": 18446744073709551615}\r\n" },
                { "{\"id\": 1000, \"error\": {}}", NULL, "{\"error\": {}}\r\n" },
                { "{\"id\": 1000}", NULL, "{}\r\n" },
                { "{\"a\": 1, \"id\": 1000, \"b\": 2}", NULL, "{\"a\": 1, \"b\": 2}\r\n" },
                { "{\"return\": {\"id\": 1}}", NULL, "{\"return\": {\"id\": 1}}\r\n" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(freep) char *text = NULL;
                size_t n;

                assert_int_equal(qmp_splice_id(&text, &n, cases[i].text, strlen(cases[i].text),
                                               (struct qmp_span){ cases[i].id, cases[i].id ? strlen(cases[i].id) : 0 }), 0);
                assert_string_equal(text, cases[i].spliced);
                assert_int_equal(n, strlen(text));
        }
}

static void the_words_that_matter_for_power_are_known(void **state) {
        static const struct {
                const char *command, *line, *request;
        } cases[] = {
                { "quit", NULL, "quit" },
                { "system_powerdown", NULL, "system_powerdown" },
                { "system_reset", NULL, "system_reset" },
                { "system_wakeup", NULL, "system_wakeup" },
                { "stop", NULL, "stop" },
                { "cont", NULL, "cont" },
                { "set-action", NULL, "set-action" },
                { "migrate", NULL, "migrate" },
                { "migrate-incoming", NULL, "migrate-incoming" },
                { "inject-nmi", NULL, "inject-nmi" },
                { "query-status", NULL, NULL },
                { "quit", "info", "quit" },
                { "", NULL, NULL },
                { "quit ", NULL, NULL },
                { "q", NULL, NULL },
                { "human-monitor-command", NULL, NULL },
                { "human-monitor-command", "", NULL },
                { "human-monitor-command", "info status", NULL },
                { "human-monitor-command", "q", "quit" },
                { "human-monitor-command", "quit", "quit" },
                { "human-monitor-command", " \t\v quit/x now", "quit" },
                { "human-monitor-command", "s", "stop" },
                { "human-monitor-command", "c\n", "cont" },
                { "human-monitor-command", "system_reset", "system_reset" },
                { "human-monitor-command", "system_r", NULL }, /* QEMU takes none, either */
                { "human-monitor-command", "qu", NULL },
                { "human-monitor-command", "nmi", "inject-nmi" },
                { "human-monitor-command", "migrate -d tcp:0:1", "migrate" },
                { "human-monitor-command", "migrate_incoming tcp:0:1", "migrate-incoming" },
                { "human-monitor-command", "info migrate", NULL },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const char *request = qmp_server_request(cases[i].command, cases[i].line);

                if (cases[i].request)
                        assert_string_equal(request, cases[i].request);
                else
                        assert_null(request);
        }
}

/* What is done with a message: its answer, or "→", what for, and how. */
static void take(struct qmp_server *server, const char *text, char *ret_text, size_t n_max) {
        struct qmp_order order;

        assert_int_equal(qmp_server_take(server, &order, text, strlen(text)), 0);
        if (order.answer)
                snprintf(ret_text, n_max, "%.*s", (int)order.n_answer - 2, order.answer);
        else
                snprintf(ret_text, n_max, "-> %s%s%s", order.request ? order.request : "", order.is_oob ? " oob" : "",
                         order.takes_fds ? " fds" : "");
        qmp_order_deinit(&order);
}

#define COMPLETE "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Capabilities negotiation is already complete, command ignored\"}}"
#define EXPECTING                                                                                                     \
        "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Expecting capabilities negotiation with 'qmp_capabilities'\"}}"
#define UNEXPECTED "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input member 'exec-oob' is unexpected\"}}"

static void a_client_negotiates_once(void **state) {
        static const struct {
                const char *text, *outcome;
        } cases[] = {
                { "{\"execute\":\"quit\"}", EXPECTING },
                { "{\"exec-oob\":\"qmp_capabilities\"}", UNEXPECTED },
                { "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\",\"oob\"]}}",
                  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Capability oob, oob not available\"}}" },
                { "{\"execute\":\"qmp_capabilities\"}", "{\"return\":{}}" },
                { "{\"execute\":\"qmp_capabilities\"}", COMPLETE },
                { "{\"execute\":\"quit\"}", "-> quit" },
                { "{\"execute\":\"quit\",\"x\":1}", "-> quit" },
                { "{\"exec-oob\":\"quit\"}", UNEXPECTED },
                { "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"q\"}}", "-> quit" },
                { "{\"execute\":\"getfd\"}", "->  fds" },
                { "{\"id\":1}", "-> " },
        };
        struct qmp_server server = { 0 };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[256];

                take(&server, cases[i].text, text, sizeof(text));
                assert_string_equal(text, cases[i].outcome);
        }
}

#define REFUSED(why) "{\"error\":{\"class\":\"GenericError\",\"desc\":\"" why "\"}}"
#define NEGOTIATE(arguments) "{\"execute\":\"qmp_capabilities\",\"arguments\":" arguments "}"

/* In QEMU's words, and none of it is a negotiation. */
static void what_is_not_in_form_is_refused(void **state) {
        static const struct {
                const char *text, *outcome;
        } cases[] = {
                { "7", REFUSED("QMP input must be a JSON object") },
                { "{\"execute\":1}", REFUSED("QMP input member 'execute' must be a string") },
                { "{\"execute\":\"qmp_capabilities\",\"arguments\":1}", REFUSED("QMP input member 'arguments' must be an object") },
                { "{\"execute\":\"qmp_capabilities\",\"x\":1}", REFUSED("QMP input member 'x' is unexpected") },
                { "{\"x\":1,\"execute\":\"qmp_capabilities\"}", REFUSED("QMP input member 'x' is unexpected") },
                { "{\"id\":1}", REFUSED("QMP input lacks member 'execute'") },
                { NEGOTIATE("{\"enable\":1}"), REFUSED("Invalid parameter type for 'enable', expected: array") },
                { NEGOTIATE("{\"enable\":[1]}"), REFUSED("Invalid parameter type for 'enable[0]', expected: string") },
                { NEGOTIATE("{\"enable\":[\"x\"]}"), REFUSED("Parameter 'null' does not accept value 'x'") },
                { NEGOTIATE("{\"enable\":[\"oob\"]}"), REFUSED("Capability oob not available") },
                { NEGOTIATE("{\"x\":1}"), REFUSED("Parameter 'x' is unexpected") },
        };
        struct qmp_server server = { 0 };
        struct qmp_order order;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char text[256];

                take(&server, cases[i].text, text, sizeof(text));
                assert_string_equal(text, cases[i].outcome);
                assert_false(server.is_negotiated);
        }
        assert_int_equal(qmp_server_take(&server, &order, "{\"execute\":", 11), 0);
        assert_non_null(order.answer);
        assert_memory_equal(order.answer, "{\"error\":", 9);
        qmp_order_deinit(&order);
}

static void out_of_band_is_for_whoever_enabled_it(void **state) {
        struct qmp_server server = { .offers_oob = true };
        char text[256];

        take(&server, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}", text, sizeof(text));
        assert_string_equal(text, "{\"return\":{}}");
        take(&server, "{\"exec-oob\":\"query-yank\"}", text, sizeof(text));
        assert_string_equal(text, "->  oob");
        take(&server, "{\"exec-oob\":\"x\",\"execute\":\"quit\"}", text, sizeof(text));
        assert_string_equal(text, "-> quit");
}

static void what_was_no_utf8_is_answered_in_utf8(void **state) {
        cleanup(freep) char *answer = NULL;
        size_t n;

        assert_int_equal(qmp_server_refuse(&answer, &n, "a\xff\xc3(\xf0\x9f\x98\x80\xe2\x82"), 0);
        assert_string_equal(answer, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"a\xef\xbf\xbd\xef\xbf\xbd(\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"}}\r\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_id_is_exchanged_and_nothing_else),
                cmocka_unit_test(the_words_that_matter_for_power_are_known),
                cmocka_unit_test(a_client_negotiates_once),
                cmocka_unit_test(what_is_not_in_form_is_refused),
                cmocka_unit_test(out_of_band_is_for_whoever_enabled_it),
                cmocka_unit_test(what_was_no_utf8_is_answered_in_utf8),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
