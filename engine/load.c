/* Claim of a process and its recovery: one round trip, then the position is found by key and the
 * state is folded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

/* ---- life ---- */

struct lp_proc *
lp_proc_new(struct lp_executor *executor, const char *id)
{
    struct lp_proc *proc = calloc(1, sizeof *proc);

    if (proc == NULL)
        return NULL;
    proc->executor = executor;
    proc->engine = executor->engine;
    memcpy(proc->id, id, strnlen(id, LP_UUID_LEN));
    proc->phase = LP_PH_CLAIM;
    proc->fan_begin = INT64_MAX;
    return proc;
}

static void
forget_head(struct lp_proc *proc)
{
    free(proc->actor);
    free(proc->ticket);
    free(proc->reason);
    free(proc->correlation);
    json_decref(proc->row_delta);
    json_decref(proc->row_error);
    json_decref(proc->inputs);
    json_decref(proc->fan_new);
    json_decref(proc->held);
    json_decref(proc->busy);
    json_decref(proc->state);
    json_decref(proc->pending);
    lp_err_clear(&proc->ack_err);
    for (size_t i = 0; i < LP_CLAIM_ROWS; i++)
        lp_rows_free(proc->claimed[i]);
}

void
lp_proc_free(struct lp_proc *proc)
{
    if (proc == NULL)
        return;
    forget_head(proc);
    free(proc);
}

/* ---- position ---- */

const struct lp_step *
lp_proc_step(const struct lp_proc *proc)
{
    return proc->place < proc->places->count ? proc->places->rows[proc->place].step : NULL;
}

void
lp_proc_set_key(struct lp_proc *proc)
{
    const struct lp_place *place = &proc->places->rows[proc->place];
    const char *undo = proc->undoing ? LP_UNDO_PREFIX : "";
    const char *title = place->step->title;

    if (place->step->kind == LP_STEP_EACH)
        snprintf(proc->key, sizeof proc->key, "%s%s/%zu", undo, place->key, proc->each);
    else
        snprintf(proc->key, sizeof proc->key, "%s%s", undo, place->key);
    snprintf(proc->title, sizeof proc->title, "%s%s", proc->undoing ? "Undo: " : "",
             title == NULL ? place->key : title);
}

static void
forget_row(struct lp_proc *proc)
{
    json_decref(proc->row_delta);
    json_decref(proc->row_error);
    proc->row_delta = proc->row_error = NULL;
    proc->head.row_seq = proc->head.retries = proc->head.attempt = 0;
    proc->row_at = proc->in_row = 0;
    proc->unknown = proc->head.open_attempt = false;
    proc->token[0] = '\0';
}

void
lp_proc_enter(struct lp_proc *proc, size_t place)
{
    if (place != proc->place) {
        proc->each = 0;
        proc->each_known = false;
    }
    proc->place = place;
    proc->fan_begin = INT64_MAX;
    forget_row(proc);
    if (place < proc->places->count)
        lp_proc_set_key(proc);
}

json_t *
lp_proc_input(struct lp_proc *proc, const char *kind)
{
    size_t i;
    json_t *input;

    json_array_foreach(proc->inputs, i,
                       input) if (strcmp(lp_json_str(input, "kind", ""), kind) == 0
                                  && strcmp(lp_json_str(input, "key", ""), proc->key)
                                         == 0) return input;
    return NULL;
}

/* ---- reading the rows of a claim ---- */

struct claim {
    struct lp_proc *proc;
    const struct lp_rows *head, *steps, *inputs, *attempt;
};

static char *
copy(const struct lp_rows *rows, const char *column)
{
    const char *text = lp_rows_text(rows, 0, column);

    return text == NULL ? NULL : strdup(text);
}

static void
read_chain(struct lp_proc *proc, const struct lp_rows *rows)
{
    const char *hash = lp_rows_text(rows, 0, "audit_hash");

    snprintf(proc->head.chain.name, sizeof proc->head.chain.name, "%s", proc->id);
    proc->head.chain.seq = lp_rows_int(rows, 0, "audit_seq");
    snprintf(proc->head.chain.hash, sizeof proc->head.chain.hash, "%s", hash == NULL ? "" : hash);
}

static enum lp_code
read_head(struct lp_proc *proc, const struct lp_rows *rows, struct lp_err *err)
{
    const char *parent = lp_rows_text(rows, 0, "parent_id");
    const char *window = lp_rows_text(rows, 0, "window_id");

    if (!lp_process_status_from_name(lp_rows_text(rows, 0, "status"), &proc->head.status)
        || !lp_target_from_name(lp_rows_text(rows, 0, "target"), &proc->target))
        return lp_fail(err, LP_INTERNAL, "process %s has an unknown status or target", proc->id);
    proc->priority = (int)lp_rows_int(rows, 0, "priority");
    proc->is_task = lp_rows_int(rows, 0, "is_task") != 0;
    proc->actor = copy(rows, "created_by");
    proc->ticket = copy(rows, "ticket");
    proc->reason = copy(rows, "reason");
    proc->correlation = copy(rows, "correlation_id");
    snprintf(proc->parent, sizeof proc->parent, "%s", parent == NULL ? "" : parent);
    snprintf(proc->window, sizeof proc->window, "%s", window == NULL ? "" : window);
    proc->epoch = lp_rows_int(rows, 0, "lease_epoch");
    proc->head.head_seq = lp_rows_int(rows, 0, "head_seq");
    proc->head.snapshot_seq = lp_rows_int(rows, 0, "snapshot_seq");
    proc->head.delta_bytes = lp_rows_int(rows, 0, "delta_bytes");
    proc->requests = lp_rows_int(rows, 0, "requests");
    proc->wake_at = lp_rows_int(rows, 0, "wake_at");
    read_chain(proc, rows);
    proc->reg = lp_registry_find(proc->engine, lp_rows_text(rows, 0, "workflow"));
    if (proc->reg != NULL && strcmp(lp_rows_text(rows, 0, "definition_hash"), proc->reg->hash) != 0)
        lp_logf(proc->engine->log, LP_LOG_INFO, "process.definition_changed", "s:s, s:s", "process",
                proc->id, "workflow", proc->reg->workflow->name);
    if (proc->actor == NULL || proc->correlation == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for process %s", proc->id);
    return LP_OK;
}

static enum lp_code
parse(struct lp_proc *proc, const char *text, json_t **out, struct lp_err *err)
{
    enum lp_code rc = lp_json_load(text, strlen(text), out, err);

    if (rc != LP_OK)
        return lp_fail(err, LP_INTERNAL, "a stored document of process %s cannot be read",
                       proc->id);
    return LP_OK;
}

static enum lp_code
read_inputs(struct claim *c, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    enum lp_code rc = LP_OK;

    proc->inputs = json_array();
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(c->inputs); i++) {
        const char *kind = lp_rows_text(c->inputs, i, "kind");
        const char *text = lp_rows_text(c->inputs, i, "doc");
        json_t *doc = NULL;

        rc = parse(proc, text, &doc, err);
        if (rc != LP_OK)
            break;
        if (strcmp(kind, "initial") == 0) {
            proc->head.state_bytes = (int64_t)strlen(text);
            json_decref(proc->state);
            proc->state = doc;
            continue;
        }
        json_array_append_new(proc->inputs,
                              json_pack("{s:s, s:I, s:s, s:s, s:o}", "key",
                                        lp_rows_text(c->inputs, i, "step_key"), "n",
                                        (json_int_t)lp_rows_int(c->inputs, i, "n"), "kind", kind,
                                        "actor", lp_rows_text(c->inputs, i, "actor"), "doc", doc));
    }
    return rc;
}

/** Snapshot, then the deltas behind it. */
static enum lp_code
fold_steps(struct claim *c, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(c->steps); i++) {
        const char *snapshot = lp_rows_text(c->steps, i, "snapshot");
        const char *text = lp_rows_text(c->steps, i, "delta");
        json_auto_t *delta = NULL;

        if (lp_rows_int(c->steps, i, "seq") == proc->head.snapshot_seq && snapshot != NULL) {
            json_decref(proc->state);
            proc->state = NULL;
            proc->head.state_bytes = (int64_t)strlen(snapshot);
            rc = parse(proc, snapshot, &proc->state, err);
            continue;
        }
        if (strcmp(text, "{}") == 0)
            continue;
        rc = parse(proc, text, &delta, err);
        if (rc == LP_OK)
            lp_state_apply(proc->state, delta);
    }
    return rc;
}

static size_t
row_of(const struct lp_rows *rows, const char *key)
{
    for (size_t i = lp_rows_count(rows); i-- > 0;)
        if (strcmp(lp_rows_text(rows, i, "key"), key) == 0)
            return i;
    return SIZE_MAX;
}

/** What is known of the row the process stands on. */
static enum lp_code
read_row(struct claim *c, size_t i, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    const char *error = lp_rows_text(c->steps, i, "error");
    const char *delta = lp_rows_text(c->steps, i, "delta");
    enum lp_code rc = LP_OK;

    if (!lp_step_status_from_name(lp_rows_text(c->steps, i, "status"), &proc->row_status))
        return lp_fail(err, LP_INTERNAL, "a step of process %s has an unknown status", proc->id);
    proc->head.row_seq = lp_rows_int(c->steps, i, "seq");
    proc->row_at = lp_rows_int(c->steps, i, "completed_at");
    proc->head.retries = lp_rows_int(c->steps, i, "retries");
    if (error != NULL)
        rc = parse(proc, error, &proc->row_error, err);
    if (rc == LP_OK && strcmp(delta, "{}") != 0)
        rc = parse(proc, delta, &proc->row_delta, err);
    /* an operator's retry begins a new count; the engine's own, and what a callback resumed, go on
     * with the old one */
    if (proc->head.status != LP_PS_RESUMED || proc->row_status == LP_SS_AWAITING_CALLBACK)
        proc->in_row = lp_json_int(proc->row_error, "in_row", 0);
    return rc;
}

static void
read_attempt(struct claim *c)
{
    struct lp_proc *proc = c->proc;
    const char *outcome;

    if (lp_rows_count(c->attempt) == 0
        || strcmp(lp_rows_text(c->attempt, 0, "step_key"), proc->key) != 0)
        return;
    outcome = lp_rows_text(c->attempt, 0, "outcome");
    proc->head.attempt = lp_rows_int(c->attempt, 0, "n");
    proc->unknown =
        strcmp(outcome, "running") == 0 || strcmp(outcome, lp_code_info(LP_UNKNOWN)->slug) == 0;
    proc->head.open_attempt = strcmp(outcome, "running") == 0 || strcmp(outcome, "awaiting") == 0;
    if (proc->unknown)
        snprintf(proc->token, sizeof proc->token, "%s", lp_rows_text(c->attempt, 0, "token"));
}

enum lp_code
lp_proc_load_attempt(struct lp_proc *proc, struct lp_err *err)
{
    struct claim c = {.proc = proc};
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(proc->engine->store, LP_SQL_RUN_ATTEMPT_LAST,
                 LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key)), &rows, err);

    if (rc != LP_OK)
        return rc;
    c.attempt = rows;
    read_attempt(&c);
    lp_rows_free(rows);
    return LP_OK;
}

/* ---- a process that was created here ---- */

static bool
copy_caller(struct lp_proc *proc, const struct lp_caller *caller)
{
    const char *correlation = caller->correlation_id == NULL ? proc->id : caller->correlation_id;

    proc->actor = strdup(caller->actor);
    proc->ticket = caller->ticket == NULL ? NULL : strdup(caller->ticket);
    proc->reason = caller->reason == NULL ? NULL : strdup(caller->reason);
    proc->correlation = strdup(correlation);
    return proc->actor != NULL && proc->correlation != NULL
           && (proc->ticket != NULL || caller->ticket == NULL)
           && (proc->reason != NULL || caller->reason == NULL);
}

enum lp_code
lp_proc_born(struct lp_proc *proc, const struct lp_new_process *request,
             const struct lp_chain *chain, json_t *state, size_t state_bytes, struct lp_err *err)
{
    const struct lp_registered *reg = request->reg;

    proc->state = state;
    proc->inputs = json_array();
    proc->reg = reg;
    proc->places = &proc->executor->places[reg - proc->engine->workflows];
    proc->target = reg->workflow->target;
    proc->is_task = reg->workflow->is_task;
    proc->priority = proc->is_task ? 1 : 0;
    proc->epoch = 1;
    snprintf(proc->parent, sizeof proc->parent, "%s",
             request->parent_id == NULL ? "" : request->parent_id);
    proc->head = (struct lp_mark){
        .status = LP_PS_RUNNING, .state_bytes = (int64_t)state_bytes, .chain = *chain};
    proc->head.plain = lp_label_needed(reg->workflow, reg->steps[0]) == reg->workflow->label;
    if (!copy_caller(proc, request->caller) || proc->inputs == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for process %s", proc->id);
    lp_proc_enter(proc, 0);
    return LP_OK;
}

/* ---- finding the place ---- */

/** Goes behind the row of the current place: the next index of an each-step, or the next place. */
static void
go_behind(struct lp_proc *proc)
{
    const struct lp_step *step = lp_proc_step(proc);
    size_t each = proc->each;

    if (step->kind != LP_STEP_EACH) {
        lp_proc_enter(proc, proc->place + 1);
        return;
    }
    lp_proc_enter(proc, proc->place);
    proc->each = each + 1;
    lp_proc_set_key(proc);
}

static bool
row_done(enum lp_step_status status)
{
    return status == LP_SS_SUCCESS || status == LP_SS_SKIPPED || status == LP_SS_COMPLETE;
}

/** Stands on a row that is not the newest one: behind it when it is done, else on it. */
static enum lp_code
stand_on(struct claim *c, size_t row, size_t place, size_t each, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    enum lp_code rc;

    lp_proc_enter(proc, place);
    proc->each = each;
    lp_proc_set_key(proc);
    rc = read_row(c, row, err);
    if (rc == LP_OK && row_done(proc->row_status))
        go_behind(proc);
    else if (rc == LP_OK)
        rc = lp_proc_load_attempt(proc, err);
    return rc;
}

/** W14: the head is not in the definition any more. What counts is the newest row that is. Without
 * an operator's word (settled) only when nothing unknown stands behind it. */
static enum lp_code
recover_unknown(struct claim *c, size_t from, bool settled, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;

    for (size_t i = from; i-- > 0;) {
        const char *key = lp_rows_text(c->steps, i, "key");
        size_t each, place = lp_places_find(proc->places, key, &each);

        if (strcmp(key, LP_KEY_RECOVER) == 0)
            continue;
        if (place < proc->places->count)
            return stand_on(c, i, place, each, err);
        if (!settled)
            break;
    }
    proc->place = SIZE_MAX; /* told to the operator by advance.c */
    return LP_OK;
}

/** A skipped group has a row of its own. */
static bool
behind_group(struct lp_proc *proc, const char *key)
{
    for (size_t i = 0; i < proc->places->group_count; i++)
        if (strcmp(proc->places->groups[i]->key, key) == 0) {
            lp_proc_enter(proc, proc->places->groups[i]->end);
            return true;
        }
    return false;
}

/** A step that an operator has skipped, or marked as done: only that makes a process 'resumed'
 * behind a finished row. */
static bool
settled_by_hand(const struct lp_proc *proc)
{
    return proc->row_status == LP_SS_SKIPPED
           || (proc->row_status == LP_SS_SUCCESS && proc->head.status == LP_PS_RESUMED);
}

static enum lp_code
find_place(struct claim *c, const char *last, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    size_t row = row_of(c->steps, last), each;
    enum lp_code rc;

    proc->place = lp_places_find(proc->places, last, &each);
    proc->each = each;
    if (proc->place < proc->places->count) {
        lp_proc_set_key(proc);
        read_attempt(c);
        if (row == SIZE_MAX)
            return LP_OK; /* begun, not logged yet */
        rc = read_row(c, row, err);
        if (rc == LP_OK && row_done(proc->row_status))
            go_behind(proc);
        return rc;
    }
    if (behind_group(proc, last))
        return LP_OK;
    snprintf(proc->key, sizeof proc->key, "%s", last);
    if (row == SIZE_MAX)
        return recover_unknown(c, lp_rows_count(c->steps), false, err);
    rc = read_row(c, row, err);
    if (rc != LP_OK)
        return rc;
    if (strcmp(last, LP_KEY_RECOVER) == 0)
        return recover_unknown(c, row, row_done(proc->row_status), err);
    return recover_unknown(c, row + 1, settled_by_hand(proc), err);
}

/** The workflow is gone: only a row that said so before is of use. */
static enum lp_code
read_without_places(struct claim *c, const char *last, struct lp_err *err)
{
    size_t row = row_of(c->steps, last);

    snprintf(c->proc->key, sizeof c->proc->key, "%s", last);
    if (row == SIZE_MAX || strcmp(last, LP_KEY_RECOVER) != 0)
        return LP_OK;
    return read_row(c, row, err);
}

static enum lp_code
recover(struct claim *c, struct lp_err *err)
{
    struct lp_proc *proc = c->proc;
    const char *last = lp_rows_text(c->head, 0, "last_key");
    enum lp_code rc = read_inputs(c, err);

    if (rc == LP_OK && proc->state == NULL)
        proc->state = json_object();
    if (rc == LP_OK)
        rc = fold_steps(c, err);
    if (rc == LP_OK && !json_is_object(proc->state))
        rc = lp_fail(err, LP_INTERNAL, "the stored state of process %s is not a JSON object",
                     proc->id);
    if (rc != LP_OK)
        return rc;
    if (proc->reg == NULL) /* told to the operator by advance.c */
        return last == NULL ? LP_OK : read_without_places(c, last, err);
    proc->places = &proc->executor->places[proc->reg - proc->engine->workflows];
    if (last == NULL) {
        lp_proc_enter(proc, 0);
        return LP_OK;
    }
    if (strncmp(last, LP_UNDO_PREFIX, strlen(LP_UNDO_PREFIX)) == 0) {
        proc->undoing = true; /* where it stands is read from the log, row by row */
        return LP_OK;
    }
    return find_place(c, last, err);
}

void
lp_proc_claim(struct lp_proc *proc)
{
    static const enum lp_stmt reads[] = {[LP_CLAIM_STEPS] = LP_SQL_RUN_CLAIM_STEPS,
                                         [LP_CLAIM_INPUTS] = LP_SQL_RUN_CLAIM_INPUTS,
                                         [LP_CLAIM_ATTEMPT] = LP_SQL_RUN_CLAIM_ATTEMPT};
    struct lp_unit *unit = lp_unit_new();

    lp_unit_add(unit, LP_SQL_RUN_CLAIM,
                LP_ARGS(lp_text("owner", proc->engine->incarnation), lp_text("id", proc->id),
                        lp_text("labels", proc->executor->labels)));
    for (size_t i = LP_CLAIM_STEPS; i < LP_CLAIM_ROWS; i++)
        lp_unit_add(unit, reads[i], LP_ARGS(lp_text("id", proc->id)));
    for (size_t i = 0; i < LP_CLAIM_ROWS; i++)
        lp_unit_want_rows(unit, i);
    lp_flush_send(proc, unit);
    proc->phase = LP_PH_CLAIMED;
}

static void
drop_rows(struct lp_proc *proc)
{
    for (size_t i = 0; i < LP_CLAIM_ROWS; i++) {
        lp_rows_free(proc->claimed[i]);
        proc->claimed[i] = NULL;
    }
}

enum lp_code
lp_proc_claimed(struct lp_proc *proc, struct lp_err *err)
{
    struct claim c = {.proc = proc,
                      .head = proc->claimed[LP_CLAIM_HEAD],
                      .steps = proc->claimed[LP_CLAIM_STEPS],
                      .inputs = proc->claimed[LP_CLAIM_INPUTS],
                      .attempt = proc->claimed[LP_CLAIM_ATTEMPT]};
    enum lp_code rc = proc->ack;

    if (rc != LP_OK)
        lp_err_move(err, &proc->ack_err);
    else if (lp_rows_count(c.head) != 1)
        rc = lp_fail(err, LP_NOT_FOUND, "process %s is not free to be taken", proc->id);
    if (rc == LP_OK) {
        __atomic_add_fetch(&proc->engine->stats.claims, 1, __ATOMIC_RELAXED);
        proc->phase = LP_PH_NEXT;
        rc = read_head(proc, c.head, err);
    }
    if (rc == LP_OK)
        rc = recover(&c, err);
    drop_rows(proc);
    return rc;
}
