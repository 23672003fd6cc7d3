/* One optical_spectrum block: sections from a route, intents for the elements at their ends. */
#include <string.h>

#include "base/buf.h"
#include "products/spectrum.h"
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

/* ---- a network: mil (A) - ola - fir (Z), and a transponder platform ---- */

static const struct {
    const char *id, *type, *platform;
} devices[] = {
    {"mil", "ROADM", "Infinera FlexILS"},
    {"ola", "Amplifier", "Infinera FlexILS"},
    {"fir", "ROADM", "Infinera FlexILS"},
    {"box", "ROADM", "Some other line system"},
};
static const struct {
    const char *id, *device, *name, *role;
} ports[] = {
    {"mt1", "mil", "1-A-3-T1", "ols-add-drop"}, {"mt2", "mil", "1-A-3-T2", "ols-add-drop"},
    {"ml1", "mil", "1-A-1-L1", "ols-line"},     {"ol1", "ola", "1-A-1-L1", "ols-line"},
    {"ol2", "ola", "1-A-1-L2", "ols-line"},     {"fl1", "fir", "1-A-2-L1", "ols-line"},
    {"ft1", "fir", "1-A-3-T1", "ols-add-drop"}, {"ft2", "fir", "1-A-3-T2", "ols-add-drop"},
    {"bt1", "box", "T1", "ols-add-drop"},       {"bt2", "box", "T2", "ols-add-drop"},
    {"bl1", "box", "L1", "ols-line"},           {"xc1", "mil", "x", "trx-client"},
};

static json_t *
closure_of(json_t *root)
{
    json_t *subs = json_object(), *blocks = json_object();

    for (size_t i = 0; i < LP_COUNT(devices); i++)
        json_object_set_new(subs, devices[i].id,
                            json_pack("{s:s, s:s, s:{s:o, s:o, s:s, s:s}}", "subscription_id",
                                      devices[i].id, "type", "Optical Device", "root", "fqdn",
                                      json_sprintf("lp.%s.example.net", devices[i].id), "node_name",
                                      json_sprintf("lp.%s", devices[i].id), "device_type",
                                      devices[i].type, "platform", devices[i].platform));
    for (size_t i = 0; i < LP_COUNT(ports); i++)
        json_object_set_new(blocks, ports[i].id,
                            json_pack("{s:s, s:s, s:{s:s, s:s}}", "subscription_id",
                                      ports[i].device, "block", "OpticalDevicePort", "doc",
                                      "port_name", ports[i].name, "role", ports[i].role));
    if (root != NULL)
        json_object_set_new(subs, "s",
                            json_pack("{s:s, s:s, s:s, s:O}", "subscription_id", "s", "type",
                                      "Optical Spectrum", "status", "active", "root", root));
    return json_pack("{s:s, s:o, s:o, s:{}}", "subject", "s", "subscriptions", subs, "blocks",
                     blocks, "siblings");
}

/* A block over the ports of a route, names separated by blanks. */
static json_t *
block(const char *name, const char *route)
{
    json_t *list = json_array();

    while (*route != '\0') {
        size_t len = strcspn(route, " ");

        json_array_append_new(list, json_stringn(route, len));
        route += len + (route[len] == ' ');
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:o}", "subscription_instance_id", "i1", "spectrum_name",
                     name, "low_mhz", 193462500, "high_mhz", 193537500, "route_ports", list);
}

static json_t *
derived(const char *name, const char *route)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *root = block(name, route);
    json_auto_t *closure = closure_of(NULL);

    if (lp_spectrum_derive(closure, root, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return root;
}

/* ---- derived ---- */

static void
circuits_are_named_after_the_spectrum(void **state)
{
    json_auto_t *root = derived("Blue line 7", "");

    (void)state;
    assert_string_equal(lp_json_str(root, "circuit_name", ""), "Blue_line_7");
    json_object_set_new(root, "leg", json_integer(1));
    {
        struct lp_err err = LP_ERR_INIT;
        assert_int_equal(lp_spectrum_derive(NULL, root, &err), LP_OK);
    }
    assert_string_equal(lp_json_str(root, "circuit_name", ""), "Blue_line_7.2");
    assert_string_equal(lp_json_str(root, "former_circuit", ""), "Blue_line_7");
}

static void
T11_a_route_is_cut_at_its_add_drop_ports(void **state)
{
    static const struct {
        const char *route, *sections;
    } cases[] = {
        {"", "[]"},
        {"mt1 ml1 fl1 ft1", "mt1 ft1 | ml1 fl1"},
        {"mt1 ml1 ol1 ol2 fl1 ft1", "mt1 ft1 | ml1 ol1 ol2 fl1"},
        {"bt1 bt2 mt1 ml1 fl1 ft1", "bt1 bt2 | ; mt1 ft1 | ml1 fl1"},
        {"mt1 mt2", "mt1 mt2 |"},
    };

    (void)state;
    for (size_t i = 1; i < LP_COUNT(cases); i++) {
        json_auto_t *root = derived("s", cases[i].route);
        struct lp_buf text = LP_BUF_INIT;
        json_t *section, *id;
        size_t k, n;

        json_array_foreach(json_object_get(root, "sections"), k, section)
        {
            lp_buf_printf(&text, "%s", k == 0 ? "" : " ; ");
            json_array_foreach(json_object_get(section, "add_drop_ports"), n, id)
                lp_buf_printf(&text, "%s ", json_string_value(id));
            lp_buf_printf(&text, "|");
            json_array_foreach(json_object_get(section, "path_ports"), n, id)
                lp_buf_printf(&text, " %s", json_string_value(id));
        }
        assert_string_equal(text.data, cases[i].sections);
        lp_buf_free(&text);
    }
}

static void
a_route_that_cannot_be_cut_is_refused(void **state)
{
    static const struct {
        const char *route, *why;
    } cases[] = {
        {"ml1 fl1 ft1", "enters lp.mil at 1-A-1-L1, which is no add/drop port"},
        {"mt1 ml1 fl1", "does not end at an add/drop port"},
        {"mt1 bl1 bt1", "without leaving the line system"},
        {"mt1 xc1 mt2", "port x of lp.mil (trx-client) cannot be part of a route"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        json_auto_t *root = block("s", cases[i].route);
        json_auto_t *closure = closure_of(NULL);

        assert_int_equal(lp_spectrum_derive(closure, root, &err), LP_INVALID);
        if (strstr(err.msg, cases[i].why) == NULL)
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].why);
        lp_err_clear(&err);
    }
}

static void
sections_that_stay_keep_their_blocks(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *root = derived("s", "mt1 ml1 fl1 ft1");
    json_auto_t *closure = closure_of(NULL);
    json_t *section = json_array_get(json_object_get(root, "sections"), 0);

    (void)state;
    json_object_set_new(section, "subscription_instance_id", json_string("keep"));
    json_object_set_new(root, "route_ports",
                        json_pack("[s, s, s, s, s, s]", "mt1", "ml1", "ol1", "ol2", "fl1", "ft1"));
    assert_int_equal(lp_spectrum_derive(closure, root, &err), LP_OK);
    section = json_array_get(json_object_get(root, "sections"), 0);
    assert_string_equal(lp_json_str(section, "subscription_instance_id", ""), "keep");
    assert_int_equal(json_array_size(json_object_get(section, "path_ports")), 4);
}

/* ---- intents ---- */

static json_t *
desired(json_t *root)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *closure = closure_of(root);
    json_t *out = NULL;

    if (lp_product_optical_spectrum.desired(conf, closure, &out, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return out;
}

static const json_t *
intent_of(const json_t *out, const char *device, const char *kind)
{
    json_t *intent;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(out, "elements"), device), i, intent)
    {
        if (strcmp(lp_json_str(intent, "kind", ""), kind) == 0)
            return intent;
    }
    return NULL;
}

static void
T12_a_circuit_runs_over_pairs_of_multiplexer_ports(void **state)
{
    json_auto_t *root = derived("s 1", "mt1 ml1 ol1 ol2 fl1 ft1");
    json_auto_t *out = desired(root);
    json_auto_t *route = json_pack("[{s:s, s:s}, {s:s, s:s}]", "node", "lp.mil", "port", "1-A-1-L1",
                                   "node", "lp.fir", "port", "1-A-2-L1");
    json_auto_t *carriers = json_pack("[{s:i, s:i}]", "center_mhz", 193500000, "width_mhz", 75000);
    const json_t *circuit = intent_of(out, "mil", "circuit");

    (void)state;
    assert_non_null(circuit);
    assert_true(json_equal(json_object_get(circuit, "route"), route));
    assert_true(json_equal(json_object_get(circuit, "carriers"), carriers));
    assert_string_equal(lp_json_str(circuit, "name", ""), "s_1");
    assert_null(json_object_get(circuit, "was"));
    assert_string_equal(lp_json_str(circuit, "label", ""), "SpectrumService");
    assert_non_null(intent_of(out, "mil", "shutter"));
    assert_non_null(intent_of(out, "fir", "shutter"));
    assert_null(intent_of(out, "fir", "circuit"));
    assert_null(json_object_get(json_object_get(out, "elements"), "ola"));
    assert_string_equal(lp_json_str(intent_of(out, "mil", "port"), "label", ""),
                        "Remotely connected to lp.fir.example.net 1-A-3-T1 via s 1.");
}

static void
a_renamed_circuit_says_what_it_was(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *root = derived("s 1", "mt1 ml1 fl1 ft1"), *out = NULL;
    json_auto_t *closure = closure_of(NULL);

    (void)state;
    json_object_set_new(root, "spectrum_name", json_string("s 2"));
    assert_int_equal(lp_spectrum_derive(closure, root, &err), LP_OK);
    out = desired(root);
    assert_string_equal(lp_json_str(intent_of(out, "mil", "circuit"), "was", ""), "s_1");
    assert_string_equal(lp_json_str(intent_of(out, "mil", "circuit"), "name", ""), "s_2");
}

static void
two_ports_of_one_element_are_cross_connected(void **state)
{
    json_auto_t *root = derived("s", "mt1 mt2");
    json_auto_t *out = desired(root);
    const json_t *cross = intent_of(out, "mil", "cross-connect");

    (void)state;
    assert_non_null(cross);
    assert_string_equal(lp_json_str(cross, "from", ""), "1-A-3-T1");
    assert_string_equal(lp_json_str(cross, "to", ""), "1-A-3-T2");
    assert_null(intent_of(out, "mil", "circuit"));
}

static void
fixed_optics_are_told_nothing(void **state)
{
    json_auto_t *root = derived("s", "bt1 bl1 bt2");
    json_auto_t *out = json_pack("{s:{}}", "elements");
    json_auto_t *closure = closure_of(root);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_spectrum_desire(closure, root, "x", out, &err), LP_OK);
    assert_int_equal(json_object_size(json_object_get(out, "elements")), 0);
}

/* What one port is labelled does not depend on whose plan asks. */
static void
a_shared_port_names_all_who_use_it(void **state)
{
    json_auto_t *one = derived("beta", "mt1 ml1 fl1 ft1");
    json_auto_t *other = derived("alpha", "mt1 ml1 fl1 ft2");
    json_auto_t *closure = closure_of(one), *out = NULL, *second = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    json_object_set_new(other, "subscription_instance_id", json_string("i2"));
    json_object_set_new(json_object_get(closure, "subscriptions"), "t",
                        json_pack("{s:s, s:s, s:s, s:O}", "subscription_id", "t", "type",
                                  "Optical Spectrum", "status", "active", "root", other));
    assert_int_equal(lp_product_optical_spectrum.desired(conf, closure, &out, &err), LP_OK);
    json_object_set_new(closure, "subject", json_string("t"));
    assert_int_equal(lp_product_optical_spectrum.desired(conf, closure, &second, &err), LP_OK);
    assert_true(json_equal(intent_of(out, "mil", "port"), intent_of(second, "mil", "port")));
    assert_string_equal(lp_json_str(intent_of(out, "mil", "port"), "label", ""),
                        "Remotely connected to lp.fir.example.net 1-A-3-T2 via alpha+beta.");
}

static void
a_patched_port_keeps_the_label_of_its_patch(void **state)
{
    json_auto_t *root = derived("s", "mt1 ml1 fl1 ft1");
    json_auto_t *closure = closure_of(root), *out = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    json_object_set_new(json_object_get(closure, "subscriptions"), "p",
                        json_pack("{s:s, s:s, s:{s:[s, s]}}", "subscription_id", "p", "type",
                                  "Optical Fiber", "root", "terminations", "mt1", "other"));
    assert_int_equal(lp_product_optical_spectrum.desired(conf, closure, &out, &err), LP_OK);
    assert_null(json_object_get(intent_of(out, "mil", "port"), "label"));
    assert_string_equal(lp_json_str(intent_of(out, "mil", "port"), "id", ""), "fiber-end:1-A-3-T1");
    assert_non_null(json_object_get(intent_of(out, "fir", "port"), "label"));
}

static void
T12_a_path_that_begins_at_an_amplifier_is_refused(void **state)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"ol1 ol2", "cannot begin at the amplifier lp.ola"},
        {"ml1", "ends within the multiplex section from lp.mil"},
        {"gone", "port gone of its route is not there"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        json_auto_t *root = derived("s", "mt1 ml1 fl1 ft1");
        json_auto_t *other = block("x", cases[i].path);
        json_auto_t *closure = closure_of(root), *out = NULL;

        json_object_set(json_array_get(json_object_get(root, "sections"), 0), "path_ports",
                        json_object_get(other, "route_ports"));
        assert_int_equal(lp_product_optical_spectrum.desired(conf, closure, &out, &err),
                         LP_INVALID);
        if (strstr(err.msg, cases[i].why) == NULL)
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].why);
        lp_err_clear(&err);
    }
}

/* ---- rules ---- */

static void
check(const char *text, const char *why)
{
    const struct lp_product_type *type = lp_catalog_product(catalog, "Optical Spectrum");
    struct lp_err err = LP_ERR_INIT;
    json_error_t error;
    json_auto_t *root = json_loads(text, 0, &error);
    struct lp_problems problems;
    const json_t *problem;
    bool found = why == NULL;
    size_t i;

    assert_non_null(root);
    lp_problems_init(&problems);
    assert_int_equal(lp_model_check(catalog, type, root, LP_LC_INITIAL, &problems, &err), LP_OK);
    lp_product_optical_spectrum.check(conf, root, &problems);
    json_array_foreach(problems.list, i, problem)
    {
        if (why == NULL)
            fail_msg("%s: %s", text, lp_json_str(problem, "msg", ""));
        found |= strstr(lp_json_str(problem, "msg", ""), why) != NULL;
    }
    if (!found)
        fail_msg("%s: nothing says '%s'", text, why);
    lp_problems_free(&problems);
}

#define INSTANCE                                                                                   \
    "\"subscription_instance_id\": \"10000000-0000-4000-8000-000000000001\", "                     \
    "\"constraints\": {\"subscription_instance_id\": "                                             \
    "\"10000000-0000-4000-8000-000000000002\"}, "

static void
T6_D13_edges_are_on_the_raster_and_in_order(void **state)
{
    (void)state;
    check("{" INSTANCE "\"low_mhz\": 193462500, \"high_mhz\": 193537500}", NULL);
    check("{" INSTANCE "\"low_mhz\": 193462500, \"high_mhz\": 193462500}",
          "start frequency must be below end frequency");
    check("{" INSTANCE "\"low_mhz\": 193537500, \"high_mhz\": 193462500}",
          "start frequency must be below end frequency");
    check("{" INSTANCE "\"low_mhz\": 193462501, \"high_mhz\": 193537500}", "6.25 GHz raster");
    check("{" INSTANCE "\"low_mhz\": 1, \"high_mhz\": 193537500}", "184.5 and 197.5 THz");
}

static void
a_carrier_lies_inside_its_passband(void **state)
{
    (void)state;
    check("{" INSTANCE "\"low_mhz\": 193462500, \"high_mhz\": 193537500, \"carriers\": "
          "[{\"center_mhz\": 193500000, \"width_mhz\": 75000}]}",
          NULL);
    check("{" INSTANCE "\"low_mhz\": 193462500, \"high_mhz\": 193537500, \"carriers\": "
          "[{\"center_mhz\": 193500000, \"width_mhz\": 75001}]}",
          "signal 75001 MHz around 193500000 MHz does not fit slot 75000 MHz");
}

static void
side_by_side_needs_other_light(void **state)
{
    json_auto_t *before = block("s", ""), *after = block("s", "");
    const char *why = NULL;

    (void)state;
    assert_false(lp_spectrum_side_by_side(before, after, &why));
    assert_non_null(strstr(why, "overlap"));
    json_object_set_new(after, "low_mhz", json_integer(193537500));
    json_object_set_new(after, "high_mhz", json_integer(193612500));
    assert_true(lp_spectrum_side_by_side(before, after, &why));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circuits_are_named_after_the_spectrum),
        cmocka_unit_test(T11_a_route_is_cut_at_its_add_drop_ports),
        cmocka_unit_test(a_route_that_cannot_be_cut_is_refused),
        cmocka_unit_test(sections_that_stay_keep_their_blocks),
        cmocka_unit_test(T12_a_circuit_runs_over_pairs_of_multiplexer_ports),
        cmocka_unit_test(a_renamed_circuit_says_what_it_was),
        cmocka_unit_test(two_ports_of_one_element_are_cross_connected),
        cmocka_unit_test(fixed_optics_are_told_nothing),
        cmocka_unit_test(a_shared_port_names_all_who_use_it),
        cmocka_unit_test(a_patched_port_keeps_the_label_of_its_patch),
        cmocka_unit_test(T12_a_path_that_begins_at_an_amplifier_is_refused),
        cmocka_unit_test(T6_D13_edges_are_on_the_raster_and_in_order),
        cmocka_unit_test(a_carrier_lies_inside_its_passband),
        cmocka_unit_test(side_by_side_needs_other_light),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
