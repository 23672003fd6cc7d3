#include "store/settings.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

enum lp_code
lp_setting_get(struct lp_store *store, struct lp_reader *reader, const char *name, char **value,
               struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    const struct lp_arg args[] = {lp_text("name", name)};
    enum lp_code rc = reader == NULL
                          ? lp_query(store, LP_SQL_SETTING_GET, args, 1, &rows, err)
                          : lp_reader_query(reader, LP_SQL_SETTING_GET, args, 1, &rows, err);

    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail_at(err, LP_NOT_FOUND, name, "setting '%s' has no value", name);
    else if ((*value = strdup(lp_rows_text(rows, 0, "value"))) == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for setting '%s'", name);
    lp_rows_free(rows);
    return rc;
}

static void
add(struct lp_unit *unit, enum lp_stmt stmt, const char *name, const char *value, const char *actor,
    int64_t now_us)
{
    lp_unit_add(unit, stmt,
                LP_ARGS(lp_text("name", name), lp_text("value", value), lp_text("actor", actor),
                        lp_int("now", now_us)));
}

void
lp_setting_add(struct lp_unit *unit, const char *name, const char *value, const char *actor,
               int64_t now_us)
{
    add(unit, LP_SQL_SETTING_SET, name, value, actor, now_us);
}

static enum lp_code
store_one(struct lp_store *store, enum lp_stmt stmt, const char *name, const char *value,
          const char *actor, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    add(unit, stmt, name, value, actor, lp_clock_utc_us(store->options.clock));
    rc = lp_store_commit(store, unit, err);
    lp_unit_free(unit);
    return rc;
}

enum lp_code
lp_setting_set(struct lp_store *store, const char *name, const char *value, const char *actor,
               struct lp_err *err)
{
    return store_one(store, LP_SQL_SETTING_SET, name, value, actor, err);
}

enum lp_code
lp_setting_keep(struct lp_store *store, const char *name, const char *value, const char *actor,
                char **stored, struct lp_err *err)
{
    enum lp_code rc = store_one(store, LP_SQL_SETTING_ADD, name, value, actor, err);

    return rc == LP_OK ? lp_setting_get(store, NULL, name, stored, err) : rc;
}
