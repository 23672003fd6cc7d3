/* Which slot to take of what is free. */
#include "optical/assign.h"

#include "optical/assign_internal.h"

const char *
lp_assign_name(enum lp_assign policy)
{
    static const char *const names[] = {"first-fit", "last-fit", "exact"};

    return names[policy];
}

static size_t
first_from(const uint64_t *bits, size_t words, size_t from)
{
    size_t w = from / 64;
    uint64_t word = w < words ? bits[w] & UINT64_MAX << from % 64 : 0;

    while (word == 0) {
        if (++w >= words)
            return LP_NO_UNIT;
        word = bits[w];
    }
    return w * 64 + (size_t)__builtin_ctzll(word);
}

/* The highest set bit below `below`. */
static size_t
last_below(const uint64_t *bits, size_t words, size_t below)
{
    size_t w = words;

    if (below < words * 64) {
        w = below / 64;
        if (below % 64 != 0 && (bits[w] & ((UINT64_C(1) << below % 64) - 1)) != 0)
            return w * 64 + 63
                   - (size_t)__builtin_clzll(bits[w] & ((UINT64_C(1) << below % 64) - 1));
    }
    while (w-- > 0)
        if (bits[w] != 0)
            return w * 64 + 63 - (size_t)__builtin_clzll(bits[w]);
    return LP_NO_UNIT;
}

/* One slot as low as it gets, the other as low as it gets above it; where the higher one ends. */
static size_t
stack_up(const uint64_t *low, size_t low_units, const uint64_t *high, size_t high_units,
         size_t words, size_t at[2])
{
    at[0] = first_from(low, words, 0);
    at[1] = at[0] == LP_NO_UNIT ? LP_NO_UNIT : first_from(high, words, at[0] + low_units);
    return at[1] == LP_NO_UNIT ? LP_NO_UNIT : at[1] + high_units;
}

static bool
pair_first(const struct lp_starts *starts, size_t words, size_t at[2])
{
    size_t plain[2], swapped[2];
    size_t plain_end = stack_up(starts->bits[0], starts->units[0], starts->bits[1],
                                starts->units[1], words, plain);
    size_t swapped_end = stack_up(starts->bits[1], starts->units[1], starts->bits[0],
                                  starts->units[0], words, swapped);
    bool swap = swapped_end < plain_end;

    at[0] = swap ? swapped[1] : plain[0];
    at[1] = swap ? swapped[0] : plain[1];
    return plain_end != LP_NO_UNIT || swapped_end != LP_NO_UNIT;
}

/* The mirror image: one slot as high as it gets, the other below it; where the lower one begins. */
static bool
hang_down(const uint64_t *high, const uint64_t *low, size_t low_units, size_t words, size_t at[2])
{
    at[0] = last_below(high, words, words * 64);
    if (at[0] == LP_NO_UNIT || at[0] < low_units)
        return false;
    at[1] = last_below(low, words, at[0] - low_units + 1);
    return at[1] != LP_NO_UNIT;
}

static bool
pair_last(const struct lp_starts *starts, size_t words, size_t at[2])
{
    size_t plain[2] = {0}, swapped[2] = {0}; /* plain: the first carrier on top */
    bool has_plain = hang_down(starts->bits[0], starts->bits[1], starts->units[1], words, plain);
    bool has_swapped =
        hang_down(starts->bits[1], starts->bits[0], starts->units[0], words, swapped);

    if (has_plain && (!has_swapped || plain[1] >= swapped[1])) {
        at[0] = plain[0];
        at[1] = plain[1];
    } else if (has_swapped) {
        at[0] = swapped[1];
        at[1] = swapped[0];
    }
    return has_plain || has_swapped;
}

bool
lp_starts_pick(const struct lp_starts *starts, size_t words, enum lp_assign policy,
               size_t at[LP_MOST_CARRIERS])
{
    if (starts->count == 2)
        return policy == LP_ASSIGN_LAST ? pair_last(starts, words, at)
                                        : pair_first(starts, words, at);
    at[0] = policy == LP_ASSIGN_LAST ? last_below(starts->bits[0], words, words * 64)
                                     : first_from(starts->bits[0], words, 0);
    return at[0] != LP_NO_UNIT;
}

void
lp_starts_align(const struct lp_band *band, int64_t step_mhz, uint64_t *mask)
{
    size_t words = lp_band_words(band);

    for (size_t w = 0; w < words; w++) {
        mask[w] = 0;
        for (size_t bit = 0; bit < 64; bit++)
            if (step_mhz <= LP_GRID_RASTER_MHZ || lp_band_mhz(band, w * 64 + bit) % step_mhz == 0)
                mask[w] |= UINT64_C(1) << bit;
    }
}

static bool
assign_exact(const struct lp_band *band, const uint64_t *bits, const struct lp_wanted *wanted,
             struct lp_range *out)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!lp_bits_free(band, bits, &wanted->exact[i])
            || (i > 0 && lp_range_overlaps(&wanted->exact[0], &wanted->exact[i])))
            return false;
        out[i] = wanted->exact[i];
    }
    return true;
}

bool
lp_assign(const struct lp_band *band, const uint64_t *bits, const struct lp_wanted *wanted,
          struct lp_range *out)
{
    size_t words = lp_band_words(band), at[LP_MOST_CARRIERS];
    uint64_t align[LP_BAND_MOST_WORDS], masks[LP_MOST_CARRIERS][LP_BAND_MOST_WORDS];
    struct lp_starts starts = {.count = wanted->count};

    if (wanted->policy == LP_ASSIGN_EXACT)
        return assign_exact(band, bits, wanted, out);
    lp_starts_align(band, wanted->step_mhz, align);
    for (size_t i = 0; i < wanted->count; i++) {
        starts.units[i] = (size_t)(wanted->width_mhz[i] / LP_GRID_RASTER_MHZ);
        starts.bits[i] = masks[i];
        lp_bits_starts(bits, words, starts.units[i], masks[i]);
        for (size_t w = 0; w < words; w++)
            masks[i][w] &= align[w];
    }
    if (!lp_starts_pick(&starts, words, wanted->policy, at))
        return false;
    for (size_t i = 0; i < wanted->count; i++) {
        out[i].low_mhz = lp_band_mhz(band, at[i]);
        out[i].high_mhz = out[i].low_mhz + wanted->width_mhz[i];
    }
    return true;
}
