/**
 * Between the files of routes only.
 *
 *   route_shape.c  devices, fibers and readings as they are stored, kept while nothing changes
 *   route_graph.c  the network of one wish: the shape with what is taken
 *   routes.c       wishes, searches, route documents, forms
 *   light.c        what the elements see of one fiber, beside its claims
 */
#ifndef LP_STEPS_ROUTE_INTERNAL_H
#define LP_STEPS_ROUTE_INTERNAL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "optical/route.h"
#include "steps/routes.h"

/** One statement through the source's reader, or a borrowed connection. */
enum lp_code lp_route_query(const struct lp_route_source *source, enum lp_stmt stmt,
                            const struct lp_arg *args, size_t count, struct lp_rows **rows,
                            struct lp_err *err) LP_MUST_CHECK;
/** The configured band plan; the default where it names none. */
const struct lp_band *lp_route_band(const struct lp_conf *conf);

/** The configured constants of the OSNR estimate. */
struct lp_osnr_rules lp_route_osnr(const struct lp_conf *conf);

/* ---- route_shape.c ---- */

/** What tells whether anything changed. */
struct lp_stamp {
    /* of devices and fibers: how many, the sum of their versions, how many are in service */
    int64_t subscriptions, versions, active;
    struct lp_rows *rows; /* element_id, kind, as_of of what was read from elements */
    size_t readings;      /* of light, among these rows */
};
struct lp_shape_node {
    bool reads; /* its kind has light to tell */
    bool tells; /* and its driver asks for it */
    bool cards; /* its light stays on its card */
};
struct lp_shape_line {
    uint32_t node, link;
    const char *port;
};
struct lp_shape_inside {
    char fiber[LP_UUID_LEN + 1];
    uint32_t a_port, z_port;
};
struct lp_shape_cards {
    char device[LP_UUID_LEN + 1];
    int64_t as_of;
};
/** The network without anything that is taken. Never changes once it is made; shared by all
 * searches of all threads. */
struct lp_shape {
    atomic_uint refs;
    struct lp_stamp stamp; /* without rows */
    const struct lp_band *band;
    struct lp_osnr_rules rules;
    char *domain;
    struct lp_graph *graph;      /* not sealed: lp_graph_copy */
    struct lp_shape_node *nodes; /* by index of the graph */
    struct lp_shape_line *lines; /* ports that tell the light of a link, by node and name */
    size_t line_count;
    struct lp_shape_inside *inside; /* patch cords between ports of one device */
    size_t inside_count;
    struct lp_shape_cards *cards; /* readings of ports that count */
    size_t card_count;
};
/** The light of one element as last read; shared like a shape. */
struct lp_reading {
    atomic_uint refs;
    char device[LP_UUID_LEN + 1];
    int64_t as_of;
    struct lp_arena *arena;
    struct lp_seen_light {
        struct lp_range range;
        const char *port;
    } * items;
    size_t count;
};
struct lp_readings {
    atomic_uint refs;
    struct lp_reading **rows; /* by device */
    size_t count;
};
/** Both as the reader's snapshot has them; given back with lp_shape_drop. */
enum lp_code lp_shape_take(const struct lp_route_source *source, struct lp_reader *reader,
                           struct lp_shape **shape, struct lp_readings **readings,
                           struct lp_err *err) LP_MUST_CHECK;
void lp_shape_drop(struct lp_shape *shape, struct lp_readings *readings);
/** The link that ends at a port which tells its light, or LP_GRAPH_NONE. */
uint32_t lp_shape_link_at(const struct lp_shape *shape, uint32_t node, const char *port);
/** Or NULL. */
const struct lp_reading *lp_reading_of(const struct lp_readings *readings, const char *device);
/** Adds an end of the wish that no fiber ends at: an add/drop port without a patch cord. */
enum lp_code lp_shape_add_wished(const struct lp_shape *shape, struct lp_reader *reader,
                                 const json_t *wish, const char *member, struct lp_graph *graph,
                                 struct lp_err *err) LP_MUST_CHECK;

/* ---- route_graph.c ---- */

/** A network built for one wish. */
struct lp_net {
    const struct lp_route_source *source;
    const json_t *wish;
    struct lp_shape *shape; /* whose texts the graph shares */
    struct lp_readings *readings;
    struct lp_graph *graph;
    json_t *inside;   /* port -> {"fiber","far": port}: patch cords between ports of one device */
    json_t *disjoint; /* ids of the fibers that must be kept clear of */
};
enum lp_code lp_net_build(const struct lp_route_source *source, const json_t *wish,
                          struct lp_net *out, struct lp_err *err) LP_MUST_CHECK;
void lp_net_free(struct lp_net *net);

/** May this light be taken over instead of standing in the way? The wish says so and the light lies
 * inside the passband it asks for. */
bool lp_wish_adopts(const json_t *wish, const struct lp_range *light);
/** Does a device of that type tell what light is on its line ports? */
bool lp_device_type_reads(const char *device_type);
/** And can its driver ask? doc: the device's root block. */
bool lp_device_tells(const json_t *doc);

/** Leased spectrum is used within these edges only (guards left out); doc: the fiber's root block.
 * False: it is none, all of the band is usable. */
bool lp_fiber_limit(const json_t *doc, struct lp_range *limit);

/** A list of ranges that grows. */
struct lp_range_list {
    struct lp_range *rows;
    size_t count, room;
};
enum lp_code lp_range_list_add(struct lp_range_list *list, int64_t low_mhz, int64_t high_mhz,
                               struct lp_err *err) LP_MUST_CHECK;
/** What of each range of `light` lies outside `claims` (normalised here), in order. */
enum lp_code lp_range_list_minus(const struct lp_range_list *light, struct lp_range_list *claims,
                                 struct lp_range_list *out, struct lp_err *err) LP_MUST_CHECK;

#endif
