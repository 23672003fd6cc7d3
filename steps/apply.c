/* Step apply: one operation of the plan per durable sub-step, and the way back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps/device_internal.h"

#define HOUR_US (3600 * INT64_C(1000000))

/* ---- which plan counts ---- */

struct applying {
    struct lp_process_plan *plans; /* malloc'ed */
    size_t count;
    const struct lp_process_plan *first, *current; /* NULL: there is none */
    bool newest_refused; /* the newest goes beyond what was approved, and nobody approved it */
};

static enum lp_code
approved(struct lp_run *run, const char *hash, int64_t *at, char actor[static 128],
         struct lp_err *err)
{
    return lp_plan_approval(run->store, run->process_id, hash, at, actor, err);
}

static enum lp_code
load(struct lp_run *run, struct applying *out, struct lp_err *err)
{
    char actor[128];
    int64_t at = 0;
    enum lp_code rc;

    *out = (struct applying){.plans = NULL};
    rc = lp_process_plans(run->store, run->process_id, &out->plans, &out->count, err);
    for (size_t i = 0; rc == LP_OK && i < out->count; i++) {
        const struct lp_process_plan *plan = &out->plans[i];

        if (plan->refused)
            rc = approved(run, plan->hash, &at, actor, err);
        out->newest_refused = plan->refused && at == 0;
        if (!out->newest_refused)
            out->current = plan;
    }
    if (out->count > 0)
        out->first = &out->plans[0];
    return rc;
}

static enum lp_code
apply_count(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    struct applying applying;
    enum lp_code rc = load(run, &applying, err);

    (void)state;
    *count = 0;
    if (rc == LP_OK && applying.current != NULL)
        *count = (size_t)(applying.current->begin_at + applying.current->operations);
    free(applying.plans);
    return rc;
}

/* ---- may it be applied? ---- */

/** The newest decision that covers the current plan: what was planned again within the first one
 * needs none of its own. */
static enum lp_code
decision(struct lp_run *run, const struct applying *applying, int64_t *at, char actor[static 128],
         struct lp_err *err)
{
    const char *hashes[2] = {applying->first->hash, applying->current->hash};
    char who[128];
    int64_t when = 0;

    *at = 0;
    for (size_t i = applying->current->refused ? 1 : 0; i < LP_COUNT(hashes); i++) {
        enum lp_code rc = approved(run, hashes[i], &when, who, err);

        if (rc != LP_OK)
            return rc;
        if (when > *at) {
            *at = when;
            memcpy(actor, who, sizeof who);
        }
    }
    return LP_OK;
}

/** Asked where a plan begins: what has begun is better finished than left half. */
static enum lp_code
demand_approval(struct lp_run *run, const json_t *state, const struct applying *applying,
                struct lp_err *err)
{
    int64_t hours = lp_conf_live_int(&run->conf->devices_approval_hours), at = 0;
    char actor[128] = "";
    enum lp_code rc;

    if ((int64_t)run->index != applying->current->begin_at
        || (!lp_json_true(json_object_get(state, "plan"), "approval")
            && !applying->current->refused))
        return LP_OK;
    rc = decision(run, applying, &at, actor, err);
    if (rc != LP_OK)
        return rc;
    if (at == 0)
        return lp_fail(err, LP_PRECONDITION,
                       "nobody has approved plan %.12s; look at it with 'lightpath plan show %s', "
                       "approve it with 'lightpath plan approve %s', then retry",
                       applying->current->hash, run->process_id, run->process_id);
    if (lp_clock_utc_us(run->clock) - at > hours * HOUR_US)
        return lp_fail(err, LP_PRECONDITION,
                       "the approval by %.60s is older than %lld h; approve the plan again with "
                       "'lightpath plan approve %s', then retry",
                       actor, (long long)hours, run->process_id);
    return LP_OK;
}

/* ---- compensations: of the first plan, written before anything is sent ---- */

/** The operation of the same name in a plan, or NULL. Borrowed from the plan. */
static const json_t *
same_operation(const json_t *plan, const json_t *op)
{
    const char *id = lp_json_str(op, "id", ""), *element = lp_json_str(op, "element", "");
    size_t i;
    json_t *other;

    json_array_foreach(json_object_get(plan, "operations"), i,
                       other) if (strcmp(lp_json_str(other, "id", ""), id) == 0
                                  && strcmp(lp_json_str(other, "element", ""), element)
                                         == 0) return other;
    return NULL;
}

/** What an earlier sub-step of this process reported of the operation, or NULL. New reference. */
static enum lp_code
earlier(struct lp_run *run, const char *element, const char *op_id, json_t **report,
        struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_PLAN_APPLIED_ONE,
                               LP_ARGS(lp_text("process", run->process_id),
                                       lp_text("element", element), lp_text("op", op_id)),
                               &rows, err);

    *report = NULL;
    if (rc == LP_OK && lp_rows_count(rows) > 0) {
        const char *text = lp_rows_text(rows, 0, "report");

        rc = lp_json_load(text, strlen(text), report, err);
    }
    lp_rows_free(rows);
    return rc;
}

/** Where the way back of an operation stands: 1, or behind those of other operations that were
 * tried under this key before the rest was planned again. 0: it is written already. */
static enum lp_code
journal_place(struct lp_run *run, const json_t *doc, unsigned *n, struct lp_err *err)
{
    json_auto_t *list = NULL;
    size_t i;
    json_t *row;
    enum lp_code rc = lp_run_compensations(run, &list, err);

    *n = 1 + (unsigned)json_array_size(list);
    json_array_foreach(list, i, row)
    {
        const json_t *other = json_object_get(row, "doc");

        if (lp_json_same(json_object_get(other, "op"), json_object_get(doc, "op"))
            && lp_json_same(json_object_get(other, "element"), json_object_get(doc, "element")))
            *n = 0;
    }
    return rc;
}

static enum lp_code
journal(struct lp_run *run, const struct applying *applying, const json_t *op, bool done_before,
        struct lp_err *err)
{
    unsigned n = 0;
    json_auto_t *first = NULL;
    json_auto_t *doc = NULL;
    const json_t *origin = op;
    json_t *back;
    enum lp_code rc = LP_OK;

    if (done_before)
        return LP_OK; /* its way back was written then */
    if (applying->current != applying->first) {
        rc = lp_plan_load(run->store, applying->first->hash, &first, err);
        if (rc != LP_OK)
            return rc;
        origin = same_operation(first, op);
        if (origin == NULL)
            origin = op;
    }
    back = json_object_get(origin, "compensation");
    doc = json_pack("{s:O, s:O, s:O?, s:s}", "element", json_object_get(op, "element"), "op",
                    json_object_get(op, "id"), "operation", json_is_null(back) ? NULL : back,
                    "text", lp_json_str(op, "text", ""));
    rc = journal_place(run, doc, &n, err);
    return rc == LP_OK && n > 0 ? lp_run_compensation(run, n, doc, err) : rc;
}

/* ---- one operation ---- */

static enum lp_code
keep_report(struct lp_run *run, const json_t *op, const json_t *report, struct lp_err *err)
{
    char key[200], *text = NULL;
    size_t len = 0;
    enum lp_code rc;

    lp_run_key(run, key, sizeof key);
    rc = lp_json_canonical(report, &text, &len, err);
    if (rc == LP_OK)
        lp_run_write(run, LP_SQL_PLAN_APPLIED_ADD,
                     LP_ARGS(lp_text("process", run->process_id), lp_text("key", key),
                             lp_text("op", lp_json_str(op, "id", "")),
                             lp_text("element", lp_json_str(op, "element", "")),
                             lp_int("changed", lp_json_true(report, "changed") ? 1 : 0),
                             lp_text("report", text), lp_int("now", lp_clock_utc_us(run->clock))));
    free(text);
    return rc;
}

static enum lp_code
identity_of(struct lp_run *run, const struct applying *applying, const char *element,
            json_t **identity, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *header = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_PLAN_GET,
                               LP_ARGS(lp_text("hash", applying->current->hash)), &rows, err);

    *identity = NULL;
    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        const char *text = lp_rows_text(rows, 0, "doc");

        rc = lp_json_load(text, strlen(text), &header, err);
    }
    lp_rows_free(rows);
    if (rc == LP_OK)
        *identity = json_incref(json_object_get(
            json_object_get(json_object_get(header, "elements"), element), "identity"));
    return rc;
}

enum way { FORWARD, BACK, BACK_AT_LAST /* nothing of the element is left to be undone */ };

/** Sends one operation to an element that is held alone. *parked: the locks are not ours now. */
static enum lp_code
execute(struct lp_run *run, json_t *doc, const json_t *identity, const json_t *op, enum way way,
        const json_t *produced, json_t **report, bool *parked, struct lp_err *err)
{
    struct lp_device **devices = NULL;
    int64_t most = lp_json_int(op, "timeout_ms", 0);
    enum lp_code rc = lp_devices_open(run, &doc, 1, LP_DEVICE_WRITE, &devices, err);

    *report = NULL;
    *parked = rc == LP_CONFLICT && devices == NULL;
    if (rc != LP_OK)
        return rc;
    rc = lp_device_same(devices[0], identity, err);
    if (rc == LP_CONFLICT)
        err->code = rc = LP_REFUSED; /* another element: planning again would not help */
    if (rc == LP_OK && way == FORWARD)
        rc = lp_rollback_take(devices[0], err);
    if (most > 0)
        devices[0]->deadline_us = lp_clock_mono_us(run->clock) + most * 1000;
    if (rc == LP_OK)
        rc = devices[0]->driver->apply_op(devices[0]->ne, &devices[0]->call, op, produced, report,
                                          err);
    if (rc == LP_OK && *report == NULL)
        rc = lp_fail(err, LP_INTERNAL, "driver %s reported nothing", devices[0]->driver->name);
    if (rc == LP_OK && way == BACK_AT_LAST)
        lp_rollback_tell(devices[0]);
    lp_devices_close(devices, 1, rc);
    return rc;
}

static enum lp_code plan_again(struct lp_run *run, const json_t *state,
                               const struct applying *applying, struct lp_err *err);

static enum lp_code
apply_one(struct lp_run *run, const json_t *state, const struct applying *applying,
          const json_t *op, struct lp_err *err)
{
    const char *element = lp_json_str(op, "element", "");
    json_auto_t *doc = NULL;
    json_auto_t *identity = NULL;
    json_auto_t *before = NULL;
    json_auto_t *report = NULL;
    bool parked = false;
    enum lp_code rc = lp_device_doc(run, element, &doc, err);

    if (rc == LP_OK)
        rc = lp_device_demand(run, doc, err);
    if (rc == LP_OK)
        rc = identity_of(run, applying, element, &identity, err);
    if (rc == LP_OK)
        rc = earlier(run, element, lp_json_str(op, "id", ""), &before, err);
    if (rc == LP_OK)
        rc = journal(run, applying, op, before != NULL, err);
    if (rc != LP_OK)
        return rc;
    lp_run_progress(run, "%s", lp_json_str(op, "text", ""));
    rc = execute(run, doc, identity, op, FORWARD, json_object_get(before, "produced"), &report,
                 &parked, err);
    if (rc == LP_OK)
        return keep_report(run, op, report, err);
    return rc == LP_CONFLICT && !parked ? plan_again(run, state, applying, err) : rc;
}

static enum lp_code
apply_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct applying applying;
    json_auto_t *op = NULL;
    int64_t at;
    enum lp_code rc = load(run, &applying, err);

    (void)delta;
    if (rc == LP_OK && applying.current == NULL)
        rc = lp_fail(err, LP_INTERNAL, "process %s has no plan", run->process_id);
    if (rc == LP_OK)
        rc = demand_approval(run, state, &applying, err);
    at = rc == LP_OK ? (int64_t)run->index - applying.current->begin_at : 0;
    /* behind the end of a plan that got shorter: nothing is left to do */
    if (rc == LP_OK && at >= 0 && at < applying.current->operations) {
        rc = lp_plan_operation(run->store, applying.current->hash, at, &op, err);
        if (rc == LP_OK)
            rc = apply_one(run, state, &applying, op, err);
    }
    free(applying.plans);
    return rc;
}

/* ---- the element is not what the plan says ---- */

/** The same change, whatever it starts from. */
static bool
same_change(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"after", "action", "object", "flags"};

    for (size_t i = 0; i < LP_COUNT(members); i++)
        if (!lp_json_same(json_object_get(a, members[i]), json_object_get(b, members[i])))
            return false;
    return true;
}

/** Does everything in `operations` stand in a plan that was approved? */
static enum lp_code
within(struct lp_run *run, const struct applying *applying, const json_t *operations, bool *yes,
       struct lp_err *err)
{
    json_auto_t *plan = NULL;
    size_t i;
    json_t *op;
    enum lp_code rc = lp_plan_load(run->store, applying->current->hash, &plan, err);

    *yes = rc == LP_OK;
    json_array_foreach(operations, i, op)
    {
        const json_t *known = same_operation(plan, op);

        *yes = *yes && known != NULL && same_change(known, op);
    }
    return rc;
}

static enum lp_code
store_plan(struct lp_run *run, const struct lp_planned *planned, const char *status,
           char hash[static 65], struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = lp_plan_add(unit, planned->header, planned->operations, now, hash, err);

    if (rc != LP_OK) {
        lp_unit_free(unit);
        return rc;
    }
    lp_unit_add(unit, LP_SQL_PROCESS_PLAN_ADD,
                LP_ARGS(lp_text("process", run->process_id), lp_text("hash", hash),
                        lp_int("begin", run->index), lp_text("status", status),
                        lp_int("now", now)));
    return lp_run_commit(run, unit, err);
}

/** Keeps what the driver said was in the way. */
static enum lp_code
fail_with_both(struct lp_run *run, const struct applying *applying, const char *hash, size_t count,
               struct lp_err *err)
{
    json_t *detail = json_pack("{s:s, s:s, s:O?}", "plan", applying->current->hash, "planned_again",
                               hash, "actual", json_object_get(err->detail, "actual"));
    char why[200];
    enum lp_code rc;

    snprintf(why, sizeof why, "%.190s", err->msg);
    rc = lp_fail(err, LP_CONFLICT,
                 "%s; planned again: %zu operations (%.12s) go beyond plan %.12s; compare both "
                 "with 'lightpath plan show %s', then approve with 'lightpath plan approve %s' and "
                 "retry, or abort with rollback",
                 why, count, hash, applying->current->hash, run->process_id, run->process_id);
    json_decref(err->detail);
    err->detail = detail;
    return rc;
}

static enum lp_code
go_on_or_refuse(struct lp_run *run, const struct applying *applying,
                const struct lp_planned *planned, struct lp_err *err)
{
    struct lp_err other = LP_ERR_INIT;
    size_t count = json_array_size(planned->operations);
    bool again = false, subset = false;
    char hash[65];
    enum lp_code rc;

    for (size_t i = 1; i < applying->count; i++)
        again = again || !applying->plans[i].refused; /* once was enough */
    rc = within(run, applying, planned->operations, &subset, &other);
    if (rc == LP_OK)
        rc = store_plan(run, planned, subset && !again ? "planned" : "refused", hash, &other);
    if (rc != LP_OK) {
        lp_err_move(err, &other);
        return rc;
    }
    if (!subset || again)
        return fail_with_both(run, applying, hash, count, err);
    lp_err_clear(err);
    return lp_fail(err, LP_RETRYABLE,
                   "the element had changed; planned again within what was planned before: %zu "
                   "operations remain",
                   count);
}

/** err holds the conflict. LP_RETRYABLE: what remains was planned anew and is gone on with. */
static enum lp_code
plan_again(struct lp_run *run, const json_t *state, const struct applying *applying,
           struct lp_err *err)
{
    struct lp_err other = LP_ERR_INIT;
    struct lp_wanted wanted;
    struct lp_planned planned;
    enum lp_code rc = lp_wanted_load(run, state, lp_is_terminating(run), &wanted, &other);

    if (rc == LP_OK) {
        rc = lp_planning(run, &wanted, lp_take_over(run, state), &planned, &other);
        lp_wanted_free(&wanted);
    }
    if (rc != LP_OK) {
        lp_err_move(err, &other);
        return rc;
    }
    rc = go_on_or_refuse(run, applying, &planned, err);
    lp_planned_free(&planned);
    return rc;
}

/* ---- the way back ---- */

static bool
for_good(enum lp_code rc)
{
    return lp_code_info(rc)->retry == LP_RETRY_NEVER && rc != LP_FENCED && rc != LP_CANCELLED
           && rc != LP_PRECONDITION;
}

/** Is this the first operation of its element that can be undone, and so the last that is? */
static enum lp_code
way_back(struct lp_run *run, const json_t *entry, enum way *way, struct lp_err *err)
{
    struct applying applying;
    json_auto_t *plan = NULL;
    const char *first = NULL;
    json_t *op;
    size_t i;
    enum lp_code rc = load(run, &applying, err);

    if (rc == LP_OK && applying.first != NULL)
        rc = lp_plan_load(run->store, applying.first->hash, &plan, err);
    free(applying.plans);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        if (first == NULL && json_is_object(json_object_get(op, "compensation"))
            && lp_json_same(json_object_get(op, "element"), json_object_get(entry, "element")))
            first = lp_json_str(op, "id", "");
    }
    *way = first != NULL && strcmp(first, lp_json_str(entry, "op", "")) == 0 ? BACK_AT_LAST : BACK;
    return rc;
}

static enum lp_code
undo_one(struct lp_run *run, const json_t *state, const json_t *entry, struct lp_err *err)
{
    const char *element = lp_json_str(entry, "element", "");
    json_t *op = json_object_get(entry, "operation");
    json_auto_t *doc = NULL;
    json_auto_t *before = NULL;
    json_auto_t *report = NULL;
    bool parked = false;
    enum way way = BACK;
    enum lp_code rc = lp_device_doc(run, element, &doc, err);

    if (rc == LP_OK)
        rc = lp_device_demand(run, doc, err);
    if (rc == LP_OK)
        rc = earlier(run, element, lp_json_str(entry, "op", ""), &before, err);
    if (rc == LP_OK)
        rc = way_back(run, entry, &way, err);
    if (rc != LP_OK)
        return rc;
    rc = execute(run, doc, NULL, op, way, json_object_get(before, "produced"), &report, &parked,
                 err);
    if (rc != LP_OK && rc != LP_CONFLICT && for_good(rc)) /* a conflict: somebody else was there */
        rc = lp_rollback_use(run, state, doc, element, &parked, err);
    if (rc != LP_OK && !parked && for_good(rc)) {
        lp_device_drifted(run, doc, err->msg);
        lp_err_prefix(err, "%s could not be brought back and is marked as drifted: ",
                      lp_json_str(doc, "name", element));
    }
    return rc;
}

static enum lp_code
apply_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *list = NULL;
    size_t i;
    json_t *row;
    enum lp_code rc = lp_run_compensations(run, &list, err);

    (void)delta;
    json_array_foreach(list, i, row)
    {
        const json_t *entry = json_object_get(row, "doc");

        if (rc != LP_OK)
            break;
        if (json_is_object(json_object_get(entry, "operation")))
            rc = undo_one(run, state, entry, err);
        else
            lp_run_audit(run, "not_undone", json_string(lp_json_str(entry, "text", "")));
    }
    return rc;
}

const struct lp_step lp_step_apply = {
    .key = "apply",
    .title = "Apply the plan",
    .kind = LP_STEP_EACH,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 8,
    .backoff_ms = {1000, 60000},
    .timeout_ms = 600000,
    .in_window = true,
    .run = apply_run,
    .undo = apply_undo,
    .count = apply_count,
};
