#include "tests/support/engine_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test_main.h"

const struct lp_caller lp_test_operator = {
    .actor = "olga", .role = LP_ROLE_OPERATE, .correlation_id = "c-1", .reason = "a test"};
const struct lp_caller lp_test_vip = {
    .actor = "vip", .role = LP_ROLE_OPERATE, .correlation_id = "c-2", .reason = "a test"};
const struct lp_caller lp_test_reader = {
    .actor = "rita", .role = LP_ROLE_READ, .correlation_id = "c-3", .reason = "a test"};
const struct lp_caller lp_test_admin = {
    .actor = "anna", .role = LP_ROLE_ADMIN, .correlation_id = "c-4", .reason = "a test"};

enum lp_code
lp_engine_env_again(struct lp_engine_env *env, struct lp_engine **out, struct lp_err *err)
{
    struct lp_engine_options options = {.store = env->db.store,
                                        .catalog = env->catalog,
                                        .conf = env->conf,
                                        .clock = &env->db.clock,
                                        .queue = env->queue,
                                        .sets = env->sets,
                                        .set_count = env->set_count};

    return lp_engine_new(&options, out, err);
}

void
lp_engine_env_open(struct lp_engine_env *env, enum lp_dialect dialect,
                   const struct lp_workflow_set *set)
{
    static const char *const dirs[] = {LP_TEST_YANG, LP_TEST_YANG_PRODUCTS};
    struct lp_err err = LP_ERR_INIT;

    memset(env, 0, sizeof *env);
    lp_store_env_open(&env->db, dialect);
    lp_test_ok(lp_catalog_load(dirs, LP_COUNT(dirs), &env->catalog, &err), &err);
    lp_test_ok(lp_conf_load(NULL, NULL, 0, &env->conf, &err), &err);
    env->queue = lp_queue_local_new(1024);
    if (set != NULL)
        env->sets[env->set_count++] = set;
    lp_test_ok(lp_engine_env_again(env, &env->engine, &err), &err);
}

void
lp_engine_env_close(struct lp_engine_env *env)
{
    lp_engine_free(env->engine);
    env->queue->ops->free(env->queue);
    lp_conf_free(env->conf);
    lp_store_env_close(&env->db);
    lp_catalog_free(env->catalog);
}

void
lp_engine_env_subscription(struct lp_engine_env *env, const char *product, const json_t *input,
                           enum lp_lifecycle status, char *id, char *block)
{
    struct lp_save_context context = {.actor = "test", .clock = &env->db.clock};
    struct lp_subscription *sub = NULL;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    bool changed = false;

    lp_test_ok(lp_subscription_new(env->catalog, lp_catalog_product(env->catalog, product), NULL,
                                   input, &env->db.clock, &sub, &err),
               &err);
    if (status != LP_LC_INITIAL)
        lp_test_ok(lp_subscription_set_status(sub, env->catalog, status, &env->db.clock, &err),
                   &err);
    sub->insync = true;
    lp_test_ok(lp_subscription_save(unit, sub, env->catalog, &context, &changed, &err), &err);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    memcpy(id, sub->id, LP_UUID_LEN + 1);
    if (block != NULL)
        snprintf(block, LP_UUID_LEN + 1, "%s",
                 lp_json_str(sub->root, "subscription_instance_id", ""));
    lp_unit_free(unit);
    lp_subscription_free(sub);
}

void
lp_engine_env_sql(struct lp_engine_env *env, const char *fmt, ...)
{
    char sql[4000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    lp_store_env_exec(&env->db, sql);
}

int64_t
lp_engine_env_int(struct lp_engine_env *env, const char *fmt, ...)
{
    char sql[4000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    return lp_store_env_int(&env->db, sql);
}
