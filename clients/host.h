/**
 * What the drivers use of the host; callers of drivers see only clients/driver.h. Threads: any.
 */
#ifndef LP_CLIENTS_HOST_H
#define LP_CLIENTS_HOST_H

#include "clients/breaker.h"
#include "clients/credentials.h"
#include "clients/driver.h"

const struct lp_conf *lp_driver_host_conf(const struct lp_driver_host *host);
const struct lp_clock *lp_driver_host_clock(const struct lp_driver_host *host);
struct lp_log *lp_driver_host_log(const struct lp_driver_host *host);
struct lp_breakers *lp_driver_host_breakers(const struct lp_driver_host *host);
/** Reads the file again first when it changed. Wipe the copy after use. */
enum lp_code lp_driver_host_credential(struct lp_driver_host *host, const char *name,
                                       struct lp_credential *out, struct lp_err *err) LP_MUST_CHECK;

#endif
