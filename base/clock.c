#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S   INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

static int64_t
now(clockid_t id, const struct lp_clock *clock)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these ids */
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000
           + (clock == NULL ? 0 : atomic_load_explicit(&clock->shift_us, memory_order_relaxed));
}

int64_t
lp_clock_utc_us(const struct lp_clock *clock)
{
    int64_t anchor =
        clock == NULL ? 0 : atomic_load_explicit(&clock->anchor_us, memory_order_relaxed);

    return anchor == 0 ? now(CLOCK_REALTIME, clock) : now(CLOCK_BOOTTIME, clock) + anchor;
}

int64_t
lp_clock_host_us(const struct lp_clock *clock)
{
    return now(CLOCK_REALTIME, clock);
}

void
lp_clock_follow(struct lp_clock *clock, int64_t utc_us, int64_t mono_us)
{
    atomic_store_explicit(&clock->anchor_us, utc_us - mono_us, memory_order_relaxed);
}

int64_t
lp_clock_mono_us(const struct lp_clock *clock)
{
    return now(CLOCK_BOOTTIME, clock);
}

void
lp_clock_turn(struct lp_clock *clock, int64_t us)
{
    (void)atomic_fetch_add(&clock->shift_us, us);
}

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

/* Proleptic Gregorian calendar, days since 1970-01-01, years counted from March so that the leap
 * day comes last. */
static int64_t
days_from_date(struct date d)
{
    int64_t y = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct date
date_from_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct date d = {
        .year = yoe + era * 400,
        .month = (unsigned)(mp < 10 ? mp + 3 : mp - 9),
        .day = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
    };

    if (d.month <= 2)
        d.year++;
    return d;
}

/* What ISO 8601 can say in four digits: 0001-01-01 to 9999-12-31. */
#define UTC_MIN (-INT64_C(719162) * US_PER_DAY)
#define UTC_MAX (INT64_C(2932897) * US_PER_DAY - 1)

void
lp_time_iso(int64_t utc_us, char buf[static 33])
{
    int64_t days, rest;
    struct date d;
    unsigned s;

    if (utc_us < UTC_MIN)
        utc_us = UTC_MIN;
    if (utc_us > UTC_MAX)
        utc_us = UTC_MAX;
    days = utc_us / US_PER_DAY;
    rest = utc_us % US_PER_DAY;
    if (rest < 0) {
        days--;
        rest += US_PER_DAY;
    }
    d = date_from_days(days);
    s = (unsigned)(rest / US_PER_S);
    (void)snprintf(buf, 33, "%04u-%02u-%02uT%02u:%02u:%02u.%06u+00:00", (unsigned)d.year % 10000u,
                   d.month % 100u, d.day % 100u, s / 3600 % 100u, s / 60 % 60, s % 60,
                   (unsigned)(rest % US_PER_S));
}

/* Reads exactly n digits; advances. */
static bool
digits(const char **p, unsigned n, unsigned *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        *out = *out * 10 + (unsigned)(**p - '0');
    }
    return true;
}

static bool
skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool
parse_date(const char **p, int64_t *days)
{
    static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned y, m, d;
    bool leap;

    if (!digits(p, 4, &y) || !skip(p, '-') || !digits(p, 2, &m) || !skip(p, '-')
        || !digits(p, 2, &d))
        return false;
    leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    if (y < 1 || m < 1 || m > 12 || d < 1 || d > lengths[m - 1] || (m == 2 && d == 29 && !leap))
        return false;
    *days = days_from_date((struct date){.year = y, .month = m, .day = d});
    return true;
}

static bool
parse_clock(const char **p, int64_t *us)
{
    unsigned h, m, s, fraction = 0, unit = 100000;

    if (!digits(p, 2, &h) || !skip(p, ':') || !digits(p, 2, &m) || !skip(p, ':')
        || !digits(p, 2, &s) || h > 23 || m > 59 || s > 59)
        return false;
    if (skip(p, '.')) {
        if (!isdigit((unsigned char)**p))
            return false;
        for (; isdigit((unsigned char)**p); (*p)++, unit /= 10) {
            if (unit == 0)
                return false;
            fraction += (unsigned)(**p - '0') * unit;
        }
    }
    *us = (int64_t)(h * 3600 + m * 60 + s) * US_PER_S + fraction;
    return true;
}

static bool
parse_offset(const char **p, int64_t *us)
{
    unsigned h, m;
    bool minus;

    *us = 0;
    if (skip(p, 'Z') || skip(p, 'z'))
        return true;
    minus = **p == '-';
    if (!skip(p, '+') && !skip(p, '-'))
        return false;
    if (!digits(p, 2, &h))
        return false;
    (void)skip(p, ':');
    if (!digits(p, 2, &m) || h > 23 || m > 59)
        return false;
    *us = (int64_t)(h * 3600 + m * 60) * (minus ? -US_PER_S : US_PER_S);
    return true;
}

enum lp_code
lp_time_parse(const char *text, int64_t *utc_us, struct lp_err *err)
{
    const char *p = text;
    int64_t days, clock, offset;

    if (!parse_date(&p, &days) || (!skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' '))
        || !parse_clock(&p, &clock) || !parse_offset(&p, &offset) || *p != '\0')
        return lp_fail(err, LP_INVALID,
                       "'%.64s' is not a time such as 2026-02-01T10:00:00.250000+00:00", text);
    *utc_us = days * US_PER_DAY + clock - offset;
    return LP_OK;
}
