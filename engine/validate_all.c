/* task_validate_subscriptions: one validation per subscription, those first whose last one is
 * oldest. It starts nothing else and is therefore allowed on a restored database, which it brings
 * back into normal work. */
#include <string.h>

#include "base/buf.h"
#include "engine/exec.h"

#define MOST   50000 /* subscriptions of one run; the next run takes the next ones */
#define LISTED 1000  /* of each kind in the summary; the counts are always whole */
#define SPREAD "spread_minutes"

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

static int64_t
spread(const json_t *state)
{
    return lp_json_int(state, SPREAD, 0) * 60000;
}

static const struct lp_step validations = {.key = "validations",
                                           .title = "Validate subscriptions",
                                           .kind = LP_STEP_FANOUT,
                                           .no_undo = "validations only compare",
                                           .items = list_validations,
                                           .failed_ends = true, /* drift is what it looks for */
                                           .busy_ends = true,
                                           .spread_ms = spread,
                                           .max_open = 16};
/* ---- one summary ---- */

static const struct kind {
    const char *status, *word;
} kinds[] = {{"completed", "ok"},
             {"inconsistent_data", "drifted"},
             {"api_unavailable", "unreachable"},
             {"failed", "failed"},
             {"aborted", "aborted"}};

static const char *
word_of(const char *status)
{
    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        if (strcmp(kinds[i].status, status) == 0)
            return kinds[i].word;
    return "failed";
}

static enum lp_code
count_outcomes(struct lp_run *run, json_t *summary, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_VALIDATE_COUNTS,
                               LP_ARGS(lp_text("id", run->process_id)), &rows, err);

    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        (void)!lp_json_set_int(summary, kinds[i].word, 0);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *word = word_of(lp_rows_text(rows, i, "status"));

        (void)!lp_json_set_int(summary, word,
                               lp_json_int(summary, word, 0) + lp_rows_int(rows, i, "n"));
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
list_outcomes(struct lp_run *run, json_t *list, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_VALIDATE_OUTCOMES,
                 LP_ARGS(lp_text("id", run->process_id), lp_int("limit", LISTED)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:s?}", "outcome",
                                        word_of(lp_rows_text(rows, i, "status")), "subscription_id",
                                        lp_rows_text(rows, i, "subscription_id"), "description",
                                        lp_rows_text(rows, i, "description"), "process_id",
                                        lp_rows_text(rows, i, "id"), "workflow",
                                        lp_rows_text(rows, i, "workflow"), "reason",
                                        lp_rows_text(rows, i, "failed_reason")));
    lp_rows_free(rows);
    return rc;
}

/** What was locked was not looked at: named with its holder, next to what was. */
static void
list_busy(const json_t *sum, json_t *summary, json_t *list)
{
    const char *item;
    json_t *why;

    (void)!lp_json_set_int(summary, "busy", lp_json_int(sum, "busy", 0));
    json_object_foreach(json_object_get(sum, "busy_items"), item, why) json_array_append_new(
        list, json_pack("{s:s, s:s%, s:s, s:O}", "outcome", "busy", "subscription_id", item,
                        (size_t)LP_UUID_LEN, "workflow",
                        strlen(item) > LP_UUID_LEN ? item + LP_UUID_LEN + 1 : "", "reason", why));
}

static enum lp_code
summarise(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *sum = json_object_get(state, "validations");
    json_t *summary = json_object(), *list = json_array();
    enum lp_code rc = count_outcomes(run, summary, err);

    if (rc == LP_OK)
        rc = list_outcomes(run, list, err);
    (void)!lp_json_set_int(summary, "total", lp_json_int(sum, "total", 0));
    (void)!lp_json_set_int(summary, "refused",
                           (int64_t)json_object_size(json_object_get(sum, "refused")));
    list_busy(sum, summary, list);
    json_object_set_new(summary, "list", list);
    json_object_set_new(delta, "summary", summary);
    if (rc == LP_OK)
        lp_logf(run->log, LP_LOG_INFO, "validation.summary", "s:s, s:I, s:I, s:I, s:I, s:I",
                "process", run->process_id, "total", (json_int_t)lp_json_int(summary, "total", 0),
                "ok", (json_int_t)lp_json_int(summary, "ok", 0), "drifted",
                (json_int_t)lp_json_int(summary, "drifted", 0), "busy",
                (json_int_t)lp_json_int(summary, "busy", 0), "failed",
                (json_int_t)(lp_json_int(summary, "failed", 0)
                             + lp_json_int(summary, "unreachable", 0)));
    return rc;
}

static const struct lp_step summary = {.key = "summary",
                                       .title = "Summarise",
                                       .kind = LP_STEP_ACTION,
                                       .effects = LP_EFFECT_NONE,
                                       .no_undo = "only counts",
                                       .run = summarise};
static const struct lp_step *const validate_all[] = {&validations, &summary};

/* ---- how fast ---- */

static enum lp_code
pace_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {
        .name = SPREAD,
        .title = "Spread over",
        .description = "The validations begin one after the other within this time; 0: as fast as "
                       "they go",
        .units = "minutes",
        .kind = LP_FIELD_INT,
        .required_in = -1,
        .has_min = true,
        .has_max = true,
        .max = 1440};
    json_auto_t *none = json_integer(0);

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    lp_form_page_default(page, SPREAD, none);
    return LP_OK;
}

static const struct lp_page pace_pages[] = {{.title = "Pace", .build = pace_build}};
static const struct lp_form pace_form = {LP_PAGES(pace_pages)};

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
     .form = &pace_form,
     LP_STEPS(validate_all)},
};
const struct lp_workflow_set lp_workflows_validation = {rows, LP_COUNT(rows)};
