/* What others make of a route: its ports and nodes, its identity, its text. */
#include <assert.h>
#include <string.h>

#include "optical/route_internal.h"

#define NONE LP_GRAPH_NONE

static const struct rule_info {
    const char *name;
    const char *class; /* of OPT-030 */
} rules[] = {
    [LP_RULE_EXCLUDED_LINK] = {"excluded fiber", "exclusion"},
    [LP_RULE_EXCLUDED_NODE] = {"excluded device", "exclusion"},
    [LP_RULE_EXCLUDED_RISK] = {"excluded shared risk", "exclusion"},
    [LP_RULE_DISJOINT] = {"shared with a route to keep away from", "disjointness"},
    [LP_RULE_TYPE] = {"device lets no light pass", "type"},
    [LP_RULE_DOWN] = {"out of service", "outage"},
    [LP_RULE_LIMIT] = {"outside the leased spectrum", "spectrum"},
    [LP_RULE_STALE] = {"occupancy too old", "age of occupancy"},
    [LP_RULE_SPECTRUM] = {"spectrum taken", "spectrum"},
    [LP_RULE_DEGREE] = {"in and out by one degree", "degree"},
    [LP_RULE_ADD_DROP] = {"degree out of reach of the add/drop port", "add/drop reach"},
    [LP_RULE_GROUP] = {"ports not connected inside the device", "card"},
    [LP_RULE_CONTINUITY] = {"no slot free on all of it", "continuity"},
    [LP_RULE_MARGIN] = {"margin below zero", "margin"},
    [LP_RULE_WAYPOINT] = {"demanded devices or fibers missed", "inclusion"},
};
static_assert(LP_COUNT(rules) == LP_RULE_COUNT, "a text for every rule");

const char *
lp_route_rule_name(enum lp_route_rule rule)
{
    return rule < LP_RULE_COUNT ? rules[rule].name : "";
}

static uint32_t
out_port(const struct lp_graph *graph, const struct lp_route *route, uint32_t at)
{
    const struct lp_link *link = &graph->links[route->links[at]];

    return route->reversed[at] ? link->z_port : link->a_port;
}

static uint32_t
in_port(const struct lp_graph *graph, const struct lp_route *route, uint32_t at)
{
    const struct lp_link *link = &graph->links[route->links[at]];

    return route->reversed[at] ? link->a_port : link->z_port;
}

size_t
lp_route_ports(const struct lp_graph *graph, const struct lp_route_request *request,
               const struct lp_route *route, uint32_t *out)
{
    size_t count = 0;

    if (request->a_port != NONE
        && (route->link_count == 0 || out_port(graph, route, 0) != request->a_port))
        out[count++] = request->a_port;
    for (uint32_t l = 0; l < route->link_count; l++) {
        out[count++] = out_port(graph, route, l);
        out[count++] = in_port(graph, route, l);
    }
    if (request->z_port != NONE && (count == 0 || out[count - 1] != request->z_port))
        out[count++] = request->z_port;
    return count;
}

size_t
lp_route_nodes(const struct lp_graph *graph, const struct lp_route_result *result,
               const struct lp_route *route, uint32_t *out)
{
    size_t count = 1;

    out[0] = result->a_node;
    for (uint32_t l = 0; l < route->link_count; l++) {
        uint32_t node = graph->ports[in_port(graph, route, l)].node;
        if (node != out[count - 1])
            out[count++] = node;
    }
    return count;
}

void
lp_route_canonical(const struct lp_graph *graph, const struct lp_route_request *request,
                   const struct lp_route *route, struct lp_buf *out)
{
    uint32_t ports[2 * LP_ROUTE_MOST_LINKS + 2];
    size_t count = lp_route_ports(graph, request, route, ports);
    const struct lp_wanted *wanted = &request->wanted;

    for (size_t i = 0; i < count; i++)
        lp_buf_printf(out, "%s%s", i > 0 ? ";" : "", graph->ports[ports[i]].id);
    lp_buf_printf(out, "|%s", wanted->count == 0 ? "" : lp_assign_name(wanted->policy));
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->policy == LP_ASSIGN_EXACT)
            lp_buf_printf(out, "|%lld-%lld", (long long)wanted->exact[i].low_mhz,
                          (long long)wanted->exact[i].high_mhz);
        else
            lp_buf_printf(out, "|%lld/%lld", (long long)wanted->width_mhz[i],
                          (long long)wanted->step_mhz);
    }
}

/* "node (in x out)" for all ports of one device, which stand side by side. */
void
lp_route_text(const struct lp_graph *graph, const struct lp_route_request *request,
              const struct lp_route *route, struct lp_buf *out)
{
    uint32_t ports[2 * LP_ROUTE_MOST_LINKS + 2];
    size_t count = lp_route_ports(graph, request, route, ports);

    for (size_t i = 0; i < count; i++) {
        const struct lp_port *port = &graph->ports[ports[i]];
        bool goes_on = i > 0 && graph->ports[ports[i - 1]].node == port->node;
        if (goes_on)
            lp_buf_printf(out, " \u00d7 %s", port->name);
        else
            lp_buf_printf(out, "%s%s (%s", i > 0 ? ") \u21cb " : "", graph->nodes[port->node].name,
                          port->name);
    }
    if (count > 0)
        lp_buf_char(out, ')');
}

static void
put_end(const struct lp_graph *graph, uint32_t node, uint32_t port, struct lp_buf *out)
{
    lp_buf_str(out, node < graph->node_ids.count ? graph->nodes[node].name : "?");
    if (port < graph->port_ids.count)
        lp_buf_printf(out, " %s", graph->ports[port].name);
}

static void
put_wanted(const struct lp_wanted *wanted, struct lp_buf *out)
{
    for (size_t i = 0; i < wanted->count; i++) {
        lp_buf_str(out, i == 0 ? " for " : " and ");
        if (wanted->policy == LP_ASSIGN_EXACT)
            lp_buf_printf(out, "%lld-%lld", (long long)wanted->exact[i].low_mhz,
                          (long long)wanted->exact[i].high_mhz);
        else
            lp_buf_printf(out, "%lld MHz", (long long)wanted->width_mhz[i]);
    }
}

/* Links that rules of one class removed. */
static uint32_t
removed_by(const struct lp_route_result *result, const char *class)
{
    uint32_t sum = 0;

    for (size_t r = 0; r < LP_RULE_COUNT; r++)
        if (strcmp(rules[r].class, class) == 0)
            sum += result->removed[r];
    return sum;
}

void
lp_route_explain(const struct lp_graph *graph, const struct lp_route_request *request,
                 const struct lp_route_result *result, struct lp_buf *out)
{
    static const char *const always[] = {"exclusion", "spectrum", "type"};

    lp_buf_str(out, "OPT-030: no route from ");
    put_end(graph, result->a_node, request->a_port, out);
    lp_buf_str(out, " to ");
    put_end(graph, result->z_node, request->z_port, out);
    put_wanted(&request->wanted, out);
    lp_buf_str(out, "; removed: ");
    for (size_t i = 0; i < LP_COUNT(always); i++)
        lp_buf_printf(out, "%s%u by %s", i > 0 ? ", " : "", removed_by(result, always[i]),
                      always[i]);
    for (size_t r = 0; r < LP_RULE_COUNT; r++) {
        const char *class = rules[r].class;
        if (result->removed[r] > 0 && strcmp(class, always[0]) != 0 && strcmp(class, always[1]) != 0
            && strcmp(class, always[2]) != 0)
            lp_buf_printf(out, ", %u by %s", result->removed[r], class);
    }
    if (!result->complete)
        lp_buf_printf(out, "; the search was ended after %zu partial routes", result->looked_at);
}
