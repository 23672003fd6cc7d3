/**
 * Where a subscription came from: (source, key) of a row in import_rows, whose document is the part
 * of the subscription's document that the source knows. validate compares with the newest such row,
 * reconcile brings the subscription to it.
 */
#ifndef LP_STEPS_IMPORT_H
#define LP_STEPS_IMPORT_H

#include "engine/workflow.h"

/** Two hidden, optional fields: import_source and import_key. */
void lp_form_add_source(struct lp_form_page *page);
/** Both or none; the row must be stored. */
enum lp_code lp_form_check_source(struct lp_form_ctx *ctx, const json_t *input,
                                  struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;
/** Moves them into output.root. */
enum lp_code lp_form_finish_source(json_t *output, struct lp_err *err) LP_MUST_CHECK;

#endif
