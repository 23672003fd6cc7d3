/**
 * What rides on a part of the network: whoever uses the ports of a fiber, a device, a card or a
 * PoP, whoever uses those, and so on up to what customers buy. Follows references between blocks,
 * whatever their products; a block that is hit hits the blocks it stands in, not those beside it
 * (of a service with two channels that share nothing, one may stay). Reads only. Threads: any.
 */
#ifndef LP_STORE_IMPACT_H
#define LP_STORE_IMPACT_H

#include "store/db.h"

/**
 * @param id    subscription of a fiber (or leased spectrum), device or PoP; of anything else all
 *              blocks count
 * @param card  with a device: only ports on this card, a prefix of port names that ends at a
 *              separator ("1-A-1": also 1-A-1-L1, not 1-A-10-L1); NULL: all
 * @param out   {"subject":{"subscription_id","product","description","status","card"},
 *              "customers":[{"customer_id","customer","services":[{"subscription_id","product",
 *              "description","status","insync","via": port or fiber it was found by,
 *              "spectrum":[{"name","low_mhz","high_mhz"}]}]}], "fibers":[{"subscription_id",
 *              "description","status"}], "services": how many}; terminated ones left out; sorted by
 *              names. New reference.
 * @return LP_NOT_FOUND: no such subscription; LP_INVALID: a card of what is no device
 */
enum lp_code lp_impact(struct lp_store *store, struct lp_reader *reader, const char *id,
                       const char *card, json_t **out, struct lp_err *err) LP_MUST_CHECK;

#endif
