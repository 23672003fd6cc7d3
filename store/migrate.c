#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/lockfile.h"
#include "store/internal.h"

/* How long another program that migrates the same PostgreSQL schema is waited for. */
enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 100 };

static const char table_text[LP_DIALECT_COUNT][200] = {
    [LP_DIALECT_SQLITE] =
        "CREATE TABLE schema_migrations (n INTEGER NOT NULL PRIMARY KEY, name TEXT "
        "NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
    [LP_DIALECT_POSTGRES] =
        "CREATE TABLE schema_migrations (n bigint NOT NULL PRIMARY KEY, name text "
        "NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL)",
};

int
lp_store_schema_version(void)
{
    return lp_migration_last;
}

static enum lp_code
read_stmt(const struct lp_backend *backend, struct lp_conn *conn, enum lp_stmt stmt,
          struct lp_rows **rows, struct lp_err *err)
{
    const struct lp_call call = {.sql = &lp_sql_table[stmt]};

    return backend->run(conn, &call, rows, NULL, err);
}

/* Stored behind the name of a migration that only expands: programs older than it go on working. */
#define EXPANDS "+expand"

enum { MOST = 1000 }; /* numbers; migrategen.py refuses more */

/* What is in the database, compared with ours. */
struct applied {
    bool any;        /* there is a schema of ours at all */
    bool have[MOST]; /* by number, of those that we know */
};

static const struct lp_migration *
migration_of(enum lp_dialect dialect, int64_t n)
{
    for (size_t i = 0; i < lp_migration_count; i++)
        if (lp_migrations[i].dialect == dialect && lp_migrations[i].n == n)
            return &lp_migrations[i];
    return NULL;
}

static bool
expands(const char *name)
{
    size_t len = strlen(name), end = strlen(EXPANDS);

    return len > end && strcmp(name + len - end, EXPANDS) == 0;
}

static enum lp_code
check_row(const struct lp_backend *backend, const struct lp_rows *rows, size_t row,
          struct applied *applied, struct lp_err *err)
{
    int64_t n = lp_rows_int(rows, row, "n");
    const char *name = lp_rows_text(rows, row, "name");
    const struct lp_migration *ours = migration_of(backend->dialect, n);

    if (ours == NULL && expands(name))
        return LP_OK; /* of a newer program; what we use is still there */
    if (ours == NULL)
        return lp_fail(err, LP_STORE,
                       "the database has schema %lld, newer than this program knows (%d): use a "
                       "newer Lightpath",
                       (long long)n, lp_migration_last);
    if (strcmp(ours->checksum, lp_rows_text(rows, row, "checksum")) != 0)
        return lp_fail(
            err, LP_STORE,
            "migration %lld (%s) was applied to the database with another text than this "
            "program has",
            (long long)n, name);
    applied->have[n] = true;
    return LP_OK;
}

static enum lp_code
read_applied(const struct lp_backend *backend, struct lp_conn *conn, struct applied *applied,
             struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = read_stmt(backend, conn, LP_SQL_MIGRATION_TABLES, &rows, err);
    int64_t tables, ours;

    *applied = (struct applied){.any = false};
    if (rc != LP_OK)
        return rc;
    tables = lp_rows_int(rows, 0, "tables");
    ours = lp_rows_int(rows, 0, "ours");
    lp_rows_free(rows);
    if (ours == 0 && tables > 0)
        return lp_fail(err, LP_STORE,
                       "the database holds %lld tables, but none of Lightpath: it belongs to "
                       "something else",
                       (long long)tables);
    if (ours == 0)
        return LP_OK;
    applied->any = true;
    rc = read_stmt(backend, conn, LP_SQL_MIGRATION_LIST, &rows, err);
    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = check_row(backend, rows, i, applied, err);
    lp_rows_free(rows);
    return rc;
}

/* The first of ours that is missing, from n on; NULL: none. */
static const struct lp_migration *
missing(enum lp_dialect dialect, const struct applied *applied, int n)
{
    for (; n <= lp_migration_last; n++) {
        const struct lp_migration *m = migration_of(dialect, n);

        if (m != NULL && !applied->have[n])
            return m;
    }
    return NULL;
}

enum lp_code
lp_schema_check(const struct lp_backend *backend, struct lp_conn *conn, struct lp_err *err)
{
    struct applied applied;
    const struct lp_migration *m;
    enum lp_code rc = read_applied(backend, conn, &applied, err);

    if (rc != LP_OK)
        return rc;
    if (!applied.any)
        return lp_fail(err, LP_PRECONDITION,
                       "the database is empty; set it up with 'lightpathd db migrate'");
    m = missing(backend->dialect, &applied, 1);
    if (m != NULL)
        return lp_fail(err, LP_PRECONDITION,
                       "the database has schema %d, this program needs %d; run 'lightpathd db "
                       "migrate'",
                       m->n - 1, lp_migration_last);
    return LP_OK;
}

static enum lp_code
record(const struct lp_backend *backend, struct lp_conn *conn, const struct lp_migration *m,
       struct lp_err *err)
{
    struct lp_value values[3];
    const struct lp_sql *sql = &lp_sql_table[LP_SQL_MIGRATION_ADD];
    const struct lp_call call = {.sql = sql, .values = values, .count = LP_COUNT(values)};
    char name[100];
    enum lp_code rc;

    snprintf(name, sizeof name, "%s%s", m->name, m->contract || m->n == 1 ? "" : EXPANDS);
    rc = lp_bind(
        sql, LP_ARGS(lp_int("n", m->n), lp_text("name", name), lp_text("checksum", m->checksum)),
        values, err);
    return rc == LP_OK ? backend->run(conn, &call, NULL, NULL, err) : rc;
}

static enum lp_code
apply(const struct lp_backend *backend, struct lp_conn *conn, const struct lp_migration *m,
      bool first, struct lp_err *err)
{
    enum lp_code rc = backend->begin(conn, true, err);

    if (rc != LP_OK)
        return rc;
    if (first)
        rc = backend->script(conn, table_text[backend->dialect], err);
    if (rc == LP_OK)
        rc = backend->script(conn, m->text, err);
    if (rc == LP_OK)
        rc = record(backend, conn, m, err);
    if (rc == LP_OK)
        rc = backend->commit(conn, err);
    if (rc != LP_OK) {
        backend->rollback(conn);
        return lp_err_prefix(err, "migration %d (%s): ", m->n, m->name);
    }
    return LP_OK;
}

static enum lp_code
apply_missing(const struct lp_backend *backend, struct lp_conn *conn, unsigned *count,
              struct lp_err *err)
{
    struct applied applied;
    enum lp_code rc = read_applied(backend, conn, &applied, err);
    const struct lp_migration *m = missing(backend->dialect, &applied, 1);

    for (; rc == LP_OK && m != NULL; m = missing(backend->dialect, &applied, m->n + 1)) {
        rc = apply(backend, conn, m, m->n == 1, err);
        if (rc == LP_OK)
            ++*count;
    }
    return rc;
}

/* A migration under daemons waits for the locks of tables they use, and whoever comes behind waits
   for it: rather soon given up and tried again. */
static enum lp_code
apply_under_load(const struct lp_backend *backend, struct lp_conn *conn, unsigned *count,
                 struct lp_err *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    enum lp_code rc = LP_RETRYABLE;

    for (int i = 0; i < LOCK_TRIES && rc == LP_RETRYABLE; i++) {
        if (i > 0) {
            lp_err_clear(err);
            nanosleep(&pause, NULL);
        }
        rc = apply_missing(backend, conn, count, err);
    }
    if (rc == LP_RETRYABLE)
        err->code = rc = LP_STORE;
    return rc;
}

/* Tried rather than waited for, because a daemon does not let go. The lock goes with the
   connection. */
static enum lp_code
pg_lock(struct lp_conn *conn, const char *text, const char *refusal, struct lp_err *err)
{
    const struct lp_call call = {.text = text};
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES; i++) {
        struct lp_rows *rows = NULL;
        enum lp_code rc = lp_backend_postgres.run(conn, &call, &rows, NULL, err);
        bool got;

        if (rc != LP_OK)
            return rc;
        got = lp_rows_int(rows, 0, "got") == 1;
        lp_rows_free(rows);
        if (got)
            return LP_OK;
        nanosleep(&pause, NULL);
    }
    return lp_fail(err, LP_CONFLICT, "%s", refusal);
}

/* What only expands runs while daemons of the release before work (they hold the schema's lock
   shared, db_pg.c); anything else wants the schema alone. */
static enum lp_code
pg_lock_schema(struct lp_conn *conn, const struct applied *applied, struct lp_err *err)
{
    bool alone = !applied->any;

    for (const struct lp_migration *m = missing(LP_DIALECT_POSTGRES, applied, 1); m != NULL;
         m = missing(LP_DIALECT_POSTGRES, applied, m->n + 1))
        alone = alone || m->contract || m->n == 1;
    if (!alone)
        return LP_OK;
    return pg_lock(conn,
                   "SELECT pg_try_advisory_lock(hashtextextended('lightpath:' || "
                   "current_schema(), 0)) AS got",
                   "a daemon is using this database; stop it first", err);
}

/* At once, not when the server notices that the connection has gone: the daemon opens the store
 * next. */
static void
pg_unlock(struct lp_conn *conn)
{
    const struct lp_call call = {.text = "SELECT pg_advisory_unlock_all()"};
    struct lp_err err = LP_ERR_INIT;

    if (lp_backend_postgres.run(conn, &call, NULL, NULL, &err) != LP_OK)
        lp_err_clear(&err);
}

/* Migrations exclude each other. Whoever waited for another one may find everything done, by a
 * daemon that is at work already. */
static enum lp_code
pg_migrate(struct lp_conn *conn, unsigned *count, struct lp_err *err)
{
    struct applied applied;
    enum lp_code rc = pg_lock(conn,
                              "SELECT pg_try_advisory_lock(hashtextextended('lightpath-migrate:' "
                              "|| current_schema(), 0)) AS got",
                              "another migration of this database is running", err);

    if (rc == LP_OK)
        rc = read_applied(&lp_backend_postgres, conn, &applied, err);
    if (rc != LP_OK || missing(LP_DIALECT_POSTGRES, &applied, 1) == NULL)
        return rc;
    rc = pg_lock_schema(conn, &applied, err);
    return rc == LP_OK ? apply_under_load(&lp_backend_postgres, conn, count, err) : rc;
}

static enum lp_code
migrate_conn(const struct lp_backend *backend, struct lp_conn *conn, unsigned *count,
             struct lp_err *err)
{
    struct applied applied;
    enum lp_code rc = read_applied(backend, conn, &applied, err);

    if (rc != LP_OK || missing(backend->dialect, &applied, 1) == NULL)
        return rc;
    if (backend->dialect != LP_DIALECT_POSTGRES)
        return apply_missing(backend, conn, count, err);
    rc = pg_migrate(conn, count, err);
    pg_unlock(conn);
    return rc;
}

enum lp_code
lp_store_migrate(const struct lp_store_options *options, unsigned *applied, struct lp_err *err)
{
    const struct lp_backend *backend = lp_backend_for(options->url, err);
    const char *path = lp_sqlite_path(options->url);
    struct lp_conn *conn = NULL;
    int lock_fd = -1;
    enum lp_code rc = LP_OK;

    *applied = 0;
    if (backend == NULL)
        return err->code;
    if (path != NULL)
        rc = lp_sqlite_lock(path, &lock_fd, err);
    if (rc == LP_OK)
        rc = backend->open(options, LP_CONN_ADMIN, &conn, err);
    if (rc == LP_OK) {
        rc = migrate_conn(backend, conn, applied, err);
        backend->close(conn);
    }
    lp_lockfile_drop(&lock_fd);
    return rc;
}
