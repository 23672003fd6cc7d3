/**
 * The network as its subscriptions say it is, and finding things in it by what people know: a
 * port, a circuit id, a customer, a ticket, a wavelength. Reads only; documents returned are new
 * references. Threads: any.
 */
#ifndef LP_STORE_TOPOLOGY_H
#define LP_STORE_TOPOLOGY_H

#include "model/model.h"
#include "store/db.h"

/**
 * {"pops":[{"subscription_id","status","insync", members of the document...}],
 *  "devices":[{the same, "pop_id": subscription id of its PoP, "pop_code"}] (without ports),
 *  "fibers":[{the same, "ends":[{"device_id","fqdn","port","pop_code"}, the other]}]}.
 * Terminated ones are left out.
 */
enum lp_code lp_topology(struct lp_store *store, json_t **out, struct lp_err *err) LP_MUST_CHECK;

/**
 * Everything that is called exactly so: {"subscriptions":[{"subscription_id","product",
 * "description","status","matched": what was found ("port name", "customer ...")}],
 * "processes":[{"process_id","workflow","status","matched"}],
 * "spectrum":[{"device_id","device","port","low_mhz","high_mhz","circuit"}]}; at most `most` of
 * each. A text that is a frequency (193.1, 193.1 THz, 193100000, 193100000 MHz) or a wavelength
 * (1552.52 nm) in the C band finds occupied spectrum.
 */
enum lp_code lp_search_exact(struct lp_store *store, const struct lp_catalog *catalog,
                             const char *text, int64_t most, json_t **out,
                             struct lp_err *err) LP_MUST_CHECK;
/** The frequency in MHz that a text stands for, or 0. Speed of light: 299792458 m/s. */
int64_t lp_search_frequency(const char *text);

#endif
