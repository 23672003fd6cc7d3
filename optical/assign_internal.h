/* What slot assignment and route search share: bitmaps of the units at which a slot may begin. */
#ifndef LP_OPTICAL_ASSIGN_INTERNAL_H
#define LP_OPTICAL_ASSIGN_INTERNAL_H

#include "optical/assign.h"

#define LP_NO_UNIT SIZE_MAX

struct lp_starts {
    size_t count;
    const uint64_t *bits[LP_MOST_CARRIERS]; /* set: so many free units begin here */
    size_t units[LP_MOST_CARRIERS];
};
/* Units the slots begin at; false when they do not fit side by side. */
bool lp_starts_pick(const struct lp_starts *starts, size_t words, enum lp_assign policy,
                    size_t at[LP_MOST_CARRIERS]);
/* Bits of the units whose low edge is a multiple of the step. */
void lp_starts_align(const struct lp_band *band, int64_t step_mhz, uint64_t *mask);

#endif
