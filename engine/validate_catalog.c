/* task_validate_products: the catalog against the workflows of this program and against what is
 * stored. */
#include <string.h>

#include "base/buf.h"
#include "engine/exec.h"

/* ---- workflows ---- */

static bool
has_workflow(const struct lp_engine *engine, const struct lp_product_type *product,
             enum lp_target target)
{
    for (size_t i = 0; i < engine->workflow_count; i++) {
        const struct lp_workflow *workflow = engine->workflows[i].workflow;

        if (workflow->target == target && !workflow->all_products
            && lp_workflow_fits(workflow, product))
            return true;
    }
    return false;
}

/** A product that cannot be made, changed, ended or validated is worth a word, but may be meant so.
 */
static enum lp_code
look_at_workflows(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    static const enum lp_target wanted[] = {LP_TARGET_CREATE, LP_TARGET_MODIFY, LP_TARGET_TERMINATE,
                                            LP_TARGET_VALIDATE};
    const struct lp_engine *engine = run->priv->proc->engine;
    size_t count = 0;
    const struct lp_product_type *products = lp_catalog_products(engine->catalog, &count);
    json_t *missing = json_object();

    (void)state;
    (void)err;
    for (size_t p = 0; p < count; p++) {
        json_t *list = json_array();

        for (size_t t = 0; t < LP_COUNT(wanted); t++)
            if (!has_workflow(engine, &products[p], wanted[t]))
                json_array_append_new(list, json_string(lp_target_name(wanted[t])));
        if (json_array_size(list) > 0)
            json_object_set(missing, products[p].name, list);
        json_decref(list);
    }
    json_object_set_new(delta, "products", json_integer((json_int_t)count));
    json_object_set_new(delta, "without_workflow", missing);
    return LP_OK;
}

static const struct lp_step look_step = {.key = "workflows",
                                         .title = "Look for products without workflows",
                                         .kind = LP_STEP_ACTION,
                                         .effects = LP_EFFECT_NONE,
                                         .no_undo = "only looks",
                                         .run = look_at_workflows};

/* ---- stored data ---- */

static enum lp_code
go_on(void *arg, struct lp_err *err)
{
    return lp_run_check(arg, err);
}

static enum lp_code
look_at_stored(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *faults = json_array();
    struct lp_stored_check check = {
        .engine = run->priv->proc->engine, .faults = faults, .go_on = go_on, .arg = run};
    enum lp_code rc = lp_stored_check(&check, err);

    (void)state;
    if (rc != LP_OK)
        return rc;
    if (check.count > 0) {
        rc = lp_fail(err, LP_DRIFT, "%zu of %zu stored subscriptions do not fit the catalog: %s",
                     check.count, check.checked, json_string_value(json_array_get(faults, 0)));
        err->detail = json_pack("{s:O}", "problems", faults);
        return rc;
    }
    json_object_set_new(delta, "checked", json_integer((json_int_t)check.checked));
    return LP_OK;
}

/* Reads for a long time, and no other step shall wait for it: like a device. */
static const struct lp_step stored_step = {.key = "stored",
                                           .title = "Check stored subscriptions",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_EXTERNAL,
                                           .attempts = 3,
                                           .backoff_ms = {5000, 60000},
                                           .timeout_ms = 3600000,
                                           .no_undo = "only looks",
                                           .run = look_at_stored};

static const struct lp_step *const steps[] = {&look_step, &stored_step};
static const struct lp_workflow rows[] = {
    {.name = "task_validate_products",
     .description = "Validate the catalog against workflows and stored data",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     .only_validates = true,
     LP_STEPS(steps)},
};
const struct lp_workflow_set lp_workflows_catalog = {rows, LP_COUNT(rows)};
