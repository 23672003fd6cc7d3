/* Operator actions on a process: resume, retry, abort, skip, mark done. Every rule is here,
 * whichever interface called (W28). */
#include <stdlib.h>
#include <string.h>

#include "engine/head.h"

#define TRIES 5 /* an action that lost a race against the executor looks again */

/* ---- heads ---- */

static void
fill_head(struct lp_engine *engine, const struct lp_rows *rows, struct lp_head *head)
{
    snprintf(head->id, sizeof head->id, "%s", lp_rows_text(rows, 0, "id"));
    head->reg = lp_registry_find(engine, lp_rows_text(rows, 0, "workflow"));
    head->is_task = lp_rows_int(rows, 0, "is_task") != 0;
    head->free = lp_rows_int(rows, 0, "free") != 0;
    head->priority = (int)lp_rows_int(rows, 0, "priority");
    head->epoch = lp_rows_int(rows, 0, "lease_epoch");
    head->seq = lp_rows_int(rows, 0, "head_seq");
    head->chain.seq = lp_rows_int(rows, 0, "audit_seq");
    snprintf(head->chain.name, sizeof head->chain.name, "%s", head->id);
    snprintf(head->chain.hash, sizeof head->chain.hash, "%s", lp_rows_text(rows, 0, "audit_hash"));
    if (!lp_rows_null(rows, 0, "last_key"))
        head->last_key = strdup(lp_rows_text(rows, 0, "last_key"));
    if (!lp_rows_null(rows, 0, "parent_id"))
        snprintf(head->parent, sizeof head->parent, "%s", lp_rows_text(rows, 0, "parent_id"));
}

enum lp_code
lp_head_load(struct lp_engine *engine, const char *id, struct lp_head *head, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SVC_HEAD, LP_ARGS(lp_text("id", id)), &rows, err);

    *head = (struct lp_head){.reg = NULL};
    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_NOT_FOUND, "Process with process_id %.64s not found", id);
    else if (!lp_process_status_from_name(lp_rows_text(rows, 0, "status"), &head->status))
        rc = lp_fail(err, LP_STORE, "process %s has the unknown status '%.40s'", id,
                     lp_rows_text(rows, 0, "status"));
    else
        fill_head(engine, rows, head);
    lp_rows_free(rows);
    return rc;
}

void
lp_head_clear(struct lp_head *head)
{
    free(head->last_key);
    head->last_key = NULL;
}

enum lp_code
lp_head_take(struct lp_engine *engine, struct lp_unit *unit, struct lp_head *head,
             const struct lp_caller *caller, enum lp_process_status status, const json_t *body,
             struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    enum lp_code rc;

    lp_unit_key(unit, head->id);
    rc = lp_audit_add(unit, &head->chain, caller, body, now, err);
    if (rc != LP_OK)
        return rc;
    lp_unit_add(unit, LP_SQL_SVC_TAKE,
                LP_ARGS(lp_int("epoch", head->epoch),
                        lp_text("old", lp_process_status_name(head->status)),
                        lp_text("status", lp_process_status_name(status)), lp_int("now", now),
                        lp_int("audit_seq", head->chain.seq),
                        lp_text("audit_hash", head->chain.hash), lp_text("id", head->id)));
    lp_event_process(unit, head->id, now);
    lp_event_counts(unit, now);
    return LP_OK;
}

enum lp_code
lp_head_commit(struct lp_engine *engine, struct lp_unit *unit, const struct lp_head *head,
               struct lp_err *err)
{
    enum lp_code rc = lp_store_commit(engine->store, unit, err);

    if (rc != LP_OK)
        return rc;
    lp_events_poke(engine);
    lp_executor_hint(engine, head->id, head->priority);
    return LP_OK;
}

enum lp_code
lp_demand_role(const struct lp_caller *caller, enum lp_role least, const char *what,
               struct lp_err *err)
{
    if (caller->role >= least)
        return LP_OK;
    return lp_fail(err, LP_DENIED, "User is not authorized to %s", what);
}

/* ---- resume and retry ---- */

static enum lp_code
fail_status(const struct lp_head *head, struct lp_err *err)
{
    return lp_fail(err, LP_CONFLICT, "Resuming a %s workflow is not possible",
                   lp_process_status_name(head->status));
}

/* Statuses an operator may resume from. awaiting_callback only goes on with its callback (W23);
 * resumed was accepted already. */
static bool
may_be_resumed(const struct lp_head *head)
{
    return lp_process_resumable(head->status) && head->status != LP_PS_AWAITING_CALLBACK
           && head->status != LP_PS_RESUMED && head->free;
}

/** Who runs steps again has at least the role that the start asked for. To abort takes less. */
static bool
may_run_again(const struct lp_caller *caller, const struct lp_registered *reg, const char *key)
{
    return caller->role >= reg->workflow->role && lp_may_retry(caller, reg, key);
}

static enum lp_code
demand_authorized(const struct lp_head *head, const struct lp_caller *caller, struct lp_err *err)
{
    if (head->status == LP_PS_SUSPENDED) {
        if (!lp_may_resume(caller, head->reg, head->last_key))
            return lp_fail(err, LP_DENIED, "User is not authorized to resume step");
    } else if (!may_run_again(caller, head->reg, head->last_key)) {
        return lp_fail(err, LP_DENIED, "User is not authorized to retry step");
    }
    return LP_OK;
}

static enum lp_code
demand_workflow(const struct lp_head *head, struct lp_err *err)
{
    if (head->reg != NULL)
        return LP_OK;
    return lp_fail(err, LP_CONFLICT,
                   "the workflow of process %s is not part of this program any more; the process "
                   "can only be viewed and aborted",
                   head->id);
}

/* Pages of a resume: nothing, {} and [] mean "without input". New reference. */
static enum lp_code
resume_pages(const json_t *pages, json_t **out, struct lp_err *err)
{
    bool nothing = pages == NULL || json_is_null(pages)
                   || (json_is_object(pages) && json_object_size(pages) == 0)
                   || (json_is_array(pages) && json_array_size(pages) == 0);

    if (!nothing && !json_is_array(pages))
        return lp_fail_at(err, LP_INVALID, "", "the form input must be a list of pages, not %s",
                          lp_json_kind(pages));
    *out = nothing ? json_pack("[{}]") : json_deep_copy(pages);
    return LP_OK;
}

enum lp_code
lp_wait_number(struct lp_engine *engine, const char *id, const char *key, const char *kind,
               int64_t *n, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(engine->store, LP_SQL_SVC_WAITS, LP_ARGS(lp_text("id", id)), &rows, err);

    *n = 1;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "step_key"), key) == 0
            && strcmp(lp_rows_text(rows, i, "kind"), kind) == 0)
            *n = 1 + lp_rows_int(rows, i, "consumed");
    lp_rows_free(rows);
    return rc;
}

/* The input step the process stands at, or NULL: then posted pages are ignored (http-api 1.6). */
static const struct lp_step *
waiting_input_step(const struct lp_head *head)
{
    const struct lp_step *step =
        head->last_key == NULL ? NULL : lp_registry_step(head->reg, head->last_key, NULL);

    return step != NULL && step->kind == LP_STEP_INPUT ? step : NULL;
}

/* Queues the answer of the form under the number of this wait; the unique key lets one of two
 * resumes win (W20). */
static enum lp_code
add_input(struct lp_engine *engine, struct lp_unit *unit, const struct lp_head *head,
          const struct lp_caller *caller, const json_t *output, struct lp_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int64_t n = 0;
    enum lp_code rc = lp_wait_number(engine, head->id, head->last_key, "form", &n, err);

    if (rc == LP_OK)
        rc = lp_json_canonical(output, &text, &len, err);
    if (rc == LP_OK)
        lp_unit_add(unit, LP_SQL_SVC_INPUT_INSERT,
                    LP_ARGS(lp_text("process_id", head->id), lp_text("step_key", head->last_key),
                            lp_int("n", n), lp_text("kind", "form"), lp_text("doc", text),
                            lp_text("actor", caller->actor),
                            lp_int("now", lp_clock_utc_us(engine->clock)), lp_null("consumed_at")));
    free(text);
    return rc;
}

static enum lp_code
ask_form(struct lp_engine *engine, const struct lp_head *head, const struct lp_caller *caller,
         const struct lp_step *step, const json_t *pages, json_t **output, struct lp_err *err)
{
    json_auto_t *posted = NULL;
    json_auto_t *state = NULL;
    enum lp_code rc = resume_pages(pages, &posted, err);

    if (rc == LP_OK)
        rc = lp_state_load(engine->store, NULL, head->id, -1, &state, err);
    if (rc == LP_OK)
        rc = lp_form_negotiate(engine, caller, head->reg, step->form, false, state, posted, output,
                               NULL, err);
    return rc;
}

static enum lp_code
resume_loaded(struct lp_engine *engine, struct lp_head *head, const struct lp_caller *caller,
              const json_t *pages, struct lp_err *err)
{
    const struct lp_step *step = waiting_input_step(head);
    json_auto_t *output = NULL;
    json_auto_t *body = NULL;
    struct lp_unit *unit;
    enum lp_code rc = LP_OK;

    if (step != NULL)
        rc = ask_form(engine, head, caller, step, pages, &output, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new();
    body = json_pack("{s:s, s:s?, s:O*}", "event",
                     head->status == LP_PS_SUSPENDED ? "process.resume" : "process.retry", "step",
                     head->last_key, "input", output);
    rc = lp_head_take(engine, unit, head, caller, LP_PS_RESUMED, body, err);
    if (rc == LP_OK && step != NULL)
        rc = add_input(engine, unit, head, caller, output, err);
    if (rc == LP_OK)
        rc = lp_head_commit(engine, unit, head, err);
    lp_unit_free(unit);
    return rc;
}

enum lp_code
lp_engine_resume(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                 const json_t *pages, struct lp_err *err)
{
    struct lp_head head = {.reg = NULL};
    enum lp_code rc = lp_engine_demand_running(engine, err);

    if (rc == LP_OK)
        rc = lp_head_load(engine, id, &head, err);
    if (rc == LP_OK && !may_be_resumed(&head))
        rc = fail_status(&head, err);
    if (rc == LP_OK)
        rc = demand_workflow(&head, err);
    if (rc == LP_OK)
        rc = demand_authorized(&head, caller, err);
    if (rc == LP_OK)
        rc = lp_engine_demand_not_restored(engine, caller, head.reg->workflow, err);
    if (rc == LP_OK)
        rc = resume_loaded(engine, &head, caller, pages, err);
    if (rc == LP_FENCED || (rc == LP_CONFLICT && err->pointer[0] != '\0'))
        rc = lp_fail(err, LP_CONFLICT, "Process %s was resumed by somebody else in this moment",
                     head.id);
    lp_head_clear(&head);
    return rc;
}

/* ---- resume-all ---- */

/* Queues the retry of one task when the caller may; tells whether it did. */
static bool
add_retry(struct lp_engine *engine, struct lp_unit *unit, const struct lp_caller *caller,
          const struct lp_rows *rows, size_t i, int64_t now)
{
    const struct lp_registered *reg = lp_registry_find(engine, lp_rows_text(rows, i, "workflow"));
    const char *id = lp_rows_text(rows, i, "id");

    /* One bad process must not strand the rest (W06): what cannot be retried is left as it is. */
    if (reg == NULL || !may_run_again(caller, reg, lp_rows_text(rows, i, "last_key")))
        return false;
    lp_unit_add(unit, LP_SQL_SVC_RETRY_ONE,
                LP_ARGS(lp_int("now", now), lp_text("id", id),
                        lp_int("epoch", lp_rows_int(rows, i, "lease_epoch")),
                        lp_text("old", lp_rows_text(rows, i, "status"))));
    return true;
}

/* One page of tasks in one unit; its first statements are the retries, in the order of hinted[]. */
static enum lp_code
retry_page(struct lp_engine *engine, const struct lp_caller *caller, const struct lp_rows *rows,
           json_t *ids, struct lp_err *err)
{
    size_t count = lp_rows_count(rows), statements = 0;
    const char **hinted = calloc(count + 1, sizeof *hinted);
    struct lp_unit *unit = lp_unit_new();
    int64_t now = lp_clock_utc_us(engine->clock);
    json_auto_t *body = NULL;
    enum lp_code rc = LP_OK;

    if (hinted == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for %zu tasks", count);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        if (add_retry(engine, unit, caller, rows, i, now))
            hinted[statements++] = lp_rows_text(rows, i, "id");
    for (size_t i = 0; i < statements; i++)
        lp_event_process(unit, hinted[i], now);
    if (rc == LP_OK && statements > 0) {
        body =
            json_pack("{s:s, s:I}", "event", "process.resume_all", "tasks", (json_int_t)statements);
        lp_event_counts(unit, now);
        rc = lp_audit_commit_system(engine, unit, caller, body, err);
    }
    for (size_t i = 0; rc == LP_OK && i < statements; i++) {
        if (lp_unit_changed(unit, i) != 1)
            continue;
        json_array_append_new(ids, json_string(hinted[i]));
        lp_executor_hint(engine, hinted[i], 1);
    }
    lp_unit_free(unit);
    free(hinted);
    return rc;
}

static enum lp_code
retry_tasks(struct lp_engine *engine, const struct lp_caller *caller, json_t *ids,
            struct lp_err *err)
{
    enum { PAGE = 100 };
    char after[LP_UUID_LEN + 1] = "";
    size_t count = PAGE;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && count == PAGE) {
        struct lp_rows *rows = NULL;

        rc = lp_query(engine->store, LP_SQL_SVC_RETRYABLE_TASKS,
                      LP_ARGS(lp_text("after", after), lp_int("limit", PAGE)), &rows, err);
        if (rc != LP_OK)
            break;
        count = lp_rows_count(rows);
        if (count > 0) {
            snprintf(after, sizeof after, "%s", lp_rows_text(rows, count - 1, "id"));
            rc = retry_page(engine, caller, rows, ids, err);
        }
        lp_rows_free(rows);
    }
    return rc;
}

enum lp_code
lp_engine_resume_all(struct lp_engine *engine, const struct lp_caller *caller, int64_t *count,
                     struct lp_err *err)
{
    json_auto_t *ids = json_array();
    bool busy;
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "resume processes", err);

    if (rc == LP_OK)
        rc = lp_engine_demand_running(engine, err);
    if (rc != LP_OK)
        return rc;
    busy = __atomic_test_and_set(&engine->resuming_all, __ATOMIC_ACQUIRE);
    if (busy)
        return lp_fail(err, LP_CONFLICT, "Another request to resume all processes is in progress");
    rc = retry_tasks(engine, caller, ids, err);
    __atomic_clear(&engine->resuming_all, __ATOMIC_RELEASE);
    *count = (int64_t)json_array_size(ids);
    return rc;
}

/* ---- abort ---- */

static void
add_request(struct lp_engine *engine, struct lp_unit *unit, const char *id, const char *kind,
            const struct lp_caller *caller)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_uuid request = lp_uuid_v7(engine->clock);

    lp_unit_add(unit, LP_SQL_SVC_REQUEST_MARK, LP_ARGS(lp_int("now", now), lp_text("id", id)));
    lp_unit_add(unit, LP_SQL_SVC_REQUEST_INSERT,
                LP_ARGS(lp_text("id", request.text), lp_text("process_id", id),
                        lp_text("kind", kind), lp_text("actor", caller->actor),
                        lp_text("ticket", caller->ticket), lp_text("reason", caller->reason),
                        lp_text("correlation_id",
                                caller->correlation_id == NULL ? id : caller->correlation_id),
                        lp_int("now", now)));
}

/* The owner, or whoever claims it next, does the work under its fence. */
static enum lp_code
request_abort(struct lp_engine *engine, const struct lp_head *head, const struct lp_caller *caller,
              bool rollback, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_key(unit, head->id);
    add_request(engine, unit, head->id, rollback ? "abort_rollback" : "abort", caller);
    lp_event_process(unit, head->id, lp_clock_utc_us(engine->clock));
    rc = lp_head_commit(engine, unit, head, err);
    lp_unit_free(unit);
    if (rc == LP_OK)
        lp_executor_poke(engine, head->id);
    return rc;
}

/* Open children are asked to stop in the unit that ends the process: nothing works on for one that
 * is gone. */
static void
add_children_abort(struct lp_unit *unit, const struct lp_head *head, const struct lp_caller *caller,
                   int64_t now)
{
    lp_unit_add(unit, LP_SQL_RUN_CHILDREN_ABORT,
                LP_ARGS(lp_text("actor", caller->actor), lp_text("ticket", caller->ticket),
                        lp_text("reason", caller->reason),
                        lp_text("correlation",
                                caller->correlation_id == NULL ? head->id : caller->correlation_id),
                        lp_int("now", now), lp_text("id", head->id)));
    lp_unit_add(unit, LP_SQL_RUN_CHILDREN_TELL,
                LP_ARGS(lp_int("now", now), lp_text("id", head->id)));
}

/* They hear of it at once; what is not told here is found by the sweep. */
static void
tell_children(struct lp_engine *engine, const struct lp_head *head)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_query(engine->store, LP_SQL_SVC_CHILDREN_OPEN, LP_ARGS(lp_text("id", head->id)), &rows,
                 &err)
        != LP_OK)
        lp_err_clear(&err);
    for (size_t i = 0; i < lp_rows_count(rows); i++) {
        lp_executor_hint(engine, lp_rows_text(rows, i, "id"), head->priority);
        lp_executor_poke(engine, lp_rows_text(rows, i, "id"));
    }
    lp_rows_free(rows);
}

/* What a finished abort leaves behind, besides the fence and the audit row. */
static enum lp_code
add_abort_rows(struct lp_engine *engine, struct lp_unit *unit, const struct lp_head *head,
               const struct lp_caller *caller, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_uuid step = lp_uuid_v7(engine->clock);
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SVC_PROCESS_SUBSCRIPTIONS,
                               LP_ARGS(lp_text("id", head->id)), &rows, err);

    if (rc != LP_OK)
        return rc;
    lp_unit_add(unit, LP_SQL_SVC_ABORT_ROW,
                LP_ARGS(lp_text("process_id", head->id), lp_int("seq", head->seq + 1),
                        lp_text("step_id", step.text), lp_text("actor", caller->actor),
                        lp_int("now", now)));
    lp_unit_add(unit, LP_SQL_SVC_ABORT_HEAD,
                LP_ARGS(lp_int("seq", head->seq + 1), lp_text("id", head->id)));
    lp_unit_add(unit, LP_SQL_SVC_LOCKS_RELEASE, LP_ARGS(lp_text("process_id", head->id)));
    lp_locks_left(unit, engine, head->id, head->epoch + 1);
    lp_unit_add(unit, LP_SQL_SVC_NAMED_LOCKS_RELEASE, LP_ARGS(lp_text("process_id", head->id)));
    lp_unit_add(unit, LP_SQL_RUN_NAMED_WAITS_DROP, LP_ARGS(lp_text("id", head->id)));
    add_children_abort(unit, head, caller, now);
    if (head->parent[0] != '\0')
        lp_unit_add(unit, LP_SQL_SVC_PARENT_WAKE,
                    LP_ARGS(lp_int("now", now), lp_text("id", head->parent)));
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        lp_event_add(unit,
                     json_pack("{s:s, s:s}", "type", "subscriptions", "id",
                               lp_rows_text(rows, i, "subscription_id")),
                     now);
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
abort_free(struct lp_engine *engine, struct lp_head *head, const struct lp_caller *caller,
           struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s, s:s?}", "event", "process.abort", "step", head->last_key);
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = lp_head_take(engine, unit, head, caller, LP_PS_ABORTED, body, err);

    if (rc == LP_OK)
        rc = add_abort_rows(engine, unit, head, caller, err);
    if (rc == LP_OK)
        rc = lp_head_commit(engine, unit, head, err);
    lp_unit_free(unit);
    if (rc == LP_OK)
        tell_children(engine, head);
    if (rc == LP_OK && head->parent[0] != '\0')
        lp_executor_hint(engine, head->parent, 0);
    return rc;
}

/* Once; LP_FENCED: the executor was faster, look again. */
static enum lp_code
try_abort(struct lp_engine *engine, const struct lp_caller *caller, const char *id, bool rollback,
          struct lp_err *err)
{
    struct lp_head head;
    enum lp_code rc = lp_head_load(engine, id, &head, err);

    if (rc == LP_OK && head.reg != NULL && !lp_may_retry(caller, head.reg, head.last_key))
        rc = lp_fail(err, LP_DENIED, "User is not authorized to abort this process");
    if (rc == LP_OK && rollback)
        rc = demand_workflow(&head, err);
    if (rc == LP_OK && rollback && !lp_process_final(head.status))
        rc = lp_changed_demand_undoable(engine, &head, err);
    if (rc == LP_OK && !lp_process_final(head.status))
        rc = head.free && !rollback ? abort_free(engine, &head, caller, err)
                                    : request_abort(engine, &head, caller, rollback, err);
    lp_head_clear(&head);
    return rc;
}

enum lp_code
lp_engine_abort(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                bool rollback, struct lp_err *err)
{
    enum lp_code rc = lp_demand_role(caller, LP_ROLE_OPERATE, "abort this process", err);

    if (rc != LP_OK)
        return rc;
    rc = LP_FENCED;
    for (int i = 0; i < TRIES && rc == LP_FENCED; i++) {
        lp_err_clear(err);
        rc = try_abort(engine, caller, id, rollback, err);
    }
    return rc;
}

/* ---- skip and mark done ---- */

/* What an operator may settle by hand: the step the process stands at, unless somebody works on it
 * or a form answers it. A form whose step this program does not have answers nothing. */
static const unsigned may_settle = LP_BIT(LP_PS_FAILED) | LP_BIT(LP_PS_WAITING)
                                   | LP_BIT(LP_PS_API_UNAVAILABLE) | LP_BIT(LP_PS_INCONSISTENT_DATA)
                                   | LP_BIT(LP_PS_AWAITING_CALLBACK);

static bool
form_gone(const struct lp_head *head)
{
    return head->status == LP_PS_SUSPENDED
           && lp_registry_step(head->reg, head->last_key, NULL) == NULL;
}

static enum lp_code
demand_settleable(const struct lp_head *head, const struct lp_caller *caller, const char *what,
                  struct lp_err *err)
{
    enum lp_code rc = demand_workflow(head, err);

    if (rc != LP_OK)
        return rc;
    if (head->last_key == NULL || !head->free
        || (!(may_settle & LP_BIT(head->status)) && !form_gone(head)))
        return lp_fail(err, LP_CONFLICT, "A %s process has no failed or waiting step to %s",
                       lp_process_status_name(head->status), what);
    if (!lp_may_retry(caller, head->reg, head->last_key))
        return lp_fail(err, LP_DENIED, "User is not authorized to %s this step", what);
    return LP_OK;
}

/* What the row holds already: a wait keeps what its first half set. New reference. */
static enum lp_code
stored_delta(struct lp_engine *engine, const struct lp_head *head, json_t **delta,
             struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(
        engine->store, LP_SQL_SVC_STEP_DELTA,
        LP_ARGS(lp_text("process_id", head->id), lp_text("key", head->last_key)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 0)
        rc = lp_fail(err, LP_CONFLICT, "Process %s has not begun the step '%s' yet", head->id,
                     head->last_key);
    if (rc == LP_OK)
        *delta = json_loads(lp_rows_text(rows, 0, "delta"), 0, NULL);
    if (rc == LP_OK && !json_is_object(*delta))
        rc = lp_fail(err, LP_STORE, "the step '%s' of process %s cannot be read", head->last_key,
                     head->id);
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
demand_settable(const json_t *set, struct lp_err *err)
{
    static const char *const fixed[] = {"process_id", "reporter", "workflow_name",
                                        "workflow_target"};

    if (set != NULL && !json_is_object(set))
        return lp_fail_at(err, LP_INVALID, "/delta", "the delta must be an object, not %s",
                          lp_json_kind(set));
    for (size_t i = 0; i < LP_COUNT(fixed); i++)
        if (json_object_get(set, fixed[i]) != NULL)
            return lp_fail_at(err, LP_INVALID, "/delta",
                              "'%s' belongs to the engine and cannot be set by hand", fixed[i]);
    return LP_OK;
}

/* The delta of the settled row as stored. */
static enum lp_code
settled_delta(struct lp_engine *engine, const struct lp_head *head, const json_t *set, char **text,
              struct lp_err *err)
{
    json_auto_t *delta = NULL;
    size_t len = 0;
    enum lp_code rc = demand_settable(set, err);

    if (rc == LP_OK)
        rc = stored_delta(engine, head, &delta, err);
    if (rc != LP_OK)
        return rc;
    if (json_object_size(set) > 0) {
        if (json_object_get(delta, "set") == NULL)
            json_object_set_new(delta, "set", json_object());
        json_object_update_new(json_object_get(delta, "set"), json_deep_copy(set));
    }
    return lp_json_canonical(delta, text, &len, err);
}

static void
add_settled(struct lp_engine *engine, struct lp_unit *unit, const struct lp_head *head,
            const struct lp_caller *caller, const char *status, const char *delta, int64_t n)
{
    int64_t now = lp_clock_utc_us(engine->clock);

    lp_unit_add(unit, LP_SQL_SVC_STEP_SETTLE,
                LP_ARGS(lp_text("status", status), lp_text("delta", delta),
                        lp_text("actor", caller->actor), lp_int("now", now),
                        lp_text("process_id", head->id), lp_text("key", head->last_key)));
    lp_unit_add(unit, LP_SQL_SVC_STEP_BYTES,
                LP_ARGS(lp_int("bytes", strlen(delta)), lp_text("id", head->id)));
    lp_unit_add(unit, LP_SQL_RUN_NAMED_WAITS_DROP, LP_ARGS(lp_text("id", head->id)));
    /* A late callback must not answer the next wait of this step. */
    if (head->status == LP_PS_AWAITING_CALLBACK)
        lp_unit_add(unit, LP_SQL_SVC_CALLBACK_CLOSE,
                    LP_ARGS(lp_text("process_id", head->id), lp_text("step_key", head->last_key),
                            lp_int("n", n), lp_text("actor", caller->actor), lp_int("now", now)));
}

static enum lp_code
settle_loaded(struct lp_engine *engine, struct lp_head *head, const struct lp_caller *caller,
              const char *status, const json_t *set, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s, s:s?, s:s, s:O*}", "event", "process.settle", "step",
                                  head->last_key, "status", status, "delta", set);
    struct lp_unit *unit = lp_unit_new();
    char *delta = NULL;
    int64_t n = 1;
    enum lp_code rc = settled_delta(engine, head, set, &delta, err);

    if (rc == LP_OK && head->status == LP_PS_AWAITING_CALLBACK)
        rc = lp_wait_number(engine, head->id, head->last_key, "callback", &n, err);
    if (rc == LP_OK)
        rc = lp_head_take(engine, unit, head, caller, LP_PS_RESUMED, body, err);
    if (rc == LP_OK) {
        add_settled(engine, unit, head, caller, status, delta, n);
        rc = lp_head_commit(engine, unit, head, err);
    }
    lp_unit_free(unit);
    free(delta);
    return rc;
}

static enum lp_code
settle(struct lp_engine *engine, const struct lp_caller *caller, const char *id, const char *what,
       const char *status, const json_t *set, struct lp_err *err)
{
    struct lp_head head = {.reg = NULL};
    enum lp_code rc;

    if (caller->reason == NULL || caller->reason[strspn(caller->reason, " \t\r\n")] == '\0')
        return lp_fail_at(err, LP_INVALID, "/reason", "a reason is needed to %s a step by hand",
                          what);
    rc = lp_engine_demand_running(engine, err);
    if (rc == LP_OK)
        rc = lp_head_load(engine, id, &head, err);
    if (rc == LP_OK)
        rc = demand_settleable(&head, caller, what, err);
    if (rc == LP_OK)
        rc = lp_engine_demand_not_restored(engine, caller, head.reg->workflow, err);
    if (rc == LP_OK)
        rc = settle_loaded(engine, &head, caller, status, set, err);
    if (rc == LP_FENCED)
        rc = lp_fail(err, LP_CONFLICT, "Process %s was changed by somebody else in this moment",
                     head.id);
    lp_head_clear(&head);
    return rc;
}

enum lp_code
lp_engine_skip(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
               struct lp_err *err)
{
    return settle(engine, caller, id, "skip", "skipped", NULL, err);
}

enum lp_code
lp_engine_mark_done(struct lp_engine *engine, const struct lp_caller *caller, const char *id,
                    const json_t *delta, struct lp_err *err)
{
    return settle(engine, caller, id, "settle", "success", delta, err);
}
