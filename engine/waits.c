/* Steps that wait for a person or for another system: nothing is held while they wait. */
#include <string.h>

#include "engine/exec.h"

static int64_t
now_us(const struct lp_proc *proc)
{
    return lp_clock_utc_us(proc->engine->clock);
}

static struct lp_unit *
consume(const struct lp_proc *proc, const json_t *input)
{
    struct lp_unit *unit = lp_unit_new();

    lp_unit_add(unit, LP_SQL_RUN_INPUT_CONSUME,
                LP_ARGS(lp_int("now", now_us(proc)), lp_text("id", proc->id),
                        lp_text("key", proc->key), lp_int("n", lp_json_int(input, "n", 0)),
                        lp_text("kind", lp_json_str(input, "kind", ""))));
    return unit;
}

/* ---- INPUT ---- */

/** The document over what the state has: objects are merged, everything else is replaced. */
static json_t *
merged(const json_t *state, json_t *doc)
{
    json_t *set = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(doc, key, value)
        json_object_set_new(set, key, lp_json_merge(json_object_get(state, key), value));
    return set;
}

static void
suspend(struct lp_proc *proc)
{
    lp_flush_submit(
        proc, &LP_FLUSH(.row = LP_SS_SUSPEND, .status = LP_PS_SUSPENDED, .after = LP_AFTER_PARK));
}

bool
lp_wait_input(struct lp_proc *proc)
{
    json_t *input = proc->head.row_seq == 0 ? NULL : lp_proc_input(proc, "form");
    json_auto_t *set = NULL;

    lp_proc_begin(proc);
    if (input == NULL) {
        suspend(proc);
        return false;
    }
    /* consumed in the flush that logs it: exactly once (W20) */
    set = merged(proc->state, json_object_get(input, "doc"));
    __atomic_add_fetch(&proc->engine->stats.steps, 1, __ATOMIC_RELAXED);
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_SUCCESS, .status = LP_PS_RUNNING, .after = LP_AFTER_GO,
                              .set = set, .created_by = lp_json_str(input, "actor", NULL),
                              .writes = consume(proc, input)));
    return false;
}

/* ---- CALLBACK ---- */

static const char *
result_key(const struct lp_step *step)
{
    return step->result_key != NULL ? step->result_key : "callback_result";
}

static enum lp_code
count_waits(struct lp_proc *proc, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(
        proc->engine->store, LP_SQL_RUN_INPUTS_CONSUMED,
        LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key), lp_text("kind", "callback")),
        &rows, err);

    if (rc == LP_OK)
        proc->wait_n = 1 + lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    return rc;
}

/** The clock of the wait runs from the flush that began it, not from the start of the action (W22).
 */
static int64_t
wait_ends(const struct lp_step *step, int64_t begun)
{
    return step->wait_ms > 0 ? begun + step->wait_ms * 1000 : 0;
}

static void
await(struct lp_proc *proc, const struct lp_flush *more, int64_t begun)
{
    struct lp_flush flush = *more;
    json_auto_t *count = proc->in_row > 0 ? json_object() : NULL;

    /* waits that ended badly before this one are still counted when it ends */
    flush.in_row = proc->in_row;
    flush.error_more = count;
    flush.row = LP_SS_AWAITING_CALLBACK;
    flush.status = LP_PS_AWAITING_CALLBACK;
    flush.after = LP_AFTER_PARK;
    flush.wait_kind = "callback_timeout";
    flush.wake_at = wait_ends(lp_proc_step(proc), begun);
    lp_flush_submit(proc, &flush);
}

void
lp_wait_sent(struct lp_proc *proc, struct lp_run *run, json_t *delta)
{
    struct lp_unit *writes = run->priv->unit;

    run->priv->unit = NULL;
    await(proc,
          &LP_FLUSH(.set = delta, .unset = run->priv->unset, .audit = run->priv->audit,
                    .writes = writes, .outcome = "awaiting"),
          now_us(proc));
}

static void
timed_out(struct lp_proc *proc)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    /* a callback that comes later answers this wait, never the next one */
    lp_unit_add(unit, LP_SQL_RUN_INPUT_CLOSE,
                LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key),
                        lp_int("n", proc->wait_n), lp_text("kind", "callback"),
                        lp_text("doc", "{}"), lp_text("actor", "SYSTEM"),
                        lp_int("now", now_us(proc))));
    (void)!lp_fail(&err, LP_UNKNOWN, "Callback timed out");
    proc->started_at = now_us(proc);
    lp_proc_failed(proc, &err, unit);
    lp_err_clear(&err);
}

/** What the action had set, what came, and what the check adds. */
static json_t *
answer(struct lp_proc *proc, const struct lp_step *step, json_t *body, json_t *delta)
{
    json_t *set = json_object(), *before = json_object_get(proc->row_delta, "set");

    if (before != NULL)
        json_object_update(set, before);
    json_object_set(set, result_key(step), body);
    json_object_update(set, delta);
    return set;
}

static bool
accepted(struct lp_proc *proc, struct lp_run *run, json_t *input, json_t *delta)
{
    json_auto_t *set = answer(proc, run->step, json_object_get(input, "doc"), delta);
    struct lp_unit *writes = consume(proc, input);

    if (run->priv->unit != NULL)
        (void)lp_unit_append(writes, run->priv->unit);
    run->priv->unit = NULL;
    __atomic_add_fetch(&proc->engine->stats.steps, 1, __ATOMIC_RELAXED);
    lp_flush_submit(proc, &LP_FLUSH(.row = LP_SS_SUCCESS, .status = LP_PS_RUNNING,
                                    .after = LP_AFTER_GO, .set = set, .unset = run->priv->unset,
                                    .audit = run->priv->audit, .writes = writes, .outcome = "ok"));
    return false;
}

static bool
came(struct lp_thread *thread, struct lp_proc *proc, json_t *input)
{
    const struct lp_step *step = lp_proc_step(proc);
    json_auto_t *state = json_copy(proc->state), *delta = json_object();
    struct lp_err err = LP_ERR_INIT;
    struct lp_run_private priv;
    struct lp_run run;
    enum lp_code rc = LP_OK;
    bool again = false;

    json_object_set(state, result_key(step), json_object_get(input, "doc"));
    proc->started_at = now_us(proc);
    lp_run_begin(&run, &priv, thread, proc, NULL);
    lp_thread_slow(thread, true);
    if (step->validate != NULL)
        rc = lp_run_call(&run, step->validate, state, delta, &err);
    lp_thread_slow(thread, false);
    if (rc == LP_OK)
        again = accepted(proc, &run, input, delta);
    else if (rc == LP_STORE || rc == LP_FENCED || rc == LP_CANCELLED)
        again = lp_proc_finish(proc, &run, rc, delta, &err);
    else
        lp_proc_failed(proc, &err, consume(proc, input));
    lp_run_end(&run);
    lp_err_clear(&err);
    return again;
}

bool
lp_wait_callback(struct lp_thread *thread, struct lp_proc *proc)
{
    const struct lp_step *step = lp_proc_step(proc);
    struct lp_err err = LP_ERR_INIT;
    json_t *input;
    int64_t ends;

    if (count_waits(proc, &err) != LP_OK) {
        lp_proc_lost(proc, &err);
        return false;
    }
    if (proc->head.row_seq == 0 || proc->row_status != LP_SS_AWAITING_CALLBACK)
        return lp_proc_attempt(thread, proc, step);
    input = lp_proc_input(proc, "callback");
    if (input != NULL)
        return came(thread, proc, input);
    ends = wait_ends(step, proc->row_at);
    if (ends != 0 && now_us(proc) >= ends) {
        timed_out(proc);
        return false;
    }
    proc->started_at = now_us(proc);
    await(proc, &LP_FLUSH(.keep_delta = true), proc->row_at);
    return false;
}
