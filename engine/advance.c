/* One process: what comes next, run it, log it in one flush, go on from the acknowledgement. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"
#include "engine/gated.h"

enum {
    FIRST_BACKOFF_MS = 1000,
    LONGEST_BACKOFF_MS = 60000,
    LOCK_RETRY_MS = 3000, /* whoever gives the lock back wakes the next at once */
    TIMER_MS = 1000,      /* a WAIT step that does not say when */
    CRASHES_MOST = 5,     /* attempts of one step that ended with the program */
    GROUPS_DEEP = 8,
    LATE_TRIES = 3, /* of a transaction that took too long */
};

/* ---- failing ---- */

static int64_t
backoff_us(const struct lp_conf *conf, const struct lp_step *step, int64_t in_row)
{
    int64_t most = lp_conf_live_int(&conf->executor_retry_longest_ms);
    int64_t first = step->backoff_ms[0] != 0 ? step->backoff_ms[0] : FIRST_BACKOFF_MS;
    int64_t longest = step->backoff_ms[1] != 0 ? step->backoff_ms[1] : LONGEST_BACKOFF_MS;
    int64_t delay = first;
    uint32_t dice;

    for (int64_t i = 1; i < in_row && delay < longest; i++)
        delay *= 2;
    if (delay > longest)
        delay = longest;
    if (delay > most)
        delay = most;
    lp_random(&dice, sizeof dice);
    return delay * 500 + (int64_t)(dice % 1000) * delay / 2 * 1000 / 1000; /* half to whole */
}

static void
retry_later(struct lp_proc *proc, const struct lp_step *step, const struct lp_err *error,
            const char *outcome, struct lp_unit *writes)
{
    int64_t in_row = proc->in_row + 1;

    __atomic_add_fetch(&proc->engine->stats.retries, 1, __ATOMIC_RELAXED);
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_WAITING, .status = LP_PS_WAITING, .after = LP_AFTER_PARK,
                              .error = error, .in_row = in_row, .outcome = outcome,
                              .writes = writes, .wait_kind = "retry", .wait_reason = error->msg,
                              .wake_at = lp_clock_utc_us(proc->engine->clock)
                                         + backoff_us(proc->engine->conf, step, in_row)));
}

void
lp_proc_failed(struct lp_proc *proc, const struct lp_err *error, struct lp_unit *writes)
{
    const struct lp_step *step = lp_proc_step(proc);
    const char *assignee = NULL, *outcome = lp_code_info(error->code)->slug;
    enum lp_process_status status = LP_PS_FAILED;
    unsigned attempts = step == NULL || step->attempts == 0 ? 1 : step->attempts;

    /* As long as an earlier attempt may have acted, later failures do not settle it. */
    if (proc->unknown)
        outcome = lp_code_info(LP_UNKNOWN)->slug;
    if (step != NULL && lp_code_info(error->code)->retry != LP_RETRY_NEVER
        && proc->in_row + 1 < (int64_t)attempts) {
        retry_later(proc, step, error, outcome, writes);
        return;
    }
    if (proc->is_task)
        status = lp_task_failure(error->code, &assignee);
    if (proc->undoing) {
        status = LP_PS_FAILED;
        assignee = "NOC";
    }
    lp_logf(proc->engine->log, LP_LOG_WARN, "step.failed", "s:s, s:s, s:s, s:s", "process",
            proc->id, "step", proc->key, "code", lp_code_info(error->code)->slug, "error",
            error->msg);
    lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_FAILED, .status = status, .after = LP_AFTER_PARK,
                                    .error = error, .in_row = proc->in_row + 1, .outcome = outcome,
                                    .assignee = assignee, .writes = writes));
}

void
lp_proc_lost(struct lp_proc *proc, struct lp_err *err)
{
    lp_logf(proc->engine->log, LP_LOG_WARN, "process.store_lost", "s:s, s:s", "process", proc->id,
            "error", err->msg);
    lp_err_clear(err);
    lp_keeper_orphan(proc->executor);
    lp_executor_drop(proc->executor, proc);
}

void
lp_proc_fenced(struct lp_proc *proc, const struct lp_err *why)
{
    struct lp_engine *engine = proc->engine;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    const char *owner = NULL;
    int64_t epoch = -1;

    if (lp_query(engine->store, LP_SQL_RUN_OWNER, LP_ARGS(lp_text("id", proc->id)), &rows, &err)
            == LP_OK
        && lp_rows_count(rows) == 1) {
        epoch = lp_rows_int(rows, 0, "lease_epoch");
        owner = lp_rows_text(rows, 0, "lease_owner");
    }
    __atomic_add_fetch(&engine->stats.fenced, 1, __ATOMIC_RELAXED);
    lp_logf(engine->log, LP_LOG_WARN, "process.fenced", "s:s, s:s, s:s, s:I, s:I, s:s?, s:s",
            "process", proc->id, "step", proc->key, "incarnation", engine->incarnation, "epoch",
            (json_int_t)proc->epoch, "epoch_now", (json_int_t)epoch, "owner_now", owner, "error",
            why->msg);
    lp_rows_free(rows);
    lp_err_clear(&err);
    lp_keeper_orphan(proc->executor); /* if it is still ours after all, it is found again */
    lp_executor_drop(proc->executor, proc);
}

/** A failure that is not a step's: it gets a row of its own that an operator can retry or skip. */
static void
fail_recovery(struct lp_proc *proc, const struct lp_err *error)
{
    if (strcmp(proc->key, LP_KEY_RECOVER) != 0) {
        proc->head.row_seq = proc->head.retries = proc->head.attempt = 0;
        proc->head.open_attempt = false;
    }
    snprintf(proc->key, sizeof proc->key, "%s", LP_KEY_RECOVER);
    snprintf(proc->title, sizeof proc->title, "Recover process");
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_FAILED, .status = LP_PS_FAILED,
                                    .after = LP_AFTER_PARK, .error = error, .assignee = "NOC"));
}

static bool
definition_gone(struct lp_proc *proc, const char *what)
{
    struct lp_err err = LP_ERR_INIT;

    (void)!lp_fail(&err, LP_PRECONDITION,
                   "The definition changed while this process was under way: %s. Put the step back "
                   "and retry, skip to go on behind the last step that still exists, or abort.",
                   what);
    fail_recovery(proc, &err);
    lp_err_clear(&err);
    return false;
}

/* ---- the call of a step ---- */

static const struct lp_group_at *
whole_group(const struct lp_proc *proc)
{
    const struct lp_group_at *found = NULL;

    for (const struct lp_group_at *g = proc->places->rows[proc->place].group; g != NULL;
         g = g->outer)
        if (g->step->restart_whole)
            found = g;
    return found;
}

void
lp_proc_begin(struct lp_proc *proc)
{
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    proc->binding = false;
    if (proc->head.row_seq != 0 && proc->row_error != NULL)
        proc->head.retries++;
    json_decref(proc->row_error);
    proc->row_error = NULL;
    if (proc->carried > 0 && whole_group(proc) != NULL)
        proc->in_row = proc->carried;
    __atomic_add_fetch(&proc->engine->stats.attempts, 1, __ATOMIC_RELAXED);
}

static struct lp_unit *
take_writes(struct lp_run *run)
{
    struct lp_proc *proc = run->priv->proc;
    struct lp_unit *unit;

    if (proc->undoing)
        lp_run_write(run, LP_SQL_RUN_COMPENSATIONS_DONE,
                     LP_ARGS(lp_int("now", lp_clock_utc_us(run->clock)), lp_text("id", proc->id),
                             lp_text("key", proc->key + strlen(LP_UNDO_PREFIX))));
    unit = run->priv->unit;

    run->priv->unit = NULL;
    if (run->dry_run && !run->step->plans && unit != NULL) {
        lp_unit_free(unit);
        unit = NULL;
    }
    return unit;
}

/** Of an attempt that is parked before it acted. As long as an earlier one may have acted, it
 * settles nothing: the next one is told, and has its token. The note says that the program did not
 * end. */
static const char *
parked_outcome(const struct lp_proc *proc)
{
    if (!proc->head.open_attempt)
        return NULL;
    return proc->unknown ? lp_code_info(LP_UNKNOWN)->slug : "parked";
}

static const char parked_note[] = "{\"error\":\"parked before it acted\"}";

static void
park_for_lock(struct lp_proc *proc, struct lp_run *run)
{
    lp_flush_submit(
        proc, &LP_FLUSH(.row = LP_SS_WAITING, .status = LP_PS_WAITING, .after = LP_AFTER_PARK,
                        .wait_kind = "lock", .wait_reason = run->priv->busy,
                        .writes = lp_lock_waits(proc), .outcome = parked_outcome(proc),
                        .note = parked_note,
                        .wake_at = lp_clock_utc_us(proc->engine->clock) + LOCK_RETRY_MS * 1000));
}

static void
park_for_time(struct lp_proc *proc, struct lp_run *run, const struct lp_err *err)
{
    const char *reason = run->priv->wake_reason;
    int64_t wake = run->priv->wake_at;

    if (wake == 0)
        wake = lp_clock_utc_us(proc->engine->clock) + TIMER_MS * 1000;
    lp_flush_submit(
        proc, &LP_FLUSH(.row = LP_SS_WAITING, .status = LP_PS_WAITING, .after = LP_AFTER_PARK,
                        .wait_kind = "timer", .wait_reason = *reason == '\0' ? err->msg : reason,
                        .outcome = parked_outcome(proc), .note = parked_note, .wake_at = wake));
}

static void
succeeded(struct lp_proc *proc, struct lp_run *run, json_t *delta)
{
    struct lp_run_private *priv = run->priv;
    bool done = run->step == &lp_step_done && !proc->undoing;

    lp_dry_run_delta(run, delta);
    __atomic_add_fetch(&proc->engine->stats.steps, 1, __ATOMIC_RELAXED);
    lp_flush_submit(proc, &LP_FLUSH(.row = done ? LP_SS_COMPLETE : LP_SS_SUCCESS,
                                    .status = done ? LP_PS_COMPLETED : LP_PS_RUNNING,
                                    .after = done ? LP_AFTER_PARK : LP_AFTER_GO, .set = delta,
                                    .unset = priv->unset, .audit = priv->audit,
                                    .writes = take_writes(run), .outcome = "ok"));
}

/** The step stopped because it was told to. */
static bool
stopped(struct lp_proc *proc, const struct lp_err *err)
{
    bool cancelled = atomic_load(&proc->cancel);

    if (cancelled && lp_undo_requests(proc))
        return true;
    /* What was asked for had been obeyed already: that is no failure of the step. */
    if (!cancelled && !lp_executor_stopping(proc->executor))
        return false;
    lp_logf(proc->engine->log, LP_LOG_INFO, "step.interrupted", "s:s, s:s, s:s", "process",
            proc->id, "step", proc->key, "why", err->msg);
    lp_flush_release(proc); /* the open attempt says that the outcome has to be read back */
    return true;
}

bool
lp_proc_finish(struct lp_proc *proc, struct lp_run *run, enum lp_code rc, json_t *delta,
               struct lp_err *err)
{
    const struct lp_step *step = run->step;

    if (rc == LP_OK && step->kind == LP_STEP_CALLBACK && !proc->undoing)
        lp_wait_sent(proc, run, delta);
    else if (rc == LP_OK)
        succeeded(proc, run, delta);
    else if (run->priv->locked_out && rc == LP_CONFLICT)
        park_for_lock(proc, run);
    else if (rc == LP_RETRYABLE && !proc->undoing
             && (step->kind == LP_STEP_WAIT || run->priv->wake_at > 0))
        park_for_time(proc, run, err);
    else if (rc == LP_STORE)
        lp_proc_lost(proc, err);
    else if (rc == LP_FENCED)
        lp_proc_fenced(proc, err);
    else if (rc != LP_CANCELLED || !stopped(proc, err))
        lp_proc_failed(proc, err, NULL);
    return false;
}

static lp_step_fn *
function_of(const struct lp_proc *proc, const struct lp_step *step)
{
    return proc->undoing ? step->undo : step->run;
}

static void
route_of(struct lp_proc *proc, struct lp_run *run, char *route, size_t size)
{
    char token[65];

    if (run->step->kind != LP_STEP_CALLBACK || proc->undoing)
        return;
    lp_callback_token(proc->engine, proc->id, proc->key, proc->wait_n, token);
    snprintf(route, size, "/api/processes/%s/callback/%s", proc->id, token);
    run->callback_route = route;
}

/** NONE, DB, and the second half of EXTERNAL: reads through the store, queues writes, returns a
 * delta. */
static bool
call_plain(struct lp_thread *thread, struct lp_proc *proc, const struct lp_step *step)
{
    struct lp_run_private priv;
    struct lp_run run;
    struct lp_err err = LP_ERR_INIT;
    json_t *delta = json_object();
    lp_step_fn *fn = function_of(proc, step);
    char route[160];
    enum lp_code rc = LP_OK;
    bool again;

    lp_run_begin(&run, &priv, thread, proc, NULL);
    route_of(proc, &run, route, sizeof route);
    if (fn != NULL)
        rc = lp_run_call(&run, fn, proc->state, delta, &err);
    again = lp_proc_finish(proc, &run, rc, delta, &err);
    lp_run_end(&run);
    json_decref(delta);
    lp_err_clear(&err);
    return again;
}

/* ---- DB_RW: reads and writes of one transaction, the step's row with them ---- */

struct rw {
    struct lp_thread *thread;
    struct lp_proc *proc;
    struct lp_run run;
    struct lp_run_private priv;
    struct lp_unit *unit;
    json_t *delta;
    bool built;
    bool tried; /* dry run: rolled back, what the step found out is kept */
    bool later; /* the step itself wants to be tried again later, not the database */
    bool late;  /* it held its transaction for longer than a second */
};

/** The database had the transaction repeated: what the first call left goes. */
static void
rw_again(struct rw *rw)
{
    lp_unit_free(rw->priv.unit);
    json_decref(rw->priv.unset);
    json_decref(rw->priv.audit);
    rw->priv.unit = NULL;
    rw->priv.unset = rw->priv.audit = NULL;
    json_object_clear(rw->delta);
}

static enum lp_code
rw_body(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    struct rw *rw = arg;
    lp_step_fn *fn = function_of(rw->proc, rw->run.step);
    enum lp_code rc;

    if (rw->built) /* its unit is filled already: begin anew from what is stored */
        return lp_fail(err, LP_STORE, "the transaction has to be repeated");
    rw_again(rw);
    rw->run.txn = txn;
    rc = lp_run_call(&rw->run, fn, rw->proc->state, rw->delta, err);
    if (rc == LP_OK)
        rc = lp_txn_in_time(txn, err);
    rw->late = rc != LP_OK && lp_txn_failure(txn) == LP_CANCELLED;
    rw->later = rc == LP_RETRYABLE && lp_txn_failure(txn) == LP_OK;
    if (rw->later)
        err->code = rc = LP_REFUSED; /* not to be repeated at once by the store */
    if (rc == LP_OK && rw->run.dry_run) {
        rw->tried = true;
        rc = lp_fail(err, LP_REFUSED, "a dry run keeps nothing");
    }
    if (rc != LP_OK)
        return rc;
    rw->built = true;
    return lp_flush_build(rw->proc,
                          &LP_FLUSH(.row = LP_SS_SUCCESS, .status = LP_PS_RUNNING,
                                    .after = LP_AFTER_GO, .set = rw->delta, .unset = rw->priv.unset,
                                    .audit = rw->priv.audit, .writes = take_writes(&rw->run),
                                    .outcome = "ok"),
                          rw->unit, err);
}

static bool
rw_done(struct rw *rw, enum lp_code rc, struct lp_err *err)
{
    struct lp_proc *proc = rw->proc;
    const struct lp_rows *rows;

    if (rw->tried && rc == LP_REFUSED)
        return lp_proc_finish(proc, &rw->run, LP_OK, rw->delta, err);
    if (rw->later || rw->late)
        err->code = rc = LP_RETRYABLE;
    if (rc != LP_OK && !rw->built)
        return lp_proc_finish(proc, &rw->run, rc, rw->delta, err);
    proc->ack = rc;
    proc->phase = LP_PH_ACK;
    if (rc != LP_OK) {
        lp_err_move(&proc->ack_err, err);
        return true;
    }
    rows = lp_unit_rows(rw->unit, proc->fence_index);
    if (rows != NULL && lp_rows_count(rows) == 1)
        lp_flush_head(proc, rows);
    __atomic_add_fetch(&proc->engine->stats.steps, 1, __ATOMIC_RELAXED);
    lp_events_poke(proc->engine);
    return true;
}

static bool
call_rw(struct lp_thread *thread, struct lp_proc *proc)
{
    struct rw rw = {.thread = thread, .proc = proc, .unit = lp_unit_new(), .delta = json_object()};
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = LP_OK;
    bool again;

    lp_run_begin(&rw.run, &rw.priv, thread, proc, NULL);
    rw.run.priv = &rw.priv;
    lp_thread_slow(thread, true);
    lp_unit_key(rw.unit, proc->id);
    for (int i = 0; i < LATE_TRIES && (i == 0 || rw.late); i++) { /* a machine may be busy once */
        lp_err_clear(&err);
        rc = lp_store_transact(proc->engine->store, rw_body, &rw, rw.unit, &err);
    }
    lp_thread_slow(thread, false);
    again = rw_done(&rw, rc, &err);
    lp_run_end(&rw.run);
    lp_unit_free(rw.unit);
    json_decref(rw.delta);
    lp_err_clear(&err);
    return again;
}

/* ---- one attempt ---- */

/** The token of an attempt whose predecessor may have acted stays; otherwise it is new for this
 * attempt. */
static void
make_token(struct lp_proc *proc)
{
    char name[LP_KEY_MAX + 32];

    if (proc->unknown && proc->token[0] != '\0')
        return;
    snprintf(name, sizeof name, "%s#%lld", proc->key, (long long)proc->head.attempt + 1);
    memcpy(proc->token, lp_uuid_v5(proc->id, name).text, sizeof proc->token);
}

bool
lp_proc_attempt(struct lp_thread *thread, struct lp_proc *proc, const struct lp_step *step)
{
    lp_proc_begin(proc);
    if (step->effects == LP_EFFECT_EXTERNAL || (step->kind == LP_STEP_CALLBACK && !proc->undoing)) {
        make_token(proc);
        lp_flush_attempt(proc);
        return false;
    }
    if (step->effects == LP_EFFECT_DB_RW)
        return call_rw(thread, proc);
    return call_plain(thread, proc, step);
}

/** T1 is committed: no transaction and no connection from here to T2. */
static bool
external(struct lp_thread *thread, struct lp_proc *proc)
{
    bool again;

    lp_thread_slow(thread, true);
    again = call_plain(thread, proc, lp_proc_step(proc));
    lp_thread_slow(thread, false);
    return again;
}

/* ---- what comes next ---- */

static bool
skip(struct lp_proc *proc, const char *key, const char *title, size_t jump)
{
    if (proc->head.row_seq == 0) /* a row that is there already keeps its key */
        snprintf(proc->key, sizeof proc->key, "%s", key);
    snprintf(proc->title, sizeof proc->title, "%s", title == NULL ? key : title);
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_SKIPPED, .status = LP_PS_RUNNING,
                                    .after = LP_AFTER_GO, .jump = jump));
    return false;
}

/** .when of the groups that begin here, outermost first, then of the step: asked once, before
 * anything of them is logged. */
static bool
skipped_by_when(struct lp_proc *proc)
{
    const struct lp_place *place = &proc->places->rows[proc->place];
    const struct lp_group_at *groups[GROUPS_DEEP];
    size_t depth = 0;

    for (const struct lp_group_at *g = place->group;
         g != NULL && g->first == proc->place && depth < GROUPS_DEEP; g = g->outer)
        groups[depth++] = g;
    while (depth-- > 0) {
        const struct lp_group_at *g = groups[depth];

        if (g->step->when != NULL && !g->step->when(proc->state)) {
            skip(proc, g->key, g->step->title, g->end);
            return true;
        }
    }
    if (place->step->when == NULL || place->step->when(proc->state))
        return false;
    skip(proc, place->key, place->step->title, proc->place + 1);
    return true;
}

/** Where the log stands before the first row of a group. */
struct rewind {
    int64_t head, snapshot, bytes;
    char key[LP_KEY_MAX];
};

static enum lp_code
rewind_to(struct lp_proc *proc, const struct lp_group_at *group, struct rewind *to,
          struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    size_t len = strlen(group->key);
    enum lp_code rc = lp_query(proc->engine->store, LP_SQL_RUN_STEPS_HEAD,
                               LP_ARGS(lp_text("id", proc->id)), &rows, err);

    *to = (struct rewind){.head = 0};
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *key = lp_rows_text(rows, i, "key");

        if (strncmp(key, group->key, len) == 0 && key[len] == '/')
            break;
        to->head = lp_rows_int(rows, i, "seq");
        snprintf(to->key, sizeof to->key, "%s", key);
        if (lp_rows_int(rows, i, "has_snapshot") != 0) {
            to->snapshot = to->head;
            to->bytes = 0;
        } else {
            to->bytes += lp_rows_int(rows, i, "bytes");
        }
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
drop_rows(struct lp_proc *proc, const struct lp_group_at *group, const struct rewind *to,
          struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new(), *body = lp_unit_new();
    struct lp_caller caller = lp_proc_caller(proc);
    struct lp_chain chain = proc->head.chain;
    int64_t now = lp_clock_utc_us(proc->engine->clock);
    json_auto_t *audit =
        json_pack("{s:s, s:s}", "event", "process.group_restarted", "key", group->key);
    enum lp_code rc = lp_audit_add(body, &chain, &caller, audit, now, err);

    lp_unit_key(unit, proc->id);
    lp_unit_add(unit, LP_SQL_RUN_FENCE,
                LP_ARGS(lp_int("epoch", proc->epoch), lp_text("owner", proc->engine->incarnation),
                        lp_text("status", lp_process_status_name(LP_PS_RUNNING)),
                        lp_text("assignee", "SYSTEM"), lp_int("now", now),
                        lp_text("key", to->key[0] == '\0' ? NULL : to->key),
                        lp_text("title", group->step->title), lp_null("failed"), lp_null("error"),
                        lp_null("wake"), lp_null("wait_kind"), lp_null("wait_reason"),
                        lp_null("label"), lp_int("head", to->head),
                        lp_int("snapshot", to->snapshot), lp_int("bytes", to->bytes),
                        lp_int("audit_seq", chain.seq), lp_text("audit_hash", chain.hash),
                        lp_text("id", proc->id)));
    lp_unit_add(unit, LP_SQL_RUN_STEPS_DROP,
                LP_ARGS(lp_text("id", proc->id), lp_int("seq", to->head + 1)));
    (void)lp_unit_append(unit, body);
    if (rc == LP_OK)
        rc = lp_store_commit(proc->engine->store, unit, err);
    lp_unit_free(unit);
    if (rc == LP_OK)
        proc->head.chain = chain;
    return rc;
}

/** The group begins anew with the state from before it; attempts and audit keep what happened. */
static bool
restart_group(struct lp_proc *proc, const struct lp_group_at *group)
{
    struct lp_err err = LP_ERR_INIT;
    struct rewind to;
    int64_t in_row = proc->in_row;
    json_t *state = NULL;
    enum lp_code rc = rewind_to(proc, group, &to, &err);

    if (rc == LP_OK)
        rc = drop_rows(proc, group, &to, &err);
    if (rc == LP_OK)
        rc = lp_state_load(proc->engine->store, NULL, proc->id, to.head, &state, &err);
    if (rc != LP_OK) {
        lp_proc_lost(proc, &err);
        return false;
    }
    json_decref(proc->state);
    proc->state = state;
    proc->head.status = LP_PS_RUNNING;
    proc->head.head_seq = to.head;
    proc->head.snapshot_seq = to.snapshot;
    proc->head.delta_bytes = to.bytes;
    lp_proc_enter(proc, group->first);
    proc->carried = in_row;
    return true;
}

static bool
row_failed(const struct lp_proc *proc)
{
    return proc->head.row_seq != 0 && proc->row_error != NULL
           && (proc->row_status == LP_SS_FAILED || proc->row_status == LP_SS_WAITING)
           && lp_json_str(proc->row_error, "class", NULL) != NULL;
}

/** What was asked of another system is not asked again, wherever and whenever the answer is taken.
 */
static bool
awaits_answer(const struct lp_proc *proc, const struct lp_step *step)
{
    return step->kind == LP_STEP_CALLBACK && proc->head.row_seq != 0
           && proc->row_status == LP_SS_AWAITING_CALLBACK;
}

static bool
wrong_label(struct lp_proc *proc, const struct lp_step *step)
{
    bool awaits = awaits_answer(proc, step);
    const char *label = lp_label_needed(proc->reg->workflow, step);
    char word[LP_KEY_MAX], reason[LP_KEY_MAX + 60];

    if (label == NULL)
        return false;
    snprintf(word, sizeof word, ",%s,", label);
    if (strstr(proc->executor->labels, word) != NULL)
        return false;
    snprintf(reason, sizeof reason, LP_WAITS_FOR_LABEL "'%s'", label);
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = awaits ? LP_SS_AWAITING_CALLBACK : LP_SS_WAITING,
                              .status = LP_PS_WAITING, .after = LP_AFTER_PARK, .keep_delta = awaits,
                              .error_more = awaits ? proc->row_error : NULL, .wait_kind = "label",
                              .wait_reason = reason, .label = label, .wake_at = proc->started_at));
    return true;
}

/** Outside the maintenance window the process is bound to: waits for it, or fails when it never
 * opens again. True: submitted or dropped. */
static bool
outside_window(struct lp_proc *proc, const struct lp_step *step)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_window_look look;
    enum lp_code rc;

    if (proc->window[0] == '\0' || !lp_step_gated(proc->reg, step) || awaits_answer(proc, step))
        return false;
    rc = lp_window_look(proc->engine->store, proc->window, &look, &err);
    if (rc == LP_OK && look.open)
        return false;
    if (rc == LP_STORE) {
        lp_proc_lost(proc, &err);
        return true;
    }
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    if (rc == LP_OK)
        /* an attempt that is open here ended with the program: what it did stays unknown */
        lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_WAITING, .status = LP_PS_WAITING,
                                        .after = LP_AFTER_PARK, .wait_kind = "window",
                                        .wait_reason = look.reason, .wake_at = look.opens_us));
    else
        lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_FAILED, .status = LP_PS_FAILED,
                                        .after = LP_AFTER_PARK, .error = &err, .assignee = "NOC"));
    lp_err_clear(&err);
    return true;
}

/** EACH: how many there are is asked when the step is entered or recovered. False: submitted or
 * moved on. */
static bool
each_ready(struct lp_thread *thread, struct lp_proc *proc, bool *again)
{
    const struct lp_step *step = lp_proc_step(proc);
    struct lp_err err = LP_ERR_INIT;
    struct lp_run_private priv;
    struct lp_run run;
    enum lp_code rc = LP_OK;

    *again = true;
    if (!proc->each_known) {
        size_t mark = lp_arena_mark(thread->arena);

        lp_run_begin(&run, &priv, thread, proc, NULL);
        rc = step->count(&run, proc->state, &proc->each_count, &err);
        lp_run_end(&run);
        lp_arena_rewind(thread->arena, mark);
        proc->each_known = rc == LP_OK;
    }
    if (rc == LP_STORE) {
        lp_proc_lost(proc, &err);
        *again = false;
    } else if (rc != LP_OK) {
        lp_proc_begin(proc);
        lp_proc_failed(proc, &err, NULL);
        *again = false;
    } else if (proc->each_count == 0 && proc->each == 0) {
        *again = skip(proc, proc->places->rows[proc->place].key, step->title, proc->place + 1);
    } else if (proc->each >= proc->each_count) {
        lp_proc_enter(proc, proc->place + 1);
    } else {
        return true;
    }
    lp_err_clear(&err);
    return false;
}

/* A step that took the program down with it again and again is not tried for ever (W1). */
bool
lp_proc_crashed(struct lp_proc *proc, const struct lp_step *step)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;
    int64_t crashes;

    if (!proc->unknown || !proc->head.open_attempt || proc->head.status == LP_PS_RESUMED)
        return false;
    if (lp_query(proc->engine->store, LP_SQL_RUN_ATTEMPT_CRASHES,
                 LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key)), &rows, &err)
        != LP_OK) {
        lp_proc_lost(proc, &err);
        return true;
    }
    crashes = 1 + lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    if (crashes < CRASHES_MOST)
        return false;
    (void)!lp_fail(&err, LP_UNKNOWN,
                   "the program ended %lld times in this step; look at the log, then retry",
                   (long long)crashes);
    lp_proc_begin(proc);
    proc->in_row = step->attempts;
    lp_proc_failed(proc, &err, NULL);
    lp_err_clear(&err);
    return true;
}

static bool
run_step(struct lp_thread *thread, struct lp_proc *proc)
{
    const struct lp_step *step = lp_proc_step(proc);
    const struct lp_group_at *group = whole_group(proc);
    bool again = false;

    if (group != NULL && row_failed(proc) && proc->place != group->first)
        return restart_group(proc, group);
    if (group != NULL && proc->head.attempt == 0) {
        struct lp_err err = LP_ERR_INIT;

        if (lp_proc_load_attempt(proc, &err) != LP_OK) {
            lp_proc_lost(proc, &err);
            return false;
        }
    }
    if (step->kind == LP_STEP_EACH && !each_ready(thread, proc, &again))
        return again;
    if (outside_window(proc, step) || wrong_label(proc, step) || lp_proc_crashed(proc, step))
        return false;
    switch (step->kind) {
    case LP_STEP_ACTION:
    case LP_STEP_WAIT:
    case LP_STEP_EACH:
        return lp_proc_attempt(thread, proc, step);
    case LP_STEP_INPUT:
        return lp_wait_input(proc);
    case LP_STEP_CALLBACK:
        return lp_wait_callback(thread, proc);
    case LP_STEP_FANOUT:
        return lp_fanout(thread, proc);
    case LP_STEP_GROUP:
    case LP_STEP_KIND_COUNT:
        break;
    }
    return definition_gone(proc, "a group without steps");
}

/** A definition that does not end with the step "done" is over all the same. */
static bool
completed(struct lp_proc *proc)
{
    snprintf(proc->key, sizeof proc->key, "%s", lp_step_done.key);
    snprintf(proc->title, sizeof proc->title, "%s", lp_step_done.title);
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    lp_flush_submit(
        proc, &LP_FLUSH(.row = LP_SS_COMPLETE, .status = LP_PS_COMPLETED, .after = LP_AFTER_PARK));
    return false;
}

/** A dry run ends behind the step that plans. */
static bool
planned(const struct lp_proc *proc)
{
    return proc->place > 0 && proc->place <= proc->places->count
           && proc->places->rows[proc->place - 1].step->plans
           && lp_json_true(proc->state, "dry_run");
}

static bool
next(struct lp_thread *thread, struct lp_proc *proc)
{
    struct lp_executor *executor = proc->executor;

    if ((atomic_exchange(&proc->poked, false) || proc->requests > 0) && lp_undo_requests(proc))
        return false;
    if (atomic_load(&executor->paused) || atomic_load(&executor->drained)
        || lp_executor_stopping(executor)) {
        lp_flush_release(proc);
        return false;
    }
    if (proc->reg == NULL)
        return definition_gone(proc, "its workflow is not part of this program");
    if (proc->undoing)
        return lp_undo_next(thread, proc);
    if (proc->place == proc->places->count || planned(proc))
        return completed(proc);
    if (proc->place > proc->places->count) {
        char what[LP_KEY_MAX + 40];

        snprintf(what, sizeof what, "step '%s' does not exist any more", proc->key);
        return definition_gone(proc, what);
    }
    if (proc->head.row_seq == 0 && proc->head.attempt == 0 && proc->each == 0
        && skipped_by_when(proc))
        return false;
    return run_step(thread, proc);
}

static bool
claimed(struct lp_proc *proc)
{
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_proc_claimed(proc, &err);

    if (rc == LP_OK)
        return true;
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(&err);
        lp_executor_drop(proc->executor, proc);
    } else if (rc == LP_INTERNAL && proc->epoch > 0) {
        fail_recovery(proc, &err); /* what is stored cannot be read: a person has to look */
        lp_err_clear(&err);
    } else {
        lp_proc_lost(proc, &err);
    }
    return false;
}

void
lp_proc_advance(struct lp_thread *thread, struct lp_proc *proc)
{
    bool again = true;

    proc->thread = thread;
    while (again) {
        switch (proc->phase) {
        case LP_PH_BORN: /* in no list before its commit */
            again = false;
            break;
        case LP_PH_CLAIM:
            lp_proc_claim(proc);
            again = false;
            break;
        case LP_PH_CLAIMED:
            again = claimed(proc);
            break;
        case LP_PH_NEXT:
            again = next(thread, proc);
            break;
        case LP_PH_IO:
            again = external(thread, proc);
            break;
        case LP_PH_ACK:
            again = lp_flush_acked(proc);
            break;
        }
    }
    lp_flush_hand_over(thread);
}
