/*
 * Hints through PostgreSQL alone.
 *
 * An executor's session takes the first free *seat*: an advisory lock (class, seat), where the
 * class is a hash of the installation, and one lock (class of the label, seat) for each of its
 * labels. It listens on the channel of its seat. Who has hints looks at pg_locks, at most once a
 * second, and sends each hint to one seat, in turn. A seat goes with its session, so a dead
 * executor gets no hints for longer than a second; those that it got are the sweeper's.
 *
 * One thread owns the connection: it sends what was collected while the last notification was under
 * way (a transaction without a row, hence without an fsync), and takes what came into an in-process
 * queue. Idle, it sleeps in poll.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "queue/internal.h"

enum {
    SEATS_OLD_MS = 1000, /* what is known of the others is asked again after this time */
    SEATS_MOST = 1024,   /* executors of one installation */
    ANSWER_MS = 5000,    /* a server that takes longer is taken for dead */
    SLICE_MS = 200,      /* of the wait for an answer, to see the end of the queue */
    PAYLOAD_MOST = 7900, /* PostgreSQL takes less than 8,000 bytes */
    LINE_MOST = LP_UUID_LEN + 4,
};

struct seat {
    uint32_t class, number;
};

struct pg_queue {
    struct lp_queue base;
    struct lp_queue *local; /* hints for this daemon */
    struct lp_outbox out;
    struct lp_counts counts;
    struct lp_log *log;
    const struct lp_clock *clock;
    char *url, *labels, *place; /* place: what the class is a hash of */
    bool pops;
    pthread_t thread;
    bool started;
    atomic_bool closed, muted;
    atomic_llong alone_until_us; /* nobody else has a seat: hints need no detour until then */

    /* the thread's own */
    PGconn *pg;
    bool seated;
    struct seat own;
    struct seat *seats;
    size_t seat_count, seat_cap;
    int64_t seats_at_us;
    size_t turn;
    bool told; /* that the server is away */
};

/* ---- names ---- */

/* FNV-1a over the installation and the label. */
static uint32_t
class_of(const struct pg_queue *q, const char *label)
{
    uint32_t h = 2166136261u;

    for (const char *c = q->place; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    h = (h ^ ':') * 16777619u;
    for (const char *c = label; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return h;
}

static void
channel_of(const struct pg_queue *q, uint32_t number, char out[static 40])
{
    snprintf(out, 40, "lightpath_%08x_%u", class_of(q, ""), number);
}

/* ---- asking the server, without getting stuck in it ---- */

/** Waits for the end of the answer. False: the connection is of no use any more. */
static bool
answered(struct pg_queue *q)
{
    int64_t end = lp_clock_mono_us(q->clock) + ANSWER_MS * 1000;

    for (;;) {
        struct pollfd fd = {.fd = PQsocket(q->pg), .events = POLLIN};
        int left = PQflush(q->pg);

        if (left < 0 || !PQconsumeInput(q->pg))
            return false;
        if (!PQisBusy(q->pg))
            return true;
        if (atomic_load(&q->closed) || lp_clock_mono_us(q->clock) >= end)
            return false;
        if (left > 0)
            fd.events |= POLLOUT;
        if (poll(&fd, 1, SLICE_MS) < 0 && errno != EINTR)
            return false;
    }
}

/** One statement; the caller clears the result. NULL: it failed, the connection is given up. */
static PGresult *
ask(struct pg_queue *q, const char *sql, int count, const char *const *values)
{
    PGresult *own = NULL, *res;

    if (!PQsendQueryParams(q->pg, sql, count, NULL, values, NULL, NULL, 0))
        return NULL;
    while (answered(q) && (res = PQgetResult(q->pg)) != NULL) {
        PQclear(own);
        own = res;
    }
    if (PQstatus(q->pg) == CONNECTION_OK && PQtransactionStatus(q->pg) == PQTRANS_IDLE
        && (PQresultStatus(own) == PGRES_TUPLES_OK || PQresultStatus(own) == PGRES_COMMAND_OK))
        return own;
    PQclear(own);
    return NULL;
}

static bool
tell(struct pg_queue *q, const char *sql, int count, const char *const *values)
{
    PGresult *res = ask(q, sql, count, values);

    PQclear(res);
    return res != NULL;
}

/* ---- seats ---- */

static void
number_text(int64_t value, char out[static 24])
{
    snprintf(out, 24, "%lld", (long long)value);
}

/** The two-key advisory locks take signed integers. */
static void
class_text(uint32_t class, char out[static 24])
{
    number_text((int32_t) class, out);
}

struct labelled {
    struct pg_queue *q;
    bool good;
};

static void
lock_label(void *arg, const char *word)
{
    struct labelled *l = arg;
    char class[24], number[24];
    const char *values[] = {class, number};

    class_text(class_of(l->q, word), class);
    number_text(l->q->own.number, number);
    l->good =
        l->good
        && tell(l->q, "SELECT pg_try_advisory_lock(CAST($1 AS int), CAST($2 AS int))", 2, values);
}

static bool
take_number(struct pg_queue *q)
{
    char class[24], most[24];
    const char *values[] = {class, most};
    PGresult *res;
    bool got;

    class_text(class_of(q, ""), class);
    number_text(SEATS_MOST - 1, most);
    res = ask(q,
              "SELECT s FROM generate_series(0, CAST($2 AS int)) AS s WHERE "
              "pg_try_advisory_lock(CAST($1 AS int), s) LIMIT 1",
              2, values);
    got = res != NULL && PQntuples(res) == 1;
    if (got)
        q->own = (struct seat){class_of(q, ""), (uint32_t)strtoul(PQgetvalue(res, 0, 0), NULL, 10)};
    PQclear(res);
    return got;
}

/** Listens before it has the seat's locks for labels: from the first lock on hints may come. */
static bool
sit_down(struct pg_queue *q)
{
    struct labelled l = {.q = q, .good = true};
    char channel[40], sql[64];

    if (!take_number(q))
        return false;
    channel_of(q, q->own.number, channel);
    snprintf(sql, sizeof sql, "LISTEN %s", channel);
    if (!tell(q, sql, 0, NULL))
        return false;
    lp_words(q->labels, lock_label, &l);
    q->seated = l.good;
    q->seats_at_us = 0;
    return l.good;
}

static bool
stand_up(struct pg_queue *q)
{
    q->seated = false;
    q->seats_at_us = 0;
    atomic_store(&q->alone_until_us, 0);
    return tell(q, "SELECT pg_advisory_unlock_all()", 0, NULL) && tell(q, "UNLISTEN *", 0, NULL);
}

static bool
fit_seats(struct pg_queue *q, size_t count)
{
    struct seat *seats;

    if (count <= q->seat_cap)
        return true;
    seats = reallocarray(q->seats, count, sizeof *seats);
    if (seats == NULL)
        return false;
    q->seats = seats;
    q->seat_cap = count;
    return true;
}

static bool
know_seats(struct pg_queue *q)
{
    int64_t now = lp_clock_mono_us(q->clock);
    bool alone = q->seated;
    PGresult *res;
    size_t count;

    if (q->seats_at_us != 0 && now - q->seats_at_us < SEATS_OLD_MS * 1000)
        return true;
    res = ask(q,
              "SELECT CAST(classid AS bigint), CAST(objid AS bigint) FROM pg_catalog.pg_locks "
              "WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND database = "
              "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
              0, NULL);
    if (res == NULL || !fit_seats(q, (size_t)PQntuples(res))) {
        PQclear(res);
        return false;
    }
    count = (size_t)PQntuples(res);
    for (size_t i = 0; i < count; i++) {
        struct seat *seat = &q->seats[i];

        seat->class = (uint32_t)strtoul(PQgetvalue(res, (int)i, 0), NULL, 10);
        seat->number = (uint32_t)strtoul(PQgetvalue(res, (int)i, 1), NULL, 10);
        alone = alone && (seat->class != q->own.class || seat->number == q->own.number);
    }
    PQclear(res);
    q->seat_count = count;
    q->seats_at_us = now;
    atomic_store(&q->alone_until_us, alone ? now + SEATS_OLD_MS * 1000 : 0);
    return true;
}

/** The next one in turn of those with the label; NULL: nobody. */
static const struct seat *
pick(struct pg_queue *q, const char *label)
{
    uint32_t class = class_of(q, label);
    size_t fit = 0, at;

    for (size_t i = 0; i < q->seat_count; i++)
        fit += q->seats[i].class == class;
    if (fit == 0)
        return NULL;
    at = q->turn++ % fit;
    for (size_t i = 0; i < q->seat_count; i++)
        if (q->seats[i].class == class && at-- == 0)
            return &q->seats[i];
    return NULL;
}

/* ---- sending ---- */

struct letters {
    struct lp_buf channels, payloads; /* array literals without their braces */
    struct lp_buf *open;              /* by seat number, the payload that is being filled */
    size_t open_count;
    size_t hints;
};

static void
seal(struct pg_queue *q, struct letters *letters, size_t number)
{
    struct lp_buf *open = &letters->open[number];
    char channel[40];

    if (open->len == 0)
        return;
    channel_of(q, (uint32_t)number, channel);
    lp_buf_printf(&letters->channels, "%s%s", letters->channels.len > 0 ? "," : "", channel);
    lp_buf_printf(&letters->payloads, "%s\"%s\"", letters->payloads.len > 0 ? "," : "", open->data);
    lp_buf_reset(open);
}

static bool
write_hint(struct pg_queue *q, struct letters *letters, const struct lp_hint *hint)
{
    const struct seat *seat = pick(q, hint->label);
    struct lp_err err = LP_ERR_INIT;

    if (seat == NULL) {
        atomic_fetch_add(&q->counts.lost, 1);
        return true;
    }
    if (q->seated && seat->number == q->own.number) {
        if (q->local->ops->push(q->local, hint->id, hint->task, NULL, &err) != LP_OK)
            lp_err_clear(&err);
        return true;
    }
    if (seat->number >= SEATS_MOST)
        return true; /* somebody else's lock */
    if (letters->open == NULL)
        letters->open = calloc(SEATS_MOST, sizeof *letters->open);
    if (letters->open == NULL)
        return false;
    if (letters->open[seat->number].len + LINE_MOST > PAYLOAD_MOST)
        seal(q, letters, seat->number);
    lp_buf_printf(&letters->open[seat->number], "%d%s;", hint->task ? 1 : 0, hint->id);
    letters->hints++;
    return true;
}

static bool
post(struct pg_queue *q, struct letters *letters)
{
    struct lp_buf channels = LP_BUF_INIT, payloads = LP_BUF_INIT;
    const char *values[2];
    bool good;

    for (size_t i = 0; i < SEATS_MOST; i++)
        seal(q, letters, i);
    lp_buf_printf(&channels, "{%s}", letters->channels.data);
    lp_buf_printf(&payloads, "{%s}", letters->payloads.data);
    values[0] = channels.data;
    values[1] = payloads.data;
    good = !channels.failed && !payloads.failed && !letters->channels.failed
           && !letters->payloads.failed
           && tell(q,
                   "SELECT pg_notify(c, p) FROM unnest(CAST($1 AS text[]), CAST($2 AS text[])) AS "
                   "t (c, p)",
                   2, values);
    lp_buf_free(&channels);
    lp_buf_free(&payloads);
    return good;
}

static bool
send_all(struct pg_queue *q)
{
    struct letters letters = {.channels = LP_BUF_INIT, .payloads = LP_BUF_INIT};
    struct lp_hint *hints = NULL;
    size_t count = lp_outbox_take(&q->out, &hints);
    bool good = count == 0 || know_seats(q);

    for (size_t i = 0; good && i < count; i++)
        good = write_hint(q, &letters, &hints[i]);
    if (good && letters.hints > 0)
        good = post(q, &letters);
    if (!good)
        atomic_fetch_add(&q->counts.lost, count);
    for (size_t i = 0; letters.open != NULL && i < SEATS_MOST; i++)
        lp_buf_free(&letters.open[i]);
    free(letters.open);
    lp_buf_free(&letters.channels);
    lp_buf_free(&letters.payloads);
    free(hints);
    return good;
}

/* ---- receiving ---- */

/** Anybody who may connect can notify: only ids are taken. */
static void
read_letter(struct pg_queue *q, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ";");
        struct lp_err err = LP_ERR_INIT;
        struct lp_hint hint;

        if (len == LP_UUID_LEN + 1 && (*text == '0' || *text == '1')
            && lp_hint_id_ok(text + 1, LP_UUID_LEN)) {
            hint = (struct lp_hint){.task = *text == '1'};
            memcpy(hint.id, text + 1, LP_UUID_LEN);
            if (q->local->ops->push(q->local, hint.id, hint.task, NULL, &err) != LP_OK)
                lp_err_clear(&err);
        } else {
            atomic_fetch_add(&q->counts.garbage, 1);
        }
        text += len + (text[len] == ';');
    }
}

static bool
receive(struct pg_queue *q)
{
    PGnotify *note;

    if (!PQconsumeInput(q->pg))
        return false;
    while ((note = PQnotifies(q->pg)) != NULL) {
        read_letter(q, note->extra);
        PQfreemem(note);
    }
    return PQstatus(q->pg) == CONNECTION_OK;
}

/* ---- connection ---- */

static void
no_notices(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

/** Waits for what libpq wants of its socket. */
static bool
connected(struct pg_queue *q)
{
    int64_t end = lp_clock_mono_us(q->clock) + ANSWER_MS * 2 * 1000;
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;

    while (want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED) {
        struct pollfd fd = {.fd = PQsocket(q->pg),
                            .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};

        if (atomic_load(&q->closed) || lp_clock_mono_us(q->clock) >= end)
            return false;
        if (poll(&fd, 1, SLICE_MS) > 0)
            want = PQconnectPoll(q->pg);
    }
    return want == PGRES_POLLING_OK;
}

static bool
connect_now(struct pg_queue *q)
{
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *values[] = {"5", "10", "5", "3", "15000", "lightpath queue", q->url, "UTF8", NULL};

    q->pg = PQconnectStartParams(names, values, 1);
    if (q->pg == NULL || PQstatus(q->pg) == CONNECTION_BAD || !connected(q))
        return false;
    PQsetNoticeReceiver(q->pg, no_notices, NULL);
    return true;
}

static void
disconnect(struct pg_queue *q)
{
    if (!q->told && !atomic_load(&q->closed))
        lp_logf(q->log, LP_LOG_WARN, "queue.away", "s:s, s:s", "kind", q->base.kind, "error",
                q->pg == NULL ? "no memory" : PQerrorMessage(q->pg));
    q->told = true;
    PQfinish(q->pg);
    q->pg = NULL;
    q->seated = false;
    q->seats_at_us = 0;
    atomic_store(&q->alone_until_us, 0);
    atomic_store(&q->counts.connected, false);
}

static void
drop_all(struct pg_queue *q)
{
    struct lp_hint *hints = NULL;
    size_t count = lp_outbox_take(&q->out, &hints);

    atomic_fetch_add(&q->counts.lost, count);
    free(hints);
}

/** What is pushed meanwhile is lost: the sweeper makes good. */
static void
pause_for(struct pg_queue *q, int ms)
{
    int64_t end = lp_clock_mono_us(q->clock) + (int64_t)ms * 1000, left;

    while (!atomic_load(&q->closed)
           && (left = (end - lp_clock_mono_us(q->clock) + 999) / 1000) > 0) {
        struct pollfd fd = {.fd = q->out.wake_fd, .events = POLLIN};

        (void)poll(&fd, 1, (int)left);
        lp_outbox_calm(&q->out);
        drop_all(q);
    }
}

/* ---- the thread ---- */

static bool
anything_to_send(struct pg_queue *q)
{
    bool any;

    pthread_mutex_lock(&q->out.lock);
    any = q->out.count > 0;
    pthread_mutex_unlock(&q->out.lock);
    return any;
}

static void
serve(struct pg_queue *q)
{
    bool good = true;

    while (good && !atomic_load(&q->closed)) {
        bool sit = q->pops && !atomic_load(&q->muted);

        if (sit != q->seated)
            good = sit ? sit_down(q) : stand_up(q);
        good = good && receive(q);
        if (good && anything_to_send(q)) {
            good = send_all(q) && receive(q); /* notifications may have come with the answer */
        } else if (good) {
            struct pollfd fds[] = {{.fd = PQsocket(q->pg), .events = POLLIN},
                                   {.fd = q->out.wake_fd, .events = POLLIN}};

            (void)poll(fds, 2, -1);
            if (fds[1].revents != 0)
                lp_outbox_calm(&q->out);
        }
    }
}

static void *
thread_main(void *arg)
{
    struct pg_queue *q = arg;
    int backoff = 0;

    while (!atomic_load(&q->closed)) {
        if (connect_now(q)) {
            if (q->told) {
                atomic_fetch_add(&q->counts.reconnects, 1);
                lp_logf(q->log, LP_LOG_INFO, "queue.connected", "s:s", "kind", q->base.kind);
            }
            q->told = false;
            backoff = 0;
            atomic_store(&q->counts.connected, true);
            serve(q);
        }
        disconnect(q);
        drop_all(q);
        pause_for(q, lp_backoff_next(&backoff));
    }
    return NULL;
}

/* ---- the interface ---- */

static enum lp_code
pg_push(struct lp_queue *queue, const char *id, int priority, const char *label, struct lp_err *err)
{
    struct pg_queue *q = (struct pg_queue *)queue;
    struct lp_hint hint;
    enum lp_code rc = lp_hint_make(&hint, id, priority, label, err);

    if (rc != LP_OK)
        return rc;
    atomic_fetch_add(&q->counts.pushed, 1);
    if (hint.label[0] == '\0' && lp_clock_mono_us(q->clock) < atomic_load(&q->alone_until_us))
        return q->local->ops->push(q->local, id, priority, NULL, err);
    if (!lp_outbox_add(&q->out, &hint))
        atomic_fetch_add(&q->counts.lost, 1);
    return LP_OK;
}

static enum lp_code
pg_pop(struct lp_queue *queue, int timeout_ms, int priorities, char id[static LP_UUID_LEN + 1],
       struct lp_err *err)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    return q->local->ops->pop(q->local, timeout_ms, priorities, id, err);
}

static void
pg_wake(struct lp_queue *queue)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    q->local->ops->wake(q->local);
}

static void
pg_mute(struct lp_queue *queue, bool muted)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    if (atomic_exchange(&q->muted, muted) == muted)
        return;
    atomic_store(&q->alone_until_us, 0);
    lp_outbox_wake(&q->out);
}

static size_t
pg_depth(struct lp_queue *queue)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    return q->local->ops->depth(q->local);
}

static size_t
pg_depth_of(struct lp_queue *queue, int priority)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    return q->local->ops->depth_of(q->local, priority);
}

static void
pg_stats(struct lp_queue *queue, struct lp_queue_stats *out)
{
    struct pg_queue *q = (struct pg_queue *)queue;
    struct lp_queue_stats local;

    q->local->ops->stats(q->local, &local);
    lp_counts_read(&q->counts, out);
    out->popped = local.popped;
    out->lost += local.lost;
}

static void
pg_close(struct lp_queue *queue)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    atomic_store(&q->closed, true);
    lp_outbox_wake(&q->out);
    q->local->ops->close(q->local);
}

static void
pg_free(struct lp_queue *queue)
{
    struct pg_queue *q = (struct pg_queue *)queue;

    if (q == NULL)
        return;
    if (q->started) {
        pg_close(queue);
        pthread_join(q->thread, NULL);
    }
    if (q->local != NULL)
        q->local->ops->free(q->local);
    lp_outbox_close(&q->out);
    free(q->seats);
    free(q->url);
    free(q->labels);
    free(q->place);
    free(q);
}

static enum lp_code
build(struct pg_queue *q, const struct lp_queue_postgres_options *options, struct lp_err *err)
{
    enum lp_code rc = lp_outbox_open(&q->out, options->bound, err);

    if (rc != LP_OK)
        return rc;
    q->local = lp_queue_local_new(options->bound);
    q->url = strdup(options->url);
    q->labels = strdup(options->labels == NULL ? "" : options->labels);
    if (asprintf(&q->place, "lightpath-queue:%s",
                 options->schema == NULL ? "lightpath" : options->schema)
        < 0)
        q->place = NULL;
    if (q->local == NULL || q->url == NULL || q->labels == NULL || q->place == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the queue");
    if (pthread_create(&q->thread, NULL, thread_main, q) != 0)
        return lp_fail(err, LP_NOMEM, "cannot start the thread of the queue");
    q->started = true;
    (void)pthread_setname_np(q->thread, "lp-queue");
    return LP_OK;
}

enum lp_code
lp_queue_postgres_new(const struct lp_queue_postgres_options *options, struct lp_queue **out,
                      struct lp_err *err)
{
    static const struct lp_queue_ops ops = {.push = pg_push,
                                            .pop = pg_pop,
                                            .wake = pg_wake,
                                            .mute = pg_mute,
                                            .depth = pg_depth,
                                            .depth_of = pg_depth_of,
                                            .stats = pg_stats,
                                            .close = pg_close,
                                            .free = pg_free};
    struct pg_queue *q = calloc(1, sizeof *q);
    enum lp_code rc;

    if (q == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the queue");
    q->base = (struct lp_queue){.ops = &ops, .kind = "postgresql"};
    q->out.wake_fd = -1;
    q->pops = options->pops;
    q->log = options->log;
    q->clock = options->clock;
    rc = build(q, options, err);
    if (rc == LP_OK)
        *out = &q->base;
    else
        pg_free(&q->base);
    return rc;
}
