/* Form input and stored documents: any JSON is either accepted as what the catalog says, or every
 * fault has a place and a text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "tests/fuzz/fuzz.h"

#ifndef LP_SOURCE_ROOT
#define LP_SOURCE_ROOT "." /* run from the root of the tree */
#endif

static struct lp_catalog *
catalog(void)
{
    static const char *const dirs[] = {LP_SOURCE_ROOT "/products/yang",
                                       LP_SOURCE_ROOT "/tests/yang"};
    static struct lp_catalog *loaded; /* one for the whole run: immutable */
    struct lp_err err = LP_ERR_INIT;

    if (loaded == NULL && lp_catalog_load(dirs, 2, &loaded, &err) != LP_OK)
        abort();
    return loaded;
}

static void
check_problems(const struct lp_problems *problems)
{
    json_t *problem;
    size_t i;

    json_array_foreach(problems->list, i, problem)
    {
        assert(json_array_size(json_object_get(problem, "loc")) > 0);
        assert(lp_json_str(problem, "msg", "")[0] != '\0');
    }
}

static void
check_page(const json_t *input)
{
    static const char *const fields[] = {"code",       "full_name",    "latitude_udeg", "address",
                                         "site_class", "external_ids", "label"};
    struct lp_form_page *page = lp_form_page_new("PoP");
    struct lp_problems problems, again;
    json_t *clean = NULL, *twice = NULL;

    for (size_t i = 0; i < LP_COUNT(fields); i++)
        (void)lp_form_page_add_model(page, catalog(), "PoP", fields[i]);
    (void)lp_form_page_add_model(page, catalog(), "Partner", "contacts");
    lp_problems_init(&problems);
    lp_form_page_check(page, input, &problems, &clean);
    check_problems(&problems);
    if (lp_problems_count(&problems) == 0) { /* what was accepted is accepted again, as the same */
        lp_problems_init(&again);
        lp_form_page_check(page, clean, &again, &twice);
        assert(lp_problems_count(&again) == 0 && json_equal(clean, twice));
        lp_problems_free(&again);
    }
    json_decref(twice);
    json_decref(clean);
    lp_problems_free(&problems);
    lp_form_page_free(page);
}

static void
store_and_load(const struct lp_product_type *product, const json_t *root)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_instances rows;
    json_t *back = NULL;
    enum lp_code rc = lp_model_split(catalog(), product, root, &rows, &err);

    assert(rc == LP_OK || strstr(err.msg, "twice") != NULL);
    if (rc == LP_OK) {
        rc = lp_model_join(catalog(), product, rows.rows, rows.count, &back, &err);
        assert(rc == LP_OK && json_equal(root, back));
        lp_instances_free(&rows);
    }
    json_decref(back);
    lp_err_clear(&err);
}

static void
check_document(const char *name, const json_t *input)
{
    const struct lp_product_type *product = lp_catalog_product(catalog(), name);
    struct lp_err err = LP_ERR_INIT;
    struct lp_problems problems;
    json_t *root = NULL;

    if (lp_model_normalise(catalog(), product, input, NULL, &root, &err) == LP_OK) {
        lp_problems_init(&problems);
        if (lp_model_check(catalog(), product, root, LP_LC_INITIAL, &problems, &err) != LP_OK)
            abort();
        check_problems(&problems);
        if (lp_problems_count(&problems) == 0)
            store_and_load(product, root);
        lp_problems_free(&problems);
    }
    json_decref(root);
    lp_err_clear(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *input = NULL;

    if (lp_json_load((const char *)data, size, &input, &err) == LP_OK) {
        check_page(input);
        check_document("PoP", input);
        check_document("Partner", input);
        check_document("Test line 100G", input);
        check_document("Test tree", input);
    }
    json_decref(input);
    lp_err_clear(&err);
    return 0;
}
