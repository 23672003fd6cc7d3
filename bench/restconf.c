/* The RESTCONF client against curl's own multi handle: the same GET to the same elements over kept
 * TLS connections, at equal concurrency, in turns.
 *
 *   restconf [SECONDS]    prints {"one": {...}, "many": {...}} with requests/s and CPU per request
 *
 * The elements are a process of their own, so that CPU figures are the client's alone. "one": one
 * element that answers after 10 ms, its two sessions busy. "many": 200 such elements, asked in turn
 * by 64 threads that take a session from the pool for every request, as steps do. "bare": one that
 * answers at once: what a request costs. Our client checks bodies against YANG, builds documents
 * and evidence; curl only receives. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/restconf/client_env.h"

#define MANY   200
#define WIDTH  64
#define ROUNDS 3
#define PATH   "/data/box:ne/shelf=1"

static const char data[] =
    "{\"box:ne\":{\"name\":\"n1\",\"mhz\":193500000,\"shelf\":[{\"shelf-id\":1,\"admin\":\"up\","
    "\"port\":[{\"port-id\":1,\"kind\":\"line\",\"label\":\"LP-42 to lp.mil1 1-A-3-T1\"},"
    "{\"port-id\":2,\"kind\":\"line\",\"label\":\"LP-43 to lp.mil1 1-A-3-T2\"},"
    "{\"port-id\":3,\"kind\":\"client\",\"label\":\"LP-42\"},"
    "{\"port-id\":4,\"kind\":\"client\",\"label\":\"LP-43\"}]}]}}";

struct figures {
    double per_s, cpu_us;
};

static double
now_s(clockid_t clock)
{
    struct timespec at;

    (void)clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void
die(const char *what)
{
    (void)fprintf(stderr, "restconf: %s\n", what);
    exit(1);
}

/* ---- the elements ---- */

struct elements {
    int ports[MANY], count, pipe_in;
    pid_t pid;
};

static void
serve(int delay_ms, int count, int out, int in)
{
    struct node *nodes[MANY];
    int ports[MANY];
    char bye;

    for (int i = 0; i < count; i++) {
        nodes[i] = node_start(NODE_GOOD);
        node_load(nodes[i], data);
        node_delay_ms(nodes[i], delay_ms);
        ports[i] = node_port(nodes[i]);
    }
    if (write(out, ports, sizeof ports) != (ssize_t)sizeof ports)
        _exit(1);
    (void)!read(in, &bye, 1);
    _exit(0);
}

static void
start(struct elements *e, int delay_ms, int count)
{
    int out[2], in[2];

    if (pipe(out) != 0 || pipe(in) != 0)
        die("no pipe");
    e->count = count;
    e->pid = fork();
    if (e->pid == 0) {
        (void)close(in[1]);
        serve(delay_ms, count, out[1], in[0]);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    e->pipe_in = in[1];
    if (e->pid < 0 || read(out[0], e->ports, sizeof e->ports) != (ssize_t)sizeof e->ports)
        die("no elements");
    (void)close(out[0]);
}

static void
stop(struct elements *e)
{
    (void)close(e->pipe_in);
    (void)waitpid(e->pid, NULL, 0);
}

/* ---- curl's multi handle ---- */

static size_t
swallow(char *bytes, size_t size, size_t count, void *arg)
{
    lp_buf_add(arg, bytes, size * count);
    return size * count;
}

static CURL *
request_of(struct curl_slist *headers, struct lp_buf *body)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_CAINFO, node_trust()->ca_file);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_USERPWD, "svc:pw/\"1");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, body);
    return easy;
}

/* The next element in turn. */
static void
point_at(CURL *easy, const struct elements *e, unsigned *next)
{
    char url[128];

    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d/restconf" PATH,
                   e->ports[(*next)++ % (unsigned)e->count]);
    curl_easy_setopt(easy, CURLOPT_URL, url);
}

static uint64_t
turn_multi(CURLM *multi, const struct elements *e, unsigned *next)
{
    uint64_t done = 0;
    CURLMsg *msg;
    int left;

    (void)curl_multi_perform(multi, &left);
    while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
        CURL *easy = msg->easy_handle;
        struct lp_buf *body = NULL;
        long status = 0;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (msg->data.result != CURLE_OK || status != 200)
            die("curl was refused");
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&body);
        lp_buf_reset(body);
        curl_multi_remove_handle(multi, easy);
        point_at(easy, e, next);
        curl_multi_add_handle(multi, easy);
        done++;
    }
    return done;
}

static struct figures
run_multi(const struct elements *e, int width, double seconds)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/yang-data+json");
    CURLM *multi = curl_multi_init();
    struct lp_buf *bodies = calloc((size_t)width, sizeof *bodies);
    CURL **easies = calloc((size_t)width, sizeof(CURL *));
    uint64_t done = 0, warm = 0;
    unsigned next = 0;
    double begun, cpu;

    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)(e->count > width ? e->count : width));
    for (int i = 0; i < width; i++) {
        easies[i] = request_of(headers, &bodies[i]);
        point_at(easies[i], e, &next);
        curl_multi_add_handle(multi, easies[i]);
    }
    while (warm < (uint64_t)(width + e->count) * 2) { /* every connection stands */
        warm += turn_multi(multi, e, &next);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    begun = now_s(CLOCK_MONOTONIC);
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    while (now_s(CLOCK_MONOTONIC) - begun < seconds) {
        done += turn_multi(multi, e, &next);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    begun = now_s(CLOCK_MONOTONIC) - begun;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (int i = 0; i < width; i++) {
        curl_multi_remove_handle(multi, easies[i]);
        curl_easy_cleanup(easies[i]);
        lp_buf_free(&bodies[i]);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    free(bodies);
    free(easies);
    return (struct figures){(double)done / begun, cpu * 1e6 / (double)done};
}

/* ---- ours ---- */

struct worker {
    pthread_t thread;
    struct client *client;
    const struct elements *elements;
    struct lp_call call;
    pthread_barrier_t *ready;
    atomic_uint *next;
    atomic_bool *stop;
    uint64_t done;
};

static int64_t
plenty(void *ctx)
{
    (void)ctx;
    return 60000;
}

static enum lp_code
go(void *ctx, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    return LP_OK;
}

static void
keep(void *ctx, const struct lp_exchange *exchange)
{
    (void)ctx;
    (void)exchange;
}

static void
hush(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

/* A handle, a request, and the session goes back to the pool. */
static bool
ask(struct worker *w)
{
    unsigned turn = atomic_fetch_add(w->next, 1);
    int port = w->elements->ports[turn % (unsigned)w->elements->count];
    char address[64], name[64];
    const char *addresses[] = {address};
    const struct lp_element element = {
        .id = name, .name = name, .node = name, .addresses = addresses, .address_count = 1};
    struct lp_restconf *rc = NULL;
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;
    bool busy = false;

    (void)snprintf(address, sizeof address, "127.0.0.1:%d", port);
    (void)snprintf(name, sizeof name, "e%d", port);
    if (lp_restconf_new(w->client->host, &element, &w->client->profile, &rc, &err) != LP_OK)
        die(err.msg);
    if (lp_restconf_get(rc, &w->call, PATH, NULL, &out, &err) != LP_OK) {
        busy = lp_restconf_is_busy(&err); /* both sessions are out: the next element */
        if (!busy)
            die(err.msg);
        lp_err_clear(&err);
    }
    json_decref(out);
    lp_restconf_free(rc);
    return !busy;
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    w->call = (struct lp_call){NULL, plenty, go, keep, hush, NULL, NULL};
    for (int i = 0; i < w->elements->count * 4 / WIDTH + 4; i++) /* every connection stands */
        (void)ask(w);
    (void)pthread_barrier_wait(w->ready);
    (void)pthread_barrier_wait(w->ready);
    while (!atomic_load_explicit(w->stop, memory_order_relaxed))
        w->done += ask(w);
    return NULL;
}

static struct figures
run_ours(struct client *client, const struct elements *e, int width, double seconds)
{
    struct worker *workers = calloc((size_t)width, sizeof *workers);
    pthread_barrier_t ready;
    atomic_bool stop_now = false;
    atomic_uint next = 0;
    uint64_t done = 0;
    double begun, cpu;

    (void)pthread_barrier_init(&ready, NULL, (unsigned)width + 1);
    for (int i = 0; i < width; i++) {
        workers[i] = (struct worker){
            .client = client, .elements = e, .ready = &ready, .next = &next, .stop = &stop_now};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("no thread");
    }
    (void)pthread_barrier_wait(&ready);
    begun = now_s(CLOCK_MONOTONIC);
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    (void)pthread_barrier_wait(&ready);
    (void)nanosleep(
        &(struct timespec){.tv_sec = (time_t)seconds,
                           .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)},
        NULL);
    atomic_store(&stop_now, true);
    begun = now_s(CLOCK_MONOTONIC) - begun;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (int i = 0; i < width; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
    }
    (void)pthread_barrier_destroy(&ready);
    free(workers);
    return (struct figures){(double)done / begun, cpu * 1e6 / (double)done};
}

/* ---- the table ---- */

static int
by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void
compare(const char *name, int delay_ms, int count, int width, double seconds)
{
    struct client client;
    struct elements elements;
    struct figures limit[ROUNDS], ours[ROUNDS];
    double ratio[ROUNDS];

    start(&elements, delay_ms, count);
    client_open(&client, NULL);
    for (int i = 0; i < ROUNDS; i++) { /* in turns: a busy machine meets both */
        limit[i] = run_multi(&elements, width, seconds);
        ours[i] = run_ours(&client, &elements, width, seconds);
        ratio[i] = ours[i].per_s / limit[i].per_s;
    }
    client_close(&client);
    stop(&elements);
    qsort(ratio, ROUNDS, sizeof *ratio, by_number);
    qsort(limit, ROUNDS, sizeof *limit, by_number); /* requests/s come first in it */
    qsort(ours, ROUNDS, sizeof *ours, by_number);
    (void)printf("\"%s\": {\"limit_per_s\": %.0f, \"ours_per_s\": %.0f, \"ratio\": %.3f, "
                 "\"limit_cpu_us\": %.1f, \"ours_cpu_us\": %.1f}",
                 name, limit[ROUNDS / 2].per_s, ours[ROUNDS / 2].per_s, ratio[ROUNDS / 2],
                 limit[ROUNDS / 2].cpu_us, ours[ROUNDS / 2].cpu_us);
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;

    (void)node_trust(); /* before the elements fork: they need the same authority */
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)printf("{");
    compare("one", 10, 1, 2, seconds);
    (void)printf(", ");
    compare("many", 10, MANY, WIDTH, seconds);
    (void)printf(", ");
    compare("bare", 0, 1, 2, seconds);
    (void)printf("}\n");
    return 0;
}
