#include "tests/support/store_env.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/test_main.h"

static const char *
pg_url(void)
{
    const char *url = getenv("LIGHTPATH_TEST_PG");

    return url == NULL || *url == '\0' ? NULL : url;
}

bool
lp_store_env_has(enum lp_dialect dialect)
{
    return dialect == LP_DIALECT_SQLITE || pg_url() != NULL;
}

void
lp_test_ok(enum lp_code rc, struct lp_err *err)
{
    if (rc != LP_OK)
        fail_msg("%s: %s (%s)", lp_code_info(rc)->slug, err->msg, err->pointer);
}

/* The schema's name is the application's too, so that a test finds its own connections. */
static void
pg_place(struct lp_store_env *env)
{
    const char *url = pg_url();
    const char *glue = strstr(url, "://") == NULL ? " " : strchr(url, '?') == NULL ? "?" : "&";

    snprintf(env->url, sizeof env->url, "%s%sapplication_name=%s", url, glue, env->schema);
}

void
lp_store_env_place(struct lp_store_env *env, enum lp_dialect dialect)
{
    static unsigned count;
    const char *place = getenv("TMPDIR");

    memset(env, 0, sizeof *env);
    env->dialect = dialect;
    if (place == NULL || *place == '\0' || strlen(place) > sizeof env->dir / 2)
        place = "/tmp";
    snprintf(env->dir, sizeof env->dir, "%s/lp-store-XXXXXX", place);
    assert_non_null(mkdtemp(env->dir));
    snprintf(env->schema, sizeof env->schema, "t_%ld_%u", (long)getpid(), count++);
    if (dialect == LP_DIALECT_SQLITE)
        snprintf(env->url, sizeof env->url, "sqlite:%s/test.db", env->dir);
    else
        pg_place(env);
    env->options = (struct lp_store_options){
        .url = env->url, .pool = 4, .batch = 64, .schema = env->schema, .clock = &env->clock};
}

void
lp_store_env_reopen(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;

    lp_store_close(env->store);
    env->store = NULL;
    lp_test_ok(lp_store_open(&env->options, &env->store, &err), &err);
}

void
lp_store_env_open(struct lp_store_env *env, enum lp_dialect dialect)
{
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;

    lp_store_env_place(env, dialect);
    lp_test_ok(lp_store_migrate(&env->options, &applied, &err), &err);
    lp_store_env_reopen(env);
    assert_int_equal(applied, lp_store_env_int(env, "SELECT count(*) FROM schema_migrations"));
}

static void
remove_files(const struct lp_store_env *env)
{
    static const char *const names[] = {
        "test.db",     "test.db-wal", "test.db-shm",  "test.db.lock", "test.db-journal", "backup",
        "backup.part", "copy.db",     "copy.db.lock", "copy.db-wal",  "copy.db-shm"};
    char path[128];

    for (size_t i = 0; i < LP_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", env->dir, names[i]);
        unlink(path);
    }
    rmdir(env->dir);
}

void
lp_store_env_close(struct lp_store_env *env)
{
    char sql[128];

    lp_store_close(env->store);
    env->store = NULL;
    if (env->dialect == LP_DIALECT_POSTGRES) {
        snprintf(sql, sizeof sql, "DROP SCHEMA IF EXISTS %s CASCADE", env->schema);
        lp_store_env_exec(env, sql);
    }
    remove_files(env);
}

static PGconn *
connect_past(const struct lp_store_env *env)
{
    const char *const names[] = {"dbname", "application_name", NULL};
    const char *const values[] = {env->url, "test", NULL};
    PGconn *pg = PQconnectdbParams(names, values, 1);
    char sql[128];

    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    snprintf(sql, sizeof sql, "SET client_min_messages = error; SET search_path TO %s",
             env->schema);
    PQclear(PQexec(pg, sql));
    return pg;
}

static sqlite3 *
open_past(const struct lp_store_env *env)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(env->url + 7, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

void
lp_store_env_exec(struct lp_store_env *env, const char *sql)
{
    if (env->dialect == LP_DIALECT_POSTGRES) {
        PGconn *pg = connect_past(env);
        PGresult *res = PQexec(pg, sql);
        ExecStatusType status = PQresultStatus(res);

        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            fail_msg("%s: %s", sql, PQerrorMessage(pg));
        PQclear(res);
        PQfinish(pg);
    } else {
        sqlite3 *db = open_past(env);
        char *message = NULL;

        if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
            fail_msg("%s: %s", sql, message);
        sqlite3_close(db);
    }
}

static void
fake_now(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    sqlite3_result_int64(context, 0);
}

bool
lp_store_env_prepares(struct lp_store_env *env, const char *sql, char *text, size_t size)
{
    bool ok;

    if (env->dialect == LP_DIALECT_POSTGRES) {
        PGconn *pg = connect_past(env);
        PGresult *res = PQprepare(pg, "", sql, 0, NULL);

        ok = PQresultStatus(res) == PGRES_COMMAND_OK;
        snprintf(text, size, "%s", PQerrorMessage(pg));
        PQclear(res);
        PQfinish(pg);
    } else {
        sqlite3 *db = open_past(env);
        sqlite3_stmt *stmt = NULL;

        sqlite3_create_function(db, "lp_now", 0, SQLITE_UTF8, NULL, fake_now, NULL, NULL);
        ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK;
        snprintf(text, size, "%s", sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
    return ok;
}

static void
pg_plan(struct lp_store_env *env, const char *sql, unsigned params, char *text, size_t size)
{
    PGconn *pg = connect_past(env);
    char execute[400] = "EXPLAIN EXECUTE plan";
    PGresult *res;

    PQclear(PQexec(pg, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"));
    res = PQprepare(pg, "plan", sql, 0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    PQclear(res);
    for (unsigned i = 0; i < params; i++)
        snprintf(execute + strlen(execute), sizeof execute - strlen(execute), "%sNULL%s",
                 i == 0 ? "(" : ", ", i + 1 == params ? ")" : "");
    res = PQexec(pg, execute);
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    for (int i = 0; i < PQntuples(res); i++)
        snprintf(text + strlen(text), size - strlen(text), "%s\n", PQgetvalue(res, i, 0));
    PQclear(res);
    PQfinish(pg);
}

static void
sqlite_plan(struct lp_store_env *env, const char *sql, char *text, size_t size)
{
    sqlite3 *db = open_past(env);
    sqlite3_stmt *stmt = NULL;
    char explain[8192];

    sqlite3_create_function(db, "lp_now", 0, SQLITE_UTF8, NULL, fake_now, NULL, NULL);
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, explain, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW)
        snprintf(text + strlen(text), size - strlen(text), "%s\n", sqlite3_column_text(stmt, 3));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

void
lp_store_env_plan(struct lp_store_env *env, const char *sql, unsigned params, char *text,
                  size_t size)
{
    *text = '\0';
    if (env->dialect == LP_DIALECT_POSTGRES)
        pg_plan(env, sql, params, text, size);
    else
        sqlite_plan(env, sql, text, size);
}

int64_t
lp_store_env_int(struct lp_store_env *env, const char *sql)
{
    int64_t value = 0;

    if (env->dialect == LP_DIALECT_POSTGRES) {
        PGconn *pg = connect_past(env);
        PGresult *res = PQexec(pg, sql);

        if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1)
            fail_msg("%s: %s", sql, PQerrorMessage(pg));
        value = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
        PQclear(res);
        PQfinish(pg);
    } else {
        sqlite3 *db = open_past(env);
        sqlite3_stmt *stmt = NULL;

        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        value = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
    return value;
}
