/* Inside of the graph, for the search over it. */
#ifndef LP_OPTICAL_GRAPH_INTERNAL_H
#define LP_OPTICAL_GRAPH_INTERNAL_H

#include "base/arena.h"
#include "optical/graph.h"
#include "optical/route.h"

/* Texts with dense indices. */
struct lp_names {
    const char **texts;
    uint32_t count, room;
    uint32_t *slots; /* open addressing: index + 1, 0 is empty */
    uint32_t slot_mask;
};

/* One direction of a link; arcs of a node lie side by side. */
struct lp_arc {
    uint32_t head, link;
    uint32_t out_port, in_port;
};

/* Spectrum somebody has taken on a link. */
struct lp_taking {
    struct lp_range range;
    uint32_t link, holder;                 /* LP_GRAPH_NONE: light that nobody explains */
    uint32_t next_of_link, next_of_holder; /* LP_GRAPH_NONE ends a chain */
};

struct lp_reach {
    uint32_t from, to;
};

struct lp_graph {
    struct lp_band band;
    struct lp_osnr_rules rules;
    size_t words;           /* of a bitmap */
    struct lp_arena *arena; /* texts and risks */
    struct lp_names node_ids, port_ids, link_ids, risk_names, holder_ids;
    struct lp_node *nodes;
    struct lp_port *ports;
    uint32_t *port_link;
    bool *port_has_reach;
    struct lp_link *links;
    uint64_t *noise;        /* of a link */
    const uint32_t **risks; /* of a link: indices, link->risk_count of them */
    struct lp_reach *reach; /* sorted by from */
    size_t reach_count, reach_room;
    /* after sealing */
    bool sealed;
    uint32_t *first; /* arcs of node n: first[n]..first[n + 1] */
    struct lp_arc *arcs;
    uint64_t *cost[LP_COST_COUNT], *back_cost[LP_COST_COUNT]; /* of an arc, and of its reverse */
    uint64_t *bits;                                           /* words per link */
    uint16_t *longest;                                        /* run of free units, per link */
    uint32_t *link_taken;                                     /* head of chain, per link */
    struct lp_taking *takings;
    uint32_t taking_count, taking_room, taking_free;
    uint32_t *holder_taken; /* head of chain, per holder */
    const char **holder_label;
    uint32_t holder_room;
};

uint32_t lp_names_find(const struct lp_names *names, const char *text);
/* Reaches: rows of the matrix allow the pair. */
bool lp_graph_reaches(const struct lp_graph *graph, uint32_t from, uint32_t to);
/* The bitmap of a link without what one holder has taken. */
void lp_graph_bits_without(const struct lp_graph *graph, uint32_t link, uint32_t holder,
                           uint64_t *out);

static inline const uint64_t *
lp_graph_link_bits(const struct lp_graph *graph, uint32_t link)
{
    return graph->bits + (size_t)link * graph->words;
}

#endif
