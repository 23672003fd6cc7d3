/**
 * Taking over circuits that already run: read them from the elements, find their ends, fibers and
 * names among the subscriptions, and start one creation for each that nothing explains yet. A
 * creation whose plan is empty writes nothing: that is how a live network comes in.
 *
 * State: devices (array of subscription ids), partner_id (whose they will be). Result: report
 * {"circuits": how many run, "explained": [{"circuit","device","subscription_id"}...],
 * "left": [{"circuit","device","low_mhz","high_mhz","reason"}...], "children"}.
 */
#ifndef LP_STEPS_ADOPTION_H
#define LP_STEPS_ADOPTION_H

#include "engine/run.h"

/** Key `read_circuits`, EACH device, EXTERNAL, reads only. */
extern const struct lp_step lp_step_read_circuits;
/** Key `match_circuits`, reads the database only: state "adoptable" and "report". */
extern const struct lp_step lp_step_match_circuits;
/** Key `adopt`, FANOUT: a create_optical_spectrum for each adoptable circuit. */
extern const struct lp_step lp_step_adopt_circuits;
/** Key `report_adoption`. */
extern const struct lp_step lp_step_report_adoption;
/** One page: customer and devices. */
extern const struct lp_form lp_form_adopt_circuits;

#endif
