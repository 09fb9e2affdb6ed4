#include "json/time_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

enum {
        FRACTION_DIGITS = 9,
};

/* Writes exactly n digits. */
static char *put_digits(char *at, uint64_t value, size_t n) {
        for (size_t i = n; i-- > 0; value /= 10)
                at[i] = (char)('0' + value % 10);
        return at + n;
}

static char *put_character(char *at, char character) {
        *at = character;
        return at + 1;
}

void time_to_text(uint64_t time_ns, char ret_text[static TIME_TEXT_MAX]) {
        time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
        struct tm tm;
        char *at = ret_text;

        gmtime_r(&seconds, &tm);
        at = put_digits(at, (uint64_t)tm.tm_year + 1900, 4);
        at = put_character(at, '-');
        at = put_digits(at, (uint64_t)tm.tm_mon + 1, 2);
        at = put_character(at, '-');
        at = put_digits(at, (uint64_t)tm.tm_mday, 2);
        at = put_character(at, 'T');
        at = put_digits(at, (uint64_t)tm.tm_hour, 2);
        at = put_character(at, ':');
        at = put_digits(at, (uint64_t)tm.tm_min, 2);
        at = put_character(at, ':');
        at = put_digits(at, (uint64_t)tm.tm_sec, 2);
        at = put_character(at, '.');
        at = put_digits(at, time_ns % NS_PER_SECOND, FRACTION_DIGITS);
        at = put_character(at, 'Z');
        *at = '\0';
}

static bool is_digit(char character) {
        return character >= '0' && character <= '9';
}

/* Takes exactly n digits; leaves *text alone when there are fewer. */
static bool take_digits(const char **text, size_t n, int *ret) {
        int value = 0;

        for (size_t i = 0; i < n; i++) {
                if (!is_digit((*text)[i]))
                        return false;
                value = value * 10 + ((*text)[i] - '0');
        }
        *text += n;
        *ret = value;
        return true;
}

static bool take_character(const char **text, char character) {
        if (**text != character)
                return false;
        (*text)++;
        return true;
}

static bool take_fraction(const char **text, uint64_t *ret_ns) {
        uint64_t value = 0;
        size_t n = 0;

        *ret_ns = 0;
        if (!take_character(text, '.'))
                return true;
        for (; is_digit(**text); (*text)++, n++) {
                if (n == FRACTION_DIGITS)
                        return false;
                value = value * 10 + (uint64_t)(**text - '0');
        }
        if (!n)
                return false;
        for (; n < FRACTION_DIGITS; n++)
                value *= 10;
        *ret_ns = value;
        return true;
}

static bool take_offset(const char **text, int64_t *ret_seconds) {
        int hours, minutes;
        bool is_west;

        *ret_seconds = 0;
        if (take_character(text, 'Z'))
                return true;
        is_west = **text == '-';
        if (!take_character(text, is_west ? '-' : '+') || !take_digits(text, 2, &hours) ||
            !take_character(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret_seconds = ((int64_t)hours * 60 + minutes) * 60 * (is_west ? -1 : 1);
        return true;
}

int time_from_text(const char *text, uint64_t *ret_time_ns) {
        struct tm tm = {}, real;
        uint64_t fraction_ns;
        int64_t offset;
        time_t seconds;

        if (!take_digits(&text, 4, &tm.tm_year) || !take_character(&text, '-') ||
            !take_digits(&text, 2, &tm.tm_mon) || !take_character(&text, '-') ||
            !take_digits(&text, 2, &tm.tm_mday) || !take_character(&text, 'T') ||
            !take_digits(&text, 2, &tm.tm_hour) || !take_character(&text, ':') ||
            !take_digits(&text, 2, &tm.tm_min) || !take_character(&text, ':') ||
            !take_digits(&text, 2, &tm.tm_sec) || !take_fraction(&text, &fraction_ns) ||
            !take_offset(&text, &offset) || *text)
                return -EINVAL;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;

        /* timegm() would make the 31st of April the 1st of May; a time that is none comes back changed. */
        real = tm;
        seconds = timegm(&real);
        if (real.tm_year != tm.tm_year || real.tm_mon != tm.tm_mon || real.tm_mday != tm.tm_mday ||
            real.tm_hour != tm.tm_hour || real.tm_min != tm.tm_min || real.tm_sec != tm.tm_sec)
                return -EINVAL;

        seconds -= offset;
        if (seconds < 0 || (uint64_t)seconds > (UINT64_MAX - fraction_ns) / NS_PER_SECOND)
                return -EINVAL;
        *ret_time_ns = (uint64_t)seconds * NS_PER_SECOND + fraction_ns;
        return 0;
}
