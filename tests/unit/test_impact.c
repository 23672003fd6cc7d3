/* What rides on what, on SQLite, and on PostgreSQL where LIGHTPATH_TEST_PG names one. */
#include <string.h>

#include "store/impact.h"
#include "store/subscriptions.h"
#include "tests/support/catalog_env.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

struct env {
    struct lp_store_env db;
    struct lp_catalog *catalog;
    struct lp_save_context context;
    struct lp_err err;
    char partner[2][LP_UUID_LEN + 1], pop[2][LP_UUID_LEN + 1], device[4][LP_UUID_LEN + 1];
    char port[4][4][LP_UUID_LEN + 1]; /* of a device: L1, L2, T1, T10 */
    char fiber[4][LP_UUID_LEN + 1], fiber_block[4][LP_UUID_LEN + 1];
    char spectrum[LP_UUID_LEN + 1], service[2][LP_UUID_LEN + 1], channel[LP_UUID_LEN + 1];
};

static void
save(struct env *e, struct lp_subscription *sub)
{
    struct lp_unit *unit = lp_unit_new();
    bool changed = false;

    lp_test_ok(lp_subscription_save(unit, sub, e->catalog, &e->context, &changed, &e->err),
               &e->err);
    lp_test_ok(lp_store_commit(e->db.store, unit, &e->err), &e->err);
    lp_unit_free(unit);
}

static struct lp_subscription *
make(struct env *e, const char *product, const char *customer, json_t *taken)
{
    json_auto_t *doc = taken;
    struct lp_subscription *sub = NULL;

    assert_non_null(doc);
    lp_test_ok(lp_subscription_new(e->catalog, lp_catalog_product(e->catalog, product), customer,
                                   doc, &e->db.clock, &sub, &e->err),
               &e->err);
    return sub;
}

static const char *
block_id(const json_t *block)
{
    return lp_json_str(block, "subscription_instance_id", "");
}

static void
keep(struct env *e, struct lp_subscription *sub, const char *description, char *id, char *block)
{
    free(sub->description);
    sub->description = strdup(description);
    assert_non_null(sub->description);
    save(e, sub);
    memcpy(id, sub->id, LP_UUID_LEN + 1);
    if (block != NULL)
        memcpy(block, block_id(sub->root), LP_UUID_LEN + 1);
    lp_subscription_free(sub);
}

static void
make_sites(struct env *e)
{
    static const char *const names[] = {"Alpha", "Beta"};
    char block[LP_UUID_LEN + 1];

    for (size_t i = 0; i < 2; i++) {
        keep(e, make(e, "Partner", NULL, json_pack("{s:s}", "short_name", names[i])), names[i],
             e->partner[i], NULL);
        keep(e, make(e, "PoP", e->partner[0], json_pack("{s:s}", "code", i == 0 ? "AA01" : "BB01")),
             i == 0 ? "AA01" : "BB01", e->pop[i], block);
        for (size_t d = 2 * i; d < 2 * i + 2; d++) {
            static const char *const ports[] = {"1-A-1-L1", "1-A-1-L2", "1-A-2-T1", "1-A-20-T1"};
            json_t *list = json_array();
            char name[32];
            struct lp_subscription *sub;
            for (size_t p = 0; p < 4; p++)
                json_array_append_new(list, json_pack("{s:s}", "port_name", ports[p]));
            (void)snprintf(name, sizeof(name), "d%zu.example.net", d);
            sub = make(e, "Optical Device", e->partner[0],
                       json_pack("{s:s, s:s, s:o}", "fqdn", name, "pop", block, "ports", list));
            for (size_t p = 0; p < 4; p++)
                memcpy(e->port[d][p],
                       block_id(json_array_get(json_object_get(sub->root, "ports"), p)),
                       LP_UUID_LEN + 1);
            keep(e, sub, name, e->device[d], NULL);
        }
    }
}

/* A chain d0 - d1 - d2 - d3. */
static void
make_fibers(struct env *e)
{
    for (size_t f = 0; f < 3; f++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "fiber %zu", f);
        keep(e,
             make(e, "Optical Fiber", e->partner[0],
                  json_pack("{s:[s, s]}", "terminations", e->port[f][1], e->port[f + 1][0])),
             name, e->fiber[f], e->fiber_block[f]);
    }
}

static json_t *
spectrum_over(struct env *e, const char *name, int64_t low, size_t from, size_t to)
{
    json_t *fibers = json_array(), *ports = json_array(), *path = json_array();

    json_array_append_new(ports, json_string(e->port[from][2]));
    for (size_t f = from; f < to; f++) {
        json_array_append_new(fibers, json_string(e->fiber_block[f]));
        json_array_append_new(path, json_string(e->port[f][1]));
        json_array_append_new(path, json_string(e->port[f + 1][0]));
    }
    json_array_extend(ports, path);
    json_array_append_new(ports, json_string(e->port[to][2]));
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:[{s:[s, s], s:o}]}", "spectrum_name", name,
                     "low_mhz", (json_int_t)low, "high_mhz", (json_int_t)low + 75000,
                     "route_fibers", fibers, "route_ports", ports, "sections", "add_drop_ports",
                     e->port[from][2], e->port[to][2], "path_ports", path);
}

static void
make_services(struct env *e)
{
    struct lp_subscription *sub;
    json_t *channel = json_pack("{s:i, s:o}", "och_id", 1, "optical_spectrum",
                                spectrum_over(e, "OCh001", 193100000, 1, 3));

    keep(e, make(e, "Optical Spectrum", e->partner[1], spectrum_over(e, "Blue", 191400000, 0, 2)),
         "Blue", e->spectrum, NULL);
    sub = make(e, "Optical Digital Service 100G", e->partner[0],
               json_pack("{s:s, s:[o]}", "service_name", "first", "channels", channel));
    memcpy(e->channel, block_id(json_array_get(json_object_get(sub->root, "channels"), 0)),
           LP_UUID_LEN + 1);
    keep(e, sub, "first", e->service[0], NULL);
    keep(e,
         make(e, "Optical Digital Service 100G", e->partner[1],
              json_pack("{s:s, s:[s], s:[s, s]}", "service_name", "second", "shared_channels",
                        e->channel, "client_ports", e->port[1][3], e->port[3][3])),
         "second", e->service[1], NULL);
}

/* Services by customer as "Alpha: first; Beta: second, Blue". */
static void
check(struct env *e, const char *id, const char *card, const char *expected)
{
    json_auto_t *impact = NULL;
    const json_t *customer, *service;
    char text[400] = "";
    size_t i, j, count = 0;

    lp_test_ok(lp_impact(e->db.store, NULL, id, card, &impact, &e->err), &e->err);
    json_array_foreach(json_object_get(impact, "customers"), i, customer)
    {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:", i > 0 ? "; " : "",
                       lp_json_str(customer, "customer", ""));
        json_array_foreach(json_object_get(customer, "services"), j, service)
        {
            count++;
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s",
                           j > 0 ? "," : "", lp_json_str(service, "description", ""));
        }
    }
    assert_string_equal(text, expected);
    assert_int_equal(lp_json_int(impact, "services", -1), count);
}

static void
D54_impact_of_fibers(struct env *e)
{
    json_auto_t *impact = NULL;
    const json_t *service;

    check(e, e->fiber[0], NULL, "Beta: Blue");
    check(e, e->fiber[1], NULL, "Alpha: first; Beta: second, Blue");
    check(e, e->fiber[2], NULL, "Alpha: first; Beta: second");
    lp_test_ok(lp_impact(e->db.store, NULL, e->fiber[2], NULL, &impact, &e->err), &e->err);
    service = json_array_get(
        json_object_get(json_array_get(json_object_get(impact, "customers"), 0), "services"), 0);
    assert_int_equal(
        lp_json_int(json_array_get(json_object_get(service, "spectrum"), 0), "low_mhz", 0),
        193100000);
    assert_string_equal(lp_json_str(service, "via", ""), "fiber 2");
}

static void
D54_impact_of_devices_cards_and_pops(struct env *e)
{
    json_auto_t *impact = NULL;

    check(e, e->device[0], NULL, "Beta: Blue");
    check(e, e->device[3], NULL, "Alpha: first; Beta: second");
    check(e, e->device[1], "1-A-1", "Alpha: first; Beta: second, Blue");
    check(e, e->device[1], "1-A-2", "Alpha: first; Beta: second"); /* not 1-A-20 */
    check(e, e->device[1], "1-A-20", "Beta: second");
    check(e, e->device[0], "1-A-20", "");
    check(e, e->pop[0], NULL, "Alpha: first; Beta: second, Blue");
    check(e, e->pop[1], NULL, "Alpha: first; Beta: second, Blue");
    lp_test_ok(lp_impact(e->db.store, NULL, e->device[0], NULL, &impact, &e->err), &e->err);
    assert_int_equal(json_array_size(json_object_get(impact, "fibers")), 1);
}

static void
impact_of_services(struct env *e)
{
    json_auto_t *impact = NULL;

    check(e, e->service[0], NULL, "Beta: second");
    check(e, e->service[1], NULL, "");
    check(e, e->spectrum, NULL, "");
    assert_int_equal(lp_impact(e->db.store, NULL, e->fiber[0], "1-A-1", &impact, &e->err),
                     LP_INVALID);
    lp_err_clear(&e->err);
    assert_int_equal(lp_impact(e->db.store, NULL, "0190c0de-0000-7000-8000-000000000000", NULL,
                               &impact, &e->err),
                     LP_NOT_FOUND);
    lp_err_clear(&e->err);
}

/* A terminated service rides on nothing any more. */
static void
terminated_are_left_out(struct env *e)
{
    char sql[200];

    (void)snprintf(sql, sizeof(sql),
                   "UPDATE subscriptions SET status = 'terminated' WHERE id = '%s'", e->service[1]);
    lp_store_env_exec(&e->db, sql);
    check(e, e->fiber[1], NULL, "Alpha: first; Beta: Blue");
}

static void
run_all(enum lp_dialect dialect)
{
    struct env e = {.err = LP_ERR_INIT};

    if (!lp_store_env_has(dialect))
        skip();
    e.catalog = lp_test_catalog(false);
    e.context = (struct lp_save_context){NULL, "tester", &e.db.clock};
    lp_store_env_open(&e.db, dialect);
    make_sites(&e);
    make_fibers(&e);
    make_services(&e);
    D54_impact_of_fibers(&e);
    D54_impact_of_devices_cards_and_pops(&e);
    impact_of_services(&e);
    terminated_are_left_out(&e);
    lp_store_env_close(&e.db);
    lp_catalog_free(e.catalog);
    lp_err_clear(&e.err);
}

static void
D54_impact_on_sqlite(void **state)
{
    (void)state;
    run_all(LP_DIALECT_SQLITE);
}

static void
D54_impact_on_postgres(void **state)
{
    (void)state;
    run_all(LP_DIALECT_POSTGRES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(D54_impact_on_sqlite),
                                       cmocka_unit_test(D54_impact_on_postgres)};

    return LP_RUN_TESTS(tests);
}
