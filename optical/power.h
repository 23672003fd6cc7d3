/**
 * Alignment of transmit power: what the line system receives is brought into a window above its
 * target by the power of the transponder's line port. Hundredths of a dB(m); pure, any thread.
 */
#ifndef LP_OPTICAL_POWER_H
#define LP_OPTICAL_POWER_H

#include <stdbool.h>
#include <stdint.h>

/** Configuration section `power`. */
struct lp_power_rules {
    int64_t low_cdb, high_cdb; /* a difference (received - target) in here is left alone */
    int64_t step_cdb;          /* most that is changed at once */
};

/** Is the difference, rounded to tenths of a dB, inside the window? */
bool lp_power_fits(const struct lp_power_rules *rules, int64_t difference_cdb);
/**
 * The transmit power to set: the present one minus the difference, in tenths of a dB, at most one
 * step away and within what the module can do (min and max, both 0: not known).
 */
int64_t lp_power_next(const struct lp_power_rules *rules, int64_t difference_cdb,
                      int64_t present_cdbm, int64_t min_cdbm, int64_t max_cdbm);

#endif
