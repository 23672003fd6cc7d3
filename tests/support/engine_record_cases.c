/* What the engine keeps for others to read: audit chains and seals, events, definitions, read
 * models. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>
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

/* ---- audit ---- */

static void
verified(struct lp_engine_env *env, int64_t rows)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t n = -1;

    lp_test_ok(lp_engine_audit_verify(env->engine, &n, &err), &err);
    assert_int_equal(n, rows);
}

/* The proof fails and names the place; then the damage is undone by the second statement. */
static void
detected(struct lp_engine_env *env, const char *damage, const char *repair, const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    int64_t n = 0;
    enum lp_code rc;

    lp_engine_env_sql(env, "%s", damage);
    rc = lp_engine_audit_verify(env->engine, &n, &err);
    if (rc != LP_DRIFT)
        fail_msg("not detected: %s", damage);
    if (strstr(err.msg, text) == NULL)
        fail_msg("wanted '%s' in '%s'", text, err.msg);
    lp_err_clear(&err);
    if (repair != NULL)
        lp_engine_env_sql(env, "%s", repair);
}

/* Three rows on the system chain. */
static void
three_rows(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    for (int i = 1; i <= 3; i++)
        lp_test_ok(lp_engine_audit_system(env->engine, &lp_test_admin,
                                          json_pack("{s:i}", "number", i), &err),
                   &err);
}

static void
audit_finds_every_kind_of_damage(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    verified(env, 0);
    three_rows(env);
    verified(env, 3);
    detected(env, "UPDATE audit SET body = '{\"number\":7}' WHERE seq = 2",
             "UPDATE audit SET body = '{\"number\":2}' WHERE seq = 2", "row 2 was changed");
    detected(env, "UPDATE audit SET actor = 'eve' WHERE seq = 3",
             "UPDATE audit SET actor = 'anna' WHERE seq = 3", "row 3 was changed");
    detected(env, "UPDATE audit SET reason = NULL WHERE seq = 3",
             "UPDATE audit SET reason = 'a test' WHERE seq = 3", "row 3 was changed");
    detected(env, "UPDATE audit SET seq = 9 WHERE seq = 2",
             "UPDATE audit SET seq = 2 WHERE seq = 9", "row 2 is missing");
    /* two rows change places */
    detected(env,
             "UPDATE audit SET seq = 9 WHERE seq = 1; UPDATE audit SET seq = 1 WHERE seq = 2; "
             "UPDATE audit SET seq = 2 WHERE seq = 9",
             "UPDATE audit SET seq = 9 WHERE seq = 1; UPDATE audit SET seq = 1 WHERE seq = 2; "
             "UPDATE audit SET seq = 2 WHERE seq = 9",
             "does not follow");
    verified(env, 3);
    /* a tail that is gone shows only against the seal */
    lp_test_ok(lp_audit_seal(env->engine, &err), &err);
    verified(env, 3);
    detected(env, "UPDATE audit_seals SET rows = 7", "UPDATE audit_seals SET rows = 3",
             "seal 1 was changed");
    detected(env, "DELETE FROM audit WHERE seq = 3", NULL, "row 3 stands in a seal and is missing");
    detected(env, "DELETE FROM audit", NULL, "gone with its chain");
}

static void
seals_follow_each_other(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];

    for (int i = 0; i < 4; i++) {
        start(env, "task_plain", id);
        lp_test_ok(lp_audit_seal(env->engine, &err), &err);
    }
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM audit_seals"), 4);
    verified(env, 4);
    detected(env, "DELETE FROM audit_seals WHERE n = 2", NULL, "seal 3 does not follow seal 1");
}

static void
retention_of_whole_chains_is_no_damage(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    three_rows(env);
    lp_test_ok(lp_audit_seal(env->engine, &err), &err);
    lp_engine_env_sql(env, "DELETE FROM audit");
    lp_clock_turn(&env->db.clock, (env->conf->retention_audit_days + 1) * 86400000000);
    verified(env, 0);
}

static void
retention_of_old_seals_is_no_damage(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    for (int i = 0; i < 3; i++) {
        three_rows(env);
        lp_test_ok(lp_audit_seal(env->engine, &err), &err);
    }
    detected(env, "DELETE FROM audit_seals WHERE n = 1", NULL, "seal 2 does not follow seal 0");
    lp_clock_turn(&env->db.clock, (env->conf->retention_audit_days + 1) * 86400000000);
    verified(env, 9);
    detected(env, "DELETE FROM audit_seals WHERE n = 2; UPDATE audit_seals SET heads = '{}'", NULL,
             "seal 3 was changed");
}

static void *
append_rows(void *arg)
{
    struct lp_engine_env *env = arg;
    struct lp_err err = LP_ERR_INIT;

    for (int i = 0; i < 20; i++)
        lp_test_ok(lp_engine_audit_system(env->engine, &lp_test_admin,
                                          json_pack("{s:i}", "number", i), &err),
                   &err);
    return NULL;
}

static void
system_chain_takes_appends_from_all_threads(struct lp_engine_env *env)
{
    pthread_t threads[4];
    json_t *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    for (size_t i = 0; i < LP_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_rows, env), 0);
    for (size_t i = 0; i < LP_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    verified(env, 80);
    lp_test_ok(lp_engine_audit(env->engine, NULL, 10, &rows, &err), &err);
    assert_int_equal(json_array_size(rows), 10);
    assert_int_equal(lp_json_int(json_array_get(rows, 0), "seq", 0), 80);
    json_decref(rows);
}

/* A commit whose answer was lost may have happened all the same: the chain goes on behind it. */
static void
lost_answer_breaks_no_chain(struct lp_engine_env *env)
{
    struct lp_chain head;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = json_pack("{s:s}", "event", "unheard");

    three_rows(env);
    head = env->engine->system_chain;
    lp_test_ok(lp_audit_add(unit, &head, &lp_test_admin, body, 1, &err), &err);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
    assert_int_equal(lp_engine_audit_system(env->engine, &lp_test_admin,
                                            json_pack("{s:s}", "event", "refused"), &err),
                     LP_CONFLICT);
    lp_err_clear(&err);
    three_rows(env);
    verified(env, 7);
}

/* A commit that fails leaves the head where it was. */
static void
failed_append_breaks_no_chain(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    json_t *body = json_object();

    three_rows(env);
    lp_unit_add(unit, LP_SQL_AUDIT_SEAL_INSERT,
                LP_ARGS(lp_int("n", 1), lp_int("at", 1), lp_int("rows", 1), lp_text("heads", NULL),
                        lp_text("prev_hash", ""), lp_text("hash", "")));
    assert_int_not_equal(lp_audit_commit_system(env->engine, unit, &lp_test_admin, body, &err),
                         LP_OK);
    lp_err_clear(&err);
    lp_unit_free(unit);
    json_decref(body);
    three_rows(env);
    verified(env, 6);
}

/* ---- events ---- */

struct listener {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int64_t newest;
};

static void
heard(void *arg, int64_t newest)
{
    struct listener *listener = arg;

    pthread_mutex_lock(&listener->lock);
    listener->newest = newest;
    pthread_cond_broadcast(&listener->wake);
    pthread_mutex_unlock(&listener->lock);
}

static void
wait_for(struct listener *listener, int64_t newest)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&listener->lock);
    while (listener->newest < newest)
        if (pthread_cond_timedwait(&listener->wake, &listener->lock, &until) != 0)
            fail_msg("event %lld was never announced, newest is %lld", (long long)newest,
                     (long long)listener->newest);
    pthread_mutex_unlock(&listener->lock);
}

static json_t *
events_after(struct lp_engine_env *env, int64_t after)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *list = NULL;

    lp_test_ok(lp_engine_events(env->engine, after, 1000, &list, &err), &err);
    return list;
}

static void
commit_event(struct lp_engine_env *env, const char *id)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    lp_event_process(unit, id, 1);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
    lp_events_poke(env->engine);
}

/* A transaction that took its row ids early and commits late (PostgreSQL). */
static PGconn *
open_late(struct lp_engine_env *env)
{
    PGconn *pg = PQconnectdb(env->db.url);
    char sql[200];

    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    snprintf(sql, sizeof sql,
             "SET search_path TO %s; BEGIN; INSERT INTO outbox (doc, created_at) VALUES "
             "('{\"late\":1}', 1)",
             env->db.schema);
    PQclear(PQexec(pg, sql));
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
    return pg;
}

static void
W33_events_after_commit(struct lp_engine_env *env)
{
    struct listener listener = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .wake = PTHREAD_COND_INITIALIZER};
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    PGconn *late = NULL;
    json_t *list;

    lp_engine_on_events(env->engine, heard, &listener);
    lp_test_ok(lp_events_start(env->engine, &err), &err);
    if (env->db.dialect == LP_DIALECT_POSTGRES)
        late = open_late(env);
    commit_event(env, "one");
    wait_for(&listener, 2);
    list = events_after(env, 0);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(lp_json_int(json_array_get(list, 0), "id", 0), 1);
    assert_string_equal(
        lp_json_str(json_object_get(json_object_get(json_array_get(list, 1), "data"), "value"),
                    "id", ""),
        "one");
    json_decref(list);
    /* whoever has read up to 2 still gets what commits now, whatever its row id */
    if (late != NULL) {
        PQclear(PQexec(late, "COMMIT"));
        PQfinish(late);
        lp_events_poke(env->engine);
        wait_for(&listener, 3);
        list = events_after(env, 2);
        assert_int_equal(json_array_size(list), 1);
        assert_int_equal(lp_json_int(json_object_get(json_array_get(list, 0), "data"), "late", 0),
                         1);
        json_decref(list);
    }
    /* a unit that fails says nothing to anybody */
    lp_event_process(unit, "never", 1);
    lp_unit_add(unit, LP_SQL_AUDIT_SEAL_INSERT,
                LP_ARGS(lp_int("n", 1), lp_int("at", 1), lp_int("rows", 1), lp_text("heads", NULL),
                        lp_text("prev_hash", ""), lp_text("hash", "")));
    assert_int_not_equal(lp_store_commit(env->db.store, unit, &err), LP_OK);
    lp_err_clear(&err);
    lp_unit_free(unit);
    assert_int_equal(
        lp_engine_env_int(env, "SELECT COUNT(*) FROM outbox WHERE doc LIKE '%%never%%'"), 0);
    lp_events_stop(env->engine);
}

static void
numbers_go_on_after_retention_and_restart(struct lp_engine_env *env)
{
    struct listener listener = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .wake = PTHREAD_COND_INITIALIZER};
    struct lp_engine *second = NULL, *first = env->engine;
    struct lp_err err = LP_ERR_INIT;
    json_t *newest = NULL;

    lp_engine_on_events(first, heard, &listener);
    lp_test_ok(lp_events_start(first, &err), &err);
    commit_event(env, "one");
    wait_for(&listener, 2);
    lp_events_stop(first);
    lp_engine_env_sql(env, "DELETE FROM outbox");
    commit_event(env, "two"); /* nobody numbers it now */
    lp_test_ok(lp_engine_env_again(env, &second, &err), &err);
    lp_engine_on_events(second, heard, &listener);
    lp_test_ok(lp_events_start(second, &err), &err);
    wait_for(&listener, 4);
    lp_test_ok(lp_engine_events(second, -1, 0, &newest, &err), &err);
    assert_int_equal(lp_json_int(newest, "id", 0), 4);
    json_decref(newest);
    lp_engine_free(second);
}

static void
two_sequencers_share_one_sequence(struct lp_engine_env *env)
{
    struct listener listener = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .wake = PTHREAD_COND_INITIALIZER};
    struct lp_engine *second = NULL;
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_env_again(env, &second, &err), &err);
    lp_engine_on_events(env->engine, heard, &listener);
    lp_test_ok(lp_events_start(env->engine, &err), &err);
    lp_test_ok(lp_events_start(second, &err), &err);
    for (int i = 0; i < 50; i++) {
        commit_event(env, "x");
        lp_events_poke(second);
    }
    lp_events_stop(second);
    lp_events_stop(env->engine);
    assert_int_equal(lp_engine_env_int(env, "SELECT SUM(events) FROM outbox"), 100);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(DISTINCT seq) FROM outbox"), 50);
    assert_int_equal(lp_engine_env_int(env, "SELECT MAX(seq) FROM outbox"), 100);
    lp_engine_free(second);
}

/* ---- definitions ---- */

static enum lp_code
nothing(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    (void)err;
    return LP_OK;
}

static void
every_fault_of_a_table_is_told(struct lp_engine_env *env)
{
    static const struct lp_step bad_key = {
        .key = "Bad Key", .title = "x", .kind = LP_STEP_ACTION, .no_undo = "x", .run = nothing};
    static const struct lp_step no_title = {
        .key = "a", .kind = LP_STEP_ACTION, .no_undo = "x", .run = nothing};
    static const struct lp_step twice = {
        .key = "a", .title = "x", .kind = LP_STEP_ACTION, .no_undo = "x", .run = nothing};
    static const struct lp_step no_run = {
        .key = "c", .title = "x", .kind = LP_STEP_ACTION, .no_undo = "x"};
    static const struct lp_step both = {.key = "d",
                                        .title = "x",
                                        .kind = LP_STEP_ACTION,
                                        .no_undo = "x",
                                        .undo = nothing,
                                        .run = nothing};
    static const struct lp_step neither = {
        .key = "e", .title = "x", .kind = LP_STEP_ACTION, .run = nothing};
    static const struct lp_step no_form = {
        .key = "f", .title = "x", .kind = LP_STEP_INPUT, .no_undo = "x"};
    static const struct lp_step empty_group = {.key = "g", .title = "x", .kind = LP_STEP_GROUP};
    static const struct lp_step taken = {
        .key = "start", .title = "x", .kind = LP_STEP_ACTION, .no_undo = "x", .run = nothing};
    static const struct lp_step *const steps[] = {&bad_key, &no_title, &twice,       &no_run, &both,
                                                  &neither, &no_form,  &empty_group, &taken};
    static const struct lp_workflow rows[] = {
        {.name = "all_wrong", .target = LP_TARGET_SYSTEM, .product = "TestNode", LP_STEPS(steps)},
        {.name = "task_plain",
         .description = "x",
         .target = LP_TARGET_CREATE,
         .product = "Nix",
         .role = LP_ROLE_READ},
    };
    static const struct lp_workflow_set set = {rows, LP_COUNT(rows)};
    struct lp_engine *engine = NULL;
    struct lp_err err = LP_ERR_INIT;
    const json_t *problems;

    env->sets[env->set_count++] = &set;
    assert_int_equal(lp_engine_env_again(env, &engine, &err), LP_INVALID);
    problems = json_object_get(err.detail, "problems");
    /* nine of the steps; description, product; name, role, product type, no step */
    assert_int_equal(json_array_size(problems), 9 + 2 + 4);
    assert_non_null(strstr(err.msg, "15 faults"));
    lp_err_clear(&err);
}

/* One table with one fault each; the engine must say exactly that. */
static void
one_fault(struct lp_engine_env *env, const struct lp_workflow *workflow, const char *text)
{
    struct lp_workflow_set set = {workflow, 1};
    struct lp_engine *engine = NULL;
    struct lp_err err = LP_ERR_INIT;

    env->sets[env->set_count++] = &set;
    if (lp_engine_env_again(env, &engine, &err) != LP_INVALID)
        fail_msg("accepted: %s", text);
    env->set_count--;
    if (strstr(err.msg, text) == NULL)
        fail_msg("wanted '%s' in '%s'", text, err.msg);
    assert_int_equal(json_array_size(json_object_get(err.detail, "problems")), 1);
    lp_err_clear(&err);
}

static void
one_bad_step(struct lp_engine_env *env, struct lp_step step, const char *text)
{
    const struct lp_step *const steps[] = {&step};
    struct lp_workflow workflow = {
        .name = "w", .description = "w", .target = LP_TARGET_SYSTEM, LP_STEPS(steps)};

    if (step.key == NULL)
        step.key = "s";
    if (step.title == NULL)
        step.title = "S";
    one_fault(env, &workflow, text);
}

static bool
everybody(const struct lp_caller *caller, enum lp_action action, const struct lp_workflow *workflow,
          const struct lp_step *step)
{
    (void)caller;
    (void)action;
    (void)workflow;
    (void)step;
    return true;
}

static void
each_fault_of_a_step_is_named(struct lp_engine_env *env)
{
    static const struct lp_step leaf = {
        .key = "leaf", .title = "Leaf", .kind = LP_STEP_ACTION, .no_undo = "x", .run = nothing};
    static const struct lp_step *const leaves[] = {&leaf};
    static const struct lp_step g4 = {
        .key = "g", .title = "G", .kind = LP_STEP_GROUP, .steps = leaves, .step_count = 1};
    static const struct lp_step *const in4[] = {&g4};
    static const struct lp_step g3 = {
        .key = "g", .title = "G", .kind = LP_STEP_GROUP, .steps = in4, .step_count = 1};
    static const struct lp_step *const in3[] = {&g3};
    static const struct lp_step g2 = {
        .key = "g", .title = "G", .kind = LP_STEP_GROUP, .steps = in3, .step_count = 1};
    static const struct lp_step *const in2[] = {&g2};
    static const struct lp_page no_build[] = {{.title = "P"}};
    static const struct lp_form empty = {.count = 0}, unbuilt = {LP_PAGES(no_build)};

    one_bad_step(env, (struct lp_step){.kind = LP_STEP_KIND_COUNT}, "unknown kind");
    one_bad_step(
        env,
        (struct lp_step){.kind = LP_STEP_GROUP, .steps = leaves, .step_count = 1, .no_undo = "x"},
        "undone through its sub-steps");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_ACTION, .run = nothing, .no_undo = ""},
                 "must say why");
    one_bad_step(env,
                 (struct lp_step){
                     .kind = LP_STEP_ACTION, .run = nothing, .no_undo = "x", .validate = nothing},
                 "has no use for .validate");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_INPUT, .form = &empty, .no_undo = "x"},
                 "the form has no page");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_INPUT, .form = &unbuilt, .no_undo = "x"},
                 "page 1 of the form has no .build");
    one_bad_step(
        env,
        (struct lp_step){.kind = LP_STEP_ACTION, .run = nothing, .no_undo = "x", .attempts = 5000},
        ".attempts is above 1000");
    one_bad_step(env,
                 (struct lp_step){
                     .kind = LP_STEP_ACTION, .run = nothing, .no_undo = "x", .backoff_ms = {9, 5}},
                 ".backoff_ms begins above");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_CALLBACK, .no_undo = "x", .wait_ms = -1},
                 ".wait_ms is negative");
    one_bad_step(
        env,
        (struct lp_step){.kind = LP_STEP_ACTION, .run = nothing, .no_undo = "x", .assignee = "BOB"},
        "unknown .assignee 'BOB'");
    one_bad_step(
        env,
        (struct lp_step){
            .kind = LP_STEP_ACTION, .run = nothing, .no_undo = "x", .may_resume = everybody},
        ".may_resume belongs to input steps");
    one_bad_step(
        env,
        (struct lp_step){
            .kind = LP_STEP_GROUP, .steps = leaves, .step_count = 1, .effects = LP_EFFECT_DB},
        "the effects of a group");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_GROUP, .steps = in2, .step_count = 1},
                 "nested deeper than 4");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_EACH, .run = nothing, .no_undo = "x"},
                 "needs .count");
    one_bad_step(env, (struct lp_step){.kind = LP_STEP_FANOUT, .no_undo = "x"}, "needs .items");
}

static void
each_fault_of_a_workflow_is_named(struct lp_engine_env *env)
{
    static const struct lp_step *const hole[] = {NULL};
    struct lp_workflow w = {
        .name = "w", .description = "w", .target = LP_TARGET_MODIFY, .product = "TestNode"};
    struct lp_workflow bad = w;

    bad.name = "Not Good";
    one_fault(env, &bad, "the name must be");
    bad = w;
    bad.all_products = true;
    one_fault(env, &bad, "both .product and .all_products");
    bad = w;
    bad.product = NULL;
    one_fault(env, &bad, "a MODIFY workflow needs .product");
    bad = w;
    bad.usable_in = LP_BIT(LP_LC_COUNT);
    one_fault(env, &bad, ".usable_in names unknown statuses");
    bad = w;
    bad.target = LP_TARGET_VALIDATE;
    bad.without_lock = true;
    one_fault(env, &bad, ".without_lock is for MODIFY");
    bad = w;
    bad.target = LP_TARGET_COUNT;
    one_fault(env, &bad, "unknown target");
    bad = w;
    bad.step_count = 2;
    one_fault(env, &bad, "the step list is missing");
    bad = w;
    bad.steps = hole;
    bad.step_count = 1;
    one_fault(env, &bad, "is NULL");
}

static void
words_have_two_directions(struct lp_engine_env *env)
{
    enum lp_target target;
    enum lp_role role;

    (void)env;
    for (int i = 0; i < LP_TARGET_COUNT; i++) {
        assert_true(lp_target_from_name(lp_target_name((enum lp_target)i), &target));
        assert_int_equal(target, i);
    }
    for (int i = 0; i <= LP_ROLE_ADMIN; i++) {
        assert_true(lp_role_from_name(lp_role_name((enum lp_role)i), &role));
        assert_int_equal(role, i);
    }
    assert_false(lp_target_from_name("create", &target));
    assert_false(lp_target_from_name(NULL, &target));
    assert_false(lp_role_from_name("root", &role));
}

static void
definitions_are_stored_once(struct lp_engine_env *env)
{
    struct lp_engine *second = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t rows = lp_engine_env_int(env, "SELECT COUNT(*) FROM definitions");
    const struct lp_registered *reg = lp_registry_find(env->engine, "asking");
    size_t index = 7;

    /* workflows with the same steps share a definition */
    for (size_t i = 0; i < env->engine->workflow_count; i++)
        assert_int_equal(lp_engine_env_int(env,
                                           "SELECT COUNT(*) FROM definitions WHERE hash = '%s'",
                                           env->engine->workflows[i].hash),
                         1);
    lp_test_ok(lp_engine_env_again(env, &second, &err), &err);
    assert_int_equal(lp_engine_env_int(env, "SELECT COUNT(*) FROM definitions"), rows);
    assert_string_equal(second->server_key, env->engine->server_key);
    assert_string_equal(lp_registry_find(second, "asking")->hash, reg->hash);
    assert_string_equal(
        reg->definition,
        "[[\"start\",\"action\",\"none\"],[\"group\",\"group\",\"none\",[[\"ask_a\","
        "\"input\",\"none\"],[\"work\",\"action\",\"none\"],[\"ask_b\",\"input\","
        "\"none\"]]],[\"more\",\"action\",\"none\"],[\"done\",\"action\",\"none\"]]");
    assert_string_equal(lp_registry_step(reg, "group/ask_b", &index)->title, "Ask B");
    assert_int_equal(index, 0);
    assert_null(lp_registry_step(reg, "group/nix", &index));
    assert_null(lp_registry_step(reg, "more/1", &index));
    lp_engine_free(second);
}

static void
stored_data_must_fit_the_catalog(struct lp_engine_env *env)
{
    struct lp_engine *engine = NULL;
    struct lp_err err = LP_ERR_INIT;
    char sub[LP_UUID_LEN + 1];
    json_t *input = json_pack("{s:s}", "code", "N1");

    lp_engine_env_subscription(env, "TestNode", input, LP_LC_ACTIVE, sub, NULL);
    json_decref(input);
    lp_engine_env_sql(env, "UPDATE blocks SET doc = '{\"code\":\"N1\",\"size\":1000}'");
    /* the same catalog as before: nothing is read again */
    lp_test_ok(lp_engine_env_again(env, &engine, &err), &err);
    lp_engine_free(engine);
    lp_engine_env_sql(env, "UPDATE settings SET value = 'another' WHERE name = 'catalog_hash'");
    assert_int_equal(lp_engine_env_again(env, &engine, &err), LP_DRIFT);
    assert_non_null(strstr(err.msg, sub));
    assert_int_equal(json_array_size(json_object_get(err.detail, "problems")), 1);
    lp_err_clear(&err);
    lp_engine_env_sql(env, "UPDATE blocks SET doc = '{\"code\":\"N1\",\"size\":10}'");
    lp_test_ok(lp_engine_env_again(env, &engine, &err), &err);
    lp_engine_free(engine);
}

/* ---- read models ---- */

static void
detail_shows_steps_and_deltas(struct lp_engine_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    json_t *process = NULL, *steps, *first, *second, *third;

    start(env, "asking", id);
    lp_engine_env_sql(
        env,
        "INSERT INTO process_steps (process_id, seq, step_id, key, title, status, "
        "delta, error, created_by, started_at, completed_at) VALUES "
        "('%s', 1, 'a', 'start', 'Start', 'success', '{}', NULL, 'vip', 1000000, 2000000), "
        "('%s', 2, 'b', 'group/ask_a', 'Ask A', 'success', "
        "'{\"set\":{\"box\":{\"a\":1,\"b\":2}}}', NULL, 'vip', 1, 2), "
        "('%s', 3, 'c', 'group/work', 'Work', 'success', "
        "'{\"set\":{\"box\":{\"a\":1,\"b\":3}}}', NULL, 'vip', 1, 2), "
        "('%s', 4, 'd', 'group/ask_b', 'Ask B', 'failed', '{}', "
        "'{\"class\":\"invalid-input\",\"error\":\"no\"}', 'vip', 1, 2)",
        id, id, id, id);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'failed', head_seq = 4, last_key = "
                           "'group/ask_b', last_step = 'Ask B', failed_reason = 'no'");
    lp_test_ok(lp_engine_process(env->engine, &lp_test_vip, id, &process, &err), &err);
    steps = json_object_get(process, "steps");
    assert_int_equal(json_array_size(steps), 4 + 2);
    first = json_array_get(steps, 0);
    assert_string_equal(lp_json_str(json_object_get(first, "state_delta"), "reporter", ""), "vip");
    assert_true(json_real_value(json_object_get(first, "started")) == 1.0);
    second = json_array_get(steps, 1);
    assert_int_equal(json_object_size(json_object_get(second, "state_delta")), 1);
    third = json_object_get(json_object_get(json_array_get(steps, 2), "state_delta"), "box");
    assert_int_equal(json_object_size(third), 1);
    assert_int_equal(lp_json_int(third, "b", 0), 3);
    assert_string_equal(
        lp_json_str(json_object_get(json_array_get(steps, 3), "state"), "class", ""),
        "invalid-input");
    assert_string_equal(lp_json_str(json_array_get(steps, 4), "name", ""), "Work more");
    assert_string_equal(lp_json_str(json_array_get(steps, 5), "status", ""), "pending");
    assert_int_equal(
        lp_json_int(json_object_get(json_object_get(process, "current_state"), "box"), "b", 0), 3);
    assert_string_equal(lp_json_str(json_object_get(process, "form"), "title", ""), "Form B");
    assert_string_equal(lp_json_str(process, "failed_reason", ""), "no");
    json_decref(process);
    assert_int_equal(lp_engine_process(env->engine, &lp_test_vip,
                                       "01890000-0000-7000-8000-000000000000", &process, &err),
                     LP_NOT_FOUND);
    lp_err_clear(&err);
}

static void
lists_counts_and_todo(struct lp_engine_env *env)
{
    struct lp_list_request request = {
        .range = "0,10", .filter = "isTask,true", .sort = "startedAt,desc"};
    struct lp_list_result meta = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1], sub[LP_UUID_LEN + 1];
    json_t *out = NULL, *first;

    lp_engine_env_subscription(env, "TestLink", NULL, LP_LC_ACTIVE, sub, NULL);
    for (int i = 0; i < 60; i++)
        start(env, "task_plain", id);
    start(env, "asking", id);
    lp_engine_env_sql(env, "INSERT INTO process_subscriptions SELECT id, '%s', 1 FROM processes",
                      sub);
    lp_engine_env_sql(env, "UPDATE processes SET status = 'suspended' WHERE id = '%s'", id);
    lp_test_ok(lp_engine_processes(env->engine, &request, &out, &meta, &err), &err);
    assert_int_equal(json_array_size(out), 10);
    assert_int_equal(meta.total, 60);
    first = json_array_get(out, 0);
    assert_string_equal(lp_json_str(first, "workflow_name", ""), "task_plain");
    assert_string_equal(lp_json_str(json_array_get(json_object_get(first, "subscriptions"), 0),
                                    "subscription_id", ""),
                        sub);
    assert_string_equal(
        lp_json_str(
            json_object_get(json_array_get(json_object_get(first, "subscriptions"), 0), "product"),
            "tag", ""),
        "TL");
    assert_true(json_is_null(json_object_get(first, "steps")));
    json_decref(out);
    lp_list_result_free(&meta);
    request = (struct lp_list_request){.limit = 250};
    lp_test_ok(lp_engine_processes(env->engine, &request, &out, &meta, &err), &err);
    assert_int_equal(json_array_size(out), 61);
    for (size_t i = 0; i < 61; i++)
        assert_int_equal(json_array_size(json_object_get(json_array_get(out, i), "subscriptions")),
                         1);
    json_decref(out);
    lp_list_result_free(&meta);
    lp_test_ok(lp_engine_status_counts(env->engine, &out, &err), &err);
    assert_int_equal(lp_json_int(json_object_get(out, "task_counts"), "created", 0), 60);
    assert_int_equal(lp_json_int(json_object_get(out, "process_counts"), "suspended", 0), 1);
    json_decref(out);
    lp_test_ok(lp_engine_todo(env->engine, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "processes")), 1);
    json_decref(out);
    lp_test_ok(lp_engine_process_more(env->engine, id, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "inputs")), 1);
    assert_int_equal(json_array_size(json_object_get(out, "attempts")), 0);
    json_decref(out);
}

static const struct lp_engine_case cases[] = {
    {"audit_finds_every_kind_of_damage", audit_finds_every_kind_of_damage},
    {"seals_follow_each_other", seals_follow_each_other},
    {"retention_of_whole_chains_is_no_damage", retention_of_whole_chains_is_no_damage},
    {"retention_of_old_seals_is_no_damage", retention_of_old_seals_is_no_damage},
    {"system_chain_takes_appends_from_all_threads", system_chain_takes_appends_from_all_threads},
    {"failed_append_breaks_no_chain", failed_append_breaks_no_chain},
    {"lost_answer_breaks_no_chain", lost_answer_breaks_no_chain},
    {"W33_events_after_commit", W33_events_after_commit},
    {"numbers_go_on_after_retention_and_restart", numbers_go_on_after_retention_and_restart},
    {"two_sequencers_share_one_sequence", two_sequencers_share_one_sequence},
    {"every_fault_of_a_table_is_told", every_fault_of_a_table_is_told},
    {"each_fault_of_a_step_is_named", each_fault_of_a_step_is_named},
    {"each_fault_of_a_workflow_is_named", each_fault_of_a_workflow_is_named},
    {"words_have_two_directions", words_have_two_directions},
    {"definitions_are_stored_once", definitions_are_stored_once},
    {"stored_data_must_fit_the_catalog", stored_data_must_fit_the_catalog},
    {"detail_shows_steps_and_deltas", detail_shows_steps_and_deltas},
    {"lists_counts_and_todo", lists_counts_and_todo},
};
const struct lp_engine_cases lp_engine_record_cases = {cases, LP_COUNT(cases)};
