/* Events: outbox rows written with the change, numbered after the commit by one sequencer (W33),
 * and handed to whoever listens.
 *
 * A row's id is taken before its transaction commits, so ids become visible out of order; `seq` is
 * given to rows that are visible, by one sequencer at a time (the row 'event_seq' of settings is
 * its lock, in both databases). A row that commits late is numbered late and never skipped.
 * Programs that share a PostgreSQL database number each other's rows; the listener therefore also
 * looks once a second there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

#define NUMBER_BATCH 1000
#define COALESCE_US                                                                                \
    20000 /* shortest time between two rounds: a burst of commits costs one more commit */
#define LOOK_US       1000000   /* PostgreSQL with a listener: what other programs numbered */
#define SEAL_EVERY_US 600000000 /* audit seals, while something happens */
#define RETRY_US      1000000   /* the store is away */

struct lp_events {
    struct lp_engine *engine;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    bool poked, stop;
    void (*fn)(void *arg, int64_t newest);
    void *fn_arg;
    int64_t newest;    /* highest number announced to fn */
    int64_t sealed_at; /* monotonic; 0 = nothing to seal yet */
};

/* ---- rows ---- */

void
lp_event_add(struct lp_unit *unit, json_t *value, int64_t now_us)
{
    json_auto_t *doc = json_pack("{s:s, s:o}", "name", "invalidateCache", "value", value);
    char *text = doc == NULL ? NULL : lp_json_text(doc);

    if (text == NULL)
        abort(); /* like lp_unit_add: no event can be lost quietly */
    lp_unit_add(unit, LP_SQL_EVENT_INSERT, LP_ARGS(lp_text("doc", text), lp_int("now", now_us)));
    free(text);
}

void
lp_event_process(struct lp_unit *unit, const char *process_id, int64_t now_us)
{
    static const char before[] =
        "{\"name\":\"invalidateCache\",\"value\":{\"type\":\"processes\",\"id\":\"";
    const char *const ids[] = {"LIST", process_id};
    char text[160];

    for (size_t i = 0; i < LP_COUNT(ids); i++) { /* once per step: without a tree */
        snprintf(text, sizeof text, "%s%s\"}}", before, ids[i]);
        lp_unit_add(unit, LP_SQL_EVENT_INSERT,
                    LP_ARGS(lp_text("doc", text), lp_int("now", now_us)));
    }
}

void
lp_event_subscription(struct lp_unit *unit, const char *subscription_id, int64_t now_us)
{
    lp_event_add(unit, json_pack("{s:s}", "type", "subscriptions"), now_us);
    lp_event_add(unit, json_pack("{s:s, s:s}", "type", "subscriptions", "id", "LIST"), now_us);
    lp_event_add(unit, json_pack("{s:s, s:s}", "type", "subscriptions", "id", subscription_id),
                 now_us);
}

void
lp_event_counts(struct lp_unit *unit, int64_t now_us)
{
    lp_event_add(unit, json_pack("{s:s}", "type", "processStatusCounts"), now_us);
}

void
lp_event_engine(struct lp_unit *unit, int64_t now_us)
{
    lp_event_add(unit, json_pack("{s:s}", "type", "engineStatus"), now_us);
}

/* ---- the sequencer ---- */

/* Numbers one batch. *numbered = rows, *newest = highest number now. */
static enum lp_code
number_batch(struct lp_engine *engine, int64_t *numbered, int64_t *newest, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    size_t rows, last;
    enum lp_code rc;

    lp_unit_key(unit, "events");
    lp_unit_alone(unit);
    lp_unit_add(unit, LP_SQL_EVENT_TURN, LP_NO_ARGS);
    rows = lp_unit_add(unit, LP_SQL_EVENT_NUMBER, LP_ARGS(lp_int("limit", NUMBER_BATCH)));
    last = lp_unit_add(unit, LP_SQL_EVENT_NUMBERED,
                       LP_ARGS(lp_int("now", lp_clock_utc_us(engine->clock))));
    lp_unit_want_rows(unit, last);
    rc = lp_store_commit(engine->store, unit, err);
    if (rc == LP_OK) {
        *numbered = lp_unit_changed(unit, rows);
        if (lp_rows_count(lp_unit_rows(unit, last)) > 0)
            *newest = lp_rows_int(lp_unit_rows(unit, last), 0, "seq");
    }
    lp_unit_free(unit);
    return rc;
}

static enum lp_code
number_all(struct lp_engine *engine, int64_t *newest, struct lp_err *err)
{
    int64_t numbered = NUMBER_BATCH;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && numbered == NUMBER_BATCH)
        rc = number_batch(engine, &numbered, newest, err);
    return rc;
}

static enum lp_code
newest_number(struct lp_engine *engine, int64_t *newest, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_query(engine->store, LP_SQL_REG_SETTING,
                               LP_ARGS(lp_text("name", "event_seq")), &rows, err);

    if (rc != LP_OK)
        return rc;
    *newest = lp_rows_count(rows) == 0 ? 0 : strtoll(lp_rows_text(rows, 0, "value"), NULL, 10);
    lp_rows_free(rows);
    return LP_OK;
}

/* Called without the lock: fn may ask for events. */
static void
announce(struct lp_events *events, int64_t newest)
{
    void (*fn)(void *, int64_t) = NULL;
    void *arg = NULL;

    pthread_mutex_lock(&events->lock);
    if (newest > events->newest) {
        events->newest = newest;
        fn = events->fn;
        arg = events->fn_arg;
    }
    pthread_mutex_unlock(&events->lock);
    if (fn != NULL)
        fn(arg, newest);
}

/* Every so often while something happens, and at the end, so that a stopped program leaves nothing
 * unsealed. */
static void
seal_when_due(struct lp_events *events, bool worked, bool stop, struct lp_err *err)
{
    int64_t now = lp_clock_mono_us(events->engine->clock);
    bool due;

    pthread_mutex_lock(&events->lock);
    if (worked && events->sealed_at == 0)
        events->sealed_at = now;
    due = events->sealed_at != 0 && (stop || now - events->sealed_at >= SEAL_EVERY_US);
    if (due)
        events->sealed_at = 0;
    pthread_mutex_unlock(&events->lock);
    if (due && lp_audit_seal(events->engine, err) != LP_OK) {
        lp_log_err(events->engine->log, LP_LOG_WARN, "audit.seal", err);
        lp_err_clear(err);
    }
}

static void
wait_us(struct lp_events *events, int64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += (us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&events->wake, &events->lock, &until);
}

/* Sleeps until poked. True = there may be something to number, false = only look; *stop ends the
 * thread after a last round. */
static bool
sleep_until_poked(struct lp_events *events, bool *stop)
{
    bool shared = lp_store_dialect(events->engine->store) == LP_DIALECT_POSTGRES;
    bool poked;

    pthread_mutex_lock(&events->lock);
    while (!events->poked && !events->stop) {
        if (shared && events->fn != NULL) {
            wait_us(events, LOOK_US);
            break;
        }
        if (events->sealed_at != 0) {
            wait_us(events, SEAL_EVERY_US);
            break;
        }
        pthread_cond_wait(&events->wake, &events->lock);
    }
    poked = events->poked;
    events->poked = false;
    *stop = events->stop;
    pthread_mutex_unlock(&events->lock);
    return poked;
}

/* A pause that only the stop ends early. */
static void
rest(struct lp_events *events, int64_t us)
{
    int64_t end = lp_clock_mono_us(events->engine->clock) + us;

    pthread_mutex_lock(&events->lock);
    while (!events->stop) {
        int64_t left = end - lp_clock_mono_us(events->engine->clock);

        if (left <= 0 || left > us)
            break;
        wait_us(events, left);
    }
    pthread_mutex_unlock(&events->lock);
}

static void
round_of(struct lp_events *events, bool work, bool *broken, struct lp_err *err)
{
    int64_t newest = 0;
    enum lp_code rc = work ? number_all(events->engine, &newest, err)
                           : newest_number(events->engine, &newest, err);

    if (rc == LP_OK) {
        *broken = false;
        announce(events, newest);
        return;
    }
    if (!*broken)
        lp_log_err(events->engine->log, LP_LOG_WARN, "events.number", err);
    *broken = true;
    lp_err_clear(err);
    pthread_mutex_lock(&events->lock);
    events->poked = true; /* again, after a rest */
    pthread_mutex_unlock(&events->lock);
}

static void *
sequencer(void *arg)
{
    struct lp_events *events = arg;
    struct lp_err err = LP_ERR_INIT;
    bool stop = false, broken = false;

    while (!stop) {
        bool work = sleep_until_poked(events, &stop);

        round_of(events, work || stop, &broken, &err);
        seal_when_due(events, work, stop, &err);
        if (work && !broken)
            lp_restored_check(events->engine);
        if (!stop)
            rest(events, broken ? RETRY_US : COALESCE_US);
    }
    return NULL;
}

void
lp_events_poke(struct lp_engine *engine)
{
    struct lp_events *events = engine->events;

    if (events == NULL)
        return;
    pthread_mutex_lock(&events->lock);
    if (!events->poked) {
        events->poked = true;
        pthread_cond_signal(&events->wake);
    }
    pthread_mutex_unlock(&events->lock);
}

enum lp_code
lp_events_new(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_events *events = calloc(1, sizeof *events);
    pthread_condattr_t attr;

    if (events == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the sequencer");
    events->engine = engine;
    pthread_mutex_init(&events->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&events->wake, &attr);
    pthread_condattr_destroy(&attr);
    engine->events = events;
    return LP_OK;
}

enum lp_code
lp_events_start(struct lp_engine *engine, struct lp_err *err)
{
    struct lp_events *events = engine->events;
    enum lp_code rc;

    if (events->started)
        return LP_OK;
    rc = newest_number(engine, &events->newest, err);
    if (rc != LP_OK)
        return rc;
    events->stop = false;
    events->poked = true; /* what a former run committed and did not number */
    if (pthread_create(&events->thread, NULL, sequencer, events) != 0)
        return lp_fail(err, LP_INTERNAL, "cannot start the sequencer thread: %s", strerror(errno));
    events->started = true;
    return LP_OK;
}

void
lp_events_stop(struct lp_engine *engine)
{
    struct lp_events *events = engine->events;

    if (events == NULL || !events->started)
        return;
    pthread_mutex_lock(&events->lock);
    events->stop = true;
    pthread_cond_signal(&events->wake);
    pthread_mutex_unlock(&events->lock);
    pthread_join(events->thread, NULL);
    events->started = false;
}

void
lp_events_free(struct lp_engine *engine)
{
    struct lp_events *events = engine->events;

    if (events == NULL)
        return;
    lp_events_stop(engine);
    engine->events = NULL;
    pthread_cond_destroy(&events->wake);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* ---- reading ---- */

void
lp_engine_on_events(struct lp_engine *engine, void (*fn)(void *arg, int64_t newest), void *arg)
{
    struct lp_events *events = engine->events;

    pthread_mutex_lock(&events->lock);
    events->fn = fn;
    events->fn_arg = arg;
    pthread_cond_signal(&events->wake);
    pthread_mutex_unlock(&events->lock);
}

enum lp_code
lp_engine_events(struct lp_engine *engine, int64_t after, int64_t limit, json_t **out,
                 struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    int64_t newest = 0;
    enum lp_code rc;

    if (after < 0) {
        rc = newest_number(engine, &newest, err);
        if (rc == LP_OK)
            *out = json_pack("{s:I}", "id", (json_int_t)newest);
        return rc;
    }
    if (limit <= 0 || limit > NUMBER_BATCH)
        limit = NUMBER_BATCH;
    rc = lp_query(engine->store, LP_SQL_EVENT_PAGE,
                  LP_ARGS(lp_int("after", after), lp_int("limit", limit)), &rows, err);
    if (rc != LP_OK)
        return rc;
    *out = json_array();
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        json_array_append_new(*out,
                              json_pack("{s:I, s:o}", "id", (json_int_t)lp_rows_int(rows, i, "seq"),
                                        "data", json_loads(lp_rows_text(rows, i, "doc"), 0, NULL)));
    lp_rows_free(rows);
    return LP_OK;
}
