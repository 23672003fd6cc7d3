/**
 * Coordinates: decimal degrees as people and other systems write them, micro-degrees as we store
 * them. No floating point anywhere. Grammar: an optional '-', whole degrees without leading zeros,
 * optionally '.' and digits. No '+', blanks or exponent. Digits beyond the sixth are rounded half
 * away from zero (0.1 m); a value beyond the limit is refused before rounding. Threads: any.
 * Source: WGS 84 degrees; optical-catalog test vector T23.
 */
#ifndef LP_PRODUCTS_COORD_H
#define LP_PRODUCTS_COORD_H

#include <stdint.h>

#include "base/err.h"

enum lp_coord { LP_LATITUDE, LP_LONGITUDE };

/** LP_INVALID "latitude '91' must be decimal degrees between -90 and 90"; *udeg is left alone then.
 */
enum lp_code lp_coord_parse(enum lp_coord kind, const char *text, int64_t *udeg,
                            struct lp_err *err) LP_MUST_CHECK;

#define LP_COORD_TEXT 24
/** "45.478611", "-90.0": without trailing zeros, at least one digit behind the point. */
void lp_coord_text(int64_t udeg, char buf[static LP_COORD_TEXT]);

#endif
