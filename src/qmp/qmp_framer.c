#include "qmp/qmp_framer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char byte) {
        return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

void qmp_framer_init(struct qmp_framer *framer, enum qmp_framing framing) {
        *framer = (struct qmp_framer){
                .framing = framing,
                .line_max = QMP_LINE_MAX,
        };
}

void qmp_framer_deinit(struct qmp_framer *framer) {
        if (!framer)
                return;

        free(framer->buffer);
        *framer = (struct qmp_framer){
                .framing = framer->framing,
                .line_max = framer->line_max,
        };
}

static void end_message(struct qmp_framer *framer) {
        framer->depth = 0;
        framer->is_in_string = false;
        framer->is_escaped = false;
}

/* Take one byte of a message; was it the last? */
static bool bracket_ends(struct qmp_framer *framer, char byte) {
        if (byte == '\n')
                return framer->is_in_string || framer->depth == 0;

        if (framer->is_in_string) {
                if (framer->is_escaped)
                        framer->is_escaped = false;
                else if (byte == '\\')
                        framer->is_escaped = true;
                else if (byte == '"')
                        framer->is_in_string = false;
                return false;
        }

        switch (byte) {
        case '"':
                framer->is_in_string = true;
                return false;
        case '{':
        case '[':
                framer->depth++;
                return false;
        case '}':
        case ']':
                if (framer->depth <= 1)
                        return true;
                framer->depth--;
                return false;
        }
        return false;
}

static bool scan_line(struct qmp_framer *framer) {
        const char *from = framer->buffer + framer->n_scanned;
        const char *newline;

        newline = memchr(from, '\n', framer->n_filled - framer->n_scanned);
        if (!newline) {
                framer->n_scanned = framer->n_filled;
                return false;
        }

        framer->n_scanned = (size_t)(newline - framer->buffer) + 1;
        return true;
}

static bool scan_brackets(struct qmp_framer *framer) {
        while (framer->n_scanned < framer->n_filled)
                if (bracket_ends(framer, framer->buffer[framer->n_scanned++])) {
                        end_message(framer);
                        return true;
                }
        return false;
}

/* Move on to just behind the message's last byte, or to the end of what there is; did the message end? */
static bool scan(struct qmp_framer *framer) {
        if (framer->n_scanned == framer->n_filled)
                return false;

        switch (framer->framing) {
        case QMP_FRAMING_LINES:
                return scan_line(framer);
        case QMP_FRAMING_BRACKETS:
                return scan_brackets(framer);
        }
        assert(false);
        return false;
}

/* White space between messages is never stored, so a stream of it costs nothing. */
static void drop_space(struct qmp_framer *framer) {
        if (framer->is_skipping || framer->n_scanned > framer->start)
                return;

        while (framer->start < framer->n_filled && is_space(framer->buffer[framer->start]))
                framer->start++;
        framer->n_scanned = framer->start;
}

/* Keep no more than the beginning of a message needs. */
static void settle(struct qmp_framer *framer) {
        size_t n = framer->n_filled - framer->start;
        size_t wanted = framer->capacity;
        char *smaller;

        if (n == 0) {
                free(framer->buffer);
                framer->buffer = NULL;
                framer->capacity = 0;
        } else if (framer->start > 0) {
                memmove(framer->buffer, framer->buffer + framer->start, n);
        }
        framer->n_scanned -= framer->start;
        framer->n_filled = n;
        framer->start = 0;

        /* A quarter, where growing doubles: no length makes it grow and shrink by turns. */
        while (n > 0 && wanted / 2 >= QMP_FRAMER_STEP && n < wanted / 4)
                wanted /= 2;
        if (framer->capacity > wanted) {
                smaller = realloc(framer->buffer, wanted);
                if (smaller) {
                        framer->buffer = smaller;
                        framer->capacity = wanted;
                }
        }
}

ssize_t qmp_framer_space(struct qmp_framer *framer, char **ret_buffer) {
        size_t held_max = framer->line_max + QMP_FRAMER_STEP;
        size_t wanted;
        char *larger;

        assert(framer->n_scanned == framer->n_filled);
        settle(framer);

        if (framer->capacity - framer->n_filled < QMP_FRAMER_STEP / 4) {
                wanted = framer->capacity ? framer->capacity * 2 : QMP_FRAMER_STEP;
                if (wanted > held_max)
                        wanted = held_max;

                larger = realloc(framer->buffer, wanted);
                if (!larger)
                        return -ENOMEM;
                framer->buffer = larger;
                framer->capacity = wanted;
        }

        *ret_buffer = framer->buffer + framer->n_filled;
        return (ssize_t)(framer->capacity - framer->n_filled);
}

void qmp_framer_fill(struct qmp_framer *framer, size_t n) {
        assert(n <= framer->capacity - framer->n_filled);

        framer->n_filled += n;
        if (n == 0 && framer->n_scanned == framer->n_filled)
                settle(framer);
}

int qmp_framer_next(struct qmp_framer *framer, const char **ret_line, size_t *ret_length) {
        for (;;) {
                size_t start, length;
                bool is_ended;

                drop_space(framer);
                start = framer->start;
                is_ended = scan(framer);
                length = framer->n_scanned - start;
                if (is_ended && framer->buffer[framer->n_scanned - 1] == '\n')
                        length--;

                if (framer->is_skipping) {
                        framer->start = framer->n_scanned;
                        framer->is_skipping = !is_ended;
                        if (is_ended)
                                continue;
                } else if (length > framer->line_max) {
                        framer->start = framer->n_scanned;
                        framer->is_skipping = !is_ended;
                        return QMP_LINE_TOO_LONG;
                }

                if (!is_ended) {
                        settle(framer);
                        return QMP_NEEDS_MORE;
                }

                while (length > 0 && is_space(framer->buffer[start + length - 1]))
                        length--;
                framer->start = framer->n_scanned;
                *ret_line = framer->buffer + start;
                *ret_length = length;
                return 0;
        }
}

int qmp_framer_finish(struct qmp_framer *framer) {
        bool is_half = framer->n_filled > framer->start || framer->is_skipping;

        assert(framer->n_scanned == framer->n_filled);
        qmp_framer_deinit(framer);
        return is_half ? QMP_HALF_LINE : 0;
}
