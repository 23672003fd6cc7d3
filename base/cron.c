#include "base/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DAY_S = 86400, FIELD_MAX = 200 };

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* clang-format off */
static const struct part {
    const char *name;
    int low, high; /* as written */
    const char *const *words;
    int word_count;
} parts[LP_CRON_PARTS] = {
    [LP_CRON_SECOND]  = {"second",        0, 59, NULL, 0},
    [LP_CRON_MINUTE]  = {"minute",        0, 59, NULL, 0},
    [LP_CRON_HOUR]    = {"hour",          0, 23, NULL, 0},
    [LP_CRON_DAY]     = {"day of month",  1, 31, NULL, 0},
    [LP_CRON_MONTH]   = {"month",         1, 12, months, 12},
    [LP_CRON_WEEKDAY] = {"day of week",   0,  7, weekdays, 7},
};
/* clang-format on */

const char *
lp_cron_part_name(enum lp_cron_part part)
{
    return parts[part].name;
}

/* ---- parsing ---- */

/** A number or a name at *at. */
static bool
eat_value(const struct part *part, const char **at, int *out)
{
    const char *p = *at;
    int value = 0;

    for (int i = 0; i < part->word_count; i++) {
        if (strncasecmp(p, part->words[i], 3) == 0 && !isalnum((unsigned char)p[3])) {
            *out = i + (part->low == 1);
            *at = p + 3;
            return true;
        }
    }
    while (isdigit((unsigned char)*p) && p - *at < 4)
        value = value * 10 + (*p++ - '0');
    if (p == *at || value < part->low || value > part->high)
        return false;
    *out = value;
    *at = p;
    return true;
}

static bool
eat_step(const char **at, int *out)
{
    const char *p = *at;
    int value = 0;

    while (isdigit((unsigned char)*p) && p - *at < 4)
        value = value * 10 + (*p++ - '0');
    if (p == *at || value == 0)
        return false;
    *out = value;
    *at = p;
    return true;
}

/** One member of the list. False: it is no such thing. */
static bool
eat_item(const struct part *part, const char **at, uint64_t *set)
{
    int low, high, step = 1;

    if (**at == '*') {
        (*at)++;
        low = part->low;
        high = part->words == weekdays ? 6 : part->high;
    } else {
        if (!eat_value(part, at, &low))
            return false;
        high = low;
        if (**at == '-') {
            (*at)++;
            if (!eat_value(part, at, &high))
                return false;
            if (part->words == weekdays && high == 0 && low > 0)
                high = 7; /* fri-sun */
        } else if (**at == '/') {
            high = part->words == weekdays ? 6 : part->high;
        }
    }
    if (**at == '/') {
        (*at)++;
        if (!eat_step(at, &step))
            return false;
    }
    if (low > high)
        return false;
    for (int i = low; i <= high; i += step)
        *set |= UINT64_C(1) << (part->words == weekdays ? i % 7 : i);
    return true;
}

enum lp_code
lp_cron_set(struct lp_cron *cron, enum lp_cron_part which, const char *text, struct lp_err *err)
{
    const struct part *part = &parts[which];
    const char *at = text;
    uint64_t set = 0;
    bool last = false;

    for (;;) {
        if (which == LP_CRON_DAY && (*at == 'L' || *at == 'l')) {
            last = true;
            at++;
        } else if (!eat_item(part, &at, &set)) {
            break;
        }
        if (*at == '\0') {
            cron->set[which] = set;
            if (which == LP_CRON_DAY)
                cron->last_day = last;
            return LP_OK;
        }
        if (*at++ != ',')
            break;
    }
    return lp_fail(err, LP_INVALID, "'%.60s' is no %s (%d to %d%s, lists, ranges a-b, steps */n)",
                   text, part->name, part->low, part->high,
                   part->words == NULL       ? which == LP_CRON_DAY ? ", L for the last" : ""
                   : part->words == weekdays ? ", sun to sat"
                                             : ", jan to dec");
}

enum lp_code
lp_cron_parse(const char *text, struct lp_cron *out, struct lp_err *err)
{
    char words[LP_CRON_PARTS][FIELD_MAX];
    int count = 0, first;
    const char *p = text;
    enum lp_code rc = LP_OK;

    *out = (struct lp_cron){.last_day = false};
    for (;;) {
        size_t len;

        p += strspn(p, " \t");
        len = strcspn(p, " \t");
        if (len == 0)
            break;
        if (count == LP_CRON_PARTS || len >= FIELD_MAX)
            return lp_fail(err, LP_INVALID,
                           "'%.100s' has too many fields: minute, hour, day of month, month, day "
                           "of week (seconds may stand in front)",
                           text);
        memcpy(words[count], p, len);
        words[count++][len] = '\0';
        p += len;
    }
    if (count < LP_CRON_PARTS - 1)
        return lp_fail(err, LP_INVALID,
                       "'%.100s' has %d of the five fields: minute, hour, day of month, month, day "
                       "of week",
                       text, count);
    first = LP_CRON_PARTS - count;
    if (first > 0)
        out->set[LP_CRON_SECOND] = 1;
    for (int i = first; rc == LP_OK && i < LP_CRON_PARTS; i++)
        rc = lp_cron_set(out, (enum lp_cron_part)i, words[i - first], err);
    return rc;
}

/* ---- searching ---- */

static bool
has(const struct lp_cron *cron, enum lp_cron_part part, int value)
{
    return (cron->set[part] >> value & 1) != 0;
}

static bool
whole(const struct lp_cron *cron, enum lp_cron_part part)
{
    int high = part == LP_CRON_WEEKDAY ? 6 : parts[part].high;

    for (int i = parts[part].low; i <= high; i++)
        if (!has(cron, part, i))
            return false;
    return true;
}

static bool
day_fits(const struct lp_cron *cron, const struct lp_civil *date, int64_t days)
{
    bool of_month, of_week = has(cron, LP_CRON_WEEKDAY, lp_civil_weekday(days));

    if (!has(cron, LP_CRON_MONTH, date->month))
        return false;
    of_month = has(cron, LP_CRON_DAY, date->day)
               || (cron->last_day && date->day == lp_civil_month_length(date->year, date->month));
    if (whole(cron, LP_CRON_DAY))
        return of_week;
    if (whole(cron, LP_CRON_WEEKDAY))
        return of_month;
    return of_month || of_week;
}

/** A rhythm: walks real time, and looks at the wall clock. */
static bool
next_in_rhythm(const struct lp_cron *cron, const struct lp_zone *zone, int64_t at, int64_t end,
               int64_t *due)
{
    while (at < end) {
        struct lp_civil c;
        int64_t change = lp_zone_next_change(zone, at), step;

        lp_zone_local(zone, at, &c);
        if (!day_fits(cron, &c, lp_civil_days(c.year, c.month, c.day)))
            step = DAY_S - (c.hour * 3600 + c.minute * 60 + c.second);
        else if (!has(cron, LP_CRON_MINUTE, c.minute))
            step = 60 - c.second;
        else if (!has(cron, LP_CRON_SECOND, c.second))
            step = 1;
        else {
            *due = at;
            return true;
        }
        at = change - at < step ? change : at + step; /* the wall clock jumps there */
    }
    return false;
}

/** The first of the day's wall clock times that is not before `from`. Wall clock times come in
 * their order (lp_zone_utc never goes back). */
static bool
next_of_day(const struct lp_cron *cron, const struct lp_zone *zone, struct lp_civil c, int64_t from,
            int64_t *due)
{
    for (c.hour = 0; c.hour < 24; c.hour++) {
        c.minute = c.second = 59;
        if (!has(cron, LP_CRON_HOUR, c.hour) || lp_zone_utc(zone, &c) < from)
            continue;
        for (c.minute = 0; c.minute < 60; c.minute++) {
            c.second = 59;
            if (!has(cron, LP_CRON_MINUTE, c.minute) || lp_zone_utc(zone, &c) < from)
                continue;
            for (c.second = 0; c.second < 60; c.second++) {
                if (!has(cron, LP_CRON_SECOND, c.second))
                    continue;
                *due = lp_zone_utc(zone, &c);
                if (*due >= from)
                    return true;
            }
        }
    }
    return false;
}

bool
lp_cron_next(const struct lp_cron *cron, const struct lp_zone *zone, int64_t after_s,
             int64_t *due_s)
{
    struct lp_civil c;
    int64_t from = after_s + 1, first;

    if (whole(cron, LP_CRON_HOUR))
        return next_in_rhythm(cron, zone, from, from + (int64_t)LP_CRON_YEARS * 366 * DAY_S, due_s);
    lp_zone_local(zone, from, &c);
    first = lp_civil_days(c.year, c.month, c.day) - 1;
    for (int64_t days = first; days < first + (int64_t)LP_CRON_YEARS * 366; days++) {
        lp_civil_from_days(days, &c);
        if (day_fits(cron, &c, days) && next_of_day(cron, zone, c, from, due_s))
            return true;
    }
    return false;
}
