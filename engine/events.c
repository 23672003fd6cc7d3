/* Events: outbox rows written with the change, numbered in the order in which they become visible
 * (W33), and handed to whoever listens.
 *
 * SQLite has one writer: a row gets its number with its insert. On PostgreSQL a row's id is taken
 * before its transaction commits, so ids become visible out of order; `seq` is given to rows that
 * are visible, by one sequencer at a time (the row 'event_seq' of settings is its lock). A row that
 * commits late is numbered late and never skipped. Programs that share a database number each
 * other's rows; the listener therefore also looks once a second there.
 *
 * A row may hold several events: its document is a list then, and seq the number of the last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/internal.h"

#define NUMBER_BATCH 1000
#define COALESCE_US                                                                                \
    50000 /* shortest time between two rounds: a burst of commits costs one more commit */
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

static void
add_row(struct lp_unit *unit, const char *doc, int64_t events, int64_t now_us)
{
    lp_unit_add(unit, LP_SQL_EVENT_INSERT,
                LP_ARGS(lp_int("events", events), lp_text("doc", doc), lp_int("now", now_us)));
}

static void
add_doc(struct lp_unit *unit, const json_t *doc, int64_t events, int64_t now_us)
{
    char *text = doc == NULL ? NULL : lp_json_text(doc);

    if (text == NULL)
        abort(); /* like lp_unit_add: no event can be lost quietly */
    add_row(unit, text, events, now_us);
    free(text);
}

void
lp_event_add(struct lp_unit *unit, json_t *value, int64_t now_us)
{
    json_auto_t *doc = json_pack("{s:s, s:o}", "name", "invalidateCache", "value", value);

    add_doc(unit, doc, 1, now_us);
}

/* Ids of processes are ours: nothing needs escaping, and once per step no tree is worth its price.
 */
#define EVENT "{\"name\":\"invalidateCache\",\"value\":{\"type\":"

void
lp_event_process(struct lp_unit *unit, const char *process_id, int64_t now_us)
{
    char text[400];

    snprintf(text, sizeof text,
             "[" EVENT "\"processes\",\"id\":\"LIST\"}}," EVENT "\"processes\",\"id\":\"%s\"}}]",
             process_id);
    add_row(unit, text, 2, now_us);
}

void
lp_event_subscription(struct lp_unit *unit, const char *subscription_id, int64_t now_us)
{
    static const char name[] = "invalidateCache", type[] = "subscriptions";
    json_auto_t *docs =
        json_pack("[{s:s, s:{s:s}}, {s:s, s:{s:s, s:s}}, {s:s, s:{s:s, s:s}}]", "name", name,
                  "value", "type", type, "name", name, "value", "type", type, "id", "LIST", "name",
                  name, "value", "type", type, "id", subscription_id);

    add_doc(unit, docs, 3, now_us);
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

    lp_unit_add(unit, LP_SQL_EVENT_TURN, LP_NO_ARGS);
    rows = lp_unit_add(unit, LP_SQL_EVENT_NUMBER, LP_ARGS(lp_int("limit", NUMBER_BATCH)));
    last = lp_unit_add(unit, LP_SQL_EVENT_NUMBERED,
                       LP_ARGS(lp_int("now", lp_clock_utc_us(engine->clock))));
    lp_unit_want_rows(unit, last);
    rc = lp_store_commit_aside(engine->store, unit, err);
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
    enum lp_code rc = lp_query(engine->store, LP_SQL_EVENT_NEWEST, LP_NO_ARGS, &rows, err);

    if (rc != LP_OK)
        return rc;
    *newest = lp_rows_count(rows) == 0 ? 0 : lp_rows_int(rows, 0, "seq");
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

static bool
anybody_listens(struct lp_events *events)
{
    bool yes;

    pthread_mutex_lock(&events->lock);
    yes = events->fn != NULL;
    pthread_mutex_unlock(&events->lock);
    return yes;
}

/* `number`: there may be rows without a number. Else it is enough to tell who listens. */
static void
round_of(struct lp_events *events, bool number, bool *broken, struct lp_err *err)
{
    int64_t newest = 0;
    enum lp_code rc = LP_OK;

    if (number)
        rc = number_all(events->engine, &newest, err);
    else if (anybody_listens(events))
        rc = newest_number(events->engine, &newest, err);
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
    bool stop = false, broken = false, first = true;
    bool at_insert = lp_store_dialect(events->engine->store) == LP_DIALECT_SQLITE;

    while (!stop) {
        bool work = sleep_until_poked(events, &stop);

        /* SQLite: what an older program left, and at the end the highest number for the next one */
        round_of(events, (work && !at_insert) || first || stop, &broken, &err);
        first = first && broken;
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

    if (events->started)
        return LP_OK;
    events->newest = 0; /* the first round tells where the numbers stand */
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

/* The events of one row behind `after`, as long as there is room: the rest comes with the next
 * page. */
static void
add_events(json_t *out, int64_t seq, const char *text, int64_t after, int64_t limit)
{
    json_auto_t *doc = json_loads(text, 0, NULL);
    size_t count = json_is_array(doc) ? json_array_size(doc) : 1;

    for (size_t i = 0; i < count && (int64_t)json_array_size(out) < limit; i++) {
        int64_t id = seq - (int64_t)(count - 1 - i);
        json_t *event = json_is_array(doc) ? json_array_get(doc, i) : doc;

        if (id > after)
            json_array_append_new(out,
                                  json_pack("{s:I, s:O?}", "id", (json_int_t)id, "data", event));
    }
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
        add_events(*out, lp_rows_int(rows, i, "seq"), lp_rows_text(rows, i, "doc"), after, limit);
    lp_rows_free(rows);
    return LP_OK;
}
