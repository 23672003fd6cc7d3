/**
 * Spectrum: band plans, passbands, carriers, lists of ranges and bitmaps of them.
 *
 * Everything is an integer in MHz, every range is half-open [low, high): ranges that touch do not
 * overlap. A bitmap has one bit per 6.25 GHz of its band plan, from the low edge up; a set bit is
 * free spectrum. Pure; any thread.
 *
 * Source: ITU-T G.694.1, flexible DWDM grid: centres at 193.1 THz + n x 6.25 GHz, widths of
 * m x 12.5 GHz, so that edges lie on the 6.25 GHz raster too.
 */
#ifndef LP_OPTICAL_BAND_H
#define LP_OPTICAL_BAND_H

#include <stdint.h>

#include "base/err.h"

#define LP_GRID_ANCHOR_MHZ  INT64_C(193100000)
#define LP_GRID_RASTER_MHZ  INT64_C(6250)  /* of centres and edges */
#define LP_GRID_SLOT_MHZ    INT64_C(12500) /* widths are multiples of it */
#define LP_BAND_MOST_WORDS  28             /* 64-bit words of the widest band plan */
#define LP_BAND_MOST_PIECES 2

struct lp_range {
    int64_t low_mhz, high_mhz; /* half-open */
};

/** A band plan: what a line system can carry, and the rules for slots in it. */
struct lp_band {
    const char *name;                            /* "C", "extended C", "C+L" */
    struct lp_range pieces[LP_BAND_MOST_PIECES]; /* ascending, disjoint, on the 12.5 GHz raster */
    size_t piece_count;
    int64_t min_width_mhz; /* narrowest passband of a carrier */
    int64_t guard_mhz;     /* at least this on either side of a signal */
};
/** The plan of that name, or NULL. "C" is the default of the house. */
const struct lp_band *lp_band_of(const char *name);
/** All built-in plans; a program may fill one of its own. */
const struct lp_band *lp_bands(size_t *count);
/** From the lowest to the highest edge. */
struct lp_range lp_band_whole(const struct lp_band *band);
/** Units of 6.25 GHz, and words of a bitmap, of the whole plan (with the gap of a C+L plan). */
size_t lp_band_units(const struct lp_band *band);
size_t lp_band_words(const struct lp_band *band);
/** LP_INVALID when a plan of somebody's own breaks what is said above. */
enum lp_code lp_band_check(const struct lp_band *band, struct lp_err *err) LP_MUST_CHECK;

/* ---- grid numbers, for display ---- */

/** n of a centre frequency; false when it is not on the raster. */
bool lp_grid_n(int64_t mhz, int64_t *n);
/** n and m of a passband; false when it is none of G.694.1 (an edge off the raster, a width that is
 * no multiple of 12.5 GHz). */
bool lp_grid_slot(const struct lp_range *passband, int64_t *n, int64_t *m);
/** Vacuum wavelength in picometres, for display. */
int64_t lp_grid_wavelength_pm(int64_t mhz);

/* ---- checks ---- */

/** The rule that failed; the message code of each is in lp_band_rule_code. */
enum lp_band_rule {
    LP_BAND_OK,
    LP_BAND_RASTER, /* an edge or a centre is not on the raster */
    LP_BAND_ORDER,  /* low is not below high */
    LP_BAND_EDGE,   /* an edge lies outside the band plan, or between its pieces */
    LP_BAND_WIDTH,  /* too narrow, or no multiple of 12.5 GHz */
    LP_BAND_GUARD,  /* signal and guard do not fit */
    LP_BAND_RULES
};
/** "OPT-020"...; "" for LP_BAND_OK. */
const char *lp_band_rule_code(enum lp_band_rule rule);

/** A single frequency: on the raster, inside the plan (edges included). */
enum lp_band_rule lp_band_check_frequency(const struct lp_band *band, int64_t mhz);
/** Edges on multiples of step_mhz (LP_GRID_RASTER_MHZ; spectrum services demand LP_GRID_SLOT_MHZ),
 * in order, in one piece of the plan. */
enum lp_band_rule lp_band_check_passband(const struct lp_band *band,
                                         const struct lp_range *passband, int64_t step_mhz);
/** A width reserved for a carrier: at least the plan's minimum, a multiple of 12.5 GHz. */
enum lp_band_rule lp_band_check_width(const struct lp_band *band, int64_t width_mhz);
/** A carrier: centre on the raster, width as above, the passband around it inside the plan. Fills
 * the passband (centre -/+ half the width) also when a rule failed. */
enum lp_band_rule lp_band_check_carrier(const struct lp_band *band, int64_t centre_mhz,
                                        int64_t width_mhz, struct lp_range *passband);
/** The signal of that width fits the passband with the plan's guard on either side. */
enum lp_band_rule lp_band_check_signal(const struct lp_band *band, int64_t signal_mhz,
                                       int64_t width_mhz);
/** What a failed rule means for these figures, with its code: "OPT-022: width 60000 MHz must be at
 * least 37500 and a multiple of 12500". value is the figure that was checked (an edge or a centre,
 * a width, a signal's width), other the second one where the text has two (the slot's width). */
void lp_band_explain(const struct lp_band *band, enum lp_band_rule rule, int64_t value,
                     int64_t other, char *out, size_t size);

/** Narrowest slot for a coherent signal: baud rate in kBd, roll-off in thousandths, guard per side;
 * a multiple of 12.5 GHz. */
int64_t lp_carrier_width_mhz(int64_t kilobaud, int64_t rolloff_1000, int64_t guard_mhz);

/* ---- lists of ranges ---- */

bool lp_range_overlaps(const struct lp_range *a, const struct lp_range *b);
bool lp_range_holds(const struct lp_range *outer, const struct lp_range *inner);
/** Sorts, drops empty ones, joins those that overlap or touch, in place; returns how many are left.
 */
size_t lp_ranges_normalize(struct lp_range *list, size_t count);
/**
 * Complement inside a window: used -> free and free -> used. The list need not be sorted and may
 * overlap or reach beyond the window; it is left normalised.
 * @param out  room for count + 1
 * @return how many; an empty list gives the whole window
 */
size_t lp_ranges_invert(const struct lp_range *window, struct lp_range *list, size_t count,
                        struct lp_range *out);
/** What of `from` is not covered by the (normalised) list; out has room for count + 1. A modify
 * claims these pieces, and later drops the pieces of the old range the new one does not cover. */
size_t lp_range_minus(const struct lp_range *from, const struct lp_range *list, size_t count,
                      struct lp_range *out);
/** The first range of a normalised list that shares spectrum with target, or NULL. Touching is not
 * sharing. Binary search. */
const struct lp_range *lp_ranges_overlap(const struct lp_range *list, size_t count,
                                         const struct lp_range *target);

/* ---- bitmaps: a set bit is free ---- */

/** Everything the plan has is free (not the gap between its pieces). */
void lp_bits_fill(const struct lp_band *band, uint64_t *bits);
/** Takes a range out; units that it only touches in part go too. Ranges may reach beyond. */
void lp_bits_take(const struct lp_band *band, uint64_t *bits, const struct lp_range *range);
/** Gives a range back; only whole units inside the plan. */
void lp_bits_give(const struct lp_band *band, uint64_t *bits, const struct lp_range *range);
/** The whole range is free and inside the plan. */
bool lp_bits_free(const struct lp_band *band, const uint64_t *bits, const struct lp_range *range);
/** Bits at which `units` free units in a row begin; out may be bits. */
void lp_bits_starts(const uint64_t *bits, size_t words, size_t units, uint64_t *out);
/** Length of the longest run of free units. */
size_t lp_bits_longest(const uint64_t *bits, size_t words);
/** The free ranges, ascending; out has room for `most`; returns how many there are in all. */
size_t lp_bits_ranges(const struct lp_band *band, const uint64_t *bits, struct lp_range *out,
                      size_t most);
/** Unit of a frequency that lies on the raster; frequency of a unit. */
size_t lp_band_unit(const struct lp_band *band, int64_t mhz);
int64_t lp_band_mhz(const struct lp_band *band, size_t unit);

#endif
