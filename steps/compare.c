#include "steps/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "products/coord.h"
#include "products/product.h"
#include "steps/derive.h"
#include "steps/texts.h"

static enum lp_code
differ(json_t *list, const char *attribute, const char *expected, const char *found,
       struct lp_err *err)
{
    if (json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "attribute", attribute, "expected",
                                              expected, "found", found))
        != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the differences");
    return LP_OK;
}

/* ---- document ---- */

static enum lp_code
add_problems(const struct lp_problems *problems, json_t *list, struct lp_err *err)
{
    const json_t *problem;
    enum lp_code rc = LP_OK;
    char input[LP_TEXT_MAX], place[LP_TEXT_MAX], wanted[LP_TEXT_MAX];
    size_t i;

    json_array_foreach(problems->list, i, problem)
    {
        lp_text_loc(json_object_get(problem, "loc"), place);
        lp_text_value(NULL, json_object_get(problem, "input"), input);
        (void)snprintf(wanted, sizeof wanted, "a valid value (%.400s)",
                       lp_json_str(problem, "msg", ""));
        rc = differ(list, place, wanted, input, err);
        if (rc != LP_OK)
            return rc;
    }
    return rc;
}

static enum lp_code
compare_document(struct lp_run *run, const struct lp_subscription *sub,
                 const struct lp_product *product, const json_t *closure, json_t *list,
                 struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = lp_model_check(run->catalog, sub->product, sub->root, sub->status, &problems, err);
    if (rc == LP_OK && product->check != NULL)
        product->check(run->conf, sub->root, &problems);
    if (rc == LP_OK && product->check_linked != NULL)
        product->check_linked(run->conf, closure, sub->root, &problems);
    if (rc == LP_OK)
        rc = add_problems(&problems, list, err);
    lp_problems_free(&problems);
    return rc;
}

static enum lp_code
compare_description(const struct lp_subscription *sub, const struct lp_product *product,
                    json_t *list, struct lp_err *err)
{
    char *text = product->describe(sub->root);
    enum lp_code rc = LP_OK;

    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a description");
    if (strcmp(text, sub->description) != 0)
        rc = differ(list, "description", text, sub->description, err);
    free(text);
    return rc;
}

/* ---- derived members ---- */

static enum lp_code
compare_derived(struct lp_run *run, const struct lp_subscription *sub,
                const struct lp_product *product, const json_t *closure, json_t *list,
                struct lp_err *err)
{
    json_auto_t *derived = json_deep_copy(sub->root), *diff = NULL;
    char wanted[LP_TEXT_MAX], found[LP_TEXT_MAX];
    const json_t *change;
    size_t i;
    enum lp_code rc =
        product->derive == NULL ? LP_OK : product->derive(run->conf, closure, derived, err);

    if (rc != LP_OK)
        return rc;
    diff = lp_model_diff(sub->root, derived);
    json_array_foreach(diff, i, change)
    {
        lp_text_value(NULL, json_object_get(change, "after"), wanted);
        lp_text_value(NULL, json_object_get(change, "before"), found);
        if (rc == LP_OK)
            rc = differ(list, lp_json_str(change, "path", "/") + 1, wanted, found, err);
    }
    return rc;
}

/* ---- unique values ---- */

/* [[scope, value, instance id]...] that the document stands for. */
static enum lp_code
wanted_keys(struct lp_run *run, const struct lp_subscription *sub, json_t *keys, struct lp_err *err)
{
    struct lp_instances instances = {.rows = NULL};
    enum lp_code rc = lp_model_split(run->catalog, sub->product, sub->root, &instances, err);
    const json_t *key;
    size_t i, k;

    if (rc != LP_OK || sub->status == LP_LC_TERMINATED) {
        lp_instances_free(&instances);
        return rc;
    }
    for (i = 0; i < instances.count; i++)
        json_array_foreach(instances.rows[i].unique, k, key)
            json_array_append_new(keys, json_pack("[O, O, s]", json_array_get(key, 0),
                                                  json_array_get(key, 1), instances.rows[i].id));
    lp_instances_free(&instances);
    return LP_OK;
}

static bool
has_key(const json_t *keys, const json_t *key)
{
    const json_t *item;
    size_t i;

    json_array_foreach(keys, i, item) if (json_equal(item, key)) return true;
    return false;
}

typedef enum lp_code key_fn(struct lp_run *run, const struct lp_subscription *sub,
                            const json_t *key, bool wanted, json_t *list, struct lp_err *err);

/* Every key that only one side has. */
static enum lp_code
each_odd_key(struct lp_run *run, const struct lp_subscription *sub, key_fn *fn, json_t *list,
             struct lp_err *err)
{
    json_auto_t *wanted = json_array();
    json_auto_t *held = NULL;
    const json_t *key;
    size_t i;
    enum lp_code rc = wanted_keys(run, sub, wanted, err);

    if (rc == LP_OK)
        rc = lp_subscription_keys(run->store, NULL, sub->id, &held, err);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(held, i, key) if (rc == LP_OK && !has_key(wanted, key)) rc =
        fn(run, sub, key, false, list, err);
    json_array_foreach(wanted, i, key) if (rc == LP_OK && !has_key(held, key)) rc =
        fn(run, sub, key, true, list, err);
    return rc;
}

static enum lp_code
key_differs(struct lp_run *run, const struct lp_subscription *sub, const json_t *key, bool wanted,
            json_t *list, struct lp_err *err)
{
    const char *value = json_string_value(json_array_get(key, 1));
    char attribute[LP_TEXT_MAX];

    (void)run;
    (void)sub;
    (void)snprintf(attribute, sizeof attribute, "unique %s",
                   json_string_value(json_array_get(key, 0)));
    return differ(list, attribute, wanted ? value : "nothing", wanted ? "nothing" : value, err);
}

static enum lp_code
key_repair(struct lp_run *run, const struct lp_subscription *sub, const json_t *key, bool wanted,
           json_t *list, struct lp_err *err)
{
    const char *scope = json_string_value(json_array_get(key, 0));
    const char *value = json_string_value(json_array_get(key, 1));
    const char *instance = json_string_value(json_array_get(key, 2));

    (void)list;
    (void)err;
    if (wanted)
        lp_run_write(run, LP_SQL_BLOCK_KEY_INSERT,
                     LP_ARGS(lp_text("scope", scope), lp_text("value", value),
                             lp_text("instance_id", instance),
                             lp_text("subscription_id", sub->id)));
    else
        lp_run_write(run, LP_SQL_BLOCK_KEY_DELETE,
                     LP_ARGS(lp_text("scope", scope), lp_text("value", value),
                             lp_text("instance_id", instance)));
    return LP_OK;
}

enum lp_code
lp_compare_repair_keys(struct lp_run *run, const struct lp_subscription *sub, struct lp_err *err)
{
    return each_odd_key(run, sub, key_repair, NULL, err);
}

/* ---- owner ---- */

static enum lp_code
compare_owner(struct lp_run *run, const struct lp_subscription *sub, json_t *list,
              struct lp_err *err)
{
    json_auto_t *brief = NULL;
    char found[LP_TEXT_MAX];
    const char *product, *status;
    enum lp_code rc;

    if (strcmp(sub->customer_id, sub->id) == 0)
        return LP_OK;
    if (strcmp(sub->product->type, "Partner") == 0)
        return differ(list, "customer_id", sub->id, sub->customer_id, err);
    rc = lp_subscription_brief(run->store, NULL, sub->customer_id, &brief, err);
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return differ(list, "customer_id", "an active Partner", "no such subscription", err);
    }
    if (rc != LP_OK)
        return rc;
    product = lp_json_str(brief, "product", "");
    status = lp_json_str(brief, "status", "");
    if (strcmp(product, "Partner") == 0 && strcmp(status, "active") == 0)
        return LP_OK;
    (void)snprintf(found, sizeof found, "%s %s %s", product, sub->customer_id, status);
    return differ(list, "customer_id", "an active Partner", found, err);
}

/* ---- source ---- */

/* The newest row of the source it came from; *row stays NULL when it was not imported. */
static enum lp_code
source_row(struct lp_run *run, const struct lp_subscription *sub, json_t **row, struct lp_err *err)
{
    const char *source = lp_json_str(sub->root, "import_source", NULL);
    const char *key = lp_json_str(sub->root, "import_key", NULL);

    if (source == NULL || key == NULL)
        return LP_OK;
    return lp_import_row_newest(run->store, NULL, source, key, row, NULL, err);
}

/* Leaves of `expected` that the document does not have the same. */
static enum lp_code
compare_leaves(const json_t *expected, const json_t *found, const char *prefix, json_t *list,
               struct lp_err *err)
{
    json_auto_t *shared = lp_text_share(expected);
    const char *name;
    json_t *value;
    enum lp_code rc = LP_OK;
    char attribute[LP_TEXT_MAX], want[LP_TEXT_MAX], have[LP_TEXT_MAX];

    json_object_foreach(shared, name, value)
    {
        const json_t *now = json_object_get(found, name);

        (void)snprintf(attribute, sizeof attribute, "%.200s%.200s%s", prefix,
                       lp_text_name(name, want), json_is_object(value) ? "." : "");
        lp_text_value(name, value, want);
        lp_text_value(name, now, have);
        if (json_is_object(value))
            rc = compare_leaves(value, now, attribute, list, err);
        else if (!(json_is_null(value) && now == NULL) && !lp_json_same(value, now))
            rc = differ(list, attribute, want, have, err);
        if (rc != LP_OK)
            return rc;
    }
    return rc;
}

static enum lp_code
compare_source(struct lp_run *run, const struct lp_subscription *sub, json_t *list,
               struct lp_err *err)
{
    json_auto_t *row = NULL;
    char place[LP_TEXT_MAX];
    enum lp_code rc = source_row(run, sub, &row, err);

    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        (void)snprintf(place, sizeof place, "a row %s of source %s",
                       lp_json_str(sub->root, "import_key", ""),
                       lp_json_str(sub->root, "import_source", ""));
        return differ(list, "import", place, "nothing", err);
    }
    if (rc == LP_OK && row != NULL)
        rc = compare_leaves(row, sub->root, "", list, err);
    return rc;
}

/* expected wins, objects are merged, null removes. */
static int
merge(json_t *into, const json_t *expected)
{
    json_auto_t *shared = lp_text_share(expected);
    const char *name;
    json_t *value;
    int failed = 0;

    json_object_foreach(shared, name, value)
    {
        json_t *now = json_object_get(into, name);

        if (json_is_null(value))
            json_object_del(into, name);
        else if (json_is_object(value) && json_is_object(now))
            failed |= merge(now, value);
        else
            failed |= json_object_set_new(into, name, json_deep_copy(value));
    }
    return failed;
}

enum lp_code
lp_compare_wanted(struct lp_run *run, const struct lp_subscription *sub, json_t **root,
                  struct lp_err *err)
{
    json_auto_t *row = NULL;
    json_auto_t *copy = json_deep_copy(sub->root);
    enum lp_code rc = source_row(run, sub, &row, err);

    if (rc != LP_OK)
        return rc;
    if (copy == NULL || (row != NULL && merge(copy, row) != 0))
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    *root = lp_json_take(&copy);
    return LP_OK;
}

/* ---- all ---- */

enum lp_code
lp_compare(struct lp_run *run, const struct lp_subscription *sub, json_t *differences,
           struct lp_err *err)
{
    const struct lp_product *product = lp_product_of(sub->product->type);
    json_auto_t *closure = NULL;
    enum lp_code rc = LP_OK;

    if (product == NULL)
        return lp_fail(err, LP_INTERNAL, "product type %.64s has no rules in products.def",
                       sub->product->type);
    if (product->check_linked != NULL || product->derive != NULL)
        rc = lp_derive_closure(run->store, NULL, run->catalog, sub->product, sub->root, &closure,
                               err);
    if (rc == LP_OK)
        rc = compare_document(run, sub, product, closure, differences, err);
    if (rc == LP_OK && sub->status != LP_LC_TERMINATED)
        rc = compare_derived(run, sub, product, closure, differences, err);
    if (rc == LP_OK)
        rc = compare_description(sub, product, differences, err);
    if (rc == LP_OK)
        rc = each_odd_key(run, sub, key_differs, differences, err);
    if (rc == LP_OK)
        rc = compare_owner(run, sub, differences, err);
    if (rc == LP_OK)
        rc = compare_source(run, sub, differences, err);
    return rc;
}

enum lp_code
lp_compare_fail(const struct lp_subscription *sub, const json_t *differences, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    const json_t *item;
    json_t *copy = json_deep_copy(differences);
    enum lp_code rc;
    size_t i;

    json_array_foreach(differences, i, item)
        lp_buf_printf(&text, "%s%s: expected %s, found %s", i == 0 ? "" : "; ",
                      lp_json_str(item, "attribute", ""), lp_json_str(item, "expected", ""),
                      lp_json_str(item, "found", ""));
    rc = lp_fail(err, LP_DRIFT, "%s",
                 text.data == NULL ? "no memory for the differences" : text.data);
    err->detail = json_pack("{s:s, s:o}", "subscription_id", sub->id, "differences", copy);
    lp_buf_free(&text);
    return rc;
}
