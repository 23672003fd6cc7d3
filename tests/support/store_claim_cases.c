/* Claims of light: the same on both databases. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/claims.h"
#include "tests/support/store_cases.h"
#include "tests/support/test_main.h"

#define FIBER "00000000-0000-4000-8000-0000000000f%d"

/* ---- helpers ---- */

static struct lp_piece
piece(int fiber, int64_t low, int64_t high)
{
    struct lp_piece p = {.low_mhz = low, .high_mhz = high};

    (void)snprintf(p.fiber_id, sizeof p.fiber_id, FIBER, fiber);
    return p;
}

static void
add_subscription(struct lp_store_env *env, const char *id, const char *product, const char *status)
{
    char sql[600];

    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO subscriptions (id, product_id, product, customer_id, description, "
                   "status, created_at, modified_at) VALUES ('%s', 'p', '%s', '%s', 'called %s', "
                   "'%s', 1, 1)",
                   id, product, id, id, status);
    lp_store_env_exec(env, sql);
}

/** One call within a transaction of its own. */
struct call {
    enum { TAKE, SETTLE, PUT_BACK, TAKE_BACK, OTHERS } kind;
    struct lp_claimant who;
    const struct lp_piece *pieces;
    size_t count, taken;
    bool lit;
    json_t *doc; /* PUT_BACK: given; SETTLE, OTHERS: result */
    int64_t released;
};

static enum lp_code
call_run(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    struct call *call = arg;

    switch (call->kind) {
    case TAKE:
        return lp_claims_take(txn, &call->who, call->pieces, call->count, 1000, &call->taken, err);
    case SETTLE:
        return lp_claims_settle(txn, &call->who, call->pieces, call->count, call->lit, 2000,
                                &call->doc, err);
    case PUT_BACK:
        return lp_claims_put_back(txn, call->who.holder, call->doc, err);
    case TAKE_BACK:
        return lp_claims_take_back(txn, call->who.process_id, call->who.holder, &call->released,
                                   err);
    case OTHERS:
        return lp_claims_of_others(txn, call->pieces[0].fiber_id, call->doc, &call->doc, err);
    }
    return LP_INTERNAL;
}

static enum lp_code
run(struct lp_store_env *env, struct call *call, struct lp_err *err)
{
    return lp_store_transact(env->store, call_run, call, NULL, err);
}

static struct lp_claimant
who(const char *holder, const char *process)
{
    return (struct lp_claimant){
        .holder = holder, .subscription_id = holder, .process_id = process, .slot = 1};
}

static enum lp_code
take(struct lp_store_env *env, const char *holder, const char *process, struct lp_piece p,
     size_t *taken)
{
    struct lp_err err = LP_ERR_INIT;
    struct call call = {.kind = TAKE, .who = who(holder, process), .pieces = &p, .count = 1};
    enum lp_code rc = run(env, &call, &err);

    if (taken != NULL)
        *taken = call.taken;
    if (rc == LP_CONFLICT)
        assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-023");
    lp_err_clear(&err);
    return rc;
}

static json_t *
claims(struct lp_store_env *env, enum lp_claims_by by, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    lp_test_ok(lp_claims_of(env->store, NULL, by, id, &out, &err), &err);
    return out;
}

static void
expect(const json_t *list, size_t i, int64_t low, int64_t high, const char *state)
{
    const json_t *row = json_array_get(list, i);

    assert_int_equal(lp_json_int(row, "low_mhz", 0), low);
    assert_int_equal(lp_json_int(row, "high_mhz", 0), high);
    assert_string_equal(lp_json_str(row, "state", ""), state);
}

/* ---- the database itself ---- */

static enum lp_code
add_raw(struct lp_store_env *env, const char *fiber, int64_t low, int64_t high, struct lp_err *err)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc;

    lp_unit_add(unit, LP_SQL_CLAIM_ADD,
                LP_ARGS(lp_text("fiber", fiber), lp_int("low", low), lp_int("high", high),
                        lp_text("holder", "h"), lp_text("subscription", "s"),
                        lp_text("process", "p"), lp_int("slot", 0), lp_text("state", "reserved"),
                        lp_int("at", 1)));
    rc = lp_store_commit(env->store, unit, err);
    lp_unit_free(unit);
    return rc;
}

/** D28: every way two ranges can share spectrum, without anybody asking first. */
void
lp_case_the_database_refuses_overlaps(struct lp_store_env *env)
{
    static const struct {
        int64_t low, high;
        bool fits;
    } rows[] = {
        {191325000, 191425000, false}, /* reaches over the end of the first */
        {191350000, 191360000, false}, /* inside it */
        {191325000, 191375000, false}, /* equal */
        {191300000, 191600000, false}, /* around all */
        {191374999, 191425000, false}, /* by 1 MHz */
        {191425000, 191475000, false}, {191450000, 191530000, false},
        {191574999, 191600000, false}, {191375000, 191425000, true}, /* touches on both sides */
        {191575000, 191600000, true},  {191300000, 191325000, true},
    };
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(add_raw(env, "f", 191325000, 191375000, &err), &err);
    lp_test_ok(add_raw(env, "f", 191425000, 191475000, &err), &err);
    lp_test_ok(add_raw(env, "f", 191525000, 191575000, &err), &err);
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        enum lp_code rc = add_raw(env, "f", rows[i].low, rows[i].high, &err);

        if ((rc == LP_OK) != rows[i].fits)
            fail_msg("%ld-%ld: %s", (long)rows[i].low, (long)rows[i].high, lp_code_info(rc)->slug);
        if (!rows[i].fits) {
            assert_int_equal(rc, LP_CONFLICT);
            if (rows[i].low != 191325000 && rows[i].low != 191425000) /* else the key is first */
                assert_string_equal(err.pointer, LP_CLAIMS_DISJOINT);
        }
        lp_err_clear(&err);
    }
    lp_test_ok(add_raw(env, "g", 191325000, 191375000, &err), &err); /* another fiber */
    assert_int_not_equal(add_raw(env, "g", 5, 5, &err), LP_OK);
    lp_err_clear(&err);
    assert_int_equal(lp_store_env_int(env, "SELECT count(*) FROM spectrum_claims"), 7);
}

/* ---- taking ---- */

/** D18: what is one's own is never in one's way; only what is missing is claimed. */
void
lp_case_own_claims_are_not_in_the_way(struct lp_store_env *env)
{
    size_t taken;
    json_auto_t *list = NULL;

    assert_int_equal(take(env, "h1", "p1", piece(1, 100, 200), &taken), LP_OK);
    assert_int_equal(taken, 1);
    assert_int_equal(take(env, "h1", "p2", piece(1, 120, 180), &taken), LP_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(take(env, "h1", "p2", piece(1, 150, 260), &taken), LP_OK);
    assert_int_equal(taken, 1);
    assert_int_equal(take(env, "h1", "p3", piece(1, 50, 300), &taken), LP_OK);
    assert_int_equal(taken, 2);
    list = claims(env, LP_CLAIMS_BY_HOLDER, "h1");
    assert_int_equal(json_array_size(list), 4);
    expect(list, 0, 50, 100, "reserved");
    expect(list, 1, 100, 200, "reserved");
    expect(list, 2, 200, 260, "reserved");
    expect(list, 3, 260, 300, "reserved");
    assert_string_equal(lp_json_str(json_array_get(list, 2), "process_id", ""), "p2");
    assert_int_equal(take(env, "h2", "p9", piece(1, 300, 400), &taken), LP_OK);
    assert_int_equal(take(env, "h2", "p9", piece(1, 299, 300), NULL), LP_CONFLICT);
}

void
lp_case_all_pieces_or_none(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_piece pieces[] = {piece(3, 100, 200), piece(1, 100, 200), piece(2, 100, 200)};
    struct call call = {.kind = TAKE, .who = who("h2", "p2"), .pieces = pieces, .count = 3};
    char fiber[LP_UUID_LEN + 1];

    (void)snprintf(fiber, sizeof fiber, FIBER, 2);
    add_subscription(env, fiber, "Optical Fiber", "active");
    add_subscription(env, "h1", "Optical Spectrum", "active");
    assert_int_equal(take(env, "h1", "p1", piece(2, 150, 250), NULL), LP_OK);
    assert_int_equal(run(env, &call, &err), LP_CONFLICT);
    assert_non_null(strstr(err.msg, "100-200 overlaps 150-250 of h1 (called h1) on called "));
    assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-023");
    assert_string_equal(lp_json_str(err.detail, "holder", ""), "h1");
    assert_string_equal(lp_json_str(err.detail, "fiber_id", ""), fiber);
    assert_int_equal(lp_json_int(err.detail, "held_low_mhz", 0), 150);
    assert_int_equal(lp_json_int(err.detail, "held_high_mhz", 0), 250);
    lp_err_clear(&err);
    assert_int_equal(
        lp_store_env_int(env, "SELECT count(*) FROM spectrum_claims WHERE holder = 'h2'"), 0);
    pieces[0] = piece(2, 300, 300);
    assert_int_equal(run(env, &call, &err), LP_INVALID);
    lp_err_clear(&err);
}

/* ---- settling ---- */

static enum lp_code
settle(struct lp_store_env *env, const char *holder, const char *process, struct lp_piece p,
       bool lit, json_t **before)
{
    struct lp_err err = LP_ERR_INIT;
    struct call call = {
        .kind = SETTLE, .who = who(holder, process), .pieces = &p, .count = 1, .lit = lit};
    enum lp_code rc = run(env, &call, &err);

    if (before != NULL && rc == LP_OK)
        *before = call.doc;
    else
        json_decref(call.doc);
    lp_err_clear(&err);
    return rc;
}

void
lp_case_settling_gives_back_the_rest(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *list = NULL, *before = NULL, *after = NULL;
    struct call undo = {.kind = PUT_BACK, .who = who("h1", "p2")};

    assert_int_equal(take(env, "h1", "p1", piece(1, 100, 200), NULL), LP_OK);
    assert_int_equal(take(env, "h1", "p1", piece(2, 100, 200), NULL), LP_OK);
    assert_int_equal(settle(env, "h1", "p1", piece(1, 100, 201), true, NULL), LP_CONFLICT);
    assert_int_equal(take(env, "h1", "p2", piece(1, 150, 250), NULL), LP_OK);
    assert_int_equal(settle(env, "h1", "p2", piece(1, 150, 250), true, &before), LP_OK);
    list = claims(env, LP_CLAIMS_BY_HOLDER, "h1");
    assert_int_equal(json_array_size(list), 1); /* fiber 2 is free again, and 100-150 of fiber 1 */
    expect(list, 0, 150, 250, "lit");
    assert_int_equal(lp_json_int(json_array_get(list, 0), "created_at", 0), 2000);
    assert_int_equal(json_array_size(before), 3);
    undo.doc = before;
    lp_test_ok(run(env, &undo, &err), &err);
    after = claims(env, LP_CLAIMS_BY_HOLDER, "h1");
    assert_int_equal(json_array_size(after), 3);
    expect(after, 0, 100, 200, "reserved");
    expect(after, 1, 200, 250, "reserved");
    expect(after, 2, 100, 200, "reserved");
}

void
lp_case_a_settle_is_not_undone_over_somebody_elses_light(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *before = NULL, *list = NULL;
    struct call undo = {.kind = PUT_BACK, .who = who("h1", "p2")};

    assert_int_equal(take(env, "h1", "p1", piece(1, 100, 200), NULL), LP_OK);
    assert_int_equal(settle(env, "h1", "p1", piece(1, 100, 150), false, &before), LP_OK);
    assert_int_equal(take(env, "h2", "p2", piece(1, 150, 200), NULL), LP_OK);
    undo.doc = before;
    assert_int_equal(run(env, &undo, &err), LP_CONFLICT);
    lp_err_clear(&err);
    list = claims(env, LP_CLAIMS_BY_FIBER, lp_json_str(json_array_get(before, 0), "fiber_id", ""));
    assert_int_equal(json_array_size(list), 2);
    expect(list, 0, 100, 150, "reserved");
    expect(list, 1, 150, 200, "reserved");
}

/* ---- giving back ---- */

static void
commit(struct lp_store_env *env, struct lp_unit *unit)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_store_commit(env->store, unit, &err), &err);
    lp_unit_free(unit);
}

static int64_t
count(struct lp_store_env *env)
{
    return lp_store_env_int(env, "SELECT count(*) FROM spectrum_claims");
}

/** An abort gives back what its process claimed: not what was settled, not what others claimed. */
void
lp_case_a_process_gives_back_what_it_claimed(struct lp_store_env *env)
{
    struct lp_err err = LP_ERR_INIT;
    struct call call = {.kind = TAKE_BACK, .who = who("h1", "p2")};
    struct lp_unit *unit = lp_unit_new();
    json_auto_t *list = NULL;

    assert_int_equal(take(env, "h1", "p1", piece(1, 100, 200), NULL), LP_OK);
    assert_int_equal(settle(env, "h1", "p2", piece(1, 100, 200), true, NULL), LP_OK);
    assert_int_equal(take(env, "h1", "p2", piece(1, 100, 300), NULL), LP_OK);
    assert_int_equal(take(env, "h2", "p2", piece(1, 300, 400), NULL), LP_OK);
    assert_int_equal(take(env, "h3", "p3", piece(1, 400, 500), NULL), LP_OK);
    lp_test_ok(run(env, &call, &err), &err);
    assert_int_equal(call.released, 1);
    list = claims(env, LP_CLAIMS_BY_PROCESS, "p2");
    assert_int_equal(json_array_size(list), 2);
    expect(list, 0, 100, 200, "lit");
    expect(list, 1, 300, 400, "reserved");
    lp_claims_release_process(unit, "p2");
    commit(env, unit);
    assert_int_equal(count(env), 2);
}

void
lp_case_claims_are_marked_moved_and_released(struct lp_store_env *env)
{
    struct lp_unit *unit = lp_unit_new();
    json_auto_t *list = NULL, *overlaps = NULL, *left = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct lp_piece p = piece(1, 150, 250);
    struct call others = {.kind = OTHERS, .pieces = &p, .count = 1, .doc = json_pack("[s]", "h1")};
    json_t *mine = others.doc;

    assert_int_equal(take(env, "h1", "p1", piece(1, 100, 200), NULL), LP_OK);
    assert_int_equal(take(env, "h2", "p1", piece(1, 200, 300), NULL), LP_OK);
    lp_claims_mark(unit, "h1", true);
    lp_claims_transfer(unit, "h1", "s9");
    commit(env, unit);
    list = claims(env, LP_CLAIMS_BY_SUBSCRIPTION, "s9");
    assert_int_equal(json_array_size(list), 1);
    expect(list, 0, 100, 200, "lit");
    lp_test_ok(lp_claims_overlapping(env->store, NULL, &p, "h2", &overlaps, &err), &err);
    assert_int_equal(json_array_size(overlaps), 1);
    json_decref(lp_json_take(&overlaps));
    lp_test_ok(lp_claims_overlapping(env->store, NULL, &p, NULL, &overlaps, &err), &err);
    assert_int_equal(json_array_size(overlaps), 2);
    lp_test_ok(run(env, &others, &err), &err);
    assert_int_equal(json_array_size(others.doc), 1);
    expect(others.doc, 0, 200, 300, "reserved");
    json_decref(others.doc);
    json_decref(mine);
    unit = lp_unit_new();
    lp_claims_release_subscription(unit, "s9");
    commit(env, unit);
    assert_int_equal(count(env), 1);
    unit = lp_unit_new();
    lp_claims_release_holder(unit, "h2");
    commit(env, unit);
    assert_int_equal(count(env), 0);
    lp_test_ok(lp_claims_leftovers(env->store, 10, &left, &err), &err);
    assert_int_equal(json_array_size(left), 0);
}

/** What the doctor finds, and what it leaves alone. */
void
lp_case_leftovers_are_found(struct lp_store_env *env)
{
    static const char *const processes[][2] = {
        {"done", "completed"}, {"stopped", "aborted"}, {"busy", "suspended"}};
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    const struct lp_piece lit = piece(1, 60, 70);
    struct call lives = {
        .kind = TAKE,
        .who = {.holder = "its block", .subscription_id = "lives", .process_id = "stopped"},
        .pieces = &lit,
        .count = 1};
    struct lp_rows *kept = NULL;
    json_auto_t *left = NULL;
    char sql[600];

    add_subscription(env, "active", "Optical Spectrum", "active");
    add_subscription(env, "worked-on", "Optical Spectrum", "active");
    add_subscription(env, "gone", "Optical Spectrum", "terminated");
    for (size_t i = 0; i < LP_COUNT(processes); i++) {
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO processes (id, workflow, workflow_id, target, status, "
                       "created_by, correlation_id, definition_hash, created_at, modified_at) "
                       "VALUES ('%s', 'w', 'w', 'CREATE', '%s', 't', 'c', 'd', 1, 1)",
                       processes[i][0], processes[i][1]);
        lp_store_env_exec(env, sql);
    }
    lp_store_env_exec(env, "INSERT INTO process_locks (subscription_id, process_id, mode, "
                           "taken_at) VALUES ('worked-on', 'busy', 'exclusive', 1)");
    assert_int_equal(take(env, "active", "done", piece(1, 0, 10), NULL), LP_OK);
    assert_int_equal(take(env, "active", "stopped", piece(1, 10, 20), NULL), LP_OK); /* left */
    add_subscription(env, "lives", "Optical Spectrum", "active");
    lp_store_env_exec(env, "INSERT INTO blocks (instance_id, subscription_id, block, doc) VALUES "
                           "('its block', 'lives', 'OpticalSpectrum', '{}')");
    lp_test_ok(run(env, &lives, &err), &err); /* may be lit */
    assert_int_equal(take(env, "worked-on", "stopped", piece(1, 20, 30), NULL), LP_OK);
    assert_int_equal(take(env, "gone", "done", piece(1, 30, 40), NULL), LP_OK);       /* left */
    assert_int_equal(take(env, "no such", "stopped", piece(1, 40, 50), NULL), LP_OK); /* left */
    assert_int_equal(take(env, "no such", "busy", piece(1, 50, 60), NULL), LP_OK);
    lp_test_ok(lp_claims_leftovers(env->store, 10, &left, &err), &err);
    assert_int_equal(json_array_size(left), 3);
    expect(left, 0, 10, 20, "reserved");
    assert_string_equal(lp_json_str(json_array_get(left, 0), "why", ""), "process ended");
    assert_string_equal(lp_json_str(json_array_get(left, 1), "why", ""), "terminated");
    assert_string_equal(lp_json_str(json_array_get(left, 2), "why", ""), "no such subscription");
    lp_unit_add(unit, LP_SQL_DOC_CLAIMS_FIX, LP_NO_ARGS);
    commit(env, unit);
    json_decref(lp_json_take(&left));
    lp_test_ok(lp_claims_leftovers(env->store, 10, &left, &err), &err);
    assert_int_equal(json_array_size(left), 0);
    assert_int_equal(count(env), 4);
    /* what a living block holds is told, and stays */
    lp_test_ok(
        lp_query(env->store, LP_SQL_DOC_CLAIMS_KEPT, LP_ARGS(lp_int("most", 10)), &kept, &err),
        &err);
    assert_int_equal(lp_rows_count(kept), 1);
    assert_non_null(strstr(lp_rows_text(kept, 0, "what"), "called lives: 60-70 MHz on fiber "));
    lp_rows_free(kept);
}

/* ---- at the same time ---- */

enum { RACERS = 50 };

struct racer {
    struct lp_store_env *env;
    unsigned n;
    enum lp_code rc;
    char msg[sizeof((struct lp_err *)0)->msg];
};

static void *
race(void *arg)
{
    struct racer *r = arg;
    struct lp_err err = LP_ERR_INIT;
    unsigned tries = 0;
    char holder[16];
    struct lp_piece pieces[2] = {piece(1, 1000 + 10 * (int64_t)r->n, 2000),
                                 piece(2, 1000, 1600 + (int64_t)r->n)};
    struct call call = {.kind = TAKE, .pieces = pieces, .count = 2};

    (void)snprintf(holder, sizeof holder, "h%u", r->n);
    call.who = who(holder, "p");
    do { /* a busy machine: it was rolled back, and is done again */
        lp_err_clear(&err);
        r->rc = run(r->env, &call, &err);
    } while ((r->rc == LP_CANCELLED || r->rc == LP_STORE) && tries++ < 100);
    (void)snprintf(r->msg, sizeof r->msg, "%s", err.msg);
    lp_err_clear(&err);
    return NULL;
}

/** D48: fifty who want the same light at the same moment: one has it, the others are told who. */
void
lp_case_fifty_for_one_slot_have_one_winner(struct lp_store_env *env)
{
    pthread_t threads[RACERS];
    struct racer racers[RACERS];
    unsigned won = 0;

    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.env = env, .n = i};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < RACERS; i++) {
        won += racers[i].rc == LP_OK;
        if (racers[i].rc != LP_OK && racers[i].rc != LP_CONFLICT)
            fail_msg("%u: %s", i, racers[i].msg);
        if (racers[i].rc == LP_CONFLICT)
            assert_non_null(strstr(racers[i].msg, " overlaps "));
    }
    assert_int_equal(won, 1);
    assert_int_equal(count(env), 2);
    assert_int_equal(lp_store_env_int(env, "SELECT count(DISTINCT holder) FROM spectrum_claims"),
                     1);
}

/* ---- against a plain model ---- */

enum { UNITS = 40, HOLDERS = 6, STEPS = 400 };

static unsigned
random_below(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

/** One fiber as an array: who has each unit. */
static bool
model_take(int *owner, int holder, unsigned low, unsigned high)
{
    for (unsigned u = low; u < high; u++)
        if (owner[u] >= 0 && owner[u] != holder)
            return false;
    for (unsigned u = low; u < high; u++)
        owner[u] = holder;
    return true;
}

static void
model_settle(int *owner, int holder, unsigned low, unsigned high)
{
    for (unsigned u = 0; u < UNITS; u++)
        if (owner[u] == holder && (u < low || u >= high))
            owner[u] = -1;
}

static bool
model_covers(const int *owner, int holder, unsigned low, unsigned high)
{
    for (unsigned u = low; u < high; u++)
        if (owner[u] != holder)
            return false;
    return true;
}

static void
compare(struct lp_store_env *env, const int *owner, unsigned step)
{
    json_auto_t *list = NULL;
    struct lp_piece p = piece(1, 0, 1);
    int seen[UNITS];
    const json_t *row;
    size_t i;

    for (unsigned u = 0; u < UNITS; u++)
        seen[u] = -1;
    list = claims(env, LP_CLAIMS_BY_FIBER, p.fiber_id);
    json_array_foreach(list, i, row)
    {
        for (int64_t u = lp_json_int(row, "low_mhz", 0); u < lp_json_int(row, "high_mhz", 0); u++)
            seen[u] = lp_json_str(row, "holder", "h?")[1] - '0';
    }
    for (unsigned u = 0; u < UNITS; u++)
        if (seen[u] != owner[u])
            fail_msg("step %u, unit %u: %d, expected %d", step, u, seen[u], owner[u]);
}

void
lp_case_claims_follow_a_plain_model(struct lp_store_env *env)
{
    int owner[UNITS];
    unsigned seed = 20261120;

    for (unsigned u = 0; u < UNITS; u++)
        owner[u] = -1;
    for (unsigned step = 0; step < STEPS; step++) {
        int h = (int)random_below(&seed, HOLDERS);
        unsigned low = random_below(&seed, UNITS), high = low + 1 + random_below(&seed, 8);
        char holder[8];

        high = high > UNITS ? UNITS : high;
        (void)snprintf(holder, sizeof holder, "h%d", h);
        if (random_below(&seed, 3) > 0) {
            bool fits = model_take(owner, h, low, high);

            assert_int_equal(take(env, holder, "p", piece(1, low, high), NULL),
                             fits ? LP_OK : LP_CONFLICT);
        } else {
            bool covers = model_covers(owner, h, low, high);

            if (covers)
                model_settle(owner, h, low, high);
            assert_int_equal(settle(env, holder, "p", piece(1, low, high), (step & 1) != 0, NULL),
                             covers ? LP_OK : LP_CONFLICT);
        }
        compare(env, owner, step);
    }
}
