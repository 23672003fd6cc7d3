/**
 * What the TNMS knows of fibers, as rows that an import takes. It is asked when the step runs,
 * never before; without one (tnms.url) the step says so and nothing else is concerned.
 */
#ifndef LP_STEPS_TNMS_H
#define LP_STEPS_TNMS_H

#include "engine/run.h"

/**
 * Key `read_tnms`, EXTERNAL, reads only. State "node_pattern", "port_pattern" in; out: "tnms" =
 * {"as_of","found","left_out":[{"what","why"}]}, and "csv" = the fibers that are not there yet in
 * the columns of the fiber import, when there are any. Names are those of our own devices and
 * ports; what cannot be matched to exactly one of each is left out, with the reason.
 */
extern const struct lp_step lp_step_read_tnms;

/** A pattern as the form has it: a problem of `field` when it is none. */
void lp_tnms_check_pattern(const char *field, const json_t *value, struct lp_problems *problems);
/** Is what state "tnms" says too old to build on (tnms.max_age_min)? */
bool lp_tnms_is_stale(const struct lp_conf *conf, const struct lp_clock *clock,
                      const json_t *state);

#endif
