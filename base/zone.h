/**
 * Time zones: wall clock times of the IANA zones, from the system's zone files (tzdata).
 *
 * The C library can only turn one zone at a time, for the whole program (tzset), so the files are
 * read here. A zone is immutable once loaded: any number of threads may ask it. Times are whole
 * seconds since 1970 UTC, between the years 1 and LP_ZONE_LAST_YEAR; later ones keep the last known
 * offset.
 * Source: RFC 8536 (TZif versions 1 to 4, footer included), POSIX TZ rules.
 */
#ifndef LP_BASE_ZONE_H
#define LP_BASE_ZONE_H

#include <stdint.h>

#include "base/err.h"

#define LP_ZONE_LAST_YEAR 2200
#define LP_ZONE_NAME_MAX  64

struct lp_zone;

/** A wall clock time; month and day count from 1. */
struct lp_civil {
    int year, month, day, hour, minute, second;
};

/** Loads a zone by name ("Europe/Rome"); "UTC" needs no file. LP_INVALID: there is no such zone;
 * the caller frees. */
enum lp_code lp_zone_load(const char *name, struct lp_zone **out, struct lp_err *err) LP_MUST_CHECK;
/** The same from the bytes of a zone file. LP_INVALID says what is wrong with them. */
enum lp_code lp_zone_parse(const char *name, const void *data, size_t len, struct lp_zone **out,
                           struct lp_err *err) LP_MUST_CHECK;
void lp_zone_free(struct lp_zone *zone);
const char *lp_zone_name(const struct lp_zone *zone);

/** Seconds that local time is ahead of UTC at that moment. */
int32_t lp_zone_offset(const struct lp_zone *zone, int64_t utc_s);
/** The first moment after utc_s at which the offset may change; INT64_MAX: never again. */
int64_t lp_zone_next_change(const struct lp_zone *zone, int64_t utc_s);
void lp_zone_local(const struct lp_zone *zone, int64_t utc_s, struct lp_civil *out);
/** The first moment at which the wall clock shows this time or has passed it: of a time that comes
 * twice the first one, for a time that is left out the first moment behind the gap. Fields beyond
 * their range carry over (day 32, hour 24). */
int64_t lp_zone_utc(const struct lp_zone *zone, const struct lp_civil *local);
/** "2026-03-29T03:00:00+02:00"; buf holds at least 33 bytes. */
void lp_zone_text(const struct lp_zone *zone, int64_t utc_s, char buf[static 33]);

/** Days since 1970-01-01 of a date of the Gregorian calendar; month and day may carry over. */
int64_t lp_civil_days(int year, int month, int day);
/** Date of that day; hour, minute and second become 0. */
void lp_civil_from_days(int64_t days, struct lp_civil *out);
/** 0 = Sunday. */
int lp_civil_weekday(int64_t days);
int lp_civil_month_length(int year, int month);

#endif
