/**
 * What the tests of model/ share: the catalog of the tree together with the test modules,
 * documents, looking a problem up.
 */
#ifndef LP_TESTS_SUPPORT_MODEL_ENV_H
#define LP_TESTS_SUPPORT_MODEL_ENV_H

#include <string.h>

#include "model/model.h"
#include "tests/support/test_main.h"

#ifndef LP_SOURCE_ROOT
#define LP_SOURCE_ROOT "." /* run from the root of the tree */
#endif
#define LP_PRODUCTS_YANG LP_SOURCE_ROOT "/products/yang"
#define LP_TESTS_YANG    LP_SOURCE_ROOT "/tests/yang"

static const struct lp_clock test_clock = LP_CLOCK_INIT;

/** The catalog with the test products; fails the test otherwise. */
static inline struct lp_catalog *
test_catalog(void)
{
    static const char *const dirs[] = {LP_PRODUCTS_YANG, LP_TESTS_YANG};
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *catalog = NULL;

    if (lp_catalog_load(dirs, 2, &catalog, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

/** JSON text in single quotes for double ones, with the printf-like formats of json_pack left
 * alone. */
static inline json_t *
test_json(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    char *copy = strdup(text);
    json_t *out = NULL;

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    if (lp_json_load(copy, strlen(copy), &out, &err) != LP_OK)
        fail_msg("%s: %s", text, err.msg);
    free(copy);
    return out;
}

static inline char *
test_loc(const json_t *problem)
{
    static char text[300];
    size_t i;
    json_t *step;

    text[0] = '\0';
    json_array_foreach(json_object_get(problem, "loc"), i, step)
    {
        size_t used = strlen(text);
        if (json_is_integer(step))
            (void)snprintf(text + used, sizeof text - used, "%s%d", i > 0 ? "." : "",
                           (int)json_integer_value(step));
        else
            (void)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "." : "",
                           json_string_value(step));
    }
    return text;
}

/** The problem at "a.0.b", or NULL. */
static inline const json_t *
test_problem(const struct lp_problems *problems, const char *loc)
{
    size_t i;
    json_t *problem;

    json_array_foreach(problems->list, i, problem)
    {
        if (strcmp(test_loc(problem), loc) == 0)
            return problem;
    }
    return NULL;
}

/** Asserts that there is a problem of that type at "a.0.b"; returns its message. */
static inline const char *
test_has(const struct lp_problems *problems, const char *loc, const char *type)
{
    const json_t *problem = test_problem(problems, loc);

    if (problem == NULL || strcmp(lp_json_str(problem, "type", ""), type) != 0)
        fail_msg("no %s at %s in %s", type, loc, json_dumps(problems->list, JSON_INDENT(1)));
    return lp_json_str(problem, "msg", "");
}

/** A complete "Test line 100G" with ids. */
static inline json_t *
test_line(const struct lp_catalog *catalog)
{
    const struct lp_product_type *product = lp_catalog_product(catalog, "Test line 100G");
    struct lp_err err = LP_ERR_INIT;
    json_t
        *root = NULL,
        *input = test_json(
            "{'line_name':'L1','circuit_id':7,'low_mhz':193100000,'high_mhz':193150000,'lengths':["
            "30,9,30,100],"
            "'names':['b','a','b'],'address':{'city':'Milano'},'contract':{'number':'C-1'},"
            "'segments':[{'length_m':2,'kind':'span'},{'length_m':1}],"
            "'site':'01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f0',"
            "'via':['01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f2','01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f1'],"
            "'ends':[{'label':'z "
            "side','port_name':'p2','limits':{'high_cdb':5}},{'port_name':'p1','limits':{'high_cdb'"
            ":6}}],"
            "'constraints':{'sections':[{'section_name':'s1','avoid':['01a1f86e-2944-7a6e-88f7-"
            "3c3cd3a3e6f3']},{'section_name':'s0'}]},"
            "'trail_id':'T','external_ids':[{'system':'nms','id':'9'}]}");

    if (lp_model_new(catalog, product, input, &test_clock, &root, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(input);
    return root;
}

#endif
