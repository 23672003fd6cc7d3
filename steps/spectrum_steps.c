/* Validating light as a whole; forgetting former names. */
#include "steps/spectrum_steps.h"

#include "base/buf.h"
#include "model/products_gen.h"
#include "steps/claims.h"
#include "steps/devices.h"
#include "steps/lifecycle.h"

/* ---- check_spectrum ---- */

/* Takes the differences of one part; any other failure is one. */
static enum lp_code
take_drift(enum lp_code rc, struct lp_err *part, json_t *differences, struct lp_buf *text,
           struct lp_err *err)
{
    static const char *const lists[] = {"differences", "spectrum"};

    if (rc == LP_OK)
        return LP_OK;
    if (rc != LP_DRIFT) {
        *err = *part;
        return rc;
    }
    lp_buf_printf(text, "%s%s", text->len == 0 ? "" : "; ", part->msg);
    for (size_t i = 0; i < LP_COUNT(lists); i++)
        json_array_extend(differences, json_object_get(part->detail, lists[i]));
    lp_err_clear(part);
    return LP_OK;
}

static enum lp_code
check_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    static const struct lp_step *const parts[] = {&lp_step_compare, &lp_step_verify,
                                                  &lp_step_compare_spectrum};
    json_auto_t *differences = json_array();
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(parts) && rc == LP_OK; i++) {
        struct lp_err part = LP_ERR_INIT;

        rc = parts[i]->run(run, state, delta, &part);
        rc = take_drift(rc, &part, differences, &text, err);
    }
    if (rc == LP_OK && text.len > 0) {
        rc = lp_fail(err, LP_DRIFT, "%s", text.data);
        json_decref(err->detail);
        err->detail = json_pack("{s:O}", "differences", differences);
    }
    lp_buf_free(&text);
    return rc;
}

const struct lp_step lp_step_check_spectrum = {
    .key = "check_spectrum",
    .title = "Compare documents, elements and light with what should be",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 600000,
    .assignee = "NOC",
    .run = check_run,
    .no_undo = "reads only",
    .only_reads = true,
};

/* ---- ask_again ---- */

/* Subscriptions of the fibers whose root blocks are referenced. */
static enum lp_code
fibers_of(struct lp_run *run, const json_t *blocks, json_t *out, struct lp_err *err)
{
    const json_t *id;
    enum lp_code rc = LP_OK;
    size_t i;

    json_array_foreach(blocks, i, id)
    {
        struct lp_rows *rows = NULL;

        rc = lp_query(run->store, LP_SQL_BLOCK_OWNER,
                      LP_ARGS(lp_text("instance_id", json_string_value(id))), &rows, err);
        if (rc == LP_OK && lp_rows_count(rows) == 0)
            rc = lp_fail(err, LP_NOT_FOUND, "fiber %.36s of its route is gone",
                         json_string_value(id));
        if (rc == LP_OK)
            json_array_append_new(out, json_string(lp_rows_text(rows, 0, "subscription_id")));
        lp_rows_free(rows);
        if (rc != LP_OK)
            break;
    }
    return rc;
}

/* Patch cords inside the devices at its two ends, which carry the same light (steps/routes.h). */
static enum lp_code
patches_of(struct lp_run *run, const json_t *ports, json_t *out, struct lp_err *err)
{
    const size_t count = json_array_size(ports), at[2] = {0, count == 0 ? 0 : count - 1};
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < LP_COUNT(at) && count > 0 && rc == LP_OK; i++) {
        const char *port = json_string_value(json_array_get(ports, at[i]));
        struct lp_rows *rows = NULL;

        rc = lp_query(run->store, LP_SQL_ROUTE_INSIDE, LP_ARGS(lp_text("port", port)), &rows, err);
        if (rc == LP_OK && lp_rows_count(rows) == 1
            && json_array_append_new(out, json_string(lp_rows_text(rows, 0, "id"))) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for a request");
        lp_rows_free(rows);
    }
    return rc;
}

static json_t *
request_of(const json_t *root, const json_t *route)
{
    return json_pack("[{s:i, s:[], s:{s:O, s:O, s:b, s:[O]}, s:O}]", "slot", 0, "block", "wish",
                     "low_mhz", json_object_get(root, LP_F_OPTICAL_SPECTRUM_LOW_MHZ), "high_mhz",
                     json_object_get(root, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ), "adopt", 1, "own",
                     json_object_get(root, "subscription_instance_id"), "route", route);
}

static enum lp_code
ask_again_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    json_auto_t *fibers = json_array(), *patches = json_array(), *route = NULL;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = fibers_of(run, json_object_get(sub->root, LP_F_OPTICAL_SPECTRUM_ROUTE_FIBERS), fibers,
                       err);
    if (rc == LP_OK)
        rc = patches_of(run, json_object_get(sub->root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS), patches,
                        err);
    if (rc != LP_OK || json_array_size(fibers) + json_array_size(patches) == 0)
        return rc; /* within one element nothing is claimed */
    route = json_pack("{s:O, s:O, s:O}", "ports",
                      json_object_get(sub->root, LP_F_OPTICAL_SPECTRUM_ROUTE_PORTS), "fibers",
                      fibers, "patches", patches);
    lp_route_id(route, id);
    if (lp_json_set_str(route, "id", id) != 0
        || json_object_set_new(delta, "spectrum_requests", request_of(sub->root, route)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a request");
    return LP_OK;
}

const struct lp_step lp_step_ask_again = {
    .key = "ask_again",
    .title = "Ask for the light it should have",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = ask_again_run,
    .no_undo = "reads only",
};

/* ---- settle_name ---- */

static enum lp_code
settle_name_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    json_auto_t *root = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK || json_object_get(sub->root, LP_F_OPTICAL_SPECTRUM_FORMER_CIRCUIT) == NULL)
        return rc;
    root = json_deep_copy(sub->root);
    json_object_del(root, LP_F_OPTICAL_SPECTRUM_FORMER_CIRCUIT);
    return root == NULL ? lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id)
                        : lp_take_root(run, sub, lp_json_take(&root), delta, err);
}

const struct lp_step lp_step_settle_name = {
    .key = "settle_name",
    .title = "Forget the former name",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = settle_name_run,
    .no_undo = "the name is of no use when its circuits have the new one",
};
