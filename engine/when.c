#include "engine/when.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SECOND_US INT64_C(1000000)
/* years 1971 to 2199: what a zone knows, and no overflow in any unit */
#define EARLIEST_S INT64_C(31536000)
#define LATEST_S   INT64_C(7226582400)

/** "YYYY-MM-DD", then blank or T, "HH:MM", perhaps ":SS". */
static bool
wall_clock(const char *text, struct lp_civil *c)
{
    int end = 0;

    *c = (struct lp_civil){.year = 0};
    if (sscanf(text, "%4d-%2d-%2d%*1[T ]%2d:%2d%n", &c->year, &c->month, &c->day, &c->hour,
               &c->minute, &end)
            != 5
        || end != 16)
        return false;
    if (text[16] == ':' && (sscanf(text + 16, ":%2d%n", &c->second, &end) != 1 || end != 3))
        return false;
    if (text[text[16] == ':' ? 19 : 16] != '\0' || strspn(text, "0123456789-T: ") != strlen(text))
        return false;
    return c->year >= 1971 && c->year < LP_ZONE_LAST_YEAR && c->month >= 1 && c->month <= 12
           && c->day >= 1 && c->day <= lp_civil_month_length(c->year, c->month) && c->hour <= 23
           && c->minute <= 59 && c->second <= 59;
}

enum lp_code
lp_when_read(const json_t *value, const struct lp_zone *zone, const char *pointer, int64_t *utc_us,
             struct lp_err *err)
{
    const char *text = json_string_value(value);
    double seconds = json_number_value(value);
    struct lp_civil c;

    if (json_is_number(value) && seconds >= (double)EARLIEST_S && seconds <= (double)LATEST_S) {
        *utc_us = (int64_t)seconds * SECOND_US;
        return LP_OK;
    }
    if (text != NULL && wall_clock(text, &c)) {
        *utc_us = lp_zone_utc(zone, &c) * SECOND_US;
        return LP_OK;
    }
    if (text != NULL && lp_time_parse(text, utc_us, err) == LP_OK
        && *utc_us >= EARLIEST_S * SECOND_US && *utc_us <= LATEST_S * SECOND_US) {
        *utc_us -= *utc_us % SECOND_US;
        return LP_OK;
    }
    lp_err_clear(err);
    return lp_fail_at(err, LP_INVALID, pointer,
                      "%s is no time: ISO 8601 text between 1971 and 2199, or seconds since 1970",
                      text == NULL ? lp_json_kind(value) : "the text");
}

json_t *
lp_when_json(int64_t utc_us)
{
    if (utc_us == INT64_MIN || utc_us == INT64_MAX)
        return json_null();
    return utc_us % SECOND_US == 0 ? json_integer(utc_us / SECOND_US)
                                   : json_real((double)utc_us / (double)SECOND_US);
}
