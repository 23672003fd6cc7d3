/* A whole root: every leaf by our own checks, then once through libyang for what spans leaves
 * (must). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* libyang names the place as ... "/module:pop/ports[2]/name" ...: the loc of that node, without the
 * product's member. */
static json_t *
loc_of(const char *path)
{
    json_t *loc = json_array();
    const char *at = path == NULL ? NULL : strstr(path, "\"/");
    size_t depth = 0;

    for (at = at == NULL ? NULL : at + 1; at != NULL && *at == '/'; depth++) {
        const char *name = at + 1, *colon;
        size_t len = strcspn(name, "/[\"");
        colon = memchr(name, ':', len);
        if (colon != NULL) {
            len -= (size_t)(colon + 1 - name);
            name = colon + 1;
        }
        if (depth > 0)
            (void)json_array_append_new(loc, json_stringn(name, len));
        at = name + len;
        if (*at == '[') {
            if (depth > 0 && at[1] >= '1' && at[1] <= '9')
                (void)json_array_append_new(loc, json_integer(strtoll(at + 1, NULL, 10) - 1));
            at += strcspn(at, "]");
            at += *at == ']' ? 1 : 0;
        }
    }
    return loc;
}

static const json_t *
value_at(const json_t *root, const json_t *loc)
{
    size_t i;
    json_t *step;

    json_array_foreach(loc, i, step)
    {
        root = json_is_integer(step) ? json_array_get(root, (size_t)json_integer_value(step))
                                     : json_object_get(root, json_string_value(step));
    }
    return root;
}

static void
take_errors(struct ly_ctx *ctx, const json_t *root, struct lp_problems *problems)
{
    const struct ly_err_item *item = ly_err_first(ctx);
    size_t before = lp_problems_count(problems);

    for (; item != NULL; item = item->next) {
        json_auto_t *loc = loc_of(item->path);
        if (item->level == LY_LLERR)
            lp_problem_add(problems, "value_error", loc, value_at(root, loc), NULL, "%s",
                           item->msg != NULL ? item->msg : "does not fit the catalog");
    }
    if (lp_problems_count(problems) == before)
        lp_problem_add(problems, "value_error", NULL, NULL, NULL,
                       "the document does not fit the catalog");
    ly_err_clean(ctx, NULL);
}

static enum lp_code
check_as_yang(const struct lysc_node *node, const json_t *root, struct lp_problems *problems,
              struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    struct lyd_node *tree = NULL;
    LY_ERR rc;

    lp_buf_printf(&text, "{\"%s:%s\":", node->module->name, node->name);
    lp_buf_json(&text, root);
    lp_buf_char(&text, '}');
    if (text.failed) {
        lp_buf_free(&text);
        return lp_fail(err, LP_NOMEM, "no memory to check a %s", node->name);
    }
    /* not NO_STATE: the whole catalog is state */
    rc = lyd_parse_data_mem(node->module->ctx, text.data, LYD_JSON, LYD_PARSE_STRICT,
                            LYD_VALIDATE_PRESENT, &tree);
    if (rc != LY_SUCCESS)
        take_errors(node->module->ctx, root, problems);
    lyd_free_all(tree);
    lp_buf_free(&text);
    return LP_OK;
}

enum lp_code
lp_model_check(const struct lp_catalog *catalog, const struct lp_product_type *product,
               const json_t *root, enum lp_lifecycle status, struct lp_problems *problems,
               struct lp_err *err)
{
    const struct lp_block_type *block = product->root;
    size_t before = lp_problems_count(problems);
    struct lp_check check = {
        .problems = problems, .model = true, .demands = lp_lifecycle_demands(status)};
    json_t *stripped;
    enum lp_code rc;

    (void)catalog;
    if (!json_is_object(root)) {
        lp_problem_add(problems, "dict_type", NULL, root, NULL, "Input should be a valid object");
        return LP_OK;
    }
    lp_check_object(&check, block->fields, block->field_count, true, root, NULL, NULL);
    if (lp_problems_count(problems) != before)
        return LP_OK; /* must is only asked of documents whose leaves are right */
    if (!check.saw_null)
        return check_as_yang(block->schema, root, problems, err);
    stripped = lp_model_stripped(root);
    if (stripped == NULL)
        return lp_fail(err, LP_NOMEM, "no memory to check a %s", block->name);
    rc = check_as_yang(block->schema, stripped, problems, err);
    json_decref(stripped);
    return rc;
}

enum lp_code
lp_model_validate(const struct lp_catalog *catalog, const struct lp_product_type *product,
                  const json_t *root, enum lp_lifecycle status, struct lp_err *err)
{
    struct lp_problems problems;
    enum lp_code rc;

    lp_problems_init(&problems);
    rc = lp_model_check(catalog, product, root, status, &problems, err);
    if (rc == LP_OK)
        rc = lp_problems_fail(&problems, product->name, err);
    lp_problems_free(&problems);
    return rc;
}
