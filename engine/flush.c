/* One fenced unit per step: process row, the step's writes, its row, its attempt, audit and events
 * commit together or not at all. */
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

enum {
    SNAPSHOT_LEAST = 64 * 1024, /* bytes of deltas before a whole state is stored */
    GATHER_US = 50000,          /* ends of children that the parent looks at together */
    ROW_WEIGHT = 100,           /* what a row costs to read besides its delta */
};

struct lp_caller
lp_proc_caller(const struct lp_proc *proc)
{
    return (struct lp_caller){.actor = proc->actor,
                              .role = LP_ROLE_OPERATE,
                              .correlation_id = proc->correlation,
                              .ticket = proc->ticket,
                              .reason = proc->reason};
}

struct lp_unit *
lp_flush_touch(const struct lp_proc *proc)
{
    struct lp_unit *unit = lp_unit_new();

    lp_unit_key(unit, proc->id);
    lp_unit_add(unit, LP_SQL_RUN_TOUCH,
                LP_ARGS(lp_int("epoch", proc->epoch), lp_text("id", proc->id)));
    return unit;
}

/* ---- what a flush is made of ---- */

struct build {
    struct lp_proc *proc;
    const struct lp_flush *flush;
    struct lp_unit *body;
    int64_t now;
    char *delta, *snapshot, *error;
    size_t delta_len;
};

static bool
row_done(enum lp_step_status status)
{
    return status == LP_SS_SUCCESS || status == LP_SS_SKIPPED || status == LP_SS_COMPLETE;
}

static bool
status_follows(enum lp_process_status from, enum lp_process_status to)
{
    if (from == to || lp_process_may_go(from, to))
        return true;
    return lp_process_may_go(from, LP_PS_RUNNING) && lp_process_may_go(LP_PS_RUNNING, to);
}

/** A whole state now and then, so that recovery reads a bounded log (W16). */
static void
take_snapshot(struct build *b)
{
    struct lp_mark *head = &b->proc->head;
    int64_t limit = head->state_bytes > SNAPSHOT_LEAST ? head->state_bytes : SNAPSHOT_LEAST;
    json_auto_t *state = NULL;

    head->delta_bytes += (int64_t)b->delta_len + ROW_WEIGHT;
    if (!row_done(b->flush->row) || head->delta_bytes <= limit || head->row_seq != head->head_seq)
        return;
    state = json_copy(b->proc->state);
    lp_state_apply(state, b->proc->pending);
    b->snapshot = lp_json_text(state);
    if (b->snapshot == NULL)
        return;
    head->snapshot_seq = head->row_seq;
    head->state_bytes = (int64_t)strlen(b->snapshot);
    head->delta_bytes = 0;
}

static enum lp_code
make_delta(struct build *b, struct lp_err *err)
{
    struct lp_proc *proc = b->proc;
    const struct lp_flush *flush = b->flush;

    json_decref(proc->pending);
    proc->pending = NULL;
    if (flush->keep_delta) {
        b->delta = proc->row_delta == NULL ? strdup("{}") : lp_json_text(proc->row_delta);
        return b->delta == NULL ? lp_fail(err, LP_NOMEM, "no memory for a delta") : LP_OK;
    }
    if (json_object_size(flush->set) > 0 || json_array_size(flush->unset) > 0) {
        proc->pending = json_object();
        if (flush->set != NULL)
            json_object_set(proc->pending, "set", flush->set);
        if (flush->unset != NULL)
            json_object_set(proc->pending, "unset", (json_t *)(uintptr_t)flush->unset);
    }
    return lp_delta_text(flush->set, flush->unset, &b->delta, &b->delta_len, err);
}

static void
make_error(struct build *b)
{
    const struct lp_flush *flush = b->flush;
    json_auto_t *doc = NULL;

    if (flush->error == NULL && flush->error_more == NULL)
        return;
    doc = flush->error == NULL ? json_object() : lp_error_json(flush->error);
    if (flush->in_row > 0)
        lp_json_set_int(doc, "in_row", flush->in_row);
    if (flush->error_more != NULL)
        json_object_update(doc, flush->error_more);
    b->error = lp_json_text(doc);
}

static const char *
assignee(const struct build *b)
{
    const struct lp_step *step;

    if (b->flush->assignee != NULL)
        return b->flush->assignee;
    step = b->proc->reg == NULL || b->proc->places == NULL ? NULL : lp_proc_step(b->proc);
    return step == NULL || step->assignee == NULL ? "SYSTEM" : step->assignee;
}

static void
add_step_row(struct build *b)
{
    struct lp_proc *proc = b->proc;
    const char *by = b->flush->created_by != NULL ? b->flush->created_by : proc->actor;
    struct lp_mark *head = &proc->head;
    const char *status = lp_step_status_name(b->flush->row);

    if (proc->before.row_seq != 0) {
        lp_unit_add(b->body, LP_SQL_RUN_STEP_SET,
                    LP_ARGS(lp_text("title", proc->title), lp_text("status", status),
                            lp_text("delta", b->delta), lp_text("snapshot", b->snapshot),
                            lp_text("error", b->error), lp_int("retries", head->retries),
                            lp_text("created_by", by), lp_text("assignee", assignee(b)),
                            lp_int("started", proc->started_at),
                            lp_int("now", b->flush->keep_delta ? proc->row_at : b->now),
                            lp_text("id", proc->id), lp_int("seq", head->row_seq)));
        return;
    }
    lp_unit_add(b->body, LP_SQL_RUN_STEP_ADD,
                LP_ARGS(lp_text("id", proc->id), lp_int("seq", head->row_seq),
                        lp_text("step_id", lp_uuid_v7(proc->engine->clock).text),
                        lp_text("key", proc->key), lp_text("title", proc->title),
                        lp_text("status", status), lp_text("delta", b->delta),
                        lp_text("snapshot", b->snapshot), lp_text("error", b->error),
                        lp_int("retries", head->retries), lp_text("created_by", by),
                        lp_text("assignee", assignee(b)), lp_int("started", proc->started_at),
                        lp_int("now", b->now)));
}

static void
add_attempt(struct build *b)
{
    struct lp_proc *proc = b->proc;
    struct lp_mark *head = &proc->head;
    const char *outcome = b->flush->outcome,
               *error = b->flush->error == NULL ? b->flush->note : b->error;

    if (outcome == NULL)
        return;
    if (proc->before.open_attempt) {
        lp_unit_add(b->body, LP_SQL_RUN_ATTEMPT_END,
                    LP_ARGS(lp_text("outcome", outcome), lp_text("error", error),
                            lp_int("now", b->now), lp_text("id", proc->id),
                            lp_text("key", proc->key), lp_int("n", head->attempt)));
    } else {
        head->attempt++;
        lp_unit_add(
            b->body, LP_SQL_RUN_ATTEMPT_ADD,
            LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key), lp_int("n", head->attempt),
                    lp_int("epoch", proc->epoch), lp_text("executor", proc->engine->incarnation),
                    lp_text("token", proc->token), lp_int("started", proc->started_at),
                    lp_int("ended", b->now), lp_text("outcome", outcome), lp_text("error", error)));
    }
    head->open_attempt = b->flush->row == LP_SS_AWAITING_CALLBACK;
}

/** Every step has this row: keys and statuses need no escaping, so it is written as canonical text
 * at once. */
static enum lp_code
add_plain_audit(struct build *b, const struct lp_caller *caller, struct lp_err *err)
{
    struct lp_proc *proc = b->proc;
    char text[LP_KEY_MAX + 160];

    snprintf(text, sizeof text,
             "{\"attempt\":%lld,\"epoch\":%lld,\"event\":\"step\",\"key\":\"%s\","
             "\"status\":\"%s\"}",
             (long long)proc->head.attempt, (long long)proc->epoch, proc->key,
             lp_step_status_name(b->flush->row));
    return lp_audit_add_text(b->body, &proc->head.chain, caller, text, b->now, err);
}

static enum lp_code
add_audit(struct build *b, struct lp_err *err)
{
    struct lp_proc *proc = b->proc;
    struct lp_caller own = lp_proc_caller(proc);
    const struct lp_caller *caller = b->flush->caller != NULL ? b->flush->caller : &own;
    json_auto_t *body = NULL;

    if (b->flush->error == NULL && b->flush->audit == NULL)
        return add_plain_audit(b, caller, err);
    body = json_pack("{s:s, s:s, s:s, s:I, s:I}", "event", "step", "key", proc->key, "status",
                     lp_step_status_name(b->flush->row), "attempt", (json_int_t)proc->head.attempt,
                     "epoch", (json_int_t)proc->epoch);
    if (b->flush->error != NULL)
        lp_json_set_str(body, "error", b->flush->error->msg);
    if (b->flush->audit != NULL)
        json_object_update(body, b->flush->audit);
    return lp_audit_add(b->body, &proc->head.chain, caller, body, b->now, err);
}

/** Locks go at the end; a failed VALIDATE gives its lock back and leaves insync false, every other
 * failure keeps it. */
static void
add_ending(struct build *b)
{
    struct lp_proc *proc = b->proc;
    enum lp_process_status status = b->flush->status;
    bool final = lp_process_final(status), failed = b->flush->row == LP_SS_FAILED;
    const char *subscription = lp_json_str(proc->state, "subscription_id", NULL);

    if (final || (failed && proc->target == LP_TARGET_VALIDATE))
        lp_unit_add(b->body, LP_SQL_RUN_LOCKS_DROP, LP_ARGS(lp_text("id", proc->id)));
    if (status == LP_PS_ABORTED)
        lp_unit_add(b->body, LP_SQL_RUN_NAMED_WAITS_DROP, LP_ARGS(lp_text("id", proc->id)));
    if (final && proc->epoch > 1) /* of an owner that died: elements are left alone for a while */
        lp_locks_left(b->body, proc->engine, proc->id, proc->epoch);
    if (final || proc->named)
        lp_unit_add(b->body, LP_SQL_RUN_NAMED_DROP, LP_ARGS(lp_text("id", proc->id)));
    if ((final || failed) && subscription != NULL)
        lp_event_subscription(b->body, subscription, b->now);
    if (final || status != proc->before.status)
        lp_event_counts(b->body, b->now);
    proc->told = lp_flush_notice(proc, b->flush, b->body);
}

/** What the next step needs is known when it is there; until then what all of the workflow need. */
static const char *
label_of(const struct build *b)
{
    const struct lp_registered *reg = b->proc->reg;

    if (b->flush->label != NULL || reg == NULL || lp_process_final(b->flush->status))
        return b->flush->label;
    return reg->workflow->label;
}

/** The row goes on to say "running" and nothing else. */
static bool
goes_on(const struct lp_flush *flush)
{
    return flush->after == LP_AFTER_GO && flush->status == LP_PS_RUNNING && flush->error == NULL
           && flush->wake_at == 0 && flush->wait_kind == NULL && flush->label == NULL;
}

static void
add_short_fence(struct build *b, struct lp_unit *unit)
{
    struct lp_proc *proc = b->proc;
    const struct lp_mark *head = &proc->head;

    proc->fence_index = lp_unit_add(
        unit, LP_SQL_RUN_FENCE_ON,
        LP_ARGS(lp_int("epoch", proc->epoch), lp_text("assignee", assignee(b)),
                lp_int("now", b->now), lp_text("key", proc->key), lp_text("title", proc->title),
                lp_int("head", head->head_seq), lp_int("snapshot", head->snapshot_seq),
                lp_int("bytes", head->delta_bytes), lp_int("audit_seq", head->chain.seq),
                lp_text("audit_hash", head->chain.hash), lp_text("id", proc->id)));
    lp_unit_want_rows(unit, proc->fence_index);
}

static void
add_fence(struct build *b, struct lp_unit *unit)
{
    struct lp_proc *proc = b->proc;
    const struct lp_flush *flush = b->flush;
    const struct lp_mark *head = &proc->head;
    const char *owner = flush->after == LP_AFTER_PARK ? NULL : proc->engine->incarnation;
    const char *reason = flush->error == NULL ? NULL : flush->error->msg;

    proc->fence_index = lp_unit_add(
        unit, LP_SQL_RUN_FENCE,
        LP_ARGS(lp_int("epoch", proc->epoch), lp_text("owner", owner),
                lp_text("status", lp_process_status_name(head->status)),
                lp_text("assignee", assignee(b)), lp_int("now", b->now), lp_text("key", proc->key),
                lp_text("title", proc->title), lp_text("failed", reason),
                lp_text("error", reason == NULL ? NULL : b->error),
                flush->wake_at != 0 ? lp_int("wake", flush->wake_at) : lp_null("wake"),
                lp_text("wait_kind", flush->wait_kind), lp_text("wait_reason", flush->wait_reason),
                lp_text("label", label_of(b)), lp_int("head", head->head_seq),
                lp_int("snapshot", head->snapshot_seq), lp_int("bytes", head->delta_bytes),
                lp_int("audit_seq", head->chain.seq), lp_text("audit_hash", head->chain.hash),
                lp_text("id", proc->id)));
    lp_unit_want_rows(unit, proc->fence_index);
}

/** Looks again behind the row lock for what may have come between the decision to wait and this
 * flush. */
static void
add_second_look(struct build *b, struct lp_unit *unit)
{
    struct lp_proc *proc = b->proc;
    json_t *seen = json_object_get(b->flush->error_more, "ended");

    proc->wake_index = SIZE_MAX;
    if (b->flush->row == LP_SS_AWAITING_CALLBACK)
        proc->wake_index =
            lp_unit_add(unit, LP_SQL_RUN_WAKE_INPUT,
                        LP_ARGS(lp_int("now", b->now), lp_text("id", proc->id),
                                lp_text("key", proc->key), lp_int("n", proc->wait_n)));
    else if (b->flush->wait_kind != NULL && strcmp(b->flush->wait_kind, "children") == 0)
        proc->wake_index = lp_unit_add(unit, LP_SQL_RUN_WAKE_CHILDREN,
                                       LP_ARGS(lp_int("now", b->now), lp_text("id", proc->id),
                                               lp_text("key", proc->key),
                                               lp_int("seen", json_integer_value(seen))));
    else if (proc->busy != NULL && b->flush->wait_kind != NULL
             && strcmp(b->flush->wait_kind, "lock") == 0)
        proc->wake_index =
            lp_unit_add(unit, LP_SQL_RUN_WAKE_LOCK,
                        LP_ARGS(lp_int("now", b->now), lp_text("id", proc->id),
                                lp_text("name", json_string_value(json_array_get(proc->busy, 0)))));
    if (proc->wake_index != SIZE_MAX)
        lp_unit_want_rows(unit, proc->wake_index);
}

static enum lp_code
prepare(struct build *b, struct lp_err *err)
{
    struct lp_proc *proc = b->proc;
    const struct lp_flush *flush = b->flush;
    struct lp_mark *head = &proc->head;
    enum lp_code rc;

    proc->before = *head;
    if (!status_follows(head->status, flush->status))
        return lp_fail(err, LP_INTERNAL, "process %s cannot go from '%s' to '%s'", proc->id,
                       lp_process_status_name(head->status), lp_process_status_name(flush->status));
    rc = make_delta(b, err);
    if (rc != LP_OK)
        return rc;
    head->status = flush->status;
    if (head->row_seq == 0)
        head->row_seq = ++head->head_seq;
    make_error(b);
    take_snapshot(b);
    return LP_OK;
}

static void
remember(struct build *b)
{
    struct lp_proc *proc = b->proc;
    const struct lp_flush *flush = b->flush;

    proc->after = flush->after;
    proc->took_us = flush->outcome == NULL || flush->keep_delta ? -1 : b->now - proc->started_at;
    proc->pending_success = row_done(flush->row);
    proc->pending_jump = flush->jump;
    proc->pending_final = lp_process_final(flush->status);
    proc->wake_known = flush->wake_at;
    proc->park_label = flush->after == LP_AFTER_PARK ? flush->label : NULL;
    proc->phase = LP_PH_ACK;
    proc->tell_parent =
        proc->parent[0] != '\0' && flush->after == LP_AFTER_PARK && flush->status != LP_PS_WAITING;
}

enum lp_code
lp_flush_build(struct lp_proc *proc, const struct lp_flush *flush, struct lp_unit *unit,
               struct lp_err *err)
{
    struct build b = {.proc = proc, .flush = flush, .now = lp_clock_utc_us(proc->engine->clock)};
    enum lp_code rc;

    b.body = flush->writes != NULL ? flush->writes : lp_unit_new();
    rc = prepare(&b, err);
    if (rc == LP_OK) {
        add_step_row(&b);
        add_attempt(&b);
        rc = add_audit(&b, err);
    }
    if (rc == LP_OK) {
        if (proc->before.plain && goes_on(flush))
            add_short_fence(&b, unit);
        else
            add_fence(&b, unit);
        proc->head.plain = goes_on(flush);
        add_second_look(&b, unit);
        add_ending(&b);
        lp_event_process(b.body, proc->id, b.now);
        (void)lp_unit_append(unit, b.body);
        remember(&b);
    } else {
        lp_unit_free(b.body);
        proc->head = proc->before;
    }
    free(b.delta);
    free(b.snapshot);
    free(b.error);
    return rc;
}

/* ---- sending ---- */

void
lp_flush_head(struct lp_proc *proc, const struct lp_rows *rows)
{
    const char *window = lp_rows_text(rows, 0, "window_id");

    proc->requests = lp_rows_int(rows, 0, "requests");
    if (proc->binding) /* was written behind the fence that answers here */
        memcpy(proc->window, proc->bind, sizeof proc->window);
    else
        snprintf(proc->window, sizeof proc->window, "%s", window == NULL ? "" : window);
    proc->binding = false;
}

static void
keep_answer(struct lp_proc *proc, struct lp_unit *unit)
{
    const struct lp_rows *rows;

    if (proc->phase == LP_PH_CLAIMED) {
        for (size_t i = 0; i < LP_CLAIM_ROWS; i++)
            proc->claimed[i] = lp_unit_rows_take(unit, i);
        return;
    }
    rows = proc->fence_index == SIZE_MAX ? NULL : lp_unit_rows(unit, proc->fence_index);
    if (rows != NULL && lp_rows_count(rows) == 1)
        lp_flush_head(proc, rows);
    proc->woken =
        proc->wake_index != SIZE_MAX && lp_rows_count(lp_unit_rows(unit, proc->wake_index)) > 0;
    lp_events_poke(proc->engine);
    lp_step_took(proc);
    if (proc->told)
        lp_engine_notice_now(proc->engine);
    proc->told = false;
}

void
lp_flush_done(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct lp_proc *proc = arg;

    proc->ack = code;
    if (code == LP_OK)
        keep_answer(proc, unit);
    else
        lp_err_move(&proc->ack_err, err);
    if (lp_unit_shared(unit))
        lp_executor_gather(proc->executor, proc);
    else
        lp_executor_ready(proc->executor, proc);
}

void
lp_flush_send(struct lp_proc *proc, struct lp_unit *unit)
{
    if (unit != NULL)
        lp_unit_key(unit, proc->id);
    proc->phase = LP_PH_ACK;
    proc->thread->sending = proc;
    proc->thread->unit = unit;
}

/* From here on another thread may work on the proc: no reference to its documents may be left on
 * this one's stack. */
void
lp_flush_hand_over(struct lp_thread *thread)
{
    struct lp_proc *proc = thread->sending;
    struct lp_unit *unit = thread->unit;

    thread->sending = NULL;
    thread->unit = NULL;
    if (unit != NULL && lp_thread_stays(thread)) {
        lp_store_submit_here(thread->executor->engine->store, unit, lp_flush_done, proc);
        lp_thread_back(thread);
    } else if (unit != NULL) {
        lp_store_submit(proc->engine->store, unit, lp_flush_done, proc);
    } else if (proc != NULL) {
        lp_executor_ready(proc->executor, proc);
    }
}

void
lp_flush_submit(struct lp_proc *proc, const struct lp_flush *flush)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_flush_build(proc, flush, unit, &err);

    if (rc == LP_OK) {
        lp_flush_send(proc, unit);
        return;
    }
    /* What the step returned cannot be stored: that is the step's failure, not the engine's. */
    lp_unit_free(unit);
    proc->after = flush->after;
    proc->ack = rc;
    lp_err_move(&proc->ack_err, &err);
    lp_flush_send(proc, NULL);
}

void
lp_flush_attempt(struct lp_proc *proc)
{
    struct lp_unit *unit = lp_unit_new();
    int64_t now = lp_clock_utc_us(proc->engine->clock);
    struct lp_mark *head = &proc->head;

    proc->before = *head;
    lp_unit_add(unit, LP_SQL_RUN_BEGIN,
                LP_ARGS(lp_int("epoch", proc->epoch), lp_int("now", now), lp_text("key", proc->key),
                        lp_text("title", proc->title), lp_text("id", proc->id)));
    if (head->open_attempt)
        lp_unit_add(unit, LP_SQL_RUN_ATTEMPT_END,
                    LP_ARGS(lp_text("outcome", lp_code_info(LP_UNKNOWN)->slug), lp_null("error"),
                            lp_int("now", now), lp_text("id", proc->id), lp_text("key", proc->key),
                            lp_int("n", head->attempt)));
    head->attempt++;
    lp_unit_add(unit, LP_SQL_RUN_ATTEMPT_ADD,
                LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key),
                        lp_int("n", head->attempt), lp_int("epoch", proc->epoch),
                        lp_text("executor", proc->engine->incarnation),
                        lp_text("token", proc->token), lp_int("started", proc->started_at),
                        lp_null("ended"), lp_text("outcome", "running"), lp_null("error")));
    head->open_attempt = true;
    proc->took_us = -1;
    head->status = LP_PS_RUNNING;
    lp_event_process(unit, proc->id, now);
    proc->fence_index = proc->wake_index = SIZE_MAX;
    proc->after = LP_AFTER_IO;
    lp_flush_send(proc, unit);
}

void
lp_flush_release(struct lp_proc *proc)
{
    struct lp_unit *unit = lp_unit_new();

    lp_unit_add(unit, LP_SQL_RUN_RELEASE,
                LP_ARGS(lp_int("epoch", proc->epoch), lp_text("id", proc->id)));
    if (proc->named)
        lp_unit_add(unit, LP_SQL_RUN_NAMED_DROP, LP_ARGS(lp_text("id", proc->id)));
    proc->fence_index = proc->wake_index = SIZE_MAX;
    proc->released = true;
    proc->after = LP_AFTER_PARK;
    proc->pending_final = proc->tell_parent = false;
    proc->wake_known = 0;
    proc->park_label = NULL;
    proc->before = proc->head;
    lp_flush_send(proc, unit);
}

void
lp_flush_park_again(struct lp_proc *proc, int64_t wake_at, int64_t seen)
{
    struct lp_unit *unit = lp_unit_new();
    int64_t now = lp_clock_utc_us(proc->engine->clock);

    proc->fence_index = lp_unit_add(unit, LP_SQL_RUN_PARK,
                                    LP_ARGS(lp_int("epoch", proc->epoch), lp_int("now", now),
                                            lp_int("wake", wake_at), lp_text("id", proc->id)));
    proc->wake_index = lp_unit_add(unit, LP_SQL_RUN_WAKE_CHILDREN,
                                   LP_ARGS(lp_int("now", now), lp_text("id", proc->id),
                                           lp_text("key", proc->key), lp_int("seen", seen)));
    lp_unit_want_rows(unit, proc->fence_index);
    lp_unit_want_rows(unit, proc->wake_index);
    proc->after = LP_AFTER_PARK;
    proc->pending_final = proc->tell_parent = false;
    proc->wake_known = wake_at;
    proc->park_label = NULL;
    proc->before = proc->head;
    lp_flush_send(proc, unit);
}

/* ---- the answer ---- */

static void
parent_told(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct lp_engine *engine = arg;
    const struct lp_rows *rows = code == LP_OK ? lp_unit_rows(unit, 0) : NULL;

    (void)err;
    if (code != LP_OK) /* refused (somebody holds the parent's row for long) or not answered */
        lp_keeper_untold(engine->executor);
    if (rows == NULL || lp_rows_count(rows) == 0 || lp_rows_null(rows, 0, "wake_at"))
        return;
    if (lp_rows_int(rows, 0, "wake_at") <= lp_clock_utc_us(engine->clock))
        lp_executor_hint(engine, lp_unit_key_get(unit), 1);
    else
        lp_keeper_due(engine->executor, lp_rows_int(rows, 0, "wake_at"));
}

/** A flush of its own: the parent's row is never locked together with the child's. Lost in a crash,
 * the look at start makes good; refused by the store, the keeper. */
static void
tell_parent(struct lp_proc *proc)
{
    int64_t now = lp_clock_utc_us(proc->engine->clock);
    struct lp_unit *unit = lp_unit_new();

    lp_unit_key(unit, proc->parent);
    lp_unit_want_rows(unit, lp_unit_add(unit, LP_SQL_RUN_WAKE_PARENT,
                                        LP_ARGS(lp_text("id", proc->parent), lp_int("now", now),
                                                lp_int("later", now + GATHER_US))));
    lp_executor_aside(proc->executor, unit, parent_told);
}

/** Children are in the database now: whoever is free may take them. Lost hints are the sweeper's.
 */
static void
announce_children(struct lp_proc *proc)
{
    size_t i;
    json_t *id;

    json_array_foreach(proc->fan_new, i, id)
        lp_executor_hint(proc->engine, json_string_value(id), 1);
    json_decref(proc->fan_new);
    proc->fan_new = NULL;
}

static void
parked(struct lp_proc *proc)
{
    struct lp_executor *executor = proc->executor;
    struct lp_engine *engine = proc->engine;
    char id[LP_UUID_LEN + 1];
    int priority = proc->priority;
    const char *label = proc->park_label;
    bool again = proc->woken || proc->requests > 0;

    memcpy(id, proc->id, sizeof id);
    announce_children(proc);
    if (proc->tell_parent)
        tell_parent(proc);
    if (proc->wake_known != 0)
        lp_keeper_due(executor, proc->wake_known);
    if (proc->pending_final && proc->head.status == LP_PS_ABORTED)
        lp_keeper_poke(executor);     /* its children were told to abort */
    if (proc->fan_begin != INT64_MAX) /* children were made with this row: the sweep finds them */
        lp_keeper_due(executor, lp_clock_utc_us(engine->clock));
    lp_executor_drop(executor, proc);
    if (again || label != NULL)
        lp_executor_announce(engine, id, priority, label);
}

static void
go_on(struct lp_proc *proc)
{
    const struct lp_step *step = lp_proc_step(proc);
    size_t each = proc->each;

    announce_children(proc);
    if (proc->pending != NULL)
        lp_state_apply(proc->state, proc->pending);
    json_decref(proc->pending);
    proc->pending = NULL;
    proc->refused = 0;
    if (!proc->pending_success || proc->undoing)
        return;
    if (proc->pending_jump != 0) {
        lp_proc_enter(proc, proc->pending_jump);
    } else if (step != NULL && step->kind == LP_STEP_EACH) {
        lp_proc_enter(proc, proc->place);
        proc->each = each + 1;
        lp_proc_set_key(proc);
    } else {
        lp_proc_enter(proc, proc->place + 1);
    }
}

static void
log_refusal(struct lp_proc *proc, const char *event, enum lp_level level)
{
    struct lp_log *log = proc->engine->log;

    lp_logf(log, level, event, "s:s, s:s, s:s", "process", proc->id, "step", proc->key, "error",
            proc->ack_err.msg);
    lp_err_clear(&proc->ack_err);
}

/** The database said no to what the step wrote: the step failed. When even that cannot be stored
 * the process is tried again later. */
static bool
refused(struct lp_proc *proc)
{
    struct lp_err err = LP_ERR_INIT;

    proc->head = proc->before;
    json_decref(proc->pending);
    proc->pending = NULL;
    if (lp_fanout_refused(proc))
        return true;
    if (proc->refused++ > 0 || proc->places == NULL) {
        log_refusal(proc, "process.unstorable", LP_LOG_ERROR);
        lp_keeper_orphan(proc->executor);
        lp_executor_drop(proc->executor, proc);
        return false;
    }
    lp_err_move(&err, &proc->ack_err);
    lp_subscription_explain_conflict(proc->engine->store, &err);
    lp_proc_failed(proc, &err, NULL);
    lp_err_clear(&err);
    return false;
}

bool
lp_flush_acked(struct lp_proc *proc)
{
    struct lp_err err = LP_ERR_INIT;

    switch (proc->ack) {
    case LP_OK:
        if (proc->after != LP_AFTER_IO)
            lp_lock_released(proc);
        if (proc->after == LP_AFTER_PARK) {
            parked(proc);
            return false;
        }
        if (proc->after == LP_AFTER_GO)
            go_on(proc);
        proc->phase = proc->after == LP_AFTER_IO ? LP_PH_IO : LP_PH_NEXT;
        return true;
    case LP_FENCED:
        lp_err_move(&err, &proc->ack_err);
        lp_proc_fenced(proc, &err);
        lp_err_clear(&err);
        return false;
    case LP_STORE:
    case LP_UNKNOWN:
    case LP_RETRYABLE:
    case LP_CANCELLED:
        /* Whether it was committed is read from the database once it answers (W32). */
        log_refusal(proc, "process.store_lost", LP_LOG_WARN);
        lp_keeper_orphan(proc->executor);
        if (proc->tell_parent) /* it may have ended all the same */
            lp_keeper_untold(proc->executor);
        lp_executor_drop(proc->executor, proc);
        return false;
    case LP_INVALID:
    case LP_FORM_INVALID:
    case LP_FORM_INCOMPLETE:
    case LP_NOT_FOUND:
    case LP_CONFLICT:
    case LP_PRECONDITION:
    case LP_AUTH:
    case LP_DENIED:
    case LP_TOO_LARGE:
    case LP_REFUSED:
    case LP_PROTOCOL:
    case LP_PAUSED:
    case LP_UNSUPPORTED:
    case LP_DRIFT:
    case LP_NOMEM:
    case LP_INTERNAL:
    case LP_CODE_COUNT:
        break;
    }
    return refused(proc);
}
