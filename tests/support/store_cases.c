#include "tests/support/store_cases.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
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

const struct lp_store_case lp_store_cases[] = {
    {"a_broken_rule_is_named_alike", a_broken_rule_is_named_alike},
    {"what_is_committed_is_read", what_is_committed_is_read},
};
const size_t lp_store_case_count = LP_COUNT(lp_store_cases);
