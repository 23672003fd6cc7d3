/* Bulk import of PoPs from a CSV text: everything is checked before anything is written, the source
   rows are kept for later comparison, and one child process per row creates the site. */
#include <string.h>

#include "base/buf.h"
#include "products/coord.h"
#include "products/csv.h"
#include "products/pop_csv.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "workflows/workflows.h"

#define SKIP_EXISTING "skip-existing"

/* ---- reading the file against the database ---- */

struct examined {
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    struct lp_store *store;
    struct lp_reader *reader;
    const json_t *answers; /* csv, columns, ignore_other_columns, mode */
    struct lp_problems *problems;
};

static const char *
column_shown(const struct examined *x, enum lp_pop_column column)
{
    const char *name = lp_pop_column_name(column);

    return lp_json_str(json_object_get(x->answers, "columns"), name, name);
}

/* A held code is skipped or refused, as the operator chose; a held name of another site is always
 * refused. */
static enum lp_code
check_row(const struct examined *x, json_t *row, struct lp_err *err)
{
    const json_t *document = json_object_get(row, "document");
    const char *code = lp_json_str(document, "code", "");
    const char *name = lp_json_str(document, "full_name", "");
    bool skip = strcmp(lp_json_str(x->answers, "mode", ""), SKIP_EXISTING) == 0;
    char holder[LP_UUID_LEN + 1];
    enum lp_code rc = lp_import_holder(x->store, x->reader, "pop.code", code, holder, err);

    if (rc != LP_OK)
        return rc;
    if (*holder != '\0' && skip)
        return lp_json_set_str(row, "existing", holder) == 0
                   ? LP_OK
                   : lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    if (*holder != '\0') {
        lp_pop_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, LP_POP_CODE),
                           "code %s is already used by subscription %s", code, holder);
        return LP_OK;
    }
    rc = lp_import_holder(x->store, x->reader, "pop.full_name", name, holder, err);
    if (rc == LP_OK && *holder != '\0')
        lp_pop_csv_problem(x->problems, lp_json_int(row, "row", 0),
                           column_shown(x, LP_POP_FULL_NAME),
                           "full name %s is already used by subscription %s", name, holder);
    return rc;
}

static enum lp_code
examine(const struct examined *x, json_t **rows, struct lp_err *err)
{
    const json_t *csv = json_object_get(x->answers, "csv");
    size_t before = lp_problems_count(x->problems), i;
    json_t *row;
    enum lp_code rc =
        lp_pop_csv_read(x->catalog, x->conf, json_string_value(csv), json_string_length(csv),
                        json_object_get(x->answers, "columns"),
                        lp_json_true(x->answers, "ignore_other_columns"), x->problems, rows, err);

    if (rc != LP_OK || lp_problems_count(x->problems) != before)
        return rc;
    json_array_foreach(*rows, i, row)
    {
        rc = check_row(x, row, err);
        if (rc != LP_OK)
            return rc;
    }
    return rc;
}

static struct examined
examined_by_form(const struct lp_form_ctx *ctx, const json_t *answers, struct lp_problems *problems)
{
    return (struct examined){.catalog = ctx->catalog,
                             .conf = ctx->conf,
                             .store = ctx->store,
                             .reader = ctx->reader,
                             .answers = answers,
                             .problems = problems};
}

/* ---- form: file and how to read it ---- */

static const struct lp_field column_fields[] = {
#define COLUMN(name_, text)                                                                        \
    {                                                                                              \
        .name = (name_), .description = (text), .kind = LP_FIELD_STRING, .required_in = -1,        \
        .has_min = true, .min = 1, .has_max = true, .max = 255                                     \
    }
    COLUMN("code", "Header of the column with the PoP code"),
    COLUMN("full_name", "Header of the column with the full name"),
    COLUMN("latitude", "Header of the column with the latitude"),
    COLUMN("longitude", "Header of the column with the longitude"),
    COLUMN("city", "Header of the column with the city"),
    COLUMN("key", "Header of the column with the key of the row in its source; the code otherwise"),
#undef COLUMN
};

static const struct lp_enum_value modes[] = {
    {"all-or-nothing", "Refuse the file when any code exists"},
    {SKIP_EXISTING, "Leave out rows whose code exists"},
};

static const struct lp_field form_fields[] = {
    {.name = "csv",
     .title = "CSV text",
     .description = "Header line and one line per PoP, separated by ',' or ';'",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .format = "long",
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = LP_CSV_MAX_BYTES},
    {.name = "source",
     .description = "Name of the source; rows of the same source and key are compared later",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .pattern = "[A-Za-z0-9][A-Za-z0-9._-]*",
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 64},
    {.name = "mode",
     .kind = LP_FIELD_ENUM,
     .required = true,
     .required_in = -1,
     .values = modes,
     .value_count = LP_COUNT(modes)},
    {.name = "partner_name",
     .title = "Owner by name",
     .description = "Name of an active partner; decides when given",
     .kind = LP_FIELD_STRING,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 255},
    {.name = "columns",
     .description = "Which column holds what, where the header says it otherwise",
     .kind = LP_FIELD_STRUCT,
     .required_in = -1,
     .fields = column_fields,
     .field_count = LP_COUNT(column_fields)},
    {.name = "ignore_other_columns",
     .description = "Columns that nothing was asked of are no fault",
     .kind = LP_FIELD_BOOL,
     .required = true,
     .required_in = -1},
};

static enum lp_code
file_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *source = json_string("csv");
    json_auto_t *mode = json_string(modes[0].value);
    json_auto_t *no = json_false();

    for (size_t i = 0; i < LP_COUNT(form_fields); i++)
        lp_form_page_add(page, &form_fields[i]);
    lp_form_page_default(page, "source", source);
    lp_form_page_default(page, "mode", mode);
    lp_form_page_default(page, "ignore_other_columns", no);
    return lp_form_add_choice(ctx, page, "partner_id", "Owner", "Partner", false, err);
}

static enum lp_code
find_owner(struct lp_form_ctx *ctx, const json_t *answers, char id[static LP_UUID_LEN + 1],
           const char **field, struct lp_err *err)
{
    const char *name = lp_json_str(answers, "partner_name", NULL);
    const char *chosen = lp_json_str(answers, "partner_id", NULL);

    *field = name != NULL ? "partner_name" : "partner_id";
    if (name != NULL)
        return lp_import_partner(ctx->store, ctx->reader, name, id, err);
    if (chosen == NULL)
        return lp_fail(err, LP_NOT_FOUND, "choose the partner that owns the PoPs");
    (void)snprintf(id, LP_UUID_LEN + 1, "%s", chosen);
    return LP_OK;
}

static enum lp_code
file_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
           struct lp_err *err)
{
    const struct examined x = examined_by_form(ctx, input, problems);
    char owner[LP_UUID_LEN + 1];
    const char *field;
    json_auto_t *rows = NULL;
    enum lp_code rc = find_owner(ctx, input, owner, &field, err);

    if (rc == LP_NOT_FOUND) {
        lp_problem_field(problems, "value_error", field, json_object_get(input, field), "%s",
                         err->msg);
        lp_err_clear(err);
        rc = LP_OK;
    }
    if (rc == LP_OK)
        rc = examine(&x, &rows, err);
    return rc;
}

/* ---- form: what will happen ---- */

static size_t
count_existing(const json_t *rows)
{
    const json_t *row;
    size_t count = 0, i;

    json_array_foreach(rows, i, row) count += json_object_get(row, "existing") != NULL;
    return count;
}

static json_t *
count_text(size_t count)
{
    return json_sprintf("%zu", count);
}

static enum lp_code
plan_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_problems problems;
    struct examined x = examined_by_form(ctx, ctx->answers, &problems);
    json_auto_t *rows = NULL;
    json_auto_t *headers = json_pack("[s]", "PoPs");
    json_auto_t *labels = json_pack("[s, s]", "create", "leave out, code exists");
    json_auto_t *columns = NULL;
    size_t existing;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = examine(&x, &rows, err);
    if (rc == LP_OK)
        rc = lp_problems_fail(&problems, "import", err);
    lp_problems_free(&problems);
    if (rc != LP_OK)
        return rc;
    existing = count_existing(rows);
    columns =
        json_pack("[[o, o]]", count_text(json_array_size(rows) - existing), count_text(existing));
    return lp_form_add_summary(page, headers, labels, columns, err);
}

static enum lp_code
import_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    char owner[LP_UUID_LEN + 1];
    const char *field;
    enum lp_code rc = find_owner(ctx, output, owner, &field, err);

    if (rc != LP_OK)
        return rc;
    json_object_del(output, "partner_id");
    json_object_del(output, "partner_name");
    if (lp_json_set_str(output, "customer_id", owner) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return LP_OK;
}

static enum lp_code
share_owner(struct lp_form_ctx *ctx, const json_t *output, json_t *ids, struct lp_err *err)
{
    (void)ctx;
    if (json_array_append(ids, json_object_get(output, "customer_id")) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the locks");
    return LP_OK;
}

static const struct lp_page pages[] = {
    {.title = "File", .build = file_build, .check = file_check},
    {.title = "Summary", .build = plan_build},
};
static const struct lp_form form = {LP_PAGES(pages), .finish = import_finish};

/* ---- steps ---- */

/* Rows that are left out, for the report and the children; the others live in import_rows alone, so
   that the state of a large import stays small. */
static json_t *
left_out(const json_t *rows)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) if (json_object_get(row, "existing") != NULL)
        json_array_append_new(
            list, json_pack("{s:O, s:O, s:O}", "row", json_object_get(row, "row"), "code",
                            json_object_get(json_object_get(row, "document"), "code"),
                            "subscription_id", json_object_get(row, "existing")));
    return list;
}

static enum lp_code
keep_rows(struct lp_run *run, const json_t *state, const json_t *rows, json_t *delta,
          struct lp_err *err)
{
    int64_t at = 0;
    enum lp_code rc = lp_import_store(run, lp_json_str(state, "source", ""), rows, &at, err);

    if (rc != LP_OK)
        return rc;
    if (lp_json_set_int(delta, "imported_at", at) != 0
        || lp_json_set_int(delta, "row_count", (int64_t)json_array_size(rows)) != 0
        || json_object_set_new(delta, "skipped", left_out(rows)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    lp_run_unset(run, "csv");
    return LP_OK;
}

/* Checked again, because the database may have changed since the form; then nothing or everything
 * is kept. */
static enum lp_code
store_rows(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_problems problems;
    const struct examined x = {.catalog = run->catalog,
                               .conf = run->conf,
                               .store = run->store,
                               .answers = state,
                               .problems = &problems};
    json_auto_t *rows = NULL;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = examine(&x, &rows, err);
    if (rc == LP_OK)
        rc = lp_problems_fail(&problems, "import", err);
    lp_problems_free(&problems);
    if (rc != LP_OK)
        return rc;
    lp_run_progress(run, "%zu rows, %zu of them exist", json_array_size(rows),
                    count_existing(rows));
    return keep_rows(run, state, rows, delta, err);
}

static const struct lp_step step_store = {
    .key = "store",
    .title = "Check the file and keep its rows",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = store_rows,
    .no_undo = "what a source said stays said; the next import replaces it",
};

/* What the operator would have typed into create_pop. */
static json_t *
child_pages(const struct lp_run *run, const json_t *state, const json_t *row)
{
    const json_t *document = json_object_get(row, "document");
    json_t *address = json_object_get(document, "address");
    char latitude[LP_COORD_TEXT], longitude[LP_COORD_TEXT];
    json_t *page;

    lp_coord_text(lp_json_int(document, "latitude_udeg", 0), latitude);
    lp_coord_text(lp_json_int(document, "longitude_udeg", 0), longitude);
    page =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "partner_id",
                  lp_json_str(state, "customer_id", ""), "code", lp_json_str(document, "code", ""),
                  "full_name", lp_json_str(document, "full_name", ""), "latitude", latitude,
                  "longitude", longitude, "import_source", lp_json_str(state, "source", ""),
                  "import_key", lp_json_str(row, "key", ""));
    if (address != NULL)
        json_object_set(page, "address", address);
    return json_pack("[{s:s}, o, {}]", "product", lp_catalog_product(run->catalog, "PoP")->id.text,
                     page);
}

static json_t *
skipped_codes(const json_t *state)
{
    const json_t *skipped = json_object_get(state, "skipped"), *row;
    json_t *codes = json_object();
    size_t i;

    json_array_foreach(skipped, i, row)
        json_object_set_new(codes, lp_json_str(row, "code", ""), json_true());
    return codes;
}

static enum lp_code
children(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    json_auto_t *codes = skipped_codes(state);
    json_auto_t *rows = NULL;
    const json_t *row;
    size_t i;
    enum lp_code rc = lp_import_stored(run, lp_json_str(state, "source", ""),
                                       lp_json_int(state, "imported_at", 0), &rows, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(rows, i, row)
    {
        const char *code = lp_json_str(json_object_get(row, "document"), "code", "");

        if (json_object_get(codes, code) != NULL)
            continue;
        if (json_array_append_new(items,
                                  json_pack("{s:s, s:s, s:o}", "item", code, "workflow",
                                            "create_pop", "pages", child_pages(run, state, row)))
            != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    }
    return LP_OK;
}

static bool
any_to_create(const json_t *state)
{
    return (int64_t)json_array_size(json_object_get(state, "skipped"))
           < lp_json_int(state, "row_count", 0);
}

static const struct lp_step step_create = {
    .key = "create",
    .title = "Create the PoPs",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = any_to_create,
    .items = children,
    .max_open = 128, /* each look at the children costs as much as the list is long */
    .no_undo =
        "each PoP has a process of its own, which can be rolled back, and a terminate workflow",
};

static enum lp_code
report(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_t *created = json_object_get(state, "create");
    json_t *result = json_pack("{s:O, s:O}", "rows", json_object_get(state, "row_count"), "skipped",
                               json_object_get(state, "skipped"));

    if (result == NULL || (created != NULL && json_object_set(result, "children", created) != 0)
        || json_object_set_new(delta, "report", result) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the report");
    lp_run_unset(run, "skipped");
    return LP_OK;
}

static const struct lp_step step_report = {
    .key = "report",
    .title = "Report",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = report,
    .no_undo = "writes only its own report",
};

static const struct lp_step *const steps[] = {&step_store, &step_create, &step_report};

static const struct lp_workflow list[] = {
    {.name = "task_import_pops",
     .description = "Import PoPs from CSV",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &form,
     .shares = share_owner,
     LP_STEPS(steps)},
};
const struct lp_workflow_set lp_workflows_import_pops = {list, LP_COUNT(list)};
