/* A CSV of PoPs: the header, every row, duplicates; all faults at once, each with row and column.
 */
#include <string.h>

#include "products/import_csv.h"
#include "tests/support/catalog_env.h"
#include "tests/support/test_main.h"

static struct lp_catalog *catalog;
static char pattern[] = "[A-Z0-9]{4}";
static const struct lp_conf conf = {.pop_code_pattern = pattern};

struct read {
    struct lp_problems problems;
    json_t *rows;
};

static struct read
read_csv(const char *text, const char *mapping, bool ignore)
{
    struct read r = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *map = mapping == NULL ? NULL : json_loads(mapping, 0, NULL);

    lp_problems_init(&r.problems);
    if (lp_import_csv_read(&lp_import_pops, catalog, &conf, text, strlen(text), map, ignore,
                           &r.problems, &r.rows, &err)
        != LP_OK)
        fail_msg("%s", err.msg);
    return r;
}

static void
drop(struct read *r)
{
    lp_problems_free(&r->problems);
    json_decref(r->rows);
}

static const char *
told(const struct read *r, size_t index)
{
    return lp_json_str(json_array_get(r->problems.list, index), "msg", "(none)");
}

static void
rows_become_documents(void **state)
{
    struct read r =
        read_csv("code;Name;lat;lon;town;id\nMI01;MI01 Milano;45.46427;9.18951;Milano;MI-1\n"
                 "RM01;RM01 Roma;41.9;-12.5;;\n",
                 NULL, false);
    json_auto_t *want =
        json_loads("{\"code\":\"MI01\",\"full_name\":\"MI01 Milano\",\"latitude_udeg\":45464270,"
                   "\"longitude_udeg\":9189510,\"address\":{\"city\":\"Milano\"}}",
                   0, NULL);
    const json_t *row = json_array_get(r.rows, 0);

    (void)state;
    assert_int_equal(lp_problems_count(&r.problems), 0);
    assert_int_equal(json_array_size(r.rows), 2);
    assert_true(lp_json_same(json_object_get(row, "document"), want));
    assert_string_equal(lp_json_str(row, "key", ""), "MI-1");
    assert_int_equal(lp_json_int(row, "row", 0), 2);
    row = json_array_get(r.rows, 1);
    assert_string_equal(lp_json_str(row, "key", ""), "RM01"); /* without a key: the code */
    assert_null(json_object_get(json_object_get(row, "document"), "address"));
    drop(&r);
}

static void
columns_are_mapped(void **state)
{
    struct read r = read_csv(
        "Kuerzel,Ort,B,L,extra\nMI01,MI01 Milano,45.4,9.1,x\n",
        "{\"code\":\"kuerzel\",\"full_name\":\"Ort\",\"latitude\":\"B\",\"longitude\":\"L\"}",
        true);

    (void)state;
    assert_int_equal(lp_problems_count(&r.problems), 0);
    assert_int_equal(json_array_size(r.rows), 1);
    drop(&r);
}

static void
OPT_081_header_is_checked(void **state)
{
    struct read r = read_csv("code,nmae,lat,code\nMI01,x,1,y\n", NULL, false);

    (void)state;
    assert_int_equal(lp_problems_count(&r.problems), 1);
    assert_string_equal(told(&r, 0), "unexpected columns nmae, code; missing full_name, longitude");
    drop(&r);
    r = read_csv("code,name,lat,lon\nMI01,MI01,1,1\n", "{\"key\":\"nowhere\"}", false);
    assert_string_equal(told(&r, 0), "unexpected columns none; missing nowhere");
    drop(&r);
    r = read_csv("code,name,lat,lon\n", NULL, false);
    assert_string_equal(told(&r, 0), "the file has a header but no rows");
    drop(&r);
    r = read_csv("code,name,lat,lon\nMI01,\"x", NULL, false);
    assert_string_equal(told(&r, 0), "row 2, column 2: a quote is not closed");
    drop(&r);
}

static void
OPT_080_every_fault_of_every_row(void **state)
{
    struct read r = read_csv("code,name,lat,lon\n"
                             "mi01,mi01 Milano,45.4,9.1\n"
                             "RM01,Roma,45.4,9.1\n"
                             "TO01,TO01 Torino,95,\n"
                             "NA01,NA01 Napoli,1,1,1\n"
                             "VE01,VE01 Venezia,1,1\n"
                             "VE01,VE01 Mestre,1,1\n",
                             NULL, false);
    static const char *const want[] = {
        "row 2, column code: PoP code mi01 must match [A-Z0-9]{4}",
        "row 3, column name: full name must begin with the PoP code RM01",
        ("row 4, column lat: latitude '95' must be decimal degrees between -90 and 90, such as "
         "45.478611"),
        "row 4, column lon: a value is required",
        "row 5, column code: the row has 5 cells, the header 4",
        "row 7, column code: 'VE01' stands in row 6 already",
    };
    const json_t *ctx;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(want); i++)
        assert_string_equal(told(&r, i), want[i]);
    assert_int_equal(lp_problems_count(&r.problems), LP_COUNT(want));
    ctx = json_object_get(json_array_get(r.problems.list, 2), "ctx");
    assert_string_equal(lp_json_str(ctx, "code", ""), "OPT-080");
    assert_int_equal(lp_json_int(ctx, "row", 0), 4);
    assert_string_equal(lp_json_str(ctx, "column", ""), "lat");
    drop(&r);
}

static void
keys_and_cities_follow_the_catalog(void **state)
{
    char text[700], key[300];
    struct read r;

    (void)state;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    (void)snprintf(text, sizeof text,
                   "code,name,lat,lon,key,city\nMI01,MI01,1,1,%s,\nMI02,MI02,1,1, x,\"a\nb\"\n",
                   key);
    r = read_csv(text, NULL, false);
    assert_string_equal(told(&r, 0),
                        "row 2, column key: String should have at most 255 characters");
    assert_string_equal(
        told(&r, 1),
        "row 3, column city: must be one line that neither begins nor ends with a blank");
    assert_string_equal(
        told(&r, 2),
        "row 3, column key: must be one line that neither begins nor ends with a blank");
    assert_int_equal(lp_problems_count(&r.problems), 3);
    drop(&r);
}

static void
the_demo_file_is_good(void **state)
{
    char path[512], *text = NULL;
    size_t cap = 0;
    FILE *file;
    struct read r;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/scripts/demo.d/pops.csv", lp_test_root());
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &cap, EOF, file) > 0);
    (void)fclose(file);
    r = read_csv(text, NULL, false);
    assert_int_equal(lp_problems_count(&r.problems), 0);
    assert_int_equal(json_array_size(r.rows), 44);
    drop(&r);
    free(text);
}

static int
setup(void **state)
{
    (void)state;
    catalog = lp_test_catalog(false);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    lp_catalog_free(catalog);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_documents),
        cmocka_unit_test(columns_are_mapped),
        cmocka_unit_test(OPT_081_header_is_checked),
        cmocka_unit_test(OPT_080_every_fault_of_every_row),
        cmocka_unit_test(keys_and_cities_follow_the_catalog),
        cmocka_unit_test(the_demo_file_is_good),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
