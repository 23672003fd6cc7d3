/**
 * Which slot to take of what is free. Pure; any thread; nothing is allocated.
 */
#ifndef LP_OPTICAL_ASSIGN_H
#define LP_OPTICAL_ASSIGN_H

#include "optical/band.h"

#define LP_MOST_CARRIERS 2

enum lp_assign {
    LP_ASSIGN_FIRST, /* lowest slot that fits */
    LP_ASSIGN_LAST,  /* highest */
    LP_ASSIGN_EXACT  /* the one that is asked for */
};
/** "first-fit", "last-fit", "exact". */
const char *lp_assign_name(enum lp_assign policy);

/** What is wanted: one or two slots, disjoint. */
struct lp_wanted {
    enum lp_assign policy;
    size_t count;                            /* 1..LP_MOST_CARRIERS */
    struct lp_range exact[LP_MOST_CARRIERS]; /* LP_ASSIGN_EXACT: the passbands */
    int64_t width_mhz[LP_MOST_CARRIERS];     /* otherwise: widths, multiples of 6.25 GHz */
    int64_t step_mhz;                        /* low edges are multiples of it: 6250 or 12500 */
};

/**
 * Finds the slots in a free bitmap of the band. With two widths, first-fit puts each as low as it
 * gets: the pair whose higher slot ends lowest, then whose carriers lie lowest, the first before
 * the second; last-fit is its mirror image.
 * @param out  wanted->count ranges
 * @return false when they do not fit
 */
bool lp_assign(const struct lp_band *band, const uint64_t *bits, const struct lp_wanted *wanted,
               struct lp_range *out);

#endif
