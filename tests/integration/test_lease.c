/* A duty has one holder, its epoch rises with every change of hands, and what a former holder
 * writes is refused. */
#include <string.h>

#include "scheduler/lease.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

#define LEASE_MS 30000

static struct lp_lease *
lease_of(struct lp_store_env *env, const char *owner)
{
    const struct lp_lease_options options = {.store = env->store,
                                             .clock = &env->clock,
                                             .name = "scheduler",
                                             .owner = owner,
                                             .lease_ms = LEASE_MS};
    struct lp_lease *lease = NULL;
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_lease_new(&options, &lease, &err), &err);
    return lease;
}

static enum lp_code
fenced_write(struct lp_store_env *env, const struct lp_lease *lease)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    lp_lease_fence(lease, unit);
    rc = lp_store_commit(env->store, unit, &err);
    lp_unit_free(unit);
    lp_err_clear(&err);
    return rc;
}

/** Turns the clock of this program, and that of the database, which decides. */
static void
turn(struct lp_store_env *env, int64_t ms)
{
    char sql[300];

    lp_clock_turn(&env->clock, ms * 1000);
    snprintf(sql, sizeof sql,
             "INSERT INTO settings (name, value, changed_by, changed_at) VALUES ('clock_shift_us', "
             "'%lld', 'test', 0) ON CONFLICT (name) DO UPDATE SET value = "
             "CAST(CAST(settings.value AS bigint) + %lld AS text)",
             (long long)ms * 1000, (long long)ms * 1000);
    lp_store_env_exec(env, sql);
}

static void
one_leads_at_a_time(void **state)
{
    struct lp_store_env env;
    struct lp_lease *first, *second;
    int64_t epoch = 0, next = 0;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    first = lease_of(&env, "first");
    second = lease_of(&env, "second");
    assert_true(lp_scheduler_lead(first, &epoch));
    assert_int_equal(epoch, 1);
    assert_false(lp_scheduler_lead(second, NULL));
    assert_true(lp_lease_wait_ms(first) <= LEASE_MS / 3);
    assert_true(lp_lease_wait_ms(second) <= 1000);
    assert_int_equal(fenced_write(&env, first), LP_OK);
    assert_int_equal(fenced_write(&env, second), LP_FENCED);

    turn(&env, LEASE_MS / 2); /* renewed in time: the same epoch */
    assert_true(lp_scheduler_lead(first, &epoch));
    assert_int_equal(epoch, 1);
    turn(&env, LEASE_MS * 3 / 4);
    assert_false(lp_scheduler_lead(second, NULL));

    lp_lease_release(first); /* given back: nobody waits for its end */
    turn(&env, 1000);
    assert_true(lp_scheduler_lead(second, &next));
    assert_int_equal(next, 2);
    assert_int_equal(fenced_write(&env, first), LP_FENCED);
    lp_lease_free(first);
    lp_lease_free(second);
    lp_store_env_close(&env);
}

/** What a program finds that was stopped for longer than its lease. */
static void
a_holder_that_slept_is_fenced(void **state)
{
    struct lp_store_env env;
    struct lp_lease *first, *second;
    int64_t epoch = 0;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    first = lease_of(&env, "first");
    second = lease_of(&env, "second");
    assert_true(lp_scheduler_lead(first, &epoch));
    turn(&env, 2 * LEASE_MS);
    assert_false(lp_lease_held(first)); /* by its own clock, before anybody was asked */
    assert_true(lp_scheduler_lead(second, &epoch));
    assert_int_equal(epoch, 2);
    assert_int_equal(fenced_write(&env, first), LP_FENCED);
    assert_false(lp_scheduler_lead(first, NULL));
    assert_true(lp_lease_held(second));
    lp_lease_free(first);
    lp_lease_free(second);
    lp_store_env_close(&env);
}

static void
a_file_has_one_daemon(void **state)
{
    struct lp_store_env env;
    struct lp_lease *first, *next;
    int64_t epoch = 0;

    (void)state;
    lp_store_env_open(&env, LP_DIALECT_SQLITE);
    first = lease_of(&env, "first");
    assert_true(lp_scheduler_lead(first, &epoch));
    assert_int_equal(lp_lease_wait_ms(first), INT32_MAX); /* nothing wakes an idle daemon */
    next = lease_of(&env, "next");                        /* started after the first was killed */
    assert_true(lp_scheduler_lead(next, &epoch));
    assert_int_equal(epoch, 2);
    assert_int_equal(fenced_write(&env, first), LP_FENCED);
    assert_int_equal(fenced_write(&env, next), LP_OK);
    lp_lease_free(first);
    lp_lease_free(next);
    lp_store_env_close(&env);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_leads_at_a_time),
        cmocka_unit_test(a_holder_that_slept_is_fenced),
        cmocka_unit_test(a_file_has_one_daemon),
    };

    return LP_RUN_TESTS(tests);
}
