/* The runtime on both databases: steps, groups, locks, retries, what the log keeps; one test per
 * weakness it must not have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_steps.h"
#include "tests/support/test_main.h"

static void
runs_to_the_end(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    lp_run_env_start(env);
    lp_test_start(env, "simple", NULL, id);
    lp_test_wait(env, id, "completed");
    for (const char *step = "abc"; *step != '\0'; step++)
        assert_int_equal(lp_test_effects(env, id, (char[]){*step, '\0'}), 1);
    assert_int_equal(lp_test_step_rows(env, id, "1 = 1"), 5);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "outcome = 'ok'",
                                 id),
                     5);
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM audit WHERE chain = :id", id), 6);
    lp_test_nothing_held(env, id);
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
    assert_int_equal(
        lp_test_step_rows(env, id, "status = 'skipped' AND key IN ('skipped', 'no_group')"), 2);
    assert_int_equal(lp_test_step_rows(env, id, "key LIKE 'no_group/%'"), 0);
    assert_int_equal(lp_test_effects(env, id, "skipped") + lp_test_effects(env, id, "a"), 0);
    assert_int_equal(lp_test_effects(env, id, "c"), 1);
}

static void
each_resumes_at_the_unfinished(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.fail_times = 1;
    lp_run_env_start(env);
    lp_test_start(env, "eaches", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_step_rows(env, id, "key = 'each/1' AND status = 'failed'"), 1);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    for (int i = 0; i < 3; i++) {
        char key[20];

        snprintf(key, sizeof key, "each%d", i);
        assert_int_equal(lp_test_effects(env, id, key), 1);
    }
    assert_int_equal(lp_test_step_rows(env, id, "key LIKE 'each/%' AND status = 'success'"), 3);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'each/1' AND retries = 1"), 1);
}

static void
allocators_share_a_transaction(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.fail_times = 1;
    lp_run_env_start(env);
    lp_test_start(env, "rws", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_effects(env, id, "rw"), 0);
    assert_string_equal(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
                        "slot taken");
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "rw"), 1);
}

static void
retries_with_a_limit(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], more[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_world.fail_code = LP_RETRYABLE;
    lp_world.fail_times = 2;
    lp_test_start(env, "retries", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_step_rows(env, id, "key = 'retried' AND retries = 2"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'retried'",
                                 id),
                     3);
    lp_world.fail_times = 4;
    lp_world.calls = 0;
    lp_test_start(env, "retries", NULL, more);
    lp_test_wait(env, more, "failed");
    assert_int_equal(atomic_load(&lp_world.calls), 3);
    lp_test_resume(env, more, NULL); /* an operator's retry counts anew */
    lp_test_wait(env, more, "completed");
    assert_int_equal(lp_test_step_rows(env, more, "key = 'retried' AND retries = 4"), 1);
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

    lp_world.fail_times = 1;
    lp_world.fail_code = LP_REFUSED;
    lp_run_env_start(env);
    lp_test_start(env, "wholes", NULL, id);
    lp_test_wait(env, id, "failed");
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "a"), 2); /* the group began anew */
    assert_int_equal(lp_test_step_rows(env, id, "key LIKE 'whole/%' AND status = 'success'"), 3);
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
    lp_test_at_gate(1);
    lp_test_start(env, "locks", NULL, second);
    lp_test_wait(env, second, "waiting");
    assert_string_equal(lp_test_text(env, "SELECT wait_kind FROM processes WHERE id = :id", second),
                        "lock");
    assert_int_equal(
        lp_test_int(env, "SELECT count(*) FROM named_locks WHERE process_id = :id", first), 2);
    lp_world.open = 1;
    lp_test_wait(env, first, "completed");
    lp_test_wait(env, second, "completed");
    lp_test_nothing_held(env, first);
    lp_test_nothing_held(env, second);
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
    lp_test_at_gate(1);
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
    lp_world.open = 1;
    lp_test_wait(env, first, "completed");
}

static void
locks_follow_the_outcome(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_create_site(env, site);
    assert_int_equal(lp_test_insync(env, site), 1);
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", site),
                        "active");
    lp_world.fail_code = LP_REFUSED;
    lp_world.fail_times = 1;
    lp_test_start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_locks_of(env, id),
                     0); /* given back; insync says that something is wrong */
    assert_int_equal(lp_test_insync(env, site), 0);
    lp_test_start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_insync(env, site), 1);
    lp_world.fail_times = 1;
    lp_test_start_on(env, "modify_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_locks_of(env, id), 1); /* kept */
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    lp_test_nothing_held(env, id);
    lp_test_start_on(env, "terminate_site", site, id);
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env, "SELECT status FROM subscriptions WHERE id = :id", site),
                        "terminated");
}

static void
note_needs_no_lock(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], pages[300];

    lp_run_env_start(env);
    lp_test_create_site(env, site);
    snprintf(pages, sizeof pages, "[{\"subscription_id\": \"%s\"}, {\"note\": \"call first\"}]",
             site);
    lp_test_start(env, "modify_note", pages, id);
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env, "SELECT note FROM subscriptions WHERE id = :id", site),
                        "call first");
    assert_int_equal(lp_test_insync(env, site), 1);
    lp_test_start(env, "task_clean_up_tasks", NULL, id);
    lp_test_wait(env, id, "completed");
    lp_test_start(env, "task_resume_workflows", NULL, id);
    lp_test_wait(env, id, "completed");
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
        assert_int_equal(lp_test_effects(env, id, names[i]), 0);
        assert_int_equal(lp_test_step_rows(env, id, "status = 'failed' AND delta = '{}'"), 1);
        assert_string_not_equal(
            lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id), "");
    }
}

/* W14: other versions of workflow "inputs" */
static const struct lp_step before_step = {.key = "new_before",
                                           .title = "New before",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_DB,
                                           .no_undo = "a test",
                                           .run = lp_step_effect};
static const struct lp_step after_step = {.key = "new_after",
                                          .title = "New after",
                                          .kind = LP_STEP_ACTION,
                                          .effects = LP_EFFECT_DB,
                                          .no_undo = "a test",
                                          .run = lp_step_effect};
static const struct lp_step *const inserted[] = {&before_step, &lp_step_ask,      &lp_step_add_x,
                                                 &after_step,  &lp_step_ask_more, &lp_step_b};
static const struct lp_step *const removed[] = {&before_step, &lp_step_ask, &after_step,
                                                &lp_step_b};
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
    lp_test_resume(env, id, "[{\"x\": 1}]");
    lp_test_wait(env, id, "suspended");
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  id, 1);
    assert_int_equal(lp_test_effects(env, id, "new_before"), 0); /* stands before what was done */
    assert_int_equal(lp_test_effects(env, id, "new_after"), 1);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'add_x' AND retries = 0"), 1);
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
    assert_int_equal(lp_test_effects(env, id, "b"), 0);
    restart_with(env, &inserted_set); /* the step is put back: it still waits */
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(lp_test_step_rows(env, id, "key = 'ask_again'"), 1);
    restart_with(env, &removed_set);
    lp_store_env_exec(&env->db,
                      "UPDATE processes SET status = 'resumed' WHERE status = 'suspended'");
    lp_executor_hint(env->engine, id, 0);
    lp_test_wait(env, id, "failed");
    lp_test_ok(lp_engine_skip(env->engine, &lp_test_caller, id, &err), &err);
    lp_test_wait(env, id, "completed"); /* behind the newest step that still exists */
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
    assert_int_equal(lp_test_effects(env, id, "new_before"), 0);
}

/* ---- W14: another release under processes that are under way ---- */

#define KEPT(name)                                                                                 \
    {                                                                                              \
        .key = name, .title = name, .kind = LP_STEP_ACTION, .effects = LP_EFFECT_DB,               \
        .no_undo = "a test", .run = lp_step_effect                                                 \
    }
static const struct lp_step kept_u1 = KEPT("u1"), kept_a = KEPT("a");

static enum lp_code
count_none(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = 0;
    return LP_OK;
}

static const struct lp_step kept_each = {.key = "each",
                                         .title = "Each",
                                         .kind = LP_STEP_EACH,
                                         .effects = LP_EFFECT_DB,
                                         .count = count_none,
                                         .no_undo = "a test",
                                         .run = lp_step_effect};
static const struct lp_step *const undoes_now[] = {&before_step, &kept_u1,          &kept_a,
                                                   &kept_each,   &lp_step_ask_more, &lp_step_b};
static const struct lp_workflow now_rows[] = {
    {.name = "undoes", .description = "Changed", .target = LP_TARGET_SYSTEM, LP_STEPS(undoes_now)}};
static const struct lp_workflow_set now_set = {now_rows, 1};

static json_t *
changed(struct lp_run_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *report = NULL;

    lp_test_ok(lp_engine_changed(env->engine,
                                 &(struct lp_changed_request){.process_id = id, .limit = 10},
                                 &report, &err),
               &err);
    return report;
}

static void
assert_text(const json_t *object, const char *member, const char *expected)
{
    char *text = json_dumps(json_object_get(object, member), JSON_ENCODE_ANY | JSON_COMPACT);

    assert_string_equal(text, expected);
    free(text);
}

static void
assert_choices(const json_t *process, const char *verbs)
{
    struct lp_buf text = LP_BUF_INIT;
    size_t i;
    json_t *choice;

    json_array_foreach(json_object_get(process, "choices"), i, choice)
    {
        const char *command = lp_json_str(choice, "command", "lightpath process -");

        command += strlen("lightpath process ");
        lp_buf_printf(&text, "%s%.*s%s", i > 0 ? " " : "", (int)strcspn(command, " "), command,
                      strstr(command, "--rollback") != NULL ? "+" : "");
    }
    assert_string_equal(text.data, verbs);
    lp_buf_free(&text);
}

static void
count_changed(void *arg, const char *workflow, int64_t count)
{
    assert_string_equal(workflow, "undoes");
    *(int64_t *)arg += count;
}

static void
W14_changed_is_reported(struct lp_run_env *env)
{
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1], third[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    struct lp_caller caller = lp_test_caller;
    json_t *report, *row;
    int64_t count = 0;

    caller.reason = "upgraded";
    lp_run_env_start(env);
    lp_test_start(env, "undoes", NULL, first);
    lp_test_start(env, "undoes", NULL, second);
    lp_test_start(env, "undoes", NULL, third);
    lp_test_wait(env, first, "suspended");
    lp_test_wait(env, second, "suspended");
    lp_test_wait(env, third, "suspended");
    report = changed(env, NULL);
    assert_text(report, "count", "0");
    assert_text(report, "processes", "[]");
    json_decref(report);

    restart_with(env, &now_set);
    report = changed(env, NULL);
    assert_text(report, "count", "3");
    row = json_array_get(json_object_get(report, "definitions"), 0);
    assert_text(row, "count", "3");
    assert_text(row, "removed", "[\"u2\",\"ask\"]");
    assert_text(row, "added", "[\"new_before\",\"ask_again\",\"b\"]");
    assert_text(row, "moved", "[]");
    assert_text(row, "perhaps_renamed", "[{\"was\":\"ask\",\"is\":\"ask_again\"}]");
    json_decref(report);
    lp_test_ok(lp_engine_changed_counts(env->engine, count_changed, &count, &err), &err);
    assert_int_equal(count, 3);
    report = changed(env, first);
    row = json_array_get(json_object_get(report, "processes"), 0);
    assert_text(row, "standing", "\"will_stop\"");
    assert_text(row, "goes_on_at", "\"ask_again\"");
    assert_text(row, "passed_over", "[\"new_before\"]");
    assert_text(row, "not_undoable", "[\"u2\"]");
    assert_choices(row, "skip mark-done - abort");
    json_decref(report);

    /* a form that answers nothing is settled by hand, and what it stood for is given */
    report = json_loads("{\"x\": 3}", 0, NULL);
    lp_test_ok(lp_engine_mark_done(env->engine, &caller, first, report, &err), &err);
    json_decref(report);
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  first, 1);
    lp_test_wait(env, first, "suspended");
    assert_int_equal(lp_test_step_rows(env, first, "key = 'ask' AND status = 'success'"), 1);
    assert_int_equal(
        lp_test_int(env,
                    "SELECT count(*) FROM audit WHERE chain = :id AND body LIKE '%process.settle%' "
                    "AND reason = 'upgraded'",
                    first),
        1);
    report = lp_test_state(env, first);
    assert_int_equal(lp_json_int(report, "x", 0), 3);
    json_decref(report);
    report = changed(env, first);
    row = json_array_get(json_object_get(report, "processes"), 0);
    assert_text(row, "standing", "\"goes_on\"");
    assert_choices(row, "resume - abort");
    json_decref(report);
    lp_test_resume(env, first, "[{\"x\": 1}]");
    lp_test_wait(env, first, "completed");
    assert_int_equal(lp_test_effects(env, first, "b"), 1);
    assert_int_equal(lp_test_effects(env, first, "new_before"), 0);

    /* answered all the same: it stops, and goes on when it was marked as done */
    lp_test_resume(env, second, "[{\"x\": 1}]");
    lp_test_wait(env, second, "failed");
    report = changed(env, second);
    row = json_array_get(json_object_get(report, "processes"), 0);
    assert_text(row, "standing", "\"stopped\"");
    assert_choices(row, "skip mark-done retry - abort");
    json_decref(report);
    lp_test_ok(lp_engine_mark_done(env->engine, &caller, second, NULL, &err), &err);
    lp_test_until(env,
                  "SELECT count(*) FROM process_steps WHERE process_id = :id AND key = 'ask_again'",
                  second, 1);
    lp_test_wait(env, second, "suspended");
    lp_test_abort(env, second, false);
    lp_test_wait(env, second, "aborted");

    /* what the missing step did is not left behind without a word */
    assert_int_equal(lp_engine_abort(env->engine, &caller, third, true, &err), LP_CONFLICT);
    assert_non_null(strstr(err.msg, "'u2'"));
    lp_err_clear(&err);
    /* nor when it was interrupted, and only its attempt stands there */
    lp_store_env_exec(&env->db, "UPDATE process_steps SET key = 'kept' WHERE key = 'u2'");
    assert_int_equal(lp_engine_abort(env->engine, &caller, third, true, &err), LP_CONFLICT);
    lp_err_clear(&err);
    lp_store_env_exec(&env->db, "UPDATE process_steps SET key = 'u2' WHERE key = 'kept'");
    assert_string_equal(lp_test_text(env, "SELECT status FROM processes WHERE id = :id", third),
                        "suspended");
    restart_with(env, &lp_run_workflows);
    lp_test_abort(env, third, true);
    lp_test_wait(env, third, "aborted");
    assert_int_equal(lp_test_step_rows(env, third, "key = 'undo:u2' AND status = 'success'"), 1);
}

static void
W15_order_by_seq(struct lp_run_env *env)
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
    lp_test_resume(env, id, "[{\"x\": 5}]");
    lp_test_wait(env, id, "completed");
    assert_string_equal(lp_test_text(env,
                                     "SELECT delta FROM process_steps WHERE process_id = :id AND "
                                     "key = 'ask_again'",
                                     id),
                        "{\"set\":{\"x\":5}}");
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
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
static const struct lp_step *const grow_steps[] = {&growing, &lp_step_ask};
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
    assert_true(lp_test_step_rows(env, id, "snapshot IS NOT NULL") >= 1);
    assert_true(lp_test_step_rows(env, id, "snapshot IS NOT NULL") <= 4);
    lp_run_env_stop(env);
    lp_run_env_make(env, &grow_set);
    lp_run_env_start(env);
    lp_test_resume(env, id, "[{\"x\": 1}]");
    lp_test_wait(env, id, "completed");
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
        lp_world.fail_times = 1;
        lp_world.fail_code = (int)table[i].code;
        lp_test_start(env, "fail_task", NULL, id);
        lp_test_wait(env, id, table[i].status);
        assert_string_equal(lp_test_text(env, "SELECT assignee FROM processes WHERE id = :id", id),
                            table[i].assignee);
        lp_world.fail_times = 1;
        lp_test_start(env, "fail", NULL, id);
        lp_test_wait(env, id, "failed");
    }
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
    for (size_t w = 0; w < lp_run_workflows.count; w++) {
        steps = lp_engine_steps(env->engine, &lp_run_workflows.rows[w], &count);
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
    lp_test_create_site(env, site);
    assert_string_equal(
        lp_test_text(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site), "");
    lp_world.fail_times = 1;
    lp_world.fail_code = LP_DRIFT;
    lp_test_start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "inconsistent_data");
    assert_string_equal(
        lp_test_text(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site), "");
    lp_test_start_on(env, "validate_site", site, id);
    lp_test_wait(env, id, "completed");
    version = lp_test_int(env, "SELECT validated_at FROM subscriptions WHERE id = :id", site);
    assert_true(version > lp_clock_utc_us(&env->db.clock) - 60000000);
}

static void
each_of_nothing_and_of_the_unknown(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_world.fail_times = 1;
    lp_test_start(env, "each_none", NULL, id);
    lp_test_wait(env, id, "failed"); /* it could not be counted */
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_step_rows(env, id, "key = 'each_none/0' AND status = 'skipped'"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
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
transaction_that_has_to_be_repeated(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_world.fail_times = 1;
    lp_test_start(env, "rw_agains", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "rw"), 1);
    lp_world.fail_times = 1000;
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
    lp_world.fail_times = 1;
    lp_test_start(env, "rw_slows", NULL, id);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_world.calls, 2);
    assert_int_equal(lp_test_effects(env, id, "rw"), 1);
    lp_world.fail_times = 1000;
    lp_test_start(env, "rw_slows", NULL, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_effects(env, id, "rw"), 0);
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "longer than 1000 ms"));
}

/* clang-format off */
static const struct lp_run_case cases[] = {
    LP_RUN_CASE(runs_to_the_end),
    LP_RUN_CASE(when_is_logged),
    LP_RUN_CASE(each_resumes_at_the_unfinished),
    LP_RUN_CASE(allocators_share_a_transaction),
    LP_RUN_CASE(retries_with_a_limit),
    LP_RUN_CASE(unset_removes),
    LP_RUN_CASE(whole_group_restarts),
    LP_RUN_CASE(named_locks_park),
    LP_RUN_CASE(skipped_steps_wait_for_no_lock),
    LP_RUN_CASE(locks_follow_the_outcome),
    LP_RUN_CASE(note_needs_no_lock),
    LP_RUN_CASE(W02_effects_and_log_together),
    LP_RUN_CASE(W14_recovery_by_key),
    LP_RUN_CASE(W14_changed_is_reported),
    LP_RUN_CASE(W15_order_by_seq),
    LP_RUN_CASE(W16_deltas_not_states),
    LP_RUN_CASE(W30_failure_classes),
    LP_RUN_CASE(W39_no_refresh),
    LP_RUN_CASE(W43_last_validated),
    LP_RUN_CASE(each_of_nothing_and_of_the_unknown),
    LP_RUN_CASE(progress_is_shown),
    LP_RUN_CASE(transaction_that_has_to_be_repeated),
    LP_RUN_CASE(transactions_end_within_a_second),
};
/* clang-format on */

int
main(void)
{
    return lp_run_cases(cases, LP_COUNT(cases));
}
