/**
 * What a digital service runs over, for people and programs: its channels, and the ports of each
 * from client to client. Reads only. Threads: any.
 */
#ifndef LP_STORE_SERVICES_H
#define LP_STORE_SERVICES_H

#include "model/model.h"
#include "store/db.h"

/**
 * {"subscription_id","description","status","insync","service_name","client_signal",
 *  "channels":[{"och_id","name","owner": subscription,"mode","capacity_gbps","center_mhz",
 *    "width_mhz","low_mhz","high_mhz","reservation","services":[{"subscription_id","description",
 *    "status"}],"ports":[{"port_id","port","role","device_id","device","pop"}] from client A over
 *    line, add, ... to client Z,"fibers":[{"fiber_id","name","length_m"}]}]}.
 * LP_NOT_FOUND; LP_INVALID: it is no digital service. New reference.
 */
enum lp_code lp_service_path(struct lp_store *store, const struct lp_catalog *catalog,
                             const char *id, json_t **out, struct lp_err *err) LP_MUST_CHECK;

#endif
