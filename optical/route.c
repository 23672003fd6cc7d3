/* Route requests: what they ask, what removes a link, and figures of what was found. */
#include "optical/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "optical/route_internal.h"

#define NONE LP_GRAPH_NONE

static const char *const costs[] = {
    [LP_COST_OMS_HOPS] = "oms_hops", [LP_COST_HOPS] = "hops",       [LP_COST_LENGTH] = "length",
    [LP_COST_LOSS] = "loss",         [LP_COST_LATENCY] = "latency", [LP_COST_MARGIN] = "margin",
};
static_assert(LP_COUNT(costs) == LP_COST_COUNT, "a name for every cost");

const char *
lp_route_cost_name(enum lp_route_cost cost)
{
    return costs[cost];
}

bool
lp_route_cost_of(const char *name, enum lp_route_cost *cost)
{
    for (size_t i = 0; i < LP_COST_COUNT; i++) {
        if (strcmp(costs[i], name) == 0) {
            *cost = (enum lp_route_cost)i;
            return true;
        }
    }
    return false;
}

/* ---- what a request asks ---- */

static enum lp_code
resolve_end(const struct lp_graph *graph, const char *which, uint32_t given_port,
            uint32_t given_node, uint32_t *node, uint32_t *port, uint32_t *cord, struct lp_err *err)
{
    *port = given_port;
    *cord = NONE;
    *node = given_node;
    if (given_port == NONE) {
        if (given_node >= graph->node_ids.count)
            return lp_fail(err, LP_INVALID, "the %s end is no device of the network", which);
        return LP_OK;
    }
    if (given_port >= graph->port_ids.count)
        return lp_fail(err, LP_INVALID, "the %s end is no port of the network", which);
    *node = graph->ports[given_port].node;
    if (graph->ports[given_port].kind == LP_PORT_TRX) {
        uint32_t link = graph->port_link[given_port], far = lp_graph_far_port(graph, given_port);
        if (link != NONE && graph->ports[far].node == *node) {
            *cord = link; /* a cord inside the device: light goes on from its other end */
            *port = far;
        }
    }
    return LP_OK;
}

static enum lp_code
check_ends(struct lp_search *s, struct lp_err *err)
{
    const struct lp_route_request *request = s->request;
    enum lp_code rc = resolve_end(s->graph, "first", request->a_port, request->a_node, &s->a_node,
                                  &s->a_port, &s->a_cord, err);

    if (rc == LP_OK)
        rc = resolve_end(s->graph, "last", request->z_port, request->z_node, &s->z_node, &s->z_port,
                         &s->z_cord, err);
    if (rc == LP_OK && s->a_node == s->z_node
        && (s->a_port == s->z_port || s->a_port == NONE || s->z_port == NONE))
        rc = lp_fail(err, LP_INVALID, "OPT-010: the two ends must be different devices");
    return rc;
}

static enum lp_code
refuse(const struct lp_graph *graph, enum lp_band_rule rule, int64_t value, struct lp_err *err)
{
    char text[160];

    lp_band_explain(&graph->band, rule, value, 0, text, sizeof(text));
    return lp_fail(err, LP_INVALID, "%s", text);
}

static enum lp_code
check_exact(struct lp_search *s, const struct lp_wanted *wanted, struct lp_err *err)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const struct lp_range *passband = &wanted->exact[i];
        enum lp_band_rule rule =
            lp_band_check_passband(&s->graph->band, passband, LP_GRID_RASTER_MHZ);
        const struct lp_range whole = lp_band_whole(&s->graph->band);
        bool low_is_fine =
            passband->low_mhz % LP_GRID_RASTER_MHZ == 0 && passband->low_mhz >= whole.low_mhz;
        if (rule != LP_BAND_OK)
            return refuse(s->graph, rule, low_is_fine ? passband->high_mhz : passband->low_mhz,
                          err);
    }
    if (wanted->count == 2 && lp_range_overlaps(&wanted->exact[0], &wanted->exact[1]))
        return lp_fail(err, LP_INVALID, "OPT-023: the two passbands overlap");
    return LP_OK;
}

/* Widths: the slots that an empty line would offer. */
static enum lp_code
check_widths(struct lp_search *s, const struct lp_wanted *wanted, struct lp_err *err)
{
    uint64_t align[LP_BAND_MOST_WORDS], all[LP_BAND_MOST_WORDS];

    if (wanted->step_mhz != LP_GRID_RASTER_MHZ && wanted->step_mhz != LP_GRID_SLOT_MHZ)
        return lp_fail(err, LP_INVALID, "slots begin at multiples of 6250 or 12500 MHz");
    lp_starts_align(&s->graph->band, wanted->step_mhz, align);
    lp_bits_fill(&s->graph->band, all);
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->width_mhz[i] < LP_GRID_SLOT_MHZ || wanted->width_mhz[i] % LP_GRID_SLOT_MHZ != 0
            || (size_t)(wanted->width_mhz[i] / LP_GRID_RASTER_MHZ) > s->graph->words * 64)
            return refuse(s->graph, LP_BAND_WIDTH, wanted->width_mhz[i], err);
        s->units[i] = (size_t)(wanted->width_mhz[i] / LP_GRID_RASTER_MHZ);
        lp_bits_starts(all, s->graph->words, s->units[i], s->root[i]);
        for (size_t w = 0; w < s->graph->words; w++)
            s->root[i][w] &= align[w];
    }
    s->carriers = wanted->count;
    return LP_OK;
}

static enum lp_code
check_wanted(struct lp_search *s, struct lp_err *err)
{
    const struct lp_wanted *wanted = &s->request->wanted;

    s->carriers = 0;
    if (wanted->count > LP_MOST_CARRIERS)
        return lp_fail(err, LP_INVALID, "at most %d carriers share a route", LP_MOST_CARRIERS);
    if (wanted->policy == LP_ASSIGN_EXACT)
        return check_exact(s, wanted, err);
    return wanted->count == 0 ? LP_OK : check_widths(s, wanted, err);
}

static enum lp_code
mark_ways(struct lp_search *s, struct lp_err *err)
{
    const struct lp_route_request *request = s->request;

    if (request->way_count > LP_ROUTE_MOST_WAYS)
        return lp_fail(err, LP_INVALID, "at most %d devices and fibers may be demanded",
                       LP_ROUTE_MOST_WAYS);
    for (size_t i = 0; i < request->way_count; i++) {
        const struct lp_waypoint *way = &request->ways[i];
        uint8_t *mark = way->is_link ? s->space->link_way : s->space->node_way;
        if (way->index >= (way->is_link ? s->graph->link_ids.count : s->graph->node_ids.count))
            return lp_fail(err, LP_INVALID, "a demanded device or fiber is not in the network");
        if (mark[way->index] != 0)
            return lp_fail(err, LP_INVALID, "%.64s is demanded twice",
                           way->is_link ? s->graph->links[way->index].name
                                        : s->graph->nodes[way->index].name);
        mark[way->index] = (uint8_t)(i + 1);
    }
    return LP_OK;
}

static enum lp_code
mark_excluded(struct lp_search *s, struct lp_err *err)
{
    const struct lp_route_request *request = s->request;

    for (size_t i = 0; i < request->exclude_node_count; i++) {
        uint32_t node = request->exclude_nodes[i];
        if (node >= s->graph->node_ids.count)
            return lp_fail(err, LP_INVALID, "an excluded device is not in the network");
        if (node == s->a_node || node == s->z_node)
            return lp_fail(err, LP_INVALID, "device %.64s is an end and cannot be excluded",
                           s->graph->nodes[node].name);
        s->space->node_mark[node] |= LP_MARK_EXCLUDED;
    }
    for (size_t i = 0; i < request->exclude_link_count; i++) {
        if (request->exclude_links[i] >= s->graph->link_ids.count)
            return lp_fail(err, LP_INVALID, "an excluded fiber is not in the network");
        s->space->link_mark[request->exclude_links[i]] |= LP_MARK_EXCLUDED;
    }
    for (size_t i = 0; i < request->exclude_risk_count; i++) {
        uint32_t risk = lp_names_find(&s->graph->risk_names, request->exclude_risks[i]);
        if (risk != NONE)
            s->space->risk_mark[risk] |= LP_MARK_EXCLUDED;
    }
    return LP_OK;
}

static void
mark_inner_node(struct lp_search *s, uint32_t port)
{
    uint32_t node = s->graph->ports[port].node;

    if (node != s->a_node && node != s->z_node)
        s->space->node_mark[node] |= LP_MARK_DISJOINT;
}

static enum lp_code
mark_disjoint(struct lp_search *s, struct lp_err *err)
{
    const struct lp_route_request *request = s->request;

    for (size_t i = 0; i < request->disjoint_link_count; i++) {
        uint32_t l = request->disjoint_links[i];
        if (l >= s->graph->link_ids.count)
            return lp_fail(err, LP_INVALID, "a fiber to keep away from is not in the network");
        s->space->link_mark[l] |= LP_MARK_DISJOINT;
        if (request->disjoint == LP_DISJOINT_NODES) {
            mark_inner_node(s, s->graph->links[l].a_port);
            mark_inner_node(s, s->graph->links[l].z_port);
        }
        for (size_t r = 0;
             request->disjoint == LP_DISJOINT_RISKS && r < s->graph->links[l].risk_count; r++)
            s->space->risk_mark[s->graph->risks[l][r]] |= LP_MARK_DISJOINT;
    }
    return LP_OK;
}

/* Links on which the request's holder has taken something: as free as they are without it. */
static void
free_own(struct lp_search *s)
{
    const struct lp_graph *graph = s->graph;
    uint32_t own =
        s->request->own == NULL ? NONE : lp_names_find(&graph->holder_ids, s->request->own);

    if (own == NONE)
        return;
    for (uint32_t t = graph->holder_taken[own]; t != NONE; t = graph->takings[t].next_of_holder) {
        uint32_t link = graph->takings[t].link;
        uint64_t *bits = s->space->own_bits + (size_t)link * graph->words;
        if (s->space->has_own[link] != 0)
            continue;
        s->space->has_own[link] = 1;
        lp_graph_bits_without(graph, link, own, bits);
        s->space->own_longest[link] = (uint16_t)lp_bits_longest(bits, graph->words);
    }
}

enum lp_code
lp_search_prepare(struct lp_search *s, struct lp_err *err)
{
    struct lp_route_space *space = s->space;
    size_t nodes = s->graph->node_ids.count, links = s->graph->link_ids.count;
    enum lp_code rc = LP_OK;

    memset(space->node_mark, 0, nodes);
    memset(space->link_mark, 0, links);
    memset(space->risk_mark, 0, s->graph->risk_names.count);
    memset(space->node_way, 0, nodes);
    memset(space->link_way, 0, links);
    memset(space->has_starts, 0, links);
    memset(space->has_own, 0, links);
    memset(space->verdict, LP_LINK_UNKNOWN, links);
    rc = check_ends(s, err);
    if (rc == LP_OK)
        rc = check_wanted(s, err);
    if (rc == LP_OK)
        rc = mark_ways(s, err);
    if (rc == LP_OK)
        rc = mark_excluded(s, err);
    if (rc == LP_OK)
        rc = mark_disjoint(s, err);
    if (rc == LP_OK)
        free_own(s);
    return rc;
}

/* ---- what removes a link ---- */

static const uint64_t *
bits_of(const struct lp_search *s, uint32_t link, size_t *longest)
{
    if (s->space->has_own[link] != 0) {
        *longest = s->space->own_longest[link];
        return s->space->own_bits + (size_t)link * s->graph->words;
    }
    *longest = s->graph->longest[link];
    return lp_graph_link_bits(s->graph, link);
}

static bool
is_through(const struct lp_search *s, uint32_t node)
{
    const struct lp_node *it = &s->graph->nodes[node];

    return it->role != LP_NODE_TRANSPONDER || node == s->a_node || node == s->z_node
           || (s->request->regenerate && it->regenerates);
}

static bool
has_marked_risk(const struct lp_search *s, uint32_t l, uint8_t mark)
{
    for (size_t r = 0; r < s->graph->links[l].risk_count; r++)
        if ((s->space->risk_mark[s->graph->risks[l][r]] & mark) != 0)
            return true;
    return false;
}

/* The part of the band that a lease offers is too narrow, or another one. */
static bool
outside_limit(const struct lp_search *s, const struct lp_range *limit)
{
    const struct lp_wanted *wanted = &s->request->wanted;

    if (limit->low_mhz >= limit->high_mhz)
        return false;
    for (size_t i = 0; i < wanted->count; i++)
        if (wanted->policy == LP_ASSIGN_EXACT
                ? !lp_range_holds(limit, &wanted->exact[i])
                : wanted->width_mhz[i] > limit->high_mhz - limit->low_mhz)
            return true;
    return false;
}

static bool
is_taken(const struct lp_search *s, uint32_t l)
{
    const struct lp_wanted *wanted = &s->request->wanted;
    size_t longest;
    const uint64_t *bits = bits_of(s, l, &longest);

    for (size_t i = 0; i < wanted->count; i++)
        if (wanted->policy == LP_ASSIGN_EXACT
                ? !lp_bits_free(&s->graph->band, bits, &wanted->exact[i])
                : s->units[i] > longest)
            return true;
    return false;
}

static bool
is_stale(const struct lp_search *s, const struct lp_link *link)
{
    return s->request->max_age_us > 0 && link->seen_us > 0
           && s->request->now_us - link->seen_us > s->request->max_age_us;
}

uint8_t
lp_search_judge(struct lp_search *s, uint32_t l)
{
    const struct lp_link *link = &s->graph->links[l];
    uint32_t a = s->graph->ports[link->a_port].node, z = s->graph->ports[link->z_port].node;
    uint8_t node_marks = s->space->node_mark[a] | s->space->node_mark[z];
    uint8_t link_marks = s->space->link_mark[l];

    if (s->only && (link_marks & LP_MARK_ONLY) == 0)
        return LP_LINK_OUTSIDE;
    if ((link_marks & LP_MARK_EXCLUDED) != 0)
        return LP_RULE_EXCLUDED_LINK;
    if ((node_marks & LP_MARK_EXCLUDED) != 0)
        return LP_RULE_EXCLUDED_NODE;
    if (has_marked_risk(s, l, LP_MARK_EXCLUDED))
        return LP_RULE_EXCLUDED_RISK;
    if (((link_marks | node_marks) & LP_MARK_DISJOINT) != 0
        || has_marked_risk(s, l, LP_MARK_DISJOINT))
        return LP_RULE_DISJOINT;
    if (!is_through(s, a) || !is_through(s, z))
        return LP_RULE_TYPE;
    if (link->down)
        return LP_RULE_DOWN;
    if (outside_limit(s, &link->limit))
        return LP_RULE_LIMIT;
    if (is_stale(s, link))
        return LP_RULE_STALE;
    return is_taken(s, l) ? LP_RULE_SPECTRUM : LP_LINK_FINE;
}

const uint64_t *
lp_search_starts(struct lp_search *s, uint32_t link)
{
    size_t words = s->graph->words, longest;
    uint64_t *starts = s->space->starts + (size_t)link * LP_MOST_CARRIERS * words;
    const uint64_t *bits;

    if (s->space->has_starts[link] != 0)
        return starts;
    s->space->has_starts[link] = 1;
    bits = bits_of(s, link, &longest);
    for (size_t i = 0; i < s->carriers; i++) {
        if (i > 0 && s->units[i] == s->units[0])
            memcpy(starts + i * words, starts, words * sizeof(*starts));
        else
            lp_bits_starts(bits, words, s->units[i], starts + i * words);
    }
    return starts;
}

/* ---- what forbids a passage ---- */

static bool
reaches(const struct lp_graph *graph, uint32_t in, uint32_t out)
{
    if (graph->port_has_reach[in] && !lp_graph_reaches(graph, in, out))
        return false;
    return !graph->port_has_reach[out] || lp_graph_reaches(graph, out, in);
}

enum lp_route_rule
lp_search_passes(const struct lp_search *s, uint32_t node, uint32_t in, uint32_t out)
{
    const struct lp_port *from = &s->graph->ports[in], *to = &s->graph->ports[out];
    bool trx = from->kind == LP_PORT_TRX || to->kind == LP_PORT_TRX;

    if (in == out || (from->degree != 0 && from->degree == to->degree))
        return LP_RULE_DEGREE;
    if ((from->group != 0 && to->group != 0 && from->group != to->group)
        || (trx && !(s->request->regenerate && s->graph->nodes[node].regenerates)))
        return LP_RULE_GROUP;
    return reaches(s->graph, in, out) ? LP_RULE_COUNT : LP_RULE_ADD_DROP;
}

enum lp_route_rule
lp_search_leaves(const struct lp_search *s, uint32_t out_port)
{
    if (s->a_port == NONE)
        return LP_RULE_COUNT;
    if (s->graph->ports[s->a_port].kind == LP_PORT_TRX)
        return out_port == s->a_port ? LP_RULE_COUNT : LP_RULE_GROUP;
    return lp_search_passes(s, s->a_node, s->a_port, out_port);
}

enum lp_route_rule
lp_search_arrives(const struct lp_search *s, uint32_t in_port)
{
    if (in_port == NONE) /* both ends on one device */
        return lp_search_passes(s, s->a_node, s->a_port, s->z_port);
    if (s->z_port == NONE)
        return LP_RULE_COUNT;
    if (s->graph->ports[s->z_port].kind == LP_PORT_TRX)
        return in_port == s->z_port ? LP_RULE_COUNT : LP_RULE_GROUP;
    return lp_search_passes(s, s->z_node, in_port, s->z_port);
}

bool
lp_search_ways_done(const struct lp_search *s, uint16_t ways)
{
    if (s->request->any_order)
        return ways == (1u << s->request->way_count) - 1;
    return ways == s->request->way_count;
}

static bool
is_way(const struct lp_route_request *request, uint16_t at, bool is_link, uint32_t index)
{
    return at < request->way_count && request->ways[at].is_link == is_link
           && request->ways[at].index == index;
}

/* In this order: what comes later must not be passed before its turn, because it cannot come again;
 * a strict one must come before any other device that is no amplifier. */
bool
lp_search_way(const struct lp_search *s, uint16_t before, uint32_t link, uint32_t node,
              uint16_t *after)
{
    const struct lp_route_request *request = s->request;
    uint16_t at = before;
    uint8_t by_link = link == NONE ? 0 : s->space->link_way[link],
            by_node = s->space->node_way[node];

    if (request->any_order) {
        *after = (uint16_t)(before | (by_link != 0 ? 1u << (by_link - 1) : 0)
                            | (by_node != 0 ? 1u << (by_node - 1) : 0));
        return true;
    }
    if (is_way(request, at, true, link))
        at++;
    if (is_way(request, at, false, node)) /* a link is passed before the node behind it */
        at++;
    *after = at;
    if (by_link > at || by_node > at)
        return false;
    return at > before || link == NONE || at >= request->way_count || !request->ways[at].strict
           || s->graph->nodes[node].role == LP_NODE_AMPLIFIER;
}

/* ---- figures ---- */

static bool
fill_segment(struct lp_search *s, struct lp_route *route, uint32_t from, uint32_t to)
{
    size_t words = s->graph->words, at[LP_MOST_CARRIERS];
    uint64_t bits[LP_MOST_CARRIERS][LP_BAND_MOST_WORDS];
    struct lp_starts starts = {.count = s->carriers};
    struct lp_range *slot = route->slot[route->segment_count];

    memcpy(bits, s->root, sizeof(bits));
    for (size_t i = 0; i < s->carriers; i++) {
        starts.bits[i] = bits[i];
        starts.units[i] = s->units[i];
    }
    for (uint32_t l = from; l < to; l++) {
        const uint64_t *link = lp_search_starts(s, route->links[l]);
        for (size_t i = 0; i < s->carriers; i++)
            for (size_t w = 0; w < words; w++)
                bits[i][w] &= link[i * words + w];
    }
    if (!lp_starts_pick(&starts, words, s->request->wanted.policy, at))
        return false;
    for (size_t i = 0; i < s->carriers; i++) {
        slot[i].low_mhz = lp_band_mhz(&s->graph->band, at[i]);
        slot[i].high_mhz = slot[i].low_mhz + s->request->wanted.width_mhz[i];
    }
    return true;
}

static bool
end_segment(struct lp_search *s, struct lp_route *route, uint32_t from, uint32_t to)
{
    const struct lp_wanted *wanted = &s->request->wanted;

    if (route->segment_count == LP_ROUTE_MOST_SEGMENTS)
        return false;
    route->segment_link[route->segment_count] = from;
    if (s->carriers > 0) {
        if (!fill_segment(s, route, from, to))
            return false;
    } else {
        memcpy(route->slot[route->segment_count], wanted->exact, sizeof(wanted->exact));
    }
    route->segment_count++;
    return true;
}

static bool
fill_slots(struct lp_search *s, struct lp_route *route)
{
    uint32_t from = 0;

    route->segment_count = 0;
    if (s->request->wanted.count == 0)
        return true;
    for (uint32_t l = 1; l < route->link_count; l++) {
        const struct lp_link *link = &s->graph->links[route->links[l]];
        uint32_t tail = s->graph->ports[route->reversed[l] ? link->z_port : link->a_port].node;
        if (!lp_regenerates_at(s, tail))
            continue;
        if (!end_segment(s, route, from, l))
            return false;
        from = l;
    }
    return end_segment(s, route, from, route->link_count);
}

bool
lp_route_fill(struct lp_search *s, struct lp_route *route)
{
    const struct lp_graph *graph = s->graph;
    uint64_t noise = 0, loss = 0;

    route->hops = route->oms_hops = 0;
    route->length_m = route->latency_ns = 0;
    route->seen_us = 0;
    for (uint32_t l = 0; l < route->link_count; l++) {
        const struct lp_link *link = &graph->links[route->links[l]];
        uint32_t tail = graph->ports[route->reversed[l] ? link->z_port : link->a_port].node;
        bool span = link->kind != LP_LINK_PATCH;
        route->hops += span;
        route->oms_hops += span && graph->nodes[tail].role != LP_NODE_AMPLIFIER;
        route->length_m += link->length_m;
        route->latency_ns += link->latency_ns;
        loss += link->loss_cdb;
        noise += graph->noise[route->links[l]];
        if (link->seen_us > 0 && (route->seen_us == 0 || link->seen_us < route->seen_us))
            route->seen_us = link->seen_us;
    }
    route->loss_cdb = loss > UINT32_MAX ? UINT32_MAX : (uint32_t)loss;
    route->osnr_cdb = lp_osnr_cdb(noise);
    route->has_margin = s->request->required_osnr_cdb != 0;
    route->margin_cdb = 0;
    if (route->has_margin)
        route->margin_cdb = lp_osnr_margin_cdb(&graph->rules, noise, s->request->required_osnr_cdb);
    return fill_slots(s, route);
}

/* ---- searching ---- */

static enum lp_code
begin(struct lp_search *s, const struct lp_graph *graph, const struct lp_route_request *request,
      struct lp_route_space *space, struct lp_err *err)
{
    size_t work = request->work == 0 ? LP_ROUTE_WORK : request->work;
    enum lp_code rc;

    s->graph = graph;
    s->request = request;
    s->space = space;
    s->work = work;
    s->only = s->has_reach = s->has_noise = false;
    s->most = request->most == 0 ? 5 : request->most;
    s->noise_most = UINT64_MAX;
    if (!graph->sealed || request->cost >= LP_COST_COUNT || s->most > LP_ROUTE_MOST
        || work > LP_ROUTE_WORK * 10)
        return lp_fail(err, LP_INVALID,
                       "a search needs a sealed graph, a cost, and limits in range");
    s->cost = graph->cost[request->cost];
    s->back_cost = graph->back_cost[request->cost];
    if (request->required_osnr_cdb != 0 && !request->allow_negative_margin)
        s->noise_most = lp_noise_allowed(&graph->rules, request->required_osnr_cdb);
    rc = lp_space_fit(space, graph, work, err);
    if (rc == LP_OK)
        rc = lp_search_prepare(s, err);
    return rc;
}

/* Best margin first; equal ones stay in the order of their cost. */
static void
rank(struct lp_route_result *result)
{
    struct lp_route moved;

    for (size_t i = 1; i < result->count; i++) {
        size_t at = i;
        if (result->routes[i].osnr_cdb <= result->routes[i - 1].osnr_cdb)
            continue;
        moved = result->routes[i];
        for (; at > 0 && moved.osnr_cdb > result->routes[at - 1].osnr_cdb; at--)
            result->routes[at] = result->routes[at - 1];
        result->routes[at] = moved;
    }
}

static void
count_removed(struct lp_search *s)
{
    for (uint32_t l = 0; l < s->graph->link_ids.count; l++) {
        uint8_t verdict = lp_link_fine(s, l) ? LP_LINK_FINE : s->space->verdict[l];
        if (verdict < LP_RULE_COUNT)
            s->result->removed[verdict]++;
    }
}

enum lp_code
lp_route_find(const struct lp_graph *graph, const struct lp_route_request *request,
              struct lp_route_space *space, struct lp_route_result *result, struct lp_err *err)
{
    struct lp_search s;
    enum lp_code rc;

    result->count = 0;
    result->complete = true;
    result->looked_at = 0;
    result->wanted = request->wanted;
    memset(result->removed, 0, sizeof(result->removed));
    s.result = result;
    rc = begin(&s, graph, request, space, err);
    if (rc != LP_OK)
        return rc;
    result->a_node = s.a_node;
    result->z_node = s.z_node;
    lp_search_run(&s);
    if (result->count == 0)
        count_removed(&s);
    else if (!request->keep_order)
        rank(result);
    return LP_OK;
}

/* The first link of the route that a rule removes; else what cut it short inside. */
static enum lp_code
say_broken(struct lp_search *s, const uint32_t *links, size_t link_count,
           enum lp_route_rule *broken, uint32_t *link, struct lp_err *err)
{
    *link = NONE;
    for (size_t i = 0; i < link_count; i++) {
        if (lp_link_fine(s, links[i]))
            continue;
        *link = links[i];
        *broken = (enum lp_route_rule)s->space->verdict[links[i]];
        return lp_fail(err, LP_CONFLICT, "the route cannot be used: %s on %.96s",
                       lp_route_rule_name(*broken), s->graph->links[links[i]].name);
    }
    for (enum lp_route_rule rule = LP_RULE_LINK_LAST + 1; rule < LP_RULE_COUNT; rule++) {
        if (s->result->removed[rule] == 0)
            continue;
        *broken = rule;
        return lp_fail(err, LP_CONFLICT, "the route cannot be used: %s", lp_route_rule_name(rule));
    }
    *broken = LP_RULE_COUNT;
    return lp_fail(err, LP_INVALID, "these fibers are no way between the two ends");
}

static bool
same_links(const struct lp_route *route, const uint32_t *links, size_t count)
{
    return route->link_count == count && memcmp(route->links, links, count * sizeof(*links)) == 0;
}

enum lp_code
lp_route_check(const struct lp_graph *graph, const struct lp_route_request *request,
               const uint32_t *links, size_t link_count, struct lp_route_space *space,
               struct lp_route *out, enum lp_route_rule *broken, uint32_t *link, struct lp_err *err)
{
    struct lp_route_result *result = calloc(1, sizeof(*result));
    struct lp_search s;
    enum lp_code rc;

    *broken = LP_RULE_COUNT;
    *link = NONE;
    if (result == NULL)
        return lp_fail(err, LP_NOMEM, "no memory to check a route");
    s.result = result;
    rc = begin(&s, graph, request, space, err);
    for (size_t i = 0; rc == LP_OK && i < link_count; i++) {
        if (links[i] >= graph->link_ids.count)
            rc = lp_fail(err, LP_INVALID, "a fiber of the route is not in the network");
        else
            space->link_mark[links[i]] |= LP_MARK_ONLY;
    }
    if (rc == LP_OK) {
        s.only = true;
        s.most = 1;
        lp_search_run(&s);
        if (result->count == 1 && same_links(&result->routes[0], links, link_count))
            *out = result->routes[0];
        else
            rc = say_broken(&s, links, link_count, broken, link, err);
    }
    free(result);
    return rc;
}
