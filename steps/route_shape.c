/* What the subscriptions say of the network, as routes see it: devices, the ports of fibers,
 * fibers; and what the elements last said of their light. Both are kept beside the store and taken
 * again as long as nothing changed: every search asks for the numbers that tell (one row for the
 * subscriptions, whose versions only ever grow, and the time of each reading), in the snapshot in
 * which it reads everything else. What is claimed is never kept. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "clients/driver.h"
#include "model/products_gen.h"
#include "products/product.h"
#include "steps/route_internal.h"
#include "store/db.h"

enum {
    MOST_FETCHED = 16,    /* readings that changed: up to here one by one, else all in one go */
    MOST_KEPT = 64 << 20, /* bytes of a shape; a larger one serves one search */
};

/* ---- devices ---- */

static const struct {
    const char *type;
    enum lp_node_role role;
    bool reads;
} device_types[] = {
    {"ROADM", LP_NODE_ROADM, true},
    {"Transponder+OADM", LP_NODE_ROADM, true},
    {"Amplifier", LP_NODE_AMPLIFIER, false}, /* its spectrum is told at the ends of the section */
    {"Transponder", LP_NODE_TRANSPONDER, false},
    {"Transceiver", LP_NODE_TRANSPONDER, false},
};

bool
lp_device_type_reads(const char *device_type)
{
    for (size_t i = 0; i < LP_COUNT(device_types); i++)
        if (strcmp(device_types[i].type, device_type) == 0)
            return device_types[i].reads;
    return false;
}

bool
lp_device_tells(const json_t *doc)
{
    const struct lp_driver *driver =
        lp_product_driver(lp_json_str(doc, LP_F_OPTICAL_DEVICE_PLATFORM, ""));

    return driver != NULL && driver->spectrum != NULL
           && lp_device_type_reads(lp_json_str(doc, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, ""));
}

static enum lp_node_role
role_of(const char *device_type)
{
    for (size_t i = 0; i < LP_COUNT(device_types); i++)
        if (strcmp(device_types[i].type, device_type) == 0)
            return device_types[i].role;
    return LP_NODE_TRANSPONDER; /* let nothing pass where it is not known */
}

static const char *
domain_of(const struct lp_conf *conf)
{
    const char *domain = lp_conf_live_text(&conf->naming_domain);

    return domain == NULL ? "" : domain;
}

/** Host name without the configured domain, or the name on the wire. */
static void
short_name(const char *domain, const json_t *doc, char *out, size_t size)
{
    const char *fqdn = lp_json_str(doc, LP_F_OPTICAL_DEVICE_FQDN, "?");
    size_t len = strlen(fqdn), tail = strlen(domain);

    (void)snprintf(out, size, "%s", lp_json_str(doc, LP_F_OPTICAL_DEVICE_NODE_NAME, fqdn));
    if (json_object_get(doc, LP_F_OPTICAL_DEVICE_NODE_NAME) == NULL && tail > 0 && len > tail + 1
        && fqdn[len - tail - 1] == '.' && strcmp(fqdn + len - tail, domain) == 0)
        (void)snprintf(out, size, "%.*s", (int)(len - tail - 1), fqdn);
}

/** What is known while building, gone afterwards. */
struct build {
    struct lp_reader *reader;
    struct lp_graph *graph;
    const struct lp_shape *shape; /* of which the nodes are known */
    struct lp_shape *making;      /* the same while it is made, else NULL */
    json_t *cards;                /* device -> {port name: group} */
    json_t *ends;                 /* fiber -> [{"port": index, "device"}] */
};

static enum lp_code
no_memory(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "no memory for the network");
}

static enum lp_code
add_device(struct build *b, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *id = lp_rows_text(rows, i, "id"), *text = lp_rows_text(rows, i, "doc"), *type;
    json_auto_t *doc = NULL;
    char name[256];
    struct lp_node node = {.id = id, .name = name, .site = ""};
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc != LP_OK)
        return rc;
    type = lp_json_str(doc, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, "");
    short_name(b->shape->domain, doc, name, sizeof name);
    node.domain = lp_json_str(doc, LP_F_OPTICAL_DEVICE_PLATFORM, "");
    node.role = role_of(type);
    b->making->nodes[i] = (struct lp_shape_node){.reads = lp_device_type_reads(type),
                                                 .tells = lp_device_tells(doc),
                                                 .cards = strcmp(type, "Transponder+OADM") == 0};
    return lp_graph_add_node(b->graph, &node, NULL, err);
}

static enum lp_code
read_devices(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(b->reader, LP_SQL_ROUTE_DEVICES, LP_NO_ARGS, &rows, err);

    if (rc == LP_OK) {
        b->making->nodes = calloc(lp_rows_count(rows) + 1, sizeof *b->making->nodes);
        if (b->making->nodes == NULL)
            rc = no_memory(err);
    }
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_device(b, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

/* ---- cards ---- */

/** Cards of a transponder with amplifier cards: light stays on its card. Numbers from 1. */
static enum lp_code
note_cards(struct build *b, const char *device, int64_t as_of, struct lp_err *err)
{
    struct lp_shape *shape = b->making;
    struct lp_shape_cards *more =
        reallocarray(shape->cards, shape->card_count + 1, sizeof *shape->cards);

    if (more == NULL)
        return no_memory(err);
    shape->cards = more;
    more[shape->card_count] = (struct lp_shape_cards){.as_of = as_of};
    (void)snprintf(more[shape->card_count++].device, sizeof more->device, "%s", device);
    return LP_OK;
}

static enum lp_code
read_cards(struct build *b, const char *device, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL, *groups = json_object(), *seen = json_object();
    const json_t *item;
    size_t i;
    enum lp_code rc =
        lp_reader_query(b->reader, LP_SQL_DEVICE_CACHE_GET,
                        LP_ARGS(lp_text("element", device), lp_text("kind", "ports")), &rows, err);

    if (rc == LP_OK && b->making != NULL)
        rc = note_cards(b, device, lp_rows_count(rows) == 1 ? lp_rows_int(rows, 0, "as_of") : 0,
                        err);
    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = lp_json_load(lp_rows_text(rows, 0, "doc"), strlen(lp_rows_text(rows, 0, "doc")), &doc,
                          err);
    lp_rows_free(rows);
    if (rc != LP_OK)
        return rc;
    json_array_foreach(json_object_get(doc, "items"), i, item)
    {
        const char *card = lp_json_str(item, "card", NULL), *name = lp_json_str(item, "name", "");

        if (card == NULL)
            continue;
        if (json_object_get(seen, card) == NULL)
            (void)lp_json_set_int(seen, card, (int64_t)json_object_size(seen) + 1);
        (void)lp_json_set_int(groups, name, lp_json_int(seen, card, 0));
    }
    return json_object_set(b->cards, device, groups) == 0 ? LP_OK : no_memory(err);
}

/* ---- ports ---- */

static bool
kind_of(const char *role, enum lp_port_kind *kind)
{
    enum lp_port_role known;

    if (!lp_port_role_from_name(role, &known))
        return false;
    switch (known) {
    case LP_PORT_OLS_LINE:
        *kind = LP_PORT_LINE;
        return true;
    case LP_PORT_OLS_ADD_DROP:
        *kind = LP_PORT_ADD_DROP;
        return true;
    case LP_PORT_TRX_LINE:
        *kind = LP_PORT_TRX;
        return true;
    case LP_PORT_TRX_CLIENT:
    case LP_PORT_ROLE_COUNT:
        break;
    }
    return false;
}

static enum lp_code
group_of(struct build *b, uint32_t node, const char *name, uint32_t *group, struct lp_err *err)
{
    const char *device = lp_graph_node_at(b->graph, node)->id;
    enum lp_code rc = LP_OK;

    *group = 0;
    if (!b->shape->nodes[node].cards)
        return LP_OK;
    if (json_object_get(b->cards, device) == NULL)
        rc = read_cards(b, device, err);
    if (rc == LP_OK)
        *group = (uint32_t)lp_json_int(json_object_get(b->cards, device), name, 0);
    return rc;
}

/** *index = LP_GRAPH_NONE: it carries no line light (a client port), or its device is gone. */
static enum lp_code
add_port(struct build *b, const char *id, const char *device, const json_t *doc, uint32_t *index,
         struct lp_err *err)
{
    const char *name = lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, "");
    struct lp_port port = {.id = id, .name = name, .node = lp_graph_node(b->graph, device)};
    enum lp_code rc;

    *index = LP_GRAPH_NONE;
    if (port.node == LP_GRAPH_NONE
        || !kind_of(lp_json_str(doc, LP_F_OPTICAL_DEVICE_PORT_ROLE, ""), &port.kind))
        return LP_OK;
    rc = group_of(b, port.node, name, &port.group, err);
    return rc == LP_OK ? lp_graph_add_port(b->graph, &port, index, err) : rc;
}

static enum lp_code
add_end(struct build *b, const struct lp_rows *rows, size_t i, struct lp_err *err)
{
    const char *fiber = lp_rows_text(rows, i, "fiber_id"), *text = lp_rows_text(rows, i, "doc");
    const char *device = lp_rows_text(rows, i, "device_id"), *id = lp_rows_text(rows, i, "port_id");
    json_auto_t *doc = NULL;
    json_t *ends;
    uint32_t index;
    enum lp_code rc = lp_json_load(text, strlen(text), &doc, err);

    if (rc == LP_OK)
        rc = add_port(b, id, device, doc, &index, err);
    if (rc != LP_OK || index == LP_GRAPH_NONE)
        return rc;
    ends = json_object_get(b->ends, fiber);
    if (ends == NULL) {
        ends = json_array();
        if (json_object_set_new(b->ends, fiber, ends) != 0)
            return no_memory(err);
    }
    return json_array_append_new(
               ends, json_pack("{s:I, s:s}", "port", (json_int_t)index, "device", device))
                   == 0
               ? LP_OK
               : no_memory(err);
}

static enum lp_code
read_ends(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(b->reader, LP_SQL_ROUTE_ENDS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++)
        rc = add_end(b, rows, i, err);
    lp_rows_free(rows);
    return rc;
}

/* ---- fibers ---- */

bool
lp_fiber_limit(const json_t *doc, struct lp_range *limit)
{
    int64_t guard = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_GUARD_MHZ, 0);

    *limit = (struct lp_range){0, 0};
    if (strcmp(lp_json_str(doc, LP_F_OPTICAL_FIBER_KIND, ""), "leased") != 0)
        return false;
    limit->low_mhz = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ, 0) + guard;
    limit->high_mhz = lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ, 0) - guard;
    return true;
}

/** Losses and the like; the worse direction counts. */
static void
fill_link(const struct lp_graph *graph, struct lp_link *link, const json_t *doc)
{
    int64_t az = lp_json_int(doc, LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB, 0);
    int64_t za = lp_json_int(doc, LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB, 0);
    int64_t measured = az > za ? az : za;

    link->name = lp_json_str(doc, LP_F_OPTICAL_FIBER_FIBER_NAME, "?");
    link->kind = strcmp(lp_json_str(doc, LP_F_OPTICAL_FIBER_KIND, "span"), "patch") == 0
                     ? LP_LINK_PATCH
                     : LP_LINK_SPAN;
    if (lp_fiber_limit(doc, &link->limit)) {
        link->kind = LP_LINK_LEASED;
        link->osnr_cdb = (int32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LEASED_OSNR_CDB, 0);
    }
    if (link->kind == LP_LINK_LEASED && link->osnr_cdb == 0)
        link->osnr_cdb = lp_osnr_guess_cdb(
            lp_graph_rules(graph), (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LENGTH_M, 0));
    link->length_m = (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LENGTH_M, 0);
    link->loss_cdb =
        (uint32_t)(measured > 0 ? measured
                                : lp_json_int(doc, LP_F_OPTICAL_FIBER_EXPECTED_LOSS_CDB, 0));
    link->latency_ns = (uint32_t)lp_json_int(doc, LP_F_OPTICAL_FIBER_LATENCY_NS, 0);
}

/** A patch cord between ports of one device. */
static enum lp_code
add_inside(struct lp_shape *shape, const char *fiber, const json_t *ends, struct lp_err *err)
{
    struct lp_shape_inside *more =
        reallocarray(shape->inside, shape->inside_count + 1, sizeof *shape->inside);
    struct lp_shape_inside *one;

    if (more == NULL)
        return no_memory(err);
    shape->inside = more;
    one = &more[shape->inside_count++];
    (void)snprintf(one->fiber, sizeof one->fiber, "%s", fiber);
    one->a_port = (uint32_t)lp_json_int(json_array_get(ends, 0), "port", 0);
    one->z_port = (uint32_t)lp_json_int(json_array_get(ends, 1), "port", 0);
    return LP_OK;
}

static enum lp_code
add_fiber(struct build *b, const char *id, const json_t *doc, struct lp_err *err)
{
    const json_t *ends = json_object_get(b->ends, id), *names, *name;
    const char *risks[64];
    struct lp_link link = {.id = id, .risks = risks};
    size_t i;

    if (json_array_size(ends) != 2)
        return LP_OK; /* a client's patch cord, or a device that is gone */
    if (strcmp(lp_json_str(json_array_get(ends, 0), "device", ""),
               lp_json_str(json_array_get(ends, 1), "device", ""))
        == 0)
        return add_inside(b->making, id, ends, err);
    fill_link(b->graph, &link, doc);
    link.a_port = (uint32_t)lp_json_int(json_array_get(ends, 0), "port", 0);
    link.z_port = (uint32_t)lp_json_int(json_array_get(ends, 1), "port", 0);
    names = json_object_get(doc, LP_F_OPTICAL_FIBER_SHARED_RISKS);
    json_array_foreach(names, i, name)
    {
        if (link.risk_count < LP_COUNT(risks) && json_is_string(name))
            risks[link.risk_count++] = json_string_value(name);
    }
    return lp_graph_add_link(b->graph, &link, NULL, err);
}

static enum lp_code
read_fibers(struct build *b, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(b->reader, LP_SQL_ROUTE_FIBERS, LP_NO_ARGS, &rows, err);

    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        const char *text = lp_rows_text(rows, i, "doc");
        json_auto_t *doc = NULL;

        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK)
            rc = add_fiber(b, lp_rows_text(rows, i, "id"), doc, err);
    }
    lp_rows_free(rows);
    return rc;
}

enum lp_code
lp_shape_add_wished(const struct lp_shape *shape, struct lp_reader *reader, const json_t *wish,
                    const char *member, struct lp_graph *graph, struct lp_err *err)
{
    const char *id = lp_json_str(wish, member, NULL), *text;
    json_auto_t *cards = json_object();
    struct build b = {.reader = reader, .graph = graph, .shape = shape, .cards = cards};
    struct lp_rows *rows = NULL;
    json_auto_t *doc = NULL;
    uint32_t index = LP_GRAPH_NONE;
    enum lp_code rc;

    if (id == NULL)
        return lp_fail_at(err, LP_INVALID, member, "a route needs both ends: %s is missing",
                          member);
    if (lp_graph_port(graph, id) != LP_GRAPH_NONE || lp_graph_node(graph, id) != LP_GRAPH_NONE)
        return LP_OK;
    rc = lp_reader_query(reader, LP_SQL_ROUTE_PORT, LP_ARGS(lp_text("id", id)), &rows, err);
    if (rc == LP_OK && lp_rows_count(rows) == 1) {
        text = lp_rows_text(rows, 0, "doc");
        rc = lp_json_load(text, strlen(text), &doc, err);
        if (rc == LP_OK)
            rc = add_port(&b, id, lp_rows_text(rows, 0, "device_id"), doc, &index, err);
    }
    lp_rows_free(rows);
    if (rc == LP_OK && index == LP_GRAPH_NONE)
        rc = lp_fail_at(err, LP_NOT_FOUND, member,
                        "%.64s is neither a device nor a port for line light", id);
    return rc;
}

/* ---- the shape ---- */

static int
by_place(const void *a, const void *b)
{
    const struct lp_shape_line *x = a, *y = b;

    return x->node != y->node ? (x->node > y->node) - (x->node < y->node)
                              : strcmp(x->port, y->port);
}

static void
add_line(struct lp_shape *shape, uint32_t link, uint32_t port)
{
    const struct lp_port *at = lp_graph_port_at(shape->graph, port);

    if (at->kind == LP_PORT_LINE && shape->nodes[at->node].reads)
        shape->lines[shape->line_count++] = (struct lp_shape_line){at->node, link, at->name};
}

/** Which ports tell the light of which fiber. */
static enum lp_code
note_lines(struct lp_shape *shape, struct lp_err *err)
{
    size_t count = lp_graph_link_count(shape->graph);

    shape->lines = calloc(2 * count + 1, sizeof *shape->lines);
    if (shape->lines == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        add_line(shape, i, lp_graph_link_data(shape->graph, i)->a_port);
        add_line(shape, i, lp_graph_link_data(shape->graph, i)->z_port);
    }
    qsort(shape->lines, shape->line_count, sizeof *shape->lines, by_place);
    return LP_OK;
}

uint32_t
lp_shape_link_at(const struct lp_shape *shape, uint32_t node, const char *port)
{
    const struct lp_shape_line key = {.node = node, .port = port};
    const struct lp_shape_line *found =
        bsearch(&key, shape->lines, shape->line_count, sizeof *shape->lines, by_place);

    return found == NULL ? LP_GRAPH_NONE : found->link;
}

static void
shape_drop(struct lp_shape *shape)
{
    if (shape == NULL || atomic_fetch_sub(&shape->refs, 1) != 1)
        return;
    lp_graph_free(shape->graph);
    free(shape->nodes);
    free(shape->lines);
    free(shape->inside);
    free(shape->cards);
    free(shape->domain);
    free(shape);
}

static enum lp_code
read_all(struct build *b, struct lp_err *err)
{
    enum lp_code rc = read_devices(b, err);

    if (rc == LP_OK)
        rc = read_ends(b, err);
    if (rc == LP_OK)
        rc = read_fibers(b, err);
    return rc == LP_OK ? note_lines(b->making, err) : rc;
}

static enum lp_code
shape_read(const struct lp_route_source *source, struct lp_reader *reader,
           const struct lp_stamp *stamp, struct lp_shape **out, struct lp_err *err)
{
    json_auto_t *cards = json_object(), *ends = json_object();
    struct lp_shape *shape = calloc(1, sizeof *shape);
    struct build b = {
        .reader = reader, .shape = shape, .making = shape, .cards = cards, .ends = ends};
    enum lp_code rc = LP_OK;

    if (shape == NULL)
        return no_memory(err);
    atomic_init(&shape->refs, 1);
    shape->stamp.subscriptions = stamp->subscriptions;
    shape->stamp.versions = stamp->versions;
    shape->stamp.active = stamp->active;
    shape->band = lp_route_band(source->conf);
    shape->domain = strdup(domain_of(source->conf));
    shape->rules = lp_route_osnr(source->conf);
    b.graph = shape->graph = lp_graph_new(shape->band, &shape->rules);
    if (cards == NULL || ends == NULL || shape->domain == NULL || shape->graph == NULL)
        rc = no_memory(err);
    if (rc == LP_OK)
        rc = read_all(&b, err);
    if (rc == LP_OK)
        *out = shape;
    else
        shape_drop(shape);
    return rc;
}

/* ---- readings ---- */

static void
reading_drop(struct lp_reading *reading)
{
    if (reading == NULL || atomic_fetch_sub(&reading->refs, 1) != 1)
        return;
    lp_arena_free(reading->arena);
    free(reading);
}

static void
readings_drop(struct lp_readings *readings)
{
    if (readings == NULL || atomic_fetch_sub(&readings->refs, 1) != 1)
        return;
    for (size_t i = 0; i < readings->count; i++)
        reading_drop(readings->rows[i]);
    free((void *)readings->rows);
    free(readings);
}

static enum lp_code
fill_reading(struct lp_reading *reading, const json_t *items, struct lp_err *err)
{
    const json_t *item;
    size_t i;

    reading->items =
        lp_arena_array(reading->arena, json_array_size(items) + 1, sizeof *reading->items);
    if (reading->items == NULL)
        return no_memory(err);
    json_array_foreach(items, i, item)
    {
        struct lp_seen_light *light = &reading->items[reading->count++];

        light->range =
            (struct lp_range){lp_json_int(item, "low_mhz", 0), lp_json_int(item, "high_mhz", 0)};
        light->port = lp_arena_strdup(reading->arena, lp_json_str(item, "port", ""));
        if (light->port == NULL)
            return no_memory(err);
    }
    return LP_OK;
}

static enum lp_code
new_reading(const char *device, int64_t as_of, const char *text, struct lp_reading **out,
            struct lp_err *err)
{
    struct lp_reading *reading = calloc(1, sizeof *reading);
    json_auto_t *doc = NULL;
    enum lp_code rc;

    if (reading == NULL)
        return no_memory(err);
    atomic_init(&reading->refs, 1);
    (void)snprintf(reading->device, sizeof reading->device, "%s", device);
    reading->as_of = as_of;
    reading->arena = lp_arena_new();
    rc = reading->arena == NULL ? no_memory(err) : lp_json_load(text, strlen(text), &doc, err);
    if (rc == LP_OK)
        rc = fill_reading(reading, json_object_get(doc, "items"), err);
    if (rc == LP_OK)
        *out = reading;
    else
        reading_drop(reading);
    return rc;
}

static int
by_device(const void *key, const void *at)
{
    return strcmp(key, (*(struct lp_reading *const *)at)->device);
}

const struct lp_reading *
lp_reading_of(const struct lp_readings *readings, const char *device)
{
    struct lp_reading *const *found =
        readings == NULL || readings->count == 0
            ? NULL
            : bsearch(device, (const void *)readings->rows, readings->count, sizeof *readings->rows,
                      by_device);

    return found == NULL ? NULL : *found;
}

/** One changed reading: from the rows of all of them, which come in the same order, or by itself.
 */
static enum lp_code
fetch_reading(struct lp_reader *reader, const struct lp_rows *all, size_t *at, const char *device,
              struct lp_reading **out, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    if (all != NULL) {
        while (*at < lp_rows_count(all) && strcmp(lp_rows_text(all, *at, "element_id"), device) < 0)
            (*at)++;
        if (*at < lp_rows_count(all) && strcmp(lp_rows_text(all, *at, "element_id"), device) == 0)
            return new_reading(device, lp_rows_int(all, *at, "as_of"),
                               lp_rows_text(all, *at, "doc"), out, err);
        return LP_OK; /* of a device that is gone */
    }
    rc = lp_reader_query(reader, LP_SQL_DEVICE_CACHE_GET,
                         LP_ARGS(lp_text("element", device), lp_text("kind", "spectrum")), &rows,
                         err);
    if (rc == LP_OK && lp_rows_count(rows) == 1)
        rc = new_reading(device, lp_rows_int(rows, 0, "as_of"), lp_rows_text(rows, 0, "doc"), out,
                         err);
    lp_rows_free(rows);
    return rc;
}

/** As they are now; those that did not change are shared with `known`. */
static enum lp_code
readings_read(struct lp_reader *reader, const struct lp_stamp *stamp,
              const struct lp_readings *known, size_t changed, struct lp_readings **out,
              struct lp_err *err)
{
    struct lp_readings *made = calloc(1, sizeof *made);
    struct lp_rows *all = NULL;
    size_t at = 0;
    enum lp_code rc = LP_OK;

    if (made == NULL)
        return no_memory(err);
    atomic_init(&made->refs, 1);
    made->rows = calloc(stamp->readings + 1, sizeof *made->rows);
    if (made->rows == NULL)
        rc = no_memory(err);
    if (rc == LP_OK && changed > MOST_FETCHED)
        rc = lp_reader_query(reader, LP_SQL_ROUTE_READINGS, LP_NO_ARGS, &all, err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(stamp->rows); i++) {
        const char *device = lp_rows_text(stamp->rows, i, "element_id");
        const struct lp_reading *old = lp_reading_of(known, device);
        struct lp_reading *one = NULL;

        if (strcmp(lp_rows_text(stamp->rows, i, "kind"), "spectrum") != 0)
            continue;
        if (old != NULL && old->as_of == lp_rows_int(stamp->rows, i, "as_of")) {
            one = (struct lp_reading *)(uintptr_t)old;
            atomic_fetch_add(&one->refs, 1);
        } else {
            rc = fetch_reading(reader, all, &at, device, &one, err);
        }
        if (one != NULL)
            made->rows[made->count++] = one;
    }
    lp_rows_free(all);
    if (rc == LP_OK)
        *out = made;
    else
        readings_drop(made);
    return rc;
}

/* ---- what is kept ---- */

struct kept {
    pthread_mutex_t lock; /* guards the pointers and the counters, never a query */
    struct lp_shape *shape;
    struct lp_readings *readings;
    struct lp_route_reads reads;
};

static void *
kept_make(void)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (kept != NULL)
        (void)pthread_mutex_init(&kept->lock, NULL);
    return kept;
}

static void
kept_drop(void *arg)
{
    struct kept *kept = arg;

    shape_drop(kept->shape);
    readings_drop(kept->readings);
    (void)pthread_mutex_destroy(&kept->lock);
    free(kept);
}

static struct kept *
kept_of(struct lp_store *store)
{
    return lp_store_beside(store, kept_make, kept_drop);
}

static void
kept_take(struct kept *kept, struct lp_shape **shape, struct lp_readings **readings)
{
    if (kept == NULL)
        return;
    (void)pthread_mutex_lock(&kept->lock);
    *shape = kept->shape;
    *readings = kept->readings;
    if (*shape != NULL)
        atomic_fetch_add(&(*shape)->refs, 1);
    if (*readings != NULL)
        atomic_fetch_add(&(*readings)->refs, 1);
    (void)pthread_mutex_unlock(&kept->lock);
}

/** A search whose snapshot is older does not push out what a newer one has read. */
static void
kept_put(struct kept *kept, struct lp_shape *shape, struct lp_readings *readings)
{
    struct lp_shape *old_shape = NULL;
    struct lp_readings *old_readings = NULL;

    if (kept == NULL)
        return;
    (void)pthread_mutex_lock(&kept->lock);
    if (shape != NULL) {
        kept->reads.shapes++;
        if (lp_graph_memory(shape->graph) <= MOST_KEPT
            && (kept->shape == NULL || kept->shape->stamp.versions <= shape->stamp.versions)) {
            old_shape = kept->shape;
            kept->shape = shape;
            atomic_fetch_add(&shape->refs, 1);
        }
    }
    if (readings != NULL) {
        kept->reads.readings++;
        old_readings = kept->readings;
        kept->readings = readings;
        atomic_fetch_add(&readings->refs, 1);
    }
    (void)pthread_mutex_unlock(&kept->lock);
    shape_drop(old_shape);
    readings_drop(old_readings);
}

void
lp_route_reads(struct lp_store *store, struct lp_route_reads *out)
{
    struct kept *kept = kept_of(store);

    *out = (struct lp_route_reads){.shapes = 0};
    if (kept == NULL)
        return;
    (void)pthread_mutex_lock(&kept->lock);
    *out = kept->reads;
    (void)pthread_mutex_unlock(&kept->lock);
}

/* ---- is it still so? ---- */

static enum lp_code
stamp_read(struct lp_reader *reader, struct lp_stamp *stamp, struct lp_err *err)
{
    struct lp_rows *rows = NULL;
    enum lp_code rc = lp_reader_query(reader, LP_SQL_ROUTE_STAMP, LP_NO_ARGS, &rows, err);

    if (rc == LP_OK) {
        stamp->subscriptions = lp_rows_int(rows, 0, "subscriptions");
        stamp->versions = lp_rows_int(rows, 0, "versions");
        stamp->active = lp_rows_int(rows, 0, "active");
    }
    lp_rows_free(rows);
    if (rc == LP_OK)
        rc = lp_reader_query(reader, LP_SQL_ROUTE_READ_AT, LP_NO_ARGS, &stamp->rows, err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(stamp->rows); i++)
        stamp->readings += strcmp(lp_rows_text(stamp->rows, i, "kind"), "spectrum") == 0;
    return rc;
}

static int64_t
ports_read_at(const struct lp_stamp *stamp, const char *device)
{
    for (size_t i = 0; i < lp_rows_count(stamp->rows); i++)
        if (strcmp(lp_rows_text(stamp->rows, i, "kind"), "ports") == 0
            && strcmp(lp_rows_text(stamp->rows, i, "element_id"), device) == 0)
            return lp_rows_int(stamp->rows, i, "as_of");
    return 0;
}

/** Versions only ever grow and no subscription is ever deleted: an equal sum means that none of
 * them changed. */
static bool
shape_holds(const struct lp_shape *shape, const struct lp_stamp *stamp, const struct lp_conf *conf)
{
    const struct lp_osnr_rules rules = lp_route_osnr(conf);

    if (shape == NULL || shape->stamp.subscriptions != stamp->subscriptions
        || shape->stamp.versions != stamp->versions || shape->stamp.active != stamp->active
        || shape->band != lp_route_band(conf) || strcmp(shape->domain, domain_of(conf)) != 0
        || memcmp(&shape->rules, &rules, sizeof rules) != 0)
        return false;
    for (size_t i = 0; i < shape->card_count; i++)
        if (ports_read_at(stamp, shape->cards[i].device) != shape->cards[i].as_of)
            return false;
    return true;
}

static size_t
changed_readings(const struct lp_readings *known, const struct lp_stamp *stamp)
{
    size_t changed = 0;

    for (size_t i = 0; i < lp_rows_count(stamp->rows); i++) {
        const struct lp_reading *old;

        if (strcmp(lp_rows_text(stamp->rows, i, "kind"), "spectrum") != 0)
            continue;
        old = lp_reading_of(known, lp_rows_text(stamp->rows, i, "element_id"));
        changed += old == NULL || old->as_of != lp_rows_int(stamp->rows, i, "as_of");
    }
    return changed;
}

/** Takes over the references in *shape and *readings, and leaves others. */
static enum lp_code
freshen(const struct lp_route_source *source, struct lp_reader *reader, struct lp_stamp *stamp,
        struct lp_shape **shape, struct lp_readings **readings, struct lp_err *err)
{
    struct kept *kept = kept_of(source->store);
    struct lp_shape *shape_now = NULL;
    struct lp_readings *readings_now = NULL;
    size_t changed = changed_readings(*readings, stamp);
    enum lp_code rc = LP_OK;

    if (!shape_holds(*shape, stamp, source->conf))
        rc = shape_read(source, reader, stamp, &shape_now, err);
    if (rc == LP_OK && (*readings == NULL || changed > 0 || (*readings)->count != stamp->readings))
        rc = readings_read(reader, stamp, *readings, changed, &readings_now, err);
    if (rc == LP_OK)
        kept_put(kept, shape_now, readings_now);
    if (shape_now != NULL) {
        shape_drop(*shape);
        *shape = shape_now;
    }
    if (readings_now != NULL) {
        readings_drop(*readings);
        *readings = readings_now;
    }
    return rc;
}

enum lp_code
lp_shape_take(const struct lp_route_source *source, struct lp_reader *reader,
              struct lp_shape **shape, struct lp_readings **readings, struct lp_err *err)
{
    struct lp_stamp stamp = {.rows = NULL};
    enum lp_code rc = stamp_read(reader, &stamp, err);

    *shape = NULL;
    *readings = NULL;
    if (rc == LP_OK) {
        kept_take(kept_of(source->store), shape, readings);
        rc = freshen(source, reader, &stamp, shape, readings, err);
    }
    lp_rows_free(stamp.rows);
    return rc;
}

void
lp_shape_drop(struct lp_shape *shape, struct lp_readings *readings)
{
    shape_drop(shape);
    readings_drop(readings);
}
