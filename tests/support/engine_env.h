/**
 * An engine of its own for each test, on a database of its own, with two small products and the
 * workflow tables the test brings.
 */
#ifndef LP_TESTS_SUPPORT_ENGINE_ENV_H
#define LP_TESTS_SUPPORT_ENGINE_ENV_H

#include "engine/engine.h"
#include "tests/support/store_env.h"

struct lp_engine_env {
    struct lp_store_env db;
    struct lp_catalog *catalog;
    struct lp_conf *conf;
    struct lp_queue *queue;
    struct lp_engine *engine; /* made, not run */
    const struct lp_workflow_set *sets[4];
    size_t set_count;
};

/** Everything up to lp_engine_new, which must succeed. */
void lp_engine_env_open(struct lp_engine_env *env, enum lp_dialect dialect,
                        const struct lp_workflow_set *set);
void lp_engine_env_close(struct lp_engine_env *env);
/** A second engine on the same store (free it with lp_engine_free); the code of lp_engine_new. */
enum lp_code lp_engine_env_again(struct lp_engine_env *env, struct lp_engine **out,
                                 struct lp_err *err) LP_MUST_CHECK;

/** Stores a subscription in sync. input is borrowed and may be NULL. id has LP_UUID_LEN + 1 bytes,
 * block likewise (root instance). */
void lp_engine_env_subscription(struct lp_engine_env *env, const char *product, const json_t *input,
                                enum lp_lifecycle status, char *id, char *block);
/** printf into lp_store_env_exec and lp_store_env_int. */
void lp_engine_env_sql(struct lp_engine_env *env, const char *fmt, ...) LP_PRINTF(2, 3);
int64_t lp_engine_env_int(struct lp_engine_env *env, const char *fmt, ...) LP_PRINTF(2, 3);

/** Callers. */
extern const struct lp_caller lp_test_operator, lp_test_vip, lp_test_reader, lp_test_admin;

#endif
