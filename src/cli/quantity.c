#include "cli/quantity.h"

#include "basics/cleanup.h"
#include "json/time_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* Digits, and where they end.  false: none, or too many. */
static bool take_number(const char **text, uint64_t *ret_number) {
        uint64_t number = 0;
        const char *at = *text;

        for (; *at >= '0' && *at <= '9'; at++)
                if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
                        return false;
        if (at == *text)
                return false;
        *text = at;
        *ret_number = number;
        return true;
}

int size_from_text(const char *text, uint64_t *ret_bytes) {
        static const char units[] = "KMGT";
        const char *unit;
        uint64_t bytes;

        if (!take_number(&text, &bytes))
                return -EINVAL;
        unit = *text ? strchr(units, *text) : NULL;
        if (unit) {
                for (const char *u = units; u <= unit; u++)
                        if (__builtin_mul_overflow(bytes, 1024, &bytes))
                                return -EINVAL;
                text++;
        }
        if (*text && strcmp(text, "B") && !(unit && !strcmp(text, "iB")))
                return -EINVAL;
        *ret_bytes = bytes;
        return 0;
}

void size_to_text(uint64_t bytes, char ret_text[static SIZE_TEXT_MAX]) {
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double value = (double)bytes / 1024;
        size_t unit = 0;

        if (bytes < 1024) {
                snprintf(ret_text, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
                return;
        }
        for (; value >= 1024 && unit + 1 < N_ELEMENTS(units); unit++)
                value /= 1024;
        snprintf(ret_text, SIZE_TEXT_MAX, "%.1f %s", value, units[unit]);
}

int days_from_text(const char *text, uint64_t *ret_days) {
        uint64_t days;

        if (!take_number(&text, &days) || (*text && strcmp(text, "d")) || days > 1000000)
                return -EINVAL;
        *ret_days = days;
        return 0;
}

static uint64_t unit_seconds(char unit) {
        switch (unit) {
        case 's':
                return 1;
        case 'm':
                return 60;
        case 'h':
                return 3600;
        case 'd':
                return 86400;
        case 'w':
                return 7 * 86400;
        default:
                return 0;
        }
}

static int ago_from_text(const char *text, uint64_t now_ns, uint64_t *ret_time_ns) {
        uint64_t number, ago_ns;

        if (!take_number(&text, &number) || !unit_seconds(*text) || text[1] ||
            __builtin_mul_overflow(number, unit_seconds(*text) * SECOND_NS, &ago_ns))
                return -EINVAL;
        *ret_time_ns = now_ns > ago_ns ? now_ns - ago_ns : 1;
        return 0;
}

int when_from_text(const char *text, uint64_t now_ns, uint64_t *ret_time_ns) {
        char day[TIME_TEXT_MAX];

        if (!time_from_text(text, ret_time_ns) || !ago_from_text(text, now_ns, ret_time_ns))
                return 0;
        if (strlen(text) != strlen("2026-11-23"))
                return -EINVAL;
        snprintf(day, sizeof(day), "%sT00:00:00Z", text);
        return time_from_text(day, ret_time_ns);
}
