/**
 * A port as products see it: the block, the device that owns it and the site it stands at, all
 * borrowed from a closure. Pure; any thread.
 */
#ifndef LP_PRODUCTS_ENDS_H
#define LP_PRODUCTS_ENDS_H

#include "products/product.h"

struct lp_end {
    const char *port_id;
    const json_t *port; /* block */
    const char *device; /* subscription id */
    const json_t *root; /* of the device */
    const json_t *pop;  /* block, or NULL */
};

/** False when the port or its device does not stand in the closure; *end is set as far as known. */
bool lp_end_find(const json_t *closure, const char *port_id, struct lp_end *end);
/** Name of the port, or "". */
const char *lp_end_port(const struct lp_end *end);
/** Node name of the device, or "". */
const char *lp_end_node(const struct lp_end *end);
/** Value of a placeholder of name templates: "fqdn", "node", "port" or "pop"; NULL when there is
 * none. */
const char *lp_end_value(const struct lp_end *end, const char *name);

#endif
