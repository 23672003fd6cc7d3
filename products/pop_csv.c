#include "products/pop_csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/products_gen.h"
#include "products/coord.h"
#include "products/csv.h"
#include "products/product.h"

/* What a column becomes in the document, and under which names it is found without a mapping. */
static const struct column {
    const char *name;
    const char *usual[4];
    const char *member; /* in the document */
    const char *inside; /* the member is an object: field in it */
    bool required;
} columns[LP_POP_COLUMN_COUNT] = {
    [LP_POP_CODE] = {"code", {"code", "pop_code", "pop"}, LP_F_POP_CODE, NULL, true},
    [LP_POP_FULL_NAME] =
        {"full_name", {"full_name", "name", "full name"}, LP_F_POP_FULL_NAME, NULL, true},
    [LP_POP_LATITUDE] = {"latitude", {"latitude", "lat"}, LP_F_POP_LATITUDE_UDEG, NULL, true},
    [LP_POP_LONGITUDE] =
        {"longitude", {"longitude", "lon", "lng", "long"}, LP_F_POP_LONGITUDE_UDEG, NULL, true},
    [LP_POP_CITY] = {"city", {"city", "town"}, LP_F_POP_ADDRESS, LP_F_POP_ADDRESS_CITY, false},
    [LP_POP_KEY] = {"key", {"key", "source_key", "id"}, "import_key", NULL, false},
};

const char *
lp_pop_column_name(enum lp_pop_column column)
{
    return columns[column].name;
}

struct reading {
    const struct lp_conf *conf;
    const struct lp_catalog *catalog;
    const struct lp_product_type *type;
    struct lp_csv csv;
    int at[LP_POP_COLUMN_COUNT]; /* index in the file, or -1 */
    struct lp_problems *problems;
    json_t *rows;
    json_t *seen[LP_POP_COLUMN_COUNT]; /* value -> row, of columns whose values must differ */
};

/* ---- problems ---- */

void
lp_pop_csv_problem(struct lp_problems *problems, int64_t row, const char *column, const char *fmt,
                   ...)
{
    json_auto_t *loc = json_pack("[s]", "csv");
    char reason[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    lp_problem_add(
        problems, "value_error", loc, NULL,
        json_pack("{s:s, s:I, s:s}", "code", "OPT-080", "row", (json_int_t)row, "column", column),
        "row %lld, column %s: %s", (long long)row, column, reason);
}

static const char *
shown(const struct reading *r, enum lp_pop_column column)
{
    return r->at[column] < 0 ? columns[column].name : r->csv.header.cells[r->at[column]];
}

/* ---- header ---- */

static int
find_column(const struct reading *r, enum lp_pop_column column, const json_t *mapping)
{
    const char *given = lp_json_str(mapping, columns[column].name, NULL);
    int found = -1;

    if (given != NULL)
        return lp_csv_column(&r->csv, given);
    for (size_t i = 0; i < LP_COUNT(columns[column].usual) && found < 0; i++)
        if (columns[column].usual[i] != NULL)
            found = lp_csv_column(&r->csv, columns[column].usual[i]);
    return found;
}

static void
add_name(struct lp_buf *list, const char *name)
{
    lp_buf_printf(list, "%s%.60s", list->len == 0 ? "" : ", ", *name == '\0' ? "''" : name);
}

static bool
is_used(const struct reading *r, size_t index)
{
    for (size_t i = 0; i < LP_POP_COLUMN_COUNT; i++)
        if (r->at[i] == (int)index)
            return true;
    return false;
}

static void
header_problem(struct reading *r, const struct lp_buf *unexpected, const struct lp_buf *missing)
{
    json_auto_t *loc = json_pack("[s]", "csv");

    lp_problem_add(r->problems, "value_error", loc, NULL, json_pack("{s:s}", "code", "OPT-081"),
                   "unexpected columns %.200s; missing %.200s",
                   unexpected->len == 0 ? "none" : unexpected->data,
                   missing->len == 0 ? "none" : missing->data);
}

static void
read_header(struct reading *r, const json_t *mapping, bool ignore_others)
{
    struct lp_buf unexpected = LP_BUF_INIT, missing = LP_BUF_INIT;

    for (size_t i = 0; i < LP_POP_COLUMN_COUNT; i++) {
        const char *given = lp_json_str(mapping, columns[i].name, NULL);

        r->at[i] = find_column(r, (enum lp_pop_column)i, mapping);
        if (r->at[i] < 0 && (columns[i].required || given != NULL))
            add_name(&missing, given != NULL ? given : columns[i].name);
    }
    for (size_t i = 0; i < r->csv.header.count && !ignore_others; i++)
        if (!is_used(r, i))
            add_name(&unexpected, r->csv.header.cells[i]);
    if (unexpected.len > 0 || missing.len > 0)
        header_problem(r, &unexpected, &missing);
    lp_buf_free(&unexpected);
    lp_buf_free(&missing);
}

/* ---- rows ---- */

static const char *
cell(const struct reading *r, const struct lp_csv_row *row, enum lp_pop_column column)
{
    int at = r->at[column];

    return at < 0 || (size_t)at >= row->count ? "" : row->cells[at];
}

static int
put_coord(struct reading *r, const struct lp_csv_row *row, enum lp_pop_column column,
          json_t *document)
{
    enum lp_coord kind = column == LP_POP_LATITUDE ? LP_LATITUDE : LP_LONGITUDE;
    struct lp_err bad = LP_ERR_INIT;
    int64_t udeg = 0;
    int failed = 0;

    if (lp_coord_parse(kind, cell(r, row, column), &udeg, &bad) == LP_OK)
        failed = lp_json_set_int(document, columns[column].member, udeg);
    else
        lp_pop_csv_problem(r->problems, (int64_t)row->number, shown(r, column), "%s", bad.msg);
    lp_err_clear(&bad);
    return failed;
}

static int
put_cell(struct reading *r, const struct lp_csv_row *row, enum lp_pop_column column,
         json_t *document)
{
    const struct column *c = &columns[column];
    const char *text = cell(r, row, column);

    if (*text == '\0') {
        if (c->required)
            lp_pop_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                               "a value is required");
        return 0;
    }
    if (column == LP_POP_LATITUDE || column == LP_POP_LONGITUDE)
        return put_coord(r, row, column, document);
    if (c->inside != NULL)
        return json_object_set_new(document, c->member, json_pack("{s:s}", c->inside, text));
    return lp_json_set_str(document, c->member, text);
}

/* The file's column behind a place of the catalog. */
static const char *
column_of(const struct reading *r, const json_t *loc)
{
    const char *member = json_string_value(json_array_get(loc, 0));

    for (size_t i = 0; member != NULL && i < LP_POP_COLUMN_COUNT; i++)
        if (strcmp(columns[i].member, member) == 0)
            return shown(r, (enum lp_pop_column)i);
    return member == NULL ? "?" : member;
}

/* Product rules, then the catalog's about places the product has not spoken of. */
static enum lp_code
check_document(struct reading *r, const struct lp_csv_row *row, json_t *document,
               struct lp_err *err)
{
    struct lp_problems found;
    const json_t *problem;
    const char *last = "";
    size_t i;
    enum lp_code rc;

    lp_problems_init(&found);
    lp_product_pop.check(r->conf, document, &found);
    rc = lp_problems_count(&found) > 0
             ? LP_OK
             : lp_model_check(r->catalog, r->type, document, LP_LC_ACTIVE, &found, err);
    json_array_foreach(found.list, i, problem)
    {
        const char *column = column_of(r, json_object_get(problem, "loc"));

        if (strcmp(column, last) != 0)
            lp_pop_csv_problem(r->problems, (int64_t)row->number, column, "%s",
                               lp_json_str(problem, "msg", "not valid"));
        last = column;
    }
    lp_problems_free(&found);
    return rc;
}

/* Two rows of one file cannot have the same. */
static int
check_distinct(struct reading *r, const struct lp_csv_row *row, enum lp_pop_column column,
               const char *value)
{
    const json_t *before = json_object_get(r->seen[column], value);

    if (*value == '\0')
        return 0;
    if (before == NULL)
        return json_object_set_new(r->seen[column], value, json_integer((json_int_t)row->number));
    lp_pop_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                       "'%.100s' stands in row %lld already", value,
                       (long long)json_integer_value(before));
    return 0;
}

static enum lp_code
read_row(struct reading *r, const struct lp_csv_row *row, struct lp_err *err)
{
    json_auto_t *document =
        json_pack("{s:s}", "subscription_instance_id", "00000000-0000-4000-8000-000000000000");
    size_t before = lp_problems_count(r->problems);
    const char *key = cell(r, row, LP_POP_KEY);
    enum lp_code rc = LP_OK;
    int failed = document == NULL;

    if (row->count != r->csv.header.count)
        lp_pop_csv_problem(r->problems, (int64_t)row->number, shown(r, LP_POP_CODE),
                           "the row has %zu cells, the header %zu", row->count,
                           r->csv.header.count);
    for (size_t i = 0; i < LP_POP_COLUMN_COUNT; i++)
        failed |= put_cell(r, row, (enum lp_pop_column)i, document);
    if (*key == '\0')
        key = cell(r, row, LP_POP_CODE);
    failed |= check_distinct(r, row, LP_POP_CODE, cell(r, row, LP_POP_CODE));
    failed |= check_distinct(r, row, LP_POP_FULL_NAME, cell(r, row, LP_POP_FULL_NAME));
    if (lp_problems_count(r->problems) == before) /* a key is often the code: told once */
        failed |= check_distinct(r, row, LP_POP_KEY, key);
    if (!failed && lp_problems_count(r->problems) == before)
        rc = check_document(r, row, document, err);
    json_object_del(document, "subscription_instance_id"); /* both only stood there to be checked */
    json_object_del(document, "import_key");
    failed |=
        json_array_append_new(r->rows, json_pack("{s:I, s:s, s:O}", "row", (json_int_t)row->number,
                                                 "key", key, "document", document));
    if (rc == LP_OK && failed)
        return lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    return rc;
}

static enum lp_code
read_rows(struct reading *r, struct lp_err *err)
{
    json_auto_t *loc = json_pack("[s]", "csv");
    enum lp_code rc = LP_OK;
    size_t i;

    if (r->csv.row_count == 0)
        lp_problem_add(r->problems, "value_error", loc, NULL, NULL,
                       "the file has a header but no rows");
    for (i = 0; i < LP_POP_COLUMN_COUNT; i++)
        r->seen[i] = json_object();
    for (i = 0; i < r->csv.row_count && rc == LP_OK; i++)
        rc = read_row(r, &r->csv.rows[i], err);
    for (i = 0; i < LP_POP_COLUMN_COUNT; i++)
        json_decref(r->seen[i]);
    return rc;
}

enum lp_code
lp_pop_csv_read(const struct lp_catalog *catalog, const struct lp_conf *conf, const char *text,
                size_t len, const json_t *mapping, bool ignore_others, struct lp_problems *problems,
                json_t **rows, struct lp_err *err)
{
    struct reading r = {.catalog = catalog, .conf = conf, .problems = problems};
    struct lp_err bad = LP_ERR_INIT;
    size_t before = lp_problems_count(problems);
    enum lp_code rc;

    r.type = lp_catalog_product(catalog, "PoP");
    if (r.type == NULL)
        return lp_fail(err, LP_INTERNAL, "there is no product PoP");
    rc = lp_csv_parse(text, len, &r.csv, &bad);
    if (rc == LP_INVALID || rc == LP_TOO_LARGE) {
        lp_problem_field(problems, "value_error", "csv", NULL, "%s", bad.msg);
        lp_err_clear(&bad);
        return LP_OK;
    }
    if (rc != LP_OK) {
        lp_err_move(err, &bad);
        return rc;
    }
    r.rows = json_array();
    read_header(&r, mapping, ignore_others);
    if (lp_problems_count(problems) == before)
        rc = read_rows(&r, err);
    lp_csv_free(&r.csv);
    if (rc == LP_OK)
        *rows = json_incref(r.rows);
    json_decref(r.rows);
    return rc;
}
