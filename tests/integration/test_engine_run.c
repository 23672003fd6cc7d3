/* The runtime on both databases: crashes, takeover, pause, waits, retries, rollback; one test per
 * weakness it must not have. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_env.h"
#include "tests/support/test_main.h"

/* ---- what steps of this program do ---- */

static struct {
    atomic_int open;       /* gates let through */
    atomic_int inside;     /* steps that stand at a gate */
    atomic_int calls;      /* of step "count_calls" */
    atomic_int fail_times; /* failing steps fail so many times more */
    atomic_int fail_code;
    atomic_int undone;
    bool kill; /* the crashing step ends the program */
    char undo_order[200];
    char token[2][LP_UUID_LEN + 1];
    char route[200];
    int64_t turn_us;     /* the slow action turns the clock so far */
    bool answer_at_once; /* the other side answers before the action has returned */
    bool bad_items;
    char site[LP_UUID_LEN + 1]; /* of fan_sites */
    atomic_bool lose;           /* hints do not arrive */
} g;

static void
reset(void)
{
    memset(&g, 0, sizeof g);
}

/** One outbox row per commit: what a database effect leaves behind. */
static enum lp_code
effect(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)err;
    lp_run_event(run, json_pack("{s:s, s:s, s:s}", "type", "effect", "process", run->process_id,
                                "step", run->step->key));
    json_object_set_new(delta, run->step->key, json_true());
    return LP_OK;
}

static int64_t
effects(struct lp_run_env *env, const char *id, const char *step)
{
    char sql[300];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM outbox WHERE doc LIKE '%%\"effect\"%%' AND doc LIKE "
             "'%%\"step\":\"%s\"%%' "
             "AND doc LIKE '%%' || :id || '%%'",
             step);
    return lp_test_int(env, sql, id);
}

static enum lp_code
gate(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    atomic_fetch_add(&g.inside, 1);
    while (atomic_load(&g.open) == 0 && rc == LP_OK) {
        usleep(1000);
        if (run->step->effects == LP_EFFECT_EXTERNAL)
            rc = lp_run_check(run, err);
    }
    atomic_fetch_sub(&g.inside, 1);
    return rc == LP_OK ? effect(run, state, delta, err) : rc;
}

static void
at_gate(int count)
{
    for (int ms = 0; ms < 60000 && atomic_load(&g.inside) < count; ms++)
        usleep(1000);
    assert_true(atomic_load(&g.inside) >= count);
}

/** Writes in its transaction; the first g.fail_times calls take too long for it. */
static enum lp_code
dawdles(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (atomic_fetch_add(&g.calls, 1) < g.fail_times)
        usleep(1100000);
    return effect(run, state, delta, err);
}

/** Fails g.fail_times times with g.fail_code. */
static enum lp_code
fails(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    atomic_fetch_add(&g.calls, 1);
    if (atomic_fetch_sub(&g.fail_times, 1) > 0)
        return lp_fail(err, (enum lp_code)atomic_load(&g.fail_code), "not now");
    return effect(run, state, delta, err);
}

/** Ends the program the first time; afterwards it must know that it may have acted before. */
static enum lp_code
crashes(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (g.kill) {
        FILE *f = fopen(g.route, "w");

        if (f != NULL) {
            fputs(run->token, f);
            fclose(f);
        }
        kill(getpid(), SIGKILL);
    }
    json_object_set_new(delta, "unknown", json_boolean(run->unknown));
    lp_json_set_str(delta, "token", run->token);
    return effect(run, state, delta, err);
}

/** The same, but takes its time before it looks at what the first call has done: more often than a
 * step may end the program. */
static enum lp_code
crashes_and_waits(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (g.kill || atomic_fetch_add(&g.calls, 1) >= 6)
        return crashes(run, state, delta, err);
    lp_run_wake_at(run, lp_clock_utc_us(run->clock) + 10000, "a command may be under way");
    return lp_fail(err, LP_RETRYABLE, "not yet");
}

static enum lp_code
undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    size_t len = strlen(g.undo_order);

    (void)state;
    (void)delta;
    if (atomic_fetch_sub(&g.fail_times, 1) > 0)
        return lp_fail(err, LP_REFUSED, "cannot take it back");
    snprintf(g.undo_order + len, sizeof g.undo_order - len, "%s%zu ", run->step->key, run->index);
    lp_run_event(run, json_pack("{s:s, s:s, s:s}", "type", "undo", "process", run->process_id,
                                "step", run->step->key));
    return LP_OK;
}

static enum lp_code
bad_text(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)!effect(run, state, delta, err);
    json_object_set_new(delta, "bad", json_stringn("a\0b", 3));
    return LP_OK;
}

/** Its second write breaks a unique index. */
static enum lp_code
bad_write(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)!effect(run, state, delta, err);
    for (int i = 0; i < 2; i++)
        lp_run_write(run, LP_SQL_RUN_LOCK_EXCLUSIVE,
                     LP_ARGS(lp_text("subscription", "s"), lp_text("id", run->process_id),
                             lp_int("now", 1)));
    return LP_OK;
}

static enum lp_code
set_x(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t x = lp_json_int(state, "x", 0);

    (void)run;
    (void)err;
    return lp_json_set_int(delta, "x", x + 10) == 0 ? LP_OK : LP_NOMEM;
}

static enum lp_code
drop_x(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)delta;
    (void)err;
    lp_run_unset(run, "x");
    return LP_OK;
}

static bool
never(const json_t *state)
{
    (void)state;
    return false;
}

static enum lp_code
in_txn(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_txn_query(run->txn, LP_SQL_REG_SETTING,
                                   LP_ARGS(lp_text("name", "global_lock")), &rows, err);

    lp_rows_free(rows);
    if (rc == LP_OK && atomic_fetch_sub(&g.fail_times, 1) > 0)
        rc = lp_fail(err, LP_CONFLICT, "slot taken");
    return rc == LP_OK ? effect(run, state, delta, err) : rc;
}

/** Has queued something already when it finds that it has to try again. */
static enum lp_code
txn_again(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    enum lp_code rc = effect(run, state, delta, err);

    atomic_fetch_add(&g.calls, 1);
    if (rc == LP_OK && atomic_fetch_sub(&g.fail_times, 1) > 0)
        rc = lp_fail(err, LP_RETRYABLE, "not yet");
    return rc;
}

/** Taking back that lasts until it is let through. */
static enum lp_code
slow_undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    enum lp_code rc = gate(run, state, delta, err);

    return rc == LP_OK ? undo(run, state, delta, err) : rc;
}

/* ---- forms, callbacks, fan-out ---- */

static enum lp_code
page_x(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {
        .name = "x", .kind = LP_FIELD_INT, .required_in = -1, .required = true};

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    return LP_OK;
}
static const struct lp_page pages_x[] = {{.title = "X", .build = page_x}};
static const struct lp_form form_x = {LP_PAGES(pages_x)};

static enum lp_code
page_name(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {
        .name = "item_name", .kind = LP_FIELD_STRING, .required_in = -1, .required = true};

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    return LP_OK;
}
static const struct lp_page pages_name[] = {{.title = "Name", .build = page_name}};
static const struct lp_form form_name = {LP_PAGES(pages_name)};

static enum lp_code
hand_out(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)err;
    snprintf(g.route, sizeof g.route, "%s", run->callback_route);
    if (g.turn_us != 0)
        lp_test_turn(run->services, g.turn_us);
    json_object_set_new(delta, "handed", json_true());
    if (g.answer_at_once) {
        struct lp_run_env *env = run->services;
        json_auto_t *body = json_pack("{s:b, s:b}", "good", 1, "early", 1);

        return lp_engine_callback(env->engine, run->process_id, strrchr(g.route, '/') + 1, body,
                                  false, err);
    }
    return LP_OK;
}

static enum lp_code
validate(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *body = json_object_get(state, "answer");

    (void)run;
    if (!lp_json_true(body, "good"))
        return lp_fail(err, g.fail_code != 0 ? (enum lp_code)g.fail_code : LP_REFUSED, "not good");
    json_object_set_new(delta, "validated", json_true());
    return LP_OK;
}

enum { ITEMS = 12 };

static enum lp_code
items(struct lp_run *run, const json_t *state, json_t *out, struct lp_err *err)
{
    (void)run;
    (void)err;
    for (int i = 0; i < ITEMS; i++) {
        char name[20];

        snprintf(name, sizeof name, "item %d", i);
        if (g.bad_items && i % 3 == 0) {
            json_array_append_new(out, json_pack("{s:s, s:s, s:[{s:i}]}", "item", name, "workflow",
                                                 "child", "pages", "no_such_field", i));
            continue;
        }
        json_array_append_new(out, json_pack("{s:s, s:s, s:[{s:s}]}", "item", name, "workflow",
                                             lp_json_str(state, "child", "child"), "pages",
                                             "item_name", name));
    }
    return LP_OK;
}

static enum lp_code
failing_items(struct lp_run *run, const json_t *state, json_t *out, struct lp_err *err)
{
    enum lp_code rc = items(run, state, out, err);
    size_t i;
    json_t *item;

    json_array_foreach(out, i, item) lp_json_set_str(item, "workflow", "failing_child");
    return rc;
}

static enum lp_code
same_site(struct lp_run *run, const json_t *state, json_t *out, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    for (int i = 0; i < 3; i++) {
        char name[20];

        snprintf(name, sizeof name, "check %d", i);
        json_array_append_new(out, json_pack("{s:s, s:s, s:[{s:s}]}", "item", name, "workflow",
                                             "validate_site", "pages", "subscription_id", g.site));
    }
    return LP_OK;
}

static enum lp_code
none(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    *count = 0;
    if (atomic_fetch_sub(&g.fail_times, 1) > 0)
        return lp_fail(err, LP_DRIFT, "the list is not to be had");
    return LP_OK;
}

static enum lp_code
progress(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    lp_run_progress(run, "%d of %d", 1, 2);
    lp_run_progress(run, "%d of %d", 2, 2); /* too soon after the first to be worth a write */
    return lp_run_time_left_ms(run) > 0 ? effect(run, state, delta, err) : LP_INTERNAL;
}

static enum lp_code
three(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = 3;
    return LP_OK;
}

static enum lp_code
each_run(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char key[20];

    (void)state;
    if (run->index == 1 && atomic_fetch_sub(&g.fail_times, 1) > 0)
        return lp_fail(err, LP_REFUSED, "the second one does not want to");
    snprintf(key, sizeof key, "each%zu", run->index);
    json_object_set_new(delta, key, json_integer((json_int_t)run->index));
    lp_run_event(run, json_pack("{s:s, s:s, s:s}", "type", "effect", "process", run->process_id,
                                "step", key));
    return LP_OK;
}

static enum lp_code
lock_ne(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    static const char *const names[] = {"ne:2", "ne:1"};
    enum lp_code rc = lp_run_locks(run, names, 2, err);

    return rc == LP_OK ? gate(run, state, delta, err) : rc;
}

static enum lp_code
wait_twice(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (atomic_fetch_add(&g.calls, 1) >= 2)
        return effect(run, state, delta, err);
    /* what the step took from the arena is gone when it has returned, the reason is not */
    if (lp_arena_alloc(run->arena, 300000) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory");
    lp_run_wake_at(run, lp_clock_utc_us(run->clock) + 20000, "two more rounds");
    return lp_fail(err, LP_RETRYABLE, "not yet");
}

static enum lp_code
compensated(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    for (unsigned n = 1; n <= 2; n++) {
        json_auto_t *doc = json_pack("{s:i}", "before", (int)n);
        enum lp_code rc = lp_run_compensation(run, n, doc, err);

        if (rc != LP_OK)
            return rc;
    }
    return effect(run, state, delta, err);
}

static enum lp_code
compensate(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_t *list = NULL;
    enum lp_code rc = lp_run_compensations(run, &list, err);

    if (rc != LP_OK)
        return rc;
    if (json_array_size(list) == 2
        && lp_json_int(json_array_get(list, 0), "n", 0) == 2) /* newest first */
        snprintf(g.undo_order, sizeof g.undo_order, "2,1 ");
    json_decref(list);
    return undo(run, state, delta, err);
}

/* ---- subscriptions ---- */

static enum lp_code
make_site(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    json_auto_t *input = json_pack("{s:s, s:b}", "rack_name", "A rack", "active_only", 1);
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_subscription_new(run->catalog, lp_catalog_product(run->catalog, "Rack"),
                                          NULL, input, run->clock, &sub, err);

    (void)state;
    if (rc == LP_OK)
        rc = lp_run_create(run, sub, delta, err);
    lp_subscription_free(sub);
    return rc;
}

/* ---- tables ---- */

/* clang-format off */
#define ACTION(name, run_)                                                                         \
    {.key = #name, .title = "Step " #name, .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,        \
     .no_undo = "a test", .run = run_}
#define EXTERNAL(name, run_)                                                                       \
    {.key = #name, .title = "Step " #name, .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL,  \
     .no_undo = "a test", .run = run_}
#define WORKFLOW(name_, steps_)                                                                    \
    {.name = name_, .description = "For a test", .target = LP_TARGET_SYSTEM, LP_STEPS(steps_)}

static const struct lp_step a = ACTION(a, effect), b = ACTION(b, effect), c = ACTION(c, effect);
static const struct lp_step *const simple_steps[] = {&a, &b, &c};

static const struct lp_step gated = ACTION(gated, gate), gated_io = EXTERNAL(gated, gate);
static const struct lp_step *const gate_steps[] = {&a, &gated, &b};
static const struct lp_step *const gate_io_steps[] = {&a, &gated_io, &b};

static const struct lp_step crashing = EXTERNAL(crashing, crashes);
static const struct lp_step *const crash_steps[] = {&a, &crashing, &b};
static const struct lp_step crashing_late = EXTERNAL(crashing, crashes_and_waits);
static const struct lp_step *const crash_wait_steps[] = {&a, &crashing_late, &b};

static const struct lp_step bad_text_step = ACTION(bad_text, bad_text), bad_write_step = ACTION(bad_write, bad_write);
static const struct lp_step *const bad_text_steps[] = {&bad_text_step};
static const struct lp_step *const bad_write_steps[] = {&bad_write_step};

static const struct lp_step *const in_group[] = {&a, &gated, &b};
static const struct lp_step group = {.key = "group", .title = "Group", .kind = LP_STEP_GROUP, LP_STEPS(in_group)};
static const struct lp_step *const group_steps[] = {&group, &c};

static const struct lp_step failing = ACTION(failing, fails);
static const struct lp_step *const in_whole[] = {&a, &failing, &b};
static const struct lp_step whole = {.key = "whole", .title = "Whole", .kind = LP_STEP_GROUP, LP_STEPS(in_whole), .restart_whole = true};
static const struct lp_step x_step = ACTION(x_step, set_x);
static const struct lp_step *const whole_steps[] = {&x_step, &whole, &c};
static const struct lp_step *const fail_steps[] = {&a, &failing};

static const struct lp_step retried = {.key = "retried", .title = "Retried", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .attempts = 3, .backoff_ms = {20, 40}, .no_undo = "a test", .run = fails};
static const struct lp_step *const retry_steps[] = {&a, &retried};

static const struct lp_step ask = {.key = "ask", .title = "Ask", .kind = LP_STEP_INPUT, .form = &form_x, .no_undo = "a question"};
static const struct lp_step ask_again = {.key = "ask_again", .title = "Ask again", .kind = LP_STEP_INPUT, .form = &form_x, .no_undo = "a question"};
static const struct lp_step add_x = ACTION(add_x, set_x), no_x = ACTION(no_x, drop_x);
static const struct lp_step *const input_steps[] = {&ask, &add_x, &ask_again, &b};
static const struct lp_step *const unset_steps[] = {&add_x, &no_x};

static const struct lp_step call_first = {.key = "call_first", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .result_key = "answer", .wait_ms = 600000, .validate = validate, .no_undo = "a call"};
static const struct lp_step call_plain = {.key = "call_plain", .title = "Call again", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .no_undo = "a call"};
static const struct lp_step *const call_steps[] = {&call_first, &call_plain, &b};

static const struct lp_step fan = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = items, .max_open = 4, .no_undo = "a test"};
static const struct lp_step *const fan_steps[] = {&fan, &b};
static const struct lp_step maybe_crash = EXTERNAL(maybe_crash, crashes);
static const struct lp_step *const child_steps[] = {&a, &maybe_crash};

static const struct lp_step each = {.key = "each", .title = "Each", .kind = LP_STEP_EACH, .effects = LP_EFFECT_DB, .count = three,
    .run = each_run, .undo = undo};
static const struct lp_step *const each_steps[] = {&each, &b};

static const struct lp_step skipped_step = {.key = "skipped", .title = "Skipped", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .when = never, .no_undo = "a test", .run = effect};
static const struct lp_step skipped_group = {.key = "no_group", .title = "No group", .kind = LP_STEP_GROUP, .when = never, LP_STEPS(in_group)};
static const struct lp_step *const when_steps[] = {&skipped_step, &skipped_group, &c};

static const struct lp_step rw = {.key = "rw", .title = "Allocate", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
    .no_undo = "a test", .run = in_txn};
static const struct lp_step *const rw_steps[] = {&rw, &b};

static const struct lp_step ne = EXTERNAL(ne, lock_ne);
static const struct lp_step *const lock_steps[] = {&ne, &b};

static const struct lp_step timer = {.key = "timer", .title = "Timer", .kind = LP_STEP_WAIT, .effects = LP_EFFECT_DB, .run = wait_twice,
    .no_undo = "a test"};
static const struct lp_step *const timer_steps[] = {&timer, &b};
static const struct lp_step later = {.key = "later", .title = "Later", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL, .attempts = 1,
                                     .run = wait_twice, .no_undo = "a test"};
static const struct lp_step *const later_steps[] = {&later, &b};

static const struct lp_step u1 = {.key = "u1", .title = "One", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB, .run = effect, .undo = undo};
static const struct lp_step u2 = {.key = "u2", .title = "Two", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL, .run = compensated, .undo = compensate};
static const struct lp_step *const undo_steps[] = {&u1, &a, &each, &u2, &ask};
static const struct lp_step *const undo_gate_steps[] = {&u1, &gated_io, &b};

static const struct lp_step *const failing_child_steps[] = {&failing};
static const struct lp_step fan_failing = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = failing_items,
    .no_undo = "a test"};
static const struct lp_step *const fan_fail_steps[] = {&fan_failing};
static const struct lp_step fan_result = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = failing_items,
    .failed_ends = true, .no_undo = "a test"};
static const struct lp_step *const fan_result_steps[] = {&fan_result, &b};
static const struct lp_step stuck = {.key = "stuck", .title = "Stuck", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .timeout_ms = 50, .no_undo = "a test", .run = gate};
static const struct lp_step *const stuck_steps[] = {&stuck};
static const struct lp_step labelled = {.key = "labelled", .title = "Labelled", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .label = "lab", .no_undo = "a test", .run = effect};
static const struct lp_step *const label_steps[] = {&a, &labelled};

static const struct lp_step fan_site = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = same_site,
    .no_undo = "a test"};
static const struct lp_step *const fan_site_steps[] = {&fan_site};
static const struct lp_step each_none = {.key = "each_none", .title = "None", .kind = LP_STEP_EACH, .effects = LP_EFFECT_DB, .count = none,
    .run = each_run, .no_undo = "a test"};
static const struct lp_step *const each_none_steps[] = {&each_none, &b};
static const struct lp_step crashing_db = ACTION(crashing_db, crashes);
static const struct lp_step *const when_crash_steps[] = {&skipped_group, &crashing_db};
static const struct lp_step progressing = EXTERNAL(progress, progress);
static const struct lp_step *const progress_steps[] = {&progressing};
static const struct lp_step call_short = {.key = "call_short", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .wait_ms = 300, .attempts = 2, .backoff_ms = {20, 20}, .result_key = "answer", .validate = validate,
    .no_undo = "a call"};
static const struct lp_step *const call_short_steps[] = {&call_short, &b};
static const struct lp_step call_long = {.key = "call_long", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .wait_ms = 600000, .attempts = 2, .backoff_ms = {20, 20}, .result_key = "answer", .validate = validate,
    .no_undo = "a call"};
static const struct lp_step *const call_long_steps[] = {&call_long, &b};
static const struct lp_step rw_again = {.key = "rw", .title = "Allocate", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
    .attempts = 2, .backoff_ms = {20, 20}, .no_undo = "a test", .run = txn_again};
static const struct lp_step rw_slow = {.key = "rw", .title = "Allocate slowly", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
                                       .run = dawdles, .no_undo = "a test"};
static const struct lp_step *const rw_slow_steps[] = {&rw_slow, &b};
static const struct lp_step *const rw_again_steps[] = {&rw_again, &b};
static const struct lp_step u_slow = {.key = "u_slow", .title = "Slow", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL,
    .run = effect, .undo = slow_undo};
static const struct lp_step u_crash = {.key = "u_crash", .title = "Crash", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL,
    .run = effect, .undo = crashes};
static const struct lp_step *const undo_crash_steps[] = {&u_crash, &ask};
static const struct lp_step *const undo_slow_steps[] = {&u1, &u_slow, &ask};

static const struct lp_step make = ACTION(make, make_site);
static const struct lp_step *const create_steps[] = {&make};
static const struct lp_step *const check_steps[] = {&failing};

static const struct lp_workflow rows[] = {
    WORKFLOW("simple", simple_steps),
    WORKFLOW("gates", gate_steps),
    WORKFLOW("gates_io", gate_io_steps),
    {.name = "gate_task", .description = "For a test", .target = LP_TARGET_SYSTEM, .is_task = true, LP_STEPS(gate_io_steps)},
    WORKFLOW("crash", crash_steps),
    WORKFLOW("crash_waits", crash_wait_steps),
    WORKFLOW("bad_text", bad_text_steps),
    WORKFLOW("bad_write", bad_write_steps),
    WORKFLOW("groups", group_steps),
    WORKFLOW("wholes", whole_steps),
    WORKFLOW("fail", fail_steps),
    {.name = "fail_task", .description = "For a test", .target = LP_TARGET_SYSTEM, .is_task = true, LP_STEPS(fail_steps)},
    WORKFLOW("retries", retry_steps),
    WORKFLOW("inputs", input_steps),
    WORKFLOW("unsets", unset_steps),
    WORKFLOW("calls", call_steps),
    WORKFLOW("fans", fan_steps),
    {.name = "child", .description = "For a test", .target = LP_TARGET_SYSTEM, .is_task = true, .form = &form_name, LP_STEPS(child_steps)},
    WORKFLOW("eaches", each_steps),
    {.name = "failing_child", .description = "For a test", .target = LP_TARGET_SYSTEM, .form = &form_name, LP_STEPS(failing_child_steps)},
    WORKFLOW("fan_fails", fan_fail_steps),
    WORKFLOW("fan_results", fan_result_steps),
    WORKFLOW("fan_sites", fan_site_steps),
    WORKFLOW("each_none", each_none_steps),
    WORKFLOW("when_crash", when_crash_steps),
    WORKFLOW("progresses", progress_steps),
    WORKFLOW("stucks", stuck_steps),
    WORKFLOW("labels", label_steps),
    WORKFLOW("whens", when_steps),
    WORKFLOW("rws", rw_steps),
    WORKFLOW("locks", lock_steps),
    WORKFLOW("timers", timer_steps),
    WORKFLOW("later", later_steps),
    WORKFLOW("short_calls", call_short_steps),
    WORKFLOW("long_calls", call_long_steps),
    WORKFLOW("rw_agains", rw_again_steps),
    WORKFLOW("rw_slows", rw_slow_steps),
    WORKFLOW("slow_undoes", undo_slow_steps),
    WORKFLOW("crashing_undoes", undo_crash_steps),
    WORKFLOW("undoes", undo_steps),
    WORKFLOW("undo_gates", undo_gate_steps),
    {.name = "create_site", .description = "For a test", .target = LP_TARGET_CREATE, .product = "Rack", LP_STEPS(create_steps)},
    {.name = "modify_site", .description = "For a test", .target = LP_TARGET_MODIFY, .product = "Rack", LP_STEPS(check_steps)},
    {.name = "validate_site", .description = "For a test", .target = LP_TARGET_VALIDATE, .product = "Rack", .is_task = true, LP_STEPS(check_steps)},
    {.name = "terminate_site", .description = "For a test", .target = LP_TARGET_TERMINATE, .product = "Rack", LP_STEPS(check_steps)},
};
/* clang-format on */
static const struct lp_workflow_set workflows = {rows, LP_COUNT(rows)};

/* ---- helpers ---- */

static int64_t
step_rows(struct lp_run_env *env, const char *id, const char *where)
{
    char sql[400];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM process_steps WHERE process_id = :id AND %s",
             where);
    return lp_test_int(env, sql, id);
}

static void
resume(struct lp_run_env *env, const char *id, const char *pages)
{
    json_auto_t *doc = pages == NULL ? NULL : json_loads(pages, 0, NULL);
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, doc, &err), &err);
}

static void
call_back(struct lp_run_env *env, const char *id, const char *body)
{
    json_auto_t *doc = json_loads(body, 0, NULL);
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_callback(env->engine, id, strrchr(g.route, '/') + 1, doc, false, &err),
               &err);
}

static void
pause_engine(struct lp_run_env *env, bool paused)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, paused, &err), &err);
}

static void
abort_process(struct lp_run_env *env, const char *id, bool rollback)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, rollback, &err), &err);
}

/** Nobody holds anything any more. */
static void
nothing_held(struct lp_run_env *env, const char *id)
{
    assert_int_equal(lp_test_int(env,
                                 "SELECT (SELECT count(*) FROM processes WHERE id = :id AND "
                                 "lease_owner IS NOT NULL) + (SELECT count(*) FROM process_locks "
                                 "WHERE process_id = :id) + (SELECT count(*) FROM named_locks "
                                 "WHERE process_id = :id)",
                                 id),
                     0);
}

/* ---- the ordinary ---- */

static void
runs_to_the_end(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "simple", NULL, id);
    lp_test_wait(env, id, "completed");
    for (const char *step = "abc"; *step != '\0'; step++)
        assert_int_equal(effects(env, id, (char[]){*step, '\0'}), 1);
    assert_int_equal(step_rows(env, id, "1 = 1"), 5);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "outcome = 'ok'",
                                 id),
                     5);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM audit WHERE chain = :id", id), 6);
    nothing_held(env, id);
    state = lp_test_state(env, id);
    assert_true(lp_json_true(state, "a") && lp_json_true(state, "c"));
    assert_string_equal(lp_json_str(state, "process_id", ""), id);
    json_decref(state);
}

static void
when_is_logged(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "whens", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(step_rows(env, id, "status = 'skipped' AND key IN ('skipped', 'no_group')"),
                     2);
    assert_int_equal(step_rows(env, id, "key LIKE 'no_group/%'"), 0);
    assert_int_equal(effects(env, id, "skipped") + effects(env, id, "a"), 0);
    assert_int_equal(effects(env, id, "c"), 1);
}

static void
each_resumes_at_the_unfinished(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.fail_times = 1;
    lp_run_env_start(env);
    lp_test_start(env, "eaches", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(step_rows(env, id, "key = 'each/1' AND status = 'failed'"), 1);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    for (int i = 0; i < 3; i++) {
        char key[20];

        snprintf(key, sizeof key, "each%d", i);
        assert_int_equal(effects(env, id, key), 1);
    }
    assert_int_equal(step_rows(env, id, "key LIKE 'each/%' AND status = 'success'"), 3);
    assert_int_equal(step_rows(env, id, "key = 'each/1' AND retries = 1"), 1);
}

static void
allocators_share_a_transaction(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.fail_times = 1;
    lp_run_env_start(env);
    lp_test_start(env, "rws", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(effects(env, id, "rw"), 0);
    assert_string_equal(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
                        "slot taken");
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "rw"), 1);
}

static void
retries_with_a_limit(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], more[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_code = LP_RETRYABLE;
    g.fail_times = 2;
    lp_test_start(env, "retries", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(step_rows(env, id, "key = 'retried' AND retries = 2"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'retried'",
                                 id),
                     3);
    g.fail_times = 4;
    g.calls = 0;
    lp_test_start(env, "retries", NULL, more);
    lp_test_wait(env, more, "failed");
    assert_int_equal(atomic_load(&g.calls), 3);
    resume(env, more, NULL); /* an operator's retry counts anew */
    lp_test_wait(env, more, "completed");
    assert_int_equal(step_rows(env, more, "key = 'retried' AND retries = 4"), 1);
}

static void
timers_wake(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "timers", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.calls), 3);
    assert_int_equal(step_rows(env, id, "key = 'timer' AND retries = 0"), 1);
    assert_int_equal(effects(env, id, "timer"), 1);
}

/* Any step may ask to be left alone until a time: no attempt is counted, and it does not fail. */
static void
a_step_asks_for_later(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "later", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.calls), 3);
    assert_int_equal(step_rows(env, id, "key = 'later' AND status = 'failed'"), 0);
    assert_int_equal(step_rows(env, id, "key = 'later' AND retries = 0"), 1);
    assert_int_equal(effects(env, id, "later"), 1);
}

static void
unset_removes(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "unsets", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_null(json_object_get(state, "x"));
    json_decref(state);
}

static void
whole_group_restarts(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    g.fail_times = 1;
    g.fail_code = LP_REFUSED;
    lp_run_env_start(env);
    lp_test_start(env, "wholes", NULL, id);
    lp_test_wait(env, id, "failed");
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "a"), 2); /* the group began anew */
    assert_int_equal(step_rows(env, id, "key LIKE 'whole/%' AND status = 'success'"), 3);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'whole/a'",
                                 id),
                     2);
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(state, "x", 0), 10); /* what came before it was not repeated */
    json_decref(state);
}

static void
named_locks_park(struct lp_run_env *env)
{
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "locks", NULL, first);
    at_gate(1);
    lp_test_start(env, "locks", NULL, second);
    lp_test_wait(env, second, "waiting");
    assert_string_equal(lp_test_text(env, "SELECT wait_kind FROM processes WHERE id = :id", second),
                        "lock");
    assert_int_equal(
        lp_test_int(env, "SELECT count(*) FROM named_locks WHERE process_id = :id", first), 2);
    g.open = 1;
    lp_test_wait(env, first, "completed");
    lp_test_wait(env, second, "completed");
    nothing_held(env, first);
    nothing_held(env, second);
}

static void
skipped_steps_wait_for_no_lock(struct lp_run_env *env)
{
    static const char waits[] = "SELECT count(*) FROM named_waits WHERE process_id = :id";
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = LP_CONFLICT;

    lp_run_env_start(env);
    lp_test_start(env, "locks", NULL, first);
    at_gate(1);
    lp_test_start(env, "locks", NULL, second);
    lp_test_wait(env, second, "waiting");
    assert_int_equal(lp_test_int(env, waits, second), 2);
    for (int i = 0; i < 3000 && rc == LP_CONFLICT; i++) { /* it looks again now and then */
        lp_err_clear(&err);
        rc = lp_engine_skip(env->engine, &lp_test_caller, second, &err);
        if (rc == LP_CONFLICT)
            usleep(10000);
    }
    lp_test_ok(rc, &err);
    lp_test_wait(env, second, "completed");
    assert_int_equal(lp_test_int(env, waits, second), 0);
    g.open = 1;
    lp_test_wait(env, first, "completed");
}

static void
rollback_goes_backwards(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "undoes", NULL, id);
    lp_test_wait(env, id, "suspended");
    g.fail_times = 1; /* the first undo fails: a person has to look */
    abort_process(env, id, true);
    lp_test_wait(env, id, "failed");
    assert_string_equal(lp_test_text(env, "SELECT assignee FROM processes WHERE id = :id", id),
                        "NOC");
    resume(env, id, NULL);
    lp_test_wait(env, id, "aborted");
    assert_string_equal(g.undo_order, "2,1 u20 each2 each1 each0 u10 ");
    assert_int_equal(step_rows(env, id, "key LIKE 'undo:%' AND title LIKE 'Undo: %'"), 5);
    assert_int_equal(
        step_rows(env, id, "key = 'abort' AND status = 'abort' AND title = 'User Aborted'"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_compensations WHERE process_id = :id "
                                 "AND done_at IS NULL",
                                 id),
                     0);
    assert_int_equal(lp_test_int(env, "SELECT requests FROM processes WHERE id = :id", id), 0);
    nothing_held(env, id);
}

static void
create_site(struct lp_run_env *env, char id[static LP_UUID_LEN + 1])
{
    const struct lp_product_type *type = lp_catalog_product(env->catalog, "Rack");
    char process[LP_UUID_LEN + 1], pages[200];

    snprintf(pages, sizeof pages, "[{\"product\": \"%s\"}]", type->id.text);
    lp_test_start(env, "create_site", pages, process);
    lp_test_wait(env, process, "completed");
    snprintf(id, LP_UUID_LEN + 1, "%s",
             lp_test_text(
                 env, "SELECT subscription_id FROM process_subscriptions WHERE process_id = :id",
                 process));
    nothing_held(env, process);
}

static void
start_on(struct lp_run_env *env, const char *workflow, const char *subscription,
         char id[static LP_UUID_LEN + 1])
{
    char pages[200];

    snprintf(pages, sizeof pages, "[{\"subscription_id\": \"%s\"}]", subscription);
    lp_test_start(env, workflow, pages, id);
}

static int64_t
insync(struct lp_run_env *env, const char *subscription)
{
    return lp_test_int(env, "SELECT insync FROM subscriptions WHERE id = :id", subscription);
}

static int64_t
locks_of(struct lp_run_env *env, const char *id)
{
    return lp_test_int(env, "SELECT count(*) FROM process_locks WHERE process_id = :id", id);
}

static void
locks_follow_the_outcome(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    create_site(env, site);
    assert_int_equal(insync(env, site), 1);
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", site),
                        "active");
    g.fail_code = LP_REFUSED;
    g.fail_times = 1;
    start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(locks_of(env, id), 0); /* given back; insync says that something is wrong */
    assert_int_equal(insync(env, site), 0);
    start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(insync(env, site), 1);
    g.fail_times = 1;
    start_on(env, "modify_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(locks_of(env, id), 1); /* kept */
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    nothing_held(env, id);
    start_on(env, "terminate_site", site, id);
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", site),
                        "terminated");
}

static void
note_needs_no_lock(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], pages[300];

    lp_run_env_start(env);
    create_site(env, site);
    snprintf(pages, sizeof pages, "[{\"subscription_id\": \"%s\"}, {\"note\": \"call first\"}]",
             site);
    lp_test_start(env, "modify_note", pages, id);
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env, "SELECT note FROM subscriptions WHERE id = :id", site),
                        "call first");
    assert_int_equal(insync(env, site), 1);
    lp_test_start(env, "task_clean_up_tasks", NULL, id);
    lp_test_wait(env, id, "completed");
    lp_test_start(env, "task_resume_workflows", NULL, id);
    lp_test_wait(env, id, "completed");
}

/* ---- one test per weakness ---- */

static void
crash_in_io(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crash", NULL, id);
    pause();
}

static void
W01_crash_is_taken_over(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], token[LP_UUID_LEN + 1] = "";
    json_t *state;
    FILE *f;

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_io);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    assert_string_equal(lp_test_text(env, "SELECT status FROM processes WHERE id = :id", id),
                        "running");
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    for (const char *step = "ab"; *step != '\0'; step++)
        assert_int_equal(effects(env, id, (char[]){*step, '\0'}), 1);
    state = lp_test_state(env, id);
    assert_true(lp_json_true(state, "unknown")); /* it may have acted: it was told */
    f = fopen(g.route, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    unlink(g.route);
    assert_string_equal(lp_json_str(state, "token", ""), token);
    json_decref(state);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'crashing' AND outcome IN ('outcome-unknown', 'ok')",
                                 id),
                     2);
    assert_int_equal(lp_test_int(env, "SELECT lease_epoch FROM processes WHERE id = :id", id), 2);
    nothing_held(env, id);
}

static void
crash_in_late_io(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crash_waits", NULL, id);
    pause();
}

/** An attempt that is parked does not settle what the one before it may have done. */
static void
parking_keeps_an_unknown_outcome(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], token[LP_UUID_LEN + 1] = "";
    json_t *state;
    FILE *f;

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_late_io);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_true(lp_json_true(state, "unknown"));
    f = fopen(g.route, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    unlink(g.route);
    assert_string_equal(lp_json_str(state, "token", ""), token);
    json_decref(state);
    assert_int_equal(effects(env, id, "crashing"), 1);
    nothing_held(env, id);
}

static void
crash_with_lock(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "locks", NULL, id);
    at_gate(1);
    kill(getpid(), SIGKILL);
}

/** An element whose owner died is left alone for a while, also when its process is aborted: by who
 * takes it over, or while nobody does. */
static void
aborted_locks_are_not_clean(struct lp_run_env *env)
{
    static const char of_both[] = "SELECT count(*) FROM lock_takeovers WHERE process_id = :id AND "
                                  "name IN ('ne:1', 'ne:2')";
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    for (int paused = 0; paused < 2; paused++) {
        lp_run_env_crash(env, crash_with_lock);
        snprintf(id, sizeof id, "%s",
                 lp_test_text(env, "SELECT id FROM processes WHERE status = 'running' AND :id = ''",
                              ""));
        assert_int_equal(lp_test_int(env, of_both, id), 0);
        if (paused == 0) {
            lp_run_env_make(env, NULL);
            lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, false, &err), &err);
            lp_test_ok(lp_engine_run(env->engine, &err), &err);
        } else {
            lp_run_env_make(env, NULL);
            lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, true, &err), &err);
            lp_test_ok(lp_engine_run(env->engine, &err), &err);
            lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, false, &err), &err);
        }
        lp_test_wait(env, id, "aborted");
        assert_int_equal(lp_test_int(env, of_both, id), 2);
        nothing_held(env, id);
        lp_run_env_stop(env);
    }
}

static void
W02_effects_and_log_together(struct lp_run_env *env)
{
    static const char *const names[] = {"bad_text", "bad_write"};
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        lp_test_start(env, names[i], NULL, id);
        lp_test_wait(env, id, "failed");
        assert_int_equal(effects(env, id, names[i]), 0);
        assert_int_equal(step_rows(env, id, "status = 'failed' AND delta = '{}'"), 1);
        assert_string_not_equal(
            lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id), "");
    }
}

static void
W03_group_pause(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "groups", NULL, id);
    at_gate(1);
    pause_engine(env, true);
    g.open = 1;
    lp_test_until(env, "SELECT count(*) FROM processes WHERE id = :id AND lease_owner IS NULL", id,
                  1);
    assert_int_equal(step_rows(env, id, "key IN ('group/a', 'group/gated')"), 2);
    assert_int_equal(step_rows(env, id, "key IN ('group/b', 'c')"), 0);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    pause_engine(env, false);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "a"), 1);
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
    assert_int_equal(effects(env, id, "c"), 1);
}

/** The fence: what a former owner still wants to write is refused as a whole. */
static void
W04_double_run(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], sql[200];
    struct lp_engine_stats stats;

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    at_gate(1);
    for (int i = 0; i < 20; i++) /* hints are doubled; the step runs once */
        lp_executor_hint(env->engine, id, 0);
    usleep(50000);
    assert_int_equal(atomic_load(&g.inside), 1);
    snprintf(sql, sizeof sql,
             "UPDATE processes SET lease_epoch = lease_epoch + 1, lease_owner = NULL, status = "
             "'running' WHERE id = '%s'",
             id);
    lp_store_env_exec(&env->db, sql);
    g.open = 1;
    lp_test_wait(env, id, "completed");
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.fenced >= 1);
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
}

static void
W05_unpause_while_pausing(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    at_gate(1);
    pause_engine(env, true);
    pause_engine(env, false);
    usleep(200000); /* long enough for a sweep to announce it */
    assert_int_equal(atomic_load(&g.inside), 1);
    g.open = 1;
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'gated'",
                                 id),
                     1);
}

/** Hints are thrown away until the sweeper comes. */
static void
W08_queue_is_a_hint(struct lp_run_env *env)
{
    enum { MANY = 30 };
    char ids[MANY][LP_UUID_LEN + 1], hint[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    lp_run_env_start(env);
    pause_engine(env, true);
    usleep(100000); /* the dispatcher rests: what is pushed now can be taken away */
    lp_store_env_exec(&env->db, "UPDATE settings SET value = '0' WHERE name = 'global_lock'");
    for (size_t i = 0; i < MANY; i++)
        lp_test_start(env, "simple", NULL, ids[i]);
    while (env->queue->ops->pop(env->queue, 0, LP_QUEUE_ALL, hint, &err) == LP_OK)
        ;
    lp_err_clear(&err);
    for (size_t i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(effects(env, ids[i], "a"), 1);
}

static void
W09_abort_stops_worker(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    at_gate(1);
    abort_process(env, id, false);
    lp_test_wait(env, id, "aborted"); /* the gate never opened */
    assert_int_equal(effects(env, id, "gated") + effects(env, id, "b"), 0);
    assert_int_equal(step_rows(env, id, "key = 'abort' AND created_by = 'tester'"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM audit WHERE chain = :id AND actor = "
                                 "'tester' AND reason = 'a test' AND body LIKE '%process.abort%'",
                                 id),
                     1);
    assert_int_equal(lp_test_int(env, "SELECT requests FROM processes WHERE id = :id", id), 0);
    usleep(100000);
    lp_test_wait(env, id, "aborted"); /* and nothing sets it back */
    nothing_held(env, id);
}

static void
rollback_of_a_running_step(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "undo_gates", NULL, id);
    at_gate(1);
    abort_process(env, id, true);
    lp_test_wait(env, id, "aborted");
    assert_string_equal(g.undo_order, "u10 ");
    assert_int_equal(step_rows(env, id, "key = 'gated' AND status = 'failed'"), 1);
}

/* W14: other versions of workflow "inputs" */
static const struct lp_step before_step = {.key = "new_before",
                                           .title = "New before",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_DB,
                                           .no_undo = "a test",
                                           .run = effect};
static const struct lp_step after_step = {.key = "new_after",
                                          .title = "New after",
                                          .kind = LP_STEP_ACTION,
                                          .effects = LP_EFFECT_DB,
                                          .no_undo = "a test",
                                          .run = effect};
static const struct lp_step *const inserted[] = {&before_step, &ask,       &add_x,
                                                 &after_step,  &ask_again, &b};
static const struct lp_step *const removed[] = {&before_step, &ask, &after_step, &b};
static const struct lp_workflow inserted_rows[] = {
    {.name = "inputs", .description = "Changed", .target = LP_TARGET_SYSTEM, LP_STEPS(inserted)}};
static const struct lp_workflow removed_rows[] = {
    {.name = "inputs", .description = "Changed", .target = LP_TARGET_SYSTEM, LP_STEPS(removed)}};
static const struct lp_workflow_set inserted_set = {inserted_rows, 1},
                                    removed_set = {removed_rows, 1};

static void
restart_with(struct lp_run_env *env, const struct lp_workflow_set *set)
{
    lp_run_env_stop(env);
    lp_run_env_make(env, set);
    lp_run_env_start(env);
}

static void
W14_recovery_by_key(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    restart_with(env, &inserted_set);
    resume(env, id, "[{\"x\": 1}]");
    lp_test_wait(env, id, "suspended");
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  id, 1);
    assert_int_equal(effects(env, id, "new_before"), 0); /* stands before what was done */
    assert_int_equal(effects(env, id, "new_after"), 1);
    assert_int_equal(step_rows(env, id, "key = 'add_x' AND retries = 0"), 1);
    restart_with(env, &removed_set); /* now its step does not exist at all */
    {
        char sql[200];

        snprintf(sql, sizeof sql, "UPDATE processes SET status = 'resumed' WHERE id = '%s'", id);
        lp_store_env_exec(&env->db, sql);
        lp_executor_hint(env->engine, id, 0);
    }
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "'ask_again' does not exist any more"));
    assert_int_equal(effects(env, id, "b"), 0);
    restart_with(env, &inserted_set); /* the step is put back: it still waits */
    resume(env, id, NULL);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(step_rows(env, id, "key = 'ask_again'"), 1);
    restart_with(env, &removed_set);
    lp_store_env_exec(&env->db,
                      "UPDATE processes SET status = 'resumed' WHERE status = 'suspended'");
    lp_executor_hint(env->engine, id, 0);
    lp_test_wait(env, id, "failed");
    lp_test_ok(lp_engine_skip(env->engine, &lp_test_caller, id, &err), &err);
    lp_test_wait(env, id, "completed"); /* behind the newest step that still exists */
    assert_int_equal(effects(env, id, "b"), 1);
    assert_int_equal(effects(env, id, "new_before"), 0);
}

static void
W15_order_by_seq(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    resume(env, id, "[{\"x\": 1}]");
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  id, 1);
    lp_test_wait(env, id, "suspended");
    lp_run_env_stop(env);
    /* a host whose clock ran an hour slow wrote the newer row */
    lp_store_env_exec(&env->db,
                      "UPDATE process_steps SET completed_at = completed_at - 3600000000, "
                      "started_at = started_at - 3600000000 WHERE key IN ('add_x', 'ask_again')");
    lp_run_env_start(env);
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(state, "x", 0), 11);
    json_decref(state);
    resume(env, id, "[{\"x\": 5}]");
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env,
                                     "SELECT delta FROM process_steps WHERE process_id = :id AND "
                                     "key = 'ask_again'",
                                     id),
                        "{\"set\":{\"x\":5}}");
    assert_int_equal(effects(env, id, "b"), 1);
}

static enum lp_code
add_kilobyte(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char text[1001], key[30];

    (void)state;
    (void)err;
    memset(text, 'k', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(key, sizeof key, "k%zu", run->index);
    json_object_set_new(delta, key, json_string(text));
    return LP_OK;
}

static enum lp_code
two_hundred(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = 200;
    return LP_OK;
}

static const struct lp_step growing = {.key = "growing",
                                       .title = "Growing",
                                       .kind = LP_STEP_EACH,
                                       .effects = LP_EFFECT_DB,
                                       .no_undo = "a test",
                                       .count = two_hundred,
                                       .run = add_kilobyte};
static const struct lp_step *const grow_steps[] = {&growing, &ask};
static const struct lp_workflow grow_rows[] = {
    {.name = "grow", .description = "Grows", .target = LP_TARGET_SYSTEM, LP_STEPS(grow_steps)}};
static const struct lp_workflow_set grow_set = {grow_rows, 1};

static void
W16_deltas_not_states(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    int64_t bytes, behind;
    json_t *state;

    lp_run_env_make(env, &grow_set);
    lp_run_env_start(env);
    lp_test_start(env, "grow", NULL, id);
    lp_test_wait(env, id, "suspended");
    state = lp_test_state(env, id);
    for (int i = 0; i < 200; i++) {
        char key[30];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(json_string_length(json_object_get(state, key)), 1000);
    }
    json_decref(state);
    bytes = lp_test_int(env,
                        "SELECT sum(length(delta) + coalesce(length(snapshot), 0)) FROM "
                        "process_steps WHERE process_id = :id",
                        id);
    assert_true(bytes < 3 * 200 * 1100); /* whole states would be 200 * 200 * 1000 / 2 */
    behind = lp_test_int(env,
                         "SELECT sum(length(delta)) FROM process_steps s WHERE process_id = :id "
                         "AND seq > (SELECT snapshot_seq FROM processes WHERE id = :id)",
                         id);
    assert_true(behind <= 210000); /* what a recovery reads is bounded */
    assert_true(step_rows(env, id, "snapshot IS NOT NULL") >= 1);
    assert_true(step_rows(env, id, "snapshot IS NOT NULL") <= 4);
    lp_run_env_stop(env);
    lp_run_env_make(env, &grow_set);
    lp_run_env_start(env);
    resume(env, id, "[{\"x\": 1}]");
    lp_test_wait(env, id, "completed");
}

static void
W20_input_once(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    resume(env, id, "[{\"x\": 1}]");
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  id, 1);
    lp_test_wait(env, id, "suspended"); /* the old answer does not answer the new question */
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM process_inputs WHERE process_id = :id AND "
                                 "kind = 'form' AND consumed_at IS NOT NULL",
                                 id),
                     1);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(state, "x", 0), 11); /* nor is it laid over newer values */
    json_decref(state);
    resume(env, id, "[{\"x\": 3}]");
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(state, "x", 0), 3);
    json_decref(state);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM process_inputs WHERE process_id = :id AND "
                                 "kind = 'form' AND consumed_at IS NULL",
                                 id),
                     0);
}

static void
W21_callback_options(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], first[200];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "calls", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    assert_true(lp_test_int(env, "SELECT wake_at FROM processes WHERE id = :id", id) > 0);
    snprintf(first, sizeof first, "%s", g.route);
    call_back(env, id, "{\"good\": true}");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND last_key = 'call_plain' AND "
                  "status = 'awaiting_callback'",
                  id, 1);
    assert_int_equal(
        lp_test_int(env, "SELECT coalesce(wake_at, 0) FROM processes WHERE id = :id", id),
        0); /* the first one's timeout is not the second one's */
    assert_string_not_equal(first, g.route);
    call_back(env, id, "{\"second\": 2}");
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_true(lp_json_true(json_object_get(state, "answer"), "good"));
    assert_int_equal(lp_json_int(json_object_get(state, "callback_result"), "second", 0), 2);
    assert_true(lp_json_true(state, "validated") && lp_json_true(state, "handed"));
    {
        char *text = lp_json_text(state);

        assert_null(strstr(text, strrchr(first, '/') + 1)); /* a token is never in the state */
        assert_null(strstr(text, "__callback"));
        free(text);
    }
    json_decref(state);
}

static void
W22_timeout_clock(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], late[200];

    g.turn_us = 3600000000; /* the action takes an hour, the wait may take ten minutes */
    lp_run_env_start(env);
    lp_test_start(env, "calls", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    usleep(200000);
    lp_test_wait(env, id, "awaiting_callback");
    snprintf(late, sizeof late, "%s", g.route);
    lp_test_turn(env, 11 * 60 * 1000000LL);
    lp_executor_poke(env->engine, NULL);
    lp_test_wait(env, id, "failed");
    assert_string_equal(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
                        "Callback timed out");
    g.turn_us = 0;
    resume(env, id, NULL); /* waits again, with another token */
    lp_test_wait(env, id, "awaiting_callback");
    assert_string_not_equal(late, g.route);
    call_back(env, id, "{\"good\": false}");
    lp_test_wait(env, id, "failed"); /* the check said no */
    resume(env, id, NULL);
    lp_test_wait(env, id, "awaiting_callback");
    call_back(env, id, "{\"good\": true}");
    lp_test_until(env, "SELECT count(*) FROM processes WHERE id = :id AND last_key = 'call_plain'",
                  id, 1);
}

static void
W30_failure_classes(struct lp_run_env *env)
{
    static const struct {
        enum lp_code code;
        const char *status, *assignee;
    } table[] = {
        {LP_DRIFT, "inconsistent_data", "NOC"},
        {LP_RETRYABLE, "api_unavailable", "SYSTEM"},
        {LP_UNKNOWN, "api_unavailable", "SYSTEM"},
        {LP_INVALID, "failed", "SYSTEM"},
    };
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    for (size_t i = 0; i < LP_COUNT(table); i++) {
        g.fail_times = 1;
        g.fail_code = (int)table[i].code;
        lp_test_start(env, "fail_task", NULL, id);
        lp_test_wait(env, id, table[i].status);
        assert_string_equal(lp_test_text(env, "SELECT assignee FROM processes WHERE id = :id", id),
                            table[i].assignee);
        g.fail_times = 1;
        lp_test_start(env, "fail", NULL, id);
        lp_test_wait(env, id, "failed");
    }
}

static void *
open_soon(void *arg)
{
    (void)arg;
    usleep(200000);
    g.open = 1;
    return NULL;
}

/** The server goes away while it holds the commits of steps that have just ended. */
static void
lose_postgres(struct lp_run_env *env)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, open_soon, NULL), 0);
    /* only connections that wait for this schema's table: other programs share the server */
    lp_store_env_exec(&env->db,
                      "BEGIN; LOCK TABLE process_steps IN ACCESS EXCLUSIVE MODE; SELECT "
                      "pg_sleep(0.5); SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid <> "
                      "pg_backend_pid() AND relation = CAST('process_steps' AS regclass); COMMIT");
    pthread_join(thread, NULL);
}

/** The database is away in the middle of the work. */
static void
W32_db_hiccup(struct lp_run_env *env)
{
    enum { MANY = 20 };
    char ids[MANY][LP_UUID_LEN + 1];

    lp_run_env_start(env);
    for (size_t i = 0; i < MANY; i++)
        lp_test_start(env, "gates", NULL, ids[i]);
    at_gate(2);
    if (env->db.dialect == LP_DIALECT_POSTGRES) {
        lose_postgres(env);
    } else {
        lp_test_hold_sqlite(&env->db, 3000);
        g.open = 1;
    }
    for (size_t i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(effects(env, ids[i], "a"), 1);
        assert_int_equal(effects(env, ids[i], "gated"), 1);
        assert_int_equal(effects(env, ids[i], "b"), 1);
        assert_int_equal(step_rows(env, ids[i], "status = 'failed'"), 0);
        nothing_held(env, ids[i]);
    }
}

static void
W35_graceful_drain(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    pthread_t thread;

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    at_gate(1);
    assert_int_equal(pthread_create(&thread, NULL, open_soon, NULL), 0);
    lp_run_env_stop(env); /* the current operation ends, the next one does not begin */
    pthread_join(thread, NULL);
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(effects(env, id, "b"), 0);
    nothing_held(env, id);
    assert_int_equal(
        lp_test_int(env, "SELECT count(*) FROM executors WHERE retired_at IS NULL AND :id = ''",
                    ""),
        0);
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
}

static void
W39_no_refresh(struct lp_run_env *env)
{
    static const char *const create[] = {"Start", "Step make", "Set subscription to 'active'",
                                         "Unlock subscription", "Done"};
    const struct lp_step *const *steps;
    size_t count = 0;

    lp_run_env_make(env, NULL);
    steps = lp_engine_steps(env->engine, lp_engine_workflow(env->engine, "create_site"), &count);
    assert_int_equal(count, LP_COUNT(create));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(steps[i]->title, create[i]);
    for (size_t w = 0; w < LP_COUNT(rows); w++) {
        steps = lp_engine_steps(env->engine, &rows[w], &count);
        for (size_t i = 0; i < count; i++)
            assert_null(strstr(steps[i]->title, "Refresh"));
    }
    lp_engine_free(env->engine);
    env->engine = NULL;
    env->queue->ops->free(env->queue);
}

static void
W43_last_validated(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    int64_t version;

    lp_run_env_start(env);
    create_site(env, site);
    assert_string_equal(
        lp_test_text(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site), "");
    g.fail_times = 1;
    g.fail_code = LP_DRIFT;
    start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "inconsistent_data");
    assert_string_equal(
        lp_test_text(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site), "");
    start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "completed");
    version = lp_test_int(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site);
    assert_true(version > lp_clock_utc_us(&env->db.clock) - 60000000);
}

static void
crash_in_child(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "fans", NULL, id);
    pause();
}

static void
W51_fanout_atomic(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_child); /* the first child takes the program down */
    unlink(g.route);
    snprintf(
        id, sizeof id, "%s",
        lp_test_text(env, "SELECT id FROM processes WHERE workflow = 'fans' AND :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM processes WHERE parent_id = :id", id),
                     ITEMS);
    assert_int_equal(
        lp_test_int(env,
                    "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'completed'",
                    id),
        ITEMS);
    assert_int_equal(
        lp_test_int(
            env,
            "SELECT count(*) FROM outbox WHERE doc LIKE '%\"step\":\"maybe_crash\"%' AND :id <> ''",
            id),
        ITEMS);
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "total", 0), ITEMS);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "completed", 0), ITEMS);
    json_decref(state);
    assert_int_equal(effects(env, id, "b"), 1);
    nothing_held(env, id);
}

/* ---- more that can go wrong ---- */

static void
callback_before_the_wait(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    g.answer_at_once = true;
    lp_run_env_start(env);
    lp_test_start(env, "calls", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_true(lp_json_true(json_object_get(state, "answer"), "early"));
    assert_true(lp_json_true(json_object_get(state, "callback_result"), "early"));
    json_decref(state);
}

static void
refused_children_are_told(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    const json_t *fan_sum;
    json_t *state;

    g.bad_items = true;
    lp_run_env_start(env);
    lp_test_start(env, "fans", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    fan_sum = json_object_get(state, "fan");
    assert_int_equal(lp_json_int(fan_sum, "total", 0), ITEMS);
    assert_int_equal(lp_json_int(fan_sum, "failed", 0), ITEMS / 3);
    assert_int_equal(lp_json_int(fan_sum, "completed", 0), ITEMS - ITEMS / 3);
    assert_non_null(json_object_get(json_object_get(fan_sum, "refused"), "item 3"));
    json_decref(state);
}

static void
parent_waits_for_failed_children(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], child[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_times = 1;
    g.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_fails", NULL, id);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'completed'",
                  id, ITEMS - 1);
    lp_test_wait(env, id, "waiting");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND wait_reason LIKE '11 of 12 "
                  "done, 1 failed%'",
                  id, 1);
    snprintf(child, sizeof child, "%s",
             lp_test_text(
                 env, "SELECT id FROM processes WHERE parent_id = :id AND status = 'failed'", id));
    resume(env, child, NULL);
    lp_test_wait(env, id, "completed");
}

static void
failed_children_may_be_a_result(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    g.fail_times = 2;
    g.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_results", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "completed", 0), ITEMS - 2);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "failed", 0), 2);
    json_decref(state);
}

static void
abort_takes_children_along(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_times = 1000;
    g.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_fails", NULL, id);
    lp_test_until(env, "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'failed'",
                  id, ITEMS);
    abort_process(env, id, false);
    lp_test_wait(env, id, "aborted");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'aborted'", id,
                  ITEMS);
    nothing_held(env, id);
}

static void
crash_as_other(struct lp_run_env *env)
{
    env->conf_lines[0] = "daemon.name=other";
    env->conf_count = 1;
    crash_in_io(env);
}

/** Nobody can prove at once that it is dead: the lease has to run out. */
static void
lease_of_another_runs_out(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_as_other);
    unlink(g.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "a"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
    nothing_held(env, id);
}

static void
crash_again(struct lp_run_env *env)
{
    g.kill = true;
    lp_run_env_start(env);
    pause();
}

static void
crashing_step_is_given_up(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_io);
    for (int i = 0; i < 4; i++)
        lp_run_env_crash(env, crash_again);
    unlink(g.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "ended 5 times"));
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "crashing"), 1);
}

static void
lost_lease_stops_the_step(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_engine_stats stats;

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* whoever owns the file has no lease to lose */
    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    at_gate(1);
    lp_clock_turn(&env->db.clock, 5000000); /* this program slept five seconds */
    for (int ms = 0;
         ms < 60000 && lp_test_int(env, "SELECT lease_epoch FROM processes WHERE id = :id", id) < 2;
         ms += 5)
        usleep(5000);
    g.open = 1;
    lp_test_wait(env, id, "completed");
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.lease_losses >= 1);
    assert_int_equal(effects(env, id, "gated"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
}

static void
two_executors_share_the_work(struct lp_run_env *env)
{
    enum { MANY = 60 };
    struct lp_run_env second = *env;
    char ids[MANY][LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* the file has one owner */
    second.db.store = NULL;
    second.conf = NULL;
    second.conf_lines[0] = "daemon.name=second";
    second.conf_count = 1;
    lp_store_env_reopen(&second.db);
    lp_run_env_start(env);
    lp_run_env_start(&second);
    for (size_t i = 0; i < MANY; i++)
        lp_test_start(i % 2 == 0 ? env : &second, "simple", NULL, ids[i]);
    for (size_t i = 0; i < MANY; i++) {
        lp_executor_hint(env->engine, ids[i], 0);
        lp_executor_hint(second.engine, ids[i], 0);
    }
    for (size_t i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(effects(env, ids[i], "a"), 1);
        assert_int_equal(effects(env, ids[i], "c"), 1);
        assert_int_equal(step_rows(env, ids[i], "1 = 1"), 5);
    }
    /* pause and abort reach the other program */
    lp_test_start(&second, "gates_io", NULL, ids[0]);
    at_gate(1);
    abort_process(env, ids[0], false);
    lp_test_wait(env, ids[0], "aborted");
    lp_run_env_stop(&second);
    lp_store_close(second.db.store);
    lp_conf_free(second.conf);
}

static void
stuck_forever(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    env->conf_lines[0] = "executor.stuck_grace_ms=100";
    env->conf_count = 1;
    lp_run_env_start(env);
    lp_test_start(env, "stucks", NULL, id);
    pause();
}

static void
stuck_thread_ends_the_program(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_end_by(env, stuck_forever, SIGABRT);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    g.open = 1;
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
}

static void
labels_choose_the_executor(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "labels", NULL, id);
    lp_test_wait(env, id, "waiting");
    assert_string_equal(lp_test_text(env, "SELECT label FROM processes WHERE id = :id", id), "lab");
    usleep(200000);
    lp_test_wait(env, id, "waiting");
    lp_run_env_stop(env);
    env->conf_lines[0] = "executor.labels=field,lab";
    env->conf_count = 1;
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "a"), 1);
}

static void
children_that_exclude_each_other(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    create_site(env, g.site);
    lp_test_start(env, "fan_sites", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    /* three want the same lock at once: one gets it, what the others meet depends on how far it is
     */
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "total", 0), 3);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "completed", 0)
                         + lp_json_int(json_object_get(state, "fan"), "failed", 0),
                     3);
    assert_true(lp_json_int(json_object_get(state, "fan"), "completed", 0) >= 1);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM processes WHERE parent_id = :id", id),
                     lp_json_int(json_object_get(state, "fan"), "completed", 0));
    json_decref(state);
    assert_int_equal(insync(env, g.site), 1);
}

static void
rollback_puts_back_in_sync(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    create_site(env, site);
    g.fail_times = 1;
    g.fail_code = LP_REFUSED;
    start_on(env, "modify_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(insync(env, site), 0);
    abort_process(env, id, true);
    lp_test_wait(env, id, "aborted");
    assert_int_equal(insync(env, site), 1);
    nothing_held(env, id);
}

static void
each_of_nothing_and_of_the_unknown(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_times = 1;
    lp_test_start(env, "each_none", NULL, id);
    lp_test_wait(env, id, "failed"); /* it could not be counted */
    resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(step_rows(env, id, "key = 'each_none/0' AND status = 'skipped'"), 1);
    assert_int_equal(effects(env, id, "b"), 1);
}

static void
crash_behind_a_skipped_group(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "when_crash", NULL, id);
    pause();
}

static void
goes_on_behind_a_skipped_group(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_behind_a_skipped_group);
    unlink(g.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    assert_string_equal(lp_test_text(env, "SELECT last_key FROM processes WHERE id = :id", id),
                        "no_group");
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "a") + effects(env, id, "gated"), 0);
    assert_int_equal(effects(env, id, "crashing_db"), 1);
    assert_int_equal(step_rows(env, id, "key = 'no_group'"), 1);
}

static void
odd_requests_do_no_harm(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], sql[400];

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    snprintf(sql, sizeof sql, "UPDATE processes SET requests = 5, wake_at = 1 WHERE id = '%s'", id);
    lp_store_env_exec(&env->db, sql); /* counted, but not there */
    lp_executor_hint(env->engine, id, 0);
    lp_test_until(env, "SELECT requests FROM processes WHERE id = :id", id, 0);
    snprintf(
        sql, sizeof sql,
        "INSERT INTO process_requests (id, process_id, kind, actor, correlation_id, created_at) "
        "VALUES ('r1', '%s', 'wake', 'tester', 'c', 1); UPDATE processes SET requests = 1, "
        "wake_at = 1 WHERE id = '%s'",
        id, id);
    lp_store_env_exec(&env->db, sql);
    lp_executor_hint(env->engine, id, 0);
    lp_test_until(env, "SELECT count(*) FROM process_requests WHERE process_id = :id", id, 0);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'suspended' AND "
                  "requests = 0 AND lease_owner IS NULL",
                  id, 1);
    resume(env, id, "[{\"x\": 1}]");
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  id, 1);
}

static void
corrupt_state_is_for_a_person(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    lp_store_env_exec(&env->db, "UPDATE process_inputs SET doc = '{\"half' WHERE kind = 'initial'");
    lp_store_env_exec(&env->db, "UPDATE processes SET status = 'resumed'");
    lp_executor_hint(env->engine, id, 0);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "cannot be read"));
    assert_string_equal(lp_test_text(env, "SELECT assignee FROM processes WHERE id = :id", id),
                        "NOC");
}

/** Tasks that stay long do not keep a person waiting. */
static void
interactive_passes_tasks(struct lp_run_env *env)
{
    char ids[8][LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    env->conf_lines[0] = "executor.threads=4";
    env->conf_count = 1;
    lp_run_env_start(env);
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        lp_test_start(env, "gate_task", NULL, ids[i]);
    at_gate(2);
    usleep(100000);
    assert_true(atomic_load(&g.inside) < 4);
    lp_test_start(env, "simple", NULL, id);
    lp_test_wait(env, id, "completed");
    g.open = 1;
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        lp_test_wait(env, ids[i], "completed");
}

static void
progress_is_shown(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "progresses", NULL, id);
    lp_test_wait(env, id, "completed");
    lp_test_until(
        env,
        "SELECT count(*) FROM process_inputs WHERE process_id = :id AND kind = 'progress' "
        "AND step_key = 'progress' AND doc LIKE '%1 of 2%'",
        id, 1);
}

static void
crash_in_undo(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    g.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crashing_undoes", NULL, id);
    lp_test_wait(env, id, "suspended");
    abort_process(env, id, true);
    pause();
}

static void
crashing_undo_is_given_up(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(g.route, sizeof g.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_undo);
    for (int i = 0; i < 4; i++)
        lp_run_env_crash(env, crash_again);
    unlink(g.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "failed");
    resume(env, id, NULL);
    lp_test_wait(env, id, "aborted");
}

/** A database that forgot the executor (a replica took over, say) regards its processes as free. */
static void
executor_without_a_row_registers_again(struct lp_run_env *env)
{
    struct lp_engine_stats stats;
    char id[LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* whoever owns the file has no lease to lose */
    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    at_gate(1);
    lp_store_env_exec(&env->db, "DELETE FROM executors");
    lp_test_until(env, "SELECT count(*) FROM executors WHERE :id <> '' AND expires_at > lp_now()",
                  id, 1);
    lp_test_until(env, "SELECT lease_epoch FROM processes WHERE id = :id", id, 2);
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.lease_losses >= 1); /* what was under way has stopped */
    g.open = 1;
    lp_test_wait(env, id, "completed");
}

static void
two_timeouts_are_enough(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "short_calls", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id "
                                 "AND step_key = 'call_short'",
                                 id),
                     2);
}

static void
bad_answers_are_counted(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], first[200];

    lp_run_env_start(env);
    g.fail_code = LP_RETRYABLE; /* what the check says */
    lp_test_start(env, "long_calls", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    snprintf(first, sizeof first, "%s", g.route);
    call_back(env, id, "{\"good\": false}");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'awaiting_callback' "
                  "AND (SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                  "step_key = 'call_long') = 2",
                  id, 1);
    assert_string_not_equal(first, g.route);
    call_back(env, id, "{\"good\": false}");
    lp_test_wait(env, id, "failed");
}

/** The clock of the database is ahead: what it calls due is early here, but not put off. */
static void
callback_timeout_with_two_clocks(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* one clock */
    lp_store_env_exec(&env->db, "INSERT INTO settings (name, value, changed_by, changed_at) VALUES "
                                "('clock_shift_us', '100000000', 'test', 0)");
    lp_run_env_start(env);
    lp_test_start(env, "short_calls", NULL, id);
    lp_test_until(
        env,
        "SELECT count(*) FROM process_inputs WHERE process_id = :id AND kind = 'callback' "
        "AND consumed_at IS NOT NULL",
        id, 1);
}

static void
transaction_that_has_to_be_repeated(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_times = 1;
    lp_test_start(env, "rw_agains", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(effects(env, id, "rw"), 1);
    g.fail_times = 1000;
    lp_test_start(env, "rw_agains", NULL, id);
    lp_test_wait(env, id, "failed");
}

/** An allocator that keeps its locks for more than a second has them taken away; being slow once or
 * twice is forgiven. */
static void
transactions_end_within_a_second(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    g.fail_times = 1;
    lp_test_start(env, "rw_slows", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(g.calls, 2);
    assert_int_equal(effects(env, id, "rw"), 1);
    g.fail_times = 1000;
    lp_test_start(env, "rw_slows", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(effects(env, id, "rw"), 0);
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "longer than 1000 ms"));
}

/** Who asks again for what is under way changes nothing. */
static void
rollback_asked_for_twice(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "slow_undoes", NULL, id);
    g.open = 1;
    lp_test_wait(env, id, "suspended");
    g.open = 0;
    abort_process(env, id, true);
    at_gate(1);
    abort_process(env, id, true);
    lp_test_until(env, "SELECT requests FROM processes WHERE id = :id", id, 0);
    at_gate(1);
    g.open = 1;
    lp_test_wait(env, id, "aborted");
    assert_string_equal(g.undo_order, "u_slow0 u10 ");
}

static const struct lp_queue_ops *real_ops;

static enum lp_code
lossy_push(struct lp_queue *queue, const char *process_id, int priority, const char *label,
           struct lp_err *err)
{
    return atomic_load(&g.lose) ? LP_OK : real_ops->push(queue, process_id, priority, label, err);
}

/** A hint may get lost, also the one about a process that only this program may take. */
static void
orphans_need_no_hint(struct lp_run_env *env)
{
    static struct lp_queue_ops ops;
    char id[LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* whoever owns the file has no lease to lose */
    lp_run_env_make(env, NULL);
    real_ops = env->queue->ops;
    ops = *real_ops;
    ops.push = lossy_push;
    env->queue->ops = &ops;
    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    at_gate(1);
    g.lose = true;
    lp_clock_turn(&env->db.clock, 5000000); /* this program slept five seconds */
    lp_test_until(env, "SELECT lease_epoch FROM processes WHERE id = :id", id, 2);
    g.open = 1;
    lp_test_wait(env, id, "completed");
}

static bool
keeper_rests(struct lp_executor *executor, int64_t *due)
{
    bool rests;

    pthread_mutex_lock(&executor->lock);
    rests = executor->slept && !executor->tick_now;
    *due = executor->next_due_us;
    pthread_mutex_unlock(&executor->lock);
    return rests;
}

static void
wake_at(struct lp_run_env *env, const char *id, int64_t at)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    lp_unit_add(unit, LP_SQL_RUN_WAKE_PARENT,
                LP_ARGS(lp_text("id", id), lp_int("now", at), lp_int("later", at)));
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
}

/** What is parked while the keeper looks at the database is not forgotten by it. */
static void
sweep_keeps_what_comes_meanwhile(struct lp_run_env *env)
{
    struct lp_executor *executor;
    int64_t far, due = 0;
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    executor = env->engine->executor;
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    lp_store_env_exec(&env->db, "UPDATE processes SET status = 'waiting', wait_kind = 'children'");
    far = lp_clock_utc_us(&env->db.clock) + 3600000000;
    for (int i = 0; i < 300; i++) {
        wake_at(env, id, far * 2);
        lp_keeper_poke(executor);
        for (volatile int spin = 0; spin < i * 200; spin++)
            ;
        pthread_mutex_lock(&executor->lock); /* it has looked, but not said what it saw */
        usleep(1000);
        wake_at(env, id, far);
        pthread_mutex_unlock(&executor->lock);
        lp_keeper_due(executor, far);
        while (!keeper_rests(executor, &due))
            usleep(50);
        assert_true(due != 0 && due <= far + 1000000);
    }
    lp_store_env_exec(&env->db, "UPDATE processes SET wake_at = NULL, status = 'suspended'");
}

/** Labels are words, not patterns: who does not have the label must not take it up for ever. */
static void
labels_are_exact(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    env->conf_lines[0] = "executor.labels=LAB";
    env->conf_count = 1;
    lp_run_env_start(env);
    lp_test_start(env, "labels", NULL, id);
    lp_test_wait(env, id, "waiting");
    usleep(400000);
    lp_test_wait(env, id, "waiting");
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM audit WHERE chain = :id AND body LIKE "
                                 "'%labelled%'",
                                 id),
                     1);
}

/* ---- the table ---- */

/* clang-format off */
#define CASE(name) {#name, name}
/* clang-format on */
static const struct engine_case {
    const char *name;
    void (*run)(struct lp_run_env *env);
} cases[] = {
    CASE(runs_to_the_end),
    CASE(when_is_logged),
    CASE(each_resumes_at_the_unfinished),
    CASE(allocators_share_a_transaction),
    CASE(retries_with_a_limit),
    CASE(a_step_asks_for_later),
    CASE(timers_wake),
    CASE(unset_removes),
    CASE(whole_group_restarts),
    CASE(named_locks_park),
    CASE(skipped_steps_wait_for_no_lock),
    CASE(rollback_goes_backwards),
    CASE(rollback_of_a_running_step),
    CASE(locks_follow_the_outcome),
    CASE(note_needs_no_lock),
    CASE(W01_crash_is_taken_over),
    CASE(parking_keeps_an_unknown_outcome),
    CASE(aborted_locks_are_not_clean),
    CASE(W02_effects_and_log_together),
    CASE(W03_group_pause),
    CASE(W04_double_run),
    CASE(W05_unpause_while_pausing),
    CASE(W08_queue_is_a_hint),
    CASE(W09_abort_stops_worker),
    CASE(W14_recovery_by_key),
    CASE(W15_order_by_seq),
    CASE(W16_deltas_not_states),
    CASE(W20_input_once),
    CASE(W21_callback_options),
    CASE(W22_timeout_clock),
    CASE(W30_failure_classes),
    CASE(W32_db_hiccup),
    CASE(W35_graceful_drain),
    CASE(W39_no_refresh),
    CASE(W43_last_validated),
    CASE(W51_fanout_atomic),
    CASE(callback_before_the_wait),
    CASE(refused_children_are_told),
    CASE(parent_waits_for_failed_children),
    CASE(failed_children_may_be_a_result),
    CASE(abort_takes_children_along),
    CASE(lease_of_another_runs_out),
    CASE(crashing_step_is_given_up),
    CASE(lost_lease_stops_the_step),
    CASE(two_executors_share_the_work),
    CASE(stuck_thread_ends_the_program),
    CASE(labels_choose_the_executor),
    CASE(children_that_exclude_each_other),
    CASE(rollback_puts_back_in_sync),
    CASE(each_of_nothing_and_of_the_unknown),
    CASE(goes_on_behind_a_skipped_group),
    CASE(odd_requests_do_no_harm),
    CASE(corrupt_state_is_for_a_person),
    CASE(progress_is_shown),
    CASE(interactive_passes_tasks),
    CASE(crashing_undo_is_given_up),
    CASE(executor_without_a_row_registers_again),
    CASE(two_timeouts_are_enough),
    CASE(bad_answers_are_counted),
    CASE(callback_timeout_with_two_clocks),
    CASE(transaction_that_has_to_be_repeated),
    CASE(transactions_end_within_a_second),
    CASE(rollback_asked_for_twice),
    CASE(orphans_need_no_hint),
    CASE(sweep_keeps_what_comes_meanwhile),
    CASE(labels_are_exact),
};

struct case_run {
    enum lp_dialect dialect;
    const struct engine_case *row;
};

static void
run_case(void **state)
{
    const struct case_run *run = *state;
    struct lp_run_env env;

    if (!lp_store_env_has(run->dialect))
        skip();
    reset();
    lp_run_env_open(&env, run->dialect, &workflows);
    run->row->run(&env);
    lp_run_env_close(&env);
}

static int
run_all(const char *name, enum lp_dialect dialect)
{
    struct CMUnitTest tests[LP_COUNT(cases)];
    struct case_run runs[LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        runs[i] = (struct case_run){dialect, &cases[i]};
        tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, &runs[i]};
    }
    return _cmocka_run_group_tests(name, tests, LP_COUNT(cases), NULL, NULL);
}

int
main(void)
{
    int failed;

    lp_test_apply_filter();
    failed = run_all("sqlite", LP_DIALECT_SQLITE);
    return failed + run_all("postgres", LP_DIALECT_POSTGRES);
}
