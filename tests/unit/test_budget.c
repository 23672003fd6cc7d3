/* Loss budget of fibers: worked examples, limits, distances. */
#include "optical/budget.h"
#include "tests/support/test_main.h"

static void
T22_worked_example(void **state)
{
    const struct lp_segment segments[] = {
        {lp_fiber_type_of("G.652.D"), 60000, 22, -1},
        {lp_fiber_type_of("G.655.C"), 20000, 25, -1},
    };
    const struct lp_span span = {segments, 2, -1, 0};
    struct lp_budget budget;

    (void)state;
    lp_budget_compute(&lp_budget_defaults, &span, &budget);
    assert_int_equal(budget.length_m, 80000);
    assert_int_equal(budget.fiber_cdb, 1820);
    assert_int_equal(budget.splices, 19);
    assert_int_equal(budget.expected_cdb, 2015);
    assert_int_equal(budget.budget_cdb, 2265);
    assert_int_equal(budget.dispersion_ps_nm, 1110);
    assert_in_range(budget.latency_ns, 391000, 392000);
    assert_int_equal(lp_margin_state((int32_t)budget.budget_cdb - 2140), LP_MARGIN_OK);
    assert_int_equal(lp_margin_state((int32_t)budget.budget_cdb - 2200), LP_MARGIN_WARN);
    assert_int_equal(lp_margin_state((int32_t)budget.budget_cdb - 2300), LP_MARGIN_VIOLATED);
    assert_false(lp_loss_is_plausible(&budget, 1637));
    assert_true(lp_loss_is_plausible(&budget, 1638));
}

static void
what_is_given_counts(void **state)
{
    const struct lp_segment segment = {lp_fiber_type_of("G.652.D"), 4001, 0, -1};
    const struct lp_segment spliced = {lp_fiber_type_of("G.652.D"), 4001, 0, 0};
    const struct lp_span plain = {&segment, 1, -1, 0}, given = {&spliced, 1, 0, 300},
                         nothing = {NULL, 0, -1, 0};
    struct lp_budget budget;

    (void)state;
    lp_budget_compute(&lp_budget_defaults, &plain, &budget);
    assert_int_equal(budget.expected_cdb, 80 + 5 + 100);
    lp_budget_compute(&lp_budget_defaults, &given, &budget);
    assert_int_equal(budget.expected_cdb, 80 + 300);
    lp_budget_compute(&lp_budget_defaults, &nothing, &budget);
    assert_int_equal(budget.expected_cdb, 100);
    assert_int_equal(budget.budget_cdb, 150);
    assert_int_equal(budget.latency_ns, 0);
}

static void
longest_span_fits(void **state)
{
    struct lp_segment segments[16];
    const struct lp_span span = {segments, 16, 32, 10000};
    struct lp_budget budget;

    (void)state;
    for (size_t i = 0; i < 16; i++)
        segments[i] = (struct lp_segment){lp_fiber_type_of("G.654.E"), 200000, 500, 1000};
    lp_budget_compute(&lp_budget_defaults, &span, &budget);
    assert_int_equal(budget.length_m, 3200000);
    assert_int_equal(budget.fiber_cdb, 1600000);
    assert_int_equal(budget.splices, 16015);
    assert_int_equal(budget.dispersion_ps_nm, 67200);
}

static void
types_have_values(void **state)
{
    size_t count;
    const struct lp_fiber_type *types = lp_fiber_types(&count);

    (void)state;
    assert_int_equal(count, 20);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(lp_fiber_type_of(types[i].name), &types[i]);
        assert_true(types[i].multimode == (types[i].typical_cdb == 0));
        assert_true(types[i].typical_cdb <= types[i].most_cdb);
    }
    assert_null(lp_fiber_type_of("G.652"));
}

static void
T21_distances(void **state)
{
    (void)state; /* Rome to Naples, Bologna, Milan */
    assert_in_range(lp_great_circle_m(41902800, 12496400, 40851800, 14268100), 188300, 188500);
    assert_in_range(lp_great_circle_m(41902800, 12496400, 44494900, 11342600), 302000, 304000);
    assert_int_equal(lp_great_circle_m(1, 1, 1, 1), 0);
    assert_in_range(lp_great_circle_m(0, 0, 0, 180000000), 20015000, 20015200);
    assert_in_range(lp_great_circle_m(0, -179500000, 0, 179500000), 111100, 111300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T22_worked_example), cmocka_unit_test(what_is_given_counts),
        cmocka_unit_test(longest_span_fits),  cmocka_unit_test(types_have_values),
        cmocka_unit_test(T21_distances),
    };
    return LP_RUN_TESTS(tests);
}
