/* The list of products. */
#include <string.h>

#include "products/product.h"

static const struct lp_product *const list[] = {
#define LP_PRODUCT(name) &lp_product_##name,
#include "products/products.def"
#undef LP_PRODUCT
};

const struct lp_product *const *
lp_products(size_t *count)
{
    *count = LP_COUNT(list);
    return list;
}

const struct lp_product *
lp_product_of(const char *type)
{
    for (size_t i = 0; i < LP_COUNT(list); i++)
        if (strcmp(list[i]->type, type) == 0)
            return list[i];
    return NULL;
}
