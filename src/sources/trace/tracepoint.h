/*
 * Tracepoint: where the fields of a tracepoint's record are, as tracefs describes it (events/SYSTEM/NAME/format).
 *
 * Text in, places out, and numbers out of a record's bytes by them: nothing is assumed of either.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        TRACEPOINT_FIELDS = 5,     /* that anybody here asks for */
        TRACEPOINT_TEXT_MAX = 16384,
};

struct tracepoint_field {
        uint32_t offset;
        uint32_t size; /* 1, 2, 4 or 8 */
        bool is_signed;
};

struct tracepoint_format {
        uint32_t id; /* what perf knows it by, and what its records begin with: */
        struct tracepoint_field type; /* "common_type" */
        struct tracepoint_field fields[TRACEPOINT_FIELDS]; /* of the names, in their order */
};

/*
 * `names`: the fields that are wanted, at most TRACEPOINT_FIELDS; NULL: no more.  0; -ENOENT: one of them is not there; -EBADMSG: that is no format, or one
 * of them is no number.
 */
int tracepoint_format_parse(struct tracepoint_format *ret_format, const char *const names[static TRACEPOINT_FIELDS], const char *text, size_t n_text);

/* The number in a record; false: the record is too short for it. */
bool tracepoint_field_read(const struct tracepoint_field *field, const void *record, size_t n_record, int64_t *ret_number);
