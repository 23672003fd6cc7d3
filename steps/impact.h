/**
 * What a form shows and asks before something interrupts traffic: the services that ride on what is
 * touched, by customer. The approval of a plan shows them by itself; a workflow that is approved by
 * starting it (an upgrade) adds a page of its own.
 */
#ifndef LP_STEPS_IMPACT_H
#define LP_STEPS_IMPACT_H

#include "engine/workflow.h"

/** Adds a heading and a line per customer with the services that ride on these subscriptions (array
 * of ids; see store/impact.h), themselves left out; nothing when there are none. *count = how many
 * services, may be NULL. */
enum lp_code lp_form_add_riders(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                const json_t *ids, size_t *count, struct lp_err *err) LP_MUST_CHECK;

/** Whether there are any, for `when` of a page; true too when that cannot be said just now: the
 * page then tells why. */
bool lp_form_is_ridden(const struct lp_form_ctx *ctx, const json_t *ids);
/** Word that confirms. */
#define LP_CONFIRM_WORD "INTERRUPT"
/** Adds the lines, and, when there are any, a required field `confirm`. */
enum lp_code lp_form_add_confirmation(struct lp_form_ctx *ctx, struct lp_form_page *page,
                                      const json_t *ids, struct lp_err *err) LP_MUST_CHECK;
/** OPT-012 unless the word was typed, or nothing rides on them. */
enum lp_code lp_form_check_confirmation(struct lp_form_ctx *ctx, const json_t *ids,
                                        const json_t *input, struct lp_problems *problems,
                                        struct lp_err *err) LP_MUST_CHECK;

#endif
