/*
 * Loads and saves of subscriptions of five blocks with eight values each. Prints one JSON object.
 *
 *   subs URL COUNT SECONDS     COUNT subscriptions; half of the time loads, half of it saves of one
 *                              that changed in every block
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/limits/rows.h"
#include "store/subscriptions.h"

enum { MOST_SAMPLES = 1 << 20, PARTS = 4, VALUES = 8 };

struct bench {
    struct lp_clock clock;
    struct lp_store *store;
    struct lp_catalog *catalog;
    const struct lp_product_type *product;
    char (*ids)[LP_UUID_LEN + 1];
    size_t count;
    unsigned turn;
};

static void
must(const char *what, enum lp_code code, const struct lp_err *err)
{
    if (code != LP_OK)
        limit_die(what, err->msg);
}

static void
set_values(json_t *block, unsigned turn)
{
    char name[16], value[48];

    for (int i = 1; i <= VALUES; i++) {
        (void)snprintf(name, sizeof name, "value_%d", i);
        (void)snprintf(value, sizeof value, "value %d of turn %u, twenty or so", i, turn);
        (void)json_object_set_new(block, name, json_string(value));
    }
}

static void
set_all(json_t *root, unsigned turn)
{
    json_t *part;
    size_t i;

    set_values(root, turn);
    json_array_foreach(json_object_get(root, "parts"), i, part) set_values(part, turn);
}

static void
save(struct bench *b, struct lp_subscription *sub)
{
    const struct lp_save_context context = {.actor = "bench", .clock = &b->clock};
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    bool changed;

    must("save", lp_subscription_save(unit, sub, b->catalog, &context, &changed, &err), &err);
    must("commit", lp_store_commit(b->store, unit, &err), &err);
    lp_unit_free(unit);
}

static void
fill(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++) {
        json_t *input = json_pack("{s:[{}, {}, {}, {}]}", "parts");
        struct lp_subscription *sub = NULL;
        struct lp_err err = LP_ERR_INIT;

        set_all(input, 0);
        must("new", lp_subscription_new(b->catalog, b->product, NULL, input, &b->clock, &sub, &err),
             &err);
        must("status", lp_subscription_set_status(sub, b->catalog, LP_LC_ACTIVE, &b->clock, &err),
             &err);
        save(b, sub);
        memcpy(b->ids[i], sub->id, sizeof b->ids[i]);
        lp_subscription_free(sub);
        json_decref(input);
    }
}

static struct lp_subscription *
load(struct bench *b, size_t i)
{
    struct lp_subscription *sub = NULL;
    struct lp_err err = LP_ERR_INIT;

    must("load", lp_subscription_load(b->store, NULL, b->catalog, b->ids[i], &sub, &err), &err);
    return sub;
}

static uint32_t
timed(struct bench *b, bool saving)
{
    size_t i = (size_t)b->turn++ % b->count;
    struct lp_subscription *sub = NULL;
    int64_t begun = limit_now_ns();

    sub = load(b, i);
    if (saving) {
        set_all(sub->root, b->turn);
        begun = limit_now_ns();
        save(b, sub);
    }
    begun = limit_now_ns() - begun;
    lp_subscription_free(sub);
    return (uint32_t)begun;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
run(struct bench *b, bool saving, double seconds, uint32_t *samples, const char *name)
{
    int64_t end = limit_now_ns() + (int64_t)(seconds * 1e9);
    size_t count = 0;

    while (limit_now_ns() < end && count < MOST_SAMPLES)
        samples[count++] = timed(b, saving);
    qsort(samples, count, sizeof *samples, by_value);
    (void)printf("\"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f, ", name,
                 (double)samples[count / 2] / 1e3, name,
                 (double)samples[count - 1 - count / 100] / 1e3);
}

int
main(int argc, char **argv)
{
    static const char *const dirs[] = {LP_YANG_DIR, LP_BENCH_YANG_DIR};
    struct bench b = {.clock = LP_CLOCK_INIT};
    struct lp_store_options options = {.pool = 2, .batch = 64, .clock = &b.clock};
    struct lp_err err = LP_ERR_INIT;
    double seconds = argc < 4 ? 0 : strtod(argv[3], NULL);
    uint32_t *samples = calloc(MOST_SAMPLES, sizeof *samples);
    unsigned applied;

    b.count = argc < 4 ? 0 : strtoul(argv[2], NULL, 10);
    b.ids = calloc(b.count + 1, sizeof *b.ids);
    if (b.count == 0 || seconds <= 0 || samples == NULL || b.ids == NULL) {
        (void)fprintf(stderr, "usage: subs URL COUNT SECONDS\n");
        return 2;
    }
    options.url = argv[1];
    must("catalog", lp_catalog_load(dirs, 2, &b.catalog, &err), &err);
    must("migrate", lp_store_migrate(&options, &applied, &err), &err);
    must("open", lp_store_open(&options, &b.store, &err), &err);
    b.product = lp_catalog_product(b.catalog, "Bench");
    fill(&b);
    (void)printf("{");
    run(&b, false, seconds / 2, samples, "load");
    run(&b, true, seconds / 2, samples, "save");
    (void)printf("\"count\": %zu}\n", b.count);
    lp_store_close(b.store);
    lp_catalog_free(b.catalog);
    free(b.ids);
    free(samples);
    return 0;
}
