/* Claims as the documents speak of them: what was lost is taken again at once. What is too much
 * goes when everything works (settle_spectrum): until then elements may hold it. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/products_gen.h"
#include "steps/claims.h"

struct reclaiming {
    struct lp_run *run;
    const struct lp_subscription *sub;
    json_t *grants, *path; /* path: where the walk is in the document */
    int64_t slot;
    enum lp_code rc;
    struct lp_err *err;
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for claims");
}

/** Adds the subscription that a one-row answer names; without a row nothing. */
static void
add_id(struct reclaiming *r, enum lp_stmt stmt, const char *parameter, const char *value,
       const char *column, json_t *out)
{
    struct lp_rows *rows = NULL;

    if (r->rc == LP_OK)
        r->rc = lp_query(r->run->store, stmt, LP_ARGS(lp_text(parameter, value)), &rows, r->err);
    if (r->rc == LP_OK && lp_rows_count(rows) > 0
        && json_array_append_new(out, json_string(lp_rows_text(rows, 0, column))) != 0)
        r->rc = no_memory(r->err);
    lp_rows_free(rows);
}

/** The route as the block and its channel tell it: {"fibers","patches"}, subscriptions. */
static json_t *
route_of(struct reclaiming *r, const json_t *block, const json_t *line_ports)
{
    json_t *fibers = json_array(), *patches = json_array();
    const json_t *id;
    size_t i;

    json_array_foreach(json_object_get(block, LP_F_OPTICAL_SPECTRUM_ROUTE_FIBERS), i, id)
    {
        add_id(r, LP_SQL_BLOCK_OWNER, "instance_id", json_string_value(id), "subscription_id",
               fibers);
    }
    json_array_foreach(line_ports, i, id)
    {
        add_id(r, LP_SQL_ROUTE_AT_PORT, "port", json_string_value(id), "id", patches);
    }
    return json_pack("{s:o, s:o}", "fibers", fibers, "patches", patches);
}

static void
reclaim_block(struct reclaiming *r, const json_t *block, const json_t *line_ports)
{
    json_auto_t *route = route_of(r, block, line_ports);
    const struct lp_claimant claimant = {.holder =
                                             lp_json_str(block, "subscription_instance_id", ""),
                                         .subscription_id = r->sub->id,
                                         .process_id = r->run->process_id,
                                         .slot = r->slot++};
    json_int_t low = lp_json_int(block, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    json_int_t high = lp_json_int(block, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);
    struct lp_piece *pieces = NULL;
    size_t count = 0;

    if (r->rc == LP_OK)
        r->rc = lp_route_pieces(route, low, high, &pieces, &count, r->err);
    if (r->rc == LP_OK)
        r->rc = lp_claims_take(r->run->txn, &claimant, pieces, count,
                               lp_clock_utc_us(r->run->clock), NULL, r->err);
    if (r->rc == LP_OK
        && json_array_append_new(r->grants,
                                 json_pack("{s:I, s:s, s:I, s:I, s:O, s:o}", "slot",
                                           (json_int_t)claimant.slot, "holder", claimant.holder,
                                           "low_mhz", low, "high_mhz", high, "route", route,
                                           "block", json_deep_copy(r->path)))
               != 0)
        r->rc = no_memory(r->err);
    free(pieces);
}

static void walk(struct reclaiming *r, const json_t *at, const json_t *line_ports);

static void
walk_into(struct reclaiming *r, json_t *step, const json_t *value, const json_t *line_ports)
{
    if (json_array_append_new(r->path, step) != 0 && r->rc == LP_OK)
        r->rc = no_memory(r->err);
    if (r->rc != LP_OK)
        return;
    walk(r, value, line_ports);
    (void)json_array_remove(r->path, json_array_size(r->path) - 1);
}

/** Blocks that hold a route, wherever they stand; line_ports of the channel around them, or NULL.
 */
static void
walk(struct reclaiming *r, const json_t *at, const json_t *line_ports)
{
    const json_t *own = json_object_get(at, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    const json_t *ports = own != NULL ? own : line_ports;
    const char *name;
    json_t *value;
    size_t i;

    if (json_object_get(at, LP_F_OPTICAL_SPECTRUM_LOW_MHZ) != NULL
        && json_object_get(at, LP_F_OPTICAL_SPECTRUM_RESERVATION) != NULL && r->rc == LP_OK)
        reclaim_block(r, at, line_ports);
    json_object_foreach((json_t *)(uintptr_t)at, name, value)
    {
        walk_into(r, json_string(name), value, ports);
    }
    json_array_foreach(at, i, value)
    {
        walk_into(r, json_integer((json_int_t)i), value, ports);
    }
}

static enum lp_code
reclaim(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *grants = json_array(), *path = json_array();
    struct reclaiming r = {.run = run, .grants = grants, .path = path, .err = err};
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK)
        return rc;
    r.sub = sub;
    walk(&r, sub->root, NULL);
    if (r.rc == LP_OK && json_object_set(delta, "spectrum_grants", grants) != 0)
        r.rc = no_memory(err);
    return r.rc;
}

static enum lp_code
reclaim_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)delta;
    return lp_claims_take_back(run->txn, run->process_id, NULL, NULL, err);
}

const struct lp_step lp_step_reclaim_spectrum = {
    .key = "reclaim_spectrum",
    .title = "Claim what the document speaks of",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB_RW,
    .attempts = 3,
    .backoff_ms = {200, 2000},
    .assignee = "NOC",
    .run = reclaim,
    .undo = reclaim_undo,
};
