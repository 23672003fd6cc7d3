/**
 * Steps of the Optical Device itself: what it said about itself (state "identity" of the probe, the
 * cached ports) taken into its subscription, and compared with it.
 */
#ifndef LP_STEPS_DEVICE_STEPS_H
#define LP_STEPS_DEVICE_STEPS_H

#include "engine/run.h"

/** Key `take_device`, DB: serial number, hardware and software of state identity, and the ports of
 * the cached inventory, into the document. New ports are added, ports that are gone are dropped
 * unless a subscription uses them. */
extern const struct lp_step lp_step_take_device;
/** Key `compare_device`, reads only: LP_DRIFT naming every difference between the document and
 * what the device said. */
extern const struct lp_step lp_step_compare_device;
/** Key `set_mode`, DB: state "mode" (observe or manage), when there is one. */
extern const struct lp_step lp_step_set_mode;

#endif
