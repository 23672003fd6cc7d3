/* Random documents, made from the catalog itself: what is valid survives storage, what is not never
 * crashes. */
#include "tests/support/model_env.h"

static struct lp_catalog *catalog;

struct random {
    uint64_t state;
};

static uint64_t
pick(struct random *r, uint64_t below)
{
    return below == 0 ? 0 : lp_test_random(&r->state) % below;
}

/* ---- valid documents ---- */

static json_t *
random_text(struct random *r, const struct lp_field *field)
{
    static const struct {
        const char *pattern;
        const char *texts[3];
    } known[] = {
        {"[A-Z]{2}", {"IT", "DE", "ZZ"}},
        {"[A-Za-z0-9][A-Za-z0-9._-]*", {"nms", "netbox-2", "a.b_c"}},
        {"[^@\\s]+@[^@\\s]+", {"a@b", "noc@example.org", "\xC3\xA9@x"}},
        {"\\+?[0-9][0-9 ()/.-]*", {"+39 02 1", "0212", "112"}},
        {"[a-z]+", {"abc", "x", "zz"}},
        {"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
         {"2026-11-20", "0000-01-31", "9999-12-01"}},
        {"[0-9a-f.:]+", {"10.0.0.1", "2001:db8::1", "::"}},
        {"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+",
         {"flex.mi01.example.net", "a.b", "0-0.x"}},
        {"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", {"flex.mi01", "A", "a__0"}},
        {"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?", {"1-A-1-L1", "port-1/3.1/1", "7"}},
    };
    static const char *const lines[] = {"a", "MI01 Milano", "x \"quoted\" \\ y",
                                        "\xE6\x9D\xB1\xE4\xBA\xAC", "2026-02-01T10:00:00+00:00"};
    static const char *const free_texts[] = {
        "", " ", "two\nlines\t.", "null", "\xF0\x9F\x98\x80", "12", "</script>"};

    for (size_t i = 0; field->pattern != NULL && i < LP_COUNT(known); i++) {
        if (strcmp(known[i].pattern, field->pattern) == 0)
            return json_string(known[i].texts[pick(r, 3)]);
    }
    if (field->pattern != NULL || (field->has_min && field->min > 0))
        return json_string(
            lines[field->has_max && field->max <= 16 ? 0 : pick(r, LP_COUNT(lines))]);
    return json_string(free_texts[pick(r, LP_COUNT(free_texts))]);
}

static json_t *random_object(struct random *r, const struct lp_field *fields, size_t count,
                             bool block);

static json_t *
random_value(struct random *r, const struct lp_field *field)
{
    switch (field->kind) {
    case LP_FIELD_STRING:
        return random_text(r, field);
    case LP_FIELD_INT: /* near one end, and not in the hole of power_cdbm */
        if (strcmp(field->name, "power_cdbm") == 0)
            return json_integer(9999);
        return json_integer(
            (json_int_t)field->min
            + (json_int_t)pick(r, field->has_max && field->max - field->min < 4 ? 2 : 5));
    case LP_FIELD_BOOL:
        return json_boolean(pick(r, 2) == 1);
    case LP_FIELD_ENUM:
        return json_string(field->values[pick(r, field->value_count)].value);
    case LP_FIELD_UUID:
    case LP_FIELD_REF:
        return json_string(lp_uuid_v4().text);
    case LP_FIELD_STRUCT:
    case LP_FIELD_BLOCK:
        return random_object(r, field->fields, field->field_count, field->kind == LP_FIELD_BLOCK);
    case LP_FIELD_KIND_COUNT:
        break;
    }
    return NULL;
}

static bool
is_in(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (json_equal(item, value))
            return true;
    }
    return false;
}

static json_t *
random_list(struct random *r, const struct lp_field *field)
{
    size_t max = field->max_items > 0 && field->max_items < 20 ? field->max_items : 6,
           n = field->min_items + pick(r, max - field->min_items + 1);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *one = random_value(r, field);
        if (!field->unique_items || !is_in(list, one))
            (void)json_array_append(list, one);
        json_decref(one);
    }
    return list;
}

/* Empty lists and plain containers are left out: the normal form. */
static json_t *
random_object(struct random *r, const struct lp_field *fields, size_t count, bool block)
{
    json_t *out = json_object();

    if (block)
        (void)json_object_set_new(out, "subscription_instance_id", json_string(lp_uuid_v4().text));
    if (block && pick(r, 2) == 0)
        (void)json_object_set_new(out, "label", json_string(pick(r, 2) == 0 ? "" : "a label"));
    for (size_t i = 0; i < count; i++) {
        bool demanded = fields[i].required || fields[i].required_in >= 0;
        bool always = fields[i].kind == LP_FIELD_STRUCT && !fields[i].list && !fields[i].optional;
        json_t *value;
        if (!demanded && !always && pick(r, 3) == 0)
            continue;
        value = fields[i].list ? random_list(r, &fields[i]) : random_value(r, &fields[i]);
        while (demanded && json_is_array(value) && json_array_size(value) == 0) {
            json_decref(value);
            value = random_list(r, &fields[i]);
        }
        if ((json_is_array(value) && json_array_size(value) == 0)
            || (fields[i].kind == LP_FIELD_STRUCT && json_object_size(value) == 0))
            json_decref(value);
        else
            (void)json_object_set_new(out, fields[i].name, value);
    }
    return out;
}

/* Edges of passbands lie on the raster, the low one below the high one; inner blocks too. */
static void
make_edges_true(json_t *value)
{
    const char *name;
    json_t *inner;
    size_t i;

    if (json_object_get(value, "low_mhz") != NULL)
        (void)json_object_set_new(value, "low_mhz", json_integer(191325000));
    if (json_object_get(value, "high_mhz") != NULL)
        (void)json_object_set_new(value, "high_mhz", json_integer(196125000));
    if (json_object_get(value, "signal_mhz") != NULL && json_object_get(value, "width_mhz") != NULL)
        (void)json_object_set(value, "signal_mhz", json_object_get(value, "width_mhz"));
    if (json_object_get(value, "spectrum_name") != NULL)
        (void)json_object_set_new(value, "spectrum_name", json_string("Light 1"));
    json_object_foreach(value, name, inner) make_edges_true(inner);
    json_array_foreach(value, i, inner) make_edges_true(inner);
}

/* Rules over several leaves, and lists that must not end up empty. */
static void
make_true(json_t *root)
{
    const char *code = lp_json_str(root, "code", NULL);
    char name[300];

    make_edges_true(root);
    if (json_object_get(root, "channels") != NULL) /* its own, or another one's */
        (void)json_object_del(root, "shared_channels");
    (void)snprintf(name, sizeof name, "%s Place", code != NULL ? code : "");
    if (code != NULL)
        (void)json_object_set_new(root, "full_name", json_string(name));
}

static json_t *
random_root(struct random *r, const struct lp_product_type *product)
{
    json_t *root = random_object(r, product->root->fields, product->root->field_count, true);

    make_true(root);
    return root;
}

static void
fail_with(const json_t *root, const char *what)
{
    fail_msg("%s: %s", what, json_dumps(root, 0));
}

static void
store_and_load(const struct lp_product_type *product, const json_t *root)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows, again;
    json_t *back = NULL, *normal = NULL;

    if (lp_model_validate(catalog, product, root, LP_LC_ACTIVE, &err) != LP_OK)
        fail_with(root, err.msg);
    if (lp_model_split(catalog, product, root, &rows, &err) != LP_OK)
        fail_with(root, err.msg);
    if (lp_model_join(catalog, product, rows.rows, rows.count, &back, &err) != LP_OK)
        fail_with(root, err.msg);
    if (!json_equal(root, back))
        fail_with(root, "not the same after storage");
    if (lp_model_split(catalog, product, back, &again, &err) != LP_OK || again.count != rows.count)
        fail_with(root, "other rows after storage");
    for (size_t i = 0; i < rows.count; i++)
        assert_string_equal(rows.rows[i].doc, again.rows[i].doc);
    if (lp_model_normalise(catalog, product, root, &test_clock, &normal, &err) != LP_OK
        || !json_equal(root, normal))
        fail_with(root, "normalising changes a normal document");
    json_decref(normal);
    json_decref(back);
    lp_instances_free(&rows);
    lp_instances_free(&again);
}

static void
valid_documents_survive_storage(void **state)
{
    struct random r = {lp_test_seed("valid_documents_survive_storage")};
    size_t count;
    const struct lp_product_type *products = lp_catalog_products(catalog, &count);

    (void)state;
    for (int n = 0; n < 400; n++) {
        const struct lp_product_type *product = &products[pick(&r, count)];
        json_t *root = random_root(&r, product);
        store_and_load(product, root);
        json_decref(root);
    }
}

/* ---- any documents ---- */

static json_t *
random_json(struct random *r, unsigned depth)
{
    static const char *const names[] = {"code",
                                        "line_name",
                                        "ends",
                                        "address",
                                        "constraints",
                                        "label",
                                        "x",
                                        "",
                                        "subscription_instance_id",
                                        "external_ids",
                                        "segments",
                                        "trees",
                                        "title"};
    json_t *out;

    switch (pick(r, depth > 4 ? 6 : 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(pick(r, 2) == 0);
    case 2:
        return json_integer((json_int_t)lp_test_random(&r->state));
    case 3:
        return json_real((double)pick(r, 1000) / 7.0);
    case 4:
        return json_string(lp_uuid_v4().text);
    case 5:
        return json_string(pick(r, 2) == 0 ? "" : "\x01 odd \xEF\xBF\xBF");
    case 6:
        out = json_array();
        for (uint64_t i = pick(r, 5); i > 0; i--)
            (void)json_array_append_new(out, random_json(r, depth + 1));
        return out;
    default:
        out = json_object();
        for (uint64_t i = pick(r, 7); i > 0; i--)
            (void)json_object_set_new(out, names[pick(r, LP_COUNT(names))],
                                      random_json(r, depth + 1));
        return out;
    }
}

/* Puts something else at a random place of a document. */
static void
spoil(struct random *r, json_t *root)
{
    json_t *at = root;
    const char *key = NULL;

    for (;;) {
        size_t n = json_is_object(at) ? json_object_size(at) : json_array_size(at);
        json_t *next = NULL;
        if (n == 0)
            return;
        if (json_is_object(at)) {
            void *iter = json_object_iter(at);
            for (uint64_t skip = pick(r, n); skip > 0; skip--)
                iter = json_object_iter_next(at, iter);
            key = json_object_iter_key(iter);
            next = json_object_iter_value(iter);
        } else {
            next = json_array_get(at, pick(r, n));
        }
        if ((json_is_object(next) || json_is_array(next)) && pick(r, 4) != 0) {
            at = next;
            continue;
        }
        if (json_is_array(at))
            (void)json_array_append_new(at, random_json(r, 3));
        else if (pick(r, 3) == 0)
            (void)json_object_del(at, key);
        else
            (void)json_object_set_new(at, key, random_json(r, 3));
        return;
    }
}

/* What libyang finds beyond our own checks is a rule over several leaves, or a hole in a range. */
static bool
is_known_rule(const char *msg)
{
    static const char *const texts[] = {"low edge",
                                        "needs a l",
                                        "begin with the PoP code",
                                        "range - value",
                                        "out of range",
                                        "control characters",
                                        "below end frequency",
                                        "GHz raster",
                                        "owns the channels",
                                        "wider than what is reserved",
                                        "begin with a letter or digit"};

    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        if (strstr(msg, texts[i]) != NULL)
            return true;
    }
    return false;
}

static void
check_any(const struct lp_product_type *product, const json_t *root)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_problems problems;
    struct lp_instances rows;
    json_t *normal = NULL, *problem;
    size_t i;

    lp_problems_init(&problems);
    assert_int_equal(lp_model_check(catalog, product, root, LP_LC_INITIAL, &problems, &err), LP_OK);
    json_array_foreach(problems.list, i, problem)
    {
        const char *msg = lp_json_str(problem, "msg", "");
        assert_true(json_array_size(json_object_get(problem, "loc")) > 0);
        assert_true(msg[0] != '\0');
        if (strcmp(lp_json_str(problem, "type", ""), "value_error") == 0 && !is_known_rule(msg))
            fail_with(root, msg);
    }
    if (lp_model_split(catalog, product, root, &rows, &err) == LP_OK)
        lp_instances_free(&rows);
    else
        assert_true(lp_problems_count(&problems) > 0 || strstr(err.msg, "twice") != NULL);
    lp_err_clear(&err);
    if (lp_model_normalise(catalog, product, root, &test_clock, &normal, &err) == LP_OK)
        assert_true(json_is_object(normal));
    lp_err_clear(&err);
    json_decref(normal);
    json_decref(lp_model_diff(root, NULL));
    lp_problems_free(&problems);
}

static void
no_document_gets_past_or_crashes(void **state)
{
    struct random r = {lp_test_seed("no_document_gets_past_or_crashes")};
    size_t count;
    const struct lp_product_type *products = lp_catalog_products(catalog, &count);

    (void)state;
    for (int n = 0; n < 2000; n++) {
        const struct lp_product_type *product = &products[pick(&r, count)];
        json_t *root = pick(&r, 3) == 0 ? random_json(&r, 0) : random_root(&r, product);
        for (uint64_t spoils = pick(&r, 4); spoils > 0; spoils--)
            spoil(&r, root);
        check_any(product, root);
        json_decref(root);
    }
}

/* before + diff = after: every changed place is told, nothing else is. */
static void
differences_are_complete(void **state)
{
    struct random r = {lp_test_seed("differences_are_complete")};
    const struct lp_product_type *line = lp_catalog_product(catalog, "Test line 100G");

    (void)state;
    for (int n = 0; n < 300; n++) {
        json_t *before = random_root(&r, line), *after = json_deep_copy(before), *diff;
        spoil(&r, after);
        diff = lp_model_diff(before, after);
        assert_true((json_array_size(diff) == 0) == json_equal(before, after));
        json_decref(diff);
        diff = lp_model_diff(before, before);
        assert_int_equal(json_array_size(diff), 0);
        json_decref(diff);
        json_decref(before);
        json_decref(after);
    }
}

static int
setup(void **state)
{
    (void)state;
    catalog = test_catalog();
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
        cmocka_unit_test(valid_documents_survive_storage),
        cmocka_unit_test(no_document_gets_past_or_crashes),
        cmocka_unit_test(differences_are_complete),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
