#include "sources/wire/wire_message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "sources/wire/wire_lines.h"

static int read_text(struct wire_message *ret_message, const char *text) {
        return wire_message_read(ret_message, text, strlen(text));
}

/* Writes it and reads it back. */
static struct wire_message over_the_wire(const struct wire_message *message) {
        struct wire_message back;
        cleanup(freep) char *line = NULL;
        size_t n_line;

        assert_int_equal(wire_message_write(message, &line, &n_line), 0);
        assert_ptr_equal(memchr(line, '\n', n_line), line + n_line - 1);
        assert_int_equal(wire_message_read(&back, line, n_line), 0);
        assert_int_equal(back.kind, message->kind);
        return back;
}

static void a_hello_is_read_as_it_was_written(void **state) {
        struct wire_message hello = {
                .kind = WIRE_HELLO,
                .hello = { .protocol = 1,
                           .program = "vmpower run",
                           .database = "66306:1234",
                           .sources = 1u << SOURCE_QMP | 1u << SOURCE_PROCESS,
                           .vm = { .name = "web-1",
                                   .uuid = "6c9b7e5e-8c3f-4b4c-a5b1-000000000001",
                                   .backend = "qemu",
                                   .instance = "BOOT:4711:99",
                                   .policy = "on_crash=restart",
                                   .monitor = "/run/vmpower/run/1.sock",
                                   .pid = 4711,
                                   .n_restarts = 2,
                                   .began_ns = UINT64_C(1790000000123456789),
                                   .command_line = (char *)"qemu-system-x86_64 -name 'web 1'" } },
        };
        struct wire_message back = over_the_wire(&hello);
        const struct wire_vm *vm = &back.hello.vm;

        assert_int_equal(back.hello.protocol, 1);
        assert_string_equal(back.hello.program, "vmpower run");
        assert_string_equal(back.hello.database, "66306:1234");
        assert_int_equal(back.hello.sources, hello.hello.sources);
        assert_string_equal(vm->name, "web-1");
        assert_string_equal(vm->uuid, hello.hello.vm.uuid);
        assert_string_equal(vm->backend, "qemu");
        assert_string_equal(vm->instance, "BOOT:4711:99");
        assert_string_equal(vm->policy, "on_crash=restart");
        assert_string_equal(vm->monitor, "/run/vmpower/run/1.sock");
        assert_int_equal(vm->pid, 4711);
        assert_int_equal(vm->n_restarts, 2);
        assert_int_equal(vm->began_ns, UINT64_C(1790000000123456789));
        assert_string_equal(vm->command_line, hello.hello.vm.command_line);
        wire_message_deinit(&back);
}

static void a_fact_is_the_same_at_the_other_end(void **state) {
        struct actor actor = { .pid = 7, .uid = 1000, .comm = "kill", .via = "SIGTERM", .confidence = CONFIDENCE_LIKELY };
        struct wire_message message = { .kind = WIRE_EVIDENCE, .evidence = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL) }, back;

        message.evidence.at_ns = UINT64_C(123456789012345);
        message.evidence.time_ns = UINT64_C(1790000000000000001);
        message.evidence.seq = 42;
        message.evidence.number = 15;
        evidence_set_word(&message.evidence, "SIGTERM");
        assert_int_equal(evidence_set_actor(&message.evidence, &actor), 0);
        back = over_the_wire(&message);
        assert_true(evidence_is_same(&back.evidence, &message.evidence));
        assert_int_equal(back.evidence.time_ns, message.evidence.time_ns);
        wire_message_deinit(&message);
        wire_message_deinit(&back);
}

static void every_kind_of_fact_goes_over_the_wire(void **state) {
        for (enum evidence_kind kind = 0; kind < _EVIDENCE_KIND_N; kind++) {
                struct wire_message message = { .kind = WIRE_EVIDENCE, .evidence = evidence_make(SOURCE_QMP, kind) }, back;

                message.evidence.at_ns = 1;
                back = over_the_wire(&message);
                assert_true(evidence_is_same(&back.evidence, &message.evidence));
                wire_message_deinit(&back);
        }
}

static void small_messages_are_read_as_they_were_written(void **state) {
        struct wire_message message = { .kind = WIRE_VERDICT, .verdict = "01JDB6Q4M0X80000000000000A" }, back;

        back = over_the_wire(&message);
        assert_string_equal(back.verdict, message.verdict);
        message = (struct wire_message){ .kind = WIRE_DECIDED, .decided = { "on_crash", "restart", "done" } };
        back = over_the_wire(&message);
        assert_string_equal(back.decided.policy, "on_crash");
        assert_string_equal(back.decided.action, "restart");
        assert_string_equal(back.decided.result, "done");
        message = (struct wire_message){ .kind = WIRE_WELCOME, .welcome = { 1, false } };
        back = over_the_wire(&message);
        assert_int_equal(back.welcome.protocol, 1);
        assert_false(back.welcome.wants_evidence);
        message = (struct wire_message){ .kind = WIRE_REFUSED, .why = "no" };
        back = over_the_wire(&message);
        assert_string_equal(back.why, "no");
        message = (struct wire_message){ .kind = WIRE_GONE };
        over_the_wire(&message);
        message = (struct wire_message){ .kind = WIRE_UNKNOWN };
        assert_int_equal(wire_message_write(&message, &(char *){ NULL }, &(size_t){ 0 }), -EINVAL);
}

/* What a helper and the daemon say to each other: on many VMs. */
static void a_helpers_words_are_read_as_they_were_written(void **state) {
        struct wire_message message = { .kind = WIRE_HELLO, .hello = { .protocol = 1,
                                        .vm = { .name = "web-1", .backend = "xen", .instance = "BOOT:xen5:170000", .domid = 5,
                                                .state = "running", .device_model = "BOOT:77:123" } } }, back;

        back = over_the_wire(&message);
        assert_int_equal(back.hello.vm.pid, 0);
        assert_int_equal(back.hello.vm.domid, 5);
        assert_string_equal(back.hello.vm.state, "running");
        assert_string_equal(back.hello.vm.device_model, "BOOT:77:123");
        wire_message_deinit(&back);
        message = (struct wire_message){ .kind = WIRE_GONE, .of = "BOOT:xen5:170000" };
        back = over_the_wire(&message);
        assert_string_equal(back.of, "BOOT:xen5:170000");
        message = (struct wire_message){ .kind = WIRE_CONFIGURE, .configure = { "leave" } };
        back = over_the_wire(&message);
        assert_string_equal(back.configure.xen_policy, "leave");
        assert_string_equal(back.of, "");
        message = (struct wire_message){ .kind = WIRE_REQUEST, .request = { 7, "BOOT:xen5:170000", "rename-restart", "web-1.old" } };
        back = over_the_wire(&message);
        assert_int_equal(back.request.number, 7);
        assert_string_equal(back.request.of, "BOOT:xen5:170000");
        assert_string_equal(back.request.command, "rename-restart");
        assert_string_equal(back.request.name, "web-1.old");
        message = (struct wire_message){ .kind = WIRE_DONE, .done = { 7, false, "there is no such domain" } };
        back = over_the_wire(&message);
        assert_int_equal(back.done.number, 7);
        assert_false(back.done.is_done);
        assert_string_equal(back.done.why, "there is no such domain");
        message.done.is_done = true;
        assert_true(over_the_wire(&message).done.is_done);
        message = (struct wire_message){ .kind = WIRE_SURVEYED };
        over_the_wire(&message);
        message = (struct wire_message){ .kind = WIRE_LOOK };
        assert_int_equal(over_the_wire(&message).look, 0);
        message = (struct wire_message){ .kind = WIRE_LOOK, .of = "BOOT:xen5:170000", .look = 3 };
        assert_int_equal(over_the_wire(&message).look, 3);
        message = (struct wire_message){ .kind = WIRE_VM, .vm = { .instance = "BOOT:xen5:170000", .look = INT64_MAX } };
        back = over_the_wire(&message);
        assert_true(back.vm.look == INT64_MAX);
        wire_message_deinit(&back);
        message = (struct wire_message){ .kind = WIRE_TROUBLE, .trouble = "xenstored has gone" };
        back = over_the_wire(&message);
        assert_string_equal(back.trouble, "xenstored has gone");
}

static void what_a_later_version_says_is_passed_over(void **state) {
        static const char *const lines[] = {
                "{\"news\": {\"a\": 1}}",
                "{}",
                "{\"evidence\": {\"at_ns\": 1, \"source\": \"psychic\", \"kind\": \"shutdown\", \"data\": {}}}",
                "{\"evidence\": {\"at_ns\": 1, \"source\": \"qmp\", \"kind\": \"levitation\", \"data\": {}}}",
        };
        struct wire_message message;

        for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
                assert_int_equal(read_text(&message, lines[i]), 0);
                assert_int_equal(message.kind, WIRE_UNKNOWN);
                wire_message_deinit(&message);
        }
        assert_int_equal(read_text(&message, "{\"gone\": true, \"because\": [1, 2]}"), 0);
        assert_int_equal(message.kind, WIRE_GONE);
        assert_int_equal(read_text(&message, "{\"hello\": {\"sources\": [\"qmp\", \"psychic\"], \"vm\": {\"colour\": 1}}}"), 0);
        assert_int_equal(message.hello.sources, 1u << SOURCE_QMP);
        assert_int_equal(message.hello.protocol, 1);
        wire_message_deinit(&message);
}

static void what_is_no_message_is_refused(void **state) {
        static const char *const lines[] = {
                "",
                "hello",
                "[]",
                "{\"hello\": 1}",
                "{\"hello\": {}}",
                "{\"hello\": {\"protocol\": 0, \"vm\": {}}}",
                "{\"hello\": {\"protocol\": \"1\", \"vm\": {}}}",
                "{\"hello\": {\"sources\": \"qmp\", \"vm\": {}}}",
                "{\"hello\": {\"sources\": [1], \"vm\": {}}}",
                "{\"hello\": {\"vm\": {\"pid\": -1}}}",
                "{\"hello\": {\"vm\": {\"pid\": 2147483648}}}",
                "{\"hello\": {\"vm\": {\"name\": 7}}}",
                "{\"vm\": {\"look\": -1}}",
                "{\"look\": \"3\"}",
                "{\"hello\": {\"vm\": {\"began\": \"yesterday\"}}}",
                "{\"hello\": {\"vm\": {\"command_line\": []}}}",
                "{\"vm\": []}",
                "{\"evidence\": {}}",
                "{\"evidence\": {\"at_ns\": -1, \"source\": \"qmp\", \"kind\": \"stop\", \"data\": {}}}",
                "{\"evidence\": {\"at_ns\": 1, \"source\": \"qmp\", \"kind\": \"stop\"}}",
                "{\"evidence\": {\"at_ns\": 1, \"source\": \"qmp\", \"kind\": \"shutdown\", \"data\": {\"guest\": 1}}}",
                "{\"evidence\": {\"at_ns\": 1, \"time\": 5, \"source\": \"qmp\", \"kind\": \"stop\", \"data\": {}}}",
                "{\"verdict\": 5}",
                "{\"gone\": true, \"of\": 5}",
                "{\"hello\": {\"vm\": {\"domid\": -1}}}",
                "{\"hello\": {\"vm\": {\"state\": true}}}",
                "{\"configure\": \"leave\"}",
                "{\"request\": 7}",
                "{\"request\": {\"command\": \"destroy\"}}",
                "{\"request\": {\"request\": 7}}",
                "{\"request\": {\"request\": 0, \"command\": \"destroy\"}}",
                "{\"done\": {\"result\": \"done\"}}",
                "{\"done\": {\"request\": 7}}",
                "{\"done\": {\"request\": 7, \"result\": \"perhaps\"}}",
                "{\"done\": {\"request\": -7, \"result\": \"done\"}}",
                "{\"trouble\": {}}",
                "{\"decided\": \"done\"}",
                "{\"gone\": true, \"gone\": true}",
                "{\"gone\": true} {\"gone\": true}",
        };
        struct wire_message message;

        for (size_t i = 0; i < N_ELEMENTS(lines); i++)
                assert_int_equal(read_text(&message, lines[i]), -EINVAL);
}

static void texts_are_cut_at_their_bounds_and_printable(void **state) {
        cleanup(freep) char *line = malloc(WIRE_LINE_MAX + 2);
        struct wire_message message;
        int n = sprintf(line, "{\"hello\": {\"program\": \"a\\u0007\\u001bb\", \"vm\": {\"command_line\": \"");

        memset(line + n, 'x', 50000);
        strcpy(line + n + 50000, "\"}}}");
        assert_int_equal(read_text(&message, line), 0);
        assert_string_equal(message.hello.program, "a??b");
        assert_int_equal(strlen(message.hello.vm.command_line), WIRE_COMMAND_MAX - 1);
        wire_message_deinit(&message);
        memset(line, ' ', WIRE_LINE_MAX + 1);
        assert_int_equal(wire_message_read(&message, line, WIRE_LINE_MAX + 1), -EMSGSIZE);
}

static void the_longest_command_line_fits_a_line(void **state) {
        static char command_line[WIRE_COMMAND_MAX * 2];
        struct wire_message hello = { .kind = WIRE_HELLO, .hello = { .protocol = 1, .vm = { .command_line = command_line } } }, back;

        memset(command_line, '"', sizeof(command_line) - 1);
        back = over_the_wire(&hello);
        assert_int_equal(strlen(back.hello.vm.command_line), WIRE_COMMAND_MAX - 1);
        wire_message_deinit(&back);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

struct heard {
        char text[64];
        size_t n_longest;
        int answer;
};

static int hear(void *userdata, const char *line, size_t n_line) {
        struct heard *heard = userdata;
        size_t n = strlen(heard->text);

        assert_int_equal(line[n_line - 1], '\n');
        if (n_line < 16)
                snprintf(heard->text + n, sizeof(heard->text) - n, "%.*s;", (int)n_line - 1, line);
        if (n_line > heard->n_longest)
                heard->n_longest = n_line;
        return heard->answer;
}

static void bytes_become_lines_however_they_come(void **state) {
        static const char bytes[] = "one\n\ntwo\nthree\n\n\nfo";

        for (size_t step = 1; step < sizeof(bytes); step++) {
                struct wire_lines lines = { 0 };
                struct heard heard = { "" };

                for (size_t at = 0; at < sizeof(bytes) - 1; at += step) {
                        size_t n = sizeof(bytes) - 1 - at < step ? sizeof(bytes) - 1 - at : step;

                        assert_int_equal(wire_lines_take(&lines, bytes + at, n, hear, &heard), 0);
                }
                assert_string_equal(heard.text, "one;two;three;");
                assert_int_equal(lines.n_held, 2);
                assert_int_equal(wire_lines_take(&lines, "ur\n", 3, hear, &heard), 0);
                assert_string_equal(heard.text, "one;two;three;four;");
                /* What is whole holds no memory. */
                assert_null(lines.held);
                wire_lines_deinit(&lines);
        }
}

static void a_line_without_an_end_has_an_end(void **state) {
        static char bytes[WIRE_LINE_MAX];
        struct wire_lines lines = { 0 };
        struct heard heard = { "" };

        memset(bytes, 'x', sizeof(bytes));
        assert_int_equal(wire_lines_take(&lines, bytes, sizeof(bytes) - 1, hear, &heard), 0);
        assert_int_equal(wire_lines_take(&lines, "\n", 1, hear, &heard), 0);
        assert_int_equal(heard.n_longest, WIRE_LINE_MAX);
        assert_int_equal(wire_lines_take(&lines, bytes, sizeof(bytes), hear, &heard), 0);
        assert_int_equal(wire_lines_take(&lines, "\n", 1, hear, &heard), -EMSGSIZE);
        wire_lines_deinit(&lines);
}

static void whoever_has_heard_enough_hears_no_more(void **state) {
        struct wire_lines lines = { 0 };
        struct heard heard = { .answer = -EPROTO };

        assert_int_equal(wire_lines_take(&lines, "one\ntwo\n", 8, hear, &heard), -EPROTO);
        assert_string_equal(heard.text, "one;");
        wire_lines_deinit(&lines);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_hello_is_read_as_it_was_written),
                cmocka_unit_test(a_fact_is_the_same_at_the_other_end),
                cmocka_unit_test(every_kind_of_fact_goes_over_the_wire),
                cmocka_unit_test(small_messages_are_read_as_they_were_written),
                cmocka_unit_test(a_helpers_words_are_read_as_they_were_written),
                cmocka_unit_test(what_a_later_version_says_is_passed_over),
                cmocka_unit_test(what_is_no_message_is_refused),
                cmocka_unit_test(texts_are_cut_at_their_bounds_and_printable),
                cmocka_unit_test(the_longest_command_line_fits_a_line),
                cmocka_unit_test(bytes_become_lines_however_they_come),
                cmocka_unit_test(a_line_without_an_end_has_an_end),
                cmocka_unit_test(whoever_has_heard_enough_hears_no_more),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
