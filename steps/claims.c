/* Claims of light as steps: before anything is planned, after everything works, at the end. */
#include "steps/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "clients/driver.h"
#include "model/products_gen.h"
#include "steps/devices.h"
#include "steps/lifecycle.h"
#include "steps/route_internal.h"

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for claims");
}

static struct lp_route_source
source_of(const struct lp_run *run)
{
    return (struct lp_route_source){.store = run->store, .conf = run->conf, .clock = run->clock};
}

/* ---- pieces of a route ---- */

static void
add_pieces(const json_t *fibers, int64_t low, int64_t high, struct lp_piece *out, size_t *count)
{
    const json_t *fiber;
    size_t i;

    json_array_foreach(fibers, i, fiber)
    {
        struct lp_piece *piece = &out[(*count)++];

        *piece = (struct lp_piece){.low_mhz = low, .high_mhz = high};
        (void)snprintf(piece->fiber_id, sizeof piece->fiber_id, "%s",
                       json_is_string(fiber) ? json_string_value(fiber) : "");
    }
}

enum lp_code
lp_route_pieces(const json_t *route, int64_t low_mhz, int64_t high_mhz, struct lp_piece **pieces,
                size_t *count, struct lp_err *err)
{
    const json_t *fibers = json_object_get(route, "fibers");
    const json_t *patches = json_object_get(route, "patches");

    *count = 0;
    *pieces = calloc(json_array_size(fibers) + json_array_size(patches) + 1, sizeof **pieces);
    if (*pieces == NULL)
        return no_memory(err);
    add_pieces(fibers, low_mhz, high_mhz, *pieces, count);
    add_pieces(patches, low_mhz, high_mhz, *pieces, count);
    return LP_OK;
}

/* ---- one request ---- */

static bool is_claimed(const json_t *claims, const char *holder, const char *fiber, int64_t low,
                       int64_t high);

struct claiming {
    struct lp_run *run;
    struct lp_route_source source;
    const struct lp_claimant *claimant;
    const json_t *wish, *route;
    struct lp_piece *pieces;
    size_t count;
    int64_t low, high; /* what is to be claimed */
};

/** What people call a fiber. */
static enum lp_code
name_of(const struct claiming *c, const char *fiber, char *out, size_t size, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_route_query(&c->source, LP_SQL_ROUTE_FIBER, LP_ARGS(lp_text("id", fiber)), &rows, err);

    (void)snprintf(out, size, "%s",
                   rc == LP_OK && lp_rows_count(rows) > 0 ? lp_rows_text(rows, 0, "description")
                                                          : fiber);
    lp_rows_free(rows);
    return rc;
}

/** OPT-031; as_of as of lp_fiber_observed. */
static enum lp_code
check_age(const struct claiming *c, const char *fiber, int64_t as_of, struct lp_err *err)
{
    int64_t most = lp_conf_live_int(&c->run->conf->spectrum_max_age_s) * 1000000;
    int64_t age = lp_clock_utc_us(c->run->clock) - as_of;
    char since[48] = "was never read", name[200];
    enum lp_code rc;

    if (as_of == 0 || most == 0 || age <= most || lp_json_true(c->wish, "unknown_light"))
        return LP_OK;
    rc = name_of(c, fiber, name, sizeof name, err);
    if (rc != LP_OK)
        return rc;
    if (as_of != LP_SEEN_NEVER)
        (void)snprintf(since, sizeof since, "is %" PRId64 " h old", age / INT64_C(3600000000));
    rc = lp_fail(err, LP_PRECONDITION, "occupancy of fiber %s %s; refresh before planning", name,
                 since);
    err->detail = json_pack("{s:s, s:s, s:o}", "code", "OPT-031", "fiber_id", fiber, "age_us",
                            as_of == LP_SEEN_NEVER ? json_null() : json_integer((json_int_t)age));
    return rc;
}

/** Has its holder all of it already? Then nobody is asked for it: neither the claims of others nor
 * how old a reading is count against what is one's own. */
static bool
has_it(const struct claiming *c, const char *fiber, const json_t *claims)
{
    return is_claimed(claims, c->claimant->holder, fiber, c->low, c->high);
}

/** Light on a fiber that no claim explains, without what is to be taken over. */
static enum lp_code
foreign_light(const struct claiming *c, const char *fiber, const json_t *claims,
              struct lp_range_list *out, struct lp_err *err)
{
    struct lp_range_list light = {.rows = NULL}, known = {.rows = NULL};
    json_auto_t *observed = NULL;
    const json_t *item;
    int64_t as_of = 0;
    size_t i;
    enum lp_code rc = lp_fiber_observed(&c->source, fiber, &observed, &as_of, err);

    if (rc == LP_OK)
        rc = check_age(c, fiber, as_of, err);
    json_array_foreach(observed, i, item)
    {
        struct lp_range range = {lp_json_int(item, "low_mhz", 0), lp_json_int(item, "high_mhz", 0)};
        if (rc == LP_OK && !lp_wish_adopts(c->wish, &range))
            rc = lp_range_list_add(&light, range.low_mhz, range.high_mhz, err);
    }
    json_array_foreach(claims, i, item)
    {
        if (rc == LP_OK)
            rc = lp_range_list_add(&known, lp_json_int(item, "low_mhz", 0),
                                   lp_json_int(item, "high_mhz", 0), err);
    }
    if (rc == LP_OK)
        rc = lp_range_list_minus(&light, &known, out, err);
    free(light.rows);
    free(known.rows);
    return rc;
}

/** Its own light counts as free where the wish says so: not for what shall run beside it. */
static bool
is_changed(const struct claiming *c, const char *holder)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(c->wish, "own"), i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), holder) == 0)
            return strcmp(holder, c->claimant->holder) == 0;
    }
    return false;
}

/** What stands in the way on one fiber: foreign light, and with `all` what is claimed and is not
 * being changed. */
static enum lp_code
in_the_way(const struct claiming *c, const char *fiber, bool all, struct lp_range_list *out,
           struct lp_err *err)
{
    json_auto_t *claims = NULL;
    const json_t *claim;
    size_t i;
    enum lp_code rc = lp_claims_of_others(c->run->txn, fiber, NULL, &claims, err);

    if (rc == LP_OK && !all && has_it(c, fiber, claims))
        return LP_OK;
    if (rc == LP_OK)
        rc = foreign_light(c, fiber, claims, out, err);
    json_array_foreach(claims, i, claim)
    {
        if (rc == LP_OK && all && !is_changed(c, lp_json_str(claim, "holder", "")))
            rc = lp_range_list_add(out, lp_json_int(claim, "low_mhz", 0),
                                   lp_json_int(claim, "high_mhz", 0), err);
    }
    out->count = lp_ranges_normalize(out->rows, out->count);
    return rc;
}

static enum lp_code
foreign_conflict(const struct claiming *c, const char *fiber, const struct lp_range *light,
                 struct lp_err *err)
{
    char name[200];
    enum lp_code rc = name_of(c, fiber, name, sizeof name, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_fail(err, LP_CONFLICT,
                 "%" PRId64 "-%" PRId64 " overlaps %" PRId64 "-%" PRId64
                 " of light that no claim explains on fiber %s",
                 c->low, c->high, light->low_mhz, light->high_mhz, name);

    err->detail =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "code", "OPT-023", "fiber_id", fiber, "low_mhz",
                  (json_int_t)c->low, "high_mhz", (json_int_t)c->high, "held_low_mhz",
                  (json_int_t)light->low_mhz, "held_high_mhz", (json_int_t)light->high_mhz);
    return rc;
}

/** What of a fiber may be used. False: all of it. */
static bool
limit_of(const struct claiming *c, const char *fiber, struct lp_range *limit, enum lp_code *rc,
         struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL;
    const char *text;

    *rc = lp_route_query(&c->source, LP_SQL_ROUTE_BLOCK, LP_ARGS(lp_text("id", fiber)), &rows, err);
    if (*rc == LP_OK && lp_rows_count(rows) == 1) {
        text = lp_rows_text(rows, 0, "doc");
        *rc = lp_json_load(text, strlen(text), &doc, err);
    }
    lp_rows_free(rows);
    return *rc == LP_OK && lp_fiber_limit(doc, limit);
}

/** OPT-020: beyond the edges of leased spectrum. */
static enum lp_code
check_limit(const struct claiming *c, const char *fiber, struct lp_err *err)
{
    const struct lp_range wanted = {c->low, c->high};
    struct lp_range limit;
    char name[200];
    enum lp_code rc;

    if (!limit_of(c, fiber, &limit, &rc, err) || lp_range_holds(&limit, &wanted))
        return rc;
    rc = name_of(c, fiber, name, sizeof name, err);
    if (rc != LP_OK)
        return rc;
    rc = lp_fail(err, LP_CONFLICT,
                 "%" PRId64 "-%" PRId64 " MHz is outside %" PRId64 "..%" PRId64
                 ", the spectrum leased with %s",
                 c->low, c->high, limit.low_mhz, limit.high_mhz, name);
    err->detail = json_pack("{s:s, s:s, s:I, s:I}", "code", "OPT-020", "fiber_id", fiber, "low_mhz",
                            (json_int_t)limit.low_mhz, "high_mhz", (json_int_t)limit.high_mhz);
    return rc;
}

static enum lp_code
check_foreign(const struct claiming *c, struct lp_err *err)
{
    const struct lp_range wanted = {c->low, c->high};
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < c->count; i++) {
        struct lp_range_list light = {.rows = NULL};
        const struct lp_range *hit;

        rc = check_limit(c, c->pieces[i].fiber_id, err);
        if (rc != LP_OK)
            break;
        rc = in_the_way(c, c->pieces[i].fiber_id, false, &light, err);
        hit = rc == LP_OK ? lp_ranges_overlap(light.rows, light.count, &wanted) : NULL;
        if (hit != NULL)
            rc = foreign_conflict(c, c->pieces[i].fiber_id, hit, err);
        free(light.rows);
    }
    return rc;
}

/* ---- choosing a passband ---- */

static enum lp_code
free_bits(const struct claiming *c, const struct lp_band *band, uint64_t *bits, struct lp_err *err)
{
    const struct lp_range whole = lp_band_whole(band);
    struct lp_range limit;
    enum lp_code rc = LP_OK;

    lp_bits_fill(band, bits);
    for (size_t i = 0; rc == LP_OK && i < c->count; i++) {
        struct lp_range_list taken = {.rows = NULL};

        rc = in_the_way(c, c->pieces[i].fiber_id, true, &taken, err);
        if (rc == LP_OK && limit_of(c, c->pieces[i].fiber_id, &limit, &rc, err)) {
            lp_bits_take(band, bits, &(struct lp_range){whole.low_mhz, limit.low_mhz});
            lp_bits_take(band, bits, &(struct lp_range){limit.high_mhz, whole.high_mhz});
        }
        for (size_t k = 0; rc == LP_OK && k < taken.count; k++)
            lp_bits_take(band, bits, &taken.rows[k]);
        free(taken.rows);
    }
    return rc;
}

/** What the operator was shown, when it is still free. */
static bool
shown(const struct claiming *c, const struct lp_band *band, const uint64_t *bits, int64_t width,
      struct lp_range *out)
{
    const json_t *first = json_object_get(c->route, "first_free");

    *out = (struct lp_range){lp_json_int(first, "low_mhz", 0), lp_json_int(first, "high_mhz", 0)};
    return out->high_mhz - out->low_mhz == width && lp_bits_free(band, bits, out);
}

static enum lp_code
choose(struct claiming *c, int64_t width, struct lp_err *err)
{
    const struct lp_band *band = lp_route_band(c->run->conf);
    uint64_t bits[LP_BAND_MOST_WORDS] = {0};
    const char *policy = lp_json_str(c->wish, "policy", "first-fit");
    struct lp_wanted wanted = {.policy = strcmp(policy, lp_assign_name(LP_ASSIGN_LAST)) == 0
                                             ? LP_ASSIGN_LAST
                                             : LP_ASSIGN_FIRST,
                               .count = 1,
                               .width_mhz = {width},
                               .step_mhz = lp_json_int(c->wish, "step_mhz", LP_GRID_RASTER_MHZ)};
    struct lp_range slot[LP_MOST_CARRIERS];
    enum lp_code rc = free_bits(c, band, bits, err);

    if (rc == LP_OK && !shown(c, band, bits, width, &slot[0])
        && !lp_assign(band, bits, &wanted, slot)) {
        rc = lp_fail(err, LP_CONFLICT,
                     "no %" PRId64 " MHz in a row are free on the whole route any more", width);
        err->detail = json_pack("{s:s, s:I}", "code", "OPT-023", "width_mhz", (json_int_t)width);
    }
    c->low = slot[0].low_mhz;
    c->high = slot[0].high_mhz;
    return rc;
}

/* ---- the claim ---- */

/** The route that was chosen, as long as it stands; else the best there is. */
static enum lp_code
route_of(struct claiming *c, const json_t *request, json_t **route, struct lp_err *err)
{
    const json_t *chosen = json_object_get(request, "route");
    json_auto_t *found = NULL;
    const json_t *problem;
    enum lp_code rc;

    if (json_is_object(chosen)) {
        *route = json_deep_copy(chosen);
        return *route == NULL ? no_memory(err) : lp_route_stands(&c->source, chosen, err);
    }
    rc = lp_routes_find(&c->source, c->wish, &found, err);
    if (rc != LP_OK)
        return rc;
    *route = json_incref(json_array_get(json_object_get(found, "routes"), 0));
    if (*route != NULL)
        return LP_OK;
    problem = json_object_get(found, "problem");
    rc = lp_fail(err, LP_CONFLICT, "%s", lp_json_str(problem, "message", "no route"));
    err->detail = json_pack("{s:s}", "code", lp_json_str(problem, "code", "OPT-030"));
    return rc;
}

static enum lp_code
claim_pieces(struct claiming *c, struct lp_err *err)
{
    int64_t width = lp_json_int(c->wish, "width_mhz", 0);
    enum lp_code rc;

    c->low = lp_json_int(c->wish, "low_mhz", 0);
    c->high = lp_json_int(c->wish, "high_mhz", 0);
    if (c->low >= c->high && width <= 0)
        return lp_fail(err, LP_INVALID, "neither a passband nor a width is asked for");
    rc = lp_route_pieces(c->route, 0, 1, &c->pieces, &c->count, err);
    if (rc == LP_OK)
        rc = lp_claims_lock(c->run->txn, c->pieces, c->count, err);
    if (rc == LP_OK)
        rc = c->low < c->high ? check_foreign(c, err) : choose(c, width, err);
    for (size_t i = 0; i < c->count; i++) {
        c->pieces[i].low_mhz = c->low;
        c->pieces[i].high_mhz = c->high;
    }
    if (rc == LP_OK)
        rc = lp_claims_take(c->run->txn, c->claimant, c->pieces, c->count,
                            lp_clock_utc_us(c->run->clock), NULL, err);
    free(c->pieces);
    return rc;
}

enum lp_code
lp_spectrum_claim(struct lp_run *run, const struct lp_claimant *claimant, const json_t *request,
                  json_t **grant, struct lp_err *err)
{
    struct claiming c = {.run = run,
                         .source = source_of(run),
                         .claimant = claimant,
                         .wish = json_object_get(request, "wish")};
    json_auto_t *route = NULL;
    enum lp_code rc;

    if (run->txn == NULL || !json_is_object(c.wish))
        return lp_fail(err, LP_INTERNAL, "light is claimed in a transaction, by a wish");
    rc = route_of(&c, request, &route, err);
    c.route = route;
    if (rc == LP_OK)
        rc = claim_pieces(&c, err);
    if (rc != LP_OK)
        return rc;
    *grant = json_pack("{s:I, s:s, s:I, s:I, s:O}", "slot", (json_int_t)claimant->slot, "holder",
                       claimant->holder, "low_mhz", (json_int_t)c.low, "high_mhz",
                       (json_int_t)c.high, "route", route);
    return *grant == NULL ? no_memory(err) : LP_OK;
}

/* ---- claim_spectrum ---- */

/** The block at a path of members and positions, or NULL. */
static json_t *
block_at(json_t *root, const json_t *path)
{
    const json_t *part;
    json_t *at = root;
    size_t i;

    json_array_foreach(path, i, part)
    {
        at = json_is_string(part) ? json_object_get(at, json_string_value(part))
                                  : json_array_get(at, (size_t)json_integer_value(part));
    }
    return at;
}

/** Documents refer to blocks: the fibers of a route are named by their subscriptions. */
static enum lp_code
fiber_blocks(struct lp_run *run, const json_t *fibers, json_t *out, struct lp_err *err)
{
    const json_t *fiber;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(fibers, i, fiber)
    {
        struct lp_rows *rows = NULL;

        if (rc == LP_OK)
            rc = lp_query(run->store, LP_SQL_ROUTE_BLOCK,
                          LP_ARGS(lp_text("id", json_string_value(fiber))), &rows, err);
        if (rc == LP_OK && lp_rows_count(rows) != 1)
            rc = lp_fail(err, LP_CONFLICT, "fiber %.36s of the route is gone",
                         json_string_value(fiber));
        if (rc == LP_OK
            && json_array_append_new(out, json_string(lp_rows_text(rows, 0, "instance_id"))) != 0)
            rc = no_memory(err);
        lp_rows_free(rows);
    }
    return rc;
}

static enum lp_code
write_block(struct lp_run *run, json_t *block, const json_t *grant, struct lp_err *err)
{
    const json_t *route = json_object_get(grant, "route");
    json_auto_t *fibers = json_array();
    enum lp_code rc = fiber_blocks(run, json_object_get(route, "fibers"), fibers, err);
    int bad =
        lp_json_set_int(block, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, lp_json_int(grant, "low_mhz", 0));

    bad |=
        lp_json_set_int(block, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, lp_json_int(grant, "high_mhz", 0));
    bad |= json_object_set_new(block, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS,
                               json_deep_copy(json_object_get(route, "ports")));
    bad |= json_object_set(block, LP_F_OPTICAL_SPECTRUM_ROUTE_FIBERS, fibers);
    bad |= lp_json_set_str(block, LP_F_OPTICAL_SPECTRUM_RESERVATION, "reserved");
    return rc != LP_OK ? rc : bad ? no_memory(err) : LP_OK;
}

static enum lp_code
claim_one(struct lp_run *run, const struct lp_subscription *sub, const json_t *request,
          json_t *root, json_t *grants, struct lp_err *err)
{
    json_t *block = block_at(root, json_object_get(request, "block"));
    const char *holder = lp_json_str(block, "subscription_instance_id", NULL);
    const struct lp_claimant claimant = {.holder = holder,
                                         .subscription_id = sub->id,
                                         .process_id = run->process_id,
                                         .slot = lp_json_int(request, "slot", 0)};
    json_t *grant = NULL;
    enum lp_code rc;

    if (holder == NULL)
        return lp_fail(err, LP_INVALID, "%.120s has no such optical spectrum", sub->description);
    rc = lp_spectrum_claim(run, &claimant, request, &grant, err);
    if (rc == LP_OK)
        rc = write_block(run, block, grant, err);
    if (rc == LP_OK && json_object_set(grant, "block", json_object_get(request, "block")) != 0)
        rc = no_memory(err);
    if (rc == LP_OK)
        return json_array_append_new(grants, grant) == 0 ? LP_OK : no_memory(err);
    json_decref(grant);
    return rc;
}

static enum lp_code
claim(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *requests = json_object_get(state, "spectrum_requests"), *request;
    json_auto_t *grants = json_array(), *root = NULL;
    struct lp_subscription *sub = NULL;
    enum lp_code rc;
    size_t i;

    if (json_array_size(requests) == 0)
        return LP_OK;
    rc = lp_run_target(run, state, &sub, err);
    if (rc == LP_OK && (root = json_deep_copy(sub->root)) == NULL)
        rc = no_memory(err);
    json_array_foreach(requests, i, request)
    {
        if (rc == LP_OK)
            rc = claim_one(run, sub, request, root, grants, err);
    }
    if (rc == LP_OK && !lp_json_same(root, sub->root))
        rc = lp_take_root(run, sub, lp_json_take(&root), delta, err);
    if (rc == LP_OK && json_object_set(delta, "spectrum_grants", grants) != 0)
        rc = no_memory(err);
    return rc;
}

static enum lp_code
claim_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t released = 0;
    enum lp_code rc = lp_claims_take_back(run->txn, run->process_id, NULL, &released, err);

    (void)state;
    (void)delta;
    lp_run_audit(run, "claims_released", json_integer(released));
    return rc;
}

const struct lp_step lp_step_claim_spectrum = {
    .key = "claim_spectrum",
    .title = "Claim the spectrum",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB_RW,
    .attempts = 3,
    .backoff_ms = {200, 2000},
    .assignee = "NOC",
    .run = claim,
    .undo = claim_undo,
};

/* ---- settle_spectrum ---- */

static int
add_before(json_t *all, const char *holder, json_t *claims)
{
    return json_array_append_new(all, json_pack("{s:s, s:o}", "holder", holder, "claims", claims));
}

static enum lp_code
settle_one(struct lp_run *run, const struct lp_subscription *sub, const json_t *grant,
           json_t *before, struct lp_err *err)
{
    const struct lp_claimant claimant = {.holder = lp_json_str(grant, "holder", ""),
                                         .subscription_id = sub->id,
                                         .process_id = run->process_id,
                                         .slot = lp_json_int(grant, "slot", 0)};
    struct lp_piece *pieces = NULL;
    size_t count = 0;
    json_t *had = NULL;
    enum lp_code rc =
        lp_route_pieces(json_object_get(grant, "route"), lp_json_int(grant, "low_mhz", 0),
                        lp_json_int(grant, "high_mhz", 0), &pieces, &count, err);

    if (rc == LP_OK)
        rc = lp_claims_settle(run->txn, &claimant, pieces, count, true, lp_clock_utc_us(run->clock),
                              &had, err);
    if (rc == LP_OK && add_before(before, claimant.holder, had) != 0)
        rc = no_memory(err);
    free(pieces);
    return rc;
}

static enum lp_code
settle(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *grants = json_object_get(state, "spectrum_grants"), *grant;
    json_auto_t *before = json_array(), *root = NULL;
    struct lp_subscription *sub = NULL;
    enum lp_code rc;
    size_t i;

    if (json_array_size(grants) == 0)
        return LP_OK;
    rc = lp_run_target(run, state, &sub, err);
    if (rc == LP_OK && (root = json_deep_copy(sub->root)) == NULL)
        rc = no_memory(err);
    json_array_foreach(grants, i, grant)
    {
        json_t *block = block_at(root, json_object_get(grant, "block"));

        if (rc == LP_OK)
            rc = settle_one(run, sub, grant, before, err);
        if (rc == LP_OK && block != NULL
            && lp_json_set_str(block, LP_F_OPTICAL_SPECTRUM_RESERVATION, "lit") != 0)
            rc = no_memory(err);
    }
    if (rc == LP_OK && !lp_json_same(root, sub->root))
        rc = lp_take_root(run, sub, lp_json_take(&root), delta, err);
    if (rc == LP_OK && json_object_set(delta, "spectrum_before", before) != 0)
        rc = no_memory(err);
    return rc;
}

static enum lp_code
put_back(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *before = json_object_get(state, "spectrum_before"), *one;
    enum lp_code rc = LP_OK;
    size_t i;

    (void)delta;
    json_array_foreach(before, i, one)
    {
        if (rc == LP_OK)
            rc = lp_claims_put_back(run->txn, lp_json_str(one, "holder", ""),
                                    json_object_get(one, "claims"), err);
    }
    return rc;
}

const struct lp_step lp_step_settle_spectrum = {
    .key = "settle_spectrum",
    .title = "Mark the spectrum lit and give back what is no longer used",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB_RW,
    .attempts = 3,
    .backoff_ms = {200, 2000},
    .run = settle,
    .undo = put_back,
};

/* ---- release_spectrum ---- */

/** Claims by holder. */
static enum lp_code
group(const json_t *claims, json_t *before, struct lp_err *err)
{
    json_auto_t *holders = json_object();
    const char *holder;
    json_t *list, *claim;
    size_t i;
    int bad = holders == NULL;

    json_array_foreach(claims, i, claim)
    {
        holder = lp_json_str(claim, "holder", "");
        if (json_object_get(holders, holder) == NULL)
            bad |= json_object_set_new(holders, holder, json_array());
        bad |= json_array_append(json_object_get(holders, holder), claim);
    }
    json_object_foreach(holders, holder, list)
    {
        bad |= add_before(before, holder, json_incref(list));
    }
    return bad ? no_memory(err) : LP_OK;
}

static enum lp_code
release(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *id = lp_json_str(state, "subscription_id", "");
    json_auto_t *claims = NULL, *before = json_array();
    int64_t released = 0;
    enum lp_code rc = lp_claims_of(run->store, NULL, LP_CLAIMS_BY_SUBSCRIPTION, id, &claims, err);

    if (rc == LP_OK)
        rc = group(claims, before, err);
    if (rc == LP_OK)
        rc = lp_txn_exec(run->txn, LP_SQL_CLAIMS_DROP_SUBSCRIPTION,
                         LP_ARGS(lp_text("subscription", id)), &released, err);
    if (rc == LP_OK && json_object_set(delta, "spectrum_before", before) != 0)
        rc = no_memory(err);
    lp_run_audit(run, "claims_released", json_integer(released));
    return rc;
}

const struct lp_step lp_step_release_spectrum = {
    .key = "release_spectrum",
    .title = "Give back the spectrum",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB_RW,
    .attempts = 3,
    .backoff_ms = {200, 2000},
    .run = release,
    .undo = put_back,
};

/* ---- read_spectrum ---- */

/** Devices that tell the light of these fibers. */
static enum lp_code
add_readers(struct lp_run *run, const char *fiber, json_t *devices, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_ROUTE_FIBER, LP_ARGS(lp_text("id", fiber)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *text = lp_rows_text(rows, i, "doc");
        json_auto_t *port = NULL;

        rc = lp_json_load(text, strlen(text), &port, err);
        if (rc == LP_OK
            && strcmp(lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), "ols-line") == 0
            && json_object_set_new(devices, lp_rows_text(rows, i, "device_id"), json_true()) != 0)
            rc = no_memory(err);
    }
    lp_rows_free(rows);
    return rc;
}

/** Fibers of what the target has claimed now, and had before. */
static enum lp_code
touched_fibers(struct lp_run *run, const json_t *state, json_t *fibers, struct lp_err *err)
{
    const char *id = lp_json_str(state, "subscription_id", "");
    const json_t *one, *claim;
    json_auto_t *now = NULL;
    size_t i, k;
    enum lp_code rc = lp_claims_of(run->store, NULL, LP_CLAIMS_BY_SUBSCRIPTION, id, &now, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(now, i, claim)
    {
        (void)json_object_set_new(fibers, lp_json_str(claim, "fiber_id", ""), json_true());
    }
    json_array_foreach(json_object_get(state, "spectrum_before"), i, one)
    {
        json_array_foreach(json_object_get(one, "claims"), k, claim)
        {
            (void)json_object_set_new(fibers, lp_json_str(claim, "fiber_id", ""), json_true());
        }
    }
    return LP_OK;
}

static enum lp_code
keep(struct lp_run *run, const char *element, const json_t *doc, struct lp_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(doc, &text, &len, err);

    if (rc == LP_OK)
        lp_run_write(
            run, LP_SQL_DEVICE_CACHE_PUT,
            LP_ARGS(lp_text("element", element), lp_text("kind", "spectrum"), lp_text("doc", text),
                    lp_int("as_of", lp_json_int(doc, "as_of", lp_clock_utc_us(run->clock))),
                    lp_text("process", run->process_id)));
    free(text);
    return rc;
}

static enum lp_code
read_device(struct lp_run *run, struct lp_device *device, struct lp_err *err)
{
    json_auto_t *doc = NULL;
    enum lp_code rc;

    if (device->driver->spectrum == NULL)
        return LP_OK;
    lp_run_progress(run, "%s: reading its light", device->element.name);
    rc = device->driver->spectrum(device->ne, &device->call, NULL, &doc, err);
    return rc == LP_OK && doc != NULL ? keep(run, device->element.id, doc, err) : rc;
}

static enum lp_code
read_devices(struct lp_run *run, json_t *const *docs, size_t count, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    enum lp_code rc =
        count == 0 ? LP_OK : lp_devices_open(run, docs, count, LP_DEVICE_READ, &devices, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < count && rc == LP_OK; i++)
        rc = read_device(run, devices[i], err);
    lp_devices_close(devices, count, rc);
    return rc;
}

/** Documents of the devices that can be read. */
static enum lp_code
load_docs(struct lp_run *run, json_t *ids, json_t **docs, size_t *count, struct lp_err *err)
{
    const char *id;
    json_t *value;
    enum lp_code rc = LP_OK;

    json_object_foreach(ids, id, value)
    {
        if (rc == LP_OK) {
            rc = lp_device_doc(run, id, &docs[*count], err);
            *count += rc == LP_OK;
        }
    }
    return rc;
}

/** It only saves the next one an old reading: no reason to fail what has been done, neither when no
 * attempt got through nor when the element says no. */
static bool
gives_up(const struct lp_run *run, enum lp_code rc)
{
    return rc != LP_OK && rc != LP_CONFLICT && rc != LP_FENCED && rc != LP_CANCELLED
           && rc != LP_STORE
           && (run->attempt >= run->step->attempts || lp_code_info(rc)->retry == LP_RETRY_NEVER);
}

static enum lp_code
read_spectrum(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *fibers = json_object(), *ids = json_object();
    json_t **docs = NULL, *value;
    const char *fiber;
    size_t count = 0;
    enum lp_code rc = LP_OK;

    if (json_object_get(state, "force") != NULL)
        return LP_OK; /* without the elements */
    rc = touched_fibers(run, state, fibers, err);
    json_object_foreach(fibers, fiber, value)
    {
        if (rc == LP_OK)
            rc = add_readers(run, fiber, ids, err);
    }
    docs = calloc(json_object_size(ids) + 1, sizeof(json_t *));
    if (rc == LP_OK)
        rc = docs == NULL ? no_memory(err) : load_docs(run, ids, docs, &count, err);
    if (rc == LP_OK)
        rc = read_devices(run, docs, count, err);
    if (gives_up(run, rc)) {
        lp_run_progress(run, "their light is known as it was before: %s", err->msg);
        lp_err_clear(err);
        rc = LP_OK;
    }
    for (size_t i = 0; i < count; i++)
        json_decref(docs[i]);
    free(docs);
    if (rc == LP_OK && lp_json_set_int(delta, "spectrum_read", (int64_t)count) != 0)
        rc = no_memory(err);
    return rc;
}

const struct lp_step lp_step_read_spectrum = {
    .key = "read_spectrum",
    .title = "Read the light of the elements on the way",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 300000,
    .run = read_spectrum,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- compare_spectrum ---- */

struct comparing {
    struct lp_run *run;
    const struct lp_subscription *sub;
    const json_t *claims;
    json_t *found;
};

static bool
is_claimed(const json_t *claims, const char *holder, const char *fiber, int64_t low, int64_t high)
{
    const json_t *claim;
    size_t i;

    json_array_foreach(claims, i, claim) /* in order of frequency; those of one holder may touch */
    {
        if (strcmp(lp_json_str(claim, "holder", ""), holder) == 0
            && strcmp(lp_json_str(claim, "fiber_id", ""), fiber) == 0
            && lp_json_int(claim, "low_mhz", 0) <= low && lp_json_int(claim, "high_mhz", 0) > low)
            low = lp_json_int(claim, "high_mhz", 0);
    }
    return low >= high;
}

static enum lp_code
fiber_of_block(struct lp_run *run, const char *block, char *id, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_BLOCK_OWNER,
                               LP_ARGS(lp_text("instance_id", block)), &rows, err);

    if (rc == LP_OK)
        (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                       lp_rows_count(rows) == 1 ? lp_rows_text(rows, 0, "subscription_id") : "?");
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
compare_block(struct comparing *c, const json_t *block, struct lp_err *err)
{
    const char *holder = lp_json_str(block, "subscription_instance_id", "");
    int64_t low = lp_json_int(block, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    int64_t high = lp_json_int(block, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);
    char text[200], id[LP_UUID_LEN + 1];
    const json_t *fiber;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(json_object_get(block, LP_F_OPTICAL_SPECTRUM_ROUTE_FIBERS), i, fiber)
    {
        if (rc == LP_OK)
            rc = fiber_of_block(c->run, json_is_string(fiber) ? json_string_value(fiber) : "", id,
                                err);
        if (rc != LP_OK || is_claimed(c->claims, holder, id, low, high))
            continue;
        (void)snprintf(text, sizeof text,
                       "%" PRId64 "-%" PRId64 " MHz on fiber %.36s is not claimed", low, high, id);
        (void)json_array_append_new(c->found, json_string(text));
    }
    return rc;
}

/** Blocks that hold a route, wherever they stand in the document. */
static enum lp_code
walk_blocks(struct comparing *c, const json_t *at, struct lp_err *err)
{
    const char *name;
    json_t *value;
    size_t i;
    enum lp_code rc = LP_OK;

    if (json_object_get(at, LP_F_OPTICAL_SPECTRUM_ROUTE_FIBERS) != NULL)
        rc = compare_block(c, at, err);
    json_object_foreach((json_t *)(uintptr_t)at, name, value)
    {
        if (rc == LP_OK)
            rc = walk_blocks(c, value, err);
    }
    json_array_foreach(at, i, value)
    {
        if (rc == LP_OK)
            rc = walk_blocks(c, value, err);
    }
    return rc;
}

static enum lp_code
compare_light(struct comparing *c, struct lp_err *err)
{
    const struct lp_route_source source = source_of(c->run);
    json_auto_t *fibers = json_object();
    const json_t *claim, *one;
    const char *fiber;
    json_t *value;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(c->claims, i, claim)
    {
        (void)json_object_set_new(fibers, lp_json_str(claim, "fiber_id", ""), json_true());
    }
    json_object_foreach(fibers, fiber, value)
    {
        json_auto_t *report = NULL;

        if (rc == LP_OK)
            rc = lp_spectrum_differences(&source, fiber, &report, err);
        json_array_foreach(json_object_get(report, "differences"), i, one)
        {
            if (strcmp(lp_json_str(one, "subscription_id", ""), c->sub->id) == 0)
                (void)json_array_append(c->found, json_object_get(one, "text"));
        }
    }
    return rc;
}

static enum lp_code
say(const struct comparing *c, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    const json_t *one;
    enum lp_code rc;
    size_t i;

    json_array_foreach(c->found, i, one)
    {
        lp_buf_printf(&text, "%s%s", i == 0 ? "" : "; ", json_string_value(one));
    }
    rc = lp_fail(err, LP_DRIFT, "%s", text.data == NULL ? "light differs" : text.data);
    lp_buf_free(&text);
    err->detail = json_pack("{s:O}", "spectrum", c->found);
    return rc;
}

static enum lp_code
compare(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *claims = NULL, *found = json_array();
    struct comparing c = {.run = run, .found = found};
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    (void)delta;
    if (rc == LP_OK)
        rc = lp_claims_of(run->store, NULL, LP_CLAIMS_BY_SUBSCRIPTION, sub->id, &claims, err);
    if (rc != LP_OK)
        return rc;
    c.sub = sub;
    c.claims = claims;
    rc = walk_blocks(&c, sub->root, err);
    if (rc == LP_OK)
        rc = compare_light(&c, err);
    return rc == LP_OK && json_array_size(found) > 0 ? say(&c, err) : rc;
}

const struct lp_step lp_step_compare_spectrum = {
    .key = "compare_spectrum",
    .title = "Compare claims with the light on the fibers",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .run = compare,
    .no_undo = "reads only",
};
