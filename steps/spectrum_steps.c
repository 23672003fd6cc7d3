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
    if (rc == LP_OK)
        return LP_OK;
    if (rc != LP_DRIFT) {
        *err = *part;
        return rc;
    }
    lp_buf_printf(text, "%s%s", text->len == 0 ? "" : "; ", part->msg);
    json_array_extend(differences, json_object_get(part->detail, "differences"));
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
