/* The FlexILS driver against an element in memory: documents, convergence, undoing, and every fault
 * at every exchange. */
#include <string.h>

#include "base/conf.h"
#include "clients/infinera/flexils/read.h"
#include "tests/support/flexils_node.h"
#include "tests/support/test_main.h"

/* ---- one element, one host ---- */

struct fixture {
    struct lp_clock clock;
    struct lp_conf *conf;
    struct lp_driver_host *host;
    struct node node;
    struct lp_ne *ne;
    struct lp_arena *arena;
    struct lp_call call;
    struct lp_err err;
};

static void
open_ne(struct fixture *f, const char *serial)
{
    static const char *const addresses[] = {"tcp://127.0.0.1:1"};
    const struct lp_element element = {.id = "e-1",
                                       .name = "lp.mil1.example.net",
                                       .node = "lp.mil1",
                                       .driver = "infinera-flexils",
                                       .addresses = addresses,
                                       .address_count = 1,
                                       .serial = serial};

    f->ne = NULL;
    assert_int_equal(lp_driver_of("infinera-flexils")->open(f->host, &element, &f->ne, &f->err),
                     LP_OK);
    node_attach(&f->node, f->ne);
}

static void
element_of_the_tests(struct node *node)
{
    node_add(node, "SYS", "lp.mil1", "{\"NETYPE\":\"ROADM\",\"SWVERSION\":\"19.2.1.0\"}", "IS-NR");
    node_add(node, "EQPT", "1-A-3", "{\"type\":\"FMM\",\"SERNO\":\"MA3\"}", "IS-NR");
    node_add(node, "EQPT", "1-A-4", "{\"type\":\"FSM\",\"SERNO\":\"MA4\"}", "IS-NR");
    node_add(node, "EQPT", "1-A-1", "{\"type\":\"FRM\",\"SERNO\":\"MA1\"}", "IS-NR");
    node_add(node, "OTS", "1-A-1-L1",
             "{\"LABEL\":\"\",\"PROVNBROTS\":\"\",\"DISCNBROTS\":\"lp.fir1/1-A-2-L1\","
             "\"HISTSTATS\":\"DISABLED\",\"SPANDIST\":\"\",\"EXPSPANLOSS\":\"UNDER25DB\"}",
             "IS-NR");
    node_add(node, "OTS", "1-A-2-L1",
             "{\"LABEL\":\"x\",\"PROVNBROTS\":\"\",\"DISCNBROTS\":\"lp.bol1/1-A-1-L1\","
             "\"HISTSTATS\":\"ENABLED\"}",
             "OOS-MA,MT");
    node_add(node, "SCG", "1-A-3-T1",
             "{\"LABEL\":\"\",\"INTFTYP\":\"INFWAVE\",\"PROVOWREMPTP\":\"\",\"HISTSTATS\":"
             "\"ENABLED\"}",
             "IS-NR");
    node_add(node, "SCG", "1-A-3-T2",
             "{\"LABEL\":\"\",\"INTFTYP\":\"INFWAVE\",\"PROVOWREMPTP\":\"\",\"HISTSTATS\":"
             "\"ENABLED\"}",
             "OOS-MA");
    node_add(node, "SCG", "1-A-4-T1",
             "{\"LABEL\":\"g30\",\"INTFTYP\":\"MANUALMODE-2\",\"PROVOWREMPTP\":\"RO12345/1-2-1\","
             "\"HISTSTATS\":\"ENABLED\"}",
             "IS-NR");
    node_add(node, "SCG", "1-A-4-T2",
             "{\"LABEL\":\"\",\"INTFTYP\":\"INFWAVE\",\"PROVOWREMPTP\":\"\",\"HISTSTATS\":"
             "\"ENABLED\"}",
             "IS-NR");
    node_add(node, "SCG", "1-A-4-S1",
             "{\"LABEL\":\"\",\"INTFTYP\":\"MANUALMODE-2\",\"PROVOWREMPTP\":\"\"}", "IS-NR");
    node_add(node, "OTEINTF", "1-A-1-O1", "{\"ASSOCGCC\":\"\"}", "IS-NR");
    node_add(node, "OTELINK", "lp.mil1-1-A-1-L1",
             "{\"MATETELINK\":\"lp.fir1-1-A-2-L1\",\"REACHSCOPE\":\"Local\","
             "\"AVAILFREQRANGELIST\":\"193550000&196125000&-191325000&193450000\"}",
             "IS-NR");
    node_add(node, "OTELINK", "lp.mil1-1-A-2-L1",
             "{\"MATETELINK\":\"\",\"REACHSCOPE\":\"Local\",\"AVAILFREQRANGELIST\":"
             "\"191325000&196125000\"}",
             "IS-NR");
    node_add(node, "OTELINK", "lp.mil1-1-A-5-L1",
             "{\"MATETELINK\":\"\",\"REACHSCOPE\":\"Local\",\"AVAILFREQRANGELIST\":\"NULL\"}",
             "IS-NR");
    node_add(node, "OTELINK", "lp.mil12-1-A-1-L1",
             "{\"MATETELINK\":\"\",\"REACHSCOPE\":\"Local\",\"AVAILFREQRANGELIST\":\"NULL\"}",
             "IS-NR");
    node_add(node, "OTELINK", "lp.fir1-1-A-2-L1",
             "{\"MATETELINK\":\"lp.mil1-1-A-1-L1\",\"REACHSCOPE\":\"Remote\"}", "IS-NR");
    node_add(node, "SCH", "1-A-3-T12-1", "{\"SHUTTERSTATE\":\"OPEN\"}", "IS-NR");
}

static void
setup(struct fixture *f)
{
    static const char *const overrides[] = {"devices.poll_ms=1", "devices.settle_ms=40",
                                            "devices.breaker_failures=1000"};

    *f = (struct fixture){.clock = LP_CLOCK_INIT, .err = LP_ERR_INIT};
    assert_int_equal(lp_conf_load(NULL, overrides, LP_COUNT(overrides), &f->conf, &f->err), LP_OK);
    assert_int_equal(
        lp_driver_host_new(
            &(struct lp_driver_host_options){.conf = f->conf, .clock = &f->clock, .log = NULL},
            &f->host, &f->err),
        LP_OK);
    f->arena = lp_arena_new();
    node_init(&f->node, "lp.mil1", "MA0123456789");
    element_of_the_tests(&f->node);
    node_call(&f->node, f->arena, &f->call);
    open_ne(f, "MA0123456789");
}

static void
teardown(struct fixture *f)
{
    f->ne->driver->close(f->ne);
    node_free(&f->node);
    lp_driver_host_free(f->host);
    lp_arena_free(f->arena);
    lp_conf_free(f->conf);
    lp_err_clear(&f->err);
}

static json_t *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}

/* ---- reading ---- */

static void
expect_items(const json_t *document, const char *expected)
{
    json_auto_t *wanted = load(expected);
    char *text = lp_json_text(json_object_get(document, "items"));

    if (!lp_json_same(json_object_get(document, "items"), wanted))
        fail_msg("is %s\nnot %s", text, expected);
    free(text);
}

static void
identity_and_inventory(void **state)
{
    struct fixture f;
    json_auto_t *identity = NULL, *wanted = NULL, *inventory = NULL;

    (void)state;
    setup(&f);
    assert_int_equal(f.ne->driver->probe(f.ne, &f.call, &identity, &f.err), LP_OK);
    wanted = load("{\"node\":\"lp.mil1\",\"vendor\":\"Infinera\",\"platform\":\"FlexILS\","
                  "\"serial\":\"MA0123456789\",\"software\":\"19.2.1.0\",\"type\":\"ROADM\"}");
    assert_true(lp_json_same(identity, wanted));
    assert_int_equal(f.ne->driver->inventory(f.ne, &f.call, &inventory, &f.err), LP_OK);
    expect_items(inventory,
                 "[{\"aid\":\"1\",\"type\":\"CHASSIS\",\"serial\":\"MA0123456789\",\"state\":"
                 "\"IS-NR\",\"parent\":\"\"},"
                 "{\"aid\":\"1-A-3\",\"type\":\"FMM\",\"serial\":\"MA3\",\"state\":\"IS-NR\","
                 "\"parent\":\"1\"},"
                 "{\"aid\":\"1-A-4\",\"type\":\"FSM\",\"serial\":\"MA4\",\"state\":\"IS-NR\","
                 "\"parent\":\"1\"},"
                 "{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"serial\":\"MA1\",\"state\":\"IS-NR\","
                 "\"parent\":\"1\"}]");
    teardown(&f);
}

/* D31: what the element lists as OTS is a line port, whatever letters its name holds. */
static void
D31_roles_are_reported_by_the_element(void **state)
{
    struct fixture f;
    json_auto_t *lines = NULL, *drops = NULL;
    json_t *item;
    size_t i;

    (void)state;
    setup(&f);
    node_add(&f.node, "SCG", "1-L-7-T3", "{\"LABEL\":\"an L in the shelf\"}", "IS-NR");
    node_add(&f.node, "EQPT", "1-L-7", "{\"type\":\"FMM\"}", "IS-NR");
    assert_int_equal(f.ne->driver->ports(f.ne, &f.call, LP_PORT_OLS_LINE, &lines, &f.err), LP_OK);
    assert_int_equal(f.ne->driver->ports(f.ne, &f.call, LP_PORT_OLS_ADD_DROP, &drops, &f.err),
                     LP_OK);
    expect_items(lines,
                 "[{\"name\":\"1-A-1-L1\",\"role\":\"ols-line\",\"admin\":\"up\",\"oper\":\"up\","
                 "\"label\":\"\",\"card\":\"1-A-1\",\"card_type\":\"FRM\",\"peer\":"
                 "\"lp.fir1/1-A-2-L1\"},"
                 "{\"name\":\"1-A-2-L1\",\"role\":\"ols-line\",\"admin\":\"maintenance\",\"oper\":"
                 "\"down\",\"label\":\"x\",\"card\":\"1-A-2\",\"card_type\":\"\",\"peer\":"
                 "\"lp.bol1/1-A-1-L1\"}]");
    assert_int_equal(json_array_size(json_object_get(drops, "items")), 6);
    json_array_foreach(json_object_get(drops, "items"), i, item)
        assert_string_equal(lp_json_str(item, "role", ""), "ols-add-drop");
    assert_int_equal(fx_port_letter("1-L-7-T3"), 'T');
    assert_int_equal(fx_port_letter("1-A-1-L1"), 'L');
    teardown(&f);
}

/* D27: one range, no range, no attribute; only our own links, by the whole name. */
static void
D27_any_form_of_free_spectrum(void **state)
{
    struct fixture f;
    json_auto_t *spectrum = NULL, *one = NULL;

    (void)state;
    setup(&f);
    node_add(&f.node, "OCRS", "1-A-1-L1-1,1-A-3-T1-1",
             "{\"SIGTYPE\":\"SIGNALED\",\"CKTIDSUFFIX\":\"LP-42\",\"PASSBANDLIST\":"
             "\"193450000&193550000\"}",
             "IS-NR");
    assert_int_equal(f.ne->driver->spectrum(f.ne, &f.call, NULL, &spectrum, &f.err), LP_OK);
    expect_items(spectrum,
                 "[{\"port\":\"1-A-1-L1\",\"low_mhz\":193450000,\"high_mhz\":193550000,"
                 "\"circuit\":\"LP-42\"},"
                 "{\"port\":\"1-A-5-L1\",\"low_mhz\":191325000,\"high_mhz\":196125000,\"circuit\":"
                 "\"\"}]");
    assert_int_equal(f.ne->driver->spectrum(f.ne, &f.call, "1-A-2-L1", &one, &f.err), LP_OK);
    expect_items(one, "[]");
    teardown(&f);
}

/* An element with a wider spectrum than the C band: all of it is told, and the gap between C and L
 * is nobody's light. A circuit where the free ranges say nothing is told too. */
static void
light_outside_the_c_band_is_told(void **state)
{
    struct fixture f;
    json_auto_t *wide = NULL, *beyond = NULL;

    (void)state;
    setup(&f);
    node_add(&f.node, "OTELINK", "lp.mil1-1-A-7-L1",
             "{\"MATETELINK\":\"\",\"REACHSCOPE\":\"Local\",\"AVAILFREQRANGELIST\":"
             "\"186050000&188000000&-188100000&190850000&-191325000&196125000\"}",
             "IS-NR");
    node_add(&f.node, "OCRS", "1-A-2-L1-1,1-A-3-T1-1",
             "{\"SIGTYPE\":\"SIGNALED\",\"CKTIDSUFFIX\":\"far out\",\"PASSBANDLIST\":"
             "\"196100000&196200000\"}",
             "IS-NR");
    assert_int_equal(f.ne->driver->spectrum(f.ne, &f.call, "1-A-7-L1", &wide, &f.err), LP_OK);
    expect_items(wide, "[{\"port\":\"1-A-7-L1\",\"low_mhz\":188000000,\"high_mhz\":188100000,"
                       "\"circuit\":\"\"}]");
    assert_int_equal(f.ne->driver->spectrum(f.ne, &f.call, "1-A-2-L1", &beyond, &f.err), LP_OK);
    expect_items(beyond, "[{\"port\":\"1-A-2-L1\",\"low_mhz\":196125000,\"high_mhz\":196200000,"
                         "\"circuit\":\"far out\"}]");
    teardown(&f);
}

static void
occupied_is_the_complement(void **state)
{
    static const char *const cases[][2] = {
        {"[[191325000,193450000],[193550000,196125000]]", "[[193450000,193550000]]"},
        {"[[191325000,196125000]]", "[]"},
        {"[[191362500,191375000]]", "[[191325000,191362500],[191375000,196125000]]"},
        {"[[191300000,191400000],[196000000,196137500]]", "[[191400000,196000000]]"},
        {"[]", "[[191325000,196125000]]"},
        {"[[193000000,192000000]]", "[[191325000,196125000]]"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *free_ranges = load(cases[i][0]), *wanted = load(cases[i][1]);
        json_auto_t *occupied = fx_occupied(free_ranges, 191325000, 196125000);

        assert_true(lp_json_same(occupied, wanted));
    }
}

static void
neighbours_alarms_counters_power(void **state)
{
    struct fixture f;
    json_auto_t *neighbours = NULL, *alarms = NULL, *counters = NULL, *power = NULL, *used = NULL;
    json_auto_t *query = load("{\"object\":\"sch:1-A-3-T12-1\",\"period\":\"current\"}");

    (void)state;
    setup(&f);
    assert_int_equal(f.ne->driver->neighbours(f.ne, &f.call, &neighbours, &f.err), LP_OK);
    expect_items(neighbours, "[{\"port\":\"1-A-1-L1\",\"remote_node\":\"lp.fir1\",\"remote_port\":"
                             "\"1-A-2-L1\",\"source\":\"discovered\"},"
                             "{\"port\":\"1-A-2-L1\",\"remote_node\":\"lp.bol1\",\"remote_port\":"
                             "\"1-A-1-L1\",\"source\":\"discovered\"}]");
    assert_int_equal(f.ne->driver->alarms(f.ne, &f.call, &alarms, &f.err), LP_OK);
    expect_items(alarms, "[]");
    assert_int_equal(f.ne->driver->counters(f.ne, &f.call, query, &counters, &f.err), LP_OK);
    expect_items(counters,
                 "[{\"object\":\"sch:1-A-3-T12-1\",\"name\":\"opr_cdbm\",\"value\":-882,\"unit\":"
                 "\"0.01 dBm\",\"period\":\"current\",\"validity\":\"unknown\"}]");
    node_add(&f.node, "SCH", "1-A-4-S1-1", "{\"TARGETOPR\":\"-9.1721\"}", "IS-NR");
    node_add(&f.node, "OCRS", "1-A-1-L1-1,1-A-3-T1-1",
             "{\"SIGTYPE\":\"SIGNALED\",\"CKTIDSUFFIX\":\"LP-42\",\"INTERMEDIATESCHCTP\":"
             "\"1-A-4-S1-1\"}",
             "IS-NR");
    assert_int_equal(f.ne->driver->read(f.ne, &f.call, "power:1-A-3-T1@LP-42", &power, &f.err),
                     LP_OK);
    assert_int_equal(lp_json_int(power, "difference_cdb", 0), 35);
    assert_int_equal(f.ne->driver->read(f.ne, &f.call, "power:1-A-3-T1@nowhere", &used, &f.err),
                     LP_NOT_FOUND);
    assert_string_equal(lp_json_str(f.err.detail, "code", ""), "OPT-060");
    lp_err_clear(&f.err);
    assert_int_equal(f.ne->driver->raw(f.ne, &f.call, "RTRV-HDR;RTRV-HDR;", &used, &f.err),
                     LP_INVALID);
    assert_string_equal(lp_json_str(f.err.detail, "code", ""), "OPT-082");
    lp_err_clear(&f.err);
    assert_int_equal(f.ne->driver->read(f.ne, &f.call, "used:1-A-3-T12", &used, &f.err), LP_OK);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(used, "indices"), 0)), 1);
    assert_int_equal(f.ne->driver->read(f.ne, &f.call, "ots:1-A-9-L9", &used, &f.err),
                     LP_NOT_FOUND);
    teardown(&f);
}

/* ---- changing: what the engine does with a plan ---- */

#define ROUTE                                                                                      \
    "\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.fir1\",\"port\":"      \
    "\"1-A-2-L1\"}]"
#define CIRCUIT(label, low, high)                                                                  \
    "\"kind\":\"circuit\",\"name\":\"LP 42\",\"label\":\"" label                                   \
    "\",\"a\":{\"port\":\"1-A-3-T1\"},"                                                            \
    "\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T2\"}," ROUTE ",\"low_mhz\":" low                \
    ",\"high_mhz\":" high
#define SHUTTER                                                                                    \
    "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":true,\"open\":true,\"port\":\"1-A-3-T1\","     \
    "\"circuit\":\"LP 42\"}"

static const struct scenario {
    const char *name;
    const char *first; /* done before without faults, or NULL */
    const char *intents;
} scenarios[] = {
    {"fiber between line ports", NULL,
     "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\",\"role\":"
     "\"ols-line\",\"label\":\"mil1-fir1 COMPLD; M  X DENY, a=b:c\",\"length_m\":61700,"
     "\"loss_cdb\":2600,\"peer\":{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\",\"platform\":"
     "\"Infinera FlexILS\"}},"
     "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-2-L1\",\"role\":"
     "\"ols-line\",\"label\":\"y\",\"peer\":{\"node\":\"lp.bol1\",\"port\":\"1-A-1-L1\","
     "\"platform\":\"Infinera FlexILS\"}}]"},
    {"fiber to a transponder", NULL,
     "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-3-T2\",\"role\":"
     "\"ols-add-drop\",\"label\":\"g30 line 1\",\"peer\":{\"node\":\"x\",\"port\":\"port-1/2/3\","
     "\"platform\":\"infinera-g30\",\"serial\":\"RO12345\"}},"
     "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-4-T2\",\"role\":"
     "\"ols-add-drop\",\"label\":\"g42\",\"peer\":{\"node\":\"lp.g42\",\"port\":\"1-4-L1\","
     "\"platform\":\"infinera-g42\"}}]"},
    {"fibers removed", NULL,
     "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-2-L1\"},"
     "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-4-T1\"},"
     "{\"id\":\"h\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-4-T2\"},"
     "{\"id\":\"i\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-3-T1\"}]"},
    {"circuit created", NULL,
     "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193450000", "193550000") "}," SHUTTER "]"},
    {"circuit moved",
     "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193450000", "193550000") "}]",
     "[{\"id\":\"c\",\"present\":true," CIRCUIT("b", "193400000", "193500000") "}]"},
    {"circuit deleted",
     "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193450000", "193550000") "}]",
     "[{\"id\":\"c\",\"present\":false," CIRCUIT("a", "193450000", "193550000") "}]"},
    {"cross-connect", NULL,
     "[{\"id\":\"x\",\"kind\":\"cross-connect\",\"present\":true,\"name\":\"LP-17\",\"label\":"
     "\"dark 17\",\"from\":\"1-A-3-T1\",\"to\":\"1-A-4-S1\",\"low_mhz\":193450000,\"high_mhz\":"
     "193550000}]"},
    {"cross-connect deleted",
     "[{\"id\":\"x\",\"kind\":\"cross-connect\",\"present\":true,\"name\":\"LP-17\",\"label\":"
     "\"dark 17\",\"from\":\"1-A-3-T1\",\"to\":\"1-A-4-S1\",\"low_mhz\":193450000,\"high_mhz\":"
     "193550000}]",
     "[{\"id\":\"x\",\"kind\":\"cross-connect\",\"present\":false,\"name\":\"LP-17\",\"from\":"
     "\"1-A-3-T1\",\"to\":\"1-A-4-S1\"}]"},
};

static enum lp_code
make_plan(struct fixture *f, const char *intents, json_t **out)
{
    json_auto_t *wanted = load(intents);

    return f->ne->driver->plan(f->ne, &f->call, wanted, false, out, &f->err);
}

/* As the engine: what may be tried again is, a few times. */
static enum lp_code
run_one(struct fixture *f, const json_t *op)
{
    enum lp_code rc = LP_RETRYABLE;

    for (unsigned attempt = 0; attempt < 6; attempt++) {
        json_auto_t *report = NULL;

        lp_err_clear(&f->err);
        rc = f->ne->driver->apply_op(f->ne, &f->call, op, NULL, &report, &f->err);
        if (lp_code_info(rc)->retry == LP_RETRY_NEVER && rc != LP_PROTOCOL)
            break;
    }
    return rc;
}

static enum lp_code
run_all(struct fixture *f, const json_t *plan)
{
    enum lp_code rc = LP_OK;
    json_t *op;
    size_t i;

    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        if (rc == LP_OK)
            rc = run_one(f, op);
        if (rc != LP_OK) {
            print_message("%s: %s\n", lp_json_str(op, "id", ""), f->err.msg);
            break;
        }
    }
    return rc;
}

static enum lp_code
undo_all(struct fixture *f, const json_t *plan)
{
    const json_t *ops = json_object_get(plan, "operations");
    enum lp_code rc = LP_OK;

    for (size_t i = json_array_size(ops); rc == LP_OK && i > 0; i--) {
        const json_t *undo = json_object_get(json_array_get(ops, i - 1), "compensation");

        if (!json_is_object(undo))
            continue;
        rc = run_one(f, undo);
        if (rc != LP_OK)
            print_message("%s: %s\n", lp_json_str(undo, "id", ""), f->err.msg);
    }
    return rc;
}

static void
prepare(struct fixture *f, const struct scenario *s)
{
    json_auto_t *plan = NULL;

    setup(f);
    if (s->first == NULL)
        return;
    assert_int_equal(make_plan(f, s->first, &plan), LP_OK);
    assert_int_equal(run_all(f, plan), LP_OK);
}

static void
expect_converged(struct fixture *f, const char *intents)
{
    json_auto_t *plan = NULL;
    char *text;

    if (make_plan(f, intents, &plan) != LP_OK)
        fail_msg("%s", f->err.msg);
    text = lp_json_text(json_object_get(plan, "operations"));
    assert_string_equal(text, "[]");
    free(text);
}

static void
apply_converges_and_undo_restores(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(scenarios); i++) {
        json_auto_t *plan = NULL;
        char before[65], undone[65];
        struct fixture f;

        print_message("%s\n", scenarios[i].name);
        prepare(&f, &scenarios[i]);
        node_hash(&f.node, before);
        if (make_plan(&f, scenarios[i].intents, &plan) != LP_OK)
            fail_msg("%s", f.err.msg);
        assert_int_not_equal(json_array_size(json_object_get(plan, "operations")), 0);
        assert_int_equal(run_all(&f, plan), LP_OK);
        expect_converged(&f, scenarios[i].intents);
        assert_int_equal(undo_all(&f, plan), LP_OK);
        node_hash(&f.node, undone);
        if (strcmp(before, undone) != 0) {
            char *text = lp_json_text(f.node.objects);

            print_message("left: %s\n", text);
            free(text);
        }
        assert_string_equal(before, undone);
        teardown(&f);
    }
}

/* What is sent is what the plan showed. */
static void
previews_are_what_is_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(scenarios); i++) {
        json_auto_t *plan = NULL;
        struct lp_buf shown = LP_BUF_INIT, sent = LP_BUF_INIT;
        struct fixture f;
        json_t *op, *command;
        size_t n, k;

        prepare(&f, &scenarios[i]);
        assert_int_equal(make_plan(&f, scenarios[i].intents, &plan), LP_OK);
        json_array_foreach(json_object_get(plan, "operations"), n, op)
        {
            json_array_foreach(json_object_get(op, "commands"), k, command)
                lp_buf_printf(&shown, "%s\n", json_string_value(command));
        }
        lp_buf_reset(&f.node.sent);
        assert_int_equal(run_all(&f, plan), LP_OK);
        for (char *rest = f.node.sent.data, *line; (line = strsep(&rest, "\n")) != NULL;) {
            char *tag = strstr(line, ":L00001");

            if (line[0] == '\0' || strncmp(line, "RTRV-", 5) == 0)
                continue;
            assert_non_null(tag);
            lp_buf_printf(&sent, "%.*s:*%s\n", (int)(tag - line), line, tag + 7);
        }
        assert_string_equal(shown.data, sent.data);
        lp_buf_free(&shown);
        lp_buf_free(&sent);
        teardown(&f);
    }
}

/* ---- every fault at every exchange ---- */

static const struct {
    enum node_fault fault;
    unsigned times;
    const char *code, *text;
} fault_kinds[] = {
    {NODE_LOST_BEFORE, 1, NULL, NULL},
    {NODE_LOST_AFTER, 1, NULL, NULL},
    {NODE_LOST_AFTER, 2, NULL, NULL},
    {NODE_UNREACHABLE, 2, NULL, NULL},
    {NODE_PARTIAL, 1, NULL, NULL},
    {NODE_GARBLED, 1, NULL, NULL},
    {NODE_DENIES, 1, "RCBY", "resources busy"},
    {NODE_DENIES, 1, "SDNR", "data not ready"},
};

static void
every_fault_at_every_exchange_converges(void **state)
{
    unsigned runs = 0;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(scenarios); i++) {
        char sound[65];
        unsigned exchanges;
        json_auto_t *reference = NULL;
        struct fixture f;

        prepare(&f, &scenarios[i]);
        assert_int_equal(make_plan(&f, scenarios[i].intents, &reference), LP_OK);
        f.node.exchanges = 0;
        assert_int_equal(run_all(&f, reference), LP_OK);
        exchanges = f.node.exchanges;
        node_hash(&f.node, sound);
        teardown(&f);
        for (unsigned at = 1; at <= exchanges; at++) {
            for (size_t k = 0; k < LP_COUNT(fault_kinds); k++) {
                json_auto_t *plan = NULL;
                char hash[65];

                prepare(&f, &scenarios[i]);
                assert_int_equal(make_plan(&f, scenarios[i].intents, &plan), LP_OK);
                f.node.exchanges = 0;
                f.node.fault = fault_kinds[k].fault;
                f.node.fault_at = at;
                f.node.fault_times = fault_kinds[k].times;
                f.node.code = fault_kinds[k].code;
                f.node.text = fault_kinds[k].text;
                if (run_all(&f, plan) != LP_OK)
                    fail_msg("%s: fault %zu at exchange %u: %s", scenarios[i].name, k, at,
                             f.err.msg);
                node_hash(&f.node, hash);
                if (strcmp(hash, sound) != 0)
                    fail_msg("%s: fault %zu at exchange %u ends elsewhere", scenarios[i].name, k,
                             at);
                teardown(&f);
                runs++;
            }
        }
    }
    print_message("%u faults\n", runs);
}

/* A crash after any operation: a new handle, all operations again from the first. */
static void
a_crash_anywhere_converges(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(scenarios); i++) {
        json_auto_t *plan = NULL;
        struct fixture f;
        size_t count;

        prepare(&f, &scenarios[i]);
        assert_int_equal(make_plan(&f, scenarios[i].intents, &plan), LP_OK);
        count = json_array_size(json_object_get(plan, "operations"));
        teardown(&f);
        for (size_t done = 1; done <= count; done++) {
            json_auto_t *again = NULL;

            prepare(&f, &scenarios[i]);
            for (size_t n = 0; n < done; n++)
                assert_int_equal(
                    run_one(&f, json_array_get(json_object_get(plan, "operations"), n)), LP_OK);
            f.ne->driver->close(f.ne);
            open_ne(&f, "MA0123456789");
            /* the operation whose result was not recorded comes once more */
            assert_int_equal(
                run_one(&f, json_array_get(json_object_get(plan, "operations"), done - 1)), LP_OK);
            assert_int_equal(make_plan(&f, scenarios[i].intents, &again), LP_OK);
            assert_int_equal(run_all(&f, again), LP_OK);
            expect_converged(&f, scenarios[i].intents);
            teardown(&f);
        }
    }
}

/* ---- bad days that must not end well ---- */

static const char line_fiber[] =
    "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\",\"role\":"
    "\"ols-line\",\"label\":\"new\",\"peer\":{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\","
    "\"platform\":\"Infinera FlexILS\"}}]";

static void
another_element_is_never_written_to(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
    f.ne->driver->close(f.ne);
    f.node.serial = "MA9999999999";
    open_ne(&f, "MA0123456789");
    assert_int_equal(run_one(&f, json_array_get(json_object_get(plan, "operations"), 0)),
                     LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "MA9999999999"));
    assert_non_null(strstr(f.err.msg, "lp.mil1.example.net"));
    assert_int_equal(f.node.writes, 0);
    teardown(&f);
}

static void
a_changed_before_image_is_a_conflict_that_shows_both(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
    (void)lp_json_set_str(json_object_get(json_object_get(f.node.objects, "OTS"), "1-A-1-L1"),
                          "LABEL", "somebody else's");
    assert_int_equal(run_one(&f, json_array_get(json_object_get(plan, "operations"), 0)),
                     LP_CONFLICT);
    assert_string_equal(lp_json_str(json_object_get(f.err.detail, "actual"), "LABEL", ""),
                        "somebody else's");
    assert_string_equal(lp_json_str(json_object_get(f.err.detail, "expected"), "LABEL", "?"), "");
    assert_int_equal(f.node.writes, 0);
    teardown(&f);
}

static void
a_silent_no_op_is_found_out(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
    f.node.exchanges = 0;
    f.node.fault = NODE_NO_OP;
    f.node.fault_at = 1;
    f.node.fault_times = 1000;
    assert_int_equal(run_one(&f, json_array_get(json_object_get(plan, "operations"), 0)),
                     LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "accepted ED-OTS and did not make the change"));
    teardown(&f);
}

static void
stale_reads_are_waited_out(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
    f.node.snapshot = json_deep_copy(f.node.objects);
    f.node.stale = 4;
    assert_int_equal(run_all(&f, plan), LP_OK);
    assert_int_equal(f.node.writes, 1);
    expect_converged(&f, line_fiber);
    teardown(&f);
}

static void
a_foreign_object_is_a_conflict_not_a_success(void **state)
{
    json_auto_t *plan = NULL, *later = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, scenarios[3].intents, &plan), LP_OK);
    node_add(&f.node, "OSNC", "1-A-3-T1-1",
             "{\"CKTIDSUFFIX\":\"foreign\",\"REMENDPOINT\":\"1-A-9-T1-1\",\"REMNODETID\":\"x\"}",
             "IS-NR");
    for (size_t i = 0; i < json_array_size(json_object_get(plan, "operations")); i++) {
        const json_t *op = json_array_get(json_object_get(plan, "operations"), i);

        if (strncmp(lp_json_str(op, "id", ""), "create osnc", 11) == 0)
            assert_int_equal(run_one(&f, op), LP_CONFLICT);
    }
    teardown(&f);
    setup(&f);
    node_add(&f.node, "OSNC", "1-A-4-T1-1",
             "{\"CKTIDSUFFIX\":\"LP_42\",\"REMENDPOINT\":\"1-A-9-T1-1\",\"REMNODETID\":\"x\"}",
             "IS-NR");
    assert_int_equal(make_plan(&f, scenarios[3].intents, &later), LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "LP_42"));
    teardown(&f);
}

/* D44: every kind of refusal keeps its own code, and the text of the element. */
static void
D44_refusals_keep_their_kind(void **state)
{
    static const struct {
        const char *code, *text;
        enum lp_code expected;
    } cases[] = {
        {"IDRG", "value out of range", LP_REFUSED}, {"PIUI", "invalid user", LP_AUTH},
        {"IIAC", "invalid AID", LP_REFUSED},        {"RALB", "all resources busy", LP_RETRYABLE},
        {"XXXX", "who knows", LP_REFUSED},          {"SROF", "power too high", LP_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_auto_t *plan = NULL, *report = NULL;
        struct fixture f;

        setup(&f);
        assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
        f.node.exchanges = 0;
        f.node.fault = NODE_DENIES;
        f.node.fault_at = 2; /* the first reads */
        f.node.code = cases[i].code;
        f.node.text = cases[i].text;
        assert_int_equal(f.ne->driver->apply_op(
                             f.ne, &f.call, json_array_get(json_object_get(plan, "operations"), 0),
                             NULL, &report, &f.err),
                         cases[i].expected);
        assert_non_null(strstr(f.err.msg, cases[i].text));
        teardown(&f);
    }
}

static void
nothing_is_written_behind_a_fence(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(make_plan(&f, line_fiber, &plan), LP_OK);
    f.node.fenced = true;
    assert_int_equal(run_one(&f, json_array_get(json_object_get(plan, "operations"), 0)),
                     LP_FENCED);
    assert_int_equal(f.node.writes, 0);
    assert_true(f.node.checks > 0);
    teardown(&f);
}

/* D52: a wait ends when its condition holds, and says what it saw when it never does. */
static void
D52_waits_are_conditions(void **state)
{
    json_auto_t *op = load("{\"id\":\"wait sch:1-A-3-T1-1\",\"action\":\"wait\",\"object\":"
                           "\"sch:1-A-3-T1-1\",\"before\":null,\"after\":{},\"text\":\"t\"}");
    json_auto_t *report = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(f.ne->driver->apply_op(f.ne, &f.call, op, NULL, &report, &f.err),
                     LP_RETRYABLE);
    assert_true(f.node.exchanges > 2);
    node_add(&f.node, "SCH", "1-A-3-T1-1", "{}", "IS-NR");
    f.node.exchanges = 0;
    assert_int_equal(f.ne->driver->apply_op(f.ne, &f.call, op, NULL, &report, &f.err), LP_OK);
    assert_int_equal(f.node.exchanges, 2); /* it held twice in a row */
    f.node.time_left_ms = 0;
    teardown(&f);
}

static void
a_port_that_is_gone_needs_no_cleaning(void **state)
{
    static const char gone[] =
        "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-9-T1\"},"
        "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-9-L1\"},"
        "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":false,\"port\":\"1-A-9-T1\",\"circuit\":"
        "\"LP 9\"}]";
    struct fixture f;

    (void)state;
    setup(&f);
    expect_converged(&f, gone);
    teardown(&f);
}

/* D19: a second deletion has nothing left to do, a half one goes on. */
static void
D19_deletion_may_be_repeated(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f, &scenarios[5]);
    for (unsigned round = 0; round < 2; round++) {
        json_auto_t *plan = NULL;

        assert_int_equal(make_plan(&f, scenarios[5].intents, &plan), LP_OK);
        assert_int_equal(run_all(&f, plan), LP_OK);
    }
    expect_converged(&f, scenarios[5].intents);
    assert_int_equal(json_object_size(json_object_get(f.node.objects, "OSNC")), 0);
    assert_int_equal(json_object_size(json_object_get(f.node.objects, "OEL")), 0);
    teardown(&f);
}

/* All commands of a plan, one a line. */
static char *
commands_of(struct fixture *f, const char *intents)
{
    struct lp_buf text = LP_BUF_INIT;
    json_auto_t *plan = NULL;
    json_t *op, *command;
    size_t i, k;

    if (make_plan(f, intents, &plan) != LP_OK)
        fail_msg("%s", f->err.msg);
    lp_buf_str(&text, "");
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        json_array_foreach(json_object_get(op, "commands"), k, command)
            lp_buf_printf(&text, "%s\n", json_string_value(command));
    }
    return lp_buf_take(&text);
}

static void
D17_frequencies_are_integers(void **state)
{
    struct fixture f;
    char *text;

    (void)state;
    setup(&f);
    text = commands_of(
        &f, "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193437500", "193543750") "}]");
    assert_non_null(strstr(text, "PASSBANDLIST=193437500&193543750,"));
    assert_non_null(strstr(text, "CARRIERLIST=193490625&106250,"));
    free(text);
    teardown(&f);
}

/* D30: T1 is not the beginning of T12, LP_42 not that of LP_421, L1 not that of L12. */
static void
D30_names_are_compared_whole(void **state)
{
    struct fixture f;
    char *text;

    (void)state;
    setup(&f);
    node_add(&f.node, "SCH", "1-A-3-T12-1", "{}", "IS-NR");
    node_add(&f.node, "SCH", "1-A-3-T12-2", "{}", "IS-NR");
    node_add(&f.node, "OSNC", "1-A-3-T12-2",
             "{\"CKTIDSUFFIX\":\"LP_421\",\"REMENDPOINT\":\"1-A-5-T21-1\",\"REMNODETID\":"
             "\"lp.fir12\"}",
             "IS-NR");
    text = commands_of(&f, scenarios[3].intents);
    assert_non_null(strstr(text, "ENT-OSNC:lp.mil1:1-A-3-T1-1:*"));
    assert_non_null(strstr(text, "REMENDPOINT=1-A-5-T2-1,"));
    assert_true(fx_neighbour_is("lp.fir1/1-A-2-L1", "lp.fir1", "1-A-2-L1"));
    assert_true(fx_neighbour_is("1-A-2-L1", "lp.fir1", "1-A-2-L1"));
    assert_false(fx_neighbour_is("lp.fir1/1-A-2-L12", "lp.fir1", "1-A-2-L1"));
    assert_false(fx_neighbour_is("lp.fir12/1-A-2-L1", "lp.fir1", "1-A-2-L1"));
    assert_true(fx_sch_on("1-A-3-T1-4", "1-A-3-T1"));
    assert_false(fx_sch_on("1-A-3-T12-4", "1-A-3-T1"));
    free(text);
    teardown(&f);
}

/* D12: every key of a fiber end is compared, on lines and on tributaries alike; all differences are
 * in the plan. */
static void
D12_every_key_of_a_fiber_end_is_compared(void **state)
{
    static const struct {
        const char *type, *aid, *name, *value;
    } drifts[] = {
        {"SCG", "1-A-4-T1", "LABEL", "other"},
        {"SCG", "1-A-4-T1", "INTFTYP", "INFWAVE"},
        {"SCG", "1-A-4-T1", "PROVOWREMPTP", "RO12345/1-2-12"},
        {"SCG", "1-A-4-T1", "HISTSTATS", "DISABLED"},
        {"SCG", "1-A-4-T1", "state", "OOS-MA"},
        {"OTS", "1-A-1-L1", "LABEL", "other"},
        {"OTS", "1-A-1-L1", "PROVNBROTS", "lp.fir1/1-A-2-L12"},
        {"OTS", "1-A-1-L1", "DISCNBROTS", "lp.fir1/1-A-2-L12"},
        {"OTS", "1-A-1-L1", "HISTSTATS", "DISABLED"},
        {"OTS", "1-A-1-L1", "state", "OOS-MA,MT"},
    };
    static const char intents[] =
        "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-4-T1\",\"label\":"
        "\"g30\",\"peer\":{\"node\":\"x\",\"port\":\"port-1/2/1\",\"platform\":\"infinera-g30\","
        "\"serial\":\"RO12345\"}},"
        "{\"id\":\"g\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\",\"label\":"
        "\"l\",\"peer\":{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\",\"platform\":"
        "\"Infinera FlexILS\"}}]";

    (void)state;
    for (size_t i = 0; i < LP_COUNT(drifts); i++) {
        json_auto_t *made = NULL, *drift = NULL;
        struct fixture f;

        setup(&f);
        assert_int_equal(make_plan(&f, intents, &made), LP_OK);
        assert_int_equal(run_all(&f, made), LP_OK);
        expect_converged(&f, intents);
        (void)lp_json_set_str(
            json_object_get(json_object_get(f.node.objects, drifts[i].type), drifts[i].aid),
            drifts[i].name, drifts[i].value);
        assert_int_equal(make_plan(&f, intents, &drift), LP_OK);
        if (json_array_size(json_object_get(drift, "operations")) == 0)
            fail_msg("%s of %s is not compared", drifts[i].name, drifts[i].aid);
        teardown(&f);
    }
}

/* D13: a passband has a low edge and a higher one; an empty one, and one upside down, are refused
 * before anything is asked of the element for them, and nothing is planned. */
static void
D13_an_empty_passband_is_refused(void **state)
{
    static const char *const refused[] = {
        "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193450000", "193450000") "}]",
        "[{\"id\":\"c\",\"present\":true," CIRCUIT("a", "193550000", "193450000") "}]",
        "[{\"id\":\"x\",\"kind\":\"cross-connect\",\"present\":true,\"name\":\"LP-17\",\"label\":"
        "\"x\","
        "\"from\":\"1-A-3-T1\",\"to\":\"1-A-4-S1\",\"low_mhz\":193450000,\"high_mhz\":193450000}]",
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(refused); i++) {
        json_auto_t *made = NULL;
        struct fixture f;

        setup(&f);
        assert_int_equal(make_plan(&f, refused[i], &made), LP_INVALID);
        assert_non_null(strstr(f.err.msg, "low_mhz must lie below high_mhz"));
        assert_int_equal(f.node.writes, 0);
        teardown(&f);
    }
}

/* D29: two ways between the same two nodes are two routes. */
static void
D29_parallel_routes_have_their_own_names(void **state)
{
    struct fixture f;
    char *one, *other;

    (void)state;
    setup(&f);
    node_add(&f.node, "OTEINTF", "1-A-2-O1", "{\"ASSOCGCC\":\"\"}", "IS-NR");
    one = commands_of(&f, scenarios[3].intents);
    other = commands_of(
        &f,
        "[{\"id\":\"c\",\"present\":true,\"kind\":\"circuit\",\"name\":\"LP 43\",\"label\":"
        "\"b\",\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T2\"},"
        "\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-2-L1\"},{\"node\":\"lp.fir1\",\"port\":"
        "\"1-A-1-L1\"}],\"low_mhz\":193450000,\"high_mhz\":193550000}]");
    assert_non_null(strstr(one, "ENT-OEL:lp.mil1:lp.mil1-lp.fir1-"));
    assert_non_null(strstr(other, "ENT-OEL:lp.mil1:lp.mil1-lp.fir1-"));
    assert_true(strncmp(strstr(one, "ENT-OEL"), strstr(other, "ENT-OEL"), 45) != 0);
    free(one);
    free(other);
    teardown(&f);
}

/* D58: attach and detach ask one rule which cards know maintenance. */
static void
D58_fsm_and_frm_cards_know_no_maintenance(void **state)
{
    static const char *const ends[][2] = {
        {"1-A-4-T2", "false"}, {"1-A-4-T2", "true"}, {"1-A-3-T1", "false"}, {"1-A-3-T1", "true"}};
    char intents[512];

    (void)state;
    for (size_t i = 0; i < LP_COUNT(ends); i++) {
        struct fixture f;
        char *text;

        setup(&f);
        (void)snprintf(intents, sizeof intents,
                       "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":%s,\"port\":\"%s\","
                       "\"peer\":{\"node\":\"n\",\"port\":\"1-4-L1\",\"platform\":\"x\"}}]",
                       ends[i][1], ends[i][0]);
        text = commands_of(&f, intents);
        assert_non_null(strstr(text, "INTFTYP=MANUALMODE-2"));
        if (strncmp(ends[i][0], "1-A-4", 5) == 0)
            assert_null(strstr(text, "RMV-SCG"));
        else
            assert_non_null(strstr(text, "RMV-SCG"));
        free(text);
        teardown(&f);
    }
}

/* What the far end uses is heard from its refusal; the local end stays what was planned. */
static void
a_taken_far_end_is_passed_over(void **state)
{
    json_auto_t *plan = NULL;
    struct fixture f;
    const json_t *osnc;

    (void)state;
    setup(&f);
    f.node.far_end_used = "1-A-5-T2-1 1-A-5-T2-2 1-A-5-T2-3";
    assert_int_equal(make_plan(&f, scenarios[3].intents, &plan), LP_OK);
    assert_int_equal(run_all(&f, plan), LP_OK);
    osnc = json_object_get(json_object_get(f.node.objects, "OSNC"), "1-A-3-T1-1");
    assert_string_equal(lp_json_str(osnc, "REMENDPOINT", ""), "1-A-5-T2-4");
    assert_int_equal(json_object_size(json_object_get(f.node.objects, "OSNC")), 1);
    expect_converged(&f, scenarios[3].intents);
    assert_int_equal(undo_all(&f, plan), LP_OK);
    assert_int_equal(json_object_size(json_object_get(f.node.objects, "OSNC")), 0);
    teardown(&f);
}

static void
capabilities_match_the_functions(void **state)
{
    size_t count;
    const struct lp_driver *const *drivers = lp_drivers(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct lp_driver *d = drivers[i];

        assert_ptr_equal(lp_driver_of(d->name), d);
        assert_int_equal(lp_driver_can(d, LP_CAP_SPECTRUM_READ), d->spectrum != NULL);
        assert_int_equal(lp_driver_can(d, LP_CAP_ALARMS), d->alarms != NULL);
        assert_int_equal(lp_driver_can(d, LP_CAP_PM_CURRENT), d->counters != NULL);
        assert_int_equal(lp_driver_can(d, LP_CAP_EVENTS), d->next_event != NULL);
        assert_int_equal(lp_driver_can(d, LP_CAP_RAW), d->raw != NULL && d->raw_writes != NULL);
        assert_int_equal(lp_driver_can(d, LP_CAP_TRX_LINE), d->modes != NULL);
        assert_non_null(d->platform);
        assert_true(d->longest_write_ms > 0);
    }
    assert_null(lp_driver_of("nobody"));
}

/* D42: whether a typed text only reads is decided on all of it. */
static void
D42_what_a_typed_command_does_is_known(void **state)
{
    const struct lp_driver *d = lp_driver_of("infinera-flexils");

    (void)state;
    assert_false(d->raw_writes("RTRV-OTS:lp.mil1::C1::::;"));
    assert_false(d->raw_writes("rtrv-hdr:::c;"));
    assert_true(d->raw_writes("ED-OTS:lp.mil1:1-A-1-L1:C1:::LABEL=\"x\";"));
    assert_true(d->raw_writes("RTRV-OTS:::1::::; DLT-OEL:::2::::;"));
    assert_true(d->raw_writes("gibberish"));
    assert_true(d->raw_writes(""));
}

static void
foreign_intents_are_refused_by_name(void **state)
{
    static const struct {
        const char *intents;
        enum lp_code expected;
        const char *part;
    } cases[] = {
        {"[{\"id\":\"l\",\"kind\":\"line\",\"present\":true}]", LP_UNSUPPORTED, "intent l"},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-1-L1\",\"admin\":"
         "\"down\"}]",
         LP_UNSUPPORTED, "maintenance"},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-9-T1\",\"label\":\"x\"}"
         "]",
         LP_NOT_FOUND, "1-A-9-T1"},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-1-L1\",\"role\":"
         "\"ols-add-drop\"}]",
         LP_INVALID, "role"},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-1-L1\",\"label\":"
         "\"a\\\"b\"}]",
         LP_INVALID, "quotes"},
        {"[{\"id\":\"p\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-1-L1\",\"label\":\"a\"},"
         "{\"id\":\"q\",\"kind\":\"port\",\"present\":true,\"port\":\"1-A-1-L1\",\"label\":\"b\"}]",
         LP_INVALID, "differently"},
        {"[{\"kind\":\"port\"}]", LP_INVALID, "no id"},
        {"{}", LP_INVALID, "array"},
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        json_t *plan = NULL;
        struct fixture f;

        setup(&f);
        assert_int_equal(make_plan(&f, cases[i].intents, &plan), cases[i].expected);
        assert_non_null(strstr(f.err.msg, cases[i].part));
        teardown(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_and_inventory),
        cmocka_unit_test(D31_roles_are_reported_by_the_element),
        cmocka_unit_test(D27_any_form_of_free_spectrum),
        cmocka_unit_test(light_outside_the_c_band_is_told),
        cmocka_unit_test(occupied_is_the_complement),
        cmocka_unit_test(neighbours_alarms_counters_power),
        cmocka_unit_test(apply_converges_and_undo_restores),
        cmocka_unit_test(previews_are_what_is_sent),
        cmocka_unit_test(every_fault_at_every_exchange_converges),
        cmocka_unit_test(a_crash_anywhere_converges),
        cmocka_unit_test(another_element_is_never_written_to),
        cmocka_unit_test(a_changed_before_image_is_a_conflict_that_shows_both),
        cmocka_unit_test(a_silent_no_op_is_found_out),
        cmocka_unit_test(stale_reads_are_waited_out),
        cmocka_unit_test(a_foreign_object_is_a_conflict_not_a_success),
        cmocka_unit_test(D44_refusals_keep_their_kind),
        cmocka_unit_test(nothing_is_written_behind_a_fence),
        cmocka_unit_test(D52_waits_are_conditions),
        cmocka_unit_test(a_port_that_is_gone_needs_no_cleaning),
        cmocka_unit_test(D19_deletion_may_be_repeated),
        cmocka_unit_test(D17_frequencies_are_integers),
        cmocka_unit_test(D30_names_are_compared_whole),
        cmocka_unit_test(D12_every_key_of_a_fiber_end_is_compared),
        cmocka_unit_test(D13_an_empty_passband_is_refused),
        cmocka_unit_test(D29_parallel_routes_have_their_own_names),
        cmocka_unit_test(D58_fsm_and_frm_cards_know_no_maintenance),
        cmocka_unit_test(a_taken_far_end_is_passed_over),
        cmocka_unit_test(capabilities_match_the_functions),
        cmocka_unit_test(D42_what_a_typed_command_does_is_known),
        cmocka_unit_test(foreign_intents_are_refused_by_name),
    };

    return LP_RUN_TESTS(tests);
}
