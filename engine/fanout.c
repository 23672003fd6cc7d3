/*
 * FANOUT: one child process per item. The items are stored once, children are created with the
 * parent's own row in one fenced flush, each under a unique (parent, step, item): whatever is
 * interrupted, no child is missing and none is there twice (W51).
 */
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

enum {
    DEFAULT_OPEN = 16,
    FALLBACK_WAKE_MS = 60000,
    REFUSALS_TOLD = 100,
    PACE_MS = 5000, /* spread items come in small lots, not one by one */
};

struct fan {
    struct lp_proc *proc;
    const struct lp_step *step;
    json_t *items;    /* owned */
    json_t *progress; /* {"next", "ended", "refused": {item: text}, "refusals"}; owned */
    int64_t completed, aborted, failed, active, other;
    struct lp_unit *unit;
    bool fresh;  /* the items are not stored yet */
    bool joined; /* nothing is left to do with them */
};

/* ---- items ---- */

static enum lp_code
check_items(const struct fan *fan, struct lp_err *err)
{
    json_auto_t *seen = json_object();
    size_t i;
    json_t *item;

    json_array_foreach(fan->items, i, item)
    {
        const char *name = NULL, *workflow = NULL;
        enum lp_code rc = lp_json_get_string(item, "item", &name, err);

        if (rc == LP_OK)
            rc = lp_json_get_string(item, "workflow", &workflow, err);
        if (rc != LP_OK)
            return lp_err_prefix(err, "item %zu: ", i);
        if (json_object_get(seen, name) != NULL)
            return lp_fail(err, LP_INTERNAL, "item '%s' stands twice in the list", name);
        json_object_set_new(seen, name, json_true());
        if (lp_registry_find(fan->proc->engine, workflow) == NULL)
            return lp_fail(err, LP_NOT_FOUND, "item '%s': there is no workflow '%s'", name,
                           workflow);
    }
    return LP_OK;
}

static enum lp_code
make_items(struct fan *fan, struct lp_thread *thread, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    struct lp_run_private priv;
    struct lp_run run;
    size_t mark = lp_arena_mark(thread->arena);
    enum lp_code rc;

    fan->items = json_array();
    fan->fresh = true;
    lp_run_begin(&run, &priv, thread, proc, NULL);
    rc = fan->step->items(&run, proc->state, fan->items, err);
    if (rc == LP_OK)
        rc = check_items(fan, err);
    lp_run_end(&run);
    lp_arena_rewind(thread->arena, mark);
    return rc;
}

/** Takes the list out of the executor's hands: nobody else looks at it meanwhile. */
static json_t *
take_list(struct lp_proc *proc)
{
    struct lp_executor *executor = proc->executor;
    json_t *items = NULL;

    pthread_mutex_lock(&executor->lock);
    for (size_t i = 0; i < LP_FAN_LISTS && items == NULL; i++) {
        struct lp_fan_list *list = &executor->fan_lists[i];

        if (list->items == NULL || strcmp(list->process_id, proc->id) != 0
            || strcmp(list->key, proc->key) != 0)
            continue;
        items = list->items;
        list->items = NULL;
    }
    pthread_mutex_unlock(&executor->lock);
    return items;
}

/** `items` is taken. */
static void
leave_list(struct lp_proc *proc, json_t *items)
{
    struct lp_executor *executor = proc->executor;
    struct lp_fan_list *list;
    json_t *old;

    pthread_mutex_lock(&executor->lock);
    list = &executor->fan_lists[executor->fan_next++ % LP_FAN_LISTS];
    old = list->items;
    memcpy(list->process_id, proc->id, sizeof list->process_id);
    memcpy(list->key, proc->key, sizeof list->key);
    list->items = items;
    pthread_mutex_unlock(&executor->lock);
    json_decref(old);
}

void
lp_fan_forget(struct lp_executor *executor)
{
    for (size_t i = 0; i < LP_FAN_LISTS; i++) {
        json_t *old;

        pthread_mutex_lock(&executor->lock);
        old = executor->fan_lists[i].items;
        executor->fan_lists[i].items = NULL;
        pthread_mutex_unlock(&executor->lock);
        json_decref(old);
    }
}

static enum lp_code
load_items(struct fan *fan, struct lp_thread *thread, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    fan->items = take_list(proc);
    if (fan->items != NULL)
        return LP_OK;
    rc = lp_query(proc->engine->store, LP_SQL_RUN_INPUT_GET,
                  LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key), lp_int("n", 0),
                          lp_text("kind", "items")),
                  &rows, err);

    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        const char *text = lp_rows_text(rows, 0, "doc");

        rc = lp_json_load(text, strlen(text), &fan->items, err);
    } else if (rc == LP_OK) {
        rc = make_items(fan, thread, err);
    }
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
keep_items(struct fan *fan, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    int64_t now = lp_clock_utc_us(proc->engine->clock);
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(fan->items, &text, &len, err);

    if (rc == LP_OK)
        lp_unit_add(fan->unit, LP_SQL_RUN_INPUT_KEEP,
                    LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key), lp_int("n", 0),
                            lp_text("kind", "items"), lp_text("doc", text),
                            lp_text("actor", proc->actor), lp_int("now", now),
                            lp_int("consumed", now)));
    free(text);
    return rc;
}

/* ---- children ---- */

static void
count_one(struct fan *fan, const char *name, int64_t n)
{
    enum lp_process_status status = LP_PS_FAILED;

    (void)lp_process_status_from_name(name, &status);
    switch (status) {
    case LP_PS_COMPLETED:
        fan->completed += n;
        break;
    case LP_PS_ABORTED:
        fan->aborted += n;
        break;
    case LP_PS_FAILED:
    case LP_PS_API_UNAVAILABLE:
    case LP_PS_INCONSISTENT_DATA:
        fan->failed += n;
        break;
    case LP_PS_CREATED:
    case LP_PS_RUNNING:
    case LP_PS_RESUMED:
    case LP_PS_WAITING:
        fan->active += n;
        break;
    case LP_PS_SUSPENDED:
    case LP_PS_AWAITING_CALLBACK:
    case LP_PS_COUNT:
        fan->other += n;
        break;
    }
}

static enum lp_code
count_children(struct fan *fan, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(proc->engine->store, LP_SQL_RUN_CHILDREN,
                 LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key)), &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        count_one(fan, lp_rows_text(rows, i, "status"), lp_rows_int(rows, i, "n"));
    lp_rows_free(rows);
    return rc;
}

/** Kept apart: "refused" counted by "refusals", and "busy" counted by "busies". */
static void
refuse(struct fan *fan, const char *item, const char *why, bool busy)
{
    const char *count = busy ? "busies" : "refusals", *list = busy ? "busy" : "refused";
    json_t *refused = json_object_get(fan->progress, list);

    if (refused == NULL) {
        refused = json_object();
        json_object_set_new(fan->progress, list, refused);
    }
    lp_json_set_int(fan->progress, count, lp_json_int(fan->progress, count, 0) + 1);
    if (json_object_size(refused) < REFUSALS_TOLD)
        (void)!lp_json_set_str(refused, item, why);
}

struct child {
    struct lp_caller caller;
    struct lp_new_process request;
    json_t *output, *shared;
};

static enum lp_code
negotiate(struct fan *fan, const json_t *item, struct child *child, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    struct lp_engine *engine = proc->engine;
    const struct lp_registered *reg = lp_registry_find(engine, lp_json_str(item, "workflow", ""));

    if (reg == NULL)
        return lp_fail(err, LP_NOT_FOUND, "there is no workflow '%s'",
                       lp_json_str(item, "workflow", ""));
    if (lp_json_true(item, "dry_run") && lp_dry_run_possible(reg, err) != LP_OK)
        return err->code;
    child->caller = lp_proc_caller(proc);
    child->shared = json_array();
    child->request =
        (struct lp_new_process){.reg = reg,
                                .caller = &child->caller,
                                .shared_ids = child->shared,
                                .parent_id = proc->id,
                                .parent_step = proc->key,
                                .parent_item = lp_json_str(item, "item", ""),
                                .dry_run = lp_json_true(item, "dry_run"),
                                .window_id = proc->window[0] == '\0' ? NULL : proc->window};
    return lp_form_negotiate(engine, &child->caller, reg, reg->workflow->form, true, NULL,
                             json_object_get(item, "pages"), &child->output, child->shared, err);
}

static void
child_free(struct child *child)
{
    json_decref(child->output);
    json_decref(child->shared);
}

/** LP_OK also when the child was refused: then the reason is on the list. */
static enum lp_code
add_child(struct fan *fan, const json_t *item, bool explain, struct lp_err *err)
{
    struct child child = {.output = NULL};
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = negotiate(fan, item, &child, err);

    child.request.output = child.output;
    if (rc == LP_OK && explain)
        rc = lp_process_create_explain(fan->proc->engine, &child.request, err);
    else if (rc == LP_OK)
        rc = lp_process_create(fan->proc->engine, fan->unit, &child.request, id, err);
    if (rc == LP_OK && !explain) {
        fan->active++;
        json_array_append_new(fan->proc->fan_new, json_string(id));
    }
    child_free(&child);
    if (rc != LP_OK && rc != LP_STORE && rc != LP_NOMEM) {
        refuse(fan, lp_json_str(item, "item", ""), err->msg,
               fan->step->busy_ends && rc == LP_CONFLICT
                   && json_object_get(err->detail, "process_id") != NULL);
        lp_err_clear(err);
        rc = LP_OK;
    } else if (explain && rc == LP_OK) {
        refuse(fan, lp_json_str(item, "item", ""), "the process could not be created", false);
    }
    return rc;
}

static int64_t
most_open(const struct fan *fan)
{
    return fan->step->max_open != 0 ? (int64_t)fan->step->max_open : DEFAULT_OPEN;
}

static int64_t
spread_us(const struct fan *fan)
{
    return fan->step->spread_ms == NULL ? 0 : fan->step->spread_ms(fan->proc->state) * 1000;
}

/** How many of the items may have been begun by now. */
static int64_t
allowed_now(struct fan *fan, int64_t total)
{
    int64_t spread = spread_us(fan), now = lp_clock_utc_us(fan->proc->engine->clock), gone;

    if (spread <= 0 || total <= 1)
        return total;
    if (json_object_get(fan->progress, "began") == NULL)
        lp_json_set_int(fan->progress, "began", now);
    gone = now - lp_json_int(fan->progress, "began", now);
    if (gone < 0 || gone >= spread)
        return gone < 0 ? 1 : total;
    return 1 + (int64_t)((double)gone / (double)spread * (double)total);
}

/** When further items may begin; at the latest the fallback. */
static int64_t
wake_at(const struct fan *fan)
{
    int64_t now = lp_clock_utc_us(fan->proc->engine->clock), spread = spread_us(fan);
    int64_t total = (int64_t)json_array_size(fan->items);
    int64_t next = lp_json_int(fan->progress, "next", 0);
    int64_t at = now + (int64_t)FALLBACK_WAKE_MS * 1000, slot;

    if (spread <= 0 || next >= total)
        return at;
    slot = lp_json_int(fan->progress, "began", now)
           + (int64_t)((double)spread / (double)total * (double)next);
    if (slot < now + (int64_t)PACE_MS * 1000)
        slot = now + (int64_t)PACE_MS * 1000;
    return slot < at ? slot : at;
}

static enum lp_code
add_children(struct fan *fan, struct lp_err *err)
{
    struct lp_proc *proc = fan->proc;
    int64_t next = lp_json_int(fan->progress, "next", 0);
    int64_t total = (int64_t)json_array_size(fan->items);
    int64_t allowed = allowed_now(fan, total);
    enum lp_code rc = LP_OK;

    if (proc->fan_bad) {
        rc = add_child(fan, json_array_get(fan->items, (size_t)next++), true, err);
        proc->fan_bad = proc->fan_single = false;
    }
    proc->fan_begin = next;
    json_decref(proc->fan_new);
    proc->fan_new = json_array();
    for (int n = 0; rc == LP_OK && next < allowed && fan->active < most_open(fan); n++) {
        if (proc->fan_single && n > 0)
            break;
        rc = add_child(fan, json_array_get(fan->items, (size_t)next), false, err);
        next++;
    }
    lp_json_set_int(fan->progress, "next", next);
    return rc;
}

/* ---- the row ---- */

static bool
joined(const struct fan *fan)
{
    return lp_json_int(fan->progress, "next", 0) == (int64_t)json_array_size(fan->items)
           && fan->active == 0 && (fan->failed == 0 || fan->step->failed_ends) && fan->other == 0;
}

static void
join(struct fan *fan)
{
    struct lp_proc *proc = fan->proc;
    const struct lp_step *step = fan->step;
    int64_t refusals = lp_json_int(fan->progress, "refusals", 0);
    int64_t failures = refusals + fan->failed;
    json_auto_t *set = json_object();
    json_t *sum =
        json_pack("{s:I, s:I, s:I, s:I}", "total", (json_int_t)json_array_size(fan->items),
                  "completed", (json_int_t)fan->completed, "aborted", (json_int_t)fan->aborted,
                  "failed", (json_int_t)failures);

    if (refusals > 0)
        json_object_set(sum, "refused", json_object_get(fan->progress, "refused"));
    if (step->busy_ends) {
        (void)!lp_json_set_int(sum, "busy", lp_json_int(fan->progress, "busies", 0));
        json_object_set(sum, "busy_items", json_object_get(fan->progress, "busy"));
    }
    json_object_set_new(set, step->key, sum);
    __atomic_add_fetch(&proc->engine->stats.steps, 1, __ATOMIC_RELAXED);
    lp_flush_submit(proc,
                    &LP_FLUSH(.row = LP_SS_SUCCESS, .status = LP_PS_RUNNING, .after = LP_AFTER_GO,
                              .set = set, .writes = fan->unit, .outcome = "ok"));
}

static void
tell_progress(struct fan *fan)
{
    lp_json_set_int(fan->progress, "ended",
                    fan->completed + fan->aborted + fan->failed + fan->other);
    lp_json_set_int(fan->progress, "failed", fan->failed);
}

static int64_t
fallback(const struct lp_proc *proc)
{
    return lp_clock_utc_us(proc->engine->clock) + (int64_t)FALLBACK_WAKE_MS * 1000;
}

/** What is stored of the last look says the same as this one. */
static bool
nothing_new(struct fan *fan)
{
    const json_t *before = fan->proc->row_error;

    if (fan->fresh || fan->proc->fan_single || lp_unit_size(fan->unit) > 0)
        return false;
    tell_progress(fan);
    return json_equal(before, fan->progress) != 0;
}

/** Waits on, and writes nothing about it. */
static void
wait_on(struct fan *fan)
{
    lp_unit_free(fan->unit);
    lp_flush_park_again(fan->proc, fallback(fan->proc), lp_json_int(fan->progress, "ended", 0));
}

/** The number of ended children this decision is based on goes along: the flush looks again behind
 * the row lock. */
static void
wait_for_children(struct fan *fan)
{
    struct lp_proc *proc = fan->proc;
    int64_t total = (int64_t)json_array_size(fan->items);
    bool more = proc->fan_single && fan->active < most_open(fan)
                && lp_json_int(fan->progress, "next", 0) < allowed_now(fan, total);
    char reason[160];

    snprintf(reason, sizeof reason, "%lld of %zu done, %lld failed, %lld at work",
             (long long)(fan->completed + fan->aborted), json_array_size(fan->items),
             (long long)(fan->failed + lp_json_int(fan->progress, "refusals", 0)),
             (long long)(fan->active + fan->other));
    tell_progress(fan);
    json_decref(proc->row_error);
    proc->row_error = json_deep_copy(fan->progress);
    proc->row_status = LP_SS_WAITING;
    lp_flush_submit(
        proc, &LP_FLUSH(.row = LP_SS_WAITING, .status = more ? LP_PS_RUNNING : LP_PS_WAITING,
                        .after = more ? LP_AFTER_GO : LP_AFTER_PARK, .writes = fan->unit,
                        .error_more = fan->progress, .wait_kind = more ? NULL : "children",
                        .wait_reason = more ? NULL : reason, .wake_at = more ? 0 : wake_at(fan)));
}

static json_t *
progress_of(const struct lp_proc *proc)
{
    if (json_object_get(proc->row_error, "next") != NULL)
        return json_deep_copy(proc->row_error);
    return json_pack("{s:i, s:i, s:i, s:{}}", "next", 0, "ended", 0, "refusals", 0, "refused");
}

static bool
failed(struct fan *fan, enum lp_code rc, struct lp_err *err)
{
    lp_unit_free(fan->unit);
    if (rc == LP_STORE)
        lp_proc_lost(fan->proc, err);
    else
        lp_proc_failed(fan->proc, err, NULL);
    return false;
}

bool
lp_fanout(struct lp_thread *thread, struct lp_proc *proc)
{
    struct fan fan = {.proc = proc, .step = lp_proc_step(proc), .unit = lp_unit_new()};
    struct lp_err err = LP_ERR_INIT;
    bool looked_before;
    enum lp_code rc;

    fan.progress = progress_of(proc);
    looked_before = proc->head.row_seq != 0 && proc->row_status == LP_SS_WAITING
                    && proc->head.status == LP_PS_WAITING;
    if (proc->head.row_seq == 0 || proc->row_status != LP_SS_WAITING)
        lp_proc_begin(proc);
    proc->started_at = lp_clock_utc_us(proc->engine->clock);
    lp_thread_slow(thread, true);
    rc = load_items(&fan, thread, &err);
    if (rc == LP_OK)
        rc = count_children(&fan, &err);
    if (rc == LP_OK && fan.fresh)
        rc = keep_items(&fan, &err);
    if (rc == LP_OK)
        rc = add_children(&fan, &err);
    lp_thread_slow(thread, false);
    fan.joined = rc == LP_OK && joined(&fan);
    if (rc != LP_OK)
        failed(&fan, rc, &err);
    else if (fan.joined)
        join(&fan);
    else if (looked_before && nothing_new(&fan))
        wait_on(&fan);
    else
        wait_for_children(&fan);
    if (rc == LP_OK && !fan.fresh && !fan.joined)
        leave_list(proc, fan.items);
    else
        json_decref(fan.items);
    json_decref(fan.progress);
    lp_err_clear(&err);
    return false;
}

bool
lp_fanout_refused(struct lp_proc *proc)
{
    if (proc->fan_begin == INT64_MAX)
        return false;
    /* one of several could not be created: one by one, until it is known which */
    if (proc->row_error != NULL)
        lp_json_set_int(proc->row_error, "next", proc->fan_begin);
    proc->fan_bad = proc->fan_single;
    proc->fan_single = true;
    lp_err_clear(&proc->ack_err);
    proc->phase = LP_PH_NEXT;
    return true;
}
