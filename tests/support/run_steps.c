/* Steps that stand still, fail, crash or ask, the workflows made of them, and what tests ask of a
 * run. */
#include "tests/support/run_steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/test_main.h"

struct lp_run_world lp_world;

static void
reset(void)
{
    memset(&lp_world, 0, sizeof lp_world);
}

/** One outbox row per commit: what a database effect leaves behind. */
enum lp_code
lp_step_effect(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)err;
    lp_run_event(run, json_pack("{s:s, s:s, s:s}", "type", "effect", "process", run->process_id,
                                "step", run->step->key));
    json_object_set_new(delta, run->step->key, json_true());
    return LP_OK;
}

int64_t
lp_test_effects(struct lp_run_env *env, const char *id, const char *step)
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

    atomic_fetch_add(&lp_world.inside, 1);
    while (atomic_load(&lp_world.open) == 0 && rc == LP_OK) {
        usleep(1000);
        if (run->step->effects == LP_EFFECT_EXTERNAL)
            rc = lp_run_check(run, err);
    }
    atomic_fetch_sub(&lp_world.inside, 1);
    return rc == LP_OK ? lp_step_effect(run, state, delta, err) : rc;
}

void
lp_test_at_gate(int count)
{
    for (int ms = 0; ms < 60000 && atomic_load(&lp_world.inside) < count; ms++)
        usleep(1000);
    assert_true(atomic_load(&lp_world.inside) >= count);
}

/** Writes in its transaction; the first lp_world.fail_times calls take too long for it. */
static enum lp_code
dawdles(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (atomic_fetch_add(&lp_world.calls, 1) < lp_world.fail_times)
        usleep(1100000);
    return lp_step_effect(run, state, delta, err);
}

/** Fails lp_world.fail_times times with lp_world.fail_code. */
static enum lp_code
fails(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    atomic_fetch_add(&lp_world.calls, 1);
    if (atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
        return lp_fail(err, (enum lp_code)atomic_load(&lp_world.fail_code), "not now");
    return lp_step_effect(run, state, delta, err);
}

/** Ends the program the first time; afterwards it must know that it may have acted before. */
static enum lp_code
crashes(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (lp_world.kill) {
        FILE *f = fopen(lp_world.route, "w");

        if (f != NULL) {
            fputs(run->token, f);
            fclose(f);
        }
        kill(getpid(), SIGKILL);
    }
    json_object_set_new(delta, "unknown", json_boolean(run->unknown));
    lp_json_set_str(delta, "token", run->token);
    return lp_step_effect(run, state, delta, err);
}

/** The same, but takes its time before it looks at what the first call has done: more often than a
 * step may end the program. */
static enum lp_code
crashes_and_waits(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    if (lp_world.kill || atomic_fetch_add(&lp_world.calls, 1) >= 6)
        return crashes(run, state, delta, err);
    lp_run_wake_at(run, lp_clock_utc_us(run->clock) + 10000, "a command may be under way");
    return lp_fail(err, LP_RETRYABLE, "not yet");
}

static enum lp_code
undo(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    size_t len = strlen(lp_world.undo_order);

    (void)state;
    (void)delta;
    if (atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
        return lp_fail(err, LP_REFUSED, "cannot take it back");
    snprintf(lp_world.undo_order + len, sizeof lp_world.undo_order - len, "%s%zu ", run->step->key,
             run->index);
    lp_run_event(run, json_pack("{s:s, s:s, s:s}", "type", "undo", "process", run->process_id,
                                "step", run->step->key));
    return LP_OK;
}

static enum lp_code
bad_text(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)!lp_step_effect(run, state, delta, err);
    json_object_set_new(delta, "bad", json_stringn("a\0b", 3));
    return LP_OK;
}

/** Its second write breaks a unique index. */
static enum lp_code
bad_write(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)!lp_step_effect(run, state, delta, err);
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
    if (rc == LP_OK && atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
        rc = lp_fail(err, LP_CONFLICT, "slot taken");
    return rc == LP_OK ? lp_step_effect(run, state, delta, err) : rc;
}

/** Has queued something already when it finds that it has to try again. */
static enum lp_code
txn_again(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    enum lp_code rc = lp_step_effect(run, state, delta, err);

    atomic_fetch_add(&lp_world.calls, 1);
    if (rc == LP_OK && atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
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
    snprintf(lp_world.route, sizeof lp_world.route, "%s", run->callback_route);
    if (lp_world.turn_us != 0)
        lp_test_turn(run->services, lp_world.turn_us);
    json_object_set_new(delta, "handed", json_true());
    if (lp_world.answer_at_once) {
        struct lp_run_env *env = run->services;
        json_auto_t *body = json_pack("{s:b, s:b}", "good", 1, "early", 1);

        return lp_engine_callback(env->engine, run->process_id, strrchr(lp_world.route, '/') + 1,
                                  body, false, err);
    }
    return LP_OK;
}

static enum lp_code
validate(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *body = json_object_get(state, "answer");

    (void)run;
    if (!lp_json_true(body, "good"))
        return lp_fail(err, lp_world.fail_code != 0 ? (enum lp_code)lp_world.fail_code : LP_REFUSED,
                       "not good");
    json_object_set_new(delta, "validated", json_true());
    return LP_OK;
}

static enum lp_code
items(struct lp_run *run, const json_t *state, json_t *out, struct lp_err *err)
{
    (void)run;
    (void)err;
    for (int i = 0; i < LP_RUN_ITEMS; i++) {
        char name[20];

        snprintf(name, sizeof name, "item %d", i);
        if (lp_world.bad_items && i % 3 == 0) {
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
                                             "validate_site", "pages", "subscription_id",
                                             lp_world.site));
    }
    return LP_OK;
}

static enum lp_code
none(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    *count = 0;
    if (atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
        return lp_fail(err, LP_DRIFT, "the list is not to be had");
    return LP_OK;
}

static enum lp_code
progress(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    lp_run_progress(run, "%d of %d", 1, 2);
    lp_run_progress(run, "%d of %d", 2, 2); /* too soon after the first to be worth a write */
    return lp_run_time_left_ms(run) > 0 ? lp_step_effect(run, state, delta, err) : LP_INTERNAL;
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
    if (run->index == 1 && atomic_fetch_sub(&lp_world.fail_times, 1) > 0)
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
    if (atomic_fetch_add(&lp_world.calls, 1) >= 2)
        return lp_step_effect(run, state, delta, err);
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
    return lp_step_effect(run, state, delta, err);
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
        snprintf(lp_world.undo_order, sizeof lp_world.undo_order, "2,1 ");
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

static const struct lp_step a = ACTION(a, lp_step_effect), c = ACTION(c, lp_step_effect);
const struct lp_step lp_step_b = ACTION(b, lp_step_effect);
static const struct lp_step *const simple_steps[] = {&a, &lp_step_b, &c};

static const struct lp_step gated = ACTION(gated, gate), gated_io = EXTERNAL(gated, gate);
static const struct lp_step *const gate_steps[] = {&a, &gated, &lp_step_b};
static const struct lp_step *const gate_io_steps[] = {&a, &gated_io, &lp_step_b};

static const struct lp_step crashing = EXTERNAL(crashing, crashes);
static const struct lp_step *const crash_steps[] = {&a, &crashing, &lp_step_b};
static const struct lp_step crashing_late = EXTERNAL(crashing, crashes_and_waits);
static const struct lp_step *const crash_wait_steps[] = {&a, &crashing_late, &lp_step_b};

static const struct lp_step bad_text_step = ACTION(bad_text, bad_text), bad_write_step = ACTION(bad_write, bad_write);
static const struct lp_step *const bad_text_steps[] = {&bad_text_step};
static const struct lp_step *const bad_write_steps[] = {&bad_write_step};

static const struct lp_step *const in_group[] = {&a, &gated, &lp_step_b};
static const struct lp_step group = {.key = "group", .title = "Group", .kind = LP_STEP_GROUP, LP_STEPS(in_group)};
static const struct lp_step *const group_steps[] = {&group, &c};

static const struct lp_step failing = ACTION(failing, fails);
static const struct lp_step *const in_whole[] = {&a, &failing, &lp_step_b};
static const struct lp_step whole = {.key = "whole", .title = "Whole", .kind = LP_STEP_GROUP, LP_STEPS(in_whole), .restart_whole = true};
static const struct lp_step x_step = ACTION(x_step, set_x);
static const struct lp_step *const whole_steps[] = {&x_step, &whole, &c};
static const struct lp_step *const fail_steps[] = {&a, &failing};

static const struct lp_step retried = {.key = "retried", .title = "Retried", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .attempts = 3, .backoff_ms = {20, 40}, .no_undo = "a test", .run = fails};
static const struct lp_step *const retry_steps[] = {&a, &retried};

const struct lp_step lp_step_ask = {.key = "ask", .title = "Ask", .kind = LP_STEP_INPUT, .form = &form_x, .no_undo = "a question"};
const struct lp_step lp_step_ask_more = {.key = "ask_again", .title = "Ask again", .kind = LP_STEP_INPUT, .form = &form_x, .no_undo = "a question"};
const struct lp_step lp_step_add_x = ACTION(add_x, set_x);
static const struct lp_step no_x = ACTION(no_x, drop_x);
static const struct lp_step *const input_steps[] = {&lp_step_ask, &lp_step_add_x, &lp_step_ask_more, &lp_step_b};
static const struct lp_step *const unset_steps[] = {&lp_step_add_x, &no_x};

static const struct lp_step call_first = {.key = "call_first", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .result_key = "answer", .wait_ms = 600000, .validate = validate, .no_undo = "a call"};
static const struct lp_step call_plain = {.key = "call_plain", .title = "Call again", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .no_undo = "a call"};
static const struct lp_step *const call_steps[] = {&call_first, &call_plain, &lp_step_b};

static const struct lp_step fan = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = items, .max_open = 4, .no_undo = "a test"};
static const struct lp_step *const fan_steps[] = {&fan, &lp_step_b};
static const struct lp_step maybe_crash = EXTERNAL(maybe_crash, crashes);
static const struct lp_step *const child_steps[] = {&a, &maybe_crash};

static const struct lp_step each = {.key = "each", .title = "Each", .kind = LP_STEP_EACH, .effects = LP_EFFECT_DB, .count = three,
    .run = each_run, .undo = undo};
static const struct lp_step *const each_steps[] = {&each, &lp_step_b};

static const struct lp_step skipped_step = {.key = "skipped", .title = "Skipped", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .when = never, .no_undo = "a test", .run = lp_step_effect};
static const struct lp_step skipped_group = {.key = "no_group", .title = "No group", .kind = LP_STEP_GROUP, .when = never, LP_STEPS(in_group)};
static const struct lp_step *const when_steps[] = {&skipped_step, &skipped_group, &c};

static const struct lp_step rw = {.key = "rw", .title = "Allocate", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
    .no_undo = "a test", .run = in_txn};
static const struct lp_step *const rw_steps[] = {&rw, &lp_step_b};

static const struct lp_step ne = EXTERNAL(ne, lock_ne);
static const struct lp_step *const lock_steps[] = {&ne, &lp_step_b};

static const struct lp_step timer = {.key = "timer", .title = "Timer", .kind = LP_STEP_WAIT, .effects = LP_EFFECT_DB, .run = wait_twice,
    .no_undo = "a test"};
static const struct lp_step *const timer_steps[] = {&timer, &lp_step_b};
static const struct lp_step later = {.key = "later", .title = "Later", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL, .attempts = 1,
                                     .run = wait_twice, .no_undo = "a test"};
static const struct lp_step *const later_steps[] = {&later, &lp_step_b};

static const struct lp_step u1 = {.key = "u1", .title = "One", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB, .run = lp_step_effect, .undo = undo};
static const struct lp_step u2 = {.key = "u2", .title = "Two", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL, .run = compensated, .undo = compensate};
static const struct lp_step *const undo_steps[] = {&u1, &a, &each, &u2, &lp_step_ask};
static const struct lp_step *const undo_gate_steps[] = {&u1, &gated_io, &lp_step_b};

static const struct lp_step *const failing_child_steps[] = {&failing};
static const struct lp_step fan_failing = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = failing_items,
    .no_undo = "a test"};
static const struct lp_step *const fan_fail_steps[] = {&fan_failing};
static const struct lp_step fan_result = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = failing_items,
    .failed_ends = true, .no_undo = "a test"};
static const struct lp_step *const fan_result_steps[] = {&fan_result, &lp_step_b};
static const struct lp_step stuck = {.key = "stuck", .title = "Stuck", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .timeout_ms = 50, .no_undo = "a test", .run = gate};
static const struct lp_step *const stuck_steps[] = {&stuck};
static const struct lp_step labelled = {.key = "labelled", .title = "Labelled", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,
    .label = "lab", .no_undo = "a test", .run = lp_step_effect};
static const struct lp_step *const label_steps[] = {&a, &labelled};

static const struct lp_step fan_site = {.key = "fan", .title = "Fan out", .kind = LP_STEP_FANOUT, .items = same_site,
    .no_undo = "a test"};
static const struct lp_step *const fan_site_steps[] = {&fan_site};
static const struct lp_step each_none = {.key = "each_none", .title = "None", .kind = LP_STEP_EACH, .effects = LP_EFFECT_DB, .count = none,
    .run = each_run, .no_undo = "a test"};
static const struct lp_step *const each_none_steps[] = {&each_none, &lp_step_b};
static const struct lp_step crashing_db = ACTION(crashing_db, crashes);
static const struct lp_step *const when_crash_steps[] = {&skipped_group, &crashing_db};
static const struct lp_step progressing = EXTERNAL(progress, progress);
static const struct lp_step *const progress_steps[] = {&progressing};
static const struct lp_step call_short = {.key = "call_short", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .wait_ms = 300, .attempts = 2, .backoff_ms = {20, 20}, .result_key = "answer", .validate = validate,
    .no_undo = "a call"};
static const struct lp_step *const call_short_steps[] = {&call_short, &lp_step_b};
static const struct lp_step call_long = {.key = "call_long", .title = "Call", .kind = LP_STEP_CALLBACK, .effects = LP_EFFECT_EXTERNAL,
    .run = hand_out, .wait_ms = 600000, .attempts = 2, .backoff_ms = {20, 20}, .result_key = "answer", .validate = validate,
    .no_undo = "a call"};
static const struct lp_step *const call_long_steps[] = {&call_long, &lp_step_b};
static const struct lp_step rw_again = {.key = "rw", .title = "Allocate", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
    .attempts = 2, .backoff_ms = {20, 20}, .no_undo = "a test", .run = txn_again};
static const struct lp_step rw_slow = {.key = "rw", .title = "Allocate slowly", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB_RW,
                                       .run = dawdles, .no_undo = "a test"};
static const struct lp_step *const rw_slow_steps[] = {&rw_slow, &lp_step_b};
static const struct lp_step *const rw_again_steps[] = {&rw_again, &lp_step_b};
static const struct lp_step u_slow = {.key = "u_slow", .title = "Slow", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL,
    .run = lp_step_effect, .undo = slow_undo};
static const struct lp_step u_crash = {.key = "u_crash", .title = "Crash", .kind = LP_STEP_ACTION, .effects = LP_EFFECT_EXTERNAL,
    .run = lp_step_effect, .undo = crashes};
static const struct lp_step *const undo_crash_steps[] = {&u_crash, &lp_step_ask};
static const struct lp_step *const undo_slow_steps[] = {&u1, &u_slow, &lp_step_ask};

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
const struct lp_workflow_set lp_run_workflows = {rows, LP_COUNT(rows)};

int64_t
lp_test_step_rows(struct lp_run_env *env, const char *id, const char *where)
{
    char sql[400];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM process_steps WHERE process_id = :id AND %s",
             where);
    return lp_test_int(env, sql, id);
}

void
lp_test_resume(struct lp_run_env *env, const char *id, const char *pages)
{
    json_auto_t *doc = pages == NULL ? NULL : json_loads(pages, 0, NULL);
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, doc, &err), &err);
}

void
lp_test_call_back(struct lp_run_env *env, const char *id, const char *body)
{
    json_auto_t *doc = json_loads(body, 0, NULL);
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(
        lp_engine_callback(env->engine, id, strrchr(lp_world.route, '/') + 1, doc, false, &err),
        &err);
}

void
lp_test_pause(struct lp_run_env *env, bool paused)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, paused, &err), &err);
}

void
lp_test_abort(struct lp_run_env *env, const char *id, bool rollback)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, rollback, &err), &err);
}

/** Nobody holds anything any more. */
void
lp_test_nothing_held(struct lp_run_env *env, const char *id)
{
    assert_int_equal(lp_test_int(env,
                                 "SELECT (SELECT count(*) FROM processes WHERE id = :id AND "
                                 "lease_owner IS NOT NULL) + (SELECT count(*) FROM process_locks "
                                 "WHERE process_id = :id) + (SELECT count(*) FROM named_locks "
                                 "WHERE process_id = :id)",
                                 id),
                     0);
}

void
lp_test_create_site(struct lp_run_env *env, char id[static LP_UUID_LEN + 1])
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
    lp_test_nothing_held(env, process);
}

void
lp_test_start_on(struct lp_run_env *env, const char *workflow, const char *subscription,
                 char id[static LP_UUID_LEN + 1])
{
    char pages[200];

    snprintf(pages, sizeof pages, "[{\"subscription_id\": \"%s\"}]", subscription);
    lp_test_start(env, workflow, pages, id);
}

int64_t
lp_test_insync(struct lp_run_env *env, const char *subscription)
{
    return lp_test_int(env, "SELECT insync FROM subscriptions WHERE id = :id", subscription);
}

int64_t
lp_test_locks_of(struct lp_run_env *env, const char *id)
{
    return lp_test_int(env, "SELECT count(*) FROM process_locks WHERE process_id = :id", id);
}

/* ---- running the cases ---- */

struct case_run {
    enum lp_dialect dialect;
    const struct lp_run_case *row;
};

static void
run_case(void **state)
{
    const struct case_run *run = *state;
    struct lp_run_env env;

    if (!lp_store_env_has(run->dialect))
        skip();
    reset();
    lp_run_env_open(&env, run->dialect, &lp_run_workflows);
    run->row->run(&env);
    lp_run_env_close(&env);
}

static int
run_all(const char *name, enum lp_dialect dialect, const struct lp_run_case *cases, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    struct case_run *runs = calloc(count, sizeof *runs);
    int failed;

    assert_non_null(tests);
    assert_non_null(runs);
    for (size_t i = 0; i < count; i++) {
        runs[i] = (struct case_run){dialect, &cases[i]};
        tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, &runs[i]};
    }
    failed = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
    free(tests);
    free(runs);
    return failed;
}

int
lp_run_cases(const struct lp_run_case *cases, size_t count)
{
    int failed;

    lp_test_apply_filter();
    failed = run_all("sqlite", LP_DIALECT_SQLITE, cases, count);
    return failed + run_all("postgres", LP_DIALECT_POSTGRES, cases, count);
}
