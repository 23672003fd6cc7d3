/* Starting: authorizer, predicate, form, and one transaction that repeats every condition in SQL
 * while it takes the locks. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/gated.h"
#include "engine/internal.h"

#define TRIES                                                                                      \
    3 /* a start whose subscription changed between form and commit is negotiated again            \
       */

/* ---- locks ---- */

struct wanted_lock {
    const char *id;
    bool target;
};

static int
by_id(const void *a, const void *b)
{
    const struct wanted_lock *x = a, *y = b;

    return strcmp(x->id, y->id);
}

/* Target first, then the shared ones without it and without doubles; sorted, so that all starts
 * lock in one order. */
static size_t
collect_locks(const struct lp_new_process *request, const char *target, struct wanted_lock *locks)
{
    size_t i, n = 0, kept = 0;
    json_t *value;

    if (target != NULL)
        locks[n++] = (struct wanted_lock){target, true};
    json_array_foreach(request->shared_ids, i, value)
    {
        const char *id = json_string_value(value);

        if (id != NULL && (target == NULL || strcmp(id, target) != 0))
            locks[n++] = (struct wanted_lock){id, false};
    }
    qsort(locks, n, sizeof *locks, by_id);
    for (i = 0; i < n; i++)
        if (kept == 0 || strcmp(locks[kept - 1].id, locks[i].id) != 0)
            locks[kept++] = locks[i];
    return kept;
}

/* ",active,provisioning," for LIKE. */
static void
usable_text(const struct lp_workflow *workflow, char text[static 128])
{
    struct lp_buf buf = LP_BUF_INIT;

    lp_buf_char(&buf, ',');
    for (unsigned i = 0; i < LP_LC_COUNT; i++)
        if (lp_workflow_usable(workflow) & LP_BIT(i))
            lp_buf_printf(&buf, "%s,", lp_lifecycle_name((enum lp_lifecycle)i));
    snprintf(text, 128, "%s", buf.failed ? "" : buf.data);
    lp_buf_free(&buf);
}

static void
add_target_checks(struct lp_unit *unit, const struct lp_new_process *request, const char *id)
{
    const struct lp_workflow *workflow = request->reg->workflow;
    bool in_sync = lp_workflow_needs_sync(workflow);
    char usable[128];

    usable_text(workflow, usable);
    lp_unit_add(unit, LP_SQL_SVC_TARGET_CHECK,
                LP_ARGS(lp_text("usable", usable), lp_int("in_sync", in_sync ? 1 : 0),
                        lp_int("version", lp_json_int(request->output, "version", -1)),
                        lp_text("id", id)));
    if (in_sync)
        lp_unit_add(unit, LP_SQL_SVC_RELATIONS_CHECK, LP_ARGS(lp_text("id", id)));
    if (workflow->target == LP_TARGET_TERMINATE && !workflow->hands_over)
        lp_unit_add(unit, LP_SQL_SVC_UNUSED_CHECK, LP_ARGS(lp_text("id", id)));
}

static void
add_lock(struct lp_unit *unit, const char *process_id, const struct wanted_lock *lock, int64_t now)
{
    const char *mode = lock->target ? "exclusive" : "shared";

    if (!lock->target)
        lp_unit_add(unit, LP_SQL_SVC_SHARED_CHECK, LP_ARGS(lp_text("id", lock->id)));
    lp_unit_add(
        unit, LP_SQL_SVC_LOCK_CHECK,
        LP_ARGS(lp_text("process_id", process_id), lp_text("mode", mode), lp_text("id", lock->id)));
    lp_unit_add(unit, LP_SQL_SVC_LOCK_INSERT,
                LP_ARGS(lp_text("id", lock->id), lp_text("process_id", process_id),
                        lp_text("mode", mode), lp_int("now", now)));
}

/* The subscription a workflow works on; NULL for CREATE and SYSTEM. */
static const char *
target_of(const struct lp_new_process *request)
{
    enum lp_target target = request->reg->workflow->target;

    if (target == LP_TARGET_CREATE || target == LP_TARGET_SYSTEM)
        return NULL;
    return lp_json_str(request->output, "subscription_id", NULL);
}

static enum lp_code
add_locks(struct lp_unit *unit, const struct lp_new_process *request, const char *process_id,
          int64_t now, struct lp_err *err)
{
    const char *target = target_of(request);
    struct wanted_lock *locks = calloc(json_array_size(request->shared_ids) + 1, sizeof *locks);
    size_t count;

    if (locks == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the locks");
    count = collect_locks(request, target, locks);
    for (size_t i = 0; i < count; i++) {
        if (locks[i].target)
            add_target_checks(unit, request, locks[i].id);
        if (!request->dry_run && (!locks[i].target || !request->reg->workflow->without_lock))
            add_lock(unit, process_id, &locks[i], now);
    }
    free(locks);
    return LP_OK;
}

/* ---- the process itself ---- */

/* Form output overlaid by the identity of the process. */
static json_t *
initial_state(const struct lp_new_process *request, const char *id)
{
    const struct lp_workflow *workflow = request->reg->workflow;
    json_t *state = request->output == NULL ? json_object() : json_deep_copy(request->output);

    lp_json_set_str(state, "process_id", id);
    lp_json_set_str(state, "reporter", request->caller->actor);
    lp_json_set_str(state, "workflow_name", workflow->name);
    lp_json_set_str(state, "workflow_target", lp_target_name(workflow->target));
    json_object_del(state, LP_DRY_KEY);
    json_object_del(state, "dry_run");
    if (request->dry_run)
        lp_json_set_bool(state, "dry_run", true);
    return state;
}

/* `state` is taken. */
static enum lp_code
add_initial_input(struct lp_unit *unit, const struct lp_new_process *request, json_t *state,
                  const struct lp_chain *chain, const char *id, int64_t now, struct lp_err *err)
{
    json_auto_t *owned = state;
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(state, &text, &len, err);

    if (rc == LP_OK)
        lp_unit_add(unit, LP_SQL_SVC_INPUT_INSERT,
                    LP_ARGS(lp_text("process_id", id), lp_text("step_key", ""), lp_int("n", 0),
                            lp_text("kind", "initial"), lp_text("doc", text),
                            lp_text("actor", request->caller->actor), lp_int("now", now),
                            lp_null("consumed_at")));
    free(text);
    if (rc == LP_OK && request->claim != NULL && *request->claim != NULL)
        rc = lp_proc_born(*request->claim, request, chain, lp_json_take(&owned), len, err);
    return rc;
}

static enum lp_code
add_start_audit(struct lp_unit *unit, const struct lp_new_process *request, struct lp_chain *chain,
                int64_t now, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:s, s:s, s:s*, s:O?}", "event", "process.start", "workflow",
                                  request->reg->workflow->name, "parent", request->parent_id,
                                  "input", request->output);

    if (request->dry_run)
        lp_json_set_bool(body, "dry_run", true);

    return lp_audit_add(unit, chain, request->caller, body, now, err);
}

static void
add_process(struct lp_unit *unit, const struct lp_new_process *request,
            const struct lp_chain *chain, const char *id, const char *owner, int64_t now)
{
    const struct lp_registered *reg = request->reg;
    const struct lp_caller *caller = request->caller;
    bool task = reg->workflow->is_task;
    enum lp_process_status status = owner == NULL ? LP_PS_CREATED : LP_PS_RUNNING;

    lp_unit_add(
        unit, LP_SQL_SVC_PROCESS_INSERT,
        LP_ARGS(
            lp_text("id", id), lp_text("workflow", reg->workflow->name),
            lp_text("workflow_id", reg->id.text),
            lp_text("target", lp_target_name(reg->workflow->target)),
            lp_int("is_task", task ? 1 : 0), lp_int("priority", task ? 1 : 0),
            lp_text("created_by", caller->actor), lp_text("ticket", caller->ticket),
            lp_text("reason", caller->reason),
            lp_text("correlation_id", caller->correlation_id == NULL ? id : caller->correlation_id),
            lp_text("definition_hash", reg->hash), lp_int("now", now),
            lp_text("label", lp_label_needed(reg->workflow, reg->steps[0])),
            lp_text("parent_id", request->parent_id), lp_text("parent_step", request->parent_step),
            lp_text("parent_item", request->parent_item),
            lp_int("dry_run", request->dry_run ? 1 : 0), lp_int("audit_seq", chain->seq),
            lp_text("audit_hash", chain->hash), lp_text("status", lp_process_status_name(status)),
            lp_text("owner", owner), lp_int("epoch", owner == NULL ? 0 : 1)));
}

enum lp_code
lp_process_create(struct lp_engine *engine, struct lp_unit *unit,
                  const struct lp_new_process *request, char id[static LP_UUID_LEN + 1],
                  struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(engine->clock);
    struct lp_uuid uuid = lp_uuid_v7(engine->clock);
    struct lp_chain chain = {.seq = 0};
    const char *owner = NULL;
    enum lp_code rc;

    memcpy(id, uuid.text, sizeof uuid.text);
    snprintf(chain.name, sizeof chain.name, "%s", id);
    rc = add_locks(unit, request, id, now, err);
    if (rc == LP_OK)
        rc = add_start_audit(unit, request, &chain, now, err);
    if (rc != LP_OK)
        return rc;
    if (request->claim != NULL && request->window_id == NULL)
        *request->claim = lp_executor_reserve(engine, id, request->reg);
    if (request->claim != NULL && *request->claim != NULL)
        owner = engine->incarnation;
    add_process(unit, request, &chain, id, owner, now);
    if (request->window_id != NULL)
        lp_window_add_binding(unit, id, request->window_id);
    lp_event_process(unit, id, now);
    lp_event_counts(unit, now);
    return add_initial_input(unit, request, initial_state(request, id), &chain, id, now, err);
}

/* ---- why a start lost ---- */

static enum lp_code
fail_locked(const struct lp_rows *rows, const char *id, struct lp_err *err)
{
    const char *holder = lp_rows_text(rows, 0, "process_id");
    enum lp_code rc =
        lp_fail(err, LP_CONFLICT, "Subscription %s is locked by process %s (%s, %s)", id, holder,
                lp_rows_null(rows, 0, "workflow") ? "removed" : lp_rows_text(rows, 0, "workflow"),
                lp_rows_null(rows, 0, "status") ? "unknown" : lp_rows_text(rows, 0, "status"));

    err->detail = json_pack("{s:s, s:s, s:s?, s:s?}", "subscription_id", id, "process_id", holder,
                            "workflow_name", lp_rows_text(rows, 0, "workflow"), "process_status",
                            lp_rows_text(rows, 0, "status"));
    return rc;
}

/* LP_OK: nobody holds it in a way that stands against the mode. */
static enum lp_code
check_holder(struct lp_engine *engine, const char *id, const char *mode, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_SVC_LOCK_HOLDER,
                               LP_ARGS(lp_text("id", id), lp_text("mode", mode)), &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) > 0)
        rc = fail_locked(rows, id, err);
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_process_create_explain(struct lp_engine *engine, const struct lp_new_process *request,
                          struct lp_err *err)
{
    const char *target = target_of(request);
    enum lp_code rc = LP_OK;
    size_t i;
    json_t *value;

    lp_err_clear(err);
    if (target != NULL && !request->reg->workflow->without_lock)
        rc = check_holder(engine, target, "exclusive", err);
    json_array_foreach(request->shared_ids, i, value)
    {
        if (rc == LP_OK && json_is_string(value))
            rc = check_holder(engine, json_string_value(value), "shared", err);
    }
    if (rc != LP_OK)
        return rc;
    return lp_fail(err, LP_CONFLICT,
                   "Subscription %s or one related to it changed while the workflow was being "
                   "started",
                   target == NULL ? "(new)" : target);
}

/* ---- the call ---- */

/* One call of lp_engine_begin. */
struct start {
    struct lp_engine *engine;
    const struct lp_caller *caller;
    const struct lp_registered *reg;
    const json_t *pages;
    const char *key, *hash;
    const struct lp_start *what;
    char window[LP_UUID_LEN + 1];
    char *id;
    bool claimed; /* it has begun already */
};

enum lp_code
lp_engine_demand_running(struct lp_engine *engine, struct lp_err *err)
{
    bool paused = false;
    enum lp_code rc = lp_engine_setting_is(engine->store, "global_lock", "1", &paused, err);

    if (rc == LP_OK && paused)
        rc = lp_fail(err, LP_PAUSED,
                     "Engine is locked cannot accept changes on processes at this time");
    return rc;
}

static enum lp_code
ask_predicate(struct start *start, struct lp_err *err)
{
    struct lp_reader *reader = NULL;
    enum lp_code rc;

    if (start->reg->workflow->predicate == NULL)
        return LP_OK;
    rc = lp_reader_open(start->engine->store, &reader, err);
    if (rc != LP_OK)
        return rc;
    rc = start->reg->workflow->predicate(reader, start->reg->workflow, err);
    lp_reader_close(reader);
    return rc;
}

/* *found: the key was used before with the same request; id holds its process. */
static enum lp_code
look_up_key(struct start *start, bool *found, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    *found = false;
    if (start->key == NULL)
        return LP_OK;
    rc = lp_query(start->engine->store, LP_SQL_SVC_IDEMPOTENCY,
                  LP_ARGS(lp_text("actor", start->caller->actor), lp_text("key", start->key)),
                  &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) > 0) {
        *found = strcmp(lp_rows_text(rows, 0, "request"), start->hash) == 0;
        if (*found)
            snprintf(start->id, LP_UUID_LEN + 1, "%s", lp_rows_text(rows, 0, "process_id"));
        else
            rc = lp_fail_at(err, LP_INVALID, "Idempotency-Key",
                            "Idempotency-Key '%.100s' was used before with another request",
                            start->key);
    }
    lp_rows_free(rows);
    return rc;
}

/* Negotiates and creates once. LP_CONFLICT: err explains; *again = it may go better on fresh data.
 */
static enum lp_code
try_start(struct start *start, bool *again, struct lp_err *err)
{
    struct lp_engine *engine = start->engine;
    json_auto_t *output = NULL;
    json_auto_t *shared = json_array();
    struct lp_proc *proc = NULL;
    struct lp_new_process request = {.reg = start->reg,
                                     .caller = start->caller,
                                     .claim = &proc,
                                     .dry_run = start->what->dry_run};
    struct lp_unit *unit;
    enum lp_code rc;

    *again = false;
    rc = lp_form_negotiate(engine, start->caller, start->reg, start->reg->workflow->form, true,
                           NULL, start->pages, &output, shared, err);
    if (rc != LP_OK)
        return rc;
    request.output = output;
    request.shared_ids = shared;
    if (start->window[0] != '\0')
        request.window_id = start->window;
    unit = lp_unit_new();
    rc = lp_process_create(engine, unit, &request, start->id, err);
    lp_unit_key(unit, start->id);
    if (rc == LP_OK && start->what->also != NULL)
        start->what->also(unit, start->id, start->what->arg);
    if (rc == LP_OK && start->key != NULL)
        lp_unit_add(unit, LP_SQL_SVC_IDEMPOTENCY_INSERT,
                    LP_ARGS(lp_text("actor", start->caller->actor), lp_text("key", start->key),
                            lp_text("request", start->hash), lp_text("process_id", start->id),
                            lp_int("now", lp_clock_utc_us(engine->clock))));
    if (rc == LP_OK) {
        rc = lp_store_commit(engine->store, unit, err);
        if (rc == LP_CONFLICT && start->what->theirs != NULL && start->what->theirs(err->pointer)) {
            err->code = rc = LP_FENCED;
        } else if (rc == LP_CONFLICT) {
            rc = lp_process_create_explain(engine, &request, err);
            *again = rc == LP_CONFLICT && err->detail == NULL;
        }
    }
    lp_unit_free(unit);
    start->claimed = rc == LP_OK && proc != NULL;
    if (proc != NULL)
        lp_executor_begin(proc, rc);
    return rc;
}

static enum lp_code
start_process(struct start *start, struct lp_err *err)
{
    bool found = false, again = true;
    enum lp_code rc = LP_OK;

    for (int i = 0; i < TRIES && again; i++) {
        lp_err_clear(err);
        rc = look_up_key(start, &found, err); /* a twin request may have won in between */
        if (rc != LP_OK || found)
            return rc;
        rc = try_start(start, &again, err);
    }
    if (rc == LP_CONFLICT || rc == LP_FORM_INVALID) {
        struct lp_err ignored = LP_ERR_INIT;

        /* What stands against this one may be the process its own twin has started. */
        if (look_up_key(start, &found, &ignored) != LP_OK)
            lp_err_clear(&ignored);
        if (found) {
            lp_err_clear(err);
            return LP_OK;
        }
    }
    if (rc != LP_OK)
        return rc;
    lp_events_poke(start->engine);
    if (!start->claimed)
        lp_executor_announce(start->engine, start->id, start->reg->workflow->is_task ? 1 : 0,
                             lp_label_needed(start->reg->workflow, start->reg->steps[0]));
    return LP_OK;
}

enum lp_code
lp_engine_begin(struct lp_engine *engine, const struct lp_caller *caller,
                const struct lp_start *what, char id[static LP_UUID_LEN + 1], struct lp_err *err)
{
    struct start start = {.engine = engine,
                          .caller = caller,
                          .reg = lp_registry_find(engine, what->workflow),
                          .pages = what->pages,
                          .key = what->idempotency_key,
                          .hash = what->request_hash == NULL ? "" : what->request_hash,
                          .what = what,
                          .id = id};
    enum lp_code rc;

    if (start.reg == NULL)
        return lp_fail(err, LP_NOT_FOUND, "Workflow does not exist");
    if (!lp_may_start(caller, start.reg->workflow))
        return lp_fail(err, LP_DENIED, "User is not authorized to start '%s' workflow",
                       start.reg->workflow->name);
    rc = lp_engine_demand_running(engine, err);
    if (rc == LP_OK)
        rc = lp_engine_demand_not_restored(engine, caller, start.reg->workflow, err);
    if (rc == LP_OK && what->window != NULL)
        rc = lp_window_resolve(engine->store, what->window, start.window, err);
    if (rc == LP_OK && what->dry_run)
        rc = lp_dry_run_possible(start.reg, err);
    if (rc == LP_OK)
        rc = ask_predicate(&start, err);
    return rc == LP_OK ? start_process(&start, err) : rc;
}

enum lp_code
lp_engine_start(struct lp_engine *engine, const struct lp_caller *caller, const char *workflow,
                const json_t *pages, const char *idempotency_key, const char *request_hash,
                char id[static LP_UUID_LEN + 1], struct lp_err *err)
{
    return lp_engine_begin(engine, caller,
                           &(struct lp_start){.workflow = workflow,
                                              .pages = pages,
                                              .idempotency_key = idempotency_key,
                                              .request_hash = request_hash},
                           id, err);
}
