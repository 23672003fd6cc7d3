/*
 * The executor's row: its name, its lease and the renewals.
 *
 * A thread of its own renews on a connection of its own, so that nothing else delays it. The end
 * counts from the sending of the renewal, on CLOCK_BOOTTIME; steps act until a margin before it.
 * When that moment comes without a renewal the keeper stops them and says so: whoever takes over
 * after the real end meets nobody. Clocks of hosts play no part: the database measures its side, a
 * duration is measured here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/exec.h"

enum {
    HOST_MOST = 256,
    RETRY_MS = 250,  /* after a renewal that failed */
    MARGIN_PART = 5, /* of the lease, kept free at its end */
    MARGIN_MOST_MS = 2000,
    ANSWER_LEAST_MS = 200, /* a renewal gets this long, or a third of the lease */
    NAME_WAIT_MS = 3000,   /* for the server to notice that a killed predecessor is gone */
    NAME_PAUSE_MS = 100,
    LONG_MS = 3600000,
};

#define FOR_EVER_US ((int64_t)1 << 60)

static int64_t
lease_us(const struct lp_executor *executor)
{
    return executor->embedded ? FOR_EVER_US : executor->engine->conf->executor_lease_ms * 1000;
}

static int64_t
margin_us(const struct lp_executor *executor)
{
    int64_t margin = lease_us(executor) / MARGIN_PART;

    return margin < MARGIN_MOST_MS * 1000 ? margin : MARGIN_MOST_MS * 1000;
}

static void
renewed(struct lp_executor *executor, int64_t sent_us)
{
    atomic_store(&executor->lease_end_us, executor->embedded
                                              ? INT64_MAX
                                              : sent_us + lease_us(executor) - margin_us(executor));
}

/* ---- the name ---- */

/** Rows of our name that nobody retired; LP_CONFLICT names one that is alive. */
static enum lp_code
demand_no_namesake(struct lp_executor *executor, bool *any, struct lp_err *err)
{
    const char *name = executor->name;
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(
        executor->engine->store, LP_SQL_RUN_EXECUTOR_NAMESAKES,
        LP_ARGS(lp_text("name", name), lp_text("incarnation", executor->engine->incarnation)),
        &rows, err);

    *any = rc == LP_OK && lp_rows_count(rows) > 0;
    if (*any && lp_rows_int(rows, 0, "alive") != 0)
        rc = lp_fail_at(err, LP_CONFLICT, "daemon.name",
                        "an executor named '%.60s' is at work on host %.60s (incarnation %.36s); "
                        "give this one another daemon.name, or stop that one",
                        name, lp_rows_text(rows, 0, "host"), lp_rows_text(rows, 0, "incarnation"));
    lp_rows_free(rows);
    return rc;
}

static void
pause_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&time, NULL);
}

/**
 * Who owns the lock on the name knows that a former incarnation is gone and retires it at once.
 * Without the lock somebody else holds the name: refused while that one's lease runs. A holder
 * without a living lease (its host lost power, it is stopped) is passed over: it finds its row
 * retired.
 */
static enum lp_code
take_name(struct lp_executor *executor, struct lp_unit *unit, struct lp_err *err)
{
    struct lp_engine *engine = executor->engine;
    const char *name = executor->name;
    bool owned = false, any = true;
    enum lp_code rc = LP_OK;

    if (executor->embedded) {
        lp_unit_add(unit, LP_SQL_RUN_EXECUTOR_RETIRE_OTHERS,
                    LP_ARGS(lp_text("incarnation", engine->incarnation)));
        return LP_OK;
    }
    for (int waited = 0; waited < NAME_WAIT_MS; waited += NAME_PAUSE_MS) {
        if (waited > 0)
            pause_ms(NAME_PAUSE_MS);
        lp_err_clear(err);
        rc = lp_store_own_name(engine->store, name, &owned, err);
        if (rc != LP_OK || owned)
            break;
        rc = demand_no_namesake(executor, &any, err);
        if (rc != LP_CONFLICT)
            break;
    }
    if (rc != LP_OK)
        return rc;
    if (!owned)
        lp_logf(engine->log, LP_LOG_WARN, "executor.name_in_use", "s:s", "name", name);
    lp_unit_add(unit, LP_SQL_RUN_EXECUTOR_RETIRE_NAME,
                LP_ARGS(lp_text("name", name), lp_text("incarnation", engine->incarnation)));
    return LP_OK;
}

/* ---- the row ---- */

static void
add_row(const struct lp_executor *executor, struct lp_unit *unit)
{
    char host[HOST_MOST] = "";

    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    lp_unit_add(unit, LP_SQL_RUN_EXECUTOR_ADD,
                LP_ARGS(lp_text("incarnation", executor->engine->incarnation),
                        lp_text("name", executor->name), lp_text("host", host),
                        lp_text("labels", executor->labels),
                        lp_text("version", executor->engine->version),
                        lp_int("threads", executor->engine->conf->executor_threads),
                        lp_int("lease", lease_us(executor))));
}

static enum lp_code
register_first(struct lp_executor *executor, struct lp_err *err)
{
    struct lp_engine *engine = executor->engine;
    struct lp_unit *unit = lp_unit_new();
    int64_t sent = lp_clock_mono_us(engine->clock);
    enum lp_code rc = take_name(executor, unit, err);

    add_row(executor, unit);
    lp_unit_add(unit, LP_SQL_RUN_WAKE_PARENTS, LP_NO_ARGS);
    if (rc == LP_OK) {
        sent = lp_clock_mono_us(engine->clock);
        rc = lp_store_commit(engine->store, unit, err);
    }
    lp_unit_free(unit);
    renewed(executor, sent);
    return rc;
}

void
lp_lease_retire(struct lp_executor *executor)
{
    struct lp_engine *engine = executor->engine;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    /* behind everything that was sent before, also what waits for its turn there */
    lp_unit_alone(unit);
    lp_unit_add(unit, LP_SQL_RUN_EXECUTOR_RETIRE,
                LP_ARGS(lp_text("incarnation", engine->incarnation)));
    if (lp_store_commit(engine->store, unit, &err) != LP_OK)
        lp_log_err(engine->log, LP_LOG_WARN, "executor.not_retired", &err);
    lp_unit_free(unit);
    lp_err_clear(&err);
}

/* ---- losing it ---- */

static void
lost(struct lp_executor *executor, const char *why)
{
    struct lp_engine *engine = executor->engine;

    atomic_fetch_add(&executor->lapse, 1);
    __atomic_add_fetch(&engine->stats.lease_losses, 1, __ATOMIC_RELAXED);
    lp_logf(engine->log, LP_LOG_WARN, "executor.lease_lost", "s:s, s:s", "incarnation",
            engine->incarnation, "why", why);
}

bool
lp_lease_alive(const struct lp_executor *executor)
{
    return lp_clock_mono_us(executor->engine->clock) < atomic_load(&executor->lease_end_us);
}

int64_t
lp_lease_left_ms(const struct lp_executor *executor)
{
    int64_t end = atomic_load(&executor->lease_end_us);

    if (end == INT64_MAX || atomic_load(&executor->ending))
        return LONG_MS;
    return (end - lp_clock_mono_us(executor->engine->clock) + 999) / 1000;
}

void
lp_lease_watch(struct lp_executor *executor)
{
    struct lp_engine *engine = executor->engine;

    if (lp_lease_alive(executor) || atomic_exchange(&executor->ending, true))
        return;
    atomic_fetch_add(&executor->lapse, 1);
    __atomic_add_fetch(&engine->stats.lease_losses, 1, __ATOMIC_RELAXED);
    lp_logf(engine->log, LP_LOG_ERROR, "executor.lease_ending", "s:s, s:I, s:s", "incarnation",
            engine->incarnation, "left_ms", (json_int_t)(margin_us(executor) / 1000), "msg",
            "the lease cannot be renewed: steps stop acting on devices, others take over");
}

/* ---- renewing ---- */

/** Retired or forgotten by others: what runs is cancelled. Ours again only when nobody else has the
 * name. */
static enum lp_code
come_back(struct lp_executor *executor, bool owned, struct lp_err *err)
{
    struct lp_engine *engine = executor->engine;
    struct lp_unit *unit = lp_unit_new();
    bool any = false;
    enum lp_code rc;

    lost(executor, "others retired this executor");
    lp_unit_add(
        unit, LP_SQL_RUN_EXECUTOR_REVIVE,
        LP_ARGS(lp_int("lease", lease_us(executor)), lp_text("incarnation", engine->incarnation)));
    rc = owned ? lp_store_commit(engine->store, unit, err) : LP_OK;
    if (rc == LP_OK && owned && lp_unit_changed(unit, 0) == 1) {
        lp_unit_free(unit);
        return LP_OK;
    }
    lp_unit_free(unit);
    if (rc == LP_OK)
        rc = demand_no_namesake(executor, &any, err);
    if (rc != LP_OK)
        return rc;
    unit = lp_unit_new(); /* nobody has the name: the row itself is gone */
    add_row(executor, unit);
    rc = lp_store_commit(engine->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

/** Told once; the program is asked to end. */
static void
give_up(struct lp_executor *executor, const struct lp_err *why)
{
    if (atomic_exchange(&executor->doomed, true))
        return;
    lp_log_err(executor->engine->log, LP_LOG_ERROR, "executor.name_taken", why);
    if (executor->engine->give_up != NULL)
        executor->engine->give_up();
}

static void
after_renewal(struct lp_executor *executor, int64_t sent, int64_t end)
{
    struct lp_engine *engine = executor->engine;
    bool ending = atomic_exchange(&executor->ending, false);

    if (ending)
        lp_logf(engine->log, LP_LOG_INFO, "executor.lease_renewed", "s:s", "incarnation",
                engine->incarnation);
    else if (lp_clock_mono_us(engine->clock) >= end)
        lost(executor, "it ran out"); /* what was begun under it stays cancelled */
    renewed(executor, sent);
    if (!ending)
        return;
    pthread_mutex_lock(&executor->lock);
    pthread_cond_signal(&executor->room); /* it may take work again */
    pthread_cond_signal(&executor->tick);
    pthread_mutex_unlock(&executor->lock);
}

static bool
renew(struct lp_executor *executor)
{
    struct lp_engine *engine = executor->engine;
    struct lp_err err = LP_ERR_INIT;
    int64_t sent = lp_clock_mono_us(engine->clock), end = atomic_load(&executor->lease_end_us);
    int64_t patience = lease_us(executor) / 3000, changed = 0;
    bool owned = false;
    enum lp_code rc = lp_store_beat(
        engine->store, LP_SQL_RUN_EXECUTOR_RENEW,
        LP_ARGS(lp_int("lease", lease_us(executor)), lp_text("incarnation", engine->incarnation)),
        patience > ANSWER_LEAST_MS ? patience : ANSWER_LEAST_MS, &changed, &owned, &err);

    if (rc == LP_OK && changed != 1) {
        sent = lp_clock_mono_us(engine->clock);
        rc = come_back(executor, owned, &err);
    }
    if (rc == LP_OK)
        after_renewal(executor, sent, end);
    else if (rc == LP_CONFLICT)
        give_up(executor, &err);
    else
        lp_log_err(engine->log, LP_LOG_WARN, "executor.heartbeat", &err);
    lp_err_clear(&err);
    return rc == LP_OK;
}

/** False: the renewals end. */
static bool
wait_for_beat(struct lp_executor *executor, int64_t ms)
{
    struct timespec until;
    bool go;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&executor->lock);
    while (!executor->beats_end
           && pthread_cond_timedwait(&executor->beat, &executor->lock, &until) == 0)
        ;
    go = !executor->beats_end;
    pthread_mutex_unlock(&executor->lock);
    return go;
}

static void *
beater_main(void *arg)
{
    struct lp_executor *executor = arg;
    int64_t beat = executor->engine->conf->executor_heartbeat_ms, wait = beat;

    pthread_setname_np(pthread_self(), "lp-lease");
    while (wait_for_beat(executor, wait))
        wait = renew(executor) ? beat : RETRY_MS;
    return NULL;
}

enum lp_code
lp_lease_begin(struct lp_executor *executor, struct lp_err *err)
{
    enum lp_code rc = register_first(executor, err);

    if (rc != LP_OK || executor->embedded)
        return rc;
    executor->beater_on = pthread_create(&executor->beater, NULL, beater_main, executor) == 0;
    return executor->beater_on ? LP_OK
                               : lp_fail(err, LP_NOMEM, "cannot start the thread of the lease");
}

void
lp_lease_end(struct lp_executor *executor)
{
    if (!executor->beater_on)
        return;
    pthread_mutex_lock(&executor->lock);
    executor->beats_end = true;
    pthread_cond_signal(&executor->beat);
    pthread_mutex_unlock(&executor->lock);
    pthread_join(executor->beater, NULL);
    executor->beater_on = false;
}
