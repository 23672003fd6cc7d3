/* Every stored subscription against the catalog of this program. */
#include <stdio.h>

#include "base/buf.h"
#include "engine/internal.h"

enum {
    PAGE = 200,
    FAULTS_TOLD = 20, /* stored subscriptions named when they do not fit the catalog */
};

static void
stored_fault(struct lp_stored_check *check, const char *id, const char *description,
             const char *what)
{
    struct lp_buf text = LP_BUF_INIT;

    check->count++;
    if (json_array_size(check->faults) >= FAULTS_TOLD)
        return;
    lp_buf_printf(&text, "subscription %s (%s): %s", id, description, what);
    if (!text.failed)
        json_array_append_new(check->faults, json_string(text.data));
    lp_buf_free(&text);
}

/* Only the store's own failures stop the walk; everything else is a fault of that row. */
static enum lp_code
check_one(struct lp_stored_check *check, const char *id, const char *description,
          struct lp_err *err)
{
    const struct lp_catalog *catalog = check->engine->catalog;
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_subscription_load(check->engine->store, NULL, catalog, id, &sub, err);

    check->checked++;
    if (rc == LP_OK)
        rc = lp_model_validate(catalog, sub->product, sub->root, sub->status, err);
    lp_subscription_free(sub);
    if (rc == LP_OK || rc == LP_STORE || rc == LP_UNKNOWN || rc == LP_NOMEM)
        return rc;
    stored_fault(check, id, description, err->msg);
    lp_err_clear(err);
    return LP_OK;
}

enum lp_code
lp_stored_check(struct lp_stored_check *check, struct lp_err *err)
{
    char after[LP_UUID_LEN + 1] = "";
    enum lp_code rc = LP_OK;
    size_t count = PAGE;

    while (rc == LP_OK && count == PAGE) {
        struct lp_rows *rows = NULL;

        rc = lp_query(check->engine->store, LP_SQL_REG_SUBSCRIPTIONS_PAGE,
                      LP_ARGS(lp_text("after", after), lp_int("limit", PAGE)), &rows, err);
        if (rc != LP_OK)
            break;
        count = lp_rows_count(rows);
        for (size_t i = 0; rc == LP_OK && i < count; i++) {
            snprintf(after, sizeof after, "%s", lp_rows_text(rows, i, "id"));
            rc = check_one(check, after, lp_rows_text(rows, i, "description"), err);
        }
        lp_rows_free(rows);
        if (rc == LP_OK && check->go_on != NULL)
            rc = check->go_on(check->arg, err);
    }
    return rc;
}
