/*
 * Measures route and slot search beside a plain textbook one (Yen's algorithm over Dijkstra with a
 * binary heap, then first-fit) on the same loaded network and the same requests. Prints one JSON
 * object.
 *
 *   routing search coronet FILE    LIGHTPATHS REQUESTS SEED
 *   routing search NODES   LINKS   LIGHTPATHS REQUESTS SEED
 *   routing block  FILE    ERLANG  ARRIVALS   first|last SEED    blocking of a dynamic load
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "optical/route.h"

#define K          5
#define MOST_NODES 4096
#define MOST_LINKS 8192
#define MOST_PATH  256
#define WORDS      12
#define FAR        UINT64_MAX

struct pair {
    uint32_t a, z, length_m;
};

static struct pair links[MOST_LINKS];
static uint32_t node_count, link_count;
static uint32_t add_port[MOST_NODES], drop_port[MOST_NODES];
static struct lp_graph *graph;
static struct lp_route_space *space;
static struct lp_route_result *result;
static struct lp_err err = LP_ERR_INIT;
static uint64_t random_state;

static void
give_up(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, err.msg);
    exit(1);
}

static void
must(enum lp_code rc, const char *what)
{
    if (rc != LP_OK)
        give_up(what);
}

static uint64_t
next_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint32_t
pick(uint32_t below)
{
    return (uint32_t)(next_random() % below);
}

/* Time of this thread on a processor: what else the machine does is left out. */
static int64_t
now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- the network ---- */

static void
add_site(const char *name)
{
    const struct lp_node node = {
        .id = name, .name = name, .site = name, .domain = "bench", .role = LP_NODE_ROADM};
    const char *const kinds[] = {"add", "drop"};
    uint32_t index, *const ports[] = {add_port, drop_port};

    if (lp_graph_node(graph, name) != LP_GRAPH_NONE)
        return;
    must(lp_graph_add_node(graph, &node, &index, &err), "site");
    node_count++;
    for (size_t i = 0; i < 2; i++) {
        char id[96];
        struct lp_port port = {.id = id, .name = id, .node = index, .kind = LP_PORT_ADD_DROP};
        (void)snprintf(id, sizeof(id), "%s %s", name, kinds[i]);
        must(lp_graph_add_port(graph, &port, &ports[i][index], &err), "port");
    }
}

static uint32_t
line_port(uint32_t node, uint32_t link)
{
    char id[96];
    const struct lp_port port = {
        .id = id, .name = id, .node = node, .kind = LP_PORT_LINE, .degree = link + 1};
    uint32_t index;

    (void)snprintf(id, sizeof(id), "%u line %u", node, link);
    must(lp_graph_add_port(graph, &port, &index, &err), "line port");
    return index;
}

/* A route of many spans of 80 km as one link: the loss of one span with as much noise. */
static void
add_route(uint32_t a, uint32_t z, uint32_t length_m)
{
    char id[32], duct[32];
    const char *const risks[] = {duct};
    double spans = ceil(length_m / 80000.0);
    struct lp_link link = {.id = id,
                           .name = id,
                           .length_m = length_m,
                           .loss_cdb = (uint32_t)(2200 + 1000 * log10(spans)),
                           .risks = risks,
                           .risk_count = 1,
                           .seen_us = 1};

    (void)snprintf(id, sizeof(id), "link %u", link_count);
    (void)snprintf(duct, sizeof(duct), "duct %u", link_count / 2);
    link.a_port = line_port(a, link_count);
    link.z_port = line_port(z, link_count);
    must(lp_graph_add_link(graph, &link, NULL, &err), "link");
    links[link_count++] = (struct pair){a, z, length_m};
}

static void
read_links(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256], a[64], z[64];
    double km;

    if (file == NULL)
        give_up(path);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%63[^,],%63[^,],%lf", a, z, &km) != 3 || link_count == MOST_LINKS)
            continue; /* the heading */
        add_site(a);
        add_site(z);
        add_route(lp_graph_node(graph, a), lp_graph_node(graph, z), (uint32_t)(km * 1000));
    }
    (void)fclose(file);
}

/* A random tree, so that all is connected, and random links beside it. */
static void
make_links(uint32_t nodes, uint32_t wanted)
{
    for (uint32_t n = 0; n < nodes; n++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "site %u", n);
        add_site(name);
    }
    for (uint32_t n = 1; n < nodes; n++)
        add_route(n, pick(n), 20000 + pick(580000));
    while (link_count < wanted) {
        uint32_t a = pick(nodes), z = pick(nodes);
        if (a != z)
            add_route(a, z, 20000 + pick(580000));
    }
}

static void
begin(void)
{
    graph = lp_graph_new(lp_band_of("C"), &lp_osnr_defaults);
    space = lp_route_space_new();
    result = malloc(sizeof(*result));
    if (graph == NULL || space == NULL || result == NULL)
        give_up("memory");
}

/* ---- ours ---- */

static uint32_t avoided[2];
static const char *const avoided_risk[] = {"duct 3"};

static struct lp_route_request
request_of(uint32_t a, uint32_t z, int64_t width_mhz, size_t most)
{
    return (struct lp_route_request){
        .a_port = add_port[a],
        .z_port = drop_port[z],
        .most = most,
        .keep_order = true,
        .wanted = {.policy = LP_ASSIGN_FIRST,
                   .count = 1,
                   .width_mhz = {width_mhz},
                   .step_mhz = LP_GRID_RASTER_MHZ},
        .required_osnr_cdb = 500,
        .now_us = 1000,
        .max_age_us = 60000000,
    };
}

static void
find(const struct lp_route_request *request)
{
    must(lp_route_find(graph, request, space, result, &err), "route");
}

static void
take_route(const struct lp_route *route, const struct lp_range *slot, const char *holder)
{
    for (uint32_t i = 0; i < route->link_count; i++)
        must(lp_graph_take(graph, route->links[i], slot, holder, "bench", &err), "take");
}

static int64_t
random_width(void)
{
    return 12500 * (int64_t)(3 + pick(4));
}

static void
random_ends(uint32_t *a, uint32_t *z)
{
    *a = pick(node_count);
    do
        *z = pick(node_count);
    while (*z == *a);
}

/* ---- textbook ---- */

static uint32_t first_arc[MOST_NODES + 1], arc_head[2 * MOST_LINKS], arc_link[2 * MOST_LINKS];
static uint64_t arc_cost[2 * MOST_LINKS];
static uint64_t dist[MOST_NODES];
static uint32_t came_by[MOST_NODES]; /* arc */
static bool node_off[MOST_NODES], arc_off[2 * MOST_LINKS], settled[MOST_NODES];
static struct {
    uint64_t key;
    uint32_t node;
} heap[4 * MOST_LINKS];
static size_t heap_count;

struct path {
    uint32_t count, nodes[MOST_PATH], arcs[MOST_PATH];
    uint64_t cost;
};

static void
textbook_build(void)
{
    static uint32_t fill[MOST_NODES];

    for (uint32_t l = 0; l < link_count; l++) {
        first_arc[links[l].a + 1]++;
        first_arc[links[l].z + 1]++;
    }
    for (uint32_t n = 0; n < node_count; n++)
        first_arc[n + 1] += first_arc[n];
    memcpy(fill, first_arc, sizeof(fill));
    for (uint32_t l = 0; l < link_count; l++) {
        const uint32_t ends[] = {links[l].a, links[l].z};
        for (size_t e = 0; e < 2; e++) {
            uint32_t at = fill[ends[e]]++;
            arc_head[at] = ends[1 - e];
            arc_link[at] = l;
            arc_cost[at] = UINT64_C(1) << 40 | links[l].length_m;
        }
    }
}

static void
heap_push(uint64_t key, uint32_t node)
{
    size_t at = heap_count++;

    for (; at > 0 && key < heap[(at - 1) / 2].key; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at].key = key;
    heap[at].node = node;
}

static uint32_t
heap_pop(void)
{
    uint32_t top = heap[0].node;
    uint64_t key = heap[--heap_count].key;
    uint32_t node = heap[heap_count].node;
    size_t at = 0;

    for (size_t child; (child = 2 * at + 1) < heap_count; at = child) {
        if (child + 1 < heap_count && heap[child + 1].key < heap[child].key)
            child++;
        if (key <= heap[child].key)
            break;
        heap[at] = heap[child];
    }
    heap[at].key = key;
    heap[at].node = node;
    return top;
}

/* Appends the shortest way to `to` to a path that ends at its last node. */
static bool
dijkstra(uint32_t to, struct path *path)
{
    uint32_t from = path->nodes[path->count], hops = 0;

    memset(dist, 0xff, node_count * sizeof(dist[0]));
    memset(settled, 0, node_count * sizeof(settled[0]));
    heap_count = 0;
    dist[from] = 0;
    heap_push(0, from);
    while (heap_count > 0) {
        uint32_t node = heap_pop();
        if (settled[node])
            continue;
        settled[node] = true;
        if (node == to)
            break;
        for (uint32_t a = first_arc[node]; a < first_arc[node + 1]; a++) {
            uint32_t head = arc_head[a];
            if (arc_off[a] || node_off[head] || dist[node] + arc_cost[a] >= dist[head])
                continue;
            dist[head] = dist[node] + arc_cost[a];
            came_by[head] = a;
            heap_push(dist[head], head);
        }
    }
    if (dist[to] == FAR)
        return false;
    path->cost += dist[to];
    for (uint32_t node = to; node != from; hops++)
        node = arc_link[came_by[node]] != UINT32_MAX
                   ? (links[arc_link[came_by[node]]].a == node ? links[arc_link[came_by[node]]].z
                                                               : links[arc_link[came_by[node]]].a)
                   : from;
    for (uint32_t node = to, at = path->count + hops; node != from; at--) {
        const struct pair *link = &links[arc_link[came_by[node]]];
        path->nodes[at] = node;
        path->arcs[at - 1] = came_by[node];
        node = link->a == node ? link->z : link->a;
    }
    path->count += hops;
    return true;
}

static bool
same_path(const struct path *a, const struct path *b)
{
    return a->count == b->count && memcmp(a->arcs, b->arcs, a->count * sizeof(a->arcs[0])) == 0;
}

static struct path found[K], candidates[K * MOST_PATH];

/* One spur of the last path found, from its i-th node. */
static size_t
spur(size_t found_count, size_t candidate_count, uint32_t i, uint32_t to)
{
    const struct path *last = &found[found_count - 1];
    struct path *next = &candidates[candidate_count];
    bool good;

    for (size_t p = 0; p < found_count; p++)
        if (found[p].count > i && memcmp(found[p].arcs, last->arcs, i * sizeof(last->arcs[0])) == 0)
            arc_off[found[p].arcs[i]] = true;
    next->count = i;
    next->cost = 0;
    for (uint32_t n = 0; n < i; n++) {
        node_off[last->nodes[n]] = true;
        next->cost += arc_cost[last->arcs[n]];
    }
    memcpy(next->nodes, last->nodes, (i + 1) * sizeof(last->nodes[0]));
    memcpy(next->arcs, last->arcs, i * sizeof(last->arcs[0]));
    good = dijkstra(to, next);
    for (uint32_t n = 0; n < i; n++)
        node_off[last->nodes[n]] = false;
    for (size_t p = 0; p < found_count; p++)
        if (found[p].count > i)
            arc_off[found[p].arcs[i]] = false;
    for (size_t c = 0; good && c < candidate_count; c++)
        good = !same_path(next, &candidates[c]);
    return candidate_count + good;
}

static size_t
yen(uint32_t from, uint32_t to)
{
    size_t count = 0, waiting = 0;

    found[0].count = 0;
    found[0].cost = 0;
    found[0].nodes[0] = from;
    if (dijkstra(to, &found[0]))
        count = 1;
    while (count > 0 && count < K) {
        size_t best = 0;
        for (uint32_t i = 0; i < found[count - 1].count; i++)
            waiting = spur(count, waiting, i, to);
        if (waiting == 0)
            break;
        for (size_t c = 1; c < waiting; c++)
            if (candidates[c].cost < candidates[best].cost)
                best = c;
        found[count++] = candidates[best];
        candidates[best] = candidates[--waiting];
    }
    return count;
}

/* First-fit on each of the K paths. */
static size_t
textbook(uint32_t from, uint32_t to, int64_t width_mhz)
{
    size_t count = yen(from, to), fits = 0;

    for (size_t p = 0; p < count; p++) {
        uint64_t bits[WORDS], some = 0;
        memset(bits, 0xff, sizeof(bits));
        for (uint32_t a = 0; a < found[p].count; a++) {
            const uint64_t *link = lp_graph_bits(graph, arc_link[found[p].arcs[a]]);
            for (size_t w = 0; w < WORDS; w++)
                bits[w] &= link[w];
        }
        lp_bits_starts(bits, WORDS, (size_t)(width_mhz / LP_GRID_RASTER_MHZ), bits);
        for (size_t w = 0; w < WORDS; w++)
            some |= bits[w];
        fits += some != 0;
    }
    return fits;
}

/* ---- measuring ---- */

static int
by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
print_times(const char *name, int64_t *ns, size_t count)
{
    int64_t sum = 0;

    qsort(ns, count, sizeof(*ns), by_value);
    for (size_t i = 0; i < count; i++)
        sum += ns[i];
    printf("\"%s_p50_us\": %.2f, \"%s_p95_us\": %.2f, \"%s_p99_us\": %.2f, \"%s_max_us\": %.2f, "
           "\"%s_per_s\": %.0f, ",
           name, (double)ns[count / 2] / 1e3, name, (double)ns[count * 95 / 100] / 1e3, name,
           (double)ns[count * 99 / 100] / 1e3, name, (double)ns[count - 1] / 1e3, name,
           (double)count * 1e9 / (double)sum);
}

struct lightpath {
    uint32_t a, z, link_count, links[64];
    int64_t width_mhz;
};
static struct lightpath *lightpaths;

static uint32_t
load(uint32_t wanted)
{
    uint32_t placed = 0;

    for (uint32_t tries = 0; placed < wanted && tries < wanted * 40; tries++) {
        struct lightpath *path = &lightpaths[placed];
        struct lp_route_request request;
        char holder[32];
        random_ends(&path->a, &path->z);
        path->width_mhz = random_width();
        request = request_of(path->a, path->z, path->width_mhz, 1);
        find(&request);
        if (result->count == 0 || result->routes[0].link_count > 64)
            continue;
        (void)snprintf(holder, sizeof(holder), "h%u", placed);
        path->link_count = result->routes[0].link_count;
        memcpy(path->links, result->routes[0].links, path->link_count * sizeof(uint32_t));
        take_route(&result->routes[0], &result->routes[0].slot[0][0], holder);
        placed++;
    }
    return placed;
}

static void
measure_search(size_t requests)
{
    int64_t *mine = calloc(requests, sizeof(*mine)), *plain = calloc(requests, sizeof(*plain)),
            *one = calloc(requests, sizeof(*one));
    size_t ours_found = 0, plain_found = 0, incomplete = 0, looked = 0, most_looked = 0;

    if (mine == NULL || plain == NULL || one == NULL)
        give_up("memory");
    for (size_t i = 0; i < requests; i++) {
        uint32_t a, z;
        int64_t width = random_width(), begun;
        struct lp_route_request request;
        random_ends(&a, &z);
        request = request_of(a, z, width, K);
        avoided[0] = pick(link_count);
        request.exclude_links = avoided;
        request.exclude_link_count = 1;
        request.exclude_risks = avoided_risk;
        request.exclude_risk_count = 1;
        for (size_t turn = 0; turn < 2; turn++) {
            begun = now_ns();
            if ((i + turn) % 2 == 0) {
                plain_found += textbook(a, z, width);
                plain[i] = now_ns() - begun;
            } else {
                find(&request);
                mine[i] = now_ns() - begun;
                ours_found += result->count;
                incomplete += !result->complete;
                looked += result->looked_at;
                most_looked = result->looked_at > most_looked ? result->looked_at : most_looked;
            }
        }
        request.most = 1;
        begun = now_ns();
        find(&request);
        one[i] = now_ns() - begun;
    }
    print_times("ours", mine, requests);
    print_times("ours_one", one, requests);
    print_times("textbook", plain, requests);
    printf(
        "\"ours_routes\": %.2f, \"textbook_routes\": %.2f, \"incomplete\": %zu, \"looked\": %.0f, "
        "\"most_looked\": %zu, ",
        (double)ours_found / (double)requests, (double)plain_found / (double)requests, incomplete,
        (double)looked / (double)requests, most_looked);
    free(mine);
    free(plain);
    free(one);
}

/* Cuts the link that most lightpaths use, and finds each a new way (make-before-break: its own
 * light on other links is free for it). */
static void
measure_cut(uint32_t placed)
{
    uint32_t *load_of = calloc(link_count, sizeof(*load_of)), busiest = 0;
    size_t affected = 0, moved = 0;
    int64_t begun;

    if (load_of == NULL)
        give_up("memory");
    for (uint32_t p = 0; p < placed; p++)
        for (uint32_t l = 0; l < lightpaths[p].link_count; l++)
            load_of[lightpaths[p].links[l]]++;
    for (uint32_t l = 1; l < link_count; l++)
        busiest = load_of[l] > load_of[busiest] ? l : busiest;
    lp_graph_set_down(graph, busiest, true);
    begun = now_ns();
    for (uint32_t p = 0; p < placed; p++) {
        bool hit = false;
        for (uint32_t l = 0; l < lightpaths[p].link_count; l++)
            hit = hit || lightpaths[p].links[l] == busiest;
        if (hit) {
            char holder[32];
            struct lp_route_request request =
                request_of(lightpaths[p].a, lightpaths[p].z, lightpaths[p].width_mhz, 1);
            (void)snprintf(holder, sizeof(holder), "h%u", p);
            request.own = holder;
            find(&request);
            affected++;
            moved += result->count;
            if (result->count > 0) {
                (void)lp_graph_release(graph, holder);
                take_route(&result->routes[0], &result->routes[0].slot[0][0], holder);
            }
        }
    }
    printf("\"cut_affected\": %zu, \"cut_moved\": %zu, \"cut_us_each\": %.1f, ", affected, moved,
           affected == 0 ? 0 : (double)(now_ns() - begun) / 1e3 / (double)affected);
    free(load_of);
}

static int
run_search(char **words)
{
    uint32_t wanted = (uint32_t)strtoul(words[2], NULL, 10), placed;
    struct rusage usage;

    random_state = strtoull(words[4], NULL, 10);
    begin();
    if (strcmp(words[0], "coronet") == 0)
        read_links(words[1]);
    else
        make_links((uint32_t)strtoul(words[0], NULL, 10), (uint32_t)strtoul(words[1], NULL, 10));
    must(lp_graph_seal(graph, &err), "seal");
    textbook_build();
    lightpaths = calloc(wanted, sizeof(*lightpaths));
    if (lightpaths == NULL)
        give_up("memory");
    placed = load(wanted);
    printf("{\"nodes\": %u, \"links\": %u, \"placed\": %u, ", node_count, link_count, placed);
    measure_search(strtoul(words[3], NULL, 10));
    measure_cut(placed);
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("\"graph_bytes\": %zu, \"space_bytes\": %zu, \"rss_kb\": %ld}\n", lp_graph_memory(graph),
           lp_route_space_memory(space), usage.ru_maxrss);
    return 0;
}

/* ---- blocking ---- */

static double
random_unit(void)
{
    return ((double)(next_random() >> 11) + 1) / 9007199254740993.0;
}

struct call {
    double ends;
    uint32_t number;
};

/* Releases what has ended by now; returns how many are left. */
static uint32_t
hang_up(struct call *calls, uint32_t count, double now)
{
    for (uint32_t i = 0; i < count;) {
        char holder[32];
        if (calls[i].ends > now) {
            i++;
            continue;
        }
        (void)snprintf(holder, sizeof(holder), "h%u", calls[i].number);
        (void)lp_graph_release(graph, holder);
        calls[i] = calls[--count];
    }
    return count;
}

/* Poisson arrivals, exponential holding times of mean 1: the offered load is the rate. */
static int
run_block(char **words)
{
    double erlang = strtod(words[1], NULL), now = 0;
    uint32_t arrivals = (uint32_t)strtoul(words[2], NULL, 10), blocked = 0, counted = 0, live = 0;
    struct call *calls = calloc(arrivals, sizeof(*calls));
    bool last = strcmp(words[3], "last") == 0;

    random_state = strtoull(words[4], NULL, 10);
    begin();
    read_links(words[0]);
    must(lp_graph_seal(graph, &err), "seal");
    if (calls == NULL)
        give_up("memory");
    for (uint32_t i = 0; i < arrivals; i++) {
        uint32_t a, z;
        char holder[32];
        struct lp_route_request request;
        now -= log(random_unit()) / erlang;
        live = hang_up(calls, live, now);
        random_ends(&a, &z);
        request = request_of(a, z, random_width(), K);
        request.required_osnr_cdb = 0; /* blocking by spectrum alone */
        request.wanted.policy = last ? LP_ASSIGN_LAST : LP_ASSIGN_FIRST;
        find(&request);
        if (i > arrivals / 4) { /* the network is filled by then */
            counted++;
            blocked += result->count == 0;
        }
        if (result->count == 0)
            continue;
        (void)snprintf(holder, sizeof(holder), "h%u", i);
        take_route(&result->routes[0], &result->routes[0].slot[0][0], holder);
        calls[live++] = (struct call){now - log(random_unit()), i};
    }
    printf("{\"erlang\": %.0f, \"blocking\": %.5f}\n", erlang, (double)blocked / (double)counted);
    free(calls);
    return 0;
}

int
main(int argc, char **argv)
{
    int rc = 2;

    if (argc == 7 && strcmp(argv[1], "search") == 0)
        rc = run_search(argv + 2);
    else if (argc == 7 && strcmp(argv[1], "block") == 0)
        rc = run_block(argv + 2);
    else
        (void)fprintf(stderr, "usage: routing search|block ... (see the source)\n");
    free(lightpaths);
    free(result);
    lp_route_space_free(space);
    lp_graph_free(graph);
    lp_err_clear(&err);
    return rc;
}
