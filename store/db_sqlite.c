#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/lockfile.h"
#include "store/internal.h"

/* Pages in the write-ahead log: from the first on, the checkpointer thread copies them back off the
   commit path; at the second the writer does it itself, which bounds the file when the thread
   cannot keep up. Once no more than the third are left, the writer copies them: only when nothing
   is left does the log begin anew, and a log that is written over is synced in half the time of one
   that grows. */
enum { WAL_BACKGROUND = 4000, WAL_INLINE = 16000, WAL_REST = 1000 };
enum { BUSY_MS = 5000, LOG_LIMIT = 67108864 };

struct checkpointer {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards wanted and stop */
    pthread_cond_t wake;
    bool wanted, stop;
    sqlite3 *db;
};

enum fixed { FIX_BEGIN, FIX_BEGIN_WRITE, FIX_COMMIT, FIX_ROLLBACK, FIX_COUNT };
static const char *const fixed_texts[FIX_COUNT] = {"BEGIN", "BEGIN IMMEDIATE", "COMMIT",
                                                   "ROLLBACK"};

struct lp_conn {
    sqlite3 *db;
    const struct lp_clock *clock;
    char *path;
    sqlite3_stmt *fixed[FIX_COUNT];
    sqlite3_stmt *stmts[LP_SQL_COUNT]; /* prepared at first use */
    atomic_int wal_pages, wal_copied;
    int wal_tried; /* committer's own: pages at its last attempt to copy the rest */
    struct checkpointer checkpointer; /* writers only */
};

const char *
lp_sqlite_path(const char *url)
{
    return strncmp(url, "sqlite:", 7) == 0 && url[7] != '\0' ? url + 7 : NULL;
}

/* ---- errors ---- */

/* The errno behind an I/O error: of the database file, or of its write-ahead log. */
static int
system_error(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    int error = db == NULL ? 0 : sqlite3_system_errno(db);

    if (db != NULL && error == 0)
        sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    if (db != NULL && error == 0
        && sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK
        && log != NULL && log->pMethods != NULL)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

static enum lp_code
store_error(sqlite3 *db, const char *path, int code, struct lp_err *err)
{
    int system = system_error(db);
    const char *text = db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);

    switch (code & 0xff) {
    case SQLITE_FULL:
        return lp_fail(err, LP_STORE, "database '%s': the disk is full", path);
    case SQLITE_NOTADB:
        return lp_fail(err, LP_STORE, "'%s' is not a database", path);
    case SQLITE_CORRUPT:
        return lp_fail(err, LP_STORE, "database '%s' is damaged: %s", path, text);
    case SQLITE_READONLY:
        return lp_fail(err, LP_STORE, "database '%s' is read-only", path);
    case SQLITE_NOMEM:
        return lp_fail(err, LP_NOMEM, "database '%s': no memory", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return lp_fail(err, LP_STORE, "database '%s' is locked by another program", path);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        if (system == ENOSPC || system == EDQUOT || system == EFBIG)
            return lp_fail(err, LP_STORE, "database '%s': the disk is full", path);
        return lp_fail(err, LP_STORE, "database '%s': %s%s%s", path, text, system != 0 ? ": " : "",
                       system != 0 ? strerror(system) : "");
    case SQLITE_TOOBIG:
        return lp_fail(err, LP_TOO_LARGE, "database '%s': a value is too large", path);
    default:
        return lp_fail(err, LP_INTERNAL, "database '%s': %s", path, text);
    }
}

/* SQLite names the columns of a broken unique rule, PostgreSQL the rule: say the rule on both. */
static void
unique_name(sqlite3 *db, const char *table, const char *columns, char *out, size_t size)
{
    static const char query[] =
        "SELECT name, origin FROM pragma_index_list(?1) AS l WHERE \"unique\" = 1 AND ?2 = "
        "(SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(l.name) ORDER "
        "BY seqno))";
    sqlite3_stmt *stmt = NULL;

    snprintf(out, size, "%s_pkey", table);
    if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK)
        return;
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, columns, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *origin = (const char *)sqlite3_column_text(stmt, 1);

        if (origin != NULL && *origin == 'u') {
            snprintf(out, size, "%s_", table);
            for (const char *p = columns; *p != '\0'; p++)
                if (*p != ' ')
                    snprintf(out + strlen(out), size - strlen(out), "%c", *p == ',' ? '_' : *p);
            snprintf(out + strlen(out), size - strlen(out), "_key");
        } else if (origin != NULL && *origin == 'c') {
            snprintf(out, size, "%s", name);
        }
    }
    sqlite3_finalize(stmt);
}

/* "UNIQUE constraint failed: audit.chain, audit.seq" -> table "audit", columns "chain, seq". */
static bool
split_columns(const char *list, char *table, size_t table_size, char *columns, size_t columns_size)
{
    const char *dot = strchr(list, '.');
    size_t len;

    if (dot == NULL || (size_t)(dot - list) >= table_size)
        return false;
    len = (size_t)(dot - list);
    memcpy(table, list, len);
    table[len] = '\0';
    *columns = '\0';
    for (const char *p = list; p != NULL; p = strstr(p, ", ")) {
        if (*columns != '\0') {
            p += 2;
            snprintf(columns + strlen(columns), columns_size - strlen(columns), ", ");
        }
        if (strncmp(p, table, len) != 0 || p[len] != '.')
            return false;
        p += len + 1;
        snprintf(columns + strlen(columns), columns_size - strlen(columns), "%.*s",
                 (int)strcspn(p, ","), p);
    }
    return true;
}

static enum lp_code
unique_error(struct lp_conn *conn, const char *message, struct lp_err *err)
{
    char list[256], table[64], columns[192], name[120];
    const char *colon = strstr(message, ": ");

    snprintf(list, sizeof list, "%s", colon == NULL ? "" : colon + 2);
    if (!split_columns(list, table, sizeof table, columns, sizeof columns))
        return lp_fail_unique(err, list);
    unique_name(conn->db, table, columns, name, sizeof name);
    return lp_fail_unique(err, name);
}

static enum lp_code
run_error(struct lp_conn *conn, const struct lp_sql *sql, struct lp_err *err)
{
    int code = sqlite3_extended_errcode(conn->db);
    const char *name = sql == NULL ? "query" : sql->name;
    const char *colon;
    char message[300];

    snprintf(message, sizeof message, "%s", sqlite3_errmsg(conn->db));
    colon = strstr(message, ": ");
    switch (code) {
    case SQLITE_CONSTRAINT_NOTNULL:
        return lp_fail_not_null(err, colon == NULL ? "" : colon + 2);
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return unique_error(conn, message, err);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return lp_fail_foreign(err, sql == NULL ? NULL : sql->table);
    case SQLITE_CONSTRAINT_TRIGGER: /* RAISE(ABORT, name of a rule of that table) */
        if (sql != NULL && sql->table != NULL
            && strncmp(message, sql->table, strlen(sql->table)) == 0)
            return lp_fail_unique(err, message);
        break;
    default:
        break;
    }
    if ((code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_CONSTRAINT
        || (code & 0xff) == SQLITE_MISMATCH || (code & 0xff) == SQLITE_RANGE)
        return lp_fail(err, LP_INTERNAL, "statement %s: %s", name, message);
    return store_error(conn->db, conn->path, code, err);
}

/* ---- running ---- */

static enum lp_code
prepare(struct lp_conn *conn, const struct lp_call *call, sqlite3_stmt **out, struct lp_err *err)
{
    size_t index;

    if (call->sql == NULL) {
        if (sqlite3_prepare_v2(conn->db, call->text, -1, out, NULL) != SQLITE_OK)
            return run_error(conn, NULL, err);
        return LP_OK;
    }
    index = (size_t)(call->sql - lp_sql_table);
    *out = conn->stmts[index];
    if (*out != NULL)
        return LP_OK;
    if (sqlite3_prepare_v3(conn->db, call->sql->text[LP_DIALECT_SQLITE], -1,
                           SQLITE_PREPARE_PERSISTENT, out, NULL)
        != SQLITE_OK)
        return run_error(conn, call->sql, err);
    conn->stmts[index] = *out;
    return LP_OK;
}

/* Texts stay the caller's until the statement is reset, which happens before the call returns. */
static void
bind(sqlite3_stmt *stmt, const struct lp_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int at = (int)i + 1;

        switch (values[i].kind) {
        case LP_VALUE_NULL:
            sqlite3_bind_null(stmt, at);
            break;
        case LP_VALUE_INT:
            sqlite3_bind_int64(stmt, at, values[i].i);
            break;
        case LP_VALUE_TEXT:
            sqlite3_bind_text(stmt, at, values[i].s, values[i].len, SQLITE_STATIC);
            break;
        }
    }
}

static bool
copy_cell(struct lp_rows *rows, sqlite3_stmt *stmt, int column, struct lp_cell *cell)
{
    int type = sqlite3_column_type(stmt, column);

    if (type == SQLITE_NULL)
        return true;
    if (type == SQLITE_INTEGER) {
        char text[24];

        cell->i = sqlite3_column_int64(stmt, column);
        snprintf(text, sizeof text, "%" PRId64, cell->i);
        cell->text = lp_arena_strdup(rows->arena, text);
        return cell->text != NULL;
    }
    cell->text = lp_arena_strndup(rows->arena, (const char *)sqlite3_column_text(stmt, column),
                                  (size_t)sqlite3_column_bytes(stmt, column));
    if (cell->text == NULL)
        return false;
    cell->i = strtoll(cell->text, NULL, 10);
    return true;
}

static struct lp_rows *
rows_for(sqlite3_stmt *stmt)
{
    size_t columns = (size_t)sqlite3_column_count(stmt);
    struct lp_rows *rows = lp_rows_new(columns);

    if (rows == NULL)
        return NULL;
    rows->arena = lp_arena_new();
    for (size_t i = 0; rows->arena != NULL && i < columns; i++) {
        rows->names[i] = lp_arena_strdup(rows->arena, sqlite3_column_name(stmt, (int)i));
        if (rows->names[i] == NULL)
            break;
        if (i + 1 == columns)
            return rows;
    }
    lp_rows_free(rows);
    return NULL;
}

static bool
copy_row(struct lp_rows *rows, sqlite3_stmt *stmt)
{
    struct lp_cell *cells = lp_rows_add(rows);

    if (cells == NULL)
        return false;
    for (size_t i = 0; i < rows->columns; i++)
        if (!copy_cell(rows, stmt, (int)i, &cells[i]))
            return false;
    return true;
}

/* Steps to the end; rows NULL: what is returned is dropped. */
static int
step_all(sqlite3_stmt *stmt, struct lp_rows *rows)
{
    int code;

    while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
        if (rows != NULL && !copy_row(rows, stmt))
            return SQLITE_NOMEM;
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum lp_code
run(struct lp_conn *conn, const struct lp_call *call, struct lp_rows **rows, int64_t *changed,
    struct lp_err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct lp_rows *found = NULL;
    enum lp_code rc = prepare(conn, call, &stmt, err);
    int code = SQLITE_OK;

    if (rc != LP_OK)
        return rc;
    if (rows != NULL && (found = rows_for(stmt)) == NULL)
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK) {
        bind(stmt, call->values, call->count);
        code = step_all(stmt, found);
    }
    if (code != SQLITE_OK)
        rc = code == SQLITE_NOMEM ? lp_fail(err, LP_NOMEM, "no memory for the rows of a query")
                                  : run_error(conn, call->sql, err);
    else if (changed != NULL)
        *changed = sqlite3_stmt_readonly(stmt) ? 0 : sqlite3_changes64(conn->db);
    if (call->sql == NULL)
        sqlite3_finalize(stmt);
    else
        sqlite3_reset(stmt);
    if (rc != LP_OK)
        lp_rows_free(found);
    else if (rows != NULL)
        *rows = found;
    return rc;
}

static enum lp_code
run_fixed(struct lp_conn *conn, enum fixed which, struct lp_err *err)
{
    int code = SQLITE_OK;

    if (conn->fixed[which] == NULL)
        code = sqlite3_prepare_v3(conn->db, fixed_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  &conn->fixed[which], NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(conn->fixed[which]);
        if (code == SQLITE_DONE)
            code = SQLITE_OK;
    }
    if (code != SQLITE_OK) {
        enum lp_code rc =
            store_error(conn->db, conn->path, sqlite3_extended_errcode(conn->db), err);

        sqlite3_reset(conn->fixed[which]);
        return rc;
    }
    sqlite3_reset(conn->fixed[which]);
    return LP_OK;
}

static enum lp_code
begin(struct lp_conn *conn, bool write, struct lp_err *err)
{
    return run_fixed(conn, write ? FIX_BEGIN_WRITE : FIX_BEGIN, err);
}

static enum lp_code
commit(struct lp_conn *conn, struct lp_err *err)
{
    return run_fixed(conn, FIX_COMMIT, err);
}

static void
rollback(struct lp_conn *conn)
{
    struct lp_err err = LP_ERR_INIT;

    /* SQLite has rolled back by itself after some errors (disk full, no memory). */
    if (sqlite3_get_autocommit(conn->db) == 0 && run_fixed(conn, FIX_ROLLBACK, &err) != LP_OK)
        lp_err_clear(&err);
}

static enum lp_code
run_unit(struct lp_conn *conn, struct lp_unit *unit, struct lp_err *err)
{
    for (size_t i = 0; i < unit->count; i++) {
        struct lp_item *item = &unit->items[i];
        const struct lp_sql *sql = &lp_sql_table[item->stmt];
        const struct lp_call call = {.sql = sql, .values = item->values, .count = sql->param_count};
        enum lp_code rc =
            run(conn, &call, item->want_rows ? &item->rows : NULL, &item->changed, err);

        if (rc != LP_OK) {
            lp_conflict_detail(sql, item->values, err);
            return rc;
        }
    }
    return LP_OK;
}

static enum lp_code
batch(struct lp_conn *conn, struct lp_unit *const *units, size_t count, struct lp_err *err)
{
    enum lp_code rc = begin(conn, true, err);

    if (rc != LP_OK)
        return rc;
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        rc = run_unit(conn, units[i], err);
    if (rc == LP_OK)
        rc = commit(conn, err);
    if (rc != LP_OK)
        rollback(conn);
    return rc;
}

static enum lp_code
script(struct lp_conn *conn, const char *text, struct lp_err *err)
{
    if (sqlite3_exec(conn->db, text, NULL, NULL, NULL) == SQLITE_OK)
        return LP_OK;
    return run_error(conn, NULL, err);
}

/* ---- checkpoints ---- */

static void *
checkpoint_thread(void *arg)
{
    struct lp_conn *conn = arg;
    struct checkpointer *c = &conn->checkpointer;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        int copied = 0;

        if (!c->wanted) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        c->wanted = false;
        pthread_mutex_unlock(&c->lock);
        if (sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied)
            == SQLITE_OK)
            atomic_store(&conn->wal_copied, copied);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct lp_conn *conn = arg;
    int copied = atomic_load(&conn->wal_copied);

    if (pages < copied) {
        copied = conn->wal_tried = 0; /* the log began anew */
        atomic_store(&conn->wal_copied, 0);
    }
    atomic_store(&conn->wal_pages, pages);
    if (pages - copied >= WAL_INLINE
        && sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied)
               == SQLITE_OK)
        atomic_store(&conn->wal_copied, copied);
    return SQLITE_OK;
}

static void
wake_checkpointer(struct checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->wanted) {
        c->wanted = true;
        pthread_cond_signal(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
}

/* A reader that looks at an older moment keeps the rest from being copied: tried again a while
 * later. */
static void
copy_rest(struct lp_conn *conn, int pages)
{
    int copied = 0;

    if (pages - conn->wal_tried < WAL_REST)
        return;
    conn->wal_tried = pages;
    if (sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied)
        == SQLITE_OK)
        atomic_store(&conn->wal_copied, copied);
}

static void
settle(struct lp_conn *conn)
{
    struct checkpointer *c = &conn->checkpointer;
    int pages = atomic_load(&conn->wal_pages), copied = atomic_load(&conn->wal_copied);

    if (!c->started || pages < WAL_BACKGROUND || pages == copied)
        return;
    if (pages - copied >= (copied == 0 ? WAL_BACKGROUND : WAL_REST))
        wake_checkpointer(c);
    else if (copied != 0)
        copy_rest(conn, pages);
}

static void
checkpointer_stop(struct checkpointer *c)
{
    if (!c->started)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    sqlite3_close_v2(c->db);
    c->started = false;
}

static enum lp_code
checkpointer_start(struct lp_conn *conn, struct lp_err *err)
{
    struct checkpointer *c = &conn->checkpointer;
    int code =
        sqlite3_open_v2(conn->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    /* The read opens the log: a connection that has read nothing yet copies nothing. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(c->db, "PRAGMA synchronous=FULL; SELECT count(*) FROM sqlite_schema",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        enum lp_code rc = store_error(c->db, conn->path, code, err);

        sqlite3_close_v2(c->db);
        return rc;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (pthread_create(&c->thread, NULL, checkpoint_thread, conn) != 0) {
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->lock);
        sqlite3_close_v2(c->db);
        return lp_fail(err, LP_NOMEM, "cannot start the checkpoint thread");
    }
    (void)pthread_setname_np(c->thread, "lp-checkpoint");
    c->started = true;
    sqlite3_wal_hook(conn->db, on_commit, conn);
    return LP_OK;
}

/* ---- connections ---- */

static void
sql_now(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    sqlite3_result_int64(context, lp_clock_utc_us(sqlite3_user_data(context)));
}

static void
conn_close(struct lp_conn *conn)
{
    if (conn == NULL)
        return;
    checkpointer_stop(&conn->checkpointer);
    for (size_t i = 0; i < LP_SQL_COUNT; i++)
        sqlite3_finalize(conn->stmts[i]);
    for (size_t i = 0; i < FIX_COUNT; i++)
        sqlite3_finalize(conn->fixed[i]);
    sqlite3_close_v2(conn->db);
    free(conn->path);
    free(conn);
}

static const char role_pragmas[][100] = {
    [LP_CONN_READER] = "PRAGMA query_only=ON; PRAGMA cache_size=-4000;",
    /* the triggers that keep search_words write to an FTS5 table, which SQLite before 3.41 allows
       to trusted schemas only */
    [LP_CONN_WRITER] = "PRAGMA cache_size=-4000; PRAGMA trusted_schema=ON;",
    [LP_CONN_ADMIN] = "PRAGMA cache_size=-4000;",
};

static enum lp_code
configure(struct lp_conn *conn, enum lp_role role, struct lp_err *err)
{
    static const char common[] = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA "
                                 "temp_store=MEMORY; PRAGMA trusted_schema=OFF;";
    char text[120];
    void *clock;

    memcpy(&clock, &conn->clock, sizeof clock); /* read only, whatever its type says */
    snprintf(text, sizeof text, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=%d;",
             LOG_LIMIT);
    sqlite3_busy_timeout(conn->db, BUSY_MS);
    sqlite3_extended_result_codes(conn->db, 1);
    if (sqlite3_exec(conn->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK
        || (role != LP_CONN_READER && sqlite3_exec(conn->db, text, NULL, NULL, NULL) != SQLITE_OK)
        || sqlite3_exec(conn->db, common, NULL, NULL, NULL) != SQLITE_OK
        || sqlite3_exec(conn->db, role_pragmas[role], NULL, NULL, NULL) != SQLITE_OK
        || sqlite3_create_function(conn->db, "lp_now", 0, SQLITE_UTF8, clock, sql_now, NULL, NULL)
               != SQLITE_OK)
        return store_error(conn->db, conn->path, sqlite3_extended_errcode(conn->db), err);
    if (sqlite3_db_readonly(conn->db, "main") == 1)
        return lp_fail(err, LP_STORE, "database '%s' is read-only", conn->path);
    return role == LP_CONN_WRITER ? checkpointer_start(conn, err) : LP_OK;
}

static enum lp_code
conn_open(const struct lp_store_options *options, enum lp_role role, struct lp_conn **out,
          struct lp_err *err)
{
    struct lp_conn *conn = calloc(1, sizeof *conn);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    enum lp_code rc;
    int code;

    if (conn == NULL || (conn->path = strdup(lp_sqlite_path(options->url))) == NULL) {
        free(conn);
        return lp_fail(err, LP_NOMEM, "no memory for a connection");
    }
    conn->clock = options->clock;
    if (role == LP_CONN_ADMIN)
        flags |= SQLITE_OPEN_CREATE;
    code = sqlite3_open_v2(conn->path, &conn->db, flags, NULL);
    rc = code == SQLITE_OK
             ? configure(conn, role, err)
             : store_error(conn->db, conn->path, sqlite3_extended_errcode(conn->db), err);
    if (rc != LP_OK) {
        conn_close(conn);
        return rc;
    }
    *out = conn;
    return LP_OK;
}

static bool
broken(struct lp_conn *conn)
{
    (void)conn;
    return false;
}

const struct lp_backend lp_backend_sqlite = {
    .dialect = LP_DIALECT_SQLITE,
    .name = "SQLite",
    .open = conn_open,
    .close = conn_close,
    .broken = broken,
    .run = run,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .batch = batch,
    .script = script,
    .settle = settle,
};

/* ---- the lock file ---- */

enum lp_code
lp_sqlite_lock(const char *path, int *fd, struct lp_err *err)
{
    char name[4096], what[4200];

    if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name)
        return lp_fail(err, LP_INVALID, "the path of the database is too long");
    snprintf(what, sizeof what, "database '%s'", path);
    return lp_lockfile_take(name, what, fd, err);
}

/* ---- copies ---- */

enum lp_code
lp_sqlite_copy(const char *from, const char *to, struct lp_err *err)
{
    sqlite3 *source = NULL, *target = NULL;
    enum lp_code rc = LP_OK;
    sqlite3_backup *backup = NULL;
    int code = sqlite3_open_v2(from, &source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code != SQLITE_OK) {
        rc = store_error(source, from, code, err);
        goto done;
    }
    sqlite3_busy_timeout(source, BUSY_MS);
    code = sqlite3_open_v2(to, &target,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        rc = store_error(target, to, code, err);
        goto done;
    }
    backup = sqlite3_backup_init(target, "main", source, "main");
    if (backup == NULL) {
        rc = store_error(target, to, sqlite3_extended_errcode(target), err);
        goto done;
    }
    /* All pages in one read transaction: in WAL mode writers go on meanwhile and the copy is one
     * moment of the database. */
    code = sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) != SQLITE_OK || code != SQLITE_DONE)
        rc = store_error(code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? source : target,
                         code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? from : to, code, err);
done:
    sqlite3_close_v2(target);
    sqlite3_close_v2(source);
    return rc;
}
