#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/lockfile.h"
#include "store/internal.h"

enum { BORROW_S = 30, WRITERS = 4, TXN_TRIES = 3 };
enum { TXN_MOST_MS = 1000, TXN_STATEMENT_MS = 5000 };

/* ---- options ---- */

enum lp_code
lp_options_copy(struct lp_store_options *to, const struct lp_store_options *from,
                struct lp_err *err)
{
    *to = *from;
    to->url = strdup(from->url);
    to->schema = strdup(from->schema == NULL ? "lightpath" : from->schema);
    if (to->pool == 0)
        to->pool = 4;
    if (to->batch == 0)
        to->batch = 64;
    if (to->url != NULL && to->schema != NULL)
        return LP_OK;
    lp_options_free(to);
    return lp_fail(err, LP_NOMEM, "no memory for the options of the store");
}

void
lp_options_free(struct lp_store_options *options)
{
    char *texts[2];

    memcpy(&texts[0], &options->url, sizeof texts[0]); /* ours since lp_options_copy */
    memcpy(&texts[1], &options->schema, sizeof texts[1]);
    free(texts[0]);
    free(texts[1]);
    options->url = options->schema = NULL;
}

/* ---- broken rules ---- */

enum lp_code
lp_fail_not_null(struct lp_err *err, const char *place)
{
    if (strcmp(place, "processes.lease_epoch") == 0)
        return lp_fail_at(err, LP_FENCED, place, "the process has been taken over");
    if (strcmp(place, "leases.epoch") == 0)
        return lp_fail_at(err, LP_FENCED, place, "another daemon has this duty now");
    return lp_fail_at(err, LP_CONFLICT, place, "%s has changed in the meantime", place);
}

enum lp_code
lp_fail_unique(struct lp_err *err, const char *rule)
{
    return lp_fail_at(err, LP_CONFLICT, rule, "there is such a row already (%s)", rule);
}

enum lp_code
lp_fail_foreign(struct lp_err *err, const char *table)
{
    char place[100];

    snprintf(place, sizeof place, "%s.foreign_key", table == NULL ? "" : table);
    return lp_fail_at(err, LP_CONFLICT, place,
                      "%s: the row refers to one that is not there, or is still referred to",
                      table == NULL ? "" : table);
}

/* Documents are left out: what was in the way is told by ids and keys. */
#define CONFLICT_TEXT_MAX 512

static bool
writes_subscriptions(const struct lp_sql *sql)
{
    static const char *const tables[] = {"subscriptions", "blocks", "block_refs", "block_keys"};

    for (size_t i = 0; sql->table != NULL && i < LP_COUNT(tables); i++)
        if (strcmp(sql->table, tables[i]) == 0)
            return true;
    return false;
}

void
lp_conflict_detail(const struct lp_sql *sql, const struct lp_value *values, struct lp_err *err)
{
    json_t *arguments;

    if (err->code != LP_CONFLICT || err->detail != NULL || !writes_subscriptions(sql))
        return;
    arguments = json_object();
    for (size_t i = 0; i < sql->param_count; i++) {
        if (values[i].kind == LP_VALUE_INT)
            json_object_set_new(arguments, sql->params[i], json_integer(values[i].i));
        else if (values[i].kind == LP_VALUE_TEXT && values[i].len <= CONFLICT_TEXT_MAX)
            json_object_set_new(arguments, sql->params[i], json_string(values[i].s));
    }
    err->detail = json_pack("{s:s, s:o}", "statement", sql->name, "arguments", arguments);
}

/* ---- pools ---- */

static enum lp_code
pool_open(struct lp_pool *pool, unsigned size, enum lp_role role, struct lp_err *err)
{
    pthread_condattr_t attr;

    pool->slots = calloc((size_t)size * 2, sizeof *pool->slots);
    if (pool->slots == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %u connections", size);
    pool->size = size;
    pool->role = role;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->free, &attr);
    pthread_condattr_destroy(&attr);
    return LP_OK;
}

static void
pool_close(struct lp_pool *pool, const struct lp_backend *backend)
{
    if (pool->slots == NULL)
        return;
    for (unsigned i = 0; i < pool->size * 2; i++)
        if (pool->slots[i].conn != NULL)
            backend->close(pool->slots[i].conn);
    pthread_cond_destroy(&pool->free);
    pthread_mutex_destroy(&pool->lock);
    free(pool->slots);
    pool->slots = NULL;
}

/* A thread that reads while it holds a reader must never wait for a connection: those it waits for
 * may wait for it. */
static unsigned
slots_for_us(const struct lp_pool *pool)
{
    for (unsigned i = 0; i < pool->size * 2; i++)
        if (pool->slots[i].busy && pthread_equal(pool->slots[i].owner, pthread_self()))
            return pool->size * 2;
    return pool->size;
}

static struct lp_slot *
free_slot(struct lp_pool *pool, unsigned count)
{
    struct lp_slot *closed = NULL;

    for (unsigned i = 0; i < count; i++) {
        if (pool->slots[i].busy)
            continue;
        if (pool->slots[i].conn != NULL)
            return &pool->slots[i]; /* an open one first: few connections under little load */
        if (closed == NULL)
            closed = &pool->slots[i];
    }
    return closed;
}

static void
slot_return(struct lp_pool *pool, struct lp_slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    slot->busy = false;
    pthread_cond_signal(&pool->free);
    pthread_mutex_unlock(&pool->lock);
}

/* The connection of a slot that is ours: opened when it is not, opened anew when it broke while it
 * lay idle. */
static enum lp_code
slot_connect(struct lp_store *store, struct lp_pool *pool, struct lp_slot *slot, struct lp_err *err)
{
    enum lp_code rc;

    if (slot->conn != NULL && store->backend->broken(slot->conn)) {
        store->backend->close(slot->conn);
        slot->conn = NULL;
    }
    if (slot->conn != NULL)
        return LP_OK;
    rc = store->backend->open(&store->options, pool->role, &slot->conn, err);
    if (rc != LP_OK)
        slot->conn = NULL;
    return rc;
}

static enum lp_code
borrow(struct lp_store *store, struct lp_pool *pool, struct lp_slot **out, struct lp_err *err)
{
    struct lp_slot *slot;
    struct timespec until;
    enum lp_code rc;
    unsigned count;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += BORROW_S;
    pthread_mutex_lock(&pool->lock);
    count = slots_for_us(pool);
    while ((slot = free_slot(pool, count)) == NULL && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->free, &pool->lock, &until);
    if (slot != NULL) {
        slot->busy = true;
        slot->owner = pthread_self();
    }
    pthread_mutex_unlock(&pool->lock);
    if (slot == NULL)
        return lp_fail(err, LP_STORE, "all %u database connections were busy for %d s", pool->size,
                       BORROW_S);
    rc = slot_connect(store, pool, slot, err);
    if (rc != LP_OK)
        slot_return(pool, slot);
    else
        *out = slot;
    return rc;
}

/* ---- opening ---- */

const struct lp_backend *
lp_backend_for(const char *url, struct lp_err *err)
{
    enum lp_code rc;

    if (lp_sqlite_path(url) != NULL)
        return &lp_backend_sqlite;
    if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0
        || strchr(url, '=') != NULL)
        return &lp_backend_postgres;
    rc = lp_fail_at(err, LP_INVALID, "store.url",
                    "store.url '%s' is neither sqlite:PATH nor postgresql://...", url);
    (void)rc;
    return NULL;
}

static enum lp_code
open_all(struct lp_store *store, struct lp_err *err)
{
    struct lp_conn *conn = NULL;
    enum lp_code rc = store->backend->open(&store->options, LP_CONN_WRITER, &conn, err);

    if (rc == LP_OK)
        rc = lp_schema_check(store->backend, conn, err);
    if (rc == LP_OK)
        rc = pool_open(&store->readers, store->options.pool, LP_CONN_READER, err);
    if (rc == LP_OK && store->backend->dialect == LP_DIALECT_POSTGRES)
        rc = pool_open(&store->writers, WRITERS, LP_CONN_CLAIMER, err);
    if (rc == LP_OK)
        rc = lp_committer_start(&store->committer, store->backend, &store->options, conn, err);
    if (rc != LP_OK && conn != NULL)
        store->backend->close(conn);
    return rc;
}

/* SQLite makes a file when it opens one: an absent one is not ours to make here. */
static enum lp_code
check_file(const char *path, struct lp_err *err)
{
    FILE *file = fopen(path, "re");

    if (file == NULL && errno == ENOENT)
        return lp_fail(err, LP_PRECONDITION,
                       "database '%s' does not exist; create it with 'lightpathd db migrate'",
                       path);
    if (file == NULL)
        return lp_fail(err, LP_STORE, "cannot open database '%s': %s", path, strerror(errno));
    fclose(file);
    return LP_OK;
}

enum lp_code
lp_store_open(const struct lp_store_options *options, struct lp_store **out, struct lp_err *err)
{
    const struct lp_backend *backend = lp_backend_for(options->url, err);
    const char *path = lp_sqlite_path(options->url);
    struct lp_store *store;
    enum lp_code rc;

    if (backend == NULL)
        return err->code;
    store = calloc(1, sizeof *store);
    if (store == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the store");
    store->lock_fd = -1;
    (void)pthread_mutex_init(&store->beside_mutex, NULL);
    store->backend = backend;
    rc = lp_options_copy(&store->options, options, err);
    if (rc == LP_OK && path != NULL)
        rc = check_file(path, err);
    if (rc == LP_OK && path != NULL)
        rc = lp_sqlite_lock(path, &store->lock_fd, err);
    if (rc == LP_OK)
        rc = open_all(store, err);
    if (rc != LP_OK) {
        lp_store_close(store);
        return rc;
    }
    *out = store;
    return LP_OK;
}

void
lp_store_close(struct lp_store *store)
{
    if (store == NULL)
        return;
    lp_committer_stop(&store->committer);
    pool_close(&store->readers, store->backend);
    pool_close(&store->writers, store->backend);
    store->backend->close(store->name_conn);
    free(store->name);
    lp_lockfile_drop(&store->lock_fd);
    lp_options_free(&store->options);
    if (store->beside != NULL)
        store->beside_drop(store->beside);
    (void)pthread_mutex_destroy(&store->beside_mutex);
    free(store);
}

void *
lp_store_beside(struct lp_store *store, void *(*make)(void), void (*drop)(void *))
{
    void *beside;

    (void)pthread_mutex_lock(&store->beside_mutex);
    if (store->beside == NULL) {
        store->beside = make();
        store->beside_drop = drop;
    }
    beside = store->beside;
    (void)pthread_mutex_unlock(&store->beside_mutex);
    return beside;
}

enum lp_dialect
lp_store_dialect(const struct lp_store *store)
{
    return store->backend->dialect;
}

enum lp_code
lp_store_ping(struct lp_store *store, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_STORE_TOUCH, LP_NO_ARGS);
    rc = lp_store_commit(store, unit, err);
    lp_unit_free(unit);
    return rc;
}

enum lp_code
lp_store_now(struct lp_store *store, int64_t *utc_us, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(store, LP_SQL_STORE_NOW, LP_NO_ARGS, &rows, err);

    if (rc != LP_OK)
        return rc;
    *utc_us = lp_rows_int(rows, 0, "now");
    lp_rows_free(rows);
    return LP_OK;
}

void
lp_store_stats(struct lp_store *store, struct lp_store_stats *out)
{
    const struct lp_committer *c = &store->committer;

    *out = (struct lp_store_stats){.units = atomic_load(&c->units),
                                   .batches = atomic_load(&c->batches),
                                   .failures = atomic_load(&c->failures),
                                   .queued = atomic_load(&c->queued),
                                   .last_commit_us = atomic_load(&c->last_commit_us)};
    pthread_mutex_lock(&store->readers.lock);
    for (unsigned i = 0; i < store->readers.size * 2; i++)
        out->readers_busy += store->readers.slots[i].busy ? 1u : 0u;
    pthread_mutex_unlock(&store->readers.lock);
}

/* ---- reading ---- */

static enum lp_code
read_once(struct lp_store *store, const struct lp_call *call, struct lp_rows **rows, bool *again,
          struct lp_err *err)
{
    struct lp_slot *slot = NULL;
    enum lp_code rc = borrow(store, &store->readers, &slot, err);

    *again = false;
    if (rc != LP_OK)
        return rc;
    rc = store->backend->run(slot->conn, call, rows, NULL, err);
    /* A connection that broke under a read has done no harm: the read is made again on a new one
     * (W32). */
    *again = rc != LP_OK && store->backend->broken(slot->conn);
    slot_return(&store->readers, slot);
    return rc;
}

static enum lp_code
read_call(struct lp_store *store, const struct lp_call *call, struct lp_rows **rows,
          struct lp_err *err)
{
    bool again;
    enum lp_code rc = read_once(store, call, rows, &again, err);

    return again ? read_once(store, call, rows, &again, err) : rc;
}

/* Statement or text with its arguments in order. `text` is owned by the caller of bound(). */
struct bound {
    struct lp_value values[LP_MAX_PARAMS];
    struct lp_call call;
    char *text;
};

static enum lp_code
bind_text(struct bound *b, enum lp_dialect dialect, const char *sql, const struct lp_arg *args,
          size_t count, struct lp_err *err)
{
    const char *names[LP_MAX_PARAMS];
    struct lp_sql shape = {.name = "query", .params = names, .param_count = (unsigned)count};
    enum lp_code rc;

    if (count > LP_MAX_PARAMS)
        return lp_fail(err, LP_TOO_LARGE, "a query may have at most %d values", LP_MAX_PARAMS);
    for (size_t i = 0; i < count; i++)
        names[i] = args[i].name;
    rc = lp_bind(&shape, args, count, b->values, err);
    if (rc != LP_OK)
        return rc;
    b->text = lp_text_rewrite(sql, dialect, args, count);
    if (b->text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a query");
    b->call = (struct lp_call){.text = b->text, .values = b->values, .count = count};
    return LP_OK;
}

static enum lp_code
bind_stmt(struct bound *b, enum lp_stmt stmt, const struct lp_arg *args, size_t count,
          struct lp_err *err)
{
    const struct lp_sql *sql = &lp_sql_table[stmt];

    b->call = (struct lp_call){.sql = sql, .values = b->values, .count = count};
    return lp_bind(sql, args, count, b->values, err);
}

static const struct lp_sql *
must_read(enum lp_stmt stmt)
{
    const struct lp_sql *sql = &lp_sql_table[stmt];

    if (sql->table != NULL || !sql->rows)
        lp_store_bug("statement %s writes and is no query", sql->name);
    return sql;
}

enum lp_code
lp_query(struct lp_store *store, enum lp_stmt stmt, const struct lp_arg *args, size_t arg_count,
         struct lp_rows **rows, struct lp_err *err)
{
    struct bound b;
    enum lp_code rc;

    must_read(stmt);
    rc = bind_stmt(&b, stmt, args, arg_count, err);
    return rc == LP_OK ? read_call(store, &b.call, rows, err) : rc;
}

enum lp_code
lp_query_text(struct lp_store *store, const char *sql, const struct lp_arg *args, size_t arg_count,
              struct lp_rows **rows, struct lp_err *err)
{
    struct bound b;
    enum lp_code rc = bind_text(&b, store->backend->dialect, sql, args, arg_count, err);

    if (rc != LP_OK)
        return rc;
    rc = read_call(store, &b.call, rows, err);
    free(b.text);
    return rc;
}

struct lp_reader {
    struct lp_store *store;
    struct lp_slot *slot;
};

enum lp_code
lp_reader_open(struct lp_store *store, struct lp_reader **out, struct lp_err *err)
{
    struct lp_reader *reader = calloc(1, sizeof *reader);
    enum lp_code rc;

    if (reader == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a reader");
    reader->store = store;
    rc = borrow(store, &store->readers, &reader->slot, err);
    if (rc != LP_OK) {
        free(reader);
        return rc;
    }
    rc = store->backend->begin(reader->slot->conn, false, err);
    if (rc != LP_OK) {
        lp_reader_close(reader);
        return rc;
    }
    *out = reader;
    return LP_OK;
}

enum lp_code
lp_reader_query(struct lp_reader *reader, enum lp_stmt stmt, const struct lp_arg *args,
                size_t arg_count, struct lp_rows **rows, struct lp_err *err)
{
    struct bound b;
    enum lp_code rc;

    must_read(stmt);
    rc = bind_stmt(&b, stmt, args, arg_count, err);
    if (rc == LP_OK)
        rc = reader->store->backend->run(reader->slot->conn, &b.call, rows, NULL, err);
    return rc;
}

enum lp_code
lp_reader_query_text(struct lp_reader *reader, const char *sql, const struct lp_arg *args,
                     size_t arg_count, struct lp_rows **rows, struct lp_err *err)
{
    struct bound b;
    enum lp_code rc = bind_text(&b, reader->store->backend->dialect, sql, args, arg_count, err);

    if (rc != LP_OK)
        return rc;
    rc = reader->store->backend->run(reader->slot->conn, &b.call, rows, NULL, err);
    free(b.text);
    return rc;
}

void
lp_reader_close(struct lp_reader *reader)
{
    if (reader == NULL)
        return;
    reader->store->backend->rollback(reader->slot->conn);
    slot_return(&reader->store->readers, reader->slot);
    free(reader);
}

/* ---- writing ---- */

void
lp_store_submit(struct lp_store *store, struct lp_unit *unit, lp_unit_done *done, void *arg)
{
    unit->done = done;
    unit->arg = arg;
    unit->keep = false;
    lp_committer_push(&store->committer, unit);
}

void
lp_store_submit_here(struct lp_store *store, struct lp_unit *unit, lp_unit_done *done, void *arg)
{
    unit->done = done;
    unit->arg = arg;
    unit->keep = false;
    if (!lp_committer_here(&store->committer, unit))
        lp_committer_push(&store->committer, unit);
}

bool
lp_store_after(struct lp_store *store, void (*after)(void *arg), void *arg)
{
    return lp_committer_after(&store->committer, after, arg);
}

enum lp_code
lp_store_commit(struct lp_store *store, struct lp_unit *unit, struct lp_err *err)
{
    return lp_committer_wait(&store->committer, unit, err);
}

enum lp_code
lp_store_commit_aside(struct lp_store *store, struct lp_unit *unit, struct lp_err *err)
{
    struct lp_slot *slot = NULL;
    enum lp_code rc;

    if (store->backend->dialect == LP_DIALECT_SQLITE)
        return lp_store_commit(store, unit, err);
    if (unit->fault != LP_OK)
        return lp_fail(err, unit->fault, "%s", unit->fault_text);
    rc = borrow(store, &store->writers, &slot, err);
    if (rc != LP_OK)
        return rc;
    lp_unit_reset(unit);
    rc = store->backend->batch(slot->conn, &unit, 1, err);
    store->backend->settle(slot->conn);
    if (rc == LP_RETRYABLE)
        err->code = rc = LP_STORE;
    slot_return(&store->writers, slot);
    return rc;
}

static int64_t
mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum lp_code
lp_txn_in_time(struct lp_txn *txn, struct lp_err *err)
{
    if (mono_us() <= txn->end_us)
        return LP_OK;
    txn->failed = LP_CANCELLED;
    return lp_fail(err, LP_CANCELLED, "the transaction took longer than %d ms and was rolled back",
                   TXN_MOST_MS);
}

static enum lp_code
txn_run(struct lp_txn *txn, enum lp_stmt stmt, const struct lp_arg *args, size_t count,
        struct lp_rows **rows, int64_t *changed, struct lp_err *err)
{
    struct bound b;
    enum lp_code rc;

    if (txn->failed != LP_OK)
        return lp_fail(err, txn->failed, "the transaction has failed before");
    rc = lp_txn_in_time(txn, err);
    if (rc != LP_OK)
        return rc;
    rc = bind_stmt(&b, stmt, args, count, err);
    if (rc == LP_OK)
        rc = txn->backend->run(txn->conn, &b.call, rows, changed, err);
    txn->failed = rc;
    return rc;
}

enum lp_code
lp_txn_query(struct lp_txn *txn, enum lp_stmt stmt, const struct lp_arg *args, size_t arg_count,
             struct lp_rows **rows, struct lp_err *err)
{
    if (!lp_sql_table[stmt].rows)
        lp_store_bug("statement %s returns no rows", lp_sql_table[stmt].name);
    return txn_run(txn, stmt, args, arg_count, rows, NULL, err);
}

enum lp_code
lp_txn_exec(struct lp_txn *txn, enum lp_stmt stmt, const struct lp_arg *args, size_t arg_count,
            int64_t *changed, struct lp_err *err)
{
    return txn_run(txn, stmt, args, arg_count, NULL, changed, err);
}

enum lp_code
lp_txn_failure(const struct lp_txn *txn)
{
    return txn->failed;
}

/* What follows the function: the statements of a unit, which stays the caller's. */
static enum lp_code
txn_unit(struct lp_txn *txn, const struct lp_unit *unit, struct lp_err *err)
{
    if (txn->failed != LP_OK)
        return lp_fail(err, txn->failed, "a statement of the transaction had failed");
    if (unit == NULL)
        return LP_OK;
    if (unit->fault != LP_OK)
        return lp_fail(err, unit->fault, "%s", unit->fault_text);
    for (size_t i = 0; i < unit->count; i++) {
        struct lp_item *item = &unit->items[i];
        const struct lp_sql *sql = &lp_sql_table[item->stmt];
        const struct lp_call call = {.sql = sql, .values = item->values, .count = sql->param_count};
        enum lp_code rc = txn->backend->run(txn->conn, &call, item->want_rows ? &item->rows : NULL,
                                            &item->changed, err);

        if (rc != LP_OK) {
            lp_conflict_detail(sql, item->values, err);
            return rc;
        }
    }
    return LP_OK;
}

enum lp_code
lp_txn_whole(const struct lp_backend *backend, struct lp_conn *conn, lp_txn_fn *fn, void *arg,
             const struct lp_unit *unit, struct lp_err *err)
{
    struct lp_txn txn = {.backend = backend, .conn = conn};
    enum lp_code rc = backend->begin(conn, true, err);

    if (rc != LP_OK)
        return rc;
    if (backend->limit != NULL)
        backend->limit(conn, TXN_STATEMENT_MS);
    txn.end_us = mono_us() + TXN_MOST_MS * 1000;
    rc = fn(&txn, arg, err);
    if (rc == LP_OK)
        rc = txn_unit(&txn, unit, err);
    if (backend->limit != NULL)
        backend->limit(conn, 0);
    if (rc == LP_OK)
        rc = backend->commit(conn, err);
    if (rc != LP_OK)
        backend->rollback(conn);
    return rc;
}

static enum lp_code
transact_once(struct lp_store *store, lp_txn_fn *fn, void *arg, struct lp_unit *unit, bool *again,
              struct lp_err *err)
{
    struct lp_slot *slot = NULL;
    enum lp_code rc = borrow(store, &store->writers, &slot, err);

    if (rc != LP_OK)
        return rc;
    rc = lp_txn_whole(store->backend, slot->conn, fn, arg, unit, err);
    *again = rc == LP_RETRYABLE;
    if (*again)
        err->code = rc = LP_STORE;
    slot_return(&store->writers, slot);
    return rc;
}

/* A deadlock, a serialization failure or a lock that was held too long: nothing was done, the whole
 * is done again. */
static enum lp_code
transact_here(struct lp_store *store, lp_txn_fn *fn, void *arg, struct lp_unit *unit,
              struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    bool again = true;

    for (int i = 0; again && i < TXN_TRIES; i++) {
        again = false;
        lp_err_clear(err);
        if (unit != NULL)
            lp_unit_reset(unit);
        rc = transact_once(store, fn, arg, unit, &again, err);
    }
    return rc;
}

enum lp_code
lp_store_transact(struct lp_store *store, lp_txn_fn *fn, void *arg, struct lp_unit *unit,
                  struct lp_err *err)
{
    struct lp_unit *carrier;
    enum lp_code rc;

    if (unit != NULL)
        lp_unit_reset(unit);
    if (store->backend->dialect == LP_DIALECT_POSTGRES) {
        rc = transact_here(store, fn, arg, unit, err);
    } else {
        carrier = lp_unit_new();
        carrier->fn = fn;
        carrier->fn_arg = arg;
        carrier->body = unit;
        rc = lp_committer_wait(&store->committer, carrier, err);
        lp_unit_free(carrier);
    }
    if (rc != LP_OK && unit != NULL)
        lp_unit_reset(unit);
    return rc;
}
