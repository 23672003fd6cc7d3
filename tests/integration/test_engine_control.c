/* The runtime on both databases when somebody steps in: pause, abort, rollback, requests, labels,
 * hints that get lost; one test per weakness it must not have. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_steps.h"
#include "tests/support/test_main.h"

static void
rollback_goes_backwards(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "undoes", NULL, id);
    lp_test_wait(env, id, "suspended");
    lp_world.fail_times = 1; /* the first undo fails: a person has to look */
    lp_test_abort(env, id, true);
    lp_test_wait(env, id, "failed");
    assert_string_equal(lp_test_text(env, "SELECT assignee FROM processes WHERE id = :id", id),
                        "NOC");
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "aborted");
    assert_string_equal(lp_world.undo_order, "2,1 u20 each2 each1 each0 u10 ");
    assert_int_equal(lp_test_step_rows(env, id, "key LIKE 'undo:%' AND title LIKE 'Undo: %'"), 5);
    assert_int_equal(
        lp_test_step_rows(env, id, "key = 'abort' AND status = 'abort' AND title = 'User Aborted'"),
        1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_compensations WHERE process_id = :id "
                                 "AND done_at IS NULL",
                                 id),
                     0);
    assert_int_equal(lp_test_int(env, "SELECT requests FROM processes WHERE id = :id", id), 0);
    lp_test_nothing_held(env, id);
}

static void
W03_group_pause(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "groups", NULL, id);
    lp_test_at_gate(1);
    lp_test_pause(env, true);
    lp_world.open = 1;
    lp_test_until(env, "SELECT count(*) FROM processes WHERE id = :id AND lease_owner IS NULL", id,
                  1);
    assert_int_equal(lp_test_step_rows(env, id, "key IN ('group/a', 'group/gated')"), 2);
    assert_int_equal(lp_test_step_rows(env, id, "key IN ('group/b', 'c')"), 0);
    lp_run_env_stop(env);
    lp_run_env_start(env);
    lp_test_pause(env, false);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "a"), 1);
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
    assert_int_equal(lp_test_effects(env, id, "c"), 1);
}

static void
W05_unpause_while_pausing(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    lp_test_at_gate(1);
    lp_test_pause(env, true);
    lp_test_pause(env, false);
    usleep(200000); /* long enough for a sweep to announce it */
    assert_int_equal(atomic_load(&lp_world.inside), 1);
    lp_world.open = 1;
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
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
    lp_test_pause(env, true);
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
        assert_int_equal(lp_test_effects(env, ids[i], "a"), 1);
}

static void
W09_abort_stops_worker(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    lp_test_at_gate(1);
    lp_test_abort(env, id, false);
    lp_test_wait(env, id, "aborted"); /* the gate never opened */
    assert_int_equal(lp_test_effects(env, id, "gated") + lp_test_effects(env, id, "b"), 0);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'abort' AND created_by = 'tester'"), 1);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM audit WHERE chain = :id AND actor = "
                                 "'tester' AND reason = 'a test' AND body LIKE '%process.abort%'",
                                 id),
                     1);
    assert_int_equal(lp_test_int(env, "SELECT requests FROM processes WHERE id = :id", id), 0);
    usleep(100000);
    lp_test_wait(env, id, "aborted"); /* and nothing sets it back */
    lp_test_nothing_held(env, id);
}

static void
rollback_of_a_running_step(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "undo_gates", NULL, id);
    lp_test_at_gate(1);
    lp_test_abort(env, id, true);
    lp_test_wait(env, id, "aborted");
    assert_string_equal(lp_world.undo_order, "u10 ");
    assert_int_equal(lp_test_step_rows(env, id, "key = 'gated' AND status = 'failed'"), 1);
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
    assert_int_equal(lp_test_effects(env, id, "a"), 1);
}

static void
rollback_puts_back_in_sync(struct lp_run_env *env)
{
    char site[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_create_site(env, site);
    lp_world.fail_times = 1;
    lp_world.fail_code = LP_REFUSED;
    lp_test_start_on(env, "modify_site", site, id);
    lp_test_wait(env, id, "failed");
    assert_int_equal(lp_test_insync(env, site), 0);
    lp_test_abort(env, id, true);
    lp_test_wait(env, id, "aborted");
    assert_int_equal(lp_test_insync(env, site), 1);
    lp_test_nothing_held(env, id);
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
    lp_test_resume(env, id, "[{\"x\": 1}]");
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
    lp_test_at_gate(2);
    usleep(100000);
    assert_true(atomic_load(&lp_world.inside) < 4);
    lp_test_start(env, "simple", NULL, id);
    lp_test_wait(env, id, "completed");
    lp_world.open = 1;
    for (size_t i = 0; i < LP_COUNT(ids); i++)
        lp_test_wait(env, ids[i], "completed");
}

/** Who asks again for what is under way changes nothing. */
static void
rollback_asked_for_twice(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "slow_undoes", NULL, id);
    lp_world.open = 1;
    lp_test_wait(env, id, "suspended");
    lp_world.open = 0;
    lp_test_abort(env, id, true);
    lp_test_at_gate(1);
    lp_test_abort(env, id, true);
    lp_test_until(env, "SELECT requests FROM processes WHERE id = :id", id, 0);
    lp_test_at_gate(1);
    lp_world.open = 1;
    lp_test_wait(env, id, "aborted");
    assert_string_equal(lp_world.undo_order, "u_slow0 u10 ");
}

static const struct lp_queue_ops *real_ops;

static enum lp_code
lossy_push(struct lp_queue *queue, const char *process_id, int priority, const char *label,
           struct lp_err *err)
{
    return atomic_load(&lp_world.lose) ? LP_OK
                                       : real_ops->push(queue, process_id, priority, label, err);
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
    lp_test_at_gate(1);
    lp_world.lose = true;
    lp_clock_turn(&env->db.clock, 5000000); /* this program slept five seconds */
    lp_test_until(env, "SELECT lease_epoch FROM processes WHERE id = :id", id, 2);
    lp_world.open = 1;
    lp_test_wait(env, id, "completed");
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

/* clang-format off */
static const struct lp_run_case cases[] = {
    LP_RUN_CASE(rollback_goes_backwards),
    LP_RUN_CASE(rollback_of_a_running_step),
    LP_RUN_CASE(W03_group_pause),
    LP_RUN_CASE(W05_unpause_while_pausing),
    LP_RUN_CASE(W08_queue_is_a_hint),
    LP_RUN_CASE(W09_abort_stops_worker),
    LP_RUN_CASE(labels_choose_the_executor),
    LP_RUN_CASE(rollback_puts_back_in_sync),
    LP_RUN_CASE(odd_requests_do_no_harm),
    LP_RUN_CASE(corrupt_state_is_for_a_person),
    LP_RUN_CASE(interactive_passes_tasks),
    LP_RUN_CASE(rollback_asked_for_twice),
    LP_RUN_CASE(orphans_need_no_hint),
    LP_RUN_CASE(labels_are_exact),
};
/* clang-format on */

int
main(void)
{
    return lp_run_cases(cases, LP_COUNT(cases));
}
