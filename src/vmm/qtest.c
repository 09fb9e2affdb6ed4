#include "vmm/qtest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        SCI = 9, /* the system control interrupt's line on a PC: FADT's SCI_INT */
        WORDS_MAX = 4,
};

struct words {
        char text[QTEST_LINE_MAX];
        char *word[WORDS_MAX];
        size_t n;
};

/* False: too long, or too many. */
static bool split(struct words *words, const char *line) {
        char *rest = words->text;

        *words = (struct words){ 0 };
        if (strlen(line) >= sizeof(words->text))
                return false;
        strcpy(words->text, line);
        for (char *word; (word = strsep(&rest, " \t\r")) != NULL;) {
                if (!*word)
                        continue;
                if (words->n == WORDS_MAX)
                        return false;
                words->word[words->n++] = word;
        }
        return true;
}

/* Decimal, or hexadecimal with 0x. */
static bool read_number(const char *word, uint64_t max, uint64_t *ret_value) {
        char *end;

        if (*word < '0' || *word > '9')
                return false;
        errno = 0;
        *ret_value = strtoull(word, &end, 0);
        return !errno && !*end && *ret_value <= max;
}

static unsigned width_of(char letter) {
        return letter == 'b' ? 1 : letter == 'w' ? 2 : letter == 'l' ? 4 : 0;
}

void qtest_tell_interrupt(struct qtest *qtest, char ret_line[static QTEST_REPLY_MAX]) {
        const bool interrupt = acpi_pm_interrupt(&qtest->board->pm, qtest->now_ns);

        *ret_line = '\0';
        if (qtest->tells_interrupts && interrupt != qtest->interrupt)
                snprintf(ret_line, QTEST_REPLY_MAX, "IRQ %s %d\n", interrupt ? "raise" : "lower", SCI);
        qtest->interrupt = interrupt;
}

static bool answer_in(struct qtest *qtest, const struct words *words, char *reply, size_t n) {
        const unsigned width = width_of(words->word[0][2]);
        uint64_t port;

        if (words->n != 2 || !width || words->word[0][3] || !read_number(words->word[1], UINT16_MAX, &port))
                return false;
        snprintf(reply, n, "OK 0x%04" PRIx32 "\n", board_in(qtest->board, (uint16_t)port, width, qtest->now_ns));
        return true;
}

static bool answer_out(struct qtest *qtest, const struct words *words, char *reply, size_t n, struct board_request *ret_request) {
        const unsigned width = width_of(words->word[0][3]);
        uint64_t port, value;

        if (words->n != 3 || !width || words->word[0][4] || !read_number(words->word[1], UINT16_MAX, &port) ||
            !read_number(words->word[2], UINT32_MAX, &value))
                return false;
        *ret_request = board_out(qtest->board, (uint16_t)port, width, (uint32_t)value, qtest->now_ns);
        snprintf(reply, n, "OK\n");
        return true;
}

/* By so much, or to the next thing that happens by itself; or to an instant that is not before. */
static bool answer_clock(struct qtest *qtest, const struct words *words, char *reply, size_t n) {
        uint64_t ns = 0, next_ns = acpi_pm_next_interrupt_ns(&qtest->board->pm, qtest->now_ns);

        if (words->n > 2 || (words->n == 2 && !read_number(words->word[1], INT64_MAX, &ns)))
                return false;
        if (!strcmp(words->word[0], "clock_set")) {
                if (words->n != 2)
                        return false;
                qtest->now_ns = ns > qtest->now_ns ? ns : qtest->now_ns;
        } else if (words->n == 2) {
                qtest->now_ns = ns > INT64_MAX - qtest->now_ns ? INT64_MAX : qtest->now_ns + ns;
        } else if (next_ns != UINT64_MAX) {
                qtest->now_ns = next_ns;
        }
        snprintf(reply, n, "OK %" PRIu64 "\n", qtest->now_ns);
        return true;
}

static bool answer(struct qtest *qtest, const struct words *words, char *reply, size_t n, struct board_request *ret_request) {
        const char *command = words->n ? words->word[0] : "";

        if (!strncmp(command, "in", 2))
                return answer_in(qtest, words, reply, n);
        if (!strncmp(command, "out", 3))
                return answer_out(qtest, words, reply, n, ret_request);
        if (!strcmp(command, "clock_step") || !strcmp(command, "clock_set"))
                return answer_clock(qtest, words, reply, n);
        if (!strcmp(command, "irq_intercept_in")) {
                qtest->tells_interrupts = true;
                snprintf(reply, n, "OK\n");
                return true;
        }
        if (!strcmp(command, "endianness")) {
                snprintf(reply, n, "OK little\n");
                return true;
        }
        return false;
}

void qtest_answer(struct qtest *qtest, const char *line, char ret_reply[static QTEST_REPLY_MAX], struct board_request *ret_request) {
        struct words words;
        char reply[QTEST_REPLY_MAX / 2];

        *ret_request = (struct board_request){ BOARD_NOTHING };
        if (!split(&words, line) || !answer(qtest, &words, reply, sizeof(reply), ret_request))
                snprintf(reply, sizeof(reply), "FAIL Unknown command, or its arguments\n");
        qtest_tell_interrupt(qtest, ret_reply);
        strncat(ret_reply, reply, QTEST_REPLY_MAX - strlen(ret_reply) - 1);
}
