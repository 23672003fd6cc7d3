/* Every JSON allocation fails once: an error is reported exactly when there is no result. What is
 * left behind is seen by the leak checker of a sanitizer build. */
#include "tests/support/model_env.h"

static struct lp_catalog *catalog;
static const struct lp_product_type *line;

static size_t countdown; /* the allocation that fails; 0 = none */

static void *
failing_malloc(size_t size)
{
    if (countdown > 0 && --countdown == 0)
        return NULL;
    return malloc(size);
}

/* Runs a case with the n-th allocation failing, for every n until none fails any more. */
static void
each_allocation(bool (*run)(const json_t *root, struct lp_err *err, bool *made), const json_t *root)
{
    for (size_t n = 1;; n++) {
        struct lp_err err = LP_ERR_INIT;
        bool made = false, ok, fired;
        countdown = n;
        ok = run(root, &err, &made);
        fired = countdown == 0;
        countdown = 0;
        assert_true(ok == made);
        if (!ok)
            assert_true(err.code != LP_OK && err.msg[0] != '\0');
        lp_err_clear(&err);
        if (!fired) {
            assert_true(ok);
            break;
        }
    }
}

static bool
run_new(const json_t *root, struct lp_err *err, bool *made)
{
    json_t *out = NULL;
    enum lp_code rc = lp_model_new(catalog, line, root, &test_clock, &out, err);

    *made = out != NULL;
    json_decref(out);
    return rc == LP_OK;
}

static bool
run_normalise(const json_t *root, struct lp_err *err, bool *made)
{
    json_t *out = NULL;
    enum lp_code rc = lp_model_normalise(catalog, line, root, &test_clock, &out, err);

    *made = out != NULL;
    json_decref(out);
    return rc == LP_OK;
}

static bool
run_rows(const json_t *root, struct lp_err *err, bool *made)
{
    struct lp_instances rows;
    json_t *out = NULL;
    enum lp_code rc = lp_model_split(catalog, line, root, &rows, err);

    if (rc == LP_OK) {
        rc = lp_model_join(catalog, line, rows.rows, rows.count, &out, err);
        lp_instances_free(&rows);
    }
    *made = out != NULL;
    if (out != NULL)
        *made = json_equal(out, root);
    json_decref(out);
    return rc == LP_OK;
}

/* A bad document is never taken for a good one because there was no memory to say what is wrong. */
static bool
run_bad(const json_t *root, struct lp_err *err, bool *made)
{
    enum lp_code rc = lp_model_validate(catalog, line, root, LP_LC_ACTIVE, err);

    assert_int_not_equal(rc, LP_OK);
    assert_true(rc == LP_NOMEM || rc == LP_INVALID);
    lp_err_clear(err);
    *made = true;
    return true;
}

static bool
run_assign(const json_t *root, struct lp_err *err, bool *made)
{
    json_t *path = NULL, *value = NULL, *copy = NULL;
    size_t armed = countdown;
    enum lp_code rc;

    countdown = 0; /* only the call itself is to fail */
    path = test_json("['address','city']");
    value = json_string("Roma");
    copy = json_deep_copy(root);
    (void)json_object_del(copy, "address");
    countdown = armed;
    rc = lp_model_assign(catalog, line, copy, path, value, err);
    *made = json_object_get(json_object_get(copy, "address"), "city") != NULL;
    json_decref(path);
    json_decref(value);
    json_decref(copy);
    return rc == LP_OK;
}

static bool
run_diff(const json_t *root, struct lp_err *err, bool *made)
{
    json_t *diff = lp_model_diff(root, NULL);

    *made = diff != NULL;
    if (diff == NULL)
        (void)snprintf(err->msg, sizeof err->msg, "no memory");
    err->code = diff == NULL ? LP_NOMEM : LP_OK;
    json_decref(diff);
    return *made;
}

static bool
run_schema(const json_t *root, struct lp_err *err, bool *made)
{
    json_t *schema = lp_model_schema(catalog, line, LP_LC_ACTIVE);

    (void)root;
    *made = schema != NULL;
    (void)snprintf(err->msg, sizeof err->msg, "no memory");
    err->code = schema == NULL ? LP_NOMEM : LP_OK;
    json_decref(schema);
    return *made;
}

static void
no_memory_is_an_error_never_a_result(void **state)
{
    json_t *root = test_line(catalog), *bad = test_line(catalog);

    (void)state;
    (void)json_object_set_new(bad, "low_mhz", json_string("x"));
    (void)json_object_set_new(bad, "lengths", json_integer(1));
    each_allocation(run_new, root);
    each_allocation(run_normalise, root);
    each_allocation(run_rows, root);
    each_allocation(run_bad, bad);
    each_allocation(run_assign, root);
    each_allocation(run_diff, root);
    each_allocation(run_schema, root);
    json_decref(root);
    json_decref(bad);
}

static void
the_catalog_is_loaded_whole_or_not_at_all(void **state)
{
    static const char *const dirs[] = {LP_PRODUCTS_YANG, LP_TESTS_YANG};

    (void)state;
    for (size_t n = 1;; n += 1 + n / 8) { /* a sample: loading is slow */
        struct lp_err err = LP_ERR_INIT;
        struct lp_catalog *loaded = NULL;
        bool fired;
        enum lp_code rc;
        countdown = n;
        rc = lp_catalog_load(dirs, 2, &loaded, &err);
        fired = countdown == 0;
        countdown = 0;
        assert_true((rc == LP_OK) == (loaded != NULL));
        if (loaded != NULL)
            assert_string_equal(lp_catalog_hash(loaded), lp_catalog_hash(catalog));
        lp_catalog_free(loaded);
        lp_err_clear(&err);
        if (!fired)
            break;
    }
}

static int
setup(void **state)
{
    (void)state;
    json_set_alloc_funcs(failing_malloc, free);
    catalog = test_catalog();
    line = lp_catalog_product(catalog, "Test line 100G");
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
        cmocka_unit_test(no_memory_is_an_error_never_a_result),
        cmocka_unit_test(the_catalog_is_loaded_whole_or_not_at_all),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
