/*
 * The connection of an executor's own: it holds the advisory lock on the executor's name and
 * carries the renewals of its lease, so that neither a long queue of the committer nor a lock of
 * somebody else can delay them.
 */
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

static void
drop(struct lp_store *store)
{
    store->backend->close(store->name_conn);
    store->name_conn = NULL;
    store->name_owned = false;
}

static enum lp_code
try_lock(struct lp_store *store, struct lp_err *err)
{
    static const char sql[] =
        "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended('lightpath-executor:' || "
        "current_schema() || ':' || CAST($1 AS text), 0)) THEN 1 ELSE 0 END AS got";
    const struct lp_value value = {
        .kind = LP_VALUE_TEXT, .len = (int)strlen(store->name), .s = store->name};
    const struct lp_call call = {.text = sql, .values = &value, .count = 1};
    struct lp_rows *rows = NULL;
    enum lp_code rc = LP_OK;

    if (store->name_owned)
        return LP_OK; /* it goes with the connection only */
    rc = store->backend->run(store->name_conn, &call, &rows, NULL, err);
    if (rc == LP_OK)
        store->name_owned = lp_rows_int(rows, 0, "got") == 1;
    lp_rows_free(rows);
    return rc;
}

/** Connected, and the name tried for when it is not ours yet. */
static enum lp_code
attend(struct lp_store *store, int64_t timeout_ms, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (store->name_conn != NULL && store->backend->broken(store->name_conn))
        drop(store);
    if (store->name_conn == NULL)
        rc = store->backend->open(&store->options, LP_CONN_READER, &store->name_conn, err);
    if (rc != LP_OK) {
        store->name_conn = NULL;
        return rc;
    }
    if (store->backend->limit != NULL)
        store->backend->limit(store->name_conn, timeout_ms);
    rc = try_lock(store, err);
    if (rc != LP_OK)
        drop(store);
    return rc;
}

enum lp_code
lp_store_own_name(struct lp_store *store, const char *name, bool *owned, struct lp_err *err)
{
    enum { OPEN_MS = 10000 };
    enum lp_code rc;

    *owned = store->backend->dialect == LP_DIALECT_SQLITE;
    if (*owned)
        return LP_OK;
    if (store->name == NULL || strcmp(store->name, name) != 0) {
        drop(store);
        free(store->name);
        store->name = strdup(name);
        if (store->name == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a name");
    }
    rc = attend(store, OPEN_MS, err);
    *owned = rc == LP_OK && store->name_owned;
    return rc;
}

enum lp_code
lp_store_beat(struct lp_store *store, enum lp_stmt stmt, const struct lp_arg *args,
              size_t arg_count, int64_t timeout_ms, int64_t *changed, bool *owned,
              struct lp_err *err)
{
    const struct lp_sql *sql = &lp_sql_table[stmt];
    struct lp_value values[LP_MAX_PARAMS];
    const struct lp_call call = {.sql = sql, .values = values, .count = arg_count};
    enum lp_code rc;

    if (store->name == NULL)
        return lp_fail(err, LP_INTERNAL, "no name was asked for before");
    rc = attend(store, timeout_ms, err);
    if (rc == LP_OK)
        rc = lp_bind(sql, args, arg_count, values, err);
    if (rc == LP_OK)
        rc = store->backend->run(store->name_conn, &call, NULL, changed, err);
    if (rc != LP_OK && store->name_conn != NULL && store->backend->broken(store->name_conn))
        drop(store);
    *owned = store->name_owned;
    return rc;
}
