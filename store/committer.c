#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/internal.h"

enum { BACKOFF_FIRST_US = 20000, BACKOFF_MOST_US = 1000000, ALONE_TRIES = 5 };
enum {
    ALONE_MOST_US = 1000000
}; /* spent on a unit that meets others' locks: the rest waits behind it */

/* ---- the queue ---- */

void
lp_committer_push(struct lp_committer *c, struct lp_unit *unit)
{
    unit->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->tail = unit;
    c->tail = &unit->next;
    atomic_fetch_add_explicit(&c->queued, 1, memory_order_relaxed);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static bool
has_key(const struct lp_committer *c, size_t count, const struct lp_unit *unit)
{
    if (unit->key_hash == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (c->taken[i]->key_hash == unit->key_hash && strcmp(c->taken[i]->key, unit->key) == 0)
            return true;
    return false;
}

static bool
runs_alone(const struct lp_unit *unit)
{
    return unit->alone || unit->fn != NULL;
}

/* Takes what is there, oldest first, at most a batch; a second unit of one key stays for the next
 * batch. Called with the lock held. */
static size_t
take_batch(struct lp_committer *c)
{
    struct lp_unit **at = &c->head;
    size_t count = 0, looked = 0, most = (size_t)c->batch * 4;

    while (*at != NULL && count < c->batch && looked++ < most) {
        struct lp_unit *unit = *at;

        if (count > 0 && (runs_alone(unit) || looked == most))
            break;
        if (has_key(c, count, unit)) {
            at = &unit->next;
            continue;
        }
        *at = unit->next;
        if (unit->next == NULL)
            c->tail = at;
        c->taken[count++] = unit;
        if (runs_alone(unit))
            break;
    }
    atomic_fetch_sub_explicit(&c->queued, count, memory_order_relaxed);
    return count;
}

static int
by_key(const void *a, const void *b)
{
    const struct lp_unit *const *left = a, *const *right = b;

    return strcmp((*left)->key, (*right)->key);
}

/* ---- results ---- */

static void
finish(struct lp_committer *c, struct lp_unit *unit, enum lp_code code, const struct lp_err *why)
{
    struct lp_err err = LP_ERR_INIT;
    bool keep = unit->keep; /* a waiter may free the unit as soon as done was called */

    if (code != LP_OK) {
        atomic_fetch_add_explicit(&c->failures, 1, memory_order_relaxed);
        lp_unit_reset(unit);
        err.code = code;
        memcpy(err.msg, why->msg, sizeof err.msg);
        memcpy(err.pointer, why->pointer, sizeof err.pointer);
        err.detail = json_deep_copy(why->detail); /* each waiter has its own thread */
    }
    if (unit->done != NULL)
        unit->done(unit->arg, unit, code, &err);
    lp_err_clear(&err);
    if (!keep)
        lp_unit_free(unit);
}

static void
finish_all(struct lp_committer *c, size_t from, size_t count, enum lp_code code,
           const struct lp_err *why)
{
    for (size_t i = from; i < count; i++)
        finish(c, c->taken[i], code, why);
}

static void
committed(struct lp_committer *c, size_t units)
{
    atomic_fetch_add_explicit(&c->units, units, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->batches, 1, memory_order_relaxed);
    atomic_store_explicit(&c->last_commit_us, lp_clock_utc_us(c->options->clock),
                          memory_order_relaxed);
}

/* ---- the connection ---- */

static void
wait_until(struct lp_committer *c, int64_t at_us)
{
    struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};

    pthread_mutex_lock(&c->lock);
    /* A new unit may signal too: the loop only ends at the time or at the end of the store. */
    while (!c->closing && pthread_cond_timedwait(&c->wake, &c->lock, &at) == 0)
        ;
    pthread_mutex_unlock(&c->lock);
}

static int64_t
monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum lp_code
connect_again(struct lp_committer *c, struct lp_err *err)
{
    enum lp_code rc;

    if (c->conn != NULL && !c->backend->broken(c->conn))
        return LP_OK;
    c->backend->close(c->conn);
    c->conn = NULL;
    if (c->retry_at_us > monotonic_us())
        wait_until(c, c->retry_at_us);
    rc = c->backend->open(c->options, LP_CONN_WRITER, &c->conn, err);
    if (rc == LP_OK) {
        c->backoff_us = 0;
        lp_logf(c->options->log, LP_LOG_INFO, "store.connected", "s:s", "database",
                c->backend->name);
        return LP_OK;
    }
    c->conn = NULL;
    c->backoff_us = c->backoff_us == 0 ? BACKOFF_FIRST_US : c->backoff_us * 2;
    if (c->backoff_us > BACKOFF_MOST_US)
        c->backoff_us = BACKOFF_MOST_US;
    c->retry_at_us = monotonic_us() + c->backoff_us;
    return rc;
}

/* ---- work ---- */

static enum lp_code
run_txn(struct lp_committer *c, struct lp_unit *unit, struct lp_err *err)
{
    struct lp_txn txn = {.backend = c->backend, .conn = c->conn};
    enum lp_code rc = c->backend->begin(c->conn, true, err);

    if (rc != LP_OK)
        return rc;
    rc = unit->fn(&txn, unit->fn_arg, err);
    if (rc == LP_OK)
        rc = lp_txn_unit(&txn, unit->body, err);
    if (rc == LP_OK)
        rc = c->backend->commit(c->conn, err);
    if (rc != LP_OK)
        c->backend->rollback(c->conn);
    return rc;
}

static enum lp_code
run_alone(struct lp_committer *c, struct lp_unit *unit, struct lp_err *err)
{
    enum lp_code rc = LP_RETRYABLE;
    int64_t end = monotonic_us() + ALONE_MOST_US;

    if (unit->fault != LP_OK)
        return lp_fail(err, unit->fault, "%s", unit->fault_text);
    /* LP_RETRYABLE: a deadlock or the like with another program; nothing was done. */
    for (int i = 0; rc == LP_RETRYABLE && i < ALONE_TRIES && monotonic_us() < end; i++) {
        lp_unit_reset(unit);
        rc = unit->fn != NULL ? run_txn(c, unit, err) : c->backend->batch(c->conn, &unit, 1, err);
    }
    if (rc == LP_RETRYABLE)
        err->code = rc = LP_STORE;
    if (rc == LP_OK)
        committed(c, 1);
    return rc;
}

/* Every unit by itself, so that only the culprit of a failed batch fails. */
static void
each_alone(struct lp_committer *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lp_err err = LP_ERR_INIT;
        enum lp_code rc = connect_again(c, &err);

        if (rc == LP_OK)
            rc = run_alone(c, c->taken[i], &err);
        finish(c, c->taken[i], rc, &err);
        lp_err_clear(&err);
    }
}

static bool
any_fault(const struct lp_committer *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c->taken[i]->fault != LP_OK)
            return true;
    return false;
}

static void
work(struct lp_committer *c, size_t count)
{
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = connect_again(c, &err);

    if (rc != LP_OK) {
        lp_log_err(c->options->log, LP_LOG_WARN, "store.unreachable", &err);
        finish_all(c, 0, count, rc, &err);
        lp_err_clear(&err);
        return;
    }
    if (count == 1 || any_fault(c, count)) {
        each_alone(c, count);
        return;
    }
    qsort(c->taken, count, sizeof *c->taken, by_key);
    rc = c->backend->batch(c->conn, c->taken, count, &err);
    if (rc == LP_OK) {
        committed(c, count);
        finish_all(c, 0, count, LP_OK, &err);
    } else if (rc == LP_UNKNOWN || c->backend->broken(c->conn)) {
        /* What one of them did wrong is not said of the others. */
        finish_all(c, 0, count, rc == LP_UNKNOWN ? rc : LP_STORE, &err);
    } else {
        each_alone(c, count);
    }
    lp_err_clear(&err);
}

static void *
thread_main(void *arg)
{
    struct lp_committer *c = arg;

    pthread_mutex_lock(&c->lock);
    for (;;) {
        size_t count;

        while (c->head == NULL && !c->closing)
            pthread_cond_wait(&c->wake, &c->lock);
        if (c->head == NULL)
            break;
        count = take_batch(c);
        pthread_mutex_unlock(&c->lock);
        work(c, count);
        if (c->conn != NULL)
            c->backend->settle(c->conn);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- waiting ---- */

struct waiter {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t cond;
    bool finished;
    enum lp_code code;
    struct lp_err err;
};

static void
wake_waiter(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct waiter *w = arg;

    (void)unit;
    pthread_mutex_lock(&w->lock);
    w->code = code;
    lp_err_move(&w->err, err);
    w->finished = true;
    pthread_cond_signal(&w->cond); /* inside the lock: the waiter's stack may be gone right after */
    pthread_mutex_unlock(&w->lock);
}

enum lp_code
lp_committer_wait(struct lp_committer *c, struct lp_unit *unit, struct lp_err *err)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

    if (pthread_equal(pthread_self(), c->thread))
        lp_store_bug("a commit callback waits for another commit");
    unit->done = wake_waiter;
    unit->arg = &w;
    unit->keep = true;
    lp_committer_push(c, unit);
    pthread_mutex_lock(&w.lock);
    while (!w.finished)
        pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.lock);
    if (w.code != LP_OK)
        lp_err_move(err, &w.err);
    return w.code;
}

/* ---- life ---- */

enum lp_code
lp_committer_start(struct lp_committer *c, const struct lp_backend *backend,
                   const struct lp_store_options *options, struct lp_conn *conn, struct lp_err *err)
{
    pthread_condattr_t attr;

    c->backend = backend;
    c->options = options;
    c->conn = conn;
    c->batch = options->batch == 0 ? 64 : options->batch;
    c->tail = &c->head;
    c->taken = calloc(c->batch, sizeof(struct lp_unit *));
    if (c->taken == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the committer");
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&c->thread, NULL, thread_main, c) != 0) {
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->lock);
        free(c->taken);
        return lp_fail(err, LP_NOMEM, "cannot start the committer thread");
    }
    (void)pthread_setname_np(c->thread, "lp-commit");
    c->started = true;
    return LP_OK;
}

void
lp_committer_stop(struct lp_committer *c)
{
    if (!c->started)
        return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->taken);
    c->backend->close(c->conn);
    c->conn = NULL;
    c->started = false;
}
