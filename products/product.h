/**
 * A product: its model and its pure functions. No I/O, no SQL.
 */
#ifndef LP_PRODUCTS_PRODUCT_H
#define LP_PRODUCTS_PRODUCT_H

#include "base/conf.h"
#include "model/model.h"

struct lp_product {
    const char *type; /* product type, equal to lpx:product */
    /** Description of a subscription from its root, e.g. "MI01 Milano (Point of Presence)";
     * malloc'ed. */
    char *(*describe)(const json_t *root);
    /** Rules the YANG cannot say (code pattern from the configuration, name begins with code).
     * May be NULL. Appends problems. */
    void (*check)(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems);
};

#define LP_PRODUCT(name) extern const struct lp_product lp_product_##name;
#include "products/products.def"
#undef LP_PRODUCT

/** All products of products.def. */
const struct lp_product *const *lp_products(size_t *count);
const struct lp_product *lp_product_of(const char *type); /* or NULL */

#endif
