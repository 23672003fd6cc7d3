/* Who may join a channel. */
#include <stdio.h>
#include <string.h>

#include "steps/channels.h"
#include "tests/support/test_main.h"

#define A     "10000000-0000-4000-8000-00000000000a"
#define Z     "10000000-0000-4000-8000-00000000000f"
#define OTHER "10000000-0000-4000-8000-000000000009"

static enum lp_code
joins(const char *a, const char *z, unsigned gbps, int64_t spare, bool active, bool *swapped)
{
    struct lp_channel_group group = {.owner = OTHER,
                                     .channels =
                                         json_pack("[{s:i}, {s:i}]", "och_id", 42, "och_id", 43),
                                     .devices = {A, Z},
                                     .capacity_gbps = spare < 0 ? -1 : 300,
                                     .spare_gbps = spare,
                                     .active = active};
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_channels_may_join(&group, a, z, gbps, swapped, &err);

    assert_int_equal(err.code, rc);
    assert_true(rc == LP_OK || strstr(err.msg, "OCh042+OCh043") != NULL);
    lp_err_clear(&err);
    lp_channel_group_free(&group);
    return rc;
}

static void
D20_the_exact_pair_in_either_order(void **state)
{
    bool swapped = true;

    (void)state;
    assert_int_equal(joins(A, Z, 100, 100, true, &swapped), LP_OK);
    assert_false(swapped);
    assert_int_equal(joins(Z, A, 100, 100, true, &swapped), LP_OK);
    assert_true(swapped);
    assert_int_equal(joins(A, OTHER, 100, 100, true, &swapped), LP_INVALID); /* one end is wrong */
    assert_int_equal(joins(OTHER, Z, 100, 100, true, &swapped), LP_INVALID);
    assert_int_equal(joins(Z, OTHER, 100, 100, true, &swapped), LP_INVALID);
    assert_int_equal(joins(A, A, 100, 100, true, &swapped), LP_INVALID);
}

static void
only_what_is_active_and_has_room(void **state)
{
    bool swapped;

    (void)state;
    assert_int_equal(joins(A, Z, 400, 300, true, &swapped), LP_INVALID);
    assert_int_equal(joins(A, Z, 100, 99, true, &swapped), LP_INVALID);
    assert_int_equal(joins(A, Z, 100, -1, true, &swapped), LP_INVALID); /* not known */
    assert_int_equal(joins(A, Z, 100, 300, false, &swapped), LP_INVALID);
}

static const char *
inherits(json_t *services)
{
    struct lp_channel_group group = {.owner = "me", .services = services};
    static char id[8];

    (void)snprintf(id, sizeof id, "%s",
                   lp_json_str(lp_channel_heir(&group), "subscription_id", "nobody"));
    lp_channel_group_free(&group);
    return id;
}

/* Oldest first, as a group lists them. */
static json_t *
riders(const char *second, const char *third)
{
    return json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "subscription_id", "me", "status",
                     "active", "subscription_id", "two", "status", second, "subscription_id",
                     "three", "status", third);
}

static void
D50_the_oldest_active_one_inherits(void **state)
{
    (void)state;
    assert_string_equal(inherits(riders("active", "active")), "two");
    assert_string_equal(inherits(riders("provisioning", "active")), "three");
    assert_string_equal(inherits(riders("initial", "active")), "three");
    assert_string_equal(inherits(riders("initial", "provisioning")), "two"); /* better than dark */
    assert_string_equal(
        inherits(json_pack("[{s:s, s:s}]", "subscription_id", "me", "status", "active")), "nobody");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D20_the_exact_pair_in_either_order),
        cmocka_unit_test(only_what_is_active_and_has_room),
        cmocka_unit_test(D50_the_oldest_active_one_inherits),
    };

    return LP_RUN_TESTS(tests);
}
