/*
 * Reader: a QMP client's bytes, taken apart as QEMU's own server takes them.
 *
 * Knows QEMU's dialect (strings in 'single' quotes, too), where a message ends, and QEMU's words for what is none: a client
 * of ours hears the same complaints, and as many of them, as one of QEMU's.  Does not know what a message says.  Pure.
 *
 * What a message is given out as is strict JSON, so that nobody after us can understand it in another way.  The behaviour
 * was measured on QEMU 7.2, case by case; the tests list it.
 */
#pragma once

#include "qmp/qmp_framer.h"

enum {
        QMP_READER_DEFECT = 4, /* an outcome of qmp_reader_next(); the others are the framer's */
        QMP_DEFECT_MAX = 288,  /* bytes of the complaint, its NUL included; QEMU quotes without bound */
};

enum qmp_token {
        QMP_TOKEN_NONE,
        QMP_TOKEN_KEYWORD,
        QMP_TOKEN_STRING,
        QMP_TOKEN_ESCAPE, /* a string, behind its backslash */
        QMP_TOKEN_MINUS,
        QMP_TOKEN_ZERO,
        QMP_TOKEN_DIGITS,
        QMP_TOKEN_POINT,    /* needs a digit */
        QMP_TOKEN_FRACTION,
        QMP_TOKEN_E,        /* needs a digit or a sign */
        QMP_TOKEN_E_SIGN,   /* needs a digit */
        QMP_TOKEN_EXPONENT,
        QMP_TOKEN_RECOVERY, /* behind an error: skip to where a message may begin */
};

/* All zero is one that has read nothing. */
struct qmp_reader {
        char *text; /* the message as far as it was read: strict JSON */
        size_t n_text, capacity;
        enum qmp_token token;
        size_t token_start; /* in text */
        char quote;
        int braces, brackets; /* open ones; either may be below zero where they do not match */
        bool is_given;        /* the text was given out, and ends with the next call */
        char defect[QMP_DEFECT_MAX];
};

void qmp_reader_deinit(struct qmp_reader *reader);

/*
 * Read on, to the end of the first message.  *ret_n_read says how far.
 *
 * 0: a message is in `text`, until the next call.  QMP_READER_DEFECT: it was none; `defect` is QEMU's complaint.
 * QMP_NEEDS_MORE: all was read.  QMP_LINE_TOO_LONG: a message is over QMP_LINE_MAX; nothing can be read any more.  -ENOMEM.
 */
int qmp_reader_next(struct qmp_reader *reader, const char *bytes, size_t n_bytes, size_t *ret_n_read);

/*
 * What QEMU's parser has to say against the text of a message whose brackets are closed: NULL for nothing, else `ret_defect`.
 * (Keys given twice are left to the next reader.)
 */
const char *qmp_reader_complaint(const char *text, size_t n_text, char ret_defect[static QMP_DEFECT_MAX]);
