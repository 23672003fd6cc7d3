/*
 * Routes and slots against brute force: on small random networks every simple path is walked, held
 * against the rules as a whole, in plain words and MHz, and the best are compared with what the
 * search says. Nothing here is shared with the search but the noise of a span.
 */
#include <string.h>

#include "optical/route.h"
#include "tests/support/test_main.h"

#define NONE       LP_GRAPH_NONE
#define NETWORKS   2000
#define MOST_NODES 8
#define MOST_LINKS 13
#define MOST_PORTS (2 * MOST_LINKS + 2 * MOST_NODES)
#define MOST_TAKEN 40
#define MOST_PATHS 20000
#define UNIT       INT64_C(6250)
#define LOW        INT64_C(191325000)

struct taken {
    uint32_t link;
    struct lp_range range;
    int holder; /* 0 is light nobody explains */
};

struct world {
    uint64_t seed;
    struct lp_band band;
    uint32_t node_count, port_count, link_count, reach_count, taken_count;
    struct lp_node nodes[MOST_NODES];
    struct lp_port ports[MOST_PORTS];
    struct lp_link links[MOST_LINKS];
    uint32_t risks[MOST_LINKS]; /* bits */
    uint32_t reach[16][2];
    struct taken taken[MOST_TAKEN];
    char ids[3][64][8];
    const char *risk_lists[MOST_LINKS][3];
    struct lp_graph *graph;
};

static const char *const risk_names[] = {"duct", "bridge", "river"};
static const char *const holders[] = {NULL, "h1", "h2", "h3"};
static struct lp_err err = LP_ERR_INIT;

static uint32_t
pick(struct world *w, uint32_t below)
{
    return (uint32_t)(lp_test_random(&w->seed) % below);
}

static bool
chance(struct world *w, uint32_t one_in)
{
    return pick(w, one_in) == 0;
}

/* ---- a random network ---- */

static const char *
id_of(struct world *w, int kind, uint32_t index)
{
    (void)snprintf(w->ids[kind][index], sizeof(w->ids[kind][index]), "%c%u", "npl"[kind], index);
    return w->ids[kind][index];
}

static void
make_nodes(struct world *w)
{
    w->node_count = 2 + pick(w, MOST_NODES - 1);
    for (uint32_t n = 0; n < w->node_count; n++) {
        uint32_t kind = pick(w, 10);
        w->nodes[n] = (struct lp_node){.id = id_of(w, 0, n),
                                       .role = kind < 7   ? LP_NODE_ROADM
                                               : kind < 9 ? LP_NODE_AMPLIFIER
                                                          : LP_NODE_TRANSPONDER,
                                       .regenerates = chance(w, 3)};
        assert_int_equal(lp_graph_add_node(w->graph, &w->nodes[n], NULL, &err), LP_OK);
    }
}

static uint32_t
make_port(struct world *w, uint32_t node)
{
    uint32_t at = w->port_count++;
    struct lp_port *port = &w->ports[at];

    *port = (struct lp_port){.id = id_of(w, 1, at),
                             .node = node,
                             .kind = chance(w, 5) ? LP_PORT_ADD_DROP : LP_PORT_LINE,
                             .degree = chance(w, 3) ? 1 + pick(w, 3) : 0,
                             .group = chance(w, 6) ? 1 + pick(w, 2) : 0};
    if (w->nodes[node].role == LP_NODE_TRANSPONDER)
        port->kind = LP_PORT_TRX;
    assert_int_equal(lp_graph_add_port(w->graph, port, NULL, &err), LP_OK);
    return at;
}

static int64_t
units(const struct world *w)
{
    return (w->band.pieces[w->band.piece_count - 1].high_mhz - LOW) / UNIT;
}

static struct lp_range
random_range(struct world *w, uint32_t most)
{
    int64_t low = LOW + UNIT * pick(w, (uint32_t)units(w));

    return (struct lp_range){low, low + UNIT * (1 + pick(w, most))};
}

static void
make_link(struct world *w, uint32_t a, uint32_t z)
{
    uint32_t at = w->link_count++;
    struct lp_link *link = &w->links[at];

    *link = (struct lp_link){.id = id_of(w, 2, at),
                             .kind = chance(w, 8)   ? LP_LINK_PATCH
                                     : chance(w, 8) ? LP_LINK_LEASED
                                                    : LP_LINK_SPAN,
                             .length_m = 1 + pick(w, 6) * 20000,
                             .loss_cdb = 100 + pick(w, 8) * 500,
                             .latency_ns = 1 + pick(w, 5),
                             .seen_us = pick(w, 4) * 100,
                             .down = chance(w, 20)};
    if (chance(w, 8))
        link->limit = random_range(w, 40);
    w->risks[at] = chance(w, 4) ? 1 + pick(w, 7) : 0;
    for (uint32_t r = 0; r < 3; r++)
        if ((w->risks[at] & 1u << r) != 0)
            w->risk_lists[at][link->risk_count++] = risk_names[r];
    link->risks = w->risk_lists[at];
    link->a_port = make_port(w, a);
    link->z_port = make_port(w, z);
    assert_int_equal(lp_graph_add_link(w->graph, link, NULL, &err), LP_OK);
}

static void
make_links(struct world *w)
{
    uint32_t count = MOST_LINKS / 2 + pick(w, MOST_LINKS / 2 + 2);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = pick(w, w->node_count), z = pick(w, w->node_count);
        if (a != z)
            make_link(w, a, z);
    }
}

static void
make_reach(struct world *w)
{
    for (uint32_t p = 0; p < w->port_count && w->reach_count < 14; p++) {
        if (w->ports[p].kind != LP_PORT_ADD_DROP || !chance(w, 2))
            continue;
        for (uint32_t q = 0; q < w->port_count && w->reach_count < 14; q++) {
            if (q == p || w->ports[q].node != w->ports[p].node || !chance(w, 2))
                continue;
            assert_int_equal(lp_graph_add_reach(w->graph, p, q, &err), LP_OK);
            w->reach[w->reach_count][0] = p;
            w->reach[w->reach_count++][1] = q;
        }
    }
}

static void
make_taken(struct world *w)
{
    uint32_t count = w->link_count == 0 ? 0 : pick(w, MOST_TAKEN / (1 + pick(w, 4)));

    for (uint32_t i = 0; i < count; i++) {
        struct taken *taken = &w->taken[w->taken_count++];
        *taken = (struct taken){pick(w, w->link_count), random_range(w, 16), (int)pick(w, 4)};
        assert_int_equal(
            lp_graph_take(w->graph, taken->link, &taken->range, holders[taken->holder], NULL, &err),
            LP_OK);
    }
}

static void
make_world(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->band =
        (struct lp_band){.name = "small",
                         .pieces = {{LOW, LOW + 40 * UNIT}, {LOW + 44 * UNIT, LOW + 84 * UNIT}},
                         .piece_count = 1 + pick(w, 2),
                         .min_width_mhz = 12500};
    w->graph = lp_graph_new(&w->band, &lp_osnr_defaults);
    assert_non_null(w->graph);
    make_nodes(w);
    make_links(w);
    for (uint32_t n = 0; n < w->node_count; n++) /* ends without a fiber */
        if (w->nodes[n].role == LP_NODE_ROADM)
            (void)make_port(w, n);
    make_reach(w);
    assert_int_equal(lp_graph_seal(w->graph, &err), LP_OK);
    make_taken(w);
}

/* ---- a random request ---- */

struct wish {
    struct lp_route_request request;
    struct lp_waypoint ways[3];
    uint32_t nodes[2], links[2], apart[2];
    const char *risks[1];
    int own;
};

static void
wish_spectrum(struct world *w, struct wish *wish)
{
    struct lp_wanted *wanted = &wish->request.wanted;

    wanted->count = pick(w, 3);
    wanted->policy = (enum lp_assign)pick(w, 3);
    wanted->step_mhz = chance(w, 2) ? 6250 : 12500;
    for (size_t i = 0; i < wanted->count; i++) {
        wanted->width_mhz[i] = 12500 * (int64_t)(1 + pick(w, 6));
        wanted->exact[i] = random_range(w, 12);
    }
    wish->own = chance(w, 2) ? 1 + (int)pick(w, 3) : 0;
    wish->request.own = holders[wish->own];
}

static void
wish_rules(struct world *w, struct wish *wish)
{
    struct lp_route_request *request = &wish->request;

    for (uint32_t i = 0; i < 2 && chance(w, 8); i++)
        wish->nodes[request->exclude_node_count++] = pick(w, w->node_count);
    for (uint32_t i = 0; i < 2 && w->link_count > 0 && chance(w, 8); i++)
        wish->links[request->exclude_link_count++] = pick(w, w->link_count);
    for (uint32_t i = 0; i < 2 && w->link_count > 0 && chance(w, 8); i++)
        wish->apart[request->disjoint_link_count++] = pick(w, w->link_count);
    if (chance(w, 8))
        wish->risks[request->exclude_risk_count++] = risk_names[pick(w, 3)];
    for (uint32_t i = 0; i < 3 && w->link_count > 0 && chance(w, 6); i++) {
        bool is_link = chance(w, 2);
        wish->ways[request->way_count++] = (struct lp_waypoint){
            is_link, pick(w, is_link ? w->link_count : w->node_count), chance(w, 3)};
    }
    request->any_order = chance(w, 3);
    request->disjoint = (enum lp_disjoint)pick(w, 3);
    request->regenerate = chance(w, 3);
    request->now_us = 500;
    request->max_age_us = chance(w, 4) ? 250 : 0;
    request->required_osnr_cdb = chance(w, 3) ? 1500 + (int32_t)pick(w, 1500) : 0;
    request->allow_negative_margin = chance(w, 3);
    request->exclude_nodes = wish->nodes;
    request->exclude_links = wish->links;
    request->exclude_risks = wish->risks;
    request->disjoint_links = wish->apart;
    request->ways = wish->ways;
}

static void
make_wish(struct world *w, struct wish *wish)
{
    struct lp_route_request *request = &wish->request;

    memset(wish, 0, sizeof(*wish));
    request->a_node = pick(w, w->node_count);
    request->z_node = pick(w, w->node_count);
    request->a_port = chance(w, 2) && w->port_count > 0 ? pick(w, w->port_count) : NONE;
    request->z_port = chance(w, 2) && w->port_count > 0 ? pick(w, w->port_count) : NONE;
    request->most = 1 + pick(w, LP_ROUTE_MOST);
    request->cost = (enum lp_route_cost)pick(w, LP_COST_COUNT);
    request->keep_order = true;
    wish_spectrum(w, wish);
    wish_rules(w, wish);
}

/* ---- brute force: one path, held against the rules ---- */

struct path {
    uint32_t count, links[MOST_NODES], nodes[MOST_NODES + 1], outs[MOST_NODES], ins[MOST_NODES];
    uint64_t cost;
    struct lp_range slot[MOST_NODES + 1][LP_MOST_CARRIERS];
    uint32_t segments;
};

struct oracle {
    const struct world *w;
    const struct wish *wish;
    const struct lp_route_request *request;
    uint32_t a_node, z_node;
    struct path now;
    struct path *found;
    size_t count;
};

static bool
reaches(const struct world *w, uint32_t from, uint32_t to)
{
    bool any = false;

    for (uint32_t i = 0; i < w->reach_count; i++) {
        uint32_t degree = w->ports[w->reach[i][1]].degree;
        if (w->reach[i][0] != from)
            continue;
        any = true;
        if (w->reach[i][1] == to || (degree != 0 && degree == w->ports[to].degree))
            return true;
    }
    return !any;
}

static bool
passes(const struct oracle *o, uint32_t in, uint32_t out)
{
    const struct lp_port *p = &o->w->ports[in], *q = &o->w->ports[out];
    const struct lp_node *node = &o->w->nodes[p->node];

    if (in == out || (p->degree == q->degree && p->degree != 0))
        return false;
    if (p->group != 0 && q->group != 0 && p->group != q->group)
        return false;
    if ((p->kind == LP_PORT_TRX || q->kind == LP_PORT_TRX)
        && !(o->request->regenerate && node->regenerates))
        return false;
    return reaches(o->w, in, out) && reaches(o->w, out, in);
}

static bool
end_passes(const struct oracle *o, uint32_t end, uint32_t port)
{
    if (end == NONE)
        return true;
    return o->w->ports[end].kind == LP_PORT_TRX ? end == port : passes(o, end, port);
}

static bool
ports_are_fine(const struct oracle *o)
{
    const struct path *p = &o->now;

    if (p->count == 0)
        return passes(o, o->request->a_port, o->request->z_port);
    for (uint32_t i = 1; i < p->count; i++)
        if (!passes(o, p->ins[i - 1], p->outs[i]))
            return false;
    return end_passes(o, o->request->a_port, p->outs[0])
           && end_passes(o, o->request->z_port, p->ins[p->count - 1]);
}

static bool
is_end(const struct oracle *o, uint32_t node)
{
    return node == o->a_node || node == o->z_node;
}

static bool
shares_with_apart(const struct oracle *o, uint32_t link)
{
    const struct world *w = o->w;

    for (size_t i = 0; i < o->request->disjoint_link_count; i++) {
        uint32_t other = o->request->disjoint_links[i];
        if (other == link)
            return true;
        if (o->request->disjoint == LP_DISJOINT_RISKS && (w->risks[other] & w->risks[link]) != 0)
            return true;
        for (int e = 0; o->request->disjoint == LP_DISJOINT_NODES && e < 4; e++) {
            uint32_t x = w->ports[e & 1 ? w->links[other].a_port : w->links[other].z_port].node;
            uint32_t y = w->ports[e & 2 ? w->links[link].a_port : w->links[link].z_port].node;
            if (x == y && !is_end(o, x))
                return true;
        }
    }
    return false;
}

static bool
node_lets_through(const struct oracle *o, uint32_t node)
{
    if (o->w->nodes[node].role == LP_NODE_TRANSPONDER && !is_end(o, node)
        && !(o->request->regenerate && o->w->nodes[node].regenerates))
        return false;
    for (size_t i = 0; i < o->request->exclude_node_count; i++)
        if (o->request->exclude_nodes[i] == node)
            return false;
    return true;
}

static bool
link_is_fine(const struct oracle *o, uint32_t l)
{
    const struct lp_link *link = &o->w->links[l];

    for (size_t i = 0; i < o->request->exclude_link_count; i++)
        if (o->request->exclude_links[i] == l)
            return false;
    for (uint32_t r = 0; r < 3; r++)
        if (o->request->exclude_risk_count > 0 && (o->w->risks[l] & 1u << r) != 0
            && strcmp(o->request->exclude_risks[0], risk_names[r]) == 0)
            return false;
    if (o->request->max_age_us > 0 && link->seen_us > 0
        && o->request->now_us - link->seen_us > o->request->max_age_us)
        return false;
    return !link->down && !shares_with_apart(o, l);
}

/* ---- brute force: spectrum, unit by unit ---- */

static bool
unit_is_free(const struct oracle *o, uint32_t l, int64_t mhz)
{
    const struct world *w = o->w;
    const struct lp_range unit = {mhz, mhz + UNIT}, *limit = &w->links[l].limit;
    bool free = true;

    if (limit->high_mhz != 0 && !lp_range_holds(limit, &unit))
        return false;
    for (uint32_t i = 0; i < w->taken_count; i++) {
        const struct taken *taken = &w->taken[i];
        if (taken->link != l || !lp_range_overlaps(&taken->range, &unit))
            continue;
        if (taken->holder == o->wish->own && taken->holder != 0)
            return true;
        free = false;
    }
    return free;
}

static bool
in_band(const struct world *w, const struct lp_range *range)
{
    for (size_t i = 0; i < w->band.piece_count; i++)
        if (lp_range_holds(&w->band.pieces[i], range))
            return true;
    return false;
}

static bool
range_is_free(const struct oracle *o, uint32_t from, uint32_t to, const struct lp_range *range)
{
    if (!in_band(o->w, range))
        return false;
    for (uint32_t i = from; i < to; i++)
        for (int64_t mhz = range->low_mhz; mhz < range->high_mhz; mhz += UNIT)
            if (!unit_is_free(o, o->now.links[i], mhz))
                return false;
    return true;
}

/* Order of slot choices, see assign.h. */
static bool
is_better(const struct lp_wanted *wanted, const struct lp_range *a, const struct lp_range *b)
{
    bool first = wanted->policy == LP_ASSIGN_FIRST;
    size_t last = wanted->count - 1;
    int64_t x, y;

    if (first) {
        x = a[0].high_mhz > a[last].high_mhz ? a[0].high_mhz : a[last].high_mhz;
        y = b[0].high_mhz > b[last].high_mhz ? b[0].high_mhz : b[last].high_mhz;
    } else {
        x = a[0].low_mhz < a[last].low_mhz ? a[0].low_mhz : a[last].low_mhz;
        y = b[0].low_mhz < b[last].low_mhz ? b[0].low_mhz : b[last].low_mhz;
    }
    for (size_t i = 0; x == y && i < wanted->count; i++) {
        x = a[i].low_mhz;
        y = b[i].low_mhz;
    }
    return first ? x < y : x > y;
}

static bool
choose(const struct oracle *o, uint32_t from, uint32_t to, struct lp_range *best)
{
    const struct lp_wanted *wanted = &o->request->wanted;
    struct lp_range try[2];
    bool found = false;

    for (int64_t i = 0; i < units(o->w); i++) {
        try[0] = (struct lp_range){LOW + i * UNIT, LOW + i * UNIT + wanted->width_mhz[0]};
        if (try[0].low_mhz % wanted->step_mhz != 0 || !range_is_free(o, from, to, &try[0]))
            continue;
        for (int64_t j = 0; j < (wanted->count == 2 ? units(o->w) : 1); j++) {
            try[1] = (struct lp_range){LOW + j * UNIT, LOW + j * UNIT + wanted->width_mhz[1]};
            if (wanted->count == 2
                && (try[1].low_mhz % wanted->step_mhz != 0 || lp_range_overlaps(&try[0], &try[1])
                    || !range_is_free(o, from, to, &try[1])))
                continue;
            if (!found || is_better(wanted, try, best))
                memcpy(best, try, sizeof(try));
            found = true;
        }
    }
    return found;
}

static bool
segment_is_fine(struct oracle *o, uint32_t from, uint32_t to)
{
    const struct lp_wanted *wanted = &o->request->wanted;
    struct lp_range *slot = o->now.slot[o->now.segments++];

    if (wanted->policy != LP_ASSIGN_EXACT)
        return choose(o, from, to, slot);
    for (size_t i = 0; i < wanted->count; i++) {
        slot[i] = wanted->exact[i];
        if (!range_is_free(o, from, to, &slot[i]))
            return false;
    }
    return true;
}

static bool
spectrum_is_fine(struct oracle *o)
{
    uint32_t from = 0;

    o->now.segments = 0;
    if (o->request->wanted.count == 0)
        return true;
    for (uint32_t i = 1; i < o->now.count; i++) {
        if (!o->request->regenerate || !o->w->nodes[o->now.nodes[i]].regenerates)
            continue;
        if (!segment_is_fine(o, from, i))
            return false;
        from = i;
    }
    return segment_is_fine(o, from, o->now.count);
}

/* ---- brute force: demands, noise, cost ---- */

/* Place of a waypoint among node, link, node, link, node...; -1 when it is not on the path. */
static int
place_of(const struct path *p, const struct lp_waypoint *way)
{
    for (uint32_t i = 0; i <= p->count; i++) {
        if (!way->is_link && p->nodes[i] == way->index)
            return (int)(2 * i);
        if (way->is_link && i < p->count && p->links[i] == way->index)
            return (int)(2 * i + 1);
    }
    return -1;
}

static bool
ways_are_fine(const struct oracle *o)
{
    int before = -1, free_from = 0;

    for (size_t i = 0; i < o->request->way_count; i++) {
        const struct lp_waypoint *way = &o->request->ways[i];
        int at = place_of(&o->now, way);
        if (at < 0 || (!o->request->any_order && at <= before))
            return false;
        for (int between = free_from + 1; between < at; between++)
            if (way->strict && !o->request->any_order && between % 2 == 0
                && o->w->nodes[o->now.nodes[between / 2]].role != LP_NODE_AMPLIFIER)
                return false;
        before = at;
        free_from = way->is_link ? at + 1 : at; /* the far end of a fiber belongs to it */
    }
    return true;
}

static bool
noise_is_fine(const struct oracle *o)
{
    uint64_t noise = 0;

    for (uint32_t i = 0; i < o->now.count; i++)
        if (o->w->links[o->now.links[i]].kind != LP_LINK_PATCH)
            noise += lp_noise_of_span(&lp_osnr_defaults, o->w->links[o->now.links[i]].loss_cdb);
    return o->request->required_osnr_cdb == 0 || o->request->allow_negative_margin || noise == 0
           || lp_osnr_cdb(noise) - o->request->required_osnr_cdb >= lp_osnr_defaults.margin_cdb;
}

static uint64_t
cost_of(const struct oracle *o)
{
    uint64_t hops = 0, oms = 0, length = 0, loss = 0, latency = 0, noise = 0;

    for (uint32_t i = 0; i < o->now.count; i++) {
        const struct lp_link *link = &o->w->links[o->now.links[i]];
        length += link->length_m;
        loss += link->loss_cdb;
        latency += link->latency_ns;
        if (link->kind == LP_LINK_PATCH)
            continue;
        hops++;
        oms += o->w->nodes[o->now.nodes[i]].role != LP_NODE_AMPLIFIER;
        noise += lp_noise_of_span(&lp_osnr_defaults, link->loss_cdb);
    }
    switch (o->request->cost) {
    case LP_COST_OMS_HOPS:
        return oms << 40 | length;
    case LP_COST_HOPS:
        return hops << 40 | length;
    case LP_COST_LENGTH:
        return length << 16 | hops;
    case LP_COST_LOSS:
        return loss << 16 | hops;
    case LP_COST_LATENCY:
        return latency << 16 | hops;
    case LP_COST_MARGIN:
        return noise << 16 | hops;
    case LP_COST_COUNT:
        break;
    }
    return 0;
}

/* ---- brute force: all simple paths ---- */

static void
judge(struct oracle *o)
{
    for (uint32_t i = 0; i < o->now.count; i++)
        if (!link_is_fine(o, o->now.links[i]))
            return;
    for (uint32_t i = 0; o->now.count > 0 && i <= o->now.count; i++)
        if (!node_lets_through(o, o->now.nodes[i]))
            return;
    if (!ports_are_fine(o) || !ways_are_fine(o) || !noise_is_fine(o) || !spectrum_is_fine(o))
        return;
    assert_true(o->count < MOST_PATHS);
    o->now.cost = cost_of(o);
    o->found[o->count++] = o->now;
}

static void
walk(struct oracle *o, uint32_t node)
{
    struct path *p = &o->now;

    p->nodes[p->count] = node;
    if (node == o->z_node) {
        judge(o);
        return;
    }
    for (uint32_t l = 0; l < o->w->link_count; l++) {
        for (int turn = 0; turn < 2; turn++) {
            const struct lp_link *link = &o->w->links[l];
            uint32_t out = turn ? link->z_port : link->a_port,
                     in = turn ? link->a_port : link->z_port, head = o->w->ports[in].node;
            bool seen = false;
            for (uint32_t i = 0; i <= p->count; i++)
                seen = seen || p->nodes[i] == head;
            if (o->w->ports[out].node != node || seen)
                continue;
            p->links[p->count] = l;
            p->outs[p->count] = out;
            p->ins[p->count++] = in;
            walk(o, head);
            p->count--;
        }
    }
}

static int
by_cost(const void *a, const void *b)
{
    const struct path *x = a, *y = b;

    return (x->cost > y->cost) - (x->cost < y->cost);
}

/* ---- comparison ---- */

static const struct path *
same_path(const struct oracle *o, const struct lp_route *route)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->found[i].count == route->link_count
            && memcmp(o->found[i].links, route->links, route->link_count * sizeof(uint32_t)) == 0)
            return &o->found[i];
    return NULL;
}

static void
compare_route(const struct oracle *o, const struct lp_route *route)
{
    const struct path *path = same_path(o, route);

    assert_non_null(path);
    assert_int_equal(route->cost, path->cost);
    assert_int_equal(route->segment_count, path->segments);
    for (uint32_t s = 0; s < path->segments; s++)
        for (size_t c = 0; c < o->request->wanted.count; c++) {
            assert_int_equal(route->slot[s][c].low_mhz, path->slot[s][c].low_mhz);
            assert_int_equal(route->slot[s][c].high_mhz, path->slot[s][c].high_mhz);
        }
}

static void
compare_check(struct oracle *o, struct lp_route_space *space, struct lp_route *out)
{
    enum lp_route_rule broken;
    uint32_t link;

    for (size_t i = 0; i < o->count && i < 3; i++) {
        assert_int_equal(lp_route_check(o->w->graph, o->request, o->found[i].links,
                                        o->found[i].count, space, out, &broken, &link, &err),
                         LP_OK);
        compare_route(o, out);
    }
}

static void
compare(struct world *w, struct wish *wish, struct lp_route_space *space,
        struct lp_route_result *result, struct path *found, size_t *answers)
{
    struct oracle o = {.w = w, .wish = wish, .request = &wish->request, .found = found};
    enum lp_code rc = lp_route_find(w->graph, &wish->request, space, result, &err);
    size_t expected;

    if (rc != LP_OK) { /* a request without sense: an excluded end, a demand twice... */
        assert_int_equal(rc, LP_INVALID);
        lp_err_clear(&err);
        return;
    }
    o.a_node = result->a_node;
    o.z_node = result->z_node;
    walk(&o, o.a_node);
    qsort(found, o.count, sizeof(*found), by_cost);
    expected = o.count < wish->request.most ? o.count : wish->request.most;
    assert_int_equal(result->count, expected);
    assert_true(result->complete);
    for (size_t i = 0; i < expected; i++) {
        assert_int_equal(result->routes[i].cost, found[i].cost);
        compare_route(&o, &result->routes[i]);
        for (size_t j = 0; j < i; j++)
            assert_false(result->routes[i].link_count == result->routes[j].link_count
                         && memcmp(result->routes[i].links, result->routes[j].links,
                                   result->routes[i].link_count * sizeof(uint32_t))
                                == 0);
    }
    compare_check(&o, space, &result->routes[0]);
    *answers += expected;
}

static void
routes_equal_brute_force(void **state)
{
    struct lp_route_space *space = lp_route_space_new();
    struct lp_route_result *result = malloc(sizeof(*result));
    struct path *found = calloc(MOST_PATHS, sizeof(*found));
    struct world *w = malloc(sizeof(*w));
    uint64_t seed = lp_test_seed(__func__);
    size_t answers = 0;

    (void)state;
    assert_true(space != NULL && result != NULL && found != NULL && w != NULL);
    for (uint64_t n = 0; n < NETWORKS; n++) {
        struct wish wish;
        make_world(w, seed * NETWORKS + n);
        for (int i = 0; i < 12; i++) {
            make_wish(w, &wish);
            compare(w, &wish, space, result, found, &answers);
        }
        lp_graph_free(w->graph);
    }
    printf("%zu routes compared\n", answers);
    assert_true(answers > NETWORKS); /* or the networks are too hard to say anything */
    free(w);
    free(found);
    free(result);
    lp_route_space_free(space);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(routes_equal_brute_force)};

    return LP_RUN_TESTS(tests);
}
