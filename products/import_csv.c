#include "products/import_csv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "products/coord.h"
#include "products/csv.h"
#include "products/product.h"

#define COLUMNS_MOST 32
#define KEY          "import_key"

struct reading {
    const struct lp_import_kind *kind;
    const struct lp_product *product;
    const struct lp_conf *conf;
    const struct lp_catalog *catalog;
    const struct lp_product_type *type;
    struct lp_csv csv;
    int at[COLUMNS_MOST]; /* index in the file, or -1 */
    struct lp_problems *problems;
    json_t *rows;
    json_t *seen[COLUMNS_MOST]; /* value -> row, of columns whose values must differ */
};

/* ---- problems ---- */

void
lp_csv_problem(struct lp_problems *problems, int64_t row, const char *column, const char *fmt, ...)
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
shown(const struct reading *r, size_t column)
{
    return r->at[column] < 0 ? r->kind->columns[column].name : r->csv.header.cells[r->at[column]];
}

/* ---- header ---- */

static int
find_column(const struct reading *r, size_t column, const json_t *mapping)
{
    const char *given = lp_json_str(mapping, r->kind->columns[column].name, NULL);
    int found = -1;

    if (given != NULL)
        return lp_csv_column(&r->csv, given);
    for (size_t i = 0; i < LP_COUNT(r->kind->columns[column].usual) && found < 0; i++)
        if (r->kind->columns[column].usual[i] != NULL)
            found = lp_csv_column(&r->csv, r->kind->columns[column].usual[i]);
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
    for (size_t i = 0; i < r->kind->count; i++)
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

    for (size_t i = 0; i < r->kind->count; i++) {
        const char *given = lp_json_str(mapping, r->kind->columns[i].name, NULL);

        r->at[i] = find_column(r, i, mapping);
        if (r->at[i] < 0 && (r->kind->columns[i].required || given != NULL))
            add_name(&missing, given != NULL ? given : r->kind->columns[i].name);
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
cell(const struct reading *r, const struct lp_csv_row *row, size_t column)
{
    int at = r->at[column];

    return at < 0 || (size_t)at >= row->count ? "" : row->cells[at];
}

/* Integer of a cell; false: there is a problem. */
static bool
read_int(struct reading *r, const struct lp_csv_row *row, size_t column, int64_t *out)
{
    const char *text = cell(r, row, column);
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0'
        && (text[0] == '-' || isdigit((unsigned char)text[0])))
        return true;
    lp_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                   "'%.60s' is not a whole number", text);
    return false;
}

/* "21.4" dB -> 2140. */
static bool
read_cdb(struct reading *r, const struct lp_csv_row *row, size_t column, int64_t *out)
{
    const char *text = cell(r, row, column);
    size_t whole = strspn(text, "0123456789"), part = 0;

    if (text[whole] == '.')
        part = strspn(text + whole + 1, "0123456789");
    if (whole == 0 || whole > 6 || part > 2 || (text[whole] == '.' && part == 0)
        || text[whole + (part > 0 ? part + 1 : 0)] != '\0') {
        lp_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                       "'%.60s' is no loss in dB with at most two decimals", text);
        return false;
    }
    *out = strtoll(text, NULL, 10) * 100;
    if (part > 0)
        *out += strtoll(text + whole + 1, NULL, 10) * (part == 1 ? 10 : 1);
    return true;
}

static bool
read_coord(struct reading *r, const struct lp_csv_row *row, size_t column, int64_t *out)
{
    enum lp_coord kind =
        r->kind->columns[column].value == LP_CSV_LATITUDE ? LP_LATITUDE : LP_LONGITUDE;
    struct lp_err bad = LP_ERR_INIT;
    bool ok = lp_coord_parse(kind, cell(r, row, column), out, &bad) == LP_OK;

    if (!ok)
        lp_csv_problem(r->problems, (int64_t)row->number, shown(r, column), "%s", bad.msg);
    lp_err_clear(&bad);
    return ok;
}

static json_t *
split(const char *text)
{
    json_t *list = json_array();

    while (*text != '\0') {
        size_t len = strcspn(text, "-");
        json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == '-' ? 1 : 0);
    }
    return list;
}

/* Value of a cell that is not empty; NULL: there is a problem. */
static json_t *
value_of(struct reading *r, const struct lp_csv_row *row, size_t column)
{
    const char *text = cell(r, row, column);
    int64_t number = 0;
    bool ok = false;

    switch (r->kind->columns[column].value) {
    case LP_CSV_TEXT:
    case LP_CSV_LINK:
        return json_string(text);
    case LP_CSV_LIST:
        return split(text);
    case LP_CSV_INT:
        ok = read_int(r, row, column, &number);
        break;
    case LP_CSV_CDB:
        ok = read_cdb(r, row, column, &number);
        break;
    case LP_CSV_LATITUDE:
    case LP_CSV_LONGITUDE:
        ok = read_coord(r, row, column, &number);
        break;
    }
    return ok ? json_integer(number) : NULL;
}

static void
put_cell(struct reading *r, const struct lp_csv_row *row, size_t column, json_t *document,
         json_t *links)
{
    const struct lp_csv_column *c = &r->kind->columns[column];
    json_t *value;

    if (*cell(r, row, column) == '\0') {
        if (c->required)
            lp_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                           "a value is required");
        return;
    }
    value = value_of(r, row, column);
    if (value == NULL)
        return;
    if (c->inside != NULL)
        value = json_pack("{s:o}", c->inside, value);
    json_object_set_new(c->value == LP_CSV_LINK ? links : document, c->member, value);
}

/* The file's column behind a place of the catalog. */
static const char *
column_of(const struct reading *r, const json_t *loc)
{
    const char *member = json_string_value(json_array_get(loc, 0));

    for (size_t i = 0; member != NULL && i < r->kind->count; i++)
        if (strcmp(r->kind->columns[i].member, member) == 0)
            return shown(r, i);
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
    r->product->check(r->conf, document, &found);
    rc = lp_problems_count(&found) > 0
             ? LP_OK
             : lp_model_check(r->catalog, r->type, document, LP_LC_ACTIVE, &found, err);
    json_array_foreach(found.list, i, problem)
    {
        const char *column = column_of(r, json_object_get(problem, "loc"));

        if (strcmp(column, last) != 0)
            lp_csv_problem(r->problems, (int64_t)row->number, column, "%s",
                           lp_json_str(problem, "msg", "not valid"));
        last = column;
    }
    lp_problems_free(&found);
    return rc;
}

/* Two rows of one file cannot have the same. */
static int
check_distinct(struct reading *r, const struct lp_csv_row *row, size_t column, const char *value)
{
    const json_t *before = json_object_get(r->seen[column], value);

    if (*value == '\0')
        return 0;
    if (before == NULL)
        return json_object_set_new(r->seen[column], value, json_integer((json_int_t)row->number));
    lp_csv_problem(r->problems, (int64_t)row->number, shown(r, column),
                   "'%.100s' stands in row %lld already", value,
                   (long long)json_integer_value(before));
    return 0;
}

/* What the row is called: its first columns. */
static void
row_name(const struct reading *r, const struct lp_csv_row *row, struct lp_buf *name)
{
    for (size_t i = 0; i < r->kind->name_columns; i++)
        lp_buf_printf(name, "%s%s", i == 0 ? "" : " ", cell(r, row, i));
}

static int
check_all_distinct(struct reading *r, const struct lp_csv_row *row, const char *key, size_t before)
{
    int failed = 0;

    for (size_t i = 0; i < r->kind->count; i++) {
        bool is_key = strcmp(r->kind->columns[i].member, KEY) == 0;
        if (is_key && lp_problems_count(r->problems) == before) /* often the name: told once */
            failed |= check_distinct(r, row, i, key);
        else if (!is_key && r->kind->columns[i].distinct)
            failed |= check_distinct(r, row, i, cell(r, row, i));
    }
    return failed;
}

static enum lp_code
check_filled(struct reading *r, const struct lp_csv_row *row, json_t *document, struct lp_err *err)
{
    json_auto_t *filler = json_loads(r->kind->filler, 0, NULL), *whole = json_copy(document);

    if (filler == NULL || whole == NULL || json_object_update_missing(whole, filler) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the rows of the file");
    return check_document(r, row, whole, err);
}

static enum lp_code
read_row(struct reading *r, const struct lp_csv_row *row, struct lp_err *err)
{
    json_auto_t *document = json_object(), *links = json_object(), *key = NULL;
    size_t before = lp_problems_count(r->problems);
    struct lp_buf name = LP_BUF_INIT;
    enum lp_code rc = LP_OK;
    int failed = 0;

    if (row->count != r->csv.header.count)
        lp_csv_problem(r->problems, (int64_t)row->number, shown(r, 0),
                       "the row has %zu cells, the header %zu", row->count, r->csv.header.count);
    for (size_t i = 0; i < r->kind->count; i++)
        put_cell(r, row, i, document, links);
    row_name(r, row, &name);
    key = json_incref(json_object_get(document, KEY));
    if (key == NULL)
        key = json_string(name.data == NULL ? "" : name.data);
    failed |= check_all_distinct(r, row, json_string_value(key), before);
    if (r->kind->finish != NULL && lp_problems_count(r->problems) == before)
        r->kind->finish((int64_t)row->number, document, r->problems);
    if (!failed && lp_problems_count(r->problems) == before)
        rc = check_filled(r, row, document, err);
    json_object_del(document, KEY); /* it only stood there to be checked */
    failed |= json_array_append_new(r->rows, json_pack("{s:I, s:s, s:O, s:O, s:O}", "row",
                                                       (json_int_t)row->number, "name",
                                                       name.data == NULL ? "" : name.data, "key",
                                                       key, "document", document, "links", links));
    lp_buf_free(&name);
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
    for (i = 0; i < r->kind->count; i++)
        r->seen[i] = json_object();
    for (i = 0; i < r->csv.row_count && rc == LP_OK; i++)
        rc = read_row(r, &r->csv.rows[i], err);
    for (i = 0; i < r->kind->count; i++)
        json_decref(r->seen[i]);
    return rc;
}

enum lp_code
lp_import_csv_read(const struct lp_import_kind *kind, const struct lp_catalog *catalog,
                   const struct lp_conf *conf, const char *text, size_t len, const json_t *mapping,
                   bool ignore_others, struct lp_problems *problems, json_t **rows,
                   struct lp_err *err)
{
    struct reading r = {.kind = kind,
                        .product = lp_product_of(kind->product),
                        .catalog = catalog,
                        .conf = conf,
                        .problems = problems};
    struct lp_err bad = LP_ERR_INIT;
    size_t before = lp_problems_count(problems);
    enum lp_code rc;

    r.type = lp_catalog_product(catalog, kind->product);
    if (r.type == NULL || r.product == NULL || kind->count > COLUMNS_MOST)
        return lp_fail(err, LP_INTERNAL, "%s cannot be imported", kind->product);
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
