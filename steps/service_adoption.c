/* Digital services that already run become subscriptions. */
#include "steps/service_adoption.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "products/csv.h"
#include "products/import_csv.h"
#include "steps/device_internal.h"
#include "steps/forms.h"
#include "steps/import.h"

enum { DIFFERENCES_TOLD = 50, OPEN = 16 };

/* ---- the file ---- */

enum cell { CELL_TEXT, CELL_NUMBER, CELL_TEXTS, CELL_NUMBERS };
static const struct column {
    const char *name;
    enum cell cell;
    bool needed;
    bool own; /* of a service that brings channels */
} columns[] = {
    {"speed", CELL_TEXT, true, false},         {"flow_id", CELL_NUMBER, true, false},
    {"client_id", CELL_NUMBER, true, false},   {"och_ids", CELL_NUMBERS, true, false},
    {"device_a", CELL_TEXT, true, false},      {"client_a", CELL_TEXT, true, false},
    {"device_z", CELL_TEXT, true, false},      {"client_z", CELL_TEXT, true, false},
    {"lines_a", CELL_TEXTS, false, true},      {"lines_z", CELL_TEXTS, false, true},
    {"mode", CELL_TEXT, false, true},          {"centers_mhz", CELL_NUMBERS, false, true},
    {"widths_mhz", CELL_NUMBERS, false, true}, {"via", CELL_TEXTS, false, false},
};

static void
put_number(int64_t row, const char *name, const char *text, json_t *list,
           struct lp_problems *problems)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    if (end == text || *end != '\0')
        lp_csv_problem(problems, row, name, "'%.60s' is not a whole number", text);
    (void)json_array_append_new(list, json_integer(number));
}

/* Parts joined by '+'. */
static json_t *
parts_of(int64_t row, const struct column *column, const char *text, struct lp_problems *problems)
{
    json_t *list = json_array();

    while (*text != '\0') {
        size_t len = strcspn(text, "+");
        char part[256];

        (void)snprintf(part, sizeof part, "%.*s", (int)(len < 255 ? len : 255), text);
        if (column->cell == CELL_NUMBER || column->cell == CELL_NUMBERS)
            put_number(row, column->name, part, list, problems);
        else
            (void)json_array_append_new(list, json_string(part));
        text += len + (text[len] == '+' ? 1 : 0);
    }
    return list;
}

static json_t *
read_row(const struct lp_csv *csv, const struct lp_csv_row *cells, struct lp_problems *problems)
{
    int64_t number = (int64_t)cells->number;
    json_t *row = json_pack("{s:I}", "row", (json_int_t)number);

    for (size_t i = 0; i < LP_COUNT(columns); i++) {
        int at = lp_csv_column(csv, columns[i].name);
        const char *text = at >= 0 && (size_t)at < cells->count ? cells->cells[at] : "";
        json_auto_t *parts = NULL;

        if (*text == '\0' && columns[i].needed)
            lp_csv_problem(problems, number, columns[i].name, "a value is needed");
        if (*text == '\0')
            continue;
        parts = parts_of(number, &columns[i], text, problems);
        (void)json_object_set(row, columns[i].name,
                              columns[i].cell == CELL_TEXT || columns[i].cell == CELL_NUMBER
                                  ? json_array_get(parts, 0)
                                  : parts);
    }
    if (strcmp(lp_json_str(row, "speed", ""), "100G") != 0
        && strcmp(lp_json_str(row, "speed", ""), "400G") != 0)
        lp_csv_problem(problems, number, "speed", "a service has 100G or 400G");
    return row;
}

/* A service brings its channels when no earlier row has named one of them; it must say what they
 * are. */
static void
note_channels(json_t *row, json_t *seen, struct lp_problems *problems)
{
    const json_t *och;
    bool joins = false;
    char key[24];
    size_t i;

    json_array_foreach(json_object_get(row, "och_ids"), i, och)
    {
        (void)snprintf(key, sizeof key, "%lld", (long long)json_integer_value(och));
        joins = joins || json_object_get(seen, key) != NULL;
        (void)json_object_set_new(seen, key, json_true());
    }
    (void)json_object_set_new(row, "joins", json_boolean(joins));
    for (i = 0; i < LP_COUNT(columns) && !joins; i++)
        if (columns[i].own && json_object_get(row, columns[i].name) == NULL)
            lp_csv_problem(problems, lp_json_int(row, "row", 0), columns[i].name,
                           "the first service of a channel says what the channel is");
}

static void
check_tag(json_t *row, json_t *tags, struct lp_problems *problems)
{
    char tag[48];

    (void)snprintf(tag, sizeof tag, "f%03lldc%02lld", (long long)lp_json_int(row, "flow_id", 0),
                   (long long)lp_json_int(row, "client_id", 0));
    if (json_object_get(tags, tag) != NULL)
        lp_csv_problem(problems, lp_json_int(row, "row", 0), "client_id", "%s stands twice", tag);
    (void)json_object_set_new(tags, tag, json_true());
    (void)json_object_set_new(row, "tag", json_string(tag));
}

/* [{"row","tag","joins", columns...}...]; what is wrong is a problem. */
static enum lp_code
read_file(const char *text, json_t **rows, struct lp_problems *problems, struct lp_err *err)
{
    json_auto_t *out = json_array(), *seen = json_object(), *tags = json_object();
    struct lp_csv csv;
    enum lp_code rc = lp_csv_parse(text, strlen(text), &csv, err);

    if (rc == LP_INVALID) {
        lp_problem_field(problems, "value_error", "csv", NULL, "%s", err->msg);
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < csv.row_count; i++) {
        json_t *row = read_row(&csv, &csv.rows[i], problems);

        check_tag(row, tags, problems);
        note_channels(row, seen, problems);
        if (json_array_append_new(out, row) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    }
    lp_csv_free(&csv);
    if (rc == LP_OK)
        *rows = lp_json_take(&out);
    return rc;
}

/* ---- form ---- */

static enum lp_code
form_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field fields[] = {
        {.name = "csv",
         .title = "CSV text",
         .description = "Header line and one line for each service, separated by ',' or ';'",
         .kind = LP_FIELD_STRING,
         .required = true,
         .required_in = -1,
         .format = "long",
         .has_min = true,
         .min = 1,
         .has_max = true,
         .max = LP_CSV_MAX_BYTES},
        {.name = "partner_name",
         .title = "Customer",
         .description = "Name of an active partner",
         .kind = LP_FIELD_STRING,
         .required = true,
         .required_in = -1,
         .has_min = true,
         .min = 1,
         .has_max = true,
         .max = 255},
        {.name = "preview",
         .title = "Look only",
         .description = "Says what fits and what differs, and adopts nothing",
         .kind = LP_FIELD_BOOL,
         .required_in = -1},
    };

    (void)ctx;
    (void)err;
    for (size_t i = 0; i < LP_COUNT(fields); i++)
        lp_form_page_add(page, &fields[i]);
    return LP_OK;
}

static enum lp_code
form_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
           struct lp_err *err)
{
    json_auto_t *rows = NULL;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = read_file(lp_json_str(input, "csv", ""), &rows, problems, err);

    if (rc == LP_OK)
        rc = lp_import_partner(ctx->store, ctx->reader, lp_json_str(input, "partner_name", ""), id,
                               err);
    if (rc == LP_NOT_FOUND || (rc == LP_OK && id[0] == '\0')) {
        lp_problem_field(problems, "value_error", "partner_name",
                         json_object_get(input, "partner_name"), "there is no such active partner");
        lp_err_clear(err);
        return LP_OK;
    }
    return rc;
}

static enum lp_code
form_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_import_partner(ctx->store, ctx->reader,
                                        lp_json_str(output, "partner_name", ""), id, err);

    return rc == LP_OK ? (lp_json_set_str(output, "customer_id", id) == 0
                              ? LP_OK
                              : lp_fail(err, LP_NOMEM, "no memory for the form"))
                       : rc;
}

static const struct lp_page pages[] = {
    {.title = "Adopt digital services", .build = form_build, .check = form_check}};
const struct lp_form lp_form_adopt_services = {LP_PAGES(pages), .finish = form_finish};

/* ---- what would be typed into the form of a creation ---- */

struct matching {
    struct lp_run *run;
    const json_t *state, *row;
    char reason[300]; /* why it is left; "" = it is not */
};

static enum lp_code
device_named(struct matching *m, const char *fqdn, char id[static LP_UUID_LEN + 1],
             struct lp_err *err)
{
    enum lp_code rc = lp_import_holder(m->run->store, NULL, "device.fqdn", fqdn, id, err);

    if (rc == LP_OK && id[0] == '\0' && m->reason[0] == '\0')
        (void)snprintf(m->reason, sizeof m->reason, "there is no device %.200s", fqdn);
    return rc;
}

static void
copy_cells(const json_t *row, json_t *page, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i += 2)
        if (json_object_get(row, names[i]) != NULL)
            (void)json_object_set(page, names[i + 1], json_object_get(row, names[i]));
}

static enum lp_code
first_pages(struct matching *m, json_t *typed, struct lp_err *err)
{
    static const char *const numbers[] = {"flow_id",   "flow_id", "client_id",
                                          "client_id", "och_ids", "och_ids"};
    static const char *const clients[] = {"client_a", "client_port_a", "client_z", "client_port_z"};
    char name[64], a[LP_UUID_LEN + 1], z[LP_UUID_LEN + 1];
    const struct lp_product_type *type;
    json_t *page, *ports = json_object();
    enum lp_code rc = device_named(m, lp_json_str(m->row, "device_a", ""), a, err);

    (void)snprintf(name, sizeof name, "Optical Digital Service %.8s",
                   lp_json_str(m->row, "speed", ""));
    type = lp_catalog_product(m->run->catalog, name);
    if (rc == LP_OK)
        rc = device_named(m, lp_json_str(m->row, "device_z", ""), z, err);
    if (rc == LP_OK && type == NULL)
        rc = lp_fail(err, LP_INTERNAL, "the catalog has no product %s", name);
    if (rc != LP_OK) {
        json_decref(ports);
        return rc;
    }
    page = json_pack("{s:s, s:s, s:s, s:b}", "partner_id", lp_json_str(m->state, "customer_id", ""),
                     "device_a", a, "device_z", z, "adopt", 1);
    copy_cells(m->row, page, numbers, LP_COUNT(numbers));
    copy_cells(m->row, ports, clients, LP_COUNT(clients));
    (void)json_array_append_new(typed, json_pack("{s:s}", "product", type->id.text));
    (void)json_array_append_new(typed, page);
    (void)json_array_append_new(typed, ports);
    return LP_OK;
}

static enum lp_code
channel_pages(struct matching *m, json_t *typed, struct lp_err *err)
{
    static const char *const lines[] = {"lines_a",      "line_ports_a", "lines_z",
                                        "line_ports_z", "mode",         "mode"};
    static const char *const light[] = {"centers_mhz", "centers_mhz", "widths_mhz", "widths_mhz"};
    json_t *page = json_object(), *spectrum = json_object();
    json_auto_t *include = json_array();
    const json_t *device;
    enum lp_code rc = LP_OK;
    size_t i;

    copy_cells(m->row, page, lines, LP_COUNT(lines));
    copy_cells(m->row, spectrum, light, LP_COUNT(light));
    json_array_foreach(json_object_get(m->row, "via"), i, device)
    {
        char id[LP_UUID_LEN + 1];

        if (rc == LP_OK)
            rc = device_named(m, json_string_value(device), id, err);
        if (rc == LP_OK)
            (void)json_array_append_new(include, json_string(id));
    }
    if (json_array_size(include) > 0)
        (void)json_object_set(spectrum, "include", include);
    (void)json_array_append_new(typed, page);
    (void)json_array_append_new(typed, spectrum);
    (void)json_array_append_new(typed, json_object()); /* the best route */
    return rc;
}

static json_t *
list_in(json_t *report, const char *name)
{
    return json_object_get(report, name);
}

static void
leave(json_t *report, const char *tag, const char *reason, json_t *differences)
{
    json_t *entry = json_pack("{s:s, s:s}", "service", tag, "reason", reason);

    if (differences != NULL)
        (void)json_object_set(entry, "differences", differences);
    (void)json_array_append_new(list_in(report, "left"), entry);
}

static enum lp_code
match_row(struct matching *m, json_t *first, json_t *more, json_t *report, struct lp_err *err)
{
    const char *tag = lp_json_str(m->row, "tag", "");
    bool joins = lp_json_true(m->row, "joins");
    json_auto_t *typed = json_array();
    char holder[LP_UUID_LEN + 1];
    enum lp_code rc = lp_import_holder(m->run->store, NULL, "service.tag", tag, holder, err);

    if (rc == LP_OK && holder[0] != '\0') {
        (void)json_array_append_new(
            list_in(report, "explained"),
            json_pack("{s:s, s:s}", "service", tag, "subscription_id", holder));
        return LP_OK;
    }
    if (rc == LP_OK)
        rc = first_pages(m, typed, err);
    if (rc == LP_OK && !joins)
        rc = channel_pages(m, typed, err);
    if (rc != LP_OK)
        return rc;
    (void)json_array_append_new(typed, json_object()); /* summary */
    if (m->reason[0] != '\0')
        leave(report, tag, m->reason, NULL);
    else
        (void)json_array_append_new(
            joins ? more : first, json_pack("{s:s, s:s, s:O, s:O}", "item", tag, "workflow",
                                            "create_optical_digital_service", "pages", typed, "och",
                                            json_array_get(json_object_get(m->row, "och_ids"), 0)));
    return LP_OK;
}

static enum lp_code
rows_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *rows = NULL, *first = json_array(), *more = json_array();
    json_auto_t *report = NULL;
    struct lp_problems problems;
    const json_t *row;
    enum lp_code rc;
    size_t i;

    lp_problems_init(&problems);
    rc = read_file(lp_json_str(state, "csv", ""), &rows, &problems, err);
    if (rc == LP_OK && lp_problems_count(&problems) > 0)
        rc = lp_fail(err, LP_INVALID, "the file cannot be read any more");
    lp_problems_free(&problems);
    report = json_pack("{s:I, s:[], s:[], s:[], s:[]}", "rows", (json_int_t)json_array_size(rows),
                       "adopted", "fits", "explained", "left");
    json_array_foreach(rows, i, row)
    {
        struct matching m = {.run = run, .state = state, .row = row};

        if (rc == LP_OK)
            rc = match_row(&m, first, more, report, err);
    }
    if (rc == LP_OK
        && (json_object_set(delta, "first", first) != 0 || json_object_set(delta, "more", more) != 0
            || json_object_set(delta, "report", report) != 0))
        rc = lp_fail(err, LP_NOMEM, "no memory for the report");
    lp_run_unset(run, "csv");
    return rc;
}

const struct lp_step lp_step_service_rows = {
    .key = "read_rows",
    .title = "Read the rows, and what is known of them",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = rows_run,
    .no_undo = "reads only",
};

/* ---- previews ---- */

static enum lp_code
give_items(const json_t *list, bool dry_run, json_t *items, struct lp_err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_t *copy = json_copy((json_t *)(uintptr_t)item);

        if (copy == NULL || (dry_run && json_object_set_new(copy, "dry_run", json_true()) != 0)
            || json_array_append_new(items, copy) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    }
    return LP_OK;
}

static enum lp_code
preview_first(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    return give_items(json_object_get(state, "first"), true, items, err);
}

static enum lp_code
preview_more(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    return give_items(json_object_get(state, "more"), true, items, err);
}

static bool
any_first(const json_t *state)
{
    return json_array_size(json_object_get(state, "first")) > 0;
}

static bool
any_more(const json_t *state)
{
    return json_array_size(json_object_get(state, "more")) > 0;
}

/* ---- judging: an empty plan fits ---- */

/* The operations of a preview's plan as texts; empty: nothing would be written. */
static enum lp_code
differences_of(struct lp_run *run, const char *process, json_t **out, struct lp_err *err)
{
    json_auto_t *plan = NULL;
    struct lp_rows *rows = NULL;
    json_t *op;
    size_t i;
    enum lp_code rc = lp_query(run->store, LP_SQL_PROCESS_PLANS,
                               LP_ARGS(lp_text("process", process)), &rows, err);

    *out = NULL;
    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "process %.36s has no plan", process);
    if (rc == LP_OK)
        rc = lp_plan_load(run->store, lp_rows_text(rows, lp_rows_count(rows) - 1, "hash"), &plan,
                          err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    *out = json_array();
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        char text[600];

        if (i == DIFFERENCES_TOLD)
            break;
        lp_operation_text(plan, op, text, sizeof text);
        (void)json_array_append_new(*out, json_string(text));
    }
    return LP_OK;
}

static enum lp_code
judge_child(struct lp_run *run, const struct lp_rows *rows, size_t i, json_t *fitting,
            json_t *report, struct lp_err *err)
{
    const char *tag = lp_rows_text(rows, i, "parent_item");
    const char *why = lp_rows_text(rows, i, "failed_reason");
    json_auto_t *differences = NULL;
    enum lp_code rc;

    if (strcmp(lp_rows_text(rows, i, "status"), "completed") != 0) {
        leave(report, tag, why == NULL || *why == '\0' ? "its preview did not end" : why, NULL);
        return LP_OK;
    }
    rc = differences_of(run, lp_rows_text(rows, i, "id"), &differences, err);
    if (rc == LP_OK && json_array_size(differences) > 0)
        leave(report, tag, "its elements hold something else", differences);
    else if (rc == LP_OK)
        (void)json_object_set_new(fitting, tag, json_true());
    return rc;
}

/* The channel that a row wants to ride on; "": it is there. */
static enum lp_code
missing_channel(struct lp_run *run, const json_t *list, const char *tag, char *why, size_t size,
                struct lp_err *err)
{
    char number[24], holder[LP_UUID_LEN + 1];
    const json_t *item;
    enum lp_code rc = LP_OK;
    size_t i;

    why[0] = '\0';
    json_array_foreach(list, i, item)
    {
        if (rc != LP_OK || strcmp(lp_json_str(item, "item", ""), tag) != 0)
            continue;
        (void)snprintf(number, sizeof number, "%lld", (long long)lp_json_int(item, "och", 0));
        rc = lp_import_holder(run->store, NULL, "channel.och_id", number, holder, err);
        if (rc == LP_OK && holder[0] == '\0')
            (void)snprintf(why, size,
                           "it rides on channel %s, and the service that brings it is not adopted",
                           number);
    }
    return rc;
}

/* Rows that could not even be begun: the form refused them. */
static enum lp_code
add_refused(struct lp_run *run, const json_t *state, const char *step, const json_t *riding,
            json_t *report, struct lp_err *err)
{
    const json_t *refused = json_object_get(json_object_get(state, step), "refused");
    const char *tag;
    char missing[120];
    json_t *why;

    json_object_foreach((json_t *)(uintptr_t)refused, tag, why)
    {
        enum lp_code rc = missing_channel(run, riding, tag, missing, sizeof missing, err);

        if (rc != LP_OK)
            return rc;
        leave(report, tag, missing[0] != '\0' ? missing : json_string_value(why), NULL);
    }
    return LP_OK;
}

/* Of the rows in `list` those remain that fit; the rest is in the report. */
static enum lp_code
judge(struct lp_run *run, const json_t *state, const char *step, const char *list, json_t *delta,
      struct lp_err *err)
{
    json_auto_t *fitting = json_object(), *ready = json_array();
    json_auto_t *report = json_deep_copy(json_object_get(state, "report"));
    struct lp_rows *rows = NULL;
    json_t *item;
    size_t i;
    enum lp_code rc = lp_query(run->store, LP_SQL_QUERY_CHILDREN,
                               LP_ARGS(lp_text("id", run->process_id)), &rows, err);

    for (i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "parent_step"), step) == 0)
            rc = judge_child(run, rows, i, fitting, report, err);
    lp_rows_free(rows);
    if (rc == LP_OK)
        rc = add_refused(run, state, step,
                         strcmp(list, "more") == 0 ? json_object_get(state, list) : NULL, report,
                         err);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(state, list), i, item)
    {
        const char *tag = lp_json_str(item, "item", "");

        if (json_object_get(fitting, tag) == NULL)
            continue;
        (void)json_array_append(ready, item);
        if (lp_json_true(state, "preview"))
            (void)json_array_append_new(list_in(report, "fits"), json_string(tag));
    }
    return json_object_set(delta, list, ready) == 0 && json_object_set(delta, "report", report) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the report");
}

static enum lp_code
judge_first(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    return judge(run, state, "preview_1", "first", delta, err);
}

static enum lp_code
judge_more(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    return judge(run, state, "preview_2", "more", delta, err);
}

/* ---- adopting ---- */

static enum lp_code
adopt_first(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    return give_items(json_object_get(state, "first"), false, items, err);
}

static enum lp_code
adopt_more(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    return give_items(json_object_get(state, "more"), false, items, err);
}

static bool
adopts_first(const json_t *state)
{
    return any_first(state) && !lp_json_true(state, "preview");
}

static bool
adopts_more(const json_t *state)
{
    return any_more(state) && !lp_json_true(state, "preview");
}

const struct lp_step lp_step_service_preview_1 = {
    .key = "preview_1",
    .title = "Look at the elements: services that bring channels",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = any_first,
    .items = preview_first,
    .max_open = OPEN,
    .failed_ends = true,
    .no_undo = "dry runs leave nothing behind",
};
const struct lp_step lp_step_service_judge_1 = {
    .key = "judge_1",
    .title = "What fits, and what differs: services that bring channels",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .when = any_first,
    .run = judge_first,
    .no_undo = "reads only",
};
const struct lp_step lp_step_service_adopt_1 = {
    .key = "adopt_1",
    .title = "Adopt what fits: services that bring channels",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = adopts_first,
    .items = adopt_first,
    .max_open = OPEN,
    .failed_ends = true,
    .no_undo = "each service has a process of its own, which can be rolled back",
};
const struct lp_step lp_step_service_preview_2 = {
    .key = "preview_2",
    .title = "Look at the elements: services that ride on channels of others",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = any_more,
    .items = preview_more,
    .max_open = OPEN,
    .failed_ends = true,
    .no_undo = "dry runs leave nothing behind",
};
const struct lp_step lp_step_service_judge_2 = {
    .key = "judge_2",
    .title = "What fits, and what differs: services that ride on channels of others",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .when = any_more,
    .run = judge_more,
    .no_undo = "reads only",
};
const struct lp_step lp_step_service_adopt_2 = {
    .key = "adopt_2",
    .title = "Adopt what fits: services that ride on channels of others",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = adopts_more,
    .items = adopt_more,
    .max_open = OPEN,
    .failed_ends = true,
    .no_undo = "each service has a process of its own, which can be rolled back",
};

/* ---- report ---- */

static enum lp_code
add_adopted(struct lp_run *run, json_t *report, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_QUERY_CHILDREN,
                               LP_ARGS(lp_text("id", run->process_id)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *tag = lp_rows_text(rows, i, "parent_item");
        const char *why = lp_rows_text(rows, i, "failed_reason");
        char holder[LP_UUID_LEN + 1];

        if (strncmp(lp_rows_text(rows, i, "parent_step"), "adopt_", 6) != 0)
            continue;
        if (strcmp(lp_rows_text(rows, i, "status"), "completed") != 0) {
            leave(report, tag, why == NULL ? "its creation did not end" : why, NULL);
            continue;
        }
        rc = lp_import_holder(run->store, NULL, "service.tag", tag, holder, err);
        (void)json_array_append_new(
            list_in(report, "adopted"),
            json_pack("{s:s, s:s}", "service", tag, "subscription_id", holder));
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
report_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *report = json_deep_copy(json_object_get(state, "report"));
    enum lp_code rc = add_adopted(run, report, err);

    if (rc == LP_OK)
        rc = add_refused(run, state, "adopt_1", NULL, report, err);
    if (rc == LP_OK)
        rc = add_refused(run, state, "adopt_2", NULL, report, err);
    if (rc != LP_OK)
        return rc;
    lp_run_unset(run, "first");
    lp_run_unset(run, "more");
    return json_object_set(delta, "report", report) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for the report");
}

const struct lp_step lp_step_service_adopted = {
    .key = "report_adoption",
    .title = "Report",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .run = report_run,
    .no_undo = "writes only its own report",
};
