/* Notes, deletion, pause and status of the engine, and the visible sync flag. What happens to no
 * process is audited on the system chain. */
#include <string.h>

#include "base/buf.h"
#include "engine/head.h"

#define NOTE_MAX  5000
#define IDS_NAMED 5 /* unfinished processes named in the text; all of them stand in the detail */

/* ---- note ---- */

static size_t
characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

enum lp_code
lp_engine_note(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
               const char *note, struct lp_err *err)
{
    struct lp_head head = {.reg = NULL};
    json_auto_t *body = NULL;
    struct lp_unit *unit;
    int64_t now = lp_clock_utc_us(engine->clock);
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "change this process", err);

    if (rc == LP_OK && note != NULL && characters(note) > NOTE_MAX)
        rc =
            lp_fail_at(err, LP_INVALID, "/note", "the note is longer than %d characters", NOTE_MAX);
    if (rc == LP_OK)
        rc = lp_head_load(engine, id, &head, err);
    lp_head_clear(&head);
    if (rc != LP_OK)
        return rc;
    if (note != NULL && note[strspn(note, " \t\r\n")] == '\0')
        note = NULL;
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_SVC_NOTE,
                LP_ARGS(lp_text("note", note), lp_int("now", now), lp_text("id", id)));
    lp_event_process(unit, id, now);
    body = json_pack("{s:s, s:s, s:s?}", "event", "process.note", "process", id, "note", note);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    return rc;
}

/* ---- delete ---- */

static enum lp_code
demand_deletable(const struct lp_head *head, const struct lp_caller *caller, struct lp_err *err)
{
    if (!head->is_task)
        return lp_fail(err, LP_INVALID, "Process %s is not a task: only tasks can be deleted",
                       head->id);
    if (head->reg != NULL && !lp_may_retry(caller, head->reg, head->last_key))
        return lp_fail(err, LP_DENIED, "User is not authorized to delete this process");
    if (!lp_process_final(head->status))
        return lp_fail(err, LP_CONFLICT,
                       "Process %s is %s: only completed or aborted tasks can be deleted", head->id,
                       lp_process_status_name(head->status));
    return LP_OK;
}

enum lp_code
lp_engine_delete(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                 struct lp_err *err)
{
    static const enum lp_stmt parts[] = {
        LP_SQL_SVC_DELETE_CHECK,         LP_SQL_SVC_DELETE_STEPS,  LP_SQL_SVC_DELETE_ATTEMPTS,
        LP_SQL_SVC_DELETE_COMPENSATIONS, LP_SQL_SVC_DELETE_INPUTS, LP_SQL_SVC_DELETE_REQUESTS,
        LP_SQL_SVC_DELETE_LINKS,         LP_SQL_SVC_DELETE_PROCESS};
    struct lp_head head = {.reg = NULL};
    json_auto_t *body = json_pack("{s:s, s:s}", "event", "process.delete", "process", id);
    struct lp_unit *unit;
    int64_t now = lp_clock_utc_us(engine->clock);
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "delete processes", err);

    if (rc == LP_OK)
        rc = lp_head_load(engine, id, &head, err);
    if (rc == LP_OK)
        rc = demand_deletable(&head, caller, err);
    lp_head_clear(&head);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    for (size_t i = 0; i < LP_COUNT(parts); i++)
        lp_unit_add(unit, parts[i], LP_ARGS(lp_text("id", id)));
    lp_event_process(unit, id, now);
    lp_event_counts(unit, now);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    if (rc == LP_FENCED)
        rc = lp_fail(err, LP_CONFLICT, "Process %s is being worked on", id);
    return rc;
}

/* ---- pause and status ---- */

static enum lp_code
count_of(struct lp_engine *engine, enum lp_stmt stmt, int64_t *n, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, stmt, LP_NO_ARGS, &rows, err);

    if (rc == LP_OK)
        *n = lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_engine_pause(struct lp_engine *engine, const struct lp_caller *caller, bool paused,
                struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s}", "event", paused ? "engine.pause" : "engine.resume");
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_unit *unit;
    bool same = false;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "pause or resume the engine", err);

    if (rc == LP_OK)
        rc = lp_engine_setting_is(engine->store, "global_lock", paused ? "1" : "0", &same, err);
    if (rc != LP_OK || same)
        return rc;
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_REG_SETTING_PUT,
                LP_ARGS(lp_text("name", "global_lock"), lp_text("value", paused ? "1" : "0"),
                        lp_text("actor", caller->actor), lp_int("now", now)));
    lp_event_engine(unit, now);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    /* Nothing is resumed one by one: paused work is queued work, and one flag lets it go on (W05,
     * W06). */
    if (rc == LP_OK)
        lp_executor_set_paused(engine, paused);
    return rc;
}

static enum lp_code
demand_known(struct lp_engine *engine, const char *name, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SVC_DRAIN_KNOWN, LP_ARGS(lp_text("name", name)), &rows, err);

    if (rc == LP_OK && lp_rows_int(rows, 0, "n") == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "There is no executor named '%.100s'", name);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_engine_drain(struct lp_engine *engine, const struct lp_caller *caller, const char *name,
                bool drained, struct lp_err *err)
{
    json_auto_t *body = json_pack(
        "{s:s, s:s}", "event", drained ? "executor.drain" : "executor.undrain", "executor", name);
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_unit *unit;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "drain executors", err);

    if (rc == LP_OK)
        rc = demand_known(engine, name, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    if (drained)
        lp_unit_add(unit, LP_SQL_SVC_DRAIN_ADD,
                    LP_ARGS(lp_text("name", name), lp_text("actor", caller->actor),
                            lp_text("reason", caller->reason), lp_int("now", now)));
    else
        lp_unit_add(unit, LP_SQL_SVC_DRAIN_DROP, LP_ARGS(lp_text("name", name)));
    lp_event_engine(unit, now);
    rc = lp_audit_commit_system(engine, unit, caller, body, err);
    lp_unit_free(unit);
    if (rc == LP_OK)
        lp_executor_poke(engine, NULL); /* ours, when it is ours, hears of it now */
    return rc;
}

enum lp_code
lp_engine_status(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    bool paused = false, restored = false;
    int64_t running = 0;
    enum lp_code rc = lp_engine_setting_is(engine->store, "global_lock", "1", &paused, err);

    if (rc == LP_OK)
        rc = lp_engine_setting_is(engine->store, "restored", "1", &restored, err);
    if (rc == LP_OK)
        rc = count_of(engine, LP_SQL_SVC_RUNNING, &running, err);
    if (rc == LP_OK)
        *out = json_pack("{s:b, s:s, s:I, s:b}", "global_lock", paused, "global_status",
                         !paused       ? "RUNNING"
                         : running > 0 ? "PAUSING"
                                       : "PAUSED",
                         "running_processes", (json_int_t)running, "restored", restored);
    return rc;
}

enum lp_code
lp_engine_worker_status(struct lp_engine *engine, json_t **out, struct lp_err *err)
{
    int64_t running = 0, queued = 0, executors = 0;
    enum lp_code rc = count_of(engine, LP_SQL_SVC_RUNNING, &running, err);

    if (rc == LP_OK)
        rc = count_of(engine, LP_SQL_SVC_QUEUED, &queued, err);
    if (rc == LP_OK)
        rc = count_of(engine, LP_SQL_SVC_EXECUTORS, &executors, err);
    if (rc == LP_OK)
        *out = json_pack(
            "{s:s, s:I, s:I, s:I}", "executor_type", "threadpool", "number_of_workers_online",
            (json_int_t)(executors * engine->conf->executor_threads), "number_of_queued_jobs",
            (json_int_t)queued, "number_of_running_jobs", (json_int_t)running);
    return rc;
}

/* ---- set_in_sync ---- */

/* LP_INVALID with the ids between brackets, which front ends take apart; LP_OK when nothing is
 * unfinished. */
static enum lp_code
demand_idle(struct lp_engine *engine, const char *id, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    struct lp_buf named = LP_BUF_INIT;
    json_t *list;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SVC_SUB_UNFINISHED, LP_ARGS(lp_text("id", id)), &rows, err);
    size_t count = rc == LP_OK ? lp_rows_count(rows) : 0;

    if (count > 0) {
        list = json_array();
        for (size_t i = 0; i < count; i++) {
            json_array_append_new(list, json_string(lp_rows_text(rows, i, "id")));
            if (i < IDS_NAMED)
                lp_buf_printf(&named, "%s'%s'", i == 0 ? "" : ", ", lp_rows_text(rows, i, "id"));
        }
        rc =
            lp_fail(err, LP_INVALID, "Subscription %s has still failed processes with id's: [%s%s]",
                    id, named.failed ? "" : named.data, count > IDS_NAMED ? ", ..." : "");
        err->detail = json_pack("{s:o}", "process_ids", list);
    }
    lp_buf_free(&named);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
save_in_sync(struct lp_engine *engine, const struct lp_caller *caller, struct lp_subscription *sub,
             struct lp_err *err)
{
    struct lp_save_context context = {.actor = caller->actor, .clock = engine->clock};
    json_auto_t *body =
        json_pack("{s:s, s:s}", "event", "subscription.set_in_sync", "subscription", sub->id);
    struct lp_unit *unit = lp_unit_new();
    bool changed = false;
    enum lp_code rc;

    if (lp_conf_live_bool(&engine->conf->engine_insync_check)) {
        lp_unit_add(unit, LP_SQL_SVC_SUB_TURN, LP_ARGS(lp_text("id", sub->id)));
        lp_unit_add(unit, LP_SQL_SVC_SUB_IDLE_CHECK, LP_ARGS(lp_text("id", sub->id)));
    }
    sub->insync = true;
    rc = lp_subscription_save(unit, sub, engine->catalog, &context, &changed, err);
    if (rc == LP_OK) {
        lp_event_subscription(unit, sub->id, lp_clock_utc_us(engine->clock));
        rc = lp_audit_commit_system(engine, unit, caller, body, err);
    }
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
set_in_sync(struct lp_engine *engine, const struct lp_caller *caller, struct lp_subscription *sub,
            struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (sub->insync)
        return LP_OK;
    if (lp_conf_live_bool(&engine->conf->engine_insync_check))
        rc = demand_idle(engine, sub->id, err);
    if (rc == LP_OK)
        rc = save_in_sync(engine, caller, sub, err);
    if (rc != LP_CONFLICT)
        return rc;
    lp_err_clear(err); /* a process began in between, or somebody else changed the subscription */
    rc = lp_conf_live_bool(&engine->conf->engine_insync_check) ? demand_idle(engine, sub->id, err)
                                                               : LP_OK;
    return rc != LP_OK
               ? rc
               : lp_fail(err, LP_CONFLICT, "Subscription %s changed in this moment", sub->id);
}

enum lp_code
lp_engine_set_in_sync(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                      struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "change this subscription", err);

    if (rc == LP_OK)
        rc = lp_subscription_load(engine->store, NULL, engine->catalog, id, &sub, err);
    if (rc == LP_OK)
        rc = set_in_sync(engine, caller, sub, err);
    lp_subscription_free(sub);
    return rc;
}
