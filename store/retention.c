#include "store/retention.h"

#include <stdio.h>

#include "store/internal.h"

enum { CHUNK = 200, WHOLE_CHUNK = 50 };
#define HOUR_US (3600 * INT64_C(1000000))
#define DAY_US  (24 * HOUR_US)

struct pass {
    struct lp_store *store;
    int64_t now_us;
    bool (*stop)(void *arg);
    void *arg;
};

static bool
stopped(const struct pass *pass)
{
    return pass->stop != NULL && pass->stop(pass->arg);
}

/* ---- rows that one statement finds and deletes ---- */

static enum lp_code
drop_chunk(const struct pass *pass, enum lp_stmt stmt, int64_t cutoff, int64_t *deleted,
           struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;
    size_t at;

    if (stmt == LP_SQL_RETENTION_EVENTS) /* numbers never go back: the highest is kept elsewhere */
        lp_unit_add(unit, LP_SQL_EVENT_TURN, LP_NO_ARGS);
    at = lp_unit_add(unit, stmt, LP_ARGS(lp_int("cutoff", cutoff), lp_int("most", CHUNK)));
    rc = lp_store_commit(pass->store, unit, err);
    *deleted = rc == LP_OK ? lp_unit_changed(unit, at) : 0;
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
drop_rows(const struct pass *pass, enum lp_stmt stmt, int64_t age_us, int64_t *total,
          struct lp_err *err)
{
    int64_t deleted = CHUNK;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && deleted == CHUNK && !stopped(pass)) {
        rc = drop_chunk(pass, stmt, pass->now_us - age_us, &deleted, err);
        *total += deleted;
    }
    return rc;
}

/* ---- things with an id and rows in several tables ---- */

static const enum lp_stmt task_drops[] = {
    LP_SQL_RETENTION_DROP_STEPS,         LP_SQL_RETENTION_DROP_ATTEMPTS,
    LP_SQL_RETENTION_DROP_COMPENSATIONS, LP_SQL_RETENTION_DROP_INPUTS,
    LP_SQL_RETENTION_DROP_REQUESTS,      LP_SQL_RETENTION_DROP_LINKS,
    LP_SQL_RETENTION_DROP_PLANS,         LP_SQL_RETENTION_DROP_APPROVALS,
    LP_SQL_RETENTION_DROP_APPLIED,       LP_SQL_RETENTION_DROP_EVIDENCE,
    LP_SQL_RETENTION_DROP_IDEMPOTENCY,   LP_SQL_RETENTION_DROP_PROCESS};
static const enum lp_stmt step_drops[] = {
    LP_SQL_RETENTION_DROP_STEPS,         LP_SQL_RETENTION_DROP_ATTEMPTS,
    LP_SQL_RETENTION_DROP_COMPENSATIONS, LP_SQL_RETENTION_DROP_INPUTS,
    LP_SQL_RETENTION_DROP_PLANS,         LP_SQL_RETENTION_DROP_APPROVALS,
    LP_SQL_RETENTION_DROP_APPLIED,       LP_SQL_RETENTION_DROP_EVIDENCE};
static const enum lp_stmt plan_drops[] = {LP_SQL_RETENTION_DROP_OPERATIONS,
                                          LP_SQL_RETENTION_DROP_PLAN};
static const enum lp_stmt chain_drops[] = {LP_SQL_RETENTION_DROP_CHAIN};

struct whole {
    enum lp_stmt find;
    const enum lp_stmt *drops;
    size_t drop_count;
};
static const struct whole tasks = {LP_SQL_RETENTION_FIND_TASKS, task_drops, LP_COUNT(task_drops)};
static const struct whole steps = {LP_SQL_RETENTION_FIND_STEPS, step_drops, LP_COUNT(step_drops)};
static const struct whole plans = {LP_SQL_RETENTION_FIND_PLANS, plan_drops, LP_COUNT(plan_drops)};
static const struct whole chains = {LP_SQL_RETENTION_FIND_CHAINS, chain_drops,
                                    LP_COUNT(chain_drops)};

static enum lp_code
drop_found(const struct pass *pass, const struct whole *rule, const struct lp_rows *rows,
           struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    for (size_t i = 0; i < lp_rows_count(rows); i++)
        for (size_t k = 0; k < rule->drop_count; k++)
            lp_unit_add(unit, rule->drops[k], LP_ARGS(lp_text("id", lp_rows_text(rows, i, "id"))));
    rc = lp_store_commit(pass->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
drop_whole(const struct pass *pass, const struct whole *rule, int64_t age_us, int64_t *total,
           struct lp_err *err)
{
    char id[200] = "";
    int64_t at = INT64_MIN / 2;
    size_t found = WHOLE_CHUNK;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && found == WHOLE_CHUNK && !stopped(pass)) {
        struct lp_rows *rows = NULL;

        rc = lp_query(pass->store, rule->find,
                      LP_ARGS(lp_int("cutoff", pass->now_us - age_us), lp_int("at", at),
                              lp_text("id", id), lp_int("most", WHOLE_CHUNK)),
                      &rows, err);
        if (rc != LP_OK)
            break;
        found = lp_rows_count(rows);
        if (found > 0) {
            rc = drop_found(pass, rule, rows, err);
            snprintf(id, sizeof id, "%s", lp_rows_text(rows, found - 1, "id"));
            at = lp_rows_int(rows, found - 1, "at");
        }
        if (rc == LP_OK)
            *total += (int64_t)found;
        lp_rows_free(rows);
    }
    return rc;
}

/* ---- source rows: the newest few of each key stay ---- */

static enum lp_code
drop_key(const struct pass *pass, const char *source, const char *key, int64_t runs, int64_t *total,
         struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_RETENTION_DROP_IMPORTS,
                LP_ARGS(lp_text("source", source), lp_text("key", key), lp_int("runs", runs)));
    rc = lp_store_commit(pass->store, unit, err);
    if (rc == LP_OK)
        *total += lp_unit_changed(unit, 0);
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
drop_imports(const struct pass *pass, int64_t runs, int64_t *total, struct lp_err *err)
{
    struct lp_rows *last = NULL;
    size_t found = CHUNK;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && found == CHUNK && !stopped(pass)) {
        struct lp_rows *rows = NULL;
        size_t end = last == NULL ? 0 : lp_rows_count(last) - 1;

        rc = lp_query(
            pass->store, LP_SQL_RETENTION_FIND_IMPORTS,
            LP_ARGS(lp_text("source", last == NULL ? "" : lp_rows_text(last, end, "source")),
                    lp_text("key", last == NULL ? "" : lp_rows_text(last, end, "key")),
                    lp_int("most", CHUNK)),
            &rows, err);
        lp_rows_free(last);
        last = rows;
        found = rc == LP_OK ? lp_rows_count(rows) : 0;
        for (size_t i = 0; rc == LP_OK && i < found && !stopped(pass); i++)
            if (lp_rows_int(rows, i, "kept") > runs)
                rc = drop_key(pass, lp_rows_text(rows, i, "source"), lp_rows_text(rows, i, "key"),
                              runs, total, err);
    }
    lp_rows_free(last);
    return rc;
}

enum lp_code
lp_retention_run(struct lp_store *store, const struct lp_conf *conf, bool (*stop)(void *arg),
                 void *arg, struct lp_retention_report *report, struct lp_err *err)
{
    const struct pass pass = {
        .store = store, .now_us = lp_clock_utc_us(store->options.clock), .stop = stop, .arg = arg};
    const struct {
        enum lp_stmt stmt;
        int64_t age_us;
        int64_t *total;
    } rows[] = {
        {LP_SQL_RETENTION_EVENTS, lp_conf_live_int(&conf->retention_event_days) * DAY_US,
         &report->events},
        {LP_SQL_RETENTION_EVIDENCE, lp_conf_live_int(&conf->retention_evidence_days) * DAY_US,
         &report->exchanges},
        {LP_SQL_RETENTION_KEYS, lp_conf_live_int(&conf->retention_idempotency_hours) * HOUR_US,
         &report->keys},
        {LP_SQL_RETENTION_EXECUTORS, lp_conf_live_int(&conf->retention_event_days) * DAY_US,
         &report->executors},
        {LP_SQL_RETENTION_DELIVERIES, lp_conf_live_int(&conf->retention_notification_days) * DAY_US,
         &report->notices},
        {LP_SQL_RETENTION_NOTICES, lp_conf_live_int(&conf->retention_notification_days) * DAY_US,
         &report->notices},
        {LP_SQL_RETENTION_RUNS, lp_conf_live_int(&conf->retention_schedule_days) * DAY_US,
         &report->runs},
        {LP_SQL_RETENTION_SCHEDULES, lp_conf_live_int(&conf->retention_schedule_days) * DAY_US,
         &report->schedules},
        {LP_SQL_RETENTION_SEALS, lp_conf_live_int(&conf->retention_audit_days) * DAY_US,
         &report->seals},
        {LP_SQL_RETENTION_BLOCKS, lp_conf_live_int(&conf->retention_history_days) * DAY_US,
         &report->versions},
        {LP_SQL_RETENTION_HEADERS, lp_conf_live_int(&conf->retention_history_days) * DAY_US,
         &report->versions},
    };
    enum lp_code rc;

    *report = (struct lp_retention_report){0};
    rc = drop_whole(&pass, &tasks, lp_conf_live_int(&conf->retention_task_days) * DAY_US,
                    &report->tasks, err);
    if (rc == LP_OK)
        rc = drop_whole(&pass, &steps, lp_conf_live_int(&conf->retention_process_days) * DAY_US,
                        &report->processes, err);
    if (rc == LP_OK)
        rc = drop_whole(&pass, &plans, lp_conf_live_int(&conf->retention_task_days) * DAY_US,
                        &report->plans, err);
    if (rc == LP_OK)
        rc = drop_whole(&pass, &chains, lp_conf_live_int(&conf->retention_audit_days) * DAY_US,
                        &report->chains, err);
    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(rows); i++)
        rc = drop_rows(&pass, rows[i].stmt, rows[i].age_us, rows[i].total, err);
    return rc == LP_OK ? drop_imports(&pass, lp_conf_live_int(&conf->retention_import_runs),
                                      &report->imports, err)
                       : rc;
}
