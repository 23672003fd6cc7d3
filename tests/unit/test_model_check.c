/* Values and instances: strict checks, every problem, order, labels, rows, assignment, differences.
 */
#include "tests/support/model_env.h"

static struct lp_catalog *catalog;
static const struct lp_product_type *line, *pop;

/* ---- helpers ---- */

static struct lp_problems
check(const struct lp_product_type *product, const json_t *root, enum lp_lifecycle status)
{
    struct lp_problems problems;
    struct lp_err err = LP_ERR_INIT;

    lp_problems_init(&problems);
    if (lp_model_check(catalog, product, root, status, &problems, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return problems;
}

static void
assert_valid(const struct lp_product_type *product, const json_t *root, enum lp_lifecycle status)
{
    struct lp_problems problems = check(product, root, status);

    if (lp_problems_count(&problems) != 0)
        fail_msg("%s", json_dumps(problems.list, JSON_INDENT(1)));
    lp_problems_free(&problems);
}

static void
set(json_t *root, const char *name, const char *text)
{
    assert_int_equal(json_object_set_new(root, name, test_json(text)), 0);
}

/* Cut into rows and put together again from rows in reverse order. */
static json_t *
stored_and_loaded(const struct lp_product_type *product, const json_t *root)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows;
    struct lp_instance *shuffled;
    json_t *back = NULL;

    if (lp_model_split(catalog, product, root, &rows, &err) != LP_OK)
        fail_msg("%s", err.msg);
    shuffled = calloc(rows.count, sizeof *shuffled);
    assert_non_null(shuffled);
    for (size_t i = 0; i < rows.count; i++)
        shuffled[rows.count - 1 - i] = rows.rows[i];
    if (lp_model_join(catalog, product, shuffled, rows.count, &back, &err) != LP_OK)
        fail_msg("%s", err.msg);
    free(shuffled);
    lp_instances_free(&rows);
    return back;
}

/* ---- weaknesses ---- */

/* Lists of values keep their order and repeated values, values keep their types. */
static void
W41_value_order_and_type(void **state)
{
    json_t *root = test_line(catalog), *back = stored_and_loaded(line, root);
    char *a = json_dumps(json_object_get(root, "names"), 0),
         *b = json_dumps(json_object_get(back, "names"), 0);

    (void)state;
    assert_true(json_equal(root, back));
    assert_string_equal(a, "[\"b\", \"a\", \"b\"]");
    assert_string_equal(a, b);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(back, "lengths"), 0)), 30);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(back, "lengths"), 1)), 9);
    assert_true(json_is_integer(json_object_get(back, "circuit_id")));
    assert_true(json_is_true(json_object_get(back, "enabled")));
    assert_string_equal(
        lp_json_str(json_array_get(json_object_get(back, "ends"), 0), "port_name", ""), "p2");
    assert_string_equal(json_string_value(json_array_get(json_object_get(back, "via"), 1)),
                        "01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f1");
    free(a);
    free(b);
    json_decref(back);
    json_decref(root);
}

/* The label of a block survives load and save, in the row and in the document. */
static void
W42_label_survives(void **state)
{
    json_t *root = test_line(catalog), *back, *again;
    struct lp_instances rows;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    set(root, "label", "'the root'");
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_OK);
    assert_string_equal(rows.rows[0].label, "the root");
    assert_null(strstr(rows.rows[0].doc, "the root"));
    lp_instances_free(&rows);
    back = stored_and_loaded(line, root);
    again = stored_and_loaded(line, back);
    assert_string_equal(lp_json_str(again, "label", ""), "the root");
    assert_string_equal(lp_json_str(json_array_get(json_object_get(again, "ends"), 0), "label", ""),
                        "z side");
    assert_null(json_object_get(json_array_get(json_object_get(again, "ends"), 1), "label"));
    json_decref(again);
    json_decref(back);
    json_decref(root);
}

/* Only the row without parent is the root, whatever blocks of its type lie inside. */
static void
W45_root_discovery(void **state)
{
    const struct lp_product_type *tree = lp_catalog_product(catalog, "Test tree");
    struct lp_err err = LP_ERR_INIT;
    json_t *input = test_json(
        "{'title':'top','trees':[{'title':'first'},{'title':'second'},{'title':'third'}]}");
    json_t *root = NULL, *back;

    (void)state;
    assert_int_equal(lp_model_new(catalog, tree, input, &test_clock, &root, &err), LP_OK);
    assert_valid(tree, root, LP_LC_ACTIVE);
    back = stored_and_loaded(tree, root); /* the root's row comes last */
    assert_true(json_equal(root, back));
    assert_string_equal(lp_json_str(back, "title", ""), "top");
    assert_string_equal(lp_json_str(json_array_get(json_object_get(back, "trees"), 2), "title", ""),
                        "third");
    json_decref(back);
    json_decref(root);
    json_decref(input);
}

/* min-elements, max-elements and "exactly one" are enforced, on owned blocks too. */
static void
W46_cardinality(void **state)
{
    json_t *root = test_line(catalog), *ends = json_object_get(root, "ends");
    json_t *third = json_deep_copy(json_array_get(ends, 0));
    struct lp_problems problems;

    (void)state;
    assert_valid(line, root, LP_LC_ACTIVE);
    assert_int_equal(json_array_append_new(ends, third), 0);
    set(third, "subscription_instance_id", "'01a1f86e-2944-7a6e-88f7-000000000001'");
    problems = check(line, root, LP_LC_ACTIVE);
    assert_string_equal(test_has(&problems, "ends", "too_long"),
                        "List should have at most 2 items after validation, not 3");
    lp_problems_free(&problems);
    assert_int_equal(json_array_remove(ends, 2), 0);
    assert_int_equal(json_array_remove(ends, 1), 0);
    set(root, "lengths", "[1,2,3,4,5,6]");
    set(root, "segments",
        "[{'length_m':1},{'length_m':1},{'length_m':1},{'length_m':1},{'length_m':1}]");
    problems = check(line, root, LP_LC_INITIAL);
    assert_string_equal(test_has(&problems, "ends", "too_short"),
                        "List should have at least 2 items after validation, not 1");
    (void)test_has(&problems, "lengths", "too_long");
    (void)test_has(&problems, "segments", "too_long");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(test_problem(&problems, "ends"), "ctx"), "min_length")),
                     2);
    lp_problems_free(&problems);
    (void)json_object_del(root, "ends");
    problems = check(line, root, LP_LC_INITIAL);
    (void)test_has(&problems, "ends", "missing");
    lp_problems_free(&problems);
    json_decref(root);
}

/* Texts stay texts, whatever they look like; nothing is coerced on the way in. */
static void
W49_no_type_guessing(void **state)
{
    static const char *const texts[] = {"2026-02-01T10:00:00+00:00",
                                        "2026-02-01T10:00:00.25000",
                                        "12",
                                        "true",
                                        "null",
                                        "1e5",
                                        "01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f0",
                                        "{\"a\":1}"};
    json_t *root = test_line(catalog), *back;
    struct lp_problems problems;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        assert_int_equal(json_object_set_new(root, "stamp", json_string(texts[i])), 0);
        assert_valid(line, root, LP_LC_ACTIVE);
        back = stored_and_loaded(line, root);
        assert_true(json_is_string(json_object_get(back, "stamp")));
        assert_string_equal(lp_json_str(back, "stamp", ""), texts[i]);
        json_decref(back);
    }
    set(root, "stamp", "12");
    set(root, "circuit_id", "'12'");
    set(root, "enabled", "'true'");
    set(root, "priority", "true");
    problems = check(line, root, LP_LC_ACTIVE);
    assert_string_equal(test_has(&problems, "stamp", "string_type"),
                        "Input should be a valid string");
    assert_string_equal(test_has(&problems, "circuit_id", "int_type"),
                        "Input should be a valid integer");
    assert_string_equal(test_has(&problems, "enabled", "bool_type"),
                        "Input should be a valid boolean");
    (void)test_has(&problems, "priority", "int_type");
    assert_int_equal(lp_problems_count(&problems), 4);
    lp_problems_free(&problems);
    json_decref(root);
}

/* A later status demands more and drops nothing: the same document, the same fields, in every
 * status. */
static void
W53_variants_only_tighten(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = NULL, *back,
           *input = test_json(
               "{'comment':'kept','ends':[{'limits':{'high_cdb':1}},{'limits':{'high_cdb':2}}]}");
    struct lp_problems problems;

    (void)state;
    assert_int_equal(lp_model_new(catalog, line, input, &test_clock, &root, &err), LP_OK);
    assert_valid(line, root, LP_LC_INITIAL);
    problems = check(line, root, LP_LC_PROVISIONING);
    (void)test_has(&problems, "line_name", "missing");
    (void)test_has(&problems, "ends.0.port_name", "missing");
    (void)test_has(&problems, "ends.1.port_name", "missing");
    assert_int_equal(lp_problems_count(&problems), 3);
    lp_problems_free(&problems);
    problems = check(line, root, LP_LC_ACTIVE);
    (void)test_has(&problems, "address.city", "missing");
    (void)test_has(&problems, "site", "missing");
    (void)test_has(&problems, "trail_id", "missing");
    assert_int_equal(lp_problems_count(&problems), 6);
    lp_problems_free(&problems);
    problems = check(line, root, LP_LC_MIGRATING);
    assert_int_equal(lp_problems_count(&problems), 6);
    lp_problems_free(&problems);
    assert_valid(line, root, LP_LC_TERMINATED);
    json_decref(root);
    root = test_line(catalog);
    for (unsigned status = 0; status < LP_LC_COUNT; status++)
        assert_valid(line, root, (enum lp_lifecycle)status);
    back = stored_and_loaded(line, root);
    assert_true(
        json_equal(root, back)); /* optional fields of the base are stored whatever the status */
    json_decref(back);
    /* what nobody declared is refused by name, never dropped */
    set(root, "forgotten", "'value'");
    problems = check(line, root, LP_LC_ACTIVE);
    assert_string_equal(test_has(&problems, "forgotten", "extra_forbidden"),
                        "Extra inputs are not permitted");
    lp_problems_free(&problems);
    json_decref(root);
    json_decref(input);
}

/* Coordinates are typed and may be absent: no text, no "None". */
static void
D08_nullable_typed_fields(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *input = test_json(
        "{'code':'MI01','full_name':'MI01 Milano','latitude_udeg':null,'longitude_udeg':null}");
    json_t *root = NULL, *patch;
    struct lp_problems problems;

    (void)state;
    assert_int_equal(lp_model_new(catalog, pop, input, &test_clock, &root, &err), LP_OK);
    assert_null(json_object_get(root, "latitude_udeg"));
    assert_valid(pop, root, LP_LC_PROVISIONING);
    set(root, "latitude_udeg", "'None'");
    set(root, "longitude_udeg", "180000001");
    problems = check(pop, root, LP_LC_PROVISIONING);
    (void)test_has(&problems, "latitude_udeg", "int_type");
    assert_string_equal(test_has(&problems, "longitude_udeg", "less_than_equal"),
                        "a longitude lies between -180 and 180 degrees");
    lp_problems_free(&problems);
    set(root, "latitude_udeg", "45478611");
    set(root, "longitude_udeg", "null");
    problems = check(pop, root, LP_LC_PROVISIONING);
    assert_string_equal(test_has(&problems, "latitude_udeg", "value_error"),
                        "a latitude needs a longitude");
    lp_problems_free(&problems);
    patch = test_json("['longitude_udeg']");
    assert_int_equal(
        lp_model_assign(catalog, pop, root, patch, json_object_get(root, "latitude_udeg"), &err),
        LP_OK);
    assert_valid(pop, root, LP_LC_ACTIVE);
    assert_int_equal(lp_model_assign(catalog, pop, root, patch, json_null(), &err), LP_OK);
    assert_null(json_object_get(root, "longitude_udeg"));
    json_decref(patch);
    json_decref(root);
    json_decref(input);
}

/* ---- every problem, with its place ---- */

struct wrong {
    const char *field, *value; /* put into the line document */
    const char *loc, *type;
    const char *msg; /* NULL: any */
};

static const struct wrong wrongs[] = {
    {"line_name", "7", "line_name", "string_type", "Input should be a valid string"},
    {"line_name", "''", "line_name", "string_too_short", "String should have at least 1 character"},
    {"line_name", "' x'", "line_name", "string_pattern_mismatch",
     "must be one line that neither begins nor ends with a blank"},
    {"line_name", "'a\\u0007b'", "line_name", "value_error", "must not contain control characters"},
    {"circuit_id", "1.5", "circuit_id", "int_from_float", NULL},
    {"circuit_id", "-1", "circuit_id", "greater_than_equal",
     "Input should be greater than or equal to 0"},
    {"circuit_id", "4294967296", "circuit_id", "less_than_equal",
     "Input should be less than or equal to 4294967295"},
    {"circuit_id", "9223372036854775807", "circuit_id", "less_than_equal", NULL},
    {"priority", "-6", "priority", "greater_than_equal",
     "Input should be greater than or equal to -5"},
    {"high_mhz", "1", "high_mhz", "greater_than_equal", "the edge lies outside the C band"},
    {"wdm", "'both'", "wdm", "enum", "Input should be 'fixed' or 'flex'"},
    {"wdm", "0", "wdm", "enum", NULL},
    {"vlan_ref", "'A'", "vlan_ref", "string_pattern_mismatch",
     "String should match pattern '[a-z]+'"},
    {"vlan_ref", "'isforbiddenword'", "vlan_ref", "string_pattern_mismatch", NULL},
    {"lengths", "3", "lengths", "list_type", "Input should be a valid list"},
    {"lengths", "[1,'2',3.5]", "lengths.1", "int_type", NULL},
    {"lengths", "[1,'2',3.5]", "lengths.2", "int_from_float", NULL},
    {"lengths", "[null]", "lengths.0", "int_type", NULL},
    {"colours", "['red','green','red']", "colours", "unique_list", "List must be unique"},
    {"colours", "['red','yellow']", "colours.1", "enum",
     "Input should be 'red', 'green' or 'blue'"},
    {"address", "'x'", "address", "dict_type", NULL},
    {"address", "{'city':'x','town':'y'}", "address.town", "extra_forbidden", NULL},
    {"contract", "{}", "contract.number", "missing", "Field required"},
    {"segments", "[{'length_m':0}]", "segments.0.length_m", "greater_than_equal", NULL},
    {"segments", "[{'length_m':1},7]", "segments.1", "dict_type", NULL},
    {"site", "'not-a-uuid'", "site", "uuid_parsing", NULL},
    {"site", "7", "site", "uuid_type", NULL},
    {"via", "['01A1F86E-2944-7A6E-88F7-3C3CD3A3E6F1']", "via.0", "uuid_parsing", NULL},
    {"ends", "[{},{}]", "ends.1.limits.high_cdb", "missing", NULL},
    {"ends", "[{},{}]", "ends.0.subscription_instance_id", "missing", NULL},
    {"constraints", "null", "constraints", "missing", NULL},
    {"external_ids", "[{'system':'a','id':'1'},{'id':'1','system':'a'}]", "external_ids",
     "unique_list", NULL},
    {"external_ids", "[{'system':'a b','id':'1'}]", "external_ids.0.system",
     "string_pattern_mismatch", "must consist of letters, digits, '.', '_' and '-'"},
    {"label",
     "'01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
     "23456789"
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
     "3456789"
     "01234567890123456789012345678901234567890123456789012345'",
     "label", "string_too_long", "String should have at most 255 characters"},
    /* through libyang: rules over several leaves, value ranges with holes */
    {"low_mhz", "195000000", "__root__", "value_error",
     "the low edge must lie below the high edge"},
    {"spares",
     "[{'subscription_instance_id':'01a1f86e-2944-7a6e-88f7-000000000001','port_name':'x','power_"
     "cdbm':5000,"
     "'limits':{'high_cdb':1}}]",
     "spares.0.power_cdbm", "value_error", NULL},
};

static void
every_wrong_value_is_named_with_place_and_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(wrongs); i++) {
        const struct wrong *w = &wrongs[i];
        json_t *root = test_line(catalog);
        struct lp_problems problems;
        const char *msg;
        set(root, w->field, w->value);
        problems = check(line, root, LP_LC_ACTIVE);
        msg = test_has(&problems, w->loc, w->type);
        if (w->msg != NULL)
            assert_string_equal(msg, w->msg);
        lp_problems_free(&problems);
        json_decref(root);
    }
}

static void
all_problems_are_reported_at_once(void **state)
{
    json_t *root = test_line(catalog);
    struct lp_problems problems;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        set(root, wrongs[i * 2 + 2].field, wrongs[i * 2 + 2].value);
    set(root, "lengths", "['a','b']");
    set(root, "unknown", "1");
    problems = check(line, root, LP_LC_ACTIVE);
    assert_in_range(lp_problems_count(&problems), 7, 12);
    lp_problems_free(&problems);
    assert_int_equal(lp_model_validate(catalog, line, root, LP_LC_ACTIVE, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "more)"));
    assert_true(err.pointer[0] == '/');
    assert_in_range(json_array_size(json_object_get(err.detail, "validation_errors")), 7, 12);
    lp_err_clear(&err);
    json_decref(root);
}

/* What a hostile document makes us say is bounded. */
static void
problems_are_bounded(void **state)
{
    json_t *root = test_line(catalog), *list = json_array(), *text;
    struct lp_problems problems;
    char *big = calloc(1, 100001);

    (void)state;
    for (int i = 0; i < 5000; i++)
        (void)json_array_append_new(list, json_integer(1));
    (void)json_object_set(root, "names", list);
    problems = check(line, root, LP_LC_ACTIVE);
    assert_int_equal(lp_problems_count(&problems), 1001);
    lp_problems_free(&problems);
    set(root, "names", "[]");
    (void)json_object_set_new(root, "colours", list); /* at most five are looked at */
    (void)json_object_set(root, "lengths", list);
    problems = check(line, root, LP_LC_ACTIVE);
    (void)test_has(&problems, "lengths", "too_long");
    lp_problems_free(&problems);
    set(root, "colours", "[]");
    memset(big, 'a', 99999);
    big[99999 - 1] = '\0';
    set(root, "lengths", "[]");
    (void)json_object_set_new(root, "line_name", json_string(big));
    problems = check(line, root, LP_LC_ACTIVE);
    text = json_object_get(test_problem(&problems, "line_name"), "input");
    assert_in_range(json_string_length(text), 100, 300);
    lp_problems_free(&problems);
    free(big);
    json_decref(root);
}

static void
roots_of_another_kind_are_refused(void **state)
{
    static const char *const kinds[] = {"null", "[]", "7", "'text'"};
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        json_t *value = test_json(kinds[i]);
        assert_int_equal(lp_model_validate(catalog, line, value, LP_LC_INITIAL, &err), LP_INVALID);
        lp_err_clear(&err);
        json_decref(value);
    }
}

/* ---- new, normalise ---- */

static void
new_roots_have_ids_defaults_and_child_blocks(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = NULL,
           *input = test_json(
               "{'priority':null,'ends':[{'limits':{'high_cdb':1}},{'limits':{'high_cdb':2}}]}");

    (void)state;
    assert_int_equal(lp_model_new(catalog, line, input, &test_clock, &root, &err), LP_OK);
    assert_true(lp_uuid_valid(lp_json_str(root, "subscription_instance_id", "")));
    assert_true(json_is_true(json_object_get(root, "enabled")));
    assert_string_equal(lp_json_str(root, "wdm", ""), "flex");
    assert_string_equal(lp_json_str(json_object_get(root, "address"), "zip", ""), "none");
    assert_null(json_object_get(root, "priority")); /* null is absent, not the default */
    assert_null(json_object_get(root, "protection"));
    assert_int_equal(lp_json_int(json_object_get(root, "constraints"), "max_hops", 0), 8);
    assert_true(lp_uuid_valid(
        lp_json_str(json_object_get(root, "constraints"), "subscription_instance_id", "")));
    json_decref(root);
    root = NULL;
    set(input, "wdm", "7");
    assert_int_equal(lp_model_new(catalog, line, input, &test_clock, &root, &err), LP_INVALID);
    assert_null(root);
    lp_err_clear(&err);
    assert_int_equal(lp_model_new(catalog, line, NULL, &test_clock, &root, &err),
                     LP_INVALID); /* ends demand high_cdb */
    lp_err_clear(&err);
    json_decref(input);
}

static void
old_names_are_read_under_the_new_ones(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = test_line(catalog), *out = NULL;
    struct lp_instances rows;
    json_t *spare = test_json("[{'port_name':'s1','limits':{'high_cdb':1},'label':null}]");

    (void)state;
    set(root, "remark", "'from before'");
    assert_int_equal(json_object_set_new(root, "reserves", spare), 0);
    assert_int_equal(lp_model_normalise(catalog, line, root, &test_clock, &out, &err), LP_OK);
    assert_string_equal(lp_json_str(out, "comment", ""), "from before");
    assert_null(json_object_get(out, "remark"));
    assert_null(json_object_get(out, "reserves"));
    assert_valid(line, out, LP_LC_ACTIVE);
    assert_int_equal(lp_model_split(catalog, line, out, &rows, &err), LP_OK);
    json_decref(out);
    out = NULL;
    /* rows as an older release stored them */
    for (size_t i = 0; i < rows.count; i++) {
        if (strcmp(rows.rows[i].field, "spares") == 0)
            rows.rows[i].field = "reserves";
    }
    free(rows.rows[0].doc);
    rows.rows[0].doc = strdup("{\"line_name\":\"L1\",\"remark\":\"older still\"}");
    assert_int_equal(lp_model_join(catalog, line, rows.rows, rows.count, &out, &err), LP_OK);
    assert_string_equal(lp_json_str(out, "comment", ""), "older still");
    assert_int_equal(json_array_size(json_object_get(out, "spares")), 1);
    lp_instances_free(&rows);
    json_decref(out);
    json_decref(root);
}

static void
normalise_drops_nothing_but_nulls_and_empty_lists(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = test_line(catalog), *out = NULL;

    (void)state;
    set(root, "lengths", "[]");
    set(root, "via", "[]");
    set(root, "address", "{'city':null}");
    set(root, "stamp", "''");
    set(root, "priority", "0");
    set(root, "unknown", "{'a':[1]}");
    assert_int_equal(lp_model_normalise(catalog, line, root, &test_clock, &out, &err), LP_OK);
    assert_null(json_object_get(out, "lengths"));
    assert_null(json_object_get(out, "via"));
    assert_null(json_object_get(out, "address"));
    assert_string_equal(lp_json_str(out, "stamp", "?"), "");
    assert_int_equal(lp_json_int(out, "priority", 9), 0);
    assert_non_null(json_object_get(out, "unknown"));
    json_decref(out);
    json_decref(root);
}

/* ---- rows ---- */

static void
rows_carry_documents_references_and_keys(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows;
    json_t *root = test_line(catalog);
    char *text;

    (void)state;
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_OK);
    assert_int_equal(rows.count, 6); /* line, 2 ends, constraints, 2 sections */
    assert_string_equal(rows.rows[0].type->name, "TestLine");
    assert_string_equal(rows.rows[0].parent, "");
    assert_string_equal(rows.rows[2].field, "ends");
    assert_int_equal(rows.rows[2].position, 1);
    assert_string_equal(rows.rows[1].parent, rows.rows[0].id);
    assert_string_equal(rows.rows[2].doc, "{\"limits\":{\"high_cdb\":6},\"port_name\":\"p1\"}");
    assert_string_equal(rows.rows[4].parent, rows.rows[3].id);
    text = json_dumps(rows.rows[0].unique, 0);
    assert_string_equal(
        text, "[[\"line.name\", \"L1\"], [\"line.circuit\", \"7\"], [\"line.external_ids\", "
              "\"{\\\"id\\\":\\\"9\\\",\\\"system\\\":\\\"nms\\\"}\"]]");
    free(text);
    text = json_dumps(rows.rows[0].indexed, 0);
    assert_string_equal(text, "[[\"circuit_id\", \"7\"]]");
    free(text);
    assert_int_equal(json_array_size(rows.rows[0].refs), 3);
    text = json_dumps(json_array_get(rows.rows[0].refs, 2), 0);
    assert_string_equal(text, "[\"via\", 1, \"01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f1\"]");
    free(text);
    lp_instances_free(&rows);
    json_decref(root);
}

static void
split_refuses_what_it_cannot_keep(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows;
    json_t *root = test_line(catalog), *ends = json_object_get(root, "ends");

    (void)state;
    set(root, "unknown", "1");
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_INVALID);
    lp_err_clear(&err);
    (void)json_object_del(root, "unknown");
    (void)json_object_set(json_array_get(ends, 1), "subscription_instance_id",
                          json_object_get(json_array_get(ends, 0), "subscription_instance_id"));
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "occurs twice"));
    lp_err_clear(&err);
    (void)json_object_del(json_array_get(ends, 1), "subscription_instance_id");
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_INVALID);
    assert_int_equal(rows.count, 0);
    lp_err_clear(&err);
    json_decref(root);
}

static enum lp_code
join_code(struct lp_instance *rows, size_t count)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;
    enum lp_code rc = lp_model_join(catalog, line, rows, count, &out, &err);

    assert_true((rc == LP_OK) == (out != NULL));
    assert_true(rc == LP_OK || err.msg[0] != '\0');
    json_decref(out);
    lp_err_clear(&err);
    return rc;
}

static void
join_names_rows_that_do_not_fit(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows;
    json_t *root = test_line(catalog);
    char *doc;
    const char *field;

    (void)state;
    assert_int_equal(lp_model_split(catalog, line, root, &rows, &err), LP_OK);
    assert_int_equal(join_code(rows.rows, rows.count), LP_OK);
    assert_int_equal(join_code(rows.rows + 1, rows.count - 1), LP_DRIFT); /* no root */
    assert_int_equal(join_code(rows.rows, 0), LP_DRIFT);
    field = rows.rows[1].field;
    rows.rows[1].field = "nowhere";
    assert_int_equal(join_code(rows.rows, rows.count), LP_DRIFT);
    rows.rows[1].field = field;
    memcpy(rows.rows[4].parent, rows.rows[4].id, sizeof rows.rows[4].id); /* its own parent */
    assert_int_equal(join_code(rows.rows, rows.count), LP_DRIFT);
    memcpy(rows.rows[4].parent, rows.rows[3].id, sizeof rows.rows[3].id);
    doc = rows.rows[3].doc;
    rows.rows[3].doc = strdup("[1,");
    assert_int_equal(join_code(rows.rows, rows.count), LP_DRIFT);
    free(rows.rows[3].doc);
    rows.rows[3].doc = doc;
    (void)json_array_append_new(rows.rows[0].refs, json_pack("[s, i, s]", "site", 0, "x"));
    assert_int_equal(join_code(rows.rows, rows.count), LP_DRIFT);
    lp_instances_free(&rows);
    json_decref(root);
}

/* ---- assign ---- */

static enum lp_code
assign(json_t *root, const char *path, const char *value, struct lp_err *err)
{
    json_t *p = test_json(path), *v = test_json(value);
    enum lp_code rc = lp_model_assign(catalog, line, root, p, v, err);

    json_decref(p);
    json_decref(v);
    return rc;
}

static void
assignments_are_checked_at_once(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = test_line(catalog), *before, *ends = json_object_get(root, "ends");

    (void)state;
    assert_int_equal(assign(root, "['line','address','city']", "'Roma'", &err), LP_OK);
    assert_int_equal(assign(root, "['ends',1,'port_name']", "'p9'", &err), LP_OK);
    assert_int_equal(assign(root, "['lengths',1]", "77", &err), LP_OK);
    assert_int_equal(assign(root, "['lengths',4]", "5", &err), LP_OK);
    assert_int_equal(assign(root, "['lengths',0]", "null", &err), LP_OK);
    assert_int_equal(assign(root, "['label']", "'new'", &err), LP_OK);
    assert_int_equal(assign(root, "['address']", "null", &err), LP_OK);
    assert_int_equal(assign(root, "['address','city']", "'Bari'", &err),
                     LP_OK); /* made again on the way */
    assert_int_equal(
        assign(root, "['spares']", "[{'port_name':'s','limits':{'high_cdb':1}}]", &err), LP_OK);
    assert_string_equal(lp_json_str(json_object_get(root, "address"), "city", ""), "Bari");
    assert_string_equal(lp_json_str(json_array_get(ends, 1), "port_name", ""), "p9");
    assert_int_equal(json_array_size(json_object_get(root, "lengths")), 4);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(root, "lengths"), 0)), 77);
    assert_valid(line, root, LP_LC_ACTIVE);
    before = json_deep_copy(root);
    assert_int_equal(assign(root, "['lengths',4]", "5", &err), LP_OK);
    json_decref(before);
    before = json_deep_copy(root);
    assert_int_equal(assign(root, "['lengths',5]", "6", &err), LP_INVALID); /* at most five */
    assert_string_equal(err.pointer, "/lengths");
    lp_err_clear(&err);
    assert_int_equal(assign(root, "['lengths',0]", "'x'", &err), LP_INVALID);
    assert_string_equal(err.pointer, "/lengths/0");
    lp_err_clear(&err);
    assert_int_equal(assign(root, "['ends',0,'limits','high_cdb']", "null", &err), LP_INVALID);
    lp_err_clear(&err);
    assert_int_equal(assign(root, "['ends']", "[]", &err), LP_INVALID);
    lp_err_clear(&err);
    assert_int_equal(assign(root, "['constraints']", "null", &err), LP_INVALID);
    lp_err_clear(&err);
    assert_int_equal(assign(root, "['subscription_instance_id']", "null", &err), LP_INVALID);
    lp_err_clear(&err);
    assert_true(json_equal(before, root)); /* nothing was changed */
    json_decref(before);
    json_decref(root);
}

static void
paths_that_lead_nowhere_are_refused(void **state)
{
    static const char *const paths[] = {"[]",
                                        "['line']",
                                        "['nothing']",
                                        "[0]",
                                        "['ends','port_name']",
                                        "['ends',9]",
                                        "['ends',-1]",
                                        "['ends',2,'port_name']",
                                        "['line_name','x']",
                                        "['contract','number']",
                                        "['protection','scheme']",
                                        "['address','label']",
                                        "[null]"};
    struct lp_err err = LP_ERR_INIT;
    json_t *root = test_line(catalog);

    (void)state;
    (void)json_object_del(root, "contract");
    for (size_t i = 0; i < LP_COUNT(paths); i++) {
        if (assign(root, paths[i], "'v'", &err) != LP_INVALID)
            fail_msg("%s leads somewhere", paths[i]);
        lp_err_clear(&err);
    }
    assert_int_equal(assign(root, "['protection']", "{'scheme':'1+1'}", &err),
                     LP_OK); /* a new block gets its id */
    assert_true(lp_uuid_valid(
        lp_json_str(json_object_get(root, "protection"), "subscription_instance_id", "")));
    json_decref(root);
}

/* ---- differences ---- */

static void
diff_is(const char *before, const char *after, const char *wanted)
{
    json_t *a = before == NULL ? NULL : test_json(before),
           *b = after == NULL ? NULL : test_json(after);
    json_t *diff = lp_model_diff(a, b), *want = test_json(wanted);

    if (!json_equal(diff, want))
        fail_msg("%s", json_dumps(diff, 0));
    json_decref(a);
    json_decref(b);
    json_decref(diff);
    json_decref(want);
}

#define ID(n) "'subscription_instance_id':'" #n "'"

static void
differences_name_path_and_both_values(void **state)
{
    (void)state;
    diff_is("{'a':1,'b':{'c':[1,2]}}", "{'b':{'c':[1,2]},'a':1}", "[]");
    diff_is(NULL, NULL, "[]");
    diff_is(NULL, "{'a':1}", "[{'path':'/a','op':'add','after':1}]");
    diff_is("{'a':1}", NULL, "[{'path':'/a','op':'remove','before':1}]");
    diff_is("{'a':1}", "{'a':'1'}", "[{'path':'/a','op':'replace','before':1,'after':'1'}]");
    diff_is("{'a/b':{'c~':1}}", "{'a/b':{'c~':2}}",
            "[{'path':'/a~1b/c~0','op':'replace','before':1,'after':2}]");
    diff_is("{'a':[1,2,3]}", "{'a':[1,3]}",
            "[{'path':'/a/1','op':'replace','before':2,'after':3},{'path':'/a/"
            "2','op':'remove','before':3}]");
    /* blocks are the same by id, wherever they stand */
    diff_is("{'p':[{" ID(x) ",'n':1},{" ID(y) ",'n':2}]}", "{'p':[{" ID(y) ",'n':3}]}",
            "[{'path':'/p/0','op':'remove','before':{" ID(
                x) ",'n':1}},{'path':'/p/0/n','op':'replace','before':2,'after':3}]");
    diff_is("{'p':[{" ID(x) "},{" ID(y) "}]}", "{'p':[{" ID(y) "},{" ID(x) "}]}",
            "[{'path':'/p','op':'replace','before':['x','y'],'after':['y','x']}]");
    diff_is("{'p':[]}", "{'p':[{" ID(x) "}]}", "[{'path':'/p/0','op':'add','after':{" ID(x) "}}]");
}

static int
setup(void **state)
{
    (void)state;
    catalog = test_catalog();
    line = lp_catalog_product(catalog, "Test line 100G");
    pop = lp_catalog_product(catalog, "PoP");
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
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(W41_value_order_and_type),
        cmocka_unit_test(W42_label_survives),
        cmocka_unit_test(W45_root_discovery),
        cmocka_unit_test(W46_cardinality),
        cmocka_unit_test(W49_no_type_guessing),
        cmocka_unit_test(W53_variants_only_tighten),
        cmocka_unit_test(D08_nullable_typed_fields),
        cmocka_unit_test(every_wrong_value_is_named_with_place_and_text),
        cmocka_unit_test(all_problems_are_reported_at_once),
        cmocka_unit_test(problems_are_bounded),
        cmocka_unit_test(roots_of_another_kind_are_refused),
        cmocka_unit_test(new_roots_have_ids_defaults_and_child_blocks),
        cmocka_unit_test(old_names_are_read_under_the_new_ones),
        cmocka_unit_test(normalise_drops_nothing_but_nulls_and_empty_lists),
        cmocka_unit_test(rows_carry_documents_references_and_keys),
        cmocka_unit_test(split_refuses_what_it_cannot_keep),
        cmocka_unit_test(join_names_rows_that_do_not_fit),
        cmocka_unit_test(assignments_are_checked_at_once),
        cmocka_unit_test(paths_that_lead_nowhere_are_refused),
        cmocka_unit_test(differences_name_path_and_both_values),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
