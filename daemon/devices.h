/**
 * The device drivers of a daemon with the executor role. Not included from other rooms.
 */
#ifndef LP_DAEMON_DEVICES_H
#define LP_DAEMON_DEVICES_H

#include <pthread.h>

#include "steps/devices.h"

struct lp_daemon_devices;
/** Reads the credentials and starts the thread that keeps sessions alive. LP_INVALID names file and
 * line. */
enum lp_code lp_daemon_devices_start(const struct lp_driver_host_options *options,
                                     struct lp_daemon_devices **out,
                                     struct lp_err *err) LP_MUST_CHECK;
/** What steps get; lives as long as `devices`. */
struct lp_services *lp_daemon_devices_services(struct lp_daemon_devices *devices);
/** Closes every session; no step may run any more. NULL is fine. */
void lp_daemon_devices_stop(struct lp_daemon_devices *devices);

#endif
