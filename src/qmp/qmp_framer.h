/*
 * Framer: a stream of bytes in, one QMP message's bytes at a time out.
 *
 * Knows where a message ends, and how much of one may be held.  Does not know what a message says.
 * Trusts no byte.
 *
 *      n = qmp_framer_space(&framer, &buffer);         room to read into
 *      qmp_framer_fill(&framer, recv(fd, buffer, n))   what was read
 *      while (qmp_framer_next(&framer, &line, &length) != QMP_NEEDS_MORE)
 *              …                                       until all of it was looked at
 *
 * An empty framer holds no memory, one with the beginning of a message a small multiple of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
        /* Bytes of a message, its newline apart.  QEMU's longest, its schema, has 200 KiB. */
        QMP_LINE_MAX = 1024 * 1024,
        /* What a buffer starts from: an event, and to spare. */
        QMP_FRAMER_STEP = 512,
};

/*
 * Where a message ends.  White space before and after one is dropped, and so are blank lines.
 *
 * QEMU says every message on a line of its own, unless its monitor was made with `pretty=on`.  What it
 * *hears* it takes apart by brackets alone: a client may write a command over several lines, or several
 * commands with nothing between (QEMU's own older Python client never ends a line).
 */
enum qmp_framing {
        /* At a newline.  For a client: a broken message spoils its own line only. */
        QMP_FRAMING_LINES,
        /*
         * Where its outermost bracket closes, or at a newline outside of brackets or inside a string (JSON
         * has none there).  For a server, and for a client of a pretty monitor.
         */
        QMP_FRAMING_BRACKETS,
};

/* Outcomes. */
enum {
        QMP_NEEDS_MORE = 1,    /* nothing complete is left */
        QMP_LINE_TOO_LONG = 2, /* a message is over the bound: said once, and its rest is skipped unstored */
        QMP_HALF_LINE = 3,     /* the stream ended inside a message */
};

struct qmp_framer {
        enum qmp_framing framing;
        size_t line_max; /* QMP_LINE_MAX; may be set lower between init and the first byte */

        char *buffer;
        size_t capacity;
        size_t start;     /* the message that is being looked at */
        size_t n_scanned; /* its end is not before here */
        size_t n_filled;

        size_t depth; /* brackets open at n_scanned */
        bool is_in_string;
        bool is_escaped;
        bool is_skipping; /* that message is over the bound */
};

void qmp_framer_init(struct qmp_framer *framer, enum qmp_framing framing);
void qmp_framer_deinit(struct qmp_framer *framer);

/*
 * Room for the next bytes: how many, 1 at least, or -ENOMEM.  Only after qmp_framer_next() has said
 * QMP_NEEDS_MORE, or before the first byte.  What qmp_framer_next() gave is gone then.
 */
ssize_t qmp_framer_space(struct qmp_framer *framer, char **ret_buffer);

/* So many bytes were put there; 0 gives the room back. */
void qmp_framer_fill(struct qmp_framer *framer, size_t n);

/*
 * The next message, not terminated, valid until the framer's next call.
 * 0, QMP_LINE_TOO_LONG or QMP_NEEDS_MORE.
 */
int qmp_framer_next(struct qmp_framer *framer, const char **ret_line, size_t *ret_length);

/*
 * The stream has ended, and all of it was looked at: 0, or QMP_HALF_LINE.  The framer is empty then, and
 * ready for another stream.
 */
int qmp_framer_finish(struct qmp_framer *framer);
