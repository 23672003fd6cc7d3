#include "steps/lifecycle.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "products/product.h"
#include "steps/compare.h"
#include "steps/derive.h"
#include "store/claims.h"

/* ---- shared ---- */

static enum lp_code
product_rules(struct lp_run *run, const struct lp_product *product, const json_t *root,
              struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    if (product->check != NULL)
        product->check(run->conf, root, &problems);
    rc = lp_problems_fail(&problems, product->type, err);
    lp_problems_free(&problems);
    return rc;
}

static enum lp_code
describe(struct lp_subscription *sub, const struct lp_product *product, struct lp_err *err)
{
    char *text = product->describe(sub->root);
    enum lp_code rc;

    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a description");
    rc = lp_subscription_set_description(sub, text, err);
    free(text);
    return rc;
}

static enum lp_code
known_product(const char *type, const struct lp_product **out, struct lp_err *err)
{
    *out = lp_product_of(type);
    if (*out == NULL)
        return lp_fail(err, LP_INTERNAL, "product type %.64s has no rules in products.def", type);
    return LP_OK;
}

/* What undo needs: the document and description before the change. */
static enum lp_code
remember(const struct lp_subscription *sub, json_t *delta, struct lp_err *err)
{
    json_t *before = json_pack("{s:O, s:s, s:s}", "root", sub->root, "description",
                               sub->description, "customer_id", sub->customer_id);

    if (before == NULL || json_object_set_new(delta, "before_change", before) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

static enum lp_code
publish(const struct lp_subscription *sub, json_t *delta, struct lp_err *err)
{
    if (json_object_set_new(delta, "subscription", lp_subscription_state_json(sub)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

enum lp_code
lp_take_root(struct lp_run *run, struct lp_subscription *sub, json_t *root, json_t *delta,
             struct lp_err *err)
{
    const struct lp_product *product;
    json_auto_t *owned = root;
    enum lp_code rc = known_product(sub->product->type, &product, err);

    if (rc == LP_OK)
        rc = lp_derive(run->store, NULL, run->catalog, run->conf, sub->product, owned, err);
    if (rc == LP_OK)
        rc = product_rules(run, product, owned, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_root(sub, run->catalog, lp_json_take(&owned), run->clock, err);
    if (rc == LP_OK)
        rc = describe(sub, product, err);
    if (rc == LP_OK)
        rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

/* The same, and undo can put the former document back. */
static enum lp_code
replace_root(struct lp_run *run, struct lp_subscription *sub, json_t *root, json_t *delta,
             struct lp_err *err)
{
    json_auto_t *owned = root;
    enum lp_code rc = remember(sub, delta, err);

    return rc == LP_OK ? lp_take_root(run, sub, lp_json_take(&owned), delta, err) : rc;
}

static enum lp_code
put_back(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *before = json_object_get(state, "before_change");
    struct lp_subscription *sub;
    enum lp_code rc;

    if (before == NULL)
        return LP_OK;
    rc = lp_run_target(run, state, &sub, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_root(
            sub, run->catalog, json_deep_copy(json_object_get(before, "root")), run->clock, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_description(sub, lp_json_str(before, "description", ""), err);
    if (rc == LP_OK && json_object_get(before, "customer_id") != NULL)
        rc = lp_subscription_set_customer(sub, lp_json_str(before, "customer_id", ""), err);
    if (rc == LP_OK)
        rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

/* ---- construct ---- */

enum lp_code
lp_construct(struct lp_run *run, const json_t *state, json_t *root, json_t *delta,
             struct lp_err *err)
{
    const char *id = lp_json_str(state, "product", "");
    const struct lp_product_type *type = lp_catalog_product_by_id(run->catalog, id);
    const struct lp_product *product = NULL;
    struct lp_subscription *sub = NULL;
    json_auto_t *owned = root;
    enum lp_code rc;

    if (type == NULL)
        return lp_fail(err, LP_INVALID, "there is no product %.64s", id);
    rc = known_product(type->type, &product, err);
    if (rc == LP_OK && owned != NULL)
        rc = lp_derive(run->store, NULL, run->catalog, run->conf, type, owned, err);
    if (rc == LP_OK)
        rc = lp_subscription_new(run->catalog, type, lp_json_str(state, "customer_id", NULL), owned,
                                 run->clock, &sub, err);
    if (rc != LP_OK)
        return rc;
    rc = product_rules(run, product, sub->root, err);
    if (rc == LP_OK)
        rc = describe(sub, product, err);
    if (rc == LP_OK)
        rc = lp_subscription_set_status(sub, run->catalog, LP_LC_PROVISIONING, run->clock, err);
    if (rc == LP_OK)
        rc = lp_run_create(run, sub, delta, err);
    if (rc == LP_OK && lp_json_set_str(delta, "subscription_description", sub->description) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    lp_subscription_free(sub);
    return rc;
}

static enum lp_code
construct(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    return lp_construct(run, state, json_deep_copy(json_object_get(state, "root")), delta, err);
}

enum lp_code
lp_construct_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub;
    enum lp_code rc;

    if (json_object_get(state, "subscription_id") == NULL)
        return LP_OK;
    rc = lp_run_target(run, state, &sub, err);
    if (rc != LP_OK || sub->status == LP_LC_TERMINATED)
        return rc;
    rc = lp_subscription_set_status(sub, run->catalog, LP_LC_TERMINATED, run->clock, err);
    if (rc == LP_OK)
        rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

const struct lp_step lp_step_construct = {
    .key = "construct",
    .title = "Construct subscription",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = construct,
    .undo = lp_construct_undo,
};

/* ---- update ---- */

json_t *
lp_changed_root(const json_t *root, const json_t *changes)
{
    json_auto_t *made = json_deep_copy(root), *copy = json_deep_copy(changes);
    const char *name;
    json_t *value;

    if (made == NULL || (changes != NULL && copy == NULL))
        return NULL;
    json_object_foreach(copy, name, value)
    {
        if (json_is_null(value))
            json_object_del(made, name);
        else if (json_object_set(made, name, value) != 0)
            return NULL;
    }
    return lp_json_take(&made);
}

/* The form offered active ones only; it was filled in before anything was locked. */
static enum lp_code
change_owner(struct lp_run *run, struct lp_subscription *sub, const char *id, struct lp_err *err)
{
    json_auto_t *brief = NULL;
    enum lp_code rc = lp_subscription_brief(run->store, NULL, id, &brief, err);

    if (rc != LP_OK)
        return rc;
    if (strcmp(lp_json_str(brief, "product", ""), "Partner") != 0
        || strcmp(lp_json_str(brief, "status", ""), "active") != 0)
        return lp_fail(err, LP_PRECONDITION, "%.120s cannot own anything: it is %s %s",
                       lp_json_str(brief, "description", id), lp_json_str(brief, "status", ""),
                       lp_json_str(brief, "product", ""));
    return lp_subscription_set_customer(sub, id, err);
}

static enum lp_code
update(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *owner = lp_json_str(state, "new_owner", NULL);
    struct lp_subscription *sub;
    json_auto_t *root = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK)
        return rc;
    root = lp_changed_root(sub->root, json_object_get(state, "changes"));
    if (root == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    rc = remember(sub, delta, err);
    if (rc == LP_OK && owner != NULL)
        rc = change_owner(run, sub, owner, err);
    return rc == LP_OK ? lp_take_root(run, sub, lp_json_take(&root), delta, err) : rc;
}

const struct lp_step lp_step_update = {
    .key = "update",
    .title = "Update subscription",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = update,
    .undo = put_back,
};

/* ---- check_unused ---- */

void
lp_relations_text(const struct lp_relations *relations, size_t most, struct lp_buf *buf)
{
    size_t i;

    for (i = 0; i < relations->count && i < most; i++)
        lp_buf_printf(buf, "%s%s (%.80s)", i == 0 ? "" : ", ", relations->rows[i].subscription_id,
                      relations->rows[i].description);
    if (i < relations->count)
        lp_buf_printf(buf, " and %zu more", relations->count - i);
}

static enum lp_code
refuse_relations(struct lp_run *run, const struct lp_subscription *sub, enum lp_relation_kind kind,
                 const char *what, struct lp_err *err)
{
    struct lp_relations found;
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc =
        lp_subscription_relations(run->store, NULL, sub->id, kind, false, &found, err);

    if (rc != LP_OK)
        return rc;
    if (found.count > 0) {
        lp_relations_text(&found, 3, &text);
        rc = lp_fail(err, LP_CONFLICT, "%.120s cannot be terminated: %s %s", sub->description, what,
                     text.data == NULL ? "" : text.data);
        lp_buf_free(&text);
    }
    lp_relations_free(&found);
    return rc;
}

/* A patch cord is in no document of what runs over it: its claims tell. */
static enum lp_code
refuse_light(struct lp_run *run, const struct lp_subscription *sub, struct lp_err *err)
{
    json_auto_t *claims = NULL;
    const json_t *first;
    enum lp_code rc = lp_claims_of(run->store, NULL, LP_CLAIMS_BY_FIBER, sub->id, &claims, err);

    first = json_array_get(claims, 0);
    return rc != LP_OK || first == NULL
               ? rc
               : lp_fail(err, LP_CONFLICT,
                         "%.120s cannot be terminated: light of %s (%.80s) runs over it",
                         sub->description, lp_json_str(first, "subscription_id", "?"),
                         lp_json_str(first, "subscription", "not stored"));
}

static enum lp_code
check_unused(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    (void)delta;
    if (rc == LP_OK)
        rc = refuse_relations(run, sub, LP_RELATION_USERS, "it is used by", err);
    if (rc == LP_OK)
        rc = refuse_relations(run, sub, LP_RELATION_CUSTOMER_OF, "it owns", err);
    return rc == LP_OK ? refuse_light(run, sub, err) : rc;
}

const struct lp_step lp_step_check_unused = {
    .key = "check_unused",
    .title = "Check that nothing uses the subscription",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = check_unused,
    .no_undo = "reads only",
};

/* ---- compare ---- */

static enum lp_code
compare(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub;
    json_auto_t *found = json_array();
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = lp_compare(run, sub, found, err);
    if (rc == LP_OK && json_array_size(found) > 0)
        rc = lp_compare_fail(sub, found, err);
    if (rc != LP_OK)
        return rc;
    if (json_object_set(delta, "differences", found) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

const struct lp_step lp_step_compare = {
    .key = "compare",
    .title = "Compare with what should be",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .run = compare,
    .no_undo = "reads only",
};

/* ---- refresh ---- */

static enum lp_code
refresh(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub;
    json_auto_t *wanted = NULL;
    json_auto_t *found = json_array();
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = lp_compare(run, sub, found, err);
    if (rc == LP_OK)
        rc = lp_compare_wanted(run, sub, &wanted, err);
    if (rc == LP_OK)
        rc = lp_compare_repair_keys(run, sub, err);
    if (rc == LP_OK)
        rc = replace_root(run, sub, lp_json_take(&wanted), delta, err);
    if (rc != LP_OK)
        return rc;
    if (json_object_set(delta, "differences", found) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    lp_run_audit(run, "differences", lp_json_take(&found));
    return LP_OK;
}

const struct lp_step lp_step_refresh = {
    .key = "refresh",
    .title = "Bring the subscription to what should be",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = refresh,
    .undo = put_back,
};
