/* Operator actions: start, locks, resume, callbacks, abort, manage. The executor does not run: rows
 * stand as the test puts them. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "tests/support/engine_main.h"
#include "tests/support/test_main.h"

/* ---- helpers ---- */

static void
demand(enum lp_code want, enum lp_code got, struct lp_err *err)
{
    if (want != got)
        fail_msg("wanted %s, got %s: %s", lp_code_info(want)->slug, lp_code_info(got)->slug,
                 err->msg);
}

/* The text of a refusal, then the error is cleared. */
static void
refused(enum lp_code want, enum lp_code got, const char *text, struct lp_err *err)
{
    demand(want, got, err);
    if (strstr(err->msg, text) == NULL)
        fail_msg("wanted '%s' in '%s'", text, err->msg);
    lp_err_clear(err);
}

static void
start(struct lp_engine_env *env, const char *workflow, json_t *pages, char *id)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_start(env->engine, &lp_test_vip, workflow, pages, NULL, NULL, id, &err),
               &err);
    json_decref(pages);
}

static json_t *
page_of(const char *subscription)
{
    return json_pack("[{s:s}]", "subscription_id", subscription);
}

static void
node(struct lp_engine_env *env, const char *code, char *id, char *block)
{
    json_t *input = json_pack("{s:s}", "code", code);

    lp_engine_env_subscription(env, "TestNode", input, LP_LC_ACTIVE, id, block);
    json_decref(input);
}

static void
link_to(struct lp_engine_env *env, const char *block, enum lp_lifecycle status, char *id)
{
    json_t *input = json_pack("{s:[s]}", "nodes", block);

    lp_engine_env_subscription(env, "TestLink", input, status, id, NULL);
    json_decref(input);
}

/* Puts a process where the executor would have stopped it. */
static void
stand_at(struct lp_engine_env *env, const char *id, const char *status, const char *key,
         const char *step_status)
{
    lp_engine_env_sql(env,
                      "UPDATE processes SET status = '%s', last_key = '%s', last_step = '%s', "
                      "head_seq = 1, lease_owner = NULL WHERE id = '%s'",
                      status, key, key, id);
    lp_engine_env_sql(env,
                      "INSERT INTO process_steps (process_id, seq, step_id, key, title, status, "
                      "created_by, started_at, completed_at) VALUES ('%s', 1, '%s', '%s', '%s', "
                      "'%s', 'x', 1, 2)",
                      id, id, key, key, step_status);
}

/* A live executor that owns the process. */
static void
own(struct lp_engine_env *env, const char *id)
{
    lp_engine_env_sql(env,
                      "INSERT INTO executors (incarnation, name, host, started_at, renewed_at, "
                      "expires_at) VALUES ('other', 'other', 'h', 1, 1, 9000000000000000)");
    lp_engine_env_sql(env, "UPDATE processes SET lease_owner = 'other' WHERE id = '%s'", id);
}

static int64_t
count(struct lp_engine_env *env, const char *table, const char *id)
{
    return lp_engine_env_int(env, "SELECT COUNT(*) FROM %s WHERE process_id = '%s'", table, id);
}

static bool
has_status(struct lp_engine_env *env, const char *id, const char *status)
{
    return lp_engine_env_int(
               env, "SELECT COUNT(*) FROM processes WHERE id = '%s' AND status = '%s'", id, status)
           == 1;
}

/* ---- start ---- */

static void
start_stores_everything(struct lp_engine_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_t *process = NULL, *state;
    int64_t rows = 0;

    node(env, "N1", sub, NULL);
    start(env, "modify_node", page_of(sub), id);
    assert_true(has_status(env, id, "created"));
    assert_int_equal(count(env, "process_locks", id), 1);
    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    assert_string_equal(lp_json_str(state, "subscription_id", ""), sub);
    assert_string_equal(lp_json_str(state, "workflow_target", ""), "MODIFY");
    assert_string_equal(lp_json_str(state, "process_id", ""), id);
    json_decref(state);
    lp_test_ok(lp_engine_process(env->engine, &lp_test_reader, id, &process, &err), &err);
    assert_string_equal(lp_json_str(process, "workflow_name", ""), "modify_node");
    /* start, link, lock, work, unlock, done are still to come */
    assert_int_equal(json_array_size(json_object_get(process, "steps")), 6);
    assert_string_equal(
        lp_json_str(json_array_get(json_object_get(process, "steps"), 0), "status", ""), "pending");
    json_decref(process);
    lp_test_ok(lp_engine_audit_verify(env->engine, &rows, &err), &err);
    assert_int_equal(rows, 1);
}

static void
start_refuses(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char id[LP_UUID_LEN + 1];
    json_t *object = json_object();

    refused(LP_NOT_FOUND, lp_engine_start(e, &lp_test_admin, "nix", NULL, NULL, NULL, id, &err),
            "Workflow does not exist", &err);
    refused(LP_DENIED,
            lp_engine_start(e, &lp_test_operator, "task_vip", NULL, NULL, NULL, id, &err),
            "User is not authorized to start 'task_vip' workflow", &err);
    refused(LP_PRECONDITION,
            lp_engine_start(e, &lp_test_operator, "task_once", NULL, NULL, NULL, id, &err),
            "task_once may only run once", &err);
    refused(LP_INVALID,
            lp_engine_start(e, &lp_test_operator, "task_plain", object, NULL, NULL, id, &err),
            "must be a list of pages", &err);
    lp_test_ok(lp_engine_pause(e, &lp_test_operator, true, &err), &err);
    refused(LP_PAUSED,
            lp_engine_start(e, &lp_test_operator, "task_plain", NULL, NULL, NULL, id, &err),
            "Engine is locked cannot accept changes on processes at this time", &err);
    lp_test_ok(lp_engine_pause(e, &lp_test_operator, false, &err), &err);
    lp_test_ok(lp_engine_start(e, &lp_test_operator, "task_plain", NULL, NULL, NULL, id, &err),
               &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 1);
    json_decref(object);
}

static void
idempotency_key_gives_the_first_process(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1];
    struct lp_engine *e = env->engine;

    lp_test_ok(lp_engine_start(e, &lp_test_operator, "task_plain", NULL, "k", "h1", first, &err),
               &err);
    lp_test_ok(lp_engine_start(e, &lp_test_operator, "task_plain", NULL, "k", "h1", second, &err),
               &err);
    assert_string_equal(first, second);
    refused(LP_INVALID,
            lp_engine_start(e, &lp_test_operator, "task_plain", NULL, "k", "h2", second, &err),
            "was used before with another request", &err);
    lp_test_ok(lp_engine_start(e, &lp_test_vip, "task_plain", NULL, "k", "h2", second, &err), &err);
    assert_string_not_equal(first, second);
}

struct twin {
    struct lp_engine *engine;
    pthread_barrier_t *line;
    char id[LP_UUID_LEN + 1];
    enum lp_code rc;
};

static void *
start_twin(void *arg)
{
    struct twin *twin = arg;
    struct lp_err err = LP_ERR_INIT;

    pthread_barrier_wait(twin->line);
    twin->rc = lp_engine_start(twin->engine, &lp_test_operator, "task_plain", NULL, "k", "h",
                               twin->id, &err);
    lp_err_clear(&err);
    return NULL;
}

/* A client that repeats itself before it has the answer. */
static void
twin_requests_start_one_process(struct lp_engine_env *env)
{
    enum { TWINS = 6 };
    struct twin twins[TWINS];
    pthread_t threads[TWINS];
    pthread_barrier_t line;

    pthread_barrier_init(&line, NULL, TWINS);
    for (int i = 0; i < TWINS; i++) {
        twins[i] = (struct twin){.engine = env->engine, .line = &line};
        assert_int_equal(pthread_create(&threads[i], NULL, start_twin, &twins[i]), 0);
    }
    for (int i = 0; i < TWINS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(twins[i].rc, LP_OK);
        assert_string_equal(twins[i].id, twins[0].id);
    }
    pthread_barrier_destroy(&line);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 1);
}

struct elder {
    struct lp_engine *engine;
    json_t *pages;
    char id[LP_UUID_LEN + 1];
};

static void
start_elder(void *arg)
{
    struct elder *elder = arg;
    struct lp_err err = LP_ERR_INIT;

    lp_test_between = NULL;
    lp_test_ok(lp_engine_start(elder->engine, &lp_test_operator, "modify_node", elder->pages, "k",
                               "h", elder->id, &err),
               &err);
}

/* The lock that stands against a repeated request is the one it took itself. */
static void
twin_is_not_locked_out_by_itself(struct lp_engine_env *env)
{
    struct elder elder = {.engine = env->engine};
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    node(env, "N1", sub, NULL);
    elder.pages = page_of(sub);
    lp_test_between = start_elder;
    lp_test_between_arg = &elder;
    lp_test_ok(lp_engine_start(env->engine, &lp_test_operator, "modify_node", elder.pages, "k", "h",
                               id, &err),
               &err);
    assert_string_equal(id, elder.id);
    json_decref(elder.pages);
}

/* ---- locks ---- */

struct racer {
    struct lp_engine *engine;
    const char *sub;
    pthread_barrier_t *line;
    enum lp_code rc;
    bool told;
};

static void *
race(void *arg)
{
    struct racer *racer = arg;
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *pages = page_of(racer->sub);

    pthread_barrier_wait(racer->line);
    racer->rc = lp_engine_start(racer->engine, &lp_test_operator, "modify_node", pages, NULL, NULL,
                                id, &err);
    racer->told = lp_json_str(err.detail, "process_id", NULL) != NULL;
    lp_err_clear(&err);
    json_decref(pages);
    return NULL;
}

static void
W10_lock_race(struct lp_engine_env *env)
{
    enum { RACERS = 8 };
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    pthread_barrier_t line;
    char sub[LP_UUID_LEN + 1];
    int won = 0, lost = 0;

    node(env, "N1", sub, NULL);
    pthread_barrier_init(&line, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.engine = env->engine, .sub = sub, .line = &line};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        won += racers[i].rc == LP_OK;
        lost += racers[i].rc == LP_CONFLICT && racers[i].told;
    }
    pthread_barrier_destroy(&line);
    assert_int_equal(won, 1);
    assert_int_equal(lost, RACERS - 1);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 1);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM process_locks"), 1);
}

static void
W11_lock_has_owner(struct lp_engine_env *env)
{
    static const char *const others[] = {"validate_node", "reconcile_node", "terminate_node"};
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1];
    json_t *pages;

    node(env, "N1", sub, NULL);
    pages = page_of(sub);
    start(env, "modify_node", page_of(sub), id);
    for (size_t i = 0; i < LP_COUNT(others); i++) {
        demand(LP_CONFLICT,
               lp_engine_start(env->engine, &lp_test_operator, others[i], pages, NULL, NULL, other,
                               &err),
               &err);
        assert_string_equal(lp_json_str(err.detail, "process_id", ""), id);
        assert_non_null(strstr(err.msg, id));
        lp_err_clear(&err);
    }
    /* and the subscription stays locked by exactly that process */
    assert_int_equal(count(env, "process_locks", id), 1);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM process_locks"), 1);
    json_decref(pages);
}

static void
shared_locks_stand_side_by_side(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char one[LP_UUID_LEN + 1], two[LP_UUID_LEN + 1], common[LP_UUID_LEN + 1];
    char first[LP_UUID_LEN + 1], second[LP_UUID_LEN + 1], third[LP_UUID_LEN + 1];
    json_t *pages;

    node(env, "N1", one, NULL);
    node(env, "N2", two, NULL);
    node(env, "N3", common, NULL);
    lp_test_share = common;
    start(env, "share_node", page_of(one), first);
    start(env, "share_node", page_of(two), second);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM process_locks WHERE mode = 'shared'"), 2);
    pages = page_of(common);
    refused(LP_CONFLICT,
            lp_engine_start(env->engine, &lp_test_operator, "modify_node", pages, NULL, NULL, third,
                            &err),
            "is locked by process", &err);
    lp_engine_env_sql(env, "DELETE FROM process_locks");
    start(env, "modify_node", page_of(common), third);
    json_decref(pages);
    pages = page_of(one);
    refused(LP_CONFLICT,
            lp_engine_start(env->engine, &lp_test_operator, "share_node", pages, NULL, NULL, first,
                            &err),
            "is locked by process", &err);
    json_decref(pages);
    lp_test_share = NULL;
}

static void
references_are_held_shared(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char one[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1], line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_t *pages;

    node(env, "N1", one, block);
    link_to(env, block, LP_LC_ACTIVE, line);
    start(env, "modify_link", page_of(line), id);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_locks WHERE mode = 'shared' "
                                       "AND subscription_id = '%s'",
                                       one),
                     1);
    pages = page_of(one);
    refused(
        LP_CONFLICT,
        lp_engine_start(env->engine, &lp_test_operator, "modify_node", pages, NULL, NULL, id, &err),
        "is locked by process", &err);
    json_decref(pages);
}

/* ---- W12: what changes between form and commit ---- */

struct change {
    struct lp_engine_env *env;
    const char *sql;
    int times;
};

static void
change_once(void *arg)
{
    struct change *change = arg;

    if (change->times-- > 0)
        lp_engine_env_sql(change->env, "%s", change->sql);
}

static void
between(struct lp_engine_env *env, const char *sub, const char *set, int times, enum lp_code want,
        const char *text)
{
    char sql[300], id[LP_UUID_LEN + 1];
    struct change change = {env, sql, times};
    struct lp_err err = LP_ERR_INIT;
    json_t *pages = page_of(sub);

    snprintf(sql, sizeof sql, "UPDATE subscriptions SET %s WHERE id = '%s'", set, sub);
    lp_test_between = change_once;
    lp_test_between_arg = &change;
    refused(
        want,
        lp_engine_start(env->engine, &lp_test_operator, "modify_node", pages, NULL, NULL, id, &err),
        text, &err);
    lp_test_between = NULL;
    json_decref(pages);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 0);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM process_locks"), 0);
    lp_engine_env_sql(env, "UPDATE subscriptions SET status = 'active', insync = 1");
}

static void
W12_gate_rechecked(struct lp_engine_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    struct change change = {env, "UPDATE subscriptions SET version = version + 1", 1};

    node(env, "N1", sub, NULL);
    /* each time the form was right and the row is not any more: asked again, the form says why */
    between(env, sub, "insync = 0", 1, LP_FORM_INVALID, "the subscription is not in sync");
    between(env, sub, "status = 'terminated'", 1, LP_FORM_INVALID,
            "the status of the subscription does not allow it");
    between(env, sub, "version = version + 1", 9, LP_CONFLICT, "changed while");
    /* a change that does no harm is looked at again and accepted */
    lp_test_between = change_once;
    lp_test_between_arg = &change;
    start(env, "modify_node", page_of(sub), id);
    lp_test_between = NULL;
}

static void
W12_relations_rechecked(struct lp_engine_env *env)
{
    char one[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1], line[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    char sql[200], id[LP_UUID_LEN + 1];
    struct change change = {env, sql, 1};
    json_t *pages;

    node(env, "N1", one, block);
    link_to(env, block, LP_LC_ACTIVE, line);
    snprintf(sql, sizeof sql, "UPDATE subscriptions SET insync = 0 WHERE id = '%s'", line);
    lp_test_between = change_once;
    lp_test_between_arg = &change;
    pages = page_of(one);
    refused(
        LP_FORM_INVALID,
        lp_engine_start(env->engine, &lp_test_operator, "modify_node", pages, NULL, NULL, id, &err),
        "a related subscription is not in sync", &err);
    lp_test_between = NULL;
    json_decref(pages);
}

/* ---- the gate ---- */

static const json_t *
item_of(const json_t *lists, const char *list, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(lists, list), i, item)
    {
        if (strcmp(lp_json_str(item, "name", ""), name) == 0)
            return item;
    }
    fail_msg("%s is not in %s", name, list);
    return NULL;
}

static json_t *
lists_of(struct lp_engine_env *env, const struct lp_caller *caller, const char *sub)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *lists = NULL;

    lp_test_ok(lp_engine_subscription_workflows(env->engine, caller, sub, &lists, &err), &err);
    return lists;
}

static void
gate_names_its_reasons(struct lp_engine_env *env)
{
    char one[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1], line[LP_UUID_LEN + 1];
    const json_t *item;
    json_t *lists;

    node(env, "N1", one, block);
    lists = lists_of(env, &lp_test_vip, one);
    assert_null(json_object_get(lists, "reason"));
    assert_null(json_object_get(item_of(lists, "modify", "modify_node"), "reason"));
    assert_int_equal(json_array_size(json_object_get(lists, "create")), 0);
    json_decref(lists);
    link_to(env, block, LP_LC_ACTIVE, line);
    lists = lists_of(env, &lp_test_vip, one);
    item = item_of(lists, "terminate", "terminate_node");
    assert_string_equal(lp_json_str(item, "reason", ""),
                        "subscription.no_modify_subscription_in_use_by_others");
    assert_string_equal(lp_json_str(item, "action", ""), "terminated");
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(item, "unterminated_in_use_by_subscriptions"), 0)),
                        line);
    json_decref(lists);
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 0 WHERE id = '%s'", line);
    lists = lists_of(env, &lp_test_vip, one);
    assert_string_equal(lp_json_str(lists, "reason", ""), "subscription.relations_not_in_sync");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(lists, "locked_relations"), 0)), line);
    assert_null(json_object_get(item_of(lists, "reconcile", "reconcile_node"), "reason"));
    json_decref(lists);
    lp_engine_env_sql(env, "UPDATE subscriptions SET status = 'provisioning' WHERE id = '%s'", one);
    lists = lists_of(env, &lp_test_vip, one);
    item = item_of(lists, "validate", "validate_node");
    assert_string_equal(lp_json_str(item, "reason", ""), "subscription.no_modify_invalid_status");
    assert_string_equal(lp_json_str(item, "status", ""), "provisioning");
    json_decref(lists);
}

static void
W11_terminated_neighbours(struct lp_engine_env *env)
{
    char one[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1], line[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_t *lists;

    node(env, "N1", one, block);
    link_to(env, block, LP_LC_ACTIVE, line);
    lp_engine_env_sql(
        env, "UPDATE subscriptions SET status = 'terminated', insync = 0 WHERE id = '%s'", line);
    lists = lists_of(env, &lp_test_vip, one);
    assert_null(json_object_get(lists, "reason"));
    assert_null(json_object_get(item_of(lists, "terminate", "terminate_node"), "reason"));
    json_decref(lists);
    start(env, "modify_node", page_of(one), id);
}

static void
W26_permission_reason(struct lp_engine_env *env)
{
    char one[LP_UUID_LEN + 1];
    json_t *lists;

    node(env, "N1", one, NULL);
    lists = lists_of(env, &lp_test_operator, one);
    assert_string_equal(lp_json_str(item_of(lists, "modify", "modify_node_vip"), "reason", ""),
                        "subscription.insufficient_workflow_permissions");
    json_decref(lists);
    lists = lists_of(env, &lp_test_vip, one);
    assert_null(json_object_get(item_of(lists, "modify", "modify_node_vip"), "reason"));
    json_decref(lists);
    lists = lists_of(env, &lp_test_reader, one);
    assert_string_equal(lp_json_str(item_of(lists, "modify", "modify_node"), "reason", ""),
                        "subscription.insufficient_workflow_permissions");
    json_decref(lists);
}

static void
W52_gate_never_crashes(struct lp_engine_env *env)
{
    char one[LP_UUID_LEN + 1], block[LP_UUID_LEN + 1], line[LP_UUID_LEN + 1];
    const json_t *item;
    json_t *lists;

    node(env, "N1", one, block);
    link_to(env, block, LP_LC_ACTIVE, line);
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 0");
    /* exempt from the sync rule, blocked by its users, and the relations were never looked at */
    lists = lists_of(env, &lp_test_vip, one);
    item = item_of(lists, "terminate", "remove_node");
    assert_string_equal(lp_json_str(item, "reason", ""),
                        "subscription.no_modify_subscription_in_use_by_others");
    assert_int_equal(
        json_array_size(json_object_get(item, "unterminated_in_use_by_subscriptions_detail")), 1);
    assert_string_equal(lp_json_str(item_of(lists, "terminate", "terminate_node"), "reason", ""),
                        "subscription.not_in_sync");
    json_decref(lists);
}

/* ---- resume ---- */

static void
W24_group_form(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *process = NULL, *wrong = json_pack("[{s:s}]", "answer_a", "x");

    start(env, "asking", NULL, id);
    stand_at(env, id, "suspended", "group/ask_b", "suspend");
    lp_test_ok(lp_engine_process(env->engine, &lp_test_vip, id, &process, &err), &err);
    assert_string_equal(lp_json_str(json_object_get(process, "form"), "title", ""), "Form B");
    json_decref(process);
    refused(LP_FORM_INVALID, lp_engine_resume(env->engine, &lp_test_vip, id, wrong, &err), "",
            &err);
    json_decref(wrong);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM process_inputs WHERE kind = 'form'"), 0);
}

static void
W25_authorizers_survive(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *pages = json_pack("[{s:i}]", "answer_b", 7);

    start(env, "asking", NULL, id);
    stand_at(env, id, "suspended", "group/ask_b", "suspend");
    refused(LP_DENIED, lp_engine_resume(env->engine, &lp_test_operator, id, pages, &err),
            "User is not authorized to resume step", &err);
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_vip, id, pages, &err), &err);
    assert_true(has_status(env, id, "resumed"));
    json_decref(pages);
    /* the rule of the input step governs retries behind it as well */
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed', last_key = 'more'");
    refused(LP_DENIED, lp_engine_resume(env->engine, &lp_test_operator, id, NULL, &err),
            "User is not authorized to retry step", &err);
    /* but not before it */
    lp_engine_env_sql(env, "UPDATE processes SET status = 'suspended', last_key = 'group/ask_a'");
    pages = json_pack("[{s:s}]", "answer_a", "yes");
    lp_test_ok(lp_engine_resume(env->engine, &lp_test_operator, id, pages, &err), &err);
    json_decref(pages);
}

struct resumer {
    struct lp_engine *engine;
    const char *id;
    pthread_barrier_t *line;
    enum lp_code rc;
};

static void *
resume_it(void *arg)
{
    struct resumer *resumer = arg;
    struct lp_err err = LP_ERR_INIT;
    json_t *pages = json_pack("[{s:s}]", "answer_a", "yes");

    pthread_barrier_wait(resumer->line);
    resumer->rc = lp_engine_resume(resumer->engine, &lp_test_operator, resumer->id, pages, &err);
    lp_err_clear(&err);
    json_decref(pages);
    return NULL;
}

static void
W20_input_counts_once(struct lp_engine_env *env)
{
    enum { RESUMERS = 6 };
    struct resumer all[RESUMERS];
    pthread_t threads[RESUMERS];
    pthread_barrier_t line;
    char id[LP_UUID_LEN + 1];
    int won = 0, lost = 0;

    start(env, "asking", NULL, id);
    stand_at(env, id, "suspended", "group/ask_a", "suspend");
    pthread_barrier_init(&line, NULL, RESUMERS);
    for (int i = 0; i < RESUMERS; i++) {
        all[i] = (struct resumer){env->engine, id, &line, LP_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, resume_it, &all[i]), 0);
    }
    for (int i = 0; i < RESUMERS; i++) {
        pthread_join(threads[i], NULL);
        won += all[i].rc == LP_OK;
        lost += all[i].rc == LP_CONFLICT;
    }
    pthread_barrier_destroy(&line);
    assert_int_equal(won, 1);
    assert_int_equal(lost, RESUMERS - 1);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_inputs WHERE kind = 'form' "
                                       "AND n = 1 AND step_key = 'group/ask_a'"),
                     1);
}

static void
resume_refuses_by_status(struct lp_engine_env *env)
{
    static const char *const statuses[] = {"created", "running", "completed", "aborted",
                                           "awaiting_callback"};
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], text[100];

    start(env, "calling", NULL, id);
    for (size_t i = 0; i < LP_COUNT(statuses); i++) {
        lp_engine_env_sql(env, "UPDATE processes SET status = '%s', last_key = 'wait'",
                          statuses[i]);
        snprintf(text, sizeof text, "Resuming a %s workflow is not possible", statuses[i]);
        refused(LP_CONFLICT, lp_engine_resume(env->engine, &lp_test_vip, id, NULL, &err), text,
                &err);
    }
    refused(LP_NOT_FOUND,
            lp_engine_resume(env->engine, &lp_test_vip, "01890000-0000-7000-8000-000000000000",
                             NULL, &err),
            "Process with process_id 01890000-0000-7000-8000-000000000000 not found", &err);
}

static void
W27_retry_authorised(struct lp_engine_env *env)
{
    static const char *const statuses[] = {"failed", "waiting", "api_unavailable",
                                           "inconsistent_data"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char id[LP_UUID_LEN + 1];
    int64_t n = -1;

    start(env, "task_vip", NULL, id);
    stand_at(env, id, "failed", "work", "failed");
    for (size_t i = 0; i < LP_COUNT(statuses); i++) {
        lp_engine_env_sql(env, "UPDATE processes SET wait_kind = 'retry', status = '%s'",
                          statuses[i]);
        refused(LP_DENIED, lp_engine_resume(e, &lp_test_operator, id, NULL, &err),
                "not authorized to retry", &err);
        refused(LP_DENIED, lp_engine_skip(e, &lp_test_operator, id, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_mark_done(e, &lp_test_operator, id, NULL, &err),
                "not authorized", &err);
        refused(LP_DENIED, lp_engine_abort(e, &lp_test_operator, id, false, &err), "not authorized",
                &err);
        lp_test_ok(lp_engine_resume_all(e, &lp_test_operator, &n, &err), &err);
        assert_int_equal(n, 0);
        lp_test_ok(lp_engine_resume(e, &lp_test_vip, id, NULL, &err), &err);
        assert_true(has_status(env, id, "resumed"));
    }
    lp_engine_env_sql(env, "UPDATE processes SET status = 'completed'");
    refused(LP_DENIED, lp_engine_delete(e, &lp_test_operator, id, &err), "not authorized", &err);
}

/* What only an administrator may start, nobody less makes run once more. */
static void
an_administrators_task_runs_again_for_one_only(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char id[LP_UUID_LEN + 1];
    int64_t n = -1;

    lp_test_ok(lp_engine_start(e, &lp_test_admin, "task_admin", NULL, NULL, NULL, id, &err), &err);
    stand_at(env, id, "failed", "work", "failed");
    refused(LP_DENIED, lp_engine_resume(e, &lp_test_operator, id, NULL, &err),
            "not authorized to retry", &err);
    lp_test_ok(lp_engine_resume_all(e, &lp_test_operator, &n, &err), &err);
    assert_int_equal(n, 0);
    lp_test_ok(lp_engine_resume(e, &lp_test_admin, id, NULL, &err), &err);
    assert_true(has_status(env, id, "resumed"));
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed'");
    lp_test_ok(lp_engine_abort(e, &lp_test_operator, id, false, &err), &err);
}

static void
W06_one_bad_process(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char good[3][LP_UUID_LEN + 1], gone[LP_UUID_LEN + 1], asks[LP_UUID_LEN + 1];
    json_t *status = NULL;
    int64_t n = 0;

    start(env, "task_plain", NULL, gone);
    start(env, "asking", NULL, asks);
    for (int i = 0; i < 3; i++) {
        start(env, "task_plain", NULL, good[i]);
        stand_at(env, good[i], "failed", "work", "failed");
    }
    stand_at(env, gone, "failed", "work", "failed");
    lp_engine_env_sql(env, "UPDATE processes SET workflow = 'removed' WHERE id = '%s'", gone);
    stand_at(env, asks, "running", "group/ask_a", "suspend");
    /* un-pausing flips one flag: nothing is asked of the process that stands before a form */
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, true, &err), &err);
    lp_test_ok(lp_engine_status(env->engine, &status, &err), &err);
    assert_string_equal(lp_json_str(status, "global_status", ""), "PAUSED");
    json_decref(status);
    refused(LP_PAUSED, lp_engine_resume_all(env->engine, &lp_test_operator, &n, &err),
            "Engine is locked", &err);
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, false, &err), &err);
    assert_true(has_status(env, asks, "running"));
    assert_int_equal(count(env, "process_inputs", asks), 1);
    lp_test_ok(lp_engine_status(env->engine, &status, &err), &err);
    assert_string_equal(lp_json_str(status, "global_status", ""), "RUNNING");
    json_decref(status);
    /* and the bad one does not keep the others from their retry */
    lp_test_ok(lp_engine_resume_all(env->engine, &lp_test_operator, &n, &err), &err);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        assert_true(has_status(env, good[i], "resumed"));
    assert_true(has_status(env, gone, "failed"));
}

static void
resume_all_takes_tasks_that_may_be_retried(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char retry[LP_UUID_LEN + 1], timer[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];
    int64_t n = 0;

    start(env, "task_plain", NULL, retry);
    start(env, "task_plain", NULL, timer);
    start(env, "asking", NULL, process);
    lp_engine_env_sql(
        env, "UPDATE processes SET status = 'waiting', wait_kind = 'retry' WHERE id = '%s'", retry);
    lp_engine_env_sql(
        env, "UPDATE processes SET status = 'waiting', wait_kind = 'timer' WHERE id = '%s'", timer);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed' WHERE id = '%s'", process);
    lp_test_ok(lp_engine_resume_all(env->engine, &lp_test_operator, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_true(has_status(env, retry, "resumed"));
    assert_true(has_status(env, timer, "waiting"));
    assert_true(has_status(env, process, "failed"));
}

static void
W29_reporter(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *state = NULL, *pages = json_pack("[{s:s}]", "reporter", "somebody else");

    refused(LP_FORM_INVALID,
            lp_engine_start(env->engine, &lp_test_vip, "task_plain", pages, NULL, NULL, id, &err),
            "", &err);
    start(env, "task_plain", NULL, id);
    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    assert_string_equal(lp_json_str(state, "reporter", ""), "vip");
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM processes WHERE created_by = 'vip'"), 1);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM audit WHERE actor = 'vip'"), 1);
    json_decref(state);
    json_decref(pages);
}

/* ---- skip and mark done ---- */

static void
settling_needs_a_reason(struct lp_engine_env *env)
{
    struct lp_caller silent = lp_test_vip;
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *delta = json_pack("{s:i}", "answer", 42), *stolen = json_pack("{s:s}", "reporter", "x");
    json_t *state = NULL;

    silent.reason = " ";
    start(env, "asking", NULL, id);
    stand_at(env, id, "failed", "more", "failed");
    refused(LP_INVALID, lp_engine_skip(env->engine, &silent, id, &err), "a reason is needed", &err);
    refused(LP_INVALID, lp_engine_mark_done(env->engine, &lp_test_vip, id, stolen, &err),
            "'reporter' belongs to the engine", &err);
    lp_test_ok(lp_engine_mark_done(env->engine, &lp_test_vip, id, delta, &err), &err);
    assert_true(has_status(env, id, "resumed"));
    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    assert_int_equal(lp_json_int(state, "answer", 0), 42);
    refused(LP_CONFLICT, lp_engine_skip(env->engine, &lp_test_vip, id, &err),
            "A resumed process has no failed or waiting step to skip", &err);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed'");
    lp_test_ok(lp_engine_skip(env->engine, &lp_test_vip, id, &err), &err);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM process_steps WHERE status = 'skipped' "
                               "AND key = 'more'"),
        1);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM audit WHERE reason = 'a test' AND "
                                       "chain = '%s'",
                                       id),
                     3);
    json_decref(delta);
    json_decref(stolen);
    json_decref(state);
}

/* ---- abort ---- */

static void
abort_of_a_free_process(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], child[LP_UUID_LEN + 1], parent[LP_UUID_LEN + 1];
    struct lp_store_stats before, after;
    int64_t rows = 0;

    node(env, "N1", sub, NULL);
    start(env, "task_plain", NULL, parent);
    start(env, "modify_node", page_of(sub), id);
    start(env, "task_plain", NULL, child);
    stand_at(env, id, "failed", "work", "failed");
    lp_engine_env_sql(env,
                      "UPDATE processes SET parent_id = '%s', parent_step = 's', parent_item = 'i' "
                      "WHERE id = '%s'",
                      id, child);
    lp_engine_env_sql(env,
                      "UPDATE processes SET parent_id = '%s', parent_step = 's', parent_item = 'i' "
                      "WHERE id = '%s'",
                      parent, id);
    lp_engine_env_sql(
        env, "UPDATE processes SET status = 'waiting', wait_kind = 'children' WHERE id = '%s'",
        parent);
    lp_store_stats(env->db.store, &before);
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, id, false, &err), &err);
    lp_store_stats(env->db.store, &after);
    /* nothing can come between the end of the process and the word to its children */
    assert_int_equal(after.units - before.units, 1);
    assert_true(has_status(env, id, "aborted"));
    assert_int_equal(count(env, "process_locks", id), 0);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_steps WHERE title = 'User "
                                       "Aborted' AND status = 'abort' AND created_by = 'vip' AND "
                                       "process_id = '%s' AND seq = 2",
                                       id),
                     1);
    assert_int_equal(count(env, "process_requests", child), 1);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM processes WHERE id = '%s' AND wake_at > 0",
                          parent),
        1);
    /* again: nothing happens */
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, id, false, &err), &err);
    assert_int_equal(count(env, "process_steps", id), 2);
    lp_test_ok(lp_engine_audit_verify(env->engine, &rows, &err), &err);
}

static void
abort_of_an_owned_process_is_a_request(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], free_one[LP_UUID_LEN + 1];

    start(env, "task_plain", NULL, id);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'running'");
    own(env, id);
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, id, false, &err), &err);
    assert_true(has_status(env, id, "running"));
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_requests WHERE kind = 'abort' "
                                       "AND actor = 'vip' AND process_id = '%s'",
                                       id),
                     1);
    assert_int_equal(lp_engine_env_int(env, "SELECT requests FROM processes WHERE id = '%s'", id),
                     1);
    /* an owner whose lease ran out owns nothing */
    lp_engine_env_sql(env, "UPDATE executors SET expires_at = 1");
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, id, false, &err), &err);
    assert_true(has_status(env, id, "aborted"));
    start(env, "task_plain", NULL, free_one);
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, free_one, true, &err), &err);
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_requests WHERE kind = "
                                       "'abort_rollback' AND process_id = '%s'",
                                       free_one),
                     1);
    assert_int_equal(
        lp_engine_env_int(
            env, "SELECT COUNT(*) FROM processes WHERE requests = 1 AND wake_at > 0 AND id = '%s'",
            free_one),
        1);
}

/* ---- callbacks ---- */

static void
token_of(struct lp_engine_env *env, const char *id, int64_t n, char token[static 65])
{
    lp_callback_token(env->engine, id, "wait", n, token);
}

static void
W23_callbacks_buffered(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char id[LP_UUID_LEN + 1], token[65];
    json_t *body = json_pack("{s:s}", "result", "fine"),
           *other = json_pack("{s:s}", "result", "late");
    json_t *text = json_string("half way"), *list = json_array();

    start(env, "calling", NULL, id);
    token_of(env, id, 1, token);
    /* before the wait began, and while the engine is paused */
    lp_engine_env_sql(env, "UPDATE processes SET status = 'running', last_key = 'work'");
    lp_test_ok(lp_engine_pause(e, &lp_test_operator, true, &err), &err);
    lp_test_ok(lp_engine_callback(e, id, token, text, true, &err), &err);
    lp_test_ok(lp_engine_callback(e, id, token, body, false, &err), &err);
    lp_test_ok(lp_engine_pause(e, &lp_test_operator, false, &err), &err);
    assert_true(has_status(env, id, "running"));
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM process_inputs WHERE kind = 'callback' "
                               "AND step_key = 'wait' AND n = 1 AND consumed_at IS NULL"),
        1);
    /* the first result counts */
    lp_test_ok(lp_engine_callback(e, id, token, other, false, &err), &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM process_inputs WHERE doc = "
                                            "'{\"result\":\"fine\"}'"),
                     1);
    /* a wrong token, a wrong process, a body that is no object */
    refused(LP_NOT_FOUND, lp_engine_callback(e, id, "0123", body, false, &err), "Invalid token",
            &err);
    token[0] = token[0] == 'a' ? 'b' : 'a';
    refused(LP_NOT_FOUND, lp_engine_callback(e, id, token, body, false, &err), "Invalid token",
            &err);
    token_of(env, id, 1, token);
    refused(LP_INVALID, lp_engine_callback(e, id, token, list, false, &err),
            "must be a JSON object", &err);
    /* awaiting: an ordinary resume does not jump over the wait, the callback ends it */
    lp_engine_env_sql(env, "DELETE FROM process_inputs WHERE kind = 'callback'");
    stand_at(env, id, "awaiting_callback", "wait", "awaiting_callback");
    refused(LP_CONFLICT, lp_engine_resume(e, &lp_test_vip, id, NULL, &err),
            "Resuming a awaiting_callback workflow is not possible", &err);
    lp_test_ok(lp_engine_callback(e, id, token, body, false, &err), &err);
    assert_true(has_status(env, id, "resumed"));
    /* consumed: the same call again is answered and changes nothing */
    lp_engine_env_sql(env, "UPDATE process_inputs SET consumed_at = 5 WHERE kind = 'callback'");
    lp_engine_env_sql(env, "UPDATE processes SET status = 'awaiting_callback'");
    lp_test_ok(lp_engine_callback(e, id, token, other, false, &err), &err);
    assert_true(has_status(env, id, "awaiting_callback"));
    /* the next wait of the same step has a token of its own */
    token_of(env, id, 2, token);
    lp_test_ok(lp_engine_callback(e, id, token, other, false, &err), &err);
    assert_true(has_status(env, id, "resumed"));
    json_decref(body);
    json_decref(other);
    json_decref(text);
    json_decref(list);
}

/* ---- manage ---- */

static void
W31_running_task_not_deleted(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char id[LP_UUID_LEN + 1], process[LP_UUID_LEN + 1];

    start(env, "task_plain", NULL, id);
    start(env, "asking", NULL, process);
    stand_at(env, id, "running", "work", "success");
    own(env, id);
    refused(LP_CONFLICT, lp_engine_delete(e, &lp_test_vip, id, &err), "is running", &err);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed', lease_owner = NULL");
    refused(LP_CONFLICT, lp_engine_delete(e, &lp_test_vip, id, &err), "is failed", &err);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'completed'");
    refused(LP_INVALID, lp_engine_delete(e, &lp_test_vip, process, &err), "is not a task", &err);
    lp_test_ok(lp_engine_delete(e, &lp_test_vip, id, &err), &err);
    assert_int_equal(count(env, "process_steps", id), 0);
    assert_int_equal(count(env, "process_inputs", id), 0);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes"), 1);
    assert_true(lp_engine_env_int(env, "SELECT COUNT(*) FROM audit WHERE chain = '%s'", id) > 0);
    refused(LP_NOT_FOUND, lp_engine_delete(e, &lp_test_vip, id, &err), "not found", &err);
}

static void
W36_status_counts_leases(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *status = NULL;

    start(env, "task_plain", NULL, id);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'running'");
    lp_test_ok(lp_engine_pause(env->engine, &lp_test_operator, true, &err), &err);
    own(env, id);
    lp_test_ok(lp_engine_status(env->engine, &status, &err), &err);
    assert_string_equal(lp_json_str(status, "global_status", ""), "PAUSING");
    assert_int_equal(lp_json_int(status, "running_processes", 0), 1);
    json_decref(status);
    lp_test_ok(lp_engine_worker_status(env->engine, &status, &err), &err);
    assert_int_equal(lp_json_int(status, "number_of_running_jobs", 0), 1);
    json_decref(status);
    lp_engine_env_sql(env, "UPDATE executors SET expires_at = 1");
    lp_test_ok(lp_engine_status(env->engine, &status, &err), &err);
    assert_string_equal(lp_json_str(status, "global_status", ""), "PAUSED");
    json_decref(status);
}

static void
notes_are_kept(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], *big = malloc(5002);

    memset(big, 'x', 5001);
    big[5001] = '\0';
    start(env, "task_plain", NULL, id);
    lp_test_ok(lp_engine_note(env->engine, &lp_test_operator, id, "looked at it", &err), &err);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM processes WHERE note = 'looked at it'"), 1);
    lp_test_ok(lp_engine_note(env->engine, &lp_test_operator, id, "  ", &err), &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM processes WHERE note IS NULL"),
                     1);
    refused(LP_INVALID, lp_engine_note(env->engine, &lp_test_operator, id, big, &err),
            "longer than 5000", &err);
    free(big);
}

static void
set_in_sync_names_what_is_unfinished(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], text[200];

    node(env, "N1", sub, NULL);
    start(env, "modify_node", page_of(sub), id);
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 0");
    lp_engine_env_sql(env, "INSERT INTO process_subscriptions VALUES ('%s', '%s', 1)", id, sub);
    snprintf(text, sizeof text, "Subscription %s has still failed processes with id's: ['%s']", sub,
             id);
    refused(LP_INVALID, lp_engine_set_in_sync(env->engine, &lp_test_vip, sub, &err), text, &err);
    lp_test_ok(lp_engine_abort(env->engine, &lp_test_vip, id, false, &err), &err);
    lp_test_ok(lp_engine_set_in_sync(env->engine, &lp_test_vip, sub, &err), &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT insync FROM subscriptions"), 1);
    lp_test_ok(lp_engine_set_in_sync(env->engine, &lp_test_vip, sub, &err), &err);
    refused(LP_NOT_FOUND,
            lp_engine_set_in_sync(env->engine, &lp_test_vip, "01890000-0000-7000-8000-000000000000",
                                  &err),
            "not found", &err);
}

static void
W48_safe_defaults(struct lp_engine_env *env)
{
    struct lp_caller nobody = {.actor = "nobody", .role = LP_ROLE_NONE, .reason = "x"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_engine *e = env->engine;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1];
    const struct lp_caller *weak[] = {&nobody, &lp_test_reader};
    int64_t n = 0;

    node(env, "N1", sub, NULL);
    start(env, "task_plain", NULL, id);
    stand_at(env, id, "failed", "work", "failed");
    lp_engine_env_sql(env, "UPDATE subscriptions SET insync = 0");
    for (size_t i = 0; i < LP_COUNT(weak); i++) {
        refused(LP_DENIED, lp_engine_start(e, weak[i], "task_plain", NULL, NULL, NULL, other, &err),
                "not authorized", &err);
        refused(LP_DENIED, lp_engine_resume(e, weak[i], id, NULL, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_resume_all(e, weak[i], &n, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_abort(e, weak[i], id, false, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_skip(e, weak[i], id, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_note(e, weak[i], id, "x", &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_delete(e, weak[i], id, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_pause(e, weak[i], true, &err), "not authorized", &err);
        refused(LP_DENIED, lp_engine_set_in_sync(e, weak[i], sub, &err), "not authorized", &err);
    }
    refused(LP_DENIED,
            lp_engine_start(e, &lp_test_vip, "task_admin", NULL, NULL, NULL, other, &err),
            "not authorized", &err);
    lp_test_ok(lp_engine_start(e, &lp_test_admin, "task_admin", NULL, NULL, NULL, other, &err),
               &err);
    assert_string_equal(env->conf->api_cors_origins, "");
    assert_non_null(strstr(env->conf->api_listen, "127.0.0.1"));
    assert_string_equal(env->conf->log_level, "info");
}

static void
a_restored_database_only_validates(struct lp_engine_env *env)
{
    struct lp_caller silent_admin = lp_test_admin;
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_t *pages;

    silent_admin.reason = NULL;
    node(env, "N1", sub, NULL);
    pages = page_of(sub);
    lp_engine_env_sql(env, "INSERT INTO settings VALUES ('restored', '1', 'x', 1)");
    lp_test_ok(lp_restored_load(env->engine, &err), &err);
    refused(LP_PRECONDITION,
            lp_engine_start(env->engine, &lp_test_vip, "modify_node", pages, NULL, NULL, id, &err),
            "restored from a backup", &err);
    refused(LP_PRECONDITION,
            lp_engine_start(env->engine, &silent_admin, "modify_node", pages, NULL, NULL, id, &err),
            "restored from a backup", &err);
    lp_test_ok(
        lp_engine_start(env->engine, &lp_test_vip, "validate_node", pages, NULL, NULL, id, &err),
        &err);
    lp_engine_env_sql(env, "DELETE FROM process_locks");
    lp_test_ok(
        lp_engine_start(env->engine, &lp_test_admin, "modify_node", pages, NULL, NULL, id, &err),
        &err);
    json_decref(pages);
}

static void
restored_ends_when_everything_was_validated(struct lp_engine_env *env)
{
    struct lp_caller silent_admin = lp_test_admin;
    struct lp_engine *again = NULL;
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1];

    silent_admin.reason = NULL;
    node(env, "N1", sub, NULL);
    /* no workflow validates links: they do not hold the state up */
    lp_engine_env_subscription(env, "TestLink", NULL, LP_LC_ACTIVE, other, NULL);
    lp_engine_env_sql(env, "INSERT INTO settings VALUES ('restored', '1', 'x', 1000)");
    lp_test_ok(lp_engine_env_again(env, &again, &err), &err);
    lp_engine_env_sql(env, "UPDATE subscriptions SET validated_at = 999");
    lp_restored_check(again);
    assert_true(again->restored);
    refused(LP_DENIED, lp_engine_end_restored(again, &lp_test_vip, &err), "not authorized", &err);
    refused(LP_INVALID, lp_engine_end_restored(again, &silent_admin, &err), "a reason is needed",
            &err);
    lp_engine_env_sql(env, "UPDATE subscriptions SET validated_at = 1001 WHERE id = '%s'", sub);
    lp_restored_check(again);
    assert_false(again->restored);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM settings WHERE name = 'restored' "
                                            "AND value = '0'"),
                     1);
    lp_engine_env_sql(env, "UPDATE settings SET value = '1' WHERE name = 'restored'");
    lp_test_ok(lp_engine_end_restored(again, &lp_test_admin, &err), &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM settings WHERE name = 'restored' "
                                            "AND value = '0'"),
                     1);
    lp_engine_free(again);
}

static void
wait_for_status(struct lp_engine_env *env, const char *id, const char *status)
{
    for (int i = 0; i < 3000 && !has_status(env, id, status); i++)
        usleep(20000);
    if (!has_status(env, id, status))
        fail_msg("process %s never became %s", id, status);
}

/* What was under way when the backup was made does not go on by itself. */
static void
restored_processes_are_held_back(struct lp_engine_env *env)
{
    struct lp_engine *again = NULL;
    struct lp_err err = LP_ERR_INIT;
    char old[LP_UUID_LEN + 1], sub[LP_UUID_LEN + 1], fresh[LP_UUID_LEN + 1];
    json_t *pages;

    start(env, "task_plain", NULL, old);
    node(env, "N1", sub, NULL);
    lp_engine_env_sql(env,
                      "INSERT INTO settings SELECT 'restored', '1', 'x', MAX(created_at) + 1 FROM "
                      "processes");
    lp_test_ok(lp_engine_env_again(env, &again, &err), &err);
    lp_test_ok(lp_engine_run(again, &err), &err);
    pages = page_of(sub);
    lp_test_ok(
        lp_engine_start(again, &lp_test_vip, "validate_node", pages, NULL, NULL, fresh, &err),
        &err);
    lp_executor_hint(again, old, 1);
    wait_for_status(env, fresh, "completed");
    /* that was the only subscription: everything is validated, and the old process may go on */
    wait_for_status(env, old, "completed");
    assert_int_equal(lp_engine_env_int(env,
                                       "SELECT COUNT(*) FROM process_steps o, settings r WHERE "
                                       "o.process_id = '%s' AND r.name = 'restored' AND "
                                       "o.started_at < r.changed_at",
                                       old),
                     0);
    lp_test_ok(lp_engine_stop(again, 10000, &err), &err);
    lp_engine_free(again);
    json_decref(pages);
}

static void
settling_a_wait_keeps_its_first_half(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], token[65];
    json_t *delta = json_pack("{s:s}", "callback_result", "by hand"), *state = NULL;
    json_t *late = json_pack("{s:s}", "result", "late");

    start(env, "calling", NULL, id);
    stand_at(env, id, "awaiting_callback", "wait", "awaiting_callback");
    lp_engine_env_sql(env, "UPDATE process_steps SET delta = '{\"set\":{\"asked\":true}}'");
    lp_test_ok(lp_engine_mark_done(env->engine, &lp_test_vip, id, delta, &err), &err);
    lp_test_ok(lp_state_load(env->db.store, NULL, id, -1, &state, &err), &err);
    assert_true(lp_json_true(state, "asked"));
    assert_string_equal(lp_json_str(state, "callback_result", ""), "by hand");
    /* the token of that wait answers no other one */
    token_of(env, id, 1, token);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'awaiting_callback'");
    lp_test_ok(lp_engine_callback(env->engine, id, token, late, false, &err), &err);
    assert_true(has_status(env, id, "awaiting_callback"));
    json_decref(state);
    json_decref(delta);
    json_decref(late);
}

static const struct lp_engine_case cases[] = {
    {"start_stores_everything", start_stores_everything},
    {"start_refuses", start_refuses},
    {"idempotency_key_gives_the_first_process", idempotency_key_gives_the_first_process},
    {"twin_requests_start_one_process", twin_requests_start_one_process},
    {"twin_is_not_locked_out_by_itself", twin_is_not_locked_out_by_itself},
    {"W10_lock_race", W10_lock_race},
    {"W11_lock_has_owner", W11_lock_has_owner},
    {"W11_terminated_neighbours", W11_terminated_neighbours},
    {"shared_locks_stand_side_by_side", shared_locks_stand_side_by_side},
    {"references_are_held_shared", references_are_held_shared},
    {"W12_gate_rechecked", W12_gate_rechecked},
    {"W12_relations_rechecked", W12_relations_rechecked},
    {"gate_names_its_reasons", gate_names_its_reasons},
    {"W26_permission_reason", W26_permission_reason},
    {"W52_gate_never_crashes", W52_gate_never_crashes},
    {"W24_group_form", W24_group_form},
    {"W25_authorizers_survive", W25_authorizers_survive},
    {"W20_input_counts_once", W20_input_counts_once},
    {"resume_refuses_by_status", resume_refuses_by_status},
    {"W27_retry_authorised", W27_retry_authorised},
    {"an_administrators_task_runs_again_for_one_only",
     an_administrators_task_runs_again_for_one_only},
    {"W06_one_bad_process", W06_one_bad_process},
    {"resume_all_takes_tasks_that_may_be_retried", resume_all_takes_tasks_that_may_be_retried},
    {"W29_reporter", W29_reporter},
    {"settling_needs_a_reason", settling_needs_a_reason},
    {"abort_of_a_free_process", abort_of_a_free_process},
    {"abort_of_an_owned_process_is_a_request", abort_of_an_owned_process_is_a_request},
    {"W23_callbacks_buffered", W23_callbacks_buffered},
    {"W31_running_task_not_deleted", W31_running_task_not_deleted},
    {"W36_status_counts_leases", W36_status_counts_leases},
    {"notes_are_kept", notes_are_kept},
    {"set_in_sync_names_what_is_unfinished", set_in_sync_names_what_is_unfinished},
    {"W48_safe_defaults", W48_safe_defaults},
    {"a_restored_database_only_validates", a_restored_database_only_validates},
    {"restored_ends_when_everything_was_validated", restored_ends_when_everything_was_validated},
    {"restored_processes_are_held_back", restored_processes_are_held_back},
    {"settling_a_wait_keeps_its_first_half", settling_a_wait_keeps_its_first_half},
};
const struct lp_engine_cases lp_engine_service_cases = {cases, LP_COUNT(cases)};
