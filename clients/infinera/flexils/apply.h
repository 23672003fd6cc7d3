/** Executing one operation of a plan: look, compare, act on the difference, look again. */
#ifndef LP_CLIENTS_INFINERA_FLEXILS_APPLY_H
#define LP_CLIENTS_INFINERA_FLEXILS_APPLY_H

#include "clients/infinera/flexils/read.h"

enum lp_code fx_plan_document(struct lp_ne *ne, const struct lp_call *call, const json_t *intents,
                              bool take_over, json_t **out, struct lp_err *err);
enum lp_code fx_apply_op(struct lp_ne *ne, const struct lp_call *call, const json_t *operation,
                         const json_t *produced, json_t **report, struct lp_err *err);

#endif
