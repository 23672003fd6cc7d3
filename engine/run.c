/* What a step sees while it runs. */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/exec.h"
#include "engine/gated.h"

enum {
    DEFAULT_TIMEOUT_MS = 60000,
    PROGRESS_EVERY_US = 200000,
    NAMES_MOST = 64,
};

/* ---- bracket ---- */

void
lp_run_begin(struct lp_run *run, struct lp_run_private *priv, struct lp_thread *thread,
             struct lp_proc *proc, struct lp_txn *txn)
{
    struct lp_engine *engine = proc->engine;
    const struct lp_step *step = lp_proc_step(proc);
    uint32_t timeout_ms = step->timeout_ms != 0 ? step->timeout_ms : DEFAULT_TIMEOUT_MS;

    *priv = (struct lp_run_private){.proc = proc,
                                    .thread = thread,
                                    .deadline_us = lp_clock_mono_us(engine->clock)
                                                   + (int64_t)timeout_ms * 1000,
                                    .lapse = atomic_load(&proc->executor->lapse)};
    *run = (struct lp_run){.process_id = proc->id,
                           .workflow = proc->reg->workflow,
                           .step = step,
                           .actor = proc->actor,
                           .correlation_id = proc->correlation,
                           .catalog = engine->catalog,
                           .conf = engine->conf,
                           .clock = engine->clock,
                           .log = engine->log,
                           .store = engine->store,
                           .txn = txn,
                           .arena = thread->arena,
                           .attempt =
                               (unsigned)proc->head.attempt + (proc->head.open_attempt ? 0u : 1u),
                           .token = proc->token,
                           .unknown = proc->unknown,
                           .index = proc->each,
                           .dry_run = lp_json_true(proc->state, "dry_run"),
                           .services = engine->services,
                           .priv = priv};
}

static void
watch(struct lp_thread *thread, const struct lp_proc *proc, int64_t deadline_us)
{
    memcpy(thread->process_id, proc->id, sizeof thread->process_id);
    memcpy(thread->step_key, proc->key, sizeof thread->step_key);
    atomic_store_explicit(&thread->deadline_us, deadline_us, memory_order_release);
}

enum lp_code
lp_run_call(struct lp_run *run, lp_step_fn *fn, const json_t *state, json_t *delta,
            struct lp_err *err)
{
    struct lp_run_private *priv = run->priv;
    size_t mark = lp_arena_mark(run->arena);
    enum lp_code rc;

    lp_log_correlation(run->correlation_id);
    watch(priv->thread, priv->proc, priv->deadline_us);
    rc = fn(run, state, delta, err);
    atomic_store_explicit(&priv->thread->deadline_us, 0, memory_order_release);
    lp_log_correlation("");
    lp_arena_rewind(run->arena, mark);
    if (rc == LP_OK)
        lp_err_clear(err); /* a look that found nothing is no failure of the step */
    else if (err->code != rc)
        rc = lp_fail(err, rc, "step '%s' failed without saying why (%s)", run->step->key,
                     lp_code_info(rc)->text);
    return rc;
}

void
lp_run_end(struct lp_run *run)
{
    struct lp_run_private *priv = run->priv;

    for (size_t i = 0; i < priv->sub_count; i++)
        lp_subscription_free(priv->subs[i]);
    free((void *)priv->subs);
    lp_unit_free(priv->unit);
    json_decref(priv->unset);
    json_decref(priv->audit);
    json_decref(priv->dry);
    *priv = (struct lp_run_private){.proc = NULL};
}

/* ---- writes ---- */

struct lp_unit *
lp_run_unit(struct lp_run *run)
{
    if (run->priv->unit == NULL)
        run->priv->unit = lp_unit_new();
    return run->priv->unit;
}

void
lp_run_write(struct lp_run *run, enum lp_stmt stmt, const struct lp_arg *args, size_t arg_count)
{
    lp_unit_add(lp_run_unit(run), stmt, args, arg_count);
}

void
lp_run_unset(struct lp_run *run, const char *key)
{
    if (run->priv->unset == NULL)
        run->priv->unset = json_array();
    json_array_append_new(run->priv->unset, json_string(key));
}

void
lp_run_event(struct lp_run *run, json_t *value)
{
    lp_event_add(lp_run_unit(run), value, lp_clock_utc_us(run->clock));
}

void
lp_run_audit(struct lp_run *run, const char *key, json_t *value)
{
    if (run->priv->audit == NULL)
        run->priv->audit = json_object();
    json_object_set_new(run->priv->audit, key, value);
}

void
lp_run_wake_at(struct lp_run *run, int64_t utc_us, const char *reason)
{
    run->priv->wake_at = utc_us;
    lp_utf8_copy(run->priv->wake_reason, sizeof run->priv->wake_reason,
                 reason == NULL ? "" : reason);
}

enum lp_code
lp_run_bind_window(struct lp_run *run, const char *id_or_name, struct lp_err *err)
{
    struct lp_proc *proc = run->priv->proc;
    char id[LP_UUID_LEN + 1] = "";
    enum lp_code rc =
        id_or_name == NULL ? LP_OK : lp_window_resolve(run->store, id_or_name, id, err);

    if (rc != LP_OK)
        return rc;
    lp_window_add_binding(lp_run_unit(run), run->process_id, id_or_name == NULL ? NULL : id);
    memcpy(proc->bind, id, sizeof proc->bind);
    proc->binding = true;
    return LP_OK;
}

/* ---- subscriptions ---- */

static enum lp_code
keep(struct lp_run *run, struct lp_subscription *sub, struct lp_err *err)
{
    struct lp_run_private *priv = run->priv;
    struct lp_subscription **subs = (struct lp_subscription **)reallocarray(
        (void *)priv->subs, priv->sub_count + 1, sizeof(struct lp_subscription *));

    if (subs == NULL) {
        lp_subscription_free(sub);
        return lp_fail(err, LP_NOMEM, "no memory for a subscription");
    }
    priv->subs = subs;
    priv->subs[priv->sub_count++] = sub;
    return LP_OK;
}

enum lp_code
lp_run_subscription(struct lp_run *run, const char *id, struct lp_subscription **out,
                    struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_subscription_load(run->store, NULL, run->catalog, id, &sub, err);

    if (run->dry_run && (rc == LP_OK || rc == LP_NOT_FOUND))
        rc = lp_dry_run_overlay(run, id, &sub, err);
    if (rc == LP_OK)
        rc = keep(run, sub, err);
    if (rc == LP_OK)
        *out = sub;
    return rc;
}

enum lp_code
lp_run_target(struct lp_run *run, const json_t *state, struct lp_subscription **out,
              struct lp_err *err)
{
    const char *id = NULL;
    enum lp_code rc = lp_json_get_string(state, "subscription_id", &id, err);

    if (rc != LP_OK)
        return lp_err_prefix(err, "state of process %s: ", run->process_id);
    return lp_run_subscription(run, id, out, err);
}

static void
told(struct lp_run *run, const struct lp_subscription *sub, int64_t now)
{
    json_t *list = json_object_get(run->priv->audit, "subscriptions");

    if (list == NULL) {
        list = json_array();
        lp_run_audit(run, "subscriptions", list);
    }
    json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "id", sub->id, "version",
                                          (json_int_t)sub->version, "status",
                                          lp_lifecycle_name(sub->status)));
    lp_event_subscription(lp_run_unit(run), sub->id, now);
}

enum lp_code
lp_run_save(struct lp_run *run, struct lp_subscription *sub, struct lp_err *err)
{
    const struct lp_save_context context = {
        .process_id = run->process_id, .actor = run->actor, .clock = run->clock};
    bool changed = false;
    enum lp_code rc =
        lp_subscription_save(lp_run_unit(run), sub, run->catalog, &context, &changed, err);

    if (rc == LP_OK && run->dry_run)
        rc = lp_dry_run_keep(run, sub, err);
    if (rc == LP_OK && changed)
        told(run, sub, lp_clock_utc_us(run->clock));
    return rc;
}

enum lp_code
lp_run_give(struct lp_run *run, struct lp_subscription *from, struct lp_subscription *to,
            const char *field, const char *ref_field, struct lp_err *err)
{
    const struct lp_save_context context = {
        .process_id = run->process_id, .actor = run->actor, .clock = run->clock};
    enum lp_code rc = lp_subscription_give(lp_run_unit(run), from, to, field, ref_field,
                                           run->catalog, &context, err);

    if (rc == LP_OK)
        rc = lp_run_save(run, to, err);
    return rc == LP_OK ? lp_run_save(run, from, err) : rc;
}

enum lp_code
lp_run_create(struct lp_run *run, struct lp_subscription *sub, json_t *delta, struct lp_err *err)
{
    int64_t now = lp_clock_utc_us(run->clock);
    enum lp_code rc = lp_run_save(run, sub, err);

    if (rc != LP_OK)
        return rc;
    lp_run_write(run, LP_SQL_RUN_LINK,
                 LP_ARGS(lp_text("id", run->process_id), lp_text("subscription", sub->id),
                         lp_int("now", now)));
    lp_run_write(run, LP_SQL_RUN_LOCK_EXCLUSIVE,
                 LP_ARGS(lp_text("subscription", sub->id), lp_text("id", run->process_id),
                         lp_int("now", now)));
    if (lp_json_set_str(delta, "subscription_id", sub->id) != 0
        || json_object_set_new(delta, "subscription", lp_subscription_state_json(sub)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for subscription %s", sub->id);
    return LP_OK;
}

/* ---- external operations ---- */

/** An unknown outcome of our own bookkeeping says nothing about the device: the process is found
 * again. */
static enum lp_code
commit_now(struct lp_run *run, struct lp_unit *unit, struct lp_err *err)
{
    enum lp_code rc = lp_store_commit(run->store, unit, err);

    if (rc == LP_UNKNOWN)
        err->code = rc = LP_STORE;
    return rc;
}

enum lp_code
lp_run_commit(struct lp_run *run, struct lp_unit *unit, struct lp_err *err)
{
    struct lp_unit *fenced = lp_flush_touch(run->priv->proc);
    enum lp_code rc;

    (void)lp_unit_append(fenced, unit);
    rc = commit_now(run, fenced, err);
    lp_unit_free(fenced);
    return rc;
}

enum lp_code
lp_run_compensation(struct lp_run *run, unsigned n, const json_t *doc, struct lp_err *err)
{
    struct lp_proc *proc = run->priv->proc;
    struct lp_unit *unit = lp_flush_touch(proc);
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_run_check(run, err);

    if (rc == LP_OK)
        rc = lp_json_canonical(doc, &text, &len, err);
    if (rc == LP_OK) {
        lp_unit_add(unit, LP_SQL_RUN_COMPENSATION_ADD,
                    LP_ARGS(lp_text("id", proc->id), lp_text("key", proc->key), lp_int("n", n),
                            lp_text("doc", text)));
        rc = commit_now(run, unit, err);
    }
    free(text);
    lp_unit_free(unit);
    return rc;
}

enum lp_code
lp_run_compensations(struct lp_run *run, json_t **out, struct lp_err *err)
{
    struct lp_proc *proc = run->priv->proc;
    const char *key = proc->key + (proc->undoing ? strlen(LP_UNDO_PREFIX) : 0);
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(run->store, LP_SQL_RUN_COMPENSATIONS,
                               LP_ARGS(lp_text("id", proc->id), lp_text("key", key)), &rows, err);

    *out = NULL;
    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *text = lp_rows_text(rows, i, "doc");
        json_t *doc = NULL;

        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK)
            json_array_append_new(
                *out,
                json_pack("{s:I, s:o}", "n", (json_int_t)lp_rows_int(rows, i, "n"), "doc", doc));
    }
    lp_rows_free(rows);
    if (rc != LP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
lp_run_time_left_ms(struct lp_run *run)
{
    struct lp_run_private *priv = run->priv;
    struct lp_executor *executor = priv->proc->executor;
    int64_t now = lp_clock_mono_us(run->clock), left = priv->deadline_us - now;
    int64_t stop_by = atomic_load(&executor->stop_by_us);

    if (atomic_load(&priv->proc->cancel) || atomic_load(&executor->lapse) != priv->lapse)
        return 0;
    left = least(left, atomic_load(&executor->lease_end_us) - now);
    if (stop_by != 0)
        left = least(left, stop_by - now);
    return left > 0 ? left / 1000 : 0;
}

enum lp_code
lp_run_check(struct lp_run *run, struct lp_err *err)
{
    struct lp_run_private *priv = run->priv;
    struct lp_executor *executor = priv->proc->executor;
    int64_t now = lp_clock_mono_us(run->clock);

    if (atomic_load(&executor->lapse) != priv->lapse || now >= atomic_load(&executor->lease_end_us))
        return lp_fail(err, LP_FENCED, "the lease of this executor ran out");
    if (atomic_load(&priv->proc->cancel))
        return lp_fail(err, LP_CANCELLED, "an operator asked to abort");
    if (atomic_load(&executor->stop_by_us) != 0)
        return lp_fail(err, LP_CANCELLED, "this executor is stopping");
    if (now >= priv->deadline_us)
        return lp_fail(err, LP_UNKNOWN, "step '%s' took longer than its %u ms", run->step->key,
                       run->step->timeout_ms != 0 ? run->step->timeout_ms : DEFAULT_TIMEOUT_MS);
    return LP_OK;
}

/* ---- named leased locks ---- */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/** Says who has one of the locks; the message is shown as the reason of the wait. */
static enum lp_code
locked_out(struct lp_run *run, const char *const *names, size_t count, struct lp_err *err)
{
    struct lp_run_private *priv = run->priv;

    priv->locked_out = true;
    for (size_t i = 0; i < count; i++) {
        struct lp_rows *rows = NULL;
        struct lp_err ignored = LP_ERR_INIT;

        if (lp_query(run->store, LP_SQL_RUN_NAMED_HOLDER, LP_ARGS(lp_text("name", names[i])), &rows,
                     &ignored)
                == LP_OK
            && lp_rows_count(rows) == 1
            && strcmp(lp_rows_text(rows, 0, "process_id"), run->process_id) != 0) {
            const char *workflow = lp_rows_text(rows, 0, "workflow");

            lp_lock_busy(priv->proc, names[i]);
            snprintf(priv->busy, sizeof priv->busy, "'%.60s' is held by process %s (%.40s)",
                     names[i], lp_rows_text(rows, 0, "process_id"),
                     workflow == NULL ? "?" : workflow);
        }
        lp_rows_free(rows);
        lp_err_clear(&ignored);
    }
    if (priv->busy[0] == '\0')
        snprintf(priv->busy, sizeof priv->busy, "another process holds '%.60s'", names[0]);
    return lp_fail(err, LP_CONFLICT, "%s", priv->busy);
}

enum lp_code
lp_run_locks(struct lp_run *run, const char *const *names, size_t count, struct lp_err *err)
{
    struct lp_proc *proc = run->priv->proc;
    const char *sorted[NAMES_MOST];
    struct lp_unit *unit;
    enum lp_code rc;

    if (run->txn != NULL || count > NAMES_MOST)
        return lp_fail(err, LP_INTERNAL, "named locks are taken outside transactions, at most %d",
                       NAMES_MOST);
    run->priv->locked_out = false; /* of an earlier try in this call */
    run->priv->busy[0] = '\0';
    if (count == 0)
        return LP_OK;
    memcpy((void *)sorted, (const void *)names, count * sizeof *names);
    qsort((void *)sorted, count, sizeof *sorted, by_text); /* one order for everybody */
    json_decref(proc->busy);
    proc->busy = NULL;
    unit = lp_flush_touch(proc);
    lp_unit_add(unit, LP_SQL_RUN_NAMED_WAITS_DROP, LP_ARGS(lp_text("id", proc->id)));
    for (size_t i = 0; i < count; i++) {
        lp_unit_add(
            unit, LP_SQL_RUN_NAMED_UNCLEAN,
            LP_ARGS(
                lp_int("lease", proc->executor->embedded ? 0 : run->conf->executor_lease_ms * 1000),
                lp_text("name", sorted[i]), lp_text("id", proc->id), lp_int("epoch", proc->epoch)));
        lp_unit_add(unit, LP_SQL_RUN_NAMED_STALE,
                    LP_ARGS(lp_text("name", sorted[i]), lp_text("id", proc->id)));
        lp_unit_add(unit, LP_SQL_RUN_NAMED_TAKE,
                    LP_ARGS(lp_text("name", sorted[i]), lp_text("id", proc->id),
                            lp_int("epoch", proc->epoch),
                            lp_int("now", lp_clock_utc_us(run->clock))));
    }
    rc = commit_now(run, unit, err);
    lp_unit_free(unit);
    proc->named = proc->named || rc == LP_OK;
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        lp_lock_taken(proc, sorted[i]);
    return rc == LP_CONFLICT ? locked_out(run, sorted, count, err) : rc;
}

enum lp_code
lp_run_takeover_left_ms(struct lp_run *run, const char *lock, int64_t longest_ms, int64_t *left_ms,
                        struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        lp_query(run->store, LP_SQL_RUN_TAKEOVER, LP_ARGS(lp_text("name", lock)), &rows, err);

    *left_ms = 0;
    if (rc != LP_OK)
        return rc;
    if (lp_rows_count(rows) == 1)
        *left_ms =
            (lp_rows_int(rows, 0, "at") - lp_rows_int(rows, 0, "now") + 999) / 1000 + longest_ms;
    lp_rows_free(rows);
    if (*left_ms < 0)
        *left_ms = 0;
    return LP_OK;
}

void
lp_run_takeover_settled(struct lp_run *run, const char *lock)
{
    lp_run_write(run, LP_SQL_RUN_TAKEOVER_SETTLED, LP_ARGS(lp_text("name", lock)));
}

void
lp_run_key(const struct lp_run *run, char *buf, size_t size)
{
    snprintf(buf, size, "%s", run->priv->proc->key);
}

/* ---- progress ---- */

static void
progress_done(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct lp_engine *engine = arg;

    (void)unit;
    (void)err;
    if (code == LP_OK)
        lp_events_poke(engine);
}

void
lp_run_progress(struct lp_run *run, const char *fmt, ...)
{
    struct lp_run_private *priv = run->priv;
    int64_t now = lp_clock_utc_us(run->clock);
    json_auto_t *doc = json_object();
    struct lp_unit *unit;
    char line[300], *text;
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (run->txn != NULL || now - priv->told_us < PROGRESS_EVERY_US
        || lp_json_set_str(doc, "progress", line) != 0)
        return;
    priv->told_us = now;
    text = lp_json_text(doc);
    if (text == NULL)
        return;
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_RUN_PROGRESS,
                LP_ARGS(lp_text("id", priv->proc->id), lp_text("key", priv->proc->key),
                        lp_text("doc", text), lp_text("actor", run->actor), lp_int("now", now)));
    lp_event_process(unit, priv->proc->id, now);
    lp_executor_aside(priv->proc->executor, unit, progress_done);
    free(text);
}
