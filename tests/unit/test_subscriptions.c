/* Subscriptions on SQLite, and on PostgreSQL where LIGHTPATH_TEST_PG names one. */
#include <pthread.h>
#include <string.h>

#include "store/subscriptions.h"
#include "tests/support/catalog_env.h"
#include "tests/support/store_env.h"
#include "tests/support/test_main.h"

struct env {
    struct lp_store_env db;
    struct lp_catalog *catalog;
    struct lp_save_context context;
    struct lp_err err;
};

/* ---- helpers ---- */

static struct lp_subscription *
fresh(struct env *e, const char *product, const char *input)
{
    const struct lp_product_type *type = lp_catalog_product(e->catalog, product);
    struct lp_subscription *sub = NULL;
    json_auto_t *doc = json_loads(input, 0, NULL);

    assert_non_null(type);
    assert_non_null(doc);
    lp_test_ok(lp_subscription_new(e->catalog, type, NULL, doc, &e->db.clock, &sub, &e->err),
               &e->err);
    return sub;
}

static enum lp_code
try_save(struct env *e, struct lp_subscription *sub, size_t *statements)
{
    struct lp_unit *unit = lp_unit_new();
    bool changed = false;
    enum lp_code rc;

    lp_test_ok(lp_subscription_save(unit, sub, e->catalog, &e->context, &changed, &e->err),
               &e->err);
    if (statements != NULL)
        *statements = lp_unit_size(unit);
    assert_true(changed == (lp_unit_size(unit) > 0));
    rc = changed ? lp_store_commit(e->db.store, unit, &e->err) : LP_OK;
    lp_unit_free(unit);
    return rc;
}

static void
save(struct env *e, struct lp_subscription *sub)
{
    lp_test_ok(try_save(e, sub, NULL), &e->err);
}

/* The commit is refused, and this is what people are told. */
static void
save_refused(struct env *e, struct lp_subscription *sub, const char *message)
{
    assert_int_equal(try_save(e, sub, NULL), LP_CONFLICT);
    lp_subscription_explain_conflict(e->db.store, &e->err);
    assert_int_equal(e->err.code, LP_CONFLICT);
    assert_string_equal(e->err.msg, message);
    assert_null(json_object_get(e->err.detail, "statement"));
}

static struct lp_subscription *
load(struct env *e, const char *id)
{
    struct lp_subscription *sub = NULL;

    lp_test_ok(lp_subscription_load(e->db.store, NULL, e->catalog, id, &sub, &e->err), &e->err);
    return sub;
}

static void
set(struct env *e, struct lp_subscription *sub, const char *path, const char *value)
{
    json_auto_t *at = json_loads(path, 0, NULL);
    json_auto_t *to = json_loads(value, JSON_DECODE_ANY, NULL);

    lp_test_ok(lp_model_assign(e->catalog, sub->product, sub->root, at, to, &e->err), &e->err);
}

static void
set_status(struct env *e, struct lp_subscription *sub, enum lp_lifecycle status)
{
    lp_test_ok(lp_subscription_set_status(sub, e->catalog, status, &e->db.clock, &e->err), &e->err);
}

static struct lp_subscription *
stored(struct env *e, const char *product, const char *input, enum lp_lifecycle status)
{
    struct lp_subscription *sub = fresh(e, product, input);

    set_status(e, sub, status);
    save(e, sub);
    return sub;
}

static const char *
port_id(const struct lp_subscription *rack, size_t index)
{
    return lp_json_str(json_array_get(json_object_get(rack->root, "ports"), index),
                       "subscription_instance_id", NULL);
}

static struct lp_subscription *
cable(struct env *e, const char *end, const char *name)
{
    char input[200];

    (void)snprintf(input, sizeof input, "{\"cable_name\":\"%s\",\"ends\":[\"%s\"]}", name, end);
    return fresh(e, "Cable", input);
}

#define RACK                                                                                       \
    "{\"rack_name\":\"R1\",\"active_only\":true,\"weights\":[3,1,2,1],\"label\":\"left\","         \
    "\"ports\":[{\"port_name\":\"b\",\"label\":\"second\"},{\"port_name\":\"a\"},"                 \
    "{\"port_name\":\"c\"}]}"

/* ---- values ---- */

static void
same_after_loading(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_PROVISIONING);
    struct lp_subscription *again = load(e, sub->id);

    assert_true(lp_json_same(sub->root, again->root));
    assert_int_equal(again->version, 1);
    assert_int_equal(again->status, LP_LC_PROVISIONING);
    assert_false(again->insync);
    assert_string_equal(again->customer_id, sub->id);
    assert_string_equal(again->description, "Initial subscription of A rack with ports.");
    lp_subscription_free(sub);
    lp_subscription_free(again);
}

/* Who references a port gets that one, however many there are; what is not whole is not saved. */
static void
a_part_is_for_reading(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_PROVISIONING), *part = NULL;
    const json_t *ports;
    struct lp_unit *unit = lp_unit_new();

    lp_test_ok(lp_subscription_load_around(e->db.store, NULL, e->catalog, port_id(rack, 1), &part,
                                           &e->err),
               &e->err);
    ports = json_object_get(part->root, "ports");
    assert_true(part->part);
    assert_string_equal(part->id, rack->id);
    assert_int_equal(part->version, rack->version);
    assert_string_equal(lp_json_str(part->root, "rack_name", ""), "R1");
    assert_int_equal(json_array_size(ports), 1);
    assert_true(lp_json_same(json_array_get(ports, 0),
                             json_array_get(json_object_get(rack->root, "ports"), 1)));
    assert_int_equal(lp_subscription_save(unit, part, e->catalog, &e->context, NULL, &e->err),
                     LP_INTERNAL);
    assert_int_equal(lp_unit_size(unit), 0);
    lp_err_clear(&e->err);
    lp_subscription_free(part);
    lp_test_ok(lp_subscription_load_around(e->db.store, NULL, e->catalog,
                                           lp_json_str(rack->root, "subscription_instance_id", ""),
                                           &part, &e->err),
               &e->err);
    assert_null(json_object_get(part->root, "ports"));
    lp_subscription_free(part);
    lp_test_ok(lp_subscription_load_top(e->db.store, NULL, e->catalog, rack->id, &part, &e->err),
               &e->err);
    assert_true(part->part);
    assert_null(json_object_get(part->root, "ports"));
    assert_string_equal(lp_json_str(part->root, "label", ""), "left");
    lp_subscription_free(part);
    assert_int_equal(
        lp_subscription_load_around(e->db.store, NULL, e->catalog, rack->id, &part, &e->err),
        LP_NOT_FOUND);
    lp_err_clear(&e->err);
    lp_unit_free(unit);
    lp_subscription_free(rack);
}

/* Of a network with more devices than fit on a screen, each can be chosen. */
static void
many_can_be_chosen(struct env *e)
{
    enum { MANY = 1001 };
    struct lp_unit *unit = lp_unit_new();
    json_auto_t *choices = NULL;

    for (int i = 0; i < MANY; i++) {
        char input[80];
        bool changed = false;

        (void)snprintf(input, sizeof input, "{\"rack_name\":\"M%d\",\"active_only\":true}", i);
        struct lp_subscription *sub = fresh(e, "Rack", input);
        set_status(e, sub, LP_LC_ACTIVE);
        lp_test_ok(lp_subscription_save(unit, sub, e->catalog, &e->context, &changed, &e->err),
                   &e->err);
        lp_subscription_free(sub);
    }
    lp_test_ok(lp_store_commit(e->db.store, unit, &e->err), &e->err);
    lp_unit_free(unit);
    lp_test_ok(lp_subscription_choices(e->db.store, NULL,
                                       lp_catalog_product(e->catalog, "Rack")->id.text, &choices,
                                       &e->err),
               &e->err);
    assert_int_equal(json_array_size(choices), MANY);
}

static void
W41_lists_keep_order_and_type(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *again = load(e, sub->id);
    json_auto_t *weights = json_pack("[i, i, i, i]", 3, 1, 2, 1);
    const json_t *ports = json_object_get(again->root, "ports");

    assert_true(lp_json_same(json_object_get(again->root, "weights"), weights));
    assert_string_equal(lp_json_str(json_array_get(ports, 0), "port_name", ""), "b");
    assert_string_equal(lp_json_str(json_array_get(ports, 1), "port_name", ""), "a");
    assert_string_equal(lp_json_str(json_array_get(ports, 2), "port_name", ""), "c");
    lp_subscription_free(sub);
    lp_subscription_free(again);
}

static void
W42_labels_survive(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *again = load(e, sub->id);

    set(e, again, "[\"rack_name\"]", "\"R2\"");
    save(e, again);
    lp_subscription_free(again);
    again = load(e, sub->id);
    assert_string_equal(lp_json_str(again->root, "label", ""), "left");
    assert_string_equal(
        lp_json_str(json_array_get(json_object_get(again->root, "ports"), 0), "label", ""),
        "second");
    lp_subscription_free(sub);
    lp_subscription_free(again);
}

static void
W53_no_field_is_lost_between_statuses(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_INITIAL);
    static const enum lp_lifecycle path[] = {LP_LC_PROVISIONING, LP_LC_ACTIVE, LP_LC_DISABLED,
                                             LP_LC_TERMINATED};
    json_auto_t *first = json_deep_copy(sub->root);

    for (size_t i = 0; i < LP_COUNT(path); i++) {
        struct lp_subscription *again = load(e, sub->id);

        set_status(e, again, path[i]);
        save(e, again);
        lp_subscription_free(again);
        again = load(e, sub->id);
        assert_true(lp_json_same(again->root, first));
        lp_subscription_free(again);
    }
    lp_subscription_free(sub);
}

/* ---- versions ---- */

static void
W13_version_counts_blocks(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *a = load(e, sub->id), *b = load(e, sub->id);

    set(e, a, "[\"ports\", 1, \"port_name\"]", "\"a2\"");
    save(e, a);
    assert_int_equal(a->version, 2);
    set(e, b, "[\"ports\", 2, \"port_name\"]", "\"c2\"");
    save_refused(e, b, "Stale data: given version (1) does not match the current version (2)");
    lp_subscription_free(b);
    b = load(e, sub->id);
    assert_int_equal(b->version, 2);
    assert_string_equal(
        lp_json_str(json_array_get(json_object_get(b->root, "ports"), 2), "port_name", ""), "c");
    lp_subscription_free(sub);
    lp_subscription_free(a);
    lp_subscription_free(b);
}

static void
W17_only_changed_rows(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *again = load(e, sub->id);
    size_t statements = 99;

    lp_test_ok(try_save(e, again, &statements), &e->err);
    assert_int_equal(statements, 0);
    assert_int_equal(again->version, 1);
    again->insync = true;
    lp_test_ok(try_save(e, again, &statements), &e->err);
    assert_int_equal(statements, 2); /* header and its history: no block */
    set(e, again, "[\"ports\", 1, \"label\"]", "\"new\"");
    lp_test_ok(try_save(e, again, &statements), &e->err);
    assert_int_equal(statements, 4); /* header, one block, both histories */
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM block_history"), 5);
    assert_int_equal(
        lp_store_env_int(&e->db, "SELECT count(*) FROM block_history WHERE version = 2"), 1);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT sum(version) FROM blocks"), 5);
    lp_subscription_free(sub);
    lp_subscription_free(again);
}

static void
a_round_trip_loads_everything(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_rows *rows = NULL;

    lp_test_ok(lp_query(e->db.store, LP_SQL_SUBSCRIPTION_LOAD, LP_ARGS(lp_text("id", sub->id)),
                        &rows, &e->err),
               &e->err);
    assert_int_equal(lp_rows_count(rows),
                     4); /* one row per block: header, tree and links at once */
    lp_rows_free(rows);
    lp_subscription_free(sub);
}

/* ---- unique values ---- */

static void
OPT_003_names_the_holder(struct env *e)
{
    struct lp_subscription *a = stored(e, "PoP", "{\"code\":\"MI01\"}", LP_LC_PROVISIONING);
    struct lp_subscription *b = fresh(e, "PoP", "{\"code\":\"MI01\"}");
    char want[160], id[LP_UUID_LEN + 1] = "";

    (void)snprintf(want, sizeof want, "code MI01 is already used by subscription %s", a->id);
    save_refused(e, b, want);
    assert_string_equal(lp_json_str(e->err.detail, "code", ""), "OPT-003");
    assert_string_equal(lp_json_str(e->err.detail, "subscription_id", ""), a->id);
    lp_test_ok(lp_subscription_by_key(e->db.store, NULL, "pop.code", "MI01", id, &e->err), &e->err);
    assert_string_equal(id, a->id);
    lp_subscription_free(a);
    lp_subscription_free(b);
}

static void
entries_of_a_list_are_unique_values(struct env *e)
{
    struct lp_subscription *a = stored(e, "PoP",
                                       "{\"code\":\"MI01\",\"external_ids\":[{\"system\":\"nb\","
                                       "\"id\":\"7\"},{\"system\":\"nb\",\"id\":\"8\"}]}",
                                       LP_LC_INITIAL);
    struct lp_subscription *b =
        fresh(e, "PoP", "{\"code\":\"MI02\",\"external_ids\":[{\"system\":\"nb\",\"id\":\"8\"}]}");
    char want[160];

    (void)snprintf(want, sizeof want, "external ids nb:8 is already used by subscription %s",
                   a->id);
    save_refused(e, b, want);
    lp_subscription_free(a);
    lp_subscription_free(b);
}

static void
D39_terminated_ones_give_up_their_values(struct env *e)
{
    struct lp_subscription *a = stored(e, "PoP", "{\"code\":\"MI01\"}", LP_LC_PROVISIONING);
    struct lp_subscription *b = fresh(e, "PoP", "{\"code\":\"MI01\"}");
    json_auto_t *keys = NULL;

    set_status(e, a, LP_LC_TERMINATED);
    save(e, a);
    lp_test_ok(lp_subscription_keys(e->db.store, NULL, a->id, &keys, &e->err), &e->err);
    assert_int_equal(json_array_size(keys), 0);
    set_status(e, b, LP_LC_PROVISIONING);
    save(e, b);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM block_keys"), 1);
    lp_subscription_free(a);
    lp_subscription_free(b);
}

static void
a_value_may_move_between_blocks(struct env *e)
{
    struct lp_subscription *sub = stored(e, "Rack", RACK, LP_LC_ACTIVE);

    set(e, sub, "[\"ports\", 0, \"port_name\"]", "\"a\"");
    set(e, sub, "[\"ports\", 1, \"port_name\"]", "\"b\"");
    save(e, sub);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM block_keys"), 4);
    lp_subscription_free(sub);
}

/* ---- references ---- */

static void
W44_used_block_cannot_go(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *user = cable(e, port_id(rack, 1), "K1");
    char want[300];

    save(e, user);
    (void)snprintf(want, sizeof want, "block %s cannot be removed: subscription %s (%s) uses it",
                   port_id(rack, 1), user->id, user->description);
    json_array_remove(json_object_get(rack->root, "ports"), 1);
    save_refused(e, rack, want);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM block_refs"), 1);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM blocks"), 5);
    lp_subscription_free(rack);
    lp_subscription_free(user);
}

static void
an_unused_block_goes_and_leaves_history(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);

    json_array_remove(json_object_get(rack->root, "ports"), 1);
    save(e, rack);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM blocks"), 3);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM block_keys"), 3);
    assert_int_equal(
        lp_store_env_int(&e->db, "SELECT count(*) FROM block_history WHERE doc IS NULL"), 1);
    lp_subscription_free(rack);
}

static void
only_fit_blocks_are_referenced(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *user = cable(e, "00000000-0000-4000-8000-000000000001", "K1");
    char want[300];

    save_refused(e, user,
                 "ends refers to block 00000000-0000-4000-8000-000000000001, which does not exist");
    lp_subscription_free(user);
    user = cable(e, lp_json_str(rack->root, "subscription_instance_id", ""), "K1");
    (void)snprintf(want, sizeof want, "ends must refer to a RackPort block, but %s is a Rack block",
                   lp_json_str(rack->root, "subscription_instance_id", ""));
    save_refused(e, user, want);
    lp_subscription_free(user);
    set_status(e, rack, LP_LC_TERMINATED);
    save(e, rack);
    user = cable(e, port_id(rack, 0), "K1");
    (void)snprintf(want, sizeof want,
                   "ends refers to block %s of subscription %s, which is terminated",
                   port_id(rack, 0), rack->id);
    save_refused(e, user, want);
    lp_subscription_free(user);
    lp_subscription_free(rack);
}

static void
users_guard_the_status(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *user = cable(e, port_id(rack, 1), "K1");
    struct lp_subscription *again = load(e, rack->id);
    char want[300];

    set_status(e, user, LP_LC_ACTIVE);
    save(e, user);
    set_status(e, again, LP_LC_TERMINATED);
    (void)snprintf(
        want, sizeof want,
        "the status of subscription %s cannot change while others use it: %s (%s, active)",
        rack->id, user->id, user->description);
    save_refused(e, again, want);
    lp_subscription_free(again);
    set_status(e, user, LP_LC_TERMINATED);
    save(e, user);
    set_status(e, rack, LP_LC_TERMINATED);
    save(e, rack);
    lp_subscription_free(rack);
    lp_subscription_free(user);
}

static void
owners_of_others_stay(struct env *e)
{
    struct lp_subscription *owner =
        stored(e, "Partner", "{\"partner_name\":\"Net\"}", LP_LC_ACTIVE);
    struct lp_subscription *again = load(e, owner->id);
    struct lp_subscription *pop = NULL;
    json_auto_t *input = json_pack("{s:s}", "code", "MI01");
    struct lp_relations found;
    char want[300];

    lp_test_ok(lp_subscription_new(e->catalog, lp_catalog_product(e->catalog, "PoP"), owner->id,
                                   input, &e->db.clock, &pop, &e->err),
               &e->err);
    save(e, pop);
    lp_test_ok(lp_subscription_relations(e->db.store, NULL, owner->id, LP_RELATION_CUSTOMER_OF,
                                         false, &found, &e->err),
               &e->err);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.rows[0].subscription_id, pop->id);
    lp_relations_free(&found);
    set_status(e, again, LP_LC_TERMINATED);
    (void)snprintf(
        want, sizeof want,
        "the status of subscription %s cannot change while it owns others: %s (%s, initial)",
        owner->id, pop->id, pop->description);
    save_refused(e, again, want);
    lp_subscription_free(again);
    set_status(e, pop, LP_LC_TERMINATED);
    save(e, pop);
    set_status(e, owner, LP_LC_TERMINATED);
    save(e, owner);
    lp_subscription_free(pop);
    lp_test_ok(lp_subscription_new(e->catalog, lp_catalog_product(e->catalog, "PoP"), owner->id,
                                   input, &e->db.clock, &pop, &e->err),
               &e->err);
    (void)snprintf(want, sizeof want, "the owning partner %s is terminated", owner->id);
    save_refused(e, pop, want);
    lp_subscription_free(pop);
    lp_subscription_free(owner);
}

static void
foreign_blocks_are_not_written(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *other =
        stored(e, "Rack", "{\"rack_name\":\"R9\",\"active_only\":true}", LP_LC_ACTIVE);
    struct lp_unit *unit = lp_unit_new();

    lp_unit_add(unit, LP_SQL_BLOCK_UPDATE,
                LP_ARGS(lp_text("instance_id", port_id(rack, 0)),
                        lp_text("subscription_id", other->id), lp_null("parent_id"),
                        lp_text("field", ""), lp_int("position", 0), lp_null("label"),
                        lp_text("doc", "{}")));
    assert_int_equal(lp_store_commit(e->db.store, unit, &e->err), LP_CONFLICT);
    lp_unit_free(unit);
    lp_subscription_free(rack);
    lp_subscription_free(other);
}

/* Two programs on one database: one ends a rack while the other plugs a cable into it. Whoever is
 * second is refused. */
struct racer {
    struct env *e;
    struct lp_store *store;
    struct lp_subscription *sub;
    enum lp_code rc;
};

static void *
race(void *arg)
{
    struct racer *r = arg;
    struct lp_unit *unit = lp_unit_new();
    struct lp_err err = LP_ERR_INIT;

    r->rc = lp_subscription_save(unit, r->sub, r->e->catalog, &r->e->context, NULL, &err);
    if (r->rc == LP_OK)
        r->rc = lp_store_commit(r->store, unit, &err);
    lp_unit_free(unit);
    lp_err_clear(&err);
    return NULL;
}

static void
references_race_with_termination(struct env *e)
{
    struct lp_store *second = NULL;

    if (e->db.dialect == LP_DIALECT_POSTGRES)
        lp_test_ok(lp_store_open(&e->db.options, &second, &e->err), &e->err);
    for (int i = 0; i < 40; i++) {
        char name[160];
        struct lp_subscription *rack, *user;
        struct racer racers[2];
        pthread_t thread;

        (void)snprintf(
            name, sizeof name,
            "{\"rack_name\":\"R%d\",\"active_only\":true,\"ports\":[{\"port_name\":\"p%d\"}]}", i,
            i);
        rack = stored(e, "Rack", name, LP_LC_ACTIVE);
        user = cable(e, port_id(rack, 0), "K");
        set_status(e, user, LP_LC_ACTIVE);
        set_status(e, rack, LP_LC_TERMINATED);
        racers[0] = (struct racer){.e = e, .store = e->db.store, .sub = rack};
        racers[1] =
            (struct racer){.e = e, .store = second == NULL ? e->db.store : second, .sub = user};
        assert_int_equal(pthread_create(&thread, NULL, race, &racers[1]), 0);
        (void)race(&racers[0]);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true((racers[0].rc == LP_OK) != (racers[1].rc == LP_OK));
        lp_subscription_free(rack);
        lp_subscription_free(user);
    }
    lp_store_close(second);
    assert_int_equal(
        lp_store_env_int(
            &e->db, "SELECT count(*) FROM block_refs r JOIN blocks b ON b.instance_id = r.to_id "
                    "JOIN subscriptions s ON s.id = b.subscription_id "
                    "WHERE s.status = 'terminated'"),
        0);
}

/* ---- reading ---- */

static void
the_domain_model_expands_references(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *user = cable(e, port_id(rack, 1), "K1");
    json_auto_t *model = NULL;
    json_auto_t *own = NULL;
    const json_t *port, *users;

    save(e, user);
    lp_test_ok(
        lp_subscription_domain_model(e->db.store, e->catalog, user->id, true, &model, &e->err),
        &e->err);
    port = json_array_get(json_object_get(json_object_get(model, "cable"), "ends"), 0);
    assert_string_equal(lp_json_str(port, "name", ""), "RackPort");
    assert_string_equal(lp_json_str(port, "port_name", ""), "a");
    assert_string_equal(lp_json_str(port, "owner_subscription_id", ""), rack->id);
    assert_int_equal(json_array_size(json_object_get(port, "in_use_by_ids")),
                     0); /* only this one uses it */
    users = json_object_get(port, "in_use_by_relations");
    assert_int_equal(json_array_size(users), 1);
    assert_string_equal(lp_json_str(json_array_get(users, 0), "subscription_id", ""), user->id);
    assert_string_equal(lp_json_str(json_object_get(model, "product"), "name", ""), "Cable");
    assert_true(json_is_null(json_object_get(json_object_get(model, "cable"), "home")));
    lp_test_ok(
        lp_subscription_domain_model(e->db.store, e->catalog, rack->id, false, &own, &e->err),
        &e->err);
    port = json_array_get(json_object_get(json_object_get(own, "rack"), "ports"), 1);
    assert_int_equal(json_array_size(json_object_get(port, "in_use_by_ids")),
                     2); /* its rack and the cable */
    lp_subscription_free(rack);
    lp_subscription_free(user);
}

static void
relations_and_unknown_ids(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    struct lp_subscription *user = cable(e, port_id(rack, 1), "K1"), *none = NULL;
    struct lp_relations found;
    json_auto_t *out = NULL;

    save(e, user);
    lp_test_ok(lp_subscription_relations(e->db.store, NULL, rack->id, LP_RELATION_USERS, false,
                                         &found, &e->err),
               &e->err);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.rows[0].subscription_id, user->id);
    lp_relations_free(&found);
    lp_test_ok(lp_subscription_relations(e->db.store, NULL, user->id, LP_RELATION_DEPENDENCIES,
                                         false, &found, &e->err),
               &e->err);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.rows[0].subscription_id, rack->id);
    lp_relations_free(&found);
    set_status(e, user, LP_LC_TERMINATED);
    save(e, user);
    lp_test_ok(lp_subscription_relations(e->db.store, NULL, rack->id, LP_RELATION_USERS, false,
                                         &found, &e->err),
               &e->err);
    assert_int_equal(found.count, 0);
    lp_relations_free(&found);
    lp_test_ok(lp_subscription_relations(e->db.store, NULL, rack->id, LP_RELATION_USERS, true,
                                         &found, &e->err),
               &e->err);
    assert_int_equal(found.count, 1);
    lp_relations_free(&found);
    assert_int_equal(lp_subscription_load(e->db.store, NULL, e->catalog, "x'--", &none, &e->err),
                     LP_NOT_FOUND);
    assert_string_equal(e->err.msg, "Subscription with id: x'--, not found");
    assert_int_equal(
        lp_subscription_domain_model(e->db.store, e->catalog, "y", false, &out, &e->err),
        LP_NOT_FOUND);
    assert_int_equal(lp_subscription_history(e->db.store, "y", 5, &out, &e->err), LP_NOT_FOUND);
    lp_subscription_free(rack);
    lp_subscription_free(user);
}

/* ---- history ---- */

static void
any_version_comes_back(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    json_auto_t *first = json_deep_copy(rack->root);
    json_auto_t *past = NULL;
    json_auto_t *history = NULL;
    json_auto_t *diff = NULL;
    const json_t *entry, *changes;

    set(e, rack, "[\"ports\", 1, \"port_name\"]", "\"a2\"");
    save(e, rack);
    json_array_remove(json_object_get(rack->root, "ports"), 0);
    lp_test_ok(lp_subscription_set_description(rack, "A rack", &e->err), &e->err);
    save(e, rack);

    lp_test_ok(lp_subscription_at(e->db.store, e->catalog, rack->id, 1, &past, &e->err), &e->err);
    assert_true(lp_json_same(json_object_get(past, "rack"), first));
    lp_test_ok(lp_subscription_history(e->db.store, rack->id, 10, &history, &e->err), &e->err);
    assert_int_equal(json_array_size(history), 3);
    entry = json_array_get(history, 0);
    assert_int_equal(lp_json_int(entry, "version", 0), 3);
    assert_string_equal(lp_json_str(entry, "actor", ""), "tester");
    assert_string_equal(lp_json_str(json_object_get(entry, "header"), "description", ""), "A rack");
    /* one is gone, two moved up */
    assert_int_equal(json_array_size(json_object_get(entry, "blocks")), 3);
    assert_int_equal(json_array_size(json_object_get(json_array_get(history, 1), "blocks")), 1);

    lp_test_ok(lp_subscription_diff(e->db.store, e->catalog, rack->id, 1, 2, &diff, &e->err),
               &e->err);
    changes = json_object_get(diff, "changes");
    assert_int_equal(json_array_size(changes), 1);
    assert_string_equal(lp_json_str(json_array_get(changes, 0), "before", ""), "a");
    assert_string_equal(lp_json_str(json_array_get(changes, 0), "after", ""), "a2");
    json_decref(past);
    past = NULL;
    assert_int_equal(lp_subscription_at(e->db.store, e->catalog, rack->id, 9, &past, &e->err),
                     LP_NOT_FOUND);
    lp_subscription_free(rack);
}

static void
a_removed_block_may_come_back(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE);
    json_auto_t *first = json_deep_copy(rack->root);
    struct lp_subscription *again;

    json_array_remove(json_object_get(rack->root, "ports"), 0);
    save(e, rack);
    lp_test_ok(
        lp_subscription_set_root(rack, e->catalog, json_deep_copy(first), &e->db.clock, &e->err),
        &e->err);
    save(e, rack);
    again = load(e, rack->id);
    assert_true(lp_json_same(again->root, first));
    lp_subscription_free(again);
    lp_subscription_free(rack);
}

static void
two_saves_in_one_unit(struct env *e)
{
    struct lp_subscription *rack = fresh(e, "Rack", RACK), *again;
    struct lp_unit *unit = lp_unit_new();

    lp_test_ok(lp_subscription_save(unit, rack, e->catalog, &e->context, NULL, &e->err), &e->err);
    set_status(e, rack, LP_LC_ACTIVE);
    lp_test_ok(lp_subscription_save(unit, rack, e->catalog, &e->context, NULL, &e->err), &e->err);
    lp_test_ok(lp_store_commit(e->db.store, unit, &e->err), &e->err);
    lp_unit_free(unit);
    again = load(e, rack->id);
    assert_int_equal(again->version, 2);
    assert_int_equal(again->status, LP_LC_ACTIVE);
    lp_subscription_free(again);
    lp_subscription_free(rack);
}

/* ---- what does not fit is named ---- */

static void
damaged_rows_are_named(struct env *e)
{
    static const struct {
        const char *sql, *message;
    } rows[] = {
        {"UPDATE blocks SET block = 'Shelf' WHERE block = 'RackPort'",
         "holds a block 'Shelf' the catalog lacks"},
        {"UPDATE subscriptions SET status = 'lost'", "has an unknown status"},
        {"UPDATE subscriptions SET product_id = 'x', product = 'Gone'",
         "is of product 'Gone', which the catalog lacks"},
    };
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE), *none = NULL;

    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        lp_store_env_exec(&e->db, rows[i].sql);
        assert_int_equal(
            lp_subscription_load(e->db.store, NULL, e->catalog, rack->id, &none, &e->err),
            LP_STORE);
        assert_non_null(strstr(e->err.msg, rack->id));
        assert_non_null(strstr(e->err.msg, rows[i].message));
    }
    lp_subscription_free(rack);
}

static void
wrong_changes_are_refused(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", "{\"rack_name\":\"R1\"}", LP_LC_PROVISIONING);
    json_t *wrong = json_deep_copy(rack->root);
    char text[2100];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(lp_subscription_set_description(rack, text, &e->err), LP_INVALID);
    text[2000] = '\0';
    lp_test_ok(lp_subscription_set_description(rack, text, &e->err), &e->err);
    assert_int_equal(lp_subscription_set_description(rack, "", &e->err), LP_INVALID);
    assert_int_equal(
        lp_subscription_set_status(rack, e->catalog, LP_LC_ACTIVE, &e->db.clock, &e->err),
        LP_INVALID);
    assert_int_equal(rack->status, LP_LC_PROVISIONING);
    json_object_set_new(wrong, "weights", json_string("heavy"));
    assert_int_equal(lp_subscription_set_root(rack, e->catalog, wrong, &e->db.clock, &e->err),
                     LP_INVALID);
    assert_null(json_object_get(rack->root, "weights"));
    lp_subscription_free(rack);
}

/* ---- import rows ---- */

static void
the_newest_import_row_counts(struct env *e)
{
    json_auto_t *found = NULL;
    int64_t at = 0;

    for (int i = 1; i <= 5; i++) {
        struct lp_unit *unit = lp_unit_new();
        json_auto_t *doc = json_pack("{s:i}", "n", i);

        lp_test_ok(lp_import_row_add(unit, "survey", "k", doc, NULL, i * 100, 3, &e->err), &e->err);
        lp_test_ok(lp_store_commit(e->db.store, unit, &e->err), &e->err);
        lp_unit_free(unit);
    }
    lp_test_ok(lp_import_row_newest(e->db.store, NULL, "survey", "k", &found, &at, &e->err),
               &e->err);
    assert_int_equal(lp_json_int(found, "n", 0), 5);
    assert_int_equal(at, 500);
    assert_int_equal(lp_store_env_int(&e->db, "SELECT count(*) FROM import_rows"), 3);
    assert_int_equal(
        lp_import_row_newest(e->db.store, NULL, "survey", "other", &found, &at, &e->err),
        LP_NOT_FOUND);
}

static void
saving_leaves_the_validation_time_alone(struct env *e)
{
    struct lp_subscription *rack = stored(e, "Rack", RACK, LP_LC_ACTIVE), *again;

    lp_store_env_exec(&e->db, "UPDATE subscriptions SET validated_at = 12345");
    set(e, rack, "[\"rack_name\"]", "\"R2\"");
    save(e, rack);
    again = load(e, rack->id);
    assert_int_equal(again->validated_at, 12345);
    lp_subscription_free(again);
    lp_subscription_free(rack);
}

/* ---- all of them, per database ---- */

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
/* ---- blocks that change their owner ---- */

#define CHANNELS                                                                                   \
    "{\"client_signal\":\"100GBE\",\"channels\":[{\"och_id\":42,\"mode\":\"M\","                   \
    "\"optical_spectrum\":{\"spectrum_name\":\"OCh042\"}}]}"

static const char *
channel_of(const struct lp_subscription *sub)
{
    return lp_json_str(json_array_get(json_object_get(sub->root, "channels"), 0),
                       "subscription_instance_id", NULL);
}

static struct lp_subscription *
joining(struct env *e, const char *channel)
{
    char input[200];

    (void)snprintf(input, sizeof input,
                   "{\"client_signal\":\"100GBE\",\"shared_channels\":[\"%s\"]}", channel);
    return stored(e, "Optical Digital Service 100G", input, LP_LC_INITIAL);
}

static enum lp_code
give(struct env *e, struct lp_subscription *from, struct lp_subscription *to)
{
    struct lp_unit *unit = lp_unit_new();
    enum lp_code rc = lp_subscription_give(unit, from, to, "channels", "shared_channels",
                                           e->catalog, &e->context, &e->err);

    if (rc == LP_OK)
        rc = lp_subscription_save(unit, to, e->catalog, &e->context, NULL, &e->err);
    if (rc == LP_OK)
        rc = lp_subscription_save(unit, from, e->catalog, &e->context, NULL, &e->err);
    if (rc == LP_OK)
        rc = lp_store_commit(e->db.store, unit, &e->err);
    lp_unit_free(unit);
    return rc;
}

static void
is_held_by(struct env *e, const char *scope, const char *value, const char *owner)
{
    char holder[LP_UUID_LEN + 1];

    lp_test_ok(lp_subscription_by_key(e->db.store, NULL, scope, value, holder, &e->err), &e->err);
    assert_string_equal(holder, owner);
}

static void
D50_blocks_go_to_who_stays(struct env *e)
{
    struct lp_subscription *first =
        stored(e, "Optical Digital Service 100G", CHANNELS, LP_LC_INITIAL);
    char channel[LP_UUID_LEN + 1];
    struct lp_subscription *second, *third, *again;
    json_auto_t *past = NULL;

    (void)snprintf(channel, sizeof channel, "%s", channel_of(first));
    second = joining(e, channel);
    third = joining(e, channel);
    lp_test_ok(give(e, first, second), &e->err);
    again = load(e, second->id); /* the channel has come whole, under its old ids */
    assert_string_equal(channel_of(again), channel);
    assert_true(lp_json_same(again->root, second->root));
    assert_null(json_object_get(again->root, "shared_channels"));
    lp_subscription_free(again);
    again = load(e, first->id); /* who gave it away uses it on */
    assert_null(json_object_get(again->root, "channels"));
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(again->root, "shared_channels"), 0)),
        channel);
    is_held_by(e, "channel.och_id", "42", second->id);
    is_held_by(e, "spectrum.name", "OCh042", second->id);
    lp_test_ok(lp_subscription_at(e->db.store, e->catalog, first->id, 1, &past, &e->err), &e->err);
    assert_int_equal(json_array_size(json_object_get(
                         json_object_get(past, "optical_digital_service"), "channels")),
                     1);                    /* what was, was */
    set_status(e, again, LP_LC_TERMINATED); /* and may go now */
    save(e, again);
    lp_test_ok(give(e, second, third), &e->err);
    is_held_by(e, "channel.och_id", "42", third->id);
    lp_subscription_free(again);
    again = stored(e, "Optical Digital Service 400G", "{}", LP_LC_INITIAL);
    assert_int_equal(give(e, third, again), LP_PRECONDITION); /* it does not use them */
    lp_subscription_free(again);
    lp_subscription_free(first);
    lp_subscription_free(second);
    lp_subscription_free(third);
}

static const struct test_case {
    const char *name;
    void (*run)(struct env *e);
} cases[] = {
    CASE(same_after_loading),
    CASE(a_part_is_for_reading),
    CASE(many_can_be_chosen),
    CASE(W41_lists_keep_order_and_type),
    CASE(W42_labels_survive),
    CASE(W53_no_field_is_lost_between_statuses),
    CASE(W13_version_counts_blocks),
    CASE(W17_only_changed_rows),
    CASE(a_round_trip_loads_everything),
    CASE(OPT_003_names_the_holder),
    CASE(entries_of_a_list_are_unique_values),
    CASE(D39_terminated_ones_give_up_their_values),
    CASE(a_value_may_move_between_blocks),
    CASE(W44_used_block_cannot_go),
    CASE(an_unused_block_goes_and_leaves_history),
    CASE(only_fit_blocks_are_referenced),
    CASE(users_guard_the_status),
    CASE(owners_of_others_stay),
    CASE(foreign_blocks_are_not_written),
    CASE(references_race_with_termination),
    CASE(the_domain_model_expands_references),
    CASE(relations_and_unknown_ids),
    CASE(any_version_comes_back),
    CASE(a_removed_block_may_come_back),
    CASE(two_saves_in_one_unit),
    CASE(damaged_rows_are_named),
    CASE(wrong_changes_are_refused),
    CASE(the_newest_import_row_counts),
    CASE(saving_leaves_the_validation_time_alone),
    CASE(D50_blocks_go_to_who_stays),
};

struct case_run {
    enum lp_dialect dialect;
    const struct test_case *row;
};

static void
case_main(void **state)
{
    const struct case_run *run = *state;
    struct env e = {.err = LP_ERR_INIT};

    if (!lp_store_env_has(run->dialect))
        skip();
    lp_store_env_open(&e.db, run->dialect);
    e.catalog = lp_test_catalog(true);
    e.context = (struct lp_save_context){NULL, "tester", &e.db.clock};
    run->row->run(&e);
    lp_err_clear(&e.err);
    lp_catalog_free(e.catalog);
    lp_store_env_close(&e.db);
}

static int
run_on(const char *group, enum lp_dialect dialect)
{
    struct CMUnitTest tests[LP_COUNT(cases)];
    struct case_run runs[LP_COUNT(cases)];

    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        runs[i] = (struct case_run){dialect, &cases[i]};
        tests[i] = (struct CMUnitTest){cases[i].name, case_main, NULL, NULL, &runs[i]};
    }
    return _cmocka_run_group_tests(group, tests, LP_COUNT(cases), NULL, NULL);
}

int
main(void)
{
    int sqlite;

    lp_test_apply_filter();
    sqlite = run_on("sqlite", LP_DIALECT_SQLITE);
    return sqlite + run_on("postgres", LP_DIALECT_POSTGRES);
}
