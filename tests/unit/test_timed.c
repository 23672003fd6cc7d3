/* Built-in tasks by interval: not at once, not twice, not again after a restart, and not while
 * paused. */
#include <string.h>

#include "scheduler/timed.h"
#include "tests/support/engine_env.h"
#include "tests/support/test_main.h"

static const struct lp_workflow_set no_workflows = {NULL, 0};

static int64_t
started(struct lp_engine_env *env)
{
    return lp_engine_env_int(
        env, "SELECT COUNT(*) FROM processes WHERE workflow = 'task_clean_up_tasks'");
}

/** What a daemon's main thread does, with a clock that jumps. */
static void
sleep_and_tick(struct lp_timed *timed, struct lp_clock *clock, int64_t most_ms)
{
    int ms = lp_timed_wait_ms(timed);

    assert_true(ms > 0);
    assert_true(ms <= most_ms);
    lp_clock_turn(clock, (int64_t)ms * 1000);
    assert_int_equal(lp_timed_wait_ms(timed), 0);
    lp_timed_tick(timed);
}

/* The open process would stand in the way of the next one. */
static void
finish(struct lp_engine_env *env)
{
    lp_engine_env_sql(env, "UPDATE processes SET status = 'completed'");
}

static void
clean_up_every_six_hours(void **state)
{
    struct lp_engine_env env;
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_timed timed = {.clock = &clock};
    struct lp_timed again = {.clock = &clock};

    (void)state;
    lp_engine_env_open(&env, LP_DIALECT_SQLITE, &no_workflows);
    timed.engine = again.engine = env.engine;
    timed.store = again.store = env.db.store;
    assert_int_equal(started(&env), 0);
    sleep_and_tick(&timed, &clock, 61000);
    assert_int_equal(started(&env), 1);
    finish(&env);
    for (int i = 0; i < 35; i++) /* 5 h 50 min, looked at every ten minutes */
        sleep_and_tick(&timed, &clock, 601000);
    assert_int_equal(started(&env), 1);
    sleep_and_tick(&again, &clock, 61000); /* a daemon that was started again meanwhile */
    assert_int_equal(started(&env), 1);
    sleep_and_tick(&timed, &clock, 601000);
    assert_int_equal(started(&env), 2);
    lp_engine_env_close(&env);
}

static void
paused_engine_is_left_alone(void **state)
{
    struct lp_engine_env env;
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_timed timed = {.clock = &clock};
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    lp_engine_env_open(&env, LP_DIALECT_SQLITE, &no_workflows);
    timed.engine = env.engine;
    timed.store = env.db.store;
    assert_int_equal(lp_engine_pause(env.engine, &lp_test_admin, true, &err), LP_OK);
    sleep_and_tick(&timed, &clock, 61000);
    assert_int_equal(started(&env), 0);
    assert_int_equal(lp_engine_pause(env.engine, &lp_test_admin, false, &err), LP_OK);
    sleep_and_tick(&timed, &clock, 601000);
    assert_int_equal(started(&env), 1);
    lp_engine_env_close(&env);
    lp_err_clear(&err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_up_every_six_hours),
        cmocka_unit_test(paused_engine_is_left_alone),
    };

    return LP_RUN_TESTS(tests);
}
