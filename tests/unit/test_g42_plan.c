/* Planning of a GX G42 over an element in memory. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g42/g42.h"
#include "tests/support/rest_tree.h"
#include "tests/support/test_main.h"

#define NE "/data/ioa-network-element:ne/"

#define PORT(name, type)                                                                           \
    "{\"name\":\"" name "\",\"port-type\":\"" type "\",\"admin-state\":\"lock\",\"label\":\"\","   \
    "\"connected-to\":\"\",\"external-connectivity\":\"no\",\"alarm-report-control\":\"allowed\"," \
    "\"tom\":{\"required-type\":\"\",\"required-subtype\":\"\",\"phy-mode\":\"\",\"admin-state\":" \
    "\"lock\",\"label\":\"\",\"alarm-report-control\":\"allowed\"}}"
#define FACILITY(name)                                                                             \
    "{\"name\":\"" name "\",\"admin-state\":\"lock\",\"label\":\"\",\"alarm-report-control\":"     \
    "\"allowed\"}"
static const char element[] =
    "{\"ioa-network-element:ne\":{\"equipment\":{\"card\":[{\"name\":\"1-4\",\"required-type\":"
    "\"gx:CHM6\",\"required-subtype\":\"C14\",\"port\":[" PORT("L1", "line") "," PORT(
        "L2",
        "line") "," PORT("T1",
                         "tributary") "," PORT("T2",
                                               "tributary") "]}]},"
                                                            "\"facilities\":{\"super-channel-"
                                                            "group\":"
                                                            "[" FACILITY("1-4-L1") "," FACILITY(
                                                                "1-4-L2") "],"
                                                                          "\"super-channel\":[],"
                                                                          "\"optical-"
                                                                          "carrier\":[],\"trib-"
                                                                          "ptp\":"
                                                                          "[" FACILITY("1-4-T1") "," FACILITY(
                                                                              "1-4-T2") "],"
                                                                                        "\"ethernet"
                                                                                        "\":[],"
                                                                                        "\"odu\":[]"
                                                                                        "},"
                                                                                        "\"services"
                                                                                        "\":{"
                                                                                        "\"xcon\":["
                                                                                        "]}}}";

static json_t *
list_at(struct rest_tree *tree, const char *path)
{
    return rest_tree_at(tree, path);
}

static json_t *
facility(const char *name)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", name, "admin-state", "lock", "label", "",
                     "alarm-report-control", "allowed");
}

static json_t *
named(json_t *list, const char *name, size_t *at)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(lp_json_str(item, "name", ""), name) == 0) {
            *at = i;
            return item;
        }
    }
    return NULL;
}

/* Carriers and their ODU come and go with super-channels. */
static void
follow_channels(struct rest_tree *tree)
{
    json_t *channels = list_at(tree, NE "facilities/super-channel"), *channel, *carrier;
    json_t *carriers = list_at(tree, NE "facilities/optical-carrier");
    json_t *odus = list_at(tree, NE "facilities/odu");
    json_auto_t *wanted = json_object();
    size_t i, j, at;

    json_array_foreach(channels, i, channel)
    {
        json_array_foreach(json_object_get(channel, "carriers"), j, carrier)
        {
            const char *name = json_string_value(carrier);
            char odu[64];

            (void)json_object_set_new(wanted, name, json_true());
            if (named(carriers, name, &at) != NULL)
                continue;
            (void)snprintf(odu, sizeof odu, "%s-ODUCni", name);
            json_array_append_new(carriers, facility(name));
            json_array_append_new(odus, json_pack("{s:s, s:s}", "name", odu, "available-time-slots",
                                                  "1..40,161..480"));
        }
    }
    for (i = json_array_size(carriers); i-- > 0;) {
        if (json_object_get(wanted, lp_json_str(json_array_get(carriers, i), "name", "")) == NULL) {
            json_array_remove(carriers, i);
            json_array_remove(odus, i);
        }
    }
}

/* The element names a cross-connect as it likes. */
static int odu_number;

static void
make_xcon(struct rest_tree *tree, const json_t *body)
{
    const json_t *input = json_object_get(body, "ioa-services:input");
    const char *source = lp_json_str(input, "source", ""), *quote = strchr(source, '\'');
    const char *parent = lp_json_str(input, "dst-parent-odu", "");
    char name[300], odu[128];

    (void)snprintf(odu, sizeof odu, "%.*sODUflexi-%d", (int)(strlen(parent) - 6), parent,
                   odu_number);
    (void)snprintf(name, sizeof name, "%.*s,%s", (int)strcspn(quote + 1, "'"), quote + 1, odu);
    json_array_append_new(
        list_at(tree, NE "services/xcon"),
        json_pack("{s:s, s:s, s:o, s:O, s:O, s:O, s:O, s:O}", "name", name, "source", source,
                  "destination", json_sprintf("/ioa-ne:ne/facilities/odu[name='%s']", odu),
                  "payload-type", json_object_get(input, "payload-type"), "direction",
                  json_object_get(input, "direction"), "label", json_object_get(input, "label"),
                  "circuit-id-suffix", json_object_get(input, "circuit-id-suffix"),
                  "dst-time-slots", json_object_get(input, "dst-time-slots")));
}

/* The Ethernet of a client comes with its service type. */
static void
follow_clients(struct rest_tree *tree)
{
    json_t *tribs = list_at(tree, NE "facilities/trib-ptp"), *trib;
    json_t *ethernets = list_at(tree, NE "facilities/ethernet");
    size_t i, at;

    json_array_foreach(tribs, i, trib)
    {
        const char *name = lp_json_str(trib, "name", "");
        bool wanted = lp_json_str(trib, "service-type", "")[0] != '\0';
        const json_t *there = named(ethernets, name, &at);

        if (wanted && there == NULL)
            json_array_append_new(ethernets, facility(name));
        if (!wanted && there != NULL)
            json_array_remove(ethernets, at);
    }
}

static void
changed(struct rest_tree *tree, const char *path, json_t *object)
{
    if (strstr(path, "create-xcon") != NULL)
        make_xcon(tree, object);
    follow_channels(tree);
    follow_clients(tree);
}

struct fixture {
    struct rest_tree tree;
    struct lp_err err;
};

static void
setup(struct fixture *f)
{
    *f = (struct fixture){.err = LP_ERR_INIT};
    f->tree.platform = &g42_platform;
    f->tree.changed = changed;
    odu_number = 1;
    assert_int_equal(lp_json_load(element, strlen(element), &f->tree.root, &f->err), LP_OK);
}

static void
teardown(struct fixture *f)
{
    json_decref(f->tree.root);
    lp_err_clear(&f->err);
}

static void
assert_plan(struct fixture *f, const char *intents, const char *ids)
{
    json_auto_t *ops = rest_tree_plan(&f->tree, intents, false);
    char *text = rest_tree_ids(ops);

    assert_string_equal(text, ids);
    free(text);
}

static void
make(struct fixture *f, const char *intents)
{
    json_auto_t *ops = rest_tree_plan(&f->tree, intents, false);

    rest_tree_apply(&f->tree, ops);
    assert_plan(f, intents, "");
}

static const char *
leaf(struct fixture *f, const char *path, const char *name)
{
    return lp_json_str(rest_tree_at(&f->tree, path), name, "(absent)");
}

#define LINE(mode, mhz)                                                                            \
    "{\"id\":\"l\",\"kind\":\"line\",\"present\":true,\"port\":\"1-4-L1\",\"mode\":\"" mode        \
    "\",\"center_mhz\":" mhz ",\"label\":\"LP-43\",\"laser\":true,\"power_cdbm\":150}"
#define CLIENT(port, rate)                                                                         \
    "{\"id\":\"c\",\"kind\":\"client\",\"present\":true,\"port\":\"" port "\",\"rate\":\"" rate    \
    "\",\"label\":\"LP-43\"}"
#define XC(client, rate)                                                                           \
    "{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":true,\"name\":\"LP-43\",\"client\":\"" client   \
    "\",\"line\":\"1-4-L1\",\"rate\":\"" rate "\",\"label\":\"LP-43\"}"
#define SERVICE                                                                                    \
    "[" LINE("400E.63P", "194000000") "," CLIENT("1-4-T1", "100GE") "," XC("1-4-T1", "100GE") "]"
#define GONE                                                                                       \
    "[{\"id\":\"l\",\"kind\":\"line\",\"present\":false,\"port\":\"1-4-L1\"},"                     \
    "{\"id\":\"c\",\"kind\":\"client\",\"present\":false,\"port\":\"1-4-T1\"},"                    \
    "{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":false,\"client\":\"1-4-T1\"}]"

static void
a_service_is_made_in_order(void **state)
{
    struct fixture f;
    json_auto_t *ops = NULL;

    (void)state;
    setup(&f);
    assert_plan(&f, SERVICE,
                "40 set port:1-4-L1 admin-state,label\n"
                "40 set port:1-4-T1 admin-state,label\n"
                "40 set tom:1-4-T1 required-type,required-subtype,phy-mode\n"
                "40 set tom:1-4-T1 admin-state,label\n"
                "40 set scg:1-4-L1 admin-state,label\n"
                "40 create sc:1-4-L1\n"
                "40 set sc:1-4-L1 admin-state\n"
                "40 set oc:1-4-L1-1 label,alarm-report-control,frequency,tx-power\n"
                "40 set ptp:1-4-T1 service-type\n"
                "40 set ptp:1-4-T1 admin-state,label\n"
                "40 set eth:1-4-T1 admin-state,label,alarm-report-control,fec-mode,loopback,"
                "test-signal-type,lldp-admin-status,lldp-ingress-mode,lldp-egress-mode\n"
                "60 create xc:1-4-T1\n"
                "80 set oc:1-4-L1-1 admin-state\n");
    ops = rest_tree_plan(&f.tree, SERVICE, false);
    rest_tree_apply(&f.tree, ops);
    assert_plan(&f, SERVICE, "");
    assert_string_equal(leaf(&f, NE "facilities/optical-carrier=1-4-L1-1", "frequency"),
                        "194000000"); /* 64 bits: a text on the wire */
    assert_string_equal(
        lp_json_str(json_array_get(list_at(&f.tree, NE "services/xcon"), 0), "dst-time-slots", ""),
        "161..240");
    rest_tree_undo(&f.tree, ops);
    assert_int_equal(json_array_size(list_at(&f.tree, NE "services/xcon")), 0);
    assert_int_equal(json_array_size(list_at(&f.tree, NE "facilities/super-channel")), 0);
    teardown(&f);
}

/* D25: a cross-connect is deleted by the name that the element gave it. */
static void
d25_deleted_by_its_name(void **state)
{
    struct fixture f;
    json_auto_t *ops = NULL;
    const char *command;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    ops = rest_tree_plan(&f.tree,
                         "[{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":false,\"client\":"
                         "\"1-4-T1\"}]",
                         false);
    command =
        json_string_value(json_array_get(json_object_get(json_array_get(ops, 0), "commands"), 0));
    assert_string_equal(command, "DELETE " NE "services/xcon=1-4-T1%2C1-4-L1-1-ODUflexi-1");
    rest_tree_apply(&f.tree, ops);
    assert_int_equal(json_array_size(list_at(&f.tree, NE "services/xcon")), 0);
    teardown(&f);
}

/* D25: the last service of a line leaves it dark and unused. */
static void
d25_lines_are_reset(void **state)
{
    struct fixture f;
    json_auto_t *ops = NULL, *made = NULL;
    char *ids;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    made = json_deep_copy(f.tree.root);
    ops = rest_tree_plan(&f.tree, GONE, false);
    ids = rest_tree_ids(ops);
    assert_non_null(strstr(ids, "10 set oc:1-4-L1-1 admin-state\n20 delete xc:1-4-T1\n"));
    assert_non_null(strstr(ids, "30 delete sc:1-4-L1\n"));
    free(ids);
    rest_tree_apply(&f.tree, ops);
    assert_plan(&f, GONE, "");
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=L1", "admin-state"), "lock");
    assert_string_equal(leaf(&f, NE "facilities/super-channel-group=1-4-L1", "label"), "");
    rest_tree_undo(&f.tree, ops);
    assert_plan(&f, SERVICE, "");
    teardown(&f);
}

/* What is disconnected and connected again has the time slots that it had, under whatever name. */
static void
an_undone_disconnection_keeps_its_slots(void **state)
{
    struct fixture f;
    json_auto_t *ops = NULL;
    const json_t *xcon;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    ops = rest_tree_plan(&f.tree,
                         "[{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":false,\"client\":"
                         "\"1-4-T1\"}]",
                         false);
    rest_tree_apply(&f.tree, ops);
    odu_number = 7;
    (void)lp_json_set_str(rest_tree_at(&f.tree, NE "facilities/odu=1-4-L1-1-ODUCni"),
                          "available-time-slots", "1..480");
    rest_tree_undo(&f.tree, ops);
    xcon = json_array_get(list_at(&f.tree, NE "services/xcon"), 0);
    assert_string_equal(lp_json_str(xcon, "name", ""), "1-4-T1,1-4-L1-1-ODUflexi-7");
    assert_string_equal(lp_json_str(xcon, "dst-time-slots", ""), "161..240");
    assert_plan(&f, SERVICE, "");
    teardown(&f);
}

/* A client that nobody speaks of still uses the line: it stays as it is, and lit. */
static void
a_line_with_foreign_clients_stays(void **state)
{
    static const char line[] = "[{\"id\":\"l\",\"kind\":\"line\",\"present\":false,\"port\":"
                               "\"1-4-L1\"}]";
    struct fixture f;
    json_auto_t *ops = NULL;
    char *ids;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    assert_int_equal(rest_tree_refused(&f.tree, line, false, &f.err), LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "1-4-T1"));
    ops = rest_tree_plan(&f.tree, line, true);
    ids = rest_tree_ids(ops);
    assert_non_null(strstr(ids, "20 delete xc:1-4-T1\n"));
    free(ids);
    teardown(&f);
}

/* Another pluggable for the same signal is no reason to take a client out of service. */
static void
a_pluggable_that_carries_stays(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    (void)lp_json_set_str(rest_tree_at(&f.tree, NE "equipment/card=1-4/port=T1/tom"),
                          "required-subtype", "TOM-100G-LR4");
    assert_plan(&f, SERVICE, "");
    teardown(&f);
}

/* D32: maintenance is a state of the element. */
static void
d32_maintenance_is_allowed(void **state)
{
#define ADMIN(word)                                                                                \
    "[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-4-T1\",\"admin\":\"" word "\"" \
    "}]"
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, ADMIN("maintenance"));
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=T1", "admin-state"), "maintenance");
    make(&f, ADMIN("up"));
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=T1", "admin-state"), "unlock");
    make(&f, ADMIN("down"));
    assert_int_equal(rest_tree_refused(&f.tree, ADMIN("unlock"), false, &f.err), LP_INVALID);
    teardown(&f);
}

/* D33: attaching and detaching write the words that the element knows. */
static void
d33_fiber_ends_use_lock_and_unlock(void **state)
{
#define END(present)                                                                               \
    "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":" present                                   \
    ",\"port\":\"1-4-L1\",\"role\":\"trx-line\",\"label\":\"x\",\"same_element\":false,"           \
    "\"peer\":{\"node\":\"lp.mil1\",\"fqdn\":\"lp.mil1.example.net\",\"port\":\"1-A-3-T2\","       \
    "\"platform\":\"Infinera FlexILS\"}}]"
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, END("true"));
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=L1", "admin-state"), "unlock");
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=L1", "connected-to"),
                        "lp.mil1.example.net 1-A-3-T2");
    make(&f, END("false"));
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=L1", "admin-state"), "lock");
    assert_string_equal(leaf(&f, NE "equipment/card=1-4/port=L1", "connected-to"), "");
    assert_null(
        json_object_get(rest_tree_at(&f.tree, NE "equipment/card=1-4/port=L1"), "admin-status"));
    teardown(&f);
}

static void
coupled_lines_are_one_super_channel(void **state)
{
    static const char coupled[] =
        "[{\"id\":\"l\",\"kind\":\"line\",\"present\":true,\"port\":\"1-4-L1\",\"mode\":"
        "\"400E.63P\",\"center_mhz\":194000000,\"label\":\"a+b\",\"laser\":true,\"carriers\":["
        "{\"port\":\"1-4-L1\",\"center_mhz\":194000000},{\"port\":\"1-4-L2\",\"center_mhz\":"
        "194075000}]}," CLIENT("1-4-T1",
                               "400GE") ",{\"id\":\"x\",\"kind\":\"odu-xc\","
                                        "\"present\":true,\"name\":\"LP-43\",\"client\":\"1-4-T1\","
                                        "\"lines\":[\"1-4-L2\","
                                        "\"1-4-L1\"],\"rate\":\"400GE\",\"label\":\"LP-43\"}]";
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, coupled);
    assert_string_equal(leaf(&f, NE "facilities/optical-carrier=1-4-L2-1", "frequency"),
                        "194075000");
    assert_string_equal(
        lp_json_str(json_array_get(list_at(&f.tree, NE "services/xcon"), 0), "dst-time-slots", ""),
        "161..480");
    assert_string_equal(
        lp_json_str(json_array_get(list_at(&f.tree, NE "services/xcon"), 0), "name", ""),
        "1-4-T1,1-4-L1-1-ODUflexi-1");
    assert_int_equal(
        rest_tree_refused(&f.tree, "[" LINE("400E.63P", "194000000") "]", false, &f.err),
        LP_CONFLICT); /* the carrier belongs to the pair */
    teardown(&f);
}

/* 3.13: the first range long enough, lowest slots. */
static void
T17_T18_time_slots_are_contiguous(void **state)
{
    static const struct {
        const char *available;
        unsigned needed;
        const char *preferred, *expected;
    } rows[] = {
        {"1..80,161..480", 80, NULL, "1..80"},
        {"1..80,161..480", 320, NULL, "161..480"},
        {"1..40,161..480", 80, NULL, "161..240"},
        {"1..300", 320, NULL, NULL},
        {"1..79", 80, NULL, NULL},
        {"", 80, NULL, NULL},
        {"7", 1, NULL, "7..7"},
        {"1..320", 80, "81..160", "81..160"},
        {"1..80,161..320", 80, "81..160", "1..80"},
        {"1..320", 80, "81..150", "1..80"},
        {"1..x", 80, NULL, NULL},
        {"80..1", 80, NULL, NULL},
        {"0..80", 80, NULL, NULL},
    };
    struct lp_arena *arena = lp_arena_new();

    (void)state;
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        const char *slots = g42_slots(arena, rows[i].available, rows[i].needed, rows[i].preferred);

        if ((slots == NULL) != (rows[i].expected == NULL)
            || (slots != NULL && strcmp(slots, rows[i].expected) != 0))
            fail_msg("%s of %s: %s", rows[i].expected, rows[i].available, slots);
    }
    lp_arena_free(arena);
}

static void
wrong_intents_are_named(void **state)
{
    static const struct {
        const char *intents, *word;
        enum lp_code code;
    } rows[] = {
        {"[" LINE("400M.66P", "194000000") "]", "400M.66P", LP_INVALID}, /* of the other sub-type */
        {"[" LINE("nonsense", "194000000") "]", "nonsense", LP_INVALID},
        {"[" LINE("400E.63P", "0") "]", "center_mhz", LP_INVALID},
        {"[" CLIENT("1-4-L1", "100GE") "]", "client port", LP_INVALID},
        {"[" CLIENT("1-4-T1", "10GE") "]", "100GE or 400GE", LP_INVALID},
        {"[{\"id\":\"p\",\"kind\":\"power\",\"present\":true,\"port\":\"1-4-L1\",\"target_cdbm\":"
         "901}]",
         "outside", LP_INVALID},
        {"[{\"id\":\"p\",\"kind\":\"circuit\",\"present\":true}]", "GX G42", LP_UNSUPPORTED},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-5-T1\",\"admin\":\"up\"}]",
         "1-5-T1", LP_NOT_FOUND},
    };
    struct fixture f;

    (void)state;
    setup(&f);
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        assert_int_equal(rest_tree_refused(&f.tree, rows[i].intents, false, &f.err), rows[i].code);
        if (strstr(f.err.msg, rows[i].word) == NULL)
            fail_msg("'%s' does not say %s", f.err.msg, rows[i].word);
        lp_err_clear(&f.err);
    }
    assert_int_equal(f.tree.writes, 0);
    teardown(&f);
}

static void
count_mode(void *ctx, const struct ir_mode *mode)
{
    size_t *count = ctx;

    assert_true(mode->rate_gbps >= 100 && mode->rate_gbps <= 800);
    assert_true(mode->width_mhz >= mode->baud_mbd);
    (*count)++;
}

static void
modes_are_data(void **state)
{
    size_t c6 = 0, c14 = 0, none = 0;
    struct ir_mode mode;

    (void)state;
    assert_true(g42_modes("C6", count_mode, &c6));
    assert_true(g42_modes("C14", count_mode, &c14));
    assert_false(g42_modes("C20", count_mode, &none));
    assert_int_equal(c6, 236);
    assert_int_equal(c14, 127);
    assert_true(g42_mode_parse("400E.96P", &mode));
    assert_int_equal(mode.rate_gbps, 400);
    assert_int_equal(mode.width_mhz, 112500);
    assert_false(g42_mode_parse("400X.96P", &mode));
    assert_false(g42_mode_parse("400E.96", &mode));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_made_in_order),
        cmocka_unit_test(d25_deleted_by_its_name),
        cmocka_unit_test(d25_lines_are_reset),
        cmocka_unit_test(an_undone_disconnection_keeps_its_slots),
        cmocka_unit_test(a_line_with_foreign_clients_stays),
        cmocka_unit_test(a_pluggable_that_carries_stays),
        cmocka_unit_test(d32_maintenance_is_allowed),
        cmocka_unit_test(d33_fiber_ends_use_lock_and_unlock),
        cmocka_unit_test(coupled_lines_are_one_super_channel),
        cmocka_unit_test(T17_T18_time_slots_are_contiguous),
        cmocka_unit_test(wrong_intents_are_named),
        cmocka_unit_test(modes_are_data),
    };

    return LP_RUN_TESTS(tests);
}
