/**
 * What the tests of the runtime share: steps whose behaviour a test chooses, the workflows made of
 * them, and questions about a run. Each test is run on both databases, in an engine of its own.
 * Built on run_env.
 */
#ifndef LP_TESTS_SUPPORT_RUN_STEPS_H
#define LP_TESTS_SUPPORT_RUN_STEPS_H

#include <stdatomic.h>

#include "engine/run.h"
#include "tests/support/run_env.h"

/** How the steps behave; empty at the beginning of every test. */
extern struct lp_run_world {
    atomic_int open;       /* gates let through */
    atomic_int inside;     /* steps that stand at a gate */
    atomic_int calls;      /* of step "count_calls" */
    atomic_int fail_times; /* failing steps fail so many times more */
    atomic_int fail_code;
    atomic_int undone;
    bool kill; /* the crashing step ends the program */
    char undo_order[200];
    char token[2][LP_UUID_LEN + 1];
    char route[200];
    int64_t turn_us;     /* the slow action turns the clock so far */
    bool answer_at_once; /* the other side answers before the action has returned */
    bool bad_items;
    char site[LP_UUID_LEN + 1]; /* of fan_sites */
    atomic_bool lose;           /* hints do not arrive */
} lp_world;

enum { LP_RUN_ITEMS = 12 }; /* children of a fan-out */

/** One outbox row per commit: what a database effect leaves behind. */
enum lp_code lp_step_effect(struct lp_run *run, const json_t *state, json_t *delta,
                            struct lp_err *err);
/** How often a step of a process had its effect. */
int64_t lp_test_effects(struct lp_run_env *env, const char *id, const char *step);
/** Waits until so many steps stand at a gate. */
void lp_test_at_gate(int count);

/** Steps of workflow "inputs", for other versions of it. */
extern const struct lp_step lp_step_b, lp_step_ask, lp_step_ask_more, lp_step_add_x;
extern const struct lp_workflow_set lp_run_workflows;

/** Rows of the process log that a condition chooses. */
int64_t lp_test_step_rows(struct lp_run_env *env, const char *id, const char *where);
void lp_test_resume(struct lp_run_env *env, const char *id, const char *pages);
/** Answers the callback that the newest step handed out. */
void lp_test_call_back(struct lp_run_env *env, const char *id, const char *body);
void lp_test_pause(struct lp_run_env *env, bool paused);
void lp_test_abort(struct lp_run_env *env, const char *id, bool rollback);
/** Nobody holds anything any more. */
void lp_test_nothing_held(struct lp_run_env *env, const char *id);
/** A subscription made by workflow "create_site"; its id. */
void lp_test_create_site(struct lp_run_env *env, char id[static LP_UUID_LEN + 1]);
void lp_test_start_on(struct lp_run_env *env, const char *workflow, const char *subscription,
                      char id[static LP_UUID_LEN + 1]);
int64_t lp_test_insync(struct lp_run_env *env, const char *subscription);
int64_t lp_test_locks_of(struct lp_run_env *env, const char *id);

struct lp_run_case {
    const char *name;
    void (*run)(struct lp_run_env *env);
};
#define LP_RUN_CASE(name)                                                                          \
    {                                                                                              \
#name, name                                                                                \
    }

/** Runs each case on SQLite and PostgreSQL; the value of main(). */
int lp_run_cases(const struct lp_run_case *cases, size_t count);

#endif
