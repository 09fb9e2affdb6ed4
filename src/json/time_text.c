#include "json/time_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

enum {
        FRACTION_DIGITS = 9,
        EPOCH_YEAR = 1970,
        SECONDS_PER_DAY = 24 * 60 * 60,
};

/* --- the calendar: libc's looks at TZ even for UTC, and some of its zones count leap seconds --------------------- */

static bool is_leap(int year) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* From the first of January of the year 1 to that of the year; of a year before it, any number that is less. */
static int days_before_year(int year) {
        int past = year - 1;

        return past * 365 + past / 4 - past / 100 + past / 400;
}

/* In the year, before the first of the month: 1 to 12, and 13 for the year's end. */
static int days_before_month(int year, int month) {
        static const short days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

        return days[month - 1] + (month > 2 && is_leap(year));
}

struct date {
        int year, month, day;
};

static bool is_date(const struct date *date) {
        return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
               date->day <= days_before_month(date->year, date->month + 1) - days_before_month(date->year, date->month);
}

static int days_from_date(const struct date *date) {
        return days_before_year(date->year) - days_before_year(EPOCH_YEAR) + days_before_month(date->year, date->month) + date->day - 1;
}

static struct date date_from_days(int days) {
        struct date date = { EPOCH_YEAR + days / 366, 1, 0 }; /* too early by two years at most */

        while (days_before_year(date.year + 1) - days_before_year(EPOCH_YEAR) <= days)
                date.year++;
        days -= days_before_year(date.year) - days_before_year(EPOCH_YEAR);
        while (days_before_month(date.year, date.month + 1) <= days)
                date.month++;
        date.day = days - days_before_month(date.year, date.month) + 1;
        return date;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

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
        uint64_t seconds = time_ns / NS_PER_SECOND;
        struct date date = date_from_days((int)(seconds / SECONDS_PER_DAY));
        char *at = ret_text;

        at = put_digits(at, (uint64_t)date.year, 4);
        at = put_character(at, '-');
        at = put_digits(at, (uint64_t)date.month, 2);
        at = put_character(at, '-');
        at = put_digits(at, (uint64_t)date.day, 2);
        at = put_character(at, 'T');
        at = put_digits(at, seconds / 3600 % 24, 2);
        at = put_character(at, ':');
        at = put_digits(at, seconds / 60 % 60, 2);
        at = put_character(at, ':');
        at = put_digits(at, seconds % 60, 2);
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
        struct date date;
        uint64_t fraction_ns;
        int64_t offset, seconds;
        int hour, minute, second;

        if (!take_digits(&text, 4, &date.year) || !take_character(&text, '-') ||
            !take_digits(&text, 2, &date.month) || !take_character(&text, '-') ||
            !take_digits(&text, 2, &date.day) || !take_character(&text, 'T') ||
            !take_digits(&text, 2, &hour) || !take_character(&text, ':') ||
            !take_digits(&text, 2, &minute) || !take_character(&text, ':') ||
            !take_digits(&text, 2, &second) || !take_fraction(&text, &fraction_ns) ||
            !take_offset(&text, &offset) || *text)
                return -EINVAL;
        if (!is_date(&date) || hour > 23 || minute > 59 || second > 59)
                return -EINVAL;

        seconds = (int64_t)days_from_date(&date) * SECONDS_PER_DAY + ((int64_t)hour * 60 + minute) * 60 + second - offset;
        if (seconds < 0 || (uint64_t)seconds > (UINT64_MAX - fraction_ns) / NS_PER_SECOND)
                return -EINVAL;
        *ret_time_ns = (uint64_t)seconds * NS_PER_SECOND + fraction_ns;
        return 0;
}
