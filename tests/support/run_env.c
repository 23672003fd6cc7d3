#include "tests/support/run_env.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/internal.h"
#include "tests/support/catalog_env.h"
#include "tests/support/test_main.h"

enum { PATIENCE_MS = 60000 };

const struct lp_caller lp_test_caller = {
    .actor = "tester", .role = LP_ROLE_ADMIN, .correlation_id = "test", .reason = "a test"};

static void
load_conf(struct lp_run_env *env)
{
    const char *lines[16] = {"daemon.name=tester", "executor.lease_ms=1000",
                             "executor.heartbeat_ms=200", "executor.sweep_ms=50",
                             "executor.stuck_grace_ms=3600000"}; /* some tests turn the clock */
    struct lp_err err = LP_ERR_INIT;
    size_t count = 5;

    for (size_t i = 0; i < env->conf_count; i++)
        lines[count++] = env->conf_lines[i];
    lp_conf_free(env->conf);
    env->conf = NULL;
    lp_test_ok(lp_conf_load(NULL, lines, count, &env->conf, &err), &err);
}

void
lp_run_env_open(struct lp_run_env *env, enum lp_dialect dialect, const struct lp_workflow_set *set)
{
    static struct lp_catalog *catalog;

    memset(env, 0, sizeof *env);
    if (catalog == NULL)
        catalog = lp_test_catalog(true);
    env->catalog = catalog;
    env->set = set;
    lp_store_env_open(&env->db, dialect);
    if (getenv("LP_TEST_LOG") != NULL)
        env->log = lp_log_new(2, LP_LOG_DEBUG, &env->db.clock);
}

void
lp_run_env_close(struct lp_run_env *env)
{
    if (env->engine != NULL)
        lp_run_env_stop(env);
    lp_store_env_close(&env->db);
    lp_conf_free(env->conf);
    lp_log_free(env->log);
}

void
lp_run_env_make(struct lp_run_env *env, const struct lp_workflow_set *set)
{
    const struct lp_workflow_set *sets[1] = {set == NULL ? env->set : set};
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine_options options;

    load_conf(env);
    env->queue = lp_queue_local_new(10000);
    options = (struct lp_engine_options){.store = env->db.store,
                                         .catalog = env->catalog,
                                         .conf = env->conf,
                                         .clock = &env->db.clock,
                                         .log = env->log,
                                         .queue = env->queue,
                                         .sets = sets,
                                         .set_count = 1,
                                         .services = env->services == NULL ? env : env->services};
    lp_test_ok(lp_engine_new(&options, &env->engine, &err), &err);
}

void
lp_run_env_start(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    if (env->engine == NULL)
        lp_run_env_make(env, NULL);
    lp_test_ok(lp_engine_run(env->engine, &err), &err);
}

void
lp_run_env_stop(struct lp_run_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_stop(env->engine, PATIENCE_MS, &err), &err);
    lp_engine_free(env->engine);
    env->engine = NULL;
    env->queue->ops->free(env->queue);
    env->queue = NULL;
}

void
lp_run_env_crash(struct lp_run_env *env, void (*fn)(struct lp_run_env *env))
{
    lp_run_env_end_by(env, fn, SIGKILL);
}

void
lp_run_env_end_by(struct lp_run_env *env, void (*fn)(struct lp_run_env *env), int number)
{
    int status = 0;
    pid_t pid;

    lp_store_close(env->db.store);
    env->db.store = NULL;
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)alarm(60);
        lp_store_env_reopen(&env->db);
        fn(env);
        _exit(3); /* it should not have come so far */
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
    lp_store_env_reopen(&env->db);
}

void
lp_test_start(struct lp_run_env *env, const char *workflow, const char *pages,
              char id[static LP_UUID_LEN + 1])
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *doc = pages == NULL ? NULL : json_loads(pages, 0, NULL);

    lp_test_ok(lp_engine_start(env->engine, &lp_test_caller, workflow, doc, NULL, NULL, id, &err),
               &err);
}

int64_t
lp_test_int(struct lp_run_env *env, const char *sql, const char *id)
{
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t value;
    char text[1000];

    snprintf(text, sizeof text, "SELECT CAST((%s) AS bigint) AS n", sql);
    lp_test_ok(lp_query_text(env->db.store, text, LP_ARGS(lp_text("id", id)), &rows, &err), &err);
    value = lp_rows_count(rows) == 0 ? -1 : lp_rows_int(rows, 0, "n");
    lp_rows_free(rows);
    return value;
}

const char *
lp_test_text(struct lp_run_env *env, const char *sql, const char *id)
{
    static char kept[20000];
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    char text[1000];

    snprintf(text, sizeof text, "SELECT CAST((%s) AS text) AS t", sql);
    lp_test_ok(lp_query_text(env->db.store, text, LP_ARGS(lp_text("id", id)), &rows, &err), &err);
    snprintf(kept, sizeof kept, "%s",
             lp_rows_count(rows) == 0 || lp_rows_null(rows, 0, "t") ? ""
                                                                    : lp_rows_text(rows, 0, "t"));
    lp_rows_free(rows);
    return kept;
}

void
lp_test_until(struct lp_run_env *env, const char *sql, const char *id, int64_t value)
{
    int64_t now = -1;

    for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
        now = lp_test_int(env, sql, id);
        if (now == value)
            return;
        usleep(5000);
    }
    fail_msg("%s: is %lld, should have become %lld", sql, (long long)now, (long long)value);
}

void
lp_test_wait(struct lp_run_env *env, const char *id, const char *status)
{
    char now[64] = "";

    for (int ms = 0; ms < PATIENCE_MS; ms += 2) {
        snprintf(now, sizeof now, "%s",
                 lp_test_text(env, "SELECT status FROM processes WHERE id = :id", id));
        if (strcmp(now, status) == 0)
            return;
        usleep(2000);
    }
    fail_msg("process %s is '%s' (%s), should have become '%s'", id, now,
             lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id), status);
}

json_t *
lp_test_state(struct lp_run_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *state = NULL;

    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    return state;
}

struct hold {
    sqlite3 *db;
    int ms;
};

static void *
let_go(void *arg)
{
    struct hold *hold = arg;

    usleep((useconds_t)hold->ms * 1000);
    sqlite3_exec(hold->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(hold->db);
    free(hold);
    return NULL;
}

void
lp_test_hold_sqlite(struct lp_store_env *db, int ms)
{
    struct hold *hold = calloc(1, sizeof *hold);
    pthread_t thread;

    assert_non_null(hold);
    hold->ms = ms;
    assert_int_equal(sqlite3_open(db->url + strlen("sqlite:"), &hold->db), SQLITE_OK);
    sqlite3_busy_timeout(hold->db, 5000);
    assert_int_equal(sqlite3_exec(hold->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, let_go, hold), 0);
    pthread_detach(thread);
}

void
lp_test_turn(struct lp_run_env *env, int64_t us)
{
    char sql[300];

    lp_clock_turn(&env->db.clock, us);
    if (env->db.dialect != LP_DIALECT_POSTGRES)
        return;
    snprintf(sql, sizeof sql,
             "INSERT INTO settings (name, value, changed_by, changed_at) VALUES "
             "('clock_shift_us', '%lld', 'test', 0) ON CONFLICT (name) DO UPDATE SET value = "
             "CAST(CAST(settings.value AS bigint) + %lld AS text)",
             (long long)us, (long long)us);
    lp_store_env_exec(&env->db, sql);
}
