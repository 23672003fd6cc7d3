/*
 * The search itself. Partial routes wait in a heap by what they cost so far plus the exact cost of
 * the shortest rest, which a reverse Dijkstra over the usable links gives: almost only prefixes of
 * answers come to the top, and answers come out in the order of their cost. Every rule that a
 * prefix breaks is broken by all that begins with it, so it can be dropped at once. Slots travel
 * along as bitmaps of the units a slot may begin at: a run is free on all links when it is free on
 * each, so that one AND a link is enough.
 *
 * When many prefixes die for want of a common slot, a second bound is made: for every node the
 * slots with which the end can be reached from there at all. It ends hopeless searches early.
 */
#include <string.h>

#include "optical/route_internal.h"

#define NONE     LP_GRAPH_NONE
#define PATIENCE 256 /* partial routes looked at before further bounds are worth their time */
#define NO_MASK  UINT32_MAX

/* ---- cost of the rest ---- */

static inline void
relax(struct lp_search *s, uint64_t *dist, uint32_t node, uint64_t cost)
{
    if (cost < dist[node]) {
        dist[node] = cost;
        lp_heap_push(&s->space->back_heap, cost, node);
    }
}

/* Backwards from what is in the heap, until the distance of a node is sure (NONE: of all). It can
 * go on from there later: most searches never ask about most nodes. */
static void
spread(struct lp_search *s, uint64_t *dist, uint32_t until)
{
    const struct lp_graph *graph = s->graph;
    struct lp_heap *heap = &s->space->back_heap;

    while (heap->count > 0 && (until == NONE || s->space->sure[until] == 0)) {
        const struct lp_heap_item top = lp_heap_pop(heap);
        uint32_t node = (uint32_t)top.tie;
        if (top.key != dist[node])
            continue; /* it came nearer in the meantime */
        s->frontier = top.key;
        s->space->sure[node] = 1;
        for (uint32_t a = graph->first[node]; a < graph->first[node + 1]; a++) {
            uint64_t cost = top.key + s->back_cost[a];
            if (cost < dist[graph->arcs[a].head] && lp_link_fine(s, graph->arcs[a].link))
                relax(s, dist, graph->arcs[a].head, cost);
        }
    }
    if (heap->count == 0)
        s->frontier = LP_FAR; /* what was not reached never will be */
}

static uint64_t *
rest_of(const struct lp_search *s, size_t layer)
{
    return s->space->dist + layer * s->graph->node_ids.count;
}

static void
clear_dist(const struct lp_search *s, uint64_t *dist)
{
    memset(dist, 0xff, s->graph->node_ids.count * sizeof(*dist));
}

/* From anywhere through a waypoint, and on as `then` says. */
static void
spread_from_way(struct lp_search *s, const struct lp_waypoint *way, const uint64_t *then,
                uint64_t *dist)
{
    const struct lp_graph *graph = s->graph;

    clear_dist(s, dist);
    if (!way->is_link) {
        if (then[way->index] != LP_FAR)
            relax(s, dist, way->index, then[way->index]);
    } else if (lp_link_fine(s, way->index)) {
        const struct lp_link *link = &graph->links[way->index];
        const uint32_t ends[] = {graph->ports[link->a_port].node, graph->ports[link->z_port].node};
        for (uint32_t e = 0; e < 2; e++)
            for (uint32_t a = graph->first[ends[e]]; a < graph->first[ends[e] + 1]; a++)
                if (graph->arcs[a].link == way->index && then[ends[1 - e]] != LP_FAR)
                    relax(s, dist, ends[e], then[ends[1 - e]] + s->cost[a]);
    }
    spread(s, dist, NONE);
}

/* Layer n: cost of the rest when n waypoints were passed (in order); in any order, layer way_count
 * is the plain rest and layer i the rest through waypoint i. Without waypoints the one layer grows
 * on demand. */
static void
measure_rest(struct lp_search *s)
{
    size_t ways = s->request->way_count;
    uint64_t *plain = rest_of(s, ways);

    memset(s->space->sure, 0, s->graph->node_ids.count);
    s->space->back_heap.count = 0;
    clear_dist(s, plain);
    relax(s, plain, s->z_node, 0);
    spread(s, plain, ways == 0 ? s->a_node : NONE);
    for (size_t i = ways; i-- > 0;)
        spread_from_way(s, &s->request->ways[i], s->request->any_order ? plain : rest_of(s, i + 1),
                        rest_of(s, i));
}

/* At least so much; exact where is_sure() says so. */
static uint64_t
rest(const struct lp_search *s, uint32_t node, uint16_t ways)
{
    size_t way_count = s->request->way_count;
    uint64_t most;

    if (way_count == 0)
        return s->space->sure[node] != 0 ? s->space->dist[node] : s->frontier;
    most = rest_of(s, s->request->any_order ? way_count : ways)[node];
    for (size_t i = 0; s->request->any_order && i < way_count; i++)
        if ((ways & 1u << i) == 0 && rest_of(s, i)[node] > most)
            most = rest_of(s, i)[node];
    return most;
}

static bool
is_sure(const struct lp_search *s, uint32_t node)
{
    return s->request->way_count > 0 || s->space->sure[node] != 0;
}

/* ---- slots with which the end can be reached ---- */

static uint64_t *
reach_of(const struct lp_search *s, uint32_t node)
{
    return s->space->reach + (size_t)node * LP_MOST_CARRIERS * s->graph->words;
}

/* What leads on from `via` over a link joins what is known of a node; says whether that is news. */
static bool
widen(struct lp_search *s, uint32_t node, uint32_t via, uint32_t link)
{
    size_t words = s->graph->words * s->carriers;
    const uint64_t *from = reach_of(s, via), *starts = lp_search_starts(s, link);
    uint64_t *to = reach_of(s, node), news = 0;

    for (size_t w = 0; w < words; w++) {
        uint64_t more = from[w] & starts[w] & ~to[w];
        to[w] |= more;
        news |= more;
    }
    return news != 0;
}

static void
measure_reach(struct lp_search *s)
{
    const struct lp_graph *graph = s->graph;
    struct lp_route_space *space = s->space;
    size_t nodes = graph->node_ids.count, words = graph->words, at = 0, waiting = 1;

    memset(space->reach, 0, nodes * LP_MOST_CARRIERS * words * sizeof(*space->reach));
    memset(space->queued, 0, nodes);
    for (size_t i = 0; i < s->carriers; i++)
        memcpy(reach_of(s, s->z_node) + i * words, s->root[i], words * sizeof(uint64_t));
    space->queue[0] = s->z_node;
    while (waiting > 0) {
        uint32_t node = space->queue[at];
        at = at + 1 == nodes ? 0 : at + 1;
        waiting--;
        space->queued[node] = 0;
        for (uint32_t a = graph->first[node]; a < graph->first[node + 1]; a++) {
            uint32_t other = graph->arcs[a].head;
            if (!lp_link_fine(s, graph->arcs[a].link) || other == s->z_node
                || !widen(s, other, node, graph->arcs[a].link) || space->queued[other] != 0)
                continue;
            space->queued[other] = 1;
            space->queue[(at + waiting) % nodes] = other;
            waiting++;
        }
    }
    s->has_reach = true;
}

/* ---- noise that the rest adds at least ---- */

static uint64_t *
noise_rest(const struct lp_search *s)
{
    return rest_of(s, LP_ROUTE_MOST_WAYS + 1);
}

/* With a plain queue: both heaps are in use, and it is rarely needed. */
static void
measure_noise(struct lp_search *s)
{
    const struct lp_graph *graph = s->graph;
    struct lp_route_space *space = s->space;
    size_t nodes = graph->node_ids.count, at = 0, waiting = 1;
    uint64_t *noise = noise_rest(s);

    clear_dist(s, noise);
    memset(space->queued, 0, nodes);
    noise[s->z_node] = 0;
    space->queue[0] = s->z_node;
    while (waiting > 0) {
        uint32_t node = space->queue[at];
        at = at + 1 == nodes ? 0 : at + 1;
        waiting--;
        space->queued[node] = 0;
        for (uint32_t a = graph->first[node]; a < graph->first[node + 1]; a++) {
            uint32_t other = graph->arcs[a].head;
            uint64_t sum = noise[node] + graph->noise[graph->arcs[a].link];
            if (sum >= noise[other] || !lp_link_fine(s, graph->arcs[a].link))
                continue;
            noise[other] = sum;
            if (space->queued[other] != 0)
                continue;
            space->queued[other] = 1;
            space->queue[(at + waiting) % nodes] = other;
            waiting++;
        }
    }
    s->has_noise = true;
}

/* Too noisy already, or with the quietest rest; that is measured once it mattered. */
static bool
is_noisy(struct lp_search *s, uint64_t noise, uint32_t node)
{
    if (s->noise_most == UINT64_MAX)
        return false;
    if (noise > s->noise_most) {
        if (!s->has_noise)
            measure_noise(s);
        return true;
    }
    return s->has_noise && noise_rest(s)[node] > s->noise_most - noise;
}

/* ---- partial routes ---- */

static bool
can_still_end(const struct lp_search *s, const uint64_t *mask, uint32_t node)
{
    size_t words = s->graph->words;

    if (!s->has_reach)
        return true;
    for (size_t i = 0; i < s->carriers; i++) {
        const uint64_t *reach = reach_of(s, node) + i * words;
        uint64_t some = 0;
        for (size_t w = 0; w < words; w++)
            some |= mask[i * words + w] & reach[w];
        if (some == 0)
            return false;
    }
    return true;
}

static bool
has_slot(const struct lp_search *s, const uint64_t *mask)
{
    size_t words = s->graph->words, at[LP_MOST_CARRIERS];
    struct lp_starts starts = {.count = s->carriers};
    uint64_t some = 0;

    if (s->carriers == 1) {
        for (size_t w = 0; w < words; w++)
            some |= mask[w];
        return some != 0;
    }
    for (size_t i = 0; i < s->carriers; i++) {
        starts.bits[i] = mask + i * words;
        starts.units[i] = s->units[i];
    }
    return lp_starts_pick(&starts, words, LP_ASSIGN_FIRST, at);
}

static uint64_t *
mask_at(const struct lp_search *s, uint32_t mask)
{
    return s->space->masks + (size_t)mask * LP_MOST_CARRIERS * s->graph->words;
}

/* Slots of a label: those of its parent that are free on its last link too. */
static bool
narrow(struct lp_search *s, struct lp_label *label)
{
    const struct lp_arc *arc = &s->graph->arcs[label->arc];
    const struct lp_label *parent = &s->space->labels[label->parent];
    uint32_t tail = s->graph->ports[arc->out_port].node;
    const uint64_t *starts = lp_search_starts(s, arc->link);
    uint64_t *mask = mask_at(s, (uint32_t)s->mask_count);
    size_t words = s->graph->words;

    if (lp_regenerates_at(s, tail)) {
        for (size_t i = 0; i < s->carriers; i++)
            for (size_t w = 0; w < words; w++)
                mask[i * words + w] = s->root[i][w] & starts[i * words + w];
    } else {
        const uint64_t *before = mask_at(s, parent->mask);
        for (size_t w = 0; w < words * s->carriers; w++)
            mask[w] = before[w] & starts[w];
    }
    if (!has_slot(s, mask) || !can_still_end(s, mask, arc->head))
        return false;
    label->mask = (uint32_t)s->mask_count++;
    return true;
}

static uint32_t
node_of(const struct lp_search *s, const struct lp_label *label)
{
    return label->arc == NONE ? s->a_node : s->graph->arcs[label->arc].head;
}

/* Marks the nodes of a partial route, so that no step leads back to one. */
static void
mark_seen(struct lp_search *s, const struct lp_label *label)
{
    struct lp_route_space *space = s->space;

    if (++space->seen_stamp == 0) {
        memset(space->node_seen, 0, space->nodes * sizeof(*space->node_seen));
        space->seen_stamp = 1;
    }
    for (; label->arc != NONE; label = &space->labels[label->parent])
        space->node_seen[s->graph->arcs[label->arc].head] = space->seen_stamp;
    space->node_seen[s->a_node] = space->seen_stamp;
}

/* Of equals the longer prefix comes first: it is nearer to an answer. */
static void
enqueue(struct lp_search *s, uint32_t index, uint64_t rest_cost)
{
    const struct lp_label *label = &s->space->labels[index];

    lp_heap_push(&s->space->heap, label->cost + rest_cost,
                 (uint64_t)(UINT16_MAX - label->depth) << 32 | index);
}

static void
push(struct lp_search *s, const struct lp_label *label, uint64_t rest_cost)
{
    struct lp_route_space *space = s->space;

    if (s->label_count == space->labels_room || label->depth > LP_ROUTE_MOST_LINKS - 2) {
        s->result->complete = false;
        return;
    }
    space->labels[s->label_count] = *label;
    enqueue(s, (uint32_t)s->label_count++, rest_cost);
}

/* One arc further, if no rule forbids it. */
static void
extend(struct lp_search *s, uint32_t index, uint32_t node, uint32_t a)
{
    const struct lp_graph *graph = s->graph;
    const struct lp_label *from = &s->space->labels[index];
    const struct lp_arc *arc = &graph->arcs[a];
    struct lp_label next = {.cost = from->cost + s->cost[a],
                            .noise = from->noise + graph->noise[arc->link],
                            .parent = index,
                            .arc = a,
                            .mask = NO_MASK,
                            .depth = (uint16_t)(from->depth + 1)};
    enum lp_route_rule rule =
        from->arc == NONE
            ? lp_search_leaves(s, arc->out_port)
            : lp_search_passes(s, node, graph->arcs[from->arc].in_port, arc->out_port);
    uint64_t rest_cost;

    if (rule == LP_RULE_COUNT && arc->head == s->z_node)
        rule = lp_search_arrives(s, arc->in_port);
    if (rule == LP_RULE_COUNT
        && (!lp_search_way(s, from->ways, arc->link, arc->head, &next.ways)
            || (arc->head == s->z_node && !lp_search_ways_done(s, next.ways))))
        rule = LP_RULE_WAYPOINT;
    if (rule == LP_RULE_COUNT && is_noisy(s, next.noise, arc->head))
        rule = LP_RULE_MARGIN;
    if (rule != LP_RULE_COUNT) {
        s->result->removed[rule]++;
        return;
    }
    rest_cost = rest(s, arc->head, next.ways);
    if (rest_cost != LP_FAR)
        push(s, &next, rest_cost);
}

static void
expand(struct lp_search *s, uint32_t index)
{
    const struct lp_graph *graph = s->graph;
    uint32_t node = node_of(s, &s->space->labels[index]);

    mark_seen(s, &s->space->labels[index]);
    for (uint32_t a = graph->first[node]; a < graph->first[node + 1]; a++)
        if (s->space->node_seen[graph->arcs[a].head] != s->space->seen_stamp
            && lp_link_fine(s, graph->arcs[a].link))
            extend(s, index, node, a);
}

/* ---- answers ---- */

static void
put_link(const struct lp_search *s, struct lp_route *route, uint32_t at, uint32_t link,
         uint32_t out_port)
{
    route->links[at] = link;
    route->reversed[at] = s->graph->links[link].a_port != out_port;
}

static void
answer(struct lp_search *s, const struct lp_label *label)
{
    struct lp_route *route = &s->result->routes[s->result->count];
    uint32_t at = label->depth + (s->a_cord != NONE ? 1u : 0u);

    route->link_count = at + (s->z_cord != NONE ? 1u : 0u);
    route->cost = label->cost;
    if (s->z_cord != NONE)
        put_link(s, route, at, s->z_cord, s->z_port);
    for (; label->arc != NONE; label = &s->space->labels[label->parent]) {
        const struct lp_arc *arc = &s->graph->arcs[label->arc];
        put_link(s, route, --at, arc->link, arc->out_port);
    }
    if (s->a_cord != NONE)
        put_link(s, route, 0, s->a_cord, s->request->a_port);
    if (lp_route_fill(s, route))
        s->result->count++;
    else
        s->result->removed[LP_RULE_CONTINUITY]++;
}

/* The start: slots that the cords inside the end devices leave. */
static bool
plant(struct lp_search *s)
{
    const uint32_t cords[] = {s->a_cord, s->z_cord};
    struct lp_label root = {.parent = NONE, .arc = NONE, .mask = 0};
    size_t words = s->graph->words;

    for (size_t c = 0; c < LP_COUNT(cords); c++) {
        if (cords[c] == NONE)
            continue;
        if (!lp_link_fine(s, cords[c]))
            return false;
        for (size_t i = 0; i < s->carriers; i++)
            for (size_t w = 0; w < words; w++)
                s->root[i][w] &= lp_search_starts(s, cords[c])[i * words + w];
    }
    s->mask_count = 1;
    for (size_t i = 0; i < s->carriers; i++)
        memcpy(mask_at(s, 0) + i * words, s->root[i], words * sizeof(uint64_t));
    if (!lp_search_way(s, 0, NONE, s->a_node, &root.ways)) {
        s->result->removed[LP_RULE_WAYPOINT]++;
        return false;
    }
    s->space->labels[0] = root;
    s->label_count = 1;
    return true;
}

/* Both ends on one device: there is one way at most. */
static void
stay_inside(struct lp_search *s)
{
    enum lp_route_rule rule = lp_search_arrives(s, NONE);

    if (rule == LP_RULE_COUNT && !lp_search_ways_done(s, s->space->labels[0].ways))
        rule = LP_RULE_WAYPOINT;
    if (rule == LP_RULE_COUNT)
        answer(s, &s->space->labels[0]);
    else
        s->result->removed[rule]++;
}

/* The end can still be reached without coming back to a device. */
static bool
can_escape(struct lp_search *s, const struct lp_label *label)
{
    const struct lp_graph *graph = s->graph;
    struct lp_route_space *space = s->space;
    size_t waiting = 1;

    mark_seen(s, label);
    space->queue[0] = node_of(s, label);
    if (space->queue[0] == s->z_node)
        return true;
    for (size_t at = 0; at < waiting; at++) {
        uint32_t node = space->queue[at];
        for (uint32_t a = graph->first[node]; a < graph->first[node + 1]; a++) {
            uint32_t head = graph->arcs[a].head;
            if (space->node_seen[head] == space->seen_stamp
                || !lp_link_fine(s, graph->arcs[a].link))
                continue;
            if (head == s->z_node)
                return true;
            space->node_seen[head] = space->seen_stamp;
            space->queue[waiting++] = head;
        }
    }
    return false;
}

/* False: this label leads nowhere. */
static bool
is_alive(struct lp_search *s, struct lp_label *label)
{
    bool is_long = s->result->looked_at > PATIENCE;

    if (is_long && s->carriers > 0 && !s->has_reach && !s->request->regenerate)
        measure_reach(s);
    if (s->has_reach && !can_still_end(s, mask_at(s, 0), s->a_node)) {
        s->space->heap.count = 0; /* no slot leads from end to end */
        s->result->removed[LP_RULE_CONTINUITY]++;
        return false;
    }
    if (is_noisy(s, label->noise, node_of(s, label))) {
        s->result->removed[LP_RULE_MARGIN]++;
        return false;
    }
    if (s->carriers > 0 && label->arc != NONE && !narrow(s, label)) {
        s->result->removed[LP_RULE_CONTINUITY]++;
        return false;
    }
    return !is_long || can_escape(s, label);
}

/* Its place in the heap came from a bound that was not sure yet: it may have to wait longer. */
static bool
must_wait(struct lp_search *s, uint32_t index, uint64_t key)
{
    const struct lp_label *label = &s->space->labels[index];
    uint32_t node = node_of(s, label);

    if (is_sure(s, node))
        return false;
    spread(s, s->space->dist, node);
    if (!is_sure(s, node))
        return true; /* no way from there */
    if (label->cost + s->space->dist[node] <= key)
        return false;
    enqueue(s, index, s->space->dist[node]);
    return true;
}

void
lp_search_run(struct lp_search *s)
{
    struct lp_heap *heap = &s->space->heap;

    if (!plant(s))
        return;
    if (s->a_node == s->z_node) {
        stay_inside(s);
        return;
    }
    heap->count = 0;
    measure_rest(s);
    if (rest(s, s->a_node, s->space->labels[0].ways) != LP_FAR)
        lp_heap_push(heap, 0, 0);
    while (heap->count > 0 && s->result->count < s->most) {
        const struct lp_heap_item top = lp_heap_pop(heap);
        uint32_t index = (uint32_t)top.tie;
        struct lp_label *label = &s->space->labels[index];
        if (must_wait(s, index, top.key))
            continue;
        if (s->result->looked_at == s->work) {
            s->result->complete = false;
            break;
        }
        s->result->looked_at++;
        if (!is_alive(s, label))
            continue;
        if (node_of(s, label) == s->z_node && label->arc != NONE)
            answer(s, label);
        else
            expand(s, index);
    }
}
