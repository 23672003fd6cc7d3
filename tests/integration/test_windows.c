/* Maintenance windows: when they are open (both turns of Europe/Rome), what an operator may write,
 * and processes that are bound to one, on both databases. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/windows.h"
#include "tests/support/run_env.h"
#include "tests/support/test_main.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

/* ---- times ---- */

static int64_t
utc(int y, int mo, int d, int h, int mi)
{
    return (lp_civil_days(y, mo, d) * 86400 + h * 3600 + mi * 60) * SECOND;
}

static struct lp_window_times
look(const struct lp_window *w, int64_t now)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_zone *zone = NULL;
    struct lp_window_times times;

    lp_test_ok(lp_zone_load(w->timezone, &zone, &err), &err);
    lp_window_times(w, zone, now, &times);
    lp_zone_free(zone);
    return times;
}

static void
assert_next(const struct lp_window *w, int64_t now, bool open, int64_t opens, int64_t closes)
{
    struct lp_window_times t = look(w, now);

    assert_int_equal(t.open, open);
    assert_int_equal(t.opens_us, opens);
    assert_int_equal(t.closes_us, closes);
}

static const struct lp_window night = {.timezone = "Europe/Rome",
                                       .days = 127,
                                       .opens_min = 120,
                                       .closes_min = 240,
                                       .begins_us = INT64_MIN,
                                       .ends_us = INT64_MAX};

static void
recurring_times(void **unused)
{
    struct lp_window w = night;

    (void)unused;
    assert_next(&w, utc(2026, 6, 1, 12, 0), false, utc(2026, 6, 2, 0, 0), utc(2026, 6, 2, 2, 0));
    assert_next(&w, utc(2026, 6, 2, 0, 0), true, utc(2026, 6, 2, 0, 0), utc(2026, 6, 2, 2, 0));
    assert_next(&w, utc(2026, 6, 2, 2, 0), false, utc(2026, 6, 3, 0, 0), utc(2026, 6, 3, 2, 0));
    w.margin_s = 600;
    assert_next(&w, utc(2026, 6, 2, 1, 49), true, utc(2026, 6, 2, 0, 0), utc(2026, 6, 2, 2, 0));
    assert_next(&w, utc(2026, 6, 2, 1, 50), false, utc(2026, 6, 3, 0, 0), utc(2026, 6, 3, 2, 0));
    w = night;
    w.days = 1u << 2; /* Tuesdays; 22:00 to 04:00 reaches into Wednesday */
    w.opens_min = 22 * 60;
    assert_next(&w, utc(2026, 6, 3, 1, 0), true, utc(2026, 6, 2, 20, 0), utc(2026, 6, 3, 2, 0));
    assert_next(&w, utc(2026, 6, 3, 3, 0), false, utc(2026, 6, 9, 20, 0), utc(2026, 6, 10, 2, 0));
    w = night;
    w.begins_us = utc(2026, 7, 1, 1, 0);
    w.ends_us = utc(2026, 7, 2, 1, 0);
    assert_next(&w, utc(2026, 1, 1, 0, 0), false, utc(2026, 7, 1, 1, 0), utc(2026, 7, 1, 2, 0));
    assert_next(&w, utc(2026, 7, 2, 0, 30), true, utc(2026, 7, 2, 0, 0), utc(2026, 7, 2, 1, 0));
    assert_next(&w, utc(2026, 7, 2, 1, 0), false, INT64_MAX, INT64_MAX);
}

static void
turns_of_rome(void **unused)
{
    struct lp_window w = night;

    (void)unused;
    /* 29 March: 02:00 does not exist, the window is the hour from 03:00 to 04:00 */
    assert_next(&w, utc(2026, 3, 28, 12, 0), false, utc(2026, 3, 29, 1, 0), utc(2026, 3, 29, 2, 0));
    /* 25 October: from the first 02:00 to 04:00, three hours */
    assert_next(&w, utc(2026, 10, 24, 12, 0), false, utc(2026, 10, 25, 0, 0),
                utc(2026, 10, 25, 3, 0));
    assert_next(&w, utc(2026, 10, 25, 1, 30), true, utc(2026, 10, 25, 0, 0),
                utc(2026, 10, 25, 3, 0));
    /* an end that comes twice counts the first time */
    w.opens_min = 60;
    w.closes_min = 150;
    assert_next(&w, utc(2026, 10, 24, 12, 0), false, utc(2026, 10, 24, 23, 0),
                utc(2026, 10, 25, 0, 30));
    /* a window inside the gap does not open that night */
    w.opens_min = 130;
    assert_next(&w, utc(2026, 3, 28, 12, 0), false, utc(2026, 3, 30, 0, 10),
                utc(2026, 3, 30, 0, 30));
}

static void
once_only(void **unused)
{
    struct lp_window w = {.timezone = "UTC",
                          .opens_min = -1,
                          .begins_us = utc(2026, 6, 1, 2, 0),
                          .ends_us = utc(2026, 6, 1, 4, 0)};

    (void)unused;
    assert_next(&w, utc(2026, 5, 1, 0, 0), false, w.begins_us, w.ends_us);
    assert_next(&w, utc(2026, 6, 1, 3, 0), true, w.begins_us, w.ends_us);
    assert_next(&w, utc(2026, 6, 1, 4, 0), false, INT64_MAX, INT64_MAX);
}

/* ---- steps ---- */

static struct {
    atomic_int calls, gated;
    int64_t turn_us; /* a gated step takes so long */
    struct lp_run_env *env;
    char route[200]; /* of the callback */
} g;

static enum lp_code
plain(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *window = lp_json_str(state, "bind", NULL);

    (void)delta;
    atomic_fetch_add(&g.calls, 1);
    return window == NULL ? LP_OK : lp_run_bind_window(run, window, err);
}

static enum lp_code
apply(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    (void)err;
    atomic_fetch_add(&g.gated, 1);
    if (g.turn_us != 0)
        lp_test_turn(g.env, g.turn_us);
    return LP_OK;
}

static enum lp_code
call(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)delta;
    (void)err;
    snprintf(g.route, sizeof g.route, "%s", run->callback_route);
    atomic_fetch_add(&g.calls, 1);
    return LP_OK;
}

static enum lp_code
five(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = 5;
    return LP_OK;
}

static const struct lp_step prepare = {.key = "prepare",
                                       .title = "Prepare",
                                       .kind = LP_STEP_ACTION,
                                       .effects = LP_EFFECT_DB,
                                       .no_undo = "nothing",
                                       .run = plain};
static const struct lp_step rows = {.key = "apply",
                                    .title = "Apply",
                                    .kind = LP_STEP_EACH,
                                    .effects = LP_EFFECT_EXTERNAL,
                                    .in_window = true,
                                    .no_undo = "nothing",
                                    .count = five,
                                    .run = apply};
static const struct lp_step one = {
    .key = "one", .title = "One", .kind = LP_STEP_ACTION, .no_undo = "nothing", .run = apply};
static const struct lp_step asks = {.key = "asks",
                                    .title = "Ask another system",
                                    .kind = LP_STEP_CALLBACK,
                                    .effects = LP_EFFECT_EXTERNAL,
                                    .label = "lab",
                                    .no_undo = "nothing",
                                    .run = call};
static const struct lp_step *const asking_steps[] = {&asks};
static const struct lp_step *const gated_steps[] = {&prepare, &rows};
static const struct lp_step *const all_steps[] = {&one};

static enum lp_code
bind_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    return lp_window_field(ctx, page, "bind", err);
}
static const struct lp_page bind_pages[] = {{.title = "Bind", .build = bind_build}};
static const struct lp_form bind_form = {LP_PAGES(bind_pages)};

static const struct lp_workflow workflows[] = {
    {.name = "task_gated",
     .description = "gated rows",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &bind_form,
     LP_STEPS(gated_steps)},
    {.name = "task_all",
     .description = "no step says so",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(all_steps)},
    {.name = "task_asks",
     .description = "asks another system",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(asking_steps)},
};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};

/* ---- service ---- */

static json_t *
create(struct lp_run_env *env, const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads(text, 0, NULL);
    json_t *out = NULL;

    assert_non_null(body);
    lp_test_ok(lp_window_create(env->engine, &lp_test_caller, body, &out, &err), &err);
    return out;
}

static void
refused(struct lp_run_env *env, const char *text, enum lp_code code, const char *pointer)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads(text, 0, NULL);
    json_t *out = NULL;

    if (lp_window_create(env->engine, &lp_test_caller, body, &out, &err) != code
        || strcmp(err.pointer, pointer) != 0)
        fail_msg("%s: %s at %s", text, err.msg, err.pointer);
    lp_err_clear(&err);
}

static void
operators(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_caller reader = {.actor = "rita", .role = LP_ROLE_READ};
    json_auto_t *patch = json_pack("{s:s, s:[s]}", "closes", "05:00", "days", "sun");
    json_t *w = create(env, "{\"name\":\"night\",\"timezone\":\"Europe/"
                            "Rome\",\"opens\":\"02:00\",\"closes\":\"04:00\","
                            "\"description\":\"quiet\"}");

    assert_string_equal(lp_json_str(w, "opens", ""), "02:00");
    assert_int_equal(json_array_size(json_object_get(w, "days")), 7);
    json_decref(w);
    refused(env, "{\"name\":\"night\",\"opens\":\"02:00\",\"closes\":\"04:00\"}", LP_CONFLICT,
            "/name");
    refused(env, "{\"name\":\"x\"}", LP_INVALID, "/opens");
    refused(env, "{\"name\":\"\",\"opens\":\"02:00\",\"closes\":\"04:00\"}", LP_INVALID, "/name");
    refused(env, "{\"name\":\"x\",\"opens\":\"2:00\",\"closes\":\"04:00\"}", LP_INVALID, "/opens");
    refused(env, "{\"name\":\"x\",\"opens\":\"02:00\",\"closes\":\"24:01\"}", LP_INVALID,
            "/closes");
    refused(env, "{\"name\":\"x\",\"opens\":\"02:00\",\"closes\":\"04:00\",\"days\":[\"day\"]}",
            LP_INVALID, "/days");
    refused(env, "{\"name\":\"x\",\"opens\":\"02:00\",\"closes\":\"04:00\",\"days\":[]}",
            LP_INVALID, "/days");
    refused(env, "{\"name\":\"x\",\"opens\":\"02:00\",\"closes\":\"04:00\",\"timezone\":\"Mars\"}",
            LP_INVALID, "/timezone");
    refused(env, "{\"name\":\"x\",\"starts\":\"2026-01-01T00:00\",\"ends\":\"2020-01-01T00:00\"}",
            LP_INVALID, "/name");
    refused(env, "{\"name\":\"x\",\"starts\":1,\"ends\":2}", LP_INVALID, "/starts");
    refused(env, "{\"name\":\"x\",\"opens\":\"02:00\",\"closes\":\"02:10\",\"margin_seconds\":600}",
            LP_INVALID, "/name");
    w = NULL;
    lp_test_ok(lp_window_change(env->engine, &lp_test_caller, "night", patch, &w, &err), &err);
    assert_string_equal(lp_json_str(w, "closes", ""), "05:00");
    assert_string_equal(lp_json_str(w, "description", ""), "quiet");
    assert_int_equal(lp_json_int(w, "version", 0), 2);
    json_decref(w);
    w = NULL;
    assert_int_equal(lp_window_change(env->engine, &reader, "night", patch, &w, &err), LP_DENIED);
    lp_err_clear(&err);
    assert_int_equal(lp_window_delete(env->engine, &lp_test_caller, "day", &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    lp_test_ok(lp_window_delete(env->engine, &lp_test_caller, "night", &err), &err);
}

/* ---- bound processes ---- */

/** Whoever sleeps by the clock is woken: it was set to the time before. */
static void
turn(struct lp_run_env *env, int64_t us)
{
    lp_test_turn(env, us);
    lp_executor_poke(env->engine, NULL);
}

/** A window of two hours that opens `in` seconds from now. */
static void
soon(struct lp_run_env *env, const char *name, int64_t in)
{
    char text[200];
    int64_t now = lp_clock_utc_us(&env->db.clock) / SECOND;

    snprintf(text, sizeof text, "{\"name\":\"%s\",\"starts\":%lld,\"ends\":%lld}", name,
             (long long)(now + in), (long long)(now + in + 7200));
    json_decref(create(env, text));
}

/** One that opens every day, now, for two hours. */
static void
daily(struct lp_run_env *env, const char *name)
{
    char text[200];
    int minute = (int)(lp_clock_utc_us(&env->db.clock) / SECOND / 60 % 1440);

    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"opens\":\"%02d:%02d\",\"closes\":\"%02d:%02d\"}", name,
             minute / 60, minute % 60, (minute / 60 + 2) % 24, minute % 60);
    json_decref(create(env, text));
}

static void
begin(struct lp_run_env *env, const char *workflow, const char *window, char *id)
{
    struct lp_err err = LP_ERR_INIT;

    atomic_store(&g.calls, 0);
    atomic_store(&g.gated, 0);
    g.turn_us = 0;
    g.env = env;
    lp_test_ok(lp_engine_begin(env->engine, &lp_test_caller,
                               &(struct lp_start){.workflow = workflow, .window = window}, id,
                               &err),
               &err);
}

static void
waits_and_opens(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    soon(env, "later", 3600);
    begin(env, "task_gated", "later", id);
    lp_test_wait(env, id, "waiting");
    assert_string_equal(lp_test_text(env, "SELECT wait_kind FROM processes WHERE id = :id", id),
                        "window");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT wait_reason FROM processes WHERE id = :id", id),
               "'later' opens 20"));
    assert_int_equal(atomic_load(&g.calls), 1); /* what is not gated went ahead */
    assert_int_equal(atomic_load(&g.gated), 0);
    assert_int_equal(lp_window_delete(env->engine, &lp_test_caller, "later", &err), LP_CONFLICT);
    assert_non_null(strstr(err.msg, "1 unfinished"));
    lp_err_clear(&err);
    turn(env, HOUR + 5 * SECOND);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.gated), 5);
    lp_test_ok(lp_window_delete(env->engine, &lp_test_caller, "later", &err), &err);
}

static void
open_window(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    daily(env, "daily");
    begin(env, "task_gated", "daily", id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.gated), 5);
}

/* Stops cleanly at the end, goes on in the next opening at the row it had come to. */
static void
closes_between_rows(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *w = NULL;

    daily(env, "nightly");
    soon(env, "gate", 600); /* holds the start until the step is told to be slow */
    begin(env, "task_gated", "gate", id);
    lp_test_wait(env, id, "waiting");
    g.turn_us = 45 * 60 * SECOND; /* three rows and the window of two hours is over */
    lp_test_ok(lp_engine_bind_window(env->engine, &lp_test_caller, id, "nightly", &err), &err);
    lp_test_until(env,
                  "SELECT CASE WHEN wait_reason LIKE '%nightly%' THEN 1 ELSE 0 END FROM processes "
                  "WHERE id = :id",
                  id, 1);
    lp_test_wait(env, id, "waiting");
    assert_int_equal(atomic_load(&g.gated), 3);
    assert_int_equal(
        lp_test_int(env,
                    "SELECT count(*) FROM process_steps WHERE process_id = :id AND key "
                    "LIKE 'apply/%' AND status = 'success'",
                    id),
        3);
    g.turn_us = 0;
    lp_test_ok(lp_window_get(env->engine, "nightly", &w, &err), &err);
    assert_false(json_is_true(json_object_get(w, "open")));
    turn(env,
         lp_json_int(w, "next_opens_at", 0) * SECOND - lp_clock_utc_us(&env->db.clock) + SECOND);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.gated), 5);
}

static void
answer(struct lp_run_env *env, const char *id)
{
    json_auto_t *body = json_object();
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_callback(env->engine, id, strrchr(g.route, '/') + 1, body, false, &err),
               &err);
}

/* The window closed, or the executor that asked has gone: the other system is not asked again. */
static void
answers_are_taken(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_stop(env);
    env->conf_lines[env->conf_count++] = "executor.labels=lab";
    lp_run_env_start(env);
    daily(env, "asking");
    begin(env, "task_asks", "asking", id);
    lp_test_wait(env, id, "awaiting_callback");
    turn(env, 3 * HOUR);
    answer(env, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.calls), 1);

    begin(env, "task_asks", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    lp_run_env_stop(env);
    env->conf_lines[env->conf_count - 1] = "executor.labels=other";
    lp_run_env_start(env);
    answer(env, id);
    lp_test_wait(env, id, "waiting");
    lp_run_env_stop(env);
    env->conf_lines[env->conf_count - 1] = "executor.labels=lab";
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&g.calls), 1);
}

static void
never_again(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    soon(env, "missed", 10);
    turn(env, 3 * HOUR);
    begin(env, "task_gated", "missed", id);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "never opens again"));
    lp_test_ok(lp_engine_bind_window(env->engine, &lp_test_caller, id, NULL, &err), &err);
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, NULL, &err), &err);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_engine_bind_window(env->engine, &lp_test_caller, id, NULL, &err),
                     LP_CONFLICT);
    lp_err_clear(&err);
    assert_int_equal(lp_engine_begin(env->engine, &lp_test_caller,
                                     &(struct lp_start){.workflow = "task_all", .window = "none"},
                                     id, &err),
                     LP_INVALID);
    lp_err_clear(&err);
}

static void
whole_workflow(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *patch = NULL;
    json_t *w = NULL;
    int64_t now = lp_clock_utc_us(&env->db.clock) / SECOND;

    soon(env, "whole", 3600);
    begin(env, "task_all", "whole", id);
    lp_test_wait(env, id, "waiting");
    assert_int_equal(atomic_load(&g.gated), 0);
    /* the operator opens it now: who waits looks again */
    patch = json_pack("{s:I}", "starts", (json_int_t)(now - 10));
    lp_test_ok(lp_window_change(env->engine, &lp_test_caller, "whole", patch, &w, &err), &err);
    json_decref(w);
    lp_test_wait(env, id, "completed");
}

static void
step_binds(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], pages[200];
    struct lp_err err = LP_ERR_INIT;
    json_t *w = NULL;

    soon(env, "bound", 3600);
    lp_test_ok(lp_window_get(env->engine, "bound", &w, &err), &err);
    snprintf(pages, sizeof pages, "[{\"bind\":\"%s\"}]", lp_json_str(w, "id", ""));
    json_decref(w);
    atomic_store(&g.gated, 0);
    g.turn_us = 0;
    g.env = env;
    lp_test_start(env, "task_gated", pages, id);
    lp_test_wait(env, id, "waiting");
    assert_int_equal(atomic_load(&g.gated), 0);
    turn(env, HOUR + 5 * SECOND);
    lp_test_wait(env, id, "completed");
}

static void
on(enum lp_dialect dialect, void (*fn)(struct lp_run_env *env))
{
    struct lp_run_env env;

    lp_run_env_open(&env, dialect, &set);
    lp_run_env_start(&env);
    fn(&env);
    lp_run_env_close(&env);
}

static void
bound(enum lp_dialect dialect)
{
    on(dialect, operators);
    on(dialect, waits_and_opens);
    on(dialect, open_window);
    on(dialect, closes_between_rows);
    on(dialect, never_again);
    on(dialect, whole_workflow);
    on(dialect, step_binds);
    on(dialect, answers_are_taken);
}

static void
bound_sqlite(void **unused)
{
    (void)unused;
    bound(LP_DIALECT_SQLITE);
}

static void
bound_postgres(void **unused)
{
    (void)unused;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    bound(LP_DIALECT_POSTGRES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurring_times), cmocka_unit_test(turns_of_rome),
        cmocka_unit_test(once_only),       cmocka_unit_test(bound_sqlite),
        cmocka_unit_test(bound_postgres),
    };

    return LP_RUN_TESTS(tests);
}
