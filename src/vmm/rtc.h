/*
 * RTC: a PC's real-time clock and the memory beside it (Motorola MC146818A): the time of day, an alarm that wakes a machine, interrupts.
 *
 * Knows its registers behind ports 0x70 and 0x71.  Time comes in as the host's time of day, in nanoseconds since 1970 (UTC); what the guest sets its clock to
 * is kept as a distance from it.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
        RTC_PORT = 0x70, /* and 0x71 */
        RTC_BYTES = 128,
};

struct rtc {
        uint8_t index;
        uint8_t bytes[RTC_BYTES]; /* of the time only those that stand still while it is set */
        int64_t distance_s;       /* of the guest's time from the host's */
        int64_t seen_s;           /* the guest's second up to which updates and alarms were looked for */
        uint64_t ticked_ns;       /* when the last periodic interrupt was due */
};

/* At power on, and where a reset comes to it: the clock and the memory go on. */
void rtc_init(struct rtc *rtc, uint64_t time_ns);
void rtc_reset(struct rtc *rtc);

/* `offset` from RTC_PORT.  A read of register C answers all interrupts. */
uint8_t rtc_read(struct rtc *rtc, unsigned offset, uint64_t time_ns);
void rtc_write(struct rtc *rtc, unsigned offset, uint8_t value, uint64_t time_ns);

/* Time has gone on.  True: the alarm has gone off, and its interrupt is enabled. */
bool rtc_advance(struct rtc *rtc, uint64_t time_ns);

/* The level of its interrupt. */
bool rtc_interrupt(const struct rtc *rtc);

/* When it wants rtc_advance() to be called next; UINT64_MAX: not before the guest does something. */
uint64_t rtc_next_ns(const struct rtc *rtc);
