/* Bulk imports from a CSV text: everything is checked before anything is written, the source rows
   are kept for later comparison, and one child process per row creates the subscription. */
#include <string.h>

#include "base/buf.h"
#include "model/products_gen.h"
#include "products/coord.h"
#include "products/csv.h"
#include "products/import_csv.h"
#include "products/product.h"
#include "steps/forms.h"
#include "steps/import.h"
#include "steps/tnms.h"
#include "workflows/workflows.h"

#define SKIP_EXISTING "skip-existing"

/* ---- what can be imported ---- */

struct examined;
struct import {
    const char *task, *child; /* workflows */
    const struct lp_import_kind *kind;
    /** Looks the row up in the database: row.existing when it is there, problems, and members of
     * the document that links lead to. */
    enum lp_code (*look_up)(const struct examined *x, json_t *row, struct lp_err *err);
    /** What the operator would have typed into the child's form. */
    enum lp_code (*pages)(struct lp_run *run, const json_t *state, const json_t *row, json_t **out,
                          struct lp_err *err);
};
static const struct import *import_of(const struct lp_workflow *workflow);

/* ---- reading the file against the database ---- */

struct examined {
    const struct import *import;
    const struct lp_catalog *catalog;
    const struct lp_conf *conf;
    struct lp_store *store;
    struct lp_reader *reader;
    const json_t *answers; /* csv, columns, ignore_other_columns, mode */
    json_t *ports;         /* of fibers: instance id -> row that wants it */
    json_t *devices;       /* host name -> {"description", "ports": {name: instance id}} */
    struct lp_problems *problems;
};

static const char *
column_shown(const struct examined *x, const char *name)
{
    return lp_json_str(json_object_get(x->answers, "columns"), name, name);
}

/* The row is there already: left out or refused, as the operator chose. */
static enum lp_code
is_there(const struct examined *x, json_t *row, const char *column, const char *holder,
         const char *what, struct lp_err *err)
{
    bool skip = strcmp(lp_json_str(x->answers, "mode", ""), SKIP_EXISTING) == 0;

    if (skip)
        return lp_json_set_str(row, "existing", holder) == 0
                   ? LP_OK
                   : lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, column),
                   "%s is already used by subscription %s", what, holder);
    return LP_OK;
}

/* A unique value of the row that somebody else holds is always refused. */
static enum lp_code
demand_free(const struct examined *x, const json_t *row, const char *scope, const char *column,
            const char *field, const char *title, struct lp_err *err)
{
    const char *value = lp_json_str(json_object_get(row, "document"), field, NULL);
    char holder[LP_UUID_LEN + 1];
    enum lp_code rc;

    if (value == NULL)
        return LP_OK;
    rc = lp_import_holder(x->store, x->reader, scope, value, holder, err);
    if (rc == LP_OK && *holder != '\0')
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, column),
                       "%s %s is already used by subscription %s", title, value, holder);
    return rc;
}

static enum lp_code
look_up_pop(const struct examined *x, json_t *row, struct lp_err *err)
{
    const char *code = lp_json_str(json_object_get(row, "document"), LP_F_POP_CODE, "");
    char holder[LP_UUID_LEN + 1], what[80];
    enum lp_code rc = lp_import_holder(x->store, x->reader, "pop.code", code, holder, err);

    (void)snprintf(what, sizeof(what), "code %.64s", code);
    if (rc == LP_OK && *holder != '\0')
        return is_there(x, row, "code", holder, what, err);
    return rc == LP_OK ? demand_free(x, row, "pop.full_name", "full_name", LP_F_POP_FULL_NAME,
                                     "full name", err)
                       : rc;
}

/* ---- devices ---- */

/* The subscription that holds a unique value, its root block alone; NULL with a problem when nobody
 * does. */
static enum lp_code
load_holder(const struct examined *x, const json_t *row, const char *scope, const char *column,
            const char *title, struct lp_subscription **sub, struct lp_err *err)
{
    const char *value = lp_json_str(json_object_get(row, "links"), column, "");
    char holder[LP_UUID_LEN + 1];
    enum lp_code rc = lp_import_holder(x->store, x->reader, scope, value, holder, err);

    *sub = NULL;
    if (rc == LP_OK && *holder == '\0')
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, column),
                       "there is no %s %.100s", title, value);
    else if (rc == LP_OK)
        rc = lp_subscription_load_top(x->store, x->reader, x->catalog, holder, sub, err);
    return rc;
}

static bool
has_address(const json_t *document)
{
    return json_object_get(document, LP_F_OPTICAL_DEVICE_LOOPBACK_IP) != NULL
           || json_object_get(document, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP) != NULL;
}

/* What is wrong in any PoP has been said already. */
static void
check_name(const struct examined *x, const json_t *row, const char *code)
{
    const char *fqdn = lp_json_str(json_object_get(row, "document"), LP_F_OPTICAL_DEVICE_FQDN, "");
    struct lp_err why = LP_ERR_INIT;

    if (lp_device_name_fits(x->conf, NULL, fqdn, &why) == LP_OK
        && lp_device_name_fits(x->conf, code, fqdn, &why) != LP_OK)
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, "fqdn"), "%s",
                       why.msg);
    lp_err_clear(&why);
}

static enum lp_code
link_device(const struct examined *x, json_t *row, struct lp_err *err)
{
    json_t *document = json_object_get(row, "document");
    struct lp_subscription *sub = NULL;
    enum lp_code rc = load_holder(x, row, "pop.code", "pop", "PoP", &sub, err);

    if (rc == LP_OK && sub != NULL)
        json_object_set(document, LP_F_OPTICAL_DEVICE_POP,
                        json_object_get(sub->root, "subscription_instance_id"));
    if (rc == LP_OK && sub != NULL)
        check_name(x, row, lp_json_str(sub->root, LP_F_POP_CODE, NULL));
    lp_subscription_free(sub);
    sub = NULL;
    if (rc == LP_OK && json_object_get(json_object_get(row, "links"), "gateway") != NULL
        && has_address(document)) /* nobody would store it: every validation would miss it */
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, "gateway"),
                       "a device with an address of its own needs no gateway");
    else if (rc == LP_OK && json_object_get(json_object_get(row, "links"), "gateway") != NULL)
        rc = load_holder(x, row, "device.fqdn", "gateway", "optical device", &sub, err);
    if (rc == LP_OK && sub != NULL)
        json_object_set_new(
            document, LP_F_OPTICAL_DEVICE_GATEWAYS,
            json_pack("[O]", json_object_get(sub->root, "subscription_instance_id")));
    lp_subscription_free(sub);
    return rc;
}

static enum lp_code
look_up_device(const struct examined *x, json_t *row, struct lp_err *err)
{
    static const struct {
        const char *scope, *column, *field, *title;
    } unique[] = {
        {"device.node_name", "node_name", LP_F_OPTICAL_DEVICE_NODE_NAME, "node name"},
        {"device.address", "loopback_ip", LP_F_OPTICAL_DEVICE_LOOPBACK_IP, "address"},
        {"device.address", "management_ip", LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, "address"},
    };
    const char *fqdn = lp_json_str(json_object_get(row, "document"), LP_F_OPTICAL_DEVICE_FQDN, "");
    const char *mode = lp_json_str(json_object_get(row, "links"), "mode", "observe");
    char holder[LP_UUID_LEN + 1], what[300];
    enum lp_code rc = lp_import_holder(x->store, x->reader, "device.fqdn", fqdn, holder, err);

    (void)snprintf(what, sizeof(what), "host name %.255s", fqdn);
    if (rc == LP_OK && *holder != '\0')
        return is_there(x, row, "fqdn", holder, what, err);
    if (strcmp(mode, "observe") != 0 && strcmp(mode, "manage") != 0)
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, "mode"),
                       "'%.60s' is neither observe nor manage", mode);
    for (size_t i = 0; i < LP_COUNT(unique) && rc == LP_OK; i++)
        rc = demand_free(x, row, unique[i].scope, unique[i].column, unique[i].field,
                         unique[i].title, err);
    return rc == LP_OK ? link_device(x, row, err) : rc;
}

/* ---- fibers ---- */

static const struct {
    const char *device, *port;
} ends[2] = {{"device_a", "port_a"}, {"device_z", "port_z"}};

/* Ports of a device by name; loaded once, whatever the number of rows that name it. *device is
 * borrowed, NULL with a problem when there is none. */
static enum lp_code
ports_of(const struct examined *x, const json_t *row, const char *column, const json_t **device,
         struct lp_err *err)
{
    const char *fqdn = lp_json_str(json_object_get(row, "links"), column, "");
    char holder[LP_UUID_LEN + 1];
    struct lp_subscription *sub = NULL;
    json_auto_t *ports = NULL;
    const json_t *port;
    size_t i;
    enum lp_code rc;

    *device = json_object_get(x->devices, fqdn);
    if (*device != NULL)
        return LP_OK;
    rc = lp_import_holder(x->store, x->reader, "device.fqdn", fqdn, holder, err);
    if (rc == LP_OK && *holder == '\0')
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, column),
                       "there is no optical device %.100s", fqdn);
    if (rc != LP_OK || *holder == '\0')
        return rc;
    rc = lp_subscription_load(x->store, x->reader, x->catalog, holder, &sub, err);
    if (rc != LP_OK)
        return rc;
    ports = json_object();
    json_array_foreach(json_object_get(sub->root, LP_F_OPTICAL_DEVICE_PORTS), i, port)
        json_object_set(ports, lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, ""),
                        json_object_get(port, "subscription_instance_id"));
    if (json_object_set_new(
            x->devices, fqdn,
            json_pack("{s:s, s:O}", "description", sub->description, "ports", ports))
        != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the ports of %s", sub->id);
    lp_subscription_free(sub);
    *device = json_object_get(x->devices, fqdn);
    return rc;
}

/* Instance id of a port; "" with a problem. */
static enum lp_code
link_end(const struct examined *x, json_t *row, size_t end, char id[static LP_UUID_LEN + 1],
         struct lp_err *err)
{
    const char *name = lp_json_str(json_object_get(row, "links"), ends[end].port, "");
    const json_t *device = NULL;
    enum lp_code rc = ports_of(x, row, ends[end].device, &device, err);

    *id = '\0';
    if (rc != LP_OK || device == NULL)
        return rc;
    (void)snprintf(id, LP_UUID_LEN + 1, "%s",
                   lp_json_str(json_object_get(device, "ports"), name, ""));
    if (*id == '\0')
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, ends[end].port),
                       "%s has no port %.64s", lp_json_str(device, "description", ""), name);
    return LP_OK;
}

/* A port ends one fiber: in the file too, on whichever side of a row it stands. */
static enum lp_code
want_port(const struct examined *x, const json_t *row, size_t end, const char *id,
          struct lp_err *err)
{
    const json_t *before = json_object_get(x->ports, id), *links = json_object_get(row, "links");

    if (before == NULL)
        return lp_json_set_int(x->ports, id, lp_json_int(row, "row", 0)) == 0
                   ? LP_OK
                   : lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, ends[end].port),
                   "port %.64s on %.80s stands in row %lld already",
                   lp_json_str(links, ends[end].port, ""), lp_json_str(links, ends[end].device, ""),
                   (long long)json_integer_value(before));
    return LP_OK;
}

static enum lp_code
look_up_fiber(const struct examined *x, json_t *row, struct lp_err *err)
{
    char id[2][LP_UUID_LEN + 1], holder[2][LP_UUID_LEN + 1] = {"", ""}, what[160];
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < 2 && rc == LP_OK; i++) {
        rc = link_end(x, row, i, id[i], err);
        if (rc == LP_OK && *id[i] != '\0')
            rc = want_port(x, row, i, id[i], err);
        if (rc == LP_OK && *id[i] != '\0')
            rc = lp_import_holder(x->store, x->reader, "fiber.termination", id[i], holder[i], err);
    }
    if (rc != LP_OK || *id[0] == '\0' || *id[1] == '\0')
        return rc;
    if (*holder[0] != '\0' && strcmp(holder[0], holder[1]) == 0)
        return is_there(x, row, "port_a", holder[0], "this pair of ports", err);
    for (size_t i = 0; i < 2; i++) {
        if (*holder[i] == '\0')
            continue;
        (void)snprintf(what, sizeof(what), "port %.64s on %.80s",
                       lp_json_str(json_object_get(row, "links"), ends[i].port, ""),
                       lp_json_str(json_object_get(row, "links"), ends[i].device, ""));
        lp_csv_problem(x->problems, lp_json_int(row, "row", 0), column_shown(x, ends[i].port),
                       "OPT-011: %s already belongs to fiber %s", what, holder[i]);
    }
    json_object_set_new(json_object_get(row, "document"), LP_F_OPTICAL_FIBER_TERMINATIONS,
                        json_pack("[s, s]", id[0], id[1]));
    return rc;
}

static enum lp_code
examine(const struct examined *asked, json_t **rows, struct lp_err *err)
{
    json_auto_t *ports = json_object(), *devices = json_object();
    struct examined own = *asked;
    const struct examined *x = &own;
    const json_t *csv = json_object_get(asked->answers, "csv");
    size_t before = lp_problems_count(asked->problems), i;
    json_t *row;
    enum lp_code rc = lp_import_csv_read(
        x->import->kind, x->catalog, x->conf, json_string_value(csv), json_string_length(csv),
        json_object_get(x->answers, "columns"), lp_json_true(x->answers, "ignore_other_columns"),
        x->problems, rows, err);

    own.ports = ports;
    own.devices = devices;
    if (rc != LP_OK || lp_problems_count(x->problems) != before)
        return rc;
    json_array_foreach(*rows, i, row)
    {
        rc = x->import->look_up(x, row, err);
        if (rc != LP_OK)
            return rc;
    }
    return rc;
}

static struct examined
examined_by_form(const struct lp_form_ctx *ctx, const json_t *answers, struct lp_problems *problems)
{
    return (struct examined){.import = import_of(ctx->workflow),
                             .catalog = ctx->catalog,
                             .conf = ctx->conf,
                             .store = ctx->store,
                             .reader = ctx->reader,
                             .answers = answers,
                             .problems = problems};
}

/* ---- form: file and how to read it ---- */

static const struct lp_enum_value modes[] = {
    {"all-or-nothing", "Refuse the file when any of them exists"},
    {SKIP_EXISTING, "Leave out rows that exist"},
};

static const struct lp_field form_fields[] = {
    {.name = "csv",
     .title = "CSV text",
     .description = "Header line and one line each, separated by ',' or ';'",
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
    {.name = "ignore_other_columns",
     .description = "Columns that nothing was asked of are no fault",
     .kind = LP_FIELD_BOOL,
     .required = true,
     .required_in = -1},
};

/* Where the header says it otherwise: which column holds what. */
static enum lp_code
add_columns(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    const struct lp_import_kind *kind = import_of(ctx->workflow)->kind;
    struct lp_field *fields = lp_arena_array(ctx->arena, kind->count, sizeof *fields);

    if (fields == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    for (size_t i = 0; i < kind->count; i++)
        fields[i] = (struct lp_field){.name = kind->columns[i].name,
                                      .kind = LP_FIELD_STRING,
                                      .required_in = -1,
                                      .has_min = true,
                                      .min = 1,
                                      .has_max = true,
                                      .max = 255};
    const struct lp_field columns = {
        .name = "columns",
        .description = "Header of the column that holds each, where it is not found by itself",
        .kind = LP_FIELD_STRUCT,
        .required_in = -1,
        .fields = fields,
        .field_count = kind->count};
    lp_form_page_add(page, &columns);
    return LP_OK;
}

static enum lp_code
file_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *source = json_string("csv");
    json_auto_t *mode = json_string(modes[0].value);
    json_auto_t *no = json_false();
    enum lp_code rc;

    for (size_t i = 0; i < LP_COUNT(form_fields); i++)
        lp_form_page_add(page, &form_fields[i]);
    lp_form_page_default(page, "source", source);
    lp_form_page_default(page, "mode", mode);
    lp_form_page_default(page, "ignore_other_columns", no);
    rc = add_columns(ctx, page, err);
    return rc == LP_OK ? lp_form_add_choice(ctx, page, "partner_id", "Owner", "Partner", false, err)
                       : rc;
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
        return lp_fail(err, LP_NOT_FOUND, "choose the partner that owns the %s",
                       import_of(ctx->workflow)->kind->plural);
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
    json_auto_t *headers = json_pack("[s]", import_of(ctx->workflow)->kind->plural);
    json_auto_t *labels = json_pack("[s, s]", "create", "leave out, exists");
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
            list, json_pack("{s:O, s:O, s:O, s:O}", "row", json_object_get(row, "row"), "name",
                            json_object_get(row, "name"), "key", json_object_get(row, "key"),
                            "subscription_id", json_object_get(row, "existing")));
    return list;
}

/* Mode of each device that names one: it is no part of what the source knows of it. */
static json_t *
modes_of(const json_t *rows)
{
    json_t *modes_by_key = json_object();
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        json_t *mode = json_object_get(json_object_get(row, "links"), "mode");
        if (mode != NULL)
            json_object_set(modes_by_key, lp_json_str(row, "key", ""), mode);
    }
    return modes_by_key;
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
        || json_object_set_new(delta, "skipped", left_out(rows)) != 0
        || json_object_set_new(delta, "modes", modes_of(rows)) != 0)
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
    const struct examined x = {.import = import_of(run->workflow),
                               .catalog = run->catalog,
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

static bool
has_rows(const json_t *state)
{
    return json_object_get(state, "csv") != NULL;
}

static const struct lp_step step_store = {
    .key = "store",
    .title = "Check the file and keep its rows",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .when = has_rows, /* a TNMS may know nothing new */
    .run = store_rows,
    .no_undo = "what a source said stays said; the next import replaces it",
};

static json_t *
first_page(const struct lp_run *run, const struct import *import)
{
    return json_pack("{s:s}", "product",
                     lp_catalog_product(run->catalog, import->kind->product)->id.text);
}

static json_t *
page_of(const json_t *state, const json_t *row)
{
    return json_pack("{s:s, s:s, s:s}", "partner_id", lp_json_str(state, "customer_id", ""),
                     "import_source", lp_json_str(state, "source", ""), "import_key",
                     lp_json_str(row, "key", ""));
}

static enum lp_code
pages_pop(struct lp_run *run, const json_t *state, const json_t *row, json_t **out,
          struct lp_err *err)
{
    const json_t *document = json_object_get(row, "document");
    json_t *address = json_object_get(document, LP_F_POP_ADDRESS), *page = page_of(state, row);
    char latitude[LP_COORD_TEXT], longitude[LP_COORD_TEXT];

    (void)err;
    lp_coord_text(lp_json_int(document, LP_F_POP_LATITUDE_UDEG, 0), latitude);
    lp_coord_text(lp_json_int(document, LP_F_POP_LONGITUDE_UDEG, 0), longitude);
    json_object_set(page, "code", json_object_get(document, LP_F_POP_CODE));
    json_object_set(page, "full_name", json_object_get(document, LP_F_POP_FULL_NAME));
    json_object_set_new(page, "latitude", json_string(latitude));
    json_object_set_new(page, "longitude", json_string(longitude));
    if (address != NULL)
        json_object_set(page, "address", address);
    *out = json_pack("[o, o, {}]", first_page(run, import_of(run->workflow)), page);
    return LP_OK;
}

/* The subscription that owns a block, with that block; freed by the caller. */
static enum lp_code
owner_of(struct lp_run *run, const json_t *instance, struct lp_subscription **sub,
         struct lp_err *err)
{
    const char *id = json_string_value(instance);
    enum lp_code rc =
        lp_subscription_load_around(run->store, NULL, run->catalog, id == NULL ? "" : id, sub, err);

    return rc == LP_NOT_FOUND
               ? lp_fail(err, LP_NOT_FOUND, "block %.64s is gone", id == NULL ? "" : id)
               : rc;
}

static enum lp_code
pages_device(struct lp_run *run, const json_t *state, const json_t *row, json_t **out,
             struct lp_err *err)
{
    const json_t *document = json_object_get(row, "document");
    const json_t *gateways = json_object_get(document, LP_F_OPTICAL_DEVICE_GATEWAYS);
    json_auto_t *page = page_of(state, row), *relays = NULL;
    struct lp_subscription *sub = NULL;
    enum lp_code rc = owner_of(run, json_object_get(document, LP_F_OPTICAL_DEVICE_POP), &sub, err);

    if (rc != LP_OK)
        return rc;
    json_object_update(page, json_object_get(row, "document"));
    json_object_del(page, LP_F_OPTICAL_DEVICE_POP);
    json_object_del(page, LP_F_OPTICAL_DEVICE_GATEWAYS);
    json_object_set_new(page, "pop_id", json_string(sub->id));
    lp_subscription_free(sub);
    json_object_set(page, "mode",
                    json_object_get(json_object_get(state, "modes"), lp_json_str(row, "key", "")));
    if (gateways != NULL) {
        rc = owner_of(run, json_array_get(gateways, 0), &sub, err);
        if (rc != LP_OK)
            return rc;
        relays = json_pack("{s:[s]}", "gateway_ids", sub->id);
        lp_subscription_free(sub);
    } else {
        relays = json_object();
    }
    if (has_address(document))
        *out = json_pack("[o, O, {}]", first_page(run, import_of(run->workflow)), page);
    else
        *out = json_pack("[o, O, O, {}]", first_page(run, import_of(run->workflow)), page, relays);
    return LP_OK;
}

static enum lp_code
pages_fiber(struct lp_run *run, const json_t *state, const json_t *row, json_t **out,
            struct lp_err *err)
{
    const json_t *document = json_object_get(row, "document");
    json_auto_t *page = page_of(state, row), *glass = json_copy(json_object_get(row, "document"));
    enum lp_code rc = LP_OK;

    json_object_del(glass, LP_F_OPTICAL_FIBER_TERMINATIONS);
    for (size_t e = 0; e < 2; e++) {
        json_t *id = json_array_get(json_object_get(document, LP_F_OPTICAL_FIBER_TERMINATIONS), e);
        struct lp_subscription *sub = NULL;
        const json_t *port;
        size_t i;
        rc = owner_of(run, id, &sub, err);
        if (rc != LP_OK)
            return rc;
        json_object_set_new(page, ends[e].device, json_string(sub->id));
        json_array_foreach(json_object_get(sub->root, LP_F_OPTICAL_DEVICE_PORTS), i, port)
        {
            if (json_equal(json_object_get(port, "subscription_instance_id"), id))
                json_object_set(glass, ends[e].port,
                                json_object_get(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME));
        }
        lp_subscription_free(sub);
    }
    *out = json_pack("[o, O, O, {}]", first_page(run, import_of(run->workflow)), page, glass);
    return rc;
}

static json_t *
skipped_keys(const json_t *state)
{
    const json_t *skipped = json_object_get(state, "skipped"), *row;
    json_t *keys = json_object();
    size_t i;

    json_array_foreach(skipped, i, row)
        json_object_set_new(keys, lp_json_str(row, "key", ""), json_true());
    return keys;
}

static enum lp_code
children(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    const struct import *import = import_of(run->workflow);
    json_auto_t *keys = skipped_keys(state);
    json_auto_t *rows = NULL;
    const json_t *row;
    size_t i;
    enum lp_code rc = lp_import_stored(run, lp_json_str(state, "source", ""),
                                       lp_json_int(state, "imported_at", 0), &rows, err);

    if (rc != LP_OK)
        return rc;
    json_array_foreach(rows, i, row)
    {
        const char *key = lp_json_str(row, "key", "");
        json_t *typed = NULL;

        if (json_object_get(keys, key) != NULL)
            continue;
        rc = import->pages(run, state, row, &typed, err);
        if (rc != LP_OK)
            return rc;
        if (json_array_append_new(items, json_pack("{s:s, s:s, s:o}", "item", key, "workflow",
                                                   import->child, "pages", typed))
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
    .title = "Create one subscription per row",
    .kind = LP_STEP_FANOUT,
    .effects = LP_EFFECT_DB,
    .when = any_to_create,
    .items = children,
    .max_open = 128, /* each look at the children costs as much as the list is long */
    .no_undo =
        "each row has a process of its own, which can be rolled back, and a terminate workflow",
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

/* ---- fibers that the TNMS knows ---- */

static const struct lp_field tnms_patterns[] = {
    {.name = "node_pattern",
     .title = "Nodes",
     .description = "Regular expression for the whole name of both nodes",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 255},
    {.name = "port_pattern",
     .title = "Ports",
     .description = "The same for both ports",
     .kind = LP_FIELD_STRING,
     .required = true,
     .required_in = -1,
     .has_min = true,
     .min = 1,
     .has_max = true,
     .max = 255},
};

static enum lp_code
tnms_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    json_auto_t *nodes = json_string(lp_conf_live_text(&ctx->conf->tnms_node_pattern));
    json_auto_t *ports = json_string(lp_conf_live_text(&ctx->conf->tnms_port_pattern));

    for (size_t i = 0; i < LP_COUNT(tnms_patterns); i++)
        lp_form_page_add(page, &tnms_patterns[i]);
    lp_form_page_default(page, "node_pattern", nodes);
    lp_form_page_default(page, "port_pattern", ports);
    return lp_form_add_choice(ctx, page, "partner_id", "Owner", "Partner", true, err);
}

static enum lp_code
tnms_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
           struct lp_err *err)
{
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < LP_COUNT(tnms_patterns); i++)
        lp_tnms_check_pattern(tnms_patterns[i].name, json_object_get(input, tnms_patterns[i].name),
                              problems);
    return LP_OK;
}

/* As if its rows had been typed: what exists is left out, the source is named after it. */
static enum lp_code
tnms_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    if (lp_json_set_str(output, "customer_id", lp_json_str(output, "partner_id", "")) != 0
        || lp_json_set_str(output, "source", "tnms") != 0
        || lp_json_set_str(output, "mode", SKIP_EXISTING) != 0
        || lp_json_set_bool(output, "ignore_other_columns", false) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    json_object_del(output, "partner_id");
    return LP_OK;
}

static const struct lp_page tnms_pages[] = {
    {.title = "Fibers of the TNMS", .build = tnms_build, .check = tnms_check}};
static const struct lp_form tnms_form = {LP_PAGES(tnms_pages), .finish = tnms_finish};

static enum lp_code
show_left_out(struct lp_form_page *page, const json_t *left_out, struct lp_err *err)
{
    json_auto_t *headers = json_pack("[s]", "left out because");
    json_auto_t *labels = json_array(), *cells = json_array(), *columns = json_pack("[O]", cells);
    const json_t *row;
    size_t i;

    json_array_foreach(left_out, i, row)
    {
        json_array_append(labels, json_object_get(row, "what"));
        json_array_append(cells, json_object_get(row, "why"));
    }
    if (json_array_size(labels) == 0)
        return LP_OK;
    return lp_form_add_summary(page, headers, labels, columns, err);
}

/* The rows as a text to change: lengths and fiber types are what the TNMS does not know. */
static enum lp_code
choose_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc =
        show_left_out(page, json_object_get(json_object_get(ctx->state, "tnms"), "left_out"), err);

    lp_form_page_add(page, &form_fields[0]); /* csv */
    lp_form_page_default(page, "csv", json_object_get(ctx->state, "csv"));
    return rc;
}

static enum lp_code
choose_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    json_auto_t *answers = json_copy((json_t *)(uintptr_t)ctx->state), *rows = NULL;
    const struct examined x = examined_by_form(ctx, answers, problems);

    if (answers == NULL || json_object_set(answers, "csv", json_object_get(input, "csv")) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    if (lp_tnms_is_stale(ctx->conf, ctx->clock, ctx->state)) {
        lp_problem_field(problems, "value_error", "csv", json_object_get(input, "csv"),
                         "what the TNMS said is too old (tnms.max_age_min): abort this task and "
                         "start it again");
        return LP_OK;
    }
    return examine(&x, &rows, err);
}

static const struct lp_page choose_pages[] = {
    {.title = "Fibers to import", .build = choose_build, .check = choose_check}};
static const struct lp_form choose_form = {LP_PAGES(choose_pages)};

static const struct lp_step step_choose = {
    .key = "choose",
    .title = "Look through what will be imported",
    .kind = LP_STEP_INPUT,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .when = has_rows,
    .form = &choose_form,
    .no_undo = "a decision of a person",
};

static const struct lp_step *const tnms_steps[] = {&lp_step_read_tnms, &step_choose, &step_store,
                                                   &step_create, &step_report};

static const struct import imports[] = {
    {"task_import_pops", "create_pop", &lp_import_pops, look_up_pop, pages_pop},
    {"task_import_optical_devices", "create_optical_device", &lp_import_devices, look_up_device,
     pages_device},
    {"task_import_optical_fibers", "create_optical_fiber", &lp_import_fibers, look_up_fiber,
     pages_fiber},
    {"task_import_tnms_fibers", "create_optical_fiber", &lp_import_fibers, look_up_fiber,
     pages_fiber},
};

static const struct import *
import_of(const struct lp_workflow *workflow)
{
    for (size_t i = 1; i < LP_COUNT(imports); i++)
        if (strcmp(imports[i].task, workflow->name) == 0)
            return &imports[i];
    return &imports[0];
}

static const struct lp_workflow list[] = {
    {.name = "task_import_pops",
     .description = "Import PoPs from CSV",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &form,
     .shares = share_owner,
     LP_STEPS(steps)},
    {.name = "task_import_optical_devices",
     .description = "Import optical devices from CSV",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &form,
     .shares = share_owner,
     LP_STEPS(steps)},
    {.name = "task_import_optical_fibers",
     .description = "Import optical fibers from CSV",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &form,
     .shares = share_owner,
     LP_STEPS(steps)},
    {.name = "task_import_tnms_fibers",
     .description = "Import optical fibers that the TNMS knows",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &tnms_form,
     .shares = share_owner,
     LP_STEPS(tnms_steps)},
};
const struct lp_workflow_set lp_workflows_imports = {list, LP_COUNT(list)};
