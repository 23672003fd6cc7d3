/**
 * What the drivers use of the host; callers of drivers see only clients/driver.h. Threads: any.
 */
#ifndef LP_CLIENTS_HOST_H
#define LP_CLIENTS_HOST_H

#include "clients/breaker.h"
#include "clients/credentials.h"
#include "clients/driver.h"

struct lp_restconf_pool;
struct lp_tl1_pool;

const struct lp_conf *lp_driver_host_conf(const struct lp_driver_host *host);
const struct lp_clock *lp_driver_host_clock(const struct lp_driver_host *host);
struct lp_log *lp_driver_host_log(const struct lp_driver_host *host);
struct lp_breakers *lp_driver_host_breakers(const struct lp_driver_host *host);
/** The TL1 sessions; made by the host. */
struct lp_tl1_pool *lp_driver_host_tl1(const struct lp_driver_host *host);
/** The RESTCONF sessions; made by the host. */
struct lp_restconf_pool *lp_driver_host_restconf(const struct lp_driver_host *host);
/** Reads the file again first when it changed. Wipe the copy after use. */
enum lp_code lp_driver_host_credential(struct lp_driver_host *host, const char *name,
                                       struct lp_credential *out, struct lp_err *err) LP_MUST_CHECK;

/* ---- what the host remembers of an element between two handles; keys are element names ---- */

/** Notes which credentials its sessions log in with (lp_driver.open). */
enum lp_code lp_driver_host_note(struct lp_driver_host *host, const struct lp_element *element,
                                 struct lp_err *err) LP_MUST_CHECK;
/** The serial number that it told at its last login; "" = none. */
void lp_driver_host_set_serial(struct lp_driver_host *host, const char *name, const char *serial);
void lp_driver_host_get_serial(struct lp_driver_host *host, const char *name, char *out,
                               size_t size);
/** The gateway that reached it, forgotten after devices.gateway_ttl_s; NULL forgets it now. */
void lp_driver_host_set_gateway(struct lp_driver_host *host, const char *name, const char *gateway);
/** "" = not known. */
void lp_driver_host_get_gateway(struct lp_driver_host *host, const char *name, char *out,
                                size_t size);
/** Reserves the next time at which it may be written to (devices.write_gap_ms): ms to wait. */
int64_t lp_driver_host_write_gap(struct lp_driver_host *host, const char *name);
/** As above, with a least gap that its platform needs. */
int64_t lp_driver_host_write_gap_of(struct lp_driver_host *host, const char *name,
                                    int64_t least_ms);

/* ---- events: from the session's thread to the one that waits ---- */

/** Appends an event (stolen); the oldest is dropped and counted when many wait already. */
void lp_driver_host_put_event(struct lp_driver_host *host, const char *name, json_t *event);
/** The oldest event, waiting for at most `ms`; NULL: none. New reference. */
json_t *lp_driver_host_take_event(struct lp_driver_host *host, const char *name, int64_t ms);

#endif
