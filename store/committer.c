#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mutex.h"
#include "store/internal.h"

enum {
    BACKOFF_FIRST_US = 20000,
    BACKOFF_MOST_US = 1000000,
    ALONE_TRIES = 5,
    ASIDE_MOST_US = 150000
};
enum {
    ALONE_MOST_US = 1000000
}; /* spent on a unit that meets others' locks: the rest waits behind it */

/* ---- the queue ---- */

static void *writer_main(void *arg);

/* Lock held. A connection is made in the thread itself. */
static void
add_writer(struct lp_committer *c)
{
    struct lp_writer *w = &c->writers[c->writer_count];

    *w = (struct lp_writer){.committer = c};
    w->taken = (struct lp_unit **)calloc(c->batch, sizeof(struct lp_unit *));
    w->keys = calloc(c->batch, sizeof *w->keys);
    if (w->taken != NULL && w->keys != NULL
        && pthread_create(&w->thread, NULL, writer_main, w) == 0) {
        c->writer_count++;
        return;
    }
    free((void *)w->taken);
    free(w->keys);
    c->writer_most = c->writer_count; /* so many must do */
}

/* Lock held. Next to a writer at work there is something to do only for a queue that it cannot take
 * as a whole. */
static bool
may_take(const struct lp_committer *c)
{
    if (c->head == NULL || c->alone)
        return false;
    if (c->busy == 0)
        return true;
    return !c->head->alone && (c->batch == 1 || c->length > c->batch);
}

/* Lock held: somebody has to look at the queue. True: one of those that wait, to be woken without
 * the lock, which it would only wait for. */
static bool
call_writer(struct lp_committer *c)
{
    bool more = c->batch == 1 ? c->length > c->idle : c->length > c->batch;

    if (more && c->idle == 0 && c->writer_count < c->writer_most && !c->closing)
        add_writer(c);
    return c->idle > 0 && may_take(c); /* else whoever is at work looks at its end */
}

void
lp_committer_push(struct lp_committer *c, struct lp_unit *unit)
{
    bool wake;

    unit->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->tail = unit;
    c->tail = &unit->next;
    c->length++;
    atomic_fetch_add_explicit(&c->queued, 1, memory_order_relaxed);
    wake = call_writer(c);
    pthread_mutex_unlock(&c->lock);
    if (wake)
        pthread_cond_signal(&c->wake);
}

static bool
in_work(const struct lp_writer *w, const struct lp_unit *unit)
{
    for (size_t i = 0; i < w->key_count; i++)
        if (w->keys[i] == unit->key_hash) /* two keys of one hash only wait for each other */
            return true;
    return false;
}

static bool
key_is_busy(const struct lp_committer *c, const struct lp_unit *unit)
{
    for (size_t i = 0; unit->key_hash != 0 && i < c->writer_count; i++)
        if (in_work(&c->writers[i], unit))
            return true;
    return false;
}

static bool
runs_alone(const struct lp_unit *unit)
{
    return unit->alone || unit->fn != NULL;
}

/* Takes what is there, oldest first, at most a batch; a unit whose key is in work stays for a later
 * batch. Called with the lock held. */
static size_t
take_batch(struct lp_writer *w)
{
    struct lp_committer *c = w->committer;
    struct lp_unit **at = &c->head;
    size_t count = 0, looked = 0, most = (size_t)c->batch * 4 + LP_WRITERS_MOST;

    w->key_count = 0;
    while (*at != NULL && count < c->batch && looked++ < most) {
        struct lp_unit *unit = *at;

        if (count > 0 && (runs_alone(unit) || looked == most))
            break;
        if (unit->alone && (c->busy > 0 || unit != c->head))
            break;
        if (key_is_busy(c, unit)) {
            at = &unit->next;
            continue;
        }
        *at = unit->next;
        if (unit->next == NULL)
            c->tail = at;
        w->taken[count++] = unit;
        if (unit->key_hash != 0)
            w->keys[w->key_count++] = unit->key_hash;
        c->alone = unit->alone;
        if (runs_alone(unit))
            break;
    }
    c->length -= count;
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
finish_all(struct lp_writer *w, size_t count, enum lp_code code, const struct lp_err *why)
{
    for (size_t i = 0; i < count; i++)
        w->taken[i]->shared = true;
    for (size_t i = 0; i < count; i++)
        finish(w->committer, w->taken[i], code, why);
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
    while (!c->closing && pthread_cond_timedwait(&c->retry, &c->lock, &at) == 0)
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
connect_again(struct lp_writer *w, struct lp_err *err)
{
    struct lp_committer *c = w->committer;
    enum lp_code rc;

    if (w->conn != NULL && !c->backend->broken(w->conn))
        return LP_OK;
    c->backend->close(w->conn);
    w->conn = NULL;
    if (w->retry_at_us > monotonic_us())
        wait_until(c, w->retry_at_us);
    rc = c->backend->open(c->options, LP_CONN_WRITER, &w->conn, err);
    if (rc == LP_OK) {
        w->backoff_us = 0;
        lp_logf(c->options->log, LP_LOG_INFO, "store.connected", "s:s", "database",
                c->backend->name);
        return LP_OK;
    }
    w->conn = NULL;
    w->backoff_us = w->backoff_us == 0 ? BACKOFF_FIRST_US : w->backoff_us * 2;
    if (w->backoff_us > BACKOFF_MOST_US)
        w->backoff_us = BACKOFF_MOST_US;
    w->retry_at_us = monotonic_us() + w->backoff_us;
    return rc;
}

/* ---- work ---- */

/* Whoever met another writer crosswise waits for a moment of its own choice: both, tried again at
 * once, would meet again. */
static void
step_aside(void)
{
    uint32_t random;

    lp_random(&random, sizeof random);
    (void)nanosleep(&(struct timespec){.tv_nsec = (long)(random % ASIDE_MOST_US) * 1000}, NULL);
}

static enum lp_code
run_alone(struct lp_writer *w, struct lp_unit *unit, struct lp_err *err)
{
    enum lp_code rc = LP_RETRYABLE;
    int64_t end = monotonic_us() + ALONE_MOST_US;

    if (unit->fault != LP_OK)
        return lp_fail(err, unit->fault, "%s", unit->fault_text);
    /* LP_RETRYABLE: a deadlock or the like with another program; nothing was done. */
    for (int i = 0; rc == LP_RETRYABLE && i < ALONE_TRIES && monotonic_us() < end; i++) {
        if (i > 0)
            step_aside();
        lp_unit_reset(unit);
        rc = unit->fn != NULL ? lp_txn_whole(w->committer->backend, w->conn, unit->fn, unit->fn_arg,
                                             unit->body, err)
                              : w->committer->backend->batch(w->conn, &unit, 1, err);
    }
    if (rc == LP_RETRYABLE)
        err->code = rc = LP_STORE;
    if (rc == LP_OK)
        committed(w->committer, 1);
    return rc;
}

/* Every unit by itself, so that only the culprit of a failed batch fails. */
static void
each_alone(struct lp_writer *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lp_err err = LP_ERR_INIT;
        enum lp_code rc = connect_again(w, &err);

        if (rc == LP_OK)
            rc = run_alone(w, w->taken[i], &err);
        finish(w->committer, w->taken[i], rc, &err);
        lp_err_clear(&err);
    }
}

static bool
any_fault(const struct lp_writer *w, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (w->taken[i]->fault != LP_OK)
            return true;
    return false;
}

static void
work(struct lp_writer *w, size_t count)
{
    const struct lp_backend *backend = w->committer->backend;
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = connect_again(w, &err);

    if (rc != LP_OK) {
        lp_log_err(w->committer->options->log, LP_LOG_WARN, "store.unreachable", &err);
        finish_all(w, count, rc, &err);
        lp_err_clear(&err);
        return;
    }
    if (any_fault(w, count)) {
        each_alone(w, count);
        return;
    }
    qsort((void *)w->taken, count, sizeof *w->taken, by_key);
    rc = backend->batch(w->conn, w->taken, count, &err);
    if (rc == LP_OK) {
        committed(w->committer, count);
        finish_all(w, count, LP_OK, &err);
    } else if (rc == LP_UNKNOWN || backend->broken(w->conn)) {
        /* What one of them did wrong is not said of the others. */
        finish_all(w, count, rc == LP_UNKNOWN ? rc : LP_STORE, &err);
    } else {
        each_alone(w, count);
    }
    lp_err_clear(&err);
}

/* Lock held: the connection is free for others. */
static void
put_down(struct lp_writer *w)
{
    struct lp_committer *c = w->committer;

    w->key_count = 0;
    w->lent = false;
    c->busy--;
    if (c->alone || c->closing)
        pthread_cond_broadcast(&c->wake);
    else if (c->head != NULL && c->idle > 0)
        pthread_cond_signal(&c->wake);
    c->alone = false;
}

/* Lock held before, not after. Who hears of the commit may make the next one at once, unless others
 * wait already: one of them may have the same key, and is to be told later. */
static void
work_one(struct lp_writer *w)
{
    struct lp_committer *c = w->committer;
    struct lp_unit *unit = w->taken[0];
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;
    bool first;

    c->busy++;
    pthread_mutex_unlock(&c->lock);
    rc = connect_again(w, &err);
    if (rc != LP_OK)
        lp_log_err(c->options->log, LP_LOG_WARN, "store.unreachable", &err);
    else
        rc = run_alone(w, unit, &err);
    if (w->conn != NULL)
        c->backend->settle(w->conn);
    pthread_mutex_lock(&c->lock);
    first = c->batch == 1 || c->head != NULL;
    if (first) {
        pthread_mutex_unlock(&c->lock);
        finish(c, unit, rc, &err);
        pthread_mutex_lock(&c->lock);
    }
    put_down(w);
    pthread_mutex_unlock(&c->lock);
    if (!first)
        finish(c, unit, rc, &err);
    lp_err_clear(&err);
}

/* Lock held before, not after. Those that hear of it first wait for the others: they go together
 * the next time, too. */
static void
work_all(struct lp_writer *w, size_t count)
{
    struct lp_committer *c = w->committer;

    c->busy++;
    pthread_mutex_unlock(&c->lock);
    work(w, count);
    if (w->conn != NULL)
        c->backend->settle(w->conn);
    pthread_mutex_lock(&c->lock);
    if (c->after != NULL)
        c->after(c->after_arg);
    put_down(w);
    pthread_mutex_unlock(&c->lock);
}

/* Lock held before and after. */
static void
take_and_work(struct lp_writer *w)
{
    struct lp_committer *c = w->committer;
    size_t count = take_batch(w);

    if (count == 0) { /* what is left belongs to keys in work: whoever has them looks again */
        c->idle++;
        pthread_cond_wait(&c->wake, &c->lock);
        c->idle--;
        return;
    }
    if (count == 1)
        work_one(w);
    else
        work_all(w, count);
    pthread_mutex_lock(&c->lock);
}

/* A further writer that cannot connect takes nothing: the others do what it came for. Lock held. */
static void
connect_first(struct lp_writer *w)
{
    struct lp_committer *c = w->committer;
    struct lp_err err = LP_ERR_INIT;
    bool told = false;

    while (w->conn == NULL && !c->closing) {
        pthread_mutex_unlock(&c->lock);
        if (connect_again(w, &err) != LP_OK && !told)
            lp_log_err(c->options->log, LP_LOG_WARN, "store.writer", &err);
        told = true;
        lp_err_clear(&err);
        pthread_mutex_lock(&c->lock);
    }
}

static void *
writer_main(void *arg)
{
    struct lp_writer *w = arg;
    struct lp_committer *c = w->committer;

    (void)pthread_setname_np(pthread_self(), "lp-commit");
    pthread_mutex_lock(&c->lock);
    if (w != c->writers)
        connect_first(w);
    while (!c->closing || c->head != NULL || w->lent) {
        if (may_take(c) && !w->lent) {
            take_and_work(w);
            continue;
        }
        c->idle++;
        pthread_cond_wait(&c->wake, &c->lock);
        c->idle--;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- in the caller's thread ---- */

bool
lp_committer_here(struct lp_committer *c, struct lp_unit *unit)
{
    struct lp_writer *w = &c->writers[0];
    bool here;

    unit->next = NULL;
    pthread_mutex_lock(&c->lock);
    here = c->batch > 1 && c->busy == 0 && c->head == NULL && !c->closing && w->conn != NULL;
    if (here) {
        w->lent = true;
        w->taken[0] = unit;
        w->keys[0] = unit->key_hash;
        w->key_count = unit->key_hash != 0;
        c->alone = unit->alone;
        work_one(w); /* gives the lock back */
    } else {
        pthread_mutex_unlock(&c->lock);
    }
    return here;
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

static bool
is_writer(struct lp_committer *c)
{
    bool yes = false;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->writer_count; i++)
        yes = yes || pthread_equal(pthread_self(), c->writers[i].thread);
    pthread_mutex_unlock(&c->lock);
    return yes;
}

enum lp_code
lp_committer_wait(struct lp_committer *c, struct lp_unit *unit, struct lp_err *err)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

    if (is_writer(c))
        lp_store_bug("a commit callback waits for another commit");
    unit->done = wake_waiter;
    unit->arg = &w;
    unit->keep = true;
    if (!lp_committer_here(c, unit))
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

bool
lp_committer_after(struct lp_committer *c, void (*after)(void *arg), void *arg)
{
    bool free_place;

    pthread_mutex_lock(&c->lock);
    free_place = after == NULL || c->after == NULL;
    if (free_place) {
        c->after = after;
        c->after_arg = arg;
    }
    pthread_mutex_unlock(&c->lock);
    return free_place;
}

/* ---- life ---- */

static void
cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

static void
forget(struct lp_committer *c)
{
    for (size_t i = 0; i < c->writer_count; i++) {
        struct lp_writer *w = &c->writers[i];

        free((void *)w->taken);
        free(w->keys);
        c->backend->close(w->conn);
    }
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->retry);
    pthread_mutex_destroy(&c->lock);
}

enum lp_code
lp_committer_start(struct lp_committer *c, const struct lp_backend *backend,
                   const struct lp_store_options *options, struct lp_conn *conn, struct lp_err *err)
{
    c->backend = backend;
    c->options = options;
    c->batch = options->batch == 0 ? 64 : options->batch;
    c->writer_most = 1;
    if (backend->dialect == LP_DIALECT_POSTGRES)
        c->writer_most = c->batch == 1 ? LP_WRITERS_MOST : 2;
    c->tail = &c->head;
    lp_mutex_init_short(&c->lock);
    cond_init(&c->wake);
    cond_init(&c->retry);
    c->writers[0].conn = NULL;
    pthread_mutex_lock(&c->lock);
    add_writer(c);
    c->writers[0].conn = conn; /* it waits for the lock */
    pthread_mutex_unlock(&c->lock);
    if (c->writer_count == 0) {
        forget(c);
        return lp_fail(err, LP_NOMEM, "cannot start the committer thread");
    }
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
    pthread_cond_broadcast(&c->wake);
    pthread_cond_broadcast(&c->retry);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->writer_count; i++) /* none is added any more */
        pthread_join(c->writers[i].thread, NULL);
    forget(c);
    c->started = false;
}
