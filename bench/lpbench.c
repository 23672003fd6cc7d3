/*
 * Measures our engine with the rows it really writes (steps, attempts, audit, outbox). Prints one
 * JSON object.
 *
 *   lpbench steps  URL INFLIGHT GROUP SECONDS BYTES
 *       no-op steps, 10 a process, BYTES of delta text each
 *   lpbench apart  URL NAME INFLIGHT SECONDS BYTES WAIT_MS
 *       the same as one of several executors, each step waiting so long; begins when a line is read
 *   lpbench flat   URL STEPS
 *       one process whose state grows by 200 bytes a step
 *   lpbench fan    URL CHILDREN
 *       one process with that many children, to its end
 *   lpbench parked URL COUNT
 *       COUNT suspended processes: resident memory they cost
 *   lpbench storm  URL COUNT
 *       COUNT failed processes resumed at once; meanwhile somebody looks at one of them
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "engine/engine.h"
#include "engine/run.h"
#include "queue/queue.h"

#define STEPS_EACH    10
#define MAX_SAMPLES   (1u << 20)
#define MOST_STARTERS 16

static char *filler; /* delta text of the requested size */
static sem_t finished;
static atomic_ulong sample_count;
static uint32_t
    *samples; /* ns from the end of a step to the start of the next one of the same process */
static atomic_bool measuring;
static size_t flat_steps;
static long wait_ms;
static atomic_bool failing; /* the first step of a storm's processes fails */
static int64_t *flat_at;

static int64_t
now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
sample(int64_t ns)
{
    unsigned long n;

    if (!atomic_load_explicit(&measuring, memory_order_relaxed))
        return;
    n = atomic_fetch_add_explicit(&sample_count, 1, memory_order_relaxed);
    if (n < MAX_SAMPLES)
        samples[n] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void
rest(double seconds)
{
    struct timespec ts = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    (void)nanosleep(&ts, NULL);
}

static enum lp_code
run_step(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t begun = now_ns();
    int64_t ended = lp_json_int(state, "ended", 0);

    (void)err;
    if (ended != 0)
        sample(begun - ended);
    if (wait_ms > 0)
        rest((double)wait_ms / 1e3);
    (void)json_object_set_new_nocheck(delta, "data", json_string_nocheck(filler));
    if (strcmp(run->step->key, "s9") == 0)
        (void)sem_post(&finished);
    (void)json_object_set_new_nocheck(delta, "ended", json_integer(now_ns()));
    return LP_OK;
}

static enum lp_code
run_flat(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    char key[32];

    (void)state;
    (void)err;
    flat_at[run->index] = now_ns();
    (void)snprintf(key, sizeof key, "key%zu", run->index);
    (void)json_object_set_new_nocheck(delta, key, json_string_nocheck(filler));
    if (run->index + 1 == flat_steps)
        (void)sem_post(&finished);
    return LP_OK;
}

static enum lp_code
count_flat(struct lp_run *run, const json_t *state, size_t *count, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    *count = flat_steps;
    return LP_OK;
}

static enum lp_code
build_question(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    struct lp_field field = {
        .name = "answer", .kind = LP_FIELD_INT, .required = true, .required_in = -1};

    (void)ctx;
    (void)err;
    (void)lp_form_page_add(page, &field);
    return LP_OK;
}

static enum lp_code
run_storm(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)delta;
    return atomic_load(&failing) ? lp_fail(err, LP_REFUSED, "not yet") : LP_OK;
}

#define STEP(n)                                                                                    \
    static const struct lp_step s##n = {.key = "s" #n,                                             \
                                        .title = "Step " #n,                                       \
                                        .kind = LP_STEP_ACTION,                                    \
                                        .effects = LP_EFFECT_NONE,                                 \
                                        .run = run_step,                                           \
                                        .no_undo = "does nothing"}
STEP(0);
STEP(1);
STEP(2);
STEP(3);
STEP(4);
STEP(5);
STEP(6);
STEP(7);
STEP(8);
STEP(9);
static const struct lp_step breaks = {.key = "breaks",
                                      .title = "Fails at first",
                                      .kind = LP_STEP_ACTION,
                                      .effects = LP_EFFECT_NONE,
                                      .run = run_storm,
                                      .no_undo = "does nothing"};
static const struct lp_step *const storm_list[] = {&breaks, &s0, &s1, &s2, &s3, &s4,
                                                   &s5,     &s6, &s7, &s8, &s9};
static const struct lp_step *const noop_steps[] = {&s0, &s1, &s2, &s3, &s4,
                                                   &s5, &s6, &s7, &s8, &s9};
static const struct lp_step flat = {.key = "flat",
                                    .title = "Grow",
                                    .kind = LP_STEP_EACH,
                                    .effects = LP_EFFECT_NONE,
                                    .count = count_flat,
                                    .run = run_flat,
                                    .no_undo = "does nothing"};
static const struct lp_step *const flat_list[] = {&flat};
/* As many children as asked for, with their rows' worth of pages: what an import does. */
static enum lp_code
fan_items(struct lp_run *run, const json_t *state, json_t *items, struct lp_err *err)
{
    (void)run;
    (void)state;
    (void)err;
    for (size_t i = 0; i < flat_steps; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "row %zu", i);
        (void)json_array_append_new(items,
                                    json_pack("{s:s, s:s, s:[{}], s:s}", "item", name, "workflow",
                                              "bench_child", "pages", "note", filler));
    }
    return LP_OK;
}

static enum lp_code
run_nothing(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    (void)state;
    (void)delta;
    (void)err;
    if (strcmp(run->step->key, "last") == 0)
        (void)sem_post(&finished);
    return LP_OK;
}

static const struct lp_step child = {.key = "child",
                                     .title = "Nothing",
                                     .kind = LP_STEP_ACTION,
                                     .effects = LP_EFFECT_NONE,
                                     .run = run_nothing,
                                     .no_undo = "does nothing"};
static const struct lp_step last = {.key = "last",
                                    .title = "The last",
                                    .kind = LP_STEP_ACTION,
                                    .effects = LP_EFFECT_NONE,
                                    .run = run_nothing,
                                    .no_undo = "does nothing"};
static const struct lp_step fan = {.key = "fan",
                                   .title = "Fan out",
                                   .kind = LP_STEP_FANOUT,
                                   .items = fan_items,
                                   .max_open = 128,
                                   .no_undo = "children end by themselves"};
static const struct lp_step *const child_list[] = {&child};
static const struct lp_step *const fan_list[] = {&fan, &last};
static const struct lp_page pages[] = {{.title = "Question", .build = build_question}};
static const struct lp_form form = {LP_PAGES(pages)};
static const struct lp_step ask = {
    .key = "ask", .title = "Ask", .kind = LP_STEP_INPUT, .form = &form, .no_undo = "asks only"};
static const struct lp_step *const parked_list[] = {&ask};

static const struct lp_workflow rows[] = {
    {.name = "bench_noop",
     .description = "Ten steps that do nothing",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(noop_steps)},
    {.name = "bench_flat",
     .description = "One long process",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(flat_list)},
    {.name = "bench_child",
     .description = "One of many children",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(child_list)},
    {.name = "bench_fan",
     .description = "Many children",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(fan_list)},
    {.name = "bench_parked",
     .description = "Waits for an answer",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(parked_list)},
    {.name = "bench_storm",
     .description = "Fails until it is resumed",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     LP_STEPS(storm_list)},
};
static const struct lp_workflow_set set = {rows, LP_COUNT(rows)};

struct bench {
    struct lp_clock clock;
    struct lp_conf *conf;
    struct lp_log *log;
    struct lp_catalog *catalog;
    struct lp_store *store;
    struct lp_queue *queue;
    struct lp_engine *engine;
};

static const struct lp_caller caller = {
    .actor = "bench", .role = LP_ROLE_ADMIN, .correlation_id = "bench"};

static void
die(const char *what, const struct lp_err *err)
{
    (void)fprintf(stderr, "lpbench: %s: %s\n", what, err->msg);
    exit(1);
}

static void
open_bench(struct bench *b, const char *url, unsigned group, const char *const *settings,
           size_t setting_count)
{
    static const char *const dirs[] = {LP_YANG_DIR};
    static const struct lp_workflow_set *const sets[] = {&set};
    struct lp_err err = LP_ERR_INIT;
    struct lp_store_options store = {.url = url, .pool = 2, .batch = group, .clock = &b->clock};
    struct lp_engine_options options;
    unsigned applied;

    b->log = lp_log_new(2, LP_LOG_ERROR, &b->clock);
    store.log = b->log;
    if (lp_conf_load(NULL, settings, setting_count, &b->conf, &err) != LP_OK
        || lp_catalog_load(dirs, 1, &b->catalog, &err) != LP_OK
        || lp_store_migrate(&store, &applied, &err) != LP_OK
        || lp_store_open(&store, &b->store, &err) != LP_OK)
        die("open", &err);
    b->queue = lp_queue_local_new(100000);
    options = (struct lp_engine_options){.store = b->store,
                                         .catalog = b->catalog,
                                         .conf = b->conf,
                                         .clock = &b->clock,
                                         .log = b->log,
                                         .queue = b->queue,
                                         .sets = sets,
                                         .set_count = 1};
    if (lp_engine_new(&options, &b->engine, &err) != LP_OK
        || lp_engine_run(b->engine, &err) != LP_OK)
        die("engine", &err);
}

static void
close_bench(struct bench *b)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_engine_stop(b->engine, 30000, &err) != LP_OK)
        die("stop", &err);
    lp_engine_free(b->engine);
    lp_store_close(b->store);
    b->queue->ops->free(b->queue);
    lp_catalog_free(b->catalog);
    lp_conf_free(b->conf);
    lp_log_free(b->log);
}

static void
start(struct bench *b, const char *workflow)
{
    char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;

    if (lp_engine_start(b->engine, &caller, workflow, NULL, NULL, NULL, id, &err) != LP_OK)
        die("start", &err);
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double
cpu_us(void)
{
    struct rusage ru;

    (void)getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6
           + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

struct starter {
    struct bench *bench;
    pthread_t thread;
    atomic_bool *over;
};

/* Whenever a process ends the next one begins; several starters, so that starting is no queue of
 * its own. */
static void *
keep_starting(void *arg)
{
    struct starter *starter = arg;

    while (!atomic_load(starter->over)) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_nsec += 50000000;
        ts.tv_sec += ts.tv_nsec / 1000000000;
        ts.tv_nsec %= 1000000000;
        if (sem_timedwait(&finished, &ts) == 0 && !atomic_load(starter->over))
            start(starter->bench, "bench_noop");
    }
    return NULL;
}

static uint64_t
durable_steps(struct bench *b)
{
    struct lp_engine_stats stats;

    lp_engine_stats(b->engine, &stats);
    return stats.steps;
}

static void
report_steps(uint64_t steps, double elapsed, double cpu)
{
    unsigned long count = atomic_load(&sample_count);

    if (count > MAX_SAMPLES)
        count = MAX_SAMPLES;
    qsort(samples, count, sizeof *samples, by_value);
    (void)printf("{\"steps_per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us_per_step\": "
                 "%.2f, \"steps\": %llu}\n",
                 (double)steps / elapsed, count == 0 ? 0.0 : (double)samples[count / 2] / 1e3,
                 count == 0 ? 0.0 : (double)samples[count - 1 - count / 100] / 1e3,
                 steps == 0 ? 0.0 : cpu / (double)steps, (unsigned long long)steps);
}

/* Durable steps are what the engine commits: the ten of the workflow, its first and its last. */
static void
bench_steps(struct bench *b, int inflight, double seconds)
{
    struct starter starters[MOST_STARTERS];
    int count = inflight < MOST_STARTERS ? inflight : MOST_STARTERS;
    atomic_bool over = false;
    uint64_t steps;
    int64_t begun;
    double cpu;

    for (int i = 0; i < inflight; i++)
        (void)sem_post(&finished);
    for (int i = 0; i < count; i++) {
        starters[i] = (struct starter){.bench = b, .over = &over};
        if (pthread_create(&starters[i].thread, NULL, keep_starting, &starters[i]) != 0)
            exit(1);
    }
    rest(0.5);
    cpu = cpu_us();
    begun = now_ns();
    steps = durable_steps(b);
    atomic_store(&measuring, true);
    rest(seconds);
    atomic_store(&measuring, false);
    steps = durable_steps(b) - steps;
    report_steps(steps, (double)(now_ns() - begun) / 1e9, cpu_us() - cpu);
    atomic_store(&over, true);
    for (int i = 0; i < count; i++)
        (void)pthread_join(starters[i].thread, NULL);
}

static double
median_gap_us(size_t from, size_t to)
{
    uint32_t *gaps = calloc(to - from, sizeof *gaps);
    double median;

    if (gaps == NULL)
        exit(1);
    for (size_t i = from; i < to; i++)
        gaps[i - from] = (uint32_t)(flat_at[i + 1] - flat_at[i]);
    qsort(gaps, to - from, sizeof *gaps, by_value);
    median = (double)gaps[(to - from) / 2] / 1e3;
    free(gaps);
    return median;
}

static void
bench_flat(struct bench *b)
{
    flat_at = calloc(flat_steps + 1, sizeof *flat_at);
    if (flat_at == NULL)
        exit(1);
    start(b, "bench_flat");
    while (sem_wait(&finished) != 0 && errno == EINTR)
        continue;
    (void)printf("{\"early_us\": %.1f, \"late_us\": %.1f}\n", median_gap_us(5, 55),
                 median_gap_us(flat_steps - 52, flat_steps - 2));
    free(flat_at);
}

static void
bench_fan(struct bench *b)
{
    int64_t begun = now_ns();

    start(b, "bench_fan");
    while (sem_wait(&finished) != 0 && errno == EINTR)
        continue;
    (void)printf("{\"children\": %zu, \"seconds\": %.2f}\n", flat_steps,
                 (double)(now_ns() - begun) / 1e9);
}

/* ---- several executors ---- */

/* The others wait for the same word, so that all measure the same seconds. */
static void
bench_apart(struct bench *b, int inflight, double seconds)
{
    char line[16];

    (void)printf("ready\n");
    (void)fflush(stdout);
    if (fgets(line, sizeof line, stdin) != NULL)
        bench_steps(b, inflight, seconds);
}

/* ---- a storm ---- */

static int64_t
count_of(struct bench *b, const char *sql)
{
    struct lp_rows *found = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t n;

    if (lp_query_text(b->store, sql, LP_NO_ARGS, &found, &err) != LP_OK)
        die("count", &err);
    n = lp_rows_int(found, 0, "n");
    lp_rows_free(found);
    return n;
}

static void
until_count(struct bench *b, const char *sql, int64_t count)
{
    while (count_of(b, sql) < count)
        rest(0.02);
}

/* What GET /api/processes/{id} asks, every five milliseconds. */
struct looker {
    struct bench *bench;
    const char *id;
    pthread_t thread;
    atomic_bool over;
    uint32_t *took;
    size_t count;
};

static void *
keep_looking(void *arg)
{
    struct looker *l = arg;

    while (!atomic_load(&l->over) && l->count < MAX_SAMPLES) {
        int64_t begun = now_ns();
        struct lp_err err = LP_ERR_INIT;
        json_t *doc = NULL;

        if (lp_engine_process(l->bench->engine, &caller, l->id, &doc, &err) != LP_OK)
            die("look", &err);
        json_decref(doc);
        l->took[l->count++] = (uint32_t)(now_ns() - begun);
        rest(0.005);
    }
    return NULL;
}

static void
look(struct looker *l)
{
    atomic_store(&l->over, false);
    l->count = 0;
    if (pthread_create(&l->thread, NULL, keep_looking, l) != 0)
        exit(1);
}

static double
looked_p99_us(struct looker *l)
{
    atomic_store(&l->over, true);
    (void)pthread_join(l->thread, NULL);
    qsort(l->took, l->count, sizeof *l->took, by_value);
    return l->count == 0 ? 0 : (double)l->took[l->count - 1 - l->count / 100] / 1e3;
}

static void
bench_storm(struct bench *b, int count)
{
    char id[LP_UUID_LEN + 1];
    struct looker looker = {.bench = b, .id = id, .took = calloc(MAX_SAMPLES, sizeof(uint32_t))};
    struct lp_err err = LP_ERR_INIT;
    double quiet, storm, seconds;
    uint64_t steps;
    int64_t resumed = 0;
    int64_t begun;

    if (looker.took == NULL)
        exit(1);
    atomic_store(&failing, true);
    for (int i = 0; i < count; i++)
        if (lp_engine_start(b->engine, &caller, "bench_storm", NULL, NULL, NULL, id, &err) != LP_OK)
            die("start", &err);
    until_count(b, "SELECT count(*) AS n FROM processes WHERE status = 'failed'", count);
    atomic_store(&failing, false);
    look(&looker);
    rest(2);
    quiet = looked_p99_us(&looker);
    look(&looker);
    steps = durable_steps(b);
    begun = now_ns();
    if (lp_engine_resume_all(b->engine, &caller, &resumed, &err) != LP_OK)
        die("resume", &err);
    until_count(b, "SELECT count(*) AS n FROM processes WHERE status = 'completed'", count);
    seconds = (double)(now_ns() - begun) / 1e9;
    storm = looked_p99_us(&looker);
    (void)printf("{\"resumed\": %lld, \"seconds\": %.2f, \"steps_per_s\": %.0f, "
                 "\"quiet_p99_us\": %.1f, \"storm_p99_us\": %.1f}\n",
                 (long long)resumed, seconds, (double)(durable_steps(b) - steps) / seconds, quiet,
                 storm);
    free(looker.took);
}

static long
resident_kb(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    long kb = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %ld", &kb) == 1)
            break;
    if (file != NULL)
        (void)fclose(file);
    return kb;
}

#define PARKED "SELECT count(*) AS n FROM processes WHERE status = 'suspended'"

static void
park(struct bench *b, int count)
{
    int64_t before = count_of(b, PARKED);

    for (int i = 0; i < count; i++)
        start(b, "bench_parked");
    until_count(b, PARKED, before + count);
}

static void
bench_parked(struct bench *b, int count)
{
    long before;

    park(b, 4000); /* the caches of the database are full, threads and pools are warm */
    before = resident_kb();
    park(b, count);
    (void)printf("{\"kb\": %ld, \"count\": %d}\n", resident_kb() - before, count);
}

static void
fill(size_t bytes)
{
    filler = malloc(bytes + 1);
    samples = calloc(MAX_SAMPLES, sizeof *samples);
    if (filler == NULL || samples == NULL || sem_init(&finished, 0, 0) != 0)
        exit(1);
    for (size_t i = 0; i < bytes; i++) /* compresses about as badly as configuration text */
        filler[i] = (char)('a' + (i * 7919 + i * i / 13) % 26);
    filler[bytes] = '\0';
}

static void
run_steps(struct bench *b, char **argv)
{
    fill(strtoul(argv[6], NULL, 10));
    open_bench(b, argv[2], (unsigned)strtoul(argv[4], NULL, 10), NULL, 0);
    bench_steps(b, (int)strtol(argv[3], NULL, 10), strtod(argv[5], NULL));
}

static void
run_apart(struct bench *b, char **argv)
{
    char name[128], threads[64];
    const char *const settings[] = {name, threads};

    (void)snprintf(name, sizeof name, "daemon.name=%s", argv[3]);
    (void)snprintf(threads, sizeof threads, "executor.threads=%s", argv[4]);
    wait_ms = strtol(argv[7], NULL, 10);
    fill(strtoul(argv[6], NULL, 10));
    open_bench(b, argv[2], 64, settings, LP_COUNT(settings));
    bench_apart(b, (int)strtol(argv[4], NULL, 10), strtod(argv[5], NULL));
}

static void
run_flat_mode(struct bench *b, char **argv)
{
    flat_steps = strtoul(argv[3], NULL, 10);
    fill(200);
    open_bench(b, argv[2], 64, NULL, 0);
    bench_flat(b);
}

static void
run_fan(struct bench *b, char **argv)
{
    flat_steps = strtoul(argv[3], NULL, 10);
    fill(200);
    open_bench(b, argv[2], 64, NULL, 0);
    bench_fan(b);
}

static void
run_parked(struct bench *b, char **argv)
{
    fill(200);
    open_bench(b, argv[2], 64, NULL, 0);
    bench_parked(b, (int)strtol(argv[3], NULL, 10));
}

static void
run_storm_mode(struct bench *b, char **argv)
{
    fill(2048);
    open_bench(b, argv[2], 64, NULL, 0);
    bench_storm(b, (int)strtol(argv[3], NULL, 10));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        void (*run)(struct bench *b, char **argv);
    } modes[] = {
        {"steps", 7, run_steps}, {"apart", 8, run_apart},   {"flat", 4, run_flat_mode},
        {"fan", 4, run_fan},     {"parked", 4, run_parked}, {"storm", 4, run_storm_mode},
    };
    struct bench b = {.clock = LP_CLOCK_INIT};

    for (size_t i = 0; i < LP_COUNT(modes); i++)
        if (argc == modes[i].words && strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(&b, argv);
            close_bench(&b);
            free(filler);
            free(samples);
            return 0;
        }
    (void)fprintf(stderr, "usage: lpbench steps URL INFLIGHT GROUP SECONDS BYTES | apart URL NAME "
                          "INFLIGHT SECONDS BYTES WAIT_MS | flat URL STEPS | fan URL CHILDREN | "
                          "parked URL COUNT | storm URL COUNT\n");
    return 2;
}
