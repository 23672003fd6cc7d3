/* Steps plan and approve. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/windows.h"
#include "steps/device_internal.h"
#include "steps/forms.h"
#include "steps/impact.h"

enum { SHOWN = 200 /* operations on the page of an approval */ };

/* ---- plan ---- */

static bool
any_flag(const json_t *operations, const char *flag)
{
    size_t i;
    json_t *op;

    json_array_foreach(operations, i, op) if (lp_operation_has(op, flag)) return true;
    return false;
}

static json_t *
element_counts(const struct lp_planned *planned)
{
    json_t *list = json_array(), *entry, *op;
    const char *id;
    size_t i;

    json_object_foreach(json_object_get(planned->header, "elements"), id, entry)
    {
        int64_t count = 0;

        json_array_foreach(planned->operations, i, op) count +=
            strcmp(lp_json_str(op, "element", ""), id) == 0;
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "id", id, "name",
                                              lp_json_str(entry, "name", ""), "operations",
                                              (json_int_t)count));
    }
    return list;
}

/** What is ours is recorded before anything is sent, so that whatever happens later, it is found
 * and removed again. */
static enum lp_code
record_objects(struct lp_run *run, const struct lp_wanted *wanted, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    const char *element, *id;
    json_t *map, *intent;

    json_object_foreach(wanted->mine, element, map)
    {
        json_object_foreach(map, id, intent)
        {
            char *text = NULL;
            size_t len = 0;
            enum lp_code rc = lp_json_canonical(intent, &text, &len, err);

            if (rc != LP_OK)
                return rc;
            lp_run_write(run, LP_SQL_OBJECT_PLAN,
                         LP_ARGS(lp_text("element", element), lp_text("intent", id),
                                 lp_text("subscription", wanted->subject), lp_text("doc", text),
                                 lp_text("process", run->process_id), lp_int("now", now)));
            free(text);
        }
    }
    return LP_OK;
}

/** The records of what is ours before this process: an abort puts them back. */
static enum lp_code
remember_objects(struct lp_run *run, const struct lp_wanted *wanted, json_t *delta,
                 struct lp_err *err)
{
    json_auto_t *list = json_array();
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_OBJECTS_OF,
                               LP_ARGS(lp_text("subscription", wanted->subject)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "state"), "held") == 0
            && json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "element",
                                                     lp_rows_text(rows, i, "element_id"), "intent",
                                                     lp_rows_text(rows, i, "intent_id"), "doc",
                                                     lp_rows_text(rows, i, "doc")))
                   != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    lp_rows_free(rows);
    if (rc == LP_OK && json_array_size(list) > 0
        && json_object_set(delta, "objects_before", list) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    return rc;
}

static enum lp_code
keep_plan(struct lp_run *run, const json_t *state, const struct lp_wanted *wanted,
          const struct lp_planned *planned, json_t *delta, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    json_t *touches = NULL;
    char hash[65];
    enum lp_code rc =
        lp_plan_add(lp_run_unit(run), planned->header, planned->operations, now, hash, err);

    if (rc == LP_OK)
        rc = lp_touched(run, state, wanted, planned->operations, &touches, err);
    if (rc != LP_OK)
        return rc;
    lp_run_write(run, LP_SQL_PROCESS_PLAN_ADD,
                 LP_ARGS(lp_text("process", run->process_id), lp_text("hash", hash),
                         lp_int("begin", 0), lp_text("status", "planned"), lp_int("now", now)));
    if (!run->dry_run)
        rc = remember_objects(run, wanted, delta, err);
    if (rc == LP_OK && !run->dry_run)
        rc = record_objects(run, wanted, err);
    lp_run_audit(run, "plan", json_string(hash));
    if (json_object_set_new(
            delta, "plan",
            json_pack("{s:s, s:I, s:o, s:b, s:b, s:b, s:o, s:O}", "hash", hash, "operations",
                      (json_int_t)json_array_size(planned->operations), "elements",
                      element_counts(planned), "traffic_affecting",
                      (int)any_flag(planned->operations, "traffic-affecting"), "irreversible",
                      (int)any_flag(planned->operations, "irreversible"), "approval",
                      (int)(json_array_size(touches) > 0), "touches", touches, "abandoned",
                      wanted->abandoned))
        != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a plan");
    return rc;
}

/** Names, sites and drivers of the elements, for people and for emergency stops. */
static void
note_elements(struct lp_run *run, const struct lp_wanted *wanted)
{
    struct lp_err err = LP_ERR_INIT;
    const char *id;
    json_t *intents;

    json_object_foreach(wanted->elements, id, intents)
    {
        json_auto_t *doc = NULL;

        if (lp_wanted_element(run, wanted, id, &doc, &err) != LP_OK) {
            lp_err_clear(&err);
            continue;
        }
        lp_run_write(run, LP_SQL_DEVICE_SEE,
                     LP_ARGS(lp_text("element", id), lp_text("name", lp_json_str(doc, "name", "")),
                             lp_text("site", lp_json_str(doc, "site", NULL)),
                             lp_text("site_name", lp_json_str(doc, "site_name", NULL)),
                             lp_text("driver", lp_json_str(doc, "driver", NULL)),
                             lp_int("now", lp_clock_utc_us(run->clock))));
    }
}

/** Circuits that change their way are dark afterwards, though nothing else about them shows it. */
static void
mark_moved(const struct lp_wanted *wanted)
{
    const char *id;
    json_t *intents, *intent;
    size_t i;

    json_object_foreach(wanted->elements, id, intents) json_array_foreach(intents, i, intent)
    {
        json_t *copy;

        if (strcmp(lp_json_str(intent, "kind", ""), "shutter") != 0
            || !lp_json_true(intent, "present"))
            continue;
        copy = json_copy(intent); /* the one that is recorded stays as it is */
        json_object_set_new(copy, "moved", json_true());
        json_array_set_new(intents, i, copy);
    }
}

static enum lp_code
plan_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_wanted wanted;
    struct lp_planned planned;
    enum lp_code rc = lp_wanted_load(run, state, lp_is_terminating(run), &wanted, err);

    if (rc != LP_OK)
        return rc;
    if (lp_json_true(state, "moved"))
        mark_moved(&wanted);
    rc = lp_planning(run, &wanted, lp_take_over(run, state), &planned, err);
    if (rc == LP_OK) {
        lp_planned_forgive(&planned, state);
        rc = keep_plan(run, state, &wanted, &planned, delta, err);
        if (!run->dry_run) /* an element that only the dry run knows is nobody's */
            note_elements(run, &wanted);
        lp_planned_free(&planned);
    }
    lp_wanted_free(&wanted);
    return rc;
}

static enum lp_code
plan_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *id = lp_json_str(state, "subscription_id", NULL);
    const json_t *entry;
    size_t i;

    (void)delta;
    (void)err;
    if (id == NULL)
        return LP_OK;
    lp_run_write(run, LP_SQL_OBJECTS_UNPLAN,
                 LP_ARGS(lp_text("subscription", id), lp_text("process", run->process_id)));
    json_array_foreach(json_object_get(state, "objects_before"), i, entry) lp_run_write(
        run, LP_SQL_OBJECT_HOLD,
        LP_ARGS(lp_text("element", lp_json_str(entry, "element", "")),
                lp_text("intent", lp_json_str(entry, "intent", "")), lp_text("subscription", id),
                lp_text("doc", lp_json_str(entry, "doc", "{}")),
                lp_text("process", run->process_id), lp_int("now", lp_clock_utc_us(run->clock))));
    return LP_OK;
}

const struct lp_step lp_step_plan = {
    .key = "plan",
    .title = "Plan what the devices must be told",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_EXTERNAL,
    .attempts = 5,
    .backoff_ms = {2000, 60000},
    .timeout_ms = 600000,
    .run = plan_run,
    .undo = plan_undo,
    .plans = true,
};

/* ---- approve ---- */

static bool
approval_wanted(const json_t *state)
{
    return lp_json_true(json_object_get(state, "plan"), "approval");
}

static enum lp_code
show_operations(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *plan,
                struct lp_err *err)
{
    json_auto_t *headers = json_pack("[s, s]", "Operation", "Remarks");
    json_auto_t *labels = json_array();
    json_auto_t *texts = json_array();
    json_auto_t *flags = json_array();
    json_auto_t *columns = NULL;
    const json_t *operations = json_object_get(plan, "operations");
    size_t i;
    json_t *op;

    (void)ctx;
    json_array_foreach(operations, i, op)
    {
        char text[600], number[24], *joined;

        if (i == SHOWN)
            break;
        snprintf(number, sizeof number, "%zu", i + 1);
        lp_operation_text(plan, op, text, sizeof text);
        joined = lp_json_text(json_object_get(op, "flags"));
        json_array_append_new(labels, json_string(number));
        json_array_append_new(texts, json_string(text));
        json_array_append_new(flags, json_string(joined == NULL ? "" : joined));
        free(joined);
    }
    columns = json_pack("[O, O]", texts, flags);
    return lp_form_add_summary(page, headers, labels, columns, err);
}

static void
show_touched(struct lp_form_page *page, const json_t *summary)
{
    char text[512], name[32];
    size_t i;
    json_t *touched;

    snprintf(text, sizeof text, "%lld operations; traffic of these is affected:",
             (long long)lp_json_int(summary, "operations", 0));
    lp_form_add_label(page, "approval_about", text);
    json_array_foreach(json_object_get(summary, "touches"), i, touched)
    {
        if (i == SHOWN)
            break;
        snprintf(name, sizeof name, "approval_touches_%zu", i);
        snprintf(text, sizeof text, "%s (%s)", lp_json_str(touched, "description", ""),
                 lp_json_str(touched, "subscription_id", ""));
        lp_form_add_label(page, name, text);
    }
}

/* What rides on the target of the process and on whatever the plan touches. */
static enum lp_code
show_riders(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *summary,
            struct lp_err *err)
{
    json_auto_t *ids = json_array();
    const char *target = lp_json_str(ctx->state, "subscription_id", NULL);
    const json_t *touched;
    size_t i;
    int failed = 0;

    if (target != NULL)
        failed = json_array_append_new(ids, json_string(target));
    json_array_foreach(json_object_get(summary, "touches"), i, touched)
    {
        const char *id = lp_json_str(touched, "subscription_id", "");
        if (target == NULL || strcmp(id, target) != 0)
            failed |= json_array_append_new(ids, json_string(id));
    }
    if (ids == NULL || failed != 0)
        return lp_fail(err, LP_NOMEM, "no memory for the form");
    return lp_form_add_riders(ctx, page, ids, NULL, err);
}

static enum lp_code
approve_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_enum_value decisions[] = {{"approve", "Approve"}};
    static const struct lp_field decision = {.name = "decision",
                                             .title = "Decision",
                                             .description =
                                                 "to refuse, abort the process with rollback",
                                             .kind = LP_FIELD_ENUM,
                                             .required = true,
                                             .required_in = -1,
                                             .values = decisions,
                                             .value_count = LP_COUNT(decisions)};
    static const struct lp_field comment = {.name = "comment",
                                            .title = "Comment",
                                            .kind = LP_FIELD_STRING,
                                            .required_in = -1,
                                            .has_max = true,
                                            .max = 2000,
                                            .format = "long"};
    const json_t *summary = json_object_get(ctx->state, "plan");
    json_auto_t *plan = NULL;
    enum lp_code rc = lp_plan_load(ctx->store, lp_json_str(summary, "hash", ""), &plan, err);

    if (rc != LP_OK)
        return rc;
    show_touched(page, summary);
    rc = show_riders(ctx, page, summary, err);
    if (rc == LP_OK)
        rc = show_operations(ctx, page, plan, err);
    lp_form_page_add(page, &decision);
    lp_form_page_add(page, &comment);
    return rc == LP_OK ? lp_window_field(ctx, page, "window", err) : rc;
}

static enum lp_code
approve_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
              struct lp_err *err)
{
    (void)err;
    if (lp_conf_live_bool(&ctx->conf->devices_four_eyes)
        && strcmp(ctx->caller->actor, lp_json_str(ctx->state, "reporter", "")) == 0)
        lp_problem_field(problems, "value_error", "decision", json_object_get(input, "decision"),
                         "somebody else than %s, who started this, has to approve it",
                         ctx->caller->actor);
    return LP_OK;
}

static enum lp_code
approve_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    json_t *approval =
        json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "decision", lp_json_str(output, "decision", ""),
                  "actor", ctx->caller->actor, "comment", lp_json_str(output, "comment", NULL),
                  "window", lp_json_str(output, "window", NULL), "hash",
                  lp_json_str(json_object_get(ctx->state, "plan"), "hash", ""));

    json_object_clear(output);
    if (approval == NULL || json_object_set_new(output, "approval", approval) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for an approval");
    return LP_OK;
}

static const struct lp_page approve_pages[] = {
    {.title = "Approve the plan", .build = approve_build, .check = approve_check}};
static const struct lp_form approve_form = {LP_PAGES(approve_pages), .finish = approve_finish};

static const struct lp_step ask = {
    .key = "ask",
    .title = "Approve the plan",
    .kind = LP_STEP_INPUT,
    .effects = LP_EFFECT_NONE,
    .assignee = "NOC",
    .form = &approve_form,
    .no_undo = "a decision of a person",
};

/** Who approved which plan, and when it may be applied. */
static enum lp_code
record_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *approval = json_object_get(state, "approval");
    const char *window = lp_json_str(approval, "window", NULL);

    (void)delta;
    if (strcmp(lp_json_str(approval, "decision", ""), "approve") != 0)
        return lp_fail(err, LP_PRECONDITION, "the plan was not approved");
    lp_run_write(run, LP_SQL_PLAN_APPROVE,
                 LP_ARGS(lp_text("process", run->process_id),
                         lp_text("hash", lp_json_str(approval, "hash", "")),
                         lp_text("actor", lp_json_str(approval, "actor", "?")),
                         lp_text("comment", lp_json_str(approval, "comment", NULL)),
                         lp_int("now", lp_clock_utc_us(run->clock))));
    lp_run_audit(run, "approval", json_deep_copy(approval));
    return window == NULL ? LP_OK : lp_run_bind_window(run, window, err);
}

static const struct lp_step record = {
    .key = "record",
    .title = "Record the approval",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = record_run,
    .no_undo = "a decision of a person",
};

static const struct lp_step *const approve_steps[] = {&ask, &record};

const struct lp_step lp_step_approve = {
    .key = "approve",
    .title = "Approve the plan",
    .kind = LP_STEP_GROUP,
    .when = approval_wanted,
    .steps = approve_steps,
    .step_count = LP_COUNT(approve_steps),
};
