/* PoP: a site where equipment stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/naming.h"
#include "products/product.h"

static char *
pop_describe(const json_t *root)
{
    char *text;
    const char *name =
        lp_json_str(root, LP_F_POP_FULL_NAME, lp_json_str(root, LP_F_POP_CODE, "unnamed"));

    return asprintf(&text, "%s (Point of Presence)", name) < 0 ? NULL : text;
}

static void
check_code(const char *pattern, const char *code, const json_t *value, struct lp_problems *problems)
{
    json_auto_t *loc = json_pack("[s]", LP_F_POP_CODE);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_naming_matches(pattern, code, &err);

    if (rc == LP_NOT_FOUND)
        lp_problem_add(problems, "string_pattern_mismatch", loc, value,
                       json_pack("{s:s, s:s}", "code", "OPT-001", "pattern", pattern),
                       "PoP code %s must match %s", code, pattern);
    else if (rc != LP_OK)
        lp_problem_field(problems, "value_error", LP_F_POP_CODE, value,
                         "the configured pop.code_pattern cannot be used: %s", err.msg);
    lp_err_clear(&err);
}

static void
pop_check(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const char *code = lp_json_str(root, LP_F_POP_CODE, NULL);
    const char *name = lp_json_str(root, LP_F_POP_FULL_NAME, NULL);
    json_auto_t *loc = json_pack("[s]", LP_F_POP_FULL_NAME);

    if (code == NULL)
        return;
    check_code(lp_conf_live_text(&conf->pop_code_pattern), code,
               json_object_get(root, LP_F_POP_CODE), problems);
    if (name != NULL && strncmp(name, code, strlen(code)) != 0)
        lp_problem_add(problems, "value_error", loc, json_object_get(root, LP_F_POP_FULL_NAME),
                       json_pack("{s:s}", "code", "OPT-002"),
                       "full name must begin with the PoP code %s", code);
}

const struct lp_product lp_product_pop = {
    .type = "PoP", .describe = pop_describe, .check = pop_check};
