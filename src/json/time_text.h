/*
 * Time as text: RFC 3339 in UTC with nanoseconds, "2026-11-23T03:12:07.201934512Z".
 *
 * Knows how the JSON form writes an instant, and reads what others write.  Has no clock.
 */
#pragma once

#include <stdint.h>

enum {
        TIME_TEXT_MAX = 31, /* bytes, the NUL included */
};

/* `time_ns`: UTC nanoseconds since 1970; every value has a text (the last is in the year 2554). */
void time_to_text(uint64_t time_ns, char ret_text[static TIME_TEXT_MAX]);

/*
 * And back: a date, 'T', a time, up to nine digits of a second's fraction, and 'Z' or an offset such as "+01:00".
 * 0, or -EINVAL for anything else (*ret_time_ns is untouched then).
 */
int time_from_text(const char *text, uint64_t *ret_time_ns);
