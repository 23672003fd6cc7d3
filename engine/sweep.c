/* What the holder of the scheduler lease does for everybody: announces what may run and nobody
 * took.
 */
#include <string.h>

#include "engine/internal.h"

struct look {
    struct lp_engine *engine;
    size_t found;
};

static enum lp_code
announce(struct look *look, enum lp_stmt stmt, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(look->engine->store, stmt, LP_ARGS(lp_int("limit", LP_SWEEP_MOST)), &rows, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        lp_executor_announce(look->engine, lp_rows_text(rows, i, "id"),
                             (int)lp_rows_int(rows, i, "priority"), lp_rows_text(rows, i, "label"));
    look->found += lp_rows_count(rows);
    lp_rows_free(rows);
    return LP_OK;
}

/** Processes that nobody has begun and nobody can: they wait, and say for what. Nothing is written
 * when there are none. */
static enum lp_code
park_unservable(struct look *look, struct lp_err *err)
{
    struct lp_engine *engine = look->engine;
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_rows *rows = NULL;
    struct lp_unit *unit;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SWEEP_UNSERVABLE,
                               LP_ARGS(lp_int("limit", LP_SWEEP_MOST)), &rows, err);

    if (rc != LP_OK || lp_rows_count(rows) == 0) {
        lp_rows_free(rows);
        return rc;
    }
    unit = lp_unit_new();
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *id = lp_rows_text(rows, i, "id");

        lp_unit_add(unit, LP_SQL_SWEEP_PARK,
                    LP_ARGS(lp_text("id", id), lp_int("epoch", lp_rows_int(rows, i, "lease_epoch")),
                            lp_text("words", LP_WAITS_FOR_LABEL "'"), lp_int("now", now)));
        lp_event_process(unit, id, now);
    }
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    lp_rows_free(rows);
    return rc;
}

struct state {
    bool paused, due, open;
    int64_t next_ms;
};

static enum lp_code
look_around(struct look *look, struct state *out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(look->engine->store, LP_SQL_SWEEP_LOOK, LP_NO_ARGS, &rows, err);
    int64_t left;

    if (rc != LP_OK)
        return rc;
    left = lp_rows_int(rows, 0, "at") - lp_rows_int(rows, 0, "now");
    *out = (struct state){.paused = strcmp(lp_rows_text(rows, 0, "paused"), "1") == 0,
                          .due = lp_rows_int(rows, 0, "due") != 0,
                          .open = lp_rows_int(rows, 0, "open") != 0,
                          .next_ms = lp_rows_null(rows, 0, "at") ? -1
                                     : left > 0                  ? (left + 999) / 1000
                                                                 : 0};
    lp_rows_free(rows);
    return LP_OK;
}

enum lp_code
lp_engine_sweep(struct lp_engine *engine, size_t *found, int64_t *next_ms, struct lp_err *err)
{
    struct look look = {.engine = engine};
    struct state state = {.next_ms = -1};
    enum lp_code rc = look_around(&look, &state, err);

    if (rc == LP_OK && state.open)
        rc = park_unservable(&look, err);
    if (!state.paused && (state.open || state.due)
        && engine->queue->ops->depth(engine->queue) <= LP_SWEEP_MOST / 4) { /* else told already */
        if (rc == LP_OK && state.open)
            rc = announce(&look, LP_SQL_SWEEP_RUNNABLE, err);
        if (rc == LP_OK && state.due)
            rc = announce(&look, LP_SQL_SWEEP_DUE, err);
    }
    *next_ms = state.next_ms;
    *found = look.found;
    return rc;
}
