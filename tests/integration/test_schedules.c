/* Schedules on both databases: what an operator may write, what becomes of every due time, and that
 * each happens once whoever looks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "engine/internal.h"
#include "engine/schedules.h"
#include "scheduler/scheduler.h"
#include "store/retention.h"
#include "tests/support/run_env.h"
#include "tests/support/test_main.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* ---- workflows ---- */

static struct {
    atomic_int fail, hold;
    bool refuse;
} g;

static enum lp_code
tick(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)delta;
    while (atomic_load(&g.hold) != 0 && lp_run_time_left_ms(run) > 0)
        usleep(1000);
    return atomic_load(&g.fail) != 0 ? lp_fail(err, LP_REFUSED, "not today") : LP_OK;
}

static const struct lp_step step_tick = {.key = "tick",
                                         .title = "Tick",
                                         .kind = LP_STEP_ACTION,
                                         .effects = LP_EFFECT_EXTERNAL,
                                         .no_undo = "nothing",
                                         .run = tick};
static const struct lp_step *const tick_steps[] = {&step_tick};

static enum lp_code
flaky(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    return lp_fail(err, LP_RETRYABLE, "nobody answers");
}

static const struct lp_step step_flaky = {.key = "flaky",
                                          .title = "Flaky",
                                          .kind = LP_STEP_ACTION,
                                          .effects = LP_EFFECT_EXTERNAL,
                                          .attempts = 5,
                                          .backoff_ms = {400, 6400},
                                          .no_undo = "nothing",
                                          .run = flaky};
static const struct lp_step *const flaky_steps[] = {&step_flaky};

static enum lp_code
predicate(struct lp_reader *reader, const struct lp_workflow *workflow, struct lp_err *err)
{
    (void)reader;
    (void)workflow;
    return g.refuse ? lp_fail(err, LP_PRECONDITION, "nothing to do") : LP_OK;
}

static enum lp_code
word_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {
        .name = "word", .kind = LP_FIELD_STRING, .required = true, .required_in = -1};

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    return LP_OK;
}
static const struct lp_page word_pages[] = {{.title = "Word", .build = word_build}};
static const struct lp_form word_form = {LP_PAGES(word_pages)};

static const struct lp_workflow workflows[] = {
    {.name = "task_tick",
     .description = "Tick",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .predicate = predicate,
     LP_STEPS(tick_steps)},
    {.name = "task_word",
     .description = "Needs a word",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .form = &word_form,
     LP_STEPS(tick_steps)},
    {.name = "task_flaky",
     .description = "Tries again",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(flaky_steps)},
    {.name = "task_admin",
     .description = "For administrators",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_ADMIN,
     LP_STEPS(tick_steps)},
};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};
static const struct lp_workflow_set fewer = {workflows + 1, LP_COUNT(workflows) - 1};

static const struct lp_caller olga = {
    .actor = "olga", .role = LP_ROLE_OPERATE, .correlation_id = "c"};

/* ---- helpers ---- */

static bool
always(void *arg)
{
    (void)arg;
    return true;
}

static enum lp_code
look(struct lp_run_env *env, struct lp_err *err)
{
    size_t dealt;

    return lp_schedules_run(env->engine, always, NULL, &dealt, err);
}

static void
run_due(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(look(env, &err), &err);
}

/** Turns the clock and looks. */
static void
later(struct lp_run_env *env, int64_t us)
{
    lp_test_turn(env, us);
    lp_executor_poke(env->engine, NULL);
    run_due(env);
}

static void
set_clock(struct lp_run_env *env, int64_t utc_us)
{
    lp_test_turn(env, utc_us - lp_clock_utc_us(&env->db.clock));
}

static void
create(struct lp_run_env *env, const struct lp_caller *caller, const char *text, char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads(text, 0, NULL);
    json_auto_t *out = NULL;

    assert_non_null(body);
    lp_test_ok(lp_schedule_create(env->engine, caller, body, &out, &err), &err);
    snprintf(id, LP_UUID_LEN + 1, "%s", lp_json_str(out, "id", ""));
}

static void
change(struct lp_run_env *env, const char *id, const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads(text, 0, NULL);
    json_auto_t *out = NULL;

    assert_non_null(body);
    lp_test_ok(lp_schedule_change(env->engine, &lp_test_caller, id, body, &out, &err), &err);
}

static int64_t
runs(struct lp_run_env *env, const char *id, const char *outcome)
{
    char sql[200];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM schedule_runs WHERE schedule_id = :id AND outcome = '%s'",
             outcome);
    return lp_test_int(env, sql, id);
}

static int64_t
processes(struct lp_run_env *env)
{
    return lp_test_int(env, "SELECT count(*) FROM processes WHERE :id = :id", "x");
}

/* Hours: a slow machine must not see a further due time between two lines of a test. */
#define EVERY_HOUR                                                                                 \
    "\"workflow_name\":\"task_tick\",\"trigger\":\"interval\",\"trigger_kwargs\":{\"hours\":1}"

static void
reset(void)
{
    atomic_store(&g.fail, 0);
    atomic_store(&g.hold, 0);
    g.refuse = false;
}

/* ---- what an operator may write ---- */

static void
refused(struct lp_run_env *env, const char *text, enum lp_code code, const char *pointer)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads(text, 0, NULL);
    json_t *out = NULL;

    assert_non_null(body);
    if (lp_schedule_create(env->engine, &olga, body, &out, &err) != code
        || strcmp(err.pointer, pointer) != 0)
        fail_msg("%s: %d %s at '%s'", text, err.code, err.msg, err.pointer);
    lp_err_clear(&err);
}

static void
refuses(struct lp_run_env *env)
{
    static const struct {
        const char *kwargs, *pointer;
    } cron[] = {{"{\"expression\":\"0 3 31 2 *\"}", "/trigger_kwargs"},
                {"{\"day\":\"31\",\"month\":\"2\"}", "/trigger_kwargs"},
                {"{\"expression\":\"0 3 * *\"}", "/trigger_kwargs/expression"},
                {"{\"expression\":3}", "/trigger_kwargs/expression"},
                {"{\"minute\":\"61\"}", "/trigger_kwargs/minute"},
                {"{\"minute\":[1]}", "/trigger_kwargs/minute"},
                {"{\"year\":2031,\"hour\":3}", "/trigger_kwargs/year"},
                {"{\"week\":\"7\"}", "/trigger_kwargs/week"},
                {"{}", "/trigger_kwargs"},
                {"{\"hour\":3,\"timezone\":\"Europe/Rom\"}", "/trigger_kwargs/timezone"},
                {"{\"hour\":3,\"timezone\":7}", "/trigger_kwargs/timezone"},
                {"{\"hour\":3,\"jitter\":-1}", "/trigger_kwargs/jitter"},
                {"{\"hour\":3,\"end_date\":\"2001-01-01T00:00:00Z\"}", "/trigger_kwargs"},
                {"{\"hour\":3,\"start_date\":\"soon\"}", "/trigger_kwargs/start_date"},
                {"{\"hour\":3,\"expression\":\"0 3 * * *\"}", "/trigger_kwargs"}};
    char text[400];

    for (size_t i = 0; i < LP_COUNT(cron); i++) {
        snprintf(text, sizeof text,
                 "{\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_kwargs\":%s}",
                 cron[i].kwargs);
        refused(env, text, LP_INVALID, cron[i].pointer);
    }
    refused(env, "{" EVERY_HOUR ",\"misfire\":\"never\"}", LP_INVALID, "/misfire");
    refused(env, "{" EVERY_HOUR ",\"misfire_most\":0}", LP_INVALID, "/misfire_most");
    refused(env, "{" EVERY_HOUR ",\"grace_seconds\":\"1\"}", LP_INVALID, "/grace_seconds");
    refused(env, "{" EVERY_HOUR ",\"window\":\"none\"}", LP_INVALID, "/window");
    refused(env, "{" EVERY_HOUR ",\"user_inputs\":{}}", LP_INVALID, "/user_inputs");
    refused(env, "{" EVERY_HOUR ",\"user_inputs\":[{\"more\":1}]}", LP_INVALID, "/user_inputs");
    refused(env, "{" EVERY_HOUR ",\"name\":\" \"}", LP_INVALID, "/name");
    refused(env,
            "{\"workflow_name\":\"task_tick\",\"trigger\":\"interval\",\"trigger_kwargs\":{"
            "\"seconds\":0}}",
            LP_INVALID, "/trigger_kwargs");
    refused(env,
            "{\"workflow_name\":\"task_tick\",\"trigger\":\"date\",\"trigger_kwargs\":{\"run_"
            "date\":\"2001-01-01T00:00\"}}",
            LP_INVALID, "/trigger_kwargs");
    refused(env,
            "{\"workflow_name\":\"task_word\",\"trigger\":\"interval\",\"trigger_kwargs\":{"
            "\"hours\":1}}",
            LP_INVALID, "/user_inputs");
    refused(env, "{\"workflow_name\":\"task_none\",\"trigger\":\"interval\",\"trigger_kwargs\":{}}",
            LP_NOT_FOUND, "");
    refused(env, "{\"trigger\":\"interval\",\"trigger_kwargs\":{}}", LP_INVALID, "/workflow_name");
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM schedules WHERE :id = :id", "x"), 0);
}

static void
round_trip(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *out = NULL;

    /* what the usual front end sends: everything in texts, the weekday as people count it */
    create(env, &olga,
           "{\"name\":\"weekly\",\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_"
           "kwargs\":"
           "{\"minute\":\"0\",\"hour\":\"3\",\"day\":\"*\",\"month\":\"*\",\"day_of_week\":\"1\","
           "\"timezone\":\"Europe/Rome\"},\"user_inputs\":[{}]}",
           id);
    lp_test_ok(lp_schedule_get(env->engine, id, &out, &err), &err);
    assert_string_equal(lp_json_str(out, "text", ""), "cron 0 3 * * 1 (Europe/Rome)");
    assert_string_equal(lp_json_str(out, "misfire", ""), "once");
    assert_true(lp_json_int(out, "next_run_time", 0) > lp_clock_utc_us(&env->db.clock) / SECOND);
    json_decref(out);
    change(env, id, "{\"trigger_kwargs\":{\"expression\":\"0 4 L * *\"},\"name\":\"monthly\"}");
    out = NULL;
    lp_test_ok(lp_schedule_list(env->engine, &out, &err), &err);
    assert_int_equal(json_array_size(out), 1);
    assert_string_equal(lp_json_str(json_array_get(out, 0), "text", ""), "cron 0 4 L * * (UTC)");
    assert_string_equal(lp_json_str(json_array_get(out, 0), "name", ""), "monthly");
    json_decref(out);
    lp_test_ok(lp_schedule_delete(env->engine, &olga, id, &err), &err);
    assert_int_equal(lp_schedule_delete(env->engine, &olga, id, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
}

/* ---- due times ---- */

static void
starts_when_due(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    int64_t us = 0;
    json_t *list = NULL;

    lp_test_ok(lp_schedules_sleep(env->engine, &us, &err), &err);
    assert_true(us == INT64_MAX);
    create(env, &olga, "{" EVERY_HOUR "}", id);
    run_due(env);
    assert_int_equal(processes(env), 0);
    lp_test_ok(lp_schedules_sleep(env->engine, &us, &err), &err);
    assert_true(us > HOUR / 2 && us <= HOUR);
    later(env, HOUR);
    assert_int_equal(processes(env), 1);
    run_due(env);
    assert_int_equal(processes(env), 1);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 2);
    lp_test_ok(lp_schedule_runs(env->engine, id, INT64_MAX, 10, &list, &err), &err);
    assert_int_equal(json_array_size(list), 2);
    lp_test_wait(env, lp_json_str(json_array_get(list, 0), "process_id", ""), "completed");
    assert_string_equal(
        lp_test_text(env, "SELECT created_by || ': ' || reason FROM processes WHERE id = :id",
                     lp_json_str(json_array_get(list, 0), "process_id", "")),
        "olga: schedule 'Tick'");
    json_decref(list);
    change(env, id, "{\"paused\":true}");
    later(env, 5 * HOUR);
    assert_int_equal(processes(env), 2);
    change(env, id, "{\"paused\":false}"); /* what came meanwhile was not wanted */
    run_due(env);
    assert_int_equal(processes(env), 2);
    later(env, HOUR);
    assert_int_equal(processes(env), 3);
    lp_test_ok(lp_schedule_delete(env->engine, &olga, id, &err), &err);
    later(env, 5 * HOUR);
    assert_int_equal(processes(env), 3);
}

static void
once_at(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], text[200];

    snprintf(text, sizeof text,
             "{\"workflow_name\":\"task_tick\",\"trigger\":\"date\",\"trigger_kwargs\":{\"run_"
             "date\":%lld}}",
             (long long)(lp_clock_utc_us(&env->db.clock) / SECOND + 3600));
    create(env, &olga, text, id);
    later(env, 59 * MINUTE);
    assert_int_equal(processes(env), 0);
    later(env, MINUTE + SECOND);
    assert_int_equal(processes(env), 1);
    later(env, DAY);
    assert_int_equal(processes(env), 1);
}

static void
misfires(struct lp_run_env *env)
{
    char skip_id[LP_UUID_LEN + 1], once_id[LP_UUID_LEN + 1], all_id[LP_UUID_LEN + 1];

    create(env, &olga, "{" EVERY_HOUR ",\"misfire\":\"skip\",\"grace_seconds\":1800}", skip_id);
    create(env, &olga, "{" EVERY_HOUR ",\"misfire\":\"once\",\"grace_seconds\":1800}", once_id);
    create(env, &olga,
           "{" EVERY_HOUR ",\"misfire\":\"all\",\"misfire_most\":3,\"grace_seconds\":1}", all_id);
    later(env, 10 * HOUR + 45 * MINUTE); /* nobody was there for ten due times */
    assert_int_equal(runs(env, skip_id, "started"), 0);
    assert_int_equal(runs(env, skip_id, "missed"), 1);
    assert_non_null(strstr(
        lp_test_text(env, "SELECT reason FROM schedule_runs WHERE schedule_id = :id", skip_id),
        "10 due times"));
    assert_int_equal(runs(env, once_id, "started"), 1);
    assert_int_equal(runs(env, once_id, "missed"), 1);
    assert_int_equal(runs(env, all_id, "started"), 3);
    assert_int_equal(runs(env, all_id, "missed"), 1);
    later(env, 20 * MINUTE); /* the eleventh is on time */
    assert_int_equal(runs(env, skip_id, "started"), 1);
    assert_int_equal(runs(env, once_id, "started"), 2);
}

/* A late start within the grace is on time: nothing is dropped, none comes twice. */
static void
W38_nothing_is_lost(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *list = NULL;

    create(env, &olga,
           "{\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_kwargs\":{"
           "\"expression\":\"* * * * * *\"},\"grace_seconds\":600}",
           id);
    later(env, 30 * SECOND);
    assert_true(runs(env, id, "started") >= 29);
    assert_int_equal(runs(env, id, "missed"), 0);
    assert_int_equal(processes(env), runs(env, id, "started"));
    lp_test_ok(lp_schedule_runs(env->engine, id, INT64_MAX, 100, &list, &err), &err);
    for (size_t i = 1; i < json_array_size(list); i++)
        assert_int_equal(lp_json_int(json_array_get(list, i - 1), "due_at", 0)
                             - lp_json_int(json_array_get(list, i), "due_at", 0),
                         1);
    json_decref(list);
    lp_test_ok(lp_schedule_delete(env->engine, &lp_test_caller, id, &err), &err);
    /* the answer to a change is the change: no queue, no later error; 1 is Monday, 0 and 7 Sunday
     */
    create(env, &olga,
           "{\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_kwargs\":{\"day_of_"
           "week\":1}}",
           id);
    lp_test_ok(lp_schedule_get(env->engine, id, &list, &err), &err);
    assert_int_equal(lp_civil_weekday(lp_json_int(list, "next_run_time", 0) / 86400), 1);
    json_decref(list);
}

static void
jitter_spreads(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    int64_t at;

    create(env, &olga,
           "{\"workflow_name\":\"task_tick\",\"trigger\":\"interval\",\"trigger_kwargs\":{"
           "\"hours\":1,\"jitter\":600}}",
           id);
    at = lp_test_int(env, "SELECT start_at - due_at FROM schedules WHERE id = :id", id);
    assert_in_range(at, 0, 600 * SECOND);
    change(env, id, "{\"name\":\"other\"}");
    assert_int_equal(lp_test_int(env, "SELECT start_at - due_at FROM schedules WHERE id = :id", id),
                     at);
    later(env, HOUR + 11 * MINUTE);
    assert_int_equal(processes(env), 1);
}

/* ---- the turns of Europe/Rome, with the clock set ---- */

static void
due_texts(struct lp_run_env *env, const char *id, struct lp_buf *out)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *list = NULL;
    struct lp_zone *utc = NULL;
    char text[33];

    lp_test_ok(lp_zone_load("UTC", &utc, &err), &err);
    lp_test_ok(lp_schedule_runs(env->engine, id, INT64_MAX, 100, &list, &err), &err);
    for (size_t i = json_array_size(list); i-- > 0;) {
        lp_zone_text(utc, lp_json_int(json_array_get(list, i), "due_at", 0), text);
        lp_buf_printf(out, "%.14s ", text + 5);
    }
    lp_zone_free(utc);
}

static void
through(struct lp_run_env *env, int64_t from_s, const char *expected)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf got = LP_BUF_INIT;
    char id[LP_UUID_LEN + 1];

    set_clock(env, from_s * SECOND);
    create(env, &olga,
           "{\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_kwargs\":{"
           "\"expression\":\"30 2 * * *\",\"timezone\":\"Europe/Rome\"}}",
           id);
    for (int i = 0; i < 3 * 24 * 2; i++)
        later(env, 30 * MINUTE);
    due_texts(env, id, &got);
    assert_string_equal(got.data, expected);
    lp_buf_free(&got);
    lp_test_ok(lp_schedule_delete(env->engine, &lp_test_caller, id, &err), &err);
}

static void
rome(struct lp_run_env *env)
{
    /* 2026-03-28T12:00Z: 02:30 on the 29th is left out, 03:00 summer time is 01:00Z */
    through(env, lp_civil_days(2026, 3, 28) * 86400 + 43200,
            "03-29T01:00:00 03-30T00:30:00 03-31T00:30:00 ");
    /* 2026-10-24T12:00Z: 02:30 on the 25th comes twice, the first is 00:30Z */
    through(env, lp_civil_days(2026, 10, 24) * 86400 + 43200,
            "10-25T00:30:00 10-26T01:30:00 10-27T01:30:00 ");
}

/* ---- once, whoever looks ---- */

static void *
looker(void *arg)
{
    struct lp_run_env *env = arg;

    for (int i = 0; i < 40; i++) {
        struct lp_err err = LP_ERR_INIT;

        if (look(env, &err) != LP_OK)
            (void)fprintf(stderr, "%s\n", err.msg);
        lp_err_clear(&err);
    }
    return NULL;
}

static void
many_schedulers(struct lp_run_env *env)
{
    pthread_t threads[4];
    char id[LP_UUID_LEN + 1];

    create(env, &olga,
           "{\"workflow_name\":\"task_tick\",\"trigger\":\"cron\",\"trigger_kwargs\":{"
           "\"expression\":\"* * * * * *\"},\"grace_seconds\":36000}",
           id);
    lp_test_turn(env, 40 * SECOND);
    for (size_t i = 0; i < LP_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, looker, env), 0);
    for (size_t i = 0; i < LP_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    run_due(env);
    assert_true(runs(env, id, "started") >= 40);
    assert_int_equal(runs(env, id, "missed"), 0);
    assert_int_equal(runs(env, id, "started"), processes(env));
    assert_int_equal(lp_test_int(env,
                                 "SELECT (max(due_at) - min(due_at)) / 1000000 + 1 - count(*) FROM "
                                 "schedule_runs WHERE schedule_id = :id",
                                 id),
                     0);
}

/* ---- refusals ---- */

/* Of a run that failed the next one is not afraid; of one that is at work it is. */
static void
W18_failed_run_blocks_nothing(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];

    create(env, &olga, "{" EVERY_HOUR ",\"overlap\":\"skip\"}", id);
    atomic_store(&g.fail, 1);
    later(env, HOUR);
    snprintf(process, sizeof process, "%s",
             lp_test_text(env, "SELECT process_id FROM schedule_runs WHERE schedule_id = :id", id));
    lp_test_wait(env, process, "failed");
    atomic_store(&g.fail, 0);
    atomic_store(&g.hold, 1);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 2);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "skipped"), 1);
    atomic_store(&g.hold, 0);
    lp_test_until(env,
                  "SELECT count(*) FROM schedule_runs r, processes p WHERE r.schedule_id = :id AND "
                  "p.id = r.process_id AND p.status = 'completed'",
                  id, 1);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 3);
}

static void
predicate_skips(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    create(env, &olga, "{" EVERY_HOUR "}", id);
    g.refuse = true;
    later(env, HOUR);
    g.refuse = false;
    assert_int_equal(runs(env, id, "skipped"), 1);
    assert_string_equal(
        lp_test_text(env, "SELECT reason FROM schedule_runs WHERE schedule_id = :id", id),
        "nothing to do");
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 1);
}

/* A schedule is no way around the rules of a start. */
static void
W28_schedule_asks_like_a_start(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1], text[300];
    json_auto_t *body = json_pack("{s:b}", "paused", 1);
    json_t *out = NULL;

    refused(env,
            "{\"workflow_name\":\"task_admin\",\"trigger\":\"interval\",\"trigger_kwargs\":{"
            "\"hours\":1}}",
            LP_DENIED, "");
    create(env, &lp_test_caller,
           "{\"workflow_name\":\"task_admin\",\"trigger\":\"interval\",\"trigger_kwargs\":{"
           "\"minutes\":1}}",
           id);
    assert_int_equal(lp_schedule_change(env->engine, &olga, id, body, &out, &err), LP_DENIED);
    lp_err_clear(&err);
    assert_int_equal(lp_schedule_delete(env->engine, &olga, id, &err), LP_DENIED);
    lp_err_clear(&err);
    /* id and name of a workflow must be of the same one */
    snprintf(text, sizeof text, "{" EVERY_HOUR ",\"workflow_id\":\"%s\"}",
             lp_registry_find(env->engine, "task_admin")->id.text);
    refused(env, text, LP_INVALID, "/workflow_id");
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 1);
    /* whoever owns it may have lost the role since: then nothing starts */
    lp_store_env_exec(&env->db, "UPDATE schedules SET owner_role = 'operate'");
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 1);
    assert_int_equal(runs(env, id, "refused"), 1);
    lp_test_ok(lp_schedule_delete(env->engine, &lp_test_caller, id, &err), &err);
    /* a paused engine starts nothing, and forgets nothing */
    create(env, &olga, "{" EVERY_HOUR ",\"grace_seconds\":6000}", other);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, true, &err), &err);
    lp_test_turn(env, HOUR);
    assert_int_equal(look(env, &err), LP_PAUSED);
    lp_err_clear(&err);
    assert_int_equal(
        lp_test_int(env, "SELECT count(*) FROM schedule_runs WHERE schedule_id = :id", other), 0);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, false, &err), &err);
    run_due(env);
    assert_int_equal(runs(env, other, "started"), 1);
}

/* No schedule has to come for a second attempt; they come at growing distances, and end. */
static void
W19_retries_have_a_pace_and_an_end(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_test_start(env, "task_flaky", NULL, id);
    lp_test_wait(env, id, "api_unavailable");
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'flaky'",
                                 id),
                     5);
    /* 400, 800, 1600, 3200 ms, each between half and whole */
    assert_true(
        lp_test_int(env,
                    "SELECT a.started_at - b.ended_at FROM step_attempts a, step_attempts b "
                    "WHERE a.process_id = :id AND b.process_id = a.process_id AND "
                    "a.step_key = 'flaky' AND b.step_key = 'flaky' AND a.n = 5 AND b.n = 4",
                    id)
        >= 1600000);
}

/* What is due on a restored database waits for nobody, and starts nothing but validations. */
static void
restored_database(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    create(env, &lp_test_caller, "{" EVERY_HOUR "}", id);
    lp_run_env_stop(env);
    lp_store_env_exec(&env->db, "INSERT INTO settings (name, value, changed_by, changed_at) VALUES "
                                "('restored', '1', 'x', 1)");
    lp_run_env_make(env, NULL);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 0);
    assert_int_equal(runs(env, id, "skipped"), 1);
    lp_run_env_start(env);
}

/* One that cannot be read is shown, can be deleted, and does not keep the others waiting. */
static void
broken_schedule(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char bad[LP_UUID_LEN + 1], good[LP_UUID_LEN + 1];
    json_t *list = NULL;
    int64_t us = 0;

    create(env, &olga, "{" EVERY_HOUR ",\"name\":\"a bad one\"}", bad);
    create(env, &olga, "{" EVERY_HOUR ",\"name\":\"good\"}", good);
    lp_store_env_exec(&env->db,
                      "UPDATE schedules SET timezone = 'Mars/Crater' WHERE name = 'a bad one'");
    later(env, HOUR);
    assert_int_equal(runs(env, good, "started"), 1);
    assert_int_equal(runs(env, bad, "started"), 0);
    lp_test_ok(lp_schedules_sleep(env->engine, &us, &err), &err);
    assert_true(us > SECOND);
    lp_test_ok(lp_schedule_list(env->engine, &list, &err), &err);
    assert_int_equal(json_array_size(list), 2);
    assert_non_null(strstr(lp_json_str(json_array_get(list, 0), "error", ""), "Mars/Crater"));
    json_decref(list);
    lp_test_ok(lp_schedule_delete(env->engine, &olga, bad, &err), &err);
}

/* A schedule names its workflow: a program without it says so, and one that has it again goes on.
 */
static void
W37_schedules_are_rows(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *list = NULL;

    create(env, &olga, "{" EVERY_HOUR "}", id);
    lp_run_env_stop(env);
    lp_run_env_make(env, &fewer);
    lp_run_env_start(env);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "refused"), 1);
    lp_test_ok(lp_schedule_list(env->engine, &list, &err), &err);
    assert_string_equal(lp_json_str(json_array_get(list, 0), "workflow_name", ""), "task_tick");
    json_decref(list);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    later(env, HOUR);
    assert_int_equal(runs(env, id, "started"), 1);
}

/* ---- retention ---- */

static void
runs_are_forgotten(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_retention_report report = {.runs = 0};
    char id[LP_UUID_LEN + 1], text[200];

    snprintf(text, sizeof text,
             "{\"workflow_name\":\"task_tick\",\"trigger\":\"date\",\"trigger_kwargs\":{\"run_"
             "date\":%lld}}",
             (long long)(lp_clock_utc_us(&env->db.clock) / SECOND + 60));
    create(env, &olga, text, id);
    later(env, 2 * MINUTE);
    assert_int_equal(runs(env, id, "missed") + runs(env, id, "started"), 1);
    lp_test_turn(env, 80 * DAY);
    lp_test_ok(lp_retention_run(env->db.store, env->conf, NULL, NULL, &report, &err), &err);
    assert_int_equal(report.runs + report.schedules, 0);
    lp_test_turn(env, 20 * DAY);
    lp_test_ok(lp_retention_run(env->db.store, env->conf, NULL, NULL, &report, &err), &err);
    assert_int_equal(report.runs, 1);
    assert_int_equal(report.schedules, 1);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM schedules WHERE id = :id", id), 0);
}

/* ---- the thread ---- */

static void
made_once(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_loads("{\"name\":\"mine\"," EVERY_HOUR "}", 0, NULL);
    char id[LP_UUID_LEN + 1];

    lp_test_ok(lp_schedule_default(env->engine, "mine", body, &err), &err);
    lp_test_ok(lp_schedule_default(env->engine, "mine", body, &err), &err);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM schedules WHERE :id = :id", "x"), 1);
    snprintf(id, sizeof id, "%s",
             lp_test_text(env, "SELECT id FROM schedules WHERE :id = :id", "x"));
    lp_test_ok(lp_schedule_delete(env->engine, &lp_test_caller, id, &err), &err);
    lp_test_ok(lp_schedule_default(env->engine, "mine", body, &err), &err);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM schedules WHERE :id = :id", "x"), 0);
    lp_test_ok(lp_scheduler_defaults(env->engine, &err), &err);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM schedules WHERE :id = :id", "x"), 3);
}

/* A change wakes the thread; it starts what is due by itself. */
static void
thread_is_woken(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_lease *lease = NULL;
    struct lp_scheduler *scheduler = NULL;
    char id[LP_UUID_LEN + 1], text[200];

    lp_test_ok(lp_lease_new(&(struct lp_lease_options){.store = env->db.store,
                                                       .clock = &env->db.clock,
                                                       .log = env->log,
                                                       .name = "scheduler",
                                                       .owner = "tester",
                                                       .lease_ms = 5000},
                            &lease, &err),
               &err);
    lp_test_ok(lp_scheduler_start(&(struct lp_scheduler_options){.engine = env->engine,
                                                                 .lease = lease,
                                                                 .clock = &env->db.clock,
                                                                 .log = env->log},
                                  &scheduler, &err),
               &err);
    lp_test_until(env, "SELECT count(*) FROM schedules WHERE :id = :id", "x", 3);
    snprintf(text, sizeof text,
             "{\"workflow_name\":\"task_tick\",\"trigger\":\"date\",\"trigger_kwargs\":{\"run_"
             "date\":%lld}}",
             (long long)(lp_clock_utc_us(&env->db.clock) / SECOND + 6));
    create(env, &olga, text, id);
    lp_test_until(env,
                  "SELECT count(*) FROM schedule_runs WHERE schedule_id = :id AND outcome = "
                  "'started'",
                  id, 1);
    lp_scheduler_stop(scheduler);
    lp_lease_free(lease);
}

/* ---- all of it ---- */

static const struct scase {
    const char *name;
    void (*run)(struct lp_run_env *env);
} cases[] = {
    {"refuses", refuses},
    {"round_trip", round_trip},
    {"starts_when_due", starts_when_due},
    {"once_at", once_at},
    {"misfires", misfires},
    {"jitter_spreads", jitter_spreads},
    {"rome", rome},
    {"many_schedulers", many_schedulers},
    {"predicate_skips", predicate_skips},
    {"restored_database", restored_database},
    {"broken_schedule", broken_schedule},
    {"made_once", made_once},
    {"runs_are_forgotten", runs_are_forgotten},
    {"thread_is_woken", thread_is_woken},
    {"W18_failed_run_blocks_nothing", W18_failed_run_blocks_nothing},
    {"W19_retries_have_a_pace_and_an_end", W19_retries_have_a_pace_and_an_end},
    {"W28_schedule_asks_like_a_start", W28_schedule_asks_like_a_start},
    {"W37_schedules_are_rows", W37_schedules_are_rows},
    {"W38_nothing_is_lost", W38_nothing_is_lost},
};

struct case_run {
    enum lp_dialect dialect;
    const struct scase *row;
};

static void
run_case(void **state)
{
    const struct case_run *run = *state;
    struct lp_run_env env;

    if (!lp_store_env_has(run->dialect))
        skip();
    reset();
    lp_run_env_open(&env, run->dialect, &set);
    lp_run_env_start(&env);
    run->row->run(&env);
    reset();
    lp_run_env_close(&env);
}

static int
run_all(const char *name, enum lp_dialect dialect)
{
    struct CMUnitTest tests[LP_COUNT(cases)];
    struct case_run rows[LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        rows[i] = (struct case_run){dialect, &cases[i]};
        tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, &rows[i]};
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
