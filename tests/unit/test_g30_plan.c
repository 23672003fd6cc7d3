/* Planning of a Groove G30 over an element in memory. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g30/g30.h"
#include "tests/support/rest_tree.h"
#include "tests/support/test_main.h"

#define PORT(id, type)                                                                             \
    "{\"port-id\":" id                                                                             \
    ",\"port-mode\":\"not-applicable\",\"admin-status\":\"down\",\"port-type\":"                   \
    "\"" type "\",\"service-label\":\"\",\"connected-to\":\"\",\"external-connectivity\":\"no\"}"
#define CARD(type)                                                                                 \
    "{\"required-type\":\"" type "\",\"port\":[" PORT("1", "line") "," PORT("2", "line") "," PORT( \
        "3", "client") "," PORT("4", "client") "]}"
static const char element[] =
    "{\"ne:ne\":{\"shelf\":[{\"shelf-id\":1,\"slot\":["
    "{\"slot-id\":2,\"card\":" CARD(
        "CHM2T") "},{\"slot-id\":3,\"card\":{\"required-type\":\"OCC2\","
                 "\"subslot\":[{\"subslot-id\":2,\"subcard\":{\"amplifier\":[{\"amplifier-name\":"
                 "\"ba\","
                 "\"admin-status\":\"down\",\"target-gain\":\"10.0\",\"output-voa\":\"0.00\"}]}},"
                 "{\"subslot-id\":3,\"subcard\":{\"port\":[{\"port-id\":1,\"admin-status\":"
                 "\"down\","
                 "\"connected-to\":\"\"}],\"amplifier\":[{\"amplifier-name\":\"pa\",\"admin-"
                 "status\":\"down\"}]}}"
                 "]}},{\"slot-id\":4,\"card\":" CARD("CHM1") "}]}],\"services\":{\"CRS\":[]}}}";

/* What a change of the port's mode does to what hangs on it. */
static void
mode_changed(struct rest_tree *tree, const char *path, json_t *object)
{
    const char *mode = lp_json_str(object, "port-mode", NULL), *line;

    (void)tree, (void)path;
    if (mode == NULL)
        return;
    line = strchr(mode, '_') != NULL ? mode : "";
    if (line[0] != '\0' && json_object_get(object, "och-os") == NULL) {
        json_t *odus = json_array();

        for (int i = 4; i >= 1; i--)
            json_array_append_new(odus, json_pack("{s:s,s:i,s:s,s:i,s:s,s:i,s:s,s:i}", "odutype-L1",
                                                  "oduc4", "oduid-L1", 1, "odutype-L2", "odu4",
                                                  "oduid-L2", i, "odutype-L3", "unused", "oduid-L3",
                                                  0, "odutype-L4", "unused", "oduid-L4", 0));
        json_array_append_new(odus, json_pack("{s:s,s:i,s:s,s:i,s:s,s:i,s:s,s:i}", "odutype-L1",
                                              "oduc4", "oduid-L1", 1, "odutype-L2", "ODUflex",
                                              "oduid-L2", 5, "odutype-L3", "unused", "oduid-L3", 0,
                                              "odutype-L4", "unused", "oduid-L4", 0));
        json_object_set_new(object, "och-os",
                            json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:{s:o}}", "frequency", 0,
                                      "rx-frequency", 0, "laser-enable", "disabled", "admin-status",
                                      "down", "service-label", "", "required-tx-optical-power",
                                      "0.0", "otuc4", "odu", odus));
    }
    if (strcmp(mode, "100GBE") == 0)
        json_object_set_new(object, "eth100g", json_pack("{s:s}", "admin-status", "down"));
    if (strcmp(mode, "400GBE") == 0)
        json_object_set_new(object, "eth400g", json_pack("{s:s}", "admin-status", "down"));
    if (line[0] == '\0')
        json_object_del(object, "och-os");
    if (strcmp(mode, "100GBE") != 0)
        json_object_del(object, "eth100g");
    if (strcmp(mode, "400GBE") != 0)
        json_object_del(object, "eth400g");
}

struct fixture {
    struct rest_tree tree;
    struct lp_err err;
};

static void
setup(struct fixture *f)
{
    *f = (struct fixture){.err = LP_ERR_INIT};
    f->tree.platform = &g30_platform;
    f->tree.changed = mode_changed;
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

#define SLOT "/data/ne:ne/shelf=1/slot=2/card/"
#define LINE(mode, mhz, laser)                                                                     \
    "{\"id\":\"l\",\"kind\":\"line\",\"present\":true,\"port\":\"port-1/2/1\",\"mode\":\"" mode    \
    "\",\"center_mhz\":" mhz ",\"label\":\"LP-42\",\"laser\":" laser ",\"power_cdbm\":150}"
#define CLIENT(rate)                                                                               \
    "{\"id\":\"c\",\"kind\":\"client\",\"present\":true,\"port\":\"port-1/2/3\",\"rate\":\"" rate  \
    "\",\"label\":\"LP-42\"}"
#define XC(client, rate)                                                                           \
    "{\"id\":\"x-" client "\",\"kind\":\"odu-xc\",\"present\":true,\"name\":\"LP-42\",\"client\":" \
    "\"" client "\",\"line\":\"port-1/2/1\",\"rate\":\"" rate "\",\"label\":\"LP-42\"}"
#define GONE                                                                                       \
    "[{\"id\":\"l\",\"kind\":\"line\",\"present\":false,\"port\":\"port-1/2/1\"},"                 \
    "{\"id\":\"c\",\"kind\":\"client\",\"present\":false,\"port\":\"port-1/2/3\"},"                \
    "{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":false,\"client\":\"port-1/2/3\"}]"
#define SERVICE                                                                                    \
    "[" LINE("16QAM_400G", "193500000", "true") "," CLIENT("100GE") "," XC("port-1/2/3",           \
                                                                           "100GE") "]"

/* ---- services ---- */

static void
a_service_is_made_in_order(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_plan(&f, SERVICE,
                "40 set port:port-1/2/1 port-mode\n"
                "40 set port:port-1/2/1 admin-status,service-label\n"
                "40 set och:port-1/2/1 frequency,rx-frequency,service-label,admin-status,"
                "loopback-enable,loopback-type,required-tx-optical-power\n"
                "40 set port:port-1/2/3 port-mode\n"
                "40 set port:port-1/2/3 admin-status,service-label\n"
                "40 set eth100g:port-1/2/3 eth-fec-type,admin-status,client-shutdown,"
                "loopback-enable,test-signal-enable,service-label\n"
                "60 create xc:port-1/2/3\n"
                "80 set och:port-1/2/1 laser-enable\n");
    make(&f, SERVICE);
    assert_int_equal(lp_json_int(rest_tree_at(&f.tree, SLOT "port=1/och-os"), "rx-frequency", 0),
                     193500000);
    assert_string_equal(leaf(&f, SLOT "port=1/och-os", "required-tx-optical-power"), "1.5");
    teardown(&f);
}

static void
undoing_restores_what_was(void **state)
{
    struct fixture f;
    json_auto_t *before = NULL, *ops = NULL, *gone = NULL, *made = NULL;

    (void)state;
    setup(&f);
    before = json_deep_copy(f.tree.root);
    ops = rest_tree_plan(&f.tree, SERVICE, false);
    rest_tree_apply(&f.tree, ops);
    made = json_deep_copy(f.tree.root);
    rest_tree_undo(&f.tree, ops);
    assert_true(lp_json_same(f.tree.root, before));
    rest_tree_apply(&f.tree, ops);
    gone = rest_tree_plan(&f.tree, GONE, false);
    rest_tree_apply(&f.tree, gone);
    assert_plan(&f, GONE, "");
    assert_string_equal(leaf(&f, SLOT "port=1", "port-mode"), "not-applicable");
    rest_tree_undo(&f.tree, gone);
    assert_plan(&f, SERVICE, "");
    assert_true(lp_json_same(f.tree.root, made));
    teardown(&f);
}

/* Lasers off first; down, mode, up. */
static void
a_mode_changes_out_of_service(void **state)
{
    static const char other[] = "[" LINE("QPSK_200G", "193500000", "true") "," CLIENT(
        "100GE") "," XC("port-1/2/3", "100GE") "]";
    struct fixture f;
    json_auto_t *ops = NULL, *was = NULL;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    was = json_deep_copy(f.tree.root);
    assert_plan(&f, other,
                "10 set och:port-1/2/1 laser-enable\n"
                "20 delete xc:port-1/2/3\n"
                "40 set port:port-1/2/1 admin-status before the change\n"
                "40 set port:port-1/2/1 port-mode\n"
                "40 set port:port-1/2/1 admin-status\n"
                "40 set och:port-1/2/1 frequency,rx-frequency,service-label,admin-status,"
                "loopback-enable,loopback-type,required-tx-optical-power\n"
                "60 create xc:port-1/2/3\n"
                "80 set och:port-1/2/1 laser-enable\n");
    ops = rest_tree_plan(&f.tree, other, false);
    rest_tree_apply(&f.tree, ops);
    assert_plan(&f, other, "");
    rest_tree_undo(&f.tree, ops);
    assert_true(lp_json_same(f.tree.root, was));
    teardown(&f);
}

static void
retuning_is_done_in_the_dark(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    assert_plan(&f, "[" LINE("16QAM_400G", "194000000", "true") "]",
                "10 set och:port-1/2/1 laser-enable\n"
                "40 set och:port-1/2/1 frequency,rx-frequency\n"
                "80 set och:port-1/2/1 laser-enable\n");
    make(&f, "[" LINE("16QAM_400G", "194000000", "true") "]");
    assert_plan(&f, "[" LINE("16QAM_400G", "194000000", "false") "]",
                "10 set och:port-1/2/1 laser-enable\n");
    teardown(&f);
}

/* ---- cross-connects ---- */

static const char *
stored(struct fixture *f, size_t index, const char *end)
{
    return lp_json_str(json_array_get(rest_tree_at(&f->tree, g30_crs_path), index), end, "");
}

static void
T19_clients_take_the_lowest_free_odu(void **state)
{
    static const char two[] =
        "[" LINE("16QAM_400G", "193500000", "true") "," CLIENT("100GE") "," XC(
            "port-1/2/3", "100GE") ",{\"id\":\"c4\",\"kind\":\"client\",\"present\":true,\"port\":"
                                   "\"port-1/2/4\",\"rate\":\"100GE\",\"label\":\"b\"}," XC(
                                       "port-1/2/4", "100GE") "]";
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, two);
    assert_non_null(strstr(stored(&f, 0, "src-tp"), "[odutype-L2='odu4'][oduid-L2='1']"));
    assert_non_null(strstr(stored(&f, 1, "src-tp"), "[odutype-L2='odu4'][oduid-L2='2']"));
    teardown(&f);
}

/* D34: an entry stored client first is the same cross-connect. */
static void
d34_orientation_does_not_matter(void **state)
{
    struct fixture f;
    json_t *entry;
    char *src, *dst;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    entry = json_array_get(rest_tree_at(&f.tree, g30_crs_path), 0);
    src = strdup(lp_json_str(entry, "src-tp", ""));
    dst = strdup(lp_json_str(entry, "dst-tp", ""));
    assert_int_equal(lp_json_set_str(entry, "src-tp", dst), 0);
    assert_int_equal(lp_json_set_str(entry, "dst-tp", src), 0);
    assert_plan(&f, SERVICE, "");
    make(&f, GONE); /* deleted by the keys it has */
    assert_int_equal(json_array_size(rest_tree_at(&f.tree, g30_crs_path)), 0);
    free(src);
    free(dst);
    teardown(&f);
}

/* D34: 400GbE is mapped into an ODUflex. */
static void
d34_400g_is_an_oduflex(void **state)
{
    static const char service[] = "[" LINE("16QAM_400G", "193500000", "true") "," CLIENT(
        "400GE") "," XC("port-1/2/3", "400GE") "]";
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, service);
    assert_non_null(strstr(stored(&f, 0, "src-tp"), "[odutype-L2='ODUflex'][oduid-L2='5']"));
    assert_non_null(strstr(stored(&f, 0, "dst-tp"), "/eth400g/odu[odutype-L1='oduflex']"));
    teardown(&f);
}

static void
what_others_connected_is_a_conflict(void **state)
{
    static const char elsewhere[] =
        "[{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":true,\"name\":\"n\",\"client\":\"port-1/2/"
        "3\",\"line\":\"port-1/2/2\",\"rate\":\"100GE\",\"label\":\"n\"}]";
    struct fixture f;
    json_auto_t *ops = NULL;
    char *ids;

    (void)state;
    setup(&f);
    make(&f, SERVICE);
    assert_int_equal(rest_tree_refused(&f.tree, elsewhere, false, &f.err), LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "port-1/2/1"));
    assert_string_equal(lp_json_str(f.err.detail, "code", ""), "OPT-052");
    ops = rest_tree_plan(&f.tree, elsewhere, true);
    ids = rest_tree_ids(ops);
    assert_string_equal(ids, "20 delete xc:port-1/2/3\n60 create xc:port-1/2/3\n");
    free(ids);
    assert_int_equal(
        rest_tree_refused(&f.tree, "[" LINE("QPSK_200G", "193500000", "true") "]", false, &f.err),
        LP_CONFLICT);
    teardown(&f);
}

/* The mapping of a CHM1 is the factory's: its cross-connects are named, never made or removed. */
static void
chm1_is_only_relabelled(void **state)
{
    static const char crs[] =
        "{\"src-tp\":\"/ne:ne/shelf[shelf-id='1']/slot[slot-id='4']/card/port[port-id='1']/och-os/"
        "otuc2/odu[odutype-L1='odu4']\",\"dst-tp\":\"/ne:ne/shelf[shelf-id='1']/slot[slot-id='4']/"
        "card/port[port-id='3']/eth100g/odu[odutype-L1='odu4']\",\"service-label\":\"\"}";
#define FIXED(present, label)                                                                      \
    "[{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":" present                                      \
    ",\"name\":\"n\",\"client\":\"port-1/4/3\",\"line\":\"port-1/4/1\",\"rate\":\"100GE\","        \
    "\"label\":\"" label "\"}]"
    struct fixture f;
    json_t *entry = NULL;

    (void)state;
    setup(&f);
    assert_int_equal(rest_tree_refused(&f.tree, FIXED("true", "a"), false, &f.err), LP_NOT_FOUND);
    assert_int_equal(lp_json_load(crs, strlen(crs), &entry, &f.err), LP_OK);
    json_array_append_new(rest_tree_at(&f.tree, g30_crs_path), entry);
    assert_plan(&f, FIXED("true", "a"), "60 set xc:port-1/4/3 label\n");
    make(&f, FIXED("true", "a"));
    assert_plan(&f, FIXED("false", ""), "60 set xc:port-1/4/3 label\n");
    make(&f, FIXED("false", ""));
    assert_int_equal(json_array_size(rest_tree_at(&f.tree, g30_crs_path)), 1);
    teardown(&f);
}

/* ---- fibers and ports ---- */

static void
a_fiber_ends_at_a_line_port(void **state)
{
#define END(present, same)                                                                         \
    "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":" present                                   \
    ",\"port\":\"port-1/2/1\",\"role\":\"trx-line\",\"label\":\"x\",\"same_element\":" same        \
    ",\"peer\":{\"node\":\"lp.mil1\",\"fqdn\":\"lp.mil1.example.net\",\"port\":\"1-A-3-T1\","      \
    "\"platform\":\"Infinera FlexILS\"}}]"
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, END("true", "false"));
    assert_string_equal(leaf(&f, SLOT "port=1", "connected-to"), "lp.mil1.example.net 1-A-3-T1");
    assert_string_equal(leaf(&f, SLOT "port=1", "external-connectivity"), "yes");
    assert_string_equal(leaf(&f, SLOT "port=1", "admin-status"), "up");
    make(&f, END("true", "true"));
    assert_string_equal(leaf(&f, SLOT "port=1", "connected-to"), "patched to 1-A-3-T1");
    assert_string_equal(leaf(&f, SLOT "port=1", "external-connectivity"), "no");
    make(&f, END("false", "false"));
    assert_string_equal(leaf(&f, SLOT "port=1", "connected-to"), "");
    assert_string_equal(leaf(&f, SLOT "port=1", "admin-status"), "down");
    teardown(&f);
}

/* Gain and attenuation are the design's, never constants. */
static void
a_span_between_amplifiers(void **state)
{
#define SPAN(design)                                                                               \
    "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"port-1/3.3/1\",\"role\":"   \
    "\"ols-line\",\"label\":\"x\",\"same_element\":false," design                                  \
    "\"peer\":{\"node\":\"lp.b\",\"fqdn\":\"lp.b\",\"port\":\"port-1/3.3/1\",\"platform\":"        \
    "\"Groove G30\"}}]"
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, SPAN(""));
    assert_string_equal(
        leaf(&f, "/data/ne:ne/shelf=1/slot=3/card/subslot=2/subcard/amplifier=ba", "target-gain"),
        "10.0");
    make(&f, SPAN("\"gain_cdb\":2150,\"voa_cdb\":800,"));
    assert_string_equal(
        leaf(&f, "/data/ne:ne/shelf=1/slot=3/card/subslot=2/subcard/amplifier=ba", "target-gain"),
        "21.5");
    assert_string_equal(
        leaf(&f, "/data/ne:ne/shelf=1/slot=3/card/subslot=3/subcard/amplifier=pa", "control-mode"),
        "auto");
    teardown(&f);
}

/* A fiber that goes does not take the port from the service that stays. */
static void
a_port_stays_while_somebody_wants_it(void **state)
{
    static const char both[] =
        "[" LINE("16QAM_400G", "193500000", "true") ",{\"id\":\"f\",\"kind\":\"fiber-end\","
                                                    "\"present\":false,\"port\":\"port-1/2/1\","
                                                    "\"role\":\"trx-line\"}]";
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, both);
    assert_string_equal(leaf(&f, SLOT "port=1", "port-mode"), "16QAM_400G");
    teardown(&f);
}

static void
admin_states_are_the_elements_own(void **state)
{
#define ADMIN(word)                                                                                \
    "[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"port-1/2/3\",\"admin\":\"" word  \
    "\"}]"
    struct fixture f;

    (void)state;
    setup(&f);
    make(&f, ADMIN("maintenance"));
    assert_string_equal(leaf(&f, SLOT "port=3", "admin-status"), "up-no-alm");
    make(&f, ADMIN("up"));
    make(&f, ADMIN("down"));
    assert_string_equal(leaf(&f, SLOT "port=3", "admin-status"), "down");
    assert_int_equal(rest_tree_refused(&f.tree, ADMIN("lock"), false, &f.err), LP_INVALID);
    teardown(&f);
}

/* ---- what is refused ---- */

static void
wrong_intents_are_named(void **state)
{
    static const struct {
        const char *intents, *word;
        enum lp_code code;
    } rows[] = {
        {"[" LINE("17QAM_1G", "193500000", "true") "]", "17QAM_1G", LP_INVALID},
        {"[" LINE("16QAM_400G", "0", "true") "]", "center_mhz", LP_INVALID},
        {"[" CLIENT("10GE") "]", "100GE or 400GE", LP_INVALID},
        {"[{\"id\":\"p\",\"kind\":\"power\",\"present\":true,\"port\":\"port-1/2/1\","
         "\"target_cdbm\":700}]",
         "outside", LP_INVALID},
        {"[{\"id\":\"p\",\"kind\":\"circuit\",\"present\":true}]", "Groove G30", LP_UNSUPPORTED},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-4-L1\"}]", "no port",
         LP_INVALID},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"port-1/9/1\",\"admin\":"
         "\"up\"}]",
         "port-1/9/1", LP_NOT_FOUND},
        {"[" XC("port-1/4/3", "100GE") "]", "connects", LP_NOT_FOUND},
        {"[" XC("port-1/3/3", "100GE") "]", "same card", LP_INVALID},
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

/* D33: only what the tables know is written, with values that they know. */
static void
d33_unknown_leaves_are_refused(void **state)
{
    static const struct {
        const char *reference, *leaf, *value;
    } rows[] = {
        {"port:port-1/2/1", "admin-state", "lock"},  /* the other platform's */
        {"port:port-1/2/1", "admin-status", "lock"}, /* its word */
        {"port:port-1/2/1", "oper-status", "up"},    /* read-only */
        {"och:port-1/2/1", "laser-enable", "on"},    /* no such value */
        {"och:port-1/2/1", "required-tx-optical-power", "6.01"},
        {"eth100g:port-1/2/3", "colour", "blue"},
    };
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        json_auto_t *values = json_pack("{s:s}", rows[i].leaf, rows[i].value), *body = NULL;
        struct ir_place place;

        assert_int_equal(g30_platform.locate(arena, rows[i].reference, &place, &err), LP_OK);
        if (ir_body(&place, values, &body, &err) != LP_INVALID)
            fail_msg("%s %s=%s went out", rows[i].reference, rows[i].leaf, rows[i].value);
        lp_err_clear(&err);
    }
    lp_arena_free(arena);
}

static void
names_of_ports(void **state)
{
    static const char *const good[][2] = {
        {"port-1/2/3", "/data/ne:ne/shelf=1/slot=2/card/port=3"},
        {"port-1/3.2/1", "/data/ne:ne/shelf=1/slot=3/card/subslot=2/subcard/port=1"},
        {"subport-1/3.2/1.4",
         "/data/ne:ne/shelf=1/slot=3/card/subslot=2/subcard/port=1/subport=4"}};
    static const char *const bad[] = {
        "",          "port-",     "port-1/2", "port-1/2/3/4",    "port-a/2/3", "port-1/2/3x",
        "port-1//3", "port-1/2/", "1/2/3",    "subport-1/3/1.4", "port-1/2.1", "port-999/1/1"};
    struct lp_arena *arena = lp_arena_new();
    struct g30_port port;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        assert_true(g30_port_parse(good[i][0], &port));
        assert_string_equal(g30_port_name(arena, &port), good[i][0]);
        assert_string_equal(g30_port_path(arena, good[i][0]), good[i][1]);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        if (g30_port_parse(bad[i], &port))
            fail_msg("'%s' is no port", bad[i]);
    }
    lp_arena_free(arena);
}

static void
modes_are_data(void **state)
{
    size_t chm1 = 0, chm2t = 0, none = 0;
    const struct ir_mode *rows = g30_modes("CHM2T", &chm2t);

    (void)state;
    assert_non_null(g30_modes("CHM1", &chm1));
    assert_int_equal(chm1, 3);
    assert_int_equal(chm2t, 39);
    assert_null(g30_modes("OCC2", &none));
    for (size_t i = 0; i < chm2t; i++) {
        assert_true(rows[i].width_mhz >= rows[i].baud_mbd);
        assert_true(rows[i].rate_gbps >= 100 && rows[i].rate_gbps <= 1100);
        assert_int_equal(rows[i].coupled, strstr(rows[i].id, "G_C") != NULL);
    }
    assert_int_equal(g30_signal_mhz("SDFEC27ND"), 75000);
    assert_int_equal(g30_signal_mhz("SDFEC15ND2"), 68750);
    assert_int_equal(g30_signal_mhz("other"), 37500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_made_in_order),
        cmocka_unit_test(undoing_restores_what_was),
        cmocka_unit_test(a_mode_changes_out_of_service),
        cmocka_unit_test(retuning_is_done_in_the_dark),
        cmocka_unit_test(T19_clients_take_the_lowest_free_odu),
        cmocka_unit_test(d34_orientation_does_not_matter),
        cmocka_unit_test(d34_400g_is_an_oduflex),
        cmocka_unit_test(what_others_connected_is_a_conflict),
        cmocka_unit_test(chm1_is_only_relabelled),
        cmocka_unit_test(a_fiber_ends_at_a_line_port),
        cmocka_unit_test(a_span_between_amplifiers),
        cmocka_unit_test(a_port_stays_while_somebody_wants_it),
        cmocka_unit_test(admin_states_are_the_elements_own),
        cmocka_unit_test(wrong_intents_are_named),
        cmocka_unit_test(d33_unknown_leaves_are_refused),
        cmocka_unit_test(names_of_ports),
        cmocka_unit_test(modes_are_data),
    };

    return LP_RUN_TESTS(tests);
}
