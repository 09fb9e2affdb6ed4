/*
 * QEMU stderr: what QEMU says on its standard error, as evidence.
 *
 * Splits the stream into lines, knows the one line that names the sender of a signal, and keeps the last few
 * others: they tell why a VMM failed.  Does not know how the stream is read, or how the VMM ended.  Pure.
 *
 * A guest can write here too (-debugcon file:/dev/stderr), for as long as it likes: nothing is kept but a few
 * short lines, and no more than a few signals are reported.  QEMU names a sender once, right before it ends: where
 * that was said already, nobody knows who says it, and the sender is left out.
 */
#pragma once

#include "core/evidence.h"

enum {
        QEMU_STDERR_LINE_MAX = 512, /* of a longer line this much is kept */
        QEMU_STDERR_MESSAGES_MAX = 4,
        QEMU_STDERR_SIGNALS_MAX = 8, /* of one VM; QEMU ends at the first */
};

/* An outcome of qemu_stderr_read(). */
enum {
        QEMU_STDERR_SIGNAL = 1,
};

/* All zero is a stream that has not begun.  Owns nothing. */
struct qemu_stderr {
        char line[QEMU_STDERR_LINE_MAX];
        size_t n_line;
        unsigned n_signals;
        size_t n_messages; /* so many were there; the last few are kept, in a ring */
        struct qemu_stderr_message {
                char text[EVIDENCE_TEXT_MAX + 4]; /* a character that the bound would split is whole here */
                size_t n_text;
                uint64_t at_ns;
                uint64_t time_ns;
        } messages[QEMU_STDERR_MESSAGES_MAX];
};

/*
 * Read on.  *ret_n_read says how far; call again while bytes are left.  at_ns and time_ns: when they came.
 *
 * 0: all was read.  QEMU_STDERR_SIGNAL: a signal was named, *ret_evidence is the caller's.  -ENOMEM: a signal's
 * line was read, but it could not be told.
 *
 * At the end of the stream read a "\n", so that a last line without one counts.
 */
int qemu_stderr_read(struct qemu_stderr *stream, const char *bytes, size_t n_bytes, uint64_t at_ns,
                     uint64_t time_ns, size_t *ret_n_read, struct evidence *ret_evidence);

/*
 * The last messages, the oldest first.  Returns how many.  Worth telling only where the VMM did not end well.
 * The evidence owns nothing.
 */
size_t qemu_stderr_messages(const struct qemu_stderr *stream,
                            struct evidence ret_evidence[static QEMU_STDERR_MESSAGES_MAX]);

/* What one line says of a signal.  False: it says nothing of one. */
struct qemu_stderr_signal {
        int number;
        int64_t pid;    /* 0: none named, as with ^C on the terminal */
        const char *by; /* within the line: the sender's argv[0]; n_by is 0 where it was not known */
        size_t n_by;
};
bool qemu_stderr_signal_parse(struct qemu_stderr_signal *ret_signal, const char *line, size_t n_line);
