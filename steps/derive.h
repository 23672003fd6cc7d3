/**
 * Derived members of a document (products/product.h, `derive`): loads what the document references
 * and lets its product set them. Reads only.
 */
#ifndef LP_STEPS_DERIVE_H
#define LP_STEPS_DERIVE_H

#include "base/conf.h"
#include "model/model.h"
#include "store/subscriptions.h"

/**
 * In place. reader NULL: one is borrowed. References that lead nowhere are left to the checks that
 * follow. LP_STORE; LP_INVALID when a configured template is wrong.
 */
enum lp_code lp_derive(struct lp_store *store, struct lp_reader *reader,
                       const struct lp_catalog *catalog, const struct lp_conf *conf,
                       const struct lp_product_type *type, json_t *root,
                       struct lp_err *err) LP_MUST_CHECK;
/** Adds what the product says about what the document references (check_linked). */
enum lp_code lp_check_linked(struct lp_store *store, struct lp_reader *reader,
                             const struct lp_catalog *catalog, const struct lp_conf *conf,
                             const struct lp_product_type *type, const json_t *root,
                             struct lp_problems *problems, struct lp_err *err) LP_MUST_CHECK;
/** What a document references, and so on, as a closure without a subject. New reference. */
enum lp_code lp_derive_closure(struct lp_store *store, struct lp_reader *reader,
                               const struct lp_catalog *catalog, const struct lp_product_type *type,
                               const json_t *root, json_t **closure,
                               struct lp_err *err) LP_MUST_CHECK;

#endif
