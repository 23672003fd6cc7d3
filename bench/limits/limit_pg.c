/*
 * What PostgreSQL can do with the rows of our steps, asked by a program that does nothing else.
 *
 *   limit_pg strict URL CONNECTIONS SECONDS BYTES          one transaction per step on each of
 * several connections (pgstep) limit_pg model  URL INFLIGHT    SECONDS BYTES [BATCH [WITHOUT]]  one
 * writer that commits what is queued, at most BATCH (engine_model); WITHOUT: a statement left out
 *
 * Prints one JSON object. Latency: from the moment a step is ready to be written until its commit
 * is known.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/limits/rows.h"

enum { MOST_SAMPLES = 1 << 22 };

static uint32_t *samples;
static atomic_size_t sample_count;
static atomic_bool measuring, stop;
static const char *url;
static char *delta;

static void
sample(int64_t ns)
{
    size_t at;

    if (!atomic_load_explicit(&measuring, memory_order_relaxed))
        return;
    at = atomic_fetch_add_explicit(&sample_count, 1, memory_order_relaxed);
    if (at < MOST_SAMPLES)
        samples[at] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static PGconn *
open_pg(void)
{
    PGconn *pg = PQconnectdb(url);

    if (PQstatus(pg) != CONNECTION_OK)
        limit_die("connect", PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET search_path TO lightpath"));
    return pg;
}

static void
prepare(PGconn *pg, const struct limit_process *p)
{
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++) {
        PGresult *res = PQprepare(pg, p->statements[i].name, p->statements[i].text, 0, NULL);

        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            limit_die(p->statements[i].name, PQerrorMessage(pg));
        PQclear(res);
    }
}

static void
insert(PGconn *pg, const struct limit_process *p)
{
    char sql[400];
    PGresult *res = PQexec(pg, limit_insert_sql(p, sql, sizeof sql));

    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        limit_die("insert", PQerrorMessage(pg));
    PQclear(res);
}

static void
send_step(PGconn *pg, const struct limit_process *p)
{
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++) {
        const struct limit_statement *s = &p->statements[i];

        if (limit_is_left_out(i))
            continue;
        if (!PQsendQueryPrepared(pg, s->name, s->count, s->values, NULL, NULL, 0))
            limit_die(s->name, PQerrorMessage(pg));
    }
}

/* Flushes and reads until the Sync is answered. */
static void
finish(PGconn *pg)
{
    for (;;) {
        int left = PQflush(pg);
        struct pollfd fd = {.fd = PQsocket(pg), .events = POLLIN};
        PGresult *res;
        ExecStatusType status;

        if (left < 0)
            limit_die("flush", PQerrorMessage(pg));
        if (PQisBusy(pg)) {
            if (left > 0)
                fd.events |= POLLOUT;
            if (poll(&fd, 1, -1) < 0 || !PQconsumeInput(pg))
                limit_die("read", PQerrorMessage(pg));
            continue;
        }
        res = PQgetResult(pg);
        status = PQresultStatus(res);
        if (res != NULL && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK
            && status != PGRES_PIPELINE_SYNC)
            limit_die("statement", PQresultErrorMessage(res));
        PQclear(res);
        if (res != NULL && status == PGRES_PIPELINE_SYNC)
            return;
    }
}

static void
enter_pipeline(PGconn *pg)
{
    if (!PQenterPipelineMode(pg) || PQsetnonblocking(pg, 1) != 0)
        limit_die("pipeline", PQerrorMessage(pg));
}

/* ---- strict ---- */

static void *
strict_main(void *arg)
{
    struct limit_process *p = arg;
    PGconn *pg = open_pg();

    insert(pg, p);
    prepare(pg, p);
    enter_pipeline(pg);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        int64_t begun = limit_now_ns();

        send_step(pg, p);
        PQpipelineSync(pg);
        finish(pg);
        sample(limit_now_ns() - begun);
        limit_process_turn(p);
    }
    PQfinish(pg);
    return NULL;
}

/* ---- the model of group commit: a writer, and a thread that makes the next step of what was
 * committed ---- */

struct line {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t cond;
    struct limit_process *head, **tail;
    size_t count;
};
static struct line ready = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
static struct line done = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
static size_t batch_most = 64;

static void
put(struct line *line, struct limit_process *p)
{
    p->next = NULL;
    pthread_mutex_lock(&line->lock);
    *line->tail = p;
    line->tail = &p->next;
    if (line->count++ == 0)
        pthread_cond_signal(&line->cond);
    pthread_mutex_unlock(&line->lock);
}

static size_t
take(struct line *line, struct limit_process **out, size_t most)
{
    size_t count = 0;

    pthread_mutex_lock(&line->lock);
    while (line->head == NULL && !atomic_load(&stop))
        pthread_cond_wait(&line->cond, &line->lock);
    while (line->head != NULL && count < most) {
        out[count++] = line->head;
        line->head = line->head->next;
    }
    if (line->head == NULL)
        line->tail = &line->head;
    line->count -= count;
    pthread_mutex_unlock(&line->lock);
    return count;
}

static void *
worker_main(void *arg)
{
    struct limit_process *taken[256];
    size_t count;

    (void)arg;
    while ((count = take(&done, taken, LP_COUNT(taken))) > 0)
        for (size_t i = 0; i < count; i++) {
            limit_process_turn(taken[i]);
            taken[i]->queued_ns = limit_now_ns();
            put(&ready, taken[i]);
        }
    return NULL;
}

static void *
writer_main(void *arg)
{
    PGconn *pg = arg;
    struct limit_process *taken[256];
    size_t count;

    while ((count = take(&ready, taken, batch_most)) > 0 && !atomic_load(&stop)) {
        int64_t now;

        for (size_t i = 0; i < count; i++)
            send_step(pg, taken[i]);
        PQpipelineSync(pg);
        finish(pg);
        now = limit_now_ns();
        for (size_t i = 0; i < count; i++) {
            sample(now - taken[i]->queued_ns);
            put(&done, taken[i]);
        }
    }
    return NULL;
}

/* ---- */

static void
measure(double seconds)
{
    struct timespec warm = {0, 500000000};
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    int64_t begun;
    double cpu;

    (void)nanosleep(&warm, NULL);
    cpu = limit_cpu_us();
    begun = limit_now_ns();
    atomic_store(&measuring, true);
    (void)nanosleep(&time, NULL);
    atomic_store(&measuring, false);
    seconds = (double)(limit_now_ns() - begun) / 1e9;
    cpu = limit_cpu_us() - cpu;
    limit_report(samples, atomic_load(&sample_count), seconds, cpu);
    atomic_store(&stop, true);
}

static void
run_strict(struct limit_process *all, size_t count, double seconds)
{
    pthread_t *threads = calloc(count, sizeof *threads);

    if (threads == NULL)
        limit_die("strict", "no memory");
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, strict_main, &all[i]) != 0)
            limit_die("strict", "no thread");
    measure(seconds);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

static void
run_model(struct limit_process *all, size_t count, double seconds)
{
    PGconn *pg = open_pg();
    pthread_t writer, worker;

    for (size_t i = 0; i < count; i++)
        insert(pg, &all[i]);
    prepare(pg, &all[0]);
    enter_pipeline(pg);
    ready.tail = &ready.head;
    done.tail = &done.head;
    if (pthread_create(&writer, NULL, writer_main, pg) != 0
        || pthread_create(&worker, NULL, worker_main, NULL) != 0)
        limit_die("model", "no thread");
    for (size_t i = 0; i < count; i++) {
        all[i].queued_ns = limit_now_ns();
        put(&ready, &all[i]);
    }
    measure(seconds);
    pthread_mutex_lock(&ready.lock);
    pthread_cond_broadcast(&ready.cond);
    pthread_mutex_unlock(&ready.lock);
    pthread_join(writer, NULL);
    pthread_mutex_lock(&done.lock);
    pthread_cond_broadcast(&done.cond);
    pthread_mutex_unlock(&done.lock);
    pthread_join(worker, NULL);
    PQfinish(pg);
}

int
main(int argc, char **argv)
{
    size_t count = argc < 6 ? 0 : strtoul(argv[3], NULL, 10);
    double seconds = argc < 6 ? 0 : strtod(argv[4], NULL);
    struct limit_process *all = calloc(count + 1, sizeof *all);

    if (count == 0 || count > 4096 || seconds <= 0 || all == NULL) {
        (void)fprintf(stderr, "usage: limit_pg strict|model URL COUNT SECONDS BYTES [BATCH]\n");
        return 2;
    }
    url = argv[2];
    delta = limit_delta(strtoul(argv[5], NULL, 10));
    samples = calloc(MOST_SAMPLES, sizeof *samples);
    if (samples == NULL)
        limit_die("samples", "no memory");
    if (argc > 7)
        limit_leave_out(argv[7]);
    if (argc > 6)
        batch_most = strtoul(argv[6], NULL, 10);
    if (batch_most < 1 || batch_most > 256)
        limit_die("batch", "1 to 256");
    limit_open(url);
    for (size_t i = 0; i < count; i++)
        limit_process_init(&all[i], LP_DIALECT_POSTGRES, (unsigned)i, delta);
    if (strcmp(argv[1], "strict") == 0)
        run_strict(all, count, seconds);
    else
        run_model(all, count, seconds);
    free(all);
    free(delta);
    free(samples);
    return 0;
}
