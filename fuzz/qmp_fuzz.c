/*
 * Fuzz: any stream, framed in both ways, within both a small bound and the real one, whole and in pieces.
 *
 * The laws: how a stream is cut does not matter; no more than the bound is held, and nothing by an empty
 * framer; what is understood can be said again, as one message to either framing, and means the same.
 */
#include <stdint.h>
#include <string.h>

#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"
#include "qmp/qmp_message.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that a framer said: outcome, length and bytes of each, one after the other. */
struct heard {
        char *bytes;
        size_t length;
        size_t capacity;
};

static void heard_deinit(struct heard *heard) {
        free(heard->bytes);
}

static void heard_append(struct heard *heard, const void *bytes, size_t n) {
        if (heard->capacity - heard->length < n) {
                heard->capacity = 2 * (heard->length + n);
                heard->bytes = realloc(heard->bytes, heard->capacity);
                law(heard->bytes);
        }
        memcpy(heard->bytes + heard->length, bytes, n);
        heard->length += n;
}

static void heard_add(struct heard *heard, int outcome, const char *line, size_t length) {
        heard_append(heard, &outcome, sizeof(outcome));
        heard_append(heard, &length, sizeof(length));
        if (length > 0)
                heard_append(heard, line, length);
}

static bool is_same_text(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_value(const json_t *a, const json_t *b) {
        return a == b || json_equal(a, b);
}

/* One message to either framing, and nothing after it. */
static void must_be_one_message(const char *text, size_t length) {
        for (int framing = QMP_FRAMING_LINES; framing <= QMP_FRAMING_BRACKETS; framing++) {
                struct qmp_framer framer;
                size_t fed = 0, n_lines = 0, n_line;
                const char *line;
                char *room;

                qmp_framer_init(&framer, framing);
                while (fed < length) {
                        size_t n = (size_t)qmp_framer_space(&framer, &room);

                        if (n > length - fed)
                                n = length - fed;
                        memcpy(room, text + fed, n);
                        fed += n;
                        qmp_framer_fill(&framer, n);
                        while (qmp_framer_next(&framer, &line, &n_line) == 0) {
                                n_lines++;
                                law(n_line == length - 2 && memcmp(line, text, n_line) == 0);
                        }
                }
                law(n_lines == 1);
                law(qmp_framer_finish(&framer) == 0);
        }
}

static void must_mean_the_same(const struct qmp_message *a, const struct qmp_message *b) {
        law(a->kind == b->kind);
        law(is_same_value(a->id, b->id) || a->kind == QMP_GREETING || a->kind == QMP_EVENT);
        law(is_same_text(a->name, b->name));
        law(is_same_value(a->data, b->data));
        law(a->is_oob == b->is_oob);
        law(a->version.major == b->version.major);
        law(a->version.minor == b->version.minor);
        law(a->version.micro == b->version.micro);
        law(is_same_text(a->version.package, b->version.package));
        law(a->has_timestamp == b->has_timestamp);
        law(a->seconds == b->seconds);
        law(a->microseconds == b->microseconds);
        law(is_same_text(a->error_class, b->error_class));
        law(is_same_text(a->error_text, b->error_text));
}

static void understand(const char *line, size_t length) {
        cleanup(qmp_message_deinit) struct qmp_message message, again;
        cleanup(freep) char *text = NULL;
        size_t n_text;
        int r;

        again = (struct qmp_message){ 0 };
        r = qmp_message_decode(&message, line, length);
        if (r) {
                law(r == QMP_MALFORMED && message.defect);
                return;
        }

        law(!message.defect);
        law(!message.has_timestamp || (message.seconds >= 0 && message.seconds <= QMP_SECONDS_MAX &&
                                       message.microseconds >= 0 && message.microseconds <= 999999));

        law(qmp_message_encode(&message, &text, &n_text) == 0);
        law(strlen(text) == n_text);
        must_be_one_message(text, n_text);
        law(qmp_message_decode(&again, text, n_text) == 0);
        must_mean_the_same(&message, &again);
}

static void listen(struct heard *heard, struct qmp_framer *framer) {
        const char *line;
        size_t length;
        int r;

        while ((r = qmp_framer_next(framer, &line, &length)) != QMP_NEEDS_MORE) {
                if (r == QMP_LINE_TOO_LONG) {
                        heard_add(heard, r, NULL, 0);
                        continue;
                }
                law(r == 0);
                law(length > 0 && length <= framer->line_max);
                heard_add(heard, r, line, length);
        }
        law(framer->capacity == 0 || framer->n_filled > 0);
}

/* Pieces of 1 to piece_max bytes, drawn by the seed; each as long as can be with seed 0. */
static struct heard play(enum qmp_framing framing, size_t line_max, const uint8_t *data, size_t size,
                         size_t piece_max, uint32_t seed) {
        struct heard heard = { 0 };
        struct qmp_framer framer;
        int r;

        qmp_framer_init(&framer, framing);
        framer.line_max = line_max;

        while (size > 0) {
                char *room;
                ssize_t n_room = qmp_framer_space(&framer, &room);
                size_t n = piece_max;

                law(n_room > 0);
                law(framer.capacity <= line_max + QMP_FRAMER_STEP);
                if (seed) {
                        seed ^= seed << 13;
                        seed ^= seed >> 17;
                        seed ^= seed << 5;
                        n = 1 + seed % piece_max;
                }
                if (n > (size_t)n_room)
                        n = (size_t)n_room;
                if (n > size)
                        n = size;
                memcpy(room, data, n);
                qmp_framer_fill(&framer, n);
                listen(&heard, &framer);
                data += n;
                size -= n;
        }
        r = qmp_framer_finish(&framer);
        law(r == 0 || r == QMP_HALF_LINE);
        heard_add(&heard, r, NULL, 0);
        return heard;
}

static void must_be_same(const struct heard *a, const struct heard *b) {
        law(a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t bounds[] = { 0, QMP_LINE_MAX };
        uint32_t seed = 2166136261u;
        size_t piece_max;

        for (size_t i = 0; i < size; i++)
                seed = (seed ^ data[i]) * 16777619u;
        bounds[0] = 8 + seed % 600;
        piece_max = 1 + (seed >> 16) % 64;
        seed |= 1;

        for (int framing = QMP_FRAMING_LINES; framing <= QMP_FRAMING_BRACKETS; framing++)
                for (size_t i = 0; i < N_ELEMENTS(bounds); i++) {
                        cleanup(heard_deinit) struct heard whole =
                                play(framing, bounds[i], data, size, SIZE_MAX, 0);
                        cleanup(heard_deinit) struct heard pieces =
                                play(framing, bounds[i], data, size, piece_max, seed);

                        must_be_same(&whole, &pieces);

                        /* Each message as the widest framing found it. */
                        for (size_t at = 0; bounds[i] == QMP_LINE_MAX && at < whole.length;) {
                                size_t length;

                                memcpy(&length, whole.bytes + at + sizeof(int), sizeof(length));
                                at += sizeof(int) + sizeof(length);
                                if (length > 0)
                                        understand(whole.bytes + at, length);
                                at += length;
                        }
                }
        understand((const char *)data, size);
        return 0;
}
