/*
 * The keeper thread: sweeper, watchdog, the end of the lease.
 *
 * It sleeps until something is due: the end of the lease (none when embedded), the next wake_at,
 * the timeout of a running step. An idle embedded daemon does not wake at all for it, an idle one
 * on PostgreSQL once a second.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

enum {
    SWEEP_MOST = LP_SWEEP_MOST, /* processes announced at once */
    AGAIN_MS = 20,              /* after a full sweep: the rest as soon as the queue has drained */
    WATCH_MS = 1000,            /* while steps run */
    LONG_MS = 3600000,
    SELDOM = 5, /* paces between looks for what hints should have told */
    STORE_RETRY_MS = 250,
};

/* ---- sweeper ---- */

struct sweep {
    struct lp_executor *executor;
    size_t found;
    bool failed;
};

static void
announce(struct sweep *sweep, enum lp_stmt stmt, const struct lp_arg *args, size_t count)
{
    struct lp_engine *engine = sweep->executor->engine;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (sweep->failed)
        return;
    if (lp_query(engine->store, stmt, args, count, &rows, &err) != LP_OK) {
        sweep->failed = true;
        lp_err_clear(&err);
        return;
    }
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        lp_executor_hint(engine, lp_rows_text(rows, i, "id"),
                         (int)lp_rows_int(rows, i, "priority"));
    sweep->found += lp_rows_count(rows);
    lp_rows_free(rows);
}

static bool
busy(struct lp_executor *executor)
{
    bool any;

    pthread_mutex_lock(&executor->lock);
    any = executor->in_flight > 0;
    pthread_mutex_unlock(&executor->lock);
    return any;
}

/** Requests to processes of ours that another program wrote: steps hear of them at their next
 * check. */
static void
hear_requests(struct sweep *sweep)
{
    struct lp_executor *executor = sweep->executor;
    struct lp_engine *engine = executor->engine;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (sweep->failed || !busy(executor))
        return;
    if (lp_query(engine->store, LP_SQL_RUN_SWEEP_REQUESTS,
                 LP_ARGS(lp_text("owner", engine->incarnation)), &rows, &err)
        == LP_OK)
        for (size_t i = 0; i < lp_rows_count(rows); i++)
            lp_executor_poke(engine, lp_rows_text(rows, i, "id"));
    lp_rows_free(rows);
    lp_err_clear(&err);
}

enum lp_code
lp_keeper_read_drain(struct lp_executor *executor, struct lp_err *err)
{
    struct lp_engine *engine = executor->engine;
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_RUN_DRAINED,
                               LP_ARGS(lp_text("name", executor->name)), &rows, err);
    bool drained = rc == LP_OK && lp_rows_int(rows, 0, "n") > 0;

    if (rc == LP_OK)
        atomic_store(&executor->paused, strcmp(lp_rows_text(rows, 0, "paused"), "1") == 0);
    lp_rows_free(rows);
    if (rc != LP_OK || atomic_exchange(&executor->drained, drained) == drained)
        return rc;
    lp_logf(engine->log, LP_LOG_INFO, drained ? "executor.drained" : "executor.undrained", "s:s",
            "name", executor->name);
    engine->queue->ops->mute(engine->queue, drained);
    engine->queue->ops->wake(engine->queue);
    pthread_mutex_lock(&executor->lock);
    pthread_cond_signal(&executor->room);
    pthread_mutex_unlock(&executor->lock);
    return LP_OK;
}

/** Pause and drain, which others may have turned. */
static void
read_orders(struct sweep *sweep)
{
    struct lp_executor *executor = sweep->executor;
    struct lp_err err = LP_ERR_INIT;

    if (lp_keeper_read_drain(executor, &err) != LP_OK) {
        sweep->failed = true;
        lp_err_clear(&err);
        return;
    }
    pthread_mutex_lock(&executor->lock);
    pthread_cond_signal(&executor->room);
    pthread_mutex_unlock(&executor->lock);
}

/** When the next waiting process is due, by our clock; 0 = none. */
static int64_t
next_due(struct sweep *sweep)
{
    struct lp_engine *engine = sweep->executor->engine;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t due = 0;

    if (!sweep->failed
        && lp_query(engine->store, LP_SQL_RUN_SWEEP_NEXT,
                    LP_ARGS(lp_text("labels", sweep->executor->labels)), &rows, &err)
               == LP_OK
        && !lp_rows_null(rows, 0, "at"))
        due = lp_clock_utc_us(engine->clock) + lp_rows_int(rows, 0, "at")
              - lp_rows_int(rows, 0, "now");
    lp_rows_free(rows);
    lp_err_clear(&err);
    return due;
}

/** On a thread of the store. */
static void
parents_woken(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct lp_engine *engine = arg;

    (void)unit;
    (void)err;
    if (code != LP_OK)
        lp_keeper_untold(engine->executor);
    else
        lp_keeper_due(engine->executor, lp_clock_utc_us(engine->clock));
}

/** All that wait for children look at them: one look too many is cheap, one too few would cost the
 * parent a minute. */
static void
wake_parents(struct lp_executor *executor)
{
    struct lp_unit *unit;
    bool untold;

    pthread_mutex_lock(&executor->lock);
    untold = executor->untold;
    executor->untold = false;
    pthread_mutex_unlock(&executor->lock);
    if (!untold)
        return;
    unit = lp_unit_new();
    lp_unit_add(unit, LP_SQL_RUN_WAKE_PARENTS, LP_NO_ARGS);
    lp_executor_aside(executor, unit, parents_woken);
}

/** What becomes due from now on is told to the next sweep, not to this one: its look may have come
 * too early for it. */
static bool
begin_sweep(struct lp_executor *executor, bool *mine_due)
{
    bool orphans;

    pthread_mutex_lock(&executor->lock);
    *mine_due = executor->next_due_us != 0
                && executor->next_due_us <= lp_clock_utc_us(executor->engine->clock);
    orphans = executor->orphans;
    executor->orphans = false;
    executor->next_due_us = 0;
    pthread_mutex_unlock(&executor->lock);
    return orphans;
}

/** Processes that only this program may take are not told to the queue: another one might get the
 * hint. */
static void
take_mine(struct sweep *sweep)
{
    struct lp_executor *executor = sweep->executor;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (sweep->failed)
        return;
    if (lp_query(
            executor->engine->store, LP_SQL_RUN_SWEEP_MINE,
            LP_ARGS(lp_text("owner", executor->engine->incarnation), lp_int("limit", SWEEP_MOST)),
            &rows, &err)
        != LP_OK)
        sweep->failed = true; /* and there are no rows */
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        lp_executor_offer(executor, lp_rows_text(rows, i, "id"),
                          (int)lp_rows_int(rows, i, "priority"));
    sweep->found += lp_rows_count(rows);
    lp_rows_free(rows);
    lp_err_clear(&err);
}

static size_t
free_slots(struct lp_executor *executor)
{
    size_t slots;

    pthread_mutex_lock(&executor->lock);
    slots = executor->in_flight < executor->in_flight_max
                ? executor->in_flight_max - executor->in_flight
                : 0;
    pthread_mutex_unlock(&executor->lock);
    return slots;
}

static void
take_some(struct sweep *sweep, enum lp_stmt stmt, size_t most)
{
    struct lp_executor *executor = sweep->executor;
    struct lp_rows *rows = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (sweep->failed || most == 0)
        return;
    if (lp_query(executor->engine->store, stmt,
                 LP_ARGS(lp_int("limit", most), lp_text("labels", executor->labels)), &rows, &err)
        != LP_OK)
        sweep->failed = true;
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        lp_executor_offer(executor, lp_rows_text(rows, i, "id"),
                          (int)lp_rows_int(rows, i, "priority"));
    lp_rows_free(rows);
    lp_err_clear(&err);
}

/** Hints may not arrive at all: their carrier is away, or takes none because it is full. The
 * executor then looks by itself for what it has room for; seldom while all seems well. */
static void
look_without_hints(struct sweep *sweep)
{
    struct lp_executor *executor = sweep->executor;
    struct lp_engine *engine = executor->engine;
    int64_t now = lp_clock_mono_us(engine->clock);
    int64_t pace = lp_conf_live_int(&engine->conf->executor_sweep_ms) * 1000;
    struct lp_queue_stats stats;

    engine->queue->ops->stats(engine->queue, &stats);
    if (stats.connected)
        pace *= SELDOM;
    if (now - executor->looked_us < pace || atomic_load(&executor->paused)
        || atomic_load(&executor->drained) || !lp_lease_alive(executor))
        return;
    executor->looked_us = now;
    take_some(sweep, LP_SQL_RUN_SWEEP_RUNNABLE, free_slots(executor));
    take_some(sweep, LP_SQL_RUN_SWEEP_DUE, free_slots(executor));
}

/**
 * True when it could read the store. When others sweep for everybody, this executor looks after its
 * own only: what its own flushes said would be due about now, requests to its processes, the pause.
 */
static bool
sweep(struct lp_executor *executor, size_t *found)
{
    struct lp_engine *engine = executor->engine;
    struct sweep s = {.executor = executor};
    bool mine_due, orphans = begin_sweep(executor, &mine_due);
    int64_t due, soonest;

    wake_parents(executor);
    read_orders(&s);
    if (!atomic_load(&executor->paused) && !engine->swept)
        announce(&s, LP_SQL_RUN_SWEEP_RUNNABLE,
                 LP_ARGS(lp_int("limit", SWEEP_MOST), lp_text("labels", executor->labels)));
    if (!atomic_load(&executor->paused) && (!engine->swept || mine_due))
        announce(&s, LP_SQL_RUN_SWEEP_DUE,
                 LP_ARGS(lp_int("limit", SWEEP_MOST), lp_text("labels", executor->labels)));
    if (engine->swept)
        look_without_hints(&s);
    if (orphans)
        take_mine(&s);
    hear_requests(&s);
    due = engine->swept ? 0 : next_due(&s);
    soonest =
        lp_clock_utc_us(engine->clock) + lp_conf_live_int(&engine->conf->executor_sweep_ms) * 1000;
    if (due != 0 && due < soonest)
        due = soonest; /* announced just now, or nobody here may take it */
    pthread_mutex_lock(&executor->lock);
    executor->orphans = executor->orphans || (orphans && s.failed);
    if (due != 0 && (executor->next_due_us == 0 || due < executor->next_due_us))
        executor->next_due_us = due;
    pthread_mutex_unlock(&executor->lock);
    *found = s.found;
    return !s.failed;
}

/* ---- watchdog ---- */

/** A thread that heeds neither timeout nor cancel cannot be stopped from inside; the next
 * incarnation takes over. */
static void
watch(struct lp_executor *executor)
{
    int64_t now = lp_clock_mono_us(executor->engine->clock);
    int64_t grace = lp_conf_live_int(&executor->engine->conf->executor_stuck_grace_ms) * 1000;

    pthread_mutex_lock(&executor->lock);
    for (struct lp_thread *t = executor->threads; t != NULL; t = t->next_all) {
        int64_t deadline = atomic_load_explicit(&t->deadline_us, memory_order_acquire);

        if (deadline == 0 || now <= deadline + grace)
            continue;
        lp_logf(
            executor->engine->log, LP_LOG_ERROR, "executor.stuck", "s:s, s:s, s:I, s:s", "process",
            t->process_id, "step", t->step_key, "late_ms", (json_int_t)((now - deadline) / 1000),
            "msg",
            "a step ignores its timeout; the program aborts itself so that it can be taken over");
        abort();
    }
    pthread_mutex_unlock(&executor->lock);
}

/* ---- the thread ---- */

struct pace {
    int64_t sweep_us; /* CLOCK_BOOTTIME of the next one; INT64_MAX none */
    bool worked;      /* something was in flight since memory was given back */
};

/** What many threads allocated and freed stays with their arenas: after work it goes back to the
 * system, once. */
static void
give_back(struct lp_executor *executor, struct pace *pace)
{
    bool works = busy(executor);

    if (!works && pace->worked) {
        lp_fan_forget(executor);
        malloc_trim(0);
    }
    pace->worked = works;
}

/** Lock held: milliseconds until something is due. */
static int64_t
sleep_ms(struct lp_executor *executor, const struct pace *pace)
{
    int64_t now = lp_clock_mono_us(executor->engine->clock), ms = LONG_MS, left;

    if (executor->tick_now)
        return 0;
    if (executor->crowded_at_us != 0) {
        left = (executor->crowded_at_us + LP_CROWDED_US - now + 999) / 1000;
        ms = left < ms ? left : ms;
    }
    if (executor->in_flight > 0 && ms > WATCH_MS)
        ms = WATCH_MS;
    if (executor->next_due_us != 0) {
        left = (executor->next_due_us - lp_clock_utc_us(executor->engine->clock) + 999) / 1000;
        ms = left < ms ? left : ms;
    }
    left = lp_lease_left_ms(executor);
    ms = left < ms ? left : ms;
    left = pace->sweep_us == INT64_MAX ? LONG_MS : (pace->sweep_us - now + 999) / 1000;
    ms = left < ms ? left : ms;
    return ms > 0 ? ms : 0;
}

/** Until something is due or somebody calls. True: the sweep was asked for or a process is due. */
static bool
wait_for_work(struct lp_executor *executor, const struct pace *pace, bool *ended)
{
    struct timespec until;
    int64_t ms;
    bool asked;

    pthread_mutex_lock(&executor->lock);
    ms = sleep_ms(executor, pace);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    executor->slept = true;
    if (ms > 0 && !executor->ended)
        pthread_cond_timedwait(&executor->tick, &executor->lock, &until);
    executor->slept = false;
    if (executor->crowded_at_us != 0
        && lp_clock_mono_us(executor->engine->clock) >= executor->crowded_at_us + LP_CROWDED_US)
        lp_executor_relieve(executor);
    asked = executor->tick_now
            || (executor->next_due_us != 0
                && executor->next_due_us <= lp_clock_utc_us(executor->engine->clock));
    executor->tick_now = false;
    *ended = executor->ended;
    pthread_mutex_unlock(&executor->lock);
    return asked;
}

/** Embedded, nothing is written behind our back: only what is known to be due. Else at the
 * configured pace. */
static int64_t
next_sweep(const struct lp_executor *executor, bool read, size_t found, int64_t now)
{
    if (!read)
        return now + STORE_RETRY_MS * 1000;
    if (found >= SWEEP_MOST)
        return now + AGAIN_MS * 1000;
    if (executor->embedded && found == 0)
        return INT64_MAX;
    return now + lp_conf_live_int(&executor->engine->conf->executor_sweep_ms) * 1000;
}

void *
lp_keeper_main(void *arg)
{
    struct lp_executor *executor = arg;
    struct lp_engine *engine = executor->engine;
    struct pace pace = {.sweep_us = 0};
    bool ended = false;

    pthread_setname_np(pthread_self(), "lp-keeper");
    while (!ended) {
        bool asked = wait_for_work(executor, &pace, &ended);
        int64_t now = lp_clock_mono_us(engine->clock);

        watch(executor);
        lp_lease_watch(executor);
        give_back(executor, &pace);
        if (!ended && !lp_executor_stopping(executor) && (asked || now >= pace.sweep_us)) {
            size_t found = 0;

            if (!asked && engine->queue->ops->depth(engine->queue) > SWEEP_MOST / 4) {
                pace.sweep_us = now + AGAIN_MS * 1000; /* nothing new would fit in usefully */
                continue;
            }
            bool read = sweep(executor, &found);

            pace.sweep_us = next_sweep(executor, read, found, lp_clock_mono_us(engine->clock));
        }
    }
    return NULL;
}

void
lp_keeper_poke(struct lp_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->tick_now = true;
    pthread_cond_signal(&executor->tick);
    pthread_mutex_unlock(&executor->lock);
}

void
lp_keeper_due(struct lp_executor *executor, int64_t utc_us)
{
    pthread_mutex_lock(&executor->lock);
    if (executor->next_due_us == 0 || utc_us < executor->next_due_us) {
        executor->next_due_us = utc_us;
        pthread_cond_signal(&executor->tick);
    }
    pthread_mutex_unlock(&executor->lock);
}

void
lp_keeper_untold(struct lp_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->untold = true;
    pthread_mutex_unlock(&executor->lock);
    lp_keeper_due(executor,
                  lp_clock_utc_us(executor->engine->clock) + STORE_RETRY_MS * INT64_C(1000));
}

void
lp_keeper_orphan(struct lp_executor *executor)
{
    int64_t soon = lp_clock_utc_us(executor->engine->clock) + STORE_RETRY_MS * 1000;

    pthread_mutex_lock(&executor->lock);
    executor->orphans = true;
    pthread_mutex_unlock(&executor->lock);
    lp_keeper_due(executor, soon);
}
