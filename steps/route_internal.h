/**
 * Between the files of routes only.
 *
 *   route_graph.c  the network of the store as a graph
 *   routes.c       wishes, searches, route documents, forms
 *   light.c        what the elements see of one fiber, beside its claims
 */
#ifndef LP_STEPS_ROUTE_INTERNAL_H
#define LP_STEPS_ROUTE_INTERNAL_H

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

/** A network built for one wish. */
struct lp_net {
    const struct lp_route_source *source;
    const json_t *wish;
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
