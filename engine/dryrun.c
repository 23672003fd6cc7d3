/* Dry runs: a process that goes as far as its plan and leaves nothing behind. Steps run as always;
 * what they queue is dropped, and the subscriptions they make or change are kept in the state. */
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

/* ---- may it be tried? ---- */

/** Acts on others, or lets others act, before anything could be seen. */
static bool
acts(const struct lp_step *step)
{
    return step->kind == LP_STEP_FANOUT || step->kind == LP_STEP_CALLBACK
           || (step->effects == LP_EFFECT_EXTERNAL && step->kind != LP_STEP_GROUP && !step->plans
               && !step->only_reads);
}

/** The first such step in front of the one that plans, or of all when none does. */
static const struct lp_step *
obstacle(const struct lp_step *const *steps, size_t count, bool *planned)
{
    const struct lp_step *inner;

    for (size_t i = 0; i < count && !*planned; i++) {
        *planned = steps[i]->plans;
        if (acts(steps[i]))
            return steps[i];
        if (steps[i]->kind != LP_STEP_GROUP)
            continue;
        inner = obstacle(steps[i]->steps, steps[i]->step_count, planned);
        if (inner != NULL)
            return inner;
    }
    return NULL;
}

enum lp_code
lp_dry_run_possible(const struct lp_registered *reg, struct lp_err *err)
{
    bool planned = false;
    const struct lp_step *bad =
        obstacle((const struct lp_step *const *)reg->steps, reg->step_count, &planned);

    if (bad != NULL)
        return lp_fail(err, LP_PRECONDITION,
                       "'%s' cannot be tried without acting: step '%s' does something that cannot "
                       "be taken back",
                       reg->workflow->name, bad->key);
    return LP_OK;
}

/* ---- subscriptions ---- */

static enum lp_code
no_memory(const char *id, struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for subscription %.64s", id);
}

/** One that only the dry run knows. */
static struct lp_subscription *
unborn(const struct lp_run *run, const char *id, const json_t *kept)
{
    struct lp_subscription *sub = calloc(1, sizeof *sub);

    if (sub == NULL)
        return NULL;
    snprintf(sub->id, sizeof sub->id, "%s", id);
    sub->product = lp_catalog_product_by_id(run->catalog, lp_json_str(kept, "product_id", ""));
    sub->customer_id = strdup(lp_json_str(kept, "customer_id", id));
    sub->created_at = sub->modified_at = lp_clock_utc_us(run->clock);
    if (sub->product != NULL && sub->customer_id != NULL)
        return sub;
    lp_subscription_free(sub);
    return NULL;
}

static enum lp_code
put_over(struct lp_subscription *sub, const json_t *kept, struct lp_err *err)
{
    char *description = strdup(lp_json_str(kept, "description", ""));
    json_t *root = json_deep_copy(json_object_get(kept, "root"));

    if (description == NULL || root == NULL) {
        free(description);
        json_decref(root);
        return no_memory(sub->id, err);
    }
    free(sub->description);
    sub->description = description;
    json_decref(sub->root);
    sub->root = root;
    sub->insync = lp_json_true(kept, "insync");
    (void)lp_lifecycle_from_name(lp_json_str(kept, "status", ""), &sub->status);
    return LP_OK;
}

enum lp_code
lp_dry_run_overlay(struct lp_run *run, const char *id, struct lp_subscription **sub,
                   struct lp_err *err)
{
    const json_t *now = json_object_get(run->priv->dry, id);
    const json_t *kept =
        now != NULL ? now
                    : json_object_get(json_object_get(run->priv->proc->state, LP_DRY_KEY), id);
    enum lp_code rc;

    if (kept == NULL)
        return *sub == NULL ? err->code : LP_OK;
    lp_err_clear(err);
    if (*sub == NULL)
        *sub = unborn(run, id, kept);
    rc = *sub == NULL ? no_memory(id, err) : put_over(*sub, kept, err);
    if (rc != LP_OK) {
        lp_subscription_free(*sub);
        *sub = NULL;
    }
    return rc;
}

enum lp_code
lp_dry_run_keep(struct lp_run *run, const struct lp_subscription *sub, struct lp_err *err)
{
    json_t *kept = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "product_id", sub->product->id.text,
                             "customer_id", sub->customer_id, "description", sub->description,
                             "status", lp_lifecycle_name(sub->status), "insync", (int)sub->insync,
                             "root", json_deep_copy(sub->root));

    if (run->priv->dry == NULL)
        run->priv->dry = json_object();
    if (kept == NULL || json_object_set_new(run->priv->dry, sub->id, kept) != 0)
        return no_memory(sub->id, err);
    return LP_OK;
}

void
lp_dry_run_delta(struct lp_run *run, json_t *delta)
{
    const json_t *before = json_object_get(run->priv->proc->state, LP_DRY_KEY);
    json_t *all;

    if (run->priv->dry == NULL)
        return;
    all = before == NULL ? json_object() : json_copy((json_t *)(uintptr_t)before);
    json_object_update(all, run->priv->dry);
    json_object_set_new(delta, LP_DRY_KEY, all);
}
