#include "sources/process/process_exit.h"

#include <string.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_wait_status_is_an_end_or_a_change(void **state) {
        static const struct {
                int status;
                enum evidence_kind kind;
                int64_t number;
                enum tristate flag;
                const char *word;
        } cases[] = {
                { 0, EVIDENCE_EXITED, 0, TRISTATE_NULL, "" },
                { 3 << 8, EVIDENCE_EXITED, 3, TRISTATE_NULL, "" },
                { 255 << 8, EVIDENCE_EXITED, 255, TRISTATE_NULL, "" },
                { SIGKILL, EVIDENCE_KILLED, SIGKILL, TRISTATE_FALSE, "SIGKILL" },
                { SIGSEGV | 0x80, EVIDENCE_KILLED, SIGSEGV, TRISTATE_TRUE, "SIGSEGV" },
                { SIGSTOP << 8 | 0x7f, EVIDENCE_STOPPED, SIGSTOP, TRISTATE_NULL, "SIGSTOP" },
                { 0xffff, EVIDENCE_CONTINUED, 0, TRISTATE_NULL, "" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct evidence evidence;

                assert_true(process_evidence_from_status(&evidence, cases[i].status));
                assert_int_equal(evidence.source, SOURCE_PROCESS);
                assert_int_equal(evidence.kind, cases[i].kind);
                assert_int_equal(evidence.number, cases[i].number);
                assert_int_equal(evidence.flag, cases[i].flag);
                assert_string_equal(evidence.word, cases[i].word);
                assert_int_equal(process_was_killed_by(&evidence, SIGKILL), cases[i].status == SIGKILL);
        }
}

static void siginfo_says_the_same_as_a_wait_status(void **state) {
        static const struct {
                int code;
                int value;
                int status;
        } cases[] = {
                { CLD_EXITED, 3, 3 << 8 },
                { CLD_KILLED, SIGTERM, SIGTERM },
                { CLD_DUMPED, SIGABRT, SIGABRT | 0x80 },
                { CLD_STOPPED, SIGTSTP, SIGTSTP << 8 | 0x7f },
                { CLD_CONTINUED, SIGCONT, 0xffff },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                siginfo_t info = { .si_code = cases[i].code };
                struct evidence a, b;

                info.si_status = cases[i].value;
                assert_true(process_evidence_from_siginfo(&a, &info));
                assert_true(process_evidence_from_status(&b, cases[i].status));
                assert_true(evidence_is_same(&a, &b));
        }
}

static void what_tells_of_no_child_is_no_fact(void **state) {
        siginfo_t info = { .si_code = CLD_TRAPPED };
        struct evidence evidence;

        assert_false(process_evidence_from_siginfo(&evidence, &info));
        info.si_code = SI_USER;
        assert_false(process_evidence_from_siginfo(&evidence, &info));
        /* A signal's number with nothing that such a status could mean. */
        assert_false(process_evidence_from_status(&evidence, 0xff));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_wait_status_is_an_end_or_a_change),
                cmocka_unit_test(siginfo_says_the_same_as_a_wait_status),
                cmocka_unit_test(what_tells_of_no_child_is_no_fact),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
