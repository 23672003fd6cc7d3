/* Requests of operators to a process that is owned, and the way back: undo of what was done, newest
 * first. */
#include <stdio.h>
#include <string.h>

#include "engine/exec.h"

static void
stand_on(struct lp_proc *proc, const char *key, const char *title)
{
    snprintf(proc->key, sizeof proc->key, "%s", key);
    snprintf(proc->title, sizeof proc->title, "%s", title);
    proc->head.row_seq = proc->head.retries = proc->head.attempt = 0;
    proc->head.open_attempt = false;
    proc->unknown = false;
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
}

/* ---- requests ---- */

struct request {
    const char *id, *kind;
    struct lp_caller caller;
};

static struct request
request_of(const struct lp_rows *rows, size_t i)
{
    return (struct request){.id = lp_rows_text(rows, i, "id"),
                            .kind = lp_rows_text(rows, i, "kind"),
                            .caller = {.actor = lp_rows_text(rows, i, "actor"),
                                       .role = LP_ROLE_OPERATE,
                                       .correlation_id = lp_rows_text(rows, i, "correlation_id"),
                                       .ticket = lp_rows_text(rows, i, "ticket"),
                                       .reason = lp_rows_text(rows, i, "reason")}};
}

static struct lp_unit *
consumed(const struct lp_proc *proc, const struct request *request)
{
    struct lp_unit *unit = lp_unit_new();

    lp_unit_add(unit, LP_SQL_RUN_REQUEST_DROP, LP_ARGS(lp_text("request", request->id)));
    lp_unit_add(unit, LP_SQL_RUN_REQUESTS_COUNT, LP_ARGS(lp_text("id", proc->id)));
    return unit;
}

/** Open children get the same request, so that nothing works on for a process that is gone. */
static void
abort_children(const struct lp_proc *proc, struct lp_unit *unit, const struct lp_caller *caller)
{
    int64_t now = lp_clock_utc_us(proc->engine->clock);

    lp_unit_add(unit, LP_SQL_RUN_CHILDREN_ABORT,
                LP_ARGS(lp_text("actor", caller->actor), lp_text("ticket", caller->ticket),
                        lp_text("reason", caller->reason),
                        lp_text("correlation", caller->correlation_id), lp_int("now", now),
                        lp_text("id", proc->id)));
    lp_unit_add(unit, LP_SQL_RUN_CHILDREN_TELL,
                LP_ARGS(lp_int("now", now), lp_text("id", proc->id)));
}

static void
end_attempt(const struct lp_proc *proc, struct lp_unit *unit)
{
    if (proc->head.open_attempt)
        lp_unit_add(unit, LP_SQL_RUN_ATTEMPT_END,
                    LP_ARGS(lp_text("outcome", lp_code_info(LP_CANCELLED)->slug), lp_null("error"),
                            lp_int("now", lp_clock_utc_us(proc->engine->clock)),
                            lp_text("id", proc->id), lp_text("key", proc->key),
                            lp_int("n", proc->head.attempt)));
}

static void
abort_now(struct lp_proc *proc, struct lp_unit *writes, const struct lp_caller *caller)
{
    json_auto_t *audit =
        json_pack("{s:s, s:b}", "event", "process.abort", "rollback", proc->undoing);

    end_attempt(proc, writes);
    abort_children(proc, writes, caller);
    stand_on(proc, LP_KEY_ABORT, "User Aborted");
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_ABORT, .status = LP_PS_ABORTED, .after = LP_AFTER_PARK,
                              .writes = writes, .audit = audit, .assignee = "SYSTEM",
                              .caller = caller, .created_by = caller->actor));
}

/** An operation that was under way and has no row yet gets one, so that it is undone with the rest.
 */
static bool
log_interrupted(struct lp_proc *proc)
{
    struct lp_err err = LP_ERR_INIT;

    if (!proc->head.open_attempt || proc->head.row_seq != 0 || proc->undoing)
        return false;
    (void)!lp_fail(&err, LP_CANCELLED, "interrupted: an operator asked to abort with rollback");
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_FAILED, .status = LP_PS_RUNNING, .after = LP_AFTER_GO,
                              .error = &err, .outcome = lp_code_info(LP_CANCELLED)->slug));
    lp_err_clear(&err);
    return true;
}

static void
begin_rollback(struct lp_proc *proc, const struct request *request)
{
    struct lp_unit *writes = consumed(proc, request);
    json_auto_t *audit = json_pack("{s:s}", "event", "process.abort_rollback");

    end_attempt(proc, writes);
    proc->undoing = true;
    stand_on(proc, LP_UNDO_PREFIX, "Abort with rollback");
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_SUCCESS, .status = LP_PS_RUNNING, .after = LP_AFTER_GO,
                              .writes = writes, .audit = audit, .assignee = "SYSTEM",
                              .caller = &request->caller, .created_by = request->caller.actor));
}

/** A request that asks for nothing (more): only struck off the list. */
static bool
strike(struct lp_proc *proc, const struct request *request)
{
    struct lp_unit *unit = lp_flush_touch(proc), *body = consumed(proc, request);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    (void)lp_unit_append(unit, body);
    rc = lp_store_commit(proc->engine->store, unit, &err);
    lp_unit_free(unit);
    if (rc != LP_OK) {
        lp_proc_lost(proc, &err);
        return true;
    }
    return lp_undo_requests(proc);
}

static bool
obey(struct lp_proc *proc, const struct request *request)
{
    if (strcmp(request->kind, "abort") == 0) {
        abort_now(proc, consumed(proc, request), &request->caller);
        return true;
    }
    if (strcmp(request->kind, "abort_rollback") == 0 && !proc->undoing && proc->reg != NULL) {
        if (!log_interrupted(proc))
            begin_rollback(proc, request);
        return true;
    }
    return strike(proc, request);
}

/** The count says more than there is: without this the process would be taken up for ever. False:
 * the store failed. */
static bool
count_again(struct lp_proc *proc)
{
    struct lp_unit *unit = lp_flush_touch(proc);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_RUN_REQUESTS_COUNT, LP_ARGS(lp_text("id", proc->id)));
    rc = lp_store_commit(proc->engine->store, unit, &err);
    lp_unit_free(unit);
    if (rc != LP_OK)
        lp_proc_lost(proc, &err);
    return rc == LP_OK;
}

bool
lp_undo_requests(struct lp_proc *proc)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_query(proc->engine->store, LP_SQL_RUN_REQUESTS,
                               LP_ARGS(lp_text("id", proc->id)), &rows, &err);
    bool done = true;

    if (rc != LP_OK) {
        lp_proc_lost(proc, &err);
        return true;
    }
    atomic_store(&proc->cancel, false);
    if (lp_rows_count(rows) == 0) {
        done = proc->requests > 0 && !count_again(proc);
        proc->requests = 0;
    } else {
        struct request request = request_of(rows, 0);

        done = obey(proc, &request);
    }
    lp_rows_free(rows);
    return done;
}

/* ---- the way back ---- */

static bool
undone(const struct lp_rows *rows, const char *key, size_t *at)
{
    *at = SIZE_MAX;
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *undo = lp_rows_text(rows, i, "key"), *status;

        if (strncmp(undo, LP_UNDO_PREFIX, strlen(LP_UNDO_PREFIX)) != 0
            || strcmp(undo + strlen(LP_UNDO_PREFIX), key) != 0)
            continue;
        status = lp_rows_text(rows, i, "status");
        *at = i;
        return strcmp(status, "success") == 0 || strcmp(status, "skipped") == 0;
    }
    return false;
}

/** Finished steps, and unfinished ones that may have touched something outside. */
static bool
wants_undo(const struct lp_step *step, const char *status)
{
    if (step->undo == NULL)
        return false;
    if (strcmp(status, "success") == 0)
        return true;
    return step->effects == LP_EFFECT_EXTERNAL && strcmp(status, "skipped") != 0;
}

static enum lp_code
read_undo_row(struct lp_proc *proc, const struct lp_rows *rows, size_t at, struct lp_err *err)
{
    const char *error = lp_rows_text(rows, at, "error");
    enum lp_code rc = LP_OK;

    proc->head.row_seq = lp_rows_int(rows, at, "seq");
    proc->head.retries = lp_rows_int(rows, at, "retries");
    if (error != NULL)
        rc = lp_json_load(error, strlen(error), &proc->row_error, err);
    if (rc == LP_OK && proc->head.status != LP_PS_RESUMED)
        proc->in_row = lp_json_int(proc->row_error, "in_row", 0);
    return rc;
}

/** Puts the proc on the newest row that is still to be undone; false when there is none. */
static enum lp_code
find(struct lp_proc *proc, const struct lp_rows *rows, bool *found, struct lp_err *err)
{
    *found = false;
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        const char *key = lp_rows_text(rows, i, "key");
        size_t each = 0, at, place = lp_places_find(proc->places, key, &each);

        if (place >= proc->places->count
            || !wants_undo(proc->places->rows[place].step, lp_rows_text(rows, i, "status"))
            || undone(rows, key, &at))
            continue;
        *found = true;
        lp_proc_enter(proc, place);
        proc->each = each;
        lp_proc_set_key(proc);
        return at == SIZE_MAX ? LP_OK : read_undo_row(proc, rows, at, err);
    }
    return LP_OK;
}

bool
lp_undo_next(struct lp_thread *thread, struct lp_proc *proc)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    bool found = false;
    enum lp_code rc = lp_query(proc->engine->store, LP_SQL_RUN_UNDO_ROWS,
                               LP_ARGS(lp_text("id", proc->id)), &rows, &err);

    if (rc == LP_OK)
        rc = find(proc, rows, &found, &err);
    lp_rows_free(rows);
    if (rc == LP_OK && found)
        rc = lp_proc_load_attempt(proc, &err);
    if (rc != LP_OK) {
        lp_proc_lost(proc, &err);
        return false;
    }
    if (!found) {
        struct lp_caller caller = lp_proc_caller(proc);

        abort_now(proc, lp_unit_new(), &caller);
        return false;
    }
    if (lp_proc_crashed(proc, lp_proc_step(proc)))
        return false;
    return lp_proc_attempt(thread, proc, lp_proc_step(proc));
}
