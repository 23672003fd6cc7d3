/* Band plans, ranges and their bitmaps. */
#include "optical/band.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT LP_GRID_RASTER_MHZ

/* ---- plans ---- */

/* Planning defaults, which an operator replaces by the data sheet of his line system: C is the 4.8
 * THz of common line systems, extended C adds a slot at either end, and C+L a band of 4.8 THz below
 * it, with the gap of the filters between. */
static const struct lp_band bands[] = {
    {.name = "C", .pieces = {{191325000, 196125000}}, .piece_count = 1, .min_width_mhz = 37500},
    {.name = "extended C",
     .pieces = {{191312500, 196137500}},
     .piece_count = 1,
     .min_width_mhz = 37500},
    {.name = "C+L",
     .pieces = {{186050000, 190850000}, {191325000, 196125000}},
     .piece_count = 2,
     .min_width_mhz = 37500},
};

const struct lp_band *
lp_bands(size_t *count)
{
    *count = LP_COUNT(bands);
    return bands;
}

const struct lp_band *
lp_band_of(const char *name)
{
    for (size_t i = 0; i < LP_COUNT(bands); i++)
        if (strcmp(bands[i].name, name) == 0)
            return &bands[i];
    return NULL;
}

struct lp_range
lp_band_whole(const struct lp_band *band)
{
    return (struct lp_range){band->pieces[0].low_mhz, band->pieces[band->piece_count - 1].high_mhz};
}

size_t
lp_band_units(const struct lp_band *band)
{
    const struct lp_range whole = lp_band_whole(band);

    return (size_t)((whole.high_mhz - whole.low_mhz) / UNIT);
}

size_t
lp_band_words(const struct lp_band *band)
{
    return (lp_band_units(band) + 63) / 64;
}

size_t
lp_band_unit(const struct lp_band *band, int64_t mhz)
{
    return (size_t)((mhz - band->pieces[0].low_mhz) / UNIT);
}

int64_t
lp_band_mhz(const struct lp_band *band, size_t unit)
{
    return band->pieces[0].low_mhz + (int64_t)unit * UNIT;
}

enum lp_code
lp_band_check(const struct lp_band *band, struct lp_err *err)
{
    if (band->piece_count < 1 || band->piece_count > LP_BAND_MOST_PIECES)
        return lp_fail(err, LP_INVALID, "band plan %.64s has %zu pieces, not 1 to %d", band->name,
                       band->piece_count, LP_BAND_MOST_PIECES);
    for (size_t i = 0; i < band->piece_count; i++) {
        const struct lp_range *piece = &band->pieces[i];
        if (piece->low_mhz <= 0 || piece->high_mhz > INT64_C(1000000000)
            || piece->low_mhz >= piece->high_mhz || piece->low_mhz % LP_GRID_SLOT_MHZ != 0
            || piece->high_mhz % LP_GRID_SLOT_MHZ != 0
            || (i > 0 && piece->low_mhz < band->pieces[i - 1].high_mhz))
            return lp_fail(err, LP_INVALID,
                           "piece %zu of band plan %.64s must lie above the one before, with edges "
                           "in order on multiples of %lld MHz",
                           i, band->name, (long long)LP_GRID_SLOT_MHZ);
    }
    if (lp_band_words(band) > LP_BAND_MOST_WORDS)
        return lp_fail(err, LP_INVALID, "band plan %.64s is wider than %lld MHz", band->name,
                       (long long)(LP_BAND_MOST_WORDS * 64 * UNIT));
    if (band->min_width_mhz < LP_GRID_SLOT_MHZ || band->guard_mhz < 0)
        return lp_fail(err, LP_INVALID, "band plan %.64s needs a least width and no negative guard",
                       band->name);
    return LP_OK;
}

/* ---- grid numbers ---- */

bool
lp_grid_n(int64_t mhz, int64_t *n)
{
    *n = (mhz - LP_GRID_ANCHOR_MHZ) / UNIT;
    return (mhz - LP_GRID_ANCHOR_MHZ) % UNIT == 0;
}

bool
lp_grid_slot(const struct lp_range *passband, int64_t *n, int64_t *m)
{
    int64_t width = passband->high_mhz - passband->low_mhz;

    *m = width / LP_GRID_SLOT_MHZ;
    return lp_grid_n(passband->low_mhz + width / 2, n) && width > 0 && width % LP_GRID_SLOT_MHZ == 0
           && passband->low_mhz % UNIT == 0;
}

int64_t
lp_grid_wavelength_pm(int64_t mhz)
{
    return mhz <= 0 ? 0 : (INT64_C(299792458000000) + mhz / 2) / mhz;
}

/* ---- checks ---- */

const char *
lp_band_rule_code(enum lp_band_rule rule)
{
    static const char *const codes[] = {
        [LP_BAND_OK] = "",          [LP_BAND_RASTER] = "OPT-020", [LP_BAND_ORDER] = "OPT-021",
        [LP_BAND_EDGE] = "OPT-020", [LP_BAND_WIDTH] = "OPT-022",  [LP_BAND_GUARD] = "OPT-024",
    };
    static_assert(LP_COUNT(codes) == LP_BAND_RULES, "a code for every rule");

    return codes[rule];
}

static bool
in_one_piece(const struct lp_band *band, const struct lp_range *range)
{
    for (size_t i = 0; i < band->piece_count; i++)
        if (lp_range_holds(&band->pieces[i], range))
            return true;
    return false;
}

enum lp_band_rule
lp_band_check_frequency(const struct lp_band *band, int64_t mhz)
{
    const struct lp_range point = {mhz, mhz};

    if (mhz % UNIT != 0)
        return LP_BAND_RASTER;
    return in_one_piece(band, &point) ? LP_BAND_OK : LP_BAND_EDGE;
}

enum lp_band_rule
lp_band_check_passband(const struct lp_band *band, const struct lp_range *passband,
                       int64_t step_mhz)
{
    if (passband->low_mhz % step_mhz != 0 || passband->high_mhz % step_mhz != 0)
        return LP_BAND_RASTER;
    if (passband->low_mhz >= passband->high_mhz)
        return LP_BAND_ORDER;
    return in_one_piece(band, passband) ? LP_BAND_OK : LP_BAND_EDGE;
}

enum lp_band_rule
lp_band_check_width(const struct lp_band *band, int64_t width_mhz)
{
    const struct lp_range whole = lp_band_whole(band);

    return width_mhz >= band->min_width_mhz && width_mhz % LP_GRID_SLOT_MHZ == 0
                   && width_mhz <= whole.high_mhz - whole.low_mhz
               ? LP_BAND_OK
               : LP_BAND_WIDTH;
}

enum lp_band_rule
lp_band_check_carrier(const struct lp_band *band, int64_t centre_mhz, int64_t width_mhz,
                      struct lp_range *passband)
{
    enum lp_band_rule rule = lp_band_check_width(band, width_mhz);
    int64_t half = rule == LP_BAND_OK ? width_mhz / 2 : 0;

    *passband = (struct lp_range){centre_mhz - half, centre_mhz + half};
    if (rule != LP_BAND_OK)
        return rule;
    if (centre_mhz % UNIT != 0)
        return LP_BAND_RASTER;
    return lp_band_check_passband(band, passband, UNIT);
}

enum lp_band_rule
lp_band_check_signal(const struct lp_band *band, int64_t signal_mhz, int64_t width_mhz)
{
    return signal_mhz > 0 && signal_mhz <= width_mhz - 2 * band->guard_mhz ? LP_BAND_OK
                                                                           : LP_BAND_GUARD;
}

void
lp_band_explain(const struct lp_band *band, enum lp_band_rule rule, int64_t value, int64_t other,
                char *out, size_t size)
{
    const struct lp_range whole = lp_band_whole(band);
    const char *code = lp_band_rule_code(rule);
    int64_t step = value % UNIT == 0 ? LP_GRID_SLOT_MHZ : UNIT;

    switch (rule) {
    case LP_BAND_RASTER:
    case LP_BAND_EDGE:
        (void)snprintf(out, size, "%s: %lld MHz is outside %lld..%lld or not a multiple of %lld",
                       code, (long long)value, (long long)whole.low_mhz, (long long)whole.high_mhz,
                       (long long)(rule == LP_BAND_EDGE ? UNIT : step));
        return;
    case LP_BAND_ORDER:
        (void)snprintf(out, size, "%s: start frequency must be below end frequency", code);
        return;
    case LP_BAND_WIDTH:
        (void)snprintf(out, size, "%s: width %lld MHz must be at least %lld and a multiple of %lld",
                       code, (long long)value, (long long)band->min_width_mhz,
                       (long long)LP_GRID_SLOT_MHZ);
        return;
    case LP_BAND_GUARD:
        (void)snprintf(out, size, "%s: signal %lld MHz plus guard does not fit slot %lld MHz", code,
                       (long long)value, (long long)other);
        return;
    case LP_BAND_OK:
    case LP_BAND_RULES:
        break;
    }
    (void)snprintf(out, size, "%s", "");
}

int64_t
lp_carrier_width_mhz(int64_t kilobaud, int64_t rolloff_1000, int64_t guard_mhz)
{
    /* kBd times thousandths are millionths of an MHz */
    int64_t needed = kilobaud * (1000 + rolloff_1000) + 2 * guard_mhz * 1000000;
    int64_t slot = LP_GRID_SLOT_MHZ * 1000000;

    return (needed + slot - 1) / slot * LP_GRID_SLOT_MHZ;
}

/* ---- lists of ranges ---- */

bool
lp_range_overlaps(const struct lp_range *a, const struct lp_range *b)
{
    return a->low_mhz < b->high_mhz && b->low_mhz < a->high_mhz;
}

bool
lp_range_holds(const struct lp_range *outer, const struct lp_range *inner)
{
    return outer->low_mhz <= inner->low_mhz && inner->high_mhz <= outer->high_mhz;
}

static int
by_low_edge(const void *a, const void *b)
{
    const struct lp_range *x = a, *y = b;

    return (x->low_mhz > y->low_mhz) - (x->low_mhz < y->low_mhz);
}

size_t
lp_ranges_normalize(struct lp_range *list, size_t count)
{
    size_t kept = 0;

    if (count > 1)
        qsort(list, count, sizeof(*list), by_low_edge);
    for (size_t i = 0; i < count; i++) {
        if (list[i].low_mhz >= list[i].high_mhz)
            continue;
        if (kept > 0 && list[i].low_mhz <= list[kept - 1].high_mhz) {
            if (list[i].high_mhz > list[kept - 1].high_mhz)
                list[kept - 1].high_mhz = list[i].high_mhz;
        } else {
            list[kept++] = list[i];
        }
    }
    return kept;
}

size_t
lp_ranges_invert(const struct lp_range *window, struct lp_range *list, size_t count,
                 struct lp_range *out)
{
    return lp_range_minus(window, list, lp_ranges_normalize(list, count), out);
}

size_t
lp_range_minus(const struct lp_range *from, const struct lp_range *list, size_t count,
               struct lp_range *out)
{
    int64_t at = from->low_mhz;
    size_t found = 0;

    for (size_t i = 0; i < count && at < from->high_mhz; i++) {
        if (list[i].high_mhz <= at)
            continue;
        if (list[i].low_mhz >= from->high_mhz)
            break;
        if (list[i].low_mhz > at)
            out[found++] = (struct lp_range){at, list[i].low_mhz};
        at = list[i].high_mhz;
    }
    if (at < from->high_mhz)
        out[found++] = (struct lp_range){at, from->high_mhz};
    return found;
}

const struct lp_range *
lp_ranges_overlap(const struct lp_range *list, size_t count, const struct lp_range *target)
{
    size_t low = 0, high = count;

    while (low < high) { /* the first range that ends above the target's low edge */
        size_t middle = low + (high - low) / 2;
        if (list[middle].high_mhz > target->low_mhz)
            high = middle;
        else
            low = middle + 1;
    }
    return low < count && list[low].low_mhz < target->high_mhz ? &list[low] : NULL;
}

/* ---- bitmaps ---- */

/* Units that a range covers, clipped to the plan: those it touches, or only the whole ones. */
static bool
units_of(const struct lp_band *band, const struct lp_range *range, bool whole_only, size_t *from,
         size_t *to)
{
    const struct lp_range whole = lp_band_whole(band);
    int64_t low = range->low_mhz < whole.low_mhz ? whole.low_mhz : range->low_mhz;
    int64_t high = range->high_mhz > whole.high_mhz ? whole.high_mhz : range->high_mhz;

    if (low >= high)
        return false;
    low -= whole.low_mhz;
    high -= whole.low_mhz;
    *from = (size_t)((whole_only ? low + UNIT - 1 : low) / UNIT);
    *to = (size_t)((whole_only ? high : high + UNIT - 1) / UNIT);
    return *from < *to;
}

/* Bits of word w that lie in [from, to). */
static uint64_t
mask_of(size_t w, size_t from, size_t to)
{
    uint64_t mask = UINT64_MAX;

    if (from > w * 64)
        mask &= from >= w * 64 + 64 ? 0 : UINT64_MAX << (from - w * 64);
    if (to < w * 64 + 64)
        mask &= to <= w * 64 ? 0 : UINT64_MAX >> (w * 64 + 64 - to);
    return mask;
}

void
lp_bits_fill(const struct lp_band *band, uint64_t *bits)
{
    memset(bits, 0, lp_band_words(band) * sizeof(*bits));
    for (size_t i = 0; i < band->piece_count; i++) {
        size_t from = lp_band_unit(band, band->pieces[i].low_mhz),
               to = lp_band_unit(band, band->pieces[i].high_mhz);
        for (size_t w = from / 64; w * 64 < to; w++)
            bits[w] |= mask_of(w, from, to);
    }
}

void
lp_bits_take(const struct lp_band *band, uint64_t *bits, const struct lp_range *range)
{
    size_t from, to;

    if (!units_of(band, range, false, &from, &to))
        return;
    for (size_t w = from / 64; w * 64 < to; w++)
        bits[w] &= ~mask_of(w, from, to);
}

void
lp_bits_give(const struct lp_band *band, uint64_t *bits, const struct lp_range *range)
{
    for (size_t i = 0; i < band->piece_count; i++) {
        const struct lp_range *piece = &band->pieces[i];
        const struct lp_range inside = {
            range->low_mhz > piece->low_mhz ? range->low_mhz : piece->low_mhz,
            range->high_mhz < piece->high_mhz ? range->high_mhz : piece->high_mhz};
        size_t from, to;
        if (!units_of(band, &inside, true, &from, &to))
            continue;
        for (size_t w = from / 64; w * 64 < to; w++)
            bits[w] |= mask_of(w, from, to);
    }
}

bool
lp_bits_free(const struct lp_band *band, const uint64_t *bits, const struct lp_range *range)
{
    const struct lp_range whole = lp_band_whole(band);
    size_t from, to;

    if (!lp_range_holds(&whole, range) || !units_of(band, range, false, &from, &to))
        return false;
    for (size_t w = from / 64; w * 64 < to; w++)
        if ((~bits[w] & mask_of(w, from, to)) != 0)
            return false;
    return true;
}

/* bits &= bits >> shift: bit i stays when bit i + shift is set too. */
static void
and_shifted(uint64_t *bits, size_t words, size_t shift)
{
    size_t skip = shift / 64, rest = shift % 64;

    for (size_t w = 0; w < words; w++) {
        uint64_t here = w + skip < words ? bits[w + skip] : 0;
        uint64_t next = w + skip + 1 < words ? bits[w + skip + 1] : 0;
        bits[w] &= rest == 0 ? here : here >> rest | next << (64 - rest);
    }
}

void
lp_bits_starts(const uint64_t *bits, size_t words, size_t units, uint64_t *out)
{
    size_t have = 1; /* so many in a row are free at every bit that is left */

    if (out != bits)
        memcpy(out, bits, words * sizeof(*out));
    for (; have * 2 <= units; have *= 2)
        and_shifted(out, words, have);
    if (units > have)
        and_shifted(out, words, units - have);
}

/* The next run of set bits at or after *from; false when there is none. */
static bool
next_run(const uint64_t *bits, size_t words, size_t *from, size_t *to)
{
    size_t at = *from, w = at / 64;
    uint64_t word;

    for (word = w < words ? bits[w] & UINT64_MAX << at % 64 : 0; word == 0; word = bits[w])
        if (++w >= words)
            return false;
    *from = w * 64 + (size_t)__builtin_ctzll(word);
    for (word = ~bits[w] & UINT64_MAX << *from % 64; word == 0; word = ~bits[w])
        if (++w >= words)
            break;
    *to = w >= words ? words * 64 : w * 64 + (size_t)__builtin_ctzll(word);
    return true;
}

size_t
lp_bits_longest(const uint64_t *bits, size_t words)
{
    size_t longest = 0;

    for (size_t from = 0, to; next_run(bits, words, &from, &to); from = to)
        if (to - from > longest)
            longest = to - from;
    return longest;
}

size_t
lp_bits_ranges(const struct lp_band *band, const uint64_t *bits, struct lp_range *out, size_t most)
{
    size_t found = 0;

    for (size_t from = 0, to; next_run(bits, lp_band_words(band), &from, &to); from = to)
        if (found++ < most)
            out[found - 1] = (struct lp_range){lp_band_mhz(band, from), lp_band_mhz(band, to)};
    return found;
}
