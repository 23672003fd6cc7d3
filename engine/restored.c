/* The state 'restored': after a restore only validations run, and what an administrator starts with
 * a reason, until every stored subscription that can be validated was. Processes from before the
 * restore are not claimed meanwhile (run_claim). */
#include <string.h>

#include "engine/internal.h"

#define PAGE 200

/* Whether a validation exists that could ever say something about this subscription. */
static bool
can_be_validated(const struct lp_engine *engine, const char *product_id, const char *status)
{
    const struct lp_product_type *product = lp_catalog_product_by_id(engine->catalog, product_id);
    enum lp_lifecycle lifecycle;

    if (product == NULL || !lp_lifecycle_from_name(status, &lifecycle))
        return false;
    for (size_t i = 0; i < engine->workflow_count; i++) {
        const struct lp_workflow *workflow = engine->workflows[i].workflow;

        if (workflow->target == LP_TARGET_VALIDATE && lp_workflow_fits(workflow, product)
            && (lp_workflow_usable(workflow) & LP_BIT(lifecycle)) != 0)
            return true;
    }
    return false;
}

/* Counts subscriptions that still wait for their validation; stops at the first page that has one.
 */
static enum lp_code
count_open(struct lp_engine *engine, int64_t *open, struct lp_err *err)
{
    char after[LP_UUID_LEN + 1] = "";
    enum lp_code rc = LP_OK;
    size_t count = PAGE;

    *open = 0;
    while (rc == LP_OK && count == PAGE && *open == 0) {
        struct lp_rows *rows = NULL;

        rc = lp_query(engine->store, LP_SQL_SVC_NOT_VALIDATED,
                      LP_ARGS(lp_text("after", after), lp_int("limit", PAGE)), &rows, err);
        if (rc != LP_OK)
            break;
        count = lp_rows_count(rows);
        for (size_t i = 0; i < count; i++) {
            snprintf(after, sizeof after, "%s", lp_rows_text(rows, i, "id"));
            *open += can_be_validated(engine, lp_rows_text(rows, i, "product_id"),
                                      lp_rows_text(rows, i, "status"));
        }
        lp_rows_free(rows);
    }
    return rc;
}

/* Takes the state away; processes that were held back are found by the sweeper, buffered callbacks
 * are looked at again. */
static enum lp_code
leave(struct lp_engine *engine, const struct lp_caller *caller, const char *why, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    json_auto_t *body = json_pack("{s:s, s:s}", "event", "engine.restored_ends", "because", why);
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_REG_SETTING_PUT,
                LP_ARGS(lp_text("name", "restored"), lp_text("value", "0"),
                        lp_text("actor", caller->actor), lp_int("now", now)));
    lp_event_engine(unit, now);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    if (rc == LP_OK) {
        __atomic_store_n(&engine->restored, false, __ATOMIC_RELEASE);
        lp_executor_poke(engine, NULL);
        lp_logf(engine->log, LP_LOG_INFO, "engine.restored_ends", "s:s", "because", why);
    }
    return rc;
}

enum lp_code
lp_restored_load(struct lp_engine *engine, struct lp_err *err)
{
    return lp_engine_setting_is(engine->store, "restored", "1", &engine->restored, err);
}

/* The flag only ever goes down while a program runs; another program may have ended the state. */
static enum lp_code
still_restored(struct lp_engine *engine, bool *restored, struct lp_err *err)
{
    enum lp_code rc;

    *restored = __atomic_load_n(&engine->restored, __ATOMIC_ACQUIRE);
    if (!*restored)
        return LP_OK;
    rc = lp_engine_setting_is(engine->store, "restored", "1", restored, err);
    if (rc == LP_OK && !*restored)
        __atomic_store_n(&engine->restored, false, __ATOMIC_RELEASE);
    return rc;
}

enum lp_code
lp_engine_demand_not_restored(struct lp_engine *engine, const struct lp_caller *caller,
                              const struct lp_workflow *workflow, struct lp_err *err)
{
    bool restored = false;
    enum lp_code rc = still_restored(engine, &restored, err);

    if (rc != LP_OK || !restored || workflow->target == LP_TARGET_VALIDATE
        || workflow->only_validates
        || (caller->role == LP_ROLE_ADMIN && caller->reason != NULL && caller->reason[0] != '\0'))
        return rc;
    return lp_fail(err, LP_PRECONDITION,
                   "The database was restored from a backup: only validations run until "
                   "everything was validated; start task_validate_subscriptions (an "
                   "administrator may override with a reason)");
}

void
lp_restored_check(struct lp_engine *engine)
{
    static const struct lp_caller system = {.actor = "SYSTEM", .role = LP_ROLE_ADMIN};
    struct lp_err err = LP_ERR_INIT;
    bool restored = false;
    int64_t open = 0;
    enum lp_code rc = still_restored(engine, &restored, &err);

    if (rc == LP_OK && restored) {
        rc = count_open(engine, &open, &err);
        if (rc == LP_OK && open == 0)
            rc = leave(engine, &system, "everything was validated", &err);
    }
    if (rc != LP_OK)
        lp_log_err(engine->log, LP_LOG_WARN, "engine.restored", &err);
    lp_err_clear(&err);
}

enum lp_code
lp_engine_end_restored(struct lp_engine *engine, const struct lp_caller *caller, struct lp_err *err)
{
    bool restored = false;
    enum lp_code rc = LP_OK;

    if (caller->role != LP_ROLE_ADMIN)
        return lp_fail(err, LP_DENIED, "User is not authorized to end the state 'restored'");
    if (caller->reason == NULL || caller->reason[strspn(caller->reason, " \t\r\n")] == '\0')
        return lp_fail_at(err, LP_INVALID, "/reason",
                          "a reason is needed to end the state 'restored' by hand");
    rc = lp_engine_setting_is(engine->store, "restored", "1", &restored, err);
    return rc == LP_OK && restored ? leave(engine, caller, caller->reason, err) : rc;
}
