/**
 * Routes through the network as it is stored: a graph of active fibers, patch cords and devices,
 * their light as claimed (store/claims.h) and as last read from the elements, and on it the search
 * of optical/route.h. Reads only; nothing here speaks to an element.
 *
 * A wish (JSON object, from a form or a request):
 *   from, to        port (instance id: line port of a transponder, add/drop or line port), or
 *                   device (subscription id: any of its ports)
 *   low_mhz, high_mhz   the passband; or width_mhz and policy ("first-fit", the default, or
 *                   "last-fit"): any passband of that width on the raster
 *   also            further passbands that must be free on it: [{"low_mhz","high_mhz"}...]
 *   include, exclude_nodes, exclude_fibers, exclude_risks, disjoint_from, cost: as in block
 *                   constraints of optical_spectrum; all may be left out
 *   own             holders whose claims are not in the way: what is being changed
 *   required_osnr_cdb   of the mode; absent: margins are not known (null)
 *   negative_margin     true: routes without margin are offered too
 *   unknown_light       true: an operator takes fibers whose light was never read, or too long ago
 *   inner               true: from and to are the ends of a route that is there already: patch
 * cords inside their devices lie before and behind them, not between adopt           true: light
 * that lies inside low_mhz..high_mhz and that no claim explains is what is to be taken over, not in
 * the way step_mhz        raster of the low edge: 6250 (default) or 12500 most            how many
 * routes (default and limits: configuration)
 *
 * A route (canonical JSON, integers):
 *   id         UUID v5 of its ports, fibers and patches
 *   ports      port instances: add, egress, ingress, ..., drop; empty: both ends are patched to
 *              each other
 *   fibers     subscriptions of the fibers between them, in order
 *   patches    subscriptions of the patch cords before and behind them (ends that are transponders)
 *   nodes      subscriptions of the devices, in order, with those of transponders at the ends
 *   hops, oms_hops, length_m, loss_cdb, latency_ns, osnr_cdb (null: not known), margin_cdb (null),
 *   first_free {"low_mhz","high_mhz"}: the passband asked for, or the first that fits; null: none
 *   age_us     of the oldest reading of light it was judged by; null: none of its elements reads
 *   unread     true (else absent): an element on the way would tell its light and was never asked
 *   text       for people
 */
#ifndef LP_STEPS_ROUTES_H
#define LP_STEPS_ROUTES_H

#include "base/conf.h"
#include "engine/workflow.h"

/** Where to read. reader may be NULL (one is borrowed). */
struct lp_route_source {
    struct lp_store *store;
    struct lp_reader *reader;
    const struct lp_conf *conf;
    const struct lp_clock *clock;
};
struct lp_route_source lp_route_source_form(const struct lp_form_ctx *ctx);

/** How often the network was read anew, instead of taken from memory: its devices and fibers, and
 * what elements said of their light. */
struct lp_route_reads {
    uint64_t shapes, readings;
};
void lp_route_reads(struct lp_store *store, struct lp_route_reads *out);

/**
 * {"routes":[best first], "problem": null | {"code","message","removed":{...}}}: without any route,
 * why: OPT-030 saying how many fibers each rule removed, OPT-031 when only readings that are too
 * old, or were never made, stood in the way. LP_INVALID: a wish that makes no sense (pointer names
 * the member); LP_NOT_FOUND: an end that does not exist; LP_STORE. New reference.
 */
enum lp_code lp_routes_find(const struct lp_route_source *source, const json_t *wish,
                            json_t **found, struct lp_err *err) LP_MUST_CHECK;
/** The same search again, and of it the route of that id. LP_CONFLICT: it is not among them any
 * more (message as of lp_routes_find when there is none at all). */
enum lp_code lp_route_again(const struct lp_route_source *source, const json_t *wish,
                            const char *id, json_t **route, struct lp_err *err) LP_MUST_CHECK;
/**
 * Does a route found earlier still stand? Its fibers are there, are in service and end at the ports
 * it names; its id is that of its content. Cost: its own length. The claim asks this in its
 * transaction, and the claims and readings of light itself. LP_CONFLICT saying what has changed.
 */
enum lp_code lp_route_stands(const struct lp_route_source *source, const json_t *route,
                             struct lp_err *err) LP_MUST_CHECK;
/**
 * Names of people become ids, in place: `from` and `to` may be a host name or another name of a
 * device, or "DEVICE PORT" or "DEVICE:PORT"; `include` and `exclude` list devices and fibers by id
 * or name (`exclude` becomes exclude_nodes and exclude_fibers). LP_NOT_FOUND, LP_CONFLICT: several.
 */
enum lp_code lp_wish_names(const struct lp_route_source *source, json_t *wish,
                           struct lp_err *err) LP_MUST_CHECK;
/** A fiber by id or name; id has LP_UUID_LEN + 1 bytes. */
enum lp_code lp_fiber_named(const struct lp_route_source *source, const char *text, char *id,
                            struct lp_err *err) LP_MUST_CHECK;
/** Canonical id of a route document's content. */
void lp_route_id(const json_t *route, char id[static LP_UUID_LEN + 1]);

/* ---- light of one fiber ---- */

/**
 * What the elements at its two ends said of its light: [{"low_mhz","high_mhz","circuit","port",
 * "device_id"}...] in order, and *as_of = UTC us of the older reading (0: nobody tells it;
 * LP_SEEN_NEVER: an element would, and was never asked). Light that is claimed is in it too.
 */
enum lp_code lp_fiber_observed(const struct lp_route_source *source, const char *fiber_id,
                               json_t **observed, int64_t *as_of, struct lp_err *err) LP_MUST_CHECK;
/**
 * Claims beside readings of one fiber, or of all fibers that end at a device:
 * {"fibers":[{"fiber_id",
 * "fiber","as_of"|null,"age_us"|null,"unread","claims":[...],"observed":[...],"free":[{"low_mhz",
 * "high_mhz"}]}...]}. LP_NOT_FOUND.
 */
enum lp_code lp_spectrum_show(const struct lp_route_source *source, const char *fiber_or_device,
                              json_t **out, struct lp_err *err) LP_MUST_CHECK;
/**
 * Where readings and claims differ: {"differences":[{"kind":"foreign" | "missing","fiber_id",
 * "fiber","low_mhz","high_mhz","device_id"?,"port"?,"circuit"?,"outside_band"?,"subscription_id"?,
 * "holder"?,"text"}...], "fibers": how many were compared}. foreign: light without a claim, with
 * outside_band true when the configured band plan does not reach there; missing: a claim that is
 * lit, and no light at an end that was read after it was lit. fiber = subscription of one, or NULL
 * for all.
 */
enum lp_code lp_spectrum_differences(const struct lp_route_source *source, const char *fiber,
                                     json_t **out, struct lp_err *err) LP_MUST_CHECK;

/* ---- forms ---- */

/**
 * A field that offers the routes of a wish: value = route id, label = readable chain, hops, length,
 * first free passband, margin, age of the readings. No route: a label that says why, and a choice
 * that cannot be submitted. *found as of lp_routes_find, kept by the caller if wanted (may be
 * NULL).
 */
enum lp_code lp_form_add_routes(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                const char *field, const char *title, const json_t *wish,
                                json_t **found, struct lp_err *err) LP_MUST_CHECK;

#endif
