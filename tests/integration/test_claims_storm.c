/* Random claims, changes and releases from eight connections at once. What the database holds in
 * the end is what the eight were told, and at no moment do two claims of a fiber overlap.
 *
 * usage: test_claims_storm [--long]     50,000 operations, or 1,000,000; PostgreSQL only
 */
#include <pthread.h>
#include <string.h>

#include "store/claims.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

enum {
    CONNECTIONS = 8,
    FIBERS = 24,
    ROUTE_MOST = 5, /* fibers of a route: neighbours in a ring */
    HOLDERS = 24,   /* of each connection */
    UNITS = 192,    /* of 12.5 GHz: half of the band, so that they meet often */
    SHORT_RUN = 50000,
    LONG_RUN = 1000000,
};
#define BAND INT64_C(191325000)
#define UNIT INT64_C(12500)

/** What one holder was told to have: one range over neighbouring fibers. */
struct held {
    char id[LP_UUID_LEN + 1];
    unsigned first, fibers, low, high; /* fibers 0: nothing */
};
struct storm {
    struct lp_store_options options;
    char process[LP_UUID_LEN + 1];
    uint64_t seed;
    unsigned operations;
    struct held held[HOLDERS];
    unsigned granted, refused, settled, released;
    char fault[600];
};

static struct lp_piece
piece_of(unsigned fiber, unsigned low, unsigned high)
{
    struct lp_piece p = {.low_mhz = BAND + low * UNIT, .high_mhz = BAND + high * UNIT};

    snprintf(p.fiber_id, sizeof p.fiber_id, "00000000-0000-4000-8000-%012u", fiber % FIBERS);
    return p;
}

static size_t
pieces_of(const struct held *h, struct lp_piece *out)
{
    for (unsigned i = 0; i < h->fibers; i++)
        out[i] = piece_of(h->first + i, h->low, h->high);
    return h->fibers;
}

struct work {
    struct storm *storm;
    const struct held *now, *next; /* claims what next needs, and settles on it */
    bool settle;
};

static enum lp_code
work_run(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    const struct work *w = arg;
    const struct lp_claimant who = {
        .holder = w->next->id, .subscription_id = w->next->id, .process_id = w->storm->process};
    struct lp_piece pieces[ROUTE_MOST];
    size_t count = pieces_of(w->next, pieces);
    json_t *before = NULL;
    enum lp_code rc;

    if (count == 0)
        return lp_txn_exec(txn, LP_SQL_CLAIMS_DROP_HOLDER, LP_ARGS(lp_text("holder", who.holder)),
                           NULL, err);
    rc = lp_claims_take(txn, &who, pieces, count, 1, NULL, err);
    if (rc == LP_OK && w->settle)
        rc = lp_claims_settle(txn, &who, pieces, count, true, 2, &before, err);
    json_decref(before);
    return rc;
}

/** One operation: a new claim, another range or route for what is held, or nothing any more. */
static bool
operate(struct storm *s, struct lp_store *store)
{
    struct held *h = &s->held[lp_test_random(&s->seed) % HOLDERS], next = *h;
    struct work w = {.storm = s, .now = h, .next = &next, .settle = h->fibers > 0};
    struct lp_err err = LP_ERR_INIT;
    unsigned tries = 0;
    enum lp_code rc;

    if (h->fibers > 0 && lp_test_random(&s->seed) % 3 == 0) {
        next.fibers = 0;
    } else {
        next.first = (unsigned)(lp_test_random(&s->seed) % FIBERS);
        next.fibers = 1 + (unsigned)(lp_test_random(&s->seed) % ROUTE_MOST);
        next.low = (unsigned)(lp_test_random(&s->seed) % (UNITS - 12));
        next.high = next.low + 3 + (unsigned)(lp_test_random(&s->seed) % 9);
        if (h->fibers > 0
            && lp_test_random(&s->seed) % 2 == 0) { /* the same way, wider or beside */
            next.first = h->first;
            next.fibers = h->fibers;
            next.low = h->low > 2 ? h->low - (unsigned)(lp_test_random(&s->seed) % 3) : h->low;
            next.high = next.low + 3 + (unsigned)(lp_test_random(&s->seed) % 9);
        }
    }
    do { /* a busy machine: it was rolled back, and is done again */
        lp_err_clear(&err);
        rc = lp_store_transact(store, work_run, &w, NULL, &err);
    } while ((rc == LP_CANCELLED || rc == LP_STORE) && tries++ < 100);
    if (rc == LP_OK) {
        s->granted += next.fibers > 0 && h->fibers == 0;
        s->settled += next.fibers > 0 && h->fibers > 0;
        s->released += next.fibers == 0;
        *h = next;
    } else if (rc == LP_CONFLICT && strcmp(lp_json_str(err.detail, "code", ""), "OPT-023") == 0) {
        s->refused++;
    } else {
        snprintf(s->fault, sizeof s->fault, "%s: %s", lp_code_info(rc)->slug, err.msg);
    }
    lp_err_clear(&err);
    return s->fault[0] == '\0';
}

static void *
storm_main(void *arg)
{
    struct storm *s = arg;
    struct lp_store *store = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (lp_store_open(&s->options, &store, &err) != LP_OK)
        snprintf(s->fault, sizeof s->fault, "%s", err.msg);
    for (unsigned i = 0; store != NULL && i < s->operations && operate(s, store); i++)
        ;
    lp_store_close(store);
    lp_err_clear(&err);
    return NULL;
}

static const char overlaps[] =
    "SELECT count(*) FROM spectrum_claims a JOIN spectrum_claims b ON a.fiber_id = b.fiber_id "
    "AND a.low_mhz < b.low_mhz AND a.high_mhz > b.low_mhz";

/** Nobody was told to have what another one has, and the database holds it all. */
static void
compare(struct lp_store_env *env, const struct storm *storms)
{
    static const struct held *owner[FIBERS][UNITS + 16];
    int64_t units = 0, rows;

    memset(owner, 0, sizeof owner);
    for (unsigned c = 0; c < CONNECTIONS; c++)
        for (unsigned i = 0; i < HOLDERS; i++) {
            const struct held *h = &storms[c].held[i];

            for (unsigned f = 0; f < h->fibers; f++)
                for (unsigned u = h->low; u < h->high; u++, units++) {
                    const struct held **at = &owner[(h->first + f) % FIBERS][u];

                    if (*at != NULL)
                        fail_msg("fiber %u, unit %u: %s and %s", (h->first + f) % FIBERS, u,
                                 (*at)->id, h->id);
                    *at = h;
                }
        }
    rows = lp_store_env_int(env, "SELECT CAST(COALESCE(sum(high_mhz - low_mhz), 0) AS bigint) "
                                 "FROM spectrum_claims");
    assert_int_equal(rows, units * UNIT);
}

static unsigned operations = SHORT_RUN;

static void
nobody_gets_the_same_light(void **state)
{
    static struct storm storms[CONNECTIONS];
    pthread_t threads[CONNECTIONS];
    struct lp_store_env env;
    uint64_t seed = lp_test_seed("claims_storm");
    struct timespec begin, end;
    unsigned granted = 0, refused = 0, settled = 0, released = 0;
    double seconds;

    (void)state;
    if (!lp_store_env_has(LP_DIALECT_POSTGRES))
        skip();
    lp_store_env_open(&env, LP_DIALECT_POSTGRES);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned c = 0; c < CONNECTIONS; c++) {
        storms[c] = (struct storm){.options = env.options,
                                   .seed = lp_test_random(&seed),
                                   .operations = operations / CONNECTIONS};
        storms[c].options.pool = 1;
        snprintf(storms[c].process, sizeof storms[c].process, "p%u", c);
        for (unsigned i = 0; i < HOLDERS; i++)
            snprintf(storms[c].held[i].id, sizeof storms[c].held[i].id, "h%u-%u", c, i);
        assert_int_equal(pthread_create(&threads[c], NULL, storm_main, &storms[c]), 0);
    }
    for (unsigned c = 0; c < CONNECTIONS; c++)
        pthread_join(threads[c], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    for (unsigned c = 0; c < CONNECTIONS; c++) {
        if (storms[c].fault[0] != '\0')
            fail_msg("connection %u: %s", c, storms[c].fault);
        granted += storms[c].granted;
        refused += storms[c].refused;
        settled += storms[c].settled;
        released += storms[c].released;
    }
    printf("claims_storm: %u operations from %d connections in %.1f s (%.0f/s): %u granted, %u "
           "changed, %u released, %u refused; %lld overlaps\n",
           granted + refused + settled + released, CONNECTIONS, seconds,
           (granted + refused + settled + released) / seconds, granted, settled, released, refused,
           (long long)lp_store_env_int(&env, overlaps));
    assert_int_equal(granted + refused + settled + released, operations);
    assert_int_equal(lp_store_env_int(&env, overlaps), 0);
    assert_true(granted > operations / 20 && settled > operations / 50
                && refused > operations / 20);
    compare(&env, storms);
    lp_store_env_close(&env);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_gets_the_same_light)};

    if (argc > 1 && strcmp(argv[1], "--long") == 0)
        operations = LONG_RUN;
    return LP_RUN_TESTS(tests);
}
