#include "tests/support/store_cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/retention.h"
#include "store/settings.h"
#include "store/tokens.h"
#include "tests/support/test_main.h"

/* ---- helpers ---- */

static void
put(struct lp_unit *unit, const char *name, const char *value)
{
    lp_unit_add(unit, LP_SQL_SETTING_SET,
                LP_ARGS(lp_text("name", name), lp_text("value", value), lp_text("actor", "test"),
                        lp_int("now", 7)));
}

static enum lp_code
get(struct lp_store_env *env, const char *name, char *value, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    lp_test_ok(
        lp_query(env->store, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", name)), &rows, &err),
        &err);
    if (lp_rows_count(rows) == 0) {
        lp_rows_free(rows);
        return LP_NOT_FOUND;
    }
    snprintf(value, size, "%s", lp_rows_text(rows, 0, "value"));
    lp_rows_free(rows);
    return LP_OK;
}

static enum lp_code
commit_one(struct lp_store_env *env, struct lp_unit *unit, struct lp_err *err)
{
    enum lp_code rc = lp_store_commit(env->store, unit, err);

    lp_unit_free(unit);
    return rc;
}

/* ---- cases ---- */

static void
what_is_committed_is_read(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    struct lp_rows *rows = NULL;
    char value[64];

    put(unit, "a", "1");
    put(unit, "b", "\xc3\xa4 'quoted' \"x\"");
    assert_int_equal(lp_unit_size(unit), 2);
    lp_test_ok(lp_store_commit(env->store, unit, &err), &err);
    assert_int_equal(lp_unit_changed(unit, 0), 1);
    lp_unit_free(unit);
    assert_int_equal(get(env, "b", value, sizeof value), LP_OK);
    assert_string_equal(value, "\xc3\xa4 'quoted' \"x\"");
    assert_int_equal(get(env, "c", value, sizeof value), LP_NOT_FOUND);
    lp_test_ok(lp_query(env->store, LP_SQL_SETTING_LIST, LP_NO_ARGS, &rows, &err), &err);
    assert_int_equal(lp_rows_count(rows), 2);
    assert_int_equal(lp_rows_int(rows, 1, "changed_at"), 7);
    assert_string_equal(lp_rows_text(rows, 1, "changed_at"), "7");
    assert_string_equal(lp_rows_text(rows, 0, "name"), "a");
    assert_false(lp_rows_null(rows, 0, "value"));
    lp_rows_free(rows);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
}

static void
add_token(struct lp_unit *unit, const char *id, const char *hash)
{
    lp_unit_add(unit, LP_SQL_TOKEN_INSERT,
                LP_ARGS(lp_text("id", id), lp_text("name", "n"), lp_text("hash", hash),
                        lp_text("role", "read"), lp_text("created_by", "test"),
                        lp_int("created_at", 1), lp_null("expires_at")));
}

static void
a_broken_rule_is_named_alike(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();

    put(unit, "before", "1");
    add_token(unit, "t1", "same");
    lp_test_ok(commit_one(env, unit, &err), &err);
    unit = lp_unit_new();
    put(unit, "before", "2");
    add_token(unit, "t2", "same");
    assert_int_equal(commit_one(env, unit, &err), LP_CONFLICT);
    assert_string_equal(err.pointer, "tokens_hash_key");
    lp_err_clear(&err);
    unit = lp_unit_new();
    add_token(unit, "t1", "other");
    assert_int_equal(commit_one(env, unit, &err), LP_CONFLICT);
    assert_string_equal(err.pointer, "tokens_pkey");
    lp_err_clear(&err);
    /* What stood in the failed unit before the culprit has not happened. */
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings WHERE value = '2'"), 0);
}

static void
every_statement_prepares(struct lp_store_env *env)
{
    unsigned failed = 0;
    char text[512];

    for (size_t i = 0; i < LP_SQL_COUNT; i++)
        if (!lp_store_env_prepares(env, lp_sql_table[i].text[env->dialect], text, sizeof text)) {
            print_error("%s: %s\n", lp_sql_table[i].name, text);
            failed++;
        }
    assert_int_equal(failed, 0);
}

/* ---- rows of other rooms, by their own statements ---- */

static void
add_process(struct lp_store_env *env, const char *id, int64_t epoch)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "INSERT INTO processes (id, workflow, workflow_id, target, status, created_by, "
             "correlation_id, definition_hash, created_at, modified_at, lease_epoch) VALUES ('%s', "
             "'w', 'wid', 'CREATE', 'failed', 'me', 'c', 'h', 1, 1, %lld)",
             id, (long long)epoch);
    lp_store_env_exec(env, sql);
}

static void
take_process(struct lp_unit *unit, const char *id, int64_t epoch)
{
    lp_unit_key(unit, id);
    lp_unit_add(unit, LP_SQL_SVC_TAKE,
                LP_ARGS(lp_text("id", id), lp_int("epoch", epoch), lp_text("old", "failed"),
                        lp_text("status", "failed"), lp_int("now", 2), lp_int("audit_seq", 0),
                        lp_text("audit_hash", "")));
}

static void
add_subscription(struct lp_unit *unit, const char *id)
{
    lp_unit_add(unit, LP_SQL_SUBSCRIPTION_INSERT,
                LP_ARGS(lp_text("id", id), lp_text("product_id", "p"), lp_text("product", "P"),
                        lp_text("customer", id), lp_text("description", "d"),
                        lp_text("status", "initial"), lp_int("insync", 0), lp_null("start_date"),
                        lp_null("end_date"), lp_null("note"), lp_int("at", 5)));
}

static void
change_subscription(struct lp_unit *unit, const char *id, int64_t version)
{
    lp_unit_add(unit, LP_SQL_SUBSCRIPTION_UPDATE,
                LP_ARGS(lp_text("id", id), lp_int("version", version), lp_text("product_id", "p"),
                        lp_text("product", "P"), lp_text("customer", id),
                        lp_text("description", "changed"), lp_text("status", "active"),
                        lp_int("insync", 1), lp_null("start_date"), lp_null("end_date"),
                        lp_null("note"), lp_int("at", 6)));
}

static void
add_block(struct lp_unit *unit, const char *id, const char *subscription)
{
    lp_unit_add(unit, LP_SQL_BLOCK_INSERT,
                LP_ARGS(lp_text("instance_id", id), lp_text("subscription_id", subscription),
                        lp_text("block", "B"), lp_null("parent_id"), lp_text("field", ""),
                        lp_int("position", 0), lp_null("label"), lp_text("doc", "{}")));
}

/* ---- outcomes ---- */

static void
a_stale_epoch_is_fenced(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();

    add_process(env, "p1", 3);
    take_process(unit, "p1", 2);
    put(unit, "effect", "1");
    assert_int_equal(commit_one(env, unit, &err), LP_FENCED);
    assert_string_equal(err.pointer, "processes.lease_epoch");
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 0);
    unit = lp_unit_new();
    take_process(unit, "p1", 3);
    lp_test_ok(commit_one(env, unit, &err), &err);
    assert_int_equal(lp_store_env_int(env, "SELECT lease_epoch FROM processes"), 4);
}

static void
a_stale_version_is_a_conflict(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();

    add_subscription(unit, "s1");
    change_subscription(unit, "s1", 1);
    lp_test_ok(commit_one(env, unit, &err), &err);
    unit = lp_unit_new();
    change_subscription(unit, "s1", 1);
    assert_int_equal(commit_one(env, unit, &err), LP_CONFLICT);
    assert_string_equal(err.pointer, "subscriptions.version");
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT version FROM subscriptions"), 2);
}

static void
references_are_kept_whole(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();

    add_block(unit, "b1", "nobody");
    assert_int_equal(commit_one(env, unit, &err), LP_CONFLICT);
    assert_string_equal(err.pointer, "blocks.foreign_key");
    lp_err_clear(&err);
    unit = lp_unit_new();
    add_subscription(unit, "s1");
    add_subscription(unit, "s2");
    add_block(unit, "b1", "s1");
    add_block(unit, "b2", "s2");
    lp_unit_add(unit, LP_SQL_BLOCK_REF_INSERT,
                LP_ARGS(lp_text("from_id", "b1"), lp_text("field", "f"), lp_int("position", 0),
                        lp_text("to_id", "b2"), lp_text("block", "B")));
    lp_test_ok(commit_one(env, unit, &err), &err);
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_BLOCK_DELETE,
                LP_ARGS(lp_text("instance_id", "b2"), lp_text("subscription_id", "s2")));
    assert_int_equal(commit_one(env, unit, &err), LP_CONFLICT);
    assert_string_equal(err.pointer, "blocks.foreign_key");
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM blocks"), 2);
}

static void
rules_with_several_columns_are_named(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    for (int i = 0; i < 2; i++) {
        struct lp_unit *unit = lp_unit_new();
        enum lp_code rc;

        lp_unit_add(unit, LP_SQL_BLOCK_KEY_INSERT,
                    LP_ARGS(lp_text("scope", "s"), lp_text("value", "v"),
                            lp_text("instance_id", "i"), lp_text("subscription_id", "x")));
        rc = commit_one(env, unit, &err);
        assert_int_equal(rc, i == 0 ? LP_OK : LP_CONFLICT);
    }
    assert_string_equal(err.pointer, "block_keys_pkey");
    lp_err_clear(&err);
    for (int i = 0; i < 2; i++) {
        struct lp_unit *unit = lp_unit_new();

        lp_unit_add(unit, LP_SQL_SVC_ABORT_ROW,
                    LP_ARGS(lp_text("process_id", "p"), lp_int("seq", 1), lp_text("step_id", "x"),
                            lp_text("actor", "me"), lp_int("now", 1)));
        assert_int_equal(commit_one(env, unit, &err), i == 0 ? LP_OK : LP_CONFLICT);
    }
    assert_string_equal(err.pointer, "process_steps_seq");
    lp_err_clear(&err);
}

static void
bad_text_is_refused_before_it_is_sent(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    struct lp_rows *rows = NULL;

    put(unit, "good", "1");
    put(unit, "bad", "\xc3(");
    assert_int_equal(commit_one(env, unit, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "UTF-8"));
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 0);
    assert_int_equal(
        lp_query(env->store, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", "\xff")), &rows, &err),
        LP_INVALID);
    lp_err_clear(&err);
}

static void
long_and_many_values_pass(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    size_t size = 3u << 20;
    char *big = malloc(size + 1), name[16];
    struct lp_rows *rows = NULL;

    assert_non_null(big);
    memset(big, 'x', size);
    big[size] = '\0';
    put(unit, "big", big);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(unit, name, "v");
    }
    lp_test_ok(commit_one(env, unit, &err), &err);
    lp_test_ok(
        lp_query(env->store, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", "big")), &rows, &err),
        &err);
    assert_int_equal(strlen(lp_rows_text(rows, 0, "value")), size);
    lp_rows_free(rows);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 3001);
    free(big);
}

static void
a_unit_returns_rows_and_counts(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new(), *tail = lp_unit_new();
    size_t get_at, offset;

    put(unit, "a", "1");
    get_at = lp_unit_add(tail, LP_SQL_SETTING_LIST, LP_NO_ARGS);
    lp_unit_want_rows(tail, get_at);
    lp_unit_add(tail, LP_SQL_SETTING_DELETE, LP_ARGS(lp_text("name", "a")));
    lp_unit_add(tail, LP_SQL_SETTING_DELETE, LP_ARGS(lp_text("name", "a")));
    offset = lp_unit_append(unit, tail);
    assert_int_equal(offset, 1);
    assert_int_equal(lp_unit_size(unit), 4);
    lp_test_ok(lp_store_commit(env->store, unit, &err), &err);
    assert_int_equal(lp_rows_count(lp_unit_rows(unit, offset)), 1);
    assert_string_equal(lp_rows_text(lp_unit_rows(unit, offset), 0, "value"), "1");
    assert_int_equal(lp_unit_changed(unit, 0), 1);
    assert_int_equal(lp_unit_changed(unit, offset + 1), 1);
    assert_int_equal(lp_unit_changed(unit, offset + 2), 0);
    lp_unit_free(unit);
}

/* ---- group commit ---- */

struct gate {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t cond;
    bool open;
    unsigned arrived, done;
    enum lp_code codes[256];
    unsigned order[256];
};

#define GATE_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER                        \
    }

/* Stops the committer inside a callback until the gate opens: what is submitted meanwhile is one
 * batch. */
static void
hold(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct gate *gate = arg;

    (void)unit;
    (void)err;
    assert_int_equal(code, LP_OK);
    pthread_mutex_lock(&gate->lock);
    gate->arrived = 1;
    pthread_cond_broadcast(&gate->cond);
    while (!gate->open)
        pthread_cond_wait(&gate->cond, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void
gate_close(struct gate *gate, struct lp_store_env *env)
{
    struct lp_unit *unit = lp_unit_new();

    put(unit, "gate", "1");
    lp_store_submit(env->store, unit, hold, gate);
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived == 0)
        pthread_cond_wait(&gate->cond, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void
gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->cond);
    pthread_mutex_unlock(&gate->lock);
}

struct slot {
    struct gate *gate;
    unsigned index;
};

static void
note(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct slot *slot = arg;

    (void)unit;
    (void)err;
    pthread_mutex_lock(&slot->gate->lock);
    slot->gate->codes[slot->index] = code;
    slot->gate->order[slot->index] = slot->gate->done++;
    pthread_cond_broadcast(&slot->gate->cond);
    pthread_mutex_unlock(&slot->gate->lock);
}

static void
gate_wait(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->done < count)
        pthread_cond_wait(&gate->cond, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void
only_the_culprit_of_a_batch_fails(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[40];
    struct lp_store_stats before, after;
    char name[16];

    add_process(env, "p", 9);
    gate_close(&gate, env);
    lp_store_stats(env->store, &before);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(name, sizeof name, "u%u", i);
        put(unit, name, "v");
        lp_unit_key(unit, name);
        if (i == 17)
            take_process(unit, "p", 1); /* fenced */
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    gate_open(&gate);
    gate_wait(&gate, LP_COUNT(slots));
    for (unsigned i = 0; i < LP_COUNT(slots); i++)
        assert_int_equal(gate.codes[i], i == 17 ? LP_FENCED : LP_OK);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings WHERE name LIKE 'u%'"),
                     39);
    lp_store_stats(env->store, &after);
    assert_int_equal(after.units - before.units, 39);
    assert_int_equal(after.failures - before.failures, 1);
}

static void
queued_units_share_a_commit(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[64];
    struct lp_store_stats before, after;
    char name[16];

    gate_close(&gate, env);
    lp_store_stats(env->store, &before);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(name, sizeof name, "u%u", i);
        put(unit, name, "v");
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    gate_open(&gate);
    gate_wait(&gate, LP_COUNT(slots));
    lp_store_stats(env->store, &after);
    assert_int_equal(after.units - before.units, 64);
    assert_int_equal(after.batches - before.batches, 1);
    assert_int_equal(after.queued, 0);
}

struct seen {
    pthread_t thread;
    enum lp_code code;
    bool told, shared;
};

static void
see(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    (void)err;
    *(struct seen *)arg = (struct seen){pthread_self(), code, true, lp_unit_shared(unit)};
}

/* With nobody else at work nobody is woken; what fails, fails here; behind others it queues. */
static void
a_single_commit_is_made_by_its_thread(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[2] = {{&gate, 0}, {&gate, 1}};
    struct seen seen = {.told = false};
    struct lp_unit *unit = lp_unit_new();

    put(unit, "here", "1");
    lp_store_submit_here(env->store, unit, see, &seen);
    assert_true(seen.told && !seen.shared && pthread_equal(seen.thread, pthread_self()));
    assert_int_equal(seen.code, LP_OK);

    add_process(env, "p", 9);
    unit = lp_unit_new();
    take_process(unit, "p", 1);
    lp_store_submit_here(env->store, unit, see, &seen);
    assert_int_equal(seen.code, LP_FENCED);

    gate_close(&gate, env);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        unit = lp_unit_new();
        put(unit, i == 0 ? "first" : "second", "1");
        if (i == 0)
            lp_store_submit(env->store, unit, note, &slots[i]);
        else
            lp_store_submit_here(env->store, unit, note, &slots[i]);
    }
    assert_int_equal(gate.done, 0); /* the first one waits in the queue, and the second behind it */
    gate_open(&gate);
    gate_wait(&gate, LP_COUNT(slots));
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings WHERE name IN ('here', "
                                           "'first', 'second') AND value = '1'"),
                     3);
}

static void
counted(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* Once for all units of a transaction; there is one place for a listener. */
static void
a_shared_commit_is_followed_by_one_call(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[8];
    atomic_int calls = 0, others = 0;
    char name[16];

    assert_true(lp_store_after(env->store, counted, &calls));
    assert_false(lp_store_after(env->store, counted, &others));
    gate_close(&gate, env);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(name, sizeof name, "u%u", i);
        put(unit, name, "v");
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    gate_open(&gate);
    gate_wait(&gate, LP_COUNT(slots));
    for (int i = 0; i < 30000 && atomic_load(&calls) == 0; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(lp_store_after(env->store, NULL, NULL));
    assert_int_equal(atomic_load(&calls), 1);
    assert_int_equal(atomic_load(&others), 0);
}

static void
units_of_one_key_keep_their_order(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[60];
    struct lp_store_stats before, after;
    char value[16];

    gate_close(&gate, env);
    lp_store_stats(env->store, &before);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(value, sizeof value, "%u", i);
        put(unit, i % 2 == 0 ? "even" : "odd", value);
        lp_unit_key(unit, i % 2 == 0 ? "even" : "odd");
        if (i == 31)
            lp_unit_alone(unit);
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    gate_open(&gate);
    gate_wait(&gate, LP_COUNT(slots));
    for (unsigned i = 2; i < LP_COUNT(slots); i++) {
        assert_int_equal(gate.codes[i], LP_OK);
        assert_true(gate.order[i] > gate.order[i - 2]);
    }
    assert_int_equal(
        lp_store_env_int(env, "SELECT CAST(value AS bigint) FROM settings WHERE name = 'even'"),
        58);
    assert_int_equal(
        lp_store_env_int(env, "SELECT CAST(value AS bigint) FROM settings WHERE name = 'odd'"), 59);
    lp_store_stats(env->store, &after);
    assert_true(after.batches - before.batches >= 30); /* never two of one key in one transaction */
}

/** With a transaction per unit several connections commit at once (PostgreSQL): units of one key
 * still follow each other, and one that is to be alone has nothing beside it. */
static void
strict_units_keep_their_order(struct lp_store_env *env)
{
    enum { KEYS = 5, ALONE = 101 };
    struct gate gate = GATE_INIT;
    struct slot slots[200];
    struct lp_store_stats stats;
    char key[16], value[16];

    env->options.batch = 1;
    lp_store_env_reopen(env);
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(key, sizeof key, "key%u", i % KEYS);
        snprintf(value, sizeof value, "%u", i);
        put(unit, key, value);
        lp_unit_key(unit, key);
        if (i == ALONE)
            lp_unit_alone(unit);
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    gate_wait(&gate, LP_COUNT(slots));
    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        assert_int_equal(gate.codes[i], LP_OK);
        assert_true(i < KEYS || gate.order[i] > gate.order[i - KEYS]);
        assert_true(i >= ALONE || gate.order[i] < gate.order[ALONE]);
        assert_true(i <= ALONE || gate.order[i] > gate.order[ALONE]);
    }
    for (unsigned k = 0; k < KEYS; k++) {
        char sql[100];

        snprintf(sql, sizeof sql, "SELECT CAST(value AS bigint) FROM settings WHERE name = 'key%u'",
                 k);
        assert_int_equal(lp_store_env_int(env, sql), LP_COUNT(slots) - KEYS + k);
    }
    lp_store_stats(env->store, &stats);
    assert_int_equal(stats.batches, LP_COUNT(slots));
}

static void
closing_finishes_what_was_submitted(struct lp_store_env *env)
{
    struct gate gate = GATE_INIT;
    struct slot slots[200];
    char name[16];

    for (unsigned i = 0; i < LP_COUNT(slots); i++) {
        struct lp_unit *unit = lp_unit_new();

        snprintf(name, sizeof name, "u%u", i);
        put(unit, name, "v");
        slots[i] = (struct slot){&gate, i};
        lp_store_submit(env->store, unit, note, &slots[i]);
    }
    lp_store_close(env->store);
    env->store = NULL;
    assert_int_equal(gate.done, LP_COUNT(slots));
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 200);
}

struct hammer {
    struct lp_store_env *env;
    unsigned id;
    unsigned ok, refused;
};

static void *
hammer_main(void *arg)
{
    struct hammer *h = arg;
    char name[32], key[16];

    for (unsigned i = 0; i < 100; i++) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_unit *unit = lp_unit_new();
        bool bad = i % 10 == 7;
        enum lp_code rc;

        snprintf(name, sizeof name, "h%u-%u", h->id, i);
        snprintf(key, sizeof key, "k%u", i % 5);
        lp_unit_key(unit, key);
        put(unit, name, "v");
        if (bad)
            add_block(unit, name, "nobody");
        rc = commit_one(h->env, unit, &err);
        h->ok += rc == LP_OK && !bad;
        h->refused += rc == LP_CONFLICT && bad;
        lp_err_clear(&err);
    }
    return NULL;
}

static void
many_threads_wait_for_their_own_commit(struct lp_store_env *env)
{
    struct hammer hammers[8];
    pthread_t threads[8];

    for (unsigned i = 0; i < LP_COUNT(threads); i++) {
        hammers[i] = (struct hammer){.env = env, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_main, &hammers[i]), 0);
    }
    for (unsigned i = 0; i < LP_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(hammers[i].ok, 90);
        assert_int_equal(hammers[i].refused, 10);
    }
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 720);
}

/* ---- transactions with reads ---- */

struct claim {
    const char *fail;
    int64_t seen;
};

static enum lp_code
claim(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    struct claim *c = arg;
    struct lp_rows *rows = NULL;
    int64_t changed = 0;
    enum lp_code rc = lp_txn_exec(txn, LP_SQL_SETTING_SET,
                                  LP_ARGS(lp_text("name", "claim"), lp_text("value", "mine"),
                                          lp_text("actor", "t"), lp_int("now", 1)),
                                  &changed, err);

    if (rc != LP_OK)
        return rc;
    assert_int_equal(changed, 1);
    rc = lp_txn_query(txn, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", "claim")), &rows, err);
    if (rc != LP_OK)
        return rc;
    c->seen = (int64_t)lp_rows_count(rows);
    lp_rows_free(rows);
    return c->fail == NULL ? LP_OK : lp_fail(err, LP_CONFLICT, "%s", c->fail);
}

static void
a_transaction_reads_its_own_writes_and_rolls_back(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct claim c = {.fail = "no slot is free"};
    struct lp_unit *unit = lp_unit_new();

    put(unit, "rest", "1");
    assert_int_equal(lp_store_transact(env->store, claim, &c, unit, &err), LP_CONFLICT);
    assert_string_equal(err.msg, "no slot is free");
    lp_err_clear(&err);
    assert_int_equal(c.seen, 1);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 0);
    c.fail = NULL;
    lp_test_ok(lp_store_transact(env->store, claim, &c, unit, &err), &err);
    assert_int_equal(lp_unit_changed(unit, 0), 1);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 2);
    add_block(unit, "b", "nobody"); /* the unit fails: so does the function's work */
    lp_store_env_exec(env, "DELETE FROM settings");
    assert_int_equal(lp_store_transact(env->store, claim, &c, unit, &err), LP_CONFLICT);
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM settings"), 0);
    lp_unit_free(unit);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
}

static enum lp_code
hide_failure(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    struct lp_err own = LP_ERR_INIT;

    (void)arg;
    (void)err;
    if (lp_txn_exec(txn, LP_SQL_BLOCK_INSERT,
                    LP_ARGS(lp_text("instance_id", "b"), lp_text("subscription_id", "nobody"),
                            lp_text("block", "B"), lp_null("parent_id"), lp_text("field", ""),
                            lp_int("position", 0), lp_null("label"), lp_text("doc", "{}")),
                    NULL, &own)
        != LP_OK)
        lp_err_clear(&own);
    return LP_OK; /* a careless caller */
}

static void
a_failed_statement_cannot_be_committed(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    assert_int_equal(lp_store_transact(env->store, hide_failure, NULL, NULL, &err), LP_CONFLICT);
    lp_err_clear(&err);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
}

/* ---- reading ---- */

static void
a_reader_sees_one_moment(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_reader *reader = NULL;
    struct lp_unit *unit = lp_unit_new();
    struct lp_rows *rows = NULL;
    char value[16];

    put(unit, "a", "old");
    lp_test_ok(commit_one(env, unit, &err), &err);
    lp_test_ok(lp_reader_open(env->store, &reader, &err), &err);
    for (int i = 0; i < 2; i++) {
        lp_test_ok(
            lp_reader_query(reader, LP_SQL_SETTING_GET, LP_ARGS(lp_text("name", "a")), &rows, &err),
            &err);
        assert_string_equal(lp_rows_text(rows, 0, "value"), "old");
        lp_rows_free(rows);
        unit = lp_unit_new();
        put(unit, "a", "new");
        lp_test_ok(commit_one(env, unit, &err), &err);
    }
    lp_test_ok(lp_reader_query_text(
                   reader, "SELECT value FROM settings WHERE name = :n AND changed_at = :t",
                   LP_ARGS(lp_text("n", "a"), lp_int("t", 7)), &rows, &err),
               &err);
    assert_string_equal(lp_rows_text(rows, 0, "value"), "old");
    lp_rows_free(rows);
    lp_reader_close(reader);
    assert_int_equal(get(env, "a", value, sizeof value), LP_OK);
    assert_string_equal(value, "new");
}

struct nested {
    struct lp_store_env *env;
    pthread_barrier_t *barrier;
};

static void *
nested_main(void *arg)
{
    struct nested *n = arg;
    struct lp_err err = LP_ERR_INIT;
    struct lp_reader *reader = NULL;
    int64_t now;

    lp_test_ok(lp_reader_open(n->env->store, &reader, &err), &err);
    pthread_barrier_wait(n->barrier); /* every connection of the pool is held by now */
    lp_test_ok(lp_store_now(n->env->store, &now, &err), &err);
    lp_reader_close(reader);
    return NULL;
}

static void
a_read_inside_a_reader_never_waits_for_ever(struct lp_store_env *env)
{
    struct lp_store_stats stats;
    pthread_barrier_t barrier;
    struct nested nested = {env, &barrier};
    pthread_t threads[4];
    struct timespec begun, ended;

    pthread_barrier_init(&barrier, NULL, env->options.pool);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (unsigned i = 0; i < env->options.pool; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, nested_main, &nested), 0);
    for (unsigned i = 0; i < env->options.pool; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < 20);
    lp_store_stats(env->store, &stats);
    assert_int_equal(stats.readers_busy, 0);
    pthread_barrier_destroy(&barrier);
}

static void
the_clock_is_the_databases(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_rows *rows = NULL;
    int64_t before, after;

    lp_test_ok(lp_store_now(env->store, &before, &err), &err);
    assert_true(llabs(before - lp_clock_utc_us(&env->clock)) < 5000000);
    if (env->dialect == LP_DIALECT_SQLITE)
        lp_clock_turn(&env->clock, 3600000000);
    else
        lp_store_env_exec(
            env, "INSERT INTO settings VALUES ('clock_shift_us', '3600000000', 'test', 0)");
    lp_test_ok(lp_store_now(env->store, &after, &err), &err);
    assert_true(after - before >= 3600000000);
    assert_true(after - before < 3610000000);
    lp_test_ok(lp_query_text(env->store,
                             "SELECT 1 AS one, CAST(NULL AS text) AS none, 1 = 1 AS yes, "
                             "CAST(:x AS bigint) + 1 AS sum",
                             LP_ARGS(lp_int("x", INT64_C(9007199254740993))), &rows, &err),
               &err);
    assert_true(lp_rows_null(rows, 0, "none"));
    assert_null(lp_rows_text(rows, 0, "none"));
    assert_int_equal(lp_rows_int(rows, 0, "none"), 0);
    assert_int_equal(lp_rows_int(rows, 0, "yes"), 1);
    assert_string_equal(lp_rows_text(rows, 0, "yes"), "1");
    assert_true(lp_rows_int(rows, 0, "sum") == INT64_C(9007199254740994));
    lp_rows_free(rows);
}

/* ---- schema versions ---- */

static void
refused(struct lp_store_env *env, enum lp_code expected, const char *words)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_store *store = NULL;
    enum lp_code rc = lp_store_open(&env->options, &store, &err);

    assert_int_equal(rc, expected);
    assert_null(store);
    if (strstr(err.msg, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.msg, words);
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
}

static void
migrations_run_once(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 9;

    lp_store_close(env->store);
    env->store = NULL;
    lp_test_ok(lp_store_migrate(&env->options, &applied, &err), &err);
    assert_int_equal(applied, 0);
    lp_store_env_reopen(env);
    assert_int_equal(lp_store_env_int(env, "SELECT max(n) FROM schema_migrations"),
                     lp_store_schema_version());
}

/* Expand, then contract: the release before goes on working on a schema that only grew. */
static void
a_newer_database_that_only_expanded_is_used(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 9;

    lp_store_close(env->store);
    env->store = NULL;
    lp_store_env_exec(env, "ALTER TABLE executors ADD COLUMN future_column INTEGER");
    lp_store_env_exec(env, "CREATE TABLE future_table (x INTEGER)");
    lp_store_env_exec(env, "INSERT INTO schema_migrations "
                           "SELECT max(n) + 1, 'future+expand', 'x', 1 FROM schema_migrations");
    lp_test_ok(lp_store_migrate(&env->options, &applied, &err), &err);
    assert_int_equal(applied, 0);
    lp_store_env_reopen(env);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
}

/* A new program brings the schema up to date while one of the release before is at work. */
static void
expanding_migrations_run_under_a_daemon(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;

    if (env->dialect == LP_DIALECT_SQLITE)
        return; /* its file has one program only */
    lp_store_env_exec(env, "DROP TABLE leases; DROP TABLE executor_drains; "
                           "DROP TABLE lock_takeovers; ALTER TABLE executors DROP COLUMN version, "
                           "DROP COLUMN threads; DELETE FROM schema_migrations WHERE n = 2");
    lp_test_ok(lp_store_migrate(&env->options, &applied, &err), &err);
    assert_int_equal(applied, 1);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM schema_migrations WHERE name = "
                                           "'leases+expand'"),
                     1);
}

static void
a_newer_database_is_refused(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;

    lp_store_close(env->store);
    env->store = NULL;
    lp_store_env_exec(
        env,
        "INSERT INTO schema_migrations SELECT max(n) + 1, 'future', 'x', 1 FROM schema_migrations");
    refused(env, LP_STORE, "newer than this program");
    assert_int_equal(lp_store_migrate(&env->options, &applied, &err), LP_STORE);
    lp_err_clear(&err);
    assert_int_equal(applied, 0);
}

static void
an_edited_migration_is_refused(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;

    lp_store_close(env->store);
    env->store = NULL;
    lp_store_env_exec(env, "UPDATE schema_migrations SET checksum = 'other' WHERE n = 1");
    refused(env, LP_STORE, "another text");
    assert_int_equal(lp_store_migrate(&env->options, &applied, &err), LP_STORE);
    lp_err_clear(&err);
}

static void
an_older_database_asks_for_migration(struct lp_store_env *env)
{
    lp_store_close(env->store);
    env->store = NULL;
    lp_store_env_exec(env, "DELETE FROM schema_migrations");
    refused(env, LP_PRECONDITION, "db migrate");
}

static void
a_foreign_database_is_left_alone(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;

    lp_store_close(env->store);
    env->store = NULL;
    lp_store_env_exec(env, "DROP TABLE schema_migrations");
    refused(env, LP_STORE, "something else");
    assert_int_equal(lp_store_migrate(&env->options, &applied, &err), LP_STORE);
    lp_err_clear(&err);
}

/* ---- backup ---- */

struct writer {
    struct lp_store_env *env;
    atomic_bool stop;
    unsigned written;
};

static void *
writer_main(void *arg)
{
    struct writer *w = arg;
    char name[32];

    /* Each unit writes a pair: a backup that holds one without the other is not one moment. */
    while (!atomic_load(&w->stop)) {
        struct lp_err err = LP_ERR_INIT;
        struct lp_unit *unit = lp_unit_new();

        snprintf(name, sizeof name, "left-%u", w->written);
        put(unit, name, "v");
        snprintf(name, sizeof name, "right-%u", w->written++);
        put(unit, name, "v");
        lp_test_ok(commit_one(w->env, unit, &err), &err);
    }
    return NULL;
}

static void
make_restore_place(const struct lp_store_env *env, struct lp_store_env *place)
{
    *place = *env;
    place->store = NULL;
    if (env->dialect == LP_DIALECT_SQLITE)
        snprintf(place->url, sizeof place->url, "sqlite:%s/copy.db", env->dir);
    place->options.url = place->url;
    place->options.schema = place->schema;
}

static void
a_backup_under_load_is_one_moment_and_restores(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct writer w = {.env = env};
    struct lp_store_env place;
    pthread_t thread;
    char path[128];
    int64_t left;

    snprintf(path, sizeof path, "%s/backup", env->dir);
    assert_int_equal(pthread_create(&thread, NULL, writer_main, &w), 0);
    while (lp_store_env_int(env, "SELECT count(*) FROM settings") < 50)
        ;
    lp_test_ok(lp_store_backup(env->store, path, &err), &err);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(lp_store_backup(env->store, path, &err), LP_CONFLICT);
    lp_err_clear(&err);

    make_restore_place(env, &place);
    if (env->dialect == LP_DIALECT_POSTGRES) {
        assert_int_equal(lp_store_restore(&place.options, path, &err), LP_CONFLICT); /* not empty */
        lp_err_clear(&err);
        lp_store_close(env->store);
        env->store = NULL;
        lp_store_env_exec(
            env, "DO $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE', current_schema()); END $$");
    }
    lp_test_ok(lp_store_restore(&place.options, path, &err), &err);
    lp_store_env_reopen(&place);
    left = lp_store_env_int(&place, "SELECT count(*) FROM settings WHERE name LIKE 'left-%'");
    assert_true(left >= 25);
    assert_int_equal(
        lp_store_env_int(&place, "SELECT count(*) FROM settings WHERE name LIKE 'right-%'"), left);
    assert_int_equal(
        lp_store_env_int(&place,
                         "SELECT count(*) FROM settings WHERE name = 'restored' AND value = '1'"),
        1);
    lp_test_ok(lp_store_ping(place.store, &err), &err);
    lp_store_close(place.store);
    if (env->store == NULL)
        return;
    assert_int_equal(lp_store_restore(&place.options, path, &err), LP_CONFLICT);
    lp_err_clear(&err);
}

static void
a_bad_backup_is_refused(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_store_env place;
    char path[128];
    FILE *file;

    make_restore_place(env, &place);
    snprintf(path, sizeof path, "%s/backup", env->dir);
    assert_int_equal(lp_store_restore(&place.options, path, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    if (env->dialect == LP_DIALECT_POSTGRES) {
        lp_store_close(env->store);
        env->store = NULL;
        lp_store_env_exec(
            env, "DO $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE', current_schema()); END $$");
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("this is not a backup at all, whatever its name says\n", file);
    fclose(file);
    assert_int_equal(lp_store_restore(&place.options, path, &err), LP_STORE);
    assert_null(strchr(err.msg, '\n'));
    lp_err_clear(&err);
    refused(&place, LP_PRECONDITION, "db migrate");
}

/* ---- settings and tokens ---- */

static void
settings_are_kept(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char *value = NULL;
    struct lp_unit *unit = lp_unit_new();

    assert_int_equal(lp_setting_get(env->store, NULL, "key", &value, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    lp_test_ok(lp_setting_keep(env->store, "key", "first", "me", &value, &err), &err);
    assert_string_equal(value, "first");
    free(value);
    lp_test_ok(lp_setting_keep(env->store, "key", "second", "me", &value, &err), &err);
    assert_string_equal(value, "first"); /* the first one stays */
    free(value);
    lp_test_ok(lp_setting_set(env->store, "key", "third", "me", &err), &err);
    lp_setting_add(unit, "other", "x", "me", 1);
    lp_test_ok(commit_one(env, unit, &err), &err);
    lp_test_ok(lp_setting_get(env->store, NULL, "key", &value, &err), &err);
    assert_string_equal(value, "third");
    free(value);
}

static void
tokens_are_known_by_their_hash(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char token[LP_TOKEN_LEN + 1];
    struct lp_token made, found, *all = NULL;
    size_t count = 0;

    assert_int_equal(lp_token_create(env->store, "", "read", "me", 0, token, &made, &err),
                     LP_INVALID);
    lp_err_clear(&err);
    assert_int_equal(lp_token_create(env->store, "x", "root", "me", 0, token, &made, &err),
                     LP_INVALID);
    assert_string_equal(err.pointer, "/role");
    lp_err_clear(&err);
    lp_test_ok(lp_token_create(env->store, "ci", "operate", "me", 0, token, &made, &err), &err);
    assert_int_equal(strlen(token), LP_TOKEN_LEN);
    lp_test_ok(lp_token_find(env->store, token, &found, &err), &err);
    assert_string_equal(found.id, made.id);
    assert_string_equal(found.role, "operate");
    lp_test_ok(lp_store_ping(env->store, &err),
               &err); /* the note of its use was queued before this */
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM tokens WHERE used_at IS NOT NULL"),
                     1);
    token[10] = token[10] == 'a' ? 'b' : 'a';
    assert_int_equal(lp_token_find(env->store, token, &found, &err), LP_AUTH);
    lp_err_clear(&err);
    token[10] = token[10] == 'a' ? 'b' : 'a';
    lp_test_ok(lp_token_list(env->store, &all, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(all[0].name, "ci");
    free(all);
    assert_int_equal(lp_token_revoke(env->store, "nobody", &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    lp_test_ok(lp_token_revoke(env->store, made.id, &err), &err);
    lp_test_ok(lp_token_revoke(env->store, made.id, &err), &err);
    assert_int_equal(lp_token_find(env->store, made.id, &found, &err), LP_AUTH);
    lp_err_clear(&err);
}

static void
tokens_expire_and_are_noted_once_a_minute(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    char token[LP_TOKEN_LEN + 1];
    struct lp_token made, found;
    struct lp_store_stats before, after;
    int64_t now = lp_clock_utc_us(&env->clock);

    assert_int_equal(lp_token_create(env->store, "x", "read", "me", now - 1, token, &made, &err),
                     LP_INVALID);
    lp_err_clear(&err);
    lp_test_ok(lp_token_create(env->store, "x", "read", "me", now + 90000000, token, &made, &err),
               &err);
    lp_test_ok(lp_token_find(env->store, token, &found, &err), &err);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
    lp_store_stats(env->store, &before);
    for (int i = 0; i < 5; i++)
        lp_test_ok(lp_token_find(env->store, token, &found, &err), &err);
    lp_test_ok(lp_store_ping(env->store, &err), &err);
    lp_store_stats(env->store, &after);
    assert_int_equal(after.units - before.units, 1); /* the ping alone */
    lp_clock_turn(&env->clock, 61000000);
    lp_test_ok(lp_token_find(env->store, token, &found, &err), &err);
    lp_clock_turn(&env->clock, 30000000);
    assert_int_equal(lp_token_find(env->store, token, &found, &err), LP_AUTH);
    lp_err_clear(&err);
    assert_int_equal(lp_token_find(env->store, "", &found, &err), LP_AUTH);
    lp_err_clear(&err);
}

/* ---- retention ---- */

static int64_t
count_of(struct lp_store_env *env, const char *table)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return lp_store_env_int(env, sql);
}

static void
fill_old(struct lp_store_env *env)
{
    static const char *const texts[] = {
        "INSERT INTO processes (id, workflow, workflow_id, target, is_task, status, created_by, "
        "correlation_id, "
        "definition_hash, created_at, modified_at) VALUES ('t-old', 'w', 'w', 'SYSTEM', 1, "
        "'completed', 'me', 'c', 'h', 1, 1), "
        "('t-failed', 'w', 'w', 'SYSTEM', 1, 'failed', 'me', 'c', 'h', 1, 1), "
        "('t-new', 'w', 'w', 'SYSTEM', 1, 'completed', 'me', 'c', 'h', 1, NOW_US), "
        "('p-old', 'w', 'w', 'CREATE', 0, 'completed', 'me', 'c', 'h', 1, 1), "
        "('p-open', 'w', 'w', 'CREATE', 0, 'suspended', 'me', 'c', 'h', 1, 1)",
        "INSERT INTO process_steps (process_id, seq, step_id, key, title, status, created_by, "
        "started_at, completed_at) "
        "SELECT id, 1, 'x', 'k', 'K', 'success', 'me', 1, 1 FROM processes",
        "INSERT INTO step_attempts (process_id, step_key, n, epoch, executor, token, started_at, "
        "outcome) "
        "SELECT id, 'k', 1, 1, 'x', 't', 1, 'ok' FROM processes",
        "INSERT INTO process_inputs (process_id, step_key, n, kind, doc, actor, created_at) "
        "SELECT id, '', 0, 'initial', '{}', 'me', 1 FROM processes",
        "INSERT INTO outbox (seq, doc, created_at) VALUES (1, '{}', 1), (2, '{}', 2), (NULL, '{}', "
        "3), (4, '{}', NOW_US)",
        "INSERT INTO audit (chain, seq, actor, body, at, prev_hash, hash) VALUES ('dead', 1, 'me', "
        "'{}', 1, '', 'a'), "
        "('dead', 2, 'me', '{}', 2, 'a', 'b'), ('live', 1, 'me', '{}', 1, '', 'c'), ('live', 2, "
        "'me', '{}', NOW_US, 'c', 'd'), ('p-open', 1, 'me', '{}', 1, '', 'e'), ('system:x2', 1, "
        "'me', '{}', 1, '', 'f'), ('system:x1', 1, 'me', '{}', 1, '', 'g')",
        "INSERT INTO audit_seals (n, at, rows, heads, prev_hash, hash) VALUES (1, 1, 1, '{}', '', "
        "'x'), (2, NOW_US, 1, '{}', 'x', 'y')",
        "INSERT INTO block_history (instance_id, version, subscription_id, subscription_version, "
        "block, doc, actor, at) VALUES "
        "('i', 1, 's', 1, 'B', '{}', 'me', 1), ('i', 2, 's', 2, 'B', '{}', 'me', 2), ('gone', 1, "
        "'s', 1, 'B', '{}', 'me', 1), "
        "('gone', 2, 's', 2, 'B', NULL, 'me', 2), ('late', 1, 's', 1, 'B', '{}', 'me', 1), "
        "('late', 2, 's', 3, 'B', '{}', 'me', NOW_US)",
        "INSERT INTO subscription_history (subscription_id, version, doc, actor, at) VALUES ('s', "
        "1, '{}', 'me', 1), ('s', 2, '{}', 'me', 2)",
        "INSERT INTO idempotency (actor, key, request, process_id, created_at) VALUES ('a', 'old', "
        "'r', 'p', 1), ('a', 'new', 'r', 'p', NOW_US)",
        "INSERT INTO executors (incarnation, name, host, started_at, renewed_at, expires_at, "
        "retired_at) VALUES "
        "('x1', 'n', 'h', 1, 1, 1, 2), ('x2', 'n', 'h', 1, 1, 9000000000000000000, NULL), "
        "('x3', 'crashed', 'h', 1, 1, 1, NULL)",
        "INSERT INTO import_rows (source, key, imported_at, doc) VALUES ('f', 'a', 1, '{}'), ('f', "
        "'a', 2, '{}'), ('f', 'a', 3, '{}'), "
        "('f', 'a', 4, '{}'), ('f', 'b', 1, '{}'), ('g', 'a', 1, '{}'), ('g', 'a', 2, '{}'), ('g', "
        "'a', 3, '{}')",
    };
    char sql[1600], now[32];

    snprintf(now, sizeof now, "%lld", (long long)lp_clock_utc_us(&env->clock));
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        const char *rest = texts[i], *at;

        *sql = '\0';
        while ((at = strstr(rest, "NOW_US")) != NULL) {
            snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%.*s%s", (int)(at - rest), rest,
                     now);
            rest = at + 6;
        }
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s", rest);
        lp_store_env_exec(env, sql);
    }
}

static void
retention_deletes_what_is_old_and_no_more(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf conf = {.retention_task_days = 3,
                           .retention_process_days = 30,
                           .retention_event_days = 7,
                           .retention_audit_days = 30,
                           .retention_history_days = 30,
                           .retention_idempotency_hours = 24,
                           .retention_import_runs = 2};
    struct lp_retention_report report;

    fill_old(env);
    lp_test_ok(lp_retention_run(env->store, &conf, NULL, NULL, &report, &err), &err);
    assert_int_equal(count_of(env, "processes WHERE id = 't-old'"), 0);
    assert_int_equal(count_of(env, "processes"), 4);
    assert_int_equal(count_of(env, "process_steps WHERE process_id IN ('t-old', 'p-old')"), 0);
    assert_int_equal(count_of(env, "process_steps"), 3);
    assert_int_equal(count_of(env, "step_attempts"), 3);
    assert_int_equal(count_of(env, "process_inputs"), 3);
    assert_int_equal(count_of(env, "outbox"), 2); /* the one without a number, and the new one */
    assert_int_equal(count_of(env, "audit"), 4);
    assert_int_equal(count_of(env, "audit WHERE chain = 'live'"), 2);
    /* somebody may still append to these */
    assert_int_equal(count_of(env, "audit WHERE chain IN ('p-open', 'system:x2')"), 2);
    assert_int_equal(count_of(env, "audit_seals"), 1);
    /* the time counts from when a version was superseded: version 2 of the subscription is still
     * kept, and had 'late' as it was first */
    assert_int_equal(count_of(env, "block_history"), 3);
    assert_int_equal(count_of(env, "block_history WHERE instance_id = 'late'"), 2);
    assert_int_equal(count_of(env, "block_history WHERE version = 2"), 2);
    assert_int_equal(count_of(env, "subscription_history"), 1);
    assert_int_equal(count_of(env, "idempotency"), 1);
    assert_int_equal(count_of(env, "executors"), 1);
    assert_int_equal(count_of(env, "import_rows"), 5);
    assert_int_equal(count_of(env, "import_rows WHERE key = 'a' AND imported_at < 2"), 0);
    assert_int_equal(report.tasks, 1);
    assert_int_equal(report.processes, 1);
    assert_int_equal(report.events, 2);
    assert_int_equal(report.chains, 2);
    assert_int_equal(report.versions, 4);
    assert_int_equal(report.imports, 3);
    lp_test_ok(lp_retention_run(env->store, &conf, NULL, NULL, &report, &err), &err);
    assert_int_equal(report.tasks + report.processes + report.events + report.chains + report.seals
                         + report.versions + report.keys + report.imports + report.executors,
                     0);
}

static void
retention_goes_on_beyond_a_chunk(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf conf = {.retention_task_days = 1,
                           .retention_process_days = 1,
                           .retention_event_days = 1,
                           .retention_audit_days = 1,
                           .retention_history_days = 1,
                           .retention_idempotency_hours = 1,
                           .retention_import_runs = 1};
    struct lp_retention_report report;
    struct lp_store_stats before, after;

    lp_store_env_exec(env, env->dialect == LP_DIALECT_POSTGRES
                               ? "INSERT INTO outbox (seq, doc, created_at) SELECT i, '{}', i FROM "
                                 "generate_series(1, 1000) AS g(i)"
                               : "INSERT INTO outbox (seq, doc, created_at) WITH RECURSIVE g(i) AS "
                                 "(SELECT 1 UNION ALL "
                                 "SELECT i + 1 FROM g WHERE i < 1000) SELECT i, '{}', i FROM g");
    lp_store_env_exec(env, env->dialect == LP_DIALECT_POSTGRES
                               ? "INSERT INTO audit (chain, seq, actor, body, at, prev_hash, hash) "
                                 "SELECT 'c' || (i % 130), i, 'me', '{}', i / 7, '', 'h' "
                                 "FROM generate_series(1, 1000) AS g(i)"
                               : "INSERT INTO audit (chain, seq, actor, body, at, prev_hash, hash) "
                                 "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL "
                                 "SELECT i + 1 FROM g WHERE i < 1000) SELECT 'c' || (i % 130), i, "
                                 "'me', '{}', i / 7, '', 'h' FROM g");
    lp_store_stats(env->store, &before);
    lp_test_ok(lp_retention_run(env->store, &conf, NULL, NULL, &report, &err), &err);
    lp_store_stats(env->store, &after);
    assert_int_equal(report.events, 1000);
    assert_int_equal(report.chains, 130);
    assert_int_equal(count_of(env, "outbox"), 0);
    assert_int_equal(count_of(env, "audit"), 0);
    assert_true(after.units - before.units >= 8); /* in short units */
}

const struct lp_store_case lp_store_cases[] = {
    {"every_statement_prepares", every_statement_prepares},
    {"what_is_committed_is_read", what_is_committed_is_read},
    {"a_broken_rule_is_named_alike", a_broken_rule_is_named_alike},
    {"rules_with_several_columns_are_named", rules_with_several_columns_are_named},
    {"a_stale_epoch_is_fenced", a_stale_epoch_is_fenced},
    {"W13_a_stale_version_is_a_conflict", a_stale_version_is_a_conflict},
    {"references_are_kept_whole", references_are_kept_whole},
    {"bad_text_is_refused_before_it_is_sent", bad_text_is_refused_before_it_is_sent},
    {"long_and_many_values_pass", long_and_many_values_pass},
    {"a_unit_returns_rows_and_counts", a_unit_returns_rows_and_counts},
    {"only_the_culprit_of_a_batch_fails", only_the_culprit_of_a_batch_fails},
    {"a_single_commit_is_made_by_its_thread", a_single_commit_is_made_by_its_thread},
    {"a_shared_commit_is_followed_by_one_call", a_shared_commit_is_followed_by_one_call},
    {"queued_units_share_a_commit", queued_units_share_a_commit},
    {"units_of_one_key_keep_their_order", units_of_one_key_keep_their_order},
    {"strict_units_keep_their_order", strict_units_keep_their_order},
    {"closing_finishes_what_was_submitted", closing_finishes_what_was_submitted},
    {"many_threads_wait_for_their_own_commit", many_threads_wait_for_their_own_commit},
    {"a_transaction_reads_its_own_writes_and_rolls_back",
     a_transaction_reads_its_own_writes_and_rolls_back},
    {"a_failed_statement_cannot_be_committed", a_failed_statement_cannot_be_committed},
    {"a_reader_sees_one_moment", a_reader_sees_one_moment},
    {"a_read_inside_a_reader_never_waits_for_ever", a_read_inside_a_reader_never_waits_for_ever},
    {"the_clock_is_the_databases", the_clock_is_the_databases},
    {"migrations_run_once", migrations_run_once},
    {"a_newer_database_is_refused", a_newer_database_is_refused},
    {"a_newer_database_that_only_expanded_is_used", a_newer_database_that_only_expanded_is_used},
    {"expanding_migrations_run_under_a_daemon", expanding_migrations_run_under_a_daemon},
    {"an_edited_migration_is_refused", an_edited_migration_is_refused},
    {"an_older_database_asks_for_migration", an_older_database_asks_for_migration},
    {"a_foreign_database_is_left_alone", a_foreign_database_is_left_alone},
    {"a_backup_under_load_is_one_moment_and_restores",
     a_backup_under_load_is_one_moment_and_restores},
    {"a_bad_backup_is_refused", a_bad_backup_is_refused},
    {"settings_are_kept", settings_are_kept},
    {"tokens_are_known_by_their_hash", tokens_are_known_by_their_hash},
    {"tokens_expire_and_are_noted_once_a_minute", tokens_expire_and_are_noted_once_a_minute},
    {"retention_deletes_what_is_old_and_no_more", retention_deletes_what_is_old_and_no_more},
    {"retention_goes_on_beyond_a_chunk", retention_goes_on_beyond_a_chunk},
    {"filters_follow_the_language", lp_case_filters_follow_the_language},
    {"sorts_fold_case_and_are_total", lp_case_sorts_fold_case_and_are_total},
    {"bad_list_requests_are_refused", lp_case_bad_list_requests_are_refused},
    {"ranges_count_what_the_filter_leaves", lp_case_ranges_count_what_the_filter_leaves},
    {"W40_indexes_used", lp_case_indexes_are_used},
    {"W40_no_statement_reads_a_whole_table", lp_case_no_statement_reads_a_whole_table},
    {"every_indexed_field_is_proved", lp_case_every_indexed_field_is_proved},
    {"pages_hold_every_row_once", lp_case_pages_hold_every_row_once},
    {"a_changed_cursor_is_refused", lp_case_a_changed_cursor_is_refused},
    {"totals_are_capped", lp_case_totals_are_capped},
    {"D28_the_database_refuses_overlaps", lp_case_the_database_refuses_overlaps},
    {"D18_own_claims_are_not_in_the_way", lp_case_own_claims_are_not_in_the_way},
    {"all_pieces_or_none", lp_case_all_pieces_or_none},
    {"settling_gives_back_the_rest", lp_case_settling_gives_back_the_rest},
    {"a_settle_is_not_undone_over_somebody_elses_light",
     lp_case_a_settle_is_not_undone_over_somebody_elses_light},
    {"a_process_gives_back_what_it_claimed", lp_case_a_process_gives_back_what_it_claimed},
    {"claims_are_marked_moved_and_released", lp_case_claims_are_marked_moved_and_released},
    {"leftovers_are_found", lp_case_leftovers_are_found},
    {"D48_fifty_for_one_slot_have_one_winner", lp_case_fifty_for_one_slot_have_one_winner},
    {"claims_follow_a_plain_model", lp_case_claims_follow_a_plain_model},
};
const size_t lp_store_case_count = LP_COUNT(lp_store_cases);
