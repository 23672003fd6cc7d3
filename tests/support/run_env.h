/**
 * An engine on a database of its own, with workflows made for tests. Built on store_env.
 */
#ifndef LP_TESTS_SUPPORT_RUN_ENV_H
#define LP_TESTS_SUPPORT_RUN_ENV_H

#include "engine/engine.h"
#include "tests/support/store_env.h"

struct lp_run_env {
    struct lp_store_env db;
    const struct lp_catalog *catalog; /* loaded once per program */
    struct lp_conf *conf;
    struct lp_queue *queue;
    struct lp_engine *engine; /* running, or NULL */
    const struct lp_workflow_set *set;
    struct lp_log *log;
    const char *conf_lines[8]; /* further "section.key=value" */
    size_t conf_count;
    void *services; /* of the steps; NULL: the env itself */
};

/** A migrated database, no engine yet. */
void lp_run_env_open(struct lp_run_env *env, enum lp_dialect dialect,
                     const struct lp_workflow_set *set);
void lp_run_env_close(struct lp_run_env *env);
/** A new incarnation with the given workflows (NULL: those of open); made, but not running. */
void lp_run_env_make(struct lp_run_env *env, const struct lp_workflow_set *set);
/** The same, and run. */
void lp_run_env_start(struct lp_run_env *env);
void lp_run_env_stop(struct lp_run_env *env);
/** Runs fn in a child program with its own engine on the same database; it must end by SIGKILL of
 * its own hand. */
void lp_run_env_crash(struct lp_run_env *env, void (*fn)(struct lp_run_env *env));
/** The same with another signal. */
void lp_run_env_end_by(struct lp_run_env *env, void (*fn)(struct lp_run_env *env), int number);
/** "tester" with role admin. */
extern const struct lp_caller lp_test_caller;
/** Starts a workflow and fails the test when it is refused. pages may be NULL. */
void lp_test_start(struct lp_run_env *env, const char *workflow, const char *pages,
                   char id[static LP_UUID_LEN + 1]);
/** Waits up to ten seconds. */
void lp_test_wait(struct lp_run_env *env, const char *id, const char *status);
/** The integer of a query with one %s for the id. */
int64_t lp_test_int(struct lp_run_env *env, const char *sql, const char *id);
/** The same is polled until it has that value, up to ten seconds. */
void lp_test_until(struct lp_run_env *env, const char *sql, const char *id, int64_t value);
/** Folded state. New reference. */
json_t *lp_test_state(struct lp_run_env *env, const char *id);
/** A text of one row ("" for null); valid until the next call. */
const char *lp_test_text(struct lp_run_env *env, const char *sql, const char *id);

/** Turns the clock of this program and of the database. */
void lp_test_turn(struct lp_run_env *env, int64_t us);
/** Holds the SQLite file exclusively from outside for so long, in a thread of its own; returns when
 * it holds it. */
void lp_test_hold_sqlite(struct lp_store_env *db, int ms);

#endif
