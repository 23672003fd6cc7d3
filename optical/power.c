/* Alignment of transmit power. */
#include "optical/power.h"

/* To tenths of a dB, half away from zero. */
static int64_t
tenths(int64_t cdb)
{
    return (cdb < 0 ? cdb - 5 : cdb + 5) / 10 * 10;
}

static int64_t
between(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

bool
lp_power_fits(const struct lp_power_rules *rules, int64_t difference_cdb)
{
    int64_t rounded = tenths(difference_cdb);

    return rounded >= rules->low_cdb && rounded <= rules->high_cdb;
}

int64_t
lp_power_next(const struct lp_power_rules *rules, int64_t difference_cdb, int64_t present_cdbm,
              int64_t min_cdbm, int64_t max_cdbm)
{
    int64_t step = between(-tenths(difference_cdb), -rules->step_cdb, rules->step_cdb);
    int64_t next = tenths(present_cdbm + step);

    return min_cdbm == 0 && max_cdbm == 0 ? next : between(next, min_cdbm, max_cdbm);
}
