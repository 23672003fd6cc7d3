/**
 * Steps of the Optical Digital Service beside those of every device product (steps/devices.h) and
 * of claims (steps/claims.h):
 *
 *   CREATE     construct_service, claim_spectrum, plan, approve, apply, verify, align_power, ...
 *   TERMINATE  hand_over, plan, approve, apply, verify, release_spectrum
 *
 * State keys they read:
 *   root        CREATE: the document; numbers (och_id, flow_id, client_id) may be left out
 *   join        CREATE: {"owner": subscription that owns the channels of root.shared_channels}
 *   adopted     CREATE: it runs already, nothing may be written
 *   heir        TERMINATE: set by hand_over: {"subscription_id","description"} that owns them now
 */
#ifndef LP_STEPS_SERVICES_H
#define LP_STEPS_SERVICES_H

#include "engine/run.h"

/** Key `construct_service`, DB_RW: gives out the numbers that are missing, asks the rules of
 * joining again while nobody else can join, and makes the subscription. Undo as of construct. */
extern const struct lp_step lp_step_construct_service;
/** Key `demand_running`, reads only, when state.adopted: a plan that would write anything ends the
 * adoption before anything is written. LP_PRECONDITION with the operations. */
extern const struct lp_step lp_step_demand_running;
/** Key `hand_over`, DB: when others ride on the channels that the target owns, the oldest of them
 * that is active (lp_channel_heir) becomes their owner and the target one who shares them; its
 * claims go with them. Undo gives them back. */
extern const struct lp_step lp_step_hand_over;
/** Key `align_power`, EXTERNAL, EACH end of each channel: brings the light that the line system
 * receives to its target by the transmit power of the line port (steps/power.c).
 * Not of a service that was adopted. */
extern const struct lp_step lp_step_align_power;

#endif
