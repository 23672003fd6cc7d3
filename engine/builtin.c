/* Steps the engine puts around every workflow, and the workflows it brings itself. */
#include <string.h>

#include "engine/exec.h"
#include "store/retention.h"

#define OLD_KEY "__old_subscriptions__"

/* ---- start, link, done ---- */

static enum lp_code
pass(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    (void)err;
    return LP_OK;
}

const struct lp_step lp_step_start = {.key = "start",
                                      .title = "Start",
                                      .kind = LP_STEP_ACTION,
                                      .effects = LP_EFFECT_NONE,
                                      .no_undo = "changes nothing",
                                      .run = pass};

const struct lp_step lp_step_done = {.key = "done",
                                     .title = "Done",
                                     .kind = LP_STEP_ACTION,
                                     .effects = LP_EFFECT_NONE,
                                     .no_undo = "changes nothing",
                                     .run = pass};

static enum lp_code
link_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *id = NULL;
    enum lp_code rc = lp_json_get_string(state, "subscription_id", &id, err);

    (void)delta;
    if (rc == LP_OK)
        lp_run_write(run, LP_SQL_RUN_LINK,
                     LP_ARGS(lp_text("id", run->process_id), lp_text("subscription", id),
                             lp_int("now", lp_clock_utc_us(run->clock))));
    return rc;
}

const struct lp_step lp_step_link = {.key = "link",
                                     .title = "Create Process Subscription relation",
                                     .kind = LP_STEP_ACTION,
                                     .effects = LP_EFFECT_DB,
                                     .no_undo = "the record that the process worked on it stays",
                                     .run = link_run};

/* ---- lock, unlock ---- */

/** Header and content, as they are now. New reference. */
static json_t *
whole(const struct lp_subscription *sub)
{
    json_t *out = lp_subscription_state_json(sub);

    json_object_set_new(out, sub->product->member, json_deep_copy(sub->root));
    return out;
}

static enum lp_code
publish(const struct lp_subscription *sub, json_t *delta, struct lp_err *err)
{
    if (json_object_set_new(delta, "subscription", lp_subscription_state_json(sub)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

/** A copy from before the first change; one that a form has put there already stays. */
static enum lp_code
back_up(const struct lp_subscription *sub, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *old = json_object_get(state, OLD_KEY);
    json_t *copies;

    if (json_object_get(old, sub->id) != NULL)
        return LP_OK;
    copies = json_is_object(old) ? json_copy((json_t *)(uintptr_t)old) : json_object();
    if (json_object_set_new(copies, sub->id, whole(sub)) != 0) {
        json_decref(copies);
        return lp_fail(err, LP_NOMEM, "no memory for the backup of subscription %s", sub->id);
    }
    json_object_set_new(delta, OLD_KEY, copies);
    return LP_OK;
}

static enum lp_code
lock_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK)
        return rc;
    if (!sub->insync && lp_workflow_needs_sync(run->workflow))
        return lp_fail(err, LP_CONFLICT, "Subscription is already out of sync, cannot continue!");
    rc = back_up(sub, state, delta, err);
    sub->insync = false;
    if (rc == LP_OK)
        rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

/** After everything was undone the subscription is what it was before. */
static enum lp_code
lock_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    const json_t *old = json_object_get(state, OLD_KEY);
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK || !lp_json_true(json_object_get(old, sub->id), "insync"))
        return rc;
    sub->insync = true;
    rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

const struct lp_step lp_step_lock = {.key = "lock",
                                     .title = "Lock subscription",
                                     .kind = LP_STEP_ACTION,
                                     .effects = LP_EFFECT_DB,
                                     .undo = lock_undo,
                                     .run = lock_run};

static enum lp_code
unlock_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc != LP_OK)
        return rc;
    sub->insync = true;
    rc = lp_run_save(run, sub, err);
    if (rc == LP_OK && run->workflow->target == LP_TARGET_VALIDATE)
        lp_run_write(
            run, LP_SQL_RUN_VALIDATED,
            LP_ARGS(lp_int("now", lp_clock_utc_us(run->clock)), lp_text("subscription", sub->id)));
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

const struct lp_step lp_step_unlock = {.key = "unlock",
                                       .title = "Unlock subscription",
                                       .kind = LP_STEP_ACTION,
                                       .effects = LP_EFFECT_DB,
                                       .no_undo = "only the last step comes after it",
                                       .run = unlock_run};

/* ---- set status ---- */

static enum lp_code
set_status(struct lp_run *run, const json_t *state, json_t *delta, enum lp_lifecycle status,
           struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = lp_subscription_set_status(sub, run->catalog, status, run->clock, err);
    if (rc == LP_OK)
        rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

static enum lp_code
set_active(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    return set_status(run, state, delta, LP_LC_ACTIVE, err);
}

static enum lp_code
set_terminated(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    return set_status(run, state, delta, LP_LC_TERMINATED, err);
}

const struct lp_step lp_step_set_active = {.key = "set_status",
                                           .title = "Set subscription to 'active'",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_DB,
                                           .no_undo = "only unlocking comes after it",
                                           .run = set_active};

const struct lp_step lp_step_set_terminated = {.key = "set_status",
                                               .title = "Set subscription to 'terminated'",
                                               .kind = LP_STEP_ACTION,
                                               .effects = LP_EFFECT_DB,
                                               .no_undo = "only unlocking comes after it",
                                               .run = set_terminated};

/* ---- modify_note ---- */

static enum lp_code
note_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {.name = "note",
                                          .title = "Note",
                                          .kind = LP_FIELD_STRING,
                                          .required_in = -1,
                                          .has_max = true,
                                          .max = 5000,
                                          .format = "long"};

    (void)err;
    lp_form_page_add(page, &field);
    if (ctx->subscription != NULL && ctx->subscription->note != NULL) {
        json_auto_t *note = json_string(ctx->subscription->note);

        lp_form_page_default(page, "note", note);
    }
    return LP_OK;
}

/** Blank is stored as null. */
static bool
blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

static enum lp_code
note_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *note = lp_json_str(state, "note", NULL);
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);

    if (rc == LP_OK)
        rc = back_up(sub, state, delta, err);
    if (rc != LP_OK)
        return rc;
    free(sub->note);
    sub->note = blank(note) ? NULL : strdup(note);
    rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

static enum lp_code
note_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);
    const char *note;

    if (rc != LP_OK)
        return rc;
    note = lp_json_str(json_object_get(json_object_get(state, OLD_KEY), sub->id), "note", NULL);
    free(sub->note);
    sub->note = note == NULL ? NULL : strdup(note);
    rc = lp_run_save(run, sub, err);
    if (rc == LP_OK)
        rc = publish(sub, delta, err);
    return rc;
}

static const struct lp_step store_note = {.key = "store_note",
                                          .title = "Store subscription note",
                                          .kind = LP_STEP_ACTION,
                                          .effects = LP_EFFECT_DB,
                                          .undo = note_undo,
                                          .run = note_run};
static const struct lp_step *const modify_note[] = {&store_note};

static const struct lp_page note_pages[] = {{.title = "Modify note", .build = note_build}};
static const struct lp_form note_form = {LP_PAGES(note_pages)};

/* ---- task_clean_up_tasks ---- */

static bool
told_to_stop(void *arg)
{
    struct lp_err err = LP_ERR_INIT;
    bool stop = lp_run_check(arg, &err) != LP_OK;

    lp_err_clear(&err);
    return stop;
}

static enum lp_code
clean_up_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_retention_report report = {.tasks = 0};
    enum lp_code rc = lp_retention_run(run->store, run->conf, told_to_stop, run, &report, err);

    (void)state;
    if (rc != LP_OK)
        return rc;
    json_object_set_new(
        delta, "removed",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "tasks",
                  (json_int_t)report.tasks, "processes", (json_int_t)report.processes, "events",
                  (json_int_t)report.events, "chains", (json_int_t)report.chains, "seals",
                  (json_int_t)report.seals, "versions", (json_int_t)report.versions, "keys",
                  (json_int_t)report.keys, "imports", (json_int_t)report.imports, "executors",
                  (json_int_t)report.executors, "runs", (json_int_t)report.runs, "schedules",
                  (json_int_t)report.schedules));
    return lp_run_check(run, err);
}

/* Deletes in chunks of its own so that no other step waits for it: at-least-once, like a device. */
static const struct lp_step clean_up = {.key = "clean_up",
                                        .title = "Clean up what its retention time has passed",
                                        .kind = LP_STEP_ACTION,
                                        .effects = LP_EFFECT_EXTERNAL,
                                        .attempts = 3,
                                        .backoff_ms = {5000, 60000},
                                        .timeout_ms = 600000,
                                        .no_undo = "what is past its retention time stays deleted",
                                        .run = clean_up_run};
/** An answer that was not given while an approval would have counted: light that is only reserved
 * for it is not kept from others any longer. The process is rolled back, as an operator would. */
static enum lp_code
expire_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t hours = lp_conf_live_int(&run->conf->devices_approval_hours), expired = 0;
    int64_t before = lp_clock_utc_us(run->clock) - hours * INT64_C(3600000000);
    const struct lp_caller caller = {.actor = "SYSTEM",
                                     .role = LP_ROLE_OPERATE,
                                     .correlation_id = run->correlation_id,
                                     .reason = "nobody approved it in time"};
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_RUN_EXPIRED_APPROVALS,
                               LP_ARGS(lp_int("before", before)), &rows, err);

    (void)state;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        struct lp_err one = LP_ERR_INIT; /* somebody answered it just now: nothing to do */

        expired += lp_engine_abort(run->priv->proc->engine, &caller, lp_rows_text(rows, i, "id"),
                                   true, &one)
                   == LP_OK;
        lp_err_clear(&one);
        rc = lp_run_check(run, err);
    }
    lp_rows_free(rows);
    return rc == LP_OK && lp_json_set_int(delta, "expired", expired) != 0
               ? lp_fail(err, LP_NOMEM, "no memory for a count")
               : rc;
}

static const struct lp_step expire = {.key = "expire_approvals",
                                      .title = "Roll back what nobody approved in time",
                                      .kind = LP_STEP_ACTION,
                                      .effects = LP_EFFECT_EXTERNAL,
                                      .attempts = 3,
                                      .backoff_ms = {5000, 60000},
                                      .timeout_ms = 600000,
                                      .no_undo = "what was rolled back can be started anew",
                                      .run = expire_run};
static const struct lp_step *const clean_up_tasks[] = {&clean_up, &expire};

/* ---- task_resume_workflows ---- */

static enum lp_code
resume_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_executor *executor = run->priv->proc->executor;
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_RUN_DUE_COUNT,
                               LP_ARGS(lp_text("id", run->process_id)), &rows, err);

    (void)state;
    if (rc == LP_OK)
        json_object_set_new(delta, "due", json_integer(lp_rows_int(rows, 0, "n")));
    lp_rows_free(rows);
    if (rc == LP_OK)
        lp_keeper_poke(executor); /* the sweep announces whatever is due and free */
    return rc;
}

static const struct lp_step resume_due = {.key = "resume_due",
                                          .title = "Announce processes that are due",
                                          .kind = LP_STEP_ACTION,
                                          .effects = LP_EFFECT_NONE,
                                          .no_undo = "only looks and announces",
                                          .run = resume_run};
static const struct lp_step *const resume_workflows[] = {&resume_due};

/* ---- the set ---- */

static const struct lp_workflow builtin[] = {
    {.name = "modify_note",
     .description = "Modify the note of a subscription",
     .target = LP_TARGET_MODIFY,
     .role = LP_ROLE_OPERATE,
     .all_products = true,
     .form = &note_form,
     LP_STEPS(modify_note),
     .usable_out_of_sync = true,
     .without_lock = true},
    {.name = "task_clean_up_tasks",
     .description = "Delete finished tasks and other rows past their retention time",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(clean_up_tasks)},
    {.name = "task_resume_workflows",
     .description = "Announce processes that are due and free",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(resume_workflows)},
};
const struct lp_workflow_set lp_workflows_builtin = {builtin, LP_COUNT(builtin)};
