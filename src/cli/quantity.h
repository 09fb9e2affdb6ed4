/*
 * Quantity: sizes, spans and instants, as people write them and read them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        SIZE_TEXT_MAX = 16,
};

/* A number of bytes: "4096", "500M", "1G" (K, M, G, T: powers of 1024; "iB" or "B" may follow).  0 or -EINVAL. */
int size_from_text(const char *text, uint64_t *ret_bytes);
/* "512 B", "1.5 MiB" */
void size_to_text(uint64_t bytes, char ret_text[static SIZE_TEXT_MAX]);

/* A whole number of days: "30", "30d".  0 or -EINVAL. */
int days_from_text(const char *text, uint64_t *ret_days);

/*
 * An instant, UTC: RFC 3339 ("2026-11-23T03:12:07Z"), a date (its first moment, "2026-11-23"), or so long before `now_ns`: "90s", "30m", "2h",
 * "3d", "1w".  0 or -EINVAL.
 */
int when_from_text(const char *text, uint64_t now_ns, uint64_t *ret_time_ns);
#define WHEN_WORDS "a time such as 2026-11-23T03:12:07Z, a date such as 2026-11-23 (from 1970 to 2553), or how long ago, such as 30m, 2h or 3d"
