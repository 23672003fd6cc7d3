#include "steps/import.h"

#include <string.h>

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

/* ---- bulk ---- */

enum lp_code
lp_import_holder(struct lp_store *store, struct lp_reader *reader, const char *scope,
                 const char *value, char holder[static LP_UUID_LEN + 1], struct lp_err *err)
{
    enum lp_code rc = lp_subscription_by_key(store, reader, scope, value, holder, err);

    if (rc != LP_NOT_FOUND)
        return rc;
    lp_err_clear(err);
    *holder = '\0';
    return LP_OK;
}

enum lp_code
lp_import_partner(struct lp_store *store, struct lp_reader *reader, const char *name,
                  char id[static LP_UUID_LEN + 1], struct lp_err *err)
{
    json_auto_t *brief = NULL;
    enum lp_code rc = lp_import_holder(store, reader, "partner.name", name, id, err);

    if (rc == LP_OK && *id != '\0')
        rc = lp_subscription_brief(store, reader, id, &brief, err);
    if (rc == LP_OK && strcmp(lp_json_str(brief, "status", ""), "active") != 0)
        rc = lp_fail(err, LP_NOT_FOUND, "there is no active partner '%.200s'", name);
    return rc;
}

enum lp_code
lp_import_store(struct lp_run *run, const char *source, const json_t *rows, int64_t *imported_at,
                struct lp_err *err)
{
    const json_t *row;
    size_t i;
    enum lp_code rc = LP_OK;

    *imported_at = lp_clock_utc_us(run->clock);
    json_array_foreach(rows, i, row)
    {
        rc = lp_import_row_add(lp_run_unit(run), source, lp_json_str(row, "key", ""),
                               json_object_get(row, "document"), run->process_id, *imported_at,
                               lp_conf_live_int(&run->conf->retention_import_runs), err);
        if (rc != LP_OK)
            return rc;
    }
    return rc;
}

enum lp_code
lp_import_stored(struct lp_run *run, const char *source, int64_t imported_at, json_t **rows,
                 struct lp_err *err)
{
    return lp_import_rows_of(run->store, source, imported_at, run->process_id, rows, err);
}
