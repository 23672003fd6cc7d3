/**
 * Leased spectrum: an Optical Fiber of kind leased, with a band of its own and nobody's elements in
 * it. Routes keep within the band (steps/routes.h); what is here keeps the band around the light.
 */
#ifndef LP_STEPS_LEASE_H
#define LP_STEPS_LEASE_H

#include "engine/run.h"

/**
 * Does everything that is claimed on a fiber lie within its band? root: the document as it shall be
 * (kind span or patch: always). reader may be NULL. LP_CONFLICT: OPT-023 naming the first that does
 * not, detail {"code","fiber_id","low_mhz","high_mhz","subscription_id"}; LP_STORE.
 */
enum lp_code lp_lease_holds(struct lp_store *store, struct lp_reader *reader, const char *fiber_id,
                            const json_t *root, struct lp_err *err) LP_MUST_CHECK;

/** Key `check_lease`, MODIFY, after update, reads only: lp_lease_holds. */
extern const struct lp_step lp_step_check_lease;
/** Key `check_contract`, VALIDATE, reads only: lp_lease_holds, and LP_DRIFT when the last day of
 * the contract is over. */
extern const struct lp_step lp_step_check_contract;

#endif
