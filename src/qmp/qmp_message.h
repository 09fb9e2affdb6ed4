/*
 * Message: the words of QMP, as a client and as a server says and hears them.
 *
 * Knows the form of a message (QEMU's docs/interop/qmp-spec.txt).  Does not know what any event or command
 * means.
 *
 * What is malformed, whoever sent it: what is no JSON or no object; NUL and what is no UTF-8; a member given
 * twice (QEMU refuses it too, and two readers must never hear two commands); a number that no double holds;
 * more than QMP_LINE_MAX bytes, QMP_DEPTH_MAX levels or QMP_VALUES_MAX values (a value of two bytes can take
 * 250 in memory).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        QMP_DEPTH_MAX = 1024,       /* as in QEMU's own parser */
        QMP_VALUES_MAX = 64 * 1024, /* query-qmp-schema of QEMU 7.2 has 16,000 */
        QMP_SIMPLE_SIZE = 128,      /* holds any command that qmp_write_command() takes */
};

/* A timestamp's last second: in nanoseconds it still fits 64 bits (the year 2262). */
#define QMP_SECONDS_MAX INT64_C(9223372035)

enum qmp_kind {
        QMP_GREETING, /* {"QMP": …} */
        QMP_EVENT,    /* {"event": …} */
        QMP_RETURN,   /* {"return": …} */
        QMP_ERROR,    /* {"error": …} */
        QMP_COMMAND,  /* {"execute": …}, {"exec-oob": …} */
};

/* An outcome of qmp_message_decode(). */
enum {
        QMP_MALFORMED = 1,
};

struct qmp_version {
        int major;
        int minor;
        int micro;
        const char *package; /* "" if there is none */
};

struct qmp_message {
        enum qmp_kind kind;
        json_t *root; /* owned; every pointer below points into it, or is the encoder's caller's */
        json_t *id;   /* any value; NULL: none */

        const char *name; /* event, command */

        /* the event's data or the command's arguments, an object; what was returned, any value; NULL: none */
        json_t *data;

        /* greeting: the capability; command: sent out of band */
        bool is_oob;

        /* greeting */
        struct qmp_version version;

        /* event: the sender's wall clock; if it said none, -1 or nonsense, the event holds without it */
        bool has_timestamp;
        int64_t seconds;
        int microseconds;

        /* error */
        const char *error_class;
        const char *error_text;

        /* an integer did not fit 64 bits with sign (CPU models have such) and is a double now */
        bool is_rounded;

        /* malformed: why, in words that a server may send back */
        const char *defect;
};

/*
 * Understand one message.  0, -ENOMEM, or QMP_MALFORMED, where `defect` is set, and `id` if there was one to
 * answer to.  Needs qmp_message_deinit() in every case.
 *
 * Members that are unknown are passed over; but a command that has one, or a number that would be rounded, is
 * malformed: it could not be passed on as it was meant.
 */
int qmp_message_decode(struct qmp_message *ret_message, const char *line, size_t length);
void qmp_message_deinit(struct qmp_message *message);

/*
 * Say a message: allocated, terminated text that ends in \r\n; ret_length does not count the NUL.  Without
 * timestamp an event says -1; a return without data says {}.
 * 0, -ENOMEM, or -EINVAL if one of its strings is no UTF-8.
 */
int qmp_message_encode(const struct qmp_message *message, char **ret_text, size_t *ret_length);

/* The same for one kind each.  JSON values are borrowed and may be NULL: no such member. */
int qmp_encode_greeting(char **ret_text, size_t *ret_length, const struct qmp_version *version, bool is_oob);
int qmp_encode_command(char **ret_text, size_t *ret_length, const char *name, json_t *arguments, int64_t id);
int qmp_encode_return(char **ret_text, size_t *ret_length, json_t *id, json_t *value);
int qmp_encode_error(char **ret_text, size_t *ret_length, json_t *id, const char *error_class,
                     const char *error_text);
int qmp_encode_event(char **ret_text, size_t *ret_length, const char *name, json_t *data, int64_t seconds,
                     int microseconds);

/*
 * A command without arguments, as "qmp_capabilities", into the caller's buffer: needs no memory, cannot fail.
 * The name is ours: letters, digits, '-' and '_', at most 64.  The length, with \r\n, without the NUL that
 * follows.
 */
size_t qmp_write_command(char buffer[static QMP_SIMPLE_SIZE], const char *name, uint32_t id);
