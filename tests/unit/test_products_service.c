/* Optical Digital Service: names, labels, capacity, and what the elements should hold: the network
 * and the service of the end-to-end trace (two transponders, three line-system elements). */
#include <string.h>

#include "base/buf.h"
#include "optical/power.h"
#include "products/channels.h"
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

/* ---- the network ---- */

static const struct {
    const char *id, *node, *pop, *type, *platform;
} devices[] = {
    {"ga", "g30.rm01", "RM01", "Transponder", "Infinera Groove G30"},
    {"gz", "g30.bo01", "BO01", "Transponder", "Infinera Groove G30"},
    {"fa", "flex.rm01", "RM01", "ROADM", "Infinera FlexILS"},
    {"fc", "flex.cb00", "CB00", "Amplifier", "Infinera FlexILS"},
    {"fz", "flex.bo01", "BO01", "ROADM", "Infinera FlexILS"},
};
static const struct {
    const char *id, *device, *name, *role;
} ports[] = {
    {"ga-l1", "ga", "port-1/1/1", "trx-line"},     {"gz-l1", "gz", "port-1/1/1", "trx-line"},
    {"ga-l2", "ga", "port-1/1/2", "trx-line"},     {"gz-l2", "gz", "port-1/1/2", "trx-line"},
    {"ga-c3", "ga", "port-1/1/3", "trx-client"},   {"gz-c3", "gz", "port-1/1/3", "trx-client"},
    {"ga-c4", "ga", "port-1/1/4", "trx-client"},   {"gz-c4", "gz", "port-1/1/4", "trx-client"},
    {"fa-t1", "fa", "1-E1-1-T1A", "ols-add-drop"}, {"fz-t2", "fz", "1-E1-1-T2A", "ols-add-drop"},
    {"fa-t3", "fa", "1-E1-1-T3A", "ols-add-drop"}, {"fz-t3", "fz", "1-E1-1-T3A", "ols-add-drop"},
    {"fa-ln", "fa", "1-A-1-L1", "ols-line"},       {"fc-l1", "fc", "1-A-1-L1", "ols-line"},
    {"fc-l2", "fc", "1-A-1-L2", "ols-line"},       {"fz-ln", "fz", "1-A-1-L1", "ols-line"},
};

static void
add_service(json_t *closure, const char *id, const char *status, json_t *root)
{
    const json_t *channel;
    size_t i;

    json_array_foreach(json_object_get(root, "channels"), i, channel) json_object_set_new(
        json_object_get(closure, "blocks"), lp_json_str(channel, "subscription_instance_id", ""),
        json_pack("{s:s, s:s, s:O}", "subscription_id", id, "block", LP_CHANNEL_BLOCK, "doc",
                  channel));
    json_object_set_new(json_object_get(closure, "subscriptions"), id,
                        json_pack("{s:s, s:s, s:s, s:o}", "subscription_id", id, "type",
                                  LP_SERVICE_PRODUCT, "status", status, "root", root));
}

static json_t *
network(void)
{
    json_t *subs = json_object(), *blocks = json_object();

    for (size_t i = 0; i < LP_COUNT(devices); i++) {
        json_object_set_new(subs, devices[i].id,
                            json_pack("{s:s, s:s, s:s, s:{s:o, s:s, s:s, s:s, s:s}}",
                                      "subscription_id", devices[i].id, "type", "Optical Device",
                                      "status", "active", "root", "fqdn",
                                      json_sprintf("%s.example.net", devices[i].node), "node_name",
                                      devices[i].node, "device_type", devices[i].type, "platform",
                                      devices[i].platform, "pop", devices[i].pop));
        json_object_set_new(blocks, devices[i].pop,
                            json_pack("{s:s, s:s, s:{s:s}}", "subscription_id", "pop", "block",
                                      "PoP", "doc", "code", devices[i].pop));
    }
    for (size_t i = 0; i < LP_COUNT(ports); i++)
        json_object_set_new(blocks, ports[i].id,
                            json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "subscription_id",
                                      ports[i].device, "block", "OpticalDevicePort", "doc",
                                      "subscription_instance_id", ports[i].id, "port_name",
                                      ports[i].name, "role", ports[i].role));
    return json_pack("{s:s, s:o, s:o, s:{}}", "subject", "s1", "subscriptions", subs, "blocks",
                     blocks, "siblings");
}

#define CHANNEL(id, och, line_a, line_z, add, drop, low, high)                                     \
    "{\"subscription_instance_id\": \"" id "\", \"och_id\": " och ", \"mode\": \"16QAM_300G\","    \
    " \"signal_mhz\": 75000, \"capacity_gbps\": 300, \"line_ports\": [\"" line_a "\", \"" line_z   \
    "\"], \"optical_spectrum\": {\"subscription_instance_id\": \"s-" id "\", \"low_mhz\": " low    \
    ", \"high_mhz\": " high ", \"route_ports\": [\"" add                                           \
    "\", \"fa-ln\", \"fc-l1\", \"fc-l2\", \"fz-ln\", \"" drop "\"]}}"
#define FIRST  CHANNEL("ch1", "42", "ga-l1", "gz-l1", "fa-t1", "fz-t2", "193462500", "193537500")
#define SECOND CHANNEL("ch2", "43", "ga-l2", "gz-l2", "fa-t3", "fz-t3", "193537500", "193612500")
#define SERVICE(flow, client, a, z, rest)                                                          \
    "{\"client_signal\": \"100GBE\", \"flow_id\": " flow ", \"client_id\": " client                \
    ", \"client_ports\": [\"" a "\", \"" z "\"], " rest "}"
#define OWNER  SERVICE("7", "1", "ga-c3", "gz-c3", "\"channels\": [" FIRST "]")
#define JOINER SERVICE("7", "2", "ga-c4", "gz-c4", "\"shared_channels\": [\"ch1\"]")

/* With its derived members. */
static json_t *
derived(const json_t *closure, const char *text)
{
    const struct lp_product *product = lp_product_of(LP_SERVICE_PRODUCT);
    struct lp_err err = LP_ERR_INIT;
    json_t *root = parse(text);

    if (product->derive(conf, closure, root, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return root;
}

static json_t *
one_service(void)
{
    json_t *closure = network();

    add_service(closure, "s1", "active", derived(closure, OWNER));
    return closure;
}

static json_t *
two_services(void)
{
    json_t *closure = one_service();

    add_service(closure, "s2", "provisioning", derived(closure, JOINER));
    return closure;
}

static json_t *
desired(json_t *closure, const char *subject)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    json_object_set_new(closure, "subject", json_string(subject));
    if (lp_product_of(LP_SERVICE_PRODUCT)->desired(conf, closure, &out, &err) != LP_OK)
        fail_msg("%s", err.msg);
    return out;
}

/* The intent of that kind for an element; its count must be one. */
static const json_t *
intent(const json_t *wanted, const char *element, const char *kind)
{
    const json_t *list = json_object_get(json_object_get(wanted, "elements"), element), *item,
                 *found = NULL;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(lp_json_str(item, "kind", ""), kind) == 0) {
            assert_null(found);
            found = item;
        }
    }
    assert_non_null(found);
    return found;
}

/* ---- names ---- */

static void
T15_names_come_from_numbers_and_sites(void **state)
{
    json_auto_t *closure = network();
    json_auto_t *one = derived(closure, OWNER);
    json_auto_t *two = derived(
        closure, SERVICE("2", "5", "ga-c3", "gz-c3", "\"channels\": [" FIRST ", " SECOND "]"));
    const json_t *spectrum =
        json_object_get(json_array_get(json_object_get(one, "channels"), 0), "optical_spectrum");

    (void)state;
    assert_string_equal(lp_json_str(one, "service_name", ""), "f007c01 OCh042 rm01-bo01");
    assert_string_equal(lp_json_str(one, "service_tag", ""), "f007c01");
    assert_string_equal(lp_json_str(two, "service_name", ""), "f002c05 OCh042+OCh043 rm01-bo01");
    assert_string_equal(lp_json_str(spectrum, "spectrum_name", ""), "OCh042 rm01-bo01");
    assert_string_equal(lp_json_str(spectrum, "circuit_name", ""), "OCh042_rm01-bo01");
}

static void
centre_width_and_carrier_follow_from_the_passband(void **state)
{
    json_auto_t *closure = network();
    json_auto_t *root = derived(closure, OWNER);
    const json_t *channel = json_array_get(json_object_get(root, "channels"), 0);
    const json_t *spectrum = json_object_get(channel, "optical_spectrum");
    json_auto_t *carriers = parse("[{\"center_mhz\": 193500000, \"width_mhz\": 75000}]");

    (void)state;
    assert_int_equal(lp_json_int(channel, "center_mhz", 0), 193500000);
    assert_int_equal(lp_json_int(channel, "width_mhz", 0), 75000);
    assert_true(json_equal(json_object_get(spectrum, "carriers"), carriers));
}

/* ---- labels ---- */

static void
label_is(const json_t *closure, const char *want)
{
    const json_t *channel = lp_closure_block(closure, "ch1");
    struct lp_buf text = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;

    assert_int_equal(lp_channel_label(closure, channel, &text, &err), LP_OK);
    assert_string_equal(text.data, want);
    lp_buf_free(&text);
}

static void
T14_D22_a_label_names_the_clients_of_now(void **state)
{
    json_auto_t *closure = network();

    (void)state;
    add_service(closure, "s1", "active",
                derived(closure, SERVICE("2", "3", "ga-c3", "gz-c3", "\"channels\": [" FIRST "]")));
    label_is(closure, "f002c03");
    add_service(
        closure, "s2", "provisioning",
        derived(closure, SERVICE("1", "1", "ga-c4", "gz-c4", "\"shared_channels\": [\"ch1\"]")));
    label_is(closure, "f001c01+f002c03");
    label_is(closure, "f001c01+f002c03"); /* asking twice adds nothing */
    json_object_del(json_object_get(closure, "subscriptions"), "s2");
    label_is(closure, "f002c03"); /* who leaves takes his tag along */
}

static void
D24_a_terminated_service_is_on_no_label(void **state)
{
    json_auto_t *closure = two_services();
    json_t *gone = json_object_get(json_object_get(closure, "subscriptions"), "s1");

    (void)state;
    label_is(closure, "f007c01+f007c02");
    json_object_set_new(gone, "status", json_string("terminated"));
    label_is(closure, "f007c02");
}

/* ---- what the elements should hold ---- */

static void
the_trace_is_what_is_desired(void **state)
{
    json_auto_t *closure = one_service();
    json_auto_t *wanted = desired(closure, "s1");
    json_auto_t *line =
        parse("{\"id\": \"line:port-1/1/1\", \"kind\": \"line\", \"present\": true, \"port\": "
              "\"port-1/1/1\", \"mode\": \"16QAM_300G\", \"center_mhz\": 193500000, \"label\": "
              "\"OCh042 rm01-bo01\", \"laser\": true}");
    json_auto_t *client =
        parse("{\"id\": \"client:port-1/1/3\", \"kind\": \"client\", \"present\": true, \"port\": "
              "\"port-1/1/3\", \"rate\": \"100GE\", \"label\": \"f007c01 OCh042 rm01-bo01 "
              "remote:g30.bo01.example.net port-1/1/3\"}");
    json_auto_t *route = parse("[{\"node\": \"flex.rm01\", \"port\": \"1-A-1-L1\"}, {\"node\": "
                               "\"flex.bo01\", \"port\": \"1-A-1-L1\"}]");
    const json_t *circuit = intent(wanted, "fa", "circuit");

    (void)state;
    assert_true(json_equal(intent(wanted, "ga", "line"), line));
    assert_true(json_equal(intent(wanted, "gz", "line"), line));
    assert_true(json_equal(intent(wanted, "ga", "client"), client));
    assert_string_equal(lp_json_str(intent(wanted, "ga", "odu-xc"), "label", ""),
                        "f007c01 OCh042 rm01-bo01");
    assert_string_equal(lp_json_str(circuit, "name", ""), "OCh042_rm01-bo01");
    assert_string_equal(lp_json_str(circuit, "label", ""), "f007c01");
    assert_true(json_equal(json_object_get(circuit, "route"), route));
    assert_int_equal(lp_json_int(circuit, "low_mhz", 0), 193462500);
    assert_non_null(intent(wanted, "fa", "shutter"));
    assert_non_null(intent(wanted, "fz", "shutter"));
    assert_null(json_object_get(json_object_get(wanted, "elements"), "fc"));
}

/* Everything but the two clients is the same, whoever says it: nothing is taken away when one of
 * them goes. */
static void
T29_who_shares_desires_the_same_channel(void **state)
{
    static const char *const kinds[][2] = {
        {"ga", "line"}, {"gz", "line"}, {"fa", "circuit"}, {"fa", "shutter"}, {"fz", "shutter"}};
    json_auto_t *closure = two_services();
    json_auto_t *first = desired(closure, "s1"), *second = desired(closure, "s2");

    (void)state;
    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        assert_true(json_equal(intent(first, kinds[i][0], kinds[i][1]),
                               intent(second, kinds[i][0], kinds[i][1])));
    assert_string_equal(lp_json_str(intent(second, "ga", "client"), "port", ""), "port-1/1/4");
    assert_string_equal(lp_json_str(intent(second, "fa", "circuit"), "label", ""),
                        "f007c01+f007c02");
}

static size_t
count_kind(const json_t *wanted, const char *element, const char *kind)
{
    const json_t *item;
    size_t i, count = 0;

    json_array_foreach(json_object_get(json_object_get(wanted, "elements"), element), i, item)
        count += strcmp(lp_json_str(item, "kind", ""), kind) == 0;
    return count;
}

static void
D21_each_carrier_has_its_line_and_its_circuit(void **state)
{
    json_auto_t *closure = network();
    json_auto_t *wanted = NULL;
    const json_t *lines;

    (void)state;
    add_service(closure, "s1", "active",
                derived(closure, SERVICE("7", "1", "ga-c3", "gz-c3",
                                         "\"channels\": [" FIRST ", " SECOND "]")));
    wanted = desired(closure, "s1");
    assert_int_equal(count_kind(wanted, "ga", "line"), 2);
    assert_int_equal(count_kind(wanted, "gz", "line"), 2);
    assert_int_equal(count_kind(wanted, "fa", "circuit"), 2);
    assert_int_equal(count_kind(wanted, "fz", "shutter"), 2);
    assert_int_equal(count_kind(wanted, "ga", "odu-xc"), 1);
    lines = json_object_get(intent(wanted, "ga", "odu-xc"), "lines");
    assert_int_equal(json_array_size(lines), 2);
    assert_string_equal(json_string_value(json_array_get(lines, 1)), "port-1/1/2");
}

/* ---- capacity ---- */

static void
spare_capacity_counts_who_is_there(void **state)
{
    json_auto_t *closure = two_services();
    const json_t *channels[] = {lp_closure_block(closure, "ch1")};
    json_t *gone = json_object_get(json_object_get(closure, "subscriptions"), "s1");

    (void)state;
    assert_int_equal(lp_channels_spare_gbps(closure, channels, 1), 100);
    json_object_set_new(gone, "status", json_string("terminated"));
    assert_int_equal(lp_channels_spare_gbps(closure, channels, 1), 200);
    json_object_del((json_t *)(uintptr_t)channels[0], "capacity_gbps");
    assert_int_equal(lp_channels_spare_gbps(closure, channels, 1), -1); /* not known: not offered */
}

/* ---- rules ---- */

static void
refuses(const char *text, const char *word)
{
    json_auto_t *closure = network();
    json_auto_t *root = derived(closure, text);
    struct lp_problems problems;
    char *all;

    lp_problems_init(&problems);
    lp_product_of(LP_SERVICE_PRODUCT)->check(conf, root, &problems);
    all = json_dumps(problems.list, 0);
    if (strstr(all, word) == NULL)
        fail_msg("'%s' is not in %s", word, all);
    free(all);
    lp_problems_free(&problems);
}

static void
a_channel_has_two_ports_and_a_sound_width(void **state)
{
    (void)state;
    refuses(SERVICE("7", "1", "ga-c3", "gz-c3",
                    "\"channels\": [" CHANNEL("c", "1", "ga-l1", "gz-l1", "fa-t1", "fz-t2",
                                              "193462500", "193500000") "]"),
            "OPT-024");
    refuses(SERVICE("7", "1", "ga-c3", "gz-c3",
                    "\"channels\": [" CHANNEL("c", "1", "ga-l1", "ga-l1", "fa-t1", "fz-t2",
                                              "193462500", "193537500") "]"),
            "two different line ports");
    refuses(SERVICE("7", "1", "ga-c3", "ga-c3", "\"channels\": [" FIRST "]"),
            "two different client ports");
    refuses(SERVICE("7", "1", "ga-c3", "gz-c3", "\"shared_channels\": []"), "rides on");
    refuses(SERVICE("7", "1", "ga-c3", "gz-c3",
                    "\"channels\": [" FIRST ", " CHANNEL("c", "1", "ga-l2", "gz-l2", "fa-t3",
                                                         "fz-t3", "193500000", "193575000") "]"),
            "overlap");
}

static void
D45_a_speed_is_a_product_of_one_type(void **state)
{
    static const char *const names[] = {"Optical Digital Service 100G",
                                        "Optical Digital Service 400G"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const struct lp_product_type *type = lp_catalog_product(catalog, names[i]);

        assert_non_null(type);
        assert_string_equal(type->type, LP_SERVICE_PRODUCT);
        assert_int_equal(type->fixed_count, 1);
        assert_string_equal(type->fixed[0].name, "speed");
        assert_non_null(lp_block_field(type->root, "client_signal"));
    }
    assert_null(lp_catalog_product(catalog, LP_SERVICE_PRODUCT));
}

/* ---- power ---- */

static void
T20_power_is_changed_by_the_difference(void **state)
{
    const struct lp_power_rules rules = {.low_cdb = 0, .high_cdb = 150, .step_cdb = 1000};
    const struct lp_power_rules careful = {.low_cdb = 0, .high_cdb = 150, .step_cdb = 300};

    (void)state;
    assert_true(lp_power_fits(&rules, -882 + 917));
    assert_false(lp_power_fits(&rules, -1230 + 920));
    assert_int_equal(lp_power_next(&rules, -1230 + 920, 100, 0, 0), 410);
    assert_int_equal(lp_power_next(&rules, -600 + 920, 100, 0, 0), -220);
    assert_int_equal(lp_power_next(&careful, -1230 + 920, 100, 0, 0), 400); /* at most one step */
    assert_int_equal(lp_power_next(&rules, -1230 + 920, 100, -500, 350), 350); /* module's limit */
    assert_true(lp_power_fits(&rules, 154) && !lp_power_fits(&rules, 156));    /* to a tenth */
    assert_true(lp_power_fits(&rules, -4) && !lp_power_fits(&rules, -6));
}

/* What a damaged row may hold: no text where the identifier of a channel should be. */
static void
a_reference_that_is_no_text_names_nothing(void **state)
{
    json_auto_t *service = parse("{\"channels\":[7],\"shared_channels\":[null,7,{},\"c1\"]}");

    (void)state;
    assert_true(lp_service_uses(service, "c1"));
    assert_false(lp_service_uses(service, "c2"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T15_names_come_from_numbers_and_sites),
        cmocka_unit_test(centre_width_and_carrier_follow_from_the_passband),
        cmocka_unit_test(T14_D22_a_label_names_the_clients_of_now),
        cmocka_unit_test(D24_a_terminated_service_is_on_no_label),
        cmocka_unit_test(the_trace_is_what_is_desired),
        cmocka_unit_test(T29_who_shares_desires_the_same_channel),
        cmocka_unit_test(D21_each_carrier_has_its_line_and_its_circuit),
        cmocka_unit_test(spare_capacity_counts_who_is_there),
        cmocka_unit_test(a_channel_has_two_ports_and_a_sound_width),
        cmocka_unit_test(D45_a_speed_is_a_product_of_one_type),
        cmocka_unit_test(T20_power_is_changed_by_the_difference),
        cmocka_unit_test(a_reference_that_is_no_text_names_nothing),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
