/**
 * Routes: the K best loop-less ways between two ports that obey all rules, each with the slots it
 * offers; or, when there is none, how many candidates each rule removed.
 *
 * Exact: routes come in the order of their cost, none that obeys the rules is left out, as long as
 * the work limit is not reached (then `complete` is false and what was found is still right).
 * A route never passes a device twice. Rules about spectrum bind per transparent segment: one slot
 * from end to end, or from regenerator to regenerator when the request says so.
 *
 * A search allocates nothing: it works in a space of the caller, which grows with the graph only.
 * Threads: one per space; the graph must not change meanwhile.
 *
 * Method: partial routes in the order of cost so far + exact cost of the rest by a reverse
 * shortest-path tree (so almost only prefixes of answers are looked at), each with the bitmap of
 * the slots that are still free on all of it.
 */
#ifndef LP_OPTICAL_ROUTE_H
#define LP_OPTICAL_ROUTE_H

#include "base/buf.h"
#include "optical/assign.h"
#include "optical/graph.h"

#define LP_ROUTE_MOST          16  /* routes of one request */
#define LP_ROUTE_MOST_LINKS    192 /* of one route */
#define LP_ROUTE_MOST_WAYS     16  /* waypoints */
#define LP_ROUTE_MOST_SEGMENTS 16  /* transparent segments of one route */

enum lp_route_cost {
    LP_COST_OMS_HOPS, /* multiplex sections, then length; the default */
    LP_COST_HOPS,     /* spans, then length; patch cords count for nothing in both */
    LP_COST_LENGTH,
    LP_COST_LOSS,
    LP_COST_LATENCY,
    LP_COST_MARGIN, /* least noise first */
    LP_COST_COUNT
};
/** "oms_hops", "hops", "length", "loss", "latency", "margin". */
const char *lp_route_cost_name(enum lp_route_cost cost);
/** False when there is no such cost. */
bool lp_route_cost_of(const char *name, enum lp_route_cost *cost);

/** A node or a link that must be on the route. */
struct lp_waypoint {
    bool is_link;
    uint32_t index; /* of the node or link */
    bool strict;    /* straight from the waypoint before (or the start): only amplifiers between */
};
enum lp_disjoint { LP_DISJOINT_LINKS, LP_DISJOINT_NODES, LP_DISJOINT_RISKS };

/** A request; zero everywhere else is the usual. Arrays are borrowed for the call. */
struct lp_route_request {
    /* Ends: a port (add/drop port, or line port of a transponder); or LP_GRAPH_NONE and the node,
     * when the port is not chosen yet. */
    uint32_t a_port, z_port;
    uint32_t a_node, z_node; /* only read where the port is LP_GRAPH_NONE */

    size_t most; /* K, 1..LP_ROUTE_MOST; 0: 5 */
    enum lp_route_cost cost;
    bool keep_order; /* false: routes that were found are given best margin first */

    struct lp_wanted wanted; /* count 0: spectrum does not matter */
    const char *own;         /* holder whose claims count as free, or NULL */
    bool regenerate;         /* slots may change at nodes that regenerate */

    const struct lp_waypoint *ways; /* in this order, unless any_order */
    size_t way_count;
    bool any_order;                                /* then none is strict */
    const uint32_t *exclude_nodes, *exclude_links; /* indices; ends cannot be excluded */
    size_t exclude_node_count, exclude_link_count;
    const char *const *exclude_risks; /* names; unknown ones exclude nothing */
    size_t exclude_risk_count;

    const uint32_t
        *disjoint_links; /* what it shall share nothing with: all links of those routes */
    size_t disjoint_link_count;
    enum lp_disjoint disjoint; /* not the links; nor their inner nodes; nor their shared risks */

    int64_t now_us,
        max_age_us; /* links whose occupancy was seen longer ago are refused; 0: never */

    int32_t required_osnr_cdb; /* of the mode at the receiver; 0: unknown, margins are not given */
    bool allow_negative_margin;

    size_t work; /* partial routes that may be looked at; 0: LP_ROUTE_WORK */
};
#define LP_ROUTE_WORK 20000

/** Why candidates fell out. Up to LP_RULE_LINK_LAST whole links; those after, partial routes. */
enum lp_route_rule {
    LP_RULE_EXCLUDED_LINK,
    LP_RULE_EXCLUDED_NODE,
    LP_RULE_EXCLUDED_RISK,
    LP_RULE_DISJOINT,
    LP_RULE_TYPE,     /* an end of it lets no light pass through */
    LP_RULE_DOWN,     /* cut */
    LP_RULE_LIMIT,    /* leased spectrum that does not hold the slot */
    LP_RULE_STALE,    /* OPT-031 */
    LP_RULE_SPECTRUM, /* the slot is taken, or no run is wide enough */
    LP_RULE_LINK_LAST = LP_RULE_SPECTRUM,
    LP_RULE_DEGREE,     /* in and out by the same degree */
    LP_RULE_ADD_DROP,   /* that add/drop port does not reach that degree */
    LP_RULE_GROUP,      /* ports that are not connected inside the device */
    LP_RULE_CONTINUITY, /* no slot that is free on all of it */
    LP_RULE_MARGIN,
    LP_RULE_WAYPOINT, /* out of order, or not straight */
    LP_RULE_COUNT
};
/** Stable name: "excluded fiber", ... */
const char *lp_route_rule_name(enum lp_route_rule rule);

struct lp_route {
    uint32_t link_count, links[LP_ROUTE_MOST_LINKS]; /* in order, A to Z; 0: inside one device */
    bool reversed[LP_ROUTE_MOST_LINKS]; /* this link is passed from its z to its a end */
    uint32_t hops, oms_hops;
    uint64_t length_m, latency_ns;
    uint32_t loss_cdb;
    int32_t osnr_cdb;   /* INT32_MAX: no noise */
    int32_t margin_cdb; /* valid when has_margin */
    bool has_margin;
    int64_t seen_us; /* oldest reading of occupancy on it; 0: none was ever read */
    /* Slots: per transparent segment, which begins at a link; without regeneration there is one. */
    uint32_t segment_count, segment_link[LP_ROUTE_MOST_SEGMENTS];
    struct lp_range slot[LP_ROUTE_MOST_SEGMENTS][LP_MOST_CARRIERS];
    uint64_t cost; /* compares routes of one request */
};

struct lp_route_result {
    size_t count;
    struct lp_route routes[LP_ROUTE_MOST];
    bool complete;                   /* false: the work limit ended the search */
    size_t looked_at;                /* partial routes */
    uint32_t removed[LP_RULE_COUNT]; /* links, when nothing was found; partial routes, as far as it
                                        looked */
    uint32_t a_node, z_node;         /* resolved ends */
    struct lp_wanted wanted;         /* as asked */
};

struct lp_route_space;
/** NULL when memory ran out. */
struct lp_route_space *lp_route_space_new(void);
void lp_route_space_free(struct lp_route_space *space);
size_t lp_route_space_memory(const struct lp_route_space *space);

/**
 * Searches. The result is big (some 40 KB): keep it beside the space.
 * @return LP_OK also when nothing was found (count 0, removed[] says why); LP_INVALID for a request
 *         that makes no sense (an end that is none, both ends the same port, a passband outside the
 *         band plan: the message carries its OPT code); LP_NOMEM
 */
enum lp_code lp_route_find(const struct lp_graph *graph, const struct lp_route_request *request,
                           struct lp_route_space *space, struct lp_route_result *result,
                           struct lp_err *err) LP_MUST_CHECK;

/**
 * Holds a route of the caller (links in order, from a stored document) against the same rules, and
 * fills its figures and slots as they are now: what a claim does with the route that was chosen.
 * @return LP_CONFLICT when it breaks a rule: *broken says which, *link where (LP_GRAPH_NONE: in no
 *         single link); LP_INVALID when the links are no way from A to Z
 */
enum lp_code lp_route_check(const struct lp_graph *graph, const struct lp_route_request *request,
                            const uint32_t *links, size_t link_count, struct lp_route_space *space,
                            struct lp_route *out, enum lp_route_rule *broken, uint32_t *link,
                            struct lp_err *err) LP_MUST_CHECK;

/* ---- what others make of a route ---- */

/** All ports in order: A's end port (when the request names one), egress, ingress, ..., Z's. A line
 * port of a transponder is the end itself and stands there once. Room for 2 * links + 2; returns
 * how many. */
size_t lp_route_ports(const struct lp_graph *graph, const struct lp_route_request *request,
                      const struct lp_route *route, uint32_t *out);
/** All nodes in order, A and Z included; room for links + 1; returns how many. */
size_t lp_route_nodes(const struct lp_graph *graph, const struct lp_route_result *result,
                      const struct lp_route *route, uint32_t *out);
/** The bytes whose hash is the content-based id of the route: ids of its ports, and what was wanted
 * (passbands or widths, policy, step). The same route and wish give the same bytes whatever else
 * the graph holds. */
void lp_route_canonical(const struct lp_graph *graph, const struct lp_route_request *request,
                        const struct lp_route *route, struct lp_buf *out);
/** "flex.mi01 (1-E1-1-T2A x 1-A-1-L1) <> flex.cb00 (1-A-1-L1 x 1-A-1-L2) <> ..." with the arrows
 * and crosses of the house. */
void lp_route_text(const struct lp_graph *graph, const struct lp_route_request *request,
                   const struct lp_route *route, struct lp_buf *out);
/** OPT-030 for a result without routes: "no route from A to Z for LOW-HIGH; removed: 2 by
 * exclusion, 3 by spectrum, 1 by type"; rules that removed nothing beyond these three are not
 * named. */
void lp_route_explain(const struct lp_graph *graph, const struct lp_route_request *request,
                      const struct lp_route_result *result, struct lp_buf *out);

#endif
