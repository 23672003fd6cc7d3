/* The runtime on both databases when a program, a lease or the database goes away in the middle;
 * one test per weakness it must not have. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/exec.h"
#include "tests/support/run_steps.h"
#include "tests/support/test_main.h"

static void
crash_in_io(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crash", NULL, id);
    pause();
}

static void
W01_crash_is_taken_over(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], token[LP_UUID_LEN + 1] = "";
    json_t *state;
    FILE *f;

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_io);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    assert_string_equal(lp_test_text(env, "SELECT status FROM processes WHERE id = :id", id),
                        "running");
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    for (const char *step = "ab"; *step != '\0'; step++)
        assert_int_equal(lp_test_effects(env, id, (char[]){*step, '\0'}), 1);
    state = lp_test_state(env, id);
    assert_true(lp_json_true(state, "unknown")); /* it may have acted: it was told */
    f = fopen(lp_world.route, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    unlink(lp_world.route);
    assert_string_equal(lp_json_str(state, "token", ""), token);
    json_decref(state);
    assert_int_equal(lp_test_int(env,
                                 "SELECT count(*) FROM step_attempts WHERE process_id = :id AND "
                                 "step_key = 'crashing' AND outcome IN ('outcome-unknown', 'ok')",
                                 id),
                     2);
    assert_int_equal(lp_test_int(env, "SELECT lease_epoch FROM processes WHERE id = :id", id), 2);
    lp_test_nothing_held(env, id);
}

static void
crash_in_late_io(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crash_waits", NULL, id);
    pause();
}

/** An attempt that is parked does not settle what the one before it may have done. */
static void
parking_keeps_an_unknown_outcome(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], token[LP_UUID_LEN + 1] = "";
    json_t *state;
    FILE *f;

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_late_io);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_true(lp_json_true(state, "unknown"));
    f = fopen(lp_world.route, "r");
    assert_non_null(f);
    assert_non_null(fgets(token, sizeof token, f));
    fclose(f);
    unlink(lp_world.route);
    assert_string_equal(lp_json_str(state, "token", ""), token);
    json_decref(state);
    assert_int_equal(lp_test_effects(env, id, "crashing"), 1);
    lp_test_nothing_held(env, id);
}

static void
crash_with_lock(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_start(env);
    lp_test_start(env, "locks", NULL, id);
    lp_test_at_gate(1);
    kill(getpid(), SIGKILL);
}

/** An element whose owner died is left alone for a while, also when its process is aborted: by who
 * takes it over, or while nobody does. */
static void
aborted_locks_are_not_clean(struct lp_run_env *env)
{
    static const char of_both[] = "SELECT count(*) FROM lock_takeovers WHERE process_id = :id AND "
                                  "name IN ('ne:1', 'ne:2')";
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    for (int paused = 0; paused < 2; paused++) {
        lp_run_env_crash(env, crash_with_lock);
        snprintf(id, sizeof id, "%s",
                 lp_test_text(env, "SELECT id FROM processes WHERE status = 'running' AND :id = ''",
                              ""));
        assert_int_equal(lp_test_int(env, of_both, id), 0);
        if (paused == 0) {
            lp_run_env_make(env, NULL);
            lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, false, &err), &err);
            lp_test_ok(lp_engine_run(env->engine, &err), &err);
        } else {
            lp_run_env_make(env, NULL);
            lp_test_ok(lp_engine_pause(env->engine, &lp_test_caller, true, &err), &err);
            lp_test_ok(lp_engine_run(env->engine, &err), &err);
            lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, false, &err), &err);
        }
        lp_test_wait(env, id, "aborted");
        assert_int_equal(lp_test_int(env, of_both, id), 2);
        lp_test_nothing_held(env, id);
        lp_run_env_stop(env);
    }
}

/** The fence: what a former owner still wants to write is refused as a whole. */
static void
W04_double_run(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], sql[200];
    struct lp_engine_stats stats;

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    lp_test_at_gate(1);
    for (int i = 0; i < 20; i++) /* hints are doubled; the step runs once */
        lp_executor_hint(env->engine, id, 0);
    usleep(50000);
    assert_int_equal(atomic_load(&lp_world.inside), 1);
    snprintf(sql, sizeof sql,
             "UPDATE processes SET lease_epoch = lease_epoch + 1, lease_owner = NULL, status = "
             "'running' WHERE id = '%s'",
             id);
    lp_store_env_exec(&env->db, sql);
    lp_world.open = 1;
    lp_test_wait(env, id, "completed");
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.fenced >= 1);
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
}

static void *
open_soon(void *arg)
{
    (void)arg;
    usleep(200000);
    lp_world.open = 1;
    return NULL;
}

/** The server goes away while it holds the commits of steps that have just ended. */
static void
lose_postgres(struct lp_run_env *env)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, open_soon, NULL), 0);
    /* only connections that wait for this schema's table: other programs share the server */
    lp_store_env_exec(&env->db,
                      "BEGIN; LOCK TABLE process_steps IN ACCESS EXCLUSIVE MODE; SELECT "
                      "pg_sleep(0.5); SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid <> "
                      "pg_backend_pid() AND relation = CAST('process_steps' AS regclass); COMMIT");
    pthread_join(thread, NULL);
}

/** The database is away in the middle of the work. */
static void
W32_db_hiccup(struct lp_run_env *env)
{
    enum { MANY = 20 };
    char ids[MANY][LP_UUID_LEN + 1];

    lp_run_env_start(env);
    for (size_t i = 0; i < MANY; i++)
        lp_test_start(env, "gates", NULL, ids[i]);
    lp_test_at_gate(2);
    if (env->db.dialect == LP_DIALECT_POSTGRES) {
        lose_postgres(env);
    } else {
        lp_test_hold_sqlite(&env->db, 3000);
        lp_world.open = 1;
    }
    for (size_t i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(lp_test_effects(env, ids[i], "a"), 1);
        assert_int_equal(lp_test_effects(env, ids[i], "gated"), 1);
        assert_int_equal(lp_test_effects(env, ids[i], "b"), 1);
        assert_int_equal(lp_test_step_rows(env, ids[i], "status = 'failed'"), 0);
        lp_test_nothing_held(env, ids[i]);
    }
}

static void
W35_graceful_drain(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    pthread_t thread;

    lp_run_env_start(env);
    lp_test_start(env, "gates", NULL, id);
    lp_test_at_gate(1);
    assert_int_equal(pthread_create(&thread, NULL, open_soon, NULL), 0);
    lp_run_env_stop(env); /* the current operation ends, the next one does not begin */
    pthread_join(thread, NULL);
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 0);
    lp_test_nothing_held(env, id);
    assert_int_equal(
        lp_test_int(env, "SELECT count(*) FROM executors WHERE retired_at IS NULL AND :id = ''",
                    ""),
        0);
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
}

static void
crash_in_child(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "fans", NULL, id);
    pause();
}

static void
W51_fanout_atomic(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    json_t *state;

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_child); /* the first child takes the program down */
    unlink(lp_world.route);
    snprintf(
        id, sizeof id, "%s",
        lp_test_text(env, "SELECT id FROM processes WHERE workflow = 'fans' AND :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_int(env, "SELECT count(*) FROM processes WHERE parent_id = :id", id),
                     LP_RUN_ITEMS);
    assert_int_equal(
        lp_test_int(env,
                    "SELECT count(*) FROM processes WHERE parent_id = :id AND status = 'completed'",
                    id),
        LP_RUN_ITEMS);
    assert_int_equal(
        lp_test_int(
            env,
            "SELECT count(*) FROM outbox WHERE doc LIKE '%\"step\":\"maybe_crash\"%' AND :id <> ''",
            id),
        LP_RUN_ITEMS);
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "total", 0), LP_RUN_ITEMS);
    assert_int_equal(lp_json_int(json_object_get(state, "fan"), "completed", 0), LP_RUN_ITEMS);
    json_decref(state);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
    lp_test_nothing_held(env, id);
}

static void
crash_as_other(struct lp_run_env *env)
{
    env->conf_lines[0] = "daemon.name=other";
    env->conf_count = 1;
    crash_in_io(env);
}

/** Nobody can prove at once that it is dead: the lease has to run out. */
static void
lease_of_another_runs_out(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_as_other);
    unlink(lp_world.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "a"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
    lp_test_nothing_held(env, id);
}

static void
crash_again(struct lp_run_env *env)
{
    lp_world.kill = true;
    lp_run_env_start(env);
    pause();
}

static void
crashing_step_is_given_up(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_io);
    for (int i = 0; i < 4; i++)
        lp_run_env_crash(env, crash_again);
    unlink(lp_world.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "ended 5 times"));
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "crashing"), 1);
}

static void
lost_lease_stops_the_step(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];
    struct lp_engine_stats stats;

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* whoever owns the file has no lease to lose */
    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    lp_test_at_gate(1);
    lp_clock_turn(&env->db.clock, 5000000); /* this program slept five seconds */
    for (int ms = 0;
         ms < 60000 && lp_test_int(env, "SELECT lease_epoch FROM processes WHERE id = :id", id) < 2;
         ms += 5)
        usleep(5000);
    lp_world.open = 1;
    lp_test_wait(env, id, "completed");
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.lease_losses >= 1);
    assert_int_equal(lp_test_effects(env, id, "gated"), 1);
    assert_int_equal(lp_test_effects(env, id, "b"), 1);
}

static void
two_executors_share_the_work(struct lp_run_env *env)
{
    enum { MANY = 60 };
    struct lp_run_env second = *env;
    char ids[MANY][LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* the file has one owner */
    second.db.store = NULL;
    second.conf = NULL;
    second.conf_lines[0] = "daemon.name=second";
    second.conf_count = 1;
    lp_store_env_reopen(&second.db);
    lp_run_env_start(env);
    lp_run_env_start(&second);
    for (size_t i = 0; i < MANY; i++)
        lp_test_start(i % 2 == 0 ? env : &second, "simple", NULL, ids[i]);
    for (size_t i = 0; i < MANY; i++) {
        lp_executor_hint(env->engine, ids[i], 0);
        lp_executor_hint(second.engine, ids[i], 0);
    }
    for (size_t i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(lp_test_effects(env, ids[i], "a"), 1);
        assert_int_equal(lp_test_effects(env, ids[i], "c"), 1);
        assert_int_equal(lp_test_step_rows(env, ids[i], "1 = 1"), 5);
    }
    /* pause and abort reach the other program */
    lp_test_start(&second, "gates_io", NULL, ids[0]);
    lp_test_at_gate(1);
    lp_test_abort(env, ids[0], false);
    lp_test_wait(env, ids[0], "aborted");
    lp_run_env_stop(&second);
    lp_store_close(second.db.store);
    lp_conf_free(second.conf);
}

static void
stuck_forever(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    env->conf_lines[0] = "executor.stuck_grace_ms=100";
    env->conf_count = 1;
    lp_run_env_start(env);
    lp_test_start(env, "stucks", NULL, id);
    pause();
}

static void
stuck_thread_ends_the_program(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_run_env_end_by(env, stuck_forever, SIGABRT);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_world.open = 1;
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
}

static void
crash_behind_a_skipped_group(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "when_crash", NULL, id);
    pause();
}

static void
goes_on_behind_a_skipped_group(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_behind_a_skipped_group);
    unlink(lp_world.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    assert_string_equal(lp_test_text(env, "SELECT last_key FROM processes WHERE id = :id", id),
                        "no_group");
    lp_run_env_start(env);
    lp_test_wait(env, id, "completed");
    assert_int_equal(lp_test_effects(env, id, "a") + lp_test_effects(env, id, "gated"), 0);
    assert_int_equal(lp_test_effects(env, id, "crashing_db"), 1);
    assert_int_equal(lp_test_step_rows(env, id, "key = 'no_group'"), 1);
}

static void
crash_in_undo(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    lp_world.kill = true;
    lp_run_env_start(env);
    lp_test_start(env, "crashing_undoes", NULL, id);
    lp_test_wait(env, id, "suspended");
    lp_test_abort(env, id, true);
    pause();
}

static void
crashing_undo_is_given_up(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    snprintf(lp_world.route, sizeof lp_world.route, "%s/token", env->db.dir);
    lp_run_env_crash(env, crash_in_undo);
    for (int i = 0; i < 4; i++)
        lp_run_env_crash(env, crash_again);
    unlink(lp_world.route);
    snprintf(id, sizeof id, "%s", lp_test_text(env, "SELECT id FROM processes WHERE :id = ''", ""));
    lp_run_env_start(env);
    lp_test_wait(env, id, "failed");
    lp_test_resume(env, id, NULL);
    lp_test_wait(env, id, "aborted");
}

/** A database that forgot the executor (a replica took over, say) regards its processes as free. */
static void
executor_without_a_row_registers_again(struct lp_run_env *env)
{
    struct lp_engine_stats stats;
    char id[LP_UUID_LEN + 1];

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return; /* whoever owns the file has no lease to lose */
    lp_run_env_start(env);
    lp_test_start(env, "gates_io", NULL, id);
    lp_test_at_gate(1);
    lp_store_env_exec(&env->db, "DELETE FROM executors");
    lp_test_until(env, "SELECT count(*) FROM executors WHERE :id <> '' AND expires_at > lp_now()",
                  id, 1);
    lp_test_until(env, "SELECT lease_epoch FROM processes WHERE id = :id", id, 2);
    lp_engine_stats(env->engine, &stats);
    assert_true(stats.lease_losses >= 1); /* what was under way has stopped */
    lp_world.open = 1;
    lp_test_wait(env, id, "completed");
}

/* clang-format off */
static const struct lp_run_case cases[] = {
    LP_RUN_CASE(W01_crash_is_taken_over),
    LP_RUN_CASE(parking_keeps_an_unknown_outcome),
    LP_RUN_CASE(aborted_locks_are_not_clean),
    LP_RUN_CASE(W04_double_run),
    LP_RUN_CASE(W32_db_hiccup),
    LP_RUN_CASE(W35_graceful_drain),
    LP_RUN_CASE(W51_fanout_atomic),
    LP_RUN_CASE(lease_of_another_runs_out),
    LP_RUN_CASE(crashing_step_is_given_up),
    LP_RUN_CASE(lost_lease_stops_the_step),
    LP_RUN_CASE(two_executors_share_the_work),
    LP_RUN_CASE(stuck_thread_ends_the_program),
    LP_RUN_CASE(goes_on_behind_a_skipped_group),
    LP_RUN_CASE(crashing_undo_is_given_up),
    LP_RUN_CASE(executor_without_a_row_registers_again),
};
/* clang-format on */

int
main(void)
{
    return lp_run_cases(cases, LP_COUNT(cases));
}
