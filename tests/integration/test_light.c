/* Routes found in a stored network, light claimed on them by steps of real processes, numbers given
 * out: on both databases. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps/allocate.h"
#include "steps/claims.h"
#include "steps/derive.h"
#include "steps/lease.h"
#include "steps/lifecycle.h"
#include "steps/spectrum_steps.h"
#include "tests/support/run_env.h"
#include "tests/support/test_main.h"

#define LOW  INT64_C(193450000)
#define HIGH INT64_C(193550000)

/* ---- a network: A and B over an amplifier I, or over C; transponders T at A and U at B ---- */

enum { A, B, C, I, T, U, DEVICES };
enum { AI, IB, AC, CB, TA, UB, INSIDE, LEASE, FIBERS };

struct net {
    char device[DEVICES][LP_UUID_LEN + 1];
    json_t *port[DEVICES]; /* name -> instance id */
    char fiber[FIBERS][LP_UUID_LEN + 1];
};
static struct net net;

/** A subscription as it would be after its creation. */
static struct lp_subscription *
save(struct lp_run_env *env, const char *product, json_t *input)
{
    const struct lp_product_type *type = lp_catalog_product(env->catalog, product);
    struct lp_save_context context = {.actor = "test", .clock = &env->db.clock};
    struct lp_subscription *sub = NULL;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;
    bool changed = false;

    assert_non_null(type);
    assert_non_null(input);
    lp_test_ok(lp_derive(env->db.store, NULL, env->catalog, env->conf, type, input, &err), &err);
    lp_test_ok(lp_subscription_new(env->catalog, type, NULL, input, &env->db.clock, &sub, &err),
               &err);
    lp_test_ok(lp_subscription_set_status(sub, env->catalog, LP_LC_ACTIVE, &env->db.clock, &err),
               &err);
    lp_test_ok(
        lp_subscription_set_description(
            sub, lp_json_str(input, "fiber_name", lp_json_str(input, "fqdn", product)), &err),
        &err);
    sub->insync = true;
    lp_test_ok(lp_subscription_save(unit, sub, env->catalog, &context, &changed, &err), &err);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
    json_decref(input);
    return sub;
}

static void
add_device(struct lp_run_env *env, int which, const char *pop, const char *fqdn, const char *type,
           const char *const ports[][2])
{
    json_t *list = json_array(), *one;
    struct lp_subscription *sub;
    size_t i;

    for (i = 0; ports[i][0] != NULL; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "port_name", ports[i][0], "role", ports[i][1]));
    sub = save(env, "Optical Device",
               json_pack("{s:s, s:s, s:s, s:s, s:o}", "fqdn", fqdn, "pop", pop, "platform",
                         "Infinera FlexILS", "device_type", type, "ports", list));
    snprintf(net.device[which], sizeof net.device[which], "%s", sub->id);
    net.port[which] = json_object();
    json_array_foreach(json_object_get(sub->root, "ports"), i, one)
    {
        json_object_set(net.port[which], lp_json_str(one, "port_name", ""),
                        json_object_get(one, "subscription_instance_id"));
    }
    lp_subscription_free(sub);
}

static const char *
port(int device, const char *name)
{
    const char *id = lp_json_str(net.port[device], name, NULL);

    assert_non_null(id);
    return id;
}

static void
add_fiber(struct lp_run_env *env, int which, const char *a, const char *z, const char *kind,
          int64_t length_m)
{
    json_t *input = json_pack("{s:s, s:[s, s]}", "kind", kind, "terminations", a, z);
    struct lp_subscription *sub;

    if (length_m > 0)
        json_object_set_new(
            input, "segments",
            json_pack("[{s:I, s:s}]", "length_m", (json_int_t)length_m, "fiber_type", "G.652.D"));
    sub = save(env, "Optical Fiber", input);
    snprintf(net.fiber[which], sizeof net.fiber[which], "%s", sub->id);
    lp_subscription_free(sub);
}

/** Spectrum leased between two add/drop ports. */
static void
lease(struct lp_run_env *env, const char *a, const char *z, int64_t low, int64_t high)
{
    struct lp_subscription *sub = save(
        env, "Optical Fiber",
        json_pack("{s:s, s:[s, s], s:I, s:I, s:i, s:i, s:i}", "kind", "leased", "terminations", a,
                  z, "leased_low_mhz", (json_int_t)low, "leased_high_mhz", (json_int_t)high,
                  "leased_guard_mhz", 12500, "leased_length_m", 500000, "leased_osnr_cdb", 2400));

    snprintf(net.fiber[LEASE], sizeof net.fiber[LEASE], "%s", sub->id);
    lp_subscription_free(sub);
}

/** The value in the place of %s. */
static const char *
format(const char *fmt, const char *value)
{
    static char text[4][600];
    static unsigned next;
    char *out = text[next++ % 4];

    const char *at = strstr(fmt, "%s");

    assert_non_null(at);
    snprintf(out, sizeof text[0], "%.*s%s%s", (int)(at - fmt), fmt, value, at + 2);
    return out;
}

/** What a device says of its light, so many seconds ago. */
static void
reading(struct lp_run_env *env, int device, const char *items, int64_t ago_s)
{
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    lp_unit_add(unit, LP_SQL_DEVICE_CACHE_PUT,
                LP_ARGS(lp_text("element", net.device[device]), lp_text("kind", "spectrum"),
                        lp_text("doc", format("{\"items\":[%s]}", items)),
                        lp_int("as_of", lp_clock_utc_us(&env->db.clock) - ago_s * 1000000),
                        lp_text("process", "test")));
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
}

static void
build(struct lp_run_env *env)
{
    static const char *const roadm[][2] = {{"L1", "ols-line"},      {"L2", "ols-line"},
                                           {"T1A", "ols-add-drop"}, {"T2A", "ols-add-drop"},
                                           {"T3A", "ols-add-drop"}, {NULL, NULL}};
    static const char *const amplifier[][2] = {
        {"L1", "ols-line"}, {"L2", "ols-line"}, {NULL, NULL}};
    static const char *const transponder[][2] = {{"P1", "trx-line"}, {NULL, NULL}};
    struct lp_subscription *pop =
        save(env, "PoP",
             json_pack("{s:s, s:s, s:i, s:i}", "code", "MI01", "full_name", "MI01-Milano",
                       "latitude_udeg", 45000000, "longitude_udeg", 9000000));
    char site[LP_UUID_LEN + 1];

    snprintf(site, sizeof site, "%s", lp_json_str(pop->root, "subscription_instance_id", ""));
    lp_subscription_free(pop);
    add_device(env, A, site, "a.example.net", "ROADM", roadm);
    add_device(env, B, site, "b.example.net", "ROADM", roadm);
    add_device(env, C, site, "c.example.net", "ROADM", roadm);
    add_device(env, I, site, "i.example.net", "Amplifier", amplifier);
    add_device(env, T, site, "t.example.net", "Transponder", transponder);
    add_device(env, U, site, "u.example.net", "Transponder", transponder);
    add_fiber(env, AI, port(A, "L1"), port(I, "L1"), "span", 40000);
    add_fiber(env, IB, port(I, "L2"), port(B, "L1"), "span", 40000);
    add_fiber(env, AC, port(A, "L2"), port(C, "L1"), "span", 30000);
    add_fiber(env, CB, port(C, "L2"), port(B, "L2"), "span", 30000);
    add_fiber(env, TA, port(T, "P1"), port(A, "T2A"), "patch", 0);
    add_fiber(env, UB, port(U, "P1"), port(B, "T2A"), "patch", 0);
    for (int i = A; i <= C; i++)
        reading(env, i, "", 60); /* dark; the other devices do not tell */
}

/** A device that was never asked. */
static void
forget_reading(struct lp_run_env *env, int device)
{
    char sql[160];

    snprintf(sql, sizeof sql, "DELETE FROM device_cache WHERE element_id = '%s'",
             net.device[device]);
    lp_store_env_exec(&env->db, sql);
}

/* ---- asking for routes ---- */

static struct lp_route_source
source_of(struct lp_run_env *env)
{
    return (struct lp_route_source){
        .store = env->db.store, .conf = env->conf, .clock = &env->db.clock};
}

/** A passband between two ports, with further members of the wish as JSON. */
static json_t *
wish(const char *from, const char *to, const char *more)
{
    json_t *w = json_pack("{s:s, s:s, s:I, s:I}", "from", from, "to", to, "low_mhz",
                          (json_int_t)LOW, "high_mhz", (json_int_t)HIGH);
    json_t *extra = more == NULL ? NULL : json_loads(more, 0, NULL);

    assert_true(more == NULL || extra != NULL);
    json_object_update(w, extra);
    json_decref(extra);
    return w;
}

/** Takes the wish. */
static json_t *
find(struct lp_run_env *env, json_t *w)
{
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    json_t *found = NULL;

    lp_test_ok(lp_routes_find(&source, w, &found, &err), &err);
    json_decref(w);
    return found;
}

static size_t
count_routes(struct lp_run_env *env, json_t *w)
{
    json_auto_t *found = find(env, w);

    return json_array_size(json_object_get(found, "routes"));
}

static void
assert_ids(const json_t *list, size_t count, const char *const *ids)
{
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(json_string_value(json_array_get(list, i)), ids[i]);
}

static void
routes_are_found(struct lp_run_env *env)
{
    json_auto_t *found = find(env, wish(port(A, "T1A"), port(B, "T1A"), NULL)), *again = NULL;
    const json_t *routes = json_object_get(found, "routes"), *first = json_array_get(routes, 0);
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *w = wish(port(A, "T1A"), port(B, "T1A"), NULL);

    assert_int_equal(json_array_size(routes), 2);
    assert_true(json_is_null(json_object_get(found, "problem")));
    /* one multiplex section over the amplifier comes before two */
    assert_int_equal(lp_json_int(first, "oms_hops", 0), 1);
    assert_ids(json_object_get(first, "fibers"), 2,
               (const char *const[]){net.fiber[AI], net.fiber[IB]});
    assert_ids(json_object_get(first, "ports"), 6,
               (const char *const[]){port(A, "T1A"), port(A, "L1"), port(I, "L1"), port(I, "L2"),
                                     port(B, "L1"), port(B, "T1A")});
    assert_ids(json_object_get(first, "nodes"), 3,
               (const char *const[]){net.device[A], net.device[I], net.device[B]});
    assert_int_equal(json_array_size(json_object_get(first, "patches")), 0);
    assert_int_equal(lp_json_int(first, "length_m", 0), 80000);
    assert_int_equal(lp_json_int(json_object_get(first, "first_free"), "low_mhz", 0), LOW);
    assert_true(lp_json_int(first, "age_us", 0) >= 60000000);
    assert_null(json_object_get(first, "unread"));
    assert_int_equal(lp_json_int(json_array_get(routes, 1), "oms_hops", 0), 2);
    lp_test_ok(lp_route_again(&source, w, lp_json_str(first, "id", ""), &again, &err), &err);
    assert_string_equal(lp_json_str(again, "text", ""), lp_json_str(first, "text", "-"));
    lp_test_ok(lp_route_stands(&source, again, &err), &err);
    assert_int_equal(lp_route_again(&source, w, "x", &again, &err), LP_CONFLICT);
    lp_err_clear(&err);
}

static void
rules_are_obeyed(struct lp_run_env *env)
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *none = NULL, *bad = wish("no such port", to, NULL), *out = NULL;

    assert_int_equal(
        count_routes(env, wish(from, to, format("{\"exclude_fibers\":[\"%s\"]}", net.fiber[AI]))),
        1);
    assert_int_equal(
        count_routes(env, wish(from, to, format("{\"exclude_nodes\":[\"%s\"]}", net.device[C]))),
        1);
    assert_int_equal(
        count_routes(env, wish(from, to, format("{\"include\":[\"%s\"]}", net.device[C]))), 1);
    none = json_pack("{s:s, s:s, s:I, s:I, s:[s, s]}", "from", from, "to", to, "low_mhz",
                     (json_int_t)LOW, "high_mhz", (json_int_t)HIGH, "exclude_nodes", net.device[C],
                     net.device[I]);
    none = find(env, none);
    assert_int_equal(json_array_size(json_object_get(none, "routes")), 0);
    assert_string_equal(lp_json_str(json_object_get(none, "problem"), "code", ""), "OPT-030");
    assert_non_null(
        strstr(lp_json_str(json_object_get(none, "problem"), "message", ""), "no route from"));
    assert_int_equal(lp_routes_find(&source, bad, &out, &err), LP_NOT_FOUND);
    assert_string_equal(err.pointer, "from");
    lp_err_clear(&err);
}

/* ---- light that is taken ---- */

static enum lp_code
take_run(struct lp_txn *txn, void *arg, struct lp_err *err)
{
    const json_t *c = arg;
    struct lp_piece piece = {.low_mhz = lp_json_int(c, "low", 0),
                             .high_mhz = lp_json_int(c, "high", 0)};
    const char *holder = lp_json_str(c, "holder", "");

    snprintf(piece.fiber_id, sizeof piece.fiber_id, "%s", lp_json_str(c, "fiber", ""));
    return lp_claims_take(
        txn,
        &(struct lp_claimant){.holder = holder, .subscription_id = holder, .process_id = "test"},
        &piece, 1, 1, NULL, err);
}

static void
take(struct lp_run_env *env, const char *holder, int fiber, int64_t low, int64_t high)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *c = json_pack("{s:s, s:s, s:I, s:I}", "holder", holder, "fiber", net.fiber[fiber],
                               "low", (json_int_t)low, "high", (json_int_t)high);

    lp_test_ok(lp_store_transact(env->db.store, take_run, c, NULL, &err), &err);
}

#define LIGHT(port_, low, high)                                                                    \
    "{\"port\":\"" port_ "\",\"low_mhz\":" low ",\"high_mhz\":" high ",\"circuit\":\"c\"}"

static void
own_light_is_free(struct lp_run_env *env) /* D18 */
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");

    take(env, "h1", AI, LOW, HIGH);
    take(env, "h1", IB, LOW, HIGH);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    assert_int_equal(count_routes(env, wish(from, to, "{\"own\":[\"h2\"]}")), 1);
    assert_int_equal(count_routes(env, wish(from, to, "{\"own\":[\"h1\"]}")), 2);
    /* and what the element sees of it is explained by the claim */
    reading(env, A, LIGHT("L1", "193450000", "193550000"), 60);
    assert_int_equal(count_routes(env, wish(from, to, "{\"own\":[\"h1\"]}")), 2);
    take(env, "h2", AC, HIGH - 1, HIGH + 1);
    assert_int_equal(count_routes(env, wish(from, to, "{\"own\":[\"h1\"]}")), 1);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 0);
}

static void
light_of_nobody_is_in_the_way(struct lp_run_env *env)
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    json_auto_t *found = NULL;

    reading(env, A, LIGHT("L1", "193400000", "193450000"), 60); /* touches */
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 2);
    reading(env, A, LIGHT("L1", "193500000", "193550000"), 60);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    assert_int_equal(count_routes(env, wish(from, to, "{\"adopt\":true}")), 2);
    reading(env, A, LIGHT("T1A", "193500000", "193550000"), 60); /* not a line port */
    found = find(env, wish(from, to, NULL));
    assert_int_equal(json_array_size(json_object_get(found, "routes")), 2);
    assert_true(lp_json_int(json_array_get(json_object_get(found, "routes"), 0), "age_us", 0)
                >= 60000000);
}

static void
old_readings_are_refused(struct lp_run_env *env)
{
    json_auto_t *found = NULL;

    reading(env, A, "", 8 * 86400);
    found = find(env, wish(port(A, "T1A"), port(B, "T1A"), NULL));
    assert_int_equal(json_array_size(json_object_get(found, "routes")), 0);
    assert_string_equal(lp_json_str(json_object_get(found, "problem"), "code", ""), "OPT-031");
    assert_non_null(strstr(lp_json_str(json_object_get(found, "problem"), "message", ""),
                           " is 192 h old; refresh before planning"));
}

/** The constants of the estimate are configuration, read with every search. */
static void
the_osnr_constants_are_configuration(struct lp_run_env *env)
{
    static const char mode[] = "{\"required_osnr_cdb\":1000}";
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    json_auto_t *before = find(env, wish(from, to, mode)), *after = NULL;
    const json_t *one = json_array_get(json_object_get(before, "routes"), 0), *other;

    env->conf->osnr_noise_figure_cdb += 100;
    env->conf->osnr_margin_cdb += 50;
    after = find(env, wish(from, to, mode));
    other = json_array_get(json_object_get(after, "routes"), 0);
    assert_string_equal(lp_json_str(one, "id", ""), lp_json_str(other, "id", "x"));
    assert_int_equal(lp_json_int(one, "osnr_cdb", 0) - lp_json_int(other, "osnr_cdb", 0), 100);
    assert_int_equal(lp_json_int(one, "margin_cdb", 0) - lp_json_int(other, "margin_cdb", 0), 150);
    env->conf->osnr_margin_cdb = 2000;
    env->conf->osnr_launch_cdbm = -2000;
    assert_int_equal(count_routes(env, wish(from, to, mode)), 0); /* does not carry any more */
}

static void
the_first_passband_that_fits(struct lp_run_env *env)
{
    json_auto_t *w = json_pack("{s:s, s:s, s:i, s:[s]}", "from", port(A, "T1A"), "to",
                               port(B, "T1A"), "width_mhz", 75000, "exclude_nodes", net.device[C]);
    json_auto_t *found = NULL, *last = NULL;
    const json_t *slot;

    take(env, "h1", AI, LOW, HIGH);
    take(env, "h2", IB, 191325000, 191400000);
    found = find(env, json_incref(w));
    slot = json_object_get(json_array_get(json_object_get(found, "routes"), 0), "first_free");
    assert_int_equal(lp_json_int(slot, "low_mhz", 0), 191400000);
    assert_int_equal(lp_json_int(slot, "high_mhz", 0), 191475000);
    json_object_set_new(w, "policy", json_string("last-fit"));
    last = find(env, json_incref(w));
    slot = json_object_get(json_array_get(json_object_get(last, "routes"), 0), "first_free");
    assert_int_equal(lp_json_int(slot, "high_mhz", 0), 196125000);
}

static void
transponders_are_patched(struct lp_run_env *env)
{
    json_auto_t *found = find(env, wish(port(T, "P1"), port(U, "P1"), NULL));
    const struct lp_route_source source = source_of(env);
    const json_t *first = json_array_get(json_object_get(found, "routes"), 0);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *other = NULL;

    assert_int_equal(json_array_size(json_object_get(found, "routes")), 2);
    assert_ids(json_object_get(first, "patches"), 2,
               (const char *const[]){net.fiber[TA], net.fiber[UB]});
    assert_ids(json_object_get(first, "fibers"), 2,
               (const char *const[]){net.fiber[AI], net.fiber[IB]});
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "ports"), 0)),
                        port(A, "T2A"));
    assert_int_equal(json_array_size(json_object_get(first, "ports")), 6);
    assert_ids(json_object_get(first, "nodes"), 5,
               (const char *const[]){net.device[T], net.device[A], net.device[I], net.device[B],
                                     net.device[U]});
    lp_test_ok(lp_route_stands(&source, first, &err), &err);
    take(env, "h1", UB, LOW, HIGH);
    assert_int_equal(count_routes(env, wish(port(T, "P1"), port(U, "P1"), NULL)), 0);
    other = json_deep_copy(first);
    json_array_remove(json_object_get(other, "patches"), 0);
    assert_int_equal(lp_route_stands(&source, other, &err), LP_INVALID);
    lp_err_clear(&err);
}

static void
a_route_whose_fiber_is_gone_does_not_stand(struct lp_run_env *env)
{
    json_auto_t *found = find(env, wish(port(A, "T1A"), port(B, "T1A"), NULL));
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    char sql[200];

    snprintf(sql, sizeof sql, "UPDATE subscriptions SET status = 'terminated' WHERE id = '%s'",
             net.fiber[IB]);
    lp_store_env_exec(&env->db, sql);
    assert_int_equal(
        lp_route_stands(&source, json_array_get(json_object_get(found, "routes"), 0), &err),
        LP_CONFLICT);
    assert_non_null(strstr(err.msg, "is terminated"));
    lp_err_clear(&err);
    lp_test_ok(lp_route_stands(&source, json_array_get(json_object_get(found, "routes"), 1), &err),
               &err);
    assert_int_equal(count_routes(env, wish(port(A, "T1A"), port(B, "T1A"), NULL)), 1);
}

/* ---- what is kept between searches ---- */

static struct lp_route_reads
reads_of(struct lp_store *store)
{
    struct lp_route_reads reads;

    lp_route_reads(store, &reads);
    return reads;
}

static void
assert_reads(struct lp_store *store, const struct lp_route_reads *before, uint64_t shapes,
             uint64_t readings)
{
    struct lp_route_reads now = reads_of(store);

    assert_int_equal(now.shapes - before->shapes, shapes);
    assert_int_equal(now.readings - before->readings, readings);
}

/** As the last step of a termination saves it, in whatever program that runs. */
static void
terminate(struct lp_run_env *env, struct lp_store *store, const char *id)
{
    struct lp_save_context context = {.actor = "test", .clock = &env->db.clock};
    struct lp_subscription *sub = NULL;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_subscription_load(store, NULL, env->catalog, id, &sub, &err), &err);
    lp_test_ok(
        lp_subscription_set_status(sub, env->catalog, LP_LC_TERMINATED, &env->db.clock, &err),
        &err);
    lp_test_ok(lp_subscription_save(unit, sub, env->catalog, &context, NULL, &err), &err);
    lp_test_ok(lp_store_commit(store, unit, &err), &err);
    lp_unit_free(unit);
    lp_subscription_free(sub);
}

/** Devices and fibers are read once; what is claimed always; what changed is seen at the next
 * search. */
static void
a_search_sees_every_change(struct lp_run_env *env)
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    struct lp_store *store = env->db.store;
    struct lp_route_reads before;

    assert_int_equal(count_routes(env, wish(from, to, NULL)), 2);
    before = reads_of(store);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 2);
    assert_int_equal(count_routes(env, wish(from, port(B, "T3A"), NULL)), 2);
    assert_reads(store, &before, 0, 0);
    take(env, "h1", AI, LOW, HIGH);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    assert_int_equal(count_routes(env, wish(from, to, "{\"own\":[\"h1\"]}")), 2);
    assert_reads(store, &before, 0, 0);
    reading(env, C, LIGHT("L1", "193500000", "193550000"), 60);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 0);
    reading(env, C, "", 0);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    assert_reads(store, &before, 0, 2);
    terminate(env, store, net.fiber[AC]);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 0);
    add_fiber(env, AC, port(A, "L2"), port(C, "L1"), "span", 30000);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    assert_reads(store, &before, 2, 2);
}

/** On one file there is one program. */
static void
a_search_sees_what_another_program_did(struct lp_run_env *env)
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    struct lp_run_env other = *env;
    struct lp_err err = LP_ERR_INIT;

    if (env->db.dialect == LP_DIALECT_SQLITE)
        return;
    lp_test_ok(lp_store_open(&env->db.options, &other.db.store, &err), &err);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 2);
    assert_int_equal(count_routes(&other, wish(from, to, NULL)), 2);
    take(&other, "h1", AI, LOW, HIGH);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 1);
    terminate(&other, other.db.store, net.fiber[CB]);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 0);
    add_fiber(env, CB, port(C, "L2"), port(B, "L2"), "span", 30000);
    assert_int_equal(count_routes(&other, wish(from, to, NULL)), 1);
    reading(&other, C, LIGHT("L2", "193500000", "193550000"), 60);
    assert_int_equal(count_routes(env, wish(from, to, NULL)), 0);
    lp_store_close(other.db.store);
}

struct searcher {
    struct lp_run_env *env;
    atomic_bool *ended;
    size_t searches;
};

static void *
search_on(void *arg)
{
    struct searcher *s = arg;

    do {
        size_t count = count_routes(s->env, wish(port(A, "T1A"), port(B, "T1A"), NULL));

        assert_in_range(count, 1, 2);
        s->searches++;
    } while (!atomic_load(s->ended));
    return NULL;
}

/** What is shared between threads is given up while others still use it. */
static void
searches_run_beside_changes(struct lp_run_env *env)
{
    enum { THREADS = 4, CHANGES = 12 };
    atomic_bool ended = false;
    struct searcher searchers[THREADS];
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        searchers[i] = (struct searcher){.env = env, .ended = &ended};
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, &searchers[i]), 0);
    }
    for (int i = 0; i < CHANGES; i++) {
        if (i % 2 == 0)
            terminate(env, env->db.store, net.fiber[AC]);
        else
            add_fiber(env, AC, port(A, "L2"), port(C, "L1"), "span", 30000);
        reading(env, A, LIGHT("L1", "193400000", "193450000"), i);
    }
    atomic_store(&ended, true);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(searchers[i].searches > 0);
    }
    assert_int_equal(count_routes(env, wish(port(A, "T1A"), port(B, "T1A"), NULL)), 2);
}

/* ---- claims beside light ---- */

static void
differences_are_told(struct lp_run_env *env)
{
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    struct lp_unit *unit = lp_unit_new();
    json_auto_t *all = NULL, *one = NULL, *shown = NULL, *device = NULL;
    const json_t *row;

    forget_reading(env, B);
    forget_reading(env, C);
    take(env, "h1", AC, LOW, HIGH);
    take(env, "h2", AC, HIGH, HIGH + 50000);
    lp_claims_mark(unit, "h1", true);
    lp_test_ok(lp_store_commit(env->db.store, unit, &err), &err);
    lp_unit_free(unit);
    reading(env, A, LIGHT("L2", "193450000", "193500000") "," LIGHT("L2", "194000000", "194050000"),
            5);
    lp_test_ok(lp_spectrum_differences(&source, NULL, &all, &err), &err);
    assert_int_equal(lp_json_int(all, "fibers", 0), 2); /* A sees AI and AC */
    assert_int_equal(json_array_size(json_object_get(all, "differences")), 2);
    row = json_array_get(json_object_get(all, "differences"), 0);
    assert_string_equal(lp_json_str(row, "kind", ""), "foreign");
    assert_int_equal(lp_json_int(row, "low_mhz", 0), 194000000);
    assert_string_equal(lp_json_str(row, "circuit", ""), "c");
    row = json_array_get(json_object_get(all, "differences"), 1);
    assert_string_equal(lp_json_str(row, "kind", ""), "missing");
    assert_string_equal(lp_json_str(row, "holder", ""), "h1");
    assert_int_equal(lp_json_int(row, "low_mhz", 0), 193500000);
    assert_int_equal(lp_json_int(row, "high_mhz", 0), HIGH);
    lp_test_ok(lp_spectrum_differences(&source, net.fiber[AI], &one, &err), &err);
    assert_int_equal(json_array_size(json_object_get(one, "differences")), 0);
    lp_test_ok(lp_spectrum_show(&source, net.fiber[AC], &shown, &err), &err);
    row = json_array_get(json_object_get(shown, "fibers"), 0);
    assert_int_equal(json_array_size(json_object_get(row, "claims")), 2);
    assert_int_equal(json_array_size(json_object_get(row, "observed")), 2);
    assert_int_equal(json_array_size(json_object_get(row, "free")), 3);
    lp_test_ok(lp_spectrum_show(&source, "a.example.net", &device, &err), &err);
    assert_int_equal(json_array_size(json_object_get(device, "fibers")), 3);
    assert_int_equal(lp_spectrum_show(&source, "nothing", &device, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
}

/** Light beyond the band plan is in nobody's way, and is told. */
static void
light_outside_the_band_is_told(struct lp_run_env *env)
{
    const struct lp_route_source source = source_of(env);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *all = NULL, *shown = NULL;
    const json_t *row;

    reading(env, A, LIGHT("L2", "187000000", "187050000") "," LIGHT("L2", "196100000", "196200000"),
            5);
    lp_test_ok(lp_spectrum_differences(&source, net.fiber[AC], &all, &err), &err);
    assert_int_equal(json_array_size(json_object_get(all, "differences")), 2);
    row = json_array_get(json_object_get(all, "differences"), 0);
    assert_true(lp_json_true(row, "outside_band"));
    assert_string_equal(lp_json_str(row, "text", ""),
                        "a.example.net L2: light at 187000000-187050000 MHz of circuit c that no "
                        "claim explains, outside of the band plan C");
    lp_test_ok(lp_spectrum_show(&source, net.fiber[AC], &shown, &err), &err);
    row = json_array_get(json_object_get(shown, "fibers"), 0);
    assert_int_equal(json_array_size(json_object_get(row, "observed")), 2);
    assert_int_equal(count_routes(env, wish(port(A, "T1A"), port(B, "T1A"), NULL)), 2);
}

/* ---- processes ---- */

static json_t *next_root, *next_requests;

static enum lp_code
put_next(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    json_object_set_new(output, "root", json_deep_copy(next_root));
    json_object_set_new(output, "changes", json_object());
    json_object_set_new(output, "spectrum_requests", json_deep_copy(next_requests));
    return LP_OK;
}

static enum lp_code
empty_page(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    static const struct lp_field field = {.name = "sure", .kind = LP_FIELD_BOOL, .required_in = -1};

    (void)ctx;
    (void)err;
    lp_form_page_add(page, &field);
    return LP_OK;
}

static const struct lp_page pages[] = {{.title = "Light", .build = empty_page}};
static const struct lp_form next_form = {LP_PAGES(pages), .finish = put_next};
static const struct lp_form pause_form = {LP_PAGES(pages)};
static const struct lp_step pause = {.key = "pause",
                                     .title = "Where devices would be configured",
                                     .kind = LP_STEP_INPUT,
                                     .effects = LP_EFFECT_NONE,
                                     .form = &pause_form,
                                     .no_undo = "does nothing"};

static enum lp_code
give_number(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    struct lp_number_range range = {1, 40};
    json_auto_t *except = json_pack("[i]", 3);
    char value[32];
    int64_t number;
    enum lp_code rc = lp_allocate_number(run, "test.number", "n", 3, &range, except, &number, err);

    (void)state;
    if (rc != LP_OK)
        return rc;
    snprintf(value, sizeof value, "n%03d", (int)number);
    lp_run_write(run, LP_SQL_BLOCK_KEY_INSERT,
                 LP_ARGS(lp_text("scope", "test.number"), lp_text("value", value),
                         lp_text("instance_id", run->process_id),
                         lp_text("subscription_id", run->process_id)));
    return lp_json_set_int(delta, "number", number) == 0 ? LP_OK
                                                         : lp_fail(err, LP_NOMEM, "no memory");
}
static const struct lp_step number_step = {.key = "number",
                                           .title = "Give out a number",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_DB_RW,
                                           .run = give_number,
                                           .no_undo = "a test"};

static enum lp_code
give_others(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const struct lp_number_range range = {1, 9};
    int64_t key = 0, value = 0, group = 0, none = 0;
    enum lp_code rc =
        lp_allocate_key(run, "test.plain", "number", range, NULL, NULL, NULL, &key, err);

    (void)state;
    if (rc == LP_OK)
        rc = lp_allocate_value(run, "test_leaf", "number", range, NULL, &value, err);
    if (rc == LP_OK)
        rc = lp_allocate_group(run, "test.tag", "f", 3, "c", &range, &group, err);
    if (rc == LP_OK
        && lp_allocate_group(run, "test.tag", "f", 3, "c", &(struct lp_number_range){1, 2}, &none,
                             err)
               != LP_CONFLICT)
        return lp_fail(err, LP_INTERNAL, "a flow that is used was given out: %d", (int)none);
    lp_err_clear(err);
    lp_json_set_int(delta, "key", key);
    lp_json_set_int(delta, "value", value);
    lp_json_set_int(delta, "group", group);
    return rc;
}
static const struct lp_step others_step = {.key = "others",
                                           .title = "Give out other numbers",
                                           .kind = LP_STEP_ACTION,
                                           .effects = LP_EFFECT_DB_RW,
                                           .run = give_others,
                                           .no_undo = "a test"};
static const struct lp_step *const others[] = {&others_step};
static const struct lp_step *const make[] = {&lp_step_construct, &lp_step_claim_spectrum, &pause,
                                             &lp_step_settle_spectrum};
static const struct lp_step *const change[] = {&lp_step_update, &lp_step_claim_spectrum, &pause,
                                               &lp_step_settle_spectrum};
static const struct lp_step *const drop[] = {&lp_step_release_spectrum, &pause};
static const struct lp_step *const check[] = {&lp_step_compare_spectrum};
static const struct lp_step *const repair[] = {&lp_step_reclaim_spectrum, &pause,
                                               &lp_step_settle_spectrum};
static const struct lp_step *const again[] = {&lp_step_ask_again, &lp_step_claim_spectrum, &pause,
                                              &lp_step_settle_spectrum};
static const struct lp_step *const end[] = {&lp_step_check_unused};
static const struct lp_step *const number[] = {&number_step};
static const struct lp_workflow rows[] = {
    {.name = "make",
     .description = "Make",
     .target = LP_TARGET_CREATE,
     .product = "Optical Spectrum",
     .form = &next_form,
     LP_STEPS(make)},
    {.name = "change",
     .description = "Change",
     .target = LP_TARGET_MODIFY,
     .product = "Optical Spectrum",
     .form = &next_form,
     LP_STEPS(change)},
    {.name = "drop",
     .description = "Drop",
     .target = LP_TARGET_TERMINATE,
     .product = "Optical Spectrum",
     LP_STEPS(drop)},
    {.name = "check",
     .description = "Check",
     .target = LP_TARGET_VALIDATE,
     .product = "Optical Spectrum",
     .is_task = true,
     LP_STEPS(check)},
    {.name = "repair",
     .description = "Repair",
     .target = LP_TARGET_RECONCILE,
     .product = "Optical Spectrum",
     LP_STEPS(repair)},
    {.name = "again",
     .description = "Again",
     .target = LP_TARGET_RECONCILE,
     .product = "Optical Spectrum",
     LP_STEPS(again)},
    {.name = "end",
     .description = "End",
     .target = LP_TARGET_TERMINATE,
     .product = "Optical Fiber",
     LP_STEPS(end)},
    {.name = "number",
     .description = "Number",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(number)},
    {.name = "others",
     .description = "Others",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     LP_STEPS(others)},
};
static const struct lp_workflow_set set = {rows, LP_COUNT(rows)};

/** What the next process asks for: the best route of the wish (taken), as a form would put it. */
static void
ask(struct lp_run_env *env, json_t *w, bool with_route)
{
    json_auto_t *found = with_route ? find(env, json_deep_copy(w)) : NULL;
    json_t *route = json_array_get(json_object_get(found, "routes"), 0);

    json_decref(next_requests);
    next_requests =
        json_pack("[{s:i, s:[], s:o, s:O?}]", "slot", 0, "block", "wish", w, "route", route);
    assert_non_null(next_requests);
}

static void
start(struct lp_run_env *env, const char *workflow, const char *subscription, const char *name,
      char id[static LP_UUID_LEN + 1])
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *input =
        subscription == NULL ? json_pack(
            "[{s:s}, {}]", "product", lp_catalog_product(env->catalog, "Optical Spectrum")->id.text)
        : strcmp(workflow, "change") == 0
            ? json_pack("[{s:s}, {}]", "subscription_id", subscription)
            : json_pack("[{s:s}]", "subscription_id", subscription);

    if (subscription == NULL) {
        json_decref(next_root);
        next_root = json_pack("{s:s, s:I, s:I, s:{}}", "spectrum_name", name, "low_mhz",
                              (json_int_t)LOW, "high_mhz", (json_int_t)HIGH, "constraints");
    }
    lp_test_ok(lp_engine_begin(env->engine, &lp_test_caller,
                               &(struct lp_start){.workflow = workflow, .pages = input}, id, &err),
               &err);
}

static void
go_on(struct lp_run_env *env, const char *id)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *doc = json_loads("[{}]", 0, NULL);

    lp_test_ok(lp_engine_resume(env->engine, &lp_test_caller, id, doc, &err), &err);
    lp_test_wait(env, id, "completed");
}

static void
stop(struct lp_run_env *env, const char *id, bool rollback)
{
    struct lp_err err = LP_ERR_INIT;

    lp_test_ok(lp_engine_abort(env->engine, &lp_test_caller, id, rollback, &err), &err);
    lp_test_wait(env, id, "aborted");
}

static int64_t
claimed(struct lp_run_env *env, const char *state)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM spectrum_claims WHERE state = '%s'", state);
    return lp_store_env_int(&env->db, sql);
}

static void
subscription_of(struct lp_run_env *env, const char *process, char *out)
{
    json_auto_t *state = lp_test_state(env, process);

    snprintf(out, LP_UUID_LEN + 1, "%s", lp_json_str(state, "subscription_id", ""));
}

static json_t *
root_of(struct lp_run_env *env, const char *id)
{
    struct lp_subscription *sub = NULL;
    struct lp_err err = LP_ERR_INIT;
    json_t *root;

    lp_test_ok(lp_subscription_load(env->db.store, NULL, env->catalog, id, &sub, &err), &err);
    root = json_deep_copy(sub->root);
    lp_subscription_free(sub);
    return root;
}

static void
make_one(struct lp_run_env *env, const char *name, char *subscription)
{
    char id[LP_UUID_LEN + 1];

    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, name, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "lit"), 0);
    go_on(env, id);
    subscription_of(env, id, subscription);
}

/** A ROADM that was never read is unknown, not dark: refused until it is read, or an operator says
 * so, in the search and in the claim. */
static void
never_read_is_not_dark(struct lp_run_env *env)
{
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    json_auto_t *found = NULL, *taken = NULL;
    const json_t *first;
    char id[LP_UUID_LEN + 1];

    ask(env, wish(from, to, NULL), true);
    forget_reading(env, B);
    found = find(env, wish(from, to, NULL));
    assert_int_equal(json_array_size(json_object_get(found, "routes")), 0);
    assert_string_equal(lp_json_str(json_object_get(found, "problem"), "code", ""), "OPT-031");
    assert_non_null(strstr(lp_json_str(json_object_get(found, "problem"), "message", ""),
                           "b.example.net L1 was never read; refresh before planning"));
    start(env, "make", NULL, "one", id); /* chosen before */
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               " was never read; refresh before planning"));
    assert_int_equal(claimed(env, "reserved"), 0);
    taken = find(env, wish(from, to, "{\"unknown_light\":true}"));
    first = json_array_get(json_object_get(taken, "routes"), 0);
    assert_int_equal(json_array_size(json_object_get(taken, "routes")), 2);
    assert_true(lp_json_true(first, "unread"));
    assert_true(json_is_null(json_object_get(first, "age_us")));
    ask(env, wish(from, to, "{\"unknown_light\":true}"), true);
    start(env, "make", NULL, "two", id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "reserved"), 2);
}

/** What a reconcile asks for again is its own: how old the readings are does not matter. What it
 * lost is asked for as by anybody. */
static void
own_claims_outlive_old_readings(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], sql[160];

    make_one(env, "one", sub);
    reading(env, A, "", 8 * 86400);
    reading(env, B, "", 8 * 86400);
    start(env, "again", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    go_on(env, id);
    assert_int_equal(claimed(env, "lit"), 2);
    snprintf(sql, sizeof sql, "DELETE FROM spectrum_claims WHERE fiber_id = '%s'", net.fiber[IB]);
    lp_store_env_exec(&env->db, sql);
    start(env, "again", sub, NULL, id);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               " is 192 h old; refresh before planning"));
}

/** The cord between two ports of the first device carries the light too, and a reconcile claims it
 * again; a change whose ends stay does not enter by the other port of the cord. */
static void
a_cord_inside_a_device_keeps_its_claim(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1], cord[LP_UUID_LEN + 1], sql[200];
    json_auto_t *root = NULL, *found = NULL;
    const char *first;

    add_fiber(env, INSIDE, port(A, "T3A"), port(A, "T1A"), "patch", 0);
    snprintf(cord, sizeof cord, "%s", net.fiber[INSIDE]);
    ask(env, wish(port(A, "T3A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, "one", id);
    lp_test_wait(env, id, "suspended");
    go_on(env, id);
    subscription_of(env, id, sub);
    assert_int_equal(claimed(env, "lit"), 3);
    root = root_of(env, sub);
    first = json_string_value(json_array_get(json_object_get(root, "route_ports"), 0));
    assert_string_equal(first, port(A, "T1A"));
    start(env, "again", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    go_on(env, id);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM spectrum_claims WHERE fiber_id = '%s'", cord);
    assert_int_equal(lp_store_env_int(&env->db, sql), 1);
    assert_int_equal(claimed(env, "lit"), 3);
    lp_store_env_exec(&env->db, "DELETE FROM spectrum_claims WHERE low_mhz > 0");
    start(env, "again", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "reserved"), 3);
    stop(env, id, true);
    found = find(env, wish(first, port(B, "T1A"), "{\"inner\":true}"));
    first = json_string_value(json_array_get(
        json_object_get(json_array_get(json_object_get(found, "routes"), 0), "ports"), 0));
    assert_string_equal(first, port(A, "T1A"));
    assert_ids(json_object_get(json_array_get(json_object_get(found, "routes"), 0), "patches"), 1,
               (const char *const[]){cord});
}

/** The route of a narrower wish, as if it had been chosen for a wider band. */
static json_t *
route_over_lease(struct lp_run_env *env, const char *from, const char *to)
{
    json_auto_t *found =
        find(env, wish(from, to,
                       format("{\"low_mhz\":193650000,\"high_mhz\":193700000,\"include\":[\"%s\"]}",
                              net.fiber[LEASE])));
    json_t *route = json_array_get(json_object_get(found, "routes"), 0);

    assert_non_null(route);
    return json_incref(route);
}

/** An edge with a band of its own: routes over it keep inside, by passband and by width, and so
 * does a claim; what is not known of its noise is taken from the lease. */
static void
leased_spectrum_is_an_edge_with_a_band(struct lp_run_env *env)
{
    static const char within[] = "{\"low_mhz\":193600000,\"high_mhz\":193700000}";
    json_auto_t *root = NULL, *found = NULL, *shown = NULL, *late = NULL;
    const struct lp_route_source source = source_of(env);
    const char *from = port(T, "P1"), *to = port(B, "T1A");
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];
    const json_t *first;

    lease(env, port(A, "T1A"), port(C, "T1A"), 193600000, 193800000);
    root = root_of(env, net.fiber[LEASE]);
    assert_int_equal(lp_json_int(root, "length_m", 0), 500000);
    assert_int_equal(lp_json_int(root, "latency_ns", 0), 2448350);
    /* T-A over the lease to C, and on to B */
    found = find(env, wish(from, to,
                           format("{\"low_mhz\":193650000,\"high_mhz\":193750000,\"include\":"
                                  "[\"%s\"],\"required_osnr_cdb\":1000}",
                                  net.fiber[LEASE])));
    first = json_array_get(json_object_get(found, "routes"), 0);
    assert_ids(json_object_get(first, "fibers"), 2,
               (const char *const[]){net.fiber[LEASE], net.fiber[CB]});
    assert_true(lp_json_int(first, "osnr_cdb", 0) < 2500); /* as delivered */
    lp_test_ok(lp_route_stands(&source, first, &err), &err);
    assert_int_equal(
        count_routes(env, wish(from, to, format("{\"include\":[\"%s\"]}", net.fiber[LEASE]))), 0);
    json_decref(lp_json_take(&found));
    found = find(env, json_pack("{s:s, s:s, s:i, s:[s]}", "from", from, "to", to, "width_mhz",
                                50000, "include", net.fiber[LEASE]));
    first = json_object_get(json_array_get(json_object_get(found, "routes"), 0), "first_free");
    assert_int_equal(lp_json_int(first, "low_mhz", 0), 193612500); /* behind the guard */
    lp_test_ok(lp_spectrum_show(&source, net.fiber[LEASE], &shown, &err), &err);
    first = json_array_get(json_object_get(shown, "fibers"), 0);
    assert_int_equal(json_array_size(json_object_get(first, "free")), 1);
    /* a claim looks for itself: a route chosen while it was wider */
    late = wish(from, to, within);
    ask(env, json_deep_copy(late), false);
    json_object_set_new(json_array_get(next_requests, 0), "route", route_over_lease(env, from, to));
    start(env, "make", NULL, "one", id);
    lp_test_wait(env, id, "failed");
    assert_non_null(strstr(
        lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
        "193600000-193700000 MHz is outside 193612500..193787500, the spectrum leased with "));
    assert_int_equal(claimed(env, "reserved"), 0);
}

/** The band shrinks only around the light, and who is told names whose light it is. */
static void
a_lease_keeps_its_light(struct lp_run_env *env)
{
    json_auto_t *root = NULL;
    struct lp_err err = LP_ERR_INIT;
    const char *id = net.fiber[LEASE];

    lease(env, port(A, "T1A"), port(C, "T1A"), 193600000, 193800000);
    root = root_of(env, id);
    take(env, net.device[A], LEASE, 193650000, 193700000);
    lp_test_ok(lp_lease_holds(env->db.store, NULL, id, root, &err), &err);
    json_object_set_new(root, "leased_low_mhz", json_integer(193662500));
    assert_int_equal(lp_lease_holds(env->db.store, NULL, id, root, &err), LP_CONFLICT);
    assert_string_equal(lp_json_str(err.detail, "code", ""), "OPT-023");
    assert_non_null(strstr(err.msg, "193650000-193700000 MHz, which a.example.net ("));
    lp_err_clear(&err);
    json_object_set_new(root, "kind", json_string("span"));
    lp_test_ok(lp_lease_holds(env->db.store, NULL, id, root, &err), &err);
}

static void
a_life_with_claims(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_auto_t *root = NULL;

    make_one(env, "one", sub);
    assert_int_equal(claimed(env, "lit"), 2);
    assert_int_equal(claimed(env, "reserved"), 0);
    root = root_of(env, sub);
    assert_string_equal(lp_json_str(root, "reservation", ""), "lit");
    assert_int_equal(lp_json_int(root, "low_mhz", 0), LOW);
    assert_int_equal(json_array_size(json_object_get(root, "route_fibers")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "route_ports")), 6);
    /* a termination gives it back; taken back, it is there again */
    start(env, "drop", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "lit"), 0);
    stop(env, id, true);
    assert_int_equal(claimed(env, "lit"), 2);
    start(env, "check", sub, NULL, id);
    lp_test_wait(env, id, "completed");
    lp_store_env_exec(&env->db, "DELETE FROM spectrum_claims WHERE low_mhz > 0");
    start(env, "check", sub, NULL, id);
    lp_test_wait(env, id, "inconsistent_data");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "is not claimed"));
    /* and a repair takes it again */
    stop(env, id, false);
    start(env, "repair", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "reserved"), 2);
    stop(env, id, true);
    assert_int_equal(claimed(env, "lit") + claimed(env, "reserved"), 0);
    start(env, "repair", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    go_on(env, id);
    start(env, "check", sub, NULL, id);
    lp_test_wait(env, id, "completed");
}

static void
an_abort_gives_back_what_the_process_claimed(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], other[LP_UUID_LEN + 1];

    make_one(env, "one", other);
    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, "two", id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "reserved"), 2);
    stop(env, id, true);
    assert_int_equal(claimed(env, "reserved"), 0);
    assert_int_equal(claimed(env, "lit"), 2);
    /* without rollback they stay: elements may hold what was planned */
    start(env, "make", NULL, "three", id);
    lp_test_wait(env, id, "suspended");
    stop(env, id, false);
    assert_int_equal(claimed(env, "reserved"), 2);
}

static void
a_change_claims_before_it_gives_back(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    const char *from = port(A, "T1A"), *to = port(B, "T1A");
    json_auto_t *root = NULL;

    make_one(env, "one", sub);
    root = root_of(env, sub);
    ask(env,
        wish(from, to,
             format("{\"low_mhz\":193500000,\"high_mhz\":193600000,\"own\":[\"%s\"]}",
                    lp_json_str(root, "subscription_instance_id", ""))),
        true);
    start(env, "change", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "lit"), 2); /* 193450..193550 */
    assert_int_equal(claimed(env, "reserved"), 2);
    assert_int_equal(
        count_routes(env, wish(from, to, "{\"low_mhz\":193400000,\"high_mhz\":193500000}")),
        1); /* still ours: the other way only */
    stop(env, id, true);
    assert_int_equal(claimed(env, "reserved"), 0);
    assert_int_equal(claimed(env, "lit"), 2);
    start(env, "change", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    go_on(env, id);
    assert_int_equal(claimed(env, "reserved"), 0);
    assert_int_equal(claimed(env, "lit"), 2);
    assert_int_equal(
        lp_store_env_int(&env->db, "SELECT count(*) FROM spectrum_claims WHERE low_mhz = 193500000 "
                                   "AND high_mhz = 193600000"),
        2);
    assert_int_equal(
        count_routes(env, wish(from, to, "{\"low_mhz\":193400000,\"high_mhz\":193500000}")), 2);
}

/** After a change that was left in the middle elements may hold the light of before: a repair keeps
 * it until what the document speaks of works. */
static void
a_repair_gives_back_at_its_end(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_auto_t *root = NULL, *after = NULL;

    make_one(env, "one", sub);
    root = root_of(env, sub);
    ask(env,
        wish(port(A, "T1A"), port(B, "T1A"),
             format("{\"low_mhz\":193500000,\"high_mhz\":193600000,\"own\":[\"%s\"]}",
                    lp_json_str(root, "subscription_instance_id", ""))),
        true);
    start(env, "change", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    stop(env, id, false);
    start(env, "repair", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(claimed(env, "lit"), 2); /* 193450..193550 */
    assert_int_equal(claimed(env, "reserved"), 2);
    go_on(env, id);
    assert_int_equal(claimed(env, "reserved"), 0);
    assert_int_equal(
        lp_store_env_int(&env->db, "SELECT count(*) FROM spectrum_claims WHERE low_mhz = 193500000 "
                                   "AND high_mhz = 193600000 AND state = 'lit'"),
        2);
    after = root_of(env, sub);
    assert_string_equal(lp_json_str(after, "reservation", ""), "lit");
}

/** What is set up beside the present light needs other light, also when what was shown is gone. */
static void
what_runs_beside_it_gets_other_light(struct lp_run_env *env)
{
    char sub[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];

    make_one(env, "one", sub);
    ask(env,
        json_pack("{s:s, s:s, s:i, s:[s]}", "from", port(A, "T1A"), "to", port(B, "T1A"),
                  "width_mhz", 100000, "exclude_nodes", net.device[C]),
        true);
    take(env, "h2", AI, 191325000, LOW);
    start(env, "change", sub, NULL, id);
    lp_test_wait(env, id, "suspended");
    assert_int_equal(
        lp_store_env_int(&env->db, "SELECT count(*) FROM spectrum_claims WHERE low_mhz = 193550000 "
                                   "AND high_mhz = 193650000 AND state = 'reserved'"),
        2);
    stop(env, id, true);
    assert_int_equal(claimed(env, "lit"), 2);
}

/** A patch cord is in no document of the channel whose light runs over it, and stays all the same.
 */
static void
a_patch_cord_under_light_stays(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    take(env, "h1", TA, LOW, HIGH);
    start(env, "end", net.fiber[TA], NULL, id);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "cannot be terminated: light of h1 (not stored) runs over it"));
    start(env, "end", net.fiber[UB], NULL, id);
    lp_test_wait(env, id, "completed");
}

/** What nobody approves in time is rolled back by the clean-up, and its light is free again. */
static void
a_late_approval_gives_back_the_light(struct lp_run_env *env)
{
    char old[LP_UUID_LEN + 1], young[LP_UUID_LEN + 1], task[LP_UUID_LEN + 1];
    char sql[160];

    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, "one", old);
    lp_test_wait(env, old, "suspended");
    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, "two", young);
    lp_test_wait(env, young, "suspended");
    assert_int_equal(claimed(env, "reserved"), 4);
    snprintf(sql, sizeof sql, "UPDATE processes SET modified_at = 1 WHERE id = '%s'", old);
    lp_store_env_exec(&env->db, sql);
    lp_test_start(env, "task_clean_up_tasks", NULL, task);
    lp_test_wait(env, task, "completed");
    lp_test_wait(env, old, "aborted");
    assert_int_equal(claimed(env, "reserved"), 2);
    assert_string_equal(lp_test_text(env, "SELECT status FROM processes WHERE id = :id", young),
                        "suspended");
}

/** Two that were offered the same light: the second is told who has it, and claims nothing. */
static void
the_second_is_told_who_was_first(struct lp_run_env *env)
{
    char first[LP_UUID_LEN + 1], id[LP_UUID_LEN + 1];
    json_auto_t *error = NULL;

    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    start(env, "make", NULL, "one", first);
    lp_test_wait(env, first, "suspended");
    start(env, "make", NULL, "two", id);
    lp_test_wait(env, id, "failed");
    error =
        json_loads(lp_test_text(env, "SELECT error FROM processes WHERE id = :id", id), 0, NULL);
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "193450000-193550000 overlaps 193450000-193550000 of "));
    assert_int_equal(claimed(env, "reserved"), 2);
    stop(env, first, true);
    assert_int_equal(claimed(env, "reserved"), 0);
}

static void
foreign_light_stops_a_claim(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1];

    ask(env, wish(port(A, "T1A"), port(B, "T1A"), NULL), true);
    reading(env, B, LIGHT("L1", "193500000", "193512500"), 1);
    start(env, "make", NULL, "one", id);
    lp_test_wait(env, id, "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", id),
               "of light that no claim explains"));
    assert_int_equal(claimed(env, "reserved"), 0);
}

/** Ten who only say how wide: ten different passbands, first-fit. */
static void
widths_get_different_light(struct lp_run_env *env)
{
    enum { MANY = 10 };
    char ids[MANY][LP_UUID_LEN + 1], name[16];

    ask(env,
        json_pack("{s:s, s:s, s:i, s:[s]}", "from", port(A, "T1A"), "to", port(B, "T1A"),
                  "width_mhz", 50000, "exclude_nodes", net.device[C]),
        true);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%d", i);
        start(env, "make", NULL, name, ids[i]);
    }
    for (int i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "suspended");
    assert_int_equal(claimed(env, "reserved"), 2 * MANY);
    assert_int_equal(lp_store_env_int(&env->db, "SELECT max(high_mhz) FROM spectrum_claims"),
                     191325000 + MANY * 50000);
}

static void
numbers_are_given_out_once(struct lp_run_env *env)
{
    enum { MANY = 39 };
    char ids[MANY + 1][LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *none = json_loads("[{}]", 0, NULL);

    for (int i = 0; i < MANY; i++)
        lp_test_ok(lp_engine_begin(env->engine, &lp_test_caller,
                                   &(struct lp_start){.workflow = "number", .pages = none}, ids[i],
                                   &err),
                   &err);
    for (int i = 0; i < MANY; i++)
        lp_test_wait(env, ids[i], "completed");
    assert_int_equal(lp_store_env_int(&env->db,
                                      "SELECT count(*) FROM block_keys WHERE scope = "
                                      "'test.number' AND value BETWEEN 'n001' AND 'n040'"),
                     MANY);
    lp_test_ok(lp_engine_begin(env->engine, &lp_test_caller,
                               &(struct lp_start){.workflow = "number", .pages = none}, ids[MANY],
                               &err),
               &err);
    lp_test_wait(env, ids[MANY], "failed");
    assert_non_null(
        strstr(lp_test_text(env, "SELECT failed_reason FROM processes WHERE id = :id", ids[MANY]),
               "between 1 and 40"));
}

/** The lowest that is free: by unique keys, by values of living subscriptions, by groups of keys.
 */
static void
gaps_are_filled(struct lp_run_env *env)
{
    char id[LP_UUID_LEN + 1], sql[400];
    json_auto_t *state = NULL;

    snprintf(sql, sizeof sql,
             "INSERT INTO block_keys (scope, value, instance_id, subscription_id) VALUES "
             "('test.plain', '1', 'i', 's'), ('test.plain', '3', 'i', 's'), "
             "('test.tag', 'f001c01', 'i', 's'), ('test.tag', 'f002c16', 'i', 's'), "
             "('test.tag', 'f004c01', 'i', 's'), ('test.tag', 'x003c01', 'i', 's')");
    lp_store_env_exec(&env->db, sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO block_values (name, value, instance_id, subscription_id) VALUES "
             "('test_leaf', '1', 'i', '%s'), ('test_leaf', '2', 'i', 'gone'), "
             "('other_leaf', '3', 'i', '%s')",
             net.device[A], net.device[A]);
    lp_store_env_exec(&env->db, sql);
    lp_test_start(env, "others", NULL, id);
    lp_test_wait(env, id, "completed");
    state = lp_test_state(env, id);
    assert_int_equal(lp_json_int(state, "key", 0), 2);
    assert_int_equal(lp_json_int(state, "value", 0), 2);
    assert_int_equal(lp_json_int(state, "group", 0), 3);
    assert_int_equal(lp_numbers_och(env->conf).high, 999);
    assert_int_equal(lp_numbers_flow(env->conf).low, 1);
    assert_int_equal(lp_numbers_client(env->conf).high, 16);
}

/* ---- */

struct light_case {
    const char *name, *name_pg;
    void (*run)(struct lp_run_env *env);
};
#define CASE(fn)                                                                                   \
    {                                                                                              \
#fn, #fn "_pg", fn                                                                         \
    }
static const struct light_case cases[] = {
    CASE(routes_are_found),
    CASE(rules_are_obeyed),
    {"D18_own_light_is_free", "D18_own_light_is_free_pg", own_light_is_free},
    CASE(light_of_nobody_is_in_the_way),
    CASE(old_readings_are_refused),
    CASE(never_read_is_not_dark),
    CASE(own_claims_outlive_old_readings),
    CASE(a_cord_inside_a_device_keeps_its_claim),
    CASE(leased_spectrum_is_an_edge_with_a_band),
    CASE(a_lease_keeps_its_light),
    CASE(the_osnr_constants_are_configuration),
    CASE(a_search_sees_every_change),
    CASE(a_search_sees_what_another_program_did),
    CASE(searches_run_beside_changes),
    CASE(the_first_passband_that_fits),
    CASE(transponders_are_patched),
    CASE(a_route_whose_fiber_is_gone_does_not_stand),
    CASE(differences_are_told),
    CASE(light_outside_the_band_is_told),
    CASE(a_life_with_claims),
    CASE(an_abort_gives_back_what_the_process_claimed),
    CASE(a_change_claims_before_it_gives_back),
    CASE(a_repair_gives_back_at_its_end),
    CASE(what_runs_beside_it_gets_other_light),
    CASE(a_patch_cord_under_light_stays),
    CASE(a_late_approval_gives_back_the_light),
    CASE(the_second_is_told_who_was_first),
    CASE(foreign_light_stops_a_claim),
    {"D48_widths_get_different_light", "D48_widths_get_different_light_pg",
     widths_get_different_light},
    CASE(numbers_are_given_out_once),
    CASE(gaps_are_filled),
};

static void
on(enum lp_dialect dialect, const struct light_case *one)
{
    struct lp_run_env env;

    if (!lp_store_env_has(dialect))
        skip();
    lp_run_env_open(&env, dialect, &set);
    lp_run_env_start(&env);
    build(&env);
    one->run(&env);
    lp_run_env_close(&env);
    for (int i = 0; i < DEVICES; i++)
        json_decref(net.port[i]);
    json_decref(next_root);
    json_decref(next_requests);
    next_root = next_requests = NULL;
}

static void
on_sqlite(void **state)
{
    on(LP_DIALECT_SQLITE, *state);
}

static void
on_postgres(void **state)
{
    on(LP_DIALECT_POSTGRES, *state);
}

int
main(void)
{
    struct CMUnitTest tests[2 * LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        tests[2 * i] = (struct CMUnitTest){.name = cases[i].name,
                                           .test_func = on_sqlite,
                                           .initial_state = (void *)(uintptr_t)&cases[i]};
        tests[2 * i + 1] = (struct CMUnitTest){.name = cases[i].name_pg,
                                               .test_func = on_postgres,
                                               .initial_state = (void *)(uintptr_t)&cases[i]};
    }
    return LP_RUN_TESTS(tests);
}
