/* Leased spectrum: the band around the light, and the end of the contract. */
#include "steps/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "model/products_gen.h"
#include "steps/lifecycle.h"
#include "steps/route_internal.h"
#include "store/claims.h"

static enum lp_code
outside(const char *fiber_id, const struct lp_range *limit, const json_t *claim, struct lp_err *err)
{
    int64_t low = lp_json_int(claim, "low_mhz", 0), high = lp_json_int(claim, "high_mhz", 0);
    const char *whose = lp_json_str(claim, "subscription_id", "");
    enum lp_code rc = lp_fail(
        err, LP_CONFLICT,
        "OPT-023: %" PRId64 "-%" PRId64 " MHz, which %.100s (%.36s) has, is outside %" PRId64
        "..%" PRId64 "; move it first",
        low, high, lp_json_str(claim, "subscription", "?"), whose, limit->low_mhz, limit->high_mhz);

    err->detail =
        json_pack("{s:s, s:s, s:I, s:I, s:s}", "code", "OPT-023", "fiber_id", fiber_id, "low_mhz",
                  (json_int_t)low, "high_mhz", (json_int_t)high, "subscription_id", whose);
    return rc;
}

enum lp_code
lp_lease_holds(struct lp_store *store, struct lp_reader *reader, const char *fiber_id,
               const json_t *root, struct lp_err *err)
{
    json_auto_t *claims = NULL;
    struct lp_range limit;
    const json_t *claim;
    size_t i;
    enum lp_code rc;

    if (!lp_fiber_limit(root, &limit))
        return LP_OK;
    rc = lp_claims_of(store, reader, LP_CLAIMS_BY_FIBER, fiber_id, &claims, err);
    json_array_foreach(claims, i, claim)
    {
        const struct lp_range range = {lp_json_int(claim, "low_mhz", 0),
                                       lp_json_int(claim, "high_mhz", 0)};

        if (rc == LP_OK && !lp_range_holds(&limit, &range))
            rc = outside(fiber_id, &limit, claim, err);
    }
    return rc;
}

/** Days are compared as texts: 2026-11-20. */
static enum lp_code
check_contract(const struct lp_run *run, const json_t *root, struct lp_err *err)
{
    const char *until = lp_json_str(root, LP_F_OPTICAL_FIBER_LEASED_UNTIL, NULL);
    time_t now = (time_t)(lp_clock_utc_us(run->clock) / 1000000);
    char today[16];
    struct tm tm;

    if (until == NULL || gmtime_r(&now, &tm) == NULL
        || strftime(today, sizeof today, "%Y-%m-%d", &tm) == 0 || strcmp(today, until) <= 0)
        return LP_OK;
    return lp_fail(err, LP_DRIFT, "%.120s: its lease ended on %.10s",
                   lp_json_str(root, LP_F_OPTICAL_FIBER_FIBER_NAME, "the fiber"), until);
}

static enum lp_code
check_lease(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    (void)delta;
    return rc == LP_OK ? lp_lease_holds(run->store, NULL, sub->id, sub->root, err) : rc;
}

static enum lp_code
check_validity(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = check_lease(run, state, delta, err);

    if (rc == LP_OK)
        rc = lp_run_target(run, state, &sub, err);
    return rc == LP_OK ? check_contract(run, sub->root, err) : rc;
}

const struct lp_step lp_step_check_lease = {
    .key = "check_lease",
    .title = "Check that all claimed light stays within the leased band",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .run = check_lease,
    .no_undo = "reads only",
};
const struct lp_step lp_step_check_contract = {
    .key = "check_contract",
    .title = "Check band and contract of leased spectrum",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .run = check_validity,
    .no_undo = "reads only",
};
