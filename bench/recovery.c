/*
 * How long work of a dead executor stays undone: one that holds COUNT claimed processes, each in a
 * simulated wait for a device, is killed; until the last of them is claimed by another.
 *
 *     recovery POSTGRESQL-URL LEASE_MS COUNT
 *
 * One line of JSON: {"lease_ms", "count", "first_ms", "last_ms", "limit_ms"}; exit code 1 when the
 * last one came later than the lease and two seconds. The schema of the database must be fresh.
 */
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/run.h"
#include "queue/queue.h"
#include "scheduler/sweeper.h"

enum { WAIT_S = 60, LOOK_MS = 500, PATIENCE_S = 120, SLACK_MS = 2000 };

static struct lp_clock the_clock = LP_CLOCK_INIT;
static const struct lp_caller caller = {
    .actor = "bench", .role = LP_ROLE_ADMIN, .correlation_id = "bench"};

static void
nap(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    (void)nanosleep(&time, NULL);
}

static _Noreturn void
die(const char *what, const char *why)
{
    (void)fprintf(stderr, "recovery: %s: %s\n", what, why);
    exit(1);
}

static void
must(enum lp_code rc, const char *what, struct lp_err *err)
{
    if (rc != LP_OK)
        die(what, err->msg);
}

/* ---- the work ---- */

static enum lp_code
wait_for_device(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    int64_t end = lp_clock_mono_us(run->clock) + (int64_t)WAIT_S * 1000000;
    enum lp_code rc = LP_OK;

    (void)state;
    (void)delta;
    while (rc == LP_OK && lp_clock_mono_us(run->clock) < end) {
        nap(LOOK_MS);
        rc = lp_run_check(run, err);
    }
    return rc;
}

static const struct lp_step step = {.key = "device",
                                    .title = "Wait for a device",
                                    .kind = LP_STEP_ACTION,
                                    .effects = LP_EFFECT_EXTERNAL,
                                    .timeout_ms = 300000,
                                    .no_undo = "reads only",
                                    .run = wait_for_device};
static const struct lp_step *const steps[] = {&step};
static const struct lp_workflow workflows[] = {{.name = "bench_device",
                                                .description = "Waits for a device",
                                                .target = LP_TARGET_SYSTEM,
                                                .role = LP_ROLE_OPERATE,
                                                LP_STEPS(steps)}};
static const struct lp_workflow_set set = {workflows, LP_COUNT(workflows)};

/* ---- an executor in a program of its own ---- */

struct executor {
    const char *url, *name;
    int lease_ms, count; /* count: processes it starts */
    bool sweeps;
};

static struct lp_conf *
configure(const struct executor *e)
{
    char lease[64], beat[64], name[64];
    const char *lines[] = {lease, beat, name, "executor.threads=1024"};
    struct lp_conf *conf = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)snprintf(lease, sizeof lease, "executor.lease_ms=%d", e->lease_ms);
    (void)snprintf(beat, sizeof beat, "executor.heartbeat_ms=%d", e->lease_ms / 5);
    (void)snprintf(name, sizeof name, "daemon.name=%s", e->name);
    must(lp_conf_load(NULL, lines, LP_COUNT(lines), &conf, &err), "configuration", &err);
    return conf;
}

static void
start_sweeper(struct lp_engine *engine, struct lp_store *store, const struct lp_conf *conf)
{
    const struct lp_lease_options options = {.store = store,
                                             .clock = &the_clock,
                                             .name = "scheduler",
                                             .owner = lp_engine_incarnation(engine),
                                             .lease_ms = conf->scheduler_lease_ms};
    struct lp_sweeper_options sweeper = {.engine = engine, .conf = conf, .clock = &the_clock};
    struct lp_sweeper *running = NULL;
    struct lp_err err = LP_ERR_INIT;

    must(lp_lease_new(&options, &sweeper.lease, &err), "lease", &err);
    must(lp_sweeper_start(&sweeper, &running, &err), "sweeper", &err);
}

static _Noreturn void
execute(const struct executor *e)
{
    static const char *const dirs[] = {LP_YANG_DIR};
    static const struct lp_workflow_set *const sets[] = {&set};
    const struct lp_store_options store = {.url = e->url, .pool = 4, .clock = &the_clock};
    const struct lp_queue_postgres_options queue = {
        .url = e->url, .pops = true, .bound = 65536, .clock = &the_clock};
    struct lp_engine_options options = {
        .conf = configure(e), .clock = &the_clock, .sets = sets, .set_count = 1, .swept = true};
    struct lp_catalog *catalog = NULL;
    struct lp_engine *engine = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(lp_catalog_load(dirs, 1, &catalog, &err), "catalog", &err);
    options.catalog = catalog;
    must(lp_store_open(&store, &options.store, &err), "store", &err);
    must(lp_queue_postgres_new(&queue, &options.queue, &err), "queue", &err);
    must(lp_engine_new(&options, &engine, &err), "engine", &err);
    must(lp_engine_run(engine, &err), "engine", &err);
    if (e->sweeps)
        start_sweeper(engine, options.store, options.conf);
    for (int i = 0; i < e->count; i++) {
        char id[LP_UUID_LEN + 1];

        must(lp_engine_start(engine, &caller, "bench_device", NULL, NULL, NULL, id, &err), "start",
             &err);
    }
    for (;;)
        (void)pause();
}

static pid_t
launch(const struct executor *e)
{
    pid_t pid = fork();

    if (pid == 0)
        execute(e);
    if (pid < 0)
        die("fork", "failed");
    return pid;
}

/* ---- looking on ---- */

static long
count_of(PGconn *pg, const char *sql)
{
    PGresult *res = PQexec(pg, sql);
    long count;

    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        die("query", PQerrorMessage(pg));
    count = strtol(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return count;
}

static void
until(PGconn *pg, const char *sql, long count)
{
    for (int i = 0; count_of(pg, sql) < count; i++) {
        if (i > PATIENCE_S * 50)
            die("waited in vain", sql);
        nap(20);
    }
}

static PGconn *
look_on(const char *url)
{
    PGconn *pg = PQconnectdb(url);

    if (PQstatus(pg) != CONNECTION_OK)
        die("connection", PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET search_path TO lightpath"));
    return pg;
}

#define HELD_BY(name)                                                                              \
    "SELECT count(*) FROM processes p JOIN executors x ON x.incarnation = p.lease_owner WHERE "    \
    "x.name = '" name "'"

int
main(int argc, char **argv)
{
    struct lp_store_options store = {.url = argc > 1 ? argv[1] : "", .clock = &the_clock};
    struct executor first = {.url = store.url, .name = "first"},
                    second = {.url = store.url, .name = "second", .sweeps = true};
    struct lp_err err = LP_ERR_INIT;
    int64_t killed, first_ms, last_ms;
    unsigned applied = 0;
    pid_t one, two;
    PGconn *pg;

    if (argc != 4)
        die("usage", "recovery POSTGRESQL-URL LEASE_MS COUNT");
    first.lease_ms = second.lease_ms = (int)strtol(argv[2], NULL, 10);
    first.count = (int)strtol(argv[3], NULL, 10);
    must(lp_store_migrate(&store, &applied, &err), "migration", &err);
    pg = look_on(store.url);
    one = launch(&first);
    until(pg,
          "SELECT count(*) FROM step_attempts WHERE step_key = 'device' AND outcome = 'running'",
          first.count);
    two = launch(&second);
    until(pg, "SELECT count(*) FROM executors WHERE name = 'second'", 1);
    until(pg, "SELECT count(*) FROM leases WHERE expires_at > lp_now()", 1);
    (void)kill(one, SIGKILL);
    killed = lp_clock_mono_us(&the_clock);
    until(pg, HELD_BY("second"), 1);
    first_ms = (lp_clock_mono_us(&the_clock) - killed) / 1000;
    until(pg, HELD_BY("second"), first.count);
    last_ms = (lp_clock_mono_us(&the_clock) - killed) / 1000;
    (void)printf("{\"lease_ms\": %d, \"count\": %d, \"first_ms\": %lld, \"last_ms\": %lld, "
                 "\"limit_ms\": %d}\n",
                 first.lease_ms, first.count, (long long)first_ms, (long long)last_ms,
                 first.lease_ms + SLACK_MS);
    (void)kill(two, SIGKILL);
    (void)waitpid(one, NULL, 0);
    (void)waitpid(two, NULL, 0);
    PQfinish(pg);
    return last_ms > first.lease_ms + SLACK_MS;
}
