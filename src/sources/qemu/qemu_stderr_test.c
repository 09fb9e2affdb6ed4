#include "sources/qemu/qemu_stderr.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Read it all; returns how many signals were told, the last one in ret_evidence. */
static unsigned read_all(struct qemu_stderr *stream, const char *text, size_t n, uint64_t at_ns,
                         struct evidence *ret_evidence) {
        unsigned n_signals = 0;

        while (n) {
                struct evidence evidence;
                size_t n_read = 0;
                int r = qemu_stderr_read(stream, text, n, at_ns, at_ns + 1, &n_read, &evidence);

                assert_true(r == 0 || r == QEMU_STDERR_SIGNAL);
                assert_true(n_read && n_read <= n);
                text += n_read;
                n -= n_read;
                if (r == QEMU_STDERR_SIGNAL) {
                        if (n_signals++)
                                evidence_deinit(ret_evidence);
                        *ret_evidence = evidence;
                }
        }
        return n_signals;
}

static void the_sender_of_a_signal_is_told(void **state) {
        static const char text[] =
                "qemu-system-x86_64: terminating on signal 15 from pid 9974 (/usr/sbin/libvirtd)\n";
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;

        assert_int_equal(read_all(&stream, text, strlen(text), 7, &evidence), 1);
        assert_int_equal(evidence.source, SOURCE_STDERR);
        assert_int_equal(evidence.kind, EVIDENCE_SIGNAL);
        assert_int_equal(evidence.number, 15);
        assert_string_equal(evidence.word, "SIGTERM");
        assert_int_equal(evidence.at_ns, 7);
        assert_int_equal(evidence.time_ns, 8);
        assert_non_null(evidence.actor);
        assert_int_equal(evidence.actor->pid, 9974);
        assert_int_equal(evidence.actor->uid, -1);
        assert_string_equal(evidence.actor->exe, "/usr/sbin/libvirtd");
        assert_string_equal(evidence.actor->comm, "libvirtd");
        assert_string_equal(evidence.actor->via, "SIGTERM");
        evidence_deinit(&evidence);
}

static void a_signal_from_the_terminal_has_no_sender(void **state) {
        static const char text[] = "qemu-system-x86_64: terminating on signal 2\r\n";
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;

        assert_int_equal(read_all(&stream, text, strlen(text), 7, &evidence), 1);
        assert_int_equal(evidence.number, 2);
        assert_null(evidence.actor);
}

static void a_sender_is_named_as_its_command_line_begins(void **state) {
        static const struct {
                const char *by;
                const char *exe;
                const char *comm;
        } cases[] = {
                { "bash", "", "bash" },          { "-bash", "", "bash" },
                { "./run", "", "run" },          { "/opt/a (b)", "/opt/a (b)", "a (b)" },
                { "<unknown process>", "", "" }, { "", "", "" },
                { "x\033[2J", "", "x?[2J" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct qemu_stderr stream = { 0 };
                struct evidence evidence;
                char text[128];

                strcpy(text, "q: terminating on signal 1 from pid 5 (");
                strcat(text, cases[i].by);
                strcat(text, ")\n");
                assert_int_equal(read_all(&stream, text, strlen(text), 7, &evidence), 1);
                assert_string_equal(evidence.actor->exe, cases[i].exe);
                assert_string_equal(evidence.actor->comm, cases[i].comm);
                evidence_deinit(&evidence);
        }
}

/* QEMU says it once: who says it again may be its guest, or may have been. */
static void a_sender_is_named_once(void **state) {
        static const char forged[] = "q: terminating on signal 15 from pid 1 (init)\n", real[] = "q: terminating on signal 15 from pid 5 (bash)\n";
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;

        assert_int_equal(read_all(&stream, forged, strlen(forged), 7, &evidence), 1);
        assert_int_equal(evidence.actor->pid, 1);
        evidence_deinit(&evidence);
        assert_int_equal(read_all(&stream, real, strlen(real), 8, &evidence), 1);
        assert_int_equal(evidence.number, 15);
        assert_null(evidence.actor);
}

static void a_time_and_a_name_may_stand_before_it(void **state) {
        static const char line[] =
                "2026-11-23T17:52:05.123456Z web 1 qemu-kvm: terminating on signal 15 from pid 1 (systemd)";
        struct qemu_stderr_signal signal;

        assert_true(qemu_stderr_signal_parse(&signal, line, strlen(line)));
        assert_int_equal(signal.number, 15);
        assert_int_equal(signal.pid, 1);
}

static void what_only_looks_like_a_signal_is_a_message(void **state) {
        static const char *const lines[] = {
                "",
                "terminating on signal 15",
                ": terminating on signal 15",
                "q: terminating on signal ",
                "q: terminating on signal x",
                "q: terminating on signal 0",
                "q: terminating on signal 65",
                "q: terminating on signal 9 from pid 1 (init)",
                "q: terminating on signal 99999999999999999999",
                "q: terminating on signal 15x",
                "q: terminating on signal 15 from pid",
                "q: terminating on signal 15 from pid 0 (a)",
                "q: terminating on signal 15 from pid 5 (a",
                "q: terminating on signal 15 from pid 5 a)",
                "q: terminating on signal 15 from pid 5 (",
                "q: terminating on signal 15 from pid 9999999999 (a)",
        };
        struct qemu_stderr_signal signal;

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                assert_false(qemu_stderr_signal_parse(&signal, lines[i], strlen(lines[i])));
}

static void the_last_messages_are_kept_in_their_order(void **state) {
        static const char text[] = "1\n2\n\n3\r\n4\n5\n6";
        struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;

        assert_int_equal(qemu_stderr_messages(&stream, messages), 0);
        assert_int_equal(read_all(&stream, text, strlen(text), 7, &evidence), 0);
        assert_int_equal(qemu_stderr_messages(&stream, messages), 4);
        assert_string_equal(messages[0].text, "2");
        assert_string_equal(messages[3].text, "5");

        /* The stream ended without a line's end. */
        assert_int_equal(read_all(&stream, "\n", 1, 9, &evidence), 0);
        assert_int_equal(qemu_stderr_messages(&stream, messages), 4);
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(messages[i].source, SOURCE_STDERR);
                assert_int_equal(messages[i].kind, EVIDENCE_MESSAGE);
                assert_int_equal(messages[i].text[0], '3' + (char)i);
                assert_int_equal(messages[i].at_ns, i == 3 ? 9 : 7);
                assert_null(messages[i].actor);
        }
}

static void it_does_not_matter_how_the_bytes_come(void **state) {
        static const char text[] = "warning: x\nq: terminating on signal 15 from pid 5 (a)\nlast\n";

        for (size_t n = 1; n <= strlen(text); n++) {
                struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
                struct qemu_stderr stream = { 0 };
                struct evidence evidence;
                unsigned n_signals = 0;

                for (size_t i = 0; i < strlen(text); i += n)
                        n_signals += read_all(&stream, text + i, i + n < strlen(text) ? n : strlen(text) - i,
                                              7, &evidence);
                assert_int_equal(n_signals, 1);
                assert_int_equal(evidence.actor->pid, 5);
                evidence_deinit(&evidence);
                assert_int_equal(qemu_stderr_messages(&stream, messages), 2);
                assert_string_equal(messages[1].text, "last");
        }
}

static void a_flood_is_kept_short(void **state) {
        enum {
                N = 1 << 20,
        };
        static const char forged[] = "q: terminating on signal 15 from pid 1 (init)\n";
        struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;
        char *flood = malloc(N);
        unsigned n_signals = 0;

        assert_non_null(flood);
        memset(flood, 'x', N);
        assert_int_equal(read_all(&stream, flood, N, 7, &evidence), 0);
        flood[0] = '\n';
        assert_int_equal(read_all(&stream, flood, 1, 7, &evidence), 0);
        assert_int_equal(qemu_stderr_messages(&stream, messages), 1);
        assert_int_equal(strlen(messages[0].text), EVIDENCE_TEXT_MAX - 1);
        free(flood);

        for (size_t i = 0; i < 1000; i++) {
                unsigned n = read_all(&stream, forged, strlen(forged), 7, &evidence);

                if (n)
                        evidence_deinit(&evidence);
                n_signals += n;
        }
        assert_int_equal(n_signals, QEMU_STDERR_SIGNALS_MAX);
}

static void a_character_at_the_bound_is_whole_or_gone(void **state) {
        struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
        struct qemu_stderr stream = { 0 };
        struct evidence evidence;
        char text[EVIDENCE_TEXT_MAX + 8];

        memset(text, 'x', sizeof(text));
        memcpy(text + EVIDENCE_TEXT_MAX - 2, "\xe2\x82\xac", 3);
        text[sizeof(text) - 1] = '\n';
        assert_int_equal(read_all(&stream, text, sizeof(text), 7, &evidence), 0);
        assert_int_equal(qemu_stderr_messages(&stream, messages), 1);
        assert_int_equal(strlen(messages[0].text), EVIDENCE_TEXT_MAX - 2);
        assert_int_equal(messages[0].text[EVIDENCE_TEXT_MAX - 3], 'x');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_sender_of_a_signal_is_told),
                cmocka_unit_test(a_signal_from_the_terminal_has_no_sender),
                cmocka_unit_test(a_sender_is_named_as_its_command_line_begins),
                cmocka_unit_test(a_sender_is_named_once),
                cmocka_unit_test(a_time_and_a_name_may_stand_before_it),
                cmocka_unit_test(what_only_looks_like_a_signal_is_a_message),
                cmocka_unit_test(the_last_messages_are_kept_in_their_order),
                cmocka_unit_test(it_does_not_matter_how_the_bytes_come),
                cmocka_unit_test(a_flood_is_kept_short),
                cmocka_unit_test(a_character_at_the_bound_is_whole_or_gone),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
