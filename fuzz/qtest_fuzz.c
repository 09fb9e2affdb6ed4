/*
 * Fuzz: any bytes as what a tester says over qtest.
 *
 * The laws: every line is answered by one line, OK or FAIL, with at most an interrupt's before it; the clock never goes back; what
 * is asked for is one of the board's requests, with its mechanism.
 */
#include <stdint.h>
#include <string.h>

#include "vmm/qtest.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct qtest *qtest, const char *line) {
        const uint64_t before_ns = qtest->now_ns;
        char reply[QTEST_REPLY_MAX];
        struct board_request request;
        const char *said = reply;

        memset(reply, 'x', sizeof(reply));
        qtest_answer(qtest, line, reply, &request);
        law(memchr(reply, '\0', sizeof(reply)));
        if (!strncmp(said, "IRQ ", 4))
                said = strchr(said, '\n') + 1;
        law(!strncmp(said, "OK", 2) || !strncmp(said, "FAIL", 4));
        law(strchr(said, '\n') == said + strlen(said) - 1);
        law(qtest->now_ns >= before_ns && qtest->now_ns <= INT64_MAX);
        law(request.kind <= BOARD_GUEST_SHUTDOWN && (request.kind == BOARD_NOTHING) == !request.mechanism);
        if (request.kind == BOARD_RESET)
                board_reset(qtest->board, qtest->now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct board board;
        struct qtest qtest = { .board = &board };
        char line[2 * QTEST_LINE_MAX];
        size_t n = 0;

        if (!size)
                return 0;
        board_init(&board, data[0] & 1 ? ACPI_PM_ICH9 : ACPI_PM_PIIX4, 0);
        for (size_t i = 1; i < size; i++) {
                if (data[i] != '\n' && data[i] && n < sizeof(line) - 1) {
                        line[n++] = (char)data[i];
                        continue;
                }
                line[n] = '\0';
                n = 0;
                answer(&qtest, line);
        }
        return 0;
}
