/*
 * Dispatch: from the announcement of a process to the claim that another daemon's executor commits,
 * through one carrier of hints.
 *
 *     dispatch redis HOST:PORT STORE-URL RATE SECONDS
 *     dispatch postgresql - STORE-URL RATE SECONDS
 *
 * One line of JSON: hints alone and with a durable write behind each, microseconds. The schema must
 * be fresh.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/queue.h"
#include "store/db.h"

enum { MOST = 100000 };

static struct lp_clock the_clock = LP_CLOCK_INIT;
static struct {
    struct lp_queue *out;
    struct lp_store *store;
    int64_t *sent, *hint, *done;
    atomic_size_t got;
} g;

static _Noreturn void
die(const char *what, const char *why)
{
    (void)fprintf(stderr, "dispatch: %s: %s\n", what, why);
    exit(1);
}

static void *
receiver(void *arg)
{
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];

    (void)arg;
    while (g.out->ops->pop(g.out, -1, LP_QUEUE_ALL, id, &err) != LP_CANCELLED) {
        size_t n = (size_t)strtoul(id + 24, NULL, 10);

        lp_err_clear(&err);
        if (n >= MOST || g.hint[n] != 0)
            continue;
        g.hint[n] = lp_clock_mono_us(&the_clock);
        if (g.sent[n] != 0 && lp_store_ping(g.store, &err) != LP_OK)
            die("commit", err.msg);
        g.done[n] = lp_clock_mono_us(&the_clock);
        atomic_fetch_add(&g.got, 1);
    }
    lp_err_clear(&err);
    return NULL;
}

static struct lp_queue *
make(char **argv, bool pops)
{
    const struct lp_queue_redis_options redis = {
        .hosts = argv[2], .prefix = "dispatch", .bound = MOST, .clock = &the_clock};
    const struct lp_queue_postgres_options postgres = {
        .url = argv[3], .schema = "dispatch", .pops = pops, .bound = MOST, .clock = &the_clock};
    struct lp_queue *queue = NULL;
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = strcmp(argv[1], "redis") == 0
                          ? lp_queue_redis_new(&redis, &queue, &err)
                          : lp_queue_postgres_new(&postgres, &queue, &err);

    if (rc != LP_OK)
        die("queue", err.msg);
    return queue;
}

static void
push(struct lp_queue *queue, size_t n)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    (void)snprintf(id, sizeof id, "00000000-0000-7000-8000-%012zu", n % 1000000000000u);
    if (queue->ops->push(queue, id, 0, NULL, &err) != LP_OK)
        die("push", err.msg);
}

static void
nap_until(int64_t at_us)
{
    int64_t left = at_us - lp_clock_mono_us(&the_clock);
    struct timespec time = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};

    if (left > 0)
        (void)nanosleep(&time, NULL);
}

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static long long
part(int64_t *values, size_t count, size_t percent)
{
    qsort(values, count, sizeof *values, by_value);
    return (long long)values[(count - 1) * percent / 100];
}

/** Until hints arrive: the queues connect in the background. */
static void
warm_up(struct lp_queue *in)
{
    for (int i = 0; atomic_load(&g.got) == 0; i++) {
        if (i > 300)
            die("queue", "nothing arrives");
        push(in, MOST - 1);
        nap_until(lp_clock_mono_us(&the_clock) + 100000);
    }
    nap_until(lp_clock_mono_us(&the_clock) + 1500000);
}

static void
measure(struct lp_queue *in, int rate, size_t count)
{
    int64_t begun = lp_clock_mono_us(&the_clock);
    size_t arrived = 0;

    for (size_t n = 0; n < count; n++) {
        nap_until(begun + (int64_t)n * 1000000 / rate);
        g.sent[n] = lp_clock_mono_us(&the_clock);
        push(in, n);
    }
    nap_until(lp_clock_mono_us(&the_clock) + 2000000);
    for (size_t n = 0; n < count; n++)
        if (g.done[n] != 0) {
            int64_t sent = g.sent[n];

            g.hint[arrived] = g.hint[n] - sent;
            g.done[arrived++] = g.done[n] - sent;
        }
    if (arrived == 0)
        die("queue", "nothing arrived");
    (void)printf("{\"rate\": %d, \"sent\": %zu, \"arrived\": %zu, \"hint_p50_us\": %lld, "
                 "\"hint_p99_us\": %lld, \"commit_p50_us\": %lld, \"commit_p99_us\": %lld}\n",
                 rate, count, arrived, part(g.hint, arrived, 50), part(g.hint, arrived, 99),
                 part(g.done, arrived, 50), part(g.done, arrived, 99));
}

int
main(int argc, char **argv)
{
    struct lp_store_options options = {
        .url = argc == 6 ? argv[3] : "", .pool = 1, .clock = &the_clock};
    struct lp_err err = LP_ERR_INIT;
    unsigned applied = 0;
    pthread_t thread;
    struct lp_queue *in;
    int rate, seconds;

    if (argc != 6)
        die("usage", "dispatch redis|postgresql HOST|- STORE-URL RATE SECONDS");
    rate = (int)strtol(argv[4], NULL, 10);
    seconds = (int)strtol(argv[5], NULL, 10);
    if (rate <= 0 || seconds <= 0 || (int64_t)rate * seconds >= MOST)
        die("usage", "rate and seconds are out of range");
    g.sent = calloc(MOST, sizeof *g.sent);
    g.hint = calloc(MOST, sizeof *g.hint);
    g.done = calloc(MOST, sizeof *g.done);
    if (g.sent == NULL || g.hint == NULL || g.done == NULL)
        die("memory", "none");
    if (lp_store_migrate(&options, &applied, &err) != LP_OK
        || lp_store_open(&options, &g.store, &err) != LP_OK)
        die("store", err.msg);
    g.out = make(argv, true);
    in = make(argv, false);
    if (pthread_create(&thread, NULL, receiver, NULL) != 0)
        die("thread", "cannot be started");
    warm_up(in);
    measure(in, rate, (size_t)rate * (size_t)seconds);
    g.out->ops->close(g.out);
    (void)pthread_join(thread, NULL);
    g.out->ops->free(g.out);
    in->ops->free(in);
    lp_store_close(g.store);
    free(g.sent);
    free(g.hint);
    free(g.done);
    return 0;
}
