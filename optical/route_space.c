/* Memory of the route search, and its heap. */
#include <stdlib.h>
#include <string.h>

#include "optical/route_internal.h"

struct lp_route_space *
lp_route_space_new(void)
{
    return calloc(1, sizeof(struct lp_route_space));
}

static void
drop(struct lp_route_space *space)
{
    free(space->node_mark);
    free(space->link_mark);
    free(space->risk_mark);
    free(space->verdict);
    free(space->node_way);
    free(space->link_way);
    free(space->has_starts);
    free(space->has_own);
    free(space->queued);
    free(space->sure);
    free(space->own_longest);
    free(space->node_seen);
    free(space->queue);
    free(space->dist);
    free(space->starts);
    free(space->own_bits);
    free(space->reach);
    free(space->heap.items);
    free(space->back_heap.items);
    free(space->labels);
    free(space->masks);
    memset(space, 0, sizeof(*space));
}

void
lp_route_space_free(struct lp_route_space *space)
{
    if (space == NULL)
        return;
    drop(space);
    free(space);
}

size_t
lp_route_space_memory(const struct lp_route_space *space)
{
    return sizeof(*space) + space->memory;
}

struct part {
    void *at; /* address of the pointer */
    size_t count, size;
};

/* Not cleared: pages that no search needs are never touched. */
static bool
allocate(struct lp_route_space *space, const struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void **at = parts[i].at;
        *at = reallocarray(NULL, parts[i].count + 1, parts[i].size);
        if (*at == NULL)
            return false;
        space->memory += (parts[i].count + 1) * parts[i].size;
    }
    return true;
}

static bool
make(struct lp_route_space *space, size_t work)
{
    size_t nodes = space->nodes, links = space->links, masks = LP_MOST_CARRIERS * space->words;
    const struct part parts[] = {
        {&space->node_mark, nodes, 1},
        {&space->link_mark, links, 1},
        {&space->risk_mark, space->risks, 1},
        {&space->verdict, links, 1},
        {&space->node_way, nodes, 1},
        {&space->link_way, links, 1},
        {&space->has_starts, links, 1},
        {&space->has_own, links, 1},
        {&space->queued, nodes, 1},
        {&space->sure, nodes, 1},
        {&space->own_longest, links, sizeof(uint16_t)},
        {&space->node_seen, nodes, sizeof(uint32_t)},
        {&space->queue, nodes, sizeof(uint32_t)},
        {&space->dist, nodes * (LP_ROUTE_MOST_WAYS + 2), sizeof(uint64_t)},
        {&space->starts, links * masks, sizeof(uint64_t)},
        {&space->own_bits, links * space->words, sizeof(uint64_t)},
        {&space->reach, nodes * masks, sizeof(uint64_t)},
        {&space->heap.items, space->labels_room, sizeof(struct lp_heap_item)},
        {&space->back_heap.items, 2 * links + LP_ROUTE_MOST_WAYS, sizeof(struct lp_heap_item)},
        {&space->labels, space->labels_room, sizeof(struct lp_label)},
        {&space->masks, (work + 1) * masks, sizeof(uint64_t)},
    };

    return allocate(space, parts, LP_COUNT(parts));
}

enum lp_code
lp_space_fit(struct lp_route_space *space, const struct lp_graph *graph, size_t work,
             struct lp_err *err)
{
    size_t nodes = graph->node_ids.count, links = graph->link_ids.count,
           risks = graph->risk_names.count, labels = work * 4 + 64;

    if (space->nodes >= nodes && space->links >= links && space->risks >= risks
        && space->words >= graph->words && space->masks_room >= work)
        return LP_OK;
    drop(space);
    space->nodes = nodes;
    space->links = links;
    space->risks = risks;
    space->words = graph->words;
    space->labels_room = labels;
    space->masks_room = work;
    if (make(space, work)) {
        memset(space->node_seen, 0, (nodes + 1) * sizeof(*space->node_seen));
        memset(space->has_own, 0, links + 1);
        return LP_OK;
    }
    drop(space);
    return lp_fail(err, LP_NOMEM, "no memory for a route search");
}

/* ---- heap: four children a node, so that a step down stays within a cache line ---- */

static inline bool
before(const struct lp_heap_item *a, const struct lp_heap_item *b)
{
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

void
lp_heap_push(struct lp_heap *heap, uint64_t key, uint64_t tie)
{
    const struct lp_heap_item item = {key, tie};
    size_t at = heap->count++;

    while (at > 0 && before(&item, &heap->items[(at - 1) / 4])) {
        heap->items[at] = heap->items[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap->items[at] = item;
}

struct lp_heap_item
lp_heap_pop(struct lp_heap *heap)
{
    const struct lp_heap_item top = heap->items[0], last = heap->items[--heap->count];
    size_t at = 0;

    for (size_t child; (child = at * 4 + 1) < heap->count; at = child) {
        size_t end = child + 4 < heap->count ? child + 4 : heap->count;
        for (size_t other = child + 1; other < end; other++)
            if (before(&heap->items[other], &heap->items[child]))
                child = other;
        if (!before(&heap->items[child], &last))
            break;
        heap->items[at] = heap->items[child];
    }
    heap->items[at] = last;
    return top;
}
