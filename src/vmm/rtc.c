#include "vmm/rtc.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* MC146818A, figures 10 to 14; the century is where the FADT says (ACPI 6.5, 5.2.9). */
enum {
        SECONDS = 0,
        SECONDS_ALARM = 1,
        MINUTES = 2,
        MINUTES_ALARM = 3,
        HOURS = 4,
        HOURS_ALARM = 5,
        WEEKDAY = 6,
        DAY = 7,
        MONTH = 8,
        YEAR = 9,
        REGISTER_A = 10,
        REGISTER_B = 11,
        REGISTER_C = 12,
        REGISTER_D = 13,
        CENTURY = 0x32,

        A_UPDATE = 1 << 7,
        A_OSCILLATOR = 2 << 4,
        A_RATE = 15,
        B_SET = 1 << 7, /* the time stands still while it is set; also what B's interrupts are enabled by, and C's flags */
        PERIODIC = 1 << 6,
        ALARM = 1 << 5,
        UPDATED = 1 << 4,
        B_BINARY = 1 << 2,
        B_24_HOURS = 1 << 1,
        C_INTERRUPT = 1 << 7,
        D_VALID = 1 << 7,
        ANY = 0xc0, /* an alarm's byte that matches all */
        PM = 1 << 7,
};

/* --- the guest's words for a time -------------------------------------------------------------------------------- */

static bool is_binary(const struct rtc *rtc) {
        return rtc->bytes[REGISTER_B] & B_BINARY;
}

static uint8_t encode(const struct rtc *rtc, unsigned value) {
        return (uint8_t)(is_binary(rtc) ? value : value / 10 * 16 + value % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t byte) {
        return is_binary(rtc) ? byte : (byte >> 4) * 10U + (byte & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour) {
        if (rtc->bytes[REGISTER_B] & B_24_HOURS)
                return encode(rtc, hour);
        return (uint8_t)(encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0));
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t byte) {
        if (rtc->bytes[REGISTER_B] & B_24_HOURS)
                return decode(rtc, byte);
        return decode(rtc, byte & ~PM) % 12 + (byte & PM ? 12 : 0);
}

/* --- days -------------------------------------------------------------------------------------------------------- */

static bool is_leap(int64_t year) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_before_year(int64_t year) {
        year--;
        return year * 365 + year / 4 - year / 100 + year / 400;
}

static int64_t days_of_month(int64_t year, unsigned month) {
        static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

struct date {
        int64_t year;
        unsigned month, day, weekday; /* 1 is Sunday */
};

/* `day`: since 1970, not before. */
static struct date date_of(int64_t day) {
        struct date date = { 1970, 1, 1, (unsigned)((day + 4) % 7) + 1 };

        date.year += day / 366;
        day += days_before_year(1970) - days_before_year(date.year);
        while (day >= 365 + is_leap(date.year))
                day -= 365 + is_leap(date.year++);
        while (day >= days_of_month(date.year, date.month))
                day -= days_of_month(date.year, date.month++);
        date.day = (unsigned)day + 1;
        return date;
}

/* The guest's second since 1970; before that, 1970. */
static int64_t second_at(const struct rtc *rtc, uint64_t time_ns) {
        const int64_t second = (int64_t)(time_ns / SECOND_NS) + rtc->distance_s;

        return second > 0 ? second : 0;
}

static void show(struct rtc *rtc, int64_t second) {
        const struct date date = date_of(second / 86400);
        const unsigned of_day = (unsigned)(second % 86400);

        rtc->bytes[SECONDS] = encode(rtc, of_day % 60);
        rtc->bytes[MINUTES] = encode(rtc, of_day / 60 % 60);
        rtc->bytes[HOURS] = encode_hour(rtc, of_day / 3600);
        rtc->bytes[WEEKDAY] = encode(rtc, date.weekday);
        rtc->bytes[DAY] = encode(rtc, date.day);
        rtc->bytes[MONTH] = encode(rtc, date.month);
        rtc->bytes[YEAR] = encode(rtc, (unsigned)(date.year % 100));
        rtc->bytes[CENTURY] = encode(rtc, (unsigned)(date.year / 100 % 100));
}

/* A date that there is not is one of the days after it, as counting has it. */
static int64_t shown(const struct rtc *rtc) {
        const int64_t year = (int64_t)decode(rtc, rtc->bytes[CENTURY]) * 100 + decode(rtc, rtc->bytes[YEAR]);
        const unsigned month = decode(rtc, rtc->bytes[MONTH]);
        int64_t day = days_before_year(year > 1970 ? year : 1970) - days_before_year(1970) + decode(rtc, rtc->bytes[DAY]) - 1;

        for (unsigned i = 1; i < month && i <= 12; i++)
                day += days_of_month(year, i);
        return day * 86400 + (int64_t)decode_hour(rtc, rtc->bytes[HOURS]) * 3600 + (int64_t)decode(rtc, rtc->bytes[MINUTES]) * 60 +
               decode(rtc, rtc->bytes[SECONDS]);
}

/* --- interrupts -------------------------------------------------------------------------------------------------- */

/* An alarm's byte in its own range; as it is where it matches all. */
struct wanted {
        bool is_any;
        unsigned value;
};

static bool matches(struct wanted wanted, unsigned value) {
        return wanted.is_any || wanted.value == value;
}

/* The next second from `second` on at which the alarm goes off; -1: never. */
static int64_t next_alarm(const struct rtc *rtc, int64_t second) {
        const uint8_t *bytes = rtc->bytes;
        const struct wanted hour = { (bytes[HOURS_ALARM] & ANY) == ANY, decode_hour(rtc, bytes[HOURS_ALARM]) };
        const struct wanted minute = { (bytes[MINUTES_ALARM] & ANY) == ANY, decode(rtc, bytes[MINUTES_ALARM]) };
        const struct wanted of_minute = { (bytes[SECONDS_ALARM] & ANY) == ANY, decode(rtc, bytes[SECONDS_ALARM]) };
        const int64_t end = second + 86400;

        while (second < end) {
                if (!matches(hour, (unsigned)(second / 3600 % 24)))
                        second += 3600 - second % 3600;
                else if (!matches(minute, (unsigned)(second / 60 % 60)))
                        second += 60 - second % 60;
                else if (matches(of_minute, (unsigned)(second % 60)))
                        return second;
                else if (of_minute.value < (unsigned)(second % 60) || of_minute.value > 59)
                        second += 60 - second % 60;
                else
                        second += (int64_t)of_minute.value - second % 60;
        }
        return -1;
}

/* MC146818A, table 5, with the 32.768 kHz that a PC has. */
static uint64_t period_ns(const struct rtc *rtc) {
        const unsigned rate = rtc->bytes[REGISTER_A] & A_RATE;

        return rate ? SECOND_NS * (1U << ((rate <= 2 ? rate + 7 : rate) - 1)) / 32768 : 0;
}

static void raise(struct rtc *rtc, uint8_t flag) {
        rtc->bytes[REGISTER_C] |= flag;
        if (rtc->bytes[REGISTER_B] & flag)
                rtc->bytes[REGISTER_C] |= C_INTERRUPT;
}

bool rtc_interrupt(const struct rtc *rtc) {
        return rtc->bytes[REGISTER_C] & C_INTERRUPT;
}

static bool is_set(const struct rtc *rtc) {
        return rtc->bytes[REGISTER_B] & B_SET;
}

bool rtc_advance(struct rtc *rtc, uint64_t time_ns) {
        const uint64_t period = period_ns(rtc);
        const int64_t second = second_at(rtc, time_ns);
        bool is_alarmed = false;
        int64_t alarm;

        if (period && time_ns >= rtc->ticked_ns + period) {
                rtc->ticked_ns += (time_ns - rtc->ticked_ns) / period * period;
                raise(rtc, PERIODIC);
        }
        /* The host's clock was set back: its seconds are not told again. */
        if (is_set(rtc) || second <= rtc->seen_s)
                return false;
        alarm = next_alarm(rtc, rtc->seen_s + 1);
        is_alarmed = alarm >= 0 && alarm <= second;
        rtc->seen_s = second;
        raise(rtc, UPDATED);
        if (is_alarmed)
                raise(rtc, ALARM);
        return is_alarmed && rtc->bytes[REGISTER_B] & ALARM;
}

static uint64_t time_of(const struct rtc *rtc, int64_t second) {
        const int64_t at = second - rtc->distance_s;

        return at < 0 ? 0 : (uint64_t)at * SECOND_NS;
}

/* Only what would interrupt somebody is worth a call; who asks is told the rest by looking then. */
uint64_t rtc_next_ns(const struct rtc *rtc) {
        const uint8_t enabled = rtc->bytes[REGISTER_B];
        uint64_t next = UINT64_MAX;
        int64_t alarm;

        if (enabled & PERIODIC && period_ns(rtc) && !(rtc->bytes[REGISTER_C] & PERIODIC))
                next = rtc->ticked_ns + period_ns(rtc);
        if (is_set(rtc))
                return next;
        if (enabled & UPDATED && !(rtc->bytes[REGISTER_C] & UPDATED) && time_of(rtc, rtc->seen_s + 1) < next)
                next = time_of(rtc, rtc->seen_s + 1);
        alarm = enabled & ALARM ? next_alarm(rtc, rtc->seen_s + 1) : -1;
        if (alarm >= 0 && time_of(rtc, alarm) < next)
                next = time_of(rtc, alarm);
        return next;
}

/* --- registers --------------------------------------------------------------------------------------------------- */

void rtc_init(struct rtc *rtc, uint64_t time_ns) {
        *rtc = (struct rtc){ .ticked_ns = time_ns };
        rtc->bytes[REGISTER_A] = A_OSCILLATOR | 6;
        rtc->bytes[REGISTER_B] = B_24_HOURS;
        rtc->bytes[REGISTER_D] = D_VALID;
        rtc->seen_s = second_at(rtc, time_ns);
}

/* MC146818A, RESET: no interrupt is enabled or told. */
void rtc_reset(struct rtc *rtc) {
        rtc->bytes[REGISTER_B] &= (uint8_t) ~(PERIODIC | ALARM | UPDATED);
        rtc->bytes[REGISTER_C] = 0;
}

static bool is_time(unsigned index) {
        return index == SECONDS || index == MINUTES || index == HOURS || (index >= WEEKDAY && index <= YEAR) || index == CENTURY;
}

uint8_t rtc_read(struct rtc *rtc, unsigned offset, uint64_t time_ns) {
        uint8_t value;

        if (offset == 0)
                return UINT8_MAX; /* the index is only written */
        rtc_advance(rtc, time_ns);
        if (is_time(rtc->index) && !is_set(rtc))
                show(rtc, second_at(rtc, time_ns));
        value = rtc->bytes[rtc->index];
        if (rtc->index == REGISTER_C)
                rtc->bytes[REGISTER_C] = 0;
        return value;
}

/* The time stands still from here on, or goes on from where it was set. */
static void write_b(struct rtc *rtc, uint8_t value, uint64_t time_ns) {
        const bool was_set = is_set(rtc);

        if (!was_set)
                show(rtc, second_at(rtc, time_ns));
        rtc->bytes[REGISTER_B] = value & B_SET ? value & (uint8_t)~UPDATED : value;
        if (was_set && !(value & B_SET)) {
                rtc->distance_s = shown(rtc) - (int64_t)(time_ns / SECOND_NS);
                rtc->seen_s = second_at(rtc, time_ns);
        } else if (!was_set) {
                show(rtc, second_at(rtc, time_ns)); /* in the words that it has now */
        }
        rtc->bytes[REGISTER_C] &= (uint8_t)~C_INTERRUPT;
        if (rtc->bytes[REGISTER_C] & value & (PERIODIC | ALARM | UPDATED))
                rtc->bytes[REGISTER_C] |= C_INTERRUPT;
}

static void write_time(struct rtc *rtc, uint8_t value, uint64_t time_ns) {
        if (!is_set(rtc))
                show(rtc, second_at(rtc, time_ns));
        rtc->bytes[rtc->index] = value;
        if (is_set(rtc))
                return;
        rtc->distance_s = shown(rtc) - (int64_t)(time_ns / SECOND_NS);
        rtc->seen_s = second_at(rtc, time_ns);
}

void rtc_write(struct rtc *rtc, unsigned offset, uint8_t value, uint64_t time_ns) {
        if (offset == 0) {
                rtc->index = value & (RTC_BYTES - 1);
                return;
        }
        rtc_advance(rtc, time_ns);
        if (is_time(rtc->index))
                write_time(rtc, value, time_ns);
        else if (rtc->index == REGISTER_A)
                rtc->bytes[REGISTER_A] = value & (uint8_t)~A_UPDATE;
        else if (rtc->index == REGISTER_B)
                write_b(rtc, value, time_ns);
        else if (rtc->index != REGISTER_C && rtc->index != REGISTER_D)
                rtc->bytes[rtc->index] = value;
}
