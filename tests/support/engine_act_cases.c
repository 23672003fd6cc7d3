/* Operator actions while the executor runs: what the two sides leave in rows for each other is
 * understood. */
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "tests/support/engine_main.h"
#include "tests/support/test_main.h"

static void
start(struct lp_engine_env *env, const char *workflow, char *id)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_start(env->engine, &lp_test_vip, workflow, NULL, NULL, NULL, id, &err),
               &err);
}

static void
run(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_run(env->engine, &err), &err);
}

static void
stop(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_stop(env->engine, 20000, &err), &err);
}

/* Where it stands instead. */
static void
show(struct lp_engine_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    lp_test_ok(lp_query_text(env->db.store,
                             "SELECT status, last_key, lease_owner, lease_epoch, wait_kind, "
                             "requests, failed_reason FROM processes WHERE id = :id",
                             LP_ARGS(lp_text("id", id)), &rows, &err),
               &err);
    if (lp_rows_count(rows) == 1)
        print_error(
            "status %s, last_key %s, lease_owner %s, lease_epoch %lld, wait_kind %s, requests "
            "%lld, failed_reason %s\n",
            lp_rows_text(rows, 0, "status"), lp_rows_text(rows, 0, "last_key"),
            lp_rows_text(rows, 0, "lease_owner"), (long long)lp_rows_int(rows, 0, "lease_epoch"),
            lp_rows_text(rows, 0, "wait_kind"), (long long)lp_rows_int(rows, 0, "requests"),
            lp_rows_text(rows, 0, "failed_reason"));
    lp_rows_free(rows);
}

static void
stands(struct lp_engine_env *env, const char *id, const char *status, const char *key)
{
    int64_t there = 0;

    for (int i = 0; i < 6000 && there == 0; i++) {
        there =
            lp_engine_env_int(env,
                              "SELECT COUNT(*) FROM processes WHERE id = '%s' AND status = '%s' "
                              "AND last_key = '%s' AND lease_owner IS NULL",
                              id, status, key);
        if (there == 0)
            usleep(10000);
    }
    if (there == 0)
        show(env, id);
    if (there == 0)
        fail_msg("process %s never stood at %s, %s", id, key, status);
}

static json_t *
state_of(struct lp_engine_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *state = NULL;

    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    return state;
}

static int64_t
count_rows(struct lp_engine_env *env, const char *id, const char *key, const char *status)
{
    return lp_engine_env_int(env,
                             "SELECT COUNT(*) FROM process_steps WHERE process_id = '%s' AND key = "
                             "'%s' AND status = '%s'",
                             id, key, status);
}

static void
skip_goes_on_behind_the_step(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    int64_t checked = 0;

    lp_test_failures = 0;
    run(env);
    start(env, "failing", id);
    stands(env, id, "failed", "fails/bad");
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_operator, id, NULL, &err), &err);
    stands(env, id, "failed", "fails/bad");
    assert_int_equal(lp_test_failures, 2);
    lp_test_ok(lp_engine_skip(env->engine, &lp_test_operator, id, &err), &err);
    stands(env, id, "completed", "done");
    assert_int_equal(lp_test_failures, 2);
    assert_int_equal(count_rows(env, id, "fails/bad", "skipped"), 1);
    assert_int_equal(count_rows(env, id, "fails/work", "success"), 1);
    assert_int_equal(count_rows(env, id, "fails/more", "success"), 1);
    assert_int_equal(count_rows(env, id, "more", "success"), 1);
    lp_test_ok(lp_engine_audit_verify(env->engine, &checked, &err), &err);
    stop(env);
}

static void
mark_done_gives_its_state(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *delta = json_pack("{s:i}", "answer", 42), *state;

    run(env);
    start(env, "failing", id);
    stands(env, id, "failed", "fails/bad");
    lp_test_ok(lp_engine_mark_done(env->engine, &lp_test_operator, id, delta, &err), &err);
    stands(env, id, "completed", "done");
    state = state_of(env, id);
    assert_int_equal(lp_json_int(state, "answer", 0), 42);
    assert_int_equal(count_rows(env, id, "fails/bad", "success"), 1);
    json_decref(state);
    json_decref(delta);
    stop(env);
}

static void
answers_of_a_group_reach_the_state(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *a = json_pack("[{s:s}]", "answer_a", "yes"), *b = json_pack("[{s:i}]", "answer_b", 7);
    json_t *process = NULL, *state;

    run(env);
    start(env, "asking", id);
    stands(env, id, "suspended", "group/ask_a");
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_operator, id, a, &err), &err);
    stands(env, id, "suspended", "group/ask_b");
    lp_test_ok(lp_engine_process(env->engine, &lp_test_operator, id, &process, &err), &err);
    assert_string_equal(lp_json_str(json_object_get(process, "form"), "title", ""), "Form B");
    json_decref(process);
    assert_int_equal(lp_engine_resume(env->engine, &lp_test_operator, id, b, &err), LP_DENIED);
    lp_err_clear(&err);
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_vip, id, b, &err), &err);
    stands(env, id, "completed", "done");
    state = state_of(env, id);
    assert_string_equal(lp_json_str(state, "answer_a", ""), "yes");
    assert_int_equal(lp_json_int(state, "answer_b", 0), 7);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_inputs WHERE kind = 'form' "
                                       "AND consumed_at IS NULL"),
                     0);
    json_decref(state);
    json_decref(a);
    json_decref(b);
    stop(env);
}

static void
callback_before_the_wait_ends_it_at_once(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char early[LP_UUID_LEN + 1], late[LP_UUID_LEN + 1], token[65];
    json_t *body = json_pack("{s:s}", "result", "fine"), *state;

    start(env, "calling", early);
    lp_callback_token(env->engine, early, "wait", 1, token);
    lp_test_ok(lp_engine_callback(env->engine, early, token, body, false, &err), &err);
    run(env);
    stands(env, early, "completed", "done");
    state = state_of(env, early);
    assert_string_equal(lp_json_str(json_object_get(state, "callback_result"), "result", ""),
                        "fine");
    json_decref(state);
    start(env, "calling", late);
    stands(env, late, "awaiting_callback", "wait");
    lp_callback_token(env->engine, late, "wait", 1, token);
    lp_test_ok(lp_engine_callback(env->engine, late, token, body, false, &err), &err);
    stands(env, late, "completed", "done");
    /* afterwards it is still answered and changes nothing */
    lp_test_ok(lp_engine_callback(env->engine, late, token, body, false, &err), &err);
    json_decref(body);
    stop(env);
}

static void
awaiting_process_is_settled_by_hand(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], token[65];
    json_t *delta = json_pack("{s:{s:s}}", "callback_result", "result", "by phone"), *state;
    json_t *body = json_pack("{s:s}", "result", "late");

    run(env);
    start(env, "calling", id);
    stands(env, id, "awaiting_callback", "wait");
    lp_test_ok(lp_engine_mark_done(env->engine, &lp_test_operator, id, delta, &err), &err);
    stands(env, id, "completed", "done");
    lp_callback_token(env->engine, id, "wait", 1, token);
    lp_test_ok(lp_engine_callback(env->engine, id, token, body, false, &err), &err);
    state = state_of(env, id);
    assert_string_equal(lp_json_str(json_object_get(state, "callback_result"), "result", ""),
                        "by phone");
    json_decref(state);
    json_decref(delta);
    json_decref(body);
    stop(env);
}

static void
pause_holds_everything_and_one_flag_lets_go(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char ids[20][LP_UUID_LEN + 1], bad[LP_UUID_LEN + 1], asks[LP_UUID_LEN + 1];
    json_t *status = NULL;

    run(env);
    /* started before, looked at after the pause */
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        start(env, "task_plain", ids[i]);
    start(env, "failing", bad);
    start(env, "asking", asks);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, true, &err), &err);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, true, &err), &err);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, false, &err), &err);
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        stands(env, ids[i], "completed", "done");
    stands(env, bad, "failed", "fails/bad");
    stands(env, asks, "suspended", "group/ask_a");
    lp_test_ok(lp_engine_status(env->engine, &status, &err), &err);
    assert_string_equal(lp_json_str(status, "global_status", ""), "RUNNING");
    json_decref(status);
    stop(env);
}

static int64_t
notices(struct lp_engine_env *env, const char *kind, const char *key)
{
    return lp_engine_env_int(
        env, "SELECT COUNT(*) FROM notices WHERE kind = '%s' AND doc LIKE '%%\"key\":\"%s\"%%'",
        kind, key);
}

static void
resume_all_retries_and_counts(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char ids[3][LP_UUID_LEN + 1];
    int64_t n = 0;

    lp_test_failures = 0;
    run(env);
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        start(env, "failing", ids[i]);
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        stands(env, ids[i], "failed", "fails/bad");
    assert_int_equal(lp_test_failures, 3);
    lp_test_ok(lp_engine_resume_all(env->engine, &lp_test_operator, &n, &err), &err);
    assert_int_equal(n, 3);
    for (int i = 0; i < 6000 && lp_test_failures < 6; i++)
        usleep(10000);
    assert_int_equal(lp_test_failures, 6);
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        stands(env, ids[i], "failed", "fails/bad");
    stop(env);
    /* each failure was told in the commit that made it true */
    assert_int_equal(notices(env, "process_failed", "fails/bad"), 6);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM notices"), 6);
}

/* Who waits for an answer is told, each question once; what goes on by itself is not. */
static void
questions_are_told(struct lp_engine_env *env)
{
    char id[LP_UUID_LEN + 1], plain[LP_UUID_LEN + 1];

    run(env);
    start(env, "asking", id);
    start(env, "task_plain", plain);
    stands(env, id, "suspended", "group/ask_a");
    stands(env, plain, "completed", "done");
    stop(env);
    assert_int_equal(notices(env, "process_suspended", "group/ask_a"), 1);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM notices"), 1);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM notices WHERE process_id = '%s' AND "
                                       "severity = 'info' AND routed = 0",
                                       id),
                     1);
}

/* A restored database comes back to normal work through one task. */
static void
validate_all_ends_the_restored_state(struct lp_engine_env *env)
{
    enum { NODES = 30 };
    struct lp_engine *again = NULL, *first = env->engine;
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], sub[LP_UUID_LEN + 1], code[16];
    json_t *state;

    for (int i = 0; i < NODES; i++) {
        json_t *input;

        snprintf(code, sizeof code, "N%d", i);
        input = json_pack("{s:s}", "code", code);
        lp_engine_env_subscription(env, "TestNode", input, LP_LC_ACTIVE, sub, NULL);
        json_decref(input);
    }
    lp_engine_env_sql(env, "INSERT INTO settings VALUES ('restored', '1', 'x', 1)");
    lp_test_ok(lp_engine_env_again(env, &again, &err), &err);
    env->engine = again;
    run(env);
    start(env, "task_validate_subscriptions", id);
    assert_int_equal(
        lp_engine_start(again, &lp_test_vip, "task_plain", NULL, NULL, NULL, sub, &err),
        LP_PRECONDITION);
    lp_err_clear(&err);
    stands(env, id, "completed", "done");
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes WHERE status = "
                                            "'completed' AND workflow = 'validate_node'"),
                     NODES);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM subscriptions WHERE validated_at "
                                            "IS NULL OR insync = 0"),
                     0);
    state = state_of(env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "validations"), "total", 0), NODES);
    json_decref(state);
    for (int i = 0; i < 6000 && __atomic_load_n(&again->restored, __ATOMIC_ACQUIRE); i++)
        usleep(10000);
    start(env, "task_plain", id);
    stands(env, id, "completed", "done");
    stop(env);
    lp_engine_free(again);
    env->engine = first;
}

static const struct lp_engine_case cases[] = {
    {"skip_goes_on_behind_the_step", skip_goes_on_behind_the_step},
    {"mark_done_gives_its_state", mark_done_gives_its_state},
    {"answers_of_a_group_reach_the_state", answers_of_a_group_reach_the_state},
    {"callback_before_the_wait_ends_it_at_once", callback_before_the_wait_ends_it_at_once},
    {"awaiting_process_is_settled_by_hand", awaiting_process_is_settled_by_hand},
    {"pause_holds_everything_and_one_flag_lets_go", pause_holds_everything_and_one_flag_lets_go},
    {"resume_all_retries_and_counts", resume_all_retries_and_counts},
    {"questions_are_told", questions_are_told},
    {"validate_all_ends_the_restored_state", validate_all_ends_the_restored_state},
};
const struct lp_engine_cases lp_engine_act_cases = {cases, LP_COUNT(cases)};
