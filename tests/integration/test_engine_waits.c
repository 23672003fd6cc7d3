/* The runtime on both databases where it waits: for input, for callbacks, for timers, for children;
 * one test per weakness it must not have. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_steps.h"
#include "tests/support/test_main.h"

static void
timers_wake(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "timers", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&lp_world.calls), 3);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'timer' AND retries = 0"), 1);
    assert_int_equal(lp_test_effects(env, id, "timer"), 1);
}

/* Any step may ask to be left alone until a time: no attempt is counted, and it does not fail. */
static void
a_step_asks_for_later(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "later", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(atomic_load(&lp_world.calls), 3);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'later' AND status = 'failed'"), 0);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'later' AND retries = 0"), 1);
    assert_int_equal(lp_test_effects(env, id, "later"), 1);
}

static void
W20_input_once(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "inputs", NULL, id);
    lp_test_wait(env, id, "suspended");
    lp_test_resume(env, id, "[{\"x\": 1}]");
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
    lp_test_resume(env, id, "[{\"x\": 3}]");
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
    snprintf(first, sizeof first, "%s", lp_world.route);
    lp_test_call_back(env, id, "{\"good\": true}");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND last_key = 'call_plain' AND "
                  "status = 'awaiting_callback'",
                  id, 1);
    assert_int_equal(
        lp_test_int(env, "SELECT coalesce(wake_at, 0) FROM processes WHERE id = :id", id),
        0); /* the first one's timeout is not the second one's */
    assert_string_not_equal(first, lp_world.route);
    lp_test_call_back(env, id, "{\"second\": 2}");
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

    lp_world.turn_us = 3600000000; /* the action takes an hour, the wait may take ten minutes */
    lp_run_env_start(env);
    lp_test_start(env, "calls", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    usleep(200000);
    lp_test_wait(env, id, "awaiting_callback");
    snprintf(late, sizeof late, "%s", lp_world.route);
    lp_test_turn(env, 11 * 60 * 1000000LL);
    lp_executor_poke(env->engine, NULL);
    lp_test_wait(env, id, "failed");
    assert_string_equal(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
                        "Callback timed out");
    lp_world.turn_us = 0;
    lp_test_resume(env, id, NULL); /* waits again, with another token */
    lp_test_wait(env, id, "awaiting_callback");
    assert_string_not_equal(late, lp_world.route);
    lp_test_call_back(env, id, "{\"good\": false}");
    lp_test_wait(env, id, "failed"); /* the check said no */
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "awaiting_callback");
    lp_test_call_back(env, id, "{\"good\": true}");
    lp_test_until(env, "SELECT count(*) FROM processes WHERE id = :id AND last_key = 'call_plain'",
                  id, 1);
}

static void
callback_before_the_wait(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_world.answer_at_once = true;
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

    lp_world.bad_items = true;
    lp_run_env_start(env);
    lp_test_start(env, "fans", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    fan_sum = json_object_get(state, "fan");
    assert_int_equal(lp_json_int(fan_sum, "total", 0), LP_RUN_ITEMS);
    assert_int_equal(lp_json_int(fan_sum, "failed", 0), LP_RUN_ITEMS / 3);
    assert_int_equal(lp_json_int(fan_sum, "completed", 0), LP_RUN_ITEMS - LP_RUN_ITEMS / 3);
    assert_non_null(json_object_get(json_object_get(fan_sum, "refused"), "item 3"));
    json_decref(state);
}

static void
parent_waits_for_failed_children(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], child[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_world.fail_times = 1;
    lp_world.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_fails", NULL, id);
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'completed'",
                  id, LP_RUN_ITEMS - 1);
    lp_test_wait(env, id, "waiting");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND wait_reason LIKE '11 of 12 "
                  "done, 1 failed%'",
                  id, 1);
    snprintf(child, sizeof child, "%s",
             lp_test_text(
                 env, "SELECT id FROM processes WHERE parent_id = :id AND status = 'failed'", id));
    lp_test_resume(env, child, NULL);
    lp_test_wait(env, id, "completed");
}

static void
failed_children_may_be_a_result(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_world.fail_times = 2;
    lp_world.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_results", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "completed", 0), LP_RUN_ITEMS - 2);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "failed", 0), 2);
    json_decref(state);
}

static void
abort_takes_children_along(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_world.fail_times = 1000;
    lp_world.fail_code = LP_REFUSED;
    lp_test_start(env, "fan_fails", NULL, id);
    lp_test_until(env, "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'failed'",
                  id, LP_RUN_ITEMS);
    lp_test_abort(env, id, false);
    lp_test_wait(env, id, "aborted");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'aborted'", id,
                  LP_RUN_ITEMS);
    lp_test_nothing_held(env, id);
}

static void
children_that_exclude_each_other(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_create_site(env, lp_world.site);
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
    assert_int_equal(lp_test_insync(env, lp_world.site), 1);
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
    lp_world.fail_code = LP_RETRYABLE; /* what the check says */
    lp_test_start(env, "long_calls", NULL, id);
    lp_test_wait(env, id, "awaiting_callback");
    snprintf(first, sizeof first, "%s", lp_world.route);
    lp_test_call_back(env, id, "{\"good\": false}");
    lp_test_until(env,
                  "SELECT count(*) FROM processes WHERE id = :id AND status = 'awaiting_callback' "
                  "AND (SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                  "step_key = 'call_long') = 2",
                  id, 1);
    assert_string_not_equal(first, lp_world.route);
    lp_test_call_back(env, id, "{\"good\": false}");
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

/* clang-format off */
static const struct lp_run_case cases[] = {
    LP_RUN_CASE(a_step_asks_for_later),
    LP_RUN_CASE(timers_wake),
    LP_RUN_CASE(W20_input_once),
    LP_RUN_CASE(W21_callback_options),
    LP_RUN_CASE(W22_timeout_clock),
    LP_RUN_CASE(callback_before_the_wait),
    LP_RUN_CASE(refused_children_are_told),
    LP_RUN_CASE(parent_waits_for_failed_children),
    LP_RUN_CASE(failed_children_may_be_a_result),
    LP_RUN_CASE(abort_takes_children_along),
    LP_RUN_CASE(children_that_exclude_each_other),
    LP_RUN_CASE(two_timeouts_are_enough),
    LP_RUN_CASE(bad_answers_are_counted),
    LP_RUN_CASE(callback_timeout_with_two_clocks),
    LP_RUN_CASE(sweep_keeps_what_comes_meanwhile),
};
/* clang-format on */

int
main(void)
{
    return lp_run_cases(cases, LP_COUNT(cases));
}
