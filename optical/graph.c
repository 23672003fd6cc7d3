/* The network as routes see it. */
#include "optical/graph.h"

#include <stdlib.h>
#include <string.h>

#include "optical/graph_internal.h"

#define NONE LP_GRAPH_NONE

/* ---- texts ---- */

static uint32_t
hash_of(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

uint32_t
lp_names_find(const struct lp_names *names, const char *text)
{
    if (names->count == 0)
        return NONE;
    for (uint32_t at = hash_of(text) & names->slot_mask;; at = (at + 1) & names->slot_mask) {
        uint32_t slot = names->slots[at];
        if (slot == 0)
            return NONE;
        if (strcmp(names->texts[slot - 1], text) == 0)
            return slot - 1;
    }
}

static void
put_slot(struct lp_names *names, uint32_t index)
{
    uint32_t at = hash_of(names->texts[index]) & names->slot_mask;

    while (names->slots[at] != 0)
        at = (at + 1) & names->slot_mask;
    names->slots[at] = index + 1;
}

static bool
grow_names(struct lp_names *names)
{
    uint32_t room = names->room == 0 ? 32 : names->room * 2;
    const char **texts = reallocarray(names->texts, room, sizeof(*texts));
    uint32_t *slots = calloc((size_t)room * 2, sizeof(*slots));

    if (texts != NULL)
        names->texts = texts;
    if (texts == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(names->slots);
    names->slots = slots;
    names->slot_mask = room * 2 - 1;
    names->room = room;
    for (uint32_t i = 0; i < names->count; i++)
        put_slot(names, i);
    return true;
}

/* Copies the text; the caller has looked that it is new. NONE: no memory. */
static uint32_t
add_name(struct lp_graph *graph, struct lp_names *names, const char *text)
{
    const char *copy;

    if (names->count == names->room && !grow_names(names))
        return NONE;
    copy = lp_arena_strdup(graph->arena, text);
    if (copy == NULL)
        return NONE;
    names->texts[names->count] = copy;
    put_slot(names, names->count);
    return names->count++;
}

static void
free_names(struct lp_names *names)
{
    free(names->texts);
    free(names->slots);
}

/* Room for one more of an array that grows with its names. */
static bool
make_room(void *array, size_t size, uint32_t count)
{
    void **at = array;
    void *more;

    if ((count & (count - 1)) != 0 || (count != 0 && count < 16))
        return true; /* it was made at 0, 16, 32, 64... */
    more = reallocarray(*at, count == 0 ? 16 : (size_t)count * 2, size);
    if (more == NULL)
        return false;
    *at = more;
    return true;
}

/* ---- building ---- */

struct lp_graph *
lp_graph_new(const struct lp_band *band, const struct lp_osnr_rules *rules)
{
    struct lp_graph *graph = calloc(1, sizeof(*graph));

    if (graph == NULL)
        return NULL;
    graph->band = *band;
    graph->rules = *rules;
    graph->words = lp_band_words(band);
    graph->taking_free = NONE;
    graph->arena = lp_arena_new();
    if (graph->arena == NULL) {
        free(graph);
        return NULL;
    }
    return graph;
}

void
lp_graph_free(struct lp_graph *graph)
{
    if (graph == NULL)
        return;
    free_names(&graph->node_ids);
    free_names(&graph->port_ids);
    free_names(&graph->link_ids);
    free_names(&graph->risk_names);
    free_names(&graph->holder_ids);
    for (size_t i = 0; i < LP_COST_COUNT; i++) {
        free(graph->cost[i]);
        free(graph->back_cost[i]);
    }
    free(graph->nodes);
    free(graph->ports);
    free(graph->port_link);
    free(graph->port_has_reach);
    free(graph->links);
    free(graph->noise);
    free(graph->risks);
    free(graph->reach);
    free(graph->first);
    free(graph->arcs);
    free(graph->bits);
    free(graph->longest);
    free(graph->link_taken);
    free(graph->takings);
    free(graph->holder_taken);
    free(graph->holder_label);
    lp_arena_free(graph->arena);
    free(graph);
}

/* ---- copying ---- */

/* As many as make_room() has made room for. */
static size_t
room_for(uint32_t count)
{
    size_t room = 16;

    while (room < count)
        room *= 2;
    return room;
}

static bool
copy_array(void *to, const void *from, size_t size, uint32_t count)
{
    void **at = to;

    if (count == 0)
        return true;
    *at = calloc(room_for(count), size);
    if (*at != NULL)
        memcpy(*at, from, count * size);
    return *at != NULL;
}

static bool
copy_names(struct lp_names *to, const struct lp_names *from)
{
    if (from->count == 0)
        return true;
    to->texts = calloc(from->room, sizeof(*to->texts));
    to->slots = calloc((size_t)from->slot_mask + 1, sizeof(*to->slots));
    if (to->texts == NULL || to->slots == NULL)
        return false;
    memcpy(to->texts, from->texts, from->count * sizeof(*to->texts));
    memcpy(to->slots, from->slots, ((size_t)from->slot_mask + 1) * sizeof(*to->slots));
    to->count = from->count;
    to->room = from->room;
    to->slot_mask = from->slot_mask;
    return true;
}

static bool
copy_shape(struct lp_graph *to, const struct lp_graph *from)
{
    uint32_t nodes = from->node_ids.count, ports = from->port_ids.count,
             links = from->link_ids.count;

    to->reach_count = to->reach_room = from->reach_count;
    to->reach = calloc(from->reach_count + 1, sizeof(*to->reach));
    if (to->reach == NULL)
        return false;
    if (from->reach_count > 0)
        memcpy(to->reach, from->reach, from->reach_count * sizeof(*to->reach));
    return copy_names(&to->node_ids, &from->node_ids) && copy_names(&to->port_ids, &from->port_ids)
           && copy_names(&to->link_ids, &from->link_ids)
           && copy_names(&to->risk_names, &from->risk_names)
           && copy_array(&to->nodes, from->nodes, sizeof(*to->nodes), nodes)
           && copy_array(&to->ports, from->ports, sizeof(*to->ports), ports)
           && copy_array(&to->port_link, from->port_link, sizeof(*to->port_link), ports)
           && copy_array(&to->port_has_reach, from->port_has_reach, sizeof(*to->port_has_reach),
                         ports)
           && copy_array(&to->links, from->links, sizeof(*to->links), links)
           && copy_array(&to->noise, from->noise, sizeof(*to->noise), links)
           && copy_array(&to->risks, from->risks, sizeof(*to->risks), links);
}

struct lp_graph *
lp_graph_copy(const struct lp_graph *from)
{
    struct lp_graph *to = from->sealed ? NULL : lp_graph_new(&from->band, &from->rules);

    if (to != NULL && !copy_shape(to, from)) {
        lp_graph_free(to);
        to = NULL;
    }
    return to;
}

void
lp_graph_set_seen(struct lp_graph *graph, uint32_t link, int64_t seen_us)
{
    graph->links[link].seen_us = seen_us;
}

static enum lp_code
check_new(const struct lp_graph *graph, const struct lp_names *names, const char *kind,
          const char *id, struct lp_err *err)
{
    if (graph->sealed)
        return lp_fail(err, LP_INVALID, "the graph is sealed: %s %.64s comes too late", kind, id);
    if (lp_names_find(names, id) != NONE)
        return lp_fail(err, LP_INVALID, "%s %.64s stands in the graph twice", kind, id);
    return LP_OK;
}

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for the graph of the network");
}

static const char *
copy_text(struct lp_graph *graph, const char *text)
{
    return lp_arena_strdup(graph->arena, text != NULL ? text : "");
}

enum lp_code
lp_graph_add_node(struct lp_graph *graph, const struct lp_node *node, uint32_t *index,
                  struct lp_err *err)
{
    enum lp_code rc = check_new(graph, &graph->node_ids, "device", node->id, err);
    struct lp_node copy = *node;
    uint32_t at;

    if (rc != LP_OK)
        return rc;
    copy.name = copy_text(graph, node->name);
    copy.site = copy_text(graph, node->site);
    copy.domain = copy_text(graph, node->domain);
    if (copy.name == NULL || copy.site == NULL || copy.domain == NULL
        || !make_room(&graph->nodes, sizeof(*graph->nodes), graph->node_ids.count))
        return no_memory(err);
    at = add_name(graph, &graph->node_ids, node->id);
    if (at == NONE)
        return no_memory(err);
    copy.id = graph->node_ids.texts[at];
    graph->nodes[at] = copy;
    if (index != NULL)
        *index = at;
    return LP_OK;
}

enum lp_code
lp_graph_add_port(struct lp_graph *graph, const struct lp_port *port, uint32_t *index,
                  struct lp_err *err)
{
    enum lp_code rc = check_new(graph, &graph->port_ids, "port", port->id, err);
    struct lp_port copy = *port;
    uint32_t count = graph->port_ids.count, at;

    if (rc != LP_OK)
        return rc;
    if (port->node >= graph->node_ids.count)
        return lp_fail(err, LP_INVALID, "port %.64s is of no device of the graph", port->id);
    copy.name = copy_text(graph, port->name);
    if (copy.name == NULL || !make_room(&graph->ports, sizeof(*graph->ports), count)
        || !make_room(&graph->port_link, sizeof(*graph->port_link), count)
        || !make_room(&graph->port_has_reach, sizeof(*graph->port_has_reach), count))
        return no_memory(err);
    at = add_name(graph, &graph->port_ids, port->id);
    if (at == NONE)
        return no_memory(err);
    copy.id = graph->port_ids.texts[at];
    graph->ports[at] = copy;
    graph->port_link[at] = NONE;
    graph->port_has_reach[at] = false;
    if (index != NULL)
        *index = at;
    return LP_OK;
}

static enum lp_code
check_ends(const struct lp_graph *graph, const struct lp_link *link, struct lp_err *err)
{
    const uint32_t ends[] = {link->a_port, link->z_port};

    for (size_t i = 0; i < LP_COUNT(ends); i++) {
        if (ends[i] >= graph->port_ids.count)
            return lp_fail(err, LP_INVALID, "fiber %.64s ends at no port of the graph", link->id);
        if (graph->port_link[ends[i]] != NONE)
            return lp_fail(err, LP_CONFLICT, "port %.64s already ends %.64s",
                           graph->ports[ends[i]].name,
                           graph->link_ids.texts[graph->port_link[ends[i]]]);
    }
    if (link->a_port == link->z_port)
        return lp_fail(err, LP_INVALID, "fiber %.64s has one port at both ends", link->id);
    return LP_OK;
}

static bool
copy_risks(struct lp_graph *graph, const struct lp_link *link, const uint32_t **out)
{
    uint32_t *risks = lp_arena_array(graph->arena, link->risk_count + 1, sizeof(*risks));

    for (size_t i = 0; risks != NULL && i < link->risk_count; i++) {
        risks[i] = lp_names_find(&graph->risk_names, link->risks[i]);
        if (risks[i] == NONE)
            risks[i] = add_name(graph, &graph->risk_names, link->risks[i]);
        if (risks[i] == NONE)
            return false;
    }
    *out = risks;
    return risks != NULL;
}

enum lp_code
lp_graph_add_link(struct lp_graph *graph, const struct lp_link *link, uint32_t *index,
                  struct lp_err *err)
{
    enum lp_code rc = check_new(graph, &graph->link_ids, "fiber", link->id, err);
    uint32_t count = graph->link_ids.count, at;
    struct lp_link copy = *link;
    const uint32_t *risks;

    if (rc == LP_OK)
        rc = check_ends(graph, link, err);
    if (rc != LP_OK)
        return rc;
    if (copy.loss_cdb == 0 && link->osnr_cdb == 0)
        copy.loss_cdb = lp_osnr_guess_loss_cdb(&graph->rules, copy.length_m);
    if (copy.latency_ns == 0)
        copy.latency_ns = (uint32_t)((uint64_t)copy.length_m * 48967 / 10000);
    copy.risks = NULL;
    copy.name = copy_text(graph, link->name);
    if (copy.name == NULL || !copy_risks(graph, link, &risks)
        || !make_room(&graph->links, sizeof(*graph->links), count)
        || !make_room(&graph->noise, sizeof(*graph->noise), count)
        || !make_room(&graph->risks, sizeof(*graph->risks), count))
        return no_memory(err);
    at = add_name(graph, &graph->link_ids, link->id);
    if (at == NONE)
        return no_memory(err);
    copy.id = graph->link_ids.texts[at];
    graph->links[at] = copy;
    graph->risks[at] = risks;
    graph->noise[at] = link->kind == LP_LINK_PATCH ? 0
                       : link->osnr_cdb > 0        ? lp_noise_of_osnr(link->osnr_cdb)
                                                   : lp_noise_of_span(&graph->rules, copy.loss_cdb);
    graph->port_link[link->a_port] = graph->port_link[link->z_port] = at;
    if (index != NULL)
        *index = at;
    return LP_OK;
}

enum lp_code
lp_graph_add_reach(struct lp_graph *graph, uint32_t add_drop_port, uint32_t port,
                   struct lp_err *err)
{
    if (graph->sealed || add_drop_port >= graph->port_ids.count || port >= graph->port_ids.count
        || graph->ports[add_drop_port].node != graph->ports[port].node)
        return lp_fail(err, LP_INVALID, "an add/drop port reaches only ports of its own device");
    if (graph->reach_count == graph->reach_room) {
        size_t room = graph->reach_room == 0 ? 16 : graph->reach_room * 2;
        struct lp_reach *more = reallocarray(graph->reach, room, sizeof(*more));
        if (more == NULL)
            return no_memory(err);
        graph->reach = more;
        graph->reach_room = room;
    }
    graph->reach[graph->reach_count++] = (struct lp_reach){add_drop_port, port};
    graph->port_has_reach[add_drop_port] = true;
    return LP_OK;
}

/* ---- sealing ---- */

static int
by_from(const void *a, const void *b)
{
    const struct lp_reach *x = a, *y = b;

    return x->from != y->from ? (x->from > y->from) - (x->from < y->from)
                              : (x->to > y->to) - (x->to < y->to);
}

/* First by what the cost is called after, then by length (or spans): two numbers in one. */
static uint64_t
arc_cost(const struct lp_graph *graph, enum lp_route_cost kind, uint32_t tail, uint32_t l)
{
    const struct lp_link *link = &graph->links[l];
    uint64_t span = link->kind != LP_LINK_PATCH;
    uint64_t opens = span && graph->nodes[tail].role != LP_NODE_AMPLIFIER;
    const uint64_t most_noise = UINT64_C(1) << 36;

    switch (kind) {
    case LP_COST_OMS_HOPS:
        return opens << 40 | link->length_m;
    case LP_COST_HOPS:
        return span << 40 | link->length_m;
    case LP_COST_LENGTH:
        return (uint64_t)link->length_m << 16 | span;
    case LP_COST_LOSS:
        return (uint64_t)link->loss_cdb << 16 | span;
    case LP_COST_LATENCY:
        return (uint64_t)link->latency_ns << 16 | span;
    case LP_COST_MARGIN:
        return (graph->noise[l] < most_noise ? graph->noise[l] : most_noise) << 16 | span;
    case LP_COST_COUNT:
        break;
    }
    return 0;
}

static void
put_arc(struct lp_graph *graph, uint32_t *fill, uint32_t l, uint32_t out_port, uint32_t in_port)
{
    uint32_t tail = graph->ports[out_port].node, head = graph->ports[in_port].node;
    uint32_t at = fill[tail]++;

    graph->arcs[at] = (struct lp_arc){head, l, out_port, in_port};
    for (enum lp_route_cost kind = 0; kind < LP_COST_COUNT; kind++) {
        graph->cost[kind][at] = arc_cost(graph, kind, tail, l);
        graph->back_cost[kind][at] = arc_cost(graph, kind, head, l);
    }
}

/* A cord between two ports of one device is no arc: a route never comes back to a device. It counts
 * only at an end (see resolve_end of the search). */
static bool
is_inside(const struct lp_graph *graph, const struct lp_link *link)
{
    return graph->ports[link->a_port].node == graph->ports[link->z_port].node;
}

static bool
lay_arcs(struct lp_graph *graph)
{
    uint32_t nodes = graph->node_ids.count, links = graph->link_ids.count;
    uint32_t *fill = calloc((size_t)nodes + 1, sizeof(*fill));

    if (fill == NULL)
        return false;
    for (uint32_t l = 0; l < links; l++) {
        if (is_inside(graph, &graph->links[l]))
            continue;
        graph->first[graph->ports[graph->links[l].a_port].node + 1]++;
        graph->first[graph->ports[graph->links[l].z_port].node + 1]++;
    }
    for (uint32_t n = 0; n < nodes; n++)
        graph->first[n + 1] += graph->first[n];
    memcpy(fill, graph->first, nodes * sizeof(*fill));
    for (uint32_t l = 0; l < links; l++) {
        const struct lp_link *link = &graph->links[l];
        if (is_inside(graph, link))
            continue;
        put_arc(graph, fill, l, link->a_port, link->z_port);
        put_arc(graph, fill, l, link->z_port, link->a_port);
    }
    free(fill);
    return true;
}

static void
start_bits(const struct lp_graph *graph, uint32_t link, uint64_t *out)
{
    const struct lp_range *limit = &graph->links[link].limit;

    if (limit->high_mhz > limit->low_mhz) {
        memset(out, 0, graph->words * sizeof(*out));
        lp_bits_give(&graph->band, out, limit);
    } else {
        lp_bits_fill(&graph->band, out);
    }
}

static void
set_bits(struct lp_graph *graph, uint32_t link)
{
    uint64_t *bits = graph->bits + (size_t)link * graph->words;

    lp_graph_bits_without(graph, link, NONE - 1, bits);
    graph->longest[link] = (uint16_t)lp_bits_longest(bits, graph->words);
}

static bool
allocate_sealed(struct lp_graph *graph)
{
    size_t nodes = graph->node_ids.count, links = graph->link_ids.count;
    bool all = true;

    graph->first = calloc(nodes + 1, sizeof(*graph->first));
    graph->arcs = calloc(links * 2 + 1, sizeof(*graph->arcs));
    graph->bits = calloc(links * graph->words + 1, sizeof(*graph->bits));
    graph->longest = calloc(links + 1, sizeof(*graph->longest));
    graph->link_taken = calloc(links + 1, sizeof(*graph->link_taken));
    for (size_t i = 0; i < LP_COST_COUNT; i++) {
        graph->cost[i] = calloc(links * 2 + 1, sizeof(*graph->cost[i]));
        graph->back_cost[i] = calloc(links * 2 + 1, sizeof(*graph->back_cost[i]));
        all = all && graph->cost[i] != NULL && graph->back_cost[i] != NULL;
    }
    return all && graph->first != NULL && graph->arcs != NULL && graph->bits != NULL
           && graph->longest != NULL && graph->link_taken != NULL;
}

enum lp_code
lp_graph_seal(struct lp_graph *graph, struct lp_err *err)
{
    if (graph->sealed)
        return lp_fail(err, LP_INVALID, "the graph is sealed already");
    if (graph->link_ids.count > UINT32_MAX / 4 || !allocate_sealed(graph) || !lay_arcs(graph))
        return no_memory(err); /* what was allocated goes with the graph */
    graph->sealed = true;
    if (graph->reach_count > 1)
        qsort(graph->reach, graph->reach_count, sizeof(*graph->reach), by_from);
    for (uint32_t l = 0; l < graph->link_ids.count; l++) {
        graph->link_taken[l] = NONE;
        set_bits(graph, l);
    }
    return LP_OK;
}

/* ---- taking ---- */

static void
give_within(const struct lp_graph *graph, uint32_t link, const struct lp_range *range,
            uint64_t *out)
{
    const struct lp_range *limit = &graph->links[link].limit;
    struct lp_range part = *range;

    if (limit->high_mhz > limit->low_mhz) {
        part.low_mhz = part.low_mhz > limit->low_mhz ? part.low_mhz : limit->low_mhz;
        part.high_mhz = part.high_mhz < limit->high_mhz ? part.high_mhz : limit->high_mhz;
    }
    lp_bits_give(&graph->band, out, &part);
}

void
lp_graph_bits_without(const struct lp_graph *graph, uint32_t link, uint32_t holder, uint64_t *out)
{
    start_bits(graph, link, out);
    for (uint32_t t = graph->link_taken[link]; t != NONE; t = graph->takings[t].next_of_link)
        if (graph->takings[t].holder != holder)
            lp_bits_take(&graph->band, out, &graph->takings[t].range);
    if (holder == NONE - 1)
        return;
    /* What is ours is free, whatever light is seen there: it is ours too. */
    for (uint32_t t = graph->link_taken[link]; t != NONE; t = graph->takings[t].next_of_link)
        if (graph->takings[t].holder == holder)
            give_within(graph, link, &graph->takings[t].range, out);
}

static enum lp_code
holder_of(struct lp_graph *graph, const char *id, const char *label, uint32_t *out,
          struct lp_err *err)
{
    *out = id == NULL ? NONE : lp_names_find(&graph->holder_ids, id);
    if (id == NULL || *out != NONE)
        return LP_OK;
    if (!make_room(&graph->holder_taken, sizeof(*graph->holder_taken), graph->holder_ids.count)
        || !make_room(&graph->holder_label, sizeof(*graph->holder_label), graph->holder_ids.count))
        return no_memory(err);
    label = copy_text(graph, label);
    *out = label == NULL ? NONE : add_name(graph, &graph->holder_ids, id);
    if (*out == NONE)
        return no_memory(err);
    graph->holder_taken[*out] = NONE;
    graph->holder_label[*out] = label;
    return LP_OK;
}

static uint32_t
new_taking(struct lp_graph *graph)
{
    uint32_t at = graph->taking_free;

    if (at != NONE) {
        graph->taking_free = graph->takings[at].next_of_link;
        return at;
    }
    if (graph->taking_count == graph->taking_room) {
        uint32_t room = graph->taking_room == 0 ? 64 : graph->taking_room + graph->taking_room / 2;
        struct lp_taking *more = reallocarray(graph->takings, room, sizeof(*more));
        if (more == NULL)
            return NONE;
        graph->takings = more;
        graph->taking_room = room;
    }
    return graph->taking_count++;
}

enum lp_code
lp_graph_take(struct lp_graph *graph, uint32_t link, const struct lp_range *range,
              const char *holder, const char *label, struct lp_err *err)
{
    uint64_t *bits;
    uint32_t owner, at;
    enum lp_code rc;

    if (!graph->sealed || link >= graph->link_ids.count || range->low_mhz >= range->high_mhz)
        return lp_fail(err, LP_INVALID, "%lld-%lld MHz cannot be taken on link %u",
                       (long long)range->low_mhz, (long long)range->high_mhz, link);
    rc = holder_of(graph, holder, label, &owner, err);
    if (rc != LP_OK)
        return rc;
    at = new_taking(graph);
    if (at == NONE)
        return no_memory(err);
    graph->takings[at] = (struct lp_taking){*range, link, owner, graph->link_taken[link],
                                            owner == NONE ? NONE : graph->holder_taken[owner]};
    graph->link_taken[link] = at;
    if (owner != NONE)
        graph->holder_taken[owner] = at;
    bits = graph->bits + (size_t)link * graph->words;
    lp_bits_take(&graph->band, bits, range);
    graph->longest[link] = (uint16_t)lp_bits_longest(bits, graph->words);
    return LP_OK;
}

static void
unchain(struct lp_graph *graph, uint32_t taking)
{
    uint32_t *at = &graph->link_taken[graph->takings[taking].link];

    while (*at != taking)
        at = &graph->takings[*at].next_of_link;
    *at = graph->takings[taking].next_of_link;
}

size_t
lp_graph_release(struct lp_graph *graph, const char *holder)
{
    uint32_t owner = lp_names_find(&graph->holder_ids, holder);
    size_t released = 0;

    if (owner == NONE)
        return 0;
    for (uint32_t t = graph->holder_taken[owner], next; t != NONE; t = next) {
        next = graph->takings[t].next_of_holder;
        unchain(graph, t);
        graph->takings[t].next_of_link = graph->taking_free;
        graph->taking_free = t;
        set_bits(graph, graph->takings[t].link);
        released++;
    }
    graph->holder_taken[owner] = NONE;
    return released;
}

void
lp_graph_set_down(struct lp_graph *graph, uint32_t link, bool down)
{
    graph->links[link].down = down;
}

/* ---- reading ---- */

uint32_t
lp_graph_node(const struct lp_graph *graph, const char *id)
{
    return lp_names_find(&graph->node_ids, id);
}

uint32_t
lp_graph_port(const struct lp_graph *graph, const char *id)
{
    return lp_names_find(&graph->port_ids, id);
}

uint32_t
lp_graph_link(const struct lp_graph *graph, const char *id)
{
    return lp_names_find(&graph->link_ids, id);
}

uint32_t
lp_graph_link_at(const struct lp_graph *graph, uint32_t port)
{
    return port < graph->port_ids.count ? graph->port_link[port] : NONE;
}

uint32_t
lp_graph_far_port(const struct lp_graph *graph, uint32_t port)
{
    uint32_t link = lp_graph_link_at(graph, port);

    if (link == NONE)
        return NONE;
    return graph->links[link].a_port == port ? graph->links[link].z_port
                                             : graph->links[link].a_port;
}

size_t
lp_graph_node_count(const struct lp_graph *graph)
{
    return graph->node_ids.count;
}

size_t
lp_graph_port_count(const struct lp_graph *graph)
{
    return graph->port_ids.count;
}

size_t
lp_graph_link_count(const struct lp_graph *graph)
{
    return graph->link_ids.count;
}

const struct lp_node *
lp_graph_node_at(const struct lp_graph *graph, uint32_t node)
{
    return &graph->nodes[node];
}

const struct lp_port *
lp_graph_port_at(const struct lp_graph *graph, uint32_t port)
{
    return &graph->ports[port];
}

const struct lp_link *
lp_graph_link_data(const struct lp_graph *graph, uint32_t link)
{
    return &graph->links[link];
}

const struct lp_band *
lp_graph_band(const struct lp_graph *graph)
{
    return &graph->band;
}

const struct lp_osnr_rules *
lp_graph_rules(const struct lp_graph *graph)
{
    return &graph->rules;
}

const uint64_t *
lp_graph_bits(const struct lp_graph *graph, uint32_t link)
{
    return lp_graph_link_bits(graph, link);
}

bool
lp_graph_reaches(const struct lp_graph *graph, uint32_t from, uint32_t to)
{
    size_t low = 0, high = graph->reach_count;
    uint32_t degree = graph->ports[to].degree;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (graph->reach[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < graph->reach_count && graph->reach[low].from == from; low++)
        if (graph->reach[low].to == to
            || (degree != 0 && graph->ports[graph->reach[low].to].degree == degree))
            return true;
    return false;
}

bool
lp_graph_blocker(const struct lp_graph *graph, uint32_t link, const struct lp_range *range,
                 const char *own, struct lp_taken *out)
{
    uint32_t mine = own == NULL ? NONE - 1 : lp_names_find(&graph->holder_ids, own);
    const struct lp_taking *found = NULL;

    if (own != NULL && mine == NONE)
        mine = NONE - 1; /* it holds nothing: nobody is left out */
    for (uint32_t t = graph->link_taken[link]; t != NONE; t = graph->takings[t].next_of_link) {
        const struct lp_taking *taking = &graph->takings[t];
        if (taking->holder != mine && lp_range_overlaps(&taking->range, range)
            && (found == NULL || taking->range.low_mhz < found->range.low_mhz))
            found = taking;
    }
    if (found == NULL)
        return false;
    *out = (struct lp_taken){
        .range = found->range,
        .holder = found->holder == NONE ? NULL : graph->holder_ids.texts[found->holder],
        .label = found->holder == NONE ? NULL : graph->holder_label[found->holder]};
    return true;
}

size_t
lp_graph_memory(const struct lp_graph *graph)
{
    size_t nodes = graph->node_ids.count, ports = graph->port_ids.count,
           links = graph->link_ids.count, holders = graph->holder_ids.count;

    return sizeof(*graph) + nodes * (sizeof(*graph->nodes) + sizeof(*graph->first))
           + ports * (sizeof(*graph->ports) + sizeof(uint32_t) + sizeof(bool))
           + links
                 * (sizeof(*graph->links) + 2 * sizeof(struct lp_arc) + 40
                    + 4 * LP_COST_COUNT * sizeof(uint64_t) + graph->words * sizeof(uint64_t))
           + graph->taking_room * sizeof(*graph->takings)
           + holders * (sizeof(uint32_t) + sizeof(char *))
           + (nodes + ports + links + holders) * 40 /* ids, with their slots */;
}
