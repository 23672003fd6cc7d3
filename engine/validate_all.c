/* task_validate_subscriptions: one validation per subscription, those first whose last one is
 * oldest. It starts nothing else and is therefore allowed on a restored database, which it brings
 * back into normal work. */
#include <string.h>

#include "base/buf.h"
#include "engine/exec.h"

#define MOST 5000 /* subscriptions of one run; the next run takes the next ones */

static bool
usable(const struct lp_workflow *workflow, const struct lp_product_type *product,
       enum lp_lifecycle status)
{
    return workflow->target == LP_TARGET_VALIDATE && lp_workflow_fits(workflow, product)
           && (lp_workflow_usable(workflow) & LP_BIT(status)) != 0;
}

static enum lp_code
add_item(json_t *items, const char *subscription, const char *workflow, struct lp_err *err)
{
    struct lp_buf name = LP_BUF_INIT;
    json_t *item = NULL;

    lp_buf_printf(&name, "%s %s", subscription, workflow);
    if (!name.failed)
        item = json_pack("{s:s, s:s, s:[{s:s}]}", "item", name.data, "workflow", workflow, "pages",
                         "subscription_id", subscription);
    lp_buf_free(&name);
    if (item == NULL || json_array_append_new(items, item) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the list of validations");
    return LP_OK;
}

static enum lp_code
add_validations(const struct lp_engine *engine, const struct lp_rows *rows, size_t i, json_t *items,
                struct lp_err *err)
{
    const struct lp_product_type *product =
        lp_catalog_product_by_id(engine->catalog, lp_rows_text(rows, i, "product_id"));
    enum lp_lifecycle status;
    enum lp_code rc = LP_OK;

    if (product == NULL || !lp_lifecycle_from_name(lp_rows_text(rows, i, "status"), &status))
        return LP_OK;
    for (size_t w = 0; rc == LP_OK && w < engine->workflow_count; w++)
        if (usable(engine->workflows[w].workflow, product, status))
            rc = add_item(items, lp_rows_text(rows, i, "id"), engine->workflows[w].workflow->name,
                          err);
    return rc;
}

static enum lp_code
list_validations(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_VALIDATE_OLDEST, LP_ARGS(lp_int("limit", MOST)), &rows, err);

    (void)state;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_validations(run->priv->proc->engine, rows, i, items, err);
    lp_rows_free(rows);
    return rc;
}

static const struct lp_step validations = {.key = "validations",
                                           .title = "Validate subscriptions",
                                           .kind = LP_STEP_FANOUT,
                                           .no_undo = "validations only compare",
                                           .items = list_validations,
                                           .failed_ends = true, /* drift is what it looks for */
                                           .max_open = 16};
static const struct lp_step *const validate_all[] = {&validations};

/* A second run beside the first would only be refused by the locks of the first. */
static enum lp_code
not_running(struct lp_reader *reader, const struct lp_workflow *workflow, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(reader, LP_SQL_VALIDATE_RUNNING,
                                      LP_ARGS(lp_text("workflow", workflow->name)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) > 0)
        rc = lp_fail(err, LP_PRECONDITION, "%s is under way already: process %s", workflow->name,
                     lp_rows_text(rows, 0, "id"));
    lp_rows_free(rows);
    return rc;
}

static const struct lp_workflow rows[] = {
    {.name = "task_validate_subscriptions",
     .description = "Validate subscriptions, the longest unvalidated first",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     .only_validates = true,
     .predicate = not_running,
     LP_STEPS(validate_all)},
};
const struct lp_workflow_set lp_workflows_validation = {rows, LP_COUNT(rows)};
