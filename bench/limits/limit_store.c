/*
 * The same rows through our store, without an engine: what the committer itself costs.
 *
 *   limit_store URL INFLIGHT SECONDS BYTES [BATCH]
 *
 * Keeps INFLIGHT units going; each is submitted again from its acknowledgement. Prints one JSON
 * object.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/limits/rows.h"
#include "store/internal.h"

enum { MOST_SAMPLES = 1 << 22 };

static uint32_t *samples;
static atomic_size_t sample_count;
static atomic_bool measuring, stop;
static atomic_uint in_flight;
static struct lp_store *store;

static void submit(struct limit_process *p);

static void
acknowledged(void *arg, struct lp_unit *unit, enum lp_code code, struct lp_err *err)
{
    struct limit_process *p = arg;

    (void)unit;
    if (code != LP_OK)
        limit_die("unit", err->msg);
    if (atomic_load_explicit(&measuring, memory_order_relaxed)) {
        size_t at = atomic_fetch_add_explicit(&sample_count, 1, memory_order_relaxed);

        if (at < MOST_SAMPLES)
            samples[at] = (uint32_t)(limit_now_ns() - p->queued_ns);
    }
    limit_process_turn(p);
    if (atomic_load_explicit(&stop, memory_order_relaxed))
        atomic_fetch_sub(&in_flight, 1);
    else
        submit(p);
}

static void
submit(struct limit_process *p)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_arg args[LIMIT_MOST_PARAMS];

    lp_unit_key(unit, p->id);
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++) {
        const struct limit_statement *s = &p->statements[i];
        enum lp_stmt stmt = limit_statement_id(i);

        for (int k = 0; k < s->count; k++)
            args[k] = lp_text(lp_sql_table[stmt].params[k], s->values[k]);
        lp_unit_add(unit, stmt, args, (size_t)s->count);
    }
    p->queued_ns = limit_now_ns();
    lp_store_submit(store, unit, acknowledged, p);
}

static enum lp_code
add_process(struct limit_process *p)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_SVC_PROCESS_INSERT,
                LP_ARGS(lp_text("id", p->id), lp_text("workflow", "w"), lp_text("workflow_id", "w"),
                        lp_text("target", "CREATE"), lp_int("is_task", 0), lp_int("priority", 0),
                        lp_text("created_by", "me"), lp_null("ticket"), lp_null("reason"),
                        lp_text("correlation_id", "c"), lp_text("definition_hash", "h"),
                        lp_int("now", 1), lp_null("label"), lp_null("parent_id"),
                        lp_null("parent_step"), lp_null("parent_item"), lp_int("audit_seq", 0),
                        lp_text("audit_hash", ""), lp_text("status", "running"), lp_null("owner"),
                        lp_int("epoch", 0)));
    rc = lp_store_commit(store, unit, &err);
    if (rc != LP_OK)
        limit_die("insert", err.msg);
    lp_unit_free(unit);
    return rc;
}

static void
measure(double seconds)
{
    struct timespec warm = {0, 500000000}, pause = {0, 10000000};
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
    while (atomic_load(&in_flight) > 0)
        (void)nanosleep(&pause, NULL);
}

int
main(int argc, char **argv)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_store_options options = {.pool = 1, .batch = 64, .clock = &clock};
    size_t count = argc < 5 ? 0 : strtoul(argv[2], NULL, 10);
    double seconds = argc < 5 ? 0 : strtod(argv[3], NULL);
    struct limit_process *all = calloc(count + 1, sizeof *all);
    struct lp_err err = LP_ERR_INIT;
    char *delta;

    if (count == 0 || count > 4096 || seconds <= 0 || all == NULL) {
        (void)fprintf(stderr, "usage: limit_store URL INFLIGHT SECONDS BYTES [BATCH]\n");
        return 2;
    }
    options.url = argv[1];
    if (argc > 5)
        options.batch = (unsigned)strtoul(argv[5], NULL, 10);
    delta = limit_delta(strtoul(argv[4], NULL, 10));
    samples = calloc(MOST_SAMPLES, sizeof *samples);
    if (samples == NULL)
        limit_die("samples", "no memory");
    limit_open(options.url);
    if (lp_store_open(&options, &store, &err) != LP_OK)
        limit_die("open", err.msg);
    for (size_t i = 0; i < count; i++) {
        limit_process_init(&all[i], lp_store_dialect(store), (unsigned)i, delta);
        if (add_process(&all[i]) == LP_OK)
            atomic_fetch_add(&in_flight, 1);
    }
    for (size_t i = 0; i < count; i++)
        submit(&all[i]);
    measure(seconds);
    lp_store_close(store);
    free(all);
    free(delta);
    free(samples);
    return 0;
}
