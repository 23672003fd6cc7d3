/* The nightly validation: everything is looked at, what somebody works on is busy, one summary says
 * what was found. And the check of the catalog against stored data. LP_TEST_LONG=1: 10,000
 * subscriptions. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/run.h"
#include "tests/support/engine_env.h"
#include "tests/support/test_main.h"

#define MINUTE INT64_C(60000000)

static atomic_int at_once, most_at_once;
static atomic_bool gate_shut; /* comparisons wait until it opens */

/** Drifts when the note says so. */
static enum lp_code
compare(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_subscription *sub = NULL;
    enum lp_code rc = lp_run_target(run, state, &sub, err);
    int now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&most_at_once);

    (void)delta;
    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
        continue;
    while (atomic_load(&gate_shut))
        usleep(10000);
    if (rc == LP_OK && sub->note != NULL && strcmp(sub->note, "drift") == 0)
        rc = lp_fail(err, LP_DRIFT, "the label differs");
    else if (rc == LP_OK && sub->note != NULL && strcmp(sub->note, "broken") == 0)
        rc = lp_fail(err, LP_REFUSED, "no such object");
    atomic_fetch_sub(&at_once, 1);
    return rc;
}

static const struct lp_step compare_step = {.key = "compare",
                                            .title = "Compare",
                                            .kind = LP_STEP_ACTION,
                                            .effects = LP_EFFECT_EXTERNAL,
                                            .no_undo = "reads only",
                                            .run = compare};
static const struct lp_step *const compare_steps[] = {&compare_step};

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
static const struct lp_step hold_step = {.key = "hold",
                                         .title = "Hold",
                                         .kind = LP_STEP_INPUT,
                                         .no_undo = "nothing",
                                         .form = &word_form};
static const struct lp_step *const hold_steps[] = {&hold_step};

static const struct lp_workflow workflows[] = {
    {.name = "validate_node",
     .description = "Validate a node",
     .target = LP_TARGET_VALIDATE,
     .is_task = true,
     .product = "TestNode",
     LP_STEPS(compare_steps)},
    {.name = "modify_node",
     .description = "Modify a node",
     .target = LP_TARGET_MODIFY,
     .product = "TestNode",
     LP_STEPS(hold_steps)},
};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};

/* ---- helpers ---- */

static void
nodes(struct lp_engine_env *env, int count, char (*ids)[LP_UUID_LEN + 1])
{
    for (int i = 0; i < count; i++) {
        char code[16];
        json_auto_t *input = NULL;

        snprintf(code, sizeof code, "N%d", i);
        input = json_pack("{s:s}", "code", code);
        lp_engine_env_subscription(env, "TestNode", input, LP_LC_ACTIVE, ids[i], NULL);
    }
}

static void
begin(struct lp_engine_env *env, const char *workflow, const char *pages, char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *doc = pages == NULL ? NULL : json_loads(pages, 0, NULL);

    lp_test_ok(lp_engine_start(env->engine, &lp_test_operator, workflow, doc, NULL, NULL, id, &err),
               &err);
}

static void
becomes(struct lp_engine_env *env, const char *id, const char *status, int seconds)
{
    int64_t n = 0;

    for (int i = 0; i < seconds * 100 && n == 0; i++) {
        n = lp_engine_env_int(
            env, "SELECT count(*) FROM processes WHERE id = '%s' AND status = '%s'", id, status);
        if (n == 0)
            usleep(10000);
    }
    if (n == 0)
        fail_msg("process %s did not become %s", id, status);
}

static json_t *
state_of(struct lp_engine_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *state = NULL;

    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    return state;
}

static const json_t *
entry_of(const json_t *summary, const char *subscription)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(summary, "list"), i,
                       entry) if (strcmp(lp_json_str(entry, "subscription_id", ""), subscription)
                                  == 0) return entry;
    return NULL;
}

static void
open_env(struct lp_engine_env *env, enum lp_dialect dialect, bool run)
{
    struct lp_err err = LP_ERR_INIT;

    atomic_store(&at_once, 0);
    atomic_store(&most_at_once, 0);
    lp_engine_env_open(env, dialect, &set);
    if (run)
        lp_test_ok(lp_engine_run(env->engine, &err), &err);
}

static void
close_env(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_stop(env->engine, 60000, &err), &err);
    lp_engine_env_close(env);
}

/* ---- cases ---- */

static void
one_summary(enum lp_dialect dialect)
{
    enum { NODES = 60 };
    static char ids[NODES][LP_UUID_LEN + 1];
    struct lp_engine_env env;
    char holder[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], pages[200];
    const json_t *summary, *entry;
    json_t *state;

    open_env(&env, dialect, true);
    nodes(&env, NODES, ids);
    lp_engine_env_sql(&env, "UPDATE subscriptions SET note = 'drift' WHERE id IN ('%s', '%s')",
                      ids[3], ids[40]);
    lp_engine_env_sql(&env, "UPDATE subscriptions SET note = 'broken' WHERE id = '%s'", ids[7]);
    snprintf(pages, sizeof pages, "[{\"subscription_id\":\"%s\"}]", ids[20]);
    begin(&env, "modify_node", pages, holder);
    becomes(&env, holder, "suspended", 60);
    begin(&env, "task_validate_subscriptions", NULL, id);
    becomes(&env, id, "completed", 120);
    state = state_of(&env, id);
    summary = json_object_get(state, "summary");
    assert_int_equal(lp_json_int(summary, "total", 0), NODES);
    assert_int_equal(lp_json_int(summary, "ok", 0), NODES - 4);
    assert_int_equal(lp_json_int(summary, "drifted", 0), 2);
    assert_int_equal(lp_json_int(summary, "failed", 0), 1);
    assert_int_equal(lp_json_int(summary, "busy", 0), 1);
    assert_int_equal(lp_json_int(summary, "refused", 0), 0);
    assert_int_equal(json_array_size(json_object_get(summary, "list")), 4);
    entry = entry_of(summary, ids[40]);
    assert_string_equal(lp_json_str(entry, "outcome", ""), "drifted");
    assert_string_equal(lp_json_str(entry, "reason", ""), "the label differs");
    entry = entry_of(summary, ids[20]);
    assert_string_equal(lp_json_str(entry, "outcome", ""), "busy");
    assert_non_null(strstr(lp_json_str(entry, "reason", ""), holder));
    /* what is busy is neither failed nor touched */
    assert_int_equal(lp_json_int(json_object_get(state, "validations"), "failed", -1), 3);
    assert_int_equal(lp_engine_env_int(&env,
                                       "SELECT count(*) FROM processes p, process_subscriptions s "
                                       "WHERE p.workflow = 'validate_node' AND s.process_id = p.id "
                                       "AND s.subscription_id = '%s'",
                                       ids[20]),
                     0);
    assert_true(atomic_load(&most_at_once) <= 16);
    json_decref(state);
    close_env(&env);
}

/* The clock is turned: nothing of the second half begins in the first half of the time. */
static void
spread_over_time(enum lp_dialect dialect)
{
    enum { NODES = 20 };
    static char ids[NODES][LP_UUID_LEN + 1];
    struct lp_engine_env env;
    char id[LP_UUID_LEN + 1];

    open_env(&env, dialect, true);
    nodes(&env, NODES, ids);
    begin(&env, "task_validate_subscriptions", "[{\"spread_minutes\":100}]", id);
    becomes(&env, id, "waiting", 60);
    for (int part = 1; part <= 4; part++) {
        lp_clock_turn(&env.db.clock, 25 * MINUTE);
        if (dialect == LP_DIALECT_POSTGRES)
            lp_engine_env_sql(
                &env,
                "INSERT INTO settings VALUES ('clock_shift_us', '%lld', 'test', 0) ON "
                "CONFLICT (name) DO UPDATE SET value = excluded.value",
                (long long)(part * 25 * MINUTE));
        lp_executor_poke(env.engine, NULL);
        for (int i = 0; i < 6000; i++) {
            if (lp_engine_env_int(&env, "SELECT count(*) FROM processes WHERE workflow = "
                                        "'validate_node' AND status = 'completed'")
                >= (part == 4 ? NODES : part * NODES / 4))
                break;
            usleep(10000);
        }
        assert_in_range(lp_engine_env_int(&env, "SELECT count(*) FROM processes WHERE workflow = "
                                                "'validate_node'"),
                        part * NODES / 4, part == 4 ? NODES : part * NODES / 4 + 3);
    }
    becomes(&env, id, "completed", 60);
    close_env(&env);
}

static void
catalog_and_stored_data(enum lp_dialect dialect)
{
    static char ids[3][LP_UUID_LEN + 1];
    struct lp_engine_env env;
    char id[LP_UUID_LEN + 1];
    json_t *state;

    open_env(&env, dialect, true);
    nodes(&env, 3, ids);
    begin(&env, "task_validate_products", NULL, id);
    becomes(&env, id, "completed", 60);
    state = state_of(&env, id);
    assert_int_equal(lp_json_int(state, "checked", 0), 3);
    assert_non_null(json_object_get(json_object_get(state, "without_workflow"), "TestLink"));
    json_decref(state);
    lp_engine_env_sql(&env, "UPDATE blocks SET doc = '{\"code\":7}' WHERE subscription_id = '%s'",
                      ids[1]);
    begin(&env, "task_validate_products", NULL, id);
    becomes(&env, id, "inconsistent_data", 60);
    assert_int_equal(lp_engine_env_int(&env,
                                       "SELECT count(*) FROM processes WHERE id = '%s' AND "
                                       "failed_reason LIKE '%%1 of 3%%%s%%'",
                                       id, ids[1]),
                     1);
    close_env(&env);
}

static void
many(enum lp_dialect dialect)
{
    bool all = lp_test_long();
    int count = all ? 10000 : 300;
    char(*ids)[LP_UUID_LEN + 1] = calloc((size_t)count, sizeof *ids);
    struct lp_engine_env env;
    char id[LP_UUID_LEN + 1];
    json_t *state;
    time_t begun;

    assert_non_null(ids);
    open_env(&env, dialect, true);
    nodes(&env, count, ids);
    begun = time(NULL);
    begin(&env, "task_validate_subscriptions", NULL, id);
    becomes(&env, id, "completed", all ? 1200 : 120);
    print_message("%d validations in %lld s\n", count, (long long)(time(NULL) - begun));
    state = state_of(&env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "summary"), "ok", 0), count);
    json_decref(state);
    free(ids);
    close_env(&env);
}

struct foreign_lock {
    struct lp_engine_env *env;
    const char *id;
};

/** Somebody looks at a process in a transaction, and takes four seconds: longer than the store
 * tries to get past. */
static void *
hold_row(void *arg)
{
    const struct foreign_lock *lock = arg;

    lp_engine_env_sql(lock->env,
                      "SELECT 1 FROM processes WHERE id = '%s' FOR UPDATE; SELECT pg_sleep(4)",
                      lock->id);
    return NULL;
}

/** The end of a child is told to its parent even if the parent's row could not be had then: it does
 * not wait for the look a minute later. */
static void
a_lost_end_is_told_again(enum lp_dialect dialect)
{
    static char ids[1][LP_UUID_LEN + 1];
    struct lp_engine_env env;
    struct foreign_lock lock = {.env = &env};
    char id[LP_UUID_LEN + 1];
    int64_t began;
    pthread_t thread;

    if (dialect == LP_DIALECT_SQLITE) /* one program has the file: nobody holds rows */
        return;
    open_env(&env, dialect, true);
    nodes(&env, 1, ids);
    atomic_store(&gate_shut, true);
    begin(&env, "task_validate_subscriptions", NULL, id);
    becomes(&env, id, "waiting", 60);
    began = lp_clock_mono_us(&env.db.clock);
    while (atomic_load(&at_once) == 0)
        usleep(10000);
    lock.id = id;
    assert_int_equal(pthread_create(&thread, NULL, hold_row, &lock), 0);
    while (lp_engine_env_int(&env, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                                   "'%%pg_sleep(4)%%' AND wait_event = 'PgSleep'")
           == 0)
        usleep(10000);
    atomic_store(&gate_shut, false);
    becomes(&env, id, "completed", 120);
    assert_true(lp_clock_mono_us(&env.db.clock) - began < MINUTE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_env(&env);
}

static const struct vcase {
    const char *name;
    void (*run)(enum lp_dialect dialect);
} cases[] = {
    {"one_summary", one_summary},
    {"spread_over_time", spread_over_time},
    {"catalog_and_stored_data", catalog_and_stored_data},
    {"a_lost_end_is_told_again", a_lost_end_is_told_again},
    {"many", many},
};

struct case_run {
    enum lp_dialect dialect;
    const struct vcase *row;
};

static void
run_case(void **state)
{
    const struct case_run *run = *state;

    if (!lp_store_env_has(run->dialect))
        skip();
    run->row->run(run->dialect);
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
