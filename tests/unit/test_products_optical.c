/* Optical Device and Optical Fiber: derived members, rules, what the elements should hold. */
#include <string.h>

#include "products/import_csv.h"
#include "products/product.h"
#include "tests/support/catalog_env.h"
#include "tests/support/test_main.h"

static struct lp_catalog *catalog;
static struct lp_conf *conf;

static int
setup(void **state)
{
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    catalog = lp_test_catalog(false);
    return lp_conf_load(NULL, NULL, 0, &conf, &err) == LP_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    lp_conf_free(conf);
    lp_catalog_free(catalog);
    return 0;
}

static json_t *
parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);

    if (value == NULL)
        fail_msg("%s at %d: %s", error.text, error.position, text);
    return value;
}

#define PORT_A "10000000-0000-4000-8000-000000000001"
#define PORT_Z "10000000-0000-4000-8000-000000000002"

/* Two devices of two sites with a line port each. */
#define CLOSURE                                                                                    \
    "{\"subject\": \"f\", \"subscriptions\": {"                                                    \
    "\"da\": {\"subscription_id\": \"da\", \"root\": {\"fqdn\": \"flex.mi01.example.net\", "       \
    "\"node_name\": \"flex.mi01\", \"platform\": \"P\", \"serial\": \"S1\", \"pop\": \"pa\", "     \
    "\"management_ip\": \"127.0.0.1\", \"management_port\": 9090}},"                               \
    "\"dz\": {\"subscription_id\": \"dz\", \"root\": {\"fqdn\": \"flex.rm01.example.net\", "       \
    "\"node_name\": \"flex.rm01\", \"platform\": \"P\", \"pop\": \"pz\"}}%s},"                     \
    " \"blocks\": {\"pa\": {\"subscription_id\": \"sa\", \"doc\": {\"code\": \"MI01\"}},"          \
    " \"pz\": {\"subscription_id\": \"sz\", \"doc\": {\"code\": \"RM01\"}},"                       \
    " \"" PORT_A "\": {\"subscription_id\": \"da\", \"doc\": {\"port_name\": \"1-A-1-L1\", "       \
    "\"role\": \"ols-line\"}},"                                                                    \
    " \"" PORT_Z "\": {\"subscription_id\": \"dz\", \"doc\": {\"port_name\": \"1-A-2-L1\", "       \
    "\"role\": \"ols-line\"}}}}"
#define FIBER                                                                                      \
    "{\"terminations\": [\"" PORT_A "\", \"" PORT_Z "\"], \"segments\": ["                         \
    "{\"length_m\": 60000, \"fiber_type\": \"G.652.D\", \"attenuation_cdb_km\": 22},"              \
    "{\"length_m\": 20000, \"fiber_type\": \"G.655.C\", \"attenuation_cdb_km\": 25}],"             \
    " \"measured_loss_az_cdb\": 2140, \"measured_loss_za_cdb\": 2100}"

static json_t *
closure_with(const char *more)
{
    char text[4000];

    (void)snprintf(text, sizeof(text), CLOSURE, more);
    return parse(text);
}

static void
D01_a_node_is_called_after_its_host(void **state)
{
    static const struct {
        const char *domain, *root, *want;
    } cases[] = {
        {"example.net", "{\"fqdn\": \"flex.mi01.example.net\"}", "flex.mi01"},
        {"ample.net", "{\"fqdn\": \"flex.mi01.example.net\"}", "flex.mi01.example.net"},
        {"", "{\"fqdn\": \"flex.mi01.example.net\"}", "flex"},
        {"", "{\"fqdn\": \"a.b\", \"node_name\": \"MINE\"}", "MINE"},
    };
    struct lp_err err = LP_ERR_INIT;
    char *before = conf->naming_domain;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *root = parse(cases[i].root);
        char domain[64];
        (void)snprintf(domain, sizeof(domain), "%s", cases[i].domain);
        conf->naming_domain = domain;
        assert_int_equal(lp_product_optical_device.derive(conf, NULL, root, &err), LP_OK);
        assert_string_equal(lp_json_str(root, "node_name", ""), cases[i].want);
    }
    conf->naming_domain = before;
}

/* {pop.code} in the pattern stands for the code of the device's PoP, and nothing in it is special.
 */
static void
names_fit_their_pop(void **state)
{
    static const struct {
        const char *pattern, *code, *name, *says; /* says NULL: it fits */
    } cases[] = {
        {"[a-z]+[.]{pop.code|lower}[.]example[.]net", "MI01", "flex.mi01.example.net", NULL},
        {"[a-z]+[.]{pop.code|lower}[.]example[.]net", NULL, "flex.mi01.example.net", NULL},
        {"[a-z]+[.]{pop.code|lower}[.]example[.]net", "RM01", "flex.mi01.example.net",
         "host name flex.mi01.example.net must match [a-z]+[.]{pop.code|lower}[.]example[.]net, in "
         "PoP RM01: [a-z]+[.]rm01[.]example[.]net"},
        {"{pop.code|upper}-{pop.code}.*", "mi.1", "MI.1-mi.1x", NULL},
        {"{pop.code}", "mi.1", "mix1", "in PoP mi.1: mi\\.1"},
        {"f{2}[.]{pop.code}", "A", "ff.A", NULL},
        {".+[.]net", "MI01", "flex.org", "host name flex.org must match .+[.]net"},
        {"({pop.code}", "MI01", "MI01", "the configured device.fqdn_pattern cannot be used"},
    };
    char *before = conf->device_fqdn_pattern;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        char pattern[128];
        enum lp_code rc;
        (void)snprintf(pattern, sizeof(pattern), "%s", cases[i].pattern);
        conf->device_fqdn_pattern = pattern;
        rc = lp_device_name_fits(conf, cases[i].code, cases[i].name, &err);
        if ((rc == LP_OK) != (cases[i].says == NULL)
            || (rc != LP_OK && strstr(err.msg, cases[i].says) == NULL))
            fail_msg("%s, %s: %s", cases[i].pattern, cases[i].name, err.msg);
        lp_err_clear(&err);
    }
    conf->device_fqdn_pattern = before;
}

static size_t
device_problems(const char *root_text, const char *why)
{
    json_auto_t *root = parse(root_text);
    struct lp_problems problems;
    size_t count, i;
    const json_t *problem;
    bool found = why == NULL;

    lp_problems_init(&problems);
    lp_product_optical_device.check(conf, root, &problems);
    count = lp_problems_count(&problems);
    json_array_foreach(problems.list, i, problem) found |=
        strstr(lp_json_str(problem, "msg", ""), why == NULL ? "" : why) != NULL;
    if (!found)
        fail_msg("nothing says '%s'", why);
    lp_problems_free(&problems);
    return count;
}

static void
addresses_are_canonical(void **state)
{
    (void)state;
    assert_int_equal(device_problems("{\"loopback_ip\": \"10.0.0.1\"}", NULL), 0);
    assert_int_equal(device_problems("{\"loopback_ip\": \"2001:db8::1\"}", NULL), 0);
    assert_int_equal(device_problems("{\"loopback_ip\": \"10.0.0\"}", "not an IP address"), 1);
    assert_int_equal(device_problems("{\"management_ip\": \"2001:db8:0::1\"}", "as 2001:db8::1"),
                     1);
    assert_int_equal(
        device_problems("{\"loopback_ip\": \"10.0.0.1\", \"management_ip\": \"10.0.0.1\"}",
                        "are the same"),
        1);
}

/* What a message quotes is cut by bytes, perhaps within a character: it is told all the same. */
static void
values_of_any_script_are_told(void **state)
{
    char root[300] = "{\"platform\": \"x";

    (void)state;
    for (size_t i = 0; i < 60; i++)
        memcpy(root + 15 + 2 * i, "\xc3\xa9", 3);
    memcpy(root + strlen(root), "\"}", 3);
    assert_int_equal(device_problems(root, "no driver speaks to 'x\xc3\xa9"), 1);
}

static void
D04_a_port_stands_once(void **state)
{
    (void)state;
    assert_int_equal(
        device_problems("{\"ports\": [{\"port_name\": \"1\"}, {\"port_name\": \"2\"}]}", NULL), 0);
    assert_int_equal(
        device_problems("{\"ports\": [{\"port_name\": \"1\"}, {\"port_name\": \"1\"}]}",
                        "port 1 stands there twice"),
        1);
}

static void
unknown_platforms_are_refused(void **state)
{
    (void)state;
    assert_int_equal(device_problems("{\"platform\": \"Abacus 3\"}", "no driver speaks to"), 1);
}

static void
a_fiber_is_named_after_its_ends(void **state)
{
    json_auto_t *closure = closure_with(""), *root = parse(FIBER), *lost = parse("{}");
    struct lp_err err = LP_ERR_INIT;
    char wrong[] = "{a.color}", *before = conf->naming_fiber;

    (void)state;
    assert_int_equal(lp_product_optical_fiber.derive(conf, closure, root, &err), LP_OK);
    assert_string_equal(lp_json_str(root, "fiber_name", ""),
                        "flex.mi01.example.net 1-A-1-L1 --- flex.rm01.example.net 1-A-2-L1");
    assert_int_equal(lp_product_optical_fiber.derive(conf, closure, lost, &err), LP_OK);
    assert_null(json_object_get(lost, "fiber_name"));
    conf->naming_fiber = wrong;
    assert_int_equal(lp_product_optical_fiber.derive(conf, closure, root, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "naming.fiber: the placeholder {a.color}"));
    conf->naming_fiber = before;
    lp_err_clear(&err);
}

static void
a_fiber_has_a_budget(void **state)
{
    json_auto_t *closure = closure_with(""), *root = parse(FIBER);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_product_optical_fiber.derive(conf, closure, root, &err), LP_OK);
    assert_int_equal(lp_json_int(root, "length_m", 0), 80000);
    assert_int_equal(lp_json_int(root, "expected_loss_cdb", 0), 2015);
    assert_int_equal(lp_json_int(root, "loss_budget_cdb", 0), 2265);
    assert_int_equal(lp_json_int(root, "loss_margin_cdb", 0), 125); /* the worse direction */
    assert_int_equal(lp_json_int(root, "dispersion_ps_nm", 0), 1110);
    json_object_del(root, "segments"); /* what is not known any more is not shown either */
    assert_int_equal(lp_product_optical_fiber.derive(conf, closure, root, &err), LP_OK);
    assert_null(json_object_get(root, "loss_budget_cdb"));
    assert_null(json_object_get(root, "loss_margin_cdb"));
}

static void
fibers_obey_physics(void **state)
{
    static const struct {
        const char *change, *why;
    } cases[] = {
        {"{\"terminations\": [\"" PORT_A "\", \"" PORT_A "\"]}", "two different ports"},
        {"{\"segments\": [{\"length_m\": 10, \"fiber_type\": \"G.651.1\"}]}", "multimode"},
        {"{\"measured_loss_az_cdb\": 100}", "cannot be right: the glass alone loses 18.20 dB"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *root = parse(FIBER), *change = parse(cases[i].change);
        struct lp_problems problems;
        lp_problems_init(&problems);
        lp_product_optical_fiber.check(conf, root, &problems);
        assert_int_equal(lp_problems_count(&problems), 0);
        json_object_update(root, change);
        lp_product_optical_fiber.check(conf, root, &problems);
        assert_int_equal(lp_problems_count(&problems), 1);
        assert_non_null(
            strstr(lp_json_str(json_array_get(problems.list, 0), "msg", ""), cases[i].why));
        lp_problems_free(&problems);
    }
}

static void
both_ends_are_desired(void **state)
{
    json_auto_t *closure = closure_with(", \"f\": {\"root\": " FIBER "}"), *desired = NULL;
    struct lp_err err = LP_ERR_INIT;
    const json_t *intent, *peer;

    (void)state;
    assert_int_equal(lp_product_optical_fiber.desired(conf, closure, &desired, &err), LP_OK);
    assert_int_equal(json_object_size(json_object_get(desired, "elements")), 2);
    intent = json_array_get(json_object_get(json_object_get(desired, "elements"), "dz"), 0);
    assert_string_equal(lp_json_str(intent, "id", ""), "fiber-end:1-A-2-L1");
    assert_string_equal(lp_json_str(intent, "kind", ""), "fiber-end");
    assert_string_equal(lp_json_str(intent, "role", ""), "ols-line");
    assert_string_equal(lp_json_str(intent, "label", ""),
                        "Physically connected to flex.mi01.example.net 1-A-1-L1.");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(intent, "fiber_types"), 0)),
        "G.655.C"); /* from here to the peer */
    assert_int_equal(lp_json_int(intent, "loss_cdb", 0), 2140);
    peer = json_object_get(intent, "peer");
    assert_string_equal(lp_json_str(peer, "node", ""), "flex.mi01");
    assert_string_equal(lp_json_str(peer, "port", ""), "1-A-1-L1");
    assert_string_equal(lp_json_str(peer, "serial", ""), "S1");
}

static void
an_end_that_is_gone_is_named(void **state)
{
    json_auto_t *closure = closure_with(", \"f\": {\"root\": " FIBER "}"), *desired = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    json_object_del(json_object_get(closure, "blocks"), PORT_Z);
    assert_int_equal(lp_product_optical_fiber.desired(conf, closure, &desired, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "end Z (port " PORT_Z ") is not there"));
    lp_err_clear(&err);
}

/* ---- imports ---- */

static json_t *
import(const struct lp_import_kind *kind, const char *text, struct lp_problems *problems)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *rows = NULL;

    lp_problems_init(problems);
    if (lp_import_csv_read(kind, catalog, conf, text, strlen(text), NULL, false, problems, &rows,
                           &err)
        != LP_OK)
        fail_msg("%s", err.msg);
    return rows;
}

static void
D03_lengths_and_types_go_together(void **state)
{
    struct lp_problems problems;
    json_auto_t *rows = import(&lp_import_fibers,
                               "device_a,port_a,device_z,port_z,types,lengths_m,total_loss\n"
                               "a.x,1,b.x,2,G.652.D-G.655.C,60000-20000,21.4\n"
                               "a.x,3,b.x,4,G.652.D,60000-20000,\n"
                               "a.x,5,b.x,6,G.652.D,0,\n"
                               "a.x,7,b.x,8,G.652.D,abc,\n"
                               "a.x,9,b.x,10,G.999,5,\n",
                               &problems);
    const json_t *document = json_object_get(json_array_get(rows, 0), "document");

    (void)state;
    assert_int_equal(lp_problems_count(&problems), 4);
    assert_int_equal(lp_json_int(document, "measured_loss_az_cdb", 0), 2140);
    assert_int_equal(json_array_size(json_object_get(document, "segments")), 2);
    assert_string_equal(lp_json_str(json_array_get(rows, 0), "name", ""), "a.x 1 b.x 2");
    assert_string_equal(
        lp_json_str(json_object_get(json_array_get(rows, 0), "links"), "port_z", ""), "2");
    lp_problems_free(&problems);
}

static void
devices_are_read(void **state)
{
    struct lp_problems problems;
    json_auto_t *rows = import(&lp_import_devices,
                               "fqdn;pop;platform;type;mngmt_ip;port;mode\n"
                               "flex.mi01.x;MI01;Abacus 3;ROADM;10.0.0.1;9090;manage\n"
                               "flex.rm01.x;RM01;Abacus 3;Toaster;;many;\n",
                               &problems);

    (void)state;
    /* the platform twice, the number; the kind of device is only looked at when the rest is good */
    assert_int_equal(lp_problems_count(&problems), 2);
    assert_int_equal(json_array_size(rows), 2);
    assert_non_null(strstr(lp_json_str(json_array_get(problems.list, 0), "msg", ""),
                           "row 2, column platform: no driver speaks to"));
    assert_non_null(strstr(lp_json_str(json_array_get(problems.list, 1), "msg", ""),
                           "row 3, column port: 'many' is not a whole number"));
    lp_problems_free(&problems);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D01_a_node_is_called_after_its_host),
        cmocka_unit_test(names_fit_their_pop),
        cmocka_unit_test(addresses_are_canonical),
        cmocka_unit_test(values_of_any_script_are_told),
        cmocka_unit_test(D04_a_port_stands_once),
        cmocka_unit_test(unknown_platforms_are_refused),
        cmocka_unit_test(a_fiber_is_named_after_its_ends),
        cmocka_unit_test(a_fiber_has_a_budget),
        cmocka_unit_test(fibers_obey_physics),
        cmocka_unit_test(both_ends_are_desired),
        cmocka_unit_test(an_end_that_is_gone_is_named),
        cmocka_unit_test(D03_lengths_and_types_go_together),
        cmocka_unit_test(devices_are_read),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
