/* Routes, their rules and explanations; sections and names of routes. */
#include <string.h>

#include "optical/route.h"
#include "optical/sections.h"
#include "tests/support/test_main.h"

#define NONE LP_GRAPH_NONE

static struct lp_err err = LP_ERR_INIT;
static struct lp_route_space *space;
static struct lp_route_result result;

/* ---- small networks: nodes are letters, ports "A.L1", fibers "AI" ---- */

struct net {
    struct lp_graph *graph;
};

static uint32_t
add_node(struct net *net, const char *id, enum lp_node_role role)
{
    const struct lp_node node = {.id = id, .name = id, .site = id, .domain = "x", .role = role};
    uint32_t index;

    assert_int_equal(lp_graph_add_node(net->graph, &node, &index, &err), LP_OK);
    return index;
}

static uint32_t
add_port(struct net *net, const char *id, enum lp_port_kind kind)
{
    const char node[] = {id[0], '\0'};
    const struct lp_port port = {
        .id = id, .name = id + 2, .node = lp_graph_node(net->graph, node), .kind = kind};
    uint32_t index;

    assert_int_equal(lp_graph_add_port(net->graph, &port, &index, &err), LP_OK);
    return index;
}

static uint32_t
port_of(struct net *net, const char *id)
{
    uint32_t port = lp_graph_port(net->graph, id);

    return port != NONE ? port : add_port(net, id, id[2] == 'L' ? LP_PORT_LINE : LP_PORT_ADD_DROP);
}

static uint32_t
add_link(struct net *net, const char *id, const char *a, const char *z, uint32_t length_m)
{
    const struct lp_link link = {.id = id,
                                 .name = id,
                                 .a_port = port_of(net, a),
                                 .z_port = port_of(net, z),
                                 .length_m = length_m};
    uint32_t index;

    assert_int_equal(lp_graph_add_link(net->graph, &link, &index, &err), LP_OK);
    return index;
}

static struct net
new_net(void)
{
    struct net net = {lp_graph_new(lp_band_of("C"), &lp_osnr_defaults)};

    assert_non_null(net.graph);
    return net;
}

static void
seal(struct net *net)
{
    assert_int_equal(lp_graph_seal(net->graph, &err), LP_OK);
}

/* The example of the catalog: A-I-B over an amplifier, A-C-B, A-D-E-B. */
static struct net
example(void)
{
    struct net net = new_net();

    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    add_node(&net, "C", LP_NODE_ROADM);
    add_node(&net, "D", LP_NODE_ROADM);
    add_node(&net, "E", LP_NODE_ROADM);
    add_node(&net, "I", LP_NODE_AMPLIFIER);
    add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    add_port(&net, "A.T2", LP_PORT_ADD_DROP);
    add_port(&net, "B.T1", LP_PORT_ADD_DROP);
    add_link(&net, "AI", "A.L1", "I.L1", 50000);
    add_link(&net, "IB", "I.L2", "B.L1", 50000);
    add_link(&net, "AC", "A.L2", "C.L1", 50000);
    add_link(&net, "CB", "C.L2", "B.L2", 50000);
    add_link(&net, "AD", "A.L3", "D.L1", 50000);
    add_link(&net, "DE", "D.L2", "E.L1", 50000);
    add_link(&net, "EB", "B.L3", "E.L2", 50000);
    seal(&net);
    return net;
}

static struct lp_route_request
from_a_to_b(const struct net *net)
{
    return (struct lp_route_request){.a_port = lp_graph_port(net->graph, "A.T1"),
                                     .z_port = lp_graph_port(net->graph, "B.T1"),
                                     .keep_order = true,
                                     .cost = LP_COST_HOPS};
}

/* Fibers of a route, "AI IB". */
static const char *
links_of(const struct net *net, const struct lp_route *route)
{
    static char text[256];

    text[0] = '\0';
    for (uint32_t i = 0; i < route->link_count; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
                       lp_graph_link_data(net->graph, route->links[i])->id);
    return text;
}

static void
find(const struct net *net, const struct lp_route_request *request, size_t expected)
{
    assert_int_equal(lp_route_find(net->graph, request, space, &result, &err), LP_OK);
    assert_int_equal(result.count, expected);
    assert_true(result.complete);
}

static void
explain(const struct net *net, const struct lp_route_request *request, const char *expected)
{
    struct lp_buf text = LP_BUF_INIT;

    find(net, request, 0);
    lp_route_explain(net->graph, request, &result, &text);
    assert_string_equal(text.data, expected);
    lp_buf_free(&text);
}

static void
T10_routing_example(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);
    uint32_t excluded[] = {lp_graph_node(net.graph, "C"), lp_graph_node(net.graph, "I")};
    struct lp_buf text = LP_BUF_INIT;

    (void)state;
    request.most = 2;
    find(&net, &request, 2);
    assert_int_equal(result.routes[0].hops, 2);
    assert_int_equal(result.routes[1].hops, 2);
    request.most = 5;
    find(&net, &request, 3);
    assert_string_equal(links_of(&net, &result.routes[2]), "AD DE EB");
    assert_true(result.routes[2].reversed[2]);
    request.exclude_nodes = excluded;
    request.exclude_node_count = 1;
    find(&net, &request, 2);
    assert_string_equal(links_of(&net, &result.routes[0]), "AI IB");
    assert_int_equal(result.routes[0].oms_hops, 1);
    lp_route_text(net.graph, &request, &result.routes[0], &text);
    assert_string_equal(text.data, "A (T1 × L1) ⇋ I (L1 × L2) ⇋ B (L1 × T1)");
    lp_buf_reset(&text);
    lp_route_canonical(net.graph, &request, &result.routes[0], &text);
    assert_string_equal(text.data, "A.T1;A.L1;I.L1;I.L2;B.L1;B.T1|");
    lp_buf_free(&text);
    request.exclude_node_count = 2;
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AD DE EB");
    request.cost = LP_COST_OMS_HOPS;
    request.exclude_node_count = 0;
    find(&net, &request, 3);
    assert_string_equal(links_of(&net, &result.routes[0]), "AI IB");
    lp_graph_free(net.graph);
}

static void
D56_loss_and_length_decide(void **state)
{
    struct net net = new_net();
    struct lp_route_request request;

    (void)state;
    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    add_node(&net, "C", LP_NODE_ROADM);
    add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    add_port(&net, "B.T1", LP_PORT_ADD_DROP);
    add_link(&net, "AB", "A.L1", "B.L1", 160000); /* 35.2 dB: OSNR 18.3 dB */
    add_link(&net, "AC", "A.L2", "C.L1", 70000);  /* 15.4 dB: OSNR 38.1 dB each */
    add_link(&net, "CB", "C.L2", "B.L2", 70000);
    seal(&net);
    request = from_a_to_b(&net);
    find(&net, &request, 2);
    assert_string_equal(links_of(&net, &result.routes[0]), "AB");
    assert_int_equal(result.routes[0].loss_cdb, 3520);
    assert_int_equal(result.routes[0].osnr_cdb, 1830);
    assert_int_equal(result.routes[0].latency_ns, 783472);
    assert_false(result.routes[0].has_margin);
    request.keep_order = false; /* best margin first */
    find(&net, &request, 2);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    assert_int_equal(result.routes[0].osnr_cdb, 3509);
    request.required_osnr_cdb = 1600; /* with 3 dB of margin the long span is too long */
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    assert_int_equal(result.routes[0].margin_cdb, 3509 - 1600 - 300);
    request.allow_negative_margin = true;
    find(&net, &request, 2);
    assert_int_equal(result.routes[1].margin_cdb, 1830 - 1600 - 300);
    request.keep_order = true;
    for (request.cost = LP_COST_LENGTH; request.cost < LP_COST_COUNT; request.cost++) {
        find(&net, &request, 2);
        assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    }
    lp_graph_free(net.graph);
}

/* ---- spectrum ---- */

static void
take(struct net *net, const char *link, int64_t low, int64_t high, const char *holder)
{
    assert_int_equal(lp_graph_take(net->graph, lp_graph_link(net->graph, link),
                                   &(struct lp_range){low, high}, holder, "of somebody", &err),
                     LP_OK);
}

static void
slots_along_the_route(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);

    (void)state;
    take(&net, "AI", 193450000, 193550000, "one");
    take(&net, "IB", 191325000, 191400000, NULL);
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_FIRST, .count = 1, .width_mhz = {75000}, .step_mhz = 6250};
    request.most = 1;
    request.cost = LP_COST_OMS_HOPS;
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AI IB");
    assert_int_equal(result.routes[0].segment_count, 1);
    assert_int_equal(result.routes[0].slot[0][0].low_mhz, 191400000);
    assert_int_equal(result.routes[0].slot[0][0].high_mhz, 191475000);
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_EXACT, .count = 1, .exact = {{193537500, 193612500}}};
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    request.own = "one"; /* what we hold ourselves is not in our way */
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AI IB");
    request.own = "another";
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    lp_graph_free(net.graph);
}

static void
D21_both_carriers_count(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);

    (void)state;
    take(&net, "AI", 193550000, 193650000, "one");
    request.most = 1;
    request.cost = LP_COST_OMS_HOPS;
    request.wanted = (struct lp_wanted){.policy = LP_ASSIGN_EXACT,
                                        .count = 2,
                                        .exact = {{193450000, 193550000}, {193575000, 193675000}}};
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC CB");
    assert_int_equal(result.routes[0].slot[0][1].low_mhz, 193575000);
    lp_graph_free(net.graph);
}

static void
OPT_030_says_what_removed_routes(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);
    const uint32_t links[] = {lp_graph_link(net.graph, "AC"), lp_graph_link(net.graph, "CB")};

    (void)state;
    take(&net, "AI", 193400000, 193600000, "one");
    take(&net, "DE", 193500000, 193512500, NULL);
    request.exclude_links = links;
    request.exclude_link_count = 2;
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_EXACT, .count = 1, .exact = {{193450000, 193550000}}};
    explain(&net, &request,
            "OPT-030: no route from A T1 to B T1 for 193450000-193550000; removed: 2 by exclusion, "
            "2 by spectrum, 0 by type");
    lp_graph_set_down(net.graph, lp_graph_link(net.graph, "EB"), true);
    explain(&net, &request,
            "OPT-030: no route from A T1 to B T1 for 193450000-193550000; removed: 2 by exclusion, "
            "2 by spectrum, 0 by type, 1 by outage");
    lp_graph_free(net.graph);
}

/* ---- demands ---- */

static void
demanded_devices_and_fibers(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);
    struct lp_waypoint ways[] = {{.index = lp_graph_node(net.graph, "D")},
                                 {.is_link = true, .index = lp_graph_link(net.graph, "EB")}};

    (void)state;
    request.ways = ways;
    request.way_count = 2;
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AD DE EB");
    ways[1].strict = true; /* E lies between */
    find(&net, &request, 0);
    ways[1].strict = false;
    ways[0].strict = true;
    find(&net, &request, 1);
    ways[0] = ways[1];
    ways[1] = (struct lp_waypoint){.index = lp_graph_node(net.graph, "D")};
    find(&net, &request, 0); /* the other way round */
    assert_true(result.removed[LP_RULE_WAYPOINT] > 0);
    ways[0].strict = false;
    request.any_order = true;
    find(&net, &request, 1);
    ways[0] = (struct lp_waypoint){.index = lp_graph_node(net.graph, "B"), .strict = true};
    request.any_order = false;
    request.way_count = 1; /* the end itself; only an amplifier may lie between */
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AI IB");
    lp_graph_free(net.graph);
}

static void
apart_from_another_route(void **state)
{
    static const char *const duct[] = {"duct 7"};
    struct net net = new_net();
    struct lp_route_request request;
    struct lp_link risky;
    uint32_t taken[2];

    (void)state;
    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    add_node(&net, "C", LP_NODE_ROADM);
    add_node(&net, "D", LP_NODE_ROADM);
    add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    add_port(&net, "B.T1", LP_PORT_ADD_DROP);
    risky = (struct lp_link){.id = "AC",
                             .name = "AC",
                             .a_port = port_of(&net, "A.L1"),
                             .z_port = port_of(&net, "C.L1"),
                             .risks = duct,
                             .risk_count = 1};
    assert_int_equal(lp_graph_add_link(net.graph, &risky, &taken[0], &err), LP_OK);
    taken[1] = add_link(&net, "CB", "C.L2", "B.L1", 1000);
    add_link(&net, "AC2", "A.L2", "C.L3", 1000);
    add_link(&net, "CB2", "C.L4", "B.L2", 1000);
    risky.id = "AD";
    risky.a_port = port_of(&net, "A.L3");
    risky.z_port = port_of(&net, "D.L1");
    assert_int_equal(lp_graph_add_link(net.graph, &risky, NULL, &err), LP_OK);
    add_link(&net, "DB", "D.L2", "B.L3", 1000);
    seal(&net);
    request = from_a_to_b(&net);
    find(&net, &request, 5); /* C by either of two, twice, and D */
    request.disjoint_links = taken;
    request.disjoint_link_count = 2;
    find(&net, &request, 2);
    request.disjoint = LP_DISJOINT_NODES;
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AD DB");
    request.disjoint = LP_DISJOINT_RISKS;
    find(&net, &request, 1);
    assert_string_equal(links_of(&net, &result.routes[0]), "AC2 CB2");
    request.disjoint_link_count = 0;
    request.exclude_risks = duct;
    request.exclude_risk_count = 1;
    find(&net, &request, 2); /* AC2 with CB or CB2 */
    lp_graph_free(net.graph);
}

/* ---- devices ---- */

static void
inside_of_a_device(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);

    (void)state;
    request.z_port = lp_graph_port(net.graph, "A.T2");
    find(&net, &request, 1);
    assert_int_equal(result.routes[0].link_count, 0);
    assert_int_equal(result.routes[0].osnr_cdb, INT32_MAX);
    request.z_port = request.a_port;
    assert_int_equal(lp_route_find(net.graph, &request, space, &result, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "OPT-010"));
    lp_err_clear(&err);
    lp_graph_free(net.graph);
}

/* Transponder T with a patch cord to A; card groups, degrees and the reach of add/drop ports. */
static void
ports_decide_about_ways(void **state)
{
    struct net net = new_net();
    struct lp_route_request request;
    struct lp_port port;
    uint32_t add, degree[3], out[16];
    struct lp_buf text = LP_BUF_INIT;

    (void)state;
    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    add_node(&net, "C", LP_NODE_ROADM);
    add_node(&net, "T", LP_NODE_TRANSPONDER);
    add_port(&net, "T.1", LP_PORT_TRX);
    add = add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    for (uint32_t i = 0; i < 3; i++) { /* L1 and L2 are one degree */
        static const char *const names[] = {"A.L1", "A.L2", "A.L3"};
        port = (struct lp_port){.id = names[i],
                                .name = names[i] + 2,
                                .node = 0,
                                .degree = i == 2 ? 2 : 1,
                                .group = i == 2 ? 7 : 0};
        assert_int_equal(lp_graph_add_port(net.graph, &port, &degree[i], &err), LP_OK);
    }
    port = (struct lp_port){
        .id = "B.T9", .name = "T9", .node = 1, .kind = LP_PORT_ADD_DROP, .group = 8};
    assert_int_equal(lp_graph_add_port(net.graph, &port, NULL, &err), LP_OK);
    add_link(&net, "AB", "A.L1", "B.L1", 1000);
    add_link(&net, "AC", "A.L2", "C.L1", 1000);
    add_link(&net, "AC3", "A.L3", "C.L2", 1000);
    add_link(&net, "CB", "C.L3", "B.L2", 1000);
    assert_int_equal(lp_graph_add_link(net.graph,
                                       &(struct lp_link){.id = "p",
                                                         .name = "patch",
                                                         .kind = LP_LINK_PATCH,
                                                         .a_port = lp_graph_port(net.graph, "T.1"),
                                                         .z_port = add},
                                       NULL, &err),
                     LP_OK);
    assert_int_equal(lp_graph_add_reach(net.graph, add, degree[2], &err), LP_OK);
    seal(&net);
    request = (struct lp_route_request){.a_port = lp_graph_port(net.graph, "T.1"),
                                        .z_port = lp_graph_port(net.graph, "B.T9")};
    find(&net, &request, 1); /* the add port reaches the second degree only */
    assert_string_equal(links_of(&net, &result.routes[0]), "p AC3 CB");
    assert_int_equal(result.routes[0].hops, 2);
    assert_int_equal(lp_route_ports(net.graph, &request, &result.routes[0], out), 7);
    assert_int_equal(out[0], request.a_port);
    assert_int_equal(out[6], request.z_port);
    assert_int_equal(lp_route_nodes(net.graph, &result, &result.routes[0], out), 4);
    lp_route_text(net.graph, &request, &result.routes[0], &text);
    assert_string_equal(text.data, "T (1) ⇋ A (T1 × L3) ⇋ C (L2 × L3) ⇋ B (L2 × T9)");
    lp_buf_free(&text);
    request.a_port = NONE;
    request.a_node = 2; /* from C over A to B: in by L2, out by L1 is one degree */
    request.most = 5;
    find(&net, &request, 2);
    assert_string_equal(links_of(&net, &result.routes[0]), "CB");
    assert_string_equal(links_of(&net, &result.routes[1]), "AC3 AB");
    request.a_node = 0;
    request.a_port = NONE;
    request.z_port = NONE;
    request.z_node = 3; /* to the transponder itself: its add port again reaches one degree */
    find(&net, &request, 1);
    lp_graph_free(net.graph);
}

static void
regeneration_changes_the_slot(void **state)
{
    struct net net = new_net();
    const struct lp_node relay = {.id = "C",
                                  .name = "C",
                                  .site = "c",
                                  .domain = "x",
                                  .role = LP_NODE_TRANSPONDER,
                                  .regenerates = true};
    struct lp_route_request request;

    (void)state;
    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    assert_int_equal(lp_graph_add_node(net.graph, &relay, NULL, &err), LP_OK);
    add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    add_port(&net, "B.T1", LP_PORT_ADD_DROP);
    add_port(&net, "C.L1", LP_PORT_TRX);
    add_port(&net, "C.L2", LP_PORT_TRX);
    add_link(&net, "AC", "A.L1", "C.L1", 1000);
    add_link(&net, "CB", "C.L2", "B.L1", 1000);
    seal(&net);
    take(&net, "AC", 191325000, 193725000, "one");
    take(&net, "CB", 193725000, 196125000, "two");
    request = from_a_to_b(&net);
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_FIRST, .count = 1, .width_mhz = {50000}, .step_mhz = 12500};
    find(&net, &request, 0);
    assert_int_equal(result.removed[LP_RULE_TYPE], 2);
    request.regenerate = true;
    find(&net, &request, 1);
    assert_int_equal(result.routes[0].segment_count, 2);
    assert_int_equal(result.routes[0].slot[0][0].low_mhz, 193725000);
    assert_int_equal(result.routes[0].slot[1][0].low_mhz, 191325000);
    assert_int_equal(result.routes[0].segment_link[1], 1);
    lp_graph_free(net.graph);
}

static void
leased_and_stale_and_wrong(void **state)
{
    struct net net = new_net();
    struct lp_link lease;
    struct lp_route_request request;

    (void)state;
    add_node(&net, "A", LP_NODE_ROADM);
    add_node(&net, "B", LP_NODE_ROADM);
    add_port(&net, "A.T1", LP_PORT_ADD_DROP);
    add_port(&net, "B.T1", LP_PORT_ADD_DROP);
    lease = (struct lp_link){.id = "lease",
                             .name = "lease",
                             .kind = LP_LINK_LEASED,
                             .a_port = port_of(&net, "A.L1"),
                             .z_port = port_of(&net, "B.L1"),
                             .limit = {193100000, 193200000},
                             .seen_us = 1000};
    assert_int_equal(lp_graph_add_link(net.graph, &lease, NULL, &err), LP_OK);
    lease.id = "second";
    assert_int_equal(lp_graph_add_link(net.graph, &lease, NULL, &err), LP_CONFLICT);
    lp_err_clear(&err);
    seal(&net);
    request = from_a_to_b(&net);
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_LAST, .count = 1, .width_mhz = {75000}, .step_mhz = 12500};
    find(&net, &request, 1);
    assert_int_equal(result.routes[0].slot[0][0].high_mhz, 193200000);
    assert_int_equal(result.routes[0].seen_us, 1000);
    request.wanted.width_mhz[0] = 112500;
    explain(&net, &request,
            "OPT-030: no route from A T1 to B T1 for 112500 MHz; removed: 0 by exclusion, 1 by "
            "spectrum, 0 by type");
    request.wanted.width_mhz[0] = 75000;
    request.now_us = 5000;
    request.max_age_us = 3999;
    find(&net, &request, 0);
    assert_int_equal(result.removed[LP_RULE_STALE], 1);
    request.max_age_us = 4000;
    find(&net, &request, 1);
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_EXACT, .count = 1, .exact = {{193100000, 193100000}}};
    assert_int_equal(lp_route_find(net.graph, &request, space, &result, &err), LP_INVALID);
    assert_non_null(strstr(err.msg, "OPT-021"));
    lp_err_clear(&err);
    lp_graph_free(net.graph);
}

/* ---- a route that was chosen is held against the network again ---- */

static void
D48_a_chosen_route_is_checked_again(void **state)
{
    struct net net = example();
    struct lp_route_request request = from_a_to_b(&net);
    struct lp_route route;
    enum lp_route_rule broken;
    struct lp_taken taken;
    uint32_t link, links[] = {lp_graph_link(net.graph, "AI"), lp_graph_link(net.graph, "IB")};

    (void)state;
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_EXACT, .count = 1, .exact = {{193450000, 193550000}}};
    assert_int_equal(
        lp_route_check(net.graph, &request, links, 2, space, &route, &broken, &link, &err), LP_OK);
    assert_int_equal(route.link_count, 2);
    take(&net, "IB", 193537500, 193600000, "winner");
    assert_int_equal(
        lp_route_check(net.graph, &request, links, 2, space, &route, &broken, &link, &err),
        LP_CONFLICT);
    assert_int_equal(broken, LP_RULE_SPECTRUM);
    assert_int_equal(link, links[1]);
    assert_true(lp_graph_blocker(net.graph, link, &request.wanted.exact[0], NULL, &taken));
    assert_string_equal(taken.holder, "winner");
    assert_string_equal(taken.label, "of somebody");
    assert_false(lp_graph_blocker(net.graph, link, &request.wanted.exact[0], "winner", &taken));
    lp_err_clear(&err);
    assert_int_equal(lp_graph_release(net.graph, "winner"), 1);
    assert_int_equal(
        lp_route_check(net.graph, &request, links, 2, space, &route, &broken, &link, &err), LP_OK);
    links[1] = lp_graph_link(net.graph, "CB");
    assert_int_equal(
        lp_route_check(net.graph, &request, links, 2, space, &route, &broken, &link, &err),
        LP_INVALID);
    lp_err_clear(&err);
    lp_graph_free(net.graph);
}

/* ---- hopeless searches end ---- */

#define MESH                                                                                       \
    12 /* devices that are all connected with each other: millions of ways through them            \
        */

static void
mesh_link(struct net *net, uint32_t a, uint32_t z, const struct lp_link *like)
{
    char id[32], ports[2][32];
    uint32_t ends[2] = {a, z}, index[2];
    struct lp_link link = *like;

    (void)snprintf(id, sizeof(id), "%u-%u", a, z);
    for (size_t e = 0; e < 2; e++) {
        struct lp_port port = {.id = ports[e], .name = ports[e], .node = ends[e]};
        (void)snprintf(ports[e], sizeof(ports[e]), "%u to %u", ends[e], ends[1 - e]);
        assert_int_equal(lp_graph_add_port(net->graph, &port, &index[e], &err), LP_OK);
    }
    link.id = link.name = id;
    link.a_port = index[0];
    link.z_port = index[1];
    assert_int_equal(lp_graph_add_link(net->graph, &link, NULL, &err), LP_OK);
}

/* Node 0 hangs on the mesh 1..MESH by one link, and so does the last node. */
static struct net
mesh(const struct lp_link *first, const struct lp_link *last)
{
    const struct lp_link plain = {.length_m = 1000, .loss_cdb = 2200};
    struct net net = new_net();

    for (uint32_t n = 0; n < MESH + 2; n++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "n%u", n);
        add_node(&net, id, LP_NODE_ROADM);
    }
    mesh_link(&net, 0, 1, first);
    mesh_link(&net, MESH, MESH + 1, last);
    for (uint32_t a = 1; a <= MESH; a++)
        for (uint32_t z = a + 1; z <= MESH; z++)
            mesh_link(&net, a, z, &plain);
    seal(&net);
    return net;
}

static void
hopeless_searches_end_early(void **state)
{
    const struct lp_link low = {.limit = {191325000, 191400000}},
                         high = {.limit = {191400000, 191475000}}, plain = {.length_m = 1000};
    struct lp_route_request request = {.a_port = NONE, .z_port = NONE, .z_node = MESH + 1};
    struct net net = mesh(&low, &high);

    (void)state;
    request.wanted = (struct lp_wanted){
        .policy = LP_ASSIGN_FIRST, .count = 1, .width_mhz = {50000}, .step_mhz = 6250};
    find(&net, &request, 0); /* each link has a slot; none of them is common */
    assert_true(result.removed[LP_RULE_CONTINUITY] > 0);
    assert_true(result.looked_at < 5000);
    lp_graph_free(net.graph);

    net = mesh(&plain, &plain);
    request.wanted.count = 0;
    request.required_osnr_cdb = 2690; /* one span of the mesh is quiet enough, two are not */
    find(&net, &request, 1);
    assert_true(result.looked_at < 5000);
    request.required_osnr_cdb = 0;
    request.z_node = 1; /* one way only: all the rest would have to come back */
    find(&net, &request, 1);
    request.a_node = 2;
    request.z_node = 0;
    request.most = 16;
    find(&net, &request, 16);
    assert_true(result.looked_at < 5000);
    lp_graph_free(net.graph);

    net = mesh(&plain, &plain);
    request = (struct lp_route_request){.a_port = NONE, .z_port = NONE, .a_node = 1, .z_node = 0};
    request.most = 2; /* from the mesh to what hangs on its first device */
    find(&net, &request, 1);
    assert_true(result.looked_at < 5000);
    lp_graph_free(net.graph);
}

/* ---- sections ---- */

static struct lp_route_port
port_at(const char *node, const char *name, const char *domain, enum lp_node_role role)
{
    return (struct lp_route_port){name, node, node, domain, role};
}

static void
T11_sections(void **state)
{
    const struct lp_route_port ports[] = {
        port_at("g30.na01", "subport-1/3.1/1.2", "g30", LP_NODE_ROADM),
        port_at("g30.na01", "port-1/3.3/1", "g30", LP_NODE_ROADM),
        port_at("flex.na01", "1-E1-1-T2A", "flex", LP_NODE_ROADM),
        port_at("flex.na01", "1-A-1-L1", "flex", LP_NODE_ROADM),
        port_at("flex.bo01", "1-A-1-L1", "flex", LP_NODE_ROADM),
        port_at("flex.bo01", "1-E1-1-T1A", "flex", LP_NODE_ROADM),
    };
    struct lp_section sections[9];
    size_t found;

    (void)state;
    assert_int_equal(lp_route_sections(ports, 6, sections, 9, &found, &err), LP_OK);
    assert_int_equal(found, 2);
    assert_int_equal(sections[0].first, 0);
    assert_int_equal(sections[0].last, 1);
    assert_int_equal(sections[1].first, 2);
    assert_int_equal(sections[1].last, 5);
    assert_int_equal(lp_route_sections(ports, 6, sections, 1, &found, &err), LP_INVALID);
    assert_int_equal(lp_route_sections(ports, 3, sections, 9, &found, &err), LP_INVALID);
    assert_int_equal(lp_route_sections(ports, 0, sections, 9, &found, &err), LP_OK);
    assert_int_equal(found, 0);
    lp_err_clear(&err);
}

static const struct lp_route_port t12[] = {
    {"L1", "R1", "R1", "x", LP_NODE_ROADM},   {"L1", "A", "A", "x", LP_NODE_AMPLIFIER},
    {"L2", "A", "A", "x", LP_NODE_AMPLIFIER}, {"L1", "R2", "R2", "x", LP_NODE_ROADM},
    {"L2", "R2", "R2", "x", LP_NODE_ROADM},   {"L1", "R3", "R3", "x", LP_NODE_ROADM},
};

static void
T12_multiplex_sections(void **state)
{
    struct lp_oms oms[8];
    size_t found;

    (void)state;
    assert_int_equal(lp_route_oms(t12, 6, oms, 8, &found, &err), LP_OK);
    assert_int_equal(found, 2);
    assert_int_equal(oms[0].egress, 0);
    assert_int_equal(oms[0].ingress, 3);
    assert_int_equal(oms[1].egress, 4);
    assert_int_equal(oms[1].ingress, 5);
    assert_int_equal(lp_route_oms(t12 + 1, 5, oms, 8, &found, &err), LP_INVALID);
    assert_int_equal(lp_route_oms(t12, 5, oms, 8, &found, &err), LP_INVALID);
    assert_int_equal(lp_route_oms(t12, 6, oms, 1, &found, &err), LP_INVALID);
    lp_err_clear(&err);
}

static void
T13_name_of_a_lightpath(void **state)
{
    struct lp_oms oms[8];
    struct lp_buf text = LP_BUF_INIT;
    size_t found;

    (void)state;
    assert_int_equal(lp_route_oms(t12, 6, oms, 8, &found, &err), LP_OK);
    lp_oel_plain_name(t12, 6, &text);
    assert_string_equal(text.data, "r1-a-r2-r3");
    lp_buf_reset(&text);
    lp_oel_explicit_route(t12, oms, found, &text);
    assert_string_equal(text.data, "R1&L1&R2&L1&-R2&L2&R3&L1");
    lp_buf_free(&text);
}

static void
D29_parallel_routes_have_names_of_their_own(void **state)
{
    struct lp_route_port parallel[6];
    struct lp_oms oms[8];
    char one[LP_OEL_NAME_SIZE], other[LP_OEL_NAME_SIZE];
    size_t found;

    (void)state;
    memcpy(parallel, t12, sizeof(parallel));
    assert_int_equal(lp_route_oms(t12, 6, oms, 8, &found, &err), LP_OK);
    assert_int_equal(lp_oel_name(t12, 6, oms, found, one, &err), LP_OK);
    assert_true(strncmp(one, "r1-a-r2-r3-", 11) == 0);
    parallel[4].port = "L3"; /* same sites, another fiber */
    assert_int_equal(lp_oel_name(parallel, 6, oms, found, other, &err), LP_OK);
    assert_string_not_equal(one, other);
    assert_int_equal(lp_oel_name(t12, 6, oms, found, other, &err), LP_OK);
    assert_string_equal(one, other);
    for (size_t i = 0; i < 6; i++)
        parallel[i].site = "a-site-with-quite-a-long-code";
    assert_int_equal(lp_oel_name(parallel, 6, oms, found, other, &err), LP_OK);
    assert_true(strlen(other) <= 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T10_routing_example),
        cmocka_unit_test(D56_loss_and_length_decide),
        cmocka_unit_test(slots_along_the_route),
        cmocka_unit_test(D21_both_carriers_count),
        cmocka_unit_test(OPT_030_says_what_removed_routes),
        cmocka_unit_test(demanded_devices_and_fibers),
        cmocka_unit_test(apart_from_another_route),
        cmocka_unit_test(inside_of_a_device),
        cmocka_unit_test(ports_decide_about_ways),
        cmocka_unit_test(regeneration_changes_the_slot),
        cmocka_unit_test(leased_and_stale_and_wrong),
        cmocka_unit_test(D48_a_chosen_route_is_checked_again),
        cmocka_unit_test(hopeless_searches_end_early),
        cmocka_unit_test(T11_sections),
        cmocka_unit_test(T12_multiplex_sections),
        cmocka_unit_test(T13_name_of_a_lightpath),
        cmocka_unit_test(D29_parallel_routes_have_names_of_their_own),
    };
    int failed;

    space = lp_route_space_new();
    failed = LP_RUN_TESTS(tests);
    lp_route_space_free(space);
    return failed;
}
