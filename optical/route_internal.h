/* What the parts of the route search share. */
#ifndef LP_OPTICAL_ROUTE_INTERNAL_H
#define LP_OPTICAL_ROUTE_INTERNAL_H

#include "optical/assign_internal.h"
#include "optical/graph_internal.h"
#include "optical/route.h"

/* Verdicts on a link beside the rules that may remove it. */
#define LP_LINK_FINE    ((uint8_t)LP_RULE_COUNT)
#define LP_LINK_OUTSIDE ((uint8_t)(LP_RULE_COUNT + 1)) /* not of the route that is checked */
#define LP_LINK_UNKNOWN UINT8_MAX

#define LP_MARK_EXCLUDED 1u
#define LP_MARK_DISJOINT 2u
#define LP_MARK_ONLY     4u

#define LP_FAR UINT64_MAX /* no way from there */

/* A partial route: its last arc, and the label of what comes before. */
struct lp_label {
    uint64_t cost, noise;
    uint32_t parent, arc;
    uint32_t mask; /* index of its slots, once it was looked at */
    uint16_t depth;
    uint16_t ways; /* waypoints passed: how many, or which ones (any order) */
};

struct lp_heap_item {
    uint64_t key, tie;
};
struct lp_heap {
    struct lp_heap_item *items;
    size_t count;
};

struct lp_route_space {
    size_t nodes, links, risks, words, labels_room, masks_room,
        heap_room; /* what it was made for */
    uint8_t *node_mark, *link_mark, *risk_mark, *verdict, *node_way, *link_way, *has_starts,
        *has_own, *queued, *sure;
    uint16_t *own_longest;
    uint32_t *node_seen, *queue;
    uint64_t *dist; /* per waypoint still to come: exact cost of the rest, by node */
    uint64_t *starts, *own_bits, *reach;
    struct lp_heap heap, back_heap;
    struct lp_label *labels;
    uint64_t *masks;
    uint32_t seen_stamp;
    size_t memory;
};

struct lp_search {
    const struct lp_graph *graph;
    const struct lp_route_request *request;
    struct lp_route_space *space;
    struct lp_route_result *result;
    const uint64_t *cost, *back_cost;
    uint32_t a_node, z_node;
    uint32_t a_port, z_port; /* after resolving a cord inside the device; or LP_GRAPH_NONE */
    uint32_t a_cord, z_cord; /* that cord, or LP_GRAPH_NONE */
    uint32_t own;            /* holder, or LP_GRAPH_NONE - 1 */
    size_t most, work;
    size_t carriers; /* bitmaps are carried along; 0: the slot is given, or does not matter */
    size_t units[LP_MOST_CARRIERS];
    uint64_t root[LP_MOST_CARRIERS][LP_BAND_MOST_WORDS]; /* slots of the band, aligned */
    uint64_t noise_most;
    uint64_t frontier;         /* nodes whose distance is not sure lie at least so far off */
    bool only;                 /* links without LP_MARK_ONLY do not exist */
    bool has_reach, has_noise; /* bounds that were made meanwhile */
    size_t label_count, mask_count;
};

/* Room for this graph and request. */
enum lp_code lp_space_fit(struct lp_route_space *space, const struct lp_graph *graph, size_t work,
                          struct lp_err *err) LP_MUST_CHECK;
void lp_heap_push(struct lp_heap *heap, uint64_t key, uint64_t tie);
struct lp_heap_item lp_heap_pop(struct lp_heap *heap);

/* Checks the request and prepares marks, ends and slots. */
enum lp_code lp_search_prepare(struct lp_search *search, struct lp_err *err) LP_MUST_CHECK;
/* Takes back what prepare noted of own claims. */
uint8_t lp_search_judge(struct lp_search *search, uint32_t link);
/* Rule that forbids light from one port of a node to another; LP_RULE_COUNT: none. */
enum lp_route_rule lp_search_passes(const struct lp_search *search, uint32_t node, uint32_t in,
                                    uint32_t out);
/* As above for the ends; in_port LP_GRAPH_NONE: nothing was passed yet. */
enum lp_route_rule lp_search_leaves(const struct lp_search *search, uint32_t out_port);
enum lp_route_rule lp_search_arrives(const struct lp_search *search, uint32_t in_port);
/* Bits where a slot may begin on a link: carriers * words. */
const uint64_t *lp_search_starts(struct lp_search *search, uint32_t link);
/* Waypoints after passing a link into a node; false: they are out of order, or not straight. */
bool lp_search_way(const struct lp_search *search, uint16_t before, uint32_t link, uint32_t node,
                   uint16_t *after);
bool lp_search_ways_done(const struct lp_search *search, uint16_t ways);
void lp_search_run(struct lp_search *search);
/* Figures and slots of a route whose links are set. False: no slot, or too many segments. */
bool lp_route_fill(struct lp_search *search, struct lp_route *route);

static inline bool
lp_link_fine(struct lp_search *search, uint32_t link)
{
    uint8_t *verdict = &search->space->verdict[link];

    if (*verdict == LP_LINK_UNKNOWN)
        *verdict = lp_search_judge(search, link);
    return *verdict == LP_LINK_FINE;
}

static inline bool
lp_regenerates_at(const struct lp_search *search, uint32_t node)
{
    return search->request->regenerate && node != search->a_node
           && search->graph->nodes[node].regenerates;
}

#endif
