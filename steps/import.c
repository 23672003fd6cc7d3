#include "steps/import.h"

static const char *const names[] = {"import_source", "import_key"};

void
lp_form_add_source(struct lp_form_page *page)
{
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const struct lp_field field = {
            .name = names[i],
            .kind = LP_FIELD_STRING,
            .required_in = -1,
            .format = "hidden",
            .has_min = true,
            .min = 1,
            .has_max = true,
            .max = 255,
        };

        lp_form_page_add(page, &field);
    }
}

enum lp_code
lp_form_check_source(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
                     struct lp_err *err)
{
    const char *source = lp_json_str(input, names[0], NULL),
               *key = lp_json_str(input, names[1], NULL);
    json_auto_t *row = NULL;
    enum lp_code rc;

    if (source == NULL && key == NULL)
        return LP_OK;
    if (source == NULL || key == NULL) {
        lp_problem_field(problems, "value_error", names[source == NULL ? 0 : 1], NULL,
                         "an imported site has a source and a key");
        return LP_OK;
    }
    rc = lp_import_row_newest(ctx->store, ctx->reader, source, key, &row, NULL, err);
    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    lp_problem_field(problems, "value_error", names[1], json_object_get(input, names[1]),
                     "no import of %.80s from %.80s is stored", key, source);
    return LP_OK;
}

enum lp_code
lp_form_finish_source(json_t *output, struct lp_err *err)
{
    json_t *root = json_object_get(output, "root");

    for (size_t i = 0; i < LP_COUNT(names); i++) {
        json_t *value = json_object_get(output, names[i]);

        if (value != NULL && json_object_set(root, names[i], value) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the form");
        json_object_del(output, names[i]);
    }
    return LP_OK;
}
