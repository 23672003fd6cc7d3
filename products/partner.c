/* Partner: an organization the network deals with. */
#include <stdio.h>

#include "model/products_gen.h"
#include "products/product.h"

static char *
partner_describe(const json_t *root)
{
    char *text;
    const char *name = lp_json_str(root, LP_F_PARTNER_PARTNER_NAME, "unnamed");

    return asprintf(&text, "%s (Partner Institution)", name) < 0 ? NULL : text;
}

static void
partner_check(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const json_t *contacts = json_object_get(root, LP_F_PARTNER_CONTACTS), *contact;
    size_t i, k;

    (void)conf;
    json_array_foreach(contacts, i, contact)
    {
        for (k = 0; k < i && !json_equal(contact, json_array_get(contacts, k)); k++)
            continue;
        if (k < i)
            lp_problem_field(problems, "unique_list", LP_F_PARTNER_CONTACTS, NULL,
                             "contact %zu repeats contact %zu", i + 1, k + 1);
    }
}

const struct lp_product lp_product_partner = {
    .type = "Partner", .describe = partner_describe, .check = partner_check};
