/**
 * Times by calendar: cron expressions in a time zone.
 *
 * Five fields (minute hour day-of-month month day-of-week) or six (seconds first). A field is a
 * list of `*`, numbers, names (jan..dec, sun..sat, three letters, any case), ranges a-b, and steps
 * "*" "/n", a-b/n, a/n (from a to the end). Days of the week: 0 and 7 are Sunday, 1 is Monday. `L`
 * as day of month is the last one. When day of month and day of week are both restricted, either
 * is enough (as cron(5) has it).
 *
 * When clocks are turned:
 * - With a restricted hour the expression names wall clock times. A time that is left out counts at
 *   the first moment behind the gap (several of them count once); a time that comes twice counts
 *   the first time only.
 * - With an unrestricted hour it names a rhythm, which goes on through the turn: every 15 minutes
 *   stays every 15 minutes.
 */
#ifndef LP_BASE_CRON_H
#define LP_BASE_CRON_H

#include "base/zone.h"

enum lp_cron_part {
    LP_CRON_SECOND,
    LP_CRON_MINUTE,
    LP_CRON_HOUR,
    LP_CRON_DAY,
    LP_CRON_MONTH,
    LP_CRON_WEEKDAY,
    LP_CRON_PARTS
};

struct lp_cron {
    uint64_t set[LP_CRON_PARTS]; /* bit n: value n is in it; Sunday is 0 */
    bool last_day;               /* L */
};

/** LP_INVALID names the field and what is wrong with it. */
enum lp_code lp_cron_parse(const char *text, struct lp_cron *out, struct lp_err *err) LP_MUST_CHECK;
/** Sets one part from its text. A part that was never set holds nothing. */
enum lp_code lp_cron_set(struct lp_cron *cron, enum lp_cron_part part, const char *text,
                         struct lp_err *err) LP_MUST_CHECK;
/** "minute", "day of month" ... */
const char *lp_cron_part_name(enum lp_cron_part part);
/** The first due moment after after_s (both seconds since 1970 UTC). False: it never comes (31
 * February), which is known after LP_CRON_YEARS years. */
bool lp_cron_next(const struct lp_cron *cron, const struct lp_zone *zone, int64_t after_s,
                  int64_t *due_s);
enum { LP_CRON_YEARS = 9 }; /* 29 February: 2096 to 2104 */

#endif
