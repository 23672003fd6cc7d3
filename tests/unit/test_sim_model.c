/* The network model of the FlexILS simulator, without sockets: topology, TE links, spectrum,
   routes, light, circuits, state, fault rules. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sim/fault.h"
#include "sim/flexils/exec.h"
#include "tests/support/test_main.h"

static struct sim_net *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = NULL;
    json_t *doc = NULL;

    assert_int_equal(lp_json_load(text, strlen(text), &doc, &err), LP_OK);
    if (sim_net_load(doc, &net, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(doc);
    net->now_us = net->utc_us = INT64_C(1800000000000000);
    return net;
}

static struct sim_net *
ring(void)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = NULL;
    json_t *doc = json_load_file(LP_SOURCE_ROOT "/sim/topologies/ring.json", 0, NULL);

    assert_non_null(doc);
    if (sim_net_load(doc, &net, &err) != LP_OK)
        fail_msg("%s", err.msg);
    json_decref(doc);
    net->now_us = net->utc_us = INT64_C(1800000000000000);
    return net;
}

/* Runs a command; the answer's error code ("" for COMPLD), its records in out. */
static const char *
run(struct sim_net *net, const char *text, struct lp_buf *out)
{
    static char code[5];
    struct lp_tl1_scratch scratch = {.text = NULL};
    struct lp_tl1_command command;
    struct lp_err err = LP_ERR_INIT;
    struct sim_reply reply = {.records = LP_BUF_INIT};
    const struct sim_command *row;

    assert_int_equal(lp_tl1_command_parse(text, strlen(text), &scratch, &command, &err), LP_OK);
    row = sim_command_find(command.code);
    assert_non_null(row);
    if (sim_command_check(row, &command, &reply.why))
        sim_execute(net, sim_node_find(net, command.tid), row, &command, false, &reply);
    snprintf(code, sizeof code, "%s", reply.why.code);
    if (out != NULL && reply.records.data != NULL)
        lp_buf_str(out, reply.records.data);
    sim_reply_free(&reply);
    lp_tl1_scratch_free(&scratch);
    return code;
}

#define GOOD(text)         assert_string_equal(run(net, (text), NULL), "")
#define DENIED(text, code) assert_string_equal(run(net, (text), NULL), (code))

#define OEL                                                                                        \
    "ENT-OEL:lp.mil1:way:A1:::SRCNODENAME=lp.mil1,DSTNODENAME=lp.rom1,MODULATION=PM-NONE,RATE=NA," \
    "SPECTYPE=NA,CARDTYPE=UNKNOWN,FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,EXPLICITROUTE="             \
    "lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1&-lp.fir1&1-A-1-L1&lp.rom1&1-A-2-L1:IS;"
#define OSNC(from, to, passband)                                                                   \
    "ENT-OSNC:lp.mil1:" from ":A1:::REMENDPOINT=" to ",REMNODETID=lp.rom1,OELAID=way,"             \
    "PASSBANDLIST=" passband ":IS;"

static void
test_attribute_table(void **state)
{
    size_t i, j;

    (void)state;
    for (i = 0; i < sim_attr_count; i++) {
        const struct sim_attr *attr = &sim_attrs[i];
        struct sim_denial why;

        assert_ptr_equal(sim_attr_find((enum sim_class)attr->cls, attr->name), attr); /* unique */
        assert_true(attr->cls < SIM_STORED);
        assert_true((attr->flags & (SIM_F_ED | SIM_F_ENT | SIM_F_OWN)) != 0);
        assert_true((attr->flags & SIM_F_OWN) == 0 || (attr->flags & SIM_F_ED) == 0);
        assert_true(sim_value_check(attr, attr->fallback, &why));
        assert_int_equal(attr->type == SIM_ENUM, attr->values[0] != '\0');
        for (j = i + 1; j < sim_attr_count && sim_attrs[j].cls != attr->cls; j++)
            continue;
        assert_true(j == sim_attr_count
                    || sim_attrs[j - 1].cls == attr->cls); /* one block a class */
    }
}

static void
test_command_table(void **state)
{
    size_t count, i, j;
    const struct sim_command *rows = sim_commands(&count);

    (void)state;
    for (i = 0; i < count; i++) {
        assert_true(rows[i].blocks_min <= rows[i].blocks_max && rows[i].blocks_max <= 4);
        assert_true(rows[i].aids_min <= rows[i].aids_max && rows[i].aids_max <= 2);
        assert_true(rows[i].run != NULL || rows[i].verb >= SIM_ACT_USER);
        for (j = 0; j < i; j++)
            assert_string_not_equal(rows[i].code, rows[j].code);
    }
    for (i = 0; sim_maintenance_types()[i] != NULL; i++) {
        char code[64];

        snprintf(code, sizeof code, "RMV-%s", sim_maintenance_types()[i]);
        assert_non_null(sim_command_find(code));
    }
    assert_non_null(sim_command_find("RST-ODUC2I"));
    assert_null(sim_command_find("RST-ODUC2"));
    assert_null(sim_command_find("RMV-"));
}

static void
test_links_pass_amplifiers(void **state)
{
    struct sim_net *net = ring();
    struct sim_node *fir = sim_node_find(net, "lp.fir1");
    struct sim_obj *port = sim_obj_find(fir, SIM_OTS, "1-A-1-L1");
    struct sim_link *link = port->link;

    (void)state;
    assert_int_equal(net->link_count, 4);
    assert_non_null(link);
    assert_int_equal(link->span_count, 2);
    assert_string_equal(link->node[1]->name, "lp.rom1");
    assert_string_equal(link->port[1]->aid, "1-A-2-L1");
    assert_int_equal(sim_link_side(link, fir, port), 0);
    assert_true(sim_link_up(link));
    sim_span_cut(net, sim_span_find(net, "ola1-rom"), true);
    assert_false(sim_link_up(link));
    sim_net_free(net);
}

static void
test_dangling_fiber(void **state)
{
    struct sim_net *net =
        load("{\"format\":\"lightpath-sim flexils 1\",\"nodes\":["
             "{\"name\":\"a\",\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":[\"L1\"]}]},"
             "{\"name\":\"o\",\"kind\":\"OLA\",\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"OAM\","
             "\"ports\":["
             "\"L1\",\"L2\"]}]}],"
             "\"spans\":[{\"a\":[\"a\",\"1-A-1-L1\"],\"b\":[\"o\",\"1-A-1-L1\"]}]}");
    struct lp_buf out = LP_BUF_INIT;

    (void)state;
    assert_int_equal(net->link_count, 1);
    assert_string_equal(run(net, "RTRV-OTELINK:a::A1::::;", &out), "");
    assert_non_null(strstr(out.data, "MATETELINK=,REACHSCOPE=Local"));
    assert_non_null(strstr(out.data, ":OOS-AU"));
    lp_buf_free(&out);
    sim_net_free(net);
}

/* Free spectrum is the band without what is claimed, whatever the order of claims and releases. */
static void
test_free_spectrum(void **state)
{
    struct sim_link link = {.claims = NULL};
    struct lp_buf out = LP_BUF_INIT;

    (void)state;
    assert_true(sim_link_claim(&link, 193550000, 193600000, 2));
    assert_true(sim_link_claim(&link, 191325000, 191375000, 1));
    assert_true(sim_link_claim(&link, 196100000, 196125000, 3));
    sim_link_free_text(&link, &out);
    assert_string_equal(out.data, "191375000&193550000&-193600000&196100000");
    assert_int_equal(sim_link_holder(&link, 193500000, 193550000, 0), 0); /* edges may touch */
    assert_int_equal(sim_link_holder(&link, 193500000, 193550001, 0), 2);
    assert_int_equal(sim_link_holder(&link, 193500000, 193550001, 2), 0);
    sim_link_release(&link, 2);
    sim_link_release(&link, 1);
    lp_buf_reset(&out);
    sim_link_free_text(&link, &out);
    assert_string_equal(out.data, "191325000&196100000");
    lp_buf_free(&out);
    free(link.claims);
}

static void
test_routes(void **state)
{
    static const struct {
        const char *text;
        enum lp_code code;
        size_t links;
    } cases[] = {
        {"lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1", LP_OK, 1},
        {"lp.fir1&1-A-2-L1&lp.mil1&1-A-1-L1", LP_OK, 1}, /* against the direction of the link */
        {"lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1&-lp.fir1&1-A-1-L1&lp.rom1&1-A-2-L1", LP_OK, 2},
        {"lp.mil1&1-A-1-L1&lp.rom1&1-A-2-L1", LP_INVALID, 0},
        {"lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1&-lp.rom1&1-A-1-L1&lp.bol1&1-A-2-L1", LP_INVALID, 0},
        {"lp.fir1&1-A-1-L1&lp.ola1&1-A-1-L1", LP_INVALID, 0}, /* an amplifier ends no link */
        {"lp.mil1&1-A-1-L1&lp.fir1", LP_INVALID, 0},
        {"lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1&x", LP_INVALID, 0},
        {"&&&", LP_INVALID, 0},
        {"", LP_INVALID, 0},
        {"lp.nowhere&1-A-1-L1&lp.fir1&1-A-2-L1", LP_NOT_FOUND, 0},
    };
    struct sim_net *net = ring();
    size_t i;

    (void)state;
    for (i = 0; i < LP_COUNT(cases); i++) {
        struct lp_err err = LP_ERR_INIT;
        struct sim_route route;

        assert_int_equal(sim_route_parse(net, cases[i].text, &route, &err), cases[i].code);
        if (cases[i].code == LP_OK)
            assert_int_equal(route.count, cases[i].links);
        else
            assert_true(err.msg[0] != '\0');
        lp_err_clear(&err);
    }
    sim_net_free(net);
}

static int32_t
out_power(struct sim_net *net)
{
    struct sim_node *rom = sim_node_find(net, "lp.rom1");

    return sim_power(net, rom, sim_obj_find(rom, SIM_SCH, "1-A-5-T2-1"), true);
}

static void
open_shutter(struct sim_net *net, const char *node, const char *aid)
{
    assert_true(
        sim_obj_set(sim_obj_find(sim_node_find(net, node), SIM_SCH, aid), "SHUTTERSTATE", "OPEN"));
}

/* Light put in at one end comes out at the other when everything on the way lets it through. */
static void
test_light(void **state)
{
    struct sim_net *net = ring();
    struct sim_span *span = sim_span_find(net, "fir-ola1");
    struct sim_obj *in = sim_obj_find(sim_node_find(net, "lp.mil1"), SIM_SCG, "1-A-3-T1");
    int32_t clear;

    (void)state;
    GOOD("ED-SCG:lp.mil1:1-A-3-T1:A1::::IS;");
    GOOD("ED-SCG:lp.rom1:1-A-5-T2:A1::::IS;");
    GOOD(OEL);
    GOOD(OSNC("1-A-3-T1-1", "1-A-5-T2-1", "193450000&193550000"));
    assert_true(out_power(net) <= SIM_DARK_CDBM); /* the shutter is closed */
    open_shutter(net, "lp.mil1", "1-A-3-T1-1");
    clear = out_power(net);
    assert_true(clear > -400);
    sim_span_cut(net, span, true);
    assert_true(out_power(net) <= SIM_DARK_CDBM);
    sim_span_cut(net, span, false);
    assert_true(out_power(net) > -400);
    sim_span_loss(net, span, SIM_GAIN_MAX_CDB + 300); /* more than the amplifier makes up for */
    assert_in_range(clear - out_power(net), 250, 350);
    sim_span_loss(net, span, span->design_loss_cdb);
    in->lit = true;
    in->light_cdbm = SIM_DARK_CDBM;
    assert_true(out_power(net) <= SIM_DARK_CDBM);
    in->lit = false;
    GOOD("ED-SCG:lp.rom1:1-A-5-T2:A1::::OOS;");
    assert_true(out_power(net) <= SIM_DARK_CDBM);
    GOOD("ED-SCG:lp.rom1:1-A-5-T2:A1::::IS;");
    GOOD("ED-OSNC:lp.mil1:1-A-3-T1-1:A1::::OOS;");
    assert_true(out_power(net) <= SIM_DARK_CDBM);
    sim_net_free(net);
}

/* Circuits take and give back spectrum and channels; what is refused leaves no trace. */
static void
test_circuit_conflicts(void **state)
{
    struct sim_net *net = ring();
    char before[65], after[65];

    (void)state;
    GOOD(OEL);
    GOOD(OSNC("1-A-3-T1-1", "1-A-5-T2-1", "193450000&193550000"));
    net->now_us += 5000000;
    assert_true(sim_state_hash(net, NULL, before));
    DENIED(OSNC("1-A-3-T2-1", "1-A-5-T3-1", "193500000&193600000"), "SROF");
    DENIED(OSNC("1-A-3-T1-2", "1-A-5-T3-1", "193500000&193600000"), "SROF");
    DENIED(OSNC("1-A-3-T2-1", "1-A-5-T2-1", "193600000&193700000"), "SROF");
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_equal(before, after);
    GOOD(OSNC("1-A-3-T2-1", "1-A-5-T3-1", "193550000&193600000")); /* edges may touch */
    GOOD("ED-OSNC:lp.mil1:1-A-3-T2-1:A1::::OOS;");
    DENIED("ED-OSNC:lp.mil1:1-A-3-T2-1:A1:::PASSBANDLIST=193500000&193600000:IS;", "SROF");
    GOOD("ED-OSNC:lp.mil1:1-A-3-T2-1:A1::::IS;"); /* with its old passband */
    GOOD("ED-OSNC:lp.mil1:1-A-3-T2-1:A1::::OOS;");
    GOOD("DLT-OSNC:lp.mil1:1-A-3-T2-1:A1::::;");
    net->now_us += 5000000;
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_equal(before, after);
    sim_net_free(net);
}

/* A randomly played network ends where it began once everything was taken away, and never gives one
 * slot twice. */
static void
test_property_circuits(void **state)
{
    struct sim_net *net = ring();
    uint64_t seed = net->random = (uint64_t)time(NULL);
    char before[65], after[65], text[400];
    bool there[16] = {false};
    int step, n;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    GOOD(OEL);
    assert_true(sim_state_hash(net, NULL, before));
    for (step = 0; step < 400; step++) {
        size_t i, k;

        n = (int)(sim_random(net) % 16);
        net->now_us += (int64_t)(sim_random(net) % 3000000);
        if (there[n]) {
            snprintf(text, sizeof text, "ED-OSNC:lp.mil1:1-A-3-T%d-%d:A1::::OOS;", n % 4 + 1,
                     n / 4 + 1);
            GOOD(text);
            snprintf(text, sizeof text, "DLT-OSNC:lp.mil1:1-A-3-T%d-%d:A1::::;", n % 4 + 1,
                     n / 4 + 1);
            GOOD(text);
            there[n] = false;
        } else {
            int low = 191325000 + (int)(sim_random(net) % 40) * 50000;

            snprintf(
                text, sizeof text,
                "ENT-OSNC:lp.mil1:1-A-3-T%d-%d:A1:::REMENDPOINT=1-A-5-T%d-%d,REMNODETID=lp.rom1,"
                "OELAID=way,PASSBANDLIST=%d&%d:IS;",
                n % 4 + 1, n / 4 + 1, n % 4 + 1, n / 4 + 1, low, low + 75000);
            there[n] = run(net, text, NULL)[0] == '\0';
        }
        for (i = 0; i < net->link_count; i++)
            for (k = 1; k < net->links[i].claim_count; k++)
                assert_true(net->links[i].claims[k - 1].high_mhz
                            <= net->links[i].claims[k].low_mhz);
    }
    for (n = 0; n < 16; n++)
        if (there[n]) {
            snprintf(text, sizeof text, "ED-OSNC:lp.mil1:1-A-3-T%d-%d:A1::::OOS;", n % 4 + 1,
                     n / 4 + 1);
            GOOD(text);
            snprintf(text, sizeof text, "DLT-OSNC:lp.mil1:1-A-3-T%d-%d:A1::::;", n % 4 + 1,
                     n / 4 + 1);
            GOOD(text);
        }
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_equal(before, after);
    sim_net_free(net);
}

static void
test_reset_and_setup(void **state)
{
    struct sim_net *net = ring();
    struct lp_err err = LP_ERR_INIT;
    struct sim_node *mil = sim_node_find(net, "lp.mil1");
    char before[65], after[65];

    (void)state;
    assert_true(sim_state_hash(net, NULL, before));
    GOOD(OEL);
    GOOD(OSNC("1-A-3-T1-1", "1-A-5-T2-1", "193450000&193550000"));
    sim_span_cut(net, &net->spans[0], true);
    assert_true(mil->alarm_count > 0);
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_not_equal(before, after);
    assert_int_equal(sim_net_reset(net, &err), LP_OK);
    assert_ptr_equal(sim_node_find(net, "lp.mil1"), mil); /* who is logged in there stays */
    assert_int_equal(mil->alarm_count, 0);
    assert_true(sim_state_hash(net, NULL, after));
    assert_string_equal(before, after);
    GOOD(OEL); /* spans and links point into the network again */
    GOOD(OSNC("1-A-3-T1-1", "1-A-5-T2-1", "193450000&193550000"));
    sim_span_cut(net, sim_span_find(net, "mil-fir"), true);
    assert_true(mil->alarm_count > 0);
    sim_net_free(net);
}

static void
test_outage_seconds(void **state)
{
    struct sim_net *net = ring();
    struct sim_span *span = &net->spans[0];
    int64_t from = net->utc_us, second = 1000000;

    (void)state;
    sim_span_cut(net, span, true);
    net->utc_us += 10 * second;
    assert_int_equal(sim_outage_s(net, span, from, from + 900 * second), 10);
    sim_span_cut(net, span, false);
    net->utc_us += 5 * second;
    sim_span_cut(net, span, true);
    net->utc_us += 7 * second;
    assert_int_equal(sim_outage_s(net, span, from, from + 900 * second), 17);
    assert_int_equal(sim_outage_s(net, span, from + 8 * second, from + 16 * second), 3);
    sim_net_free(net);
}

/* A copy shows what was; it does not change with the original. */
static void
test_copy_of_an_element(void **state)
{
    struct sim_net *net = ring();
    struct sim_node *mil = sim_node_find(net, "lp.mil1"), *copy = sim_node_copy(mil);

    (void)state;
    assert_non_null(copy);
    GOOD("ED-OTS:lp.mil1:1-A-1-L1:A1:::LABEL=\"new\";");
    assert_string_equal(sim_obj_get(sim_obj_find(copy, SIM_OTS, "1-A-1-L1"), "LABEL"), "");
    assert_string_equal(sim_obj_get(sim_obj_find(mil, SIM_OTS, "1-A-1-L1"), "LABEL"), "new");
    sim_node_copy_free(copy);
    sim_net_free(net);
}

static void
add_rules(struct sim_faults *faults, const char *text, enum lp_code code)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *rules = NULL;

    assert_int_equal(lp_json_load(text, strlen(text), &rules, &err), LP_OK);
    assert_int_equal(sim_faults_add(faults, rules, 0, &err), code);
    json_decref(rules);
    lp_err_clear(&err);
}

static void
test_fault_rules(void **state)
{
    struct sim_faults faults = {.rules = NULL};
    const struct sim_rule *rule;

    (void)state;
    add_rules(&faults, "[{\"do\":{\"fault\":\"drop\"}},{\"do\":{\"fault\":\"no such\"}}]",
              LP_INVALID);
    assert_int_equal(faults.count, 0); /* all or none */
    add_rules(&faults,
              "[{\"match\":{\"verb\":\"ENT-*\",\"tid\":\"lp.mil?\"},\"when\":{\"nth\":2,\"state\":"
              "\"not-executed\"},\"do\":{\"fault\":\"drop\"}},"
              "{\"match\":{\"verb\":\"*\"},\"do\":{\"fault\":\"deny\",\"code\":\"IENE\"}}]",
              LP_OK);
    assert_null(sim_faults_fire(&faults, "CONNECT", "lp.mil1", "", 0)); /* not a command */
    rule =
        sim_faults_fire(&faults, "ENT-OSNC", "lp.mil1", "a", 0); /* the first of ENT: second rule */
    assert_non_null(rule);
    assert_int_equal(rule->fault, SIM_FAULT_DENY);
    assert_string_equal(sim_rule_text(rule, "code", ""), "IENE");
    rule = sim_faults_fire(&faults, "ENT-OSNC", "lp.mil1", "a", 0);
    assert_non_null(rule);
    assert_int_equal(rule->fault, SIM_FAULT_DROP);
    assert_false(rule->executed);
    assert_null(sim_faults_fire(&faults, "ENT-OSNC", "lp.mil1", "a", 0));
    assert_int_equal(json_array_size(faults.journal), 2);
    sim_faults_clear(&faults, true);
    add_rules(&faults, "{\"do\":{\"fault\":\"silence\"}}", LP_OK); /* any command */
    assert_non_null(sim_faults_fire(&faults, "RTRV-HDR", "x", "", 0));
    sim_faults_clear(&faults, true);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribute_table),
        cmocka_unit_test(test_command_table),
        cmocka_unit_test(test_links_pass_amplifiers),
        cmocka_unit_test(test_dangling_fiber),
        cmocka_unit_test(test_free_spectrum),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_light),
        cmocka_unit_test(test_circuit_conflicts),
        cmocka_unit_test(test_property_circuits),
        cmocka_unit_test(test_reset_and_setup),
        cmocka_unit_test(test_outage_seconds),
        cmocka_unit_test(test_copy_of_an_element),
        cmocka_unit_test(test_fault_rules),
    };

    return LP_RUN_TESTS(tests);
}
