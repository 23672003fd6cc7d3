/**
 * Steps of products that hold light, beside those of steps/claims.h and steps/devices.h.
 */
#ifndef LP_STEPS_SPECTRUM_STEPS_H
#define LP_STEPS_SPECTRUM_STEPS_H

#include "engine/run.h"

/** Key `check_spectrum`, VALIDATE, EXTERNAL, reads only: documents, elements and light are compared
 * in one pass; LP_DRIFT names every difference of all of them, not only those of the first. */
extern const struct lp_step lp_step_check_spectrum;
/** Key `ask_again`, RECONCILE, reads only: state spectrum_requests = what the target's root (an
 * optical_spectrum block) already says, so that claims that were lost are taken anew. */
extern const struct lp_step lp_step_ask_again;
/** Key `settle_name`, DB: circuits have their new name, the former one is forgotten. The target's
 * root is an optical_spectrum block. */
extern const struct lp_step lp_step_settle_name;

#endif
