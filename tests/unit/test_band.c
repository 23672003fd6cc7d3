/* Band plans, passbands, lists of ranges, bitmaps, and which slot is taken of what is free. */
#include "optical/assign.h"
#include "optical/osnr.h"
#include "tests/support/test_main.h"

#define GHZ 1000

static const struct lp_band *c_band;

static void
T1_frequency_on_the_raster(void **state)
{
    int64_t n;

    (void)state;
    assert_int_equal(lp_band_check_frequency(c_band, 193500000), LP_BAND_OK);
    assert_true(lp_grid_n(193500000, &n));
    assert_int_equal(n, 64);
    assert_true(lp_grid_n(193093750, &n));
    assert_int_equal(n, -1);
    assert_int_equal(lp_grid_wavelength_pm(193100000), 1552524);
}

static void
T2_frequency_off_the_raster(void **state)
{
    int64_t n;
    char text[160];

    (void)state;
    assert_int_equal(lp_band_check_frequency(c_band, 193105000), LP_BAND_RASTER);
    assert_false(lp_grid_n(193105000, &n));
    lp_band_explain(c_band, LP_BAND_RASTER, 193105000, 0, text, sizeof(text));
    assert_string_equal(text, "OPT-020: 193105000 MHz is outside 191325000..196125000 or not a "
                              "multiple of 6250");
}

static void
T3_carrier(void **state)
{
    struct lp_range passband;
    int64_t n, m;

    (void)state;
    assert_int_equal(lp_band_check_carrier(c_band, 194062500, 75000, &passband), LP_BAND_OK);
    assert_int_equal(passband.low_mhz, 194025000);
    assert_int_equal(passband.high_mhz, 194100000);
    assert_true(lp_grid_slot(&passband, &n, &m));
    assert_int_equal(n, 154);
    assert_int_equal(m, 6);
    assert_int_equal(n - m, 148);
    assert_int_equal(n + m, 160);
}

static void
T4_width(void **state)
{
    char text[160];

    (void)state;
    assert_int_equal(lp_band_check_width(c_band, 60000), LP_BAND_WIDTH);
    assert_int_equal(lp_band_check_width(c_band, 62500), LP_BAND_OK);
    assert_int_equal(lp_band_check_width(c_band, 25000), LP_BAND_WIDTH);
    assert_int_equal(lp_band_check_width(c_band, -62500), LP_BAND_WIDTH);
    lp_band_explain(c_band, LP_BAND_WIDTH, 60000, 0, text, sizeof(text));
    assert_string_equal(text,
                        "OPT-022: width 60000 MHz must be at least 37500 and a multiple of 12500");
}

static void
T5_low_edge_below_the_band(void **state)
{
    size_t count;
    const struct lp_band *bands = lp_bands(&count);
    struct lp_range passband;

    (void)state;
    assert_int_equal(lp_band_check_carrier(c_band, 191312500, 37500, &passband), LP_BAND_EDGE);
    assert_int_equal(passband.low_mhz, 191293750);
    assert_int_equal(lp_band_check_carrier(lp_band_of("extended C"), 191312500, 37500, &passband),
                     LP_BAND_EDGE);
    for (size_t i = 0; i < count; i++) {
        struct lp_err err = LP_ERR_INIT;
        assert_int_equal(lp_band_check(&bands[i], &err), LP_OK);
    }
}

static void
T6_empty_passband(void **state)
{
    const struct lp_range empty = {193100000, 193100000}, turned = {193200000, 193100000},
                          odd = {193106250, 193200000}, across = {190000000, 192000000};

    (void)state;
    assert_int_equal(lp_band_check_passband(c_band, &empty, 12500), LP_BAND_ORDER);
    assert_int_equal(lp_band_check_passband(c_band, &turned, 12500), LP_BAND_ORDER);
    assert_string_equal(lp_band_rule_code(LP_BAND_ORDER), "OPT-021");
    assert_int_equal(lp_band_check_passband(c_band, &odd, 12500), LP_BAND_RASTER);
    assert_int_equal(lp_band_check_passband(c_band, &odd, 6250), LP_BAND_OK);
    assert_int_equal(lp_band_check_passband(lp_band_of("C+L"), &across, 12500), LP_BAND_EDGE);
}

static void
signal_and_guard(void **state)
{
    struct lp_band guarded = *c_band;
    char text[160];

    (void)state;
    guarded.guard_mhz = 6250;
    assert_int_equal(lp_band_check_signal(c_band, 75000, 75000), LP_BAND_OK);
    assert_int_equal(lp_band_check_signal(&guarded, 75000, 75000), LP_BAND_GUARD);
    assert_int_equal(lp_band_check_signal(&guarded, 62500, 75000), LP_BAND_OK);
    lp_band_explain(&guarded, LP_BAND_GUARD, 75000, 75000, text, sizeof(text));
    assert_string_equal(text, "OPT-024: signal 75000 MHz plus guard does not fit slot 75000 MHz");
    assert_int_equal(lp_carrier_width_mhz(31500000, 200, 0), 50 * GHZ);
    assert_int_equal(lp_carrier_width_mhz(69000000, 150, 0), 87500);
    assert_int_equal(lp_carrier_width_mhz(95600000, 100, 0), 112500);
    assert_int_equal(lp_carrier_width_mhz(63100000, 200, 0), 87500);
}

/* ---- lists ---- */

static void
check_used(const struct lp_range *given, size_t given_count, const struct lp_range *expected,
           size_t count)
{
    const struct lp_range window = lp_band_whole(c_band);
    struct lp_range list[8], out[9];
    size_t found;

    for (size_t i = 0; i < given_count; i++)
        list[i] = given[i];
    found = lp_ranges_invert(&window, list, given_count, out);
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[i].low_mhz, expected[i].low_mhz);
        assert_int_equal(out[i].high_mhz, expected[i].high_mhz);
    }
}

static void
T7_used_of_free(void **state)
{
    const struct lp_range split[] = {{191325000, 193450000}, {193550000, 196125000}},
                          one[] = {{193450000, 193550000}}, whole[] = {{191325000, 196125000}},
                          tiny[] = {{191362500, 191375000}},
                          around[] = {{191325000, 191362500}, {191375000, 196125000}},
                          beyond[] = {{191300000, 191400000}, {196000000, 196137500}},
                          inner[] = {{191400000, 196000000}},
                          turned[] = {{193550000, 196125000}, {191325000, 193450000}};

    (void)state;
    check_used(split, 2, one, 1);
    check_used(whole, 1, NULL, 0);
    check_used(tiny, 1, around, 2);
    check_used(beyond, 2, inner, 1);
    check_used(turned, 2, one, 1);
    check_used(one, 1, split, 2);
}

static void
D27_nothing_free_is_all_used(void **state)
{
    const struct lp_range whole[] = {{191325000, 196125000}};

    (void)state;
    check_used(NULL, 0, whole, 1);
    check_used((const struct lp_range[]){{193000000, 193000000}}, 1, whole, 1);
}

static void
T8_overlap_on_the_left(void **state)
{
    const struct lp_range used[] = {{191325000, 191375000},
                                    {191425000, 191475000},
                                    {191525000, 191575000}},
                          target = {191325000, 191425000};

    (void)state;
    assert_ptr_equal(lp_ranges_overlap(used, 3, &target), &used[0]);
}

static void
T9_touching_is_no_overlap(void **state)
{
    const struct lp_range used[] = {{193450000, 193550000}}, above = {193550000, 193600000},
                          below = {193400000, 193450000}, across = {193537500, 193600000};

    (void)state;
    assert_null(lp_ranges_overlap(used, 1, &above));
    assert_null(lp_ranges_overlap(used, 1, &below));
    assert_ptr_equal(lp_ranges_overlap(used, 1, &across), &used[0]);
    assert_null(lp_ranges_overlap(used, 0, &across));
}

/* A range anywhere around the band, on the raster or not. */
static struct lp_range
random_range(uint64_t *seed)
{
    int64_t low = 191000000 + (int64_t)(lp_test_random(seed) % 900) * 6250,
            width = (int64_t)(lp_test_random(seed) % 30) * 6250;

    if (lp_test_random(seed) % 8 == 0)
        low += 1000;
    return (struct lp_range){low, low + width};
}

static bool
overlaps_any(const struct lp_range *list, size_t count, const struct lp_range *target)
{
    for (size_t i = 0; i < count; i++)
        if (lp_range_overlaps(&list[i], target))
            return true;
    return false;
}

/* The search agrees with looking at every range; used and free are each other's complement. */
static void
D28_overlap_finds_every_conflict(void **state)
{
    uint64_t seed = lp_test_seed(__func__);
    const struct lp_range window = lp_band_whole(c_band);

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct lp_range list[12], free_list[13], again[14];
        size_t count = lp_test_random(&seed) % 12, free_count, again_count;
        for (size_t i = 0; i < count; i++)
            list[i] = random_range(&seed);
        count = lp_ranges_normalize(list, count);
        for (int t = 0; t < 12; t++) {
            struct lp_range target = random_range(&seed);
            if (count > 0 && t % 3 == 0)
                target.high_mhz = list[(size_t)t % count].low_mhz;
            if (count > 0 && t % 3 == 1)
                target.low_mhz = list[(size_t)t % count].high_mhz;
            if (target.low_mhz >= target.high_mhz)
                continue;
            assert_int_equal(lp_ranges_overlap(list, count, &target) != NULL,
                             overlaps_any(list, count, &target));
        }
        free_count = lp_ranges_invert(&window, list, count, free_list);
        for (size_t i = 0; i < free_count; i++)
            assert_false(overlaps_any(list, count, &free_list[i]));
        again_count = lp_ranges_invert(&window, free_list, free_count, again);
        for (size_t i = 0; i < again_count; i++)
            assert_true(overlaps_any(list, count, &again[i]));
    }
}

static void
pieces_that_a_change_needs(void **state)
{
    const struct lp_range held[] = {{193100000, 193200000}}, wider = {193050000, 193250000},
                          shifted = {193150000, 193250000}, inside = {193112500, 193150000};
    struct lp_range out[2];

    (void)state;
    assert_int_equal(lp_range_minus(&wider, held, 1, out), 2);
    assert_int_equal(out[0].high_mhz, 193100000);
    assert_int_equal(out[1].low_mhz, 193200000);
    assert_int_equal(lp_range_minus(&shifted, held, 1, out), 1);
    assert_int_equal(out[0].low_mhz, 193200000);
    assert_int_equal(lp_range_minus(&inside, held, 1, out), 0);
    assert_int_equal(lp_range_minus(&held[0], &shifted, 1, out), 1);
    assert_int_equal(out[0].high_mhz, 193150000);
}

/* ---- bitmaps ---- */

static void
bitmaps_agree_with_ranges(void **state)
{
    uint64_t seed = lp_test_seed(__func__);
    size_t plans;
    const struct lp_band *bands = lp_bands(&plans);

    (void)state;
    for (int round = 0; round < 600; round++) {
        const struct lp_band *band = &bands[(size_t)round % plans];
        uint64_t bits[LP_BAND_MOST_WORDS];
        struct lp_range list[10], window, free_list[40];
        size_t count = lp_test_random(&seed) % 8, found, longest = 0;
        lp_bits_fill(band, bits);
        for (size_t i = 0; i < count; i++) {
            list[i] = random_range(&seed);
            lp_bits_take(band, bits, &list[i]);
        }
        count = lp_ranges_normalize(list, count);
        found = lp_bits_ranges(band, bits, free_list, LP_COUNT(free_list));
        for (size_t i = 0; i < found; i++) {
            size_t units = (size_t)(free_list[i].high_mhz - free_list[i].low_mhz) / 6250;
            longest = units > longest ? units : longest;
            assert_true(lp_bits_free(band, bits, &free_list[i]));
            assert_false(overlaps_any(list, count, &free_list[i]));
        }
        assert_int_equal(lp_bits_longest(bits, lp_band_words(band)), longest);
        window = random_range(&seed);
        if (window.low_mhz < window.high_mhz
            && lp_band_check_passband(band, &window, 6250) == LP_BAND_OK) {
            bool whole_units = true; /* a range off the raster takes its units whole */
            for (size_t i = 0; i < count; i++)
                whole_units = whole_units && list[i].low_mhz % 6250 == 0;
            if (whole_units)
                assert_int_equal(lp_bits_free(band, bits, &window),
                                 !overlaps_any(list, count, &window));
        }
        for (size_t i = 0; i < count; i++)
            lp_bits_give(band, bits,
                         &(struct lp_range){list[i].low_mhz - 6250, list[i].high_mhz + 6250});
        assert_int_equal(lp_bits_ranges(band, bits, free_list, LP_COUNT(free_list)),
                         band->piece_count);
    }
}

/* ---- slots ---- */

static void
first_fit_of_two_sections(void **state)
{
    uint64_t one[LP_BAND_MOST_WORDS], two[LP_BAND_MOST_WORDS];
    struct lp_wanted wanted = {
        .policy = LP_ASSIGN_FIRST, .count = 1, .width_mhz = {75000}, .step_mhz = 6250};
    struct lp_range out[LP_MOST_CARRIERS];
    int64_t n, m;

    (void)state;
    lp_bits_fill(c_band, one);
    lp_bits_fill(c_band, two);
    lp_bits_take(c_band, one, &(struct lp_range){193450000, 193550000});
    lp_bits_take(c_band, two, &(struct lp_range){191325000, 191400000});
    for (size_t w = 0; w < lp_band_words(c_band); w++)
        one[w] &= two[w];
    assert_true(lp_assign(c_band, one, &wanted, out));
    assert_int_equal(out[0].low_mhz, 191400000);
    assert_int_equal(out[0].high_mhz, 191475000);
    assert_true(lp_grid_slot(&out[0], &n, &m));
    assert_int_equal(n, -266);
    assert_int_equal(m, 6);
    wanted.policy = LP_ASSIGN_LAST;
    assert_true(lp_assign(c_band, one, &wanted, out));
    assert_int_equal(out[0].high_mhz, 196125000);
    wanted.policy = LP_ASSIGN_EXACT;
    wanted.exact[0] = (struct lp_range){193400000, 193450000};
    assert_true(lp_assign(c_band, one, &wanted, out));
    wanted.exact[0].high_mhz += 6250;
    assert_false(lp_assign(c_band, one, &wanted, out));
}

/* Better or worse by the rule in the header: where the pair ends, then where its first lies. */
static bool
is_better(enum lp_assign policy, const struct lp_range *a, const struct lp_range *b, size_t count)
{
    int64_t a_end = a[0].high_mhz, b_end = b[0].high_mhz, a_low = a[0].low_mhz,
            b_low = b[0].low_mhz;

    for (size_t i = 1; i < count; i++) {
        a_end = a[i].high_mhz > a_end ? a[i].high_mhz : a_end;
        b_end = b[i].high_mhz > b_end ? b[i].high_mhz : b_end;
        a_low = a[i].low_mhz < a_low ? a[i].low_mhz : a_low;
        b_low = b[i].low_mhz < b_low ? b[i].low_mhz : b_low;
    }
    if (policy == LP_ASSIGN_FIRST && a_end != b_end)
        return a_end < b_end;
    if (policy == LP_ASSIGN_LAST && a_low != b_low)
        return a_low > b_low;
    for (size_t i = 0; i < count; i++)
        if (a[i].low_mhz != b[i].low_mhz)
            return (a[i].low_mhz < b[i].low_mhz) == (policy == LP_ASSIGN_FIRST);
    return false;
}

/* Slots by trying them all on lists of ranges. */
static bool
brute_force(const uint64_t *bits, const struct lp_wanted *wanted, struct lp_range *best)
{
    struct lp_range try[2];
    bool found = false;
    int64_t low = 191325000, high = low + 64 * 6250;

    for (try[0].low_mhz = low; try[0].low_mhz < high; try[0].low_mhz += 6250) {
        try[0].high_mhz = try[0].low_mhz + wanted->width_mhz[0];
        if (try[0].low_mhz % wanted->step_mhz != 0 || !lp_bits_free(c_band, bits, &try[0]))
            continue;
        for (try[1].low_mhz = low; try[1].low_mhz < high; try[1].low_mhz += 6250) {
            try[1].high_mhz = try[1].low_mhz + wanted->width_mhz[1];
            if (wanted->count == 2
                && (try[1].low_mhz % wanted->step_mhz != 0 || !lp_bits_free(c_band, bits, &try[1])
                    || lp_range_overlaps(&try[0], &try[1])))
                continue;
            if (!found || is_better(wanted->policy, try, best, wanted->count)) {
                best[0] = try[0];
                best[1] = try[1];
            }
            found = true;
            if (wanted->count == 1)
                break;
        }
    }
    return found;
}

static void
slots_equal_trying_them_all(void **state)
{
    uint64_t seed = lp_test_seed(__func__);

    (void)state;
    for (int round = 0; round < 1500; round++) {
        uint64_t bits[LP_BAND_MOST_WORDS] = {0};
        struct lp_wanted wanted = {.policy = round % 2 == 0 ? LP_ASSIGN_FIRST : LP_ASSIGN_LAST,
                                   .count = 1 + (size_t)round / 2 % 2,
                                   .step_mhz = round % 3 == 0 ? 12500 : 6250};
        struct lp_range out[2], best[2];
        bits[0] = lp_test_random(&seed) | lp_test_random(&seed) | lp_test_random(&seed);
        if (round % 5 == 0)
            bits[0] &= lp_test_random(&seed) | lp_test_random(&seed);
        for (size_t i = 0; i < 2; i++)
            wanted.width_mhz[i] = 12500 * (int64_t)(1 + lp_test_random(&seed) % 4);
        if (!brute_force(bits, &wanted, best)) {
            assert_false(lp_assign(c_band, bits, &wanted, out));
            continue;
        }
        assert_true(lp_assign(c_band, bits, &wanted, out));
        for (size_t i = 0; i < wanted.count; i++)
            assert_int_equal(out[i].low_mhz, best[i].low_mhz);
    }
}

/* ---- OSNR ---- */

static void
osnr_of_equal_spans(void **state)
{
    const struct lp_osnr_rules *rules = &lp_osnr_defaults;
    uint64_t noise = lp_noise_of_span(rules, 2200);
    uint64_t allowed;

    (void)state;
    assert_int_equal(lp_osnr_cdb(noise), 3150);
    assert_int_equal(lp_osnr_cdb(10 * noise), 2150);
    assert_int_equal(lp_osnr_cdb(0), INT32_MAX);
    assert_int_equal(lp_osnr_margin_cdb(rules, 10 * noise, 1800), 50);
    assert_int_equal(lp_osnr_margin_cdb(rules, 10 * noise, 1900), -50);
    allowed = lp_noise_allowed(rules, 1800);
    assert_true(lp_osnr_margin_cdb(rules, allowed, 1800) >= 0);
    assert_true(lp_osnr_margin_cdb(rules, allowed + 1, 1800) < 0);
    assert_true(lp_noise_of_span(rules, 10000) > lp_noise_of_span(rules, 9999));
    assert_int_equal(lp_osnr_guess_loss_cdb(rules, 80000), 1760);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T1_frequency_on_the_raster),
        cmocka_unit_test(T2_frequency_off_the_raster),
        cmocka_unit_test(T3_carrier),
        cmocka_unit_test(T4_width),
        cmocka_unit_test(T5_low_edge_below_the_band),
        cmocka_unit_test(T6_empty_passband),
        cmocka_unit_test(signal_and_guard),
        cmocka_unit_test(T7_used_of_free),
        cmocka_unit_test(D27_nothing_free_is_all_used),
        cmocka_unit_test(T8_overlap_on_the_left),
        cmocka_unit_test(T9_touching_is_no_overlap),
        cmocka_unit_test(D28_overlap_finds_every_conflict),
        cmocka_unit_test(pieces_that_a_change_needs),
        cmocka_unit_test(bitmaps_agree_with_ranges),
        cmocka_unit_test(first_fit_of_two_sections),
        cmocka_unit_test(slots_equal_trying_them_all),
        cmocka_unit_test(osnr_of_equal_spans),
    };

    c_band = lp_band_of("C");
    return LP_RUN_TESTS(tests);
}
